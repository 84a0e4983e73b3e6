//! Evidence that does not fit: peers and ports by prefix and range. It never
//! speaks for removing what exact evidence keeps, and threads, order and digests
//! do not show.

use std::fmt::Write as _;
use std::fs;

use flowcinch::tighten::proof::certificate;
use flowcinch::tighten::proof::certificate::Certificate;
use flowcinch::tighten::proof::certificate::Certified;
use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::case::Case;
use crate::cloud;
use crate::cloud::Cloud;

/// A bound that leaves the fewest cells.
const TIGHT: [&str; 2] = ["--memory", "40M"];

fn crowded(version: &str, seed: &str) -> Cloud {
    let flags = [
        "--records",
        "60000",
        "--format-version",
        version,
        "--seed",
        seed,
    ];
    Cloud::make(&flags)
}

fn coarse(cloud: &Cloud, more: &[&str]) -> Value {
    cloud::json(&cloud.analyze(&[&["made/logs"], &TIGHT[..], more].concat()))
}

/// Status by rule.
fn statuses(analysis: &Value) -> Vec<(&str, &str)> {
    let groups = analysis["security_groups"].as_array().unwrap();
    let rules = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap());
    let words = rules.map(|rule| (rule["rule_id"].as_str(), rule["status"].as_str()));
    words
        .map(|(rule_id, status)| (rule_id.unwrap(), status.unwrap()))
        .collect()
}

fn rejected(analysis: &Value) -> u64 {
    let all = analysis["rejects"].as_array().unwrap().iter();
    all.map(|one| one["records"].as_u64().unwrap()).sum()
}

#[test]
fn coarse_evidence_never_speaks_for_removal() {
    for (version, seed) in [("2", "1"), ("5", "2")] {
        let cloud = crowded(version, seed);
        let exact = cloud::json(&cloud.analyze(&["made/logs"]));
        // Little memory is enough for little.
        let roomy = cloud.analyze(&["made/logs", "--memory", "64M"]);
        assert_eq!(cloud::json(&roomy), exact);
        let coarse = coarse(&cloud, &[]);
        assert!(exact["ingest"]["coarsened"].is_null());
        let coarsened = coarse["ingest"]["coarsened"].as_array().unwrap();
        assert!(!coarsened.is_empty(), "nothing became coarse");
        let caveats = coarse["caveats"].as_array().unwrap();
        assert!(caveats.iter().any(|caveat| caveat["code"] == "FL314"));
        for ((rule, before), (same, now)) in statuses(&exact).into_iter().zip(statuses(&coarse)) {
            assert_eq!(rule, same);
            let removal = now == "unused" && before != "unused";
            assert!(!removal, "{rule} was {before} and is {now}");
        }
        assert_eq!(coarse["ingest"]["accepted"], exact["ingest"]["accepted"]);
        assert_eq!(rejected(&coarse), rejected(&exact));
        let proof = &coarse["verification"];
        assert_eq!(
            (&proof["broken"], &proof["widened"]),
            (&json!(0), &json!(0))
        );
        // What it proposes is held against all that was seen.
        fs::write(cloud.case.path("coarse.json"), coarse.to_string()).unwrap();
        let mut args = vec!["verify", "coarse.json", "made/logs", "--format", "json"];
        for snapshot in &cloud.snapshots {
            args.extend(["--snapshot", snapshot]);
        }
        let run = cloud.case.run(&args);
        assert!(matches!(run.status, Some(0 | 3)), "{}", run.stderr);
        let held = cloud::json(&run.stdout);
        assert!(held["connections"].as_u64() > Some(0), "{held}");
        assert_eq!((&held["broken"], &held["opened"]), (&json!([]), &json!([])));
    }
}

