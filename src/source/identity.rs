//! What an object is, by whatever name it was reached: one file has many paths
//! where links lead to it, or to a folder above it.
//!
//! To resolve a path asks the system of each of its parts. So a folder is
//! resolved once, and what lies in it goes by the folder and its own name,
//! unless it is a link itself.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use crate::collections::HashMap;
use crate::source::key;

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Identity {
    Stdin,
    /// The path without links and detours.
    File(OsString),
    Remote(String),
}

/// A folder, as far as what lies in it needs to know.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// Its path without links; `None` where it cannot be resolved.
    real: Option<Arc<Path>>,
    /// It belongs to another service than flow logs.
    pub(super) foreign: bool,
}

/// The folders that were come through, each looked at once.
#[derive(Debug, Default)]
pub(super) struct Folders {
    known: HashMap<OsString, Folder>,
}

impl Folders {
    /// The folder that a path lies in; `None` where it names none.
    pub(super) fn of(&mut self, path: &Path) -> Option<Folder> {
        let folder = path.parent()?.as_os_str();
        if let Some(known) = self.known.get(folder) {
            return Some(known.clone());
        }
        let new = Folder::new(folder, path);
        self.known.insert(folder.to_owned(), new.clone());
        Some(new)
    }
}

impl Folder {
    fn new(folder: &OsStr, within: &Path) -> Folder {
        let here = folder.is_empty().then_some(Path::new("."));
        let real = fs::canonicalize(here.unwrap_or(Path::new(folder)));
        Folder {
            real: real.ok().map(Arc::from),
            foreign: key::is_of_other_service(&within.to_string_lossy()),
        }
    }
}

/// A file that was reached.
#[derive(Debug)]
pub(super) struct Reached {
    /// The path that led to it.
    pub(super) path: PathBuf,
    /// The folder it lies in, where it is known to be no link, and named as the
    /// folder itself names it: there are systems on which one may write
    /// otherwise.
    pub(super) folder: Option<Folder>,
}

impl Reached {
    /// A file of which nothing but the path is known.
    pub(super) fn by(path: PathBuf) -> Reached {
        Reached { path, folder: None }
    }

    /// What it is. A path that cannot be resolved (a pipe, a file that just
    /// went) stands for itself.
    pub(super) fn identity(&self) -> Identity {
        let real = self
            .in_folder()
            .or_else(|| fs::canonicalize(&self.path).ok());
        let itself = || self.path.components().collect();
        Identity::File(real.unwrap_or_else(itself).into_os_string())
    }

    fn in_folder(&self) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?.real.as_ref()?;
        Some(folder.join(self.path.file_name()?))
    }
}
