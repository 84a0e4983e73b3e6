//! The findings as a table for trackers and spreadsheets, one line each.
//!
//! Every field is quoted. A field that a spreadsheet would take for a formula
//! gets an apostrophe in front, which spreadsheets show as nothing.

use crate::report::accepted::Acceptance;
use crate::report::controls::Control;
use crate::report::escape;
use crate::report::listing::Listed;
use crate::report::review::Entry;
use crate::report::review::Review;
use crate::report::review::State;

const COLUMNS: [&str; 18] = [
    "id",
    "code",
    "name",
    "severity",
    "state",
    "group_id",
    "group_name",
    "vpc_id",
    "rule_id",
    "interface_id",
    "direction",
    "finding",
    "reasons",
    "records",
    "first_seen",
    "last_seen",
    "controls",
    "accepted_by",
];

/// The table, header first. Fixed findings stand at its end.
#[must_use]
pub fn render(review: &Review) -> String {
    let mut out = line(COLUMNS.map(str::to_owned).as_slice());
    for entry in &review.entries {
        out.push_str(&line(&fields(&entry.listed, state(entry), entry)));
    }
    for listed in &review.fixed {
        let entry = Entry {
            listed: listed.clone(),
            state: None,
            acceptance: None,
        };
        out.push_str(&line(&fields(listed, "fixed", &entry)));
    }
    out
}

fn state(entry: &Entry) -> &'static str {
    entry.state.map_or("", State::name)
}

fn fields(listed: &Listed, state: &str, entry: &Entry) -> Vec<String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let controls: Vec<String> = listed.controls.iter().map(Control::tag).collect();
    let accepted = entry.acceptance.as_ref().map(Acceptance::said);
    vec![
        listed.id.clone(),
        listed.code.id().to_owned(),
        listed.code.slug().to_owned(),
        listed.severity.to_string(),
        state.to_owned(),
        text(listed.group_id.as_ref().map(ToString::to_string)),
        listed.group_name.clone(),
        listed.vpc_id.clone().unwrap_or_default(),
        text(listed.rule_id.as_ref().map(ToString::to_string)),
        text(listed.interface_id.map(|id| id.to_string())),
        text(listed.direction.map(|direction| direction.to_string())),
        listed.text.clone(),
        listed.reasons.join("; "),
        listed.records.to_string(),
        text(listed.first_seen.map(|time| time.to_string())),
        text(listed.last_seen.map(|time| time.to_string())),
        controls.join(" "),
        text(accepted),
    ]
}

fn line(fields: &[String]) -> String {
    let quoted: Vec<String> = fields.iter().map(|text| field(text)).collect();
    format!("{}\r\n", quoted.join(","))
}

fn field(text: &str) -> String {
    let inert = escape::inert(text);
    let guard = if is_formula(&inert) { "'" } else { "" };
    format!("\"{guard}{}\"", inert.replace('"', "\"\""))
}

/// Whether a spreadsheet would calculate the text; wide forms of the signs
/// count where the keyboard makes them.
fn is_formula(text: &str) -> bool {
    let first = text.trim_start().chars().next();
    first.is_some_and(|c| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_text() {
        assert_eq!(field("=1+1"), "\"'=1+1\"");
        assert_eq!(field(" @SUM(A1)"), "\"' @SUM(A1)\"");
        assert_eq!(field("\t=1"), "\"\\u{9}=1\"");
        assert_eq!(field("a\"b\n"), "\"a\"\"b\\u{a}\"");
        assert_eq!(field("10.0.0.0/8"), "\"10.0.0.0/8\"");
    }
}
