//! What one line says. `scan` has found the tokens; here each wanted one gets
//! the meaning of its column, and the line becomes a [`Row`].
//!
//! Only columns that fill a [`Slot`] are looked at: an odd value in any other
//! is nobody's concern, and costs nothing.

use std::net::IpAddr;

use crate::flowlog::error::LineErrorKind;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Layout;
use crate::flowlog::header::Separator;
use crate::flowlog::header::Verdicts;
use crate::flowlog::scan::Spans;
use crate::flowlog::value;
use crate::flowlog::value::LogStatus;
use crate::model::Action;
use crate::model::EniId;
use crate::model::FlowDirection;
use crate::model::FlowRecord;
use crate::model::Row;
use crate::model::TcpFlags;
use crate::model::flow::Interval;
use crate::net::IpProtocol;
use crate::net::Timestamp;

/// Reads one line (without its newline) by a layout. It is for single lines:
/// [`LogReader`](crate::flowlog::LogReader) reads logs, and allocates nothing.
///
/// # Errors
/// Where the line does not fit the layout; a blank line has no field.
pub fn parse_line(line: &[u8], layout: &Layout) -> Result<Row, LineErrorKind> {
    let mut spans = spans_of(layout);
    match parse(line, line.len(), layout, &mut spans)? {
        Some(parsed) => Ok(parsed.row),
        None => Err(field_count(0, layout)),
    }
}

/// What a line gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// Its row.
    pub(super) row: Row,
    /// Whether the time of a log event stands before it, as CloudWatch's export
    /// to S3 writes it.
    pub(super) stamped: bool,
}

/// Room for a layout's columns and the time before them.
pub(super) fn spans_of(layout: &Layout) -> Spans {
    Spans::of_columns(layout.columns().saturating_add(1))
}

/// Reads the line that is the first `len` bytes of `text`; `None` where it is
/// blank. `spans` is that of the layout.
pub(super) fn parse(
    text: &[u8],
    len: usize,
    layout: &Layout,
    spans: &mut Spans,
) -> Result<Option<Parsed>, LineErrorKind> {
    let found = match layout.separator() {
        Separator::Blanks => spans.split(text, len),
        Separator::Byte(byte) => spans.split_by(byte, text, len),
    };
    let found = found.map_err(|_| LineErrorKind::Control)?;
    if found == 0 {
        return Ok(None);
    }
    let stamped = layout.separator() == Separator::Blanks
        && found == layout.columns().wrapping_add(1)
        && value::is_event_time(spans.token(text, 0));
    if found != layout.columns() && !stamped {
        return Err(field_count(found, layout));
    }
    let shift = usize::from(stamped);
    let mut draft = Draft::EMPTY;
    for wanted in layout.wanted() {
        let column = wanted.column.saturating_add(shift);
        let token = spans.token(text, column);
        if layout.separator() == Separator::Blanks || !value::is_null(token) {
            draft.fill(wanted.slot, token)?;
        }
    }
    let row = draft.row(layout.verdicts(), layout.flags());
    Ok(Some(Parsed { row, stamped }))
}

#[cold]
fn field_count(found: usize, layout: &Layout) -> LineErrorKind {
    LineErrorKind::FieldCount {
        found,
        expected: layout.columns(),
        origin: layout.origin(),
    }
}

/// A value that some other form of log gives typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Of an interface column.
    Interface(EniId),
    /// Of an address column.
    Address(IpAddr),
    /// Of all others, within the column's range.
    Number(u64),
}

/// A row before its last column is read.
#[derive(Debug)]
pub(super) struct Draft {
    /// Its `action` means nothing before [`Draft::row`]: the column may be last.
    record: FlowRecord,
    action: Option<Action>,
    status: Option<LogStatus>,
}

impl Draft {
    pub(super) const EMPTY: Draft = Draft {
        record: FlowRecord {
            action: Action::Reject,
            interface_id: None,
            srcaddr: None,
            dstaddr: None,
            pkt_srcaddr: None,
            pkt_dstaddr: None,
            srcport: None,
            dstport: None,
            protocol: None,
            packets: 0,
            bytes: 0,
            start: None,
            end: None,
            tcp_flags: None,
            flow_direction: None,
            block_public_access: false,
            efa: false,
        },
        action: None,
        status: None,
    };

