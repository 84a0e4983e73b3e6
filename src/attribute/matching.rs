//! Does this rule match this traffic? Plain and readable: the oracle for
//! anything faster.
//!
//! Every matching rule is told; what rules of several ranks decide together is
//! for [`merge`](crate::attribute::merge), and without ranks none is best (VPC
//! user guide, "Security group rules"). What logs leave open
//! (an ICMP type, a port known only as a range, a peer whose interface is
//! gone) gives a [`Fit`] weaker than [`Fit::Whole`].

use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::scene::PeerFacts;
use crate::attribute::scene::Scene;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;
use crate::net::cidr::overlap;

/// Traffic that a rule is asked about, at one interface.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// The interface.
    pub local: &'a Eni,
    /// Ingress: the peer opened it.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Ranges the service point may lie in: a single port when it is known,
    /// the whole space for ICMP and protocols without ports. Never empty.
    pub services: &'a [PortRange],
    /// Ranges that the opener's port may lie in; empty where nothing is known.
    pub sources: &'a [PortRange],
    /// The far side.
    pub peer: &'a PeerFacts<'a>,
}

/// How a rule fits an [`Ask`]. Orders from weak to strong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It matches none of it.
    None,
    /// It may match: the peer's groups, or a list's entries, are not known.
    Possible,
    /// It matches some of what the ask may stand for.
    Part,
    /// It matches all of it.
    Whole,
}

/// How a rule fits.
#[must_use]
pub fn fit(rule: &SgRule, ask: &Ask<'_>, scene: &Scene<'_>) -> Fit {
    if rule.direction != ask.direction || !rule.transport.has_protocol(ask.protocol) {
        return Fit::None;
    }
    let own = rule.transport.service();
    if !ask.services.iter().any(|service| own.overlaps(*service)) {
        return Fit::None;
    }
    let whole = ask.services.iter().all(|service| own.covers(*service));
    let peer = peer_fit(&rule.peer, ask.peer, scene);
    let beside = limits_fit(&rule.limits, ask.local, ask.peer.address, ask.sources);
    match peer.min(beside) {
        Fit::Whole if whole => Fit::Whole,
        Fit::Whole | Fit::Part => Fit::Part,
        weaker @ (Fit::Possible | Fit::None) => weaker,
    }
}

/// How what a rule asks beside transport and peer fits: the interface's own
/// address, which logs do not tell apart, and the opener's port. Ports that a
/// list holds are not known, so the rule may match any.
#[must_use]
pub fn limits_fit(limits: &Limits, local: &Eni, peer: IpAddr, sources: &[PortRange]) -> Fit {
    let listed = if limits.port_list.is_some() {
        Fit::Possible
    } else {
        Fit::Whole
    };
    let place = limits
        .local
        .map_or(Fit::Whole, |net| local_fit(net, local, peer.is_ipv4()));
    listed.min(place).min(sources_fit(limits, sources))
}

/// How the interface's own addresses of a family fit.
#[must_use]
pub fn local_fit(net: IpNet, local: &Eni, v4: bool) -> Fit {
    let addresses = local.addresses.iter().map(|address| host_net(*address));
    let own = addresses.chain(local.prefixes.iter().copied());
    let mut own = own
        .filter(|own| matches!(own, IpNet::V4(_)) == v4)
        .peekable();
    if own.peek().is_none() {
        // An address that the snapshot does not know.
        return Fit::Possible;
    }
    let (mut all, mut some) = (true, false);
    for own in own {
        all &= net.contains(&own);
        some |= overlap(net, own);
    }
    match (all, some) {
        (true, _) => Fit::Whole,
        (false, true) => Fit::Possible,
        (false, false) => Fit::None,
    }
}

/// How the ports that connections are opened from fit.
#[must_use]
pub fn sources_fit(limits: &Limits, sources: &[PortRange]) -> Fit {
    let Some(own) = limits.source_ports else {
        return Fit::Whole;
    };
    if sources.is_empty() {
        return Fit::Possible;
    }
    if sources.iter().all(|range| own.covers(*range)) {
        return Fit::Whole;
    }
    // A range of which some lies within may have been used there or not.
    let single = |range: &&PortRange| range.count() == 1;
    let touched = sources.iter().filter(|range| own.overlaps(**range));
    let surely = touched
        .clone()
        .any(|range| own.covers(*range) || single(&range));
    match (surely, touched.count()) {
        (true, _) => Fit::Part,
        (false, 0) => Fit::None,
        (false, _) => Fit::Possible,
    }
}

/// How a rule's peer fits the far side, ports aside.
#[must_use]
pub fn peer_fit(peer: &Peer, facts: &PeerFacts<'_>, scene: &Scene<'_>) -> Fit {
    match peer {
        Peer::Cidr(net) => contained(&[*net], facts),
        Peer::SecurityGroup(group) => reference_fit(group, facts, scene),
        Peer::PrefixList(list) => list_fit(list, facts, scene),
    }
}

