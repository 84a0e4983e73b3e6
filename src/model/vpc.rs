//! What places interfaces: VPCs, subnets, peerings, associations, and the flow
//! logs that watch them.

use ipnet::IpNet;

use crate::model::id::SgId;
use crate::model::id::SubnetId;
use crate::model::id::VpcId;
use crate::net::Timestamp;

/// A VPC with its address ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// IPv4 and IPv6 ranges, sorted.
    pub cidrs: Vec<IpNet>,
}

/// A subnet with its address ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// VPC it belongs to.
    pub vpc_id: Option<VpcId>,
    /// IPv4 and IPv6 ranges, sorted.
    pub cidrs: Vec<IpNet>,
}

/// A peering between two VPCs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpcPeering {
    /// Its id, `pcx-…`.
    pub id: String,
    /// Requester and accepter.
    pub vpcs: [VpcId; 2],
    /// Whether it is active.
    pub active: bool,
}

/// A group that was made usable in a second VPC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VpcAssociation {
    /// The group.
    pub group_id: SgId,
    /// The VPC beside its own.
    pub vpc_id: VpcId,
    /// Whether it is in force (`associated`).
    pub associated: bool,
}

/// Which records a flow log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrafficType {
    /// ACCEPT and REJECT.
    All,
    /// ACCEPT only: says nothing of what was rejected.
    Accept,
    /// REJECT only: says nothing of what was used.
    Reject,
}

/// A flow log as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLog {
    /// Its id, `fl-…`.
    pub id: String,
    /// VPC, subnet or interface that it watches.
    pub resource_id: String,
    /// What it keeps.
    pub traffic_type: TrafficType,
    /// Since when.
    pub created: Option<Timestamp>,
    /// `LogFormat` as configured, `${name} …`.
    pub log_format: Option<String>,
    /// What it delivers names its columns: text in S3 begins with a header.
    pub headed: bool,
    /// Longest aggregation interval in seconds.
    pub max_aggregation_interval: Option<u32>,
    /// Why delivery fails, where it does.
    pub delivery_error: Option<String>,
    /// Whether it keeps what took some paths alone, such as a gateway's.
    pub filtered: bool,
}
