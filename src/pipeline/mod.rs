//! Objects to records to evidence to findings, in parallel. The hot path is
//! assembled here, and only here.
//!
//! Floor 7. What is asked of it stands in [`request`]; it knows nothing of how
//! the asking was typed, and prints nothing.

pub mod analyze;
pub mod assemble;
mod backtests;
mod cautions;
mod caveats;
pub mod certificate;
mod cutting;
pub mod digest;
pub mod error;
mod groups;
pub mod held;
pub mod hours;
pub mod ingest;
mod newest;
pub mod proposals;
mod recall;
pub mod references;
pub mod request;
mod restraint;
pub mod rollouts;
pub mod rules;
mod seen;
pub mod snapshots;
mod unruled;
pub mod verify;

pub use analyze::analyze;
pub use analyze::analyze_certified;
pub use analyze::with_threads;
pub use error::PipelineError;
pub use request::Assign;
pub use request::MinConfidence;
pub use request::Obligations;
pub use request::Progress;
pub use request::Request;
pub use request::TimeBound;
pub use rules::Given;
pub use rules::Rules;
pub use verify::verify;
