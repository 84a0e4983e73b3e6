//! What digests hold, folded as if it had just been read from logs.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::digest::Entry;
use crate::digest::Union;
use crate::digest::Unit;
use crate::digest::union::DayFile;
use crate::evidence::Unplaced;
use crate::evidence::gather::Gathering;
use crate::evidence::reserve::Reserve;
use crate::evidence::rows::EvidenceRow;
use crate::evidence::rows::Tally;
use crate::flowlog::brief::Interfaces;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;
use crate::pipeline::error::PipelineError;
use crate::pipeline::ingest::Bounded;
use crate::pipeline::ingest::Gather;
use crate::pipeline::ingest::Ingested;
use crate::pipeline::ingest::Reading;
use crate::pipeline::ingest::Shared;
use crate::pipeline::request::Progress;
use crate::report::document::MalformedSample;
use crate::report::document::Unreadable;
use crate::source::Wanted;

/// Rows of a digest between two looks at the size of the evidence.
const ROWS_A_LOOK: u64 = 4_096;

/// Gatherings, each with its interfaces.
type Gathered<'e> = Vec<(Gathering<'e>, Interfaces)>;

/// Folds what digests hold of the asked span, in whole hours.
pub(super) fn recall<'e>(
    digests: &Union,
    shared: &Shared<'_>,
    reading: &Reading<'e>,
    reserve: &Reserve<'e>,
    progress: &dyn Progress,
) -> Result<(Ingested, Gathered<'e>), PipelineError> {
    if digests.objects.is_empty() {
        return Ok((Ingested::default(), Vec::new()));
    }
    let files: Vec<&DayFile> = digests
        .files
        .iter()
        .filter(|file| may_hold(file.day, reading))
        .collect();
    let wanted = Wanted {
        since: reading.since,
        until: reading.until,
    };
    // As with logs: what its name rules out is not looked at.
    let asked: Vec<bool> = digests
        .objects
        .iter()
        .map(|entry| wanted.may_hold(&entry.name))
        .collect();
    let is_asked = |object: u32| {
        let object = usize::try_from(object).ok();
        object.and_then(|object| asked.get(object).copied()) == Some(true)
    };
    let next = AtomicUsize::new(0);
    let parts = rayon::broadcast(|_| {
        let mut part = Part {
            reading,
            bounded: Bounded::new(reading, reserve),
            interfaces: Interfaces::default(),
            dated: 0,
            hour: (i64::MIN, 0),
        };
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if shared.is_full() {
                break;
            }
            let mut rows = 0;
            digests.read(file, |unit| {
                if is_asked(unit.object) {
                    part.fold(&unit);
                }
                rows += 1;
                if rows % ROWS_A_LOOK == 0 {
                    part.make_room(shared);
                }
            })?;
            part.make_room(shared);
            progress.advance(0, rows);
        }
        Ok::<_, PipelineError>(part)
    });
    let mut ingested = Ingested::default();
    let mut gathered = Vec::new();
    let mut inside = 0;
    for part in parts {
        let part = part?;
        inside += part.dated;
        gathered.push((part.bounded.gathering, part.interfaces));
    }
    let named = digests.objects.iter().zip(&asked);
    let counted = named.filter(|(entry, asked)| **asked && counts(entry));
    let mut dated = 0;
    for (entry, _) in counted {
        dated += entry.days.values().sum::<u64>();
        ingested.merge(count(entry));
    }
    ingested.outside = dated.saturating_sub(inside);
    Ok((ingested, gathered))
}

/// Whether an object still has something to say: one whose days were all
/// dropped has not.
pub(super) fn counts(entry: &Entry) -> bool {
    !entry.days.is_empty() || entry.dropped.is_empty()
}

/// What reading the object came to, but for its rows with a time.
pub(super) fn count(entry: &Entry) -> Ingested {
    let samples = entry.samples.iter().map(|bad| MalformedSample {
        object: entry.name.clone(),
        line: bad.line,
        byte: bad.byte,
        reason: bad.reason.clone(),
    });
    let unreadable = entry.unreadable.iter().map(|reason| Unreadable {
        object: entry.name.clone(),
        reason: reason.clone(),
    });
    let mut ingested = Ingested {
        objects: 1,
        compressed_bytes: entry.compressed_bytes,
        text_bytes: entry.text_bytes,
        malformed: entry.malformed,
        samples: samples.collect(),
        unreadable: unreadable.collect(),
        overruled: u64::from(entry.overruled),
        ..Ingested::default()
    };
    ingested.evidence.add_row(&EvidenceRow::Tally(Tally {
        rows: entry.undated,
        unplaced: Unplaced {
            no_time: entry.no_time,
            ..Unplaced::default()
        },
        span: None,
    }));
    ingested
}

fn may_hold(day: i64, reading: &Reading<'_>) -> bool {
    let first = day.saturating_mul(DAY);
    let last = first.saturating_add(DAY - 1);
    reading.since.is_none_or(|since| since.0 <= last)
        && reading.until.is_none_or(|until| until.0 >= first)
}

/// What one thread has folded.
struct Part<'a, 'e> {
    reading: &'a Reading<'e>,
    bounded: Bounded<'a, 'e>,
    interfaces: Interfaces,
    /// Rows with a time that were folded.
    dated: u64,
    /// The hour that came last, and its stretch.
    hour: (i64, u16),
}

impl Part<'_, '_> {
    fn make_room(&mut self, shared: &Shared<'_>) {
        if self.bounded.make_room(&self.interfaces) {
            shared.fill();
        }
    }

    fn fold(&mut self, unit: &Unit) {
        let start = Timestamp(unit.hour.saturating_mul(HOUR));
        let asked = |reading: &Reading<'_>| {
            reading.since.is_none_or(|since| start >= since)
                && reading.until.is_none_or(|until| start <= until)
        };
        if !asked(self.reading) {
            return;
        }
        if self.hour.0 != unit.hour {
            self.hour = (unit.hour, self.reading.eras.stretch(start));
        }
        if let EvidenceRow::Tally(tally) = &unit.row {
            self.dated += tally.rows.all();
        }
        let (_, stretch) = self.hour;
        let gathering = &mut self.bounded.gathering;
        gathering.fold_evidence(stretch, &unit.row, &mut self.interfaces);
    }
}
