//! Hours in which an interface was heard of.

use std::collections::BTreeMap;

use crate::net::Timestamp;

/// Longest stretch one row may claim, in hours: aggregation intervals are ten
/// minutes, so a row that claims more is not believed beyond its two ends.
const LONGEST_ROW: i64 = 24;

/// Hours of a word.
const WORD: i64 = 64;

/// Set of hours since the epoch. Those of one word take no memory beside the set.
#[derive(Clone, Debug, Default)]
pub struct HourSet {
    /// The word that was put in first, and which it is; zero while there is none.
    own: u64,
    at: i64,
    /// All others; none is zero.
    more: BTreeMap<i64, u64>,
}

impl PartialEq for HourSet {
    /// The hours decide; the order they came in does not.
    fn eq(&self, other: &HourSet) -> bool {
        self.words().eq(other.words())
    }
}

impl Eq for HourSet {}

impl HourSet {
    /// Adds the hours from `start` to `end`.
    pub fn insert_span(&mut self, start: Timestamp, end: Timestamp) {
        let (first, last) = (start.hour(), end.hour());
        self.insert(first);
        if last != first {
            let all = last.saturating_sub(first) <= LONGEST_ROW;
            let between = if all { first..last } else { first..first };
            between.for_each(|hour| self.insert(hour));
            self.insert(last);
        }
    }

    /// Adds an hour.
    pub fn insert(&mut self, hour: i64) {
        self.insert_word(hour.div_euclid(WORD), 1 << hour.rem_euclid(WORD));
    }

    fn insert_word(&mut self, key: i64, word: u64) {
        if self.own == 0 {
            self.at = key;
        }
        if self.at == key {
            self.own |= word;
        } else {
            *self.more.entry(key).or_default() |= word;
        }
    }

    /// Whether the hour is in it.
    #[must_use]
    pub fn contains(&self, hour: i64) -> bool {
        self.word(hour.div_euclid(WORD)) >> hour.rem_euclid(WORD) & 1 == 1
    }

    /// How many hours.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.words()
            .map(|(_, word)| u64::from(word.count_ones()))
            .sum()
    }

    /// Whether it holds no hour.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own == 0
    }

    /// The hours of a word of 64, lowest first.
    #[must_use]
    pub fn word(&self, key: i64) -> u64 {
        if key == self.at {
            return self.own;
        }
        self.more.get(&key).copied().unwrap_or(0)
    }

    /// Words with any hour, ascending; word `n` begins at hour `64 n`.
    pub fn keys(&self) -> impl Iterator<Item = i64> {
        self.words().map(|(key, _)| key)
    }

    /// Words that take memory beside the set itself.
    #[must_use]
    pub(super) fn words_beside(&self) -> usize {
        self.more.len()
    }

    /// Words with any hour and which they are, ascending.
    fn words(&self) -> impl Iterator<Item = (i64, u64)> {
        let own = (self.own != 0).then_some((self.at, self.own));
        let all = |(key, word): (&i64, &u64)| (*key, *word);
        let before = self.more.range(..self.at).map(all);
        before.chain(own).chain(self.more.range(self.at..).map(all))
    }

    /// Adds the hours of another set.
    pub fn merge(&mut self, other: &HourSet) {
        for (key, word) in other.words() {
            self.insert_word(key, word);
        }
    }

    /// How many hours are in this set and not in `other`.
    #[must_use]
    pub fn count_without(&self, other: &HourSet) -> u64 {
        let rest = |(key, word): (i64, u64)| u64::from((word & !other.word(key)).count_ones());
        self.words().map(rest).sum()
    }

    /// The hours, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.words().flat_map(|(key, word)| {
            (0..WORD)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| key * WORD + bit)
        })
    }
}

/// Hours in which records of either verdict began or ended, or lay between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HoursHeard {
    /// Of ACCEPTs.
    pub active: HourSet,
    /// Of REJECTs.
    pub rejected: HourSet,
}

impl HoursHeard {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.active.is_empty() && self.rejected.is_empty()
    }

    /// Adds others.
    pub fn merge(&mut self, other: &HoursHeard) {
        self.active.merge(&other.active);
        self.rejected.merge(&other.rejected);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn of(hours: &[i64]) -> HourSet {
        let mut set = HourSet::default();
        for hour in hours {
            set.insert(*hour);
        }
        set
    }

    proptest! {
        #[test]
        fn it_is_a_set_in_any_order(one in vec(-300_i64..300, 0..40), two in vec(-300_i64..300, 0..40)) {
            let plain: BTreeSet<i64> = one.iter().copied().collect();
            let other: BTreeSet<i64> = two.iter().copied().collect();
            let (set, two) = (of(&one), of(&two));
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), plain.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.count(), plain.len() as u64);
            prop_assert_eq!(set.is_empty(), plain.is_empty());
            prop_assert_eq!(set.count_without(&two), plain.difference(&other).count() as u64);
            let words: BTreeSet<i64> = plain.iter().map(|hour| hour.div_euclid(64)).collect();
            prop_assert_eq!(set.keys().collect::<Vec<_>>(), words.into_iter().collect::<Vec<_>>());
            for hour in -300..300 {
                prop_assert_eq!(set.contains(hour), plain.contains(&hour));
            }
            let back: Vec<i64> = plain.iter().rev().copied().collect();
            prop_assert_eq!(&of(&back), &set);
            let (mut both, mut turned) = (set.clone(), two.clone());
            both.merge(&two);
            turned.merge(&set);
            prop_assert_eq!(&both, &turned);
            prop_assert_eq!(both.count(), plain.union(&other).count() as u64);
        }
    }

    #[test]
    fn a_row_over_a_full_hour_fills_both_hours() {
        let mut hours = HourSet::default();
        hours.insert_span(Timestamp(3_590), Timestamp(3_610));
        assert_eq!(hours.iter().collect::<Vec<_>>(), vec![0, 1]);
    }

    #[test]
    fn a_row_that_claims_a_year_fills_its_two_ends_only() {
        let mut hours = HourSet::default();
        hours.insert_span(Timestamp(0), Timestamp(365 * 86_400));
        assert_eq!(hours.count(), 2);
    }

    #[test]
    fn merging_forgets_nothing_and_differs_by_no_order() {
        let (mut a, mut b) = (HourSet::default(), HourSet::default());
        a.insert_span(Timestamp(0), Timestamp(7_200));
        b.insert_span(Timestamp(-3_600), Timestamp(0));
        let mut ab = a.clone();
        ab.merge(&b);
        assert_eq!(ab.iter().collect::<Vec<_>>(), vec![-1, 0, 1, 2]);
        assert_eq!(ab.count_without(&a), 1);
        assert!(ab.contains(-1) && !ab.contains(3));
    }
}
