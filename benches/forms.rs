//! Gzipped text beside Parquet of the same records: to records on one core, and
//! to evidence on all of them. Items are records, so that both are counted
//! alike, however many bytes a record takes.

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use flowcinch::evidence::era::Eras;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::flowlog::brief::Brief;
use flowcinch::flowlog::brief::Interfaces;
use flowcinch::model::Row;
use flowcinch::sample::Form;
use flowcinch::source::Object;
use flowcinch::source::Opener;

use crate::corpus::CORPUS;
use crate::corpus::Corpus;
use crate::corpus::DAY;
use crate::corpus::HOURS;
use crate::inflate::ingested;

static PARQUET: LazyLock<Corpus> = LazyLock::new(|| Corpus::of(Form::Parquet, DAY));
/// As many records in objects of tens of thousands, as busy clouds have them.
static LARGE_TEXT: LazyLock<Corpus> = LazyLock::new(|| Corpus::of(Form::Text, HOURS));
static LARGE_PARQUET: LazyLock<Corpus> = LazyLock::new(|| Corpus::of(Form::Parquet, HOURS));

/// Counts, and lets no record be optimised away.
#[derive(Default)]
struct Counting(u64);

impl Sink for Counting {
    fn row(&mut self, row: &Row) {
        self.0 += u64::from(matches!(divan::black_box(row), Row::Flow(_)));
    }

    fn malformed(&mut self, error: &LineError) {
        unreadable(error);
    }

    fn brief(&mut self, brief: &Brief, _: &Interfaces) {
        divan::black_box(brief);
        self.0 += 1;
    }
}

#[cold]
fn unreadable(error: &LineError) {
    assert_eq!(error.to_string(), "", "the corpus is sound");
}

/// Stored bytes to records.
fn read(objects: &[Object]) -> u64 {
    let mut opener = Opener::default();
    let mut reader = ObjectReader::new(&Layout::default());
    let mut counting = Counting::default();
    for object in objects {
        let mut opened = opener.open(object).expect("the corpus opens");
        while let Some(piece) = opened.next_piece().expect("the corpus is sound") {
            reader.feed(piece, &mut counting);
        }
        let ended = reader.finish_whole(&mut counting);
        ended.expect("the corpus is sound");
    }
    counting.0
}

fn reading(bencher: Bencher<'_, '_>, corpus: &Corpus) {
    let objects = corpus.objects();
    assert_eq!(read(&objects), corpus.records);
    bencher
        .counter(ItemsCount::new(corpus.records))
        .bench(|| read(&objects));
}

fn ingesting(bencher: Bencher<'_, '_>, corpus: &Corpus) {
    let (objects, eras) = (corpus.objects(), Eras::default());
    let rows = ingested(&objects, &eras).evidence.rows;
    assert_eq!(rows.accepted + rows.rejected, corpus.records);
    bencher
        .counter(ItemsCount::new(corpus.records))
        .bench(|| ingested(&objects, &eras));
}

#[divan::bench]
fn gzip_text_to_records(bencher: Bencher<'_, '_>) {
    reading(bencher, &CORPUS);
}

#[divan::bench]
fn parquet_to_records(bencher: Bencher<'_, '_>) {
    reading(bencher, &PARQUET);
}

#[divan::bench]
fn large_gzip_text_to_records(bencher: Bencher<'_, '_>) {
    reading(bencher, &LARGE_TEXT);
}

#[divan::bench]
fn large_parquet_to_records(bencher: Bencher<'_, '_>) {
    reading(bencher, &LARGE_PARQUET);
}

#[divan::bench]
fn gzip_text_to_evidence(bencher: Bencher<'_, '_>) {
    ingesting(bencher, &CORPUS);
}

#[divan::bench]
fn parquet_to_evidence(bencher: Bencher<'_, '_>) {
    ingesting(bencher, &PARQUET);
}
