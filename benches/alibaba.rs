//! Logs of Alibaba Cloud, JSON and CSV, to records, each beside its plain twin:
//! serde and one line at a time. Bytes are those of text, nothing is inflated.

use std::fmt::Write;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::flowlog::brief::Brief;
use flowcinch::flowlog::brief::Interfaces;
use flowcinch::flowlog::flat::parse_record;
use flowcinch::flowlog::line::parse_line;
use flowcinch::model::Row;

use crate::corpus::CORPUS;

const NAMES: [&str; 17] = [
    "__time__",
    "version",
    "account-id",
    "eni-id",
    "vpc-id",
    "srcaddr",
    "srcport",
    "dstaddr",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "traffic_path",
];

static JSON: LazyLock<String> = LazyLock::new(|| {
    made(|out, values| {
        let members = NAMES.iter().zip(values);
        let members = members.map(|(name, value)| format!("\"{name}\":\"{value}\""));
        let members: Vec<String> = members.collect();
        writeln!(out, "{{{}}}", members.join(",")).expect("a text grows");
    })
});

static CSV: LazyLock<String> = LazyLock::new(|| {
    let lines = made(|out, values| {
        writeln!(out, "{}", values.join(",")).expect("a text grows");
    });
    format!("{}\n{lines}", NAMES.join(","))
});

/// The corpus in other words.
fn made(line: impl Fn(&mut String, &[&str; 17])) -> String {
    let mut out = String::new();
    for text in &CORPUS.texts {
        let text = std::str::from_utf8(text).expect("the corpus is text");
        for record in text.lines().skip(1) {
            let of: Vec<&str> = record.split(' ').collect();
            let &[
                version,
                account,
                eni,
                srcaddr,
                dstaddr,
                srcport,
                dstport,
                protocol,
                packets,
                bytes,
                start,
                end,
                action,
                status,
            ] = of.as_slice()
            else {
                continue;
            };
            line(
                &mut out,
                &[
                    start,
                    version,
                    account,
                    eni,
                    "vpc-bp1dddd",
                    srcaddr,
                    srcport,
                    dstaddr,
                    dstport,
                    protocol,
                    packets,
                    bytes,
                    start,
                    end,
                    action,
                    status,
                    "2",
                ],
            );
        }
    }
    out
}

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

fn read(text: &str) -> u64 {
    let mut reader = ObjectReader::new(&Layout::default());
    let mut counting = Counting::default();
    reader.feed(text.as_bytes(), &mut counting);
    let ended = reader.finish_whole(&mut counting);
    ended.expect("the corpus is sound");
    counting.0
}

fn plainly<E>(text: &str, parse: impl Fn(&[u8]) -> Result<Row, E>) -> u64 {
    let flow = |line: &str| matches!(divan::black_box(parse(line.as_bytes())), Ok(Row::Flow(_)));
    text.lines().map(|line| u64::from(flow(line))).sum()
}

fn bench(bencher: Bencher<'_, '_>, text: &str, read: impl Fn(&str) -> u64 + Sync) {
    assert_eq!(read(text), CORPUS.records);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| read(text));
}

#[divan::bench]
fn json(bencher: Bencher<'_, '_>) {
    bench(bencher, &JSON, read);
}

#[divan::bench]
fn json_plainly(bencher: Bencher<'_, '_>) {
    bench(bencher, &JSON, |text| plainly(text, parse_record));
}

#[divan::bench]
fn csv(bencher: Bencher<'_, '_>) {
    bench(bencher, &CSV, read);
}

#[divan::bench]
fn csv_plainly(bencher: Bencher<'_, '_>) {
    let layout = Layout::from_header(NAMES.join(",").as_bytes()).expect("names are a header");
    bench(bencher, &CSV, |text| {
        plainly(text, |line| parse_line(line, &layout))
    });
}
