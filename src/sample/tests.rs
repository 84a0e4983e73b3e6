//! The sample held against itself: what is on disk against the truth.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::sample::SampleConfig;
use crate::sample::SampleError;
use crate::sample::Summary;
use crate::sample::Truth;
use crate::sample::line::field_names;
use crate::sample::write;

struct Made {
    folder: tempfile::TempDir,
    summary: Summary,
}

fn make(change: impl FnOnce(&mut SampleConfig)) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SampleConfig {
        out: folder.path().to_owned(),
        records: 20_000,
        days: 0.25,
        ..SampleConfig::default()
    };
    change(&mut config);
    let summary = write(&config).unwrap();
    Made { folder, summary }
}

impl Made {
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let walk = walkdir::WalkDir::new(self.folder.path());
        let files = walk.into_iter().map(Result::unwrap);
        files
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(self.folder.path()).unwrap();
                (
                    name.to_str().unwrap().to_owned(),
                    fs::read(entry.path()).unwrap(),
                )
            })
            .collect()
    }

    fn truth(&self) -> Value {
        read_json(&self.folder.path().join("truth.json"))
    }

    /// Every line but the headers, split, by field name.
    fn lines(&self, version: u8) -> Vec<BTreeMap<&'static str, String>> {
        let names: Vec<&str> = field_names(version).collect();
        let mut lines = Vec::new();
        for (name, bytes) in self.files() {
            if !name.starts_with("logs/") {
                continue;
            }
            let mut text = String::new();
            GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
            let mut own = text.lines();
            assert_eq!(own.next().unwrap(), names.join(" "));
            for line in own {
                let words: Vec<&str> = line.split(' ').collect();
                assert_eq!(words.len(), names.len(), "{line}");
                let fields = field_names(version).zip(words.into_iter().map(str::to_owned));
                lines.push(fields.collect());
            }
        }
        lines
    }
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn count(lines: &[BTreeMap<&str, String>], field: &str, value: &str) -> u64 {
    let found = lines.iter().filter(|line| line[field] == value);
    u64::try_from(found.count()).unwrap()
}

#[test]
fn equal_configurations_give_equal_bytes() {
    let same = |config: &mut SampleConfig| {
        config.records = 5_000;
        config.churn = true;
        config.ipv6 = true;
    };
    let (one, two) = (make(same), make(same));
    assert_eq!(one.files(), two.files());
    let other = make(|config| {
        same(config);
        config.seed = 2;
    });
    assert_ne!(one.files(), other.files());
}

#[test]
fn the_truth_counts_the_lines_that_were_written() {
    for version in [2, 3, 4, 5, 7, 8, 9, 10, 11] {
        let made = make(|config| {
            config.format_version = version;
            config.records = 4_000;
            config.skip_share = 0.01;
            config.churn = true;
        });
        let (lines, truth) = (made.lines(version), made.truth());
        let told = &truth["lines"];
        assert_eq!(told["records"], 4_000, "version {version}");
        assert_eq!(told["accepted"], count(&lines, "action", "ACCEPT"));
        assert_eq!(told["rejected"], count(&lines, "action", "REJECT"));
        assert_eq!(told["no_data"], count(&lines, "log-status", "NODATA"));
        assert_eq!(told["skip_data"], count(&lines, "log-status", "SKIPDATA"));
        assert!(told["no_data"].as_u64() > Some(0) && told["skip_data"].as_u64() > Some(0));
        assert_eq!(made.summary.records, 4_000);
        let by_connection: u64 = truth["connections"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|own| own["records"].as_object().unwrap().values())
            .map(|own| own["requests"].as_u64().unwrap() + own["replies"].as_u64().unwrap())
            .sum();
        assert_eq!(by_connection, 4_000);
        let rejects = truth["rejects"].as_array().unwrap().iter();
        let rejects: u64 = rejects.map(|own| own["records"].as_u64().unwrap()).sum();
        assert_eq!(told["rejected"], rejects);
    }
}

#[test]
fn whoever_let_a_connection_pass_has_a_rule_for_it() {
    let truth = make(|config| config.churn = true).truth();
    let mut passages = 0;
    for connection in truth["connections"].as_array().unwrap() {
        for passage in connection["passed_by"].as_array().unwrap() {
            let rules = passage["rules"].as_array().unwrap();
            assert!(!rules.is_empty(), "{connection}");
            passages += 1;
        }
    }
    assert!(passages > 1_000);
}

#[test]
fn only_flags_that_the_service_reports_are_written() {
    let made = make(|config| config.format_version = 5);
    let mut seen = BTreeMap::new();
    for line in made.lines(5) {
        let tcp = line["protocol"] == "6";
        if line["log-status"] != "OK" {
            assert_eq!(line["tcp-flags"], "-");
            continue;
        }
        let flags: u8 = line["tcp-flags"].parse().unwrap();
        assert!(tcp || flags == 0, "{line:?}");
        // ACK is reported beside SYN only.
        assert!(flags & 16 == 0 || flags & 2 != 0, "{line:?}");
        assert_eq!(flags & !(1 | 2 | 4 | 16), 0, "{line:?}");
        *seen.entry(flags).or_insert(0u64) += 1;
    }
    for wanted in [0, 1, 2, 3, 4, 6, 18, 19] {
        assert!(
            seen.contains_key(&wanted),
            "no record with flags {wanted}: {seen:?}"
        );
    }
}

