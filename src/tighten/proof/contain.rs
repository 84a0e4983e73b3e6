//! New within old, by exact box difference.
//!
//! A rule is a box over protocol, service point and address. Each box of
//! today is cut out of it; what is left after the last is what the rule would
//! newly allow, and its first corner is the witness. References are compared
//! as names, over protocol and service alone: whoever a group's members are
//! tomorrow, the answer stays true. What no rule with the same reference
//! allows may still be allowed to every address that the group can ever have;
//! [`beyond_reach`] asks for that.

use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::SgId;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A packet that would newly pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packet {
    /// Its protocol.
    pub protocol: IpProtocol,
    /// Its port, or `type << 8 | code` of ICMP; 0 where it means nothing.
    pub service: u16,
    /// Its far side.
    pub peer: PacketPeer,
}

/// The far side of a packet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PacketPeer {
    /// This address.
    Address(IpAddr),
    /// Any member of the group.
    Member(SgId),
    /// Any address of the list.
    Entry(PrefixListId),
}

impl fmt::Display for Packet {
    /// `tcp/22 10.0.0.1`, `udp/53 sg-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} ", self.protocol, self.service)?;
        match &self.peer {
            PacketPeer::Address(address) => write!(f, "{address}"),
            PacketPeer::Member(group) => write!(f, "{group}"),
            PacketPeer::Entry(list) => write!(f, "{list}"),
        }
    }
}

/// A packet that the rule lets through and none of `today` does; `None` where
/// there is none.
#[must_use]
pub fn beyond(transport: Transport, peer: &Peer, today: &[(Transport, &Peer)]) -> Option<Packet> {
    let left = uncovered(vec![Piece::of(transport, peer)], peer, today);
    left.first().map(|piece| piece.corner(peer))
}

/// As [`beyond`], for a reference to a group whose members can have the
/// addresses of `reach` and no others: where no rule of `today` names the
/// group, its rules for addresses must allow it to all of them.
#[must_use]
pub fn beyond_reach(
    transport: Transport,
    peer: &Peer,
    today: &[(Transport, &Peer)],
    reach: &[IpNet],
) -> Option<Packet> {
    for piece in uncovered(vec![Piece::of(transport, peer)], peer, today) {
        for net in reach {
            let range = Peer::Cidr(*net);
            let asked = piece.with(2, Side::of_peer(&range));
            if let Some(open) = uncovered(vec![asked], &range, today).first() {
                return Some(open.corner(&range));
            }
        }
    }
    None
}

/// A packet that both rules let through and none of `standing` does; `None`
/// where there is none. A reference shares packets with its like alone.
#[must_use]
pub fn common_beyond(
    one: (Transport, &Peer),
    other: (Transport, &Peer),
    standing: &[(Transport, &Peer)],
) -> Option<Packet> {
    if !same_space(one.1, other.1) {
        return None;
    }
    let common = Piece::of(one.0, one.1).common(&Piece::of(other.0, other.1))?;
    let left = uncovered(vec![common], one.1, standing);
    left.first().map(|piece| piece.corner(one.1))
}

/// What is left of the pieces, all of one peer, when today's rules are cut out.
fn uncovered(mut left: Vec<Piece>, peer: &Peer, today: &[(Transport, &Peer)]) -> Vec<Piece> {
    let comparable = today.iter().filter(|(_, other)| same_space(peer, other));
    for (transport, peer) in comparable {
        if left.is_empty() {
            break;
        }
        let gone = Piece::of(*transport, peer);
        left = left.iter().flat_map(|piece| piece.without(&gone)).collect();
    }
    left
}

/// Whether two peers lie on one axis: prefixes of one family, or one and the
/// same reference.
fn same_space(a: &Peer, b: &Peer) -> bool {
    match (a, b) {
        (Peer::Cidr(IpNet::V4(_)), Peer::Cidr(IpNet::V4(_)))
        | (Peer::Cidr(IpNet::V6(_)), Peer::Cidr(IpNet::V6(_))) => true,
        (Peer::SecurityGroup(a), Peer::SecurityGroup(b)) => a == b,
        (Peer::PrefixList(a), Peer::PrefixList(b)) => a == b,
        (Peer::Cidr(_) | Peer::SecurityGroup(_) | Peer::PrefixList(_), _) => false,
    }
}

/// Closed interval on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Side {
    low: u128,
    high: u128,
}

/// Protocol, service, address. A reference is one point on the third axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece([Side; 3]);

