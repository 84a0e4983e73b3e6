//! Eras: stretches of time in which one snapshot, or a known few, may be in
//! force. Evidence is kept apart by era, so that a conversation is judged by
//! the rules of its own time and nothing else of time need be kept.

use crate::net::Timestamp;

/// Seconds on either side of a handover in which both sides may be in force:
/// a record's times lag its packets by up to 60 s at each end (VPC user guide,
/// "Flow log records", `start` and `end`).
pub const HANDOVER_SLACK: i64 = 120;

/// Cuts of time into eras, numbered from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eras {
    /// Ascending; era `n` begins at cut `n - 1`.
    cuts: Vec<Timestamp>,
}

impl Eras {
    /// Eras for these handovers: one between two handovers, and one for the
    /// slack around each.
    #[must_use]
    pub fn new(handovers: impl Iterator<Item = Timestamp>) -> Eras {
        let around = |time: Timestamp| {
            [
                Timestamp(time.0.saturating_sub(HANDOVER_SLACK)),
                Timestamp(time.0.saturating_add(HANDOVER_SLACK)),
            ]
        };
        let mut cuts: Vec<Timestamp> = handovers.flat_map(around).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts.truncate(usize::from(u16::MAX));
        Eras { cuts }
    }

    /// Number of the era that a time lies in.
    #[must_use]
    pub fn index(&self, time: Timestamp) -> u16 {
        if self.cuts.is_empty() {
            return 0;
        }
        u16::try_from(self.cuts.partition_point(|cut| *cut <= time)).unwrap_or(u16::MAX)
    }

    /// First and last second of an era; `None` where it is open.
    #[must_use]
    pub fn bounds(&self, era: u16) -> (Option<Timestamp>, Option<Timestamp>) {
        let era = usize::from(era);
        let start = era
            .checked_sub(1)
            .and_then(|before| self.cuts.get(before).copied());
        let end = self.cuts.get(era).map(|cut| Timestamp(cut.0 - 1));
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_has_slack_on_both_sides() {
        let eras = Eras::new([Timestamp(1_000)].into_iter());
        assert_eq!(eras.index(Timestamp(879)), 0);
        assert_eq!(eras.index(Timestamp(880)), 1);
        assert_eq!(eras.index(Timestamp(1_119)), 1);
        assert_eq!(eras.index(Timestamp(1_120)), 2);
        assert_eq!(
            eras.bounds(1),
            (Some(Timestamp(880)), Some(Timestamp(1_119)))
        );
        assert_eq!(Eras::default().index(Timestamp(5)), 0);
    }
}
