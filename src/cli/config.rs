//! What was meant: typed values made of what was typed and of where it was
//! typed (a terminal or a pipe, how wide, with which colours).

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anstream::AutoStream;
use anstream::ColorChoice;
use flowcinch::cloud::Access;
use flowcinch::pipeline::Assign;
use flowcinch::pipeline::MinConfidence;
use flowcinch::pipeline::Obligations;
use flowcinch::pipeline::Request;
use flowcinch::report::text;
use flowcinch::report::text::TextOptions;
use flowcinch::tighten::Limits;
use flowcinch::tighten::weight;

use crate::cli::args::AnalyzeArgs;
use crate::cli::args::BucketArgs;
use crate::cli::args::CloudArgs;
use crate::cli::args::Color;
use crate::cli::args::Format;
use crate::cli::args::JudgeArgs;
use crate::cli::args::Keepers;
use crate::cli::args::Kept;
use crate::cli::args::LogArgs;
use crate::cli::args::Sureness;
use crate::cli::args::TasteArgs;
use crate::cli::args::VerifyArgs;
use crate::cli::values::BadLines;

/// Widest page that is still easy to read, in columns.
const MAX_WIDTH: usize = 140;

/// One run of `analyze`.
#[derive(Debug)]
pub(crate) struct AnalyzeConfig {
    /// What the library is asked.
    pub(crate) request: Request,
    /// How many bad lines are borne.
    pub(crate) bad_lines: BadLines,
    /// Where the result goes, and how.
    pub(crate) delivery: Delivery,
    /// Whether a certificate of the proposals is made.
    pub(crate) certify: bool,
    /// Whether a progress bar is drawn.
    pub(crate) progress: bool,
    /// Whether findings end in 0.
    pub(crate) exit_zero: bool,
}

/// Where a result goes, and how.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// What standard output gets.
    pub(crate) format: Format,
    /// Folder that gets the files.
    pub(crate) out: Option<PathBuf>,
    /// How text looks on standard output.
    pub(crate) text: TextOptions,
    /// Whether notes go to standard error.
    pub(crate) notes: bool,
}

impl AnalyzeConfig {
    /// What `analyze` was asked.
    pub(crate) fn new(args: &AnalyzeArgs, color: Color) -> AnalyzeConfig {
        let log = &args.log;
        AnalyzeConfig {
            request: Request {
                limits: args.taste.limits(args.judge.rule_quota),
                ..request(
                    (&args.logs, &args.digests),
                    &args.snapshots,
                    log,
                    &args.judge,
                )
            },
            bad_lines: log.max_bad_lines,
            delivery: Delivery {
                format: log.format,
                out: log.out.clone(),
                text: stdout_text(color, args.full),
                notes: !log.quiet,
            },
            progress: progress(log.quiet, log.no_progress),
            certify: log.out.is_some() || args.evidence.is_some(),
            exit_zero: args.exit_zero,
        }
    }
}

/// Whether a progress bar is drawn.
pub(crate) fn progress(quiet: bool, no_progress: bool) -> bool {
    !quiet && !no_progress && std::io::stderr().is_terminal()
}

/// One run of `verify`.
#[derive(Debug)]
pub(crate) struct VerifyConfig {
    /// What the library is asked.
    pub(crate) request: Request,
    /// How many bad lines are borne.
    pub(crate) bad_lines: BadLines,
    /// What standard output gets.
    pub(crate) format: Format,
    /// Folder that gets the files.
    pub(crate) out: Option<PathBuf>,
    /// Whether the text cuts no lists.
    pub(crate) full: bool,
    /// Whether notes go to standard error.
    pub(crate) notes: bool,
    /// Whether a progress bar is drawn.
    pub(crate) progress: bool,
}

impl VerifyConfig {
    /// What `verify` was asked.
    pub(crate) fn new(args: &VerifyArgs) -> VerifyConfig {
        let log = &args.log;
        VerifyConfig {
            request: request(
                (&args.logs, &args.digests),
                &args.snapshots,
                log,
                &args.judge,
            ),
            bad_lines: log.max_bad_lines,
            format: log.format,
            out: log.out.clone(),
            full: args.full,
            notes: !log.quiet,
            progress: progress(log.quiet, log.no_progress),
        }
    }
}

