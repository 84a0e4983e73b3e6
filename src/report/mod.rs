//! The analysis as a document, and the document as bytes, one file a format.
//!
//! Floor 6. Computing code never prints; these renderers never compute. What
//! they share stands beside them: [`code`] names the findings, [`findings`]
//! counts them, [`words`] and [`human`] say them, [`escape`] keeps text of
//! others harmless.

pub mod code;
pub mod document;
pub mod escape;
pub mod explain;
pub mod findings;
pub mod html;
pub mod human;
pub mod json;
mod page;
pub mod summary;
pub mod text;
pub mod why;
pub mod words;
