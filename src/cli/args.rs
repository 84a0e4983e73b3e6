//! What was typed, flag by flag, with the help that describes it. Values are
//! checked as they are read, so an error names its flag.
//!
//! Values of enums have plain comments on purpose: clap would give each doc
//! comment a line, and the help of a command would no longer fit a screen.

use std::path::PathBuf;

use clap::ArgAction;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use flowcinch::pipeline::TimeBound;

use crate::cli::values;
use crate::cli::values::BadLines;

/// Reads VPC flow logs beside security groups: which rules nobody used, why
/// traffic was rejected, and the narrowest rules that still let through what
/// was needed, with a proof.
#[derive(Debug, Parser)]
#[command(
    name = "flowcinch",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 nothing to report, 1 findings, 2 could not run, 3 incomplete input."
)]
pub(crate) struct Args {
    /// When to use colours.
    #[arg(help = "Colours: on a terminal only, always, or never (NO_COLOR is respected)", long, value_enum, default_value_t = Color::Auto, global = true, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// One command each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The main job: which rules are used, why traffic was rejected, what to change.
    Analyze(AnalyzeArgs),
    /// One flow: which rules pass it, or what stops it and what is nearest.
    Why(WhyArgs),
    /// The manual page of a finding code; without a code, the list of codes.
    Explain(ExplainArgs),
    /// Print an analysis.json again, as text or JSON.
    Render(RenderArgs),
    /// Make up a cloud with logs, snapshot and known truth, to try things on.
    Sample(SampleArgs),
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    // On a terminal only.
    Auto,
    // Always.
    Always,
    // Never.
    Never,
}

/// What standard output gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // A report for people.
    Text,
    // The analysis document.
    Json,
}

/// What `render` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RenderFormat {
    // A report for people.
    Text,
    // A report as one file for a browser.
    Html,
    // The analysis document.
    Json,
}

/// Flags of the commands that read logs.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    /// Leave out records before T: a time as 2026-11-20T08:00:00Z, or 30d, 12h, 2w back from the
    /// newest record.
    #[arg(long, value_name = "T", value_parser = values::time_bound, help_heading = "Reading")]
    pub(crate) since: Option<TimeBound>,
    /// Leave out records after T.
    #[arg(long, value_name = "T", value_parser = values::time_bound, help_heading = "Reading")]
    pub(crate) until: Option<TimeBound>,
    /// Columns of logs without a header line, if they are not the default 14, as
    /// "version account-id interface-id ..." or "${version} ${account-id} ...".
    #[arg(long, value_name = "NAMES", help_heading = "Reading")]
    pub(crate) fields: Option<String>,
    /// Lines that may be unreadable before the exit code is 3: a number, or a share as 0.1%.
    #[arg(long, value_name = "N|P%", value_parser = values::bad_lines, default_value = "0.1%",
          help_heading = "Reading")]
    pub(crate) max_bad_lines: BadLines,
    /// Worker threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = values::threads, help_heading = "Reading")]
    pub(crate) threads: Option<usize>,
    /// Stop with an error rather than use more memory than this, as 512M or 4G.
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Reading")]
    pub(crate) memory: Option<u64>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub(crate) format: Format,
    /// Write analysis.json and report.txt into this folder too.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
    /// Print nothing but the report and errors.
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Show no progress bar (there is none anyway unless standard error is a terminal).
    #[arg(long, help_heading = "Output")]
    pub(crate) no_progress: bool,
}

/// Flags of the commands that judge.
#[derive(Debug, clap::Args)]
pub(crate) struct JudgeArgs {
    /// Most rules that a group may have in one direction, IPv4 and IPv6 each (AWS quota).
    #[arg(long, value_name = "N", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..), help_heading = "Judging")]
    pub(crate) rule_quota: u32,
    /// How sure it must be who opened a connection before the other reading is dropped.
    #[arg(long, value_enum, default_value_t = Sureness::High, value_name = "LEVEL", help_heading = "Judging")]
    pub(crate) min_confidence: Sureness,
    /// What proposals must keep: all that passed, or only what was answered too.
    #[arg(long, value_enum, default_value_t = Kept::All, value_name = "WHICH", help_heading = "Judging")]
    pub(crate) obligations: Kept,
    /// Where several groups of an interface allow a connection: all keep it, or one does.
    #[arg(long, value_enum, default_value_t = Keepers::All, value_name = "WHO", help_heading = "Judging")]
    pub(crate) assign: Keepers,
    /// The cloud [default: told from the snapshot].
    #[arg(long, value_enum, value_name = "CLOUD", help_heading = "Judging")]
    pub(crate) provider: Option<Provider>,
}

/// `--min-confidence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sureness {
    // Proved by handshake or rules.
    Certain,
    // Many records agree.
    High,
}

/// `--obligations`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kept {
    // Everything that passed.
    All,
    // Only what was answered; accepted scans are let go.
    Answered,
}

/// `--assign`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Keepers {
    // Each group that covers it.
    All,
    // One of them.
    One,
}

/// `--provider`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Provider {
    // Amazon Web Services.
    Aws,
}

/// `analyze`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch analyze logs/ --snapshot snapshot/
  flowcinch analyze 'logs/2026/11/**/*.log.gz' --snapshot snapshot/ --since 30d --out report/
  zcat day.log.gz | flowcinch analyze - --snapshot groups.json --format json > analysis.json

