//! OCSF network activity, as Security Lake keeps flow logs: the same record in
//! other words. Endpoints show the packet's own address, and what the interface
//! showed instead among the intermediate ones; times are in milliseconds; the
//! interface stands at the end of the connection that it is on.
//!
//! Source: OCSF examples, "AWS VPC Flow Logs" mappings, versions 1.0.0-rc.2 and
//! 1.1.0; both are read.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::flowlog::error::LineErrorKind;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Verdicts;
use crate::flowlog::line::Draft;
use crate::model::Row;

/// Class of network activity.
pub(super) const NETWORK_ACTIVITY: u64 = 4_001;

/// What a column of an OCSF file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The same as the flow log's column, of flow logs too.
    Slot(Slot),
    /// The packet's own source.
    SourceAddress,
    /// The packet's own destination.
    DestinationAddress,
    /// Source as the interface showed it, where it differs.
    SourceShown,
    /// Destination as the interface showed it, where it differs.
    DestinationShown,
    /// The interface, where records are egress.
    SourceInterface,
    /// The interface, where records are ingress.
    DestinationInterface,
    /// First second.
    Start,
    /// The same of another version.
    StartAgain,
    /// Last second.
    End,
    /// The same of another version.
    EndAgain,
    /// `Allowed` or `Blocked`.
    Disposition,
    /// The same as a number.
    ActionId,
    /// The same, by what the record is about.
    ActivityId,
    /// 1 inbound, 2 outbound.
    DirectionId,
    /// 4001.
    ClassUid,
}

impl Part {
    /// The slot that it fills as it is.
    pub(super) fn slot(self) -> Option<Slot> {
        if let Part::Slot(slot) = self {
            Some(slot)
        } else {
            None
        }
    }
}

/// The part that a column of that path is.
pub(super) fn part_of_path(path: &[String]) -> Option<Part> {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    Some(match parts.as_slice() {
        ["src_endpoint", "ip"] => Part::SourceAddress,
        ["dst_endpoint", "ip"] => Part::DestinationAddress,
        ["src_endpoint", "intermediate_ips", ..] => Part::SourceShown,
        ["dst_endpoint", "intermediate_ips", ..] => Part::DestinationShown,
        ["src_endpoint", "interface_uid"] => Part::SourceInterface,
        ["dst_endpoint", "interface_uid"] => Part::DestinationInterface,
        ["src_endpoint", "port"] => Part::Slot(Slot::Srcport),
        ["dst_endpoint", "port"] => Part::Slot(Slot::Dstport),
        ["connection_info", "protocol_num"] => Part::Slot(Slot::Protocol),
        ["connection_info", "tcp_flags"] => Part::Slot(Slot::TcpFlags),
        ["connection_info", "direction_id"] => Part::DirectionId,
        ["traffic", "packets"] => Part::Slot(Slot::Packets),
        ["traffic", "bytes"] => Part::Slot(Slot::Bytes),
        ["start_time"] => Part::Start,
        ["start_time_dt"] => Part::StartAgain,
        ["end_time"] => Part::End,
        ["end_time_dt"] => Part::EndAgain,
        ["disposition"] => Part::Disposition,
        ["action_id"] => Part::ActionId,
        ["activity_id"] => Part::ActivityId,
        ["status_code"] => Part::Slot(Slot::LogStatus),
        ["class_uid"] => Part::ClassUid,
        _ => return None,
    })
}

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    disposition: Option<Cow<'a, str>>,
    action_id: Option<u64>,
    activity_id: Option<u64>,
    status_code: Option<Cow<'a, str>>,
    time: Option<Value>,
    start_time: Option<Value>,
    start_time_dt: Option<Value>,
    end_time: Option<Value>,
    end_time_dt: Option<Value>,
    connection_info: Option<Connection>,
    src_endpoint: Option<Endpoint<'a>>,
    dst_endpoint: Option<Endpoint<'a>>,
    traffic: Option<Traffic>,
    unmapped: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct Connection {
    protocol_num: Option<Value>,
    tcp_flags: Option<Value>,
    direction_id: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct Endpoint<'a> {
    #[serde(borrow)]
    ip: Option<Cow<'a, str>>,
    port: Option<Value>,
    interface_uid: Option<Cow<'a, str>>,
    #[serde(default)]
    intermediate_ips: Option<Vec<Cow<'a, str>>>,
}

#[derive(Debug, Default, Deserialize)]
struct Traffic {
    packets: Option<Value>,
    bytes: Option<Value>,
}

