//! Eras: stretches of time in which one snapshot, or a known few, may be in
//! force. Evidence is kept apart by era, so that a conversation is judged by
//! the rules of its own time and nothing else of time need be kept.
//!
//! Records are gathered by whole hours, so that what a digest keeps (one cell
//! an hour) and what is read from logs are the same evidence. An hour in which
//! eras meet is gathered by itself; at the end each of its cells is *settled*
//! by its first and last second: into the one era that holds both, else into
//! the join of the eras between them, whose snapshots all may be in force.

use crate::net::Timestamp;
use crate::net::time::HOUR;

/// Seconds on either side of a handover in which both sides may be in force:
/// a record's times lag its packets by up to 60 s at each end (VPC user guide,
/// "Flow log records", `start` and `end`).
pub const HANDOVER_SLACK: i64 = 120;

/// Most cuts that are kept: numbers of stretches and joins have 16 bits.
const MOST_CUTS: usize = 16_384;

/// Most cuts in one hour between which joins are told apart; in an hour with
/// more, a cell lies in one era or in the join of all.
const MOST_JOINED: u16 = 4;

/// Cuts of time into eras, and what that means for gathering by hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eras {
    /// Ascending; slice `n` of time begins at cut `n - 1`.
    cuts: Vec<Timestamp>,
    /// Ascending; stretch `n` begins at border `n - 1`.
    borders: Vec<Timestamp>,
    /// First and last slice of each stretch.
    slices: Vec<(u16, u16)>,
    /// First and last slice of each era, ascending: the eras in order of time.
    joined: Vec<(u16, u16)>,
}

impl Default for Eras {
    fn default() -> Eras {
        Eras::new(std::iter::empty())
    }
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
        cuts.truncate(MOST_CUTS);
        let mut borders: Vec<Timestamp> = cuts.iter().flat_map(|cut| hour_around(*cut)).collect();
        borders.sort_unstable();
        borders.dedup();
        let mut all = Eras {
            cuts,
            borders,
            slices: Vec::new(),
            joined: Vec::new(),
        };
        all.slices = (0..=all.borders.len())
            .map(|stretch| all.slices_of(short(stretch)))
            .collect();
        all.joined = all
            .slices
            .iter()
            .flat_map(|slices| joins(*slices))
            .collect();
        all.joined.sort_unstable();
        all.joined.dedup();
        all
    }

    /// Number of the stretch that a time lies in: what records are gathered by.
    #[must_use]
    pub fn stretch(&self, time: Timestamp) -> u16 {
        index(&self.borders, time)
    }

    /// First and last second of a stretch; `None` where it is open.
    #[must_use]
    pub fn stretch_bounds(&self, stretch: u16) -> Bounds {
        bounds(&self.borders, stretch, stretch)
    }

    /// The era of a cell that was gathered in a stretch and whose packets went
    /// from `first` to `last`. All its records begin within the stretch, so
    /// what follows it is not looked at.
    #[must_use]
    pub fn settle(&self, stretch: u16, first: Timestamp, last: Timestamp) -> u16 {
        let Some(&(lowest, highest)) = self.slices.get(usize::from(stretch)) else {
            return 0;
        };
        if lowest == highest {
            return self.number((lowest, highest));
        }
        let slice = |time| index(&self.cuts, time).clamp(lowest, highest);
        let own = (slice(first), slice(last));
        self.number(if is_told_apart((lowest, highest), own) {
            own
        } else {
            (lowest, highest)
        })
    }

    /// Whether the stretch lies in one era, whatever its cells say.
    #[must_use]
    pub fn is_settled(&self, stretch: u16) -> bool {
        let slices = self.slices.get(usize::from(stretch));
        slices.is_none_or(|(lowest, highest)| lowest == highest)
    }

    /// Whether there is only one era.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.cuts.is_empty()
    }

    /// First and last second of an era; `None` where it is open.
    #[must_use]
    pub fn bounds(&self, era: u16) -> Bounds {
        let (first, last) = self
            .joined
            .get(usize::from(era))
            .copied()
            .unwrap_or_default();
        bounds(&self.cuts, first, last)
    }

    fn number(&self, slices: (u16, u16)) -> u16 {
        short(self.joined.partition_point(|era| *era < slices))
    }

    fn slices_of(&self, stretch: u16) -> (u16, u16) {
        let (start, end) = self.stretch_bounds(stretch);
        let first = start.map_or(0, |start| index(&self.cuts, start));
        let last = end.map_or(short(self.cuts.len()), |end| index(&self.cuts, end));
        (first, last)
    }
}

/// First and last second; `None` where it is open.
pub type Bounds = (Option<Timestamp>, Option<Timestamp>);

/// Where the hour of a cut begins and ends; for a cut between two hours, itself.
fn hour_around(cut: Timestamp) -> impl Iterator<Item = Timestamp> {
    let start = cut.hour().saturating_mul(HOUR);
    let end = (start != cut.0).then(|| Timestamp(start.saturating_add(HOUR)));
    std::iter::once(Timestamp(start)).chain(end)
}

