//! The JSON that log events are wrapped in on their way: subscriptions of
//! CloudWatch Logs (`logEvents`), Firehose (`{"message": "…"}`), the output of
//! `aws logs filter-log-events` and `get-log-events` (`events`), and the base64
//! of gzipped subscriptions that Kinesis and Lambda hand on. The messages are
//! lines of a log without a header, and are read as such; OCSF events, and
//! objects whose members are a record's fields, stand for themselves.
//!
//! Of a bad message the place is its number among the object's messages and the
//! byte where its document begins. Documents that only ask whether the receiver
//! is alive (`CONTROL_MESSAGE`) hold no records and are set aside.

#![expect(
    clippy::inline_always,
    reason = "the loop over records is compiled for each kind of processor"
)]

use std::borrow::Cow;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::documents::Documents;
use crate::flowlog::documents::LONGEST_DOCUMENT;
use crate::flowlog::documents::Piece;
use crate::flowlog::error::FormError;
use crate::flowlog::error::LineError;
use crate::flowlog::error::LineErrorKind;
use crate::flowlog::flat;
use crate::flowlog::ocsf;
use crate::flowlog::reader::LogReader;
use crate::flowlog::reader::Sink;
use crate::flowlog::scan::Index;
use crate::flowlog::scan::Lanes;
use crate::flowlog::scan::WINDOW;
use crate::flowlog::scan::Work;
use crate::flowlog::shape::Shapes;
use crate::model::Row;

/// How base64 of gzip begins.
pub(super) const PACKED: &[u8; 4] = b"H4sI";

/// Envelopes within envelopes: a Lambda event holds a subscription's document.
const DEEPEST: u8 = 2;

#[derive(Debug, Deserialize)]
struct Document<'a> {
    #[serde(rename = "messageType", borrow)]
    message_type: Option<Cow<'a, str>>,
    #[serde(rename = "logEvents", borrow)]
    log_events: Option<Vec<Event<'a>>>,
    #[serde(borrow)]
    events: Option<Vec<Event<'a>>>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    class_uid: Option<u64>,
    #[serde(borrow)]
    awslogs: Option<Data<'a>>,
    #[serde(rename = "Records", alias = "records", borrow)]
    records: Option<Vec<Delivered<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Delivered<'a> {
    #[serde(borrow)]
    kinesis: Option<Data<'a>>,
    #[serde(rename = "Data", alias = "data", borrow)]
    data: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
}

/// Takes the lines out of one object's documents.
#[derive(Debug, Default)]
pub(super) struct Envelopes {
    documents: Documents,
    lines: Vec<u8>,
    /// The first thing that was lost and may have been much.
    fault: Option<FormError>,
    too_long: bool,
    shapes: Shapes,
}

impl Envelopes {
    /// As they are by default, without the short way.
    #[cfg(test)]
    pub(super) fn plain() -> Envelopes {
        Envelopes {
            shapes: Shapes::none(),
            ..Envelopes::default()
        }
    }

    /// Starts another object; what was learned of lines is kept.
    pub(super) fn restart(&mut self) {
        *self = Envelopes {
            shapes: std::mem::take(&mut self.shapes),
            ..Envelopes::default()
        };
    }

    /// Takes the object's next bytes.
    pub(super) fn feed(&mut self, block: &[u8], reader: &mut LogReader, sink: &mut impl Sink) {
        let mut rest = block;
        while !rest.is_empty() && !self.too_long {
            if self.documents.is_at_line() {
                rest = self.records(rest, reader, sink);
            }
            let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |len| len.saturating_add(1));
            let (line, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            self.plain_line(line, reader, sink);
            rest = behind;
        }
    }

