//! The check of proposals for groups whose rules have ranks.
//!
//! Nothing new is allowed in any merge of groups: every rule that is new says
//! less than Accepts of today in the same group that come no later, and every
//! rule that drops is still there ([`check`]). Nothing seen breaks: the lists of
//! all groups of an interface are merged again, by code of its own, and each
//! conversation is put to it from the top ([`replay`]).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute::cover::Unwritten;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::tighten::plan::PlannedRule;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::Broken;
use crate::tighten::proof::Flow;
use crate::tighten::proof::Outcome;
use crate::tighten::proof::Proof;
use crate::tighten::proof::Said;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::contain;
use crate::tighten::proof::misfiled;
use crate::tighten::proof::replay::Replay;
use crate::tighten::proof::service::Service;

/// Number, then what drops before what allows.
type Rank = (u16, bool);

/// A rule as it will stand.
#[derive(Clone, Copy, Debug)]
struct Standing<'a> {
    rank: Rank,
    transport: Transport,
    peer: &'a Peer,
    /// Whether it asks for nothing beside them.
    plain: bool,
    /// Its id, where it is one of today.
    id: Option<&'a SgRuleId>,
}

impl<'a> Standing<'a> {
    fn of_today(rule: &'a SgRule) -> Standing<'a> {
        Standing {
            rank: rank(rule),
            transport: rule.transport,
            peer: &rule.peer,
            plain: rule.limits.is_empty(),
            id: Some(&rule.id),
        }
    }

    fn planned(rule: &'a PlannedRule) -> Standing<'a> {
        Standing {
            rank: (
                rule.priority.unwrap_or_default(),
                rule.effect == Effect::Allow,
            ),
            transport: rule.transport,
            peer: &rule.peer,
            plain: true,
            id: None,
        }
    }
}

fn rank(rule: &SgRule) -> Rank {
    (
        rule.priority.unwrap_or_default(),
        rule.effect == Effect::Allow,
    )
}

/// Checks a proposal for one direction of a group by the words of its rules.
#[must_use]
pub fn check(
    group: &SecurityGroup,
    proposal: &Proposal,
    needs: &[Need],
    book: Option<&Book<'_>>,
) -> Proof {
    let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
    let mut proof = Proof {
        misfiled: misfiled(&today, proposal),
        ..Proof::default()
    };
    let kept: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
    let lost = today
        .iter()
        .filter(|rule| rule.effect == Effect::Drop && !kept.contains(&rule.id));
    proof.misfiled.extend(lost.map(|rule| rule.id.clone()));
    let accepts = proposal.rules.iter().map(Standing::planned);
    for planned in accepts.filter(|rule| rule.rank.1) {
        let behind = |default: bool| {
            book.is_some_and(|book| {
                is_behind_all(group, proposal.direction, planned.rank, default, book)
            })
        };
        if behind(true) || lets_members_in(group, proposal.direction, planned.peer) && behind(false)
        {
            continue;
        }
        let before = today.iter().map(|rule| Standing::of_today(rule));
        let old: Vec<Said<'_>> = before
            .filter(|old| old.rank.1 && old.plain && old.rank <= planned.rank)
            .map(|old| (old.transport, old.peer))
            .collect();
        let beyond = contain::beyond(planned.transport, planned.peer, &old);
        proof.widened.extend(beyond);
    }
    let after = standing(&today, proposal);
    for need in needs {
        let covering = today
            .iter()
            .filter(|rule| need.covered_by.contains(&rule.id));
        let covering: Vec<&SgRule> = covering.copied().collect();
        let ranks: BTreeSet<Rank> = covering.iter().map(|rule| rank(rule)).collect();
        let limited = covering
            .iter()
            .any(|rule| kept.contains(&rule.id) && !rule.limits.is_empty());
        let flow = Flow {
            protocol: need.protocol,
            service: need.service,
            peer: need.peer,
            today: covering,
            book: None,
            lists: None,
            other: None,
        };
        let same = after.iter().filter(|rule| ranks.contains(&rule.rank));
        let same = same.filter(|rule| rule.plain || limited);
        match flow.outcome(same.map(|rule| (rule.transport, rule.peer))) {
            Outcome::Unexplained => proof.unexplained += 1,
            Outcome::Passes => proof.witnesses += 1,
            Outcome::Breaks(broken) => proof.broken.push(broken),
        }
    }
    let broken = u64::try_from(proof.broken.len()).unwrap_or(u64::MAX);
    proof.connections = proof.witnesses.saturating_add(broken);
    proof
}

/// Whether the peer is whoever the group's own policy lets in today. A rule for
/// it behind every Drop opens nothing, wherever the policy stands among rules.
fn lets_members_in(group: &SecurityGroup, direction: Direction, peer: &Peer) -> bool {
    let own = matches!(peer, Peer::SecurityGroup(label) if *label == group.id);
    own && group.policy.members_talk && direction == Direction::Ingress
}

/// Whether a new Accept of this rank comes behind every Drop of every group that
/// shares an interface with this one and, where that is asked, whether all of
/// them let through what no rule drops: then it lets nothing through that was
/// not let through before.
fn is_behind_all(
    group: &SecurityGroup,
    direction: Direction,
    rank: Rank,
    default: bool,
    book: &Book<'_>,
) -> bool {
    let today = book.today();
    let carriers = today.enis.values();
    let carriers = carriers.filter(|eni| eni.groups.contains(&group.id));
    let mut groups = carriers.flat_map(|eni| &eni.groups);
    groups.all(|id| {
        let Some(other) = today.groups.get(id) else {
            return false;
        };
        let mut drops = other
            .rules_of(direction)
            .filter(|rule| rule.effect == Effect::Drop);
        let open = !default || other.policy.default_effect(direction) == Effect::Allow;
        open && drops.all(|rule| self::rank(rule) < rank)
    })
}

/// The rules that a proposal leaves in force.
fn standing<'a>(today: &[&'a SgRule], proposal: &'a Proposal) -> Vec<Standing<'a>> {
    let keep: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
    let kept = today.iter().filter(|rule| keep.contains(&rule.id));
    let kept = kept.map(|rule| Standing::of_today(rule));
    kept.chain(proposal.rules.iter().map(Standing::planned))
        .collect()
}

/// Whether the interface has a group whose rules have ranks.
#[must_use]
pub fn is_ranked(eni: &Eni, snapshot: &Snapshot) -> bool {
    let groups = eni.groups.iter().filter_map(|id| snapshot.groups.get(id));
    { groups }.any(|group| group.policy.ranked)
}

/// Replays the conversations of interfaces with ranks.
#[must_use]
pub fn replay<'a>(
    passed: impl Iterator<Item = &'a Passed>,
    snapshot: &Snapshot,
    proposals: &[Proposal],
) -> Replay {
    let lists = Lists::new(snapshot, proposals);
    let mut replay = Replay::default();
    for one in passed {
        match lists.outcome(one) {
            Outcome::Unexplained => replay.unexplained += 1,
            Outcome::Passes => {
                replay.connections += 1;
                replay.witnesses += 1;
            }
            Outcome::Breaks(broken) => {
                replay.connections += 1;
                replay
                    .broken
                    .push((one.interface_id, one.direction, broken));
            }
        }
    }
    replay.broken.sort_unstable();
    replay
}

