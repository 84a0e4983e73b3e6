//! The independent checker: does a proposal keep its two promises?
//!
//! Nothing new is allowed ([`contain`]): the boxes of today's rules are cut
//! out of each new rule, and whatever is left is a packet that would newly
//! pass. Nothing seen breaks ([`check`] for the needs of one group, [`replay`]
//! for conversations interface by interface): each must find rules that still
//! let all of it through, and the first is named.
//!
//! This module shares nothing with the code that proposes but the nouns: a
//! mistake there must not be repeated here. It has its own arithmetic, it does
//! not trust that ids are where they should be, and it is not asked how a
//! proposal came about.

pub mod against;
pub mod book;
pub mod certificate;
pub mod contain;
pub mod ranked;
pub mod replay;
mod service;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::needs::Need;
use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::Transport;
use crate::model::VpcId;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::book::Owners;
use crate::tighten::proof::contain::Packet;
use crate::tighten::proof::service::Service;

/// What was found out about one proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Needs that were replayed.
    pub connections: u64,
    /// Needs for which a rule was named that lets them through.
    pub witnesses: u64,
    /// Needs that would no longer pass in full. Empty, or it is a bug.
    pub broken: Vec<Broken>,
    /// Needs that name no rule of today; there is nothing to replay.
    pub unexplained: u64,
    /// For each rule that would newly allow something, a packet. Empty, or it
    /// is a bug.
    pub widened: Vec<Packet>,
    /// Rules of today that are in none or in several of keep, remove and
    /// replaced, and ids that no rule of today has. Empty, or it is a bug.
    pub misfiled: Vec<SgRuleId>,
}

impl Proof {
    /// Whether the proposal keeps what it promises.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.broken.is_empty() && self.widened.is_empty() && self.misfiled.is_empty()
    }
}

/// Something that passed and would pass no more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Its protocol.
    pub protocol: IpProtocol,
    /// The part of its service that would no longer pass.
    pub service: PortRange,
    /// The far side.
    pub peer: IpAddr,
    /// The rule of today that lets it through.
    pub rule_id: SgRuleId,
}

/// Checks a proposal for one direction of `group` against what was needed,
/// references judged by their names alone.
#[must_use]
pub fn check(group: &SecurityGroup, proposal: &Proposal, needs: &[Need]) -> Proof {
    check_with(group, proposal, needs, None)
}

/// As [`check`]; a reference that takes the place of addresses is judged by
/// the book: all addresses that the group can ever have, and who carried it.
#[must_use]
pub fn check_with(
    group: &SecurityGroup,
    proposal: &Proposal,
    needs: &[Need],
    book: Option<&Book<'_>>,
) -> Proof {
    let today: Vec<&SgRule> = group.rules_of(proposal.direction).collect();
    let after = standing_after(&today, proposal);
    let by_id: BTreeMap<&SgRuleId, &SgRule> = today.iter().map(|rule| (&rule.id, *rule)).collect();
    let old: Vec<Said<'_>> = today.iter().map(|r| (r.transport, &r.peer)).collect();
    // What says what a rule of today says lets nothing new through.
    let said: BTreeSet<&Said<'_>> = old.iter().collect();
    let mut proof = Proof {
        widened: after
            .iter()
            .filter(|rule| !said.contains(rule))
            .filter_map(|&(transport, peer)| newly_open(transport, peer, &old, book))
            .collect(),
        misfiled: misfiled(&today, proposal),
        ..Proof::default()
    };
    let index = Index::of(&after);
    for need in needs {
        let old = need.covered_by.iter().filter_map(|id| by_id.get(id));
        let old: Vec<&SgRule> = old.copied().collect();
        let flow = Flow {
            protocol: need.protocol,
            service: need.service,
            peer: need.peer,
            among: need.among,
            today: &old,
            book: book.map(|book| (book, group.vpc_id.as_ref())),
            lists: None,
            other: None,
        };
        match flow.outcome(index.near(need.peer)) {
            Outcome::Unexplained => proof.unexplained += 1,
            Outcome::Passes => proof.witnesses += 1,
            Outcome::Breaks(broken) => proof.broken.push(broken),
        }
    }
    let broken = u64::try_from(proof.broken.len()).unwrap_or(u64::MAX);
    proof.connections = proof.witnesses.saturating_add(broken);
    proof
}

/// Rules by prefix, so that an address is put to those that may admit it.
struct Index<'r> {
    by_prefix: BTreeMap<IpNet, Vec<Said<'r>>>,
    /// Lengths of IPv4 and IPv6 prefixes that there are.
    lengths: [BTreeSet<u8>; 2],
    references: Vec<Said<'r>>,
}

