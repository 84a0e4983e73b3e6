//! What stops a run before it has an answer. Bad data is not among it: that is
//! counted, and the run goes on.

use std::path::PathBuf;

use thiserror::Error;

use crate::describe::DescribeError;
use crate::digest::DigestError;
use crate::flowlog::header::LayoutError;
use crate::pipeline::rules::RulesError;
use crate::source::SourceError;

/// Why a run could not be done.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// No log was named.
    #[error(
        "no logs given; name files, folders, glob patterns or `-` for standard input, or a digest with `--digest`"
    )]
    NoLogs,
    /// No snapshot was named.
    #[error("no snapshot given; name a folder of `aws ec2 describe-…` output with `--snapshot`")]
    NoSnapshot,
    /// The inputs could not be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A snapshot could not be read.
    #[error(transparent)]
    Describe(#[from] DescribeError),
    /// The rules to hold flows against are none, or do not fit.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// `--fields` makes no sense.
    #[error("`--fields`: {0}")]
    Fields(#[from] LayoutError),
    /// Several snapshots, and no telling which is when.
    #[error(
        "`{0}` and `{1}` have no date, so it cannot be told which holds when; \
         write a `captured-at.txt` with an RFC 3339 time into each folder, or give one snapshot"
    )]
    Undated(PathBuf, PathBuf),
    /// A relative time bound needs the logs read twice.
    #[error(
        "a time counted back from the newest record needs the logs read twice, which standard input cannot be; give an RFC 3339 time"
    )]
    RelativeOnStdin,
    /// A digest cannot be read or written.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// What a digest reads it must be able to know again.
    #[error(
        "standard input has no name by which a digest could know it again; \
         write it to a file and name that"
    )]
    DigestOfStdin,
    /// A digest keeps whole objects.
    #[error(
        "a digest keeps each object whole, so that none has to be read twice; leave out `--since` \
         and `--until` here and give them to `analyze`"
    )]
    DigestOfSpan,
    /// The evidence outgrew the bound.
    #[error(
        "what the logs hold does not fit in the {limit} bytes of `--memory`, even with peers and ports \
         by prefix and range; \
         give more, or fewer logs by `--since` and `--until`"
    )]
    Memory {
        /// The bound in bytes.
        limit: u64,
    },
    /// The worker threads could not be started.
    #[error("cannot start {}; give fewer with `--threads`", threads(*.0))]
    Threads(usize),
}

/// So many worker threads in words; 0 stands for one a core.
fn threads(number: usize) -> String {
    match number {
        0 => "a worker thread for each core".to_owned(),
        1 => "a worker thread".to_owned(),
        _ => format!("{number} worker threads"),
    }
}
