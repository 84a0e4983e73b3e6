//! The short way to read a line: straight from the index of its bounds, each
//! wanted field at its known column, numbers and addresses by arithmetic on
//! whole words. It reads only what it is sure of; for anything else it says
//! nothing, and the plain way ([`line`](crate::flowlog::line)) reads the line.
//! So it may be short of a case, but never of another opinion.

#![expect(
    clippy::inline_always,
    clippy::option_option,
    reason = "one loop over all records, which the compiler would cut into calls; \
              outside is what the short way can read, inside what the line gives"
)]

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::IdBits;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Layout;
use crate::flowlog::header::Verdicts;
use crate::flowlog::value::ZEROS;
use crate::flowlog::value::eight_digits;
use crate::flowlog::value::is_event_time;
use crate::model::Action;
use crate::model::FlowDirection;
use crate::model::TcpFlags;
use crate::net::IpProtocol;

/// Where a column's token stands between the bounds of its line.
pub(super) trait Column: Copy {
    /// First byte of the token and the place behind it, in the window.
    fn span(self, bounds: &[u16]) -> Option<(usize, usize)>;
}

/// From behind the bound of that number up to the next one.
impl Column for usize {
    #[inline(always)]
    fn span(self, bounds: &[u16]) -> Option<(usize, usize)> {
        match bounds.get(self..)? {
            [before, behind, ..] => {
                Some((usize::from(before.wrapping_add(1)), usize::from(*behind)))
            }
            [] | [_] => None,
        }
    }
}

/// A layout whose lines can be read the short way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The time of a log event stands before the columns.
    stamped: bool,
    columns: usize,
    fields: Fields<usize>,
}

/// Where the fields of a record stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<C> {
    interface_id: C,
    srcaddr: C,
    dstaddr: C,
    srcport: C,
    dstport: C,
    protocol: C,
    start: C,
    end: C,
    action: C,
    packets: Option<C>,
    bytes: Option<C>,
    log_status: Option<C>,
    tcp_flags: Option<C>,
    pkt_srcaddr: Option<C>,
    pkt_dstaddr: Option<C>,
    flow_direction: Option<C>,
    reject_reason: Option<C>,
    kind: Option<C>,
    told: Flags,
}

impl Plan {
    /// The plan of a layout; `None` where it lacks what a [`Brief`] has.
    pub(super) fn of(layout: &Layout, stamped: bool) -> Option<Plan> {
        let shift = usize::from(stamped);
        let column = |slot: Slot| {
            let mut wanted = layout.wanted().iter();
            let found = wanted.find(|w| w.slot == slot);
            found.map(|w| w.column.saturating_add(shift))
        };
        if layout.verdicts() != Verdicts::Given {
            return None;
        }
        Some(Plan {
            stamped,
            columns: layout.columns().saturating_add(shift),
            fields: Fields::of(column, layout.flags())?,
        })
    }

    /// Reads a line; `None` where the plain way must. `text` begins where its
    /// window does, and may run on behind it. `bounds` are those of the line
    /// in a plain window, from the newline before it to its own.
    #[inline(always)]
    pub(super) fn read(
        &self,
        text: &[u8],
        bounds: &[u16],
        interfaces: &mut Interfaces,
    ) -> Option<Brief> {
        if bounds.len() != self.columns.wrapping_add(1) {
            return None;
        }
        if self.stamped && !is_event_time(Line { text, bounds }.bytes(0_usize)?) {
            return None;
        }
        self.fields.read(text, bounds, interfaces)
    }
}

impl<C: Column> Fields<C> {
    /// The places of columns; `None` where one lacks that a [`Brief`] has.
    pub(super) fn of(column: impl Fn(Slot) -> Option<C>, told: Flags) -> Option<Fields<C>> {
        Some(Fields {
            interface_id: column(Slot::InterfaceId)?,
            srcaddr: column(Slot::Srcaddr)?,
            dstaddr: column(Slot::Dstaddr)?,
            srcport: column(Slot::Srcport)?,
            dstport: column(Slot::Dstport)?,
            protocol: column(Slot::Protocol)?,
            start: column(Slot::Start)?,
            end: column(Slot::End)?,
            action: column(Slot::Action)?,
            packets: column(Slot::Packets),
            bytes: column(Slot::Bytes),
            log_status: column(Slot::LogStatus),
            tcp_flags: column(Slot::TcpFlags),
            pkt_srcaddr: column(Slot::PktSrcaddr),
            pkt_dstaddr: column(Slot::PktDstaddr),
            flow_direction: column(Slot::FlowDirection),
            reject_reason: column(Slot::RejectReason),
            kind: column(Slot::Type),
            told,
        })
    }

