//! Who talks to whom, told in groups: what each group let through, by the
//! groups of the far side, or by where the far side lies.
//!
//! A summary for people, made from [`Passed`]; no verdict rests on it. A
//! conversation at an interface with several groups is told for each of those
//! whose rules cover it, and one with a peer in several groups for each of
//! them, so the counts of two talks must not be added.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use rayon::prelude::*;

use crate::attribute::needs::Passed;
use crate::attribute::needs::RuleRef;
use crate::attribute::scene::Scene;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::SgId;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::is_private;

/// Services of a talk that are named, those with most records.
const SERVICES: usize = 8;

/// The far side of a talk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// Interfaces that carry this group.
    Group(SgId),
    /// Interfaces of the snapshot that carry no group.
    NoGroup,
    /// Private addresses of no known interface.
    Private,
    /// Everything else.
    Internet,
}

/// What one group let through, to or from one party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// The group.
    pub group_id: SgId,
    /// Ingress: the party opened it.
    pub direction: Direction,
    /// The far side.
    pub party: Party,
    /// The services with most records, those first.
    pub services: Vec<Service>,
    /// How many more services there were.
    pub more_services: u64,
    /// Conversations.
    pub conversations: u64,
    /// Records of the initiator-to-responder half.
    pub records: u64,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Protocol.
    pub protocol: IpProtocol,
    /// Port, or the range that it is known to lie in.
    pub ports: PortRange,
    /// Records of the initiator-to-responder half.
    pub records: u64,
}

/// What one service of one talk came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    conversations: u64,
    records: u64,
}

/// [`Party`], borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Side<'a> {
    Group(&'a SgId),
    NoGroup,
    Private,
    Internet,
}

type Key<'a> = (&'a SgId, Direction, Side<'a>);
type Asked = (IpProtocol, PortRange);

/// All talks, sorted by group, direction and party. `passed` is sorted.
#[must_use]
pub fn talks(passed: &[Passed], scene: &Scene<'_>) -> Vec<Talk> {
    let by_interface: Vec<Vec<(Key<'_>, Asked, Tally)>> = passed
        .par_chunk_by(|one, other| one.interface_id == other.interface_id)
        .map(|of_one| of_interface(of_one, scene))
        .collect();
    let mut all: BTreeMap<Key<'_>, HashMap<Asked, Tally>> = BTreeMap::new();
    for (key, asked, tally) in by_interface.into_iter().flatten() {
        all.entry(key)
            .or_default()
            .entry(asked)
            .or_default()
            .add(tally);
    }
    all.into_iter()
        .map(|(key, services)| talk(key, services.into_iter().collect()))
        .collect()
}

/// What one interface adds. Conversations come by the million and in order of
/// what was asked for, so each costs a look at its peer and one sum.
fn of_interface<'a>(passed: &'a [Passed], scene: &Scene<'a>) -> Vec<(Key<'a>, Asked, Tally)> {
    let mut peers = Peers::default();
    let mut sums: HashMap<(*const RuleRef, usize), (&'a Passed, Tally)> = HashMap::default();
    let mut found = Vec::new();
    for alike in passed.chunk_by(|one, other| asked(one) == asked(other)) {
        for one in alike {
            let of_peer = peers.number(one, scene);
            let sum = sums
                .entry((one.covered_by.as_ptr(), of_peer))
                .or_insert((one, Tally::default()));
            sum.1.add(Tally {
                conversations: 1,
                records: one.records,
            });
        }
        // In hash order, which is lawful: the sums are added up by key.
        for ((_, of_peer), (one, tally)) in sums.drain() {
            let (direction, protocol, ports) = asked(one);
            for (group, _) in one.by_group() {
                for side in peers.sides(of_peer) {
                    found.push(((group, direction, *side), (protocol, ports), tally));
                }
            }
        }
    }
    found
}

fn asked(one: &Passed) -> (Direction, IpProtocol, PortRange) {
    (one.direction, one.protocol, one.service)
}

/// The far sides of one interface: few kinds of many addresses.
#[derive(Debug, Default)]
struct Peers<'a> {
    by_address: HashMap<IpAddr, usize>,
    kinds: Vec<Vec<Side<'a>>>,
}

impl<'a> Peers<'a> {
    /// Number of the kind of a conversation's peer.
    fn number(&mut self, one: &Passed, scene: &Scene<'a>) -> usize {
        if let Some(number) = self.by_address.get(&one.peer) {
            return *number;
        }
        let sides = sides_of(one, scene);
        let known = self.kinds.iter().position(|kind| *kind == sides);
        let number = known.unwrap_or_else(|| {
            self.kinds.push(sides);
            self.kinds.len() - 1
        });
        self.by_address.insert(one.peer, number);
        number
    }

