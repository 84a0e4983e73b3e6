//! The text report of analyses made by hand: what it says, in which order,
//! how wide it is, and that nothing in it acts on a terminal.

use flowcinch::attribute::verdict::RejectVerdict;
use flowcinch::attribute::verdict::RuleStatus;
use flowcinch::attribute::verdict::Tier;
use flowcinch::model::Direction;
use flowcinch::model::Peer;
use flowcinch::model::SgId;
use flowcinch::model::SgRuleId;
use flowcinch::net::Timestamp;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::Caveat;
use flowcinch::report::document::CurveReport;
use flowcinch::report::document::MalformedSample;
use flowcinch::report::document::RuleReport;
use flowcinch::report::json;
use flowcinch::report::listing;
use flowcinch::report::text;
use flowcinch::report::text::TextOptions;
use flowcinch::tighten::plan::Decision;
use unicode_width::UnicodeWidthStr;

use crate::builder;

fn at(width: usize) -> TextOptions {
    TextOptions {
        width,
        ..TextOptions::default()
    }
}

fn full() -> TextOptions {
    TextOptions {
        full: true,
        ..TextOptions::default()
    }
}

fn shown(analysis: &Analysis) -> String {
    text::render(analysis, TextOptions::default())
}

/// The lines from a heading to the next empty line.
fn section<'a>(report: &'a str, heading: &str) -> Vec<&'a str> {
    report
        .lines()
        .skip_while(|line| !line.starts_with(heading))
        .take_while(|line| !line.is_empty())
        .collect()
}

#[test]
fn the_planted_findings_stand_in_a_screen_and_a_half() {
    for width in [80, 100, 120] {
        let report = text::render(&builder::planted(), at(width));
        let evidence = report.lines().take_while(|line| *line != "COVERAGE");
        assert!(evidence.count() <= 64, "{report}");
    }
}

#[test]
fn the_answer_comes_before_the_evidence() {
    let report = shown(&builder::planted());
    let place = |text: &str| {
        report
            .find(text)
            .unwrap_or_else(|| panic!("no {text}\n{report}"))
    };
    let order = [
        "1,204,331 records over 92 days (2026-10-01 .. 12-31); 11 of 12 interfaces",
        "\nANSWER  ",
        "\n  2 rules unused ",
        "\nUNUSED RULES",
        "\nWHAT TO CHANGE",
        "\nREJECTED TRAFFIC",
        "\nREDUNDANT RULES",
        "\nRULES WITHOUT EFFECT",
        "\nBY THEIR WORDS",
        "\nIN DOUBT",
        "\nCOVERAGE",
        "\nproof: 8,412 conversations replayed, 0 broken, 0 widened",
    ];
    let places: Vec<usize> = order.iter().map(|text| place(text)).collect();
    assert!(places.is_sorted(), "{report}");
}

#[test]
fn the_answer_counts_each_kind_of_finding() {
    let report = shown(&builder::planted());
    let expected = [
        "ANSWER  findings: 5 medium, 3 low, 3 info; `--full` gives their ids and controls",
        "  2 rules unused         1 removal candidate, 1 not observed",
        "  1 rule open too wide   narrower rules would do",
        "  3 REJECTs to look at   2 misconfigured, 1 unclear, 40 more are noise",
        "  1 rule redundant       others let the same connections through",
        "  1 rule without effect  groups never filter that traffic",
        "  1 proposal             proved on 8,412 conversations: 0 broken, 0 widened",
        "  1 rule not observable  in doubt, or on no interface that was logged",
    ];
    assert_eq!(section(&report, "ANSWER"), expected);
}

#[test]
fn every_finding_carries_its_code() {
    let report = shown(&builder::planted());
    let beside = [
        ("SG101", "sgr-0ccccccccccccccc2"),
        ("SG102", "sgr-0ccccccccccccccc3"),
        ("SG103", builder::DB),
        ("SG104", "sgr-0ccccccccccccccc5"),
        ("SG105", builder::OLD),
        ("RJ201", "10.0.1.10"),
        ("RJ203", "203.0.113.12"),
        ("RJ206", "198.51.100.77"),
        ("RJ207", "noise: 40 folded"),
        ("FL301", "14 SKIPDATA rows"),
        ("FL302", "3 lines"),
        ("FL304", "eni-0ddddddddddddddd1"),
        ("FL305", "eni-0ddddddddddddddd2"),
        ("SN107", "undated"),
    ];
    for (code, text) in beside {
        let found = report
            .lines()
            .any(|line| line.contains(code) && line.contains(text));
        assert!(found, "{code} {text}\n{report}");
    }
}

