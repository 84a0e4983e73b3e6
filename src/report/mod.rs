//! The analysis as a document, and the document as bytes, one file a format.
//!
//! Floor 6. Computing code never prints; these renderers never compute. What
//! they share stands beside them: [`code`] names the findings, [`findings`]
//! counts them, [`words`] and [`human`] say them, [`escape`] keeps text of
//! others harmless.

pub mod accepted;
pub mod aliyun_cli;
pub mod aws_cli;
pub mod change;
pub mod cloudformation;
pub mod code;
pub mod controls;
pub mod csv;
pub mod document;
pub mod escape;
pub mod explain;
pub mod findings;
pub mod fingerprint;
pub mod html;
pub mod human;
pub mod json;
pub mod listing;
pub mod markdown;
pub mod ocsf;
mod page;
mod pieces;
pub mod posture;
pub mod pseudonym;
pub mod review;
pub mod sarif;
mod shell;
pub mod summary;
pub mod terraform;
pub mod text;
pub mod verify;
pub mod why;
pub mod words;
