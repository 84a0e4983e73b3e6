//! Where commands meet the library: one function a command, nothing else.

use flowcinch::pipeline::Progress;
use flowcinch::pipeline::Request;
use flowcinch::report::document::Analysis;

use crate::cli::Failure;
use crate::cli::config::SampleConfig;
use crate::cli::config::WhyConfig;
use crate::cli::outcome::Outcome;

/// Runs the analysis.
// CONNECT: `flowcinch::pipeline::analyze(request, progress).map_err(Failure::from)`.
pub(crate) fn analyze(_request: &Request, _progress: &dyn Progress) -> Result<Analysis, Failure> {
    Err("not connected: this build cannot analyze yet".into())
}

/// Answers about one flow, on standard output; [`Outcome::Clean`] where it is
/// allowed, [`Outcome::Findings`] where not.
// CONNECT: `attribute::why`.
pub(crate) fn why(config: &WhyConfig) -> Result<Outcome, Failure> {
    let WhyConfig {
        source,
        destination,
        service,
        snapshots: _,
        format: _,
    } = config;
    Err(
        format!("not connected: this build cannot judge {source} to {destination} {service} yet")
            .into(),
    )
}

/// Writes the made-up cloud.
// CONNECT: `sample`.
pub(crate) fn sample(config: &SampleConfig) -> Result<(), Failure> {
    let SampleConfig {
        out,
        records: _,
        seed: _,
        format_version: _,
        provider: _,
        interfaces: _,
        days: _,
        skip_share: _,
        scan_share: _,
        plain: _,
    } = config;
    Err(format!(
        "not connected: this build cannot write a sample to `{}` yet",
        out.display()
    )
    .into())
}
