//! The snapshots that may have been in force in an era, with the groups of an
//! interface made ready, and what is known of the peer asked about last:
//! conversations come sorted by peer.

use std::cell::OnceCell;
use std::cell::Ref;
use std::cell::RefCell;
use std::net::IpAddr;

use crate::attribute::cover::Candidate;
use crate::attribute::cover::Question;
use crate::attribute::cover::Rules;
use crate::attribute::ends::peered;
use crate::attribute::index::GroupIndex;
use crate::attribute::index::SideIndex;
use crate::attribute::index::bits;
use crate::attribute::index::set;
use crate::attribute::index::take;
use crate::attribute::matching::Fit;
use crate::attribute::matching::groups_of;
use crate::attribute::matching::limits_fit;
use crate::attribute::matching::members_fit;
use crate::attribute::matching::talking;
use crate::attribute::merge::Contender;
use crate::attribute::merge::Decision;
use crate::attribute::merge::Ground;
use crate::attribute::scene::PeerFacts;
use crate::attribute::scene::in_subnet_of;
use crate::attribute::strangers::Strangers;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::GroupPolicy;
use crate::model::NetworkAcl;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::model::vpc::Subnet;

/// The snapshots that may have been in force in an era, with the groups of the
/// interface made ready.
#[derive(Debug)]
pub struct Panel<'a> {
    /// Tells the panels of an interface apart.
    pub number: u64,
    candidates: Vec<Candidate<'a>>,
    /// One a candidate.
    pub seats: Vec<Seat<'a>>,
    /// Whether more than rules of one rank that allow decides at some seat.
    pub contested: bool,
    /// Whether some rule asks for the opener's port.
    pub asks_sources: bool,
    /// Load balancers that may bring connections in their clients' names.
    balancers: OnceCell<Balancers<'a>>,
    strangers: OnceCell<Option<Strangers>>,
    asked: RefCell<Asked<'a>>,
}

/// The groups of one candidate.
#[derive(Clone, Debug)]
pub struct Seat<'a> {
    /// Those the snapshot has.
    pub groups: Vec<(&'a SecurityGroup, &'a GroupIndex)>,
    /// Whether the snapshot lacks one.
    pub unknown_group: bool,
    /// The interface.
    local: &'a Eni,
    /// Groups whose members reach each other without a rule.
    talking: Vec<&'a SgId>,
    /// Whether more than rules of one rank that allow decides.
    contested: bool,
    /// Whether some rule asks for more than transport and peer.
    limited: bool,
    /// The interface's subnet.
    subnet: Option<&'a Subnet>,
    /// The ACL of that subnet.
    acl: Option<&'a NetworkAcl>,
}

/// The rules of all seats, one behind the other, that fit a question: those
/// of one direction, as rows of bits.
#[derive(Debug, Default)]
pub struct Fitting {
    any: Vec<u64>,
    whole: Vec<u64>,
    /// Rules that match it, at least in part.
    pub sure: Vec<u64>,
    /// Rules that may match it.
    pub possible: Vec<u64>,
    /// Whether some of the sure ones match it only in part.
    pub partly: bool,
    /// How surely both ends are fellow members, by seat; none where no seat is
    /// contested.
    pub members: Vec<Fit>,
}

/// What is known of the peer asked about last.
#[derive(Debug, Default)]
struct Asked<'a> {
    peer: Option<IpAddr>,
    /// One a candidate.
    facts: Vec<PeerFacts<'a>>,
    ingress: Rows,
    egress: Rows,
    across: Option<Vec<Across<'a>>>,
    fitting: Fitting,
}

/// Rules of all seats, one behind the other, whose peer the far side is.
#[derive(Debug, Default)]
struct Rows {
    ready: bool,
    sure: Vec<u64>,
    possible: Vec<u64>,
}

/// The peer's own interface, as one candidate has it, asked about one address
/// of this one.
#[derive(Debug)]
struct Across<'a> {
    seat: Seat<'a>,
    /// How surely both ends are fellow members, seen from the peer.
    members: Fit,
    ingress: Rows,
    egress: Rows,
}

/// Load balancers near the interface, asked about its addresses.
#[derive(Debug, Default)]
struct Balancers<'a> {
    guarded: Vec<Across<'a>>,
    /// Whether what one of them brings is limited by no group that is known.
    unfiltered: bool,
}

