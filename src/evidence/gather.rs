//! Gathering: what one worker folds its records into. Records of the common
//! kind go to one table, batch by batch; all others are folded the plain way,
//! beside it. At the end the workers' gatherings become one [`Evidence`], each
//! interface by itself and many at a time. Where cells are too many for that,
//! they go to a [`Reserve`] on the way.

#![expect(
    clippy::inline_always,
    reason = "one loop over all records, which the compiler would cut into calls"
)]

use rayon::prelude::*;

use crate::collections::HashMap;
use crate::evidence::Evidence;
use crate::evidence::RowTally;
use crate::evidence::cell::CellKey;
use crate::evidence::coverage::HoursHeard;
use crate::evidence::era::Eras;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::packed::Packed;
use crate::evidence::pool::Apart;
use crate::evidence::pool::Grain;
use crate::evidence::pool::Place;
use crate::evidence::reserve::Reserve;
use crate::evidence::rows::EvidenceRow;
use crate::evidence::table::BATCH;
use crate::evidence::table::Table;
use crate::evidence::weight;
use crate::evidence::weight::Weight;
use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::model::Action;
use crate::model::EniId;
use crate::model::Row;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::HOUR;

/// What one worker has gathered.
#[derive(Clone, Debug)]
pub struct Gathering<'e> {
    eras: &'e Eras,
    /// Rows of every other kind.
    plain: Evidence,
    table: Table,
    /// Cells of `plain` when they were counted, and rows that it got since.
    counted: usize,
    since: usize,
    batch: Vec<Packed>,
    /// How coarse cells are to be, by the number of their interface, once they
    /// were too many.
    grains: Vec<Option<Grain>>,
    /// By the interface's number.
    hours: Vec<Heard>,
    /// How many of these are not empty, and words of theirs that take memory by
    /// themselves.
    heard: usize,
    words: usize,
    accepted: u64,
    rejected: u64,
    /// First and last second of brief records; backwards while there is none.
    first: u32,
    last: u32,
    /// The era looked up last and the seconds it reaches over.
    era: u16,
    era_from: u32,
    era_to: u32,
}

/// When an interface was heard of.
#[derive(Clone, Debug, Default)]
struct Heard {
    hours: HoursHeard,
    /// Seconds of the hour that was put in last, the one behind it not
    /// included; empty at first.
    active_last: (u32, u32),
    rejected_last: (u32, u32),
}

/// Rows of other kinds after which their cells are counted anew, at the least.
const UNCOUNTED: usize = 65_536;

/// Cells that are handed over together.
const TOGETHER: usize = 32_768;

/// Words of hours that weigh as much as a cell.
const WORDS: usize = 4;

/// Seconds in an hour.
const HOUR_SECONDS: u32 = 3_600;
const _: () = assert!(HOUR == 3_600);

