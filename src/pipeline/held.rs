//! Certificates held against what they were made from.
//!
//! By itself a certificate proves a change under rules, members and needs of
//! its own telling. Each is asked for again here of the inputs that are given,
//! and nothing that it says of them is taken on its word.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::attribute::needs;
use crate::attribute::needs::Need;
use crate::attribute::scene::Scene;
use crate::attribute::verdicts::Court;
use crate::model::Direction;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::model::SnapshotSeries;
use crate::pipeline::analyze;
use crate::pipeline::assemble;
use crate::pipeline::certificate::DEFAULT;
use crate::pipeline::certificate::assign;
use crate::pipeline::certificate::hash_of_passed;
use crate::pipeline::certificate::hashed;
use crate::pipeline::certificate::hashed_snapshots;
use crate::pipeline::certificate::memory;
use crate::pipeline::certificate::min_confidence;
use crate::pipeline::certificate::obligations;
use crate::pipeline::certificate::of_initiators;
use crate::pipeline::error::PipelineError;
use crate::pipeline::request::Progress;
use crate::pipeline::request::Request;
use crate::pipeline::seen::Seen;
use crate::pipeline::seen::seen;
use crate::pipeline::snapshots;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::json;
use crate::tighten::plan::Decision;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::certificate::Certificate;
use crate::tighten::proof::certificate::Certified;
use crate::tighten::proof::certificate::Inputs;
use crate::tighten::proof::certificate::Obligation;
use crate::tighten::proof::certificate::Rule;

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
        same_analysis(certificate, &analysis)?;
        held.push("the analysis beside it".to_owned());
    }
    if request.snapshots.is_empty() {
        return if request.names_logs() {
            Err(PipelineError::NoSnapshot.into())
        } else {
            Ok(held)
        };
    }
    let (series, _) = snapshots::load(&request.snapshots)?;
    let snapshots = hashed_snapshots(&request.snapshots)
        .map_err(|error| differs(&format!("snapshot: {error}")))?;
    if snapshots != certificate.inputs.snapshots {
        return Err(differs("the certificate was made from another snapshot"));
    }
    same_rules(certificate, &series)?;
    held.push("the snapshot".to_owned());
    if !request.names_logs() {
        return Ok(held);
    }
    same_flags(&certificate.inputs, request)?;
    let seen = analyze::in_pool(request.threads, || seen(request, &series, None, progress))?;
    same_memory(&certificate.inputs, request, &seen)?;
    same_needs(certificate, request, &seen)?;
    same_words(certificate, &series, &seen)?;
    held.push("the logs".to_owned());
    Ok(held)
}

fn differs(text: &str) -> Mismatch {
    Mismatch::Differs(text.to_owned())
}

