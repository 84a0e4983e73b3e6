//! The answer in a few lines, the same words for every format: what was read,
//! how well it was watched, and how many findings of each kind.

use crate::attribute::verdict::RejectVerdict;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::report::document::Analysis;
use crate::report::findings;
use crate::report::findings::Findings;
use crate::report::human;
use crate::report::words;

/// `2,165 records over 35 days (2026-09-28 .. 11-01)`.
#[must_use]
pub fn what_was_read(analysis: &Analysis) -> String {
    let records = human::counted(analysis.ingest.records, "record");
    let records = if analysis.pseudonymised {
        format!("PSEUDONYMISED: addresses stand for others; {records}")
    } else {
        records
    };
    match analysis.window {
        Some(window) => format!(
            "{records} over {} ({})",
            human::length(window),
            human::between(window.start, window.end)
        ),
        None => format!("{records}, no time covered"),
    }
}

/// `8 of 8 interfaces watched`.
#[must_use]
pub fn watched(analysis: &Analysis) -> String {
    let coverage = &analysis.coverage;
    format!(
        "{} of {} interfaces watched",
        human::count(coverage.interfaces_logged),
        human::count(coverage.interfaces_in_snapshot)
    )
}

/// What was lost, in words; `None` where nothing was.
#[must_use]
pub fn losses(analysis: &Analysis) -> Option<String> {
    let (lost, hours) = findings::lost_hours(&analysis.coverage);
    let malformed = analysis.ingest.malformed;
    let mut parts = Vec::new();
    if lost > 0 {
        let share = human::share(lost, hours);
        parts.push(format!("{share} of interface-hours lost (SKIPDATA)"));
    }
    if malformed > 0 {
        parts.push(human::counted(malformed, "malformed line"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What is said where there is no finding at all, and whether the input
/// supports it.
#[must_use]
pub fn nothing_to_do(analysis: &Analysis, findings: &Findings) -> (bool, String) {
    let rules = human::counted(findings.rules, "rule");
    let complete = findings::gaps(analysis).is_empty();
    let text = if complete {
        format!("nothing to change in {rules}")
    } else {
        format!("nothing found to change in {rules}, but the input is incomplete")
    };
    (complete, text)
}

/// One line of the answer: how many, of what, and what that means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// How many, as people read it.
    pub number: String,
    /// Of what.
    pub label: String,
    /// What that means; may be empty.
    pub note: String,
}

fn row(number: u64, one: &str, many: &str, note: String) -> Option<Row> {
    (number > 0).then(|| Row {
        number: human::count(number),
        label: if number == 1 { one } else { many }.to_owned(),
        note,
    })
}

/// A status that the answer counts, its nouns, and what it means.
type StatusRow = (RuleStatus, &'static str, &'static str, &'static str);
const TO_CHANGE: [StatusRow; 3] = [
    (
        RuleStatus::Redundant,
        "rule redundant",
        "rules redundant",
        "others let the same connections through",
    ),
    (
        RuleStatus::Shadowed,
        "rule shadowed",
        "rules shadowed",
        "stronger rules decide all of it",
    ),
    (
        RuleStatus::NoEffect,
        "rule without effect",
        "rules without effect",
        "groups never filter that traffic",
    ),
];
const UNSEEN: StatusRow = (
    RuleStatus::Unobservable,
    "rule not observable",
    "rules not observable",
    "in doubt, or on no interface that was logged",
);

/// The lines of the answer; kinds of which there are none are left out.
#[must_use]
pub fn rows(analysis: &Analysis, findings: &Findings) -> Vec<Row> {
    let mut rows = vec![
        unused_row(findings),
        row(
            findings.wide_rules,
            "rule open too wide",
            "rules open too wide",
            "narrower rules would do".to_owned(),
        ),
        reject_row(findings),
    ];
    rows.extend(TO_CHANGE.map(|change| status_row(change, findings)));
    let proof = proof(analysis, findings);
    rows.push(row(findings.proposals, "proposal", "proposals", proof));
    rows.push(undecided_row(findings));
    rows.push(status_row(UNSEEN, findings));
    rows.into_iter().flatten().collect()
}

fn status_row((status, one, many, note): StatusRow, findings: &Findings) -> Option<Row> {
    row(findings.with_status(status), one, many, note.to_owned())
}

/// Rules that may be called unused: `2 removal candidates, 1 probably unused`,
/// strongest first.
fn unused_row(findings: &Findings) -> Option<Row> {
    let tiers = findings.unused_by_tier.range(Tier::U1..).rev();
    let part =
        |(tier, number): (&Tier, &u64)| format!("{} {}", human::count(*number), words::tier(*tier));
    let parts: Vec<String> = tiers.clone().map(part).collect();
    let number = tiers.map(|(_, number)| number).sum();
    row(number, "rule unused", "rules unused", parts.join(", "))
}

/// Rules without a connection of which nothing may be claimed.
fn undecided_row(findings: &Findings) -> Option<Row> {
    let number = findings.unused_by_tier.get(&Tier::U0).copied();
    let note = "no connection, but too little watched to call them unused";
    row(
        number.unwrap_or(0),
        "rule undecided",
        "rules undecided",
        note.to_owned(),
    )
}

fn proof(analysis: &Analysis, findings: &Findings) -> String {
    if findings.proof_failures > 0 {
        return "PROOF FAILED, do not apply".to_owned();
    }
    let replayed = human::counted(analysis.verification.connections, "conversation");
    format!("proved on {replayed}: 0 broken, 0 widened")
}

fn reject_row(findings: &Findings) -> Option<Row> {
    let wanted = findings.with_verdict(RejectVerdict::Misconfiguration);
    let unclear = findings.with_verdict(RejectVerdict::Unclear);
    let noise = findings.with_verdict(RejectVerdict::Noise);
    let parts = [
        (wanted, "misconfigured"),
        (unclear, "unclear"),
        (noise, "more are noise"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!("{} {word}", human::count(*number)))
        .collect();
    row(
        wanted + unclear,
        "REJECT to look at",
        "REJECTs to look at",
        parts.join(", "),
    )
}