impl<'a> Panel<'a> {
    /// Prepares candidates; `number` tells the panels of an interface apart.
    #[must_use]
    pub fn new(number: u64, candidates: Vec<Candidate<'a>>) -> Panel<'a> {
        let seats: Vec<Seat<'_>> = candidates.iter().map(Seat::new).collect();
        Panel {
            number,
            contested: seats.iter().any(|seat| seat.contested),
            asks_sources: seats.iter().any(Seat::asks_sources),
            candidates,
            seats,
            balancers: OnceCell::new(),
            strangers: OnceCell::new(),
            asked: RefCell::default(),
        }
    }

    /// The candidates, the time's own first.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate<'a>] {
        &self.candidates
    }

    /// What the time's own snapshot knows of an address.
    #[must_use]
    pub fn facts(&self, peer: IpAddr) -> Option<PeerFacts<'a>> {
        self.about(peer, PeerFacts::clone)
    }

    /// What `tell` makes of what the time's own snapshot knows of an address.
    pub fn about<T>(&self, peer: IpAddr, tell: impl FnOnce(&PeerFacts<'a>) -> T) -> Option<T> {
        self.ask(peer);
        self.asked.borrow().facts.first().map(tell)
    }

    /// Sees to it that what is kept is about this peer.
    fn ask(&self, peer: IpAddr) {
        let mut asked = self.asked.borrow_mut();
        if asked.peer == Some(peer) {
            return;
        }
        asked.peer = Some(peer);
        asked.facts.clear();
        let facts = self
            .candidates
            .iter()
            .map(|own| own.scene.peer(peer, own.eni));
        asked.facts.extend(facts);
        asked.ingress.ready = false;
        asked.egress.ready = false;
        asked.across = None;
    }

    /// The rules that fit a question.
    #[must_use]
    pub fn fit(&self, question: &Question<'_>) -> Ref<'_, Fitting> {
        self.ask(question.peer);
        let mut asked = self.asked.borrow_mut();
        asked.fit(&self.seats, question);
        drop(asked);
        Ref::map(self.asked.borrow(), |asked| &asked.fitting)
    }

    /// The strongest fit among the rules of the time's own snapshot, and
    /// whether only references to groups fit so.
    #[must_use]
    pub fn strongest(&self, question: &Question<'_>) -> (Fit, bool) {
        let fitting = self.fit(question);
        let Some(seat) = self.seats.first() else {
            return (Fit::None, false);
        };
        let (mut strongest, mut by_reference, mut from) = (Fit::None, true, 0);
        for (_, index) in &seat.groups {
            let side = index.side(question.direction);
            for (at, referring) in side.referring().iter().enumerate() {
                let (fit, whole) = fitting.at(from + at);
                by_reference &= whole & !referring == 0;
                strongest = strongest.max(fit);
            }
            from += side.words();
        }
        (strongest, by_reference && strongest == Fit::Whole)
    }

    /// What was said of strangers; `None` where one answer cannot serve several,
    /// since rules earn by what they stop, or ask for more than transport and
    /// peer.
    pub(super) fn strangers(&self) -> Option<&Strangers> {
        let strangers = self.strangers.get_or_init(|| {
            let own = self.candidates.first().zip(self.seats.first());
            let plain = !self.contested && !self.seats.iter().any(|seat| seat.limited);
            let own = own.filter(|_| plain);
            own.map(|(own, seat)| Strangers::new(own, seat, self.acl()))
        });
        strangers.as_ref()
    }

    /// Whether the interface carries no group at any time in question: what
    /// passes it says nothing of rules.
    #[must_use]
    pub fn without_groups(&self) -> bool {
        let mut candidates = self.candidates.iter();
        candidates.all(|candidate| candidate.eni.groups.is_empty())
    }

    /// Whether the time's own snapshot lacks a group of the interface.
    #[must_use]
    pub fn unknown_group(&self) -> bool {
        self.seats.first().is_some_and(|seat| seat.unknown_group)
    }

    /// The ACL of the interface's subnet in the time's own snapshot.
    #[must_use]
    pub fn acl(&self) -> Option<&'a NetworkAcl> {
        self.seats.first().and_then(|seat| seat.acl)
    }

    /// [`Scene::same_subnet`](crate::attribute::scene::Scene::same_subnet) in
    /// the time's own snapshot.
    #[must_use]
    pub fn same_subnet(&self, peer: &PeerFacts<'_>) -> bool {
        let mut own = self.seats.iter().take(1);
        own.any(|seat| in_subnet_of(seat.local, seat.subnet, peer))
    }

    /// The rule part of test 4: what went both ways was let through at both
    /// ends. True where the peer's interface is not known for certain, or may
    /// have asked for a load balancer and not for this interface.
    #[must_use]
    pub fn feasible_at_peer(&self, question: &Question<'_>) -> bool {
        let by_balancer = || question.direction == Direction::Ingress && self.by_balancer(question);
        self.let_through_by_peer(question) || by_balancer()
    }

    fn let_through_by_peer(&self, question: &Question<'_>) -> bool {
        self.ask(question.peer);
        let mut asked = self.asked.borrow_mut();
        if asked.across.is_none() {
            let across = asked.facts.first().and_then(|facts| self.across(facts));
            asked.across = Some(across.unwrap_or_default());
        }
        let reverse = Question {
            direction: question.direction.reverse(),
            ..*question
        };
        let Asked {
            across, fitting, ..
        } = &mut *asked;
        let across = across.as_deref().unwrap_or_default();
        across.is_empty() || across.iter().any(|one| one.feasible(&reverse, fitting))
    }

    /// Whether a Network Load Balancer may have brought the connection with its
    /// client's address kept (ELB user guide, "Client IP preservation"): then
    /// only the balancer's own groups speak of the way to this interface.
    fn by_balancer(&self, question: &Question<'_>) -> bool {
        let balancers = self.balancers.get_or_init(|| self.find_balancers());
        let reverse = Question {
            direction: Direction::Egress,
            ..*question
        };
        let mut scratch = Fitting::default();
        let mut guarded = balancers.guarded.iter();
        balancers.unfiltered || guarded.any(|one| one.feasible(&reverse, &mut scratch))
    }

    fn find_balancers(&self) -> Balancers<'a> {
        let mut found = Balancers::default();
        for candidate in &self.candidates {
            let Candidate { scene, eni: local } = *candidate;
            let others = scene.balancers().filter(|eni| eni.id != local.id);
            for eni in others.filter(|eni| near(local, eni, scene.snapshot)) {
                let seat = Seat::new(&Candidate { scene, eni });
                // Which address of a delegated prefix was meant, logs do not say.
                found.unfiltered |=
                    seat.groups.is_empty() || seat.unknown_group || !local.prefixes.is_empty();
                let addresses = local.addresses.iter();
                let asked =
                    addresses.map(|address| Across::new(seat.clone(), &own_facts(*address, local)));
                found.guarded.extend(asked);
            }
        }
        found
    }

    /// The peer's interface, asked about each address of this one in each
    /// candidate; `None` where it is not known for certain, or nothing that it
    /// would say counts.
    fn across(&self, facts: &PeerFacts<'a>) -> Option<Vec<Across<'a>>> {
        let own = self.candidates.first()?;
        let [owner] = facts.owners.as_slice() else {
            return None;
        };
        let local = own.eni;
        // Across a peering packets keep their addresses (VPC peering guide);
        // from elsewhere, somebody unknown may have the same ones.
        let joined = match (&local.vpc_id, &owner.vpc_id) {
            (Some(one), Some(other)) => one == other || peered(one, other, own.scene.snapshot),
            (one, other) => one == other,
        };
        let tells =
            !owner.groups.is_empty() && joined && owner.id != local.id && local.prefixes.is_empty();
        if !tells {
            return None;
        }
        let mut all = Vec::new();
        for candidate in &self.candidates {
            let eni = candidate.scene.snapshot.enis.get(&owner.id)?;
            let seat = Seat::new(&Candidate {
                scene: candidate.scene,
                eni,
            });
            if seat.unknown_group {
                return None;
            }
            // Which of its addresses the interface used, the peer's rules saw.
            for address in &local.addresses {
                let facts = candidate.scene.peer(*address, eni);
                all.push(Across::new(seat.clone(), &facts));
            }
        }
        Some(all)
    }
}

