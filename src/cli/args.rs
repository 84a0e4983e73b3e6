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
use flowcinch::cloud::access;
use flowcinch::net::PortSet;
use flowcinch::pipeline::TimeBound;
use flowcinch::report::accepted::Day;

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
    Analyze(Box<AnalyzeArgs>),
    /// Collect a snapshot through the EC2 API: groups, interfaces and what gives them meaning.
    Snapshot(SnapshotArgs),
    /// The merge gate: what was seen, replayed against other rules or a plan; certificates checked.
    Verify(VerifyArgs),
    /// Fold logs into a digest, which keeps what they said: each object is read once, ever.
    Ingest(IngestArgs),
    /// Any number of digests into one, the same in any order and grouping.
    Merge(MergeArgs),
    /// One flow: which rules pass it, or what stops it and what is nearest.
    Why(WhyArgs),
    /// The manual page of a finding code; without a code, the list of codes.
    Explain(ExplainArgs),
    /// Write an analysis.json in another form: a report, a change, findings.
    Render(RenderArgs),
    /// Make up a cloud with logs, snapshot and known truth, to try things on.
    Sample(SampleArgs),
    /// Print the completions of a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command, for `man -l -`.
    Man(ManArgs),
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The command; none for the program.
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
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
    // Terraform configuration, in the style of the state.
    Terraform,
    // A CloudFormation template of the rules.
    Cloudformation,
    // A shell script of AWS CLI calls.
    AwsCli,
    // A shell script of aliyun calls.
    AliyunCli,
    // Findings for code scanning.
    Sarif,
    // Findings as OCSF events.
    Ocsf,
    // Findings as a table.
    Csv,
    // Findings for a ticket or a comment.
    Markdown,
    // A report as one file for a browser.
    Html,
    // The analysis document.
    Json,
}

/// Which proposals are written as changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Trust {
    // What may be applied.
    Apply,
    // What a person must review, too.
    Review,
    // What is only to be read, too.
    ReportOnly,
}

/// Which configuration `--format terraform` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TerraformStage {
    // The rules of today, with import blocks.
    Adopt,
    // The rules after the change.
    Tighten,
}

/// Flags of the formats that write rules.
#[derive(Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    /// The least trusted proposals that are written as changes; others become comments.
    #[arg(long, value_enum, default_value_t = Trust::Review, value_name = "TRUST", help_heading = "Changes")]
    pub(crate) include: Trust,
    /// What `terraform show -json` printed: tells how each group is managed.
    #[arg(long, value_name = "FILE", help_heading = "Changes")]
    pub(crate) terraform_state: Option<PathBuf>,
    /// With terraform and cloudformation: the rules of today to import first, or the rules after the change.
    #[arg(long, value_enum, default_value_t = TerraformStage::Tighten, value_name = "STAGE", help_heading = "Changes")]
    pub(crate) terraform_stage: TerraformStage,
    /// With aws-cli: make staging copies of the groups, to try on single interfaces first.
    #[arg(long, help_heading = "Changes")]
    pub(crate) clone_first: bool,
}

/// Flags that hold findings against what was known and accepted.
#[derive(Debug, clap::Args)]
pub(crate) struct GateArgs {
    /// An earlier analysis.json: say what is new, fixed, unchanged; exit 1 for what is new only.
    #[arg(long, value_name = "OLD.json", help_heading = "Gate")]
    pub(crate) baseline: Option<PathBuf>,
    /// TOML file of accepted findings, each with id, owner, reason and expires.
    #[arg(long, value_name = "FILE", help_heading = "Gate")]
    pub(crate) accepted: Option<PathBuf>,
    /// The day on which acceptances are judged [default: the end of the logs].
    #[arg(long, value_name = "DAY", value_parser = values::day, help_heading = "Gate")]
    pub(crate) today: Option<Day>,
}

