//! The fewest of several that serve everyone: each demand names who could
//! serve it, and one of them has to stay.
//!
//! Demands that share nobody are independent, so each island of them is
//! decided by itself: exactly where few are named, by taking the one that
//! serves most where many are. Of equal answers the first in order is taken.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Most of an island that are tried in all combinations.
const MOST_TRIED: usize = 16;

/// Who stays so that no demand goes unserved. Empty demands are nobody's.
#[must_use]
pub fn fewest<T: Ord + Clone>(demands: &BTreeSet<Vec<T>>) -> BTreeSet<T> {
    islands(demands)
        .iter()
        .flat_map(|island| serve(island))
        .collect()
}

/// Demands in groups that share nobody.
fn islands<T: Ord + Clone>(demands: &BTreeSet<Vec<T>>) -> Vec<Vec<&Vec<T>>> {
    let mut islands: BTreeMap<usize, Vec<&Vec<T>>> = BTreeMap::new();
    let mut home: BTreeMap<&T, usize> = BTreeMap::new();
    for (number, demand) in demands.iter().enumerate() {
        let met: BTreeSet<usize> = demand
            .iter()
            .filter_map(|one| home.get(one).copied())
            .collect();
        let mut joined = vec![demand];
        for old in met {
            joined.extend(islands.remove(&old).unwrap_or_default());
        }
        for one in joined.iter().flat_map(|demand| demand.iter()) {
            home.insert(one, number);
        }
        islands.insert(number, joined);
    }
    islands.into_values().collect()
}

fn serve<T: Ord + Clone>(demands: &[&Vec<T>]) -> Vec<T> {
    let named: BTreeSet<&T> = demands.iter().flat_map(|demand| demand.iter()).collect();
    let named: Vec<&T> = named.into_iter().collect();
    if named.len() > MOST_TRIED {
        return one_by_one(demands);
    }
    let bit = |one: &T| named.binary_search(&one).map_or(0u32, |at| 1 << at);
    let masks: BTreeSet<u32> = demands
        .iter()
        .map(|demand| demand.iter().fold(0, |mask, one| mask | bit(one)))
        .filter(|mask| *mask != 0)
        .collect();
    let serves = |choice: &u32| masks.iter().all(|mask| mask & choice != 0);
    // Of equal numbers, the one whose first is first.
    let best = (0..1u32 << named.len())
        .filter(serves)
        .min_by_key(|choice| (choice.count_ones(), Reverse(choice.reverse_bits())));
    let chosen = best.unwrap_or(0);
    let staying = named.iter().filter(|one| bit(one) & chosen != 0);
    staying.map(|one| (*one).clone()).collect()
}

fn one_by_one<T: Ord + Clone>(demands: &[&Vec<T>]) -> Vec<T> {
    let mut left: Vec<&Vec<T>> = demands
        .iter()
        .copied()
        .filter(|one| !one.is_empty())
        .collect();
    let mut chosen = Vec::new();
    while !left.is_empty() {
        let mut served: BTreeMap<&T, usize> = BTreeMap::new();
        for one in left
            .iter()
            .flat_map(|demand| demand.iter().collect::<BTreeSet<_>>())
        {
            *served.entry(one).or_default() += 1;
        }
        let best = served
            .into_iter()
            .max_by_key(|(one, count)| (*count, Reverse(*one)));
        let Some((best, _)) = best.map(|(one, count)| (one.clone(), count)) else {
            break;
        };
        left.retain(|demand| !demand.contains(&best));
        chosen.push(best);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(demands: &[&[u8]]) -> Vec<u8> {
        let demands = demands.iter().map(|demand| demand.to_vec()).collect();
        fewest(&demands).into_iter().collect()
    }

    #[test]
    fn one_of_two_that_cover_each_other_stays() {
        assert_eq!(of(&[&[1, 2]]), [1]);
        assert_eq!(of(&[&[1, 2], &[2, 3]]), [2]);
        assert_eq!(of(&[&[1, 2], &[3, 4], &[5]]), [1, 3, 5]);
        assert_eq!(of(&[]), Vec::<u8>::new());
    }

    #[test]
    fn greedy_serves_all_of_many() {
        let demands: BTreeSet<Vec<u8>> = (0..40).map(|n| vec![n, n + 1, 41]).collect();
        assert_eq!(fewest(&demands), BTreeSet::from([41]));
    }

    proptest! {
        #[test]
        fn no_smaller_choice_serves_all(
            demands in prop::collection::btree_set(prop::collection::vec(0u8..8, 1..4), 0..8),
        ) {
            let found = fewest(&demands);
            let serves = |choice: &BTreeSet<u8>| demands.iter().all(|demand| demand.iter().any(|one| choice.contains(one)));
            prop_assert!(serves(&found));
            let smaller = (0..256u32).map(|mask| (0..8u8).filter(|bit| mask >> bit & 1 == 1).collect::<BTreeSet<u8>>());
            let least = smaller.filter(|choice| serves(choice)).map(|choice| choice.len()).min();
            prop_assert_eq!(Some(found.len()), least);
        }
    }
}
