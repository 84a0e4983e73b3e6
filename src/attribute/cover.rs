//! Which rules covered one reading of a conversation, in the snapshots that may
//! have been in force.
//!
//! One snapshot is taken as the time's own; what only another possible one
//! covers, or a rule that merely may match, is doubt and not use.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute::matching;
use crate::attribute::matching::Ask;
use crate::attribute::merge::Camp;
use crate::attribute::merge::Contender;
use crate::attribute::merge::Decision;
use crate::attribute::merge::Ground;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A snapshot that may have been in force, with the interface as it was then.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The snapshot.
    pub scene: &'a Scene<'a>,
    /// The interface.
    pub eni: &'a Eni,
}

/// One question to the rules of some candidates: may a connection to one of
/// these services have gone this way?
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// Which way it was opened.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Where its service may lie; never empty.
    pub services: &'q [PortRange],
    /// Where the opener's port may lie; empty where nothing is known, or no
    /// rule asks.
    pub sources: &'q [PortRange],
    /// The far side.
    pub peer: IpAddr,
}

/// The rules that covered a question: those that let it through, or, for what
/// was rejected, those that stopped it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covering {
    /// Rules of today that covered it.
    pub sure: BTreeSet<RuleIndex>,
    /// Of those, the ones that no other single rule could stand in for: it is
    /// open which part of the traffic it was.
    pub alone_in_part: BTreeSet<RuleIndex>,
    /// Rules of today that may have covered it.
    pub possible: BTreeSet<RuleIndex>,
    /// Rules of today that would have, had no stronger ones done the same.
    pub outranked: BTreeSet<RuleIndex>,
    /// How many rules covered it, those that are gone since included.
    pub rules: usize,
    /// Whether rules that nobody knows may have covered it too: a group of the
    /// interface that the snapshot lacks.
    pub unknown_group: bool,
    /// What may have done the same without a rule.
    pub unwritten: Option<Unwritten>,
}

/// What decides without a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unwritten {
    /// Both ends are members of a group whose members reach each other.
    Members,
    /// What the groups do with what no rule matches.
    Default,
}

impl Covering {
    /// Adds what one candidate says. The first with something that covers is
    /// the time's own; rules of the others are possible.
    pub fn add(
        &mut self,
        camp: &Camp<'_>,
        unwritten: Option<Unwritten>,
        unknown_group: bool,
        services: &[PortRange],
        table: &RuleTable<'_>,
    ) {
        let Camp {
            sure: own,
            possible: may,
            outranked,
            by_default: _,
        } = camp;
        let today = |(group, rule): &(&SecurityGroup, &SgRule)| table.find(&group.id, rule);
        self.unknown_group |= unknown_group;
        self.possible.extend(may.iter().filter_map(today));
        if self.rules > 0 || self.unwritten.is_some() {
            self.possible.extend(own.iter().filter_map(today));
            return;
        }
        self.rules = own.len();
        self.unwritten = unwritten;
        self.sure = own.iter().filter_map(today).collect();
        self.outranked = outranked.iter().filter_map(today).collect();
        let alone = alone_in_part(own, services);
        self.alone_in_part = alone.iter().filter_map(today).collect();
    }

    /// What surely covers it is no longer merely possible.
    pub fn close(&mut self) {
        let possible: BTreeSet<RuleIndex> = std::mem::take(&mut self.possible);
        self.possible = possible.difference(&self.sure).copied().collect();
        self.outranked
            .retain(|rule| !self.possible.contains(rule) && !self.sure.contains(rule));
    }

