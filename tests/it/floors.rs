//! The tree is the architecture: imports go down only. Every `src/**/*.rs` is
//! read as text, so that a new file cannot escape by being new.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The rooms of the library and the binary, each with its floor.
const FLOORS: [(&str, u32); 15] = [
    ("net", 0),
    ("checksum", 0),
    ("collections", 0),
    ("model", 1),
    ("cloud", 1),
    ("flowlog", 2),
    ("describe", 2),
    ("source", 2),
    ("sample", 2),
    ("evidence", 3),
    ("digest", 4),
    ("attribute", 4),
    ("tighten", 5),
    ("report", 6),
    ("pipeline", 7),
];

/// Rooms of the binary: above everything, and they see the library by its
/// name, not by `crate`.
const TOP: u32 = 8;

/// What the proof may take from the rest of `tighten`: the nouns, and itself.
const PROOF_MAY: [&str; 2] = ["crate::tighten::plan::", "crate::tighten::proof"];

fn floor(room: &str) -> Option<u32> {
    let of_library = FLOORS.iter().find(|(name, _)| *name == room);
    of_library
        .map(|(_, floor)| *floor)
        .or_else(|| ["cli", "main"].contains(&room).then_some(TOP))
}

/// The room that a file under `src` belongs to; `lib.rs` has none.
fn room(path: &str) -> Option<&str> {
    let first = path.split('/').next()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (room != "lib").then_some(room)
}

/// What is wrong with one file, one sentence each. `path` is below `src`.
fn faults(path: &str, text: &str) -> Vec<String> {
    let Some(room) = room(path) else {
        return Vec::new();
    };
    let Some(own) = floor(room) else {
        return vec![format!("{path}: `{room}` has no floor in this test")];
    };
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        let found = faults_of_line(path, room, own, code);
        faults.extend(found.map(|fault| format!("{path}:{number}: {fault}: {}", line.trim())));
    }
    faults.extend(unsorted_blocks(text).map(|fault| format!("{path}: {fault}")));
    faults
}

fn faults_of_line<'a>(
    path: &'a str,
    room: &'a str,
    own: u32,
    code: &'a str,
) -> impl Iterator<Item = &'static str> {
    let mut faults = Vec::new();
    if is_use(code) && code.contains(['{', ',']) {
        faults.push("one path to a `use` line");
    }
    if is_use(code) && !code.trim_end().ends_with(';') {
        faults.push("a `use` line ends on its line");
    }
    if is_use(code) && code.contains("crate::") && code.contains('*') {
        faults.push("own items are imported by name");
    }
    // `super::` could climb out of the room unseen.
    if code.contains("super::") && code.trim() != "use super::*;" {
        faults.push("paths start at `crate`, or at `super::*` in tests");
    }
    for named in mentioned(code, "crate::") {
        let inside = named == room || own == TOP && floor(named) == Some(TOP);
        match floor(named) {
            _ if inside => {}
            Some(other) if other < own => {}
            Some(other) if other == own => faults.push("sideways import"),
            Some(_) => faults.push("upward import"),
            None => faults.push("`crate::` names no room"),
        }
    }
    if own < TOP && mentioned(code, "flowcinch::").next().is_some() {
        faults.push("the library names itself `crate`");
    }
    if own < TOP && mentioned(code, "clap::").next().is_some() {
        faults.push("only the binary sees clap");
    }
    let is_proof = path.starts_with("tighten/proof");
    let taken = code.find("crate::tighten").and_then(|at| code.get(at..));
    if is_proof && taken.is_some_and(|path| !PROOF_MAY.iter().any(|may| path.starts_with(may))) {
        faults.push("the proof takes only nouns from what proposes");
    }
    faults.into_iter()
}

fn is_use(code: &str) -> bool {
    let code = code.trim_start();
    let code = code.strip_prefix("pub").map_or(code, |rest| {
        rest.strip_prefix("(crate)")
            .or_else(|| rest.strip_prefix("(super)"))
            .unwrap_or(rest)
            .trim_start()
    });
    code.starts_with("use ")
}

/// First path segments after each `prefix` in the code.
fn mentioned<'a>(code: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    let starts = code.match_indices(prefix).map(|(at, _)| at);
    let whole = starts.filter(|at| {
        let before = code
            .get(..*at)
            .and_then(|before| before.chars().next_back());
        before.is_none_or(|before| !before.is_alphanumeric() && before != '_' && before != ':')
    });
    whole.map(|at| {
        let rest = code.get(at + prefix.len()..).unwrap_or_default();
        let ends = |letter: char| !letter.is_alphanumeric() && letter != '_';
        rest.split(ends).next().unwrap_or_default()
    })
}

