//! REJECTs, sorted by what they ask of a person: misconfigurations with their
//! cause and the rule that nearly let them through, then the unclear, then
//! noise and the expected in one line each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::attribute::verdict::RejectVerdict;
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
    list(
        page,
        "looks wanted",
        &wanted,
        lookup,
        options.limit(WANTED_SHOWN),
    );
    let unclear = of_verdict(analysis, RejectVerdict::Unclear);
    list(
        page,
        "unclear",
        &unclear,
        lookup,
        options.limit(UNCLEAR_SHOWN),
    );
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
    limit: usize,
) {
    if !rejects.is_empty() {
        page.line(2, &Text::new().plain(label));
    }
    for reject in rejects.iter().take(limit) {
        write_reject(page, reject, lookup);
    }
    left_out(page, 2, rejects.len(), limit, "of these");
}

fn write_reject(page: &mut Page, reject: &RejectReport, lookup: &Lookup<'_>) {
    let head = Text::new().strong(Code::of_reject(reject).id()).plain("  ");
    page.hanging(2, BODY + 2, &head.then(flow(reject, lookup)));
    let times = human::between(reject.first_seen, reject.last_seen);
    let records = human::counted(reject.records, "record");
    let cause = format!("{}; {records}, {times}", words::cause(reject.cause));
    page.line(BODY, &Text::new().plain(&cause));
    if let Some(text) = nearest(reject, lookup) {
        page.hanging(BODY, BODY + 2, &text);
    }
    if !reject.text.is_empty() {
        page.line(BODY, &Text::new().plain(&reject.text));
    }
}

/// `eni-…  ingress tcp/5432 from 10.0.2.20 (app)`.
fn flow(reject: &RejectReport, lookup: &Lookup<'_>) -> Text {
    let reply = if reject.reply { "reply to " } else { "" };
    let direction = format!("  {} {reply}", reject.direction);
    let text = Text::new().id(reject.interface_id.as_str());
    let text = text.plain(&direction).id(&service(reject)).plain(" ");
    let text = text.plain(words::toward(reject.direction)).plain(" ");
    let text = text.id(&reject.peer);
    match reject.peer_groups.first() {
        None => text,
        Some(group) => text.plain(" (").then(lookup.short(group)).plain(")"),
    }
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
    let text = text.plain(", misses the ").warn(&misses.join(" and "));
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
