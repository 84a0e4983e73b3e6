//! The order of changes, walked step by step on the small world: at no moment
//! something needed is missing, something new open, or the quota exceeded, and
//! the way back ends where the way began.

use flowcinch::net::cidr::Family;
use flowcinch::tighten::plan::Quota;
use flowcinch::tighten::quota;
use flowcinch::tighten::rollout;
use flowcinch::tighten::rollout::Change;
use flowcinch::tighten::rollout::Rollout;
use flowcinch::tighten::rollout::Wording;

use super::*;

/// Rules by what they say, as the cloud keeps them: it refuses to add what
/// stands already, and to change what does not stand.
#[derive(Clone, Debug)]
struct Cloud {
    rules: Vec<SgRule>,
    made: usize,
}

impl Cloud {
    fn find(&self, id: Option<&SgRuleId>, said: &Wording) -> usize {
        let is = |rule: &SgRule| {
            id.is_none_or(|id| rule.id == *id)
                && rule.transport == said.transport
                && rule.peer == said.peer
                && rule.description == said.description
        };
        let mut found = self.rules.iter().enumerate().filter(|(_, rule)| is(rule));
        let at = found.next().expect("the rule stands and says so").0;
        assert!(id.is_some() || found.next().is_none(), "two rules say it");
        at
    }

    fn free_for(&self, to: &Wording) {
        let same = |rule: &SgRule| rule.transport == to.transport && rule.peer == to.peer;
        assert!(
            !self.rules.iter().any(same),
            "a duplicate is refused: {to:?}"
        );
    }

    fn make(&mut self, change: &Change) {
        match change {
            Change::Modify { rule, from, to } => {
                self.free_for(to);
                let at = self.find(Some(rule), from);
                let kind = |peer: &Peer| match peer {
                    Peer::Cidr(net) => u8::from(net.addr().is_ipv4()),
                    Peer::SecurityGroup(_) => 2,
                    Peer::PrefixList(_) => 3,
                };
                assert_eq!(kind(&from.peer), kind(&to.peer), "the kind of peer stays");
                assert_eq!(from.description, to.description);
                self.rules[at].transport = to.transport;
                self.rules[at].peer = to.peer.clone();
            }
            Change::Add { to } => {
                self.free_for(to);
                self.made += 1;
                self.rules.push(SgRule {
                    transport: to.transport,
                    peer: to.peer.clone(),
                    description: to.description.clone(),
                    ..rule(&format!("made-{}", self.made), "all", "sg-x")
                });
            }
            Change::Remove { rule, from } => {
                let at = self.find(rule.as_ref(), from);
                self.rules.remove(at);
            }
        }
    }

    fn said(&self) -> BTreeSet<(Transport, Peer, String)> {
        let said = |rule: &SgRule| (rule.transport, rule.peer.clone(), rule.description.clone());
        self.rules.iter().map(said).collect()
    }
}

fn passes(rules: &[SgRule], protocol: IpProtocol, point: u16, address: IpAddr) -> bool {
    let mut rules = rules.iter().filter(|rule| admits(rule, address));
    rules.any(|rule| {
        rule.transport.has_protocol(protocol) && rule.transport.service().contains(point)
    })
}

/// What is wrong with a moment.
fn wrong(world: &World, now: &[SgRule], most: u64) -> Option<String> {
    for far in far_sides() {
        for (protocol, point) in packets() {
            let open = now
                .iter()
                .any(|rule| lets_through(rule, protocol, point, &far));
            if open && !allowed(world, protocol, point, &far) {
                return Some(format!("{protocol}/{point} {far} is open"));
            }
        }
    }
    for need in world.needs() {
        let own = |(protocol, at): &(IpProtocol, u16)| {
            *protocol == need.protocol && need.service.contains(*at)
        };
        for (_, point) in packets().filter(own) {
            if passes(&world.group.rules, need.protocol, point, need.peer)
                && !passes(now, need.protocol, point, need.peer)
            {
                return Some(format!("{}/{point} {} is cut", need.protocol, need.peer));
            }
        }
    }
    let count: Quota = now
        .iter()
        .map(|r| quota::of_peer(&r.peer, &world.lists))
        .sum();
    (count.most() > most).then(|| format!("{} rules, {most} allowed", count.most()))
}

fn rollout_of(world: &World, proposal: &Proposal) -> Option<Rollout> {
    rollout::plan(
        &world.group,
        proposal,
        &world.lists,
        world.limits.rule_quota,
    )
}

