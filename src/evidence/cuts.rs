//! How coarse evidence may become where it does not fit in memory, and what is
//! told apart however little there is: addresses and ports between two *cuts*,
//! the places where a rule, an ACL entry, a subnet or a list begins or ends.
//!
//! A coarse address stands for its *block*: the shortest prefix that is no
//! shorter than the level allows and holds no cut. So no rule tells the
//! addresses of a block apart, whatever becomes of one becomes of all, and none
//! is lost. Addresses that the snapshots may give to an interface are *kept*:
//! each is its own block at every level. Ports make blocks in the same way.
//!
//! Blocks of one level are disjoint, and those of the next are made of them:
//! the number of distinct coarse keys falls from level to level and grows with
//! the records, which makes the level of a [`pool`](crate::evidence::pool) a
//! function of what was recorded and of nothing else.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;

use crate::evidence::cell::CellKey;
use crate::evidence::packed::PackedKey;
use crate::evidence::pool::Levels;
use crate::model::Action;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::net::cidr::address_bits;
use crate::net::cidr::is_host;
use crate::net::cidr::net_bounds;

/// Bits that a level leaves to a port, an IPv4 and an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits {
    port: u32,
    v4: u32,
    v6: u32,
}

/// The levels, each coarser than the one before. Addresses go first: where
/// strangers are too many, their names say less than what they asked for.
const LEVELS: [Bits; 24] = [
    bits(16, 32, 128),
    bits(16, 28, 96),
    bits(16, 24, 64),
    bits(16, 22, 60),
    bits(16, 20, 56),
    bits(16, 18, 52),
    bits(16, 16, 48),
    bits(14, 16, 48),
    bits(12, 16, 48),
    bits(12, 14, 44),
    bits(12, 12, 40),
    bits(12, 10, 36),
    bits(12, 8, 32),
    bits(10, 8, 32),
    bits(10, 6, 24),
    bits(10, 4, 16),
    bits(8, 4, 16),
    bits(8, 2, 8),
    bits(8, 0, 0),
    bits(6, 0, 0),
    bits(5, 0, 0),
    bits(4, 0, 0),
    bits(2, 0, 0),
    bits(0, 0, 0),
];

const fn bits(port: u32, v4: u32, v6: u32) -> Bits {
    Bits { port, v4, v6 }
}

/// How coarse keys are; 0 is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(u8);

impl Level {
    /// Every address and port for itself.
    pub const EXACT: Level = Level(0);

    /// The next; `None` behind the last.
    #[must_use]
    pub fn next(self) -> Option<Level> {
        let next = self.0.saturating_add(1);
        (usize::from(next) < LEVELS.len()).then_some(Level(next))
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// The level of a number that [`Level::number`] gave.
    #[must_use]
    pub fn of(number: u8) -> Level {
        Level(number)
    }

    /// Bits that it leaves to a port, an IPv4 and an IPv6 address.
    #[must_use]
    pub fn widths(self) -> [u8; 3] {
        let Bits { port, v4, v6 } = self.bits();
        [port, v4, v6].map(|bits| u8::try_from(bits).unwrap_or(u8::MAX))
    }

    fn bits(self) -> Bits {
        let level = LEVELS.get(usize::from(self.0));
        level.copied().unwrap_or(bits(0, 0, 0))
    }
}

/// What cells are made coarse with: those of one class of an interface have
/// one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Let through, with an end that is not kept.
    AcceptedOutside,
    /// Not let through, with such an end.
    RejectedOutside,
    /// Not let through between kept addresses.
    RejectedInside,
    /// Let through between kept addresses.
    AcceptedInside,
}

impl Class {
    /// All, by their number.
    pub const ALL: [Class; 4] = [
        Class::AcceptedOutside,
        Class::RejectedOutside,
        Class::RejectedInside,
        Class::AcceptedInside,
    ];

    fn of(inside: bool, action: Action) -> Class {
        match (inside, action) {
            (false, Action::Accept) => Class::AcceptedOutside,
            (false, Action::Reject) => Class::RejectedOutside,
            (true, Action::Reject) => Class::RejectedInside,
            (true, Action::Accept) => Class::AcceptedInside,
        }
    }

