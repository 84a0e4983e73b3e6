//! The whole pipeline against a naive one: one thread, the `csv` crate, no
//! folding, each connection by its five-tuple, rules read from JSON by
//! [`crate::plain`]. It knows handshakes and nothing else of initiators, so
//! it is exact where every connection shows its SYN, and a bound elsewhere.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use flowcinch::sample;
use flowcinch::sample::SampleConfig;

use crate::case::Case;
use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::number;
use crate::cloud::word;
use crate::plain::Admits;
use crate::plain::Packet;
use crate::plain::PlainCloud;

/// Interface, protocol, local and peer end.
type Tuple = (String, u8, (IpAddr, u16), (IpAddr, u16));

/// Records of one connection at one interface, ingress first.
#[derive(Debug, Default)]
struct Seen {
    accepted: [u64; 2],
    /// Whether some record shows that it was opened this way.
    opened: [bool; 2],
}

/// What the naive reading makes of a rule.
#[derive(Clone, Debug, Default)]
struct Naive {
    records: u64,
    sole_records: u64,
    shared: u64,
    sole: u64,
    /// Records that it may have let through in another reading.
    maybe: u64,
}

impl Naive {
    fn status(&self) -> Option<&'static str> {
        if self.sole > 0 {
            return Some("used");
        }
        (self.shared > 0).then_some("redundant")
    }
}

fn connections(texts: &[String]) -> BTreeMap<Tuple, Seen> {
    let mut seen: BTreeMap<Tuple, Seen> = BTreeMap::new();
    for text in texts {
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(b' ')
            .from_reader(text.as_bytes());
        for row in reader.deserialize::<BTreeMap<String, String>>() {
            let row = row.unwrap();
            if row["log-status"] == "OK" {
                add(&mut seen, &row);
            }
        }
    }
    seen
}

fn add(seen: &mut BTreeMap<Tuple, Seen>, row: &BTreeMap<String, String>) {
    let source = (
        row["pkt-srcaddr"].parse().unwrap(),
        row["srcport"].parse().unwrap(),
    );
    let target = (
        row["pkt-dstaddr"].parse().unwrap(),
        row["dstport"].parse().unwrap(),
    );
    let egress = row["flow-direction"] == "egress";
    let (local, peer) = if egress {
        (source, target)
    } else {
        (target, source)
    };
    let protocol = row["protocol"].parse().unwrap();
    let own = seen
        .entry((row["interface-id"].clone(), protocol, local, peer))
        .or_default();
    let flags: u8 = row["tcp-flags"].parse().unwrap_or(0);
    let way = usize::from(egress);
    own.accepted[way] += u64::from(row["action"] == "ACCEPT");
    // A SYN opens its own way, a SYN-ACK says that the other end opened.
    own.opened[way] |= flags & 0x12 == 0x02;
    own.opened[1 - way] |= flags & 0x12 == 0x12;
}

/// What each rule of the cloud earned.
fn naive(cloud: &PlainCloud, texts: &[String]) -> BTreeMap<String, Naive> {
    let mut earned: BTreeMap<String, Naive> = cloud
        .rules
        .iter()
        .map(|rule| (rule.id.clone(), Naive::default()))
        .collect();
    for ((interface, protocol, local, peer), seen) in connections(texts) {
        let records = seen.accepted[0] + seen.accepted[1];
        if records == 0 || cloud.groups[&interface].is_empty() {
            continue;
        }
        let packet = |egress: bool| Packet {
            egress,
            protocol,
            service: [6, 17]
                .contains(&protocol)
                .then_some(if egress { peer.1 } else { local.1 }),
            peer: peer.0,
        };
        match seen.opened {
            [true, false] | [false, true] => {
                credit(
                    &mut earned,
                    cloud,
                    &interface,
                    packet(seen.opened[1]),
                    seen.accepted,
                );
            }
            _ => {
                for egress in [false, true] {
                    for rule in cloud.admitting(&interface, &packet(egress), Admits::Maybe) {
                        earned.get_mut(&rule.id).unwrap().maybe += records;
                    }
                }
            }
        }
    }
    earned
}

