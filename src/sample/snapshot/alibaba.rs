//! The configuration as the `aliyun` CLI prints it: every list wrapped in an
//! object named after its items, unused members of rules as empty texts.

use std::path::Path;

use ipnet::IpNet;
use serde_json::Value;
use serde_json::json;

use crate::model::Direction;
use crate::sample::SampleError;
use crate::sample::blueprint::alibaba::ACCOUNT;
use crate::sample::blueprint::alibaba::REGION;
use crate::sample::build::World;
use crate::sample::snapshot::collect;
use crate::sample::snapshot::put_json;
use crate::sample::world::Group;
use crate::sample::world::Interface;
use crate::sample::world::List;
use crate::sample::world::Peer;
use crate::sample::world::Policy;
use crate::sample::world::Rule;
use crate::sample::world::Scope;
use crate::sample::world::Subnet;

/// Writes what the calls print at a second.
pub(super) fn write_at(world: &World, folder: &Path, second: u32) -> Result<(), SampleError> {
    let groups = world.groups.iter().map(|own| group(world, own));
    let interfaces = world.interfaces.iter().filter(|own| own.alive(second));
    let interfaces = interfaces.map(|own| interface(own));
    let vswitches = world.subnets.iter().map(|own| vswitch(own));
    let vpcs = [(true, "10.0.0.0/16"), (false, "10.1.0.0/16")];
    let vpcs = vpcs.map(|(watched, net)| json!({"VpcId": world.vpc_id(watched), "CidrBlock": net,
        "RegionId": REGION, "Status": "Available", "SecondaryCidrBlocks": {"SecondaryCidrBlock": []}}));
    let lists = || world.lists.iter().filter(|list| !list.aws);
    let named = |list: &List| {
        json!({"PrefixListId": list.id, "PrefixListName": list.name,
        "AddressFamily": "IPv4", "MaxEntries": 10, "Description": ""})
    };
    let files = [
        (
            "DescribeSecurityGroups",
            paged("SecurityGroups", "SecurityGroup", &collect(groups)),
        ),
        (
            "DescribeNetworkInterfaces",
            paged(
                "NetworkInterfaceSets",
                "NetworkInterfaceSet",
                &collect(interfaces),
            ),
        ),
        (
            "DescribeVSwitches",
            paged("VSwitches", "VSwitch", &collect(vswitches)),
        ),
        (
            "DescribeVpcs",
            paged("Vpcs", "Vpc", &collect(vpcs.into_iter())),
        ),
        (
            "DescribePrefixLists",
            paged(
                "PrefixLists",
                "PrefixList",
                &collect(lists().map(|list| named(list))),
            ),
        ),
        (
            "DescribeFlowLogs",
            paged("FlowLogs", "FlowLog", &json!([flow_log(world)])),
        ),
    ];
    for (name, document) in &files {
        put_json(&folder.join(format!("{name}.json")), document)?;
    }
    for list in lists() {
        let entries = list
            .entries
            .iter()
            .map(|net| json!({"Cidr": net, "Description": ""}));
        let document = json!({"RequestId": "R", "PrefixListId": list.id, "PrefixListName": list.name,
            "Entries": {"Entry": collect(entries)}});
        put_json(
            &folder.join(format!("DescribePrefixListAttributes-{}.json", list.id)),
            &document,
        )?;
    }
    for group in &world.groups {
        let path = folder.join(format!("DescribeSecurityGroupAttribute-{}.json", group.id));
        put_json(&path, &attribute(world, group, second))?;
    }
    Ok(())
}

/// A whole answer on one page.
fn paged(outer: &str, inner: &str, items: &Value) -> Value {
    let total = items.as_array().map_or(0, Vec::len);
    json!({"RequestId": "R", "RegionId": REGION, "PageNumber": 1, "PageSize": total,
        "TotalCount": total, "NextToken": "", outer: {inner: items}})
}

fn group(world: &World, group: &Group) -> Value {
    json!({
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "VpcId": world.vpc_id(group.watched),
        "SecurityGroupType": match group.policy {
            Policy::Advanced => "enterprise",
            Policy::Union | Policy::Basic { .. } => "normal",
        },
        "ServiceManaged": false,
        "CreationTime": "2026-01-01T00:00:00Z",
        "RuleCount": group.rules.len(),
        "Tags": {"Tag": [{"TagKey": "env", "TagValue": "prod"}]},
    })
}

fn attribute(world: &World, group: &Group, second: u32) -> Value {
    let rules = group.rules.iter().filter(|rule| rule.in_force(second));
    let inner = group.policy == Policy::Basic { inner: true };
    json!({
        "RequestId": "R",
        "RegionId": REGION,
        "VpcId": world.vpc_id(group.watched),
        "SecurityGroupId": group.id,
        "SecurityGroupName": group.name,
        "Description": group.description,
        "InnerAccessPolicy": if inner { "Accept" } else { "Drop" },
        "NextToken": "",
        "Permissions": {"Permission": collect(rules.map(|rule| permission(world, rule)))},
    })
}

