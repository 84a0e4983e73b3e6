//! What was seen under today's ranked rules, against any other rules: what
//! would break, and what would newly open.
//!
//! Where lists are merged, to take a rule away may open as much as to add one,
//! and what a rule does depends on the groups beside it. So nothing is judged
//! by the words of one group: whatever an interface will carry is merged, and
//! asked packet by packet, one for each kind that its rules tell apart.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::slice;

use ipnet::IpNet;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;
use rayon::prelude::*;

use crate::attribute::cover::Unwritten;
use crate::attribute::needs::Passed;
use crate::attribute::needs::RuleRef;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::model::VpcId;
use crate::net::AddressSet;
use crate::net::cidr::host_net;
use crate::tighten::proof::Broken;
use crate::tighten::proof::against::Loss;
use crate::tighten::proof::against::Opened;
use crate::tighten::proof::contain::PacketPeer;
use crate::tighten::proof::ranked::BY_DEFAULT;
use crate::tighten::proof::ranked::BY_MEMBERSHIP;
use crate::tighten::proof::ranked::lists::Lists;
use crate::tighten::proof::ranked::packets::By;
use crate::tighten::proof::ranked::packets::Packets;
use crate::tighten::proof::ranked::packets::World;

/// Today's rules beside others.
#[derive(Clone, Copy, Debug)]
pub struct Against<'a> {
    /// Today.
    pub today: &'a Snapshot,
    /// The other rules, all groups of them.
    pub after: &'a BTreeMap<SgId, SecurityGroup>,
    /// Groups that interfaces will carry, where that changes.
    pub carried: &'a BTreeMap<EniId, Vec<SgId>>,
    /// The state of the cloud that the other rules belong to, where it is known.
    pub other: Option<&'a Snapshot>,
}

/// Interfaces that carry the same groups in one VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    vpc: Option<&'a VpcId>,
    today: &'a [SgId],
    after: &'a [SgId],
}

impl Kind<'_> {
    /// From after to today.
    fn back(self) -> Self {
        Kind {
            vpc: self.vpc,
            today: self.after,
            after: self.today,
        }
    }
}

/// Whether rules have ranks, or drop: then a weaker one may decide, or none.
#[must_use]
pub fn has_ranks(group: &SecurityGroup) -> bool {
    let mut rules = group.rules.iter();
    group.policy.ranked || rules.any(|rule| rule.effect == Effect::Drop)
}

impl<'a> Against<'a> {
    /// Replays all conversations.
    #[must_use]
    pub fn loss(&self, passed: &[Passed]) -> Loss {
        let lists = Lists::beside(self.today, self.after, self.carried, self.other);
        Loss::over(
            passed,
            |one| lists.outcome(one),
            |one, broken| self.rule(one, broken, &lists),
        )
    }

    /// What let a conversation through that would break.
    fn rule(&self, passed: &Passed, broken: &Broken, lists: &Lists<'_>) -> Option<RuleRef> {
        let of_rule = |by: &&RuleRef| by.rule_id == broken.rule_id;
        let known = passed.covered_by.iter().find(of_rule).cloned();
        let own = || self.today.enis.get(&passed.interface_id)?.groups.first();
        let by_policy = || match passed.unwritten {
            Some(Unwritten::Members) => lists.labels(passed).next().or_else(own),
            Some(Unwritten::Default) | None => own(),
        };
        known.or_else(|| {
            Some(RuleRef {
                group_id: by_policy()?.clone(),
                rule_id: broken.rule_id.clone(),
            })
        })
    }

    /// What would newly open, sorted; of each rule that opens something, one
    /// packet.
    #[must_use]
    pub fn opened(&self) -> Vec<Opened> {
        let [today, after] = self.worlds();
        self.opened_of(self.kinds(), [&today, &after])
    }

    /// What passes today and would not after at these interfaces, whether it was
    /// ever seen or not; of each rule that lets it through today, one packet.
    #[must_use]
    pub fn closed(&self, at: &BTreeSet<EniId>) -> Vec<Opened> {
        let [today, after] = self.worlds();
        let enis = at.iter().filter_map(|id| self.today.enis.get(id));
        // What opens on the way back from after to today.
        let kinds = enis.filter_map(|eni| Some((self.kind(eni)?.back(), None)));
        self.opened_of(kinds.collect(), [&after, &today])
    }

