//! The table of evidence: rows of evidence, each with the object that it came
//! from and the hour in which its records begin. Columns that a kind of row
//! has no use for hold 0, false or nothing.

use std::cmp::Ordering;
use std::net::IpAddr;

use bytes::Bytes;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;

use crate::collections::HashMap;
use crate::digest::table;
use crate::digest::table::Count;
use crate::digest::table::Flag;
use crate::digest::table::Int;
use crate::digest::table::Table;
use crate::digest::table::Text;
use crate::digest::table::Time;
use crate::digest::table::table;
use crate::digest::table::text;
use crate::evidence::RowTally;
use crate::evidence::Unplaced;
use crate::evidence::activity::Activity;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cell::Side;
use crate::evidence::ports::PortSample;
use crate::evidence::rows::EvidenceRow;
use crate::evidence::rows::Heard;
use crate::evidence::rows::Odd;
use crate::evidence::rows::Tally;
use crate::model::Action;
use crate::model::EniId;
use crate::model::FlowDirection;
use crate::model::TcpFlags;
use crate::net::IpProtocol;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;

/// Most rows of one row group.
const GROUP: usize = 500_000;

/// A row of evidence, and where it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Number of the object in its ledger.
    pub object: u32,
    /// Hour since the epoch in which the records begin.
    pub hour: i64,
    /// What they say.
    pub row: EvidenceRow,
}

impl Unit {
    /// The day since the epoch that it belongs to.
    #[must_use]
    pub fn day(&self) -> i64 {
        self.hour.saturating_mul(HOUR).div_euclid(DAY)
    }

    fn rank(&self) -> u8 {
        match self.row {
            EvidenceRow::Tally(_) => 0,
            EvidenceRow::Odd(_) => 1,
            EvidenceRow::Heard(_) => 2,
            EvidenceRow::Cell(..) => 3,
        }
    }

    /// Like beside like, which packs best and folds best.
    pub(super) fn order(&self, other: &Unit) -> Ordering {
        let within = match (&self.row, &other.row) {
            (EvidenceRow::Cell(id, key, _), EvidenceRow::Cell(other_id, other_key, _)) => {
                (id, key).cmp(&(other_id, other_key))
            }
            (EvidenceRow::Heard(heard), EvidenceRow::Heard(other)) => {
                (heard.interface_id, heard.hour).cmp(&(other.interface_id, other.hour))
            }
            (EvidenceRow::Odd(odd), EvidenceRow::Odd(other)) => {
                odd.interface_id.cmp(&other.interface_id)
            }
            _ => self.rank().cmp(&other.rank()),
        };
        let place = |unit: &Unit| (unit.hour, unit.object);
        within.then_with(|| place(self).cmp(&place(other)))
    }
}

table! {
    /// Evidence.
    Rows {
        kind: Text,
        object: Int,
        hour: Time,
        interface_id: Text,
        heard_hour: Time,
        observed: Flag,
        active: Flag,
        heard_rejected: Flag,
        lost: Flag,
        source: Text,
        destination: Text,
        protocol: Int,
        port: Int,
        service_side: Text,
        direction: Text,
        action: Text,
        records: Count,
        packets: Count,
        bytes: Count,
        first_seen: Time,
        last_seen: Time,
        requests: Count,
        answers: Count,
        plain: Count,
        flags: Int,
        other_ports: Int,
        other_port_1: Int,
        other_port_2: Int,
        other_port_3: Int,
        other_port_4: Int,
        block_public_access: Count,
        efa_records: Count,
        incomplete_records: Count,
        accepted: Count,
        rejected: Count,
        other: Count,
        no_data: Count,
        skip_data: Count,
        no_interface: Count,
        no_time: Count,
        no_flow: Count,
    }
}

/// The units as a table, in its order.
pub(super) fn to_bytes(mut units: Vec<Unit>) -> parquet::errors::Result<Vec<u8>> {
    units.sort_unstable_by(Unit::order);
    let kinds = units.chunk_by(|one, other| one.rank() == other.rank());
    table::to_bytes(kinds.flat_map(|kind| kind.chunks(GROUP)).map(Writer::rows))
}

/// Text that comes again and again, made once.
struct Writer {
    rows: Rows,
    nothing: ByteArray,
    interface: (Option<EniId>, ByteArray),
    addresses: HashMap<IpAddr, ByteArray>,
    words: [ByteArray; 10],
}

const WORDS: [&str; 10] = [
    "tally",
    "odd",
    "heard",
    "cell",
    "source",
    "destination",
    "ingress",
    "egress",
    "ACCEPT",
    "REJECT",
];

