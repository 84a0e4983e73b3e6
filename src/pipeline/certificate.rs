//! Certificates from a run, and certificates held against what they were made
//! from.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;

use crate::attribute::needs;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::checksum::sha256;
use crate::describe;
use crate::model::Direction;
use crate::model::SgId;
use crate::model::SnapshotSeries;
use crate::net::Span;
use crate::pipeline::analyze;
use crate::pipeline::error::PipelineError;
use crate::pipeline::request::Assign;
use crate::pipeline::request::MinConfidence;
use crate::pipeline::request::Obligations;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::seen::Seen;
use crate::pipeline::seen::seen;
use crate::pipeline::snapshots;
use crate::tighten::proof::certificate::Assumption;
use crate::tighten::proof::certificate::Certificate;
use crate::tighten::proof::certificate::Certified;
use crate::tighten::proof::certificate::HashedFile;
use crate::tighten::proof::certificate::Inputs;
use crate::tighten::proof::certificate::Obligation;

/// Conversations hashed together.
const PART: usize = 4_096;

/// A certificate that waits for the analysis it goes with.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What the proposals rest on.
    pub certified: Vec<Certified>,
    /// Conversations that passed.
    pub passed: u64,
    /// Their hash.
    pub passed_sha256: String,
    /// What is taken for granted beside what the proposals show.
    pub assumptions: Vec<Assumption>,
}

/// What does not fit between a certificate and its inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The inputs could not be read or judged.
    #[error(transparent)]
    Run(#[from] PipelineError),
    /// They are not those that the certificate was made from.
    #[error("{0}")]
    Differs(String),
}

impl Draft {
    /// The certificate, beside the analysis as it is written.
    ///
    /// # Errors
    /// A snapshot that can no longer be read.
    pub fn sealed(
        self,
        request: &Request,
        (window, records): (Option<Span>, u64),
        (name, analysis): (&str, &[u8]),
    ) -> io::Result<Certificate> {
        let inputs = Inputs {
            window,
            records,
            passed: self.passed,
            passed_sha256: self.passed_sha256,
            obligations: obligations(request).to_owned(),
            assign: assign(request).to_owned(),
            min_confidence: min_confidence(request).to_owned(),
            snapshots: hashed_snapshots(&request.snapshots)?,
            analysis: hashed(name, analysis),
        };
        Ok(Certificate::sealed(
            inputs,
            self.certified,
            self.assumptions,
        ))
    }
}

fn obligations(request: &Request) -> &'static str {
    match request.obligations {
        Obligations::All => "all",
        Obligations::Answered => "answered",
    }
}

fn assign(request: &Request) -> &'static str {
    match request.assign {
        Assign::All => "all",
        Assign::One => "one",
    }
}

fn min_confidence(request: &Request) -> &'static str {
    match request.min_confidence {
        MinConfidence::Certain => "certain",
        MinConfidence::High => "high",
    }
}

fn hashed(name: &str, bytes: &[u8]) -> HashedFile {
    HashedFile {
        name: name.to_owned(),
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        sha256: sha256(bytes),
    }
}

fn hashed_snapshots(paths: &[PathBuf]) -> io::Result<Vec<Vec<HashedFile>>> {
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
        "{} {} {} {} {} {} {} {} {}\n",
        one.interface_id,
        one.direction,
        one.protocol,
        one.service,
        one.peer,
        one.in_doubt,
        one.answered,
        one.records,
        rules.join(" ")
    )
}

