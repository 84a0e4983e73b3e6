//! One column of one row group, read as codes: page by page, a value that
//! stands in the dictionary parsed once.

use std::mem;
use std::ops::Range;

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
use crate::flowlog::parquet::pages::Pages;
use crate::flowlog::parquet::pages::Role;
use crate::flowlog::parquet::pages::Room;
use crate::flowlog::parquet::rle::Rle;
use crate::flowlog::parquet::schema::Column;
use crate::flowlog::parquet::schema::Physical;
use crate::flowlog::parquet::whole;
use crate::flowlog::parquet::whole::Value;
use crate::flowlog::value::whole_number;

/// A column of a row group on its way.
#[derive(Debug)]
pub(super) struct Chunk {
    column: Column,
    pages: Pages,
    page: Open,
    space: Space,
}

/// What a column needs while it is read, and leaves for the next.
#[derive(Debug, Default)]
pub(super) struct Space {
    room: Room,
    dictionary: Vec<u64>,
    /// Levels, and codes on their way to where those say.
    levels: Vec<u32>,
    present: Vec<u64>,
}

/// The page that is being read.
#[derive(Debug)]
struct Open {
    /// Values and nulls that are left in it.
    left: usize,
    /// Where values may be null or sit in a list.
    definitions: Option<Rle>,
    repetitions: Option<Rle>,
    values: Values,
}

