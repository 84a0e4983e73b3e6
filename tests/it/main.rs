//! Integration tests, one binary.

mod describe;
mod flowlog;
mod source;
