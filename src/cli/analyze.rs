//! `analyze`: run, then deliver the one document to wherever it was asked for.

use std::cell::LazyCell;
use std::ops::Deref;
use std::path::Path;

use flowcinch::pipeline;
use flowcinch::pipeline::certificate::Draft;
use flowcinch::report::document::Analysis;
use flowcinch::report::review::Review;
use flowcinch::report::text;

use crate::cli::Failure;
use crate::cli::args::AnalyzeArgs;
use crate::cli::args::Color;
use crate::cli::args::Format;
use crate::cli::config;
use crate::cli::config::AnalyzeConfig;
use crate::cli::document::DOCUMENT;
use crate::cli::document::Document;
use crate::cli::evidence;
use crate::cli::evidence::Inputs;
use crate::cli::evidence::Run;
use crate::cli::gate::Gate;
use crate::cli::input;
use crate::cli::messages;
use crate::cli::outcome::Outcome;
use crate::cli::output;
use crate::cli::output::Beside;
use crate::cli::progress::Bar;

/// Runs the command.
pub(crate) fn run(args: &AnalyzeArgs, color: Color) -> Result<Outcome, Failure> {
    let config = AnalyzeConfig::new(args, color);
    // A folder that cannot be made is better known before hours of reading.
    if let Some(folder) = &config.delivery.out {
        output::make_folder(folder)?;
    }
    if let Some(folder) = &args.evidence {
        evidence::prepare(folder, &args.logs)?;
    }
    let key = input::key(args.pseudonymise.as_deref())?;
    let gate = Gate::read(&args.gate, key.as_ref())?;
    let (analysis, draft) = read(&config)?;
    let analysis = input::pseudonymised(analysis, key.as_ref())?;
    // A certificate names what was there, so it would undo other names.
    let draft = draft.filter(|_| key.is_none());
    // Whoever wants the document alone does not wait for it.
    let review = LazyCell::new(|| gate.review(&analysis));
    let certificate = deliver(&config, &analysis, &review, draft)?;
    if let Some(folder) = &args.evidence {
        let run = Run {
            inputs: Inputs::of(&config.request, &args.gate),
            certificate: certificate.as_deref(),
            key: key.as_ref(),
            threads: config.request.threads,
        };
        evidence::write(folder, &run, &analysis, &review)?;
    }
    let (outcome, gaps) = Outcome::of(&analysis, config.bad_lines);
    if config.delivery.notes && !gaps.is_empty() {
        messages::note(&format!("incomplete input: {}", gaps.join("; ")));
        for place in outcome.places(&analysis) {
            messages::note(&place);
        }
    }
    let outcome = if args.gate.is_asked() {
        gate.tell(&review);
        outcome.gated(review.failing().next().is_some())
    } else {
        outcome
    };
    Ok(outcome.or_zero(config.exit_zero))
}

/// With a draft of the certificate where files are asked for.
fn read(config: &AnalyzeConfig) -> Result<(Analysis, Option<Draft>), Failure> {
    let bar = Bar::new(config.progress);
    let analysis = if config.certify {
        pipeline::analyze_certified(&config.request, &bar)
    } else {
        pipeline::analyze(&config.request, &bar).map(|analysis| (analysis, None))
    };
    bar.finish();
    Ok(analysis?)
}

/// Writes the files first: whoever reads the printed document may then count
/// on them. Both are the same bytes. Gives the certificate.
fn deliver(
    config: &AnalyzeConfig,
    analysis: &Analysis,
    review: &impl Deref<Target = Review>,
    draft: Option<Draft>,
) -> Result<Option<Vec<u8>>, Failure> {
    let delivery = &config.delivery;
    let document = Document {
        analysis,
        threads: config.request.threads,
    };
    let beside = match &delivery.out {
        Some(folder) => Some((folder, document.beside(folder)??)),
        None => None,
    };
    let certificate = match draft {
        Some(draft) => {
            let written = match &beside {
                Some((_, (_, written))) => written.clone(),
                None => document.identified()?,
            };
            let sealed = draft.sealed(&config.request, analysis, written)?;
            Some(sealed.to_bytes()?)
        }
        None => None,
    };
    if let Some((folder, (beside, _))) = beside {
        if let Some(certificate) = &certificate {
            output::write_file(&folder.join("certificate.json"), certificate)?;
        }
        finish(folder, beside, analysis, review)?;
        if delivery.notes {
            let path = folder.join(DOCUMENT);
            messages::note(&format!("wrote {}", path.display()));
        }
    }
    match delivery.format {
        Format::Json => document.print()?,
        Format::Text => output::print(text::reviewed(analysis, review, delivery.text).as_bytes())?,
    }
    Ok(certificate)
}

/// The text first, so that an analysis.json that is there has its report.
fn finish(
    folder: &Path,
    document: Beside,
    analysis: &Analysis,
    review: &Review,
) -> Result<(), Failure> {
    let report = text::reviewed(analysis, review, config::file_text(true));
    output::write_file(&folder.join("report.txt"), report.as_bytes())?;
    document.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use flowcinch::checksum;
    use flowcinch::report::json;

    use super::*;

    const BARE: &str = r#"{"schema": "flowcinch.analysis.v1", "window": null,
        "ingest": {"objects": 0, "compressed_bytes": 0, "text_bytes": 0, "records": 0,
            "accepted": 0, "rejected": 0, "other": 0, "no_data": 0, "skip_data": 0,
            "malformed": 0, "malformed_samples": [], "unreadable": []},
        "coverage": {"interfaces_in_snapshot": 0, "interfaces_logged": 0,
            "unknown_interfaces": [], "unlogged_interfaces": [],
            "interface_hours_observed": 0, "interface_hours_lost": 0, "unresolved": {}},
        "security_groups": [], "rejects": [], "proposals": [],
        "verification": {"connections": 0, "broken": 0, "witnesses": 0, "widened": 0,
            "unexplained": 0, "per_group": []}}"#;

    #[test]
    fn the_folder_gets_the_document_and_the_plain_report() {
        let folder = tempfile::tempdir().unwrap();
        let analysis = json::from_slice(BARE.as_bytes()).unwrap();
        let document = Document {
            analysis: &analysis,
            threads: Some(2),
        };
        let (beside, known) = document.beside(folder.path()).unwrap().unwrap();
        assert_eq!(known, document.identified().unwrap());
        assert!(!folder.path().join("analysis.json").exists());
        finish(folder.path(), beside, &analysis, &Review::default()).unwrap();
        let written = |name: &str| fs::read(folder.path().join(name)).unwrap();
        let document = json::to_bytes(&analysis).unwrap();
        assert_eq!(written("analysis.json"), document);
        assert_eq!(known.sha256, checksum::sha256(&document));
        let report = String::from_utf8(written("report.txt")).unwrap();
        assert!(report.contains("ANSWER") && !report.contains('\u{1b}'));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
