//! What `verify` must not take for granted: the other state of the cloud, logs
//! that cannot tell, and what it does not read of a plan.

use super::*;

/// Today's rule lets in `peer` alone, and the interfaces are these.
fn snapshot(case: &Case, folder: &str, peer: &Value, clients: &[(&str, &str, &str)]) {
    let mut rule = json!({"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443});
    for (key, value) in peer.as_object().unwrap() {
        rule[key] = value.clone();
    }
    let mut all = groups(json!([rule]));
    let third = json!({"GroupId": THIRD, "GroupName": "third", "VpcId": "vpc-1",
        "IpPermissions": [], "IpPermissionsEgress": []});
    all["SecurityGroups"].as_array_mut().unwrap().push(third);
    case.file(&format!("{folder}/groups.json"), all.to_string());
    let eni = |id: &str, address: &str, group: &str| {
        json!({"NetworkInterfaceId": id, "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddresses": [{"PrivateIpAddress": address, "Primary": true}],
            "Groups": [{"GroupId": group}], "InterfaceType": "interface"})
    };
    let mut enis = vec![eni("eni-1", SERVER, GROUP)];
    enis.extend(
        clients
            .iter()
            .map(|(id, address, group)| eni(id, address, group)),
    );
    let enis = json!({ "NetworkInterfaces": enis });
    case.file(&format!("{folder}/interfaces.json"), enis.to_string());
}

const THIRD: &str = "sg-0aaaaaaaaaaaaaaa3";
const STRANGER: &str = "10.0.1.30";

fn by_group() -> Value {
    json!({"UserIdGroupPairs": [{"GroupId": OTHER, "UserId": "123456789012"}]})
}

fn by_list() -> Value {
    json!({"PrefixListIds": [{"PrefixListId": "pl-0123456789abcdef0"}]})
}

fn entries(case: &Case, folder: &str, cidrs: &[&str]) {
    let entries: Vec<Value> = cidrs.iter().map(|cidr| json!({ "Cidr": cidr })).collect();
    case.file(
        &format!("{folder}/pl-0123456789abcdef0.json"),
        json!({ "Entries": entries }).to_string(),
    );
    let lists = json!({"PrefixLists": [{"PrefixListId": "pl-0123456789abcdef0", "PrefixListName": "clients",
        "AddressFamily": "IPv4", "MaxEntries": 5, "OwnerId": "123456789012"}]});
    case.file(&format!("{folder}/lists.json"), lists.to_string());
}

/// The world of `verify`, with rules by reference: today, and other.
fn referring(peer: &Value, today: &[(&str, &str, &str)], other: &[(&str, &str, &str)]) -> Case {
    let case = world();
    std::fs::remove_file(case.path("today/rules.json")).unwrap();
    snapshot(&case, "today", peer, today);
    snapshot(&case, "other", peer, other);
    case
}

#[test]
fn a_client_that_loses_the_group_that_rules_name_is_shut_out() {
    let today = [("eni-2", CLIENT, OTHER)];
    let case = referring(&by_group(), &today, &today);
    found(&case, "other", 0);
    let case = referring(&by_group(), &today, &[("eni-2", CLIENT, THIRD)]);
    let document = found(&case, "other", 1);
    let broken = document["broken"].as_array().unwrap();
    assert!(broken.iter().any(|one| one["peer"] == CLIENT), "{document}");
}

#[test]
fn an_interface_that_gains_the_group_that_rules_name_is_let_in() {
    let client = ("eni-2", CLIENT, OTHER);
    let case = referring(
        &by_group(),
        &[client, ("eni-3", STRANGER, THIRD)],
        &[client, ("eni-3", STRANGER, OTHER)],
    );
    let document = found(&case, "other", 1);
    let opened = document["opened"].as_array().unwrap();
    let packet = json!({"protocol": "tcp", "port": "443", "peer": STRANGER});
    assert!(
        opened.iter().any(|one| one["packet"] == packet),
        "{document}"
    );
    // One that was not there is told, and not held against the rules.
    let case = referring(
        &by_group(),
        &[client],
        &[client, ("eni-4", STRANGER, OTHER)],
    );
    let document = found(&case, "other", 0);
    let note = document["notes"][0].as_str().unwrap();
    assert!(note.starts_with("1 interface"), "{note}");
}

#[test]
fn lists_are_read_from_the_state_that_the_rules_belong_to() {
    let client = [("eni-2", CLIENT, OTHER)];
    let case = referring(&by_list(), &client, &client);
    entries(&case, "today", &["10.0.1.0/24"]);
    entries(&case, "other", &["10.0.1.0/24"]);
    found(&case, "other", 0);
    entries(&case, "other", &["10.0.9.0/24"]);
    let document = found(&case, "other", 1);
    assert_eq!(document["broken"][0]["peer"], CLIENT);
    let packet = json!({"protocol": "tcp", "port": "443", "peer": "10.0.9.0"});
    assert_eq!(document["opened"][0]["packet"], packet);
    entries(&case, "other", &["10.0.1.0/24", "0.0.0.0/0"]);
    let document = found(&case, "other", 1);
    assert_eq!(document["broken"], json!([]));
    assert_eq!(document["opened"].as_array().unwrap().len(), 1);
    std::fs::remove_file(case.path("other/pl-0123456789abcdef0.json")).unwrap();
    let document = found(&case, "other", 3);
    assert_eq!(document["undecided"][0]["from"], "pl-0123456789abcdef0");
}

#[test]
fn network_acls_that_differ_are_told() {
    let case = world();
    let acls = |action: &str| {
        json!({"NetworkAcls": [{"NetworkAclId": "acl-1", "VpcId": "vpc-1", "IsDefault": true,
            "Associations": [{"NetworkAclId": "acl-1", "SubnetId": "subnet-1"}],
            "Entries": [{"RuleNumber": 100, "Egress": false, "Protocol": "-1",
                "RuleAction": action, "CidrBlock": "0.0.0.0/0"},
                {"RuleNumber": 100, "Egress": true, "Protocol": "-1",
                "RuleAction": action, "CidrBlock": "0.0.0.0/0"}]}]})
        .to_string()
    };
    case.file("today/acls.json", acls("allow"));
    for file in ["groups", "rules", "interfaces"] {
        let text = std::fs::read(case.path(&format!("today/{file}.json"))).unwrap();
        case.file(&format!("other/{file}.json"), text);
    }
    let document = found(&case, "other", 0);
    let note = document["notes"][0].as_str().unwrap();
    assert!(note.contains("network ACLs"), "{note}");
    case.file("other/acls.json", acls("deny"));
    let document = found(&case, "other", 3);
    assert_eq!(document["undecided"][0]["from"], "network ACLs");
}

fn without(case: &Case, port: u16) {
    let gone = change(
        RULE,
        &["delete"],
        ingress_rule(port, "10.0.0.0/16"),
        Value::Null,
        json!({}),
    );
    plan(case, &json!([gone]));
}

#[test]
fn logs_of_rejects_alone_say_nothing_of_what_a_rule_lets_through() {
    let case = world();
    without(&case, 443);
    let path = case.path("logs/day.log");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log.replace("ACCEPT", "REJECT")).unwrap();
    let document = found(&case, "plan.json", 3);
    let from = document["undecided"][0]["from"].as_str().unwrap();
    assert_eq!(from, format!("{GROUP} sgr-0000000000000443"));
    let what = document["undecided"][0]["what"].as_str().unwrap();
    assert!(what.contains("no ACCEPT"), "{what}");
    // What stays as it is needs no logs.
    found(&case, "today", 0);
}

#[test]
fn interfaces_that_no_snapshot_knows_may_have_used_what_goes() {
    let case = world();
    let path = case.path("logs/day.log");
    let mut log = std::fs::read_to_string(&path).unwrap();
    log += "5 123456789012 eni-9 10.0.1.10 10.0.1.99 50001 22 6 10 840 1790812800 1790812860 ACCEPT OK 2\n";
    std::fs::write(&path, log).unwrap();
    without(&case, 22);
    let document = found(&case, "plan.json", 3);
    let what = document["undecided"][0]["what"].as_str().unwrap();
    assert!(what.contains("no snapshot knows"), "{what}");
}

#[test]
fn what_no_rule_of_today_explains_is_counted() {
    let case = world();
    let path = case.path("logs/day.log");
    let mut log = std::fs::read_to_string(&path).unwrap();
    log += "5 123456789012 eni-1 10.0.1.10 10.0.1.20 50001 9999 6 10 840 1790812800 1790812860 ACCEPT OK 2\n";
    std::fs::write(&path, log).unwrap();
    assert_eq!(found(&case, "today", 0)["unexplained"], 1);
}

#[test]
fn what_a_plan_changes_of_access_and_is_not_read_is_undecided() {
    let case = world();
    let of = |kind: &str, before: Value, after: Value| {
        let action = match (&before, &after) {
            (Value::Null, _) => "create",
            (_, Value::Null) => "delete",
            _ => "update",
        };
        change(kind, &[action], before, after, json!({}))
    };
    let carrying = |groups: &[&str]| json!({"id": "i-1", "vpc_security_group_ids": groups});
    let unread = [
        of(
            "aws_vpc_security_group_rules_exclusive",
            Value::Null,
            json!({"ingress_rule_ids": []}),
        ),
        of(
            "aws_ec2_managed_prefix_list",
            json!({"id": "pl-0123456789abcdef0"}),
            json!({"id": "pl-0123456789abcdef0"}),
        ),
        of(
            "aws_ec2_managed_prefix_list_entry",
            json!({"cidr": "10.0.0.0/8"}),
            Value::Null,
        ),
        of(
            "aws_network_interface_sg_attachment",
            Value::Null,
            json!({"security_group_id": GROUP}),
        ),
        of(
            "aws_network_acl_rule",
            Value::Null,
            json!({"rule_action": "deny"}),
        ),
        of(
            "awscc_ec2_security_group_ingress",
            Value::Null,
            json!({"cidr_ip": "0.0.0.0/0"}),
        ),
        of(
            "aws_instance",
            carrying(&[OTHER]),
            carrying(&[OTHER, GROUP]),
        ),
        change(
            "aws_lb",
            &["update"],
            json!({"security_groups": [OTHER]}),
            json!({}),
            json!({"security_groups": true}),
        ),
    ];
    for one in unread {
        plan(&case, &json!([one]));
        let document = found(&case, "plan.json", 3);
        let from = document["undecided"][0]["from"].as_str().unwrap();
        assert_eq!(from, one["address"], "{document}");
    }
    // What is new carries groups as they are; other changes concern nobody.
    let silent = [
        of("aws_instance", Value::Null, carrying(&[OTHER])),
        of("aws_instance", carrying(&[OTHER]), Value::Null),
        of("aws_s3_bucket", json!({"id": "a"}), json!({"id": "b"})),
        change(
            "aws_network_acl_rule",
            &["no-op"],
            json!({"a": 1}),
            json!({"a": 1}),
            json!({}),
        ),
    ];
    for one in silent {
        plan(&case, &json!([one]));
        assert_eq!(
            found(&case, "plan.json", 0)["undecided"],
            json!([]),
            "{one}"
        );
    }
    for (key, value) in [
        ("errored", json!(true)),
        ("complete", json!(false)),
        (
            "deferred_changes",
            json!([{"reason": "resource_config_unknown"}]),
        ),
    ] {
        let text = json!({"format_version": "1.2", "terraform_version": "1.11.4",
            "resource_changes": [], key: value});
        case.file("plan.json", text.to_string());
        let document = found(&case, "plan.json", 3);
        assert_eq!(document["undecided"][0]["from"], "plan", "{key}");
    }
}

/// With no more than tags, and a VPC that is known after the apply only.
#[test]
fn a_default_group_of_a_vpc_that_is_not_known_yet_may_be_any() {
    let case = world();
    let taken = change(
        "aws_default_security_group",
        &["create"],
        Value::Null,
        json!({"tags": {"Name": "default"}}),
        json!({"id": true, "vpc_id": true, "ingress": true, "egress": true}),
    );
    let text = json!({"format_version": "1.2", "resource_changes": [taken],
        "configuration": {"root_module": {"resources": [{"address": "aws_default_security_group.r",
            "expressions": {"tags": {"constant_value": {}}}}]}}});
    case.file("plan.json", text.to_string());
    let document = found(&case, "plan.json", 3);
    let from = document["undecided"][0]["from"].as_str().unwrap();
    assert_eq!(from, "aws_default_security_group.r");
}

fn add(case: &Case, rows: &str) {
    let path = case.path("logs/day.log");
    let log = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, log + rows).unwrap();
}

