//! One layer of bytes: those of the object itself, or those inflated from the
//! layer below. It can be looked into without being read, and puts off an error
//! until everything before it was handed out.

use std::fmt;
use std::io;
use std::io::Read;

use crate::source::error::ReadErrorKind;
use crate::source::gzip::Gzip;
use crate::source::packed::Packed;

/// Bytes that suffice to tell every format known.
const HEAD: usize = 16;

/// Bytes that can be peeked at, then read.
#[derive(Debug)]
pub(super) struct Layer {
    bytes: Bytes,
    /// Peeked at and not read yet.
    head: Vec<u8>,
    /// Comes once everything before it was read.
    fault: Option<ReadErrorKind>,
}

#[derive(Debug)]
enum Bytes {
    Raw(Raw),
    Gzip(Box<Gzip>),
    Packed(Box<Packed>),
}

/// How many bytes were written, and what went wrong behind them.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) len: usize,
    pub(super) fault: Option<ReadErrorKind>,
}

impl Layer {
    pub(super) fn raw(reader: Box<dyn Read + Send>) -> Layer {
        Layer::of(Bytes::Raw(Raw { reader, bytes: 0 }))
    }

    pub(super) fn gzip(gzip: Gzip) -> Layer {
        Layer::of(Bytes::Gzip(Box::new(gzip)))
    }

    pub(super) fn packed(packed: Packed) -> Layer {
        Layer::of(Bytes::Packed(Box::new(packed)))
    }

    fn of(bytes: Bytes) -> Layer {
        Layer {
            bytes,
            head: Vec::new(),
            fault: None,
        }
    }

    /// Up to [`HEAD`] bytes that the next reads will give; fewer where the data
    /// ends or an error follows them.
    pub(super) fn peek(&mut self) -> Result<&[u8], ReadErrorKind> {
        while self.head.len() < HEAD && self.fault.is_none() {
            let mut more = [0; HEAD];
            let room = HEAD.saturating_sub(self.head.len());
            let filled = self.fill(more.get_mut(..room).unwrap_or_default());
            self.head
                .extend_from_slice(more.get(..filled.len).unwrap_or_default());
            self.fault = filled.fault;
            if filled.len == 0 {
                break;
            }
        }
        match self.fault.take_if(|_| self.head.is_empty()) {
            Some(fault) => Err(fault),
            None => Ok(&self.head),
        }
    }

    /// Writes the next bytes to the front of `out`; 0 at the end.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, ReadErrorKind> {
        if !self.head.is_empty() {
            return Ok(self.drain_head(out));
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let Filled { len, fault } = self.fill(out);
        match fault {
            Some(fault) if len == 0 => Err(fault),
            fault => {
                self.fault = fault;
                Ok(len)
            }
        }
    }

    /// Bytes that came from the object itself, peeked ones included.
    pub(super) fn raw_bytes(&self) -> u64 {
        match &self.bytes {
            Bytes::Raw(raw) => raw.bytes,
            Bytes::Gzip(gzip) => gzip.below().raw_bytes(),
            Bytes::Packed(packed) => packed.raw_bytes(),
        }
    }

    fn drain_head(&mut self, out: &mut [u8]) -> usize {
        let len = self.head.len().min(out.len());
        for (to, from) in out.iter_mut().zip(self.head.drain(..len)) {
            *to = from;
        }
        len
    }

    fn fill(&mut self, out: &mut [u8]) -> Filled {
        match &mut self.bytes {
            Bytes::Raw(raw) => raw.fill(out),
            Bytes::Gzip(gzip) => gzip.fill(out),
            Bytes::Packed(packed) => packed.fill(out),
        }
    }
}

/// The object's own bytes, counted.
struct Raw {
    reader: Box<dyn Read + Send>,
    bytes: u64,
}

impl Raw {
    fn fill(&mut self, out: &mut [u8]) -> Filled {
        loop {
            match self.reader.read(out) {
                Ok(len) => {
                    self.bytes = self.bytes.saturating_add(len as u64);
                    return Filled { len, fault: None };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let fault = Some(ReadErrorKind::Read(error));
                    return Filled { len: 0, fault };
                }
            }
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
