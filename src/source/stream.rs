//! One object as blocks of plain text. Packing is told by content, never by
//! name: an object may be called anything.

use std::io::Read;

use crate::source::error::ReadError;
use crate::source::error::ReadErrorKind;
use crate::source::gzip;
use crate::source::gzip::Gzip;
use crate::source::layer::Layer;
use crate::source::packed::Packed;
use crate::source::packed::Packing;

/// Longest block, in bytes.
pub const BLOCK: usize = 256 * 1024;

/// How many layers of packing are taken off. Two are a mistake that happens; an
/// object can be made that unpacks to itself for ever.
const DEEPEST: usize = 2;

/// First bytes of formats that are no log and no packing that is read.
const NOT_TEXT: [(&[u8], &str); 4] = [
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"BZh", "bzip2"),
    (b"PK\x03\x04", "zip"),
];

/// Blocks of one object's text, in order, in constant memory.
#[derive(Debug)]
pub struct Stream {
    object: String,
    layer: Layer,
    block: Vec<u8>,
    text_bytes: u64,
    ended: bool,
}

impl Stream {
    /// Reads the object called `object` from `reader`.
    ///
    /// # Errors
    /// Where the first bytes cannot be read, or are of a format that is not.
    pub fn from_reader(
        object: &str,
        reader: impl Read + Send + 'static,
    ) -> Result<Stream, ReadError> {
        match unpacked(Layer::raw(Box::new(reader))) {
            Ok(layer) => Ok(Stream {
                object: object.to_owned(),
                layer,
                block: vec![0; BLOCK],
                text_bytes: 0,
                ended: false,
            }),
            Err(kind) => Err(ReadError {
                object: object.to_owned(),
                kind,
            }),
        }
    }

    /// The next bytes of text, at most [`BLOCK`]; `None` at the end, and after
    /// an error. All that could be unpacked comes before the error.
    pub fn next_block(&mut self) -> Result<Option<&[u8]>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        match self.layer.read(&mut self.block) {
            Ok(0) => {
                self.ended = true;
                Ok(None)
            }
            Ok(len) => {
                self.text_bytes = self.text_bytes.saturating_add(len as u64);
                Ok(self.block.get(..len))
            }
            Err(kind) => {
                self.ended = true;
                Err(ReadError {
                    object: self.object.clone(),
                    kind,
                })
            }
        }
    }

    /// Bytes that came from the object itself so far; of an object that is not
    /// compressed, those of its text.
    pub fn compressed_bytes(&self) -> u64 {
        self.layer.raw_bytes()
    }

    /// Bytes of text that were handed out so far.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }
}

/// Takes off packing, and packing within packing.
fn unpacked(mut layer: Layer) -> Result<Layer, ReadErrorKind> {
    for _ in 0..DEEPEST {
        let head = layer.peek()?;
        if head.starts_with(&gzip::MAGIC) {
            layer = Layer::gzip(Gzip::new(layer));
        } else if let Some(packing) = Packing::of(head) {
            layer = Layer::packed(Packed::new(packing, layer)?);
        } else {
            return refuse_other_formats(layer);
        }
    }
    if layer.peek()?.starts_with(&gzip::MAGIC) {
        return Err(ReadErrorKind::GzipTooDeep);
    }
    refuse_other_formats(layer)
}

fn refuse_other_formats(mut layer: Layer) -> Result<Layer, ReadErrorKind> {
    match other_format(layer.peek()?) {
        Some(format) => Err(ReadErrorKind::NotText(format)),
        None => Ok(layer),
    }
}

/// Whether the first bytes are of no format that is known, gzip aside.
pub(super) fn is_text(head: &[u8]) -> bool {
    other_format(head).is_none() && Packing::of(head).is_none()
}