impl GateArgs {
    /// Whether anything is held against anything.
    pub(crate) fn is_asked(&self) -> bool {
        self.baseline.is_some() || self.accepted.is_some()
    }
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
    /// Stay within about this much memory, as 512M or 4G: peers and ports that are too many are
    /// told by prefix and range, where no rule tells them apart [default: 512M, own addresses
    /// not counted].
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Reading")]
    pub(crate) memory: Option<u64>,
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub(crate) format: Format,
    /// Write the result into this folder too: analysis.json and report.txt, or verify.json and
    /// verify.txt.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
    /// Print nothing but the report and errors.
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Show no progress bar (there is none anyway unless standard error is a terminal).
    #[arg(long, help_heading = "Output")]
    pub(crate) no_progress: bool,
}

/// Flags of the commands that read buckets.
#[derive(Debug, clap::Args)]
pub(crate) struct BucketArgs {
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    /// Profile of the AWS configuration files [default: that of the environment].
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) profile: Option<String>,
    /// Region of the buckets [default: asked of each].
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Pay for requests to buckets whose owner asks for it.
    #[arg(long, help_heading = "AWS")]
    pub(crate) request_payer: bool,
}

/// Flags of the commands that speak to a cloud.
#[derive(Debug, clap::Args)]
pub(crate) struct CloudArgs {
    /// Server to ask instead of AWS's own, as `http://localhost:9000`; buckets are then part of the path.
    #[arg(long, value_name = "URL", value_parser = values::url, help_heading = "AWS")]
    pub(crate) endpoint_url: Option<String>,
    /// Times that a request is made before it counts as failed.
    #[arg(long, value_name = "N", default_value_t = access::MAX_ATTEMPTS,
          value_parser = clap::value_parser!(u32).range(1..=100), help_heading = "AWS")]
    pub(crate) max_attempts: u32,
    /// Seconds that an answer may stay away, or pause, before it is asked for again.
    #[arg(long, value_name = "SECONDS", default_value_t = access::READ_TIMEOUT,
          value_parser = clap::value_parser!(u64).range(1..=3600), help_heading = "AWS")]
    pub(crate) read_timeout: u64,
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

/// Numbers that proposals are weighed by; the defaults are the library's.
#[derive(Debug, clap::Args)]
pub(crate) struct TasteArgs {
    /// Most rules that all groups of an interface may have together, as --rule-quota (AWS quota).
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tightening")]
    pub(crate) interface_quota: u32,
    /// Ports of TCP and UDP that weigh more, as 22,3389,5985-5986 [default: those of administration
    /// and data stores].
    #[arg(long, value_name = "PORTS", value_parser = values::ports, help_heading = "Tightening")]
    pub(crate) sensitive_ports: Option<PortSet>,
    /// How many times as much an opening behind a sensitive port weighs.
    #[arg(long, value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u32).range(1..=1_000), help_heading = "Tightening")]
    pub(crate) sensitive_weight: u32,
    /// An address of the group's VPC that nobody owned weighs one part in N.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..=1_000), help_heading = "Tightening")]
    pub(crate) vacant_share: u32,
    /// What one rule less is worth, in address-ports opened beyond what was needed.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u64).range(..=1_000_000_000), help_heading = "Tightening")]
    pub(crate) rule_worth: u64,
    /// What one step of change must close at least, in address-ports; adding a rule is two steps.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(..=1_000_000_000), help_heading = "Tightening")]
    pub(crate) step_worth: u64,
    /// Prefixes join addresses only where one in N of theirs was needed, or they are a subnet's.
    #[arg(long, value_name = "N", default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tightening")]
    pub(crate) sparsest: u32,
    /// Where the quota presses, openings that differ by less than N address-ports are alike.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000), help_heading = "Tightening")]
    pub(crate) tolerance: u64,
    /// Where the quota presses, fewer rules win if they open at most one part in N more.
    #[arg(long, value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(1..), help_heading = "Tightening")]
    pub(crate) slack: u32,
    /// More public clients than this behind a wide rule make a public service, which keeps its prefix.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 25,
        help_heading = "Tightening"
    )]
    pub(crate) public_peers: u32,
    /// IPv4 rules are wide where their prefix is shorter than this.
    #[arg(long, value_name = "BITS", default_value_t = 8,
          value_parser = clap::value_parser!(u8).range(..=32), help_heading = "Tightening")]
    pub(crate) wide_v4: u8,
    /// IPv6 rules are wide where their prefix is shorter than this.
    #[arg(long, value_name = "BITS", default_value_t = 16,
          value_parser = clap::value_parser!(u8).range(..=128), help_heading = "Tightening")]
    pub(crate) wide_v6: u8,
    /// Most branches that the solver follows where boxes are hard to find.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 50,
        help_heading = "Tightening"
    )]
    pub(crate) solver_nodes: u32,
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
    // Alibaba Cloud.
    Alibaba,
}