fn request(
    (logs, digests): (&[String], &[PathBuf]),
    snapshots: &[PathBuf],
    log: &LogArgs,
    judge: &JudgeArgs,
) -> Request {
    Request {
        logs: logs.to_vec(),
        access: bucket_access(&log.bucket),
        digests: digests.to_vec(),
        snapshots: snapshots.to_vec(),
        fields: log.fields.clone(),
        since: log.since,
        until: log.until,
        threads: log.threads,
        memory: log.memory,
        rule_quota: judge.rule_quota,
        limits: Limits {
            rule_quota: judge.rule_quota,
            ..Limits::default()
        },
        min_confidence: match judge.min_confidence {
            Sureness::Certain => MinConfidence::Certain,
            Sureness::High => MinConfidence::High,
        },
        obligations: match judge.obligations {
            Kept::All => Obligations::All,
            Kept::Answered => Obligations::Answered,
        },
        assign: match judge.assign {
            Keepers::All => Assign::All,
            Keepers::One => Assign::One,
        },
    }
}

/// How to come to buckets.
pub(crate) fn bucket_access(args: &BucketArgs) -> Access {
    Access {
        requester_pays: args.request_payer,
        profile: args.profile.clone(),
        region: args.region.clone(),
        ..access(&args.cloud)
    }
}

/// How to come to the cloud.
pub(crate) fn access(args: &CloudArgs) -> Access {
    Access {
        endpoint_url: args.endpoint_url.clone(),
        max_attempts: args.max_attempts,
        read_timeout: Duration::from_secs(args.read_timeout),
        ..Access::default()
    }
}

impl TasteArgs {
    /// The numbers that proposals are made by.
    pub(crate) fn limits(&self, rule_quota: u32) -> Limits {
        let TasteArgs {
            interface_quota,
            sensitive_ports,
            sensitive_weight,
            vacant_share,
            rule_worth,
            step_worth,
            sparsest,
            tolerance,
            slack,
            public_peers,
            wide_v4,
            wide_v6,
            solver_nodes,
        } = self;
        Limits {
            rule_quota,
            interface_quota: *interface_quota,
            sensitive_ports: sensitive_ports
                .clone()
                .unwrap_or_else(weight::sensitive_ports),
            sensitive_weight: *sensitive_weight,
            vacant_share: *vacant_share,
            step_worth: *step_worth,
            tolerance: *tolerance,
            solver_nodes: *solver_nodes,
            public_peers: usize::try_from(*public_peers).unwrap_or(usize::MAX),
            rule_worth: *rule_worth,
            sparsest: *sparsest,
            slack: *slack,
            wide_v4: *wide_v4,
            wide_v6: *wide_v6,
        }
    }
}

/// How text looks on standard output.
pub(crate) fn stdout_text(color: Color, full: bool) -> TextOptions {
    TextOptions {
        width: stdout_width(),
        full,
        styled: stdout_styled(color),
    }
}

/// How text looks in a file.
pub(crate) fn file_text(full: bool) -> TextOptions {
    TextOptions {
        full,
        ..TextOptions::default()
    }
}

fn stdout_styled(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        // Knows NO_COLOR, CLICOLOR, TERM=dumb and terminals.
        Color::Auto => AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
    }
}

/// COLUMNS where it is set, else the terminal's width, else the default.
fn stdout_width() -> usize {
    let terminal = || {
        let stdout = std::io::stdout();
        let size = terminal_size::terminal_size_of(&stdout)?;
        Some(usize::from(size.0.0))
    };
    columns_variable()
        .or_else(terminal)
        .map_or(text::DEFAULT_WIDTH, |width| width.min(MAX_WIDTH))
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is the place that reads the environment"
)]
fn columns_variable() -> Option<usize> {
    let columns = std::env::var("COLUMNS").ok()?;
    columns.parse().ok().filter(|columns| *columns > 0)
}
