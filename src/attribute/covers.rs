//! Coverings by the rules that make them: conversations by the thousand share
//! one, so it is worked out once, and what they earn is added up beside it.
//!
//! It says what [`cover`](crate::attribute::cover) says, which stays as its plain
//! twin: the tests hold one against the other.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use crate::attribute::cover::Covering;
use crate::attribute::cover::Question;
use crate::attribute::cover::Rules;
use crate::attribute::matching::Fit;
use crate::attribute::merge::Decision;
use crate::attribute::needs::RuleRef;
use crate::attribute::panel::Fitting;
use crate::attribute::panel::Panel;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::Tally;
use crate::attribute::usage::Uses;
use crate::attribute::why::Passage;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::SgRuleId;

/// Rules that covered a question, and what the conversations that asked it
/// earned.
#[derive(Debug)]
pub struct Cover {
    /// The rules that let it through.
    pub covering: Covering,
    /// What stops it, where rules may do that.
    pub stopping: Option<Stopping>,
    /// Whether any candidate could let it through.
    pub feasible: bool,
    /// The rules to be kept for it: those that surely cover it, or, where none
    /// does, those that may. Sorted.
    pub retained: Arc<[RuleRef]>,
    /// What was earned.
    pub tally: RefCell<Tally>,
}

/// What stops a question where more than the lack of a rule may.
#[derive(Debug)]
pub struct Stopping {
    /// The rules that drop it.
    pub covering: Covering,
    /// What becomes of it by the time's own snapshot.
    pub passage: Passage,
    /// What becomes of it there if members pass by the default alone.
    pub by_list: Passage,
    /// Rules that surely drop it there, with their ranks, strongest first.
    pub dropping: Vec<(SgRuleId, Option<u16>)>,
    /// Rules that would let it through there, had no stronger one dropped it.
    pub overruled: Vec<SgRuleId>,
    /// Of these, the rules of today.
    against: BTreeSet<RuleIndex>,
    /// What rejected conversations earned.
    pub tally: RefCell<Tally>,
}

/// Coverings by the rules that make them.
#[derive(Debug, Default)]
pub struct Covers {
    known: HashMap<Box<[u64]>, Rc<Cover>>,
    /// The same, in the order in which they were met.
    all: Vec<Rc<Cover>>,
    key: Vec<u64>,
}

impl Covers {
    /// What covered a question at a panel.
    pub fn ask(
        &mut self,
        panel: &Panel<'_>,
        question: &Question<'_>,
        table: &RuleTable<'_>,
    ) -> Rc<Cover> {
        let way = u64::from(question.direction == Direction::Egress);
        let fitting = panel.fit(question);
        self.key.clear();
        self.key.push(panel.number << 1 | way);
        self.key.extend_from_slice(&fitting.sure);
        self.key.extend_from_slice(&fitting.possible);
        self.key
            .extend(fitting.members.iter().map(|fit| *fit as u64));
        // Which rule could stand in for which depends on the services, unless
        // each covers all of them.
        if fitting.partly {
            let services = question.services.iter();
            let bounds =
                services.map(|range| u64::from(range.from()) << 16 | u64::from(range.to()));
            self.key.extend(bounds);
            let sources = question.sources.iter();
            let bounds = sources.map(|range| u64::from(range.from()) << 16 | u64::from(range.to()));
            self.key.extend(bounds);
        }
        if let Some(cover) = self.known.get(self.key.as_slice()) {
            return Rc::clone(cover);
        }
        let cover = Rc::new(Cover::new(panel, question, &fitting, table));
        self.known
            .insert(self.key.clone().into_boxed_slice(), Rc::clone(&cover));
        self.all.push(Rc::clone(&cover));
        cover
    }

    /// Credits every rule with what was earned.
    #[must_use]
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        for cover in &self.all {
            uses.settle(&cover.covering, &cover.tally.borrow());
            if let Some(stopping) = &cover.stopping {
                let tally = stopping.tally.borrow();
                uses.settle(&stopping.covering, &tally);
                uses.overrule(&stopping.against, &tally);
            }
        }
        uses
    }
}