    /// Gives one column's token its meaning; `-` (not applicable, or not
    /// computable) leaves the slot empty.
    #[inline]
    pub(super) fn fill(&mut self, slot: Slot, token: &[u8]) -> Result<(), LineErrorKind> {
        if token == b"-" {
            return Ok(());
        }
        let filled = self.read(slot, token);
        filled.ok_or(LineErrorKind::Value(slot))
    }

    #[inline]
    fn read(&mut self, slot: Slot, token: &[u8]) -> Option<()> {
        let record = &mut self.record;
        match slot {
            Slot::InterfaceId => record.interface_id = Some(EniId::from_bytes(token)?),
            Slot::Srcaddr => record.srcaddr = Some(value::address(token)?),
            Slot::Dstaddr => record.dstaddr = Some(value::address(token)?),
            Slot::PktSrcaddr => record.pkt_srcaddr = Some(value::address(token)?),
            Slot::PktDstaddr => record.pkt_dstaddr = Some(value::address(token)?),
            Slot::Srcport => record.srcport = Some(value::port(token)?),
            Slot::Dstport => record.dstport = Some(value::port(token)?),
            Slot::Protocol => record.protocol = Some(value::protocol(token)?),
            Slot::Packets => record.packets = value::number(token)?,
            Slot::Bytes => record.bytes = value::number(token)?,
            Slot::Start => record.start = Some(value::timestamp(token)?),
            Slot::End => record.end = Some(value::timestamp(token)?),
            Slot::TcpFlags => record.tcp_flags = Some(value::tcp_flags(token)?),
            Slot::FlowDirection => record.flow_direction = Some(value::flow_direction(token)?),
            Slot::RejectReason => record.block_public_access = token == b"BPA",
            Slot::Type => record.efa = token.eq_ignore_ascii_case(b"EFA"),
            Slot::Action => self.action = Some(value::action(token)?),
            Slot::LogStatus => self.status = Some(value::log_status(token)?),
        }
        Some(())
    }

    /// Puts a typed value in its place; `None` where it is not of the slot's
    /// kind. Words are numbered in the order that their types list them.
    pub(super) fn give(&mut self, slot: Slot, given: Given) -> Option<()> {
        let record = &mut self.record;
        match (slot, given) {
            (Slot::InterfaceId, Given::Interface(id)) => record.interface_id = Some(id),
            (Slot::Srcaddr, Given::Address(address)) => record.srcaddr = Some(address),
            (Slot::Dstaddr, Given::Address(address)) => record.dstaddr = Some(address),
            (Slot::PktSrcaddr, Given::Address(address)) => record.pkt_srcaddr = Some(address),
            (Slot::PktDstaddr, Given::Address(address)) => record.pkt_dstaddr = Some(address),
            (_, Given::Number(number)) => return self.give_number(slot, number),
            (_, Given::Interface(_) | Given::Address(_)) => return None,
        }
        Some(())
    }

    fn give_number(&mut self, slot: Slot, number: u64) -> Option<()> {
        let record = &mut self.record;
        let time = |seconds: u64| i64::try_from(seconds).ok().map(Timestamp);
        match slot {
            Slot::Srcport => record.srcport = Some(u16::try_from(number).ok()?),
            Slot::Dstport => record.dstport = Some(u16::try_from(number).ok()?),
            Slot::Protocol => record.protocol = Some(IpProtocol(u8::try_from(number).ok()?)),
            Slot::TcpFlags => record.tcp_flags = Some(TcpFlags(u8::try_from(number).ok()?)),
            Slot::Packets => record.packets = number,
            Slot::Bytes => record.bytes = number,
            Slot::Start => record.start = Some(time(number)?),
            Slot::End => record.end = Some(time(number)?),
            Slot::FlowDirection => record.flow_direction = Some(direction_of(number)?),
            Slot::RejectReason => record.block_public_access = number == 1,
            Slot::Type => record.efa = number == 1,
            Slot::Action => self.action = Some(action_of(number)?),
            Slot::LogStatus => self.status = Some(LogStatus::of_number(number)?),
            Slot::InterfaceId
            | Slot::Srcaddr
            | Slot::Dstaddr
            | Slot::PktSrcaddr
            | Slot::PktDstaddr => return None,
        }
        Some(())
    }

