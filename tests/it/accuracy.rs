//! What is said against what is true: statuses of rules, causes of REJECTs and
//! who opened connections, on made-up clouds whose truth is known. An unsafe
//! verdict, one on which somebody would remove what is needed, fails; lesser
//! misses are counted and bounded. The table of the README:
//! `FLOWCINCH_CLOUDS=20 cargo test --test it accuracy -- --nocapture`.

mod initiators;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::RangeInclusive;

use flowcinch::model::Provider;
use flowcinch::sample;
use flowcinch::sample::Form;
use flowcinch::sample::SampleConfig;
use serde_json::Value;

use crate::accuracy::initiators::Initiators;
use crate::case::Case;
use crate::cloud;
use crate::cloud::Cloud;
use crate::cloud::list;
use crate::cloud::number;
use crate::cloud::word;

/// Records of a cloud: more than 6,500 connections each.
const RECORDS: u64 = 20_000;

/// How much the logs tell, and how hard the cloud makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Setting {
    provider: Provider,
    format_version: u8,
    /// 2 % of the interface-minutes lost, and tasks that come and go.
    lossy: bool,
    /// Least share of rules said exactly, in thousandths, ICMP aside. What stays
    /// in doubt is much the same in every cloud: what a balancer brought under
    /// its clients' addresses where records were lost, and in the default format
    /// that too, gossip between equal ports, and few clients of a high port.
    exact: u64,
}

const SETTINGS: [Setting; 6] = [
    Setting {
        provider: Provider::Aws,
        format_version: 5,
        lossy: false,
        exact: 1_000,
    },
    Setting {
        provider: Provider::Aws,
        format_version: 5,
        lossy: true,
        exact: 990,
    },
    Setting {
        provider: Provider::Aws,
        format_version: 2,
        lossy: false,
        exact: 950,
    },
    Setting {
        provider: Provider::Aws,
        format_version: 2,
        lossy: true,
        exact: 950,
    },
    Setting {
        provider: Provider::Alibaba,
        format_version: 5,
        lossy: false,
        exact: 1_000,
    },
    Setting {
        provider: Provider::Alibaba,
        format_version: 5,
        lossy: true,
        exact: 990,
    },
];

impl Setting {
    fn title(self) -> String {
        let format = match (self.provider, self.format_version) {
            (Provider::Alibaba, _) => "Alibaba Cloud",
            (Provider::Aws, 2) => "default format",
            (Provider::Aws, _) => "format 5",
        };
        let loss = if self.lossy {
            "2 % lost, churn"
        } else {
            "nothing lost"
        };
        format!("{format}, {loss}")
    }

    fn cloud(self, seed: u64) -> Cloud {
        let case = Case::new();
        sample::write(&SampleConfig {
            out: case.path("made"),
            provider: self.provider,
            form: match self.provider {
                Provider::Aws => Form::Text,
                Provider::Alibaba => Form::OssJson,
            },
            records: RECORDS,
            seed,
            format_version: self.format_version,
            skip_share: if self.lossy { 0.02 } else { 0.0 },
            churn: self.lossy,
            dark_hours: 0,
            ..SampleConfig::default()
        })
        .unwrap();
        Cloud {
            case,
            snapshots: vec!["made/snapshot".to_owned()],
        }
    }
}

/// Counts by what is true and what was said.
type Table = BTreeMap<(String, String), u64>;

/// What all clouds of a setting came to.
#[derive(Debug, Default)]
struct Score {
    connections: u64,
    rules: Table,
    /// Rules of ICMP: no log tells types, nor therefore who asked, so in doubt
    /// is all that can be said of most.
    icmp: Table,
    unsafe_ones: Vec<String>,
    /// Rules that are not said exactly, by what they are.
    inexact: BTreeMap<String, u64>,
    rejects: u64,
    rejects_wrong: u64,
    first_wrong: Vec<String>,
    initiators: Initiators,
}

impl Score {
    fn of(setting: Setting, seeds: RangeInclusive<u64>) -> Score {
        let mut score = Score::default();
        for seed in seeds {
            let cloud = setting.cloud(seed);
            let truth = cloud.truth();
            let said = cloud::json(&cloud.analyze(&["made/logs"]));
            score.connections += number(&truth, "connections_opened");
            score.add_rules(seed, &truth, &said);
            score.add_rejects(seed, &truth, &said);
            score.initiators.add(&cloud, &truth);
        }
        score
    }

    fn add_rules(&mut self, seed: u64, truth: &Value, said: &Value) {
        for (truth, said) in rules_by_id(truth, said) {
            let (is, told) = (word(truth, "status"), word(said, "status"));
            let table = if is_icmp(said) {
                &mut self.icmp
            } else {
                &mut self.rules
            };
            *table.entry((is.to_owned(), told.to_owned())).or_default() += 1;
            if is != told {
                let what = ["group_name", "direction"].map(|key| word(truth, key));
                let [group, direction] = what;
                let text = format!("{group} {direction} {}, {is}", word(said, "protocol"));
                *self.inexact.entry(text).or_default() += 1;
            }
            if is_unsafe(is, told) {
                let text = format!("seed {seed}:\n  truth {truth}\n  said  {said}");
                self.unsafe_ones.push(text);
            }
        }
    }

