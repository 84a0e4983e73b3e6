//! Parquet flow logs: pages to rows, a batch of each column at a time.
//!
//! Of a file only the columns that fill a `Slot` are unpacked. The crate
//! `parquet` reads the footer; pages are found, inflated and decoded here, so
//! that a value that stands in a dictionary is parsed once, and never becomes a
//! text of its own. A row is put together from the columns' codes (`code`) and
//! goes the same two ways as a line: short where nothing is odd about it, else
//! through the same draft as text.
//!
//! Floor 2, no I/O: a file is one piece of memory. A file that is damaged, or
//! that its library falls over, is an error with its reason; rows before the
//! damage count.

mod bits;
mod chunk;
mod code;
mod pages;
mod rle;
mod rows;
mod schema;
mod whole;

use std::cell::Cell;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetStatisticsPolicy;
use parquet::file::reader::FileReader;
use parquet::file::reader::RowGroupReader;
use parquet::file::serialized_reader::ReadOptionsBuilder;
use parquet::file::serialized_reader::SerializedFileReader;

use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::FormError;
use crate::flowlog::parquet::chunk::Chunk;
use crate::flowlog::parquet::chunk::Space;
use crate::flowlog::parquet::chunk::Tools;
use crate::flowlog::parquet::code::Odds;
use crate::flowlog::parquet::pages::Inflater;
use crate::flowlog::parquet::rows::Assembly;
use crate::flowlog::parquet::schema::Plan;
use crate::flowlog::reader::Sink;

/// How every Parquet file begins and ends.
pub const MAGIC: &[u8; 4] = b"PAR1";

/// How files begin whose footer is encrypted.
pub const ENCRYPTED: &[u8; 4] = b"PARE";

/// Rows that are decoded at once: few enough to stay in the nearest cache.
const BATCH: usize = 1024;

/// Most bytes that one column of one row group may claim to unpack to.
const LARGEST_CHUNK: i64 = 1 << 30;

/// Most bytes, or values, of one page. Writers stop at a megabyte; few go to a
/// hundred.
const LARGEST_PAGE: i64 = 128 << 20;

/// Most bytes of a footer.
const LARGEST_FOOTER: u64 = 16 << 20;

/// Most rows to a byte of the file: nulls cost next to nothing, so a small
/// damaged file could keep a run busy for days. Gzipped text cannot hold more
/// lines to a byte either.
const MOST_ROWS_A_BYTE: u64 = 512;

/// An open file; row groups are read in any order, and by any number of threads.
pub struct ParquetFile {
    data: Bytes,
    reader: SerializedFileReader<Bytes>,
    plan: Plan,
    /// Number of the first row of each row group, from 1.
    first_rows: Vec<u64>,
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile")
            .field("plan", &self.plan)
            .field("row_groups", &self.first_rows.len())
            .finish_non_exhaustive()
    }
}

impl ParquetFile {
    /// Reads the footer.
    ///
    /// # Errors
    /// Where there is none, or its columns are not those of a flow log.
    pub fn open(data: Bytes) -> Result<ParquetFile, FormError> {
        if !data.ends_with(MAGIC) {
            return Err(FormError::ParquetCutShort);
        }
        if footer_bytes(&data).is_none_or(|size| size > LARGEST_FOOTER) {
            return Err(FormError::damaged("its footer claims an impossible size"));
        }
        let most_rows = (data.len() as u64).saturating_mul(MOST_ROWS_A_BYTE);
        guarded(|| {
            // Nobody asks what values a column has at most.
            let options = ReadOptionsBuilder::new()
                .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
                .build();
            let reader = SerializedFileReader::new_with_options(data.clone(), options)
                .map_err(|error| unreadable(&error))?;
            let plan = Plan::of(reader.metadata().file_metadata().schema_descr())?;
            let mut next = 1_u64;
            let mut first_rows = Vec::new();
            for group in reader.metadata().row_groups() {
                first_rows.push(next);
                let rows = u64::try_from(group.num_rows())
                    .map_err(|_| FormError::damaged("a row group has less than no rows"))?;
                next = next.saturating_add(rows);
            }
            if next > most_rows {
                return Err(FormError::damaged("it claims more rows than it can hold"));
            }
            Ok(ParquetFile {
                data,
                reader,
                plan,
                first_rows,
            })
        })
    }

