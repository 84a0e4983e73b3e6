//! Packets that merged lists tell apart, and what becomes of them.
//!
//! Rules of two states cut addresses and services into pieces within which
//! every packet fares alike. One of each is asked; the first that passes after
//! and not before is the witness. Beside today's members, a group may get any
//! address of its VPC, and a list without known entries may hold any: such a
//! far side is asked for by name.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::AddressSet;
use crate::net::IpProtocol;
use crate::tighten::proof::contain::Packet;
use crate::tighten::proof::contain::PacketPeer;
use crate::tighten::proof::ranked::rank;
use crate::tighten::proof::service::Service;

/// Port lists that are told apart. Of more, each is held at its worst.
const TOLD_APART: usize = 6;

/// A state of the cloud, as far as rules name it.
#[derive(Debug)]
pub(super) struct World<'a> {
    /// All groups.
    pub groups: &'a BTreeMap<SgId, SecurityGroup>,
    /// Addresses of the interfaces that carry each.
    pub members: BTreeMap<&'a SgId, AddressSet>,
    /// Prefix lists.
    pub lists: &'a BTreeMap<PrefixListId, PrefixList>,
}

impl<'a> World<'a> {
    fn list(&self, id: &PrefixListId) -> Option<&'a [IpNet]> {
        self.lists.get(id)?.entries.as_deref()
    }

    fn is(&self, peer: &Peer, far: &Far<'_>) -> bool {
        match peer {
            Peer::Cidr(net) => net.contains(&far.address),
            Peer::SecurityGroup(id) => match far.name {
                Some(Name::Member(group)) => id == group,
                Some(Name::Entry(_)) | None => self.has(id, far.address),
            },
            Peer::PrefixList(id) => {
                let named = matches!(far.name, Some(Name::Entry(list)) if list == id);
                let mut entries = self.list(id).unwrap_or_default().iter();
                named || entries.any(|net| net.contains(&far.address))
            }
        }
    }

    fn has(&self, group: &SgId, address: IpAddr) -> bool {
        let members = self.members.get(group);
        members.is_some_and(|members| members.contains(address))
    }
}

/// A far side.
#[derive(Clone, Copy, Debug)]
struct Far<'a> {
    address: IpAddr,
    name: Option<Name<'a>>,
}

/// Whom it stands for beside its address.
#[derive(Clone, Copy, Debug)]
enum Name<'a> {
    /// A member that is yet to come.
    Member(&'a SgId),
    /// An entry of a list that is not known.
    Entry(&'a PrefixListId),
}

impl Far<'_> {
    /// The readings of the intra-group policy that it is asked in. Whoever is yet
    /// to come is reached as today's members are.
    fn policies(&self) -> &'static [Policy] {
        match (self.address, self.name) {
            (IpAddr::V6(_), None) => &[Policy::First, Policy::Last, Policy::Never],
            (IpAddr::V4(_) | IpAddr::V6(_), _) => &[Policy::First, Policy::Last],
        }
    }

    fn told(&self) -> PacketPeer {
        match self.name {
            None => PacketPeer::Address(self.address),
            Some(Name::Member(group)) => PacketPeer::Member(group.clone()),
            Some(Name::Entry(list)) => PacketPeer::Entry(list.clone()),
        }
    }
}

/// The merged list of one kind of interface in one state and direction.
#[derive(Debug)]
struct List<'a> {
    world: &'a World<'a>,
    rules: Vec<(&'a SecurityGroup, &'a SgRule)>,
    /// Groups whose members are let in without a rule.
    labels: Vec<&'a SgId>,
    /// The group by whose type goes out what no rule matches, if it does.
    open: Option<&'a SgId>,
}

