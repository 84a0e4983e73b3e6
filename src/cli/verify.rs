//! `verify`: what was seen, held against other rules; or a certificate,
//! checked by itself.

use std::path::Path;
use std::path::PathBuf;

use flowcinch::pipeline;
use flowcinch::pipeline::Given;
use flowcinch::pipeline::Rules;
use flowcinch::pipeline::held::Mismatch;
use flowcinch::pipeline::held::against_inputs;
use flowcinch::report::findings;
use flowcinch::report::json;
use flowcinch::report::verify;
use flowcinch::report::verify::CertificateReport;
use flowcinch::report::verify::Verification;
use flowcinch::tighten::proof::certificate;

use crate::cli::Failure;
use crate::cli::args::Format;
use crate::cli::args::VerifyArgs;
use crate::cli::config::VerifyConfig;
use crate::cli::messages;
use crate::cli::outcome::Outcome;
use crate::cli::output;
use crate::cli::progress::Bar;

/// Why there is nothing to verify with.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(
        "rules are held against what was seen under a snapshot: give it with `--snapshot`, and logs"
    )]
    NoSnapshot,
    #[error("`{}`: cannot be read: {source}; name a snapshot that is there", .path.display())]
    Snapshot {
        path: PathBuf,
        source: std::io::Error,
    },
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let config = VerifyConfig::new(args);
    if let Some(folder) = &config.out {
        output::make_folder(folder)?;
    }
    present(&args.snapshots)?;
    let given = Given::load(&args.rules).map_err(pipeline::PipelineError::from)?;
    let outcome = match given {
        Given::Certificate(text) => certificate(&config, &text, &args.rules),
        Given::Rules(rules) => replay(&config, rules, &args.rules),
    };
    Ok(outcome?.or_zero(args.exit_zero))
}

/// Whether every snapshot is there: a path typed wrong refuses no certificate.
fn present(snapshots: &[PathBuf]) -> Result<(), VerifyError> {
    for path in snapshots {
        std::fs::metadata(path).map_err(|source| VerifyError::Snapshot {
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}

/// Holds what was seen against the rules.
fn replay(config: &VerifyConfig, rules: Rules, path: &Path) -> Result<Outcome, Failure> {
    if config.request.snapshots.is_empty() {
        return Err(VerifyError::NoSnapshot.into());
    }
    let bar = Bar::new(config.progress);
    let found = pipeline::verify(&config.request, rules, path, &bar);
    bar.finish();
    let found = found?;
    let text = |full| verify::text(&found, full);
    deliver(config, &json::to_bytes(&found)?, &text)?;
    Ok(outcome(config, &found))
}

/// Checks a certificate by itself, then against whatever it was made from is
/// given. One that is refused is a finding.
fn certificate(config: &VerifyConfig, text: &[u8], path: &Path) -> Result<Outcome, Failure> {
    let bar = Bar::new(config.progress);
    let checked = checked(config, text, path, &bar);
    bar.finish();
    let report = checked?;
    let text = |_| verify::certificate_text(&report);
    deliver(config, &json::to_bytes(&report)?, &text)?;
    let left_out = report.uncertified.len();
    if left_out > 0 && config.notes {
        messages::note(&format!(
            "not certified: {left_out} proposals for rules with ranks"
        ));
    }
    Ok(if !report.holds {
        Outcome::Findings
    } else if left_out > 0 {
        Outcome::Incomplete
    } else {
        Outcome::Clean
    })
}

fn checked(
    config: &VerifyConfig,
    text: &[u8],
    path: &Path,
    bar: &Bar,
) -> Result<CertificateReport, Failure> {
    let name = path.to_string_lossy();
    let (certificate, holds) = match certificate::check(text) {
        Ok(checked) => checked,
        Err(refusal) => return Ok(CertificateReport::refused(&name, &refusal.to_string())),
    };
    match against_inputs(&certificate, path, &config.request, bar) {
        Ok(held) => Ok(CertificateReport::holds(&name, &certificate, &holds, held)),
        Err(Mismatch::Run(error)) => Err(error.into()),
        Err(mismatch) => Ok(CertificateReport::refused(&name, &mismatch.to_string())),
    }
}

/// Writes the files, then prints. `text` is asked for in full, or cut.
fn deliver(
    config: &VerifyConfig,
    document: &[u8],
    text: &dyn Fn(bool) -> String,
) -> Result<(), Failure> {
    if let Some(folder) = &config.out {
        output::write_file(&folder.join("verify.txt"), text(true).as_bytes())?;
        output::write_file(&folder.join("verify.json"), document)?;
    }
    match config.format {
        Format::Json => output::print(document)?,
        Format::Text => output::print(text(config.full).as_bytes())?,
    }
    Ok(())
}

/// What was found goes before what is missing: more input could only add to
/// it.
fn outcome(config: &VerifyConfig, found: &Verification) -> Outcome {
    let mut gaps = found.gaps();
    let malformed = found.ingest.malformed;
    if config
        .bad_lines
        .exceeded(malformed, findings::lines(&found.ingest))
    {
        gaps.push(format!(
            "{malformed} bad lines, more than --max-bad-lines {}",
            config.bad_lines
        ));
    }
    if config.notes && !gaps.is_empty() {
        messages::note(&format!("incomplete input: {}", gaps.join("; ")));
    }
    if !found.holds() {
        Outcome::Findings
    } else if gaps.is_empty() {
        Outcome::Clean
    } else {
        Outcome::Incomplete
    }
}
