//! Groups and their rules, in the two forms in which the API prints them.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::build::World;
use crate::sample::snapshot::collect;
use crate::sample::world::Group;
use crate::sample::world::Peer;
use crate::sample::world::Rule;
use crate::sample::world::Scope;

/// A group, its rules folded by transport as `describe-security-groups` does.
pub(super) fn group(world: &World, group: &Group, second: u32) -> Value {
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
        "VpcId": world.vpc_id(group.watched),
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
                "VpcId": world.vpc_id(group.watched),
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

pub(super) fn group_rules(group: &Group, second: u32) -> impl Iterator<Item = Value> {
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
