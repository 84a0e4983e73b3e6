//! `merge`: digests into one.

use flowcinch::pipeline::digest;
use flowcinch::report::human;

use crate::cli::Failure;
use crate::cli::args::MergeArgs;
use crate::cli::config;
use crate::cli::messages;
use crate::cli::outcome::Outcome;

/// Runs the command.
pub(crate) fn run(args: &MergeArgs) -> Result<Outcome, Failure> {
    let access = config::bucket_access(&args.bucket);
    let union = digest::merge(&args.digests, &args.into, &access, args.threads)?;
    if !args.quiet {
        let objects = u64::try_from(union.objects.len()).unwrap_or(u64::MAX);
        messages::note(&format!(
            "`{}` holds {} objects of {} days",
            args.into.display(),
            human::count(objects),
            human::count(days(&union)),
        ));
    }
    Ok(Outcome::Clean)
}

fn days(union: &flowcinch::digest::Union) -> u64 {
    let mut days: Vec<i64> = union.files.iter().map(|file| file.day).collect();
    days.dedup();
    u64::try_from(days.len()).unwrap_or(u64::MAX)
}