    /// Reads a line whose bounds are as the places suppose; `None` where the
    /// plain way must.
    #[inline(always)]
    pub(super) fn read(
        &self,
        text: &[u8],
        bounds: &[u16],
        interfaces: &mut Interfaces,
    ) -> Option<Brief> {
        let line = Line { text, bounds };
        if let Some(column) = self.log_status
            && !matches!(line.bytes(column)?, b"OK" | b"ok")
        {
            return None;
        }
        if let Some(column) = self.kind
            && matches!(line.bytes(column)?.first(), Some(b'E' | b'e'))
        {
            return None;
        }
        let srcaddr = line.ipv4(self.srcaddr)?;
        let dstaddr = line.ipv4(self.dstaddr)?;
        Some(Brief {
            interface: line.interface(self.interface_id, interfaces)?,
            srcaddr,
            dstaddr,
            pkt_srcaddr: line.packet_address(self.pkt_srcaddr, self.srcaddr, srcaddr)?,
            pkt_dstaddr: line.packet_address(self.pkt_dstaddr, self.dstaddr, dstaddr)?,
            srcport: line.short(self.srcport)?,
            dstport: line.short(self.dstport)?,
            protocol: IpProtocol(u8::try_from(line.small(self.protocol)?).ok()?),
            action: line.action(self.action)?,
            packets: u32::try_from(line.count(self.packets)?).ok()?,
            bytes: line.count(self.bytes)?,
            start: line.second(self.start)?,
            end: line.second(self.end)?,
            tcp_flags: match line.flags(self.tcp_flags)? {
                Some(flags) => self.told.settled(flags),
                None => None,
            },
            flow_direction: line.direction(self.flow_direction)?,
            block_public_access: match self.reject_reason {
                Some(column) => line.bytes(column)? == b"BPA",
                None => false,
            },
        })
    }
}

/// A line between its bounds.
#[derive(Clone, Copy)]
struct Line<'t> {
    text: &'t [u8],
    bounds: &'t [u16],
}

