//! Who opened connections, by how sure that is said to be.
//!
//! Statuses show it only in sum, so the evidence is judged here as the program
//! judges it, once for each confidence: what is settled at one and not at the
//! next higher is of that confidence.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use flowcinch::attribute;
use flowcinch::attribute::initiator::Certainty;
use flowcinch::attribute::owners::Owners;
use flowcinch::attribute::scene::Scene;
use flowcinch::attribute::table::RuleTable;
use flowcinch::describe;
use flowcinch::evidence::Evidence;
use flowcinch::evidence::era::Eras;
use flowcinch::flowlog::ObjectReader;
use flowcinch::flowlog::Sink;
use flowcinch::flowlog::error::LineError;
use flowcinch::flowlog::header::Layout;
use flowcinch::model::Direction;
use flowcinch::model::Row;
use serde_json::Value;

use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::word;

/// Strongest first.
const LEVELS: [(Certainty, &str); 3] = [
    (Certainty::Certain, "certain"),
    (Certainty::Only, "only"),
    (Certainty::High, "high"),
];

/// Conversations by confidence: right, and wrong.
#[derive(Debug, Default)]
pub(super) struct Initiators {
    counts: BTreeMap<usize, (u64, u64)>,
    wrong: Vec<String>,
}

/// A conversation seen from an interface, in one reading.
type Reading = (String, bool, String, u16, IpAddr);

struct Folding<'e>(Evidence, &'e Eras);

impl Sink for Folding<'_> {
    fn row(&mut self, row: &Row) {
        self.0.fold(row, self.1);
    }

    fn malformed(&mut self, error: &LineError) {
        panic!("{error:?}");
    }
}

impl Initiators {
    pub(super) fn add(&mut self, cloud: &Cloud, truth: &Value) {
        let (opened, pairs) = opened(truth);
        let snapshot = describe::load(&cloud.case.path("made/snapshot"));
        let snapshot = snapshot.unwrap().snapshot;
        let eras = Eras::default();
        let mut folding = Folding(Evidence::default(), &eras);
        let mut reader = ObjectReader::new(&Layout::default());
        for text in cloud.texts() {
            reader.feed(text.as_bytes(), &mut folding);
            reader.finish_whole(&mut folding).unwrap();
        }
        let evidence = folding.0;
        let scenes = [Scene::new(&snapshot)];
        let table = RuleTable::new(&snapshot);
        let owners = Owners::of(&evidence, &[&snapshot]);
        let mut settled: BTreeSet<Reading> = BTreeSet::new();
        for (level, (certainty, _)) in LEVELS.into_iter().enumerate() {
            let judged =
                attribute::attribute(&evidence, &scenes, &eras, &owners, &table, certainty);
            for one in judged.passed.iter().filter(|one| !one.in_doubt) {
                let reading: Reading = (
                    one.interface_id.to_string(),
                    one.direction == Direction::Ingress,
                    one.protocol.to_string(),
                    one.service.from(),
                    one.peer,
                );
                let place = (reading.0.clone(), one.peer);
                // Without ports, or behind a translation, the truth has no such
                // reading to hold it against.
                let comparable = one.protocol.has_ports() && one.service.count() == 1;
                if !comparable || !pairs.contains(&place) || !settled.insert(reading.clone()) {
                    continue;
                }
                let (right, wrong) = self.counts.entry(level).or_default();
                if opened.contains(&reading) {
                    *right += 1;
                } else {
                    *wrong += 1;
                    self.wrong.push(format!("{certainty:?} {reading:?}"));
                }
            }
        }
        self.wrong.truncate(20);
    }

    /// At least 99.9 % of what is called certain, and 99.5 % of what is high.
    pub(super) fn check(&self, title: &str) {
        for (level, (_, name)) in LEVELS.into_iter().enumerate() {
            let (right, wrong) = self.counts.get(&level).copied().unwrap_or_default();
            let allowed = if name == "high" { 5 } else { 1 };
            assert!(
                wrong * 1_000 <= (right + wrong) * allowed,
                "{title}: {name}: {right} right, {wrong} wrong: {:#?}",
                self.wrong
            );
        }
    }
}

impl fmt::Display for Initiators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, (_, name)) in LEVELS.into_iter().enumerate() {
            let (right, wrong) = self.counts.get(&level).copied().unwrap_or_default();
            let comma = if level > 0 { ", " } else { "" };
            write!(f, "{comma}{name} {right} of {}", right + wrong)?;
        }
        Ok(())
    }
}

/// Every reading that is true, and every pair of interface and far side.
fn opened(truth: &Value) -> (BTreeSet<Reading>, BTreeSet<(String, IpAddr)>) {
    let (mut opened, mut pairs) = (BTreeSet::new(), BTreeSet::new());
    for connection in list(truth, "connections") {
        let [initiator, responder] = ["initiator", "responder"].map(|end| &connection[end]);
        let port = connection["service_port"].as_u64().unwrap_or(0);
        let port = u16::try_from(port).unwrap();
        for (own, other, ingress) in [(initiator, responder, false), (responder, initiator, true)] {
            let Some(id) = own["interface_id"].as_str() else {
                continue;
            };
            let peer: IpAddr = word(other, "address").parse().unwrap();
            pairs.insert((id.to_owned(), peer));
            let protocol = word(connection, "protocol").to_owned();
            opened.insert((id.to_owned(), ingress, protocol, port, peer));
        }
    }
    (opened, pairs)
}
