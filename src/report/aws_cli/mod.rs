//! A shell script of AWS CLI calls that makes the change in steps: what is
//! missing is added first, then rules are narrowed in place, then the rest goes,
//! so that no step cuts what the next restores.
//!
//! The script does nothing unless it is told `--apply`; it checks that each rule
//! is still what the analysis saw, stops at the first failure, and undoes what
//! it did. The part that runs is the same in every script and stands in
//! `apply.sh`; a variant that tries copies of the groups first in `clone.sh`.

mod clone;
mod shell;
mod steps;

use crate::report::change;
use crate::report::change::Changes;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::escape;
use crate::report::fingerprint;
use crate::report::human;
use crate::tighten::plan::Applicability;

const APPLY: &str = include_str!("apply.sh");
const CLONE: &str = include_str!("clone.sh");

/// Which script is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// The one that changes the groups.
    Change,
    /// The one that makes copies of them to try.
    CloneFirst,
}

/// The script, for bash.
#[must_use]
pub fn render(analysis: &Analysis, script: Script, least: Applicability) -> String {
    let changes = change::changes(analysis, least);
    let body = match script {
        Script::Change => steps::write(analysis, &changes),
        Script::CloneFirst => clone::write(analysis, &changes),
    };
    let id = fingerprint::short(&[&body]);
    let id = id.get(..12).unwrap_or(&id);
    let runtime = match script {
        Script::Change => APPLY,
        Script::CloneFirst => CLONE,
    };
    let head = heading(analysis, script, &changes);
    let why = reasons(&changes);
    format!("{head}\nset -euo pipefail\n\nid={id}\n\n{body}\n{runtime}{why}")
}

fn heading(analysis: &Analysis, script: Script, changes: &Changes<'_>) -> String {
    let mut lines = vec!["#!/usr/bin/env bash".to_owned()];
    lines.push(match script {
        Script::Change => "# Security group changes by flowcinch. Run without arguments it only says what it would do.".to_owned(),
        Script::CloneFirst => "# Staging copies of security groups by flowcinch. Run without arguments it does nothing.".to_owned(),
    });
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
fn reasons(changes: &Changes<'_>) -> String {
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

/// A line of comment that stays one.
fn comment(text: &str) -> String {
    format!("# {}", escape::inert(text)).trim_end().to_owned()
}
