//! Text to evidence, one core.

use divan::Bencher;
use divan::counter::BytesCount;
use flowcinch::evidence::Evidence;
use flowcinch::evidence::era::Eras;
use flowcinch::evidence::gather;
use flowcinch::evidence::gather::Gathering;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::LogReader;
use flowcinch::flowlog::Sink;
use flowcinch::flowlog::brief::Brief;
use flowcinch::flowlog::brief::Interfaces;
use flowcinch::model::Row;

use crate::corpus::CORPUS;

struct Folding<'e>(Gathering<'e>);

impl Sink for Folding<'_> {
    fn row(&mut self, row: &Row) {
        self.0.fold(row);
    }

    fn malformed(&mut self, _: &LineError) {}

    #[inline]
    fn brief(&mut self, brief: &Brief, _: &Interfaces) {
        self.0.fold_brief(brief);
    }
}

fn evidence(texts: &[Vec<u8>], eras: &Eras) -> Evidence {
    let mut sink = Folding(Gathering::new(eras));
    let mut reader = LogReader::new(&Layout::default());
    for text in texts {
        reader.feed(text, &mut sink);
        reader.finish(&mut sink);
    }
    gather::join(vec![(sink.0, reader.into_interfaces())])
}

#[divan::bench]
fn fold(bencher: Bencher<'_, '_>) {
    let (corpus, eras) = (&*CORPUS, Eras::default());
    let rows = evidence(&corpus.texts, &eras).rows;
    assert_eq!(rows.accepted + rows.rejected, corpus.records);
    bencher
        .counter(BytesCount::new(corpus.bytes))
        .bench(|| evidence(&corpus.texts, &eras));
}