    /// What opens at all of these.
    fn opened_of(
        &self,
        kinds: BTreeMap<Kind<'a>, Option<EniId>>,
        worlds: [&World<'a>; 2],
    ) -> Vec<Opened> {
        let kinds: Vec<(Kind<'_>, Option<EniId>)> = kinds.into_iter().collect();
        let found = kinds.par_iter().flat_map_iter(|(kind, eni)| {
            let ways = Direction::BOTH.into_iter();
            ways.flat_map(move |direction| self.opened_at(*kind, *eni, direction, worlds))
        });
        once(found.collect())
    }

    /// Interfaces where something changes beside a group that the snapshot lacks,
    /// each with it: what its rules let through is not known.
    #[must_use]
    pub fn beside_unknown(&self) -> BTreeMap<SgId, EniId> {
        let lists = |other: &Snapshot| other.prefix_lists != self.today.prefix_lists;
        let lists = self.other.is_some_and(lists);
        let changed = self.today.enis.values().filter(|eni| {
            let after = self.groups_of(eni);
            lists || after != eni.groups || after.iter().any(|id| self.changes(id))
        });
        let unknown = changed.flat_map(|eni| {
            let lacks = |id: &&SgId| !self.today.groups.contains_key(*id);
            let lacking = eni.groups.iter().filter(lacks);
            lacking.map(|id| (id.clone(), eni.id))
        });
        unknown.collect()
    }

    fn worlds(&self) -> [World<'a>; 2] {
        let today = World {
            groups: &self.today.groups,
            members: members(self.today, |eni: &'a Eni| eni.groups.as_slice()),
            lists: &self.today.prefix_lists,
        };
        let after = World {
            groups: self.after,
            members: members(self.today, |eni| self.groups_of(eni)),
            lists: self.other.map_or(today.lists, |other| &other.prefix_lists),
        };
        [today, after]
    }

    fn groups_of(&self, eni: &'a Eni) -> &'a [SgId] {
        self.carried.get(&eni.id).unwrap_or(&eni.groups)
    }

    /// What interfaces carry where something of it changes, each with one that
    /// does; and groups that none will carry, each by itself.
    fn kinds(&self) -> BTreeMap<Kind<'a>, Option<EniId>> {
        let mut kinds = BTreeMap::new();
        let mut carried: BTreeSet<&SgId> = BTreeSet::new();
        for eni in self.today.enis.values() {
            carried.extend(self.groups_of(eni));
            if let Some(kind) = self.kind(eni) {
                kinds.entry(kind).or_insert(Some(eni.id));
            }
        }
        let alone = self.after.values();
        let alone = alone.filter(|group| !carried.contains(&group.id));
        for group in alone.filter(|group| self.changes(&group.id)) {
            let today = self.today.groups.get(&group.id);
            let kind = Kind {
                vpc: group.vpc_id.as_ref(),
                today: today
                    .map(|today| slice::from_ref(&today.id))
                    .unwrap_or_default(),
                after: slice::from_ref(&group.id),
            };
            kinds.entry(kind).or_insert(None);
        }
        kinds
    }

    /// What an interface carries, where something of it changes.
    fn kind(&self, eni: &'a Eni) -> Option<Kind<'a>> {
        let kind = Kind {
            vpc: eni.vpc_id.as_ref(),
            today: &eni.groups,
            after: self.groups_of(eni),
        };
        (kind.today != kind.after || self.may_change(kind.after)).then_some(kind)
    }

    /// Whether packets may fare otherwise at interfaces with these groups: by
    /// their rules, or by whom these name.
    fn may_change(&self, groups: &[SgId]) -> bool {
        let elsewhere = self.other.is_some() || !self.carried.is_empty();
        elsewhere || groups.iter().any(|id| self.changes(id))
    }

    fn changes(&self, id: &SgId) -> bool {
        let what = |group: &'a SecurityGroup| (group.policy, &group.rules);
        self.today.groups.get(id).map(what) != self.after.get(id).map(what)
    }

    /// What opens at one kind of interface. `eni` is one of them.
    fn opened_at(
        &self,
        kind: Kind<'a>,
        eni: Option<EniId>,
        direction: Direction,
        worlds: [&World<'a>; 2],
    ) -> Vec<Opened> {
        let vpc = kind.vpc.and_then(|vpc| self.today.vpcs.get(vpc));
        let ranges = vpc.map(|vpc| vpc.cidrs.as_slice()).unwrap_or_default();
        let packets = Packets::new(worlds, [kind.today, kind.after], direction, ranges);
        let all = packets.opened().into_iter();
        let opened = all.filter_map(|(by, packet)| {
            let everybody = || match packet.peer {
                PacketPeer::Address(IpAddr::V6(_)) => IpNet::from(Ipv6Net::default()),
                PacketPeer::Address(IpAddr::V4(_))
                | PacketPeer::Member(_)
                | PacketPeer::Entry(_) => IpNet::from(Ipv4Net::default()),
            };
            let (group_id, rule_id, transport, peer) = match by {
                By::Rule(group, rule) => (
                    &group.id,
                    rule.id.clone(),
                    rule.transport,
                    rule.peer.clone(),
                ),
                // What nothing carried could not be left open either.
                By::Membership(_) | By::Default(_) if kind.today.is_empty() => return None,
                By::Membership(label) => (
                    label,
                    SgRuleId::from(BY_MEMBERSHIP),
                    Transport::All,
                    Peer::SecurityGroup(label.clone()),
                ),
                By::Default(group) => (
                    group,
                    SgRuleId::from(BY_DEFAULT),
                    Transport::All,
                    Peer::Cidr(everybody()),
                ),
            };
            Some(Opened {
                group_id: group_id.clone(),
                direction,
                rule_id,
                interface_id: eni.filter(|_| !kind.today.contains(group_id)),
                transport,
                peer,
                packet,
            })
        });
        opened.collect()
    }
}

/// Of each rule one, sorted.
fn once(found: Vec<Opened>) -> Vec<Opened> {
    let mut by_rule: BTreeMap<_, Opened> = BTreeMap::new();
    for one in found {
        let by = (one.group_id.clone(), one.direction, one.rule_id.clone());
        by_rule.entry((by, one.interface_id)).or_insert(one);
    }
    let mut all: Vec<Opened> = by_rule.into_values().collect();
    all.sort_unstable();
    all
}

/// Addresses of the interfaces that carry each group.
fn members<'a>(
    snapshot: &'a Snapshot,
    groups_of: impl Fn(&'a Eni) -> &'a [SgId],
) -> BTreeMap<&'a SgId, AddressSet> {
    let mut members: BTreeMap<&SgId, AddressSet> = BTreeMap::new();
    for eni in snapshot.enis.values() {
        let hosts = eni.addresses.iter().map(|address| host_net(*address));
        let own: Vec<IpNet> = hosts.chain(eni.prefixes.iter().copied()).collect();
        for group in groups_of(eni) {
            let all = members.entry(group).or_default();
            for net in &own {
                all.insert(*net);
            }
        }
    }
    members
}
