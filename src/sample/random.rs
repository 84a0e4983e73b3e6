//! The only source of chance in a sample: a small generator that gives the
//! same numbers on every machine, and a hash for decisions that must not
//! depend on the order in which they are asked.

/// xoshiro256++ (Blackman and Vigna, public domain reference), seeded through
/// splitmix64 as its authors advise.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The sequence of a seed.
    pub(super) fn new(seed: u64) -> Random {
        let word = |n: u64| mix(seed.wrapping_add(GOLDEN.wrapping_mul(n)));
        Random {
            state: [word(1), word(2), word(3), word(4)],
        }
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c2, d2) = (c ^ a, d ^ b);
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        scale(self.bits(), bound)
    }

    /// A number of `first..=last`.
    pub(super) fn within(&mut self, first: u32, last: u32) -> u32 {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// A port of `first..=last`.
    pub(super) fn port(&mut self, first: u16, last: u16) -> u16 {
        u16::try_from(self.within(u32::from(first), u32::from(last))).unwrap_or(last)
    }

    /// True in one of `n` cases.
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }

    /// One of the items; `None` of none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        items.get(usize::try_from(self.below(count)).unwrap_or(0))
    }
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The finaliser of splitmix64: every bit of the answer hangs on every bit
/// asked.
pub(super) fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A hash of three numbers.
pub(super) fn hash(a: u64, b: u64, c: u64) -> u64 {
    let first = mix(a.wrapping_add(GOLDEN));
    let second = mix(first ^ b.wrapping_mul(GOLDEN));
    mix(second.wrapping_add(c).wrapping_mul(GOLDEN | 1))
}

/// A hash of a number and a text.
pub(super) fn hash_text(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed ^ GOLDEN), |bits, byte| {
        hash(bits, u64::from(byte), 1)
    })
}

/// The high bits of a hash as a number below `bound`.
pub(super) fn scale(bits: u64, bound: u32) -> u32 {
    u32::try_from(((bits >> 32) * u64::from(bound)) >> 32).unwrap_or(0)
}

/// Whether a hash falls into the first `share` (0 to 1) of all hashes.
pub(super) fn falls_within(bits: u64, share: f64) -> bool {
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) < share * 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_of_a_seed_never_change() {
        let mut random = Random::new(7);
        let first: Vec<u32> = (0..6).map(|_| random.below(1_000)).collect();
        let mut again = Random::new(7);
        assert_eq!(
            first,
            (0..6).map(|_| again.below(1_000)).collect::<Vec<_>>()
        );
        assert_ne!(first, {
            let mut other = Random::new(8);
            (0..6).map(|_| other.below(1_000)).collect::<Vec<_>>()
        });
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut random = Random::new(1);
        let seen: std::collections::BTreeSet<u32> = (0..400).map(|_| random.within(3, 9)).collect();
        assert_eq!(seen, (3..=9).collect());
        assert_eq!(random.below(0), 0);
        assert!(!falls_within(u64::MAX, 0.999));
        assert!(falls_within(0, 0.001));
    }
}
