//! Every folder of `tests/golden`: a small cloud, its logs, and the verdict
//! that the two must give. What is written there comes from the meaning of
//! groups and logs, never from what the program happened to say.
//!
//! A folder holds `logs/`, `snapshot/` (or several folders in it, one a
//! time), `args` (a flag a line, may be empty), `README.md` and
//! `expected.json`. The keys of the last:
//!
//! - `exit`: the exit code;
//! - `rules`, `groups`, `proposals`: what holds of one, by rule id, by group
//!   id, by `GROUP DIRECTION`;
//! - any key of `analysis.json`: what holds of its value;
//! - `not_proposed_peers`: peers that no proposed rule may name;
//! - `still_allows`, `no_longer_allows`: packets that pass, or do not, once
//!   the proposals are applied (see [`packet`]);
//! - `same_with`: other argument lists, run in the scenario's folder, that
//!   must print the same bytes.
//!
//! How values are compared is told in [`matcher`]. Of every scenario it must
//! also hold that the proof found nothing broken and nothing widened.

mod matcher;
mod packet;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Map;
use serde_json::Value;

use crate::case::Case;
use crate::case::Run;
use crate::golden::matcher::Faults;

/// Scenarios that the program gets wrong today, each with the reason. A
/// scenario that begins to pass must leave the list.
const OPEN: &[(&str, &str)] = &[];

