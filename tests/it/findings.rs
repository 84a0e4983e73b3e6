//! What counts as a finding, and what as incomplete input.

use flowcinch::attribute::verdict::RejectVerdict;
use flowcinch::attribute::verdict::RuleStatus;
use flowcinch::report::code::Code;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::RuleReport;
use flowcinch::report::document::UnloggedSubnet;
use flowcinch::report::findings;
use flowcinch::report::findings::Findings;
use flowcinch::report::listing;
use flowcinch::tighten::plan::Decision;

use crate::builder;

fn with_rule(status: RuleStatus) -> Analysis {
    let rule = RuleReport {
        status,
        ..builder::rule("sgr-1", (443, 443), builder::cidr("10.0.0.0/8"))
    };
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![builder::group(builder::WEB, "web", vec![rule])];
    analysis
}

fn with_reject(verdict: RejectVerdict) -> Analysis {
    let mut analysis = builder::quiet();
    analysis.rejects = vec![builder::reject(443, "10.0.0.1", verdict)];
    analysis
}

fn with_proposal(decision: Decision) -> Analysis {
    let mut analysis = builder::quiet();
    analysis.proposals = builder::planted().proposals;
    analysis.proposals[0].decision = decision;
    analysis
}

fn any(analysis: &Analysis) -> bool {
    Findings::of(analysis).any()
}

#[test]
fn rules_to_change_are_findings_and_doubt_is_none() {
    for status in [
        RuleStatus::Unused,
        RuleStatus::Redundant,
        RuleStatus::Shadowed,
        RuleStatus::NoEffect,
    ] {
        assert!(any(&with_rule(status)), "{status:?}");
    }
    for status in [RuleStatus::Used, RuleStatus::Unobservable] {
        assert!(!any(&with_rule(status)), "{status:?}");
    }
}

#[test]
fn only_misconfigurations_among_rejects_are_findings() {
    assert!(any(&with_reject(RejectVerdict::Misconfiguration)));
    for verdict in [
        RejectVerdict::Noise,
        RejectVerdict::Expected,
        RejectVerdict::Unclear,
    ] {
        assert!(!any(&with_reject(verdict)), "{verdict:?}");
    }
}

#[test]
fn only_proposals_that_change_something_are_findings() {
    assert!(any(&with_proposal(Decision::Tighten)));
    assert!(!any(&with_proposal(Decision::Keep)));
    assert!(!any(&with_proposal(Decision::InsufficientEvidence)));
}

#[test]
fn a_rule_replaced_by_two_is_one_wide_rule() {
    let mut analysis = builder::planted();
    let again = analysis.proposals[0].rules[0].clone();
    analysis.proposals[0].rules.push(again);
    assert_eq!(Findings::of(&analysis).wide_rules, 1);
}

#[test]
fn a_group_in_use_that_was_never_logged_is_a_gap() {
    let mut analysis = with_rule(RuleStatus::Unobservable);
    assert_eq!(findings::gaps(&analysis), Vec::<String>::new());
    analysis.security_groups[0].interfaces_logged = 0;
    assert_eq!(
        findings::gaps(&analysis),
        ["groups in use whose interfaces were never logged: 1"]
    );
    analysis.security_groups[0].interfaces = 0;
    assert_eq!(findings::gaps(&analysis), Vec::<String>::new());
}

#[test]
fn no_line_at_all_is_a_gap() {
    let mut analysis = builder::quiet();
    analysis.ingest.records = 0;
    analysis.ingest.no_data = 0;
    assert_eq!(findings::gaps(&analysis), ["no log line was read"]);
}

#[test]
fn a_dark_subnet_is_one_finding_and_what_goes_dark_beside_others_is_its_own() {
    let [batch, queue, spare] = ["eni-batch", "eni-queue", "eni-spare"].map(builder::eni);
    let mut analysis = builder::quiet();
    analysis.coverage.unlogged_interfaces = vec![batch, queue, spare];
    analysis.coverage.unlogged_subnets = vec![UnloggedSubnet {
        subnet_id: "subnet-1".to_owned(),
        vpc_id: Some("vpc-1".to_owned()),
        interfaces: vec![batch, queue],
    }];
    let unlogged = |analysis: &Analysis| {
        let listed = listing::findings(analysis).into_iter();
        let unlogged = listed.filter(|one| one.code == Code::UnloggedInterface);
        unlogged
            .map(|one| (one.subject, one.id))
            .collect::<Vec<_>>()
    };
    let before = unlogged(&analysis);
    let subjects: Vec<&str> = before.iter().map(|(subject, _)| &**subject).collect();
    assert_eq!(subjects, ["eni-spare", "subnet-1"]);
    // A flow log for the subnet came that misses one: that one is new.
    analysis.coverage.unlogged_interfaces = vec![queue, spare];
    analysis.coverage.unlogged_subnets.clear();
    let after = unlogged(&analysis);
    let new: Vec<&str> = after
        .iter()
        .filter(|one| !before.contains(one))
        .map(|(subject, _)| &**subject)
        .collect();
    assert_eq!(new, ["eni-queue"]);
}