impl Cover {
    fn new(
        panel: &Panel<'_>,
        question: &Question<'_>,
        fitting: &Fitting,
        table: &RuleTable<'_>,
    ) -> Cover {
        let (mut sure, mut possible) = (&fitting.sure[..], &fitting.possible[..]);
        let mut found = Covering::default();
        let mut stopping: Option<Stopping> = None;
        let mut feasible = false;
        for (at, seat) in panel.seats.iter().enumerate() {
            let members = fitting.members.get(at).copied().unwrap_or(Fit::None);
            let decision = seat.decide(question, &mut sure, &mut possible, members);
            feasible |= decision.may_pass() || seat.unknown_group;
            let unwritten = decision.passing_unwritten();
            let (lacks, services) = (seat.unknown_group, question.services);
            found.add(&decision.allow, unwritten, lacks, services, table);
            if panel.contested {
                let stopping = stopping.get_or_insert_with(|| Stopping::new(&decision, table));
                let unwritten = decision.stopping_unwritten();
                let covering = &mut stopping.covering;
                covering.add(&decision.drop, unwritten, lacks, services, table);
            }
        }
        found.close();
        if let Some(stopping) = &mut stopping {
            stopping.covering.close();
        }
        Cover {
            feasible,
            retained: retained(&found, table),
            covering: found,
            stopping,
            tally: RefCell::default(),
        }
    }
}

impl Stopping {
    fn new(decision: &Decision<'_>, table: &RuleTable<'_>) -> Stopping {
        let overruled = &decision.allow.outranked;
        let today = overruled.iter();
        let today = today.filter_map(|(group, rule)| table.find(&group.id, rule));
        Stopping {
            against: today.collect(),
            covering: Covering::default(),
            passage: decision.passage(),
            by_list: decision.by_list(),
            dropping: ranked(&decision.drop.sure),
            overruled: ranked(overruled).into_iter().map(|(id, _)| id).collect(),
            tally: RefCell::default(),
        }
    }

    /// Whether it is undecided only for where the intra-group policy stands, so
    /// that a REJECT shows which reading holds.
    #[must_use]
    pub fn is_settled_by_reject(&self) -> bool {
        self.passage == Passage::Undecided
            && self.by_list == Passage::Blocked
            && self.covering.rules > 0
    }
}

fn ranked(rules: &Rules<'_>) -> Vec<(SgRuleId, Option<u16>)> {
    let mut ranked: Vec<_> = rules
        .iter()
        .map(|(_, rule)| (rule.id.clone(), rule.priority))
        .collect();
    ranked.sort_by(|one, other| (one.1, &one.0).cmp(&(other.1, &other.0)));
    ranked
}

