//! Tables of required columns to Parquet and back. A table is declared once,
//! by [`table!`]: the struct that holds its columns, the schema that other
//! engines see, writing and reading are made from that one list.

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::basic::Encoding;
use parquet::basic::ZstdLevel;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::BoolType;
use parquet::data_type::ByteArray;
use parquet::data_type::ByteArrayType;
use parquet::data_type::DataType;
use parquet::data_type::Int32Type;
use parquet::data_type::Int64Type;
use parquet::errors::ParquetError;
use parquet::errors::Result;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::FileReader;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;
use parquet::schema::types::TypePtr;

/// What kinds of columns there are.
pub(super) trait Kind {
    /// How Parquet stores it.
    type Stored: DataType;
    /// Its line in the schema, but for the name.
    const TYPE: (&'static str, &'static str);
    /// Whether values lie so near one another that differences are kept.
    const NEAR: bool = false;
}

/// Text.
#[derive(Debug)]
pub(super) struct Text;

impl Kind for Text {
    type Stored = ByteArrayType;
    const TYPE: (&'static str, &'static str) = ("binary", "(STRING)");
}

/// Yes or no.
#[derive(Debug)]
pub(super) struct Flag;

impl Kind for Flag {
    type Stored = BoolType;
    const TYPE: (&'static str, &'static str) = ("boolean", "");
}

/// A small number.
#[derive(Debug)]
pub(super) struct Int;

impl Kind for Int {
    type Stored = Int32Type;
    const TYPE: (&'static str, &'static str) = ("int32", "");
}

/// A count.
#[derive(Debug)]
pub(super) struct Count;

impl Kind for Count {
    type Stored = Int64Type;
    const TYPE: (&'static str, &'static str) = ("int64", "(INTEGER(64,false))");
}

/// A point in time, in milliseconds since 1970.
#[derive(Debug)]
pub(super) struct Time;

impl Kind for Time {
    type Stored = Int64Type;
    const TYPE: (&'static str, &'static str) = ("int64", "(TIMESTAMP(MILLIS,true))");
    const NEAR: bool = true;
}

/// Rows read at once.
const AT_ONCE: usize = 8_192;

/// What reads a column of a row group.
pub(super) type Reader<K> = ColumnReaderImpl<<K as Kind>::Stored>;

/// One value of a column.
pub(super) type Value<K> = <<K as Kind>::Stored as DataType>::T;

/// Declares a table: `table! { Name { column: Kind, … } }`.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($column:ident: $kind:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $column: Vec<$crate::digest::table::Value<$kind>>,)+
        }

        impl $crate::digest::table::Table for $name {
            fn columns() -> Vec<$crate::digest::table::Column> {
                vec![$($crate::digest::table::Column::of::<$kind>(stringify!($column)),)+]
            }

            fn with_room(rows: usize) -> $name {
                $name {
                    $($column: Vec::with_capacity(rows),)+
                }
            }

            fn write_columns(
                &self,
                group: &mut $crate::digest::table::Group<'_>,
            ) -> parquet::errors::Result<()> {
                $($crate::digest::table::write::<$kind>(group, &self.$column)?;)+
                Ok(())
            }

            type Readers = ($($crate::digest::table::Reader<$kind>,)+);

            fn open_columns(
                group: &dyn parquet::file::reader::RowGroupReader,
            ) -> parquet::errors::Result<Self::Readers> {
                let mut index = 0..;
                Ok(($($crate::digest::table::open::<$kind>(group, &mut index)?,)+))
            }

            fn read_columns(
                readers: &mut Self::Readers,
                rows: usize,
            ) -> parquet::errors::Result<$name> {
                let ($($column,)+) = readers;
                Ok($name {
                    $($column: $crate::digest::table::read::<$kind>($column, rows)?,)+
                })
            }
        }
    };
}

pub(super) use table;

/// Name and type of a column.
#[derive(Debug)]
pub(super) struct Column {
    name: &'static str,
    line: String,
    near: bool,
}

impl Column {
    pub(super) fn of<K: Kind>(name: &'static str) -> Column {
        let (stored, meaning) = K::TYPE;
        Column {
            name,
            line: format!("required {stored} {name} {meaning};"),
            near: K::NEAR,
        }
    }
}

/// Where the columns of some rows are written to.
pub(super) type Group<'w> = SerializedRowGroupWriter<'w, Vec<u8>>;

/// What [`table!`] declares.
pub(super) trait Table: Sized {
    /// What reads each of its columns, within one row group.
    type Readers;
    fn columns() -> Vec<Column>;
    /// Without rows, and with room for so many.
    fn with_room(rows: usize) -> Self;
    fn write_columns(&self, group: &mut Group<'_>) -> Result<()>;
    fn open_columns(group: &dyn RowGroupReader) -> Result<Self::Readers>;
    /// The next so many rows of all columns.
    fn read_columns(readers: &mut Self::Readers, rows: usize) -> Result<Self>;
}

/// Writes each part as a row group of its own.
pub(super) fn to_bytes<T: Table>(parts: impl IntoIterator<Item = T>) -> Result<Vec<u8>> {
    let columns = T::columns();
    let schema = schema(&columns)?;
    let mut writer =
        SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties(&columns)?))?;
    for part in parts {
        let mut group = writer.next_row_group()?;
        part.write_columns(&mut group)?;
        group.close()?;
    }
    writer.into_inner()
}

