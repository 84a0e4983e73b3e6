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
