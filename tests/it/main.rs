//! Integration tests, one binary.

#[cfg(test)]
mod describe;
mod flowlog;
mod source;
mod tighten;
