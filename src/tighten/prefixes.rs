//! Addresses to prefixes: which prefixes hold all of these addresses and open
//! least beside them.
//!
//! Two questions over the binary trie of the addresses. With a
//! price for each prefix, [`readable`] finds the cheapest set in one pass. With
//! a number of prefixes that must not be passed, [`front`](crate::tighten::front)
//! finds the least volume for every number up to it; the volume is not convex in
//! that number, so no price finds all of these, and merging neighbours greedily
//! is wrong. Both are exact, and a prefix is taken only where it lies on allowed
//! ground.

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

    /// The smallest block that holds all of these (sorted).
    pub(crate) fn around(peers: &[u128]) -> Block {
        let first = peers.first().copied().unwrap_or_default();
        let last = peers.last().copied().unwrap_or_default();
        Block::spanning(first, last)
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
    pub(crate) fn halves(self, peers: &[u128]) -> (&[u128], &[u128]) {
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
    /// What opening the block costs.
    pub(crate) fn volume(&self, block: Block) -> u128 {
        self.weights
            .addresses(self.family, block)
            .saturating_mul(self.width)
    }

    /// Whether a prefix may stand there.
    pub(crate) fn holds(&self, block: Block) -> bool {
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
    let block = Block::around(peers);
    let weight = measure.weights.addresses(measure.family, block);
    if peers.len() < 2 {
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

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tighten::case::Limits;
    use crate::tighten::weight::Vacancy;

    pub(crate) fn weights() -> Weights<'static> {
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

    pub(crate) fn measure(ground: &Ranges) -> Measure<'_> {
        Measure {
            family: Family::V4,
            ground,
            width: 1,
            weights: weights(),
        }
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

    pub(crate) fn set_of(mask: u32) -> Vec<u128> {
        (0..16).filter(|bit| mask >> bit & 1 == 1).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

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
