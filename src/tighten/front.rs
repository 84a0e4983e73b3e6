//! The least volume of every number of prefixes that hold a set of addresses,
//! and how to reach it.
//!
//! A table over the binary trie of the addresses, from its leaves up: what one
//! prefix for a subtree costs, and what more cost, shared out between its halves.
//! The trie is never built: a sorted slice is its subtree, and a split is a
//! binary search. Subtrees are visited in post-order, so that the costs that are
//! still of use lie on a stack, and how each was shared out follows the last one's
//! in a list: no memory is asked for by address.

use crate::tighten::prefixes::Block;
use crate::tighten::prefixes::Measure;

/// No such number of prefixes holds the addresses.
pub(crate) const IMPOSSIBLE: u128 = u128::MAX;

/// For each number of prefixes, the least volume, and how to reach it.
#[derive(Debug)]
pub(crate) struct Front {
    /// At `j`, the volume of exactly `j + 1` prefixes.
    costs: Vec<u128>,
    shape: Shape,
}

/// The way back from a number of prefixes to the prefixes.
#[derive(Debug)]
enum Shape {
    Of(Set),
    Beside {
        halves: Box<(Shape, Shape)>,
        /// At `j`, how many (less one) of `j + 2` prefixes the first half has.
        taken: Vec<u16>,
    },
}

/// One set of addresses, and how prefixes are shared out in its trie.
#[derive(Debug)]
struct Set {
    number: usize,
    peers: Vec<u128>,
    /// Of each inner node, in post-order, where its part of `taken` ends. A
    /// subtree of `n` addresses has `n - 1` inner nodes, its own the last.
    ends: Vec<usize>,
    /// At `j` of a node's part, how many (less one) of `j + 2` prefixes its
    /// lower half has.
    taken: Vec<u16>,
}

impl Front {
    /// Volumes of exactly 1, 2, … prefixes.
    pub(crate) fn costs(&self) -> &[u128] {
        &self.costs
    }

    /// The front of two fronts side by side, up to `most` prefixes.
    fn beside(self, other: Front, most: usize) -> Front {
        let (sums, taken) = min_plus(&self.costs, &other.costs, most.saturating_sub(1));
        let mut costs = vec![IMPOSSIBLE];
        costs.extend(sums);
        let halves = Box::new((self.shape, other.shape));
        let shape = Shape::Beside { halves, taken };
        Front { costs, shape }
    }

    /// The blocks of the cheapest set of exactly `count` prefixes, each with
    /// the number of the set of addresses that it was made for.
    pub(crate) fn pick(&self, count: usize, blocks: &mut Vec<(usize, Block)>) {
        self.shape.pick(count, blocks);
    }
}

impl Shape {
    fn pick(&self, count: usize, blocks: &mut Vec<(usize, Block)>) {
        match self {
            Shape::Of(set) => set.pick(&set.peers, 0, count, blocks),
            Shape::Beside { halves, taken } => {
                if let Some(low) = shared_out(taken, count) {
                    halves.0.pick(low, blocks);
                    halves.1.pick(count - low, blocks);
                }
            }
        }
    }
}

/// How many of `count` prefixes the first half has; `None` where one holds all.
fn shared_out(taken: &[u16], count: usize) -> Option<usize> {
    let less_one = taken.get(count.checked_sub(2)?)?;
    Some(usize::from(*less_one) + 1)
}

impl Set {
    /// [`Front::pick`] of the subtree of these addresses, before whose inner
    /// nodes lie so many others.
    fn pick(&self, peers: &[u128], before: usize, count: usize, blocks: &mut Vec<(usize, Block)>) {
        let block = Block::around(peers);
        let node = (before + peers.len()).checked_sub(2);
        let taken = node
            .filter(|_| peers.len() > 1)
            .map(|node| self.taken(node));
        match taken.and_then(|taken| shared_out(taken, count)) {
            Some(own) => {
                let (low, high) = block.halves(peers);
                self.pick(low, before, own, blocks);
                self.pick(high, before + low.len() - 1, count - own, blocks);
            }
            None => blocks.push((self.number, block)),
        }
    }

    fn taken(&self, node: usize) -> &[u16] {
        let end = |node: usize| self.ends.get(node).copied();
        let from = node.checked_sub(1).and_then(end).unwrap_or(0);
        let own = from..end(node).unwrap_or(from);
        self.taken.get(own).unwrap_or_default()
    }
}

/// At `j`, the least sum of one of each, whose places add up to `j`; and the
/// first one's place. Of equal sums the lowest place.
pub(crate) fn min_plus(low: &[u128], high: &[u128], most: usize) -> (Vec<u128>, Vec<u16>) {
    let length = (low.len() + high.len()).saturating_sub(1).min(most);
    let mut sums = vec![IMPOSSIBLE; length];
    let mut taken = vec![0; length];
    min_plus_into(low, high, &mut sums, &mut taken);
    (sums, taken)
}

