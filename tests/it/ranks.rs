//! Rules with ranks, held against an evaluator that knows nothing of the
//! program: one packet, every rule asked in turn, the strongest that matches
//! decides. What is not known (a list's entries, whose policy comes first) is
//! tried both ways.

#![cfg(test)]

mod against;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use flowcinch::attribute::cover::Candidate;
use flowcinch::attribute::cover::Question;
use flowcinch::attribute::cover::decided_at;
use flowcinch::attribute::merge::Camp;
use flowcinch::attribute::scene::Scene;
use flowcinch::attribute::shadow::shadows;
use flowcinch::attribute::why::Passage;
use flowcinch::model::Direction;
use flowcinch::model::Effect;
use flowcinch::model::Eni;
use flowcinch::model::EniId;
use flowcinch::model::GroupPolicy;
use flowcinch::model::InterfaceKind;
use flowcinch::model::Limits;
use flowcinch::model::Peer;
use flowcinch::model::PrefixList;
use flowcinch::model::PrefixListId;
use flowcinch::model::SecurityGroup;
use flowcinch::model::SgId;
use flowcinch::model::SgRule;
use flowcinch::model::SgRuleId;
use flowcinch::model::Snapshot;
use flowcinch::model::Transport;
use flowcinch::model::VpcId;
use flowcinch::net::IpProtocol;
use flowcinch::net::PortRange;

use crate::case::Case;

/// A rule as the evaluator reads it.
#[derive(Clone, Debug)]
struct Plain {
    ingress: bool,
    drop: bool,
    priority: u16,
    /// 6, 17, or 0 for all.
    protocol: u8,
    ports: (u16, u16),
    peer: Whom,
    sources: Option<(u16, u16)>,
}

#[derive(Clone, Copy, Debug)]
enum Whom {
    /// 10.0.0.0 with so many of the last bits open, from this host on.
    Net(u8, u8),
    /// A group by number.
    Group(usize),
    /// Hosts 8 to 15.
    KnownList,
    UnknownList,
    Anybody,
    Nobody,
}

/// Three groups, and the interfaces by their last address byte.
#[derive(Clone, Debug)]
struct Cloud {
    rules: [Vec<Plain>; 3],
    /// Whether members of a group reach each other.
    talks: [bool; 3],
    advanced: bool,
    carried: BTreeMap<u8, Vec<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    ingress: bool,
    protocol: u8,
    port: u16,
    source: u16,
    local: u8,
    peer: u8,
}

/// What nobody knows of a cloud.
#[derive(Clone, Copy, Debug)]
struct Unknown {
    /// Whether the unknown list has the peer.
    listed: bool,
    /// Whether the intra-group policy comes before the rules, or after.
    members_first: bool,
}

/// What becomes of a packet, and which rules decided it.
type Fate = (bool, BTreeSet<(usize, usize)>);

impl Plain {
    fn matches(&self, packet: Packet, cloud: &Cloud, unknown: Unknown) -> bool {
        let whom = match self.peer {
            Whom::Net(base, open) => packet.peer >> open == base >> open,
            Whom::Group(group) => {
                let carried = cloud.carried.get(&packet.peer);
                carried.is_some_and(|groups| groups.contains(&group))
            }
            Whom::KnownList => (8..16).contains(&packet.peer),
            Whom::UnknownList => unknown.listed,
            Whom::Anybody => true,
            Whom::Nobody => false,
        };
        let within = |(from, to): (u16, u16), port: u16| from <= port && port <= to;
        self.ingress == packet.ingress
            && (self.protocol == 0
                || self.protocol == packet.protocol && within(self.ports, packet.port))
            && self
                .sources
                .is_none_or(|range| within(range, packet.source))
            && whom
    }
}