#[test]
fn every_scenario_gives_its_verdict() {
    let names = names();
    let mut wrong = Vec::new();
    for name in &names {
        let Outcome { faults, unsound } = Scenario::read(name).check();
        wrong.extend(unsound.into_iter().map(|fault| format!("{name}: {fault}")));
        match (open(name), faults.is_empty()) {
            (None, _) => wrong.extend(faults.into_iter().map(|fault| format!("{name}: {fault}"))),
            (Some(why), true) => {
                wrong.push(format!("{name}: passes now: take it off OPEN ({why})"));
            }
            (Some(_), false) => {}
        }
    }
    let known = |name: &str| names.iter().any(|own| own == name);
    let strangers = OPEN.iter().filter(|(name, _)| !known(name));
    wrong.extend(strangers.map(|(name, _)| format!("{name}: is in OPEN and has no folder")));
    assert!(
        wrong.is_empty(),
        "{} faults\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

fn open(name: &str) -> Option<&'static str> {
    let mut entries = OPEN.iter();
    entries.find(|(own, _)| *own == name).map(|(_, why)| *why)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The folders, sorted.
fn names() -> Vec<String> {
    let entries = fs::read_dir(root()).unwrap().map(Result::unwrap);
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What a scenario came to.
struct Outcome {
    /// Against what its folder expects.
    faults: Faults,
    /// Against what must hold of any analysis, in `OPEN` or not.
    unsound: Faults,
}

struct Scenario {
    folder: PathBuf,
    args: Vec<String>,
    expected: Map<String, Value>,
}

impl Scenario {
    fn read(name: &str) -> Scenario {
        let folder = root().join(name);
        let text = |file: &str| {
            let path = folder.join(file);
            fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("golden {name}: `{}`: {error}", path.display()))
        };
        assert!(text("README.md").lines().count() >= 2, "{name}: README.md");
        let expected = serde_json::from_str(&text("expected.json"))
            .unwrap_or_else(|error| panic!("golden {name}: expected.json: {error}"));
        let args = text("args").lines().map(str::to_owned).collect();
        Scenario {
            folder,
            args,
            expected,
        }
    }

    fn check(&self) -> Outcome {
        let run = self.run(&["logs"]);
        if !matches!(run.status, Some(0 | 1 | 3)) {
            let unsound = vec![format!("ended with {:?}: {}", run.status, run.stderr)];
            return Outcome {
                faults: Faults::new(),
                unsound,
            };
        }
        let analysis: Value = serde_json::from_slice(&run.stdout).unwrap();
        let mut faults = Faults::new();
        for (key, expected) in &self.expected {
            faults.extend(self.check_key(key, expected, &analysis, &run));
        }
        Outcome {
            faults,
            unsound: sound(&analysis),
        }
    }

    fn run(&self, args: &[&str]) -> Run {
        let case = Case::new();
        let mut all = vec!["analyze".to_owned()];
        // What is no flag and no flag's value is a path within the folder.
        let own = |arg: &str| self.folder.join(arg).to_str().unwrap().to_owned();
        all.extend(args.iter().map(|arg| match arg.strip_prefix("logs") {
            Some(_) => own(arg),
            None => (*arg).to_owned(),
        }));
        for snapshot in self.snapshots() {
            all.extend(["--snapshot".to_owned(), own(&snapshot)]);
        }
        all.extend(["--format".to_owned(), "json".to_owned()]);
        all.extend(self.args.iter().cloned());
        case.run(&all.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The folders in `snapshot`, or itself.
    fn snapshots(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.join("snapshot")).unwrap();
        let mut folders: Vec<String> = entries
            .map(Result::unwrap)
            .filter(|entry| entry.path().is_dir())
            .map(|entry| format!("snapshot/{}", entry.file_name().to_str().unwrap()))
            .collect();
        folders.sort();
        if folders.is_empty() {
            folders.push("snapshot".to_owned());
        }
        folders
    }

    fn check_key(&self, key: &str, expected: &Value, analysis: &Value, run: &Run) -> Faults {
        let named = |found: Vec<(String, &Value)>| by_name(key, expected, &found);
        match key {
            "exit" => matcher::compare("exit", expected, &Value::from(run.status)),
            "rules" => named(rules(analysis)),
            "groups" => named(keyed(&analysis["security_groups"], &["group_id"])),
            "proposals" => named(keyed(&analysis["proposals"], &["group_id", "direction"])),
            "not_proposed_peers" => not_proposed(&strings(expected), analysis),
            "still_allows" => packet::check(&strings(expected), true, analysis),
            "no_longer_allows" => packet::check(&strings(expected), false, analysis),
            "same_with" => self.same_with(expected, run),
            key => matcher::compare(key, expected, &analysis[key]),
        }
    }

    fn same_with(&self, expected: &Value, run: &Run) -> Faults {
        let lists = expected.as_array().unwrap().iter().map(strings);
        let differs = |args: &Vec<&str>| self.run(args).stdout != run.stdout;
        lists
            .filter(differs)
            .map(|args| format!("`{}` prints another analysis", args.join(" ")))
            .collect()
    }
}

/// What must hold of any analysis.
fn sound(analysis: &Value) -> Faults {
    let none = Value::from(0);
    let proof = &analysis["verification"];
    let mut faults = matcher::compare("verification.broken", &none, &proof["broken"]);
    faults.extend(matcher::compare(
        "verification.widened",
        &none,
        &proof["widened"],
    ));
    faults
}

fn strings(value: &Value) -> Vec<&str> {
    let items = value.as_array().unwrap().iter();
    items.map(|item| item.as_str().unwrap()).collect()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

/// Items of a list by the text of some of their keys.
fn keyed<'a>(list: &'a Value, keys: &[&str]) -> Vec<(String, &'a Value)> {
    let name = |item: &Value| {
        let parts: Vec<&str> = keys.iter().map(|key| item[key].as_str().unwrap()).collect();
        parts.join(" ")
    };
    items(list).map(|item| (name(item), item)).collect()
}

fn rules(analysis: &Value) -> Vec<(String, &Value)> {
    items(&analysis["security_groups"])
        .flat_map(|group| keyed(&group["rules"], &["rule_id"]))
        .collect()
}

/// Compares each expected item with the found one of its name.
fn by_name(key: &str, expected: &Value, found: &[(String, &Value)]) -> Faults {
    let one = |(name, expected): (&String, &Value)| {
        let path = format!("{key}[{name}]");
        match found.iter().find(|(own, _)| own == name) {
            Some((_, found)) => matcher::compare(&path, expected, found),
            None => vec![format!("{path}: there is none")],
        }
    };
    expected.as_object().unwrap().iter().flat_map(one).collect()
}

fn not_proposed(peers: &[&str], analysis: &Value) -> Faults {
    let mut faults = Faults::new();
    for proposal in items(&analysis["proposals"]) {
        for rule in items(&proposal["rules"]) {
            let named = rule["peer"].as_object().unwrap().values();
            let bad = named.filter(|name| peers.contains(&name.as_str().unwrap()));
            faults.extend(bad.map(|name| format!("{name} is proposed: {rule}")));
        }
    }
    faults
}
