//! `ingest`: logs into a digest.

use flowcinch::pipeline::digest;
use flowcinch::pipeline::digest::Added;
use flowcinch::pipeline::digest::Addition;
use flowcinch::report::escape;
use flowcinch::report::human;
use serde_json::json;

use crate::cli::Failure;
use crate::cli::args::Format;
use crate::cli::args::IngestArgs;
use crate::cli::config;
use crate::cli::messages;
use crate::cli::outcome::Outcome;
use crate::cli::output;
use crate::cli::progress::Bar;

/// Schema of what `--format json` prints.
const SCHEMA: &str = "flowcinch.ingest.v1";

/// Of each kind of damage, how many places standard error names.
const PLACES: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &IngestArgs) -> Result<Outcome, Failure> {
    let addition = Addition {
        logs: args.logs.clone(),
        digest: args.digest.clone(),
        access: config::bucket_access(&args.bucket),
        fields: args.fields.clone(),
        snapshots: args.snapshots.clone(),
        span: (args.since, args.until),
        threads: args.threads,
        memory: args.memory,
    };
    let bar = Bar::new(config::progress(args.quiet, args.no_progress));
    let added = digest::add(&addition, &bar);
    bar.finish();
    let added = added?;
    match args.format {
        Format::Json => output::print(document(args, &added).as_bytes())?,
        Format::Text if !args.quiet => output::print(text(args, &added).as_bytes())?,
        Format::Text => {}
    }
    Ok(outcome(args, &added))
}

fn outcome(args: &IngestArgs, added: &Added) -> Outcome {
    let read = &added.read;
    let lines = read.evidence.rows.all() + read.malformed;
    let bad = args.max_bad_lines.exceeded(read.malformed, lines);
    if !bad && read.unreadable.is_empty() {
        return Outcome::Clean;
    }
    if !args.quiet {
        let objects = read.unreadable.iter().take(PLACES);
        for object in objects {
            let name = object.object.escape_debug();
            messages::note(&format!("incomplete input: `{name}`: {}", object.reason));
        }
        for line in read.samples.iter().take(PLACES).filter(|_| bad) {
            let name = line.object.escape_debug();
            let (number, reason) = (line.line, line.reason.escape_debug());
            messages::note(&format!("bad line: `{name}`: line {number}: {reason}"));
        }
    }
    Outcome::Incomplete
}

fn text(args: &IngestArgs, added: &Added) -> String {
    let read = &added.read;
    let rows = &read.evidence.rows;
    let records = rows.accepted + rows.rejected + rows.other;
    let known = match added.known {
        0 => String::new(),
        known => format!(", {} read before", human::count(known)),
    };
    format!(
        "{} records of {} objects added{known}; `{}` holds {} objects\n",
        human::count(records),
        human::count(read.objects),
        args.digest.display(),
        human::count(added.objects),
    )
}

fn document(args: &IngestArgs, added: &Added) -> String {
    let read = &added.read;
    let rows = &read.evidence.rows;
    let document = json!({
        "schema": SCHEMA,
        "digest": args.digest.display().to_string(),
        "objects_read": read.objects,
        "objects_known": added.known,
        "objects_held": added.objects,
        "evidence_rows": added.rows,
        "compressed_bytes": read.compressed_bytes,
        "text_bytes": read.text_bytes,
        "records": rows.accepted + rows.rejected + rows.other,
        "accepted": rows.accepted,
        "rejected": rows.rejected,
        "other": rows.other,
        "no_data": rows.no_data,
        "skip_data": rows.skip_data,
        "malformed": read.malformed,
        "malformed_samples": read.samples,
        "unreadable": read.unreadable,
    });
    escape::json(format!("{document:#}\n"))
}
