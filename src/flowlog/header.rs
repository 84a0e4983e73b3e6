//! Columns of a log: from the header line that S3 objects begin with, from the
//! text of `--fields` where there is none, or AWS's default format.
//!
//! A [`Layout`] is a plan: it keeps which columns are wanted and where they
//! stand, so that a line is never asked for what nobody reads.
//!
//! Columns stand between blanks, as AWS writes them, or between commas and the
//! like, as Alibaba Cloud ships logs to buckets; the names say which.

use thiserror::Error;

use crate::flowlog::fields::Field;
use crate::flowlog::fields::Slot;
use crate::model::TcpFlags;

/// Columns of the default format (version 2), which header-less logs have
/// unless told otherwise.
const DEFAULT_FORMAT: &str = "version account-id interface-id srcaddr dstaddr srcport dstport \
                              protocol packets bytes start end action log-status";

/// The columns of a log, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    origin: LayoutOrigin,
    columns: usize,
    /// Invariant: columns ascend, each below `columns`; no slot twice.
    wanted: Vec<Wanted>,
    verdicts: Verdicts,
    flags: Flags,
    separator: Separator,
}

/// What stands between columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Separator {
    /// Spaces and tabs, any number of them.
    Blanks,
    /// One such byte; columns may be empty, or in quotes.
    Byte(u8),
}

impl Separator {
    /// The byte that stands between columns wherever lines are short and plain.
    pub(super) fn byte(self) -> u8 {
        match self {
            Separator::Blanks => b' ',
            Separator::Byte(byte) => byte,
        }
    }
}

/// What `tcp-flags` of a log tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flags {
    /// A lone ACK counts as 0, so SYN and ACK together are a SYN-ACK (AWS, "Flow
    /// log records": `tcp-flags`).
    WithoutAcks,
    /// Nobody says whether a lone ACK counts, since flags are OR-ed: SYN and ACK
    /// together may be the flags of either side (Alibaba Cloud).
    MayHaveAcks,
}

impl Flags {
    /// Flags that tell what they seem to; `None` where they may be either
    /// side's.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "asked of every record")]
    pub(super) fn settled(self, flags: TcpFlags) -> Option<TcpFlags> {
        let doubtful = self == Flags::MayHaveAcks && flags.is_answer();
        (!doubtful).then_some(flags)
    }
}

/// What else than blanks may stand between columns, as exports offer it.
const SEPARATORS: [u8; 4] = *b",|;\t";

/// One column that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Which column, from 0.
    pub(super) column: usize,
    /// What it fills.
    pub(super) slot: Slot,
}

/// Whether records of a layout can have a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdicts {
    /// There is an `action` column, and no transit-gateway one.
    Given,
    /// Records are about traffic that no group or ACL of ours judged.
    Absent,
}

/// Who named the columns; shown when a line does not fit them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LayoutOrigin {
    /// AWS's default format.
    Default,
    /// The text of `--fields`.
    Fields,
    /// A header line.
    Header,
    /// `LogFormat` of the flow log, from the snapshot.
    Described,
}

/// Columns that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No name at all.
    #[error("no columns are named; name them with spaces between, as in `srcaddr dstaddr action`")]
    Empty,
    /// None of the names is a flow-log field.
    #[error("`{0}` names no field of a flow log")]
    NoKnownField(String),
    /// Not a name of lower-case letters, digits and hyphens.
    #[error("`{0}` is not a field name; put spaces between lower-case names")]
    NotAName(String),
    /// One field in two columns.
    #[error("`{0}` is named twice")]
    Repeated(&'static str),
}

impl Default for Layout {
    /// The 14 columns of AWS's default format.
    fn default() -> Layout {
        let names = DEFAULT_FORMAT.split(' ').map(str::as_bytes);
        Layout::of(LayoutOrigin::Default, Separator::Blanks, names)
    }
}

