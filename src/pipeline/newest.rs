//! The newest record of logs, that times are counted back from.

use std::cmp::Reverse;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::flowlog::error::LineError;
use crate::flowlog::layouts::Layouts;
use crate::flowlog::object::ObjectReader;
use crate::flowlog::parquet;
use crate::flowlog::reader::Sink;
use crate::model::FlowRecord;
use crate::model::Row;
use crate::net::Timestamp;
use crate::source::Ahead;
use crate::source::Object;
use crate::source::Opener;
use crate::source::Texts;
use crate::source::key;

/// The last second that any row of the objects speaks of: what relative times
/// are counted back from. Objects whose names say until when they go are read
/// from the newest back, until no older one can hold anything newer; all others
/// are read. Objects that cannot be read are told when they are read for good.
/// Those that are held whole share `texts`.
pub(super) fn newest(objects: &[Object], layouts: &Layouts, texts: &Texts) -> Option<Timestamp> {
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
        found = found.max(newest_of(alike, layouts, texts));
    }
    found
}

fn newest_of(objects: &[&Object], layouts: &Layouts, texts: &Texts) -> Option<Timestamp> {
    let _ahead = Ahead::start(objects.iter().copied(), texts);
    let next = AtomicUsize::new(0);
    let newest = rayon::broadcast(|_| {
        let mut found = Newest(None);
        let mut opener = Opener::sharing(texts).giving(parquet::MAGIC);
        let mut reader = ObjectReader::new(layouts.of(""));
        while let Some(object) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
            reader.expect(layouts.of(&object.name));
            found.scan(object, &mut opener, &mut reader);
        }
        found.0
    });
    newest.into_iter().max().flatten()
}

struct Newest(Option<Timestamp>);

impl Newest {
    fn scan(&mut self, object: &Object, opener: &mut Opener, reader: &mut ObjectReader) {
        let Ok(mut opened) = opener.open(object) else {
            return;
        };
        if let Some(file) = opened.take_file() {
            reader.hold(file);
        }
        loop {
            match opened.next_piece() {
                Ok(Some(piece)) => reader.feed(piece, self),
                Ok(None) => break,
                Err(_) => return reader.abandon(),
            }
        }
        // What cannot be read is told when it is read for good.
        drop(reader.finish_whole(self));
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
