//! The made-up cloud's truth, held against its own snapshot and logs by a
//! plain reader of the JSON: it knows nothing of the simulation.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use flate2::read::GzDecoder;
use flowcinch::net::Timestamp;
use flowcinch::sample::SampleConfig;
use ipnet::IpNet;
use serde_json::Value;

struct Cloud {
    rules: Vec<Value>,
    interfaces: Vec<Value>,
    lists: BTreeMap<String, Vec<IpNet>>,
    truth: Value,
}

fn cloud(folder: &Path) -> Cloud {
    let json = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let part = |name: &str, key: &str| {
        let document = json(&folder.join("snapshot").join(name));
        document[key].as_array().unwrap().clone()
    };
    let mut lists = BTreeMap::new();
    for entry in fs::read_dir(folder.join("snapshot")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(id) = name.strip_prefix("prefix-list-entries-") {
            let entries = part(&name, "Entries");
            let net = |entry: &Value| entry["Cidr"].as_str().unwrap().parse().unwrap();
            let id = id.strip_suffix(".json").unwrap().to_owned();
            lists.insert(id, entries.iter().map(net).collect());
        }
    }
    Cloud {
        rules: part("security-group-rules.json", "SecurityGroupRules"),
        interfaces: part("network-interfaces.json", "NetworkInterfaces"),
        lists,
        truth: json(&folder.join("truth.json")),
    }
}

impl Cloud {
    fn interface(&self, id: &Value) -> Option<&Value> {
        self.interfaces
            .iter()
            .find(|own| own["NetworkInterfaceId"] == *id)
    }

    fn carries(interface: &Value, group: &Value) -> bool {
        let mut groups = interface["Groups"].as_array().unwrap().iter();
        groups.any(|own| own["GroupId"] == *group)
    }

    /// Ids of the rules that cover a connection at one of its ends, sorted.
    fn covering(&self, connection: &Value, passage: &Value) -> Vec<String> {
        let near = self.interface(&passage["interface_id"]).unwrap();
        let egress = passage["direction"] == "egress";
        let far = &connection[if egress { "responder" } else { "initiator" }];
        let mut ids: Vec<String> = self
            .rules
            .iter()
            .filter(|rule| rule["IsEgress"] == egress && Cloud::carries(near, &rule["GroupId"]))
            .filter(|rule| covers_service(rule, connection) && self.covers_peer(rule, near, far))
            .map(|rule| rule["SecurityGroupRuleId"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    }

    fn covers_peer(&self, rule: &Value, near: &Value, far: &Value) -> bool {
        let address: IpAddr = far["address"].as_str().unwrap().parse().unwrap();
        for key in ["CidrIpv4", "CidrIpv6"] {
            if let Some(net) = rule[key].as_str() {
                return net.parse::<IpNet>().unwrap().contains(&address);
            }
        }
        if let Some(list) = rule["PrefixListId"].as_str() {
            return self.lists[list].iter().any(|net| net.contains(&address));
        }
        let group = &rule["ReferencedGroupInfo"]["GroupId"];
        self.interface(&far["interface_id"])
            .is_some_and(|own| own["VpcId"] == near["VpcId"] && Cloud::carries(own, group))
    }
}

fn covers_service(rule: &Value, connection: &Value) -> bool {
    let number = |value: &Value| value.as_i64();
    match rule["IpProtocol"].as_str().unwrap() {
        "-1" => true,
        protocol if connection["protocol"] != protocol => false,
        // Every ICMP packet of a sample is an echo.
        "icmp" => [-1, 8].contains(&number(&rule["FromPort"]).unwrap()),
        _ => {
            let port = number(&connection["service_port"]);
            number(&rule["FromPort"]) <= port && port <= number(&rule["ToPort"])
        }
    }
}

fn text_of_logs(folder: &Path) -> String {
    let mut text = String::new();
    for entry in walkdir::WalkDir::new(folder.join("logs")) {
        let entry = entry.unwrap();
        if entry.file_type().is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
        }
    }
    text
}

fn make() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = SampleConfig {
        out: folder.path().to_owned(),
        records: 30_000,
        ipv6: true,
        ..SampleConfig::default()
    };
    flowcinch::sample::write(&config).unwrap();
    folder
}

#[test]
fn the_snapshot_alone_explains_every_passage() {
    let folder = make();
    let cloud = cloud(folder.path());
    let mut passages = 0;
    for connection in cloud.truth["connections"].as_array().unwrap() {
        for passage in connection["passed_by"].as_array().unwrap() {
            let told = passage["rules"].as_array().unwrap().iter();
            let told: Vec<&str> = told.map(|id| id.as_str().unwrap()).collect();
            assert_eq!(cloud.covering(connection, passage), told, "{connection}");
            passages += 1;
        }
    }
    assert!(passages > 3_000, "only {passages}");
}

/// Per rule: records, those that it alone covers, and bytes.
type Uses = BTreeMap<String, (u64, u64, u64)>;

/// What the lines themselves add up to, for one connection end after another.
fn uses_from_lines(cloud: &Cloud, text: &str) -> Uses {
    let mut ends: BTreeMap<String, Vec<(i64, i64, &Value)>> = BTreeMap::new();
    for connection in cloud.truth["connections"].as_array().unwrap() {
        for passage in connection["passed_by"].as_array().unwrap() {
            let word = |value: &Value| value.as_str().unwrap().to_owned();
            let port = |value: &Value| value.as_u64().unwrap_or(0);
            let key = format!(
                "{} {} {} {} {} {}",
                word(&passage["interface_id"]),
                word(&passage["direction"]),
                word(&connection["initiator"]["address"]),
                word(&connection["responder"]["address"]),
                port(&connection["client_port"]),
                port(&connection["service_port"]),
            );
            let second = |key: &str| Timestamp::parse_rfc3339(connection[key].as_str().unwrap());
            let (start, end) = (second("start").unwrap(), second("end").unwrap());
            ends.entry(key).or_default().push((start.0, end.0, passage));
        }
    }
    let mut uses = Uses::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        if fields[12] != "ACCEPT" {
            continue;
        }
        // interface-id, flow-direction, pkt-srcaddr, pkt-dstaddr, ports
        let key = [2, 27, 19, 20, 5, 6].map(|at: usize| fields[at]).join(" ");
        // Of the ends that look alike, the one that lived when the line began.
        let start: i64 = fields[10].parse().unwrap();
        let lived = |found: &&(i64, i64, &Value)| found.0 <= start && start <= found.1;
        let Some((_, _, passage)) = ends.get(&key).and_then(|found| found.iter().find(lived))
        else {
            continue;
        };
        let rules = passage["rules"].as_array().unwrap();
        for rule in rules {
            let used = uses.entry(rule.as_str().unwrap().to_owned()).or_default();
            used.0 += 1;
            used.1 += u64::from(rules.len() == 1);
            used.2 += fields[9].parse::<u64>().unwrap();
        }
    }
    uses
}

#[test]
fn the_counts_of_rules_are_those_of_the_lines() {
    let folder = make();
    let cloud = cloud(folder.path());
    let uses = uses_from_lines(&cloud, &text_of_logs(folder.path()));
    for rule in cloud.truth["rules"].as_array().unwrap() {
        let counted = |key: &str| rule[key].as_u64().unwrap();
        let told = (
            counted("records"),
            counted("sole_records"),
            counted("bytes"),
        );
        let found = uses.get(rule["rule_id"].as_str().unwrap());
        assert_eq!(found.copied().unwrap_or_default(), told, "{rule}");
    }
}