    /// The verdict of its cells.
    #[must_use]
    pub fn action(self) -> Action {
        match self {
            Class::AcceptedOutside | Class::AcceptedInside => Action::Accept,
            Class::RejectedOutside | Class::RejectedInside => Action::Reject,
        }
    }

    /// Whether both ends are kept addresses.
    #[must_use]
    pub fn is_inside(self) -> bool {
        matches!(self, Class::AcceptedInside | Class::RejectedInside)
    }

    /// Its place in [`Class::ALL`].
    #[must_use]
    pub fn number(self) -> usize {
        self as usize
    }
}

/// Where ports, IPv4 and IPv6 addresses are told apart at every level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cuts {
    ports: Axis<u16>,
    v4: Axis<u32>,
    v6: Axis<u128>,
}

impl Cuts {
    /// Cuts around prefixes and port ranges; `kept` prefixes hold the addresses
    /// that stay themselves.
    #[must_use]
    pub fn new(
        nets: impl Iterator<Item = IpNet>,
        kept: impl Iterator<Item = IpNet>,
        ports: impl Iterator<Item = PortRange>,
    ) -> Cuts {
        let (mut v4, mut v6) = (Spans::default(), Spans::default());
        let all = nets
            .map(|net| (net, false))
            .chain(kept.map(|net| (net, true)));
        for (net, is_kept) in all {
            let own = match Family::of_net(net) {
                Family::V4 => &mut v4,
                Family::V6 => &mut v6,
            };
            own.add(net_bounds(net), is_kept);
        }
        let mut services = Spans::default();
        for range in ports {
            services.add((range.from().into(), range.to().into()), false);
        }
        Cuts {
            ports: Axis::new(16, services),
            v4: Axis::new(32, v4),
            v6: Axis::new(128, v6),
        }
    }

    /// Nothing is told apart, and nothing kept.
    #[must_use]
    pub fn none() -> Cuts {
        let nothing = || std::iter::empty();
        Cuts::new(nothing(), nothing(), std::iter::empty())
    }

    /// [`Cuts::class`] and [`Cuts::coarse`] of a packed key, in one and with fewer
    /// looks at the cuts.
    #[must_use]
    pub(super) fn coarse_packed(&self, key: PackedKey, levels: Levels) -> (Class, PackedKey) {
        let (source, destination) = (key.source().to_bits(), key.destination().to_bits());
        let (from, to) = (u128::from(source), u128::from(destination));
        let (at_source, at_destination) = (self.v4.stretch(from), self.v4.stretch(to));
        let class = Class::of(at_source.2 && at_destination.2, key.action());
        let level = levels.get(class.number()).copied().unwrap_or_default();
        if level == Level::EXACT {
            return (class, key);
        }
        let bits = level.bits().v4;
        let first = |at: u128, stretch: (u128, u128, bool)| {
            let first = self.v4.first(at, self.v4.block_in(stretch, at, bits));
            u32::try_from(first).unwrap_or(0)
        };
        let port = self.first_port(key.protocol(), key.port(), level);
        let (from, to) = (first(from, at_source), first(to, at_destination));
        (class, key.with_ends(from, to, port))
    }

    /// The class of a key. Its coarse forms are of the same.
    #[must_use]
    pub fn class(&self, key: &CellKey) -> Class {
        let inside = self.keeps(key.source) && self.keeps(key.destination);
        Class::of(inside, key.action)
    }

    /// A key at a level: the first address and port of each block.
    #[must_use]
    pub fn coarse(&self, key: &CellKey, level: Level) -> CellKey {
        CellKey {
            source: self.peers(key.source, level).addr(),
            destination: self.peers(key.destination, level).addr(),
            port: self.first_port(key.protocol, key.port, level),
            ..*key
        }
    }

    fn first_port(&self, protocol: IpProtocol, port: u16, level: Level) -> u16 {
        if protocol.has_ports() {
            self.service(port, level).from()
        } else {
            port
        }
    }

