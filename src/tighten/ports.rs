//! Ports that were needed by the same addresses become one range; and, where
//! the quota leaves no other way, ranges are bridged.
//!
//! Ranges never grow over a port that nobody needed unless bridging is asked
//! for, and a bridge stands only where today's rules allow all of its ports to
//! all of its addresses.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::tighten::boxes::Ground;
use crate::tighten::obligations::Wanted;

/// Addresses that need one transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) transport: Transport,
    /// Sorted and distinct, at least one.
    pub(crate) peers: Vec<u128>,
}

impl Unit {
    /// Its protocol; only the transport of all protocols has none, and no
    /// need asks for that.
    pub(crate) fn protocol(&self) -> IpProtocol {
        self.transport.protocol().unwrap_or(IpProtocol(u8::MAX))
    }
}

/// The units of one family and protocol, by ascending ports.
pub(crate) fn units(protocol: IpProtocol, wanted: &Wanted) -> Vec<Unit> {
    let unit = |(ports, peers)| Unit {
        transport: Transport::of(protocol, ports),
        peers,
    };
    let mut units: Vec<Unit> = fused(wanted).into_iter().map(unit).collect();
    units.extend(spans(wanted).into_iter().map(unit));
    units.extend(wanted.scopes.iter().map(|(&transport, peers)| Unit {
        transport,
        peers: distinct(peers.clone()),
    }));
    units.sort_by_key(|unit| unit.transport);
    units
}

/// Known ports, neighbours with the same addresses fused.
fn fused(wanted: &Wanted) -> Vec<(PortRange, Vec<u128>)> {
    let mut fused: Vec<(PortRange, Vec<u128>)> = Vec::new();
    for (&port, peers) in &wanted.points {
        let point = PortRange::single(port);
        let in_span = |peer: &u128| wanted.spans.get(peer).is_some_and(|own| own.covers(point));
        let peers = distinct(
            peers
                .iter()
                .copied()
                .filter(|peer| !in_span(peer))
                .collect(),
        );
        match fused.last_mut() {
            _ if peers.is_empty() => {}
            Some((range, same)) if range.to().checked_add(1) == Some(port) && *same == peers => {
                *range = PortRange::spanning(range.from(), port);
            }
            Some(_) | None => fused.push((point, peers)),
        }
    }
    fused
}

/// Ranges in which a port is known to lie, with their addresses.
fn spans(wanted: &Wanted) -> BTreeMap<PortRange, Vec<u128>> {
    let mut spans: BTreeMap<PortRange, Vec<u128>> = BTreeMap::new();
    for (&peer, ports) in &wanted.spans {
        for range in ports.ranges() {
            spans.entry(*range).or_default().push(peer);
        }
    }
    spans
}

pub(crate) fn distinct(mut peers: Vec<u128>) -> Vec<u128> {
    peers.sort_unstable();
    peers.dedup();
    peers
}

/// The units in at most `groups` groups where the ground allows it: the widest
/// gaps between ranges stay open, the others are bridged. More groups remain
/// where a bridge would leave the ground.
pub(crate) fn bridged(
    units: &[Unit],
    grounds: &BTreeMap<IpProtocol, Ground>,
    groups: usize,
) -> Vec<Unit> {
    let mut bridged: Vec<Unit> = Vec::new();
    for (unit, cut) in units.iter().zip(cuts(units, groups)) {
        let group = bridged.last_mut().filter(|_| !cut);
        let wider = group.and_then(|group| Some((bridge(group, unit, grounds)?, group)));
        match wider {
            Some((ports, group)) => {
                group.transport = Transport::of(group.protocol(), ports);
                group.peers.extend_from_slice(&unit.peers);
            }
            None => bridged.push(unit.clone()),
        }
    }
    for unit in &mut bridged {
        unit.peers = distinct(std::mem::take(&mut unit.peers));
    }
    bridged
}

/// For each unit, whether it begins a group.
fn cuts(units: &[Unit], groups: usize) -> Vec<bool> {
    // A unit without a predecessor of its protocol cannot but begin one.
    let gaps: Vec<Option<u16>> = [None]
        .into_iter()
        .chain(units.iter().zip(units.iter().skip(1)).map(gap))
        .collect();
    let forced = gaps.iter().filter(|gap| gap.is_none()).count();
    let mut widest: Vec<(Reverse<u16>, usize)> = gaps
        .iter()
        .enumerate()
        .filter_map(|(at, gap)| gap.map(|gap| (Reverse(gap), at)))
        .collect();
    widest.sort_unstable();
    let mut cuts: Vec<bool> = gaps.iter().map(Option::is_none).collect();
    for (_, at) in widest.into_iter().take(groups.saturating_sub(forced)) {
        cuts.get_mut(at).into_iter().for_each(|cut| *cut = true);
    }
    cuts.truncate(units.len());
    cuts
}

