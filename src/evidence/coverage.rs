//! Hours in which an interface was heard of.

use std::collections::BTreeMap;

use crate::net::Timestamp;

/// Longest stretch one row may claim, in hours: aggregation intervals are ten
/// minutes, so a row that claims more is not believed beyond its two ends.
const LONGEST_ROW: i64 = 24;

/// Set of hours since the epoch.
#[derive(Clone, Debug, Default)]
pub struct HourSet {
    /// 64 hours a word; no word is zero.
    words: BTreeMap<i64, u64>,
    /// The hour put in last: rows come in bursts of the same hour.
    latest: Option<i64>,
}

impl PartialEq for HourSet {
    /// The hours decide; the order they came in does not.
    fn eq(&self, other: &HourSet) -> bool {
        self.words == other.words
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
        if self.latest == Some(hour) {
            return;
        }
        self.latest = Some(hour);
        *self.words.entry(hour.div_euclid(64)).or_default() |= 1 << hour.rem_euclid(64);
    }

    /// Whether the hour is in it.
    #[must_use]
    pub fn contains(&self, hour: i64) -> bool {
        self.words
            .get(&hour.div_euclid(64))
            .is_some_and(|word| word >> hour.rem_euclid(64) & 1 == 1)
    }

    /// How many hours.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.words
            .values()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// Whether it holds no hour.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The hours of a word of 64, lowest first.
    #[must_use]
    pub fn word(&self, key: i64) -> u64 {
        self.words.get(&key).copied().unwrap_or(0)
    }

    /// Words with any hour, ascending; word `n` begins at hour `64 n`.
    pub fn keys(&self) -> impl Iterator<Item = i64> {
        self.words.keys().copied()
    }

    /// Adds the hours of another set.
    pub fn merge(&mut self, other: &HourSet) {
        for (key, word) in &other.words {
            *self.words.entry(*key).or_default() |= word;
        }
        self.latest = None;
    }

    /// How many hours are in this set and not in `other`.
    #[must_use]
    pub fn count_without(&self, other: &HourSet) -> u64 {
        let rest = |(key, word): (&i64, &u64)| {
            u64::from((word & !other.words.get(key).copied().unwrap_or(0)).count_ones())
        };
        self.words.iter().map(rest).sum()
    }

    /// The hours, ascending.
    pub fn iter(&self) -> impl Iterator<Item = i64> {
        self.words.iter().flat_map(|(key, word)| {
            let (key, word) = (*key, *word);
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| key * 64 + bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
