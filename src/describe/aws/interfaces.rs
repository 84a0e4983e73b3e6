//! `describe-network-interfaces`, the interfaces inside `describe-instances`,
//! and those of AWS Config.

use std::net::IpAddr;

use crate::describe::aws::tags::tags;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::json::same_key;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::InterfaceKind;
use crate::model::SgId;
use crate::model::SubnetId;
use crate::model::VpcId;

/// Reads one interface.
pub(in crate::describe) fn interface(object: Object<'_>) -> Result<Eni, Fault> {
    let text = object
        .id("NetworkInterfaceId")
        .map_err(|fault| fault.of("network interface", "?"))?;
    let inner = || -> Result<Eni, Fault> {
        let id = EniId::parse(text).ok_or_else(|| {
            Fault::new(format!("the id is longer than {} bytes", EniId::CAPACITY))
        })?;
        Ok(Eni {
            id,
            kind: kind(object)?,
            description: object.words("Description")?,
            requester_managed: object.flag("RequesterManaged")?.unwrap_or(false),
            in_use: object
                .text("Status")?
                .is_none_or(|status| same_key(status, "in-use")),
            vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
            subnet_id: object.optional_id("SubnetId")?.map(SubnetId::from),
            addresses: addresses(object)?,
            prefixes: prefixes(object)?,
            public_addresses: public_addresses(object)?,
            groups: groups(object)?,
            instance_id: instance_id(object)?,
            tags: tags(object)?,
        })
    };
    inner().map_err(|fault| fault.of("network interface", text))
}

/// Reads the interfaces of one instance (`describe-instances`).
pub(in crate::describe) fn of_instance(instance: Object<'_>) -> Result<Vec<Eni>, Fault> {
    let id = instance.optional_id("InstanceId")?.map(str::to_owned);
    let interfaces = instance.objects("NetworkInterfaces")?.into_iter();
    interfaces
        .map(|object| {
            let mut eni = interface(object)?;
            eni.instance_id = eni.instance_id.or_else(|| id.clone());
            Ok(eni)
        })
        .collect()
}

/// `InterfaceType` in any spelling. Load balancers and functions also hide
/// behind the plain `interface` and are told by their description.
fn kind(object: Object<'_>) -> Result<InterfaceKind, Fault> {
    let name = object.text("InterfaceType")?.unwrap_or("interface");
    let known = KINDS.iter().find(|(known, _)| same_key(known, name));
    let kind = known.map_or(InterfaceKind::Other, |&(_, kind)| kind);
    if kind != InterfaceKind::Interface {
        return Ok(kind);
    }
    let managed = object.flag("RequesterManaged")?.unwrap_or(true);
    Ok(described_kind(
        object.text("Description")?.unwrap_or_default(),
        managed,
    ))
}

/// `InterfaceType` (API `NetworkInterface`); case, `_` and `-` do not count.
const KINDS: [(&str, InterfaceKind); 15] = [
    ("interface", InterfaceKind::Interface),
    ("trunk", InterfaceKind::Interface),
    ("branch", InterfaceKind::Interface),
    ("nat_gateway", InterfaceKind::NatGateway),
    ("regional_nat_gateway", InterfaceKind::NatGateway),
    ("network_load_balancer", InterfaceKind::NetworkLoadBalancer),
    ("load_balancer", InterfaceKind::LoadBalancer),
    ("gateway_load_balancer", InterfaceKind::GatewayLoadBalancer),
    (
        "gateway_load_balancer_endpoint",
        InterfaceKind::GatewayLoadBalancer,
    ),
    ("transit_gateway", InterfaceKind::TransitGateway),
    ("vpc_endpoint", InterfaceKind::VpcEndpoint),
    ("lambda", InterfaceKind::Lambda),
    ("efa", InterfaceKind::Efa),
    ("efa_only", InterfaceKind::Efa),
    ("amazon_elb", InterfaceKind::LoadBalancer),
];

/// Starts of the descriptions that services give (ELB user guide, "Network
/// interfaces"), longest first. Anyone may write a description, so those of
/// load balancers count only where the interface is not known to be one's own.
fn described_kind(description: &str, managed: bool) -> InterfaceKind {
    const MANAGED: [(&str, InterfaceKind); 5] = [
        ("ELB net/", InterfaceKind::NetworkLoadBalancer),
        ("ELB gwy/", InterfaceKind::GatewayLoadBalancer),
        ("ELB ", InterfaceKind::LoadBalancer),
        ("Interface for NAT Gateway ", InterfaceKind::NatGateway),
        ("VPC Endpoint Interface ", InterfaceKind::VpcEndpoint),
    ];
    if description.starts_with("AWS Lambda VPC ENI") {
        return InterfaceKind::Lambda;
    }
    let known = MANAGED
        .iter()
        .find(|(start, _)| managed && description.starts_with(start));
    known.map_or(InterfaceKind::Interface, |&(_, kind)| kind)
}

/// Private addresses: the primary one first, the others sorted.
fn addresses(object: Object<'_>) -> Result<Vec<IpAddr>, Fault> {
    let mut first = object.address("PrivateIpAddress")?;
    let mut others = Vec::new();
    for entry in object.objects("PrivateIpAddresses")? {
        let address = entry.address("PrivateIpAddress")?;
        if entry.flag("Primary")? == Some(true) {
            first = first.or(address);
        }
        others.extend(address);
    }
    for entry in object.objects("Ipv6Addresses")? {
        let address = entry.address("Ipv6Address")?;
        if entry.flag("IsPrimaryIpv6")? == Some(true) {
            first = first.or(address);
        }
        others.extend(address);
    }
    others.sort_unstable();
    others.dedup();
    others.retain(|address| Some(*address) != first);
    Ok(first.into_iter().chain(others).collect())
}

