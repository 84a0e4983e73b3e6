//! Numbers, sizes and times as people read them.
//!
//! ASCII only, and never flattering: a share is cut, not rounded, so that
//! 99.99 % never reads as all.

use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    group_thousands(&number.to_string())
}

fn group_thousands(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 rule`, `2 rules`: the number and its noun; the plural adds an `s`.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// `512 B`, `48.2 MiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if number < 1024 {
        return format!("{number} B");
    }
    let mut size = approximate(number) / 1024.0;
    let mut unit = "KiB";
    for larger in UNITS.iter().skip(1) {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.1} {unit}")
}

/// `part` of `whole` in percent, cut to two digits: `12.34 %`, `<0.01 %`.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    match (hundredths / 100, hundredths % 100) {
        (0, 0) => "<0.01 %".to_owned(),
        (percent, 0) => format!("{percent} %"),
        (percent, rest) if rest % 10 == 0 => format!("{percent}.{} %", rest / 10),
        (percent, rest) => format!("{percent}.{rest:02} %"),
    }
}

/// How long: `28 days`, `5 hours`, `40 minutes`, `1 second`; whole units, cut.
/// A span that lacks less than a thousandth of a unit counts as full.
#[must_use]
pub fn length(span: Span) -> String {
    let seconds = span.seconds().max(0);
    let (unit, noun) = match seconds {
        ..120 => (1, "second"),
        120..7_200 => (60, "minute"),
        7_200..172_700 => (HOUR, "hour"),
        _ => (DAY, "day"),
    };
    let whole = seconds.saturating_add(unit / 1_000) / unit;
    counted(u64::try_from(whole).unwrap_or(0), noun)
}

/// `2026-11-20`.
#[must_use]
pub fn day(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..10).map(str::to_owned).unwrap_or(text)
}

/// `2026-11-20 08:15`, in UTC.
#[must_use]
pub fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(clock)) => format!("{day} {clock}"),
        (None | Some(_), _) => text,
    }
}

/// First and last as short as they stay clear: `2026-11-20 08:15 .. 09:30`
/// within a day, `2026-11-20 .. 12-28` within a year, else both in full.
#[must_use]
pub fn between(first: Timestamp, last: Timestamp) -> String {
    let (from, to) = (minute(first), minute(last));
    if from == to {
        return from;
    }
    if first.day() == last.day() {
        return format!("{from} .. {}", to.get(11..).unwrap_or(&to));
    }
    let (from, to) = (day(first), day(last));
    let same_year = from.get(..5) == to.get(..5);
    let to = to.get(5..).filter(|_| same_year).unwrap_or(&to);
    format!("{from} .. {to}")
}

/// A volume given as a decimal: `3`, `65,536`, `4.3 billion`, `1.2e24`.
/// What is no number comes back as it is.
#[must_use]
pub fn volume(decimal: &str) -> String {
    match decimal.parse::<f64>() {
        Ok(_) if decimal.len() < 7 && decimal.bytes().all(|byte| byte.is_ascii_digit()) => {
            group_thousands(decimal)
        }
        Ok(number) => large(number),
        Err(_) => decimal.to_owned(),
    }
}

/// How much smaller the second volume is than the first: `1.4 billion times
/// less`, `63 % less`; `None` where it is not smaller, or no number.
#[must_use]
pub fn reduction(before: &str, after: &str) -> Option<String> {
    let (before, after) = (before.parse::<f64>().ok()?, after.parse::<f64>().ok()?);
    if !(before.is_finite() && after >= 0.0 && after < before) {
        return None;
    }
    if after == 0.0 {
        return Some("all of it closed".to_owned());
    }
    let factor = before / after;
    if factor >= 4.0 {
        return Some(format!("{} times less", large(factor)));
    }
    let percent = (1.0 - after / before) * 100.0;
    Some(match percent {
        ..1.0 => "less than 1 % less".to_owned(),
        _ => format!("{percent:.0} % less"),
    })
}

/// A number of any size in few characters.
fn large(number: f64) -> String {
    const WORDS: [(f64, &str); 3] = [(1e12, "trillion"), (1e9, "billion"), (1e6, "million")];
    if number >= 1e15 {
        return format!("{number:.1e}");
    }
    for (unit, word) in WORDS {
        if number >= unit {
            return format!("{:.1} {word}", number / unit);
        }
    }
    if number < 10.0 && number.fract() >= 0.05 {
        return format!("{number:.1}");
    }
    group_thousands(&format!("{number:.0}"))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the result is shown with three digits"
)]
fn approximate(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
        assert_eq!(counted(1, "rule"), "1 rule");
        assert_eq!(counted(0, "rule"), "0 rules");
    }

    #[test]
    fn a_share_is_never_rounded_up() {
        assert_eq!(share(9_999_999, 10_000_000), "99.99 %");
        assert_eq!(share(1, 10_000_000), "<0.01 %");
        assert_eq!(share(1, 8), "12.5 %");
        assert_eq!(share(5, 5), "100 %");
        assert_eq!(share(0, 0), "0 %");
        assert_eq!(share(u64::MAX, u64::MAX), "100 %");
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 << 40), "5.0 TiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
    }

    #[test]
    fn lengths_take_the_unit_that_fits() {
        let span = |seconds: i64| Span {
            start: Timestamp(0),
            end: Timestamp(seconds - 1),
        };
        assert_eq!(length(span(40)), "40 seconds");
        assert_eq!(length(span(2_400)), "40 minutes");
        assert_eq!(length(span(5 * HOUR)), "5 hours");
        assert_eq!(length(span(28 * DAY)), "28 days");
        assert_eq!(length(span(28 * DAY - 60)), "28 days");
        assert_eq!(length(span(28 * DAY - 4_000)), "27 days");
        assert_eq!(length(span(2 * DAY)), "2 days");
    }

    #[test]
    fn times_within_a_day_name_it_once() {
        let first = Timestamp(1_770_218_549);
        assert_eq!(between(first, first), "2026-02-04 15:22");
        assert_eq!(
            between(first, Timestamp(first.0 + 3_600)),
            "2026-02-04 15:22 .. 16:22"
        );
        assert_eq!(
            between(first, Timestamp(first.0 + 10 * DAY)),
            "2026-02-04 .. 02-14"
        );
        assert_eq!(
            between(first, Timestamp(first.0 + 365 * DAY)),
            "2026-02-04 .. 2027-02-04"
        );
    }

    #[test]
    fn volumes_beyond_any_integer_stay_short() {
        assert_eq!(volume("3"), "3");
        assert_eq!(volume("65536"), "65,536");
        assert_eq!(volume("4295032832"), "4.3 billion");
        assert_eq!(volume("1208925819614629174706176"), "1.2e24");
        assert_eq!(volume("much"), "much");
    }

    #[test]
    fn a_reduction_is_a_factor_or_a_percentage() {
        assert_eq!(
            reduction("65536", "1").as_deref(),
            Some("65,536 times less")
        );
        assert_eq!(reduction("100", "37").as_deref(), Some("63 % less"));
        assert_eq!(reduction("100", "0").as_deref(), Some("all of it closed"));
        assert_eq!(reduction("9", "2").as_deref(), Some("4.5 times less"));
        assert_eq!(reduction("100", "100"), None);
        assert_eq!(reduction("1", "2"), None);
        assert_eq!(reduction("many", "2"), None);
    }
}
