//! What the user named: files, folders, patterns, standard input and addresses
//! in S3, in one sorted list that names each object once, however often it was
//! reached, and leaves out what its name rules out.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use glob::MatchOptions;
use walkdir::DirEntry;
use walkdir::WalkDir;

use crate::cloud::Access;
use crate::source::error::ReadError;
use crate::source::error::ReadErrorKind;
use crate::source::error::SourceError;
use crate::source::key;
use crate::source::key::Wanted;
use crate::source::s3;
use crate::source::s3::Remote;
use crate::source::stream::Stream;

/// How standard input is typed.
const STDIN: &str = "-";

/// Object that an export from CloudWatch Logs writes to try its permissions; it
/// holds no record (CloudWatch Logs user guide, "Export log data to Amazon S3").
pub(super) const WRITE_TEST: &str = "aws-logs-write-test";

/// Something that can be read as a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Name as shown to the user: the path as it was reached, an address in
    /// S3, or `-`.
    pub name: String,
    /// Size in bytes as stored; `None` where nobody knows before reading.
    pub size: Option<u64>,
    place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Stdin,
    File(PathBuf),
    Remote(Remote),
}

/// What an object is, by whatever name it was reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity {
    Stdin,
    File(PathBuf),
    Remote(String),
}

/// Where to look, and for what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// How to come to S3.
    pub access: Access,
    /// The span of time that is asked for, as far as it is known.
    pub wanted: Wanted,
}

impl Object {
    /// Starts reading.
    ///
    /// # Errors
    /// Where it does not open, its first bytes cannot be read, or they are of a
    /// format that is not read.
    pub fn open(&self) -> Result<Stream, ReadError> {
        match &self.place {
            Place::Stdin => Stream::from_reader(&self.name, io::stdin()),
            Place::Remote(remote) => Stream::from_reader(&self.name, remote.parts()),
            Place::File(path) => match File::open(path) {
                Ok(file) => Stream::from_reader(&self.name, file),
                Err(cause) => Err(ReadError {
                    object: self.name.clone(),
                    kind: ReadErrorKind::Open(cause),
                }),
            },
        }
    }

    /// Its file; `None` where it has none or does not open.
    pub(super) fn file(&self) -> Option<File> {
        match &self.place {
            Place::Stdin | Place::Remote(_) => None,
            Place::File(path) => File::open(path).ok(),
        }
    }

    /// The object in S3 that it is.
    pub(super) fn remote(&self) -> Option<&Remote> {
        match &self.place {
            Place::Remote(remote) => Some(remote),
            Place::Stdin | Place::File(_) => None,
        }
    }

    /// The `ETag` of an object in S3: another one means other bytes.
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.remote().and_then(Remote::etag)
    }

    /// Its path; `None` where it has none.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Stdin | Place::Remote(_) => None,
            Place::File(path) => Some(path),
        }
    }

    /// Whether it is standard input, which can be read once only.
    #[must_use]
    pub fn is_stdin(&self) -> bool {
        self.place == Place::Stdin
    }

    fn stdin() -> Object {
        Object {
            name: STDIN.to_owned(),
            size: None,
            place: Place::Stdin,
        }
    }

    fn of_remote(remote: Remote) -> Object {
        Object {
            name: remote.name(),
            size: Some(remote.size()),
            place: Place::Remote(remote),
        }
    }

    fn of_file(path: PathBuf) -> Object {
        let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        Object {
            name: path.display().to_string(),
            size: size.map(|metadata| metadata.len()),
            place: Place::File(path),
        }
    }

    /// What it is, by whatever name it was reached. A path that cannot be
    /// resolved (a pipe, a file that just went) stands for itself.
    fn identity(&self) -> Identity {
        match &self.place {
            Place::Stdin => Identity::Stdin,
            Place::File(path) => {
                Identity::File(fs::canonicalize(path).unwrap_or_else(|_| path.clone()))
            }
            Place::Remote(_) => Identity::Remote(self.name.clone()),
        }
    }
}

/// The objects that the inputs name, whatever their time; see [`find`].
///
/// # Errors
/// For an input that names nothing.
pub fn list(inputs: &[String]) -> Result<Vec<Object>, SourceError> {
    find(inputs, &Search::default())
}

/// Whether an input is an address in S3 and no path.
#[must_use]
pub fn is_remote(input: &str) -> bool {
    input.starts_with(s3::SCHEME)
}

