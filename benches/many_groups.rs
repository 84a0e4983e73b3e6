//! Ten thousand groups, from logs to proven proposals.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use divan::Bencher;
use flowcinch::cloud::Access;
use flowcinch::pipeline::analyze::analyze;
use flowcinch::pipeline::request::Assign;
use flowcinch::pipeline::request::MinConfidence;
use flowcinch::pipeline::request::Obligations;
use flowcinch::pipeline::request::Request;
use flowcinch::report::document::Analysis;
use flowcinch::tighten::Limits;
use flowcinch::tighten::plan::Decision;
use tempfile::TempDir;

use crate::inflate::Silent;

const GROUPS: u32 = 10_000;

/// Clients of each group, on five ports each.
const CLIENTS: u32 = 12;

const PORTS: [u16; 5] = [443, 8_000, 8_001, 8_080, 9_100];

fn address(network: u8, number: u32) -> String {
    format!("10.{network}.{}.{}", number / 250, number % 250 + 1)
}

/// Each group on an interface of its own, open to the private range.
fn write_snapshot(folder: &Path) {
    let (mut groups, mut enis) = (String::new(), String::new());
    for number in 0..GROUPS {
        let comma = if number == 0 { "" } else { "," };
        write!(
            groups,
            r#"{comma}{{"GroupId":"sg-{number:08x}","GroupName":"g","VpcId":"vpc-1","OwnerId":"1","IpPermissions":[{{"IpProtocol":"tcp","FromPort":0,"ToPort":65535,"IpRanges":[{{"CidrIp":"10.0.0.0/8"}}]}}],"IpPermissionsEgress":[]}}"#
        )
        .expect("text");
        let own = address(1, number);
        write!(
            enis,
            r#"{comma}{{"NetworkInterfaceId":"eni-{number:08x}","InterfaceType":"interface","VpcId":"vpc-1","SubnetId":"subnet-1","Status":"in-use","PrivateIpAddress":"{own}","PrivateIpAddresses":[{{"Primary":true,"PrivateIpAddress":"{own}"}}],"Groups":[{{"GroupId":"sg-{number:08x}"}}]}}"#
        )
        .expect("text");
    }
    let groups = format!(r#"{{"SecurityGroups":[{groups}]}}"#);
    let enis = format!(r#"{{"NetworkInterfaces":[{enis}]}}"#);
    fs::write(folder.join("groups.json"), groups).expect("a file");
    fs::write(folder.join("interfaces.json"), enis).expect("a file");
}

/// A request and its answer for each client and port, an hour apart.
fn write_logs(folder: &Path) {
    let mut text = String::new();
    for number in 0..GROUPS {
        let own = address(1, number);
        for client in 0..CLIENTS {
            let port = PORTS.iter().cycle().nth((client + number % 5) as usize);
            let port = port.expect("a port");
            let peer = address(2, (number * 7 + client * client * 3) % 60_000);
            let time = 1_700_000_000 + client * 3_600;
            let (end, high) = (time + 50, 40_000 + client);
            writeln!(
                text,
                "2 1 eni-{number:08x} {peer} {own} {high} {port} 6 5 500 {time} {end} ACCEPT OK"
            )
            .expect("text");
            writeln!(
                text,
                "2 1 eni-{number:08x} {own} {peer} {port} {high} 6 5 500 {time} {end} ACCEPT OK"
            )
            .expect("text");
        }
    }
    fs::write(folder.join("all.log"), text).expect("a file");
}

fn request(folder: &TempDir) -> Request {
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("snapshot")).expect("a folder");
    fs::create_dir(path("logs")).expect("a folder");
    write_snapshot(&path("snapshot"));
    write_logs(&path("logs"));
    Request {
        logs: vec![path("logs").display().to_string()],
        snapshots: vec![path("snapshot")],
        access: Access::default(),
        digests: Vec::new(),
        fields: None,
        since: None,
        until: None,
        threads: None,
        memory: None,
        // Fewer than the clients: every group has to be fitted.
        rule_quota: 6,
        limits: Limits::default(),
        min_confidence: MinConfidence::default(),
        obligations: Obligations::default(),
        assign: Assign::default(),
    }
}

fn assert_answer(analysis: &Analysis) {
    let proposals = analysis.proposals.iter();
    let tightened = proposals.filter(|one| one.decision == Decision::Tighten);
    let mut gaps = Vec::new();
    for one in tightened {
        assert!(one.quota_after <= 6, "{one:?}");
        gaps.push(one.optimality_gap.expect("a gap"));
    }
    assert_eq!(gaps.len(), GROUPS as usize);
    gaps.sort_by(f64::total_cmp);
    let median = gaps.get(gaps.len() / 2).expect("a gap");
    assert!(*median < 0.05, "{median}");
    let proof = &analysis.verification;
    assert_eq!((proof.broken, proof.widened), (0, 0));
    assert_eq!(proof.witnesses, proof.connections);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn ten_thousand_groups(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().expect("a folder");
    let request = request(&folder);
    let run = || analyze(&request, &Silent).expect("an analysis");
    assert_answer(&run());
    bencher.bench(run);
}
