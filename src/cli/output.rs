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

/// Files of stopped runs that are stepped over.
const MOST_LEFT: u32 = 1_000;

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
    /// `None` once it is in its place.
    neighbour: Option<PathBuf>,
}

impl Beside {
    /// Writes it, and gives what the writing gave.
    pub(crate) fn written<T>(
        path: &Path,
        write: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> Result<(Beside, T), OutputError> {
        let failed = |error| OutputError::File(path.to_owned(), error);
        let (mut file, neighbour) = new_neighbour(path).map_err(failed)?;
        let beside = Beside {
            path: path.to_owned(),
            neighbour: Some(neighbour),
        };
        let given = write(&mut file).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok((beside, given))
    }

    /// Puts it in its place.
    pub(crate) fn commit(mut self) -> Result<(), OutputError> {
        if let Some(neighbour) = &self.neighbour {
            fs::rename(neighbour, &self.path)
                .map_err(|error| OutputError::File(self.path.clone(), error))?;
        }
        self.neighbour = None;
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(neighbour) = &self.neighbour {
            // If it cannot be removed, the first error is still the one to tell.
            drop(fs::remove_file(neighbour));
        }
    }
}

/// A new file that no other run writes, with its path: in containers all have one
/// number.
fn new_neighbour(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().ok_or_else(no_name)?.to_string_lossy();
    let mut turn = 0_u32;
    loop {
        let neighbour = path.with_file_name(format!(".{name}.{}-{turn}.tmp", process::id()));
        match File::create_new(&neighbour) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && turn < MOST_LEFT => {
                turn += 1;
            }
            made => return Ok((made?, neighbour)),
        }
    }
}

/// Whether a file is what a run left that was stopped while it wrote one of this
/// name.
pub(crate) fn is_left_of(left: &str, name: &str) -> bool {
    let rest = left
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(name));
    let rest = rest.and_then(|rest| rest.strip_suffix(".tmp"));
    rest.is_some_and(|rest| rest.starts_with('.'))
}

fn no_name() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "the path names no file")
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
    fn what_another_run_writes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("analysis.json");
        let (one, ()) = Beside::written(&path, |file| file.write_all(b"one")).unwrap();
        let (other, ()) = Beside::written(&path, |file| file.write_all(b"other")).unwrap();
        let (third, ()) = Beside::written(&path, |file| file.write_all(b"third")).unwrap();
        drop(third);
        one.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
        other.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn of_a_writing_that_failed_midway_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("analysis.json");
        write_file(&path, b"old").unwrap();
        let halfway = |file: &mut File| {
            file.write_all(b"new")?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = Beside::written(&path, halfway).unwrap_err();
        assert!(matches!(error, OutputError::File(named, _) if named == path));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_stopped_runs_left_is_known_by_its_name() {
        assert!(is_left_of(".analysis.json.77-0.tmp", "analysis.json"));
        assert!(!is_left_of("analysis.json.77-0.tmp", "analysis.json"));
        assert!(!is_left_of(".analysis.jsonl.tmp", "analysis.json"));
        assert!(!is_left_of(".analysis.json", "analysis.json"));
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
