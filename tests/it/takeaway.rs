//! What people take away, through the binary: the tutorial as a new user types
//! it, evidence that can be made again, addresses under other names, a gate, and
//! manual pages.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::Weak;

use crate::case::Case;
use crate::case::Run;

const TUTORIAL: &str = include_str!("../../src/tutorial.md");
const README: &str = include_str!("../../README.md");

/// A sample of a month, made once for the tests that run at the same time.
static DEMO: Mutex<Weak<Case>> = Mutex::new(Weak::new());

/// A folder with `demo/logs` and `demo/snapshot`, which holds them as well.
struct Demo {
    case: Case,
    _made: Arc<Case>,
}

impl Deref for Demo {
    type Target = Case;

    fn deref(&self) -> &Case {
        &self.case
    }
}

fn demo() -> Demo {
    let mut kept = DEMO.lock().unwrap();
    let made = kept.upgrade().unwrap_or_else(|| {
        let case = Case::new();
        let flags = ["--records", "20000", "--seed", "1", "--days", "14"];
        let run = case.run(&[&["sample", "--out", "demo"][..], &flags].concat());
        assert_eq!(run.status, Some(0), "{run:?}");
        Arc::new(case)
    });
    *kept = Arc::downgrade(&made);
    let case = Case::new();
    symlink(made.path("demo"), case.path("demo")).unwrap();
    Demo { case, _made: made }
}

fn analyse(case: &Case, more: &[&str]) -> Run {
    let args = [
        "analyze",
        "demo/logs",
        "--snapshot",
        "demo/snapshot",
        "--quiet",
    ];
    case.run(&[&args[..], more].concat())
}

