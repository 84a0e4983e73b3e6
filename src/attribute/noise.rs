//! Scans, folded: an interface on the Internet is asked for thousands of ports
//! by millions of addresses, and no one reads a row for each.
//!
//! While all REJECTs together are few ([`ALL_APART`]), each is told. Beyond
//! that an interface gets about [`ROWS`] rows of noise: peers are folded into
//! ever shorter prefixes until the rows fit, and in the end all but the ports
//! with most records into one row. What is folded depends only on what was
//! seen, so the order of logs does not show; counts stay exact.

use std::cmp::Reverse;
use std::hash::Hash;
use std::hash::Hasher;

use ipnet::IpNet;

use crate::attribute::rejects::RejectFinding;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::collections::HashMap;
use crate::evidence::cell::Cell;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::SgId;
use crate::net::IpProtocol;
use crate::net::cidr::address_bits;
use crate::net::cidr::is_host;

/// Up to so many rejected cells of evidence in all, nothing is folded.
pub const ALL_APART: usize = 50_000;

/// Rows of noise that one interface gets where noise is folded.
pub const ROWS: usize = 100;

/// Ports that stay apart where not even one row a port fits.
const BUSIEST: usize = 50;

/// Steps of folding: prefix lengths of IPv4 and IPv6 peers.
const STEPS: [(u8, u8); 5] = [(32, 128), (24, 64), (16, 48), (8, 32), (0, 0)];

/// One rejected half of a conversation that is noise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noise {
    /// Way of the packets.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port; `None` where it means nothing.
    pub port: Option<u16>,
    /// The far side: an address, or a prefix of which memory told none apart.
    pub peer: IpNet,
    /// What stopped it.
    pub cause: RejectCause,
    /// The records.
    pub seen: Cell,
}

/// What noise is gathered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    direction: Direction,
    protocol: IpProtocol,
    port: Option<u16>,
    peer: IpNet,
    cause: RejectCause,
}

impl Hash for Key {
    /// By what keys of one interface differ in, in two words.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let service = u64::from(self.port.unwrap_or(0)) << 8 | u64::from(self.protocol.0);
        state.write_u128(address_bits(self.peer.addr()));
        state.write_u64(service);
    }
}

/// What a row gathers, from noise sorted by peer.
#[derive(Debug)]
struct Row {
    key: Key,
    seen: Option<Cell>,
    /// Distinct ones; `None` where one stands for many.
    peers: Option<u64>,
    last: Option<IpNet>,
    /// How many, where the key has lost its port.
    ports: usize,
}

/// The noise of one interface in about [`ROWS`] rows, sorted.
#[must_use]
pub fn fold(noise: &[Noise], eni: &Eni) -> Vec<RejectFinding> {
    let mut sorted: Vec<&Noise> = noise.iter().collect();
    if !sorted.is_sorted_by_key(|one| one.peer) {
        sorted.sort_by_key(|one| one.peer);
    }
    let few = |step| Groups::of(&sorted, step, ROWS);
    let all = || Groups::of(&sorted, (0, 0), usize::MAX);
    let groups = STEPS.into_iter().find_map(few).or_else(all);
    let mut rows = groups.unwrap_or_default().rows(&sorted);
    rows.sort_unstable_by_key(|row| row.key);
    let mut group_ids = eni.groups.clone();
    group_ids.sort();
    let findings = rows.into_iter();
    let findings = findings.filter_map(|row| row.finding(eni, &group_ids));
    findings.collect()
}

impl Noise {
    fn key(&self, (v4, v6): (u8, u8)) -> Key {
        let length = match self.peer {
            IpNet::V4(_) => v4,
            IpNet::V6(_) => v6,
        };
        let shorter = length.min(self.peer.prefix_len());
        let peer = IpNet::new(self.peer.addr(), shorter)
            .unwrap_or(self.peer)
            .trunc();
        Key {
            direction: self.direction,
            protocol: self.protocol,
            port: self.port,
            peer,
            cause: self.cause,
        }
    }
}

/// Noise by key.
#[derive(Default)]
struct Groups {
    /// With the records of each.
    keys: Vec<(Key, u64)>,
    /// The place in `keys` for each one of the noise.
    places: Vec<usize>,
}

impl Groups {
    /// `None` where a step makes more than so many keys.
    fn of(noise: &[&Noise], step: (u8, u8), most: usize) -> Option<Groups> {
        let mut by_key: HashMap<Key, usize> = HashMap::default();
        let mut groups = Groups {
            keys: Vec::new(),
            places: Vec::with_capacity(noise.len()),
        };
        for one in noise {
            let key = one.key(step);
            let place = *by_key.entry(key).or_insert(groups.keys.len());
            match groups.keys.get_mut(place) {
                Some((_, records)) => *records += one.seen.records,
                None if place < most => groups.keys.push((key, one.seen.records)),
                None => return None,
            }
            groups.places.push(place);
        }
        Some(groups)
    }

    /// The row that each key goes to. Where they are too many, those with most
    /// records stay as they are, and the others lose their port.
    fn destinations(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.keys.iter().map(|(key, _)| *key).collect();
        if keys.len() <= ROWS {
            return keys;
        }
        let ranked = self.keys.iter().enumerate();
        let mut ranks: Vec<(Reverse<u64>, Key, usize)> = ranked
            .map(|(place, (key, records))| (Reverse(*records), *key, place))
            .collect();
        ranks.select_nth_unstable(BUSIEST);
        for (_, _, place) in ranks.into_iter().skip(BUSIEST) {
            if let Some(key) = keys.get_mut(place) {
                key.port = None;
            }
        }
        keys
    }

