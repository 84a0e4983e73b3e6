//! `verify` as a merge gate: what other rules would break and open, told with
//! the rule and the packet, and an exit code that a script can rely on.

#![expect(
    clippy::needless_pass_by_value,
    reason = "documents are put together from what `json!` makes"
)]

use serde_json::Value;
use serde_json::json;

use crate::case::Case;
use crate::case::Run;

mod ranked;
mod undecided;

const CLIENT: &str = "10.0.1.10";
const SERVER: &str = "10.0.1.20";
const GROUP: &str = "sg-0aaaaaaaaaaaaaaa1";
const OTHER: &str = "sg-0aaaaaaaaaaaaaaa2";

fn groups(server: Value) -> Value {
    let all = json!({"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]});
    json!({"SecurityGroups": [
        {"GroupId": GROUP, "GroupName": "server", "VpcId": "vpc-1",
            "IpPermissions": server, "IpPermissionsEgress": [all]},
        {"GroupId": OTHER, "GroupName": "client", "VpcId": "vpc-1",
            "IpPermissions": [], "IpPermissionsEgress": [all]},
    ]})
}

fn tcp(from: u16, to: u16, cidr: &str) -> Value {
    json!({"IpProtocol": "tcp", "FromPort": from, "ToPort": to, "IpRanges": [{"CidrIp": cidr}]})
}

/// Two interfaces, one connection to tcp/443 of the server, and rules for
/// 443 and 22 from the whole VPC.
fn world() -> Case {
    let case = Case::new();
    let today = groups(json!([
        tcp(443, 443, "10.0.0.0/16"),
        tcp(22, 22, "10.0.0.0/16")
    ]));
    case.file("today/groups.json", today.to_string());
    let row = |id: &str, direction: &str, protocol: &str, from: i64, to: i64, cidr: &str| {
        json!({"SecurityGroupRuleId": id, "GroupId": if id.ends_with('9') { OTHER } else { GROUP },
            "IsEgress": direction == "egress", "IpProtocol": protocol, "FromPort": from,
            "ToPort": to, "CidrIpv4": cidr})
    };
    let rules = json!({"SecurityGroupRules": [
        row("sgr-0000000000000443", "ingress", "tcp", 443, 443, "10.0.0.0/16"),
        row("sgr-0000000000000022", "ingress", "tcp", 22, 22, "10.0.0.0/16"),
        row("sgr-0000000000000001", "egress", "-1", -1, -1, "0.0.0.0/0"),
        row("sgr-0000000000000009", "egress", "-1", -1, -1, "0.0.0.0/0"),
    ]});
    case.file("today/rules.json", rules.to_string());
    let eni = |id: &str, address: &str, group: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
            "Groups": [{"GroupId": group}], "InterfaceType": "interface"})
    };
    let enis = json!({"NetworkInterfaces": [
        eni("eni-1", SERVER, GROUP), eni("eni-2", CLIENT, OTHER)]});
    case.file("today/interfaces.json", enis.to_string());
    let line = |eni: &str, from: (&str, u16), to: (&str, u16), flags: u8| {
        format!(
            "5 123456789012 {eni} {} {} {} {} 6 10 840 1790812800 1790812860 ACCEPT OK {flags}\n",
            from.0, to.0, from.1, to.1
        )
    };
    let mut log =
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets \
         bytes start end action log-status tcp-flags\n"
            .to_owned();
    for eni in ["eni-1", "eni-2"] {
        log += &line(eni, (CLIENT, 50_000), (SERVER, 443), 2);
        log += &line(eni, (SERVER, 443), (CLIENT, 50_000), 18);
    }
    case.file("logs/day.log", log);
    case
}

fn verify(case: &Case, rules: &str, flags: &[&str]) -> Run {
    let plain = ["verify", rules, "logs", "--snapshot", "today"];
    case.run(&[&plain, flags].concat())
}

fn found(case: &Case, rules: &str, status: i32) -> Value {
    let run = verify(case, rules, &["--format", "json"]);
    assert_eq!(run.status, Some(status), "{} {}", run.text(), run.stderr);
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(document["schema"], "flowcinch.verify.v1");
    document
}

fn broken_rules(document: &Value) -> Vec<&str> {
    let broken = document["broken"].as_array().unwrap().iter();
    broken.map(|one| one["rule_id"].as_str().unwrap()).collect()
}

/// A plan with these resource changes.
fn plan(case: &Case, changes: &Value) {
    let plan = json!({"format_version": "1.2", "terraform_version": "1.11.4",
        "resource_changes": changes});
    case.file("plan.json", plan.to_string());
}

