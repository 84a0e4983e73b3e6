//! Rules read straight from the snapshot's JSON and asked the slow, plain way:
//! an opinion of its own for tests, sharing no code with the library.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use serde_json::Value;

use crate::cloud;
use crate::cloud::word;

/// Everything that decides a packet.
#[derive(Debug, Default)]
pub(crate) struct PlainCloud {
    pub(crate) rules: Vec<PlainRule>,
    /// Groups by interface.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Private addresses of the interfaces that carry a group.
    members: BTreeMap<String, BTreeSet<IpAddr>>,
    /// Groups on a balancer that keeps client addresses.
    balancers: BTreeSet<String>,
    lists: BTreeMap<String, Vec<Cidr>>,
}

/// One rule, as `describe-security-group-rules` or an analysis prints it.
#[derive(Clone, Debug)]
pub(crate) struct PlainRule {
    pub(crate) id: String,
    pub(crate) group: String,
    pub(crate) egress: bool,
    protocol: Option<u8>,
    from: i64,
    to: i64,
    peer: PlainPeer,
}

#[derive(Clone, Debug)]
enum PlainPeer {
    Cidr(Cidr),
    Group(String),
    List(String),
}

/// A packet that opens a connection, seen from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packet {
    pub(crate) egress: bool,
    pub(crate) protocol: u8,
    /// Destination port, or ICMP type and code; `None` where it is not known.
    pub(crate) service: Option<u16>,
    pub(crate) peer: IpAddr,
}

/// Whether a rule admits a packet; `Maybe` orders between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Admits {
    No,
    Maybe,
    Yes,
}

/// Address as one number, with the family and the length kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    v6: bool,
    bits: u128,
    length: u32,
}

fn bits(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(four) => (false, u128::from(u32::from(four)) << 96),
        IpAddr::V6(six) => (true, u128::from(six)),
    }
}

impl Cidr {
    pub(crate) fn read(text: &str) -> Cidr {
        let (address, length) = text.split_once('/').unwrap();
        let (v6, bits) = bits(address.parse().unwrap());
        Cidr {
            v6,
            bits,
            length: length.parse().unwrap(),
        }
    }

    pub(crate) fn holds(self, address: IpAddr) -> bool {
        let (v6, bits) = bits(address);
        let differing = (bits ^ self.bits).leading_zeros();
        v6 == self.v6 && differing >= self.length
    }

    pub(crate) fn is_v6(self) -> bool {
        self.v6
    }
}

impl PlainCloud {
    /// Reads a snapshot folder of the sample.
    pub(crate) fn read(folder: &Path) -> PlainCloud {
        let mut plain = PlainCloud::default();
        for path in cloud::files(folder) {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if path.extension().is_none_or(|end| end != "json") {
                continue;
            }
            let document = cloud::json(&std::fs::read(&path).unwrap());
            let each = |key: &str| document[key].as_array().cloned().unwrap_or_default();
            plain
                .rules
                .extend(each("SecurityGroupRules").iter().map(described));
            for entry in each("Entries") {
                let id = name.get(name.find("pl-").unwrap()..).unwrap();
                let own = plain.lists.entry(id.to_owned()).or_default();
                own.push(Cidr::read(word(&entry, "Cidr")));
            }
            for interface in each("NetworkInterfaces") {
                plain.add_interface(&interface);
            }
        }
        assert!(!plain.rules.is_empty() && !plain.groups.is_empty());
        plain
    }

    fn add_interface(&mut self, interface: &Value) {
        let texts = |list: &str, key: &str| -> Vec<IpAddr> {
            let all = interface[list].as_array().cloned().unwrap_or_default();
            all.iter()
                .map(|one| word(one, key).parse().unwrap())
                .collect()
        };
        let mut addresses = texts("PrivateIpAddresses", "PrivateIpAddress");
        addresses.extend(texts("Ipv6Addresses", "Ipv6Address"));
        let groups: Vec<String> = cloud::list(interface, "Groups")
            .iter()
            .map(|group| word(group, "GroupId").to_owned())
            .collect();
        for group in &groups {
            self.members
                .entry(group.clone())
                .or_default()
                .extend(&addresses);
            if interface["InterfaceType"] == "network_load_balancer" {
                self.balancers.insert(group.clone());
            }
        }
        self.groups
            .insert(word(interface, "NetworkInterfaceId").to_owned(), groups);
    }

    /// Whether one rule admits a packet. Replies are not its business.
    pub(crate) fn admits(&self, rule: &PlainRule, packet: &Packet) -> Admits {
        let in_ports = packet
            .service
            .is_none_or(|port| (rule.from..=rule.to).contains(&i64::from(port)));
        if rule.egress != packet.egress
            || rule.protocol.is_some_and(|own| own != packet.protocol)
            || !in_ports
        {
            return Admits::No;
        }
        let yes = |holds: bool| if holds { Admits::Yes } else { Admits::No };
        match &rule.peer {
            PlainPeer::Cidr(cidr) => yes(cidr.holds(packet.peer)),
            PlainPeer::List(list) => self.lists.get(list).map_or(Admits::Maybe, |cidrs| {
                yes(cidrs.iter().any(|cidr| cidr.holds(packet.peer)))
            }),
            PlainPeer::Group(group) => {
                let member = self
                    .members
                    .get(group)
                    .is_some_and(|own| own.contains(&packet.peer));
                if member {
                    Admits::Yes
                } else if self.balancers.contains(group) {
                    Admits::Maybe
                } else {
                    Admits::No
                }
            }
        }
    }

