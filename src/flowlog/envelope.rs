//! The JSON that log events are wrapped in on their way: subscriptions of
//! CloudWatch Logs (`logEvents`), Firehose (`{"message": "…"}`), the output of
//! `aws logs filter-log-events` and `get-log-events` (`events`), and the base64
//! of gzipped subscriptions that Kinesis and Lambda hand on. The messages are
//! lines of a log without a header, and are read as such; OCSF events stand for
//! themselves.
//!
//! Of a bad message the place is its number among the object's messages and the
//! byte where its document begins. Documents that only ask whether the receiver
//! is alive (`CONTROL_MESSAGE`) hold no records and are set aside.

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
use crate::flowlog::ocsf;
use crate::flowlog::reader::LogReader;
use crate::flowlog::reader::Sink;
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
}

impl Envelopes {
    /// Takes the object's next bytes.
    pub(super) fn feed(&mut self, block: &[u8], reader: &mut LogReader, sink: &mut impl Sink) {
        if self.too_long {
            return;
        }
        let mut documents = std::mem::take(&mut self.documents);
        let went_on = documents.feed(block, |piece| self.piece(&piece, reader, sink));
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
        match std::mem::take(self).fault {
            Some(fault) => Err(fault),
            None => Ok(()),
        }
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