impl Layout {
    /// Reads the text of `--fields`: names with blanks between, each `name` or
    /// `${name}`; or with what stands between the columns of the logs, a comma,
    /// a semicolon or a bar, and no blanks. Names that are no known field hold a
    /// column and are skipped.
    ///
    /// # Errors
    /// Where nothing is named, nothing is known, or something is no name.
    pub fn parse(text: &str) -> Result<Layout, LayoutError> {
        if let Some(separator) = SEPARATORS
            .into_iter()
            .find(|byte| *byte != b'\t' && text.as_bytes().contains(byte))
            .filter(|_| !text.trim().contains(|c: char| c.is_ascii_whitespace()))
        {
            return Layout::separated(text, separator);
        }
        let names = || text.split_ascii_whitespace().map(str::as_bytes);
        if names().next().is_none() {
            return Err(LayoutError::Empty);
        }
        if let Some(odd) = names().find(|name| plain_name(name).is_none()) {
            return Err(LayoutError::NotAName(String::from_utf8_lossy(odd).into()));
        }
        refuse_repeats(names())?;
        match names().find_map(known_field) {
            Some(_) => Ok(Layout::of(LayoutOrigin::Fields, Separator::Blanks, names())),
            None => Err(LayoutError::NoKnownField(text.trim().to_owned())),
        }
    }

    fn separated(text: &str, separator: u8) -> Result<Layout, LayoutError> {
        let names = || named(text.trim().as_bytes(), separator);
        if let Some(odd) = names().find(|name| !is_csv_name(name)) {
            return Err(LayoutError::NotAName(String::from_utf8_lossy(odd).into()));
        }
        refuse_repeats(names())?;
        if names().find_map(known_field).is_none() {
            return Err(LayoutError::NoKnownField(text.trim().to_owned()));
        }
        let separator = Separator::Byte(separator);
        Ok(Layout::of(LayoutOrigin::Fields, separator, names()))
    }

    /// Reads the `LogFormat` that `describe-flow-logs` prints.
    ///
    /// # Errors
    /// As [`Layout::parse`].
    pub fn described(log_format: &str) -> Result<Layout, LayoutError> {
        let origin = LayoutOrigin::Described;
        Layout::parse(log_format).map(|layout| Layout { origin, ..layout })
    }

    /// Whether another layout reads the same columns, whoever named them.
    pub(super) fn same_columns(&self, other: &Layout) -> bool {
        let origin = self.origin;
        *self
            == Layout {
                origin,
                ..other.clone()
            }
    }

    /// The columns that a line names, or `None` where it is no header: every
    /// token a name, and at least two of them known fields. A field named twice
    /// is read from its first column.
    #[must_use]
    pub fn from_header(line: &[u8]) -> Option<Layout> {
        let origin = LayoutOrigin::Header;
        match separator_of_header(line)? {
            Separator::Blanks => Some(Layout::of(origin, Separator::Blanks, tokens(line))),
            separator @ Separator::Byte(byte) => {
                Some(Layout::of(origin, separator, named(line, byte)))
            }
        }
    }

    /// How many fields a line has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Who named the columns.
    #[must_use]
    pub fn origin(&self) -> LayoutOrigin {
        self.origin
    }

    /// Whether some column fills this slot of a row; of rows without a verdict
    /// only the interval is read.
    #[must_use]
    pub fn has(&self, slot: Slot) -> bool {
        self.wanted.iter().any(|wanted| wanted.slot == slot)
    }

    pub(super) fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    pub(super) fn verdicts(&self) -> Verdicts {
        self.verdicts
    }

    pub(super) fn flags(&self) -> Flags {
        self.flags
    }

    pub(super) fn separator(&self) -> Separator {
        self.separator
    }

    fn of<'a>(
        origin: LayoutOrigin,
        separator: Separator,
        names: impl Iterator<Item = &'a [u8]>,
    ) -> Layout {
        let mut layout = Layout {
            origin,
            columns: 0,
            wanted: Vec::new(),
            verdicts: Verdicts::Given,
            flags: Flags::WithoutAcks,
            separator,
        };
        for name in names {
            layout.push(name);
        }
        if !layout.has(Slot::Action) {
            layout.verdicts = Verdicts::Absent;
        }
        if layout.verdicts == Verdicts::Absent {
            layout.wanted.retain(|w| w.slot.tells_of_interval());
        }
        layout
    }

    fn push(&mut self, name: &[u8]) {
        let column = self.columns;
        self.columns = column.saturating_add(1);
        if is_transit_gateway(name) {
            self.verdicts = Verdicts::Absent;
        }
        let field = known_field(name);
        if field == Some(Field::EniId) {
            self.flags = Flags::MayHaveAcks;
        }
        if let Some(slot) = field.and_then(Field::slot)
            && !self.has(slot)
        {
            self.wanted.push(Wanted { column, slot });
        }
    }
}