/// [`min_plus`] of as many sums as there is place for.
fn min_plus_into(low: &[u128], high: &[u128], sums: &mut [u128], taken: &mut [u16]) {
    for (place, &a) in low.iter().enumerate() {
        let slots = sums.iter_mut().zip(taken.iter_mut()).skip(place);
        for ((sum, from), &b) in slots.zip(high) {
            let candidate = a.saturating_add(b);
            if candidate < *sum {
                *sum = candidate;
                *from = u16::try_from(place).unwrap_or(u16::MAX);
            }
        }
    }
}

/// The front of one set of addresses (sorted, distinct, not empty), up to
/// `most` prefixes. O(addresses × `most`).
pub(crate) fn front(peers: &[u128], set: usize, measure: &Measure<'_>, most: usize) -> Front {
    let inner = peers.len().saturating_sub(1);
    let mut table = Table {
        measure,
        most,
        costs: Vec::new(),
        sums: Vec::new(),
        ends: Vec::with_capacity(inner),
        taken: Vec::new(),
    };
    table.add(peers);
    let set = Set {
        number: set,
        peers: peers.to_vec(),
        ends: table.ends,
        taken: table.taken,
    };
    Front {
        costs: table.costs,
        shape: Shape::Of(set),
    }
}

struct Table<'a> {
    measure: &'a Measure<'a>,
    most: usize,
    /// Costs of subtrees that have not been joined yet, one after the other.
    costs: Vec<u128>,
    /// Of the subtree being joined.
    sums: Vec<u128>,
    ends: Vec<usize>,
    taken: Vec<u16>,
}

impl Table<'_> {
    /// Puts the subtree's costs on the stack, and says how many they are.
    fn add(&mut self, peers: &[u128]) -> usize {
        let block = Block::around(peers);
        let whole = self.whole(block);
        if peers.len() < 2 {
            self.costs.push(whole);
            return 1;
        }
        let (low, high) = block.halves(peers);
        let before = self.costs.len();
        let low = self.add(low);
        let high = self.add(high);
        self.share_out(before, low);
        let sums = (low + high - 1).min(self.most.saturating_sub(1));
        self.costs.truncate(before);
        self.costs.push(whole);
        self.costs.extend_from_slice(&self.sums);
        sums + 1
    }

    /// What one prefix for all costs.
    fn whole(&self, block: Block) -> u128 {
        if self.measure.holds(block) {
            self.measure.volume(block)
        } else {
            IMPOSSIBLE
        }
    }

    /// Shares prefixes out between the topmost two subtrees of the stack: of
    /// the costs beyond `before`, so many are the lower one's.
    fn share_out(&mut self, before: usize, low: usize) {
        let (_, own) = self.costs.split_at(before);
        let (low, high) = own.split_at(low);
        let sums = (own.len() - 1).min(self.most.saturating_sub(1));
        self.sums.clear();
        self.sums.resize(sums, IMPOSSIBLE);
        let start = self.taken.len();
        self.taken.resize(start + sums, 0);
        let (_, taken) = self.taken.split_at_mut(start);
        min_plus_into(low, high, &mut self.sums, taken);
        self.ends.push(self.taken.len());
    }
}

