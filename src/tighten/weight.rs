//! What opening something is taken to cost.
//!
//! Excess is not all alike: a port behind which administration or data lies
//! weighs more than others, an address of the group's own VPC that no interface
//! owned weighs less. Weights are whole numbers: an address counts `vacant_share`
//! and one that nobody owned counts 1. Exposure, as reported, is never weighed.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::model::Transport;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ranges;
use crate::tighten::case::Limits;
use crate::tighten::prefixes::Block;

/// Ports of administration and of data stores, for TCP and UDP alike.
const SENSITIVE: [(u16, u16); 31] = [
    (20, 23),
    (69, 69),
    (111, 111),
    (135, 139),
    (161, 162),
    (389, 389),
    (445, 445),
    (512, 514),
    (636, 636),
    (873, 873),
    (1_433, 1_434),
    (1_521, 1_521),
    (2_049, 2_049),
    (2_375, 2_376),
    (2_379, 2_380),
    (3_306, 3_306),
    (3_389, 3_389),
    (4_333, 4_333),
    (5_432, 5_432),
    (5_601, 5_601),
    (5_900, 5_903),
    (5_984, 5_986),
    (6_379, 6_379),
    (6_443, 6_443),
    (7_000, 7_001),
    (8_020, 8_020),
    (9_042, 9_042),
    (9_200, 9_200),
    (10_250, 10_250),
    (11_211, 11_211),
    (27_017, 27_019),
];

/// The ports that weigh more unless others are named.
#[must_use]
pub fn sensitive_ports() -> PortSet {
    let ranges = SENSITIVE.into_iter();
    ranges.map(|(a, b)| PortRange::spanning(a, b)).collect()
}

/// Addresses of a group's own VPC that no interface owned, and the prefixes
/// that it is laid out in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacancy {
    v4: Spans,
    /// In /64 networks.
    v6: Spans,
    /// Prefixes of the VPC and of its subnets.
    declared: BTreeSet<IpNet>,
}

/// Sorted closed ranges, apart, each with how much lies before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Spans(Vec<(u128, u128, u128)>);

impl Vacancy {
    /// Nothing is known to be vacant.
    #[must_use]
    pub const fn none() -> Vacancy {
        Vacancy {
            v4: Spans(Vec::new()),
            v6: Spans(Vec::new()),
            declared: BTreeSet::new(),
        }
    }

    /// What the ranges hold beside the prefixes that were owned.
    #[must_use]
    pub fn new(ranges: &[IpNet], owned: &[IpNet]) -> Vacancy {
        Vacancy {
            v4: Spans::new(ranges, owned, Family::V4),
            v6: Spans::new(ranges, owned, Family::V6),
            declared: ranges.iter().copied().collect(),
        }
    }

    /// The same, laid out in these subnets too.
    #[must_use]
    pub fn with_subnets(mut self, subnets: impl Iterator<Item = IpNet>) -> Vacancy {
        self.declared.extend(subnets);
        self
    }

    fn within(&self, family: Family, block: Block) -> u128 {
        match family {
            Family::V4 => self.counted(family, block.first(), block.last()),
            Family::V6 => self.counted(family, block.first() >> 64, block.last() >> 64),
        }
    }

    /// How many addresses (IPv6: /64 networks) of `first..=last` are vacant.
    fn counted(&self, family: Family, first: u128, last: u128) -> u128 {
        match family {
            Family::V4 => self.v4.within(first, last),
            Family::V6 => self.v6.within(first, last),
        }
    }
}

impl Spans {
    fn new(ranges: &[IpNet], owned: &[IpNet], family: Family) -> Spans {
        let unit = match family {
            Family::V4 => 0,
            Family::V6 => 64,
        };
        let of = |nets: &[IpNet]| {
            let own = nets
                .iter()
                .filter(|net| Family::of_net(**net) == family)
                .map(|net| net_bounds(*net));
            Ranges::of_bounds(
                own.map(|(first, last)| (first >> unit, last >> unit))
                    .collect(),
            )
        };
        let mut before = 0u128;
        let mut spans = Vec::new();
        for (first, last) in of(ranges).without(&of(owned)) {
            spans.push((first, last, before));
            before = before.saturating_add((last - first).saturating_add(1));
        }
        Spans(spans)
    }

    /// How many of `first..=last` are inside.
    fn within(&self, first: u128, last: u128) -> u128 {
        let below = |bound: u128| {
            let after = self.0.partition_point(|(own, _, _)| *own < bound);
            let last = after.checked_sub(1).and_then(|at| self.0.get(at));
            last.map_or(0, |(own, end, before)| {
                before + bound.min(end.saturating_add(1)).saturating_sub(*own)
            })
        };
        below(last.saturating_add(1)).saturating_sub(below(first))
    }
}