    /// Reads lines that fit a shape, and returns what follows them.
    fn records<'b>(
        &mut self,
        text: &'b [u8],
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) -> &'b [u8] {
        let Some(mut index) = self.shapes.take_index() else {
            return text;
        };
        let rest = index.engine().run(Windows {
            envelopes: self,
            index: &mut index,
            reader,
            text,
            sink,
        });
        self.shapes.give_index(index);
        rest
    }

    /// Reads a line that fits no shape.
    #[inline(never)]
    fn line(&mut self, line: &[u8], reader: &mut LogReader, sink: &mut impl Sink) {
        // Those of other kinds are not taken apart twice.
        let named = memchr::memmem::find(line, b"\"srcaddr\"").is_some();
        let row = named.then(|| flat::record_of_line(line)).flatten();
        let Some(row) = row else {
            return self.plain_line(line, reader, sink);
        };
        if matches!(row, Row::Flow(_)) {
            self.shapes.learn(line.strip_suffix(b"\n").unwrap_or(line));
        }
        reader.count_line();
        self.documents.pass(line.len());
        sink.row(&row);
    }

    /// Reads a line, or a piece of one, byte by byte.
    fn plain_line(&mut self, line: &[u8], reader: &mut LogReader, sink: &mut impl Sink) {
        let mut documents = std::mem::take(&mut self.documents);
        let went_on = documents.feed(line, |piece| self.piece(&piece, reader, sink));
        self.documents = documents;
        if !went_on {
            self.too_long = true;
            self.fault
                .get_or_insert(FormError::TooLarge(LONGEST_DOCUMENT));
        }
    }

    /// Ends the object.
    pub(super) fn finish(
        &mut self,
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) -> Result<(), FormError> {
        let mut documents = std::mem::take(&mut self.documents);
        let cut = documents.finish(|piece| self.piece(&piece, reader, sink));
        if let Some(byte) = cut
            && !self.too_long
        {
            self.fault.get_or_insert(FormError::JsonCutShort { byte });
        }
        let fault = self.fault.take();
        self.restart();
        fault.map_or(Ok(()), Err)
    }

    fn piece(&mut self, piece: &Piece<'_>, reader: &mut LogReader, sink: &mut impl Sink) {
        match *piece {
            Piece::Document(text, byte) => self.document(text, byte, 0, reader, sink),
            Piece::Damaged(text, byte) => self.damaged(text, byte, reader, sink),
        }
    }

    fn damaged(&mut self, text: &[u8], byte: u64, reader: &mut LogReader, sink: &mut impl Sink) {
        refuse(LineErrorKind::NotJson, byte, reader, sink);
        let holds = |key: &[u8]| memchr::memmem::find(text, key).is_some();
        if holds(b"logEvents") || holds(b"\"events\"") || holds(b"\"Records\"") {
            self.fault.get_or_insert(FormError::JsonDamaged { byte });
        }
    }

    fn document(
        &mut self,
        text: &[u8],
        byte: u64,
        depth: u8,
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) {
        let Ok(document) = serde_json::from_slice::<Document<'_>>(text) else {
            return self.damaged(text, byte, reader, sink);
        };
        if document.class_uid.is_some() {
            return event(text, byte, document.class_uid, reader, sink);
        }
        if document.message_type.as_deref() == Some("CONTROL_MESSAGE") {
            return;
        }
        if let Some(events) = document.log_events.or(document.events) {
            let messages = events.iter().map(|event| event.message.as_deref());
            return self.messages(messages, byte, reader, sink);
        }
        if let Some(message) = &document.message {
            return self.messages(std::iter::once(Some(message.as_ref())), byte, reader, sink);
        }
        let records = document.records.iter().flatten();
        let records = records.map(|record| {
            let inner = record.kinesis.as_ref().map(|kinesis| kinesis.data.as_ref());
            inner.or(record.data.as_deref())
        });
        let lambda = document.awslogs.iter().map(|logs| Some(logs.data.as_ref()));
        let mut packed = records.chain(lambda).peekable();
        if packed.peek().is_none() && document.records.is_none() {
            return record(text, byte, reader, sink);
        }
        if depth >= DEEPEST || packed.peek().is_none() {
            if document.records.is_none() {
                refuse(LineErrorKind::NoRecord, byte, reader, sink);
            }
            return;
        }
        for data in packed {
            self.packed(
                data.unwrap_or_default().as_bytes(),
                byte,
                depth,
                reader,
                sink,
            );
        }
    }

    /// Reads the document that base64 and gzip hide.
    fn packed(
        &mut self,
        data: &[u8],
        byte: u64,
        depth: u8,
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) {
        let Some(text) = unpacked(data) else {
            // It may have held many.
            refuse(LineErrorKind::NotPacked, byte, reader, sink);
            self.fault.get_or_insert(FormError::JsonDamaged { byte });
            return;
        };
        let mut documents = Documents::default();
        let below = depth.saturating_add(1);
        let mut each = |piece: Piece<'_>| match piece {
            Piece::Document(text, _) => self.document(text, byte, below, reader, sink),
            Piece::Damaged(text, _) => self.damaged(text, byte, reader, sink),
        };
        let whole = documents.feed(&text, &mut each);
        if documents.finish(&mut each).is_some() || !whole {
            self.fault.get_or_insert(FormError::JsonDamaged { byte });
        }
    }

    /// Reads one line of base64.
    pub(super) fn packed_line(
        &mut self,
        line: &[u8],
        byte: u64,
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) {
        self.packed(line, byte, 0, reader, sink);
    }

    /// Reads messages as lines of a log.
    fn messages<'m>(
        &mut self,
        messages: impl Iterator<Item = Option<&'m str>>,
        byte: u64,
        reader: &mut LogReader,
        sink: &mut impl Sink,
    ) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.clear();
        for message in messages {
            let text = message.unwrap_or_default().trim_ascii_end();
            if text.is_empty() {
                reader.feed(&lines, &mut At { byte, sink });
                lines.clear();
                refuse(LineErrorKind::NoRecord, byte, reader, sink);
                continue;
            }
            // One message is one record: a newline within is no blank.
            lines.extend(text.bytes().map(|b| if b == b'\n' { 1 } else { b }));
            lines.push(b'\n');
        }
        reader.feed(&lines, &mut At { byte, sink });
        self.lines = lines;
    }
}

