//! Cells of one interface, turned to local and peer and put together: both
//! halves and both verdicts of one conversation side by side.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Deref;

use ipnet::IpNet;

use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cell::Side;
use crate::evidence::cuts::Level;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::packed::Packed;
use crate::evidence::packed::PackedKey;
use crate::evidence::pool::Breadth;
use crate::evidence::pool::Grain;
use crate::evidence::ports::EXACT;
use crate::evidence::ports::PortSample;
use crate::model::Action;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::FlowDirection;
use crate::model::Peer;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;
use crate::net::cidr::is_host;
use crate::net::cidr::overlap;

/// Which end of a conversation serves, as its cells are keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// The interface: the peer would have opened it.
    Local,
    /// The peer: the interface would have opened it.
    Peer,
}

impl Server {
    /// The direction of a connection to this server, seen from the interface.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self {
            Server::Local => Direction::Ingress,
            Server::Peer => Direction::Egress,
        }
    }
}

/// Whose and what a conversation is, within one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConversationKey {
    /// The far side.
    pub peer: IpAddr,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Port taken as the service.
    pub port: u16,
    /// Whose port it is.
    pub server: Server,
    /// How coarse its cells are; those of other levels are other conversations.
    pub level: Level,
    /// Era of its first packet.
    pub era: u16,
}

/// What crossed in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Half {
    /// What was let through.
    pub accepted: Option<Cell>,
    /// What was not.
    pub rejected: Option<Cell>,
}

/// A conversation at one interface in one era.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// What it is.
    pub key: ConversationKey,
    /// What its peer and port stand for, where they stand for more than
    /// themselves.
    pub breadth: Option<Breadth>,
    /// Packets into the interface.
    pub inward: Half,
    /// Packets out of it.
    pub outward: Half,
}

/// Ranges that a service may lie in: as many as a sample of ports has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Services {
    ranges: [PortRange; EXACT],
    len: usize,
}

impl Services {
    /// One range.
    #[must_use]
    pub fn one(range: PortRange) -> Services {
        Services {
            ranges: [range; EXACT],
            len: 1,
        }
    }

    /// No range: nothing is known.
    #[must_use]
    pub fn none() -> Services {
        Services {
            ranges: [PortRange::ALL; EXACT],
            len: 0,
        }
    }

    /// The ranges of a sample.
    #[must_use]
    pub fn of(sample: &PortSample) -> Services {
        let mut services = Services {
            ranges: [PortRange::ALL; EXACT],
            len: 0,
        };
        for (slot, range) in services.ranges.iter_mut().zip(sample.ranges()) {
            *slot = range;
            services.len += 1;
        }
        services
    }
}

impl Deref for Services {
    type Target = [PortRange];

    fn deref(&self) -> &[PortRange] {
        self.ranges.get(..self.len).unwrap_or_default()
    }
}

impl Conversation {
    /// One of which nothing has been seen yet.
    fn empty(key: ConversationKey, breadth: Option<Breadth>) -> Conversation {
        Conversation {
            key,
            breadth,
            inward: Half::default(),
            outward: Half::default(),
        }
    }

    /// What crossed in a direction.
    #[must_use]
    pub fn half(&self, direction: Direction) -> &Half {
        match direction {
            Direction::Ingress => &self.inward,
            Direction::Egress => &self.outward,
        }
    }

