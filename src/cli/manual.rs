//! `completions` and `man`: what shells and `man` read, made from the same
//! definitions as `--help`.

use clap::CommandFactory;

use crate::cli::Failure;
use crate::cli::args::Args;
use crate::cli::args::CompletionsArgs;
use crate::cli::args::ManArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Prints the completions of a shell.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<Outcome, Failure> {
    let mut bytes = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "flowcinch", &mut bytes);
    output::print(&bytes)?;
    Ok(Outcome::Clean)
}

/// Prints the manual page of the program or of one command.
pub(crate) fn man(args: &ManArgs) -> Result<Outcome, Failure> {
    let mut program = Args::command();
    program.build();
    let command = match &args.command {
        None => program,
        Some(name) => {
            let command = program.find_subcommand(name).cloned();
            let command = command.ok_or_else(|| format!("there is no command `{name}`"))?;
            command.display_name(format!("flowcinch-{name}"))
        }
    };
    let mut bytes = Vec::new();
    clap_mangen::Man::new(command).render(&mut bytes)?;
    output::print(&bytes)?;
    Ok(Outcome::Clean)
}
