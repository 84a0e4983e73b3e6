//! Who carried which group, and which addresses a group can ever have: what
//! the proof must know of a reference that takes the place of addresses.
//!
//! Read from the snapshots by its own code. A group can have every address of
//! its VPC and of each VPC it is associated with, both families; on a Network
//! Load Balancer, which may keep the client's address, every address there is.
//! A group on an EFA interface is never judged by addresses. Where a VPC's
//! ranges are not known, nothing is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

use crate::collections::HashMap;
use crate::model::Eni;
use crate::model::InterfaceKind;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::model::VpcId;
use crate::model::snapshot::Dating;

/// The snapshots, asked about groups.
#[derive(Debug)]
pub struct Book<'a> {
    series: &'a SnapshotSeries,
    /// By snapshot.
    owners: Vec<Owners<'a>>,
}

/// Who owns an address.
#[derive(Debug, Default)]
pub struct Owners<'a> {
    hosts: HashMap<IpAddr, Vec<&'a Eni>>,
    delegated: Vec<(IpNet, &'a Eni)>,
}

impl<'a> Book<'a> {
    /// Opens the snapshots.
    #[must_use]
    pub fn new(series: &'a SnapshotSeries) -> Book<'a> {
        let owners = series.snapshots().map(|s| Owners::of(s.enis.values()));
        Book {
            series,
            owners: owners.collect(),
        }
    }

    /// The newest snapshot.
    pub(super) fn today(&self) -> &'a Snapshot {
        self.series.latest()
    }

    /// All addresses that members of the group can ever have while the ranges
    /// of its VPCs stay; `None` where that cannot be said.
    #[must_use]
    pub fn reach(&self, group: &SgId) -> Option<Vec<IpNet>> {
        let today = self.series.latest();
        let mut vpcs: BTreeSet<&VpcId> = BTreeSet::new();
        vpcs.insert(today.groups.get(group)?.vpc_id.as_ref()?);
        let further = today.associations.iter();
        vpcs.extend(further.filter(|a| a.group_id == *group).map(|a| &a.vpc_id));
        let mut reach: Vec<IpNet> = Vec::new();
        for eni in today.enis.values().filter(|eni| eni.groups.contains(group)) {
            match eni.kind {
                InterfaceKind::Efa => return None,
                InterfaceKind::NetworkLoadBalancer => reach.extend(everything()),
                InterfaceKind::Interface
                | InterfaceKind::NatGateway
                | InterfaceKind::LoadBalancer
                | InterfaceKind::GatewayLoadBalancer
                | InterfaceKind::TransitGateway
                | InterfaceKind::VpcEndpoint
                | InterfaceKind::Lambda
                | InterfaceKind::Other => {}
            }
        }
        for vpc in vpcs {
            let ranges = &today.vpcs.get(vpc)?.cidrs;
            if ranges.is_empty() {
                return None;
            }
            reach.extend(ranges);
        }
        reach.sort_unstable();
        reach.dedup();
        Some(reach)
    }

    /// Whether, in every snapshot, the address belonged to an interface of the
    /// VPC, and all that it belonged to carried the group. Where changes are
    /// recorded as they come, nobody came from an address before it was
    /// anybody's.
    #[must_use]
    pub fn carried(&self, group: &SgId, vpc: Option<&VpcId>, address: IpAddr) -> bool {
        let newest = self.owners.len().saturating_sub(1);
        let mut snapshots = self.owners.iter().zip(self.series.snapshots()).enumerate();
        let nobodys = |at: usize, owners: &Owners<'_>, snapshot: &Snapshot| {
            at < newest
                && snapshot.dating == Dating::Changed
                && owners.all(address).next().is_none()
        };
        vpc.is_some()
            && snapshots.all(|(at, (owners, snapshot))| {
                nobodys(at, owners, snapshot) || owners.carry(group, vpc, address)
            })
    }
}

impl<'a> Owners<'a> {
    /// Those of one snapshot.
    #[must_use]
    pub fn of_snapshot(snapshot: &'a Snapshot) -> Owners<'a> {
        Owners::of(snapshot.enis.values())
    }

    /// Whether the address may be one of the group's: somebody who has it
    /// carries the group, or nobody is known to have it.
    #[must_use]
    pub fn may_carry(&self, group: &SgId, address: IpAddr) -> bool {
        let mut own = self.all(address).peekable();
        own.peek().is_none() || own.any(|eni| eni.groups.contains(group))
    }

    pub(super) fn all(&self, address: IpAddr) -> impl Iterator<Item = &'a Eni> {
        let hosts = self.hosts.get(&address).into_iter().flatten().copied();
        let delegated = self.delegated.iter();
        let delegated = delegated.filter(move |(net, _)| net.contains(&address));
        hosts.chain(delegated.map(|(_, eni)| *eni))
    }

    fn of(enis: impl Iterator<Item = &'a Eni>) -> Owners<'a> {
        let mut owners = Owners::default();
        for eni in enis {
            for address in &eni.addresses {
                owners.hosts.entry(*address).or_default().push(eni);
            }
            let delegated = eni.prefixes.iter().map(|prefix| (*prefix, eni));
            owners.delegated.extend(delegated);
        }
        owners
    }

    /// Whether the address belongs to interfaces of the VPC, and all of them
    /// carry the group.
    pub(super) fn carry(&self, group: &SgId, vpc: Option<&VpcId>, address: IpAddr) -> bool {
        let mut own = self
            .all(address)
            .filter(|eni| eni.vpc_id.as_ref() == vpc)
            .peekable();
        own.peek().is_some() && own.all(|eni| eni.groups.contains(group))
    }
}

/// All addresses of both families.
fn everything() -> [IpNet; 2] {
    let v4 = Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0);
    let v6 = Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0);
    [IpNet::V4(v4), IpNet::V6(v6)]
}
