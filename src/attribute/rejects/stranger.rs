//! Requests of strangers that were rejected: most of what an interface on the
//! Internet meets. Their cause is asked once for each kind of them.

use std::net::IpAddr;

use crate::attribute::case::Case;
use crate::attribute::conversation::Server;
use crate::attribute::initiator::Initiator;
use crate::attribute::noise::Noise;
use crate::attribute::panel::Panel;
use crate::attribute::rejects::subject;
use crate::attribute::rejects::subjects;
use crate::evidence::cell::Cell;
use crate::model::Direction;
use crate::net::cidr::is_private;

/// The noise that a conversation is, if it is nothing but a stranger's rejected
/// requests: what [`Subject::noise`](super::subject::Subject::noise) says, at
/// less expense.
pub(super) fn noise(case: &Case<'_, '_>, initiator: Initiator) -> Option<Noise> {
    let rejected = requests(case)?;
    let strangers = case.panel.strangers()?;
    let key = &case.conversation.key;
    let services = case.conversation.services(Direction::Ingress);
    let kind = strangers.kind(key.peer, key.protocol, &services, || {
        is_stranger(&case.panel, key.peer)
    })?;
    let cause = strangers.cause(kind, || {
        let mut subjects = subjects(case, initiator);
        subjects.find_map(|subject| Some(subject.noise()?.cause))
    })?;
    Some(Noise {
        direction: Direction::Ingress,
        protocol: key.protocol,
        port: subject::port(case.conversation, Direction::Ingress),
        peer: case.conversation.peers(),
        cause,
        seen: *rejected,
    })
}

/// What was rejected, where it is nothing but requests to this interface in a
/// conversation of which nothing ever passed.
fn requests<'c>(case: &Case<'c, '_>) -> Option<&'c Cell> {
    let conversation = case.conversation;
    let alone = !conversation.accepted()
        && case.before.is_none()
        && conversation.outward.rejected.is_none();
    let rejected = conversation.inward.rejected.as_ref().filter(|_| alone)?;
    // Without flags, lone packets are taken in their own direction.
    let asks = match conversation.key.server {
        Server::Local => rejected.requests > 0 || rejected.answers == 0,
        Server::Peer => rejected.requests + rejected.answers == 0,
    };
    (asks && rejected.block_public_access == 0).then_some(rejected)
}

