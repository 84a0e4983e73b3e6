//! Public services: ports behind a wide rule that many public addresses used.
//!
//! Narrowing such a rule to the addresses that were seen would not be least
//! privilege but an outage, since tomorrow's clients are others. The rule's
//! own prefix is kept for the port instead.

use std::cmp::Reverse;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Plot;
use crate::tighten::case::Limits;
use crate::tighten::ports::Unit;

/// Takes the addresses of public services out of the units of one family, and
/// gives the boxes that stand for them, each with the number of its public
/// addresses.
pub(crate) fn take_public(
    units: &mut Vec<Unit>,
    family: Family,
    allowed: &[Plot],
    limits: &Limits,
) -> Vec<(Plot, usize)> {
    let wide = wide_plots(family, allowed, limits);
    let mut public = Vec::new();
    for unit in units
        .iter_mut()
        .filter(|unit| unit.peers.len() > limits.public_peers)
    {
        for net in prefixes_of(unit, &wide) {
            let (first, last) = net_bounds(net);
            let inside = |peer: &u128| first <= *peer && *peer <= last;
            let clients = unit.peers.iter().filter(|peer| inside(peer));
            let clients = clients.filter(|peer| is_public(**peer, family)).count();
            if clients > limits.public_peers {
                let transport = unit.transport;
                public.push((Plot { transport, net }, clients));
                unit.peers.retain(|peer| !inside(peer));
            }
        }
    }
    units.retain(|unit| !unit.peers.is_empty());
    public
}

fn wide_plots<'a>(family: Family, allowed: &'a [Plot], limits: &Limits) -> Vec<&'a Plot> {
    let own = |plot: &&Plot| Family::of_net(plot.net) == family && is_wide(plot, limits);
    allowed.iter().filter(own).collect()
}

/// Whether some box is wide enough for a public service.
pub(crate) fn has_wide(plots: &[Plot], limits: &Limits) -> bool {
    plots.iter().any(|plot| is_wide(plot, limits))
}

fn is_wide(plot: &Plot, limits: &Limits) -> bool {
    let limit = match Family::of_net(plot.net) {
        Family::V4 => limits.wide_v4,
        Family::V6 => limits.wide_v6,
    };
    plot.net.prefix_len() < limit
}

/// The wide prefixes that rules allow on all of the unit's service, narrowest
/// first: a wider one is kept only for what the narrower ones leave.
fn prefixes_of(unit: &Unit, wide: &[&Plot]) -> Vec<IpNet> {
    let own = |plot: &&&Plot| plot.transport.has_protocol(unit.protocol());
    let mut nets: Vec<IpNet> = wide.iter().filter(own).map(|plot| plot.net).collect();
    nets.sort_by_key(|net| (Reverse(net.prefix_len()), *net));
    nets.dedup();
    let whole = |net: &IpNet| {
        let plots = wide.iter().filter(own).filter(|plot| plot.net == *net);
        let services: PortSet = plots.map(|plot| plot.transport.service()).collect();
        services.covers(unit.transport.service())
    };
    nets.into_iter().filter(whole).collect()
}

/// Whether an address is of the public Internet: not private (RFC 1918, RFC
/// 4193), shared (RFC 6598), link-local or loopback.
fn is_public(bits: u128, family: Family) -> bool {
    match family {
        Family::V4 => {
            let v4 = Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(0));
            let [a, b, _, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_private() || v4.is_link_local() || v4.is_loopback() || shared)
        }
        Family::V6 => {
            let v6 = Ipv6Addr::from_bits(bits);
            !(v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Transport;
    use crate::net::PortRange;

    fn taken(peers: &[u128], allowed: &[(u16, u16, &str)]) -> Vec<(String, usize)> {
        let plots: Vec<Plot> = allowed
            .iter()
            .map(|&(from, to, net)| Plot {
                transport: Transport::Tcp(PortRange::spanning(from, to)),
                net: net.parse().unwrap(),
            })
            .collect();
        let mut units = vec![Unit {
            transport: Transport::Tcp(PortRange::spanning(80, 81)),
            peers: peers.to_vec(),
        }];
        let limits = Limits {
            public_peers: 2,
            ..Limits::default()
        };
        let public = take_public(&mut units, Family::V4, &plots, &limits);
        public
            .iter()
            .map(|(plot, n)| (plot.net.to_string(), *n))
            .collect()
    }

    const MANY: [u128; 3] = [0x0800_0001, 0x4000_0001, 0x4000_0002];

    #[test]
    fn two_rules_with_the_same_prefix_make_one_service() {
        let rules = [(80, 80, "0.0.0.0/0"), (81, 90, "0.0.0.0/0")];
        assert_eq!(taken(&MANY, &rules), [("0.0.0.0/0".to_owned(), 3)]);
        assert_eq!(taken(&MANY, &rules[..1]), []);
    }

    #[test]
    fn private_addresses_make_no_public_service() {
        let private = [0x0a00_0001, 0x0a00_0002, 0x0a00_0003, 0x6440_0001];
        assert_eq!(taken(&private, &[(0, 100, "0.0.0.0/0")]), []);
    }

    #[test]
    fn the_narrowest_wide_rule_that_many_used_is_enough() {
        let peers = [0x0800_0001, 0x4000_0001, 0x4000_0002, 0x4000_0003];
        let rules = [(0, 100, "0.0.0.0/0"), (0, 100, "64.0.0.0/4")];
        assert_eq!(taken(&peers, &rules), [("64.0.0.0/4".to_owned(), 3)]);
    }
}