/// The small sample, of which all was logged.
fn analyse_complete(case: &Case, more: &[&str]) -> Run {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sample-logs");
    let (logs, snapshot) = (
        format!("{folder}/default-format"),
        format!("{folder}/snapshot"),
    );
    let args = ["analyze", &logs, "--snapshot", &snapshot, "--quiet"];
    case.run(&[&args[..], more].concat())
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// Runs a line of bash as a user does who has the binary on his path.
fn typed(case: &Case, line: &str) -> Run {
    let binary = Path::new(env!("CARGO_BIN_EXE_flowcinch"));
    let mut paths = vec![binary.parent().unwrap().to_owned()];
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let output = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", line])
        .current_dir(case.path("."))
        .env("PATH", std::env::join_paths(paths).unwrap())
        .output()
        .unwrap();
    Run {
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code(),
    }
}

/// Lines of code blocks of one language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let blocks = text.split(fence.as_str()).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_tutorial_can_be_typed_as_it_stands() {
    let case = demo();
    case.file("state.json", r#"{"values": {"root_module": {}}}"#);
    let mut ran = 0;
    for line in blocks(TUTORIAL, "sh").into_iter().flat_map(str::lines) {
        // What needs an account or Terraform, and the sample, which is there.
        let elsewhere = [
            "s3://",
            "flowcinch snapshot ",
            "terraform ",
            "flowcinch sample ",
        ];
        if elsewhere.iter().any(|start| line.starts_with(start)) || line.contains("s3://") {
            continue;
        }
        let run = typed(&case, line);
        let gaps = line.starts_with("flowcinch analyze");
        let expected = if gaps { 3 } else { 0 };
        assert_eq!(run.status, Some(expected), "{line}: {}", run.stderr);
        assert!(!gaps || run.stderr.contains("never logged"), "{run:?}");
        ran += 1;
    }
    assert!(ran >= 9, "only {ran} commands were found");
    let text = |name: &str| fs::read_to_string(case.path(name)).unwrap();
    for written in [
        "report/report.txt",
        "report.html",
        "findings.md",
        "findings.csv",
        "rules.tf",
        "change.tf",
        "change.sh",
    ] {
        assert!(!text(written).is_empty(), "{written}");
    }
    // It leads to a change, and not to an empty one.
    for (kind, least) in [("# new: ", 20), ("import {", 20), (" goes: ", 5)] {
        let found = text("rules.tf").matches(kind).count();
        assert!(found >= least, "{kind}: {found}");
    }
    assert!(
        typed(&case, "bash change.sh")
            .text()
            .contains(": narrow sgr-")
    );
    let shown = case.run(&["explain", "tutorial"]);
    assert_eq!(shown.text(), TUTORIAL);
}

#[test]
fn the_flags_of_the_tutorials_sample_make_it_of_the_same_kind() {
    let line = TUTORIAL
        .lines()
        .find(|line| line.starts_with("flowcinch sample "))
        .unwrap();
    let case = Case::new();
    let run = typed(&case, &line.replace("--records 100000", "--records 2000"));
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(case.path("demo/logs").is_dir() && case.path("demo/snapshot").is_dir());
}

/// The commands of a pipeline's steps, each on one line.
fn steps(block: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    let mut inside = false;
    for line in block.lines() {
        let plain = line.trim_start();
        let command = plain.strip_prefix("- ").map(|rest| {
            let rest = rest.strip_prefix("run: ").unwrap_or(rest);
            rest.to_owned()
        });
        match command {
            Some(command) => {
                inside = command.starts_with("flowcinch ");
                if inside {
                    steps.push(command);
                }
            }
            None if inside && !plain.contains(": ") => {
                let last = steps.last_mut().unwrap();
                last.push(' ');
                last.push_str(plain);
            }
            None => inside = false,
        }
    }
    steps
}

#[test]
fn the_examples_of_pipelines_pass_what_is_known_and_stop_what_is_new() {
    for block in blocks(README, "yaml") {
        let case = demo();
        let steps = steps(block);
        assert_eq!(steps.len(), 2, "{block}");
        let [analyze, gate] = [0, 1].map(|at| {
            let own = steps[at].replace("s3://BUCKET/PREFIX", "demo/logs");
            own.replace("--snapshot snapshot", "--snapshot demo/snapshot")
        });
        let run = typed(&case, &analyze);
        assert_eq!(run.status, Some(0), "{analyze}: {}", run.stderr);
        let found = fs::read(case.path("report/analysis.json")).unwrap();
        case.file("baseline.json", &found);
        case.file("accepted.toml", "");
        let run = typed(&case, &gate);
        assert_eq!(run.status, Some(0), "{gate}: {}", run.stderr);
        let mut before: serde_json::Value = serde_json::from_slice(&found).unwrap();
        before["proposals"] = serde_json::json!([]);
        case.file("baseline.json", before.to_string());
        let run = typed(&case, &gate);
        assert_eq!(run.status, Some(1), "{gate}: {}", run.stderr);
        let kept = gate.split(" --out ").nth(1).unwrap();
        let kept = kept.split_whitespace().next().unwrap();
        assert!(case.path(kept).is_file(), "{kept} is there to be looked at");
    }
}

#[test]
fn evidence_is_the_same_bytes_when_it_is_made_again() {
    let case = demo();
    for (folder, threads) in [("one", "1"), ("two", "2")] {
        let run = analyse(
            &case,
            &["--exit-zero", "--evidence", folder, "--threads", threads],
        );
        // Some of it was never logged, which evidence does not hide.
        assert_eq!(run.status, Some(3), "{run:?}");
    }
    let (one, two) = (files(&case.path("one")), files(&case.path("two")));
    assert_eq!(one, two);
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    let expected = [
        "README.txt",
        "analysis.json",
        "certificate.json",
        "findings.csv",
        "manifest.json",
        "report.txt",
    ];
    assert_eq!(names, expected);
    let manifest: serde_json::Value = serde_json::from_slice(&one["manifest.json"]).unwrap();
    let logs = manifest["inputs"]["logs"].as_array().unwrap();
    assert!(
        !logs.is_empty()
            && logs
                .iter()
                .all(|log| log["sha256"].as_str().unwrap().len() == 64)
    );
    assert!(
        !manifest["inputs"]["snapshots"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let run = case.run(&[
        "analyze",
        "-",
        "--snapshot",
        "demo/snapshot",
        "--evidence",
        "x",
    ]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("standard input"), "{}", run.stderr);
}

/// No address of the one text is told in the other.
fn hides(plain: &str, hidden: &str) {
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|word| {
                word.parse::<Ipv4Addr>()
                    .is_ok_and(|one| !one.is_unspecified())
            })
            .map(str::to_owned)
            .collect()
    };
    let (there, told) = (words(plain), words(hidden));
    assert!(there.len() > 20, "{there:?}");
    // By chance one other address may have the name of one that was there.
    let still = there.intersection(&told).count();
    assert!(still * 10 < there.len(), "{still} of {}", there.len());
}

#[test]
fn an_older_pack_is_replaced_as_a_whole_and_nothing_else_is() {
    let case = Case::new();
    case.file("key", "0123456789abcdef0123456789abcdef");
    let pack = |more: &[&str]| {
        let args = ["--exit-zero", "--evidence", "pack"];
        analyse_complete(&case, &[&args[..], more].concat()).status
    };
    assert_eq!(pack(&[]), Some(0));
    assert!(case.path("pack/certificate.json").is_file());
    // A certificate of before would tell what the key hides.
    assert_eq!(pack(&["--pseudonymise", "key"]), Some(0));
    assert!(!case.path("pack/certificate.json").exists());
    assert_eq!(pack(&["--pseudonymise", "nothing"]), Some(2));
    assert!(
        case.path("pack/manifest.json").is_file(),
        "kept until there is another"
    );
    case.file("pack/notes.txt", "mine");
    assert_eq!(pack(&[]), Some(2));
    assert_eq!(fs::read(case.path("pack/notes.txt")).unwrap(), b"mine");
}

#[test]
fn addresses_go_under_other_names_and_the_same_ones_each_time() {
    let case = demo();
    case.file("key", "0123456789abcdef0123456789abcdef");
    let plain = analyse(&case, &["--exit-zero", "--format", "json"]).text();
    let hidden = analyse(
        &case,
        &["--exit-zero", "--format", "json", "--pseudonymise", "key"],
    );
    case.file("analysis.json", &plain);
    let render = [
        "render",
        "analysis.json",
        "--format",
        "json",
        "--pseudonymise",
        "key",
    ];
    assert_eq!(case.run(&render).text(), hidden.text(), "from either side");
    // What can be applied would open the addresses that stand for others.
    for format in ["terraform", "cloudformation", "aws-cli"] {
        let asked = [
            "render",
            "analysis.json",
            "--format",
            format,
            "--pseudonymise",
            "key",
        ];
        let run = case.run(&asked);
        assert_eq!(run.status, Some(2), "{format}: {}", run.text());
        assert!(run.stderr.contains("real addresses"), "{}", run.stderr);
    }
    // Nor a document that was pseudonymised before, which says so everywhere.
    case.file("hidden.json", hidden.text());
    for format in ["terraform", "cloudformation", "aws-cli"] {
        let run = case.run(&["render", "hidden.json", "--format", format]);
        assert_eq!(run.status, Some(2), "{format}: {}", run.text());
        assert!(run.stderr.contains("real addresses"), "{}", run.stderr);
    }
    for format in ["text", "html", "markdown"] {
        let run = case.run(&["render", "hidden.json", "--format", format]);
        assert!(run.text().contains("PSEUDONYMISED"), "{format}");
    }
    let logs = ["--snapshot", "demo/snapshot", "demo/logs"];
    let run = case.run(&[&["verify", "hidden.json"], &logs[..]].concat());
    assert_eq!(run.status, Some(2), "{}", run.text());
    assert!(run.stderr.contains("is pseudonymised"), "{}", run.stderr);
    hides(&plain, &hidden.text());
    // What is gone since the baseline is told in its words.
    let mut later: serde_json::Value = serde_json::from_str(&plain).unwrap();
    later["rejects"] = serde_json::json!([]);
    case.file("later.json", later.to_string());
    let gone = [
        "render",
        "later.json",
        "--format",
        "csv",
        "--baseline",
        "analysis.json",
    ];
    let fixed = case.run(&gone);
    assert!(fixed.text().contains("\"fixed\""), "{fixed:?}");
    let fixed_hidden = case.run(&[&gone[..], &["--pseudonymise", "key"]].concat());
    assert_eq!(fixed_hidden.stderr, fixed.stderr);
    hides(&fixed.text(), &fixed_hidden.text());
    case.file("short", "abc");
    let run = analyse(&case, &["--pseudonymise", "short"]);
    assert_eq!(run.status, Some(2));
}

#[test]
fn a_gate_fails_for_what_is_new_and_accepted_by_nobody() {
    let case = Case::new();
    let run = analyse_complete(&case, &["--format", "json"]);
    assert_eq!(run.status, Some(1));
    case.file("old.json", &run.stdout);
    // Nothing is new beside itself.
    let run = analyse_complete(&case, &["--baseline", "old.json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let mut empty: serde_json::Value =
        serde_json::from_slice(&fs::read(case.path("old.json")).unwrap()).unwrap();
    for list in ["security_groups", "proposals", "rejects"] {
        empty[list] = serde_json::json!([]);
    }
    case.file("empty.json", empty.to_string());
    let render = [
        "render",
        "old.json",
        "--format",
        "csv",
        "--baseline",
        "empty.json",
    ];
    let run = case.run(&render);
    assert_eq!(run.status, Some(1));
    assert!(run.stderr.contains(" new, 0 unchanged"), "{}", run.stderr);
    // Whoever answers for all of it lets it pass, until the day is over.
    let text = run.text();
    let accepted: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| {
            let id = line.split('"').nth(1).unwrap();
            format!("[[accepted]]\nid = '{id}'\nowner = 'o'\nreason = 'r'\nexpires = 2099-12-31\n")
        })
        .collect();
    case.file("accepted.toml", accepted.concat());
    let with =
        |more: &[&str]| case.run(&[&render[..], &["--accepted", "accepted.toml"], more].concat());
    assert_eq!(with(&[]).status, Some(0));
    assert_eq!(with(&["--today", "2100-01-01"]).status, Some(1));
    case.file("accepted.toml", "[[accepted]]\nid = 'fc-1'\n");
    let run = with(&[]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("owner"), "{}", run.stderr);
}

#[test]
fn a_gate_says_first_that_the_input_has_gaps() {
    let case = demo();
    let run = analyse(&case, &["--format", "json"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    case.file("old.json", &run.stdout);
    let run = analyse(&case, &["--baseline", "old.json"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
}

#[test]
fn shells_and_man_get_what_help_says() {
    let case = Case::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = case.run(&["completions", shell]);
        assert_eq!(run.status, Some(0), "{shell}");
        assert!(run.text().contains("snapshot"), "{shell}");
        is_read_by(shell, &case.file("completions", run.text()));
    }
    let page = case.run(&["man"]).text();
    assert!(page.contains(".TH") && page.contains("analyze"));
    let page = case.run(&["man", "render"]).text();
    assert!(page.contains("terraform"), "{page}");
    let run = case.run(&["man", "nothing"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("no command `nothing`"),
        "{}",
        run.stderr
    );
}

/// Where the shell is installed, it must find nothing wrong with a script.
#[expect(clippy::print_stderr, reason = "a skipped check says so")]
fn is_read_by(shell: &str, script: &Path) {
    if !["bash", "zsh", "fish"].contains(&shell) {
        return;
    }
    match Command::new(shell).arg("-n").arg(script).output() {
        Ok(output) => assert!(output.status.success(), "{shell}: {output:?}"),
        Err(_) => {
            eprintln!("SKIPPED: {shell} is not installed, so it did not read its completions");
        }
    }
}