/// `analyze`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch analyze logs/ --snapshot snapshot/
  flowcinch analyze 'logs/2026/11/**/*.log.gz' --snapshot snapshot/ --since 30d --out report/
  zcat day.log.gz | flowcinch analyze - --snapshot groups.json --format json > analysis.json
  flowcinch analyze s3://bucket/AWSLogs/ --snapshot snapshot/ --since 30d
  flowcinch analyze --digest digest/ --snapshot snapshot/ --since 90d

Exit codes:
  0  nothing to report
  1  findings: a rule unused, redundant, shadowed or without effect, a proposal to tighten,
     or a REJECT that looks like a misconfiguration
  2  could not run
  3  incomplete input, whatever was found: unreadable objects, bad lines over the limit,
     or groups in use of which no log speaks")]
pub(crate) struct AnalyzeArgs {
    /// Files, folders (walked), glob patterns, `s3://bucket/prefix`, or - for standard input.
    #[arg(value_name = "LOGS", required_unless_present = "digests")]
    pub(crate) logs: Vec<String>,
    /// A digest (a folder or an address in S3), instead of logs or beside them; again for each other one.
    #[arg(long = "digest", value_name = "DIR", action = ArgAction::Append, help_heading = "Reading")]
    pub(crate) digests: Vec<PathBuf>,
    /// Folder or JSON file of `aws ec2 describe-...` output; again for each other time.
    #[arg(long = "snapshot", value_name = "PATH", required = true, action = ArgAction::Append)]
    pub(crate) snapshots: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    #[command(flatten)]
    pub(crate) taste: Box<TasteArgs>,
    /// Cut no lists in the text report.
    #[arg(long, help_heading = "Output")]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
    /// Write a pack for auditors into this folder: inputs' hashes, command, analysis, findings.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) evidence: Option<PathBuf>,
    /// Replace addresses in all that is written, by the secret key in this file; a baseline's too.
    #[arg(long, value_name = "KEYFILE", help_heading = "Output")]
    pub(crate) pseudonymise: Option<PathBuf>,
    /// Exit 0 instead of 1 where there are findings.
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_zero: bool,
}

/// `verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  terraform show -json plan.out > plan.json
  flowcinch verify plan.json logs/ --snapshot snapshot/
  flowcinch verify report/analysis.json logs/ --snapshot snapshot/ --format json
  flowcinch verify tomorrow/snapshot/ logs/ --snapshot snapshot/ --since 30d
  flowcinch verify report/certificate.json
  flowcinch verify report/certificate.json logs/ --snapshot snapshot/

A certificate is checked by itself; with --snapshot and logs, against what it was made from too.

Exit codes:
  0  nothing that was seen would break, nothing would newly open; the certificate holds
  1  something would: each flow with the rule that let it through, each opening with a packet;
     or the certificate is refused
  2  could not run
  3  neither was found, on incomplete input: unreadable objects, bad lines over the limit,
     what could not be judged (values known after apply, changes that are not read, parts that
     a snapshot lacks), or changed groups whose accepted traffic no log tells")]
