//! The findings as Markdown, for a ticket, a wiki or the comment under a merge
//! request: the answer, then a table, then what would change.
//!
//! Text of others is escaped so that it is no link, no mention, no HTML and no
//! end of a table cell.

use std::borrow::Cow;

use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Speaks;
use crate::report::change::Terms;
use crate::report::controls::Standard;
use crate::report::document::Analysis;
use crate::report::escape;
use crate::report::human;
use crate::report::listing::Listed;
use crate::report::review::Entry;
use crate::report::review::Review;
use crate::report::review::State;
use crate::report::summary;
use crate::report::words;
use crate::tighten::plan::Applicability;

/// Rows of the table of findings that are shown unless all are asked for.
const ROWS: usize = 50;

/// The page.
#[must_use]
pub fn render(analysis: &Analysis, review: &Review, full: bool) -> String {
    let mut out = String::from("# Security groups against flow logs\n\n");
    out.push_str(&lead(analysis));
    out.push_str(&format_args!("\n{}.\n", review.summary()).to_string());
    findings(&mut out, review, full);
    changes(&mut out, analysis, full);
    controls(&mut out, review);
    out
}

fn lead(analysis: &Analysis) -> String {
    let read = summary::what_was_read(analysis);
    let verification = &analysis.verification;
    format!(
        "{read}; {}. Proof: {} conversations replayed, {} broken, {} widened.\n",
        summary::watched(analysis),
        human::count(verification.connections),
        verification.broken,
        verification.widened
    )
}

fn findings(out: &mut String, review: &Review, full: bool) {
    if review.entries.is_empty() && review.fixed.is_empty() {
        return;
    }
    out.push_str("\n## Findings\n\n");
    let state = if review.compared { " State |" } else { "" };
    let rule = if review.compared { "---|" } else { "" };
    let head = format!(
        "| Code | Severity |{state} Where | What | Accepted | Id |\n|---|---|{rule}---|---|---|---|\n"
    );
    out.push_str(&head);
    let limit = if full { usize::MAX } else { ROWS };
    for entry in review.entries.iter().take(limit) {
        out.push_str(&row(entry, review.compared, ""));
    }
    for listed in review.fixed.iter().take(limit) {
        let entry = Entry {
            listed: listed.clone(),
            state: None,
            acceptance: None,
        };
        out.push_str(&row(&entry, review.compared, "fixed"));
    }
    let total = review.entries.len().max(review.fixed.len());
    if total > limit {
        let more = format!("\n{} more; `--full` shows all.\n", total - limit);
        out.push_str(&more);
    }
}

fn row(entry: &Entry, compared: bool, fixed: &str) -> String {
    let listed = &entry.listed;
    let state = match entry.state {
        Some(State::New) => "**new**",
        Some(State::Unchanged) => "unchanged",
        None => fixed,
    };
    let state = if compared {
        format!(" {state} |")
    } else {
        String::new()
    };
    let accepted = entry.acceptance.as_ref().map_or_else(String::new, |one| {
        let until = human::day(one.expires.0);
        format!("{} until {until}: {}", safe(&one.owner), safe(&one.reason))
    });
    format!(
        "| {} | {} |{state} {} | {} | {accepted} | `{}` |\n",
        listed.code,
        listed.severity,
        place(listed),
        safe(&listed.text),
        listed.id
    )
}

fn place(listed: &Listed) -> String {
    let name = &listed.group_name;
    let name = if name.is_empty() {
        String::new()
    } else {
        format!(" ({})", safe(name))
    };
    format!("{}{name}", safe(&listed.subject))
}

fn changes(out: &mut String, analysis: &Analysis, full: bool) {
    let changes = change::changes(analysis, Applicability::ReportOnly, Speaks::SHOWN);
    if changes.done.is_empty() {
        return;
    }
    out.push_str("\n## What to change\n");
    let limit = if full { usize::MAX } else { ROWS };
    for change in changes.done.iter().take(limit) {
        out.push_str(&one_change(change));
    }
    if changes.done.len() > limit {
        let more = format!(
            "\n{} more; `--full` shows all.\n",
            changes.done.len() - limit
        );
        out.push_str(&more);
    }
}

