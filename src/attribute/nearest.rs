//! Which rules come nearest to a packet that no rule passes, and on what they
//! miss it.
//!
//! Said of REJECTs and by `why`. It explains and never proposes: a rule that
//! nearly fits is no reason to widen it.

use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
use crate::attribute::matching::groups_of;
use crate::attribute::matching::peer_fit;
use crate::attribute::scene::PeerFacts;
use crate::attribute::scene::Scene;
use crate::attribute::verdict::Miss;
use crate::attribute::verdict::NearestRule;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::SgRule;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// How many rules are told at most.
pub const MOST: usize = 5;

/// The rules of the interface's groups that come nearest: fewest misses
/// first, then port before peer before protocol, then by id.
#[must_use]
pub fn nearest(eni: &Eni, ask: &Ask<'_>, scene: &Scene<'_>) -> Vec<NearestRule> {
    ranked(eni, ask, scene)
        .into_iter()
        .map(|(rule, misses)| NearestRule {
            rule_id: rule.id.clone(),
            misses,
        })
        .collect()
}

/// As [`nearest`], each with its misses in words.
#[must_use]
pub fn nearest_in_words(eni: &Eni, ask: &Ask<'_>, scene: &Scene<'_>) -> Vec<(NearestRule, String)> {
    ranked(eni, ask, scene)
        .into_iter()
        .map(|(rule, misses)| {
            let text = in_words(rule, &misses, ask);
            let rule_id = rule.id.clone();
            (NearestRule { rule_id, misses }, text)
        })
        .collect()
}

fn ranked<'a>(eni: &Eni, ask: &Ask<'_>, scene: &Scene<'a>) -> Vec<(&'a SgRule, Vec<Miss>)> {
    let rules = groups_of(eni, scene)
        .0
        .into_iter()
        .flat_map(|group| group.rules_of(ask.direction))
        .filter(|rule| rule.effect == Effect::Allow);
    let mut near: Vec<(&SgRule, Vec<Miss>)> = rules
        .map(|rule| (rule, misses(rule, ask, scene)))
        .filter(|(_, misses)| !misses.is_empty())
        .collect();
    near.sort_by_key(|(rule, misses)| {
        let ranks: Vec<u8> = misses.iter().map(|miss| distance(*miss)).collect();
        (misses.len(), ranks, &rule.id)
    });
    near.dedup_by_key(|(rule, _)| &rule.id);
    near.truncate(MOST);
    near
}

fn distance(miss: Miss) -> u8 {
    match miss {
        Miss::Port => 0,
        Miss::Peer => 1,
        Miss::Protocol => 2,
    }
}

/// On what a rule of the asked direction misses; empty where it fits, or may.
/// Ports of two protocols are compared only where both have ports.
#[must_use]
pub fn misses(rule: &SgRule, ask: &Ask<'_>, scene: &Scene<'_>) -> Vec<Miss> {
    let protocol = !rule.transport.has_protocol(ask.protocol);
    let comparable = !protocol
        || (ask.protocol.has_ports()
            && rule.transport.protocol().is_some_and(IpProtocol::has_ports));
    let own = rule.transport.service();
    let port = comparable && !ask.services.iter().any(|service| own.overlaps(*service));
    let peer = peer_fit(&rule.peer, ask.peer, scene) == Fit::None;
    [
        (protocol, Miss::Protocol),
        (port, Miss::Port),
        (peer, Miss::Peer),
    ]
    .into_iter()
    .filter_map(|(missed, miss)| missed.then_some(miss))
    .collect()
}

/// `sgr-1 allows tcp/443 from 10.0.0.0/8; this is tcp/22`.
#[must_use]
pub fn in_words(rule: &SgRule, misses: &[Miss], ask: &Ask<'_>) -> String {
    let side = side(ask.direction);
    let service = misses
        .iter()
        .any(|miss| matches!(miss, Miss::Protocol | Miss::Port));
    let mut this = Vec::new();
    if service {
        this.push(service_text(ask.protocol, ask.services));
    }
    if misses.contains(&Miss::Peer) {
        this.push(format!("{side} {}", peer_text(ask.peer)));
    }
    format!(
        "{} allows {} {side} {}; this is {}",
        rule.id,
        rule.transport,
        rule.peer,
        this.join(" ")
    )
}

/// The word before a peer: traffic comes from it or goes to it.
#[must_use]
pub fn side(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    }
}

/// An address, with the groups of its interface: `10.0.2.20 (sg-app)`.
fn peer_text(peer: &PeerFacts<'_>) -> String {
    let groups: Vec<String> = peer.groups().iter().map(ToString::to_string).collect();
    if groups.is_empty() {
        peer.address.to_string()
    } else {
        format!("{} ({})", peer.address, groups.join(", "))
    }
}

