//! Analyses made by hand, small and whole, for tests of what shows them.

use std::collections::BTreeMap;

use flowcinch::attribute::verdict::Confidence;
use flowcinch::attribute::verdict::Miss;
use flowcinch::attribute::verdict::NearestRule;
use flowcinch::attribute::verdict::RejectCause;
use flowcinch::attribute::verdict::RejectVerdict;
use flowcinch::attribute::verdict::RuleStatus;
use flowcinch::attribute::verdict::Tier;
use flowcinch::model::Direction;
use flowcinch::model::Effect;
use flowcinch::model::EniId;
use flowcinch::model::Peer;
use flowcinch::model::Provider;
use flowcinch::model::SgId;
use flowcinch::model::SgRuleId;
use flowcinch::net::Span;
use flowcinch::net::Timestamp;
use flowcinch::report::document::Analysis;
use flowcinch::report::document::Caveat;
use flowcinch::report::document::Coverage;
use flowcinch::report::document::GroupReport;
use flowcinch::report::document::GroupVerification;
use flowcinch::report::document::Ingest;
use flowcinch::report::document::MalformedSample;
use flowcinch::report::document::ProposalReport;
use flowcinch::report::document::ProposedRule;
use flowcinch::report::document::RejectReport;
use flowcinch::report::document::RuleReport;
use flowcinch::report::document::SCHEMA;
use flowcinch::report::document::Unreadable;
use flowcinch::report::document::Verification;
use flowcinch::tighten::plan::Applicability;
use flowcinch::tighten::plan::Decision;

/// 2026-10-01T00:00:00Z.
pub(crate) const START: i64 = 1_790_812_800;
const DAY: i64 = 86_400;

/// An analysis of ten groups' worth of nothing: all read, all watched, no rule.
pub(crate) fn quiet() -> Analysis {
    Analysis {
        pseudonymised: false,
        provider: Provider::Aws,
        schema: SCHEMA.to_owned(),
        window: Some(Span {
            start: Timestamp(START),
            end: Timestamp(START + 92 * DAY - 1),
        }),
        ingest: Ingest {
            objects: 672,
            compressed_bytes: 48_200_000,
            text_bytes: 512_000_000,
            records: 1_204_331,
            accepted: 1_180_004,
            rejected: 24_327,
            no_data: 311,
            ..Ingest::default()
        },
        coverage: Coverage {
            interfaces_in_snapshot: 12,
            interfaces_logged: 12,
            interface_hours_observed: 26_496,
            ..Coverage::default()
        },
        caveats: Vec::new(),
        security_groups: Vec::new(),
        rejects: Vec::new(),
        proposals: Vec::new(),
        talks: Vec::new(),
        verification: Verification::default(),
    }
}

/// Seven planted findings and some doubt, as a small sample has them.
pub(crate) fn planted() -> Analysis {
    let mut analysis = quiet();
    analysis.security_groups = vec![web(), app(), db(), old()];
    analysis.proposals = vec![proposal()];
    analysis.rejects = rejects();
    analysis.verification = Verification {
        connections: 8_412,
        witnesses: 8_412,
        unexplained: 3,
        per_group: vec![GroupVerification {
            group_id: SgId::from(DB),
            direction: Direction::Ingress,
            connections: 5_120,
            broken: 0,
            witnesses: 5_120,
            widened: 0,
        }],
        ..Verification::default()
    };
    doubts(&mut analysis);
    analysis
}

/// The same of a cloud whose rules are ranked, closed by a last Drop.
pub(crate) fn ranked(mut analysis: Analysis) -> Analysis {
    analysis.provider = Provider::Alibaba;
    for rule in analysis
        .security_groups
        .iter_mut()
        .flat_map(|group| &mut group.rules)
    {
        rule.priority = Some(1);
    }
    for rule in analysis.proposals.iter_mut().flat_map(|one| &mut one.rules) {
        rule.priority = Some(1);
    }
    for proposal in &mut analysis.proposals {
        proposal.inner_access_policy = Some(Effect::Drop);
        proposal.rules.push(ProposedRule {
            protocol: "all".to_owned(),
            from_port: None,
            to_port: None,
            peer: cidr("0.0.0.0/0"),
            priority: Some(100),
            effect: Effect::Drop,
            replaces: Vec::new(),
            records: 0,
            history: None,
        });
    }
    analysis
}