    fn rows(&self, noise: &[&Noise]) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        let mut by_key: HashMap<Key, usize> = HashMap::default();
        let mut row_of: Vec<usize> = Vec::with_capacity(self.keys.len());
        for (key, (own, _)) in self.destinations().into_iter().zip(&self.keys) {
            let row = *by_key.entry(key).or_insert(rows.len());
            match rows.get_mut(row) {
                Some(row) => row.ports += lost_ports(&key, own),
                None => rows.push(Row::new(key, own)),
            }
            row_of.push(row);
        }
        for (one, place) in noise.iter().zip(&self.places) {
            let row = row_of.get(*place).and_then(|row| rows.get_mut(*row));
            if let Some(row) = row {
                row.meet(one);
            }
        }
        rows
    }
}

impl Row {
    fn new(key: Key, first: &Key) -> Row {
        Row {
            key,
            seen: None,
            peers: Some(0),
            last: None,
            ports: lost_ports(&key, first),
        }
    }

    /// Takes in what is of its key.
    fn meet(&mut self, one: &Noise) {
        match &mut self.seen {
            Some(seen) => seen.merge(&one.seen),
            None => self.seen = Some(one.seen),
        }
        if self.last != Some(one.peer) {
            self.last = Some(one.peer);
            let counted = self.peers.filter(|_| is_host(one.peer));
            self.peers = counted.map(|peers| peers + 1);
        }
    }

    fn finding(self, eni: &Eni, group_ids: &[SgId]) -> Option<RejectFinding> {
        let Key {
            direction,
            protocol,
            port,
            peer,
            cause,
        } = self.key;
        Some(RejectFinding {
            interface_id: eni.id,
            group_ids: group_ids.to_vec(),
            direction,
            protocol,
            port,
            peer,
            peers: self.peers,
            peer_groups: Vec::new(),
            reply: false,
            cause,
            nearest: Vec::new(),
            fix: None,
            dropped_by: Vec::new(),
            verdict: RejectVerdict::Noise,
            text: text(&self),
            seen: self.seen?,
        })
    }
}

/// Ports that a key loses in a row: keys of one row differ in nothing else.
fn lost_ports(kept: &Key, own: &Key) -> usize {
    usize::from(kept.port.is_none() && own.port.is_some())
}

fn text(row: &Row) -> String {
    let Key {
        direction,
        protocol,
        port,
        peer,
        cause,
    } = &row.key;
    let side = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let service = match (port, row.ports) {
        (Some(port), _) => format!("{protocol}/{port}"),
        (None, 0) => protocol.to_string(),
        (None, ports) => format!("{protocol} at {ports} further ports"),
    };
    let by = match cause {
        RejectCause::Both => "neither groups nor network ACL allow it",
        RejectCause::NetworkAcl => "the network ACL denies it",
        RejectCause::SecurityGroup | RejectCause::BlockPublicAccess | RejectCause::Unexplained => {
            "no rule of the interface's groups allows it"
        }
    };
    let many = row
        .peers
        .map_or_else(|| "many".to_owned(), |peers| peers.to_string());
    format!("requests {service} {side} {many} addresses in {peer}, folded: {by}")
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::activity::Activity;
    use crate::evidence::ports::PortSample;
    use crate::model::EniId;
    use crate::model::TcpFlags;
    use crate::net::Timestamp;
    use crate::net::cidr::host_net;

    fn scan(peers: u32, ports: u16) -> Vec<Noise> {
        let cell = Cell {
            records: 1,
            packets: 1,
            bytes: 40,
            first: Timestamp(10),
            last: Timestamp(10),
            active: Activity::AT_FIRST,
            requests: 1,
            answers: 0,
            plain: 0,
            flags: TcpFlags(2),
            other_ports: PortSample::default(),
            block_public_access: 0,
        };
        let all = (0..peers).flat_map(|peer| (0..ports).map(move |port| (peer, port)));
        let noise = all.map(|(peer, port)| Noise {
            direction: Direction::Ingress,
            protocol: IpProtocol::TCP,
            port: Some(port),
            peer: host_net(IpAddr::from((0xcb00_7100u32 + peer * 251).to_be_bytes())),
            cause: RejectCause::SecurityGroup,
            seen: cell,
        });
        noise.collect()
    }

    fn folded(noise: &[Noise]) -> Vec<RejectFinding> {
        let snapshot = World::new()
            .eni("eni-web", "subnet-1", "10.0.1.10", &["sg-web"])
            .snapshot();
        fold(noise, &snapshot.enis[&EniId::parse("eni-web").unwrap()])
    }

    #[test]
    fn few_stay_apart_and_many_are_folded_with_every_record_counted() {
        assert_eq!(folded(&scan(10, 10)).len(), 100);
        for (peers, ports) in [(101, 1), (5_000, 3), (2_000, 200)] {
            let noise = scan(peers, ports);
            let rows = folded(&noise);
            assert!(rows.len() <= ROWS, "{} rows", rows.len());
            let records: u64 = rows.iter().map(|row| row.seen.records).sum();
            assert_eq!(records, u64::from(peers) * u64::from(ports));
        }
    }

    #[test]
    fn the_order_of_scanners_does_not_show() {
        let mut noise = scan(700, 3);
        let rows = folded(&noise);
        noise.reverse();
        assert_eq!(folded(&noise), rows);
    }
}
