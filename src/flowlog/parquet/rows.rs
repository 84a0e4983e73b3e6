//! Columns' codes to rows: the short way where nothing is odd, else through the
//! draft that lines go through, so that both forms mean the same.

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::LineError;
use crate::flowlog::error::LineErrorKind;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Verdicts;
use crate::flowlog::line::Draft;
use crate::flowlog::line::action_of;
use crate::flowlog::line::direction_of;
use crate::flowlog::ocsf::NETWORK_ACTIVITY;
use crate::flowlog::ocsf::Part;
use crate::flowlog::parquet::code::ABSENT;
use crate::flowlog::parquet::code::Odds;
use crate::flowlog::parquet::schema::Plan;
use crate::flowlog::reader::Sink;
use crate::model::Row;
use crate::model::TcpFlags;
use crate::net::IpProtocol;

/// Slots that OCSF columns are joined into, in the order of [`Slot`].
const JOINED: [(Slot, &[Part]); 15] = [
    (Slot::Srcaddr, &[Part::SourceShown, Part::SourceAddress]),
    (
        Slot::Dstaddr,
        &[Part::DestinationShown, Part::DestinationAddress],
    ),
    (Slot::Srcport, &[Part::Slot(Slot::Srcport)]),
    (Slot::Dstport, &[Part::Slot(Slot::Dstport)]),
    (Slot::Protocol, &[Part::Slot(Slot::Protocol)]),
    (Slot::Packets, &[Part::Slot(Slot::Packets)]),
    (Slot::Bytes, &[Part::Slot(Slot::Bytes)]),
    (Slot::Start, &[Part::Start, Part::StartAgain]),
    (Slot::End, &[Part::End, Part::EndAgain]),
    (
        Slot::Action,
        &[Part::Disposition, Part::ActionId, Part::ActivityId],
    ),
    (Slot::LogStatus, &[Part::Slot(Slot::LogStatus)]),
    (Slot::TcpFlags, &[Part::Slot(Slot::TcpFlags)]),
    (Slot::PktSrcaddr, &[Part::SourceAddress]),
    (Slot::PktDstaddr, &[Part::DestinationAddress]),
    (Slot::FlowDirection, &[Part::DirectionId]),
];

/// Puts rows together.
#[derive(Debug)]
pub(super) struct Assembly<'p> {
    plan: &'p Plan,
    /// Of each column of the plan the codes of the batch.
    pub(super) codes: Vec<Vec<u64>>,
    /// The same by slot, of files whose columns have to be joined first.
    slots: Vec<(Slot, Vec<u64>)>,
    /// Number of the next row.
    row: u64,
    /// As long as a batch, all absent.
    nothing: Vec<u64>,
}

/// Where the codes of each slot are.
struct Batch<'a> {
    by_slot: Vec<(Slot, &'a [u64])>,
    class: &'a [u64],
    interface: &'a [u64],
    srcaddr: &'a [u64],
    dstaddr: &'a [u64],
    srcport: &'a [u64],
    dstport: &'a [u64],
    protocol: &'a [u64],
    packets: &'a [u64],
    bytes: &'a [u64],
    start: &'a [u64],
    end: &'a [u64],
    action: &'a [u64],
    log_status: &'a [u64],
    tcp_flags: &'a [u64],
    kind: &'a [u64],
    pkt_srcaddr: &'a [u64],
    pkt_dstaddr: &'a [u64],
    flow_direction: &'a [u64],
    reject_reason: &'a [u64],
}