/// The blocks of imports at the head of a file are std, crates, own.
fn unsorted_blocks(text: &str) -> impl Iterator<Item = String> {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        if line.starts_with("use ") && !names_variants(line) {
            if !open {
                blocks.push(Vec::new());
            }
            blocks.last_mut().unwrap().push(kind(line));
            open = true;
        } else {
            open = false;
        }
    }
    let mixed = blocks
        .iter()
        .any(|block| block.windows(2).any(|two| two[0] != two[1]));
    let firsts: Vec<u8> = blocks.iter().map(|block| block[0]).collect();
    let fallen = firsts.windows(2).any(|two| two[0] >= two[1]);
    let fault =
        (mixed || fallen).then(|| "imports stand in three blocks: std, crates, own".to_owned());
    fault.into_iter()
}

/// `use Shape::Round;` shortens a name of the same file: no import.
fn names_variants(line: &str) -> bool {
    let path = line.trim_start_matches("use ");
    path.starts_with(|letter: char| letter.is_ascii_uppercase())
}

fn kind(line: &str) -> u8 {
    if line.starts_with("use std::") {
        0
    } else if line.starts_with("use crate::") {
        2
    } else {
        1
    }
}

fn sources() -> Vec<(String, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![src.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
                found.push((name.replace('\\', "/"), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// What names a cloud: who compares it asks which one it is.
const CLOUDS: [&str; 4] = ["Provider::", "provider ==", "provider !=", ".provider"];

/// Above the model, clouds differ by what their nouns say (ranks, defaults,
/// policies); only what reads their answers and speaks to people or their tools
/// may ask for the name.
#[test]
fn nobody_above_the_model_asks_which_cloud_it_is() {
    let may = [
        "model", "describe", "cloud", "report", "cli", "sample", "main",
    ];
    let mut faults = Vec::new();
    for (path, text) in sources() {
        if room(&path).is_none_or(|room| may.contains(&room)) {
            continue;
        }
        let lines = (1..).zip(text.lines());
        let asking = lines.filter(|(_, line)| {
            let code = line.split("//").next().unwrap_or_default();
            CLOUDS.iter().any(|word| code.contains(word))
        });
        faults.extend(asking.map(|(number, line)| format!("{path}:{number}: {}", line.trim())));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files found", sources.len());
    let found: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| faults(path, text))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_has_a_floor_and_every_module_of_the_crate_is_a_room() {
    for (path, text) in sources()
        .iter()
        .filter(|(path, _)| path == "lib.rs" || path == "main.rs")
    {
        for line in text.lines() {
            let code = line.trim_start_matches("pub ");
            let Some(module) = code
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'))
            else {
                continue;
            };
            assert!(floor(module).is_some(), "{path}: `{module}` has no floor");
        }
    }
}

#[test]
fn what_is_forbidden_is_found() {
    let bad = [
        ("net/port.rs", "use crate::model::Eni;", "upward import"),
        (
            "flowlog/line.rs",
            "use crate::source::Object;",
            "sideways import",
        ),
        (
            "net/mod.rs",
            "use crate::collections::HashMap;",
            "sideways import",
        ),
        (
            "report/json.rs",
            "fn f() { crate::pipeline::analyze(); }",
            "upward import",
        ),
        (
            "pipeline/analyze.rs",
            "use crate::cli::args;",
            "upward import",
        ),
        ("model/sg.rs", "use crate::{net, model};", "one path"),
        ("model/sg.rs", "use std::fmt::{", "one path"),
        ("model/sg.rs", "use crate::net::*;", "by name"),
        (
            "model/sg.rs",
            "use super::super::pipeline::Request;",
            "start at `crate`",
        ),
        ("report/text.rs", "use clap::Parser;", "only the binary"),
        (
            "tighten/proof/mod.rs",
            "use crate::tighten::boxes::Box;",
            "only nouns",
        ),
        (
            "tighten/proof/contain.rs",
            "use crate::tighten::propose;",
            "only nouns",
        ),
        (
            "model/sg.rs",
            "use crate::net::Cidr;\nuse std::fmt;",
            "three blocks",
        ),
        (
            "model/sg.rs",
            "use crate::net::Cidr;\n\nuse std::fmt;",
            "three blocks",
        ),
        ("model/sg.rs", "use crate::nets::Cidr;", "names no room"),
        ("oddity/mod.rs", "", "has no floor"),
    ];
    for (path, text, fault) in bad {
        let found = faults(path, text);
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{path} {text}: {found:?}"
        );
    }
    let good = [
        (
            "pipeline/ingest.rs",
            "use std::fmt;\n\nuse rayon::prelude::*;\n\nuse crate::report::document::Analysis;",
        ),
        (
            "tighten/proof/mod.rs",
            "use crate::attribute::needs::Need;\nuse crate::tighten::plan::Proposal;",
        ),
        (
            "net/port.rs",
            "//! [`crate::model`] says.\nuse crate::net::time::DAY;",
        ),
        (
            "cli/analyze.rs",
            "use flowcinch::pipeline;\n\nuse crate::cli::args::Args;",
        ),
        ("lib.rs", "pub mod net;"),
    ];
    for (path, text) in good {
        assert_eq!(faults(path, text), Vec::<String>::new(), "{path} {text}");
    }
}
