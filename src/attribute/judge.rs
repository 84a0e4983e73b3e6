//! One interface's conversations, judged one after the other: each is given
//! its initiator, its rules, and its place among uses, needs, REJECTs and the
//! unexplained.

use std::collections::BTreeMap;

use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::ConversationKey;
use crate::attribute::conversation::Order;
use crate::attribute::cover::Candidate;
use crate::attribute::cover::Unwritten;
use crate::attribute::docket::Docket;
use crate::attribute::initiator::Certainty;
use crate::attribute::knowledge::Endpoints;
use crate::attribute::knowledge::Knowledge;
use crate::attribute::needs::Passed;
use crate::attribute::noise;
use crate::attribute::rejects;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::Uses;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SgId;
use crate::net::Span;

/// Why records could not be attributed; the keys of `coverage.unresolved`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unresolved {
    /// No snapshot has the interface.
    UnknownInterface,
    /// The interface carries no group: NAT gateways, transit gateways.
    InterfaceWithoutGroups,
    /// Neither or both addresses are the interface's.
    UnknownDirection,
    /// EFA rows: their five-tuple means nothing.
    Efa,
    /// Address, port or protocol missing.
    Incomplete,
    /// Let through, and no rule of the time explains it.
    UnexplainedAccept,
    /// Let through as the rest of a connection whose rule is gone since.
    OutlivedItsRule,
    /// Either end may have opened it.
    AmbiguousInitiator,
    /// No interface id.
    NoInterface,
    /// No start and no end.
    NoTime,
}

impl Unresolved {
    /// The key in `coverage.unresolved`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Unresolved::UnknownInterface => "unknown_interface",
            Unresolved::InterfaceWithoutGroups => "interface_without_groups",
            Unresolved::UnknownDirection => "unknown_direction",
            Unresolved::Efa => "efa",
            Unresolved::Incomplete => "incomplete_record",
            Unresolved::UnexplainedAccept => "unexplained_accept",
            Unresolved::OutlivedItsRule => "outlived_its_rule",
            Unresolved::AmbiguousInitiator => "ambiguous_initiator",
            Unresolved::NoInterface => "no_interface_id",
            Unresolved::NoTime => "no_time",
        }
    }
}

/// What judging asks for beside the evidence.
#[derive(Debug)]
pub struct Bench<'a> {
    /// Every snapshot, oldest first, prepared.
    pub scenes: &'a [Scene<'a>],
    /// Today's rules.
    pub table: &'a RuleTable<'a>,
    /// Numbers of interfaces.
    pub endpoints: &'a Endpoints,
    /// What all interfaces tell together.
    pub knowledge: &'a Knowledge,
    /// First and last second of the logs.
    pub window: Option<Span>,
    /// How sure a direction must be before the other reading is dropped.
    pub min_certainty: Certainty,
    /// Whether there are too many REJECTs to tell noise one by one.
    pub fold_noise: bool,
}

/// What was let through and no rule explains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unexplained {
    /// Conversations.
    pub conversations: u64,
    /// Records of both their halves.
    pub records: u64,
}

/// What one interface's conversations came to.
#[derive(Debug, Default)]
pub struct Findings {
    /// What rules earned.
    pub uses: Uses,
    /// What was let through.
    pub passed: Vec<Passed>,
    /// What was not.
    pub rejects: Vec<RejectFinding>,
    /// Accepted, unexplained.
    pub unexplained: Unexplained,
    /// Records not attributed, by reason.
    pub unresolved: BTreeMap<Unresolved, u64>,
    /// Accepted records.
    pub accepted_records: u64,
    /// Conversations let through by rules that the newest snapshot has no more.
    pub outdated: u64,
    /// Records let through by no rule.
    pub without_rule: WithoutRule,
}

/// Records let through by no rule, by group, direction, and what let them.
pub type WithoutRule = BTreeMap<(SgId, Direction, Unwritten), u64>;

