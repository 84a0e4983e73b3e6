//! The first lines: what was read, how well it covers, and the answer.

use crate::report::document::Analysis;
use crate::report::findings;
use crate::report::findings::Findings;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::summary;

/// What was read and how good it is, in one sentence, and what lacks.
pub(super) fn headline(page: &mut Page, analysis: &Analysis) {
    let read = Text::new().strong(&summary::what_was_read(analysis));
    page.line(0, &read.plain("; ").then(how_well(analysis)));
    let gaps = findings::gaps(analysis);
    if !gaps.is_empty() {
        let text = format!("{}; see COVERAGE below", gaps.join("; "));
        page.hanging(0, 2, &Text::new().bad("INCOMPLETE INPUT: ").plain(&text));
    }
}

fn how_well(analysis: &Analysis) -> Text {
    let coverage = &analysis.coverage;
    let watched = summary::watched(analysis);
    let text = if coverage.interfaces_logged < coverage.interfaces_in_snapshot {
        Text::new().warn(&watched)
    } else {
        Text::new().good(&watched)
    };
    let losses = match summary::losses(analysis) {
        None => Text::new().good("no losses"),
        Some(losses) => Text::new().warn(&losses),
    };
    text.plain(", ").then(losses)
}

/// The counts that answer the question, under what is said of all findings.
pub(super) fn answer(page: &mut Page, analysis: &Analysis, findings: &Findings, counted: &str) {
    page.heading("ANSWER", counted);
    if !findings.any() {
        page.line(2, &nothing_to_do(analysis, findings));
    }
    let rows = summary::rows(analysis, findings);
    let numbers = rows.iter().map(|row| row.number.len()).max().unwrap_or(0);
    let labels = rows.iter().map(|row| row.label.len()).max().unwrap_or(0);
    for row in rows {
        let indent = 2 + numbers - row.number.len();
        let hang = 2 + numbers + 1 + labels + 2;
        let head = Text::new().strong(&row.number).plain(" ");
        let head = head.plain(&row.label).pad_to(hang - indent);
        page.hanging(indent, hang, &head.dim(&row.note));
    }
}

fn nothing_to_do(analysis: &Analysis, findings: &Findings) -> Text {
    match summary::nothing_to_do(analysis, findings) {
        (true, text) => Text::new().good(&text),
        (false, text) => Text::new().warn(&text),
    }
}
