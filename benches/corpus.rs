//! The logs that all benches read: a made-up cloud, default format, a fifth of
//! the records from scanners.

use std::path::PathBuf;
use std::sync::LazyLock;

use flowcinch::sample;
use flowcinch::sample::Form;
use flowcinch::sample::SampleConfig;
use flowcinch::source;
use flowcinch::source::Object;
use flowcinch::source::Opener;
use tempfile::TempDir;

/// A day, in 276 objects.
pub(crate) const DAY: f64 = 1.0;
/// Some hours, in few and large objects.
pub(crate) const HOURS: f64 = 0.1;

/// The corpus, made when first asked for.
pub(crate) static CORPUS: LazyLock<Corpus> = LazyLock::new(Corpus::new);

/// Logs in a folder, and their text.
pub(crate) struct Corpus {
    folder: TempDir,
    /// Records, NODATA and SKIPDATA rows not included.
    pub(crate) records: u64,
    /// Text of each object.
    pub(crate) texts: Vec<Vec<u8>>,
    /// Bytes of text.
    pub(crate) bytes: u64,
}

impl Corpus {
    fn new() -> Corpus {
        Corpus::of(Form::Text, DAY)
    }

    /// The same number of records in a form and over so many days; of Parquet
    /// there are no texts.
    pub(crate) fn of(form: Form, days: f64) -> Corpus {
        let folder = tempfile::tempdir().expect("a folder for the corpus");
        let config = SampleConfig {
            out: folder.path().to_owned(),
            records: records(),
            seed: 1,
            format_version: 2,
            interfaces: Some(100),
            scan_share: 0.2,
            days,
            form,
            ..SampleConfig::default()
        };
        let summary = sample::write(&config).expect("the corpus");
        let objects = objects_in(&folder);
        let texts: Vec<Vec<u8>> = objects.iter().map(text).collect();
        let bytes = texts.iter().map(|text| text.len() as u64).sum();
        Corpus {
            folder,
            records: summary.records,
            texts,
            bytes,
        }
    }

    /// Its objects, gzipped.
    pub(crate) fn objects(&self) -> Vec<Object> {
        objects_in(&self.folder)
    }

    /// The folder of its logs.
    pub(crate) fn logs(&self) -> String {
        self.folder.path().join("logs").display().to_string()
    }

    /// Its snapshot.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench has no other place for settings"
)]
fn records() -> u64 {
    let asked = std::env::var("FLOWCINCH_BENCH_RECORDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(600_000)
}

fn objects_in(folder: &TempDir) -> Vec<Object> {
    let logs = folder.path().join("logs").display().to_string();
    source::list(&[logs]).expect("the corpus has logs")
}

fn text(object: &Object) -> Vec<u8> {
    let mut opener = Opener::default();
    let mut opened = opener.open(object).expect("the corpus opens");
    let mut text = Vec::new();
    while let Some(piece) = opened.next_piece().expect("the corpus is sound") {
        text.extend_from_slice(piece);
    }
    text
}
