//! Services by prefixes, exactly, where services are few.
//!
//! The trie of all addresses is walked once. What a walk must know of the rules
//! above a node is no more than the set of services that they open there; so
//! for each node, each such set and each number of rules, the least volume is
//! found that holds all that is needed below. Rules may overlap as they like:
//! what is open at a node is counted there, once.
//!
//! Some best set of rules has only closed ones: their services begin and end
//! with one that something inside needs, and their prefix is a node of the
//! trie. Of a run of services that are open together and not all opened above,
//! one rule opens all of it. So the table leaves nothing out. Sets of services
//! grow with 2.6 to their number, which is why it is for few.

use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Ranges;
use crate::tighten::boxes::elementary;
use crate::tighten::front::IMPOSSIBLE;
use crate::tighten::ports::Unit;
use crate::tighten::prefixes::Block;
use crate::tighten::weight::Weights;

/// Most services that differ.
const MOST_SERVICES: usize = 7;

/// Nothing holds what is needed.
const NEVER: i128 = i128::MAX;

/// The table of one protocol.
#[derive(Debug)]
pub(crate) struct Plane {
    services: Services,
    root: Node,
    costs: Vec<u128>,
}

/// All services between the first and the last that is needed, cut where
/// anything changes, and the sets of them that rules can open.
#[derive(Debug)]
struct Services {
    /// In order, each next to the one before.
    parts: Vec<PortRange>,
    /// Sets as bits, ascending; the first is empty.
    sets: Vec<u32>,
    /// What each set weighs.
    volumes: Vec<i128>,
    /// For each set, each that holds it, with how many rules lead there.
    wider: Vec<Vec<(usize, usize)>>,
}

#[derive(Debug)]
struct Node {
    block: Block,
    /// By set that is open above: which set is open here, by number of rules.
    chosen: Vec<Vec<u16>>,
    /// By set that is open here: how many rules the lower half has.
    lower: Vec<Vec<u16>>,
    halves: Option<Box<(Node, Node)>>,
}

/// An address with the parts that it needs, as bits.
type Asking = (u128, u32);

/// Least volumes at a node by set and number of rules; empty: never.
type Rows = Vec<Vec<i128>>;

/// What the walk asks.
struct Walk<'a> {
    services: &'a Services,
    slices: Vec<Ranges>,
    family: Family,
    weights: Weights<'a>,
    most: usize,
}

impl Plane {
    /// The table of units of one protocol with ports, for up to `most` rules;
    /// `None` where services are too many, or nodes by pairs of sets by rules
    /// are more than `budget`.
    pub(crate) fn new(
        units: &[Unit],
        ground: &Ground,
        family: Family,
        weights: Weights<'_>,
        most: usize,
        budget: usize,
    ) -> Option<Plane> {
        let services = Services::of(units, weights)?;
        let peers = peers(units, &services.parts);
        let points: usize = peers.iter().map(|(_, own)| ones(*own)).sum();
        let most = most.min(points);
        let pairs: usize = services.wider.iter().map(Vec::len).sum();
        let work = pairs.checked_mul(peers.len().checked_mul(2)?)?;
        if work.checked_mul(most)? > budget || peers.is_empty() {
            return None;
        }
        let parts = services.parts.iter();
        let slices = parts.map(|part| ground.slice(*part).into_owned());
        let walk = Walk {
            services: &services,
            slices: slices.collect(),
            family,
            weights,
            most,
        };
        let (root, rows) = walk.node(&peers);
        let first = rows.first().into_iter().flatten().skip(1);
        let costs = first
            .map(|volume| match u128::try_from(*volume) {
                Ok(known) if *volume != NEVER => known,
                Ok(_) | Err(_) => IMPOSSIBLE,
            })
            .collect();
        Some(Plane {
            services,
            root,
            costs,
        })
    }

    /// Least volumes of at most 1, 2, … rules.
    pub(crate) fn costs(&self) -> &[u128] {
        &self.costs
    }

    /// Rules that reach the volume of at most so many.
    pub(crate) fn pick(&self, rules: usize) -> Vec<(PortRange, Block)> {
        let mut picked = Vec::new();
        self.collect(&self.root, 0, rules.min(self.costs.len()), &mut picked);
        picked
    }

    fn collect(
        &self,
        node: &Node,
        above: usize,
        rules: usize,
        picked: &mut Vec<(PortRange, Block)>,
    ) {
        let row = node.chosen.get(above);
        let chosen = row.and_then(|row| row.get(rules.min(row.len().checked_sub(1)?)));
        let Some(set) = chosen.map(|set| usize::from(*set)) else {
            return;
        };
        let before = picked.len();
        let bits = |set: usize| self.services.sets.get(set).copied().unwrap_or(0);
        for run in runs(bits(set)).filter(|run| run & bits(above) != *run) {
            picked.extend(self.services.range(run).map(|range| (range, node.block)));
        }
        let left = rules.saturating_sub(picked.len() - before);
        if let Some(halves) = &node.halves {
            let row = node.lower.get(set);
            let low = row.and_then(|row| row.get(left.min(row.len().checked_sub(1)?)));
            let low = low.map_or(0, |low| usize::from(*low));
            self.collect(&halves.0, set, low, picked);
            self.collect(&halves.1, set, left - low, picked);
        }
    }
}

