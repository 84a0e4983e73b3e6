//! Rules with ranks, held against an evaluator that knows nothing of the
//! program: one packet, every rule asked in turn, the strongest that matches
//! decides. What is not known (a list's entries, whose policy comes first) is
//! tried both ways.

#![cfg(test)]

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::sync::Arc;

use proptest::prelude::*;

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
