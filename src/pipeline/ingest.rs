//! Objects to evidence: each worker takes the next object, streams it through
//! the reader and folds its rows into evidence of its own; at the end the
//! workers' evidence is merged. Which worker read what never shows.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::digest::Union;
use crate::evidence::Evidence;
use crate::evidence::era::Eras;
use crate::evidence::gather;
use crate::evidence::gather::Gathering;
use crate::evidence::pool::Bound;
use crate::evidence::reserve::Cutting;
use crate::evidence::reserve::Reserve;
use crate::evidence::weight::Weight;
use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::FormError;
use crate::flowlog::error::LineError;
use crate::flowlog::layouts::Layouts;
use crate::flowlog::object::Ended;
use crate::flowlog::object::ObjectReader;
use crate::flowlog::parquet;
use crate::flowlog::parquet::ParquetFile;
use crate::flowlog::reader::Sink;
use crate::model::FlowRecord;
use crate::model::Row;
use crate::net::Timestamp;
use crate::pipeline::error::PipelineError;
use crate::pipeline::groups::Group;
use crate::pipeline::groups::Groups;
use crate::pipeline::recall;
use crate::pipeline::request::Progress;
use crate::report::document::Caveat;
use crate::report::document::MalformedSample;
use crate::report::document::Unreadable;
use crate::source::Ahead;
use crate::source::Object;
use crate::source::Opener;
use crate::source::ReadError;
use crate::source::Texts;

/// How many bad lines are kept to be shown: the first by object and line.
const SAMPLES: usize = 10;

/// Memory to stay within where none is asked for: 512 MiB.
const MEMORY: u64 = 512 << 20;

/// Memory that goes to what does not grow with the logs: 64 MiB, or, where little
/// is asked for, so many eighths of it and 40 MiB at least.
const FIXED: u64 = 64 << 20;
const FIXED_EIGHTHS: u64 = 5;
const FIXED_LEAST: u64 = 40 << 20;

/// The part of the rest that objects may take which are held whole while they are
/// read. What comes of evidence takes more than that later, when they are gone.
const TEXTS: u64 = 2;

/// Threads that share it, where no memory is asked for; further ones get as much.
const FEW: u64 = 4;

/// Bytes of a unit of weight: what a packed cell takes, its place in tables, what it
/// comes to and what lies idle included; measured, rounded up.
const UNIT: u64 = 155;

/// The least that any bound leaves, in units.
const LEAST: usize = 4_096;

/// What reading asks for.
#[derive(Clone)]
pub struct Reading<'a> {
    /// Columns of objects without a header.
    pub layout: Layouts,
    /// Cuts of time.
    pub eras: &'a Eras,
    /// First second that counts.
    pub since: Option<Timestamp>,
    /// Last second that counts.
    pub until: Option<Timestamp>,
    /// Memory to stay within, in bytes; `None` leaves it to the program, which
    /// then makes nothing coarse that passed between the cloud's own addresses.
    pub memory: Option<u64>,
    /// What coarse cells are cut by.
    pub cutting: &'a Cutting<'a>,
}

impl fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reading")
            .field("since", &self.since)
            .field("until", &self.until)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Reading<'_> {
    fn limit(&self) -> u64 {
        self.memory.unwrap_or(MEMORY)
    }

    fn bound(&self) -> Bound {
        let units = usize::try_from(growing(self.limit()) / UNIT).unwrap_or(usize::MAX);
        Bound {
            units: units.max(LEAST),
            inside: self.memory.is_some(),
        }
    }
}

/// Bytes of some memory that go to what grows with the logs.
fn growing(memory: u64) -> u64 {
    let fixed = memory / 8 * FIXED_EIGHTHS;
    memory.saturating_sub(fixed.clamp(FIXED_LEAST, FIXED))
}

