//! Cuts JSON documents out of blocks: objects that follow each other with
//! newlines, commas or nothing between them, within an array or not. What is
//! within them is left to `envelope`.
//!
//! A damaged document does not take those behind it along, where they begin on
//! a line of their own.

/// Most bytes of one document.
pub(super) const LONGEST_DOCUMENT: usize = 256 << 20;

/// What was cut out.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Balanced braces, and where they begin in the object.
    Document(&'a [u8], u64),
    /// Bytes that begin no document, up to the end of their line; or a document
    /// that broke off.
    Damaged(&'a [u8], u64),
}

/// The state between two bytes.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what a scanner of strings within braces has to know"
)]
#[derive(Debug, Default)]
pub(super) struct Documents {
    /// The document, or stray text, that is not complete.
    pending: Vec<u8>,
    begin: u64,
    /// Bytes behind us.
    byte: u64,
    depth: u32,
    in_string: bool,
    escaped: bool,
    stray: bool,
    /// The last byte was a newline.
    at_line: bool,
}

impl Documents {
    /// Takes the next bytes. Answers false once a document is too long: the
    /// rest is not looked at.
    pub(super) fn feed(&mut self, block: &[u8], mut each: impl FnMut(Piece<'_>)) -> bool {
        for &byte in block {
            self.step(byte, &mut each);
            self.byte = self.byte.saturating_add(1);
            if self.pending.len() > LONGEST_DOCUMENT {
                return false;
            }
        }
        true
    }

    /// Whether the next byte begins a line, and no document is open.
    pub(super) fn is_at_line(&self) -> bool {
        self.depth == 0 && !self.stray && (self.at_line || self.byte == 0)
    }

    /// Passes over a line that was read otherwise, of so many bytes, its newline
    /// included.
    #[inline]
    pub(super) fn pass(&mut self, bytes: usize) {
        self.byte = self.byte.saturating_add(bytes as u64);
        self.at_line = true;
    }

    /// Ends the object. Answers where a document begins that lacks its end.
    pub(super) fn finish(&mut self, mut each: impl FnMut(Piece<'_>)) -> Option<u64> {
        let cut = self.depth > 0;
        if self.stray {
            each(Piece::Damaged(&self.pending, self.begin));
        }
        let begin = self.begin;
        *self = Documents::default();
        cut.then_some(begin)
    }

    #[inline]
    fn step(&mut self, byte: u8, each: &mut impl FnMut(Piece<'_>)) {
        let at_line = std::mem::replace(&mut self.at_line, byte == b'\n');
        if self.stray {
            return self.stray(byte, each);
        }
        if self.depth == 0 {
            return self.between(byte);
        }
        let broken = self.in_string && byte == b'\n' || at_line && byte == b'{';
        if broken {
            each(Piece::Damaged(&self.pending, self.begin));
            self.forget();
            return self.between(byte);
        }
        self.pending.push(byte);
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' => self.depth = self.depth.saturating_add(1),
            b'}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if self.depth == 0 {
            each(Piece::Document(&self.pending, self.begin));
            self.forget();
        }
    }

    fn forget(&mut self) {
        self.pending.clear();
        self.depth = 0;
        self.in_string = false;
        self.escaped = false;
        self.stray = false;
    }

    /// Between documents; brackets of an array around them are no news.
    fn between(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | 0xef | 0xbb | 0xbf => return,
            b'{' => self.depth = 1,
            _ => self.stray = true,
        }
        self.begin = self.byte;
        self.pending.push(byte);
    }

    fn stray(&mut self, byte: u8, each: &mut impl FnMut(Piece<'_>)) {
        if byte == b'\n' {
            each(Piece::Damaged(&self.pending, self.begin));
            self.forget();
        } else {
            self.pending.push(byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn cut(blocks: &[&[u8]]) -> (Vec<(bool, String, u64)>, Option<u64>) {
        let mut documents = Documents::default();
        let mut seen = Vec::new();
        let mut each = |piece: Piece<'_>| {
            let (sound, text, at) = match piece {
                Piece::Document(text, at) => (true, text, at),
                Piece::Damaged(text, at) => (false, text, at),
            };
            seen.push((sound, String::from_utf8_lossy(text).into_owned(), at));
        };
        for block in blocks {
            assert!(documents.feed(block, &mut each));
        }
        let end = documents.finish(&mut each);
        (seen, end)
    }

    #[test]
    fn documents_need_nothing_between_them() {
        let (seen, cut) = cut(&[br#"{"a":"}"}{"b":{}}
[{"c":"\""},
 {"d":1}]"#]);
        let texts: Vec<&str> = seen.iter().map(|(_, text, _)| text.as_str()).collect();
        assert_eq!(
            texts,
            [r#"{"a":"}"}"#, r#"{"b":{}}"#, r#"{"c":"\""}"#, r#"{"d":1}"#]
        );
        assert_eq!(seen[1].2, 9);
        assert_eq!(cut, None);
    }

    #[test]
    fn a_damaged_line_leaves_the_next_alone() {
        for damaged in [r#"{"a":"b}"#, r#"{"a":{"b":1}"#, "stray"] {
            let text = format!("{damaged}\n{{\"c\":1}}\n");
            let (seen, cut) = cut(&[text.as_bytes()]);
            assert_eq!(seen.len(), 2, "{damaged}");
            assert!(!seen[0].0 && seen[1].0, "{damaged}");
            assert_eq!(cut, None);
        }
    }

    #[test]
    fn a_document_that_lacks_its_end_is_told() {
        assert_eq!(cut(&[b" {\"a\":1}{\"b\":{}"]).1, Some(8));
    }

    proptest! {
        #[test]
        fn how_blocks_were_cut_never_shows(
            text in "([{}\\[\\]\",: \n\\\\ab]{0,40})",
            at in any::<usize>(),
            more in vec(any::<u8>(), 0..20),
        ) {
            let text = [text.into_bytes(), more].concat();
            let (left, right) = text.split_at(at % (text.len() + 1));
            prop_assert_eq!(cut(&[left, right]), cut(&[&text]));
        }
    }
}
