//! What to change: the rules that would do, as a diff of each group and
//! direction, the largest openings first.
//!
//! What the diff shows is not told again in words, and what holds for every
//! proposal is told once.

use std::cmp::Ordering;

use crate::attribute::verdict::RuleStatus;
use crate::model::Effect;
use crate::model::SgRuleId;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::CurveReport;
use crate::report::document::ProposalReport;
use crate::report::document::ProposedRule;
use crate::report::findings;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::TextOptions;
use crate::report::text::left_out;
use crate::report::text::lookup;
use crate::report::text::lookup::Lookup;
use crate::report::text::section::ids;
use crate::report::words;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;

const PROPOSALS_SHOWN: usize = 6;
const RULES_SHOWN: usize = 8;
const CURVE_SHOWN: usize = 5;
/// Columns of the text under a proposal's first line.
const BODY: usize = 9;

/// The proposals to tighten.
pub(super) fn changes(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let mut wide: Vec<&ProposalReport> = analysis
        .proposals
        .iter()
        .filter(|proposal| findings::tightens(proposal))
        .collect();
    if wide.is_empty() {
        return;
    }
    wide.sort_by(|a, b| largest_first(a, b));
    page.heading("WHAT TO CHANGE", "- today  + proposed  = stays");
    let limit = options.limit(PROPOSALS_SHOWN);
    let shown = wide.get(..limit.min(wide.len())).unwrap_or_default();
    let common = common_reasons(shown);
    if !common.is_empty() {
        page.hanging(
            2,
            4,
            &Text::new().plain("for each: ").warn(&common.join("; ")),
        );
    }
    for proposal in shown {
        write_proposal(page, proposal, &common, lookup, options);
    }
    left_out(page, 2, wide.len(), limit, "proposals");
}

/// What is said of every one of several proposals.
fn common_reasons<'a>(proposals: &[&'a ProposalReport]) -> Vec<&'a str> {
    let [first, others @ ..] = proposals else {
        return Vec::new();
    };
    if others.is_empty() {
        return Vec::new();
    }
    let by_all = |reason: &&String| others.iter().all(|other| other.reasons.contains(reason));
    let common = first.reasons.iter().filter(by_all);
    common.map(String::as_str).collect()
}

/// Group directions that have too little evidence for a proposal.
pub(super) fn insufficient(analysis: &Analysis) -> u64 {
    let refused = analysis
        .proposals
        .iter()
        .filter(|proposal| match proposal.decision {
            Decision::InsufficientEvidence => true,
            Decision::Tighten | Decision::Keep => false,
        });
    u64::try_from(refused.count()).unwrap_or(u64::MAX)
}

/// By what would be closed, ties by place in the document.
fn largest_first(a: &ProposalReport, b: &ProposalReport) -> Ordering {
    closed(b).total_cmp(&closed(a))
}

fn closed(proposal: &ProposalReport) -> f64 {
    let volume = |decimal: &str| decimal.parse::<f64>().unwrap_or(0.0);
    volume(&proposal.exposure_before) - volume(&proposal.exposure_after)
}

fn write_proposal(
    page: &mut Page,
    proposal: &ProposalReport,
    common: &[&str],
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let head = Text::new().strong(code(proposal, lookup).id()).plain("  ");
    let head = head.then(lookup.heading(&proposal.group_id));
    let head = head.plain(&format!("  {}  ", proposal.direction));
    page.hanging(2, BODY, &head.then(trust(proposal)));
    page.hanging(BODY, BODY, &sizes(proposal));
    if let Some(text) = curve(proposal, options) {
        page.hanging(BODY, BODY + 2, &text);
    }
    write_diff(page, proposal, lookup, options);
    if !proposal.keep.is_empty() {
        page.hanging(BODY, BODY + 2, &staying(proposal, options));
    }
    let why = own_reasons(proposal, common, options);
    if !why.is_empty() {
        let text = Text::new().dim("why: ").plain(&why.join("; "));
        page.hanging(BODY, BODY + 5, &text);
    }
}

/// What the proposal does away with first of all.
fn code(proposal: &ProposalReport, lookup: &Lookup<'_>) -> Code {
    if !proposal.rules.is_empty() || proposal.inner_access_policy.is_some() {
        return Code::WideRule;
    }
    let rule = proposal.remove.first().and_then(|id| lookup.rule(id));
    rule.and_then(|rule| Code::of_status(rule.status))
        .unwrap_or(Code::WideRule)
}

/// Reasons that neither hold for all nor say in words what the diff shows.
fn own_reasons<'a>(
    proposal: &'a ProposalReport,
    common: &[&str],
    options: TextOptions,
) -> Vec<&'a str> {
    let changed: Vec<String> = replaced(proposal)
        .iter()
        .chain(&proposal.remove)
        .map(|id| format!("`{id}`"))
        .collect();
    let repeats = |reason: &&str| changed.iter().any(|id| reason.starts_with(id));
    let reasons = proposal.reasons.iter().map(String::as_str);
    reasons
        .filter(|reason| !common.contains(reason))
        .filter(|reason| options.full || !repeats(reason))
        .take(options.limit(4))
        .collect()
}

/// `= sgr-…, sgr-… and 3 more stay`.
fn staying(proposal: &ProposalReport, options: TextOptions) -> Text {
    let text = Text::new().dim("= ");
    let text = text.then(ids(&proposal.keep, options.limit(2)));
    text.plain(if proposal.keep.len() == 1 {
        " stays"
    } else {
        " stay"
    })
}