/// Lines that fit a shape, as many as there are at the front of a text.
struct Windows<'r, 'a, S> {
    envelopes: &'r mut Envelopes,
    index: &'r mut Index,
    reader: &'r mut LogReader,
    text: &'a [u8],
    sink: &'r mut S,
}

impl<'a, S: Sink> Work for Windows<'_, 'a, S> {
    type Outcome = &'a [u8];

    #[inline(always)]
    fn run(mut self, lanes: impl Lanes) -> &'a [u8] {
        while self.envelopes.documents.is_at_line()
            && let Some(behind) = self.window(lanes)
        {
            self.text = behind;
        }
        self.text
    }
}

impl<'a, S: Sink> Windows<'_, 'a, S> {
    /// Reads the lines that end within a window at the front of the text, and
    /// returns what follows them; `None` where none ends there.
    #[inline(always)]
    fn window(&mut self, lanes: impl Lanes) -> Option<&'a [u8]> {
        let text = self.text;
        let window = text.get(..WINDOW).unwrap_or(text);
        let plain = self.index.build(window, b'"')
            && window.is_ascii()
            && memchr::memchr(b'\\', window).is_none();
        let (bounds, newlines) = (self.index.bounds(), self.index.newlines());
        let (mut before, mut done) = (0, 0_usize);
        for newline in newlines {
            let newline = usize::from(*newline);
            let line = bounds.get(before..=newline).unwrap_or_default();
            let behind = line
                .last()
                .map_or(0, |end| usize::from(*end))
                .wrapping_add(1);
            before = newline;
            let envelopes = &mut *self.envelopes;
            if plain
                && let Some(brief) =
                    envelopes
                        .shapes
                        .read(text, line, self.reader.interfaces_mut(), lanes)
            {
                self.reader.count_line();
                envelopes.documents.pass(behind.saturating_sub(done));
                self.sink.brief(&brief, self.reader.interfaces());
                done = behind;
                continue;
            }
            let line = text.get(done..behind)?;
            done = behind;
            self.envelopes.line(line, self.reader, self.sink);
            if !self.envelopes.documents.is_at_line() || self.envelopes.too_long {
                break;
            }
        }
        (done > 0).then(|| text.get(done..).unwrap_or_default())
    }
}

