//! Where the blanks and newlines of a window of text stand, found 64 bytes at
//! a time: by vectors where the processor has them, and by words everywhere.
//!
//! This is the project's island of unsafe code (rule: one, and only for a
//! measured gain). What is unsafe is the choice of an engine by what the
//! processor has, vector loads and vector stores; the contract of each is at
//! its block. Every engine passes the same tests as the one of words.

#![expect(
    unsafe_code,
    clippy::inline_always,
    reason = "vector loads and stores, and calls of code for a processor that was asked first; \
              what the engines share is compiled into each"
)]

use crate::flowlog::scan::HIGH;
use crate::flowlog::scan::ONES;
use crate::flowlog::scan::below_space;
use crate::flowlog::scan::gather;
use crate::flowlog::scan::lanes::Lanes;
use crate::flowlog::scan::lanes::Words;

/// Longest window, in bytes: offsets within it fit 16 bits, and what is known
/// of it stays in the nearest cache.
pub(in crate::flowlog) const WINDOW: usize = 32 * 1024;

/// Bytes classified at once.
const CHUNK: usize = 64;

/// Bounds from a place on that are given whether they are of its line or not.
pub(in crate::flowlog) const REACH: usize = 65;

/// Room for one bound a byte, and for what is stored or given behind the last.
const ROOM: usize = WINDOW + CHUNK + REACH;

/// The way of classifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::flowlog) enum Engine {
    /// Words of eight bytes: on every processor, and the twin of the others.
    Words,
    /// AVX2, with BMI 1 and 2, LZCNT and POPCNT.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// All that, and AVX-512 F, BW and VBMI2.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Engine {
    /// Every engine that this processor has, the fastest last.
    pub(in crate::flowlog) fn all() -> impl Iterator<Item = Engine> {
        let mut engines = vec![Engine::Words];
        #[cfg(target_arch = "x86_64")]
        {
            let words = std::is_x86_feature_detected!("bmi1")
                && std::is_x86_feature_detected!("bmi2")
                && std::is_x86_feature_detected!("lzcnt")
                && std::is_x86_feature_detected!("popcnt");
            if words && std::is_x86_feature_detected!("avx2") {
                engines.push(Engine::Avx2);
                if std::is_x86_feature_detected!("avx512bw")
                    && std::is_x86_feature_detected!("avx512vbmi2")
                {
                    engines.push(Engine::Avx512);
                }
            }
        }
        engines.into_iter()
    }

    /// The fastest that this processor has.
    pub(in crate::flowlog) fn best() -> Engine {
        Engine::all().last().unwrap_or(Engine::Words)
    }
}

/// Work that is compiled for each kind of processor.
pub(in crate::flowlog) trait Work {
    /// What comes of it.
    type Outcome;
    /// Does it, reading tokens in the way given; `#[inline(always)]`, with all
    /// that it calls for every record.
    fn run(self, lanes: impl Lanes) -> Self::Outcome;
}

impl Engine {
    /// Does some work with the instructions that the engine may use: shifts
    /// and counts of bits, mostly, which the common ground of processors has
    /// only in slower forms.
    #[inline(always)]
    pub(in crate::flowlog) fn run<W: Work>(self, work: W) -> W::Outcome {
        match self {
            Engine::Words => work.run(Words),
            // SAFETY: both engines are offered only where the processor has AVX2,
            // BMI1, BMI2, LZCNT and POPCNT.
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 | Engine::Avx512 => unsafe { x86::run(work) },
        }
    }
}

/// Bounds of the tokens of one window, kept from window to window.
#[derive(Clone, Debug)]
pub(in crate::flowlog) struct Index {
    engine: Engine,
    /// Offsets of blanks and newlines, ascending, behind one entry that stands
    /// for the newline before the window (so that one more is always the
    /// beginning of a token, in wrapping arithmetic). Invariant: [`ROOM`] long.
    bounds: Vec<u16>,
    /// Which of `bounds` are newlines. Invariant: [`ROOM`] long.
    newlines: Vec<u16>,
    /// How many of `bounds` count.
    bounds_len: usize,
    /// How many of `newlines` count.
    newlines_len: usize,
}

/// What is carried from chunk to chunk.
struct Progress<'a> {
    bounds: &'a mut [u16; ROOM],
    newlines: &'a mut [u16; ROOM],
    bounds_len: usize,
    newlines_len: usize,
    /// 1 where the byte before the next chunk is a bound.
    after_bound: u64,
    /// All bits where bounds side by side are odd, else none.
    refused: u64,
    /// Not 0 once something was found that only the plain way reads.
    odd: u64,
}

/// Masks of one chunk: bit `i` speaks of byte `i`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Classes {
    /// What separates columns, mostly spaces.
    blanks: u64,
    /// Newline.
    newlines: u64,
    /// Any other byte below space.
    controls: u64,
}

