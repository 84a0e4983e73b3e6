//! Proposals by scenario and by law. Rules are tried packet by packet on a
//! small universe, beside the proof, so that a mistake in either shows.

mod rollout;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use flowcinch::attribute::needs::Need;
use flowcinch::attribute::needs::Passed;
use flowcinch::attribute::needs::RuleRef;
use flowcinch::evidence::activity::History;
use flowcinch::model::Direction;
use flowcinch::model::Effect;
use flowcinch::model::EniId;
use flowcinch::model::Peer;
use flowcinch::model::PrefixList;
use flowcinch::model::PrefixListId;
use flowcinch::model::SecurityGroup;
use flowcinch::model::SgId;
use flowcinch::model::SgRule;
use flowcinch::model::SgRuleId;
use flowcinch::model::Transport;
use flowcinch::model::sg::IcmpTypeCode;
use flowcinch::net::AddressSet;
use flowcinch::net::IpProtocol;
use flowcinch::net::PortRange;
use flowcinch::net::Timestamp;
use flowcinch::tighten::Case;
use flowcinch::tighten::Limits;
use flowcinch::tighten::Standing;
use flowcinch::tighten::Watch;
use flowcinch::tighten::plan::Applicability;
use flowcinch::tighten::plan::Decision;
use flowcinch::tighten::plan::PlannedRule;
use flowcinch::tighten::plan::Proposal;
use flowcinch::tighten::proof;
use flowcinch::tighten::proof::ranked;
use flowcinch::tighten::propose;
use flowcinch::tighten::proven;
use flowcinch::tighten::references::References;
use flowcinch::tighten::weight::Vacancy;
use proptest::prelude::*;

/// Something seen: protocol, service, peer.
type Seen = (IpProtocol, PortRange, IpAddr);

fn transport(text: &str) -> Transport {
    let mut parts = text.split(['/', '-']);
    let name = parts.next().unwrap();
    let numbers: Vec<u16> = parts.map(|part| part.parse().unwrap()).collect();
    let ports = match numbers.as_slice() {
        [] => PortRange::ALL,
        [port] => PortRange::single(*port),
        [from, to, ..] => PortRange::new(*from, *to).unwrap(),
    };
    match name {
        "all" => Transport::All,
        "tcp" => Transport::Tcp(ports),
        "udp" => Transport::Udp(ports),
        "icmp" if numbers.is_empty() => Transport::Icmp(IcmpTypeCode::Any),
        "icmp" => Transport::Icmp(IcmpTypeCode::Type(u8::try_from(numbers[0]).unwrap())),
        "icmpv6" => Transport::Icmpv6(IcmpTypeCode::Any),
        number => Transport::Other(IpProtocol(number.parse().unwrap())),
    }
}

fn peer(text: &str) -> Peer {
    if text.starts_with("pl-") {
        return Peer::PrefixList(PrefixListId::from(text));
    }
    let group = || Peer::SecurityGroup(SgId::from(text));
    text.parse().map_or_else(|_| group(), Peer::Cidr)
}

fn rule(id: &str, what: &str, whom: &str) -> SgRule {
    SgRule {
        id: SgRuleId::from(id),
        direction: Direction::Ingress,
        effect: Effect::Allow,
        priority: None,
        transport: transport(what),
        peer: peer(whom),
        limits: flowcinch::model::Limits::default(),
        description: String::new(),
    }
}

fn group(rules: Vec<SgRule>) -> SecurityGroup {
    SecurityGroup {
        id: SgId::from("sg-1"),
        name: "one".to_owned(),
        description: String::new(),
        vpc_id: None,
        owner_id: None,
        tags: BTreeMap::new(),
        policy: flowcinch::model::GroupPolicy::default(),
        rules,
    }
}

fn seen(what: &str, whom: &str) -> Seen {
    let transport = transport(what);
    let protocol = transport.protocol().unwrap();
    (protocol, transport.service(), whom.parse().unwrap())
}

/// Members of a group in the small world: `sg-a` has the odd addresses,
/// others those that divide by four.
fn members(group: &SgId) -> AddressSet {
    let mine = |host: &u8| match group.as_str() {
        "sg-a" => host % 2 == 1,
        _ => host.is_multiple_of(4),
    };
    let hosts = (0..=255u8).filter(mine);
    hosts
        .map(|host| IpAddr::V4(Ipv4Addr::new(198, 51, 100, host)).into())
        .collect()
}

fn admits(rule: &SgRule, address: IpAddr) -> bool {
    match &rule.peer {
        Peer::Cidr(net) => net.contains(&address),
        Peer::SecurityGroup(id) => members(id).contains(address),
        // The one list of the small world holds it all.
        Peer::PrefixList(_) => true,
    }
}

