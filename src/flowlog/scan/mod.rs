//! Where the tokens of a line stand, and what numbers and addresses they are.
//! Nothing here knows what either means.
//!
//! 64 bytes at a time become two masks of 64 bits ([`classify`], the one
//! function that a vector engine would replace); the edges of tokens are then
//! bit arithmetic on those masks. The method is that of Langdale and Lemire,
//! "Parsing Gigabytes of JSON per Second" (2019), section 3.1.

mod index;
mod lanes;

use memchr::memchr;

pub(super) use index::Engine;
pub(super) use index::Index;
pub(super) use index::REACH;
pub(super) use index::WINDOW;
pub(super) use index::Work;
pub(super) use lanes::Lanes;
#[cfg(test)]
pub(super) use lanes::Words;
pub(super) use lanes::address;
pub(super) use lanes::eight_times;
pub(super) use lanes::number;

/// Bytes classified at once.
const CHUNK: usize = 64;

/// Token bounds of one line, kept from line to line so that none allocates.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    /// Invariant: as many as `ends`, one for each column of the layout.
    starts: Vec<usize>,
    ends: Vec<usize>,
}

/// The line holds a control character that is no tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ControlFound;

impl Spans {
    /// Room for the bounds of so many columns.
    pub(super) fn of_columns(columns: usize) -> Spans {
        Spans {
            starts: vec![0; columns],
            ends: vec![0; columns],
        }
    }

    /// Finds the tokens of the line that is the first `len` bytes of `text`,
    /// and says how many there are; bounds beyond the columns are only counted.
    ///
    /// `text` may run on behind the line, which spares copying its last chunk.
    pub(super) fn split(&mut self, text: &[u8], len: usize) -> Result<usize, ControlFound> {
        let mut edges = Edges::new(&mut self.starts, &mut self.ends);
        let mut controls = 0;
        let mut at = 0;
        while at < len {
            let beyond = bits_from(len.saturating_sub(at));
            let classes = classify_at(text, at);
            controls |= classes.controls & !beyond;
            edges.push(at, classes.blanks | beyond);
            at = at.saturating_add(CHUNK);
        }
        let found = edges.finish(len);
        let line = text.get(..len).unwrap_or(text);
        if controls != 0 && line.iter().any(|byte| *byte < b' ' && *byte != b'\t') {
            return Err(ControlFound);
        }
        Ok(found)
    }

    /// As [`Spans::split`], of columns that one byte stands between, and which
    /// may be in quotes, those left out; `text` is read no further than `len`.
    /// A quote that is not closed goes on to the end of the line.
    pub(super) fn split_by(
        &mut self,
        separator: u8,
        text: &[u8],
        len: usize,
    ) -> Result<usize, ControlFound> {
        let line = text.get(..len).unwrap_or(text);
        if line
            .iter()
            .any(|byte| *byte < b' ' && *byte != b'\t' && *byte != separator)
        {
            return Err(ControlFound);
        }
        if line.trim_ascii().is_empty() && !line.contains(&separator) {
            return Ok(0);
        }
        let (mut at, mut found) = (0, 0);
        loop {
            let (start, end, behind) = field(line, at, separator);
            let bounds = (self.starts.get_mut(found), self.ends.get_mut(found));
            if let (Some(first), Some(last)) = bounds {
                (*first, *last) = (start, end);
            }
            found = found.saturating_add(1);
            if behind >= line.len() {
                return Ok(found);
            }
            at = behind.saturating_add(1);
        }
    }

    /// The token of a column; empty where the last line had none there.
    pub(super) fn token<'a>(&self, text: &'a [u8], column: usize) -> &'a [u8] {
        let bounds = self.starts.get(column).zip(self.ends.get(column));
        bounds
            .and_then(|(start, end)| text.get(*start..*end))
            .unwrap_or_default()
    }
}

/// Where the field that begins there starts and ends, quotes left out, and where
/// the separator behind it is; the line's end is one.
fn field(line: &[u8], at: usize, separator: u8) -> (usize, usize, usize) {
    let end_from = |from: usize| {
        let rest = line.get(from..).unwrap_or_default();
        from.saturating_add(memchr(separator, rest).unwrap_or(rest.len()))
    };
    let quote = match line.get(at) {
        Some(quote @ (b'"' | b'\'')) => *quote,
        Some(_) | None => return (at, end_from(at), end_from(at)),
    };
    let start = at.saturating_add(1);
    let mut from = start;
    loop {
        let rest = line.get(from..).unwrap_or_default();
        let Some(len) = memchr(quote, rest) else {
            return (start, line.len(), line.len());
        };
        let close = from.saturating_add(len);
        if line.get(close.saturating_add(1)) == Some(&quote) {
            from = close.saturating_add(2);
            continue;
        }
        let behind = end_from(close.saturating_add(1));
        // What follows the quote belongs to the field too, and makes it none.
        let whole = behind == close.saturating_add(1);
        return if whole {
            (start, close, behind)
        } else {
            (at, behind, behind)
        };
    }
}

