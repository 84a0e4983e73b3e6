//! Rules of the past tried on what came after: counted by hand.

use std::fmt::Write;

use serde_json::Value;
use serde_json::json;

use crate::case::Case;

const DAY: i64 = 86_400;
/// A midnight.
const START: i64 = 1_790_812_800;

/// A server that everybody may reach at tcp/443, seen by one client more on
/// each day: `client(day)`.
fn analysis(days: i64, client: impl Fn(i64) -> Vec<String>) -> Value {
    analysis_with(&[], days, client)
}

/// The same, with more flags.
fn analysis_with(flags: &[&str], days: i64, client: impl Fn(i64) -> Vec<String>) -> Value {
    let spoken = |day| {
        client(day)
            .into_iter()
            .map(|client| (client, 443))
            .collect()
    };
    analysis_of(flags, &[443], days, spoken)
}

/// Rules that let everybody in to these ports.
fn open(ports: &[u16]) -> Value {
    let rule = |port: &u16| {
        json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
            "IpRanges": [{"CidrIp": "10.0.0.0/8"}]})
    };
    ports.iter().map(rule).collect()
}

/// The same, with the ports that are open, and the one that each client speaks
/// to.
fn analysis_of(
    flags: &[&str],
    ports: &[u16],
    days: i64,
    client: impl Fn(i64) -> Vec<(String, u16)>,
) -> Value {
    let case = Case::new();
    let groups = json!({"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "server", "VpcId": "vpc-1",
        "IpPermissions": open(ports),
        "IpPermissionsEgress": []}]});
    case.file("today/groups.json", groups.to_string());
    let interfaces = json!({"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1",
        "SubnetId": "subnet-1", "InterfaceType": "interface", "Groups": [{"GroupId": "sg-1"}],
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.1", "Primary": true}]}]});
    case.file("today/interfaces.json", interfaces.to_string());
    let mut log =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets \
         bytes start end action log-status tcp-flags\n"
            .to_owned();
    for day in 0..days {
        for hour in 0..24 {
            let start = START + day * DAY + hour * 3_600;
            for (client, port) in client(day) {
                let end = start + 60;
                writeln!(
                    log,
                    "5 1 eni-1 {client} 10.0.0.1 50000 {port} 6 9 900 {start} {end} ACCEPT OK 2"
                )
                .unwrap();
                writeln!(
                    log,
                    "5 1 eni-1 10.0.0.1 {client} {port} 50000 6 9 900 {start} {end} ACCEPT OK 18"
                )
                .unwrap();
            }
        }
    }
    case.file("logs/all.log", log);
    let asked = ["analyze", "logs", "--snapshot", "today", "--format", "json"];
    let run = case.run(&[&asked[..], flags].concat());
    assert!(matches!(run.status, Some(0 | 1)), "{}", run.stderr);
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    let proposals = document["proposals"].as_array().unwrap();
    let tightens = |one: &&Value| one["decision"] == "tighten";
    proposals.iter().find(tightens).unwrap().clone()
}

#[test]
fn clients_that_never_change_break_nothing() {
    let proposal = analysis(12, |_| vec!["10.1.2.3".to_owned()]);
    let found = &proposal["backtest"];
    assert_eq!(
        (&found["known"], &found["new"], &found["broken"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(found["expected_new_peers_per_day"], json!(0.0));
    assert_eq!(found["advice"], Value::Null);
    assert_eq!(found["trained_until"], "2026-10-08T23:20:40Z");
}

#[test]
fn a_client_more_each_day_is_counted_and_its_prefix_named() {
    // The first is there always; each other on its own day, wide apart in one /24.
    let proposal = analysis(12, |day| {
        vec!["10.1.2.3".to_owned(), format!("10.1.2.{}", 20 * (day + 1))]
    });
    let found = &proposal["backtest"];
    // Days 0 to 7 are known, days 8 to 11 are not.
    assert_eq!(
        (&found["known"], &found["new"]),
        (&json!(9), &json!(4)),
        "{found}"
    );
    assert_eq!(
        (
            &found["broken"],
            &found["broken_peers"],
            &found["broken_services"]
        ),
        (&json!(4), &json!(4), &json!(1))
    );
    // 24 records of each, of the half that opened it.
    assert_eq!(found["broken_records"], json!(96));
    assert_eq!(found["expected_new_peers_per_day"], json!(1.0));
    let learning = found["learning"].as_array().unwrap();
    assert_eq!(learning.len(), 12);
    assert_eq!(
        (&learning[0]["known"], &learning[11]["known"]),
        (&json!(2), &json!(13))
    );
    assert_eq!(
        found["advice"],
        json!({"family": "ipv4", "prefix_length": 24, "carried": 4, "of": 4})
    );
    assert_eq!(proposal["applicability"], "report_only");
    let reasons = proposal["reasons"].to_string();
    assert!(
        reasons.contains("would have broken 4 kinds of connections first seen since, of 4,")
            && reasons.contains("/24"),
        "{reasons}"
    );
}

#[test]
fn the_past_is_made_with_the_rules_that_the_interface_has_room_for() {
    // One rule has to hold them all: the prefix that held the first ones
    // would have held the later ones too.
    let client = |day| vec!["10.1.2.3".to_owned(), format!("10.1.2.{}", 20 * (day + 1))];
    let proposal = analysis_with(&["--interface-quota", "1"], 12, client);
    assert_eq!(proposal["rules"].as_array().unwrap().len(), 1, "{proposal}");
    let found = &proposal["backtest"];
    assert_eq!(
        (&found["new"], &found["broken"]),
        (&json!(4), &json!(0)),
        "{found}"
    );
}

/// Rules for break-glass access that nobody used are held, so the past's
/// proposal had held this one, and its first use would have broken nothing.
#[test]
fn the_past_holds_what_its_silence_would_have_held() {
    let client = |day| {
        let mut clients = vec![("10.1.2.3".to_owned(), 443)];
        if day > 9 {
            clients.push(("10.1.2.99".to_owned(), 443));
            clients.push(("10.1.2.77".to_owned(), 22));
        }
        clients
    };
    let proposal = analysis_of(&[], &[443, 22], 12, client);
    let found = &proposal["backtest"];
    assert_eq!(
        (&found["new"], &found["broken"], &found["broken_services"]),
        (&json!(2), &json!(1), &json!(1)),
        "{found}"
    );
}

#[test]
fn a_short_window_is_not_parted() {
    let proposal = analysis(2, |_| vec!["10.1.2.3".to_owned()]);
    assert_eq!(proposal["backtest"], Value::Null);
}