impl<'r> Index<'r> {
    fn of(rules: &[Said<'r>]) -> Index<'r> {
        let mut index = Index {
            by_prefix: BTreeMap::new(),
            lengths: [BTreeSet::new(), BTreeSet::new()],
            references: Vec::new(),
        };
        let [v4, v6] = &mut index.lengths;
        for &(transport, peer) in rules {
            match peer {
                Peer::Cidr(net) => {
                    let lengths = if net.addr().is_ipv4() {
                        &mut *v4
                    } else {
                        &mut *v6
                    };
                    lengths.insert(net.prefix_len());
                    let same = index.by_prefix.entry(net.trunc()).or_default();
                    same.push((transport, peer));
                }
                Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
                    index.references.push((transport, peer));
                }
            }
        }
        index
    }

    /// References, and rules whose prefix holds the address.
    fn near(&self, address: IpAddr) -> impl Iterator<Item = Said<'r>> {
        let [v4, v6] = &self.lengths;
        let lengths = if address.is_ipv4() { v4 } else { v6 };
        let nets = lengths.iter().filter_map(move |length| {
            let net = IpNet::new(address, *length).ok()?.trunc();
            self.by_prefix.get(&net)
        });
        nets.flatten().chain(&self.references).copied()
    }
}

/// A packet that the rule lets through and no rule of today does.
fn newly_open(
    transport: Transport,
    peer: &Peer,
    old: &[Said<'_>],
    book: Option<&Book<'_>>,
) -> Option<Packet> {
    let packet = contain::beyond(transport, peer, old)?;
    let Peer::SecurityGroup(id) = peer else {
        return Some(packet);
    };
    match book.and_then(|book| book.reach(id)) {
        Some(reach) => contain::beyond_reach(transport, peer, old, &reach),
        None => Some(packet),
    }
}

/// The rules that a proposal leaves in force.
fn standing_after<'a>(today: &[&'a SgRule], proposal: &'a Proposal) -> Vec<Said<'a>> {
    let keep: BTreeSet<&SgRuleId> = proposal.keep.iter().collect();
    let kept = today.iter().filter(|rule| keep.contains(&rule.id));
    let kept = kept.map(|rule| (rule.transport, &rule.peer));
    let planned = proposal
        .rules
        .iter()
        .map(|rule| (rule.transport, &rule.peer));
    kept.chain(planned).collect()
}

/// Ids that are not in exactly one place.
fn misfiled(today: &[&SgRule], proposal: &Proposal) -> Vec<SgRuleId> {
    let replaced: BTreeSet<&SgRuleId> = proposal
        .rules
        .iter()
        .flat_map(|rule| &rule.replaces)
        .collect();
    let mut places: BTreeMap<&SgRuleId, u32> = BTreeMap::new();
    for id in proposal.keep.iter().chain(&proposal.remove).chain(replaced) {
        *places.entry(id).or_default() += 1;
    }
    let known: BTreeSet<&SgRuleId> = today.iter().map(|rule| &rule.id).collect();
    let astray = known.iter().filter(|id| places.get(*id) != Some(&1));
    let strange = places.keys().filter(|id| !known.contains(*id));
    astray.chain(strange).map(|id| (*id).clone()).collect()
}

/// Something seen, with the rules of today that cover some of it.
struct Flow<'a> {
    protocol: IpProtocol,
    service: PortRange,
    peer: IpAddr,
    /// The addresses that the peer stands for, where they are several.
    among: Option<IpNet>,
    today: &'a [&'a SgRule],
    /// Who carried which group, and the VPC of the interface.
    book: Option<(&'a Book<'a>, Option<&'a VpcId>)>,
    /// Entries of prefix lists that today's rules need not name.
    lists: Option<&'a BTreeMap<PrefixListId, PrefixList>>,
    /// Another state of the cloud, in which the rules are to stand.
    other: Option<(&'a Snapshot, &'a Owners<'a>)>,
}

/// What becomes of a flow.
enum Outcome {
    /// No rule of today covers any of it.
    Unexplained,
    /// All that passes today still does: some rule was named for each part.
    Passes,
    /// Some of it would no longer pass.
    Breaks(Broken),
}

/// A rule by what it says.
type Said<'r> = (Transport, &'r Peer);

