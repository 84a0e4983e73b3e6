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
            LineErrorKind::Value(slot) => write!(f, "`{}` is {}", slot.name(), complaint(slot)),
        }
    }
}

fn expectation(origin: LayoutOrigin, expected: usize) -> String {
    match origin {
        LayoutOrigin::Header => format!("the header names {expected}"),
        LayoutOrigin::Fields => format!("`--fields` names {expected}"),
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
