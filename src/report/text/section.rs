//! A list of rules of one status: the shape that all sections about rules
//! share. A rule takes a line that lines up with its neighbours, and a
//! paragraph that says why it is here.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::attribute::verdict::Confidence;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::model::Effect;
use crate::model::SgRuleId;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::GroupReport;
use crate::report::document::RuleReport;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::left_out;
use crate::report::text::lookup;
use crate::report::text::lookup::Lookup;
use crate::report::words;

/// Columns that the text under a finding is set in: past its code.
const BODY: usize = 9;

/// How strong something is claimed of rules; orders from strong to weak.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim<'a> {
    pub(super) tier: Reverse<Tier>,
    pub(super) confidence: Reverse<Confidence>,
    /// What keeps it from being stronger; empty where nothing is said.
    pub(super) limit: &'a str,
}

impl Claim<'_> {
    /// `probably unused (U2), medium confidence; not U3: …`.
    fn text(&self) -> Text {
        let tier = self.tier.0;
        let text = Text::new().strong(&format!("{} ({tier:?})", words::tier(tier)));
        let text = match self.confidence.0 {
            Confidence::High => text,
            Confidence::Low | Confidence::Medium => {
                text.warn(&format!(", {}", words::confidence(self.confidence.0)))
            }
        };
        if self.limit.is_empty() {
            return text;
        }
        text.plain("; ").plain(self.limit)
    }
}

/// Rules of one status by group.
pub(super) struct Section<'a> {
    status: RuleStatus,
    lookup: &'a Lookup<'a>,
    /// Invariant: no list is empty.
    groups: Vec<(&'a GroupReport, Vec<&'a RuleReport>)>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        analysis: &'a Analysis,
        lookup: &'a Lookup<'a>,
        status: RuleStatus,
    ) -> Section<'a> {
        Section::filtered(analysis, lookup, status, |_| true)
    }

    /// Only the rules of the status that a condition holds for.
    pub(super) fn filtered(
        analysis: &'a Analysis,
        lookup: &'a Lookup<'a>,
        status: RuleStatus,
        keep: impl Fn(&RuleReport) -> bool,
    ) -> Section<'a> {
        let of_group = |group: &'a GroupReport| {
            let rules = group.rules.iter();
            let rules = rules.filter(|rule| rule.status == status && keep(rule));
            (group, rules.collect::<Vec<_>>())
        };
        let groups = analysis.security_groups.iter().map(of_group);
        Section {
            status,
            lookup,
            groups: groups.filter(|(_, rules)| !rules.is_empty()).collect(),
        }
    }

    /// Groups with the rules of this status, none without.
    pub(super) fn groups(&self) -> &[(&'a GroupReport, Vec<&'a RuleReport>)] {
        &self.groups
    }

    /// Writes at most so many rules: under a line for each claim, in the order
    /// of claims, the groups that it is made of with what was seen of them, and
    /// under each its rules.
    pub(super) fn by_claim(
        &self,
        page: &mut Page,
        limit: usize,
        claim: impl Fn(&RuleReport) -> Claim<'_>,
    ) {
        let columns = self.columns();
        let mut claims: BTreeMap<Claim<'_>, Vec<(&GroupReport, &RuleReport)>> = BTreeMap::new();
        for (group, rules) in &self.groups {
            for rule in rules {
                claims.entry(claim(rule)).or_default().push((group, rule));
            }
        }
        let mut room = limit;
        for (claim, rules) in claims {
            let shown = rules.get(..room.min(rules.len())).unwrap_or_default();
            if !shown.is_empty() {
                page.hanging(2, 4, &claim.text());
            }
            for of_group in
                shown.chunk_by(|a, b| a.0.group_id == b.0.group_id && seen(a.1) == seen(b.1))
            {
                if let Some((group, rule)) = of_group.first() {
                    page.hanging(2, 4, &group_line(group, rule));
                }
                for (_, rule) in of_group {
                    self.rule_line(page, &columns, rule);
                }
            }
            room = room.saturating_sub(rules.len());
        }
        left_out(page, 2, self.total(), limit, "rules");
    }

    /// Writes at most so many rules, each with its group's name.
    pub(super) fn flat(&self, page: &mut Page, limit: usize, why: impl Fn(&RuleReport) -> Text) {
        let columns = self.columns();
        let rules = self
            .groups
            .iter()
            .flat_map(|(group, rules)| rules.iter().map(move |rule| (*group, *rule)));
        for (group, rule) in rules.take(limit) {
            let text = name(group).plain(": ").then(why(rule));
            self.rule_line(page, &columns, rule);
            page.line(BODY, &text);
        }
        left_out(page, 2, self.total(), limit, "rules");
    }

    fn total(&self) -> usize {
        self.groups.iter().map(|(_, rules)| rules.len()).sum()
    }

    fn rule_line(&self, page: &mut Page, columns: &Columns, rule: &RuleReport) {
        let code = Code::of_status(self.status).map_or("", Code::id);
        let head = Text::new().strong(code).plain("  ");
        page.hanging(2, BODY + 2, &head.then(columns.line(rule, self.lookup)));
    }

    fn columns(&self) -> Columns {
        let mut columns = Columns::default();
        for rule in self.groups.iter().flat_map(|(_, rules)| rules) {
            columns.widen(rule);
        }
        columns
    }
}

