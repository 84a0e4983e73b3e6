//! Parquet files as anybody may have written them: whatever their encodings,
//! pages, types and spellings, their rows are those of the same lines in text.

use std::sync::Arc;

use bytes::Bytes;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineErrorKind;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::Row;
use parquet::basic::Compression;
use parquet::basic::Encoding;
use parquet::basic::GzipLevel;
use parquet::basic::ZstdLevel;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::Int32Type;
use parquet::data_type::Int64Type;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::properties::WriterVersion;
use parquet::file::reader::FileReader;
use parquet::file::reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use proptest::collection::vec;
use proptest::prelude::Just;
use proptest::prelude::Strategy;
use proptest::prelude::any;
use proptest::prelude::prop_oneof;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::proptest;
use proptest::sample::subsequence;

#[derive(Debug, Default, PartialEq)]
struct Seen {
    rows: Vec<Result<Row, LineErrorKind>>,
    places: Vec<u64>,
    fault: Option<String>,
}

impl Sink for Seen {
    fn row(&mut self, row: &Row) {
        self.rows.push(Ok(*row));
    }

    fn malformed(&mut self, error: &flowcinch::flowlog::LineError) {
        self.rows.push(Err(error.kind));
        self.places.push(error.line);
    }
}

fn read(object: &[u8]) -> Seen {
    let mut reader = ObjectReader::new(&Layout::default());
    let mut seen = Seen::default();
    reader.feed(object, &mut seen);
    let finished = reader.finish_whole(&mut seen);
    seen.fault = finished.err().map(|fault| fault.to_string());
    seen
}

const COLUMNS: [&str; 19] = [
    "interface-id",
    "srcaddr",
    "dstaddr",
    "srcport",
    "dstport",
    "protocol",
    "packets",
    "bytes",
    "start",
    "end",
    "action",
    "log-status",
    "tcp-flags",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "flow-direction",
    "reject-reason",
    "type",
    "color",
];

fn is_number(column: &str) -> bool {
    let numbers = [
        "srcport",
        "dstport",
        "protocol",
        "packets",
        "bytes",
        "start",
        "end",
        "tcp-flags",
    ];
    numbers.contains(&column)
}

/// How a file is written.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an own choice of whoever writes a file"
)]
#[derive(Clone, Debug)]
struct Manner {
    compression: Compression,
    second_version: bool,
    dictionary: bool,
    delta: bool,
    long: bool,
    numbers_as_text: bool,
    required: bool,
    hyphens: bool,
    page: usize,
    group: usize,
    absent: &'static str,
    /// Which columns there are, in their order.
    columns: Vec<usize>,
}

fn manner() -> impl Strategy<Value = Manner> {
    let compression = prop_oneof![
        Just(Compression::UNCOMPRESSED),
        Just(Compression::SNAPPY),
        Just(Compression::GZIP(GzipLevel::default())),
        Just(Compression::ZSTD(ZstdLevel::default())),
    ];
    let flags = (any::<[bool; 7]>(), 1_usize..40, 1_usize..60, 0_usize..3);
    let all = (0..COLUMNS.len()).collect::<Vec<_>>();
    let columns = prop_oneof![
        Just(all.clone()),
        Just(all.clone()).prop_shuffle(),
        subsequence(all, 3..COLUMNS.len()).prop_shuffle(),
    ];
    let all = (compression, flags, columns);
    all.prop_map(
        |(compression, (flags, page, group, absent), columns)| Manner {
            compression,
            second_version: flags[0],
            dictionary: flags[1],
            delta: flags[2],
            long: flags[3],
            numbers_as_text: flags[4],
            // Nothing can be null then.
            required: flags[5] && flags[4] && absent > 0,
            hyphens: flags[6],
            page,
            group,
            absent: ["null", "", "-"][absent],
            columns,
        },
    )
}

impl Manner {
    fn is_text(&self, column: &str) -> bool {
        self.numbers_as_text || !is_number(column)
    }

    fn name(&self, column: &str) -> String {
        if self.hyphens {
            column.to_owned()
        } else {
            column.replace('-', "_")
        }
    }
}

fn properties(manner: &Manner) -> WriterProperties {
    let version = if manner.second_version {
        WriterVersion::PARQUET_2_0
    } else {
        WriterVersion::PARQUET_1_0
    };
    let mut properties = WriterProperties::builder()
        .set_compression(manner.compression)
        .set_writer_version(version)
        .set_dictionary_enabled(manner.dictionary)
        .set_data_page_row_count_limit(manner.page)
        .set_write_batch_size(1);
    if manner.delta && !manner.dictionary {
        for column in COLUMNS {
            let name = manner.name(column);
            let encoding = if manner.is_text(column) {
                Encoding::DELTA_BYTE_ARRAY
            } else {
                Encoding::DELTA_BINARY_PACKED
            };
            properties = properties.set_column_encoding(name.into(), encoding);
        }
    }
    properties.build()
}

