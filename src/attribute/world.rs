//! Small made-up clouds for the tests of this floor, in a line each.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::AclEntry;
use crate::model::AclId;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::GroupPolicy;
use crate::model::InterfaceKind;
use crate::model::Limits;
use crate::model::NetworkAcl;
use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::model::Transport;
use crate::model::VpcId;
use crate::model::sg::IcmpTypeCode;
use crate::model::vpc::Subnet;
use crate::model::vpc::Vpc;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A snapshot under construction: VPC `vpc-1` is 10.0.0.0/16, `subnet-N` is
/// 10.0.N.0/24 for N of 1 and 2, with no ACL known.
pub(crate) struct World(Snapshot);

impl World {
    pub(crate) fn new() -> World {
        let mut snapshot = Snapshot::default();
        let vpc_id = VpcId::from("vpc-1");
        Arc::make_mut(&mut snapshot.vpcs).insert(
            vpc_id.clone(),
            Vpc {
                id: vpc_id.clone(),
                cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            },
        );
        for (id, cidr) in [("subnet-1", "10.0.1.0/24"), ("subnet-2", "10.0.2.0/24")] {
            let subnet = Subnet {
                id: SubnetId::from(id),
                vpc_id: Some(vpc_id.clone()),
                cidrs: vec![cidr.parse().unwrap()],
            };
            Arc::make_mut(&mut snapshot.subnets).insert(subnet.id.clone(), subnet);
        }
        World(snapshot)
    }

    pub(crate) fn snapshot(self) -> Snapshot {
        self.0
    }

    /// Changes the snapshot by hand.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Snapshot)) -> World {
        change(&mut self.0);
        self
    }

    /// Changes one interface by hand.
    pub(crate) fn with_eni(self, id: &str, change: impl FnOnce(&mut Eni)) -> World {
        self.with(|snapshot| {
            let id = EniId::parse(id).unwrap();
            change(Arc::make_mut(&mut snapshot.enis).get_mut(&id).unwrap());
        })
    }

    /// An interface of `vpc-1`.
    pub(crate) fn eni(self, id: &str, subnet: &str, address: &str, groups: &[&str]) -> World {
        let eni = Eni {
            id: EniId::parse(id).unwrap(),
            kind: InterfaceKind::Interface,
            description: String::new(),
            requester_managed: false,
            in_use: true,
            vpc_id: Some(VpcId::from("vpc-1")),
            subnet_id: Some(SubnetId::from(subnet)),
            addresses: vec![address.parse().unwrap()],
            prefixes: Vec::new(),
            public_addresses: Vec::new(),
            groups: groups.iter().map(|group| SgId::from(*group)).collect(),
            instance_id: None,
            tags: BTreeMap::new(),
        };
        self.with(|snapshot| {
            Arc::make_mut(&mut snapshot.enis).insert(eni.id, eni);
        })
    }

    /// A group with rules such as `in tcp 443 10.0.0.0/8`, `out all - sg-1`.
    pub(crate) fn group(self, id: &str, rules: &[&str]) -> World {
        let id = SgId::from(id);
        let group = SecurityGroup {
            id: id.clone(),
            name: String::new(),
            description: String::new(),
            vpc_id: None,
            owner_id: None,
            tags: BTreeMap::new(),
            policy: GroupPolicy::default(),
            rules: rules.iter().map(|text| rule(&id, text)).collect(),
        };
        self.with(|snapshot| {
            Arc::make_mut(&mut snapshot.groups).insert(id, group);
        })
    }

    /// An ACL with entries such as `in 100 allow tcp 443 0.0.0.0/0`.
    pub(crate) fn acl(self, id: &str, subnets: &[&str], entries: &[&str]) -> World {
        let acl = NetworkAcl {
            id: AclId::from(id),
            vpc_id: None,
            subnets: subnets.iter().map(|id| SubnetId::from(*id)).collect(),
            entries: entries.iter().map(|text| entry(text)).collect(),
        };
        self.with(|snapshot| {
            Arc::make_mut(&mut snapshot.acls).insert(acl.id.clone(), acl);
        })
    }

    /// A prefix list whose entries are known.
    pub(crate) fn prefix_list(self, id: &str, entries: &[&str]) -> World {
        let id = PrefixListId::from(id);
        let entries = entries.iter().map(|net| net.parse().unwrap());
        let list = PrefixList {
            id: id.clone(),
            name: String::new(),
            aws_managed: false,
            max_entries: None,
            entries: Some(entries.collect()),
        };
        self.with(|snapshot| {
            Arc::make_mut(&mut snapshot.prefix_lists).insert(id, list);
        })
    }

    /// An ACL that passes everything over IPv4.
    pub(crate) fn open_acl(self, id: &str, subnets: &[&str]) -> World {
        let all = [
            "in 100 allow all - 0.0.0.0/0",
            "out 100 allow all - 0.0.0.0/0",
        ];
        self.acl(id, subnets, &all)
    }
}

fn rule(group: &SgId, text: &str) -> SgRule {
    let [way, protocol, service, peer] = text.split(' ').collect::<Vec<_>>()[..] else {
        panic!("`{text}` is no rule");
    };
    let peer = match peer {
        id if id.starts_with("sg-") => Peer::SecurityGroup(SgId::from(id)),
        id if id.starts_with("pl-") => Peer::PrefixList(PrefixListId::from(id)),
        net => Peer::Cidr(net.parse().unwrap()),
    };
    let transport = transport(protocol, service);
    SgRule {
        id: SgRule::derived_id(group, direction(way), transport, &peer),
        direction: direction(way),
        effect: Effect::Allow,
        priority: None,
        transport,
        peer,
        limits: Limits::default(),
        description: String::new(),
    }
}

fn entry(text: &str) -> AclEntry {
    let [way, number, effect, protocol, service, cidr] = text.split(' ').collect::<Vec<_>>()[..]
    else {
        panic!("`{text}` is no entry");
    };
    AclEntry {
        direction: direction(way),
        number: number.parse().unwrap(),
        effect: match effect {
            "allow" => Effect::Allow,
            other => {
                assert_eq!(other, "deny");
                Effect::Drop
            }
        },
        transport: transport(protocol, service),
        cidr: cidr.parse().unwrap(),
    }
}

fn direction(way: &str) -> Direction {
    match way {
        "in" => Direction::Ingress,
        other => {
            assert_eq!(other, "out");
            Direction::Egress
        }
    }
}

fn transport(protocol: &str, service: &str) -> Transport {
    let ports = match service.split_once('-') {
        None => PortRange::single(service.parse().unwrap()),
        Some(("", "")) => PortRange::ALL,
        Some((from, to)) => PortRange::new(from.parse().unwrap(), to.parse().unwrap()).unwrap(),
    };
    match protocol {
        "all" => Transport::All,
        "tcp" => Transport::Tcp(ports),
        "udp" => Transport::Udp(ports),
        "icmp" if ports == PortRange::ALL => Transport::Icmp(IcmpTypeCode::Any),
        "icmp" => Transport::Icmp(IcmpTypeCode::Type(service.parse().unwrap())),
        number => Transport::Other(IpProtocol(number.parse().unwrap())),
    }
}
