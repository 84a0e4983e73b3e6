//! The built binary: exit codes, messages, streams.

use std::io::Read;

use flowcinch::report::code::Code;
use flowcinch::report::json;

use crate::builder;
use crate::case::Case;

fn document() -> Vec<u8> {
    json::to_bytes(&builder::planted()).unwrap()
}

#[test]
fn the_bare_name_gives_a_short_guide_and_fails() {
    let run = Case::new().run(&[]);
    assert_eq!(run.status, Some(2));
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains("flowcinch analyze"));
    assert!(run.stderr.lines().count() < 12);
}

#[test]
fn version_is_one_line() {
    let run = Case::new().run(&["--version"]);
    assert_eq!(run.status, Some(0));
    assert_eq!(
        run.text(),
        format!("flowcinch {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn every_command_has_help_with_examples() {
    for command in ["analyze", "verify", "why", "explain", "render", "sample"] {
        let run = Case::new().run(&[command, "--help"]);
        assert_eq!(run.status, Some(0), "{command}");
        assert!(run.stderr.is_empty());
        let text = run.text();
        assert!(text.contains("Examples:"), "{command}");
        assert!(
            text.matches(&format!("flowcinch {command}")).count() >= 2,
            "{text}"
        );
    }
}

#[test]
fn wrong_arguments_exit_2_and_name_the_flag() {
    let snapshot = ["analyze", "logs", "--snapshot", "s"];
    let wrong: [(&[&str], &str); 12] = [
        (&["--since", "yesterday"], "--since"),
        (&["--until", "0d"], "--until"),
        (&["--memory", "lots"], "--memory"),
        (&["--threads", "0"], "--threads"),
        (&["--max-bad-lines", "101%"], "--max-bad-lines"),
        (&["--format", "pdf"], "--format"),
        (&["--rule-quota", "0"], "--rule-quota"),
        (&["--min-confidence", "low"], "--min-confidence"),
        (&["--obligations", "some"], "--obligations"),
        (&["--assign", "none"], "--assign"),
        (&["--provider", "acme"], "--provider"),
        (&["--no-such-flag"], "--no-such-flag"),
    ];
    for (flag, named) in wrong {
        let run = Case::new().run(&[&snapshot[..], flag].concat());
        assert_eq!(run.status, Some(2), "{flag:?}");
        assert!(run.stdout.is_empty());
        assert!(run.stderr.contains(named), "{}", run.stderr);
    }
}

#[test]
fn what_is_missing_is_named() {
    let run = Case::new().run(&["analyze", "logs"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("--snapshot"));
    let run = Case::new().run(&["analyze", "--snapshot", "s"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("LOGS"));
}

#[test]
fn a_service_of_all_protocols_is_refused() {
    let run = Case::new().run(&["why", "10.0.0.1", "10.0.0.2", "all", "--snapshot", "s"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("`all` names no protocol"),
        "{}",
        run.stderr
    );
}

#[test]
fn explain_finds_a_code_by_id_and_by_name() {
    let by_id = Case::new().run(&["explain", "sg101"]);
    assert_eq!(by_id.status, Some(0));
    assert!(by_id.text().starts_with("SG101  unused-rule\n"));
    assert!(by_id.text().contains("When it misleads"));
    let by_name = Case::new().run(&["explain", "Unused-Rule"]);
    assert_eq!(by_name.stdout, by_id.stdout);
}

#[test]
fn explain_alone_lists_every_code() {
    let run = Case::new().run(&["explain"]);
    assert_eq!(run.status, Some(0));
    for code in ["SG101", "RJ207", "FL308", "SN111", "PF401"] {
        assert!(run.text().contains(code), "{code}");
    }
}

#[test]
fn an_unknown_code_gets_suggestions() {
    let run = Case::new().run(&["explain", "SG1O1"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stdout.is_empty());
    assert!(
        run.stderr.contains("did you mean SG101 (unused-rule)"),
        "{}",
        run.stderr
    );
    let run = Case::new().run(&["explain", "\u{1b}[31m"]);
    assert_eq!(run.stderr.lines().count(), 1);
    assert!(!run.stderr.contains('\u{1b}') && run.stderr.contains("lists them all"));
}

#[test]
fn render_gives_back_the_same_json() {
    let case = Case::new();
    case.file("analysis.json", document());
    let run = case.run(&["render", "analysis.json", "--format", "json"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert_eq!(run.stdout, document());
    assert!(run.stderr.is_empty());
}

#[test]
fn render_reads_standard_input() {
    let run = Case::new().run_with(&["render", "-", "--format", "text"], &document());
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.text().contains("\n  2 rules unused"));
}

#[test]
fn render_writes_a_file_and_prints_nothing() {
    let case = Case::new();
    let run = case.run_with(
        &["render", "-", "--format", "json", "--out", "copy.json"],
        &document(),
    );
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    assert!(run.stdout.is_empty());
    assert_eq!(std::fs::read(case.path("copy.json")).unwrap(), document());
}

#[test]
fn render_into_a_missing_folder_names_the_file() {
    let run = Case::new().run_with(
        &["render", "-", "--format", "json", "--out", "no/copy.json"],
        &document(),
    );
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr.contains("--out: cannot write `no/copy.json`: "),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1);
}

#[test]
fn what_is_no_analysis_is_refused_in_one_line() {
    let case = Case::new();
    case.file("other.json", r#"{"schema": "flowcinch.why.v1"}"#);
    let run = case.run(&["render", "other.json", "--format", "text"]);
    assert_eq!(run.status, Some(2));
    assert_eq!(
        run.stderr,
        "flowcinch: `other.json`: schema is `flowcinch.why.v1`, this program reads `flowcinch.analysis.v1`\n"
    );
    let run = case.run(&["render", "missing.json", "--format", "text"]);
    assert_eq!(run.status, Some(2));
    assert!(
        run.stderr
            .starts_with("flowcinch: cannot read `missing.json`: "),
        "{}",
        run.stderr
    );
}

#[test]
fn the_width_is_that_of_columns_and_100_on_a_pipe() {
    let widest = |case: Case| {
        let run = case.run_with(&["render", "-", "--format", "text"], &document());
        run.text().lines().map(str::len).max().unwrap()
    };
    assert!(widest(Case::new().env("COLUMNS", "70")) <= 70);
    assert!((71..=100).contains(&widest(Case::new())));
    assert!((71..=100).contains(&widest(Case::new().env("COLUMNS", "wide"))));
}

#[test]
fn a_pipe_gets_colours_only_when_asked() {
    let coloured = |args: &[&str]| {
        let args = [&["render", "-", "--format", "text"], args].concat();
        Case::new()
            .run_with(&args, &document())
            .text()
            .contains('\u{1b}')
    };
    assert!(!coloured(&[]));
    assert!(!coloured(&["--color", "never"]));
    assert!(coloured(&["--color", "always"]));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let case = Case::new();
    let mut crowd = builder::planted();
    let many = (0..20_000).map(|port| {
        builder::rule(
            &format!("sgr-{port}"),
            (port, port),
            builder::cidr("10.0.0.0/8"),
        )
    });
    crowd.security_groups.push(builder::group(
        "sg-0eeeeeeeeeeeeeee1",
        "crowd",
        many.collect(),
    ));
    case.file("analysis.json", json::to_bytes(&crowd).unwrap());
    let mut child = case
        .command(&["render", "analysis.json", "--format", "json"])
        .spawn()
        .unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(output.status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_clear_error() {
    let case = Case::new();
    case.file("analysis.json", document());
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = case
        .command(&["render", "analysis.json", "--format", "json"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("flowcinch: cannot write to standard output: "),
        "{stderr}"
    );
}

/// Codes as they stand in the program's text: two capitals and three digits
/// between quotes.
fn codes_in(text: &str) -> Vec<&str> {
    let quoted = text.split('"').skip(1).step_by(2);
    let is_code = |word: &&str| {
        let (letters, digits) = word.split_at_checked(2).unwrap_or_default();
        word.len() == 5
            && letters.bytes().all(|byte| byte.is_ascii_uppercase())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    quoted.filter(is_code).collect()
}

#[test]
fn every_code_that_can_be_printed_has_its_page() {
    let mut found = 0;
    for file in ["src/describe/note.rs", "src/pipeline/assemble.rs"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for code in codes_in(&text) {
            found += 1;
            assert!(
                Code::find(code).is_some(),
                "{file}: {code} has no manual page"
            );
        }
    }
    assert!(found > 25, "{found} codes found");
}
