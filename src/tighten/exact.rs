//! Few services and few addresses: the least volume of all, by searching.
//!
//! A rule is a box, services by prefix. Some best set of boxes has only closed
//! ones: no wider than the points that nothing before them covered. So the
//! first open point is taken, each closed box on the ground that holds it is
//! tried, and what opens no less than the best found is cut off. Overlaps count
//! once. The number of tries is limited, not the time, so that the answer is
//! the same everywhere; a search that is cut short gives nothing.

use std::collections::BTreeSet;

use crate::model::Transport;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::ports::Unit;
use crate::tighten::prefixes::Block;
use crate::tighten::weight::Weights;

/// Most points, each a service and an address.
const MOST_POINTS: usize = 24;

/// Most rules.
const MOST_RULES: usize = 8;

/// Most boxes tried.
const MOST_TRIES: u32 = 200_000;

/// One service range of one address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    ports: (u16, u16),
    peer: u128,
}

/// A box: service range by block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rect {
    ports: (u16, u16),
    block: Block,
}

impl Rect {
    fn around(self, point: Point) -> Rect {
        let (from, to) = self.ports;
        let first = self.block.first().min(point.peer);
        let last = self.block.last().max(point.peer);
        Rect {
            ports: (from.min(point.ports.0), to.max(point.ports.1)),
            block: Block::spanning(first, last),
        }
    }

    fn of(point: Point) -> Rect {
        Rect {
            ports: point.ports,
            block: Block::spanning(point.peer, point.peer),
        }
    }

    fn holds(self, point: Point) -> bool {
        let ports = self.ports.0 <= point.ports.0 && point.ports.1 <= self.ports.1;
        ports && self.block.first() <= point.peer && point.peer <= self.block.last()
    }

    fn common(self, other: Rect) -> Option<Rect> {
        let ports = (
            self.ports.0.max(other.ports.0),
            self.ports.1.min(other.ports.1),
        );
        // Blocks nest or are apart.
        let block = if other.block.holds(self.block) {
            self.block
        } else if self.block.holds(other.block) {
            other.block
        } else {
            return None;
        };
        (ports.0 <= ports.1).then_some(Rect { ports, block })
    }

    fn volume(self, weights: Weights<'_>) -> u128 {
        let ports = weights.ports(PortRange::spanning(self.ports.0, self.ports.1));
        let addresses = weights.addresses(Family::V4, self.block);
        addresses.saturating_mul(ports)
    }
}

/// Volume of the union, each part counted once.
fn union(rects: &[Rect], weights: Weights<'_>) -> u128 {
    let Some((last, before)) = rects.split_last() else {
        return 0;
    };
    let shared: Vec<Rect> = before
        .iter()
        .filter_map(|rect| rect.common(*last))
        .collect();
    (union(before, weights) + last.volume(weights)).saturating_sub(union(&shared, weights))
}

/// The boxes that open least within `most` rules, where they open less than
/// `than`; with their volume. Of one protocol with ports, and of IPv4 alone:
/// parts of /64 networks do not add up.
pub(crate) fn exact(
    units: &[Unit],
    ground: &Ground,
    weights: Weights<'_>,
    most: usize,
    than: u128,
) -> Option<(u128, Vec<Plot>)> {
    let points: Vec<Point> = units.iter().flat_map(points_of).collect();
    let rules = most.min(points.len());
    if points.len() > MOST_POINTS || rules > MOST_RULES {
        return None;
    }
    let mut search = Search {
        points: &points,
        ground,
        weights,
        tries: 0,
        least: than,
        best: None,
    };
    search.go(&mut Vec::new(), rules);
    let best = search.best.filter(|_| search.tries < MOST_TRIES)?;
    let protocol = units.first()?.protocol();
    let plot = |rect: &Rect| Plot {
        transport: Transport::of(protocol, PortRange::spanning(rect.ports.0, rect.ports.1)),
        net: rect.block.net(Family::V4),
    };
    Some((search.least, best.iter().map(plot).collect()))
}

fn points_of(unit: &Unit) -> impl Iterator<Item = Point> + '_ {
    let ports = unit.transport.service();
    unit.peers.iter().map(move |peer| Point {
        ports: (ports.from(), ports.to()),
        peer: *peer,
    })
}

struct Search<'a> {
    points: &'a [Point],
    ground: &'a Ground,
    weights: Weights<'a>,
    tries: u32,
    /// Nothing found so far opens less.
    least: u128,
    best: Option<Vec<Rect>>,
}