/// Room for objects that are held whole, where so much memory is asked for. More
/// than a few threads get more of it, unless it is.
pub(super) fn texts(memory: Option<u64>) -> Texts {
    let threads = u64::try_from(rayon::current_num_threads()).unwrap_or(1);
    let usual = growing(MEMORY) / FEW * threads.max(FEW);
    let asked = |memory: u64| growing(memory).max(memory / 8);
    let bytes = memory.map_or(usual, asked) / TEXTS;
    Texts::up_to(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// What was read, counted and folded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// What the rows said.
    pub evidence: Evidence,
    /// Objects opened.
    pub objects: u64,
    /// Bytes as stored.
    pub compressed_bytes: u64,
    /// Bytes after inflating.
    pub text_bytes: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// The first of them.
    pub samples: BTreeSet<MalformedSample>,
    /// Objects that could not be read to their end.
    pub unreadable: BTreeSet<Unreadable>,
    /// Rows about time outside the asked span: read and left out.
    pub outside: u64,
    /// Objects whose header names other columns than the user did.
    pub overruled: u64,
    /// What digests could not give in full.
    pub caveats: BTreeSet<Caveat>,
}

impl Ingested {
    /// Adds what another worker read; any order gives the same value.
    pub fn merge(&mut self, other: Ingested) {
        let Ingested {
            evidence,
            objects,
            compressed_bytes,
            text_bytes,
            malformed,
            samples,
            unreadable,
            outside,
            overruled,
            caveats,
        } = other;
        self.evidence.merge(evidence);
        self.objects += objects;
        self.compressed_bytes += compressed_bytes;
        self.text_bytes += text_bytes;
        self.malformed += malformed;
        self.samples.extend(samples);
        self.keep_first_samples();
        self.unreadable.extend(unreadable);
        self.outside += outside;
        self.overruled += overruled;
        self.caveats.extend(caveats);
    }

    /// Leaves one reason to each object, whichever of its parts were damaged.
    fn keep_one_reason(&mut self) {
        let mut named: Option<String> = None;
        self.unreadable.retain(|bad| {
            let again = named.as_deref() == Some(bad.object.as_str());
            if !again {
                named = Some(bad.object.clone());
            }
            !again
        });
    }

    fn keep_first_samples(&mut self) {
        while self.samples.len() > SAMPLES {
            self.samples.pop_last();
        }
    }
}

/// What rows are folded into.
pub trait Gather {
    /// Adds what one row says.
    fn fold(&mut self, row: &Row);
    /// Adds what one brief record says.
    fn fold_brief(&mut self, brief: &Brief, interfaces: &Interfaces);
    /// Makes room where there is too much in memory; whether there is too much
    /// all the same. `interfaces` are those that brief records are numbered by.
    fn make_room(&mut self, interfaces: &Interfaces) -> bool;
    /// Whether there ever was.
    fn is_crowded(&self) -> bool {
        false
    }
}

/// A gathering that hands over what is too much.
pub(super) struct Bounded<'r, 'e> {
    pub(super) gathering: Gathering<'e>,
    reserve: &'r Reserve<'e>,
    /// Weight that the reserve was told of.
    noted: Weight,
}

impl<'r, 'e> Bounded<'r, 'e> {
    pub(super) fn new(reading: &Reading<'e>, reserve: &'r Reserve<'e>) -> Bounded<'r, 'e> {
        Bounded {
            gathering: Gathering::new(reading.eras),
            reserve,
            noted: Weight::default(),
        }
    }
}

impl Gather for Bounded<'_, '_> {
    fn fold(&mut self, row: &Row) {
        self.gathering.fold(row);
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the caller's processor"
    )]
    fn fold_brief(&mut self, brief: &Brief, _: &Interfaces) {
        self.gathering.fold_brief(brief);
    }

    fn make_room(&mut self, interfaces: &Interfaces) -> bool {
        let weight = self.gathering.weight();
        if !self.reserve.is_due(&mut self.noted, weight) {
            return false;
        }
        let (noted, reserve) = (&mut self.noted, self.reserve);
        self.gathering.hand_over(interfaces, reserve, noted);
        reserve.is_full()
    }

    fn is_crowded(&self) -> bool {
        self.reserve.is_tight()
    }
}