impl Index {
    /// Room for any window.
    pub(in crate::flowlog) fn new(engine: Engine) -> Index {
        Index {
            engine,
            bounds: vec![u16::MAX; ROOM],
            newlines: vec![0; ROOM],
            bounds_len: 1,
            newlines_len: 0,
        }
    }

    /// Looks at a window of at most [`WINDOW`] bytes that begins with a line.
    /// Whether it is plain: no control character, and where blanks separate, no
    /// two bounds side by side (no blank line, no run of blanks, none at the
    /// edge of a line). Of a window that is not, only the newlines can be
    /// relied upon.
    pub(in crate::flowlog) fn build(&mut self, window: &[u8], separator: u8) -> bool {
        let window = window.get(..WINDOW).unwrap_or(window);
        let (Some(bounds), Some(newlines)) = (
            self.bounds.first_chunk_mut::<ROOM>(),
            self.newlines.first_chunk_mut::<ROOM>(),
        ) else {
            return false;
        };
        let mut progress = Progress {
            bounds,
            newlines,
            bounds_len: 1,
            newlines_len: 0,
            after_bound: 1,
            refused: if separator == b' ' { u64::MAX } else { 0 },
            odd: 0,
        };
        match self.engine {
            Engine::Words => words(window, separator, &mut progress),
            // SAFETY: the engine is offered only where the processor has AVX2,
            // BMI1 and POPCNT.
            #[cfg(target_arch = "x86_64")]
            Engine::Avx2 => unsafe { x86::avx2(window, separator, &mut progress) },
            // SAFETY: the engine is offered only where the processor has
            // AVX-512 F, BW and VBMI2, BMI1 and POPCNT.
            #[cfg(target_arch = "x86_64")]
            Engine::Avx512 => unsafe { x86::avx512(window, separator, &mut progress) },
        }
        let plain = progress.odd == 0;
        (self.bounds_len, self.newlines_len) = (progress.bounds_len, progress.newlines_len);
        plain
    }

    /// The way of classifying.
    pub(in crate::flowlog) fn engine(&self) -> Engine {
        self.engine
    }

    /// Offsets of bounds, behind the entry that stands for the newline before.
    pub(in crate::flowlog) fn bounds(&self) -> &[u16] {
        self.bounds.get(..self.bounds_len).unwrap_or_default()
    }

    /// Bounds from a place on, and behind the last of them anything.
    #[inline(always)]
    pub(in crate::flowlog) fn reach(&self, place: usize) -> Option<&[u16; REACH]> {
        self.bounds.get(place..)?.first_chunk()
    }

    /// Places of newlines among the bounds, ascending.
    pub(in crate::flowlog) fn newlines(&self) -> &[u16] {
        self.newlines.get(..self.newlines_len).unwrap_or_default()
    }
}

impl Progress<'_> {
    /// Takes one chunk's masks; the bounds themselves are the engine's.
    #[inline(always)]
    fn note(&mut self, classes: Classes) -> u64 {
        let Classes {
            blanks,
            newlines,
            controls,
        } = classes;
        let bounds = blanks | newlines;
        let beside = bounds & (bounds << 1 | self.after_bound);
        self.odd |= controls | beside & self.refused;
        self.after_bound = bounds >> 63;
        let mut rest = newlines;
        while rest != 0 {
            let before = bounds & (rest & rest.wrapping_neg()).wrapping_sub(1);
            let place = self.bounds_len.wrapping_add(before.count_ones() as usize);
            if let Some(slot) = self.newlines.get_mut(self.newlines_len) {
                *slot = low_half(place);
            }
            self.newlines_len = self.newlines_len.wrapping_add(1);
            rest &= rest.wrapping_sub(1);
        }
        bounds
    }

    /// Writes the bounds of a chunk at `at` one by one.
    #[inline(always)]
    fn push(&mut self, at: usize, mut bounds: u64) {
        let count = bounds.count_ones() as usize;
        let mut place = self.bounds_len;
        while bounds != 0 {
            if let Some(slots) = self
                .bounds
                .get_mut(place..)
                .and_then(<[u16]>::first_chunk_mut::<4>)
            {
                for slot in slots {
                    *slot = low_half(at.wrapping_add(bounds.trailing_zeros() as usize));
                    bounds &= bounds.wrapping_sub(1);
                }
            }
            place = place.wrapping_add(4);
        }
        self.bounds_len = self.bounds_len.wrapping_add(count);
    }
}

/// Offsets within a window fit.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a window is shorter than 2^16; behind the last bound anything may stand"
)]
fn low_half(offset: usize) -> u16 {
    offset as u16
}

/// The last bytes of a window, filled up with what is no bound.
fn padded(rest: &[u8]) -> [u8; CHUNK] {
    let mut chunk = [b'x'; CHUNK];
    for (to, from) in chunk.iter_mut().zip(rest) {
        *to = *from;
    }
    chunk
}

