//! Lines wrapped as log events.

use serde_json::json;

use crate::sample::blueprint::ACCOUNT;
use crate::sample::form::Table;

/// Events of one document.
const EVENTS: usize = 100;

/// Before each line the time of its event, which is its `start`.
pub(super) fn export(table: &Table<'_>) -> Vec<u8> {
    let mut out = String::new();
    for (line, start) in table.lines.iter().zip(table.tokens("start")) {
        let second = start.parse().unwrap_or(0);
        let time = jiff::Timestamp::from_second(second).unwrap_or_default();
        out.push_str(&time.strftime("%Y-%m-%dT%H:%M:%S.000Z ").to_string());
        out.push_str(line);
        out.push('\n');
    }
    out.into_bytes()
}

/// Documents with nothing between them; the first asks whether anybody listens.
pub(super) fn subscription(table: &Table<'_>) -> Vec<u8> {
    let control = json!({"messageType": "CONTROL_MESSAGE", "owner": "CloudwatchLogs",
        "logGroup": "", "logStream": "", "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": 0,
                       "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}]});
    let mut out = control.to_string();
    let starts: Vec<&str> = table.tokens("start").collect();
    let pairs: Vec<(&&str, &&str)> = table.lines.iter().zip(&starts).collect();
    for (number, chunk) in pairs.chunks(EVENTS).enumerate() {
        let event = |(place, (line, start)): (usize, &(&&str, &&str))| {
            let second: i64 = start.parse().unwrap_or(0);
            json!({"id": format!("{number:028}{place:028}"), "timestamp": second * 1_000,
                   "message": line})
        };
        let events: Vec<_> = chunk.iter().enumerate().map(event).collect();
        let document = json!({"messageType": "DATA_MESSAGE", "owner": ACCOUNT,
            "logGroup": "/vpc/flow", "logStream": "all", "subscriptionFilters": ["flow"],
            "logEvents": events});
        out.push_str(&document.to_string());
    }
    out.into_bytes()
}

/// A document for each line.
pub(super) fn firehose(table: &Table<'_>) -> Vec<u8> {
    let mut out = String::new();
    for line in &table.lines {
        out.push_str(&json!({"message": line}).to_string());
        out.push('\n');
    }
    out.into_bytes()
}
