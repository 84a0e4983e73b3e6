//! The order in which the changes of a proposal are made.
//!
//! At no moment something is missing that both today's rules and the proposed
//! ones let through, and at no moment the quota is exceeded: rules are added
//! as far as the quota has room, then modified in place, which costs no room,
//! and removed when what stands carries all that is still owed. Every state on
//! the way is made of today's and of proposed rules, so none opens anything.
//!
//! The way back is the same way walked backwards: it passes the same states
//! and ends where it began. Ids are the cloud's to give: a rule that comes
//! back after it was removed says the same under another id.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::net::cidr::Family;
use crate::tighten::boxes::transport_overlaps;
use crate::tighten::plan::Proposal;
use crate::tighten::plan::Quota;
use crate::tighten::proof::contain;
use crate::tighten::quota;

/// Rules that come and go beyond which no orders are tried.
const MOST_SEARCHED: usize = 32;

/// Orders of changes are tried through this many states at most.
const MOST_TRIED: usize = 2_000;

/// What one step says a rule is, with the text that people gave it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wording {
    /// What it matches.
    pub transport: Transport,
    /// Whom it admits.
    pub peer: Peer,
    /// The customer's text; of a new rule, that of the rule it stands in for.
    pub description: String,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The rule keeps its id and description and says something else.
    Modify {
        /// The rule.
        rule: SgRuleId,
        /// What it said.
        from: Wording,
        /// What it says now.
        to: Wording,
    },
    /// A rule more.
    Add {
        /// What it says.
        to: Wording,
    },
    /// A rule less.
    Remove {
        /// Its id, where it had one before the rollout began.
        rule: Option<SgRuleId>,
        /// What it said.
        from: Wording,
    },
}

/// The changes of one proposal in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// What to do.
    pub steps: Vec<Change>,
    /// How to undo all of it, once all of it is done.
    pub rollback: Vec<Change>,
    /// What the rules of each family count at most on the way.
    pub peak: Quota,
    /// What each may: the quota, or as many as today.
    pub most: Quota,
}

impl Rollout {
    /// The family that has more than it may on the way, and how many.
    #[must_use]
    pub fn over(&self) -> Option<(Family, u64)> {
        Family::BOTH
            .map(|family| (family, self.peak.of(family)))
            .into_iter()
            .find(|(family, peak)| *peak > self.most.of(*family))
    }
}

/// Plans the changes of a proposal; `None` where it changes nothing.
///
/// `rule_quota` is what one family may have; where today's rules are more, as
/// many as today.
#[must_use]
pub fn plan(
    group: &SecurityGroup,
    proposal: &Proposal,
    lists: &BTreeMap<PrefixListId, PrefixList>,
    rule_quota: u32,
) -> Option<Rollout> {
    let start = Walk::new(group, proposal, lists, rule_quota);
    let mut walk = start.clone();
    walk.go();
    if walk.forced {
        walk = start.searched().unwrap_or(walk);
    }
    if walk.steps.is_empty() {
        return None;
    }
    let rollback = walk.steps.iter().rev().map(inverse).collect();
    Some(Rollout {
        rollback,
        peak: walk.peak,
        most: walk.most,
        steps: walk.steps,
    })
}

fn inverse(change: &Change) -> Change {
    match change.clone() {
        Change::Modify { rule, from, to } => Change::Modify {
            rule,
            from: to,
            to: from,
        },
        Change::Add { to } => Change::Remove {
            rule: None,
            from: to,
        },
        Change::Remove { rule: _, from } => Change::Add { to: from },
    }
}

/// A planned rule that does not stand yet.
#[derive(Clone, Debug)]
struct Pending {
    to: Wording,
    /// The rule that becomes it; none where it is added.
    from: Option<SgRuleId>,
}

/// The way from today's rules to the proposed ones.
#[derive(Clone)]
struct Walk<'a> {
    group: &'a SgId,
    lists: &'a BTreeMap<PrefixListId, PrefixList>,
    most: Quota,
    /// What stands and will stay.
    settled: Vec<Wording>,
    /// Rules of today that will not stand as they are, by id.
    leaving: BTreeMap<SgRuleId, Wording>,
    pending: Vec<Pending>,
    steps: Vec<Change>,
    peak: Quota,
    /// Whether a step was taken that needs more room than there is.
    forced: bool,
}