pub(crate) struct VerifyArgs {
    /// What to hold against: an analysis.json with its proposals, another snapshot, or what
    /// `terraform show -json` prints of a plan; or a certificate.json to check, by itself or
    /// against its inputs. Told by what it holds.
    #[arg(value_name = "RULES")]
    pub(crate) rules: PathBuf,
    /// Files, folders (walked), glob patterns, or - for standard input.
    #[arg(value_name = "LOGS")]
    pub(crate) logs: Vec<String>,
    /// Folder or JSON file of `aws ec2 describe-...` output; again for each other time.
    #[arg(long = "snapshot", value_name = "PATH", action = ArgAction::Append)]
    pub(crate) snapshots: Vec<PathBuf>,
    /// A digest (a folder or an address in S3), instead of logs or beside them; again for each other one.
    #[arg(long = "digest", value_name = "DIR", action = ArgAction::Append, help_heading = "Reading")]
    pub(crate) digests: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Cut no lists in the text report.
    #[arg(long, help_heading = "Output")]
    pub(crate) full: bool,
    /// Exit 0 instead of 1 where something would break or open.
    #[arg(long, help_heading = "Output")]
    pub(crate) exit_zero: bool,
}

/// `ingest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch ingest logs/ --digest digest/
  flowcinch ingest 'logs/2026/11/**/*.log.gz' --digest digest/ --format json
  flowcinch ingest s3://bucket/AWSLogs/ --digest s3://other-bucket/digest
  flowcinch analyze --digest digest/ --snapshot snapshot/

Run it again after each delivery: what the digest has is not read again. It may be stopped at
any moment. To forget a day, delete digest/evidence/day=2026-11-20.

Exit codes: 0 done, 2 could not run, 3 incomplete input (unreadable objects, bad lines over the
limit).")]
pub(crate) struct IngestArgs {
    /// Files, folders (walked), glob patterns or `s3://bucket/prefix`.
    #[arg(value_name = "LOGS", required = true)]
    pub(crate) logs: Vec<String>,
    /// The digest, a folder or an address in S3; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) digest: PathBuf,
    // Taken to say why not.
    #[arg(long, hide = true, value_parser = values::time_bound)]
    pub(crate) since: Option<TimeBound>,
    #[arg(long, hide = true, value_parser = values::time_bound)]
    pub(crate) until: Option<TimeBound>,
    /// Columns of logs without a header line, if they are not the default 14.
    #[arg(long, value_name = "NAMES", help_heading = "Reading")]
    pub(crate) fields: Option<String>,
    /// Snapshots whose flow logs name the columns of such logs; only for that.
    #[arg(long = "snapshot", value_name = "PATH", action = ArgAction::Append, help_heading = "Reading")]
    pub(crate) snapshots: Vec<PathBuf>,
    /// Lines that may be unreadable before the exit code is 3: a number, or a share as 0.1%.
    #[arg(long, value_name = "N|P%", value_parser = values::bad_lines, default_value = "0.1%",
          help_heading = "Reading")]
    pub(crate) max_bad_lines: BadLines,
    /// Worker threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = values::threads, help_heading = "Reading")]
    pub(crate) threads: Option<usize>,
    /// Write smaller batches, to stay within about this much memory, as 512M or 4G.
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = "Reading")]
    pub(crate) memory: Option<u64>,
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,
    /// What to print.
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub(crate) format: Format,
    /// Print nothing but errors.
    #[arg(long, short, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Show no progress bar (there is none anyway unless standard error is a terminal).
    #[arg(long, help_heading = "Output")]
    pub(crate) no_progress: bool,
}

/// `merge`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch merge account-a/ account-b/ --into all/
  flowcinch merge digest/ --into compact/      (one batch in place of many)

