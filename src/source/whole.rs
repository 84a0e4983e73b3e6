//! Objects taken whole: read, and inflated in one call into a buffer that the
//! next object uses again. That is the fastest way to inflate, and the common
//! one, since deliveries are some megabytes at most. Whatever it cannot finish
//! with (damage, padding, packing within packing, size) is left to [`Stream`],
//! which starts over and says exactly what is wrong and where; so nothing is
//! handed out here before all of it is known to be sound.

use std::fmt;
use std::io::Cursor;
use std::io::Read;
use std::mem;

use bytes::Bytes;
use libdeflater::DecompressionError;
use libdeflater::Decompressor;
use memchr::memmem;

use crate::source::error::ReadError;
use crate::source::fingerprint;
use crate::source::gzip;
use crate::source::local::Object;
use crate::source::s3::Body;
use crate::source::s3::Remote;
use crate::source::stream;
use crate::source::stream::Stream;
use crate::source::texts::Taken;
use crate::source::texts::Texts;

/// Largest object that is taken whole, in bytes as stored.
pub(super) const LARGEST: u64 = 64 * 1024 * 1024;

/// Most text that is inflated at once, in bytes.
const MOST_TEXT: usize = 256 * 1024 * 1024;

/// Most bytes that are kept for the next object: more than any delivery asks for.
const KEPT: usize = 128 * 1024 * 1024;

/// Longest piece of text that is handed out at once.
const PIECE: usize = 4 * 1024 * 1024;

/// Files below so many bytes are read in one call to the system.
const SMALL: usize = 32 * 1024;

/// Bytes that suffice to tell every format known.
const HEAD: usize = 16;

/// How a member begins: magic and the only method.
const MEMBER: [u8; 3] = [0x1f, 0x8b, 8];

/// Checksum and length behind a member.
const TRAILER: usize = 8;

/// Opens objects one after the other, with buffers of its own.
pub struct Opener {
    taken: Taken,
    /// Most text that it inflates at once, in bytes.
    most_text: usize,
    /// The front of a file.
    front: Box<[u8]>,
    packed: Vec<u8>,
    /// How files begin that are given away as they are.
    given: Option<&'static [u8]>,
    /// Whether what comes from afar is summed.
    sums: bool,
    /// Length and checksum of the last object, if it came from afar in one.
    sum: Option<(u64, String)>,
    text: Vec<u8>,
    inflate: Decompressor,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("packed", &self.packed.capacity())
            .field("text", &self.text.capacity())
            .finish_non_exhaustive()
    }
}

impl Default for Opener {
    fn default() -> Opener {
        Opener::sharing(&Texts::up_to(usize::MAX))
    }
}

/// Bytes that were fetched, with the room that they take.
struct Fetched {
    bytes: Cursor<Vec<u8>>,
    _body: Body,
}

impl Read for Fetched {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.bytes.read(out)
    }
}

/// Bytes that the opener parted with, and the room that they take.
struct Given {
    bytes: Vec<u8>,
    _body: Option<Body>,
    _taken: Taken,
}

impl AsRef<[u8]> for Given {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// One object's text, to be taken piece by piece. The room of what was fetched is
/// given back with it.
#[derive(Debug)]
pub struct Opened<'a> {
    pieces: Pieces<'a>,
}

#[derive(Debug)]
enum Pieces<'a> {
    Whole {
        rest: &'a [u8],
        /// Bytes as stored: told with the last piece, since they are read.
        packed: u64,
        text: u64,
    },
    /// As stored.
    Given {
        bytes: Bytes,
        /// Those that were handed out.
        at: usize,
        /// Whether they may be had as they are.
        is_file: bool,
    },
    Stream(Box<Stream>),
}