/// Reads all objects with the threads of the current pool, and what digests
/// hold.
///
/// # Errors
/// Where the evidence outgrows the bound, or a digest is damaged. Objects that
/// cannot be read are named in the result instead.
pub fn ingest(
    objects: &[Object],
    digests: &Union,
    reading: &Reading<'_>,
    progress: &dyn Progress,
) -> Result<Ingested, PipelineError> {
    let shared = Shared::new(objects, texts(reading.memory));
    let order = order(objects);
    let in_order = order.iter().filter_map(|index| objects.get(*index));
    let _ahead = Ahead::start(in_order, &shared.texts);
    let reserve = Reserve::new(
        reading.bound(),
        rayon::current_num_threads(),
        reading.cutting,
    );
    let worker = || Worker::new(&shared, reading, progress, Bounded::new(reading, &reserve));
    let parts = rayon::broadcast(|_| {
        let (ingested, bounded, interfaces) = worker().run(&order);
        (ingested, bounded.gathering, interfaces)
    });
    let (counted, from_digests) = recall::recall(digests, &shared, reading, &reserve, progress)?;
    let mut all = counted;
    let mut gathered = from_digests;
    for (part, gathering, interfaces) in parts {
        all.merge(part);
        gathered.push((gathering, interfaces));
    }
    gather::hand_over_rest(&mut gathered, &reserve);
    if shared.is_full() || reserve.is_full() {
        return Err(PipelineError::Memory {
            limit: reading.limit(),
        });
    }
    all.keep_one_reason();
    all.evidence = gather::join_with(gathered, reserve);
    all.evidence.settle(reading.eras);
    Ok(all)
}

/// Objects whose sizes do not differ by so many bytes are taken by name: such
/// ones tell of the same time and the same interfaces one after the other.
const ALIKE: u64 = 1 << 20;

/// The order to read in: large objects first, so that none is left to one
/// worker at the end.
pub(super) fn order(objects: &[Object]) -> Vec<usize> {
    let size = |index: &usize| objects.get(*index).and_then(|object| object.size);
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by_key(|index| Reverse(size(index).map(|size| size / ALIKE)));
    order
}

/// What the workers share while they read.
pub(super) struct Shared<'a> {
    objects: &'a [Object],
    next: AtomicUsize,
    groups: Groups<'a>,
    full: AtomicBool,
    pub(super) texts: Texts,
}

