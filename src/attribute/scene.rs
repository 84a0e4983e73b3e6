//! A snapshot made ready for questions: who owns an address, which groups may
//! keep a client's address, what lies inside a VPC.
//!
//! Groups match references by the private addresses of members (VPC user
//! guide, "Security group rules"), so everything here starts from an address.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::OnceLock;

use ipnet::IpNet;

use crate::attribute::index::GroupIndex;
use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::InterfaceKind;
use crate::model::NetworkAcl;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::model::vpc::Subnet;
use crate::net::AddressSet;

/// A snapshot with its address book.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    owners: HashMap<IpAddr, Vec<&'a Eni>>,
    /// Addresses that the logs show to be of interfaces which the snapshot
    /// does not have.
    strangers: HashSet<IpAddr>,
    /// Interfaces by delegated prefix.
    delegated: HashMap<IpNet, Vec<&'a Eni>>,
    /// Lengths of delegated prefixes, IPv4 and IPv6 apart.
    delegated_lengths: [BTreeSet<u8>; 2],
    /// Groups made ready for asking, each when it is first asked for.
    indices: HashMap<&'a SgId, OnceLock<GroupIndex>>,
    /// Network Load Balancers.
    balancers: Vec<&'a Eni>,
    /// Groups on a Network Load Balancer: a reference to one also matches
    /// clients whose address the balancer keeps.
    balancer_groups: BTreeSet<&'a SgId>,
    acls: BTreeMap<&'a SubnetId, &'a NetworkAcl>,
    /// Address ranges of all VPCs and their subnets.
    ranges: AddressSet,
}

/// What is known of the far side of a conversation, seen from one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerFacts<'a> {
    /// Its address.
    pub address: IpAddr,
    /// Interfaces that may own it: those of the same VPC where there are any.
    pub owners: Vec<&'a Eni>,
    /// Whether it lies in a known VPC and yet no known interface owns it (a
    /// short-lived interface may have carried any group), or what its owner
    /// carried then is not known.
    pub lost_owner: bool,
}

impl<'a> PeerFacts<'a> {
    /// Groups of its interfaces, sorted.
    #[must_use]
    pub fn groups(&self) -> Vec<SgId> {
        let all: BTreeSet<&SgId> = self.owners.iter().flat_map(|owner| &owner.groups).collect();
        all.into_iter().cloned().collect()
    }

    /// The one interface that owns it.
    #[must_use]
    pub fn owner(&self) -> Option<&'a Eni> {
        self.owners.first().copied()
    }
}

