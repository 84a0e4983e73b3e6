//! Gzip members, one behind the other, to one run of bytes (RFC 1952).
//!
//! Written here rather than taken from flate2's readers because rows before the
//! damage must be kept: those readers drop what the failing call had inflated,
//! and do not say where the failure is.

use flate2::Crc;
use flate2::Decompress;
use flate2::FlushDecompress;
use flate2::Status;

use crate::source::error::ReadErrorKind;
use crate::source::layer::Filled;
use crate::source::layer::Layer;

/// First two bytes of every member.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Compressed bytes that are held at a time.
const INPUT: usize = 64 * 1024;

/// The only compression method there is.
const DEFLATE: u8 = 8;

/// Flags of a member's header; those above are reserved and must be 0.
mod flag {
    pub(super) const CHECKSUM: u8 = 2;
    pub(super) const EXTRA: u8 = 4;
    pub(super) const NAME: u8 = 8;
    pub(super) const COMMENT: u8 = 16;
    pub(super) const RESERVED: u8 = 0xe0;
}

/// Inflates what the layer below holds.
#[derive(Debug)]
pub(super) struct Gzip {
    below: Layer,
    input: Vec<u8>,
    /// Invariant: `from <= to <= input.len()`; between them lies what was read
    /// from below and not used.
    from: usize,
    to: usize,
    /// Offset of `input[from]` in the layer below.
    byte: u64,
    inflate: Decompress,
    checksum: Crc,
    stage: Stage,
}

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The first member: its magic was seen.
    FirstHeader,
    /// Deflated data.
    Body,
    /// Checksum and length.
    Trailer,
    /// A further member, padding, or the end.
    Between,
    /// Zeros up to the end.
    Padding,
    /// Nothing more: the data ended or failed.
    End,
}

impl Gzip {
    pub(super) fn new(below: Layer) -> Gzip {
        Gzip {
            below,
            input: vec![0; INPUT],
            from: 0,
            to: 0,
            byte: 0,
            inflate: Decompress::new(false),
            checksum: Crc::new(),
            stage: Stage::FirstHeader,
        }
    }

    pub(super) fn below(&self) -> &Layer {
        &self.below
    }

    /// Writes inflated bytes to `out` until it is full, the data ends, or fails.
    pub(super) fn fill(&mut self, out: &mut [u8]) -> Filled {
        let mut len = 0;
        while self.stage != Stage::End
            && let Some(room) = out.get_mut(len..).filter(|room| !room.is_empty())
        {
            let step = self.step(room);
            len = len.saturating_add(step.len);
            if step.fault.is_some() {
                self.stage = Stage::End;
                return Filled { len, ..step };
            }
        }
        Filled { len, fault: None }
    }

    fn step(&mut self, out: &mut [u8]) -> Filled {
        let next = match self.stage {
            Stage::Body => return self.body(out),
            Stage::FirstHeader => self.header(),
            Stage::Trailer => self.trailer(),
            Stage::Between => self.between(),
            Stage::Padding => self.padding(),
            Stage::End => Ok(Stage::End),
        };
        let fault = next.map(|stage| self.stage = stage).err();
        Filled { len: 0, fault }
    }

    fn body(&mut self, out: &mut [u8]) -> Filled {
        if let Err(fault) = self.refill() {
            return Filled {
                len: 0,
                fault: Some(fault),
            };
        }
        let input = self.input.get(self.from..self.to).unwrap_or_default();
        let available = input.len();
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self.inflate.decompress(input, out, FlushDecompress::None);
        let used = distance(read, self.inflate.total_in());
        let len = distance(written, self.inflate.total_out());
        self.checksum.update(out.get(..len).unwrap_or_default());
        self.advance(used);
        let byte = self.byte;
        let fault = match status {
            Ok(Status::StreamEnd) => {
                self.stage = Stage::Trailer;
                None
            }
            Ok(Status::Ok | Status::BufError) if used > 0 || len > 0 => None,
            Ok(Status::Ok | Status::BufError) if available == 0 => {
                Some(ReadErrorKind::GzipCutShort { byte })
            }
            Ok(Status::Ok | Status::BufError) | Err(_) => Some(ReadErrorKind::GzipDamaged { byte }),
        };
        Filled { len, fault }
    }