impl<'a> Walk<'a> {
    fn new(
        group: &'a SecurityGroup,
        proposal: &Proposal,
        lists: &'a BTreeMap<PrefixListId, PrefixList>,
        rule_quota: u32,
    ) -> Walk<'a> {
        let planned: BTreeSet<(Transport, &Peer)> = proposal
            .rules
            .iter()
            .map(|rule| (rule.transport, &rule.peer))
            .collect();
        let keep: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
        // What says already what is planned stays, whatever its id.
        let stays = |rule: &&SgRule| {
            keep.contains(&rule.id) || planned.contains(&(rule.transport, &rule.peer))
        };
        let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
        let (staying, leaving): (Vec<&SgRule>, Vec<&SgRule>) = today.into_iter().partition(stays);
        let mut walk = Walk {
            group: &group.id,
            lists,
            most: Quota::default(),
            settled: staying.into_iter().map(wording).collect(),
            leaving: leaving
                .iter()
                .map(|rule| (rule.id.clone(), wording(rule)))
                .collect(),
            pending: Vec::new(),
            steps: Vec::new(),
            peak: Quota::default(),
            forced: false,
        };
        let today = walk.count();
        let quota = u64::from(rule_quota);
        walk.most = Quota {
            v4: today.v4.max(quota),
            v6: today.v6.max(quota),
        };
        walk.peak = today;
        walk.pending = pending(&walk, &leaving, group, proposal);
        walk
    }

    fn go(&mut self) {
        while !(self.pending.is_empty() && self.leaving.is_empty()) {
            if self.add(true) || self.modify() || self.remove() || self.adopt() || self.part() {
                continue;
            }
            // What is left fits no order of this kind.
            self.forced = true;
            if !self.add(false) {
                self.remove_any();
            }
        }
    }

    /// Every order of changes, the first that fits the quota: where the way
    /// that needs no trying does not. `None` where there is none, or too many
    /// were tried.
    fn searched(self) -> Option<Walk<'a>> {
        if self.pending.len() + self.leaving.len() > MOST_SEARCHED {
            return None;
        }
        let mut seen = BTreeSet::new();
        let mut open = vec![self];
        while let Some(walk) = open.pop() {
            if walk.pending.is_empty() && walk.leaving.is_empty() {
                return Some(walk);
            }
            if seen.len() >= MOST_TRIED || !seen.insert(walk.place()) {
                continue;
            }
            open.extend(walk.nexts());
        }
        None
    }

    /// Where on the way it is.
    fn place(&self) -> (Vec<Wording>, Vec<SgRuleId>) {
        let pending = self.pending.iter().map(|one| one.to.clone());
        (pending.collect(), self.leaving.keys().cloned().collect())
    }

    /// Where one more step leads that loses nothing and needs no more room
    /// than there is; what costs least room comes last.
    fn nexts(&self) -> Vec<Walk<'a>> {
        let mut nexts = Vec::new();
        let mut take = |step: &dyn Fn(&mut Walk<'a>)| {
            let mut next = self.clone();
            step(&mut next);
            nexts.push(next);
        };
        for (at, one) in self.pending.iter().enumerate() {
            if self.has_room(one) {
                take(&|next| next.add_at(at));
            }
        }
        for (id, own) in &self.leaving {
            for (at, one) in self.pending.iter().enumerate() {
                let may = is_named(self.group, id) && same_kind(&own.peer, &one.to.peer);
                if may && self.is_safe(id, Some(&one.to)) {
                    take(&|next| next.become_at(at, id.clone()));
                }
            }
        }
        for id in self.leaving.keys() {
            if self.is_safe(id, None) {
                take(&|next| {
                    next.take(id.clone());
                });
            }
        }
        nexts
    }

    fn has_room(&self, one: &Pending) -> bool {
        let more = self.count() + quota::of_peer(&one.to.peer, self.lists);
        more.v4 <= self.most.v4 && more.v6 <= self.most.v6
    }

    /// Adds the first rule that is to be added, if there is room, or if none
    /// is asked for.
    fn add(&mut self, within: bool) -> bool {
        let found = self
            .pending
            .iter()
            .position(|one| one.from.is_none() && (!within || self.has_room(one)));
        let Some(at) = found else { return false };
        self.add_at(at);
        true
    }

    fn add_at(&mut self, at: usize) {
        let one = self.pending.remove(at);
        self.settled.push(one.to.clone());
        self.step(Change::Add { to: one.to });
    }

    /// Modifies the first rule that nothing owed is lost by.
    fn modify(&mut self) -> bool {
        let safe = |one: &Pending| {
            let from = one.from.as_ref()?;
            self.is_safe(from, Some(&one.to)).then(|| from.clone())
        };
        let found = self
            .pending
            .iter()
            .enumerate()
            .find_map(|(at, one)| Some((at, safe(one)?)));
        let Some((at, rule)) = found else {
            return false;
        };
        self.become_at(at, rule);
        true
    }

    /// Modifies a rule into a pending one.
    fn become_at(&mut self, at: usize, rule: SgRuleId) {
        let one = self.pending.remove(at);
        if let Some(from) = self.leaving.remove(&rule) {
            // The description goes with the id.
            let to = Wording {
                description: from.description.clone(),
                ..one.to
            };
            self.settled.push(to.clone());
            self.step(Change::Modify { rule, from, to });
        }
    }

    /// Removes the first rule that nothing owed is lost by.
    fn remove(&mut self) -> bool {
        let becoming: BTreeSet<&SgRuleId> = self
            .pending
            .iter()
            .filter_map(|one| one.from.as_ref())
            .collect();
        let mut ids = self.leaving.keys().filter(|id| !becoming.contains(id));
        let found = ids.find(|id| self.is_safe(id, None)).cloned();
        found.is_some_and(|id| self.take(id))
    }

    /// Where there is no room for a rule: lets one that would be removed
    /// become it.
    fn adopt(&mut self) -> bool {
        let becoming: BTreeSet<&SgRuleId> = self
            .pending
            .iter()
            .filter_map(|one| one.from.as_ref())
            .collect();
        let spare = || {
            let ids = self.leaving.iter();
            ids.filter(|(id, _)| !becoming.contains(id) && is_named(self.group, id))
        };
        let heir = |one: &Pending| {
            let mut kin = spare().filter(|(_, own)| same_kind(&own.peer, &one.to.peer));
            kin.find(|(id, _)| self.is_safe(id, Some(&one.to)))
        };
        let mut added = self.pending.iter().enumerate();
        let found = added.find_map(|(at, one)| {
            let id = heir(one).filter(|_| one.from.is_none())?.0;
            Some((at, id.clone()))
        });
        let Some((at, id)) = found else { return false };
        if let Some(one) = self.pending.get_mut(at) {
            one.from = Some(id);
        }
        true
    }

    /// Where rules wait for each other: lets one of them be added and removed
    /// instead of modified.
    fn part(&mut self) -> bool {
        let waiting = self.pending.iter_mut().find(|one| one.from.is_some());
        waiting.is_some_and(|one| one.from.take().is_some())
    }

    fn remove_any(&mut self) {
        if let Some(id) = self.leaving.keys().next().cloned() {
            self.take(id);
        }
    }

    fn take(&mut self, id: SgRuleId) -> bool {
        let Some(from) = self.leaving.remove(&id) else {
            return false;
        };
        let rule = Some(id);
        self.step(Change::Remove { rule, from });
        true
    }

    fn step(&mut self, change: Change) {
        self.steps.push(change);
        let now = self.count();
        self.peak = Quota {
            v4: self.peak.v4.max(now.v4),
            v6: self.peak.v6.max(now.v6),
        };
    }

    fn count(&self) -> Quota {
        let standing = self.settled.iter().chain(self.leaving.values());
        standing
            .map(|one| quota::of_peer(&one.peer, self.lists))
            .sum()
    }

    /// Whether all that the rule carries of what is still to come stays
    /// carried without it, and with what it becomes.
    fn is_safe(&self, rule: &SgRuleId, becomes: Option<&Wording>) -> bool {
        let Some(own) = self.leaving.get(rule) else {
            return false;
        };
        let others = self.leaving.iter().filter(|(id, _)| *id != rule);
        let standing: Vec<(Transport, &Peer)> = self
            .settled
            .iter()
            .chain(others.map(|(_, other)| other))
            .chain(becomes)
            .map(said)
            .collect();
        let to_come = self.pending.iter().map(|one| &one.to);
        let mut to_come = to_come.filter(|to| Some(*to) != becomes);
        to_come.all(|to| !loses(own, to, &standing))
    }
}