impl Flow<'_> {
    /// What the rules do to it.
    fn outcome<'r>(&self, rules: impl Iterator<Item = Said<'r>>) -> Outcome {
        let mut left = self.passing_today();
        if left.is_empty() {
            return Outcome::Unexplained;
        }
        for (transport, peer) in rules {
            let own = Service::of(transport, self.protocol).filter(|_| self.admits(peer));
            let Some(own) = own else { continue };
            let cut = |(part, id): (Service, _)| part.without(own).map(|rest| Some((rest?, id)));
            left = left.into_iter().flat_map(cut).flatten().collect();
            if left.is_empty() {
                return Outcome::Passes;
            }
        }
        left.first().map_or(Outcome::Passes, |(part, id)| {
            Outcome::Breaks(Broken {
                protocol: self.protocol,
                service: part.range(),
                peer: self.peer,
                rule_id: (*id).clone(),
            })
        })
    }

    /// The parts of its service that today's rules let through, with the rule.
    fn passing_today(&self) -> Vec<(Service, &SgRuleId)> {
        let asked = Service::from(self.service);
        let part = |rule: &&SgRule| {
            let own = Service::of(rule.transport, self.protocol)?;
            own.common(asked)
        };
        self.today
            .iter()
            .filter_map(|rule| Some((part(rule)?, &rule.id)))
            .collect()
    }

    /// Whether a rule's peer is known to stand for the far side.
    fn admits(&self, peer: &Peer) -> bool {
        match (peer, self.peer) {
            (Peer::Cidr(net), _) if let Some(among) = self.among => net.contains(&among),
            (Peer::Cidr(IpNet::V4(net)), IpAddr::V4(address)) => net.contains(&address),
            (Peer::Cidr(IpNet::V6(net)), IpAddr::V6(address)) => net.contains(&address),
            (Peer::Cidr(_), IpAddr::V4(_) | IpAddr::V6(_)) => false,
            (Peer::SecurityGroup(id), _) => self.is_member(id, peer),
            (Peer::PrefixList(id), _) => self.is_entry(id, peer),
        }
    }

    /// A reference to a group stands for it if today's rules with the same
    /// reference were found to, or if it carried the group in every snapshot;
    /// in another state of the cloud if it carries the group there.
    fn is_member(&self, id: &SgId, peer: &Peer) -> bool {
        let named = self.today.iter().any(|rule| rule.peer == *peer);
        if self.among.is_some() {
            // Who the others are, nobody knows.
            return named && self.other.is_none();
        }
        let vpc = self.book.and_then(|(_, vpc)| vpc);
        match (self.other, self.book) {
            (Some((_, owners)), _) => {
                (named && owners.may_carry(id, self.peer)) || owners.carry(id, vpc, self.peer)
            }
            (None, Some((book, vpc))) => named || book.carried(id, vpc, self.peer),
            (None, None) => named,
        }
    }

    /// A list stands for it if today's rules with the same list were found to,
    /// or by its entries; in another state of the cloud by those it has there,
    /// where they are known.
    fn is_entry(&self, id: &PrefixListId, peer: &Peer) -> bool {
        let holds = |lists: &BTreeMap<PrefixListId, PrefixList>| {
            let entries = lists.get(id)?.entries.as_ref()?;
            let peers = self.among.unwrap_or_else(|| IpNet::from(self.peer));
            Some(entries.iter().any(|net| net.contains(&peers)))
        };
        if let Some(holds) = self.other.and_then(|(other, _)| holds(&other.prefix_lists)) {
            return holds;
        }
        let named = self.today.iter().any(|rule| rule.peer == *peer);
        named || self.lists.and_then(holds).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribute::world::World;
    use crate::model::SnapshotSeries;

    const CARRIED: &str = "10.0.1.8";
    const NOBODYS: &str = "198.51.100.8";

    /// An interface that carries `sg-b`, and rules by address and by reference.
    fn world() -> Snapshot {
        World::new()
            .eni("eni-2", "subnet-1", CARRIED, &["sg-b"])
            .group("by-address", &["in tcp 443 0.0.0.0/0"])
            .group("by-name", &["in tcp 443 sg-b"])
            .snapshot()
    }

    /// Whether a reference lets in what a rule of `group` did: an address, and
    /// several of which it is the first.
    fn pass(series: &SnapshotSeries, group: &str, peer: &str, elsewhere: bool) -> [bool; 2] {
        let today = &series.latest().groups[&SgId::from(group)].rules;
        let today: Vec<&SgRule> = today.iter().collect();
        let (vpc, book) = (VpcId::from("vpc-1"), Book::new(series));
        let owners = Owners::of_snapshot(series.latest());
        let named = Peer::SecurityGroup(SgId::from("sg-b"));
        let rule = (Transport::Tcp(PortRange::single(443)), &named);
        let peer: IpAddr = peer.parse().unwrap();
        [None, Some(IpNet::new(peer, 29).unwrap())].map(|among| {
            let flow = Flow {
                protocol: IpProtocol::TCP,
                service: PortRange::single(443),
                peer,
                among,
                today: &today,
                book: Some((&book, Some(&vpc))),
                lists: None,
                other: elsewhere.then_some((series.latest(), &owners)),
            };
            matches!(flow.outcome(std::iter::once(rule)), Outcome::Passes)
        })
    }

    #[test]
    fn a_reference_stands_for_several_addresses_only_where_it_did_before() {
        let series = SnapshotSeries::new(vec![world()]).unwrap();
        let pass = |group, peer, elsewhere| pass(&series, group, peer, elsewhere);
        // Who was let in by the same name goes on being let in.
        assert_eq!(pass("by-name", CARRIED, false), [true, true]);
        assert_eq!(pass("by-name", NOBODYS, false), [true, true]);
        // That the first carries the group says nothing of the others.
        assert_eq!(pass("by-address", CARRIED, false), [true, false]);
        // In another state of the cloud, others may have the addresses.
        assert_eq!(pass("by-address", CARRIED, true), [true, false]);
        assert_eq!(pass("by-name", CARRIED, true), [true, false]);
        assert_eq!(pass("by-name", NOBODYS, true), [true, false]);
    }
}