#[test]
fn threads_and_digests_do_not_show_in_coarse_evidence() {
    let cloud = crowded("5", "4");
    let alone = coarse(&cloud, &["--threads", "1"]);
    assert!(!alone["ingest"]["coarsened"].as_array().unwrap().is_empty());
    for threads in ["2", "5"] {
        assert_eq!(coarse(&cloud, &["--threads", threads]), alone);
    }
    let run = cloud
        .case
        .run(&["ingest", "made/logs", "--digest", "digest", "--quiet"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let recalled = cloud.analyze(&[&["--digest", "digest"], &TIGHT[..]].concat());
    assert_eq!(cloud::json(&recalled), alone);
}

/// The logs of a server.
struct Log(String);

impl Log {
    fn new() -> Log {
        let header = "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                      start end action log-status tcp-flags\n";
        Log(header.to_owned())
    }

    /// A connection to an address of the server.
    fn flow(&mut self, peer: &str, own: &str, port: u16, day: u32) {
        let start = 1_790_000_000 + day * 86_400;
        let end = start + 60;
        let both = [
            (format!("{peer} {own} 50000 {port}"), 2),
            (format!("{own} {peer} {port} 50000"), 18),
        ];
        for (ends, flags) in both {
            writeln!(
                self.0,
                "5 eni-1 {ends} 6 4 400 {start} {end} ACCEPT OK {flags}"
            )
            .unwrap();
        }
    }

    /// So many strangers, each with a connection.
    fn strangers(&mut self, count: u32, own: &str, port: u16) {
        for number in 0..count {
            let [_, _, high, low] = number.to_be_bytes();
            let peer = format!("203.{}.{high}.{low}", number % 7);
            self.flow(&peer, own, port, number % 40);
        }
    }

    /// Forty days in which nothing else came.
    fn quiet(&mut self) {
        for hour in 0..960_u32 {
            let start = 1_790_000_000 + hour * 3_600;
            let end = start + 600;
            writeln!(self.0, "5 eni-1 - - - - - - - {start} {end} - NODATA -").unwrap();
        }
    }
}

/// A public server with these logs.
fn server(Log(lines): Log) -> Case {
    let case = Case::new();
    let rule = |port: u16, net: &str| {
        json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
               "IpRanges": [{"CidrIp": net}]})
    };
    let ingress = [
        rule(443, "0.0.0.0/0"),
        rule(8080, "0.0.0.0/0"),
        rule(22, "198.51.100.0/24"),
        rule(5432, "10.0.0.0/16"),
    ];
    let snapshot = json!({
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1",
            "Description": "", "IpPermissions": ingress, "IpPermissionsEgress": []}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1",
            "SubnetId": "subnet-1", "Status": "in-use", "InterfaceType": "interface",
            "PrivateIpAddress": "10.0.0.10",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.10"}],
            "Groups": [{"GroupId": "sg-1", "GroupName": "web"}]}],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
    });
    fs::write(case.path("snapshot.json"), snapshot.to_string()).unwrap();
    fs::write(case.path("log.txt"), lines).unwrap();
    case
}

/// One that 7,000 addresses ask, and one partner.
fn public_server() -> Case {
    let mut log = Log::new();
    log.strangers(7_000, "10.0.0.10", 443);
    log.flow("198.51.100.9", "10.0.0.10", 22, 3);
    log.quiet();
    server(log)
}

const SERVER: [&str; 3] = ["log.txt", "--snapshot", "snapshot.json"];

fn coarse_of(case: &Case, more: &[&str]) -> Value {
    let args = [&["analyze", "--format", "json"], &SERVER[..], &TIGHT, more].concat();
    let run = case.run(&args);
    assert!(matches!(run.status, Some(0 | 1)), "{}", run.stderr);
    let analysis = cloud::json(&run.stdout);
    assert_eq!(analysis["ingest"]["coarsened"][0]["accepted"], true);
    analysis
}

/// Status of the server's rule of a port, and whether a proposal leaves it as it
/// is.
fn rule_of(analysis: &Value, port: u16) -> (&str, bool) {
    let rules = analysis["security_groups"][0]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["from_port"] == port).unwrap();
    let proposals = analysis["proposals"].as_array().unwrap();
    let is_kept = |one: &Value| {
        let kept = one["keep"].as_array().unwrap();
        one["direction"] == "ingress" && kept.contains(&rule["rule_id"])
    };
    (
        rule["status"].as_str().unwrap(),
        proposals.iter().any(is_kept),
    )
}

#[test]
fn a_rule_that_many_used_is_kept_and_what_nobody_used_still_goes() {
    let analysis = coarse_of(&public_server(), &[]);
    let status = |port: u16| rule_of(&analysis, port).0;
    assert_eq!([status(443), status(22)], ["used", "used"]);
    assert_eq!(status(8080), "unused");
    let proposals = analysis["proposals"].as_array().unwrap();
    let ingress = proposals
        .iter()
        .find(|one| one["direction"] == "ingress")
        .unwrap();
    let reasons = ingress["reasons"].to_string();
    assert!(
        reasons.contains("more peers than memory told apart"),
        "{reasons}"
    );
    let kept = ingress["keep"].to_string();
    assert!(
        kept.contains("443/0.0.0.0/0") || kept.contains("443-443/0.0.0.0/0"),
        "{kept}"
    );
    assert_eq!(analysis["verification"]["broken"], 0);
}

