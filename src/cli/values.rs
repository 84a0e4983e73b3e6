//! Values as people type them: sizes, times, shares. Each parser
//! says what it would have taken; clap puts the flag's name before it.

use std::fmt;

use flowcinch::net::PortRange;
use flowcinch::net::PortSet;
use flowcinch::net::Timestamp;
use flowcinch::net::time::DAY;
use flowcinch::net::time::HOUR;
use flowcinch::pipeline::TimeBound;
use flowcinch::report::accepted::Day;

/// Reads an RFC 3339 time, or a length back from the newest record.
pub(crate) fn time_bound(text: &str) -> Result<TimeBound, String> {
    if let Some(time) = Timestamp::parse_rfc3339(text) {
        return Ok(TimeBound::At(time));
    }
    let seconds = length(text).filter(|seconds| *seconds > 0);
    seconds
        .map(|seconds| TimeBound::BeforeNewest { seconds })
        .ok_or_else(|| {
            "give an RFC 3339 time (2026-11-20T08:00:00Z) or a length (30d, 12h, 90m)".to_owned()
        })
}

/// Reads the address of a server.
pub(crate) fn url(text: &str) -> Result<String, String> {
    let host = ["http://", "https://"]
        .into_iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let odd = |letter: char| letter.is_whitespace() || letter.is_control();
    match host {
        Some(host) if !host.is_empty() && !host.starts_with('/') && !host.contains(odd) => {
            Ok(text.to_owned())
        }
        Some(_) | None => Err("give a URL, as http://localhost:9000".to_owned()),
    }
}

/// Reads the name of a Region; it becomes part of hosts and folders.
pub(crate) fn region(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = !text.is_empty() && text.len() <= 40 && text.bytes().all(plain);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "give a Region, as eu-west-1".to_owned())
}

/// `90s`, `5m`, `12h`, `30d`, `2w` in seconds.
fn length(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let seconds = match unit.to_ascii_lowercase() {
        's' => 1,
        'm' => 60,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    digits(text.strip_suffix(unit)?)?.checked_mul(seconds)
}

/// Digits alone, no sign.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Reads a size in bytes: `512M`, `4G`, `4GiB`, `1048576`; units are powers
/// of 1024.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    parse_size(text).filter(|size| *size > 0).ok_or_else(|| {
        "give a size of at least one byte, as 512M, 4G or 1048576 (units are powers of 1024)"
            .to_owned()
    })
}

fn parse_size(text: &str) -> Option<u64> {
    let upper = text.trim().to_ascii_uppercase();
    let short = upper.strip_suffix("IB").or_else(|| upper.strip_suffix('B'));
    let short = short.unwrap_or(&upper);
    let shift = match short.chars().next_back()? {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => 0,
    };
    let number = if shift == 0 {
        short
    } else {
        short.get(..short.len() - 1)?
    };
    let number = u64::try_from(digits(number)?).ok()?;
    number.checked_mul(1 << shift)
}

/// Reads a number of worker threads, 1 to 1024.
pub(crate) fn threads(text: &str) -> Result<usize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=1024).contains(number));
    number.ok_or_else(|| "give a number from 1 to 1024".to_owned())
}

/// Reads ports and ranges of ports, `22,3389,5985-5986`; `none` for none.
pub(crate) fn ports(text: &str) -> Result<PortSet, String> {
    if text == "none" {
        return Ok(PortSet::empty());
    }
    let one = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        PortRange::new(from.trim().parse().ok()?, to.trim().parse().ok()?)
    };
    let ports: Option<PortSet> = text.split(',').map(one).collect();
    ports.ok_or_else(|| "give ports and ranges, as 22,3389,5985-5986, or none".to_owned())
}

/// Reads a day.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "give a day, as 2027-03-31".to_owned())
}

/// Reads a share from 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "give a number from 0 to 1, as 0.02".to_owned())
}

/// How many bad lines are borne.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum BadLines {
    /// A number of lines.
    Lines(u64),
    /// Millionths of all lines.
    Millionths(u64),
}

impl BadLines {
    /// Whether so many bad lines of so many are too many.
    pub(crate) fn exceeded(self, bad: u64, all: u64) -> bool {
        match self {
            BadLines::Lines(limit) => bad > limit,
            BadLines::Millionths(limit) => {
                u128::from(bad) * 1_000_000 > u128::from(all) * u128::from(limit)
            }
        }
    }
}