    fn sides(&self, number: usize) -> &[Side<'a>] {
        self.kinds.get(number).map_or(&[], Vec::as_slice)
    }
}

/// Whom an address stands for, seen from the interface.
fn sides_of<'a>(one: &Passed, scene: &Scene<'a>) -> Vec<Side<'a>> {
    let Some(eni) = scene.snapshot.enis.get(&one.interface_id) else {
        return Vec::new();
    };
    let facts = scene.peer(one.peer, eni);
    let groups = facts.owners.iter().flat_map(|owner| &owner.groups);
    let groups: BTreeSet<Side<'a>> = groups.map(Side::Group).collect();
    if !groups.is_empty() {
        return groups.into_iter().collect();
    }
    vec![if !facts.owners.is_empty() {
        Side::NoGroup
    } else if facts.lost_owner || is_private(one.peer) {
        Side::Private
    } else {
        Side::Internet
    }]
}

fn talk((group, direction, side): Key<'_>, mut services: Vec<(Asked, Tally)>) -> Talk {
    services.sort_unstable_by_key(|(asked, tally)| (Reverse(tally.records), *asked));
    let conversations = services.iter().map(|(_, tally)| tally.conversations).sum();
    let records = services.iter().map(|(_, tally)| tally.records).sum();
    let more = services.len().saturating_sub(SERVICES);
    services.truncate(SERVICES);
    let service = |((protocol, ports), tally): (Asked, Tally)| Service {
        protocol,
        ports,
        records: tally.records,
    };
    Talk {
        group_id: group.clone(),
        direction,
        party: match side {
            Side::Group(group) => Party::Group(group.clone()),
            Side::NoGroup => Party::NoGroup,
            Side::Private => Party::Private,
            Side::Internet => Party::Internet,
        },
        services: services.into_iter().map(service).collect(),
        more_services: u64::try_from(more).unwrap_or(u64::MAX),
        conversations,
        records,
    }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        let Tally {
            conversations,
            records,
        } = other;
        self.conversations += conversations;
        self.records += records;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribute::world::World;
    use crate::evidence::activity::History;
    use crate::model::EniId;
    use crate::net::Timestamp;

    fn passed(eni: &str, port: u16, peer: &str, records: u64) -> Passed {
        Passed {
            interface_id: EniId::parse(eni).unwrap(),
            direction: Direction::Ingress,
            protocol: IpProtocol::TCP,
            service: PortRange::single(port),
            peer: peer.parse().unwrap(),
            among: None,
            in_doubt: false,
            answered: true,
            records,
            seen: History::of(Timestamp(0), Timestamp(0)),
            covered_by: Arc::from([RuleRef {
                group_id: SgId::from("sg-a"),
                rule_id: crate::model::SgRuleId::from("sgr-1"),
            }]),
            unwritten: None,
        }
    }

    #[test]
    fn a_peer_is_its_groups_or_where_it_lies() {
        let world = World::new()
            .eni("eni-1", "subnet-1", "10.0.1.1", &["sg-a"])
            .eni("eni-2", "subnet-2", "10.0.2.2", &["sg-b", "sg-c"]);
        let snapshot = world.snapshot();
        let scene = Scene::new(&snapshot);
        let mut all = vec![
            passed("eni-1", 443, "10.0.2.2", 5),
            passed("eni-1", 22, "10.0.2.2", 1),
            passed("eni-1", 443, "10.0.2.99", 2),
            passed("eni-1", 443, "192.168.7.7", 3),
            passed("eni-1", 443, "198.51.100.7", 7),
            passed("eni-1", 443, "198.51.100.8", 1),
        ];
        all.sort();
        let told: Vec<(Party, u64, u64)> = talks(&all, &scene)
            .into_iter()
            .map(|talk| (talk.party, talk.conversations, talk.records))
            .collect();
        let group = |id| Party::Group(SgId::from(id));
        let expected = vec![
            (group("sg-b"), 2, 6),
            (group("sg-c"), 2, 6),
            (Party::Private, 2, 5),
            (Party::Internet, 2, 8),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn the_busiest_services_are_named_and_the_others_counted() {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.1", &["sg-a"]);
        let snapshot = world.snapshot();
        let scene = Scene::new(&snapshot);
        let all: Vec<Passed> = (1..=20)
            .map(|port| passed("eni-1", port, "198.51.100.7", u64::from(port)))
            .collect();
        let told = talks(&all, &scene);
        let [talk] = told.as_slice() else {
            panic!("{told:?}");
        };
        let ports: Vec<u16> = talk.services.iter().map(|one| one.ports.from()).collect();
        assert_eq!(ports, [20, 19, 18, 17, 16, 15, 14, 13]);
        assert_eq!((talk.more_services, talk.conversations), (12, 20));
    }
}
