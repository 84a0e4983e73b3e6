//! A cell and its key in one line of cache, 64 bytes: the form in which
//! evidence is gathered. It holds IPv4 and what counters of its width hold; the
//! rest is kept in [`Cell`]s as they are. What either says is the same, since
//! a packed cell that would overflow is put aside whole, and adding up what was
//! put aside gives the value again.

#![expect(
    clippy::inline_always,
    reason = "one loop over all records, which the compiler would cut into calls"
)]

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::evidence::activity::Activity;
use crate::evidence::activity::Reach;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cell::Side;
use crate::evidence::era::Eras;
use crate::evidence::ports::PortSample;
use crate::flowlog::brief::Brief;
use crate::model::Action;
use crate::model::FlowDirection;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// A cell of two IPv4 addresses with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub struct Packed {
    pub(super) key: PackedKey,
    bytes: u64,
    active: Activity,
    packets: u32,
    first: u32,
    last: u32,
    records: u16,
    plain: u16,
    requests: u16,
    answers: u16,
    other_ports: PortSample,
    flags: u8,
    block_public_access: u8,
}

/// [`CellKey`] in 16 bytes, with the interface's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackedKey {
    /// Source above destination.
    addresses: u64,
    /// From the top: interface 20 bits, era 16, port 16, protocol 8,
    /// direction 2, side 1, action 1.
    rest: u64,
}

const INTERFACE: u32 = 44;
const ERA: u32 = 28;
const PORT: u32 = 12;
const PROTOCOL: u32 = 4;
const DIRECTION: u32 = 2;

impl PackedKey {
    /// 32 bits that depend on all of the key and on a seed that nobody who
    /// writes logs can know.
    #[inline(always)]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "halves of a product are taken"
    )]
    pub(super) fn hash(self, seed: [u64; 2]) -> u32 {
        let [one, two] = seed;
        let product = u128::from(self.addresses ^ one).wrapping_mul(u128::from(self.rest ^ two));
        let folded = (product >> 64) as u64 ^ product as u64;
        (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }

    /// A key of the interface of this number; `None` for IPv6.
    pub(super) fn pack(interface: u32, key: &CellKey) -> Option<PackedKey> {
        let CellKey {
            source: IpAddr::V4(source),
            destination: IpAddr::V4(destination),
            era,
            port,
            side,
            protocol,
            direction,
            action,
        } = *key
        else {
            return None;
        };
        let direction = match direction {
            Some(FlowDirection::Ingress) => 1,
            Some(FlowDirection::Egress) => 2,
            None => 0,
        };
        let rest = u64::from(interface) << INTERFACE
            | u64::from(era) << ERA
            | u64::from(port) << PORT
            | u64::from(protocol.0) << PROTOCOL
            | direction << DIRECTION
            | u64::from(side == Side::Destination) << 1
            | u64::from(action == Action::Reject);
        let addresses = u64::from(source.to_bits()) << 32 | u64::from(destination.to_bits());
        Some(PackedKey { addresses, rest })
    }

    /// The interface's number.
    pub(super) fn interface(self) -> u32 {
        self.field(INTERFACE, 20)
    }

    /// The same key with another number of the interface, below 2^20.
    fn with_interface(self, number: u32) -> PackedKey {
        PackedKey {
            rest: self.rest & (u64::MAX >> 20) | u64::from(number) << INTERFACE,
            ..self
        }
    }

    /// The same key in another stretch or era.
    pub(super) fn with_era(self, era: u16) -> PackedKey {
        let mask = u64::from(u16::MAX) << ERA;
        PackedKey {
            rest: self.rest & !mask | u64::from(era) << ERA,
            ..self
        }
    }

    /// The same key with other ends.
    pub(super) fn with_ends(self, source: u32, destination: u32, port: u16) -> PackedKey {
        let mask = u64::from(u16::MAX) << PORT;
        PackedKey {
            addresses: u64::from(source) << 32 | u64::from(destination),
            rest: self.rest & !mask | u64::from(port) << PORT,
        }
    }

    /// The key without the interface.
    #[inline]
    #[must_use]
    pub fn open(self) -> CellKey {
        CellKey {
            source: IpAddr::V4(self.source()),
            destination: IpAddr::V4(self.destination()),
            era: self.era(),
            port: self.port(),
            side: self.side(),
            protocol: self.protocol(),
            direction: self.direction(),
            action: self.action(),
        }
    }

    /// As [`CellKey::source`].
    #[inline]
    #[must_use]
    pub fn source(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::try_from(self.addresses >> 32).unwrap_or(0))
    }

    /// As [`CellKey::destination`].
    #[inline]
    #[must_use]
    pub fn destination(self) -> Ipv4Addr {
        let low = self.addresses & u64::from(u32::MAX);
        Ipv4Addr::from_bits(u32::try_from(low).unwrap_or(0))
    }

    /// As [`CellKey::era`].
    #[inline]
    #[must_use]
    pub fn era(self) -> u16 {
        self.short(ERA)
    }

    /// As [`CellKey::port`].
    #[inline]
    #[must_use]
    pub fn port(self) -> u16 {
        self.short(PORT)
    }

    /// As [`CellKey::side`].
    #[inline]
    #[must_use]
    pub fn side(self) -> Side {
        if self.field(1, 1) == 0 {
            Side::Source
        } else {
            Side::Destination
        }
    }

    /// As [`CellKey::protocol`].
    #[inline]
    #[must_use]
    pub fn protocol(self) -> IpProtocol {
        IpProtocol(u8::try_from(self.field(PROTOCOL, 8)).unwrap_or(0))
    }

    /// As [`CellKey::direction`].
    #[inline]
    #[must_use]
    pub fn direction(self) -> Option<FlowDirection> {
        match self.field(DIRECTION, 2) {
            1 => Some(FlowDirection::Ingress),
            2 => Some(FlowDirection::Egress),
            _ => None,
        }
    }

    /// As [`CellKey::action`].
    #[inline]
    #[must_use]
    pub fn action(self) -> Action {
        if self.field(0, 1) == 0 {
            Action::Accept
        } else {
            Action::Reject
        }
    }

    fn field(self, from: u32, bits: u32) -> u32 {
        let mask = (1_u64 << bits).wrapping_sub(1);
        u32::try_from(self.rest >> from & mask).unwrap_or(0)
    }

    fn short(self, from: u32) -> u16 {
        u16::try_from(self.field(from, 16)).unwrap_or(0)
    }
}

