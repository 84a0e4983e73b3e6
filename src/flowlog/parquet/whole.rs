//! Columns in encodings that flow logs are not delivered in (deltas, split
//! streams), but that whoever rewrote them may have chosen: their library
//! decodes them, and they are kept whole while their row group is read.

use parquet::column::reader::ColumnReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;
use parquet::file::reader::RowGroupReader;

use crate::flowlog::error::FormError;
use crate::flowlog::parquet::chunk::short;
use crate::flowlog::parquet::schema::Column;
use crate::flowlog::parquet::unreadable;
use crate::flowlog::value::whole_number;

/// A value as its library has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Absent,
    Number(i64),
    Text(Vec<u8>),
}

/// Most rows of a column that is kept whole.
const MOST_ROWS: usize = 1 << 22;

/// Rows that are asked for at once.
const STEP: usize = 1 << 14;

/// All values of a column of a row group.
pub(super) fn read(group: &dyn RowGroupReader, column: &Column) -> Result<Vec<Value>, FormError> {
    if column.max_repetition > 0 {
        return Err(FormError::damaged("lists in an encoding that is not read"));
    }
    let reader = group.get_column_reader(column.leaf);
    match reader.map_err(|error| unreadable(&error))? {
        ColumnReader::Int32ColumnReader(reader) => {
            values(reader, column, |number| Value::Number(i64::from(*number)))
        }
        ColumnReader::Int64ColumnReader(reader) => {
            values(reader, column, |number| Value::Number(*number))
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            values(reader, column, |text| Value::Text(text.data().to_vec()))
        }
        ColumnReader::FloatColumnReader(reader) => values(reader, column, |number| {
            Value::Number(whole_number(f64::from(*number)))
        }),
        ColumnReader::DoubleColumnReader(reader) => values(reader, column, |number| {
            Value::Number(whole_number(*number))
        }),
        ColumnReader::BoolColumnReader(_)
        | ColumnReader::Int96ColumnReader(_)
        | ColumnReader::FixedLenByteArrayColumnReader(_) => {
            Err(FormError::damaged("a column changes its type"))
        }
    }
}

fn values<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    column: &Column,
    value: impl Fn(&T::T) -> Value,
) -> Result<Vec<Value>, FormError> {
    let full = i16::from(column.max_definition);
    let mut all = Vec::new();
    loop {
        let (mut levels, mut some) = (Vec::new(), Vec::new());
        let wanted = (full > 0).then_some(&mut levels);
        let read = reader.read_records(STEP, wanted, None, &mut some);
        let (records, _, _) = read.map_err(|error| unreadable(&error))?;
        if records == 0 {
            return Ok(all);
        }
        let mut next = some.iter();
        if full == 0 {
            all.extend(next.map(&value));
        } else {
            let there = |level: &i16| (*level == full).then(|| next.next()).flatten();
            all.extend(
                levels
                    .iter()
                    .map(there)
                    .map(|some| some.map_or(Value::Absent, &value)),
            );
        }
        if all.len() > MOST_ROWS {
            return Err(short());
        }
    }
}