fn most_of(world: &World, proposal: &Proposal) -> u64 {
    proposal
        .quota_before
        .most()
        .max(u64::from(world.limits.rule_quota))
}

/// Walks all steps, looking round after each.
fn walk(world: &World, cloud: &mut Cloud, steps: &[Change], most: u64) -> Option<String> {
    steps.iter().enumerate().find_map(|(at, change)| {
        cloud.make(change);
        Some(format!(
            "after step {}: {}",
            at + 1,
            wrong(world, &cloud.rules, most)?
        ))
    })
}

/// With descriptions, and without the duplicates that no cloud lets stand.
fn described(mut world: World) -> World {
    let mut said = BTreeSet::new();
    let rules = &mut world.group.rules;
    rules.retain(|rule| said.insert((rule.transport, rule.peer.clone())));
    for rule in &mut world.group.rules {
        rule.description = format!("as {}", rule.id);
    }
    world
}

fn shown(changes: &[Change]) -> Vec<String> {
    let show = |change: &Change| match change {
        Change::Modify { rule, from, to } => {
            format!(
                "{rule}: {} {} -> {} {}",
                from.transport, from.peer, to.transport, to.peer
            )
        }
        Change::Add { to } => format!("+ {} {}", to.transport, to.peer),
        Change::Remove { rule, from } => {
            let id = rule.as_ref().map_or("?", SgRuleId::as_str);
            format!("- {id} {} {}", from.transport, from.peer)
        }
    };
    changes.iter().map(show).collect()
}

/// All orders of some changes.
fn orders(changes: &[Change]) -> Vec<Vec<Change>> {
    if changes.is_empty() {
        return vec![Vec::new()];
    }
    let first = |at: usize| {
        let mut rest = changes.to_vec();
        let first = rest.remove(at);
        orders(&rest).into_iter().map(move |mut order| {
            order.insert(0, first.clone());
            order
        })
    };
    (0..changes.len()).flat_map(first).collect()
}

/// Two rules that each carry a part of both rules to come, and no room for a
/// third: there is no order, and that is told.
#[test]
fn a_full_quota_that_needs_one_more_rule_for_a_moment_is_told() {
    let mut world = World::new(
        vec![
            rule("r1", "tcp/2-3", "198.51.100.0/28"),
            rule("r2", "tcp/0-1", "198.51.100.0/28"),
        ],
        vec![
            seen("tcp/0", "198.51.100.1"),
            seen("tcp/2", "198.51.100.1"),
            seen("tcp/1", "198.51.100.8"),
            seen("tcp/3", "198.51.100.8"),
        ],
    );
    world.limits.rule_quota = 2;
    let rollout = rollout_of(&world, &world.propose()).unwrap();
    assert_eq!(
        rollout.over(),
        Some((Family::V4, 3)),
        "{:?}",
        shown(&rollout.steps)
    );
}

#[test]
fn a_rule_for_two_is_changed_before_the_second_goes() {
    let world = halves(1);
    let rollout = rollout_of(&world, &world.propose()).unwrap();
    assert_eq!(
        shown(&rollout.steps),
        [
            "r1: tcp/5432 10.0.0.0/25 -> tcp/5432 10.0.0.0/24",
            "- r2 tcp/5432 10.0.0.128/25"
        ]
    );
    assert_eq!(
        shown(&rollout.rollback),
        [
            "+ tcp/5432 10.0.0.128/25",
            "r1: tcp/5432 10.0.0.0/24 -> tcp/5432 10.0.0.0/25"
        ]
    );
    assert_eq!(rollout.peak.most(), 2);
}

#[test]
fn what_is_split_is_added_before_the_wide_rule_narrows() {
    let world = World::new(
        vec![rule("r1", "tcp/443", "10.0.0.0/8")],
        vec![seen("tcp/443", "10.0.0.1"), seen("tcp/443", "10.9.0.1")],
    );
    let rollout = rollout_of(&world, &world.propose()).unwrap();
    assert_eq!(
        shown(&rollout.steps),
        [
            "+ tcp/443 10.9.0.1/32",
            "r1: tcp/443 10.0.0.0/8 -> tcp/443 10.0.0.1/32"
        ]
    );
}

