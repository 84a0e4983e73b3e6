//! When, between a first and a last second, something was going on: 64 bits,
//! each for a stretch of 3 hours times a power of two, the shortest with which
//! 64 reach over all of it. Up to eight days that is 3 hours a bit, up to 32
//! days half a day, up to 64 days a day, over a year eight days.
//!
//! The stretches are cut at the same places whatever is looked at, and a longer
//! one is two shorter ones; so adding up is the same in any order and grouping,
//! and what is folded by whole hours first comes to the same.

use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// Seconds of the shortest stretch: 3 hours.
pub const SHORTEST: i64 = 10_800;

/// Stretches with something going on. Which ones the bits mean is told by the
/// first and the last second that they are kept with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Activity(u64);

/// First and last second of something, in stretches of the shortest kind since
/// 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    first: i64,
    last: i64,
}

impl Reach {
    /// From a first to a last second.
    #[must_use]
    pub fn new(first: Timestamp, last: Timestamp) -> Reach {
        Reach {
            first: first.0.div_euclid(SHORTEST),
            last: last.0.div_euclid(SHORTEST),
        }
    }

    /// The same of seconds since 1970 in 32 bits.
    #[inline]
    #[must_use]
    pub fn of_seconds(first: u32, last: u32) -> Reach {
        const SECONDS: u32 = 10_800;
        Reach {
            first: i64::from(first / SECONDS),
            last: i64::from(last / SECONDS),
        }
    }

    /// The smallest that holds both.
    #[inline]
    #[must_use]
    pub fn union(self, other: Reach) -> Reach {
        Reach {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }

    /// How often the shortest stretch is doubled. The difference of two ends
    /// shifted by `n` is their own difference shifted, or one more.
    #[inline]
    fn doublings(self) -> u32 {
        let span = self.last.abs_diff(self.first);
        if span < 64 {
            return 0;
        }
        let least = span.ilog2().wrapping_sub(5);
        if (self.last >> least).abs_diff(self.first >> least) < 64 {
            least
        } else {
            least.wrapping_add(1)
        }
    }
}

impl Activity {
    /// Something that began at the first second of what it reaches over.
    pub const AT_FIRST: Activity = Activity(1);

    /// What this, over `own`, and another, over `reach`, are together over
    /// [`Reach::union`] of both.
    #[inline]
    #[must_use]
    pub fn merged(self, own: Reach, other: Activity, reach: Reach) -> Activity {
        let all = own.union(reach);
        Activity(self.over(own, all) | other.over(reach, all))
    }

    /// The bits as they are kept with a wider reach.
    #[inline]
    fn over(self, own: Reach, all: Reach) -> u64 {
        let doublings = all.doublings();
        if own.doublings() != doublings {
            return self.coarsened(own, all.first >> doublings, doublings);
        }
        let behind = (own.first >> doublings).abs_diff(all.first >> doublings);
        // Beyond 63 only where the bits are none of this reach.
        u32::try_from(behind).map_or(0, |behind| self.0.checked_shl(behind).unwrap_or(0))
    }

    fn coarsened(self, own: Reach, first: i64, doublings: u32) -> u64 {
        let mut bits = 0;
        for stretch in self.stretches(own) {
            let place = (stretch >> doublings).abs_diff(first);
            bits |= u32::try_from(place)
                .ok()
                .and_then(|place| 1_u64.checked_shl(place))
                .unwrap_or(0);
        }
        bits
    }

    /// The first of the shortest stretches in each that is set.
    fn stretches(self, own: Reach) -> impl Iterator<Item = i64> {
        let doublings = own.doublings();
        let first = own.first >> doublings;
        let mut left = self.0;
        std::iter::from_fn(move || {
            let place = (left != 0).then(|| left.trailing_zeros())?;
            left &= left.wrapping_sub(1);
            Some(first.saturating_add(i64::from(place)) << doublings)
        })
    }
}

/// When something was going on, from its first second to its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct History {
    /// First second.
    pub first: Timestamp,
    /// Last second.
    pub last: Timestamp,
    /// In between.
    pub active: Activity,
}

impl History {
    /// Of one record.
    #[must_use]
    pub fn of(first: Timestamp, last: Timestamp) -> History {
        History {
            first,
            last,
            active: Activity::AT_FIRST,
        }
    }

