//! Where bytes come from, blind to what they say: files, folders, patterns,
//! standard input and addresses in S3 become [`Object`]s, and each opens as a
//! [`Stream`] of plain text in blocks, whatever it was packed in.
//!
//! Floor 2. What the text means is left to `flowlog`; which objects are worth
//! reading, and in how many threads, to `pipeline`.

mod ahead;
pub mod error;
mod fingerprint;
mod gzip;
mod identity;
pub mod key;
mod layer;
pub mod local;
mod packed;
mod pattern;
#[cfg(feature = "s3")]
mod s3;
#[cfg(not(feature = "s3"))]
#[path = "no_s3.rs"]
mod s3;
pub mod stream;
mod texts;
mod whole;

pub use ahead::Ahead;
pub use error::ReadError;
pub use error::ReadErrorKind;
pub use error::SourceError;
pub use key::Wanted;
pub use local::Object;
pub use local::Search;
pub use local::find;
pub use local::is_remote;
pub use local::list;
#[cfg(feature = "s3")]
pub(crate) use s3::shelf;
pub use stream::Stream;
pub use texts::Texts;
pub use whole::Opened;
pub use whole::Opener;