/// What others know of an address that is this interface's for certain.
fn own_facts(address: IpAddr, eni: &Eni) -> PeerFacts<'_> {
    PeerFacts {
        address,
        owners: vec![eni],
        lost_owner: false,
    }
}

/// Whether a load balancer may have the interface for a target: both are of
/// one VPC, or of two that an active peering joins, or nobody knows.
fn near(local: &Eni, balancer: &Eni, snapshot: &Snapshot) -> bool {
    match (&local.vpc_id, &balancer.vpc_id) {
        (Some(own), Some(other)) => own == other || peered(own, other, snapshot),
        (None | Some(_), None | Some(_)) => true,
    }
}

impl Asked<'_> {
    fn fit(&mut self, seats: &[Seat<'_>], question: &Question<'_>) {
        let way = question.direction;
        let rows = match way {
            Direction::Ingress => &mut self.ingress,
            Direction::Egress => &mut self.egress,
        };
        if !rows.ready {
            let of = seats.iter().zip(&self.facts).flat_map(|(seat, facts)| {
                let groups = seat.groups.iter();
                groups.map(move |(_, index)| (*index, facts))
            });
            rows.fill(of, way);
        }
        self.fitting.take(seats, rows, question);
        self.fitting.members.clear();
        if seats.iter().any(|seat| seat.contested) {
            let seats = seats.iter().zip(&self.facts);
            let members = seats.map(|(seat, facts)| members_fit(&seat.talking, facts, way));
            self.fitting.members.extend(members);
        }
    }
}