fn contained(nets: &[IpNet], facts: &PeerFacts<'_>) -> Fit {
    if nets.iter().any(|net| net.contains(&facts.address)) {
        Fit::Whole
    } else {
        Fit::None
    }
}

/// A reference matches the private addresses of interfaces that carry the
/// group; of several that may own the address, all have to. Beyond that it may
/// match an address of which some owner carries it, or may have, clients behind a load
/// balancer that keeps their address (ELB guide, "Security groups for your Network Load
/// Balancer"), addresses of the VPC whose interface is gone, and, for a group
/// the snapshot lacks, any address without a known owner.
fn reference_fit(group: &SgId, facts: &PeerFacts<'_>, scene: &Scene<'_>) -> Fit {
    let carries = |owner: &&Eni| owner.groups.contains(group);
    let some = facts.owners.iter().any(carries);
    if some && !facts.lost_owner && facts.owners.iter().all(carries) {
        return Fit::Whole;
    }
    let foreign = scene.group(group).is_none() && facts.owners.is_empty();
    if some || facts.lost_owner || foreign || scene.on_balancer(group) {
        Fit::Possible
    } else {
        Fit::None
    }
}

fn list_fit(list: &PrefixListId, facts: &PeerFacts<'_>, scene: &Scene<'_>) -> Fit {
    let entries = scene.entries(list);
    entries.map_or(Fit::Possible, |entries| contained(entries, facts))
}

/// Groups of an interface that the snapshot has, and whether it lacks any, or
/// does not know them as they were at its time.
#[must_use]
pub fn groups_of<'a>(eni: &Eni, scene: &Scene<'a>) -> (Vec<&'a SecurityGroup>, bool) {
    let known: Vec<&SecurityGroup> = eni.groups.iter().filter_map(|id| scene.group(id)).collect();
    let lacks = known.len() < eni.groups.len() || scene.snapshot.guessed.about(eni);
    (known, lacks)
}

/// Whether the two ends share a group whose members reach each other without
/// a rule, as the far side is seen; private addresses alone count, and these
/// are what owners are found by. It is asked of ingress: who may leave, other
/// words of the groups say.
#[must_use]
pub fn members_fit(talking: &[&SgId], facts: &PeerFacts<'_>, direction: Direction) -> Fit {
    if talking.is_empty() || direction == Direction::Egress {
        return Fit::None;
    }
    let shares = |owner: &&Eni| talking.iter().any(|group| owner.groups.contains(group));
    let some = facts.owners.iter().any(shares);
    if some && !facts.lost_owner && facts.owners.iter().all(shares) {
        return Fit::Whole;
    }
    if some || facts.lost_owner {
        Fit::Possible
    } else {
        Fit::None
    }
}

/// Groups of an interface whose members reach each other without a rule.
pub fn talking<'g>(groups: impl Iterator<Item = &'g SecurityGroup>) -> Vec<&'g SgId> {
    groups
        .filter(|group| group.policy.members_talk)
        .map(|group| &group.id)
        .collect()
}

