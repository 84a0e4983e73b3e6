//! The scripts that `render` writes, run with another `aws`, which notes what it
//! is asked, answers as the analysis expects, and fails when it is told to.

use std::fs;

use flowcinch::report::aws_cli;
use flowcinch::report::aws_cli::Script;
use flowcinch::tighten::plan::Applicability;

use crate::builder;
use crate::stage::Stage;

const AWS: &str = r#"#!/usr/bin/env bash
printf '%s\n' "$*" >>calls
number=$(wc -l <calls)
if [[ $number -eq ${FAIL_AT:-0} ]]; then
    printf 'An error occurred\n' >&2
    exit "${FAIL_WITH:-254}"
fi
case "$2 $*" in
create-security-group*) printf 'sg-0123456789abcde%02d\n' "$number" ;;
authorize*) printf 'sgr-0123456789abcde%02d\n' "$number" ;;
describe-security-group-rules*--filters*) printf 'sgr-0c0ffee\tsgr-0c0ffef\n' ;;
describe-security-group-rules*)
    line=$(grep -m1 -F "expect_rule '$4' " script.sh)
    [[ $line =~ expect_rule\ \'[^\']*\'\ \$\'([^\']*)\' ]] && printf '%b\n' "${BASH_REMATCH[1]}"
    ;;
describe-network-interfaces*) printf '%s\n' "$GROUPS_OF" ;;
esac
"#;

fn stage(script: Script) -> Stage {
    let text = aws_cli::render(&builder::planted(), script, Applicability::ReportOnly);
    Stage::new(&text, ("aws", AWS), &[("GROUPS_OF", builder::DB)])
}

fn changes(calls: &[String]) -> usize {
    calls
        .iter()
        .filter(|call| !call.starts_with("ec2 describe"))
        .count()
}

#[test]
fn a_change_stops_at_any_failure_and_undoes_what_was_done() {
    let whole = stage(Script::Change);
    whole.does(&["--apply"]);
    let all = whole.calls();
    assert!(changes(&all) >= 2, "{all:?}");
    // Each rule is looked at twice: before anything is begun, and at its turn.
    let before = (all.len() - changes(&all)) / 2;
    assert!(before > 0);
    for at in 1..=all.len() {
        let stage = stage(Script::Change);
        let (done, said) = stage.run(&["--apply"], &[("FAIL_AT", &at.to_string())]);
        assert!(!done, "{at}: {said}");
        let calls = stage.calls();
        assert_eq!(calls, all[..at], "nothing is asked behind a failure");
        assert_eq!(said.contains("the way back"), at > before, "{at}: {said}");
        if at <= before {
            assert!(!stage.case.path("journal").exists(), "nothing was begun");
            continue;
        }
        // What failed was refused or only asked about: it was not done.
        let finished = changes(&calls[..at - 1]);
        stage.does(&["--rollback"]);
        assert_eq!(changes(&stage.calls()), finished, "{at}");
        stage.does(&["--rollback"]);
        assert_eq!(stage.calls(), Vec::<String>::new(), "undone is undone");
    }
}

#[test]
fn a_step_whose_answer_was_lost_is_named_and_left_alone() {
    let stage = stage(Script::Change);
    let at = {
        stage.does(&["--apply"]);
        let first = |call: &String| !call.starts_with("ec2 describe");
        stage.calls().iter().position(first).unwrap() + 1
    };
    fs::remove_file(stage.case.path("journal")).unwrap();
    let lost = [("FAIL_AT", &*at.to_string()), ("FAIL_WITH", "255")];
    assert!(!stage.run(&["--apply"], &lost).0);
    stage.calls();
    let (done, said) = stage.run(&["--rollback"], &[]);
    let unsure = "whether step 1 was done is not known";
    assert!(!done && said.contains(unsure), "{said}");
    assert_eq!(stage.calls(), Vec::<String>::new());
    // Asked again, the service says no: it may stand since the first time.
    assert!(!stage.run(&["--apply"], &[("FAIL_AT", &at.to_string())]).0);
    stage.calls();
    let (done, said) = stage.run(&["--rollback"], &[]);
    assert!(!done && said.contains(unsure), "{said}");
    // Whoever has looked says so in the journal, and it goes on.
    let journal = stage.case.path("journal");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, format!("{text}refused 1\n")).unwrap();
    stage.does(&["--rollback"]);
    stage.does(&["--apply"]);
}

#[test]
fn without_its_journal_nothing_is_said_to_be_undone() {
    let stage = stage(Script::Change);
    stage.does(&["--apply"]);
    stage.calls();
    fs::remove_file(stage.case.path("journal")).unwrap();
    let (done, said) = stage.run(&["--rollback"], &[]);
    assert!(!done && said.contains("no journal"), "{said}");
    assert_eq!(stage.calls(), Vec::<String>::new());
}

#[test]
fn nothing_is_done_that_cannot_be_noted() {
    for (script, flag) in [
        (Script::Change, "--apply"),
        (Script::CloneFirst, "--create"),
    ] {
        let stage = stage(script);
        let (done, said) = stage.run(&[flag], &[("FLOWCINCH_JOURNAL", "/dev/full")]);
        assert!(!done, "{said}");
        assert_eq!(changes(&stage.calls()), 0, "{said}");
    }
}

#[test]
fn a_copy_that_is_not_whole_is_never_used() {
    let whole = stage(Script::CloneFirst);
    whole.does(&["--create"]);
    let all = whole.calls();
    assert!(
        all.iter()
            .any(|call| call.contains("revoke-security-group-egress")
                && call.contains("sgr-0c0ffee sgr-0c0ffef"))
    );
    whole.does(&["--attach", "eni-1"]);
    for at in 1..=all.len() {
        let stage = stage(Script::CloneFirst);
        let (done, said) = stage.run(&["--create"], &[("FAIL_AT", &at.to_string())]);
        assert!(!done, "{at}: {said}");
        assert_eq!(
            stage.calls(),
            all[..at],
            "nothing is asked behind a failure"
        );
        let (done, said) = stage.run(&["--attach", "eni-1"], &[]);
        assert!(
            !done && said.contains("--create them first"),
            "{at}: {said}"
        );
        stage.does(&["--delete"]);
        stage.calls();
        stage.does(&["--create"]);
        assert_eq!(stage.calls().len(), all.len(), "{at}: all is made again");
        stage.does(&["--attach", "eni-1"]);
    }
}
