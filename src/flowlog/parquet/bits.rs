//! Packed numbers of a fixed width, eight at a time where they begin at a byte:
//! each width has its own loop, so that every shift is known beforehand.

/// Appends what is made of so many numbers, the first of which begins at a bit
/// of the data; where the data ends, zeros follow.
pub(super) fn unpack<T>(
    data: &[u8],
    mut bit: usize,
    width: u32,
    count: usize,
    mut make: impl FnMut(u32) -> T,
    out: &mut Vec<T>,
) {
    let step = width as usize;
    let mut left = count;
    while left > 0 && bit & 7 != 0 {
        out.push(make(number_at(data, bit, width)));
        bit = bit.wrapping_add(step);
        left = left.wrapping_sub(1);
    }
    let rest = data.get(bit >> 3..).unwrap_or_default();
    let done = eights(rest, width, left >> 3, &mut make, out);
    bit = bit.wrapping_add(done.wrapping_mul(step));
    out.extend((done..left).map(|_| {
        let number = number_at(data, bit, width);
        bit = bit.wrapping_add(step);
        make(number)
    }));
}

/// Groups of eight, as many as can be; says how many numbers.
fn eights<T>(
    data: &[u8],
    width: u32,
    groups: usize,
    make: &mut impl FnMut(u32) -> T,
    out: &mut Vec<T>,
) -> usize {
    macro_rules! by_width {
        ($($width:literal)*) => {
            match width {
                $($width => eights_of::<$width, T>(data, groups, make, out),)*
                _ => 0,
            }
        };
    }
    // No dictionary that is worth its place has more than 2^24 entries.
    by_width!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
}

/// As [`eights`], of one width.
fn eights_of<const WIDTH: usize, T>(
    mut data: &[u8],
    groups: usize,
    make: &mut impl FnMut(u32) -> T,
    out: &mut Vec<T>,
) -> usize {
    let before = out.len();
    for _ in 0..groups {
        let Some(numbers) = eight::<WIDTH>(data) else {
            break;
        };
        out.extend(numbers.map(&mut *make));
        data = data.get(WIDTH..).unwrap_or_default();
    }
    out.len().wrapping_sub(before)
}

/// Eight numbers from the front; `None` near the end of the data. They are cut
/// from words of eight bytes: all from one, four from each of two, or two from
/// each of four.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "its shifts are known in the loop of a width"
)]
fn eight<const WIDTH: usize>(data: &[u8]) -> Option<[u32; 8]> {
    let of_word = match WIDTH {
        0..=8 => 8,
        9..=16 => 4,
        _ => 2,
    };
    let mut numbers = [0; 8];
    for (word, numbers) in numbers.chunks_exact_mut(of_word).enumerate() {
        let first = word.wrapping_mul(of_word).wrapping_mul(WIDTH);
        let bytes = data.get(first >> 3..)?.first_chunk::<8>()?;
        let word = u64::from_le_bytes(*bytes) >> (first & 7);
        for (place, number) in numbers.iter_mut().enumerate() {
            *number = low(word >> place.wrapping_mul(WIDTH), WIDTH);
        }
    }
    Some(numbers)
}

/// The number that begins at a bit.
#[inline]
fn number_at(data: &[u8], bit: usize, width: u32) -> u32 {
    low(word_at(data, bit >> 3) >> (bit & 7), width as usize)
}

/// The lowest bits, up to 32.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "one instruction where the width is known"
)]
fn low(word: u64, width: usize) -> u32 {
    let mask = (1_u64 << width).wrapping_sub(1);
    u32::try_from(word & mask & 0xffff_ffff).unwrap_or(0)
}

/// The eight bytes from a place on, zeros behind the end.
#[inline]
fn word_at(data: &[u8], at: usize) -> u64 {
    let rest = data.get(at..).unwrap_or_default();
    if let Some(chunk) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*chunk);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::any;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    proptest! {
        #[test]
        fn eight_at_a_time_are_the_numbers_one_by_one(
            data in vec(any::<u8>(), 0..300),
            bit in 0_usize..100,
            width in 0_u32..=32,
            count in 0_usize..100,
        ) {
            let place = |number: usize| bit + number * width as usize;
            let one_by_one: Vec<u32> = (0..count)
                .map(|number| {
                    (0..width as usize).fold(0, |value, at| {
                        let at = place(number) + at;
                        let byte = data.get(at / 8).copied().unwrap_or(0);
                        value | u32::from(byte >> (at % 8) & 1) << (at - place(number))
                    })
                })
                .collect();
            let mut out = vec![7];
            unpack(&data, bit, width, count, |number| number, &mut out);
            prop_assert_eq!(&out[1..], one_by_one.as_slice());
        }
    }
}
