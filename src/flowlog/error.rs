//! Bad lines, as values: they are counted by kind and the first few are shown,
//! so each says where it was found and what is wrong in the log's own words.

use std::fmt;

use crate::flowlog::fields::Slot;
use crate::flowlog::header::LayoutOrigin;

/// Longest line that is read, in bytes without the newline.
pub const LONGEST_LINE: usize = 64 * 1024;

/// A line that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineError {
    /// Line number in the decompressed object, from 1 (headers and blank lines
    /// count too).
    pub line: u64,
    /// Offset of the line's first byte in the decompressed object, from 0.
    pub byte: u64,
    /// What is wrong with it.
    pub kind: LineErrorKind,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LineError { line, byte, kind } = self;
        write!(f, "line {line}, byte {byte}: {kind}")
    }
}

impl std::error::Error for LineError {}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LineErrorKind {
    /// Longer than [`LONGEST_LINE`]; skipped without being kept.
    TooLong,
    /// Holds NUL or another control character.
    Control,
    /// Has more or fewer fields than the layout.
    FieldCount {
        /// Fields in the line.
        found: usize,
        /// Columns of the layout.
        expected: usize,
        /// Who says so.
        origin: LayoutOrigin,
    },
    /// The column's value is not of its kind.
    Value(Slot),
    /// A document that is not JSON.
    NotJson,
    /// A JSON document that holds no log record in any known place.
    NoRecord,
    /// Data that should unpack to a JSON document, and does not.
    NotPacked,
}

impl fmt::Display for LineErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LineErrorKind::TooLong => write!(f, "line is longer than {} KiB", LONGEST_LINE / 1024),
            LineErrorKind::Control => f.write_str("line holds control characters, not text"),
            LineErrorKind::FieldCount {
                found,
                expected,
                origin,
            } => {
                let fields = if found == 1 { "field" } else { "fields" };
                write!(
                    f,
                    "{found} {fields} where {}",
                    expectation(origin, expected)
                )
            }
            LineErrorKind::NotJson => f.write_str("not a JSON document"),
            LineErrorKind::NoRecord => f.write_str("JSON without a flow log record"),
            LineErrorKind::NotPacked => f.write_str("not base64 of a gzipped JSON document"),
            LineErrorKind::Value(slot) => write!(f, "`{}` is {}", slot.name(), complaint(slot)),
        }
    }
}

fn expectation(origin: LayoutOrigin, expected: usize) -> String {
    match origin {
        LayoutOrigin::Header => format!("the header names {expected}"),
        LayoutOrigin::Fields => format!("`--fields` names {expected}"),
        LayoutOrigin::Described => {
            format!("the snapshot's `LogFormat` names {expected}; name others with `--fields`")
        }
        LayoutOrigin::Default => {
            format!("the default format has {expected}; no header, so name them with `--fields`")
        }
    }
}

fn complaint(slot: Slot) -> &'static str {
    match slot {
        Slot::InterfaceId => "not an interface id",
        Slot::Srcaddr | Slot::Dstaddr | Slot::PktSrcaddr | Slot::PktDstaddr => "not an address",
        Slot::Srcport | Slot::Dstport => "not a port",
        Slot::Protocol => "not a protocol number",
        Slot::Packets | Slot::Bytes => "not a whole number below 2^64",
        Slot::Start | Slot::End => "not a time in Unix seconds",
        Slot::Action => "neither ACCEPT nor REJECT",
        Slot::LogStatus => "none of OK, NODATA, SKIPDATA",
        Slot::TcpFlags => "not a number from 0 to 255",
        Slot::FlowDirection => "neither ingress nor egress",
        Slot::Type | Slot::RejectReason => "not readable",
    }
}