#[test]
fn every_status_of_a_rule_and_every_outcome_occurs() {
    let made = make(|config| config.records = 50_000);
    let truth = made.truth();
    let words = |list: &str, key: &str| -> BTreeSet<String> {
        let all = truth[list].as_array().unwrap().iter();
        all.map(|own| own[key].as_str().unwrap().to_owned())
            .collect()
    };
    let all = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(
        words("rules", "status"),
        all("used redundant unused unobservable no_effect")
    );
    assert_eq!(
        words("rejects", "cause"),
        all("security_group network_acl both late")
    );
    let outcomes = "accepted refused unanswered reply_rejected rejected_by_group rejected_by_acl rejected_by_both";
    assert_eq!(words("connections", "outcome"), all(outcomes));
}

#[test]
fn skipped_windows_have_no_other_line() {
    let made = make(|config| config.skip_share = 0.05);
    let lines = made.lines(5);
    let skipped = lines.iter().filter(|line| line["log-status"] == "SKIPDATA");
    let skipped: BTreeSet<(String, String)> = skipped
        .map(|line| (line["interface-id"].clone(), line["start"].clone()))
        .collect();
    assert!(skipped.len() > 100);
    for line in lines.iter().filter(|line| line["log-status"] == "OK") {
        let end: u64 = line["end"].parse().unwrap();
        let inside = (0..60).any(|back| {
            skipped.contains(&(line["interface-id"].clone(), (end - back).to_string()))
        });
        assert!(!inside, "{line:?}");
    }
}

#[test]
fn records_lie_in_the_object_of_their_end_time_and_in_one_window() {
    let made = make(|config| config.records = 8_000);
    for line in made.lines(5) {
        let time = |name: &str| line[name].parse::<u64>().unwrap();
        assert!(
            time("start") <= time("end") && time("end") - time("start") < 60,
            "{line:?}"
        );
    }
    for (name, bytes) in made.files() {
        let Some((_, stamp)) = name.split_once("_20260301T") else {
            continue;
        };
        let part = |from: usize| stamp.get(from..from + 2).unwrap().parse::<u64>().unwrap();
        let minute = part(0) * 60 + part(2);
        let from = 1_772_323_200 + minute * 60;
        let mut text = String::new();
        GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        for line in text.lines().skip(1) {
            let end: u64 = line.split(' ').nth(11).unwrap().parse().unwrap();
            assert!((from..from + 300).contains(&end), "{name}: {line}");
        }
    }
}

#[test]
fn a_gateway_shows_itself_and_the_packet_fields_tell_more() {
    let made = make(|config| config.ipv6 = true);
    let interfaces = read_json(&made.folder.path().join("snapshot/network-interfaces.json"));
    let interfaces = interfaces["NetworkInterfaces"].as_array().unwrap();
    let nat = interfaces
        .iter()
        .find(|own| own["InterfaceType"] == "nat_gateway")
        .unwrap();
    assert!(nat["Groups"].as_array().unwrap().is_empty());
    let lines = made.lines(5);
    let rows = lines
        .iter()
        .filter(|line| nat["NetworkInterfaceId"] == line["interface-id"].as_str());
    let rows: Vec<_> = rows.filter(|line| line["log-status"] == "OK").collect();
    assert!(rows.len() > 50);
    for row in rows {
        let own = nat["PrivateIpAddress"].as_str().unwrap();
        let near = match row["flow-direction"].as_str() {
            "ingress" => &row["dstaddr"],
            _ => &row["srcaddr"],
        };
        assert_eq!(near, own);
        assert!(
            row["pkt-srcaddr"] != row["srcaddr"]
                || row["pkt-dstaddr"] != row["dstaddr"]
                || row["pkt-srcaddr"] == own
                || row["pkt-dstaddr"] == own
        );
    }
    assert!(count(&lines, "type", "IPv6") > 0);
}

#[test]
fn pods_show_their_node_on_the_near_side_and_themselves_on_the_far_side() {
    let made = make(|_| {});
    let interfaces = read_json(&made.folder.path().join("snapshot/network-interfaces.json"));
    let nodes = interfaces["NetworkInterfaces"].as_array().unwrap().iter();
    let pods: BTreeMap<String, String> = nodes
        .flat_map(|own| {
            let node = own["NetworkInterfaceId"].as_str().unwrap().to_owned();
            let addresses = own["PrivateIpAddresses"].as_array().unwrap().iter().skip(1);
            addresses.map(move |pod| {
                (
                    pod["PrivateIpAddress"].as_str().unwrap().to_owned(),
                    node.clone(),
                )
            })
        })
        .collect();
    let mut far = 0;
    for line in made.lines(5) {
        if line["log-status"] != "OK" {
            continue;
        }
        let (near, other, packet) = match line["flow-direction"].as_str() {
            "egress" => ("srcaddr", "dstaddr", "pkt-srcaddr"),
            _ => ("dstaddr", "srcaddr", "pkt-dstaddr"),
        };
        assert!(!pods.contains_key(&line[near]), "{line:?}");
        far += u64::from(pods.contains_key(&line[other]));
        if let Some(node) = pods.get(&line[packet]) {
            assert_eq!(node, &line["interface-id"]);
        }
    }
    assert!(far > 10);
}