impl Packed {
    /// The cell of one record: [`CellKey::of`] and [`Cell::of`] in one, which
    /// the tests hold it to.
    #[inline(always)]
    pub(super) fn of(brief: &Brief, era: u16) -> Packed {
        let source = brief.pkt_srcaddr.unwrap_or(brief.srcaddr);
        let destination = brief.pkt_dstaddr.unwrap_or(brief.dstaddr);
        let (srcport, dstport) = if brief.protocol.has_ports() {
            (brief.srcport, brief.dstport)
        } else {
            (0, 0)
        };
        let flags = brief.tcp_flags.unwrap_or_default();
        let (request, answer) = (flags.is_request(), flags.is_answer());
        let lower = (u64::from(srcport) << 32 | u64::from(source))
            < (u64::from(dstport) << 32 | u64::from(destination));
        let by_source = (lower || answer) && !request;
        let (port, other) = if by_source {
            (srcport, dstport)
        } else {
            (dstport, srcport)
        };
        let direction = match brief.flow_direction {
            Some(FlowDirection::Ingress) => 1,
            Some(FlowDirection::Egress) => 2,
            None => rewritten(brief),
        };
        let rest = u64::from(brief.interface) << INTERFACE
            | u64::from(era) << ERA
            | u64::from(port) << PORT
            | u64::from(brief.protocol.0) << PROTOCOL
            | direction << DIRECTION
            | u64::from(!by_source) << 1
            | u64::from(brief.action == Action::Reject);
        let plain = brief.tcp_flags.is_some() && !request && !answer;
        Packed {
            key: PackedKey {
                addresses: u64::from(source) << 32 | u64::from(destination),
                rest,
            },
            bytes: brief.bytes,
            active: Activity::AT_FIRST,
            packets: brief.packets,
            first: brief.start.min(brief.end),
            last: brief.start.max(brief.end),
            records: 1,
            plain: u16::from(plain),
            requests: u16::from(request),
            answers: u16::from(answer),
            other_ports: PortSample::single(other),
            flags: flags.0,
            block_public_access: u8::from(brief.block_public_access),
        }
    }

