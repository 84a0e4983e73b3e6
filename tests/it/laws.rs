//! The laws behind the promises, on random rows, texts and clouds: evidence
//! merges, cuts never show, more traffic never takes permission away, order of
//! a snapshot means nothing, proposals neither widen nor break.

use std::collections::BTreeSet;

use flowcinch::evidence::Evidence;
use flowcinch::evidence::era::Eras;
use flowcinch::flowlog::Layout;
use flowcinch::flowlog::LineError;
use flowcinch::flowlog::LogReader;
use flowcinch::flowlog::Sink;
use flowcinch::model::Action;
use flowcinch::model::EniId;
use flowcinch::model::FlowDirection;
use flowcinch::model::FlowRecord;
use flowcinch::model::Row;
use flowcinch::model::TcpFlags;
use flowcinch::model::flow::Interval;
use flowcinch::net::IpProtocol;
use flowcinch::net::Timestamp;
use flowcinch::pipeline::Assign;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;
use serde_json::Value;

use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::word;
use crate::plain;
use crate::plain::Admits;
use crate::plain::Packet;
use crate::plain::PlainCloud;
use crate::plain::PlainRule;
use crate::toy;
use crate::toy::Table;

fn eras() -> Eras {
    Eras::new([Timestamp(5_000), Timestamp(40_000)].into_iter())
}

fn row() -> impl Strategy<Value = Row> {
    let time = || prop::option::weighted(0.9, (0i64..80_000).prop_map(Timestamp));
    let interface = || {
        prop::option::weighted(
            0.9,
            (0u8..3).prop_map(|n| EniId::parse(&format!("eni-{n}")).unwrap()),
        )
    };
    let address = || {
        let four = (0u8..3).prop_map(|n| [10, 0, 0, n].into());
        let six = (0u16..2).prop_map(|n| [0x2001, 0xdb8, 0, 0, 0, 0, 0, n].into());
        prop::option::weighted(0.9, prop_oneof![four, six])
    };
    let port =
        || prop::option::weighted(0.9, prop_oneof![Just(443u16), Just(53), 40_000u16..40_008]);
    let ends = (
        interface(),
        address(),
        address(),
        address(),
        address(),
        port(),
        port(),
    );
    let what = (
        prop::option::weighted(
            0.9,
            prop_oneof![Just(6u8), Just(17), Just(1)].prop_map(IpProtocol),
        ),
        prop_oneof![0u64..1_000, Just(u64::MAX)],
        time(),
        time(),
        prop::option::of(
            prop_oneof![Just(0u8), Just(2), Just(18), Just(3), Just(4)].prop_map(TcpFlags),
        ),
        prop::option::of(prop_oneof![
            Just(FlowDirection::Ingress),
            Just(FlowDirection::Egress)
        ]),
        prop_oneof![Just(Action::Accept), Just(Action::Reject)],
        prop::bool::weighted(0.1),
    );
    let flow = (ends, what).prop_map(|(ends, what)| {
        let (interface_id, srcaddr, dstaddr, pkt_srcaddr, pkt_dstaddr, srcport, dstport) = ends;
        let (protocol, packets, start, end, tcp_flags, flow_direction, action, odd) = what;
        Row::Flow(FlowRecord {
            action,
            interface_id,
            srcaddr,
            dstaddr,
            pkt_srcaddr,
            pkt_dstaddr,
            srcport,
            dstport,
            protocol,
            packets,
            bytes: packets,
            start,
            end,
            tcp_flags,
            flow_direction,
            block_public_access: odd && action == Action::Reject,
            efa: odd && action == Action::Accept,
        })
    });
    let interval = || {
        let parts = (interface(), time(), time());
        parts.prop_map(|(interface_id, start, end)| Interval {
            interface_id,
            start,
            end,
        })
    };
    prop_oneof![
        8 => flow,
        1 => Just(Row::Other),
        1 => interval().prop_map(Row::NoData),
        1 => interval().prop_map(Row::SkipData),
    ]
}

fn folded<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Evidence {
    let mut evidence = Evidence::default();
    for row in rows {
        evidence.fold(row, &eras());
    }
    evidence
}

fn merged(mut one: Evidence, other: Evidence) -> Evidence {
    one.merge(other);
    one
}

/// Keeps evidence only; bad lines are counted.
#[derive(Default)]
struct Folding {
    evidence: Evidence,
    bad: Vec<(u64, u64)>,
}

impl Sink for Folding {
    fn row(&mut self, row: &Row) {
        self.evidence.fold(row, &eras());
    }

