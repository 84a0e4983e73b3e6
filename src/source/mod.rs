//! Where bytes come from, blind to what they say: files, folders, patterns and
//! standard input become [`Object`]s, and each opens as a [`Stream`] of plain
//! text in blocks, whatever it was packed in.
//!
//! Floor 2. What the text means is left to `flowlog`; which objects are worth
//! reading, and in how many threads, to `pipeline`.

pub mod error;
mod gzip;
mod layer;
pub mod local;
pub mod stream;
mod whole;

pub use error::ReadError;
pub use error::ReadErrorKind;
pub use error::SourceError;
pub use local::Object;
pub use local::list;
pub use stream::Stream;
pub use whole::Opened;
pub use whole::Opener;
