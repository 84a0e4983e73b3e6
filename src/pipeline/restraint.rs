//! Proposals trusted no further than what they rest on: however long the logs,
//! what is no removal candidate is not removed unasked, and a rule is not
//! narrowed unasked to what was seen on few of the days.

use std::collections::BTreeMap;

use crate::attribute::table::RuleTable;
use crate::attribute::verdict::Tier;
use crate::attribute::verdicts::Verdicts;
use crate::model::Effect;
use crate::model::SgRuleId;
use crate::net::Span;
use crate::report::words;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::PlannedRule;
use crate::tighten::propose::Proven;

/// How many rules a reason names.
const NAMED: usize = 5;

/// What became of the rules, as far as it holds proposals back.
#[derive(Debug)]
pub(super) struct Restraint {
    /// How strong the unused claims are.
    claims: BTreeMap<SgRuleId, Tier>,
    /// What the logs span.
    span: Option<Span>,
    /// How uses of rules lie in time, in words, where there is something to tell.
    rhythms: BTreeMap<SgRuleId, String>,
}

impl Restraint {
    /// Of all rules.
    pub(super) fn of(verdicts: &Verdicts, table: &RuleTable<'_>, span: Option<Span>) -> Restraint {
        let mut all = Restraint {
            claims: BTreeMap::new(),
            span,
            rhythms: BTreeMap::new(),
        };
        for verdict in &verdicts.rules {
            let Some((_, rule)) = table.get(verdict.rule) else {
                continue;
            };
            if let Some(tier) = verdict.tier {
                all.claims.insert(rule.id.clone(), tier);
            }
            let seen = verdict.earned.seen.zip(span);
            let words = seen.and_then(|(seen, span)| verdict.rhythm.words(&seen, span.end));
            if let Some(words) = words {
                all.rhythms.insert(rule.id.clone(), words);
            }
        }
        all
    }

    /// The proposal, with the reasons why it is trusted less than it could be.
    pub(super) fn applied(&self, mut proven: Proven) -> Proven {
        self.hold_weak_claims(&mut proven);
        self.hold_seldom_used(&mut proven);
        hold_drops(&mut proven);
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

    /// By rules that stand for what was seen on few of the days.
    fn hold_seldom_used(&self, proven: &mut Proven) {
        let Some(span) = self.span else {
            return;
        };
        let proposal = &mut proven.proposal;
        let is_sparse = |rule: &&PlannedRule| rule.seen.is_some_and(|seen| seen.is_sparse(span));
        let sparse: Vec<&PlannedRule> = proposal.rules.iter().filter(is_sparse).collect();
        if sparse.is_empty() {
            return;
        }
        let toward = words::toward(proposal.direction);
        let named = sparse.iter().take(NAMED);
        let mut told: Vec<String> = named.map(|rule| self.told(rule, toward)).collect();
        if let Some(more) = sparse.len().checked_sub(NAMED).filter(|more| *more > 0) {
            told.push(format!("{more} more"));
        }
        let reason = format!(
            "seen on fewer than half of the days, so not every client may have come by: {}",
            told.join("; ")
        );
        proposal.applicability = proposal.applicability.min(Applicability::Review);
        proposal.reasons.push(reason);
    }

    /// A rule, with what is known of when those it takes the place of are used.
    fn told(&self, rule: &PlannedRule, toward: &str) -> String {
        let said = format!("{} {toward} {}", rule.transport, rule.peer);
        let rhythms = rule.replaces.iter();
        let rhythms: Vec<String> = rhythms
            .filter_map(|id| Some(format!("`{id}` {}", self.rhythms.get(id)?)))
            .collect();
        if rhythms.is_empty() {
            return said;
        }
        format!("{said} ({})", rhythms.join(", "))
    }
}

/// A rule that drops closes what nobody named: never unasked.
fn hold_drops(proven: &mut Proven) {
    let proposal = &mut proven.proposal;
    let drops = proposal
        .rules
        .iter()
        .any(|rule| rule.effect == Effect::Drop);
    if drops {
        proposal.applicability = proposal.applicability.min(Applicability::Review);
    }
}

fn named<'r>(rules: impl Iterator<Item = &'r SgRuleId>) -> String {
    let named: Vec<String> = rules.map(|id| format!("`{id}`")).collect();
    named.join(", ")
}
