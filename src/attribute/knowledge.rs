//! What all interfaces' records tell together of who serves what: each
//! interface takes notes, and the notes become one knowledge, in any order to
//! the same value.
//!
//! Notes are numbers wherever an end is an interface or an IPv4 address, since
//! there is about one for each conversation.

use std::net::IpAddr;

use rayon::prelude::*;

use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::Server;
use crate::attribute::scene::PeerFacts;
use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::model::EniId;
use crate::net::IpProtocol;

/// One end of a conversation: an interface where one is known, so that its
/// several addresses are one; else an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// An interface, by its number in [`Endpoints`].
    Interface(u32),
    /// Any other address.
    Address(IpAddr),
}

/// Numbers of interfaces, for the length of a run.
#[derive(Debug, Default)]
pub struct Endpoints(HashMap<EniId, u32>);

/// A service: endpoint, protocol and port.
pub type Service = (Endpoint, IpProtocol, u16);

impl Endpoints {
    /// Numbers all of these; any of them may come twice.
    #[must_use]
    pub fn new(ids: impl Iterator<Item = EniId>) -> Endpoints {
        let mut numbers: HashMap<EniId, u32> = HashMap::default();
        for id in ids {
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            numbers.entry(id).or_insert(next);
        }
        Endpoints(numbers)
    }

    /// The endpoint of an interface. All that were not numbered are one.
    #[must_use]
    pub fn of(&self, id: EniId) -> Endpoint {
        Endpoint::Interface(self.0.get(&id).copied().unwrap_or(u32::MAX))
    }

    /// The endpoint of a peer.
    #[must_use]
    pub fn of_peer(&self, facts: &PeerFacts<'_>) -> Endpoint {
        match facts.owners.as_slice() {
            [owner] => self.of(owner.id),
            _ => Endpoint::Address(facts.address),
        }
    }
}

/// Parts that notes are taken together in, side by side.
const SHARDS: usize = 16;