impl<'e> Gathering<'e> {
    /// Nothing yet.
    #[must_use]
    pub fn new(eras: &'e Eras) -> Gathering<'e> {
        Gathering {
            eras,
            plain: Evidence::default(),
            table: Table::default(),
            counted: 0,
            since: 0,
            batch: Vec::with_capacity(BATCH),
            grains: Vec::new(),
            hours: Vec::new(),
            heard: 0,
            words: 0,
            accepted: 0,
            rejected: 0,
            first: u32::MAX,
            last: 0,
            era: 0,
            era_from: 1,
            era_to: 0,
        }
    }

    /// Adds what one row says.
    pub fn fold(&mut self, row: &Row) {
        self.since = self.since.saturating_add(1);
        self.plain.fold(row, self.eras);
    }

    /// Adds what one brief record says.
    #[inline(always)]
    pub fn fold_brief(&mut self, brief: &Brief) {
        let (first, last) = (brief.start.min(brief.end), brief.start.max(brief.end));
        let accepted = brief.action == Action::Accept;
        self.accepted = self.accepted.wrapping_add(u64::from(accepted));
        self.rejected = self.rejected.wrapping_add(u64::from(!accepted));
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        self.hear(brief.interface, first, last, accepted);
        if !(self.era_from..=self.era_to).contains(&first) {
            self.look_up_era(first);
        }
        self.batch.push(Packed::of(brief, self.era));
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    /// Adds what a row of evidence says whose records begin in this stretch.
    /// `interfaces` are those that this gathering is joined with.
    pub fn fold_evidence(&mut self, stretch: u16, row: &EvidenceRow, interfaces: &mut Interfaces) {
        let EvidenceRow::Cell(id, key, cell) = row else {
            self.plain.add_row(row);
            return;
        };
        let key = CellKey {
            era: stretch,
            ..*key
        };
        let number = interfaces.number_of(*id);
        let packed = number.and_then(|number| Packed::pack(number, &key, cell));
        if let Some(packed) = packed {
            self.batch.push(packed);
            if self.batch.len() == BATCH {
                self.flush();
            }
        } else {
            self.since = self.since.saturating_add(1);
            self.plain.add_row(&EvidenceRow::Cell(*id, key, *cell));
        }
    }

    /// The evidence of this gathering alone; `interfaces` are its reader's.
    #[must_use]
    pub fn finish(self, interfaces: &Interfaces) -> Evidence {
        joined(vec![Parts::of(self, interfaces)], HashMap::default())
    }

    /// What the cells and hours so far weigh, or some more: cells that are not
    /// packed are counted now and then.
    #[must_use]
    pub fn weight(&mut self) -> Weight {
        if self.since > UNCOUNTED.max(self.counted / 2) {
            let open = self.plain.interfaces.values();
            self.counted = open.map(|interface| interface.cells.len()).sum();
            self.since = 0;
        }
        let open = self.counted.saturating_add(self.since);
        let mut weight = self.table.weight();
        weight.all = weight.all.saturating_add(self.heard);
        weight.all = weight.all.saturating_add(self.words / WORDS);
        weight += Weight::at_most(self.batch.len());
        weight += Weight::at_most(open.saturating_mul(weight::OPEN));
        weight
    }

    /// Hands all cells and hours over. `interfaces` are those that records are numbered
    /// by; `noted` of the cells were told the reserve.
    pub fn hand_over(
        &mut self,
        interfaces: &Interfaces,
        reserve: &Reserve<'_>,
        noted: &mut Weight,
    ) {
        self.flush();
        let places = reserve.places(interfaces.ids().iter().copied());
        let hours = std::mem::take(&mut self.hours);
        let heard = hours.iter().zip(&places);
        for (heard, place) in heard.filter(|(heard, _)| !heard.hours.is_empty()) {
            place.with(|pools| pools.hear(&heard.hours));
        }
        (self.heard, self.words) = (0, 0);
        let (blocks, aside) = self.table.take();
        let mut blocks = blocks.into_iter().chain([aside]).peekable();
        // Some blocks are given back before the next are read: memory holds cells
        // once.
        while blocks.peek().is_some() {
            let mut some: Vec<Vec<Packed>> = Vec::new();
            while some.iter().map(Vec::len).sum::<usize>() < TOGETHER
                && let Some(block) = blocks.next()
            {
                some.push(block);
            }
            hand_over_some(&some, &places);
        }
        let others = &mut self.plain.interfaces;
        let places = reserve.places(others.keys().copied());
        // In hash order, which is lawful: adding up is commutative.
        for (interface, place) in others.values_mut().zip(places) {
            let cells = std::mem::take(&mut interface.cells);
            place.with(|pools| cells.iter().for_each(|(key, cell)| pools.add(&key, &cell)));
        }
        (self.counted, self.since) = (0, 0);
        let coarse = reserve.settle(std::mem::take(noted));
        let grain = |id: &EniId| coarse.of(*id).cloned();
        self.grains = interfaces.ids().iter().map(grain).collect();
    }

    #[inline(always)]
    fn hear(&mut self, interface: u32, first: u32, last: u32, accepted: bool) {
        let known = self.hours.get(interface as usize).is_some_and(|heard| {
            let (from, to) = if accepted {
                heard.active_last
            } else {
                heard.rejected_last
            };
            first >= from && last < to
        });
        if !known {
            self.hear_anew(interface, first, last, accepted);
        }
    }

    #[cold]
    fn hear_anew(&mut self, interface: u32, first: u32, last: u32, accepted: bool) {
        let at = interface as usize;
        if self.hours.len() <= at {
            self.hours.resize_with(at.saturating_add(1), Heard::default);
        }
        let Some(heard) = self.hours.get_mut(at) else {
            return;
        };
        self.heard = self
            .heard
            .saturating_add(usize::from(heard.hours.is_empty()));
        let from = first - first % HOUR_SECONDS;
        let hour = (from, from.saturating_add(HOUR_SECONDS));
        let (told, told_last) = if accepted {
            (&mut heard.hours.active, &mut heard.active_last)
        } else {
            (&mut heard.hours.rejected, &mut heard.rejected_last)
        };
        let time = |second: u32| Timestamp(i64::from(second));
        let before = told.words_beside();
        told.insert_span(time(first), time(last));
        *told_last = hour;
        let more = told.words_beside().saturating_sub(before);
        self.words = self.words.saturating_add(more);
    }

    #[cold]
    fn look_up_era(&mut self, second: u32) {
        self.era = self.eras.stretch(Timestamp(i64::from(second)));
        let (from, to) = self.eras.stretch_bounds(self.era);
        let clamped = |time: Timestamp| {
            u32::try_from(time.0.clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX)
        };
        self.era_from = from.map_or(0, clamped);
        self.era_to = to.map_or(u32::MAX, clamped);
    }

    fn flush(&mut self) {
        if !self.grains.is_empty() {
            self.make_coarse();
        }
        self.table.add_batch(&self.batch);
        self.batch.clear();
    }

    fn make_coarse(&mut self) {
        for cell in &mut self.batch {
            let own = self.grains.get(cell.key.interface() as usize);
            if let Some(grain) = own.and_then(Option::as_ref) {
                cell.key = grain.cuts.coarse_packed(cell.key, grain.levels).1;
            }
        }
    }

    /// The rows of the brief records, which `plain` has not counted.
    fn rows(&self) -> RowTally {
        RowTally {
            accepted: self.accepted,
            rejected: self.rejected,
            ..RowTally::default()
        }
    }

    fn span(&self) -> Option<Span> {
        (self.first <= self.last).then(|| Span {
            start: Timestamp(i64::from(self.first)),
            end: Timestamp(i64::from(self.last)),
        })
    }
}

/// One worker's cells of one interface, and its hours.
type Part = (Vec<Packed>, Heard);

/// A worker's gathering, taken apart by interface.
struct Parts {
    plain: Evidence,
    by_id: Vec<(EniId, Part)>,
}

impl Parts {
    fn of(mut gathering: Gathering<'_>, interfaces: &Interfaces) -> Parts {
        gathering.flush();
        let mut plain = std::mem::take(&mut gathering.plain);
        plain.rows += gathering.rows();
        if let Some(span) = gathering.span() {
            plain.see(span.start, span.end);
        }
        let (blocks, aside) = gathering.table.into_blocks();
        for cell in aside {
            if let Some(id) = interfaces.id(cell.key.interface()) {
                let own = plain.interfaces.entry(id).or_default();
                own.add(cell.key.open(), &cell.open());
            }
        }
        let mut counts = vec![0_usize; interfaces.ids().len()];
        for cell in blocks.iter().flatten() {
            if let Some(count) = counts.get_mut(cell.key.interface() as usize) {
                *count = count.saturating_add(1);
            }
        }
        let mut lists: Vec<Vec<Packed>> = counts.into_iter().map(Vec::with_capacity).collect();
        // Each block is given back before the next is parted: memory holds the
        // cells once.
        for block in blocks {
            for cell in &block {
                if let Some(list) = lists.get_mut(cell.key.interface() as usize) {
                    // Numbers differ from worker to worker; keys of one interface
                    // are to be equal.
                    list.push(cell.under(0));
                }
            }
        }
        gathering.hours.resize_with(lists.len(), Heard::default);
        let parts = lists.into_iter().zip(gathering.hours);
        let by_id = interfaces.ids().iter().copied().zip(parts).collect();
        Parts { plain, by_id }
    }
}

/// Hands cells over interface by interface, whose pools are in the cache then.
fn hand_over_some(blocks: &[Vec<Packed>], places: &[Place]) {
    let number = |cell: &Packed| cell.key.interface();
    let mut cells: Vec<&Packed> = blocks.iter().flatten().collect();
    cells.sort_unstable_by_key(|cell| number(cell));
    for own in cells.chunk_by(|one, next| number(one) == number(next)) {
        let place = own
            .first()
            .and_then(|cell| places.get(number(cell) as usize));
        if let Some(place) = place {
            place.with(|pools| own.iter().for_each(|cell| pools.add_packed(cell)));
        }
    }
}

/// Hands over what workers still have, where they had to or have too much now.
pub fn hand_over_rest(gathered: &mut [(Gathering<'_>, Interfaces)], reserve: &Reserve<'_>) {
    let mut left = Weight::default();
    for (gathering, _) in gathered.iter_mut() {
        left += gathering.weight();
    }
    if reserve.is_tight_with(left) {
        for (gathering, interfaces) in gathered {
            gathering.hand_over(interfaces, reserve, &mut Weight::default());
        }
    }
}

/// Joins what the workers gathered, each with the interfaces of its reader; any
/// split of the records among them gives the same value.
#[must_use]
pub fn join(gathered: Vec<(Gathering<'_>, Interfaces)>) -> Evidence {
    joined(parts_of(gathered), HashMap::default())
}

/// The same with what they handed over. Nothing is left where they had to.
#[must_use]
pub fn join_with(gathered: Vec<(Gathering<'_>, Interfaces)>, reserve: Reserve<'_>) -> Evidence {
    let parts = parts_of(gathered);
    let (store, coarse) = reserve.finish();
    let joined = joined(parts, store.into_apart());
    Evidence { coarse, ..joined }
}

fn parts_of(gathered: Vec<(Gathering<'_>, Interfaces)>) -> Vec<Parts> {
    let of_one = |(gathering, interfaces)| Parts::of(gathering, &interfaces);
    gathered.into_par_iter().map(of_one).collect()
}

fn joined(parts: Vec<Parts>, mut handed: HashMap<EniId, Apart>) -> Evidence {
    let mut evidence = Evidence::default();
    let mut by_id: HashMap<EniId, Vec<Part>> = HashMap::default();
    for Parts { plain, by_id: own } in parts {
        evidence.merge(plain);
        for (id, part) in own {
            by_id.entry(id).or_default().push(part);
        }
    }
    // In hash order, which is lawful: each is joined by itself.
    for id in handed.keys() {
        by_id.entry(*id).or_default();
    }
    let mut work = Vec::with_capacity(by_id.len());
    // In hash order, which is lawful: each is joined by itself.
    for (id, parts) in by_id {
        // An id may have got its number from a line that was not brief then.
        let plain = evidence.interfaces.remove(&id);
        let apart = handed.remove(&id);
        let silent = apart.is_none() && parts.iter().all(Heard::is_silent);
        if plain.is_some() || !silent {
            work.push((id, plain.unwrap_or_default(), parts, apart));
        }
    }
    let joined: Vec<(EniId, InterfaceEvidence)> = work
        .into_par_iter()
        .map(|(id, plain, parts, apart)| (id, with_parts(plain, parts, apart)))
        .collect();
    evidence.interfaces.extend(joined);
    evidence
}

impl Heard {
    fn is_silent((cells, heard): &Part) -> bool {
        cells.is_empty() && heard.hours.is_empty()
    }
}

fn with_parts(
    mut evidence: InterfaceEvidence,
    parts: Vec<Part>,
    apart: Option<Apart>,
) -> InterfaceEvidence {
    let mut runs = Vec::with_capacity(parts.len());
    for (cells, heard) in parts {
        evidence.hear(&heard.hours);
        runs.push(cells);
    }
    match apart {
        // Then nothing else was kept.
        Some(Apart {
            packed,
            open,
            heard,
        }) => {
            evidence.hear(&heard);
            evidence.cells.put(packed, open);
        }
        None => evidence.cells.add_packed(runs),
    }
    evidence
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prelude::prop_oneof;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use std::sync::Arc;

    use ipnet::IpNet;

    use super::*;
    use crate::evidence::cells::Cells;
    use crate::evidence::coverage::HourSet;
    use crate::evidence::cuts::Cuts;
    use crate::evidence::pool::Bound;
    use crate::evidence::pool::Coarse;
    use crate::evidence::pool::Levels;
    use crate::evidence::reserve::Cutting;
    use crate::flowlog::Layout;
    use crate::flowlog::LineError;
    use crate::flowlog::LogReader;
    use crate::flowlog::Sink;
    use crate::net::PortRange;

    struct Plain<'e>(Evidence, &'e Eras);

    impl Sink for Plain<'_> {
        fn row(&mut self, row: &Row) {
            self.0.fold(row, self.1);
        }

        fn malformed(&mut self, _: &LineError) {}
    }

    struct Gathered<'e>(Gathering<'e>);

    impl Sink for Gathered<'_> {
        fn row(&mut self, row: &Row) {
            self.0.fold(row);
        }

        fn malformed(&mut self, _: &LineError) {}

        fn brief(&mut self, brief: &Brief, _: &Interfaces) {
            self.0.fold_brief(brief);
        }
    }

    fn plainly(header: &str, lines: &[String], eras: &Eras) -> Evidence {
        let mut sink = Plain(Evidence::default(), eras);
        let mut reader = LogReader::new(&Layout::parse(header).unwrap());
        reader.feed(lines.concat().as_bytes(), &mut sink);
        reader.finish(&mut sink);
        sink.0
    }

    /// What so many workers gather together from lines with these columns.
    pub(crate) fn by_workers(
        header: &str,
        lines: &[String],
        eras: &Eras,
        workers: usize,
    ) -> Evidence {
        let share = lines.len().div_ceil(workers).max(1);
        let one = |lines: &[String]| {
            let mut sink = Gathered(Gathering::new(eras));
            let mut reader = LogReader::new(&Layout::parse(header).unwrap());
            reader.feed(lines.concat().as_bytes(), &mut sink);
            reader.finish(&mut sink);
            (sink.0, reader.into_interfaces())
        };
        join(lines.chunks(share).map(one).collect())
    }

    const HEADER: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
                          end action log-status tcp-flags pkt-srcaddr pkt-dstaddr flow-direction \
                          reject-reason type";

    /// Few of each, so that keys meet; now and then one that is not brief.
    fn line() -> impl Strategy<Value = String> {
        let id = prop_oneof!["eni-0000000[1-3]", Just("-".into()), Just("eni-1".into())];
        let address = || prop_oneof![8 => "10\\.0\\.0\\.[1-3]", 1 => Just("2001:db8::1".into()), 1 => Just("-".into())];
        let packet = || prop_oneof![4 => Just("-".into()), 2 => address()];
        let port = || prop_oneof!["443|80", "5000[0-9]", Just("-".into())];
        let count = prop_oneof!["[0-9]{1,4}", Just(u64::MAX.to_string())];
        let time = || prop_oneof![4 => "17600[0-9]{5}", 1 => "17600036[0-9]{2}", 1 => "[1-9][0-9]{9,10}", 1 => Just("-".into())];
        let flow = (id, address(), address(), port(), port(), "6|6|6|17|1|-");
        let rest = (
            "-|0|2|18|19|4",
            packet(),
            packet(),
            "ingress|egress|-|-",
            "BPA|-|-",
            "IPv4|IPv4|EFA",
        );
        let status = "OK|OK|OK|OK|OK|OK|OK|NODATA|SKIPDATA";
        let repeats = prop_oneof![6 => Just(1), 1 => Just(2), 1 => Just(300)];
        (flow, count, time(), time(), "ACCEPT|REJECT", status, rest, repeats).prop_map(
            |((id, from, to, sport, dport, protocol), count, start, end, action, status, rest, repeats)| {
                let (flags, pkt_from, pkt_to, way, reason, kind) = rest;
                format!("{id} {from} {to} {sport} {dport} {protocol} 7 {count} {start} {end} {action} \
                         {status} {flags} {pkt_from} {pkt_to} {way} {reason} {kind}\n")
                    .repeat(repeats)
            },
        )
    }

    proptest! {
        #[test]
        fn gathering_is_folding(lines in vec(line(), 0..60), workers in 1_usize..5, cut in any::<bool>()) {
            let handovers = if cut { vec![Timestamp(1_760_040_000)] } else { Vec::new() };
            let eras = Eras::new(handovers.into_iter());
            let plain = plainly(HEADER, &lines, &eras);
            prop_assert_eq!(by_workers(HEADER, &lines, &eras, workers), plain);
        }
    }

    /// What so many workers gather within a bound, who look at the size of what
    /// they have after so many lines.
    fn bounded(
        lines: &[String],
        (workers, look): (usize, usize),
        bound: Bound,
        cutting: &Cutting<'_>,
    ) -> Evidence {
        let eras = Eras::default();
        let reserve = Reserve::new(bound, workers, cutting);
        let share = lines.len().div_ceil(workers).max(1);
        let one = |lines: &[String]| {
            let mut sink = Gathered(Gathering::new(&eras));
            let mut reader = LogReader::new(&Layout::parse(HEADER).unwrap());
            let mut noted = Weight::default();
            for some in lines.chunks(look) {
                reader.feed(some.concat().as_bytes(), &mut sink);
                let weight = sink.0.weight();
                if reserve.is_due(&mut noted, weight) {
                    sink.0.hand_over(reader.interfaces(), &reserve, &mut noted);
                }
            }
            reader.finish(&mut sink);
            (sink.0, reader.into_interfaces())
        };
        let mut gathered = lines.chunks(share).map(one).collect::<Vec<_>>();
        hand_over_rest(&mut gathered, &reserve);
        join_with(gathered, reserve)
    }

    /// Strangers that ask for a few ports of two interfaces.
    fn scan() -> impl Strategy<Value = String> {
        let peer = prop_oneof![
            6 => "203\\.0\\.(112|113)\\.[1-9]?[0-9]",
            2 => "10\\.0\\.0\\.[0-9]",
            1 => "2001:db8::[0-9a-f]{1,3}",
        ];
        let ports = ("5000[0-9]", prop_oneof!["44[0-9]", "[0-9]{1,4}"]);
        let rest = ("6|17|1", "ACCEPT|ACCEPT|REJECT", "-|2|18|0", any::<bool>());
        let count = prop_oneof![9 => "[0-9]{1,4}", 1 => Just("9999999999".to_owned())];
        (peer, ports, rest, "eni-0000000[12]", count).prop_map(
            |(peer, ports, rest, id, packets)| {
                let (client, port) = ports;
                let (protocol, action, flags, inward) = rest;
                let own = if peer.contains(':') {
                    "2001:db8:9::1"
                } else {
                    "10.0.0.1"
                };
                let (ends, ports) = if inward {
                    (format!("{peer} {own}"), format!("{client} {port}"))
                } else {
                    (format!("{own} {peer}"), format!("{port} {client}"))
                };
                format!(
                    "{id} {ends} {ports} {protocol} {packets} 40 1760000000 1760000060 {action} OK \
                 {flags} - - - - -\n"
                )
            },
        )
    }

    fn cutting(_: EniId) -> Arc<Cuts> {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let rules = ["203.0.113.7/32", "203.0.112.0/26", "0.0.0.0/0"].map(net);
        let own = ["10.0.0.0/24", "2001:db8:9::/48"].map(net);
        let ports = [PortRange::single(443), PortRange::spanning(0, 1_023)];
        let ports = ports.into_iter();
        Arc::new(Cuts::new(rules.into_iter(), own.into_iter(), ports))
    }

    /// Each cell of evidence that was not bounded, as coarse as the other is.
    fn made_coarse(exact: &Evidence, coarse: Option<&Coarse>) -> Evidence {
        let mut all = Evidence {
            coarse: coarse.cloned(),
            interfaces: HashMap::default(),
            ..exact.clone()
        };
        for (id, seen) in exact.by_id() {
            let grain = coarse.and_then(|coarse| coarse.of(id)).cloned();
            let Grain { cuts, levels } = grain.unwrap_or_else(|| Grain {
                cuts: Arc::new(Cuts::none()),
                levels: Levels::default(),
            });
            let mut own = InterfaceEvidence {
                cells: Cells::default(),
                ..seen.clone()
            };
            for (key, cell) in seen.cells.iter() {
                let level = levels[cuts.class(&key).number()];
                own.add(cuts.coarse(&key, level), &cell);
            }
            all.interfaces.insert(id, own);
        }
        all
    }

    proptest! {
        #[test]
        fn any_split_becomes_as_coarse_and_loses_nothing(
            lines in vec(scan(), 0..160),
            units in 1_usize..240,
            inside in any::<bool>(),
            workers in 1_usize..5,
            look in 1_usize..40,
            turn in 0_usize..160,
        ) {
            let bound = Bound { units, inside };
            let alone = bounded(&lines, (1, usize::MAX), bound, &cutting);
            let mut turned = lines.clone();
            turned.rotate_left(turn % (lines.len() + 1).min(lines.len().max(1)));
            let split = bounded(&turned, (workers, look), bound, &cutting);
            prop_assert!(split == alone, "split");
            // And what it says is what exact evidence says from afar.
            let exact = plainly(HEADER, &lines, &Eras::default());
            prop_assert!(made_coarse(&exact, alone.coarse.as_ref()) == alone, "afar");
            let count = |all: &Evidence| all.interfaces.values().map(|seen| seen.cells.len()).sum::<usize>();
            let most = Weight::at_most(weight::OPEN * count(&exact));
            prop_assert!(most.units() > units || alone.coarse.is_none());
        }
    }

    fn many(records: u32, tail: &str) -> Vec<String> {
        let line = |n: u32| {
            let (low, high) = (n % 251, n / 251 % 251);
            format!(
                "eni-00000001 10.0.{high}.{low} 10.0.0.1 50000 443 6 1 1 1760000000 1760000010 {tail}\n"
            )
        };
        (0..records).map(line).collect()
    }

    const SHORT: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start \
                         end action tcp-flags";

    #[test]
    fn a_table_that_grew_lost_nothing() {
        let eras = Eras::default();
        let lines = many(30_000, "ACCEPT 2");
        let evidence = by_workers(SHORT, &lines, &eras, 3);
        assert_eq!(evidence, plainly(SHORT, &lines, &eras));
        let cells: usize = evidence
            .interfaces
            .values()
            .map(|seen| seen.cells.len())
            .sum();
        assert_eq!(cells, 30_000);
    }

    #[test]
    fn what_was_handed_over_weighs_nothing_and_interfaces_only_when_heard() {
        let eras = Eras::default();
        let cutting = |_| Arc::new(Cuts::none());
        let bound = Bound {
            units: 1,
            inside: true,
        };
        let reserve = Reserve::new(bound, 1, &cutting);
        let line = |number: u32| {
            format!(
                "eni-{number:08x} 10.0.0.1 10.0.0.2 50000 443 6 1 1 1760000000 1760000010 ACCEPT 2\n"
            )
        };
        let lines: Vec<String> = (0..300).map(line).collect();
        let mut sink = Gathered(Gathering::new(&eras));
        let mut reader = LogReader::new(&Layout::parse(SHORT).unwrap());
        reader.feed(lines.concat().as_bytes(), &mut sink);
        let all = sink.0.weight();
        assert!(all.all >= 600, "{all:?}");
        sink.0
            .hand_over(reader.interfaces(), &reserve, &mut Weight::default());
        assert_eq!(sink.0.weight(), Weight::default());
        reader.feed(lines.last().unwrap().as_bytes(), &mut sink);
        reader.finish(&mut sink);
        assert_eq!(sink.0.weight().all, 2);
        let mut gathered = vec![(sink.0, reader.into_interfaces())];
        hand_over_rest(&mut gathered, &reserve);
        let evidence = join_with(gathered, reserve);
        let heard = evidence.interfaces.values().map(|seen| {
            let hours = [&seen.observed, &seen.active, &seen.rejected];
            hours.map(HourSet::count)
        });
        assert_eq!(heard.clone().count(), 300);
        assert!(heard.clone().all(|hours| hours == [1, 1, 0]));
    }

    #[test]
    fn narrow_counters_run_over_into_wide_ones() {
        let eras = Eras::default();
        let lines = vec![many(1, "ACCEPT 2").concat(); 70_000];
        let evidence = by_workers(SHORT, &lines, &eras, 2);
        assert_eq!(evidence, plainly(SHORT, &lines, &eras));
        let requests: u64 = evidence
            .interfaces
            .values()
            .flat_map(|seen| seen.cells.iter())
            .map(|(_, cell)| cell.requests)
            .sum();
        assert_eq!(requests, 70_000);
    }
}