/// Ports between two units; `None` where they cannot be bridged at all.
fn gap((a, b): (&Unit, &Unit)) -> Option<u16> {
    let bridgeable = a.protocol() == b.protocol() && a.protocol().has_ports();
    let (a, b) = (a.transport.service(), b.transport.service());
    bridgeable.then(|| b.from().saturating_sub(a.to()))
}

/// Both units as one, where the ground allows it.
pub(crate) fn joined(
    group: &Unit,
    unit: &Unit,
    grounds: &BTreeMap<IpProtocol, Ground>,
) -> Option<Unit> {
    gap((group, unit))?;
    let ports = bridge(group, unit, grounds)?;
    let peers = group.peers.iter().chain(&unit.peers).copied();
    Some(Unit {
        transport: Transport::of(group.protocol(), ports),
        peers: distinct(peers.collect()),
    })
}

/// The ports of both, where the ground allows them to the addresses of both.
fn bridge(group: &Unit, unit: &Unit, grounds: &BTreeMap<IpProtocol, Ground>) -> Option<PortRange> {
    let ground = grounds.get(&group.protocol())?;
    let (low, high) = (group.transport.service(), unit.transport.service());
    let ports = PortRange::spanning(low.from(), low.to().max(high.to()));
    // On even ground whoever may use one port may use all.
    let stands = ground.is_even(ports) || {
        let slice = ground.slice(ports);
        let mut peers = group.peers.iter().chain(&unit.peers);
        peers.all(|&peer| slice.covers(peer, peer))
    };
    stands.then_some(ports)
}

/// The gaps between ranges of ports that today's rules allow in full: what
/// references bridge, having no addresses to join.
pub(crate) fn bridgeable_gaps(ports: &PortSet, allowed: &PortSet) -> Vec<PortRange> {
    let ranges = ports.ranges();
    let between = |(a, b): (&PortRange, &PortRange)| {
        let from = a.to().checked_add(1)?;
        PortRange::new(from, b.from().checked_sub(1)?)
    };
    ranges
        .iter()
        .zip(ranges.iter().skip(1))
        .filter_map(between)
        .filter(|gap| allowed.covers(*gap))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::cidr::Family;
    use crate::tighten::boxes::Plot;

    fn wanted(points: &[(u16, &[u128])]) -> Wanted {
        Wanted {
            points: points
                .iter()
                .map(|&(p, peers)| (p, peers.to_vec()))
                .collect(),
            ..Wanted::default()
        }
    }

    fn shown(units: &[Unit]) -> Vec<(String, Vec<u128>)> {
        let show = |unit: &Unit| (unit.transport.to_string(), unit.peers.clone());
        units.iter().map(show).collect()
    }

    #[test]
    fn neighbouring_ports_with_the_same_addresses_fuse() {
        let wanted = wanted(&[(80, &[2, 1]), (81, &[1, 2, 2]), (82, &[1]), (84, &[1])]);
        let units = units(IpProtocol::TCP, &wanted);
        assert_eq!(
            shown(&units),
            [
                ("tcp/80-81".to_owned(), vec![1, 2]),
                ("tcp/82".to_owned(), vec![1]),
                ("tcp/84".to_owned(), vec![1]),
            ]
        );
    }

    #[test]
    fn a_port_inside_a_range_of_the_same_address_needs_no_unit() {
        let mut wanted = wanted(&[(2000, &[1, 2])]);
        let range = PortRange::spanning(1024, 4000);
        wanted.spans.insert(1, [range].into_iter().collect());
        let units = units(IpProtocol::TCP, &wanted);
        assert_eq!(
            shown(&units),
            [
                ("tcp/1024-4000".to_owned(), vec![1]),
                ("tcp/2000".to_owned(), vec![2]),
            ]
        );
    }

    #[test]
    fn a_bridge_keeps_the_widest_gaps_and_the_ground() {
        let wanted = wanted(&[(80, &[1]), (90, &[2]), (443, &[1])]);
        let units = units(IpProtocol::TCP, &wanted);
        let plot = |from, to, net: &str| Plot {
            transport: Transport::Tcp(PortRange::spanning(from, to)),
            net: net.parse().unwrap(),
        };
        let grounds = |plots: &[Plot]| {
            let ground = Ground::new(plots, Family::V4, IpProtocol::TCP);
            BTreeMap::from([(IpProtocol::TCP, ground)])
        };
        let all = grounds(&[plot(0, u16::MAX, "0.0.0.0/0")]);
        assert_eq!(
            shown(&bridged(&units, &all, 2)),
            [
                ("tcp/80-90".to_owned(), vec![1, 2]),
                ("tcp/443".to_owned(), vec![1])
            ]
        );
        assert_eq!(bridged(&units, &all, 1).len(), 1);
        let parts = grounds(&[plot(0, 89, "0.0.0.1/32"), plot(90, 443, "0.0.0.0/0")]);
        assert_eq!(
            shown(&bridged(&units, &parts, 1)),
            [
                ("tcp/80".to_owned(), vec![1]),
                ("tcp/90-443".to_owned(), vec![1, 2])
            ]
        );
    }
}
