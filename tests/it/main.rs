//! Integration tests, one binary.

mod flowlog;
mod source;
