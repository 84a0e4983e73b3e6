//! `sample`: a made-up cloud, to try everything on.

use crate::cli::Failure;
use crate::cli::args::SampleArgs;
use crate::cli::config::SampleConfig;
use crate::cli::connect;
use crate::cli::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(args: &SampleArgs) -> Result<Outcome, Failure> {
    connect::sample(&SampleConfig::new(args))?;
    Ok(Outcome::Clean)
}