fn one_change(change: &Change<'_>) -> String {
    let trust = words::applicability(change.proposal.applicability);
    let before = human::volume(&change.proposal.exposure_before);
    let after = human::volume(&change.proposal.exposure_after);
    let mut out = format!(
        "\n### {}\n\n{trust}; exposure {before} -> {after}\n\n```diff\n",
        safe(&change.title())
    );
    let mut line = |sign: char, terms: &Terms, note: &str| {
        // Descriptions stay out: a fence is closed by what it holds.
        let line = format!("{sign} {}{note}\n", terms.short(change.direction));
        out.push_str(&fenced(&line));
    };
    for one in &change.narrowed {
        line(
            '-',
            &Terms::of(one.rule),
            &format!("  {}", one.rule.rule_id),
        );
        line('+', &one.terms, &format!("  {}", one.rule.rule_id));
    }
    for rule in &change.removed {
        line('-', &Terms::of(rule), &format!("  {}", rule.rule_id));
    }
    for added in &change.added {
        line('+', &added.terms, "");
    }
    if change.proposal.inner_access_policy.is_some() {
        let line = format!("! {}\n", words::ISOLATED);
        out.push_str(&line);
    }
    out.push_str("```\n\n");
    for reason in &change.proposal.reasons {
        let line = format!("- {}\n", safe(reason));
        out.push_str(&line);
    }
    out
}

/// Text between fences: inert, and no fence of its own.
fn fenced(text: &str) -> String {
    let (line, end) = text.split_at(text.len() - 1);
    format!("{}{end}", escape::inert(line).replace('`', "'"))
}

fn controls(out: &mut String, review: &Review) {
    let mut rows: std::collections::BTreeMap<(Standard, &str), (&str, u64)> =
        std::collections::BTreeMap::new();
    for control in review
        .entries
        .iter()
        .flat_map(|entry| &entry.listed.controls)
    {
        let row = rows
            .entry((control.standard, control.id))
            .or_insert((control.title, 0));
        row.1 += 1;
    }
    if rows.is_empty() {
        return;
    }
    out.push_str("\n## Controls that findings touch\n\n| Standard | Control | Asks | Findings |\n|---|---|---|--:|\n");
    for ((standard, id), (title, number)) in rows {
        let line = format!(
            "| {} | {id} | {} | {number} |\n",
            standard.name(),
            safe(title)
        );
        out.push_str(&line);
    }
}

/// Text of others as Markdown that shows it and does nothing.
fn safe(text: &str) -> Cow<'_, str> {
    let inert = escape::inert(text);
    let mut out = String::with_capacity(inert.len() + 8);
    let mut word = String::new();
    for character in inert.chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // An empty comment parts what a site would make a link of.
            '@' | '#' => out.extend([character.to_string().as_str(), "<!-- -->"]),
            '/' if out.ends_with(":/") => out.push_str("<!-- -->/"),
            '.' if word.eq_ignore_ascii_case("www") => out.push_str("<!-- -->."),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '|' | '~' | '!' | '$' => {
                out.extend(['\\', character]);
            }
            _ => out.push(character),
        }
        if character.is_alphanumeric() {
            word.push(character);
        } else {
            word.clear();
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_mentions_html_and_cells_are_text() {
        assert_eq!(safe("a|b"), "a\\|b");
        assert_eq!(safe("</script>"), "&lt;/script&gt;");
        assert_eq!(safe("@all"), "@<!-- -->all");
        assert_eq!(safe("[x](y)"), "\\[x\\]\\(y\\)");
        assert_eq!(safe("www.x.y"), "www<!-- -->.x.y");
        assert_eq!(safe("https://x.y"), "https:/<!-- -->/x.y");
        assert_eq!(fenced("```\n"), "'''\n");
    }
}
