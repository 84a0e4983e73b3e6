//! The pages of one column of one row group: headers (Thrift's compact protocol)
//! and what they say of the bytes behind them, checked and inflated. Flow logs
//! come in many small pages of gzip, which are inflated in one call each.
//!
//! Source: Parquet format, `parquet.thrift` (`PageHeader`) and "Data Pages".

use std::fmt;
use std::io::Read;
use std::ops::Range;
use std::ops::RangeInclusive;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use libdeflater::Decompressor;
use parquet::basic::Compression;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::flowlog::error::FormError;
use crate::flowlog::parquet::LARGEST_PAGE;

/// Encodings, by their numbers in files.
pub(super) const PLAIN: i64 = 0;
pub(super) const PLAIN_DICTIONARY: i64 = 2;
pub(super) const RLE: i64 = 3;
pub(super) const RLE_DICTIONARY: i64 = 8;

/// Bytes of room that are kept from one column to the next.
const LARGEST_KEPT: usize = 4 << 20;

/// Structures within structures of a header.
const DEEPEST: u8 = 4;

/// One page; its bytes, inflated, are in the room that it was read into.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) role: Role,
    /// Values and nulls.
    pub(super) values: usize,
    pub(super) encoding: i64,
}

/// What a page is for, and where its levels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Dictionary,
    /// Levels are in front, each with its length.
    Data {
        definitions: i64,
        repetitions: i64,
    },
    /// Levels are in front, so many bytes of each.
    DataV2 {
        definitions: usize,
        repetitions: usize,
    },
}

/// Bytes of a page, and room for those of the next: what was taken is neither
/// given back nor cleared in between.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes: Vec<u8>,
    len: usize,
}

impl Room {
    /// The page's bytes.
    #[inline]
    pub(super) fn page(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Room for a page of so many bytes. What it holds is any bytes.
    fn of(&mut self, len: usize) -> &mut [u8] {
        if len > self.bytes.len() {
            self.bytes.resize(len, 0);
        }
        self.len = len;
        self.bytes.get_mut(..len).unwrap_or_default()
    }

    /// Forgets the page, and gives back what only huge pages take.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.bytes.len() > LARGEST_KEPT {
            self.bytes = Vec::new();
        }
    }
}

/// Inflates pages.
pub(super) struct Inflater {
    gzip: Decompressor,
    snappy: snap::raw::Decoder,
    /// Made when first asked for: few files have it, and it is large.
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Default for Inflater {
    fn default() -> Inflater {
        Inflater {
            gzip: Decompressor::new(),
            snappy: snap::raw::Decoder::new(),
            zstd: None,
        }
    }
}

/// A column of a row group, page by page.
#[derive(Debug)]
pub(super) struct Pages {
    rest: Bytes,
    compression: Compression,
}

impl Pages {
    /// The pages of a column of a row group of a file.
    pub(super) fn of(file: &Bytes, column: &ColumnChunkMetaData) -> Result<Pages, FormError> {
        let stretch = stretch(column).filter(|stretch| stretch.end <= file.len());
        let beyond = || FormError::damaged("a column lies beyond the file");
        Ok(Pages {
            rest: file.slice(stretch.ok_or_else(beyond)?),
            compression: column.compression(),
        })
    }

