//! What each rule earned, and the status that this makes.
//!
//! Uses add up over interfaces and eras in any order. A claim of use needs a
//! conversation beyond doubt that no other rule covers; a claim of non-use
//! needs that no reading of any conversation could have used the rule.

use std::collections::BTreeSet;

use crate::attribute::cover::Covering;
use crate::attribute::table::RuleIndex;
use crate::attribute::verdict::RuleStatus;
use crate::evidence::activity;
use crate::evidence::activity::History;
use crate::evidence::cell::Cell;

/// What a rule earned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleUse {
    /// Records of the initiator-to-responder half of what it covers.
    pub records: u64,
    /// Packets of those.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Records that no other rule of the interface covers.
    pub sole_records: u64,
    /// When it was used.
    pub seen: Option<History>,
    /// Conversations beyond doubt that it alone covers.
    pub needed: u64,
    /// Conversations beyond doubt that it covers beside others.
    pub shared: u64,
    /// Conversations that it alone covers in one reading of several.
    pub needed_in_doubt: u64,
    /// Conversations beyond doubt that it covers and that stronger rules decided
    /// the same way before it was asked.
    pub outranked: u64,
    /// Rejected conversations that it would let through and that stronger rules
    /// dropped.
    pub overruled: u64,
    /// Conversations that it covers beside others in one reading of several.
    pub shared_in_doubt: u64,
    /// Conversations that it may cover: peer or list not known well enough.
    pub possible: u64,
    /// Conversations that it would cover had the other end opened them, which
    /// is unlikely and not excluded: enough to keep it from being unused.
    pub unlikely: u64,
    /// Records whose five-tuple means nothing and that only it may admit.
    pub efa_records: u64,
    /// Records let through that cannot be turned to local and peer, which it may
    /// have admitted.
    pub unread_records: u64,
    /// Other rules of today that cover the same conversations.
    pub also_allowed_by: BTreeSet<RuleIndex>,
}

impl RuleUse {
    /// Adds what another worker counted.
    pub fn merge(&mut self, other: RuleUse) {
        let RuleUse {
            records,
            packets,
            bytes,
            sole_records,
            seen,
            needed,
            shared,
            outranked,
            overruled,
            needed_in_doubt,
            shared_in_doubt,
            possible,
            unlikely,
            efa_records,
            unread_records,
            also_allowed_by,
        } = other;
        self.records += records;
        self.packets = self.packets.saturating_add(packets);
        self.bytes = self.bytes.saturating_add(bytes);
        self.sole_records += sole_records;
        activity::add(&mut self.seen, seen);
        self.needed += needed;
        self.shared += shared;
        self.outranked += outranked;
        self.overruled += overruled;
        self.needed_in_doubt += needed_in_doubt;
        self.shared_in_doubt += shared_in_doubt;
        self.possible += possible;
        self.unlikely += unlikely;
        self.efa_records += efa_records;
        self.unread_records += unread_records;
        self.also_allowed_by.extend(also_allowed_by);
    }

    /// The status that uses alone make; `None` where there was none at all.
    #[must_use]
    pub fn status(&self) -> Option<RuleStatus> {
        if self.needed > 0 {
            return Some(RuleStatus::Used);
        }
        if self.needed_in_doubt > 0 || self.was_unread() {
            return Some(RuleStatus::Unobservable);
        }
        if self.shared + self.shared_in_doubt > 0 {
            return Some(RuleStatus::Redundant);
        }
        if self.possible + self.unlikely > 0 {
            return Some(RuleStatus::Unobservable);
        }
        (self.outranked > 0).then_some(RuleStatus::Redundant)
    }

    /// Whether all that it earned is that stronger rules did the same.
    #[must_use]
    pub fn only_outranked(&self) -> bool {
        self.outranked > 0
            && self.needed + self.shared == 0
            && self.possible + self.unlikely == 0
            && !self.in_doubt()
    }

    /// Whether something about it stays in doubt.
    #[must_use]
    pub fn in_doubt(&self) -> bool {
        self.needed_in_doubt + self.shared_in_doubt + self.possible > 0 || self.was_unread()
    }

    /// Whether it may have let through what nobody can read.
    #[must_use]
    pub fn was_unread(&self) -> bool {
        self.efa_records + self.unread_records > 0
    }
}

