//! Coverings by the rules that make them: conversations by the thousand share
//! one, so it is worked out once, and what they earn is added up beside it.
//!
//! It says what [`cover`](crate::attribute::cover) says, which stays as its plain
//! twin: the tests hold one against the other.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::attribute::cover::Covering;
use crate::attribute::cover::Question;
use crate::attribute::cover::Rules;
use crate::attribute::index::bits;
use crate::attribute::needs::RuleRef;
use crate::attribute::panel::Fitting;
use crate::attribute::panel::Panel;
use crate::attribute::panel::Seat;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::Tally;
use crate::attribute::usage::Uses;
use crate::collections::HashMap;
use crate::model::Direction;

/// Rules that covered a question, and what the conversations that asked it
/// earned.
#[derive(Debug)]
pub struct Cover {
    /// The rules.
    pub covering: Covering,
    /// Whether any candidate's rules could let it through.
    pub feasible: bool,
    /// The rules to be kept for it: those that surely cover it, or, where none
    /// does, those that may. Sorted.
    pub retained: Arc<[RuleRef]>,
    /// What was earned.
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
        // Which rule could stand in for which depends on the services, unless
        // each covers all of them.
        if fitting.partly {
            let services = question.services.iter();
            let bounds =
                services.map(|range| u64::from(range.from()) << 16 | u64::from(range.to()));
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
        let mut feasible = false;
        for seat in &panel.seats {
            let own = seat.take(question.direction, &mut sure);
            let may = seat.take(question.direction, &mut possible);
            feasible |= !own.is_empty() || !may.is_empty() || seat.unknown_group;
            found.add(&own, &may, seat.unknown_group, question.services, table);
        }
        found.close();
        Cover {
            feasible,
            retained: retained(&found, table),
            covering: found,
            tally: RefCell::default(),
        }
    }
}

impl<'a> Seat<'a> {
    /// The rules of this seat in a row, which is shortened by them.
    fn take(&self, way: Direction, row: &mut &[u64]) -> Rules<'a> {
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
    use crate::attribute::matching::Fit;
    use crate::attribute::scene::Scene;
    use crate::attribute::world::World;
    use crate::model::EniId;
    use crate::model::Peer;
    use crate::model::PrefixList;
    use crate::model::PrefixListId;
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
            .with(|snapshot| {
                let id = PrefixListId::from("pl-known");
                let list = PrefixList {
                    id: id.clone(),
                    name: String::new(),
                    aws_managed: false,
                    max_entries: None,
                    entries: Some(vec!["203.0.113.0/24".parse().unwrap()]),
                };
                Arc::make_mut(&mut snapshot.prefix_lists).insert(id, list);
            })
            .snapshot()
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
            direction: question.direction,
            protocol: question.protocol,
            services: question.services,
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
        ) {
            let snapshots = [snapshot(&a, &b, &own, &peer), snapshot(&later, &b, &own, &peer)];
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
                    peer: *peer,
                };
                let found = covers.ask(&panel, &question, &table);
                prop_assert_eq!(&found.covering, &cover::covering(&question, &candidates, &table));
                prop_assert_eq!(found.feasible, cover::feasible(&question, &candidates));
                prop_assert_eq!(panel.strongest(&question), strongest(&question, &candidates[0]));
            }
        }
    }
}