impl Search<'_> {
    fn go(&mut self, taken: &mut Vec<Rect>, left: usize) {
        let covered = |point: &&Point| taken.iter().any(|rect| rect.holds(**point));
        let open: Vec<Point> = self
            .points
            .iter()
            .filter(|p| !covered(p))
            .copied()
            .collect();
        // Open points lie outside of what was taken, apart from each other.
        let own: u128 = open
            .iter()
            .map(|point| Rect::of(*point).volume(self.weights))
            .sum();
        let opened = union(taken, self.weights);
        if opened.saturating_add(own) >= self.least {
            return;
        }
        let Some(first) = open.first() else {
            self.least = opened;
            self.best = Some(taken.clone());
            return;
        };
        if left == 0 {
            return;
        }
        for rect in self.closed(*first, &open) {
            self.tries = self.tries.saturating_add(1);
            if self.tries >= MOST_TRIES {
                return;
            }
            taken.push(rect);
            self.go(taken, left - 1);
            taken.pop();
        }
    }

    /// Closed boxes on the ground that hold the point, least first.
    fn closed(&self, first: Point, open: &[Point]) -> Vec<Rect> {
        let mut found: BTreeSet<(u128, Rect)> = BTreeSet::new();
        let mut queue = vec![Rect::of(first)];
        while let Some(rect) = queue.pop() {
            if !found.insert((rect.volume(self.weights), rect)) {
                continue;
            }
            let outside = open.iter().filter(|point| !rect.holds(**point));
            queue.extend(
                outside
                    .map(|point| rect.around(*point))
                    .filter(|wide| self.stands(*wide)),
            );
        }
        found.into_iter().map(|(_, rect)| rect).collect()
    }

    fn stands(&self, rect: Rect) -> bool {
        let slice = self
            .ground
            .slice(PortRange::spanning(rect.ports.0, rect.ports.1));
        slice.covers(rect.block.first(), rect.block.last())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::net::IpProtocol;
    use crate::tighten::case::Limits;
    use crate::tighten::plane::Plane;
    use crate::tighten::weight::Vacancy;

    /// Four ports by eight addresses, as bits of 32.
    fn units(mask: u32) -> Vec<Unit> {
        let unit = |port: u16| Unit {
            transport: Transport::Tcp(PortRange::single(port)),
            peers: (0..8)
                .filter(|host| mask >> (u32::from(port) * 8 + host) & 1 == 1)
                .map(u128::from)
                .collect(),
        };
        (0..4)
            .map(unit)
            .filter(|unit| !unit.peers.is_empty())
            .collect()
    }

    /// All boxes of the little world, as bits.
    fn boxes() -> Vec<u32> {
        let nets: Vec<u32> = (0..4u32)
            .flat_map(|bits| {
                (0..8u32 >> bits).map(move |at| ((1 << (1 << bits)) - 1) << (at << bits))
            })
            .collect();
        let ranges = (0..4).flat_map(|from| (from..4).map(move |to| (from, to)));
        ranges
            .flat_map(|(from, to)| {
                let spread =
                    move |net: &u32| (from..=to).fold(0, |all, port| all | net << (port * 8));
                nets.iter().map(spread).collect::<Vec<u32>>()
            })
            .collect()
    }

    /// The least union of at most `most` boxes off the holes, by trying all
    /// boxes for the first open point.
    fn naive(needed: u32, taken: u32, allowed: &[u32], most: usize) -> u32 {
        let open = needed & !taken;
        if open == 0 {
            return taken.count_ones();
        }
        if most == 0 {
            return u32::MAX;
        }
        let first = open & open.wrapping_neg();
        let over = allowed.iter().filter(|one| **one & first != 0);
        over.map(|one| naive(needed, taken | one, allowed, most - 1))
            .min()
            .unwrap_or(u32::MAX)
    }

    fn ground(holes: u32) -> (Ground, Vec<u32>) {
        let hosts = (0..32u32).filter(|bit| holes >> bit & 1 == 0);
        let plots: Vec<Plot> = hosts
            .map(|bit| Plot {
                transport: Transport::Tcp(PortRange::single(u16::try_from(bit / 8).unwrap())),
                net: Block::spanning(u128::from(bit % 8), u128::from(bit % 8)).net(Family::V4),
            })
            .collect();
        let allowed = boxes().into_iter().filter(|one| one & holes == 0);
        (
            Ground::new(&plots, Family::V4, IpProtocol::TCP),
            allowed.collect(),
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_search_finds_what_trying_all_boxes_finds(
            points in prop::collection::btree_set(0u32..32, 1..7),
            holes in any::<u32>(), more in any::<u32>(), rules in 1usize..7,
        ) {
            let needed = points.iter().fold(0, |mask, bit| mask | 1 << bit);
            let holes = holes & more & !needed;
            let (ground, allowed) = ground(holes);
            let rules = rules.min(if points.len() > 4 { 3 } else { 6 });
            let least = naive(needed, 0, &allowed, rules);
            let limits = Limits { vacant_share: 1, ..Limits::default() };
            let weights = Weights { vacancy: &Vacancy::none(), limits: &limits };
            let found = exact(&units(needed), &ground, weights, rules, u128::MAX);
            let found = found.map_or(u32::MAX, |(volume, _)| u32::try_from(volume).unwrap());
            prop_assert_eq!(found, least);
            // The table finds the same, and its boxes are what it says.
            let plane = Plane::new(&units(needed), &ground, Family::V4, weights, rules, usize::MAX).unwrap();
            let least_of = |rules| plane.costs().iter().take(rules).min().copied();
            prop_assert_eq!(least_of(rules).map_or(u32::MAX, |v| u32::try_from(v).unwrap_or(u32::MAX)), least);
            if least < u32::MAX {
                let picked = plane.pick(rules);
                prop_assert!(picked.len() <= rules);
                let opened = picked.iter().flat_map(|(ports, block)| {
                    let hosts = u32::try_from(block.first()).unwrap()..=u32::try_from(block.last()).unwrap();
                    hosts.flat_map(|host| (ports.from()..=ports.to()).map(move |port| u32::from(port) * 8 + host))
                });
                let opened = opened.fold(0u32, |mask, bit| mask | 1 << bit);
                prop_assert_eq!(opened.count_ones(), least);
                prop_assert_eq!(opened & holes, 0);
                prop_assert_eq!(opened & needed, needed);
            }
        }
    }
}
