//! Ranked rules in the words of the ECS API, and which changes of them have no
//! way back, so that no script may make them.

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::model::Effect;
use crate::model::LAST_PRIORITY;
use crate::model::Peer;
use crate::model::SgId;
use crate::report::change::Change;
use crate::report::change::Terms;
use crate::report::document::GroupReport;
use crate::report::document::RuleReport;

/// A ranked rule as the ECS API says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) struct Ranked {
    /// `accept` or `drop`.
    pub(in crate::report) policy: &'static str,
    /// 1 to 100, smaller first.
    pub(in crate::report) priority: u16,
    /// `tcp`, `udp`, `icmp`, `gre` or `all`.
    pub(in crate::report) protocol: &'static str,
    /// `from/to`, -1/-1 where ports mean nothing.
    pub(in crate::report) ports: String,
}

impl Ranked {
    /// What the terms say of everything but the peer; `None` where no call can
    /// say it.
    pub(in crate::report) fn of(terms: &Terms) -> Option<Ranked> {
        let (protocol, has_ports) = match terms.protocol.as_str() {
            "tcp" => ("tcp", true),
            "udp" => ("udp", true),
            "icmp" => ("icmp", false),
            "47" => ("gre", false),
            "all" => ("all", false),
            _ => return None,
        };
        let ports = if has_ports {
            let from = terms.from_port.unwrap_or(0).max(1);
            let to = terms.to_port.unwrap_or(i32::from(u16::MAX));
            format!("{from}/{to}")
        } else {
            "-1/-1".to_owned()
        };
        Some(Ranked {
            policy: match terms.effect {
                Effect::Allow => "accept",
                Effect::Drop => "drop",
            },
            priority: terms
                .priority
                .filter(|number| (1..=LAST_PRIORITY).contains(number))?,
            protocol,
            ports,
        })
    }
}

/// Why a change of ranked rules is not made, if it is not.
pub(super) fn reason_to_hold(
    change: &Change<'_>,
    groups: &BTreeMap<&SgId, &GroupReport>,
) -> Option<&'static str> {
    let gone = change.removed.iter().map(|rule| Terms::of(rule));
    let new = change.added.iter().map(|one| one.terms.clone());
    let touched: Vec<Terms> = gone.chain(new).collect();
    if !touched.iter().any(Terms::is_ranked) {
        return None;
    }
    let limited = |rule: &&RuleReport| rule.limited;
    if change.removed.iter().any(limited) {
        return Some(
            "a rule that goes asks for more than a format can say (source ports, own addresses, a list of ports), so there would be no way back",
        );
    }
    if touched.iter().any(|terms| Ranked::of(terms).is_none()) {
        return Some(
            "a rule of it has a protocol or a priority that no call takes in every region, so it could not be given again",
        );
    }
    let foreign = |terms: &Terms| match &terms.peer {
        Peer::SecurityGroup(id) => !groups.contains_key(id),
        Peer::Cidr(_) | Peer::PrefixList(_) => false,
    };
    touched.iter().any(foreign).then_some(
        "a rule of it names a group that the snapshot lacks, maybe of another account, which a call would have to name",
    )
}

/// Which of four arguments names the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) enum PeerKind {
    /// A prefix of IPv4.
    Cidr,
    /// A prefix of IPv6.
    Ipv6Cidr,
    /// A group.
    Group,
    /// A prefix list.
    PrefixList,
}

impl PeerKind {
    /// Of this peer.
    pub(in crate::report) fn of(peer: &Peer) -> PeerKind {
        match peer {
            Peer::Cidr(IpNet::V4(_)) => PeerKind::Cidr,
            Peer::Cidr(IpNet::V6(_)) => PeerKind::Ipv6Cidr,
            Peer::SecurityGroup(_) => PeerKind::Group,
            Peer::PrefixList(_) => PeerKind::PrefixList,
        }
    }
}
