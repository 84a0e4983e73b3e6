//! The `flowcinch` program.

fn main() {}