/// Whether the line names columns. Most data lines are told by their first
/// byte: records of the default format begin with a digit.
pub(super) fn is_header(line: &[u8]) -> bool {
    separator_of_header(line).is_some()
}

fn separator_of_header(line: &[u8]) -> Option<Separator> {
    let spaced = tokens(line).all(|token| plain_name(token).is_some())
        && tokens(line).filter_map(known_field).take(2).count() == 2;
    let tabs = || !line.contains(&b' ') && named(line, b'\t').nth(1).is_some();
    if spaced && !(tabs() && named(line, b'\t').all(is_csv_name)) {
        return Some(Separator::Blanks);
    }
    let names = |separator: &u8| {
        named(line, *separator).all(is_csv_name)
            && named(line, *separator)
                .filter_map(known_field)
                .take(2)
                .count()
                == 2
    };
    let found = SEPARATORS.into_iter().find(names);
    found.map(Separator::Byte)
}

/// Names with a byte between them, each in quotes or not.
fn named(line: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    line.split(move |byte| *byte == separator).map(|name| {
        let within = |quote: &[u8]| name.strip_prefix(quote)?.strip_suffix(quote);
        within(b"\"").or_else(|| within(b"'")).unwrap_or(name)
    })
}

/// Whether it may name a column of an export: reserved ones begin with
/// underscores and hold colons, and some are spelled with capitals.
fn is_csv_name(name: &[u8]) -> bool {
    let within = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_:.".contains(byte);
    let first = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(first) && name.iter().all(within)
}

fn tokens(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .filter(|token| !token.is_empty())
}

fn known_field(name: &[u8]) -> Option<Field> {
    plain_name(name).and_then(Field::from_name)
}

/// The name inside an optional `${…}`, where it is one: a lower-case letter,
/// then lower-case letters, digits, `-` and `_`.
fn plain_name(token: &[u8]) -> Option<&[u8]> {
    let inner = token
        .strip_prefix(b"${")
        .map_or(Some(token), |rest| rest.strip_suffix(b"}"))?;
    let (first, rest) = inner.split_first()?;
    let within = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (first.is_ascii_lowercase() && rest.iter().all(within)).then_some(inner)
}

/// Unknown `tgw-…` columns count too: newer versions may add some.
pub(super) fn is_transit_gateway(name: &[u8]) -> bool {
    plain_name(name).is_some_and(|plain| {
        let prefix = plain.starts_with(b"tgw-") || plain.starts_with(b"tgw_");
        prefix || Field::from_name(plain).is_some_and(Field::is_transit_gateway)
    })
}

