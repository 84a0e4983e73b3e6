//! `explain`: the manual page of a finding code.

use flowcinch::report::code::Code;
use flowcinch::report::explain;

use crate::cli::Failure;
use crate::cli::args::Color;
use crate::cli::args::ExplainArgs;
use crate::cli::config;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs, color: Color) -> Result<Outcome, Failure> {
    let options = config::stdout_text(color, true);
    let page = match &args.code {
        None => explain::index(options.width, options.styled),
        Some(text) if text.eq_ignore_ascii_case("tutorial") => explain::TUTORIAL.to_owned(),
        Some(text) => {
            let code = Code::find(text).ok_or_else(|| unknown(text))?;
            explain::render(code, options.width, options.styled)
        }
    };
    output::print(page.as_bytes())?;
    Ok(Outcome::Clean)
}

fn unknown(text: &str) -> String {
    let near: Vec<String> = explain::suggestions(text)
        .iter()
        .map(|code| format!("{code} ({})", code.slug()))
        .collect();
    if near.is_empty() {
        return format!("no finding code `{text}`, `flowcinch explain` lists them all");
    }
    format!(
        "no finding code `{text}`, did you mean {}?",
        near.join(" or ")
    )
}