/// Needs of what was seen, as attribution would give them.
fn needs(group: &SecurityGroup, seen: &[Seen]) -> Vec<Need> {
    let mut needs: Vec<Need> = seen
        .iter()
        .map(|&(protocol, service, peer)| {
            let covers = |rule: &&SgRule| {
                rule.transport.has_protocol(protocol)
                    && rule.transport.service().overlaps(service)
                    && admits(rule, peer)
            };
            let covering = group.rules.iter().filter(covers);
            Need {
                protocol,
                service,
                peer,
                among: None,
                covered_by: covering.map(|rule| rule.id.clone()).collect(),
                records: 1,
                seen: once(),
                in_doubt: false,
            }
        })
        .filter(|need| !need.covered_by.is_empty())
        .collect();
    needs.sort();
    needs.dedup();
    needs
}

#[derive(Debug)]
struct World {
    group: SecurityGroup,
    seen: Vec<Seen>,
    held: Vec<SgRuleId>,
    limits: Limits,
    lists: BTreeMap<PrefixListId, PrefixList>,
}

impl World {
    fn new(rules: Vec<SgRule>, seen: Vec<Seen>) -> World {
        World {
            group: group(rules),
            seen,
            held: Vec::new(),
            limits: Limits::default(),
            lists: BTreeMap::new(),
        }
    }

    fn standing(&self) -> BTreeMap<SgRuleId, Standing> {
        let of = |rule: &SgRule| {
            if self.held.contains(&rule.id) {
                Standing::Hold("is in use elsewhere".to_owned())
            } else {
                Standing::Free
            }
        };
        let rules = self.group.rules.iter();
        rules.map(|rule| (rule.id.clone(), of(rule))).collect()
    }

    fn needs(&self) -> Vec<Need> {
        needs(&self.group, &self.seen)
    }

    fn ask<T>(&self, watch: Watch, ask: impl Fn(&Case<'_>) -> T) -> T {
        ask(&Case {
            group: &self.group,
            direction: Direction::Ingress,
            needs: &self.needs(),
            standing: &self.standing(),
            watch,
            prefix_lists: &self.lists,
            members: &members,
            moving: &BTreeSet::new(),
            answered_only: false,
            references: &References::none(),
            book: None,
            let_out: None,
            among: None,
            vacancy: &Vacancy::none(),
            limits: &self.limits,
        })
    }

    fn propose(&self) -> Proposal {
        let watch = Watch::Enough {
            applicability: Applicability::Apply,
            reasons: Vec::new(),
        };
        self.ask(watch, propose)
    }

    fn proof(&self, proposal: &Proposal) -> proof::Proof {
        proof::check(&self.group, proposal, &self.needs())
    }

    /// The world after the proposal, its rules under new ids.
    fn after(&self, proposal: &Proposal) -> World {
        let kept = self.group.rules.iter();
        let mut rules: Vec<SgRule> = kept
            .filter(|rule| proposal.keep.contains(&rule.id))
            .cloned()
            .collect();
        for (at, planned) in proposal.rules.iter().enumerate() {
            rules.push(SgRule {
                transport: planned.transport,
                peer: planned.peer.clone(),
                ..rule(&format!("new-{at}"), "all", "sg-x")
            });
        }
        World {
            group: group(rules),
            seen: self.seen.clone(),
            held: self.held.clone(),
            limits: self.limits.clone(),
            lists: self.lists.clone(),
        }
    }
}

/// `transport peer <- ids` of each planned rule.
fn planned(proposal: &Proposal) -> Vec<String> {
    let show = |rule: &PlannedRule| {
        let ids: Vec<&str> = rule.replaces.iter().map(SgRuleId::as_str).collect();
        format!("{} {} <- {}", rule.transport, rule.peer, ids.join(" "))
    };
    proposal.rules.iter().map(show).collect()
}

fn ids(ids: &[SgRuleId]) -> Vec<&str> {
    ids.iter().map(SgRuleId::as_str).collect()
}

#[test]
fn a_wide_rule_narrows_to_the_one_client_and_keeps_its_id() {
    let world = World::new(
        vec![rule("r1", "tcp/5432", "10.0.0.0/16")],
        vec![seen("tcp/5432", "10.0.2.20")],
    );
    let proposal = world.propose();
    assert_eq!(proposal.decision, Decision::Tighten);
    assert_eq!(planned(&proposal), ["tcp/5432 10.0.2.20/32 <- r1"]);
    assert_eq!(
        (proposal.exposure_before, proposal.exposure_after),
        (65_536, 1)
    );
    assert_eq!(proposal.rules[0].records, 1);
    assert!(world.proof(&proposal).holds());
}

#[test]
fn a_group_reference_never_becomes_addresses() {
    let world = World::new(
        vec![rule("r1", "tcp/5432", "sg-a")],
        vec![seen("tcp/5432", "198.51.100.21")],
    );
    let proposal = world.propose();
    assert_eq!(proposal.decision, Decision::Keep);
    assert_eq!(ids(&proposal.keep), ["r1"]);
    assert_eq!(proposal.exposure_after, 128);
}

fn halves(quota: u32) -> World {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/5432", "10.0.0.0/25"),
            rule("r2", "tcp/5432", "10.0.0.128/25"),
        ],
        vec![
            seen("tcp/5432", "10.0.0.100"),
            seen("tcp/5432", "10.0.0.130"),
        ],
    );
    world.limits.rule_quota = quota;
    world
}

