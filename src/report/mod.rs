//! The analysis as a document, and the document as bytes, one file a format.
//!
//! Floor 6. Computing code never prints; these renderers never compute.

pub mod document;
pub mod why;