impl Opener {
    /// One that holds no more whole than there is room for among all that share it.
    #[must_use]
    pub fn sharing(texts: &Texts) -> Opener {
        Opener {
            taken: Taken::none_of(texts),
            most_text: MOST_TEXT,
            front: vec![0; SMALL].into_boxed_slice(),
            packed: Vec::new(),
            given: None,
            sums: false,
            sum: None,
            text: Vec::new(),
            inflate: Decompressor::new(),
        }
    }

    /// The same, which also sums what it fetches.
    #[must_use]
    pub fn summing(self) -> Opener {
        Opener { sums: true, ..self }
    }

    /// The same, of which files that begin so can be had as they are
    /// ([`Opened::take_file`]).
    #[must_use]
    pub fn giving(self, magic: &'static [u8]) -> Opener {
        let given = Some(magic);
        Opener { given, ..self }
    }

    /// Holds small objects whole from now on and no others: memory is wanted for
    /// something else.
    pub fn spare(&mut self) {
        if self.most_text > PIECE {
            self.most_text = PIECE;
            self.let_go();
        }
    }

    /// Gives back what the last objects took.
    fn let_go(&mut self) {
        (self.packed, self.text) = (Vec::new(), Vec::new());
        self.taken.give_back();
    }

    /// Opens an object.
    ///
    /// # Errors
    /// Where the first bytes cannot be read, or are of a format that is not.
    pub fn open(&mut self, object: &Object) -> Result<Opened<'_>, ReadError> {
        if self.taken.bytes() > KEPT {
            self.let_go();
        }
        self.sum = None;
        let largest = self.taken.texts().largest_fetched();
        let remote = object.remote().filter(|remote| remote.size() <= largest);
        let body = remote
            .map(|remote| self.fetched(object, remote))
            .transpose()?;
        let held = body.is_some() || self.read(object).is_some();
        let source = if held { self.unpacked() } else { None };
        let pieces = match source {
            None => Pieces::Stream(Box::new(self.streamed(object, body)?)),
            Some(Source::Stored) => self.stored(body),
            Some(Source::Inflated(len)) => {
                let packed = self.packed.len() as u64;
                if body.is_some() {
                    self.packed = Vec::new();
                }
                let rest = self.text.get(..len).unwrap_or_default();
                let text = rest.len() as u64;
                Pieces::Whole { rest, packed, text }
            }
        };
        Ok(Opened { pieces })
    }

    /// What was read, as it is.
    fn stored(&mut self, body: Option<Body>) -> Pieces<'_> {
        let is_file = self
            .given
            .is_some_and(|magic| self.packed.starts_with(magic));
        if is_file || body.is_some() {
            return Pieces::Given {
                bytes: self.give(body),
                at: 0,
                is_file,
            };
        }
        let len = self.packed.len() as u64;
        Pieces::Whole {
            rest: &self.packed,
            packed: len,
            text: len,
        }
    }

    /// Parts with what was read, and with the room that it takes.
    fn give(&mut self, body: Option<Body>) -> Bytes {
        self.text = Vec::new();
        let texts = self.taken.texts();
        Bytes::from_owner(Given {
            bytes: mem::take(&mut self.packed),
            _body: body,
            _taken: mem::replace(&mut self.taken, Taken::none_of(&texts)),
        })
    }

    /// Length and SHA-256 of the object that was opened last, if it was fetched
    /// in one and this sums.
    #[must_use]
    pub fn checksum(&self) -> Option<(u64, String)> {
        self.sum.clone()
    }

    /// Takes the bytes of an object in S3; the room that they take is left.
    fn fetched(&mut self, object: &Object, remote: &Remote) -> Result<Body, ReadError> {
        let mut body = remote.take().map_err(|kind| ReadError {
            object: object.name.clone(),
            kind,
        })?;
        self.packed = mem::take(&mut body.bytes);
        if self.sums {
            self.sum = fingerprint::sum_of(self.packed.as_slice()).ok();
        }
        Ok(body)
    }

    /// Reads the object from its beginning, or from the bytes that were fetched.
    fn streamed(&mut self, object: &Object, body: Option<Body>) -> Result<Stream, ReadError> {
        let bytes = Cursor::new(mem::take(&mut self.packed));
        self.let_go();
        match body {
            Some(body) => Stream::from_reader(&object.name, Fetched { bytes, _body: body }),
            None => object.open(),
        }
    }

    /// Reads a file that is not too large.
    fn read(&mut self, object: &Object) -> Option<()> {
        let size = object.size.filter(|size| *size <= LARGEST)?;
        let mut file = object.file()?;
        self.packed.clear();
        let size = usize::try_from(size).ok()?;
        if size < SMALL {
            let len = file.read(&mut self.front).ok()?;
            self.packed.extend_from_slice(self.front.get(..len)?);
            // There was room for more, so this is where it ends.
            if len == size {
                return Some(());
            }
        }
        if size > self.most_text || !self.taken.may_be(self.text.len().saturating_add(size)) {
            return None;
        }
        self.packed.reserve(size.saturating_add(1));
        file.take(LARGEST.saturating_add(1))
            .read_to_end(&mut self.packed)
            .ok()?;
        (self.packed.len() as u64 <= LARGEST).then_some(())
    }

    /// The text of what was read, if it is of the common kind.
    fn unpacked(&mut self) -> Option<Source> {
        if !self.packed.starts_with(&gzip::MAGIC) {
            return stream::is_text(&self.packed).then_some(Source::Stored);
        }
        let len = self.members()?;
        let text = self.text.get(..len)?;
        let known = text.len() >= HEAD && stream::is_text(text) && !text.starts_with(&gzip::MAGIC);
        known.then_some(Source::Inflated(len))
    }

    /// Inflates every member, and says how long the text is.
    fn members(&mut self) -> Option<usize> {
        let (mut at, mut len) = (0_usize, 0_usize);
        while at < self.packed.len() {
            let more = self.member(at, len)?;
            at = self.end_of_member(at, len, more)?;
            len = len.checked_add(more)?;
        }
        Some(len)
    }

    /// Inflates the member at `at` behind `len` bytes of text.
    fn member(&mut self, at: usize, len: usize) -> Option<usize> {
        let packed = self.packed.get(at..)?;
        let stated = u32::from_le_bytes(*packed.last_chunk::<4>()?);
        // Deflate does not go beyond 1,032 to one; the length may be a lie, or
        // another member's.
        let stated = usize::try_from(stated).ok()?;
        let mut room = stated.min(packed.len().saturating_mul(1_032)).max(1);
        loop {
            let end = len.checked_add(room)?;
            let grows = self.text.len() < end;
            let all = end.saturating_add(self.packed.len());
            if end > self.most_text || grows && !self.taken.may_be(all) {
                return None;
            }
            if grows {
                self.text.resize(end, 0);
            }
            match self
                .inflate
                .gzip_decompress(packed, self.text.get_mut(len..)?)
            {
                Ok(more) => return Some(more),
                Err(DecompressionError::InsufficientSpace) => {
                    room = self.text.len().saturating_sub(len).saturating_mul(2);
                }
                Err(DecompressionError::BadData) => return None,
            }
        }
    }

    /// Where the member at `at` ends, whose text is `more` bytes behind `len`:
    /// behind the first place where its own checksum and length stand. That
    /// they stand in the deflated data has a chance of one in 2^64 a byte, but
    /// for empty texts, whose checksum and length are zeros.
    fn end_of_member(&self, at: usize, len: usize, more: usize) -> Option<usize> {
        if more == 0 {
            return None;
        }
        let text = self.text.get(len..len.checked_add(more)?)?;
        let mut trailer = [0; TRAILER];
        let (checksum, length) = trailer.split_at_mut(4);
        checksum.copy_from_slice(&libdeflater::crc32(text).to_le_bytes());
        length.copy_from_slice(&u32::try_from(more).ok()?.to_le_bytes());
        let packed = self.packed.get(at..)?;
        let end = memmem::find(packed, &trailer)?.checked_add(TRAILER)?;
        let behind = packed.get(end..)?;
        (behind.is_empty() || behind.starts_with(&MEMBER)).then_some(at.checked_add(end)?)
    }
}

