//! Hours of a group's interfaces that nobody watched: in which nothing was
//! delivered, records were lost, or an interface that should have told of
//! quiet intervals told nothing all day.

use std::collections::BTreeSet;

use crate::attribute::ledger::Deliveries;
use crate::attribute::ledger::day;
use crate::evidence::coverage::HourSet;
use crate::evidence::interface::InterfaceEvidence;
use crate::net::Timestamp;

/// Longest time that is looked at, in hours: more than two years of silence
/// says nothing of a rhythm.
const LONGEST: i64 = 20_000;

/// What was not watched of a group.
#[derive(Debug)]
pub struct Gaps<'e> {
    delivered: &'e HourSet,
    /// Hours in which some interface lost records.
    lost: HourSet,
    /// Days in which some interface was dark.
    dark: BTreeSet<i64>,
}

impl<'e> Gaps<'e> {
    /// Of interfaces that the logs speak of.
    #[must_use]
    pub fn of<'a>(
        interfaces: impl Iterator<Item = &'a InterfaceEvidence>,
        deliveries: &Deliveries<'e>,
    ) -> Gaps<'e> {
        let mut gaps = Gaps {
            delivered: deliveries.delivered,
            lost: HourSet::default(),
            dark: BTreeSet::new(),
        };
        let days: BTreeSet<i64> = deliveries.delivered.iter().map(day).collect();
        for seen in interfaces {
            gaps.lost.merge(&seen.lost);
            if deliveries.tells_quiet {
                let told: BTreeSet<i64> = seen.observed.iter().map(day).collect();
                let begun = |day: &&i64| told.first().is_some_and(|first| first < *day);
                let dark = days.iter().filter(begun);
                gaps.dark.extend(dark.filter(|day| !told.contains(day)));
            }
        }
        gaps
    }

    /// Whether nine in ten hours from a time to another were watched.
    #[must_use]
    pub fn watched(&self, from: Timestamp, to: Timestamp) -> bool {
        let (first, last) = (from.hour(), to.hour());
        let length = last.saturating_sub(first);
        if length > LONGEST {
            return false;
        }
        let missing = (first..last).filter(|hour| self.is_unwatched(*hour));
        let missing = i64::try_from(missing.count()).unwrap_or(i64::MAX);
        missing.saturating_mul(10) <= length.max(0)
    }

    fn is_unwatched(&self, hour: i64) -> bool {
        !self.delivered.contains(hour) || self.lost.contains(hour) || self.dark.contains(&day(hour))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::time::HOUR;

    fn set(hours: impl IntoIterator<Item = i64>) -> HourSet {
        let mut set = HourSet::default();
        hours.into_iter().for_each(|hour| set.insert(hour));
        set
    }

    #[test]
    fn what_is_lost_dark_or_not_delivered_is_not_watched() {
        let delivered = set(0..240);
        let seen = InterfaceEvidence {
            observed: set((0..240).filter(|hour| !(72..96).contains(hour))),
            lost: set(120..130),
            ..InterfaceEvidence::default()
        };
        let watched = |tells_quiet: bool, from: i64, to: i64| {
            let deliveries = Deliveries {
                delivered: &delivered,
                tells_quiet,
            };
            let gaps = Gaps::of([&seen].into_iter(), &deliveries);
            gaps.watched(Timestamp(from * HOUR), Timestamp(to * HOUR))
        };
        assert!(watched(true, 0, 72) && watched(true, 96, 120));
        assert!(!watched(true, 70, 98) && watched(false, 70, 98));
        assert!(!watched(true, 118, 132) && watched(true, 100, 240));
        assert!(!watched(true, 230, 300));
        assert!(!watched(true, 0, i64::MAX / HOUR));
    }
}
