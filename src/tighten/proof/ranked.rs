//! The check of proposals for groups whose rules have ranks.
//!
//! Nothing new is allowed in any merge of groups: every rule that is new says
//! less than Accepts of today in the same group that come no later, and every
//! rule that drops is still there ([`check`]). Nothing seen breaks: the lists of
//! all groups of an interface are merged again, by code of its own, and each
//! conversation is put to it from the top ([`lists`]). Other rules than a
//! proposal's may loosen anything: what they open is looked for packet by packet
//! ([`against`]).

pub mod against;
pub mod lists;
mod owned;
mod packets;

use std::collections::BTreeSet;

use crate::attribute::needs::Need;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::tighten::plan::PlannedRule;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::Flow;
use crate::tighten::proof::Outcome;
use crate::tighten::proof::Proof;
use crate::tighten::proof::Said;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::contain;
use crate::tighten::proof::misfiled;

/// Stands for a rule where the default of a group's type let something out.
const BY_DEFAULT: &str = "default";
/// Stands for a rule where the intra-group policy let something in.
const BY_MEMBERSHIP: &str = "members";

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

    /// A rule of another state of the group; `known` is the group today. Where
    /// one of today says the same, it is that one, whatever its id.
    fn beside(rule: &'a SgRule, known: Option<&'a SecurityGroup>) -> Standing<'a> {
        let today = known.into_iter().flat_map(|group| &group.rules);
        let mut same = today.filter(|old| says_the_same(old, rule));
        let first = same.next();
        let own = first.into_iter().chain(same).find(|old| old.id == rule.id);
        Standing {
            id: own.or(first).map(|old| &old.id),
            ..Standing::of_today(rule)
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

/// Whether two rules match the same, the same way, as early as each other.
fn says_the_same(one: &SgRule, other: &SgRule) -> bool {
    let words = |rule: &SgRule| (rule.direction, rank(rule), rule.transport);
    words(one) == words(other) && one.peer == other.peer && one.limits == other.limits
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
            among: need.among,
            today: &covering,
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