/// Protocol and service as rules print them: `tcp/22`, `icmp/8/0`.
#[must_use]
pub fn service_text(protocol: IpProtocol, services: &[PortRange]) -> String {
    let mut texts: Vec<String> = services
        .iter()
        .map(|service| one_service(protocol, *service))
        .collect();
    texts.dedup();
    texts.join(" or ")
}

fn one_service(protocol: IpProtocol, service: PortRange) -> String {
    let [kind, code] = service.from().to_be_bytes();
    if !protocol.is_icmp() || service == PortRange::ALL {
        Transport::of(protocol, service).to_string()
    } else if service.count() == 1 {
        format!("{protocol}/{kind}/{code}")
    } else {
        format!("{protocol}/{kind}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::model::Direction;
    use crate::model::EniId;
    use crate::model::Snapshot;

    fn near(snapshot: &Snapshot, protocol: u8, port: u16, peer: &str) -> Vec<(String, Vec<Miss>)> {
        words(snapshot, protocol, port, peer)
            .into_iter()
            .map(|(near, _)| (near.rule_id.to_string(), near.misses))
            .collect()
    }

    fn words(
        snapshot: &Snapshot,
        protocol: u8,
        port: u16,
        peer: &str,
    ) -> Vec<(NearestRule, String)> {
        let scene = Scene::new(snapshot);
        let eni = &snapshot.enis[&EniId::parse("eni-db").unwrap()];
        let peer = scene.peer(peer.parse().unwrap(), eni);
        let ask = Ask {
            local: eni,
            direction: Direction::Ingress,
            protocol: IpProtocol(protocol),
            services: &[PortRange::single(port)],
            sources: &[],
            peer: &peer,
        };
        nearest_in_words(eni, &ask, &scene)
    }

    fn database() -> Snapshot {
        World::new()
            .eni("eni-db", "subnet-2", "10.0.2.30", &["sg-db"])
            .eni("eni-app", "subnet-1", "10.0.1.10", &["sg-app"])
            .group("sg-app", &[])
            .group(
                "sg-db",
                &[
                    "in tcp 5432 sg-app",
                    "in tcp 443 10.0.0.0/8",
                    "in udp 5432 10.0.0.0/8",
                    "in icmp 8 10.0.0.0/8",
                    "out all - 0.0.0.0/0",
                ],
            )
            .snapshot()
    }

    #[test]
    fn fewest_misses_come_first() {
        let found = near(&database(), 6, 22, "10.9.9.9");
        let misses: Vec<usize> = found.iter().map(|(_, misses)| misses.len()).collect();
        // Egress rules are no candidates of ingress.
        assert_eq!(misses, vec![1, 1, 2, 2]);
        assert_eq!(found[0].0, "sg-db/ingress/tcp/443-443/10.0.0.0/8");
        assert_eq!(found[0].1, vec![Miss::Port]);
        assert_eq!(found[1].0, "sg-db/ingress/icmp/8--1/10.0.0.0/8");
        // ICMP has no ports to miss on.
        assert_eq!(found[1].1, vec![Miss::Protocol]);
    }

    #[test]
    fn ports_of_two_protocols_are_compared_where_both_have_them() {
        let found = near(&database(), 17, 443, "10.9.9.9");
        let of = |id: &str| {
            let (_, misses) = found.iter().find(|(found, _)| found == id).unwrap();
            misses.clone()
        };
        assert_eq!(
            of("sg-db/ingress/tcp/443-443/10.0.0.0/8"),
            vec![Miss::Protocol]
        );
        assert_eq!(
            of("sg-db/ingress/udp/5432-5432/10.0.0.0/8"),
            vec![Miss::Port]
        );
        assert_eq!(
            of("sg-db/ingress/tcp/5432-5432/sg-app"),
            vec![Miss::Protocol, Miss::Port, Miss::Peer]
        );
    }

    #[test]
    fn words_say_only_what_is_missed() {
        let text =
            |protocol, port, peer: &str| words(&database(), protocol, port, peer)[0].1.clone();
        assert_eq!(
            text(6, 22, "10.9.9.9"),
            "sg-db/ingress/tcp/443-443/10.0.0.0/8 allows tcp/443 from 10.0.0.0/8; this is tcp/22"
        );
        assert_eq!(
            text(6, 443, "192.0.2.1"),
            "sg-db/ingress/tcp/443-443/10.0.0.0/8 allows tcp/443 from 10.0.0.0/8; this is from 192.0.2.1"
        );
    }

    #[test]
    fn no_more_than_five_are_told() {
        let rules: Vec<String> = (1..9)
            .map(|port| format!("in tcp {port} 10.0.0.0/8"))
            .collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let snapshot = World::new()
            .eni("eni-db", "subnet-2", "10.0.2.30", &["sg-db"])
            .group("sg-db", &rules)
            .snapshot();
        assert_eq!(near(&snapshot, 6, 22, "10.9.9.9").len(), MOST);
    }
}
