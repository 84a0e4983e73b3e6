//! Accepted traffic of interfaces that no snapshot knows: it may have used
//! rules of any group that is used in its subnet, so it weakens their claims.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::evidence::Evidence;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::cuts::Level;
use crate::model::Action;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SgRule;
use crate::model::Snapshot;
use crate::model::SubnetId;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// Strays beyond this many kinds a subnet are folded into one that matches
/// anything: a bound on work, paid in doubt.
const MOST_KINDS: usize = 10_000;

/// One kind of stray traffic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    protocol: IpProtocol,
    port: u16,
    addresses: [IpAddr; 2],
}

/// Strays by the subnet that one of their addresses lies in; `None` where the
/// snapshot names no subnets. Beside subnets that it names, a stray elsewhere is
/// of another VPC and no concern of its groups.
#[derive(Debug, Default)]
pub struct Strays {
    kinds: BTreeMap<Option<SubnetId>, BTreeMap<Kind, u64>>,
    overflow: BTreeMap<Option<SubnetId>, u64>,
}

impl Strays {
    /// Gathers the strays of the unknown interfaces.
    #[must_use]
    pub fn of(evidence: &Evidence, unknown: &[EniId], snapshot: &Snapshot) -> Strays {
        let mut strays = Strays::default();
        for id in unknown {
            let Some(interface) = evidence.interfaces.get(id) else {
                continue;
            };
            let grain = evidence.coarse.as_ref().and_then(|coarse| coarse.of(*id));
            for (key, cell) in interface.cells.sorted() {
                if key.action == Action::Accept {
                    let of_many = grain.is_some_and(|grain| grain.level(&key) != Level::EXACT);
                    strays.add(&key, &cell, of_many, snapshot);
                }
            }
        }
        strays
    }

    /// One that stands for many may have used any rule.
    fn add(&mut self, key: &CellKey, cell: &Cell, of_many: bool, snapshot: &Snapshot) {
        let addresses = [key.source, key.destination];
        let inside = |address: &IpAddr| {
            snapshot
                .subnets
                .values()
                .find(|subnet| subnet.cidrs.iter().any(|cidr| cidr.contains(address)))
        };
        let mut subnets: Vec<Option<SubnetId>> = addresses
            .iter()
            .filter_map(inside)
            .map(|subnet| Some(subnet.id.clone()))
            .collect();
        if snapshot.subnets.is_empty() {
            subnets.push(None);
        }
        subnets.dedup();
        for subnet in subnets {
            let kinds = self.kinds.entry(subnet.clone()).or_default();
            if of_many || kinds.len() >= MOST_KINDS {
                *self.overflow.entry(subnet).or_default() += cell.records;
                continue;
            }
            for port in ports(key, cell) {
                let kind = Kind {
                    protocol: key.protocol,
                    port,
                    addresses,
                };
                *kinds.entry(kind).or_default() += cell.records;
            }
        }
    }

    /// Whether there are any in these subnets.
    #[must_use]
    pub fn any(&self, subnets: &[SubnetId]) -> bool {
        self.kinds
            .keys()
            .any(|subnet| here(subnet.as_ref(), subnets))
    }

    /// Records that might have used the rule, were its group on an unknown
    /// interface of these subnets.
    #[must_use]
    pub fn matching(&self, rule: &SgRule, subnets: &[SubnetId]) -> u64 {
        let overflow = self
            .overflow
            .iter()
            .filter(|(subnet, _)| here(subnet.as_ref(), subnets));
        let overflow: u64 = overflow.map(|(_, records)| records).sum();
        let kinds = self
            .kinds
            .iter()
            .filter(|(subnet, _)| here(subnet.as_ref(), subnets));
        let kinds = kinds
            .flat_map(|(_, kinds)| kinds)
            .filter(|(kind, _)| kind.might_use(rule));
        kinds.map(|(_, records)| records).sum::<u64>() + overflow
    }
}

/// Whether a stray of a subnet may be in one of these.
fn here(subnet: Option<&SubnetId>, subnets: &[SubnetId]) -> bool {
    subnet.is_none_or(|subnet| subnets.contains(subnet))
}

/// The ports that may be the service's, either way read.
fn ports(key: &CellKey, cell: &Cell) -> Vec<u16> {
    let others = cell
        .other_ports
        .ranges()
        .filter(|range| range.count() == 1)
        .map(PortRange::from);
    let mut ports: Vec<u16> = others.collect();
    ports.push(key.port);
    ports.sort_unstable();
    ports.dedup();
    ports
}

impl Kind {
    fn might_use(&self, rule: &SgRule) -> bool {
        let port = !self.protocol.has_ports() || rule.transport.service().contains(self.port);
        let peer = match &rule.peer {
            Peer::Cidr(net) => self.addresses.iter().any(|address| net.contains(address)),
            Peer::SecurityGroup(_) | Peer::PrefixList(_) => true,
        };
        rule.transport.has_protocol(self.protocol) && port && peer
    }
}
