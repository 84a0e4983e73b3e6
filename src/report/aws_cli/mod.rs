//! A shell script of AWS CLI calls that makes the change in steps: what is
//! missing is added first, then rules are narrowed in place, then the rest goes,
//! so that no step cuts what the next restores.
//!
//! The script does nothing unless it is told `--apply`; it checks that each rule
//! is still what the analysis saw, stops at the first failure, and undoes what
//! it did. The part that runs is the same in every script and stands in
//! `apply.sh` and, where clouds do not differ, in `shell/run.sh`; a variant that tries copies of the groups first in `clone.sh`.

mod clone;
mod steps;
mod wire;

use crate::report::change;
use crate::report::change::Speaks;
use crate::report::document::Analysis;
use crate::report::fingerprint;
use crate::report::shell;
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
    let changes = change::changes(analysis, least, Speaks::PLAIN);
    let body = match script {
        Script::Change => steps::write(analysis, &changes),
        Script::CloneFirst => clone::write(analysis, &changes),
    };
    let id = fingerprint::short(&[&body]);
    let id = id.get(..12).unwrap_or(&id);
    let runtime = match script {
        Script::Change => format!("{APPLY}\n{}", shell::RUN),
        Script::CloneFirst => CLONE.to_owned(),
    };
    let head = shell::heading(says(script), analysis, &changes);
    let why = shell::reasons(&changes);
    format!("{head}\nset -euo pipefail\n\nid={id}\n\n{body}\n{runtime}{why}")
}

fn says(script: Script) -> &'static str {
    match script {
        Script::Change => {
            "Security group changes by flowcinch. Run without arguments it only says what it would do."
        }
        Script::CloneFirst => {
            "Staging copies of security groups by flowcinch. Run without arguments it does nothing."
        }
    }
}