    /// Whether anything was let through.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.inward.accepted.is_some() || self.outward.accepted.is_some()
    }

    /// Every cell, accepted and rejected, of both directions.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        [
            &self.inward.accepted,
            &self.inward.rejected,
            &self.outward.accepted,
            &self.outward.rejected,
        ]
        .into_iter()
        .flatten()
    }

    /// Ports of the end that the key does not take as the server, over all
    /// cells.
    #[must_use]
    pub fn client_ports(&self) -> PortSample {
        let mut all = self.cells().map(|cell| cell.other_ports);
        let mut ports = all.next().unwrap_or_default();
        for other in all {
            ports.merge(&other);
        }
        ports
    }

    /// Ranges that the service lies in if the connection went in `direction`:
    /// the keyed port, or, against the key, the other end's ports. ICMP and
    /// protocols without ports are open: the whole space.
    #[must_use]
    pub fn services(&self, direction: Direction) -> Services {
        if !self.key.protocol.has_ports() {
            return Services::one(PortRange::ALL);
        }
        if direction == self.key.server.direction() {
            return Services::one(self.keyed_ports());
        }
        Services::of(&self.client_ports())
    }

    /// The keyed port, or the ports that it stands for.
    #[must_use]
    pub fn keyed_ports(&self) -> PortRange {
        let single = || PortRange::single(self.key.port);
        self.breadth.map_or_else(single, |breadth| breadth.ports)
    }

    /// The addresses that the far side's stands for, where they are several.
    #[must_use]
    pub fn among(&self) -> Option<IpNet> {
        let peers = self.breadth.map(|breadth| breadth.peers);
        peers.filter(|net| !is_host(*net))
    }

    /// The far side's address, or the addresses that it stands for.
    #[must_use]
    pub fn peers(&self) -> IpNet {
        let single = || host_net(self.key.peer);
        self.breadth.map_or_else(single, |breadth| breadth.peers)
    }

    /// Whether the server's SYN-ACK was let through.
    #[must_use]
    pub fn answered_with_syn(&self) -> bool {
        let accepted = [&self.inward.accepted, &self.outward.accepted];
        accepted.into_iter().flatten().any(|cell| cell.answers > 0)
    }

    /// Whether some record's flags say which end serves: SYN towards the
    /// server or SYN-ACK from it. Records are keyed by that end, so the answer
    /// is the key's.
    #[must_use]
    pub fn flags_decide(&self) -> bool {
        self.cells().any(|cell| cell.requests + cell.answers > 0)
    }
}

/// The order in which the cells of an interface make conversations. Found
/// once, it serves every pass over them.
#[derive(Debug, Default)]
pub struct Order<'e> {
    grain: Option<&'e Grain>,
    /// Packed cells, sorted by conversation, and in each those first that were
    /// let through.
    packed: Vec<Place>,
    /// The other cells, sorted by conversation.
    open: Vec<Turned>,
    /// Records that could not be turned to local and peer: neither address, or
    /// both, belong to the interface.
    pub undirected: u64,
    /// Those of them that were let through. What an address sent to itself no rule
    /// was asked about.
    pub unread: Unread,
}

/// Kinds of [`Unread`] beyond which all may have used any rule: a bound on work,
/// paid in doubt.
const MOST_KINDS: usize = 10_000;

/// Records let through, nobody can say which way: any rule may have done it that
/// their ends do not rule out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// By whom they were between and their protocol; none where there are too many.
    kinds: BTreeMap<([IpNet; 2], IpProtocol), u64>,
    /// All of them.
    pub records: u64,
}

impl Unread {
    fn add(&mut self, ends: [IpNet; 2], protocol: IpProtocol, records: u64) {
        self.records += records;
        *self.kinds.entry((ends, protocol)).or_default() += records;
    }

    fn bounded(self) -> Unread {
        if self.kinds.len() <= MOST_KINDS {
            return self;
        }
        Unread {
            kinds: BTreeMap::new(),
            ..self
        }
    }

    /// Records that the rule may have let through.
    #[must_use]
    pub fn may_use(&self, rule: &SgRule) -> u64 {
        if rule.effect == Effect::Drop {
            return 0;
        }
        if self.kinds.is_empty() {
            return self.records;
        }
        let fits = |(ends, protocol): &([IpNet; 2], IpProtocol)| {
            let peer = match &rule.peer {
                Peer::Cidr(net) => ends.iter().any(|end| overlap(*net, *end)),
                Peer::SecurityGroup(_) | Peer::PrefixList(_) => true,
            };
            rule.transport.has_protocol(*protocol) && peer
        };
        let kinds = self.kinds.iter().filter(|(kind, _)| fits(kind));
        kinds.map(|(_, records)| records).sum()
    }
}

/// A cell turned to local and peer.
type Turned = (ConversationKey, Direction, Action, Cell);

/// Where a packed cell lies, and what need not be read from it.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: u32,
    direction: Direction,
    accepted: bool,
    /// Whether it is the first of its conversation.
    begins: bool,
    level: Level,
}

