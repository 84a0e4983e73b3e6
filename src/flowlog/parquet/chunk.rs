//! One column of one row group, read as codes: page by page, a value that
//! stands in the dictionary parsed once.

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::RowGroupReader;

use crate::flowlog::brief::Interfaces;
use crate::flowlog::error::FormError;
use crate::flowlog::parquet::code::ABSENT;
use crate::flowlog::parquet::code::Kind;
use crate::flowlog::parquet::code::Odds;
use crate::flowlog::parquet::guarded;
use crate::flowlog::parquet::pages;
use crate::flowlog::parquet::pages::Inflater;
use crate::flowlog::parquet::pages::Page;
use crate::flowlog::parquet::pages::Pages;
use crate::flowlog::parquet::pages::Role;
use crate::flowlog::parquet::rle::Rle;
use crate::flowlog::parquet::schema::Column;
use crate::flowlog::parquet::schema::Physical;
use crate::flowlog::parquet::whole;
use crate::flowlog::parquet::whole::Value;

/// A column of a row group on its way.
pub(super) struct Chunk {
    column: Column,
    pages: Pages,
    dictionary: Vec<u64>,
    page: Open,
    /// Numbers on their way to be levels or codes.
    scratch: Vec<u32>,
    indices: Vec<u32>,
    present: Vec<u64>,
}

/// The page that is being read.
struct Open {
    /// Values and nulls that are left in it.
    left: usize,
    /// Where values may be null or sit in a list.
    definitions: Option<Rle>,
    repetitions: Option<Rle>,
    values: Values,
}

enum Values {
    Dictionary(Rle),
    Plain {
        data: Bytes,
        at: usize,
    },
    /// Of a column that was read whole.
    Ready(std::vec::IntoIter<Value>),
}

impl Chunk {
    /// A column of a row group of a file.
    pub(super) fn of(
        file: &Bytes,
        group: &dyn RowGroupReader,
        meta: &ColumnChunkMetaData,
        column: &Column,
    ) -> Result<Chunk, FormError> {
        let pages = Pages::of(file, meta)?;
        let known = meta.encodings().all(is_known);
        let mut page = Open {
            left: 0,
            definitions: None,
            repetitions: None,
            values: Values::Plain {
                data: Bytes::new(),
                at: 0,
            },
        };
        if !known {
            page.values = Values::Ready(guarded(|| whole::read(group, column))?.into_iter());
        }
        Ok(Chunk {
            column: column.clone(),
            pages,
            dictionary: Vec::new(),
            page,
            scratch: Vec::new(),
            indices: Vec::new(),
            present: Vec::new(),
        })
    }

    /// Appends the codes of the next rows.
    pub(super) fn read(
        &mut self,
        rows: usize,
        out: &mut Vec<u64>,
        tools: &mut Tools<'_>,
    ) -> Result<(), FormError> {
        if let Values::Ready(codes) = &mut self.page.values {
            let kind = self.column.kind;
            out.extend(codes.take(rows).map(|value| match value {
                Value::Absent => ABSENT,
                Value::Number(number) => kind.of_number(number),
                Value::Text(text) => kind.of_text(&text, false, tools.odds, tools.interfaces),
            }));
            return if out.len() == rows {
                Ok(())
            } else {
                Err(short())
            };
        }
        if self.column.max_repetition > 0 {
            return self.read_lists(rows, out, tools);
        }
        while out.len() < rows {
            self.next_page(tools)?;
            let most = rows.saturating_sub(out.len()).min(self.page.left);
            let done = self.read_some(most, out, tools)?;
            self.page.left = self.page.left.saturating_sub(done);
        }
        Ok(())
    }

    /// Values and nulls, up to `most` and at least one.
    fn read_some(
        &mut self,
        most: usize,
        out: &mut Vec<u64>,
        tools: &mut Tools<'_>,
    ) -> Result<usize, FormError> {
        let full = u32::from(self.column.max_definition);
        let Some(definitions) = &mut self.page.definitions else {
            self.values(most, out, tools)?;
            return Ok(most);
        };
        match definitions.same(most)? {
            Some((level, count)) if level == full => {
                self.values(count, out, tools)?;
                Ok(count)
            }
            Some((_, count)) => {
                out.resize(out.len().saturating_add(count), ABSENT);
                Ok(count)
            }
            None => {
                let mut levels = std::mem::take(&mut self.scratch);
                levels.clear();
                let count = definitions.packed(most, &mut levels);
                let there = levels.iter().filter(|level| **level == full).count();
                let mut present = std::mem::take(&mut self.present);
                present.clear();
                let read = self.values(there, &mut present, tools);
                let mut next = present.iter().copied();
                out.extend(levels.iter().map(|level| {
                    let code = (*level == full).then(|| next.next()).flatten();
                    code.unwrap_or(ABSENT)
                }));
                self.scratch = levels;
                self.present = present;
                read.map(|()| count)
            }
        }
    }

