//! One cell of evidence and the rules of its time make a verdict. Pure: no
//! files, no output; the heart of the program.
//!
//! Floor 4. [`attribute`] judges all evidence against a series of snapshots.
//! What it finds is told in three nouns: [`verdicts::RuleVerdict`] for each
//! rule, [`rejects::RejectFinding`] for each folded REJECT, and
//! [`needs::Passed`] for each conversation that was let through.

pub mod acl;
pub mod case;
pub mod conversation;
pub mod cover;
pub mod covers;
pub mod docket;
pub mod ends;
pub mod gaps;
pub mod hitting;
pub mod index;
pub mod initiator;
pub mod judge;
pub mod knowledge;
pub mod ledger;
pub mod matching;
pub mod merge;
pub mod nearest;
pub mod needs;
pub mod no_effect;
pub mod noise;
pub mod owners;
pub mod panel;
pub mod protected;
pub mod question;
pub mod rejects;
mod ruling;
pub mod scene;
pub mod season;
pub mod shadow;
mod strangers;
pub mod strays;
pub mod table;
pub mod talks;
mod trip;
pub mod unfiltered;
pub mod usage;
pub mod verdict;
pub mod verdicts;
pub mod watch;
pub mod why;
#[cfg(test)]
pub(crate) mod world;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use rayon::prelude::*;

use crate::attribute::conversation::Order;
use crate::attribute::conversation::direction_of;
use crate::attribute::cover::Candidate;
use crate::attribute::initiator::Certainty;
use crate::attribute::judge::Bench;
use crate::attribute::judge::Findings;
use crate::attribute::judge::Hearing;
use crate::attribute::judge::Unresolved;
use crate::attribute::judge::WithoutRule;
use crate::attribute::knowledge::Endpoints;
use crate::attribute::knowledge::Knowledge;
use crate::attribute::knowledge::Notes;
use crate::attribute::needs::Passed;
use crate::attribute::owners::Owners;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::Uses;
use crate::evidence::Evidence;
use crate::evidence::cell::CellKey;
use crate::evidence::era::Eras;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::pool::Coarse;
use crate::model::Action;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::snapshot::Dating;

/// What all evidence came to.
#[derive(Debug, Default)]
pub struct Attribution {
    /// What rules earned.
    pub uses: Uses,
    /// What was let through, sorted.
    pub passed: Vec<Passed>,
    /// What was not, sorted by interface and conversation.
    pub rejects: Vec<RejectFinding>,
    /// Accepted conversations that no rule explains.
    pub unexplained: u64,
    /// Accepted and unexplained records by group.
    pub accepted_by_group: BTreeMap<SgId, AcceptedRecords>,
    /// Records not attributed, by reason.
    pub unresolved: BTreeMap<Unresolved, u64>,
    /// Conversations let through by rules that the newest snapshot has no more.
    pub outdated: u64,
    /// Records let through by no rule.
    pub without_rule: WithoutRule,
    /// Groups that may have let through what nobody can read, by rule or without.
    pub unread: BTreeSet<SgId>,
    /// Interfaces in the logs that no snapshot knows, sorted.
    pub unknown_interfaces: Vec<EniId>,
    /// Addresses whose owner only the logs tell, sorted.
    pub heard_owners: BTreeSet<(IpAddr, EniId)>,
}

/// Accepted records at the interfaces of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptedRecords {
    /// All of them.
    pub all: u64,
    /// Those that no rule of the time explains.
    pub unexplained: u64,
}

/// Judges evidence. `scenes` are all snapshots, oldest first, `eras` the cuts
/// that the evidence was folded with, and `owners` what it tells of addresses.
#[must_use]
pub fn attribute<'a>(
    evidence: &Evidence,
    scenes: &'a [Scene<'a>],
    eras: &Eras,
    owners: &Owners,
    table: &'a RuleTable<'a>,
    min_certainty: Certainty,
) -> Attribution {
    let interfaces = evidence.by_id();
    let endpoints = endpoints(&interfaces, scenes);
    let learning = Learning {
        coarse: evidence.coarse.as_ref(),
        eras,
        scenes,
        owners,
        endpoints: &endpoints,
    };
    let (orders, knowledge) = learning.of_all(&interfaces);
    let bench = Bench {
        scenes,
        table,
        endpoints: &endpoints,
        knowledge: &knowledge,
        window: evidence.span,
        min_certainty,
        fold_noise: rejected_cells(&interfaces) > noise::ALL_APART,
    };
    // Each order is given back once its interface is judged.
    let mut judged: Vec<(EniId, Judged)> = interfaces
        .par_iter()
        .zip(orders)
        .map(|((id, seen), order)| (*id, judge_interface(*id, seen, &order, eras, &bench)))
        .collect();
    let (passed, rejects) = told(&mut judged);
    let mut attribution = Attribution {
        passed,
        rejects,
        ..Attribution::default()
    };
    for (id, judged) in judged {
        attribution.add(id, judged, scenes);
    }
    attribution.note(Unresolved::NoInterface, evidence.unplaced.no_interface);
    attribution.note(Unresolved::NoTime, evidence.unplaced.no_time);
    attribution
}

