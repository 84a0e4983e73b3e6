//! Addresses to prefixes, exactly: which prefixes hold all of these addresses
//! and open least beside them.
//!
//! Two questions over the binary trie of the addresses. With a
//! price for each prefix, `readable` finds the cheapest set in one pass. With
//! a number of prefixes that must not be passed, `front` finds the least
//! volume for every number up to it; the volume is not convex in that number,
//! so no price finds all of these, and merging neighbours greedily is wrong.
//! Both are exact, and a prefix is taken only where it lies on allowed ground.
//!
//! The trie is never built: a sorted slice is its subtree, and a split is a
//! binary search, at most as deep as an address has bits.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::net::cidr::Family;
use crate::net::cidr::host_net;
use crate::tighten::boxes::Ranges;
use crate::tighten::weight::Weights;

/// A prefix as numbers: its first address, and how many low bits are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Block {
    first: u128,
    free: u32,
}

impl Block {
    /// The smallest block that holds both addresses.
    pub(crate) fn spanning(a: u128, b: u128) -> Block {
        let free = u128::BITS - (a ^ b).leading_zeros();
        let first = a & !Block::mask(free);
        Block { first, free }
    }

    fn mask(free: u32) -> u128 {
        1u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1)
    }

    pub(crate) fn first(self) -> u128 {
        self.first
    }

    /// Whether the other lies inside.
    pub(crate) fn holds(self, other: Block) -> bool {
        self.first <= other.first && other.last() <= self.last()
    }

    pub(crate) fn last(self) -> u128 {
        self.first | Block::mask(self.free)
    }

    /// Addresses of IPv4, /64 networks of IPv6 (a part of one counts as one).
    pub(crate) fn size(self, family: Family) -> u128 {
        match family {
            Family::V4 => self.last() - self.first + 1,
            Family::V6 => (self.last() >> 64) - (self.first >> 64) + 1,
        }
    }

    /// The block as a prefix of its family.
    pub(crate) fn net(self, family: Family) -> IpNet {
        let (address, bits) = match family {
            Family::V4 => {
                let bits = u32::try_from(self.first).unwrap_or(u32::MAX);
                (IpAddr::V4(Ipv4Addr::from_bits(bits)), Ipv4Addr::BITS)
            }
            Family::V6 => (IpAddr::V6(Ipv6Addr::from_bits(self.first)), Ipv6Addr::BITS),
        };
        // The length always fits its family; were it not so, a single address
        // would open nothing that was not asked for.
        let length = u8::try_from(bits.saturating_sub(self.free)).unwrap_or(u8::MAX);
        IpNet::new(address, length).unwrap_or_else(|_| host_net(address))
    }

    /// Whether an address of the block lies in its lower half.
    pub(crate) fn is_lower(self, peer: u128) -> bool {
        let bit = 1u128.checked_shl(self.free.wrapping_sub(1)).unwrap_or(0);
        peer & bit == 0
    }

    /// Splits the addresses at the block's middle.
    fn halves(self, peers: &[u128]) -> (&[u128], &[u128]) {
        peers.split_at(peers.partition_point(|peer| self.is_lower(*peer)))
    }
}

/// What a set of prefixes is measured by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measure<'a> {
    pub(crate) family: Family,
    /// Where prefixes may stand.
    pub(crate) ground: &'a Ranges,
    /// What the services that each address opens weigh.
    pub(crate) width: u128,
    pub(crate) weights: Weights<'a>,
}

impl Measure<'_> {
    fn volume(&self, block: Block) -> u128 {
        self.weights
            .addresses(self.family, block)
            .saturating_mul(self.width)
    }

    fn holds(&self, block: Block) -> bool {
        self.ground.covers(block.first, block.last())
    }
}

/// What makes a prefix worth having although it opens more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taste {
    /// Price of a prefix, in the measure's volume.
    pub(crate) price: u128,
    /// At least one address in this many was needed.
    pub(crate) sparsest: u32,
}

/// The prefixes that hold `peers` (sorted, distinct) at the least price plus
/// volume opened beside them; of equal ones, the fewest. Sorted.
pub(crate) fn readable(peers: &[u128], measure: &Measure<'_>, taste: Taste) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !peers.is_empty() {
        cheapest(peers, measure, taste, &mut blocks);
    }
    blocks
}

/// What blocks cost together, and what in them was needed.
struct Cheapest {
    price: u128,
    /// Addresses (IPv6: /64 networks).
    seen: u128,
    /// What these weigh.
    weight: u128,
}