impl Piece {
    fn of(transport: Transport, peer: &Peer) -> Piece {
        let protocols = match transport {
            Transport::All => Side {
                low: 0,
                high: u128::from(u8::MAX),
            },
            Transport::Tcp(_) => Side::point(6),
            Transport::Udp(_) => Side::point(17),
            Transport::Icmp(_) => Side::point(1),
            Transport::Icmpv6(_) => Side::point(58),
            Transport::Other(IpProtocol(number)) => Side::point(u128::from(number)),
        };
        let services: PortRange = match transport {
            Transport::Tcp(ports) | Transport::Udp(ports) => ports,
            Transport::Icmp(scope) | Transport::Icmpv6(scope) => scope.range(),
            Transport::All | Transport::Other(_) => PortRange::ALL,
        };
        let services = Side {
            low: u128::from(services.from()),
            high: u128::from(services.to()),
        };
        Piece([protocols, services, Side::of_peer(peer)])
    }

    fn common(&self, other: &Piece) -> Option<Piece> {
        let [protocol, service, address] = self.0;
        let [protocols, services, addresses] = other.0;
        Some(Piece([
            protocol.common(protocols)?,
            service.common(services)?,
            address.common(addresses)?,
        ]))
    }

    /// What is left when the other is cut out: disjoint pieces, at most two
    /// for each axis.
    fn without(&self, gone: &Piece) -> Vec<Piece> {
        let mut left = Vec::new();
        // The part of this piece that shares the axes so far with the other.
        let mut core = *self;
        for (axis, cut) in gone.0.iter().enumerate() {
            let Some(own) = core.0.get(axis).copied() else {
                break;
            };
            let Some(common) = own.common(*cut) else {
                return vec![*self];
            };
            for rest in [own.below(common), own.above(common)].into_iter().flatten() {
                left.push(core.with(axis, rest));
            }
            core = core.with(axis, common);
        }
        left
    }

    fn with(mut self, axis: usize, side: Side) -> Piece {
        if let Some(own) = self.0.get_mut(axis) {
            *own = side;
        }
        self
    }

    /// Its lowest packet; of several protocols the one that is best known.
    fn corner(&self, peer: &Peer) -> Packet {
        let [protocols, services, address] = self.0;
        let known = |side: Side, at: u128| {
            let several = protocols.low < protocols.high;
            if several && side.low <= at && at <= side.high {
                at
            } else {
                side.low
            }
        };
        let (protocol, service) = (known(protocols, 6), known(services, 22));
        Packet {
            protocol: IpProtocol(u8::try_from(protocol).unwrap_or(u8::MAX)),
            service: u16::try_from(service).unwrap_or(u16::MAX),
            peer: match peer {
                Peer::Cidr(IpNet::V4(_)) => {
                    let bits = u32::try_from(address.low).unwrap_or(u32::MAX);
                    PacketPeer::Address(IpAddr::V4(Ipv4Addr::from(bits)))
                }
                Peer::Cidr(IpNet::V6(_)) => {
                    PacketPeer::Address(IpAddr::V6(Ipv6Addr::from(address.low)))
                }
                Peer::SecurityGroup(id) => PacketPeer::Member(id.clone()),
                Peer::PrefixList(id) => PacketPeer::Entry(id.clone()),
            },
        }
    }
}

impl Side {
    fn point(at: u128) -> Side {
        Side { low: at, high: at }
    }

    fn of_peer(peer: &Peer) -> Side {
        match peer {
            Peer::Cidr(IpNet::V4(net)) => Side {
                low: u128::from(u32::from(net.network())),
                high: u128::from(u32::from(net.broadcast())),
            },
            Peer::Cidr(IpNet::V6(net)) => Side {
                low: u128::from(net.network()),
                high: u128::from(net.broadcast()),
            },
            Peer::SecurityGroup(_) | Peer::PrefixList(_) => Side::point(0),
        }
    }

    fn common(self, other: Side) -> Option<Side> {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        (low <= high).then_some(Side { low, high })
    }

    fn below(self, inner: Side) -> Option<Side> {
        (self.low < inner.low).then(|| Side {
            low: self.low,
            high: inner.low - 1,
        })
    }

