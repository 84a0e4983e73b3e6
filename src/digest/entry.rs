//! What the ledger says of one object: how to know it again, what reading it
//! came to, and which days its rows speak of.

use std::collections::BTreeMap;

use bytes::Bytes;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use serde::Deserialize;
use serde::Serialize;

use crate::digest::table;
use crate::digest::table::Count;
use crate::digest::table::Int;
use crate::digest::table::Table;
use crate::digest::table::Text;
use crate::digest::table::Time;
use crate::digest::table::table;
use crate::digest::table::text;
use crate::evidence::RowTally;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// One object that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// SHA-256 of its bytes as stored, in hexadecimal.
    pub content: String,
    /// Name as shown to the user when it was read.
    pub name: String,
    /// Where it was: an absolute path or an address.
    pub place: String,
    /// What changes with its bytes, known without reading: time of change or
    /// `ETag`.
    pub version: String,
    /// Bytes as listed.
    pub size: u64,
    /// Bytes that were read of it.
    pub compressed_bytes: u64,
    /// Bytes after inflating.
    pub text_bytes: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// The first of them.
    pub samples: Vec<BadLine>,
    /// Why it was not read to its end.
    pub unreadable: Option<String>,
    /// Its header named other columns than the user did.
    pub overruled: bool,
    /// Rows without a time.
    pub undated: RowTally,
    /// Records without a time, which are in `undated` too.
    pub no_time: u64,
    /// Last second that a row speaks of.
    pub newest: Option<Timestamp>,
    /// Rows with a time, by the day (since the epoch) on which they begin.
    pub days: BTreeMap<i64, u64>,
    /// The same of days whose evidence was dropped from the digest.
    pub dropped: BTreeMap<i64, u64>,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BadLine {
    /// Line number, from 1.
    pub line: u64,
    /// Offset of its first byte, from 0.
    pub byte: u64,
    /// What is wrong.
    pub reason: String,
}

/// What makes an object the same object, wherever it lies: its own name, its
/// length and its bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    name: String,
    size: u64,
    content: String,
}

impl Entry {
    /// What makes it the same object elsewhere.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::new(&self.name, self.size, &self.content)
    }
}

impl Identity {
    /// Of an object of this name (with or without its folders).
    #[must_use]
    pub fn new(name: &str, size: u64, content: &str) -> Identity {
        Identity {
            name: last_part(name).to_owned(),
            size,
            content: content.to_owned(),
        }
    }
}

/// A name without its folders.
pub(super) fn last_part(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

table! {
    /// The ledger.
    Ledger {
        object: Int,
        name: Text,
        place: Text,
        version: Text,
        size: Count,
        sha256: Text,
        compressed_bytes: Count,
        text_bytes: Count,
        malformed: Count,
        malformed_samples: Text,
        unreadable: Text,
        fields_overruled: Count,
        undated_accepted: Count,
        undated_rejected: Count,
        undated_other: Count,
        undated_no_data: Count,
        undated_skip_data: Count,
        undated_records: Count,
        newest: Time,
        rows_by_day: Text,
        dropped_rows_by_day: Text,
    }
}

/// The entries as a table; each entry's place in the list is its number.
pub(super) fn to_bytes(entries: &[Entry]) -> parquet::errors::Result<Vec<u8>> {
    let mut ledger = Ledger::with_room(entries.len());
    for (number, entry) in (0_i32..).zip(entries) {
        push(&mut ledger, number, entry)?;
    }
    table::to_bytes([ledger])
}

fn push(ledger: &mut Ledger, number: i32, entry: &Entry) -> parquet::errors::Result<()> {
    let Entry {
        content,
        name,
        place,
        version,
        size,
        compressed_bytes,
        text_bytes,
        malformed,
        samples,
        unreadable,
        overruled,
        undated,
        no_time,
        newest,
        days,
        dropped,
    } = entry;
    let RowTally {
        accepted,
        rejected,
        other,
        no_data,
        skip_data,
    } = *undated;
    ledger.object.push(number);
    ledger.name.push(text(name));
    ledger.place.push(text(place));
    ledger.version.push(text(version));
    ledger.size.push(size.cast_signed());
    ledger.sha256.push(text(content));
    ledger.compressed_bytes.push(compressed_bytes.cast_signed());
    ledger.text_bytes.push(text_bytes.cast_signed());
    ledger.malformed.push(malformed.cast_signed());
    ledger.malformed_samples.push(json(samples)?);
    ledger
        .unreadable
        .push(text(unreadable.as_deref().unwrap_or_default()));
    ledger.fields_overruled.push(i64::from(*overruled));
    ledger.undated_accepted.push(accepted.cast_signed());
    ledger.undated_rejected.push(rejected.cast_signed());
    ledger.undated_other.push(other.cast_signed());
    ledger.undated_no_data.push(no_data.cast_signed());
    ledger.undated_skip_data.push(skip_data.cast_signed());
    ledger.undated_records.push(no_time.cast_signed());
    // Times of rows are never before 1970.
    let newest = newest.map_or(-1, |newest| newest.0.saturating_mul(1_000));
    ledger.newest.push(newest);
    ledger.rows_by_day.push(dated(days)?);
    ledger.dropped_rows_by_day.push(dated(dropped)?);
    Ok(())
}

/// Reads what [`to_bytes`] wrote.
pub(super) fn from_bytes(bytes: Vec<u8>) -> parquet::errors::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    table::from_bytes(Bytes::from(bytes), |ledger: Ledger| {
        for row in 0..ledger.object.len() {
            let entry = pull(&ledger, row);
            let row = entries.len();
            entries.push(
                entry.ok_or_else(|| ParquetError::General(format!("row {row} makes no sense")))?,
            );
        }
        Ok(())
    })?;
    Ok(entries)
}