    /// Whether it began in fewer than half of the days of a span, or of the
    /// stretches where those are longer than a day.
    #[must_use]
    pub fn is_sparse(&self, span: Span) -> bool {
        let unit = self.step().max(DAY);
        let place = |time: Timestamp| time.0.div_euclid(unit);
        let mut units: Vec<i64> = self.starts().map(place).collect();
        units.dedup();
        let all = place(span.end)
            .abs_diff(place(span.start))
            .saturating_add(1);
        u64::try_from(units.len()).is_ok_and(|active| active.saturating_mul(2) < all)
    }

    /// Adds another.
    pub fn merge(&mut self, other: &History) {
        let (own, reach) = (self.reach(), other.reach());
        self.active = self.active.merged(own, other.active, reach);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// Seconds of a stretch: 10,800 times a power of two.
    #[must_use]
    pub fn step(&self) -> i64 {
        SHORTEST << self.reach().doublings()
    }

    /// First second of each stretch in which something began, ascending;
    /// stretches are cut at multiples of their length.
    pub fn starts(&self) -> impl Iterator<Item = Timestamp> {
        let stretches = self.active.stretches(self.reach());
        stretches.map(|stretch| Timestamp(stretch.saturating_mul(SHORTEST)))
    }

    fn reach(&self) -> Reach {
        Reach::new(self.first, self.last)
    }
}

/// Adds one to another where there is one.
pub fn add(own: &mut Option<History>, other: Option<History>) {
    match (own.as_mut(), other) {
        (Some(own), Some(other)) => own.merge(&other),
        (None, other) => *own = other,
        (Some(_), None) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Of records, each with a first and a last second.
    fn history(records: &[(i64, i64)]) -> Option<History> {
        let mut all = None;
        for (first, last) in records {
            let one = History::of(Timestamp(*first), Timestamp(*last));
            add(&mut all, Some(one));
        }
        all
    }

    fn starts(history: &History) -> Vec<i64> {
        history.starts().map(|start| start.0).collect()
    }

    /// Record starts over spans from hours to all of time.
    fn records() -> impl Strategy<Value = Vec<(i64, i64)>> {
        let widths = prop_oneof![Just(18), Just(22), Just(25), Just(32)];
        widths.prop_flat_map(|width| {
            let one = (0..1_i64 << width, 0..700_i64);
            vec(
                one.prop_map(|(first, length)| (first, first + length)),
                1..60,
            )
        })
    }

    proptest! {
        #[test]
        fn it_is_what_a_set_of_stretches_says(records in records()) {
            let all = history(&records).unwrap();
            let step = all.step();
            prop_assert_eq!(step % SHORTEST, 0);
            let plain: BTreeSet<i64> =
                records.iter().map(|(first, _)| first - first % step).collect();
            prop_assert_eq!(starts(&all), plain.into_iter().collect::<Vec<_>>());
            let (first, last) = (all.first.0, all.last.0);
            prop_assert!(last / step - first / step < 64);
            let half = step / 2;
            prop_assert!(step == SHORTEST || last / half - first / half >= 64);
        }

        #[test]
        fn merging_is_lawful(records in records(), cut in 0_usize..60, turn in 0_usize..60) {
            let all = history(&records);
            let cut = cut % (records.len() + 1);
            let (front, back) = records.split_at(cut);
            let mut parts = history(back);
            add(&mut parts, history(front));
            prop_assert_eq!(parts, all);
            let mut turned = records.clone();
            turned.rotate_left(turn % records.len());
            turned.extend(records);
            prop_assert_eq!(history(&turned), all);
        }

        #[test]
        fn any_times_at_all_do_no_harm(records in vec((any::<i64>(), any::<i64>()), 1..9)) {
            let ordered: Vec<_> =
                records.iter().map(|(a, b)| (*a.min(b), *a.max(b))).collect();
            let all = history(&ordered).unwrap();
            prop_assert!(starts(&all).len() <= 64);
        }
    }

    #[test]
    fn a_month_is_told_by_half_days() {
        let day = 86_400;
        let all = history(&[(0, 60), (day / 2, day / 2 + 60), (29 * day, 29 * day + 60)]).unwrap();
        assert_eq!(all.step(), day / 2);
        assert_eq!(starts(&all), [0, day / 2, 29 * day]);
    }
}
