//! Proposals against trying everything: on worlds small enough for that, what
//! is proposed opens no more than the best set of rules within the quota.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;

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
use flowcinch::net::PortSet;
use flowcinch::net::Timestamp;
use flowcinch::tighten::Case;
use flowcinch::tighten::Limits;
use flowcinch::tighten::Standing;
use flowcinch::tighten::Watch;
use flowcinch::tighten::plan::Applicability;
use flowcinch::tighten::plan::Decision;
use flowcinch::tighten::plan::Proposal;
use flowcinch::tighten::propose;
use flowcinch::tighten::references::References;
use flowcinch::tighten::weight::Vacancy;
use proptest::prelude::*;

/// Ports and hosts of the small world: a point is `port * hosts + host`.
#[derive(Clone, Copy)]
struct Size {
    ports: u16,
    hosts: u16,
}

impl Size {
    fn bit(self, port: u16, host: u16) -> u64 {
        1 << (port * self.hosts + host)
    }

    fn points(self, mask: u64) -> impl Iterator<Item = (u16, u16)> {
        let all =
            (0..self.ports).flat_map(move |port| (0..self.hosts).map(move |host| (port, host)));
        all.filter(move |(port, host)| mask & self.bit(*port, *host) != 0)
    }

    /// All boxes within a mask.
    fn boxes(self, within: u64) -> Vec<u64> {
        let mut found = Vec::new();
        for from in 0..self.ports {
            for to in from..self.ports {
                let mut width = 1;
                while width <= self.hosts {
                    for low in (0..self.hosts).step_by(usize::from(width)) {
                        let hosts = low..low + width;
                        let points = (from..=to)
                            .flat_map(|port| hosts.clone().map(move |host| (port, host)));
                        let mask = points.fold(0, |mask, (port, host)| mask | self.bit(port, host));
                        if mask & !within == 0 {
                            found.push(mask);
                        }
                    }
                    width *= 2;
                }
            }
        }
        found
    }
}

/// The least union of at most `rules` boxes that holds what is needed, by
/// trying each box that holds the first open point.
fn least(needed: u64, taken: u64, boxes: &[u64], rules: u32) -> Option<u32> {
    let open = needed & !taken;
    if open == 0 {
        return Some(taken.count_ones());
    }
    let first = open & open.wrapping_neg();
    let rest = rules.checked_sub(1)?;
    let over = boxes.iter().filter(|one| **one & first != 0);
    over.filter_map(|one| least(needed, taken | one, boxes, rest))
        .min()
}

fn host(at: u16) -> IpAddr {
    let [_, low] = at.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, low))
}

/// One rule for each point that may be allowed, joined where ports follow.
fn group(size: Size, allowed: u64) -> SecurityGroup {
    let mut rules = Vec::new();
    for at in 0..size.hosts {
        let ports = (0..size.ports).filter(|port| allowed & size.bit(*port, at) != 0);
        let ports: PortSet = ports.map(PortRange::single).collect();
        rules.extend(ports.ranges().iter().map(|range| SgRule {
            id: SgRuleId::from(format!("r-{at:02}-{range}").as_str()),
            direction: Direction::Ingress,
            effect: Effect::Allow,
            priority: None,
            transport: Transport::Tcp(*range),
            peer: Peer::Cidr(host(at).into()),
            limits: flowcinch::model::Limits::default(),
            description: String::new(),
        }));
    }
    SecurityGroup {
        id: SgId::from("sg-1"),
        name: String::new(),
        description: String::new(),
        vpc_id: None,
        owner_id: None,
        tags: BTreeMap::new(),
        policy: flowcinch::model::GroupPolicy::default(),
        rules,
    }
}

fn needs(size: Size, needed: u64, group: &SecurityGroup) -> Vec<Need> {
    let need = |(port, at): (u16, u16)| Need {
        protocol: IpProtocol::TCP,
        service: PortRange::single(port),
        peer: host(at),
        among: None,
        covered_by: group
            .rules
            .iter()
            .filter(|rule| {
                rule.transport.service().contains(port) && rule.peer == Peer::Cidr(host(at).into())
            })
            .map(|rule| rule.id.clone())
            .collect(),
        records: 1,
        seen: once(),
        in_doubt: false,
    };
    size.points(needed).map(need).collect()
}

