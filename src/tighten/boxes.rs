//! The ground on which proposals may be built: what today's changeable rules
//! allow for one family and one protocol, as address ranges per stretch of the
//! service space.
//!
//! A new prefix may stand on a range of ports only where its whole box lies on
//! this ground; so new rules cannot allow what old ones do not. That this holds
//! is checked elsewhere, by other code.

use std::borrow::Cow;
use std::cmp::Reverse;

use ipnet::IpNet;

use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;

/// One box: a transport and a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Plot {
    /// Protocol and service.
    pub(crate) transport: Transport,
    /// Addresses.
    pub(crate) net: IpNet,
}

/// Whether every packet of `inner` is one of `outer`.
pub(crate) fn transport_covers(outer: Transport, inner: Transport) -> bool {
    match inner.protocol() {
        None => outer == Transport::All,
        Some(protocol) => outer.has_protocol(protocol) && outer.service().covers(inner.service()),
    }
}

/// Whether some packet matches both.
pub(crate) fn transport_overlaps(a: Transport, b: Transport) -> bool {
    let protocols = match (a.protocol(), b.protocol()) {
        (Some(a), Some(b)) => a == b,
        (None, _) | (_, None) => true,
    };
    protocols && a.service().overlaps(b.service())
}

/// The same boxes said once: ports of the same prefix joined, and none inside
/// another. Sorted.
pub(crate) fn normal(mut plots: Vec<Plot>) -> Vec<Plot> {
    plots.sort_unstable_by_key(|plot| (plot.transport.protocol(), plot.net));
    let of_one =
        |a: &Plot, b: &Plot| a.net == b.net && a.transport.protocol() == b.transport.protocol();
    let mut joined: Vec<Plot> = Vec::with_capacity(plots.len());
    for same in plots.chunk_by(of_one) {
        let ports = same.iter().filter_map(|plot| match plot.transport {
            Transport::Tcp(ports) | Transport::Udp(ports) => Some(ports),
            Transport::All | Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => {
                None
            }
        });
        let ports: PortSet = match same {
            [_] => PortSet::default(),
            _ => ports.collect(),
        };
        match same.first() {
            Some(first) if !ports.is_empty() => {
                joined.extend(ports.ranges().iter().map(|range| Plot {
                    transport: retimed(first.transport, *range),
                    net: first.net,
                }));
            }
            Some(_) | None => joined.extend_from_slice(same),
        }
    }
    without_nested(joined)
}

/// The transport with another service, where it has ports.
pub(crate) fn retimed(transport: Transport, service: PortRange) -> Transport {
    match transport {
        Transport::Tcp(_) => Transport::Tcp(service),
        Transport::Udp(_) => Transport::Udp(service),
        other @ (Transport::All
        | Transport::Icmp(_)
        | Transport::Icmpv6(_)
        | Transport::Other(_)) => other,
    }
}

fn without_nested(mut plots: Vec<Plot>) -> Vec<Plot> {
    // Prefixes nest or are apart, so in order of address (wider first) those
    // that may hold the next one form a stack.
    plots.sort_by_key(|plot| {
        (
            plot.net,
            Reverse(plot.transport.service().count()),
            plot.transport,
        )
    });
    plots.dedup();
    let mut around: Vec<Plot> = Vec::new();
    let mut kept: Vec<Plot> = Vec::new();
    for plot in plots {
        while around
            .last()
            .is_some_and(|outer| !outer.net.contains(&plot.net))
        {
            around.pop();
        }
        let nested = around
            .iter()
            .any(|outer| transport_covers(outer.transport, plot.transport));
        if !nested {
            around.push(plot);
            kept.push(plot);
        }
    }
    kept.sort_unstable();
    kept
}

