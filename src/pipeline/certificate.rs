//! Certificates from a run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::attribute::needs::Passed;
use crate::attribute::table::RuleTable;
use crate::attribute::verdicts::Verdicts;
use crate::attribute::watch;
use crate::checksum::sha256;
use crate::describe;
use crate::model::Direction;
use crate::model::SgId;
use crate::pipeline::request::Assign;
use crate::pipeline::request::MinConfidence;
use crate::pipeline::request::Obligations;
use crate::pipeline::request::Request;
use crate::report::document::Analysis;
use crate::tighten::proof::certificate::Assumption;
use crate::tighten::proof::certificate::Certificate;
use crate::tighten::proof::certificate::Certified;
use crate::tighten::proof::certificate::HashedFile;
use crate::tighten::proof::certificate::Inputs;
use crate::tighten::proof::certificate::Uncertified;

/// Memory where none was asked for.
pub(super) const DEFAULT: &str = "default";

/// Conversations hashed together.
const PART: usize = 4_096;

/// A certificate that waits for the analysis it goes with.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the proposals rest on.
    pub certified: Vec<Certified>,
    /// Proposals that a certificate says nothing of.
    pub uncertified: Vec<Uncertified>,
    /// Conversations that passed.
    pub passed: u64,
    /// Their hash.
    pub passed_sha256: String,
    /// What is taken for granted beside what the proposals show.
    pub assumptions: Vec<Assumption>,
}

impl Draft {
    /// The certificate, beside the analysis as it is `written`.
    ///
    /// # Errors
    /// A snapshot that can no longer be read.
    pub fn sealed(
        self,
        request: &Request,
        analysis: &Analysis,
        written: HashedFile,
    ) -> io::Result<Certificate> {
        let inputs = Inputs {
            window: analysis.window,
            records: analysis.ingest.records,
            memory: memory(request, !analysis.ingest.coarsened.is_empty()),
            passed: self.passed,
            passed_sha256: self.passed_sha256,
            obligations: obligations(request).to_owned(),
            assign: assign(request).to_owned(),
            min_confidence: min_confidence(request).to_owned(),
            snapshots: hashed_snapshots(&request.snapshots)?,
            analysis: written,
        };
        Ok(Certificate::sealed(
            inputs,
            self.certified,
            self.uncertified,
            self.assumptions,
        ))
    }
}

/// The memory that decided how coarse the evidence is, if it is.
pub(super) fn memory(request: &Request, is_coarse: bool) -> Option<String> {
    let asked = || request.memory.map_or(DEFAULT.to_owned(), |m| m.to_string());
    is_coarse.then(asked)
}

pub(super) fn obligations(request: &Request) -> &'static str {
    match request.obligations {
        Obligations::All => "all",
        Obligations::Answered => "answered",
    }
}

pub(super) fn assign(request: &Request) -> &'static str {
    match request.assign {
        Assign::All => "all",
        Assign::One => "one",
    }
}

pub(super) fn min_confidence(request: &Request) -> &'static str {
    match request.min_confidence {
        MinConfidence::Certain => "certain",
        MinConfidence::High => "high",
    }
}

pub(super) fn hashed(name: &str, bytes: &[u8]) -> HashedFile {
    HashedFile {
        name: name.to_owned(),
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        sha256: sha256(bytes),
    }
}

pub(super) fn hashed_snapshots(paths: &[PathBuf]) -> io::Result<Vec<Vec<HashedFile>>> {
    let mut snapshots: Vec<Vec<HashedFile>> = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        for file in describe::inputs(path)? {
            let inner = file.strip_prefix(path).unwrap_or(&file);
            let name = if inner.as_os_str().is_empty() {
                file.file_name().unwrap_or_default().to_string_lossy()
            } else {
                inner.to_string_lossy()
            };
            files.push(hashed(&name, &fs::read(&file)?));
        }
        files.sort();
        snapshots.push(files);
    }
    snapshots.sort();
    Ok(snapshots)
}

/// One hash of everything that passed, whatever the number of threads.
#[must_use]
pub fn hash_of_passed(passed: &[Passed]) -> String {
    let parts = passed.par_chunks(PART).map(|part| {
        let text: String = part.iter().map(line).collect();
        sha256(text.as_bytes())
    });
    let parts: Vec<String> = parts.collect();
    sha256(parts.join("\n").as_bytes())
}

fn line(one: &Passed) -> String {
    let rules: Vec<String> = one
        .covered_by
        .iter()
        .map(|by| format!("{} {}", by.group_id, by.rule_id))
        .collect();
    format!(
        "{} {} {} {} {}{} {} {} {} {}\n",
        one.interface_id,
        one.direction,
        one.protocol,
        one.service,
        one.peer,
        one.among
            .map_or_else(String::new, |net| format!("/{}", net.prefix_len())),
        one.in_doubt,
        one.answered,
        one.records,
        rules.join(" ")
    )
}

/// What is taken for granted of who opened connections, by group and direction.
#[must_use]
pub fn of_initiators(verdicts: &Verdicts, table: &RuleTable<'_>) -> Vec<Assumption> {
    let mut unlikely: BTreeMap<(&SgId, Direction), u64> = BTreeMap::new();
    for verdict in &verdicts.rules {
        if let Some((group, rule)) = table.get(verdict.rule) {
            *unlikely.entry((&group.id, rule.direction)).or_default() += verdict.earned.unlikely;
        }
    }
    let assumed = unlikely.into_iter().filter(|(_, count)| *count > 0);
    assumed
        .map(|((group, direction), count)| Assumption {
            kind: "initiator".to_owned(),
            about: format!("{group} {direction}"),
            text: format!(
                "opened by the other end, as many records agree: {}; `--min-confidence certain` does without",
                watch::counted(usize::try_from(count).unwrap_or(usize::MAX), "conversation")
            ),
        })
        .collect()
}
