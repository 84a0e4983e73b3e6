//! One conversation before its judge: who opened it, by which rules, and what
//! follows for uses and needs.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::Services;
use crate::attribute::cover::Question;
use crate::attribute::cover::Unwritten;
use crate::attribute::covers::Cover;
use crate::attribute::docket::Docket;
use crate::attribute::initiator;
use crate::attribute::initiator::Certainty;
use crate::attribute::initiator::Initiator;
use crate::attribute::judge::Findings;
use crate::attribute::judge::Unresolved;
use crate::attribute::knowledge::Endpoint;
use crate::attribute::needs::Passed;
use crate::attribute::panel::Panel;
use crate::evidence::activity;
use crate::evidence::activity::History;
use crate::model::Direction;
use crate::model::SgId;
use crate::model::TcpFlags;
use crate::net::PortRange;
use crate::net::Timestamp;

/// Seconds by which a record's times may lag its packets.
const LAG: i64 = 60;
/// Longest time that an idle TCP connection stays tracked, in seconds.
const LONGEST_IDLE: i64 = 432_000;
/// Seconds after which a basic group has forgotten a connection, at most (ECS
/// user guide, "Security groups").
const FORGOTTEN: i64 = 910;
/// Longest aggregation interval in seconds.
const LONGEST_INTERVAL: i64 = 600;

/// A conversation in an earlier era, with the snapshots of that time.
#[derive(Debug)]
pub struct Before<'c, 'a> {
    /// What passed then.
    pub conversation: &'c Conversation,
    /// What may have been in force.
    pub panel: Rc<Panel<'a>>,
}

/// One conversation with all that is needed to judge it.
#[derive(Debug)]
pub struct Case<'c, 'a> {
    /// The conversation.
    pub conversation: &'c Conversation,
    /// The same conversation earlier, if it passed then.
    pub before: Option<Before<'c, 'a>>,
    /// Snapshots that may have been in force, the time's own first.
    pub panel: Rc<Panel<'a>>,
    /// What is at hand at this interface.
    pub docket: &'c Docket<'c, 'a>,
    /// What covered it, once asked for: inward and outward.
    covers: [OnceCell<Option<Rc<Cover>>>; 2],
}

impl<'c, 'a> Case<'c, 'a> {
    /// Nothing of it is judged yet.
    pub(super) fn new(
        conversation: &'c Conversation,
        before: Option<Before<'c, 'a>>,
        panel: Rc<Panel<'a>>,
        docket: &'c Docket<'c, 'a>,
    ) -> Case<'c, 'a> {
        Case {
            conversation,
            before,
            panel,
            docket,
            covers: Default::default(),
        }
    }
}

impl Case<'_, '_> {
    /// Asks a panel for the rules that covered a reading; `None` where the
    /// service of that reading is not known at all.
    fn cover_at(&self, panel: &Panel<'_>, direction: Direction) -> Option<Rc<Cover>> {
        let services = self.conversation.services(direction);
        (!services.is_empty()).then(|| {
            let sources = self.sources(panel, direction);
            let question = self.question(direction, &services, &sources);
            self.docket.cover(panel, &question)
        })
    }

