//! From what was needed to prefixes: a million addresses into sixty rules.
//!
//! The twin of a few addresses is held against trying every set of prefixes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use divan::Bencher;
use flowcinch::attribute::needs::Need;
use flowcinch::evidence::activity::History;
use flowcinch::model::Direction;
use flowcinch::model::Effect;
use flowcinch::model::Peer;
use flowcinch::model::SecurityGroup;
use flowcinch::model::SgId;
use flowcinch::model::SgRule;
use flowcinch::model::SgRuleId;
use flowcinch::model::Transport;
use flowcinch::net::AddressSet;
use flowcinch::net::IpProtocol;
use flowcinch::net::PortRange;
use flowcinch::net::Timestamp;
use flowcinch::tighten::Case;
use flowcinch::tighten::Limits;
use flowcinch::tighten::Standing;
use flowcinch::tighten::Watch;
use flowcinch::tighten::plan::Applicability;
use flowcinch::tighten::plan::Proposal;
use flowcinch::tighten::propose;
use flowcinch::tighten::references::References;
use flowcinch::tighten::weight::Vacancy;

/// Distinct addresses of the large case.
const ADDRESSES: u32 = 1_000_000;

const RULE: &str = "sgr-1";

fn group() -> SecurityGroup {
    let rule = SgRule {
        id: SgRuleId::from(RULE),
        direction: Direction::Ingress,
        effect: Effect::Allow,
        priority: None,
        transport: Transport::Tcp(PortRange::single(443)),
        peer: Peer::Cidr("10.0.0.0/8".parse().expect("a prefix")),
        limits: flowcinch::model::Limits::default(),
        description: String::new(),
    };
    SecurityGroup {
        id: SgId::from("sg-1"),
        name: String::new(),
        description: String::new(),
        vpc_id: None,
        owner_id: None,
        tags: BTreeMap::new(),
        policy: flowcinch::model::GroupPolicy::default(),
        rules: vec![rule],
    }
}

fn needs(hosts: impl Iterator<Item = u32>) -> Vec<Need> {
    let hosts: BTreeSet<u32> = hosts.collect();
    let need = |host: u32| Need {
        protocol: IpProtocol::TCP,
        service: PortRange::single(443),
        peer: IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | host)),
        among: None,
        covered_by: vec![SgRuleId::from(RULE)],
        records: 1,
        seen: History::of(Timestamp(0), Timestamp(0)),
        in_doubt: false,
    };
    hosts.into_iter().map(need).collect()
}

/// Hosts spread over the prefix by a multiplier without a common divisor.
fn spread() -> impl Iterator<Item = u32> {
    (0..ADDRESSES).map(|n| n.wrapping_mul(0x009e_3779) & 0x00ff_ffff)
}

fn tightened(needs: &[Need], rule_quota: u32) -> Proposal {
    let group = group();
    let standing = BTreeMap::from([(SgRuleId::from(RULE), Standing::Free)]);
    propose(&Case {
        group: &group,
        direction: Direction::Ingress,
        needs,
        standing: &standing,
        watch: Watch::Enough {
            applicability: Applicability::Apply,
            reasons: Vec::new(),
        },
        prefix_lists: &BTreeMap::new(),
        members: &|_| AddressSet::empty(),
        answered_only: false,
        moving: &BTreeSet::new(),
        references: &References::none(),
        book: None,
        let_out: None,
        among: None,
        vacancy: &Vacancy::none(),
        limits: &Limits {
            rule_quota,
            slack: u32::MAX,
            ..Limits::default()
        },
    })
}

/// Least addresses of at most `most` disjoint prefixes of `1 << bits` hosts
/// from `low` that hold all of `hosts`, by trying all.
fn naive(hosts: &[u32], low: u32, bits: u32, most: usize) -> u128 {
    let own: Vec<u32> = hosts
        .iter()
        .copied()
        .filter(|host| (low..low + (1 << bits)).contains(host))
        .collect();
    match (own.is_empty(), most, bits) {
        (true, _, _) => 0,
        (false, 0, _) => u128::from(u32::MAX),
        _ if own.len() == 1 => 1,
        (false, _, _) => {
            let half = 1 << (bits - 1);
            let parts = (0..=most).map(|lower| {
                naive(&own, low, bits - 1, lower) + naive(&own, low + half, bits - 1, most - lower)
            });
            parts.fold(1 << bits, u128::min)
        }
    }
}

fn assert_exact() {
    let hosts = [0, 6, 17, 21, 28, 31, 64, 77, 78, 130, 201, 255];
    let needs = needs(hosts.into_iter());
    for quota in 1..6 {
        let least = naive(&hosts, 0, 8, quota);
        let found = tightened(&needs, u32::try_from(quota).expect("a small number"));
        assert_eq!(found.exposure_after, least, "{quota} rules");
    }
}

#[divan::bench]
fn million_addresses_into_sixty_rules(bencher: Bencher<'_, '_>) {
    assert_exact();
    let needs = needs(spread());
    assert_eq!(needs.len(), 1_000_000);
    let found = tightened(&needs, 60);
    assert!(found.rules.len() <= 60 && found.exposure_after < found.exposure_before);
    let records: u64 = found.rules.iter().map(|rule| rule.records).sum();
    assert_eq!(records, 1_000_000);
    bencher.bench(|| tightened(&needs, 60));
}

/// A quota far above the cloud's must cost nothing.
#[divan::bench]
fn sixty_thousand_addresses_without_a_quota(bencher: Bencher<'_, '_>) {
    let needs = needs(spread().take(60_000));
    assert_eq!(needs.len(), 60_000);
    let found = tightened(&needs, u32::MAX);
    assert!(found.exposure_after >= 60_000 && found.exposure_after < 70_000);
    let records: u64 = found.rules.iter().map(|rule| rule.records).sum();
    assert_eq!(records, 60_000);
    bencher.bench(|| tightened(&needs, u32::MAX));
}