fn refuse_repeats<'a>(names: impl Iterator<Item = &'a [u8]>) -> Result<(), LayoutError> {
    let mut seen = Vec::new();
    for field in names.filter_map(known_field) {
        if seen.contains(&field) {
            return Err(LayoutError::Repeated(field.name()));
        }
        seen.push(field);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_layout_or_an_error(text in "[a-z$ {}_\\-]{0,30}( srcaddr| action|\t\\$\\{end\\}){0,3}") {
            if let Ok(layout) = Layout::parse(&text) {
                prop_assert_eq!(layout.columns(), text.split_ascii_whitespace().count());
            }
            if let Some(layout) = Layout::from_header(text.as_bytes()) {
                prop_assert!(layout.columns() >= 2);
                prop_assert_eq!(layout.columns(), text.split_ascii_whitespace().count());
            }
        }
    }

    fn columns_of(layout: &Layout) -> Vec<(usize, Slot)> {
        layout.wanted.iter().map(|w| (w.column, w.slot)).collect()
    }

    #[test]
    fn the_default_format_wants_twelve_of_fourteen_columns() {
        let layout = Layout::default();
        assert_eq!(layout.columns(), 14);
        assert_eq!(layout.wanted.len(), 12);
        assert_eq!(layout.wanted[0].column, 2);
        assert_eq!(layout.verdicts, Verdicts::Given);
    }

    #[test]
    fn dollar_names_are_the_same_names() {
        let plain = Layout::parse("action srcaddr color dstport").unwrap();
        let dollar = Layout::parse(" ${action} ${srcaddr}\t${color}  ${dstport} ").unwrap();
        assert_eq!(plain, dollar);
        assert_eq!(
            columns_of(&plain),
            [(0, Slot::Action), (1, Slot::Srcaddr), (3, Slot::Dstport)]
        );
    }

    #[test]
    fn headers_of_exports_say_what_stands_between_columns() {
        for separator in [",", "|", ";", "\t"] {
            let names = [
                "__time__",
                "eni-id",
                "srcaddr",
                "TrafficPath",
                "action",
                "__tag__:a.b",
            ];
            let header = names.join(separator);
            let quoted = names.map(|name| format!("\"{name}\"")).join(separator);
            for text in [header, quoted] {
                let layout = Layout::from_header(text.as_bytes()).unwrap();
                assert_eq!(layout.separator().byte(), separator.as_bytes()[0], "{text}");
                assert_eq!(layout.columns(), 6, "{text}");
                assert_eq!(layout.flags(), Flags::MayHaveAcks);
                assert!(layout.has(Slot::InterfaceId) && layout.has(Slot::Action));
            }
        }
        for line in [
            "version,srcaddr,",
            "1,eni-id,srcaddr",
            "eni-id,b,c",
            "a b,srcaddr,action",
        ] {
            assert_eq!(Layout::from_header(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn fields_between_commas_are_a_layout_of_such_lines() {
        let layout = Layout::parse("eni-id,srcaddr,x,action").unwrap();
        assert_eq!(layout.separator(), Separator::Byte(b','));
        assert_eq!(layout.columns(), 4);
        let odd = Layout::parse("eni-id,${srcaddr}");
        assert_eq!(odd, Err(LayoutError::NotAName("${srcaddr}".into())));
        let twice = Layout::parse("srcaddr|srcaddr");
        assert_eq!(twice, Err(LayoutError::Repeated("srcaddr")));
    }

    #[test]
    fn underscores_are_the_same_names() {
        let layout = Layout::from_header(b"log_status pkt_srcaddr action\r").unwrap();
        assert!(layout.has(Slot::LogStatus) && layout.has(Slot::PktSrcaddr));
    }

    #[test]
    fn fields_that_cannot_be_used_are_refused() {
        assert_eq!(Layout::parse(" \t"), Err(LayoutError::Empty));
        assert_eq!(
            Layout::parse("color shape"),
            Err(LayoutError::NoKnownField("color shape".into()))
        );
        assert_eq!(
            Layout::parse("srcaddr, dstaddr"),
            Err(LayoutError::NotAName("srcaddr,".into()))
        );
        assert_eq!(
            Layout::parse("${srcaddr dstaddr"),
            Err(LayoutError::NotAName("${srcaddr".into()))
        );
        assert_eq!(
            Layout::parse("action pkt-srcaddr ${pkt_srcaddr}"),
            Err(LayoutError::Repeated("pkt-srcaddr"))
        );
    }

    #[test]
    fn a_header_needs_two_known_fields_and_nothing_but_names() {
        assert!(is_header(b"srcaddr color dstaddr"));
        assert!(is_header(b"  ${srcaddr}\t${dstaddr} \r"));
        assert!(!is_header(b"srcaddr color"));
        assert!(!is_header(b"srcaddr dstaddr -"));
        assert!(!is_header(b"srcaddr dstaddr Action"));
        assert!(!is_header(b"version srcaddr 2"));
        assert!(!is_header(b""));
    }

    #[test]
    fn a_repeated_column_is_read_from_its_first() {
        let layout = Layout::from_header(b"action srcaddr srcaddr").unwrap();
        assert_eq!(layout.columns(), 3);
        assert_eq!(columns_of(&layout), [(0, Slot::Action), (1, Slot::Srcaddr)]);
    }

    #[test]
    fn transit_gateway_columns_leave_no_verdict() {
        for name in [
            "resource-type",
            "tgw-id",
            "tgw-new-thing",
            "packets-lost-blackhole",
        ] {
            let layout = Layout::parse(&format!("{name} action srcaddr log-status")).unwrap();
            assert_eq!(layout.verdicts, Verdicts::Absent, "{name}");
            assert_eq!(columns_of(&layout), [(3, Slot::LogStatus)], "{name}");
        }
    }

    #[test]
    fn without_action_there_is_no_verdict() {
        let layout = Layout::parse("interface-id srcaddr start").unwrap();
        assert_eq!(layout.verdicts, Verdicts::Absent);
        assert_eq!(
            columns_of(&layout),
            [(0, Slot::InterfaceId), (2, Slot::Start)]
        );
    }
}