/// The objects that the inputs name and whose names allow that they hold what
/// is wanted, sorted by name. An input is a file, a folder (walked; hidden files
/// are left out), a pattern with `*`, `?`, `[…]` or `**`, `s3://bucket/prefix`,
/// or `-` for standard input; what exists is never taken for a pattern.
///
/// What lies in a folder and cannot be looked into is listed all the same, so
/// that opening it says why.
///
/// # Errors
/// For an input that names nothing, whatever its time, or in S3 cannot be listed.
pub fn find(inputs: &[String], search: &Search) -> Result<Vec<Object>, SourceError> {
    let mut finder = s3::Finder::default();
    let mut found = BTreeMap::new();
    for input in inputs {
        let objects = if is_remote(input) {
            remote(&mut finder, input, search)?
        } else {
            objects(input)?
        };
        let wanted = |object: &Object| search.wanted.may_hold(&object.name);
        for object in objects.into_iter().filter(wanted) {
            keep_first_name(&mut found, object);
        }
    }
    let mut objects: Vec<Object> = found.into_values().collect();
    // Those of one name stay in the order of what they are.
    objects.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(objects)
}

/// Of two names of one file the lesser stays, whatever the order of inputs.
fn keep_first_name(found: &mut BTreeMap<Identity, Object>, object: Object) {
    let identity = object.identity();
    let known = found.get(&identity);
    if known.is_none_or(|known| object.name < known.name) {
        found.insert(identity, object);
    }
}

fn objects(input: &str) -> Result<Vec<Object>, SourceError> {
    if input == STDIN {
        return Ok(vec![Object::stdin()]);
    }
    match fs::metadata(input) {
        Ok(metadata) if metadata.is_dir() => in_folder(input),
        Ok(_) => Ok(vec![Object::of_file(PathBuf::from(input))]),
        Err(_) if input.contains(['*', '?', '[']) => matching(input),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            Err(SourceError::NotFound(input.to_owned()))
        }
        Err(cause) => Err(SourceError::Unreachable {
            input: input.to_owned(),
            cause,
        }),
    }
}

fn remote(
    finder: &mut s3::Finder,
    address: &str,
    search: &Search,
) -> Result<Vec<Object>, SourceError> {
    let found = finder.find(address, &search.access, search.wanted)?;
    Ok(found.into_iter().map(Object::of_remote).collect())
}

fn in_folder(input: &str) -> Result<Vec<Object>, SourceError> {
    let objects = walk(Path::new(input));
    if objects.is_empty() {
        return Err(SourceError::EmptyFolder(input.to_owned()));
    }
    Ok(objects)
}

fn matching(pattern: &str) -> Result<Vec<Object>, SourceError> {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob::glob_with(pattern, options).map_err(|error| SourceError::BadPattern {
        input: pattern.to_owned(),
        reason: error.msg.to_lowercase(),
    })?;
    let objects: Vec<Object> = paths
        .map(|path| path.unwrap_or_else(|error| error.path().to_owned()))
        .flat_map(|path| walk(&path))
        .collect();
    if objects.is_empty() {
        return Err(SourceError::NoMatch(pattern.to_owned()));
    }
    Ok(objects)
}

/// The files below a path, or the path itself where it is one.
fn walk(root: &Path) -> Vec<Object> {
    let entries = WalkDir::new(root).follow_links(true);
    entries
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry.file_name()))
        .filter_map(|entry| match entry {
            Ok(entry) => is_log(&entry).then(|| entry.into_path()),
            // Around a loop of links there is nothing new.
            Err(error) if error.loop_ancestor().is_some() => None,
            Err(error) => error.path().map(Path::to_owned),
        })
        .map(Object::of_file)
        .collect()
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