fn proposed(
    group: &SecurityGroup,
    needs: &[Need],
    limits: &Limits,
    references: &References,
) -> Proposal {
    proposed_beside(&|_| false, group, needs, limits, references)
}

fn proposed_beside(
    held: &dyn Fn(&SgRuleId) -> bool,
    group: &SecurityGroup,
    needs: &[Need],
    limits: &Limits,
    references: &References,
) -> Proposal {
    let rules = group.rules.iter();
    let standing: BTreeMap<SgRuleId, Standing> = rules
        .filter(|rule| !held(&rule.id))
        .map(|rule| (rule.id.clone(), Standing::Free))
        .collect();
    propose(&Case {
        group,
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
        references,
        book: None,
        let_out: None,
        among: None,
        vacancy: &Vacancy::none(),
        limits,
    })
}

/// Every number such that nothing but the volume counts.
fn exact(rule_quota: u32) -> Limits {
    Limits {
        rule_quota,
        slack: u32::MAX,
        rule_worth: 0,
        step_worth: 0,
        ..Limits::default()
    }
}

fn check(size: Size, needed: u64, holes: u64, quota: u32) -> Result<(), TestCaseError> {
    let all = u64::MAX >> (64 - u32::from(size.ports * size.hosts));
    let allowed = (all & !holes) | needed;
    let group = group(size, allowed);
    let needs = needs(size, needed, &group);
    let proposal = proposed(&group, &needs, &exact(quota), &References::none());
    match least(needed, 0, &size.boxes(allowed), quota) {
        Some(least) => {
            prop_assert_eq!(proposal.exposure_after, u128::from(least));
            told_is_true(size, needed, allowed, &proposal)?;
        }
        // Nothing fits: rules that are needed stay, as many as they are.
        None => prop_assert!(proposal.rules.is_empty()),
    }
    Ok(())
}

/// The gap is never smaller than what could be saved, and each point of the
/// curve is the best that its number of rules can do.
fn told_is_true(
    size: Size,
    needed: u64,
    allowed: u64,
    proposal: &Proposal,
) -> Result<(), TestCaseError> {
    let boxes = size.boxes(allowed);
    let best = |rules: u64| least(needed, 0, &boxes, u32::try_from(rules).unwrap());
    if let Some(gap) = proposal.optimality_gap {
        let parts = f64::from(u32::try_from(proposal.exposure_after).unwrap());
        let best = best(proposal.quota_after.v4).map(f64::from);
        prop_assert!(best >= Some(parts * (1.0 - gap) - 1e-9), "{best:?} {gap}");
    }
    for point in &proposal.curve {
        prop_assert_eq!(Some(point.exposure), best(point.rules).map(u128::from));
    }
    // Rules of today that say the same are left, be they more.
    let taken =
        |rules, exposure| rules <= proposal.quota_after.v4 && exposure == proposal.exposure_after;
    let mut points = proposal.curve.iter();
    let has_own = points.any(|point| taken(point.rules, point.exposure));
    prop_assert!(proposal.curve.is_empty() || has_own);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn addresses_meet_the_best_prefixes(needed in 1u64..65_536, holes in any::<u16>(), more in any::<u16>(), quota in 1u32..7) {
        check(Size { ports: 1, hosts: 16 }, needed, u64::from(holes & more), quota)?;
    }

    #[test]
    fn addresses_of_open_ground_meet_the_best_prefixes(needed in 1u64..65_536, quota in 1u32..7) {
        check(Size { ports: 1, hosts: 16 }, needed, 0, quota)?;
    }

    #[test]
    fn ports_meet_the_best_ranges(needed in 1u64..4_096, holes in 0u64..4_096, more in 0u64..4_096, quota in 1u32..6) {
        check(Size { ports: 12, hosts: 1 }, needed, holes & more, quota)?;
    }

    #[test]
    fn boxes_meet_the_best_boxes(
        points in prop::collection::btree_set(0u32..24, 1..9),
        holes in 0u64..1 << 24, more in 0u64..1 << 24, sparse in 0u64..1 << 24, quota in 1u32..7,
    ) {
        let needed = points.iter().fold(0u64, |mask, bit| mask | 1 << bit);
        let quota = quota.min(if points.len() > 5 { 3 } else { 6 });
        check(Size { ports: 3, hosts: 8 }, needed, holes & more & sparse & !needed, quota)?;
    }
}

