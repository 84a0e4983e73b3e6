//! Nothing seen breaks, conversation by conversation.
//!
//! Groups of an interface add up, so a conversation passes where any of them
//! lets it. New rules lie within old ones ([`super::contain`]), so only the
//! groups whose rules cover it today can cover it tomorrow: these are asked,
//! and a rule is named for each conversation.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::attribute::needs;
use crate::attribute::needs::Passed;
use crate::attribute::needs::RuleRef;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::model::VpcId;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::Broken;
use crate::tighten::proof::Flow;
use crate::tighten::proof::Outcome;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::standing_after;

/// Conversations replayed together.
const PART: usize = 4_096;

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Conversations replayed.
    pub connections: u64,
    /// Those for which a rule was named that lets them through.
    pub witnesses: u64,
    /// Those that today's rules do not explain; they are not replayed.
    pub unexplained: u64,
    /// Those that would no longer pass in full. Empty, or it is a bug.
    pub broken: Vec<(EniId, Direction, Broken)>,
}

/// The rules in force after the proposals, by group and direction.
#[derive(Debug)]
pub struct After<'a> {
    groups: &'a BTreeMap<SgId, SecurityGroup>,
    book: Option<&'a Book<'a>>,
    today: HashMap<(&'a SgId, &'a SgRuleId), &'a SgRule>,
    standing: HashMap<(&'a SgId, Direction), Vec<(Transport, &'a Peer)>>,
}

impl<'a> After<'a> {
    /// Applies the proposals to today's groups; what has none stays as it is.
    #[must_use]
    pub fn new(groups: &'a BTreeMap<SgId, SecurityGroup>, proposals: &'a [Proposal]) -> After<'a> {
        let mut after = After {
            groups,
            book: None,
            today: HashMap::default(),
            standing: HashMap::default(),
        };
        for group in groups.values() {
            for rule in &group.rules {
                after.today.insert((&group.id, &rule.id), rule);
                let standing = after.standing.entry((&group.id, rule.direction));
                standing.or_default().push((rule.transport, &rule.peer));
            }
        }
        for proposal in proposals {
            if let Some(group) = groups.get(&proposal.group_id) {
                let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
                let rules = standing_after(&today, proposal);
                after
                    .standing
                    .insert((&group.id, proposal.direction), rules);
            }
        }
        after
    }

    /// Lets references that took the place of addresses be judged by who
    /// carried the group.
    #[must_use]
    pub fn with_book(self, book: &'a Book<'a>) -> After<'a> {
        After {
            book: Some(book),
            ..self
        }
    }

    /// The VPC in which references of the covering groups are asked; none
    /// where they differ.
    fn vpc(&self, covering: &[RuleRef]) -> Option<&'a VpcId> {
        let mut vpcs = covering
            .iter()
            .map(|rule| self.groups.get(&rule.group_id)?.vpc_id.as_ref());
        let first = vpcs.next()?;
        vpcs.all(|vpc| vpc == first).then_some(first)?
    }

    /// Replays conversations that the rules of the first let through. Results of
    /// several add up in any order ([`Replay::absorb`]).
    fn replay(&self, (first, run): (&Passed, &[Passed]), replay: &mut Replay) {
        let covering = &first.covered_by;
        let today = covering
            .iter()
            .filter_map(|rule| self.today.get(&(&rule.group_id, &rule.rule_id)).copied());
        let today: Vec<&SgRule> = today.collect();
        let book = self.book.map(|book| (book, self.vpc(covering)));
        let mut asked: Vec<&SgId> = covering.iter().map(|rule| &rule.group_id).collect();
        asked.sort_unstable();
        asked.dedup();
        let standing = asked
            .iter()
            .filter_map(|id| self.standing.get(&(*id, first.direction)));
        let standing: Vec<(Transport, &Peer)> = standing.flatten().copied().collect();
        for passed in run {
            let flow = Flow {
                protocol: passed.protocol,
                service: passed.service,
                peer: passed.peer,
                among: passed.among,
                today: &today,
                book,
                lists: None,
                other: None,
            };
            replay.add(passed, flow.outcome(standing.iter().copied()));
        }
    }
}

impl Replay {
    /// Counts what becomes of a conversation.
    pub(super) fn add(&mut self, passed: &Passed, outcome: Outcome) {
        match outcome {
            Outcome::Unexplained => self.unexplained += 1,
            Outcome::Passes => {
                self.connections += 1;
                self.witnesses += 1;
            }
            Outcome::Breaks(broken) => {
                self.connections += 1;
                let broken = (passed.interface_id, passed.direction, broken);
                self.broken.push(broken);
            }
        }
    }

    /// Adds what another replay found.
    pub fn absorb(&mut self, other: Replay) {
        let Replay {
            connections,
            witnesses,
            unexplained,
            broken,
        } = other;
        self.connections += connections;
        self.witnesses += witnesses;
        self.unexplained += unexplained;
        self.broken.extend(broken);
        self.broken.sort_unstable();
    }
}

/// Replays all conversations against the proposals.
#[must_use]
pub fn replay(
    passed: &[Passed],
    groups: &BTreeMap<SgId, SecurityGroup>,
    proposals: &[Proposal],
) -> Replay {
    replay_after(passed, &After::new(groups, proposals))
}

/// Replays all conversations against rules that were put in force before.
#[must_use]
pub fn replay_after(passed: &[Passed], after: &After<'_>) -> Replay {
    let parts = passed.par_chunks(PART).map(|part| {
        let mut found = Replay::default();
        for run in needs::alike(part) {
            after.replay(run, &mut found);
        }
        found
    });
    let join = |mut one: Replay, other| {
        one.absorb(other);
        one
    };
    parts.reduce(Replay::default, join)
}
