//! Live AWS: who one is there, how long one waits, and what the EC2 API says.
//!
//! Floor 1, below `source`, which reads S3 through the same sessions. All that
//! is asynchronous stays in here and in `source::s3`: what comes out are plain
//! values, and calls that return when they are done. Nothing here changes
//! anything at the other end: every call is a reading one, but for those that
//! keep a digest in S3 where the user said so.
//!
//! Built with the feature `s3`; without it only the words are left in which one
//! asks ([`Access`]) and is refused ([`CloudError`]).

pub mod access;
#[cfg(feature = "s3")]
mod collect;
pub mod error;
#[cfg(feature = "s3")]
mod folder;
#[cfg(feature = "s3")]
mod json;
#[cfg(feature = "s3")]
pub(crate) mod patience;
#[cfg(feature = "s3")]
mod query;
#[cfg(feature = "s3")]
pub(crate) mod session;
#[cfg(feature = "s3")]
mod shapes;
pub mod snapshot;

pub use access::Access;
pub use error::CloudError;
