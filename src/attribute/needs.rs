//! What was let through and so must keep passing.
//!
//! [`Passed`] is one conversation at one interface with every rule that could
//! have let it in; [`GroupNeeds`] gathers what one group must go on allowing.
//! Tightening reads the second, its proof replays the first.

use std::net::IpAddr;

use crate::model::Direction;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A rule and the group it stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// The group.
    pub group_id: SgId,
    /// The rule.
    pub rule_id: SgRuleId,
}

/// One accepted conversation at one interface, in one reading of who opened it.
///
/// A conversation whose initiator stays in doubt gives two of these, one for
/// each direction, both with `in_doubt` set: what either reading needs is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// The interface that let it through.
    pub interface_id: EniId,
    /// Ingress: the peer opened it.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port, or the range that the port is known to lie in; all of
    /// the space for protocols without ports and for ICMP, whose type no log
    /// tells.
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// Whether the direction stays in doubt.
    pub in_doubt: bool,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// Rules of the newest snapshot, on this interface and direction, that
    /// cover some of it, sorted. Empty: today's rules do not explain it.
    pub covered_by: Vec<RuleRef>,
}

/// What a group must go on allowing in one direction, over all interfaces that
/// carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNeeds {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// Sorted, one per protocol, service and peer.
    pub needs: Vec<Need>,
}

/// One thing that a group let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Protocol.
    pub protocol: IpProtocol,
    /// As in [`Passed::service`].
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// Rules of this group and direction that cover some of it; never empty.
    pub covered_by: Vec<SgRuleId>,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// Whether it is kept only because the initiator stays in doubt.
    pub in_doubt: bool,
}
