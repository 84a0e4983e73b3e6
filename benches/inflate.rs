//! Gzip to text, one core, and gzip to evidence, all of them.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use flowcinch::digest::Union;
use flowcinch::evidence::cuts::Cuts;
use flowcinch::evidence::era::Eras;
use flowcinch::flowlog::Layout;
use flowcinch::pipeline::ingest;
use flowcinch::pipeline::ingest::Ingested;
use flowcinch::pipeline::ingest::Reading;
use flowcinch::pipeline::request::Progress;
use flowcinch::source::Object;
use flowcinch::source::Opener;

use crate::corpus::CORPUS;

/// Tells nobody.
pub(crate) struct Silent;

impl Progress for Silent {
    fn begin(&self, _: u64, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn object_done(&self) {}
    fn phase(&self, _: &str) {}
}

fn inflated(objects: &[Object]) -> u64 {
    let mut opener = Opener::default();
    let mut bytes = 0;
    for object in objects {
        let mut opened = opener.open(object).expect("the corpus opens");
        while let Some(piece) = opened.next_piece().expect("the corpus is sound") {
            bytes += piece.len() as u64;
        }
    }
    bytes
}

#[divan::bench]
fn inflate(bencher: Bencher<'_, '_>) {
    let corpus = &*CORPUS;
    let objects = corpus.objects();
    assert_eq!(inflated(&objects), corpus.bytes);
    bencher
        .counter(BytesCount::new(corpus.bytes))
        .bench(|| inflated(&objects));
}

pub(crate) fn ingested(objects: &[Object], eras: &Eras) -> Ingested {
    let reading = Reading {
        layout: Layout::default().into(),
        eras,
        since: None,
        until: None,
        memory: None,
        cutting: &|_| Arc::new(Cuts::none()),
    };
    ingest::ingest(objects, &Union::default(), &reading, &Silent)
        .expect("nothing bounds the memory")
}

#[divan::bench]
fn gzip_to_evidence(bencher: Bencher<'_, '_>) {
    let (corpus, eras) = (&*CORPUS, Eras::default());
    let objects = corpus.objects();
    let rows = ingested(&objects, &eras).evidence.rows;
    assert_eq!(rows.accepted + rows.rejected, corpus.records);
    bencher
        .counter(BytesCount::new(corpus.bytes))
        .bench(|| ingested(&objects, &eras));
}
