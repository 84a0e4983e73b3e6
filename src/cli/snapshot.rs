//! `snapshot`: collects a snapshot, names the folder on standard output, and
//! what is missing on standard error.

use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use flowcinch::cloud::snapshot;
use flowcinch::cloud::snapshot::Missing;
use flowcinch::cloud::snapshot::Order;
use flowcinch::net::Timestamp;

use crate::cli::Failure;
use crate::cli::args::SnapshotArgs;
use crate::cli::config;
use crate::cli::messages;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Runs the command.
pub(crate) fn run(args: &SnapshotArgs) -> Result<Outcome, Failure> {
    let taken = snapshot::take(&Order {
        out: args.out.clone(),
        regions: args.regions.clone(),
        profiles: args.profiles.clone(),
        access: config::access(&args.cloud),
        at: now()?,
    })?;
    for missing in &taken.missing {
        tell(missing, args.quiet);
    }
    if !args.quiet {
        messages::note(&format!(
            "wrote {} answers from {} places (account and Region)",
            taken.files, taken.places
        ));
    }
    output::print(format!("{}\n", taken.folder.display()).as_bytes())?;
    let refused = taken.missing.iter().any(|missing| !missing.unknown_there);
    Ok(if refused {
        Outcome::Incomplete
    } else {
        Outcome::Clean
    })
}

/// A refusal is told always; a call that does not exist there is no fault.
fn tell(missing: &Missing, quiet: bool) {
    let Missing {
        place,
        call,
        reason,
        unknown_there,
    } = missing;
    if !(quiet && *unknown_there) {
        messages::note(&format!("missing: `aws {call}` in {place}: {reason}"));
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a snapshot is dated by when it was taken"
)]
fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp(i64::try_from(since.as_secs())?))
}