fn change(kind: &str, actions: &[&str], before: Value, after: Value, unknown: Value) -> Value {
    json!({"address": format!("{kind}.r"), "mode": "managed", "type": kind, "name": "r",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {"actions": actions, "before": before, "after": after, "after_unknown": unknown}})
}

fn ingress_rule(port: u16, cidr: &str) -> Value {
    json!({"security_group_id": GROUP, "ip_protocol": "tcp", "from_port": port, "to_port": port,
        "cidr_ipv4": cidr, "cidr_ipv6": null, "prefix_list_id": null,
        "referenced_security_group_id": null, "description": null})
}

const RULE: &str = "aws_vpc_security_group_ingress_rule";

#[test]
fn the_same_rules_break_and_open_nothing() {
    let case = world();
    let document = found(&case, "today", 0);
    assert_eq!(document["kind"], "snapshot");
    assert_eq!(document["connections"], 2);
    let text = verify(&case, "today", &[]);
    assert!(text.text().starts_with("nothing that was seen would break"));
}

#[test]
fn a_snapshot_without_a_needed_rule_breaks_its_flows() {
    let case = world();
    case.file(
        "other.json",
        groups(json!([tcp(22, 22, "10.0.0.0/16")])).to_string(),
    );
    let document = found(&case, "other.json", 1);
    assert_eq!(broken_rules(&document), ["sgr-0000000000000443"]);
    assert_eq!(document["broken"][0]["peer"], CLIENT);
    assert_eq!(document["broken"][0]["interface_id"], "eni-1");
    let text = verify(&case, "other.json", &[]).text();
    assert!(
        text.starts_with("1 flow would break, 0 rules would newly open something\n"),
        "{text}"
    );
    assert!(
        text.contains("ingress tcp/443 from 10.0.1.10 at eni-1: passes by sgr-0000000000000443")
    );
    assert_eq!(
        verify(&case, "other.json", &["--exit-zero"]).status,
        Some(0)
    );
}

#[test]
fn a_plan_that_removes_an_unneeded_rule_passes_and_a_needed_one_does_not() {
    let case = world();
    plan(
        &case,
        &json!([change(
            RULE,
            &["delete"],
            ingress_rule(22, "10.0.0.0/16"),
            Value::Null,
            json!({})
        )]),
    );
    let document = found(&case, "plan.json", 0);
    assert_eq!(document["kind"], "terraform_plan");
    plan(
        &case,
        &json!([change(
            RULE,
            &["delete"],
            ingress_rule(443, "10.0.0.0/16"),
            Value::Null,
            json!({})
        )]),
    );
    assert_eq!(
        broken_rules(&found(&case, "plan.json", 1)),
        ["sgr-0000000000000443"]
    );
}

#[test]
fn a_plan_that_widens_names_the_packet() {
    let case = world();
    let before = ingress_rule(22, "10.0.0.0/16");
    plan(
        &case,
        &json!([change(
            RULE,
            &["update"],
            before,
            ingress_rule(22, "10.0.0.0/8"),
            json!({})
        )]),
    );
    let document = found(&case, "plan.json", 1);
    assert_eq!(document["broken"], json!([]));
    let opened = &document["opened"][0];
    assert_eq!(
        opened["packet"],
        json!({"protocol": "tcp", "port": "22", "peer": "10.1.0.0"})
    );
    assert_eq!(opened["rule_id"], format!("{RULE}.r: tcp/22 10.0.0.0/8"));
}

#[test]
fn a_narrowed_rule_breaks_only_whom_it_no_longer_holds() {
    let case = world();
    let before = || ingress_rule(443, "10.0.0.0/16");
    let narrowed = |cidr: &str| {
        let change = change(
            RULE,
            &["update"],
            before(),
            ingress_rule(443, cidr),
            json!({}),
        );
        plan(&case, &json!([change]));
    };
    narrowed("10.0.1.10/32");
    found(&case, "plan.json", 0);
    narrowed("10.0.1.11/32");
    found(&case, "plan.json", 1);
}