fn credit(
    earned: &mut BTreeMap<String, Naive>,
    cloud: &PlainCloud,
    interface: &str,
    packet: Packet,
    accepted: [u64; 2],
) {
    let ids = |least| -> BTreeSet<String> {
        let rules = cloud.admitting(interface, &packet, least);
        rules.iter().map(|rule| rule.id.clone()).collect()
    };
    let (sure, all) = (ids(Admits::Yes), ids(Admits::Maybe));
    // It did pass: where only one rule may have let it, that one did.
    let sure = if sure.is_empty() && all.len() == 1 {
        all.clone()
    } else {
        sure
    };
    let records = accepted[usize::from(packet.egress)];
    for id in &sure {
        let rule = earned.get_mut(id).unwrap();
        rule.records += records;
        rule.shared += u64::from(all.len() > 1);
        rule.sole += u64::from(all.len() == 1);
        rule.sole_records += if all.len() == 1 { records } else { 0 };
    }
    for id in all.difference(&sure) {
        earned.get_mut(id).unwrap().maybe += records;
    }
}

/// A cloud in which nothing is lost, with the lines that pass the filter.
fn complete(
    seed: u64,
    ipv6: bool,
    kept: impl Fn(&str) -> bool,
) -> (Cloud, PlainCloud, Vec<String>) {
    let case = Case::new();
    let config = SampleConfig {
        out: case.path("made"),
        records: 6_000,
        seed,
        skip_share: 0.0,
        dark_hours: 0,
        ipv6,
        ..SampleConfig::default()
    };
    sample::write(&config).unwrap();
    let cloud = Cloud {
        case,
        snapshots: vec!["made/snapshot".to_owned()],
    };
    let plain = PlainCloud::read(&cloud.case.path("made/snapshot"));
    let (header, lines) = cloud.lines();
    let kept: String = lines.into_iter().filter(|line| kept(line)).collect();
    let text = format!("{header}{kept}");
    cloud.case.file("kept/all.log", &text);
    (cloud, plain, vec![text])
}

#[test]
fn tcp_is_counted_as_the_naive_pipeline_counts_it() {
    let is_tcp = |line: &str| line.split(' ').nth(7) == Some("6");
    for (seed, ipv6) in [(1, false), (2, true), (3, false)] {
        let (cloud, plain, texts) = complete(seed, ipv6, is_tcp);
        let expected = naive(&plain, &texts);
        let analysis = cloud::json(&cloud.analyze(&["kept"]));
        let mut wrong = Vec::new();
        let mut credited = 0;
        for (_, rule) in cloud::rules(&analysis) {
            let naive = &expected[word(rule, "rule_id")];
            let said = (number(rule, "records"), number(rule, "sole_records"));
            let status = ["used", "redundant"]
                .into_iter()
                .find(|status| rule["status"] == *status);
            let agrees = status == naive.status() || naive.maybe > 0;
            if said != (naive.records, naive.sole_records) || !agrees {
                wrong.push(format!(
                    "{}: {naive:?}\n    said {}",
                    word(rule, "rule_id"),
                    rule
                ));
            }
            credited += u64::from(naive.status().is_some());
        }
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
        assert!(
            credited > 20,
            "seed {seed}: only {credited} rules earned anything"
        );
    }
}

#[test]
fn all_traffic_lies_between_the_naive_bounds() {
    for (seed, ipv6) in [(4, false), (5, true)] {
        let (cloud, plain, texts) = complete(seed, ipv6, |_| true);
        let expected = naive(&plain, &texts);
        let analysis = cloud::json(&cloud.analyze(&["kept"]));
        let mut wrong = Vec::new();
        for (_, rule) in cloud::rules(&analysis) {
            let naive = &expected[word(rule, "rule_id")];
            let records = number(rule, "records");
            let within = (naive.records..=naive.records + naive.maybe).contains(&records);
            let denied = naive.status().is_some() && rule["status"] == "unused";
            let robbed =
                naive.sole > 0 && rule["status"] != "used" && rule["status"] != "no_effect";
            let invented = naive.status().is_none()
                && naive.maybe == 0
                && (rule["status"] == "used" || rule["status"] == "redundant");
            if !within || denied || robbed || invented {
                wrong.push(format!(
                    "{}: {naive:?}\n    said {}",
                    word(rule, "rule_id"),
                    rule
                ));
            }
        }
        assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    }
}