impl Services {
    fn of(units: &[Unit], weights: Weights<'_>) -> Option<Services> {
        let ranges: Vec<PortRange> = units.iter().map(|unit| unit.transport.service()).collect();
        let needed = elementary(&ranges);
        if needed.is_empty() || needed.len() > MOST_SERVICES {
            return None;
        }
        let parts = cut(&ranges);
        let is_gap = |part: &PortRange| !needed.iter().any(|own| own.overlaps(*part));
        let gaps = parts.iter().enumerate().filter(|(_, part)| is_gap(part));
        let gaps = gaps.fold(0u32, |bits, (at, _)| bits | 1 << at);
        let all = 1u32 << parts.len();
        let closed = |set: &u32| {
            let open_gaps = set & gaps;
            open_gaps & !(set << 1) == 0 && open_gaps & !(set >> 1) == 0
        };
        let sets: Vec<u32> = (0..all).filter(closed).collect();
        let weighed: Vec<u128> = parts.iter().map(|part| weights.ports(*part)).collect();
        let volume = |set: &u32| {
            let own = weighed
                .iter()
                .enumerate()
                .filter(|(at, _)| set >> at & 1 == 1);
            own.fold(0i128, |sum, (_, weight)| {
                sum.saturating_add(i128::try_from(*weight).unwrap_or(i128::MAX))
            })
        };
        let wider = |from: &u32| {
            let holding = sets
                .iter()
                .enumerate()
                .filter(|(_, set)| *set & from == *from);
            let new = |set: u32| runs(set).filter(|run| run & from != *run).count();
            holding.map(|(at, set)| (at, new(*set))).collect()
        };
        Some(Services {
            volumes: sets.iter().map(volume).collect(),
            wider: sets.iter().map(wider).collect(),
            parts,
            sets,
        })
    }

    /// The services of a run.
    fn range(&self, run: u32) -> Option<PortRange> {
        let first = self
            .parts
            .get(usize::try_from(run.trailing_zeros()).ok()?)?;
        let last = u32::BITS - 1 - run.leading_zeros();
        let last = self.parts.get(usize::try_from(last).ok()?)?;
        Some(PortRange::spanning(first.from(), last.to()))
    }
}

/// All services between the first and the last of these ranges, cut where
/// anything changes: in order, each next to the one before.
pub(crate) fn cut(ranges: &[PortRange]) -> Vec<PortRange> {
    let mut parts: Vec<PortRange> = Vec::new();
    for part in elementary(ranges) {
        if let Some(before) = parts.last().map(|part| part.to()) {
            let gap = before.checked_add(1).zip(part.from().checked_sub(1));
            parts.extend(gap.and_then(|(from, to)| PortRange::new(from, to)));
        }
        parts.push(part);
    }
    parts
}

/// Runs of set bits, lowest first.
fn runs(set: u32) -> impl Iterator<Item = u32> {
    let mut left = set;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let low = left & left.wrapping_neg();
        let run = left & !left.wrapping_add(low);
        left &= !run;
        Some(run)
    })
}

fn ones(set: u32) -> usize {
    usize::try_from(set.count_ones()).unwrap_or(usize::MAX)
}

/// All addresses, sorted, each with the parts that it needs.
pub(crate) fn peers(units: &[Unit], parts: &[PortRange]) -> Vec<Asking> {
    let mut all: Vec<Asking> = Vec::new();
    for unit in units {
        let service = unit.transport.service();
        let own = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| service.covers(**part));
        let bits = own.fold(0u32, |bits, (at, _)| bits | 1 << at);
        all.extend(unit.peers.iter().map(|peer| (*peer, bits)));
    }
    all.sort_unstable();
    let mut merged: Vec<Asking> = Vec::with_capacity(all.len());
    for (peer, bits) in all {
        match merged.last_mut() {
            Some((same, own)) if *same == peer => *own |= bits,
            Some(_) | None => merged.push((peer, bits)),
        }
    }
    merged
}