#[test]
fn rules_that_change_midway_give_two_dated_folders() {
    let made = make(|config| config.rule_changes = true);
    let rules = |folder: &str| {
        let path = made.folder.path().join("snapshot").join(folder);
        assert!(path.join("captured-at.txt").is_file());
        let rules = read_json(&path.join("security-group-rules.json"));
        let rules = rules["SecurityGroupRules"].as_array().unwrap().iter();
        rules
            .map(|rule| rule["SecurityGroupRuleId"].as_str().unwrap().to_owned())
            .collect::<BTreeSet<String>>()
    };
    let (before, after) = (rules("2026-03-01T00:00:00Z"), rules("2026-03-01T03:00:00Z"));
    assert_eq!(before.difference(&after).count(), 1);
    assert_eq!(after.difference(&before).count(), 1);
}

#[test]
fn dark_hours_have_no_object() {
    let made = make(|config| config.dark_hours = 1);
    let dark = made.truth()["dark_hours"][0].as_str().unwrap().to_owned();
    let hour = format!("_20260301T{}", dark.get(11..13).unwrap());
    let files = made.files();
    assert!(files.keys().all(|name| !name.contains(&hour)), "{dark}");
    assert!(
        made.truth()["connections"]
            .as_array()
            .unwrap()
            .iter()
            .any(|own| own["lost"] == true)
    );
}

#[test]
fn very_small_and_unzipped_samples_are_exact_too() {
    for records in [0, 1, 7, 100] {
        let made = make(|config| {
            config.records = records;
            config.plain = true;
            config.truth = Truth::Summary;
        });
        assert_eq!(made.summary.records, records);
        assert!(made.truth()["connections"].as_array().unwrap().is_empty());
    }
}

#[test]
fn what_cannot_be_made_is_refused() {
    let refused = |change: fn(&mut SampleConfig)| {
        let mut config = SampleConfig::default();
        change(&mut config);
        write(&config).unwrap_err().to_string()
    };
    assert!(matches!(
        write(&SampleConfig {
            format_version: 6,
            ..SampleConfig::default()
        }),
        Err(SampleError::TransitGatewayVersion)
    ));
    assert!(refused(|config| config.format_version = 12).contains("`12`"));
    assert!(refused(|config| config.scan_share = 1.5).contains("scan share `1.5`"));
    assert!(refused(|config| config.days = 0.0).contains("`0` days"));
    assert!(refused(|config| config.interfaces = Some(3)).contains("`3` interfaces"));
}

#[test]
fn a_folder_with_a_sample_takes_no_second_one() {
    let made = make(|config| config.records = 100);
    let again = SampleConfig {
        out: made.folder.path().to_owned(),
        ..SampleConfig::default()
    };
    assert!(matches!(write(&again), Err(SampleError::NotEmpty(_))));
}

#[test]
fn scans_are_the_asked_share_of_the_records() {
    let scanners = |share: f64| {
        let made = make(|config| config.scan_share = share);
        let lines = made.lines(5);
        let scanned = lines.iter().filter(|line| {
            line["srcaddr"].starts_with("198.19.") || line["dstaddr"].starts_with("198.19.")
        });
        scanned.count()
    };
    for (share, wanted) in [(0.0, 0), (0.2, 4_000), (0.75, 15_000)] {
        let found = scanners(share);
        assert!(
            found.abs_diff(wanted) < 300,
            "{found} of 20000 where {wanted} were asked"
        );
    }
}

#[test]
fn a_balancer_forwards_only_what_it_let_in() {
    let truth = make(|config| config.scan_share = 0.6).truth();
    let connections = truth["connections"].as_array().unwrap();
    let onward = connections.iter().filter(|own| own["service_port"] == 8443);
    let mut forwarded = 0;
    for own in onward.filter(|own| own["passed_by"].as_array().unwrap().len() == 2) {
        let before = connections.iter().find(|other| {
            other["responder"]["interface_id"] == own["initiator"]["interface_id"]
                && other["initiator"]["address"] == own["initiator"]["address"]
                && other["client_port"] == own["client_port"]
        });
        // It got in, whether it was answered or not.
        let outcome = before.unwrap()["outcome"].as_str().unwrap();
        assert!(!outcome.contains("rejected"), "{own}");
        assert_eq!(before.unwrap()["service_port"], 443);
        forwarded += 1;
    }
    assert!(forwarded > 10);
}
