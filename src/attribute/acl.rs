//! What a network ACL does with a packet: numbered entries, first match
//! decides, IPv4 and IPv6 apart, no memory of connections (VPC user guide,
//! "Network ACLs").
//!
//! Where the packet is not fully known (an ICMP type, a reply's port known
//! only as a range) the first match may differ; then it cannot be told.

use std::net::IpAddr;

use crate::model::AclEntry;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::NetworkAcl;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// What the ACL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclDecision<'a> {
    /// Lets it through, by this entry.
    Allow(&'a AclEntry),
    /// Stops it, by this entry; `None` is the closing denial, unlisted.
    Deny(Option<&'a AclEntry>),
    /// Some of what the packet may be passes and some does not.
    Open,
}

/// The decision for packets to any of the `ports` from or to `remote`.
#[must_use]
pub fn decide<'a>(
    acl: &'a NetworkAcl,
    direction: Direction,
    protocol: IpProtocol,
    ports: &[PortRange],
    remote: IpAddr,
) -> AclDecision<'a> {
    let mut decisions = ports
        .iter()
        .map(|range| decide_range(acl, direction, protocol, *range, remote));
    let first = decisions.next().unwrap_or(AclDecision::Open);
    if decisions.all(|other| same_effect(&first, &other)) {
        first
    } else {
        AclDecision::Open
    }
}

fn same_effect(a: &AclDecision<'_>, b: &AclDecision<'_>) -> bool {
    matches!(
        (a, b),
        (AclDecision::Allow(_), AclDecision::Allow(_))
            | (AclDecision::Deny(_), AclDecision::Deny(_))
    )
}

fn decide_range<'a>(
    acl: &'a NetworkAcl,
    direction: Direction,
    protocol: IpProtocol,
    ports: PortRange,
    remote: IpAddr,
) -> AclDecision<'a> {
    // What an entry covers in part stays possible, and what comes after too.
    let mut partial: Option<AclDecision<'a>> = None;
    let matching = acl.entries_of(direction).filter(|entry| {
        entry.transport.has_protocol(protocol)
            && entry.transport.service().overlaps(ports)
            && entry.cidr.contains(&remote)
    });
    for entry in matching {
        let decision = match entry.effect {
            Effect::Allow => AclDecision::Allow(entry),
            Effect::Drop => AclDecision::Deny(Some(entry)),
        };
        if partial.is_some_and(|earlier| !same_effect(&earlier, &decision)) {
            return AclDecision::Open;
        }
        partial = partial.or(Some(decision));
        if entry.transport.service().covers(ports) {
            return partial.unwrap_or(decision);
        }
    }
    match partial {
        Some(AclDecision::Allow(_)) => AclDecision::Open,
        Some(decision) => decision,
        None => AclDecision::Deny(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AclId;
    use crate::model::Transport;
    use crate::model::sg::IcmpTypeCode;

    fn entry(number: u32, effect: Effect, transport: Transport) -> AclEntry {
        AclEntry {
            direction: Direction::Ingress,
            number,
            effect,
            transport,
            cidr: "0.0.0.0/0".parse().unwrap(),
        }
    }

    fn acl(entries: Vec<AclEntry>) -> NetworkAcl {
        NetworkAcl {
            id: AclId::from("acl-1"),
            vpc_id: None,
            subnets: Vec::new(),
            entries,
        }
    }

    fn number(acl: &NetworkAcl, protocol: u8, ports: PortRange) -> Option<(bool, u32)> {
        match decide(
            acl,
            Direction::Ingress,
            IpProtocol(protocol),
            &[ports],
            "203.0.113.9".parse().unwrap(),
        ) {
            AclDecision::Allow(entry) => Some((true, entry.number)),
            AclDecision::Deny(entry) => Some((false, entry.map_or(0, |entry| entry.number))),
            AclDecision::Open => None,
        }
    }

    #[test]
    fn the_first_matching_entry_decides() {
        let ssh = Transport::Tcp(PortRange::single(22));
        let acl = acl(vec![
            entry(90, Effect::Drop, ssh),
            entry(100, Effect::Allow, Transport::All),
        ]);
        assert_eq!(number(&acl, 6, PortRange::single(22)), Some((false, 90)));
        assert_eq!(number(&acl, 6, PortRange::single(443)), Some((true, 100)));
        assert_eq!(number(&acl, 6, PortRange::spanning(20, 30)), None);
    }

    #[test]
    fn an_unknown_icmp_type_leaves_it_open() {
        let echo = Transport::Icmp(IcmpTypeCode::Type(8));
        let open = acl(vec![entry(90, Effect::Allow, echo)]);
        assert_eq!(number(&open, 1, PortRange::ALL), None);
        let shut = acl(vec![entry(90, Effect::Drop, echo)]);
        assert_eq!(number(&shut, 1, PortRange::ALL), Some((false, 90)));
    }

    #[test]
    fn nothing_listed_is_denied() {
        assert_eq!(
            number(&acl(Vec::new()), 6, PortRange::single(80)),
            Some((false, 0))
        );
    }
}