Objects that several digests have read count once. What is written depends on the objects alone:
the same bytes in any order and grouping. Exit codes: 0 done, 2 could not run.")]
pub(crate) struct MergeArgs {
    /// The digests.
    #[arg(value_name = "DIGEST", required = true)]
    pub(crate) digests: Vec<PathBuf>,
    /// The digest to write; what it holds already stays.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Worker threads [default: one per core].
    #[arg(long, value_name = "N", value_parser = values::threads)]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) bucket: BucketArgs,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
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
  flowcinch explain tutorial
  flowcinch explain")]
pub(crate) struct ExplainArgs {
    /// A code or its name, in any case, or `tutorial`; none lists them all.
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

/// `snapshot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch snapshot --out snapshots
  flowcinch snapshot --out snapshots --region eu-west-1 --region us-east-1 --profile prod --profile dev
  flowcinch analyze logs/ --snapshot snapshots/2026-11-20T08:00:00Z

Writes DIR/TIME/ACCOUNT/REGION/*.json, the output of the describe calls, all of which only read.
Exit codes: 0 done, 2 could not run, 3 done, but a call was refused: what it would say is missing.")]
pub(crate) struct SnapshotArgs {
    /// Folder that gets the dated folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Region, again for each other [default: that of the profile or the environment].
    #[arg(long = "region", value_name = "NAME", value_parser = values::region,
          action = ArgAction::Append, help_heading = "AWS")]
    pub(crate) regions: Vec<String>,
    /// Profile of the AWS configuration files, again for each other account.
    #[arg(long = "profile", value_name = "NAME", action = ArgAction::Append, help_heading = "AWS")]
    pub(crate) profiles: Vec<String>,
    #[command(flatten)]
    pub(crate) cloud: CloudArgs,
    /// Print nothing but the folder and errors.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// `render`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flowcinch render report/analysis.json --format text --full
  flowcinch render report/analysis.json --format html --out report.html
  flowcinch analyze logs/ --snapshot snapshot/ --format json | flowcinch render - --format text
  flowcinch render report/analysis.json --format json --out copy.json

  flowcinch render report/analysis.json --format terraform --terraform-state state.json
  flowcinch render report/analysis.json --format aws-cli --out change.sh
  flowcinch render report/analysis.json --format sarif --baseline main.json --accepted accepted.toml

Exits 0 whatever the analysis found; with --baseline or --accepted, 1 where findings are new and
accepted by nobody.")]
pub(crate) struct RenderArgs {
    /// The analysis.json of `analyze`, or - for standard input.
    #[arg(value_name = "ANALYSIS")]
    pub(crate) analysis: PathBuf,
    /// The format to write.
    #[arg(long, value_enum)]
    pub(crate) format: RenderFormat,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) gate: GateArgs,
    /// Replace addresses in all that is written, by the secret key in this file; a baseline's too.
    #[arg(long, value_name = "KEYFILE")]
    pub(crate) pseudonymise: Option<PathBuf>,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Cut no lists in the text report.
    #[arg(long)]
    pub(crate) full: bool,
}

/// How made-up logs are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    // Text in S3, with a header.
    Text,
    // Parquet in S3.
    Parquet,
    // An export from CloudWatch Logs to S3.
    Cloudwatch,
    // A subscription of CloudWatch Logs, through Firehose.
    Subscription,
    // Firehose alone.
    Firehose,
    // OCSF events, one a line.
    Ocsf,
    // OCSF in Parquet, as Security Lake keeps it.
    SecurityLake,
    // JSON lines in OSS (Alibaba Cloud).
    Json,
    // CSV in OSS (Alibaba Cloud).
    Csv,
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
    /// How logs are delivered [default: text; json for Alibaba Cloud].
    #[arg(long, value_enum)]
    pub(crate) form: Option<Form>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use flowcinch::tighten::Limits;

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
        assert_eq!(
            analyze.taste.limits(analyze.judge.rule_quota),
            Limits::default()
        );
    }
}