#[test]
fn a_proposal_reads_as_a_diff() {
    let report = shown(&builder::planted());
    let expected = [
        "WHAT TO CHANGE  - today  + proposed  = stays",
        "  SG103  sg-0aaaaaaaaaaaaaaa3  db  ingress  review before applying",
        "         exposure 4.3 billion -> 3, 1.4 billion times less",
        "         - tcp/all         from 10.0.0.0/16  sgr-0ccccccccccccccc6",
        "         + tcp/5432        from sg-0aaaaaaaaaaaaaaa2 (app)  5,120 records",
        "         = sgr-0ccccccccccccccc7 stays",
        "         why: only tcp/5432 from 2 members of app was seen in 92 days; 0.03 % of hours were lost",
    ];
    assert_eq!(section(&report, "WHAT TO CHANGE"), expected);
}

#[test]
fn a_removed_rule_is_marked_so() {
    let mut analysis = builder::planted();
    analysis.proposals[0].keep.clear();
    analysis.proposals[0].remove = vec![SgRuleId::from("sgr-0ccccccccccccccc7")];
    analysis.proposals[0].quota_after = 1;
    let report = shown(&analysis);
    assert!(report.contains("times less; quota 2 -> 1\n"), "{report}");
    let line = report
        .lines()
        .find(|line| line.ends_with("sgr-0ccccccccccccccc7  remove"));
    assert!(
        line.unwrap().trim_start().starts_with("- tcp/22"),
        "{report}"
    );
}

#[test]
fn nothing_to_change_is_said_in_words() {
    let report = shown(&builder::quiet());
    assert!(
        report.contains("ANSWER\n  nothing to change in 0 rules\n"),
        "{report}"
    );
    assert!(
        report.contains("12 of 12 interfaces watched, no losses\n"),
        "{report}"
    );
    assert!(!report.contains("UNUSED RULES"));
}

#[test]
fn incomplete_input_is_said_before_the_answer() {
    let report = shown(&builder::with_unreadable(builder::quiet()));
    let warning = report
        .find("INCOMPLETE INPUT: objects that could not be read: 1")
        .unwrap();
    assert!(warning < report.find("ANSWER").unwrap());
    assert!(report.contains("but the input is incomplete"));
    assert!(report.contains("logs/2026/10/09/b.log.gz: unexpected end of gzip data"));
}

#[test]
fn a_failed_proof_is_loud() {
    let mut analysis = builder::planted();
    analysis.verification.broken = 1;
    let report = shown(&analysis);
    assert!(
        report.contains("PROOF FAILED PF401: 1 broken, 0 widened; do not apply"),
        "{report}"
    );
    assert!(report.contains("1 proposal             PROOF FAILED, do not apply"));
}

#[test]
fn rules_that_cover_each_other_are_told_apart_from_those_that_may_go() {
    let redundant = |id: &str, by: &str| RuleReport {
        status: RuleStatus::Redundant,
        also_allowed_by: vec![SgRuleId::from(by)],
        ..builder::rule(id, (443, 443), builder::cidr("10.0.0.0/8"))
    };
    let mut analysis = builder::quiet();
    let rules = vec![
        redundant("sgr-1", "sgr-2"),
        redundant("sgr-2", "sgr-1"),
        redundant("sgr-3", "sgr-1"),
    ];
    analysis.security_groups = vec![builder::group(builder::WEB, "web", rules)];
    let report = shown(&analysis);
    let stay = report
        .matches("they cover each other, one must stay")
        .count();
    assert_eq!(stay, 2, "{report}");
}

