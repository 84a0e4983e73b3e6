//! Columns' codes to rows: the short way where nothing is odd, else through the
//! draft that lines go through, so that both forms mean the same.

use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::LineError;
use crate::flowlog::error::LineErrorKind;
use crate::flowlog::fields::Slot;
use crate::flowlog::header::Flags;
use crate::flowlog::header::Verdicts;
use crate::flowlog::line::Draft;
use crate::flowlog::line::action_of;
use crate::flowlog::line::direction_of;
use crate::flowlog::ocsf::NETWORK_ACTIVITY;
use crate::flowlog::ocsf::Part;
use crate::flowlog::parquet::BATCH;
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
}

/// A column's codes of a batch; what lies behind its last row is absent. So
/// that it is this long, no place in it has to be looked for.
type Codes = [u64; BATCH];

/// Of a column that the file lacks.
static NOTHING: Codes = [ABSENT; BATCH];

/// Where the codes of each slot are.
struct Batch<'a> {
    by_slot: Vec<(Slot, &'a Codes)>,
    class: Option<&'a Codes>,
    interface: &'a Codes,
    srcaddr: &'a Codes,
    dstaddr: &'a Codes,
    srcport: &'a Codes,
    dstport: &'a Codes,
    protocol: &'a Codes,
    packets: &'a Codes,
    bytes: &'a Codes,
    start: &'a Codes,
    end: &'a Codes,
    action: &'a Codes,
    log_status: &'a Codes,
    tcp_flags: &'a Codes,
    kind: &'a Codes,
    pkt_srcaddr: &'a Codes,
    pkt_dstaddr: &'a Codes,
    flow_direction: &'a Codes,
    reject_reason: &'a Codes,
}

