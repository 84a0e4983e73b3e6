//! Damaged and hostile input through the built program: it never panics, says
//! what is wrong and where, and keeps what could be read.

use std::fs;
use std::process::Stdio;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::Value;

use crate::case::Case;
use crate::case::Run;
use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::number;
use crate::cloud::word;

const HEADER: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
const RECORD: &str = "2 123456789012 eni-0a1b2c3d4e5f60718 10.0.1.9 10.0.1.5 49152 443 6 12 3456 1760000000 1760000058 ACCEPT OK";

const GROUPS: &str = r#"{"SecurityGroups": [{"GroupId": "sg-0aa", "GroupName": "web", "VpcId": "vpc-0aa",
  "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
    "IpRanges": [{"CidrIp": "10.0.0.0/16"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}],
  "IpPermissionsEgress": []}]}"#;
const INTERFACES: &str = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-0a1b2c3d4e5f60718", "VpcId": "vpc-0aa",
  "SubnetId": "subnet-0aa", "InterfaceType": "interface", "Status": "in-use", "PrivateIpAddress": "10.0.1.5",
  "PrivateIpAddresses": [{"Primary": true, "PrivateIpAddress": "10.0.1.5"}], "Groups": [{"GroupId": "sg-0aa"}]}]}"#;

/// A folder with a snapshot of one interface and one group.
fn small() -> Case {
    let case = Case::new();
    case.file("snap/groups.json", GROUPS);
    case.file("snap/interfaces.json", INTERFACES);
    case
}

