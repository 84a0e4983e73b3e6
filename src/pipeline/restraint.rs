//! Proposals trusted no further than what they rest on: however long the logs,
//! what is no removal candidate is not removed unasked, and what is used now
//! and then only is not narrowed unasked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::attribute::season::Rhythm;
use crate::attribute::table::RuleTable;
use crate::attribute::verdict::Tier;
use crate::attribute::verdicts::Verdicts;
use crate::model::SgRuleId;
use crate::tighten::plan::Applicability;
use crate::tighten::propose::Proven;

/// What became of the rules, as far as it holds proposals back.
#[derive(Debug)]
pub(super) struct Restraint {
    /// How strong the unused claims are.
    claims: BTreeMap<SgRuleId, Tier>,
    /// Rules in use with days of silence between.
    seldom: BTreeSet<SgRuleId>,
}

impl Restraint {
    /// Of all rules.
    pub(super) fn of(verdicts: &Verdicts, table: &RuleTable<'_>) -> Restraint {
        let mut all = Restraint {
            claims: BTreeMap::new(),
            seldom: BTreeSet::new(),
        };
        for verdict in &verdicts.rules {
            let Some((_, rule)) = table.get(verdict.rule) else {
                continue;
            };
            if let Some(tier) = verdict.tier {
                all.claims.insert(rule.id.clone(), tier);
            }
            if verdict.rhythm != Rhythm::Any {
                all.seldom.insert(rule.id.clone());
            }
        }
        all
    }

    /// The proposal, with the reasons why it is trusted less than it could be.
    pub(super) fn applied(&self, mut proven: Proven) -> Proven {
        self.hold_weak_claims(&mut proven);
        self.hold_seldom_used(&mut proven);
        proven
    }

    /// By the weakest unused claim on which a rule is removed.
    fn hold_weak_claims(&self, proven: &mut Proven) {
        let removed = proven.proposal.remove.iter();
        let weak: Vec<(&SgRuleId, Tier)> = removed
            .filter_map(|id| Some((id, *self.claims.get(id)?)))
            .filter(|(_, tier)| *tier < Tier::U3)
            .collect();
        let Some(weakest) = weak.iter().map(|(_, tier)| *tier).min() else {
            return;
        };
        let most = match weakest {
            Tier::U0 => Applicability::ReportOnly,
            Tier::U1 | Tier::U2 => Applicability::Review,
            Tier::U3 | Tier::U4 => Applicability::Apply,
        };
        let reason = format!(
            "no removal candidate yet: {}; see the reasons at the rule",
            named(weak.iter().map(|(id, _)| *id))
        );
        let proposal = &mut proven.proposal;
        if most < proposal.applicability {
            proposal.applicability = most;
            proposal.reasons.push(reason);
        }
    }

    /// By rules used now and then that it removes or narrows.
    fn hold_seldom_used(&self, proven: &mut Proven) {
        let proposal = &proven.proposal;
        let replaced = proposal.rules.iter().flat_map(|rule| &rule.replaces);
        let changed: BTreeSet<&SgRuleId> = proposal.remove.iter().chain(replaced).collect();
        let seldom: Vec<&SgRuleId> = changed
            .into_iter()
            .filter(|id| self.seldom.contains(*id))
            .collect();
        if !seldom.is_empty() {
            let reason = format!(
                "used now and then, so not every client may have come by: {}",
                named(seldom.into_iter())
            );
            let proposal = &mut proven.proposal;
            proposal.applicability = proposal.applicability.min(Applicability::Review);
            proposal.reasons.push(reason);
        }
    }
}

fn named<'r>(rules: impl Iterator<Item = &'r SgRuleId>) -> String {
    let named: Vec<String> = rules.map(|id| format!("`{id}`")).collect();
    named.join(", ")
}