fn pull(ledger: &Ledger, row: usize) -> Option<Entry> {
    let word = |column: &[ByteArray]| Some(column.get(row)?.as_utf8().ok()?.to_owned());
    let count = |column: &[i64]| Some(column.get(row)?.cast_unsigned());
    let samples = ledger.malformed_samples.get(row)?.data();
    let unreadable = word(&ledger.unreadable)?;
    Some(Entry {
        content: word(&ledger.sha256)?,
        name: word(&ledger.name)?,
        place: word(&ledger.place)?,
        version: word(&ledger.version)?,
        size: count(&ledger.size)?,
        compressed_bytes: count(&ledger.compressed_bytes)?,
        text_bytes: count(&ledger.text_bytes)?,
        malformed: count(&ledger.malformed)?,
        samples: serde_json::from_slice(samples).ok()?,
        unreadable: (!unreadable.is_empty()).then_some(unreadable),
        overruled: count(&ledger.fields_overruled)? > 0,
        undated: RowTally {
            accepted: count(&ledger.undated_accepted)?,
            rejected: count(&ledger.undated_rejected)?,
            other: count(&ledger.undated_other)?,
            no_data: count(&ledger.undated_no_data)?,
            skip_data: count(&ledger.undated_skip_data)?,
        },
        no_time: count(&ledger.undated_records)?,
        newest: Some(*ledger.newest.get(row)?)
            .filter(|newest| *newest >= 0)
            .map(|newest| Timestamp(newest / 1_000)),
        days: undated(ledger.rows_by_day.get(row)?)?,
        dropped: undated(ledger.dropped_rows_by_day.get(row)?)?,
    })
}

/// Numbers of rows by date, as JSON.
fn dated(days: &BTreeMap<i64, u64>) -> parquet::errors::Result<ByteArray> {
    let days: BTreeMap<String, u64> = days.iter().map(|(day, rows)| (date(*day), *rows)).collect();
    json(&days)
}

/// What [`dated`] made JSON of.
fn undated(json: &ByteArray) -> Option<BTreeMap<i64, u64>> {
    let by_date: BTreeMap<String, u64> = serde_json::from_slice(json.data()).ok()?;
    by_date
        .into_iter()
        .map(|(date, rows)| Some((day(&date)?, rows)))
        .collect()
}

fn json<T: Serialize>(value: &T) -> parquet::errors::Result<ByteArray> {
    let text = serde_json::to_vec(value);
    text.map(ByteArray::from)
        .map_err(|error| ParquetError::External(Box::new(error)))
}

/// A day since the epoch as `2026-10-01`; as its first second where the
/// calendar ends before it (`9999-12-31`).
#[must_use]
pub fn date(day: i64) -> String {
    Timestamp(day.saturating_mul(DAY)).date()
}

/// What [`date`] made a text of.
#[must_use]
pub fn day(date: &str) -> Option<i64> {
    let time = Timestamp::parse_rfc3339(&format!("{date}T00:00:00Z"));
    Some(time.or_else(|| Timestamp::parse_printed(date))?.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_as_it_went() {
        let entry = Entry {
            content: "00ff".to_owned(),
            name: "logs/\u{e9} \"a\".log".to_owned(),
            place: "/tmp/logs/a.log".to_owned(),
            version: "17".to_owned(),
            size: u64::MAX,
            compressed_bytes: 1,
            text_bytes: 2,
            malformed: 3,
            samples: vec![BadLine {
                line: 1,
                byte: 0,
                reason: "`\n`".to_owned(),
            }],
            unreadable: Some("cut".to_owned()),
            overruled: true,
            undated: RowTally {
                accepted: 1,
                rejected: 2,
                other: 3,
                no_data: 4,
                skip_data: 5,
            },
            no_time: 6,
            newest: Some(Timestamp(1_760_000_000)),
            days: BTreeMap::from([(0, 1), (20_727, 2), (2_932_896, 3)]),
            dropped: BTreeMap::from([(1, 4)]),
        };
        let entries = vec![entry.clone(), Entry::default(), entry];
        assert_eq!(from_bytes(to_bytes(&entries).unwrap()).unwrap(), entries);
    }

    #[test]
    fn an_object_is_known_by_its_own_name() {
        let one = Identity::new("logs/a.log", 5, "00");
        assert_eq!(one, Identity::new("/srv/logs/a.log", 5, "00"));
        assert_ne!(one, Identity::new("logs/b.log", 5, "00"));
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date(20_727), "2026-10-01");
        assert_eq!(day("2026-10-01"), Some(20_727));
        assert_eq!((day("never"), day("2026-13-01")), (None, None));
    }
}