#[test]
fn an_interface_of_refusals_alone_says_nothing_beside_others_that_accept() {
    let case = world();
    let path = case.path("logs/day.log");
    let log = std::fs::read_to_string(&path).unwrap();
    let rows = log.lines().filter(|row| !row.contains(" eni-1 "));
    let rows: Vec<&str> = rows.collect();
    std::fs::write(&path, rows.join("\n") + "\n").unwrap();
    add(
        &case,
        "5 123456789012 eni-1 10.0.9.9 10.0.1.20 4000 23 6 1 40 1790812800 1790812860 REJECT OK 2\n",
    );
    without(&case, 443);
    assert_eq!(found(&case, "plan.json", 3)["unwatched"], json!([GROUP]));
    // Flow logs that are known to keep both say that nothing was accepted.
    let both = json!({"FlowLogs": [{"FlowLogId": "fl-1", "ResourceId": "vpc-1",
        "TrafficType": "ALL", "FlowLogStatus": "ACTIVE"}]});
    case.file("today/flow-logs.json", both.to_string());
    found(&case, "plan.json", 0);
}

#[test]
fn a_group_that_is_logged_in_part_is_told() {
    let case = world();
    let path = case.path("today/interfaces.json");
    let mut enis: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let enis_of = enis["NetworkInterfaces"].as_array_mut().unwrap();
    let mut dark = enis_of[0].clone();
    dark["NetworkInterfaceId"] = json!("eni-4");
    dark["PrivateIpAddresses"][0]["PrivateIpAddress"] = json!("10.0.1.40");
    enis_of.push(dark);
    case.file("today/interfaces.json", enis.to_string());
    without(&case, 22);
    let document = found(&case, "plan.json", 3);
    let what = document["undecided"][0]["what"].as_str().unwrap();
    assert!(what.contains("1 interface"), "{what}");
}

