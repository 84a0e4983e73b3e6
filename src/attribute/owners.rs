//! What the logs themselves tell of owners, where snapshots are silent.
//!
//! An interface's records have its own address on one side: which one, the
//! direction says, or else that it is in all of them while the other ends
//! differ. Where that leaves exactly one address an era and family, it was the
//! interface's; of one that forwards what others send it leaves none, and
//! nothing is said. Kinds of interfaces that forward are not asked.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::net::Ipv4Addr;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::collections::HashMap;
use crate::evidence::Evidence;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cuts::Level;
use crate::evidence::era::HANDOVER_SLACK;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::pool::Grain;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::FlowDirection;
use crate::model::InterfaceKind;
use crate::model::Snapshot;
use crate::net::Timestamp;

/// What goes to all, and is nobody's own.
const BROADCAST: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);

/// An address that was an interface's, as its own records tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The address.
    pub address: IpAddr,
    era: u16,
    first: Timestamp,
    last: Timestamp,
}

/// Addresses that interfaces show to be their own and no snapshot gives them.
#[derive(Debug, Default)]
pub struct Owners {
    by_interface: HashMap<EniId, Vec<Stay>>,
    /// The same, sorted by interface.
    all: Vec<(EniId, Stay)>,
}

impl Owners {
    /// What evidence tells beside these snapshots, oldest first.
    #[must_use]
    pub fn of(evidence: &Evidence, snapshots: &[&Snapshot]) -> Owners {
        let stays: Vec<(EniId, Vec<Stay>)> = evidence
            .by_id()
            .into_par_iter()
            .map(|(id, seen)| {
                let grain = evidence.coarse.as_ref().and_then(|coarse| coarse.of(id));
                (id, stays(seen, grain, &known(id, snapshots)))
            })
            .filter(|(_, stays)| !stays.is_empty())
            .collect();
        let each = |(id, stays): &(EniId, Vec<Stay>)| {
            let id = *id;
            stays
                .iter()
                .map(move |stay| (id, *stay))
                .collect::<Vec<_>>()
        };
        Owners {
            all: stays.iter().flat_map(each).collect(),
            by_interface: stays.into_iter().collect(),
        }
    }

    /// Addresses of one interface.
    #[must_use]
    pub fn of_interface(&self, id: EniId) -> &[Stay] {
        self.by_interface.get(&id).map_or(&[], Vec::as_slice)
    }

    /// What was some interface's in a span of time, either end open.
    pub fn within(
        &self,
        start: Option<Timestamp>,
        end: Option<Timestamp>,
    ) -> impl Iterator<Item = (EniId, IpAddr)> {
        let overlaps = move |stay: &Stay| {
            start.is_none_or(|start| stay.last.0 >= start.0.saturating_sub(HANDOVER_SLACK))
                && end.is_none_or(|end| stay.first.0 <= end.0.saturating_add(HANDOVER_SLACK))
        };
        let all = self.all.iter().filter(move |(_, stay)| overlaps(stay));
        all.map(|(id, stay)| (*id, stay.address))
    }
}

/// Which way packets went, where one end is the interface's own.
#[must_use]
pub fn way(stays: &[Stay], key: &CellKey, grain: Option<&Grain>) -> Option<Direction> {
    let owns = |address: IpAddr| {
        let mut own = stays.iter().filter(|stay| stay.era == key.era);
        let stands_for = |own: IpAddr| match grain {
            Some(grain) => grain.peers(address, key).contains(&own),
            None => own == address,
        };
        own.any(|stay| stands_for(stay.address))
    };
    match (owns(key.source), owns(key.destination)) {
        (true, false) => Some(Direction::Egress),
        (false, true) => Some(Direction::Ingress),
        (true, true) | (false, false) => None,
    }
}

/// The interface as snapshots have it, newest first; none where none does.
fn known<'s>(id: EniId, snapshots: &[&'s Snapshot]) -> Vec<&'s Eni> {
    let newest = snapshots.iter().rev();
    let mut states: Vec<&Eni> = newest
        .filter_map(|snapshot| snapshot.enis.get(&id))
        .collect();
    states.dedup();
    states
}

