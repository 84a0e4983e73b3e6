//! Integration tests, one binary.

mod describe;
