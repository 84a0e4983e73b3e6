//! Which groups rules could refer to in place of addresses, from what the
//! snapshots and the logs tell.
//!
//! A reference knows a peer by its private address, within the VPC, and not
//! through a middlebox between subnets (VPC user guide, "Security group
//! rules"). No snapshot holds routes, so the cautious reading is taken: the
//! peer's interfaces carried the group in every snapshot, in the VPC of the
//! group whose rule it is, and between the two subnets either a reference was
//! seen to work, or nothing speaks against it: no gateway load balancer stands
//! in the VPC, and nothing that a reference names was refused there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::attribute::needs;
use crate::attribute::needs::Passed;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::scene::Scene;
use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::InterfaceKind;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::model::VpcId;
use crate::net::PortRange;
use crate::tighten::references::Reach;
use crate::tighten::references::References;

/// Subnets of an interface and of its peer, seen from the first.
type Way<'a> = (&'a SubnetId, &'a SubnetId, Direction);

/// References by group and direction.
#[derive(Debug)]
pub struct Referable<'a> {
    by_group: BTreeMap<(&'a SgId, Direction), References>,
    none: References,
}

impl<'a> Referable<'a> {
    /// What could be referred to for the conversations that passed. `scenes`
    /// holds one for each snapshot, the newest last.
    pub fn new(
        scenes: &'a [Scene<'a>],
        passed: &'a [Passed],
        rejects: &'a [RejectFinding],
        moving: &BTreeSet<IpAddr>,
    ) -> Referable<'a> {
        let mut referable = Referable {
            by_group: BTreeMap::new(),
            none: References::none(),
        };
        let Some(newest) = scenes.last() else {
            return referable;
        };
        let ways = Ways::of(newest, scenes, passed, rejects);
        // Sorted by interface and direction.
        let ends = passed.par_chunk_by(|one, other| {
            (one.interface_id, one.direction) == (other.interface_id, other.direction)
        });
        let met: Vec<Vec<Met<'_>>> = ends.map(|end| met(end, &ways)).collect();
        for met in met.iter().flatten() {
            referable.add(newest.snapshot, met, moving);
        }
        referable.find_reach(newest.snapshot);
        referable
    }

    /// What a group and direction could refer to.
    pub fn of(&self, group: &'a SgId, direction: Direction) -> &References {
        self.by_group.get(&(group, direction)).unwrap_or(&self.none)
    }

    fn add(&mut self, today: &Snapshot, met: &Met<'a>, moving: &BTreeSet<IpAddr>) {
        let Met {
            one,
            carried,
            groups,
        } = met;
        for &group in groups {
            let home = today
                .groups
                .get(group)
                .and_then(|group| group.vpc_id.as_ref());
            let at_home = home.is_some() && home == carried.vpc;
            let own = self.by_group.entry((group, one.direction)).or_default();
            if carried.delegated || moving.contains(&one.peer) {
                own.fleeting.insert(one.peer);
            }
            let labels = if at_home {
                carried.groups.clone()
            } else {
                BTreeSet::new()
            };
            // A reference must know the peer on every way it came.
            own.carried
                .entry(one.peer)
                .and_modify(|known| known.retain(|label| labels.contains(label)))
                .or_insert(labels);
        }
    }

    fn find_reach(&mut self, today: &Snapshot) {
        let mut known: BTreeMap<SgId, Option<Reach>> = BTreeMap::new();
        for references in self.by_group.values_mut() {
            let mut labels: HashSet<&SgId> = HashSet::default();
            let all = references.carried.values().flatten();
            for label in all.filter(|label| labels.insert(label)) {
                let reach = known
                    .entry(label.clone())
                    .or_insert_with(|| reach(today, label));
                if let Some(reach) = reach {
                    references.reach.insert(label.clone(), reach.clone());
                }
            }
        }
    }
}

