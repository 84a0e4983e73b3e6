//! Rules of which stronger ones decide everything on every interface, by their
//! words alone: nothing that logs say can show them used.
//!
//! A rule is a box of protocols, services, opener's ports and peers; the boxes
//! of all rules that come before it on an interface are cut out of it. Where
//! something is left there, or may be, the rule is not shadowed. A reference
//! lies within the addresses that its members may have, and is cut by the same
//! reference, or by rules for all of these addresses; it never cuts addresses.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::attribute::matching::Fit;
use crate::attribute::matching::groups_of;
use crate::attribute::matching::local_fit;
use crate::attribute::scene::Scene;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::net::PortRange;
use crate::net::cidr::net_bounds;

/// Pieces beyond which a rule is taken to have something left.
const MOST_PIECES: usize = 20_000;

/// The rules that shadow each shadowed rule, by group and id.
pub type Shadows = BTreeMap<(SgId, SgRuleId), BTreeSet<SgRuleId>>;

/// Closed interval on one axis.
type Side = (u128, u128);

/// Protocol, service, opener's port, peer. A reference is one point of its own
/// space on the last axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece([Side; 4]);

/// The space that a peer lies in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    V4,
    V6,
    Named(Peer),
}

/// What all rules of a snapshot shadow.
#[must_use]
pub fn shadows(scene: &Scene<'_>) -> Shadows {
    let mut shadows: BTreeMap<(SgId, SgRuleId), Option<BTreeSet<SgRuleId>>> = BTreeMap::new();
    for (group, places) in places(scene) {
        for rule in &group.rules {
            if rule.priority.is_none() {
                continue;
            }
            let by = places.iter().map(|eni| shadowed(rule, eni, scene));
            let all: Option<Vec<BTreeSet<SgRuleId>>> = by.collect();
            let all = all.map(|sets| sets.into_iter().flatten().collect());
            shadows.insert((group.id.clone(), rule.id.clone()), all);
        }
    }
    let found = shadows.into_iter();
    found.filter_map(|(key, by)| Some((key, by?))).collect()
}

/// For each group with ranks that is carried: interfaces that stand for all
/// that carry it, one for each set of groups.
fn places<'a>(scene: &Scene<'a>) -> Vec<(&'a SecurityGroup, Vec<&'a Eni>)> {
    let mut by_group: BTreeMap<&SgId, BTreeMap<Like<'_>, &Eni>> = BTreeMap::new();
    for eni in scene.snapshot.enis.values() {
        let groups = groups_of(eni, scene).0;
        if !groups.iter().any(|group| group.policy.ranked) {
            continue;
        }
        let mut rules = groups.iter().flat_map(|group| &group.rules);
        let local = rules.any(|rule| rule.limits.local.is_some());
        let mut set: Vec<&SgId> = eni.groups.iter().collect();
        set.sort_unstable();
        let like = (set, local.then_some(eni.id));
        for group in &eni.groups {
            let places = by_group.entry(group).or_default();
            places.entry(like.clone()).or_insert(eni);
        }
    }
    let found = by_group.into_iter();
    found
        .filter_map(|(id, places)| Some((scene.group(id)?, places.into_values().collect())))
        .collect()
}

/// Interfaces on which the same rules come before each other.
type Like<'a> = (Vec<&'a SgId>, Option<EniId>);

/// The stronger rules that leave nothing of a rule on an interface; `None`
/// where they leave something.
fn shadowed(rule: &SgRule, eni: &Eni, scene: &Scene<'_>) -> Option<BTreeSet<SgRuleId>> {
    let groups = groups_of(eni, scene).0;
    let rules = groups
        .iter()
        .flat_map(|group| group.rules_of(rule.direction));
    let mut stronger: Vec<&SgRule> = rules
        .filter(|other| rank(other) < rank(rule) && is_sure(other))
        .collect();
    stronger.sort_by_key(|other| (rank(other), &other.id));
    let mut by = BTreeSet::new();
    for (space, piece) in extent(rule, scene) {
        let left = cut(vec![piece], &space, &stronger, eni, scene, &mut by)?;
        if left.is_empty() {
            continue;
        }
        let Space::Named(peer) = &space else {
            return None;
        };
        // What no rule names is looked for among the addresses it may have.
        for net in reach(peer, scene) {
            let (space, side) = of_net(net);
            let there = left.iter().map(|piece| piece.with_peer(side)).collect();
            if !cut(there, &space, &stronger, eni, scene, &mut by)?.is_empty() {
                return None;
            }
        }
    }
    Some(by)
}

fn rank(rule: &SgRule) -> (u16, bool) {
    (
        rule.priority.unwrap_or_default(),
        rule.effect == Effect::Allow,
    )
}

