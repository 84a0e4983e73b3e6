//! Logs into digests, digests into one, and digests in place of logs.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rayon::prelude::*;

use crate::cloud::Access;
use crate::digest;
use crate::digest::BadLine;
use crate::digest::Digest;
use crate::digest::Entry;
use crate::digest::Identity;
use crate::digest::Known;
use crate::digest::Union;
use crate::digest::Unit;
use crate::digest::Writer;
use crate::digest::entry;
use crate::evidence::cuts::Cuts;
use crate::evidence::era::Eras;
use crate::evidence::rows::EvidenceRow;
use crate::flowlog::object::ObjectReader;
use crate::flowlog::parquet;
use crate::net::Timestamp;
use crate::net::time::HOUR;
use crate::pipeline::analyze::in_pool;
use crate::pipeline::error::PipelineError;
use crate::pipeline::hours::Hours;
use crate::pipeline::ingest;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::ingest::Reading;
use crate::pipeline::ingest::Shared;
use crate::pipeline::ingest::Worker;
use crate::pipeline::recall;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::request::TimeBound;
use crate::pipeline::snapshots;
use crate::report::document::Caveat;
use crate::report::document::Unreadable;
use crate::source;
use crate::source::Ahead;
use crate::source::Object;
use crate::source::Opener;
use crate::source::Search;

/// Bytes as stored that one batch reads, about: all that its objects said is
/// held until it is written, some twenty times as much at worst.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;

/// Most objects of one batch.
const BATCH_OBJECTS: usize = 4_096;

/// Logs to add to a digest.
#[derive(Clone, Debug)]
pub struct Addition {
    /// Files, folders or glob patterns.
    pub logs: Vec<String>,
    /// The digest, a folder or an address in S3; made if it is not there.
    pub digest: PathBuf,
    /// How to come to S3.
    pub access: Access,
    /// Columns of logs without a header, parted by spaces.
    pub fields: Option<String>,
    /// Snapshots, whose flow logs name the columns otherwise.
    pub snapshots: Vec<PathBuf>,
    /// Asked span; a digest takes none.
    pub span: (Option<TimeBound>, Option<TimeBound>),
    /// Worker threads; `None` takes one a core.
    pub threads: Option<usize>,
    /// Memory to stay within, in bytes.
    pub memory: Option<u64>,
}

/// What was added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Objects that the digest had already.
    pub known: u64,
    /// What was read; without evidence.
    pub read: Ingested,
    /// Rows of evidence written.
    pub rows: u64,
    /// Objects in the digest now.
    pub objects: u64,
}

/// Reads what the digest has not read, and adds it, batch by batch: what one
/// batch holds stays whatever happens to the next.
///
/// # Errors
/// See [`PipelineError`].
pub fn add(addition: &Addition, progress: &dyn Progress) -> Result<Added, PipelineError> {
    if addition.span != (None, None) {
        return Err(PipelineError::DigestOfSpan);
    }
    if addition.logs.is_empty() {
        return Err(PipelineError::NoLogs);
    }
    in_pool(addition.threads, || run(addition, progress))
}

fn run(addition: &Addition, progress: &dyn Progress) -> Result<Added, PipelineError> {
    let fields = addition.fields.as_deref();
    let layout = snapshots::layouts_of(fields, &addition.snapshots)?;
    progress.phase("listing");
    let search = Search {
        access: addition.access.clone(),
        ..Search::default()
    };
    let listed = source::find(&addition.logs, &search)?;
    if listed.iter().any(Object::is_stdin) {
        return Err(PipelineError::DigestOfStdin);
    }
    let (writer, digest) = Writer::open(&addition.digest, &addition.access)?;
    let digests = Union::of(vec![digest]);
    let mut known = digests.known();
    let all = listed.len();
    let objects = not_in(&known, listed);
    let mut added = Added {
        known: count(all - objects.len()),
        objects: count(digests.objects.len()),
        ..Added::default()
    };
    let sizes: Option<u64> = objects.iter().map(|object| object.size).sum();
    progress.begin(count(objects.len()), sizes);
    progress.phase("reading");
    let eras = Eras::default();
    let reading = Reading {
        layout,
        eras: &eras,
        since: None,
        until: None,
        memory: addition.memory,
        // A digest keeps everything as it is.
        cutting: &|_| Arc::new(Cuts::none()),
    };
    let most = addition
        .memory
        .map_or(BATCH_BYTES, |limit| (limit / 20).clamp(1, BATCH_BYTES));
    for batch in batches(&objects, most) {
        let read = read(batch, &reading, progress);
        write(&writer, read, &mut known, &mut added)?;
    }
    Ok(added)
}

/// Cuts a list of objects where enough is together.
fn batches(objects: &[Object], most: u64) -> impl Iterator<Item = &[Object]> {
    let mut rest = objects;
    std::iter::from_fn(move || {
        let mut bytes = 0_u64;
        let fits = |object: &&Object| {
            let before = bytes;
            bytes = bytes.saturating_add(object.size.unwrap_or(0));
            before == 0 || bytes <= most
        };
        let length = rest.iter().take(BATCH_OBJECTS).take_while(fits).count();
        let (batch, behind) = rest.split_at_checked(length)?;
        rest = behind;
        (!batch.is_empty()).then_some(batch)
    })
}