fn prefixes(object: Object<'_>) -> Result<Vec<ipnet::IpNet>, Fault> {
    let mut prefixes = Vec::new();
    for (list, key) in [
        ("Ipv4Prefixes", "Ipv4Prefix"),
        ("Ipv6Prefixes", "Ipv6Prefix"),
    ] {
        for entry in object.objects(list)? {
            prefixes.extend(entry.cidr(key)?);
        }
    }
    prefixes.sort_unstable();
    prefixes.dedup();
    Ok(prefixes)
}

fn public_addresses(object: Object<'_>) -> Result<Vec<IpAddr>, Fault> {
    let mut holders = object.objects("PrivateIpAddresses")?;
    holders.push(object);
    let mut public = Vec::new();
    for holder in holders {
        let Some(association) = holder.object("Association")? else {
            continue;
        };
        for key in ["PublicIp", "CarrierIp", "CustomerOwnedIp"] {
            public.extend(association.address(key)?);
        }
    }
    public.sort_unstable();
    public.dedup();
    Ok(public)
}

fn groups(object: Object<'_>) -> Result<Vec<SgId>, Fault> {
    let groups = object.objects("Groups")?.into_iter();
    let mut ids = groups
        .map(|group| group.id("GroupId").map(SgId::from))
        .collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

fn instance_id(object: Object<'_>) -> Result<Option<String>, Fault> {
    let Some(attachment) = object.object("Attachment")? else {
        return Ok(None);
    };
    Ok(attachment.optional_id("InstanceId")?.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<Eni, Fault> {
        interface(Object::of(value).unwrap())
    }

    #[test]
    fn the_primary_address_comes_first_and_public_ones_apart() {
        let eni = read(&json!({"NetworkInterfaceId": "eni-1",
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.4", "Primary": false, "Association": {"PublicIp": "203.0.113.4"}},
                {"PrivateIpAddress": "10.0.0.9", "Primary": true, "Association": {"PublicIp": "203.0.113.9"}}],
            "Association": {"PublicIp": "203.0.113.9"},
            "Ipv6Addresses": [{"Ipv6Address": "2001:db8::5"}],
            "Ipv4Prefixes": [{"Ipv4Prefix": "10.0.0.96/28"}], "Ipv6Prefixes": null}))
        .unwrap();
        let texts: Vec<String> = eni.addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(texts, ["10.0.0.9", "10.0.0.4", "2001:db8::5"]);
        let public: Vec<String> = eni.public_addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(public, ["203.0.113.4", "203.0.113.9"]);
        assert!(eni.owns("10.0.0.100".parse().unwrap()));
    }

    #[test]
    fn spellings_of_a_kind_are_one_kind() {
        for (name, kind) in [
            ("natGateway", InterfaceKind::NatGateway),
            ("nat_gateway", InterfaceKind::NatGateway),
            ("network_load_balancer", InterfaceKind::NetworkLoadBalancer),
            (
                "gatewayLoadBalancerEndpoint",
                InterfaceKind::GatewayLoadBalancer,
            ),
            ("EFA-only", InterfaceKind::Efa),
            ("branch", InterfaceKind::Interface),
            ("quicksight", InterfaceKind::Other),
        ] {
            let eni = read(&json!({"NetworkInterfaceId": "eni-1", "InterfaceType": name}));
            assert_eq!(eni.unwrap().kind, kind, "{name}");
        }
    }

    #[test]
    fn a_load_balancer_behind_a_plain_interface_is_told_by_its_description() {
        let kind = |description: &str, managed: bool| {
            let eni = read(
                &json!({"NetworkInterfaceId": "eni-1", "InterfaceType": "interface",
                "Description": description, "RequesterManaged": managed}),
            );
            eni.unwrap().kind
        };
        assert_eq!(kind("ELB app/web/0a1b", true), InterfaceKind::LoadBalancer);
        assert_eq!(
            kind("ELB net/web/0a1b", true),
            InterfaceKind::NetworkLoadBalancer
        );
        assert_eq!(
            kind("ELB gwy/web/0a1b", true),
            InterfaceKind::GatewayLoadBalancer
        );
        assert_eq!(kind("ELB classic", true), InterfaceKind::LoadBalancer);
        assert_eq!(kind("ELB net/web/0a1b", false), InterfaceKind::Interface);
        assert_eq!(kind("AWS Lambda VPC ENI-f", false), InterfaceKind::Lambda);
    }

    #[test]
    fn an_interface_of_an_instance_learns_whose_it_is() {
        let value = json!({"InstanceId": "i-1", "NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "Groups": null}]});
        let enis = of_instance(Object::of(&value).unwrap()).unwrap();
        assert_eq!(enis[0].instance_id.as_deref(), Some("i-1"));
        assert!(enis[0].in_use);
    }

    #[test]
    fn an_absurd_id_is_refused() {
        let long = format!("eni-{}", "0".repeat(40));
        assert!(read(&json!({"NetworkInterfaceId": long})).is_err());
        assert!(read(&json!({"NetworkInterfaceId": ""})).is_err());
    }
}
