//! Writes the configuration of the made-up cloud exactly as the describe calls
//! of the command line print it, one file a call.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::net::Timestamp;
use crate::sample::SampleConfig;
use crate::sample::SampleError;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::build::World;
use crate::sample::build::vpc_id;
use crate::sample::deliver::flow_log_id;
use crate::sample::line::field_names;
use crate::sample::random::hash_text;
use crate::sample::world::Acl;
use crate::sample::world::BASE;
use crate::sample::world::Entry;
use crate::sample::world::Group;
use crate::sample::world::Interface;
use crate::sample::world::Kind;
use crate::sample::world::List;
use crate::sample::world::Peer;
use crate::sample::world::Rule;
use crate::sample::world::Scope;
use crate::sample::world::Subnet;

/// Writes the folder `snapshot`; where rules change midway, one dated folder
/// in it for each half of the window.
pub(super) fn write(config: &SampleConfig, world: &World) -> Result<(), SampleError> {
    let folder = config.out.join("snapshot");
    let Some(change) = config.change_at() else {
        return write_at(config, world, &folder, world.seconds - 1);
    };
    for second in [0, change] {
        let time = Timestamp(BASE + i64::from(second)).to_string();
        let folder = folder.join(&time);
        write_at(config, world, &folder, second)?;
        put(
            &folder.join("captured-at.txt"),
            format!("{time}\n").as_bytes(),
        )?;
    }
    Ok(())
}

fn write_at(
    config: &SampleConfig,
    world: &World,
    folder: &Path,
    second: u32,
) -> Result<(), SampleError> {
    fs::create_dir_all(folder).map_err(|source| SampleError::write(folder, source))?;
    let groups = || world.groups.iter();
    let interfaces = world.interfaces.iter().filter(|own| own.alive(second));
    let acls = world.acls.iter().map(|acl| network_acl(world, acl));
    let subnets = world.subnets.iter().map(|own| subnet(own));
    let files = [
        (
            "security-groups",
            json!({"SecurityGroups": collect(groups().map(|g| group(world, g, second)))}),
        ),
        (
            "security-group-rules",
            json!({"SecurityGroupRules": collect(groups().flat_map(|g| group_rules(g, second)))}),
        ),
        (
            "network-interfaces",
            json!({"NetworkInterfaces": collect(interfaces.map(|own| interface(own)))}),
        ),
        ("network-acls", json!({"NetworkAcls": collect(acls)})),
        ("subnets", json!({"Subnets": collect(subnets)})),
        ("vpcs", json!({"Vpcs": vpcs(world)})),
        (
            "managed-prefix-lists",
            json!({"PrefixLists": collect(world.lists.iter().map(|list| prefix_list(list)))}),
        ),
        ("flow-logs", json!({"FlowLogs": [flow_log(config)]})),
    ];
    for (name, document) in &files {
        put_json(&folder.join(format!("{name}.json")), document)?;
    }
    for list in &world.lists {
        let entries = collect(list.entries.iter().map(|net| json!({"Cidr": net})));
        let path = folder.join(format!("prefix-list-entries-{}.json", list.id));
        put_json(&path, &json!({"Entries": entries}))?;
    }
    Ok(())
}

fn collect(values: impl Iterator<Item = Value>) -> Value {
    Value::Array(values.collect())
}

fn put_json(path: &Path, document: &Value) -> Result<(), SampleError> {
    let mut text =
        serde_json::to_vec_pretty(document).map_err(|source| SampleError::write(path, source))?;
    text.push(b'\n');
    put(path, &text)
}

fn put(path: &Path, text: &[u8]) -> Result<(), SampleError> {
    fs::write(path, text).map_err(|source| SampleError::write(path, source))
}

/// A group, its rules folded by transport as `describe-security-groups` does.
fn group(world: &World, group: &Group, second: u32) -> Value {
    let permissions = |direction: Direction| {
        let mut folded: BTreeMap<String, Value> = BTreeMap::new();
        let rules = group.rules.iter().filter(|rule| rule.in_force(second));
        for rule in rules.filter(|rule| rule.direction == direction) {
            let (protocol, ports) = transport(rule.scope);
            let key = format!("{protocol} {ports:?}");
            let permission = folded
                .entry(key)
                .or_insert_with(|| empty_permission(rule.scope));
            add_source(permission, world, group, rule);
        }
        collect(folded.into_values())
    };
    json!({
        "GroupId": group.id,
        "GroupName": group.name,
        "Description": group.description,
        "OwnerId": ACCOUNT,
        "VpcId": vpc_id(world.seed, group.watched),
        "SecurityGroupArn": format!("arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{}", group.id),
        "IpPermissions": permissions(Direction::Ingress),
        "IpPermissionsEgress": permissions(Direction::Egress),
        "Tags": [{"Key": "Name", "Value": group.name}],
    })
}

fn empty_permission(scope: Scope) -> Value {
    let (protocol, ports) = transport(scope);
    let mut permission = json!({
        "IpProtocol": protocol,
        "IpRanges": [],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [],
    });
    if let (Some((from, to)), Some(fields)) = (ports, permission.as_object_mut()) {
        fields.insert("FromPort".to_owned(), json!(from));
        fields.insert("ToPort".to_owned(), json!(to));
    }
    permission
}

