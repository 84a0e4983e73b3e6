//! Sections about rules: unused, redundant, shadowed, without effect, and
//! those of which nothing can be told.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::attribute::verdict::Confidence;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::model::SgRuleId;
use crate::report::code::Code;
use crate::report::document::Analysis;
use crate::report::document::GroupReport;
use crate::report::document::RuleReport;
use crate::report::human;
use crate::report::page::Page;
use crate::report::page::Text;
use crate::report::text::TextOptions;
use crate::report::text::left_out;
use crate::report::text::lookup;
use crate::report::text::lookup::Lookup;
use crate::report::text::proposals;
use crate::report::text::section::Claim;
use crate::report::text::section::Section;
use crate::report::text::section::group_label;
use crate::report::text::section::ids;
use crate::report::text::section::name;
use crate::report::words;

const UNUSED_SHOWN: usize = 16;
const OTHERS_SHOWN: usize = 8;
const REASONS_SHOWN: usize = 4;

/// Rules that nothing passed through, the strongest claims first. Where too
/// little was seen for any claim (U0), [`in_doubt`] says so instead.
pub(super) fn unused(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::filtered(analysis, lookup, RuleStatus::Unused, is_claimed);
    if section.groups().is_empty() {
        return;
    }
    page.heading("UNUSED RULES", "nothing passed through them");
    section.by_claim(page, options.limit(UNUSED_SHOWN), |rule| Claim {
        tier: Reverse(rule.tier.unwrap_or(Tier::U0)),
        confidence: Reverse(rule.confidence),
        limit: rule.reasons.last().map_or("", String::as_str),
    });
}

/// Whether the logs say enough of an unused rule to call it that.
fn is_claimed(rule: &RuleReport) -> bool {
    rule.tier.is_some_and(|tier| tier > Tier::U0)
}

/// Says so where the status is not sure.
fn doubt(rule: &RuleReport) -> Text {
    match rule.confidence {
        Confidence::High => Text::new(),
        Confidence::Low | Confidence::Medium => {
            let words = format!(", {}", words::confidence(rule.confidence));
            Text::new().warn(&words)
        }
    }
}

/// The first reasons, with something before them.
fn reasons(rule: &RuleReport, before: &str, options: TextOptions) -> Text {
    let shown = rule.reasons.iter().take(options.limit(REASONS_SHOWN));
    let parts: Vec<&str> = shown.map(String::as_str).collect();
    if parts.is_empty() {
        return Text::new();
    }
    Text::new().plain(before).plain(&parts.join("; "))
}

/// Rules whose connections others let through as well.
pub(super) fn redundant(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::new(analysis, lookup, RuleStatus::Redundant);
    if section.groups().is_empty() {
        return;
    }
    page.heading("REDUNDANT RULES", "others let the same connections through");
    section.flat(page, options.limit(OTHERS_SHOWN), |rule| {
        covered(rule, lookup, options)
    });
}

fn covered(rule: &RuleReport, lookup: &Lookup<'_>, options: TextOptions) -> Text {
    let records = human::counted(rule.records, "record");
    let text = Text::new().plain(&format!("{records}, all also let through by "));
    let text = match rule.also_allowed_by.as_slice() {
        [] => text.plain("other rules"),
        others => text.then(ids(others, options.limit(3))),
    };
    let text = text.then(doubt(rule));
    if rule
        .also_allowed_by
        .iter()
        .any(|other| leans_on(other, rule, lookup))
    {
        return text.warn("; they cover each other, one must stay");
    }
    text
}

/// Whether the other rule is redundant because of this one.
fn leans_on(other: &SgRuleId, rule: &RuleReport, lookup: &Lookup<'_>) -> bool {
    lookup.rule(other).is_some_and(|other| {
        other.status == RuleStatus::Redundant && other.also_allowed_by.contains(&rule.rule_id)
    })
}

/// Rules that stronger rules decide wholly.
pub(super) fn shadowed(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::new(analysis, lookup, RuleStatus::Shadowed);
    if section.groups().is_empty() {
        return;
    }
    page.heading("SHADOWED RULES", "stronger rules decide all of it");
    section.flat(page, options.limit(OTHERS_SHOWN), |rule| {
        if rule.also_allowed_by.is_empty() {
            return reasons(rule, "", options);
        }
        let by = Text::new().plain("by ");
        let by = by.then(ids(&rule.also_allowed_by, options.limit(3)));
        by.then(reasons(rule, "; ", options))
    });
}

/// Rules in use at even distances, with the day when they are due.
pub(super) fn recurring(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::filtered(analysis, lookup, RuleStatus::Used, |rule| {
        rule.season.is_some()
    });
    if section.groups().is_empty() {
        return;
    }
    page.heading(
        "RECURRING RULES",
        "used at even distances: wait for the next time before a change",
    );
    section.flat(page, options.limit(OTHERS_SHOWN), |rule| {
        Text::new().plain(rule.reasons.last().map_or("", String::as_str))
    });
}

/// Rules for traffic that groups never filter.
pub(super) fn no_effect(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::new(analysis, lookup, RuleStatus::NoEffect);
    if section.groups().is_empty() {
        return;
    }
    page.heading(
        "RULES WITHOUT EFFECT",
        "for traffic that groups never filter",
    );
    section.flat(page, options.limit(OTHERS_SHOWN), |rule| {
        reasons(rule, "", options)
    });
}