/// One object, read.
struct Read {
    /// Place in the batch.
    index: usize,
    entry: Entry,
    units: Vec<Unit>,
}

/// Objects that were read, and those of which nothing could be.
type Taken = (Vec<Read>, BTreeSet<Unreadable>);

fn read(objects: &[Object], reading: &Reading<'_>, progress: &dyn Progress) -> Taken {
    let shared = Shared::new(objects, ingest::texts(reading.memory));
    let order = ingest::order(objects);
    let in_order = order.iter().filter_map(|index| objects.get(*index));
    let _ahead = Ahead::start(in_order, &shared.texts);
    let parts = rayon::broadcast(|_| {
        let hours = Hours::new(reading.eras);
        let mut worker = Worker::new(&shared, reading, progress, hours);
        let opener = Opener::sharing(&shared.texts);
        let mut opener = opener.giving(parquet::MAGIC).summing();
        let mut reader = ObjectReader::new(reading.layout.of(""));
        let (mut done, mut closed) = (Vec::new(), BTreeSet::new());
        while let Some((index, object)) = worker.next(&order) {
            // Before it is read, so that a change in between shows next time.
            let remote = object.etag().is_some();
            let local = (!remote).then(|| identify(object, object.checksum()));
            worker.take(object, &mut opener, &mut reader);
            let ingested = std::mem::take(&mut worker.ingested);
            let identity = local.unwrap_or_else(|| identify_fetched(object, &opener, &ingested));
            let hours = std::mem::replace(&mut worker.gathering, Hours::new(reading.eras));
            match identity {
                Ok(identity) => done.push(finish(index, identity, ingested, hours, &reader)),
                Err(reason) => {
                    closed.insert(Unreadable {
                        object: object.name.clone(),
                        reason,
                    });
                }
            }
        }
        (done, closed)
    });
    let (mut all, mut closed) = (Vec::new(), BTreeSet::new());
    for (done, unread) in parts {
        all.extend(done);
        closed.extend(unread);
    }
    all.sort_by_key(|read| read.index);
    (all, closed)
}

/// An entry of what came from afar. What did not come is not noted, so that it
/// is asked for again the next time.
fn identify_fetched(
    object: &Object,
    opener: &Opener,
    ingested: &Ingested,
) -> Result<Entry, String> {
    let sum = opener.checksum();
    if let (Some(bad), None) = (ingested.unreadable.first(), &sum) {
        return Err(bad.reason.clone());
    }
    identify(object, sum.map_or_else(|| object.checksum(), Ok))
}

/// An entry with what is known without understanding it.
fn identify(object: &Object, sum: std::io::Result<(u64, String)>) -> Result<Entry, String> {
    let version = object.version().unwrap_or_default();
    let (size, content) = sum.map_err(|error| format!("cannot be read: {error}"))?;
    Ok(Entry {
        content,
        name: object.name.clone(),
        place: object.place_name(),
        version,
        size,
        ..Entry::default()
    })
}

fn finish(
    index: usize,
    identity: Entry,
    ingested: Ingested,
    hours: Hours<'_>,
    reader: &ObjectReader,
) -> Read {
    let number = u32::try_from(index).unwrap_or(u32::MAX);
    let (units, undated, no_time) = hours.finish(number, reader.interfaces());
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    let mut newest = None;
    for unit in &units {
        if let EvidenceRow::Tally(tally) = &unit.row {
            newest = newest.max(tally.span.map(|span| span.end));
            *days.entry(unit.day()).or_default() += tally.rows.all();
        }
    }
    let samples = ingested.samples.into_iter().map(|sample| BadLine {
        line: sample.line,
        byte: sample.byte,
        reason: sample.reason,
    });
    let entry = Entry {
        compressed_bytes: ingested.compressed_bytes,
        text_bytes: ingested.text_bytes,
        malformed: ingested.malformed,
        samples: samples.collect(),
        unreadable: ingested.unreadable.into_iter().next().map(|bad| bad.reason),
        overruled: ingested.overruled > 0,
        undated,
        no_time,
        newest,
        days,
        ..identity
    };
    Read {
        index,
        entry,
        units,
    }
}

/// Writes a batch of what is new among the objects read.
fn write(
    writer: &Writer,
    (read, closed): Taken,
    known: &mut Known,
    added: &mut Added,
) -> Result<(), PipelineError> {
    added.read.objects += count(closed.len());
    added.read.unreadable.extend(closed);
    let mut entries = Vec::new();
    let mut by_day: BTreeMap<i64, Vec<Unit>> = BTreeMap::new();
    for one in read {
        // Another name of an object of this very run.
        if known.has(&one.entry.identity()) {
            added.known += 1;
            continue;
        }
        known.add(&one.entry);
        let object = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        added.rows += count(one.units.len());
        added.objects += 1;
        let mut rows = recall::count(&one.entry);
        for unit in one.units {
            if let EvidenceRow::Tally(_) = unit.row {
                rows.evidence.add_row(&unit.row);
            }
            let day = by_day.entry(unit.day()).or_default();
            day.push(Unit { object, ..unit });
        }
        added.read.merge(rows);
        entries.push(one.entry);
    }
    if entries.is_empty() {
        return Ok(());
    }
    let mut draft = writer.draft(&entries)?;
    for (day, units) in by_day {
        draft.add_day(day, units)?;
    }
    draft.commit()?;
    Ok(())
}