/// Every rule of an interface's groups that fits at least possibly.
#[must_use]
pub fn covering<'a>(
    eni: &Eni,
    ask: &Ask<'_>,
    scene: &Scene<'a>,
) -> Vec<(&'a SecurityGroup, &'a SgRule, Fit)> {
    let rules = groups_of(eni, scene)
        .0
        .into_iter()
        .flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
    let fits = rules.map(|(group, rule)| (group, rule, fit(rule, ask, scene)));
    fits.filter(|(_, _, fit)| *fit > Fit::None).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::EniId;
    use crate::model::GroupPolicy;
    use crate::model::InterfaceKind;
    use crate::model::Snapshot;
    use crate::model::Transport;
    use crate::model::VpcId;
    use crate::model::sg::Effect;
    use crate::model::sg::IcmpTypeCode;
    use crate::model::vpc::Vpc;

    fn eni(id: &str, address: &str, group: &str) -> Eni {
        Eni {
            id: EniId::parse(id).unwrap(),
            kind: InterfaceKind::Interface,
            description: String::new(),
            requester_managed: false,
            in_use: true,
            vpc_id: Some(VpcId::from("vpc-1")),
            subnet_id: None,
            addresses: vec![address.parse().unwrap()],
            prefixes: Vec::new(),
            public_addresses: Vec::new(),
            groups: vec![SgId::from(group)],
            instance_id: None,
            tags: std::collections::BTreeMap::new(),
        }
    }

    fn rule(transport: Transport, peer: Peer) -> SgRule {
        SgRule {
            id: SgRule::derived_id(&SgId::from("sg-db"), Direction::Ingress, transport, &peer),
            direction: Direction::Ingress,
            effect: Effect::Allow,
            priority: None,
            transport,
            peer,
            limits: Limits::default(),
            description: String::new(),
        }
    }

    fn group(id: &str) -> SecurityGroup {
        SecurityGroup {
            id: SgId::from(id),
            name: String::new(),
            description: String::new(),
            vpc_id: None,
            owner_id: None,
            tags: std::collections::BTreeMap::new(),
            policy: GroupPolicy::default(),
            rules: Vec::new(),
        }
    }

    fn world() -> Snapshot {
        let mut snapshot = Snapshot::default();
        for eni in [
            eni("eni-db", "10.0.2.30", "sg-db"),
            eni("eni-app", "10.0.2.20", "sg-app"),
        ] {
            Arc::make_mut(&mut snapshot.enis).insert(eni.id, eni);
        }
        for id in ["sg-db", "sg-app"] {
            Arc::make_mut(&mut snapshot.groups).insert(SgId::from(id), group(id));
        }
        let vpc = Vpc {
            id: VpcId::from("vpc-1"),
            cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        };
        Arc::make_mut(&mut snapshot.vpcs).insert(vpc.id.clone(), vpc);
        snapshot
    }

    fn ask_fit(
        snapshot: &Snapshot,
        rule: &SgRule,
        protocol: u8,
        services: &[PortRange],
        peer: &str,
    ) -> Fit {
        let scene = Scene::new(snapshot);
        let db = &snapshot.enis[&EniId::parse("eni-db").unwrap()];
        let peer = scene.peer(peer.parse::<IpAddr>().unwrap(), db);
        let ask = Ask {
            local: db,
            direction: Direction::Ingress,
            protocol: IpProtocol(protocol),
            services,
            sources: &[],
            peer: &peer,
        };
        fit(rule, &ask, &scene)
    }

    const PG: PortRange = PortRange::ALL;

    #[test]
    fn a_reference_matches_members_and_may_match_the_gone() {
        let port = PortRange::single(5432);
        let rule = rule(
            Transport::Tcp(port),
            Peer::SecurityGroup(SgId::from("sg-app")),
        );
        let world = world();
        assert_eq!(ask_fit(&world, &rule, 6, &[port], "10.0.2.20"), Fit::Whole);
        assert_eq!(ask_fit(&world, &rule, 6, &[port], "10.0.2.30"), Fit::None);
        assert_eq!(
            ask_fit(&world, &rule, 6, &[port], "10.0.2.77"),
            Fit::Possible
        );
        assert_eq!(ask_fit(&world, &rule, 6, &[port], "203.0.113.9"), Fit::None);
        assert_eq!(ask_fit(&world, &rule, 17, &[port], "10.0.2.20"), Fit::None);
        assert_eq!(ask_fit(&world, &rule, 6, &[PG], "10.0.2.20"), Fit::Part);
    }

    #[test]
    fn of_several_owners_all_have_to_carry_the_group() {
        let port = PortRange::single(5432);
        let peer = |group| Peer::SecurityGroup(SgId::from(group));
        let app = rule(Transport::Tcp(port), peer("sg-app"));
        let own = rule(Transport::Tcp(port), peer("sg-db"));
        let mut world = world();
        let second = eni("eni-app-2", "10.0.2.20", "sg-app");
        Arc::make_mut(&mut world.enis).insert(second.id, second);
        assert_eq!(ask_fit(&world, &app, 6, &[port], "10.0.2.20"), Fit::Whole);
        let third = eni("eni-db-2", "10.0.2.20", "sg-db");
        Arc::make_mut(&mut world.enis).insert(third.id, third);
        for rule in [&app, &own] {
            let fit = ask_fit(&world, rule, 6, &[port], "10.0.2.20");
            assert_eq!(fit, Fit::Possible);
        }
    }

    #[test]
    fn a_reference_to_a_balancer_may_match_kept_client_addresses() {
        let mut world = world();
        let mut balancer = eni("eni-nlb", "10.0.2.90", "sg-nlb");
        balancer.kind = InterfaceKind::NetworkLoadBalancer;
        Arc::make_mut(&mut world.enis).insert(balancer.id, balancer);
        Arc::make_mut(&mut world.groups).insert(SgId::from("sg-nlb"), group("sg-nlb"));
        let port = PortRange::single(8080);
        let rule = rule(
            Transport::Tcp(port),
            Peer::SecurityGroup(SgId::from("sg-nlb")),
        );
        assert_eq!(
            ask_fit(&world, &rule, 6, &[port], "198.51.100.7"),
            Fit::Possible
        );
    }

    #[test]
    fn an_icmp_record_may_be_of_any_type() {
        let rule = rule(
            Transport::Icmp(IcmpTypeCode::TypeCode(3, 4)),
            Peer::Cidr("0.0.0.0/0".parse().unwrap()),
        );
        assert_eq!(
            ask_fit(&world(), &rule, 1, &[PortRange::ALL], "203.0.113.9"),
            Fit::Part
        );
        assert_eq!(
            ask_fit(&world(), &rule, 58, &[PortRange::ALL], "2001:db8::1"),
            Fit::None
        );
    }
}
