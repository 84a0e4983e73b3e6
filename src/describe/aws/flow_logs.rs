//! `describe-flow-logs`: what is logged, in which format, and whether it
//! arrives.

use serde_json::Value;

use crate::describe::error::Fault;
use crate::describe::error::quoted;
use crate::describe::json::Object;
use crate::model::vpc::FlowLog;
use crate::model::vpc::TrafficType;
use crate::net::Timestamp;

/// Reads one flow log.
pub(in crate::describe) fn flow_log(object: Object<'_>) -> Result<FlowLog, Fault> {
    let id = object
        .id("FlowLogId")
        .map_err(|fault| fault.of("flow log", "?"))?;
    let inner = || -> Result<FlowLog, Fault> {
        let interval = object.integer("MaxAggregationInterval")?;
        let created = object.field("CreationTime").and_then(Value::as_str);
        Ok(FlowLog {
            id: id.to_owned(),
            resource_id: object
                .optional_id("ResourceId")?
                .unwrap_or_default()
                .to_owned(),
            traffic_type: traffic_type(object)?,
            created: created.and_then(Timestamp::parse_rfc3339),
            log_format: object.text("LogFormat")?.map(str::to_owned),
            headed: object.text("LogDestinationType")? == Some("s3"),
            max_aggregation_interval: interval.and_then(|seconds| u32::try_from(seconds).ok()),
            delivery_error: delivery_error(object)?,
            filtered: false,
        })
    };
    inner().map_err(|fault| fault.of("flow log", id))
}

/// Absent on flow logs of transit gateways, which keep everything.
fn traffic_type(object: Object<'_>) -> Result<TrafficType, Fault> {
    let name = object.text("TrafficType")?.unwrap_or("ALL");
    match name.to_ascii_uppercase().as_str() {
        "ALL" => Ok(TrafficType::All),
        "ACCEPT" => Ok(TrafficType::Accept),
        "REJECT" => Ok(TrafficType::Reject),
        _ => Err(Fault::new(format!(
            "`TrafficType` {} is none of `ALL`, `ACCEPT`, `REJECT`",
            quoted(name)
        ))),
    }
}

fn delivery_error(object: Object<'_>) -> Result<Option<String>, Fault> {
    if let Some(message) = object.text("DeliverLogsErrorMessage")? {
        return Ok(Some(message.to_owned()));
    }
    let failed = object
        .text("DeliverLogsStatus")?
        .is_some_and(|status| status.eq_ignore_ascii_case("FAILED"));
    if failed {
        return Ok(Some("delivery failed".to_owned()));
    }
    let status = object.text("FlowLogStatus")?;
    let idle = status.filter(|status| !status.eq_ignore_ascii_case("ACTIVE"));
    Ok(idle.map(|status| format!("its status is {}", quoted(status))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> Result<FlowLog, Fault> {
        flow_log(Object::of(value).unwrap())
    }

    #[test]
    fn a_log_of_accepts_that_fails_to_arrive_says_both() {
        let log = read(
            &json!({"FlowLogId": "fl-1", "ResourceId": "vpc-1", "TrafficType": "ACCEPT",
            "DeliverLogsStatus": "FAILED", "MaxAggregationInterval": 60,
            "CreationTime": "2026-02-04T15:22:29.986Z"}),
        )
        .unwrap();
        assert_eq!(log.traffic_type, TrafficType::Accept);
        assert_eq!(log.delivery_error.as_deref(), Some("delivery failed"));
        assert_eq!(log.created, Some(Timestamp(1_770_218_549)));
        assert_eq!(log.max_aggregation_interval, Some(60));
    }

    #[test]
    fn a_log_that_is_not_active_delivers_nothing() {
        let error = |status: &str| {
            let log = read(&json!({"FlowLogId": "fl-1", "FlowLogStatus": status}));
            log.unwrap().delivery_error
        };
        assert_eq!(error("ACTIVE"), None);
        assert_eq!(
            error("DELETING").as_deref(),
            Some("its status is `DELETING`")
        );
    }

    #[test]
    fn an_unknown_traffic_type_is_refused() {
        assert!(read(&json!({"FlowLogId": "fl-1", "TrafficType": "SOME"})).is_err());
    }
}
