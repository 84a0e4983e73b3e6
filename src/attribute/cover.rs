//! Which rules covered a reading of a conversation, in the snapshots that may
//! have been in force.
//!
//! One snapshot is taken as the time's own; what only another possible one
//! covers, or a rule that merely may match, is doubt and not use.

use std::collections::BTreeSet;

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

/// One reading of a conversation.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Which way it was opened.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Where its service may lie; never empty.
    pub services: Vec<PortRange>,
    /// The far side.
    pub peer: std::net::IpAddr,
}

/// The rules that covered a reading.
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
    /// Whether any rule, known or not, may have covered it.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.rules > 0 || !self.possible.is_empty() || self.unknown_group
    }

    /// The only rule that covered it, beyond doubt.
    #[must_use]
    pub fn sole(&self) -> Option<RuleIndex> {
        let alone = self.rules == 1 && self.possible.is_empty() && !self.unknown_group;
        alone.then(|| self.sure.first().copied()).flatten()
    }
}

/// The rules that covered a reading. The first candidate with a covering rule
/// is the time's own; rules of the others are possible.
#[must_use]
pub fn covering(
    reading: &Reading,
    candidates: &[Candidate<'_>],
    table: &RuleTable<'_>,
) -> Covering {
    let mut found = Covering::default();
    for candidate in candidates {
        let (own, possible, unknown_group) = covering_at(reading, candidate);
        found.unknown_group |= unknown_group;
        let today = |(group, rule): &(&SecurityGroup, &SgRule)| table.find(&group.id, rule);
        found.possible.extend(possible.iter().filter_map(today));
        if found.rules > 0 {
            found.possible.extend(own.iter().filter_map(today));
            continue;
        }
        found.rules = own.len();
        found.sure = own.iter().filter_map(today).collect();
        let alone = own
            .iter()
            .filter(|rule| !replaceable(rule, &own, &reading.services));
        found.alone_in_part = if own.len() > 1 {
            alone.filter_map(today).collect()
        } else {
            BTreeSet::new()
        };
    }
    found.possible = found.possible.difference(&found.sure).copied().collect();
    found
}

type Rules<'a> = Vec<(&'a SecurityGroup, &'a SgRule)>;

fn covering_at<'a>(reading: &Reading, candidate: &Candidate<'a>) -> (Rules<'a>, Rules<'a>, bool) {
    let peer = candidate.scene.peer(reading.peer, candidate.eni);
    let ask = Ask {
        direction: reading.direction,
        protocol: reading.protocol,
        services: &reading.services,
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

/// Whether some candidate's rules could let the reading through.
#[must_use]
pub fn feasible(reading: &Reading, candidates: &[Candidate<'_>]) -> bool {
    candidates.iter().any(|candidate| {
        let (sure, possible, unknown_group) = covering_at(reading, candidate);
        !sure.is_empty() || !possible.is_empty() || unknown_group
    })
}
