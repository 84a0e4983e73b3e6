//! One interface's conversations, judged: each is given its initiator, its
//! rules, and its place among uses, needs and the unexplained.

use std::collections::BTreeMap;

use crate::attribute::conversation;
use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::ConversationKey;
use crate::attribute::cover;
use crate::attribute::cover::Candidate;
use crate::attribute::cover::Covering;
use crate::attribute::cover::Reading;
use crate::attribute::initiator;
use crate::attribute::initiator::Certainty;
use crate::attribute::initiator::Endpoint;
use crate::attribute::initiator::Initiator;
use crate::attribute::initiator::Knowledge;
use crate::attribute::needs::Passed;
use crate::attribute::noise;
use crate::attribute::rejects;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::Uses;
use crate::evidence::coverage::HourSet;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::TcpFlags;
use crate::net::Span;

/// Seconds by which a record's times may lag its packets.
const LAG: i64 = 60;
/// Longest time that an idle TCP connection stays tracked, in seconds.
const LONGEST_IDLE: i64 = 432_000;
/// Longest aggregation interval in seconds.
const LONGEST_INTERVAL: i64 = 600;

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
    /// What all interfaces tell together.
    pub knowledge: &'a Knowledge,
    /// First and last second of the logs.
    pub window: Option<Span>,
    /// How sure a direction must be before the other reading is dropped.
    pub min_certainty: Certainty,
    /// Whether there are too many REJECTs to tell noise one by one.
    pub fold_noise: bool,
}

/// An accepted conversation that no rule explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// What it is.
    pub conversation: Conversation,
    /// Records of both halves.
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
    pub unexplained: Vec<Unexplained>,
    /// Records not attributed, by reason.
    pub unresolved: BTreeMap<Unresolved, u64>,
    /// Accepted records.
    pub accepted_records: u64,
}

impl Findings {
    fn note(&mut self, why: Unresolved, records: u64) {
        if records > 0 {
            *self.unresolved.entry(why).or_default() += records;
        }
    }
}

/// Judges the conversations of an interface. `candidates` gives the snapshots
/// that may be in force in an era.
#[must_use]
pub fn judge<'a>(
    interface_id: EniId,
    evidence: &InterfaceEvidence,
    eni: &'a Eni,
    candidates: &dyn Fn(u16) -> Vec<Candidate<'a>>,
    bench: &Bench<'a>,
) -> Findings {
    let mut findings = Findings::default();
    findings.note(Unresolved::Efa, evidence.efa_records);
    findings.note(Unresolved::Incomplete, evidence.incomplete_records);
    let (conversations, undirected) = conversation::conversations(evidence, eni);
    findings.note(Unresolved::UnknownDirection, undirected.records);
    findings
        .uses
        .efa(self_references(eni, bench.table), evidence.efa_records);
    let case = |index: usize, conversation| Case {
        interface_id,
        conversation,
        before: before(&conversations, index, candidates),
        candidates: candidates(conversation.key.era),
        lost: &evidence.lost,
        bench,
    };
    let mut noise = Vec::new();
    for (index, conversation) in conversations.iter().enumerate() {
        let case = case(index, conversation);
        let initiator = case.initiator();
        case.judge_accepted(initiator, &mut findings);
        rejects::explain(&case, initiator, index, &mut findings.rejects, &mut noise);
    }
    if bench.fold_noise && noise.len() > noise::ROWS {
        findings.rejects.extend(noise::fold(&noise, eni));
        return findings;
    }
    for one in &noise {
        if let Some(conversation) = conversations.get(one.conversation) {
            let case = case(one.conversation, conversation);
            rejects::explain_noise(
                &case,
                case.initiator(),
                one.direction,
                &mut findings.rejects,
            );
        }
    }
    findings
}

/// Rules by which the groups of an interface refer to themselves.
fn self_references(eni: &Eni, table: &RuleTable<'_>) -> impl Iterator<Item = RuleIndex> {
    table.iter().filter_map(|(index, group, rule)| {
        let to_itself = rule.peer == Peer::SecurityGroup(group.id.clone());
        (to_itself && eni.groups.contains(&group.id)).then_some(index)
    })
}