/// Whether something that the rule lets through now, and the other in the
/// end, is let through by none of `standing`. A reference that no rule names yet
/// may stand for any address: what it may carry is not let go before.
fn loses(own: &Wording, to: &Wording, standing: &[(Transport, &Peer)]) -> bool {
    let across = matches!(to.peer, Peer::SecurityGroup(_)) && matches!(own.peer, Peer::Cidr(_));
    if across {
        let carried = contain::beyond(to.transport, &to.peer, standing).is_none();
        return !carried && transport_overlaps(to.transport, own.transport);
    }
    contain::common_beyond(said(own), said(to), standing).is_some()
}

/// What does not stand yet, each with the rule that may become it: one that
/// holds all of it where there is one.
fn pending(
    walk: &Walk<'_>,
    leaving: &[&SgRule],
    group: &SecurityGroup,
    proposal: &Proposal,
) -> Vec<Pending> {
    let by_id: BTreeMap<&SgRuleId, &SgRule> =
        leaving.iter().map(|rule| (&rule.id, *rule)).collect();
    let standing: BTreeSet<(Transport, &Peer)> = walk.settled.iter().map(said).collect();
    let mut taken: BTreeSet<&SgRuleId> = BTreeSet::new();
    let mut told: BTreeSet<(Transport, &Peer)> = BTreeSet::new();
    let mut pending = Vec::new();
    for planned in &proposal.rules {
        let own = (planned.transport, &planned.peer);
        if standing.contains(&own) || !told.insert(own) {
            continue;
        }
        let replaced = || planned.replaces.iter().filter_map(|id| by_id.get(id));
        let heir = |rule: &&&SgRule| {
            !taken.contains(&rule.id)
                && is_named(&group.id, &rule.id)
                && same_kind(&rule.peer, &planned.peer)
        };
        let holds = |rule: &&&SgRule| {
            contain::beyond(own.0, own.1, &[(rule.transport, &rule.peer)]).is_none()
        };
        let from = replaced().filter(heir).find(holds);
        let from = from.or_else(|| replaced().find(heir)).copied();
        taken.extend(from.map(|rule| &rule.id));
        let described = from.or_else(|| replaced().next().copied());
        pending.push(Pending {
            to: Wording {
                transport: planned.transport,
                peer: planned.peer.clone(),
                description: described.map_or_else(String::new, |rule| rule.description.clone()),
            },
            from: from.map(|rule| rule.id.clone()),
        });
    }
    pending
}