#[test]
fn a_quota_of_one_takes_the_prefix_that_two_rules_hold_together() {
    assert_eq!(
        planned(&halves(1).propose()),
        ["tcp/5432 10.0.0.0/24 <- r1 r2"]
    );
    assert_eq!(
        planned(&halves(60).propose()),
        [
            "tcp/5432 10.0.0.100/32 <- r1",
            "tcp/5432 10.0.0.130/32 <- r2"
        ]
    );
}

#[test]
fn a_quota_of_three_takes_the_least_volume() {
    let peers = ["0", "6", "17", "21", "28", "31"];
    let seen = peers.map(|host| seen("tcp/443", &format!("192.0.2.{host}")));
    let mut world = World::new(vec![rule("r1", "tcp/443", "192.0.2.0/27")], seen.to_vec());
    world.limits.rule_quota = 3;
    world.limits.rule_worth = 0;
    let proposal = world.propose();
    assert_eq!(proposal.exposure_after, 18);
    assert_eq!(proposal.quota_after.v4, 3);
}

#[test]
fn ports_with_the_same_clients_become_ranges_and_the_holes_stay_closed() {
    let world = World::new(
        vec![rule("r1", "tcp/8000-8100", "10.0.0.0/16")],
        vec![
            seen("tcp/8000", "10.0.2.20"),
            seen("tcp/8001", "10.0.2.20"),
            seen("tcp/8100", "10.0.1.10"),
        ],
    );
    assert_eq!(
        planned(&world.propose()),
        [
            "tcp/8000-8001 10.0.2.20/32 <- r1",
            "tcp/8100 10.0.1.10/32 <- r1"
        ]
    );
}

#[test]
fn each_group_of_an_interface_keeps_what_it_allowed() {
    let world = |id: &str, whom: &str| {
        World::new(
            vec![rule(id, "tcp/443", whom)],
            vec![seen("tcp/443", "198.51.100.9")],
        )
    };
    for (id, whom) in [("ra", "0.0.0.0/0"), ("rb", "198.51.100.0/24")] {
        let expected = format!("tcp/443 198.51.100.9/32 <- {id}");
        assert_eq!(planned(&world(id, whom).propose()), [expected]);
    }
}

#[test]
fn all_protocols_from_a_group_narrow_to_those_seen_from_the_group() {
    let world = World::new(
        vec![rule("r1", "all", "sg-a")],
        vec![
            seen("tcp/443", "198.51.100.1"),
            seen("icmp", "198.51.100.3"),
        ],
    );
    assert_eq!(
        planned(&world.propose()),
        ["tcp/443 sg-a <- r1", "icmp sg-a <- r1"]
    );
}

#[test]
fn a_public_service_keeps_its_prefix_and_loses_its_other_ports() {
    let clients = (0..3_000u32).map(|n| Ipv4Addr::from_bits(0x2000_0000 + n * 77_777));
    let seen = clients.map(|ip| (IpProtocol::TCP, PortRange::single(443), IpAddr::V4(ip)));
    let world = World::new(vec![rule("r1", "all", "0.0.0.0/0")], seen.collect());
    let proposal = world.propose();
    assert_eq!(planned(&proposal), ["tcp/443 0.0.0.0/0 <- r1"]);
    let told = proposal.reasons.iter();
    assert!(
        told.clone()
            .any(|reason| reason.starts_with("public service: 3,000 "))
    );
    assert_eq!(proposal.rules[0].records, 3_000);
}

/// Public services are a matter of taste, not of distance from the best, also
/// where two of them became one rule.
#[test]
fn neighbouring_public_services_count_for_no_gap() {
    let client = |port: u16, n: u32| {
        let address = Ipv4Addr::from_bits(0x2000_0000 + u32::from(port) + n * 77_777);
        (
            IpProtocol::TCP,
            PortRange::single(port),
            IpAddr::V4(address),
        )
    };
    let seen = [8_000, 8_001].into_iter();
    let seen = seen.flat_map(|port| (0..50).map(move |n| client(port, n)));
    let world = World::new(vec![rule("r1", "all", "0.0.0.0/0")], seen.collect());
    let proposal = world.propose();
    assert_eq!(planned(&proposal), ["tcp/8000-8001 0.0.0.0/0 <- r1"]);
    assert_eq!(proposal.optimality_gap, Some(0.0));
}

/// A rule that is not worth narrowing opens more than it must, and the gap
/// says so.
#[test]
fn what_is_not_worth_a_change_is_part_of_the_gap() {
    let world = World::new(
        vec![
            rule("r1", "tcp/80", "10.0.0.0/8"),
            rule("r2", "tcp/90", "10.0.0.2/31"),
        ],
        vec![seen("tcp/80", "10.0.0.1"), seen("tcp/90", "10.0.0.2")],
    );
    let mut world = world;
    world.limits.step_worth = 2;
    let proposal = world.propose();
    assert_eq!(ids(&proposal.keep), ["r2"]);
    assert_eq!(proposal.optimality_gap, Some(0.3334));
}