#[test]
fn inline_rules_in_other_spellings_are_the_same_rules() {
    let case = world();
    let block = |protocol: &str, from: i64, to: i64, cidrs: Value, own: bool, description: &str| {
        json!({"protocol": protocol, "from_port": from, "to_port": to, "cidr_blocks": cidrs,
            "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "self": own,
            "description": description})
    };
    let values = |ingress: Value| {
        json!({"id": GROUP, "name": "server", "vpc_id": "vpc-1",
        "ingress": ingress, "egress": [block("-1", 0, 0, json!(["0.0.0.0/0"]), false, "")]})
    };
    let before = || {
        values(json!([
            block("tcp", 443, 443, json!(["10.0.0.0/16"]), false, "a"),
            block("tcp", 22, 22, json!(["10.0.0.0/16"]), false, ""),
        ]))
    };
    let with = |ingress: Value| {
        plan(
            &case,
            &json!([change(
                "aws_security_group",
                &["update"],
                before(),
                values(ingress),
                json!({})
            )]),
        );
    };
    // Numbers for names, other case, only a description changed, one split.
    with(json!([
        block(
            "6",
            443,
            443,
            json!(["10.0.0.0/17", "10.0.128.0/17"]),
            false,
            "b"
        ),
        block("TCP", 22, 22, json!(["10.0.0.0/16"]), false, "changed"),
    ]));
    let document = found(&case, "plan.json", 0);
    assert_eq!(document["notes"], json!([]));
    // `self` opens the group to itself.
    with(json!([
        block("tcp", 443, 443, json!(["10.0.0.0/16"]), false, "a"),
        block("-1", 0, 0, json!([]), true, ""),
    ]));
    let document = found(&case, "plan.json", 1);
    assert_eq!(document["opened"][0]["peer"], json!({"group": GROUP}));
    assert_eq!(document["broken"], json!([]));
}

#[test]
fn what_is_known_after_apply_is_undecided_and_exits_3() {
    let case = world();
    let mut after = ingress_rule(8080, "10.0.0.0/16");
    after.as_object_mut().unwrap().remove("cidr_ipv4");
    plan(
        &case,
        &json!([change(
            RULE,
            &["create"],
            Value::Null,
            after,
            json!({"cidr_ipv4": true, "id": true})
        )]),
    );
    let document = found(&case, "plan.json", 3);
    assert_eq!(document["undecided"][0]["from"], format!("{RULE}.r"));
    let what = document["undecided"][0]["what"].as_str().unwrap();
    assert!(
        what.contains("tcp/8080") && what.contains("cidr_ipv4"),
        "{what}"
    );
}

#[test]
fn an_unknown_rule_is_never_counted_on() {
    let case = world();
    let mut after = ingress_rule(443, "10.0.0.0/16");
    after.as_object_mut().unwrap().remove("cidr_ipv4");
    plan(
        &case,
        &json!([change(
            RULE,
            &["update"],
            ingress_rule(443, "10.0.0.0/16"),
            after,
            json!({"cidr_ipv4": true})
        )]),
    );
    assert_eq!(
        broken_rules(&found(&case, "plan.json", 1)),
        ["sgr-0000000000000443"]
    );
}

#[test]
fn a_replaced_or_deleted_group_breaks_what_it_let_through() {
    let case = world();
    let values =
        || json!({"id": GROUP, "name": "server", "vpc_id": "vpc-1", "ingress": [], "egress": []});
    plan(
        &case,
        &json!([change(
            "aws_security_group",
            &["delete"],
            values(),
            Value::Null,
            json!({})
        )]),
    );
    assert_eq!(
        broken_rules(&found(&case, "plan.json", 1)),
        ["sgr-0000000000000443"]
    );
    let after = json!({"name": "server2", "vpc_id": "vpc-1", "ingress": [], "egress": []});
    plan(
        &case,
        &json!([change(
            "aws_security_group",
            &["delete", "create"],
            values(),
            after,
            json!({"id": true})
        )]),
    );
    assert_eq!(
        broken_rules(&found(&case, "plan.json", 1)),
        ["sgr-0000000000000443"]
    );
}

#[test]
fn what_the_plan_does_not_change_is_left_alone() {
    let case = world();
    let idle = || {
        change(
            RULE,
            &["no-op"],
            ingress_rule(443, "10.0.0.0/16"),
            ingress_rule(443, "10.0.0.0/16"),
            json!({}),
        )
    };
    let strange = || {
        change(
            RULE,
            &["no-op"],
            ingress_rule(9, "10.0.0.0/16"),
            ingress_rule(9, "10.0.0.0/16"),
            json!({}),
        )
    };
    let data = json!({"address": "data.aws_security_group.x", "mode": "data", "type": "aws_security_group",
        "name": "x", "change": {"actions": ["read"], "before": null, "after": {}, "after_unknown": {}}});
    plan(&case, &json!([idle(), data]));
    assert_eq!(found(&case, "plan.json", 0)["notes"], json!([]));
    plan(&case, &json!([strange()]));
    let document = found(&case, "plan.json", 0);
    assert!(
        document["notes"][0]
            .as_str()
            .unwrap()
            .contains("not in the snapshot"),
        "{document}"
    );
}

