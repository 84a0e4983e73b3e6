//! Which rules covered one reading of a conversation, in the snapshots that may
//! have been in force.
//!
//! One snapshot is taken as the time's own; what only another possible one
//! covers, or a rule that merely may match, is doubt and not use.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute::matching;
use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
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
    /// The far side.
    pub peer: IpAddr,
}

/// The rules that covered a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Covering {
    /// Rules of today that covered it.
    pub sure: BTreeSet<RuleIndex>,
    /// Of those, the ones that no other single rule could stand in for: it is
    /// open which part of the traffic it was.
    pub alone_in_part: BTreeSet<RuleIndex>,
    /// Rules of today that may have covered it.
    pub possible: BTreeSet<RuleIndex>,
    /// How many rules covered it, those that are gone since included.
    pub rules: usize,
    /// Whether rules that nobody knows may have covered it too: a group of the
    /// interface that the snapshot lacks.
    pub unknown_group: bool,
}

impl Covering {
    /// Adds what one candidate says. The first with a covering rule is the
    /// time's own; rules of the others are possible.
    pub fn add(
        &mut self,
        own: &Rules<'_>,
        may: &Rules<'_>,
        unknown_group: bool,
        services: &[PortRange],
        table: &RuleTable<'_>,
    ) {
        let today = |(group, rule): &(&SecurityGroup, &SgRule)| table.find(&group.id, rule);
        self.unknown_group |= unknown_group;
        self.possible.extend(may.iter().filter_map(today));
        if self.rules > 0 {
            self.possible.extend(own.iter().filter_map(today));
            return;
        }
        self.rules = own.len();
        self.sure = own.iter().filter_map(today).collect();
        let alone = alone_in_part(own, services);
        self.alone_in_part = alone.iter().filter_map(today).collect();
    }

    /// What surely covers it is no longer merely possible.
    pub fn close(&mut self) {
        let possible: BTreeSet<RuleIndex> = std::mem::take(&mut self.possible);
        self.possible = possible.difference(&self.sure).copied().collect();
    }

    /// Whether any rule, known or not, may have covered it.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.rules > 0 || !self.possible.is_empty() || self.unknown_group
    }

    /// The same where something is known to have let it through: if only one
    /// rule may have, that one did.
    #[must_use]
    pub fn by_elimination(&self) -> Covering {
        let mut settled = self.clone();
        if settled.rules == 0 && settled.possible.len() == 1 && !settled.unknown_group {
            settled.sure = std::mem::take(&mut settled.possible);
            settled.rules = 1;
        }
        settled
    }

    /// The only rule that covered it, beyond doubt.
    #[must_use]
    pub fn sole(&self) -> Option<RuleIndex> {
        let alone = self.rules == 1 && self.possible.is_empty() && !self.unknown_group;
        alone.then(|| self.sure.first().copied()).flatten()
    }
}

/// The rules that covered a question, found plainly: what
/// [`docket`](crate::attribute::docket) finds fast, and is held against.
#[must_use]
pub fn covering(
    question: &Question<'_>,
    candidates: &[Candidate<'_>],
    table: &RuleTable<'_>,
) -> Covering {
    let mut found = Covering::default();
    for candidate in candidates {
        let (own, may, unknown_group) = covering_at(question, candidate);
        found.add(&own, &may, unknown_group, question.services, table);
    }
    found.close();
    found
}

/// Rules, each with its group.
pub type Rules<'a> = Vec<(&'a SecurityGroup, &'a SgRule)>;

fn covering_at<'a>(
    question: &Question<'_>,
    candidate: &Candidate<'a>,
) -> (Rules<'a>, Rules<'a>, bool) {
    let peer = candidate.scene.peer(question.peer, candidate.eni);
    let ask = Ask {
        direction: question.direction,
        protocol: question.protocol,
        services: question.services,
        peer: &peer,
    };
    let fits = matching::covering(candidate.eni, &ask, candidate.scene);
    let sure = fits
        .iter()
        .filter(|(_, _, fit)| *fit >= Fit::Part)
        .map(|(group, rule, _)| (*group, *rule))
        .collect();
    let possible = fits.iter().filter(|(_, _, fit)| *fit == Fit::Possible);
    let possible = possible.map(|(group, rule, _)| (*group, *rule)).collect();
    let (_, lacks) = matching::groups_of(candidate.eni, candidate.scene);
    (sure, possible, lacks)
}

/// Of several rules, those that no other single one could stand in for.
fn alone_in_part<'a>(rules: &Rules<'a>, services: &[PortRange]) -> Rules<'a> {
    if rules.len() < 2 {
        return Rules::new();
    }
    let alone = rules
        .iter()
        .filter(|rule| !replaceable(rule, rules, services));
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

/// Whether some candidate's rules could let it through, found plainly.
#[must_use]
pub fn feasible(question: &Question<'_>, candidates: &[Candidate<'_>]) -> bool {
    candidates.iter().any(|candidate| {
        let (sure, possible, unknown_group) = covering_at(question, candidate);
        !sure.is_empty() || !possible.is_empty() || unknown_group
    })
}