impl Findings {
    pub(super) fn note(&mut self, why: Unresolved, records: u64) {
        if records > 0 {
            *self.unresolved.entry(why).or_default() += records;
        }
    }

    /// Notes a conversation that no rule explains.
    pub(super) fn not_explained(&mut self, records: u64) {
        self.note(Unresolved::UnexplainedAccept, records);
        self.unexplained.conversations += 1;
        self.unexplained.records += records;
    }
}

/// One interface to be judged.
#[derive(Debug)]
pub struct Hearing<'c, 'a> {
    /// Its id.
    pub interface_id: EniId,
    /// What it recorded.
    pub evidence: &'c InterfaceEvidence,
    /// The order of its cells.
    pub order: &'c Order<'c>,
    /// The interface in the newest snapshot that has it.
    pub eni: &'a Eni,
    /// Everything else.
    pub bench: &'c Bench<'a>,
}

impl<'a> Hearing<'_, 'a> {
    /// Judges the conversations. `candidates` gives the snapshots that may be
    /// in force in an era.
    #[must_use]
    pub fn judge(&self, candidates: &dyn Fn(u16) -> Vec<Candidate<'a>>) -> Findings {
        let mut findings = Findings::default();
        let evidence = self.evidence;
        findings.note(Unresolved::Efa, evidence.efa_records);
        findings.note(Unresolved::Incomplete, evidence.incomplete_records);
        findings.note(Unresolved::UnknownDirection, self.order.undirected);
        let docket = Docket::new(self.interface_id, &evidence.lost, self.bench, candidates);
        let mut noise = Vec::new();
        let mut kept: Vec<Kept> = Vec::new();
        let mut earlier: Option<Conversation> = None;
        self.order.each(evidence, |conversation| {
            let key = conversation.key;
            if earlier.as_ref().is_some_and(|one| !continues(one.key, key)) {
                earlier = None;
            }
            let case = docket.case(conversation, earlier.as_ref());
            let initiator = case.initiator();
            case.judge_accepted(initiator, &mut findings);
            let before = noise.len();
            rejects::explain(&case, initiator, &mut findings.rejects, &mut noise);
            let new = noise.get(before..).unwrap_or_default();
            let room = noise::ROWS.saturating_sub(kept.len());
            let keep = new.iter().take(room).map(|one| Kept {
                conversation: conversation.clone(),
                earlier: earlier.clone(),
                direction: one.direction,
            });
            kept.extend(keep);
            if conversation.accepted() {
                earlier = Some(conversation.clone());
            }
        });
        if noise.len() > noise::ROWS {
            findings.rejects.extend(noise::fold(&noise, self.eni));
        } else {
            for one in &kept {
                let case = docket.case(&one.conversation, one.earlier.as_ref());
                let initiator = case.initiator();
                rejects::explain_noise(&case, initiator, one.direction, &mut findings.rejects);
            }
        }
        findings.uses = docket.uses();
        self.doubt(&mut findings.uses);
        findings
    }

    /// Notes what passed of which nobody can say by which rule.
    fn doubt(&self, uses: &mut Uses) {
        let unread = &self.order.unread;
        let efa = self.evidence.efa_records;
        if unread.is_empty() && efa == 0 {
            return;
        }
        for group in &self.eni.groups {
            for (index, rule) in self.bench.table.of_group(group) {
                if rule.peer == Peer::SecurityGroup(group.clone()) {
                    uses.efa(index, efa);
                }
                let of_rule = unread.iter().filter(|one| one.may_use(rule));
                uses.unread(index, of_rule.map(|one| one.records).sum());
            }
        }
    }
}

/// Noise that may have to be told in full.
struct Kept {
    conversation: Conversation,
    earlier: Option<Conversation>,
    direction: Direction,
}

/// Whether two keys differ in nothing but the era.
fn continues(earlier: ConversationKey, key: ConversationKey) -> bool {
    ConversationKey {
        era: key.era,
        ..earlier
    } == key
}