/// The file of these rows.
fn file(rows: &[Vec<String>], manner: &Manner) -> Vec<u8> {
    let text = |column: &str| manner.is_text(column);
    let declared = |column: &usize| {
        let column = &COLUMNS[*column];
        let name = manner.name(column);
        let repetition = if manner.required {
            "required"
        } else {
            "optional"
        };
        let kind = match (
            text(column),
            manner.long || matches!(*column, "packets" | "bytes" | "start" | "end"),
        ) {
            (true, _) => "binary",
            (false, true) => "int64",
            (false, false) => "int32",
        };
        // Whether texts are called UTF-8 is up to the writer.
        let logical = if text(column) && manner.long {
            " (UTF8)"
        } else {
            ""
        };
        format!("{repetition} {kind} {name}{logical};")
    };
    let schema = format!(
        "message m {{ {} }}",
        manner.columns.iter().map(declared).collect::<String>()
    );
    let mut out = Vec::new();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(&mut out, schema, Arc::new(properties(manner))).unwrap();
    for group in rows.chunks(manner.group) {
        let mut place = writer.next_row_group().unwrap();
        for number in manner.columns.iter().copied() {
            let column = &COLUMNS[number];
            let mut own = place.next_column().unwrap().unwrap();
            let tokens: Vec<Option<&str>> = group
                .iter()
                .map(|row| match row[number].as_str() {
                    "-" if !text(column) || manner.absent == "null" => None,
                    "-" => Some(manner.absent),
                    token => Some(token),
                })
                .collect();
            let levels: Vec<i16> = tokens
                .iter()
                .map(|token| i16::from(token.is_some()))
                .collect();
            let levels = (!manner.required).then_some(levels.as_slice());
            let some = tokens.iter().flatten();
            if text(column) {
                let values: Vec<ByteArray> = some.map(|token| ByteArray::from(*token)).collect();
                own.typed::<ByteArrayType>()
                    .write_batch(&values, levels, None)
                    .unwrap();
            } else if manner.long || matches!(*column, "packets" | "bytes" | "start" | "end") {
                let values: Vec<i64> = some.map(|token| token.parse().unwrap()).collect();
                own.typed::<Int64Type>()
                    .write_batch(&values, levels, None)
                    .unwrap();
            } else {
                let values: Vec<i32> = some.map(|token| token.parse().unwrap()).collect();
                own.typed::<Int32Type>()
                    .write_batch(&values, levels, None)
                    .unwrap();
            }
            own.close().unwrap();
        }
        place.close().unwrap();
    }
    writer.close().unwrap();
    out
}

/// Whether some column is in an encoding that is left to its library. Pages of
/// the second version are, where they have no dictionary.
fn has_rare(file: &[u8]) -> bool {
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(file)).unwrap();
    let groups = reader.metadata().row_groups().iter();
    let mut encodings = groups
        .flat_map(RowGroupMetaData::columns)
        .flat_map(ColumnChunkMetaData::encodings);
    encodings.any(|encoding| {
        let common = [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY];
        !common.contains(&encoding)
    })
}

fn lines(rows: &[Vec<String>], columns: &[usize]) -> Vec<u8> {
    let line = |words: &dyn Fn(usize) -> String| {
        let words: Vec<String> = columns.iter().map(|column| words(*column)).collect();
        words.join(" ")
    };
    let mut text = line(&|column| COLUMNS[column].to_owned());
    for row in rows {
        text.push('\n');
        text.push_str(&line(&|column| row[column].clone()));
    }
    text.into_bytes()
}

fn row() -> impl Strategy<Value = Vec<String>> {
    let dash = || Just("-".to_owned());
    let id = prop_oneof![5 => "eni-0[0-9a-f]{7}", 2 => "eni-0000000[12]", 1 => "eni-[a-z]", 1 => "[a-z]{25,31}", 1 => dash()];
    let address = || prop_oneof![6 => "10\\.0\\.0\\.[1-9]", 1 => "2001:db8::[1-9]", 1 => "10\\.0\\.0\\.[3-9]{3}", 1 => dash()];
    let port = || prop_oneof![6 => "[1-9][0-9]{0,3}", 1 => "6553[4-7]", 1 => dash()];
    let count = || prop_oneof![6 => "[1-9][0-9]{0,9}", 1 => dash()];
    let time = || prop_oneof![6 => "17600[0-9]{5}", 1 => "1760000000000", 1 => dash()];
    let head = (id, address(), address(), port(), port(), "6|17|1|255|256|-");
    let middle = (
        count(),
        count(),
        time(),
        time(),
        "ACCEPT|REJECT|-|accept",
        "OK|OK|OK|NODATA|SKIPDATA|-|OD",
    );
    let tail = (
        "-|0|2|18|255|256",
        address(),
        address(),
        "ingress|egress|-|up",
        "BPA|-|x",
        "IPv4|EFA|-",
        "blue|-",
    );
    (head, middle, tail).prop_map(|(a, b, c)| {
        vec![
            a.0, a.1, a.2, a.3, a.4, a.5, b.0, b.1, b.2, b.3, b.4, b.5, c.0, c.1, c.2, c.3, c.4,
            c.5, c.6,
        ]
    })
}