    pub(super) fn row(mut self, verdicts: Verdicts, flags: Flags) -> Row {
        let given = self.record.tcp_flags;
        self.record.tcp_flags = given.and_then(|given| flags.settled(given));
        match self.status {
            Some(LogStatus::NoData) => Row::NoData(self.interval()),
            Some(LogStatus::SkipData) => Row::SkipData(self.interval()),
            None if verdicts == Verdicts::Given && self.is_dashed_out() => {
                Row::SkipData(self.interval())
            }
            Some(LogStatus::Ok) | None => self.traffic(),
        }
    }

    fn traffic(self) -> Row {
        match self.action {
            Some(action) => Row::Flow(FlowRecord {
                action,
                ..self.record
            }),
            None => Row::Other,
        }
    }

    /// Neither action nor any address. Without `log-status` such a line is
    /// NODATA or SKIPDATA and nothing tells which; it is taken for the latter,
    /// since doubt is never resolved in favour of removing access.
    fn is_dashed_out(&self) -> bool {
        let record = &self.record;
        let addresses = [
            record.srcaddr,
            record.dstaddr,
            record.pkt_srcaddr,
            record.pkt_dstaddr,
        ];
        self.action.is_none() && addresses.iter().all(Option::is_none)
    }

    fn interval(&self) -> Interval {
        Interval {
            interface_id: self.record.interface_id,
            start: self.record.start,
            end: self.record.end,
        }
    }
}

/// The action of a number, as [`Draft::give`] has it.
pub(super) fn action_of(number: u64) -> Option<Action> {
    [Action::Accept, Action::Reject]
        .get(usize::try_from(number).ok()?)
        .copied()
}

