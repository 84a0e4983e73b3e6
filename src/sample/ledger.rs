//! Keeps the truth while lines are written: what each rule let through, what
//! was rejected and why, what became of each connection. Only lines that were
//! really written count, so that the truth is what a perfect reader could say.

use std::net::IpAddr;

use crate::collections::HashMap;
use crate::model::Direction;
use crate::net::IpProtocol;
use crate::sample::half::Half;
use crate::sample::judge::Attempt;
use crate::sample::judge::Cause;
use crate::sample::judge::Fate;
use crate::sample::judge::Opinion;
use crate::sample::judge::Verdict;
use crate::sample::observe::Ending;
use crate::sample::observe::Observation;
use crate::sample::world::Interface;

/// How many kinds of REJECT are kept apart; further ones are only summed, so
/// that scans do not fill the memory.
const KINDS: usize = 200_000;

/// What a rule let through: requests of accepted connections, at interfaces
/// that a snapshot names.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RuleUse {
    pub(super) records: u64,
    pub(super) sole_records: u64,
    /// Records that stronger rules decided the same way.
    pub(super) outranked_records: u64,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// First and last second, where there was any record.
    pub(super) seen: Option<(u32, u32)>,
    /// The same at interfaces that no snapshot names.
    pub(super) unlisted_records: u64,
}

/// What REJECT lines are folded by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RejectKey {
    pub(super) interface: usize,
    pub(super) direction: Direction,
    pub(super) protocol: IpProtocol,
    pub(super) port: u16,
    pub(super) peer: IpAddr,
    pub(super) reply: bool,
    pub(super) cause: Cause,
}

/// Lines written about one connection at one interface.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) interface: usize,
    pub(super) requests: u64,
    pub(super) replies: u64,
    pub(super) rejected: u64,
}

/// A connection and what became of it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) attempt: Attempt,
    pub(super) verdict: Verdict,
    pub(super) ending: Ending,
    pub(super) written: Vec<Written>,
    /// Whether lines about it were lost.
    pub(super) lost: bool,
}

/// Counts of lines by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) no_data: u64,
    pub(super) skip_data: u64,
}

/// The truth so far.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) lines: Lines,
    pub(super) rules: Vec<RuleUse>,
    rejects: HashMap<RejectKey, u64>,
    /// REJECT lines of kinds that are not kept apart any more.
    pub(super) further_rejects: u64,
    /// By cause, in the order of `Cause`.
    pub(super) causes: [(Cause, u64); 4],
    /// By number of the interface: whether some usable line is its.
    usable: Vec<bool>,
    /// All connections, where they are asked for.
    pub(super) connections: Option<Vec<Connection>>,
    /// Connections opened or tried.
    pub(super) opened: u64,
}

impl Ledger {
    pub(super) fn new(rules: usize, keep_connections: bool) -> Ledger {
        Ledger {
            lines: Lines::default(),
            rules: vec![RuleUse::default(); rules],
            rejects: HashMap::default(),
            further_rejects: 0,
            causes: [
                (Cause::SecurityGroup, 0),
                (Cause::NetworkAcl, 0),
                (Cause::Both, 0),
                (Cause::Late, 0),
            ],
            usable: Vec::new(),
            connections: keep_connections.then(Vec::new),
            opened: 0,
        }
    }

    /// Enters a connection; answers its number, from 0.
    pub(super) fn open(&mut self, attempt: &Attempt, verdict: &Verdict, ending: Ending) -> u64 {
        if let Some(connections) = &mut self.connections {
            connections.push(Connection {
                attempt: attempt.clone(),
                verdict: verdict.clone(),
                ending,
                written: Vec::new(),
                lost: false,
            });
        }
        self.opened += 1;
        self.opened - 1
    }

    /// Counts a line about traffic.
    pub(super) fn record(
        &mut self,
        seen: &Observation,
        half: &Half,
        (packets, bytes): (u64, u64),
        (start, end): (u32, u32),
    ) {
        self.use_interface(&seen.interface);
        if let Some(cause) = half.reject {
            self.reject(seen, half, cause);
        } else {
            self.lines.accepted += 1;
        }
        // A rule that drops earns what it rejects.
        let passed = half.reject.is_none();
        if half.request && passed == seen.opinion.passes {
            self.credit(seen, (packets, bytes), (start, end));
        }
        self.note(seen, half);
    }

