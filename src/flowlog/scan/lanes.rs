//! Several tokens read at once: numbers four by four, addresses two by two. By
//! words of eight bytes everywhere, and by vectors where the processor has
//! them; this file is part of the island of unsafe code (see
//! [`index`](crate::flowlog::scan::index)): what is unsafe is one vector load
//! and the calls of code for a processor that was asked first. Measured gain: lines
//! of the default format are read in 0.7 of the time that words take.
//!
//! What is read is what is sure: tokens of plain digits and addresses in the
//! common notation. Both ways read the same, or nothing at all.

#![expect(
    unsafe_code,
    clippy::inline_always,
    reason = "vector loads, and calls of code for a processor that was asked first; \
              it is compiled into one loop over all records"
)]

use crate::flowlog::value::ZEROS;
use crate::flowlog::value::eight_digits;

/// First byte of a token and the place behind it.
pub(in crate::flowlog) type Span = (usize, usize);

/// A way to read several tokens at once.
pub(in crate::flowlog) trait Lanes: Copy {
    /// Values of four tokens of one to eight digits, each given by the eight
    /// bytes that end with it and its length; `None` where one is anything else.
    fn numbers(self, words: [u64; 4], lens: [usize; 4]) -> Option<[u64; 4]>;

    /// Values of two IPv4 addresses, without leading zeros; `None` where one is
    /// anything else or the text ends too soon behind it.
    fn addresses(self, text: &[u8], spans: [Span; 2]) -> Option<[u32; 2]>;
}

/// By words of eight bytes: the twin of the vectors.
#[derive(Clone, Copy, Debug)]
pub(in crate::flowlog) struct Words;

impl Lanes for Words {
    #[inline(always)]
    fn numbers(self, words: [u64; 4], lens: [usize; 4]) -> Option<[u64; 4]> {
        let mut values = [0; 4];
        for ((value, word), len) in values.iter_mut().zip(words).zip(lens) {
            *value = number(word, len)?;
        }
        Some(values)
    }

    #[inline(always)]
    fn addresses(self, text: &[u8], [one, two]: [Span; 2]) -> Option<[u32; 2]> {
        Some([address(text, one)?, address(text, two)?])
    }
}

/// The number that ends a word and is so long: what stands before it is shifted
/// out, and zeros come in as digits.
#[inline(always)]
pub(in crate::flowlog) fn number(word: u64, len: usize) -> Option<u64> {
    if len.wrapping_sub(1) >= 8 {
        return None;
    }
    let mask = u64::MAX << (64_u32.wrapping_sub(eight_times(len)) & 63);
    eight_digits((word ^ ZEROS) & mask)
}

/// An IPv4 address: the first two octets from the token's front, the last two
/// from its end, all four joined in two words.
#[inline(always)]
pub(in crate::flowlog) fn address(text: &[u8], (start, end): Span) -> Option<u32> {
    let len = u32::try_from(end.wrapping_sub(start)).ok()?;
    let front = u64::from_le_bytes(*text.get(start..)?.first_chunk::<8>()?);
    let back = u64::from_le_bytes(*text.get(..end)?.last_chunk::<8>()?);
    let front_dots = dots(front);
    let first = front_dots.trailing_zeros() >> 3;
    let second = (front_dots & front_dots.wrapping_sub(1)).trailing_zeros() >> 3;
    let back_dots = dots(back);
    let last = back_dots.leading_zeros() >> 3;
    let upper = back_dots & !(HIGHEST.wrapping_shr(back_dots.leading_zeros()));
    let last_two = upper.leading_zeros() >> 3;
    let lengths = [
        first,
        second.wrapping_sub(first).wrapping_sub(1),
        last_two.wrapping_sub(last).wrapping_sub(1),
        last,
    ];
    let fits = second.wrapping_add(1).wrapping_add(last_two) == len;
    let sound = lengths.iter().all(|len| len.wrapping_sub(1) < 3);
    if !fits || !sound {
        return None;
    }
    let (front, back) = (front ^ ZEROS, back ^ ZEROS);
    let [a, b, c, d] = [
        top(front << (64_u32.wrapping_sub(first << 3) & 63)),
        top(front << (64_u32.wrapping_sub(second << 3) & 63)) & kept(lengths[1]),
        top(back << ((last.wrapping_add(1) << 3) & 63)) & kept(lengths[2]),
        top(back) & kept(last),
    ];
    let (left, right) = (octets(a | b << 32)?, octets(c | d << 32)?);
    // An octet of two digits is 10 at least, one of three 100: else it begins
    // with a zero, which the plain way judges.
    let [l1, l2, l3, l4] = lengths;
    let least = [least(l1) | least(l2) << 32, least(l3) | least(l4) << 32];
    let small = (left.wrapping_sub(least[0]) | right.wrapping_sub(least[1]))
        | (LARGEST.wrapping_sub(left) | LARGEST.wrapping_sub(right));
    if small & BORROWED != 0 {
        return None;
    }
    let joined = |pair: u64| (pair & 0xff) << 8 | pair >> 32;
    u32::try_from(joined(left) << 16 | joined(right)).ok()
}