/// Rules that may match are retained only where none surely does: they cannot
/// be relied on to carry it alone.
fn retained(covering: &Covering, table: &RuleTable<'_>) -> Arc<[RuleRef]> {
    let rules = if covering.sure.is_empty() {
        &covering.possible
    } else {
        &covering.sure
    };
    rules
        .iter()
        .filter_map(|rule| table.reference(*rule))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::attribute::cover;
    use crate::attribute::cover::Candidate;
    use crate::attribute::matching;
    use crate::attribute::matching::Ask;
    use crate::attribute::scene::Scene;
    use crate::attribute::world::World;
    use crate::model::Effect;
    use crate::model::EniId;
    use crate::model::GroupPolicy;
    use crate::model::Peer;
    use crate::model::Snapshot;
    use crate::net::IpProtocol;
    use crate::net::PortRange;

    const PEERS: [&str; 9] = [
        "0.0.0.0/0",
        "::/0",
        "10.0.0.0/8",
        "10.0.1.0/24",
        "10.0.1.7/32",
        "2001:db8::/32",
        "sg-a",
        "sg-elsewhere",
        "pl-known",
    ];
    const SERVICES: [&str; 6] = [
        "tcp 443",
        "tcp 400-500",
        "tcp 0-65535",
        "udp 53",
        "all -",
        "47 -",
    ];
    const ADDRESSES: [&str; 7] = [
        "10.0.1.7",
        "10.0.1.8",
        "10.0.2.9",
        "10.0.2.77",
        "203.0.113.5",
        "2001:db8::5",
        "10.0.1.6",
    ];

    /// A group's rules as a test writes them.
    fn rules() -> impl Strategy<Value = Vec<String>> {
        let way = prop::sample::select(vec!["in", "out"]);
        let peers = [&PEERS[..], &["sg-b", "pl-unknown"]].concat();
        let parts = (
            way,
            prop::sample::select(&SERVICES[..]),
            prop::sample::select(peers),
        );
        let rule = parts.prop_map(|(way, service, peer)| format!("{way} {service} {peer}"));
        prop::collection::btree_set(rule, 0..70).prop_map(|all| all.into_iter().collect())
    }

    /// Two groups at hand, one that the snapshot lacks: which of them this
    /// interface carries, and which the peer's.
    fn carried() -> impl Strategy<Value = Vec<&'static str>> {
        prop::sample::subsequence(vec!["sg-a", "sg-b", "sg-gone"], 1..=2)
    }

    fn texts(rules: &[String]) -> Vec<&str> {
        rules.iter().map(String::as_str).collect()
    }

    fn snapshot(a: &[String], b: &[String], own: &[&str], peer: &[&str]) -> Snapshot {
        World::new()
            .eni("eni-1", "subnet-1", "10.0.1.6", own)
            .eni("eni-2", "subnet-1", "10.0.1.7", peer)
            .eni("eni-3", "subnet-2", "10.0.2.9", &["sg-b"])
            .eni("eni-4", "subnet-2", "10.0.2.9", peer)
            .group("sg-a", &texts(a))
            .group("sg-b", &texts(b))
            .prefix_list("pl-known", &["203.0.113.0/24"])
            .snapshot()
    }

    /// Gives every rule a rank and every fourth a Drop, and groups a policy.
    fn rank(snapshot: &mut Snapshot) {
        for (at, group) in Arc::make_mut(&mut snapshot.groups).values_mut().enumerate() {
            group.policy = GroupPolicy {
                ranked: true,
                egress_default: Effect::Allow,
                members_talk: at == 0,
                ..GroupPolicy::default()
            };
            for (rule, number) in group.rules.iter_mut().zip(0_u16..) {
                rule.priority = Some(number * 7 % 5);
                if number % 4 == 1 {
                    rule.effect = Effect::Drop;
                }
                if number % 5 == 2 {
                    rule.limits.source_ports = PortRange::new(1_000, 2_000);
                }
            }
        }
    }

    fn question() -> impl Strategy<Value = (Direction, IpProtocol, Vec<PortRange>, IpAddr)> {
        let protocols = [6, 17, 1, 47].map(IpProtocol);
        let port = prop::sample::select(vec![0, 52, 53, 399, 400, 443, 500, 501, 65_535_u16]);
        let range = (port.clone(), port)
            .prop_map(|(one, other)| PortRange::new(one.min(other), one.max(other)).unwrap());
        (
            prop::sample::select(&Direction::BOTH[..]),
            prop::sample::select(protocols.to_vec()),
            prop::collection::vec(range, 1..3),
            prop::sample::select(&ADDRESSES[..]).prop_map(|text| text.parse().unwrap()),
        )
    }

    /// The strongest fit in the first snapshot, found plainly.
    fn strongest(question: &Question<'_>, own: &Candidate<'_>) -> (Fit, bool) {
        let peer = own.scene.peer(question.peer, own.eni);
        let ask = Ask {
            local: own.eni,
            direction: question.direction,
            protocol: question.protocol,
            services: question.services,
            sources: question.sources,
            peer: &peer,
        };
        let fits = matching::covering(own.eni, &ask, own.scene);
        let strongest = fits.iter().map(|fit| fit.2).max().unwrap_or(Fit::None);
        let mut whole = fits.iter().filter(|fit| fit.2 == Fit::Whole);
        let references = whole.all(|fit| matches!(fit.1.peer, Peer::SecurityGroup(_)));
        (strongest, references && strongest == Fit::Whole)
    }

    proptest! {
        #[test]
        fn coverings_are_those_found_plainly(
            (a, b, later) in (rules(), rules(), rules()),
            (own, peer) in (carried(), carried()),
            questions in prop::collection::vec(question(), 1..40),
            ranked in any::<bool>(),
        ) {
            let mut snapshots = [snapshot(&a, &b, &own, &peer), snapshot(&later, &b, &own, &peer)];
            if ranked {
                snapshots.iter_mut().for_each(rank);
            }
            let scenes = snapshots.each_ref().map(Scene::new);
            let interface = EniId::parse("eni-1").unwrap();
            let candidates: Vec<Candidate<'_>> = scenes
                .iter()
                .map(|scene| Candidate { scene, eni: &scene.snapshot.enis[&interface] })
                .collect();
            let table = RuleTable::new(&snapshots[1]);
            let panel = Panel::new(0, candidates.clone());
            let mut covers = Covers::default();
            for (direction, protocol, services, peer) in &questions {
                let question = Question {
                    direction: *direction,
                    protocol: *protocol,
                    services,
                    sources: &[],
                    peer: *peer,
                };
                let found = covers.ask(&panel, &question, &table);
                let [passing, stopping] = cover::covering(&question, &candidates, &table);
                prop_assert_eq!(&found.covering, &passing);
                if let Some(found) = &found.stopping {
                    let (decision, _) = cover::decided_at(&question, &candidates[0]);
                    prop_assert_eq!(&found.covering, &stopping);
                    prop_assert_eq!(found.passage, decision.passage());
                }
                prop_assert_eq!(found.feasible, cover::feasible(&question, &candidates));
                prop_assert_eq!(panel.strongest(&question), strongest(&question, &candidates[0]));
            }
        }
    }
}
