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
const LAST_SECOND: i64 = 253_402_300_799;

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

/// A decimal number; `None` where it is none or exceeds 64 bits.
pub(super) fn number(token: &[u8]) -> Option<u64> {
    if token.len() > SAFE_DIGITS {
        return long_number(token);
    }
    let mut value: u64 = 0;
    for byte in token {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Cannot wrap: so many digits stay below 2^64.
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    (!token.is_empty()).then_some(value)
}

/// So many decimal digits always fit in 64 bits.
const SAFE_DIGITS: usize = 19;

fn long_number(token: &[u8]) -> Option<u64> {
    let mut value: u64 = 0;
    for byte in token {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
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

/// ingress or egress.
pub(super) fn flow_direction(token: &[u8]) -> Option<FlowDirection> {
    match token {
        b"ingress" => Some(FlowDirection::Ingress),
        b"egress" => Some(FlowDirection::Egress),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
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