impl<'p> Assembly<'p> {
    pub(super) fn new(
        plan: &'p Plan,
        first_row: Option<u64>,
        mut codes: Vec<Vec<u64>>,
    ) -> Assembly<'p> {
        codes.resize(plan.columns.len(), Vec::new());
        Assembly {
            plan,
            codes,
            slots: Vec::new(),
            row: first_row.unwrap_or(1),
        }
    }

    /// The columns' memory, for the next.
    pub(super) fn into_codes(self) -> Vec<Vec<u64>> {
        self.codes
    }

    /// Gives the rows of a batch.
    pub(super) fn give(
        &mut self,
        rows: usize,
        odds: &Odds,
        interfaces: &Interfaces,
        sink: &mut impl Sink,
    ) {
        for codes in &mut self.codes {
            codes.resize(BATCH, ABSENT);
        }
        if self.plan.ocsf {
            self.join();
        }
        let (verdicts, told) = (self.plan.verdicts, self.plan.flags);
        let batch = self.batch();
        let first = self.row;
        for at in 0..rows {
            if verdicts == Verdicts::Given
                && let Some(brief) = batch.brief(at, told)
            {
                sink.brief(&brief, interfaces);
                continue;
            }
            match batch.row(at, self.plan, odds, interfaces) {
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
    fn join(&mut self) {
        let first_of = |parts: &[Part]| {
            let columns: Vec<&[u64]> = parts.iter().filter_map(|part| self.part(*part)).collect();
            let code = |at: usize| {
                let codes = columns.iter().filter_map(|codes| codes.get(at).copied());
                codes
                    .into_iter()
                    .find(|code| *code != ABSENT)
                    .unwrap_or(ABSENT)
            };
            (0..BATCH).map(code).collect::<Vec<u64>>()
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
        let by_slot: Vec<(Slot, &Codes)> = if self.plan.ocsf {
            let slots = self.slots.iter();
            slots
                .filter_map(|(slot, codes)| Some((*slot, codes.first_chunk()?)))
                .collect()
        } else {
            let columns = self.plan.columns.iter().zip(&self.codes);
            let slots = columns
                .filter_map(|(column, codes)| Some((column.part.slot()?, codes.first_chunk()?)));
            slots.collect()
        };
        let of = |slot: Slot| {
            let found = by_slot.iter().find(|(known, _)| *known == slot);
            found.map_or(&NOTHING, |(_, codes)| *codes)
        };
        Batch {
            class: self
                .part(Part::ClassUid)
                .and_then(|codes| codes.first_chunk()),
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

/// The highest bit is set only of a code that is neither a plain number nor
/// absent.
#[inline]
fn oddness(code: u64) -> u64 {
    code.wrapping_sub(code >> 63)
}

/// A code that is not odd, absent being `None`.
#[inline]
fn given(code: u64) -> Option<u64> {
    (code < ABSENT).then_some(code)
}

/// The lowest bits of a code that has no others.
#[inline]
fn low32(code: u64) -> u32 {
    u32::try_from(code & 0xffff_ffff).unwrap_or(0)
}

#[inline]
fn low16(code: u64) -> u16 {
    u16::try_from(code & 0xffff).unwrap_or(0)
}

#[inline]
fn low8(code: u64) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(0)
}

impl Batch<'_> {
    /// The row in short; `None` where anything about it is odd. Columns hold
    /// only codes of their kinds, so that ports are ports; what is asked of all
    /// at once is whether each is there.
    #[inline]
    fn brief(&self, at: usize, told: Flags) -> Option<Brief> {
        let code = |codes: &Codes| codes.get(at % BATCH).copied().unwrap_or(ABSENT);
        let [interface, srcaddr, dstaddr] = [self.interface, self.srcaddr, self.dstaddr].map(code);
        let [srcport, dstport, protocol] = [self.srcport, self.dstport, self.protocol].map(code);
        let [start, end, action] = [self.start, self.end, self.action].map(code);
        let addresses = interface | srcaddr | dstaddr;
        let wanted = addresses | srcport | dstport | protocol | start | end | action;
        let [packets, bytes] = [self.packets, self.bytes].map(code);
        let [pkt_srcaddr, pkt_dstaddr] = [self.pkt_srcaddr, self.pkt_dstaddr].map(code);
        let [flags, way, reason] =
            [self.tcp_flags, self.flow_direction, self.reject_reason].map(code);
        let counters = oddness(packets) | oddness(bytes);
        let packet = oddness(pkt_srcaddr) | oddness(pkt_dstaddr);
        let odd = counters | packet | oddness(flags) | oddness(way) | oddness(reason);
        // Both are 0 of a record, or absent, which is the highest bit alone.
        let plain = (code(self.log_status) | code(self.kind)) << 1;
        if wanted >> 32 != 0 || odd >= ABSENT || plain != 0 || self.is_foreign(at) {
            return None;
        }
        Some(Brief {
            interface: low32(interface),
            srcaddr: low32(srcaddr),
            dstaddr: low32(dstaddr),
            pkt_srcaddr: given(pkt_srcaddr).map(low32),
            pkt_dstaddr: given(pkt_dstaddr).map(low32),
            srcport: low16(srcport),
            dstport: low16(dstport),
            protocol: IpProtocol(low8(protocol)),
            action: action_of(action)?,
            packets: u32::try_from(given(packets).unwrap_or(0)).ok()?,
            bytes: given(bytes).unwrap_or(0),
            start: low32(start),
            end: low32(end),
            tcp_flags: given(flags).and_then(|flags| told.settled(TcpFlags(low8(flags)))),
            flow_direction: match given(way) {
                Some(way) => Some(direction_of(way)?),
                None => None,
            },
            block_public_access: reason == 1,
        })
    }

    /// Whether it is of another class of OCSF.
    fn is_foreign(&self, at: usize) -> bool {
        let class = self.class.and_then(|codes| codes.get(at));
        class.is_some_and(|class| *class != NETWORK_ACTIVITY)
    }

    /// The row, or what is wrong with it.
    #[cold]
    fn row(
        &self,
        at: usize,
        plan: &Plan,
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
        Ok(draft.row(plan.verdicts, plan.flags))
    }
}