/// `sg-…  name`.
pub(super) fn group_label(group: &GroupReport) -> Text {
    let text = Text::new().id(group.group_id.as_str());
    if group.group_name.is_empty() {
        return text;
    }
    text.plain("  ").strong(&group.group_name)
}

/// The name, or the id where there is none.
pub(super) fn name(group: &GroupReport) -> Text {
    if group.group_name.is_empty() {
        return Text::new().id(group.group_id.as_str());
    }
    Text::new().strong(&group.group_name)
}

/// The group with what was seen of it, which all its rules of a claim share.
fn group_line(group: &GroupReport, rule: &RuleReport) -> Text {
    let seen = seen(rule).join("; ");
    let text = group_label(group);
    if seen.is_empty() {
        return text;
    }
    text.plain("  ").dim(&seen)
}

/// What was seen: all reasons but the last, which limits the claim.
fn seen(rule: &RuleReport) -> &[String] {
    rule.reasons.split_last().map_or(&[], |(_, seen)| seen)
}

/// Ids parted by commas, cut after some.
pub(super) fn ids(ids: &[SgRuleId], limit: usize) -> Text {
    let mut text = Text::new();
    for (at, id) in ids.iter().take(limit).enumerate() {
        if at > 0 {
            text = text.plain(", ");
        }
        text = text.id(id.as_str());
    }
    match ids.len().checked_sub(limit) {
        None | Some(0) => text,
        Some(more) => text.dim(&format!(" and {more} more")),
    }
}

/// Widths of the columns of a list of rules, so that they line up.
#[derive(Default)]
struct Columns {
    id: usize,
    service: usize,
}

impl Columns {
    /// Longest that a column is widened to; longer cells stick out.
    const ID: usize = 21;
    const SERVICE: usize = 14;
    const DIRECTION: usize = 7;

    fn widen(&mut self, rule: &RuleReport) {
        let id = rule.rule_id.as_str().len();
        self.id = self.id.max(id.min(Columns::ID));
        let service = lookup::service(rule).len();
        self.service = self.service.max(service.min(Columns::SERVICE));
    }

    fn line(&self, rule: &RuleReport, lookup: &Lookup<'_>) -> Text {
        let direction = self.id + 2;
        let service = direction + Columns::DIRECTION + 2;
        let text = Text::new().id(rule.rule_id.as_str()).pad_to(direction);
        let text = text.plain(&rule.direction.to_string()).pad_to(service);
        let text = text.id(&lookup::service(rule));
        let text = text.pad_to(service + self.service + 2);
        let text = text.plain(words::toward(rule.direction)).plain(" ");
        let text = text.then(lookup.short_peer(&rule.peer)).then(effect(rule));
        if rule.description.is_empty() {
            return text;
        }
        text.plain("  ").quoted(&rule.description)
    }
}

/// Effect and rank, on clouds that have them.
fn effect(rule: &RuleReport) -> Text {
    let drop = match rule.effect {
        Effect::Allow => "",
        Effect::Drop => " drop",
    };
    let priority = rule
        .priority
        .map_or_else(String::new, |priority| format!(" priority {priority}"));
    Text::new().plain(drop).plain(&priority)
}
