//! Findings as trackers have them: each with its severity, where it is, the id
//! that it keeps from run to run, and the controls that it touches.
//!
//! The full report lists all of them, worst first. The short one only those that
//! no other section shows: what rules and groups are by their words alone.

use crate::report::controls::Control;
use crate::report::listing;
use crate::report::listing::Listed;
use crate::report::listing::Severity;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::posture;
use crate::report::text::TextOptions;
use crate::report::text::left_out;

const SHOWN: usize = 4;

/// Columns of the text behind a code.
const BODY: usize = 9;

/// All findings, in the full report.
pub(super) fn all(page: &mut Page, findings: &[Listed], options: TextOptions) {
    if findings.is_empty() || !options.full {
        return;
    }
    page.heading("FINDINGS", &listing::by_severity(findings.iter()));
    for listed in findings {
        finding(page, listed);
        if !listed.controls.is_empty() {
            let tags: Vec<String> = listed.controls.iter().map(Control::tag).collect();
            let tags = Text::new().dim(&tags.join(", "));
            page.hanging(BODY, BODY + 2, &tags);
        }
    }
}

/// What is said of rules and groups whatever the logs show, in the short one.
pub(super) fn by_words(page: &mut Page, findings: &[Listed], options: TextOptions) {
    let own = |listed: &&Listed| {
        posture::CODES.contains(&listed.code) && listed.severity > Severity::Info
    };
    let found: Vec<&Listed> = findings.iter().filter(own).collect();
    if found.is_empty() || options.full {
        return;
    }
    page.heading("BY THEIR WORDS", "whatever the logs show");
    for listed in found.iter().take(SHOWN) {
        finding(page, listed);
    }
    left_out(page, 2, found.len(), SHOWN.min(found.len()), "findings");
}

/// How many of each severity, and how to see them.
pub(super) fn counted(findings: &[Listed], options: TextOptions) -> String {
    let counts = listing::by_severity(findings.iter());
    if options.full || findings.is_empty() {
        return counts;
    }
    format!("findings: {counts}; `--full` gives their ids and controls")
}

fn finding(page: &mut Page, listed: &Listed) {
    let code = Text::new().strong(listed.code.id()).plain("  ");
    let severity = listed.severity.name();
    let head = match listed.severity {
        Severity::High => code.bad(severity),
        Severity::Medium => code.warn(severity),
        Severity::Low | Severity::Info => code.plain(severity),
    };
    page.hanging(2, BODY, &head.plain(": ").plain(&listed.text));
    let place = Text::new().id(&listed.subject).plain("  ").dim(&listed.id);
    let name = &listed.group_name;
    let place = if name.is_empty() {
        place
    } else {
        place.plain("  ").quoted(name)
    };
    page.hanging(BODY, BODY + 2, &place);
}