/// Whether it is known what the rule matches, its peers aside.
fn is_sure(rule: &SgRule) -> bool {
    rule.limits.port_list.is_none()
}

/// What is left of the pieces of a space; `None` where they are too many.
fn cut(
    mut left: Vec<Piece>,
    space: &Space,
    stronger: &[&SgRule],
    eni: &Eni,
    scene: &Scene<'_>,
    by: &mut BTreeSet<SgRuleId>,
) -> Option<Vec<Piece>> {
    for rule in stronger {
        if left.is_empty() {
            break;
        }
        let v4 = match space {
            Space::V4 => Some(true),
            Space::V6 => Some(false),
            Space::Named(_) => None,
        };
        if !at_every_address(rule, eni, v4) {
            continue;
        }
        for (_, gone) in extent(rule, scene).filter(|(own, _)| own == space) {
            let before = left.clone();
            left = left.iter().flat_map(|piece| piece.without(&gone)).collect();
            if left != before {
                by.insert(rule.id.clone());
            }
            if left.len() > MOST_PIECES {
                return None;
            }
        }
    }
    Some(left)
}

/// Whether the rule is for every address that the interface has of a family.
fn at_every_address(rule: &SgRule, eni: &Eni, v4: Option<bool>) -> bool {
    let Some(net) = rule.limits.local else {
        return true;
    };
    v4.is_some_and(|v4| local_fit(net, eni, v4) == Fit::Whole)
}

/// The boxes of a rule, each with its space.
fn extent<'s>(rule: &SgRule, scene: &'s Scene<'_>) -> impl Iterator<Item = (Space, Piece)> + 's {
    let sides = [
        protocols(rule),
        ports(rule.transport.service()),
        ports(rule.limits.source_ports.unwrap_or(PortRange::ALL)),
    ];
    let nets: Vec<(Space, Side)> = match &rule.peer {
        Peer::Cidr(net) => vec![of_net(*net)],
        Peer::PrefixList(list) => match scene.entries(list) {
            Some(entries) => entries.iter().map(|net| of_net(*net)).collect(),
            None => vec![(Space::Named(rule.peer.clone()), (0, 0))],
        },
        Peer::SecurityGroup(_) => vec![(Space::Named(rule.peer.clone()), (0, 0))],
    };
    nets.into_iter().map(move |(space, peer)| {
        let [protocols, services, sources] = sides;
        (space, Piece([protocols, services, sources, peer]))
    })
}

fn protocols(rule: &SgRule) -> Side {
    let one = rule.transport.protocol();
    one.map_or((0, u128::from(u8::MAX)), |one| {
        (u128::from(one.0), u128::from(one.0))
    })
}

fn ports(range: PortRange) -> Side {
    (u128::from(range.from()), u128::from(range.to()))
}

fn of_net(net: IpNet) -> (Space, Side) {
    let space = match net {
        IpNet::V4(_) => Space::V4,
        IpNet::V6(_) => Space::V6,
    };
    (space, net_bounds(net))
}

/// Addresses that whom a reference names may have: for a group those of its
/// VPC, where they are known; else all there are.
fn reach(peer: &Peer, scene: &Scene<'_>) -> Vec<IpNet> {
    let of_group = |group: &SgId| {
        let vpc = scene.group(group)?.vpc_id.as_ref()?;
        let cidrs = &scene.snapshot.vpcs.get(vpc)?.cidrs;
        (!cidrs.is_empty()).then(|| cidrs.clone())
    };
    let known = match peer {
        Peer::SecurityGroup(group) => of_group(group),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    };
    known.unwrap_or_else(|| {
        let all = [
            IpNet::V4(ipnet::Ipv4Net::default()),
            IpNet::V6(ipnet::Ipv6Net::default()),
        ];
        all.to_vec()
    })
}

impl Piece {
    fn with_peer(self, side: Side) -> Piece {
        let [protocols, services, sources, _] = self.0;
        Piece([protocols, services, sources, side])
    }

    /// What is left when the other is cut out, in disjoint pieces.
    fn without(self, gone: &Piece) -> Vec<Piece> {
        let mut left = Vec::new();
        let mut core = self;
        for (axis, cut) in gone.0.iter().enumerate() {
            let Some(own) = core.0.get(axis).copied() else {
                break;
            };
            let common = (own.0.max(cut.0), own.1.min(cut.1));
            if common.0 > common.1 {
                return vec![self];
            }
            if own.0 < common.0 {
                left.push(core.with(axis, (own.0, common.0 - 1)));
            }
            if common.1 < own.1 {
                left.push(core.with(axis, (common.1 + 1, own.1)));
            }
            core = core.with(axis, common);
        }
        left
    }

    fn with(mut self, axis: usize, side: Side) -> Piece {
        if let Some(own) = self.0.get_mut(axis) {
            *own = side;
        }
        self
    }
}