/// Where the text of an object taken whole is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// As it is stored.
    Stored,
    /// So many bytes at the front of the opener's text.
    Inflated(usize),
}

impl Opened<'_> {
    /// The object as it is, in place of its pieces, where it is a file of those
    /// that are given ([`Opener::giving`]) and is held whole.
    pub fn take_file(&mut self) -> Option<Bytes> {
        match &mut self.pieces {
            Pieces::Given {
                bytes,
                at,
                is_file: true,
            } => {
                *at = bytes.len();
                Some(bytes.clone())
            }
            Pieces::Given { .. } | Pieces::Whole { .. } | Pieces::Stream(_) => None,
        }
    }

    /// The next bytes of text; `None` at the end, and after an error. All that
    /// could be unpacked comes before the error.
    pub fn next_piece(&mut self) -> Result<Option<&[u8]>, ReadError> {
        match &mut self.pieces {
            Pieces::Stream(stream) => stream.next_block(),
            Pieces::Whole { rest, .. } => {
                let (piece, behind) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
                *rest = behind;
                Ok((!piece.is_empty()).then_some(piece))
            }
            Pieces::Given { bytes, at, .. } => {
                let rest = bytes.get(*at..).unwrap_or_default();
                let (piece, _) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
                *at = at.saturating_add(piece.len());
                Ok((!piece.is_empty()).then_some(piece))
            }
        }
    }

    /// Bytes that came from the object itself so far.
    pub fn compressed_bytes(&self) -> u64 {
        match &self.pieces {
            Pieces::Stream(stream) => stream.compressed_bytes(),
            Pieces::Whole { packed, .. } => *packed,
            Pieces::Given { bytes, .. } => bytes.len() as u64,
        }
    }

    /// Bytes of text that were handed out, or are about to be.
    pub fn text_bytes(&self) -> u64 {
        match &self.pieces {
            Pieces::Stream(stream) => stream.text_bytes(),
            Pieces::Whole { text, .. } => *text,
            Pieces::Given { bytes, .. } => bytes.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prelude::prop_oneof;
    use proptest::proptest;

    use super::*;
    use crate::source::local;

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// Text, counts, and what went wrong then.
    type Seen = (Vec<u8>, u64, u64, Option<String>);

    fn opened(opener: &mut Opener, object: &Object) -> Seen {
        let mut text = Vec::new();
        let mut opened = match opener.open(object) {
            Ok(opened) => opened,
            Err(error) => return (text, 0, 0, Some(error.to_string())),
        };
        let fault = loop {
            match opened.next_piece() {
                Ok(Some(piece)) => text.extend_from_slice(piece),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        (text, opened.compressed_bytes(), opened.text_bytes(), fault)
    }

    fn streamed(object: &Object) -> Seen {
        let mut text = Vec::new();
        let mut stream = match object.open() {
            Ok(stream) => stream,
            Err(error) => return (text, 0, 0, Some(error.to_string())),
        };
        let fault = loop {
            match stream.next_block() {
                Ok(Some(piece)) => text.extend_from_slice(piece),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        (text, stream.compressed_bytes(), stream.text_bytes(), fault)
    }

    fn same_as_streamed(data: &[Vec<u8>]) {
        let root = tempfile::tempdir().unwrap();
        let mut opener = Opener::default();
        for (number, data) in data.iter().enumerate() {
            let path = root.path().join(number.to_string());
            fs::write(&path, data).unwrap();
            let object = &local::list(&[path.display().to_string()]).unwrap()[0];
            assert_eq!(opened(&mut opener, object), streamed(object));
        }
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => vec(any::<u8>(), 0..3_000).prop_map(|text| gz(&text)),
            2 => Just(gz(b"2 123456789012 eni-0a1b2c3d 10.0.0.1 10.0.0.2\n")),
            1 => Just(gz(&b"a".repeat(100_000))),
            1 => Just(gz(&gz(b"some text that is long enough"))),
            1 => Just(gz(b"PK\x03\x04")),
            1 => vec(any::<u8>(), 0..9),
            1 => Just(vec![0; 30]),
        ]
    }

    proptest! {
        #[test]
        fn objects_taken_whole_are_what_streams_give(
            members in vec(vec(member(), 0..4), 1..4),
        ) {
            let objects: Vec<Vec<u8>> = members.iter().map(|members| members.concat()).collect();
            same_as_streamed(&objects);
        }

        #[test]
        fn damage_is_told_as_streams_tell_it(
            text in vec(any::<u8>(), 20..3_000),
            at in any::<usize>(),
            bit in 0_u32..8,
            cut in any::<bool>(),
        ) {
            let mut packed = [gz(&text), gz(&text)].concat();
            let at = at % packed.len();
            packed[at] ^= 1 << bit;
            if cut {
                packed.truncate(at);
            }
            same_as_streamed(&[packed]);
        }
    }

    #[test]
    fn openers_share_what_they_may_hold_and_the_others_stream() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.log");
        let text = "10.0.0.1 ".repeat(10_000);
        fs::write(&path, gz(text.as_bytes())).unwrap();
        let object = &local::list(&[path.display().to_string()]).unwrap()[0];
        let texts = Texts::up_to(150_000);
        let is_whole = |opener: &mut Opener| {
            let opened = opener.open(object).unwrap();
            matches!(opened.pieces, Pieces::Whole { .. })
        };
        let mut first = Opener::sharing(&texts);
        let mut second = Opener::sharing(&texts);
        assert!(is_whole(&mut first) && is_whole(&mut first));
        assert!(!is_whole(&mut second));
        assert_eq!(opened(&mut second, object), streamed(object));
        drop(first);
        assert!(is_whole(&mut second));
        // Small objects stay whole where memory is wanted, and the room is free.
        second.spare();
        let mut all = Taken::none_of(&texts);
        assert!(all.may_be(150_000));
        assert!(!is_whole(&mut second));
        assert_eq!(opened(&mut second, object), streamed(object));
    }

    #[test]
    fn what_one_large_object_took_is_given_back_with_the_next() {
        let texts = Texts::up_to(2 * KEPT);
        let mut opener = Opener::sharing(&texts);
        assert!(opener.taken.may_be(KEPT + 1));
        let mut other = Taken::none_of(&texts);
        assert!(!other.may_be(KEPT));
        same_after(&mut opener);
        assert!(other.may_be(KEPT));
    }

    /// Opens some small object.
    fn same_after(opener: &mut Opener) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.log");
        fs::write(&path, "a".repeat(10)).unwrap();
        let object = &local::list(&[path.display().to_string()]).unwrap()[0];
        assert_eq!(opened(opener, object), streamed(object));
    }

    #[test]
    fn a_file_that_changed_since_it_was_listed_is_read_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.log");
        let mut opener = Opener::default();
        let lens = [0, 10, 20, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL];
        for (listed, now) in lens.iter().flat_map(|len| lens.map(|now| (*len, now))) {
            fs::write(&path, "a".repeat(listed)).unwrap();
            let object = &local::list(&[path.display().to_string()]).unwrap()[0];
            fs::write(&path, "a".repeat(now)).unwrap();
            let seen = opened(&mut opener, object);
            assert_eq!(seen, streamed(object), "{listed} {now}");
            assert_eq!(seen.0.len(), now);
        }
    }

    #[test]
    fn plain_text_is_taken_as_it_is() {
        same_as_streamed(&[
            b"action srcaddr\n".to_vec(),
            Vec::new(),
            b"PK\x03\x04".to_vec(),
        ]);
    }
}