impl Cloud {
    /// The fate of a packet, found by asking every rule.
    fn fate(&self, packet: Packet, unknown: Unknown) -> Fate {
        let nobody = BTreeSet::new();
        let own = &self.carried[&packet.local];
        let fellow = |group: &&usize| {
            let peers = self.carried.get(&packet.peer);
            self.talks[**group] && peers.is_some_and(|peers| peers.contains(group))
        };
        let members = packet.ingress && !self.advanced && own.iter().any(|g| fellow(&g));
        if members && unknown.members_first {
            return (true, nobody);
        }
        let mut matching = Vec::new();
        for &group in own {
            for (number, rule) in self.rules[group].iter().enumerate() {
                if rule.matches(packet, self, unknown) {
                    matching.push((rule.priority, !rule.drop, (group, number)));
                }
            }
        }
        if let Some(&(priority, accepts, _)) = matching.iter().min() {
            let winners = matching
                .iter()
                .filter(|one| (one.0, one.1) == (priority, accepts));
            return (accepts, winners.map(|one| one.2).collect());
        }
        (members || (!packet.ingress && !self.advanced), nobody)
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let groups = Arc::make_mut(&mut snapshot.groups);
        for (number, rules) in self.rules.iter().enumerate() {
            let id = group_id(number);
            let rules = rules
                .iter()
                .enumerate()
                .map(|(at, rule)| model(number, at, rule));
            let group = SecurityGroup {
                id: id.clone(),
                name: String::new(),
                description: String::new(),
                vpc_id: Some(VpcId::from("vpc-1")),
                owner_id: None,
                tags: BTreeMap::new(),
                policy: GroupPolicy {
                    ranked: true,
                    egress_default: if self.advanced {
                        Effect::Drop
                    } else {
                        Effect::Allow
                    },
                    members_talk: self.talks[number] && !self.advanced,
                    managed: false,
                    references: !self.advanced,
                },
                rules: rules.collect(),
            };
            groups.insert(id, group);
        }
        let enis = Arc::make_mut(&mut snapshot.enis);
        for (host, groups) in &self.carried {
            let eni = interface(*host, groups);
            enis.insert(eni.id, eni);
        }
        for (id, entries) in [
            ("pl-known", Some(vec!["10.0.0.8/29".parse().unwrap()])),
            ("pl-unknown", None),
        ] {
            let list = PrefixList {
                id: PrefixListId::from(id),
                name: String::new(),
                aws_managed: false,
                max_entries: None,
                entries,
            };
            Arc::make_mut(&mut snapshot.prefix_lists).insert(list.id.clone(), list);
        }
        snapshot
    }
}

fn group_id(number: usize) -> SgId {
    SgId::from(format!("sg-{number}").as_str())
}

fn rule_id(group: usize, number: usize) -> SgRuleId {
    SgRuleId::from(format!("sgr-{group}-{number}").as_str())
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, host)
}

fn interface(host: u8, groups: &[usize]) -> Eni {
    Eni {
        id: EniId::parse(&format!("eni-{host}")).unwrap(),
        kind: InterfaceKind::Interface,
        description: String::new(),
        requester_managed: false,
        in_use: true,
        vpc_id: Some(VpcId::from("vpc-1")),
        subnet_id: None,
        addresses: vec![IpAddr::V4(address(host))],
        prefixes: Vec::new(),
        public_addresses: Vec::new(),
        groups: groups.iter().map(|group| group_id(*group)).collect(),
        instance_id: None,
        tags: BTreeMap::new(),
    }
}