#[test]
fn icmp_keeps_its_type_because_no_log_tells_it() {
    let world = World::new(
        vec![
            rule("r1", "icmp/8", "10.0.0.0/8"),
            rule("r2", "icmp/3", "10.0.0.0/8"),
        ],
        vec![seen("icmp", "10.0.0.1")],
    );
    assert_eq!(
        planned(&world.propose()),
        ["icmp/3 10.0.0.1/32 <- r2", "icmp/8 10.0.0.1/32 <- r1"]
    );
}

#[test]
fn a_held_rule_stays_and_answers_for_what_it_covers() {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/443", "10.0.0.0/8"),
            rule("r2", "tcp/443", "10.0.0.0/16"),
        ],
        vec![seen("tcp/443", "10.0.0.1")],
    );
    world.held.push(SgRuleId::from("r1"));
    let proposal = world.propose();
    assert_eq!(
        (ids(&proposal.keep), ids(&proposal.remove)),
        (vec!["r1"], vec!["r2"])
    );
    assert!(proposal.rules.is_empty());
}

#[test]
fn a_port_that_a_reference_lacks_stays_on_addresses() {
    let range = (
        IpProtocol::TCP,
        PortRange::spanning(80, 90),
        "198.51.100.1".parse().unwrap(),
    );
    let world = World::new(
        vec![
            rule("r1", "tcp/80-85", "sg-a"),
            rule("r2", "tcp/80-90", "198.51.100.0/24"),
        ],
        vec![range],
    );
    let proposal = world.propose();
    assert_eq!(ids(&proposal.keep), ["r1"]);
    assert_eq!(planned(&proposal), ["tcp/86-90 198.51.100.1/32 <- r2"]);
}

#[test]
fn rules_that_say_together_what_is_needed_are_left_alone() {
    let world = World::new(
        vec![
            rule("r1", "tcp/80", "10.0.0.1/32"),
            rule("r2", "tcp/81", "10.0.0.1/32"),
        ],
        vec![seen("tcp/80", "10.0.0.1"), seen("tcp/81", "10.0.0.1")],
    );
    let proposal = world.propose();
    assert_eq!(proposal.decision, Decision::Keep);
    assert_eq!(ids(&proposal.keep), ["r1", "r2"]);
}

#[test]
fn where_nothing_fits_the_quota_rules_stay_and_the_report_says_so() {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/80", "10.0.0.0/24"),
            rule("r2", "udp/80", "10.0.0.0/24"),
        ],
        vec![seen("tcp/80", "10.0.0.1"), seen("udp/80", "10.0.0.1")],
    );
    world.limits.rule_quota = 1;
    let proposal = world.propose();
    assert_eq!(proposal.decision, Decision::Keep);
    assert_eq!(
        proposal.reasons,
        ["no tightening within the quota of 1 rules"]
    );
}

#[test]
fn references_bridge_port_gaps_where_the_quota_leaves_no_other_way() {
    let mut world = World::new(
        vec![rule("r1", "tcp/80-443", "sg-a")],
        vec![
            seen("tcp/80", "198.51.100.1"),
            seen("tcp/82", "198.51.100.1"),
            seen("tcp/443", "198.51.100.1"),
        ],
    );
    world.limits.rule_quota = 2;
    assert_eq!(
        planned(&world.propose()),
        ["tcp/80-82 sg-a <- r1", "tcp/443 sg-a <- r1"]
    );
}

#[test]
fn a_prefix_list_stays_a_list_and_counts_by_its_weight() {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/80-90", "pl-1"),
            rule("r2", "tcp/22", "10.0.0.0/8"),
        ],
        vec![
            seen("tcp/80", "198.51.100.1"),
            seen("tcp/82", "198.51.100.1"),
        ],
    );
    let unknown = "what `pl-1` counts in the quota is not known; it is counted as 1";
    assert!(
        world
            .propose()
            .reasons
            .iter()
            .any(|reason| reason == unknown)
    );
    let id = PrefixListId::from("pl-1");
    let list = PrefixList {
        id: id.clone(),
        name: "offices".to_owned(),
        aws_managed: false,
        max_entries: Some(40),
        entries: Some(vec!["198.51.100.0/24".parse().unwrap()]),
    };
    world.lists.insert(id, list);
    let proposal = world.propose();
    // Two rules of 40 would not fit into 60.
    assert_eq!(planned(&proposal), ["tcp/80-82 pl-1 <- r1"]);
    assert_eq!(
        (proposal.quota_before.v4, proposal.quota_after.v4),
        (41, 40)
    );
    assert_eq!(ids(&proposal.remove), ["r2"]);
    assert_eq!(proposal.exposure_after, 3 * 256);
    assert!(world.proof(&proposal).holds());
}

