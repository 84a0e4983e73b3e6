//! What can go wrong before a byte has a meaning. A [`SourceError`] means that
//! what was typed cannot be read at all; a [`ReadError`] that one object among
//! many could not be read, or only up to a point: the others still are.

use std::io;

use thiserror::Error;

use crate::cloud::CloudError;

/// An input that names nothing readable.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No such file or folder, and no pattern either.
    #[error("`{0}` does not exist; give a file, a folder, a pattern or `-`")]
    NotFound(String),
    /// It may exist, and cannot be looked at.
    #[error("`{input}` cannot be looked up")]
    Unreachable {
        /// The input as typed.
        input: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A folder without a file that is not hidden.
    #[error("`{0}` holds no log; hidden files are not read")]
    EmptyFolder(String),
    /// A pattern that matches no file.
    #[error("`{0}` matches no file; quote the pattern if the shell should leave it alone")]
    NoMatch(String),
    /// A pattern that is none.
    #[error("`{input}` is not a pattern: {reason}")]
    BadPattern {
        /// The input as typed.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An address in S3 without a bucket.
    #[error("`{0}` names no bucket; write `s3://bucket/prefix`")]
    BadAddress(String),
    /// An address in S3 below which nothing lies.
    #[error("`{0}` holds no object; prefixes are taken as they are, with or without the last `/`")]
    EmptyPrefix(String),
    /// An address in S3 that cannot be listed.
    #[error("`{input}` cannot be listed")]
    Cloud {
        /// The input as typed.
        input: String,
        /// Why.
        #[source]
        cause: CloudError,
    },
}

/// An object that could not be read, or not to its end. Its text is the whole
/// story, cause included: it goes into reports, where no chain of errors does.
#[derive(Debug, Error)]
#[error("`{object}`: {kind}")]
pub struct ReadError {
    /// The object's name as shown to the user.
    pub object: String,
    /// What happened.
    pub kind: ReadErrorKind,
}

/// Why an object could not be read. Offsets count the compressed bytes from 0;
/// of data that is compressed twice, those of the inner gzip.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The file did not open.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// Reading failed on the way.
    #[error("cannot be read on: {0}")]
    Read(io::Error),
    /// It cannot be had from S3.
    #[error("cannot be fetched: {0}")]
    Fetch(String),
    /// The data ends inside a gzip member.
    #[error("gzip data is cut short at byte {byte}; fetch the object again")]
    GzipCutShort {
        /// Where the data ends.
        byte: u64,
    },
    /// The member begins with the magic bytes and goes on as no gzip does.
    #[error("gzip header at byte {byte} is damaged")]
    GzipHeader {
        /// Where the member begins.
        byte: u64,
    },
    /// The deflated data is not valid.
    #[error("gzip data is damaged near byte {byte}; fetch the object again")]
    GzipDamaged {
        /// Up to where it could be inflated.
        byte: u64,
    },
    /// Checksum or length does not fit what was inflated.
    #[error("gzip checksum at byte {byte} does not fit the data; fetch the object again")]
    GzipChecksum {
        /// Where the checksum stands.
        byte: u64,
    },
    /// Neither a further member nor padding follows a member.
    #[error("bytes that are no gzip follow the gzip data at byte {byte}")]
    GzipTrailing {
        /// Where they begin.
        byte: u64,
    },
    /// More than two layers of gzip.
    #[error("gzip is inside gzip more than once; unpack it first")]
    GzipTooDeep,
    /// Data of another packing is not valid, or cut short.
    #[error(
        "{format} data is damaged or cut short behind byte {done} of what it unpacks to; fetch the object again"
    )]
    Damaged {
        /// The packing.
        format: &'static str,
        /// Up to where it could be unpacked.
        done: u64,
    },
    /// A format that is no text, told by its first bytes.
    #[error(
        "{0} is not read by this version; give text, JSON or Parquet, plain or packed by gzip, zstd or snappy"
    )]
    NotText(&'static str),
}
