//! Traffic that neither groups nor network ACLs ever filter, told by its
//! destination (VPC user guide, "Security groups" and "Network ACLs": Amazon
//! DNS, DHCP, instance metadata, task metadata, licence activation, time sync,
//! the reserved address of the VPC router).

use std::net::IpAddr;
use std::net::Ipv4Addr;

use ipnet::IpNet;

use crate::attribute::no_effect::platform;
use crate::model::Eni;
use crate::model::Snapshot;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;

const DNS_PORT: u16 = 53;

/// The service that traffic from an interface reaches unfiltered, in words;
/// `None` where groups and ACLs apply.
#[must_use]
pub fn unfiltered(
    eni: &Eni,
    protocol: IpProtocol,
    service: PortRange,
    destination: IpAddr,
    snapshot: &Snapshot,
) -> Option<&'static str> {
    platform(host_net(destination)).or_else(|| match destination {
        IpAddr::V4(address) if router(address, eni, snapshot) => Some("the VPC router"),
        IpAddr::V4(address) if resolver(address, eni, snapshot) => {
            (protocol.has_ports() && service == PortRange::single(DNS_PORT)).then_some("Amazon DNS")
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

/// The first address of a subnet after its network address.
fn router(address: Ipv4Addr, eni: &Eni, snapshot: &Snapshot) -> bool {
    let subnet = eni.subnet_id.as_ref();
    let subnet = subnet.and_then(|id| snapshot.subnets.get(id));
    subnet.is_some_and(|subnet| offset(&subnet.cidrs, address, 1))
}

/// The second address of a range of the VPC: which of the ranges is the
/// primary one, snapshots do not say.
fn resolver(address: Ipv4Addr, eni: &Eni, snapshot: &Snapshot) -> bool {
    let vpc = eni.vpc_id.as_ref();
    let vpc = vpc.and_then(|id| snapshot.vpcs.get(id));
    vpc.is_some_and(|vpc| offset(&vpc.cidrs, address, 2))
}

fn offset(ranges: &[IpNet], address: Ipv4Addr, by: u32) -> bool {
    ranges.iter().any(|range| match range {
        IpNet::V4(net) => u32::from(net.network()).checked_add(by) == Some(u32::from(address)),
        IpNet::V6(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::model::EniId;

    fn name(protocol: u8, port: u16, destination: &str) -> Option<&'static str> {
        let snapshot = World::new()
            .eni("eni-web", "subnet-1", "10.0.1.10", &["sg-web"])
            .snapshot();
        let eni = &snapshot.enis[&EniId::parse("eni-web").unwrap()];
        unfiltered(
            eni,
            IpProtocol(protocol),
            PortRange::single(port),
            destination.parse().unwrap(),
            &snapshot,
        )
    }

    #[test]
    fn services_of_the_platform_are_named() {
        assert_eq!(name(6, 80, "169.254.169.254"), Some("instance metadata"));
        assert_eq!(name(17, 123, "fd00:ec2::123"), Some("Amazon Time Sync"));
        assert_eq!(name(17, 53, "10.0.0.2"), Some("Amazon DNS"));
        assert_eq!(name(1, 8, "10.0.1.1"), Some("the VPC router"));
    }

    #[test]
    fn a_custom_resolver_is_filtered() {
        assert_eq!(name(17, 53, "10.0.9.9"), None);
        // Another subnet's second address is a host like any other.
        assert_eq!(name(17, 53, "10.0.1.2"), None);
        assert_eq!(name(6, 443, "10.0.0.2"), None);
    }
}