impl fmt::Display for BadLines {
    /// `100`, `0.1%`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadLines::Lines(limit) => write!(f, "{limit}"),
            BadLines::Millionths(limit) => {
                let text = format!("{}.{:04}", limit / 10_000, limit % 10_000);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                write!(f, "{text}%")
            }
        }
    }
}

/// Reads `100` or `0.1%`.
pub(crate) fn bad_lines(text: &str) -> Result<BadLines, String> {
    let parsed = match text.strip_suffix('%') {
        Some(percent) => millionths(percent.trim()).map(BadLines::Millionths),
        None => text.parse().ok().map(BadLines::Lines),
    };
    parsed.ok_or_else(|| {
        "give a number of lines, or a share of 0% to 100% with at most 4 decimals".to_owned()
    })
}

/// Percent with at most four decimals as millionths, exactly.
fn millionths(percent: &str) -> Option<u64> {
    let (whole, fraction) = percent.split_once('.').unwrap_or((percent, "0"));
    let whole = u64::try_from(digits(whole)?).ok()?;
    let padded = (fraction.len() <= 4).then(|| format!("{fraction:0<4}"))?;
    let fraction = u64::try_from(digits(&padded)?).ok()?;
    let total = whole.checked_mul(10_000)?.checked_add(fraction)?;
    (total <= 1_000_000).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_lengths_back() {
        let back = |seconds| Ok(TimeBound::BeforeNewest { seconds });
        assert_eq!(time_bound("30d"), back(30 * 86_400));
        assert_eq!(time_bound("2W"), back(14 * 86_400));
        assert_eq!(time_bound("90s"), back(90));
        assert_eq!(
            time_bound("2026-02-04T15:22:29Z"),
            Ok(TimeBound::At(Timestamp(1_770_218_549)))
        );
        for wrong in [
            "",
            "d",
            "0d",
            "-3d",
            "+3d",
            "1.5h",
            "yesterday",
            "30",
            "99999999999999999999d",
            "9223372036854775807w",
            "5\u{e9}",
        ] {
            assert!(time_bound(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("4g"), Ok(4 << 30));
        assert_eq!(size("4GiB"), Ok(4 << 30));
        assert_eq!(size("1kb"), Ok(1024));
        assert_eq!(size("123"), Ok(123));
        for wrong in ["", "0", "G", "-1G", "1.5G", "1X", "99999999T", "B"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn bad_lines_are_a_number_or_an_exact_share() {
        assert_eq!(bad_lines("100"), Ok(BadLines::Lines(100)));
        assert_eq!(bad_lines("0.1%"), Ok(BadLines::Millionths(1_000)));
        assert_eq!(bad_lines("0.0001%"), Ok(BadLines::Millionths(1)));
        assert_eq!(bad_lines("100%"), Ok(BadLines::Millionths(1_000_000)));
        for wrong in ["", "%", "-1", "101%", "0.00001%", "1e3%", "x"] {
            assert!(bad_lines(wrong).is_err(), "{wrong}");
        }
        for text in ["100", "0.1%", "0%", "12.5%"] {
            assert_eq!(bad_lines(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_limit_itself_is_borne() {
        let limit = BadLines::Millionths(1_000);
        assert!(!limit.exceeded(1, 1_000));
        assert!(limit.exceeded(2, 1_000));
        assert!(!limit.exceeded(0, 0));
        assert!(BadLines::Lines(0).exceeded(1, u64::MAX));
        assert!(!BadLines::Millionths(1_000_000).exceeded(u64::MAX, u64::MAX));
    }

    #[test]
    fn urls_and_regions_are_plain() {
        assert!(url("http://127.0.0.1:5000").is_ok() && url("https://s3.example").is_ok());
        for wrong in [
            "",
            "localhost:9000",
            "http://",
            "http:///x",
            "ftp://x",
            "http://a b",
        ] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        assert_eq!(region("eu-west-1"), Ok("eu-west-1".to_owned()));
        for wrong in ["", "EU", "../x", "eu west", "a.b"] {
            assert!(region(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn threads_and_shares_have_bounds() {
        assert_eq!(threads("8"), Ok(8));
        assert!(threads("0").is_err() && threads("1025").is_err());
        assert_eq!(share("0.5"), Ok(0.5));
        assert!(share("1.5").is_err() && share("NaN").is_err());
    }
}
