//! Lays the lines down as the service delivers them: one object or more for
//! every five minutes, by the end time of records, gzip, the header first
//! (VPC user guide, "Flow log files").

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use rayon::prelude::*;

use crate::model::Provider;
use crate::sample::SampleError;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::form::Form;
use crate::sample::line;
use crate::sample::random::hash;
use crate::sample::random::mix;
use crate::sample::world::BASE;

/// Seconds of end times that share objects.
const SLOT: u32 = 300;

/// Objects are compressed and written in batches of about so many bytes of
/// text: enough to keep all cores busy, and what bounds the memory.
const BATCH: usize = 64 << 20;

/// What objects are wrapped in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wrapping {
    pub(super) form: Form,
    /// Without gzip.
    pub(super) plain: bool,
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Delivery {
    folder: PathBuf,
    seed: u64,
    flow_log: String,
    header: Vec<u8>,
    /// Objects of each five minutes.
    spread: u64,
    wrapping: Wrapping,
    lines: u64,
    /// Texts by five minutes and number of the object in them.
    open: BTreeMap<(u32, u64), Vec<u8>>,
    ready: Vec<(PathBuf, Vec<u8>)>,
    /// Objects written.
    pub(super) files: u64,
    /// Bytes written, compressed unless `plain`.
    pub(super) bytes: u64,
    /// Bytes of text, headers included.
    pub(super) text_bytes: u64,
}

impl Delivery {
    pub(super) fn new(
        folder: &Path,
        seed: u64,
        flow_log: String,
        version: u8,
        spread: u32,
        wrapping: Wrapping,
    ) -> Delivery {
        let mut header = Vec::new();
        line::header(&mut header, version);
        Delivery {
            folder: folder.to_owned(),
            seed,
            flow_log,
            header,
            spread: u64::from(spread.max(1)),
            wrapping,
            lines: 0,
            open: BTreeMap::new(),
            ready: Vec::new(),
            files: 0,
            bytes: 0,
            text_bytes: 0,
        }
    }

    /// The object that takes the next line with this end time.
    pub(super) fn object(&mut self, end: u32) -> &mut Vec<u8> {
        // At random, so that the halves of a connection part now and then.
        let number = mix(self.lines) % self.spread;
        self.lines += 1;
        let object = self.open.entry((end / SLOT, number));
        object.or_insert_with(|| self.header.clone())
    }

    /// Closes every object whose records all end before a second.
    pub(super) fn close_before(&mut self, second: u32) -> Result<(), SampleError> {
        while let Some(object) = self.open.first_entry() {
            if (object.key().0 + 1) * SLOT > second {
                break;
            }
            let ((slot, number), text) = object.remove_entry();
            let path = self.folder.join(self.name(slot, number));
            self.ready.push((path, text));
        }
        if self.ready.iter().map(|(_, text)| text.len()).sum::<usize>() >= BATCH {
            self.write_ready()?;
        }
        Ok(())
    }

    /// Writes all that is left.
    pub(super) fn finish(&mut self) -> Result<(), SampleError> {
        self.close_before(u32::MAX)?;
        self.write_ready()
    }

    fn write_ready(&mut self) -> Result<(), SampleError> {
        let ready = std::mem::take(&mut self.ready);
        let wrapping = self.wrapping;
        let written: Result<Vec<u64>, SampleError> = ready
            .par_iter()
            .map(|(path, text)| {
                write_object(path, text, wrapping)
                    .map_err(|source| SampleError::write(path, source))
            })
            .collect();
        self.files += u64::try_from(ready.len()).unwrap_or(0);
        self.bytes += written?.iter().sum::<u64>();
        for (_, text) in &ready {
            self.text_bytes += u64::try_from(text.len()).unwrap_or(0);
        }
        Ok(())
    }

    fn name(&self, slot: u32, number: u64) -> PathBuf {
        let id = hash(self.seed, u64::from(slot), number);
        let Wrapping { form, plain } = self.wrapping;
        if form.provider() == Provider::Alibaba {
            return shipped(slot * SLOT, id, plain || form.is_parquet());
        }
        let (day, time) = stamps(slot * SLOT);
        let flow_log = &self.flow_log;
        let packed = if plain || form.is_parquet() {
            ""
        } else {
            ".gz"
        };
        let suffix = format!("{}{packed}", form.suffix());
        PathBuf::from(format!("AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/{day}")).join(format!(
            "{ACCOUNT}_vpcflowlogs_{REGION}_{flow_log}_{time}_{:08x}.{suffix}",
            id >> 32
        ))
    }
}

/// The key that the log service gives to what it ships: by the hour, and
/// without a suffix that tells what is inside, unless it is compressed.
fn shipped(second: u32, id: u64, bare: bool) -> PathBuf {
    let time = jiff::Timestamp::from_second(BASE + i64::from(second)).unwrap_or_default();
    let hour = time.strftime("%Y/%m/%d/%H");
    let suffix = if bare { "" } else { ".gz" };
    PathBuf::from(format!(
        "flow-log/{hour}/{}_{:019}_{}{suffix}",
        time.strftime("%M"),
        id >> 1,
        id % 1_000
    ))
}

/// `YYYY/MM/DD` and `YYYYMMDDTHHmmZ` of a second.
fn stamps(second: u32) -> (String, String) {
    let time = jiff::Timestamp::from_second(BASE + i64::from(second)).unwrap_or_default();
    (
        time.strftime("%Y/%m/%d").to_string(),
        time.strftime("%Y%m%dT%H%MZ").to_string(),
    )
}

/// Writes one object; answers its size on disk.
fn write_object(path: &Path, text: &[u8], wrapping: Wrapping) -> io::Result<u64> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let Wrapping { form, plain } = wrapping;
    let encoded;
    let text = if form == Form::Text {
        text
    } else {
        encoded = form.encode(str::from_utf8(text).map_err(io::Error::other)?)?;
        encoded.as_slice()
    };
    let mut file = File::create(path)?;
    if plain || form.is_parquet() {
        file.write_all(text)?;
        return Ok(u64::try_from(text.len()).unwrap_or(0));
    }
    // Level 1: samples are made to be read again soon, not to be kept.
    let mut gzip = GzEncoder::new(file, Compression::fast());
    gzip.write_all(text)?;
    Ok(gzip.finish()?.metadata()?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_by_the_five_minutes_of_its_records() {
        let delivery = Delivery::new(
            Path::new("logs"),
            1,
            "fl-0".to_owned(),
            2,
            1,
            Wrapping {
                form: Form::Text,
                plain: false,
            },
        );
        let name = delivery.name(13, 0);
        let name = name.to_str().unwrap();
        let folder = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2026/03/01/";
        assert!(name.starts_with(folder), "{name}");
        assert!(name.contains("_20260301T0105Z_"), "{name}");
        assert!(name.ends_with(".log.gz"), "{name}");
        assert_ne!(delivery.name(13, 0), delivery.name(13, 1));
    }
}