/// Eras that cells of a stretch of these slices may be settled in.
fn joins((lowest, highest): (u16, u16)) -> impl Iterator<Item = (u16, u16)> {
    let all = (lowest, highest);
    let own = (lowest..=highest).flat_map(move |from| (from..=highest).map(move |to| (from, to)));
    own.filter(move |own| is_told_apart(all, *own)).chain([all])
}

fn is_told_apart((lowest, highest): (u16, u16), (from, to): (u16, u16)) -> bool {
    from == to || highest.saturating_sub(lowest) <= MOST_JOINED
}

fn index(cuts: &[Timestamp], time: Timestamp) -> u16 {
    short(cuts.partition_point(|cut| *cut <= time))
}

fn bounds(cuts: &[Timestamp], first: u16, last: u16) -> Bounds {
    let start = usize::from(first)
        .checked_sub(1)
        .and_then(|before| cuts.get(before).copied());
    let end = cuts
        .get(usize::from(last))
        .map(|cut| Timestamp(cut.0.saturating_sub(1)));
    (start, end)
}

fn short(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    fn eras(handovers: &[i64]) -> Eras {
        Eras::new(handovers.iter().map(|second| Timestamp(*second)))
    }

    fn settled(eras: &Eras, first: i64, last: i64) -> Bounds {
        let stretch = eras.stretch(Timestamp(first));
        eras.bounds(eras.settle(stretch, Timestamp(first), Timestamp(last)))
    }

    fn open(start: Option<i64>, end: Option<i64>) -> Bounds {
        (start.map(Timestamp), end.map(Timestamp))
    }

    #[test]
    fn a_handover_has_slack_on_both_sides() {
        let eras = eras(&[1_000]);
        assert_eq!(settled(&eras, 800, 879), open(None, Some(879)));
        assert_eq!(settled(&eras, 880, 1_119), open(Some(880), Some(1_119)));
        assert_eq!(settled(&eras, 1_120, 1_200), open(Some(1_120), None));
        assert_eq!(settled(&Eras::default(), 5, 9), open(None, None));
    }

    #[test]
    fn what_spans_a_cut_is_judged_by_both_sides() {
        let eras = eras(&[1_000]);
        assert_eq!(settled(&eras, 800, 900), open(None, Some(1_119)));
        assert_eq!(settled(&eras, 800, 2_000), open(None, None));
        assert_eq!(settled(&eras, 1_000, 2_000), open(Some(880), None));
    }

    #[test]
    fn what_runs_out_of_its_hour_began_within_it() {
        let handover = 10 * HOUR + 130;
        let eras = eras(&[handover]);
        // The cuts are 10 s and 250 s into hour 10; hour 9 has none.
        let before = open(None, Some(handover - HANDOVER_SLACK - 1));
        assert_eq!(settled(&eras, 10 * HOUR - 600, 10 * HOUR + 500), before);
    }

    #[test]
    fn a_cut_between_two_hours_makes_no_hour_of_its_own() {
        let eras = eras(&[HOUR + HANDOVER_SLACK]);
        assert_eq!(eras.stretch(Timestamp(HOUR - 1)), 0);
        assert!(eras.is_settled(0) && !eras.is_settled(1));
    }

    #[test]
    fn eras_are_numbered_in_order_of_time() {
        let eras = eras(&[1_000]);
        let hour = eras.stretch(Timestamp(0));
        let number = |first, last| eras.settle(hour, Timestamp(first), Timestamp(last));
        let (before, both, slack) = (number(0, 1), number(0, 900), number(900, 901));
        assert!(before < both && both < slack);
    }

    proptest! {
        #[test]
        fn a_settled_cell_lies_within_its_era(
            handovers in vec(0_i64..40_000, 0..30),
            first in 0_i64..40_000,
            length in 0_i64..5_000,
        ) {
            let eras = eras(&handovers);
            let stretch = eras.stretch(Timestamp(first));
            let (start, end) = eras.stretch_bounds(stretch);
            let within = |time: i64| {
                start.is_none_or(|start| start.0 <= time) && end.is_none_or(|end| time <= end.0)
            };
            prop_assert!(within(first));
            // Where eras meet, the stretch is one hour.
            if !eras.is_settled(stretch) {
                prop_assert_eq!(start.unwrap().0, first - first % HOUR);
                prop_assert_eq!(end.unwrap().0, first - first % HOUR + HOUR - 1);
            }
            let (from, to) = settled(&eras, first, first + length);
            prop_assert!(from.is_none_or(|from| from.0 <= first));
            let last = (first..=first + length).take_while(|time| within(*time)).last().unwrap();
            prop_assert!(to.is_none_or(|to| last <= to.0));
        }
    }
}
