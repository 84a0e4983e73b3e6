//! Cells of one interface, turned to local and peer and put together: both
//! halves and both verdicts of one conversation side by side.

use std::net::IpAddr;

use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cell::Side;
use crate::evidence::interface::InterfaceEvidence;
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

impl Conversation {
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
    pub fn services(&self, direction: Direction) -> Vec<PortRange> {
        if !self.key.protocol.has_ports() {
            return vec![PortRange::ALL];
        }
        if direction == self.key.server.direction() {
            return vec![PortRange::single(self.key.port)];
        }
        self.client_ports().ranges().collect()
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

/// What could not be turned to local and peer, counted in records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undirected {
    /// Neither address, or both, belong to the interface.
    pub records: u64,
}

/// The conversations of an interface, sorted by key.
#[must_use]
pub fn conversations(evidence: &InterfaceEvidence, eni: &Eni) -> (Vec<Conversation>, Undirected) {
    let mut undirected = Undirected::default();
    let mut turned: Vec<(ConversationKey, Direction, Action, Cell)> =
        Vec::with_capacity(evidence.cells.len());
    for (key, cell) in evidence.cells.iter() {
        match direction_of(&key, eni) {
            Some(direction) => turned.push((
                conversation_key(&key, direction),
                direction,
                key.action,
                cell,
            )),
            None => undirected.records += cell.records,
        }
    }
    turned.sort_unstable_by_key(|(key, direction, action, _)| (*key, *direction, *action));
    let mut gathered: Vec<Conversation> = Vec::new();
    for (key, direction, action, cell) in turned {
        if gathered.last().is_none_or(|last| last.key != key) {
            gathered.push(Conversation {
                key,
                inward: Half::default(),
                outward: Half::default(),
            });
        }
        if let Some(conversation) = gathered.last_mut() {
            add(conversation, direction, action, &cell);
        }
    }
    (gathered, undirected)
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
fn direction_of(key: &CellKey, eni: &Eni) -> Option<Direction> {
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
