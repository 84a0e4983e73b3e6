//! Network ACLs: stateless, ordered, first match decides (VPC user guide,
//! "Network ACLs"). They see only packets that enter or leave their subnet.

use ipnet::IpNet;

use crate::model::id::AclId;
use crate::model::id::SubnetId;
use crate::model::id::VpcId;
use crate::model::sg::Direction;
use crate::model::sg::Effect;
use crate::model::sg::Transport;

/// One numbered entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclEntry {
    /// Which list it stands in: ingress is into the subnet.
    pub direction: Direction,
    /// Rank, smaller first; 32767 and 32768 are the closing denials.
    pub number: u32,
    /// Allow or drop.
    pub effect: Effect,
    /// What it matches; ports are the packet's own destination ports.
    pub transport: Transport,
    /// Source of ingress, destination of egress.
    pub cidr: IpNet,
}

/// A network ACL with its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAcl {
    /// Its id.
    pub id: AclId,
    /// VPC it belongs to.
    pub vpc_id: Option<VpcId>,
    /// Subnets it guards.
    pub subnets: Vec<SubnetId>,
    /// Entries of both directions, sorted by direction and number.
    pub entries: Vec<AclEntry>,
}

impl NetworkAcl {
    /// The entries of one direction in the order of evaluation.
    pub fn entries_of(&self, direction: Direction) -> impl Iterator<Item = &AclEntry> {
        self.entries
            .iter()
            .filter(move |entry| entry.direction == direction)
    }
}
