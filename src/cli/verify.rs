//! `verify`: what was seen, held against other rules; or a certificate,
//! checked by itself.

use std::path::Path;

use flowcinch::pipeline;
use flowcinch::pipeline::Rules;
use flowcinch::pipeline::certificate::Mismatch;
use flowcinch::pipeline::certificate::against_inputs;
use flowcinch::report::findings;
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
}

/// Runs the command.
pub(crate) fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let config = VerifyConfig::new(args);
    let rules = Rules::load(&args.rules).map_err(pipeline::PipelineError::from)?;
    if let Rules::Certificate(text) = &rules {
        return certificate(&config, text, &args.rules);
    }
    if config.request.snapshots.is_empty() {
        return Err(VerifyError::NoSnapshot.into());
    }
    if let Some(folder) = &config.out {
        output::make_folder(folder)?;
    }
    let bar = Bar::new(config.progress);
    let found = pipeline::verify(&config.request, rules, &args.rules, &bar);
    bar.finish();
    let found = found?;
    deliver(&config, &found)?;
    Ok(outcome(&config, &found).or_zero(args.exit_zero))
}

/// Checks a certificate by itself, then against whatever it was made from is
/// given. One that is refused is a finding.
fn certificate(config: &VerifyConfig, text: &[u8], path: &Path) -> Result<Outcome, Failure> {
    let bar = Bar::new(config.progress);
    let checked = checked(config, text, path, &bar);
    bar.finish();
    let report = checked?;
    match config.format {
        Format::Json => output::print(&verify::certificate_json(&report)?)?,
        Format::Text => output::print(verify::certificate_text(&report).as_bytes())?,
    }
    Ok(if report.holds {
        Outcome::Clean
    } else {
        Outcome::Findings
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

fn deliver(config: &VerifyConfig, found: &Verification) -> Result<(), Failure> {
    let document = verify::json(found)?;
    if let Some(folder) = &config.out {
        write(folder, &document, found)?;
    }
    match config.format {
        Format::Json => output::print(&document)?,
        Format::Text => output::print(verify::text(found, config.full).as_bytes())?,
    }
    Ok(())
}

fn write(folder: &Path, document: &[u8], found: &Verification) -> Result<(), Failure> {
    let text = verify::text(found, true);
    output::write_file(&folder.join("verify.txt"), text.as_bytes())?;
    output::write_file(&folder.join("verify.json"), document)?;
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
