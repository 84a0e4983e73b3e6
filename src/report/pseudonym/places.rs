//! Where addresses stand in a text of others: in any notation, with anything
//! before and behind them.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

/// What stands at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An address.
    Address(Found),
    /// Numbers that begin with a year, so many bytes.
    Date(usize),
}

/// An address and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The address.
    pub(super) address: IpAddr,
    /// Bits of the prefix, where they stand behind it.
    pub(super) length: Option<u32>,
    /// What parts the numbers of an IPv4 address.
    pub(super) separator: char,
    /// Bytes of text that this is.
    pub(super) bytes: usize,
}

impl Place {
    /// Bytes of text that it is.
    pub(super) fn bytes(self) -> usize {
        match self {
            Place::Address(found) => found.bytes,
            Place::Date(bytes) => bytes,
        }
    }
}

/// What stands at the start of a text that follows this letter.
pub(super) fn at_start(text: &str, before: Option<char>) -> Option<Place> {
    if let Some(found) = six(text, before) {
        return Some(Place::Address(found));
    }
    if before.is_some_and(|letter| letter.is_ascii_digit()) {
        return None;
    }
    date(text)
        .map(Place::Date)
        .or_else(|| four(text).map(Place::Address))
}

fn six(text: &str, before: Option<char>) -> Option<Found> {
    if before.is_some_and(|letter| is_of_word(letter) || letter == '.') {
        return None;
    }
    let (run, after) = split_run(text, |c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    // `::` may end an address, or a sentence may go on behind it.
    let ends = [
        run,
        run.trim_end_matches('.'),
        run.trim_end_matches([':', '.']),
    ];
    let parsed = |end: &str| Some((end.parse::<Ipv6Addr>().ok()?, end.len()));
    let (address, bytes) = ends.into_iter().find_map(parsed)?;
    // Words of code look like it, `a::b`; three groups are no accident.
    let groups = run.split(':').filter(|group| !group.is_empty()).count();
    let goes_on = bytes == run.len() && after.chars().next().is_some_and(is_of_word);
    if goes_on && groups < 3 {
        return None;
    }
    Some(with_length(text, IpAddr::V6(address), bytes, ':'))
}

/// Four numbers with the same sign between them.
fn four(text: &str) -> Option<Found> {
    let (first, mut rest) = number(text)?;
    let separator = rest.chars().next().filter(|c| is_separator(*c))?;
    let mut octets = [first, 0, 0, 0];
    for octet in octets.iter_mut().skip(1) {
        (*octet, rest) = number(rest.strip_prefix(separator)?)?;
    }
    let bytes = text.len() - rest.len();
    let address = IpAddr::V4(Ipv4Addr::from(octets));
    Some(if separator == '.' {
        with_length(text, address, bytes, separator)
    } else {
        Found {
            address,
            length: None,
            separator,
            bytes,
        }
    })
}

fn with_length(text: &str, address: IpAddr, bytes: usize, separator: char) -> Found {
    let most = if address.is_ipv4() { 32 } else { 128 };
    let behind = text.get(bytes..).and_then(|rest| rest.strip_prefix('/'));
    let (digits, _) = split_run(behind.unwrap_or_default(), |c| c.is_ascii_digit());
    let length = digits.parse().ok().filter(|length| *length <= most);
    Found {
        address,
        length,
        separator,
        bytes: length.map_or(bytes, |_| bytes + 1 + digits.len()),
    }
}

/// `2026-11-01-02-03`, which is no name of a host. Where more than pairs follow,
/// the day alone is a date: an address may stand behind it.
fn date(text: &str) -> Option<usize> {
    let (year, rest) = split_run(text, |c| c.is_ascii_digit());
    let is_year = year.len() == 4 && (year.starts_with("19") || year.starts_with("20"));
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '_'))?;
    let (run, behind) = split_run(rest, |c| c.is_ascii_digit() || c == separator);
    let groups = || run.split(separator).skip(1);
    let mut pairs = groups().take_while(|group| group.len() == 2).count();
    let more = pairs > 5 || groups().count() > pairs;
    // `2026-11-10.0.0.1` has its last pair from an address.
    if behind.starts_with('.') && run.len() == 3 * pairs {
        pairs -= 1;
    }
    let taken = if more { pairs.min(2) } else { pairs };
    (is_year && taken >= 2).then_some(year.len() + 3 * taken)
}

/// A number of an address, in whatever way it is padded, and what follows.
fn number(text: &str) -> Option<(u8, &str)> {
    let (digits, rest) = split_run(text, |c| c.is_ascii_digit());
    digits.parse().ok().map(|number| (number, rest))
}

fn split_run(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn is_separator(letter: char) -> bool {
    matches!(letter, '.' | '-' | '_')
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
