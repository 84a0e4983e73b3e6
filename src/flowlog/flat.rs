//! Records that are JSON objects of one level, a member a field, as Alibaba
//! Cloud's Simple Log Service exports and ships logs. Values are strings or
//! numbers, as whoever set up the export had it. This is the plain way; the
//! short one is `shape`.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use crate::flowlog::error::LineErrorKind;
use crate::flowlog::fields::Field;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Verdicts;
use crate::flowlog::header::is_transit_gateway;
use crate::flowlog::line::Draft;
use crate::flowlog::value;
use crate::model::Row;

/// Names that make a document an envelope of records, or one of another kind.
const OF_ENVELOPES: [&[u8]; 8] = [
    b"messageType",
    b"logEvents",
    b"events",
    b"message",
    b"class_uid",
    b"awslogs",
    b"Records",
    b"records",
];

/// Reads a document.
///
/// # Errors
/// Where it is no object, names fewer than two fields of a flow log, or holds a
/// value that is not of its field's kind.
pub fn parse_record(document: &[u8]) -> Result<Row, LineErrorKind> {
    let members: Members<'_> =
        serde_json::from_slice(document).map_err(|_| LineErrorKind::NoRecord)?;
    members.row()
}

/// The same of a line that is one such document, its comma or return left out;
/// `None` where it is anything else, or cannot be read.
pub(super) fn record_of_line(line: &[u8]) -> Option<Row> {
    let line = line.trim_ascii_end();
    let line = line.strip_suffix(b",").unwrap_or(line);
    let members: Members<'_> = serde_json::from_slice(line).ok()?;
    let plain = !members.columns.is_envelope();
    members.row().ok().filter(|_| plain)
}

/// What a document says, as far as it is asked.
#[derive(Debug)]
struct Members<'d> {
    /// Known names.
    known: usize,
    /// First value of each slot, in the order of the document.
    values: Vec<(Slot, Value<'d>)>,
    columns: Columns,
}

/// What the names of a record's members say of all of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    has_action: bool,
    transit_gateway: bool,
    envelope: bool,
    flags: Flags,
}

#[derive(Debug)]
enum Value<'d> {
    Absent,
    Text(Cow<'d, str>),
    Number(u64),
    /// No string and no whole number.
    Odd,
}

impl Default for Columns {
    fn default() -> Columns {
        Columns {
            has_action: false,
            transit_gateway: false,
            envelope: false,
            flags: Flags::WithoutAcks,
        }
    }
}

impl Columns {
    /// Takes note of a name, and says what it fills.
    pub(super) fn note(&mut self, name: &[u8]) -> Option<Field> {
        let Some(field) = Field::from_name(name) else {
            self.transit_gateway |= is_transit_gateway(name);
            self.envelope |= OF_ENVELOPES.contains(&name);
            return None;
        };
        self.transit_gateway |= field.is_transit_gateway();
        self.has_action |= field == Field::Action;
        if field == Field::EniId {
            self.flags = Flags::MayHaveAcks;
        }
        Some(field)
    }

    pub(super) fn verdicts(self) -> Verdicts {
        if self.has_action && !self.transit_gateway {
            Verdicts::Given
        } else {
            Verdicts::Absent
        }
    }

    pub(super) fn flags(self) -> Flags {
        self.flags
    }

    /// Whether some name is one of an envelope's.
    pub(super) fn is_envelope(self) -> bool {
        self.envelope
    }
}

impl Members<'_> {
    fn row(self) -> Result<Row, LineErrorKind> {
        if self.known < 2 {
            return Err(LineErrorKind::NoRecord);
        }
        let verdicts = self.columns.verdicts();
        let mut draft = Draft::EMPTY;
        for (slot, value) in &self.values {
            if verdicts == Verdicts::Given || slot.tells_of_interval() {
                fill(&mut draft, *slot, value)?;
            }
        }
        Ok(draft.row(verdicts, self.columns.flags()))
    }
}

fn fill(draft: &mut Draft, slot: Slot, value: &Value<'_>) -> Result<(), LineErrorKind> {
    match value {
        Value::Absent => Ok(()),
        Value::Text(text) if value::is_null(text.as_bytes()) => Ok(()),
        Value::Text(text) => draft.fill(slot, text.as_bytes()),
        Value::Number(number) => draft.fill(slot, number.to_string().as_bytes()),
        Value::Odd => Err(LineErrorKind::Value(slot)),
    }
}

impl<'de: 'd, 'd> Deserialize<'de> for Members<'d> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'d>, D::Error> {
        struct OfMap;
        impl<'de> Visitor<'de> for OfMap {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Members {
                    known: 0,
                    values: Vec::new(),
                    columns: Columns::default(),
                };
                while let Some(Name(name)) = map.next_key()? {
                    let field = members.columns.note(name.as_bytes());
                    members.known = members.known.saturating_add(usize::from(field.is_some()));
                    let value = map.next_value()?;
                    if let Some(slot) = field.and_then(Field::slot)
                        && !members.values.iter().any(|(known, _)| *known == slot)
                    {
                        members.values.push((slot, value));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(OfMap)
    }
}

/// A member's name, borrowed where it can be.
#[derive(Deserialize)]
struct Name<'d>(#[serde(borrow)] Cow<'d, str>);

impl<'de: 'd, 'd> Deserialize<'de> for Value<'d> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value<'d>, D::Error> {
        deserializer.deserialize_any(OfAny)
    }
}

struct OfAny;

