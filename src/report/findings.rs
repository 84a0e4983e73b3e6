//! The findings of an analysis, counted once for every format and for the
//! exit code.
//!
//! What counts as a finding, something that a person should act on: a rule
//! that is unused, redundant, shadowed or without effect; a proposal to
//! tighten; a REJECT that looks like a misconfiguration; a proof that failed.
//! Noise, expected REJECTs and doubt are shown, but are no findings.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::attribute::verdict::RejectVerdict;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::report::document::Analysis;
use crate::report::document::Coverage;
use crate::report::document::GroupReport;
use crate::report::document::Ingest;
use crate::report::document::ProposalReport;
use crate::report::document::RejectReport;
use crate::report::document::Verification;
use crate::tighten::plan::Decision;

/// How many of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Rules.
    pub rules: u64,
    /// Rules by status.
    pub by_status: BTreeMap<RuleStatus, u64>,
    /// Unused rules by strength of the claim.
    pub unused_by_tier: BTreeMap<Tier, u64>,
    /// Rules that a proposal replaces by narrower ones.
    pub wide_rules: u64,
    /// Proposals to tighten.
    pub proposals: u64,
    /// Folded REJECTs by verdict.
    pub rejects: BTreeMap<RejectVerdict, u64>,
    /// Conversations broken and packets widened by the proposals; always 0,
    /// or it is a bug.
    pub proof_failures: u64,
}

impl Findings {
    /// Counts the findings of one analysis.
    #[must_use]
    pub fn of(analysis: &Analysis) -> Findings {
        let mut findings = Findings {
            proof_failures: proof_failures(&analysis.verification),
            ..Findings::default()
        };
        for group in &analysis.security_groups {
            findings.add_rules(group);
        }
        for reject in &analysis.rejects {
            *findings.rejects.entry(reject.verdict).or_default() += 1;
        }
        findings.add_proposals(&analysis.proposals);
        findings
    }

    fn add_rules(&mut self, group: &GroupReport) {
        for rule in &group.rules {
            self.rules += 1;
            *self.by_status.entry(rule.status).or_default() += 1;
            if rule.status == RuleStatus::Unused {
                let tier = rule.tier.unwrap_or(Tier::U0);
                *self.unused_by_tier.entry(tier).or_default() += 1;
            }
        }
    }

    fn add_proposals(&mut self, proposals: &[ProposalReport]) {
        let mut wide = BTreeSet::new();
        for proposal in proposals.iter().filter(|proposal| tightens(proposal)) {
            self.proposals += 1;
            wide.extend(proposal.rules.iter().flat_map(|rule| &rule.replaces));
        }
        self.wide_rules = u64::try_from(wide.len()).unwrap_or(u64::MAX);
    }

    /// Rules of one status.
    #[must_use]
    pub fn with_status(&self, status: RuleStatus) -> u64 {
        self.by_status.get(&status).copied().unwrap_or(0)
    }

    /// Folded REJECTs of one verdict.
    #[must_use]
    pub fn with_verdict(&self, verdict: RejectVerdict) -> u64 {
        self.rejects.get(&verdict).copied().unwrap_or(0)
    }

    /// Whether there is anything that a person should act on.
    #[must_use]
    pub fn any(&self) -> bool {
        const ACTIONABLE: [RuleStatus; 4] = [
            RuleStatus::Unused,
            RuleStatus::Redundant,
            RuleStatus::Shadowed,
            RuleStatus::NoEffect,
        ];
        let rules: u64 = ACTIONABLE
            .map(|status| self.with_status(status))
            .iter()
            .sum();
        let rejects = self.with_verdict(RejectVerdict::Misconfiguration);
        [rules, rejects, self.proposals, self.proof_failures]
            .iter()
            .any(|number| *number > 0)
    }
}

/// Conversations broken and packets widened by the proposals.
fn proof_failures(verification: &Verification) -> u64 {
    verification.broken.saturating_add(verification.widened)
}

/// Whether the proposal changes something.
#[must_use]
pub fn tightens(proposal: &ProposalReport) -> bool {
    match proposal.decision {
        Decision::Tighten => true,
        Decision::Keep | Decision::InsufficientEvidence => false,
    }
}

/// Whether a person should look at the REJECT.
#[must_use]
pub fn needs_a_look(reject: &RejectReport) -> bool {
    match reject.verdict {
        RejectVerdict::Misconfiguration | RejectVerdict::Unclear => true,
        RejectVerdict::Noise | RejectVerdict::Expected => false,
    }
}

/// Lines that are neither blank nor a header.
#[must_use]
pub fn lines(ingest: &Ingest) -> u64 {
    [ingest.no_data, ingest.skip_data, ingest.malformed]
        .into_iter()
        .fold(ingest.records, u64::saturating_add)
}

/// Why the input is incomplete, apart from malformed lines, whose limit the
/// caller knows; empty where it is not.
///
/// A group that is on interfaces none of which was logged voids the verdict on
/// its rules. A group on no interface at all does not: no log could tell more.
#[must_use]
pub fn gaps(analysis: &Analysis) -> Vec<String> {
    let unreadable = analysis.ingest.unreadable.len();
    let dark = analysis
        .security_groups
        .iter()
        .filter(|group| is_dark(group));
    let mut gaps = Vec::new();
    if unreadable > 0 {
        gaps.push(format!("objects that could not be read: {unreadable}"));
    }
    if lines(&analysis.ingest) == 0 {
        gaps.push("no log line was read".to_owned());
    }
    let dark = dark.count();
    if dark > 0 {
        gaps.push(format!(
            "groups in use whose interfaces were never logged: {dark}"
        ));
    }
    gaps
}

fn is_dark(group: &GroupReport) -> bool {
    group.interfaces > 0
        && group.interfaces_logged == 0
        && group
            .rules
            .iter()
            .any(|rule| rule.status == RuleStatus::Unobservable)
}

/// Share of interface-hours in which nothing was lost, as the two numbers
/// `lost` and `all`.
#[must_use]
pub fn lost_hours(coverage: &Coverage) -> (u64, u64) {
    let lost = coverage.interface_hours_lost;
    (lost, lost.saturating_add(coverage.interface_hours_observed))
}