/// The same conversation in the latest era before in which it passed.
/// Conversations are sorted by key, era last.
fn before<'c, 'a>(
    conversations: &'c [Conversation],
    index: usize,
    candidates: &dyn Fn(u16) -> Vec<Candidate<'a>>,
) -> Option<Before<'c, 'a>> {
    let own = conversations.get(index)?.key;
    let same = |one: &&Conversation| {
        ConversationKey {
            era: own.era,
            ..one.key
        } == own
    };
    let earlier = conversations
        .get(..index)?
        .iter()
        .rev()
        .take_while(same)
        .find(|one| one.accepted())?;
    Some(Before {
        conversation: earlier,
        candidates: candidates(earlier.key.era),
    })
}

/// A conversation in an earlier era, with the snapshots of that time.
#[derive(Debug)]
pub struct Before<'c, 'a> {
    /// What passed then.
    pub conversation: &'c Conversation,
    /// What may have been in force.
    pub candidates: Vec<Candidate<'a>>,
}

/// One conversation with all that is needed to judge it.
#[derive(Debug)]
pub struct Case<'c, 'a> {
    /// The interface.
    pub interface_id: EniId,
    /// The conversation.
    pub conversation: &'c Conversation,
    /// The same conversation earlier, if it passed then.
    pub before: Option<Before<'c, 'a>>,
    /// Snapshots that may have been in force, the time's own first.
    pub candidates: Vec<Candidate<'a>>,
    /// Hours in which records were lost.
    pub lost: &'c HourSet,
    /// Everything else.
    pub bench: &'c Bench<'a>,
}

impl Case<'_, '_> {
    /// The reading of the conversation in a direction; `None` where the
    /// service of that reading is not known at all.
    #[must_use]
    pub fn reading(&self, direction: Direction) -> Option<Reading> {
        let key = &self.conversation.key;
        let services = self.conversation.services(direction);
        (!services.is_empty()).then_some(Reading {
            direction,
            protocol: key.protocol,
            services,
            peer: key.peer,
        })
    }

    /// The rules that covered the reading in a direction.
    #[must_use]
    pub fn covering(&self, direction: Direction) -> Covering {
        let reading = self.reading(direction);
        reading.map_or_else(Covering::default, |reading| {
            cover::covering(&reading, &self.candidates, self.bench.table)
        })
    }

    /// Whether the rules of the time could let the reading through: at this
    /// interface, and, where packets went both ways, at the peer's too.
    fn feasible(&self, direction: Direction) -> bool {
        let own = self
            .reading(direction)
            .is_some_and(|reading| cover::feasible(&reading, &self.candidates));
        let both_ways = self.conversation.inward.accepted.is_some()
            && self.conversation.outward.accepted.is_some();
        own && (!both_ways || self.feasible_at_peer(direction))
    }

    /// The rule part of test 4: what went both ways was let through at both
    /// ends. True where the peer's interface is not known for certain.
    fn feasible_at_peer(&self, direction: Direction) -> bool {
        let Some(own) = self.candidates.first() else {
            return true;
        };
        let peer = own.scene.peer(self.conversation.key.peer, own.eni);
        let [owner] = peer.owners.as_slice() else {
            return true;
        };
        let Some(mut reading) = self.reading(direction) else {
            return true;
        };
        let local = own.eni;
        if owner.groups.is_empty()
            || owner.vpc_id != local.vpc_id
            || owner.id == local.id
            || !local.prefixes.is_empty()
        {
            return true;
        }
        reading.direction = direction.reverse();
        // Which of its addresses the interface used, the peer's rules saw.
        local.addresses.iter().any(|address| {
            reading.peer = *address;
            self.candidates.iter().any(|candidate| {
                let eni = candidate.scene.snapshot.enis.get(&owner.id);
                let there = |eni| Candidate {
                    scene: candidate.scene,
                    eni,
                };
                eni.is_none_or(|eni| cover::feasible(&reading, &[there(eni)]))
            })
        })
    }