/// All addresses that members of the group can ever have: the ranges of its
/// VPC and of those it is associated with. A group on a Network Load Balancer
/// also stands for the clients whose address it keeps; EFA traffic takes no
/// notice of addresses.
fn reach(today: &Snapshot, label: &SgId) -> Option<Reach> {
    let home = today.groups.get(label)?.vpc_id.as_ref()?;
    let further = today.associations.iter();
    let further = further.filter(|association| association.group_id == *label);
    let mut reach = Reach::new();
    for vpc in further.map(|association| &association.vpc_id).chain([home]) {
        let ranges = &today.vpcs.get(vpc)?.cidrs;
        // A VPC has at least one range; where none is given, none is known.
        ranges.first()?;
        reach.extend(ranges);
    }
    let kinds = today.enis.values().filter(|eni| eni.groups.contains(label));
    let kinds: Vec<InterfaceKind> = kinds.map(|eni| eni.kind).collect();
    if kinds.contains(&InterfaceKind::Efa) {
        return None;
    }
    if kinds.contains(&InterfaceKind::NetworkLoadBalancer) {
        let all = ["0.0.0.0/0", "::/0"].iter();
        reach.extend(all.filter_map(|net| net.parse::<IpNet>().ok()));
    }
    reach.sort_unstable();
    reach.dedup();
    Some(reach)
}

/// What a peer carried, in all snapshots.
#[derive(Clone, Debug)]
struct Carried<'a> {
    /// Groups that a reference would know it by.
    groups: BTreeSet<SgId>,
    /// The VPC of the interface that saw it.
    vpc: Option<&'a VpcId>,
    /// Whether its address is one of a delegated prefix.
    delegated: bool,
}

/// A peer of one interface that some interface owns today.
struct Met<'a> {
    /// The first conversation with it.
    one: &'a Passed,
    carried: Carried<'a>,
    /// Groups that let any through.
    groups: Vec<&'a SgId>,
}

/// The peers of what passed one interface in one direction.
fn met<'a>(passed: &'a [Passed], ways: &Ways<'a>) -> Vec<Met<'a>> {
    let mut met: Vec<Met<'_>> = Vec::new();
    let first = passed.first();
    let Some(eni) = first.and_then(|one| ways.newest.snapshot.enis.get(&one.interface_id)) else {
        return met;
    };
    let mut known: HashMap<IpAddr, Option<usize>> = HashMap::default();
    for one in passed {
        let place = known.entry(one.peer).or_insert_with(|| {
            let carried = ways.carried(eni, one)?;
            met.push(Met {
                one,
                carried,
                groups: Vec::new(),
            });
            met.len().checked_sub(1)
        });
        let Some(met) = place.and_then(|place| met.get_mut(place)) else {
            continue;
        };
        for (group, _) in one.by_group() {
            if !met.groups.contains(&group) {
                met.groups.push(group);
            }
        }
    }
    met
}

/// On which ways references work.
struct Ways<'a> {
    scenes: &'a [Scene<'a>],
    newest: &'a Scene<'a>,
    proven: BTreeSet<Way<'a>>,
    refused: BTreeSet<Way<'a>>,
    /// VPCs in which something may stand between subnets.
    crossed: BTreeSet<&'a VpcId>,
}