    /// The next page, its bytes put into the room; `None` at the end.
    pub(super) fn next(
        &mut self,
        inflater: &mut Inflater,
        room: &mut Room,
    ) -> Result<Option<Page>, FormError> {
        while !self.rest.is_empty() {
            let mut header = Header {
                data: &self.rest,
                at: 0,
            };
            let fields = header.page()?;
            let at = header.at;
            drop(self.rest.split_to(at));
            let stored = size(fields.stored)?;
            if stored > self.rest.len() {
                return Err(FormError::damaged("a page is cut short"));
            }
            let stored = self.rest.split_to(stored);
            if fields
                .crc
                .is_some_and(|crc| crc & 0xffff_ffff != i64::from(libdeflater::crc32(&stored)))
            {
                return Err(FormError::damaged("a page's checksum does not fit"));
            }
            if let Some((role, values, encoding)) = fields.role()? {
                let page = Page {
                    role,
                    values,
                    encoding,
                };
                self.inflate(&stored, &fields, role, inflater, room)?;
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// The page's bytes; levels of the second version are never compressed.
    fn inflate(
        &self,
        stored: &[u8],
        fields: &Fields,
        role: Role,
        inflater: &mut Inflater,
        room: &mut Room,
    ) -> Result<(), FormError> {
        let unpacked = size(fields.unpacked)?;
        let Role::DataV2 {
            definitions,
            repetitions,
        } = role
        else {
            return inflater.inflate(self.compression, &[], stored, unpacked, room);
        };
        let levels = definitions.saturating_add(repetitions);
        let (front, values) = stored
            .split_at_checked(levels)
            .filter(|_| levels <= unpacked)
            .ok_or_else(|| FormError::damaged("levels are longer than their page"))?;
        let compression = match fields.v2.get(7).copied().flatten() {
            Some(0) => Compression::UNCOMPRESSED,
            Some(_) | None => self.compression,
        };
        inflater.inflate(compression, front, values, unpacked, room)
    }
}

impl Inflater {
    /// What is stored, inflated to so many bytes behind those in front, which
    /// count among them.
    fn inflate(
        &mut self,
        compression: Compression,
        front: &[u8],
        stored: &[u8],
        unpacked: usize,
        room: &mut Room,
    ) -> Result<(), FormError> {
        let behind = unpacked.saturating_sub(front.len());
        let stays = compression == Compression::UNCOMPRESSED || stored.is_empty() && behind == 0;
        let unpacked = if stays {
            front.len().saturating_add(stored.len())
        } else {
            unpacked
        };
        if !stays && !may_inflate(compression, stored, behind)? {
            return Err(undone());
        }
        let to = room.of(unpacked);
        let (levels, to) = to.split_at_mut_checked(front.len()).ok_or_else(undone)?;
        levels.copy_from_slice(front);
        if stays {
            to.copy_from_slice(stored);
            return Ok(());
        }
        let done = match compression {
            Compression::GZIP(_) => self.gzip(stored, to),
            Compression::SNAPPY => self.snappy.decompress(stored, to).ok(),
            Compression::ZSTD(_) => self.zstd(stored, to),
            Compression::UNCOMPRESSED
            | Compression::LZO
            | Compression::BROTLI(_)
            | Compression::LZ4
            | Compression::LZ4_RAW => None,
        };
        if done == Some(behind) {
            Ok(())
        } else {
            Err(undone())
        }
    }

    /// Says how many bytes it inflated.
    fn gzip(&mut self, stored: &[u8], to: &mut [u8]) -> Option<usize> {
        let whole = self.gzip.gzip_decompress(stored, to);
        if whole == Ok(to.len()) {
            return Some(to.len());
        }
        // Of several members, or damaged.
        let mut members = MultiGzDecoder::new(stored);
        members.read_exact(to).ok()?;
        let more = members.read(&mut [0]).ok()?;
        (more == 0).then_some(to.len())
    }

    fn zstd(&mut self, stored: &[u8], to: &mut [u8]) -> Option<usize> {
        if self.zstd.is_none() {
            self.zstd = zstd::bulk::Decompressor::new().ok();
        }
        self.zstd.as_mut()?.decompress_to_buffer(stored, to).ok()
    }
}

/// Whether so many bytes may come of it, which is asked before there is room for
/// them.
///
/// # Errors
/// Where the compression is not one that is read.
fn may_inflate(compression: Compression, stored: &[u8], to: usize) -> Result<bool, FormError> {
    match compression {
        Compression::UNCOMPRESSED => Ok(true),
        // Deflate does not go beyond 1,032 to one.
        Compression::GZIP(_) => Ok(to <= stored.len().saturating_mul(1_032)),
        Compression::SNAPPY => Ok(snap::raw::decompress_len(stored) == Ok(to)),
        Compression::ZSTD(_) => {
            let most = zstd::bulk::Decompressor::upper_bound(stored);
            Ok(most.is_none_or(|most| to <= most))
        }
        Compression::LZO | Compression::BROTLI(_) | Compression::LZ4 | Compression::LZ4_RAW => {
            Err(FormError::Compression(compression.to_string()))
        }
    }
}

#[cold]
fn undone() -> FormError {
    FormError::damaged("a page does not unpack")
}

/// A size as a header has it.
fn size(field: Option<i64>) -> Result<usize, FormError> {
    let size = field.filter(|size| (0..=LARGEST_PAGE).contains(size));
    size.and_then(|size| usize::try_from(size).ok())
        .ok_or_else(|| FormError::damaged("a page claims an impossible size"))
}

/// Where in the file a column's pages are. Its dictionary comes first, where it
/// has one; some writers say that it is at 0 where it has none.
fn stretch(column: &ColumnChunkMetaData) -> Option<Range<usize>> {
    let data = column.data_page_offset();
    let dictionary = column.dictionary_page_offset();
    let start = dictionary.filter(|at| (1..data).contains(at));
    let start = usize::try_from(start.unwrap_or(data)).ok()?;
    let len = usize::try_from(column.compressed_size()).ok()?;
    Some(start..start.checked_add(len)?)
}

/// Numbers of a structure by their field ids, as far as anybody asks.
type Numbers = [Option<i64>; 9];

#[derive(Debug, Default)]
struct Fields {
    unpacked: Option<i64>,
    stored: Option<i64>,
    crc: Option<i64>,
    kind: Option<i64>,
    v1: Numbers,
    dictionary: Numbers,
    v2: Numbers,
}

impl Fields {
    /// What the page is, its values and their encoding; `None` of an index.
    fn role(&self) -> Result<Option<(Role, usize, i64)>, FormError> {
        let number = |fields: &Numbers, id: usize| fields.get(id).copied().flatten();
        let (role, values, encoding) = match self.kind {
            Some(0) => {
                let [definitions, repetitions] =
                    [3, 4].map(|id| number(&self.v1, id).unwrap_or(RLE));
                let role = Role::Data {
                    definitions,
                    repetitions,
                };
                (role, number(&self.v1, 1), number(&self.v1, 2))
            }
            Some(2) => {
                let fields = &self.dictionary;
                (Role::Dictionary, number(fields, 1), number(fields, 2))
            }
            Some(3) => {
                let role = Role::DataV2 {
                    definitions: size(number(&self.v2, 5))?,
                    repetitions: size(number(&self.v2, 6))?,
                };
                (role, number(&self.v2, 1), number(&self.v2, 4))
            }
            Some(1) => return Ok(None),
            Some(_) | None => return Err(broken()),
        };
        Ok(Some((role, size(values)?, encoding.ok_or_else(broken)?)))
    }
}

/// A header on its way.
struct Header<'d> {
    data: &'d [u8],
    at: usize,
}

/// Types of the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const INTEGERS: RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCTURE: u8 = 12;

impl Header<'_> {
    fn page(&mut self) -> Result<Fields, FormError> {
        let mut fields = Fields::default();
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (1, kind) => fields.kind = self.number(kind)?,
                (2, kind) => fields.unpacked = self.number(kind)?,
                (3, kind) => fields.stored = self.number(kind)?,
                (4, kind) => fields.crc = self.number(kind)?,
                (5, STRUCTURE) => fields.v1 = self.numbers()?,
                (7, STRUCTURE) => fields.dictionary = self.numbers()?,
                (8, STRUCTURE) => fields.v2 = self.numbers()?,
                (_, kind) => self.skip(kind, 0)?,
            }
        }
        Ok(fields)
    }

