//! Boxes for all that is owed, within the quota.
//!
//! First the readable boxes, made without a thought for the quota. Where they
//! fit, they are taken. Where they do not, the least volume is sought that
//! fits: prefixes exactly, for every number of rules that a family may have
//! (semantics 6.3); port ranges by bridging their narrowest gaps, in a few
//! steps; references by bridging theirs. What was squeezed once is squeezed
//! again from its own result until nothing changes, so that proposing twice is
//! proposing once.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::model::Peer;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::boxes::Ranges;
use crate::tighten::boxes::transport_covers;
use crate::tighten::case::Limits;
use crate::tighten::obligations::Obligations;
use crate::tighten::plan::Quota;
use crate::tighten::ports::Unit;
use crate::tighten::ports::bridgeable_gaps;
use crate::tighten::ports::bridged;
use crate::tighten::ports::units;
use crate::tighten::prefixes::Block;
use crate::tighten::prefixes::Front;
use crate::tighten::prefixes::IMPOSSIBLE;
use crate::tighten::prefixes::Measure;
use crate::tighten::prefixes::Taste;
use crate::tighten::prefixes::front;
use crate::tighten::prefixes::readable;
use crate::tighten::prefixes::side_by_side;

/// Rounds of squeezing after which the last result stands. Each round only
/// takes away; two nearly always do.
const ROUNDS: usize = 8;

/// What is to be fitted, and into what.
pub(crate) struct Wish<'a> {
    pub(crate) owed: &'a Obligations,
    pub(crate) limits: &'a Limits,
    /// What the held rules count.
    pub(crate) held: Quota,
    /// What a rule with this peer counts.
    pub(crate) weight: &'a dyn Fn(&Peer) -> Quota,
    /// How many addresses a reference stands for.
    pub(crate) size: &'a dyn Fn(&Peer) -> u128,
}

/// Rules by what they say, without ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Boxes {
    /// Sorted.
    pub(crate) plots: Vec<Plot>,
    /// References, sorted.
    pub(crate) labels: Vec<(Peer, Transport)>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) boxes: Boxes,
    /// Whether the quota made them wider than they would be.
    pub(crate) squeezed: bool,
    /// Public services, each with the number of its public addresses.
    pub(crate) public: Vec<(Plot, usize)>,
}

/// The narrowest boxes within `allowed` that hold what is owed; `None` where
/// none fit the quota.
pub(crate) fn fit(wish: &Wish<'_>, allowed: &Boxes) -> Option<Fitted> {
    let mut fitted = fit_once(wish, allowed)?;
    for _ in 1..ROUNDS {
        if !fitted.squeezed {
            break;
        }
        let again = fit_once(wish, &fitted.boxes)?;
        let settled = again.boxes == fitted.boxes;
        fitted.boxes = again.boxes;
        if settled {
            break;
        }
    }
    Some(fitted)
}

fn fit_once(wish: &Wish<'_>, allowed: &Boxes) -> Option<Fitted> {
    let v4 = FamilyTask::new(wish, allowed, Family::V4);
    let v6 = FamilyTask::new(wish, allowed, Family::V6);
    let labels = LabelTask::new(wish, allowed);
    let quota = u64::from(wish.limits.rule_quota);
    let at_ease = labels.counts(wish, 0) + wish.held;
    let room = |task: &FamilyTask, taken: Quota| {
        let left = quota.checked_sub(taken.of(task.family))?;
        usize::try_from(left).ok()
    };
    let squeezed = [&v4, &v6]
        .into_iter()
        .any(|task| room(task, at_ease).is_none_or(|room| task.readable.len() > room));
    let squeezes = [&v4, &v6].map(|task| squeezed.then(|| task.squeeze(room(task, wish.held))));
    let [in_v4, in_v6] = squeezes;
    let best = |bridges: usize| {
        let taken = labels.counts(wish, bridges) + wish.held;
        let first = v4.within(in_v4.as_ref(), room(&v4, taken)?)?;
        let second = v6.within(in_v6.as_ref(), room(&v6, taken)?)?;
        let volume = first.0.saturating_add(second.0);
        Some((
            volume.saturating_add(labels.cost(bridges)),
            bridges,
            first.1,
            second.1,
        ))
    };
    let most = if squeezed { labels.gaps.len() } else { 0 };
    let (_, bridges, first, second) = (0..=most).filter_map(best).min_by_key(|found| found.0)?;
    let mut plots = v4.plots(in_v4.as_ref(), first);
    plots.extend(v6.plots(in_v6.as_ref(), second));
    let boxes = Boxes {
        plots,
        labels: labels.rules(bridges),
    };
    let public = v4.public.into_iter().chain(v6.public).collect();
    Some(Fitted {
        boxes,
        squeezed,
        public,
    })
}

/// All that one family owes to prefixes.
struct FamilyTask {
    family: Family,
    grounds: BTreeMap<IpProtocol, Ground>,
    /// What is not a public service.
    units: Vec<Unit>,
    /// Prefixes of public services, with their public addresses.
    public: Vec<(Plot, usize)>,
    /// Public services and readable boxes, in normal form.
    readable: Vec<Plot>,
}

