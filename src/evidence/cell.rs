//! A cell: what the records of one conversation, direction and verdict say.
//!
//! A record's ports are a service port and a client port, and only the first
//! matters to rules. Which is which, flags tell for certain (SYN: the
//! destination serves; SYN-ACK: the source does); else the lower port is taken
//! as the key and the other port is remembered, so that the opposite reading
//! stays open. The key is a place to gather, not a decision.

use std::net::IpAddr;

use crate::evidence::activity::Activity;
use crate::evidence::activity::History;
use crate::evidence::activity::Reach;
use crate::evidence::ports::PortSample;
use crate::model::Action;
use crate::model::FlowDirection;
use crate::model::FlowRecord;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// Which end of a record the keyed port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

/// What a cell gathers, within one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey {
    /// Source of the packets, as the packets carry it where the log tells.
    pub source: IpAddr,
    /// Destination of the packets, likewise.
    pub destination: IpAddr,
    /// Era of the packets; while gathering, the stretch in which the first
    /// packet came (see [`crate::evidence::era`]).
    pub era: u16,
    /// The port taken as the service; 0 for protocols without ports.
    pub port: u16,
    /// Whose port it is.
    pub side: Side,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Way across the interface; `None` where the log does not tell.
    pub direction: Option<FlowDirection>,
    /// Verdict.
    pub action: Action,
}

impl CellKey {
    /// The key of a record and the port that is not in it; `None` where the
    /// record lacks an address, a port of a protocol with ports, or the
    /// protocol.
    #[must_use]
    pub fn of(record: &FlowRecord, era: u16) -> Option<(CellKey, u16)> {
        let protocol = record.protocol?;
        let source = record.pkt_srcaddr.or(record.srcaddr)?;
        let destination = record.pkt_dstaddr.or(record.dstaddr)?;
        let (srcport, dstport) = if protocol.has_ports() {
            (record.srcport?, record.dstport?)
        } else {
            (0, 0)
        };
        let side = service_side(record, (source, srcport), (destination, dstport));
        let (port, other) = match side {
            Side::Source => (srcport, dstport),
            Side::Destination => (dstport, srcport),
        };
        let direction = record.flow_direction.or_else(|| rewritten_side(record));
        let key = CellKey {
            source,
            destination,
            era,
            port,
            side,
            protocol,
            direction,
            action: record.action,
        };
        Some((key, other))
    }
}

/// The side whose port is the key: by flags, else the lower port, else (both
/// equal) the lower address, so that both directions gather alike.
fn service_side(record: &FlowRecord, source: (IpAddr, u16), destination: (IpAddr, u16)) -> Side {
    let flags = record.tcp_flags.unwrap_or_default();
    if flags.is_request() {
        return Side::Destination;
    }
    if flags.is_answer() {
        return Side::Source;
    }
    let source_is_lower = (source.1, source.0) < (destination.1, destination.0);
    if source_is_lower {
        Side::Source
    } else {
        Side::Destination
    }
}

/// The direction that rewritten addresses give away: an interface shows its
/// primary address instead of the packet's own source only on egress, instead
/// of its own destination only on ingress (VPC user guide, "Flow log
/// limitations").
fn rewritten_side(record: &FlowRecord) -> Option<FlowDirection> {
    let differs = |packet: Option<IpAddr>, shown: Option<IpAddr>| {
        packet.is_some() && shown.is_some() && packet != shown
    };
    let source = differs(record.pkt_srcaddr, record.srcaddr);
    let destination = differs(record.pkt_dstaddr, record.dstaddr);
    match (source, destination) {
        (true, false) => Some(FlowDirection::Egress),
        (false, true) => Some(FlowDirection::Ingress),
        (true, true) | (false, false) => None,
    }
}

/// What the records of a key add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// First packet.
    pub first: Timestamp,
    /// Last packet.
    pub last: Timestamp,
    /// When, between the two, records began.
    pub active: Activity,
    /// Records with SYN and no ACK: the source opened. Kept per record, since
    /// OR-ing flags of several intervals would make answers of them.
    pub requests: u64,
    /// Records with SYN and ACK: the source answered.
    pub answers: u64,
    /// Records whose flags are known and are neither.
    pub plain: u64,
    /// Flags of all records, OR-ed.
    pub flags: TcpFlags,
    /// Ports of the side that is not the key's.
    pub other_ports: PortSample,
    /// Records that Block Public Access dropped.
    pub block_public_access: u64,
}

impl Cell {
    /// The cell of one record.
    #[must_use]
    pub fn of(record: &FlowRecord, first: Timestamp, last: Timestamp, other_port: u16) -> Cell {
        let flags = record.tcp_flags.unwrap_or_default();
        let (request, answer) = (flags.is_request(), flags.is_answer());
        Cell {
            records: 1,
            packets: record.packets,
            bytes: record.bytes,
            first,
            last,
            active: Activity::AT_FIRST,
            requests: u64::from(request),
            answers: u64::from(answer),
            plain: u64::from(record.tcp_flags.is_some() && !request && !answer),
            flags,
            other_ports: PortSample::single(other_port),
            block_public_access: u64::from(record.block_public_access),
        }
    }

    /// When it was seen.
    #[must_use]
    pub fn history(&self) -> History {
        History {
            first: self.first,
            last: self.last,
            active: self.active,
        }
    }

    fn reach(&self) -> Reach {
        Reach::new(self.first, self.last)
    }

    /// Adds another cell of the same key.
    pub fn merge(&mut self, other: &Cell) {
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
        } = other;
        let reach = Reach::new(*first, *last);
        self.active = self.active.merged(self.reach(), *active, reach);
        self.records += records;
        // Saturating addition of what a log claims: still one value for any
        // order and grouping.
        self.packets = self.packets.saturating_add(*packets);
        self.bytes = self.bytes.saturating_add(*bytes);
        self.first = self.first.min(*first);
        self.last = self.last.max(*last);
        self.requests += requests;
        self.answers += answers;
        self.plain += plain;
        self.flags = TcpFlags(self.flags.0 | flags.0);
        self.other_ports.merge(other_ports);
        self.block_public_access += block_public_access;
    }
}
