//! `why`: one flow, which rules pass it or what stops it.

use crate::cli::Failure;
use crate::cli::args::WhyArgs;
use crate::cli::config::WhyConfig;
use crate::cli::connect;
use crate::cli::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(args: &WhyArgs) -> Result<Outcome, Failure> {
    connect::why(&WhyConfig::new(args))
}
