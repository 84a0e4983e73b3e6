//! What the user named: files, folders, patterns, standard input and addresses
//! in S3, in one sorted list that names each object once, however often it was
//! reached, and leaves out what its name rules out.

use std::ffi::OsStr;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use rayon::prelude::*;
use walkdir::DirEntry;

use crate::cloud::Access;
use crate::collections::HashSet;
use crate::source::error::ReadError;
use crate::source::error::ReadErrorKind;
use crate::source::error::SourceError;
use crate::source::identity::Folders;
use crate::source::identity::Identity;
use crate::source::identity::Reached;
use crate::source::key::Wanted;
use crate::source::pattern::Matches;
use crate::source::pattern::WILD;
use crate::source::pattern::shown;
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

    /// A file of that name; its size is asked for.
    fn of_file(name: String, path: PathBuf) -> Object {
        let size = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
        Object {
            name,
            size: size.map(|metadata| metadata.len()),
            place: Place::File(path),
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
    let mut folders = Folders::default();
    let mut named = Vec::new();
    for input in inputs {
        if is_remote(input) {
            let found = finder.find(input, &search.access, search.wanted)?;
            named.extend(found.into_iter().map(Named::Remote));
        } else {
            named.extend(local(input, &mut folders)?);
        }
    }
    // The system is asked of each file, so all threads ask.
    let looked_at = |named: Named| named.look(search.wanted);
    let mut objects: Vec<(Object, Identity)> =
        named.into_par_iter().filter_map(looked_at).collect();
    // Those of one name stay in the order of what they are.
    objects.par_sort_by(|(a, is), (b, is_too)| a.name.cmp(&b.name).then_with(|| is.cmp(is_too)));
    Ok(under_first_names(objects))
}

/// Of several names of one file the first stays, whatever the order of inputs.
fn under_first_names(objects: Vec<(Object, Identity)>) -> Vec<Object> {
    let mut known = HashSet::with_capacity(objects.len());
    let new = |(object, identity)| known.insert(identity).then_some(object);
    objects.into_iter().filter_map(new).collect()
}

/// What an input names, before it is looked at.
#[derive(Debug)]
enum Named {
    Stdin,
    File(Reached),
    Remote(Remote),
}

impl Named {
    /// The object, and what it is; `None` where its name rules it out.
    fn look(self, wanted: Wanted) -> Option<(Object, Identity)> {
        match self {
            Named::Stdin => Some((Object::stdin(), Identity::Stdin)),
            Named::File(file) => {
                let name = file.path.to_string_lossy().into_owned();
                wanted.may_hold(&name).then(|| {
                    let identity = file.identity();
                    (Object::of_file(name, file.path), identity)
                })
            }
            Named::Remote(remote) => {
                let object = Object::of_remote(remote);
                let identity = Identity::Remote(object.name.clone());
                wanted.may_hold(&object.name).then_some((object, identity))
            }
        }
    }
}

fn local(input: &str, folders: &mut Folders) -> Result<Vec<Named>, SourceError> {
    if input == STDIN {
        return Ok(vec![Named::Stdin]);
    }
    let files = files(input, folders)?;
    Ok(files.into_iter().map(Named::File).collect())
}

fn files(input: &str, folders: &mut Folders) -> Result<Vec<Reached>, SourceError> {
    match fs::metadata(input) {
        Ok(metadata) if metadata.is_dir() => in_folder(input, folders),
        Ok(_) => Ok(vec![Reached::by(PathBuf::from(input))]),
        Err(_) if input.contains(WILD) => matching(input, folders),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
            Err(SourceError::NotFound(input.to_owned()))
        }
        Err(cause) => Err(SourceError::Unreachable {
            input: input.to_owned(),
            cause,
        }),
    }
}

fn in_folder(input: &str, folders: &mut Folders) -> Result<Vec<Reached>, SourceError> {
    let files = walk(Path::new(input), RootName::Typed, folders);
    if files.is_empty() {
        return Err(SourceError::EmptyFolder(input.to_owned()));
    }
    Ok(files)
}

