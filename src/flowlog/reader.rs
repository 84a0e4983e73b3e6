//! Cuts lines out of blocks and turns them into rows. Blocks are pushed in and
//! may be cut anywhere: rows, errors and positions are the same for every cut.
//!
//! Headers are told by their words, not by their place: files get concatenated,
//! so one may stand between records, and may name other columns than before.

#![expect(
    clippy::inline_always,
    reason = "the loop over records is compiled for each kind of processor"
)]

use std::mem;

use memchr::memchr;
use memchr::memchr2;

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::LONGEST_LINE;
use crate::flowlog::error::LineError;
use crate::flowlog::error::LineErrorKind;
use crate::flowlog::header::Layout;
use crate::flowlog::header::LayoutOrigin;
use crate::flowlog::header::Separator;
use crate::flowlog::header::is_header;
use crate::flowlog::line;
use crate::flowlog::plan::Plan;
use crate::flowlog::scan::Engine;
use crate::flowlog::scan::Index;
use crate::flowlog::scan::Lanes;
use crate::flowlog::scan::REACH;
use crate::flowlog::scan::Spans;
use crate::flowlog::scan::WINDOW;
use crate::flowlog::scan::Work;
use crate::model::Row;

/// Byte order mark that some editors put in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Where rows and bad lines go, in the order of the log. Each line that is
/// neither blank nor a header gives exactly one of them.
pub trait Sink {
    /// A line was read.
    fn row(&mut self, row: &Row);
    /// A line could not be read.
    fn malformed(&mut self, error: &LineError);
    /// A line was read the short way. Whoever folds many takes it as it is;
    /// to all others it is a row like any.
    #[inline]
    fn brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
        self.row(&Row::Flow(brief.record(interfaces)));
    }
    /// Rows will come without end for a while yet: a moment to make room in. Short
    /// ones are numbered by these interfaces.
    fn pause(&mut self, _: &Interfaces) {}
}

/// Reads the text of one object, then of another.
#[derive(Debug)]
pub struct LogReader {
    headerless: Columns,
    /// The header that was read last, and what it says: the next object
    /// mostly begins with the same.
    header: Option<(Vec<u8>, Columns)>,
    layout: Layout,
    /// The last line had the time of its log event before it.
    stamped: bool,
    /// Invariant: that of the layout, and of such lines or of others.
    plan: Option<Plan>,
    /// A header said otherwise than the user.
    overruled: bool,
    /// Where short lines are found; `None` to read every line the plain way.
    index: Option<Box<Index>>,
    interfaces: Interfaces,
    /// Invariant: has room for the layout's columns.
    spans: Spans,
    /// Front of a line whose newline has not come; empty once it is too long.
    pending: Vec<u8>,
    /// Bytes of that front, kept or not.
    pending_len: usize,
    /// Lines that are behind us.
    lines: u64,
    /// Where the line that comes next begins.
    byte: u64,
}

/// Columns, and the short way to read them where the line begins with them.
#[derive(Clone, Debug)]
struct Columns {
    layout: Layout,
    plan: Option<Plan>,
}

impl From<Layout> for Columns {
    fn from(layout: Layout) -> Columns {
        let plan = Plan::of(&layout, false);
        Columns { layout, plan }
    }
}

impl LogReader {
    /// Starts an object. Lines before its first header have the columns of
    /// `headerless`; from there on the header's word counts.
    #[must_use]
    pub fn new(headerless: &Layout) -> LogReader {
        LogReader::with_engine(headerless, Some(Engine::best()))
    }

    /// The same by another engine, or without any: the plain way alone.
    fn with_engine(headerless: &Layout, engine: Option<Engine>) -> LogReader {
        LogReader {
            headerless: Columns::from(headerless.clone()),
            header: None,
            spans: line::spans_of(headerless),
            layout: headerless.clone(),
            stamped: false,
            plan: Plan::of(headerless, false),
            overruled: false,
            index: engine.map(|engine| Box::new(Index::new(engine))),
            interfaces: Interfaces::default(),
            pending: Vec::new(),
            pending_len: 0,
            lines: 0,
            byte: 0,
        }
    }

