//! REJECTs, sorted by what they ask of a person: misconfigurations with their
//! cause and the rule that nearly let them through, then the unclear, then
//! noise and the expected in one line each. Peers that are refused the same
//! service for the same cause are one problem, and one entry.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::attribute::verdict::RejectVerdict;
use crate::model::EniId;
use crate::net::Timestamp;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::RejectReport;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::TextOptions;
use crate::report::text::left_out;
use crate::report::text::lookup;
use crate::report::text::lookup::Lookup;
use crate::report::words;

const WANTED_SHOWN: usize = 8;
const UNCLEAR_SHOWN: usize = 4;
/// Columns of the text under a REJECT's first line.
const BODY: usize = 9;

/// All REJECTs of the analysis.
pub(super) fn rejects(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    if analysis.rejects.is_empty() {
        return;
    }
    page.heading("REJECTED TRAFFIC", "");
    let wanted = of_verdict(analysis, RejectVerdict::Misconfiguration);
    list(page, "looks wanted", &wanted, lookup, options, WANTED_SHOWN);
    let unclear = of_verdict(analysis, RejectVerdict::Unclear);
    list(page, "unclear", &unclear, lookup, options, UNCLEAR_SHOWN);
    let noise = of_verdict(analysis, RejectVerdict::Noise);
    fold(page, Some(Code::ScanNoise), "noise", &noise);
    let expected = of_verdict(analysis, RejectVerdict::Expected);
    fold(page, None, "expected", &expected);
}

fn of_verdict(analysis: &Analysis, verdict: RejectVerdict) -> Vec<&RejectReport> {
    let mut rejects: Vec<&RejectReport> = analysis
        .rejects
        .iter()
        .filter(|reject| reject.verdict == verdict)
        .collect();
    rejects.sort_by_key(|reject| Reverse(reject.records));
    rejects
}

fn list(
    page: &mut Page,
    label: &str,
    rejects: &[&RejectReport],
    lookup: &Lookup<'_>,
    options: TextOptions,
    short: usize,
) {
    if rejects.is_empty() {
        return;
    }
    page.line(2, &Text::new().plain(label));
    let problems = problems(rejects, options.full);
    let limit = options.limit(short);
    for problem in problems.iter().take(limit) {
        write_problem(page, problem, lookup);
    }
    left_out(page, 2, problems.len(), limit, "of these");
}

/// REJECTs of one service and cause, before interfaces of the same groups.
struct Problem<'a> {
    /// The one with most records stands for all.
    first: &'a RejectReport,
    peers: BTreeSet<&'a str>,
    interfaces: BTreeSet<EniId>,
    records: u64,
    first_seen: Timestamp,
    last_seen: Timestamp,
}

impl<'a> Problem<'a> {
    fn new(reject: &'a RejectReport) -> Problem<'a> {
        Problem {
            first: reject,
            peers: BTreeSet::from([reject.peer.as_str()]),
            interfaces: BTreeSet::from([reject.interface_id]),
            records: reject.records,
            first_seen: reject.first_seen,
            last_seen: reject.last_seen,
        }
    }

    fn is_like(&self, reject: &RejectReport) -> bool {
        let first = self.first;
        first.group_ids == reject.group_ids
            && first.direction == reject.direction
            && first.protocol == reject.protocol
            && first.port == reject.port
            && first.reply == reject.reply
            && first.cause == reject.cause
    }

    fn add(&mut self, reject: &'a RejectReport) {
        self.peers.insert(&reject.peer);
        self.interfaces.insert(reject.interface_id);
        self.records = self.records.saturating_add(reject.records);
        self.first_seen = self.first_seen.min(reject.first_seen);
        self.last_seen = self.last_seen.max(reject.last_seen);
    }
}

/// The REJECTs as problems, most records first; in full, each by itself.
fn problems<'a>(rejects: &[&'a RejectReport], full: bool) -> Vec<Problem<'a>> {
    let mut by_key: BTreeMap<_, Vec<Problem<'a>>> = BTreeMap::new();
    for reject in rejects {
        let alike = by_key.entry((reject.port, reject.direction)).or_default();
        match alike
            .iter_mut()
            .find(|problem| !full && problem.is_like(reject))
        {
            Some(problem) => problem.add(reject),
            None => alike.push(Problem::new(reject)),
        }
    }
    let mut problems: Vec<Problem<'a>> = by_key.into_values().flatten().collect();
    problems.sort_by_key(|problem| Reverse(problem.records));
    problems
}

fn write_problem(page: &mut Page, problem: &Problem<'_>, lookup: &Lookup<'_>) {
    let reject = problem.first;
    let head = Text::new().strong(Code::of_reject(reject).id()).plain("  ");
    page.hanging(2, BODY + 2, &head.then(flow(problem, lookup)));
    page.line(BODY, &Text::new().plain(explanation(reject)));
    // What would do names the rule that comes nearest.
    let hint = match &reject.fix {
        Some(fix) => Some(Text::new().plain("would do: ").plain(fix)),
        None => nearest(reject, lookup),
    };
    if let Some(text) = hint {
        page.hanging(BODY, BODY + 2, &text);
    }
    let times = human::between(problem.first_seen, problem.last_seen);
    let records = human::counted(problem.records, "record");
    page.line(BODY, &Text::new().dim(&format!("{records}, {times}")));
}

