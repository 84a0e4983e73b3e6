//! Points and spans of time, in whole Unix seconds as flow logs carry them.

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;

/// A point in time: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Seconds in an hour.
pub const HOUR: i64 = 3_600;
/// Seconds in a day.
pub const DAY: i64 = 86_400;

impl Timestamp {
    /// Reads an RFC 3339 time (`2026-11-20T08:00:00Z`, `…+00:00`, fractions
    /// dropped); `None` where it is none.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        text.trim()
            .parse::<jiff::Timestamp>()
            .ok()
            .map(|time| Timestamp(time.as_second()))
    }

    /// Reads what [`Timestamp`] prints: RFC 3339, or the plain number of
    /// seconds where the calendar cannot show it (its last day and beyond).
    #[must_use]
    pub fn parse_printed(text: &str) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(text).or_else(|| text.parse().ok().map(Timestamp))
    }

    /// Number of the hour since the epoch.
    #[must_use]
    pub fn hour(self) -> i64 {
        self.0.div_euclid(HOUR)
    }

    /// The day (UTC), as `2026-10-01`; the first second of it as a plain number
    /// where the calendar cannot show it.
    #[must_use]
    pub fn date(self) -> String {
        let time = Timestamp(self.day().saturating_mul(DAY)).to_string();
        time.split('T').next().unwrap_or_default().to_owned()
    }

    /// Number of the day (UTC) since the epoch.
    #[must_use]
    pub fn day(self) -> i64 {
        self.0.div_euclid(DAY)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with whole seconds; the plain number where the
    /// calendar cannot show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_printed(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not an RFC 3339 time")))
    }
}

/// First and last second of something, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First second.
    pub start: Timestamp,
    /// Last second.
    pub end: Timestamp,
}

impl Span {
    /// The smallest span that holds both.
    #[must_use]
    pub fn union(self, other: Span) -> Span {
        Span {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// Length in seconds, end included.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.end.0.saturating_sub(self.start.0).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_offsets_of_the_command_line_tools_are_read() {
        assert_eq!(
            Timestamp::parse_rfc3339("2026-02-04T15:22:29.986Z"),
            Some(Timestamp(1_770_218_549))
        );
        assert_eq!(
            Timestamp::parse_rfc3339("2026-02-04T16:22:29+01:00"),
            Some(Timestamp(1_770_218_549))
        );
        assert_eq!(Timestamp(1_770_218_549).to_string(), "2026-02-04T15:22:29Z");
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
    }

    #[test]
    fn what_is_printed_is_read_again_also_on_the_last_day_of_the_calendar() {
        for seconds in [0, 1_770_218_549, 253_402_207_200, 253_402_300_799] {
            let text = Timestamp(seconds).to_string();
            assert_eq!(Timestamp::parse_printed(&text), Some(Timestamp(seconds)));
        }
        assert_eq!(Timestamp::parse_printed("yesterday"), None);
    }
}