impl<'de> Visitor<'de> for OfAny {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Odd)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Odd)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        let whole = u64::try_from(value::whole_number(number));
        Ok(whole.map_or(Value::Odd, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Odd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Action;
    use crate::model::FlowDirection;
    use crate::model::FlowRecord;
    use crate::model::TcpFlags;

    /// As Simple Log Service ships it, with other ids and addresses.
    const SHIPPED: &str = r#"{"__time__":"1760000000","__topic__":"flow_log","__source__":"","version":"1","account-id":"1234567890123456","eni-id":"eni-bp1aaaa","vm-id":"i-bp1bbbb","vswitch-id":"vsw-bp1cccc","vpc-id":"vpc-bp1dddd","region":"cn-hangzhou","srcaddr":"10.0.0.1","srcport":"53870","dstaddr":"10.0.0.2","dstport":"80","protocol":"6","direction":"in","packets":"12","bytes":"3456","start":"1760000000","end":"1760000599","log-status":"OK","action":"ACCEPT","tcp-flags":"2","traffic_path":"2"}"#;

    fn record(document: &str) -> FlowRecord {
        match parse_record(document.as_bytes()) {
            Ok(Row::Flow(record)) => record,
            other => panic!("{other:?} of {document}"),
        }
    }

    #[test]
    fn a_shipped_record_is_read() {
        let record = record(SHIPPED);
        assert_eq!(record.interface_id.unwrap().as_str(), "eni-bp1aaaa");
        assert_eq!(record.srcaddr, "10.0.0.1".parse().ok());
        assert_eq!((record.srcport, record.dstport), (Some(53_870), Some(80)));
        assert_eq!(record.action, Action::Accept);
        assert_eq!(record.flow_direction, Some(FlowDirection::Ingress));
        assert_eq!(record.tcp_flags, Some(TcpFlags(TcpFlags::SYN)));
        assert_eq!((record.packets, record.bytes), (12, 3_456));
    }

    #[test]
    fn numbers_say_what_their_strings_say() {
        let mut bare = SHIPPED.to_owned();
        for name in [
            "__time__",
            "version",
            "account-id",
            "srcport",
            "dstport",
            "protocol",
            "packets",
            "bytes",
            "start",
            "end",
            "tcp-flags",
            "traffic_path",
        ] {
            let (before, behind) = bare.split_once(&format!("\"{name}\":\"")).unwrap();
            let (value, behind) = behind.split_once('"').unwrap();
            bare = format!("{before}\"{name}\":{value}{behind}");
        }
        assert_eq!(record(&bare), record(SHIPPED));
        let floats = bare.replace("\"dstport\":80", "\"dstport\":8.0e1");
        assert_eq!(record(&floats), record(SHIPPED));
    }

    #[test]
    fn a_path_of_any_spelling_is_nobodys_concern() {
        for name in ["traffic-path", "TrafficPath", "rafficPath"] {
            for value in ["\"all\"", "\"natGateway\"", "13", "null", "{\"a\":[1]}"] {
                let member = format!("\"{name}\":{value}");
                let document = SHIPPED.replace("\"traffic_path\":\"2\"", &member);
                assert_eq!(record(&document), record(SHIPPED), "{member}");
            }
        }
    }

    #[test]
    fn syn_with_ack_settles_nothing_since_lone_acks_may_count() {
        for flags in ["18", "26", "19"] {
            let member = format!("\"tcp-flags\":\"{flags}\"");
            let document = SHIPPED.replace("\"tcp-flags\":\"2\"", &member);
            assert_eq!(record(&document).tcp_flags, None, "{flags}");
        }
        let ack = SHIPPED.replace("\"tcp-flags\":\"2\"", "\"tcp-flags\":\"16\"");
        assert_eq!(record(&ack).tcp_flags, Some(TcpFlags(16)));
    }

    #[test]
    fn intervals_without_records_are_told() {
        let dashed = |status: &str| {
            format!(
                r#"{{"eni-id":"eni-bp1aaaa","srcaddr":"-","dstaddr":"","srcport":null,"start":"1760000000","end":"1760000599","action":"-","log-status":"{status}"}}"#
            )
        };
        let read = |status| parse_record(dashed(status).as_bytes());
        assert!(matches!(read("NODATA"), Ok(Row::NoData(_))));
        assert!(matches!(read("SKIPDATA"), Ok(Row::SkipData(_))));
    }

    #[test]
    fn bad_values_are_named() {
        for (from, to, slot) in [
            ("\"dstport\":\"80\"", "\"dstport\":\"65536\"", Slot::Dstport),
            ("\"dstport\":\"80\"", "\"dstport\":-1", Slot::Dstport),
            ("\"dstport\":\"80\"", "\"dstport\":80.5", Slot::Dstport),
            ("\"dstport\":\"80\"", "\"dstport\":[80]", Slot::Dstport),
            ("\"ACCEPT\"", "true", Slot::Action),
            ("\"10.0.0.1\"", "\"10.0.0\"", Slot::Srcaddr),
            ("\"in\"", "\"inside\"", Slot::FlowDirection),
        ] {
            let document = SHIPPED.replace(from, to);
            let read = parse_record(document.as_bytes());
            assert_eq!(read, Err(LineErrorKind::Value(slot)), "{to}");
        }
    }

    #[test]
    fn other_objects_are_no_records() {
        for document in [
            "{}",
            r#"{"srcaddr":"10.0.0.1"}"#,
            r#"{"a":1,"b":2}"#,
            "[]",
            "{",
        ] {
            let read = parse_record(document.as_bytes());
            assert_eq!(read, Err(LineErrorKind::NoRecord), "{document}");
        }
    }
}