/// Masks of one chunk: bit `i` speaks of byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Classes {
    /// Space and everything below it.
    blanks: u64,
    /// Everything below space: tabs too, which the caller tells apart.
    controls: u64,
}

fn classify_at(text: &[u8], at: usize) -> Classes {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk::<CHUNK>() {
        Some(chunk) => classify(chunk),
        None => classify(&padded(rest)),
    }
}

fn padded(rest: &[u8]) -> [u8; CHUNK] {
    let mut chunk = [b' '; CHUNK];
    for (to, from) in chunk.iter_mut().zip(rest) {
        *to = *from;
    }
    chunk
}

fn classify(chunk: &[u8; CHUNK]) -> Classes {
    let mut blanks = 0;
    let mut controls = 0;
    let (words, _) = chunk.as_chunks::<8>();
    for word in words.iter().rev() {
        let word = u64::from_le_bytes(*word);
        blanks = blanks << 8 | gather(at_most_space(word));
        controls = controls << 8 | gather(below_space(word));
    }
    Classes { blanks, controls }
}

/// The high bit of each of eight bytes.
const HIGH: u64 = 0x8080_8080_8080_8080;
/// One in each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;

/// High bit set in each byte that is 0x20 or less. No byte borrows from its
/// neighbour: each has its high bit set before the subtraction.
fn at_most_space(word: u64) -> u64 {
    !((word | HIGH).wrapping_sub(ONES.wrapping_mul(0x21)) | word) & HIGH
}

/// High bit set in each byte that is below 0x20.
fn below_space(word: u64) -> u64 {
    !((word | HIGH).wrapping_sub(ONES.wrapping_mul(0x20)) | word) & HIGH
}

/// High bits of eight bytes as eight bits, the first byte's lowest. The
/// multiplication moves bit `8i` to bit `56 + i`; no two meet below that.
fn gather(high_bits: u64) -> u64 {
    (high_bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// Bits at and above `position`; none where it is beyond the mask.
fn bits_from(position: usize) -> u64 {
    u32::try_from(position)
        .ok()
        .and_then(|shift| u64::MAX.checked_shl(shift))
        .unwrap_or(0)
}

/// Turns masks of blanks into token bounds.
struct Edges<'a> {
    starts: &'a mut [usize],
    ends: &'a mut [usize],
    started: usize,
    ended: usize,
    /// 1 where the byte before the next chunk is a blank; the line's front is.
    after_blank: u64,
}

impl<'a> Edges<'a> {
    fn new(starts: &'a mut [usize], ends: &'a mut [usize]) -> Edges<'a> {
        Edges {
            starts,
            ends,
            started: 0,
            ended: 0,
            after_blank: 1,
        }
    }

    fn push(&mut self, at: usize, blanks: u64) {
        let before = blanks << 1 | self.after_blank;
        record(self.starts, &mut self.started, at, !blanks & before);
        record(self.ends, &mut self.ended, at, blanks & !before);
        self.after_blank = blanks >> 63;
    }

    /// Ends a token that reaches the line's end, and says how many there were.
    fn finish(mut self, len: usize) -> usize {
        if self.after_blank == 0 {
            record(self.ends, &mut self.ended, len, 1);
        }
        self.started
    }
}