    /// Rows of a column of lists: of each its first value.
    fn read_lists(
        &mut self,
        rows: usize,
        out: &mut Vec<u64>,
        tools: &mut Tools<'_>,
    ) -> Result<(), FormError> {
        loop {
            if out.len() == rows && self.page.left == 0 {
                return Ok(());
            }
            if self.page.left == 0 {
                self.next_page(tools)?;
            }
            // One at a time: few columns are lists, and few lists are long.
            let begins = match self.page.repetitions.as_mut() {
                Some(levels) => one(levels)? == 0,
                None => true,
            };
            if begins && out.len() == rows {
                self.push_back_row();
                return Ok(());
            }
            let before = out.len();
            self.read_some(1, out, tools)?;
            self.page.left = self.page.left.saturating_sub(1);
            if !begins {
                out.truncate(before);
            }
        }
    }

    /// The level of a row that the next batch begins with was read already.
    fn push_back_row(&mut self) {
        if let Some(levels) = &mut self.page.repetitions {
            levels.give_back();
        }
    }

    fn values(
        &mut self,
        count: usize,
        out: &mut Vec<u64>,
        tools: &mut Tools<'_>,
    ) -> Result<(), FormError> {
        match &mut self.page.values {
            Values::Dictionary(indices) => {
                let dictionary = &self.dictionary;
                looked_up(indices, count, dictionary, &mut self.indices, out)
            }
            Values::Plain { data, at } => {
                let mut context = Context {
                    kind: self.column.kind,
                    keep: false,
                    odds: tools.odds,
                    interfaces: tools.interfaces,
                };
                *at = plain(data, *at, self.column.physical, count, &mut context, out)?;
                Ok(())
            }
            Values::Ready(_) => Err(short()),
        }
    }

    /// Opens the next data page where the open one is used up.
    fn next_page(&mut self, tools: &mut Tools<'_>) -> Result<(), FormError> {
        while self.page.left == 0 {
            let Page {
                role,
                values,
                encoding,
                data,
            } = self.pages.next(tools.inflater)?.ok_or_else(short)?;
            let (repetitions, definitions, rest) = match role {
                Role::Dictionary => {
                    self.take_dictionary(&data, values, tools)?;
                    continue;
                }
                Role::Data {
                    definitions,
                    repetitions,
                } => self.levels(definitions, repetitions, data)?,
                Role::DataV2 {
                    definitions,
                    repetitions,
                } => {
                    let (first, rest) = cut(data, repetitions)?;
                    let (second, rest) = cut(rest, definitions)?;
                    let repetitions = levels(self.column.max_repetition, first)?;
                    (
                        repetitions,
                        levels(self.column.max_definition, second)?,
                        rest,
                    )
                }
            };
            self.page = Open {
                left: values,
                definitions,
                repetitions,
                values: values_of(encoding, rest)?,
            };
        }
        Ok(())
    }

    fn take_dictionary(
        &mut self,
        data: &Bytes,
        count: usize,
        tools: &mut Tools<'_>,
    ) -> Result<(), FormError> {
        let mut context = Context {
            kind: self.column.kind,
            keep: true,
            odds: tools.odds,
            interfaces: tools.interfaces,
        };
        let physical = self.column.physical;
        self.dictionary.clear();
        plain(data, 0, physical, count, &mut context, &mut self.dictionary).map(|_| ())
    }

    /// Levels in front of a page of the first version, and what follows them.
    fn levels(
        &self,
        definitions: i64,
        repetitions: i64,
        data: Bytes,
    ) -> Result<(Option<Rle>, Option<Rle>, Bytes), FormError> {
        let (most, deepest) = (self.column.max_definition, self.column.max_repetition);
        let sound = |most: u8, encoding| most == 0 || encoding == pages::RLE;
        if !sound(most, definitions) || !sound(deepest, repetitions) {
            return Err(FormError::damaged(
                "levels in an encoding given up long ago",
            ));
        }
        let (repetitions, rest) = sized_levels(deepest, data)?;
        let (definitions, rest) = sized_levels(most, rest)?;
        Ok((repetitions, definitions, rest))
    }
}

fn is_known(encoding: Encoding) -> bool {
    #[expect(deprecated, reason = "files written long ago say so of their levels")]
    let levels = encoding == Encoding::BIT_PACKED;
    let values = matches!(
        encoding,
        Encoding::PLAIN | Encoding::RLE | Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY
    );
    levels || values
}

fn one(levels: &mut Rle) -> Result<u32, FormError> {
    if let Some((level, _)) = levels.same(1)? {
        return Ok(level);
    }
    let mut level = Vec::with_capacity(1);
    levels.packed(1, &mut level);
    level.first().copied().ok_or_else(short)
}