/// Why an object, or the rest of it, cannot be read in the form that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// A Parquet file without its end, where the columns are named.
    ParquetCutShort,
    /// A Parquet file whose footer is encrypted.
    ParquetEncrypted,
    /// A file that needs to be held whole and is larger than this many bytes.
    TooLarge(usize),
    /// A Parquet file that contradicts itself.
    Damaged(String),
    /// Pages that are compressed in a way that is not read.
    Compression(String),
    /// None of a Parquet file's columns is known; the first of them.
    ForeignColumns(String),
    /// A column of a type that its values cannot have.
    WrongType {
        /// The column.
        column: &'static str,
        /// Its type.
        given: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// The last JSON document lacks its end.
    JsonCutShort {
        /// Where it begins in the unpacked object, from 0.
        byte: u64,
    },
    /// A JSON document that may have held many records is damaged.
    JsonDamaged {
        /// Where it begins in the unpacked object, from 0.
        byte: u64,
    },
}

/// How many names of columns a message shows, and how much of each.
const NAMES_SHOWN: usize = 4;
const NAME_SHOWN: usize = 40;

/// The front of a name that anybody may have given.
fn escaped(name: &str) -> String {
    let front = name.chars().take(NAME_SHOWN);
    front.flat_map(char::escape_debug).collect()
}

impl FormError {
    pub(super) fn damaged(what: &str) -> FormError {
        FormError::Damaged(what.to_owned())
    }

    pub(super) fn foreign_columns(mut names: impl Iterator<Item = String>) -> FormError {
        let shown = names.by_ref().take(NAMES_SHOWN);
        let mut shown: Vec<String> = shown.map(|name| escaped(&name)).collect();
        if names.next().is_some() {
            shown.push("...".to_owned());
        }
        FormError::ForeignColumns(shown.join(", "))
    }

    pub(super) fn wrong_type(column: &'static str, given: &str, wanted: &'static str) -> FormError {
        FormError::WrongType {
            column,
            given: given.to_owned(),
            wanted,
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormError::ParquetCutShort => {
                f.write_str("Parquet data is cut short; fetch the object again")
            }
            FormError::ParquetEncrypted => {
                f.write_str("encrypted Parquet is not read; give it decrypted")
            }
            FormError::TooLarge(most) => write!(
                f,
                "larger than the {} MiB that are held at once; split it",
                most >> 20
            ),
            FormError::Damaged(what) => {
                write!(
                    f,
                    "Parquet data is damaged ({what}); fetch the object again"
                )
            }
            FormError::Compression(name) => write!(
                f,
                "Parquet pages are compressed with {name}; gzip, snappy and zstd are read"
            ),
            FormError::ForeignColumns(names) => {
                write!(f, "Parquet columns are not those of a flow log: {names}")
            }
            FormError::WrongType {
                column,
                given,
                wanted,
            } => write!(
                f,
                "Parquet column `{column}` is of type {given}, not {wanted}"
            ),
            FormError::JsonCutShort { byte } => write!(
                f,
                "JSON document at byte {byte} is cut short; fetch the object again"
            ),
            FormError::JsonDamaged { byte } => write!(
                f,
                "JSON document at byte {byte} is damaged and may have held many records"
            ),
        }
    }
}

impl std::error::Error for FormError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_for_the_operator() {
        let count = |origin| LineErrorKind::FieldCount {
            found: 13,
            expected: 14,
            origin,
        };
        let error = LineError {
            line: 7,
            byte: 120,
            kind: LineErrorKind::Value(Slot::Dstport),
        };
        assert_eq!(
            error.to_string(),
            "line 7, byte 120: `dstport` is not a port"
        );
        assert_eq!(
            count(LayoutOrigin::Header).to_string(),
            "13 fields where the header names 14"
        );
        assert_eq!(
            count(LayoutOrigin::Fields).to_string(),
            "13 fields where `--fields` names 14"
        );
        let one = LineErrorKind::FieldCount {
            found: 1,
            expected: 14,
            origin: LayoutOrigin::Default,
        };
        assert!(
            one.to_string()
                .starts_with("1 field where the default format has 14;")
        );
        assert_eq!(
            LineErrorKind::TooLong.to_string(),
            "line is longer than 64 KiB"
        );
    }
}