fn is_log(entry: &DirEntry) -> bool {
    let foreign = || key::is_of_other_service(&entry.path().to_string_lossy());
    entry.file_type().is_file() && entry.file_name() != WRITE_TEST && !foreign()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[&str]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn list_in(root: &TempDir, inputs: &[&str]) -> Result<Vec<Object>, SourceError> {
        let full = |input: &&str| format!("{}/{input}", root.path().display());
        list(&inputs.iter().map(full).collect::<Vec<_>>())
    }

    /// Names of the listed objects, seen from the folder.
    fn names(root: &TempDir, inputs: &[&str]) -> Vec<String> {
        let prefix = format!("{}/", root.path().display());
        let objects = list_in(root, inputs).unwrap();
        objects
            .iter()
            .map(|object| object.name.replace(&prefix, ""))
            .collect()
    }

    fn refusal(root: &TempDir, input: &str) -> String {
        let prefix = format!("{}/", root.path().display());
        let error = list_in(root, &[input]).unwrap_err();
        error.to_string().replace(&prefix, "")
    }

    #[test]
    fn folders_are_walked_and_sorted() {
        let root = folder(&["b/2.log", "b/1.log.gz", "a.log", "c/d/e/noext"]);
        let all = ["a.log", "b/1.log.gz", "b/2.log", "c/d/e/noext"];
        assert_eq!(names(&root, &[""]), all);
        assert_eq!(
            names(&root, &["b", "a.log"]),
            ["a.log", "b/1.log.gz", "b/2.log"]
        );
    }

    #[test]
    fn hidden_files_and_write_tests_are_left_out() {
        let root = folder(&["a.log", ".b.log", ".git/c.log", "x/aws-logs-write-test"]);
        assert_eq!(names(&root, &[""]), ["a.log"]);
        assert_eq!(names(&root, &["*"]), ["a.log"]);
        assert_eq!(names(&root, &[".b.log"]), [".b.log"]);
    }

    #[test]
    fn patterns_match_within_and_across_folders() {
        let root = folder(&["a/1.log", "a/2.txt", "a/b/3.log"]);
        assert_eq!(names(&root, &["a/*.log"]), ["a/1.log"]);
        assert_eq!(names(&root, &["**/*.log"]), ["a/1.log", "a/b/3.log"]);
        assert_eq!(names(&root, &["a/?.[lt]*"]), ["a/1.log", "a/2.txt"]);
        assert_eq!(names(&root, &["a/*"]), ["a/1.log", "a/2.txt", "a/b/3.log"]);
    }

    #[test]
    fn a_file_named_like_a_pattern_is_that_file() {
        let root = folder(&["[1].log", "1.log"]);
        assert_eq!(names(&root, &["[1].log"]), ["[1].log"]);
    }

    #[test]
    fn a_file_reached_twice_is_listed_once() {
        let root = folder(&["a/1.log", "a/2.log"]);
        symlink(root.path().join("a/1.log"), root.path().join("link.log")).unwrap();
        let once = ["a/1.log", "a/2.log"];
        assert_eq!(names(&root, &["link.log", "a", "a/*.log", ""]), once);
        assert_eq!(names(&root, &["", "a", "link.log"]), once);
        assert_eq!(names(&root, &["link.log"]), ["link.log"]);
    }

    #[test]
    fn a_loop_of_links_ends() {
        let root = folder(&["a/1.log"]);
        symlink(root.path(), root.path().join("a/back")).unwrap();
        assert_eq!(names(&root, &[""]), ["a/1.log"]);
    }

    #[test]
    fn inputs_that_name_nothing_are_refused() {
        let root = folder(&["a/1.log"]);
        fs::create_dir(root.path().join("empty")).unwrap();
        assert_eq!(
            refusal(&root, "none.log"),
            "`none.log` does not exist; give a file, a folder, a pattern or `-`"
        );
        assert_eq!(
            refusal(&root, "empty"),
            "`empty` holds no log; hidden files are not read"
        );
        assert!(refusal(&root, "*.gz").starts_with("`*.gz` matches no file"));
        assert!(refusal(&root, "a/***").starts_with("`a/***` is not a pattern"));
    }

    #[test]
    fn what_a_name_rules_out_is_left_out() {
        let day = "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/11/20";
        let file = |hour: u32| {
            format!("{day}/111122223333_vpcflowlogs_eu-west-1_fl-0a_20261120T{hour:02}00Z_9f.log")
        };
        let other = "AWSLogs/111122223333/CloudTrail/eu-west-1/a.json";
        let root = folder(&[&file(7), &file(8), &file(9), "any.log", other]);
        let at = |text: &str| crate::net::Timestamp::parse_rfc3339(text);
        let wanted = Wanted {
            since: at("2026-11-20T08:00:00Z"),
            until: at("2026-11-20T08:30:00Z"),
        };
        let search = Search {
            wanted,
            ..Search::default()
        };
        let inputs = [root.path().display().to_string()];
        let found = find(&inputs, &search).unwrap();
        let names: Vec<&str> = found.iter().map(|object| object.name.as_str()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].ends_with(&file(8)) && names[1].ends_with("any.log"));
        assert_eq!(list(&inputs).unwrap().len(), 4);
    }

    #[test]
    fn standard_input_is_one_object() {
        let objects = list(&["-".to_owned(), "-".to_owned()]).unwrap();
        assert_eq!(objects, [Object::stdin()]);
        assert_eq!(objects[0].size, None);
    }

    #[test]
    fn a_listed_file_opens() {
        let root = folder(&["a.log"]);
        let objects = list_in(&root, &["a.log"]).unwrap();
        assert_eq!(objects[0].size, Some(5));
        let mut stream = objects[0].open().unwrap();
        assert_eq!(stream.next_block().unwrap(), Some(b"a.log".as_slice()));
        assert!(stream.next_block().unwrap().is_none());
    }

    #[test]
    fn a_file_that_vanished_is_named() {
        let root = folder(&["a.log"]);
        let objects = list_in(&root, &[""]).unwrap();
        fs::remove_file(root.path().join("a.log")).unwrap();
        let error = objects[0].open().unwrap_err();
        assert!(error.to_string().contains("a.log`: cannot be opened: "));
    }

    #[test]
    fn a_dangling_link_is_listed_and_does_not_open() {
        let root = folder(&["a.log"]);
        symlink("nowhere", root.path().join("b.log")).unwrap();
        assert_eq!(names(&root, &[""]), ["a.log", "b.log"]);
        let objects = list_in(&root, &[""]).unwrap();
        assert!(objects[1].open().is_err());
    }
}
