//! Scans, folded: an interface on the Internet is asked for thousands of ports
//! by millions of addresses, and no one reads a row for each.
//!
//! While all REJECTs together are few ([`ALL_APART`]), each is told. Beyond
//! that an interface gets about [`ROWS`] rows of noise: peers are folded into
//! ever shorter prefixes until the rows fit, and in the end all but the ports
//! with most records into one row. What is folded depends only on what was
//! seen, so the order of logs does not show; counts stay exact.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::rejects::RejectFinding;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::evidence::cell::Cell;
use crate::model::Direction;
use crate::model::Eni;
use crate::net::IpProtocol;
use crate::net::cidr::host_net;

/// Up to so many rejected cells of evidence in all, nothing is folded.
pub const ALL_APART: usize = 50_000;

/// Rows of noise that one interface gets where noise is folded.
pub const ROWS: usize = 100;

/// Ports that stay apart where not even one row a port fits.
const BUSIEST: usize = 50;

/// Steps of folding: prefix lengths of IPv4 and IPv6 peers.
const STEPS: [(u8, u8); 5] = [(32, 128), (24, 64), (16, 48), (8, 32), (0, 0)];

/// One rejected half of a conversation that is noise.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Way of the packets.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port; `None` where it means nothing.
    pub port: Option<u16>,
    /// The far side.
    pub peer: IpAddr,
    /// What stopped it.
    pub cause: RejectCause,
    /// The records.
    pub seen: Cell,
}

type Key = (Direction, IpProtocol, Option<u16>, IpNet, RejectCause);

/// What a row gathers.
#[derive(Debug)]
struct Row {
    seen: Cell,
    peers: BTreeSet<IpAddr>,
    ports: BTreeSet<u16>,
}

/// The noise of one interface in about [`ROWS`] rows, sorted.
#[must_use]
pub fn fold(noise: &[Noise], eni: &Eni) -> Vec<RejectFinding> {
    let fits = |step: &(u8, u8)| distinct(noise, *step) <= ROWS;
    let step = STEPS.into_iter().find(fits).unwrap_or((0, 0));
    let mut rows = gather(noise, step);
    if rows.len() > ROWS {
        rows = busiest_apart(rows);
    }
    let mut group_ids = eni.groups.clone();
    group_ids.sort();
    let finding = |(key, row): (Key, Row)| {
        let (direction, protocol, port, peer, cause) = key;
        RejectFinding {
            interface_id: eni.id,
            group_ids: group_ids.clone(),
            direction,
            protocol,
            port,
            peer,
            peers: u64::try_from(row.peers.len()).unwrap_or(u64::MAX),
            peer_groups: Vec::new(),
            reply: false,
            cause,
            nearest: Vec::new(),
            verdict: RejectVerdict::Noise,
            text: text(&key, &row),
            seen: row.seen,
        }
    };
    rows.into_iter().map(finding).collect()
}

/// The rows with most records as they are, the others without their port.
fn busiest_apart(rows: BTreeMap<Key, Row>) -> BTreeMap<Key, Row> {
    let mut sorted: Vec<(Key, Row)> = rows.into_iter().collect();
    sorted.sort_by_key(|(key, row)| (Reverse(row.seen.records), *key));
    let mut folded: BTreeMap<Key, Row> = BTreeMap::new();
    for (rank, ((direction, protocol, port, peer, cause), row)) in sorted.into_iter().enumerate() {
        let port = port.filter(|_| rank < BUSIEST);
        match folded.entry((direction, protocol, port, peer, cause)) {
            Entry::Vacant(slot) => {
                slot.insert(row);
            }
            Entry::Occupied(mut slot) => slot.get_mut().merge(row),
        }
    }
    folded
}

impl Row {
    fn merge(&mut self, other: Row) {
        self.seen.merge(&other.seen);
        self.peers.extend(other.peers);
        self.ports.extend(other.ports);
    }
}

/// How many rows a step would make.
fn distinct(noise: &[Noise], step: (u8, u8)) -> usize {
    let mut keys: Vec<Key> = noise.iter().map(|one| one.key(step)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

impl Noise {
    fn key(&self, (v4, v6): (u8, u8)) -> Key {
        let length = if self.peer.is_ipv4() { v4 } else { v6 };
        let peer = IpNet::new(self.peer, length)
            .unwrap_or_else(|_| host_net(self.peer))
            .trunc();
        (self.direction, self.protocol, self.port, peer, self.cause)
    }
}

fn gather(noise: &[Noise], step: (u8, u8)) -> BTreeMap<Key, Row> {
    let mut rows: BTreeMap<Key, Row> = BTreeMap::new();
    for one in noise {
        let key = one.key(step);
        let row = rows.entry(key).and_modify(|row| row.seen.merge(&one.seen));
        let row = row.or_insert_with(|| Row {
            seen: one.seen,
            peers: BTreeSet::new(),
            ports: BTreeSet::new(),
        });
        row.peers.insert(one.peer);
        row.ports.extend(one.port);
    }
    rows
}

fn text(key: &Key, row: &Row) -> String {
    let (direction, protocol, port, peer, cause) = key;
    let side = match direction {
        Direction::Ingress => "from",
        Direction::Egress => "to",
    };
    let service = match (port, row.ports.len()) {
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
    format!(
        "requests {service} {side} {} addresses in {peer}, folded: {by}",
        row.peers.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::ports::PortSample;
    use crate::model::EniId;
    use crate::model::TcpFlags;
    use crate::net::Timestamp;

    fn scan(peers: u32, ports: u16) -> Vec<Noise> {
        let cell = Cell {
            records: 1,
            packets: 1,
            bytes: 40,
            first: Timestamp(10),
            last: Timestamp(10),
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
            peer: IpAddr::from((0xcb00_7100u32 + peer * 251).to_be_bytes()),
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