/// References that each know everybody.
fn knowing(carried: &[(u16, &[&str])]) -> References {
    let groups = |names: &&[&str]| names.iter().map(|name| SgId::from(*name)).collect();
    References {
        carried: carried
            .iter()
            .map(|(at, names)| (host(*at), groups(names)))
            .collect(),
        ..References::none()
    }
}

/// A group with a rule for tcp/443 from each of these groups.
fn referring(names: &[&str]) -> SecurityGroup {
    let mut group = group(Size { ports: 1, hosts: 1 }, 0);
    group.rules.extend(names.iter().map(|name| SgRule {
        id: SgRuleId::from(format!("r-{name}").as_str()),
        direction: Direction::Ingress,
        effect: Effect::Allow,
        priority: None,
        transport: Transport::Tcp(PortRange::single(443)),
        peer: Peer::SecurityGroup(SgId::from(*name)),
        limits: flowcinch::model::Limits::default(),
        description: String::new(),
    }));
    group
}

fn covered(at: u16, names: &[&str]) -> Need {
    Need {
        protocol: IpProtocol::TCP,
        service: PortRange::single(443),
        peer: host(at),
        among: None,
        covered_by: names
            .iter()
            .map(|name| SgRuleId::from(format!("r-{name}").as_str()))
            .collect(),
        records: 1,
        seen: once(),
        in_doubt: false,
    }
}

fn removed(proposal: &Proposal) -> Vec<&str> {
    proposal.remove.iter().map(SgRuleId::as_str).collect()
}

#[test]
fn of_two_references_that_cover_each_other_one_stays() {
    let group = referring(&["sg-a", "sg-b"]);
    let needs = [covered(1, &["sg-a", "sg-b"])];
    let known = knowing(&[(1, &["sg-a", "sg-b"])]);
    let proposal = proposed(&group, &needs, &Limits::default(), &known);
    assert_eq!(proposal.decision, Decision::Tighten);
    assert_eq!(removed(&proposal), ["r-sg-b"]);
    assert_eq!(proposal.keep, [SgRuleId::from("r-sg-a")]);
}

#[test]
fn the_largest_set_of_references_goes() {
    let group = referring(&["sg-a", "sg-b", "sg-c", "sg-d"]);
    let pairs = [["sg-a", "sg-b"], ["sg-b", "sg-c"], ["sg-b", "sg-d"]];
    let needs: Vec<Need> = (1u16..)
        .zip(&pairs)
        .map(|(at, pair)| covered(at, pair))
        .collect();
    let known = knowing(&[(1, &pairs[0]), (2, &pairs[1]), (3, &pairs[2])]);
    let proposal = proposed(&group, &needs, &Limits::default(), &known);
    assert_eq!(removed(&proposal), ["r-sg-a", "r-sg-c", "r-sg-d"]);
}

/// What a held rule lets through is no reason for a reference to stay.
#[test]
fn a_reference_beside_a_held_rule_can_go() {
    let mut group = referring(&["sg-a", "sg-b"]);
    group.rules.push(SgRule {
        id: SgRuleId::from("r-held"),
        peer: Peer::Cidr("192.0.2.1/32".parse().unwrap()),
        ..group.rules[0].clone()
    });
    let needs = [covered(1, &["sg-b", "held"]), covered(2, &["sg-a", "sg-b"])];
    let known = knowing(&[(2, &["sg-a"])]);
    let held = |id: &SgRuleId| id.as_str() == "r-held";
    let proposal = proposed_beside(&held, &group, &needs, &Limits::default(), &known);
    assert_eq!(removed(&proposal), ["r-sg-b"]);
}

