//! The manual page of each finding code: what it says, why it matters, when it
//! misleads, and an example. `flowcinch explain` shows them, other formats
//! link to them.

mod logs;
mod posture;
mod rejects;
pub mod remedies;
mod rules;
mod snapshots;

use std::cmp::Reverse;

use crate::report::code::Code;
use crate::report::controls;
use crate::report::page::Page;
use crate::report::page::Text;

/// From logs to a change that was reviewed, step by step.
pub const TUTORIAL: &str = include_str!("../tutorial.md");

/// One manual page, in plain sentences without line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manual {
    /// What the finding says.
    pub says: &'static str,
    /// Why one should care.
    pub matters: &'static str,
    /// When it is wrong or says less than it seems to.
    pub misleads: &'static str,
    /// How it looks.
    pub example: &'static str,
}

/// The page of a code.
#[must_use]
pub fn manual(code: Code) -> &'static Manual {
    match code {
        Code::UnusedRule => &rules::UNUSED,
        Code::RedundantRule => &rules::REDUNDANT,
        Code::WideRule => &rules::WIDE,
        Code::NoEffectRule => &rules::NO_EFFECT,
        Code::UnobservableRule => &rules::UNOBSERVABLE,
        Code::ShadowedRule => &rules::SHADOWED,
        Code::OpenToWorld => &rules::OPEN_TO_WORLD,
        Code::AllTraffic => &rules::ALL_TRAFFIC,
        Code::SelfReference => &rules::SELF_REFERENCE,
        Code::ProofFailed => &rules::PROOF_FAILED,
        Code::DefaultGroup => &posture::DEFAULT_GROUP,
        Code::UnusedGroup => &posture::UNUSED_GROUP,
        Code::UnrestrictedEgress => &posture::EGRESS,
        Code::RejectedByGroup => &rejects::BY_GROUP,
        Code::RejectedByAcl => &rejects::BY_ACL,
        Code::RejectedReply => &rejects::REPLY,
        Code::RejectedByBoth => &rejects::BY_BOTH,
        Code::BlockPublicAccess => &rejects::BLOCK_PUBLIC_ACCESS,
        Code::UnexplainedReject => &rejects::UNEXPLAINED,
        Code::ScanNoise => &rejects::NOISE,
        Code::SkippedData => &logs::SKIPPED,
        Code::MalformedLines => &logs::MALFORMED,
        Code::UnreadableObject => &logs::UNREADABLE,
        Code::UnknownInterface => &logs::UNKNOWN_INTERFACE,
        Code::UnloggedInterface => &logs::UNLOGGED_INTERFACE,
        Code::ShortWindow => &logs::SHORT_WINDOW,
        Code::RejectOnlyLog => &logs::REJECT_ONLY,
        Code::AcceptOnlyLog => &logs::ACCEPT_ONLY,
        Code::FieldsOverruled => &logs::FIELDS_OVERRULED,
        Code::DroppedDays => &logs::DROPPED_DAYS,
        Code::FarTimes => &logs::FAR_TIMES,
        Code::CoarseEvidence => &logs::COARSE_EVIDENCE,
        Code::WidenedSpan => &logs::WIDENED_SPAN,
        Code::NoNetworkAcls => &snapshots::NO_NETWORK_ACLS,
        Code::NoSubnets => &snapshots::NO_SUBNETS,
        Code::UnknownGroup => &snapshots::UNKNOWN_GROUP,
        Code::UnknownReferencedGroup => &snapshots::UNKNOWN_REFERENCED_GROUP,
        Code::PrefixListWithoutEntries => &snapshots::LIST_WITHOUT_ENTRIES,
        Code::InterfaceWithoutGroups => &snapshots::INTERFACE_WITHOUT_GROUPS,
        Code::UndatedSnapshot => &snapshots::UNDATED,
        Code::UnknownFile => &snapshots::UNKNOWN_FILE,
        Code::DisagreeingDuplicates => &snapshots::DISAGREEING,
        Code::RulesWithoutIds => &snapshots::RULES_WITHOUT_IDS,
        Code::NoVpcs => &snapshots::NO_VPCS,
        Code::RuleOnlyInPermissions => &snapshots::RULE_ONLY_IN_PERMISSIONS,
        Code::GroupNamedOnly => &snapshots::GROUP_NAMED_ONLY,
        Code::GroupsFromRules => &snapshots::GROUPS_FROM_RULES,
        Code::HistoryUnused => &snapshots::HISTORY_UNUSED,
        Code::DeletedInConfig => &snapshots::DELETED_IN_CONFIG,
        Code::EntriesWithoutList => &snapshots::ENTRIES_WITHOUT_LIST,
        Code::InterfacesFromInstances => &snapshots::INTERFACES_FROM_INSTANCES,
        Code::GroupWithoutPermissions => &snapshots::GROUP_WITHOUT_PERMISSIONS,
        Code::SeveralDates => &snapshots::SEVERAL_DATES,
        Code::EmptyPart => &snapshots::EMPTY_PART,
        Code::NoFlowLogs => &snapshots::NO_FLOW_LOGS,
        Code::MorePages => &snapshots::MORE_PAGES,
        Code::ItemWithoutConfiguration => &snapshots::ITEM_WITHOUT_CONFIGURATION,
        Code::PeeringWithoutVpcs => &snapshots::PEERING_WITHOUT_VPCS,
        Code::GroupWithoutAttribute => &snapshots::GROUP_WITHOUT_ATTRIBUTE,
        Code::GroupWithoutType => &snapshots::GROUP_WITHOUT_TYPE,
        Code::PortList => &snapshots::PORT_LIST,
        Code::NoRuleIdsAlibaba => &snapshots::NO_RULE_IDS_ALIBABA,
        Code::FilteredFlowLog => &snapshots::FILTERED_FLOW_LOG,
        Code::NoNetworkAclsAlibaba => &snapshots::NO_NETWORK_ACLS_ALIBABA,
        Code::NoSubnetsAlibaba => &snapshots::NO_SUBNETS_ALIBABA,
        Code::NoVpcsAlibaba => &snapshots::NO_VPCS_ALIBABA,
        Code::NoFlowLogsAlibaba => &snapshots::NO_FLOW_LOGS_ALIBABA,
        Code::TwoClouds => &snapshots::TWO_CLOUDS,
        Code::MixedGroups => &snapshots::MIXED_GROUPS,
        Code::PrefixListWithoutEntriesAlibaba => &snapshots::LIST_WITHOUT_ENTRIES_ALIBABA,
        Code::UnknownBefore => &snapshots::UNKNOWN_BEFORE,
        Code::HistoryShortened => &snapshots::HISTORY_SHORTENED,
        Code::DailyHistory => &snapshots::DAILY_HISTORY,
        Code::UndatedBesideHistory => &snapshots::UNDATED_BESIDE_HISTORY,
        Code::FailingFlowLog => &snapshots::FAILING_FLOW_LOG,
        Code::YoungFlowLog => &snapshots::YOUNG_FLOW_LOG,
        Code::PartialFlowLog => &snapshots::PARTIAL_FLOW_LOG,
        Code::OwnersFromLogs => &snapshots::OWNERS_FROM_LOGS,
        Code::LetGo => &rules::LET_GO,
    }
}

