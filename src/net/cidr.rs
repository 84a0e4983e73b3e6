//! Sets of IP addresses, IPv4 and IPv6 apart, as sorted ranges.
//!
//! [`ipnet`] gives the prefix; what it lacks is a set that is closed under
//! union, difference and counting. Sizes are exact: IPv4 in addresses, IPv6
//! in /64 networks where a product with ports would overflow 128 bits.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

/// The prefixes of private addresses (RFC 1918, RFC 4193) and of carrier-grade
/// ones (RFC 6598).
pub const PRIVATE: [&str; 5] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
];

/// Whether an address is in one of [`PRIVATE`].
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// 32-bit addresses.
    V4,
    /// 128-bit addresses.
    V6,
}

impl Family {
    /// Both, in their order.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The family of a prefix.
    #[must_use]
    pub fn of_net(net: IpNet) -> Family {
        match net {
            IpNet::V4(_) => Family::V4,
            IpNet::V6(_) => Family::V6,
        }
    }
}

/// An address as a number of its family (IPv4 in the low 32 bits).
#[must_use]
pub fn address_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// First and last address of a prefix, as numbers of its family.
#[must_use]
pub fn net_bounds(net: IpNet) -> (u128, u128) {
    (address_bits(net.network()), address_bits(net.broadcast()))
}

/// The prefix that holds only this address (/32 or /128).
#[must_use]
pub fn host_net(address: IpAddr) -> IpNet {
    IpNet::from(address)
}

/// Whether a prefix holds one address only.
#[must_use]
pub fn is_host(net: IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

/// Whether two prefixes have an address in common: one then holds the other.
#[must_use]
pub fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// Set of addresses of both families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressSet {
    v4: Ranges,
    v6: Ranges,
}

impl AddressSet {
    /// The set of nothing.
    #[must_use]
    pub fn empty() -> AddressSet {
        AddressSet::default()
    }

    /// Whether no address is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.v4.0.is_empty() && self.v6.0.is_empty()
    }

    /// Adds every address of a prefix.
    pub fn insert(&mut self, net: IpNet) {
        let (first, last) = net_bounds(net);
        self.family_mut(Family::of_net(net)).insert(first, last);
    }

    /// Whether the address is inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = address_bits(address);
        self.family(Family::of(address)).covers(bits, bits)
    }

    /// Whether every address of the prefix is inside.
    #[must_use]
    pub fn covers(&self, net: IpNet) -> bool {
        let (first, last) = net_bounds(net);
        self.family(Family::of_net(net)).covers(first, last)
    }

    /// Number of IPv4 addresses.
    #[must_use]
    pub fn count_v4(&self) -> u64 {
        self.v4
            .0
            .iter()
            .map(|&(first, last)| u64::try_from(last - first + 1).unwrap_or(u64::MAX))
            .sum()
    }

    /// Number of /64 networks that hold an IPv6 address of the set. A range
    /// smaller than a /64 counts as one.
    #[must_use]
    pub fn count_v6_networks(&self) -> u128 {
        let mut counted: Option<u128> = None;
        let mut total = 0u128;
        for &(first, last) in &self.v6.0 {
            let (first, last) = (first >> 64, last >> 64);
            let from = counted.map_or(first, |seen| first.max(seen + 1));
            if from <= last {
                total += last - from + 1;
            }
            counted = Some(last);
        }
        total
    }

    /// The fewest prefixes that hold exactly this set, IPv4 first, sorted.
    #[must_use]
    pub fn prefixes(&self) -> Vec<IpNet> {
        let v4 = self
            .v4
            .0
            .iter()
            .flat_map(|&(first, last)| v4_prefixes(first, last));
        let v6 = self
            .v6
            .0
            .iter()
            .flat_map(|&(first, last)| v6_prefixes(first, last));
        v4.chain(v6).collect()
    }

    fn family(&self, family: Family) -> &Ranges {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    fn family_mut(&mut self, family: Family) -> &mut Ranges {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }
}

impl FromIterator<IpNet> for AddressSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(iter: I) -> AddressSet {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for net in iter {
            match Family::of_net(net) {
                Family::V4 => v4.push(net_bounds(net)),
                Family::V6 => v6.push(net_bounds(net)),
            }
        }
        AddressSet {
            v4: Ranges::from_unsorted(v4),
            v6: Ranges::from_unsorted(v6),
        }
    }
}