/// The direction of a number, likewise.
pub(super) fn direction_of(number: u64) -> Option<FlowDirection> {
    [FlowDirection::Ingress, FlowDirection::Egress]
        .get(usize::try_from(number).ok()?)
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flowlog::header::LayoutOrigin;

    fn by_default(line: &str) -> Result<Row, LineErrorKind> {
        parse_line(line.as_bytes(), &Layout::default())
    }

    fn by(fields: &str, line: &str) -> Result<Row, LineErrorKind> {
        parse_line(line.as_bytes(), &Layout::parse(fields).unwrap())
    }

    fn flow(row: Result<Row, LineErrorKind>) -> FlowRecord {
        match row {
            Ok(Row::Flow(record)) => record,
            other => panic!("{other:?}"),
        }
    }

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn a_default_record_is_read_whole() {
        let record = flow(by_default(
            "2 123456789012 eni-0a1b2c3d4e5f60718 10.0.1.5 10.0.2.9 49152 5432 6 12 3456 1760000000 1760000058 ACCEPT OK",
        ));
        let expected = FlowRecord {
            action: Action::Accept,
            interface_id: EniId::parse("eni-0a1b2c3d4e5f60718"),
            srcaddr: ip("10.0.1.5"),
            dstaddr: ip("10.0.2.9"),
            srcport: Some(49152),
            dstport: Some(5432),
            protocol: Some(IpProtocol::TCP),
            packets: 12,
            bytes: 3456,
            start: Some(Timestamp(1_760_000_000)),
            end: Some(Timestamp(1_760_000_058)),
            ..Draft::EMPTY.record
        };
        assert_eq!(record, expected);
    }

    #[test]
    fn the_later_columns_are_read() {
        let record = flow(by(
            "tcp-flags type pkt-srcaddr pkt-dstaddr flow-direction reject-reason action srcaddr",
            "19 efa 2001:db8::1 203.0.113.7 egress BPA REJECT -",
        ));
        assert_eq!(record.tcp_flags, Some(TcpFlags(19)));
        assert!(record.efa && record.block_public_access);
        assert_eq!(record.pkt_srcaddr, ip("2001:db8::1"));
        assert_eq!(record.pkt_dstaddr, ip("203.0.113.7"));
        assert_eq!(record.flow_direction, Some(FlowDirection::Egress));
        assert_eq!(record.action, Action::Reject);
        assert_eq!(record.srcaddr, None);
    }

    #[test]
    fn open_lists_take_any_word() {
        let record = flow(by("type reject-reason action", "IPv7 Accepted accept"));
        assert!(!record.efa && !record.block_public_access);
    }

    #[test]
    fn intervals_without_records_are_told() {
        let line = |status| format!("2 1 eni-0a - - - - - - - 1760000060 1760000118 - {status}");
        let interval = Interval {
            interface_id: EniId::parse("eni-0a"),
            start: Some(Timestamp(1_760_000_060)),
            end: Some(Timestamp(1_760_000_118)),
        };
        assert_eq!(by_default(&line("NODATA")), Ok(Row::NoData(interval)));
        assert_eq!(by_default(&line("SKIPDATA")), Ok(Row::SkipData(interval)));
        assert_eq!(by_default(&line("OK")), Ok(Row::Other));
        assert_eq!(by_default(&line("-")), Ok(Row::SkipData(interval)));
        assert_eq!(
            by_default(&line("FINE")),
            Err(LineErrorKind::Value(Slot::LogStatus))
        );
    }

    #[test]
    fn without_log_status_a_dashed_out_line_is_taken_for_lost_records() {
        let fields = "srcaddr dstaddr action start";
        let lost = Interval {
            interface_id: None,
            start: Some(Timestamp(7)),
            end: None,
        };
        assert_eq!(by(fields, "- - - 7"), Ok(Row::SkipData(lost)));
        assert_eq!(by(fields, "10.0.0.1 - - 7"), Ok(Row::Other));
        assert_eq!(flow(by(fields, "- - ACCEPT 7")).srcaddr, None);
    }

    #[test]
    fn a_dash_is_never_malformed() {
        let record = flow(by_default("- - - - - - - - - - - - ACCEPT OK"));
        assert_eq!(
            record,
            FlowRecord {
                action: Action::Accept,
                ..Draft::EMPTY.record
            }
        );
    }

    #[test]
    fn transit_gateway_rows_have_no_verdict() {
        let fields = "resource-type tgw-id srcaddr start end log-status";
        assert_eq!(
            by(fields, "TransitGateway tgw-0a 10.0.0.1 1 2 OK"),
            Ok(Row::Other)
        );
        let interval = Interval {
            interface_id: None,
            start: Some(Timestamp(1)),
            end: Some(Timestamp(2)),
        };
        assert_eq!(
            by(fields, "TransitGateway tgw-0a - 1 2 SKIPDATA"),
            Ok(Row::SkipData(interval))
        );
    }

    #[test]
    fn a_layout_without_action_gives_no_verdict() {
        assert_eq!(by("srcaddr dstaddr", "- -"), Ok(Row::Other));
        assert_eq!(by("srcaddr log-status", "10.0.0.1 OK"), Ok(Row::Other));
    }

    #[test]
    fn each_bad_value_is_named() {
        let fields =
            "interface-id srcaddr srcport protocol packets start action tcp-flags flow-direction";
        let good = "eni-0a 10.0.0.1 1 6 1 1 ACCEPT 2 ingress";
        let bad = [
            (
                "eni-0a",
                "eni-0123456789abcdef0123456789abcdef",
                Slot::InterfaceId,
            ),
            ("10.0.0.1", "10.0.0.256", Slot::Srcaddr),
            (" 1 6", " 65536 6", Slot::Srcport),
            (" 6 ", " 256 ", Slot::Protocol),
            ("6 1 1", "6 99999999999999999999 1", Slot::Packets),
            ("1 ACCEPT", "-1 ACCEPT", Slot::Start),
            ("ACCEPT", "ALLOW", Slot::Action),
            (" 2 ", " 256 ", Slot::TcpFlags),
            ("ingress", "inbound", Slot::FlowDirection),
        ];
        assert!(by(fields, good).is_ok());
        for (from, to, slot) in bad {
            let line = good.replacen(from, to, 1);
            assert_eq!(by(fields, &line), Err(LineErrorKind::Value(slot)), "{line}");
        }
    }

    #[test]
    fn the_number_of_fields_is_exact() {
        let count = |found, expected, origin| {
            Err(LineErrorKind::FieldCount {
                found,
                expected,
                origin,
            })
        };
        assert_eq!(
            by_default("2 1 eni-0a"),
            count(3, 14, LayoutOrigin::Default)
        );
        assert_eq!(
            by("action srcaddr", "ACCEPT 10.0.0.1 OK"),
            count(3, 2, LayoutOrigin::Fields)
        );
    }

    #[test]
    fn a_negative_span_is_left_as_it_is() {
        let record = flow(by("action start end", "ACCEPT 20 10"));
        assert_eq!(record.start, Some(Timestamp(20)));
        assert_eq!(record.end, Some(Timestamp(10)));
    }
}