impl Walk<'_> {
    /// The node of these addresses, and its least volumes by the set that is
    /// open above.
    fn node(&self, peers: &[Asking]) -> (Node, Rows) {
        let first = peers.first().map_or(0, |peer| peer.0);
        let last = peers.last().map_or(0, |peer| peer.0);
        let block = Block::spanning(first, last);
        let needed = peers.iter().fold(0, |bits, (_, own)| bits | own);
        let open = self.allowed(block);
        let own = self.volume(block);
        let (halves, lower, here) = if first == last {
            (None, Vec::new(), self.leaf(needed, open, own))
        } else {
            let (low, high) = halves(block, peers);
            let ((low, of_low), (high, of_high)) = (self.node(low), self.node(high));
            let apart = self
                .volume(low.block)
                .saturating_add(self.volume(high.block));
            let (here, lower) = self.both(&of_low, &of_high, open, own.saturating_sub(apart));
            (Some(Box::new((low, high))), lower, here)
        };
        let (rows, chosen) = self.entered(&here, open, needed);
        let node = Node {
            block,
            chosen,
            lower,
            halves,
        };
        (node, rows)
    }

    fn volume(&self, block: Block) -> i128 {
        i128::try_from(self.weights.addresses(self.family, block)).unwrap_or(i128::MAX)
    }

    /// The parts that today's rules allow to all of the block.
    fn allowed(&self, block: Block) -> u32 {
        let slices = self.slices.iter().enumerate();
        let open = slices.filter(|(_, slice)| slice.covers(block.first(), block.last()));
        open.fold(0, |bits, (at, _)| bits | 1 << at)
    }

    /// Of one address, by the set that is open here.
    fn leaf(&self, needed: u32, open: u32, own: i128) -> Rows {
        let sets = self.services.sets.iter().zip(&self.services.volumes);
        let row = |(set, volume): (&u32, &i128)| {
            if set & !open == 0 && needed & !set == 0 {
                vec![own.saturating_mul(*volume)]
            } else {
                Vec::new()
            }
        };
        sets.map(row).collect()
    }

    /// Of two halves, by the set that is open here; and how many rules the
    /// lower one has.
    fn both(&self, low: &Rows, high: &Rows, open: u32, own: i128) -> (Rows, Vec<Vec<u16>>) {
        let sets = self.services.sets.iter().zip(&self.services.volumes);
        sets.zip(low.iter().zip(high))
            .map(|((set, volume), (low, high))| {
                if set & !open != 0 || low.is_empty() || high.is_empty() {
                    return (Vec::new(), Vec::new());
                }
                let (mut row, lower) = sums(low, high, self.most);
                let here = own.saturating_mul(*volume);
                for volume in row.iter_mut().filter(|volume| **volume != NEVER) {
                    *volume = volume.saturating_add(here);
                }
                (row, lower)
            })
            .unzip()
    }

    /// By the set that is open above: the least over the sets that may be open
    /// here.
    fn entered(&self, here: &Rows, open: u32, needed: u32) -> (Rows, Vec<Vec<u16>>) {
        // Nothing beside the outermost services that are needed is opened.
        let from = u32::MAX.checked_shl(needed.trailing_zeros()).unwrap_or(0);
        let to = u32::MAX.checked_shr(needed.leading_zeros()).unwrap_or(0);
        let within = from & to;
        let sets = self.services.sets.iter().zip(&self.services.wider);
        sets.map(|(from, wider)| {
            let (mut row, mut chosen): (Vec<i128>, Vec<u16>) = (Vec::new(), Vec::new());
            if from & !open != 0 {
                return (row, chosen);
            }
            for &(to, rules) in wider {
                let set = self.services.sets.get(to).copied().unwrap_or(0);
                let own = here.get(to).map_or(&[][..], Vec::as_slice);
                if own.is_empty() || set & !from & !within != 0 {
                    continue;
                }
                let length = (own.len() + rules).min(self.most + 1);
                let number = u16::try_from(to).unwrap_or(u16::MAX);
                while row.len() < length {
                    let (volume, set) = row
                        .last()
                        .zip(chosen.last())
                        .map_or((NEVER, 0), |(v, s)| (*v, *s));
                    row.push(volume);
                    chosen.push(set);
                }
                let last = own.last().copied().unwrap_or(NEVER);
                let volumes = own.iter().copied().chain(std::iter::repeat(last));
                let slots = row.iter_mut().zip(&mut chosen).skip(rules);
                for ((least, set), volume) in slots.zip(volumes) {
                    if volume < *least {
                        *least = volume;
                        *set = number;
                    }
                }
            }
            (row, chosen)
        })
        .unzip()
    }
}

fn halves(block: Block, peers: &[Asking]) -> (&[Asking], &[Asking]) {
    peers.split_at(peers.partition_point(|(peer, _)| block.is_lower(*peer)))
}

/// Least sums of at most so many rules of both; and how many the first has.
fn sums(low: &[i128], high: &[i128], most: usize) -> (Vec<i128>, Vec<u16>) {
    let length = (low.len() + high.len() - 1).min(most + 1);
    let mut row = vec![NEVER; length];
    let mut lower = vec![0u16; length];
    for (place, a) in low.iter().enumerate().filter(|(_, a)| **a != NEVER) {
        let slots = row.iter_mut().zip(&mut lower).skip(place);
        for ((sum, from), b) in slots.zip(high).filter(|(_, b)| **b != NEVER) {
            let candidate = a.saturating_add(*b);
            if candidate < *sum {
                *sum = candidate;
                *from = u16::try_from(place).unwrap_or(u16::MAX);
            }
        }
    }
    (row, lower)
}
