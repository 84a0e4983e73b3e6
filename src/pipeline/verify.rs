//! The merge gate: what was seen under the snapshot's rules, replayed against
//! others.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;

use crate::attribute::ledger;
use crate::attribute::needs::Passed;
use crate::attribute::scene::Scene;
use crate::attribute::verdicts::Court;
use crate::evidence::Evidence;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::Action;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::GroupPolicy;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::model::Transport;
use crate::pipeline::analyze;
use crate::pipeline::assemble;
use crate::pipeline::error::PipelineError;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::rules::Rules;
use crate::pipeline::rules::Standing;
use crate::pipeline::seen::Seen;
use crate::pipeline::seen::seen;
use crate::pipeline::snapshots;
use crate::report::document::Caveat;
use crate::report::human;
use crate::report::verify;
use crate::report::verify::BrokenFlow;
use crate::report::verify::OpenedBox;
use crate::report::verify::Undecided;
use crate::report::verify::Verification;
use crate::tighten::proof::against::Against;
use crate::tighten::proof::against::Loss;
use crate::tighten::proof::against::Opened;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::book::Owners;
use crate::tighten::proof::ranked::against as ranked;

/// Replays what was seen against other rules. `path` is where they come from.
///
/// # Errors
/// See [`PipelineError`].
pub fn verify(
    request: &Request,
    rules: Rules,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Verification, PipelineError> {
    analyze::in_pool(request.threads, || run(request, rules, path, progress))
}

fn run(
    request: &Request,
    rules: Rules,
    path: &Path,
    progress: &dyn Progress,
) -> Result<Verification, PipelineError> {
    let (series, caveats) = snapshots::load(&request.snapshots)?;
    let kind = rules.kind();
    // Rules that do not fit are better known before hours of reading.
    let standing = rules.standing(path, series.latest())?;
    let seen = seen(request, &series, Some(&standing), progress)?;
    progress.phase("replaying");
    let book = Book::new(&series);
    let today = series.latest();
    let passed = request.obligations.kept(&seen.attribution.passed);
    let evidence = &seen.ingested.evidence;
    let strangers = !seen.attribution.unknown_interfaces.is_empty();
    let unheard = unheard(today, evidence);
    let found = held(today, &standing, &book, &passed, &unheard, strangers);
    let Held {
        loss,
        opened,
        untold,
    } = found;
    let dark = dark(today, &standing, &seen.ingested.evidence);
    let blind = blind(&series, &standing, &dark, &seen);
    let outdated = seen.attribution.outdated;
    let unexplained = loss.unexplained + seen.attribution.unexplained + outdated;
    let Standing {
        mut notes,
        mut undecided,
        ..
    } = standing;
    let told: BTreeSet<String> = untold.iter().map(|one| one.from.clone()).collect();
    undecided.extend(untold);
    undecided.extend(blind.into_iter().filter(|one| !told.contains(&one.from)));
    if outdated > 0 {
        notes.push(format!(
            "{} passed by a rule that today's snapshot has no more: not replayed",
            human::counted(outdated, "conversation")
        ));
    }
    let mut all: BTreeSet<Caveat> = caveats.into_iter().collect();
    all.extend(seen.ingested.caveats.iter().cloned());
    Ok(Verification {
        schema: verify::SCHEMA.to_owned(),
        rules: path.to_string_lossy().into_owned(),
        kind,
        window: seen.ingested.evidence.span,
        ingest: assemble::ingest(&seen.ingested),
        connections: loss.connections,
        unexplained,
        broken: broken(loss),
        opened: opened.into_iter().map(opened_box).collect(),
        undecided,
        unwatched: dark,
        notes,
        caveats: all.into_iter().collect(),
    })
}

/// What other rules do.
struct Held {
    loss: Loss,
    opened: Vec<Opened>,
    /// What would be stopped where no log could tell of it.
    untold: Vec<Undecided>,
}

/// What would break and what would open. `unheard` are interfaces of which the
/// logs do not tell what passed; `strangers` is whether some are in the logs
/// that no snapshot knows.
fn held(
    today: &Snapshot,
    standing: &Standing,
    book: &Book<'_>,
    passed: &[Passed],
    unheard: &BTreeSet<EniId>,
    strangers: bool,
) -> Held {
    let world = standing.world.as_deref();
    let mut groups = today.groups.values().chain(standing.groups.values());
    if groups.any(ranked::has_ranks) {
        let against = ranked::Against {
            today,
            after: &standing.groups,
            carried: &standing.carried,
            other: world,
        };
        return Held {
            loss: against.loss(passed),
            opened: against.opened(),
            untold: untold(&against, unheard, strangers),
        };
    }
    let other = world.map(Owners::of_snapshot);
    let against = Against {
        today,
        after: &standing.groups,
        carried: &standing.carried,
        book,
        other: world.zip(other.as_ref()),
    };
    Held {
        loss: against.loss(passed),
        opened: against.opened(),
        // Rules that go are told one by one.
        untold: Vec::new(),
    }
}

/// Interfaces in use of which no record tells what was let through.
fn unheard(today: &Snapshot, evidence: &Evidence) -> BTreeSet<EniId> {
    let in_use = today.enis.values().filter(|eni| eni.in_use);
    let unheard = in_use.filter(|eni| {
        let seen = evidence.interfaces.get(&eni.id);
        evidence.rows.accepted == 0
            || !seen.is_some_and(|seen| !seen.observed.is_empty() && tells(seen, eni, today))
    });
    unheard.map(|eni| eni.id).collect()
}

/// What passes today and would not, where it may have been used unseen.
fn untold(
    against: &ranked::Against<'_>,
    unheard: &BTreeSet<EniId>,
    strangers: bool,
) -> Vec<Undecided> {
    let every: BTreeSet<EniId> = against.today.enis.keys().copied().collect();
    let closed = against.closed(if strangers { &every } else { unheard });
    let told = closed.into_iter().map(|one| {
        let why = if strangers {
            "interfaces that no snapshot knows are in the logs and may have used it"
        } else {
            "no log tells what was let through at some of the interfaces that carry it"
        };
        Undecided {
            from: format!("{} {}", one.group_id, one.rule_id),
            what: format!(
                "{} {} passes by it today and would not: {why}",
                one.direction, one.packet
            ),
        }
    });
    let beside = against.beside_unknown().into_iter();
    let beside = beside.map(|(group, eni)| Undecided {
        from: group.to_string(),
        what: format!(
            "{eni} carries it and the snapshot lacks its rules: what they let through may be stopped by what changes beside them"
        ),
    });
    told.chain(beside).collect()
}

/// Groups whose rules change and whose interfaces no log speaks of: nothing
/// can be said of what breaks there.
fn dark(today: &Snapshot, standing: &Standing, evidence: &Evidence) -> Vec<SgId> {
    let mut logged: BTreeMap<&SgId, bool> = BTreeMap::new();
    for eni in today.enis.values() {
        let seen = evidence.interfaces.get(&eni.id);
        let heard = seen.is_some_and(|seen| {
            // Where nothing at all was accepted, rules tell so one by one.
            let tells = evidence.rows.accepted == 0 || tells(seen, eni, today);
            !seen.observed.is_empty() && tells
        });
        for group in &eni.groups {
            *logged.entry(group).or_default() |= heard;
        }
    }
    let changes = |id: &SgId| {
        let before = today.groups.get(id).map(said);
        before != standing.groups.get(id).map(said)
    };
    let dark = logged.into_iter().filter(|(_, heard)| !heard);
    dark.map(|(id, _)| id)
        .filter(|id| changes(id))
        .cloned()
        .collect()
}

/// Rules that go, or say something else, and of which the logs cannot tell
/// whether they were used.
fn blind(
    series: &SnapshotSeries,
    standing: &Standing,
    dark: &[SgId],
    seen: &Seen<'_>,
) -> Vec<Undecided> {
    let scene = Scene::new(series.latest());
    let court = Court {
        evidence: &seen.ingested.evidence,
        series,
        scene: &scene,
        table: &seen.table,
        attribution: &seen.attribution,
    };
    let stays = |group: &SecurityGroup, rule: &SgRule| {
        let after = standing.groups.get(&group.id);
        let mut rules = after.into_iter().flat_map(|group| &group.rules);
        rules.any(|own| words(own) == words(rule))
    };
    let verdicts = court.decide().rules;
    let blind = verdicts.into_iter().filter_map(|verdict| {
        let (group, rule) = seen.table.get(verdict.rule)?;
        let what = verdict.blind?;
        let changes = !dark.contains(&group.id) && !stays(group, rule);
        changes.then(|| Undecided {
            from: format!("{} {}", group.id, rule.id),
            what: format!("this rule of today {what}"),
        })
    });
    blind.collect()
}

/// Whether rows of an interface are more than refusals, or its flow logs are
/// known to keep what was accepted: refusals alone say nothing of use.
fn tells(seen: &InterfaceEvidence, eni: &Eni, today: &Snapshot) -> bool {
    let mut cells = seen.cells.iter().peekable();
    let refused = cells.peek().is_some() && cells.all(|(key, _)| key.action == Action::Reject);
    !refused || ledger::keeps_accepts(eni, today)
}

fn said(group: &SecurityGroup) -> (GroupPolicy, BTreeSet<Words<'_>>) {
    (group.policy, group.rules.iter().map(words).collect())
}

/// All that a rule says.
type Words<'r> = (
    Direction,
    Effect,
    Option<u16>,
    Transport,
    &'r Peer,
    &'r Limits,
);