impl<'a> Shared<'a> {
    pub(super) fn new(objects: &'a [Object], texts: Texts) -> Shared<'a> {
        Shared {
            objects,
            next: AtomicUsize::new(0),
            groups: Groups::default(),
            full: AtomicBool::new(false),
            texts,
        }
    }

    /// Whether the evidence outgrew the bound.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Notes that it has.
    pub(super) fn fill(&self) {
        self.full.store(true, Ordering::Relaxed);
    }
}

/// One thread's work.
pub(super) struct Worker<'a, 'r, G> {
    shared: &'a Shared<'a>,
    reading: &'a Reading<'r>,
    progress: &'a dyn Progress,
    /// Its evidence is empty: the worker gathers instead.
    pub(super) ingested: Ingested,
    pub(super) gathering: G,
}

impl<'a, 'r, G: Gather> Worker<'a, 'r, G> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        reading: &'a Reading<'r>,
        progress: &'a dyn Progress,
        gathering: G,
    ) -> Worker<'a, 'r, G> {
        Worker {
            shared,
            reading,
            progress,
            ingested: Ingested::default(),
            gathering,
        }
    }

    /// The object whose turn it is and its place in the list.
    pub(super) fn next(&self, order: &[usize]) -> Option<(usize, &'a Object)> {
        let turn = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let index = *order.get(turn)?;
        Some((index, self.shared.objects.get(index)?))
    }

    fn run(mut self, order: &[usize]) -> (Ingested, G, Interfaces) {
        let mut opener = Opener::sharing(&self.shared.texts).giving(parquet::MAGIC);
        let mut reader = ObjectReader::new(self.reading.layout.of(""));
        let shared = self.shared;
        while !shared.is_full() {
            if let Some(group) = shared.groups.take() {
                self.read_group(&group, &mut reader);
                continue;
            }
            let busy = shared.groups.begin();
            if let Some((_, object)) = self.next(order) {
                if let Some(file) = self.begin(object, &mut opener, &mut reader) {
                    shared.groups.put(object, &file);
                }
                continue;
            }
            drop(busy);
            let Some(group) = shared.groups.wait() else {
                break;
            };
            self.read_group(&group, &mut reader);
        }
        (self.ingested, self.gathering, reader.into_interfaces())
    }

    /// Reads an object, whatever becomes of it.
    pub(super) fn take(&mut self, object: &Object, opener: &mut Opener, reader: &mut ObjectReader) {
        let Some(file) = self.begin(object, opener, reader) else {
            return;
        };
        for number in 0..file.groups() {
            let file = Arc::clone(&file);
            self.read_group(
                &Group {
                    object,
                    file,
                    number,
                },
                reader,
            );
        }
        self.ingested.keep_one_reason();
    }

    /// The same, but for the row groups of a file.
    fn begin(
        &mut self,
        object: &Object,
        opener: &mut Opener,
        reader: &mut ObjectReader,
    ) -> Option<Arc<ParquetFile>> {
        self.ingested.objects += 1;
        reader.expect(self.reading.layout.of(&object.name));
        let file = match self.read(object, opener, reader) {
            Ok(Ok(Ended::Parquet(file))) => Some(file),
            Ok(Ok(Ended::Done)) => None,
            Ok(Err(error)) => self.unreadable(object, error.to_string()),
            Err(error) => self.unreadable(object, error.kind.to_string()),
        };
        self.ingested.overruled += u64::from(reader.take_overruled());
        self.progress.object_done();
        file
    }

    fn unreadable<T>(&mut self, object: &Object, reason: String) -> Option<T> {
        self.ingested.unreadable.insert(Unreadable {
            object: object.name.clone(),
            reason,
        });
        None
    }

    fn read(
        &mut self,
        object: &Object,
        opener: &mut Opener,
        reader: &mut ObjectReader,
    ) -> Result<Result<Ended, FormError>, ReadError> {
        if self.gathering.is_crowded() {
            opener.spare();
        }
        let mut opened = opener.open(object)?;
        if let Some(file) = opened.take_file() {
            reader.hold(file);
        }
        let mut told = 0;
        let ended = loop {
            let rows = match opened.next_piece() {
                Ok(Some(piece)) => {
                    let mut sink = self.folding(object);
                    reader.feed(piece, &mut sink);
                    sink.pause(reader.interfaces());
                    sink.rows
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            self.progress
                .advance(opened.compressed_bytes().saturating_sub(told), rows);
            told = opened.compressed_bytes();
            if self.shared.is_full() {
                break Ok(());
            }
        };
        self.ingested.compressed_bytes += opened.compressed_bytes();
        // Whole lines before damage count; the line that damage cut does not,
        // since it could pass for a record with other numbers.
        if let Err(error) = ended {
            reader.abandon();
            self.ingested.text_bytes += opened.text_bytes();
            return Err(error);
        }
        let mut sink = self.folding(object);
        let finished = reader.finish(&mut sink);
        let rows = sink.rows;
        let bytes = opened.compressed_bytes().saturating_sub(told);
        if (bytes, rows) != (0, 0) {
            self.progress.advance(bytes, rows);
        }
        self.ingested.text_bytes += match &finished {
            Ok(Ended::Parquet(file)) => file.unpacked_bytes(),
            Ok(Ended::Done) | Err(_) => opened.text_bytes(),
        };
        Ok(finished)
    }

    fn read_group(&mut self, group: &Group<'_>, reader: &mut ObjectReader) {
        let mut sink = self.folding(group.object);
        let read = reader.read_group(&group.file, group.number, &mut sink);
        let rows = sink.rows;
        self.progress.advance(0, rows);
        if let Err(error) = read {
            self.unreadable::<()>(group.object, error.to_string());
        }
    }

    fn folding<'w>(&'w mut self, object: &'w Object) -> Folding<'w, G> {
        Folding {
            object,
            since: self.reading.since,
            until: self.reading.until,
            full: &self.shared.full,
            ingested: &mut self.ingested,
            gathering: &mut self.gathering,
            rows: 0,
        }
    }
}

/// Folds the rows of one object.
struct Folding<'a, G> {
    object: &'a Object,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Set where the evidence outgrew the bound.
    full: &'a AtomicBool,
    ingested: &'a mut Ingested,
    gathering: &'a mut G,
    rows: u64,
}

