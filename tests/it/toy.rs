//! Toy clouds for laws: a few interfaces, groups and connections drawn from
//! tiny domains, so that chance makes them meet, and shrunk to readable ones.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;

use flowcinch::cloud::Access;
use flowcinch::pipeline;
use flowcinch::pipeline::Assign;
use flowcinch::pipeline::MinConfidence;
use flowcinch::pipeline::Obligations;
use flowcinch::pipeline::Progress;
use flowcinch::pipeline::Request;
use flowcinch::report::json;
use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;

use crate::cloud;
use crate::plain::Admits;
use crate::plain::Packet;
use crate::plain::PlainCloud;

const START: i64 = 1_790_812_800;
const HOURS: i64 = 4;
const INTERFACES: usize = 4;
const GROUPS: usize = 3;

const PORTS: [u16; 7] = [0, 22, 80, 443, 8080, 40_000, 65_535];
const PREFIXES: [&str; 10] = [
    "0.0.0.0/0",
    "10.0.0.0/16",
    "10.0.1.0/24",
    "10.0.1.10/32",
    "198.51.100.0/24",
    "198.51.100.64/26",
    "203.0.113.7/32",
    "::/0",
    "2001:db8::/32",
    "2001:db8:1::7/128",
];
/// Outside the interfaces: two families, some in prefixes and some in none.
const OUTSIDE: [&str; 6] = [
    "198.51.100.7",
    "198.51.100.70",
    "203.0.113.7",
    "192.0.2.1",
    "2001:db8:1::7",
    "2001:db8:ffff::1",
];

/// A rule by indices into the domains.
#[derive(Clone, Debug)]
pub(crate) struct ToyRule {
    group: usize,
    egress: bool,
    /// all, tcp, udp, icmp, 47.
    protocol: usize,
    ports: (usize, usize),
    /// A prefix, then a group.
    peer: usize,
}

/// A connection at one interface.
#[derive(Clone, Debug)]
pub(crate) struct ToyFlow {
    interface: usize,
    egress: bool,
    /// An interface, then an address outside.
    peer: usize,
    /// tcp, udp, icmp, 47.
    protocol: usize,
    port: usize,
    client: u16,
    answered: bool,
    /// Flags of both halves; without, nothing says who opened it.
    flags: bool,
    hour: i64,
}

/// Everything of one case.
#[derive(Clone, Debug)]
pub(crate) struct Toy {
    rules: Vec<ToyRule>,
    /// Groups of each interface, as bits.
    groups: Vec<usize>,
}

pub(crate) fn toy() -> impl Strategy<Value = Toy> {
    let rule = (
        0..GROUPS,
        any::<bool>(),
        0usize..5,
        (0..PORTS.len(), 0..PORTS.len()),
        0..PREFIXES.len() + GROUPS,
    );
    let rule = rule.prop_map(|(group, egress, protocol, (a, b), peer)| ToyRule {
        group,
        egress,
        protocol,
        ports: (a.min(b), a.max(b)),
        peer,
    });
    let groups = prop::collection::vec(1usize..1 << GROUPS, INTERFACES);
    (prop::collection::vec(rule, 1..12), groups).prop_map(|(rules, groups)| Toy { rules, groups })
}

/// Connections of any kind, or only such whose handshake says everything.
pub(crate) fn flows(count: usize, handshakes: bool) -> impl Strategy<Value = Vec<ToyFlow>> {
    let flow = (
        0..INTERFACES,
        any::<bool>(),
        0..INTERFACES + OUTSIDE.len(),
        0usize..4,
        0..PORTS.len(),
        49_152u16..49_160,
        any::<bool>(),
        any::<bool>(),
        0..HOURS,
    );
    let flow = flow.prop_map(
        move |(interface, egress, peer, protocol, port, client, answered, flags, hour)| ToyFlow {
            interface,
            egress,
            peer,
            protocol: if handshakes { 0 } else { protocol },
            port,
            client,
            answered,
            flags: flags || handshakes,
            hour,
        },
    );
    prop::collection::vec(flow, 0..count)
}

fn address(peer: usize) -> IpAddr {
    if peer < INTERFACES {
        return format!("10.0.1.{}", 10 + peer).parse().unwrap();
    }
    OUTSIDE[peer - INTERFACES].parse().unwrap()
}

pub(crate) fn interface_id(interface: usize) -> String {
    format!("eni-0000000000000000{interface}")
}

fn group_id(group: usize) -> String {
    format!("sg-0000000000000000{group}")
}

impl ToyFlow {
    /// The packet that opened it.
    pub(crate) fn request(&self) -> (String, Packet) {
        let packet = Packet {
            egress: self.egress,
            protocol: [6, 17, 1, 47][self.protocol],
            service: (self.protocol < 2).then_some(PORTS[self.port]),
            peer: address(self.peer),
        };
        (interface_id(self.interface), packet)
    }

