//! The `flowcinch` program: parse, run, exit code. All else is in the library
//! or in [`cli`].

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os()).into()
}
