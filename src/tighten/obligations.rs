//! What must stay allowed, sorted by who will allow it.
//!
//! A need and the rules that cover it leave, for each of these rules, the part
//! of the need's service that the rule has. Held rules go on covering theirs.
//! Of the rest, references to groups and prefix lists keep what is theirs, and
//! only what no reference covers is owed by prefixes.
//!
//! References that cover each other cannot all go, and need not all stay: the
//! fewest stay that surely know everybody. What a reference is not sure to know
//! at all times, prefixes go on owing beside it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::attribute::hitting;
use crate::attribute::needs::Need;
use crate::model::Peer;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::address_bits;

/// Everything owed in one direction of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Obligations {
    /// By reference and protocol.
    pub(crate) labels: BTreeMap<(Peer, IpProtocol), Owed>,
    /// By family and protocol.
    pub(crate) cidrs: BTreeMap<(Family, IpProtocol), Wanted>,
}

/// What a reference must go on allowing of one protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Of protocols with ports; neither sorted nor apart.
    pub(crate) ranges: Vec<PortRange>,
    /// Of the others: transports, whole.
    pub(crate) scopes: BTreeSet<Transport>,
}

/// What prefixes must go on allowing of one family and protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Addresses by known port, neither sorted nor distinct.
    pub(crate) points: BTreeMap<u16, Vec<u128>>,
    /// Ports that are known to lie in a range only, by address.
    pub(crate) spans: BTreeMap<u128, PortSet>,
    /// Addresses by transport, for protocols without ports.
    pub(crate) scopes: BTreeMap<Transport, Vec<u128>>,
}

/// Whether a reference knows a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knows {
    /// At all times, on every way that was seen.
    Surely,
    /// It did, and nothing is known against it.
    Presumably,
    /// Not at all times.
    Not,
}

/// What is asked of the rules.
pub(crate) struct Asked<'a> {
    /// Rules of the direction.
    pub(crate) rules: &'a BTreeMap<&'a SgRuleId, &'a SgRule>,
    /// Whether a rule may be changed.
    pub(crate) is_free: &'a dyn Fn(&SgRuleId) -> bool,
    /// Whether the reference of a rule knows a peer.
    pub(crate) knows: &'a dyn Fn(&Peer, IpAddr) -> Knows,
}

/// The rules that cover a need, by what may be done to them.
struct Cover<'a> {
    held: Vec<&'a SgRule>,
    labels: Vec<&'a SgRule>,
    /// Of these, those that nothing is known against.
    lasting: Vec<&'a SgRule>,
    cidrs: Vec<&'a SgRule>,
}

impl Obligations {
    /// What the needs ask of the free rules.
    pub(crate) fn of(needs: &[Need], asked: &Asked<'_>) -> Obligations {
        let mut owed = Obligations::default();
        let spared = spared(needs, asked);
        for (need, mut cover) in covers(needs, asked) {
            cover.labels.retain(|rule| !spared.contains(&rule.id));
            if need.protocol.has_ports() {
                owed.add_ports(need, &cover);
            } else {
                owed.add_scopes(need, &cover);
            }
        }
        owed
    }

    fn add_ports(&mut self, need: &Need, cover: &Cover<'_>) {
        if cover.held.is_empty() && cover.labels.is_empty() && need.service.count() == 1 {
            // As nearly every need is.
            let port = need.service.from();
            let mut cidrs = cover.cidrs.iter();
            if cidrs.any(|rule| rule.transport.service().contains(port)) {
                self.wanted(need).add_point(port, address_bits(need.peer));
            }
            return;
        }
        let held = services(need, &cover.held);
        for rule in &cover.labels {
            let own = services(need, &[*rule]).difference(&held);
            if !own.is_empty() {
                let owed = self.label(rule, need.protocol);
                owed.ranges.extend_from_slice(own.ranges());
            }
        }
        let labels = services(need, &cover.lasting);
        let left = services(need, &cover.cidrs)
            .difference(&held)
            .difference(&labels);
        if !left.is_empty() {
            self.wanted(need).add_ports(&left, address_bits(need.peer));
        }
    }

    fn add_scopes(&mut self, need: &Need, cover: &Cover<'_>) {
        let held = scopes(need, &cover.held);
        for rule in &cover.labels {
            for scope in uncovered(&scopes(need, &[*rule]), &held) {
                self.label(rule, need.protocol).scopes.insert(scope);
            }
        }
        let mut covered = held;
        covered.extend(scopes(need, &cover.lasting));
        for scope in uncovered(&scopes(need, &cover.cidrs), &covered) {
            let peers = self.wanted(need).scopes.entry(scope).or_default();
            peers.push(address_bits(need.peer));
        }
    }

    fn label(&mut self, rule: &SgRule, protocol: IpProtocol) -> &mut Owed {
        self.labels
            .entry((rule.peer.clone(), protocol))
            .or_default()
    }

    fn wanted(&mut self, need: &Need) -> &mut Wanted {
        self.cidrs
            .entry((Family::of(need.peer), need.protocol))
            .or_default()
    }
}

impl Wanted {
    fn add_point(&mut self, port: u16, peer: u128) {
        self.points.entry(port).or_default().push(peer);
    }

    fn add_ports(&mut self, ports: &PortSet, peer: u128) {
        for range in ports.ranges() {
            if range.count() == 1 {
                self.add_point(range.from(), peer);
            } else {
                self.spans.entry(peer).or_default().insert(*range);
            }
        }
    }
}