fn other_format(head: &[u8]) -> Option<&'static str> {
    let known = NOT_TEXT.iter().find(|(magic, _)| head.starts_with(magic));
    known.map(|(_, format)| *format)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::io::Write;

    use flate2::Compression;
    use flate2::GzBuilder;
    use flate2::write::GzEncoder;
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    /// Hands out at most `step` bytes at a time.
    struct Dribble {
        data: Vec<u8>,
        at: usize,
        step: usize,
    }

    impl Read for Dribble {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let rest = &self.data[self.at..];
            let len = rest.len().min(self.step).min(out.len());
            out[..len].copy_from_slice(&rest[..len]);
            self.at += len;
            Ok(len)
        }
    }

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What was read, and what went wrong then.
    fn read(data: &[u8], step: usize) -> (Vec<u8>, Option<ReadErrorKind>) {
        let data = data.to_vec();
        let mut text = Vec::new();
        let mut stream = match Stream::from_reader("x", Dribble { data, at: 0, step }) {
            Ok(stream) => stream,
            Err(error) => return (text, Some(error.kind)),
        };
        loop {
            match stream.next_block() {
                Ok(Some(block)) => text.extend_from_slice(block),
                Ok(None) => return (text, None),
                Err(error) => {
                    assert!(stream.next_block().unwrap().is_none());
                    return (text, Some(error.kind));
                }
            }
        }
    }

    fn whole(data: &[u8]) -> Vec<u8> {
        let (text, fault) = read(data, usize::MAX);
        assert!(fault.is_none(), "{fault:?}");
        text
    }

    fn fault(data: &[u8]) -> String {
        read(data, usize::MAX).1.unwrap().to_string()
    }

    const DEFLATE_METHOD: u8 = 8;

    /// Text that deflates badly, so that cuts leave something to inflate.
    fn noise(len: u32) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + state.to_be_bytes()[0] % 26
        };
        (0..len).map(|_| next()).collect()
    }

    proptest! {
        #[test]
        fn any_chunking_of_members_gives_the_same_bytes(
            members in vec(vec(any::<u8>(), 0..2000), 1..5),
            step in 1_usize..300,
        ) {
            let packed: Vec<u8> = members.iter().flat_map(|member| gz(member)).collect();
            // Text that happens to begin with a magic is another test's matter.
            let plain = [b"text ".to_vec(), members.concat()].concat();
            let marked = [gz(b"text "), packed].concat();
            prop_assert_eq!(read(&marked, step).0, plain.clone());
            prop_assert_eq!(read(&gz(&marked), step).0, plain.clone());
            prop_assert_eq!(read(&plain, step).0, plain);
        }

        #[test]
        fn any_cut_yields_a_front_of_the_text(cut in 0_usize..60_000, step in 1_usize..5000) {
            let text = noise(60_000);
            let packed = gz(&text);
            let cut = cut.min(packed.len() - 1);
            let (front, fault) = read(&packed[..cut], step);
            if cut >= 2 {
                let cut_short = matches!(fault, Some(ReadErrorKind::GzipCutShort { byte }) if byte == cut as u64);
                assert!(cut_short, "{fault:?}");
                assert!(text.starts_with(&front));
            }
        }

        #[test]
        fn whatever_follows_the_magic_comes_to_an_end(
            flags in 0_u8..64,
            rest in vec(any::<u8>(), 0..400),
        ) {
            let header = [0x1f, 0x8b, DEFLATE_METHOD, flags];
            let (text, fault) = read(&[header.as_slice(), &rest].concat(), 7);
            assert!(fault.is_some() || text.len() < 400_000);
        }

        #[test]
        fn damage_never_passes_unsaid(at in 10_usize..30_000, bit in 0_u32..8) {
            let text = noise(60_000);
            let mut packed = gz(&text);
            let at = at.min(packed.len() - 1);
            packed[at] ^= 1 << bit;
            let (front, fault) = read(&packed, usize::MAX);
            assert!(fault.is_some() || front == text);
            assert!(fault.is_some(), "flipped bit {bit} of byte {at}");
        }
    }

    #[test]
    fn a_cut_yields_what_could_be_inflated() {
        let text = noise(2_000_000);
        let packed = gz(&text);
        let (front, fault) = read(&packed[..packed.len() - 20], usize::MAX);
        assert!(matches!(fault, Some(ReadErrorKind::GzipCutShort { .. })));
        assert!(text.starts_with(&front));
        assert!(front.len() > 1_999_000, "{}", front.len());
    }

    #[test]
    fn damage_yields_what_came_before_it() {
        let text = noise(2_000_000);
        let mut packed = gz(&text);
        let middle = packed.len() / 2;
        packed[middle..middle + 2000].fill(0xff);
        let (front, fault) = read(&packed, usize::MAX);
        assert!(fault.is_some());
        assert!(text.starts_with(&front[..900_000]), "{}", front.len());
    }

    #[test]
    fn a_bad_checksum_is_told_after_the_text() {
        let mut packed = gz(b"some text\n");
        let trailer = packed.len() - 8;
        packed[trailer] ^= 1;
        let (text, fault) = read(&packed, usize::MAX);
        assert_eq!(text, b"some text\n");
        let at = |byte| byte == trailer as u64;
        assert!(matches!(fault, Some(ReadErrorKind::GzipChecksum { byte }) if at(byte)));
    }

    #[test]
    fn a_bad_length_is_told_too() {
        let mut packed = gz(b"some text\n");
        let length = packed.len() - 4;
        packed[length] ^= 1;
        assert!(fault(&packed).starts_with("gzip checksum at byte"));
    }

    #[test]
    fn zeros_behind_the_last_member_are_padding() {
        let packed = [gz(b"one\n"), gz(b"two\n"), vec![0; 1000]].concat();
        assert_eq!(whole(&packed), b"one\ntwo\n");
    }

    #[test]
    fn garbage_behind_a_member_is_named_by_its_place() {
        let packed = gz(b"one\n");
        let garbage = [packed.clone(), b"more".to_vec()].concat();
        let expected = format!(
            "bytes that are no gzip follow the gzip data at byte {}",
            packed.len()
        );
        assert_eq!(fault(&garbage), expected);
        assert_eq!(read(&garbage, 1).0, b"one\n");

        let padded = [packed.clone(), b"\0\0more".to_vec()].concat();
        assert!(fault(&padded).ends_with(&format!("byte {}", packed.len() + 2)));

        let half_magic = [packed.clone(), b"\x1fmore".to_vec()].concat();
        assert_eq!(fault(&half_magic), expected);
    }

    #[test]
    fn every_optional_header_field_is_passed_over() {
        let builder = GzBuilder::new()
            .filename("a.log")
            .comment("none")
            .extra(vec![7; 300])
            .mtime(1_760_000_000);
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(b"text").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(read(&packed, 1).0, b"text");
        assert_eq!(whole(&packed), b"text");
    }

    #[test]
    fn gzip_with_an_unknown_method_is_refused() {
        let mut packed = gz(b"text");
        packed[2] = 7;
        assert_eq!(fault(&packed), "gzip header at byte 0 is damaged");
    }

    #[test]
    fn gzip_in_gzip_is_unpacked_twice_and_no_more() {
        let twice = gz(&gz(b"text"));
        assert_eq!(whole(&twice), b"text");
        assert!(matches!(
            read(&gz(&twice), usize::MAX).1,
            Some(ReadErrorKind::GzipTooDeep)
        ));
    }

    #[test]
    fn nothing_is_fine() {
        assert_eq!(whole(b""), b"");
        assert_eq!(whole(&gz(b"")), b"");
        assert_eq!(whole(b"\x1f"), b"\x1f");
    }

    #[test]
    fn other_formats_are_named() {
        let zip = "zip is not read by this version; give text, JSON or Parquet, plain or packed by \
                   gzip, zstd or snappy";
        assert_eq!(fault(b"PK\x03\x04\x04"), zip);
        assert_eq!(fault(&gz(b"PK\x03\x04\x04")), zip);
        assert!(fault(b"\x28\xb5\x2f\xfd....").starts_with("zstd data is damaged"));
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        zstd::bulk::compress(text, 3).unwrap()
    }

    fn snappy(text: &[u8]) -> Vec<u8> {
        let mut encoder = snap::write::FrameEncoder::new(Vec::new());
        encoder.write_all(text).unwrap();
        encoder.into_inner().unwrap()
    }

    fn raw_snappy(text: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(text).unwrap()
    }

    #[test]
    fn zstd_and_snappy_are_unpacked_however_they_come() {
        let text = noise(300_000);
        for pack in [zstd, snappy, raw_snappy] {
            for step in [1_000, usize::MAX] {
                assert_eq!(read(&pack(&text), step).0, text);
                assert_eq!(read(&gz(&pack(&text)), step).0, text);
            }
        }
        let members = [zstd(&text), zstd(b"more")].concat();
        assert_eq!(whole(&members), [text, b"more".to_vec()].concat());
    }

    #[test]
    fn small_objects_of_raw_snappy_are_told_too() {
        let line = br#"{"eni-id":"eni-bp1aaaa","srcaddr":"10.0.0.1","dstaddr":"10.0.0.2"}"#;
        assert_eq!(whole(&raw_snappy(line)), line);
        for len in [60, 61, 200, 256, 257, 70_000] {
            let text = noise(len);
            assert_eq!(whole(&raw_snappy(&text)), text, "{len}");
        }
    }

    #[test]
    fn what_only_looks_like_raw_snappy_stays_as_it_is() {
        for text in [
            b"\xff\xfe1\x00a\x00".as_slice(),
            b"\x80\x01\x04ab",
            b"\xc3\xa4 10.0.0.1",
        ] {
            assert_eq!(whole(text), text);
        }
    }

    #[test]
    fn damage_in_other_packings_is_told_after_what_came_before_it() {
        let text = noise(600_000);
        for (pack, name) in [(zstd as fn(&[u8]) -> Vec<u8>, "zstd"), (snappy, "snappy")] {
            let packed = pack(&text);
            let (front, fault) = read(&packed[..packed.len() - 9], usize::MAX);
            let told = fault.unwrap().to_string();
            assert!(
                told.starts_with(&format!("{name} data is damaged")),
                "{told}"
            );
            assert!(text.starts_with(&front) && front.len() > 300_000);
        }
    }

    proptest! {
        #[test]
        fn whatever_follows_a_magic_comes_to_an_end(
            head in 0_usize..4,
            rest in vec(any::<u8>(), 0..400),
        ) {
            let heads: [&[u8]; 4] = [
                b"\x28\xb5\x2f\xfd",
                b"\xff\x06\x00\x00sNaPpY",
                b"\xff\xff\xff\xff\x0f\x04",
                b"\x80\x08\xf4",
            ];
            let (text, _) = read(&[heads[head], &rest].concat(), 7);
            assert!(text.len() < 20_000_000);
        }
    }

    #[test]
    fn bytes_are_counted_on_both_sides() {
        let packed = gz(&gz(&noise(600_000)));
        let len = packed.len() as u64;
        let mut stream = Stream::from_reader("x", io::Cursor::new(packed)).unwrap();
        while let Some(block) = stream.next_block().unwrap() {
            assert!(block.len() <= BLOCK);
        }
        assert_eq!(stream.text_bytes(), 600_000);
        assert_eq!(stream.compressed_bytes(), len);
    }

    #[test]
    fn a_failing_reader_is_told_after_what_it_gave() {
        struct Failing(bool);
        impl Read for Failing {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                if self.0 {
                    return Err(io::Error::other("disk on fire"));
                }
                self.0 = true;
                out[..3].copy_from_slice(b"abc");
                Ok(3)
            }
        }
        let mut stream = Stream::from_reader("x", Failing(false)).unwrap();
        assert_eq!(stream.next_block().unwrap(), Some(b"abc".as_slice()));
        let error = stream.next_block().unwrap_err();
        assert_eq!(error.to_string(), "`x`: cannot be read on: disk on fire");
    }
}
