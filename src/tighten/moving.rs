//! Addresses that change hands: a load balancer replaces its interfaces as it
//! grows, a task's interface is gone before anyone looks.
//!
//! Such an address belongs in no rule of its own: it would break when the next
//! one comes, and admit whoever gets it then. For the ports it used, the prefix
//! of today's rule is kept.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::net::cidr::Family;
use crate::net::cidr::address_bits;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Plot;
use crate::tighten::ports::Unit;

/// Takes such addresses out of the units of one family, with all that the
/// prefixes kept for them hold, and gives these prefixes.
pub(crate) fn take_moving(
    units: &mut Vec<Unit>,
    family: Family,
    allowed: &[Plot],
    moving: &BTreeSet<IpAddr>,
) -> Vec<Plot> {
    let own = moving
        .iter()
        .filter(|address| Family::of(**address) == family);
    let bits: BTreeSet<u128> = own.map(|address| address_bits(*address)).collect();
    let mut kept = Vec::new();
    for unit in units.iter_mut() {
        while let Some(net) = unit
            .peers
            .iter()
            .filter(|peer| bits.contains(peer))
            .find_map(|peer| {
                let holds = |plot: &&Plot| holds(plot, family, unit, *peer);
                allowed
                    .iter()
                    .filter(holds)
                    .map(|plot| plot.net)
                    .min_by_key(|net| (Reverse(net.prefix_len()), *net))
            })
        {
            let (first, last) = net_bounds(net);
            unit.peers.retain(|peer| *peer < first || last < *peer);
            kept.push(Plot {
                transport: unit.transport,
                net,
            });
        }
    }
    units.retain(|unit| !unit.peers.is_empty());
    kept
}

/// Whether a box holds the peer at all of the unit's service.
fn holds(plot: &Plot, family: Family, unit: &Unit, peer: u128) -> bool {
    let (first, last) = net_bounds(plot.net);
    Family::of_net(plot.net) == family
        && plot.transport.has_protocol(unit.protocol())
        && plot.transport.service().covers(unit.transport.service())
        && first <= peer
        && peer <= last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Transport;
    use crate::net::PortRange;

    #[test]
    fn the_narrowest_rule_is_kept_for_it_and_for_its_neighbours() {
        let plot = |port: u16, net: &str| Plot {
            transport: Transport::Tcp(PortRange::single(port)),
            net: net.parse().unwrap(),
        };
        let allowed = [
            plot(80, "0.0.0.0/0"),
            plot(80, "10.0.1.0/24"),
            plot(81, "10.0.1.90/32"),
        ];
        let mut units = vec![Unit {
            transport: Transport::Tcp(PortRange::single(80)),
            peers: vec![0x0a00_015a, 0x0a00_0163, 0x0b00_0001],
        }];
        let moving = BTreeSet::from(["10.0.1.90".parse().unwrap()]);
        let kept = take_moving(&mut units, Family::V4, &allowed, &moving);
        assert_eq!(kept, [plot(80, "10.0.1.0/24")]);
        assert_eq!(units[0].peers, [0x0b00_0001]);
    }
}
