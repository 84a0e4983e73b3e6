//! References to groups and prefix lists: kept, narrowed to the ports that were
//! needed, or dropped; never anything else.
//!
//! A reference cannot be joined with another, so all that the quota can ask of
//! it is to bridge gaps between its ports, cheapest first: the gaps are
//! independent of each other, so taking the cheapest is exact.

use std::collections::BTreeMap;

use crate::model::Peer;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Wish;
use crate::tighten::plan::Quota;
use crate::tighten::ports::bridgeable_gaps;
use crate::tighten::weight::Weights;

/// All that references owe.
pub(crate) struct LabelTask<'a> {
    /// Transports that are owed whole.
    scopes: Vec<(&'a Peer, Transport)>,
    ports: BTreeMap<(&'a Peer, IpProtocol), PortSet>,
    /// Gaps that may be bridged, cheapest first, each with its cost.
    gaps: Vec<(u128, &'a Peer, IpProtocol, PortRange)>,
    /// At `n`, what the rules count and what it costs with `n` gaps bridged.
    after: Vec<(Quota, u128)>,
}

impl<'a> LabelTask<'a> {
    pub(crate) fn new(wish: &Wish<'a>, allowed: &Boxes) -> LabelTask<'a> {
        let mut task = LabelTask {
            scopes: Vec::new(),
            ports: BTreeMap::new(),
            gaps: Vec::new(),
            after: Vec::new(),
        };
        for ((peer, protocol), owed) in &wish.owed.labels {
            let ports: PortSet = owed.ranges.iter().copied().collect();
            task.gaps
                .extend(gaps(wish, allowed, peer, *protocol, &ports));
            task.ports.insert((peer, *protocol), ports);
            let scopes = owed.scopes.iter();
            task.scopes
                .extend(scopes.map(|transport| (peer, *transport)));
        }
        task.gaps.sort_unstable();
        task.after = task.reckon(wish);
        task
    }

    fn reckon(&self, wish: &Wish<'_>) -> Vec<(Quota, u128)> {
        let rules = self.rules(0);
        let mut count: Quota = rules.iter().map(|(peer, _)| (wish.weight)(peer)).sum();
        let mut cost = 0u128;
        let mut after = vec![(count, cost)];
        for (own, peer, _, _) in &self.gaps {
            // Each bridge makes one rule of two.
            let saved = (wish.weight)(peer);
            count = Quota {
                v4: count.v4.saturating_sub(saved.v4),
                v6: count.v6.saturating_sub(saved.v6),
            };
            cost = cost.saturating_add(*own);
            after.push((count, cost));
        }
        after
    }

    /// What the rules count and what it costs, by number of gaps bridged.
    pub(crate) fn after(&self) -> &[(Quota, u128)] {
        &self.after
    }

    /// The rules with the first `bridges` gaps bridged, sorted.
    pub(crate) fn rules(&self, bridges: usize) -> Vec<(Peer, Transport)> {
        let mut rules: Vec<(Peer, Transport)> = self
            .scopes
            .iter()
            .map(|(peer, transport)| ((*peer).clone(), *transport))
            .collect();
        for ((peer, protocol), ports) in &self.ports {
            let bridged = self.gaps.iter().take(bridges);
            let bridged = bridged.filter(|gap| gap.1 == *peer && gap.2 == *protocol);
            let ranges = ports.ranges().iter().copied();
            let ports: PortSet = ranges.chain(bridged.map(|gap| gap.3)).collect();
            let transports = ports.ranges().iter();
            let transports = transports.map(|range| Transport::of(*protocol, *range));
            rules.extend(transports.map(|transport| ((*peer).clone(), transport)));
        }
        rules.sort_unstable();
        rules
    }
}

/// The gaps of one reference and protocol that its rules allow, with the cost
/// of each in address-ports.
fn gaps<'a>(
    wish: &Wish<'_>,
    allowed: &Boxes,
    peer: &'a Peer,
    protocol: IpProtocol,
    ports: &PortSet,
) -> Vec<(u128, &'a Peer, IpProtocol, PortRange)> {
    let same =
        |(own, transport): &&(Peer, Transport)| own == peer && transport.has_protocol(protocol);
    let rules = allowed.labels.iter().filter(same);
    let ground: PortSet = rules.map(|(_, transport)| transport.service()).collect();
    let weights = Weights {
        vacancy: wish.vacancy,
        limits: wish.limits,
    };
    let members = (wish.size)(peer).max(1).saturating_mul(weights.scale());
    let cost = |gap: PortRange| members.saturating_mul(weights.ports(gap));
    let gaps = bridgeable_gaps(ports, &ground).into_iter();
    gaps.map(|gap| (cost(gap), peer, protocol, gap)).collect()
}
