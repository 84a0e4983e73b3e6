//! What a pattern names in the file system. Names are matched one by one, also
//! such as are no UTF-8, which match as they are shown; hidden ones only where the
//! pattern's part begins with a dot. Links are followed, around a loop once.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use glob::MatchOptions;
use glob::Pattern;
use glob::PatternError;
use walkdir::DirEntry;
use walkdir::WalkDir;

/// What makes a pattern of a path.
pub(super) const WILD: [char; 3] = ['*', '?', '['];

/// A part that any number of folders match.
const FOLDERS: &str = "**";

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    // What is hidden is left out before it is matched.
    require_literal_leading_dot: false,
};

/// What a pattern came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Matches {
    /// Files and folders.
    pub(super) paths: BTreeSet<PathBuf>,
    /// Folders whose names cannot be read.
    pub(super) closed: BTreeSet<PathBuf>,
}

impl Matches {
    /// Finds them.
    ///
    /// # Errors
    /// Where it is no pattern.
    pub(super) fn of(pattern: &str) -> Result<Matches, PatternError> {
        Pattern::new(pattern)?;
        let mut matches = Matches::default();
        let mut reached = BTreeSet::from([PathBuf::new()]);
        for part in Path::new(pattern).components() {
            let before = std::mem::take(&mut reached);
            for at in before {
                reached.extend(matches.step(&at, part)?);
            }
        }
        reached.retain(|path| fs::symlink_metadata(path).is_ok());
        matches.paths = reached;
        Ok(matches)
    }

    /// Where a part of the pattern leads from a folder.
    fn step(&mut self, at: &Path, part: Component<'_>) -> Result<Vec<PathBuf>, PatternError> {
        let wild = part.as_os_str().to_str();
        let wild = wild.filter(|part| part.contains(WILD));
        Ok(match wild {
            None => vec![at.join(part)],
            Some(FOLDERS) => folders(at),
            Some(part) => self.children(at, &Pattern::new(part)?),
        })
    }

    fn children(&mut self, at: &Path, pattern: &Pattern) -> Vec<PathBuf> {
        let no_folder = |cause: &io::Error| {
            let kind = cause.kind();
            kind == io::ErrorKind::NotFound || kind == io::ErrorKind::NotADirectory
        };
        let entries = match fs::read_dir(here(at)) {
            Ok(entries) => entries,
            Err(cause) => {
                if !no_folder(&cause) {
                    self.closed.insert(at.to_owned());
                }
                return Vec::new();
            }
        };
        let dotted = pattern.as_str().starts_with('.');
        let mut matching = Vec::new();
        for entry in entries {
            let Ok(entry) = entry else {
                self.closed.insert(at.to_owned());
                continue;
            };
            let name = entry.file_name();
            let asked = dotted || !is_hidden(&name);
            if asked && pattern.matches_with(&name.to_string_lossy(), OPTIONS) {
                matching.push(at.join(name));
            }
        }
        matching
    }
}

/// A folder and those below it. One that cannot be read is among them, and shows
/// where its names are asked for.
fn folders(at: &Path) -> Vec<PathBuf> {
    let folders = shown(here(at))
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_dir());
    let named = |path: PathBuf| match path.strip_prefix(here(at)) {
        Ok(below) => at.join(below),
        Err(_) => path,
    };
    folders.map(|entry| named(entry.into_path())).collect()
}

/// What lies at and below a path and is not hidden.
pub(super) fn shown(root: &Path) -> impl Iterator<Item = walkdir::Result<DirEntry>> {
    let entries = WalkDir::new(root).follow_links(true).into_iter();
    entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The path that the system is asked of.
fn here(at: &Path) -> &Path {
    if at.as_os_str().is_empty() {
        Path::new(".")
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use proptest::collection::vec;
    use proptest::prop_assert_eq;
    use proptest::prop_oneof;
    use proptest::proptest;
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[String]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            // One name may be a file here and a folder there.
            drop((
                fs::create_dir_all(path.parent().unwrap()),
                fs::write(path, ""),
            ));
        }
        root
    }

    fn found(root: &TempDir, pattern: &str) -> BTreeSet<PathBuf> {
        let pattern = root.path().join(pattern);
        Matches::of(pattern.to_str().unwrap()).unwrap().paths
    }

    /// What the library finds, where all names are UTF-8 and no link leads back.
    fn by_library(root: &TempDir, pattern: &str) -> BTreeSet<PathBuf> {
        let options = MatchOptions {
            require_literal_leading_dot: true,
            ..OPTIONS
        };
        let pattern = root.path().join(pattern);
        let paths = glob::glob_with(pattern.to_str().unwrap(), options).unwrap();
        paths.map(Result::unwrap).collect()
    }

    proptest! {
        #[test]
        fn a_pattern_names_what_the_library_finds(
            files in vec("\\.?[ab](/\\.?[ab]){0,2}", 0..8),
            parts in vec(
                prop_oneof!["[ab]", "\\*", "\\?", "\\*\\*", "\\[ab\\]"],
                1..4,
            ),
        ) {
            let root = folder(&files);
            let pattern = parts.join("/");
            // The library leaves files out behind a last `**`, which walking the
            // folders finds.
            if !pattern.ends_with("**") {
                prop_assert_eq!(found(&root, &pattern), by_library(&root, &pattern));
            }
        }
    }

    #[test]
    fn hidden_names_are_found_where_the_pattern_begins_with_a_dot() {
        let root = folder(&[".a.log".to_owned(), "a.log".to_owned()]);
        let only = |name: &str| BTreeSet::from([root.path().join(name)]);
        assert_eq!(found(&root, "*.log"), only("a.log"));
        assert_eq!(found(&root, ".*"), only(".a.log"));
    }

    #[test]
    fn names_that_are_no_utf_8_are_found() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(OsStr::from_bytes(b"a\xff.log"));
        fs::write(&path, "").unwrap();
        let alone = BTreeSet::from([path]);
        for pattern in ["*", "*.log", "a?.log", "**/*"] {
            assert_eq!(found(&root, pattern), alone, "{pattern}");
        }
    }

    #[test]
    fn a_loop_of_links_is_gone_around_once() {
        let root = folder(&["a/b/1.log".to_owned()]);
        symlink(root.path(), root.path().join("a/b/back")).unwrap();
        let once = BTreeSet::from([root.path().join("a/b/1.log")]);
        assert_eq!(found(&root, "**/*.log"), once);
    }
}