    /// Notes that lines about the connection were lost.
    pub(super) fn lose(&mut self, seen: &Observation) {
        if let Some(connection) = self.connection(seen.connection) {
            connection.lost = true;
        }
    }

    /// Counts a NODATA line.
    pub(super) fn no_data(&mut self, interface: &Interface) {
        self.use_interface(interface);
        self.lines.no_data += 1;
    }

    /// Whether some usable line is the interface's.
    pub(super) fn is_usable(&self, interface: &Interface) -> bool {
        self.usable.get(interface.number).copied().unwrap_or(false)
    }

    /// The kinds of REJECT, sorted.
    pub(super) fn rejects(&self) -> Vec<(RejectKey, u64)> {
        let mut rejects: Vec<(RejectKey, u64)> = self
            .rejects
            .iter()
            .map(|(key, count)| (*key, *count))
            .collect();
        rejects.sort_unstable();
        rejects
    }

    fn credit(
        &mut self,
        seen: &Observation,
        (packets, bytes): (u64, u64),
        (start, end): (u32, u32),
    ) {
        let Opinion {
            passes: _,
            rules,
            outranked,
        } = &seen.opinion;
        for rule in outranked {
            if let Some(rule) = self.rules.get_mut(*rule) {
                rule.outranked_records += u64::from(seen.interface.listed);
            }
        }
        let sole = rules.len() == 1;
        for rule in rules {
            let Some(rule) = self.rules.get_mut(*rule) else {
                continue;
            };
            if !seen.interface.listed {
                rule.unlisted_records += 1;
                continue;
            }
            rule.records += 1;
            rule.sole_records += u64::from(sole);
            rule.packets += packets;
            rule.bytes += bytes;
            let (first, last) = rule.seen.unwrap_or((start, end));
            rule.seen = Some((first.min(start), last.max(end)));
        }
    }

    fn reject(&mut self, seen: &Observation, half: &Half, cause: Cause) {
        self.lines.rejected += 1;
        for (own, count) in &mut self.causes {
            *count += u64::from(*own == cause);
        }
        let key = RejectKey {
            interface: seen.interface.number,
            direction: half.direction,
            protocol: seen.protocol,
            port: seen.service_port,
            peer: seen.peer,
            reply: !half.request,
            cause,
        };
        if let Some(count) = self.rejects.get_mut(&key) {
            *count += 1;
        } else if self.rejects.len() < KINDS {
            self.rejects.insert(key, 1);
        } else {
            self.further_rejects += 1;
        }
    }

    fn note(&mut self, seen: &Observation, half: &Half) {
        let Some(connection) = self.connection(seen.connection) else {
            return;
        };
        let interface = seen.interface.number;
        let place = connection
            .written
            .iter()
            .position(|own| own.interface == interface);
        if place.is_none() {
            connection.written.push(Written {
                interface,
                requests: 0,
                replies: 0,
                rejected: 0,
            });
        }
        let place = place.unwrap_or(connection.written.len() - 1);
        if let Some(written) = connection.written.get_mut(place) {
            written.requests += u64::from(half.request);
            written.replies += u64::from(!half.request);
            written.rejected += u64::from(half.reject.is_some());
        }
    }

    fn connection(&mut self, number: u64) -> Option<&mut Connection> {
        self.connections
            .as_mut()?
            .get_mut(usize::try_from(number).ok()?)
    }

    fn use_interface(&mut self, interface: &Interface) {
        if self.usable.len() <= interface.number {
            self.usable.resize(interface.number + 1, false);
        }
        if let Some(usable) = self.usable.get_mut(interface.number) {
            *usable = true;
        }
    }
}

impl Connection {
    /// The interfaces that let the request through, each with its direction
    /// and the numbers of all rules that covered it.
    pub(super) fn passed_by(&self) -> impl Iterator<Item = (&Interface, Direction, &[usize])> {
        let left = !matches!(self.verdict.fate, Fate::RequestOut(_));
        let arrived = left && !matches!(self.verdict.fate, Fate::RequestIn(_));
        let client = self.attempt.client.interface.as_deref().filter(|_| left);
        let server = self.attempt.server.interface.as_deref().filter(|_| arrived);
        let client = client.map(|own| (own, Direction::Egress, &*self.verdict.client.rules));
        let server = server.map(|own| (own, Direction::Ingress, &*self.verdict.server.rules));
        client.into_iter().chain(server)
    }
}