#[test]
fn what_the_other_snapshot_does_not_hold_is_undecided() {
    let case = referring(
        &by_list(),
        &[("eni-2", CLIENT, OTHER)],
        &[("eni-2", CLIENT, OTHER)],
    );
    // The entries are in neither.
    let document = found(&case, "other", 3);
    assert_eq!(document["undecided"][0]["from"], "pl-0123456789abcdef0");
    let case = referring(&by_group(), &[("eni-2", CLIENT, OTHER)], &[]);
    let document = found(&case, "other", 0);
    assert!(document["notes"].to_string().contains("1 interface"));
    std::fs::remove_file(case.path("other/interfaces.json")).unwrap();
    let document = found(&case, "other", 3);
    assert_eq!(document["undecided"][0]["from"], "the other snapshot");
}

#[test]
fn groups_in_blocks_are_seen_and_their_order_is_not() {
    let case = world();
    let at = |groups: &[&str]| json!({"vpc_config": [{"security_group_ids": groups}]});
    let with = |groups: &[&str]| {
        let before = at(&[OTHER, GROUP]);
        let one = change(
            "aws_lambda_function",
            &["update"],
            before,
            at(groups),
            json!({}),
        );
        plan(&case, &json!([one]));
    };
    with(&[GROUP, OTHER]);
    found(&case, "plan.json", 0);
    with(&[GROUP]);
    let document = found(&case, "plan.json", 3);
    assert_eq!(document["undecided"][0]["from"], "aws_lambda_function.r");
}