#[test]
fn the_strongest_claims_come_first() {
    let unused = |id: &str, tier| {
        builder::unused(
            builder::rule(id, (22, 22), builder::cidr("10.0.0.0/8")),
            tier,
        )
    };
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![
        builder::group(builder::WEB, "weak", vec![unused("sgr-a", Tier::U0)]),
        builder::group(
            builder::APP,
            "strong",
            vec![unused("sgr-b", Tier::U1), unused("sgr-c", Tier::U4)],
        ),
    ];
    let report = shown(&analysis);
    let place = |id: &str| report.find(id).unwrap();
    assert!(
        place("sgr-c") < place("sgr-b") && place("sgr-b") < place("sgr-a"),
        "{report}"
    );
    assert!(report.contains("removal candidate, yearly jobs included (U4)"));
}

#[test]
fn rules_that_are_here_for_one_reason_share_it() {
    let rules = (1..=3).map(|port| {
        let rule = builder::rule(
            &format!("sgr-{port}"),
            (port, port),
            builder::cidr("10.0.0.0/8"),
        );
        builder::unused(rule, Tier::U2)
    });
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![builder::group(builder::WEB, "web", rules.collect())];
    let report = shown(&analysis);
    assert_eq!(report.matches("SG101").count(), 3, "{report}");
    let expected = [
        "UNUSED RULES  nothing passed through them",
        "  probably unused (U2); 99.96 % of hours watched, 0.03 % lost",
        "  sg-0aaaaaaaaaaaaaaa1  web  no use in 92 days",
    ];
    assert_eq!(section(&report, "UNUSED RULES")[..3], expected);
}

#[test]
fn peers_refused_the_same_service_are_one_problem() {
    let mut analysis = builder::quiet();
    for host in 1..=5 {
        let peer = format!("10.9.9.{host}");
        analysis.rejects.push(builder::reject(
            9_000,
            &peer,
            RejectVerdict::Misconfiguration,
        ));
    }
    analysis.rejects.push(builder::reject(
        9_001,
        "10.9.9.1",
        RejectVerdict::Misconfiguration,
    ));
    let report = shown(&analysis);
    assert_eq!(report.matches("RJ201").count(), 2, "{report}");
    assert!(
        report.contains("tcp/9000 from 10.9.9.1 (+4 peers)\n"),
        "{report}"
    );
    assert!(
        report.contains("stopped by the security group\n         1,440 records"),
        "{report}"
    );
    let report = text::render(&analysis, full());
    let rejected = section(&report, "REJECTED TRAFFIC").join("\n");
    assert_eq!(rejected.matches("RJ201").count(), 6, "{report}");
}

#[test]
fn numbers_of_the_answer_line_up() {
    let report = shown(&crowded());
    let answer = section(&report, "ANSWER");
    assert!(
        answer.contains(
            &"  502 rules unused         1 removal candidate, 500 probably unused, 1 not observed"
        ),
        "{report}"
    );
    assert!(
        answer.contains(&"    1 rule redundant       others let the same connections through"),
        "{report}"
    );
}

#[test]
fn too_little_evidence_is_doubt_and_no_opening() {
    let mut analysis = builder::planted();
    analysis.proposals[0].decision = Decision::InsufficientEvidence;
    let report = shown(&analysis);
    assert!(
        !report.contains("WHAT TO CHANGE") && !report.contains("1 proposal"),
        "{report}"
    );
    assert!(
        report.contains("no proposal for 1 group direction: not enough evidence"),
        "{report}"
    );
}

/// An analysis with long lists of everything.
fn crowded() -> Analysis {
    let mut analysis = builder::planted();
    let rules = (0..500).map(|number| {
        let id = format!("sgr-0{number:016x}");
        builder::unused(
            builder::rule(&id, (number, number), builder::cidr("10.0.0.0/8")),
            Tier::U2,
        )
    });
    analysis.security_groups.push(builder::group(
        "sg-0eeeeeeeeeeeeeee1",
        "crowd",
        rules.collect(),
    ));
    for number in 1..=200u16 {
        let peer = format!("10.9.9.{number}");
        let port = 9_000 + number / 4;
        analysis.rejects.push(builder::reject(
            port,
            &peer,
            RejectVerdict::Misconfiguration,
        ));
    }
    analysis
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let report = shown(&crowded());
    assert!(
        report.contains("... and 486 more rules (--full)"),
        "{report}"
    );
    assert!(report.contains("... and 45 more of these (--full)"));
    assert!(report.lines().count() < 150, "{}", report.lines().count());
    assert!(report.contains("502 rules unused"));
}