/// Weights in force for one case.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub(crate) vacancy: &'a Vacancy,
    pub(crate) limits: &'a Limits,
}

impl Weights<'_> {
    /// What an address counts that was owned, or is not the VPC's.
    pub(crate) fn scale(self) -> u128 {
        u128::from(self.limits.vacant_share.max(1))
    }

    /// A sum of money in address-ports, in the unit of weights.
    pub(crate) fn price(self, address_ports: u64) -> u128 {
        u128::from(address_ports).saturating_mul(self.scale())
    }

    /// All addresses of a block; IPv6 in /64 networks.
    pub(crate) fn addresses(self, family: Family, block: Block) -> u128 {
        let all = block.size(family).saturating_mul(self.scale());
        let vacant = self.vacancy.within(family, block);
        all.saturating_sub(vacant.saturating_mul(self.scale() - 1))
    }

    /// Whether somebody laid the VPC out in this very block.
    pub(crate) fn is_declared(self, family: Family, block: Block) -> bool {
        let declared = &self.vacancy.declared;
        !declared.is_empty() && declared.contains(&block.net(family))
    }

    /// All addresses of ranges; IPv6 in /64 networks.
    pub(crate) fn ranges(self, family: Family, ranges: &Ranges) -> u128 {
        let unit = match family {
            Family::V4 => 0,
            Family::V6 => 64,
        };
        let bounds = ranges
            .bounds()
            .map(|(first, last)| (first >> unit, last >> unit));
        let whole = Ranges::of_bounds(bounds.collect());
        let of = |(first, last): (u128, u128)| {
            let all = (last - first)
                .saturating_add(1)
                .saturating_mul(self.scale());
            let vacant = self.vacancy.counted(family, first, last);
            all.saturating_sub(vacant.saturating_mul(self.scale() - 1))
        };
        whole.bounds().map(of).fold(0, u128::saturating_add)
    }

    /// All services of a transport. A protocol without ports is one thing to
    /// open, whatever the size of its space.
    pub(crate) fn services(self, transport: Transport) -> u128 {
        match transport {
            Transport::Tcp(ports) | Transport::Udp(ports) => self.ports(ports),
            Transport::All | Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => 1,
        }
    }

    /// All ports of a range.
    pub(crate) fn ports(self, ports: PortRange) -> u128 {
        let sensitive = self.limits.sensitive_ports.ranges().iter();
        let own = sensitive.filter_map(|range| range.intersection(ports));
        let own: u128 = own.map(|range| u128::from(range.count())).sum();
        let more = u128::from(self.limits.sensitive_weight.max(1) - 1);
        u128::from(ports.count()) + own * more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(net: &str) -> Block {
        let (first, last) = net_bounds(net.parse().unwrap());
        Block::spanning(first, last)
    }

    fn nets(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_of_the_vpc_that_nobody_owned_counts_a_quarter() {
        let vacancy = Vacancy::new(
            &nets(&["10.0.0.0/24", "2001:db8::/56"]),
            &nets(&["10.0.0.5/32", "10.0.0.16/28", "2001:db8::7/128"]),
        );
        let limits = Limits::default();
        let weights = Weights {
            vacancy: &vacancy,
            limits: &limits,
        };
        let of = |net: &str| weights.addresses(Family::V4, block(net));
        assert_eq!(of("10.0.0.5/32"), 4);
        assert_eq!(of("10.0.0.4/32"), 1);
        assert_eq!(of("10.0.0.4/31"), 5);
        assert_eq!(of("10.0.0.16/28"), 64);
        assert_eq!(of("10.0.0.0/24"), 239 + 17 * 4);
        assert_eq!(of("10.0.0.0/23"), 239 + 17 * 4 + 256 * 4);
        assert_eq!(of("192.0.2.0/24"), 1_024);
        assert_eq!(
            weights.addresses(Family::V6, block("2001:db8::/56")),
            255 + 4
        );
        assert_eq!(weights.addresses(Family::V6, block("2001:db8::7/128")), 4);
    }

    #[test]
    fn a_sensitive_port_counts_eight() {
        let limits = Limits::default();
        let weights = Weights {
            vacancy: &Vacancy::none(),
            limits: &limits,
        };
        let tcp = |a, b| weights.services(Transport::Tcp(PortRange::spanning(a, b)));
        assert_eq!((tcp(443, 443), tcp(22, 22), tcp(22, 24)), (1, 8, 17));
        assert_eq!(
            tcp(0, u16::MAX),
            65_536 + 7 * u128::from(sensitive_ports().count())
        );
        assert_eq!(weights.services(Transport::All), 1);
    }
}
