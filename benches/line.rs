//! Text to records, one core.

use divan::Bencher;
use divan::counter::BytesCount;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::LogReader;
use flowcinch::flowlog::Sink;
use flowcinch::flowlog::brief::Brief;
use flowcinch::flowlog::brief::Interfaces;
use flowcinch::model::Row;

use crate::corpus::CORPUS;

/// Counts, and lets no record be optimised away.
#[derive(Default)]
struct Counting {
    flows: u64,
    bad: u64,
}

impl Sink for Counting {
    fn row(&mut self, row: &Row) {
        self.flows += u64::from(matches!(divan::black_box(row), Row::Flow(_)));
    }

    fn malformed(&mut self, _: &LineError) {
        self.bad += 1;
    }

    fn brief(&mut self, brief: &Brief, _: &Interfaces) {
        divan::black_box(brief);
        self.flows += 1;
    }
}

fn read(texts: &[Vec<u8>]) -> Counting {
    let mut counting = Counting::default();
    let mut reader = LogReader::new(&Layout::default());
    for text in texts {
        reader.feed(text, &mut counting);
        reader.finish(&mut counting);
    }
    counting
}

#[divan::bench]
fn line(bencher: Bencher<'_, '_>) {
    let corpus = &*CORPUS;
    let counted = read(&corpus.texts);
    assert_eq!((counted.flows, counted.bad), (corpus.records, 0));
    bencher
        .counter(BytesCount::new(corpus.bytes))
        .bench(|| read(&corpus.texts).flows);
}