impl Fitting {
    fn take(&mut self, seats: &[Seat<'_>], rows: &Rows, question: &Question<'_>) {
        self.any.clear();
        self.whole.clear();
        for index in seats.iter().flat_map(Seat::indices) {
            let side = index.side(question.direction);
            let services = question.services;
            side.services(question.protocol, services, &mut self.any, &mut self.whole);
        }
        let both = |row: &'_ [u64], kept: &mut Vec<u64>| {
            kept.clear();
            kept.extend(row.iter().zip(&self.any).map(|(row, any)| row & any));
        };
        both(&rows.sure, &mut self.sure);
        both(&rows.possible, &mut self.possible);
        self.limit(seats, question);
        let mut all = self.sure.iter().zip(&self.whole);
        self.partly = all.any(|(sure, whole)| sure & !whole != 0);
    }

    /// Weakens the rules that ask for more than transport and peer.
    fn limit(&mut self, seats: &[Seat<'_>], question: &Question<'_>) {
        if !seats.iter().any(|seat| seat.limited) {
            return;
        }
        let mut from = 0;
        for seat in seats {
            for index in seat.indices() {
                let side = index.side(question.direction);
                let to = from + side.words();
                let rows = [&mut self.sure, &mut self.possible, &mut self.whole];
                let [sure, possible, whole] =
                    rows.map(|row| row.get_mut(from..to).unwrap_or_default());
                for (bit, limits) in side.limited() {
                    let fit = limits_fit(limits, seat.local, question.peer, question.sources);
                    match fit {
                        Fit::Whole => {}
                        Fit::Part => {
                            take(whole, *bit);
                        }
                        Fit::Possible => {
                            if take(sure, *bit) {
                                set(possible, *bit);
                            }
                        }
                        Fit::None => {
                            take(sure, *bit);
                            take(possible, *bit);
                        }
                    }
                }
                from = to;
            }
        }
    }

    /// The strongest fit of a word's rules, and those that match the whole.
    fn at(&self, word: usize) -> (Fit, u64) {
        let of = |row: &[u64]| row.get(word).copied().unwrap_or(0);
        let (sure, possible) = (of(&self.sure), of(&self.possible));
        let whole = sure & of(&self.whole);
        let fit = match (whole != 0, sure != 0, possible != 0) {
            (true, _, _) => Fit::Whole,
            (false, true, _) => Fit::Part,
            (false, false, true) => Fit::Possible,
            (false, false, false) => Fit::None,
        };
        (fit, whole)
    }
}

impl<'a> Seat<'a> {
    fn new(candidate: &Candidate<'a>) -> Seat<'a> {
        let (known, unknown_group) = groups_of(candidate.eni, candidate.scene);
        let ready = known
            .into_iter()
            .filter_map(|group| Some((group, candidate.scene.index(&group.id)?)));
        let subnet = candidate.eni.subnet_id.as_ref();
        let groups: Vec<(&SecurityGroup, &GroupIndex)> = ready.collect();
        let plain = GroupPolicy::default();
        let decides_more = |group: &SecurityGroup| {
            let policy = &group.policy;
            policy.ranked || policy.members_talk || policy.egress_default != plain.egress_default
        };
        let asks_more = |group: &SecurityGroup| {
            let mut rules = group.rules.iter();
            rules.any(|rule| !rule.limits.is_empty())
        };
        Seat {
            local: candidate.eni,
            talking: talking(groups.iter().map(|(group, _)| *group)),
            contested: groups.iter().any(|(group, _)| decides_more(group)),
            limited: groups.iter().any(|(group, _)| asks_more(group)),
            groups,
            unknown_group,
            subnet: candidate.scene.subnet_of(candidate.eni),
            acl: subnet.and_then(|subnet| candidate.scene.acl(subnet)),
        }
    }

    fn indices(&self) -> impl Iterator<Item = &'a GroupIndex> {
        self.groups.iter().map(|(_, index)| *index)
    }

