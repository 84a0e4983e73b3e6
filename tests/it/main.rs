//! Integration tests, one binary.

#[cfg(test)]
// `cfg(test)` is always on here; it tells clippy that helpers are test code.
mod builder;
mod case;
mod cli;
mod describe;
mod flowlog;
mod source;
mod text_report;
mod tighten;
mod why;