/// One way to group ports, with the least volumes by number of rules.
struct Grouping {
    units: Vec<Unit>,
    front: Front,
}

/// Which of the ways found: the readable boxes, or a grouping and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Readable,
    Squeezed { grouping: usize, rules: usize },
}

impl FamilyTask {
    fn new(wish: &Wish<'_>, allowed: &Boxes, family: Family) -> FamilyTask {
        let mut task = FamilyTask {
            family,
            grounds: BTreeMap::new(),
            units: Vec::new(),
            public: Vec::new(),
            readable: Vec::new(),
        };
        for (&(of, protocol), wanted) in &wish.owed.cidrs {
            if of == family {
                let ground = Ground::new(&allowed.plots, family, protocol);
                task.grounds.insert(protocol, ground);
                task.units.extend(units(protocol, wanted));
            }
        }
        task.take_public(wish.limits, allowed);
        task.readable = task.make_readable(wish.limits);
        task
    }

    /// Takes out of the units what belongs to public services.
    fn take_public(&mut self, limits: &Limits, allowed: &Boxes) {
        let wide = match self.family {
            Family::V4 => limits.wide_v4,
            Family::V6 => limits.wide_v6,
        };
        let wide =
            |plot: &&Plot| Family::of_net(plot.net) == self.family && plot.net.prefix_len() < wide;
        let mut nets: Vec<_> = allowed.plots.iter().filter(wide).map(|p| p.net).collect();
        // Narrowest first: a wider prefix is kept only for what remains.
        nets.sort_by_key(|net| (Reverse(net.prefix_len()), *net));
        nets.dedup();
        for unit in &mut self.units {
            let Some(ground) = self.grounds.get(&unit.protocol()) else {
                continue;
            };
            let slice = ground.slice(unit.transport.service());
            for net in &nets {
                let (first, last) = net_bounds(*net);
                let inside = |peer: &u128| first <= *peer && *peer <= last;
                let public = unit.peers.iter().filter(|peer| inside(peer));
                let public = public.filter(|peer| is_public(**peer, self.family)).count();
                if public > limits.public_peers && slice.covers(first, last) {
                    unit.peers.retain(|peer| !inside(peer));
                    let transport = unit.transport;
                    self.public.push((
                        Plot {
                            transport,
                            net: *net,
                        },
                        public,
                    ));
                }
            }
        }
        self.units.retain(|unit| !unit.peers.is_empty());
    }

    fn measure<'a>(&self, unit: &Unit, ground: &'a Ranges) -> Measure<'a> {
        Measure {
            family: self.family,
            ground,
            width: unit.width(),
        }
    }

    fn make_readable(&self, limits: &Limits) -> Vec<Plot> {
        let taste = Taste {
            price: limits.rule_worth,
            sparsest: limits.sparsest,
        };
        let mut plots: Vec<Plot> = self.public.iter().map(|(plot, _)| *plot).collect();
        for unit in &self.units {
            let Some(ground) = self.grounds.get(&unit.protocol()) else {
                continue;
            };
            let slice = ground.slice(unit.transport.service());
            let blocks = readable(&unit.peers, &self.measure(unit, &slice), taste);
            plots.extend(blocks.into_iter().map(|block| Plot {
                transport: unit.transport,
                net: block.net(self.family),
            }));
        }
        normal(plots)
    }

    /// The ways to hold everything in fewer rules.
    fn squeeze(&self, room: Option<usize>) -> Vec<Grouping> {
        let most = room.unwrap_or(0).saturating_sub(self.public.len());
        if self.units.is_empty() || most == 0 {
            return Vec::new();
        }
        let mut tried: Vec<Vec<Unit>> = Vec::new();
        let mut groups = self.units.len();
        loop {
            let grouped = bridged(&self.units, &self.grounds, groups);
            if grouped.len() <= most && tried.last() != Some(&grouped) {
                tried.push(grouped);
            }
            if groups <= 1 {
                break;
            }
            groups = if groups > most { most } else { groups / 2 };
        }
        let grouping = |units: Vec<Unit>| {
            let front = side_by_side(self.fronts(&units, most), most)?;
            Some(Grouping { units, front })
        };
        tried.into_iter().filter_map(grouping).collect()
    }

    fn fronts(&self, units: &[Unit], most: usize) -> Vec<Front> {
        let of = |(set, unit): (usize, &Unit)| {
            let ground = self.grounds.get(&unit.protocol())?;
            let slice = ground.slice(unit.transport.service());
            Some(front(&unit.peers, set, &self.measure(unit, &slice), most))
        };
        units.iter().enumerate().filter_map(of).collect()
    }

    /// The least volume within so many rules, and the way to it.
    fn within(&self, squeezed: Option<&Vec<Grouping>>, room: usize) -> Option<(u128, Way)> {
        if self.readable.len() <= room {
            return Some((self.readable_volume(), Way::Readable));
        }
        let room = room.checked_sub(self.public.len())?;
        let ways = squeezed?.iter().enumerate().flat_map(|(at, grouping)| {
            let costs = grouping.front.costs().iter().take(room).enumerate();
            costs.map(move |(place, &volume)| {
                let rules = place + 1;
                (
                    volume,
                    Way::Squeezed {
                        grouping: at,
                        rules,
                    },
                )
            })
        });
        ways.filter(|(volume, _)| *volume != IMPOSSIBLE)
            .min_by_key(|(volume, way)| (*volume, *way))
    }

    fn readable_volume(&self) -> u128 {
        let volume = |plot: &Plot| {
            let (first, last) = net_bounds(plot.net);
            let unit = Unit {
                transport: plot.transport,
                peers: Vec::new(),
            };
            let size = Block::spanning(first, last).size(self.family);
            size.saturating_mul(u128::from(unit.width()))
        };
        let public = |plot: &&Plot| !self.public.iter().any(|(own, _)| own == *plot);
        let volumes = self.readable.iter().filter(public).map(volume);
        volumes.fold(0, u128::saturating_add)
    }

    fn plots(&self, squeezed: Option<&Vec<Grouping>>, way: Way) -> Vec<Plot> {
        let (grouping, rules) = match way {
            Way::Readable => return self.readable.clone(),
            Way::Squeezed { grouping, rules } => (grouping, rules),
        };
        let mut plots: Vec<Plot> = self.public.iter().map(|(plot, _)| *plot).collect();
        if let Some(grouping) = squeezed.and_then(|squeezed| squeezed.get(grouping)) {
            let mut blocks = Vec::new();
            grouping.front.pick(rules, &mut blocks);
            plots.extend(blocks.into_iter().filter_map(|(set, block)| {
                Some(Plot {
                    transport: grouping.units.get(set)?.transport,
                    net: block.net(self.family),
                })
            }));
        }
        normal(plots)
    }
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

