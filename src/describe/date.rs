//! Times in the names of files and folders. Not every file system allows a
//! colon, so the separators of the time may be `-`, `_`, or missing.

use crate::net::Timestamp;

/// The time that a name is, its `.json` and `.gz` endings aside; `None` where
/// the name is anything else.
pub(super) fn of_name(name: &str) -> Option<Timestamp> {
    let stem = name.strip_suffix(".gz").unwrap_or(name);
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    spelled_out(stem).and_then(|text| Timestamp::parse_rfc3339(&text))
}

/// `20261120T080000Z` or `2026-11-20T08-00-00Z` as `2026-11-20T08:00:00Z`.
fn spelled_out(name: &str) -> Option<String> {
    let (date, rest) = name.split_once(['T', 't'])?;
    let (year, date) = digits(date, 4)?;
    let (month, date) = digits(separated(date), 2)?;
    let (day, date) = digits(separated(date), 2)?;
    let (hour, rest) = digits(rest, 2)?;
    let (minute, rest) = digits(separated(rest), 2)?;
    let (second, rest) = digits(separated(rest), 2)?;
    let zone = zone(without_fraction(rest))?;
    date.is_empty()
        .then(|| format!("{year}-{month}-{day}T{hour}:{minute}:{second}{zone}"))
}

/// `Z`, or an offset with its colon.
fn zone(text: &str) -> Option<String> {
    if text == "Z" || text == "z" {
        return Some("Z".to_owned());
    }
    let sign = text
        .chars()
        .next()
        .filter(|sign| matches!(sign, '+' | '-'))?;
    let (hour, rest) = digits(text.get(1..)?, 2)?;
    let (minute, rest) = digits(separated(rest), 2)?;
    rest.is_empty().then(|| format!("{sign}{hour}:{minute}"))
}

fn without_fraction(text: &str) -> &str {
    text.strip_prefix('.').map_or(text, |fraction| {
        fraction.trim_start_matches(|digit: char| digit.is_ascii_digit())
    })
}

fn separated(text: &str) -> &str {
    text.strip_prefix(['-', ':', '_']).unwrap_or(text)
}

/// The first `count` characters, all digits, and what follows them.
fn digits(text: &str, count: usize) -> Option<(&str, &str)> {
    let (head, rest) = text.split_at_checked(count)?;
    head.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some((head, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colons_may_be_dashes_or_missing() {
        let eight = Timestamp::parse_rfc3339("2026-11-20T08:00:00Z");
        assert!(eight.is_some());
        for name in [
            "2026-11-20T08:00:00Z",
            "2026-11-20T08-00-00Z",
            "20261120T080000Z",
            "2026-11-20T08-00-00.123Z",
            "2026-11-20T09-00-00+01-00",
            "20261120T080000Z.json.gz",
        ] {
            assert_eq!(of_name(name), eight, "{name}");
        }
    }

    #[test]
    fn other_names_are_no_time() {
        for name in [
            "",
            "T",
            "2026-11-20",
            "prod",
            "2026-11-20T08-00-00",
            "2026-13-20T08-00-00Z",
            "2026-11-20T08-00-00Z-x",
            "\u{e9}T",
        ] {
            assert_eq!(of_name(name), None, "{name}");
        }
    }
}