/// Merges digests into one, which may be one of them or hold something
/// already. Says how many objects it holds then.
///
/// # Errors
/// Where a digest cannot be read, or the one to write cannot be written.
pub fn merge(
    digests: &[PathBuf],
    into: &Path,
    access: &Access,
    threads: Option<usize>,
) -> Result<Union, PipelineError> {
    in_pool(threads, || {
        let (writer, own) = Writer::open(into, access)?;
        let mut all = opened(digests, Some(into), access)?;
        all.push(own);
        let union = Union::of(all);
        digest::merge(&union, &writer)?;
        Ok(union)
    })
}

/// Opens digests as one.
///
/// # Errors
/// Where one is none, or damaged.
pub fn open(paths: &[PathBuf], access: &Access) -> Result<Union, PipelineError> {
    Ok(Union::of(opened(paths, None, access)?))
}

/// Digests as they were typed, each once, without one that is open already.
fn opened(
    paths: &[PathBuf],
    open: Option<&Path>,
    access: &Access,
) -> Result<Vec<Digest>, PipelineError> {
    // Addresses stay as they are, but for their last slash.
    let place = |path: &Path| {
        let same = || path.components().collect();
        std::fs::canonicalize(path).unwrap_or_else(|_| same())
    };
    let mut places: BTreeSet<PathBuf> = paths.iter().map(|path| place(path)).collect();
    if let Some(open) = open {
        places.remove(&place(open));
    }
    let named = paths.iter().filter(|path| places.remove(&place(path)));
    let digests = named.map(|path| Digest::open(path, access));
    Ok(digests.collect::<Result<_, _>>()?)
}

/// The objects that no digest has read. A checksum is worked out only for
/// those that have the own name and the size of one that was.
pub(super) fn not_in(known: &Known, objects: Vec<Object>) -> Vec<Object> {
    let is_new = |object: &Object| {
        let Some(size) = object
            .size
            .filter(|size| known.may_have(&object.name, *size))
        else {
            return true;
        };
        let version = object.version().unwrap_or_default();
        if known.has_version(&object.place_name(), size, &version) {
            return false;
        }
        let sum = object.checksum();
        !sum.is_ok_and(|(size, content)| known.has(&Identity::new(&object.name, size, &content)))
    };
    objects.into_par_iter().filter(is_new).collect()
}

/// The last second that any row in digests speaks of.
pub(super) fn newest(digests: &Union) -> Option<Timestamp> {
    let counted = digests.objects.iter().filter(|entry| recall::counts(entry));
    counted.filter_map(|entry| entry.newest).max()
}

/// The first second of an hour.
pub(super) fn hour_start(time: Timestamp) -> Timestamp {
    Timestamp(time.hour().saturating_mul(HOUR))
}

/// The last second of an hour.
pub(super) fn hour_end(time: Timestamp) -> Timestamp {
    Timestamp(hour_start(time).0.saturating_add(HOUR - 1))
}

/// What digests could not give in full: days that were dropped, and a span that
/// was not in whole hours.
pub(super) fn caveats(
    digests: &Union,
    request: &Request,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
) -> BTreeSet<Caveat> {
    let mut caveats = BTreeSet::new();
    let dropped: BTreeSet<i64> = digests
        .objects
        .iter()
        .flat_map(|entry| entry.dropped.keys().copied())
        .collect();
    if let (Some(first), Some(last)) = (dropped.first(), dropped.last()) {
        let gone = digests
            .objects
            .iter()
            .filter(|entry| !recall::counts(entry));
        caveats.insert(Caveat {
            code: "FL311".to_owned(),
            text: format!(
                "{} days were dropped from the digests ({} .. {}), and {} objects with them: \
                 they count nowhere",
                dropped.len(),
                entry::date(*first),
                entry::date(*last),
                gone.count()
            ),
        });
    }
    let asked = |bound: Option<TimeBound>| match bound {
        Some(TimeBound::At(time)) => Some(time),
        Some(TimeBound::BeforeNewest { .. }) | None => None,
    };
    let moved = asked(request.since).is_some_and(|asked| Some(asked) != since)
        || asked(request.until).is_some_and(|asked| Some(asked) != until);
    let relative = [request.since, request.until]
        .iter()
        .flatten()
        .any(|bound| matches!(bound, TimeBound::BeforeNewest { .. }));
    if !request.digests.is_empty() && (moved || relative) {
        let from = since.map_or_else(|| "the beginning".to_owned(), |time| time.to_string());
        let to = until.map_or_else(|| "the end".to_owned(), |time| time.to_string());
        caveats.insert(Caveat {
            code: "FL312".to_owned(),
            text: format!("digests know whole hours, so the span was widened: {from} .. {to}"),
        });
    }
    caveats
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
