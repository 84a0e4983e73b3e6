//! `DescribeVpcs`, `DescribeVSwitches`, prefix lists with their entries, and
//! `DescribeFlowLogs`.

use ipnet::IpNet;
use serde_json::Value;

use crate::describe::alibaba::interfaces::wrapped;
use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::describe::json::cidr;
use crate::model::SubnetId;
use crate::model::VpcId;
use crate::model::vpc::FlowLog;
use crate::model::vpc::Subnet;
use crate::model::vpc::TrafficType;
use crate::model::vpc::Vpc;
use crate::net::Timestamp;

/// Reads one VPC.
pub(in crate::describe) fn vpc(object: Object<'_>) -> Result<Vpc, Fault> {
    let id = object.id("VpcId").map_err(|fault| fault.of("VPC", "?"))?;
    let inner = || -> Result<Vec<IpNet>, Fault> {
        let mut cidrs = own_blocks(object)?;
        if let Some(wrapper) = object.object("SecondaryCidrBlocks")? {
            for text in wrapper.list("SecondaryCidrBlock")? {
                cidrs.push(cidr(text.as_str().unwrap_or_default())?);
            }
        }
        for block in wrapped(object, "Ipv6CidrBlocks", "Ipv6CidrBlock")? {
            cidrs.extend(block.cidr("Ipv6CidrBlock")?);
        }
        cidrs.sort_unstable();
        cidrs.dedup();
        Ok(cidrs)
    };
    Ok(Vpc {
        id: VpcId::from(id),
        cidrs: inner().map_err(|fault| fault.of("VPC", id))?,
    })
}

/// Reads one vSwitch.
pub(in crate::describe) fn vswitch(object: Object<'_>) -> Result<Subnet, Fault> {
    let id = object
        .id("VSwitchId")
        .map_err(|fault| fault.of("vSwitch", "?"))?;
    let inner = || -> Result<Subnet, Fault> {
        Ok(Subnet {
            id: SubnetId::from(id),
            vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
            cidrs: own_blocks(object)?,
        })
    };
    inner().map_err(|fault| fault.of("vSwitch", id))
}

fn own_blocks(object: Object<'_>) -> Result<Vec<IpNet>, Fault> {
    let mut blocks = Vec::new();
    for key in ["CidrBlock", "Ipv6CidrBlock"] {
        blocks.extend(object.cidr(key)?);
    }
    Ok(blocks)
}

/// Reads one flow log.
pub(in crate::describe) fn flow_log(object: Object<'_>) -> Result<FlowLog, Fault> {
    let id = object
        .id("FlowLogId")
        .map_err(|fault| fault.of("flow log", "?"))?;
    let inner = || -> Result<FlowLog, Fault> {
        let created = object.text("CreationTime")?;
        let minutes = object.integer("AggregationInterval")?;
        let interval = minutes.and_then(|minutes| u32::try_from(minutes.checked_mul(60)?).ok());
        let log = FlowLog {
            id: id.to_owned(),
            resource_id: object.words("ResourceId")?,
            traffic_type: traffic_type(object)?,
            created: created.and_then(Timestamp::parse_rfc3339),
            log_format: object.text("LogFormat")?.map(str::to_owned),
            headed: true,
            max_aggregation_interval: interval,
            delivery_error: delivery_error(object)?,
            filtered: filtered(object)?,
        };
        Ok(log)
    };
    inner().map_err(|fault| fault.of("flow log", id))
}

fn traffic_type(object: Object<'_>) -> Result<TrafficType, Fault> {
    match object.text("TrafficType")? {
        None => Ok(TrafficType::All),
        Some(text) if text.eq_ignore_ascii_case("all") => Ok(TrafficType::All),
        Some(text) if text.eq_ignore_ascii_case("allow") => Ok(TrafficType::Accept),
        Some(text) if text.eq_ignore_ascii_case("drop") => Ok(TrafficType::Reject),
        Some(text) => Err(Fault::new(format!(
            "`TrafficType` {} is none of All, Allow, Drop",
            quoted(text)
        ))),
    }
}

fn delivery_error(object: Object<'_>) -> Result<Option<String>, Fault> {
    let status = object.text("FlowLogDeliverStatus")?;
    let failed = status.is_some_and(|status| !status.eq_ignore_ascii_case("SUCCESS"));
    if !failed {
        return Ok(None);
    }
    let message = object.text("FlowLogDeliverErrorMessage")?;
    Ok(message.or(status).map(str::to_owned))
}

fn filtered(object: Object<'_>) -> Result<bool, Fault> {
    let Some(wrapper) = object.object("TrafficPath")? else {
        return Ok(false);
    };
    let paths = wrapper.list("TrafficPathList")?;
    let every = |path: &Value| {
        path.as_str()
            .is_some_and(|path| path.eq_ignore_ascii_case("all"))
    };
    Ok(!paths.is_empty() && !paths.iter().any(every))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flow_log_of_some_paths_is_told() {
        let log = |paths: &[&str]| {
            let value = json!({"FlowLogId": "fl-1", "ResourceId": "vpc-1", "TrafficType": "Drop",
                "AggregationInterval": "10", "TrafficPath": {"TrafficPathList": paths}});
            flow_log(Object::of(&value).unwrap()).unwrap()
        };
        assert!(!log(&["all"]).filtered);
        assert!(!log(&[]).filtered);
        let own = log(&["natGateway"]);
        assert!(own.filtered);
        assert_eq!(own.traffic_type, TrafficType::Reject);
        assert_eq!(own.max_aggregation_interval, Some(600));
    }
}
