//! How a run ended: the exit codes as a type, each with its meaning. Scripts
//! rely on the numbers.

use std::process::ExitCode;

use flowcinch::report::document::Analysis;
use flowcinch::report::document::MalformedSample;
use flowcinch::report::document::Unreadable;
use flowcinch::report::findings;
use flowcinch::report::findings::Findings;

use crate::cli::values::BadLines;

/// Of each kind of damage, how many places standard error names.
const PLACES: usize = 3;

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

    /// The first object and the first lines that could not be read, each with
    /// its place: what standard error says of them where the report goes
    /// elsewhere. Empty unless the input is incomplete.
    pub(crate) fn places(self, analysis: &Analysis) -> Vec<String> {
        if self != Outcome::Incomplete {
            return Vec::new();
        }
        let ingest = &analysis.ingest;
        let object = |bad: &Unreadable| format!("`{}`: {}", bad.object, bad.reason);
        let line = |bad: &MalformedSample| {
            let MalformedSample {
                object,
                line,
                byte,
                reason,
            } = bad;
            format!("`{object}`: line {line}, byte {byte}: {reason}")
        };
        let objects = ingest.unreadable.iter().take(PLACES).map(object);
        let lines = ingest.malformed_samples.iter().take(PLACES).map(line);
        objects.chain(lines).collect()
    }

    /// The same where findings were held against a baseline or against what was
    /// accepted: only what fails there counts.
    pub(crate) fn gated(self, fails: bool) -> Outcome {
        match (self, fails) {
            (Outcome::Incomplete | Outcome::CouldNotRun, _) => self,
            (Outcome::Clean | Outcome::Findings, true) => Outcome::Findings,
            (Outcome::Clean | Outcome::Findings, false) => Outcome::Clean,
        }
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

#[cfg(test)]
mod tests {
    use flowcinch::report::json;

    use super::*;

    /// An analysis without rules: 1000 good lines and so many bad ones.
    fn analysis(bad: u64, unreadable: &str, broken: u64) -> Analysis {
        let text = format!(
            r#"{{"schema": "flowcinch.analysis.v1", "window": null,
            "ingest": {{"objects": 1, "compressed_bytes": 1, "text_bytes": 1, "records": 1000,
                "accepted": 1000, "rejected": 0, "other": 0, "no_data": 0, "skip_data": 0,
                "malformed": {bad}, "malformed_samples": [], "unreadable": [{unreadable}]}},
            "coverage": {{"interfaces_in_snapshot": 1, "interfaces_logged": 1,
                "unknown_interfaces": [], "unlogged_interfaces": [],
                "interface_hours_observed": 1, "interface_hours_lost": 0, "unresolved": {{}}}},
            "security_groups": [], "rejects": [], "proposals": [],
            "verification": {{"connections": 1, "broken": {broken}, "witnesses": 1, "widened": 0,
                "unexplained": 0, "per_group": []}}}}"#
        );
        json::from_slice(text.as_bytes()).unwrap()
    }

    const LIMIT: BadLines = BadLines::Millionths(1_000);
    const UNREADABLE: &str = r#"{"object": "a.gz", "reason": "cut"}"#;

    #[test]
    fn nothing_to_report_is_clean() {
        assert_eq!(
            Outcome::of(&analysis(0, "", 0), LIMIT),
            (Outcome::Clean, vec![])
        );
        assert_eq!(Outcome::of(&analysis(1, "", 0), LIMIT).0, Outcome::Clean);
    }

    #[test]
    fn bad_lines_over_the_limit_are_incomplete_input() {
        let (outcome, gaps) = Outcome::of(&analysis(2, "", 0), LIMIT);
        assert_eq!(outcome, Outcome::Incomplete);
        assert_eq!(gaps, ["2 bad lines, more than --max-bad-lines 0.1%"]);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let mut analysis = analysis(2, UNREADABLE, 0);
        analysis.ingest.malformed_samples = vec![MalformedSample {
            object: "b.log".to_owned(),
            line: 7,
            byte: 90,
            reason: "odd".to_owned(),
        }];
        let places = Outcome::of(&analysis, LIMIT).0.places(&analysis);
        assert_eq!(places, ["`a.gz`: cut", "`b.log`: line 7, byte 90: odd"]);
        assert_eq!(Outcome::Findings.places(&analysis), Vec::<String>::new());
    }

    #[test]
    fn incomplete_input_goes_before_findings() {
        assert_eq!(Outcome::of(&analysis(0, "", 1), LIMIT).0, Outcome::Findings);
        assert_eq!(
            Outcome::of(&analysis(0, UNREADABLE, 1), LIMIT).0,
            Outcome::Incomplete
        );
    }

    #[test]
    fn exit_zero_forgives_findings_and_nothing_else() {
        assert_eq!(Outcome::Findings.or_zero(true), Outcome::Clean);
        assert_eq!(Outcome::Findings.or_zero(false), Outcome::Findings);
        assert_eq!(Outcome::Incomplete.or_zero(true), Outcome::Incomplete);
        assert_eq!(Outcome::CouldNotRun.or_zero(true), Outcome::CouldNotRun);
    }
}
