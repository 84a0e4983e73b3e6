//! The folder of one snapshot: written beside its place under a hidden name,
//! and moved there when it is complete.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process;

use crate::cloud::error::CloudError;
use crate::cloud::json::Json;
use crate::net::Timestamp;

/// A folder that is not there yet.
#[derive(Debug)]
pub(super) struct Folder {
    /// Where it is written.
    draft: PathBuf,
    /// Where it goes.
    place: PathBuf,
    files: usize,
    finished: bool,
}

impl Folder {
    /// Makes room for the snapshot of a time below `out`.
    pub(super) fn begin(out: &Path, at: Timestamp) -> Result<Folder, CloudError> {
        let name = at.to_string();
        let folder = Folder {
            draft: out.join(format!(".{name}.{}", process::id())),
            place: out.join(&name),
            files: 0,
            finished: false,
        };
        if folder.place.exists() {
            let taken = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(unwritable(&folder.place, taken));
        }
        fs::create_dir_all(&folder.draft).map_err(|cause| unwritable(&folder.draft, cause))?;
        put(&folder.draft.join("captured-at.txt"), &format!("{at}\n"))?;
        Ok(folder)
    }

    /// Writes one answer.
    pub(super) fn write(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        answer: &Json,
    ) -> Result<(), CloudError> {
        let folder = self.draft.join(account).join(region);
        fs::create_dir_all(&folder).map_err(|cause| unwritable(&folder, cause))?;
        put(&folder.join(name), &format!("{answer}\n"))?;
        self.files = self.files.saturating_add(1);
        Ok(())
    }

    /// Files written, the date aside.
    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// Puts the folder in its place.
    pub(super) fn finish(mut self) -> Result<PathBuf, CloudError> {
        fs::rename(&self.draft, &self.place).map_err(|cause| unwritable(&self.place, cause))?;
        self.finished = true;
        Ok(self.place.clone())
    }
}

fn put(path: &Path, text: &str) -> Result<(), CloudError> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|cause| unwritable(path, cause))
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.finished {
            // What is left over hides behind its dot.
            drop(fs::remove_dir_all(&self.draft));
        }
    }
}

fn unwritable(path: &Path, cause: io::Error) -> CloudError {
    CloudError::Write {
        path: path.to_owned(),
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1_790_000_000);

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_folder_appears_when_it_is_complete() {
        let out = tempfile::tempdir().unwrap();
        let mut folder = Folder::begin(out.path(), AT).unwrap();
        folder
            .write("1", "eu", "a.json", &Json::List(Vec::new()))
            .unwrap();
        assert!(names(out.path()).iter().all(|name| name.starts_with('.')));
        let place = folder.finish().unwrap();
        assert_eq!(names(out.path()), ["2026-09-21T14:13:20Z"]);
        assert_eq!(names(&place), ["1", "captured-at.txt"]);
        assert_eq!(
            fs::read_to_string(place.join("1/eu/a.json")).unwrap(),
            "[]\n"
        );
        assert!(Folder::begin(out.path(), AT).is_err());
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let out = tempfile::tempdir().unwrap();
        drop(Folder::begin(out.path(), AT).unwrap());
        assert_eq!(names(out.path()), [] as [String; 0]);
    }
}
