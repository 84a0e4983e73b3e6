//! Law: however the bytes of a log are cut into blocks, the same rows and the
//! same bad lines at the same places come out, no more of them than lines.

#![no_main]

use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::LogReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::Row;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Default, PartialEq)]
struct Seen {
    rows: Vec<Row>,
    bad: Vec<LineError>,
}

impl Sink for Seen {
    fn row(&mut self, row: &Row) {
        self.rows.push(*row);
    }

    fn malformed(&mut self, error: &LineError) {
        self.bad.push(*error);
    }
}

fn read<'a>(blocks: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut seen = Seen::default();
    let mut reader = LogReader::new(&Layout::default());
    for block in blocks {
        reader.feed(block, &mut seen);
    }
    reader.finish(&mut seen);
    seen
}

fuzz_target!(|input: &[u8]| {
    let Some((size, log)) = input.split_first() else {
        return;
    };
    let whole = read([log].into_iter());
    assert_eq!(whole, read(log.chunks(usize::from(*size).max(1))));
    let lines = log.split(|byte| *byte == b'\n').count();
    assert!(whole.rows.len() + whole.bad.len() <= lines);
});