#[test]
fn rules_without_ids_of_the_cloud_are_added_and_removed() {
    let mut world = World::new(
        vec![rule(
            "sg-1/ingress/tcp/443-443/10.0.0.0/8",
            "tcp/443",
            "10.0.0.0/8",
        )],
        vec![seen("tcp/443", "10.0.0.1")],
    );
    world.limits.rule_quota = 5;
    let rollout = rollout_of(&world, &world.propose()).unwrap();
    assert_eq!(
        shown(&rollout.steps),
        [
            "+ tcp/443 10.0.0.1/32",
            "- sg-1/ingress/tcp/443-443/10.0.0.0/8 tcp/443 10.0.0.0/8"
        ]
    );
}

#[test]
fn a_full_quota_that_no_order_fits_is_told() {
    // One rule of one, which cannot be modified for want of an id.
    let mut world = World::new(
        vec![rule(
            "sg-1/ingress/tcp/443-443/10.0.0.0/8",
            "tcp/443",
            "10.0.0.0/8",
        )],
        vec![seen("tcp/443", "10.0.0.1")],
    );
    world.limits.rule_quota = 1;
    let rollout = rollout_of(&world, &world.propose()).unwrap();
    assert_eq!(rollout.peak.most(), 2);
    assert_eq!(rollout.steps.len(), 2);
    assert_eq!(rollout.over(), Some((Family::V4, 2)));
}

/// Many rules of one family are no room for the other.
#[test]
fn a_full_quota_of_the_smaller_family_is_told() {
    let mut rules = vec![rule(
        "sg-1/ingress/tcp/443-443/2001:db8::/32",
        "tcp/443",
        "2001:db8::/32",
    )];
    let mut needed = vec![seen("tcp/443", "2001:db8::1")];
    for host in 1..4 {
        let address = format!("10.0.{host}.1");
        rules.push(rule(
            &format!("r{host}"),
            "tcp/443",
            &format!("{address}/32"),
        ));
        needed.push(seen("tcp/443", &address));
    }
    let mut world = World::new(rules, needed);
    let proposal = world.propose();
    world.limits.rule_quota = 1;
    let rollout = rollout_of(&world, &proposal).unwrap();
    assert_eq!((rollout.peak.v4, rollout.peak.v6), (3, 2));
    assert_eq!(rollout.over(), Some((Family::V6, 2)));
}

#[test]
fn nothing_to_change_is_no_rollout() {
    let world = World::new(
        vec![rule("r1", "tcp/443", "10.0.0.1/32")],
        vec![seen("tcp/443", "10.0.0.1")],
    );
    assert_eq!(rollout_of(&world, &world.propose()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_moment_of_a_rollout_keeps_all_and_its_way_back_restores(world in world()) {
        let world = described(world);
        let proposal = world.propose();
        let Some(rollout) = rollout_of(&world, &proposal) else {
            prop_assert!(proposal.rules.is_empty() && proposal.remove.is_empty());
            return Ok(());
        };
        let mut most = most_of(&world, &proposal);
        let first = Cloud { rules: world.group.rules.clone(), made: 0 };
        let mut cloud = first.clone();
        // Where the quota is full, there may be no order: then it is told, and
        // no other order of these steps would have done.
        if rollout.over().is_some() {
            prop_assert!(rollout.peak.most() > most);
            prop_assert!(rollout.steps.len() <= 7, "too many to try");
            for steps in orders(&rollout.steps) {
                let fault = walk(&world, &mut first.clone(), &steps, most);
                prop_assert!(fault.is_some(), "{:?}", shown(&steps));
            }
            most = rollout.peak.most();
        }
        prop_assert_eq!(walk(&world, &mut cloud, &rollout.steps, most), None, "{:?}", shown(&rollout.steps));
        prop_assert!(rollout.peak.most() <= most);
        let said = |rules: &[SgRule]| -> BTreeSet<(Transport, Peer)> {
            rules.iter().map(|rule| (rule.transport, rule.peer.clone())).collect()
        };
        prop_assert_eq!(said(&cloud.rules), said(&world.after(&proposal).group.rules));
        prop_assert_eq!(walk(&world, &mut cloud, &rollout.rollback, most), None);
        prop_assert_eq!(cloud.said(), first.said());
        prop_assert_eq!(cloud.rules.len(), first.rules.len());
        let made = cloud.rules.iter().filter(|rule| rule.id.as_str().starts_with("made-"));
        let removed = |change: &&Change| matches!(change, Change::Remove { .. });
        prop_assert_eq!(made.count(), rollout.steps.iter().filter(removed).count());
    }
}