/// Whether the analysis is the very one, and proposes what is certified.
fn same_analysis(certificate: &Certificate, path: &Path) -> Result<(), Mismatch> {
    let bytes =
        fs::read(path).map_err(|error| differs(&format!("`{}`: {error}", path.display())))?;
    let told = &certificate.inputs.analysis;
    if hashed(&told.name, &bytes) != *told {
        return Err(differs(&format!(
            "`{}` is not the analysis that the certificate goes with",
            path.display()
        )));
    }
    let analysis: Analysis = json::from_slice(&bytes)
        .map_err(|error| differs(&format!("`{}`: {error}", path.display())))?;
    let proposed = analysis.proposals.iter();
    let mut proposed: BTreeMap<(&SgId, Direction), &ProposalReport> = proposed
        .filter(|one| one.decision == Decision::Tighten)
        .map(|one| ((&one.group_id, one.direction), one))
        .collect();
    for one in &certificate.proposals {
        let shown = proposed.remove(&(&one.group_id, one.direction));
        if !shown.is_some_and(|shown| proposes(shown, one)) {
            return Err(differs(&format!(
                "`{}` does not propose what is certified of `{}` {}",
                path.display(),
                one.group_id,
                one.direction
            )));
        }
    }
    for one in &certificate.uncertified {
        if proposed.remove(&(&one.group_id, one.direction)).is_none() {
            return Err(differs(&format!(
                "`{}` proposes no change of `{}` {}, which the certificate leaves out",
                path.display(),
                one.group_id,
                one.direction
            )));
        }
    }
    match proposed.keys().next() {
        Some((group, direction)) => Err(differs(&format!(
            "`{}` proposes a change of `{group}` {direction} that is not certified",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Whether a proposal leads from the certificate's rules of today to those
/// after the change.
fn proposes(shown: &ProposalReport, certified: &Certified) -> bool {
    let is_kept = |rule: &&Rule| shown.keep.contains(&rule.rule_id);
    let (kept, new): (Vec<&Rule>, Vec<&Rule>) = certified.after.iter().partition(is_kept);
    let same = |(rule, planned): (&&Rule, &crate::report::document::ProposedRule)| {
        (&rule.protocol, rule.from_port, rule.to_port, &rule.peer)
            == (
                &planned.protocol,
                planned.from_port,
                planned.to_port,
                &planned.peer,
            )
    };
    let replaced = shown.rules.iter().flat_map(|rule| &rule.replaces);
    let mut gone: Vec<&SgRuleId> = shown.remove.iter().chain(replaced).collect();
    gone.sort_unstable();
    gone.dedup();
    let today = certified.today.iter();
    let not_kept = today.filter(|rule| !shown.keep.contains(&rule.rule_id));
    kept.len() == shown.keep.len()
        && new.len() == shown.rules.len()
        && new.iter().zip(&shown.rules).all(same)
        && not_kept.map(|rule| &rule.rule_id).eq(gone)
}

/// Whether the certificate's rules of today, and what it says of groups, are
/// the snapshot's.
fn same_rules(certificate: &Certificate, series: &SnapshotSeries) -> Result<(), Mismatch> {
    let groups = &series.latest().groups;
    let book = Book::new(series);
    for one in &certificate.proposals {
        let group = groups.get(&one.group_id);
        let of_snapshot = group.map(|group| Certified::rules_of(group, one.direction));
        if of_snapshot.as_ref() != Some(&one.today) {
            return Err(differs(&format!(
                "the rules of `{}` {} are not those of the snapshot",
                one.group_id, one.direction
            )));
        }
        if !group.is_some_and(|group| one.knows(group, &book)) {
            return Err(differs(&format!(
                "`{}` {}: who carries the groups that new rules name, and which addresses they can have, is not what the snapshot says",
                one.group_id, one.direction
            )));
        }
    }
    Ok(())
}

fn same_flags(inputs: &Inputs, request: &Request) -> Result<(), Mismatch> {
    let asked = [
        obligations(request),
        assign(request),
        min_confidence(request),
    ];
    if asked == [&inputs.obligations, &inputs.assign, &inputs.min_confidence] {
        return Ok(());
    }
    Err(differs(&format!(
        "the certificate was made with --obligations {} --assign {} --min-confidence {}: give the same",
        inputs.obligations, inputs.assign, inputs.min_confidence
    )))
}

/// Whether the evidence is as coarse, as far as memory decides it.
fn same_memory(inputs: &Inputs, request: &Request, seen: &Seen<'_>) -> Result<(), Mismatch> {
    let is_coarse = seen.ingested.evidence.coarse.is_some();
    if memory(request, is_coarse) == inputs.memory {
        return Ok(());
    }
    Err(differs(&match inputs.memory.as_deref() {
        Some(DEFAULT) => {
            "the certificate was made within the memory that is usual: leave `--memory` out"
                .to_owned()
        }
        Some(bytes) => format!("the certificate was made with `--memory {bytes}`: give the same"),
        None => "the certificate was made with room for all peers and ports, or before it told the memory: give more `--memory`"
            .to_owned(),
    }))
}

/// Whether what was needed is what the logs say.
fn same_needs(
    certificate: &Certificate,
    request: &Request,
    seen: &Seen<'_>,
) -> Result<(), Mismatch> {
    let inputs = &certificate.inputs;
    if hash_of_passed(&seen.attribution.passed) != inputs.passed_sha256 {
        let told = inputs.window.map(|window| {
            format!(
                ": it speaks of {} to {}; give the same logs, `--since` and `--until`",
                window.start, window.end
            )
        });
        return Err(differs(&format!(
            "the certificate was made from other logs{}",
            told.unwrap_or_default()
        )));
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
            && (need.peer, need.among) == (owed.peer, owed.among)
            && need.covered_by == owed.covered_by
    };
    needs.len() == obligations.len() && needs.iter().zip(obligations).all(fits)
}

/// Whether what it says of the logs, and takes for granted of them, is so.
fn same_words(
    certificate: &Certificate,
    series: &SnapshotSeries,
    seen: &Seen<'_>,
) -> Result<(), Mismatch> {
    let scene = Scene::new(series.latest());
    let court = Court {
        evidence: &seen.ingested.evidence,
        series,
        scene: &scene,
        table: &seen.table,
        attribution: &seen.attribution,
    };
    let initiators = of_initiators(&court.decide(), &seen.table);
    let passed = u64::try_from(seen.attribution.passed.len()).unwrap_or(u64::MAX);
    let inputs = Inputs {
        window: seen.ingested.evidence.span,
        passed,
        records: assemble::ingest(&seen.ingested).records,
        ..certificate.inputs.clone()
    };
    if inputs != certificate.inputs {
        return Err(differs(&format!(
            "the logs hold {} records and {passed} conversations that passed, the certificate says {} and {}, or another window",
            inputs.records, certificate.inputs.records, certificate.inputs.passed
        )));
    }
    let again = Certificate::sealed(
        inputs,
        certificate.proposals.clone(),
        certificate.uncertified.clone(),
        initiators,
    );
    if again.assumptions != certificate.assumptions {
        return Err(differs(
            "what the certificate takes for granted is not what has to be",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::activity::History;
    use crate::net::IpProtocol;
    use crate::net::PortRange;
    use crate::net::Timestamp;

    #[test]
    fn an_obligation_among_other_addresses_is_not_what_was_needed() {
        let need = |among: Option<&str>| Need {
            protocol: IpProtocol::TCP,
            service: PortRange::single(443),
            peer: "203.0.113.0".parse().unwrap(),
            among: among.map(|net| net.parse().unwrap()),
            covered_by: vec![SgRuleId::from("sgr-1")],
            records: 1,
            seen: History::of(Timestamp(10), Timestamp(20)),
            in_doubt: false,
        };
        let owed = |among: Option<&str>| Obligation {
            protocol: "tcp".to_owned(),
            from_port: 443,
            to_port: 443,
            peer: "203.0.113.0".parse().unwrap(),
            among: among.map(|net| net.parse().unwrap()),
            covered_by: vec![SgRuleId::from("sgr-1")],
            witnesses: Vec::new(),
        };
        let all = [
            None,
            Some("203.0.113.0/24"),
            Some("203.0.113.0/25"),
            Some("203.0.112.0/23"),
        ];
        for (needed, told) in all.iter().flat_map(|one| all.map(|other| (*one, other))) {
            let is_same = same(&[need(needed)], &[owed(told)]);
            assert_eq!(is_same, needed == told, "{needed:?} {told:?}");
        }
    }
}