    /// Whether a key at a level stands for itself alone.
    #[must_use]
    pub fn is_exact(&self, key: &CellKey, level: Level) -> bool {
        let single = |address| is_host(self.peers(address, level));
        level == Level::EXACT
            || (single(key.source)
                && single(key.destination)
                && (!key.protocol.has_ports() || self.service(key.port, level).count() == 1))
    }

    /// The block of an address at a level.
    #[must_use]
    pub fn peers(&self, address: IpAddr, level: Level) -> IpNet {
        let at = address_bits(address);
        let (address, length) = match address {
            IpAddr::V4(_) => {
                let length = self.v4.block(at, level.bits().v4);
                let first = u32::try_from(self.v4.first(at, length)).unwrap_or(0);
                (IpAddr::V4(Ipv4Addr::from_bits(first)), length)
            }
            IpAddr::V6(_) => {
                let length = self.v6.block(at, level.bits().v6);
                let first = self.v6.first(at, length);
                (IpAddr::V6(Ipv6Addr::from_bits(first)), length)
            }
        };
        let length = u8::try_from(length).unwrap_or(u8::MAX);
        IpNet::new(address, length).unwrap_or_else(|_| IpNet::from(address))
    }

    /// The block of a port at a level.
    #[must_use]
    pub fn service(&self, port: u16, level: Level) -> PortRange {
        let length = self.ports.block(port.into(), level.bits().port);
        let first = self.ports.first(port.into(), length);
        let last = first | mask(16_u32.saturating_sub(length));
        let port = |at: u128| u16::try_from(at).unwrap_or(u16::MAX);
        PortRange::spanning(port(first), port(last))
    }

    fn keeps(&self, address: IpAddr) -> bool {
        let at = address_bits(address);
        match address {
            IpAddr::V4(_) => self.v4.stretch(at).2,
            IpAddr::V6(_) => self.v6.stretch(at).2,
        }
    }
}

/// First and last of something on an axis, and whether it is kept.
#[derive(Default)]
struct Spans(Vec<(u128, u128, bool)>);

impl Spans {
    fn add(&mut self, (first, last): (u128, u128), kept: bool) {
        self.0.push((first, last, kept));
    }
}

/// Numbers of so many bits, cut into stretches.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Axis<N> {
    width: u32,
    /// Invariant: ascending, the first is 0.
    starts: Box<[N]>,
    /// Whether the numbers of a stretch are kept.
    kept: Box<[bool]>,
}

impl<N: Copy + Into<u128> + TryFrom<u128>> Axis<N> {
    fn new(width: u32, Spans(spans): Spans) -> Axis<N> {
        let last = mask(width);
        let mut starts: Vec<u128> = vec![0];
        for (first, own, _) in &spans {
            starts.push(*first);
            starts.extend(own.checked_add(1).filter(|start| *start <= last));
        }
        starts.sort_unstable();
        starts.dedup();
        let kept = kept_of(&starts, spans);
        let narrow = |start: u128| N::try_from(start).ok();
        Axis {
            width,
            starts: starts.into_iter().filter_map(narrow).collect(),
            kept: kept.into_boxed_slice(),
        }
    }

    /// First and last number of the stretch that one lies in, and whether it is
    /// kept.
    fn stretch(&self, at: u128) -> (u128, u128, bool) {
        let next = self.starts.partition_point(|start| (*start).into() <= at);
        let own = next.saturating_sub(1);
        let start = |place: usize| self.starts.get(place).copied().map(Into::into);
        let first = start(own).unwrap_or(0);
        let behind = start(next);
        let last = behind.map_or(mask(self.width), |behind| behind.saturating_sub(1));
        (first, last, self.kept.get(own) == Some(&true))
    }

    /// Bits of the prefix that is the block of a number where a level leaves it
    /// so many.
    fn block(&self, at: u128, bits: u32) -> u32 {
        if bits >= self.width {
            return self.width;
        }
        self.block_in(self.stretch(at), at, bits)
    }