#[test]
fn full_cuts_nothing() {
    let report = text::render(&crowded(), full());
    assert!(!report.contains("more rules") && !report.contains("more of these"));
    assert!(report.contains("sgr-000000000000001f3") && report.contains("10.9.9.200"));
}

fn assert_fits(report: &str, width: usize) {
    for line in report.lines() {
        // A single id that is wider than the page may stick out.
        let lone = !line.trim_start().contains(' ');
        assert!(
            line.width() <= width || lone,
            "{} > {width}: {line:?}",
            line.width()
        );
        assert!(!line.ends_with(' '), "{line:?}");
    }
}

#[test]
fn no_line_is_wider_than_the_page() {
    for width in 60..=140 {
        for analysis in [builder::planted(), builder::quiet(), hostile()] {
            assert_fits(&text::render(&analysis, at(width)), width);
        }
    }
}

#[test]
fn ids_are_never_broken() {
    let ids = [
        "sgr-0ccccccccccccccc7",
        "eni-0ddddddddddddddd3",
        builder::DB,
        "203.0.113.12",
    ];
    for width in 60..=140 {
        let report = text::render(&builder::planted(), at(width));
        for id in ids {
            assert!(report.contains(id), "{id} at {width}\n{report}");
        }
    }
}

#[test]
fn a_rule_without_an_id_of_its_own_stays_whole() {
    let id = "sg-0aaaaaaaaaaaaaaa1/ingress/tcp/1024-65535/2001:db8:aaaa:bbbb::/64";
    let rule = builder::rule(
        id,
        (1_024, 65_535),
        builder::cidr("2001:db8:aaaa:bbbb::/64"),
    );
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![builder::group(
        builder::WEB,
        "web",
        vec![builder::unused(rule, Tier::U2)],
    )];
    for width in [60, 80, 100] {
        let report = text::render(&analysis, at(width));
        assert!(report.contains(id), "{report}");
        assert_fits(&report, width);
    }
}

const EVIL: &str = "\u{1b}[2J\u{1b}]0;pwned\u{7}\r\n  SG101  forged\u{202e}live\u{2066}\u{200b}\u{feff}\u{9b}31m\t\0";

/// An analysis all of whose free text is hostile.
fn hostile() -> Analysis {
    let mut analysis = builder::with_unreadable(builder::planted());
    for group in &mut analysis.security_groups {
        group.group_name = EVIL.to_owned();
        for rule in &mut group.rules {
            rule.description = EVIL.repeat(4);
            rule.reasons = vec![EVIL.to_owned()];
            rule.protocol = EVIL.to_owned();
        }
    }
    for reject in &mut analysis.rejects {
        reject.text = EVIL.to_owned();
        reject.peer = EVIL.to_owned();
        reject.protocol = EVIL.to_owned();
        reject.peer_groups = vec![SgId::from(EVIL)];
    }
    for proposal in &mut analysis.proposals {
        proposal.reasons = vec![EVIL.to_owned()];
        proposal.exposure_before = EVIL.to_owned();
        proposal.keep = vec![SgRuleId::from(EVIL)];
        proposal.rules[0].peer = Peer::SecurityGroup(SgId::from(EVIL));
    }
    analysis.ingest.malformed_samples = vec![MalformedSample {
        object: EVIL.to_owned(),
        line: 1,
        byte: 0,
        reason: EVIL.to_owned(),
    }];
    analysis.ingest.unreadable[0].object = EVIL.to_owned();
    analysis.coverage.unresolved.insert(EVIL.to_owned(), 1);
    analysis.caveats.push(Caveat {
        code: EVIL.to_owned(),
        text: EVIL.to_owned(),
    });
    analysis
}

