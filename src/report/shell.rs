//! What scripts of calls have in common: words that no shell or terminal acts
//! on, what stands at their head, and why, behind all that runs.

use crate::report::change::Changes;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::escape;
use crate::report::human;

/// How every script of steps runs, behind what each cloud has of its own.
pub(super) const RUN: &str = include_str!("shell/run.sh");

/// How many steps there are, and what each does in words.
pub(super) fn steps(texts: &[String]) -> String {
    let mut out = format!("total={}\n\ntext() {{\n    case $1 in\n", texts.len());
    for (number, text) in (1..).zip(texts) {
        let line = format!("    {number}) printf %s {} ;;\n", shown(text));
        out.push_str(&line);
    }
    out.push_str("    esac\n}\n");
    out
}

/// One word: single quotes, which no expansion crosses. What acts on a
/// terminal is shown instead, so this is for words that people read.
pub(super) fn shown(text: &str) -> String {
    quote(&escape::inert(text))
}

/// One word that is the text, byte for byte. For plain text only: JSON in
/// ASCII, and ids that were checked.
pub(super) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// One word that is the text, byte for byte, with what acts on a terminal
/// written as numbers that the shell reads. No argument can hold a NUL, so none
/// is passed on.
pub(super) fn exact(text: &str) -> String {
    if escape::inert(text) == text {
        return quote(text);
    }
    let mut word = String::from("$'");
    for byte in text.bytes().filter(|byte| *byte != 0) {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', char::from(byte)]),
            b' '..=b'~' => word.push(char::from(byte)),
            _ => {
                let number = format!("\\x{byte:02x}");
                word.push_str(&number);
            }
        }
    }
    word.push('\'');
    word
}

/// A line of comment that stays one.
pub(super) fn comment(text: &str) -> String {
    format!("# {}", escape::inert(text)).trim_end().to_owned()
}

/// The first lines: what it is, what it was made of, how much is in it.
pub(super) fn heading(says: &str, analysis: &Analysis, changes: &Changes<'_>) -> String {
    let mut lines = vec!["#!/usr/bin/env bash".to_owned(), comment(says)];
    if let Some(window) = analysis.window {
        let (length, between) = (
            human::length(window),
            human::between(window.start, window.end),
        );
        lines.push(format!("# From {length} of flow logs ({between})."));
    }
    let done = u64::try_from(changes.done.len()).unwrap_or(u64::MAX);
    let held = u64::try_from(changes.held.len()).unwrap_or(u64::MAX);
    lines.push(comment(&format!(
        "In it: {}. Why, and what is not in it ({}), stands at the end.",
        human::counted(done, "proposal"),
        human::count(held)
    )));
    lines.push(String::new());
    lines.join("\n")
}

/// Behind all that runs: why each change is made, or not.
pub(super) fn reasons(changes: &Changes<'_>) -> String {
    let mut lines = Vec::new();
    for change in &changes.done {
        lines.push(String::new());
        lines.push(comment(&change.title()));
        lines.extend(why(change.proposal));
    }
    for held in &changes.held {
        lines.push(String::new());
        let text = format!("{}: not in this script: {}", held.title(), held.why);
        lines.push(comment(&text));
        lines.extend(why(held.proposal));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn why(proposal: &ProposalReport) -> impl Iterator<Item = String> {
    let before = human::volume(&proposal.exposure_before);
    let after = human::volume(&proposal.exposure_after);
    let sizes = comment(&format!("  exposure {before} -> {after}"));
    let reasons = proposal
        .reasons
        .iter()
        .map(|reason| comment(&format!("  - {reason}")));
    std::iter::once(sizes).chain(reasons)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn no_shell_acts_on_a_word() {
        let nasty = "a'b\"c $(touch x) `id` \\ ; | & ${HOME} !x *";
        let script = format!("printf %s {}", quote(nasty));
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), nasty);
        assert_eq!(shown("a\u{1b}[31m"), "'a\\u{1b}[31m'");
    }

    #[test]
    fn an_exact_word_is_the_text_and_shows_nothing_that_acts() {
        for text in ["plain", "数据库 5432", "it's\\ $(x)\n\u{202e}\u{1b}[31mé1"] {
            let word = exact(text);
            assert_eq!(escape::inert(&word), word);
            let script = format!("printf %s {word}");
            let output = Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
