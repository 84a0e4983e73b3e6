//! SHA-256 as everybody writes it, in hexadecimal.

use std::io;
use std::io::Read;
use std::io::Write;

use sha2::Digest;
use sha2::Sha256;

/// SHA-256 of the bytes in hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// SHA-256 of all that a reader gives.
pub fn sha256_of(mut reader: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let length = reader.read(&mut block)?;
        if length == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(block.get(..length).unwrap_or_default());
    }
}

/// Hashes and counts what is written through it.
#[derive(Debug)]
pub struct Summing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Summing<W> {
    /// Nothing is written yet.
    pub fn new(inner: W) -> Summing<W> {
        Summing {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// SHA-256 in hexadecimal of what the writer took, and how many bytes that was.
    pub fn finish(self) -> (String, u64) {
        (hex(&self.hash.finalize()), self.bytes)
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or(bytes));
        self.bytes += u64::try_from(taken).unwrap_or(0);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes in hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let halves = [byte >> 4, byte & 15].map(|half| char::from_digit(u32::from(half), 16));
        digits.extend(halves.into_iter().flatten());
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), known);
        assert_eq!(sha256_of(b"abc".as_slice()).unwrap(), known);
        let long = vec![7; 200_000];
        assert_eq!(sha256_of(long.as_slice()).unwrap(), sha256(&long));
    }

    #[test]
    fn what_is_written_through_is_hashed_as_it_is_taken() {
        // Takes half of what it is given.
        struct Half(Vec<u8>);
        impl Write for Half {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let taken = bytes.len().div_ceil(2);
                self.0.extend_from_slice(&bytes[..taken]);
                Ok(taken)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut half = Half(Vec::new());
        let mut summing = Summing::new(&mut half);
        summing.write_all(b"ab").unwrap();
        summing.write_all(b"c").unwrap();
        assert_eq!(summing.finish(), (sha256(b"abc"), 3));
        assert_eq!(half.0, b"abc");
    }
}