impl Writer {
    fn rows(units: &[Unit]) -> Rows {
        let nothing = text("");
        let mut writer = Writer {
            rows: Rows::with_room(units.len()),
            nothing: nothing.clone(),
            interface: (None, nothing),
            addresses: HashMap::default(),
            words: WORDS.map(text),
        };
        for unit in units {
            writer.push(unit);
        }
        writer.rows
    }

    fn word(&self, place: usize) -> ByteArray {
        self.words.get(place).unwrap_or(&self.nothing).clone()
    }

    fn address(&mut self, address: Option<IpAddr>) -> ByteArray {
        let Some(address) = address else {
            return self.nothing.clone();
        };
        let known = self.addresses.entry(address);
        known.or_insert_with(|| text(&address.to_string())).clone()
    }

    fn push(&mut self, unit: &Unit) {
        let Unit { object, hour, row } = unit;
        let kind = self.word(usize::from(unit.rank()));
        self.rows.kind.push(kind);
        self.rows.object.push(object.cast_signed());
        self.rows.hour.push(milliseconds(hour.saturating_mul(HOUR)));
        let mut blank = Parts::default();
        match row {
            EvidenceRow::Tally(tally) => blank.tally = *tally,
            EvidenceRow::Odd(odd) => {
                blank.interface_id = Some(odd.interface_id);
                blank.odd = (odd.efa_records, odd.incomplete_records);
            }
            EvidenceRow::Heard(heard) => {
                blank.interface_id = Some(heard.interface_id);
                blank.heard = Some(*heard);
            }
            EvidenceRow::Cell(id, key, cell) => {
                blank.interface_id = Some(*id);
                blank.cell = Some((*key, *cell));
            }
        }
        self.push_parts(&blank);
    }

    fn push_parts(&mut self, parts: &Parts) {
        if self.interface.0 != parts.interface_id {
            let id = parts.interface_id.map(|id| text(id.as_str()));
            let id = id.unwrap_or_else(|| self.nothing.clone());
            self.interface = (parts.interface_id, id);
        }
        self.rows.interface_id.push(self.interface.1.clone());
        self.push_heard(parts.heard);
        self.push_key(parts.cell.map(|(key, _)| key));
        let span = parts.tally.span;
        match parts.cell {
            Some((_, cell)) => self.push_cell(Some(&cell), Some((cell.first, cell.last))),
            None => self.push_cell(None, span.map(|span| (span.start, span.end))),
        }
        self.push_tally(&parts.tally);
        let (efa, incomplete) = parts.odd;
        self.rows.efa_records.push(efa.cast_signed());
        self.rows.incomplete_records.push(incomplete.cast_signed());
    }

    fn push_heard(&mut self, heard: Option<Heard>) {
        let rows = &mut self.rows;
        let is = |what: fn(&Heard) -> bool| heard.as_ref().is_some_and(what);
        let hour = heard.map_or(0, |heard| heard.hour);
        rows.heard_hour
            .push(milliseconds(hour.saturating_mul(HOUR)));
        rows.observed.push(is(|heard| heard.observed));
        rows.active.push(is(|heard| heard.active));
        rows.heard_rejected.push(is(|heard| heard.rejected));
        rows.lost.push(is(|heard| heard.lost));
    }

    fn push_key(&mut self, key: Option<CellKey>) {
        let source = self.address(key.map(|key| key.source));
        let destination = self.address(key.map(|key| key.destination));
        self.rows.source.push(source);
        self.rows.destination.push(destination);
        let number = |number: fn(CellKey) -> i32| key.map_or(0, number);
        self.rows
            .protocol
            .push(number(|key| i32::from(key.protocol.0)));
        self.rows.port.push(number(|key| i32::from(key.port)));
        let side = key.map(|key| match key.side {
            Side::Source => 4,
            Side::Destination => 5,
        });
        let direction = key.and_then(|key| key.direction).map(|way| match way {
            FlowDirection::Ingress => 6,
            FlowDirection::Egress => 7,
        });
        let action = key.map(|key| match key.action {
            Action::Accept => 8,
            Action::Reject => 9,
        });
        let word = |place: Option<usize>| self.word(place.unwrap_or(WORDS.len()));
        let (side, direction, action) = (word(side), word(direction), word(action));
        self.rows.service_side.push(side);
        self.rows.direction.push(direction);
        self.rows.action.push(action);
    }

