//! One cell of evidence and the rules of its time make a verdict. Pure: no
//! files, no output; the heart of the program.
//!
//! Floor 4. What it finds is told in three nouns: [`usage::RuleUsage`] for each
//! rule, [`rejects::RejectFinding`] for each folded REJECT, and
//! [`needs::Passed`] for each conversation that was let through.

pub mod acl;
pub mod ends;
pub mod matching;
pub mod nearest;
pub mod needs;
pub mod question;
mod ruling;
pub mod scene;
pub mod unfiltered;
pub mod verdict;
pub mod why;
#[cfg(test)]
mod world;