fn permission(world: &World, rule: &Rule) -> Value {
    let (protocol, ports) = match rule.scope {
        Scope::All => ("ALL", "-1/-1".to_owned()),
        Scope::Tcp(from, to) => ("TCP", format!("{from}/{to}")),
        Scope::Udp(from, to) => ("UDP", format!("{from}/{to}")),
        Scope::Icmp(..) => ("ICMP", "-1/-1".to_owned()),
    };
    let mut document = json!({
        "SecurityGroupRuleId": rule.id,
        "Direction": rule.direction,
        "Policy": if rule.drop { "Drop" } else { "Accept" },
        "Priority": rule.priority.to_string(),
        "IpProtocol": protocol,
        "PortRange": ports,
        "SourcePortRange": "",
        "PortRangeListId": "",
        "NicType": "intranet",
        "Description": rule.description,
        "CreateTime": "2026-01-01T00:00:00Z",
    });
    let Some(fields) = document.as_object_mut() else {
        return document;
    };
    for side in ["Source", "Dest"] {
        let near = (side == "Source") == (rule.direction == Direction::Ingress);
        let peer = near.then_some(&rule.peer);
        let (v4, v6, group, list) = peer.map(|peer| named(world, peer)).unwrap_or_default();
        fields.insert(format!("{side}CidrIp"), json!(v4));
        fields.insert(format!("Ipv6{side}CidrIp"), json!(v6));
        fields.insert(format!("{side}GroupId"), json!(group));
        fields.insert(format!("{side}GroupOwnerAccount"), json!(""));
        fields.insert(format!("{side}PrefixListId"), json!(list));
    }
    document
}

/// The four ways to name a peer, three of them empty.
fn named(world: &World, peer: &Peer) -> (String, String, String, String) {
    let none = String::new;
    match peer {
        Peer::Net(IpNet::V4(net)) => (net.to_string(), none(), none(), none()),
        Peer::Net(IpNet::V6(net)) => (none(), net.to_string(), none(), none()),
        Peer::Group(key) => (none(), none(), world.id("sg", *key), none()),
        Peer::List(list) => (none(), none(), none(), list.id.clone()),
    }
}

fn interface(own: &Interface) -> Value {
    let public = own.public.map_or_else(
        || json!({}),
        |address| json!({"PublicIpAddress": address, "AllocationId": format!("eip-{}", own.number)}),
    );
    let groups = own.groups.iter().map(|group| json!(group.id));
    json!({
        "NetworkInterfaceId": own.id,
        "NetworkInterfaceName": own.name,
        "Type": "Primary",
        "Status": "InUse",
        "InstanceId": own.instance_id.as_deref().unwrap_or_default(),
        "VpcId": own.subnet.vpc_id,
        "VSwitchId": own.subnet.id,
        "ZoneId": own.subnet.zone,
        "OwnerId": ACCOUNT,
        "PrivateIpAddress": own.primary,
        "PrivateIpSets": {"PrivateIpSet": [
            {"PrivateIpAddress": own.primary, "Primary": true, "AssociatedPublicIp": public}]},
        "Ipv6Sets": {"Ipv6Set": []},
        "SecurityGroupIds": {"SecurityGroupId": collect(groups)},
        "AssociatedPublicIp": public,
        "ServiceManaged": false,
        "SourceDestCheck": false,
        "CreationTime": "2026-01-01T00:00:00Z",
        "Tags": {"Tag": []},
    })
}

fn vswitch(own: &Subnet) -> Value {
    json!({
        "VSwitchId": own.id,
        "VSwitchName": own.name,
        "VpcId": own.vpc_id,
        "CidrBlock": own.cidr,
        "Ipv6CidrBlock": "",
        "ZoneId": own.zone,
        "Status": "Available",
    })
}

fn flow_log(world: &World) -> Value {
    json!({
        "FlowLogId": world.flow_log_id(),
        "ResourceType": "VPC",
        "ResourceId": world.vpc_id(true),
        "TrafficType": "All",
        "TrafficPath": {"TrafficPathList": ["all"]},
        "AggregationInterval": 1,
        "ProjectName": "sample",
        "LogStoreName": "flow-log",
        "Status": "Active",
        "FlowLogDeliverStatus": "SUCCESS",
        "FlowLogDeliverErrorMessage": "",
        "CreationTime": "2026-01-01T00:00:00Z",
        "IpVersion": "IPv4",
        "Tags": {"Tag": []},
    })
}