fn is_stranger(panel: &Panel<'_>, peer: IpAddr) -> bool {
    let nobody = panel.about(peer, |facts| facts.owners.is_empty() && !facts.lost_owner);
    nobody == Some(true) && !is_private(peer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attribute::conversation::Conversation;
    use crate::attribute::conversation::ConversationKey;
    use crate::attribute::conversation::Half;
    use crate::attribute::cover::Candidate;
    use crate::attribute::docket::Docket;
    use crate::attribute::judge::Bench;
    use crate::attribute::scene::Scene;
    use crate::attribute::table::RuleTable;
    use crate::attribute::verdict::RejectCause;
    use crate::attribute::world::World;
    use crate::evidence::activity::Activity;
    use crate::evidence::coverage::HourSet;
    use crate::evidence::cuts::Level;
    use crate::evidence::ports::PortSample;
    use crate::model::EniId;
    use crate::model::Snapshot;
    use crate::model::TcpFlags;
    use crate::net::IpProtocol;
    use crate::net::Timestamp;

    const PEERS: [&str; 9] = [
        "0.0.0.0/0",
        "::/0",
        "198.51.100.0/24",
        "198.51.100.7/32",
        "255.255.255.255/32",
        "2001:db8::/32",
        "sg-web",
        "sg-gone",
        "pl-known",
    ];
    const SERVICES: [&str; 6] = [
        "tcp 443",
        "tcp 400-500",
        "udp 65535",
        "all -",
        "icmp -",
        "47 -",
    ];
    const ADDRESSES: [&str; 13] = [
        "198.51.100.6",
        "198.51.100.7",
        "198.51.100.8",
        "198.51.101.0",
        "203.0.113.0",
        "203.0.113.255",
        "255.255.255.255",
        "0.0.0.0",
        "10.0.1.9",
        "10.0.2.9",
        "2001:db8::1",
        "2001:db9::1",
        "8.8.8.8",
    ];

    const PORTS: [u16; 9] = [0, 399, 400, 443, 444, 500, 501, 65_534, 65_535];

    fn rules() -> impl Strategy<Value = Vec<String>> {
        let parts = (
            prop::sample::select(vec!["in", "out"]),
            prop::sample::select(&SERVICES[..]),
            prop::sample::select(&PEERS[..]),
        );
        let rule = parts.prop_map(|(way, service, peer)| format!("{way} {service} {peer}"));
        prop::collection::btree_set(rule, 0..6).prop_map(|all| all.into_iter().collect())
    }

    fn entries() -> impl Strategy<Value = Vec<String>> {
        let parts = (
            prop::sample::select(vec!["allow", "deny"]),
            prop::sample::select(&SERVICES[..]),
            prop::sample::select(&PEERS[..6]),
        );
        prop::collection::vec(parts, 0..5).prop_map(|all| {
            let numbered = all.into_iter().zip(1..);
            let entry =
                |((effect, service, net), number)| format!("in {number} {effect} {service} {net}");
            numbered.map(entry).collect()
        })
    }

    fn texts(all: &[String]) -> Vec<&str> {
        all.iter().map(String::as_str).collect()
    }

    fn snapshot(rules: &[String], entries: &[String]) -> Snapshot {
        World::new()
            .eni("eni-1", "subnet-1", "10.0.1.6", &["sg-web"])
            .eni("eni-2", "subnet-2", "10.0.2.9", &["sg-web"])
            .with_eni("eni-2", |eni| {
                eni.addresses.push("8.8.8.8".parse().unwrap());
            })
            .group("sg-web", &texts(rules))
            .acl("acl-1", &["subnet-1"], &texts(entries))
            .prefix_list("pl-known", &["203.0.113.0/24"])
            .snapshot()
    }

    fn packets(requests: u64, answers: u64, block_public_access: u64, ports: &[u16]) -> Cell {
        let mut other_ports = PortSample::default();
        for port in ports {
            other_ports.insert(*port);
        }
        Cell {
            records: 2,
            packets: 2,
            bytes: 80,
            first: Timestamp(10),
            last: Timestamp(20),
            active: Activity::AT_FIRST,
            requests,
            answers,
            plain: 0,
            flags: TcpFlags(0),
            other_ports,
            block_public_access,
        }
    }

    fn cell() -> impl Strategy<Value = Option<Cell>> {
        let port = prop::sample::select(&PORTS[..]);
        let ports = prop::collection::vec(port, 1..7);
        let cell = (0..2_u64, 0..2_u64, 0..2_u64, ports);
        let cell = cell.prop_map(|(requests, answers, blocked, ports)| {
            packets(requests, answers, blocked, &ports)
        });
        prop::option::of(cell)
    }

    fn conversation() -> impl Strategy<Value = Conversation> {
        let key = (
            prop::sample::select(&ADDRESSES[..]),
            prop::sample::select(vec![6, 17, 1, 47]),
            prop::sample::select(&PORTS[..]),
            any::<bool>(),
        );
        // Mostly the noise that this is about.
        let other = || prop_oneof![4 => Just(None), 1 => cell()];
        (key, cell(), other(), other(), other()).prop_map(
            |((peer, protocol, port, serves), rejected, accepted, out, passed)| Conversation {
                key: ConversationKey {
                    peer: peer.parse::<IpAddr>().unwrap(),
                    protocol: IpProtocol(protocol),
                    port: if matches!(protocol, 6 | 17) { port } else { 0 },
                    server: if serves && matches!(protocol, 6 | 17) {
                        Server::Peer
                    } else {
                        Server::Local
                    },
                    level: Level::EXACT,
                    era: 0,
                },
                breadth: None,
                inward: Half { accepted, rejected },
                outward: Half {
                    accepted: passed,
                    rejected: out,
                },
            },
        )
    }

    /// What is said of conversations in a row, with and without what is known
    /// from those before.
    fn told(snapshot: &Snapshot, all: &[Conversation]) -> Vec<[Option<Vec<Noise>>; 2]> {
        let scenes = [Scene::new(snapshot)];
        let id = EniId::parse("eni-1").unwrap();
        let table = RuleTable::new(snapshot);
        let nothing = Default::default();
        let bench = Bench {
            fold_noise: true,
            ..Bench::of(&scenes, &table, &nothing)
        };
        let own = Candidate {
            scene: &scenes[0],
            eni: &snapshot.enis[&id],
        };
        let lost = HourSet::default();
        let by_era = |_| vec![own];
        let docket = Docket::new(id, &lost, &bench, &by_era);
        let tell = |conversation| {
            let case = docket.case(conversation, None);
            let initiator = case.initiator();
            let plainly = subjects(&case, initiator).map(|subject| subject.noise());
            let known = noise(&case, initiator).map(|one| vec![one]);
            [known, plainly.collect()]
        };
        all.iter().map(tell).collect()
    }

    proptest! {
        #[test]
        fn strangers_are_told_what_each_would_be_told_alone(
            rules in rules(),
            entries in entries(),
            all in prop::collection::vec(conversation(), 1..60),
        ) {
            for [known, plainly] in told(&snapshot(&rules, &entries), &all) {
                prop_assert!(known.is_none() || known == plainly);
            }
        }
    }

    #[test]
    fn one_answer_serves_all_between_two_cuts() {
        let rules = ["in tcp 443 198.51.100.0/24".to_owned()];
        let snapshot = snapshot(&rules, &["in 1 allow all - 0.0.0.0/0".to_owned()]);
        let conversation = |peer: &str, port| Conversation {
            key: ConversationKey {
                peer: peer.parse().unwrap(),
                protocol: IpProtocol::TCP,
                port,
                server: Server::Local,
                level: Level::EXACT,
                era: 0,
            },
            breadth: None,
            inward: Half {
                accepted: None,
                rejected: Some(packets(1, 0, 0, &[50_000])),
            },
            outward: Half::default(),
        };
        let noise = [("8.8.4.4", 22), ("8.8.4.5", 23), ("198.51.100.7", 22)];
        let wanted = [("8.8.8.8", 22), ("198.51.100.7", 443), ("10.0.1.9", 22)];
        let all = noise.into_iter().chain(wanted);
        let all: Vec<Conversation> = all.map(|(peer, port)| conversation(peer, port)).collect();
        let told = told(&snapshot, &all);
        let cause = |[known, _]: &[Option<Vec<Noise>>; 2]| Some(known.as_ref()?.first()?.cause);
        let causes: Vec<Option<RejectCause>> = told.iter().map(cause).collect();
        let group = Some(RejectCause::SecurityGroup);
        assert_eq!(causes, [group, group, group, None, None, None]);
    }
}