/// What was let through and what was not, at all interfaces in their order.
fn told(judged: &mut [(EniId, Judged)]) -> (Vec<Passed>, Vec<RejectFinding>) {
    let known = judged.iter_mut().filter_map(|(_, judged)| match judged {
        Judged::Known(findings) => Some(findings),
        Judged::Unknown(_) => None,
    });
    let of_each = |findings: &mut Box<Findings>| {
        let Findings {
            passed, rejects, ..
        } = findings.as_mut();
        (std::mem::take(passed), std::mem::take(rejects))
    };
    let (passed, rejects): (Vec<_>, Vec<_>) = known.map(of_each).unzip();
    rayon::join(|| in_one(passed), || in_one(rejects))
}

fn in_one<T>(lists: Vec<Vec<T>>) -> Vec<T> {
    let mut all = Vec::with_capacity(lists.iter().map(Vec::len).sum());
    for list in lists {
        all.extend(list);
    }
    all
}

fn rejected_cells(interfaces: &[(EniId, &InterfaceEvidence)]) -> usize {
    let rejected = |seen: &&InterfaceEvidence| {
        seen.cells
            .iter()
            .filter(|(key, _)| key.action == Action::Reject)
            .count()
    };
    interfaces.par_iter().map(|(_, seen)| rejected(seen)).sum()
}

/// What became of one interface.
enum Judged {
    Known(Box<Findings>),
    Unknown(u64),
}

fn judge_interface(
    id: EniId,
    seen: &InterfaceEvidence,
    order: &Order<'_>,
    eras: &Eras,
    bench: &Bench<'_>,
) -> Judged {
    let Some(eni) = known(id, bench.scenes) else {
        let records = seen.cells.iter().map(|(_, cell)| cell.records).sum::<u64>();
        return Judged::Unknown(records + seen.efa_records + seen.incomplete_records);
    };
    let by_era = |era: u16| candidates(id, era, eras, bench.scenes);
    let hearing = Hearing {
        interface_id: id,
        evidence: seen,
        order,
        eni,
        bench,
    };
    let mut findings = hearing.judge(&by_era);
    // All are sorted in the end: interfaces come in order.
    let told = |one: &Passed| (one.direction, one.protocol, one.service, one.peer);
    findings
        .passed
        .sort_unstable_by(|one, other| told(one).cmp(&told(other)).then_with(|| one.cmp(other)));
    // So are these: what they are folded by begins with the interface.
    findings.rejects = rejects::folded(findings.rejects);
    Judged::Known(Box::new(findings))
}

/// The interface in the newest snapshot that has it.
fn known<'a>(id: EniId, scenes: &'a [Scene<'a>]) -> Option<&'a Eni> {
    scenes
        .iter()
        .rev()
        .find_map(|scene| scene.snapshot.enis.get(&id))
}

/// Snapshots that may be in force in an era and know the interface: the
/// time's own first, then the others of a handover, then the next, since a
/// change may come any time before it is seen, unless its time is recorded.
/// Where none of them knows the interface, the nearest one that does.
fn candidates<'a>(id: EniId, era: u16, eras: &Eras, scenes: &'a [Scene<'a>]) -> Vec<Candidate<'a>> {
    let (start, end) = eras.bounds(era);
    let in_force = |time| {
        let begun = |scene: &&Scene<'_>| {
            scene
                .snapshot
                .captured_at
                .is_none_or(|captured| captured <= time)
        };
        scenes.iter().take_while(begun).count().saturating_sub(1)
    };
    let first = start.map_or(0, in_force);
    let last = end
        .map_or(scenes.len().saturating_sub(1), in_force)
        .max(first);
    let after = scenes.get(last + 1).map(|scene| scene.snapshot.dating);
    let next = match after {
        Some(Dating::Seen) => last + 1,
        Some(Dating::Changed) | None => last.min(scenes.len().saturating_sub(1)),
    };
    let candidate = |scene: &'a Scene<'a>| {
        Some(Candidate {
            scene,
            eni: scene.snapshot.enis.get(&id)?,
        })
    };
    let found: Vec<Candidate<'a>> = scenes
        .get(first..=next)
        .unwrap_or_default()
        .iter()
        .filter_map(candidate)
        .collect();
    if !found.is_empty() {
        return found;
    }
    let later = scenes.iter().skip(next).find_map(candidate);
    let earlier = scenes.iter().take(first).rev().find_map(candidate);
    later.or(earlier).into_iter().collect()
}

/// Numbers every interface that logs or snapshots know.
fn endpoints(interfaces: &[(EniId, &InterfaceEvidence)], scenes: &[Scene<'_>]) -> Endpoints {
    let logged = interfaces.iter().map(|(id, _)| *id);
    let described = scenes.iter().flat_map(|scene| scene.snapshot.enis.keys());
    Endpoints::new(logged.chain(described.copied()))
}

/// The first pass.
struct Learning<'l> {
    coarse: Option<&'l Coarse>,
    eras: &'l Eras,
    scenes: &'l [Scene<'l>],
    owners: &'l Owners,
    endpoints: &'l Endpoints,
}

