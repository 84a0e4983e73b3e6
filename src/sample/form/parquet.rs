//! A Parquet flow log: every column of the format with the type that the
//! documentation gives it, gzip within; `-` is null among numbers and stays
//! text among texts, so that readers meet both.

use std::io;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::basic::GzipLevel;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::DataType;
use parquet::data_type::Int32Type;
use parquet::data_type::Int64Type;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedColumnWriter;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::sample::form::Table;

/// Rows of a row group.
const GROUP: usize = 50_000;

/// Columns of 32 bits, and of 64.
const SHORT: [&str; 7] = [
    "version",
    "srcport",
    "dstport",
    "protocol",
    "tcp-flags",
    "traffic-path",
    "encryption-status",
];
const LONG: [&str; 4] = ["packets", "bytes", "start", "end"];

/// One column's values of a row group, with its levels.
#[derive(Debug)]
pub(super) enum Values {
    Short(Vec<i32>),
    Long(Vec<i64>),
    Text(Vec<ByteArray>),
}

/// A column on its way into a row group.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) values: Values,
    pub(super) definitions: Vec<i16>,
    /// Empty where the column is no list.
    pub(super) repetitions: Vec<i16>,
}

/// The file of a table.
pub(super) fn flow_log(table: &Table<'_>) -> io::Result<Vec<u8>> {
    let columns: String = table.names.iter().map(|name| declared(name)).collect();
    let schema = format!("message flow_log {{ {columns} }}");
    write(&schema, table.lines.len(), |from, to| {
        let part = Table {
            names: table.names.clone(),
            lines: table.lines.get(from..to).unwrap_or_default().to_vec(),
        };
        let names = part.names.iter();
        names.map(|name| filled(name, part.tokens(name))).collect()
    })
}

fn declared(name: &str) -> String {
    let column = name.replace('-', "_");
    if SHORT.contains(&name) {
        format!("optional int32 {column}; ")
    } else if LONG.contains(&name) {
        format!("optional int64 {column}; ")
    } else {
        format!("optional binary {column} (UTF8); ")
    }
}

fn filled<'t>(name: &str, tokens: impl Iterator<Item = &'t str>) -> Filled {
    let tokens: Vec<&str> = tokens.collect();
    if SHORT.contains(&name) {
        return numbers(&tokens, Values::Short);
    }
    if LONG.contains(&name) {
        return numbers(&tokens, Values::Long);
    }
    Filled {
        values: Values::Text(tokens.iter().map(|token| text(token)).collect()),
        definitions: vec![1; tokens.len()],
        repetitions: Vec::new(),
    }
}

fn numbers<T: std::str::FromStr>(tokens: &[&str], values: fn(Vec<T>) -> Values) -> Filled {
    let parsed = || tokens.iter().map(|token| token.parse::<T>().ok());
    Filled {
        definitions: parsed().map(|value| i16::from(value.is_some())).collect(),
        values: values(parsed().flatten().collect()),
        repetitions: Vec::new(),
    }
}

pub(super) fn text(token: &str) -> ByteArray {
    ByteArray::from(token.as_bytes().to_vec())
}

/// Writes rows by groups.
pub(super) fn write(
    schema: &str,
    rows: usize,
    columns: impl Fn(usize, usize) -> Vec<Filled>,
) -> io::Result<Vec<u8>> {
    let schema = parse_message_type(schema).map_err(io::Error::other)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(
            GzipLevel::try_new(1).map_err(io::Error::other)?,
        ))
        .set_created_by("flowcinch sample".to_owned())
        .build();
    let mut out = Vec::new();
    let writer = SerializedFileWriter::new(&mut out, Arc::new(schema), Arc::new(properties));
    let mut writer = writer.map_err(io::Error::other)?;
    for from in (0..rows).step_by(GROUP) {
        let columns = columns(from, rows.min(from.saturating_add(GROUP)));
        let mut columns = columns.iter();
        let mut group = writer.next_row_group().map_err(io::Error::other)?;
        while let Some(mut place) = group.next_column().map_err(io::Error::other)? {
            if let Some(filled) = columns.next() {
                fill(&mut place, filled)?;
            }
            place.close().map_err(io::Error::other)?;
        }
        group.close().map_err(io::Error::other)?;
    }
    writer.close().map_err(io::Error::other)?;
    Ok(out)
}

fn fill(place: &mut SerializedColumnWriter<'_>, filled: &Filled) -> io::Result<()> {
    match &filled.values {
        Values::Short(values) => put::<Int32Type>(place, values, filled),
        Values::Long(values) => put::<Int64Type>(place, values, filled),
        Values::Text(values) => put::<ByteArrayType>(place, values, filled),
    }
}

fn put<T: DataType>(
    place: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    filled: &Filled,
) -> io::Result<()> {
    let lists = (!filled.repetitions.is_empty()).then_some(filled.repetitions.as_slice());
    let written = place
        .typed::<T>()
        .write_batch(values, Some(&filled.definitions), lists);
    written.map(|_| ()).map_err(io::Error::other)
}