/// Whether only what an interface itself sends and receives crosses it.
fn is_an_end(kind: InterfaceKind) -> bool {
    match kind {
        InterfaceKind::Interface | InterfaceKind::Lambda | InterfaceKind::Efa => true,
        InterfaceKind::NatGateway
        | InterfaceKind::NetworkLoadBalancer
        | InterfaceKind::LoadBalancer
        | InterfaceKind::GatewayLoadBalancer
        | InterfaceKind::TransitGateway
        | InterfaceKind::VpcEndpoint
        | InterfaceKind::Other => false,
    }
}

/// Which of its addresses are its own, of those that snapshots do not give it.
fn stays(seen: &InterfaceEvidence, grain: Option<&Grain>, states: &[&Eni]) -> Vec<Stay> {
    if states.iter().any(|eni| !is_an_end(eni.kind)) {
        return Vec::new();
    }
    let given = |address: IpAddr| states.iter().any(|eni| eni.owns(address));
    if !states.is_empty() && !asks(seen, &given) {
        return Vec::new();
    }
    let mut found: BTreeMap<(u16, bool), Candidates> = BTreeMap::new();
    let own = |address: &IpAddr| given(*address) || is_nobodys(*address);
    let asked = |key: &CellKey| !ends(key).iter().flatten().any(own);
    let is_exact = |key: &CellKey| grain.is_none_or(|grain| grain.level(key) == Level::EXACT);
    let cells = || seen.cells.iter().filter(|(key, _)| asked(key));
    // In any order, which is lawful: what is in all of them is a meet.
    for (key, cell) in cells().filter(|(key, _)| is_exact(key)) {
        let (ends, place) = (ends(&key), (key.era, key.source.is_ipv4()));
        let own = found
            .entry(place)
            .or_insert_with(|| Candidates::new(ends, &cell));
        own.meet(&cell, |address| ends.contains(&Some(address)));
    }
    // An address that stands for others may be any of them, and names none.
    for (key, cell) in cells().filter(|(key, _)| !is_exact(key)) {
        let may_be = |address| {
            let mut ends = ends(&key).into_iter().flatten();
            let may_be = |net: IpNet| net.contains(&address) || net.contains(&BROADCAST);
            grain.is_some_and(|grain| ends.any(|end| may_be(grain.peers(end, &key))))
        };
        if let Some(own) = found.get_mut(&(key.era, key.source.is_ipv4())) {
            own.meet(&cell, may_be);
        }
    }
    let only = |((era, _), own): ((u16, bool), Candidates)| own.stay(era);
    found.into_iter().filter_map(only).collect()
}

/// Whether some record of a known interface has none of its addresses where
/// one must be: most interfaces have none, so this is asked first.
fn asks(seen: &InterfaceEvidence, given: &dyn Fn(IpAddr) -> bool) -> bool {
    let v4 = |address| given(IpAddr::V4(address));
    let packed = seen.cells.packed().iter().any(|cell| {
        let key = cell.key();
        match key.direction() {
            Some(FlowDirection::Ingress) => !v4(key.destination()),
            Some(FlowDirection::Egress) => !v4(key.source()),
            None => !v4(key.source()) && !v4(key.destination()),
        }
    });
    let odd = |key: &CellKey| !ends(key).into_iter().flatten().any(given);
    packed || seen.cells.unpacked().any(|(key, _)| odd(key))
}

/// Whether an address is never an interface's own.
fn is_nobodys(address: IpAddr) -> bool {
    let broadcast = match address {
        IpAddr::V4(address) => address.is_broadcast() || address.is_link_local(),
        IpAddr::V6(_) => false,
    };
    broadcast || address.is_multicast() || address.is_unspecified()
}

