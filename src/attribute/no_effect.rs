//! Rules that are only for traffic that groups never filter: Amazon DNS,
//! instance metadata, time sync and the like (VPC user guide, "Security
//! groups"). Such a rule has no effect; that nothing used it says nothing.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use ipnet::Ipv4Net;

use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// Link-local services that every VPC offers.
const PLATFORM: [(&str, &str); 9] = [
    ("169.254.169.254/32", "instance metadata"),
    ("169.254.169.253/32", "Amazon DNS"),
    ("169.254.169.123/32", "Amazon Time Sync"),
    ("169.254.170.2/32", "task metadata"),
    ("169.254.169.250/32", "licence activation"),
    ("169.254.169.251/32", "licence activation"),
    ("fd00:ec2::254/128", "instance metadata"),
    ("fd00:ec2::253/128", "Amazon DNS"),
    ("fd00:ec2::123/128", "Amazon Time Sync"),
];

/// The service, in words, that all of the rule's extent belongs to; `None`
/// where groups filter some of it.
#[must_use]
pub fn no_effect(
    rule: &SgRule,
    group: &SecurityGroup,
    snapshot: &Snapshot,
) -> Option<&'static str> {
    let Peer::Cidr(net) = &rule.peer else {
        return None;
    };
    platform(*net).or_else(|| is_resolver(rule, *net, group, snapshot).then_some("Amazon DNS"))
}

/// The link-local service whose one address this is, in words.
#[must_use]
pub fn platform(net: IpNet) -> Option<&'static str> {
    let mut services = PLATFORM.iter();
    let service = services.find(|(known, _)| known.parse() == Ok(net));
    service.map(|(_, name)| *name)
}

/// Whether the rule is for port 53 of the VPC's own resolver: the second
/// address of the VPC's range.
fn is_resolver(rule: &SgRule, net: IpNet, group: &SecurityGroup, snapshot: &Snapshot) -> bool {
    let dns = PortRange::single(53);
    let names = [IpProtocol::UDP, IpProtocol::TCP].map(Some);
    if !names.contains(&rule.transport.protocol()) || rule.transport.service() != dns {
        return false;
    }
    match net {
        IpNet::V4(v4) if v4.prefix_len() == 32 => resolvers(v4.addr(), group, snapshot),
        IpNet::V4(_) | IpNet::V6(_) => false,
    }
}

fn resolvers(address: Ipv4Addr, group: &SecurityGroup, snapshot: &Snapshot) -> bool {
    let Some(base) = address.to_bits().checked_sub(2).map(Ipv4Addr::from_bits) else {
        return false;
    };
    let vpc = group.vpc_id.as_ref().and_then(|id| snapshot.vpcs.get(id));
    if let Some(vpc) = vpc {
        return vpc
            .cidrs
            .iter()
            .any(|cidr| cidr.network() == IpAddr::V4(base));
    }
    // Without the VPC's range: some range that begins here, no larger than a
    // VPC may be (/16 to /28), must hold all of its subnets.
    let subnets: Vec<&IpNet> = snapshot
        .subnets
        .values()
        .filter(|subnet| subnet.vpc_id.is_some() && subnet.vpc_id == group.vpc_id)
        .flat_map(|subnet| &subnet.cidrs)
        .filter(|cidr| matches!(cidr, IpNet::V4(_)))
        .collect();
    let owned = snapshot
        .enis
        .values()
        .any(|eni| eni.owns(IpAddr::V4(address)));
    !owned && !subnets.is_empty() && (16..=28).any(|length| holds_all(base, length, &subnets))
}

fn holds_all(base: Ipv4Addr, length: u8, subnets: &[&IpNet]) -> bool {
    let Ok(net) = Ipv4Net::new(base, length) else {
        return false;
    };
    net.network() == base
        && subnets
            .iter()
            .all(|subnet| IpNet::V4(net).contains(*subnet))
}