#[test]
fn a_proposal_that_fails_its_proof_is_not_shown() {
    let world = World::new(vec![rule("r1", "tcp/80", "10.0.0.0/24")], Vec::new());
    // The rule does not admit this address: whoever says so is wrong, and the
    // proof, which trusts nobody, must not let it pass.
    let need = Need {
        protocol: IpProtocol::TCP,
        service: PortRange::single(80),
        peer: "192.0.2.1".parse().unwrap(),
        among: None,
        covered_by: vec![SgRuleId::from("r1")],
        records: 1,
        seen: once(),
        in_doubt: false,
    };
    let watch = Watch::Enough {
        applicability: Applicability::Apply,
        reasons: Vec::new(),
    };
    let proven = world.ask(watch, |case| {
        proven(&Case {
            needs: std::slice::from_ref(&need),
            watch: case.watch.clone(),
            ..*case
        })
    });
    assert_eq!(proven.proof.broken.len(), 1);
    assert_eq!(ids(&proven.failed.unwrap().remove), ["r1"]);
    assert_eq!(ids(&proven.proposal.keep), ["r1"]);
    assert_eq!(proven.proposal.decision, Decision::Keep);
}

#[test]
fn a_group_that_was_not_watched_is_not_judged() {
    let world = World::new(vec![rule("r1", "all", "0.0.0.0/0")], Vec::new());
    let why = vec!["no record of its interfaces".to_owned()];
    let proposal = world.ask(Watch::Insufficient(why.clone()), propose);
    assert_eq!(proposal.decision, Decision::InsufficientEvidence);
    assert_eq!((ids(&proposal.keep), proposal.reasons), (vec!["r1"], why));
}

#[test]
fn narrowing_an_untracked_rule_asks_for_a_review() {
    let mut world = World::new(
        vec![rule("r1", "tcp/22", "0.0.0.0/0")],
        vec![seen("tcp/22", "192.0.2.1")],
    );
    assert_eq!(world.propose().applicability, Applicability::Apply);
    world.group.rules.push(SgRule {
        direction: Direction::Egress,
        ..rule("e0", "all", "0.0.0.0/0")
    });
    assert_eq!(world.propose().applicability, Applicability::Review);
}

/// An Accept of rank 7, and a Drop of rank 3.
fn among_ranks() -> World {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/1-1000", "10.0.0.0/8"),
            rule("r2", "tcp/22", "0.0.0.0/0"),
        ],
        vec![seen("tcp/443", "10.1.1.1")],
    );
    let rules = &mut world.group.rules;
    (rules[0].priority, rules[1].priority) = (Some(7), Some(3));
    rules[1].effect = Effect::Drop;
    world
}

#[test]
fn what_stands_in_for_a_rule_keeps_its_rank_and_drops_stay() {
    let proposal = among_ranks().propose();
    assert_eq!(proposal.decision, Decision::Tighten);
    let [narrow] = &proposal.rules[..] else {
        panic!("{:?}", proposal.rules)
    };
    assert_eq!(narrow.priority, Some(7));
    assert_eq!(narrow.transport, transport("tcp/443"));
    assert_eq!(proposal.keep, [SgRuleId::from("r2")]);
    assert!(proposal.remove.is_empty());
    assert!(ranked::check(&among_ranks().group, &proposal, &[], None).holds());
}

#[test]
fn the_proof_finds_a_stronger_rank_a_wider_box_and_a_lost_drop() {
    let world = among_ranks();
    let sound = world.propose();
    let spoilt = |spoil: &dyn Fn(&mut Proposal)| {
        let mut proposal = sound.clone();
        spoil(&mut proposal);
        ranked::check(&world.group, &proposal, &[], None)
    };
    let stronger = spoilt(&|proposal| proposal.rules[0].priority = Some(6));
    assert_eq!(stronger.widened.len(), 1);
    let wider = spoilt(&|proposal| proposal.rules[0].peer = peer("0.0.0.0/0"));
    assert_eq!(wider.widened.len(), 1);
    let lost = spoilt(&|proposal| {
        proposal.keep.clear();
        proposal.remove = vec![SgRuleId::from("r2")];
    });
    assert_eq!(lost.misfiled, [SgRuleId::from("r2")]);
}

/// A proposal that narrows `r1` to two clients, to be spoilt.
fn sound() -> (World, Proposal) {
    let world = World::new(
        vec![
            rule("r1", "tcp/80-90", "10.0.0.0/24"),
            rule("r2", "tcp/80", "sg-a"),
        ],
        vec![
            seen("tcp/80", "10.0.0.1"),
            seen("tcp/90", "10.0.0.9"),
            seen("tcp/80", "198.51.100.1"),
        ],
    );
    let proposal = world.propose();
    assert!(world.proof(&proposal).holds());
    assert_eq!(proposal.rules.len(), 2);
    (world, proposal)
}