#[test]
fn what_a_rule_of_the_past_let_through_is_counted() {
    let case = world();
    let [old, new] = ["s/2026-09-01T00:00:00Z", "s/2026-10-03T00:00:00Z"];
    for file in ["groups.json", "interfaces.json"] {
        let text = std::fs::read(case.path(&format!("today/{file}"))).unwrap();
        case.file(&format!("{old}/{file}"), &text);
        case.file(&format!("{new}/{file}"), &text);
    }
    let now = groups(json!([tcp(22, 22, "10.0.0.0/16")]));
    case.file(&format!("{new}/groups.json"), now.to_string());
    let asked = ["verify", new, "logs", "--snapshot", old, "--snapshot", new];
    let run = case.run(&[&asked[..], &["--format", "json", "-q"]].concat());
    let document: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(document["unexplained"], 1, "{document}");
    assert!(document["notes"].to_string().contains("has no more"));
}

#[test]
fn a_snapshot_that_is_not_there_is_no_finding() {
    let case = world();
    let asked = [
        "analyze",
        "logs",
        "--snapshot",
        "today",
        "--out",
        "report",
        "-q",
    ];
    assert_eq!(case.run(&asked).status, Some(1));
    for rules in ["report/certificate.json", "report", "today"] {
        let run = case.run(&["verify", rules, "logs", "--snapshot", "nowhere"]);
        assert_eq!(run.status, Some(2), "{rules}: {}", run.text());
        assert!(run.stderr.contains("`nowhere`"), "{}", run.stderr);
    }
}

#[test]
fn help_names_certificates_and_no_flags_of_proposals() {
    let help = Case::new().run(&["verify", "--help"]).text();
    assert!(help.contains("certificate.json"), "{help}");
    assert!(
        help.contains("--rule-quota") && !help.contains("--sparsest"),
        "{help}"
    );
}
