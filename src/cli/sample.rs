//! `sample`: a made-up cloud, to try everything on.

use flowcinch::report::human;
use flowcinch::sample;
use flowcinch::sample::SampleConfig;

use crate::cli::Failure;
use crate::cli::args::Form;
use crate::cli::args::Provider;
use crate::cli::args::SampleArgs;
use crate::cli::messages;
use crate::cli::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(args: &SampleArgs) -> Result<Outcome, Failure> {
    let summary = sample::write(&config(args))?;
    messages::note(&format!(
        "wrote {} records of {} connections in {} objects to {}",
        human::count(summary.records),
        human::count(summary.connections),
        human::count(summary.files),
        args.out.display()
    ));
    Ok(Outcome::Clean)
}

fn config(args: &SampleArgs) -> SampleConfig {
    let Provider::Aws = args.provider;
    let default = SampleConfig::default();
    SampleConfig {
        out: args.out.clone(),
        records: args.records,
        seed: args.seed,
        format_version: args.format_version,
        interfaces: args.interfaces,
        days: args.days.unwrap_or(default.days),
        skip_share: args.skip_share.unwrap_or(default.skip_share),
        scan_share: args.scan_share.unwrap_or(default.scan_share),
        churn: args.churn,
        rule_changes: args.rule_changes,
        ipv6: args.ipv6,
        plain: args.plain,
        form: match args.form {
            Form::Text => sample::Form::Text,
            Form::Parquet => sample::Form::Parquet,
            Form::Cloudwatch => sample::Form::CloudWatch,
            Form::Subscription => sample::Form::Subscription,
            Form::Firehose => sample::Form::Firehose,
            Form::Ocsf => sample::Form::Ocsf,
            Form::SecurityLake => sample::Form::SecurityLake,
        },
        ..default
    }
}