/// Appends the cheapest blocks.
fn cheapest(
    peers: &[u128],
    measure: &Measure<'_>,
    taste: Taste,
    blocks: &mut Vec<Block>,
) -> Cheapest {
    let first = peers.first().copied().unwrap_or_default();
    let last = peers.last().copied().unwrap_or_default();
    let block = Block::spanning(first, last);
    let weight = measure.weights.addresses(measure.family, block);
    if first == last {
        blocks.push(block);
        return Cheapest {
            price: taste.price,
            seen: 1,
            weight,
        };
    }
    let before = blocks.len();
    let (low, high) = block.halves(peers);
    let low = cheapest(low, measure, taste, blocks);
    let high = cheapest(high, measure, taste, blocks);
    let size = block.size(measure.family);
    let seen = size.min(low.seen + high.seen);
    let needed = weight.min(low.weight.saturating_add(high.weight));
    let apart = low.price.saturating_add(high.price);
    let joined = (weight - needed)
        .saturating_mul(measure.width)
        .saturating_add(taste.price);
    let dense = seen.saturating_mul(u128::from(taste.sparsest)) >= size;
    let fits = dense || measure.weights.is_declared(measure.family, block);
    let joins = fits && joined <= apart && measure.holds(block);
    if joins {
        blocks.truncate(before);
        blocks.push(block);
    }
    Cheapest {
        price: if joins { joined } else { apart },
        seen,
        weight: needed,
    }
}

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
    /// One block, and nothing to split.
    Leaf(usize, Block),
    Joined {
        /// The block that holds both halves, where they have one in common.
        whole: Option<(usize, Block)>,
        halves: Box<(Shape, Shape)>,
        /// At `j`, how many (less one) of `j + 2` prefixes the first half has.
        taken: Vec<u16>,
    },
}

impl Front {
    /// Volumes of exactly 1, 2, … prefixes.
    pub(crate) fn costs(&self) -> &[u128] {
        &self.costs
    }

    /// The front of two fronts side by side, up to `most` prefixes.
    pub(crate) fn beside(self, other: Front, most: usize) -> Front {
        let (costs, taken) = joined(IMPOSSIBLE, &self.costs, &other.costs, most);
        let shape = Shape::Joined {
            whole: None,
            halves: Box::new((self.shape, other.shape)),
            taken,
        };
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
            Shape::Leaf(set, block) => blocks.push((*set, *block)),
            Shape::Joined {
                whole,
                halves,
                taken,
            } => match count.checked_sub(2).and_then(|at| taken.get(at)) {
                Some(&less_one) => {
                    let low = usize::from(less_one) + 1;
                    halves.0.pick(low, blocks);
                    halves.1.pick(count - low, blocks);
                }
                None => blocks.extend(*whole),
            },
        }
    }
}

/// At `j`, the least sum of one of each, whose places add up to `j`; and the
/// first one's place. Of equal sums the lowest place.
pub(crate) fn min_plus(low: &[u128], high: &[u128], most: usize) -> (Vec<u128>, Vec<u16>) {
    let length = (low.len() + high.len()).saturating_sub(1).min(most);
    let mut sums = vec![IMPOSSIBLE; length];
    let taken = min_plus_into(&mut sums, low, high);
    (sums, taken)
}

/// [`min_plus`] of as many sums as there is place for.
fn min_plus_into(sums: &mut [u128], low: &[u128], high: &[u128]) -> Vec<u16> {
    let mut taken = vec![0u16; sums.len()];
    for (place, &a) in low.iter().enumerate() {
        let slots = sums.iter_mut().zip(&mut taken).skip(place);
        for ((sum, from), &b) in slots.zip(high) {
            let candidate = a.saturating_add(b);
            if candidate < *sum {
                *sum = candidate;
                *from = u16::try_from(place).unwrap_or(u16::MAX);
            }
        }
    }
    taken
}

/// Costs of one prefix for all, and of more for two halves; and how many of
/// each the first half has.
fn joined(volume: u128, low: &[u128], high: &[u128], most: usize) -> (Vec<u128>, Vec<u16>) {
    let sums = (low.len() + high.len())
        .saturating_sub(1)
        .min(most.saturating_sub(1));
    let mut costs = vec![IMPOSSIBLE; sums + 1];
    let taken = match costs.split_first_mut() {
        Some((one, sums)) => {
            *one = volume;
            min_plus_into(sums, low, high)
        }
        None => Vec::new(),
    };
    (costs, taken)
}

/// Costs of a set of addresses; most sets of a trie hold one, which needs no
/// list.
enum Costs {
    One([u128; 1]),
    More(Vec<u128>),
}