fn model(group: usize, number: usize, rule: &Plain) -> SgRule {
    let ports = PortRange::new(rule.ports.0, rule.ports.1).unwrap();
    SgRule {
        id: rule_id(group, number),
        direction: if rule.ingress {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        effect: if rule.drop {
            Effect::Drop
        } else {
            Effect::Allow
        },
        priority: Some(rule.priority),
        transport: match rule.protocol {
            0 => Transport::All,
            6 => Transport::Tcp(ports),
            _ => Transport::Udp(ports),
        },
        peer: match rule.peer {
            Whom::Net(base, open) => {
                let text = format!("{}/{}", address(base >> open << open), 32 - open);
                Peer::Cidr(text.parse().unwrap())
            }
            Whom::Group(group) => Peer::SecurityGroup(group_id(group)),
            Whom::KnownList => Peer::PrefixList(PrefixListId::from("pl-known")),
            Whom::UnknownList => Peer::PrefixList(PrefixListId::from("pl-unknown")),
            Whom::Anybody => Peer::Cidr("0.0.0.0/0".parse().unwrap()),
            Whom::Nobody => Peer::Cidr("192.0.2.0/24".parse().unwrap()),
        },
        limits: Limits {
            source_ports: rule.sources.and_then(|(from, to)| PortRange::new(from, to)),
            ..Limits::default()
        },
        description: String::new(),
    }
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        6 => (0_u8..16, 0_u8..5).prop_map(|(base, open)| Whom::Net(base, open)),
        2 => (0_usize..3).prop_map(Whom::Group),
        1 => Just(Whom::KnownList),
        1 => Just(Whom::UnknownList),
        1 => Just(Whom::Anybody),
    ]
}

fn plain() -> impl Strategy<Value = Plain> {
    let range = (0_u16..8, 0_u16..8).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let sources = prop::option::weighted(0.2, range.clone());
    let kind = (any::<bool>(), any::<bool>(), 1_u16..5, 0_usize..3);
    (kind, range, whom(), sources).prop_map(
        |((ingress, drop, priority, protocol), ports, peer, sources)| Plain {
            ingress,
            drop,
            priority,
            protocol: [0, 6, 17][protocol],
            ports,
            peer,
            sources,
        },
    )
}

fn cloud() -> impl Strategy<Value = Cloud> {
    let rules = || prop::collection::vec(plain(), 0..9);
    let carried = || prop::sample::subsequence(vec![0_usize, 1, 2], 1..=3);
    let interfaces = prop::collection::btree_map(0_u8..16, carried(), 1..6);
    (
        [rules(), rules(), rules()],
        any::<[bool; 3]>(),
        any::<bool>(),
        interfaces,
    )
        .prop_map(|(rules, talks, advanced, carried)| Cloud {
            rules,
            talks,
            advanced,
            carried,
        })
}

fn packet() -> impl Strategy<Value = Packet> {
    (
        any::<bool>(),
        any::<bool>(),
        0_u16..9,
        0_u16..9,
        any::<prop::sample::Index>(),
        0_u8..20,
    )
        .prop_map(|(ingress, tcp, port, source, _, peer)| Packet {
            ingress,
            protocol: if tcp { 6 } else { 17 },
            port,
            source,
            local: 0,
            peer,
        })
}

fn named(camp: &Camp<'_>) -> [BTreeSet<SgRuleId>; 2] {
    [&camp.sure, &camp.possible]
        .map(|rules| rules.iter().map(|(_, rule)| rule.id.clone()).collect())
}

