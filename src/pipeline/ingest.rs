//! Objects to evidence: each worker takes the next object, streams it through
//! the reader and folds its rows into evidence of its own; at the end the
//! workers' evidence is merged. Which worker read what never shows.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::digest::Union;
use crate::evidence::Evidence;
use crate::evidence::era::Eras;
use crate::evidence::gather;
use crate::evidence::gather::Gathering;
use crate::flowlog::brief::Brief;
use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::LineError;
use crate::flowlog::header::Layout;
use crate::flowlog::reader::LogReader;
use crate::flowlog::reader::Sink;
use crate::model::FlowRecord;
use crate::model::Row;
use crate::net::Timestamp;
use crate::pipeline::error::PipelineError;
use crate::pipeline::recall;
use crate::pipeline::request::Progress;
use crate::report::document::Caveat;
use crate::report::document::MalformedSample;
use crate::report::document::Unreadable;
use crate::source::Ahead;
use crate::source::Object;
use crate::source::Opener;
use crate::source::ReadError;
use crate::source::key;

/// How many bad lines are kept to be shown: the first by object and line.
const SAMPLES: usize = 10;

/// Bytes that one cell of evidence takes in its table, key and spare room
/// included; measured, rounded up.
const CELL_BYTES: u64 = 320;

/// What reading asks for.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    /// Columns of objects without a header.
    pub layout: Layout,
    /// Cuts of time.
    pub eras: &'a Eras,
    /// First second that counts.
    pub since: Option<Timestamp>,
    /// Last second that counts.
    pub until: Option<Timestamp>,
    /// Bound on evidence, in bytes.
    pub memory: Option<u64>,
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
        self.caveats.extend(caveats);
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
    /// Cells so far, about.
    fn cells(&self) -> usize;
}

impl Gather for Gathering<'_> {
    fn fold(&mut self, row: &Row) {
        Gathering::fold(self, row);
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the caller's processor"
    )]
    fn fold_brief(&mut self, brief: &Brief, _: &Interfaces) {
        Gathering::fold_brief(self, brief);
    }

    fn cells(&self) -> usize {
        Gathering::cells(self)
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
    let shared = Shared::new(objects);
    // Large objects first, so that none is left to one worker at the end.
    let mut order: Vec<usize> = (0..objects.len()).collect();
    order.sort_by_key(|index| Reverse(objects.get(*index).and_then(|object| object.size)));
    let _ahead = Ahead::start(order.iter().filter_map(|index| objects.get(*index)));
    let worker = || Worker::new(&shared, reading, progress, Gathering::new(reading.eras));
    let parts = rayon::broadcast(|_| worker().run(&order));
    let (counted, from_digests) = recall::recall(digests, &shared, reading, progress)?;
    if shared.full.load(Ordering::Relaxed) {
        return Err(PipelineError::Memory {
            limit: reading.memory.unwrap_or(0),
        });
    }
    let mut all = counted;
    let mut gathered = from_digests;
    for (part, gathering, interfaces) in parts {
        all.merge(part);
        gathered.push((gathering, interfaces));
    }
    all.evidence = gather::join(gathered);
    all.evidence.settle(reading.eras);
    Ok(all)
}

/// What the workers share while they read.
pub(super) struct Shared<'a> {
    objects: &'a [Object],
    next: AtomicUsize,
    cells: AtomicU64,
    full: AtomicBool,
}

impl<'a> Shared<'a> {
    pub(super) fn new(objects: &'a [Object]) -> Shared<'a> {
        Shared {
            objects,
            next: AtomicUsize::new(0),
            cells: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }

    /// Whether the evidence outgrew the bound.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Notes so many more cells.
    pub(super) fn grow(&self, cells: u64, limit: u64) {
        let all = self.cells.fetch_add(cells, Ordering::Relaxed) + cells;
        self.full
            .fetch_or(all.saturating_mul(CELL_BYTES) > limit, Ordering::Relaxed);
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
    /// Blocks read since the evidence was last measured.
    blocks: u64,
    /// Cells as last measured.
    cells: u64,
}

/// Blocks between two looks at the size of the evidence.
const BLOCKS_A_LOOK: u64 = 16;

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
            blocks: 0,
            cells: 0,
        }
    }

    /// The object whose turn it is and its place in the list.
    pub(super) fn next(&self, order: &[usize]) -> Option<(usize, &'a Object)> {
        let turn = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let index = *order.get(turn)?;
        Some((index, self.shared.objects.get(index)?))
    }

    fn run(mut self, order: &[usize]) -> (Ingested, G, Interfaces) {
        let mut opener = Opener::default();
        let mut reader = LogReader::new(&self.reading.layout);
        while !self.shared.full.load(Ordering::Relaxed) {
            let Some((_, object)) = self.next(order) else {
                break;
            };
            self.take(object, &mut opener, &mut reader);
        }
        (self.ingested, self.gathering, reader.into_interfaces())
    }

