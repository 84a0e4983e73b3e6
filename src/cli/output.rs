//! Where results go: standard output, or files that are whole or not there.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Stdout;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use crate::cli::messages;

/// Why a result could not be delivered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Standard output does not take it.
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    /// The folder is not there and cannot be made.
    #[error("--out: cannot make folder `{}`", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    /// The file cannot be written.
    #[error("--out: cannot write `{}`", .0.display())]
    File(PathBuf, #[source] io::Error),
}

/// Writes to standard output.
pub(crate) fn print(bytes: &[u8]) -> Result<(), OutputError> {
    printed(|stdout| stdout.write_all(bytes))
}

/// Has standard output written to. A reader that has gone has read enough.
pub(crate) fn printed(
    write: impl FnOnce(&mut Stdout) -> io::Result<()>,
) -> Result<(), OutputError> {
    let mut stdout = io::stdout();
    match write(&mut stdout).and_then(|()| stdout.flush()) {
        Err(error) if !messages::is_broken_pipe(&error) => Err(OutputError::Stdout(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the folder and those above it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), OutputError> {
    fs::create_dir_all(folder).map_err(|error| OutputError::Folder(folder.to_owned(), error))
}

/// Writes a file so that it is either the old one or the new one, whole, even
/// if the disk fills up.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), OutputError> {
    let (beside, ()) = Beside::written(path, |file| file.write_all(bytes))?;
    beside.commit()
}

/// A file that is whole and lies beside the one that it will be. What is left of
/// one that never came to that helps nobody and is removed.
#[derive(Debug)]
pub(crate) struct Beside {
    path: PathBuf,
    neighbour: PathBuf,
}

impl Beside {
    /// Writes it, and gives what the writing gave.
    pub(crate) fn written<T>(
        path: &Path,
        write: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> Result<(Beside, T), OutputError> {
        let failed = |error| OutputError::File(path.to_owned(), error);
        let name = path.file_name().ok_or_else(|| failed(no_name()))?;
        let neighbour = format!(".{}.{}.tmp", name.to_string_lossy(), process::id());
        let beside = Beside {
            path: path.to_owned(),
            neighbour: path.with_file_name(neighbour),
        };
        let given = write_new(&beside.neighbour, write).map_err(failed)?;
        Ok((beside, given))
    }

    /// Puts it in its place.
    pub(crate) fn commit(self) -> Result<(), OutputError> {
        fs::rename(&self.neighbour, &self.path)
            .map_err(|error| OutputError::File(self.path.clone(), error))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Gone already where it is in its place; if it cannot be removed, the
        // first error is still the one to tell.
        drop(fs::remove_file(&self.neighbour));
    }
}

fn no_name() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the path names no file")
}

fn write_new<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let mut file = File::create(path)?;
    let given = write(&mut file)?;
    file.sync_all()?;
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("analysis.json");
        write_file(&path, b"old").unwrap();
        write_file(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        fs::write(taken.join("inside"), b"").unwrap();
        let error = write_file(&taken, b"new").unwrap_err();
        assert!(error.to_string().contains("taken"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
