//! What is open wider than needed, and the rules that would do: as a diff of
//! each group and direction, the largest openings first.

use std::cmp::Ordering;

use crate::model::SgRuleId;
use crate::report::code::Code;
use crate::report::document::Analysis;
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
const RULES_SHOWN: usize = 10;
/// Columns of the text under a proposal's first line.
const BODY: usize = 9;

/// The proposals to tighten, and how many directions lack evidence for one.
pub(super) fn wide(
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
    let refused = insufficient(analysis);
    if wide.is_empty() && refused == 0 {
        return;
    }
    wide.sort_by(|a, b| largest_first(a, b));
    page.heading("OPEN WIDER THAN NEEDED", "- today  + proposed  = stays");
    let limit = options.limit(PROPOSALS_SHOWN);
    for proposal in wide.iter().take(limit) {
        write_proposal(page, proposal, lookup, options);
    }
    left_out(page, 2, wide.len(), limit, "proposals");
    if refused > 0 {
        let number = human::counted(refused, "group direction");
        let text = format!("no proposal for {number}: not enough evidence");
        page.hanging(2, 4, &Text::new().dim(&text));
    }
}

fn insufficient(analysis: &Analysis) -> u64 {
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
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let head = Text::new().strong(Code::WideRule.id()).plain("  ");
    let head = head.then(lookup.heading(&proposal.group_id));
    let head = head.plain(&format!("  {}  ", proposal.direction));
    page.hanging(2, BODY, &head.then(trust(proposal)));
    page.hanging(BODY, BODY, &sizes(proposal));
    write_diff(page, proposal, lookup, options);
    if !proposal.keep.is_empty() {
        page.hanging(BODY, BODY + 2, &staying(proposal, options));
    }
    let why: Vec<&str> = proposal
        .reasons
        .iter()
        .take(options.limit(4))
        .map(String::as_str)
        .collect();
    if !why.is_empty() {
        let text = Text::new().dim("why: ").plain(&why.join("; "));
        page.hanging(BODY, BODY + 5, &text);
    }
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
    let text = Text::new().plain("exposure ");
    let text = text.plain(&format!(
        "{} -> {}",
        human::volume(before),
        human::volume(after)
    ));
    let text = match human::reduction(before, after) {
        Some(reduction) => text.plain(", ").strong(&reduction),
        None => text,
    };
    match (proposal.quota_before, proposal.quota_after) {
        (before, after) if before == after => text,
        (before, after) => text.plain(&format!("; quota {before} -> {after}")),
    }
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
        old_line(page, id, lookup, "  remove");
    }
    left_out(page, BODY, gone, limit, "rules of today");
    for rule in proposal.rules.iter().take(limit) {
        new_line(page, proposal, rule, lookup);
    }
    left_out(page, BODY, proposal.rules.len(), limit, "proposed rules");
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
            text.then(lookup.peer(&rule.peer))
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
    let records = format!("  {}", human::counted(rule.records, "record"));
    page.hanging(BODY, BODY + 4, &text.dim(&records));
}