    fn malformed(&mut self, error: &LineError) {
        self.bad.push((error.line, error.byte));
    }
}

proptest! {
    #[test]
    fn any_partition_and_any_tree_of_merges_give_the_same_evidence(
        rows in prop::collection::vec((row(), 0usize..6), 0..60),
        merges in prop::collection::vec((any::<Index>(), any::<Index>()), 5),
    ) {
        let whole = folded(rows.iter().map(|(row, _)| row));
        // Some of the six parts may be empty.
        let mut parts: Vec<Evidence> = (0..6)
            .map(|part| folded(rows.iter().filter(|(_, own)| *own == part).map(|(row, _)| row)))
            .collect();
        for (one, other) in merges {
            let one = parts.swap_remove(one.index(parts.len()));
            let at = other.index(parts.len());
            let other = parts.swap_remove(at);
            parts.push(merged(one, other));
        }
        prop_assert_eq!(parts, vec![whole]);
    }

    #[test]
    fn rows_of_evidence_give_it_back(rows in prop::collection::vec(row(), 0..60)) {
        let evidence = folded(&rows);
        let mut back = Evidence::default();
        for row in evidence.to_rows() {
            back.add_row(&row);
        }
        prop_assert_eq!(&back, &evidence);
        prop_assert_eq!(back.to_rows(), evidence.to_rows());
    }

    #[test]
    fn rows_of_parts_in_any_order_give_what_the_parts_merge_to(
        rows in prop::collection::vec((row(), 0usize..3), 0..60),
        seed in any::<Index>(),
    ) {
        let part = |part| folded(rows.iter().filter(|(_, own)| *own == part).map(|(row, _)| row));
        let mut listed: Vec<_> = (0..3).flat_map(|own| part(own).to_rows()).collect();
        let middle = seed.index(listed.len().max(1));
        listed.rotate_left(middle);
        listed.reverse();
        let mut back = Evidence::default();
        for row in listed {
            back.add_row(&row);
        }
        prop_assert_eq!(back, folded(rows.iter().map(|(row, _)| row)));
    }

    #[test]
    fn merging_is_commutative_and_associative(
        a in prop::collection::vec(row(), 0..20),
        b in prop::collection::vec(row(), 0..20),
        c in prop::collection::vec(row(), 0..20),
    ) {
        let (a, b, c) = (folded(&a), folded(&b), folded(&c));
        prop_assert_eq!(merged(a.clone(), b.clone()), merged(b.clone(), a.clone()));
        prop_assert_eq!(
            merged(merged(a.clone(), b.clone()), c.clone()),
            merged(a.clone(), merged(b.clone(), c.clone()))
        );
        prop_assert_eq!(merged(a.clone(), Evidence::default()), a);
    }

    #[test]
    fn the_order_of_rows_means_nothing(
        (rows, shuffled) in prop::collection::vec(row(), 0..60)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
    ) {
        prop_assert_eq!(folded(&rows), folded(&shuffled));
    }

    #[test]
    fn any_cut_of_the_text_gives_the_same_evidence(
        lines in prop::collection::vec(prop_oneof![
            6 => (0u8..3, 0u8..3, 40_000u16..40_004, 0i64..9).prop_map(|(eni, host, port, hour)| format!(
                "2 1 eni-{eni} 10.0.0.{host} 10.0.0.9 {port} 443 6 1 60 {} {} ACCEPT OK", hour * 3_600, hour * 3_600 + 9)),
            1 => Just("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status".to_owned()),
            1 => Just("2 1 eni-1 - - - - - - - 60 119 - SKIPDATA".to_owned()),
            1 => "[ -~]{0,40}",
            1 => Just("\u{feff}".to_owned()),
        ], 0..12),
        ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\n\n")], 12),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let text: String = lines.iter().zip(ends).flat_map(|(line, end)| [line.as_str(), end]).collect();
        let read = |blocks: &[&[u8]]| {
            let mut sink = Folding::default();
            let mut reader = LogReader::new(&Layout::default());
            for block in blocks {
                reader.feed(block, &mut sink);
            }
            reader.finish(&mut sink);
            (sink.evidence, sink.bad)
        };
        let places: BTreeSet<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        let mut blocks = Vec::new();
        let mut from = 0;
        for place in places.into_iter().chain([text.len()]) {
            blocks.push(&text.as_bytes()[from..place]);
            from = place;
        }
        prop_assert_eq!(read(&blocks), read(&[text.as_bytes()]));
        let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(read(&single), read(&[text.as_bytes()]));
    }
}

