//! The lists of interfaces as they will stand, merged, and conversations put to
//! them from the top.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute::cover::Unwritten;
use crate::attribute::needs::Passed;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::Broken;
use crate::tighten::proof::Outcome;
use crate::tighten::proof::ranked::BY_DEFAULT;
use crate::tighten::proof::ranked::BY_MEMBERSHIP;
use crate::tighten::proof::ranked::Standing;
use crate::tighten::proof::ranked::owned::Owners;
use crate::tighten::proof::ranked::rank;
use crate::tighten::proof::ranked::standing;
use crate::tighten::proof::replay::Replay;
use crate::tighten::proof::service::Service;

/// Replays the conversations of interfaces with ranks against proposals.
#[must_use]
pub fn replay<'a>(
    passed: impl Iterator<Item = &'a Passed>,
    snapshot: &Snapshot,
    proposals: &[Proposal],
) -> Replay {
    let lists = Lists::new(snapshot, proposals);
    let mut replay = Replay::default();
    for one in passed {
        replay.add(one, lists.outcome(one));
    }
    replay.broken.sort_unstable();
    replay
}

/// The rules of every group as they will stand.
pub(super) struct Lists<'a> {
    today: &'a Snapshot,
    after: BTreeMap<(&'a SgId, Direction), Vec<Standing<'a>>>,
    /// Groups whose members will reach each other no more without a rule.
    isolated: BTreeSet<&'a SgId>,
    /// Groups whose members will go on reaching each other without one.
    talks: BTreeSet<&'a SgId>,
    /// Groups that will let out what no rule drops.
    open: BTreeSet<&'a SgId>,
    /// Groups that interfaces will carry, where that changes.
    carried: Option<&'a BTreeMap<EniId, Vec<SgId>>>,
    /// Who has an address today, and what lists hold.
    owners: Owners<'a>,
    /// The same where the rules are those of another state of the cloud.
    other: Option<Owners<'a>>,
}