    fn question<'s>(
        &self,
        direction: Direction,
        services: &'s [PortRange],
        sources: &'s [PortRange],
    ) -> Question<'s> {
        let key = &self.conversation.key;
        Question {
            direction,
            protocol: key.protocol,
            services,
            sources,
            peer: key.peer,
        }
    }

    /// Where the opener's port lies if the connection went in a direction; none
    /// where no rule of the panel asks.
    fn sources(&self, panel: &Panel<'_>, direction: Direction) -> Services {
        if !panel.asks_sources || !self.conversation.key.protocol.has_ports() {
            return Services::none();
        }
        self.conversation.services(direction.reverse())
    }

    /// The rules that covered the reading in a direction, if its service is
    /// known.
    fn cover(&self, direction: Direction) -> Option<Rc<Cover>> {
        let [inward, outward] = &self.covers;
        let known = match direction {
            Direction::Ingress => inward,
            Direction::Egress => outward,
        };
        let cover = known.get_or_init(|| self.cover_at(&self.panel, direction));
        cover.clone()
    }

    /// Whether the rules of the time could let the reading through: at this
    /// interface, and, where packets went both ways, at the peer's too.
    fn feasible(&self, direction: Direction) -> bool {
        let own = self.cover(direction).is_some_and(|cover| cover.feasible);
        let both_ways = self.conversation.inward.accepted.is_some()
            && self.conversation.outward.accepted.is_some();
        own && (!both_ways || self.feasible_at_peer(direction))
    }

    fn feasible_at_peer(&self, direction: Direction) -> bool {
        let services = self.conversation.services(direction);
        // The peer's rules are asked without the opener's port: they may say
        // more, and never less, than they did.
        let question = self.question(direction, &services, &[]);
        self.panel.feasible_at_peer(&question)
    }

    /// Who opened it; of what never passed, only flags can tell.
    #[must_use]
    pub fn initiator(&self) -> Initiator {
        if !self.conversation.accepted() {
            return Initiator::Ambiguous(None);
        }
        // No rule need be asked then.
        if let Some(certain) = initiator::by_flags(self.conversation) {
            return certain;
        }
        if self.conversation.breadth.is_some() {
            return initiator::of_many(
                Direction::BOTH
                    .map(|direction| self.feasible(direction) || self.outlived_its_rule(direction)),
            );
        }
        let case = initiator::Case {
            conversation: self.conversation,
            local: self.docket.local,
            peer: self.peer(),
            ingress_feasible: self.feasible(Direction::Ingress)
                || self.outlived_its_rule(Direction::Ingress),
            egress_feasible: self.feasible(Direction::Egress)
                || self.outlived_its_rule(Direction::Egress),
            full_coverage: self.full_coverage(),
        };
        initiator::initiator(&case, self.docket.bench.knowledge)
    }

    /// Whether no record of the conversation is known to be lost, nor may lie
    /// before the logs begin.
    fn full_coverage(&self) -> bool {
        let first = self.conversation.cells().map(|cell| cell.first).min();
        let last = self.conversation.cells().map(|cell| cell.last).max();
        let (Some(first), Some(last), Some(window)) = (first, last, self.docket.bench.window)
        else {
            return false;
        };
        // Logs no longer than one aggregation interval have no edge that
        // could be told from their middle.
        let at_edge =
            window.seconds() > LONGEST_INTERVAL && first.0 < window.start.0.saturating_add(LAG);
        let lost = self.docket.lost;
        let mut hours = first.hour() - 1..=last.hour() + 1;
        !at_edge && (lost.is_empty() || !hours.any(|hour| lost.contains(hour)))
    }

    /// Gives what was let through its place among uses, needs and the
    /// unexplained.
    pub(super) fn judge_accepted(&self, initiator: Initiator, findings: &mut Findings) {
        let halves = [
            &self.conversation.inward.accepted,
            &self.conversation.outward.accepted,
        ];
        let records: u64 = halves.into_iter().flatten().map(|cell| cell.records).sum();
        if records == 0 {
            return;
        }
        if self.panel.without_groups() {
            return findings.note(Unresolved::InterfaceWithoutGroups, records);
        }
        findings.accepted_records += records;
        match initiator {
            Initiator::Settled(direction, certainty)
                if certainty >= self.docket.bench.min_certainty =>
            {
                self.settle(direction, findings, records);
                if self.conversation.breadth.is_some() {
                    self.many_against(direction.reverse(), findings);
                }
                if certainty == Certainty::High
                    && let Some(opposite) = self.cover(direction.reverse())
                {
                    opposite.tally.borrow_mut().unlikely();
                }
            }
            Initiator::Settled(..) | Initiator::Ambiguous(_) => self.both_ways(findings, records),
            Initiator::Unexplained => findings.not_explained(records),
        }
    }

    /// The direction is beyond doubt.
    fn settle(&self, direction: Direction, findings: &mut Findings, records: u64) {
        let request = self.conversation.half(direction).accepted;
        if let Some(request) = request {
            let cover = self
                .cover(direction)
                .filter(|cover| cover.covering.explains());
            let Some(cover) = cover else {
                if self.outlived_its_rule(direction) {
                    return findings.note(Unresolved::OutlivedItsRule, records);
                }
                return findings.not_explained(records);
            };
            cover.tally.borrow_mut().credit(Some(&request), &request);
            self.note_without_rule(direction, &cover, request.records, findings);
            self.late_answers(direction, request.last, findings);
            return self.need(direction, &cover, request.records, false, findings);
        }
        self.settle_reply_only(direction, findings, records);
    }

    /// Of many peers the direction is beyond doubt for some of them: what went the
    /// other way may have been opened by the others.
    fn many_against(&self, direction: Direction, findings: &mut Findings) {
        let half = self.conversation.half(direction).accepted;
        let explains = |cover: &Rc<Cover>| cover.covering.explains();
        let cover = half.and_then(|_| self.cover(direction)).filter(explains);
        self.in_doubt(direction, cover, 0, findings);
    }

    /// Keeps what was sent to the opener when the connection may have been
    /// forgotten, where the default of the groups lets that out: it is no answer
    /// then. Seen where it comes after the last request alone.
    fn late_answers(&self, direction: Direction, asked: Timestamp, findings: &mut Findings) {
        let reply = self.conversation.half(direction.reverse()).accepted;
        let of_many = self.conversation.breadth.is_some();
        let late = reply.is_some_and(|reply| of_many || reply.last.0 - asked.0 > FORGOTTEN);
        let cover = late.then(|| self.cover(direction.reverse())).flatten();
        let by_default = |cover: &Rc<Cover>| cover.covering.unwritten == Some(Unwritten::Default);
        if let Some(cover) = cover.filter(by_default) {
            self.need(direction.reverse(), &cover, 0, true, findings);
        }
    }

    /// Notes what surely no rule let through: groups that both ends carry, whose
    /// members reach each other, or all groups of the interface by default.
    fn note_without_rule(
        &self,
        direction: Direction,
        cover: &Cover,
        records: u64,
        findings: &mut Findings,
    ) {
        let covering = &cover.covering;
        let by_rule = covering.rules > 0 || !covering.possible.is_empty();
        let (Some(unwritten), Some(own)) = (covering.unwritten, self.panel.candidates().first())
        else {
            return;
        };
        if by_rule || covering.unknown_group {
            return;
        }
        let facts = self.panel.facts(self.conversation.key.peer);
        let shared = |group: &SgId| {
            let talks = own
                .scene
                .group(group)
                .is_some_and(|group| group.policy.members_talk);
            let owners = facts.iter().flat_map(|facts| &facts.owners);
            talks && { owners }.any(|owner| owner.groups.contains(group))
        };
        for group in &own.eni.groups {
            if unwritten == Unwritten::Default || shared(group) {
                let of = (group.clone(), direction, unwritten);
                *findings.without_rule.entry(of).or_default() += records;
            }
        }
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
        in_time
            && self
                .cover_at(&before.panel, direction)
                .is_some_and(|cover| cover.covering.explains())
    }

    /// Test 3b: replies without a request on this interface. Either the
    /// request came by another interface, so that this one keeps no state and
    /// its own rule let the reply through, or its record was lost.
    fn settle_reply_only(&self, direction: Direction, findings: &mut Findings, records: u64) {
        let Some(reply) = self.conversation.half(direction.reverse()).accepted else {
            return;
        };
        let explains = |cover: &Rc<Cover>| cover.covering.explains();
        let (own, reverse) = (self.cover(direction), self.cover(direction.reverse()));
        let own_explains = own.as_ref().is_some_and(explains);
        let reverse_explains = reverse.as_ref().is_some_and(explains);
        if !own_explains && !reverse_explains {
            return findings.not_explained(records);
        }
        if self.full_coverage() && reverse_explains {
            if let Some(reverse) = &reverse {
                reverse.tally.borrow_mut().credit(Some(&reply), &reply);
                self.need(direction.reverse(), reverse, reply.records, false, findings);
            }
            return self.in_doubt(direction, own, 0, findings);
        }
        if let Some(own) = own.filter(explains) {
            own.tally.borrow_mut().credit(None, &reply);
            self.need(direction, &own, 0, false, findings);
        }
        self.in_doubt(direction.reverse(), reverse, reply.records, findings);
    }

    /// One reading is kept and not claimed.
    fn in_doubt(
        &self,
        direction: Direction,
        cover: Option<Rc<Cover>>,
        records: u64,
        findings: &mut Findings,
    ) {
        if let Some(cover) = cover {
            cover.tally.borrow_mut().doubt();
            self.need(direction, &cover, records, true, findings);
        }
    }

    /// The direction stays in doubt: both readings are kept, none is claimed.
    fn both_ways(&self, findings: &mut Findings, records: u64) {
        findings.note(Unresolved::AmbiguousInitiator, records);
        for direction in Direction::BOTH {
            let half = self.conversation.half(direction).accepted;
            let records = half.map_or(0, |cell| cell.records);
            self.in_doubt(direction, self.cover(direction), records, findings);
        }
    }

    /// Whether the responder of a connection in this direction answered with
    /// more than a reset, or may have, where records were lost.
    fn answered(&self, direction: Direction) -> bool {
        let reply = self.conversation.half(direction.reverse()).accepted;
        let lost = reply.is_none() && !self.full_coverage();
        lost || reply.is_some_and(|cell| cell.answers > 0 || cell.flags != TcpFlags(TcpFlags::RST))
    }

    /// When anything was accepted.
    fn seen(&self) -> History {
        let halves = Direction::BOTH.map(|direction| self.conversation.half(direction).accepted);
        let mut seen = None;
        for cell in halves.iter().flatten() {
            activity::add(&mut seen, Some(cell.history()));
        }
        seen.unwrap_or_else(|| History::of(Timestamp(0), Timestamp(0)))
    }

    /// Notes what must keep passing, one entry for each range of the service.
    fn need(
        &self,
        direction: Direction,
        cover: &Cover,
        records: u64,
        in_doubt: bool,
        findings: &mut Findings,
    ) {
        let unwritten = cover.covering.unwritten;
        if cover.retained.is_empty() && unwritten.is_none() {
            let by_old_rules = !in_doubt && cover.covering.explains();
            findings.outdated += u64::from(by_old_rules);
            return;
        }
        let key = &self.conversation.key;
        let answered = self.answered(direction);
        let seen = self.seen();
        let services = self.conversation.services(direction);
        for (position, service) in services.iter().enumerate() {
            findings.passed.push(Passed {
                interface_id: self.docket.interface_id,
                direction,
                protocol: key.protocol,
                service: *service,
                peer: key.peer,
                among: self.conversation.among(),
                in_doubt,
                answered,
                records: if position == 0 { records } else { 0 },
                seen,
                covered_by: Arc::clone(&cover.retained),
                unwritten,
            });
        }
    }

    /// The far side as an endpoint.
    fn peer(&self) -> Endpoint {
        let address = self.conversation.key.peer;
        let endpoints = self.docket.bench.endpoints;
        let known = self.panel.about(address, |facts| endpoints.of_peer(facts));
        known.unwrap_or(Endpoint::Address(address))
    }
}
