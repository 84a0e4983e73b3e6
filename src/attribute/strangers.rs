//! What groups and ACL say of strangers, addresses from outside that nobody
//! owns: scanners come by the thousand, and only where a rule, an ACL entry or
//! the subnet begins or ends can one of them be told from another. So both
//! spaces are cut there, and one answer serves all that lies between two cuts.

use std::cell::Cell;
use std::cell::RefCell;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::cover::Candidate;
use crate::attribute::panel::Seat;
use crate::attribute::verdict::RejectCause;
use crate::collections::HashMap;
use crate::model::NetworkAcl;
use crate::model::Peer;
use crate::model::SgRule;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::net::cidr::address_bits;
use crate::net::cidr::net_bounds;

/// Requests that no rule of the interface tells apart: stretch of addresses,
/// protocol, and stretch of ports where the protocol has some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind(usize, IpProtocol, Option<usize>);

/// The answers given so far, by kind.
#[derive(Debug)]
pub(super) struct Strangers {
    /// First address of each stretch but the lowest, ascending.
    addresses: Vec<(Family, u128)>,
    /// First port of each stretch but the lowest, ascending.
    ports: Vec<u16>,
    /// The address asked about last with its stretch, if it is a stranger.
    last: Cell<Option<(IpAddr, Option<usize>)>>,
    /// The cause, where it is noise.
    answers: RefCell<HashMap<Kind, Option<RejectCause>>>,
}

impl Strangers {
    /// Cuts the spaces where the rules, ACL and subnet of an interface do.
    #[must_use]
    pub(super) fn new(own: &Candidate<'_>, seat: &Seat<'_>, acl: Option<&NetworkAcl>) -> Strangers {
        let rules = || seat.groups.iter().flat_map(|(group, _)| &group.rules);
        let entries = || acl.into_iter().flat_map(|acl| &acl.entries);
        let subnet = own.scene.subnet_of(own.eni);
        let mut nets: Vec<IpNet> = rules()
            .flat_map(|rule| nets_of(rule, own))
            .copied()
            .collect();
        nets.extend(entries().map(|entry| entry.cidr));
        nets.extend(subnet.into_iter().flat_map(|subnet| &subnet.cidrs));
        let transports = rules().map(|rule| rule.transport);
        let transports = transports.chain(entries().map(|entry| entry.transport));
        let services = transports.map(Transport::service);
        Strangers {
            addresses: cuts(nets.into_iter().flat_map(bounds)),
            ports: cuts(services.flat_map(ends)),
            last: Cell::new(None),
            answers: RefCell::default(),
        }
    }

    /// The kind of requests from a peer, if it is a stranger and nothing tells
    /// their services apart.
    pub(super) fn kind(
        &self,
        peer: IpAddr,
        protocol: IpProtocol,
        services: &[PortRange],
        is_stranger: impl FnOnce() -> bool,
    ) -> Option<Kind> {
        let stretch = match self.last.get() {
            Some((last, stretch)) if last == peer => stretch,
            _ => {
                let place = (Family::of(peer), address_bits(peer));
                let stretch = is_stranger().then(|| stretch(&self.addresses, place));
                self.last.set(Some((peer, stretch)));
                stretch
            }
        }?;
        let port = if protocol.has_ports() {
            Some(self.stretch_of_all(services)?)
        } else {
            None
        };
        Some(Kind(stretch, protocol, port))
    }

    /// The one stretch that all of the services lie in.
    fn stretch_of_all(&self, services: &[PortRange]) -> Option<usize> {
        let first = stretch(&self.ports, services.first()?.from());
        let inside = |port| stretch(&self.ports, port) == first;
        let mut rest = services.iter();
        rest.all(|range| inside(range.to()) && inside(range.from()))
            .then_some(first)
    }

    /// The cause of noise of a kind, or that it is none: told by `ask` for the
    /// first of them.
    pub(super) fn cause(
        &self,
        kind: Kind,
        ask: impl FnOnce() -> Option<RejectCause>,
    ) -> Option<RejectCause> {
        let known = self.answers.borrow().get(&kind).copied();
        known.unwrap_or_else(|| {
            let answer = ask();
            self.answers.borrow_mut().insert(kind, answer);
            answer
        })
    }
}

fn nets_of<'s>(rule: &'s SgRule, own: &Candidate<'s>) -> &'s [IpNet] {
    match &rule.peer {
        Peer::Cidr(net) => std::slice::from_ref(net),
        Peer::PrefixList(list) => own.scene.entries(list).unwrap_or_default(),
        Peer::SecurityGroup(_) => &[],
    }
}

/// Where a prefix begins, what follows it, and where its family begins.
fn bounds(net: IpNet) -> impl Iterator<Item = (Family, u128)> {
    let family = Family::of_net(net);
    let (first, last) = net_bounds(net);
    let places = [Some(0), Some(first), last.checked_add(1)];
    places.into_iter().flatten().map(move |at| (family, at))
}

/// Where a range begins, and what follows it.
fn ends(range: PortRange) -> impl Iterator<Item = u16> {
    let ends = [Some(range.from()), range.to().checked_add(1)];
    ends.into_iter().flatten()
}

fn cuts<K: Ord>(all: impl Iterator<Item = K>) -> Vec<K> {
    let mut cuts: Vec<K> = all.collect();
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

/// The number of the stretch that a point lies in.
fn stretch<K: Ord + Copy>(cuts: &[K], point: K) -> usize {
    cuts.partition_point(|cut| *cut <= point)
}