impl<'a> Lists<'a> {
    /// Today's, with the proposals in force.
    fn new(snapshot: &'a Snapshot, proposals: &'a [Proposal]) -> Lists<'a> {
        let mut lists = Lists::of(snapshot, &snapshot.groups);
        let isolated = proposals.iter().filter(|proposal| proposal.isolates);
        lists.isolated = isolated.map(|proposal| &proposal.group_id).collect();
        lists.talks.retain(|group| !lists.isolated.contains(group));
        for proposal in proposals {
            if let Some(group) = snapshot.groups.get(&proposal.group_id) {
                let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
                let of = (&group.id, proposal.direction);
                lists.after.insert(of, standing(&today, proposal));
            }
        }
        lists
    }

    /// Other rules in the place of today's.
    pub(super) fn beside(
        today: &'a Snapshot,
        after: &'a BTreeMap<SgId, SecurityGroup>,
        carried: &'a BTreeMap<EniId, Vec<SgId>>,
        other: Option<&'a Snapshot>,
    ) -> Lists<'a> {
        let mut lists = Lists::of(today, after);
        let talk = today.groups.values();
        let talk = talk.filter(|group| group.policy.members_talk);
        let isolated = talk.filter(|group| {
            let after = after.get(&group.id);
            after.is_none_or(|after| !after.policy.members_talk)
        });
        lists.isolated = isolated.map(|group| &group.id).collect();
        lists.carried = Some(carried);
        lists.other = other.map(Owners::of);
        lists
    }

    fn of(today: &'a Snapshot, groups: &'a BTreeMap<SgId, SecurityGroup>) -> Lists<'a> {
        let mut after = BTreeMap::new();
        for group in groups.values() {
            for direction in Direction::BOTH {
                let known = today.groups.get(&group.id);
                let rules = group.rules_of(direction);
                let rules = rules.map(|rule| Standing::beside(rule, known)).collect();
                after.insert((&group.id, direction), rules);
            }
        }
        let lets_out = |group: &&SecurityGroup| {
            group.policy.default_effect(Direction::Egress) == Effect::Allow
        };
        let open = groups.values().filter(lets_out);
        let talks = groups.values().filter(|group| group.policy.members_talk);
        Lists {
            today,
            after,
            isolated: BTreeSet::new(),
            talks: talks.map(|group| &group.id).collect(),
            open: open.map(|group| &group.id).collect(),
            carried: None,
            owners: Owners::of(today),
            other: None,
        }
    }

    /// What becomes of a conversation: as the merged list has it, and where
    /// membership may have let it through and will no more, by rules alone.
    pub(super) fn outcome(&self, passed: &Passed) -> Outcome {
        let mut outcome = self.by_list(passed);
        let members =
            passed.unwritten == Some(Unwritten::Members) && passed.direction == Direction::Ingress;
        if !members {
            return outcome;
        }
        if self.surely_shared(passed) {
            return outcome;
        }
        for label in self.labels(passed) {
            let lost = self.isolated.contains(label) || !self.shared_after(passed, label);
            if lost && matches!(outcome, Outcome::Passes) {
                outcome = self.by_rules(passed, label);
            }
        }
        outcome
    }

    /// Whether the peer will be, for all that is known, a fellow member of a group
    /// whose members reach each other.
    fn surely_shared(&self, passed: &Passed) -> bool {
        let own = self.groups_of(passed);
        let mut labels = own.into_iter().filter(|group| self.talks.contains(group));
        passed.direction == Direction::Ingress
            && labels.any(|label| {
                let carries = |eni: &Eni| self.carried_by(eni).contains(label);
                let other = self.other.as_ref();
                let other = other.is_none_or(|owners| {
                    !owners.owned(passed.peer) || owners.all(passed.peer, carries)
                });
                other && self.owners.all(passed.peer, carries)
            })
    }

    /// Groups that an interface of today will carry.
    fn carried_by<'b>(&'b self, eni: &'b Eni) -> &'b [SgId] {
        let changed = self.carried.and_then(|all| all.get(&eni.id));
        changed.unwrap_or(&eni.groups)
    }

    /// Groups by whose policy the peer may have been let in.
    pub(super) fn labels(&self, passed: &Passed) -> impl Iterator<Item = &'a SgId> {
        let groups = self.groups_of_today(passed).iter();
        groups.filter(|group| {
            let talks = self.today.groups.get(*group);
            let talks = talks.is_some_and(|group| group.policy.members_talk);
            talks && self.owners.may_carry(passed.peer, group)
        })
    }

    /// Whether the interface and the peer will both carry the group.
    fn shared_after(&self, passed: &Passed, label: &SgId) -> bool {
        let own = self.groups_of(passed).contains(label);
        let other = self.other.as_ref();
        own && other.is_none_or(|owners| owners.may_carry(passed.peer, label))
    }

    /// Whether rules let through what membership of `label` did: no Drop that
    /// may match comes before Accepts that surely do, which one for the label is.
    fn by_rules(&self, passed: &Passed, label: &SgId) -> Outcome {
        let mut left = vec![Service::from(passed.service)];
        let carries = self.shared_after(passed, label);
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
                    let by = SgRuleId::from(BY_MEMBERSHIP);
                    return breaks(passed, hit, rule.id.unwrap_or(&by));
                }
                continue;
            }
            let labelled = matches!(rule.peer, Peer::SecurityGroup(group) if group == label);
            let labelled = labelled && carries;
            if rule.plain && (labelled || self.is(rule.peer, passed.peer)) {
                let cut = left.iter().flat_map(|part| part.without(own));
                left = cut.flatten().collect();
            }
        }
        match left.first() {
            Some(part) => breaks(passed, *part, &SgRuleId::from(BY_MEMBERSHIP)),
            None => Outcome::Passes,
        }
    }

    /// What becomes of a conversation, asked of the merged list from the top: if
    /// one of the covering rules let it through, and if none did.
    fn by_list(&self, passed: &Passed) -> Outcome {
        let covering = self.covering(passed);
        let gone = || self.groups_of(passed).is_empty() && self.groups_of_today(passed).is_empty();
        if covering.is_empty() && (passed.unwritten.is_none() || gone()) {
            return Outcome::Unexplained;
        }
        if passed.unwritten.is_some()
            && let Outcome::Breaks(broken) = self.by_no_rule(passed)
        {
            return Outcome::Breaks(broken);
        }
        if covering.is_empty() {
            return Outcome::Passes;
        }
        self.by_covering(passed, &covering)
    }

    /// What becomes of it if a covering rule let it through.
    fn by_covering(&self, passed: &Passed, covering: &[&'a SgRule]) -> Outcome {
        let first = covering.iter().map(|rule| rank(rule)).min();
        let asked = Service::from(passed.service);
        let part = |rule: &'a SgRule| {
            let own = Service::of(rule.transport, passed.protocol)?;
            Some((own.common(asked)?, &rule.id))
        };
        let mut left: Vec<(Service, &SgRuleId)> =
            covering.iter().copied().filter_map(part).collect();
        if left.is_empty() {
            return Outcome::Unexplained;
        }
        for rule in self.merged(passed) {
            let Some(own) = Service::of(rule.transport, passed.protocol) else {
                continue;
            };
            if !rule.rank.1 {
                // A Drop of today that came before did not match.
                let new = rule.id.is_none() || self.moves(rule.peer, passed.peer);
                let stops = (new || first.is_some_and(|first| rule.rank > first))
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
            if (known || rule.plain) && self.surely_is(rule.peer, passed.peer, covering) {
                let cut =
                    |(part, id): &(Service, _)| part.without(own).map(|rest| Some((rest?, *id)));
                left = left.iter().flat_map(cut).flatten().collect();
            }
            if left.is_empty() {
                return Outcome::Passes;
            }
        }
        // No Drop that may match is left, so the default lets out what it does.
        let unruled = self.lets_out(passed) || self.surely_shared(passed);
        match left.first() {
            Some((part, id)) if !unruled => breaks(passed, *part, id),
            Some(_) | None => Outcome::Passes,
        }
    }

    /// What becomes of it if no rule of today let it through: a Drop that stands
    /// for the same as it did does not match, an Accept that surely matches comes
    /// before new ones.
    fn by_no_rule(&self, passed: &Passed) -> Outcome {
        let by = SgRuleId::from(match passed.unwritten {
            Some(Unwritten::Members) => BY_MEMBERSHIP,
            Some(Unwritten::Default) | None => BY_DEFAULT,
        });
        let mut left = vec![Service::from(passed.service)];
        for rule in self.merged(passed) {
            let Some(own) = Service::of(rule.transport, passed.protocol) else {
                continue;
            };
            if rule.rank.1 {
                if rule.plain && self.is(rule.peer, passed.peer) {
                    let cut = left.iter().flat_map(|part| part.without(own));
                    left = cut.flatten().collect();
                }
                continue;
            }
            let new = rule.id.is_none() || self.moves(rule.peer, passed.peer);
            let hit = left.iter().find(|part| part.common(own).is_some());
            if let (true, Some(part)) = (new && self.may_be(rule.peer, passed.peer), hit) {
                return breaks(passed, *part, &by);
            }
        }
        // Whether membership still does is asked elsewhere.
        let unruled = passed.unwritten == Some(Unwritten::Members) || self.lets_out(passed);
        match left.first() {
            Some(part) if !unruled => breaks(passed, *part, &by),
            Some(_) | None => Outcome::Passes,
        }
    }

    /// Whether what no rule matches will go out.
    fn lets_out(&self, passed: &Passed) -> bool {
        let groups = self.groups_of(passed);
        // What a group does that no snapshot holds, it goes on doing.
        let unknown = |group: &SgId| {
            !self.today.groups.contains_key(group)
                && !self.after.contains_key(&(group, Direction::Egress))
        };
        let open = |group: &&SgId| self.open.contains(*group) || unknown(group);
        passed.direction == Direction::Egress && !groups.is_empty() && groups.iter().all(open)
    }

    fn covering(&self, passed: &Passed) -> Vec<&'a SgRule> {
        let rules = passed.covered_by.iter().filter_map(|by| {
            let group = self.today.groups.get(&by.group_id)?;
            group.rules.iter().find(|rule| rule.id == by.rule_id)
        });
        rules.collect()
    }

    /// The rules of all groups of the interface, strongest first. To an interface
    /// that comes to carry a group, its rules are new.
    fn merged(&self, passed: &Passed) -> Vec<Standing<'a>> {
        let today = self.groups_of_today(passed);
        let mut merged: Vec<Standing<'_>> = Vec::new();
        for group in self.groups_of(passed) {
            let rules = self.after.get(&(group, passed.direction));
            let known = today.contains(group);
            merged.extend(rules.into_iter().flatten().map(|rule| Standing {
                id: rule.id.filter(|_| known),
                ..*rule
            }));
        }
        merged.sort_by_key(|rule| rule.rank);
        merged
    }

    /// Groups that the interface of a conversation carries.
    fn groups_of_today(&self, passed: &Passed) -> &'a [SgId] {
        let eni = self.today.enis.get(&passed.interface_id);
        eni.map(|eni| eni.groups.as_slice()).unwrap_or_default()
    }

    /// Groups that it will carry; of one that is no more, those that let the
    /// conversation in.
    fn groups_of<'b>(&'b self, passed: &'b Passed) -> BTreeSet<&'b SgId> {
        let own = self.today.enis.get(&passed.interface_id);
        let changed = self.carried.and_then(|all| all.get(&passed.interface_id));
        match changed.or(own.map(|eni| &eni.groups)) {
            Some(groups) => groups.iter().collect(),
            None => passed.covered_by.iter().map(|by| &by.group_id).collect(),
        }
    }

    /// Whether a Drop may match: by today's members and entries, or by those of
    /// the other state of the cloud.
    fn may_be(&self, peer: &Peer, address: IpAddr) -> bool {
        let other = self.other.as_ref();
        self.owners.may_be(peer, address)
            || other.is_some_and(|owners| owners.may_be(peer, address))
    }

    /// Whether a name stands for the address in one state and not in the other.
    fn moves(&self, peer: &Peer, address: IpAddr) -> bool {
        let today = self.owners.may_be(peer, address);
        let other = self.other.as_ref();
        other.is_some_and(|owners| owners.may_be(peer, address) != today)
    }

    /// Whether the address is known to be whom the rule names, whatever let it
    /// in until now.
    fn is(&self, peer: &Peer, address: IpAddr) -> bool {
        let other = self.other.as_ref();
        other.unwrap_or(&self.owners).is(peer, address)
    }

    /// Whether an Accept surely matches: a name does that stood for the peer when
    /// it came, unless it stands for others in the other state of the cloud.
    fn surely_is(&self, peer: &Peer, address: IpAddr, covering: &[&SgRule]) -> bool {
        let named = covering.iter().any(|rule| rule.peer == *peer);
        match (peer, &self.other) {
            (Peer::Cidr(net), _) => net.contains(&address),
            (Peer::SecurityGroup(_) | Peer::PrefixList(_), None) => named || self.is(peer, address),
            (Peer::SecurityGroup(group), Some(owners)) => {
                named && owners.may_carry(address, group) || self.is(peer, address)
            }
            (Peer::PrefixList(_), Some(owners)) => owners.holds(peer, address).unwrap_or(named),
        }
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