/// The ends of a record that may be the interface's.
fn ends(key: &CellKey) -> [Option<IpAddr>; 2] {
    match key.direction {
        Some(FlowDirection::Ingress) => [Some(key.destination), None],
        Some(FlowDirection::Egress) => [Some(key.source), None],
        None => [Some(key.source), Some(key.destination)],
    }
}

/// Addresses that may be the interface's by all records so far.
#[derive(Debug)]
struct Candidates {
    addresses: BTreeSet<IpAddr>,
    first: Timestamp,
    last: Timestamp,
}

impl Candidates {
    fn new(ends: [Option<IpAddr>; 2], cell: &Cell) -> Candidates {
        Candidates {
            addresses: ends.into_iter().flatten().collect(),
            first: cell.first,
            last: cell.last,
        }
    }

    fn meet(&mut self, cell: &Cell, may_be: impl Fn(IpAddr) -> bool) {
        self.addresses.retain(|address| may_be(*address));
        self.first = self.first.min(cell.first);
        self.last = self.last.max(cell.last);
    }

    fn stay(&self, era: u16) -> Option<Stay> {
        let mut addresses = self.addresses.iter();
        let address = *addresses.next()?;
        addresses.next().is_none().then_some(Stay {
            address,
            era,
            first: self.first,
            last: self.last,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::cuts::Class;
    use crate::evidence::cuts::Cuts;
    use crate::model::Action;
    use crate::model::FlowRecord;
    use crate::net::IpProtocol;

    type Ends<'t> = (&'t str, &'t str, Option<FlowDirection>);

    fn seen(records: &[Ends<'_>]) -> InterfaceEvidence {
        seen_as(Action::Accept, records)
    }

    fn seen_as(action: Action, records: &[Ends<'_>]) -> InterfaceEvidence {
        let mut seen = InterfaceEvidence::default();
        for (source, destination, flow_direction) in records {
            let record = FlowRecord {
                action,
                interface_id: None,
                srcaddr: source.parse().ok(),
                dstaddr: destination.parse().ok(),
                pkt_srcaddr: None,
                pkt_dstaddr: None,
                srcport: Some(40_000),
                dstport: Some(443),
                protocol: Some(IpProtocol::TCP),
                packets: 1,
                bytes: 60,
                start: None,
                end: None,
                tcp_flags: None,
                flow_direction: *flow_direction,
                block_public_access: false,
                efa: false,
            };
            let (key, other) = CellKey::of(&record, 0).unwrap();
            let cell = Cell::of(&record, Timestamp(10), Timestamp(20), other);
            seen.add(key, &cell);
        }
        seen
    }

    fn own(seen: &InterfaceEvidence, states: &[&Eni]) -> Vec<String> {
        texts(&stays(seen, None, states))
    }

    fn texts(stays: &[Stay]) -> Vec<String> {
        stays.iter().map(|stay| stay.address.to_string()).collect()
    }

    /// What was let through by /24, what was not as it is; nothing is kept.
    fn by_24() -> Grain {
        let bits = |level: &Level| level.widths() == [16, 24, 64];
        let levels = std::iter::successors(Some(Level::EXACT), |level| level.next());
        let level = { levels }.find(bits).unwrap();
        Grain {
            cuts: Arc::new(Cuts::none()),
            levels: Class::ALL.map(|class| match class.action() {
                Action::Accept => level,
                Action::Reject => Level::EXACT,
            }),
        }
    }

    /// Rejected ones as they are, and accepted ones as coarse as the grain says.
    fn beside_coarse(
        rejected: &[Ends<'_>],
        accepted: &[Ends<'_>],
        grain: &Grain,
    ) -> InterfaceEvidence {
        let mut all = seen_as(Action::Reject, rejected);
        for (key, cell) in seen(accepted).cells.iter() {
            all.add(grain.cuts.coarse(&key, grain.level(&key)), &cell);
        }
        all
    }

    #[test]
    fn the_direction_tells_and_so_does_presence_in_all_records() {
        let out = Some(FlowDirection::Egress);
        assert_eq!(
            own(&seen(&[("10.0.0.1", "10.0.0.2", out)]), &[]),
            ["10.0.0.1"]
        );
        let between = [
            ("10.0.0.1", "10.0.0.2", None),
            ("10.0.0.3", "10.0.0.1", None),
        ];
        assert_eq!(own(&seen(&between), &[]), ["10.0.0.1"]);
        assert!(own(&seen(&between[..1]), &[]).is_empty());
    }

    #[test]
    fn what_forwards_for_others_owns_nothing() {
        let out = Some(FlowDirection::Egress);
        let forwarded = [("10.0.0.1", "10.0.0.9", out), ("10.0.0.2", "10.0.0.9", out)];
        assert!(own(&seen(&forwarded), &[]).is_empty());
    }

    #[test]
    fn addresses_that_snapshots_give_are_no_news() {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.1", &["sg-1"]);
        let snapshot = world.snapshot();
        let eni = snapshot.enis.values().next().unwrap();
        let out = Some(FlowDirection::Egress);
        let known = ("10.0.1.1", "10.0.1.9", out);
        assert!(own(&seen(&[known]), &[eni]).is_empty());
        let both = seen(&[known, ("10.0.1.2", "10.0.1.9", out)]);
        assert_eq!(own(&both, &[eni]), ["10.0.1.2"]);
    }

    #[test]
    fn beside_coarse_cells_exact_ones_name_the_address() {
        let grain = by_24();
        let named = [
            ("203.0.113.9", "192.0.2.7", None),
            ("198.51.100.8", "192.0.2.7", None),
        ];
        let own = |accepted: &[Ends<'_>]| {
            let seen = beside_coarse(&named, accepted, &grain);
            texts(&stays(&seen, Some(&grain), &[]))
        };
        let among = ("203.0.113.5", "192.0.2.7", None);
        let elsewhere = ("203.0.113.5", "192.0.3.7", None);
        let directed = ("192.0.2.7", "192.0.9.7", Some(FlowDirection::Ingress));
        assert_eq!(own(&[among]), ["192.0.2.7"]);
        assert!(own(&[among, elsewhere]).is_empty(), "cannot be its own");
        assert!(own(&[directed]).is_empty(), "is only the far side's");
    }

    #[test]
    fn what_may_have_gone_to_all_rules_no_address_out() {
        let grain = by_24();
        let into = Some(FlowDirection::Ingress);
        let named = [("203.0.113.9", "192.0.2.7", into)];
        let to_all = [("203.0.113.5", "255.255.255.255", into)];
        let seen = beside_coarse(&named, &to_all, &grain);
        assert_eq!(texts(&stays(&seen, Some(&grain), &[])), ["192.0.2.7"]);
    }

    #[test]
    fn coarse_cells_alone_name_no_address() {
        let grain = by_24();
        let out = Some(FlowDirection::Egress);
        let seen = beside_coarse(&[], &[("192.0.2.0", "203.0.113.5", out)], &grain);
        assert!(stays(&seen, Some(&grain), &[]).is_empty());
    }

    #[test]
    fn a_coarse_end_goes_the_way_of_the_address_that_it_stands_for() {
        let grain = by_24();
        let named = [
            ("192.0.2.7", "203.0.113.9", None),
            ("198.51.100.8", "192.0.2.7", None),
        ];
        let stays = stays(&seen_as(Action::Reject, &named), Some(&grain), &[]);
        assert_eq!(texts(&stays), ["192.0.2.7"]);
        let way_of = |ends: Ends<'_>| {
            let seen = beside_coarse(&[], &[ends], &grain);
            let (key, _) = seen.cells.iter().next().unwrap();
            way(&stays, &key, Some(&grain))
        };
        let (own, other) = ("192.0.2.99", "203.0.113.5");
        assert_eq!(way_of((own, other, None)), Some(Direction::Egress));
        assert_eq!(way_of((other, own, None)), Some(Direction::Ingress));
        assert_eq!(way_of((own, "192.0.2.1", None)), None);
        assert_eq!(way_of(("198.51.100.1", other, None)), None);
    }
}