fn doubts(analysis: &mut Analysis) {
    analysis.ingest.malformed = 3;
    analysis.ingest.skip_data = 14;
    analysis.ingest.malformed_samples = vec![MalformedSample {
        object: "logs/2026/10/07/a.log.gz".to_owned(),
        line: 1_204,
        byte: 131_072,
        reason: "field `dstport` is not a port: `99999`".to_owned(),
    }];
    analysis.coverage.interfaces_logged = 11;
    analysis.coverage.interface_hours_lost = 9;
    analysis.coverage.unknown_interfaces = vec![eni("eni-0ddddddddddddddd1")];
    analysis.coverage.unlogged_interfaces = vec![eni("eni-0ddddddddddddddd2")];
    analysis.coverage.unresolved = BTreeMap::from([("no_interface".to_owned(), 412)]);
    analysis.caveats = vec![Caveat {
        code: "SN107".to_owned(),
        text: "the snapshot is undated and stands for the whole window".to_owned(),
    }];
}

/// Adds an object that could not be read.
pub(crate) fn with_unreadable(mut analysis: Analysis) -> Analysis {
    analysis.ingest.unreadable = vec![Unreadable {
        object: "logs/2026/10/09/b.log.gz".to_owned(),
        reason: "unexpected end of gzip data".to_owned(),
    }];
    analysis
}

pub(crate) const WEB: &str = "sg-0aaaaaaaaaaaaaaa1";
pub(crate) const APP: &str = "sg-0aaaaaaaaaaaaaaa2";
pub(crate) const DB: &str = "sg-0aaaaaaaaaaaaaaa3";
pub(crate) const OLD: &str = "sg-0aaaaaaaaaaaaaaa4";

pub(crate) fn eni(text: &str) -> EniId {
    EniId::parse(text).unwrap()
}

/// A group with one watched interface.
pub(crate) fn group(id: &str, name: &str, rules: Vec<RuleReport>) -> GroupReport {
    GroupReport {
        without_rule: Vec::new(),
        group_id: SgId::from(id),
        group_name: name.to_owned(),
        vpc_id: Some("vpc-0bbbbbbbbbbbbbbb1".to_owned()),
        account_id: Some("123456789012".to_owned()),
        interfaces: 4,
        interfaces_logged: 4,
        rules,
    }
}

/// A used TCP rule of ingress.
pub(crate) fn rule(id: &str, ports: (i32, i32), peer: Peer) -> RuleReport {
    RuleReport {
        rule_id: SgRuleId::from(id),
        direction: Direction::Ingress,
        effect: Effect::Allow,
        priority: None,
        limited: false,
        protocol: "tcp".to_owned(),
        from_port: Some(ports.0),
        to_port: Some(ports.1),
        peer,
        description: String::new(),
        status: RuleStatus::Used,
        tier: None,
        confidence: Confidence::High,
        reasons: Vec::new(),
        records: 1_204,
        packets: 14_448,
        bytes: 1_733_760,
        sole_records: 1_204,
        first_seen: Some(Timestamp(START)),
        last_seen: Some(Timestamp(START + 91 * DAY)),
        history: None,
        season: None,
        also_allowed_by: Vec::new(),
        codes: Vec::new(),
    }
}

/// The rule, unused with this strength.
pub(crate) fn unused(rule: RuleReport, tier: Tier) -> RuleReport {
    RuleReport {
        status: RuleStatus::Unused,
        tier: Some(tier),
        reasons: vec![
            "no use in 92 days".to_owned(),
            "99.96 % of hours watched, 0.03 % lost".to_owned(),
        ],
        records: 0,
        packets: 0,
        bytes: 0,
        sole_records: 0,
        first_seen: None,
        last_seen: None,
        ..rule
    }
}

pub(crate) fn cidr(text: &str) -> Peer {
    Peer::Cidr(text.parse().unwrap())
}

fn web() -> GroupReport {
    let described = RuleReport {
        description: "old admin console".to_owned(),
        ..rule("sgr-0ccccccccccccccc2", (8080, 8080), cidr("10.0.0.0/8"))
    };
    let redundant = RuleReport {
        status: RuleStatus::Redundant,
        sole_records: 0,
        also_allowed_by: vec![SgRuleId::from("sgr-0ccccccccccccccc1")],
        ..rule("sgr-0ccccccccccccccc3", (443, 443), cidr("198.51.100.0/24"))
    };
    group(
        WEB,
        "web",
        vec![
            rule("sgr-0ccccccccccccccc1", (443, 443), cidr("0.0.0.0/0")),
            unused(described, Tier::U3),
            redundant,
        ],
    )
}