impl<'a> Ways<'a> {
    fn of(
        newest: &'a Scene<'a>,
        scenes: &'a [Scene<'a>],
        passed: &'a [Passed],
        rejects: &'a [RejectFinding],
    ) -> Ways<'a> {
        let enis = scenes.iter().flat_map(|scene| scene.snapshot.enis.values());
        let middle = enis.filter(|eni| eni.kind == InterfaceKind::GatewayLoadBalancer);
        let mut ways = Ways {
            scenes,
            newest,
            proven: BTreeSet::new(),
            refused: BTreeSet::new(),
            crossed: middle.filter_map(|eni| eni.vpc_id.as_ref()).collect(),
        };
        let proven = needs::alike(passed).filter(|(first, _)| ways.only_refers(first));
        let proven = proven.flat_map(|(_, run)| run);
        ways.proven = proven
            .filter(|one| !one.in_doubt)
            .filter_map(|one| ways.way(one.interface_id, one.peer, one.direction))
            .collect();
        let refused = rejects.iter().filter(|one| ways.names_the_peer(one));
        ways.refused = refused
            .filter_map(|one| ways.way(one.interface_id, one.peer.addr(), one.direction))
            .collect();
        ways
    }

    /// Whether nothing but references cover it.
    fn only_refers(&self, one: &Passed) -> bool {
        let rules = one.covered_by.iter();
        let mut rules = rules
            .map(|by| self.rule(&by.group_id, &by.rule_id))
            .peekable();
        let refers = |rule: Option<&SgRule>| {
            rule.is_some_and(|rule| matches!(rule.peer, Peer::SecurityGroup(_)))
        };
        rules.peek().is_some() && rules.all(refers)
    }

    fn rule(&self, group: &SgId, rule: &SgRuleId) -> Option<&'a SgRule> {
        let rules = &self.newest.snapshot.groups.get(group)?.rules;
        rules.iter().find(|own| own.id == *rule)
    }

    /// Whether a packet was refused although a rule refers to its peer.
    fn names_the_peer(&self, one: &RejectFinding) -> bool {
        let service = one.port.map_or(PortRange::ALL, PortRange::single);
        let names = |rule: &SgRule| {
            let referred = match &rule.peer {
                Peer::SecurityGroup(id) => one.peer_groups.contains(id),
                Peer::Cidr(_) | Peer::PrefixList(_) => false,
            };
            referred
                && rule.transport.has_protocol(one.protocol)
                && rule.transport.service().overlaps(service)
        };
        let groups = one.group_ids.iter();
        let mut groups = groups.filter_map(|id| self.newest.group(id));
        !one.reply && groups.any(|group| group.rules_of(one.direction).any(names))
    }

    fn way(&self, interface: EniId, peer: IpAddr, direction: Direction) -> Option<Way<'a>> {
        let eni = self.newest.snapshot.enis.get(&interface)?;
        let owner = self.newest.peer(peer, eni).owner()?;
        Some((
            eni.subnet_id.as_ref()?,
            owner.subnet_id.as_ref()?,
            direction,
        ))
    }

    /// What the peer of an interface carried; `None` where no interface owns its
    /// address today.
    fn carried(&self, eni: &'a Eni, one: &Passed) -> Option<Carried<'a>> {
        let today = self.newest.peer(one.peer, eni);
        today.owner()?;
        let mut groups: Option<BTreeSet<SgId>> = None;
        for scene in self.scenes {
            let owners = scene.peer(one.peer, eni).owners;
            let of_all = owners.iter().map(|owner| known_by(eni, owner));
            let own = of_all.reduce(|a, b| a.intersection(&b).cloned().collect());
            let own = own.unwrap_or_default();
            groups = Some(match groups {
                Some(known) => known.intersection(&own).cloned().collect(),
                None => own,
            });
        }
        let works = today
            .owners
            .iter()
            .all(|owner| self.works(eni, owner, one.direction));
        let within = |eni: &&Eni| eni.prefixes.iter().any(|net| net.contains(&one.peer));
        Some(Carried {
            groups: groups.filter(|_| works).unwrap_or_default(),
            vpc: eni.vpc_id.as_ref(),
            delegated: today.owners.iter().any(within),
        })
    }

    /// Whether a reference works between the two, or nothing speaks against it.
    fn works(&self, eni: &'a Eni, owner: &'a Eni, direction: Direction) -> bool {
        let (Some(own), Some(far)) = (&eni.subnet_id, &owner.subnet_id) else {
            return false;
        };
        let way = (own, far, direction);
        if self.refused.contains(&way) {
            return false;
        }
        let crossed = eni
            .vpc_id
            .as_ref()
            .is_some_and(|vpc| self.crossed.contains(vpc));
        own == far || self.proven.contains(&way) || !crossed
    }
}

/// Groups that a reference would know the owner of an address by.
fn known_by(eni: &Eni, owner: &Eni) -> BTreeSet<SgId> {
    let plain = match owner.kind {
        InterfaceKind::Interface
        | InterfaceKind::NetworkLoadBalancer
        | InterfaceKind::LoadBalancer
        | InterfaceKind::VpcEndpoint
        | InterfaceKind::Lambda
        | InterfaceKind::Other => true,
        InterfaceKind::NatGateway
        | InterfaceKind::GatewayLoadBalancer
        | InterfaceKind::TransitGateway
        | InterfaceKind::Efa => false,
    };
    if plain && eni.vpc_id.is_some() && eni.vpc_id == owner.vpc_id {
        owner.groups.iter().cloned().collect()
    } else {
        BTreeSet::new()
    }
}