impl<G: Gather> Sink for Folding<'_, G> {
    fn row(&mut self, row: &Row) {
        self.rows += 1;
        if self.asked_for(row) {
            self.gathering.fold(row);
        } else {
            self.ingested.outside += 1;
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the caller's processor"
    )]
    fn brief(&mut self, brief: &Brief, interfaces: &Interfaces) {
        self.rows += 1;
        if self.spans(Timestamp(i64::from(brief.start.min(brief.end)))) {
            self.gathering.fold_brief(brief, interfaces);
        } else {
            self.ingested.outside += 1;
        }
    }

    fn pause(&mut self, interfaces: &Interfaces) {
        if self.gathering.make_room(interfaces) {
            self.full.store(true, Ordering::Relaxed);
        }
    }

    fn malformed(&mut self, error: &LineError) {
        let ingested = &mut *self.ingested;
        ingested.malformed += 1;
        let earlier = |last: &MalformedSample| {
            (self.object.name.as_str(), error.line) < (last.object.as_str(), last.line)
        };
        if ingested.samples.len() < SAMPLES || ingested.samples.last().is_some_and(earlier) {
            ingested.samples.insert(MalformedSample {
                object: self.object.name.clone(),
                line: error.line,
                byte: error.byte,
                reason: error.kind.to_string(),
            });
            ingested.keep_first_samples();
        }
    }
}

impl<G> Folding<'_, G> {
    /// Whether a row begins inside the asked span. Rows without a time are
    /// kept: what cannot be placed is counted, not dropped.
    fn asked_for(&self, row: &Row) -> bool {
        begins(row).is_none_or(|start| self.spans(start))
    }

    /// Whether a time lies inside the asked span.
    #[inline]
    fn spans(&self, start: Timestamp) -> bool {
        self.since.is_none_or(|since| start >= since)
            && self.until.is_none_or(|until| start <= until)
    }
}

/// When a row begins; `None` where it has no time.
pub(super) fn begins(row: &Row) -> Option<Timestamp> {
    let (start, end) = match row {
        Row::Flow(FlowRecord { start, end, .. }) => (*start, *end),
        Row::NoData(interval) | Row::SkipData(interval) => (interval.start, interval.end),
        Row::Other => (None, None),
    };
    let both = start.zip(end).map(|(start, end)| start.min(end));
    both.or(start).or(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    proptest! {
        #[test]
        fn more_memory_leaves_more_for_what_grows(memory in 0_u64..4_096, more in 0_u64..64) {
            let [memory, more] = [memory * MIB, (memory + more) * MIB];
            prop_assert!(growing(memory) <= growing(more));
            prop_assert!(growing(memory) <= memory);
        }
    }

    #[test]
    fn of_much_memory_64_mib_are_kept_from_it_and_of_little_40() {
        let leaves = [
            (32, 0),
            (40, 0),
            (48, 8),
            (64, 24),
            (80, 30),
            (128, 64),
            (512, 448),
        ];
        for (memory, left) in leaves {
            assert_eq!(growing(memory * MIB), left * MIB);
        }
    }
}
