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
use crate::flowlog::scan::Lanes;
use crate::flowlog::scan::REACH;
use crate::flowlog::scan::address;
use crate::flowlog::scan::eight_times;
use crate::flowlog::scan::number;
use crate::flowlog::value::ZEROS;
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

/// From behind the bound of that number, which is below [`MOST_COLUMNS`], up to
/// the next one; of [`REACH`] bounds neither is beyond, so nothing is checked.
impl Column for usize {
    #[inline(always)]
    fn span(self, bounds: &[u16]) -> Option<(usize, usize)> {
        let before = self % MOST_COLUMNS;
        let behind = bounds.get(before.wrapping_add(1))?;
        let before = bounds.get(before)?;
        Some((usize::from(before.wrapping_add(1)), usize::from(*behind)))
    }
}

/// Most columns of a line that is read the short way.
const MOST_COLUMNS: usize = REACH - 1;

/// A layout whose lines can be read the short way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The time of a log event stands before the columns.
    stamped: bool,
    columns: usize,
    /// The fields stand where the default format has them, and no others.
    is_default: bool,
    fields: Fields<usize>,
}

/// Where the fields of a record stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let columns = layout.columns().saturating_add(shift);
        if columns > MOST_COLUMNS {
            return None;
        }
        let fields = Fields::of(column, layout.flags())?;
        Some(Plan {
            stamped,
            columns,
            is_default: fields == DEFAULT,
            fields,
        })
    }

    /// Reads a line; `None` where the plain way must. `text` begins where its
    /// window does, and may run on behind it. `bounds` are those of a plain
    /// window from the newline before the line on, `count` of them up to the
    /// line's own newline.
    #[inline(always)]
    pub(super) fn read(
        &self,
        text: &[u8],
        bounds: &[u16; REACH],
        count: usize,
        interfaces: &mut Interfaces,
        lanes: impl Lanes,
    ) -> Option<Brief> {
        if count != self.columns.wrapping_add(1) {
            return None;
        }
        if self.stamped && !is_event_time(Line { text, bounds }.bytes(0_usize)?) {
            return None;
        }
        if self.is_default {
            return DEFAULT.read(text, bounds, interfaces, lanes);
        }
        self.fields.read(text, bounds, interfaces, lanes)
    }
}

/// The places of the default format, known to the compiler.
const DEFAULT: Fields<usize> = Fields {
    interface_id: 2,
    srcaddr: 3,
    dstaddr: 4,
    srcport: 5,
    dstport: 6,
    protocol: 7,
    start: 10,
    end: 11,
    action: 12,
    packets: Some(8),
    bytes: Some(9),
    log_status: Some(13),
    tcp_flags: None,
    pkt_srcaddr: None,
    pkt_dstaddr: None,
    flow_direction: None,
    reject_reason: None,
    kind: None,
    told: Flags::WithoutAcks,
};

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
        lanes: impl Lanes,
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
        let addresses = [self.srcaddr.span(bounds)?, self.dstaddr.span(bounds)?];
        let [srcaddr, dstaddr] = lanes.addresses(text, addresses)?;
        let small = [
            line.small(Some(self.srcport))?,
            line.small(Some(self.dstport))?,
            line.small(Some(self.protocol))?,
            line.small(self.packets)?,
        ];
        let [srcport, dstport, protocol, packets] = numbers(lanes, small)?;
        let bytes = line.count(self.bytes)?;
        let (start_high, start) = line.second(self.start)?;
        let (end_high, end) = line.second(self.end)?;
        let [bytes_low, bytes_high, start, end] = numbers(lanes, [bytes.0, bytes.1, start, end])?;
        Some(Brief {
            interface: line.interface(self.interface_id, interfaces)?,
            srcaddr,
            dstaddr,
            pkt_srcaddr: line.packet_address(self.pkt_srcaddr, self.srcaddr, srcaddr)?,
            pkt_dstaddr: line.packet_address(self.pkt_dstaddr, self.dstaddr, dstaddr)?,
            srcport: u16::try_from(srcport).ok()?,
            dstport: u16::try_from(dstport).ok()?,
            protocol: IpProtocol(u8::try_from(protocol).ok()?),
            action: line.action(self.action)?,
            packets: u32::try_from(packets).ok()?,
            bytes: joined(bytes_high, bytes_low),
            start: u32::try_from(joined(start_high, start)).ok()?,
            end: u32::try_from(joined(end_high, end)).ok()?,
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

    /// A number of up to eight digits, to be read with others; 0 where the
    /// layout lacks it.
    #[inline(always)]
    fn small(&self, column: Option<impl Column>) -> Option<Digits> {
        let Some(column) = column else {
            return Some(Digits::ZERO);
        };
        let (start, end) = column.span(self.bounds)?;
        Some(Digits {
            word: self.before(end)?,
            len: end.wrapping_sub(start),
        })
    }

    /// A number of up to 16 digits, its low eight and its high ones; 0 where
    /// the layout lacks it.
    #[inline(always)]
    fn count(&self, column: Option<impl Column>) -> Option<(Digits, Digits)> {
        let low = self.small(column)?;
        let (Some(column), true) = (column, low.len > 8) else {
            return Some((low, Digits::ZERO));
        };
        let (_, end) = column.span(self.bounds)?;
        let high = Digits {
            word: self.before(end.wrapping_sub(8))?,
            len: low.len.wrapping_sub(8),
        };
        Some((Digits { len: 8, ..low }, high))
    }

    /// Seconds of ten digits, the high two and the low eight.
    #[inline(always)]
    fn second(&self, column: impl Column) -> Option<(u64, Digits)> {
        let (start, end) = column.span(self.bounds)?;
        let token = self.text.get(start..end)?;
        let &[tens, ones, ref low @ ..] = token.first_chunk::<10>()?;
        let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
        if token.len() != 10 || tens > 9 || ones > 9 {
            return None;
        }
        let high = u64::from(tens)
            .wrapping_mul(10)
            .wrapping_add(u64::from(ones));
        let word = u64::from_le_bytes(*low);
        Some((high, Digits { word, len: 8 }))
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
        let Digits { word, len } = self.small(Some(column))?;
        let flags = u8::try_from(number(word, len)?).ok()?;
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
        address(self.text, column.span(self.bounds)?).map(Some)
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
}

/// The digits that end a word of text.
#[derive(Clone, Copy, Debug)]
struct Digits {
    word: u64,
    len: usize,
}

impl Digits {
    /// What is read as 0.
    const ZERO: Digits = Digits {
        word: ZEROS,
        len: 1,
    };
}

#[inline(always)]
fn numbers(lanes: impl Lanes, digits: [Digits; 4]) -> Option<[u64; 4]> {
    lanes.numbers(
        digits.map(|digits| digits.word),
        digits.map(|digits| digits.len),
    )
}

/// A number by what stands before its last eight digits, and these.
#[inline(always)]
fn joined(high: u64, low: u64) -> u64 {
    high.wrapping_mul(100_000_000).wrapping_add(low)
}