/// The front of several fronts, joined in balance; `None` for none.
pub(crate) fn side_by_side(fronts: Vec<Front>, most: usize) -> Option<Front> {
    let mut row = fronts;
    while row.len() > 1 {
        let mut next = Vec::with_capacity(row.len().div_ceil(2));
        let mut rest = row.into_iter();
        while let Some(low) = rest.next() {
            next.push(match rest.next() {
                Some(high) => low.beside(high, most),
                None => low,
            });
        }
        row = next;
    }
    row.pop()
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;
    use crate::net::cidr::Family;
    use crate::tighten::boxes::Ranges;
    use crate::tighten::prefixes::tests::measure;
    use crate::tighten::prefixes::tests::set_of;

    fn everywhere() -> Ranges {
        Ranges::of(["0.0.0.0/0".parse().unwrap()].into_iter())
    }

    fn best(peers: &[u128], ground: &Ranges, most: usize) -> (u128, Vec<String>) {
        let front = front(peers, 0, &measure(ground), most);
        let least = front.costs().iter().min().copied().unwrap();
        let at = front.costs().iter().position(|&cost| cost == least);
        let mut blocks = Vec::new();
        front.pick(at.unwrap() + 1, &mut blocks);
        let mut nets: Vec<IpNet> = blocks.iter().map(|(_, b)| b.net(Family::V4)).collect();
        nets.sort();
        (least, nets.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn three_prefixes_beat_merging_neighbours_greedily() {
        let base = 0xc000_0200;
        let peers = [0, 6, 17, 21, 28, 31].map(|host| base + host);
        let (volume, nets) = best(&peers, &everywhere(), 3);
        assert_eq!(volume, 18);
        assert_eq!(nets, ["192.0.2.0/32", "192.0.2.6/32", "192.0.2.16/28"]);
    }

    #[test]
    fn volumes_are_not_convex_in_the_number_of_prefixes() {
        let peers = [0, 127, 128, 255].map(|host| 0xc000_0200 + host);
        let ground = everywhere();
        let front = front(&peers, 0, &measure(&ground), 4);
        assert_eq!(front.costs(), [256, 256, 130, 4]);
        assert_eq!(best(&peers, &ground, 2), (256, vec!["192.0.2.0/24".into()]));
    }

    #[test]
    fn a_prefix_off_the_ground_is_never_taken() {
        let ground = Ranges::of(["10.0.0.0/31".parse().unwrap()].into_iter());
        let peers = [0x0a00_0000, 0x0a00_0001, 0x0a00_0002];
        let front = front(&peers, 0, &measure(&ground), 3);
        assert_eq!(front.costs(), [IMPOSSIBLE, IMPOSSIBLE, IMPOSSIBLE]);
        let ground = Ranges::of(
            ["10.0.0.0/31", "10.0.0.2/32"]
                .map(|n| n.parse().unwrap())
                .into_iter(),
        );
        assert!(!ground.covers(0x0a00_0000, 0x0a00_0003));
        assert_eq!(best(&peers, &ground, 3).1, ["10.0.0.0/31", "10.0.0.2/32"]);
    }

    /// Least volume of at most `most` prefixes of 16 addresses, by trying all
    /// sets of disjoint prefixes.
    fn naive(peers: u32, ground: u32, low: u32, bits: u32, most: usize) -> u32 {
        let all = u32::MAX >> (32 - (1 << bits)) << low;
        if peers & all == 0 {
            return 0;
        }
        if most == 0 {
            return u32::MAX;
        }
        let whole = if ground & all == all {
            1 << bits
        } else {
            u32::MAX
        };
        if bits == 0 {
            return whole;
        }
        let half = 1 << (bits - 1);
        (0..=most)
            .map(|lower| {
                let a = naive(peers, ground, low, bits - 1, lower);
                let b = naive(peers, ground, low + half, bits - 1, most - lower);
                a.saturating_add(b)
            })
            .fold(whole, u32::min)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn the_front_is_what_trying_everything_finds(
            peers in 1u32..65_536, holes in any::<u16>(), most in 1usize..7,
        ) {
            let ground = (!u32::from(holes) & 0xffff) | peers;
            let nets = set_of(ground).into_iter().map(|a| Block::spanning(a, a).net(Family::V4));
            let ranges = Ranges::of(nets);
            let front = front(&set_of(peers), 0, &measure(&ranges), most);
            let least = front.costs().iter().min().copied().unwrap();
            let naive = naive(peers, ground, 0, 4, most);
            prop_assert_eq!(u32::try_from(least).unwrap_or(u32::MAX), naive);
            for (count, cost) in (1..).zip(front.costs()).filter(|(_, cost)| **cost < IMPOSSIBLE) {
                let mut blocks = Vec::new();
                front.pick(count, &mut blocks);
                prop_assert_eq!(blocks.len(), count);
                let opened = blocks.iter().map(|(_, block)| block.size(Family::V4));
                prop_assert_eq!(opened.sum::<u128>(), *cost);
                let held = |peer: &u128| blocks.iter().any(|(_, block)| block.holds(Block::spanning(*peer, *peer)));
                prop_assert!(set_of(peers).iter().all(held));
            }
        }

        #[test]
        fn fronts_side_by_side_share_the_prefixes_out(
            sets in prop::collection::vec(1u32..65_536, 1..5), most in 1usize..9,
        ) {
            let ground = everywhere();
            let of = |(number, set): (usize, &u32)| front(&set_of(*set), number, &measure(&ground), most);
            let all = side_by_side(sets.iter().enumerate().map(of).collect(), most).unwrap();
            for (count, cost) in (1..).zip(all.costs()).filter(|(_, cost)| **cost < IMPOSSIBLE) {
                let mut blocks = Vec::new();
                all.pick(count, &mut blocks);
                prop_assert_eq!(blocks.len(), count);
                let opened = blocks.iter().map(|(_, block)| block.size(Family::V4));
                prop_assert_eq!(opened.sum::<u128>(), *cost);
                for (number, set) in sets.iter().enumerate() {
                    let held = |peer: &u128| {
                        blocks.iter().any(|(own, block)| *own == number && block.holds(Block::spanning(*peer, *peer)))
                    };
                    prop_assert!(set_of(*set).iter().all(held));
                }
            }
        }
    }
}
