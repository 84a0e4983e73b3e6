//! What is said on standard error: errors with their sources, notes, the short
//! guide. One line each, text of others made inert. A standard error that
//! cannot be written to is no reason to fail.

use std::error::Error;
use std::io::Write;

use flowcinch::report::escape;

use crate::cli::outcome::Outcome;

const GUIDE: &str = "\
flowcinch reads VPC flow logs beside security groups.

  flowcinch sample --out demo --records 100000 --seed 1      make up something to try
  flowcinch analyze demo/logs --snapshot demo/snapshot       the main job
  flowcinch why 10.0.1.10 10.0.2.30 tcp/5432 --snapshot demo/snapshot
  flowcinch explain SG101                                    what a finding means

`flowcinch --help` lists all commands, `flowcinch analyze --help` all flags.
";

/// The short guide for who typed the bare name.
pub(crate) fn guide() {
    say(GUIDE);
}

/// Help, version, or what is wrong with the arguments.
pub(crate) fn usage(error: &clap::Error) -> Outcome {
    let printed = error.print();
    if error.use_stderr() || printed.is_err_and(|error| !is_broken_pipe(&error)) {
        return Outcome::CouldNotRun;
    }
    Outcome::Clean
}

/// Whether the reader of a pipe has gone, which is its right.
pub(crate) fn is_broken_pipe(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::BrokenPipe
}

/// Why the run could not go on, with all causes on one line.
pub(crate) fn failure(error: &dyn Error) {
    say(&format!("flowcinch: {}\n", escape::inert(&chain(error))));
}

/// Something worth knowing that stops nothing.
pub(crate) fn note(text: &str) {
    say(&format!("flowcinch: {}\n", escape::inert(text)));
}

/// The error and its sources, parted by colons. A source that its owner's
/// text already quotes is not said twice.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

fn say(text: &str) {
    let written = std::io::stderr().lock().write_all(text.as_bytes());
    drop(written);
}