/// What the conversations of one covering earned together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    credited: u64,
    records: u64,
    packets: u64,
    bytes: u64,
    seen: Option<History>,
    doubted: u64,
    unlikely: u64,
}

impl Tally {
    /// Credits a conversation beyond doubt. `counted` is its
    /// initiator-to-responder half; `seen` is any half, for the times.
    pub fn credit(&mut self, counted: Option<&Cell>, seen: &Cell) {
        let seen = counted.unwrap_or(seen);
        self.credited += 1;
        activity::add(&mut self.seen, Some(seen.history()));
        if let Some(cell) = counted {
            self.records += cell.records;
            self.packets = self.packets.saturating_add(cell.packets);
            self.bytes = self.bytes.saturating_add(cell.bytes);
        }
    }

    /// Notes one reading of a conversation whose direction stays in doubt.
    pub fn doubt(&mut self) {
        self.doubted += 1;
    }

    /// Notes the reading of a conversation that is unlikely, not excluded.
    pub fn unlikely(&mut self) {
        self.unlikely += 1;
    }
}

/// Uses of all rules of a [`crate::attribute::table::RuleTable`].
#[derive(Clone, Debug, Default)]
pub struct Uses {
    rules: std::collections::BTreeMap<RuleIndex, RuleUse>,
}

impl Uses {
    /// What a rule earned; nothing where it was never mentioned.
    #[must_use]
    pub fn of(&self, rule: RuleIndex) -> RuleUse {
        self.rules.get(&rule).cloned().unwrap_or_default()
    }

    /// Adds what another worker counted.
    pub fn merge(&mut self, other: Uses) {
        for (rule, earned) in other.rules {
            self.rules.entry(rule).or_default().merge(earned);
        }
    }

    /// Notes rules that would have let through what stronger ones dropped.
    pub fn overrule(&mut self, rules: &BTreeSet<RuleIndex>, tally: &Tally) {
        if tally.credited == 0 {
            return;
        }
        for rule in rules {
            self.rules.entry(*rule).or_default().overruled += tally.credited;
        }
    }

    /// Credits the rules of a covering with what its conversations earned.
    pub fn settle(&mut self, covering: &Covering, tally: &Tally) {
        if tally.credited > 0 {
            self.credit(&covering.by_elimination(), tally);
        }
        if tally.doubted > 0 {
            self.doubt(covering, tally.doubted);
        }
        if tally.unlikely > 0 {
            for rule in covering.sure.iter().chain(&covering.possible) {
                self.rules.entry(*rule).or_default().unlikely += tally.unlikely;
            }
        }
    }

    fn credit(&mut self, covering: &Covering, tally: &Tally) {
        let sole = covering.sole();
        let uncertain = !covering.possible.is_empty() || covering.is_open();
        for rule in &covering.sure {
            let others = covering.sure.iter().filter(|other| *other != rule);
            let earned = self.rules.entry(*rule).or_default();
            earned.also_allowed_by.extend(others);
            activity::add(&mut earned.seen, tally.seen);
            earned.records += tally.records;
            earned.packets = earned.packets.saturating_add(tally.packets);
            earned.bytes = earned.bytes.saturating_add(tally.bytes);
            if sole == Some(*rule) {
                earned.sole_records += tally.records;
                earned.needed += tally.credited;
            } else if covering.alone_in_part.contains(rule) || (covering.rules == 1 && uncertain) {
                earned.needed_in_doubt += tally.credited;
            } else {
                earned.shared += tally.credited;
            }
        }
        for rule in &covering.outranked {
            let earned = self.rules.entry(*rule).or_default();
            earned.also_allowed_by.extend(&covering.sure);
            earned.outranked += tally.credited;
        }
        self.possible(covering, tally.credited);
    }

    fn doubt(&mut self, covering: &Covering, conversations: u64) {
        for rule in &covering.sure {
            let others = covering.sure.iter().filter(|other| *other != rule);
            let earned = self.rules.entry(*rule).or_default();
            earned.also_allowed_by.extend(others);
            if covering.rules == 1 || covering.alone_in_part.contains(rule) {
                earned.needed_in_doubt += conversations;
            } else {
                earned.shared_in_doubt += conversations;
            }
        }
        for rule in &covering.outranked {
            let earned = self.rules.entry(*rule).or_default();
            earned.also_allowed_by.extend(&covering.sure);
            earned.outranked += conversations;
        }
        self.possible(covering, conversations);
    }