fn app() -> GroupReport {
    let resolver = RuleReport {
        direction: Direction::Egress,
        protocol: "udp".to_owned(),
        status: RuleStatus::NoEffect,
        reasons: vec!["the VPC resolver cannot be filtered by security groups".to_owned()],
        ..rule("sgr-0ccccccccccccccc5", (53, 53), cidr("10.0.0.2/32"))
    };
    let weak = rule(
        "sgr-0ccccccccccccccc4",
        (3121, 3121),
        Peer::SecurityGroup(SgId::from(APP)),
    );
    group(APP, "app", vec![unused(weak, Tier::U1), resolver])
}

fn db() -> GroupReport {
    group(
        DB,
        "db",
        vec![
            rule("sgr-0ccccccccccccccc6", (0, 65_535), cidr("10.0.0.0/16")),
            rule(
                "sgr-0ccccccccccccccc7",
                (22, 22),
                Peer::SecurityGroup(SgId::from(OLD)),
            ),
        ],
    )
}

fn old() -> GroupReport {
    let unobservable = RuleReport {
        status: RuleStatus::Unobservable,
        ..rule("sgr-0ccccccccccccccc8", (22, 22), cidr("192.0.2.0/24"))
    };
    GroupReport {
        interfaces: 0,
        interfaces_logged: 0,
        ..group(OLD, "old-bastion", vec![unobservable])
    }
}

fn proposal() -> ProposalReport {
    ProposalReport {
        group_id: SgId::from(DB),
        direction: Direction::Ingress,
        decision: Decision::Tighten,
        applicability: Applicability::Review,
        reasons: vec![
            "only tcp/5432 from 2 members of app was seen in 92 days".to_owned(),
            "0.03 % of hours were lost".to_owned(),
        ],
        inner_access_policy: None,
        rules: vec![ProposedRule {
            protocol: "tcp".to_owned(),
            from_port: Some(5432),
            to_port: Some(5432),
            peer: Peer::SecurityGroup(SgId::from(APP)),
            priority: None,
            effect: Effect::Allow,
            replaces: vec![SgRuleId::from("sgr-0ccccccccccccccc6")],
            records: 5_120,
            history: None,
        }],
        keep: vec![SgRuleId::from("sgr-0ccccccccccccccc7")],
        remove: Vec::new(),
        exposure_before: "4295032832".to_owned(),
        exposure_after: "3".to_owned(),
        quota_before: 2,
        quota_after: 2,
        optimality_gap: Some(0.0),
        curve: Vec::new(),
        rollout: None,
        backtest: None,
    }
}

/// A REJECT that looks wanted, of one flow into the database.
pub(crate) fn reject(port: u16, peer: &str, verdict: RejectVerdict) -> RejectReport {
    RejectReport {
        interface_id: eni("eni-0ddddddddddddddd3"),
        group_ids: vec![SgId::from(DB)],
        direction: Direction::Ingress,
        protocol: "tcp".to_owned(),
        port: Some(port),
        peer: peer.to_owned(),
        peers: Some(1),
        peer_groups: Vec::new(),
        reply: false,
        cause: RejectCause::SecurityGroup,
        records: 288,
        packets: 864,
        bytes: 51_840,
        first_seen: Timestamp(START + 80 * DAY),
        last_seen: Timestamp(START + 91 * DAY),
        nearest: Vec::new(),
        verdict,
        text: String::new(),
        fix: None,
        dropped_by: Vec::new(),
    }
}

fn rejects() -> Vec<RejectReport> {
    let wanted = RejectReport {
        peer_groups: vec![SgId::from(WEB)],
        nearest: vec![NearestRule {
            rule_id: SgRuleId::from("sgr-0ccccccccccccccc7"),
            misses: vec![Miss::Port, Miss::Peer],
        }],
        text: "a member of web asks for tcp/5433 every 5 minutes and is never let in".to_owned(),
        ..reject(5433, "10.0.1.10", RejectVerdict::Misconfiguration)
    };
    let reply = RejectReport {
        reply: true,
        direction: Direction::Egress,
        cause: RejectCause::NetworkAcl,
        text: "the outbound ACL of the subnet denies the client's ephemeral ports".to_owned(),
        records: 96,
        ..reject(443, "203.0.113.12", RejectVerdict::Misconfiguration)
    };
    let unclear = RejectReport {
        cause: RejectCause::Unexplained,
        records: 4,
        text: "today's rules would let it through; most likely packets after the end".to_owned(),
        ..reject(443, "198.51.100.77", RejectVerdict::Unclear)
    };
    let mut rejects = vec![wanted, reply, unclear];
    for host in 1..=40u8 {
        let port = if host % 3 == 0 { 22 } else { 23 };
        rejects.push(reject(
            port,
            &format!("192.0.2.{host}"),
            RejectVerdict::Noise,
        ));
    }
    rejects
}