fn values_of(encoding: i64, data: Bytes) -> Result<Values, FormError> {
    if encoding == pages::PLAIN {
        return Ok(Values::Plain { data, at: 0 });
    }
    if ![pages::PLAIN_DICTIONARY, pages::RLE_DICTIONARY].contains(&encoding) {
        return Err(FormError::damaged(
            "a page in an encoding that its footer hides",
        ));
    }
    let Some(width) = data.first().copied() else {
        // A page of nulls alone.
        return Ok(Values::Dictionary(Rle::new(data, 0)?));
    };
    let (_, indices) = cut(data, 1)?;
    Ok(Values::Dictionary(Rle::new(indices, u32::from(width))?))
}

/// Levels with their length before them, and what follows.
fn sized_levels(most: u8, data: Bytes) -> Result<(Option<Rle>, Bytes), FormError> {
    if most == 0 {
        return Ok((None, data));
    }
    let size = data.first_chunk::<4>().ok_or_else(short)?;
    let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| short())?;
    let (_, data) = cut(data, 4)?;
    let (front, rest) = cut(data, size)?;
    Ok((levels(most, front)?, rest))
}

fn levels(most: u8, data: Bytes) -> Result<Option<Rle>, FormError> {
    match most {
        0 => Ok(None),
        most => Rle::new(data, 8_u32.saturating_sub(most.leading_zeros())).map(Some),
    }
}

fn cut(mut data: Bytes, at: usize) -> Result<(Bytes, Bytes), FormError> {
    if at > data.len() {
        return Err(short());
    }
    let rest = data.split_off(at);
    Ok((data, rest))
}

/// Appends the dictionary's codes of the next indices.
fn looked_up(
    indices: &mut Rle,
    count: usize,
    dictionary: &[u64],
    scratch: &mut Vec<u32>,
    out: &mut Vec<u64>,
) -> Result<(), FormError> {
    let code = |index: u32| dictionary.get(index as usize).copied();
    let mut left = count;
    while left > 0 {
        if let Some((index, times)) = indices.same(left)? {
            let code = code(index).ok_or_else(beyond)?;
            out.resize(out.len().saturating_add(times), code);
            left = left.saturating_sub(times);
            continue;
        }
        scratch.clear();
        let times = indices.packed(left, scratch);
        let largest = scratch.iter().copied().max().unwrap_or(0);
        if times == 0 || largest as usize >= dictionary.len() {
            return Err(beyond());
        }
        // All are within; an exact length lets them be written at once.
        out.extend(scratch.iter().map(|index| code(*index).unwrap_or(ABSENT)));
        left = left.saturating_sub(times);
    }
    Ok(())
}

/// What columns of a row group share while they are read.
#[derive(Debug)]
pub(super) struct Tools<'a> {
    pub(super) odds: &'a mut Odds,
    pub(super) interfaces: &'a mut Interfaces,
    pub(super) inflater: &'a mut Inflater,
}

/// What makes a value a code.
struct Context<'a> {
    kind: Kind,
    keep: bool,
    odds: &'a mut Odds,
    interfaces: &'a mut Interfaces,
}

/// Appends so many plain values, and says where they end.
fn plain(
    data: &Bytes,
    at: usize,
    physical: Physical,
    count: usize,
    context: &mut Context<'_>,
    out: &mut Vec<u64>,
) -> Result<usize, FormError> {
    let rest = data.get(at..).ok_or_else(short)?;
    let kind = context.kind;
    match physical {
        Physical::Int32 => {
            let size = count.checked_mul(4).ok_or_else(short)?;
            let (words, _) = rest.get(..size).ok_or_else(short)?.as_chunks::<4>();
            let number = |word: &[u8; 4]| i64::from(i32::from_le_bytes(*word));
            out.extend(words.iter().map(|word| kind.of_number(number(word))));
            Ok(at.saturating_add(size))
        }
        Physical::Int64 => {
            let size = count.checked_mul(8).ok_or_else(short)?;
            let (words, _) = rest.get(..size).ok_or_else(short)?.as_chunks::<8>();
            out.extend(
                words
                    .iter()
                    .map(|word| kind.of_number(i64::from_le_bytes(*word))),
            );
            Ok(at.saturating_add(size))
        }
        Physical::Text => {
            let mut rest = rest;
            for _ in 0..count {
                let (size, behind) = rest.split_first_chunk::<4>().ok_or_else(short)?;
                let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| short())?;
                let (text, behind) = behind.split_at_checked(size).ok_or_else(short)?;
                out.push(kind.of_text(text, context.keep, context.odds, context.interfaces));
                rest = behind;
            }
            Ok(data.len().saturating_sub(rest.len()))
        }
    }
}

#[cold]
pub(super) fn short() -> FormError {
    FormError::damaged("a column ends before its rows do")
}

#[cold]
fn beyond() -> FormError {
    FormError::damaged("a value stands beyond its dictionary")
}