/// An event that is a record itself.
fn event(text: &[u8], byte: u64, class: Option<u64>, reader: &mut LogReader, sink: &mut impl Sink) {
    if class != Some(ocsf::NETWORK_ACTIVITY) {
        reader.count_line();
        return sink.row(&Row::Other);
    }
    match ocsf::parse_event(text) {
        Ok(row) => {
            reader.count_line();
            sink.row(&row);
        }
        Err(kind) => refuse(kind, byte, reader, sink),
    }
}

/// An object whose members are the fields of a record.
fn record(text: &[u8], byte: u64, reader: &mut LogReader, sink: &mut impl Sink) {
    match flat::parse_record(text) {
        Ok(row) => {
            reader.count_line();
            sink.row(&row);
        }
        Err(kind) => refuse(kind, byte, reader, sink),
    }
}

fn refuse(kind: LineErrorKind, byte: u64, reader: &mut LogReader, sink: &mut impl Sink) {
    let line = reader.count_line();
    sink.malformed(&LineError { line, byte, kind });
}

/// Inflates base64 of gzip, of all its members.
fn unpacked(data: &[u8]) -> Option<Vec<u8>> {
    let packed = STANDARD.decode(data.trim_ascii()).ok()?;
    let most = u64::try_from(LONGEST_DOCUMENT).ok()?;
    let mut text = Vec::new();
    let mut members = MultiGzDecoder::new(packed.as_slice()).take(most.saturating_add(1));
    members.read_to_end(&mut text).ok()?;
    (text.len() <= LONGEST_DOCUMENT).then_some(text)
}

/// Says of bad lines where their document begins.
struct At<'s, S> {
    byte: u64,
    sink: &'s mut S,
}