impl<'p> Assembly<'p> {
    pub(super) fn new(plan: &'p Plan, first_row: Option<u64>) -> Assembly<'p> {
        Assembly {
            plan,
            codes: vec![Vec::new(); plan.columns.len()],
            slots: Vec::new(),
            row: first_row.unwrap_or(1),
            nothing: Vec::new(),
        }
    }

    /// Gives the rows of a batch.
    pub(super) fn give(
        &mut self,
        rows: usize,
        odds: &Odds,
        interfaces: &Interfaces,
        sink: &mut impl Sink,
    ) {
        self.nothing.resize(rows, ABSENT);
        if self.plan.ocsf {
            self.join(rows);
        }
        let verdicts = self.plan.verdicts;
        let batch = self.batch();
        let first = self.row;
        for at in 0..rows {
            if verdicts == Verdicts::Given
                && let Some(brief) = batch.brief(at)
            {
                sink.brief(&brief, interfaces);
                continue;
            }
            match batch.row(at, verdicts, odds, interfaces) {
                Ok(row) => sink.row(&row),
                Err(kind) => sink.malformed(&LineError {
                    line: first.saturating_add(at as u64),
                    byte: 0,
                    kind,
                }),
            }
        }
        self.row = first.saturating_add(rows as u64);
    }

    fn part(&self, part: Part) -> Option<&[u64]> {
        let mut columns = self.plan.columns.iter().zip(&self.codes);
        let found = columns.find(|(column, _)| column.part == part);
        found.map(|(_, codes)| codes.as_slice())
    }

    /// Of several columns that say the same, each row takes the first that
    /// says anything.
    fn join(&mut self, rows: usize) {
        let first_of = |parts: &[Part]| {
            let columns: Vec<&[u64]> = parts.iter().filter_map(|part| self.part(*part)).collect();
            let code = |at: usize| {
                let codes = columns.iter().filter_map(|codes| codes.get(at).copied());
                codes
                    .into_iter()
                    .find(|code| *code != ABSENT)
                    .unwrap_or(ABSENT)
            };
            (0..rows).map(code).collect::<Vec<u64>>()
        };
        let mut slots: Vec<(Slot, Vec<u64>)> = JOINED
            .iter()
            .map(|(slot, parts)| (*slot, first_of(parts)))
            .collect();
        let directions = first_of(&[Part::DirectionId]);
        let outward = first_of(&[Part::SourceInterface, Part::DestinationInterface]);
        let inward = first_of(&[Part::DestinationInterface, Part::SourceInterface]);
        let interfaces = directions.iter().zip(outward.iter().zip(&inward));
        let interfaces = interfaces.map(|(way, (out, into))| if *way == 1 { *out } else { *into });
        slots.push((Slot::InterfaceId, interfaces.collect()));
        self.slots = slots;
    }

    fn batch(&self) -> Batch<'_> {
        let by_slot: Vec<(Slot, &[u64])> = if self.plan.ocsf {
            let slots = self.slots.iter();
            slots
                .map(|(slot, codes)| (*slot, codes.as_slice()))
                .collect()
        } else {
            let columns = self.plan.columns.iter().zip(&self.codes);
            let slots =
                columns.filter_map(|(column, codes)| Some((column.part.slot()?, codes.as_slice())));
            slots.collect()
        };
        let of = |slot: Slot| {
            let found = by_slot.iter().find(|(known, _)| *known == slot);
            found.map_or(self.nothing.as_slice(), |(_, codes)| *codes)
        };
        Batch {
            class: self.part(Part::ClassUid).unwrap_or_default(),
            interface: of(Slot::InterfaceId),
            srcaddr: of(Slot::Srcaddr),
            dstaddr: of(Slot::Dstaddr),
            srcport: of(Slot::Srcport),
            dstport: of(Slot::Dstport),
            protocol: of(Slot::Protocol),
            packets: of(Slot::Packets),
            bytes: of(Slot::Bytes),
            start: of(Slot::Start),
            end: of(Slot::End),
            action: of(Slot::Action),
            log_status: of(Slot::LogStatus),
            tcp_flags: of(Slot::TcpFlags),
            kind: of(Slot::Type),
            pkt_srcaddr: of(Slot::PktSrcaddr),
            pkt_dstaddr: of(Slot::PktDstaddr),
            flow_direction: of(Slot::FlowDirection),
            reject_reason: of(Slot::RejectReason),
            by_slot,
        }
    }
}

/// A code of a value that may be absent; the outer `None` where it is odd.
#[inline]
#[expect(
    clippy::option_option,
    reason = "outside is whether the short way may go on, inside what the row gives"
)]
fn maybe(code: u64) -> Option<Option<u64>> {
    match code {
        ABSENT => Some(None),
        code if code < ABSENT => Some(Some(code)),
        _ => None,
    }
}

/// A counter; absent is 0.
#[inline]
fn count(code: u64) -> Option<u64> {
    maybe(code).map(Option::unwrap_or_default)
}

impl Batch<'_> {
    /// The row in short; `None` where anything about it is odd.
    #[inline]
    fn brief(&self, at: usize) -> Option<Brief> {
        let code = |codes: &[u64]| codes.get(at).copied();
        let small = |codes: &[u64]| u32::try_from(code(codes)?).ok();
        let port = |codes: &[u64]| u16::try_from(code(codes)?).ok();
        let packet = |codes: &[u64]| match maybe(code(codes)?)? {
            Some(bits) => u32::try_from(bits).ok().map(Some),
            None => Some(None),
        };
        let plain = count(code(self.log_status)?)? | count(code(self.kind)?)?;
        if plain != 0 || self.is_foreign(at) {
            return None;
        }
        let flags = match maybe(code(self.tcp_flags)?)? {
            Some(flags) => Some(TcpFlags(u8::try_from(flags).ok()?)),
            None => None,
        };
        let direction = match maybe(code(self.flow_direction)?)? {
            Some(direction) => Some(direction_of(direction)?),
            None => None,
        };
        Some(Brief {
            interface: small(self.interface)?,
            srcaddr: small(self.srcaddr)?,
            dstaddr: small(self.dstaddr)?,
            pkt_srcaddr: packet(self.pkt_srcaddr)?,
            pkt_dstaddr: packet(self.pkt_dstaddr)?,
            srcport: port(self.srcport)?,
            dstport: port(self.dstport)?,
            protocol: IpProtocol(u8::try_from(code(self.protocol)?).ok()?),
            action: action_of(code(self.action)?)?,
            packets: u32::try_from(count(code(self.packets)?)?).ok()?,
            bytes: count(code(self.bytes)?)?,
            start: small(self.start)?,
            end: small(self.end)?,
            tcp_flags: flags,
            flow_direction: direction,
            block_public_access: count(code(self.reject_reason)?)? == 1,
        })
    }

    /// Whether it is of another class of OCSF.
    fn is_foreign(&self, at: usize) -> bool {
        let class = self.class.get(at);
        class.is_some_and(|class| *class != NETWORK_ACTIVITY)
    }

    /// The row, or what is wrong with it.
    #[cold]
    fn row(
        &self,
        at: usize,
        verdicts: Verdicts,
        odds: &Odds,
        interfaces: &Interfaces,
    ) -> Result<Row, LineErrorKind> {
        if self.is_foreign(at) {
            return Ok(Row::Other);
        }
        let mut draft = Draft::EMPTY;
        for (slot, codes) in &self.by_slot {
            let code = codes.get(at).copied().unwrap_or(ABSENT);
            if code == ABSENT {
                continue;
            }
            let given = odds.given(*slot, code, interfaces);
            let given = given.ok_or(LineErrorKind::Value(*slot))?;
            draft
                .give(*slot, given)
                .ok_or(LineErrorKind::Value(*slot))?;
        }
        Ok(draft.row(verdicts))
    }
}
