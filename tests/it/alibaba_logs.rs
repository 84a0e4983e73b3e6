//! Flow logs of Alibaba Cloud as Simple Log Service exports them and ships them
//! to buckets: whatever the form, the types and the packing, the same records
//! are the same rows.

use std::fs;
use std::io::Write;
use std::sync::Arc;

use flowcinch::digest::Union;
use flowcinch::evidence::cuts::Cuts;
use flowcinch::evidence::era::Eras;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::FlowRecord;
use flowcinch::model::Row;
use flowcinch::model::TcpFlags;
use flowcinch::pipeline::ingest;
use flowcinch::pipeline::ingest::Reading;
use flowcinch::pipeline::request::Progress;
use flowcinch::source;
use flowcinch::source::Opener;
use parquet::basic::Compression;
use parquet::basic::ZstdLevel;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::DoubleType;
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const NAMES: [&str; 20] = [
    "__time__",
    "__topic__",
    "version",
    "account-id",
    "eni-id",
    "vm-id",
    "region",
    "srcaddr",
    "srcport",
    "dstaddr",
    "dstport",
    "protocol",
    "direction",
    "packets",
    "bytes",
    "start",
    "end",
    "log-status",
    "action",
    "tcp-flags",
];

/// Those that whoever sets up a shipment may type as numbers.
const NUMBERS: [&str; 9] = [
    "__time__",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "tcp-flags",
];

/// Values of records; the path is put behind them where a form has it.
fn records() -> Vec<[String; 20]> {
    let made = |number: usize| {
        let flags = ["2", "18", "0", "26", "16"][number % 5];
        let way = ["in", "out"][number % 2];
        let action = ["ACCEPT", "ACCEPT", "REJECT"][number % 3];
        let start = 1_760_000_000 + 600 * (number / 7);
        // Windows of one, five and ten minutes.
        let end = start + [59, 299, 599][number % 3];
        [
            start.to_string(),
            "flow_log".to_owned(),
            "1".to_owned(),
            "1234567890123456".to_owned(),
            format!("eni-bp1{:017x}", number % 9),
            ["i-bp1bbbb", "", "-"][number % 3].to_owned(),
            "cn-hangzhou".to_owned(),
            format!("10.0.{}.{}", number % 4, number % 250),
            (1_024 + number).to_string(),
            if number.is_multiple_of(11) {
                "2001:db8::2".to_owned()
            } else {
                "203.0.113.7".to_owned()
            },
            "443".to_owned(),
            "6".to_owned(),
            way.to_owned(),
            (number + 1).to_string(),
            (number * 1_000 + 40).to_string(),
            start.to_string(),
            end.to_string(),
            "OK".to_owned(),
            action.to_owned(),
            flags.to_owned(),
        ]
    };
    let mut records: Vec<[String; 20]> = (0..300).map(made).collect();
    for (place, status) in [(17, "NODATA"), (99, "SKIPDATA")] {
        for (name, value) in NAMES.iter().zip(&mut records[place]) {
            if !["__time__", "eni-id", "start", "end"].contains(name) {
                *value = "-".to_owned();
            }
        }
        records[place][17] = status.to_owned();
    }
    records
}

fn json(bare: bool, path: &str) -> Vec<u8> {
    let line = |record: &[String; 20]| {
        let member = |(name, value): (&&str, &String)| {
            let bare = bare && NUMBERS.contains(name) && value != "-";
            let quote = if bare { "" } else { "\"" };
            format!("\"{name}\":{quote}{value}{quote}")
        };
        let members: Vec<String> = NAMES.iter().zip(record).map(member).collect();
        format!("{{{},{path}}}\n", members.join(","))
    };
    records().iter().map(line).collect::<String>().into_bytes()
}

fn csv(separator: &str, null: &str, quote: &str, header: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    let quoted = |text: &str| format!("{quote}{text}{quote}");
    if header {
        lines.push(NAMES.map(quoted).join(separator));
    }
    for record in records() {
        let value = |value: &String| match value.as_str() {
            "-" => null.to_owned(),
            value => quoted(value),
        };
        lines.push(record.each_ref().map(value).join(separator));
    }
    lines.join("\n").into_bytes()
}

/// How numbers are typed in Parquet.
#[derive(Clone, Copy, PartialEq)]
enum Typed {
    Text,
    Whole,
    Double,
}