/// What lets a packet through.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// A rule of a group.
    Rule(&'a SecurityGroup, &'a SgRule),
    /// Membership.
    Membership(&'a SgId),
    /// The default of the group's type.
    Default(&'a SgId),
}

/// The same, a rule by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why<'a> {
    Rule(usize),
    Membership(&'a SgId),
    Default(&'a SgId),
}

/// Where the intra-group policy stands among rules, of which the documentation
/// says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policy {
    First,
    Last,
    /// Addresses of IPv6 need not be what it calls private.
    Never,
}

impl<'a> List<'a> {
    fn of(world: &'a World<'a>, groups: &'a [SgId], direction: Direction) -> List<'a> {
        let known = groups.iter().filter_map(|id| world.groups.get(id));
        let known: Vec<&SecurityGroup> = known.collect();
        let rules = known.iter().flat_map(|group| {
            let rules = group.rules_of(direction);
            rules.map(|rule| (*group, rule))
        });
        let mut rules: Vec<(&SecurityGroup, &SgRule)> = rules.collect();
        rules.sort_by_key(|(group, rule)| (rank(rule), &group.id, &rule.id));
        let talk = known
            .iter()
            .filter(|group| group.policy.members_talk && direction == Direction::Ingress);
        let lets_out =
            |group: &&&SecurityGroup| group.policy.default_effect(direction) == Effect::Allow;
        let open = known.len() == groups.len() && known.iter().all(|group| lets_out(&group));
        List {
            world,
            labels: talk.map(|group| &group.id).collect(),
            open: known.first().filter(|_| open).map(|group| &group.id),
            rules,
        }
    }

    /// Which of its rules are for the far side, by their places, and the label
    /// that lets it in.
    fn admits(&self, far: &Far<'_>) -> (Vec<usize>, Option<&'a SgId>) {
        let rules = self.rules.iter().enumerate();
        let rules = rules.filter(|(_, (_, rule))| self.world.is(&rule.peer, far));
        let rules = rules.map(|(at, _)| at);
        let mut labels = self.labels.iter().copied();
        let label = labels.find(|label| match far.name {
            Some(Name::Member(group)) => group == *label,
            Some(Name::Entry(_)) | None => self.world.has(label, far.address),
        });
        (rules.collect(), label)
    }

    fn serves(&self, protocol: IpProtocol, point: u16) -> Vec<bool> {
        let holds = |(_, rule): &(_, &SgRule)| {
            let own = Service::of(rule.transport, protocol);
            own.is_some_and(|own| own.low <= point && point <= own.high)
        };
        self.rules.iter().map(holds).collect()
    }

    fn by(&self, why: Why<'a>) -> Option<By<'a>> {
        Some(match why {
            Why::Rule(at) => {
                let (group, rule) = self.rules.get(at)?;
                By::Rule(group, rule)
            }
            Why::Membership(label) => By::Membership(label),
            Why::Default(group) => By::Default(group),
        })
    }

    /// What lets the packet through; `limits` says whether a rule's limits hold.
    fn passes(
        &self,
        (admits, label): &(Vec<usize>, Option<&'a SgId>),
        serves: &[bool],
        limits: impl Fn(&SgRule) -> bool,
        policy: Policy,
    ) -> Option<Why<'a>> {
        let by_label = label.map(Why::Membership);
        if let (Some(by), Policy::First) = (by_label, policy) {
            return Some(by);
        }
        let asked = admits.iter().filter(|at| serves.get(**at) == Some(&true));
        let asked = asked.filter_map(|at| Some((*at, self.rules.get(*at)?.1)));
        let mut matching = asked.filter(|(_, rule)| rule.limits.is_empty() || limits(rule));
        match matching.next() {
            Some((at, rule)) => (rule.effect == Effect::Allow).then_some(Why::Rule(at)),
            None => by_label
                .filter(|_| policy == Policy::Last)
                .or(self.open.map(Why::Default)),
        }
    }
}

/// Two merged lists, and the packets that they tell apart.
#[derive(Debug)]
pub(super) struct Packets<'a> {
    before: List<'a>,
    after: List<'a>,
    /// Ranges of the VPC; none where they are not known.
    vpc: &'a [IpNet],
}

/// Which limits hold; `None` where that is not told apart.
type Held<'a> = BTreeMap<&'a Limits, Option<bool>>;

/// Which rules of both lists are for a far side.
type Answer<'a> = [(Vec<usize>, Option<&'a SgId>); 2];

impl<'a> Packets<'a> {
    /// Of interfaces that carry one set of groups before, another after.
    pub(super) fn new(
        [before, after]: [&'a World<'a>; 2],
        [old, new]: [&'a [SgId]; 2],
        direction: Direction,
        vpc: &'a [IpNet],
    ) -> Packets<'a> {
        Packets {
            before: List::of(before, old, direction),
            after: List::of(after, new, direction),
            vpc,
        }
    }

