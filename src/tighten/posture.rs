//! What a rule is by its words alone, whatever the logs say: open to the world
//! behind a sensitive port, open to every protocol, or a group that refers to
//! itself.

use crate::model::Direction;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Transport;
use crate::net::PortSet;

/// What is worth a look in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Posture {
    /// Everybody may reach a sensitive port.
    OpenToWorld,
    /// Every protocol and port.
    AllTraffic,
    /// Members of the group among each other.
    SelfReference,
}

/// What is worth a look in the rule of a group.
#[must_use]
pub fn of_rule(group: &SgId, rule: &SgRule, sensitive: &PortSet) -> Vec<Posture> {
    if rule.effect == Effect::Drop {
        return Vec::new();
    }
    let found = [
        (Posture::OpenToWorld, is_open_to_world(rule, sensitive)),
        (Posture::AllTraffic, rule.transport == Transport::All),
        (
            Posture::SelfReference,
            rule.peer == Peer::SecurityGroup(group.clone()),
        ),
    ];
    found
        .into_iter()
        .filter_map(|(posture, holds)| holds.then_some(posture))
        .collect()
}

fn is_open_to_world(rule: &SgRule, sensitive: &PortSet) -> bool {
    let everybody = match &rule.peer {
        Peer::Cidr(net) => net.prefix_len() == 0,
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => false,
    };
    let ports = match rule.transport {
        Transport::All => !sensitive.is_empty(),
        Transport::Tcp(ports) | Transport::Udp(ports) => {
            sensitive.ranges().iter().any(|range| range.overlaps(ports))
        }
        Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => false,
    };
    rule.direction == Direction::Ingress && everybody && ports
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Limits;
    use crate::model::SgRuleId;
    use crate::net::PortRange;
    use crate::tighten::weight::sensitive_ports;

    fn posture(direction: Direction, transport: Transport, peer: &str) -> Vec<Posture> {
        let group = SgId::from("sg-1");
        let label = || Peer::SecurityGroup(SgId::from(peer));
        let rule = SgRule {
            id: SgRuleId::from("r"),
            direction,
            effect: Effect::Allow,
            priority: None,
            transport,
            peer: peer.parse().map_or_else(|_| label(), Peer::Cidr),
            limits: Limits::default(),
            description: String::new(),
        };
        of_rule(&group, &rule, &sensitive_ports())
    }

    #[test]
    fn a_rule_is_judged_by_its_words() {
        let tcp = |port| Transport::Tcp(PortRange::single(port));
        let into = Direction::Ingress;
        assert_eq!(posture(into, tcp(22), "0.0.0.0/0"), [Posture::OpenToWorld]);
        assert_eq!(posture(into, tcp(22), "::/0"), [Posture::OpenToWorld]);
        assert_eq!(posture(into, tcp(443), "0.0.0.0/0"), []);
        assert_eq!(posture(into, tcp(22), "10.0.0.0/8"), []);
        assert_eq!(posture(Direction::Egress, tcp(22), "0.0.0.0/0"), []);
        let all = [Posture::OpenToWorld, Posture::AllTraffic];
        assert_eq!(posture(into, Transport::All, "0.0.0.0/0"), all);
        assert_eq!(
            posture(Direction::Egress, Transport::All, "0.0.0.0/0"),
            [Posture::AllTraffic]
        );
        assert_eq!(posture(into, tcp(80), "sg-1"), [Posture::SelfReference]);
        assert_eq!(posture(into, tcp(80), "sg-2"), []);
    }
}
