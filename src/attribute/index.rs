//! The rules of a group, made ready for being asked millions of times: a set of
//! rules is a row of bits, and what the set is asked of (a port, an address) is
//! looked up in a table of the stretches between all bounds of the rules.
//!
//! Ranks are no matter here: what fits is found first, and what it decides is
//! for [`merge`](crate::attribute::merge).
//!
//! It says what [`matching`](crate::attribute::matching) says, which stays as
//! its plain twin: the tests hold one against the other.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::scene::PeerFacts;
use crate::attribute::scene::Scene;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::net_bounds;

/// Bits in a word of a row.
const WORD: usize = 64;

/// A group's rules, each direction by itself.
#[derive(Debug)]
pub struct GroupIndex {
    ingress: SideIndex,
    egress: SideIndex,
}

/// The rules of one direction of a group.
#[derive(Debug)]
pub struct SideIndex {
    /// Places of the rules among the group's, by bit.
    places: Vec<usize>,
    /// Words in a row of bits, one bit a rule.
    words: usize,
    /// By protocol that some rule names.
    named: Vec<(IpProtocol, Stretches<u16>)>,
    /// For every other protocol.
    unnamed: Stretches<u16>,
    v4: Stretches<u32>,
    v6: Stretches<u128>,
    /// Rules by the group they refer to, sorted.
    references: Vec<(SgId, Vec<u64>)>,
    /// Rules that refer to any group.
    referring: Vec<u64>,
    /// Of those, to groups that the snapshot lacks.
    foreign: Vec<u64>,
    /// Of those, to groups on a load balancer that may keep client addresses.
    balanced: Vec<u64>,
    /// Rules for lists whose entries are not known.
    unknown_lists: Vec<u64>,
    /// Rules that ask for more than transport and peer.
    limited: Vec<(usize, Limits)>,
}

impl GroupIndex {
    /// Prepares a group of a scene.
    #[must_use]
    pub fn new(group: &SecurityGroup, scene: &Scene<'_>) -> GroupIndex {
        let side = |direction| SideIndex::new(group, direction, scene);
        GroupIndex {
            ingress: side(Direction::Ingress),
            egress: side(Direction::Egress),
        }
    }

    /// Its rules of a direction.
    #[must_use]
    pub fn side(&self, direction: Direction) -> &SideIndex {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }
}

impl SideIndex {
    fn new(group: &SecurityGroup, direction: Direction, scene: &Scene<'_>) -> SideIndex {
        let own = group.rules.iter().enumerate();
        let (places, rules): (Vec<usize>, Vec<&SgRule>) =
            own.filter(|(_, rule)| rule.direction == direction).unzip();
        let words = rules.len().div_ceil(WORD);
        let row = |wanted: &dyn Fn(&Peer) -> bool| row_of(&rules, |rule| wanted(&rule.peer));
        let referred = |wanted: &dyn Fn(&SgId) -> bool| {
            row(&|peer| matches!(peer, Peer::SecurityGroup(group) if wanted(group)))
        };
        let groups: BTreeSet<&SgId> = rules.iter().filter_map(|rule| reference(rule)).collect();
        let protocols: BTreeSet<IpProtocol> = rules
            .iter()
            .filter_map(|rule| rule.transport.protocol())
            .collect();
        let named = protocols
            .into_iter()
            .map(|protocol| (protocol, ports(&rules, words, Some(protocol))));
        let references = groups
            .into_iter()
            .map(|group| (group.clone(), referred(&|own| own == group)));
        let (v4, v6) = addresses(&rules, words, scene);
        SideIndex {
            places,
            words,
            named: named.collect(),
            unnamed: ports(&rules, words, None),
            v4,
            v6,
            references: references.collect(),
            referring: referred(&|_| true),
            foreign: referred(&|group| scene.group(group).is_none()),
            balanced: referred(&|group| scene.on_balancer(group)),
            unknown_lists: row(&|peer| match peer {
                Peer::PrefixList(list) => scene.entries(list).is_none(),
                Peer::Cidr(_) | Peer::SecurityGroup(_) => false,
            }),
            limited: limited(&rules),
        }
    }

    /// Words in a row.
    #[must_use]
    pub fn words(&self) -> usize {
        self.words
    }

