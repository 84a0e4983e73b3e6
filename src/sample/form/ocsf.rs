//! OCSF network activity: endpoints with the packet's own addresses, what the
//! interface showed instead beside them, times in milliseconds.

use std::io;

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sample::form::Table;
use crate::sample::form::parquet;
use crate::sample::form::parquet::Filled;
use crate::sample::form::parquet::Values;

const SCHEMA: &str = "message network_activity {
    required int32 class_uid;
    optional int64 start_time;
    optional int64 end_time;
    optional binary disposition (UTF8);
    optional binary status_code (UTF8);
    optional group connection_info {
        optional int32 protocol_num; optional int32 tcp_flags; optional int32 direction_id;
    }
    optional group src_endpoint {
        optional binary ip (UTF8); optional int32 port; optional binary interface_uid (UTF8);
        optional group intermediate_ips (LIST) { repeated group list { optional binary element (UTF8); } }
    }
    optional group dst_endpoint {
        optional binary ip (UTF8); optional int32 port; optional binary interface_uid (UTF8);
        optional group intermediate_ips (LIST) { repeated group list { optional binary element (UTF8); } }
    }
    optional group traffic { optional int64 packets; optional int64 bytes; }
}";

/// A record's fields by name; `None` for `-`.
struct Record<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Record<'t> {
    fn text(&self, name: &str) -> Option<&'t str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, token)| *token).filter(|token| *token != "-")
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    fn is_egress(&self) -> bool {
        self.text("flow-direction") == Some("egress")
    }

    fn direction(&self) -> Option<i64> {
        self.text("flow-direction")
            .map(|way| if way == "egress" { 2 } else { 1 })
    }

    fn disposition(&self) -> Option<&'static str> {
        let action = self.text("action")?;
        Some(if action == "ACCEPT" {
            "Allowed"
        } else {
            "Blocked"
        })
    }

    /// The packet's address of an end, and the other one where it differs.
    fn addresses(&self, end: &str) -> (Option<&'t str>, Option<&'t str>) {
        let shown = self.text(&format!("{end}addr"));
        let own = self.text(&format!("pkt-{end}addr")).or(shown);
        (own, shown.filter(|_| own != shown))
    }

    fn interface(&self, end: &str) -> Option<&'t str> {
        let near = if self.is_egress() { "src" } else { "dst" };
        self.text("interface-id").filter(|_| near == end)
    }
}

fn records<'t>(table: &Table<'t>) -> Vec<Record<'t>> {
    let fields = |line: &&'t str| table.names.iter().copied().zip(line.split(' ')).collect();
    table
        .lines
        .iter()
        .map(|line| Record(fields(line)))
        .collect()
}

/// One event a line.
pub(super) fn lines(table: &Table<'_>) -> Vec<u8> {
    let mut out = String::new();
    for record in records(table) {
        out.push_str(&event(&record).to_string());
        out.push('\n');
    }
    out.into_bytes()
}

fn event(record: &Record<'_>) -> Value {
    let blocked = record.disposition() == Some("Blocked");
    let time = |name: &str| record.number(name).map(|second| second * 1_000);
    json!({
        "class_uid": 4001, "category_uid": 4,
        "activity_id": if blocked { 5 } else { 6 },
        "time": time("start"), "start_time": time("start"), "end_time": time("end"),
        "disposition": record.disposition(),
        "status_code": record.text("log-status"),
        "connection_info": {
            "protocol_num": record.number("protocol"),
            "tcp_flags": record.number("tcp-flags"),
            "direction_id": record.direction(),
            "boundary_id": record.number("traffic-path").map_or(99, |path| path + 3),
        },
        "src_endpoint": endpoint(record, "src"),
        "dst_endpoint": endpoint(record, "dst"),
        "traffic": {"packets": record.number("packets"), "bytes": record.number("bytes")},
        "unmapped": {"reject_reason": record.text("reject-reason")},
    })
}

fn endpoint(record: &Record<'_>, end: &str) -> Value {
    let (own, shown) = record.addresses(end);
    let mut point = Map::new();
    point.insert("ip".into(), json!(own));
    point.insert("port".into(), json!(record.number(&format!("{end}port"))));
    point.insert("interface_uid".into(), json!(record.interface(end)));
    if let Some(shown) = shown {
        point.insert("intermediate_ips".into(), json!([shown]));
    }
    Value::Object(point)
}

/// The file of a table.
pub(super) fn parquet(table: &Table<'_>) -> io::Result<Vec<u8>> {
    let all = records(table);
    parquet::write(SCHEMA, all.len(), |from, to| {
        columns(all.get(from..to).unwrap_or_default())
    })
}

fn columns(records: &[Record<'_>]) -> Vec<Filled> {
    let short = |value: &dyn Fn(&Record<'_>) -> Option<i64>, level| {
        let value = |record: &Record<'_>| i32::try_from(value(record)?).ok();
        filled(records.iter().map(value).collect(), level, Values::Short)
    };
    let long = |value: &dyn Fn(&Record<'_>) -> Option<i64>, level| {
        filled(records.iter().map(value).collect(), level, Values::Long)
    };
    let text = |value: &dyn Fn(&Record<'_>) -> Option<String>, level| {
        let value = |record: &Record<'_>| value(record).map(|text| parquet::text(&text));
        filled(records.iter().map(value).collect(), level, Values::Text)
    };
    let time = |name: &'static str| {
        move |record: &Record<'_>| record.number(name).map(|second| second * 1_000)
    };
    let number = |name: &'static str| move |record: &Record<'_>| record.number(name);
    let mut columns = vec![
        Filled {
            values: Values::Short(vec![4_001; records.len()]),
            definitions: vec![0; records.len()],
            repetitions: Vec::new(),
        },
        long(&time("start"), 0),
        long(&time("end"), 0),
        text(&|record| record.disposition().map(str::to_owned), 0),
        text(&|record| record.text("log-status").map(str::to_owned), 0),
        short(&number("protocol"), 1),
        short(&number("tcp-flags"), 1),
        short(&|record| record.direction(), 1),
    ];
    for (end, port) in [("src", "srcport"), ("dst", "dstport")] {
        columns.push(text(
            &|record| record.addresses(end).0.map(str::to_owned),
            1,
        ));
        columns.push(short(&number(port), 1));
        columns.push(text(&|record| record.interface(end).map(str::to_owned), 1));
        // Two more levels: the list, and that it repeats.
        let mut shown = text(&|record| record.addresses(end).1.map(str::to_owned), 3);
        for level in &mut shown.definitions {
            *level = if *level == 4 { 4 } else { 1 };
        }
        shown.repetitions = vec![0; records.len()];
        columns.push(shown);
    }
    columns.push(long(&number("packets"), 1));
    columns.push(long(&number("bytes"), 1));
    columns
}

/// A column whose values stand below so many groups that are always there.
fn filled<T>(values: Vec<Option<T>>, level: i16, kind: fn(Vec<T>) -> Values) -> Filled {
    Filled {
        definitions: values
            .iter()
            .map(|value| level + i16::from(value.is_some()))
            .collect(),
        values: kind(values.into_iter().flatten().collect()),
        repetitions: Vec::new(),
    }
}