#[test]
fn hostile_text_is_shown_and_not_done() {
    let report = shown(&hostile());
    let acts = |character: char| character.is_control() && character != '\n';
    assert!(!report.chars().any(acts));
    assert!(!report.contains(['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}']));
    assert!(
        !report
            .lines()
            .any(|line| line.trim_start() == "SG101  forged")
    );
    assert!(report.contains("\\u{1b}[2J"), "{report}");
}

#[test]
fn styles_are_the_only_escapes_and_can_be_left_out() {
    let styled = TextOptions {
        styled: true,
        ..TextOptions::default()
    };
    let report = text::render(&hostile(), styled);
    assert!(report.contains("\u{1b}[1m"));
    let stripped = anstream::adapter::strip_str(&report).to_string();
    assert_eq!(stripped, shown(&hostile()));
}

#[test]
fn a_caveat_of_the_same_code_is_not_said_twice() {
    let mut analysis = builder::planted();
    analysis.caveats.push(Caveat {
        code: "FL302".to_owned(),
        text: "three lines are damaged".to_owned(),
    });
    let report = shown(&analysis);
    assert_eq!(report.matches("FL302").count(), 1, "{report}");
    assert!(report.contains("a.log.gz:1,204: field `dstport`"));
}

#[test]
fn times_outside_the_calendar_do_no_harm() {
    let mut analysis = builder::planted();
    analysis.rejects[0].first_seen = Timestamp(i64::MIN);
    analysis.rejects[0].last_seen = Timestamp(i64::MAX);
    let window = analysis.window.as_mut().unwrap();
    window.start = Timestamp(i64::MIN);
    assert!(shown(&analysis).contains("ANSWER"));
}

#[test]
fn counts_as_large_as_they_can_be_do_no_harm() {
    let mut analysis = builder::planted();
    analysis.ingest.records = u64::MAX;
    analysis.coverage.interface_hours_observed = u64::MAX;
    analysis.verification.broken = u64::MAX;
    analysis.verification.widened = u64::MAX;
    for reject in &mut analysis.rejects {
        reject.records = u64::MAX;
    }
    assert!(shown(&analysis).contains("18,446,744,073,709,551,615 records"));
}

#[test]
fn the_document_survives_its_own_json() {
    for analysis in [builder::planted(), builder::quiet(), hostile()] {
        let bytes = json::to_bytes(&analysis).unwrap();
        let again = json::from_slice(&bytes).unwrap();
        assert_eq!(again, analysis);
        assert_eq!(json::to_bytes(&again).unwrap(), bytes);
    }
}

#[test]
fn too_little_watched_is_doubt_and_not_unused() {
    let unseen = |id: &str| {
        let mut rule = builder::unused(
            builder::rule(id, (22, 22), builder::cidr("10.0.0.0/8")),
            Tier::U0,
        );
        rule.reasons.push("the logs span 3 hours".to_owned());
        rule
    };
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![
        builder::group(builder::WEB, "web", vec![unseen("sgr-1")]),
        builder::group(builder::APP, "app", vec![unseen("sgr-2")]),
    ];
    let report = shown(&analysis);
    assert!(!report.contains("UNUSED RULES") && !report.contains("rules unused"));
    let expected = [
        "IN DOUBT  nothing is claimed of these",
        "  SG101  2 rules without a connection, but cannot tell (U0): the logs span 3 hours",
        "         sgr-1  web: ingress tcp/22 from 10.0.0.0/8",
        "         sgr-2  app: ingress tcp/22 from 10.0.0.0/8",
    ];
    assert_eq!(section(&report, "IN DOUBT"), expected);
    assert!(report.contains("  2 rules undecided  no connection, but too little watched"));
}

#[test]
fn what_holds_for_every_proposal_is_said_once() {
    let mut analysis = builder::planted();
    let mut other = analysis.proposals[0].clone();
    other.direction = Direction::Egress;
    other.reasons = vec!["0.03 % of hours were lost".to_owned()];
    analysis.proposals.push(other);
    let report = shown(&analysis);
    assert_eq!(report.matches("0.03 % of hours were lost").count(), 1);
    assert!(
        report.contains("  for each: 0.03 % of hours were lost\n"),
        "{report}"
    );
}