/// Sorted closed ranges of addresses of one family.
/// Invariant: between two ranges at least one address is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    pub(crate) fn of(nets: impl Iterator<Item = IpNet>) -> Ranges {
        Ranges::of_bounds(nets.map(net_bounds).collect())
    }

    /// The union of closed ranges in any order.
    pub(crate) fn of_bounds(mut bounds: Vec<(u128, u128)>) -> Ranges {
        bounds.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(bounds.len());
        for (first, last) in bounds {
            match ranges.last_mut() {
                Some(own) if first <= own.1.saturating_add(1) => own.1 = own.1.max(last),
                Some(_) | None => ranges.push((first, last)),
            }
        }
        Ranges(ranges)
    }

    /// Whether every address of `first..=last` is inside.
    pub(crate) fn covers(&self, first: u128, last: u128) -> bool {
        let after = self.0.partition_point(|own| own.0 <= first);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|own| last <= own.1)
    }

    /// The ranges, sorted and apart.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.0.iter().copied()
    }

    /// What is here and not in the other.
    pub(crate) fn without(&self, other: &Ranges) -> Vec<(u128, u128)> {
        let mut left = Vec::new();
        let mut gone = other.0.iter().peekable();
        for &(first, last) in &self.0 {
            let mut next = Some(first);
            while let Some(from) = next {
                while gone.next_if(|own| own.1 < from).is_some() {}
                let cut = gone.peek().filter(|own| own.0 <= last);
                match cut {
                    Some(own) if own.0 > from => left.push((from, own.0 - 1)),
                    Some(_) => {}
                    None => left.push((from, last)),
                }
                next = cut
                    .and_then(|own| own.1.checked_add(1))
                    .filter(|at| *at <= last);
            }
        }
        left
    }

    fn intersection(&self, other: &Ranges) -> Ranges {
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                both.push((first, last));
            }
            if a.1 <= b.1 {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Ranges(both)
    }
}

/// What is allowed of one family and protocol.
#[derive(Clone, Debug)]
pub(crate) struct Ground {
    /// Invariant: sorted, disjoint; addresses are the same all along a stretch.
    stretches: Vec<(PortRange, Ranges)>,
}

impl Ground {
    /// The union of the plots, as far as they are of the family and protocol.
    pub(crate) fn new(plots: &[Plot], family: Family, protocol: IpProtocol) -> Ground {
        let own: Vec<&Plot> = plots
            .iter()
            .filter(|plot| {
                Family::of_net(plot.net) == family && plot.transport.has_protocol(protocol)
            })
            .collect();
        let services: Vec<PortRange> = own.iter().map(|plot| plot.transport.service()).collect();
        let stretches = elementary(&services)
            .into_iter()
            .map(|stretch| {
                let here = own
                    .iter()
                    .filter(|plot| plot.transport.service().covers(stretch));
                (stretch, Ranges::of(here.map(|plot| plot.net)))
            })
            .collect();
        Ground { stretches }
    }

    /// The addresses that are allowed on every point of `service`.
    pub(crate) fn slice(&self, service: PortRange) -> Cow<'_, Ranges> {
        let mut met = self.meeting(service);
        let Some((stretch, first)) = met.next() else {
            return Cow::Owned(Ranges::default());
        };
        if stretch.covers(service) {
            return Cow::Borrowed(first);
        }
        let mut reached = *stretch;
        let mut common = first.clone();
        for (stretch, ranges) in met {
            if u32::from(reached.to()) + 1 != u32::from(stretch.from()) {
                return Cow::Owned(Ranges::default());
            }
            reached = PortRange::spanning(reached.from(), stretch.to());
            common = common.intersection(ranges);
        }
        if reached.covers(service) {
            Cow::Owned(common)
        } else {
            Cow::Owned(Ranges::default())
        }
    }

    /// Whether the whole range has the same addresses allowed.
    pub(crate) fn is_even(&self, service: PortRange) -> bool {
        self.meeting(service)
            .next()
            .is_some_and(|(stretch, _)| stretch.covers(service))
    }

    fn meeting(&self, service: PortRange) -> impl Iterator<Item = &(PortRange, Ranges)> {
        let before = self
            .stretches
            .partition_point(|(stretch, _)| stretch.to() < service.from());
        self.stretches
            .iter()
            .skip(before)
            .take_while(move |(stretch, _)| stretch.from() <= service.to())
    }
}