    /// How many row groups there are.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.first_rows.len()
    }

    /// Bytes that the wanted columns unpack to, as the footer says.
    #[must_use]
    pub fn unpacked_bytes(&self) -> u64 {
        let groups = self.reader.metadata().row_groups().iter();
        let sizes = groups.flat_map(|group| {
            let columns = self.plan.columns.iter();
            columns.filter_map(|column| group.columns().get(column.leaf))
        });
        sizes
            .filter_map(|column| u64::try_from(column.uncompressed_size()).ok())
            .sum()
    }

    /// Reads one row group.
    ///
    /// # Errors
    /// Where it is damaged; rows before the damage were given.
    pub fn read_group(
        &self,
        group: usize,
        workshop: &mut Workshop,
        interfaces: &mut Interfaces,
        sink: &mut impl Sink,
    ) -> Result<(), FormError> {
        let pages = guarded(|| {
            let pages = self.reader.get_row_group(group);
            pages.map_err(|error| unreadable(&error))
        })?;
        let mut chunks = self.chunks(pages.as_ref(), &mut workshop.spaces)?;
        let mut left = u64::try_from(pages.metadata().num_rows())
            .map_err(|_| FormError::damaged("a row group has less than no rows"))?;
        let codes = mem::take(&mut workshop.codes);
        let first_row = self.first_rows.get(group).copied();
        let mut assembly = Assembly::new(&self.plan, first_row, codes);
        let Workshop { odds, inflater, .. } = workshop;
        odds.forget();
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
            odds.forget_batch();
            for (chunk, codes) in chunks.iter_mut().zip(&mut assembly.codes) {
                let mut tools = Tools {
                    odds: &mut *odds,
                    interfaces: &mut *interfaces,
                    inflater: &mut *inflater,
                };
                codes.clear();
                chunk.read(count, codes, &mut tools)?;
            }
            assembly.give(count, odds, interfaces, sink);
            sink.pause(interfaces);
            left = left.saturating_sub(count as u64);
        }
        workshop.codes = assembly.into_codes();
        workshop.spaces = chunks.into_iter().rev().map(Chunk::into_space).collect();
        Ok(())
    }

    /// The columns that are read.
    fn chunks(
        &self,
        group: &dyn RowGroupReader,
        spaces: &mut Vec<Space>,
    ) -> Result<Vec<Chunk>, FormError> {
        let mut chunks = Vec::with_capacity(self.plan.columns.len());
        for column in &self.plan.columns {
            let missing = || FormError::damaged("a row group lacks a column");
            let meta = group.metadata().columns().get(column.leaf);
            let meta = meta.ok_or_else(missing)?;
            if !(0..=LARGEST_CHUNK).contains(&meta.uncompressed_size()) {
                return Err(FormError::damaged("a column claims an impossible size"));
            }
            let space = spaces.pop().unwrap_or_default();
            chunks.push(Chunk::of(&self.data, group, meta, column, space)?);
        }
        Ok(chunks)
    }
}

/// What reading one row group leaves for the next, of whatever file: memory, and
/// what inflates.
#[derive(Debug, Default)]
pub struct Workshop {
    inflater: Inflater,
    odds: Odds,
    spaces: Vec<Space>,
    codes: Vec<Vec<u64>>,
}

/// The length of the footer, which stands before the last four bytes.
fn footer_bytes(data: &[u8]) -> Option<u64> {
    let (front, _) = data.split_last_chunk::<4>()?;
    let (_, size) = front.split_last_chunk::<4>()?;
    Some(u64::from(u32::from_le_bytes(*size)))
}

/// What the library says of a file, on one line.
fn unreadable(error: &ParquetError) -> FormError {
    let text = error.to_string().replace(char::is_control, " ");
    let text = text
        .trim_start_matches("Parquet error: ")
        .trim_start_matches("EOF: ");
    FormError::Damaged(text.to_owned())
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is within the library that reads footers and rare
/// encodings. It checks what it reads, and yet may panic over a damaged file;
/// that is caught and told as damage, so nobody else needs to tell it.
#[must_use]
pub fn is_guarded() -> bool {
    GUARDED.get()
}

fn guarded<T>(work: impl FnOnce() -> Result<T, FormError>) -> Result<T, FormError> {
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    done.unwrap_or_else(|_| Err(FormError::damaged("its decoder gave up")))
}
