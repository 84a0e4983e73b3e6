//! One interface's conversations, judged one after the other: each is given
//! its initiator, its rules, and its place among uses, needs, REJECTs and the
//! unexplained.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

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

#[cfg(test)]
impl<'a> Bench<'a> {
    /// Of interfaces that nothing is known of beside the snapshots; `nothing` is
    /// what is known.
    pub(crate) fn of(
        scenes: &'a [Scene<'a>],
        table: &'a RuleTable<'a>,
        (endpoints, knowledge): &'a (Endpoints, Knowledge),
    ) -> Bench<'a> {
        Bench {
            scenes,
            table,
            endpoints,
            knowledge,
            window: None,
            min_certainty: Certainty::High,
            fold_noise: false,
        }
    }
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
    /// Groups that may have let through what nobody can read, by rule or without.
    pub unread: BTreeSet<SgId>,
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
        if self.order.unread.records + evidence.efa_records + evidence.incomplete_records > 0 {
            findings.unread = self.carried().into_iter().cloned().collect();
        }
        findings
    }

    /// Notes what passed of which nobody can say by which rule.
    fn doubt(&self, uses: &mut Uses) {
        let unread = &self.order.unread;
        let efa = self.evidence.efa_records;
        if unread.records + efa == 0 {
            return;
        }
        for group in self.carried() {
            for (index, rule) in self.bench.table.of_group(group) {
                if rule.peer == Peer::SecurityGroup(group.clone()) {
                    uses.efa(index, efa);
                }
                uses.unread(index, unread.may_use(rule));
            }
        }
    }

    /// Groups that the interface carried at any time.
    fn carried(&self) -> BTreeSet<&'a SgId> {
        let states = self.bench.scenes.iter().map(|scene| &scene.snapshot.enis);
        let own = states.filter_map(|enis| enis.get(&self.interface_id));
        own.flat_map(|eni| &eni.groups).collect()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribute::verdict::RuleStatus;
    use crate::attribute::world::World;
    use crate::evidence::cuts::Class;
    use crate::evidence::cuts::Cuts;
    use crate::evidence::cuts::Level;
    use crate::evidence::era::Eras;
    use crate::evidence::gather::tests::by_workers;
    use crate::evidence::pool::Grain;
    use crate::model::Snapshot;

    const HEADER: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                          start end action log-status tcp-flags";

    /// Carries these groups, of which each lets in what it likes.
    fn carrying(groups: &[&str]) -> Snapshot {
        let rules = ["in tcp 443 0.0.0.0/0", "out udp 53 10.0.0.0/8"];
        World::new()
            .eni("eni-1", "subnet-1", "10.0.1.6", groups)
            .group("sg-own", &rules)
            .group("sg-was", &rules)
            .group("sg-other", &rules)
            .snapshot()
    }

    fn coarse() -> Grain {
        Grain {
            cuts: Arc::new(Cuts::none()),
            levels: Class::ALL.map(|_| Level::EXACT.next().unwrap()),
        }
    }

    /// Groups of which a rule may have been used, and how many such rules, where a
    /// record has none of the interface's addresses.
    fn suspected(states: &[Snapshot], action: &str, grain: Option<&Grain>) -> Suspected {
        let record = format!(
            "eni-1 198.51.100.0 203.0.113.0 50000 443 6 1 40 1760000000 1760000060 {action} OK 2\n"
        );
        let seen = by_workers(HEADER, &[record], &Eras::default(), 1);
        let [(id, evidence)] = seen.by_id()[..] else {
            panic!("one interface");
        };
        let latest = states.last().unwrap();
        let scenes: Vec<Scene<'_>> = states.iter().map(Scene::new).collect();
        let table = RuleTable::new(latest);
        let nothing = Default::default();
        let bench = Bench::of(&scenes, &table, &nothing);
        let eni = &latest.enis[&id];
        let hearing = Hearing {
            interface_id: id,
            evidence,
            order: &Order::of(evidence, eni, grain, &|_| None),
            eni,
            bench: &bench,
        };
        let findings = hearing.judge(&|_| Vec::new());
        assert_eq!(findings.unresolved[&Unresolved::UnknownDirection], 1);
        assert_eq!(findings.unread.is_empty(), action == "REJECT");
        let status = |rule| findings.uses.of(rule).status();
        let is_in_doubt = |rule| status(rule) == Some(RuleStatus::Unobservable);
        let all = table.iter().filter(|(rule, ..)| is_in_doubt(*rule));
        let groups: Vec<&str> = all.map(|(_, group, _)| group.id.as_str()).collect();
        (
            groups.len(),
            groups.iter().map(ToString::to_string).collect(),
        )
    }

    type Suspected = (usize, BTreeSet<String>);

    fn of(rules: usize, groups: &[&str]) -> Suspected {
        (rules, groups.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn what_passed_by_no_known_way_may_have_used_any_rule_that_fits() {
        let states = [carrying(&["sg-own"])];
        let coarse = coarse();
        let suspected = |action, grain| suspected(&states, action, grain);
        assert_eq!(suspected("ACCEPT", Some(&coarse)), of(1, &["sg-own"]));
        assert_eq!(suspected("ACCEPT", None), of(1, &["sg-own"]));
        assert_eq!(suspected("REJECT", Some(&coarse)), of(0, &[]));
    }

    #[test]
    fn it_may_have_used_rules_of_groups_that_were_carried_before() {
        let states = [carrying(&["sg-was"]), carrying(&["sg-own"])];
        let told = suspected(&states, "ACCEPT", Some(&coarse()));
        assert_eq!(told, of(2, &["sg-own", "sg-was"]));
    }
}