/// The stretches of the service space between all ends of the ranges that lie
/// in at least one of them, sorted.
pub(crate) fn elementary(ranges: &[PortRange]) -> Vec<PortRange> {
    // How many ranges more hold what follows.
    let starts = ranges.iter().map(|range| (u32::from(range.from()), 1));
    let ends = ranges.iter().map(|range| (u32::from(range.to()) + 1, -1));
    let mut cuts: Vec<(u32, i64)> = starts.chain(ends).collect();
    cuts.sort_unstable();
    let mut held = 0;
    let stretch = |(cut, next): (&(u32, i64), &(u32, i64))| {
        let ((from, more), (next, _)) = (*cut, *next);
        held += more;
        if held == 0 || from == next {
            return None;
        }
        let from = u16::try_from(from).ok()?;
        PortRange::new(from, u16::try_from(next - 1).ok()?)
    };
    let next = cuts.iter().skip(1);
    cuts.iter().zip(next).filter_map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::Just;
    use proptest::prelude::prop_oneof;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;

    /// The same, seen from each stretch.
    fn stretches_in_some_range(ranges: &[PortRange]) -> Vec<PortRange> {
        let starts = ranges.iter().map(|range| u32::from(range.from()));
        let ends = ranges.iter().map(|range| u32::from(range.to()) + 1);
        let cuts: BTreeSet<u32> = starts.chain(ends).collect();
        let stretch = |(from, next): (&u32, &u32)| {
            let port = |port: u32| u16::try_from(port).unwrap();
            PortRange::spanning(port(*from), port(next - 1))
        };
        let all = cuts.iter().zip(cuts.iter().skip(1)).map(stretch);
        all.filter(|stretch| ranges.iter().any(|range| range.covers(*stretch)))
            .collect()
    }

    proptest! {
        #[test]
        fn stretches_lie_between_neighbouring_ends(
            ends in vec((prop_oneof![0_u16..12, Just(u16::MAX)], prop_oneof![0_u16..12, Just(u16::MAX)]), 0..8),
        ) {
            let range = |(one, other): (u16, u16)| PortRange::spanning(one.min(other), one.max(other));
            let ranges: Vec<PortRange> = ends.into_iter().map(range).collect();
            prop_assert_eq!(elementary(&ranges), stretches_in_some_range(&ranges));
        }
    }

    fn plot(from: u16, to: u16, net: &str) -> Plot {
        Plot {
            transport: Transport::Tcp(PortRange::spanning(from, to)),
            net: net.parse().unwrap(),
        }
    }

    fn allows(ground: &Ground, from: u16, to: u16, net: &str) -> bool {
        let (first, last) = net_bounds(net.parse().unwrap());
        ground
            .slice(PortRange::spanning(from, to))
            .covers(first, last)
    }

    #[test]
    fn a_box_may_span_two_rules_that_together_hold_it() {
        let plots = [plot(80, 89, "10.0.0.0/24"), plot(90, 99, "10.0.0.0/25")];
        let ground = Ground::new(&plots, Family::V4, IpProtocol::TCP);
        assert!(allows(&ground, 85, 95, "10.0.0.0/25"));
        assert!(!allows(&ground, 85, 95, "10.0.0.0/24"));
        assert!(allows(&ground, 80, 89, "10.0.0.0/24"));
    }

    #[test]
    fn a_port_that_no_rule_has_is_a_hole_in_the_ground() {
        let plots = [plot(80, 80, "10.0.0.0/24"), plot(82, 82, "10.0.0.0/24")];
        let ground = Ground::new(&plots, Family::V4, IpProtocol::TCP);
        assert!(!allows(&ground, 80, 82, "10.0.0.1/32"));
        assert!(!allows(&ground, 79, 80, "10.0.0.1/32"));
        assert!(!allows(&ground, 82, 83, "10.0.0.1/32"));
    }

    #[test]
    fn other_families_and_protocols_are_other_ground() {
        let plots = [plot(80, 80, "10.0.0.0/24")];
        let udp = Ground::new(&plots, Family::V4, IpProtocol::UDP);
        assert!(!allows(&udp, 80, 80, "10.0.0.1/32"));
        let v6 = Ground::new(&plots, Family::V6, IpProtocol::TCP);
        assert!(!allows(&v6, 80, 80, "::1/128"));
    }
}
