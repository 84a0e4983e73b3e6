//! Integration tests, one binary.

// `cfg(test)` is always on here; it tells clippy that helpers are test code.
#[cfg(test)]
mod builder;
#[cfg(test)]
mod case;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod findings;
#[cfg(test)]
mod text_report;