#[test]
fn a_reference_that_is_not_sure_to_know_the_peer_replaces_no_other() {
    let group = referring(&["sg-a", "sg-b"]);
    let needs = [covered(1, &["sg-a", "sg-b"])];
    // Nothing is known of the peer, or not the same in every snapshot.
    for known in [References::none(), knowing(&[(1, &[])])] {
        let proposal = proposed(&group, &needs, &Limits::default(), &known);
        assert_eq!(proposal.decision, Decision::Keep);
        assert_eq!(proposal.keep.len(), 2);
    }
}

#[test]
fn addresses_stay_beside_a_reference_that_knew_them_once() {
    let mut group = referring(&["sg-a"]);
    group.rules.push(SgRule {
        id: SgRuleId::from("r-net"),
        peer: Peer::Cidr("192.0.2.0/24".parse().unwrap()),
        ..group.rules[0].clone()
    });
    let needs = [covered(1, &["sg-a", "net"])];
    let gone = proposed(&group, &needs, &Limits::default(), &knowing(&[(1, &[])]));
    assert_eq!(gone.rules.len(), 1, "{gone:?}");
    assert_eq!(
        gone.rules[0].peer,
        Peer::Cidr("192.0.2.1/32".parse().unwrap())
    );
    let known = proposed(
        &group,
        &needs,
        &Limits::default(),
        &knowing(&[(1, &["sg-a"])]),
    );
    assert_eq!(removed(&known), ["r-net"]);
}

fn narrowed(
    transport: Transport,
    net: &str,
    seen: &[(u16, u16)],
    limits: &Limits,
    vacancy: &Vacancy,
) -> Proposal {
    let mut group = group(Size { ports: 1, hosts: 1 }, 0);
    group.rules.push(SgRule {
        id: SgRuleId::from("r"),
        direction: Direction::Ingress,
        effect: Effect::Allow,
        priority: None,
        transport,
        peer: Peer::Cidr(net.parse().unwrap()),
        limits: flowcinch::model::Limits::default(),
        description: String::new(),
    });
    let need = |(port, at): &(u16, u16)| Need {
        protocol: IpProtocol::TCP,
        service: PortRange::single(*port),
        peer: host(*at),
        among: None,
        covered_by: vec![SgRuleId::from("r")],
        records: 1,
        seen: once(),
        in_doubt: false,
    };
    let mut needs: Vec<Need> = seen.iter().map(need).collect();
    needs.sort();
    let standing = BTreeMap::from([(SgRuleId::from("r"), Standing::Free)]);
    propose(&Case {
        group: &group,
        direction: Direction::Ingress,
        needs: &needs,
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
        vacancy,
        let_out: None,
        among: None,
        limits,
    })
}

fn tcp(from: u16, to: u16) -> Transport {
    Transport::Tcp(PortRange::new(from, to).unwrap())
}

fn nets(proposal: &Proposal) -> Vec<String> {
    let rules = proposal.rules.iter();
    rules
        .map(|rule| format!("{} {}", rule.transport, rule.peer))
        .collect()
}

#[test]
fn a_sensitive_port_is_joined_later_than_others() {
    let seen = [(443, 28), (443, 31), (22, 28), (22, 31)];
    let limits = Limits::default();
    let one = narrowed(
        tcp(0, 1_000),
        "192.0.2.0/24",
        &seen,
        &limits,
        &Vacancy::none(),
    );
    assert_eq!(
        nets(&one),
        [
            "tcp/22 192.0.2.28/32",
            "tcp/22 192.0.2.31/32",
            "tcp/443 192.0.2.28/30"
        ]
    );
    let alike = Limits {
        sensitive_weight: 1,
        ..Limits::default()
    };
    let one = narrowed(
        tcp(0, 1_000),
        "192.0.2.0/24",
        &seen,
        &alike,
        &Vacancy::none(),
    );
    assert_eq!(
        nets(&one),
        ["tcp/22 192.0.2.28/30", "tcp/443 192.0.2.28/30"]
    );
}