const HIGHEST: u64 = 1 << 63;
/// 255 in both halves.
const LARGEST: u64 = 0x0000_00ff_0000_00ff;
/// Set where a half, or the word, borrowed.
const BORROWED: u64 = 0x8000_0000_8000_0000;

/// The three bytes that end a word.
#[inline(always)]
fn top(word: u64) -> u64 {
    word >> 40
}

/// Mask of the last `len` of three bytes.
#[inline(always)]
fn kept(len: u32) -> u64 {
    0x00ff_ffff & (0x00ff_ffff << (24_u32.wrapping_sub(len << 3) & 31))
}

/// Least value of an octet of so many digits.
#[inline(always)]
fn least(len: u32) -> u64 {
    // One byte for each of the lengths 1, 2 and 3.
    0x0064_0a00 >> (len.wrapping_sub(1) << 3 & 31) & 0xff
}

/// The values of two octets, each three digits in half a word, the last digit
/// highest.
#[inline(always)]
fn octets(digits: u64) -> Option<u64> {
    const ONE: u64 = LARGEST;
    let above_nine = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
    if above_nine != 0 {
        return None;
    }
    let hundreds = (digits & ONE).wrapping_mul(100);
    let tens = (digits >> 8 & ONE).wrapping_mul(10);
    Some(hundreds.wrapping_add(tens).wrapping_add(digits >> 16 & ONE))
}

/// High bit set in each byte that is a dot, exactly.
#[inline(always)]
fn dots(word: u64) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let differing = word ^ 0x2e2e_2e2e_2e2e_2e2e;
    !((differing & LOW).wrapping_add(LOW) | differing | LOW)
}

/// Bits of so many bytes, up to 24.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "callers give at most 24")]
pub(in crate::flowlog) fn eight_times(len: usize) -> u32 {
    (len as u32).wrapping_mul(8)
}

/// By vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(in crate::flowlog) struct Vectors(());

#[cfg(target_arch = "x86_64")]
impl Vectors {
    /// Vectors for code that runs where they are: it may only be called where
    /// the processor has AVX2, BMI1 and POPCNT, which its target says.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,popcnt")]
    pub(super) fn at_hand() -> Vectors {
        Vectors(())
    }
}

#[cfg(target_arch = "x86_64")]
impl Lanes for Vectors {
    #[inline(always)]
    fn numbers(self, words: [u64; 4], lens: [usize; 4]) -> Option<[u64; 4]> {
        let [one, two, three, four] = lens;
        let less = one.wrapping_sub(1)
            | two.wrapping_sub(1)
            | three.wrapping_sub(1)
            | four.wrapping_sub(1);
        if less >= 8 {
            return None;
        }
        let kept = lens.map(|len| KEPT.get(len & 15).copied().unwrap_or(0));
        // SAFETY: vectors are made only where the processor has AVX2.
        let [low, high] = unsafe { x86::numbers(words, kept) }?;
        let half = u64::from(u32::MAX);
        Some([low & half, low >> 32, high & half, high >> 32])
    }

    #[inline(always)]
    fn addresses(self, text: &[u8], [one, two]: [Span; 2]) -> Option<[u32; 2]> {
        let chunk = |(start, _): Span| text.get(start..)?.first_chunk::<16>();
        let [first, second] = [one, two].map(|(start, end)| end.wrapping_sub(start));
        let (one, two) = (chunk(one)?, chunk(two)?);
        // SAFETY: vectors are made only where the processor has AVX2.
        let seen = unsafe { x86::look(one, two) };
        let places = [
            places(seen.map(|mask| mask & 0xffff), first)?,
            places(seen.map(|mask| mask >> 16), second)?,
        ];
        // SAFETY: as before.
        unsafe { x86::join([one, two], places) }
    }
}

