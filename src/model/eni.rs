//! Elastic network interfaces: the addresses and groups that a record's
//! `interface-id` stands for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::id::EniId;
use crate::model::id::SgId;
use crate::model::id::SubnetId;
use crate::model::id::VpcId;

/// What an interface belongs to, as far as groups and logs treat it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InterfaceKind {
    /// An instance's, a task's, or any other that behaves like one.
    Interface,
    /// NAT gateway: carries no group, its records show translated addresses.
    NatGateway,
    /// Network Load Balancer: may keep the client's address.
    NetworkLoadBalancer,
    /// Application or classic load balancer.
    LoadBalancer,
    /// Gateway Load Balancer or its endpoint: inner packets keep addresses.
    GatewayLoadBalancer,
    /// Transit gateway attachment: carries no group.
    TransitGateway,
    /// Interface endpoint of a service.
    VpcEndpoint,
    /// Lambda: shared by functions with the same subnet and groups.
    Lambda,
    /// EFA: operating-system bypass beside ordinary traffic.
    Efa,
    /// Any other kind that a service manages.
    Other,
}

/// A network interface at the time of its snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eni {
    /// Its id.
    pub id: EniId,
    /// What it belongs to.
    pub kind: InterfaceKind,
    /// Free text; load balancers and services name themselves here.
    pub description: String,
    /// Whether a service made it and the account cannot change it.
    pub requester_managed: bool,
    /// Whether it is attached to something (`Status` is `in-use`); true where
    /// the snapshot does not say.
    pub in_use: bool,
    /// VPC it lives in.
    pub vpc_id: Option<VpcId>,
    /// Subnet it lives in: the one whose network ACL guards it.
    pub subnet_id: Option<SubnetId>,
    /// Private addresses of both families, the primary IPv4 address first.
    pub addresses: Vec<IpAddr>,
    /// Delegated prefixes: its private addresses too.
    pub prefixes: Vec<IpNet>,
    /// Public addresses that translate to it; groups never match these.
    pub public_addresses: Vec<IpAddr>,
    /// Groups it carries; their rules add up.
    pub groups: Vec<SgId>,
    /// Instance it is attached to.
    pub instance_id: Option<String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
}

impl Eni {
    /// Whether the address is one of its private ones.
    #[must_use]
    pub fn owns(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
            || self.prefixes.iter().any(|prefix| prefix.contains(&address))
    }
}
