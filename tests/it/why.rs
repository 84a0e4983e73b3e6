//! `why` from the describe answers of a folder to its two outputs.

#![cfg(test)]

use std::fs;

use flowcinch::attribute::question::Question;
use flowcinch::attribute::why::Answer;
use flowcinch::attribute::why::Passage;
use flowcinch::attribute::why::explain;
use flowcinch::describe;
use flowcinch::report::why;

const GROUPS: &str = r#"{"SecurityGroups": [
  {"GroupId": "sg-0a", "GroupName": "web", "VpcId": "vpc-1", "IpPermissions": [],
   "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]},
  {"GroupId": "sg-0b", "GroupName": "db", "VpcId": "vpc-1",
   "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
     "UserIdGroupPairs": [{"GroupId": "sg-0a"}]}],
   "IpPermissionsEgress": []}]}"#;

const INTERFACES: &str = r#"{"NetworkInterfaces": [
  {"NetworkInterfaceId": "eni-0a", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": "10.7.1.10",
   "Groups": [{"GroupId": "sg-0a"}], "Status": "in-use", "InterfaceType": "interface"},
  {"NetworkInterfaceId": "eni-0b", "VpcId": "vpc-1", "SubnetId": "subnet-2", "PrivateIpAddress": "10.7.2.20",
   "Groups": [{"GroupId": "sg-0b"}], "Status": "in-use", "InterfaceType": "interface"}]}"#;

const ACLS: &str = r#"{"NetworkAcls": [{"NetworkAclId": "acl-0a", "VpcId": "vpc-1",
  "Associations": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}],
  "Entries": [
    {"Egress": true, "RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"},
    {"Egress": false, "RuleNumber": 100, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}]}]}"#;

fn ask(files: &[&str], source: &str, destination: &str, service: &str) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    for (index, text) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("{index}.json")), text).unwrap();
    }
    let loaded = describe::load(folder.path()).unwrap();
    let question = Question::parse(source, destination, service).unwrap();
    explain(&question, &loaded.snapshot)
}

#[test]
fn a_blocked_flow_as_people_read_it() {
    let answer = ask(&[GROUPS, INTERFACES, ACLS], "10.7.1.10", "eni-0b", "tcp/22");
    let expected = "\
blocked: tcp/22 from 10.7.1.10 (eni-0a) to 10.7.2.20 (eni-0b)
  pass  request  eni-0a  egress   security group  by sg-0a/egress/all/all/0.0.0.0/0
  pass  request  eni-0a  egress   network ACL     by acl-0a/egress/100
  pass  request  eni-0b  ingress  network ACL     by acl-0a/ingress/100
  stop  request  eni-0b  ingress  security group  no rule of sg-0b passes tcp/22 from 10.7.1.10
  pass  reply    eni-0b  egress   network ACL     by acl-0a/egress/100
  pass  reply    eni-0a  ingress  network ACL     by acl-0a/ingress/100
nearest: sg-0b/ingress/tcp/5432-5432/sg-0a allows tcp/5432 from sg-0a; this is tcp/22
note: groups and network ACLs are judged, not routes, gateways, firewalls or hosts
note: replies are taken to go to client ports 32768-60999, those of Linux; other systems use others
";
    assert_eq!(why::text(&answer), expected);
}

#[test]
fn an_allowed_flow_as_programs_read_it() {
    let answer = ask(
        &[GROUPS, INTERFACES, ACLS],
        "eni-0a",
        "10.7.2.20",
        "tcp/5432",
    );
    let value: serde_json::Value = serde_json::from_str(&why::json(&answer).unwrap()).unwrap();
    assert_eq!(value["schema"], "flowcinch.why.v1");
    assert_eq!(value["allowed"], true);
    let stages = value["stages"].as_array().unwrap();
    assert_eq!(stages.len(), 6);
    assert_eq!(stages[3]["rules"][0], "sg-0b/ingress/tcp/5432-5432/sg-0a");
    let replies: Vec<bool> = stages
        .iter()
        .map(|stage| stage["reply"].as_bool().unwrap())
        .collect();
    assert_eq!(replies, [false, false, false, false, true, true]);
}

#[test]
fn a_snapshot_without_acls_cannot_allow() {
    let answer = ask(&[GROUPS, INTERFACES], "eni-0a", "eni-0b", "tcp/5432");
    assert_eq!(answer.passage, Passage::Undecided);
    assert_eq!(answer.exit_code(), 2);
}
