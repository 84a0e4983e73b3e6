//! `sample`: a made-up cloud, to try everything on.

use flowcinch::model;
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
    let default = SampleConfig::default();
    SampleConfig {
        out: args.out.clone(),
        records: args.records,
        provider: match args.provider {
            Provider::Aws => model::Provider::Aws,
            Provider::Alibaba => model::Provider::Alibaba,
        },
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
        form: form(args),
        ..default
    }
}

fn form(args: &SampleArgs) -> sample::Form {
    match (args.form, args.provider) {
        (None, Provider::Aws) | (Some(Form::Text), _) => sample::Form::Text,
        (Some(Form::Parquet), Provider::Aws) => sample::Form::Parquet,
        (None, Provider::Alibaba) | (Some(Form::Json), _) => sample::Form::OssJson,
        (Some(Form::Csv), _) => sample::Form::OssCsv,
        (Some(Form::Parquet), Provider::Alibaba) => sample::Form::OssParquet,
        (Some(Form::Cloudwatch), _) => sample::Form::CloudWatch,
        (Some(Form::Subscription), _) => sample::Form::Subscription,
        (Some(Form::Firehose), _) => sample::Form::Firehose,
        (Some(Form::Ocsf), _) => sample::Form::Ocsf,
        (Some(Form::SecurityLake), _) => sample::Form::SecurityLake,
    }
}