    /// The same, with the stretch that it lies in.
    fn block_in(&self, (first, last, kept): (u128, u128, bool), at: u128, bits: u32) -> u32 {
        if kept {
            return self.width;
        }
        // One bit more than the number shares with what it must not hold.
        let apart = |other: u128| self.common(at, other).saturating_add(1);
        let before = first.checked_sub(1).map_or(0, apart);
        let behind = if last < mask(self.width) {
            apart(last.saturating_add(1))
        } else {
            0
        };
        bits.max(before).max(behind)
    }

    /// Upper bits that two numbers share.
    fn common(&self, one: u128, other: u128) -> u32 {
        let differing = u128::BITS.saturating_sub((one ^ other).leading_zeros());
        self.width.saturating_sub(differing)
    }

    /// The first number with the same upper bits.
    fn first(&self, at: u128, length: u32) -> u128 {
        at & !mask(self.width.saturating_sub(length))
    }
}

/// Which stretches lie in a kept span: no span ends within one.
fn kept_of(starts: &[u128], spans: Vec<(u128, u128, bool)>) -> Vec<bool> {
    let mut spans: Vec<(u128, u128)> = spans
        .into_iter()
        .filter_map(|(first, last, kept)| kept.then_some((first, last)))
        .collect();
    spans.sort_unstable();
    let mut spans = spans.into_iter().peekable();
    let mut reached: Option<u128> = None;
    let is_kept = |start: &u128| {
        while let Some((_, last)) = spans.next_if(|(first, _)| first <= start) {
            reached = reached.max(Some(last));
        }
        reached.is_some_and(|last| *start <= last)
    };
    starts.iter().map(is_kept).collect()
}