fn record(bounds: &mut [usize], count: &mut usize, at: usize, mut bits: u64) {
    while bits != 0 {
        if let Some(bound) = bounds.get_mut(*count) {
            *bound = at.wrapping_add(bits.trailing_zeros() as usize);
        }
        *count = count.wrapping_add(1);
        bits &= bits.wrapping_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prelude::prop_oneof;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn split(text: &[u8], len: usize, columns: usize) -> Result<Vec<&[u8]>, ControlFound> {
        let mut spans = Spans::of_columns(columns);
        let found = spans.split(text, len)?;
        Ok((0..found).map(|column| spans.token(text, column)).collect())
    }

    fn naive(line: &[u8]) -> Result<Vec<&[u8]>, ControlFound> {
        if line.iter().any(|byte| *byte < b' ' && *byte != b'\t') {
            return Err(ControlFound);
        }
        let tokens = line.split(|byte| matches!(byte, b' ' | b'\t'));
        Ok(tokens.filter(|token| !token.is_empty()).collect())
    }

    fn log_like() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => Just(b' '),
            1 => Just(b'\t'),
            12 => b'!'..=b'~',
            2 => 0x80..=u8::MAX,
        ];
        vec(byte, 0..300)
    }

    proptest! {
        #[test]
        fn tokens_are_what_a_plain_split_gives(line in log_like(), behind in log_like()) {
            let text = [line.clone(), behind].concat();
            prop_assert_eq!(split(&text, line.len(), 300), naive(&line));
            prop_assert_eq!(split(&line, line.len(), 300), naive(&line));
        }

        #[test]
        fn any_bytes_are_split_or_refused(line in vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(split(&line, line.len(), 200), naive(&line));
        }
    }

    fn split_by(separator: u8, line: &[u8]) -> Vec<&[u8]> {
        let mut spans = Spans::of_columns(50);
        let found = spans.split_by(separator, line, line.len()).unwrap();
        (0..found).map(|column| spans.token(line, column)).collect()
    }

    proptest! {
        #[test]
        fn fields_are_those_of_the_csv_crate(
            fields in vec("[a-z0-9.:-]{0,5}|\"[a-z ,|;]{0,5}\"", 1..20),
            separator in 0_usize..4,
        ) {
            let separator = b",|;\t"[separator];
            let line = fields.join(&char::from(separator).to_string()).into_bytes();
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(separator)
                .has_headers(false)
                .from_reader(line.as_slice());
            let mut record = csv::ByteRecord::new();
            let any = reader.read_byte_record(&mut record).unwrap();
            let expected: Vec<&[u8]> = record.iter().take(if any { 50 } else { 0 }).collect();
            prop_assert_eq!(split_by(separator, &line), expected);
        }

        #[test]
        fn any_line_is_split_within_its_bounds(line in vec(b' '..=b'~', 0..80)) {
            let mut spans = Spans::of_columns(100);
            let found = spans.split_by(b',', &line, line.len()).unwrap();
            assert!(found <= line.len() + 1);
        }
    }

    #[test]
    fn quotes_are_left_out_where_they_are_whole() {
        let fields = split_by(b',', b"\"a,b\",'c',\"d\"\"e\",,\"f\"g,h");
        let expected: [&[u8]; 6] = [b"a,b", b"c", b"d\"\"e", b"", b"\"f\"g", b"h"];
        assert_eq!(fields, expected);
        assert_eq!(split_by(b',', b"a,\"b,c"), [b"a".as_slice(), b"b,c"]);
        assert_eq!(split_by(b',', b""), Vec::<&[u8]>::new());
        assert_eq!(split_by(b',', b","), [b"", b""]);
    }

    #[test]
    fn every_byte_is_classified_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..CHUNK {
                let mut chunk = [b'x'; CHUNK];
                chunk[place] = byte;
                let bit = |yes: bool| u64::from(yes) << place;
                let Classes { blanks, controls } = classify(&chunk);
                assert_eq!(blanks, bit(byte <= b' '), "{byte} at {place}");
                assert_eq!(controls, bit(byte < b' '), "{byte} at {place}");
            }
        }
    }

    #[test]
    fn tokens_beyond_the_columns_are_counted() {
        let mut spans = Spans::of_columns(2);
        assert_eq!(spans.split(b"a b c d", 7), Ok(4));
        assert_eq!(spans.token(b"a b c d", 1), b"b");
        assert_eq!(spans.token(b"a b c d", 2), b"");
    }

    #[test]
    fn a_token_may_reach_over_chunks() {
        let line = [b"a ".as_slice(), &[b'x'; 200], b" b"].concat();
        assert_eq!(split(&line, line.len(), 3), naive(&line));
        let exact = [b'x'; CHUNK];
        assert_eq!(split(&exact, CHUNK, 1), Ok(vec![exact.as_slice()]));
    }

    #[test]
    fn a_control_character_behind_the_line_is_not_its_fault() {
        assert_eq!(split(b"a b\n\0", 3, 2), Ok(vec![b"a".as_slice(), b"b"]));
        assert_eq!(split(b"a b\n\0", 5, 2), Err(ControlFound));
    }
}