fn add_source(permission: &mut Value, world: &World, group: &Group, rule: &Rule) {
    let (list, mut source) = match &rule.peer {
        Peer::Net(IpNet::V4(net)) => ("IpRanges", json!({"CidrIp": net})),
        Peer::Net(IpNet::V6(net)) => ("Ipv6Ranges", json!({"CidrIpv6": net})),
        Peer::List(list) => ("PrefixListIds", json!({"PrefixListId": list.id})),
        Peer::Group(key) => (
            "UserIdGroupPairs",
            json!({
                "GroupId": group_id(*key),
                "UserId": ACCOUNT,
                "VpcId": vpc_id(world.seed, group.watched),
            }),
        ),
    };
    if let (false, Some(fields)) = (rule.description.is_empty(), source.as_object_mut()) {
        fields.insert("Description".to_owned(), json!(rule.description));
    }
    if let Some(sources) = permission.get_mut(list).and_then(Value::as_array_mut) {
        sources.push(source);
    }
}

fn group_id(key: u64) -> String {
    format!("sg-0{key:016x}")
}

/// `IpProtocol`, and `FromPort` and `ToPort` where they mean something.
fn transport(scope: Scope) -> (&'static str, Option<(i32, i32)>) {
    let part = |part: Option<u8>| part.map_or(-1, i32::from);
    match scope {
        Scope::All => ("-1", None),
        Scope::Tcp(from, to) => ("tcp", Some((from.into(), to.into()))),
        Scope::Udp(from, to) => ("udp", Some((from.into(), to.into()))),
        Scope::Icmp(kind, code) => ("icmp", Some((part(kind), part(code)))),
    }
}

fn group_rules(group: &Group, second: u32) -> impl Iterator<Item = Value> {
    let rules = group.rules.iter().filter(move |rule| rule.in_force(second));
    rules.map(|rule| {
        let (protocol, ports) = transport(rule.scope);
        let (from, to) = ports.unwrap_or((-1, -1));
        let mut document = json!({
            "SecurityGroupRuleId": rule.id,
            "GroupId": rule.group_id,
            "GroupOwnerId": ACCOUNT,
            "IsEgress": rule.direction == Direction::Egress,
            "IpProtocol": protocol,
            "FromPort": from,
            "ToPort": to,
            "Tags": [],
        });
        let (key, peer) = match &rule.peer {
            Peer::Net(IpNet::V4(net)) => ("CidrIpv4", json!(net)),
            Peer::Net(IpNet::V6(net)) => ("CidrIpv6", json!(net)),
            Peer::List(list) => ("PrefixListId", json!(list.id)),
            Peer::Group(key) => (
                "ReferencedGroupInfo",
                json!({"GroupId": group_id(*key), "UserId": ACCOUNT}),
            ),
        };
        if let Some(fields) = document.as_object_mut() {
            fields.insert(key.to_owned(), peer);
            if !rule.description.is_empty() {
                fields.insert("Description".to_owned(), json!(rule.description));
            }
        }
        document
    })
}

fn interface(own: &Interface) -> Value {
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

fn network_acl(world: &World, acl: &Acl) -> Value {
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
        "VpcId": vpc_id(world.seed, acl.watched),
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

fn subnet(own: &Subnet) -> Value {
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

fn vpcs(world: &World) -> Value {
    let vpc = |watched: bool, net: &str, net6: &str| {
        let id = vpc_id(world.seed, watched);
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

fn prefix_list(list: &List) -> Value {
    let owner = if list.aws { "AWS" } else { ACCOUNT };
    let mut document = json!({
        "PrefixListId": list.id,
        "PrefixListName": list.name,
        "AddressFamily": "IPv4",
        "State": "create-complete",
        "OwnerId": owner,
        "PrefixListArn": format!("arn:aws:ec2:{REGION}:{}:prefix-list/{}", owner.to_lowercase(), list.id),
        "Tags": [],
    });
    if let (false, Some(fields)) = (list.aws, document.as_object_mut()) {
        fields.insert("MaxEntries".to_owned(), json!(10));
        fields.insert("Version".to_owned(), json!(1));
    }
    document
}

fn flow_log(config: &SampleConfig) -> Value {
    let format: Vec<String> = field_names(config.format_version)
        .map(|name| format!("${{{name}}}"))
        .collect();
    json!({
        "FlowLogId": flow_log_id(config.seed),
        "FlowLogStatus": "ACTIVE",
        "ResourceId": vpc_id(config.seed, true),
        "TrafficType": "ALL",
        "CreationTime": "2026-01-01T00:00:00.000Z",
        "LogDestinationType": "s3",
        "LogDestination": "arn:aws:s3:::sample-flow-logs",
        "DeliverLogsStatus": "SUCCESS",
        "MaxAggregationInterval": 60,
        "LogFormat": format.join(" "),
        "DestinationOptions": {
            "FileFormat": "plain-text",
            "HiveCompatiblePartitions": false,
            "PerHourPartition": false,
        },
        "Tags": [],
    })
}