/// So many of the lowest bits.
fn mask(bits: u32) -> u128 {
    1_u128.checked_shl(bits).map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::evidence::cell::Side;

    fn net() -> impl Strategy<Value = IpNet> {
        let v4 = ("203\\.0\\.(112|113)\\.[1-9]?[0-9]", 20_u8..=32);
        let v6 = ("2001:db8::[0-9a-f]{1,2}", 40_u8..=128);
        let net = |(address, length): (String, u8)| {
            IpNet::new(address.parse().unwrap(), length)
                .unwrap()
                .trunc()
        };
        prop_oneof![3 => v4.prop_map(net), 1 => v6.prop_map(net)]
    }

    fn address() -> impl Strategy<Value = IpAddr> {
        let text = prop_oneof![
            3 => "203\\.0\\.(112|113)\\.[1-9]?[0-9]".boxed(),
            1 => "2001:db8::[0-9a-f]{1,2}".boxed(),
            1 => "255\\.255\\.255\\.25[0-5]|0\\.0\\.0\\.[0-9]".boxed(),
        ];
        text.prop_map(|text| text.parse().unwrap())
    }

    fn port() -> impl Strategy<Value = u16> {
        prop_oneof![0_u16..40, Just(443), 65_530..=65_535_u16]
    }

    fn ports() -> impl Strategy<Value = PortRange> {
        (port(), port())
            .prop_map(|(one, other)| PortRange::spanning(one.min(other), one.max(other)))
    }

    fn key() -> impl Strategy<Value = CellKey> {
        let protocol = prop::sample::select(vec![6, 17, 1]);
        (address(), address(), port(), protocol, any::<bool>()).prop_map(
            |(source, destination, port, protocol, accepted)| CellKey {
                source,
                destination,
                era: 0,
                port: if protocol == 1 { 0 } else { port },
                side: Side::Destination,
                protocol: IpProtocol(protocol),
                direction: None,
                action: if accepted {
                    Action::Accept
                } else {
                    Action::Reject
                },
            },
        )
    }

    fn level() -> impl Strategy<Value = Level> {
        (0..LEVELS.len()).prop_map(|number| Level(u8::try_from(number).unwrap()))
    }

    proptest! {
        #[test]
        fn no_cut_lies_within_a_block(
            nets in vec(net(), 0..6),
            kept in vec(net(), 0..3),
            services in vec(ports(), 0..5),
            key in key(),
            level in level(),
        ) {
            let all = || nets.iter().chain(&kept);
            let cuts = Cuts::new(nets.iter().copied(), kept.iter().copied(), services.iter().copied());
            for address in [key.source, key.destination] {
                let block = cuts.peers(address, level);
                prop_assert!(block.contains(&address));
                for net in all() {
                    prop_assert!(net.contains(&block) || !block.contains(net), "{block} {net}");
                }
                if kept.iter().any(|net| net.contains(&address)) {
                    prop_assert_eq!(block, IpNet::from(address));
                }
            }
            let block = cuts.service(key.port, level);
            prop_assert!(block.contains(key.port));
            for range in &services {
                let ends = [range.contains(block.from()), range.contains(block.to())];
                let within = block.from() < range.from() && range.to() < block.to();
                prop_assert!(ends[0] == ends[1] && !within);
            }
        }

        #[test]
        fn packed_keys_become_as_coarse(
            nets in vec(net(), 0..6),
            kept in vec(net(), 0..3),
            services in vec(ports(), 0..5),
            key in key(),
            level in level(),
        ) {
            let cuts = Cuts::new(nets.into_iter(), kept.into_iter(), services.into_iter());
            if let Some(packed) = PackedKey::pack(7, &key) {
                let levels = [level; Class::ALL.len()];
                let wanted = PackedKey::pack(7, &cuts.coarse(&key, level)).unwrap();
                prop_assert_eq!(cuts.coarse_packed(packed, levels), (cuts.class(&key), wanted));
            }
        }

        #[test]
        fn a_coarser_level_joins_what_a_finer_one_has_joined(
            nets in vec(net(), 0..6),
            kept in vec(net(), 0..3),
            services in vec(ports(), 0..5),
            key in key(),
            fine in level(),
            coarse in level(),
        ) {
            let cuts = Cuts::new(nets.into_iter(), kept.into_iter(), services.into_iter());
            let (fine, coarse) = (fine.min(coarse), fine.max(coarse));
            let once = cuts.coarse(&key, fine);
            prop_assert_eq!(cuts.coarse(&once, coarse), cuts.coarse(&key, coarse));
            prop_assert_eq!(cuts.class(&once), cuts.class(&key));
            prop_assert_eq!(cuts.is_exact(&once, fine), cuts.is_exact(&key, fine));
            prop_assert!(!cuts.is_exact(&key, fine) || once == key);
        }
    }

    #[test]
    fn blocks_grow_until_a_rule_begins() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let rules = ["198.51.100.7/32", "0.0.0.0/0"].map(net);
        let ports = [PortRange::spanning(0, 65_535), PortRange::single(443)];
        let cuts = Cuts::new(
            rules.into_iter(),
            [net("10.0.0.0/16")].into_iter(),
            ports.into_iter(),
        );
        let level = |is_it: &dyn Fn(Bits) -> bool| {
            let number = LEVELS.iter().position(|bits| is_it(*bits)).unwrap();
            Level(u8::try_from(number).unwrap())
        };
        let (net_24, last) = (level(&|bits| bits.v4 == 24), level(&|bits| bits.port == 0));
        let block = |address: &str, level| cuts.peers(address.parse().unwrap(), level).to_string();
        assert_eq!(block("198.51.100.7", last), "198.51.100.7/32");
        assert_eq!(block("198.51.100.9", net_24), "198.51.100.8/29");
        assert_eq!(block("198.51.101.9", net_24), "198.51.101.0/24");
        assert_eq!(block("203.0.113.9", last), "200.0.0.0/5");
        assert_eq!(block("10.0.3.4", last), "10.0.3.4/32");
        assert_eq!(cuts.service(443, last), PortRange::single(443));
        let sixteen = level(&|bits| bits.port == 12);
        assert_eq!(cuts.service(444, sixteen), PortRange::spanning(444, 447));
        assert_eq!(
            cuts.service(5_000, sixteen),
            PortRange::spanning(4_992, 5_007)
        );
    }
}