/// Rules of which nothing can be told: those that saw nothing while too little
/// was watched, those that could not be seen, a line a group, and used rules
/// that rest on doubtful connections alone.
pub(super) fn in_doubt(
    page: &mut Page,
    analysis: &Analysis,
    lookup: &Lookup<'_>,
    options: TextOptions,
) {
    let section = Section::new(analysis, lookup, RuleStatus::Unobservable);
    let undecided = undecided(analysis);
    let doubtful: Vec<SgRuleId> = doubtful(analysis);
    let refused = proposals::insufficient(analysis);
    if section.groups().is_empty() && undecided.is_empty() && doubtful.is_empty() && refused == 0 {
        return;
    }
    page.heading("IN DOUBT", "nothing is claimed of these");
    let limit = options.limit(OTHERS_SHOWN);
    for (why, rules) in &undecided {
        write_undecided(page, why, rules, lookup, limit);
    }
    for (group, rules) in section.groups().iter().take(limit) {
        page.hanging(2, 9, &unobservable(group, rules));
    }
    left_out(page, 2, section.groups().len(), limit, "groups");
    if !doubtful.is_empty() {
        let text = Text::new().plain("used, but on doubtful evidence alone: ");
        page.hanging(2, 4, &text.then(ids(&doubtful, options.limit(6))));
    }
    if refused > 0 {
        let number = human::counted(refused, "group direction");
        let text = format!("no proposal for {number}: not enough evidence");
        page.hanging(2, 4, &Text::new().plain(&text));
    }
}

/// A rule with its group.
type Placed<'a> = (&'a GroupReport, &'a RuleReport);

/// Unused rules without a claim by what the claim lacks, most rules first.
fn undecided(analysis: &Analysis) -> Vec<(&str, Vec<Placed<'_>>)> {
    let mut by_lack: BTreeMap<&str, Vec<Placed<'_>>> = BTreeMap::new();
    for group in &analysis.security_groups {
        for rule in &group.rules {
            if rule.status == RuleStatus::Unused && !is_claimed(rule) {
                let lack = rule.reasons.last().map_or("", String::as_str);
                by_lack.entry(lack).or_default().push((group, rule));
            }
        }
    }
    let mut undecided: Vec<_> = by_lack.into_iter().collect();
    undecided.sort_by_key(|(_, rules)| Reverse(rules.len()));
    undecided
}

fn write_undecided(
    page: &mut Page,
    why: &str,
    rules: &[Placed<'_>],
    lookup: &Lookup<'_>,
    limit: usize,
) {
    let number = u64::try_from(rules.len()).unwrap_or(u64::MAX);
    let text = Text::new().strong(Code::UnusedRule.id()).plain("  ");
    let text = text.plain(&human::counted(number, "rule"));
    let text = text.plain(" without a connection, but cannot tell (U0): ");
    page.hanging(2, 9, &text.plain(why));
    for (group, rule) in rules.iter().take(limit) {
        let text = Text::new().id(rule.rule_id.as_str()).plain("  ");
        let text = text
            .then(name(group))
            .plain(&format!(": {} ", rule.direction));
        let text = text.id(&lookup::service(rule)).plain(" ");
        let text = text.plain(words::toward(rule.direction)).plain(" ");
        page.hanging(9, 11, &text.then(lookup.short_peer(&rule.peer)));
    }
    left_out(page, 9, rules.len(), limit, "rules");
}

fn unobservable(group: &GroupReport, rules: &[&RuleReport]) -> Text {
    let number = u64::try_from(rules.len()).unwrap_or(u64::MAX);
    let why = match (group.interfaces, group.interfaces_logged) {
        (0, _) => "on no interface".to_owned(),
        (all, 0) => format!(
            "none of its {} logged what passed",
            human::counted(all, "interface")
        ),
        (_, _) => said_of(rules),
    };
    let text = Text::new().strong(Code::UnobservableRule.id()).plain("  ");
    let text = text.then(group_label(group));
    let text = text.plain(&format!("  {}", human::counted(number, "rule")));
    let text = match group.interfaces_logged {
        0 => text,
        _ => text.plain(" (").then(ids(&ids_of(rules), 3)).plain(")"),
    };
    text.plain(&format!(", {why}"))
}

fn ids_of(rules: &[&RuleReport]) -> Vec<SgRuleId> {
    rules.iter().map(|rule| rule.rule_id.clone()).collect()
}

/// What the rules themselves say in the end, each sentence once.
fn said_of(rules: &[&RuleReport]) -> String {
    let reasons = rules.iter().filter_map(|rule| rule.reasons.last());
    let reasons: BTreeSet<&str> = reasons.map(String::as_str).collect();
    if reasons.is_empty() {
        return "no usable record of its interfaces".to_owned();
    }
    reasons.into_iter().collect::<Vec<_>>().join("; ")
}

fn doubtful(analysis: &Analysis) -> Vec<SgRuleId> {
    let rules = analysis
        .security_groups
        .iter()
        .flat_map(|group| &group.rules);
    let doubtful: BTreeSet<&SgRuleId> = rules
        .filter(|rule| rule.status == RuleStatus::Used && rule.confidence == Confidence::Low)
        .map(|rule| &rule.rule_id)
        .collect();
    doubtful.into_iter().cloned().collect()
}
