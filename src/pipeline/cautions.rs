//! What to be wary of before a group's rules are changed, however long the
//! logs: scans, and readings that are not certain.

use std::collections::BTreeMap;

use crate::attribute::needs;
use crate::attribute::needs::Passed;
use crate::attribute::table::RuleTable;
use crate::attribute::verdicts::Verdicts;
use crate::attribute::watch;
use crate::model::Direction;
use crate::model::SecurityGroup;
use crate::model::SgId;

/// Conversations of a group and direction below which nothing is called a scan.
const FEWEST_OF_A_SCAN: u64 = 20;

/// What to be wary of in the needs of a group and direction.
#[derive(Debug, Default)]
struct Caution {
    conversations: u64,
    unanswered: u64,
    unlikely: u64,
}

/// Cautions of all groups.
#[derive(Debug)]
pub(super) struct Cautions<'a>(BTreeMap<(&'a SgId, Direction), Caution>);

impl<'a> Cautions<'a> {
    /// Of what passed, and what became of the rules.
    pub(super) fn of_all(
        passed: &'a [Passed],
        verdicts: &'a Verdicts,
        table: &RuleTable<'a>,
    ) -> Cautions<'a> {
        let mut all: BTreeMap<(&SgId, Direction), Caution> = BTreeMap::new();
        for (first, run) in needs::alike(passed) {
            for (group, _) in first.by_group() {
                let caution = all.entry((group, first.direction)).or_default();
                for one in run {
                    caution.conversations += 1;
                    caution.unanswered += u64::from(!one.answered);
                }
            }
        }
        for verdict in &verdicts.rules {
            if let Some((group, rule)) = table.get(verdict.rule) {
                let caution = all.entry((&group.id, rule.direction)).or_default();
                caution.unlikely += verdict.earned.unlikely;
            }
        }
        Cautions(all)
    }

    /// What to tell at a proposal.
    pub(super) fn of(&self, group: &SecurityGroup, direction: Direction) -> Vec<String> {
        let caution = self.0.get(&(&group.id, direction));
        caution.map(Caution::told).unwrap_or_default()
    }
}

impl Caution {
    fn told(&self) -> Vec<String> {
        let Caution {
            conversations,
            unanswered,
            unlikely,
        } = self;
        let mut told = Vec::new();
        if *conversations >= FEWEST_OF_A_SCAN && unanswered * 2 > *conversations {
            told.push(format!(
                "a scan dominates: {unanswered} of {conversations} conversations got no answer but resets; `--obligations answered` lets them go"
            ));
        }
        if *unlikely > 0 {
            told.push(format!(
                "{} taken as opened by the other end, which is sure and not certain; `--min-confidence certain` keeps both readings",
                watch::counted(usize::try_from(*unlikely).unwrap_or(usize::MAX), "conversation")
            ));
        }
        told
    }
}