    /// Whether each REJECT has its true cause.
    fn add_rejects(&mut self, seed: u64, truth: &Value, said: &Value) {
        let said = list(said, "rejects");
        let said: BTreeMap<String, &Value> =
            said.iter().map(|one| (reject_key(one), one)).collect();
        for truth in list(truth, "rejects") {
            let own = said.get(&reject_key(truth));
            let (cause, verdict) = own.map_or(("nothing", ""), |one| {
                (word(one, "cause"), word(one, "verdict"))
            });
            let right = match word(truth, "cause") {
                "late" => (cause, verdict) == ("unexplained", "expected"),
                cause_is => cause == cause_is,
            };
            let records = number(truth, "records");
            self.rejects += records;
            if !right {
                self.rejects_wrong += records;
                let text = format!("seed {seed}:\n  truth {truth}\n  said  {own:?}");
                self.first_wrong.push(text);
            }
        }
        self.first_wrong.truncate(10);
    }

    /// Rules said exactly, and all, in thousandths.
    fn exact(&self) -> u64 {
        let all: u64 = self.rules.values().sum();
        let exact = self.rules.iter().filter(|((is, told), _)| is == told);
        exact.map(|(_, count)| count).sum::<u64>() * 1_000 / all
    }

    /// A row of the README's table.
    fn row(&self, setting: Setting) -> String {
        let all: u64 = self.rules.values().sum();
        let of = |part: u64, all: u64| {
            let share = u128::from(part) * 100_000 / u128::from(all.max(1));
            format!("{}.{:03} %", share / 1_000, share % 1_000)
        };
        let exact = self.rules.iter().filter(|((is, told), _)| is == told);
        let exact: u64 = exact.map(|(_, count)| count).sum();
        format!(
            "| {} | {} | {all} | {} | {} | {} | {} |",
            setting.title(),
            self.connections,
            of(exact, all),
            self.unsafe_ones.len(),
            of(self.rejects - self.rejects_wrong, self.rejects),
            self.initiators,
        )
    }

    fn details(&self) -> String {
        let mut text = String::new();
        for (title, table) in [("rules", &self.rules), ("rules of ICMP", &self.icmp)] {
            for ((truth, said), count) in table {
                writeln!(text, "  {title}: {truth} said {said}: {count}").unwrap();
            }
        }
        for (what, count) in &self.inexact {
            writeln!(text, "  not exact: {what}: {count}").unwrap();
        }
        text
    }

    fn check(&self, setting: Setting) {
        let title = setting.title();
        assert!(
            self.unsafe_ones.is_empty(),
            "{title}: {}",
            self.unsafe_ones.join("\n")
        );
        assert!(
            self.exact() >= setting.exact,
            "{title}: {} of 1,000 exact\n{}",
            self.exact(),
            self.details()
        );
        // All that is not exact must be in doubt and say so.
        for ((is, told), _) in self.rules.iter().chain(&self.icmp) {
            let in_doubt = told == "unobservable";
            assert!(is == told || in_doubt, "{title}: {is} said {told}");
        }
        if setting.format_version == 5 && !setting.lossy {
            assert_eq!(self.rejects_wrong, 0, "{}", self.first_wrong.join("\n"));
        }
        self.initiators.check(&title);
    }
}

fn rules_by_id<'v>(truth: &'v Value, said: &'v Value) -> Vec<(&'v Value, &'v Value)> {
    let said: BTreeMap<&str, &Value> = cloud::rules(said)
        .map(|(_, rule)| (word(rule, "rule_id"), rule))
        .collect();
    let truth = list(truth, "rules");
    assert_eq!(truth.len(), said.len());
    truth
        .iter()
        .map(|rule| (rule, said[word(rule, "rule_id")]))
        .collect()
}

/// Whether the rule is for ICMP alone.
fn is_icmp(rule: &Value) -> bool {
    word(rule, "protocol").starts_with("icmp")
}

/// Both would have somebody act on what is not so.
fn is_unsafe(truth: &str, said: &str) -> bool {
    let needed = truth == "used" || truth == "redundant";
    (needed && said == "unused") || (truth != "used" && said == "used")
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

#[expect(clippy::print_stdout, reason = "the table is what the test measures")]
fn run(seeds: RangeInclusive<u64>) {
    println!("| logs | connections | rules | exact | unsafe | REJECT causes right | initiators |");
    println!("|---|--:|--:|--:|--:|--:|---|");
    let scores = SETTINGS.map(|setting| (setting, Score::of(setting, seeds.clone())));
    for (setting, score) in &scores {
        println!("{}", score.row(*setting));
    }
    for (setting, score) in &scores {
        println!("{}\n{}", setting.title(), score.details());
        score.check(*setting);
    }
}

#[test]
fn some_clouds_of_each_kind_keep_the_bounds() {
    // FLOWCINCH_CLOUDS asks for more of them than two, which takes minutes.
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let clouds = std::env::var("FLOWCINCH_CLOUDS");
    let clouds = clouds.ok().and_then(|clouds| clouds.parse().ok());
    run(1..=clouds.unwrap_or(2));
}
