//! The place of a digest: a few operations on named files, and what makes them
//! safe on a local disk (`remote` has the same for S3). Paths are relative, parted by `/`.
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
use std::sync::Arc;

use crate::cloud::Access;
use crate::digest::error::DigestError;
use crate::digest::remote;
use crate::source;

/// Where a digest lies.
pub trait Store: Debug + Send + Sync {
    /// The place as shown to the user.
    fn place(&self) -> String;
    /// Whether anything is there.
    fn exists(&self) -> io::Result<bool>;
    /// Names of what lies directly in a folder, sorted; none where it is not
    /// there.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Paths of all files below a folder, from it, sorted; none where it is not
    /// there.
    fn below(&self, folder: &str) -> io::Result<Vec<String>>;
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
    /// Makes the place if need be, and takes the right to write.
    ///
    /// # Errors
    /// Where another process has it, or the place cannot be made.
    fn lock(&self) -> Result<Box<dyn Held>, DigestError>;
}

/// The right to write, until it is dropped or the process ends, however it ends.
pub trait Held: Debug + Send + Sync {
    /// Makes sure that it is still held, before something is committed.
    ///
    /// # Errors
    /// Where it is not, or nobody can tell.
    fn assert(&self) -> io::Result<()>;
}

/// The digest at a path, or at an address in S3.
pub(super) fn at(path: &Path, access: &Access) -> Result<Arc<dyn Store>, DigestError> {
    match path.to_str().filter(|text| source::is_remote(text)) {
        Some(address) => remote::open(address, access),
        None => Ok(Arc::new(LocalStore::new(path))),
    }
}

/// A folder on a local disk.
#[derive(Clone, Debug)]
pub struct LocalStore {
    root: PathBuf,
}

/// A file that is locked by the operating system.
#[derive(Debug)]
struct Lock {
    _file: File,
}

impl Held for Lock {
    /// It ends with the process and not before.
    fn assert(&self) -> io::Result<()> {
        Ok(())
    }
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
pub(super) fn hidden(path: &str, end: &str) -> String {
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

    fn exists(&self) -> io::Result<bool> {
        Ok(self.root.is_dir())
    }

    fn below(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut paths = Vec::new();
        for name in self.list(folder)? {
            let path = format!("{folder}/{name}");
            if self.path(&path).is_dir() {
                let inner = self.below(&path)?;
                paths.extend(inner.iter().map(|below| format!("{name}/{below}")));
            } else {
                paths.push(name);
            }
        }
        paths.sort_unstable();
        Ok(paths)
    }

    fn lock(&self) -> Result<Box<dyn Held>, DigestError> {
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
            Ok(()) => Ok(Box::new(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(DigestError::Busy(self.place())),
            Err(TryLockError::Error(cause)) => Err(failed("locked")(cause)),
        }
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