    pub(crate) fn is_v4(&self) -> bool {
        address(self.peer).is_ipv4()
    }

    /// Its records: both halves where it was answered.
    fn lines(&self) -> String {
        let (_, packet) = self.request();
        let local: IpAddr = if packet.peer.is_ipv4() {
            address(self.interface)
        } else {
            format!("2001:db8:10::{}", 10 + self.interface)
                .parse()
                .unwrap()
        };
        let (client, service) = packet.service.map_or((0, 0), |port| (self.client, port));
        let (from, to) = if self.egress {
            (local, packet.peer)
        } else {
            (packet.peer, local)
        };
        let way = |egress: bool| if egress { "egress" } else { "ingress" };
        let flags = |set: u8| match (self.flags, packet.protocol) {
            (true, 6) => set.to_string(),
            (false, 6) => "0".to_owned(),
            _ => "-".to_owned(),
        };
        let (start, eni) = (
            START + self.hour * 3_600 + 600,
            interface_id(self.interface),
        );
        let tail = format!("{} 3 180 {start} {} ACCEPT OK", packet.protocol, start + 30);
        let mut lines = format!(
            "{eni} {from} {to} {client} {service} {tail} {} {}\n",
            flags(2),
            way(self.egress)
        );
        if self.answered {
            let (flags, way) = (flags(18), way(!self.egress));
            let answer = format!("{eni} {to} {from} {service} {client} {tail} {flags} {way}\n");
            lines.push_str(&answer);
        }
        lines
    }
}

/// A toy on disk.
pub(crate) struct Table {
    pub(crate) folder: TempDir,
    pub(crate) plain: PlainCloud,
}

impl Toy {
    /// Writes the snapshot.
    pub(crate) fn set_up(&self) -> Table {
        let folder = tempfile::tempdir().unwrap();
        self.write_snapshot(&folder.path().join("snapshot"), |_| {});
        let plain = PlainCloud::read(&folder.path().join("snapshot"));
        Table { folder, plain }
    }

    /// Writes the snapshot with its lists in the order that `arrange` makes.
    pub(crate) fn write_snapshot(&self, folder: &Path, arrange: impl Fn(&mut Vec<Value>)) {
        fs::create_dir_all(folder).unwrap();
        let mut rules: Vec<Value> = (0..)
            .zip(&self.rules)
            .map(|(number, rule)| described(number, rule))
            .collect();
        let mut groups: Vec<Value> = (0..GROUPS)
            .map(|group| self.group(group, &arrange))
            .collect();
        let mut interfaces: Vec<Value> = (0..INTERFACES)
            .map(|one| self.interface(one, &arrange))
            .collect();
        for (name, key, list) in [
            ("rules", "SecurityGroupRules", &mut rules),
            ("groups", "SecurityGroups", &mut groups),
            ("interfaces", "NetworkInterfaces", &mut interfaces),
        ] {
            arrange(list);
            let document = json!({key: list});
            fs::write(folder.join(format!("{name}.json")), document.to_string()).unwrap();
        }
        let vpcs = json!({"Vpcs": [{"VpcId": "vpc-00", "CidrBlock": "10.0.0.0/16",
            "Ipv6CidrBlockAssociationSet": [{"Ipv6CidrBlock": "2001:db8:10::/56", "Ipv6CidrBlockState": {"State": "associated"}}]}]});
        fs::write(folder.join("vpcs.json"), vpcs.to_string()).unwrap();
    }

    fn group(&self, group: usize, arrange: &impl Fn(&mut Vec<Value>)) -> Value {
        let permissions = |egress: bool| {
            let own = self
                .rules
                .iter()
                .filter(|rule| rule.group == group && rule.egress == egress);
            let mut all: Vec<Value> = own.map(permission).collect();
            arrange(&mut all);
            all
        };
        json!({"GroupId": group_id(group), "GroupName": format!("g{group}"), "VpcId": "vpc-00",
            "IpPermissions": permissions(false), "IpPermissionsEgress": permissions(true)})
    }

    fn interface(&self, interface: usize, arrange: &impl Fn(&mut Vec<Value>)) -> Value {
        let carried = (0..GROUPS).filter(|group| self.groups[interface] >> group & 1 == 1);
        let mut groups: Vec<Value> = carried
            .map(|group| json!({"GroupId": group_id(group)}))
            .collect();
        arrange(&mut groups);
        let address = address(interface);
        json!({"NetworkInterfaceId": interface_id(interface), "VpcId": "vpc-00", "SubnetId": "subnet-00",
            "InterfaceType": "interface", "Status": "in-use", "PrivateIpAddress": address,
            "PrivateIpAddresses": [{"Primary": true, "PrivateIpAddress": address}],
            "Ipv6Addresses": [{"Ipv6Address": format!("2001:db8:10::{}", 10 + interface)}],
            "Groups": groups})
    }
}