impl<'t> Line<'t> {
    #[inline(always)]
    fn bytes(&self, column: impl Column) -> Option<&'t [u8]> {
        let (start, end) = column.span(self.bounds)?;
        self.text.get(start..end)
    }

    /// The eight bytes before a place.
    #[inline(always)]
    fn before(&self, end: usize) -> Option<u64> {
        let chunk = self.text.get(..end)?.last_chunk::<8>()?;
        Some(u64::from_le_bytes(*chunk))
    }

    /// The eight bytes from a place on.
    #[inline(always)]
    fn from(&self, start: usize) -> Option<u64> {
        let chunk = self.text.get(start..)?.first_chunk::<8>()?;
        Some(u64::from_le_bytes(*chunk))
    }

    /// A number of up to 16 digits, taken from its end: what stands before it
    /// in the last word is shifted out, and zeros come in as digits.
    #[inline(always)]
    fn number(&self, column: impl Column) -> Option<u64> {
        let (start, end) = column.span(self.bounds)?;
        let len = end.wrapping_sub(start);
        let low = self.before(end)? ^ ZEROS;
        if len <= 8 {
            let mask = u64::MAX << (64_u32.wrapping_sub(eight_times(len)) & 63);
            return eight_digits(low & mask);
        }
        if len > 16 {
            return None;
        }
        let high = self.before(end.wrapping_sub(8))? ^ ZEROS;
        let mask = u64::MAX << (128_u32.wrapping_sub(eight_times(len)) & 63);
        let high = eight_digits(high & mask)?;
        Some(
            high.wrapping_mul(100_000_000)
                .wrapping_add(eight_digits(low)?),
        )
    }

    /// A number of up to eight digits.
    #[inline(always)]
    fn small(&self, column: impl Column) -> Option<u64> {
        let (start, end) = column.span(self.bounds)?;
        let len = end.wrapping_sub(start);
        let mask = u64::MAX << (64_u32.wrapping_sub(eight_times(len)) & 63);
        let digits = (self.before(end)? ^ ZEROS) & mask;
        if len > 8 {
            return None;
        }
        eight_digits(digits)
    }

    /// Seconds of ten digits: from 2001 on, and as far as 32 bits go.
    #[inline(always)]
    fn second(&self, column: impl Column) -> Option<u32> {
        let (start, end) = column.span(self.bounds)?;
        let token = self.text.get(start..end)?;
        let &[tens, ones, ref low @ ..] = token.first_chunk::<10>()?;
        if token.len() != 10 {
            return None;
        }
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        if tens > 9 || ones > 9 {
            return None;
        }
        let low = eight_digits(u64::from_le_bytes(*low) ^ ZEROS)?;
        let high = u64::from(tens)
            .wrapping_mul(10)
            .wrapping_add(u64::from(ones));
        u32::try_from(high.wrapping_mul(100_000_000).wrapping_add(low)).ok()
    }

    #[inline(always)]
    fn short(&self, column: impl Column) -> Option<u16> {
        u16::try_from(self.small(column)?).ok()
    }

    /// A counter that the layout may lack, and then is 0.
    #[inline(always)]
    fn count(&self, column: Option<impl Column>) -> Option<u64> {
        match column {
            Some(column) => self.number(column),
            None => Some(0),
        }
    }

    #[inline(always)]
    fn action(&self, column: impl Column) -> Option<Action> {
        match self.bytes(column)? {
            b"ACCEPT" => Some(Action::Accept),
            b"REJECT" => Some(Action::Reject),
            _ => None,
        }
    }

    #[inline(always)]
    fn flags(&self, column: Option<impl Column>) -> Option<Option<TcpFlags>> {
        let Some(column) = column else {
            return Some(None);
        };
        if self.bytes(column)? == b"-" {
            return Some(None);
        }
        let flags = u8::try_from(self.small(column)?).ok()?;
        Some(Some(TcpFlags(flags)))
    }

    #[inline(always)]
    fn direction(&self, column: Option<impl Column>) -> Option<Option<FlowDirection>> {
        let Some(column) = column else {
            return Some(None);
        };
        match self.bytes(column)? {
            b"ingress" | b"in" => Some(Some(FlowDirection::Ingress)),
            b"egress" | b"out" => Some(Some(FlowDirection::Egress)),
            b"-" => Some(None),
            _ => None,
        }
    }

    /// A packet's own address; mostly it is the one shown, letter by letter.
    #[inline(always)]
    fn packet_address(
        &self,
        column: Option<impl Column>,
        shown_column: impl Column,
        shown: u32,
    ) -> Option<Option<u32>> {
        let Some(column) = column else {
            return Some(None);
        };
        let token = self.bytes(column)?;
        if token == self.bytes(shown_column)? {
            return Some(Some(shown));
        }
        if token == b"-" {
            return Some(None);
        }
        self.ipv4(column).map(Some)
    }

    /// An id of 8 to 24 bytes, by its bits.
    #[inline(always)]
    fn interface(&self, column: impl Column, interfaces: &mut Interfaces) -> Option<u32> {
        let (start, end) = column.span(self.bounds)?;
        let len = end.wrapping_sub(start);
        if !(8..=24).contains(&len) {
            return None;
        }
        let last = self.before(end)?;
        // The words overlap or leave nothing out, so they fix the id together
        // with its length; the length is in the third by its shift.
        let bits: IdBits = if len > 16 {
            let spare = 192_u32.wrapping_sub(eight_times(len)) & 63;
            [
                self.from(start)?,
                self.from(start.wrapping_add(8))?,
                last >> spare,
            ]
        } else {
            let spare = 128_u32.wrapping_sub(eight_times(len)) & 63;
            [
                self.from(start)?,
                if len == 8 { 0 } else { last >> spare },
                0,
            ]
        };
        interfaces.number(bits, self.text.get(start..end)?)
    }

    /// An IPv4 address: the first two octets from the token's front, the last
    /// two from its end, all four joined in two words.
    #[inline(always)]
    fn ipv4(&self, column: impl Column) -> Option<u32> {
        let (start, end) = column.span(self.bounds)?;
        let len = u32::try_from(end.wrapping_sub(start)).ok()?;
        let front = self.from(start)?;
        let back = self.before(end)?;
        let dots = dots(front);
        let first = dots.trailing_zeros() >> 3;
        let second = (dots & dots.wrapping_sub(1)).trailing_zeros() >> 3;
        let dots = dots_of_back(back);
        let last = dots.leading_zeros() >> 3;
        let upper = dots & !(HIGHEST.wrapping_shr(dots.leading_zeros()));
        let last_two = upper.leading_zeros() >> 3;
        let lengths = [
            first,
            second.wrapping_sub(first).wrapping_sub(1),
            last_two.wrapping_sub(last).wrapping_sub(1),
            last,
        ];
        let fits = second.wrapping_add(1).wrapping_add(last_two) == len;
        let sound = lengths.iter().all(|len| len.wrapping_sub(1) < 3);
        if !fits || !sound {
            return None;
        }
        let (front, back) = (front ^ ZEROS, back ^ ZEROS);
        let [a, b, c, d] = [
            top(front << (64_u32.wrapping_sub(first << 3) & 63)),
            top(front << (64_u32.wrapping_sub(second << 3) & 63)) & kept(lengths[1]),
            top(back << ((last.wrapping_add(1) << 3) & 63)) & kept(lengths[2]),
            top(back) & kept(last),
        ];
        let (left, right) = (octets(a | b << 32)?, octets(c | d << 32)?);
        // An octet of two digits is 10 at least, one of three 100: else it
        // begins with a zero, which the plain way judges.
        let [l1, l2, l3, l4] = lengths;
        let least = [least(l1) | least(l2) << 32, least(l3) | least(l4) << 32];
        let small = (left.wrapping_sub(least[0]) | right.wrapping_sub(least[1]))
            | (LARGEST.wrapping_sub(left) | LARGEST.wrapping_sub(right));
        if small & BORROWED != 0 {
            return None;
        }
        let joined = |pair: u64| (pair & 0xff) << 8 | pair >> 32;
        u32::try_from(joined(left) << 16 | joined(right)).ok()
    }
}

