//! Integration tests, one binary.

// Always on here; it tells clippy that helpers are test code too.
#![cfg(test)]

mod builder;
mod case;
mod cli;
mod describe;
mod findings;
mod flowlog;
mod golden;
mod source;
mod text_report;
mod tighten;
mod why;
