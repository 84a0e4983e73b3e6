//! Findings as trackers have them: each with its severity, where it is, the id
//! that it keeps from run to run, and the controls that it touches.
//!
//! The full report lists all of them, worst first. The short one only those that
//! no other section shows: what rules and groups are by their words alone.

use crate::report::controls::Control;
use crate::report::human;
use crate::report::listing;
use crate::report::listing::Listed;
use crate::report::listing::Severity;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::posture;
use crate::report::review::Entry;
use crate::report::review::Review;
use crate::report::review::State;
use crate::report::text::TextOptions;
use crate::report::text::left_out;

const SHOWN: usize = 4;

/// Columns of the text behind a code.
const BODY: usize = 9;

/// All findings, in the full report.
pub(super) fn all(page: &mut Page, review: &Review, options: TextOptions) {
    if review.entries.is_empty() && review.fixed.is_empty() || !options.full {
        return;
    }
    page.heading("FINDINGS", &by_severity(review));
    for entry in &review.entries {
        let listed = &entry.listed;
        finding(page, entry);
        if !listed.controls.is_empty() {
            let tags: Vec<String> = listed.controls.iter().map(Control::tag).collect();
            let tags = Text::new().dim(&tags.join(", "));
            page.hanging(BODY, BODY + 2, &tags);
        }
    }
    for listed in &review.fixed {
        let text = Text::new().strong(listed.code.id()).plain("  ");
        let text = text.good("no longer found: ").plain(&listed.text);
        page.hanging(2, BODY, &text);
        place(page, listed);
    }
}

/// What is said of rules and groups whatever the logs show, in the short one.
pub(super) fn by_words(page: &mut Page, review: &Review, options: TextOptions) {
    let own = |entry: &&Entry| {
        let listed = &entry.listed;
        posture::CODES.contains(&listed.code) && listed.severity > Severity::Info
    };
    let found: Vec<&Entry> = review.entries.iter().filter(own).collect();
    if found.is_empty() || options.full {
        return;
    }
    page.heading("BY THEIR WORDS", "whatever the logs show");
    for entry in found.iter().take(SHOWN) {
        finding(page, entry);
    }
    left_out(page, 2, found.len(), SHOWN.min(found.len()), "findings");
}

/// How many of each severity, and how to see them.
pub(super) fn counted(review: &Review, options: TextOptions) -> String {
    let mut counts = by_severity(review);
    if review.is_held_against() {
        counts = format!("{counts}; {}", review.summary());
    }
    if options.full || review.entries.is_empty() {
        return counts;
    }
    format!("findings: {counts}; `--full` gives their ids and controls")
}

fn by_severity(review: &Review) -> String {
    listing::by_severity(review.entries.iter().map(|entry| &entry.listed))
}

fn finding(page: &mut Page, entry: &Entry) {
    let listed = &entry.listed;
    let code = Text::new().strong(listed.code.id()).plain("  ");
    let severity = listed.severity.name();
    let head = match listed.severity {
        Severity::High => code.bad(severity),
        Severity::Medium => code.warn(severity),
        Severity::Low | Severity::Info => code.plain(severity),
    };
    let head = match entry.state {
        Some(State::New) => head.strong(", new"),
        Some(State::Unchanged) => head.plain(", unchanged"),
        None => head,
    };
    let head = match &entry.acceptance {
        Some(one) => {
            let until = human::day(one.expires.0);
            head.good(&format!(", accepted by {} until {until}", one.owner))
        }
        None => head,
    };
    page.hanging(2, BODY, &head.plain(": ").plain(&listed.text));
    place(page, listed);
}

/// Where it is, under which id.
fn place(page: &mut Page, listed: &Listed) {
    let place = Text::new().id(&listed.subject).plain("  ").dim(&listed.id);
    let name = &listed.group_name;
    let place = if name.is_empty() {
        place
    } else {
        place.plain("  ").quoted(name)
    };
    page.hanging(BODY, BODY + 2, &place);
}