impl<'l> Learning<'l> {
    /// The order of each interface's cells, and what all tell together.
    fn of_all(&self, interfaces: &[(EniId, &InterfaceEvidence)]) -> (Vec<Order<'l>>, Knowledge) {
        let learned = interfaces
            .par_iter()
            .map(|(id, seen)| self.of_one(*id, seen));
        let (orders, notes): (Vec<Order<'l>>, Vec<Notes>) = learned.unzip();
        (orders, Knowledge::of(notes))
    }

    fn of_one(&self, id: EniId, seen: &InterfaceEvidence) -> (Order<'l>, Notes) {
        let mut notes = Notes::default();
        let Some(eni) = known(id, self.scenes) else {
            return (Order::default(), notes);
        };
        // By era, the snapshot of the time: whose an address was, the time decides.
        let mut of_time: BTreeMap<u16, Option<Candidate<'_>>> = BTreeMap::new();
        let stays = self.owners.of_interface(id);
        let grain = self.coarse.and_then(|coarse| coarse.of(id));
        let by_others = |key: &CellKey| {
            let mut states = self
                .scenes
                .iter()
                .filter_map(|scene| scene.snapshot.enis.get(&id));
            let of_state = states.find_map(|eni| direction_of(key, eni));
            of_state.or_else(|| owners::way(stays, key, grain))
        };
        let order = Order::of(seen, eni, grain, &by_others);
        let local = self.endpoints.of(id);
        let mut last = None;
        // What was rejected served nobody: a scanned port is no service.
        order.each_accepted(seen, |conversation| {
            if conversation.breadth.is_some() {
                return notes.learn_of_many(local, conversation);
            }
            let asked = (conversation.key.peer, conversation.key.era);
            let peer = match last {
                Some((own, peer)) if own == asked => peer,
                _ => {
                    let (address, era) = asked;
                    let of_time = of_time.entry(era).or_insert_with(|| {
                        candidates(id, era, self.eras, self.scenes)
                            .into_iter()
                            .next()
                    });
                    let Some(Candidate { scene, eni }) = *of_time else {
                        return;
                    };
                    self.endpoints.of_peer(&scene.peer(address, eni))
                }
            };
            last = Some((asked, peer));
            notes.learn(local, peer, conversation);
        });
        notes.close();
        (order, notes)
    }
}

impl Attribution {
    fn note(&mut self, why: Unresolved, records: u64) {
        if records > 0 {
            *self.unresolved.entry(why).or_default() += records;
        }
    }

    /// Adds what became of one interface, but for what [`told`] took out.
    fn add(&mut self, id: EniId, judged: Judged, scenes: &[Scene<'_>]) {
        match judged {
            Judged::Known(findings) => self.add_findings(id, *findings, scenes),
            Judged::Unknown(records) => {
                self.unknown_interfaces.push(id);
                self.note(Unresolved::UnknownInterface, records);
            }
        }
    }

    fn add_findings(&mut self, id: EniId, findings: Findings, scenes: &[Scene<'_>]) {
        let Findings {
            uses,
            passed: _,
            rejects: _,
            unexplained,
            unresolved,
            accepted_records,
            outdated,
            without_rule,
            unread,
        } = findings;
        self.unread.extend(unread);
        self.outdated += outdated;
        for (of, records) in without_rule {
            *self.without_rule.entry(of).or_default() += records;
        }
        self.uses.merge(uses);
        for (why, records) in unresolved {
            self.note(why, records);
        }
        for group in known(id, scenes).into_iter().flat_map(|eni| &eni.groups) {
            let of_group = self.accepted_by_group.entry(group.clone()).or_default();
            of_group.all += accepted_records;
            of_group.unexplained += unexplained.records;
        }
        self.unexplained += unexplained.conversations;
    }
}
