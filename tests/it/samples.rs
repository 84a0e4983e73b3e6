//! The sample of the repository: everything that was planted in it is found,
//! in both formats, and the README shows what really comes out.
//! `BLESS=1 cargo test` rewrites the README; then read the diff.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use flowcinch::attribute::verdict::Miss;
use flowcinch::attribute::verdict::RejectCause;
use flowcinch::attribute::verdict::RejectVerdict;
use flowcinch::attribute::verdict::RuleStatus;
use flowcinch::attribute::verdict::Tier;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::RejectReport;
use flowcinch::report::json;
use flowcinch::tighten::plan::Decision;

use crate::case::Case;

const FORMATS: [&str; 2] = ["sample-logs/default-format", "sample-logs/rich-format"];
const SNAPSHOT: &str = "sample-logs/snapshot";

const UNUSED: &str = "sgr-0c0ffee0000000202";
const REDUNDANT: &str = "sgr-0c0ffee0000000302";
const NO_EFFECT: &str = "sgr-0c0ffee0000000207";
const WIDE: &str = "sgr-0c0ffee0000000501";
const FROM_APP: &str = "sgr-0c0ffee0000000301";
const WEB_2: &str = "eni-0c0ffee0000000012";
const DB_1: &str = "eni-0c0ffee0000000031";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Standard output and exit code of a run in the project's folder.
fn run(args: &[&str]) -> (String, Option<i32>) {
    let case = Case::new();
    let mut command = case.command(args);
    let output = command.current_dir(root()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code())
}

fn analysis(logs: &str) -> Analysis {
    let (text, status) = run(&["analyze", logs, "--snapshot", SNAPSHOT, "--format", "json"]);
    assert_eq!(status, Some(1), "{logs}");
    json::from_slice(text.as_bytes()).unwrap()
}

fn ids_of(analysis: &Analysis, status: RuleStatus) -> Vec<&str> {
    let rules = analysis
        .security_groups
        .iter()
        .flat_map(|group| &group.rules);
    rules
        .filter(|rule| rule.status == status)
        .map(|rule| rule.rule_id.as_str())
        .collect()
}

#[test]
fn rules_have_the_planted_statuses() {
    for logs in FORMATS {
        let analysis = analysis(logs);
        assert_eq!(ids_of(&analysis, RuleStatus::Unused), [UNUSED], "{logs}");
        assert_eq!(
            ids_of(&analysis, RuleStatus::Redundant),
            [REDUNDANT],
            "{logs}"
        );
        assert_eq!(
            ids_of(&analysis, RuleStatus::NoEffect),
            [NO_EFFECT],
            "{logs}"
        );
        let used = ids_of(&analysis, RuleStatus::Used);
        let all = analysis
            .security_groups
            .iter()
            .map(|group| group.rules.len());
        assert_eq!(used.len() + 3, all.sum::<usize>(), "{logs}");
    }
}

#[test]
fn the_unused_rule_is_probably_unused() {
    for logs in FORMATS {
        let analysis = analysis(logs);
        let rules = analysis
            .security_groups
            .iter()
            .flat_map(|group| &group.rules);
        let tiers: Vec<Tier> = rules.filter_map(|rule| rule.tier).collect();
        assert_eq!(tiers, [Tier::U2], "{logs}");
    }
}

#[test]
fn the_wide_rule_is_narrowed_to_what_was_seen() {
    for logs in FORMATS {
        let analysis = analysis(logs);
        let tighten = |decision| decision == Decision::Tighten;
        let proposals = analysis.proposals.iter();
        let proposals: Vec<_> = proposals.filter(|each| tighten(each.decision)).collect();
        let rules: Vec<_> = proposals.iter().flat_map(|each| &each.rules).collect();
        let [rule] = rules.as_slice() else {
            panic!("{logs}: {rules:?}");
        };
        assert_eq!(rule.replaces[0].as_str(), WIDE);
        assert_eq!((rule.from_port, rule.to_port), (Some(9_100), Some(9_100)));
        assert_eq!(rule.peer.to_string(), "sg-0c0ffee0000000006");
        let mut removed: Vec<_> = proposals.iter().flat_map(|each| &each.remove).collect();
        removed.sort();
        let removed: Vec<_> = removed.iter().map(|id| id.as_str()).collect();
        assert_eq!(removed, [UNUSED, REDUNDANT], "{logs}");
        assert_eq!(analysis.verification.broken, 0);
        assert_eq!(analysis.verification.widened, 0);
        assert!(analysis.verification.connections > 100);
    }
}

fn wanted(analysis: &Analysis, cause: RejectCause, reply: bool) -> Vec<&RejectReport> {
    let rejects = analysis.rejects.iter();
    rejects
        .filter(|reject| reject.verdict == RejectVerdict::Misconfiguration)
        .filter(|reject| reject.cause == cause && reject.reply == reply)
        .collect()
}