proptest! {
    #[test]
    fn rows_are_those_of_the_same_lines(rows in vec(row(), 0..120), manner in manner()) {
        let text = read(&lines(&rows, &manner.columns));
        let columns = read(&file(&rows, &manner));
        prop_assert_eq!(&columns.fault, &None);
        // Lines are counted from the header, rows from the first.
        let places: Vec<u64> = columns.places.iter().map(|row| row + 1).collect();
        prop_assert_eq!(places, text.places);
        prop_assert_eq!(columns.rows, text.rows);
    }

    #[test]
    fn any_damage_is_read_or_told(
        rows in vec(row(), 1..20),
        manner in manner(),
        places in vec((any::<usize>(), any::<u8>()), 1..6),
        cut in any::<usize>(),
    ) {
        let mut file = file(&rows, &manner);
        let rare = has_rare(&file);
        for (place, byte) in places {
            let at = place % file.len();
            file[at] = byte;
        }
        let footer = file.split_off(file.len() - cut % 12);
        if cut % 3 == 0 {
            file.extend(footer);
        }
        // That it ends is the law, and that none of our code falls over it: only
        // columns in rare encodings are left to their library.
        let fault = read(&file).fault.unwrap_or_default();
        prop_assert!(rare || !fault.contains("gave up"), "{}", fault);
    }
}

/// A file of so many rows that say nothing.
fn nothing(rows: usize) -> Vec<u8> {
    let schema = "message m { optional binary srcaddr; optional binary action; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_data_page_row_count_limit(usize::MAX);
    let mut out = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let levels = vec![0; rows];
    while let Some(mut column) = group.next_column().unwrap() {
        let column_writer = column.typed::<ByteArrayType>();
        column_writer.write_batch(&[], Some(&levels), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    out
}

#[test]
fn sizes_that_cannot_be_are_told_before_anything_is_read() {
    let sound = nothing(100);
    assert_eq!(read(&sound).rows.len(), 100);
    let many = nothing(1_000_000);
    let seen = read(&many);
    assert_eq!(seen.rows.len(), 0);
    let fault = seen.fault.unwrap();
    assert!(fault.contains("more rows than it can hold"), "{fault}");
    for size in [0, 1, u32::MAX, i32::MAX.unsigned_abs(), 1 << 20] {
        let mut bent = sound.clone();
        let at = bent.len() - 8;
        bent[at..at + 4].copy_from_slice(&size.to_le_bytes());
        let seen = read(&bent);
        assert_eq!(seen.rows, [], "{size}");
        let fault = seen.fault.unwrap();
        assert!(fault.contains("damaged"), "{size}: {fault}");
        assert!(!fault.contains("gave up"), "{size}: {fault}");
    }
}

#[test]
fn a_column_of_another_type_is_named() {
    let schema =
        "message m { optional int32 srcaddr; optional binary dstaddr; optional binary action; }";
    let mut out = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    writer.close().unwrap();
    let fault = read(&out).fault.unwrap();
    assert_eq!(fault, "Parquet column `srcaddr` is of type INT32, not text");
}

#[test]
fn columns_of_something_else_are_named() {
    let mut out = Vec::new();
    let schema = Arc::new(
        parse_message_type("message m { optional int32 year; optional int32 price; }").unwrap(),
    );
    let writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    writer.close().unwrap();
    let fault = read(&out).fault.unwrap();
    assert_eq!(
        fault,
        "Parquet columns are not those of a flow log: year, price"
    );
}

#[test]
fn rows_of_transit_gateways_are_set_aside() {
    let schema = "message m { optional int32 version; optional binary resource_type; optional binary tgw_id;
        optional binary srcaddr; optional binary dstaddr; optional int64 start; optional int64 end; optional binary log_status; }";
    let mut out = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for number in 0..8 {
        let mut own = group.next_column().unwrap().unwrap();
        let levels = Some([1, 1].as_slice());
        match number {
            0 => own
                .typed::<Int32Type>()
                .write_batch(&[6, 6], levels, None)
                .map(|_| ()),
            5 | 6 => own
                .typed::<Int64Type>()
                .write_batch(&[1_760_000_000, 1_760_000_060], levels, None)
                .map(|_| ()),
            7 => own
                .typed::<ByteArrayType>()
                .write_batch(&["OK".into(), "NODATA".into()], levels, None)
                .map(|_| ()),
            _ => own
                .typed::<ByteArrayType>()
                .write_batch(&["tgw".into(), "10.0.0.1".into()], levels, None)
                .map(|_| ()),
        }
        .unwrap();
        own.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    let seen = read(&out);
    assert_eq!(seen.fault, None);
    assert!(
        matches!(seen.rows[..], [Ok(Row::Other), Ok(Row::NoData(_))]),
        "{seen:?}"
    );
}