#[test]
fn older_rules_with_many_peers_are_read_in_full() {
    let case = world();
    let old = |cidrs: Value, v6: Value, group: Value| {
        json!({"type": "ingress", "security_group_id": GROUP,
        "protocol": "tcp", "from_port": 443, "to_port": 443, "cidr_blocks": cidrs, "ipv6_cidr_blocks": v6,
        "prefix_list_ids": [], "self": false, "source_security_group_id": group, "description": ""})
    };
    let kind = "aws_security_group_rule";
    let before = || old(json!(["10.0.0.0/16"]), json!([]), Value::Null);
    plan(
        &case,
        &json!([change(
            kind,
            &["delete", "create"],
            before(),
            old(json!(["10.0.1.0/24"]), json!([]), Value::Null),
            json!({})
        )]),
    );
    found(&case, "plan.json", 0);
    let after = old(
        json!(["10.0.0.0/16"]),
        json!(["2001:DB8::/32"]),
        json!(format!("123456789012/{OTHER}")),
    );
    plan(
        &case,
        &json!([change(kind, &["create"], Value::Null, after, json!({}))]),
    );
    let document = found(&case, "plan.json", 1);
    let peers: Vec<&Value> = document["opened"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["peer"])
        .collect();
    assert_eq!(
        peers,
        [&json!({"cidr": "2001:db8::/32"}), &json!({"group": OTHER})]
    );
}

