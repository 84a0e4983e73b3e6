//! Cells of one interface, turned to local and peer and put together: both
//! halves and both verdicts of one conversation side by side.

use std::net::IpAddr;
use std::ops::Deref;

use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cell::Side;
use crate::evidence::interface::InterfaceEvidence;
use crate::evidence::packed::Packed;
use crate::evidence::packed::PackedKey;
use crate::evidence::ports::EXACT;
use crate::evidence::ports::PortSample;
use crate::model::Action;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::FlowDirection;
use crate::net::IpProtocol;
use crate::net::PortRange;

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
    fn empty(key: ConversationKey) -> Conversation {
        Conversation {
            key,
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
        let mut ports = PortSample::default();
        for cell in self.cells() {
            ports.merge(&cell.other_ports);
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
            return Services::one(PortRange::single(self.key.port));
        }
        Services::of(&self.client_ports())
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
pub struct Order {
    /// Places of packed cells, sorted by conversation; the uppermost bit is set
    /// where the packets left the interface.
    packed: Vec<u32>,
    /// The other cells, likewise.
    open: Vec<Turned>,
    /// Records that could not be turned to local and peer: neither address, or
    /// both, belong to the interface.
    pub undirected: u64,
}

/// A cell turned to local and peer.
type Turned = (ConversationKey, Direction, Action, Cell);

/// Set in a place of [`Order`] where the packets left the interface.
const OUTWARD: u32 = 1 << 31;

impl Order {
    /// The order of an interface's cells. `by_others` is asked which way a cell
    /// went where neither the log nor the interface's addresses tell.
    #[must_use]
    pub fn of(
        evidence: &InterfaceEvidence,
        eni: &Eni,
        by_others: &dyn Fn(&CellKey) -> Option<Direction>,
    ) -> Order {
        let mut order = Order::default();
        let packed = evidence.cells.packed();
        // One number a cell, which sorts as its conversation does and ends in
        // the cell's place.
        let mut keyed: Vec<u128> = Vec::with_capacity(packed.len());
        for (place, cell) in (0_u32..OUTWARD).zip(packed) {
            let known = way(cell.key(), eni);
            match known.or_else(|| by_others(&cell.key().open())) {
                Some(direction) => keyed.push(sorting_key(cell.key(), direction, place)),
                None => order.undirected += cell.open().records,
            }
        }
        keyed.sort_unstable();
        order.packed = keyed.into_iter().map(place_of).collect();
        // In hash order, which is lawful: they are sorted here.
        for (key, cell) in evidence.cells.unpacked() {
            match direction_of(key, eni).or_else(|| by_others(key)) {
                Some(direction) => {
                    let turned = conversation_key(key, direction);
                    order.open.push((turned, direction, key.action, *cell));
                }
                None => order.undirected += cell.records,
            }
        }
        order
            .open
            .sort_unstable_by_key(|(key, direction, action, _)| (*key, *direction, *action));
        order
    }

    /// Hands every conversation to `visit`, sorted by key.
    pub fn each(&self, evidence: &InterfaceEvidence, mut visit: impl FnMut(&Conversation)) {
        let cells = evidence.cells.packed();
        let mut packed = self
            .packed
            .chunks(TOGETHER)
            .flat_map(|places| fetch(cells, places))
            .peekable();
        let mut open = self.open.iter().peekable();
        loop {
            let next = packed.peek().map(Placed::key);
            let key = match (next, open.peek().map(|one| one.0)) {
                (Some(one), Some(other)) => one.min(other),
                (Some(key), None) | (None, Some(key)) => key,
                (None, None) => return,
            };
            let mut conversation = Conversation::empty(key);
            let first = packed.next_if(|_| next == Some(key));
            if let Some(first) = first {
                first.join(&mut conversation);
                while let Some(one) = packed.next_if(|one| one.order == first.order) {
                    one.join(&mut conversation);
                }
            }
            while let Some((_, direction, action, cell)) = open.next_if(|one| one.0 == key) {
                add(&mut conversation, *direction, *action, cell);
            }
            visit(&conversation);
        }
    }
}

/// Cells fetched together: they lie anywhere, and the processor waits for many
/// at once.
const TOGETHER: usize = 32;

/// A cell in its place among conversations.
struct Placed<'c> {
    cell: &'c Packed,
    direction: Direction,
    /// Equal for cells of one conversation.
    order: u128,
}

fn fetch<'c>(cells: &'c [Packed], places: &'c [u32]) -> impl Iterator<Item = Placed<'c>> {
    let cell = move |place: &u32| cells.get(usize::try_from(place & !OUTWARD).ok()?);
    let ports = places.iter().filter_map(cell);
    // Keeps the loads: nothing else depends on them yet.
    std::hint::black_box(ports.fold(0, |all, cell| all ^ cell.key().port()));
    places
        .iter()
        .filter_map(move |place| Some(Placed::new(cell(place)?, *place)))
}

impl<'c> Placed<'c> {
    fn new(cell: &'c Packed, place: u32) -> Placed<'c> {
        let direction = if place & OUTWARD == 0 {
            Direction::Ingress
        } else {
            Direction::Egress
        };
        Placed {
            cell,
            direction,
            order: sorting_key(cell.key(), direction, 0) & !u128::from(OUTWARD),
        }
    }

    fn key(&self) -> ConversationKey {
        conversation_key(&self.cell.key().open(), self.direction)
    }

    fn join(&self, conversation: &mut Conversation) {
        let action = self.cell.key().action();
        add(conversation, self.direction, action, &self.cell.open());
    }
}

/// The fields of [`ConversationKey`] in its order, then the cell's place.
fn sorting_key(key: PackedKey, direction: Direction, place: u32) -> u128 {
    let (peer, local_side, outward) = match direction {
        Direction::Ingress => (key.source(), Side::Destination, 0),
        Direction::Egress => (key.destination(), Side::Source, OUTWARD),
    };
    let serves_peer = key.protocol().has_ports() && key.side() != local_side;
    let high =
        u64::from(peer.to_bits()) << 24 | u64::from(key.protocol().0) << 16 | u64::from(key.port());
    let low =
        u64::from(serves_peer) << 48 | u64::from(key.era()) << 32 | u64::from(outward | place);
    u128::from(high) << 64 | u128::from(low)
}

/// The lowest 32 bits.
fn place_of(key: u128) -> u32 {
    u32::try_from(key & u128::from(u32::MAX)).unwrap_or(0)
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

fn conversation_key(key: &CellKey, direction: Direction) -> ConversationKey {
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
        era: key.era,
    }
}
