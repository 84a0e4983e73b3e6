//! How much rules open: the volume of the union of their boxes, address ×
//! service point × protocol, counted once where they overlap.
//!
//! All protocols are 256, each with a service space of 65,536 points. IPv6 is
//! counted in /64 networks, a part of one as one. A group reference counts
//! the private addresses of its members today, a prefix list its entries.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;

use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SgId;
use crate::model::Transport;
use crate::net::AddressSet;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::tighten::boxes::elementary;

/// Number of IP protocols.
const PROTOCOLS: u128 = 256;

/// Looks up the addresses that peers stand for, each reference once.
pub struct Addresses<'a> {
    members: &'a dyn Fn(&SgId) -> AddressSet,
    lists: &'a BTreeMap<PrefixListId, PrefixList>,
    known: BTreeMap<Peer, Vec<IpNet>>,
}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").finish_non_exhaustive()
    }
}

impl<'a> Addresses<'a> {
    /// A look-up over today's members and lists.
    pub fn new(
        members: &'a dyn Fn(&SgId) -> AddressSet,
        lists: &'a BTreeMap<PrefixListId, PrefixList>,
    ) -> Addresses<'a> {
        Addresses {
            members,
            lists,
            known: BTreeMap::new(),
        }
    }

    /// The prefixes that the peer stands for today; none where a list's
    /// entries are not known.
    pub fn of(&mut self, peer: &Peer) -> &[IpNet] {
        let (members, lists) = (self.members, self.lists);
        self.known
            .entry(peer.clone())
            .or_insert_with(|| match peer {
                Peer::Cidr(net) => vec![*net],
                Peer::SecurityGroup(id) => members(id).prefixes(),
                Peer::PrefixList(id) => lists
                    .get(id)
                    .and_then(|list| list.entries.clone())
                    .unwrap_or_default(),
            })
    }

    /// How many addresses (IPv6: /64 networks) the peer stands for.
    pub fn count(&mut self, peer: &Peer) -> u128 {
        size(&self.of(peer).iter().copied().collect())
    }
}

/// The volume that the rules open together.
pub fn exposure<'r>(
    rules: impl Iterator<Item = (Transport, &'r Peer)>,
    addresses: &mut Addresses<'_>,
) -> u128 {
    let boxes: Vec<(Transport, Vec<IpNet>)> = rules
        .map(|(transport, peer)| (transport, addresses.of(peer).to_vec()))
        .collect();
    let mut named: Vec<IpProtocol> = boxes.iter().filter_map(|(t, _)| t.protocol()).collect();
    named.sort_unstable();
    named.dedup();
    let of_named: u128 = named
        .iter()
        .map(|&protocol| area(&boxes, |transport| transport.has_protocol(protocol)))
        .sum();
    let others = PROTOCOLS - named.len() as u128;
    of_named + others * area(&boxes, |transport| transport == Transport::All)
}

/// Address × service point of the union of the boxes chosen.
fn area(boxes: &[(Transport, Vec<IpNet>)], chosen: impl Fn(Transport) -> bool) -> u128 {
    let boxes: Vec<(PortRange, &[IpNet])> = boxes
        .iter()
        .filter(|(transport, _)| chosen(*transport))
        .map(|(transport, nets)| (transport.service(), nets.as_slice()))
        .collect();
    let services: Vec<PortRange> = boxes.iter().map(|(service, _)| *service).collect();
    let slab = |stretch: PortRange| {
        let here = boxes.iter().filter(|(service, _)| service.covers(stretch));
        let open: AddressSet = here.flat_map(|(_, nets)| nets.iter().copied()).collect();
        u128::from(stretch.count()) * size(&open)
    };
    elementary(&services).into_iter().map(slab).sum()
}

fn size(addresses: &AddressSet) -> u128 {
    u128::from(addresses.count_v4()) + addresses.count_v6_networks()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(rules: &[(Transport, &str)]) -> u128 {
        let members = |_: &SgId| ["10.0.0.7/32".parse().unwrap()].into_iter().collect();
        let lists = BTreeMap::new();
        let mut addresses = Addresses::new(&members, &lists);
        let peers: Vec<(Transport, Peer)> = rules
            .iter()
            .map(|&(transport, peer)| {
                let cidr = peer.parse().map(Peer::Cidr);
                (
                    transport,
                    cidr.unwrap_or(Peer::SecurityGroup(SgId::from(peer))),
                )
            })
            .collect();
        exposure(peers.iter().map(|(t, p)| (*t, p)), &mut addresses)
    }

    fn tcp(from: u16, to: u16) -> Transport {
        Transport::Tcp(PortRange::spanning(from, to))
    }

    #[test]
    fn what_two_rules_open_twice_counts_once() {
        let overlapping = [(tcp(80, 89), "10.0.0.0/24"), (tcp(85, 94), "10.0.0.0/25")];
        assert_eq!(opened(&overlapping), 10 * 256 + 5 * 128);
        let member = [(tcp(80, 89), "10.0.0.0/24"), (tcp(80, 80), "sg-app")];
        assert_eq!(opened(&member), 10 * 256);
    }

    #[test]
    fn everything_of_both_families_is_counted_without_overflow() {
        let all = [(Transport::All, "0.0.0.0/0"), (Transport::All, "::/0")];
        assert_eq!(opened(&all), 256 * 65_536 * ((1 << 32) + (1 << 64)));
        let with_tcp = [all[0], all[1], (tcp(443, 443), "0.0.0.0/0")];
        assert_eq!(opened(&with_tcp), opened(&all));
    }

    #[test]
    fn an_ipv6_address_counts_as_its_network() {
        assert_eq!(opened(&[(tcp(443, 443), "2001:db8::1/128")]), 1);
    }
}
