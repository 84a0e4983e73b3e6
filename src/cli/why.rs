//! `why`: one flow, which rules pass it or what stops it.

use flowcinch::attribute::question::Question;
use flowcinch::attribute::why;
use flowcinch::attribute::why::Passage;
use flowcinch::pipeline::snapshots;
use flowcinch::report::why as report;

use crate::cli::Failure;
use crate::cli::args::Format;
use crate::cli::args::WhyArgs;
use crate::cli::messages;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Runs the command. Of several snapshots the newest answers.
pub(crate) fn run(args: &WhyArgs) -> Result<Outcome, Failure> {
    let question = Question::parse(&args.source, &args.destination, &args.service)?;
    let (series, _) = snapshots::load(&args.snapshots)?;
    if args.snapshots.len() > 1 {
        messages::note("several snapshots given: the newest answers");
    }
    let answer = why::explain(&question, series.latest());
    match args.format {
        Format::Text => output::print(report::text(&answer).as_bytes())?,
        Format::Json => output::print(report::json(&answer)?.as_bytes())?,
    }
    Ok(match answer.passage {
        Passage::Allowed => Outcome::Clean,
        Passage::Blocked => Outcome::Findings,
        Passage::Undecided => Outcome::CouldNotRun,
    })
}
