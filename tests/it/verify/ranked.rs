//! Groups with ranks: plans, other snapshots and policies, told by what the
//! merged list does.

use super::*;

const HTTPS: &str = "sgr-https";
const KIND: &str = "alicloud_security_group_rule";
const NAME: &str = "alicloud_security_group";

/// A permission as the API prints it.
fn permission(id: &str, policy: &str, priority: u16, ports: &str, cidr: &str) -> Value {
    json!({"SecurityGroupRuleId": id, "Direction": "ingress", "Policy": policy,
        "Priority": priority.to_string(), "IpProtocol": "TCP", "PortRange": ports,
        "SourceCidrIp": cidr})
}

fn standing() -> Vec<Value> {
    vec![
        permission(HTTPS, "Accept", 10, "443/443", "10.0.1.0/24"),
        permission("sgr-stop", "Drop", 5, "22/22", "0.0.0.0/0"),
        permission("sgr-ssh", "Accept", 20, "22/22", "10.0.0.0/8"),
    ]
}

/// The snapshot of a basic group with these rules.
fn describe(case: &Case, folder: &str, rules: &[Value], policy: &str) {
    let file = |name: &str, value: Value| case.file(&format!("{folder}/{name}"), value.to_string());
    file(
        "groups.json",
        json!({"SecurityGroups": {"SecurityGroup": [{"SecurityGroupId": "sg-g",
            "SecurityGroupName": "g", "VpcId": "vpc-1", "SecurityGroupType": "normal"}]}}),
    );
    file(
        "rules.json",
        json!({"SecurityGroupId": "sg-g", "VpcId": "vpc-1", "InnerAccessPolicy": policy,
            "Permissions": {"Permission": rules}}),
    );
    let eni = |name: &str, address: &str| {
        json!({"NetworkInterfaceId": name, "Status": "InUse", "VpcId": "vpc-1",
            "PrivateIpAddress": address, "SecurityGroupIds": {"SecurityGroupId": ["sg-g"]}})
    };
    file(
        "interfaces.json",
        json!({"NetworkInterfaceSets": {"NetworkInterfaceSet":
            [eni("eni-a", "10.0.2.20"), eni("eni-b", "10.0.2.30")]}}),
    );
}

/// 443 by a rule, 3306 by membership, 8443 of a host outside by default.
fn world() -> Case {
    let case = Case::new();
    describe(&case, "today", &standing(), "Accept");
    let row = |from: &str, to: &str, ports: &str, flags: u8, way: &str| {
        format!(
            "5 1 eni-b {from} {to} {ports} 6 3 180 1768000000 1768000020 ACCEPT OK {flags} {way}\n"
        )
    };
    let [client, fellow, own, host] = ["10.0.1.9", "10.0.2.20", "10.0.2.30", "203.0.113.5"];
    let rows = [
        "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
         start end action log-status tcp-flags flow-direction\n\
         5 1 eni-a - - - - - - - 1768000000 1768000060 - NODATA - -\n"
            .to_owned(),
        row(client, own, "40000 443", 2, "ingress"),
        row(own, client, "443 40000", 18, "egress"),
        row(fellow, own, "40001 3306", 2, "ingress"),
        row(own, fellow, "3306 40001", 18, "egress"),
        row(own, host, "40002 8443", 2, "egress"),
        row(host, own, "8443 40002", 18, "ingress"),
    ];
    case.file("logs/all.log", rows.concat());
    case
}

/// The same rule as the provider holds it.
fn rule(policy: &str, priority: u16, ports: &str, cidr: &str) -> Value {
    json!({"security_group_id": "sg-g", "type": "ingress", "policy": policy, "priority": priority,
        "ip_protocol": "tcp", "port_range": ports, "cidr_ip": cidr, "ipv6_cidr_ip": "",
        "prefix_list_id": null, "source_security_group_id": null, "nic_type": "intranet",
        "description": ""})
}

fn opened(document: &Value) -> Vec<(&str, &str)> {
    let opened = document["opened"].as_array().unwrap().iter();
    let told = |one| {
        let one: &Value = one;
        let packet = &one["packet"];
        (
            one["rule_id"].as_str().unwrap(),
            packet["port"].as_str().unwrap(),
        )
    };
    opened.map(told).collect()
}

/// What `verify` finds of a plan with one change.
fn planned(change: Value, status: i32) -> Value {
    let case = world();
    plan(&case, &json!([change]));
    found(&case, "plan.json", status)
}

#[test]
fn the_same_rules_break_and_open_nothing() {
    let case = world();
    let document = found(&case, "today", 0);
    assert_eq!(document["connections"], 3);
    let stop = rule("drop", 5, "22/22", "0.0.0.0/0");
    let idle = change(KIND, &["no-op"], stop.clone(), stop, json!({}));
    assert_eq!(planned(idle, 0)["kind"], "terraform_plan");
}