    /// A cell of the interface of this number; `None` where it does not fit.
    pub(super) fn pack(interface: u32, key: &CellKey, cell: &Cell) -> Option<Packed> {
        let key = PackedKey::pack(interface, key)?;
        let Cell {
            records,
            packets,
            bytes,
            first,
            last,
            active,
            requests,
            answers,
            plain,
            flags,
            other_ports,
            block_public_access,
        } = *cell;
        Some(Packed {
            key,
            bytes,
            active,
            packets: u32::try_from(packets).ok()?,
            first: u32::try_from(first.0).ok()?,
            last: u32::try_from(last.0).ok()?,
            records: u16::try_from(records).ok()?,
            plain: u16::try_from(plain).ok()?,
            requests: u16::try_from(requests).ok()?,
            answers: u16::try_from(answers).ok()?,
            other_ports,
            flags: flags.0,
            block_public_access: u8::try_from(block_public_access).ok()?,
        })
    }

    /// Adds another cell of the same key; where a counter is too narrow for
    /// it, puts what was gathered before in `aside`.
    #[inline(always)]
    pub(super) fn merge(&mut self, other: &Packed, aside: &mut Vec<Packed>) {
        let sums = (
            self.records.checked_add(other.records),
            self.packets.checked_add(other.packets),
            self.plain.checked_add(other.plain),
            self.requests.checked_add(other.requests),
            self.answers.checked_add(other.answers),
            self.block_public_access
                .checked_add(other.block_public_access),
        );
        let (
            Some(records),
            Some(packets),
            Some(plain),
            Some(requests),
            Some(answers),
            Some(blocked),
        ) = sums
        else {
            aside.push(*self);
            *self = *other;
            return;
        };
        self.active = self
            .active
            .merged(self.reach(), other.active, other.reach());
        self.records = records;
        self.packets = packets;
        self.plain = plain;
        self.requests = requests;
        self.answers = answers;
        self.block_public_access = blocked;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.flags |= other.flags;
        self.other_ports.merge(&other.other_ports);
    }

    #[inline(always)]
    fn reach(&self) -> Reach {
        Reach::of_seconds(self.first, self.last)
    }

    /// The same cell under another number of its interface.
    pub(super) fn under(&self, interface: u32) -> Packed {
        Packed {
            key: self.key.with_interface(interface),
            ..*self
        }
    }

    /// The same cell under another key of its interface.
    pub(super) fn with_key(&self, key: PackedKey) -> Packed {
        Packed { key, ..*self }
    }

    /// The same cell in the era that it is settled in.
    pub(super) fn settled(&self, eras: &Eras) -> Packed {
        let time = |second: u32| Timestamp(i64::from(second));
        let era = eras.settle(self.key.era(), time(self.first), time(self.last));
        Packed {
            key: self.key.with_era(era),
            ..*self
        }
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> PackedKey {
        self.key
    }

    /// The cell as everybody knows it.
    #[inline]
    #[must_use]
    pub fn open(&self) -> Cell {
        let Packed {
            key: _,
            bytes,
            active,
            packets,
            first,
            last,
            records,
            plain,
            requests,
            answers,
            other_ports,
            flags,
            block_public_access,
        } = *self;
        Cell {
            records: u64::from(records),
            packets: u64::from(packets),
            bytes,
            first: Timestamp(i64::from(first)),
            last: Timestamp(i64::from(last)),
            active,
            requests: u64::from(requests),
            answers: u64::from(answers),
            plain: u64::from(plain),
            flags: TcpFlags(flags),
            other_ports,
            block_public_access: u64::from(block_public_access),
        }
    }
}

/// The direction that rewritten addresses give away, as in [`CellKey::of`].
#[inline(always)]
fn rewritten(brief: &Brief) -> u64 {
    let differs = |packet: Option<u32>, shown: u32| packet.is_some_and(|packet| packet != shown);
    let source = differs(brief.pkt_srcaddr, brief.srcaddr);
    let destination = differs(brief.pkt_dstaddr, brief.dstaddr);
    match (source, destination) {
        (true, false) => 2,
        (false, true) => 1,
        (true, true) | (false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_cell_is_a_line_of_cache() {
        assert_eq!(size_of::<Packed>(), 64);
    }
}
