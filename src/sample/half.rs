//! One direction of a connection at one interface.

use std::net::IpAddr;

use crate::model::Direction;
use crate::sample::judge::Cause;

/// Flags of the first, the middle and the last window of a half.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) first: u8,
    pub(super) middle: u8,
    pub(super) last: u8,
}

/// The packets of one direction at one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
    pub(super) pkt_src: IpAddr,
    pub(super) pkt_dst: IpAddr,
    pub(super) src_port: u16,
    pub(super) dst_port: u16,
    /// Relative to the interface.
    pub(super) direction: Direction,
    /// From the one who opened the connection.
    pub(super) request: bool,
    pub(super) reject: Option<Cause>,
    pub(super) flags: Flags,
    /// Whether the other side is beyond the VPC.
    pub(super) path: Path,
}

/// Value of `traffic-path` of an egress record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// 1: inside the VPC.
    Vpc,
    /// 4: peering in the Region.
    Peering,
    /// 7: gateway endpoint.
    GatewayEndpoint,
    /// 8: Internet gateway.
    InternetGateway,
}
