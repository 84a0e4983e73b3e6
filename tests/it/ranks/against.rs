//! Other rules with ranks held against what was seen, and against today's: what
//! opens and what breaks is what asking every rule says.

use flowcinch::tighten::proof::against::Opened;
use flowcinch::tighten::proof::contain::PacketPeer;
use flowcinch::tighten::proof::ranked::against::Against;

use super::*;

/// What becomes of a cloud.
#[derive(Clone, Debug)]
struct Change {
    /// Rules of one group.
    rules: Option<(usize, Vec<Plain>)>,
    /// One rule of a group that goes.
    gone: Option<(usize, prop::sample::Index)>,
    /// A group whose policy turns round.
    talks: Option<usize>,
    /// Groups of one interface.
    carried: Option<(prop::sample::Index, Vec<usize>)>,
}

fn change() -> impl Strategy<Value = Change> {
    let rules = (0_usize..3, prop::collection::vec(plain(), 0..6));
    let carried = (
        any::<prop::sample::Index>(),
        prop::sample::subsequence(vec![0_usize, 1, 2], 1..=3),
    );
    (
        prop::option::weighted(0.4, rules),
        prop::option::weighted(0.5, (0_usize..3, any::<prop::sample::Index>())),
        prop::option::weighted(0.3, 0_usize..3),
        prop::option::weighted(0.3, carried),
    )
        .prop_map(|(rules, gone, talks, carried)| Change {
            rules,
            gone,
            talks,
            carried,
        })
}

impl Change {
    fn of(&self, cloud: &Cloud) -> Cloud {
        let mut after = cloud.clone();
        if let Some((group, rules)) = &self.rules {
            after.rules[*group].clone_from(rules);
        }
        if let Some((group, at)) = &self.gone {
            let rules = &mut after.rules[*group];
            if !rules.is_empty() {
                rules.remove(at.index(rules.len()));
            }
        }
        if let Some(group) = self.talks {
            after.talks[group] = !after.talks[group];
        }
        if let Some((at, groups)) = &self.carried {
            let hosts: Vec<u8> = after.carried.keys().copied().collect();
            after
                .carried
                .insert(hosts[at.index(hosts.len())], groups.clone());
        }
        after
    }
}

fn opened(before: &Snapshot, after: &Snapshot) -> Vec<Opened> {
    let enis = after.enis.values();
    let carried = enis.map(|eni| (eni.id, eni.groups.clone())).collect();
    let against = Against {
        today: before,
        after: &after.groups,
        carried: &carried,
        other: Some(after),
    };
    against.opened()
}

/// Whether the packet, from any port, passes after and not before, in a world.
fn opens(before: &Cloud, after: &Cloud, packet: Packet) -> bool {
    let sources = (0..9).map(|source| Packet { source, ..packet });
    let mut asked = sources.flat_map(|packet| worlds().map(move |world| (packet, world)));
    asked.any(|(packet, world)| after.fate(packet, world).0 && !before.fate(packet, world).0)
}

/// A host that no rule tells from others, in the place of addresses outside.
const ELSEWHERE: u8 = 200;