    fn endpoint(&self, address: std::net::IpAddr) -> Endpoint {
        self.candidates
            .first()
            .map_or(Endpoint::Address(address), |own| {
                endpoint(own.scene, own.eni, address)
            })
    }

    /// Who opened it; of what never passed, only flags can tell.
    #[must_use]
    pub fn initiator(&self) -> Initiator {
        if !self.conversation.accepted() {
            return Initiator::Ambiguous(None);
        }
        let case = initiator::Case {
            conversation: self.conversation,
            local: Endpoint::Interface(self.interface_id),
            peer: self.endpoint(self.conversation.key.peer),
            ingress_feasible: self.feasible(Direction::Ingress),
            egress_feasible: self.feasible(Direction::Egress),
            full_coverage: self.full_coverage(),
        };
        initiator::initiator(&case, self.bench.knowledge)
    }

    /// Whether no record of the conversation is known to be lost, nor may lie
    /// before the logs begin.
    fn full_coverage(&self) -> bool {
        let first = self.conversation.cells().map(|cell| cell.first).min();
        let last = self.conversation.cells().map(|cell| cell.last).max();
        let (Some(first), Some(last), Some(window)) = (first, last, self.bench.window) else {
            return false;
        };
        // Logs no longer than one aggregation interval have no edge that
        // could be told from their middle.
        let at_edge =
            window.seconds() > LONGEST_INTERVAL && first.0 < window.start.0.saturating_add(LAG);
        let mut hours = first.hour() - 1..=last.hour() + 1;
        !at_edge && (self.lost.is_empty() || !hours.any(|hour| self.lost.contains(hour)))
    }

    /// Whether the interface carries no group at any time in question: what
    /// passes it says nothing of rules.
    fn without_groups(&self) -> bool {
        self.candidates
            .iter()
            .all(|candidate| candidate.eni.groups.is_empty())
    }

    fn judge_accepted(&self, initiator: Initiator, findings: &mut Findings) {
        let halves = [
            &self.conversation.inward.accepted,
            &self.conversation.outward.accepted,
        ];
        let records: u64 = halves.into_iter().flatten().map(|cell| cell.records).sum();
        if records == 0 {
            return;
        }
        if self.without_groups() {
            return findings.note(Unresolved::InterfaceWithoutGroups, records);
        }
        findings.accepted_records += records;
        match initiator {
            Initiator::Settled(direction, certainty) if certainty >= self.bench.min_certainty => {
                self.settle(direction, findings, records);
                if certainty == Certainty::High {
                    findings.uses.unlikely(&self.covering(direction.reverse()));
                }
            }
            Initiator::Settled(..) | Initiator::Ambiguous(_) => self.both_ways(findings, records),
            Initiator::Unexplained => self.unexplained(findings, records),
        }
    }

    /// The direction is beyond doubt.
    fn settle(&self, direction: Direction, findings: &mut Findings, records: u64) {
        let request = self.conversation.half(direction).accepted;
        if let Some(request) = request {
            let covering = self.covering(direction);
            if !covering.explains() && self.outlived_its_rule(direction) {
                return findings.note(Unresolved::OutlivedItsRule, records);
            }
            if !covering.explains() {
                return self.unexplained(findings, records);
            }
            findings.uses.credit(&covering, Some(&request), &request);
            return self.need(direction, &covering, request.records, false, findings);
        }
        self.settle_reply_only(direction, findings, records);
    }

    /// Whether rules of an earlier time let the same conversation through: a
    /// tracked connection lives on when its rule is gone, up to five days
    /// (EC2 user guide, "Connection tracking"). It is no need of today's rules.
    fn outlived_its_rule(&self, direction: Direction) -> bool {
        let Some(before) = &self.before else {
            return false;
        };
        let last = before.conversation.cells().map(|cell| cell.last).max();
        let first = self.conversation.cells().map(|cell| cell.first).min();
        let in_time = last
            .zip(first)
            .is_some_and(|(last, first)| first.0 - last.0 <= LONGEST_IDLE);
        let reading = self.reading(direction);
        let explained = |reading: Reading| {
            cover::covering(&reading, &before.candidates, self.bench.table).explains()
        };
        in_time && reading.is_some_and(explained)
    }