#[test]
fn addresses_that_nobody_owned_are_cheaper_to_open() {
    // Three of eight: five beside them, or two rules more of four each.
    let seen = [(443, 0), (443, 3), (443, 7)];
    let limits = Limits {
        rule_worth: 2,
        ..Limits::default()
    };
    let apart = narrowed(
        tcp(443, 443),
        "192.0.2.0/24",
        &seen,
        &limits,
        &Vacancy::none(),
    );
    assert!(nets(&apart).len() > 1, "{:?}", nets(&apart));
    let range = ["192.0.2.0/24".parse().unwrap()];
    let owned = [0u16, 3, 7].map(|at| host(at).into());
    let joined = narrowed(
        tcp(443, 443),
        "192.0.2.0/24",
        &seen,
        &limits,
        &Vacancy::new(&range, &owned),
    );
    assert_eq!(nets(&joined), ["tcp/443 192.0.2.0/29"]);
}

#[test]
fn a_subnet_may_be_opened_though_few_of_it_were_seen() {
    let seen = [(443, 1), (443, 14)];
    let range = ["192.0.2.0/24".parse().unwrap()];
    let owned = [1u16, 14].map(|at| host(at).into());
    let vacancy = Vacancy::new(&range, &owned);
    let limits = Limits::default();
    let ports = tcp(443, 443);
    let apart = narrowed(ports, "192.0.2.0/24", &seen, &limits, &vacancy);
    assert_eq!(apart.rules.len(), 2, "two of sixteen are too few");
    let vacancy = vacancy.with_subnets(["192.0.2.0/28".parse().unwrap()].into_iter());
    let joined = narrowed(ports, "192.0.2.0/24", &seen, &limits, &vacancy);
    assert_eq!(nets(&joined), ["tcp/443 192.0.2.0/28"]);
}

#[test]
fn a_change_that_closes_less_than_its_steps_are_worth_is_not_proposed() {
    let seen = [(443, 5)];
    for (worth, expected) in [(0, 1), (1, 1), (2, 0)] {
        let limits = Limits {
            step_worth: worth,
            ..Limits::default()
        };
        let one = narrowed(
            tcp(443, 443),
            "192.0.2.4/31",
            &seen,
            &limits,
            &Vacancy::none(),
        );
        assert_eq!(one.rules.len(), expected, "{worth}");
    }
}

/// Numbers without a pattern, from a multiplier.
fn scattered(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

/// Groups of several services and clients that do not fit their quota: what is
/// found is told to be near the best, and half of them within 5 %.
#[test]
fn the_median_gap_of_groups_that_need_boxes_is_under_five_percent() {
    let mut gaps: Vec<f64> = Vec::new();
    for seed in 1..=24 {
        let mut next = scattered(seed);
        let ports: Vec<u16> = (0..3 + next(9))
            .map(|_| u16::try_from(8_000 + next(40)).unwrap())
            .collect();
        let seen: BTreeSet<(u16, u16)> = (0..12 + next(30))
            .map(|_| {
                let port = ports[usize::try_from(next(ports.len() as u64)).unwrap()];
                (port, u16::try_from(next(250)).unwrap())
            })
            .collect();
        let seen: Vec<(u16, u16)> = seen.into_iter().collect();
        let limits = Limits {
            rule_quota: u32::try_from(3 + next(5)).unwrap(),
            ..Limits::default()
        };
        let one = narrowed(
            tcp(0, 9_000),
            "192.0.2.0/24",
            &seen,
            &limits,
            &Vacancy::none(),
        );
        assert!(one.quota_after.v4 <= u64::from(limits.rule_quota));
        gaps.extend(one.optimality_gap);
    }
    gaps.sort_by(f64::total_cmp);
    assert!(gaps.len() >= 20, "{}", gaps.len());
    let median = gaps[gaps.len() / 2];
    assert!(median < 0.05, "{median}: {gaps:?}");
}

/// Seen in one second.
fn once() -> History {
    History::of(Timestamp(0), Timestamp(0))
}
