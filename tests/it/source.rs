//! From files to rows: what lists, unpacks and reads them, put together.

use std::fs;
use std::io;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::LogReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::Row;
use flowcinch::source::Object;
use flowcinch::source::ReadError;
use flowcinch::source::ReadErrorKind;
use flowcinch::source::list;

#[derive(Default)]
struct Tally {
    flows: usize,
    intervals: usize,
    bad: Vec<String>,
}

impl Sink for Tally {
    fn row(&mut self, row: &Row) {
        match row {
            Row::Flow(_) | Row::Other => self.flows += 1,
            Row::NoData(_) | Row::SkipData(_) => self.intervals += 1,
        }
    }

    fn malformed(&mut self, error: &LineError) {
        self.bad.push(error.to_string());
    }
}

fn read(object: &Object, tally: &mut Tally) -> Result<(), ReadError> {
    let mut stream = object.open()?;
    let mut reader = LogReader::new(&Layout::default());
    while let Some(block) = stream.next_block()? {
        reader.feed(block, tally);
    }
    reader.finish(tally);
    Ok(())
}

fn log(records: usize) -> String {
    let header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n";
    let record = |n: usize| {
        let octet = n % 250;
        format!(
            "2 111122223333 eni-0abc 10.0.0.{octet} 10.0.1.{octet} {} 443 6 {n} {} 1760000000 1760000058 ACCEPT OK\n",
            1024 + n % 60_000,
            n * 40
        )
    };
    let nothing = "2 111122223333 eni-0abc - - - - - - - 1760000060 1760000118 - NODATA\n";
    let records: String = (0..records).map(record).collect();
    format!("{header}{records}{nothing}")
}

fn gz(text: &str) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}

#[test]
fn packed_plain_and_joined_objects_give_the_same_rows() {
    let root = tempfile::tempdir().unwrap();
    let text = log(20_000);
    let joined = [gz(&text).unwrap(), gz(&text).unwrap()].concat();
    fs::write(root.path().join("1-plain.gz"), &text).unwrap();
    fs::write(root.path().join("2-packed.log"), gz(&text).unwrap()).unwrap();
    fs::write(root.path().join("3-joined.log.gz"), joined).unwrap();

    let objects = list(&[root.path().display().to_string()]).unwrap();
    let tallies: Vec<Tally> = objects
        .iter()
        .map(|object| {
            let mut tally = Tally::default();
            read(object, &mut tally).unwrap();
            tally
        })
        .collect();
    let counts: Vec<_> = tallies.iter().map(|t| (t.flows, t.intervals)).collect();
    assert_eq!(counts, [(20_000, 1), (20_000, 1), (40_000, 2)]);
    assert!(tallies.iter().all(|tally| tally.bad.is_empty()));
}

#[test]
fn rows_before_a_cut_are_kept_and_the_cut_line_is_not() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("cut.log.gz");
    let mut packed = gz(&log(20_000)).unwrap();
    packed.truncate(packed.len() / 2);
    fs::write(&path, packed).unwrap();

    let objects = list(&[path.display().to_string()]).unwrap();
    let mut tally = Tally::default();
    let error = read(&objects[0], &mut tally).unwrap_err();
    assert!(matches!(error.kind, ReadErrorKind::GzipCutShort { .. }));
    assert!(
        error
            .to_string()
            .contains("cut.log.gz`: gzip data is cut short at byte")
    );
    assert!(tally.flows > 5_000, "{}", tally.flows);
    assert_eq!(tally.bad, [] as [String; 0]);
}