    /// Takes the object's next bytes.
    pub fn feed(&mut self, block: &[u8], sink: &mut impl Sink) {
        let mut rest = self.complete_pending(block, sink);
        loop {
            rest = self.windows(rest, sink);
            // Of lines that no window holds, one at a time.
            let Some(len) = memchr(b'\n', rest) else {
                break;
            };
            self.line(rest, len, sink);
            rest = behind_newline(rest, len);
        }
        self.keep(rest);
    }

    /// Reads window by window, and returns what none of them could end.
    fn windows<'a>(&mut self, mut text: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if let Some(mut index) = self.index.take() {
            text = index.engine().run(Windows {
                reader: self,
                index: &mut index,
                text,
                sink,
            });
            self.index = Some(index);
        }
        text
    }

    /// Ends the object; its last line may lack a newline. What comes next is
    /// another object.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        if self.pending_len > 0 {
            self.pending_line(sink);
        }
        self.abandon();
    }

    /// Ends an object that could not be read to its end. Its last line is
    /// dropped: it may be cut within a number, and would pass for a record.
    pub fn abandon(&mut self) {
        if self.layout != self.headerless.layout {
            self.take(self.headerless.clone());
        }
        self.pending.clear();
        self.pending_len = 0;
        self.lines = 0;
        self.byte = 0;
    }

    /// Sets the columns of lines before the next header, of this object and of
    /// those that follow.
    pub fn expect(&mut self, headerless: &Layout) {
        if self.headerless.layout == *headerless {
            return;
        }
        let columns = Columns::from(headerless.clone());
        if self.layout == self.headerless.layout {
            self.take(columns.clone());
        }
        self.headerless = columns;
    }

    /// Whether some header since the last call named other columns than
    /// `--fields` did; the header was followed.
    pub fn take_overruled(&mut self) -> bool {
        mem::take(&mut self.overruled)
    }

    /// Counts one line that another reader read, and says its number.
    pub(super) fn count_line(&mut self) -> u64 {
        self.lines = self.lines.wrapping_add(1);
        self.lines
    }

    /// Where readers of other forms number their interfaces.
    pub(super) fn interfaces_mut(&mut self) -> &mut Interfaces {
        &mut self.interfaces
    }

    /// The interfaces that brief records are numbered by: those of all objects
    /// that this reader has read.
    #[must_use]
    pub fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }

    /// The same, of a reader that has done its work.
    #[must_use]
    pub fn into_interfaces(self) -> Interfaces {
        self.interfaces
    }

    /// Reads the line whose bounds these are, `count` of them.
    #[inline(always)]
    fn short(
        &mut self,
        text: &[u8],
        bounds: &[u16; REACH],
        count: usize,
        lanes: impl Lanes,
    ) -> Option<Brief> {
        let plan = self.plan.as_ref()?;
        plan.read(text, bounds, count, &mut self.interfaces, lanes)
    }

    /// [`LogReader::line`], kept out of the loop over records.
    #[inline(never)]
    fn line_apart(&mut self, text: &[u8], len: usize, sink: &mut impl Sink) {
        self.line(text, len, sink);
    }

    /// Completes a line that an earlier block began, and returns what follows.
    fn complete_pending<'a>(&mut self, block: &'a [u8], sink: &mut impl Sink) -> &'a [u8] {
        if self.pending_len == 0 {
            return block;
        }
        let Some(len) = memchr(b'\n', block) else {
            self.keep(block);
            return &[];
        };
        self.keep(block.get(..len).unwrap_or_default());
        self.pending_line(sink);
        behind_newline(block, len)
    }

    fn keep(&mut self, front: &[u8]) {
        self.pending_len = self.pending_len.saturating_add(front.len());
        if self.pending_len <= LONGEST_LINE {
            self.pending.extend_from_slice(front);
        } else {
            self.pending.clear();
        }
    }

    fn pending_line(&mut self, sink: &mut impl Sink) {
        let mut text = mem::take(&mut self.pending);
        let len = mem::take(&mut self.pending_len);
        self.line(&text, len, sink);
        text.clear();
        self.pending = text;
    }

    /// Handles the line of `len` bytes at the front of `text`. Only a line that
    /// is too long may be absent from `text`.
    #[inline]
    fn line(&mut self, text: &[u8], len: usize, sink: &mut impl Sink) {
        let byte = self.byte;
        self.byte = byte.wrapping_add(len as u64).wrapping_add(1);
        self.lines = self.lines.wrapping_add(1);
        match self.read(text, len) {
            Ok(Some(row)) => sink.row(&row),
            Ok(None) => {}
            Err(kind) => sink.malformed(&LineError {
                line: self.lines,
                byte,
                kind,
            }),
        }
    }

    /// The line's row; `None` where it is blank or a header.
    #[inline]
    fn read(&mut self, text: &[u8], len: usize) -> Result<Option<Row>, LineErrorKind> {
        if len > LONGEST_LINE {
            return Err(LineErrorKind::TooLong);
        }
        let (text, len) = without_mark(text, len);
        let line = without_returns(text.get(..len).unwrap_or(text));
        if may_be_header(line) && (self.knows(line) || is_header(line)) {
            self.adopt(line);
            return Ok(None);
        }
        let parsed = line::parse(text, line.len(), &self.layout, &mut self.spans)?;
        Ok(parsed.map(|parsed| {
            if parsed.stamped != self.stamped {
                self.stamped = parsed.stamped;
                self.plan = Plan::of(&self.layout, parsed.stamped);
            }
            parsed.row
        }))
    }

    /// Whether the line is the header that was read last.
    fn knows(&self, line: &[u8]) -> bool {
        let header = self.header.as_ref();
        header.is_some_and(|(header, _)| header == line)
    }

    #[cold]
    fn adopt(&mut self, header: &[u8]) {
        if !self.knows(header) {
            let read = Layout::from_header(header).map(Columns::from);
            self.header = read.map(|columns| (header.to_vec(), columns));
        }
        let Some((_, columns)) = &self.header else {
            return;
        };
        let named = &self.headerless.layout;
        self.overruled |=
            named.origin() == LayoutOrigin::Fields && !columns.layout.same_columns(named);
        self.take(columns.clone());
    }

    fn take(&mut self, columns: Columns) {
        let Columns { layout, plan } = columns;
        self.spans = line::spans_of(&layout);
        self.stamped = false;
        self.plan = plan;
        self.layout = layout;
    }
}