    /// Test 3b: replies without a request on this interface. Either the
    /// request came by another interface, so that this one keeps no state and
    /// its own rule let the reply through, or its record was lost.
    fn settle_reply_only(&self, direction: Direction, findings: &mut Findings, records: u64) {
        let Some(reply) = self.conversation.half(direction.reverse()).accepted else {
            return;
        };
        let (own, reverse) = (self.covering(direction), self.covering(direction.reverse()));
        if !own.explains() && !reverse.explains() {
            return self.unexplained(findings, records);
        }
        if self.full_coverage() && reverse.explains() {
            findings.uses.credit(&reverse, Some(&reply), &reply);
            findings.uses.doubt(&own);
            self.need(
                direction.reverse(),
                &reverse,
                reply.records,
                false,
                findings,
            );
            return self.need(direction, &own, 0, true, findings);
        }
        if own.explains() {
            findings.uses.credit(&own, None, &reply);
            self.need(direction, &own, 0, false, findings);
        }
        findings.uses.doubt(&reverse);
        self.need(direction.reverse(), &reverse, reply.records, true, findings);
    }

    /// The direction stays in doubt: both readings are kept, none is claimed.
    fn both_ways(&self, findings: &mut Findings, records: u64) {
        findings.note(Unresolved::AmbiguousInitiator, records);
        for direction in Direction::BOTH {
            let covering = self.covering(direction);
            findings.uses.doubt(&covering);
            let half = self.conversation.half(direction).accepted;
            self.need(
                direction,
                &covering,
                half.map_or(0, |cell| cell.records),
                true,
                findings,
            );
        }
    }

    fn unexplained(&self, findings: &mut Findings, records: u64) {
        findings.note(Unresolved::UnexplainedAccept, records);
        findings.unexplained.push(Unexplained {
            conversation: self.conversation.clone(),
            records,
        });
    }

    /// Whether the responder of a connection in this direction answered with
    /// more than a reset.
    fn answered(&self, direction: Direction) -> bool {
        let reply = self.conversation.half(direction.reverse()).accepted;
        reply.is_some_and(|cell| cell.answers > 0 || cell.flags != TcpFlags(TcpFlags::RST))
    }

    /// Notes what must keep passing, one entry for each range of the service.
    fn need(
        &self,
        direction: Direction,
        covering: &Covering,
        records: u64,
        in_doubt: bool,
        findings: &mut Findings,
    ) {
        // Rules that may match are retained only where none surely does: they
        // cannot be relied on to carry it alone.
        let rules = if covering.sure.is_empty() {
            &covering.possible
        } else {
            &covering.sure
        };
        let covered_by: Vec<_> = rules
            .iter()
            .filter_map(|rule| self.bench.table.reference(*rule))
            .collect();
        if covered_by.is_empty() {
            return;
        }
        for (position, service) in self
            .conversation
            .services(direction)
            .into_iter()
            .enumerate()
        {
            findings.passed.push(Passed {
                interface_id: self.interface_id,
                direction,
                protocol: self.conversation.key.protocol,
                service,
                peer: self.conversation.key.peer,
                in_doubt,
                answered: self.answered(direction),
                records: if position == 0 { records } else { 0 },
                covered_by: covered_by.clone(),
            });
        }
    }
}

/// The endpoint of an address as seen from an interface.
#[must_use]
pub fn endpoint(scene: &Scene<'_>, seen_from: &Eni, address: std::net::IpAddr) -> Endpoint {
    match scene.peer(address, seen_from).owners.as_slice() {
        [owner] => Endpoint::Interface(owner.id),
        _ => Endpoint::Address(address),
    }
}
