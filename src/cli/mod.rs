//! The command line: what was typed, what was meant, and what comes back.
//!
//! Floor 8, in the binary alone: the library never sees clap. `args` holds
//! what was typed, `config` makes typed values of it, one file a command does
//! the work, `outcome` says how it ended.

mod analyze;
mod args;
mod config;
mod document;
mod evidence;
mod explain;
mod gate;
mod ingest;
mod input;
mod manual;
mod merge;
mod messages;
mod outcome;
mod output;
mod progress;
mod render;
mod sample;
mod snapshot;
mod values;
mod verify;
mod why;

use std::error::Error;
use std::ffi::OsString;

use clap::Parser;
use flowcinch::flowlog::parquet;

use crate::cli::args::Args;
use crate::cli::args::Command;
use crate::cli::outcome::Outcome;

/// Why a command could not run; shown with all its sources.
pub(crate) type Failure = Box<dyn Error>;

/// Runs the program on its arguments, the first of which is its name.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> Outcome {
    tell_panics();
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return messages::usage(&error),
    };
    let Some(command) = args.command else {
        messages::guide();
        return Outcome::CouldNotRun;
    };
    match dispatch(command, args.color) {
        Ok(outcome) => outcome,
        Err(failure) => {
            messages::failure(failure.as_ref());
            Outcome::CouldNotRun
        }
    }
}

/// Panics that are caught, and told as damage, are not told twice.
fn tell_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !parquet::is_guarded() {
            tell(panic);
        }
    }));
}

fn dispatch(command: Command, color: args::Color) -> Result<Outcome, Failure> {
    match command {
        Command::Analyze(args) => analyze::run(&args, color),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Explain(args) => explain::run(&args, color),
        Command::Render(args) => render::run(&args, color),
        Command::Sample(args) => sample::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
    }
}
