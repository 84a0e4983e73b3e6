//! Alibaba Cloud: snapshots as the `aliyun` CLI prints them.

#![cfg(test)]

use serde_json::Value;
use serde_json::json;

use flowcinch::describe::Collector;
use flowcinch::describe::Loaded;
use flowcinch::model::Direction;
use flowcinch::model::Effect;
use flowcinch::model::Provider;
use flowcinch::model::SgId;

fn load(files: &[(&str, Value)]) -> Loaded {
    let mut collector = Collector::default();
    for (name, value) in files {
        collector.add(name, value.to_string().as_bytes()).unwrap();
    }
    collector.finish(None).unwrap()
}

fn text_of<'a>(loaded: &'a Loaded, code: &str) -> Option<&'a str> {
    let note = loaded.notes.iter().find(|note| note.code == code);
    note.map(|note| note.text.as_str())
}

fn groups(total: u32, groups: &[(&str, &str, bool)]) -> Value {
    let group = |(id, kind, managed): &(&str, &str, bool)| {
        json!({"SecurityGroupId": id, "SecurityGroupName": "web", "Description": "",
            "VpcId": "vpc-1", "SecurityGroupType": kind, "ServiceManaged": managed,
            "Tags": {"Tag": [{"TagKey": "env", "TagValue": "prod"}]}})
    };
    json!({"RequestId": "R", "RegionId": "cn-hangzhou", "PageNumber": 1, "PageSize": 10,
        "TotalCount": total, "SecurityGroups":
        {"SecurityGroup": groups.iter().map(group).collect::<Vec<_>>()}})
}

fn attribute(id: &str, inner: &str, token: &str, rules: &[Value]) -> Value {
    json!({"RequestId": "R", "VpcId": "vpc-1", "SecurityGroupId": id, "SecurityGroupName": "web",
        "InnerAccessPolicy": inner, "NextToken": token, "Permissions": {"Permission": rules}})
}

fn rule(id: &str, direction: &str, policy: &str, priority: &Value, port: &str) -> Value {
    json!({"SecurityGroupRuleId": id, "Direction": direction, "Policy": policy,
        "Priority": priority, "IpProtocol": "TCP", "PortRange": format!("{port}/{port}"),
        "SourceCidrIp": if direction == "ingress" { "0.0.0.0/0" } else { "" },
        "DestCidrIp": if direction == "egress" { "0.0.0.0/0" } else { "" },
        "SourceGroupId": "", "DestGroupId": "", "SourcePortRange": "", "NicType": "intranet"})
}

#[test]
fn groups_are_told_in_two_halves_and_rules_in_pages() {
    let loaded = load(&[
        (
            "a.json",
            groups(
                2,
                &[("sg-1", "normal", false), ("sg-2", "enterprise", true)],
            ),
        ),
        (
            "b.json",
            attribute(
                "sg-1",
                "Accept",
                "more",
                &[rule("sgr-1", "ingress", "Accept", &json!("5"), "80")],
            ),
        ),
        (
            "c.json",
            attribute(
                "sg-1",
                "Accept",
                "",
                &[
                    rule("sgr-1", "ingress", "Accept", &json!("5"), "80"),
                    rule("sgr-2", "egress", "Drop", &json!(100), "25"),
                ],
            ),
        ),
        ("d.json", attribute("sg-2", "Accept", "", &[])),
    ]);
    assert_eq!(loaded.snapshot.provider, Provider::Alibaba);
    let basic = &loaded.snapshot.groups[&SgId::from("sg-1")];
    assert_eq!(basic.rules.len(), 2);
    assert_eq!(basic.rules[0].direction, Direction::Ingress);
    assert_eq!(basic.rules[0].priority, Some(5));
    assert_eq!(basic.rules[1].effect, Effect::Drop);
    assert_eq!(basic.tags["env"], "prod");
    assert!(basic.policy.members_talk && !basic.policy.managed);
    assert_eq!(basic.policy.egress_default, Effect::Allow);
    let advanced = &loaded.snapshot.groups[&SgId::from("sg-2")];
    assert!(!advanced.policy.members_talk && advanced.policy.managed);
    assert_eq!(advanced.policy.egress_default, Effect::Drop);
    assert_eq!(text_of(&loaded, "SN123"), None);
    assert_eq!(
        text_of(&loaded, "SN101"),
        None,
        "the calls named are those of the other cloud"
    );
}