/// By length, the bytes of a word that belong to the token that ends it.
#[cfg(target_arch = "x86_64")]
static KEPT: [u64; 16] = {
    let mut kept = [0; 16];
    let mut len = 1;
    while len <= 8 {
        // Within bounds by the loop's condition.
        #[expect(clippy::indexing_slicing, reason = "the loop's condition")]
        {
            kept[len] = u64::MAX << (64 - 8 * len);
        }
        len += 1;
    }
    kept
};

/// How an address is cut into octets, by [`hash`] of where its dots stand and
/// where it ends.
#[cfg(target_arch = "x86_64")]
static SHAPES: [Shape; 256] = shapes();

/// How an address is cut into octets.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Bits of where its dots stand and where it ends; none where there is no
    /// such shape.
    ends: u32,
    /// Where each octet's digits come from, after a byte of nothing.
    places: [u8; 16],
}

/// No two of the 81 shapes meet; the multiplier is one of the few below 2^16
/// that see to it (the method is that of Lemire and Mula, `sse_inet_aton`).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
const fn hash(ends: u32) -> usize {
    (ends.wrapping_mul(6_639) >> 13 & 0xff) as usize
}

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "computed as the program is compiled"
)]
const fn shapes() -> [Shape; 256] {
    const NOTHING: u8 = 0x80;
    const NONE: Shape = Shape {
        ends: 0,
        places: [NOTHING; 16],
    };
    let mut shapes = [NONE; 256];
    let mut number = 0;
    while number < 81 {
        let (mut shape, mut start, mut octet, mut rest) = (NONE, 0, 0, number);
        while octet < 4 {
            let len = rest % 3 + 1;
            let mut digit = 0;
            while digit < len {
                shape.places[4 * octet + 4 - len + digit] = (start + digit) as u8;
                digit += 1;
            }
            shape.ends |= 1 << (start + len);
            start += len + 1;
            octet += 1;
            rest /= 3;
        }
        assert!(shapes[hash(shape.ends)].ends == 0, "two shapes meet");
        shapes[hash(shape.ends)] = shape;
        number += 1;
    }
    shapes
}

/// Where the octets of an address of so many bytes come from, whose dots, digits
/// and zeros stand there; `None` where it is none, or has a leading zero, which
/// the plain way judges.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn places([dots, digits, zeros]: [u32; 3], len: usize) -> Option<&'static [u8; 16]> {
    if len > 15 {
        return None;
    }
    let end = 1_u32 << len;
    let token = end.wrapping_sub(1);
    let (dots, digits) = (dots & token, digits & token);
    let shape = SHAPES.get(hash(dots | end))?;
    let starts = dots << 1 | 1;
    let odd =
        (dots | digits) ^ token | (starts & zeros & digits >> 1) | (shape.ends ^ (dots | end));
    (odd == 0).then_some(&shape.places)
}