    /// Reads an object, whatever becomes of it.
    pub(super) fn take(&mut self, object: &Object, opener: &mut Opener, reader: &mut LogReader) {
        self.ingested.objects += 1;
        if let Err(error) = self.read(object, opener, reader) {
            let reason = error.kind.to_string();
            self.ingested.unreadable.insert(Unreadable {
                object: error.object,
                reason,
            });
        }
        self.progress.object_done();
    }

    fn read(
        &mut self,
        object: &Object,
        opener: &mut Opener,
        reader: &mut LogReader,
    ) -> Result<(), ReadError> {
        let mut opened = opener.open(object)?;
        let mut told = 0;
        let ended = loop {
            let rows = match opened.next_piece() {
                Ok(Some(piece)) => {
                    let mut sink = self.folding(object);
                    reader.feed(piece, &mut sink);
                    sink.rows
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            };
            self.progress
                .advance(opened.compressed_bytes().saturating_sub(told), rows);
            told = opened.compressed_bytes();
            if self.over_memory() {
                break Ok(());
            }
        };
        // Whole lines before damage count; the line that damage cut does not,
        // since it could pass for a record with other numbers.
        if ended.is_ok() {
            let mut sink = self.folding(object);
            reader.finish(&mut sink);
            let rows = sink.rows;
            self.progress
                .advance(opened.compressed_bytes().saturating_sub(told), rows);
        } else {
            reader.abandon();
        }
        self.ingested.compressed_bytes += opened.compressed_bytes();
        self.ingested.text_bytes += opened.text_bytes();
        ended
    }

    fn folding<'w>(&'w mut self, object: &'w Object) -> Folding<'w, G> {
        Folding {
            object,
            since: self.reading.since,
            until: self.reading.until,
            ingested: &mut self.ingested,
            gathering: &mut self.gathering,
            rows: 0,
        }
    }

    /// Whether the workers' evidence together outgrew the bound.
    fn over_memory(&mut self) -> bool {
        let Some(limit) = self.reading.memory else {
            return false;
        };
        self.blocks += 1;
        if self.blocks.is_multiple_of(BLOCKS_A_LOOK) {
            let cells = u64::try_from(self.gathering.cells()).unwrap_or(u64::MAX);
            let grown = cells.saturating_sub(self.cells);
            self.cells = cells;
            self.shared.grow(grown, limit);
        }
        self.shared.is_full()
    }
}

/// Folds the rows of one object.
struct Folding<'a, G> {
    object: &'a Object,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
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

/// The last second that any row of the objects speaks of: what relative times
/// are counted back from. Objects whose names say until when they go are read
/// from the newest back, until no older one can hold anything newer; all others
/// are read. Objects that cannot be read are told when they are read for good.
#[must_use]
pub fn newest(objects: &[Object], layout: &Layout) -> Option<Timestamp> {
    let last_end = |object: &&Object| key::last_end(&object.name);
    let mut found = None;
    // Those without a name that says something come first.
    let mut order: Vec<&Object> = objects.iter().collect();
    order.sort_by_key(|object| last_end(object).map(Reverse));
    for alike in order.chunk_by(|a, b| last_end(a) == last_end(b)) {
        let limit = alike.first().and_then(last_end);
        if found.is_some() && limit.is_some_and(|limit| Some(limit) <= found) {
            break;
        }
        found = found.max(newest_of(alike, layout));
    }
    found
}

fn newest_of(objects: &[&Object], layout: &Layout) -> Option<Timestamp> {
    let _ahead = Ahead::start(objects.iter().copied());
    let next = AtomicUsize::new(0);
    let newest = rayon::broadcast(|_| {
        let mut found = Newest(None);
        let mut opener = Opener::default();
        let mut reader = LogReader::new(layout);
        while let Some(object) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.scan(object, &mut opener, &mut reader);
        }
        found.0
    });
    newest.into_iter().max().flatten()
}

struct Newest(Option<Timestamp>);

impl Newest {
    fn scan(&mut self, object: &Object, opener: &mut Opener, reader: &mut LogReader) {
        let Ok(mut opened) = opener.open(object) else {
            return;
        };
        while let Ok(Some(piece)) = opened.next_piece() {
            reader.feed(piece, self);
        }
        reader.finish(self);
    }
}

impl Sink for Newest {
    fn row(&mut self, row: &Row) {
        let end = match row {
            Row::Flow(FlowRecord { start, end, .. }) => (*start).max(*end),
            Row::NoData(interval) | Row::SkipData(interval) => interval.start.max(interval.end),
            Row::Other => None,
        };
        self.0 = self.0.max(end);
    }

    fn malformed(&mut self, _: &LineError) {}
}
