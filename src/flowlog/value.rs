//! What one token says: numbers, addresses and words, strictly. A token that is
//! not of its column's kind is `None`, never a guess; `-` is the caller's.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::str;

use crate::model::Action;
use crate::model::FlowDirection;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// Last second of the year 9999. Later times are not seconds (milliseconds,
/// mostly), and one of them would stretch the whole window.
pub(super) const LAST_SECOND: i64 = 253_402_300_799;

/// What the service says of the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LogStatus {
    /// The line is a record.
    Ok,
    /// No traffic.
    NoData,
    /// Records were lost.
    SkipData,
}

impl LogStatus {
    /// By number: OK, NODATA, SKIPDATA.
    pub(super) fn of_number(number: u64) -> Option<LogStatus> {
        [LogStatus::Ok, LogStatus::NoData, LogStatus::SkipData]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

/// Whether a token is the time of a log event, as exports of CloudWatch Logs
/// put it before the message: `2026-10-09T08:53:20.000Z`, or milliseconds since
/// 1970 of this time.
#[inline]
pub(super) fn is_event_time(token: &[u8]) -> bool {
    if let [y1, y2, y3, y4, b'-', _, _, b'-', _, _, b'T', rest @ ..] = token {
        let year = [y1, y2, y3, y4].into_iter().all(u8::is_ascii_digit);
        return year && rest.len() >= 6 && rest.ends_with(b"Z");
    }
    token.len() == 13 && token.starts_with(b"1") && number(token).is_some()
}

/// A decimal number; `None` where it is none or exceeds 64 bits.
#[inline]
pub(super) fn number(token: &[u8]) -> Option<u64> {
    match token.split_last_chunk::<8>() {
        None => up_to_seven(token),
        Some(([], last)) => eight_digits(u64::from_le_bytes(*last) ^ ZEROS),
        // Cannot wrap: fifteen digits stay far below 2^64.
        Some((first @ [_, ..], last)) if first.len() < 8 => {
            let low = eight_digits(u64::from_le_bytes(*last) ^ ZEROS)?;
            Some(
                up_to_seven(first)?
                    .wrapping_mul(100_000_000)
                    .wrapping_add(low),
            )
        }
        Some(_) => long_number(token),
    }
}

/// `0` in each of eight bytes.
pub(super) const ZEROS: u64 = 0x3030_3030_3030_3030;

/// One to seven digits. The bytes are gathered from both ends, which overlap:
/// where they do they agree, so OR-ing them changes nothing.
#[inline]
fn up_to_seven(token: &[u8]) -> Option<u64> {
    let spare = match token.len() {
        len @ 1..8 => 64 - 8 * len,
        _ => return None,
    };
    let word = match (token.first_chunk::<4>(), token.last_chunk::<4>()) {
        (Some(front), Some(back)) => {
            let front = u64::from(u32::from_le_bytes(*front));
            let back = u64::from(u32::from_le_bytes(*back));
            front << spare | back << 32
        }
        _ => short_word(token) << spare,
    };
    eight_digits(word ^ ZEROS << spare)
}

/// One to three bytes as a number, the first lowest.
#[inline]
fn short_word(token: &[u8]) -> u64 {
    match *token {
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
        _ => 0,
    }
}

/// Eight digits, the first in the lowest byte, each already 0 to 9: pairs, then
/// fours, then all are joined by multiplications on the whole word.
#[inline(always)]
pub(super) fn eight_digits(digits: u64) -> Option<u64> {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    // A byte above 9 sets its high bit here, or has it set.
    let above_nine = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    if above_nine != 0 {
        return None;
    }
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let outer = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let inner = (pairs >> 16 & PAIRS).wrapping_mul(1 + (10_000 << 32));
    Some(outer.wrapping_add(inner) >> 32)
}

#[cold]
fn long_number(token: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for byte in token {
        let digit = decimal(*byte)?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Whether a token stands for no value where whoever writes the log chooses the
/// word for it: `-` is the services' own.
pub(super) fn is_null(token: &[u8]) -> bool {
    matches!(token, b"" | b"-" | b"\\N") || token.eq_ignore_ascii_case(b"null")
}

/// A number with no part behind its point, and exact; else one that no column
/// takes.
pub(super) fn whole_number(number: f64) -> i64 {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.fract() == 0.0 && (0.0..=EXACT).contains(&number);
    if whole { truncated(number) } else { -1 }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "callers ask before whether it is whole and within 2^53"
)]
fn truncated(number: f64) -> i64 {
    number as i64
}

/// A port, 0 to 65535.
pub(super) fn port(token: &[u8]) -> Option<u16> {
    u16::try_from(number(token)?).ok()
}

/// An IANA protocol number, 0 to 255.
pub(super) fn protocol(token: &[u8]) -> Option<IpProtocol> {
    u8::try_from(number(token)?).ok().map(IpProtocol)
}

/// OR-ed flags, 0 to 255.
pub(super) fn tcp_flags(token: &[u8]) -> Option<TcpFlags> {
    u8::try_from(number(token)?).ok().map(TcpFlags)
}

/// Unix seconds up to the year 9999.
pub(super) fn timestamp(token: &[u8]) -> Option<Timestamp> {
    let seconds = i64::try_from(number(token)?).ok()?;
    (seconds <= LAST_SECOND).then_some(Timestamp(seconds))
}

/// An address of either family, as the standard library reads them: no leading
/// zeros, no zone. `::ffff:192.0.2.1` stays an IPv6 address, for the packet was
/// one and IPv6 rules judged it.
pub(super) fn address(token: &[u8]) -> Option<IpAddr> {
    match ipv4(token) {
        Some(address) => Some(IpAddr::V4(address)),
        None => ipv6(token).map(IpAddr::V6),
    }
}

fn ipv4(token: &[u8]) -> Option<Ipv4Addr> {
    let (a, rest) = octet(token)?;
    let (b, rest) = octet(after_dot(rest)?)?;
    let (c, rest) = octet(after_dot(rest)?)?;
    let (d, rest) = octet(after_dot(rest)?)?;
    rest.is_empty().then(|| Ipv4Addr::new(a, b, c, d))
}

/// The octet that `text` begins with, and what follows it.
fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&first, mut rest) = text.split_first()?;
    let mut value = u16::from(decimal(first)?);
    let leading_zero = value == 0;
    for _ in 0..2 {
        let Some((digit, behind)) = next_digit(rest) else {
            break;
        };
        value = value.wrapping_mul(10).wrapping_add(u16::from(digit));
        rest = behind;
        if leading_zero {
            return None;
        }
    }
    u8::try_from(value).ok().map(|octet| (octet, rest))
}

fn next_digit(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&byte, rest) = text.split_first()?;
    decimal(byte).map(|digit| (digit, rest))
}