    /// Packets that pass after and not before, with what lets them through; of
    /// each that does, the first.
    pub(super) fn opened(&self) -> Vec<(By<'a>, Packet)> {
        let services = self.services();
        let mut ways: HashMap<BTreeSet<&Limits>, Rc<[Held<'_>]>> = HashMap::default();
        let mut known: BTreeSet<Why<'_>> = BTreeSet::new();
        let mut opened: Vec<(By<'_>, Packet)> = Vec::new();
        for (far, answer) in self.far_sides() {
            for (protocol, point, serves) in &services {
                let limits = self.limits(&answer, serves);
                let held = ways
                    .entry(limits)
                    .or_insert_with_key(|limits| told_apart(limits));
                for why in self.newly(&answer, serves, held, far.policies()) {
                    let by = self.after.by(why).filter(|_| known.insert(why));
                    let packet = Packet {
                        protocol: *protocol,
                        service: *point,
                        peer: far.told(),
                    };
                    opened.extend(by.map(|by| (by, packet)));
                }
            }
        }
        opened
    }

    /// What lets a packet through that nothing does before, however limits hold
    /// and wherever the policy stands.
    fn newly(
        &self,
        [old, new]: &Answer<'a>,
        [serves, serves_then]: &[Vec<bool>; 2],
        held: &[Held<'a>],
        policies: &[Policy],
    ) -> BTreeSet<Why<'a>> {
        let ways = held
            .iter()
            .flat_map(|held| policies.iter().map(move |policy| (held, *policy)));
        let newly = ways.filter_map(|(held, policy)| {
            let holds = |rule: &SgRule, worst: Effect| {
                let known = held.get(&rule.limits).copied().flatten();
                known.unwrap_or(rule.effect == worst)
            };
            let before = |rule: &SgRule| holds(rule, Effect::Drop);
            if self.before.passes(old, serves, before, policy).is_some() {
                return None;
            }
            let after = |rule: &SgRule| holds(rule, Effect::Allow);
            self.after.passes(new, serves_then, after, policy)
        });
        newly.collect()
    }

    /// What rules of both lists ask of one packet beside whom and what it is.
    fn limits(&self, answer: &Answer<'a>, serves: &[Vec<bool>; 2]) -> BTreeSet<&'a Limits> {
        let lists = [&self.before, &self.after];
        let asked = lists.into_iter().zip(answer.iter().zip(serves));
        let limits = asked.flat_map(|(list, ((admits, _), serves))| {
            let asked = admits.iter().filter(|at| serves.get(**at) == Some(&true));
            asked.filter_map(|at| Some(&list.rules.get(*at)?.1.limits))
        });
        limits.filter(|limits| !limits.is_empty()).collect()
    }

    fn rules(&self) -> impl Iterator<Item = &'a SgRule> {
        let both = self.before.rules.iter().chain(&self.after.rules);
        both.map(|(_, rule)| *rule)
    }

    /// One service of each kind, with the rules of both lists that it matches.
    fn services(&self) -> Vec<(IpProtocol, u16, [Vec<bool>; 2])> {
        let usual = [IpProtocol::TCP, IpProtocol::UDP, IpProtocol::ICMP];
        let named = self.rules().filter_map(|rule| rule.transport.protocol());
        let mut protocols: BTreeSet<IpProtocol> = named.chain(usual).collect();
        let other = (0..=u8::MAX).rev().map(IpProtocol);
        let other = { other }.find(|protocol| !protocols.contains(protocol));
        protocols.extend(other);
        let mut known: BTreeSet<(IpProtocol, [Vec<bool>; 2])> = BTreeSet::new();
        let mut services = Vec::new();
        for protocol in protocols {
            let own = self.rules().map(|rule| rule.transport);
            let own = own.filter_map(|transport| Service::of(transport, protocol));
            let edges = own.flat_map(|own| [Some(own.low), own.high.checked_add(1)]);
            let points: BTreeSet<u16> = edges.flatten().chain([0]).collect();
            for point in points {
                let serves = [&self.before, &self.after].map(|list| list.serves(protocol, point));
                if known.insert((protocol, serves.clone())) {
                    services.push((protocol, point, serves));
                }
            }
        }
        services
    }

    /// One far side of each kind, with the rules of both lists that are for it.
    fn far_sides(&self) -> Vec<(Far<'a>, Answer<'a>)> {
        let points = self.points();
        let anyone = points.iter().map(|address| Far {
            address: *address,
            name: None,
        });
        let within = |address: &&IpAddr| {
            self.vpc.is_empty() || self.vpc.iter().any(|net| net.contains(*address))
        };
        let members = self.named_groups().into_iter().flat_map(|group| {
            let inside = points.iter().filter(within);
            inside.map(move |address| Far {
                address: *address,
                name: Some(Name::Member(group)),
            })
        });
        let entries = self.unknown_lists().into_iter().flat_map(|list| {
            points.iter().map(move |address| Far {
                address: *address,
                name: Some(Name::Entry(list)),
            })
        });
        let mut known: BTreeSet<(bool, Answer<'_>)> = BTreeSet::new();
        let mut sides = Vec::new();
        for far in anyone.chain(members).chain(entries) {
            let answer = [self.before.admits(&far), self.after.admits(&far)];
            if known.insert((far.address.is_ipv4(), answer.clone())) {
                sides.push((far, answer));
            }
        }
        sides
    }

    /// Where stretches of addresses that rules tell apart begin.
    fn points(&self) -> BTreeSet<IpAddr> {
        let own = self.vpc.iter().copied();
        let mut nets: BTreeSet<IpNet> = everything().into_iter().chain(own).collect();
        let worlds = [self.before.world, self.after.world];
        for group in self.named_groups() {
            let members = worlds.iter().filter_map(|world| world.members.get(group));
            nets.extend(members.flat_map(AddressSet::prefixes));
        }
        for rule in self.rules() {
            match &rule.peer {
                Peer::Cidr(net) => nets.extend([*net]),
                Peer::SecurityGroup(_) => {}
                Peer::PrefixList(id) => {
                    let entries = worlds.iter().filter_map(|world| world.list(id));
                    nets.extend(entries.flatten());
                }
            }
        }
        edges(nets.into_iter()).collect()
    }

    /// Groups that rules name, and those whose members are let in.
    fn named_groups(&self) -> BTreeSet<&'a SgId> {
        let named = self.rules().filter_map(|rule| match &rule.peer {
            Peer::SecurityGroup(group) => Some(group),
            Peer::Cidr(_) | Peer::PrefixList(_) => None,
        });
        let labels = self.before.labels.iter().chain(&self.after.labels);
        named.chain(labels.copied()).collect()
    }

    /// Lists whose entries one of the states does not know.
    fn unknown_lists(&self) -> BTreeSet<&'a PrefixListId> {
        let lists = self.rules().filter_map(|rule| match &rule.peer {
            Peer::PrefixList(list) => Some(list),
            Peer::Cidr(_) | Peer::SecurityGroup(_) => None,
        });
        let worlds = [self.before.world, self.after.world];
        lists
            .filter(|list| worlds.iter().any(|world| world.list(list).is_none()))
            .collect()
    }
}

/// The ways in which limits hold together: by the port that a connection comes
/// from, by the own address it is for, by what each list may hold.
fn told_apart<'a>(limits: &BTreeSet<&'a Limits>) -> Rc<[Held<'a>]> {
    let sources = limits.iter().filter_map(|limits| limits.source_ports);
    let sources = sources.flat_map(|ports| [Some(ports.from()), ports.to().checked_add(1)]);
    let sources: BTreeSet<u16> = sources.flatten().chain([0]).collect();
    let locals = limits.iter().filter_map(|limits| limits.local);
    let locals: BTreeSet<IpAddr> = edges(locals.chain(everything())).collect();
    let lists = limits.iter().filter_map(|limits| limits.port_list.as_ref());
    let lists: BTreeSet<&String> = lists.collect();
    let lists: Vec<&String> = lists.into_iter().collect();
    let mut ways: BTreeSet<Held<'_>> = BTreeSet::new();
    let pairs = sources
        .iter()
        .flat_map(|source| locals.iter().map(move |local| (source, local)));
    for (source, local) in pairs {
        for set in 0..1_u32 << lists.len().min(TOLD_APART) {
            let listed = |name: &String| {
                let at = lists.iter().position(|list| *list == name)?;
                (at < TOLD_APART).then_some(set >> at & 1 == 1)
            };
            let holds = |limits: &&'a Limits| {
                let own = limits.local.is_none_or(|net| net.contains(local));
                let from = limits.source_ports.is_none_or(|own| own.contains(*source));
                let listed = limits.port_list.as_ref().map_or(Some(true), listed);
                let holds = if own && from { listed } else { Some(false) };
                (*limits, holds)
            };
            ways.insert(limits.iter().map(holds).collect());
        }
    }
    ways.into_iter().collect()
}

/// Where prefixes begin, and what comes behind them does.
fn edges(nets: impl Iterator<Item = IpNet>) -> impl Iterator<Item = IpAddr> {
    let edges = nets.flat_map(|net| [Some(net.network()), next(net.broadcast())]);
    edges.flatten()
}

/// All addresses of both families.
fn everything() -> [IpNet; 2] {
    [Ipv4Net::default().into(), Ipv6Net::default().into()]
}

/// The address behind another, if there is one.
fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let next = u32::from(address).checked_add(1)?;
            Some(IpAddr::V4(next.into()))
        }
        IpAddr::V6(address) => {
            let next = u128::from(address).checked_add(1)?;
            Some(IpAddr::V6(next.into()))
        }
    }
}
