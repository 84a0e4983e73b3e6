//! What describe calls printed -> one [`Snapshot`](crate::model::Snapshot).
//!
//! The shapes vary more than their meaning: pages, wrappers, `null` for
//! nothing, two spellings of one rule, AWS Config's own casing. All of that
//! ends here. What an answer leaves out, or names without showing it, becomes
//! a [`Note`] that says what it costs; nothing is dropped without one.
//!
//! [`terraform`] reads another kind of description, a plan: what will be.
//!
//! [`Collector`] does the reading and touches no file; [`load`] walks folders
//! and feeds it. Where the bytes came from is all that [`load`] knows, what
//! they mean is all that [`Collector`] knows.

mod alibaba;
mod aws;
mod collect;
mod date;
mod error;
mod gaps;
mod history;
mod json;
mod load;
mod note;
mod shelves;
pub mod terraform;
mod unicode;

pub use collect::Collector;
pub use collect::Loaded;
pub use error::DescribeError;
pub use load::inputs;
pub use load::load;
pub use load::require_minimum;
pub use load::text;
pub use note::Note;