    /// Notes records that only this rule may admit and that no one can read.
    pub fn efa(&mut self, rule: RuleIndex, records: u64) {
        if records > 0 {
            self.rules.entry(rule).or_default().efa_records += records;
        }
    }

    /// Notes records let through of which nobody can say whether this rule did.
    pub fn unread(&mut self, rule: RuleIndex, records: u64) {
        if records > 0 {
            self.rules.entry(rule).or_default().unread_records += records;
        }
    }

    fn possible(&mut self, covering: &Covering, conversations: u64) {
        for rule in &covering.possible {
            self.rules.entry(*rule).or_default().possible += conversations;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::activity::Activity;
    use crate::evidence::ports::PortSample;
    use crate::model::TcpFlags;
    use crate::net::Timestamp;

    fn cell(records: u64) -> Cell {
        Cell {
            records,
            packets: records * 2,
            bytes: records * 100,
            first: Timestamp(10),
            last: Timestamp(20),
            active: Activity::AT_FIRST,
            requests: 0,
            answers: 0,
            plain: 0,
            flags: TcpFlags(0),
            other_ports: PortSample::default(),
            block_public_access: 0,
        }
    }

    fn covering(sure: &[usize], possible: &[usize]) -> Covering {
        let set = |rules: &[usize]| rules.iter().map(|rule| RuleIndex(*rule)).collect();
        Covering {
            sure: set(sure),
            possible: set(possible),
            rules: sure.len(),
            ..Covering::default()
        }
    }

    fn after(credited: &[Covering], doubted: &[Covering], rule: usize) -> RuleUse {
        let mut uses = Uses::default();
        for covering in credited {
            let mut tally = Tally::default();
            tally.credit(Some(&cell(3)), &cell(3));
            uses.settle(covering, &tally);
        }
        for covering in doubted {
            let mut tally = Tally::default();
            tally.doubt();
            uses.settle(covering, &tally);
        }
        uses.of(RuleIndex(rule))
    }

    #[test]
    fn the_only_rule_is_used_and_several_are_redundant() {
        let sole = after(&[covering(&[1], &[])], &[], 1);
        assert_eq!(
            (sole.status(), sole.records, sole.sole_records),
            (Some(RuleStatus::Used), 3, 3)
        );
        let shared = after(&[covering(&[1, 2], &[])], &[], 1);
        assert_eq!(
            (shared.status(), shared.records, shared.sole_records),
            (Some(RuleStatus::Redundant), 3, 0)
        );
        assert_eq!(shared.also_allowed_by, BTreeSet::from([RuleIndex(2)]));
    }

    #[test]
    fn the_only_rule_that_may_have_let_it_in_did() {
        let earned = after(&[covering(&[], &[1])], &[], 1);
        assert_eq!(
            (earned.status(), earned.sole_records),
            (Some(RuleStatus::Used), 3)
        );
        let either = after(&[covering(&[], &[1, 2])], &[], 1);
        assert_eq!(either.status(), Some(RuleStatus::Unobservable));
    }

    #[test]
    fn doubt_is_never_use_and_never_unused() {
        let earned = after(&[], &[covering(&[1], &[])], 1);
        assert_eq!(
            (earned.status(), earned.records),
            (Some(RuleStatus::Unobservable), 0)
        );
        let shared = after(&[], &[covering(&[1, 2], &[])], 1);
        assert_eq!(shared.status(), Some(RuleStatus::Redundant));
        let beside = after(&[covering(&[1], &[2])], &[], 1);
        assert_eq!(
            beside.status(),
            Some(RuleStatus::Unobservable),
            "the other may have let it in"
        );
    }

    #[test]
    fn a_rule_alone_for_part_of_an_open_service_is_no_redundancy() {
        let part = Covering {
            alone_in_part: BTreeSet::from([RuleIndex(1)]),
            ..covering(&[1, 2], &[])
        };
        assert_eq!(
            after(std::slice::from_ref(&part), &[], 1).status(),
            Some(RuleStatus::Unobservable)
        );
        assert_eq!(after(&[part], &[], 2).status(), Some(RuleStatus::Redundant));
    }
}