    /// Passes over a member's header. Its optional checksum is not looked at:
    /// nothing of the header is used.
    fn header(&mut self) -> Result<Stage, ReadErrorKind> {
        let damaged = ReadErrorKind::GzipHeader { byte: self.byte };
        let [_, _, method, flags, ..] = self.take::<10>()?;
        if method != DEFLATE || flags & flag::RESERVED != 0 {
            return Err(damaged);
        }
        if flags & flag::EXTRA != 0 {
            let extra = u16::from_le_bytes(self.take::<2>()?);
            for _ in 0..extra {
                self.take::<1>()?;
            }
        }
        for text in [flag::NAME, flag::COMMENT] {
            while flags & text != 0 && self.take::<1>()? != [0] {}
        }
        if flags & flag::CHECKSUM != 0 {
            self.take::<2>()?;
        }
        self.inflate.reset(false);
        self.checksum.reset();
        Ok(Stage::Body)
    }

    fn trailer(&mut self) -> Result<Stage, ReadErrorKind> {
        let byte = self.byte;
        let checksum = u32::from_le_bytes(self.take::<4>()?);
        let length = u32::from_le_bytes(self.take::<4>()?);
        // The length is kept modulo 2^32.
        let inflated = self.inflate.total_out() & u64::from(u32::MAX);
        if checksum == self.checksum.sum() && u64::from(length) == inflated {
            Ok(Stage::Between)
        } else {
            Err(ReadErrorKind::GzipChecksum { byte })
        }
    }

    fn between(&mut self) -> Result<Stage, ReadErrorKind> {
        let byte = self.byte;
        let [first, second] = MAGIC;
        match self.next()? {
            None => Ok(Stage::End),
            Some(0) => Ok(Stage::Padding),
            Some(next) if next == first && self.second()? == Some(second) => self.header(),
            Some(_) => Err(ReadErrorKind::GzipTrailing { byte }),
        }
    }

    fn padding(&mut self) -> Result<Stage, ReadErrorKind> {
        while let Some(next) = self.next()? {
            if next != 0 {
                return Err(ReadErrorKind::GzipTrailing { byte: self.byte });
            }
            self.advance(1);
        }
        Ok(Stage::End)
    }

    /// The next byte, left where it is.
    fn next(&mut self) -> Result<Option<u8>, ReadErrorKind> {
        self.refill()?;
        Ok(self.available().first().copied())
    }

    /// The byte behind the next one, both left where they are.
    fn second(&mut self) -> Result<Option<u8>, ReadErrorKind> {
        if self.available().len() < 2 {
            self.read_on()?;
        }
        Ok(self.available().get(1).copied())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadErrorKind> {
        let mut taken = [0; N];
        for slot in &mut taken {
            *slot = self
                .next()?
                .ok_or(ReadErrorKind::GzipCutShort { byte: self.byte })?;
            self.advance(1);
        }
        Ok(taken)
    }

    fn available(&self) -> &[u8] {
        self.input.get(self.from..self.to).unwrap_or_default()
    }

    fn advance(&mut self, used: usize) {
        self.from = self.from.saturating_add(used).min(self.to);
        self.byte = self.byte.saturating_add(used as u64);
    }

    /// Reads from below where everything was used; nothing comes at the end.
    fn refill(&mut self) -> Result<(), ReadErrorKind> {
        if self.from == self.to {
            self.read_on()?;
        }
        Ok(())
    }

    /// Moves what is left to the front and reads more behind it.
    fn read_on(&mut self) -> Result<(), ReadErrorKind> {
        self.input.copy_within(self.from..self.to, 0);
        self.to = self.to.saturating_sub(self.from);
        self.from = 0;
        let room = self.input.get_mut(self.to..).unwrap_or_default();
        let more = self.below.read(room)?;
        self.to = self.to.saturating_add(more);
        Ok(())
    }
}

/// How far a counter went; both ends lie within one buffer.
fn distance(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(0)
}