#[test]
fn the_proposals_of_an_analysis_hold_against_its_own_logs() {
    let case = world();
    let run = case.run(&[
        "analyze",
        "logs",
        "--snapshot",
        "today",
        "--out",
        "report",
        "-q",
    ]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let document = found(&case, "report", 0);
    assert_eq!(document["kind"], "analysis");
    assert_eq!(document["connections"], 2);
}

/// What a digest no longer holds cannot be replayed, and is told.
#[test]
fn what_was_dropped_from_a_digest_is_told() {
    let case = world();
    let run = case.run(&["ingest", "logs", "--digest", "digest", "-q"]);
    assert_eq!(run.status, Some(0), "{}", run.stderr);
    let asked = [
        "verify",
        "today",
        "--snapshot",
        "today",
        "--digest",
        "digest",
    ];
    let codes = || {
        let run = case.run(&[&asked[..], &["--format", "json"]].concat());
        let document: Value = serde_json::from_slice(&run.stdout).unwrap();
        let caveats = document["caveats"].as_array().cloned().unwrap_or_default();
        caveats
            .iter()
            .map(|one| one["code"].to_string())
            .collect::<Vec<String>>()
    };
    assert!(!codes().contains(&"\"FL311\"".to_owned()));
    let days = std::fs::read_dir(case.path("digest/evidence")).unwrap();
    for day in days {
        std::fs::remove_dir_all(day.unwrap().path()).unwrap();
    }
    assert!(codes().contains(&"\"FL311\"".to_owned()));
    let run = case.run(&asked);
    assert!(run.text().contains("FL311"), "{}", run.text());
}

#[test]
fn an_analysis_of_other_rules_is_refused_by_name() {
    let case = world();
    let run = case.run(&[
        "analyze",
        "logs",
        "--snapshot",
        "today",
        "--out",
        "report",
        "-q",
    ]);
    assert_eq!(run.status, Some(1), "{}", run.stderr);
    let path = case.path("report/analysis.json");
    let mut analysis: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let of = |one: &&mut Value| one["decision"] == "tighten";
    let proposal = analysis["proposals"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(of);
    proposal.expect("something is tightened")["keep"] = json!(["sgr-0000000000000777"]);
    case.file("foreign.json", analysis.to_string());
    let run = verify(&case, "foreign.json", &[]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("another snapshot"), "{}", run.stderr);
}

#[test]
fn a_snapshot_without_groups_does_not_stand_for_their_removal() {
    let case = world();
    case.file("tomorrow/subnets.json", r#"{"Subnets": []}"#);
    let run = verify(&case, "tomorrow", &[]);
    assert_eq!(run.status, Some(2), "{}", run.text());
    assert!(run.stderr.contains("holds no rules"), "{}", run.stderr);
}

#[test]
fn what_holds_no_rules_is_refused() {
    let case = world();
    case.file("empty.json", "{}");
    case.file(
        "cut.json",
        r#"{"format_version": "1.2", "resource_changes": [{"#,
    );
    case.file(
        "odd.json",
        r#"{"format_version": "1.2", "resource_changes": [{"address": "a.b",
        "mode": "managed", "type": "aws_security_group", "change": {"actions": ["explode"]}}]}"#,
    );
    case.file("schema.json", r#"{"schema": "flowcinch.why.v1"}"#);
    for (rules, told) in [
        ("empty.json", "empty.json"),
        ("cut.json", "not JSON"),
        ("odd.json", "explode"),
        ("schema.json", "holds no rules"),
        ("absent.json", "absent.json"),
    ] {
        let run = verify(&case, rules, &[]);
        assert_eq!(run.status, Some(2), "{rules}: {}", run.text());
        assert!(run.stderr.contains(told), "{rules}: {}", run.stderr);
    }
    let run = case.run(&["verify", "today", "logs"]);
    assert_eq!(run.status, Some(2));
    assert!(run.stderr.contains("--snapshot"), "{}", run.stderr);
}

/// As the provider prints a plan that creates: what nobody asked for is
/// unknown as well, and references to what is yet to be made are known from
/// the configuration alone.
#[test]
fn unknown_values_that_nobody_asked_for_do_not_count() {
    let case = world();
    let references = |to: &str| json!({"references": [format!("{to}.id"), to]});
    let old = json!({"type": "ingress", "protocol": "icmp", "from_port": 8, "to_port": -1,
        "security_group_id": GROUP, "cidr_blocks": ["192.0.2.0/24"], "ipv6_cidr_blocks": null,
        "prefix_list_ids": [], "self": false, "description": null});
    let mut one = ingress_rule(8443, "10.0.0.0/16");
    let fields = one.as_object_mut().unwrap();
    fields.insert("cidr_ipv4".to_owned(), Value::Null);
    fields.remove("referenced_security_group_id");
    let peer = json!({"name": "peer", "vpc_id": "vpc-1"});
    let plan = json!({"format_version": "1.2", "terraform_version": "1.11.4",
    "resource_changes": [
        change("aws_security_group_rule", &["create"], Value::Null, old,
            json!({"id": true, "source_security_group_id": true, "cidr_blocks": [false]})),
        change(RULE, &["create"], Value::Null, one,
            json!({"id": true, "referenced_security_group_id": true})),
        change("aws_security_group", &["create"], Value::Null, peer,
            json!({"id": true, "ingress": true, "egress": true})),
    ],
    "configuration": {"root_module": {"resources": [
        {"address": "aws_security_group_rule.r", "expressions": {
            "cidr_blocks": {"constant_value": ["192.0.2.0/24"]}}},
        {"address": format!("{RULE}.r"), "expressions": {
            "referenced_security_group_id": references("aws_security_group.r")}},
        {"address": "aws_security_group.r", "expressions": {
            "name": {"constant_value": "peer"}}},
    ]}}});
    case.file("plan.json", plan.to_string());
    let document = found(&case, "plan.json", 1);
    assert_eq!(document["undecided"], json!([]), "{document}");
    let opened = document["opened"].as_array().unwrap();
    let packets: Vec<&Value> = opened.iter().map(|one| &one["packet"]).collect();
    assert_eq!(
        packets,
        [
            &json!({"protocol": "icmp", "port": "8/0", "peer": "192.0.2.0"}),
            &json!({"protocol": "tcp", "port": "8443", "peer": "aws_security_group.r"}),
        ]
    );
}

/// A default group that Terraform takes over loses every rule that the
/// configuration does not give it.
#[test]
fn a_default_group_that_is_taken_over_is_emptied() {
    let case = world();
    let groups = std::fs::read_to_string(case.path("today/groups.json")).unwrap();
    case.file(
        "today/groups.json",
        groups.replace("\"server\"", "\"default\""),
    );
    let own = json!({"protocol": "-1", "from_port": 0, "to_port": 0, "self": true, "cidr_blocks": [],
        "ipv6_cidr_blocks": [], "prefix_list_ids": [], "security_groups": [], "description": ""});
    let plan = json!({"format_version": "1.2", "resource_changes": [change(
            "aws_default_security_group", &["create"], Value::Null,
            json!({"vpc_id": "vpc-1", "ingress": [own]}), json!({"id": true, "egress": true}))],
        "configuration": {"root_module": {"resources": [{"address": "aws_default_security_group.r",
            "expressions": {"ingress": {"constant_value": []}}}]}}});
    case.file("plan.json", plan.to_string());
    let document = found(&case, "plan.json", 1);
    assert_eq!(broken_rules(&document), ["sgr-0000000000000443"]);
    assert_eq!(document["undecided"], json!([]));
    assert_eq!(document["opened"][0]["peer"], json!({"group": GROUP}));
}