#[test]
fn a_certificate_is_held_against_evidence_that_is_as_coarse() {
    let case = public_server();
    let given = ["log.txt", "--snapshot", "snapshot.json"];
    let made = [&["analyze"], &given[..], &TIGHT, &["--out", "report", "-q"]].concat();
    let run = case.run(&made);
    assert!(matches!(run.status, Some(0 | 1 | 3)), "{}", run.stderr);
    let verify = |more: &[&str]| {
        let all = [&["verify", "report/certificate.json"], &given[..], more].concat();
        case.run(&all)
    };
    let run = verify(&["--memory", "41943040"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    for other in [&[][..], &["--memory", "8G"]] {
        let run = verify(other);
        assert_eq!(run.status, Some(1), "{}", run.stderr);
        let told = [run.stdout, run.stderr.into_bytes()].concat();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(
            told.contains("`--memory 41943040`: give the same"),
            "{told}"
        );
    }
}

/// Many ask for an address of the server that no snapshot gives: by which rules
/// they passed, nobody can say.
#[test]
fn what_many_passed_by_no_known_way_is_neither_unused_nor_narrowed() {
    let mut log = Log::new();
    log.strangers(7_000, "10.0.0.10", 443);
    log.flow("10.0.5.5", "10.0.0.10", 5432, 3);
    log.flow("10.0.7.7", "192.0.2.7", 5432, 4);
    log.strangers(2_000, "192.0.2.7", 8080);
    log.quiet();
    let analysis = coarse_of(&server(log), &[]);
    let unresolved = &analysis["coverage"]["unresolved"];
    assert!(unresolved["unknown_direction"].as_u64() > Some(0));
    assert_eq!(rule_of(&analysis, 8080), ("unobservable", true));
    assert_eq!(rule_of(&analysis, 5432), ("used", true));
}

/// Who writes a certificate can seal it: among which addresses somebody was, the
/// logs tell.
#[test]
fn a_certificate_among_other_addresses_is_refused_by_the_logs() {
    let case = public_server();
    coarse_of(&case, &["--out", "report"]);
    let text = fs::read(case.path("report/certificate.json")).unwrap();
    let (certificate, _) = certificate::check(&text).unwrap();
    let net = |first: IpNet, length: u8| IpNet::new(first.addr(), length).unwrap();
    let forged = |change: &dyn Fn(IpNet) -> Option<IpNet>| {
        let mut proposals = certificate.proposals.clone();
        let mut all = proposals.iter_mut().flat_map(|one| &mut one.obligations);
        // Whoever asked for 443, today's rule lets all of them in.
        let change = all.find_map(|owed| {
            let asked = owed.among.filter(|_| owed.from_port == 443);
            let other = change(asked?)?;
            owed.among = Some(other);
            Some(())
        });
        change.expect("somebody among several");
        proposals.iter_mut().for_each(Certified::rehash);
        let forged = Certificate::sealed(
            certificate.inputs.clone(),
            proposals,
            certificate.uncertified.clone(),
            certificate.assumptions.clone(),
        );
        forged.to_bytes().unwrap()
    };
    let verify = || {
        let args = ["verify", "report/certificate.json"];
        let run = case.run(&[&args[..], &SERVER, &TIGHT].concat());
        (run.status, run.text())
    };
    let (status, text) = verify();
    assert_eq!(status, Some(0), "{text}");
    let narrower = |own: IpNet| Some(net(own, own.prefix_len() + 1));
    let wider = |own: IpNet| {
        let wider = net(own, own.prefix_len() - 1);
        (wider.trunc() == wider).then_some(wider)
    };
    let changes: [&dyn Fn(IpNet) -> Option<IpNet>; 2] = [&narrower, &wider];
    for change in changes {
        let bytes = forged(change);
        certificate::check(&bytes).expect("it fits together");
        case.file("report/certificate.json", bytes);
        let (status, text) = verify();
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("are not what the logs show"), "{text}");
    }
    let one = |own: IpNet| Some(net(own, 32));
    let why = certificate::check(&forged(&one)).unwrap_err().to_string();
    assert!(why.contains("not the first"), "{why}");
}