Exit codes:
  0  nothing to report
  1  findings: a rule unused, redundant, shadowed or without effect, a proposal to tighten,
     or a REJECT that looks like a misconfiguration
  2  could not run
  3  incomplete input, whatever was found: unreadable objects, bad lines over the limit,
     or groups in use of which no log speaks")]
pub(crate) struct AnalyzeArgs {
    /// Files, folders (walked), glob patterns, or - for standard input.
    #[arg(value_name = "LOGS", required = true)]
    pub(crate) logs: Vec<String>,
    /// Folder or JSON file of `aws ec2 describe-...` output; again for each other time.
    #[arg(long = "snapshot", value_name = "PATH", required = true, action = ArgAction::Append)]
    pub(crate) snapshots: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Cut no lists in the text report.
    #[arg(long, help_heading = "Output")]
    pub(crate) full: bool,
    /// Exit 0 instead of 1 where there are findings.
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_zero: bool,
}

/// `why`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch why 10.0.1.10 10.0.2.30 tcp/5432 --snapshot snapshot/
  flowcinch why eni-0a1b2c3d4e5f60718 198.51.100.7 udp/53 --snapshot snapshot/
  flowcinch why 203.0.113.9 10.0.1.10 icmp/8/0 --snapshot snapshot/ --format json

It judges groups and ACLs, not routes. Exit codes: 0 allowed, 1 not, 2 could not tell.")]
pub(crate) struct WhyArgs {
    /// Who opens the connection: an address or an interface id.
    #[arg(value_name = "SRC")]
    pub(crate) source: String,
    /// Who answers: an address or an interface id.
    #[arg(value_name = "DST")]
    pub(crate) destination: String,
    /// tcp/443, udp/53, icmp, icmp/8/0, icmpv6/128/0, or a protocol number.
    #[arg(value_name = "PROTO/PORT")]
    pub(crate) service: String,
    /// Folder or JSON file of `aws ec2 describe-...` output; again for each other time.
    #[arg(long = "snapshot", value_name = "PATH", required = true, action = ArgAction::Append)]
    pub(crate) snapshots: Vec<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

/// `explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch explain SG101
  flowcinch explain wide-rule
  flowcinch explain")]
pub(crate) struct ExplainArgs {
    /// A code or its name, in any case; none lists them all.
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch render report/analysis.json --format text --full
  flowcinch render report/analysis.json --format html --out report.html
  flowcinch analyze logs/ --snapshot snapshot/ --format json | flowcinch render - --format text
  flowcinch render report/analysis.json --format json --out copy.json

Exits 0 whatever the analysis found.")]
pub(crate) struct RenderArgs {
    /// The analysis.json of `analyze`, or - for standard input.
    #[arg(value_name = "ANALYSIS")]
    pub(crate) analysis: PathBuf,
    /// The format to write.
    #[arg(long, value_enum)]
    pub(crate) format: RenderFormat,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Cut no lists in the text report.
    #[arg(long)]
    pub(crate) full: bool,
}

/// `sample`.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch sample --out demo --records 100000 --seed 1
  flowcinch analyze demo/logs --snapshot demo/snapshot
  flowcinch sample --out old --records 1000 --seed 7 --format-version 2 --plain

Equal flags make equal bytes. DIR/truth.json says what was planted.")]
pub(crate) struct SampleArgs {
    /// Folder to write logs, snapshot and truth.json into.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Number of log records.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) records: u64,
    /// Seed of the random choices: the same seed makes the same bytes.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Version of the log format.
    #[arg(long, value_name = "2..11", default_value_t = 5,
          value_parser = clap::value_parser!(u8).range(2..=11))]
    pub(crate) format_version: u8,
    /// The cloud to imitate.
    #[arg(long, value_enum, default_value_t = Provider::Aws, value_name = "CLOUD")]
    pub(crate) provider: Provider,
    /// Interfaces of the made-up cloud.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) interfaces: Option<u32>,
    /// Days that the logs cover, 0.05 to 400.
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<f64>,
    /// Share of interface-minutes whose records are lost (SKIPDATA), 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = values::share)]
    pub(crate) skip_share: Option<f64>,
    /// Share of records that are scans, 0 to 1.
    #[arg(long, value_name = "SHARE", value_parser = values::share)]
    pub(crate) scan_share: Option<f64>,
    /// Tasks whose interfaces come and go within minutes.
    #[arg(long)]
    pub(crate) churn: bool,
    /// Rules that change midway; the snapshot is then two dated folders.
    #[arg(long)]
    pub(crate) rule_changes: bool,
    /// IPv6 beside IPv4.
    #[arg(long)]
    pub(crate) ipv6: bool,
    /// Plain text logs instead of gzip.
    #[arg(long)]
    pub(crate) plain: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn logs_and_snapshots_may_stand_in_any_order() {
        let typed = "flowcinch analyze a --snapshot s1 b - --snapshot s2 --since 30d";
        let args = Args::try_parse_from(typed.split(' ')).unwrap();
        let Some(Command::Analyze(analyze)) = args.command else {
            panic!("another command");
        };
        assert_eq!(analyze.logs, ["a", "b", "-"]);
        assert_eq!(
            analyze.snapshots,
            [PathBuf::from("s1"), PathBuf::from("s2")]
        );
        assert_eq!(analyze.log.max_bad_lines, BadLines::Millionths(1_000));
        assert_eq!(analyze.judge.rule_quota, 60);
    }
}
