//! `render`: an analysis document in another format.

use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use flowcinch::report::document::Analysis;
use flowcinch::report::html;
use flowcinch::report::json;
use flowcinch::report::text;

use crate::cli::Failure;
use crate::cli::args::Color;
use crate::cli::args::RenderArgs;
use crate::cli::args::RenderFormat;
use crate::cli::config;
use crate::cli::outcome::Outcome;
use crate::cli::output;

/// Why the analysis cannot be read.
#[derive(Debug, thiserror::Error)]
enum InputError {
    /// The file, or standard input, cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// What it holds is no analysis of this version.
    #[error("`{}`", .0.display())]
    Document(PathBuf, #[source] json::DocumentError),
}

/// Runs the command.
pub(crate) fn run(args: &RenderArgs, color: Color) -> Result<Outcome, Failure> {
    let analysis = read(&args.analysis)?;
    let bytes = match args.format {
        RenderFormat::Json => json::to_bytes(&analysis)?,
        RenderFormat::Html => html::render(&analysis)?.into_bytes(),
        RenderFormat::Text => {
            let options = match args.out {
                Some(_) => config::file_text(args.full),
                None => config::stdout_text(color, args.full),
            };
            text::render(&analysis, options).into_bytes()
        }
    };
    match &args.out {
        Some(path) => output::write_file(path, &bytes)?,
        None => output::print(&bytes)?,
    }
    Ok(Outcome::Clean)
}

fn read(path: &Path) -> Result<Analysis, InputError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    let bytes = bytes.map_err(|error| InputError::Read(path.to_owned(), error))?;
    json::from_slice(&bytes).map_err(|error| InputError::Document(path.to_owned(), error))
}