#[test]
fn the_proof_finds_a_port_that_was_lost() {
    let (world, mut proposal) = sound();
    proposal.rules[1].transport = transport("tcp/89");
    let proof = world.proof(&proposal);
    assert_eq!(proof.broken.len(), 1);
    assert_eq!(proof.broken[0].rule_id.as_str(), "r1");
    assert_eq!(proof.broken[0].service, PortRange::single(90));
    assert_eq!(proof.witnesses, 2);
}

#[test]
fn the_proof_finds_a_prefix_that_is_too_wide() {
    let (world, mut proposal) = sound();
    proposal.rules[0].peer = peer("10.0.0.0/23");
    let proof = world.proof(&proposal);
    assert_eq!(proof.widened.len(), 1);
    assert_eq!(proof.widened[0].to_string(), "tcp/80 10.0.1.0");
}

#[test]
fn the_proof_finds_a_reference_turned_into_addresses_and_back() {
    let (world, mut proposal) = sound();
    proposal.keep.clear();
    proposal.rules.push(PlannedRule {
        transport: transport("tcp/80"),
        peer: peer("198.51.100.1/32"),
        priority: None,
        effect: Effect::Allow,
        replaces: vec![SgRuleId::from("r2")],
        records: 0,
        seen: None,
    });
    assert_eq!(world.proof(&proposal).widened.len(), 1);
    proposal.rules[2].peer = peer("sg-b");
    let proof = world.proof(&proposal);
    assert_eq!((proof.widened.len(), proof.broken.len()), (1, 1));
}

#[test]
fn the_proof_finds_rules_in_no_place_or_in_two() {
    let (world, proposal) = sound();
    for (keep, remove) in [
        (vec!["r1", "r2"], vec![]),
        (vec![], vec![]),
        (vec!["r2"], vec!["r9"]),
    ] {
        let spoilt = Proposal {
            keep: keep.into_iter().map(SgRuleId::from).collect(),
            remove: remove.into_iter().map(SgRuleId::from).collect(),
            ..proposal.clone()
        };
        assert_eq!(world.proof(&spoilt).misfiled.len(), 1);
    }
}

#[test]
fn a_conversation_passes_while_any_group_of_the_interface_lets_it_through() {
    let (world, proposal) = sound();
    let groups = BTreeMap::from([(world.group.id.clone(), world.group.clone())]);
    let passed = |rules: &[&str], port: u16| Passed {
        interface_id: EniId::parse("eni-1").unwrap(),
        direction: Direction::Ingress,
        protocol: IpProtocol::TCP,
        service: PortRange::single(port),
        peer: "10.0.0.9".parse().unwrap(),
        among: None,
        answered: true,
        in_doubt: false,
        records: 1,
        seen: once(),
        covered_by: rules
            .iter()
            .map(|id| RuleRef {
                group_id: SgId::from("sg-1"),
                rule_id: SgRuleId::from(*id),
            })
            .collect(),
        unwritten: None,
    };
    let seen = [passed(&["r1"], 90), passed(&["r1"], 85), passed(&[], 22)];
    let replay = proof::replay::replay(&seen, &groups, std::slice::from_ref(&proposal));
    assert_eq!(
        (replay.connections, replay.witnesses, replay.unexplained),
        (2, 1, 1)
    );
    let (interface, _, broken) = &replay.broken[0];
    assert_eq!(
        (interface.as_str(), broken.rule_id.as_str()),
        ("eni-1", "r1")
    );
    let before = proof::replay::replay(&seen, &groups, &[]);
    assert_eq!((before.connections, before.witnesses), (2, 2));
}

fn small_rule() -> impl Strategy<Value = (Transport, Peer)> {
    let ports = (0u16..6, 0u16..6).prop_map(|(a, b)| PortRange::spanning(a, b));
    let what = prop_oneof![
        1 => Just(Transport::All),
        6 => ports.clone().prop_map(Transport::Tcp),
        2 => ports.prop_map(Transport::Udp),
        1 => Just(transport("icmp")),
        1 => Just(transport("icmp/8")),
        1 => Just(transport("47")),
    ];
    let whom = prop_oneof![
        6 => (0u8..16, 28u8..=32).prop_map(|(host, len)| peer(&format!("198.51.100.{host}/{len}"))),
        2 => (0u8..8, 125u8..=128).prop_map(|(host, len)| peer(&format!("2001:db8::{host}/{len}"))),
        1 => Just(peer("sg-a")),
        1 => Just(peer("sg-b")),
        1 => Just(peer("pl-1")),
    ];
    // Prefixes have their host bits cleared.
    (what, whom).prop_map(|(what, whom)| match whom {
        Peer::Cidr(net) => (what, Peer::Cidr(net.trunc())),
        label @ (Peer::SecurityGroup(_) | Peer::PrefixList(_)) => (what, label),
    })
}

