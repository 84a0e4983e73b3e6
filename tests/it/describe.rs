//! Snapshot folders as they lie on disk: walked, unpacked, dated, and read
//! whatever the shape, without a panic whatever the bytes.

#![cfg(test)]

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use flowcinch::describe;
use flowcinch::describe::Collector;
use flowcinch::describe::DescribeError;
use flowcinch::describe::Loaded;
use flowcinch::model::Direction;
use flowcinch::model::Peer;
use flowcinch::model::SgId;
use flowcinch::net::Timestamp;

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn load(files: &[(&str, &[u8])]) -> Loaded {
    describe::load(folder(files).path()).unwrap()
}

fn refused(files: &[(&str, &[u8])]) -> DescribeError {
    describe::load(folder(files).path()).unwrap_err()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn text_of<'a>(loaded: &'a Loaded, code: &str) -> Option<&'a str> {
    let note = loaded.notes.iter().find(|note| note.code == code);
    note.map(|note| note.text.as_str())
}

fn rule_ids(loaded: &Loaded, group: &str) -> Vec<String> {
    let group = &loaded.snapshot.groups[&SgId::from(group)];
    group.rules.iter().map(|rule| rule.id.to_string()).collect()
}

/// Two rules, one of them told by both calls in different spellings.
const GROUPS: &str = r#"{"SecurityGroups": [{"GroupId": "sg-web", "GroupName": "web", "VpcId": "vpc-1",
  "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "198.51.100.7/24"}]}],
  "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}]}"#;
const RULES: &str = r#"{"SecurityGroupRules": [
  {"SecurityGroupRuleId": "sgr-2", "GroupId": "sg-web", "IsEgress": true, "IpProtocol": "-1", "FromPort": -1, "ToPort": -1, "CidrIpv4": "0.0.0.0/0"},
  {"SecurityGroupRuleId": "sgr-1", "GroupId": "sg-web", "IsEgress": false, "IpProtocol": "6", "FromPort": 443, "ToPort": 443, "CidrIpv4": "198.51.100.0/24", "Description": "office"}]}"#;
const INTERFACES: &str = r#"{"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-web"}], "PrivateIpAddress": "10.0.0.5"}]}"#;

#[test]
fn both_views_of_a_group_join_by_what_rules_say() {
    let loaded = load(&[("a.json", GROUPS.as_bytes()), ("b.json", RULES.as_bytes())]);
    assert_eq!(rule_ids(&loaded, "sg-web"), ["sgr-1", "sgr-2"]);
    assert_eq!(text_of(&loaded, "SN110"), None);
    assert_eq!(text_of(&loaded, "SN112"), None);
    let rule = &loaded.snapshot.groups[&SgId::from("sg-web")].rules[0];
    assert_eq!(rule.direction, Direction::Ingress);
    assert_eq!(rule.description, "office");
    assert_eq!(rule.peer, Peer::Cidr("198.51.100.0/24".parse().unwrap()));
}

#[test]
fn rules_without_ids_are_named_by_what_they_say() {
    let loaded = load(&[("a.json", GROUPS.as_bytes())]);
    let expected = [
        "sg-web/ingress/tcp/443-443/198.51.100.0/24",
        "sg-web/egress/all/all/0.0.0.0/0",
    ];
    assert_eq!(rule_ids(&loaded, "sg-web"), expected);
    assert!(text_of(&loaded, "SN110").unwrap().contains("`sg-web`"));
}

#[test]
fn a_rule_that_only_the_group_shows_is_kept_and_noted() {
    let rules: Value = serde_json::from_str(RULES).unwrap();
    let one = json!({"SecurityGroupRules": [rules["SecurityGroupRules"][0]]}).to_string();
    let loaded = load(&[("a.json", GROUPS.as_bytes()), ("b.json", one.as_bytes())]);
    let derived = "sg-web/ingress/tcp/443-443/198.51.100.0/24";
    assert_eq!(rule_ids(&loaded, "sg-web"), [derived, "sgr-2"]);
    assert!(text_of(&loaded, "SN112").unwrap().contains(derived));
}

