//! One line of a flow log, typed. Field names are AWS's with `-` as `_`
//! (VPC user guide, "Flow log records"); a field that the format lacks or that
//! is `-` in the line is `None`.

use std::net::IpAddr;

use crate::model::id::EniId;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// What the log says became of the packets. ACCEPT and REJECT join security
/// groups *and* network ACLs: ACCEPT proves that some rule passed them, REJECT
/// blames nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Let through.
    Accept,
    /// Not let through, or arrived after the connection was closed.
    Reject,
}

/// Which way packets crossed the interface; says nothing of who opened the
/// connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowDirection {
    /// Into the interface.
    Ingress,
    /// Out of the interface.
    Egress,
}

/// TCP flags, OR-ed over the aggregation interval. The service reports FIN 1,
/// SYN 2, RST 4 and SYN-ACK 18; a lone ACK is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// FIN.
    pub const FIN: u8 = 1;
    /// SYN.
    pub const SYN: u8 = 2;
    /// RST.
    pub const RST: u8 = 4;
    /// ACK, reported only beside SYN.
    pub const ACK: u8 = 16;

    /// SYN without ACK: the source opened the connection.
    #[must_use]
    pub fn is_request(self) -> bool {
        self.0 & TcpFlags::SYN != 0 && self.0 & TcpFlags::ACK == 0
    }

    /// SYN with ACK: the source answered.
    #[must_use]
    pub fn is_answer(self) -> bool {
        self.0 & TcpFlags::SYN != 0 && self.0 & TcpFlags::ACK != 0
    }

    /// FIN or RST was seen.
    #[must_use]
    pub fn closes(self) -> bool {
        self.0 & (TcpFlags::FIN | TcpFlags::RST) != 0
    }
}

/// One record about traffic with a verdict (`log-status` OK, `action` given).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowRecord {
    /// ACCEPT or REJECT.
    pub action: Action,
    /// Interface that recorded it.
    pub interface_id: Option<EniId>,
    /// Source as the interface showed it: on egress always its primary
    /// private IPv4 address.
    pub srcaddr: Option<IpAddr>,
    /// Destination as the interface showed it: on ingress always its primary
    /// private IPv4 address.
    pub dstaddr: Option<IpAddr>,
    /// Source address of the packet itself.
    pub pkt_srcaddr: Option<IpAddr>,
    /// Destination address of the packet itself.
    pub pkt_dstaddr: Option<IpAddr>,
    /// Source port; 0 for protocols without ports.
    pub srcport: Option<u16>,
    /// Destination port; 0 for protocols without ports.
    pub dstport: Option<u16>,
    /// IANA protocol number.
    pub protocol: Option<IpProtocol>,
    /// Packets in the interval; 0 where the format does not say.
    pub packets: u64,
    /// Bytes in the interval; 0 where the format does not say.
    pub bytes: u64,
    /// First packet of the interval (up to 60 s late).
    pub start: Option<Timestamp>,
    /// Last packet of the interval (up to 60 s late).
    pub end: Option<Timestamp>,
    /// Flags of this direction in this interval.
    pub tcp_flags: Option<TcpFlags>,
    /// Relative to the recording interface.
    pub flow_direction: Option<FlowDirection>,
    /// `reject-reason` is `BPA`: Block Public Access dropped it.
    pub block_public_access: bool,
    /// `type` is `EFA`: the five-tuple means nothing.
    pub efa: bool,
}

/// What one data line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Traffic with a verdict.
    Flow(FlowRecord),
    /// Traffic without a verdict: transit-gateway rows, or no usable `action`.
    Other,
    /// Nothing crossed the interface in the interval.
    NoData(Interval),
    /// Records of the interval were lost; one line may stand for many.
    SkipData(Interval),
}

/// An interval of one interface that a NODATA or SKIPDATA line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The interface.
    pub interface_id: Option<EniId>,
    /// First second.
    pub start: Option<Timestamp>,
    /// Last second.
    pub end: Option<Timestamp>,
}