/// Statuses by rule.
fn statuses(analysis: &Value) -> Vec<(String, String)> {
    let status = |rule: &Value| {
        (
            word(rule, "rule_id").to_owned(),
            word(rule, "status").to_owned(),
        )
    };
    cloud::rules(analysis)
        .map(|(_, rule)| status(rule))
        .collect()
}

/// The cloud as it would be after all proposals.
fn after(cloud: &PlainCloud, analysis: &Value) -> Vec<PlainRule> {
    let mut standing = Vec::new();
    for proposal in list(analysis, "proposals") {
        let group = word(proposal, "group_id");
        let kept: BTreeSet<&str> = list(proposal, "keep")
            .iter()
            .map(|id| id.as_str().unwrap())
            .collect();
        standing.extend(
            cloud
                .rules
                .iter()
                .filter(|rule| kept.contains(rule.id.as_str()))
                .cloned(),
        );
        let direction = word(proposal, "direction");
        standing.extend(
            list(proposal, "rules")
                .iter()
                .map(|rule| plain::proposed(rule, group, direction)),
        );
    }
    standing
}

/// Groups of the interface that let the packet through by these rules.
fn letting<'a>(
    cloud: &PlainCloud,
    rules: &'a [PlainRule],
    interface: &str,
    packet: &Packet,
) -> BTreeSet<&'a str> {
    let groups = &cloud.groups[interface];
    let own = rules.iter().filter(|rule| groups.contains(&rule.group));
    let admitting = own.filter(|rule| cloud.admits(rule, packet) == Admits::Yes);
    admitting.map(|rule| rule.group.as_str()).collect()
}

/// Group by group: a packet at the corner of any rule, new or old, that the
/// new rules let through, the old ones do too.
fn widened(cloud: &PlainCloud, standing: &[PlainRule]) -> Option<(String, Packet)> {
    let group_lets = |rules: &[PlainRule], group: &str, packet: &Packet| {
        let own = rules.iter().filter(|rule| rule.group == group);
        own.map(|rule| cloud.admits(rule, packet)).max() == Some(Admits::Yes)
    };
    let corners = standing.iter().chain(&cloud.rules).flat_map(|rule| {
        rule.corners(cloud)
            .into_iter()
            .map(|packet| (rule.group.clone(), packet))
    });
    let corners: BTreeSet<(String, Packet)> = corners.collect();
    corners.into_iter().find(|(group, packet)| {
        group_lets(standing, group, packet) && !group_lets(&cloud.rules, group, packet)
    })
}

fn toys() -> Config {
    Config {
        cases: 120,
        max_global_rejects: 10_000,
        ..Config::default()
    }
}