#[test]
fn a_drop_that_goes_opens_what_it_stopped() {
    let gone = change(
        KIND,
        &["delete"],
        rule("drop", 5, "22/22", "0.0.0.0/0"),
        Value::Null,
        json!({}),
    );
    let document = planned(gone, 1);
    // Members too, if the intra-group policy comes behind the rules.
    assert_eq!(opened(&document), [("members", "22"), ("sgr-ssh", "22")]);
    assert_eq!(document["broken"], json!([]));
}

#[test]
fn a_drop_that_comes_breaks_what_it_is_stronger_than() {
    let coming = |priority: u16| {
        let new = rule("drop", priority, "1/65535", "10.0.1.0/24");
        change(KIND, &["create"], Value::Null, new, json!({"id": true}))
    };
    assert_eq!(broken_rules(&planned(coming(10), 1)), [HTTPS]);
    assert_eq!(planned(coming(11), 0)["broken"], json!([]));
}

#[test]
fn an_accept_opens_what_no_stronger_rule_stops() {
    let coming = |priority: u16| {
        let new = rule("accept", priority, "22/22", "0.0.0.0/0");
        change(KIND, &["create"], Value::Null, new, json!({"id": true}))
    };
    let document = planned(coming(1), 1);
    let [(name, "22")] = opened(&document)[..] else {
        panic!("{document}");
    };
    assert!(name.starts_with("alicloud_security_group_rule.r"), "{name}");
    assert_eq!(planned(coming(30), 0)["opened"], json!([]));
}

#[test]
fn the_policy_of_members_is_read_from_plans_and_snapshots() {
    let group = |policy: &str| {
        json!({"id": "sg-g", "name": "g", "vpc_id": "vpc-1",
        "security_group_type": "normal", "inner_access_policy": policy})
    };
    let apart = change(NAME, &["update"], group("Accept"), group("Drop"), json!({}));
    assert_eq!(broken_rules(&planned(apart, 1)), ["members"]);
    // What the plan does not change is as the snapshot has it.
    let renamed = change(NAME, &["update"], group("Drop"), group("Drop"), json!({}));
    assert_eq!(planned(renamed, 0)["broken"], json!([]));
    let hidden = json!({"id": "sg-g", "name": "g", "vpc_id": "vpc-1"});
    let unknown = json!({"inner_access_policy": true});
    let unknown = change(NAME, &["update"], group("Accept"), hidden, unknown);
    assert_eq!(
        planned(unknown, 3)["undecided"].as_array().unwrap().len(),
        1
    );

    // Of two words for it the one that changes counts.
    let both = |access: bool, policy: &str| {
        let mut group = group(policy);
        group["inner_access"] = json!(access);
        group
    };
    let shut = change(
        NAME,
        &["update"],
        both(true, "Accept"),
        both(false, "Accept"),
        json!({}),
    );
    assert_eq!(broken_rules(&planned(shut, 1)), ["members"]);
    let torn = change(
        NAME,
        &["update"],
        both(true, "Drop"),
        both(false, "Accept"),
        json!({}),
    );
    assert_eq!(planned(torn, 3)["undecided"].as_array().unwrap().len(), 1);

    let case = world();
    describe(&case, "other", &standing(), "Drop");
    assert_eq!(broken_rules(&found(&case, "other", 1)), ["members"]);
}

#[test]
fn what_changes_beside_a_group_without_rules_is_undecided() {
    let case = world();
    let interfaces = case.path("today/interfaces.json");
    let text = std::fs::read_to_string(&interfaces).unwrap();
    let beside = text.replace("\"sg-g\"", "\"sg-g\",\"sg-unknown\"");
    std::fs::write(&interfaces, &beside).unwrap();
    assert_eq!(found(&case, "today", 0)["broken"], json!([]));
    let stop = permission("sgr-new", "Drop", 1, "9000/9000", "0.0.0.0/0");
    describe(
        &case,
        "other",
        &[&standing()[..], &[stop]].concat(),
        "Accept",
    );
    case.file("other/interfaces.json", &beside);
    let undecided = found(&case, "other", 3)["undecided"].to_string();
    assert!(undecided.contains("sg-unknown"), "{undecided}");
}

#[test]
fn a_group_that_goes_breaks_what_it_let_through_and_its_default_too() {
    let group = json!({"id": "sg-g", "name": "g", "vpc_id": "vpc-1"});
    let gone = change(NAME, &["delete"], group, Value::Null, json!({}));
    let document = planned(gone, 1);
    let mut broken = broken_rules(&document);
    broken.sort_unstable();
    assert_eq!(broken, ["default", "members", HTTPS]);
}

#[test]
fn what_is_known_after_apply_is_undecided() {
    let mut new = rule("accept", 1, "22/22", "0.0.0.0/0");
    new.as_object_mut().unwrap().remove("port_range");
    let unknown = json!({"id": true, "port_range": true});
    let coming = change(KIND, &["create"], Value::Null, new, unknown);
    let document = planned(coming, 3);
    assert!(
        document["undecided"][0]["what"]
            .as_str()
            .unwrap()
            .contains("port_range")
    );
    let list = json!({"id": "pl-1"});
    let list = change(
        "alicloud_ecs_prefix_list",
        &["update"],
        list.clone(),
        list,
        json!({}),
    );
    assert_eq!(planned(list, 3)["undecided"].as_array().unwrap().len(), 1);
}