    /// The rule of a bit; `group` is the one that was prepared.
    #[must_use]
    pub fn rule<'g>(&self, bit: usize, group: &'g SecurityGroup) -> Option<&'g SgRule> {
        group.rules.get(*self.places.get(bit)?)
    }

    /// Appends to `any` the rules that match some of the services, and to `all`
    /// those that match all of them.
    pub fn services(
        &self,
        protocol: IpProtocol,
        services: &[PortRange],
        any: &mut Vec<u64>,
        all: &mut Vec<u64>,
    ) {
        let named = self.named.iter().find(|(own, _)| *own == protocol);
        let table = named.map_or(&self.unnamed, |(_, table)| table);
        let from = any.len();
        any.resize(from + self.words, 0);
        all.resize(from + self.words, u64::MAX);
        let (Some(any), Some(all)) = (any.get_mut(from..), all.get_mut(from..)) else {
            return;
        };
        for range in services {
            for row in table.rows(range.from(), range.to()) {
                for ((any, all), word) in any.iter_mut().zip(all.iter_mut()).zip(row) {
                    *any |= word;
                    *all &= word;
                }
            }
        }
    }

    /// Appends to `sure` the rules whose peer the far side is, and to
    /// `possible` those whose peer it may be.
    pub fn peer(&self, facts: &PeerFacts<'_>, sure: &mut Vec<u64>, possible: &mut Vec<u64>) {
        let from = sure.len();
        sure.resize(from + self.words, 0);
        possible.resize(from + self.words, 0);
        let (Some(sure), Some(possible)) = (sure.get_mut(from..), possible.get_mut(from..)) else {
            return;
        };
        match facts.address {
            IpAddr::V4(address) => join(sure, self.v4.row(address.to_bits())),
            IpAddr::V6(address) => join(sure, self.v6.row(address.to_bits())),
        }
        match facts.owners.as_slice() {
            [owner] if facts.lost_owner => self.references_to(owner, possible),
            [owner] => self.references_to(owner, sure),
            owners if facts.lost_owner => {
                for owner in owners {
                    self.references_to(owner, possible);
                }
            }
            owners => self.references_to_some(owners, sure, possible),
        }
        join(possible, &self.unknown_lists);
        join(possible, &self.balanced);
        if facts.lost_owner {
            join(possible, &self.referring);
        }
        if facts.owners.is_empty() {
            join(possible, &self.foreign);
        }
        for (possible, sure) in possible.iter_mut().zip(sure) {
            *possible &= !*sure;
        }
    }

    /// Adds the rules that refer to a group of this interface.
    fn references_to(&self, owner: &Eni, row: &mut [u64]) {
        for group in &owner.groups {
            let at = self.references.binary_search_by(|(own, _)| own.cmp(group));
            let found = at.ok().and_then(|at| self.references.get(at));
            join(row, found.map_or(&[], |(_, row)| row));
        }
    }

    /// Of several that may own the address, a reference to what all carry is
    /// sure, and one to what some carry is possible.
    fn references_to_some(&self, owners: &[&Eni], sure: &mut [u64], possible: &mut [u64]) {
        // Of an address that nobody owns, as most are.
        if owners.is_empty() {
            return;
        }
        let mut common = vec![u64::MAX; self.words];
        for owner in owners {
            let mut own = vec![0; self.words];
            self.references_to(owner, &mut own);
            join(possible, &own);
            for (common, own) in common.iter_mut().zip(own) {
                *common &= own;
            }
        }
        join(sure, &common);
    }

    /// Rules that ask for more than transport and peer, by bit.
    #[must_use]
    pub fn limited(&self) -> &[(usize, Limits)] {
        &self.limited
    }

    /// Rules that refer to groups.
    #[must_use]
    pub fn referring(&self) -> &[u64] {
        &self.referring
    }
}

fn limited(rules: &[&SgRule]) -> Vec<(usize, Limits)> {
    let numbered = rules.iter().enumerate();
    numbered
        .filter(|(_, rule)| !rule.limits.is_empty())
        .map(|(bit, rule)| (bit, rule.limits.clone()))
        .collect()
}

fn join(row: &mut [u64], other: &[u64]) {
    for (own, other) in row.iter_mut().zip(other) {
        *own |= other;
    }
}

/// The bits that are set in a row.
pub fn bits(row: &[u64]) -> impl Iterator<Item = usize> {
    row.iter().enumerate().flat_map(|(at, word)| {
        let word = *word;
        (0..WORD)
            .filter(move |bit| word >> bit & 1 == 1)
            .map(move |bit| at * WORD + bit)
    })
}

