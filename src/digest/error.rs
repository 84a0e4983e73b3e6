//! What can be wrong with a digest, and what to do then.

use std::io;

use thiserror::Error;

use crate::source::SourceError;

/// Why a digest cannot be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// Nothing is there.
    #[error("`{0}` does not exist; `flowcinch ingest LOGS --digest {0}` makes a digest")]
    NotFound(String),
    /// Something else is there.
    #[error(
        "`{0}` is no digest: it has no `digest.json`; name a folder that \
         `flowcinch ingest` or `flowcinch merge` made, or a new one"
    )]
    NotADigest(String),
    /// A digest of another version.
    #[error(
        "`{0}` is a digest of another version of flowcinch (`{1}`); \
         make it anew from its logs, or use that version"
    )]
    Version(String, String),
    /// Another process writes to it.
    #[error("`{0}` is being written to by another run; start again when that has ended")]
    Busy(String),
    /// An address in S3 that cannot be opened.
    #[error(transparent)]
    Remote(#[from] SourceError),
    /// The file system, or the other side, refused.
    #[error("`{path}` cannot be {what}")]
    Io {
        /// The file or folder.
        path: String,
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file is not what it was when it was written.
    #[error(
        "`{path}` is damaged: {reason}; restore it from a copy, or make the digest \
         anew from its logs"
    )]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A file that a batch names is gone.
    #[error(
        "`{0}` is missing; restore it from a copy, make the digest anew from its logs, or drop \
         the day by deleting its whole folder"
    )]
    Missing(String),
    /// A table that no batch names.
    #[error(
        "`{0}` belongs to no batch of the digest; take it out: digests are joined by \
         `flowcinch merge`, not by copying files"
    )]
    Foreign(String),
    /// A table could not be written.
    #[error("`{path}` cannot be made")]
    Table {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: parquet::errors::ParquetError,
    },
}