    /// Rules of an interface that admit a packet at least so surely.
    pub(crate) fn admitting<'a>(
        &'a self,
        interface: &str,
        packet: &Packet,
        least: Admits,
    ) -> Vec<&'a PlainRule> {
        let groups = &self.groups[interface];
        let own = self
            .rules
            .iter()
            .filter(|rule| groups.contains(&rule.group));
        own.filter(|rule| self.admits(rule, packet) >= least)
            .collect()
    }
}

fn described(rule: &Value) -> PlainRule {
    let peer = if let Some(cidr) = rule["CidrIpv4"].as_str().or(rule["CidrIpv6"].as_str()) {
        PlainPeer::Cidr(Cidr::read(cidr))
    } else if let Some(list) = rule["PrefixListId"].as_str() {
        PlainPeer::List(list.to_owned())
    } else {
        PlainPeer::Group(word(&rule["ReferencedGroupInfo"], "GroupId").to_owned())
    };
    plain_rule(
        word(rule, "SecurityGroupRuleId"),
        word(rule, "GroupId"),
        rule["IsEgress"] == true,
        word(rule, "IpProtocol"),
        (rule["FromPort"].as_i64(), rule["ToPort"].as_i64()),
        peer,
    )
}

/// A rule of a proposal, which belongs to this group and direction.
pub(crate) fn proposed(rule: &Value, group: &str, direction: &str) -> PlainRule {
    let peer = &rule["peer"];
    let peer = if let Some(cidr) = peer["cidr"].as_str() {
        PlainPeer::Cidr(Cidr::read(cidr))
    } else if let Some(list) = peer["prefix_list"].as_str() {
        PlainPeer::List(list.to_owned())
    } else {
        PlainPeer::Group(word(peer, "group").to_owned())
    };
    let ports = (rule["from_port"].as_i64(), rule["to_port"].as_i64());
    plain_rule(
        "proposed",
        group,
        direction == "egress",
        word(rule, "protocol"),
        ports,
        peer,
    )
}

fn plain_rule(
    id: &str,
    group: &str,
    egress: bool,
    protocol: &str,
    ports: (Option<i64>, Option<i64>),
    peer: PlainPeer,
) -> PlainRule {
    let protocol = match protocol {
        "-1" | "all" => None,
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "icmpv6" => Some(58),
        number => Some(number.parse().unwrap()),
    };
    let (from, to) = match (protocol, ports) {
        (Some(6 | 17), (Some(from), Some(to))) => (from, to),
        // Type and code, not a range.
        (Some(1 | 58), (Some(kind @ 0..), Some(code @ 0..))) => {
            (kind << 8 | code, kind << 8 | code)
        }
        (Some(1 | 58), (Some(kind @ 0..), _)) => (kind << 8, kind << 8 | 255),
        _ => (0, 65_535),
    };
    PlainRule {
        id: id.to_owned(),
        group: group.to_owned(),
        egress,
        protocol,
        from,
        to,
        peer,
    }
}

impl PlainRule {
    /// Whether its peer is an IPv6 prefix.
    pub(crate) fn is_v6(&self) -> bool {
        matches!(&self.peer, PlainPeer::Cidr(cidr) if cidr.is_v6())
    }

    /// Points worth probing: corners and their neighbours.
    pub(crate) fn corners(&self, cloud: &PlainCloud) -> Vec<Packet> {
        let protocols = self.protocol.map_or(vec![6, 17, 1, 47], |own| vec![own]);
        let services = [self.from - 1, self.from, self.to, self.to + 1];
        let services: Vec<u16> = services
            .iter()
            .filter_map(|port| u16::try_from(*port).ok())
            .collect();
        let mut packets = Vec::new();
        for peer in self.peers(cloud) {
            for protocol in &protocols {
                for service in &services {
                    packets.push(Packet {
                        egress: self.egress,
                        protocol: *protocol,
                        service: Some(*service),
                        peer,
                    });
                }
            }
        }
        packets
    }

    fn peers(&self, cloud: &PlainCloud) -> Vec<IpAddr> {
        match &self.peer {
            PlainPeer::Cidr(cidr) => cidr.edges(),
            PlainPeer::List(list) => cloud.lists[list]
                .iter()
                .flat_map(|cidr| cidr.edges())
                .collect(),
            PlainPeer::Group(group) => cloud
                .members
                .get(group)
                .into_iter()
                .flatten()
                .copied()
                .collect(),
        }
    }
}

impl Cidr {
    /// First and last address, and those just outside.
    fn edges(self) -> Vec<IpAddr> {
        let unit: u128 = if self.v6 { 1 } else { 1 << 96 };
        let host_bits = if self.length == 128 {
            0
        } else {
            u128::MAX >> self.length
        };
        let last = (self.bits | host_bits) & !(unit - 1);
        let points = [
            self.bits.wrapping_sub(unit),
            self.bits,
            last,
            last.wrapping_add(unit),
        ];
        let address = |bits: u128| {
            if self.v6 {
                IpAddr::V6(bits.into())
            } else {
                IpAddr::V4(u32::try_from(bits >> 96).unwrap().into())
            }
        };
        points.map(address).into()
    }
}
