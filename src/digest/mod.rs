//! Evidence on disk: a digest keeps what logs said, so that each gigabyte is
//! read once ever.
//!
//! Floor 4. It knows [`crate::evidence`], files and objects, and neither logs nor rules;
//! who reads what, and when, is left to `pipeline`.
//!
//! # What lies where
//!
//! ```text
//! DIR/digest.json                              the folder is a digest, of this version
//! DIR/lock                                     locked by the process that writes
//! DIR/batches/ID.json                          a batch: its files with lengths and checksums
//! DIR/objects/ID.parquet                       the ledger: one row per object that was read
//! DIR/evidence/day=2026-10-01/ID.parquet       evidence of records that begin on that day (UTC)
//! ```
//!
//! Both tables are plain Parquet. `evidence` has one row per `kind`, object and
//! hour in which the records begin: `cell` (a conversation: interface, addresses,
//! protocol, service port and whose it is, verdict; with its counts), `heard` (an
//! hour in which an interface was heard of: a record or NODATA row, an ACCEPT, a
//! loss), `odd` (records of an interface that are in no cell) and `tally` (rows by
//! kind). Columns without a meaning for a kind hold 0, false or nothing.
//!
//! # Why a row says which object it is from
//!
//! Counters add up, so merging evidence twice counts it twice. What must count
//! once is the object, so evidence stays attributable to it: in a union each
//! object is taken once (by its own name, length and SHA-256), wherever it is
//! found. That makes merging associative, commutative and idempotent without
//! any protocol between those who ingest. The price is that a conversation
//! that goes on for hours has one row per object rather than one per day; as
//! rows are sorted by conversation, what repeats costs almost nothing on disk
//! (README, "Numbers"), and rows of one stretch of time are added up as they
//! are read.
//!
//! # Why nothing is lost or counted twice by a crash
//!
//! Files of a batch are staged: written and synced under hidden names. The batch
//! is there once its manifest is renamed into place, and only then are its files
//! shown. A run that was ended before that left hidden files that no manifest
//! names, which the next one removes; one that was ended after it left files to
//! show, which the next one shows, and readers find them either way. An object
//! is in the ledger only of a batch that has its evidence. A lock of the
//! operating system, which ends with the process, keeps a second writer out.
//!
//! # Dropping days
//!
//! Deleting `evidence/day=…` drops that day. The ledger still knows its objects
//! as read; what is analysed then says how many days were dropped.
//!
//! # In S3
//!
//! The same files under the same names, below a prefix. In place of the lock of
//! the operating system stands the object `lock`, which its holder writes anew
//! while it lives (`lease`).

pub mod batch;
pub mod entry;
pub mod error;
pub mod folder;
#[cfg(feature = "s3")]
mod lease;
pub mod merge;
#[cfg(feature = "s3")]
mod remote;
#[cfg(not(feature = "s3"))]
#[path = "no_remote.rs"]
mod remote;
pub mod store;
mod table;
pub mod union;
pub mod units;

pub use batch::Draft;
pub use entry::BadLine;
pub use entry::Entry;
pub use entry::Identity;
pub use error::DigestError;
pub use folder::Digest;
pub use folder::Writer;
pub use merge::merge;
pub use union::Known;
pub use union::Union;
pub use units::Unit;