fn words(rule: &SgRule) -> Words<'_> {
    (
        rule.direction,
        rule.effect,
        rule.priority,
        rule.transport,
        &rule.peer,
        &rule.limits,
    )
}

fn broken(loss: Loss) -> Vec<BrokenFlow> {
    let flow = |lost: crate::tighten::proof::against::Lost| BrokenFlow {
        interface_id: lost.interface_id,
        direction: lost.direction,
        protocol: lost.protocol.to_string(),
        from_port: lost.protocol.has_ports().then(|| lost.service.from()),
        to_port: lost.protocol.has_ports().then(|| lost.service.to()),
        peer: lost.peer,
        group_id: lost.rule.group_id,
        rule_id: lost.rule.rule_id,
        records: lost.records,
        in_doubt: lost.in_doubt,
    };
    loss.lost.into_iter().map(flow).collect()
}

fn opened_box(opened: Opened) -> OpenedBox {
    let (from_port, to_port) = opened.transport.from_to().unzip();
    OpenedBox {
        group_id: opened.group_id,
        direction: opened.direction,
        rule_id: opened.rule_id,
        interface_id: opened.interface_id,
        protocol: opened.transport.protocol_name(),
        from_port,
        to_port,
        peer: opened.peer,
        packet: verify::packet(&opened.packet),
    }
}