/// Words with which the explanation's predicate begins.
const PREDICATES: [&str; 4] = ["denied", "dropped by", "not explained by", "arrived after"];

/// The explanation without its subject, which stands in the line above.
fn explanation(reject: &RejectReport) -> &str {
    let text = reject.text.as_str();
    if text.is_empty() {
        return words::cause(reject.cause);
    }
    let subject = PREDICATES
        .iter()
        .filter_map(|predicate| text.find(&format!(" {predicate}")))
        .min();
    subject
        .and_then(|at| text.get(at + 1..))
        .filter(|_| is_subject(text, reject))
        .unwrap_or(text)
}

/// Whether the text opens with the flow, as the line above spells it. A later
/// packet says so, and keeps its subject.
fn is_subject(text: &str, reject: &RejectReport) -> bool {
    ["request ", "reply "]
        .iter()
        .any(|role| text.starts_with(role))
        && text.contains(&reject.peer)
}

/// ` (+3 interfaces)`, where there are more than the one that is shown.
fn more(all: usize, noun: &str) -> String {
    match u64::try_from(all.saturating_sub(1)) {
        Ok(0) | Err(_) => String::new(),
        Ok(more) => format!(" (+{})", human::counted(more, noun)),
    }
}

/// `eni-…  ingress tcp/5432 from 10.0.2.20 (app)`.
fn flow(problem: &Problem<'_>, lookup: &Lookup<'_>) -> Text {
    let reject = problem.first;
    let reply = if reject.reply { "reply of " } else { "" };
    let direction = format!("  {} {reply}", reject.direction);
    let text = Text::new().id(reject.interface_id.as_str());
    let text = match reject.group_ids.first() {
        None => text,
        Some(group) => text.plain(" (").then(lookup.short(group)).plain(")"),
    };
    let text = text.dim(&more(problem.interfaces.len(), "interface"));
    let text = text.plain(&direction).id(&service(reject)).plain(" ");
    let text = text.plain(words::toward(reject.direction)).plain(" ");
    let text = text.id(&reject.peer);
    let text = match reject.peer_groups.first() {
        None => text,
        Some(group) => text.plain(" (").then(lookup.short(group)).plain(")"),
    };
    text.dim(&more(problem.peers.len(), "peer"))
}

fn service(reject: &RejectReport) -> String {
    match reject.port {
        Some(port) => format!("{}/{port}", reject.protocol),
        None => reject.protocol.clone(),
    }
}

fn nearest(reject: &RejectReport, lookup: &Lookup<'_>) -> Option<Text> {
    let nearest = reject.nearest.first()?;
    let text = Text::new().plain("nearest: ").id(nearest.rule_id.as_str());
    let text = match lookup.rule(&nearest.rule_id) {
        None => text,
        Some(rule) => {
            let text = text.plain(", ").id(&lookup::service(rule)).plain(" ");
            let text = text.plain(words::toward(rule.direction)).plain(" ");
            text.then(lookup.short_peer(&rule.peer))
        }
    };
    let misses: Vec<&str> = nearest
        .misses
        .iter()
        .map(|miss| words::miss(*miss))
        .collect();
    let text = match misses.as_slice() {
        [] => text,
        [..] => text.plain(", misses the ").warn(&misses.join(" and ")),
    };
    Some(match reject.nearest.len().saturating_sub(1) {
        0 => text,
        more => text.dim(&format!(" (+{more} more)")),
    })
}

/// One line for many: how many, and what they knocked at most.
fn fold(page: &mut Page, code: Option<Code>, word: &str, rejects: &[&RejectReport]) {
    if rejects.is_empty() {
        return;
    }
    let records = rejects
        .iter()
        .map(|reject| reject.records)
        .fold(0, u64::saturating_add);
    let text = match code {
        Some(code) => Text::new().strong(code.id()).plain("  "),
        None => Text::new().pad_to(BODY - 2),
    };
    let number = human::count(u64::try_from(rejects.len()).unwrap_or(u64::MAX));
    let summary = format!(
        "{word}: {number} folded, {}",
        human::counted(records, "record")
    );
    let text = text.plain(&summary).dim("; most at ").plain(&top(rejects));
    page.hanging(2, BODY, &text);
}

/// `tcp/23 1,204, tcp/22 96`.
fn top(rejects: &[&RejectReport]) -> String {
    let mut by_service: BTreeMap<String, u64> = BTreeMap::new();
    for reject in rejects {
        let records = by_service.entry(service(reject)).or_default();
        *records = records.saturating_add(reject.records);
    }
    let mut services: Vec<(String, u64)> = by_service.into_iter().collect();
    services.sort_by_key(|(_, records)| Reverse(*records));
    let parts: Vec<String> = services
        .iter()
        .take(4)
        .map(|(service, records)| format!("{service} ({})", human::count(*records)))
        .collect();
    parts.join(", ")
}