/// Whether the cloud itself names the rule, and not the snapshot's reader by
/// its group: only such a rule can be modified (API `ModifySecurityGroupRules`
/// asks for its id).
fn is_named(group: &SgId, rule: &SgRuleId) -> bool {
    let rest = rule.as_str().strip_prefix(group.as_str());
    !rest.is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a rule with the one peer may be modified to have the other: the
/// cloud does not let a prefix become a reference, or IPv4 become IPv6.
fn same_kind(one: &Peer, other: &Peer) -> bool {
    match (one, other) {
        (Peer::Cidr(IpNet::V4(_)), Peer::Cidr(IpNet::V4(_)))
        | (Peer::Cidr(IpNet::V6(_)), Peer::Cidr(IpNet::V6(_)))
        | (Peer::SecurityGroup(_), Peer::SecurityGroup(_)) => true,
        (Peer::PrefixList(one), Peer::PrefixList(other)) => one == other,
        (Peer::Cidr(_) | Peer::SecurityGroup(_) | Peer::PrefixList(_), _) => false,
    }
}

fn wording(rule: &SgRule) -> Wording {
    Wording {
        transport: rule.transport,
        peer: rule.peer.clone(),
        description: rule.description.clone(),
    }
}

fn said(wording: &Wording) -> (Transport, &Peer) {
    (wording.transport, &wording.peer)
}