impl<'a> Scene<'a> {
    /// Prepares a snapshot.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot) -> Scene<'a> {
        let mut owners: HashMap<IpAddr, Vec<&'a Eni>> = HashMap::default();
        let mut delegated: HashMap<IpNet, Vec<&'a Eni>> = HashMap::default();
        let mut delegated_lengths = [BTreeSet::new(), BTreeSet::new()];
        for eni in snapshot.enis.values() {
            for address in &eni.addresses {
                owners.entry(*address).or_default().push(eni);
            }
            for prefix in &eni.prefixes {
                delegated.entry(prefix.trunc()).or_default().push(eni);
                let [v4, v6] = &mut delegated_lengths;
                match prefix {
                    IpNet::V4(net) => v4.insert(net.prefix_len()),
                    IpNet::V6(net) => v6.insert(net.prefix_len()),
                };
            }
        }
        let balancers: Vec<&Eni> = snapshot
            .enis
            .values()
            .filter(|eni| eni.kind == InterfaceKind::NetworkLoadBalancer)
            .collect();
        let acls = snapshot
            .acls
            .values()
            .flat_map(|acl| acl.subnets.iter().map(move |subnet| (subnet, acl)));
        Scene {
            snapshot,
            owners,
            strangers: HashSet::default(),
            delegated,
            delegated_lengths,
            indices: snapshot
                .groups
                .keys()
                .map(|id| (id, OnceLock::new()))
                .collect(),
            balancer_groups: balancers.iter().flat_map(|eni| &eni.groups).collect(),
            balancers,
            acls: acls.collect(),
            ranges: ranges(snapshot),
        }
    }

    /// Takes from the logs whose an address was, where the snapshot says that it
    /// was nobody's. Says whether it did.
    pub fn hear(&mut self, address: IpAddr, interface_id: EniId) -> bool {
        let silent = self
            .owners_of(address)
            .iter()
            .all(|eni| eni.id == interface_id);
        match self.snapshot.enis.get(&interface_id) {
            _ if !silent => return false,
            None => {
                self.strangers.insert(address);
            }
            Some(eni) => {
                let owners = self.owners.entry(address).or_default();
                if owners.is_empty() {
                    owners.push(eni);
                }
            }
        }
        true
    }

    /// Takes an address for one that some interface had, nobody knows which.
    pub fn suspect(&mut self, address: IpAddr) {
        self.owners.remove(&address);
        self.strangers.insert(address);
    }

    /// The interface's group, where the snapshot has it.
    #[must_use]
    pub fn group(&self, id: &SgId) -> Option<&'a SecurityGroup> {
        self.snapshot.groups.get(id)
    }

    /// The interface's group made ready for asking, where the snapshot has it.
    #[must_use]
    pub fn index(&self, id: &SgId) -> Option<&GroupIndex> {
        let group = self.group(id)?;
        let slot = self.indices.get(id)?;
        Some(slot.get_or_init(|| GroupIndex::new(group, self)))
    }

    /// The entries of a prefix list, where the snapshot has them.
    #[must_use]
    pub fn entries(&self, list: &PrefixListId) -> Option<&'a [IpNet]> {
        let list = self.snapshot.prefix_lists.get(list)?;
        list.entries.as_deref()
    }

    /// The network ACL of a subnet.
    #[must_use]
    pub fn acl(&self, subnet: &SubnetId) -> Option<&'a NetworkAcl> {
        self.acls.get(subnet).copied()
    }

    /// Whether a load balancer that may keep client addresses carries it.
    #[must_use]
    pub fn on_balancer(&self, group: &SgId) -> bool {
        self.balancer_groups.contains(group)
    }

    /// Network Load Balancers: they may keep the client's address.
    pub fn balancers(&self) -> impl Iterator<Item = &'a Eni> {
        self.balancers.iter().copied()
    }

    /// What is known of an address as seen from an interface.
    #[must_use]
    pub fn peer(&self, address: IpAddr, seen_from: &Eni) -> PeerFacts<'a> {
        let mut owners = self.owners_of(address);
        // Addresses of two VPCs may overlap; the own VPC's route always wins.
        if owners.iter().any(|owner| owner.vpc_id == seen_from.vpc_id) {
            owners.retain(|owner| owner.vpc_id == seen_from.vpc_id);
        }
        let guessed = &self.snapshot.guessed.enis;
        let lost_owner = if owners.is_empty() {
            self.strangers.contains(&address) || self.ranges.contains(address)
        } else {
            !guessed.is_empty() && owners.iter().any(|owner| guessed.contains(&owner.id))
        };
        PeerFacts {
            address,
            owners,
            lost_owner,
        }
    }

    /// Interfaces that own an address, in any VPC.
    #[must_use]
    pub fn owners_of(&self, address: IpAddr) -> Vec<&'a Eni> {
        let mut owners = self.owners.get(&address).cloned().unwrap_or_default();
        let [v4, v6] = &self.delegated_lengths;
        let lengths = if address.is_ipv4() { v4 } else { v6 };
        for length in lengths {
            let prefix = IpNet::new(address, *length).map(|net| net.trunc());
            let delegated = prefix.ok().and_then(|prefix| self.delegated.get(&prefix));
            for eni in delegated.into_iter().flatten() {
                if !owners.iter().any(|owner| owner.id == eni.id) {
                    owners.push(eni);
                }
            }
        }
        owners
    }

    /// Whether a packet between the two crosses no subnet boundary, so that no
    /// ACL sees it. Needs the subnet of both.
    #[must_use]
    pub fn same_subnet(&self, eni: &Eni, peer: &PeerFacts<'_>) -> bool {
        in_subnet_of(eni, self.subnet_of(eni), peer)
    }

    /// The subnet of an interface, where the snapshot has it.
    #[must_use]
    pub fn subnet_of(&self, eni: &Eni) -> Option<&'a Subnet> {
        self.snapshot.subnets.get(eni.subnet_id.as_ref()?)
    }
}

/// [`Scene::same_subnet`], with the subnet of the interface at hand.
#[must_use]
pub fn in_subnet_of(eni: &Eni, subnet: Option<&Subnet>, peer: &PeerFacts<'_>) -> bool {
    let Some(own) = &eni.subnet_id else {
        return false;
    };
    if let Some(owner) = peer.owner() {
        return owner.subnet_id.as_ref() == Some(own);
    }
    subnet.is_some_and(|subnet| subnet.cidrs.iter().any(|cidr| cidr.contains(&peer.address)))
}

fn ranges(snapshot: &Snapshot) -> AddressSet {
    let subnets = snapshot.subnets.values();
    let subnets = subnets.filter(|subnet| subnet.vpc_id.is_some());
    let subnets = subnets.flat_map(|subnet| &subnet.cidrs);
    let vpcs = snapshot.vpcs.values().flat_map(|vpc| &vpc.cidrs);
    subnets.chain(vpcs).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;

    #[test]
    fn an_address_that_some_interface_had_is_nobodys_whom_logs_name() {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.6", &["sg-1"]);
        let snapshot = world.snapshot();
        let eni = snapshot.enis.values().next().unwrap();
        let mut scene = Scene::new(&snapshot);
        let address = "192.0.2.0".parse().unwrap();
        let told = |scene: &Scene<'_>| {
            let facts = scene.peer(address, eni);
            (facts.owners.len(), facts.lost_owner)
        };
        assert_eq!(told(&scene), (0, false));
        assert!(scene.hear(address, eni.id));
        assert_eq!(told(&scene), (1, false));
        scene.suspect(address);
        assert_eq!(told(&scene), (0, true));
    }
}
