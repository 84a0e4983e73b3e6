//! What the page says without a script: the answer, the worst findings, the
//! largest openings, the coverage. Words and numbers are those of the text report.

use serde::Serialize;

use crate::model::SgId;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::escape;
use crate::report::findings;
use crate::report::findings::Findings;
use crate::report::html::payload::MOST_REJECTS;
use crate::report::human;
use crate::report::listing;
use crate::report::listing::Listed;
use crate::report::listing::Severity;
use crate::report::review::Review;
use crate::report::summary;
use crate::report::words;
use crate::tighten::plan::Applicability;

/// Proposals in the first table.
const PROPOSALS_SHOWN: usize = 12;
/// Findings in the page itself.
const FINDINGS_SHOWN: usize = 10;
/// Columns of a name before it is cut in the middle.
const NAME_WIDTH: usize = 80;
/// Lines of a list of ids.
const LINES_SHOWN: usize = 200;

/// The page's fields, made inert.
#[derive(Debug, Serialize)]
pub(super) struct View {
    title: String,
    read: String,
    watched: String,
    all_watched: bool,
    losses: Option<String>,
    gaps: Vec<String>,
    nothing: Option<String>,
    answer: Vec<Line>,
    findings: Option<String>,
    reviewed: Option<String>,
    worst: Vec<Worst>,
    more_findings: Option<String>,
    proposals: Vec<Opening>,
    more_proposals: Option<String>,
    only_to_read: Option<String>,
    rejects_left_out: Option<String>,
    coverage: Vec<Fact>,
    caveats: Vec<Caveat>,
    lists: Vec<List>,
    proof: Proof,
    version: &'static str,
}

#[derive(Debug, Serialize)]
struct Line {
    number: String,
    label: String,
    note: String,
}