/// Reads one event of class network activity.
///
/// # Errors
/// Where it is not of OCSF's shape, or a value not of its kind.
pub fn parse_event(document: &[u8]) -> Result<Row, LineErrorKind> {
    let event: Event<'_> = serde_json::from_slice(document).map_err(|_| LineErrorKind::NoRecord)?;
    let source = event.src_endpoint.unwrap_or_default();
    let destination = event.dst_endpoint.unwrap_or_default();
    let connection = event.connection_info.unwrap_or_default();
    let traffic = event.traffic.unwrap_or_default();
    let outbound = connection.direction_id == Some(2);
    let interface = if outbound {
        source
            .interface_uid
            .as_ref()
            .or(destination.interface_uid.as_ref())
    } else {
        destination
            .interface_uid
            .as_ref()
            .or(source.interface_uid.as_ref())
    };
    let mut draft = Draft::EMPTY;
    let mut text = |slot, text: Option<&str>| match text {
        Some("") | None => Ok(()),
        Some(text) => draft.fill(slot, text.as_bytes()),
    };
    text(Slot::InterfaceId, interface.map(AsRef::as_ref))?;
    for (end, shown, own) in [
        (&source, Slot::Srcaddr, Slot::PktSrcaddr),
        (&destination, Slot::Dstaddr, Slot::PktDstaddr),
    ] {
        let ip = end.ip.as_deref();
        let between = end.intermediate_ips.as_deref().and_then(<[_]>::first);
        text(shown, between.map(AsRef::as_ref).or(ip))?;
        text(own, ip)?;
    }
    for (slot, value) in [
        (Slot::Srcport, &source.port),
        (Slot::Dstport, &destination.port),
        (Slot::Protocol, &connection.protocol_num),
        (Slot::TcpFlags, &connection.tcp_flags),
        (Slot::Packets, &traffic.packets),
        (Slot::Bytes, &traffic.bytes),
    ] {
        text(slot, plain(value.as_ref(), slot)?.as_deref())?;
    }
    let start = event.start_time.or(event.start_time_dt).or(event.time);
    let end = event.end_time.or(event.end_time_dt);
    text(
        Slot::Start,
        seconds(start.as_ref(), Slot::Start)?.as_deref(),
    )?;
    text(Slot::End, seconds(end.as_ref(), Slot::End)?.as_deref())?;
    let action = verdict(
        event.disposition.as_deref(),
        event.action_id,
        event.activity_id,
    );
    text(Slot::Action, action)?;
    text(Slot::LogStatus, event.status_code.as_deref())?;
    text(
        Slot::FlowDirection,
        match connection.direction_id {
            Some(1) => Some("ingress"),
            Some(2) => Some("egress"),
            Some(_) | None => None,
        },
    )?;
    let reason = event
        .unmapped
        .as_ref()
        .and_then(|rest| rest.get("reject_reason"));
    text(Slot::RejectReason, reason.and_then(Value::as_str))?;
    Ok(draft.row(Verdicts::Given, Flags::WithoutAcks))
}

/// What became of it, by the first of three words that says anything.
fn verdict(
    disposition: Option<&str>,
    action: Option<u64>,
    activity: Option<u64>,
) -> Option<&'static str> {
    let first = match disposition {
        Some("Allowed") => Some(true),
        Some("Blocked") => Some(false),
        Some(_) | None => None,
    };
    let of = |id: Option<u64>, allowed, refused| {
        let known = id.filter(|id| [allowed, refused].contains(id));
        known.map(|id| id == allowed)
    };
    let allowed = first.or(of(action, 1, 2)).or(of(activity, 6, 5))?;
    Some(if allowed { "ACCEPT" } else { "REJECT" })
}

/// A number, given as one or as text.
fn plain(value: Option<&Value>, slot: Slot) -> Result<Option<String>, LineErrorKind> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(LineErrorKind::Value(slot))
        }
    }
}

/// A time as seconds: given in milliseconds, or as RFC 3339 writes it.
fn seconds(value: Option<&Value>, slot: Slot) -> Result<Option<String>, LineErrorKind> {
    let wrong = LineErrorKind::Value(slot);
    match value {
        Some(Value::Number(number)) => {
            let milliseconds = number.as_i64().ok_or(wrong)?;
            Ok(Some(milliseconds.div_euclid(1_000).to_string()))
        }
        Some(Value::String(text)) => {
            let time = crate::net::Timestamp::parse_rfc3339(text).ok_or(wrong)?;
            Ok(Some(time.0.to_string()))
        }
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(wrong),
    }
}