fn protocol_and_ports(rule: &ToyRule) -> (&'static str, i64, i64) {
    let (from, to) = (PORTS[rule.ports.0].into(), PORTS[rule.ports.1].into());
    match rule.protocol {
        0 => ("-1", -1, -1),
        1 => ("tcp", from, to),
        2 => ("udp", from, to),
        3 => ("icmp", -1, -1),
        _ => ("47", -1, -1),
    }
}

fn described(number: usize, rule: &ToyRule) -> Value {
    let (protocol, from, to) = protocol_and_ports(rule);
    let mut described = json!({"SecurityGroupRuleId": format!("sgr-{number:017}"), "GroupId": group_id(rule.group),
        "IsEgress": rule.egress, "IpProtocol": protocol, "FromPort": from, "ToPort": to});
    let (key, peer) = peer(rule);
    described[key] = match key {
        "GroupId" => json!(null),
        _ => json!(peer),
    };
    if key == "GroupId" {
        described["GroupId"] = json!(group_id(rule.group));
        described["ReferencedGroupInfo"] = json!({"GroupId": peer});
    }
    described
}

fn permission(rule: &ToyRule) -> Value {
    let (protocol, from, to) = protocol_and_ports(rule);
    let (key, peer) = peer(rule);
    let (list, name) = match key {
        "CidrIpv4" => ("IpRanges", "CidrIp"),
        "CidrIpv6" => ("Ipv6Ranges", "CidrIpv6"),
        _ => ("UserIdGroupPairs", "GroupId"),
    };
    json!({"IpProtocol": protocol, "FromPort": from, "ToPort": to, list: [{name: peer}]})
}

fn peer(rule: &ToyRule) -> (&'static str, String) {
    match PREFIXES.get(rule.peer) {
        Some(prefix) if prefix.contains(':') => ("CidrIpv6", (*prefix).to_owned()),
        Some(prefix) => ("CidrIpv4", (*prefix).to_owned()),
        None => ("GroupId", group_id(rule.peer - PREFIXES.len())),
    }
}

impl Table {
    /// Of these connections, those that some rule lets through.
    pub(crate) fn passing(&self, flows: &[ToyFlow]) -> Vec<ToyFlow> {
        let passes = |flow: &&ToyFlow| {
            let (interface, packet) = flow.request();
            !self
                .plain
                .admitting(&interface, &packet, Admits::Yes)
                .is_empty()
        };
        flows.iter().filter(passes).cloned().collect()
    }

    /// The analysis of these connections, with every hour watched.
    pub(crate) fn analyze(&self, flows: &[ToyFlow], assign: Assign) -> Value {
        cloud::json(&self.analyze_snapshot("snapshot", flows, assign))
    }

    pub(crate) fn analyze_snapshot(
        &self,
        snapshot: &str,
        flows: &[ToyFlow],
        assign: Assign,
    ) -> Vec<u8> {
        let mut text = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status tcp-flags flow-direction\n".to_owned();
        for hour in 0..HOURS {
            for interface in 0..INTERFACES {
                let start = START + hour * 3_600;
                let (eni, end) = (interface_id(interface), start + 59);
                let idle = format!("{eni} - - - - - - - {start} {end} - NODATA - -\n");
                text.push_str(&idle);
            }
        }
        for flow in flows {
            text.push_str(&flow.lines());
        }
        let log = self.folder.path().join("a.log");
        fs::write(&log, text).unwrap();
        let request = Request {
            logs: vec![log.to_str().unwrap().to_owned()],
            snapshots: vec![self.folder.path().join(snapshot)],
            assign,
            ..request()
        };
        json::to_bytes(&pipeline::analyze(&request, &Silent).unwrap()).unwrap()
    }
}

fn request() -> Request {
    Request {
        logs: Vec::new(),
        access: Access::default(),
        digests: Vec::new(),
        snapshots: Vec::<PathBuf>::new(),
        fields: None,
        since: None,
        until: None,
        threads: Some(1),
        memory: None,
        rule_quota: 60,
        limits: flowcinch::tighten::Limits::default(),
        min_confidence: MinConfidence::High,
        obligations: Obligations::All,
        assign: Assign::All,
    }
}

struct Silent;

impl Progress for Silent {
    fn begin(&self, _: u64, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn object_done(&self) {}
    fn phase(&self, _: &str) {}
}