fn trust(proposal: &ProposalReport) -> Text {
    let words = words::applicability(proposal.applicability);
    match proposal.applicability {
        Applicability::Apply => Text::new().good(words),
        Applicability::Review | Applicability::ReportOnly => Text::new().warn(words),
    }
}

/// `exposure 4.3 billion -> 3, 1.4 billion times less; quota 3 -> 2`.
fn sizes(proposal: &ProposalReport) -> Text {
    let (before, after) = (&proposal.exposure_before, &proposal.exposure_after);
    let volumes = if before == after {
        "exposure unchanged".to_owned()
    } else {
        let (before, after) = (human::volume(before), human::volume(after));
        format!("exposure {before} -> {after}")
    };
    let text = Text::new().plain(&volumes);
    let text = match human::reduction(before, after) {
        Some(reduction) => text.plain(", ").strong(&reduction),
        None => text,
    };
    let text = match (proposal.quota_before, proposal.quota_after) {
        (before, after) if before == after => text,
        (before, after) => text.plain(&format!("; quota {before} -> {after}")),
    };
    match proposal.optimality_gap {
        Some(gap) if gap >= 0.005 => text.dim(&format!(
            "; within {:.0} % of the best possible",
            gap * 100.0
        )),
        Some(_) | None => text,
    }
}

/// `by rules: 1 opens 256, 2 open 130, 4 open 4 (taken)`.
fn curve(proposal: &ProposalReport, options: TextOptions) -> Option<Text> {
    let points = &proposal.curve;
    if points.len() < 2 {
        return None;
    }
    let taken = |point: &&CurveReport| point.exposure == proposal.exposure_after;
    let shown = points.len().saturating_sub(options.limit(CURVE_SHOWN));
    let said = points.iter().skip(shown).map(|point| {
        let mark = if taken(&point) { " (taken)" } else { "" };
        format!(
            "{} for {}{mark}",
            human::volume(&point.exposure),
            point.rules
        )
    });
    let said: Vec<String> = said.collect();
    Some(
        Text::new()
            .dim("exposure by number of rules: ")
            .plain(&said.join(", ")),
    )
}

fn write_diff(
    page: &mut Page,
    proposal: &ProposalReport,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let limit = options.limit(RULES_SHOWN);
    let replaced = replaced(proposal);
    let gone = proposal.remove.len() + replaced.len();
    for id in replaced.iter().take(limit) {
        old_line(page, id, lookup, "");
    }
    let room = limit.saturating_sub(replaced.len());
    for id in proposal.remove.iter().take(room) {
        old_line(page, id, lookup, removal(id, lookup));
    }
    left_out(page, BODY, gone, limit, "rules of today");
    // What drops comes behind what it must not stop.
    let (accepts, drops): (Vec<&ProposedRule>, Vec<&ProposedRule>) = proposal
        .rules
        .iter()
        .partition(|rule| rule.effect == Effect::Allow);
    for rule in accepts.into_iter().chain(drops).take(limit) {
        new_line(page, proposal, rule, lookup);
    }
    if proposal.inner_access_policy.is_some() {
        let text = Text::new().good("~ ").plain(words::ISOLATED);
        page.hanging(BODY, BODY + 4, &text);
    }
    left_out(page, BODY, proposal.rules.len(), limit, "proposed rules");
}

/// What is said behind a rule that goes without replacement.
fn removal(id: &SgRuleId, lookup: &Lookup<'_>) -> &'static str {
    match lookup.rule(id).map(|rule| rule.status) {
        Some(RuleStatus::Unused) => "  remove: no use seen",
        Some(RuleStatus::Redundant) => "  remove: redundant",
        Some(RuleStatus::Shadowed) => "  remove: shadowed",
        Some(RuleStatus::NoEffect) => "  remove: no effect",
        Some(RuleStatus::Used | RuleStatus::Unobservable) | None => "  remove",
    }
}

/// Rules that narrower ones stand in for, sorted.
fn replaced(proposal: &ProposalReport) -> Vec<SgRuleId> {
    let mut ids: Vec<SgRuleId> = proposal
        .rules
        .iter()
        .flat_map(|rule| rule.replaces.iter().cloned())
        .collect();
    ids.sort();
    ids.dedup();
    ids
}

/// Column of the peer in both kinds of line.
const PEER: usize = 2 + 16;

fn old_line(page: &mut Page, id: &SgRuleId, lookup: &Lookup<'_>, note: &str) {
    let text = Text::new().bad("- ");
    let text = match lookup.rule(id) {
        None => text.id(id.as_str()),
        Some(rule) => {
            let text = text.id(&lookup::service(rule)).pad_to(PEER);
            let text = text.plain(words::toward(rule.direction)).plain(" ");
            text.then(lookup.short_peer(&rule.peer))
                .plain(&words::rank(rule.effect, rule.priority))
                .plain("  ")
                .id(id.as_str())
        }
    };
    page.hanging(BODY, BODY + 4, &text.warn(note));
}

fn new_line(page: &mut Page, proposal: &ProposalReport, rule: &ProposedRule, lookup: &Lookup<'_>) {
    let service = words::service(&rule.protocol, rule.from_port, rule.to_port);
    let text = Text::new().good("+ ").id(&service).pad_to(PEER);
    let text = text.plain(words::toward(proposal.direction)).plain(" ");
    let text = text.then(lookup.peer(&rule.peer));
    let text = text.plain(&words::rank(rule.effect, rule.priority));
    let records = format!("  {}", human::counted(rule.records, "record"));
    page.hanging(BODY, BODY + 4, &text.dim(&records));
}