/// The same boxes said once: ports of the same prefix joined, and none inside
/// another. Sorted.
pub(crate) fn normal(plots: Vec<Plot>) -> Vec<Plot> {
    let mut ports: BTreeMap<(IpProtocol, IpNet), Vec<PortRange>> = BTreeMap::new();
    let mut joined: Vec<Plot> = Vec::new();
    for plot in plots {
        match plot.transport {
            Transport::Tcp(range) => ports
                .entry((IpProtocol::TCP, plot.net))
                .or_default()
                .push(range),
            Transport::Udp(range) => ports
                .entry((IpProtocol::UDP, plot.net))
                .or_default()
                .push(range),
            Transport::All | Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => {
                joined.push(plot);
            }
        }
    }
    for ((protocol, net), ranges) in ports {
        let ranges: PortSet = ranges.into_iter().collect();
        joined.extend(ranges.ranges().iter().map(|range| Plot {
            transport: Transport::of(protocol, *range),
            net,
        }));
    }
    without_nested(joined)
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

/// All that references owe.
struct LabelTask<'a> {
    owed: &'a Obligations,
    /// Gaps that may be bridged, cheapest first, each with its cost.
    gaps: Vec<(u128, &'a Peer, IpProtocol, PortRange)>,
}

impl<'a> LabelTask<'a> {
    fn new(wish: &Wish<'a>, allowed: &Boxes) -> LabelTask<'a> {
        let mut gaps = Vec::new();
        for ((peer, protocol), owed) in &wish.owed.labels {
            let same = |(own, transport): &&(Peer, Transport)| {
                own == peer && transport.has_protocol(*protocol)
            };
            let rules = allowed.labels.iter().filter(same);
            let ground: PortSet = rules.map(|(_, transport)| transport.service()).collect();
            let members = (wish.size)(peer).max(1);
            for gap in bridgeable_gaps(&owed.ports, &ground) {
                let cost = members.saturating_mul(u128::from(gap.count()));
                gaps.push((cost, peer, *protocol, gap));
            }
        }
        gaps.sort_unstable();
        LabelTask {
            owed: wish.owed,
            gaps,
        }
    }

    /// The rules with the first `bridges` gaps bridged.
    fn rules(&self, bridges: usize) -> Vec<(Peer, Transport)> {
        let mut rules = Vec::new();
        for ((peer, protocol), owed) in &self.owed.labels {
            let mut ports = owed.ports.clone();
            let bridged = self.gaps.iter().take(bridges);
            for (_, _, _, gap) in bridged.filter(|gap| gap.1 == peer && gap.2 == *protocol) {
                ports.insert(*gap);
            }
            let ports = ports.ranges().iter();
            let transports = ports.map(|range| Transport::of(*protocol, *range));
            let transports = transports.chain(owed.scopes.iter().copied());
            rules.extend(transports.map(|transport| (peer.clone(), transport)));
        }
        rules.sort_unstable();
        rules
    }

    fn counts(&self, wish: &Wish<'_>, bridges: usize) -> Quota {
        let rules = self.rules(bridges);
        rules.iter().map(|(peer, _)| (wish.weight)(peer)).sum()
    }

    fn cost(&self, bridges: usize) -> u128 {
        let costs = self.gaps.iter().take(bridges).map(|gap| gap.0);
        costs.fold(0, u128::saturating_add)
    }
}