impl<'e> Order<'e> {
    /// The order of an interface's cells, which are as coarse as `grain` says.
    /// `by_others` is asked which way a cell went where neither the log nor the
    /// interface's addresses tell.
    #[must_use]
    pub fn of(
        evidence: &InterfaceEvidence,
        eni: &Eni,
        grain: Option<&'e Grain>,
        by_others: &dyn Fn(&CellKey) -> Option<Direction>,
    ) -> Order<'e> {
        let mut order = Order {
            grain,
            ..Order::default()
        };
        let level = |key: &CellKey| grain.map_or(Level::EXACT, |grain| grain.level(key));
        let packed = evidence.cells.packed();
        // One number a cell, which sorts as its conversation does and ends in
        // the cell's place.
        let mut keyed: Vec<u128> = Vec::with_capacity(packed.len());
        for (at, cell) in (0..=u32::MAX).zip(packed) {
            let known = way(cell.key(), eni);
            match known.or_else(|| by_others(&cell.key().open())) {
                Some(direction) => {
                    let key = sorting_key(cell.key(), direction, at);
                    let level = level(&cell.key().open());
                    keyed.push(key | u128::from(level.number()) << LEVEL);
                }
                None => order.count_undirected(&cell.key().open(), &cell.open()),
            }
        }
        keyed.sort_unstable();
        let mut last = None;
        let place = |key: u128| Place {
            begins: last.replace(key >> CONVERSATION) != Some(key >> CONVERSATION),
            ..place_of(key)
        };
        order.packed = keyed.into_iter().map(place).collect();
        // In hash order, which is lawful: they are sorted here.
        for (key, cell) in evidence.cells.unpacked() {
            match direction_of(key, eni).or_else(|| by_others(key)) {
                Some(direction) => {
                    let turned = conversation_key(key, direction, level(key));
                    order.open.push((turned, direction, key.action, *cell));
                }
                None => order.count_undirected(key, cell),
            }
        }
        order
            .open
            .sort_unstable_by_key(|(key, direction, action, _)| (*key, *direction, *action));
        order.unread = order.unread.bounded();
        order
    }

    fn count_undirected(&mut self, key: &CellKey, cell: &Cell) {
        self.undirected += cell.records;
        let grain = self.grain;
        let of = |address| grain.map_or(IpNet::from(address), |grain| grain.peers(address, key));
        let [source, destination] = [key.source, key.destination].map(of);
        let to_itself = source == destination && is_host(source);
        if key.action == Action::Accept && !to_itself {
            let ends = [source, destination];
            self.unread.add(ends, key.protocol, cell.records);
        }
    }

    /// Hands every conversation to `visit`, sorted by key.
    pub fn each(&self, evidence: &InterfaceEvidence, visit: impl FnMut(&Conversation)) {
        self.each_of(evidence, |_| true, visit);
    }

    /// Hands every conversation of which something was let through to `visit`,
    /// sorted by key.
    pub fn each_accepted(
        &self,
        evidence: &InterfaceEvidence,
        mut visit: impl FnMut(&Conversation),
    ) {
        // An open cell may be what was let through of any conversation.
        let any = !self.open.is_empty();
        let accepted = |first: &Place| any || first.accepted;
        self.each_of(evidence, accepted, |conversation| {
            if conversation.accepted() {
                visit(conversation);
            }
        });
    }

    /// Hands every conversation to `visit`, but of those without open cells
    /// only such as have a wanted first cell.
    fn each_of(
        &self,
        evidence: &InterfaceEvidence,
        is_wanted: impl Fn(&Place) -> bool,
        mut visit: impl FnMut(&Conversation),
    ) {
        let breadth = |key: ConversationKey| {
            self.grain
                .and_then(|grain| grain.breadth(key.peer, key.port, key.level))
        };
        let mut cells = Cells::new(evidence.cells.packed(), &self.packed);
        let mut open = self.open.chunk_by(|one, next| one.0 == next.0).peekable();
        for run in self.packed.chunk_by(|_, next| !next.begins) {
            cells.reach(run.len(), &is_wanted);
            let Some(first) = run.first().filter(|first| is_wanted(first)) else {
                continue;
            };
            let Some(key) = cells.key(*first) else {
                continue;
            };
            while let Some(others) = open.next_if(|others| key_of(others) < Some(key)) {
                visit_open(others, breadth, &mut visit);
            }
            let mut conversation = Conversation::empty(key, breadth(key));
            for place in run {
                cells.join(*place, &mut conversation);
            }
            if let Some(same) = open.next_if(|others| key_of(others) == Some(key)) {
                join_open(same, &mut conversation);
            }
            visit(&conversation);
        }
        for others in open {
            visit_open(others, breadth, &mut visit);
        }
    }
}

fn key_of(turned: &[Turned]) -> Option<ConversationKey> {
    turned.first().map(|one| one.0)
}

