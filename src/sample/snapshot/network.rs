//! Interfaces, and what places and guards them: subnets, VPCs, network ACLs.

use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::build::World;
use crate::sample::random::hash_text;
use crate::sample::snapshot::collect;
use crate::sample::world::Acl;
use crate::sample::world::Entry;
use crate::sample::world::Interface;
use crate::sample::world::Kind;
use crate::sample::world::Scope;
use crate::sample::world::Subnet;

pub(super) fn interface(own: &Interface) -> Value {
    let subnet = &own.subnet;
    let public = own
        .public
        .map(|address| json!({"PublicIp": address, "IpOwnerId": "amazon"}));
    let mut primary = json!({"Primary": true, "PrivateIpAddress": own.primary});
    if let (Some(public), Some(fields)) = (&public, primary.as_object_mut()) {
        fields.insert("Association".to_owned(), public.clone());
    }
    let pods = own
        .pods
        .iter()
        .map(|pod| json!({"Primary": false, "PrivateIpAddress": pod}));
    let groups = own.groups.iter();
    let mut document = json!({
        "NetworkInterfaceId": own.id,
        "InterfaceType": interface_type(own.kind),
        "Status": "in-use",
        "Description": description(own),
        "OwnerId": ACCOUNT,
        "RequesterManaged": own.kind != Kind::Instance,
        "SourceDestCheck": own.kind != Kind::Nat,
        "AvailabilityZone": subnet.zone,
        "AvailabilityZoneId": subnet.zone_id,
        "VpcId": subnet.vpc_id,
        "SubnetId": subnet.id,
        "PrivateIpAddress": own.primary,
        "PrivateIpAddresses": collect([primary].into_iter().chain(pods)),
        "Ipv6Addresses": collect(own.v6.iter().map(|v6| json!({"Ipv6Address": v6}))),
        "Ipv4Prefixes": [],
        "Ipv6Prefixes": [],
        "Groups": collect(groups.map(|g| json!({"GroupId": g.id, "GroupName": g.name}))),
        "TagSet": [{"Key": "Name", "Value": own.name}],
    });
    if let Some(fields) = document.as_object_mut() {
        if let Some(public) = public {
            fields.insert("Association".to_owned(), public);
        }
        if let Some(instance) = &own.instance_id {
            let attachment = json!({
                "AttachmentId": format!("eni-attach-0{:016x}", hash_text(0, &own.id)),
                "DeviceIndex": 0,
                "InstanceId": instance,
                "InstanceOwnerId": ACCOUNT,
                "DeleteOnTermination": true,
                "Status": "attached",
            });
            fields.insert("Attachment".to_owned(), attachment);
        }
    }
    document
}

fn interface_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance | Kind::Alb | Kind::Task => "interface",
        Kind::Nat => "nat_gateway",
        Kind::Nlb => "network_load_balancer",
        Kind::Lambda => "lambda",
        Kind::Endpoint => "vpc_endpoint",
    }
}

fn description(own: &Interface) -> String {
    let name = &own.name;
    match own.kind {
        Kind::Instance => String::new(),
        Kind::Nat => format!("Interface for NAT Gateway {name}"),
        Kind::Alb => format!("ELB app/{name}/{:016x}", hash_text(1, name)),
        Kind::Nlb => format!("ELB net/{name}/{:016x}", hash_text(1, name)),
        Kind::Lambda => format!("AWS Lambda VPC ENI-{name}"),
        Kind::Endpoint => format!("VPC Endpoint Interface {name}"),
        Kind::Task => format!("arn:aws:ecs:{REGION}:{ACCOUNT}:attachment/{name}"),
    }
}