fn matching(pattern: &str, folders: &mut Folders) -> Result<Vec<Reached>, SourceError> {
    let matches = Matches::of(pattern).map_err(|error| SourceError::BadPattern {
        input: pattern.to_owned(),
        reason: error.msg.to_lowercase(),
    })?;
    let name = RootName::of_matches(pattern);
    let below = |path: &PathBuf| walk(path, name, folders);
    let mut files: Vec<Reached> = matches.paths.iter().flat_map(below).collect();
    files.extend(matches.closed.into_iter().map(Reached::by));
    if files.is_empty() {
        return Err(SourceError::NoMatch(pattern.to_owned()));
    }
    Ok(files)
}

/// Where the last part of a path that is walked comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RootName {
    /// From the user.
    Typed,
    /// From the folder that it lies in.
    Listed,
}

impl RootName {
    fn of_matches(pattern: &str) -> RootName {
        let last = Path::new(pattern).file_name().and_then(OsStr::to_str);
        if last.is_some_and(|last| last.contains(WILD)) {
            RootName::Listed
        } else {
            RootName::Typed
        }
    }
}

/// The files below a path, or the path itself where it is one.
fn walk(root: &Path, name: RootName, folders: &mut Folders) -> Vec<Reached> {
    shown(root)
        .filter_map(|entry| match entry {
            Ok(entry) => is_log(&entry).then(|| reached(entry, name, folders))?,
            // Around a loop of links there is nothing new.
            Err(error) if error.loop_ancestor().is_some() => None,
            Err(error) => error.path().map(Path::to_owned).map(Reached::by),
        })
        .collect()
}

/// The file that was come to; `None` where it belongs to another service.
fn reached(entry: DirEntry, name: RootName, folders: &mut Folders) -> Option<Reached> {
    let folder = folders.of(entry.path());
    if folder.as_ref().is_some_and(|folder| folder.foreign) {
        return None;
    }
    let listed = entry.depth() > 0 || name == RootName::Listed;
    let folder = folder.filter(|_| listed && !entry.path_is_symlink());
    let path = entry.into_path();
    Some(Reached { path, folder })
}

