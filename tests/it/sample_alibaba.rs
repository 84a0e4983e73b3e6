//! The made-up cloud on Alibaba Cloud: its truth held against its own snapshot
//! by a plain reader of what the CLI prints, and its forms against each other.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use flate2::read::GzDecoder;
use flowcinch::model::Provider;
use flowcinch::sample::Form;
use flowcinch::sample::SampleConfig;
use flowcinch::sample::SampleError;
use ipnet::IpNet;
use serde_json::Value;

fn make(change: impl FnOnce(&mut SampleConfig)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut config = SampleConfig {
        out: folder.path().to_owned(),
        records: 20_000,
        provider: Provider::Alibaba,
        form: Form::OssJson,
        ..SampleConfig::default()
    };
    change(&mut config);
    flowcinch::sample::write(&config).unwrap();
    folder
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// The snapshot as it is printed.
struct Printed {
    /// Kind, whether members may talk, and rules by group.
    groups: BTreeMap<String, (bool, bool, Vec<Value>)>,
    interfaces: Vec<Value>,
    lists: BTreeMap<String, Vec<IpNet>>,
}

impl Printed {
    fn read(folder: &Path) -> Printed {
        let listed = |name: &str, outer: &str, inner: &str| {
            let document = json(&folder.join(format!("{name}.json")));
            document[outer][inner].as_array().unwrap().clone()
        };
        let groups = listed("DescribeSecurityGroups", "SecurityGroups", "SecurityGroup");
        let lists = listed("DescribePrefixLists", "PrefixLists", "PrefixList");
        let group = |group: &Value| {
            let id = word(group, "SecurityGroupId").to_owned();
            let name = format!("DescribeSecurityGroupAttribute-{id}.json");
            let attribute = json(&folder.join(name));
            let basic = word(group, "SecurityGroupType") == "normal";
            let inner = basic && word(&attribute, "InnerAccessPolicy") == "Accept";
            let rules = attribute["Permissions"]["Permission"].as_array().unwrap();
            (id, (basic, inner, rules.clone()))
        };
        let list = |list: &Value| {
            let id = word(list, "PrefixListId").to_owned();
            let name = format!("DescribePrefixListAttributes-{id}");
            let entries = listed(&name, "Entries", "Entry");
            let nets = entries.iter().map(|own| word(own, "Cidr").parse().unwrap());
            (id, nets.collect())
        };
        Printed {
            groups: groups.iter().map(group).collect(),
            interfaces: listed(
                "DescribeNetworkInterfaces",
                "NetworkInterfaceSets",
                "NetworkInterfaceSet",
            ),
            lists: lists.iter().map(list).collect(),
        }
    }

    fn groups_of(&self, interface: &Value) -> Vec<String> {
        let known = self.interfaces.iter();
        let mut known = known.filter(|own| own["NetworkInterfaceId"] == *interface);
        let groups = known.next().map(|own| &own["SecurityGroupIds"]);
        let groups = groups.and_then(|groups| groups["SecurityGroupId"].as_array());
        let ids = groups.into_iter().flatten();
        ids.map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// Whether the request passes an interface, and the rules that decide it.
    fn judge(&self, near: &Value, ingress: bool, connection: &Value) -> (bool, Vec<String>) {
        let far = &connection[if ingress { "initiator" } else { "responder" }];
        let (own, other) = (self.groups_of(near), self.groups_of(&far["interface_id"]));
        let talk = own.iter().any(|id| self.groups[id].1 && other.contains(id));
        if ingress && talk {
            return (true, Vec::new());
        }
        let address: IpAddr = word(far, "address").parse().unwrap();
        let mut best: Option<(u32, bool)> = None;
        let mut deciding = Vec::new();
        for rule in own.iter().flat_map(|id| &self.groups[id].2) {
            let fits = (word(rule, "Direction") == "ingress") == ingress
                && serves(rule, connection)
                && self.names(rule, ingress, address, &other);
            let rank = (
                word(rule, "Priority").parse().unwrap(),
                word(rule, "Policy") == "Accept",
            );
            if !fits || best.is_some_and(|best| best < rank) {
                continue;
            }
            if best != Some(rank) {
                deciding.clear();
            }
            best = Some(rank);
            deciding.push(word(rule, "SecurityGroupRuleId").to_owned());
        }
        deciding.sort();
        let by_default = !ingress && own.iter().all(|id| self.groups[id].0);
        (best.map_or(by_default, |(_, accept)| accept), deciding)
    }

    fn names(&self, rule: &Value, ingress: bool, address: IpAddr, far: &[String]) -> bool {
        let side = if ingress { "Source" } else { "Dest" };
        let told = |what: &str| word(rule, &format!("{side}{what}")).to_owned();
        let (net, group, list) = (told("CidrIp"), told("GroupId"), told("PrefixListId"));
        match (net.is_empty(), group.is_empty()) {
            (false, _) => net.parse::<IpNet>().unwrap().contains(&address),
            (true, false) => far.contains(&group),
            (true, true) => self.lists[&list].iter().any(|net| net.contains(&address)),
        }
    }
}

fn serves(rule: &Value, connection: &Value) -> bool {
    let protocol = word(rule, "IpProtocol");
    if protocol == "ALL" {
        return true;
    }
    let (from, to) = word(rule, "PortRange").split_once('/').unwrap();
    let port = connection["service_port"].as_i64().unwrap_or(-1);
    protocol.eq_ignore_ascii_case(word(connection, "protocol"))
        && from.parse::<i64>().unwrap() <= port
        && port <= to.parse::<i64>().unwrap()
}

#[test]
fn the_snapshot_alone_explains_every_passage_and_every_stop() {
    let folder = make(|_| {});
    let printed = Printed::read(&folder.path().join("snapshot"));
    let truth = json(&folder.path().join("truth.json"));
    let (mut passed, mut stopped) = (0, 0);
    for connection in truth["connections"].as_array().unwrap() {
        let passages = connection["passed_by"].as_array().unwrap();
        for passage in passages {
            let ingress = passage["direction"] == "ingress";
            let (passes, rules) = printed.judge(&passage["interface_id"], ingress, connection);
            let told = passage["rules"].as_array().unwrap().iter();
            let told: Vec<&str> = told.map(|id| id.as_str().unwrap()).collect();
            assert!(passes && rules == told, "{connection}: {rules:?}");
            passed += 1;
        }
        let ends = [("initiator", false), ("responder", true)];
        let ends = ends.map(|(end, ingress)| (&connection[end]["interface_id"], ingress));
        let there = ends.iter().filter(|(interface, _)| !interface.is_null());
        if word(connection, "outcome") == "rejected_by_group" {
            let (interface, ingress) = there.clone().nth(passages.len()).unwrap();
            assert!(
                !printed.judge(interface, *ingress, connection).0,
                "{connection}"
            );
            stopped += 1;
        }
    }
    assert!(passed > 3_000 && stopped > 300, "{passed}, {stopped}");
}

#[test]
fn the_truth_has_every_kind_of_rule() {
    let folder = make(|config| config.records = 60_000);
    let truth = json(&folder.path().join("truth.json"));
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for rule in truth["rules"].as_array().unwrap() {
        *kinds.entry(word(rule, "status")).or_default() += 1;
    }
    for kind in ["used", "unused", "shadowed", "unobservable"] {
        assert!(kinds.contains_key(kind), "{kinds:?}");
    }
}

/// Every record of all objects, field by field, sorted.
fn records(folder: &Path, read: fn(&str) -> Vec<BTreeMap<String, String>>) -> Vec<String> {
    let mut all = Vec::new();
    for entry in walkdir::WalkDir::new(folder.join("logs")) {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let mut text = String::new();
        let file = fs::File::open(entry.path()).unwrap();
        GzDecoder::new(file).read_to_string(&mut text).unwrap();
        all.extend(read(&text).iter().map(|record| format!("{record:?}")));
    }
    all.sort();
    all
}

fn read_json(text: &str) -> Vec<BTreeMap<String, String>> {
    let read = |line: &str| -> BTreeMap<String, String> {
        let mut fields: BTreeMap<String, String> = serde_json::from_str(line).unwrap();
        fields.retain(|name, _| !name.starts_with("__"));
        fields
    };
    text.lines().map(read).collect()
}

fn read_csv(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    lines
        .map(|line| names.iter().cloned().zip(line).collect())
        .collect()
}

#[test]
fn both_forms_of_text_say_the_same() {
    let by_json = records(make(|_| {}).path(), read_json);
    let by_csv = records(make(|config| config.form = Form::OssCsv).path(), read_csv);
    assert!(by_json.len() > 20_000);
    assert_eq!(by_json, by_csv);
}

#[test]
fn what_the_cloud_does_not_deliver_is_refused() {
    let refused = |change: fn(&mut SampleConfig)| {
        let mut config = SampleConfig {
            provider: Provider::Alibaba,
            form: Form::OssJson,
            ..SampleConfig::default()
        };
        change(&mut config);
        flowcinch::sample::write(&config).unwrap_err()
    };
    let text = refused(|config| config.form = Form::Text);
    assert!(matches!(text, SampleError::Form));
    for change in [
        (|config| config.ipv6 = true) as fn(&mut SampleConfig),
        |config| config.format_version = 2,
    ] {
        assert!(matches!(refused(change), SampleError::OneFormat));
    }
}
