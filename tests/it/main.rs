//! Integration tests, one binary.

mod flowlog;