/// Each need with the rules that cover it.
fn covers<'n, 'a>(
    needs: &'n [Need],
    asked: &'n Asked<'a>,
) -> impl Iterator<Item = (&'n Need, Cover<'a>)> {
    // Neighbours are nearly always covered by the same rules.
    let alike = needs.chunk_by(|a, b| a.covered_by == b.covered_by);
    alike.flat_map(move |alike| {
        let ids = alike.first().map(|need| need.covered_by.iter());
        let named = ids
            .into_iter()
            .flatten()
            .filter_map(|id| asked.rules.get(id));
        let named: Vec<_> = named
            .map(|&rule| (rule, (asked.is_free)(&rule.id)))
            .collect();
        let cover = move |need| (need, Cover::of(need, &named, asked));
        alike.iter().map(cover)
    })
}

impl<'a> Cover<'a> {
    /// What may be done to the named rules, each with whether it may be
    /// changed.
    fn of(need: &Need, named: &[(&'a SgRule, bool)], asked: &Asked<'a>) -> Cover<'a> {
        let mut cover = Cover {
            held: Vec::new(),
            labels: Vec::new(),
            lasting: Vec::new(),
            cidrs: Vec::new(),
        };
        let own = |(rule, _): &&(&SgRule, bool)| rule.transport.has_protocol(need.protocol);
        for &(rule, is_free) in named.iter().filter(own) {
            if !is_free {
                cover.held.push(rule);
                continue;
            }
            match &rule.peer {
                Peer::Cidr(net) if net.contains(&need.peer) => cover.cidrs.push(rule),
                Peer::Cidr(_) => {}
                Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
                    cover.labels.push(rule);
                    if (asked.knows)(&rule.peer, need.peer) != Knows::Not {
                        cover.lasting.push(rule);
                    }
                }
            }
        }
        cover
    }

    /// Lets go of references whose part is held without them.
    fn drop_idle(&mut self, need: &Need) {
        let held = &self.held;
        self.labels.retain(|rule| {
            if need.protocol.has_ports() {
                let own = services(need, &[*rule]);
                !own.difference(&services(need, held)).is_empty()
            } else {
                !uncovered(&scopes(need, &[*rule]), &scopes(need, held)).is_empty()
            }
        });
    }

    /// References any one of which can stand in for all of them; none where
    /// that is not sure.
    fn equals(&self, need: &Need, asked: &Asked<'_>) -> Vec<&'a SgRule> {
        let whole = |rule: &&&SgRule| {
            if need.protocol.has_ports() {
                let left = services(need, &self.labels).difference(&services(need, &self.held));
                left.difference(&services(need, &[**rule])).is_empty()
            } else {
                uncovered(&scopes(need, &self.labels), &scopes(need, &[**rule])).is_empty()
            }
        };
        let sure = |rule: &&&SgRule| (asked.knows)(&rule.peer, need.peer) == Knows::Surely;
        self.labels
            .iter()
            .filter(sure)
            .filter(whole)
            .copied()
            .collect()
    }
}

/// Free references that may all go: others that stay know everybody whom they
/// let through.
fn spared<'a>(needs: &[Need], asked: &Asked<'a>) -> BTreeSet<&'a SgRuleId> {
    let mut all: BTreeSet<&SgRuleId> = BTreeSet::new();
    let refers = |rule: &&&SgRule| !matches!(rule.peer, Peer::Cidr(_));
    if !asked.rules.values().any(|rule| refers(&rule)) {
        return all;
    }
    let mut staying: BTreeSet<&SgRuleId> = BTreeSet::new();
    let mut demands: BTreeSet<Vec<&SgRuleId>> = BTreeSet::new();
    for (need, mut cover) in covers(needs, asked) {
        cover.drop_idle(need);
        all.extend(cover.labels.iter().map(|rule| &rule.id));
        let mut equals: Vec<_> = cover
            .equals(need, asked)
            .iter()
            .map(|rule| &rule.id)
            .collect();
        if equals.is_empty() || cover.labels.len() == 1 {
            staying.extend(cover.labels.iter().map(|rule| &rule.id));
        } else {
            equals.sort_unstable();
            demands.insert(equals);
        }
    }
    demands.retain(|equals| !equals.iter().any(|id| staying.contains(id)));
    staying.extend(hitting::fewest(&demands));
    all.retain(|id| !staying.contains(id));
    all
}

/// The part of the need's ports that the rules have.
fn services(need: &Need, rules: &[&SgRule]) -> PortSet {
    rules
        .iter()
        .filter_map(|rule| rule.transport.service().intersection(need.service))
        .collect()
}

/// The transports of the need's own protocol that the rules have. What a log
/// does not tell (ICMP type and code) is kept whole.
fn scopes(need: &Need, rules: &[&SgRule]) -> BTreeSet<Transport> {
    let own = |rule: &&SgRule| match rule.transport {
        Transport::All => Transport::of(need.protocol, PortRange::ALL),
        named @ (Transport::Tcp(_)
        | Transport::Udp(_)
        | Transport::Icmp(_)
        | Transport::Icmpv6(_)
        | Transport::Other(_)) => named,
    };
    rules
        .iter()
        .filter(|rule| rule.transport.service().overlaps(need.service))
        .map(own)
        .collect()
}

/// Of the first, those that lie neither in one of the second nor in a wider
/// one of their own.
fn uncovered(scopes: &BTreeSet<Transport>, by: &BTreeSet<Transport>) -> Vec<Transport> {
    let wider = |scope: &Transport, other: &Transport| {
        scope != other && other.service().covers(scope.service())
    };
    let covered: PortSet = by.iter().map(|scope| scope.service()).collect();
    scopes
        .iter()
        .filter(|scope| !covered.covers(scope.service()))
        .filter(|scope| !scopes.iter().any(|other| wider(scope, other)))
        .copied()
        .collect()
}