/// Whether the witness is one at some interface that is there today.
fn is_witness(before: &Cloud, after: &Cloud, one: &Opened) -> bool {
    let peer = match one.packet.peer {
        PacketPeer::Address(IpAddr::V4(address)) if address.octets()[..3] == [10, 0, 0] => {
            address.octets()[3]
        }
        PacketPeer::Address(IpAddr::V4(_)) => ELSEWHERE,
        // Of whoever comes to be a member or an entry, or has IPv6, this world
        // has none.
        PacketPeer::Address(IpAddr::V6(_)) | PacketPeer::Member(_) | PacketPeer::Entry(_) => {
            return true;
        }
    };
    // A group that nothing carries is judged alone.
    let mut carried = after.carried.values().flatten();
    if !carried.any(|group| group_id(*group) == one.group_id) {
        return true;
    }
    let mut hosts = before.carried.keys();
    hosts.any(|local| {
        let packet = Packet {
            ingress: one.direction == Direction::Ingress,
            protocol: one.packet.protocol.0,
            port: one.packet.service,
            source: 0,
            local: *local,
            peer,
        };
        opens(before, after, packet)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_opens_is_what_asking_every_rule_says(cloud in cloud(), change in change()) {
        let after = change.of(&cloud);
        let told = opened(&cloud.snapshot(), &after.snapshot());
        for local in cloud.carried.keys() {
            for packet in universe(*local) {
                let mut fates = worlds().map(|world| (after.fate(packet, world), cloud.fate(packet, world)));
                let by = fates.find(|(then, now)| then.0 && !now.0);
                let Some(((_, winners), _)) = by else { continue };
                let way = if packet.ingress { Direction::Ingress } else { Direction::Egress };
                let is_told = |one: &Opened| {
                    let named = winners.iter().any(|(group, number)| rule_id(*group, *number) == one.rule_id);
                    one.direction == way && (named || winners.is_empty() && !one.rule_id.as_str().starts_with("sgr-"))
                };
                prop_assert!(told.iter().any(is_told), "{packet:?} by {winners:?}: {told:?}");
            }
        }
        for one in &told {
            prop_assert!(is_witness(&cloud, &after, one), "{one:?} does not open");
        }
    }

    #[test]
    fn the_same_rules_open_nothing(cloud in cloud()) {
        prop_assert_eq!(opened(&cloud.snapshot(), &cloud.snapshot()), Vec::new());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_breaks_is_told(
        cloud in cloud(),
        change in change(),
        packets in prop::collection::vec((packet(), any::<prop::sample::Index>()), 1..25),
        members_first: bool,
    ) {
        let hosts: Vec<u8> = cloud.carried.keys().copied().collect();
        let packets = apart(&hosts, packets);
        let after = change.of(&cloud);
        let truth = Unknown { listed: false, members_first };
        let case = Case::new();
        cloud.describe(&case, "snapshot");
        after.describe(&case, "after");
        case.file("logs/all.log", cloud.logs(&packets, truth));
        let told = verify(&case, "after");
        let broken = told["broken"].as_array().unwrap();
        // What a list that nobody knows may do is told for the list.
        let undecided = told["undecided"].as_array().unwrap().iter();
        let lists = undecided.filter(|one| one["from"] == "pl-unknown").count();
        let known = |world: &Unknown| lists == 0 || !world.listed;
        for packet in &packets {
            let is_told = broken.iter().any(|one| tells(one, *packet));
            let mut lasts = worlds().filter(|world| known(world) && cloud.fate(*packet, *world).0);
            let breaks = lasts.any(|world| !after.fate(*packet, world).0);
            if cloud.fate(*packet, truth).0 && breaks {
                prop_assert!(is_told, "{packet:?} would break: {told}");
            }
        }
        let same = verify(&case, "snapshot");
        prop_assert_eq!((&same["broken"], &same["opened"]), (&json!([]), &json!([])));
        let run = case.run(&["analyze", "logs", "--snapshot", "snapshot", "--out", "out"]);
        prop_assert!(run.status.is_some_and(|status| status < 2 || status == 3), "{}", run.stderr);
        let proposed = verify(&case, "out/analysis.json");
        prop_assert_eq!((&proposed["broken"], &proposed["opened"]), (&json!([]), &json!([])));
    }
}

fn verify(case: &Case, rules: &str) -> Value {
    let flags = ["--snapshot", "snapshot", "--format", "json"];
    let run = case.run(&[&["verify", rules, "logs"], &flags[..]].concat());
    serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|_| panic!("{:?}: {}", run.status, run.stderr))
}

fn tells(broken: &Value, packet: Packet) -> bool {
    let way = if packet.ingress { "ingress" } else { "egress" };
    let port = |key: &str| {
        broken[key]
            .as_u64()
            .map(|port| u16::try_from(port).unwrap())
    };
    let within = match (port("from_port"), port("to_port")) {
        (Some(from), Some(to)) => (from..=to).contains(&packet.port),
        _ => true,
    };
    broken["interface_id"] == *format!("eni-{}", packet.local)
        && broken["direction"] == way
        && broken["peer"] == *address(packet.peer).to_string()
        && within
}
