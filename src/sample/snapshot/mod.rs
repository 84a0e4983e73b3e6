//! Writes the configuration of the made-up cloud exactly as the describe calls
//! of the cloud's command line print it, one file a call.

mod alibaba;
mod groups;
mod network;

use std::fs;
use std::path::Path;

use serde_json::Value;
use serde_json::json;

use crate::model::Provider;
use crate::net::Timestamp;
use crate::sample::SampleConfig;
use crate::sample::SampleError;
use crate::sample::blueprint::ACCOUNT;
use crate::sample::blueprint::REGION;
use crate::sample::build::World;
use crate::sample::line::field_names;
use crate::sample::snapshot::groups::group;
use crate::sample::snapshot::groups::group_rules;
use crate::sample::snapshot::network::interface;
use crate::sample::snapshot::network::network_acl;
use crate::sample::snapshot::network::peering;
use crate::sample::snapshot::network::subnet;
use crate::sample::snapshot::network::vpcs;
use crate::sample::world::BASE;
use crate::sample::world::List;

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
    if config.provider == Provider::Alibaba {
        return alibaba::write_at(world, folder, second);
    }
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
            "vpc-peering-connections",
            json!({"VpcPeeringConnections": [peering(world)]}),
        ),
        (
            "managed-prefix-lists",
            json!({"PrefixLists": collect(world.lists.iter().map(|list| prefix_list(list)))}),
        ),
        ("flow-logs", json!({"FlowLogs": [flow_log(config, world)]})),
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

fn flow_log(config: &SampleConfig, world: &World) -> Value {
    let format: Vec<String> = field_names(config.format_version)
        .map(|name| format!("${{{name}}}"))
        .collect();
    json!({
        "FlowLogId": world.flow_log_id(),
        "FlowLogStatus": "ACTIVE",
        "ResourceId": world.vpc_id(true),
        "TrafficType": "ALL",
        "CreationTime": "2026-01-01T00:00:00.000Z",
        "LogDestinationType": config.form.destination(),
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