    fn push_cell(&mut self, cell: Option<&Cell>, seen: Option<(Timestamp, Timestamp)>) {
        let rows = &mut self.rows;
        // Backwards where there is nothing to span.
        let (first, last) = seen.unwrap_or((Timestamp(0), Timestamp(-1)));
        rows.first_seen.push(milliseconds(first.0));
        rows.last_seen.push(milliseconds(last.0));
        let (records, packets, bytes, requests, answers, plain, flags, sample, blocked) = cell
            .map_or((0, 0, 0, 0, 0, 0, 0, PortSample::default(), 0), |cell| {
                let Cell {
                    records,
                    packets,
                    bytes,
                    first: _,
                    last: _,
                    active: _,
                    requests,
                    answers,
                    plain,
                    flags: TcpFlags(flags),
                    other_ports,
                    block_public_access,
                } = *cell;
                (
                    records,
                    packets,
                    bytes,
                    requests,
                    answers,
                    plain,
                    flags,
                    other_ports,
                    block_public_access,
                )
            });
        rows.records.push(records.cast_signed());
        rows.packets.push(packets.cast_signed());
        rows.bytes.push(bytes.cast_signed());
        rows.requests.push(requests.cast_signed());
        rows.answers.push(answers.cast_signed());
        rows.plain.push(plain.cast_signed());
        rows.flags.push(i32::from(flags));
        let ([one, two, three, four], ports) = sample.state();
        rows.other_ports.push(i32::from(ports));
        rows.other_port_1.push(i32::from(one));
        rows.other_port_2.push(i32::from(two));
        rows.other_port_3.push(i32::from(three));
        rows.other_port_4.push(i32::from(four));
        rows.block_public_access.push(blocked.cast_signed());
    }

    fn push_tally(&mut self, tally: &Tally) {
        let Tally {
            rows:
                RowTally {
                    accepted,
                    rejected,
                    other,
                    no_data,
                    skip_data,
                },
            unplaced:
                Unplaced {
                    no_interface,
                    no_time,
                    no_flow,
                },
            span: _,
        } = *tally;
        let rows = &mut self.rows;
        rows.accepted.push(accepted.cast_signed());
        rows.rejected.push(rejected.cast_signed());
        rows.other.push(other.cast_signed());
        rows.no_data.push(no_data.cast_signed());
        rows.skip_data.push(skip_data.cast_signed());
        rows.no_interface.push(no_interface.cast_signed());
        rows.no_time.push(no_time.cast_signed());
        rows.no_flow.push(no_flow.cast_signed());
    }
}

/// What a row of any kind may hold.
#[derive(Default)]
struct Parts {
    interface_id: Option<EniId>,
    heard: Option<Heard>,
    cell: Option<(CellKey, Cell)>,
    tally: Tally,
    odd: (u64, u64),
}

fn milliseconds(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000)
}

/// Reads what [`to_bytes`] wrote, row by row.
pub(super) fn from_bytes(
    bytes: Vec<u8>,
    mut each: impl FnMut(&Unit),
) -> parquet::errors::Result<()> {
    let mut before = 0;
    table::from_bytes(Bytes::from(bytes), |rows: Rows| {
        let mut reader = Reader::new(&rows);
        for row in 0..rows.kind.len() {
            let unit = reader.unit(row);
            let row = before + row;
            each(&unit.ok_or_else(|| ParquetError::General(format!("row {row} makes no sense")))?);
        }
        before += rows.kind.len();
        Ok(())
    })
}

/// Values that come again and again, parsed once.
struct Reader<'r> {
    rows: &'r Rows,
    interface: Last<'r, EniId>,
    source: Last<'r, IpAddr>,
    destination: Last<'r, IpAddr>,
}

/// Text and what it was parsed to.
type Last<'r, T> = Option<(&'r [u8], T)>;

