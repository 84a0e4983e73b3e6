//! What a proposal decides, and how far it may be trusted.

use serde::Deserialize;
use serde::Serialize;

/// What a proposal decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Fewer or narrower rules do.
    Tighten,
    /// Nothing to gain.
    Keep,
    /// Not watched well enough to say.
    InsufficientEvidence,
}

/// How far a proposal may be trusted to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applicability {
    /// To be read, not applied.
    ReportOnly,
    /// To be applied after a person agreed.
    Review,
    /// May be applied.
    Apply,
}
