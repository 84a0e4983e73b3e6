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
    /// Whether the intra-group policy comes before all rules, or behind them:
    /// the documentation has both.
    members_first: bool,
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
            members_first: true,
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
        if ingress && talk && self.members_first {
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
        let by_default = if ingress {
            talk
        } else {
            own.iter().all(|id| self.groups[id].0)
        };
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

impl Printed {
    /// The groups once the proposals are applied.
    fn applied(&self, analysis: &Value) -> Printed {
        let mut groups = self.groups.clone();
        for proposal in analysis["proposals"].as_array().unwrap() {
            let group = groups.get_mut(word(proposal, "group_id")).unwrap();
            group.1 &= proposal["inner_access_policy"].is_null();
            let rules = &mut group.2;
            let mut gone: Vec<&Value> = proposal["remove"].as_array().unwrap().iter().collect();
            for rule in proposal["rules"].as_array().unwrap() {
                gone.extend(rule["replaces"].as_array().unwrap());
                rules.push(permission(word(proposal, "direction"), rule));
            }
            rules.retain(|rule| !gone.contains(&&rule["SecurityGroupRuleId"]));
        }
        Printed {
            groups,
            members_first: self.members_first,
            interfaces: self.interfaces.clone(),
            lists: self.lists.clone(),
        }
    }
}

/// A proposed rule as the CLI would print it.
fn permission(direction: &str, rule: &Value) -> Value {
    let side = if direction == "ingress" {
        "Source"
    } else {
        "Dest"
    };
    let (from, to) = (&rule["from_port"], &rule["to_port"]);
    let ports = match word(rule, "protocol") {
        "tcp" | "udp" => format!("{from}/{to}"),
        _ => "-1/-1".to_owned(),
    };
    let mut printed = serde_json::json!({
        "SecurityGroupRuleId": "sgr-new",
        "Direction": direction,
        "Policy": if rule["effect"] == "drop" { "Drop" } else { "Accept" },
        "Priority": rule["priority"].to_string(),
        "IpProtocol": word(rule, "protocol").to_uppercase(),
        "PortRange": ports,
    });
    let peer = &rule["peer"];
    for (key, name) in [
        ("cidr", "CidrIp"),
        ("group", "GroupId"),
        ("prefix_list", "PrefixListId"),
    ] {
        printed[format!("{side}{name}")] = word(peer, key).into();
    }
    printed
}

/// Connections that nobody made: each one's far side, port or protocol is
/// another's.
fn crossed(connections: &[Value]) -> impl Iterator<Item = Value> {
    let others = connections.iter().cycle().skip(connections.len() / 3);
    connections
        .iter()
        .zip(others)
        .enumerate()
        .map(|(at, (one, other))| {
            let mut made = one.clone();
            for key in ["initiator", "responder"].into_iter().skip(at % 3) {
                made[key] = other[key].clone();
            }
            for key in ["protocol", "service_port"] {
                made[key] = if at % 2 == 0 { &other[key] } else { &one[key] }.clone();
            }
            made
        })
}

#[test]
fn proposals_break_nothing_that_passed_and_open_nothing() {
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let clouds = std::env::var("FLOWCINCH_CLOUDS");
    let clouds = clouds.ok().and_then(|clouds| clouds.parse().ok());
    let (mut tightened, mut closed, mut isolated) = (0, 0, 0);
    for seed in 1..=clouds.unwrap_or(2) {
        let folder = make(|config| config.seed = seed);
        let path = |name: &str| folder.path().join(name);
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_flowcinch"))
            .args(["analyze", "--format", "json", "--exit-zero", "--snapshot"])
            .args([path("snapshot"), path("logs")])
            .output()
            .unwrap();
        let analysis: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert_eq!(analysis["verification"]["broken"], 0);
        assert_eq!(analysis["verification"]["widened"], 0);
        let mut before = Printed::read(&path("snapshot"));
        let mut after = before.applied(&analysis);
        let proposals = analysis["proposals"].as_array().unwrap();
        tightened += proposals.len();
        let isolates = proposals
            .iter()
            .filter(|one| one["inner_access_policy"] == "drop");
        isolated += isolates.count();
        let truth = json(&path("truth.json"));
        let connections = truth["connections"].as_array().unwrap();
        for connection in connections {
            for passage in connection["passed_by"].as_array().unwrap() {
                let ingress = passage["direction"] == "ingress";
                // What nobody logged cannot be kept.
                let records = &connection["records"][word(passage, "interface_id")];
                if records["requests"].as_u64() > Some(0) {
                    let now = after.judge(&passage["interface_id"], ingress, connection);
                    assert!(now.0, "seed {seed}: {connection}");
                }
            }
        }
        let made: Vec<Value> = crossed(connections).collect();
        let all = || connections.iter().chain(&made);
        let asked = all().map(|one| (true, one));
        for (members_first, connection) in asked.chain(all().map(|one| (false, one))) {
            (before.members_first, after.members_first) = (members_first, members_first);
            for (end, ingress) in [("initiator", false), ("responder", true)] {
                let near = &connection[end]["interface_id"];
                if near.is_null() {
                    continue;
                }
                let was = before.judge(near, ingress, connection).0;
                let is = after.judge(near, ingress, connection).0;
                assert!(was || !is, "seed {seed} {end}: {connection}");
                closed += usize::from(was && !is);
            }
        }
    }
    assert!(tightened > 10 && closed > 100, "{tightened}, {closed}");
    assert!(isolated > 1, "{isolated}");
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

/// The sample in the tree: what an analysis says of its rules is the truth
/// beside it, or in doubt where it is for ICMP, whose type no log tells.
#[test]
fn the_sample_in_the_tree_leads_to_its_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sample-logs/alibaba");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_flowcinch"))
        .args(["analyze", "--format", "json", "--exit-zero", "--snapshot"])
        .args([folder.join("snapshot"), folder.join("logs")])
        .output()
        .unwrap();
    let analysis: Value = serde_json::from_slice(&run.stdout).unwrap();
    let groups = analysis["security_groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let said: BTreeMap<&str, &Value> = rules.map(|rule| (word(rule, "rule_id"), rule)).collect();
    let truth = json(&folder.join("truth.json"));
    for rule in truth["rules"].as_array().unwrap() {
        let own = said[word(rule, "rule_id")];
        let in_doubt = own["protocol"] == "icmp" && own["status"] == "unobservable";
        assert!(own["status"] == rule["status"] || in_doubt, "{rule}\n{own}");
    }
    assert_eq!(analysis["ingest"]["malformed"], 0);
}