/// What proposals promise of connections that were opened for certain.
fn check_promises(
    table: &Table,
    analysis: &Value,
    requests: &[(String, Packet)],
    assign: Assign,
) -> Result<(), TestCaseError> {
    let cloud = &table.plain;
    let standing = after(cloud, analysis);
    prop_assert_eq!(widened(cloud, &standing), None);
    for (interface, packet) in requests {
        let before = letting(cloud, &cloud.rules, interface, packet);
        let now = letting(cloud, &standing, interface, packet);
        match assign {
            Assign::All => prop_assert_eq!(&now, &before, "{} {:?}", interface, packet),
            Assign::One => prop_assert!(
                now.is_empty() == before.is_empty(),
                "{} {:?}",
                interface,
                packet
            ),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(toys())]

    #[test]
    fn proposals_neither_widen_nor_break(
        toy in toy::toy(),
        certain in toy::flows(40, true),
        any in toy::flows(6, false),
        one in any::<bool>(),
    ) {
        let table = toy.set_up();
        let certain = table.passing(&certain);
        let assign = if one { Assign::One } else { Assign::All };
        let requests: Vec<_> = certain.iter().map(toy::ToyFlow::request).collect();
        let all = [certain, table.passing(&any)].concat();
        let analysis = table.analyze(&all, assign);
        check_promises(&table, &analysis, &requests, assign)?;
        prop_assert_eq!(&analysis["verification"]["broken"], 0);
        prop_assert_eq!(&analysis["verification"]["widened"], 0);
    }

    #[test]
    fn more_traffic_never_takes_away(
        toy in toy::toy(),
        certain in toy::flows(30, true),
        more in toy::flows(10, false),
    ) {
        let table = toy.set_up();
        let certain = table.passing(&certain);
        let few = statuses(&table.analyze(&certain, Assign::All));
        let all = [certain.clone(), table.passing(&more)].concat();
        let analysis = table.analyze(&all, Assign::All);
        for ((rule, before), (_, now)) in few.iter().zip(statuses(&analysis)) {
            prop_assert!(before != "used" || now == "used", "{}: used became {}", rule, now);
            prop_assert!(before != "redundant" || now != "unused", "{}: became unused", rule);
            // Without any ACCEPT nothing was observable.
            let settled = before != "unobservable" || certain.is_empty();
            prop_assert!(settled || now != "unused", "{}: {} became {}", rule, before, now);
        }
        let requests: Vec<_> = certain.iter().map(toy::ToyFlow::request).collect();
        check_promises(&table, &analysis, &requests, Assign::All)?;
    }

    #[test]
    fn the_order_of_a_snapshot_means_nothing(
        toy in toy::toy(),
        flows in toy::flows(12, false),
        turn in 1usize..5,
    ) {
        let table = toy.set_up();
        let flows = table.passing(&flows);
        toy.write_snapshot(&table.folder.path().join("turned"), |items| {
            let by = turn % items.len().max(1);
            items.rotate_left(by);
            items.reverse();
        });
        let straight = table.analyze_snapshot("snapshot", &flows, Assign::All);
        let turned = table.analyze_snapshot("turned", &flows, Assign::All);
        prop_assert_eq!(String::from_utf8(straight), String::from_utf8(turned));
    }

    #[test]
    fn data_of_one_family_proposes_nothing_of_the_other(
        toy in toy::toy(),
        flows in toy::flows(30, false),
    ) {
        let table = toy.set_up();
        let flows: Vec<_> = table.passing(&flows).into_iter().filter(toy::ToyFlow::is_v4).collect();
        let analysis = table.analyze(&flows, Assign::All);
        for proposal in list(&analysis, "proposals") {
            for rule in list(proposal, "rules") {
                let plain = plain::proposed(rule, "", "ingress");
                prop_assert!(!plain.is_v6(), "{}", proposal);
                // A reference stands for both families: only what was one stays one.
                if let Some(group) = rule["peer"]["group"].as_str() {
                    let replaced = list(rule, "replaces");
                    let was = cloud::rules(&analysis)
                        .any(|(_, old)| replaced.contains(&old["rule_id"]) && old["peer"]["group"] == group);
                    prop_assert!(was, "{}", proposal);
                }
            }
        }
    }
}

#[test]
fn proposals_of_made_up_clouds_neither_widen_nor_break() {
    for (seed, extra) in [
        ("21", &[][..]),
        ("22", &["--assign", "one"]),
        ("23", &["--obligations", "answered"]),
        ("24", &["--min-confidence", "certain"]),
    ] {
        let cloud = Cloud::make(&["--records", "8000", "--seed", seed, "--ipv6"]);
        let plain = PlainCloud::read(&cloud.case.path("made/snapshot"));
        let analysis = cloud::json(&cloud.analyze(&[&["made/logs"], extra].concat()));
        let standing = after(&plain, &analysis);
        assert_eq!(widened(&plain, &standing), None, "seed {seed}");
        let tightened = list(&analysis, "proposals")
            .iter()
            .filter(|one| one["decision"] == "tighten");
        assert!(tightened.count() > 5);
        let mut checked = 0;
        for (interface, packet) in answered_requests(&cloud, &plain) {
            let before = letting(&plain, &plain.rules, &interface, &packet);
            let now = letting(&plain, &standing, &interface, &packet);
            let kept = if extra.contains(&"one") {
                now.is_empty() == before.is_empty()
            } else {
                now == before
            };
            assert!(
                kept,
                "seed {seed}: {interface} {packet:?}: {before:?} became {now:?}"
            );
            checked += 1;
        }
        assert!(checked > 500, "only {checked}");
    }
}

/// Packets whose SYN was let through and answered, straight from the text.
fn answered_requests(cloud: &Cloud, plain: &PlainCloud) -> BTreeSet<(String, Packet)> {
    let (header, lines) = cloud.lines();
    let column = |name: &str| {
        header
            .trim()
            .split(' ')
            .position(|own| own == name)
            .unwrap()
    };
    let names = [
        "interface-id",
        "pkt-srcaddr",
        "pkt-dstaddr",
        "srcport",
        "dstport",
        "tcp-flags",
        "flow-direction",
        "action",
    ];
    let columns = names.map(column);
    let mut found = BTreeSet::new();
    for line in &lines {
        let all: Vec<&str> = line.trim().split(' ').collect();
        let [interface, from, to, srcport, _, flags, way, action] =
            columns.map(|column| all[column]);
        let answers = flags
            .parse::<u8>()
            .is_ok_and(|flags| TcpFlags(flags).is_answer());
        if action != "ACCEPT" || !answers || plain.groups[interface].is_empty() {
            continue;
        }
        // The answer tells the request: its source served.
        let egress = way == "ingress";
        let packet = Packet {
            egress,
            protocol: 6,
            service: Some(srcport.parse().unwrap()),
            peer: if egress { from } else { to }.parse().unwrap(),
        };
        found.insert((interface.to_owned(), packet));
    }
    found
}

/// Twenty made-up clouds in both formats, by the promises that a reader of the
/// numbers would check: nothing broken, nothing widened, within the quota, and
/// less than half as open.
#[test]
fn twenty_clouds_are_less_than_half_as_open_and_lose_nothing() {
    for seed in 1..=20u64 {
        for format in ["2", "5"] {
            let text = seed.to_string();
            let flags = [
                "--records",
                "1200",
                "--seed",
                &text,
                "--format-version",
                format,
            ];
            let cloud = Cloud::make(&flags);
            let plain = PlainCloud::read(&cloud.case.path("made/snapshot"));
            let analysis = cloud::json(&cloud.analyze(&["made/logs"]));
            let at = format!("seed {seed}, format {format}");
            assert_eq!(analysis["verification"]["broken"], 0, "{at}");
            assert_eq!(analysis["verification"]["widened"], 0, "{at}");
            let standing = after(&plain, &analysis);
            assert_eq!(widened(&plain, &standing), None, "{at}");
            assert_eq!(probed(&plain, &standing, seed), None, "{at}");
            assert_quota_and_exposure(&analysis, &at);
        }
    }
}

fn assert_quota_and_exposure(analysis: &Value, at: &str) {
    let (mut before, mut now) = (0.0, 0.0);
    for one in list(analysis, "proposals") {
        let volume = |key: &str| word(one, key).parse::<f64>().unwrap();
        assert!(
            volume("exposure_after") <= volume("exposure_before"),
            "{at}: {one}"
        );
        if one["decision"] == "tighten" {
            before += volume("exposure_before");
            now += volume("exposure_after");
        }
        let count = |key: &str| one[key].as_u64().unwrap();
        let most = count("quota_before").max(60);
        assert!(count("quota_after") <= most, "{at}: {one}");
    }
    assert!(now * 2.0 < before, "{at}: {before} became {now}");
}

/// Packets at random, near the rules and far from them: none newly passes.
fn probed(cloud: &PlainCloud, standing: &[PlainRule], seed: u64) -> Option<(String, Packet)> {
    let mut state = seed;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let corners: Vec<(String, Packet)> = standing
        .iter()
        .chain(&cloud.rules)
        .flat_map(|rule| {
            let corners = rule.corners(cloud);
            corners
                .into_iter()
                .map(|packet| (rule.group.clone(), packet))
        })
        .collect();
    for _ in 0..2_000 {
        let pick = |at: u64| usize::try_from(at).unwrap();
        let (group, mut packet) = corners[pick(next(corners.len() as u64))].clone();
        // The peer of another rule, or a neighbour of it.
        let (_, other) = &corners[pick(next(corners.len() as u64))];
        packet.peer = match (other.peer, next(3)) {
            (peer, 0) => peer,
            (std::net::IpAddr::V4(four), _) => {
                let by = u32::try_from(next(1 << 12)).unwrap();
                std::net::Ipv4Addr::from(u32::from(four) ^ by).into()
            }
            (std::net::IpAddr::V6(six), _) => {
                std::net::Ipv6Addr::from(u128::from(six) ^ u128::from(next(1 << 30))).into()
            }
        };
        packet.service = packet.service.map(|service| match next(3) {
            0 => service,
            1 => service ^ u16::try_from(next(4)).unwrap(),
            _ => u16::try_from(next(1 << 16)).unwrap(),
        });
        let lets = |rules: &[PlainRule]| {
            let own = rules.iter().filter(|rule| rule.group == group);
            own.map(|rule| cloud.admits(rule, &packet)).max() == Some(Admits::Yes)
        };
        if lets(standing) && !lets(&cloud.rules) {
            return Some((group, packet));
        }
    }
    None
}