#[test]
fn each_planted_reject_has_its_cause() {
    for logs in FORMATS {
        let analysis = analysis(logs);
        let [group] = wanted(&analysis, RejectCause::SecurityGroup, false)[..] else {
            panic!("{logs}: {:?}", analysis.rejects);
        };
        assert_eq!(group.interface_id.as_str(), DB_1);
        assert_eq!(
            (group.port, group.peer.as_str()),
            (Some(5_432), "10.20.1.21")
        );
        assert_eq!(group.nearest[0].rule_id.as_str(), FROM_APP);
        assert_eq!(group.nearest[0].misses, [Miss::Peer]);
        let [acl] = wanted(&analysis, RejectCause::NetworkAcl, false)[..] else {
            panic!("{logs}: {:?}", analysis.rejects);
        };
        assert_eq!(acl.interface_id.as_str(), WEB_2);
        assert_eq!((acl.port, acl.peer.as_str()), (Some(9_100), "10.20.3.11"));
        let [reply] = wanted(&analysis, RejectCause::NetworkAcl, true)[..] else {
            panic!("{logs}: {:?}", analysis.rejects);
        };
        assert_eq!(reply.interface_id.as_str(), DB_1);
        assert_eq!(
            (reply.port, reply.peer.as_str()),
            (Some(9_187), "10.20.3.11")
        );
        let noise = analysis.rejects.len() - 3;
        let strangers = |reject: &&RejectReport| reject.verdict == RejectVerdict::Noise;
        assert_eq!(analysis.rejects.iter().filter(strangers).count(), noise);
        assert!(noise > 0, "{logs}");
    }
}

#[test]
fn lost_hours_are_counted() {
    for logs in FORMATS {
        let analysis = analysis(logs);
        assert_eq!(analysis.ingest.skip_data, 3, "{logs}");
        assert_eq!(analysis.coverage.interface_hours_lost, 3, "{logs}");
        assert_eq!(analysis.ingest.malformed, 0, "{logs}");
    }
}

fn forget_reasons(analysis: &mut Analysis) {
    let rules = analysis
        .security_groups
        .iter_mut()
        .flat_map(|group| &mut group.rules);
    rules.for_each(|rule| rule.reasons.clear());
    analysis
        .proposals
        .iter_mut()
        .for_each(|proposal| proposal.reasons.clear());
}

#[test]
fn both_formats_lead_to_the_same_findings() {
    let [mut default, mut rich] = FORMATS.map(analysis);
    assert_ne!(default.ingest.text_bytes, rich.ingest.text_bytes);
    default.ingest = rich.ingest.clone();
    // Without flags some directions are sure and not certain; reasons say so.
    forget_reasons(&mut default);
    forget_reasons(&mut rich);
    assert!(
        default == rich,
        "the findings differ by more than their reasons"
    );
}

#[test]
fn the_planted_findings_stand_in_a_screen_and_a_half() {
    let planted = [
        UNUSED, REDUNDANT, WIDE, NO_EFFECT, "SKIPDATA", "RJ201", "RJ202", "RJ203",
    ];
    for logs in FORMATS {
        let (report, _) = run(&["analyze", logs, "--snapshot", SNAPSHOT]);
        let first: Vec<&str> = report.lines().take(64).collect();
        let first = first.join("\n");
        for finding in planted {
            assert!(first.contains(finding), "{finding}\n{first}");
        }
    }
}

/// The lines of all logs of a format.
fn log_lines(logs: &str) -> String {
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(root().join(logs)) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let file = fs::File::open(entry.path()).unwrap();
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
        }
    }
    text
}

#[test]
fn the_lines_that_the_sample_explains_are_in_its_logs() {
    let readme = fs::read_to_string(root().join("sample-logs/README.md")).unwrap();
    for (logs, version) in FORMATS.iter().zip(["2 ", "5 "]) {
        let text = log_lines(logs);
        let quoted = readme.lines().filter(|line| line.starts_with(version));
        let quoted: Vec<&str> = quoted.collect();
        assert_eq!(quoted.len(), 10, "{logs}");
        for line in quoted {
            assert!(text.lines().any(|logged| logged == line), "{logs}: {line}");
        }
    }
}

/// Puts what commands print behind each `$ flowcinch …` line of a README's
/// `console` blocks.
fn with_output(readme: &str) -> String {
    let mut out = String::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        let Some(typed) = line.strip_prefix("$ flowcinch ") else {
            continue;
        };
        let args: Vec<&str> = typed.split(' ').collect();
        out.push_str(&run(&args).0);
        let end = lines.by_ref().find(|line| *line == "```");
        assert!(end.is_some(), "an open block in the README");
        out.push_str("```\n");
    }
    out
}

#[test]
fn the_readme_shows_what_comes_out() {
    let path: &Path = &root().join("README.md");
    let readme = fs::read_to_string(path).unwrap();
    let shown = readme
        .lines()
        .filter(|line| line.starts_with("$ flowcinch "));
    assert!(shown.count() >= 2, "the README shows no output");
    let true_one = with_output(&readme);
    if std::env::var_os("BLESS").is_some() {
        fs::write(path, true_one).unwrap();
        return;
    }
    assert!(
        readme == true_one,
        "README.md shows other output than comes: run with BLESS=1 and read the diff"
    );
}
