//! From what was needed to the narrowest rules that still allow it.
//!
//! Floor 5. `proof` checks every proposal by code that shares nothing with
//! the code that made it but the nouns.

pub mod plan;