const HIGHEST: u64 = 1 << 63;
/// 255 in both halves.
const LARGEST: u64 = 0x0000_00ff_0000_00ff;
/// Set where a half, or the word, borrowed.
const BORROWED: u64 = 0x8000_0000_8000_0000;

/// The three bytes that end a word.
#[inline(always)]
fn top(word: u64) -> u64 {
    word >> 40
}

/// Mask of the last `len` of three bytes.
#[inline(always)]
fn kept(len: u32) -> u64 {
    0x00ff_ffff & (0x00ff_ffff << (24_u32.wrapping_sub(len << 3) & 31))
}

/// Least value of an octet of so many digits.
#[inline(always)]
fn least(len: u32) -> u64 {
    // One byte for each of the lengths 1, 2 and 3.
    0x0064_0a00 >> (len.wrapping_sub(1) << 3 & 31) & 0xff
}

/// The values of two octets, each three digits in half a word, the last digit
/// highest.
#[inline(always)]
fn octets(digits: u64) -> Option<u64> {
    const ONE: u64 = LARGEST;
    let above_nine = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    if above_nine != 0 {
        return None;
    }
    let hundreds = (digits & ONE).wrapping_mul(100);
    let tens = (digits >> 8 & ONE).wrapping_mul(10);
    Some(hundreds.wrapping_add(tens).wrapping_add(digits >> 16 & ONE))
}

/// High bit set in each byte that is a dot, exactly.
#[inline(always)]
fn dots(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differing = word ^ 0x2e2e_2e2e_2e2e_2e2e;
    !((differing & LOW).wrapping_add(LOW) | differing | LOW)
}

/// The same, by another name where the end of a token is looked at.
#[inline(always)]
fn dots_of_back(word: u64) -> u64 {
    dots(word)
}

/// Bits of so many bytes, up to 24.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "callers give at most 24")]
fn eight_times(len: usize) -> u32 {
    (len as u32).wrapping_mul(8)
}