fn small_seen() -> impl Strategy<Value = Seen> {
    let what = prop_oneof![
        6 => (0u16..6).prop_map(|port| (IpProtocol::TCP, PortRange::single(port))),
        1 => (0u16..6, 0u16..6).prop_map(|(a, b)| (IpProtocol::TCP, PortRange::spanning(a, b))),
        2 => (0u16..6).prop_map(|port| (IpProtocol::UDP, PortRange::single(port))),
        1 => Just((IpProtocol::ICMP, PortRange::ALL)),
        1 => Just((IpProtocol(47), PortRange::ALL)),
    ];
    let whom = prop_oneof![
        4 => (0u8..16).prop_map(|host| format!("198.51.100.{host}")),
        1 => (0u8..8).prop_map(|host| format!("2001:db8::{host}")),
    ];
    (what, whom).prop_map(|((protocol, service), whom)| (protocol, service, whom.parse().unwrap()))
}

prop_compose! {
    fn world()(
        wide in prop::option::of((prop::bool::ANY, 26u8..29)),
        rules in prop::collection::vec(small_rule(), 1..7),
        seen in prop::collection::vec(small_seen(), 0..48),
        held in prop::collection::vec(prop::bool::weighted(0.15), 7),
        quota in 1u32..12,
        rule_worth in 0u64..20,
        public_peers in 2usize..8,
        entries in 1u32..4,
    ) -> World {
        // A wide rule gives the quota something to press on.
        let wide = wide.map(|(all, len)| {
            let what = if all { Transport::All } else { transport("tcp/0-5") };
            (what, peer(&format!("198.51.100.0/{len}")))
        });
        let named = wide.into_iter().chain(rules).enumerate().map(|(at, (what, whom))| SgRule {
            transport: what,
            peer: whom,
            ..rule(&format!("r{at}"), "all", "sg-x")
        });
        let mut world = World::new(named.collect(), seen);
        let list = PrefixList {
            id: PrefixListId::from("pl-1"),
            name: String::new(),
            aws_managed: false,
            max_entries: Some(entries),
            entries: Some(vec!["198.51.100.0/24".parse().unwrap(), "2001:db8::/64".parse().unwrap()]),
        };
        world.lists.insert(list.id.clone(), list);
        let ids = world.group.rules.iter().map(|rule| rule.id.clone());
        world.held = ids.zip(held).filter(|(_, held)| *held).map(|(id, _)| id).collect();
        world.limits = Limits {
            rule_quota: quota,
            public_peers,
            rule_worth,
            wide_v4: 30,
            wide_v6: 127,
            ..Limits::default()
        };
        world
    }
}

/// Far sides of the small universe, references by name.
fn far_sides() -> Vec<Peer> {
    let v4 = (0..20).map(|host| format!("198.51.100.{host}/32"));
    let v6 = (0..10).map(|host| format!("2001:db8::{host}/128"));
    let named = ["sg-a", "sg-b", "pl-1"].map(str::to_owned);
    v4.chain(v6).chain(named).map(|text| peer(&text)).collect()
}

fn lets_through(rule: &SgRule, protocol: IpProtocol, point: u16, far: &Peer) -> bool {
    let peers = match (&rule.peer, far) {
        (Peer::Cidr(net), Peer::Cidr(host)) => net.contains(host),
        (own, far) => own == far,
    };
    peers && rule.transport.has_protocol(protocol) && rule.transport.service().contains(point)
}

fn allowed(world: &World, protocol: IpProtocol, point: u16, far: &Peer) -> bool {
    let mut rules = world.group.rules.iter();
    rules.any(|rule| lets_through(rule, protocol, point, far))
}

