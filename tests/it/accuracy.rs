//! What is said against what is true: statuses of rules and causes of REJECTs
//! on made-up clouds whose truth is known. An unsafe verdict, one on which
//! somebody would remove what is needed, fails; lesser misses are counted and
//! printed (`cargo test accuracy -- --nocapture`).

use std::collections::BTreeMap;

use flowcinch::sample;
use flowcinch::sample::SampleConfig;
use serde_json::Value;

use crate::case::Case;
use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::number;
use crate::cloud::word;

const SEEDS: [u64; 6] = [1, 2, 3, 4, 5, 6];

/// Counts by what is true and what was said.
type Table = BTreeMap<(String, String), u64>;

struct Judged {
    truth: Value,
    said: Value,
}

/// A cloud in which no record is lost.
fn judged(seed: u64, format_version: u8) -> Judged {
    let case = Case::new();
    sample::write(&SampleConfig {
        out: case.path("made"),
        records: 20_000,
        seed,
        format_version,
        skip_share: 0.0,
        dark_hours: 0,
        ..SampleConfig::default()
    })
    .unwrap();
    let cloud = Cloud {
        case,
        snapshots: vec!["made/snapshot".to_owned()],
    };
    Judged {
        truth: cloud.truth(),
        said: cloud::json(&cloud.analyze(&["made/logs"])),
    }
}

fn rules_by_id(judged: &Judged) -> Vec<(&Value, &Value)> {
    let said: BTreeMap<&str, &Value> = cloud::rules(&judged.said)
        .map(|(_, rule)| (word(rule, "rule_id"), rule))
        .collect();
    let truth = list(&judged.truth, "rules");
    assert_eq!(truth.len(), said.len());
    truth
        .iter()
        .map(|rule| (rule, said[word(rule, "rule_id")]))
        .collect()
}

/// Both would have somebody act on what is not so.
fn is_unsafe(truth: &str, said: &str) -> bool {
    let needed = truth == "used" || truth == "redundant";
    (needed && said == "unused") || (truth != "used" && said == "used")
}

#[expect(clippy::print_stdout, reason = "the table is what the test measures")]
fn show(title: &str, table: &Table) {
    println!("{title}");
    for ((truth, said), count) in table {
        println!("  {truth:>16} said {said:<28} {count:>7}");
    }
}

fn statuses(format_version: u8) -> (Table, Vec<String>) {
    let mut table = Table::new();
    let mut unsafe_ones = Vec::new();
    for seed in SEEDS {
        let judged = judged(seed, format_version);
        for (truth, said) in rules_by_id(&judged) {
            let (is, told) = (word(truth, "status"), word(said, "status"));
            *table.entry((is.to_owned(), told.to_owned())).or_default() += 1;
            if is_unsafe(is, told) {
                unsafe_ones.push(format!("seed {seed}:\n  truth {truth}\n  said  {said}"));
            }
        }
    }
    show(&format!("rules, format {format_version}"), &table);
    (table, unsafe_ones)
}

#[test]
fn no_rule_of_rich_logs_gets_an_unsafe_status() {
    let (table, unsafe_ones) = statuses(5);
    assert!(unsafe_ones.is_empty(), "{}", unsafe_ones.join("\n"));
    // Safe by silence would be no success. What keeps a rule in doubt: pings
    // from strangers, and readings that are unlikely and not excluded.
    let settled = |status: &str| {
        table
            .get(&(status.into(), status.into()))
            .copied()
            .unwrap_or(0)
    };
    let of = |status: &str| -> u64 {
        let own = table.iter().filter(|((truth, _), _)| truth == status);
        own.map(|(_, count)| count).sum()
    };
    for status in ["used", "unused"] {
        assert!(
            settled(status) * 100 >= of(status) * 85,
            "{status}: {table:?}"
        );
    }
}

#[test]
fn no_rule_of_default_logs_gets_an_unsafe_status() {
    let (_, unsafe_ones) = statuses(2);
    assert!(unsafe_ones.is_empty(), "{}", unsafe_ones.join("\n"));
}

/// What both documents fold REJECTs by.
fn reject_key(reject: &Value) -> String {
    let part = |key: &str| reject[key].to_string();
    [
        "interface_id",
        "direction",
        "protocol",
        "port",
        "peer",
        "reply",
    ]
    .map(part)
    .join(" ")
}

#[test]
fn causes_of_rejects_in_rich_logs_are_true() {
    let mut table = Table::new();
    let mut wrong = Vec::new();
    for seed in SEEDS {
        let judged = judged(seed, 5);
        assert_eq!(judged.truth["further_reject_records"], 0);
        let said = list(&judged.said, "rejects");
        let said: BTreeMap<String, &Value> =
            said.iter().map(|one| (reject_key(one), one)).collect();
        for truth in list(&judged.truth, "rejects") {
            let own = said.get(&reject_key(truth));
            let (cause, verdict) = own.map_or(("nothing", ""), |one| {
                (word(one, "cause"), word(one, "verdict"))
            });
            let is = word(truth, "cause");
            let right = match is {
                "late" => (cause, verdict) == ("unexplained", "expected"),
                cause_is => cause == cause_is,
            };
            *table
                .entry((is.to_owned(), format!("{cause} ({verdict})")))
                .or_default() += number(truth, "records");
            if !right {
                wrong.push(format!("seed {seed}:\n  truth {truth}\n  said  {own:?}"));
            }
        }
    }
    show("REJECT records", &table);
    assert!(
        wrong.is_empty(),
        "{} wrong\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
}