    fn asks_sources(&self) -> bool {
        let sides = self
            .indices()
            .flat_map(|index| Direction::BOTH.map(|way| index.side(way)));
        let mut limited = sides.flat_map(SideIndex::limited);
        limited.any(|(_, limits)| limits.source_ports.is_some())
    }

    /// What is decided here of what fits: `sure` and `possible` begin with the
    /// rules of this seat and are shortened by them.
    pub fn decide(
        &self,
        question: &Question<'_>,
        sure: &mut &[u64],
        possible: &mut &[u64],
        members: Fit,
    ) -> Decision<'a> {
        let way = question.direction;
        let all = |rules: Rules<'a>, fit| {
            let rules = rules.into_iter();
            rules.map(move |(group, rule)| Contender { group, rule, fit })
        };
        // What fits in part is told from what fits wholly by its services.
        let mut contenders: Vec<Contender<'_>> = all(self.rules(way, sure), Fit::Whole).collect();
        contenders.extend(all(self.rules(way, possible), Fit::Possible));
        let groups = self.groups.iter().map(|(group, _)| *group);
        let ground = Ground::of(groups, way, members);
        Decision::of(contenders, ground, question.services, question.sources)
    }

    /// The rules of this seat in a row, which is shortened by them.
    fn rules(&self, way: Direction, row: &mut &[u64]) -> Rules<'a> {
        let mut rules = Vec::new();
        for (group, index) in &self.groups {
            let side = index.side(way);
            let (own, rest) = row.split_at_checked(side.words()).unwrap_or_default();
            let set = bits(own).filter_map(|bit| Some((*group, side.rule(bit, group)?)));
            rules.extend(set);
            *row = rest;
        }
        rules
    }
}

impl Rows {
    fn fill<'r>(
        &mut self,
        of: impl Iterator<Item = (&'r GroupIndex, &'r PeerFacts<'r>)>,
        way: Direction,
    ) {
        self.sure.clear();
        self.possible.clear();
        for (index, facts) in of {
            let side = index.side(way);
            side.peer(facts, &mut self.sure, &mut self.possible);
        }
        self.ready = true;
    }
}

impl<'a> Across<'a> {
    fn new(seat: Seat<'a>, facts: &PeerFacts<'_>) -> Across<'a> {
        let rows = |way| {
            let mut rows = Rows::default();
            rows.fill(seat.indices().map(|index| (index, facts)), way);
            rows
        };
        Across {
            ingress: rows(Direction::Ingress),
            egress: rows(Direction::Egress),
            members: members_fit(&seat.talking, facts, Direction::Ingress),
            seat,
        }
    }

    fn feasible(&self, question: &Question<'_>, scratch: &mut Fitting) -> bool {
        let rows = match question.direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        };
        scratch.take(std::slice::from_ref(&self.seat), rows, question);
        if self.seat.contested {
            let members = match question.direction {
                Direction::Ingress => self.members,
                Direction::Egress => Fit::None,
            };
            let (mut sure, mut possible) = (&scratch.sure[..], &scratch.possible[..]);
            let decision = self
                .seat
                .decide(question, &mut sure, &mut possible, members);
            return decision.may_pass();
        }
        let mut fits = scratch.sure.iter().chain(&scratch.possible);
        fits.any(|word| *word != 0)
    }
}