impl Costs {
    fn as_slice(&self) -> &[u128] {
        match self {
            Costs::One(cost) => cost,
            Costs::More(costs) => costs,
        }
    }
}

/// The front of one set of addresses (sorted, distinct, not empty), up to
/// `most` prefixes. O(addresses × `most`).
pub(crate) fn front(peers: &[u128], set: usize, measure: &Measure<'_>, most: usize) -> Front {
    let (costs, shape) = subtree(peers, set, measure, most);
    Front {
        costs: costs.as_slice().to_vec(),
        shape,
    }
}

fn subtree(peers: &[u128], set: usize, measure: &Measure<'_>, most: usize) -> (Costs, Shape) {
    let first = peers.first().copied().unwrap_or_default();
    let last = peers.last().copied().unwrap_or_default();
    let block = Block::spanning(first, last);
    let volume = if measure.holds(block) {
        measure.volume(block)
    } else {
        IMPOSSIBLE
    };
    if first == last {
        return (Costs::One([volume]), Shape::Leaf(set, block));
    }
    let (low, high) = block.halves(peers);
    let (low_costs, low) = subtree(low, set, measure, most);
    let (high_costs, high) = subtree(high, set, measure, most);
    let (costs, taken) = joined(volume, low_costs.as_slice(), high_costs.as_slice(), most);
    let shape = Shape::Joined {
        whole: Some((set, block)),
        halves: Box::new((low, high)),
        taken,
    };
    (Costs::More(costs), shape)
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
    use proptest::prelude::*;

    use super::*;
    use crate::tighten::case::Limits;
    use crate::tighten::weight::Vacancy;

    fn everywhere() -> Ranges {
        Ranges::of(["0.0.0.0/0".parse().unwrap()].into_iter())
    }

    fn weights() -> Weights<'static> {
        static PLAIN: std::sync::LazyLock<Limits> = std::sync::LazyLock::new(|| Limits {
            vacant_share: 1,
            ..Limits::default()
        });
        static NONE: Vacancy = Vacancy::none();
        Weights {
            vacancy: &NONE,
            limits: &PLAIN,
        }
    }

    fn measure(ground: &Ranges) -> Measure<'_> {
        Measure {
            family: Family::V4,
            ground,
            width: 1,
            weights: weights(),
        }
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

    #[test]
    fn two_addresses_of_one_v6_network_open_no_more_together() {
        let ground = Ranges::of(["::/0".parse().unwrap()].into_iter());
        let measure = Measure {
            family: Family::V6,
            ground: &ground,
            width: 1,
            weights: weights(),
        };
        let taste = Taste {
            price: 16,
            sparsest: 4,
        };
        let blocks = readable(&[0x1, 0xff], &measure, taste);
        let nets: Vec<String> = blocks
            .iter()
            .map(|b| b.net(Family::V6).to_string())
            .collect();
        assert_eq!(nets, ["::/120"]);
    }

    #[test]
    fn every_address_is_a_block_too() {
        let block = Block::spanning(0, u128::MAX);
        assert_eq!(block.net(Family::V6).to_string(), "::/0");
        assert_eq!(block.size(Family::V6), 1 << 64);
        let block = Block::spanning(0, u128::from(u32::MAX));
        assert_eq!(block.net(Family::V4).to_string(), "0.0.0.0/0");
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

    fn set_of(mask: u32) -> Vec<u128> {
        (0..16).filter(|bit| mask >> bit & 1 == 1).collect()
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
        }

        #[test]
        fn prefixes_hold_the_addresses_and_stay_on_the_ground(
            peers in 1u32..65_536, holes in any::<u16>(), price in 0u128..8, extra in 0u32..16,
        ) {
            let ground = (!u32::from(holes) & 0xffff) | peers | 1 << extra;
            let hosts = set_of(ground).into_iter().map(|a| Block::spanning(a, a).net(Family::V4));
            let ranges = Ranges::of(hosts);
            let taste = Taste { price, sparsest: 4 };
            let covered = |mask: u32| {
                let blocks = readable(&set_of(mask), &measure(&ranges), taste);
                let inside = |a: u128| blocks.iter().any(|b| b.first <= a && a <= b.last());
                (0..16u32).filter(|&bit| inside(u128::from(bit))).fold(0, |m, bit| m | 1 << bit)
            };
            let before = covered(peers);
            prop_assert_eq!(before & peers, peers);
            prop_assert_eq!(before & !ground, 0);
            // Adding a need never takes from what was allowed.
            let after = covered(peers | 1 << extra);
            prop_assert_eq!(before & !after, 0);
        }
    }
}