/// What the program says of one packet.
fn check(cloud: &Cloud, snapshot: &Snapshot, packet: Packet) -> Result<(), TestCaseError> {
    let scene = Scene::new(snapshot);
    let eni = &snapshot.enis[&EniId::parse(&format!("eni-{}", packet.local)).unwrap()];
    let question = Question {
        direction: if packet.ingress {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        protocol: IpProtocol(packet.protocol),
        services: &[PortRange::single(packet.port)],
        sources: &[PortRange::single(packet.source)],
        peer: IpAddr::V4(address(packet.peer)),
    };
    let (decision, _) = decided_at(&question, &Candidate { scene: &scene, eni });
    let mut fates: Vec<Fate> = Vec::new();
    for listed in [false, true] {
        for members_first in [false, true] {
            let unknown = Unknown {
                listed,
                members_first,
            };
            fates.push(cloud.fate(packet, unknown));
        }
    }
    let passing: BTreeSet<bool> = fates.iter().map(|(passes, _)| *passes).collect();
    match decision.passage() {
        Passage::Allowed => prop_assert_eq!(&passing, &BTreeSet::from([true])),
        Passage::Blocked => prop_assert_eq!(&passing, &BTreeSet::from([false])),
        Passage::Undecided => {
            let doubt = fates.iter().any(|fate| *fate != fates[0]);
            prop_assert!(doubt, "all is known, and nothing was decided");
        }
    }
    for (passes, winners) in &fates {
        let camp = decision.camp(if *passes { Effect::Allow } else { Effect::Drop });
        let [sure, possible] = named(camp);
        let winners: BTreeSet<SgRuleId> = winners.iter().map(|(g, n)| rule_id(*g, *n)).collect();
        let known: BTreeSet<SgRuleId> = sure.union(&possible).cloned().collect();
        prop_assert!(
            winners.is_subset(&known),
            "{winners:?} decided, {known:?} named"
        );
        // Beyond doubt: nothing else may have decided it.
        let alone = possible.is_empty() && !sure.is_empty();
        let unwritten = if *passes {
            decision.passing_unwritten()
        } else {
            decision.stopping_unwritten()
        };
        if alone && unwritten.is_none() {
            prop_assert_eq!(&winners, &sure);
        }
        if known.is_empty() {
            prop_assert!(unwritten.is_some());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn verdict_and_winner_are_those_of_asking_every_rule(
        cloud in cloud(),
        packets in prop::collection::vec(packet(), 1..30),
    ) {
        let snapshot = cloud.snapshot();
        for packet in packets {
            for local in cloud.carried.keys() {
                let packet = Packet { local: *local, ..packet };
                if packet.peer != *local {
                    check(&cloud, &snapshot, packet)?;
                }
            }
        }
    }

    #[test]
    fn a_shadowed_rule_decides_no_packet(cloud in cloud()) {
        let snapshot = cloud.snapshot();
        let scene = Scene::new(&snapshot);
        let shadowed = shadows(&scene);
        let mut deciding: BTreeSet<SgRuleId> = BTreeSet::new();
        for local in cloud.carried.keys() {
            for peer in 0_u8..20 {
                for (port, source) in (0..9).flat_map(|port| (0..9).map(move |source| (port, source))) {
                    for (ingress, protocol) in [(true, 6), (true, 17), (false, 6), (false, 17), (true, 47), (false, 47)] {
                        let packet = Packet { ingress, protocol, port, source, local: *local, peer };
                        for listed in [false, true] {
                            let unknown = Unknown { listed, members_first: false };
                            let (_, winners) = cloud.fate(packet, unknown);
                            deciding.extend(winners.iter().map(|(g, n)| rule_id(*g, *n)));
                        }
                    }
                }
            }
        }
        for (_, id) in shadowed.keys() {
            prop_assert!(!deciding.contains(id), "{id} decides and is called shadowed");
        }
    }
}

/// What a run of the program says of a cloud and its logs.
struct Told {
    statuses: BTreeMap<String, String>,
    proposals: Vec<Value>,
    broken: u64,
    widened: u64,
}

fn permission(group: usize, number: usize, rule: &Plain) -> Value {
    let protocol = match rule.protocol {
        0 => "ALL",
        6 => "TCP",
        _ => "UDP",
    };
    let ports = match rule.protocol {
        0 => "-1/-1".to_owned(),
        _ => format!("{}/{}", rule.ports.0, rule.ports.1),
    };
    let side = if rule.ingress { "Source" } else { "Dest" };
    let (key, peer) = match rule.peer {
        Whom::Net(base, open) => {
            let net = format!("{}/{}", address(base >> open << open), 32 - open);
            (format!("{side}CidrIp"), net)
        }
        Whom::Group(group) => (format!("{side}GroupId"), group_id(group).to_string()),
        Whom::KnownList => (format!("{side}PrefixListId"), "pl-known".to_owned()),
        Whom::UnknownList => (format!("{side}PrefixListId"), "pl-unknown".to_owned()),
        Whom::Anybody => (format!("{side}CidrIp"), "0.0.0.0/0".to_owned()),
        Whom::Nobody => (format!("{side}CidrIp"), "192.0.2.0/24".to_owned()),
    };
    let sources = rule
        .sources
        .map_or(String::new(), |(from, to)| format!("{from}/{to}"));
    json!({"SecurityGroupRuleId": rule_id(group, number).as_str(),
        "Direction": if rule.ingress { "ingress" } else { "egress" },
        "Policy": if rule.drop { "Drop" } else { "Accept" },
        "Priority": rule.priority.to_string(), "IpProtocol": protocol, "PortRange": ports,
        "SourcePortRange": sources, key: peer})
}

impl Cloud {
    /// The answers of the API, as its command line prints them.
    fn describe(&self, case: &Case, folder: &str) {
        let kind = if self.advanced {
            "enterprise"
        } else {
            "normal"
        };
        let groups: Vec<Value> = (0..3)
            .map(|number| {
                json!({"SecurityGroupId": group_id(number).as_str(), "SecurityGroupName": "g",
                    "VpcId": "vpc-1", "SecurityGroupType": kind})
            })
            .collect();
        let text = json!({"SecurityGroups": {"SecurityGroup": groups}}).to_string();
        case.file(&format!("{folder}/groups.json"), text);
        for (number, rules) in self.rules.iter().enumerate() {
            let rules = rules.iter().enumerate();
            let rules: Vec<Value> = rules
                .map(|(at, rule)| permission(number, at, rule))
                .collect();
            let inner = if self.talks[number] { "Accept" } else { "Drop" };
            let text = json!({"SecurityGroupId": group_id(number).as_str(), "VpcId": "vpc-1",
                "InnerAccessPolicy": inner, "Permissions": {"Permission": rules}});
            case.file(&format!("{folder}/rules-{number}.json"), text.to_string());
        }
        let enis: Vec<Value> = self
            .carried
            .iter()
            .map(|(host, groups)| {
                let groups: Vec<String> = groups.iter().map(|g| group_id(*g).to_string()).collect();
                json!({"NetworkInterfaceId": format!("eni-{host}"), "Status": "InUse",
                    "VpcId": "vpc-1", "PrivateIpAddress": address(*host).to_string(),
                    "SecurityGroupIds": {"SecurityGroupId": groups}})
            })
            .collect();
        let text = json!({"NetworkInterfaceSets": {"NetworkInterfaceSet": enis}}).to_string();
        case.file(&format!("{folder}/interfaces.json"), text);
        let text = json!({"PrefixListId": "pl-known", "PrefixListName": "known", "MaxEntries": 5,
            "Entries": {"Entry": [{"Cidr": "10.0.0.8/29"}]}});
        case.file(&format!("{folder}/list.json"), text.to_string());
    }

    /// One packet of each, with what became of it.
    fn logs(&self, packets: &[Packet], truth: Unknown) -> String {
        let mut text = "version account-id interface-id srcaddr dstaddr srcport dstport protocol \
            packets bytes start end action log-status tcp-flags flow-direction\n"
            .to_owned();
        for host in self.carried.keys() {
            writeln!(
                text,
                "5 1 eni-{host} - - - - - - - 1768000000 1768000060 - NODATA - -"
            )
            .unwrap();
        }
        for packet in packets {
            let (passes, _) = self.fate(*packet, truth);
            let (local, peer) = (address(packet.local), address(packet.peer));
            let (from, to, way) = if packet.ingress {
                (peer, local, "ingress")
            } else {
                (local, peer, "egress")
            };
            let action = if passes { "ACCEPT" } else { "REJECT" };
            let flags = if packet.protocol == 6 { "2" } else { "-" };
            writeln!(
                text,
                "5 1 eni-{} {from} {to} {} {} {} 1 60 1768000000 1768000020 {action} OK {flags} {way}",
                packet.local, packet.source, packet.port, packet.protocol
            )
            .unwrap();
        }
        text
    }

    fn analyze(&self, packets: &[Packet], truth: Unknown) -> Told {
        let case = Case::new();
        self.describe(&case, "snapshot");
        case.file("logs/all.log", self.logs(packets, truth));
        let run = case.run(&[
            "analyze",
            "logs",
            "--snapshot",
            "snapshot",
            "--format",
            "json",
        ]);
        let analysis: Value = serde_json::from_slice(&run.stdout)
            .unwrap_or_else(|_| panic!("{:?}: {}", run.status, run.stderr));
        let groups = analysis["security_groups"].as_array().unwrap();
        let rules = groups
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Told {
            statuses: rules
                .map(|rule| (text(&rule["rule_id"]), text(&rule["status"])))
                .collect(),
            proposals: analysis["proposals"].as_array().unwrap().clone(),
            broken: analysis["verification"]["broken"].as_u64().unwrap(),
            widened: analysis["verification"]["widened"].as_u64().unwrap(),
        }
    }

    /// The cloud with the proposals in force.
    fn after(&self, proposals: &[Value]) -> Cloud {
        let mut rules: [Vec<Plain>; 3] = [Vec::new(), Vec::new(), Vec::new()];
        for (group, own) in self.rules.iter().enumerate() {
            for (number, rule) in own.iter().enumerate() {
                let id = rule_id(group, number);
                let gone = proposals.iter().any(|proposal| {
                    let names = |ids: &Value| {
                        ids.as_array()
                            .unwrap()
                            .iter()
                            .any(|one| *one == *id.as_str())
                    };
                    let mut planned = proposal["rules"].as_array().unwrap().iter();
                    names(&proposal["remove"]) || planned.any(|rule| names(&rule["replaces"]))
                });
                if !gone {
                    rules[group].push(rule.clone());
                }
            }
        }
        let mut talks = self.talks;
        for proposal in proposals {
            let group = (0..3).find(|group| proposal["group_id"] == *group_id(*group).as_str());
            let ingress = proposal["direction"] == "ingress";
            talks[group.unwrap()] &= proposal["inner_access_policy"].is_null();
            let planned = proposal["rules"].as_array().unwrap().iter();
            rules[group.unwrap()].extend(planned.map(|rule| planned_rule(rule, ingress)));
        }
        Cloud {
            rules,
            talks,
            ..self.clone()
        }
    }
}

fn planned_rule(rule: &Value, ingress: bool) -> Plain {
    let number = |key: &str| rule[key].as_u64().map(|port| u16::try_from(port).unwrap());
    let peer = &rule["peer"];
    Plain {
        ingress,
        drop: rule["effect"] == "drop",
        priority: number("priority").unwrap(),
        protocol: match rule["protocol"].as_str().unwrap() {
            "all" => 0,
            "tcp" => 6,
            "udp" => 17,
            other => other.parse().unwrap(),
        },
        ports: (
            number("from_port").unwrap_or(0),
            number("to_port").unwrap_or(u16::MAX),
        ),
        peer: match (
            peer["cidr"].as_str(),
            peer["group"].as_str(),
            peer["prefix_list"].as_str(),
        ) {
            (Some(net), ..) => {
                let net: ipnet::Ipv4Net = net.parse().unwrap();
                match net.contains(&address(0)) {
                    true if net.prefix_len() <= 24 => Whom::Anybody,
                    false if net.prefix_len() < 24 => Whom::Nobody,
                    _ => Whom::Net(net.addr().octets()[3], 32 - net.prefix_len()),
                }
            }
            (_, Some(group), _) => Whom::Group(group.strip_prefix("sg-").unwrap().parse().unwrap()),
            (_, _, Some("pl-known")) => Whom::KnownList,
            _ => Whom::UnknownList,
        },
        sources: None,
    }
}

/// All that nobody knows, both ways.
fn worlds() -> impl Iterator<Item = Unknown> {
    [false, true].into_iter().flat_map(|listed| {
        [false, true].map(|members_first| Unknown {
            listed,
            members_first,
        })
    })
}

/// Each packet that the small world has, at one interface.
fn universe(local: u8) -> impl Iterator<Item = Packet> {
    let ways = [true, false]
        .into_iter()
        .flat_map(|ingress| [6, 17, 47].map(|p| (ingress, p)));
    ways.flat_map(move |(ingress, protocol)| {
        (0..20)
            .filter(move |peer| *peer != local)
            .flat_map(move |peer| {
                (0..9).flat_map(move |port| {
                    (0..9).map(move |source| Packet {
                        ingress,
                        protocol,
                        port,
                        source,
                        local,
                        peer,
                    })
                })
            })
    })
}

/// Packets at these hosts of which it is plain who began.
fn apart(hosts: &[u8], packets: Vec<(Packet, prop::sample::Index)>) -> Vec<Packet> {
    // A port that both opens and is opened leaves who began to guesswork, as do
    // the same two ports the other way round: each port has one part here.
    let mut parts: BTreeMap<(u8, u8, u16), bool> = BTreeMap::new();
    // Nor does a far port reach two near ones.
    let mut reached: BTreeMap<(u8, u8, u8, u16), u16> = BTreeMap::new();
    let mut seen: BTreeMap<(u8, bool, u8, u16, u8), Packet> = BTreeMap::new();
    for (packet, at) in packets {
        let packet = Packet {
            local: hosts[at.index(hosts.len())],
            ..packet
        };
        let (near, far) = if packet.ingress {
            (packet.port, packet.source)
        } else {
            (packet.source, packet.port)
        };
        let part = *parts
            .entry((packet.local, packet.protocol, near))
            .or_insert(packet.ingress);
        let way = (packet.local, packet.peer, packet.protocol, far);
        let alone = *reached.entry(way).or_insert(near) == near;
        if packet.peer != packet.local && part == packet.ingress && alone {
            let key = (
                packet.local,
                packet.ingress,
                packet.protocol,
                packet.port,
                packet.peer,
            );
            seen.entry(key).or_insert(packet);
        }
    }
    seen.into_values().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn statuses_are_true_and_proposals_break_and_open_nothing(
        cloud in cloud(),
        packets in prop::collection::vec((packet(), any::<prop::sample::Index>()), 1..25),
        members_first: bool,
    ) {
        let hosts: Vec<u8> = cloud.carried.keys().copied().collect();
        let packets = apart(&hosts, packets);
        let truth = Unknown { listed: false, members_first };
        let told = cloud.analyze(&packets, truth);
        prop_assert_eq!((told.broken, told.widened), (0, 0));

        for (id, status) in &told.statuses {
            // By what was seen, in every world that explains it.
            let decides = |packet: &Packet, alone: bool| {
                let (passed, _) = cloud.fate(*packet, truth);
                let fates = worlds().map(|world| cloud.fate(*packet, world));
                // A REJECT may be the network ACL's, so it tells of no world alone; and
                // that an ACCEPT rules out a world of several unknown lists, nobody
                // has to see.
                let told = |fate: &Fate| fate.0 == passed || alone;
                let mut fates = fates.filter(told);
                let by = |(_, winners): Fate| {
                    let mut names = winners.iter().map(|(g, n)| rule_id(*g, *n));
                    names.any(|winner| winner.as_str() == id) && (!alone || winners.len() == 1)
                };
                if alone { fates.all(by) } else { fates.any(by) }
            };
            let surely = packets.iter().any(|packet| decides(packet, true));
            let perhaps = packets.iter().any(|packet| decides(packet, false));
            match status.as_str() {
                "used" => prop_assert!(perhaps, "{id} is called used"),
                "unused" | "shadowed" => prop_assert!(!perhaps, "{id} is called {status}"),
                _ => prop_assert!(!surely, "{id} decided alone and is called {status}"),
            }
        }

        let after = cloud.after(&told.proposals);
        for packet in &packets {
            for world in worlds() {
                let (passed, _) = cloud.fate(*packet, truth);
                if passed && cloud.fate(*packet, world).0 {
                    prop_assert!(after.fate(*packet, world).0, "{packet:?} would break");
                }
            }
        }
        for packet in hosts.iter().flat_map(|local| universe(*local)) {
            for world in worlds() {
                if after.fate(packet, world).0 {
                    prop_assert!(cloud.fate(packet, world).0, "{packet:?} would open");
                }
            }
        }
    }
}