fn parquet(typed: Typed, compression: Compression) -> Vec<u8> {
    let number = |name: &str| typed != Typed::Text && NUMBERS.contains(&name);
    let column = |name: &&str| {
        let kind = match typed {
            Typed::Whole if number(name) => "int64",
            Typed::Double if number(name) => "double",
            Typed::Text | Typed::Whole | Typed::Double => "binary",
        };
        format!("optional {kind} {}; ", name.replace('-', "_"))
    };
    let columns: Vec<String> = NAMES.iter().map(column).collect();
    let columns = columns.concat();
    let schema = parse_message_type(&format!("message m {{ {columns} }}")).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let mut out = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut out, Arc::new(schema), Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let records = records();
    for (place, name) in NAMES.iter().enumerate() {
        let mut column = group.next_column().unwrap().unwrap();
        let values = || records.iter().map(move |record| record[place].as_str());
        let there: Vec<&str> = values().filter(|value| *value != "-").collect();
        let levels: Vec<i16> = values().map(|value| i16::from(value != "-")).collect();
        let levels = Some(levels.as_slice());
        if !number(name) {
            let texts: Vec<ByteArray> = there.iter().map(|text| ByteArray::from(*text)).collect();
            column
                .typed::<ByteArrayType>()
                .write_batch(&texts, levels, None)
                .unwrap();
        } else if typed == Typed::Whole {
            let numbers: Vec<i64> = there.iter().map(|text| text.parse().unwrap()).collect();
            column
                .typed::<Int64Type>()
                .write_batch(&numbers, levels, None)
                .unwrap();
        } else {
            let numbers: Vec<f64> = there.iter().map(|text| text.parse().unwrap()).collect();
            column
                .typed::<DoubleType>()
                .write_batch(&numbers, levels, None)
                .unwrap();
        }
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[derive(Debug, Default, PartialEq)]
struct Seen {
    rows: Vec<Row>,
    errors: Vec<String>,
}

impl Sink for Seen {
    fn row(&mut self, row: &Row) {
        self.rows.push(*row);
    }

    fn malformed(&mut self, error: &LineError) {
        self.errors.push(error.to_string());
    }
}

fn read_as(layout: &Layout, object: &[u8], block: usize) -> Seen {
    let mut reader = ObjectReader::new(layout);
    let mut seen = Seen::default();
    for block in object.chunks(block) {
        reader.feed(block, &mut seen);
    }
    reader.finish_whole(&mut seen).unwrap();
    seen
}

fn read(object: &[u8]) -> Seen {
    read_as(&Layout::default(), object, usize::MAX)
}

fn expected() -> Vec<Row> {
    let seen = read(&json(false, "\"traffic_path\":\"2\""));
    assert_eq!(seen.errors, Vec::<String>::new());
    seen.rows
}

#[test]
fn records_say_what_they_say() {
    let rows = expected();
    let flows: Vec<&FlowRecord> = rows
        .iter()
        .filter_map(|row| match row {
            Row::Flow(record) => Some(record),
            Row::Other | Row::NoData(_) | Row::SkipData(_) => None,
        })
        .collect();
    assert_eq!((rows.len(), flows.len()), (300, 298));
    assert!(matches!(rows[17], Row::NoData(interval) if interval.start.is_some()));
    assert!(matches!(rows[99], Row::SkipData(_)));
    let first = flows[0];
    assert_eq!(
        first.interface_id.unwrap().as_str(),
        "eni-bp100000000000000000"
    );
    assert_eq!(first.tcp_flags, Some(TcpFlags(2)));
    // SYN and ACK together may be either side's, where lone ACKs may count.
    assert_eq!([flows[1].tcp_flags, flows[3].tcp_flags], [None, None]);
    assert_eq!(flows[4].tcp_flags, Some(TcpFlags(16)));
    assert_eq!(flows[0].dstaddr, "2001:db8::2".parse().ok());
}

#[test]
fn every_form_reads_the_same() {
    let rows = expected();
    for path in [
        "\"traffic-path\":\"natGateway\"",
        "\"TrafficPath\":\"all\"",
        "\"rafficPath\":7",
    ] {
        for bare in [false, true] {
            assert_eq!(read(&json(bare, path)).rows, rows, "{path} {bare}");
        }
    }
    for separator in [",", "|", ";", "\t"] {
        for (null, quote) in [("-", ""), ("", ""), ("null", "\""), ("", "'")] {
            let seen = read(&csv(separator, null, quote, true));
            assert_eq!(
                seen.rows, rows,
                "{separator:?} {null:?} {quote:?} {:?}",
                seen.errors
            );
        }
    }
    for typed in [Typed::Text, Typed::Whole, Typed::Double] {
        for codec in [
            Compression::SNAPPY,
            Compression::UNCOMPRESSED,
            Compression::ZSTD(ZstdLevel::default()),
        ] {
            assert_eq!(read(&parquet(typed, codec)).rows, rows);
        }
    }
}

#[test]
fn without_a_header_the_columns_are_those_of_fields() {
    for separator in [",", "|", ";"] {
        let layout = Layout::parse(&NAMES.join(separator)).unwrap();
        let object = csv(separator, "-", "", false);
        let seen = read_as(&layout, &object, usize::MAX);
        assert_eq!(seen.rows, expected(), "{:?}", seen.errors);
    }
}

#[test]
fn any_cut_reads_the_same() {
    let rows = expected();
    for object in [json(true, "\"traffic_path\":\"2\""), csv(",", "", "", true)] {
        for block in [1, 7, 100, 4_096] {
            assert_eq!(
                read_as(&Layout::default(), &object, block).rows,
                rows,
                "{block}"
            );
        }
    }
}

#[test]
fn damaged_lines_are_told_with_their_place() {
    let text = String::from_utf8(json(false, "\"traffic_path\":\"2\"")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let (cut, _) = lines[2].split_at(100);
    let odd = lines[4].replace("\"443\"", "\"x\"");
    lines[2] = cut;
    lines[4] = &odd;
    let damaged = lines.join("\n");
    let seen = read(damaged.as_bytes());
    assert_eq!(seen.rows.len(), 298);
    let at = |line: usize| {
        lines[..line]
            .iter()
            .map(|line| line.len() + 1)
            .sum::<usize>()
    };
    let expected = [
        format!("line 3, byte {}: not a JSON document", at(2)),
        format!("line 5, byte {}: `dstport` is not a port", at(4)),
    ];
    assert_eq!(seen.errors, expected);
}

/// Tells nobody.
struct Silent;

impl Progress for Silent {
    fn begin(&self, _: u64, _: Option<u64>) {}
    fn advance(&self, _: u64, _: u64) {}
    fn object_done(&self) {}
    fn phase(&self, _: &str) {}
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn framed(text: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(text).unwrap();
    encoder.into_inner().unwrap()
}

#[test]
fn every_packing_is_read_in_one_run_and_told_without_a_name() {
    let text = json(false, "\"traffic_path\":\"2\"");
    let objects = [
        text.clone(),
        gzip(&text),
        zstd::bulk::compress(&text, 3).unwrap(),
        framed(&text),
        snap::raw::Encoder::new().compress_vec(&text).unwrap(),
        csv("|", "-", "", true),
        snap::raw::Encoder::new()
            .compress_vec(&csv(",", "-", "", true))
            .unwrap(),
        parquet(Typed::Whole, Compression::SNAPPY),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (number, object) in objects.iter().enumerate() {
        fs::write(
            folder
                .path()
                .join(format!("54_14538128930595712{number}_937")),
            object,
        )
        .unwrap();
    }
    let found = source::list(&[folder.path().display().to_string()]).unwrap();
    assert_eq!(found.len(), objects.len());
    let mut opener = Opener::default();
    for object in &found {
        let mut opened = opener.open(object).unwrap();
        let mut whole = Vec::new();
        while let Some(piece) = opened.next_piece().unwrap() {
            whole.extend_from_slice(piece);
        }
        assert_eq!(read(&whole).rows, expected(), "{}", object.name);
    }
    let eras = Eras::default();
    let reading = Reading {
        layout: Layout::default().into(),
        eras: &eras,
        since: None,
        until: None,
        memory: None,
        cutting: &|_| Arc::new(Cuts::none()),
    };
    let read = ingest::ingest(&found, &Union::default(), &reading, &Silent).unwrap();
    let rows = read.evidence.rows;
    assert_eq!(rows.accepted + rows.rejected, 298 * 8);
    assert_eq!((rows.no_data, rows.skip_data), (8, 8));
}