/// The rules for which something holds, as a row of bits.
fn row_of(rules: &[&SgRule], holds: impl Fn(&SgRule) -> bool) -> Vec<u64> {
    let mut row = vec![0; rules.len().div_ceil(WORD)];
    for (bit, rule) in rules.iter().enumerate() {
        if holds(rule) {
            set(&mut row, bit);
        }
    }
    row
}

/// Puts a bit into a row.
pub fn set(row: &mut [u64], bit: usize) {
    if let Some(word) = row.get_mut(bit / WORD) {
        *word |= 1 << (bit % WORD);
    }
}

/// Takes a bit out of a row; whether it was there.
pub fn take(row: &mut [u64], bit: usize) -> bool {
    let Some(word) = row.get_mut(bit / WORD) else {
        return false;
    };
    let was = *word >> (bit % WORD) & 1 == 1;
    *word &= !(1 << (bit % WORD));
    was
}

fn reference(rule: &SgRule) -> Option<&SgId> {
    match &rule.peer {
        Peer::SecurityGroup(group) => Some(group),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    }
}

/// The services of the rules that match a protocol; `None` stands for one that
/// no rule names.
fn ports(rules: &[&SgRule], words: usize, protocol: Option<IpProtocol>) -> Stretches<u16> {
    let matching = rules.iter().enumerate().filter(|(_, rule)| {
        let own = rule.transport.protocol();
        own.is_none() || own == protocol
    });
    let rows = matching.map(|(bit, rule)| {
        let service = rule.transport.service();
        (service.from(), service.to(), bit)
    });
    Stretches::new(rows.collect(), words, 0, |port| port.checked_add(1))
}

/// The addresses of the rules that name them, by prefix or by a known list.
fn addresses(
    rules: &[&SgRule],
    words: usize,
    scene: &Scene<'_>,
) -> (Stretches<u32>, Stretches<u128>) {
    let mut v4 = Vec::new();
    let mut v6 = Vec::new();
    for (bit, rule) in rules.iter().enumerate() {
        let nets = match &rule.peer {
            Peer::Cidr(net) => std::slice::from_ref(net),
            Peer::PrefixList(list) => scene.entries(list).unwrap_or_default(),
            Peer::SecurityGroup(_) => &[],
        };
        for net in nets {
            let (first, last) = net_bounds(*net);
            let narrow = |bits| u32::try_from(bits).unwrap_or(u32::MAX);
            match net {
                IpNet::V4(_) => v4.push((narrow(first), narrow(last), bit)),
                IpNet::V6(_) => v6.push((first, last, bit)),
            }
        }
    }
    (
        Stretches::new(v4, words, 0, |address| address.checked_add(1)),
        Stretches::new(v6, words, 0, |address| address.checked_add(1)),
    )
}

/// Rows of bits by stretch of a line: between two neighbouring starts the set
/// of rules is the same.
#[derive(Debug)]
struct Stretches<K> {
    /// Ascending; the first is the line's lowest point.
    starts: Vec<K>,
    /// `words` for each start.
    rows: Vec<u64>,
    words: usize,
}

impl<K: Copy + Ord> Stretches<K> {
    /// From closed intervals, each with the bit of its rule.
    fn new(
        intervals: Vec<(K, K, usize)>,
        words: usize,
        lowest: K,
        next: impl Fn(K) -> Option<K>,
    ) -> Stretches<K> {
        let mut starts = vec![lowest];
        for (first, last, _) in &intervals {
            starts.push(*first);
            starts.extend(next(*last));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut rows = vec![0; starts.len() * words];
        for (first, last, bit) in intervals {
            let from = starts.partition_point(|start| *start < first);
            let to = starts.partition_point(|start| *start <= last);
            for at in from..to {
                if let Some(row) = rows.get_mut(at * words..(at + 1) * words) {
                    set(row, bit);
                }
            }
        }
        Stretches {
            starts,
            rows,
            words,
        }
    }

    fn stretch(&self, point: K) -> usize {
        self.starts
            .partition_point(|start| *start <= point)
            .saturating_sub(1)
    }

    /// The rules at a point.
    fn row(&self, point: K) -> &[u64] {
        self.row_at(self.stretch(point))
    }

    /// The rules of every stretch that a closed interval touches.
    fn rows(&self, first: K, last: K) -> impl Iterator<Item = &[u64]> {
        let from = self.stretch(first);
        let to = if last == first {
            from
        } else {
            self.stretch(last)
        };
        (from..=to).map(|at| self.row_at(at))
    }

    fn row_at(&self, at: usize) -> &[u64] {
        self.rows
            .get(at * self.words..(at + 1) * self.words)
            .unwrap_or_default()
    }
}