/// Holds a certificate against the analysis beside it, the snapshots and the
/// logs, as far as they are given. Says what was held against.
///
/// # Errors
/// A [`Mismatch`], which says what does not fit.
pub fn against_inputs(
    certificate: &Certificate,
    path: &Path,
    request: &Request,
    progress: &dyn Progress,
) -> Result<Vec<String>, Mismatch> {
    let mut held = Vec::new();
    let analysis = path.with_file_name(&certificate.inputs.analysis.name);
    if analysis.is_file() {
        let bytes = fs::read(&analysis)
            .map_err(|error| differs(&format!("`{}`: {error}", analysis.display())))?;
        if hashed(&certificate.inputs.analysis.name, &bytes) != certificate.inputs.analysis {
            return Err(differs(&format!(
                "`{}` is not the analysis that the certificate goes with",
                analysis.display()
            )));
        }
        held.push("the analysis beside it".to_owned());
    }
    if request.snapshots.is_empty() {
        return if request.names_logs() {
            Err(PipelineError::NoSnapshot.into())
        } else {
            Ok(held)
        };
    }
    let snapshots = hashed_snapshots(&request.snapshots)
        .map_err(|error| differs(&format!("snapshot: {error}")))?;
    if snapshots != certificate.inputs.snapshots {
        return Err(differs("the certificate was made from another snapshot"));
    }
    let (series, _) = snapshots::load(&request.snapshots)?;
    same_rules(certificate, &series)?;
    held.push("the snapshot".to_owned());
    if !request.names_logs() {
        return Ok(held);
    }
    let asked = [
        obligations(request),
        assign(request),
        min_confidence(request),
    ];
    let inputs = &certificate.inputs;
    if asked != [&inputs.obligations, &inputs.assign, &inputs.min_confidence] {
        return Err(differs(&format!(
            "the certificate was made with --obligations {} --assign {} --min-confidence {}: give the same",
            inputs.obligations, inputs.assign, inputs.min_confidence
        )));
    }
    let seen = analyze::in_pool(request.threads, || seen(request, &series, progress))?;
    same_needs(certificate, request, &seen)?;
    held.push("the logs".to_owned());
    Ok(held)
}

fn differs(text: &str) -> Mismatch {
    Mismatch::Differs(text.to_owned())
}

/// Whether the certificate's rules of today are those of the snapshot.
fn same_rules(certificate: &Certificate, series: &SnapshotSeries) -> Result<(), Mismatch> {
    let groups = &series.latest().groups;
    for one in &certificate.proposals {
        let group = groups.get(&one.group_id);
        let of_snapshot = group.map(|group| Certified::rules_of(group, one.direction));
        if of_snapshot.as_ref() != Some(&one.today) {
            return Err(differs(&format!(
                "the rules of `{}` {} are not those of the snapshot",
                one.group_id, one.direction
            )));
        }
    }
    Ok(())
}

/// Whether what was needed is what the logs say.
fn same_needs(
    certificate: &Certificate,
    request: &Request,
    seen: &Seen<'_>,
) -> Result<(), Mismatch> {
    if hash_of_passed(&seen.attribution.passed) != certificate.inputs.passed_sha256 {
        return Err(differs("the certificate was made from other logs"));
    }
    let kept = request.obligations.kept(&seen.attribution.passed);
    let all = needs::group_needs(&kept, request.assign.keepers());
    for one in &certificate.proposals {
        let of_group = |needs: &&needs::GroupNeeds| {
            (&needs.group_id, needs.direction) == (&one.group_id, one.direction)
        };
        let needs = all
            .iter()
            .find(of_group)
            .map(|needs| needs.needs.as_slice());
        if !same(needs.unwrap_or_default(), &one.obligations) {
            return Err(differs(&format!(
                "the obligations of `{}` {} are not what the logs show",
                one.group_id, one.direction
            )));
        }
    }
    Ok(())
}

fn same(needs: &[Need], obligations: &[Obligation]) -> bool {
    let fits = |(need, owed): (&Need, &Obligation)| {
        need.protocol.to_string() == owed.protocol
            && (need.service.from(), need.service.to()) == (owed.from_port, owed.to_port)
            && need.peer == owed.peer
            && need.covered_by == owed.covered_by
    };
    needs.len() == obligations.len() && needs.iter().zip(obligations).all(fits)
}

/// What is taken for granted of who opened connections.
#[must_use]
pub fn of_initiators(group: &SgId, direction: Direction, unlikely: u64) -> Option<Assumption> {
    (unlikely > 0).then(|| Assumption {
        kind: "initiator".to_owned(),
        about: format!("{group} {direction}"),
        text: format!(
            "{unlikely} conversations were opened by the other end, as many records agree; `--min-confidence certain` does without"
        ),
    })
}