#[test]
fn a_last_drop_closes_the_default_and_is_told() {
    let case = world();
    let mut rules = standing();
    rules.push(
        json!({"SecurityGroupRuleId": "sgr-last", "Direction": "egress", "Policy": "Drop",
        "Priority": "100", "IpProtocol": "ALL", "PortRange": "-1/-1", "DestCidrIp": "0.0.0.0/0"}),
    );
    describe(&case, "other", &rules, "Accept");
    let document = found(&case, "other", 1);
    assert_eq!(broken_rules(&document), ["default"]);
    let back = case.run(&[
        "verify",
        "today",
        "logs",
        "--snapshot",
        "other",
        "--format",
        "json",
    ]);
    let back: Value = serde_json::from_slice(&back.stdout).unwrap();
    assert_eq!(opened(&back)[0].0, "default");
}

/// The world with more rows.
fn with(rows: &str) -> Case {
    let case = world();
    let logs = case.path("logs/all.log");
    let text = std::fs::read_to_string(&logs).unwrap();
    std::fs::write(&logs, text + rows).unwrap();
    case
}

fn accepted(from: &str, to: &str, ports: &str, flags: u8, way: &str) -> String {
    format!("5 1 eni-b {from} {to} {ports} 6 3 180 1768000000 1768000020 ACCEPT OK {flags} {way}\n")
}

#[test]
fn a_peer_that_nobody_owns_may_be_a_member_and_may_be_none() {
    let case = with(&accepted(
        "10.0.1.77",
        "10.0.2.30",
        "40009 443",
        2,
        "ingress",
    ));
    let rules = &standing()[1..];
    describe(&case, "other", rules, "Accept");
    assert_eq!(broken_rules(&found(&case, "other", 1)), [HTTPS, HTTPS]);
    describe(&case, "apart", &standing(), "Drop");
    assert_eq!(broken_rules(&found(&case, "apart", 1)), ["members"]);
}

#[test]
fn what_is_stopped_where_no_log_tells_is_undecided() {
    let stop = permission("sgr-new", "Drop", 10, "443/443", "0.0.0.0/0");
    let rules = [&standing()[..], &[stop]].concat();
    let quiet = |case: &Case, logs: &str| {
        describe(case, "other", &rules, "Accept");
        let flags = ["--snapshot", "today", "--format", "json"];
        let run = case.run(&[&["verify", "other", logs], &flags[..]].concat());
        assert_eq!(run.status, Some(3), "{}", run.text());
        let told: Value = serde_json::from_slice(&run.stdout).unwrap();
        told["undecided"].to_string()
    };
    let head = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets \
        bytes start end action log-status tcp-flags flow-direction\n";
    let case = world();
    // One of two interfaces is in no log.
    let one = format!("{head}5 1 eni-a - - - - - - - 1768000000 1768000060 - NODATA - -\n");
    case.file("one/all.log", &one);
    assert!(quiet(&case, "one").contains(HTTPS));
    // Refusals alone say nothing of use.
    let refused = "5 1 eni-b 203.0.113.9 10.0.2.30 40000 23 6 1 60 1768000000 1768000020 REJECT OK 2 ingress\n";
    case.file("refused/all.log", format!("{head}{refused}"));
    assert!(quiet(&case, "refused").contains(HTTPS));
    // Who is in no snapshot may carry any group.
    let all = std::fs::read_to_string(case.path("logs/all.log")).unwrap();
    let strange =
        accepted("10.0.1.9", "10.0.2.99", "40000 443", 2, "ingress").replace("eni-b", "eni-z");
    case.file(
        "strange/all.log",
        all.replace("10.0.1.9", "203.0.113.7") + &strange,
    );
    assert!(quiet(&case, "strange").contains("no snapshot knows"));
}

#[test]
fn what_only_looks_like_a_loss_is_none() {
    let case = world();
    // A name stands for private addresses; ids are names alone; what no rule
    // matches goes out anyway.
    let of_group = json!({"SecurityGroupRuleId": "sgr-out", "Direction": "egress", "Policy": "Drop",
        "Priority": "1", "IpProtocol": "ALL", "PortRange": "-1/-1", "DestGroupId": "sg-g"});
    let mut rules = [&standing()[..], &[of_group]].concat();
    for rule in &mut rules {
        rule.as_object_mut().unwrap().remove("SecurityGroupRuleId");
    }
    describe(&case, "other", &rules, "Accept");
    assert_eq!(found(&case, "other", 0)["broken"], json!([]));
    let out = json!({"SecurityGroupRuleId": "sgr-out", "Direction": "egress", "Policy": "Accept",
        "Priority": "1", "IpProtocol": "TCP", "PortRange": "8443/8443", "DestCidrIp": "0.0.0.0/0"});
    describe(
        &case,
        "wordy",
        &[&standing()[..], &[out]].concat(),
        "Accept",
    );
    let run = case.run(&["verify", "today", "logs", "--snapshot", "wordy"]);
    assert_eq!(run.status, Some(0), "{}", run.text());
}
