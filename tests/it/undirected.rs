//! Records let through at a known interface, of which no address is known for
//! its own: any rule that fits either end may have let them through.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use serde_json::json;

use crate::case::Case;
use crate::cloud;

/// A server with three rules in, of which one was used at the address that the
/// snapshot gives.
fn server(more: &[(&str, &str, u16)]) -> Value {
    cloud::json(&run(&case(more), &["analyze"]))
}

fn run(case: &Case, command: &[&str]) -> Vec<u8> {
    let logs = ["log.txt", "--snapshot", "snapshot.json", "--format", "json"];
    case.run(&[command, &logs[..]].concat()).stdout
}

fn case(more: &[(&str, &str, u16)]) -> Case {
    let case = Case::new();
    let rule = |port: u16, net: &str| {
        json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port,
               "IpRanges": [{"CidrIp": net}]})
    };
    let snapshot = json!({
        "SecurityGroups": [{"GroupId": "sg-1", "GroupName": "web", "VpcId": "vpc-1",
            "Description": "", "IpPermissionsEgress": [],
            "IpPermissions": [rule(443, "10.0.0.0/8"), rule(5432, "198.51.100.0/24"),
                              rule(8080, "203.0.113.0/24")]}],
        "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "VpcId": "vpc-1",
            "SubnetId": "subnet-1", "Status": "in-use", "InterfaceType": "interface",
            "PrivateIpAddress": "10.0.0.10",
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.10"},
                                   {"PrivateIpAddress": "10.0.0.11"}],
            "Groups": [{"GroupId": "sg-1", "GroupName": "web"}]}],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
    });
    fs::write(case.path("snapshot.json"), snapshot.to_string()).unwrap();
    let mut lines =
        "version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end \
         action log-status\n"
            .to_owned();
    for day in 0..40 {
        let start = 1_790_000_000 + day * 86_400;
        let known = [("10.0.3.3", "10.0.0.10", 443)];
        for (client, own, port) in known.iter().chain(more) {
            for ends in [
                format!("{client} {own} 50000 {port}"),
                format!("{own} {client} {port} 50000"),
            ] {
                let end = start + 60;
                writeln!(lines, "2 eni-1 {ends} 6 4 400 {start} {end} ACCEPT OK").unwrap();
            }
        }
        for hour in 0..24 {
            let (start, end) = (start + hour * 3_600, start + hour * 3_600 + 600);
            writeln!(lines, "2 eni-1 - - - - - - - {start} {end} - NODATA").unwrap();
        }
    }
    fs::write(case.path("log.txt"), lines).unwrap();
    case
}

fn status(analysis: &Value, port: u16) -> &str {
    let rules = analysis["security_groups"][0]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["from_port"] == port).unwrap();
    rule["status"].as_str().unwrap()
}

fn ingress(analysis: &Value) -> &Value {
    let proposals = analysis["proposals"].as_array().unwrap();
    let own = proposals.iter().find(|one| one["direction"] == "ingress");
    own.unwrap()
}

#[test]
fn what_may_have_used_a_rule_at_an_address_nobody_knows_keeps_it() {
    // Two such addresses, so that neither is in all of the records.
    let stray = [
        ("198.51.100.9", "10.0.0.77", 5432),
        ("198.51.100.8", "10.0.0.78", 5432),
    ];
    let analysis = server(&stray);
    assert_eq!(analysis["coverage"]["unresolved"]["unknown_direction"], 160);
    assert_eq!(status(&analysis, 5432), "unobservable");
    // One end or the other lies in 10.0.0.0/8: who asks may be there.
    assert_eq!(status(&analysis, 443), "used");
    assert_eq!(status(&analysis, 8080), "unused");
    let proposal = ingress(&analysis);
    let kept = proposal["keep"].to_string();
    assert!(
        kept.contains("5432") && kept.contains("/443-443/"),
        "{proposal}"
    );
    let removed = proposal["remove"].to_string();
    assert!(removed.contains("8080"), "{proposal}");
}

#[test]
fn that_it_goes_is_told_as_undecided() {
    let case = case(&[
        ("198.51.100.9", "10.0.0.77", 5432),
        ("198.51.100.8", "10.0.0.78", 5432),
    ]);
    let text = fs::read_to_string(case.path("snapshot.json")).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    let rules = &mut other["SecurityGroups"][0]["IpPermissions"];
    rules.as_array_mut().unwrap().remove(1);
    fs::write(case.path("other.json"), other.to_string()).unwrap();
    let told = cloud::json(&run(&case, &["verify", "other.json"]));
    assert_eq!(told["broken"], json!([]));
    let undecided = told["undecided"].to_string();
    assert!(
        undecided.contains("5432") && undecided.contains("160 records"),
        "{told}"
    );
}

#[test]
fn without_such_records_the_rules_are_told_apart() {
    let analysis = server(&[]);
    assert_eq!(status(&analysis, 5432), "unused");
    assert_eq!(status(&analysis, 443), "used");
    let kept = ingress(&analysis)["keep"].to_string();
    assert!(!kept.contains("/443-443/"), "{kept}");
}

/// An address that moved here since was somebody else's then.
#[test]
fn between_two_addresses_that_are_its_own_today_a_rule_may_have_been_asked() {
    let analysis = server(&[("10.0.0.10", "10.0.0.11", 443)]);
    assert_eq!(analysis["coverage"]["unresolved"]["unknown_direction"], 80);
    let kept = ingress(&analysis)["keep"].to_string();
    assert!(kept.contains("/443-443/"), "{kept}");
}

#[test]
fn what_an_address_sent_to_itself_asked_no_rule() {
    let analysis = server(&[("10.0.0.10", "10.0.0.10", 5432)]);
    assert_eq!(status(&analysis, 5432), "unused");
}
