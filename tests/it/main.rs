//! Integration tests, one binary.

mod describe;
mod why;
