//! How fast each part of the way is, in bytes of text a second. Every bench
//! asserts its answer before it is timed: what is fast and wrong is no news.
//!
//! `cargo bench` runs all, `cargo bench -- fold` some. The corpus is made up
//! once a run, of `FLOWCINCH_BENCH_RECORDS` records (600,000 by default).

#![expect(
    clippy::expect_used,
    reason = "a bench without its corpus has nothing to say"
)]

mod alibaba;
mod corpus;
mod end_to_end;
mod fold;
mod forms;
mod inflate;
mod line;
mod many_groups;
mod tighten;

fn main() {
    divan::main();
}