    fn numbers(&mut self) -> Result<Numbers, FormError> {
        let mut numbers = Numbers::default();
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            let number = self.number(kind)?;
            if let Some(place) = usize::try_from(id).ok().and_then(|id| numbers.get_mut(id)) {
                *place = number;
            }
        }
        Ok(numbers)
    }

    /// The next field's type, its id put in place; `None` at the end.
    fn field(&mut self, id: &mut i64) -> Result<Option<u8>, FormError> {
        let byte = self.byte()?;
        let kind = byte & 0x0f;
        if byte == 0 {
            return Ok(None);
        }
        *id = match byte >> 4 {
            0 => self.zigzag()?,
            step => id.saturating_add(i64::from(step)),
        };
        Ok(Some(kind))
    }

    /// A number or a truth; anything else is passed over.
    fn number(&mut self, kind: u8) -> Result<Option<i64>, FormError> {
        match kind {
            TRUE => Ok(Some(1)),
            FALSE => Ok(Some(0)),
            kind if INTEGERS.contains(&kind) => self.zigzag().map(Some),
            kind => self.skip(kind, 0).map(|()| None),
        }
    }

    fn skip(&mut self, kind: u8, depth: u8) -> Result<(), FormError> {
        if depth > DEEPEST {
            return Err(broken());
        }
        match kind {
            TRUE | FALSE => {}
            BYTE => self.pass(1)?,
            kind if INTEGERS.contains(&kind) => self.varint().map(|_| ())?,
            DOUBLE => self.pass(8)?,
            BINARY => {
                let len = self.varint()?;
                self.pass(usize::try_from(len).map_err(|_| broken())?)?;
            }
            LIST | SET => {
                let byte = self.byte()?;
                let count = match byte >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                for _ in 0..count {
                    // Truths in lists take a byte, fields of them none.
                    match byte & 0x0f {
                        TRUE | FALSE => self.pass(1)?,
                        kind => self.skip(kind, depth.saturating_add(1))?,
                    }
                }
            }
            STRUCTURE => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth.saturating_add(1))?;
                }
            }
            _ => return Err(broken()),
        }
        Ok(())
    }

    fn zigzag(&mut self) -> Result<i64, FormError> {
        let number = self.varint()?;
        let half = i64::try_from(number >> 1).unwrap_or(0);
        Ok(if number & 1 == 0 { half } else { !half })
    }

    fn varint(&mut self) -> Result<u64, FormError> {
        let mut number = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(broken())
    }

    fn byte(&mut self) -> Result<u8, FormError> {
        let byte = self.data.get(self.at).copied().ok_or_else(broken)?;
        self.at = self.at.saturating_add(1);
        Ok(byte)
    }

    fn pass(&mut self, bytes: usize) -> Result<(), FormError> {
        let at = self.at.saturating_add(bytes);
        if at > self.data.len() {
            return Err(broken());
        }
        self.at = at;
        Ok(())
    }
}

#[cold]
fn broken() -> FormError {
    FormError::damaged("a page's header is none")
}
