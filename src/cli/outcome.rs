//! How a run ended: the exit codes as a type, each with its meaning. Scripts
//! rely on the numbers.

use std::process::ExitCode;

use flowcinch::report::document::Analysis;
use flowcinch::report::findings;
use flowcinch::report::findings::Findings;

use crate::cli::values::BadLines;

/// How a run ended, in the order of the exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0: done, nothing to report.
    Clean,
    /// 1: done, and there are findings: a rule that is unused, redundant,
    /// shadowed or without effect; a proposal to tighten; a REJECT that looks
    /// like a misconfiguration; a proof that failed.
    Findings,
    /// 2: could not run; a message stands on standard error.
    CouldNotRun,
    /// 3: done, but on incomplete input: unreadable objects, bad lines over
    /// the limit, or groups in use of which no log speaks. Goes before 1,
    /// because what is missing may void what was found.
    Incomplete,
}

impl Outcome {
    /// How an analysis ended, and why its input is incomplete, if it is.
    pub(crate) fn of(analysis: &Analysis, bad_lines: BadLines) -> (Outcome, Vec<String>) {
        let mut gaps = findings::gaps(analysis);
        let malformed = analysis.ingest.malformed;
        if bad_lines.exceeded(malformed, findings::lines(&analysis.ingest)) {
            gaps.push(format!(
                "{malformed} bad lines, more than --max-bad-lines {bad_lines}"
            ));
        }
        let outcome = if !gaps.is_empty() {
            Outcome::Incomplete
        } else if Findings::of(analysis).any() {
            Outcome::Findings
        } else {
            Outcome::Clean
        };
        (outcome, gaps)
    }

    /// The same with `--exit-zero`: findings end as if there were none.
    pub(crate) fn or_zero(self, exit_zero: bool) -> Outcome {
        match self {
            Outcome::Findings if exit_zero => Outcome::Clean,
            Outcome::Clean | Outcome::Findings | Outcome::CouldNotRun | Outcome::Incomplete => self,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::CouldNotRun => 2,
            Outcome::Incomplete => 3,
        })
    }
}