#[derive(Debug, Serialize)]
struct Worst {
    id: String,
    code: &'static str,
    severity: &'static str,
    class: &'static str,
    subject: String,
    group_name: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Opening {
    group_id: String,
    group_name: String,
    direction: String,
    before: String,
    after: String,
    less: String,
    quota: String,
    trust: &'static str,
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct Fact {
    name: &'static str,
    value: String,
}

#[derive(Debug, Serialize)]
struct Caveat {
    code: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct List {
    name: &'static str,
    count: String,
    lines: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Proof {
    failed: bool,
    text: String,
    footer: String,
}

impl View {
    /// What an analysis comes to.
    pub(super) fn of(analysis: &Analysis, review: &Review) -> View {
        let found = Findings::of(analysis);
        let coverage = &analysis.coverage;
        let (openings, more, unfit) = openings(analysis);
        let listed = review.entries.iter().map(|entry| &entry.listed);
        let all = review.entries.len();
        View {
            title: title(analysis),
            read: summary::what_was_read(analysis),
            watched: summary::watched(analysis),
            all_watched: coverage.interfaces_logged >= coverage.interfaces_in_snapshot,
            losses: summary::losses(analysis),
            gaps: findings::gaps(analysis),
            nothing: (!found.any()).then(|| summary::nothing_to_do(analysis, &found).1),
            answer: answer(analysis, &found),
            findings: (all > 0).then(|| listing::by_severity(listed.clone())),
            reviewed: review.is_held_against().then(|| review.summary()),
            worst: listed.take(FINDINGS_SHOWN).map(worst).collect(),
            more_findings: if_any(all.saturating_sub(FINDINGS_SHOWN), "finding"),
            proposals: openings,
            more_proposals: if_any(more, "proposal"),
            only_to_read: if_any(unfit, "proposal"),
            rejects_left_out: left_out(analysis),
            coverage: facts(analysis),
            caveats: caveats(analysis),
            lists: lists(analysis),
            proof: proof(analysis, &found),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn title(analysis: &Analysis) -> String {
    let groups = human::counted(count(analysis.security_groups.len()), "security group");
    match analysis.window {
        Some(window) => format!("{groups}, {}", human::between(window.start, window.end)),
        None => groups,
    }
}

fn answer(analysis: &Analysis, found: &Findings) -> Vec<Line> {
    let line = |row: summary::Row| Line {
        number: row.number,
        label: row.label,
        note: row.note,
    };
    let rows = summary::rows(analysis, found);
    rows.into_iter().map(line).collect()
}

fn worst(listed: &Listed) -> Worst {
    Worst {
        id: inert(&listed.id),
        code: listed.code.id(),
        severity: listed.severity.name(),
        class: match listed.severity {
            Severity::High => "bad",
            Severity::Medium => "warn",
            Severity::Low => "cool",
            Severity::Info => "",
        },
        subject: inert(&listed.subject),
        group_name: short(&listed.group_name),
        text: inert(&listed.text),
    }
}

/// `3 findings`, where there are any.
fn if_any(number: usize, noun: &str) -> Option<String> {
    (number > 0).then(|| human::counted(count(number), noun))
}

/// Proposals that may be applied, the largest openings first; how many more,
/// and how many are only to be read.
fn openings(analysis: &Analysis) -> (Vec<Opening>, usize, usize) {
    let tightens = |proposal: &&ProposalReport| findings::tightens(proposal);
    let all = analysis.proposals.iter().filter(tightens);
    let (mut fit, unfit): (Vec<&ProposalReport>, Vec<_>) =
        all.partition(|proposal| proposal.applicability > Applicability::ReportOnly);
    fit.sort_by(|a, b| closed(b).total_cmp(&closed(a)));
    let shown = fit.iter().take(PROPOSALS_SHOWN);
    let shown = shown.map(|proposal| opening(proposal, name(analysis, &proposal.group_id)));
    let more = fit.len().saturating_sub(PROPOSALS_SHOWN);
    (shown.collect(), more, unfit.len())
}

fn closed(proposal: &ProposalReport) -> f64 {
    let volume = |decimal: &str| decimal.parse::<f64>().unwrap_or(0.0);
    volume(&proposal.exposure_before) - volume(&proposal.exposure_after)
}

fn name<'a>(analysis: &'a Analysis, id: &'a SgId) -> &'a str {
    let named = |group: &&crate::report::document::GroupReport| group.group_id == *id;
    let group = analysis.security_groups.iter().find(named);
    group
        .map(|group| group.group_name.as_str())
        .filter(|name| !name.is_empty())
        .unwrap_or(id.as_str())
}

fn opening(proposal: &ProposalReport, name: &str) -> Opening {
    let (before, after) = (&proposal.exposure_before, &proposal.exposure_after);
    Opening {
        group_id: inert(proposal.group_id.as_str()),
        group_name: short(name),
        direction: proposal.direction.to_string(),
        before: human::volume(before),
        after: human::volume(after),
        less: human::reduction(before, after).unwrap_or_else(|| "unchanged".to_owned()),
        quota: match (proposal.quota_before, proposal.quota_after) {
            (before, after) if before == after => before.to_string(),
            (before, after) => format!("{before} to {after}"),
        },
        trust: words::applicability(proposal.applicability),
        class: match proposal.applicability {
            Applicability::Apply => "good",
            Applicability::Review | Applicability::ReportOnly => "warn",
        },
    }
}

fn left_out(analysis: &Analysis) -> Option<String> {
    let more = analysis.rejects.len().checked_sub(MOST_REJECTS)?;
    (more > 0).then(|| {
        format!(
            "{} more, the least of them, stand in analysis.json only.",
            human::counted(count(more), "REJECT")
        )
    })
}

fn facts(analysis: &Analysis) -> Vec<Fact> {
    let ingest = &analysis.ingest;
    let coverage = &analysis.coverage;
    let (lost, hours) = findings::lost_hours(coverage);
    let fact = |name, value| Fact { name, value };
    let mut facts = vec![
        fact("objects read", human::count(ingest.objects)),
        fact("stored", human::bytes(ingest.compressed_bytes)),
        fact("text", human::bytes(ingest.text_bytes)),
        fact("accepted records", human::count(ingest.accepted)),
        fact("rejected records", human::count(ingest.rejected)),
        fact("records without a verdict", human::count(ingest.other)),
        fact("NODATA rows", human::count(ingest.no_data)),
        fact("SKIPDATA rows", human::count(ingest.skip_data)),
        fact("malformed lines", human::count(ingest.malformed)),
        fact("interface-hours", human::count(hours)),
        fact("of these with losses", human::share(lost, hours)),
    ];
    if ingest.outside_window > 0 {
        facts.push(fact(
            "rows outside the span",
            human::count(ingest.outside_window),
        ));
    }
    facts
}

fn caveats(analysis: &Analysis) -> Vec<Caveat> {
    let mut caveats: Vec<Caveat> = analysis
        .caveats
        .iter()
        .map(|caveat| Caveat {
            code: inert(&caveat.code),
            text: inert(&caveat.text),
        })
        .collect();
    let unresolved = &analysis.coverage.unresolved;
    caveats.extend(unresolved.iter().map(|(key, records)| Caveat {
        code: "records".to_owned(),
        text: format!(
            "{} {}",
            human::count(*records),
            inert(words::unresolved(key))
        ),
    }));
    caveats
}

fn lists(analysis: &Analysis) -> Vec<List> {
    let coverage = &analysis.coverage;
    let ids = |ids: &[crate::model::EniId]| ids.iter().map(ToString::to_string).collect();
    let samples = &analysis.ingest.malformed_samples;
    let unreadable = &analysis.ingest.unreadable;
    [
        list(
            "Interfaces that no snapshot knows",
            ids(&coverage.unknown_interfaces),
        ),
        list(
            "Interfaces of which no log speaks",
            ids(&coverage.unlogged_interfaces),
        ),
        list(
            "Subnets of which no log speaks",
            coverage
                .unlogged_subnets
                .iter()
                .map(|one| format!("{}: {} interfaces", one.subnet_id, one.interfaces.len()))
                .collect(),
        ),
        list(
            "Malformed lines",
            samples
                .iter()
                .map(|one| {
                    format!(
                        "{} line {} (byte {}): {}",
                        one.object, one.line, one.byte, one.reason
                    )
                })
                .collect(),
        ),
        list(
            "Objects that could not be read",
            unreadable
                .iter()
                .map(|one| format!("{}: {}", one.object, one.reason))
                .collect(),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn list(name: &'static str, mut lines: Vec<String>) -> Option<List> {
    let all = lines.len();
    lines.truncate(LINES_SHOWN);
    let mut lines: Vec<String> = lines.iter().map(|line| inert(line)).collect();
    if all > LINES_SHOWN {
        lines.push(format!(
            "and {} more, in analysis.json",
            human::count(count(all - LINES_SHOWN))
        ));
    }
    (all > 0).then(|| List {
        name,
        count: human::count(count(all)),
        lines,
    })
}

fn proof(analysis: &Analysis, found: &Findings) -> Proof {
    let verification = &analysis.verification;
    let failed = found.proof_failures > 0;
    let replayed = human::counted(verification.connections, "conversation");
    let (broken, widened) = (verification.broken, verification.widened);
    Proof {
        failed,
        text: if failed {
            "proof FAILED, apply nothing".to_owned()
        } else {
            "proposals proved".to_owned()
        },
        footer: format!("Proof: {replayed} replayed, {broken} broken, {widened} widened."),
    }
}

fn inert(text: &str) -> String {
    escape::inert(text).into_owned()
}

/// A name, made inert and cut in the middle where it is long.
fn short(name: &str) -> String {
    let text = inert(name);
    let letters: Vec<char> = text.chars().collect();
    let Some(left_out) = letters.len().checked_sub(NAME_WIDTH).filter(|n| *n > 0) else {
        return text;
    };
    let (head, tail) = letters.split_at(NAME_WIDTH * 3 / 4);
    let tail = tail.iter().skip(left_out + 1);
    head.iter().chain(&['\u{2026}']).chain(tail).collect()
}
