//! Files that commands read besides logs and snapshots.

use std::fs;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use flowcinch::report::accepted::AcceptedError;
use flowcinch::report::document::Analysis;
use flowcinch::report::json;
use flowcinch::report::pseudonym::Key;
use flowcinch::report::pseudonym::PseudonymError;
use flowcinch::report::terraform::StateError;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    /// The file, or standard input, cannot be read.
    #[error("cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// What it holds is no analysis of this version.
    #[error("`{}`", .0.display())]
    Document(PathBuf, #[source] json::DocumentError),
    /// What it holds is no Terraform state as JSON.
    #[error("--terraform-state `{}`", .0.display())]
    State(PathBuf, #[source] StateError),
    /// What it holds is no list of accepted findings.
    #[error("--accepted `{}`", .0.display())]
    Accepted(PathBuf, #[source] AcceptedError),
    /// A change that would open addresses that stand for others.
    #[error(
        "a change must say real addresses, or it would open others: terraform, cloudformation, aws-cli and aliyun-cli want an analysis without --pseudonymise"
    )]
    HiddenChange,
    /// What it holds is no key.
    #[error("--pseudonymise `{}`", .0.display())]
    Key(PathBuf, #[source] PseudonymError),
}

/// The bytes of a file, or of standard input for `-`.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, InputError> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        fs::read(path)
    };
    bytes.map_err(|error| InputError::Read(path.to_owned(), error))
}

/// The key in a file, where one was named.
pub(crate) fn key(path: Option<&Path>) -> Result<Option<Key>, InputError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let key = Key::new(bytes(path)?);
    key.map(Some)
        .map_err(|error| InputError::Key(path.to_owned(), error))
}

/// The analysis with other addresses, where there is a key.
pub(crate) fn pseudonymised(
    analysis: Analysis,
    key: Option<&Key>,
) -> Result<Analysis, PseudonymError> {
    match key {
        None => Ok(analysis),
        Some(key) => key.analysis(&analysis),
    }
}

/// The analysis in a file.
pub(crate) fn analysis(path: &Path) -> Result<Analysis, InputError> {
    json::from_slice(&bytes(path)?).map_err(|error| InputError::Document(path.to_owned(), error))
}