impl<'r> Reader<'r> {
    fn new(rows: &'r Rows) -> Reader<'r> {
        Reader {
            rows,
            interface: None,
            source: None,
            destination: None,
        }
    }

    fn unit(&mut self, row: usize) -> Option<Unit> {
        let rows = self.rows;
        let row_of_kind = match rows.kind.get(row)?.data() {
            b"cell" => self.cell(row)?,
            b"heard" => EvidenceRow::Heard(Heard {
                interface_id: self.interface(row)?,
                hour: seconds(*rows.heard_hour.get(row)?).div_euclid(HOUR),
                observed: *rows.observed.get(row)?,
                active: *rows.active.get(row)?,
                rejected: *rows.heard_rejected.get(row)?,
                lost: *rows.lost.get(row)?,
            }),
            b"odd" => EvidenceRow::Odd(Odd {
                interface_id: self.interface(row)?,
                efa_records: count(&rows.efa_records, row)?,
                incomplete_records: count(&rows.incomplete_records, row)?,
            }),
            b"tally" => EvidenceRow::Tally(self.tally(row)?),
            _ => return None,
        };
        Some(Unit {
            object: rows.object.get(row)?.cast_unsigned(),
            hour: seconds(*rows.hour.get(row)?).div_euclid(HOUR),
            row: row_of_kind,
        })
    }

    fn interface(&mut self, row: usize) -> Option<EniId> {
        let text = self.rows.interface_id.get(row)?.data();
        parsed(&mut self.interface, text, EniId::from_bytes)
    }

    fn cell(&mut self, row: usize) -> Option<EvidenceRow> {
        let rows = self.rows;
        let address = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
        let source = parsed(&mut self.source, rows.source.get(row)?.data(), address)?;
        let destination = rows.destination.get(row)?.data();
        let destination = parsed(&mut self.destination, destination, address)?;
        let key = CellKey {
            source,
            destination,
            era: 0,
            port: short(&rows.port, row)?,
            side: match rows.service_side.get(row)?.data() {
                b"source" => Side::Source,
                b"destination" => Side::Destination,
                _ => return None,
            },
            protocol: IpProtocol(u8::try_from(*rows.protocol.get(row)?).ok()?),
            direction: match rows.direction.get(row)?.data() {
                b"ingress" => Some(FlowDirection::Ingress),
                b"egress" => Some(FlowDirection::Egress),
                b"" => None,
                _ => return None,
            },
            action: match rows.action.get(row)?.data() {
                b"ACCEPT" => Action::Accept,
                b"REJECT" => Action::Reject,
                _ => return None,
            },
        };
        let ports = [
            short(&rows.other_port_1, row)?,
            short(&rows.other_port_2, row)?,
            short(&rows.other_port_3, row)?,
            short(&rows.other_port_4, row)?,
        ];
        let (first, last) = seen(rows, row)?;
        let cell = Cell {
            records: count(&rows.records, row)?,
            packets: count(&rows.packets, row)?,
            bytes: count(&rows.bytes, row)?,
            first,
            last,
            // A row is of one hour, in which all its records begin.
            active: Activity::AT_FIRST,
            requests: count(&rows.requests, row)?,
            answers: count(&rows.answers, row)?,
            plain: count(&rows.plain, row)?,
            flags: TcpFlags(u8::try_from(*rows.flags.get(row)?).ok()?),
            other_ports: PortSample::from_state(
                ports,
                u8::try_from(*rows.other_ports.get(row)?).ok()?,
            )?,
            block_public_access: count(&rows.block_public_access, row)?,
        };
        Some(EvidenceRow::Cell(self.interface(row)?, key, cell))
    }

    fn tally(&self, row: usize) -> Option<Tally> {
        let rows = self.rows;
        Some(Tally {
            rows: RowTally {
                accepted: count(&rows.accepted, row)?,
                rejected: count(&rows.rejected, row)?,
                other: count(&rows.other, row)?,
                no_data: count(&rows.no_data, row)?,
                skip_data: count(&rows.skip_data, row)?,
            },
            unplaced: Unplaced {
                no_interface: count(&rows.no_interface, row)?,
                no_time: count(&rows.no_time, row)?,
                no_flow: count(&rows.no_flow, row)?,
            },
            span: span(seen(rows, row)?),
        })
    }
}

fn parsed<'r, T: Copy>(
    last: &mut Last<'r, T>,
    text: &'r [u8],
    parse: impl Fn(&'r [u8]) -> Option<T>,
) -> Option<T> {
    if let Some((known, value)) = last
        && *known == text
    {
        return Some(*value);
    }
    let value = parse(text)?;
    *last = Some((text, value));
    Some(value)
}

fn seconds(milliseconds: i64) -> i64 {
    milliseconds.div_euclid(1_000)
}

fn count(column: &[i64], row: usize) -> Option<u64> {
    Some(column.get(row)?.cast_unsigned())
}

fn short(column: &[i32], row: usize) -> Option<u16> {
    u16::try_from(*column.get(row)?).ok()
}

fn seen(rows: &Rows, row: usize) -> Option<(Timestamp, Timestamp)> {
    let first = seconds(*rows.first_seen.get(row)?);
    let last = seconds(*rows.last_seen.get(row)?);
    Some((Timestamp(first), Timestamp(last)))
}

fn span((start, end): (Timestamp, Timestamp)) -> Option<Span> {
    (start <= end).then_some(Span { start, end })
}