fn log(lines: &[&str]) -> String {
    let mut text = format!("{HEADER}\n");
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// A record with one column replaced, counted from 0.
fn record_with(column: usize, value: &str) -> String {
    let mut columns: Vec<&str> = RECORD.split(' ').collect();
    columns[column] = value;
    columns.join(" ")
}

/// What holds for every input: an exit code of the contract, no panic, and
/// errors of one printable line each.
fn sane(run: Run) -> Run {
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(
        matches!(run.status, Some(0..=3)),
        "{:?} {}",
        run.status,
        run.stderr
    );
    for control in run.stderr.chars().filter(|letter| letter.is_control()) {
        assert_eq!(control, '\n', "{:?}", run.stderr);
    }
    if run.status == Some(2) {
        assert!(run.stdout.is_empty(), "{}", run.text());
        assert!(
            run.stderr.starts_with("flowcinch: ") || run.stderr.starts_with("error: "),
            "{}",
            run.stderr
        );
    }
    run
}

fn analyze(case: &Case, args: &[&str]) -> Run {
    sane(case.run(&[&["analyze", "--format", "json", "--snapshot", "snap"], args].concat()))
}

/// The document of a run that gave one.
fn document(run: &Run) -> Value {
    assert_ne!(run.status, Some(2), "{}", run.stderr);
    cloud::json(&run.stdout)
}

/// Fails to run, and names these.
fn refused(run: &Run, named: &[&str]) {
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    for name in named {
        assert!(
            run.stderr.contains(name),
            "`{name}` is not in: {}",
            run.stderr
        );
    }
}

/// One line is bad, at this line and byte; all others are read.
fn one_bad_line(lines: &[&str], at: (u64, u64)) -> String {
    let case = small();
    case.file("logs/a.log", log(lines));
    let ingest = document(&analyze(&case, &["logs"]))["ingest"].clone();
    let samples = list(&ingest, "malformed_samples");
    assert_eq!(number(&ingest, "malformed"), 1, "{ingest}");
    assert_eq!(
        (number(&samples[0], "line"), number(&samples[0], "byte")),
        at,
        "{ingest}"
    );
    assert!(word(&samples[0], "object").ends_with("logs/a.log"));
    assert_eq!(
        usize::try_from(number(&ingest, "records")).unwrap(),
        lines.len() - 1,
        "{ingest}"
    );
    word(&samples[0], "reason").to_owned()
}

#[test]
fn a_truncated_gzip_is_named_and_its_rows_are_kept() {
    let case = small();
    let text = log(&vec![RECORD; 50_000]);
    let whole = cloud::gzip(&text);
    case.file("logs/cut.log.gz", &whole[..whole.len() / 2]);
    case.file("logs/whole.log", log(&[RECORD]));
    let run = analyze(&case, &["logs"]);
    assert_eq!(run.status, Some(3));
    assert!(run.stderr.contains("cut.log.gz"), "{}", run.stderr);
    let ingest = &document(&run)["ingest"];
    let kept = number(ingest, "records");
    assert!((1_000..50_001).contains(&kept), "{ingest}");
    assert_eq!(number(ingest, "malformed"), 0, "{ingest}");
    let unreadable = list(ingest, "unreadable");
    assert_eq!(unreadable.len(), 1);
    assert!(word(&unreadable[0], "object").ends_with("cut.log.gz"));
    assert!(word(&unreadable[0], "reason").contains("byte"), "{ingest}");
}

#[test]
fn a_gzip_cut_anywhere_is_named() {
    let case = small();
    let whole = cloud::gzip(log(&[RECORD, RECORD]));
    for cut in 3..whole.len() {
        case.file("logs/cut.log.gz", &whole[..cut]);
        let run = analyze(&case, &["logs"]);
        assert_eq!(run.status, Some(3), "cut at {cut}: {}", run.stderr);
        assert!(
            run.stderr.contains("cut.log.gz"),
            "cut at {cut}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_file_cut_between_members_is_whole() {
    let case = small();
    case.file(
        "logs/a.gz",
        [cloud::gzip(log(&[RECORD])), cloud::gzip(RECORD)].concat(),
    );
    let run = analyze(&case, &["logs"]);
    assert_eq!(number(&document(&run)["ingest"], "records"), 2);
    assert!(list(&document(&run)["ingest"], "unreadable").is_empty());
}

#[test]
fn garbage_behind_a_gzip_is_named() {
    let case = small();
    case.file(
        "logs/a.gz",
        [cloud::gzip(log(&[RECORD])), b"garbage".to_vec()].concat(),
    );
    let run = analyze(&case, &["logs"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    assert!(run.stderr.contains("a.gz"), "{}", run.stderr);
    assert_eq!(number(&document(&run)["ingest"], "records"), 1);
}

proptest! {
    #![proptest_config(Config { cases: 60, ..Config::default() })]

    #[test]
    fn flipped_bits_of_a_gzip_are_never_silent(flips in prop::collection::vec((0.0..1.0f64, 0u8..8), 1..4)) {
        let case = small();
        let lines: Vec<String> = (0..400).map(|port| record_with(5, &(40_000 + port).to_string())).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut bytes = cloud::gzip(log(&lines));
        let clean = bytes.clone();
        for (place, bit) in flips {
            // Behind the header, whose fields may change and mean nothing.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
            let at = 10 + ((bytes.len() - 10) as f64 * place) as usize;
            bytes[at] ^= 1 << bit;
        }
        prop_assume!(bytes != clean);
        case.file("logs/a.log.gz", &bytes);
        let run = analyze(&case, &["logs"]);
        prop_assert_eq!(run.status, Some(3), "{}", run.stderr);
        prop_assert!(run.stderr.contains("a.log.gz"), "{}", run.stderr);
    }

    #[test]
    fn any_bytes_are_counted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let case = small();
        case.file("logs/a.log", &bytes);
        let run = analyze(&case, &["logs"]);
        if run.status != Some(2) {
            let ingest = &document(&run)["ingest"];
            let kinds = ["records", "no_data", "skip_data", "malformed"];
            let counted: u64 = kinds.iter().map(|kind| number(ingest, kind)).sum();
            prop_assert!(counted <= bytes.len() as u64);
        }
    }

    #[test]
    fn damaged_snapshots_are_read_or_refused(at in 0usize..400, byte in any::<u8>(), cut in any::<bool>()) {
        let case = small();
        let mut text = GROUPS.as_bytes().to_vec();
        let at = at % text.len();
        if cut {
            text.truncate(at);
        } else {
            text[at] = byte;
        }
        case.file("snap/groups.json", text);
        case.file("logs/a.log", log(&[RECORD]));
        let run = analyze(&case, &["logs"]);
        if run.status == Some(2) {
            prop_assert!(run.stderr.contains("groups.json") || run.stderr.contains("SecurityGroups"), "{}", run.stderr);
        }
    }
}

#[test]
fn garbage_is_counted_and_over_the_limit() {
    let case = small();
    let noise = |n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()[2];
    let garbage: Vec<u8> = (0..20_000).map(noise).collect();
    case.file("logs/garbage.bin", garbage);
    case.file("logs/good.log", log(&[RECORD]));
    let run = analyze(&case, &["logs"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    let ingest = &document(&run)["ingest"];
    assert_eq!(number(ingest, "records"), 1);
    assert!(
        number(ingest, "malformed") > 10 || !list(ingest, "unreadable").is_empty(),
        "{ingest}"
    );
    assert!(ingest.to_string().contains("garbage.bin"), "{ingest}");
}

#[test]
fn an_over_long_line_is_one_bad_line() {
    let long = "x".repeat(3_000_000);
    let start = HEADER.len() + RECORD.len() + 2;
    let reason = one_bad_line(&[RECORD, &long, RECORD], (3, start as u64));
    assert!(reason.contains("long"), "{reason}");
}

#[test]
fn an_over_long_line_without_end_takes_no_memory() {
    // A hundred megabytes of one letter are some hundred kilobytes packed.
    let case = small();
    let letters = vec![b'x'; 100_000_000];
    case.file(
        "logs/a.gz",
        [cloud::gzip(log(&[RECORD])), cloud::gzip(letters)].concat(),
    );
    let begun = Instant::now();
    let ingest = document(&analyze(&case, &["logs"]))["ingest"].clone();
    assert_eq!(
        (number(&ingest, "records"), number(&ingest, "malformed")),
        (1, 1)
    );
    assert!(begun.elapsed().as_secs() < 60);
}

#[test]
fn a_number_of_20_digits_is_a_bad_line_with_its_place() {
    let start = HEADER.len() + RECORD.len() + 2;
    for (column, name) in [
        (5, "srcport"),
        (7, "protocol"),
        (8, "packets"),
        (9, "bytes"),
        (10, "start"),
        (11, "end"),
    ] {
        let line = record_with(column, "99999999999999999999");
        let reason = one_bad_line(&[RECORD, &line], (3, start as u64));
        assert!(reason.contains(name), "{reason}");
    }
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    let case = small();
    let most = u64::MAX.to_string();
    let far = i64::MAX.to_string();
    let lines = [
        record_with(8, &most),
        record_with(9, &most),
        record_with(10, &far),
        record_with(11, &far),
        record_with(10, "0"),
        record_with(10, "99999999999"),
        record_with(11, "253402300800"),
    ];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    case.file("logs/a.log", log(&[&lines[..], &lines[..]].concat()));
    let begun = Instant::now();
    let run = analyze(&case, &["logs"]);
    assert!(
        begun.elapsed().as_secs() < 20,
        "an endless span took {:?}",
        begun.elapsed()
    );
    let ingest = &document(&run)["ingest"];
    assert_eq!(
        number(ingest, "records") + number(ingest, "malformed"),
        14,
        "{ingest}"
    );
    for format in [
        &["--format", "text"][..],
        &["--since", "1d"],
        &["--until", "1d"],
    ] {
        sane(case.run(&[&["analyze", "logs", "--snapshot", "snap"], format].concat()));
    }
}

#[test]
fn nul_bytes_make_a_bad_line() {
    one_bad_line(
        &[RECORD, &record_with(3, "10.0\0.1.9")],
        (3, (HEADER.len() + RECORD.len() + 2) as u64),
    );
    one_bad_line(&["\0\0\0\0", RECORD], (2, HEADER.len() as u64 + 1));
}

#[test]
fn utf_16_is_counted_as_bad_lines() {
    let case = small();
    let text = log(&[RECORD; 3]);
    let wide: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    case.file("logs/wide.log", wide);
    let run = analyze(&case, &["logs"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    let ingest = &document(&run)["ingest"];
    assert_eq!(number(ingest, "records"), 0);
    assert!(ingest.to_string().contains("wide.log"), "{ingest}");
}

#[test]
fn parquet_is_told() {
    let case = small();
    case.file(
        "logs/a.parquet",
        b"PAR1\x15\x04\x15\x10 \n\x00\xff more \nPAR1",
    );
    case.file("logs/b.log", log(&[RECORD]));
    let run = analyze(&case, &["logs"]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    let text = document(&run)["ingest"].to_string();
    assert!(
        text.contains("a.parquet") && text.contains("Parquet"),
        "{text}"
    );
}

#[test]
fn an_empty_file_is_nothing() {
    let case = small();
    case.file("logs/empty.log", "");
    case.file("logs/empty.gz", cloud::gzip(""));
    case.file("logs/a.log", log(&[RECORD]));
    let run = analyze(&case, &["logs"]);
    assert_eq!(number(&document(&run)["ingest"], "objects"), 3);
    assert!(list(&document(&run)["ingest"], "unreadable").is_empty());
    assert_eq!(number(&document(&run)["ingest"], "records"), 1);
}

#[test]
fn only_empty_logs_claim_nothing() {
    let case = small();
    for text in [String::new(), "\n\n".to_owned(), log(&[])] {
        case.file("logs/a.log", text);
        let run = analyze(&case, &["logs"]);
        let document = document(&run);
        assert!(document["window"].is_null());
        for (_, rule) in cloud::rules(&document) {
            assert_eq!(rule["status"], "unobservable", "{rule}");
        }
        assert_eq!(run.status, Some(3), "{}", run.stderr);
    }
}

#[test]
fn standard_input_that_is_empty_claims_nothing() {
    let case = small();
    let run = analyze(&case, &["-"]);
    assert_eq!(number(&document(&run)["ingest"], "records"), 0);
}

#[test]
fn a_folder_without_logs_is_refused_by_name() {
    let case = small();
    fs::create_dir(case.path("nothing")).unwrap();
    refused(&analyze(&case, &["nothing"]), &["nothing"]);
}

#[test]
fn missing_paths_are_refused_by_name() {
    let case = small();
    refused(&analyze(&case, &["gone.log"]), &["gone.log"]);
    refused(&analyze(&case, &["gone/*.log"]), &["gone/*.log"]);
    case.file("a.log", log(&[RECORD]));
    refused(
        &analyze(&case, &["a.log", "--snapshot", "elsewhere"]),
        &["elsewhere"],
    );
    refused(
        &analyze(&case, &["a.log", "--snapshot", "a\u{1b}[31mb"]),
        &["`a"],
    );
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let case = small();
    let folder = case.path("logs");
    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join(OsStr::from_bytes(b"odd\xff\n.log")),
        log(&[RECORD, "bad line"]),
    )
    .unwrap();
    let run = analyze(&case, &["logs"]);
    assert_eq!(number(&document(&run)["ingest"], "records"), 1);
    sane(case.run(&["analyze", "logs", "--snapshot", "snap"]));
}

#[cfg(unix)]
#[test]
fn folders_that_go_in_circles_end() {
    let case = small();
    case.file("logs/a.log", log(&[RECORD]));
    std::os::unix::fs::symlink(case.path("logs"), case.path("logs/again")).unwrap();
    std::os::unix::fs::symlink("nowhere", case.path("logs/dangling.log")).unwrap();
    let run = analyze(&case, &["logs"]);
    if run.status != Some(2) {
        assert_eq!(number(&document(&run)["ingest"], "records"), 1);
    }
}

#[test]
fn broken_json_is_refused_by_file_line_and_column() {
    let case = small();
    case.file("logs/a.log", log(&[RECORD]));
    case.file(
        "snap/groups.json",
        "{\"SecurityGroups\": [\n  {\"GroupId\": }\n]}",
    );
    refused(&analyze(&case, &["logs"]), &["groups.json`:2:15"]);
    case.file("snap/groups.json", GROUPS.strip_suffix("}]}").unwrap());
    refused(&analyze(&case, &["logs"]), &["groups.json`:4:"]);
}

#[test]
fn a_snapshot_without_interfaces_names_the_call() {
    let case = Case::new();
    case.file("snap/groups.json", GROUPS);
    case.file("logs/a.log", log(&[RECORD]));
    refused(&analyze(&case, &["logs"]), &["describe-network-interfaces"]);
    let case = Case::new();
    case.file("snap/interfaces.json", INTERFACES);
    case.file("logs/a.log", log(&[RECORD]));
    refused(&analyze(&case, &["logs"]), &["describe-security-groups"]);
}

#[test]
fn snapshots_of_the_wrong_shape_are_refused_by_file() {
    let shapes = [
        "",
        "null",
        "[]",
        "42",
        "\"text\"",
        "{\"SecurityGroups\": 5}",
        "{\"SecurityGroups\": [5]}",
        "{\"SecurityGroups\": [{}]}",
        "{\"SecurityGroups\": {\"GroupId\": \"sg-1\"}}",
        "{\"SecurityGroups\": [{\"GroupId\": 7}]}",
        "{\"SecurityGroups\": [{\"GroupId\": \"sg-1\", \"IpPermissions\": [{\"IpProtocol\": \"tcp\", \"FromPort\": 99999, \"ToPort\": 443, \"IpRanges\": [{\"CidrIp\": \"10.0.0.0/8\"}]}]}]}",
        "{\"SecurityGroups\": [{\"GroupId\": \"sg-1\", \"IpPermissions\": [{\"IpProtocol\": \"tcp\", \"FromPort\": 443, \"ToPort\": 80, \"IpRanges\": [{\"CidrIp\": \"10.0.0.0/8\"}]}]}]}",
        "{\"SecurityGroups\": [{\"GroupId\": \"sg-1\", \"IpPermissions\": [{\"IpProtocol\": \"tcp\", \"FromPort\": 443, \"ToPort\": 443, \"IpRanges\": [{\"CidrIp\": \"10.0.0.0/88\"}]}]}]}",
        "{\"SecurityGroups\": [{\"GroupId\": \"sg-1\", \"IpPermissions\": [{\"IpProtocol\": \"999\", \"IpRanges\": [{\"CidrIp\": \"10.0.0.0/8\"}]}]}]}",
    ];
    for shape in shapes {
        let case = small();
        case.file("logs/a.log", log(&[RECORD]));
        case.file("snap/groups.json", shape);
        refused(&analyze(&case, &["logs"]), &[]);
        let run = analyze(&case, &["logs"]);
        let named =
            run.stderr.contains("groups.json") || run.stderr.contains("describe-security-groups");
        assert!(named, "{shape}: {}", run.stderr);
    }
}

#[test]
fn deeply_nested_json_does_not_exhaust_the_stack() {
    let case = small();
    case.file("logs/a.log", log(&[RECORD]));
    let deep = 200_000;
    case.file(
        "snap/more.json",
        format!(
            "{{\"SecurityGroups\": {}{}}}",
            "[".repeat(deep),
            "]".repeat(deep)
        ),
    );
    refused(&analyze(&case, &["logs"]), &["more.json"]);
    case.file(
        "snap/more.json",
        format!("{{\"Other\": {}{}}}", "[".repeat(deep), "]".repeat(deep)),
    );
    analyze(&case, &["logs"]);
}

#[test]
fn empty_lists_of_a_snapshot_are_an_empty_cloud() {
    let case = Case::new();
    case.file("snap/groups.json", "{\"SecurityGroups\": []}");
    case.file("snap/interfaces.json", "{\"NetworkInterfaces\": null}");
    case.file("logs/a.log", log(&[RECORD]));
    let document = document(&analyze(&case, &["logs"]));
    assert_eq!(list(&document, "security_groups").len(), 0);
    assert_eq!(list(&document["coverage"], "unknown_interfaces").len(), 1);
}

#[test]
fn a_group_that_the_snapshot_lacks_is_said() {
    let case = small();
    case.file(
        "snap/interfaces.json",
        INTERFACES.replace("sg-0aa", "sg-0bb"),
    );
    case.file("logs/a.log", log(&[RECORD]));
    let document = document(&analyze(&case, &["logs"]));
    let caveats = document["caveats"].to_string();
    assert!(caveats.contains("sg-0bb"), "{caveats}");
    assert_ne!(
        document["security_groups"][0]["rules"][0]["status"],
        "unused"
    );
}

#[test]
fn a_limit_of_bad_lines_is_a_number_or_a_share() {
    let case = small();
    let mut lines = vec![RECORD; 97];
    lines.extend(["bad", "worse", "worst"]);
    case.file("logs/a.log", log(&lines));
    let status = |limit: &str| analyze(&case, &["logs", "--max-bad-lines", limit]).status;
    for enough in ["3", "4", "3%", "3.0%", "100%"] {
        assert_ne!(status(enough), Some(3), "{enough}");
    }
    for scant in ["0", "2", "0%", "2.9%"] {
        assert_eq!(status(scant), Some(3), "{scant}");
    }
    assert_eq!(analyze(&case, &["logs"]).status, Some(3));
    let run = analyze(&case, &["logs", "--max-bad-lines", "2"]);
    assert!(
        run.stderr.contains('3') && run.stderr.contains("a.log"),
        "{}",
        run.stderr
    );
    for wrong in ["-1", "x", "1e3%", "%", "NaN%", "inf%", "101%"] {
        assert_eq!(status(wrong), Some(2), "{wrong}");
    }
}

#[test]
fn wrong_fields_are_refused_and_other_fields_make_bad_lines() {
    let case = small();
    case.file("logs/a.log", RECORD);
    refused(&analyze(&case, &["logs", "--fields", ""]), &["--fields"]);
    refused(
        &analyze(&case, &["logs", "--fields", "colour shape"]),
        &["--fields", "colour"],
    );
    refused(
        &analyze(&case, &["logs", "--fields", "srcaddr srcaddr"]),
        &["--fields", "srcaddr"],
    );
    let turned = HEADER.split(' ').rev().collect::<Vec<_>>().join(" ");
    let run = analyze(&case, &["logs", "--fields", &turned]);
    assert_eq!(run.status, Some(3), "{}", run.stderr);
    assert_eq!(number(&document(&run)["ingest"], "malformed"), 1);
    let dollars = HEADER
        .split(' ')
        .map(|name| format!("${{{name}}}"))
        .collect::<Vec<_>>()
        .join(" ");
    let run = analyze(&case, &["logs", "--fields", &dollars]);
    assert_eq!(number(&document(&run)["ingest"], "records"), 1);
}

#[test]
fn an_out_folder_that_cannot_be_is_refused_by_name() {
    let case = small();
    case.file("logs/a.log", log(&[RECORD]));
    case.file("taken", "a file");
    refused(&analyze(&case, &["logs", "--out", "taken"]), &["taken"]);
    refused(
        &analyze(&case, &["logs", "--out", "taken/below"]),
        &["taken"],
    );
    refused(
        &analyze(&case, &["logs", "--out", "/proc/nothing"]),
        &["/proc/nothing"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let case = small();
    case.file("logs/a.log", log(&[RECORD]));
    for format in ["json", "text"] {
        let args = ["analyze", "logs", "--snapshot", "snap", "--format", format];
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = case
            .command(&args)
            .stdin(Stdio::null())
            .stdout(full)
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(
            stderr.contains("standard output") && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let cloud = Cloud::make(&["--records", "3000", "--seed", "2"]);
    let args = [
        "analyze",
        "made/logs",
        "--snapshot",
        "made/snapshot",
        "--format",
        "json",
    ];
    let mut child = cloud
        .case
        .command(&args)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_ne!(output.status.code(), Some(101));
}

#[test]
fn hostile_words_of_a_snapshot_do_not_reach_the_terminal() {
    let case = small();
    let hostile = "\\u001b[2J\\u0007\\u202edrow\\u0000\\r\\nsecond line \\ud83d\\ude00";
    case.file(
        "snap/groups.json",
        GROUPS.replace("\"web\"", &format!("\"{hostile}\"")),
    );
    case.file(
        "snap/interfaces.json",
        INTERFACES.replace(
            "\"interface\"",
            &format!("\"interface\", \"Description\": \"{hostile}\""),
        ),
    );
    case.file("logs/a.log", log(&[RECORD]));
    let run = sane(case.run(&["analyze", "logs", "--snapshot", "snap", "--full"]));
    let text = run.text();
    let bad = |letter: &char| (letter.is_control() && *letter != '\n') || *letter == '\u{202e}';
    assert_eq!(text.chars().find(bad), None, "{text:?}");
    let json = analyze(&case, &["logs"]);
    assert!(!json.text().contains(['\u{1b}', '\u{0}']));
    document(&json);
}

#[test]
fn hostile_words_of_a_log_do_not_reach_the_terminal() {
    let case = small();
    case.file(
        "logs/a\u{1b}[31m.log",
        log(&[
            "\u{1b}[2J \u{7} bad",
            &record_with(2, "\u{1b}[31m"),
            &record_with(12, "\u{1b}[2J"),
        ]),
    );
    let run = sane(case.run(&["analyze", "logs", "--snapshot", "snap", "--full"]));
    let text = run.text();
    assert_eq!(
        text.chars()
            .find(|letter| letter.is_control() && *letter != '\n'),
        None,
        "{text:?}"
    );
}
