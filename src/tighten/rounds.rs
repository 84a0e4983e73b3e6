//! Proposing until proposing again would change nothing.
//!
//! Whoever applies a proposal and asks again should hear that nothing is left
//! to do. What was fitted settles by itself ([`fn@crate::tighten::fit::fit`]);
//! but where rules stay that are not worth narrowing, or say together what was
//! fitted, others may have more room than they had. So the rules as they would
//! stand are put to the same question, until the answer is to leave them.

use std::collections::BTreeMap;
use std::ops::Range;

use ipnet::IpNet;

use crate::attribute::needs::Need;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::tighten::case::Case;
use crate::tighten::case::Standing;
use crate::tighten::fit::Fitted;
use crate::tighten::pairing::Paired;
use crate::tighten::pairing::Said;
use crate::tighten::pairing::meets;
use crate::tighten::pairing::pair;
use crate::tighten::plan::PlannedRule;
use crate::tighten::propose::Work;
use crate::tighten::propose::said;

/// Rounds after which the last answer stands. Each only takes away; two nearly
/// always do.
const ROUNDS: usize = 8;

/// What should stand, and how it was found.
pub(crate) struct Settled {
    /// `None` where nothing narrower fits the quota.
    pub(crate) fitted: Option<Fitted>,
    pub(crate) paired: Paired,
}

impl Work<'_> {
    /// The answer after which asking again changes nothing.
    pub(crate) fn settled(&self) -> Settled {
        let (mut settled, mut done) = self.once();
        if done {
            return settled;
        }
        let mut world = World::after(self.case, &self.free, &settled.paired);
        for _ in 1..ROUNDS {
            let case = world.case(self.case);
            let next;
            (next, done) = Work::new(&case).once();
            if next.paired.rules.is_empty() && next.paired.remove.is_empty() {
                break;
            }
            let after = World::after(&case, &Work::new(&case).free, &next.paired);
            settled.fitted = joined(settled.fitted, next.fitted);
            world = after;
            if done {
                break;
            }
        }
        let standing: Vec<Said> = world.free(self.case.direction).map(said).collect();
        settled.paired = pair(&standing, &self.free, &self.case.references.reach);
        settled
    }
}

/// What is told of both rounds: what the last one found, and what holds of any.
fn joined(first: Option<Fitted>, last: Option<Fitted>) -> Option<Fitted> {
    match (first, last) {
        (Some(first), Some(mut last)) => {
            last.squeezed |= first.squeezed;
            for (group, peers) in first.introduced {
                last.introduced.entry(group).or_default().extend(peers);
            }
            Some(last)
        }
        (first, last) => last.or(first),
    }
}

/// The rules as they would stand, and what is needed of them.
struct World {
    group: SecurityGroup,
    needs: Vec<Need>,
    standing: BTreeMap<SgRuleId, Standing>,
}

impl World {
    fn after(case: &Case<'_>, free: &[&SgRule], paired: &Paired) -> World {
        let mut group = case.group.clone();
        // Longer than any id there is, so that none is met twice.
        let longest = group.rules.iter().map(|rule| rule.id.as_str().len()).max();
        let width = longest.unwrap_or(0) + 1;
        let id = |at: usize| SgRuleId::from(format!("{at:~>width$}").as_str());
        let is_gone = |id: &SgRuleId| {
            let is_free = free.iter().any(|rule| rule.id == *id);
            is_free && !paired.keep.contains(id)
        };
        group.rules.retain(|rule| !is_gone(&rule.id));
        let stays = |rule: &SgRule| Some((rule.id.clone(), case.standing.get(&rule.id)?.clone()));
        let mut standing: BTreeMap<_, _> = group.rules.iter().filter_map(stays).collect();
        for (at, planned) in paired.rules.iter().enumerate() {
            standing.insert(id(at), Standing::Free);
            group.rules.push(SgRule {
                id: id(at),
                direction: case.direction,
                effect: Effect::Allow,
                priority: None,
                transport: planned.transport,
                peer: planned.peer.clone(),
                limits: Limits::default(),
                description: String::new(),
            });
        }
        let mut needs = case.needs.to_vec();
        needs.sort_by_key(|need| need.peer);
        let added = carriers(case, &needs, &paired.rules);
        for (need, added) in needs.iter_mut().zip(added) {
            need.covered_by.retain(|id| !is_gone(id));
            need.covered_by.extend(added.into_iter().map(id));
            need.covered_by.sort_unstable();
        }
        needs.retain(|need| !need.covered_by.is_empty());
        needs.sort_unstable();
        World {
            group,
            needs,
            standing,
        }
    }

    /// The same question of these rules.
    fn case<'a>(&'a self, case: &'a Case<'_>) -> Case<'a> {
        Case {
            group: &self.group,
            needs: &self.needs,
            standing: &self.standing,
            watch: case.watch.clone(),
            ..*case
        }
    }

    /// Rules that may be changed.
    fn free(&self, direction: Direction) -> impl Iterator<Item = &SgRule> {
        let is_free = |rule: &&SgRule| self.standing.get(&rule.id) == Some(&Standing::Free);
        self.group.rules_of(direction).filter(is_free)
    }
}

/// For each need, sorted by peer, the places of the planned rules that carry
/// some of it.
fn carriers(case: &Case<'_>, needs: &[Need], planned: &[PlannedRule]) -> Vec<Vec<usize>> {
    let old = case.group.rules_of(case.direction);
    let peers: BTreeMap<&SgRuleId, &Peer> = old.map(|rule| (&rule.id, &rule.peer)).collect();
    let refers = |need: &Need, peer: &Peer| {
        let known = match peer {
            Peer::SecurityGroup(group) => case.references.knows(group, need.peer),
            Peer::Cidr(_) | Peer::PrefixList(_) => false,
        };
        let mut covering = need.covered_by.iter();
        known || covering.any(|id| peers.get(id) == Some(&peer))
    };
    let mut carriers: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (at, rule) in planned.iter().enumerate() {
        let own: Said = (rule.transport, rule.peer.clone());
        let inside = match &rule.peer {
            Peer::Cidr(net) => inside(needs, *net),
            Peer::SecurityGroup(_) | Peer::PrefixList(_) => 0..needs.len(),
        };
        let first = inside.start;
        let known = needs.get(inside).unwrap_or_default().iter();
        for (need, carriers) in known.zip(carriers.iter_mut().skip(first)) {
            let named = matches!(rule.peer, Peer::Cidr(_)) || refers(need, &rule.peer);
            if named && meets(&own, need.protocol, need.service) {
                carriers.push(at);
            }
        }
    }
    carriers
}

/// Where needs sorted by peer have those whose peer is inside the prefix.
fn inside(needs: &[Need], net: IpNet) -> Range<usize> {
    let from = needs.partition_point(|need| need.peer < net.network());
    from..needs.partition_point(|need| need.peer <= net.broadcast())
}
