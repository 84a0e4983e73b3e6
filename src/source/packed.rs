//! The packings beside gzip that exports to buckets offer: zstd, and snappy in
//! its framing or raw. Their crates read them; what is said here is which of
//! them it is, and what went wrong.
//!
//! Raw snappy has no magic: it begins with its length and a literal. So what
//! looks like that is read whole, and taken for text after all where it does
//! not unpack.

use std::fmt;
use std::io;
use std::io::BufReader;
use std::io::Cursor;
use std::io::Read;

use crate::source::error::ReadErrorKind;
use crate::source::layer::Filled;
use crate::source::layer::Layer;

const ZSTD: &[u8; 4] = b"\x28\xb5\x2f\xfd";
const SNAPPY: &[u8; 10] = b"\xff\x06\x00\x00sNaPpY";

/// Largest object of raw snappy, as stored: it is unpacked in one.
const LARGEST: u64 = 64 << 20;

/// Most text that raw snappy may claim.
const MOST_TEXT: usize = 256 << 20;

/// A packing, by the first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Zstd,
    Snappy,
    /// Perhaps.
    RawSnappy,
}

impl Packing {
    /// The packing of what begins so; `None` where it is none of these.
    pub(super) fn of(head: &[u8]) -> Option<Packing> {
        if head.starts_with(ZSTD) {
            Some(Packing::Zstd)
        } else if head.starts_with(SNAPPY) {
            Some(Packing::Snappy)
        } else {
            looks_raw(head).then_some(Packing::RawSnappy)
        }
    }
}

/// Whether it may be raw snappy: no text, a length, then a literal that begins
/// as logs do.
fn looks_raw(head: &[u8]) -> bool {
    let odd = |byte: &u8| *byte >= 0x80 || *byte < b' ' && !b"\t\r\n".contains(byte);
    let len = head.iter().take(5).position(|byte| *byte < 0x80);
    let Some(rest) = len.and_then(|len| head.get(len.saturating_add(1)..)) else {
        return false;
    };
    let literal = match rest {
        [0xf0, _, literal @ ..] | [0xf4, _, _, literal @ ..] => literal,
        // A literal has neither of the lowest bits.
        [tag, literal @ ..] if tag.trailing_zeros() >= 2 && *tag < 0xf0 => literal,
        _ => return false,
    };
    let begins = |byte: &u8| byte.is_ascii_graphic();
    literal.first().is_some_and(begins) && head.iter().any(odd)
}

/// Unpacks what the layer below holds.
pub(super) struct Packed {
    format: &'static str,
    decoder: Decoder,
    /// Bytes that were unpacked.
    done: u64,
}

enum Decoder {
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Below>>),
    Snappy(snap::read::FrameDecoder<Below>),
    /// Read whole from below, unpacked or not; then what is left there.
    Whole(Cursor<Vec<u8>>, Below),
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Packed {
    /// Unpacks a layer that has such a packing.
    pub(super) fn new(packing: Packing, layer: Layer) -> Result<Packed, ReadErrorKind> {
        let below = Below { layer, fault: None };
        let (format, decoder) = match packing {
            Packing::Zstd => {
                let decoder = zstd::stream::read::Decoder::new(below);
                ("zstd", Decoder::Zstd(decoder.map_err(ReadErrorKind::Read)?))
            }
            Packing::Snappy => {
                let decoder = snap::read::FrameDecoder::new(below);
                ("snappy", Decoder::Snappy(decoder))
            }
            Packing::RawSnappy => ("snappy", raw_snappy(below)),
        };
        Ok(Packed {
            format,
            decoder,
            done: 0,
        })
    }

    /// Bytes that came from the object itself.
    pub(super) fn raw_bytes(&self) -> u64 {
        let below = match &self.decoder {
            Decoder::Zstd(decoder) => decoder.get_ref().get_ref(),
            Decoder::Snappy(decoder) => decoder.get_ref(),
            Decoder::Whole(_, below) => below,
        };
        below.layer.raw_bytes()
    }

    pub(super) fn fill(&mut self, out: &mut [u8]) -> Filled {
        let read = match &mut self.decoder {
            Decoder::Zstd(decoder) => decoder.read(out),
            Decoder::Snappy(decoder) => decoder.read(out),
            Decoder::Whole(text, below) => match text.read(out) {
                Ok(0) => below.read(out),
                other => other,
            },
        };
        match read {
            Ok(len) => {
                self.done = self.done.saturating_add(len as u64);
                Filled { len, fault: None }
            }
            Err(_) => Filled {
                len: 0,
                fault: Some(self.fault()),
            },
        }
    }

    /// What went wrong: below, or here.
    fn fault(&mut self) -> ReadErrorKind {
        let below = match &mut self.decoder {
            Decoder::Zstd(decoder) => decoder.get_mut().get_mut(),
            Decoder::Snappy(decoder) => decoder.get_mut(),
            Decoder::Whole(_, below) => below,
        };
        below.fault.take().unwrap_or(ReadErrorKind::Damaged {
            format: self.format,
            done: self.done,
        })
    }
}

/// Reads it whole and unpacks it; where it does not unpack it stays as it is.
fn raw_snappy(mut below: Below) -> Decoder {
    let mut data = Vec::new();
    // What fails is told once what came before it was read.
    let _failed = below.by_ref().take(LARGEST).read_to_end(&mut data);
    let text = unpacked(&data).unwrap_or(data);
    Decoder::Whole(Cursor::new(text), below)
}

fn unpacked(data: &[u8]) -> Option<Vec<u8>> {
    let len = snap::raw::decompress_len(data).ok()?;
    if len > MOST_TEXT {
        return None;
    }
    snap::raw::Decoder::new().decompress_vec(data).ok()
}

/// A layer as the decoders want it.
struct Below {
    layer: Layer,
    /// Why it could not be read on.
    fault: Option<ReadErrorKind>,
}

impl Read for Below {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.fault.is_some() {
            return Err(io::Error::other("told before"));
        }
        self.layer.read(out).map_err(|fault| {
            self.fault = Some(fault);
            io::Error::other("told by the layer")
        })
    }
}