/// Offset of a line's newline, the last of its bounds.
#[inline(always)]
fn bounds_end(line: &[u16]) -> usize {
    line.last().map_or(0, |end| usize::from(*end))
}

/// All windows at the front of a text: the loop over records.
struct Windows<'r, 'a, S> {
    reader: &'r mut LogReader,
    index: &'r mut Index,
    text: &'a [u8],
    sink: &'r mut S,
}

impl<'a, S: Sink> Work for Windows<'_, 'a, S> {
    type Outcome = &'a [u8];

    #[inline(always)]
    fn run(mut self, lanes: impl Lanes) -> &'a [u8] {
        while let Some(behind) = self.window(lanes) {
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
        let (reader, text) = (&mut *self.reader, self.text);
        let separator = reader.layout.separator();
        let window = text.get(..WINDOW).unwrap_or(text);
        let plain = self.index.build(window, separator.byte()) && !has_quotes(window, separator);
        let (bounds, newlines) = (self.index.bounds(), self.index.newlines());
        // Where the window begins in the object.
        let origin = reader.byte;
        let mut before = 0;
        for newline in newlines {
            let newline = usize::from(*newline);
            let line = bounds.get(before..=newline).unwrap_or_default();
            let behind = bounds_end(line).wrapping_add(1);
            let reach = self.index.reach(before);
            before = newline;
            if plain
                && let Some(reach) = reach
                && let Some(brief) = reader.short(text, reach, line.len(), lanes)
            {
                reader.lines = reader.lines.wrapping_add(1);
                reader.byte = origin.wrapping_add(behind as u64);
                self.sink.brief(&brief, &reader.interfaces);
                continue;
            }
            let start = usize::from(line.first()?.wrapping_add(1));
            let len = behind.wrapping_sub(start).wrapping_sub(1);
            reader.line_apart(text.get(start..)?, len, self.sink);
            if reader.layout.separator() != separator {
                return Some(behind_newline(text, behind.wrapping_sub(1)));
            }
        }
        let end = bounds_end(bounds.get(..=before)?);
        (!newlines.is_empty()).then(|| behind_newline(text, end))
    }
}