fn decimal(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    (digit <= 9).then_some(digit)
}

fn after_dot(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b".")
}

fn ipv6(token: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(token).ok()?.parse().ok()
}

/// ACCEPT or REJECT; small letters too.
pub(super) fn action(token: &[u8]) -> Option<Action> {
    match token {
        b"ACCEPT" | b"accept" => Some(Action::Accept),
        b"REJECT" | b"reject" => Some(Action::Reject),
        _ => None,
    }
}

/// OK, NODATA or SKIPDATA; small letters too.
pub(super) fn log_status(token: &[u8]) -> Option<LogStatus> {
    match token {
        b"OK" | b"ok" => Some(LogStatus::Ok),
        b"NODATA" | b"nodata" => Some(LogStatus::NoData),
        b"SKIPDATA" | b"skipdata" => Some(LogStatus::SkipData),
        _ => None,
    }
}

/// ingress or egress; Alibaba Cloud says in and out.
pub(super) fn flow_direction(token: &[u8]) -> Option<FlowDirection> {
    match token {
        b"ingress" | b"in" => Some(FlowDirection::Ingress),
        b"egress" | b"out" => Some(FlowDirection::Egress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    proptest! {
        #[test]
        fn addresses_are_those_of_the_standard_library(text in "[0-9]{0,4}(\\.[0-9]{0,4}){2,4}") {
            prop_assert_eq!(address(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn real_addresses_come_back(v4 in any::<u32>(), v6 in any::<u128>()) {
            let v4 = IpAddr::V4(v4.into());
            let v6 = IpAddr::V6(v6.into());
            prop_assert_eq!(address(v4.to_string().as_bytes()), Some(v4));
            prop_assert_eq!(address(v6.to_string().as_bytes()), Some(v6));
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(text in "[0-9]{0,22}") {
            prop_assert_eq!(number(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn what_is_no_digit_is_no_number(token in vec(any::<u8>(), 0..24)) {
            let digits = token.iter().all(u8::is_ascii_digit);
            let text = String::from_utf8_lossy(&token);
            prop_assert_eq!(number(&token), text.parse().ok().filter(|_| digits));
        }

        #[test]
        fn one_wrong_byte_spoils_a_number(value in any::<u64>(), at in any::<usize>(), byte in any::<u8>()) {
            let mut token = value.to_string().into_bytes();
            let at = at % token.len();
            token[at] = byte;
            let digits = byte.is_ascii_digit();
            let text = String::from_utf8_lossy(&token);
            prop_assert_eq!(number(&token), text.parse().ok().filter(|_| digits));
        }

        #[test]
        fn any_number_comes_back(value in any::<u64>()) {
            prop_assert_eq!(number(value.to_string().as_bytes()), Some(value));
        }
    }

    #[test]
    fn numbers_never_wrap() {
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(number(b"18446744073709551616"), None);
        assert_eq!(number(b"99999999999999999999"), None);
        assert_eq!(number(b"00000000000000000000000000007"), Some(7));
        assert_eq!(number(b"+7"), None);
        assert_eq!(number(b""), None);
    }

    #[test]
    fn ranges_end_where_the_wire_format_ends() {
        assert_eq!(port(b"65535"), Some(65535));
        assert_eq!(port(b"65536"), None);
        assert_eq!(protocol(b"255"), Some(IpProtocol(255)));
        assert_eq!(protocol(b"256"), None);
        assert_eq!(tcp_flags(b"256"), None);
    }

    #[test]
    fn milliseconds_are_not_seconds() {
        assert_eq!(timestamp(b"1760000000"), Some(Timestamp(1_760_000_000)));
        assert_eq!(timestamp(b"1760000000000"), None);
    }

    #[test]
    fn mapped_addresses_stay_ipv6() {
        let mapped = Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped();
        assert_eq!(address(b"::ffff:192.0.2.1"), Some(IpAddr::V6(mapped)));
        assert_eq!(address(b"::ffff:c000:201"), Some(IpAddr::V6(mapped)));
        assert_eq!(address(b"fe80::1%eth0"), None);
        assert_eq!(address(b"\xff\xfe"), None);
    }
}
