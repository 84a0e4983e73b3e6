//! `render`: an analysis document in another format.

use flowcinch::report::aliyun_cli;
use flowcinch::report::aws_cli;
use flowcinch::report::aws_cli::Script;
use flowcinch::report::cloudformation;
use flowcinch::report::csv;
use flowcinch::report::document::Analysis;
use flowcinch::report::html;
use flowcinch::report::json;
use flowcinch::report::markdown;
use flowcinch::report::ocsf;
use flowcinch::report::review::Review;
use flowcinch::report::sarif;
use flowcinch::report::terraform;
use flowcinch::report::terraform::Stage;
use flowcinch::report::terraform::State;
use flowcinch::report::terraform::TerraformOptions;
use flowcinch::report::text;
use flowcinch::tighten::plan::Applicability;

use crate::cli::Failure;
use crate::cli::args::ChangeArgs;
use crate::cli::args::Color;
use crate::cli::args::RenderArgs;
use crate::cli::args::RenderFormat;
use crate::cli::args::TerraformStage;
use crate::cli::args::Trust;
use crate::cli::config;
use crate::cli::gate::Gate;
use crate::cli::input;
use crate::cli::input::InputError;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Runs the command.
pub(crate) fn run(args: &RenderArgs, color: Color) -> Result<Outcome, Failure> {
    let analysis = input::analysis(&args.analysis)?;
    let key = input::key(args.pseudonymise.as_deref())?;
    if (key.is_some() || analysis.pseudonymised) && is_change(args.format) {
        return Err(InputError::HiddenChange.into());
    }
    let gate = Gate::read(&args.gate, key.as_ref())?;
    let analysis = input::pseudonymised(analysis, key.as_ref())?;
    let review = gate.review(&analysis);
    let bytes = write(args, &analysis, &review, color)?;
    match &args.out {
        Some(path) => output::write_file(path, &bytes)?,
        None => output::print(&bytes)?,
    }
    gate.tell(&review);
    Ok(
        if args.gate.is_asked() && review.failing().next().is_some() {
            Outcome::Findings
        } else {
            Outcome::Clean
        },
    )
}

/// Whether what is written can be applied: with other addresses it would open
/// them.
fn is_change(format: RenderFormat) -> bool {
    match format {
        RenderFormat::Terraform
        | RenderFormat::Cloudformation
        | RenderFormat::AwsCli
        | RenderFormat::AliyunCli => true,
        RenderFormat::Text
        | RenderFormat::Html
        | RenderFormat::Sarif
        | RenderFormat::Ocsf
        | RenderFormat::Csv
        | RenderFormat::Markdown
        | RenderFormat::Json => false,
    }
}

fn write(
    args: &RenderArgs,
    analysis: &Analysis,
    review: &Review,
    color: Color,
) -> Result<Vec<u8>, Failure> {
    let least = least(args.change.include);
    let text = match args.format {
        RenderFormat::Json => return Ok(json::to_bytes(analysis)?),
        RenderFormat::Text => as_text(analysis, review, args, color),
        RenderFormat::Html => html::render(analysis, review)?,
        RenderFormat::Terraform => terraform::render(analysis, &terraform_options(&args.change)?),
        RenderFormat::Cloudformation => {
            cloudformation::render(analysis, stage(&args.change), least)
        }
        RenderFormat::AwsCli => aws_cli::render(analysis, script(&args.change), least),
        RenderFormat::AliyunCli => aliyun_cli::render(analysis, least),
        RenderFormat::Sarif => sarif::render(analysis, review),
        RenderFormat::Ocsf => ocsf::render(analysis, review),
        RenderFormat::Csv => csv::render(review),
        RenderFormat::Markdown => markdown::render(analysis, review, args.full),
    };
    Ok(text.into_bytes())
}

fn script(args: &ChangeArgs) -> Script {
    if args.clone_first {
        Script::CloneFirst
    } else {
        Script::Change
    }
}

fn as_text(analysis: &Analysis, review: &Review, args: &RenderArgs, color: Color) -> String {
    let options = match args.out {
        Some(_) => config::file_text(args.full),
        None => config::stdout_text(color, args.full),
    };
    text::reviewed(analysis, review, options)
}

fn terraform_options(args: &ChangeArgs) -> Result<TerraformOptions, InputError> {
    let state = match &args.terraform_state {
        None => State::default(),
        Some(path) => State::parse(&input::bytes(path)?)
            .map_err(|error| InputError::State(path.clone(), error))?,
    };
    Ok(TerraformOptions {
        state,
        stage: stage(args),
        least: least(args.include),
    })
}

fn stage(args: &ChangeArgs) -> Stage {
    match args.terraform_stage {
        TerraformStage::Adopt => Stage::Adopt,
        TerraformStage::Tighten => Stage::Tighten,
    }
}

fn least(include: Trust) -> Applicability {
    match include {
        Trust::Apply => Applicability::Apply,
        Trust::Review => Applicability::Review,
        Trust::ReportOnly => Applicability::ReportOnly,
    }
}