/// Points that tell all transports of the small universe apart.
fn packets() -> impl Iterator<Item = (IpProtocol, u16)> {
    let protocols = [
        IpProtocol::TCP,
        IpProtocol::UDP,
        IpProtocol::ICMP,
        IpProtocol(47),
        IpProtocol(99),
    ];
    let points = [0, 1, 2, 3, 4, 5, 6, 0x0800, 0x08ff, 0x0900, u16::MAX];
    protocols
        .into_iter()
        .flat_map(move |protocol| points.map(|point| (protocol, point)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_new_is_allowed_and_nothing_seen_breaks(world in world()) {
        let proposal = world.propose();
        let after = world.after(&proposal);
        for far in far_sides() {
            for (protocol, point) in packets() {
                let (old, new) = (allowed(&world, protocol, point, &far), allowed(&after, protocol, point, &far));
                prop_assert!(old || !new, "{protocol}/{point} {far} newly passes");
            }
        }
        let real = |world: &World, protocol, point, address: IpAddr| {
            let rules = world.group.rules.iter();
            let mut rules = rules.filter(|rule| admits(rule, address));
            rules.any(|rule| rule.transport.has_protocol(protocol) && rule.transport.service().contains(point))
        };
        for need in world.needs() {
            for (_, point) in packets().filter(|(p, at)| *p == need.protocol && need.service.contains(*at)) {
                let passed = real(&world, need.protocol, point, need.peer);
                let passes = real(&after, need.protocol, point, need.peer);
                prop_assert!(passes || !passed, "{}/{point} {} breaks", need.protocol, need.peer);
            }
        }
        let proof = world.proof(&proposal);
        prop_assert!(proof.holds(), "{proof:?}");
        prop_assert_eq!(proof.witnesses, proof.connections);
    }

    #[test]
    fn tightening_twice_is_tightening_once(world in world()) {
        let proposal = world.propose();
        let again = world.after(&proposal).propose();
        prop_assert!(again.rules.is_empty() && again.remove.is_empty(), "{:?}\n{:?}", planned(&proposal), again);
        prop_assert_eq!(again.decision, Decision::Keep);
        prop_assert_eq!(again.exposure_after, proposal.exposure_after);
    }

    #[test]
    fn the_order_of_rules_and_of_what_was_seen_changes_nothing(world in world()) {
        let proposal = world.propose();
        let mut turned = world;
        turned.group.rules.reverse();
        turned.seen.reverse();
        prop_assert_eq!(turned.propose(), proposal);
    }

    #[test]
    fn new_rules_keep_the_quota_and_never_open_more(world in world()) {
        let proposal = world.propose();
        let quota = u64::from(world.limits.rule_quota);
        prop_assert!(proposal.rules.is_empty() || proposal.quota_after.within(quota));
        prop_assert!(proposal.quota_after.within(quota.max(proposal.quota_before.most())));
        prop_assert!(proposal.exposure_after <= proposal.exposure_before);
    }

    #[test]
    fn the_proof_sees_just_what_a_lost_rule_breaks(world in world(), at in any::<prop::sample::Index>()) {
        let mut proposal = world.propose();
        if proposal.rules.is_empty() { return Ok(()); }
        proposal.rules.remove(at.index(proposal.rules.len()));
        let after = world.after(&proposal);
        let breaks = |need: &Need| {
            let named = world.group.rules.iter().filter(|rule| need.covered_by.contains(&rule.id));
            let named: Vec<&SgRule> = named.collect();
            let stands = |rule: &SgRule| match &rule.peer {
                Peer::Cidr(net) => net.contains(&need.peer),
                label @ (Peer::SecurityGroup(_) | Peer::PrefixList(_)) => named.iter().any(|old| old.peer == *label),
            };
            let standing: Vec<&SgRule> = after.group.rules.iter().filter(|rule| stands(rule)).collect();
            let passes = |rules: &[&SgRule], point| rules.iter().any(|rule| {
                rule.transport.has_protocol(need.protocol) && rule.transport.service().contains(point)
            });
            let points = packets().filter(|(p, at)| *p == need.protocol && need.service.contains(*at));
            points.map(|(_, point)| point).any(|point| passes(&named, point) && !passes(&standing, point))
        };
        let broken = world.needs().iter().filter(|need| breaks(need)).count();
        prop_assert_eq!(world.proof(&proposal).broken.len(), broken);
    }
}

/// A world of the laws that was once split further the second time: joined
/// services made boxes that the first round had no name for.
#[test]
fn what_a_quota_joined_is_not_split_when_asked_again() {
    let mut world = World::new(
        vec![
            rule("r0", "icmp", "198.51.100.0/28"),
            rule("r1", "tcp/1-3", "sg-b"),
            rule("r2", "all", "198.51.100.0/29"),
            rule("r3", "tcp/3-4", "198.51.100.0/28"),
        ],
        [
            ("tcp/0-4", 11),
            ("icmp", 0),
            ("tcp/3", 1),
            ("tcp/1", 2),
            ("47", 0),
            ("tcp/4", 0),
            ("tcp/3", 2),
            ("tcp/0-4", 4),
            ("tcp/0", 0),
            ("tcp/4", 8),
            ("tcp/3", 9),
            ("tcp/3", 3),
            ("tcp/2", 1),
        ]
        .map(|(what, host)| seen(what, &format!("198.51.100.{host}")))
        .to_vec(),
    );
    world.limits = Limits {
        rule_quota: 8,
        public_peers: 2,
        rule_worth: 0,
        wide_v4: 30,
        wide_v6: 127,
        ..Limits::default()
    };
    let proposal = world.propose();
    let again = world.after(&proposal).propose();
    assert_eq!(
        again.decision,
        Decision::Keep,
        "{:?} {:?}",
        planned(&proposal),
        planned(&again)
    );
    assert_eq!(again.exposure_after, proposal.exposure_after);
}

#[test]
fn a_proven_proposal_comes_with_its_proof() {
    let (world, proposal) = sound();
    let watch = Watch::Enough {
        applicability: Applicability::Apply,
        reasons: Vec::new(),
    };
    let proven = world.ask(watch, proven);
    assert_eq!(proven.proposal, proposal);
    assert_eq!(proven.failed, None);
    assert_eq!((proven.proof.connections, proven.proof.witnesses), (3, 3));
}

/// Seen in one second.
fn once() -> History {
    History::of(Timestamp(0), Timestamp(0))
}
