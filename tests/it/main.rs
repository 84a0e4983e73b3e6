//! Integration tests, one binary.

// `cfg(test)` tells clippy that helpers are tests too.
#[cfg(test)]
mod sample;