#[test]
fn what_was_not_printed_is_not_read_as_nothing() {
    let loaded = load(&[
        (
            "a.json",
            groups(3, &[("sg-1", "normal", false), ("sg-2", "normal", false)]),
        ),
        ("b.json", attribute("sg-1", "Drop", "more", &[])),
        ("c.json", attribute("sg-9", "Drop", "", &[])),
    ]);
    assert!(!loaded.snapshot.groups.contains_key(&SgId::from("sg-2")));
    assert!(text_of(&loaded, "SN126").unwrap().contains("`sg-2`"));
    assert!(text_of(&loaded, "SN127").unwrap().contains("`sg-9`"));
    let pages = text_of(&loaded, "SN123").unwrap();
    assert!(pages.contains("2 of 3 in `SecurityGroups`"), "{pages}");
    assert!(pages.contains("`b.json`"), "{pages}");
}

#[test]
fn rules_without_ids_that_differ_in_rank_alone_stay_two() {
    let unnamed = |policy: &str, priority: u16| {
        let mut rule = rule("", "ingress", policy, &json!(priority), "22");
        rule.as_object_mut().unwrap().remove("SecurityGroupRuleId");
        rule
    };
    let rules = [
        unnamed("Accept", 1),
        unnamed("Drop", 1),
        unnamed("Accept", 1),
    ];
    let loaded = load(&[
        ("a.json", groups(1, &[("sg-1", "normal", false)])),
        ("b.json", attribute("sg-1", "Drop", "", &rules)),
    ]);
    let ids: Vec<&str> = loaded.snapshot.groups[&SgId::from("sg-1")]
        .rules
        .iter()
        .map(|rule| rule.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "sg-1/ingress/tcp/22-22/0.0.0.0/0/accept/1",
            "sg-1/ingress/tcp/22-22/0.0.0.0/0/drop/1"
        ]
    );
}

#[test]
fn lists_switches_and_flow_logs_are_read() {
    let loaded = load(&[
        (
            "lists.json",
            json!({"TotalCount": 1, "PrefixLists": {"PrefixList": [
            {"PrefixListId": "pl-1", "PrefixListName": "offices", "MaxEntries": 10,
             "AddressFamily": "IPv4"}]}}),
        ),
        (
            "entries.json",
            json!({"PrefixListId": "pl-1", "PrefixListName": "offices",
            "MaxEntries": 10, "Entries": {"Entry": [{"Cidr": "203.0.113.0/24", "Description": ""}]}}),
        ),
        (
            "vswitches.json",
            json!({"TotalCount": 1, "VSwitches": {"VSwitch": [
            {"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "Ipv6CidrBlock": ""}]}}),
        ),
        (
            "vpcs.json",
            json!({"TotalCount": 1, "Vpcs": {"Vpc": [{"VpcId": "vpc-1",
            "CidrBlock": "10.0.0.0/16", "SecondaryCidrBlocks":
            {"SecondaryCidrBlock": ["10.1.0.0/16"]}}]}}),
        ),
        (
            "flow-logs.json",
            json!({"FlowLogs": {"FlowLog": [{"FlowLogId": "fl-1",
            "ResourceType": "VPC", "ResourceId": "vpc-1", "TrafficType": "All",
            "TrafficPath": {"TrafficPathList": ["natGateway"]}, "AggregationInterval": 10}]},
            "TotalCount": "1"}),
        ),
    ]);
    let list = loaded.snapshot.prefix_lists.values().next().unwrap();
    assert_eq!(list.entries.as_ref().unwrap().len(), 1);
    assert_eq!(list.max_entries, Some(10));
    assert_eq!(loaded.snapshot.vpcs.values().next().unwrap().cidrs.len(), 2);
    assert_eq!(loaded.snapshot.subnets.len(), 1);
    assert!(text_of(&loaded, "SN130").unwrap().contains("`fl-1`"));
}
