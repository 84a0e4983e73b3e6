//! Flow logs of Alibaba Cloud as its log service ships them to OSS: a JSON
//! object a line, CSV with a header, or Parquet, every value as text. Fields
//! are named and spelled as the log service does (SLS, "Log fields of VPC").

use std::io;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sample::blueprint::alibaba::ACCOUNT;
use crate::sample::blueprint::alibaba::REGION;
use crate::sample::form::Table;
use crate::sample::form::parquet;
use crate::sample::form::parquet::Filled;
use crate::sample::form::parquet::Values;

/// The fields, in the order of their documentation.
const NAMES: [&str; 22] = [
    "version",
    "account-id",
    "eni-id",
    "vm-id",
    "vswitch-id",
    "vpc-id",
    "region",
    "type",
    "protocol",
    "srcaddr",
    "srcport",
    "dstaddr",
    "dstport",
    "direction",
    "action",
    "packets",
    "bytes",
    "start",
    "end",
    "tcp-flags",
    "log-status",
    "traffic_path",
];

/// What the text calls a field that goes by another name here.
const OTHER_NAMES: [(&str, &str); 5] = [
    ("eni-id", "interface-id"),
    ("vm-id", "instance-id"),
    ("vswitch-id", "subnet-id"),
    ("direction", "flow-direction"),
    ("traffic_path", "traffic-path"),
];

/// A JSON object a line, with the log service's own fields.
pub(super) fn json(table: &Table<'_>) -> Vec<u8> {
    let columns: Vec<Vec<&str>> = columns(table);
    let mut out = String::new();
    for (at, time) in table.tokens("start").enumerate() {
        let mut event = Map::new();
        event.insert("__time__".to_owned(), json!(time));
        event.insert("__topic__".to_owned(), json!("flow_log"));
        event.insert("__source__".to_owned(), json!(""));
        for (name, column) in NAMES.iter().zip(&columns) {
            let value = column.get(at).copied().unwrap_or("-");
            event.insert((*name).to_owned(), json!(value));
        }
        out.push_str(&Value::Object(event).to_string());
        out.push('\n');
    }
    out.into_bytes()
}

/// CSV with a header; no value needs quotes.
pub(super) fn csv(table: &Table<'_>) -> Vec<u8> {
    let columns = columns(table);
    let mut out = NAMES.join(",");
    out.push('\n');
    for at in 0..table.lines.len() {
        let row = columns.iter().map(|column| column.get(at).copied());
        let row: Vec<&str> = row.map(Option::unwrap_or_default).collect();
        out.push_str(&row.join(","));
        out.push('\n');
    }
    out.into_bytes()
}

/// Parquet, every column plain text without a logical type.
pub(super) fn parquet(table: &Table<'_>) -> io::Result<Vec<u8>> {
    let declared = NAMES.map(|name| format!("optional binary {name}; "));
    let schema = format!("message schema {{ {} }}", declared.concat());
    let columns = columns(table);
    parquet::write(&schema, table.lines.len(), |from, to| {
        let filled = |column: &Vec<&str>| {
            let part = column.get(from..to).unwrap_or_default();
            Filled {
                values: Values::Text(part.iter().map(|token| parquet::text(token)).collect()),
                definitions: vec![1; part.len()],
                repetitions: Vec::new(),
            }
        };
        columns.iter().map(filled).collect()
    })
}

/// The values by column, as the log service spells them.
fn columns<'t>(table: &Table<'t>) -> Vec<Vec<&'t str>> {
    NAMES.iter().map(|name| column(table, name)).collect()
}

fn column<'t>(table: &Table<'t>, name: &str) -> Vec<&'t str> {
    let other = OTHER_NAMES.iter().find(|(own, _)| *own == name);
    let tokens = table.tokens(other.map_or(name, |(_, other)| other));
    tokens.map(|token| value(name, token)).collect()
}

fn value<'t>(name: &str, token: &'t str) -> &'t str {
    match (name, token) {
        ("version", _) => "1",
        ("account-id", _) => ACCOUNT,
        ("region", _) => REGION,
        ("direction", "ingress") => "in",
        ("direction", "egress") => "out",
        // To an instance of the same VPC; through a gateway endpoint.
        ("traffic_path", "1") => "2",
        ("traffic_path", "7") => "6",
        ("traffic_path", "4" | "8") => "0",
        _ => token,
    }
}