#[derive(Debug)]
enum Values {
    Dictionary(Rle),
    /// From here on, to the end of the page.
    Plain(usize),
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
        space: Space,
    ) -> Result<Chunk, FormError> {
        let pages = Pages::of(file, meta)?;
        let known = meta.encodings().all(is_known);
        let mut page = Open {
            left: 0,
            definitions: None,
            repetitions: None,
            values: Values::Plain(0),
        };
        if !known {
            page.values = Values::Ready(guarded(|| whole::read(group, column))?.into_iter());
        }
        Ok(Chunk {
            column: column.clone(),
            pages,
            page,
            space,
        })
    }

    /// What the next column may use.
    pub(super) fn into_space(mut self) -> Space {
        self.space.room.clear();
        self.space.dictionary.clear();
        self.space
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
        let page = self.space.room.page();
        match definitions.same(page, most)? {
            Some((level, count)) if level == full => {
                self.values(count, out, tools)?;
                Ok(count)
            }
            Some((_, count)) => {
                out.resize(out.len().saturating_add(count), ABSENT);
                Ok(count)
            }
            None => {
                let mut levels = mem::take(&mut self.space.levels);
                levels.clear();
                let count = definitions.packed(page, most, |level| level, &mut levels);
                let there = levels.iter().filter(|level| **level == full).count();
                let mut present = mem::take(&mut self.space.present);
                present.clear();
                let read = self.values(there, &mut present, tools);
                let mut next = present.iter().copied();
                out.extend(levels.iter().map(|level| {
                    let code = (*level == full).then(|| next.next()).flatten();
                    code.unwrap_or(ABSENT)
                }));
                self.space.levels = levels;
                self.space.present = present;
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
                Some(levels) => one(levels, self.space.room.page())? == 0,
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
        let Space {
            room, dictionary, ..
        } = &mut self.space;
        match &mut self.page.values {
            Values::Dictionary(values) => looked_up(values, room.page(), count, dictionary, out),
            Values::Plain(at) => {
                let mut context = Context {
                    kind: self.column.kind,
                    keep: false,
                    odds: tools.odds,
                    interfaces: tools.interfaces,
                };
                let rest = room.page().get(*at..).ok_or_else(short)?;
                let read = plain(rest, self.column.physical, count, &mut context, out)?;
                *at = at.saturating_add(read);
                Ok(())
            }
            Values::Ready(_) => Err(short()),
        }
    }

    /// Opens the next data page where the open one is used up.
    fn next_page(&mut self, tools: &mut Tools<'_>) -> Result<(), FormError> {
        while self.page.left == 0 {
            let room = &mut self.space.room;
            let page = self.pages.next(tools.inflater, room)?;
            let page = page.ok_or_else(short)?;
            let parts = match page.role {
                Role::Dictionary => {
                    self.take_dictionary(page.values, tools)?;
                    continue;
                }
                Role::Data {
                    definitions,
                    repetitions,
                } => self.levels(definitions, repetitions)?,
                Role::DataV2 {
                    definitions,
                    repetitions,
                } => self.levels_v2(definitions, repetitions)?,
            };
            let data = self.space.room.page();
            self.page = Open {
                left: page.values,
                values: values_of(page.encoding, data, parts.rest)?,
                definitions: levels(self.column.max_definition, parts.definitions)?,
                repetitions: levels(self.column.max_repetition, parts.repetitions)?,
            };
        }
        Ok(())
    }

    fn take_dictionary(&mut self, count: usize, tools: &mut Tools<'_>) -> Result<(), FormError> {
        let mut context = Context {
            kind: self.column.kind,
            keep: true,
            odds: tools.odds,
            interfaces: tools.interfaces,
        };
        let Space {
            room, dictionary, ..
        } = &mut self.space;
        dictionary.clear();
        let physical = self.column.physical;
        plain(room.page(), physical, count, &mut context, dictionary).map(|_| ())
    }

    /// Levels in front of a page of the first version, each behind its length,
    /// and what follows them.
    fn levels(&self, definitions: i64, repetitions: i64) -> Result<Parts, FormError> {
        let (most, deepest) = (self.column.max_definition, self.column.max_repetition);
        let sound = |most: u8, encoding| most == 0 || encoding == pages::RLE;
        if !sound(most, definitions) || !sound(deepest, repetitions) {
            return Err(FormError::damaged(
                "levels in an encoding given up long ago",
            ));
        }
        let page = self.space.room.page();
        let (repetitions, rest) = sized_levels(deepest, page, 0..page.len())?;
        let (definitions, rest) = sized_levels(most, page, rest)?;
        Ok(Parts {
            repetitions,
            definitions,
            rest,
        })
    }

    /// As [`Chunk::levels`], of the second version, whose header has the lengths.
    fn levels_v2(&self, definitions: usize, repetitions: usize) -> Result<Parts, FormError> {
        let page = self.space.room.page();
        let (repetitions, rest) = cut(0..page.len(), repetitions)?;
        let (definitions, rest) = cut(rest, definitions)?;
        Ok(Parts {
            repetitions,
            definitions,
            rest,
        })
    }
}

/// Where in a page its levels and its values are.
struct Parts {
    repetitions: Range<usize>,
    definitions: Range<usize>,
    rest: Range<usize>,
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

fn one(levels: &mut Rle, page: &[u8]) -> Result<u32, FormError> {
    if let Some((level, _)) = levels.same(page, 1)? {
        return Ok(level);
    }
    let mut level = Vec::with_capacity(1);
    levels.packed(page, 1, |level| level, &mut level);
    level.first().copied().ok_or_else(short)
}

fn values_of(encoding: i64, page: &[u8], rest: Range<usize>) -> Result<Values, FormError> {
    if encoding == pages::PLAIN {
        return Ok(Values::Plain(rest.start));
    }
    if ![pages::PLAIN_DICTIONARY, pages::RLE_DICTIONARY].contains(&encoding) {
        return Err(FormError::damaged(
            "a page in an encoding that its footer hides",
        ));
    }
    let Some(width) = page.get(rest.start).copied() else {
        // A page of nulls alone.
        return Ok(Values::Dictionary(Rle::new(rest, 0)?));
    };
    let (_, indices) = cut(rest, 1)?;
    Ok(Values::Dictionary(Rle::new(indices, u32::from(width))?))
}

/// Levels with their length before them, and what follows.
fn sized_levels(
    most: u8,
    page: &[u8],
    at: Range<usize>,
) -> Result<(Range<usize>, Range<usize>), FormError> {
    if most == 0 {
        return Ok((at.start..at.start, at));
    }
    let size = page
        .get(at.clone())
        .and_then(|data| data.first_chunk::<4>());
    let size =
        usize::try_from(u32::from_le_bytes(*size.ok_or_else(short)?)).map_err(|_| short())?;
    let (_, data) = cut(at, 4)?;
    cut(data, size)
}

fn levels(most: u8, at: Range<usize>) -> Result<Option<Rle>, FormError> {
    match most {
        0 => Ok(None),
        most => Rle::new(at, 8_u32.saturating_sub(most.leading_zeros())).map(Some),
    }
}

fn cut(stretch: Range<usize>, len: usize) -> Result<(Range<usize>, Range<usize>), FormError> {
    let middle = stretch.start.saturating_add(len);
    if middle > stretch.end {
        return Err(short());
    }
    Ok((stretch.start..middle, middle..stretch.end))
}

/// Appends the dictionary's codes of the next indices.
fn looked_up(
    values: &mut Rle,
    page: &[u8],
    count: usize,
    dictionary: &[u64],
    out: &mut Vec<u64>,
) -> Result<(), FormError> {
    let mut left = count;
    while left > 0 {
        if let Some((index, times)) = values.same(page, left)? {
            let code = dictionary.get(index as usize).copied();
            let code = code.ok_or_else(beyond)?;
            out.resize(out.len().saturating_add(times), code);
            left = left.saturating_sub(times);
            continue;
        }
        let mut within = true;
        let code = |index: u32| {
            let code = dictionary.get(index as usize);
            within &= code.is_some();
            code.copied().unwrap_or(ABSENT)
        };
        let times = values.packed(page, left, code, out);
        if !within || times == 0 {
            return Err(beyond());
        }
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

/// Appends so many plain values, and says how many bytes they take.
fn plain(
    data: &[u8],
    physical: Physical,
    count: usize,
    context: &mut Context<'_>,
    out: &mut Vec<u64>,
) -> Result<usize, FormError> {
    match physical {
        Physical::Int32 => {
            let size = count.checked_mul(4).ok_or_else(short)?;
            let (words, _) = data.get(..size).ok_or_else(short)?.as_chunks::<4>();
            let numbers = words.iter().map(|word| i32::from_le_bytes(*word).into());
            context.kind.of_numbers(numbers, out);
            Ok(size)
        }
        Physical::Int64 => {
            let size = count.checked_mul(8).ok_or_else(short)?;
            let (words, _) = data.get(..size).ok_or_else(short)?.as_chunks::<8>();
            let numbers = words.iter().map(|word| i64::from_le_bytes(*word));
            context.kind.of_numbers(numbers, out);
            Ok(size)
        }
        Physical::Float => {
            let size = count.checked_mul(4).ok_or_else(short)?;
            let (words, _) = data.get(..size).ok_or_else(short)?.as_chunks::<4>();
            let numbers = words.iter().map(|word| f32::from_le_bytes(*word).into());
            context.kind.of_numbers(numbers.map(whole_number), out);
            Ok(size)
        }
        Physical::Double => {
            let size = count.checked_mul(8).ok_or_else(short)?;
            let (words, _) = data.get(..size).ok_or_else(short)?.as_chunks::<8>();
            let numbers = words.iter().map(|word| f64::from_le_bytes(*word));
            context.kind.of_numbers(numbers.map(whole_number), out);
            Ok(size)
        }
        Physical::Text => {
            let mut rest = data;
            for _ in 0..count {
                let (size, behind) = rest.split_first_chunk::<4>().ok_or_else(short)?;
                let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| short())?;
                let (text, behind) = behind.split_at_checked(size).ok_or_else(short)?;
                out.push(context.kind.of_text(
                    text,
                    context.keep,
                    context.odds,
                    context.interfaces,
                ));
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