fn visit_open(
    turned: &[Turned],
    breadth: impl Fn(ConversationKey) -> Option<Breadth>,
    visit: &mut impl FnMut(&Conversation),
) {
    if let Some(key) = key_of(turned) {
        let mut conversation = Conversation::empty(key, breadth(key));
        join_open(turned, &mut conversation);
        visit(&conversation);
    }
}

fn join_open(turned: &[Turned], conversation: &mut Conversation) {
    for (_, direction, action, cell) in turned {
        add(conversation, *direction, *action, cell);
    }
}

/// Cells fetched together: they lie anywhere, and the processor waits for many
/// at once.
const TOGETHER: usize = 32;

/// Packed cells, read in the order of their places.
struct Cells<'c> {
    all: &'c [Packed],
    ahead: std::slice::Chunks<'c, Place>,
    /// Places that were fetched and not yet passed.
    fetched: usize,
}

impl<'c> Cells<'c> {
    fn new(all: &'c [Packed], places: &'c [Place]) -> Cells<'c> {
        Cells {
            all,
            ahead: places.chunks(TOGETHER),
            fetched: 0,
        }
    }

    /// Passes some places, and fetches what comes next.
    fn reach(&mut self, places: usize, is_wanted: impl Fn(&Place) -> bool) {
        while self.fetched < places {
            let Some(next) = self.ahead.next() else {
                return;
            };
            self.fetched += next.len();
            let wanted = next.iter().filter(|place| is_wanted(place));
            let cells = wanted.filter_map(|place| self.cell(*place));
            // Keeps the loads: nothing else depends on them yet.
            std::hint::black_box(cells.fold(0, |all, cell| all ^ cell.key().port()));
        }
        self.fetched -= places;
    }

    fn cell(&self, place: Place) -> Option<&'c Packed> {
        self.all.get(usize::try_from(place.at).ok()?)
    }

    fn key(&self, place: Place) -> Option<ConversationKey> {
        let key = self.cell(place)?.key().open();
        Some(conversation_key(&key, place.direction, place.level))
    }

    fn join(&self, place: Place, conversation: &mut Conversation) {
        if let Some(cell) = self.cell(place) {
            let action = cell.key().action();
            add(conversation, place.direction, action, &cell.open());
        }
    }
}

/// Bits of a sorting key below those that tell conversations apart: verdict,
/// direction, and 32 of the cell's place.
const CONVERSATION: u32 = 34;

/// Where in it the level stands: above the era, below whose port it is.
const LEVEL: u32 = CONVERSATION + 16;

/// The fields of [`ConversationKey`] in its order, then what [`place_of`] gives
/// back.
fn sorting_key(key: PackedKey, direction: Direction, at: u32) -> u128 {
    let (peer, local_side) = match direction {
        Direction::Ingress => (key.source(), Side::Destination),
        Direction::Egress => (key.destination(), Side::Source),
    };
    let serves_peer = key.protocol().has_ports() && key.side() != local_side;
    let high =
        u64::from(peer.to_bits()) << 24 | u64::from(key.protocol().0) << 16 | u64::from(key.port());
    let low = u64::from(serves_peer) << (LEVEL + 8)
        | u64::from(key.era()) << CONVERSATION
        | u64::from(key.action() == Action::Reject) << 33
        | u64::from(direction == Direction::Egress) << 32
        | u64::from(at);
    u128::from(high) << 64 | u128::from(low)
}

/// The place that a sorting key ends in.
fn place_of(key: u128) -> Place {
    Place {
        at: u32::try_from(key & u128::from(u32::MAX)).unwrap_or(0),
        direction: if key >> 32 & 1 == 0 {
            Direction::Ingress
        } else {
            Direction::Egress
        },
        accepted: key >> 33 & 1 == 0,
        begins: false,
        level: Level::of(u8::try_from(key >> LEVEL & 0xff).unwrap_or(0)),
    }
}

/// [`direction_of`] of a packed key.
fn way(key: PackedKey, eni: &Eni) -> Option<Direction> {
    match key.direction() {
        Some(FlowDirection::Ingress) => Some(Direction::Ingress),
        Some(FlowDirection::Egress) => Some(Direction::Egress),
        None => direction_of(&key.open(), eni),
    }
}