/// Reads the rows in their order, some thousands at a time: memory does not
/// follow the row groups.
pub(super) fn from_bytes<T: Table>(
    bytes: bytes::Bytes,
    mut each: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let reader = SerializedFileReader::new(bytes)?;
    let metadata = reader.metadata();
    let own = schema(&T::columns())?;
    if metadata.file_metadata().schema() != own.as_ref() {
        return Err(ParquetError::General(
            "its columns are not those of this version".to_owned(),
        ));
    }
    for index in 0..metadata.num_row_groups() {
        let group = reader.get_row_group(index)?;
        let rows = usize::try_from(group.metadata().num_rows());
        let mut rows = rows.map_err(|_| ParquetError::General("a negative length".to_owned()))?;
        let mut readers = T::open_columns(group.as_ref())?;
        while rows > 0 {
            let some = rows.min(AT_ONCE);
            each(T::read_columns(&mut readers, some)?)?;
            rows -= some;
        }
    }
    Ok(())
}

pub(super) fn write<K: Kind>(group: &mut Group<'_>, values: &[Value<K>]) -> Result<()> {
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column
        .typed::<K::Stored>()
        .write_batch(values, None, None)?;
    column.close()
}

pub(super) fn open<K: Kind>(
    group: &dyn RowGroupReader,
    index: &mut std::ops::RangeFrom<usize>,
) -> Result<Reader<K>> {
    let index = index.next().unwrap_or_default();
    let column = <K::Stored as DataType>::get_column_reader(group.get_column_reader(index)?);
    column.ok_or_else(|| ParquetError::General("a column of another type".to_owned()))
}

pub(super) fn read<K: Kind>(column: &mut Reader<K>, rows: usize) -> Result<Vec<Value<K>>> {
    let mut values = Vec::with_capacity(rows);
    while values.len() < rows {
        let (read, _, _) = column.read_records(rows - values.len(), None, None, &mut values)?;
        if read == 0 {
            return Err(ParquetError::EOF("a column ends early".to_owned()));
        }
    }
    Ok(values)
}

fn schema(columns: &[Column]) -> Result<TypePtr> {
    let lines: Vec<&str> = columns.iter().map(|column| column.line.as_str()).collect();
    let text = format!("message flowcinch {{ {} }}", lines.join(" "));
    Ok(Arc::new(parse_message_type(&text)?))
}

fn properties(columns: &[Column]) -> Result<WriterProperties> {
    let mut properties = WriterProperties::builder()
        .set_created_by("flowcinch".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?));
    for column in columns.iter().filter(|column| column.near) {
        let path = ColumnPath::from(column.name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    Ok(properties.build())
}

/// Text as Parquet has it.
pub(super) fn text(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    table! {
        /// One column of each kind.
        All { name: Text, is: Flag, small: Int, large: Count, at: Time, }
    }

    fn all(rows: i32) -> All {
        let mut all = All::default();
        for row in 0..rows {
            all.name.push(text(&format!("row {row}")));
            all.is.push(row % 3 == 0);
            all.small.push(-row);
            all.large.push(i64::from(row) - 1);
            all.at.push(i64::from(row) * 1_000);
        }
        all
    }

    #[test]
    fn a_table_comes_back_as_it_went() {
        let bytes = to_bytes([all(3), all(70_000)]).unwrap();
        let mut read = Vec::new();
        from_bytes(bytes.into(), |part: All| {
            read.push(part);
            Ok(())
        })
        .unwrap();
        let lengths: Vec<usize> = read.iter().map(|part| part.name.len()).collect();
        assert_eq!(lengths[..2], [3, AT_ONCE]);
        assert!(lengths.iter().all(|rows| *rows <= AT_ONCE));
        let first = read.remove(0);
        assert_eq!(first.small, all(3).small);
        assert_eq!(first.is, all(3).is);
        let mut long = All::default();
        for part in read {
            long.name.extend(part.name);
            long.is.extend(part.is);
            long.small.extend(part.small);
            long.large.extend(part.large);
            long.at.extend(part.at);
        }
        let All {
            name,
            is,
            small,
            large,
            at,
        } = all(70_000);
        assert_eq!((long.name, long.is, long.small), (name, is, small));
        assert_eq!((long.large, long.at), (large, at));
    }

    #[test]
    fn a_table_of_other_columns_is_refused() {
        table! {
            /// The same number of columns.
            Other { name: Text, is: Flag, small: Int, large: Count, when: Time, }
        }
        let bytes = to_bytes([all(3)]).unwrap();
        let error = from_bytes(bytes.into(), |_: Other| Ok(())).unwrap_err();
        assert!(error.to_string().contains("not those of this version"));
    }
}