    fn above(self, inner: Side) -> Option<Side> {
        (inner.high < self.high).then(|| Side {
            low: inner.high + 1,
            high: self.high,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cidr(text: &str) -> Peer {
        Peer::Cidr(text.parse().unwrap())
    }

    fn tcp(from: u16, to: u16) -> Transport {
        Transport::Tcp(PortRange::spanning(from, to))
    }

    #[test]
    fn a_prefix_inside_two_rules_together_is_contained() {
        let (low, high) = (cidr("10.0.0.0/25"), cidr("10.0.0.128/25"));
        let today = [(tcp(80, 90), &low), (tcp(80, 85), &high)];
        assert_eq!(beyond(tcp(80, 85), &cidr("10.0.0.0/24"), &today), None);
        let packet = beyond(tcp(80, 86), &cidr("10.0.0.0/24"), &today).unwrap();
        assert_eq!(packet.to_string(), "tcp/86 10.0.0.128");
    }

    #[test]
    fn all_protocols_are_more_than_any_list_of_them() {
        let peer = cidr("10.0.0.0/24");
        let named: Vec<(Transport, &Peer)> = (0..=u8::MAX)
            .map(|number| (Transport::Other(IpProtocol(number)), &peer))
            .collect();
        assert_eq!(beyond(Transport::All, &peer, &named), None);
        let without_gre: Vec<_> = named
            .iter()
            .copied()
            .filter(|(t, _)| t.protocol() != Some(IpProtocol(47)))
            .collect();
        let packet = beyond(Transport::All, &peer, &without_gre).unwrap();
        assert_eq!(packet.protocol, IpProtocol(47));
        assert_eq!(beyond(tcp(1, 2), &peer, &[(Transport::All, &peer)]), None);
    }

    #[test]
    fn an_address_never_stands_for_a_reference() {
        let label = Peer::SecurityGroup(SgId::from("sg-1"));
        let other = Peer::SecurityGroup(SgId::from("sg-2"));
        let everyone = cidr("0.0.0.0/0");
        assert!(beyond(tcp(1, 1), &cidr("10.0.0.1/32"), &[(tcp(1, 1), &label)]).is_some());
        assert!(beyond(tcp(1, 1), &label, &[(tcp(1, 1), &everyone)]).is_some());
        assert!(beyond(tcp(1, 1), &label, &[(tcp(1, 1), &other)]).is_some());
        let packet = beyond(
            tcp(1, 3),
            &label,
            &[(tcp(1, 1), &label), (tcp(3, 9), &label)],
        );
        assert_eq!(packet.unwrap().to_string(), "tcp/2 sg-1");
    }

    /// A small box: ports 0..8, 16 addresses, two protocols or all.
    fn small() -> impl Strategy<Value = (Transport, Peer)> {
        (0u8..3, 0u16..8, 0u16..8, 0u8..16, 28u8..=32).prop_map(|(kind, a, b, host, len)| {
            let ports = PortRange::spanning(a, b);
            let transport = match kind {
                0 => Transport::All,
                1 => Transport::Tcp(ports),
                _ => Transport::Udp(ports),
            };
            let net = IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), len);
            (transport, Peer::Cidr(net.unwrap().trunc()))
        })
    }

    fn passes(rule: (Transport, &Peer), protocol: IpProtocol, port: u16, host: u8) -> bool {
        let Peer::Cidr(net) = rule.1 else {
            return false;
        };
        rule.0.has_protocol(protocol)
            && rule.0.service().contains(port)
            && net.contains(&IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)))
    }

    proptest! {
        #[test]
        fn a_witness_is_found_just_where_trying_every_packet_finds_one(
            rule in small(), today in prop::collection::vec(small(), 0..8),
        ) {
            let old: Vec<(Transport, &Peer)> = today.iter().map(|(t, p)| (*t, p)).collect();
            let new = (rule.0, &rule.1);
            let open = |protocol: IpProtocol, port: u16, host: u8| {
                passes(new, protocol, port, host)
                    && !old.iter().any(|&old| passes(old, protocol, port, host))
            };
            let protocols = [IpProtocol::TCP, IpProtocol::UDP, IpProtocol(47)];
            let tried = protocols.iter().any(|&protocol| (0..9).any(|port| {
                (0..16).any(|host| open(protocol, port, host))
            }));
            let found = beyond(rule.0, &rule.1, &old);
            prop_assert_eq!(found.is_some(), tried);
            if let Some(packet) = found {
                let PacketPeer::Address(IpAddr::V4(address)) = packet.peer else {
                    return Err(TestCaseError::fail("not an address"));
                };
                prop_assert!(open(packet.protocol, packet.service, address.octets()[3]));
            }
        }
    }
}