fn is_log(entry: &DirEntry) -> bool {
    entry.file_type().is_file() && entry.file_name() != WRITE_TEST
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::symlink;

    use proptest::collection::vec;
    use proptest::prelude::Strategy;
    use proptest::prop_assert_eq;
    use proptest::prop_oneof;
    use proptest::proptest;
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

    /// Files, links and folders: a path, and what a link leads to.
    #[derive(Clone, Debug)]
    enum Thing {
        File(String),
        Link(String, String),
        HardLink(String, String),
    }

    fn path() -> impl Strategy<Value = String> {
        vec("[ab]", 1..4).prop_map(|parts| format!("t/{}", parts.join("/")))
    }

    fn thing() -> impl Strategy<Value = Thing> {
        let target = prop_oneof![
            3 => "[ab](/[ab])?",
            1 => "\\.\\./[abt](/[ab])?",
            1 => "\\.\\.?",
        ];
        prop_oneof![
            3 => path().prop_map(Thing::File),
            3 => (path(), target).prop_map(|(path, target)| Thing::Link(path, target)),
            1 => (path(), path()).prop_map(|(path, old)| Thing::HardLink(path, old)),
        ]
    }

    fn input() -> impl Strategy<Value = String> {
        let detour = (path(), path()).prop_map(|(path, back)| format!("{path}/../../{back}"));
        prop_oneof![path(), detour, "t?", "t/\\*", "t/[ab]/\\*"]
    }

    /// Makes what can be made: a path may be taken, or lead through a file.
    fn made(things: &[Thing]) -> (TempDir, TempDir) {
        // Deeper than as many links can lead up.
        let outside = folder(&["1/2/3/4/5/6/7/8/file"]);
        let root = tempfile::tempdir_in(outside.path().join("1/2/3/4/5/6/7/8")).unwrap();
        let within = |path: &str| root.path().join(path);
        for thing in things {
            let (Thing::File(path) | Thing::Link(path, _) | Thing::HardLink(path, _)) = thing;
            let folder = within(path).parent().map(fs::create_dir_all);
            let made = match thing {
                Thing::File(path) => fs::write(within(path), path),
                Thing::Link(path, target) => symlink(target, within(path)),
                Thing::HardLink(path, old) => fs::hard_link(within(old), within(path)),
            };
            drop((folder, made));
        }
        (root, outside)
    }

    /// The lesser name of each file, with every path resolved by itself.
    fn resolved_one_by_one(root: &TempDir, inputs: &[String]) -> Vec<String> {
        let mut least: BTreeMap<PathBuf, String> = BTreeMap::new();
        for input in inputs {
            let full = format!("{}/{input}", root.path().display());
            for Reached { path, .. } in files(&full, &mut Folders::default()).unwrap() {
                let name = path.display().to_string();
                let identity = fs::canonicalize(&path).unwrap_or(path);
                let known = least.entry(identity).or_insert_with(|| name.clone());
                *known = name.min(known.clone());
            }
        }
        let mut names: Vec<String> = least.into_values().collect();
        names.sort();
        names
    }

    proptest! {
        #[test]
        fn a_file_is_listed_once_however_links_lead_to_it(
            things in vec(thing(), 1..7),
            inputs in vec(input(), 1..4),
        ) {
            let (root, _outside) = made(&things);
            let full = |input: &String| format!("{}/{input}", root.path().display());
            let known = |input: &&String| list(&[full(input)]).is_ok();
            let inputs: Vec<String> = inputs.iter().filter(known).cloned().collect();
            let all: Vec<String> = inputs.iter().map(full).collect();
            let objects = list(&all).unwrap();
            let names: Vec<String> = objects.into_iter().map(|object| object.name).collect();
            prop_assert_eq!(names, resolved_one_by_one(&root, &inputs));
        }
    }

    #[test]
    fn a_folder_spelled_twice_is_one_folder() {
        let root = folder(&["a/1.log", "b/2.log"]);
        let once = ["a/../a/1.log", "b/2.log"];
        assert_eq!(names(&root, &["a", "a/../a", "b", "b/"]), once);
        assert_eq!(names(&root, &["a", "./a", "b/../a"]), ["./a/1.log"]);
        assert_eq!(names(&root, &["a//", "a/*.log", "a"]), ["a//1.log"]);
    }

    #[test]
    fn a_linked_folder_is_the_folder_it_leads_to() {
        let root = folder(&["m/1.log", "m/n/2.log"]);
        symlink("m", root.path().join("z")).unwrap();
        assert_eq!(names(&root, &[""]), ["m/1.log", "m/n/2.log"]);
        symlink("m", root.path().join("a")).unwrap();
        assert_eq!(names(&root, &[""]), ["a/1.log", "a/n/2.log"]);
        assert_eq!(names(&root, &["m/n", "z"]), ["m/n/2.log", "z/1.log"]);
    }

    #[test]
    fn a_link_within_a_folder_is_the_file_beside_it() {
        let root = folder(&["a/1.log"]);
        symlink("1.log", root.path().join("a/0.log")).unwrap();
        symlink("0.log", root.path().join("a/2.log")).unwrap();
        symlink("a", root.path().join("b")).unwrap();
        assert_eq!(names(&root, &[""]), ["a/0.log"]);
        assert_eq!(names(&root, &["b", "a/1.log"]), ["a/1.log"]);
        assert_eq!(names(&root, &["b/2.log"]), ["b/2.log"]);
    }

    #[test]
    fn hard_links_are_two_files() {
        let root = folder(&["a/1.log"]);
        fs::hard_link(root.path().join("a/1.log"), root.path().join("a/2.log")).unwrap();
        assert_eq!(names(&root, &["a", ""]), ["a/1.log", "a/2.log"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_whose_names_cannot_be_told_apart_are_two() {
        use std::os::unix::ffi::OsStrExt;

        let root = folder(&[]);
        for name in [b"\xfe.log", b"\xff.log"] {
            fs::write(root.path().join(OsStr::from_bytes(name)), name).unwrap();
        }
        let objects = list_in(&root, &["", "."]).unwrap();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0].name, objects[1].name);
        for (object, text) in objects.iter().zip([b"\xfe.log", b"\xff.log"]) {
            let mut stream = object.open().unwrap();
            assert_eq!(stream.next_block().unwrap(), Some(text.as_slice()));
        }
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