    /// Whether any rule, known or not, may have covered it.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.rules > 0 || !self.possible.is_empty() || self.is_open()
    }

    /// Whether something else than a known rule may have covered it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.unknown_group || self.unwritten.is_some()
    }

    /// The same where something is known to have let it through: if only one
    /// rule may have, that one did.
    #[must_use]
    pub fn by_elimination(&self) -> Covering {
        let mut settled = self.clone();
        if settled.rules == 0 && settled.possible.len() == 1 && !settled.is_open() {
            settled.sure = std::mem::take(&mut settled.possible);
            settled.rules = 1;
        }
        settled
    }

    /// The only rule that covered it, beyond doubt.
    #[must_use]
    pub fn sole(&self) -> Option<RuleIndex> {
        let alone = self.rules == 1 && self.possible.is_empty() && !self.is_open();
        alone.then(|| self.sure.first().copied()).flatten()
    }
}

/// The rules that let a question through, and those that stopped it, found
/// plainly: what [`docket`](crate::attribute::docket) finds fast, and is held
/// against.
#[must_use]
pub fn covering(
    question: &Question<'_>,
    candidates: &[Candidate<'_>],
    table: &RuleTable<'_>,
) -> [Covering; 2] {
    let mut found = [Covering::default(), Covering::default()];
    for candidate in candidates {
        let (decision, lacks) = decided_at(question, candidate);
        let [allow, drop] = &mut found;
        allow.add(
            &decision.allow,
            decision.passing_unwritten(),
            lacks,
            question.services,
            table,
        );
        drop.add(
            &decision.drop,
            decision.stopping_unwritten(),
            lacks,
            question.services,
            table,
        );
    }
    found.iter_mut().for_each(Covering::close);
    found
}

/// Rules, each with its group.
pub type Rules<'a> = Vec<(&'a SecurityGroup, &'a SgRule)>;

/// What is decided at one candidate, and whether the snapshot lacks a group.
#[must_use]
pub fn decided_at<'a>(question: &Question<'_>, candidate: &Candidate<'a>) -> (Decision<'a>, bool) {
    let Candidate { scene, eni } = *candidate;
    let peer = scene.peer(question.peer, eni);
    let ask = Ask {
        local: eni,
        direction: question.direction,
        protocol: question.protocol,
        services: question.services,
        sources: question.sources,
        peer: &peer,
    };
    let fits = matching::covering(eni, &ask, scene).into_iter();
    let contenders = fits.map(|(group, rule, fit)| Contender { group, rule, fit });
    let (groups, lacks) = matching::groups_of(eni, scene);
    let talking = matching::talking(groups.iter().copied());
    let members = matching::members_fit(&talking, &peer, question.direction);
    let ground = Ground::of(groups.into_iter(), question.direction, members);
    let contenders = contenders.collect();
    let decision = Decision::of(contenders, ground, question.services, question.sources);
    (decision, lacks)
}

/// Of several rules, those that no other single one could stand in for.
fn alone_in_part<'a>(rules: &Rules<'a>, services: &[PortRange]) -> Rules<'a> {
    if rules.len() < 2 {
        return Rules::new();
    }
    // Which of several opener's ports a rule was needed for is not told.
    let by_sources = rules
        .iter()
        .any(|rule| rule.1.limits.source_ports.is_some());
    let alone = rules
        .iter()
        .filter(|rule| by_sources || !replaceable(rule, rules, services));
    alone.copied().collect()
}

/// Whether one other rule covers all of the services that this one does.
fn replaceable(
    rule: &(&SecurityGroup, &SgRule),
    rules: &Rules<'_>,
    services: &[PortRange],
) -> bool {
    let own = rule.1.transport.service();
    let others = rules
        .iter()
        .filter(|other| (&other.0.id, &other.1.id) != (&rule.0.id, &rule.1.id));
    others
        .map(|other| other.1.transport.service())
        .any(|other| {
            services
                .iter()
                .filter_map(|service| service.intersection(own))
                .all(|part| other.covers(part))
        })
}

/// Whether some candidate could let it through, found plainly.
#[must_use]
pub fn feasible(question: &Question<'_>, candidates: &[Candidate<'_>]) -> bool {
    candidates.iter().any(|candidate| {
        let (decision, unknown_group) = decided_at(question, candidate);
        decision.may_pass() || unknown_group
    })
}