#[test]
fn groups_are_built_from_rules_alone() {
    let loaded = load(&[
        ("a.json", RULES.as_bytes()),
        ("b.json", INTERFACES.as_bytes()),
    ]);
    assert_eq!(rule_ids(&loaded, "sg-web"), ["sgr-1", "sgr-2"]);
    assert!(text_of(&loaded, "SN114").unwrap().contains("`sg-web`"));
    assert!(describe::require_minimum(&loaded.snapshot).is_ok());
}

#[test]
fn a_group_referenced_by_name_is_resolved_within_its_vpc_or_kept_by_name() {
    let group = |name: &str| {
        json!({"SecurityGroups": [
            {"GroupId": "sg-a", "GroupName": "a", "VpcId": "vpc-1", "IpPermissions": [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupName": name, "UserId": "1"}]}]},
            {"GroupId": "sg-b", "GroupName": "b", "VpcId": "vpc-1", "IpPermissions": []},
            {"GroupId": "sg-c", "GroupName": "c", "VpcId": "vpc-2", "IpPermissions": []}]})
        .to_string()
    };
    for (name, peer) in [("b", "sg-b"), ("c", "name:c"), ("c\n c", "name:c__c")] {
        let loaded = load(&[("a.json", group(name).as_bytes())]);
        let rule = &loaded.snapshot.groups[&SgId::from("sg-a")].rules[0];
        assert_eq!(rule.peer, Peer::SecurityGroup(SgId::from(peer)));
        assert!(text_of(&loaded, "SN113").unwrap().contains("`sg-a`"));
    }
}

#[test]
fn a_tree_of_accounts_is_one_snapshot_with_gzip_told_by_content() {
    let packed = gzip(INTERFACES.as_bytes());
    let loaded = load(&[
        ("111111111111/eu-west-1/groups.json", GROUPS.as_bytes()),
        ("222222222222/eu-west-1/interfaces.json", &packed),
        ("222222222222/README.md", b"not JSON"),
        (".git/config", b"{"),
    ]);
    assert_eq!(loaded.snapshot.groups.len(), 1);
    assert_eq!(loaded.snapshot.enis.len(), 1);
    assert!(describe::require_minimum(&loaded.snapshot).is_ok());
    let skipped = text_of(&loaded, "SN108").unwrap();
    assert!(skipped.contains("1: `222222222222/README.md`"), "{skipped}");
}

#[test]
fn the_file_captured_at_dates_the_folder_and_a_wrong_one_is_refused() {
    let loaded = load(&[
        ("captured-at.txt", b"2026-11-20T08:00:00Z\n"),
        ("a.json", GROUPS.as_bytes()),
    ]);
    let time = Timestamp::parse_rfc3339("2026-11-20T08:00:00Z");
    assert_eq!(loaded.snapshot.captured_at, time);
    assert_eq!(text_of(&loaded, "SN107"), None);
    let error = refused(&[
        ("captured-at.txt", b"yesterday"),
        ("a.json", GROUPS.as_bytes()),
    ]);
    assert!(error.to_string().ends_with(
        "captured-at.txt`: `yesterday` is not an RFC 3339 time such as `2026-11-20T08:00:00Z`"
    ));
}

#[test]
fn the_name_of_a_folder_or_file_dates_it() {
    let outer = folder(&[
        ("2026-11-20T08-00-00Z/a.json", GROUPS.as_bytes()),
        ("20261121T080000Z.json", GROUPS.as_bytes()),
    ]);
    let of = |name: &str| {
        describe::load(&outer.path().join(name))
            .unwrap()
            .snapshot
            .captured_at
    };
    assert_eq!(
        of("2026-11-20T08-00-00Z"),
        Timestamp::parse_rfc3339("2026-11-20T08:00:00Z")
    );
    assert_eq!(
        of("20261121T080000Z.json"),
        Timestamp::parse_rfc3339("2026-11-21T08:00:00Z")
    );
    let both = describe::load(outer.path()).unwrap();
    assert!(text_of(&both, "SN107").is_some());
    assert!(
        text_of(&both, "SN120")
            .unwrap()
            .contains("2: `2026-11-20T08-00-00Z`")
    );
}

#[test]
fn what_is_missing_is_named_with_its_cost() {
    let loaded = load(&[("a.json", GROUPS.as_bytes())]);
    let codes: Vec<&str> = loaded.notes.iter().map(|note| note.code).collect();
    assert_eq!(
        codes,
        ["SN101", "SN102", "SN107", "SN110", "SN111", "SN122"]
    );
    let error = describe::require_minimum(&loaded.snapshot).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the snapshot has no `NetworkInterfaces`; run `aws ec2 describe-network-interfaces` and save its output beside the rest"
    );
}

#[test]
fn ids_that_nothing_describes_are_noted_where_they_are_used() {
    let groups = json!({"SecurityGroups": [{"GroupId": "sg-web", "IpPermissions": [
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-gone"}], "PrefixListIds": [{"PrefixListId": "pl-gone"}]}]}]});
    let interfaces = json!({"NetworkInterfaces": [
        {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-other"}]},
        {"NetworkInterfaceId": "eni-2", "Groups": null},
        {"NetworkInterfaceId": "eni-3", "InterfaceType": "natGateway"}]});
    let loaded = load(&[
        ("a.json", groups.to_string().as_bytes()),
        ("b.json", interfaces.to_string().as_bytes()),
    ]);
    for (code, subject) in [
        ("SN103", "(1: `sg-other` on `eni-1`)"),
        ("SN104", "(1: `sg-gone` in `sg-web`)"),
        ("SN105", "(1: `pl-gone` in `sg-web`)"),
        ("SN106", "(1: `eni-2`)"),
    ] {
        let text = text_of(&loaded, code).unwrap();
        assert!(text.contains(subject), "{text}");
    }
}

#[test]
fn entries_find_their_list_by_file_name_key_or_map() {
    let entries = br#"{"Entries": [{"Cidr": "10.0.0.0/16"}], "NextToken": null}"#.as_slice();
    let lists = br#"{"PrefixLists": [{"PrefixListId": "pl-0123456789abcdef0", "PrefixListName": "own", "MaxEntries": 5, "OwnerId": "1"}]}"#.as_slice();
    let map = br#"{"pl-0123456789abcdef0": {"Entries": [{"Cidr": "10.0.0.0/16"}]}}"#.as_slice();
    for file in [("x-pl-0123456789abcdef0.json", entries), ("map.json", map)] {
        let loaded = load(&[file, ("lists.json", lists)]);
        let list = loaded.snapshot.prefix_lists.values().next().unwrap();
        assert_eq!((list.name.as_str(), list.max_entries), ("own", Some(5)));
        assert_eq!(list.entries.as_ref().map(Vec::len), Some(1));
    }
    let nameless = load(&[("entries.json", entries), ("lists.json", lists)]);
    assert!(
        text_of(&nameless, "SN117")
            .unwrap()
            .contains("`entries.json`")
    );
}

#[test]
fn config_items_fill_in_what_no_describe_call_shows() {
    let item = |kind: &str, id: &str, time: &str, configuration: Value| {
        json!({"resourceType": kind, "resourceId": id, "configurationItemStatus": "OK",
            "configurationItemCaptureTime": time, "configuration": configuration})
    };
    let group = |name: &str| {
        json!({"groupId": "sg-web", "groupName": name, "ipPermissions": [
            {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv4Ranges": [{"cidrIp": "10.0.0.0/8"}], "ipRanges": ["10.0.0.0/8"]}]})
    };
    let eni = json!({"networkInterfaceId": "eni-1", "groups": [{"groupId": "sg-web"}], "privateIpAddress": "10.0.0.5"});
    let history = json!({"fileVersion": "1.0", "configurationItems": [
        item("AWS::EC2::SecurityGroup", "sg-web", "2026-03-02T00:00:00Z", group("new")),
        item("AWS::EC2::SecurityGroup", "sg-web", "2026-03-01T00:00:00Z", group("old")),
        item("AWS::EC2::NetworkInterface", "eni-1", "2026-03-01T00:00:00Z", Value::String(eni.to_string())),
        item("AWS::S3::Bucket", "logs", "2026-03-01T00:00:00Z", json!({}))]});
    let loaded = load(&[("history.json.gz", &gzip(history.to_string().as_bytes()))]);
    assert!(describe::require_minimum(&loaded.snapshot).is_ok());
    assert_eq!(loaded.snapshot.groups[&SgId::from("sg-web")].name, "new");
    assert_eq!(rule_ids(&loaded, "sg-web").len(), 1);
    assert_eq!(loaded.snapshot.enis.len(), 1);
    let past: Vec<&str> = loaded
        .earlier
        .iter()
        .map(|state| state.groups[&SgId::from("sg-web")].name.as_str())
        .collect();
    // Before its first item it is taken as it first was.
    assert_eq!(past, ["old", "old"]);
    assert!(
        loaded.earlier[0]
            .guessed
            .groups
            .contains(&SgId::from("sg-web"))
    );
    assert!(loaded.earlier[1].guessed.groups.is_empty());
    assert_eq!(text_of(&loaded, "SN107"), None);
    let described = load(&[
        ("a.json", GROUPS.as_bytes()),
        ("history.json", history.to_string().as_bytes()),
    ]);
    assert_eq!(described.snapshot.groups[&SgId::from("sg-web")].name, "web");
    assert!(text_of(&described, "SN143").is_some());
}

#[test]
fn repeats_in_two_regions_are_silent_and_each_difference_is_noted_with_both_files() {
    let other = GROUPS.replace("443", "8443");
    let same = load(&[
        ("a/g.json", GROUPS.as_bytes()),
        ("b/g.json", GROUPS.as_bytes()),
    ]);
    assert_eq!(text_of(&same, "SN109"), None);
    let loaded = load(&[
        ("a/g.json", GROUPS.as_bytes()),
        ("b/g.json", other.as_bytes()),
    ]);
    let text = text_of(&loaded, "SN109").unwrap();
    assert!(
        text.contains("`sg-web` in `a/g.json` and `b/g.json`"),
        "{text}"
    );
    assert!(rule_ids(&loaded, "sg-web")[0].contains("8443"));
}

#[test]
fn an_answer_in_one_file_is_read_without_a_folder_and_named_in_errors() {
    let outer = folder(&[
        ("groups", &gzip(GROUPS.as_bytes())),
        ("notes.txt", b"nothing"),
    ]);
    let loaded = describe::load(&outer.path().join("groups")).unwrap();
    assert_eq!(loaded.snapshot.groups.len(), 1);
    let path = outer.path().join("notes.txt");
    let message = describe::load(&path).unwrap_err().to_string();
    assert!(
        message.starts_with(&format!("`{}`:1:2: not JSON", path.display())),
        "{message}"
    );
}

#[test]
fn the_order_and_names_of_files_do_not_matter() {
    let pages = [GROUPS, RULES, INTERFACES];
    let results = [[0, 1, 2], [2, 1, 0], [1, 0, 2]].map(|[a, b, c]| {
        load(&[
            ("a.json", pages[a].as_bytes()),
            ("b.json", pages[b].as_bytes()),
            ("c.json", pages[c].as_bytes()),
        ])
    });
    assert!(results.iter().all(|loaded| *loaded == results[0]));
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_the_file() {
    let packed = gzip(GROUPS.repeat(50).as_bytes());
    let truncated = &packed[..packed.len() / 2];
    let deep = "[".repeat(100_000);
    let cases: [(&str, &[u8], &str); 7] = [
        ("cut.json.gz", truncated, "cut.json.gz`: cannot be read: "),
        ("deep.json", deep.as_bytes(), "deep.json`:1:128: not JSON (recursion limit exceeded)"),
        ("empty.json", b"", "empty.json`:1:1: not JSON (the file is empty)"),
        ("noise.json", b"\x00\xff\x13", "noise.json`:1:1: not JSON (expected value)"),
        ("cut.txt", b"{\"SecurityGroups\": [", "cut.txt`:1:20: not JSON (EOF while parsing a list)"),
        (
            "port.json",
            br#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 70000, "IpRanges": []}]}]}"#,
            "port.json`: security group `sg-1`: port 70000 is not in 0..=65535",
        ),
        (
            "cidr.json",
            br#"{"SecurityGroups": [{"GroupId": "sg-1", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0/8\n"}]}]}]}"#,
            "cidr.json`: security group `sg-1`: `10.0.0/8\\n` is not a CIDR block",
        ),
    ];
    for (name, bytes, expected) in cases {
        let message = refused(&[(name, bytes)]).to_string();
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1);
    }
}

#[test]
fn a_folder_without_json_and_a_path_that_is_not_there_are_refused() {
    let error = refused(&[("notes.txt", b"nothing")]);
    assert!(matches!(error, DescribeError::NoJson { .. }));
    let error = describe::load(Path::new("no/such/folder")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`no/such/folder`: cannot be read: ")
    );
}

/// Any JSON, with a taste for the keys and values that are looked for.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec![
        "",
        "-1",
        "tcp",
        "icmp",
        "sg-1",
        "eni-1",
        "pl-1",
        "10.0.0.0/8",
        "::/0",
        "10.0.0.5",
        "allow",
        "AWS::EC2::SecurityGroup",
        "{\"groupId\": \"sg-1\"}",
        "2026-03-01T00:00:00Z",
        "\u{e9}\n",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(vec![-2_i64, -1, 0, 8, 443, 65_535, 65_536, i64::MAX])
            .prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop::sample::select(vec![
            "SecurityGroups",
            "security_groups",
            "SecurityGroupRules",
            "NetworkInterfaces",
            "NetworkAcls",
            "PrefixLists",
            "Entries",
            "FlowLogs",
            "configurationItems",
            "data",
            "pl-1",
            "GroupId",
            "IpPermissions",
            "IpProtocol",
            "FromPort",
            "ToPort",
            "IpRanges",
            "CidrIp",
            "UserIdGroupPairs",
            "IsEgress",
            "CidrIpv4",
            "SecurityGroupRuleId",
            "NetworkInterfaceId",
            "Groups",
            "NetworkAclId",
            "RuleNumber",
            "Egress",
            "Protocol",
            "RuleAction",
            "CidrBlock",
            "PortRange",
            "resourceType",
            "resourceId",
            "configuration",
            "Cidr",
            "InstanceId",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..8).prop_map(|map| {
                Value::Object(
                    map.into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Replaces the value at the `at`-th place, counted in depth-first order.
fn replace(value: &mut Value, at: &mut usize, new: &Value) {
    if *at == 0 {
        *value = new.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, at, new)),
        Value::Object(map) => map.iter_mut().for_each(|(_, item)| replace(item, at, new)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Reading ends in a snapshot or in an error; and in the same one twice.
fn read_twice(text: &[u8]) {
    let read = || {
        let mut collector = Collector::default();
        collector
            .add("pl-0123.json", text)
            .map_err(|error| error.to_string())?;
        collector.finish(None).map_err(|error| error.to_string())
    };
    assert_eq!(read(), read());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_json_is_read_or_refused(value in any_json()) {
        read_twice(value.to_string().as_bytes());
    }

    #[test]
    fn any_damage_to_sound_answers_is_read_or_refused(
        which in 0_usize..3,
        at in 0_usize..60,
        new in any_json(),
    ) {
        let mut value: Value = serde_json::from_str([GROUPS, RULES, INTERFACES][which]).unwrap();
        replace(&mut value, &mut at.clone(), &new);
        read_twice(value.to_string().as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64), cut in 0_usize..400) {
        read_twice(&bytes);
        read_twice(&GROUPS.as_bytes()[..cut.min(GROUPS.len())]);
    }
}