/// Short, so that each is compiled into the loop over records.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::__m128i;
    use std::arch::x86_64::__m256i;
    use std::arch::x86_64::_mm_loadu_si128;
    use std::arch::x86_64::_mm256_add_epi8;
    use std::arch::x86_64::_mm256_and_si256;
    use std::arch::x86_64::_mm256_cmpeq_epi8;
    use std::arch::x86_64::_mm256_cmpgt_epi8;
    use std::arch::x86_64::_mm256_cmpgt_epi32;
    use std::arch::x86_64::_mm256_extract_epi32;
    use std::arch::x86_64::_mm256_extract_epi64;
    use std::arch::x86_64::_mm256_madd_epi16;
    use std::arch::x86_64::_mm256_maddubs_epi16;
    use std::arch::x86_64::_mm256_movemask_epi8;
    use std::arch::x86_64::_mm256_packus_epi32;
    use std::arch::x86_64::_mm256_set_epi64x;
    use std::arch::x86_64::_mm256_set_m128i;
    use std::arch::x86_64::_mm256_set1_epi8;
    use std::arch::x86_64::_mm256_set1_epi16;
    use std::arch::x86_64::_mm256_set1_epi32;
    use std::arch::x86_64::_mm256_set1_epi64x;
    use std::arch::x86_64::_mm256_shuffle_epi8;
    use std::arch::x86_64::_mm256_subs_epu8;
    use std::arch::x86_64::_mm256_testz_si256;
    use std::arch::x86_64::_mm256_xor_si256;

    /// The values of four tokens of which these bytes are kept, two a word.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn numbers(tokens: [u64; 4], kept: [u64; 4]) -> Option<[u64; 2]> {
        let values = _mm256_xor_si256(words(tokens), _mm256_set1_epi8(0x30));
        let digits = _mm256_and_si256(values, words(kept));
        let above_nine = _mm256_subs_epu8(digits, _mm256_set1_epi8(9));
        let pairs = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
        let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x0001_0064));
        // At most 9,999 each; now two tokens' four halves begin each half.
        let fours = _mm256_packus_epi32(fours, fours);
        let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(0x0001_2710));
        (_mm256_testz_si256(above_nine, above_nine) == 1).then(|| {
            [
                _mm256_extract_epi64::<0>(eights).cast_unsigned(),
                _mm256_extract_epi64::<2>(eights).cast_unsigned(),
            ]
        })
    }

    /// Where dots, digits and zeros stand in two chunks.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn look(one: &[u8; 16], two: &[u8; 16]) -> [u32; 3] {
        let text = both(one, two);
        // Digits become the ten lowest of all signed bytes.
        let moved = _mm256_add_epi8(text, _mm256_set1_epi8(0x50));
        [
            mask(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(0x2e))),
            mask(_mm256_cmpgt_epi8(_mm256_set1_epi8(-118), moved)),
            mask(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(0x30))),
        ]
    }

    /// The addresses of two chunks whose octets come from these places; `None`
    /// where an octet is above 255.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn join(
        [one, two]: [&[u8; 16]; 2],
        [first, second]: [&[u8; 16]; 2],
    ) -> Option<[u32; 2]> {
        let values = _mm256_xor_si256(both(one, two), _mm256_set1_epi8(0x30));
        let spread = _mm256_shuffle_epi8(values, both(first, second));
        // Of each octet: nothing and hundreds, tens and ones.
        let halves = _mm256_maddubs_epi16(spread, _mm256_set1_epi32(0x010a_6400));
        let octets = _mm256_madd_epi16(halves, _mm256_set1_epi16(1));
        let too_large = _mm256_cmpgt_epi32(octets, _mm256_set1_epi32(255));
        // The last octet lowest.
        let joined = _mm256_shuffle_epi8(octets, _mm256_set1_epi64x(0x0004_080c));
        (_mm256_testz_si256(too_large, too_large) == 1).then(|| {
            [
                _mm256_extract_epi32::<0>(joined).cast_unsigned(),
                _mm256_extract_epi32::<4>(joined).cast_unsigned(),
            ]
        })
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn words([one, two, three, four]: [u64; 4]) -> __m256i {
        _mm256_set_epi64x(
            four.cast_signed(),
            three.cast_signed(),
            two.cast_signed(),
            one.cast_signed(),
        )
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask(bytes: __m256i) -> u32 {
        _mm256_movemask_epi8(bytes).cast_unsigned()
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn both(one: &[u8; 16], two: &[u8; 16]) -> __m256i {
        _mm256_set_m128i(load_128(two), load_128(one))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load_128(chunk: &[u8; 16]) -> __m128i {
        // SAFETY: the chunk is 16 bytes; the load needs no alignment.
        unsafe { _mm_loadu_si128(chunk.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::Just;
    use proptest::prelude::Strategy;
    use proptest::prelude::any;
    use proptest::prelude::prop_oneof;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;
    use crate::flowlog::scan::Engine;
    use crate::flowlog::scan::Work;

    /// Tokens of one text, between other bytes.
    #[derive(Clone, Debug)]
    struct Text {
        text: Vec<u8>,
        spans: Vec<Span>,
    }

    impl Text {
        fn of(tokens: &[String], between: &[u8]) -> Text {
            let mut text = vec![b'x'; 16];
            let mut spans = Vec::new();
            for token in tokens {
                text.extend_from_slice(between);
                let start = text.len();
                text.extend_from_slice(token.as_bytes());
                spans.push((start, text.len()));
            }
            text.extend_from_slice(between);
            text.extend_from_slice(&[b'9'; 16]);
            Text { text, spans }
        }

        fn token(&self, (start, end): Span) -> &str {
            std::str::from_utf8(&self.text[start..end]).unwrap()
        }
    }

    /// What an engine reads of the text's tokens as numbers, and as addresses.
    type Seen = (Option<[u64; 4]>, Option<[u32; 2]>);

    impl Work for &Text {
        type Outcome = Seen;

        #[inline(always)]
        fn run(self, lanes: impl Lanes) -> Seen {
            let spans = [0, 1, 2, 3].map(|token| self.spans[token]);
            let word =
                |(_, end): Span| u64::from_le_bytes(*self.text[..end].last_chunk::<8>().unwrap());
            let lens = spans.map(|(start, end)| end - start);
            (
                lanes.numbers(spans.map(word), lens),
                lanes.addresses(&self.text, [spans[0], spans[1]]),
            )
        }
    }

    /// Asks every engine, and holds each to what the standard library reads.
    fn check(tokens: &[String], between: &[u8]) {
        let text = Text::of(tokens, between);
        let number = |span: &Span| {
            let token = text.token(*span);
            let digits = token.bytes().all(|byte| byte.is_ascii_digit());
            token
                .parse::<u64>()
                .ok()
                .filter(|_| digits && token.len() <= 8)
        };
        let numbers: Option<Vec<u64>> = text.spans.iter().map(number).collect();
        let address = |span: &Span| text.token(*span).parse().ok().map(Ipv4Addr::to_bits);
        let addresses: Option<Vec<u32>> = text.spans[..2].iter().map(address).collect();
        for engine in Engine::all() {
            let (seen, seen_addresses) = engine.run(&text);
            assert_eq!(seen.map(Vec::from), numbers, "{engine:?} {tokens:?}");
            assert_eq!(
                seen_addresses.map(Vec::from),
                addresses,
                "{engine:?} {tokens:?}"
            );
        }
    }

    fn some_token() -> impl Strategy<Value = String> {
        let octet = || {
            prop_oneof![
                8 => any::<u8>().prop_map(|octet| octet.to_string()),
                1 => "[0-9]{1,4}",
                1 => Just(String::new()),
            ]
        };
        let address = (octet(), octet(), octet(), octet());
        prop_oneof![
            8 => address.prop_map(|(a, b, c, d)| format!("{a}.{b}.{c}.{d}")),
            8 => "[0-9]{1,8}",
            1 => "[0-9]{0,12}",
            1 => "[0-9.]{0,16}",
            1 => "[!-~]{0,17}",
        ]
    }

    fn four(one: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec(one, 4)
    }

    proptest! {
        #[test]
        fn every_engine_reads_what_the_standard_library_reads(
            tokens in four(some_token()),
            numbers in four(prop_oneof![30 => "[0-9]{1,8}", 1 => "[ -~]{1,8}"]),
            byte in b' '..=b'~',
        ) {
            check(&tokens, b" ");
            check(&numbers, b",");
            check(&tokens, &[byte]);
        }

        #[test]
        fn every_address_is_read(one in any::<u32>(), two in any::<u32>()) {
            let [one, two] = [one, two].map(|bits| Ipv4Addr::from_bits(bits).to_string());
            check(&[one, two, "0".to_owned(), "1".to_owned()], b" ");
        }

        #[test]
        fn one_byte_off_is_seen(octets in any::<[u8; 4]>(), at in 0_usize..15, byte in 0x80_u8.., low in 0_u8..0x80) {
            let address = Ipv4Addr::from(octets).to_string();
            let at = at % address.len();
            for byte in [byte, low] {
                let mut text = Text::of(&[address.clone(), address.clone(), "1".to_owned(), "2".to_owned()], b" ");
                text.text[text.spans[0].0 + at] = byte;
                let token = String::from_utf8_lossy(&text.text[text.spans[0].0..text.spans[0].1]);
                let expected = token.parse().ok().map(|one: Ipv4Addr| [one.to_bits(), Ipv4Addr::from(octets).to_bits()]);
                for engine in Engine::all() {
                    prop_assert_eq!(engine.run(&text).1, expected, "{:?} {}", engine, token);
                }
            }
        }
    }

    #[test]
    fn every_octet_is_read_at_every_place() {
        for octet in 0..=999_u32 {
            for place in 0..4 {
                let mut octets = [7_u32, 42, 199, 0];
                octets[place] = octet;
                let [a, b, c, d] = octets;
                let address = format!("{a}.{b}.{c}.{d}");
                check(
                    &[
                        address.clone(),
                        "10.0.0.1".to_owned(),
                        octet.to_string(),
                        "0".to_owned(),
                    ],
                    b" ",
                );
            }
        }
    }
}
