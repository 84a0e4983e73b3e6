//! The place of a digest: a few operations on named files, and what makes them
//! safe on a local disk. Paths are relative, parted by `/`.
//!
//! A file is *staged* first: durable, under a name that no query engine reads.
//! Once the batch that it belongs to is committed it is *published* under its
//! own name. Between the two, reading finds it all the same.

use std::fmt::Debug;
use std::fs;
use std::fs::File;
use std::fs::TryLockError;
use std::io;
use std::io::ErrorKind;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use crate::digest::error::DigestError;

/// Where a digest lies.
pub trait Store: Debug + Send + Sync {
    /// The place as shown to the user.
    fn place(&self) -> String;
    /// Names of what lies directly in a folder, sorted; none where it is not
    /// there.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// The bytes of a file, staged or published.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Makes a file durable without showing it.
    fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Shows a staged file; does nothing where it is shown already.
    fn publish(&self, path: &str) -> io::Result<()>;
    /// Makes a small file durable and shows it, in one step that is whole or
    /// not there.
    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Takes a file away, staged or published; does nothing where it is gone.
    fn remove(&self, path: &str) -> io::Result<()>;
}

/// A folder on a local disk.
#[derive(Clone, Debug)]
pub struct LocalStore {
    root: PathBuf,
}

/// The right to write, until it is dropped or the process ends, however it
/// ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// File whose lock is the right to write.
pub(super) const LOCK: &str = "lock";

impl LocalStore {
    /// A folder, which need not be there.
    #[must_use]
    pub fn new(root: &Path) -> LocalStore {
        LocalStore {
            root: root.to_owned(),
        }
    }

    /// Whether the folder is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.root.is_dir()
    }

    /// Makes the folder if need be, and takes the right to write.
    ///
    /// # Errors
    /// Where another process has it, or the folder cannot be made.
    pub fn lock(&self) -> Result<Lock, DigestError> {
        let failed = |what| {
            move |cause| DigestError::Io {
                path: self.place(),
                what,
                cause,
            }
        };
        fs::create_dir_all(&self.root).map_err(failed("made"))?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join(LOCK))
            .map_err(failed("written to"))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(DigestError::Busy(self.place())),
            Err(TryLockError::Error(cause)) => Err(failed("locked")(cause)),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn beside(&self, path: &str, end: &str) -> PathBuf {
        self.root.join(hidden(path, end))
    }
}

/// Suffix of staged files.
pub(super) const STAGED: &str = ".new";

/// Suffix of files that are being written.
const UNFINISHED: &str = ".tmp";

/// The hidden name beside a path.
fn hidden(path: &str, end: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/.{name}{end}"),
        None => format!(".{path}{end}"),
    }
}

/// The name that a hidden name stands beside; `None` for any other.
pub(super) fn shown(name: &str) -> Option<&str> {
    let inner = name.strip_prefix('.')?;
    inner
        .strip_suffix(STAGED)
        .or_else(|| inner.strip_suffix(UNFINISHED))
}

impl Store for LocalStore {
    fn place(&self) -> String {
        self.root.display().to_string()
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(cause),
        };
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<String>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        match fs::read(self.path(path)) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                match fs::read(self.beside(path, STAGED)) {
                    // It may have been published in between.
                    Err(cause) if cause.kind() == ErrorKind::NotFound => fs::read(self.path(path)),
                    read => read,
                }
            }
            read => read,
        }
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        write_durably(&self.beside(path, STAGED), bytes)
    }

    fn publish(&self, path: &str) -> io::Result<()> {
        match fs::rename(self.beside(path, STAGED), self.path(path)) {
            Ok(()) => sync_folder(&self.path(path)),
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.beside(path, UNFINISHED);
        write_durably(&unfinished, bytes)?;
        fs::rename(unfinished, self.path(path))?;
        sync_folder(&self.path(path))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        for path in [
            self.path(path),
            self.beside(path, STAGED),
            self.beside(path, UNFINISHED),
        ] {
            match fs::remove_file(path) {
                Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_folder(path)
}

/// Makes the names in a file's folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