#[test]
fn a_reason_that_repeats_the_diff_is_left_to_the_whole_report() {
    let mut analysis = builder::planted();
    let reason = "`sgr-0ccccccccccccccc6` (tcp/all from 10.0.0.0/16) needs to allow no more";
    analysis.proposals[0].reasons.push(reason.to_owned());
    assert!(!shown(&analysis).contains("needs to allow no more"));
    let report = text::render(&analysis, full());
    assert!(report.contains("needs to allow no more"), "{report}");
}

#[test]
fn an_explanation_does_not_repeat_its_flow() {
    let mut analysis = builder::quiet();
    let mut reject = builder::reject(5432, "10.0.1.10", RejectVerdict::Misconfiguration);
    reject.text = "request tcp/5432 from 10.0.1.10 denied: no rule allows it".to_owned();
    analysis.rejects = vec![reject];
    let report = shown(&analysis);
    assert!(
        report.contains("\n         denied: no rule allows it\n"),
        "{report}"
    );
}

#[test]
fn a_name_that_two_groups_have_does_not_stand_for_either() {
    let to = |id: &str, group: &str| {
        let peer = Peer::SecurityGroup(SgId::from(group));
        builder::unused(builder::rule(id, (22, 22), peer), Tier::U2)
    };
    let mut analysis = builder::quiet();
    analysis.security_groups = vec![
        builder::group(builder::WEB, "default", vec![to("sgr-1", builder::APP)]),
        builder::group(builder::APP, "default", vec![]),
        builder::group(builder::DB, "db", vec![to("sgr-2", builder::DB)]),
    ];
    let report = shown(&analysis);
    assert!(
        report.contains(&format!("from {}", builder::APP)),
        "{report}"
    );
    assert!(report.contains("from group db"), "{report}");
}

#[test]
fn what_rules_are_by_their_words_has_its_severity_and_id() {
    let open = |id: &str, port| builder::rule(id, (port, port), builder::cidr("0.0.0.0/0"));
    let mut analysis = builder::quiet();
    assert!(!shown(&analysis).contains("BY THEIR WORDS"));
    let rules = vec![open("sgr-1", 5432), open("sgr-2", 22)];
    analysis.security_groups = vec![builder::group(builder::WEB, "web", rules)];
    let report = shown(&analysis);
    assert!(
        report.contains("ANSWER  findings: 1 high, 1 medium; "),
        "{report}"
    );
    let lines = section(&report, "BY THEIR WORDS");
    let first = "  SG107  high: tcp/22 from 0.0.0.0/0 opens SSH (22) to the world; ";
    assert!(lines[1].starts_with(first), "{report}");
    let listed = listing::findings(&analysis);
    let place = format!("         {}/sgr-2  {}  \"web\"", builder::WEB, listed[0].id);
    assert_eq!(lines[2], place, "{report}");
}

#[test]
fn the_full_report_lists_every_finding_with_its_controls() {
    let analysis = builder::planted();
    let listed = listing::findings(&analysis);
    assert!(listed.len() > 4);
    let report = text::render(&analysis, full());
    let lines = section(&report, "FINDINGS");
    assert!(lines[0].starts_with("FINDINGS  "), "{report}");
    for one in &listed {
        let own = |line: &&&str| line.contains(&one.id);
        assert_eq!(lines.iter().filter(own).count(), 1, "{}: {report}", one.id);
    }
    assert!(report.contains("NIST-800-53-r5:AC-6"), "{report}");
}

#[test]
fn the_curve_shows_what_other_numbers_of_rules_would_open() {
    let mut analysis = builder::planted();
    let proposal = &mut analysis.proposals[0];
    let taken = proposal.exposure_after.clone();
    let point = |rules, exposure: &str| CurveReport {
        rules,
        exposure: exposure.to_owned(),
    };
    proposal.curve = vec![point(1, "999999"), point(2, &taken)];
    let report = shown(&analysis);
    let line = report
        .lines()
        .find(|line| line.contains("exposure by number of rules"));
    let line = line.unwrap_or_else(|| panic!("{report}"));
    assert!(line.contains(" for 1, "), "{line}");
    assert!(line.ends_with("for 2 (taken)"), "{line}");
}