fn v4_prefixes(first: u128, last: u128) -> Vec<IpNet> {
    let address = |bits: u128| Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX));
    let subnets = ipnet::Ipv4Subnets::new(address(first), address(last), 0);
    subnets.map(|net: Ipv4Net| IpNet::V4(net)).collect()
}

fn v6_prefixes(first: u128, last: u128) -> Vec<IpNet> {
    let subnets = ipnet::Ipv6Subnets::new(Ipv6Addr::from_bits(first), Ipv6Addr::from_bits(last), 0);
    subnets.map(|net: Ipv6Net| IpNet::V6(net)).collect()
}

/// Sorted closed ranges of one family.
/// Invariant: between two ranges at least one address is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges(Vec<(u128, u128)>);

impl Ranges {
    fn from_unsorted(mut unsorted: Vec<(u128, u128)>) -> Ranges {
        unsorted.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::with_capacity(unsorted.len());
        for (first, last) in unsorted {
            match ranges.last_mut() {
                Some(own) if first <= own.1.saturating_add(1) => own.1 = own.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Ranges(ranges)
    }

    fn insert(&mut self, first: u128, last: u128) {
        let (mut first, mut last) = (first, last);
        self.0.retain(|&(own_first, own_last)| {
            let apart = own_last.saturating_add(1) < first || last.saturating_add(1) < own_first;
            if !apart {
                first = first.min(own_first);
                last = last.max(own_last);
            }
            apart
        });
        let at = self.0.partition_point(|own| own.0 < first);
        self.0.insert(at, (first, last));
    }

    fn covers(&self, first: u128, last: u128) -> bool {
        let at = self.0.partition_point(|own| own.0 <= first);
        at.checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|own| last <= own.1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn private_prefixes_end_where_private_addresses_do() {
        let step = |address: IpAddr, by: i128| match address {
            IpAddr::V4(v4) => IpAddr::from(Ipv4Addr::from_bits(
                u32::try_from(i128::from(v4.to_bits()) + by).unwrap(),
            )),
            IpAddr::V6(v6) => IpAddr::from(Ipv6Addr::from_bits(
                v6.to_bits().checked_add_signed(by).unwrap(),
            )),
        };
        for text in PRIVATE {
            let net: IpNet = text.parse().unwrap();
            let (first, last) = (net.network(), net.broadcast());
            assert!(is_private(first) && is_private(last), "{text}");
            let beside = [step(first, -1), step(last, 1)];
            assert_eq!(beside.map(is_private), [false, false], "{text}");
        }
    }

    #[test]
    fn two_halves_make_the_whole_prefix() {
        let set: AddressSet = [net("10.0.0.0/25"), net("10.0.0.128/25")]
            .into_iter()
            .collect();
        assert_eq!(set.prefixes(), vec![net("10.0.0.0/24")]);
        assert!(set.covers(net("10.0.0.64/26")));
        assert!(!set.covers(net("10.0.0.0/23")));
        assert_eq!(set.count_v4(), 256);
    }

    #[test]
    fn everything_is_counted_without_overflow() {
        let set: AddressSet = [net("0.0.0.0/0"), net("::/0")].into_iter().collect();
        assert_eq!(set.count_v4(), 1 << 32);
        assert_eq!(set.count_v6_networks(), 1 << 64);
        assert!(set.contains("::1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn inserting_one_by_one_equals_collecting(nets in prop::collection::vec((0u8..64, 26u8..=32), 0..8)) {
            let nets: Vec<IpNet> = nets.iter().map(|&(host, len)| {
                IpNet::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)), len).unwrap().trunc()
            }).collect();
            let collected: AddressSet = nets.iter().copied().collect();
            let mut grown = AddressSet::empty();
            for net in &nets {
                grown.insert(*net);
            }
            prop_assert_eq!(&grown, &collected);
            let again: AddressSet = collected.prefixes().into_iter().collect();
            prop_assert_eq!(&again, &collected);
            for host in 0..70u8 {
                let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, host));
                prop_assert_eq!(collected.contains(address), nets.iter().any(|net| net.contains(&address)));
            }
        }
    }
}