/// A service as a number, spread evenly: the uppermost bits choose the shard.
/// `None` for IPv6 addresses, which need more than 64 bits.
fn narrow((endpoint, protocol, port): Service) -> Option<u64> {
    let service = narrow_end(endpoint)? << 24 | u64::from(protocol.0) << 16 | u64::from(port);
    // Odd, so that no two services fall together.
    Some(service.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// 33 bits.
fn narrow_end(endpoint: Endpoint) -> Option<u64> {
    match endpoint {
        Endpoint::Interface(number) => Some(1 << 32 | u64::from(number)),
        Endpoint::Address(IpAddr::V4(address)) => Some(u64::from(address.to_bits())),
        Endpoint::Address(IpAddr::V6(_)) => None,
    }
}

fn shard_of(service: u64) -> usize {
    usize::try_from(service >> (64 - SHARDS.ilog2())).unwrap_or(0)
}

/// What one interface tells.
#[derive(Debug, Default)]
pub struct Notes {
    services: Vec<u64>,
    pairs: Vec<(u64, u64)>,
    fan: Vec<(u64, u32)>,
    clients: Vec<u64>,
    wide: Wide,
    /// Whether something was not learned for standing for many.
    blurred: bool,
}

/// The same where an end is an IPv6 address, and where any of both is.
#[derive(Debug, Default)]
struct Wide {
    services: HashSet<Service>,
    pairs: HashSet<(Service, Endpoint)>,
    fan: HashMap<Service, u32>,
    clients: HashMap<Service, u32>,
}

impl Notes {
    /// Learns from one conversation of an interface.
    pub fn learn(&mut self, local: Endpoint, peer: Endpoint, conversation: &Conversation) {
        let key = &conversation.key;
        if !key.protocol.has_ports() {
            return;
        }
        let (server, client) = match key.server {
            Server::Local => (local, peer),
            Server::Peer => (peer, local),
        };
        let service = (server, key.protocol, key.port);
        if conversation.flags_decide() {
            self.pair(service, client);
        }
        // What only refused, or never answered, serves nothing.
        if conversation.answered_with_syn() {
            self.serves(service);
        }
        let clients = conversation.client_ports();
        self.spoke(service, clients.at_least().max(1));
        for port in clients.ranges().filter(|range| range.count() == 1) {
            self.asked((client, key.protocol, port.from()));
        }
    }

    /// Learns from a conversation that stands for many peers: nothing of any of
    /// them, and of the interface what it served, where that is one port.
    pub fn learn_of_many(&mut self, local: Endpoint, conversation: &Conversation) {
        self.blurred = true;
        let key = &conversation.key;
        let one_port = conversation.keyed_ports().count() == 1;
        if !key.protocol.has_ports() || key.server != Server::Local || !one_port {
            return;
        }
        let service = (local, key.protocol, key.port);
        if conversation.answered_with_syn() {
            self.serves(service);
        }
        self.spoke(service, conversation.client_ports().at_least().max(1));
    }

    fn pair(&mut self, service: Service, client: Endpoint) {
        match narrow(service).zip(narrow_end(client)) {
            Some(pair) => self.pairs.push(pair),
            None => {
                self.wide.pairs.insert((service, client));
            }
        }
    }

    fn serves(&mut self, service: Service) {
        match narrow(service) {
            Some(service) => self.services.push(service),
            None => {
                self.wide.services.insert(service);
            }
        }
    }

    fn spoke(&mut self, service: Service, partners: u32) {
        match narrow(service) {
            Some(service) => self.fan.push((service, partners)),
            None => *self.wide.fan.entry(service).or_default() += partners,
        }
    }

    fn asked(&mut self, service: Service) {
        match narrow(service) {
            Some(service) => self.clients.push(service),
            None => *self.wide.clients.entry(service).or_default() += 1,
        }
    }

    /// Sorts what was noted, and adds up what is of one service.
    pub fn close(&mut self) {
        self.services.sort_unstable();
        self.services.dedup();
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.fan.sort_unstable();
        self.fan.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        self.clients.sort_unstable();
    }
}

/// What all interfaces tell together.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// [`SHARDS`] of them, or none where nothing was noted.
    shards: Vec<Shard>,
    wide: Wide,
    /// Whether what is not known may have been seen: of peers that are told by
    /// prefix nothing is learned.
    pub blurred: bool,
}

#[derive(Debug, Default)]
struct Shard {
    /// Services that answered, or were asked, beyond doubt.
    services: HashSet<u64>,
    /// The same with the client, for the two views of one conversation.
    pairs: HashSet<(u64, u64)>,
    /// Distinct (peer, port) pairs that spoke with an endpoint's port.
    fan: HashMap<u64, u32>,
    /// Conversations in which an endpoint's port stood against a lower one,
    /// where there was more than one.
    clients: HashMap<u64, u32>,
}

impl Shard {
    fn of(number: usize, notes: &[Notes]) -> Shard {
        let mut shard = Shard::default();
        let mut clients = Vec::new();
        for one in notes {
            shard
                .services
                .extend(share(&one.services, number, |service| *service));
            shard.pairs.extend(share(&one.pairs, number, |pair| pair.0));
            for (service, partners) in share(&one.fan, number, |fan| fan.0) {
                *shard.fan.entry(*service).or_default() += partners;
            }
            clients.extend_from_slice(share(&one.clients, number, |service| *service));
        }
        clients.sort_unstable();
        for run in clients.chunk_by(|one, other| one == other) {
            if let [service, _, ..] = run {
                let times = u32::try_from(run.len()).unwrap_or(u32::MAX);
                shard.clients.insert(*service, times);
            }
        }
        shard
    }
}

/// The sorted notes that belong to a shard.
fn share<T>(notes: &[T], shard: usize, service: impl Fn(&T) -> u64) -> &[T] {
    let from = notes.partition_point(|one| shard_of(service(one)) < shard);
    let rest = notes.get(from..).unwrap_or_default();
    let len = rest.partition_point(|one| shard_of(service(one)) == shard);
    rest.get(..len).unwrap_or_default()
}

impl Knowledge {
    /// Takes all notes together. Each is closed.
    #[must_use]
    pub fn of(mut notes: Vec<Notes>) -> Knowledge {
        let mut wide = Wide::default();
        for one in &mut notes {
            wide.merge(std::mem::take(&mut one.wide));
        }
        let shards = (0..SHARDS).into_par_iter();
        let blurred = notes.iter().any(|one| one.blurred);
        Knowledge {
            blurred,
            shards: shards.map(|number| Shard::of(number, &notes)).collect(),
            wide,
        }
    }

    fn shard(&self, service: u64) -> Option<&Shard> {
        self.shards.get(shard_of(service))
    }

    /// Whether it answered beyond doubt.
    #[must_use]
    pub fn serves(&self, service: Service) -> bool {
        match narrow(service) {
            Some(service) => self
                .shard(service)
                .is_some_and(|shard| shard.services.contains(&service)),
            None => self.wide.services.contains(&service),
        }
    }

    /// Whether some record's flags say that this client opened a connection to
    /// the service.
    #[must_use]
    pub fn paired(&self, service: Service, client: Endpoint) -> bool {
        match narrow(service).zip(narrow_end(client)) {
            Some(pair) => self
                .shard(pair.0)
                .is_some_and(|shard| shard.pairs.contains(&pair)),
            None => self.wide.pairs.contains(&(service, client)),
        }
    }

    /// Distinct partners of an endpoint's port, as server or as client,
    /// whichever is more. A lone client port may count as none: nothing hangs
    /// on the difference.
    #[must_use]
    pub fn partners(&self, service: Service) -> u32 {
        let (fan, clients) = match narrow(service) {
            Some(service) => {
                let shard = self.shard(service);
                let of = |table: fn(&Shard) -> &HashMap<u64, u32>| {
                    shard.and_then(|shard| table(shard).get(&service).copied())
                };
                (of(|shard| &shard.fan), of(|shard| &shard.clients))
            }
            None => (
                self.wide.fan.get(&service).copied(),
                self.wide.clients.get(&service).copied(),
            ),
        };
        fan.unwrap_or(0).max(clients.unwrap_or(0))
    }
}

impl Wide {
    fn merge(&mut self, other: Wide) {
        let Wide {
            services,
            pairs,
            fan,
            clients,
        } = other;
        self.services.extend(services);
        self.pairs.extend(pairs);
        for (service, count) in fan {
            *self.fan.entry(service).or_default() += count;
        }
        for (service, count) in clients {
            *self.clients.entry(service).or_default() += count;
        }
    }
}