pub(super) fn network_acl(world: &World, acl: &Acl) -> Value {
    let subnets = world
        .subnets
        .iter()
        .filter(|subnet| subnet.acl.id == acl.id);
    let associations = subnets.map(|subnet| {
        json!({
            "NetworkAclAssociationId": format!("aclassoc-0{:016x}", hash_text(2, &subnet.id)),
            "NetworkAclId": acl.id,
            "SubnetId": subnet.id,
        })
    });
    let closing = Direction::BOTH.into_iter().flat_map(|direction| {
        let egress = direction == Direction::Egress;
        [
            json!({"RuleNumber": 32_767, "Egress": egress, "Protocol": "-1",
                   "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}),
            json!({"RuleNumber": 32_768, "Egress": egress, "Protocol": "-1",
                   "RuleAction": "deny", "Ipv6CidrBlock": "::/0"}),
        ]
    });
    json!({
        "NetworkAclId": acl.id,
        "VpcId": world.vpc_id(acl.watched),
        "OwnerId": ACCOUNT,
        "IsDefault": false,
        "Associations": collect(associations),
        "Entries": collect(acl.entries.iter().map(acl_entry).chain(closing)),
        "Tags": [{"Key": "Name", "Value": acl.name}],
    })
}

fn acl_entry(entry: &Entry) -> Value {
    let (protocol, ports) = match entry.scope {
        Scope::All => ("-1", None),
        Scope::Tcp(from, to) => ("6", Some((from, to))),
        Scope::Udp(from, to) => ("17", Some((from, to))),
        Scope::Icmp(..) => ("1", None),
    };
    let mut document = json!({
        "RuleNumber": entry.number,
        "Egress": entry.direction == Direction::Egress,
        "Protocol": protocol,
        "RuleAction": if entry.allow { "allow" } else { "deny" },
    });
    if let Some(fields) = document.as_object_mut() {
        let key = match entry.net {
            IpNet::V4(_) => "CidrBlock",
            IpNet::V6(_) => "Ipv6CidrBlock",
        };
        fields.insert(key.to_owned(), json!(entry.net));
        if let Some((from, to)) = ports {
            fields.insert("PortRange".to_owned(), json!({"From": from, "To": to}));
        }
        if protocol == "1" {
            fields.insert("IcmpTypeCode".to_owned(), json!({"Type": -1, "Code": -1}));
        }
    }
    document
}

pub(super) fn subnet(own: &Subnet) -> Value {
    let v6 = own.cidr6.iter().map(|net| {
        json!({
            "AssociationId": format!("subnet-cidr-assoc-0{:016x}", hash_text(3, &own.id)),
            "Ipv6CidrBlock": net,
            "Ipv6CidrBlockState": {"State": "associated"},
        })
    });
    json!({
        "SubnetId": own.id,
        "SubnetArn": format!("arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/{}", own.id),
        "VpcId": own.vpc_id,
        "OwnerId": ACCOUNT,
        "CidrBlock": own.cidr,
        "Ipv6CidrBlockAssociationSet": collect(v6),
        "AvailabilityZone": own.zone,
        "AvailabilityZoneId": own.zone_id,
        "MapPublicIpOnLaunch": own.public,
        "State": "available",
        "Tags": [{"Key": "Name", "Value": own.name}],
    })
}

/// The peering by which the two VPCs speak.
pub(super) fn peering(world: &World) -> Value {
    let side = |watched: bool, net: &str| {
        json!({
            "VpcId": world.vpc_id(watched),
            "OwnerId": ACCOUNT,
            "CidrBlock": net,
        })
    };
    json!({
        "VpcPeeringConnectionId": format!("pcx-0{:016x}", hash_text(5, "10.1.0.0/16") ^ world.seed),
        "RequesterVpcInfo": side(true, "10.0.0.0/16"),
        "AccepterVpcInfo": side(false, "10.1.0.0/16"),
        "Status": {"Code": "active", "Message": "Active"},
        "Tags": [],
    })
}

pub(super) fn vpcs(world: &World) -> Value {
    let vpc = |watched: bool, net: &str, net6: &str| {
        let id = world.vpc_id(watched);
        let blocks = |key: &str, net: &str| {
            json!({
                "AssociationId": format!("vpc-cidr-assoc-0{:016x}", hash_text(4, net)),
                key: net,
                format!("{key}State"): {"State": "associated"},
            })
        };
        let v6 = world.ipv6.then(|| blocks("Ipv6CidrBlock", net6));
        json!({
            "VpcId": id,
            "OwnerId": ACCOUNT,
            "CidrBlock": net,
            "CidrBlockAssociationSet": [blocks("CidrBlock", net)],
            "Ipv6CidrBlockAssociationSet": collect(v6.into_iter()),
            "IsDefault": false,
            "State": "available",
            "Tags": [],
        })
    };
    collect(
        [
            vpc(true, "10.0.0.0/16", "2001:db8::/48"),
            vpc(false, "10.1.0.0/16", "2001:db8:1::/48"),
        ]
        .into_iter(),
    )
}