fn add(conversation: &mut Conversation, direction: Direction, action: Action, cell: &Cell) {
    let half = match direction {
        Direction::Ingress => &mut conversation.inward,
        Direction::Egress => &mut conversation.outward,
    };
    let slot = match action {
        Action::Accept => &mut half.accepted,
        Action::Reject => &mut half.rejected,
    };
    match slot {
        Some(own) => own.merge(cell),
        None => *slot = Some(*cell),
    }
}

/// Test 0: `flow-direction`; else whose address is which.
#[must_use]
pub fn direction_of(key: &CellKey, eni: &Eni) -> Option<Direction> {
    match key.direction {
        Some(FlowDirection::Ingress) => return Some(Direction::Ingress),
        Some(FlowDirection::Egress) => return Some(Direction::Egress),
        None => {}
    }
    match (eni.owns(key.source), eni.owns(key.destination)) {
        (true, false) => Some(Direction::Egress),
        (false, true) => Some(Direction::Ingress),
        (true, true) | (false, false) => None,
    }
}

fn conversation_key(key: &CellKey, direction: Direction, level: Level) -> ConversationKey {
    let (peer, local_side) = match direction {
        Direction::Ingress => (key.source, Side::Destination),
        Direction::Egress => (key.destination, Side::Source),
    };
    let server = if key.side == local_side {
        Server::Local
    } else {
        Server::Peer
    };
    // Without ports neither end is the server; one key gathers both ways.
    let server = if key.protocol.has_ports() {
        server
    } else {
        Server::Local
    };
    ConversationKey {
        peer,
        protocol: key.protocol,
        port: key.port,
        server,
        level,
        era: key.era,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::era::Eras;
    use crate::evidence::gather::tests::by_workers;
    use crate::model::EniId;

    const HEADER: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes \
                          start end action log-status tcp-flags";

    /// Few of each, so that keys meet; IPv6 among them, which is never packed.
    fn line() -> impl Strategy<Value = String> {
        let peer = prop_oneof![9 => "203\\.0\\.113\\.[1-9]", 1 => Just("2001:db8::1".into())];
        let ports = prop_oneof!["443 5000[0-2]", "5000[0-2] 443", "50000 50001"];
        let way = any::<bool>();
        let parts = (peer, ports, "6|17|1", "ACCEPT|REJECT", "-|0|2|18", way);
        parts.prop_map(|(peer, ports, protocol, action, flags, inward)| {
            let own = if peer.contains(':') {
                "2001:db8::6"
            } else {
                "10.0.1.6"
            };
            let (source, destination) = if inward {
                (peer.as_str(), own)
            } else {
                (own, peer.as_str())
            };
            format!(
                "eni-1 {source} {destination} {ports} {protocol} 1 40 1760000000 1760000060 \
                 {action} OK {flags}\n"
            )
        })
    }

    /// All conversations, put together cell by cell.
    fn plainly(evidence: &InterfaceEvidence, eni: &Eni) -> Vec<Conversation> {
        let mut all: BTreeMap<ConversationKey, Conversation> = BTreeMap::new();
        for (key, cell) in evidence.cells.iter() {
            let direction = direction_of(&key, eni).unwrap();
            let turned = conversation_key(&key, direction, Level::EXACT);
            let empty = Conversation::empty(turned, None);
            let own = all.entry(turned).or_insert(empty);
            add(own, direction, key.action, &cell);
        }
        all.into_values().collect()
    }

    proptest! {
        #[test]
        fn every_conversation_comes_whole_and_once(lines in prop::collection::vec(line(), 1..120)) {
            let snapshot = World::new()
                .eni("eni-1", "subnet-1", "10.0.1.6", &[])
                .with_eni("eni-1", |eni| eni.addresses.push("2001:db8::6".parse().unwrap()))
                .snapshot();
            let id = EniId::parse("eni-1").unwrap();
            let eni = &snapshot.enis[&id];
            let seen = by_workers(HEADER, &lines, &Eras::default(), 1);
            let [(_, evidence)] = seen.by_id()[..] else {
                panic!("one interface");
            };
            let order = Order::of(evidence, eni, None, &|_| None);
            let (mut all, mut accepted) = (Vec::new(), Vec::new());
            order.each(evidence, |one| all.push(one.clone()));
            order.each_accepted(evidence, |one| accepted.push(one.clone()));
            let mut wanted = plainly(evidence, eni);
            prop_assert_eq!(&all, &wanted);
            wanted.retain(Conversation::accepted);
            prop_assert_eq!(&accepted, &wanted);
        }
    }
}