fn words(window: &[u8], separator: u8, progress: &mut Progress<'_>) {
    let (chunks, rest) = window.as_chunks::<CHUNK>();
    let last = padded(rest);
    let mut at = 0;
    for chunk in chunks.iter().chain([&last]) {
        let bounds = progress.note(classify(chunk, separator));
        progress.push(at, bounds);
        at = at.wrapping_add(CHUNK);
    }
}

fn classify(chunk: &[u8; CHUNK], separator: u8) -> Classes {
    let mut classes = Classes {
        blanks: 0,
        newlines: 0,
        controls: 0,
    };
    let (words, _) = chunk.as_chunks::<8>();
    for word in words.iter().rev() {
        let word = u64::from_le_bytes(*word);
        let newlines = equal(word, b'\n');
        let separators = equal(word, separator);
        let controls = below_space(word) & !(newlines | separators);
        classes.blanks = classes.blanks << 8 | gather(separators);
        classes.newlines = classes.newlines << 8 | gather(newlines);
        classes.controls = classes.controls << 8 | gather(controls);
    }
    classes
}

/// High bit set in each byte that is `byte`, exactly: no byte carries over.
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ ONES.wrapping_mul(u64::from(byte));
    let low = differing & !HIGH;
    !(low.wrapping_add(!HIGH) | differing) & HIGH
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m256i;
    use std::arch::x86_64::__m512i;
    use std::arch::x86_64::_mm256_cmpeq_epi8;
    use std::arch::x86_64::_mm256_loadu_si256;
    use std::arch::x86_64::_mm256_max_epu8;
    use std::arch::x86_64::_mm256_movemask_epi8;
    use std::arch::x86_64::_mm256_set1_epi8;
    use std::arch::x86_64::_mm512_add_epi16;
    use std::arch::x86_64::_mm512_castsi512_si256;
    use std::arch::x86_64::_mm512_cmpeq_epi8_mask;
    use std::arch::x86_64::_mm512_cmplt_epu8_mask;
    use std::arch::x86_64::_mm512_cvtepu8_epi16;
    use std::arch::x86_64::_mm512_extracti64x4_epi64;
    use std::arch::x86_64::_mm512_loadu_si512;
    use std::arch::x86_64::_mm512_maskz_compress_epi8;
    use std::arch::x86_64::_mm512_set1_epi8;
    use std::arch::x86_64::_mm512_set1_epi16;
    use std::arch::x86_64::_mm512_storeu_si512;

    use crate::flowlog::scan::index::CHUNK;
    use crate::flowlog::scan::index::Classes;
    use crate::flowlog::scan::index::Progress;
    use crate::flowlog::scan::index::Work;
    use crate::flowlog::scan::index::low_half;
    use crate::flowlog::scan::index::padded;
    use crate::flowlog::scan::lanes::Vectors;

    /// Each byte its own place.
    static PLACES: [u8; CHUNK] = {
        let mut places = [0; CHUNK];
        let mut place = 0_u8;
        while (place as usize) < CHUNK {
            // Within bounds by the loop's condition.
            #[expect(clippy::indexing_slicing, reason = "the loop's condition")]
            {
                places[place as usize] = place;
            }
            place += 1;
        }
        places
    };

    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn run<W: Work>(work: W) -> W::Outcome {
        work.run(Vectors::at_hand())
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi2,bmi1,popcnt")]
    pub(super) fn avx512(window: &[u8], separator: u8, progress: &mut Progress<'_>) {
        let (chunks, rest) = window.as_chunks::<CHUNK>();
        let last = padded(rest);
        let places = load_512(&PLACES);
        let separator = _mm512_set1_epi8(separator.cast_signed());
        let mut at = 0_usize;
        for chunk in chunks.iter().chain([&last]) {
            let bytes = load_512(chunk);
            let newlines = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(0x0a));
            let blanks = _mm512_cmpeq_epi8_mask(bytes, separator);
            let below_space = _mm512_cmplt_epu8_mask(bytes, _mm512_set1_epi8(0x20));
            let classes = Classes {
                blanks,
                newlines,
                controls: below_space & !(newlines | blanks),
            };
            let bounds = progress.note(classes);
            let packed = _mm512_maskz_compress_epi8(bounds, places);
            let base = _mm512_set1_epi16(low_half(at).cast_signed());
            let front = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed));
            store(progress, 0, _mm512_add_epi16(front, base));
            let count = bounds.count_ones() as usize;
            if count > 32 {
                let behind = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64::<1>(packed));
                store(progress, 32, _mm512_add_epi16(behind, base));
            }
            progress.bounds_len = progress.bounds_len.wrapping_add(count);
            at = at.wrapping_add(CHUNK);
        }
    }

    /// Writes 32 bounds `skip` behind the last one that counts.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(progress: &mut Progress<'_>, skip: usize, offsets: __m512i) {
        let from = progress.bounds_len.wrapping_add(skip);
        let room = progress.bounds.get_mut(from..);
        if let Some(room) = room.and_then(<[u16]>::first_chunk_mut::<32>) {
            // SAFETY: `room` is 32 times two bytes, exclusively borrowed; the
            // store needs no alignment.
            unsafe { _mm512_storeu_si512(room.as_mut_ptr().cast(), offsets) }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_512(chunk: &[u8; CHUNK]) -> __m512i {
        // SAFETY: the chunk is 64 bytes; the load needs no alignment.
        unsafe { _mm512_loadu_si512(chunk.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn avx2(window: &[u8], separator: u8, progress: &mut Progress<'_>) {
        let (chunks, rest) = window.as_chunks::<CHUNK>();
        let last = padded(rest);
        let separator = separator.cast_signed();
        let mut at = 0_usize;
        for chunk in chunks.iter().chain([&last]) {
            let (low, high) = chunk.split_at(CHUNK / 2);
            let (low, high) = (load_256(low), load_256(high));
            let newlines = both(equal(low, 0x0a), equal(high, 0x0a));
            let blanks = both(equal(low, separator), equal(high, separator));
            let below_space = both(below_space(low), below_space(high));
            let classes = Classes {
                blanks,
                newlines,
                controls: below_space & !(newlines | blanks),
            };
            let bounds = progress.note(classes);
            progress.push(at, bounds);
            at = at.wrapping_add(CHUNK);
        }
    }

    fn both(low: u32, high: u32) -> u64 {
        u64::from(low) | u64::from(high) << 32
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(bytes: __m256i, byte: i8) -> u32 {
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte))).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn below_space(bytes: __m256i) -> u32 {
        let last = _mm256_set1_epi8(0x1f);
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(bytes, last), last)).cast_unsigned()
    }

    /// Loads 32 bytes; fewer are never given.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_256(half: &[u8]) -> __m256i {
        match half.first_chunk::<32>() {
            // SAFETY: the half is 32 bytes; the load needs no alignment.
            Some(half) => unsafe { _mm256_loadu_si256(half.as_ptr().cast()) },
            None => _mm256_set1_epi8(0),
        }
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

    /// Bounds, places of newlines, and whether it is plain; byte by byte.
    fn naive(window: &[u8], separator: u8) -> (Vec<u16>, Vec<u16>, bool) {
        let (mut bounds, mut newlines) = (vec![u16::MAX], Vec::new());
        let mut plain = true;
        for (at, byte) in window.iter().enumerate() {
            if *byte == b'\n' {
                newlines.push(u16::try_from(bounds.len()).unwrap());
            }
            if *byte == b'\n' || *byte == separator {
                let beside = bounds.last().unwrap().wrapping_add(1) == u16::try_from(at).unwrap();
                plain &= !beside || separator != b' ';
                bounds.push(u16::try_from(at).unwrap());
            } else {
                plain &= *byte >= b' ';
            }
        }
        (bounds, newlines, plain)
    }

    fn check(window: &[u8]) {
        for engine in Engine::all() {
            let mut index = Index::new(engine);
            for separator in *b" ,\t\"" {
                // Leftovers of an earlier window do not show.
                index.build(&vec![separator; WINDOW], separator);
                let plain = index.build(window, separator);
                let found = (index.bounds().to_vec(), index.newlines().to_vec(), plain);
                assert_eq!(found, naive(window, separator), "{engine:?} {separator}");
            }
        }
    }

    fn log_like() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            6 => Just(b' '),
            1 => Just(b'\n'),
            2 => Just(b','),
            20 => b'!'..=b'~',
            1 => 0x80..=u8::MAX,
        ];
        vec(byte, 0..700)
    }

    proptest! {
        #[test]
        fn every_engine_finds_what_a_plain_look_finds(window in log_like()) {
            check(&window);
        }

        #[test]
        fn any_bytes_are_looked_at_alike(window in vec(any::<u8>(), 0..400)) {
            check(&window);
        }

        #[test]
        fn every_byte_is_classified_at_every_place(byte in any::<u8>(), place in 0..CHUNK) {
            let mut window = [b'x'; CHUNK];
            window[place] = byte;
            check(&window);
            prop_assert_eq!(window[place], byte);
        }
    }

    #[test]
    fn a_window_of_bounds_alone_fits() {
        check(&vec![b' '; WINDOW]);
        check(&vec![b'\n'; WINDOW]);
        check(&vec![b'x'; WINDOW]);
        check(b"");
    }

    #[test]
    fn a_chunk_may_be_full_of_single_letters() {
        let window: Vec<u8> = b"a ".iter().copied().cycle().take(4_096).collect();
        check(&window);
    }
}