/// Whether columns may stand in quotes, which no index looks into.
#[inline(always)]
fn has_quotes(window: &[u8], separator: Separator) -> bool {
    separator != Separator::Blanks && memchr2(b'"', b'\'', window).is_some()
}

fn behind_newline(block: &[u8], newline: usize) -> &[u8] {
    block.get(newline.saturating_add(1)..).unwrap_or_default()
}

/// Strips a byte order mark from the front of any line: concatenated files
/// bring theirs along.
fn without_mark(text: &[u8], len: usize) -> (&[u8], usize) {
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => (rest, len.saturating_sub(BYTE_ORDER_MARK.len())),
        None => (text, len),
    }
}

fn without_returns(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

/// A cheap look that settles almost every data line: names begin with a letter
/// or an underscore, within `${` or quotes or not.
fn may_be_header(line: &[u8]) -> bool {
    let first = line.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    first.is_some_and(|byte| byte.is_ascii_alphabetic() || b"$_\"'".contains(byte))
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
    use crate::flowlog::fields::Slot;
    use crate::model::Action;

    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        rows: Vec<Row>,
        errors: Vec<LineError>,
    }

    impl Sink for Seen {
        fn row(&mut self, row: &Row) {
            self.rows.push(*row);
        }

        fn malformed(&mut self, error: &LineError) {
            self.errors.push(*error);
        }
    }

    /// Reads by the plain way, and by every engine that this processor has:
    /// none sees anything else.
    fn read_blocks<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> Seen {
        let blocks: Vec<&[u8]> = blocks.into_iter().collect();
        let plain = read_by(None, &blocks);
        for engine in Engine::all() {
            assert_eq!(read_by(Some(engine), &blocks), plain, "{engine:?}");
        }
        plain
    }

    fn read_by(engine: Option<Engine>, blocks: &[&[u8]]) -> Seen {
        let mut reader = LogReader::with_engine(&Layout::default(), engine);
        let mut seen = Seen::default();
        // The object before leaves nothing behind.
        reader.feed(b"action srcaddr\nACCEPT", &mut seen);
        reader.abandon();
        let mut seen = Seen::default();
        for block in blocks {
            reader.feed(block, &mut seen);
        }
        reader.finish(&mut seen);
        seen
    }

    fn read(log: impl AsRef<[u8]>) -> Seen {
        read_blocks([log.as_ref()])
    }

    fn actions(seen: &Seen) -> Vec<Action> {
        let action = |row: &Row| match row {
            Row::Flow(record) => Some(record.action),
            Row::Other | Row::NoData(_) | Row::SkipData(_) => None,
        };
        seen.rows.iter().filter_map(action).collect()
    }

    const RECORD: &str = "2 123456789012 eni-0a1b2c3d4e5f60718 10.0.1.5 10.0.2.9 49152 5432 6 12 3456 1760000000 1760000058 ACCEPT OK";

    #[test]
    fn a_header_names_the_columns() {
        let seen = read("action log-status srcaddr\nREJECT OK 10.0.0.1\n");
        assert_eq!(actions(&seen), [Action::Reject]);
        assert_eq!(seen.errors, []);
    }

    #[test]
    fn without_a_header_the_first_line_is_data() {
        assert_eq!(actions(&read(RECORD)), [Action::Accept]);
        let unknown = read("color shape\n");
        assert_eq!(unknown.errors.len(), 1);
    }

    #[test]
    fn a_repeated_header_is_no_record() {
        let seen = read("action srcaddr\nACCEPT -\naction srcaddr\nREJECT -\n");
        assert_eq!(actions(&seen), [Action::Accept, Action::Reject]);
    }

    #[test]
    fn another_header_switches_the_columns() {
        let seen = read(
            "action srcaddr\nACCEPT -\nsrcaddr color action\n10.0.0.1 red REJECT\nREJECT 10.0.0.1\n",
        );
        assert_eq!(actions(&seen), [Action::Accept, Action::Reject]);
        let kind = LineErrorKind::FieldCount {
            found: 2,
            expected: 3,
            origin: LayoutOrigin::Header,
        };
        assert_eq!(
            seen.errors,
            [LineError {
                line: 5,
                byte: 65,
                kind
            }]
        );
    }

    #[test]
    fn carriage_returns_and_runs_of_blanks_do_not_show() {
        let spaced = format!("  {}\t \r\n \t\r\n\n", RECORD.replace(' ', " \t "));
        assert_eq!(read(&spaced), read(RECORD));
    }

    #[test]
    fn a_byte_order_mark_does_not_show() {
        let marked = format!("\u{feff}{RECORD}\n\u{feff}action srcaddr\nREJECT -");
        let seen = read(&marked);
        assert_eq!(actions(&seen), [Action::Accept, Action::Reject]);
        assert_eq!(seen.errors, []);
    }

    #[test]
    fn positions_count_headers_and_blank_lines() {
        let seen = read("action dstport\r\n\nACCEPT 1\nACCEPT x\n");
        let error = LineError {
            line: 4,
            byte: 26,
            kind: LineErrorKind::Value(Slot::Dstport),
        };
        assert_eq!(seen.errors, [error]);
    }

    #[test]
    fn a_line_over_64_kib_is_one_bad_line() {
        let long = "x".repeat(LONGEST_LINE + 1);
        let log = format!("{RECORD}\n{long}\n{RECORD}\n{long}");
        let seen = read(&log);
        let kinds: Vec<_> = seen.errors.iter().map(|error| error.kind).collect();
        assert_eq!(kinds, [LineErrorKind::TooLong; 2]);
        assert_eq!(seen.rows.len(), 2);
        assert_eq!(read_blocks(log.as_bytes().chunks(1000)), seen);
    }

    #[test]
    fn a_line_of_64_kib_is_read() {
        let padded = format!("{RECORD}{}", " ".repeat(LONGEST_LINE - RECORD.len()));
        assert_eq!(read(&padded), read(RECORD));
        assert_eq!(read_blocks(padded.as_bytes().chunks(999)), read(RECORD));
    }

    #[test]
    fn a_line_too_long_is_not_kept() {
        let mut reader = LogReader::new(&Layout::default());
        let mut seen = Seen::default();
        for _ in 0..64 {
            reader.feed(&[b'x'; 4096], &mut seen);
            assert!(reader.pending.capacity() <= 2 * LONGEST_LINE);
        }
        reader.finish(&mut seen);
        assert_eq!(seen.errors.len(), 1);
    }

    #[test]
    fn nul_bytes_spoil_their_line_alone() {
        let log = [RECORD.replace("123456789012", "12\09").as_str(), RECORD].join("\n");
        let seen = read(&log);
        assert_eq!(seen.errors[0].kind, LineErrorKind::Control);
        assert_eq!(seen.rows.len(), 1);
    }

    /// Lines of every kind, so that cuts fall into headers, marks and garbage.
    fn some_line() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => Just(RECORD.as_bytes().to_vec()),
            1 => Just(b"action srcaddr dstport".to_vec()),
            1 => Just(b"\xef\xbb\xbf${action} ${log-status}\r".to_vec()),
            2 => Just(b"ACCEPT 10.0.0.1 80".to_vec()),
            1 => Just(b"ACCEPT OK".to_vec()),
            1 => Just(b" \t\r".to_vec()),
            1 => Just(vec![b'y'; LONGEST_LINE + 2]),
            2 => vec(any::<u8>(), 0..40),
            6 => record_like(),
        ]
    }

    /// Headers of the default format, one alike, and others.
    fn some_header() -> impl Strategy<Value = &'static str> {
        const DEFAULT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";
        const ALIKE: &str = "version account-id interface-id dstaddr srcaddr dstport srcport protocol packets bytes start end action log-status";
        prop_oneof![
            3 => Just(DEFAULT),
            2 => Just(ALIKE),
            1 => Just("action srcaddr dstport\r"),
            1 => Just("1760000000 action srcaddr"),
            1 => Just("action,srcaddr,dstport"),
        ]
    }

    /// Records whose fields are sound, nearly sound, or of another kind.
    fn record_like() -> impl Strategy<Value = Vec<u8>> {
        let octet = || prop_oneof![8 => "[0-9]{1,3}", 1 => "0[0-9]{1,2}", 1 => "[0-9]{0,4}"];
        let address = || {
            prop_oneof![
                12 => vec(octet(), 4).prop_map(|octets| octets.join(".")),
                1 => vec(octet(), 3..6).prop_map(|octets| octets.join(".")),
                1 => Just("2001:db8::7".to_owned()),
                1 => Just("-".to_owned()),
                1 => "[0-9.]{1,16}",
            ]
        };
        let number = || prop_oneof![8 => "[0-9]{1,5}", 2 => "[0-9]{1,22}", 1 => "[0-9x]{1,9}", 1 => Just("-".to_owned())];
        let id = prop_oneof![8 => "eni-[0-9a-f]{4,28}", 1 => ".{1,9}", 1 => Just("-".to_owned())];
        let time = || prop_oneof![8 => "17[0-9]{8}", 1 => "[0-9]{9,13}", 1 => number()];
        let action = "ACCEPT|REJECT|accept|ACCEPTED|-";
        let status = "OK|OK|OK|ok|NODATA|SKIPDATA|-|KO";
        let flow = (address(), address(), number(), number(), number());
        let blank = prop_oneof![30 => Just(" "), 1 => Just("  "), 1 => Just("\t")];
        (
            id,
            flow,
            number(),
            number(),
            time(),
            time(),
            action,
            status,
            blank,
        )
            .prop_map(
                |(
                    id,
                    (from, to, srcport, dstport, protocol),
                    packets,
                    bytes,
                    start,
                    end,
                    action,
                    status,
                    blank,
                )| {
                    [
                        "2",
                        "123456789012",
                        &id,
                        &from,
                        &to,
                        &srcport,
                        &dstport,
                        &protocol,
                        &packets,
                        &bytes,
                        &start,
                        &end,
                        &action,
                        &status,
                    ]
                    .join(blank)
                    .into_bytes()
                },
            )
    }

    /// A layout with every column that the short way knows, in any order.
    #[test]
    fn records_of_many_columns_are_read_alike() {
        let header = "flow-direction version pkt-dstaddr pkt-srcaddr type tcp-flags interface-id end start \
                      action reject-reason dstaddr srcaddr dstport srcport protocol log-status bytes packets";
        let record = "egress 5 10.0.0.9 10.0.0.1 IPv4 18 eni-0a1b2c3d 1760000058 1760000000 \
                      REJECT BPA 10.0.0.8 10.0.0.1 443 50000 6 OK 4000000000 7";
        let variants = [
            ("IPv4", "EFA"),
            ("18", "-"),
            ("egress", "sideways"),
            ("egress", "-"),
            ("10.0.0.9", "-"),
            ("BPA", "-"),
            ("OK", "-"),
            ("REJECT", "-"),
            ("1760000058", "99999999999"),
            ("eni-0a1b2c3d", "eni-0a1b2c3d4e5f60718293a4b5"),
            ("eni-0a1b2c3d", "eni-0a1b2c3d4e5f6071"),
            ("x", "x"),
        ];
        let lines = variants.map(|(from, to)| record.replacen(from, to, 1));
        let seen = read(format!("{header}\n{}\n{record}", lines.join("\n")));
        assert_eq!(seen.rows.len() + seen.errors.len(), variants.len() + 1);
        assert!(seen.errors.len() == 1, "{:?}", seen.errors);
    }

    #[test]
    fn plain_records_take_the_short_way() {
        struct Short(u32);
        impl Sink for Short {
            fn row(&mut self, row: &Row) {
                panic!("{row:?}");
            }
            fn malformed(&mut self, error: &LineError) {
                panic!("{error:?}");
            }
            fn brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
                let expected = line::parse_line(RECORD.as_bytes(), &Layout::default());
                assert_eq!(Ok(Row::Flow(brief.record(interfaces))), expected);
                self.0 += 1;
            }
        }
        let log = format!("{RECORD}\n").repeat(1_000);
        for engine in Engine::all() {
            let mut reader = LogReader::with_engine(&Layout::default(), Some(engine));
            let mut short = Short(0);
            reader.feed(log.as_bytes(), &mut short);
            assert_eq!(short.0, 1_000, "{engine:?}");
        }
    }

    /// Lines of an export between commas, with fields empty, quoted or null.
    fn csv_line() -> impl Strategy<Value = Vec<u8>> {
        let address = || {
            prop_oneof![
                12 => Just("10.0.0.1"), 4 => Just("203.0.113.255"), 1 => Just("2001:db8::1"),
                1 => Just(""), 1 => Just("null"), 1 => Just("\"10.0.0.9\""), 1 => Just("10.0.0")
            ]
        };
        let number = || prop_oneof![12 => "[0-9]{1,5}", 1 => Just("-".to_owned()), 1 => "[0-9]{9,22}", 1 => Just(String::new())];
        let eni = prop_oneof![9 => Just("eni-bp1aaaabbbbccccddddee"), 1 => Just("'eni-bp1aaaa'"), 1 => Just("")];
        let way = prop_oneof![Just("in"), Just("out"), Just(""), Just("\\N")];
        let action = prop_oneof![9 => Just("ACCEPT"), 9 => Just("REJECT"), 1 => Just("-")];
        let status =
            prop_oneof![9 => Just("OK"), 1 => Just("NODATA"), 1 => Just("SKIPDATA"), 1 => Just("")];
        let flags = prop_oneof![Just("2"), Just("18"), Just("0"), Just("-"), Just("")];
        let record = (
            eni,
            address(),
            number(),
            address(),
            number(),
            number(),
            way,
            action,
            status,
            flags,
        );
        let record = record.prop_map(
            |(eni, from, sport, to, dport, bytes, way, action, status, flags)| {
                [
                    "1760000000",
                    eni,
                    "",
                    from,
                    &sport,
                    to,
                    &dport,
                    "6",
                    way,
                    "1760000000",
                    "1760000599",
                    &bytes,
                    action,
                    status,
                    flags,
                ]
                .join(",")
            },
        );
        prop_oneof![
            20 => record.prop_map(String::into_bytes),
            1 => Just(CSV_HEADER.as_bytes().to_vec()),
            1 => Just(CSV_HEADER.replace(',', "|").into_bytes()),
            1 => Just(RECORD.as_bytes().to_vec()),
            1 => Just(b"action srcaddr dstport".to_vec()),
            1 => vec(any::<u8>(), 0..20),
            1 => Just(b",,,,,,,,,,,,,,".to_vec()),
            1 => Just(b"\r".to_vec()),
        ]
    }

    const CSV_HEADER: &str = "__time__,eni-id,vm-id,srcaddr,srcport,dstaddr,dstport,protocol,direction,start,end,bytes,action,log-status,tcp-flags";

    #[test]
    fn columns_between_commas_are_read() {
        let record = "1760000000,eni-bp1aaaa,,10.0.0.1,53870,10.0.0.2,80,6,in,1760000000,1760000599,3456,ACCEPT,OK,2";
        let seen = read(format!(
            "{CSV_HEADER}\n{record}\n{}\n",
            record.replace("eni-bp1aaaa", "\"eni-bp1aaaa\"")
        ));
        assert_eq!(seen.errors, []);
        assert_eq!(seen.rows[0], seen.rows[1]);
        let Row::Flow(flow) = seen.rows[0] else {
            panic!("{seen:?}");
        };
        assert_eq!((flow.srcport, flow.dstport), (Some(53_870), Some(80)));
        assert_eq!(
            flow.flow_direction,
            Some(crate::model::FlowDirection::Ingress)
        );
        assert_eq!(
            actions(&read(format!(
                "{CSV_HEADER}\n{record}\naction srcaddr\nREJECT -"
            ))),
            [Action::Accept, Action::Reject]
        );
        let short = read(format!("{CSV_HEADER}\n{record}\na,b\n"));
        assert_eq!(
            short.errors[0].to_string(),
            "line 3, byte 212: 2 fields where the header names 15"
        );
    }

    proptest! {
        #[test]
        fn any_split_of_an_export_reads_the_same(
            lines in vec(csv_line(), 0..60),
            size in 1_usize..300,
        ) {
            let log = [vec![CSV_HEADER.as_bytes().to_vec()], lines].concat().join(b"\n".as_slice());
            prop_assert_eq!(read_blocks(log.chunks(size)), read(&log));
        }

        #[test]
        fn any_split_into_blocks_reads_the_same(
            lines in vec(some_line(), 0..12),
            sizes in vec(1_usize..200_000, 1..8),
            small in any::<bool>(),
        ) {
            let log = lines.join(b"\n".as_slice());
            let mut blocks = Vec::new();
            let mut rest = log.as_slice();
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let size = if small { size % 90 + 1 } else { *size };
                let (block, behind) = rest.split_at(size.min(rest.len()));
                blocks.push(block);
                rest = behind;
            }
            prop_assert_eq!(read_blocks(blocks), read(&log));
        }

        #[test]
        fn what_one_object_named_is_nothing_to_the_next(
            objects in vec((vec(some_header(), 0..3), vec(record_like(), 0..4), any::<bool>()), 1..8),
        ) {
            let mut reader = LogReader::new(&Layout::default());
            for (headers, records, cut) in objects {
                let lines = headers.into_iter().map(|line| line.as_bytes().to_vec()).chain(records);
                let log = lines.collect::<Vec<_>>().join(b"\n".as_slice());
                let end = |reader: &mut LogReader, seen: &mut Seen| {
                    reader.feed(&log, seen);
                    if cut { reader.abandon() } else { reader.finish(seen) }
                };
                let (mut again, mut anew) = (Seen::default(), Seen::default());
                end(&mut reader, &mut again);
                end(&mut LogReader::new(&Layout::default()), &mut anew);
                prop_assert_eq!(again, anew);
            }
        }

        #[test]
        fn every_data_line_is_a_row_or_an_error(lines in vec(some_line(), 0..20)) {
            let log = lines.join(b"\n".as_slice());
            let is_data = |line: &[u8]| {
                let (text, len) = without_mark(line, line.len());
                let line = &text[..len];
                line.iter().any(|byte| !b" \t\r".contains(byte))
                    && Layout::from_header(line).is_none()
            };
            let data = log.split(|byte| *byte == b'\n').filter(|line| is_data(line)).count();
            let seen = read(&log);
            prop_assert_eq!(seen.rows.len() + seen.errors.len(), data);
        }
    }
}