impl<S: Sink> Sink for At<'_, S> {
    fn row(&mut self, row: &Row) {
        self.sink.row(row);
    }

    fn malformed(&mut self, error: &LineError) {
        let byte = self.byte;
        self.sink.malformed(&LineError { byte, ..*error });
    }

    #[inline]
    fn brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
        self.sink.brief(brief, interfaces);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prelude::prop_oneof;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;
    use crate::flowlog::header::Layout;

    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        rows: Vec<Row>,
        errors: Vec<LineError>,
        fault: Option<FormError>,
        /// Rows that came the short way.
        short: usize,
    }

    impl Sink for Seen {
        fn row(&mut self, row: &Row) {
            self.rows.push(*row);
        }

        fn malformed(&mut self, error: &LineError) {
            self.errors.push(*error);
        }

        fn brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
            self.short += 1;
            self.rows.push(Row::Flow(brief.record(interfaces)));
        }
    }

    /// What an object gives when it is read for the second time, so that all of
    /// its shapes are known where any are.
    fn read(mut envelopes: Envelopes, blocks: &[&[u8]]) -> Seen {
        let mut reader = LogReader::new(&Layout::default());
        let mut seen = Seen::default();
        for _ in 0..2 {
            seen = Seen::default();
            for block in blocks {
                envelopes.feed(block, &mut reader, &mut seen);
            }
            seen.fault = envelopes.finish(&mut reader, &mut seen).err();
            reader.abandon();
        }
        seen
    }

    /// Members in an order, some bare, values mostly sound.
    fn record() -> impl Strategy<Value = String> {
        let names = [
            "__time__",
            "eni-id",
            "region",
            "srcaddr",
            "srcport",
            "dstaddr",
            "dstport",
            "protocol",
            "direction",
            "packets",
            "bytes",
            "start",
            "end",
            "log-status",
            "action",
            "tcp-flags",
            "traffic_path",
        ];
        let port = prop_oneof![
            Just("80"),
            Just("53870"),
            Just("0"),
            Just("65536"),
            Just("007")
        ];
        let address = prop_oneof![
            8 => Just("10.0.0.1"), 4 => Just("203.0.113.255"), 1 => Just("2001:db8::1"),
            1 => Just("-"), 1 => Just("")
        ];
        let odd = prop_oneof![
            20 => Just(None),
            1 => (0..names.len(), prop_oneof![
                Just("null"), Just("true"), Just("-1"), Just("[1,{}]"), Just("\"a\\\"b\""),
                Just("\"\u{e4}\""), Just("\"x"), Just("1.5")
            ]).prop_map(Some)
        ];
        let status = prop_oneof![9 => Just("OK"), 1 => Just("NODATA"), 1 => Just("SKIPDATA")];
        let way = prop_oneof![Just("in"), Just("out"), Just("-")];
        let flags = prop_oneof![Just("2"), Just("18"), Just("0"), Just("-"), Just("26")];
        let values = (port, address, status, way, flags, 0_u32..99_999);
        let gaps = prop_oneof![9 => Just(""), 1 => Just(" ")];
        (values, 0_u32..4, odd, gaps).prop_map(move |(values, bare, odd, gap)| {
            let (port, address, status, way, flags, count) = values;
            let count = count.to_string();
            let given = [
                "1760000000",
                "eni-bp1aaaa",
                "cn-hangzhou",
                address,
                port,
                "192.0.2.7",
                "443",
                "6",
                way,
                &count,
                &count,
                "1760000000",
                "1760000599",
                status,
                "ACCEPT",
                flags,
                "2",
            ];
            let number = |value: &str| {
                value == "0" || value.parse::<u32>().is_ok_and(|_| !value.starts_with('0'))
            };
            let mut members = Vec::new();
            for (at, (name, value)) in names.iter().zip(given).enumerate() {
                let bare = number(value) && (bare == 1 || bare == 2 && at == 0);
                let value = match odd {
                    Some((place, odd)) if place == at => odd.to_owned(),
                    _ if bare => value.to_owned(),
                    _ => format!("\"{value}\""),
                };
                members.push(format!("\"{name}\":{gap}{value}"));
            }
            format!("{{{}}}", members.join(","))
        })
    }

    fn object() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            20 => record(),
            1 => record().prop_map(|text| format!("[{text}")),
            1 => record().prop_map(|text| format!("{text},")),
            1 => record().prop_map(|text| format!("{text}\r")),
            1 => record().prop_map(|text| format!(" {text} ")),
            1 => (record(), record()).prop_map(|(one, two)| format!("{one}{two}")),
            1 => record().prop_map(|text| text.replace("\"region\"", "\"message\"")),
            1 => record().prop_map(|text| text.replace(",\"action\"", ",\n\"action\"")),
            1 => (record(), any::<usize>()).prop_map(|(text, at)| {
                let cut = at % text.len();
                text.chars().take(cut).collect()
            }),
            1 => "[ -~]{0,30}",
            1 => Just("]".to_owned()),
        ];
        vec(line, 0..30).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn the_short_way_is_of_the_same_opinion(object in object(), at in any::<usize>()) {
            let text = object.as_bytes();
            let (left, right) = text.split_at(at % (text.len() + 1));
            let plain = read(Envelopes::plain(), &[text]);
            let mut short = read(Envelopes::default(), &[left, right]);
            prop_assert_eq!(plain.short, 0);
            short.short = 0;
            prop_assert_eq!(short, plain);
        }
    }

    #[test]
    fn what_one_writer_writes_goes_the_short_way() {
        let line = r#"{"__time__":1760000000,"eni-id":"eni-bp1aaaa","srcaddr":"10.0.0.1","srcport":"53870","dstaddr":"10.0.0.2","dstport":"80","protocol":"6","direction":"in","packets":"12","bytes":"3456","start":"1760000000","end":"1760000599","log-status":"OK","action":"ACCEPT","tcp-flags":"2"}"#;
        let text = format!("{line}\n").repeat(1_000);
        let seen = read(Envelopes::default(), &[text.as_bytes()]);
        assert_eq!((seen.short, seen.rows.len()), (1_000, 1_000));
        let plain = read(Envelopes::plain(), &[text.as_bytes()]);
        assert_eq!(seen.rows, plain.rows);
    }
}