/// The rules of every group as they will stand.
struct Lists<'a> {
    snapshot: &'a Snapshot,
    after: BTreeMap<(&'a SgId, Direction), Vec<Standing<'a>>>,
    /// Groups whose members will reach each other no more without a rule.
    isolated: BTreeSet<&'a SgId>,
    /// Who has an address.
    owners: BTreeMap<IpAddr, Vec<&'a Eni>>,
}

impl<'a> Lists<'a> {
    fn new(snapshot: &'a Snapshot, proposals: &'a [Proposal]) -> Lists<'a> {
        let mut after = BTreeMap::new();
        let isolated = proposals.iter().filter(|proposal| proposal.isolates);
        let isolated = isolated.map(|proposal| &proposal.group_id).collect();
        for group in snapshot.groups.values() {
            for direction in Direction::BOTH {
                let rules = group.rules_of(direction).map(Standing::of_today);
                after.insert((&group.id, direction), rules.collect());
            }
        }
        for proposal in proposals {
            if let Some(group) = snapshot.groups.get(&proposal.group_id) {
                let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
                let of = (&group.id, proposal.direction);
                after.insert(of, standing(&today, proposal));
            }
        }
        let mut owners: BTreeMap<IpAddr, Vec<&Eni>> = BTreeMap::new();
        for eni in snapshot.enis.values() {
            for address in &eni.addresses {
                owners.entry(*address).or_default().push(eni);
            }
        }
        Lists {
            snapshot,
            after,
            isolated,
            owners,
        }
    }

    /// What becomes of a conversation: as the merged list has it, and where
    /// membership may have let it through and will no more, by rules alone.
    fn outcome(&self, passed: &Passed) -> Outcome {
        let mut outcome = self.by_list(passed);
        let members =
            passed.unwritten == Some(Unwritten::Members) && passed.direction == Direction::Ingress;
        let eni = self.snapshot.enis.get(&passed.interface_id);
        let owners = self.owners.get(&passed.peer);
        for group in eni.into_iter().flat_map(|eni| &eni.groups) {
            let talks = self.snapshot.groups.get(group);
            let talks = talks.is_some_and(|group| group.policy.members_talk);
            let shares =
                owners.is_none_or(|owners| owners.iter().any(|own| own.groups.contains(group)));
            let isolated = members && talks && shares && self.isolated.contains(group);
            if isolated && matches!(outcome, Outcome::Passes) {
                outcome = self.by_rules(passed, group);
            }
        }
        outcome
    }

    /// Whether rules let through what membership of `label` did: no Drop that
    /// may match comes before Accepts that surely do, which one for the label is.
    fn by_rules(&self, passed: &Passed, label: &SgId) -> Outcome {
        let covering = self.covering(passed);
        let mut left = vec![Service::from(passed.service)];
        for rule in self.merged(passed) {
            let Some(own) = Service::of(rule.transport, passed.protocol) else {
                continue;
            };
            let hit = left.iter().find(|part| part.common(own).is_some()).copied();
            let Some(hit) = hit else {
                continue;
            };
            if !rule.rank.1 {
                if self.may_be(rule.peer, passed.peer) {
                    return breaks(passed, hit, rule.id.unwrap_or(&SgRuleId::from("members")));
                }
                continue;
            }
            let labelled = matches!(rule.peer, Peer::SecurityGroup(group) if group == label);
            if rule.plain && (labelled || surely_is(rule.peer, passed.peer, &covering)) {
                let cut = left.iter().flat_map(|part| part.without(own));
                left = cut.flatten().collect();
            }
        }
        match left.first() {
            Some(part) => breaks(passed, *part, &SgRuleId::from("members")),
            None => Outcome::Passes,
        }
    }

    /// What becomes of a conversation, asked of the merged list from the top.
    fn by_list(&self, passed: &Passed) -> Outcome {
        let covering = self.covering(passed);
        if covering.is_empty() && passed.unwritten.is_none() {
            return Outcome::Unexplained;
        }
        // Without a rule, no Drop of today was in the way.
        let first = covering.iter().map(|rule| rank(rule)).min();
        let by_default = SgRuleId::from("default");
        let asked = Service::from(passed.service);
        let part = |rule: &'a SgRule| {
            let own = Service::of(rule.transport, passed.protocol)?;
            Some((own.common(asked)?, &rule.id))
        };
        let mut left: Vec<(Service, &SgRuleId)> =
            covering.iter().copied().filter_map(part).collect();
        if covering.is_empty() {
            left.push((asked, &by_default));
        }
        if left.is_empty() {
            return Outcome::Unexplained;
        }
        for rule in self.merged(passed) {
            let Some(own) = Service::of(rule.transport, passed.protocol) else {
                continue;
            };
            if !rule.rank.1 {
                // A Drop of today that came before did not match.
                let stops = (rule.id.is_none() || first.is_some_and(|first| rule.rank > first))
                    && self.may_be(rule.peer, passed.peer);
                let hit = left.iter().find(|(part, _)| part.common(own).is_some());
                if let (true, Some((part, id))) = (stops, hit) {
                    return breaks(passed, *part, id);
                }
                continue;
            }
            let known = rule
                .id
                .is_some_and(|id| covering.iter().any(|old| old.id == *id));
            if known || rule.plain && surely_is(rule.peer, passed.peer, &covering) {
                let cut =
                    |(part, id): &(Service, _)| part.without(own).map(|rest| Some((rest?, *id)));
                left = left.iter().flat_map(cut).flatten().collect();
            }
            if left.is_empty() {
                return Outcome::Passes;
            }
        }
        match left.first() {
            Some((part, id)) if passed.unwritten.is_none() => breaks(passed, *part, id),
            Some(_) | None => Outcome::Passes,
        }
    }

    fn covering(&self, passed: &Passed) -> Vec<&'a SgRule> {
        let rules = passed.covered_by.iter().filter_map(|by| {
            let group = self.snapshot.groups.get(&by.group_id)?;
            group.rules.iter().find(|rule| rule.id == by.rule_id)
        });
        rules.collect()
    }

    /// The rules of all groups of the interface, strongest first.
    fn merged(&self, passed: &Passed) -> Vec<Standing<'a>> {
        let eni = self.snapshot.enis.get(&passed.interface_id);
        let groups = eni.into_iter().flat_map(|eni| &eni.groups);
        let lists = groups.filter_map(|group| self.after.get(&(group, passed.direction)));
        let mut merged: Vec<Standing<'_>> = lists.flatten().copied().collect();
        merged.sort_by_key(|rule| rule.rank);
        merged
    }

    fn may_be(&self, peer: &Peer, address: IpAddr) -> bool {
        match peer {
            Peer::Cidr(net) => net.contains(&address),
            Peer::SecurityGroup(group) => {
                let owners = self.owners.get(&address);
                owners.is_none_or(|owners| owners.iter().any(|eni| eni.groups.contains(group)))
            }
            Peer::PrefixList(id) => {
                let list = self.snapshot.prefix_lists.get(id);
                let entries = list.and_then(|list| list.entries.as_ref());
                entries.is_none_or(|entries| entries.iter().any(|net| net.contains(&address)))
            }
        }
    }
}

fn surely_is(peer: &Peer, address: IpAddr, covering: &[&SgRule]) -> bool {
    let named = covering.iter().any(|rule| rule.peer == *peer);
    match peer {
        Peer::Cidr(net) => net.contains(&address),
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => named,
    }
}

fn breaks(passed: &Passed, part: Service, id: &SgRuleId) -> Outcome {
    Outcome::Breaks(Broken {
        protocol: passed.protocol,
        service: part.range(),
        peer: passed.peer,
        rule_id: id.clone(),
    })
}