/// The page of a code as text, wrapped at so many columns.
#[must_use]
pub fn render(code: Code, width: usize, styled: bool) -> String {
    let mut page = Page::new(width, styled);
    let title = Text::new().strong(code.id()).plain("  ");
    page.line(0, &title.strong(code.slug()));
    let manual = manual(code);
    let sections = [
        ("What it says", manual.says),
        ("Why it matters", manual.matters),
        ("When it misleads", manual.misleads),
        ("Example", manual.example),
        ("What to do next", next_step(code)),
    ];
    for (heading, text) in sections {
        page.heading(heading, "");
        page.line(2, &Text::new().plain(text));
    }
    let controls = controls::of(code);
    if !controls.is_empty() {
        page.heading("Controls that it touches", "");
    }
    for control in controls {
        page.hanging(2, 4, &Text::new().plain(&control.to_string()));
    }
    page.finish()
}

/// What to do next: the remedy, else what the example ends with.
fn next_step(code: Code) -> &'static str {
    let in_example = || manual(code).example.split_once("Next: ");
    remedies::of(code)
        .or_else(|| in_example().map(|(_, next)| next))
        .unwrap_or_default()
}

/// All codes with their first sentences.
#[must_use]
pub fn index(width: usize, styled: bool) -> String {
    let mut page = Page::new(width, styled);
    for code in Code::ALL {
        let head = Text::new().strong(code.id()).plain("  ");
        let text = head.plain(code.slug()).pad_to(36);
        let says = first_sentence(manual(*code).says);
        page.hanging(0, 36, &text.dim(says));
    }
    page.finish()
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ")
        .map_or(text, |(first, _)| first)
        .trim_end_matches('.')
}

/// Codes whose id or slug is spelled most like the text, best first, at most
/// three; empty where nothing comes near.
#[must_use]
pub fn suggestions(text: &str) -> Vec<Code> {
    let wanted = text.trim().to_lowercase();
    let mut near: Vec<(f64, Code)> = Code::ALL
        .iter()
        .map(|code| (likeness(&wanted, *code), *code))
        .filter(|(likeness, _)| *likeness >= 0.75)
        .collect();
    near.sort_by_key(|(likeness, code)| (Reverse(thousandths(*likeness)), *code));
    near.into_iter().take(3).map(|(_, code)| code).collect()
}

fn likeness(wanted: &str, code: Code) -> f64 {
    let by_id = strsim::jaro_winkler(wanted, &code.id().to_lowercase());
    let by_slug = strsim::jaro_winkler(wanted, code.slug());
    by_id.max(by_slug)
}

/// A likeness of 0 to 1 as something that sorts.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the value lies between 0 and 1000"
)]
fn thousandths(likeness: f64) -> i32 {
    (likeness * 1000.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_whole_page() {
        for code in Code::ALL {
            let Manual {
                says,
                matters,
                misleads,
                example,
            } = manual(*code);
            for part in [says, matters, misleads, example] {
                assert!(part.len() > 20, "{code}: {part:?}");
                assert!(
                    !part.contains('\n') && !part.contains("  "),
                    "{code}: {part:?}"
                );
                assert!(part.is_ascii(), "{code}: {part:?}");
            }
        }
    }

    #[test]
    fn every_code_has_a_next_step() {
        for code in Code::ALL {
            let says = next_step(*code);
            assert!(says.len() > 5 && says.is_ascii(), "{code}: {says:?}");
        }
    }

    #[test]
    fn a_typo_finds_its_code() {
        assert_eq!(suggestions("SG1O1").first(), Some(&Code::UnusedRule));
        assert_eq!(suggestions("unusedrule").first(), Some(&Code::UnusedRule));
        assert_eq!(suggestions("wide-rules").first(), Some(&Code::WideRule));
        assert!(suggestions("zzzzqqqq").is_empty());
    }

    #[test]
    fn a_page_has_its_headings() {
        let page = render(Code::UnusedRule, 80, false);
        assert!(page.starts_with("SG101  unused-rule\n"));
        for heading in [
            "What it says",
            "Why it matters",
            "When it misleads",
            "Example",
            "What to do next",
        ] {
            assert!(page.contains(&format!("\n{heading}\n")));
        }
        assert!(page.lines().all(|line| line.len() <= 80));
    }
}
