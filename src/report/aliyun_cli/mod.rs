//! A shell script of `aliyun` calls that makes the change in steps: Accepts
//! that are missing are added first, then Drops, then the rest goes, so that no
//! step cuts what another restores.
//!
//! The script does nothing unless it is told `--apply`. ECS has no dry run for
//! these calls, answers no id to an addition, and takes the addition of a rule
//! that is there already without a word; so the script reads the group before
//! and after each step, and keeps in its journal what it did and what was there
//! before. The part that runs is the same in every script and stands in
//! `apply.sh` and, where clouds do not differ, in `shell/run.sh`; what reads a
//! group in `reader.py`.

mod steps;

use crate::report::change;
use crate::report::change::Speaks;
use crate::report::document::Analysis;
use crate::report::fingerprint;
use crate::report::shell;
use crate::tighten::plan::Applicability;

const APPLY: &str = include_str!("apply.sh");
const READER: &str = include_str!("reader.py");
const SAYS: &str = "Security group changes by flowcinch, for Alibaba Cloud. Run without arguments it only says what it would do.";

/// The script, for bash.
#[must_use]
pub fn render(analysis: &Analysis, least: Applicability) -> String {
    let changes = change::changes(analysis, least, Speaks::RANKED);
    let body = steps::write(&changes);
    let id = fingerprint::short(&[&body]);
    let id = id.get(..12).unwrap_or(&id);
    let head = shell::heading(SAYS, analysis, &changes);
    let reader = shell::quote(READER.trim_end());
    let why = shell::reasons(&changes);
    let run = shell::RUN;
    format!(
        "{head}\nset -euo pipefail\n\nid={id}\n\n{body}\nreader={reader}\n\n{APPLY}\n{run}{why}"
    )
}
