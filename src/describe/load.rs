//! Paths -> [`Loaded`]: walks a folder in the order of its paths, unpacks
//! gzip by content, finds out the time, and hands text to the collector.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

use flate2::bufread::MultiGzDecoder;
use walkdir::DirEntry;
use walkdir::WalkDir;

use crate::describe::collect::Collector;
use crate::describe::collect::Loaded;
use crate::describe::date;
use crate::describe::error::DescribeError;
use crate::describe::unicode::opens_json;
use crate::describe::unicode::utf8;
use crate::model::Provider;
use crate::model::Snapshot;
use crate::model::snapshot::Part;
use crate::net::Timestamp;

/// File that dates the folder it lies in.
const CAPTURED_AT: &str = "captured-at.txt";

/// First bytes of gzip (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Reads a snapshot: a folder, walked to any depth, or one JSON file. Names
/// that start with a dot are passed over.
///
/// The time is that of `captured-at.txt` in the folder itself, else the one
/// that the folder's (or file's) name is, with `:` also as `-` or missing.
///
/// # Errors
/// A path that cannot be read, a folder without any JSON, JSON that is broken,
/// and values that no API prints; each names the file.
pub fn load(path: &Path) -> Result<Loaded, DescribeError> {
    let metadata = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    if metadata.is_dir() {
        load_folder(path)
    } else {
        load_file(path)
    }
}

/// The files that [`load`] reads of a path, sorted, the one that dates it too.
///
/// # Errors
/// A path that cannot be read.
pub fn inputs(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut inputs = files(path).map_err(io::Error::other)?;
    inputs.extend(Some(path.join(CAPTURED_AT)).filter(|date| date.is_file()));
    inputs.sort();
    Ok(inputs)
}

/// Checks that the snapshot has what an analysis cannot do without: groups
/// (or their rules) and interfaces.
///
/// # Errors
/// [`DescribeError::Missing`], which says what to run.
pub fn require_minimum(snapshot: &Snapshot) -> Result<(), DescribeError> {
    let lacks = |part| !snapshot.parts.contains(&part);
    if snapshot.provider == Provider::Alibaba {
        return require_of_alibaba(&lacks);
    }
    if lacks(Part::SecurityGroups) && lacks(Part::SecurityGroupRules) {
        return Err(DescribeError::Missing {
            part: "SecurityGroups",
            call: "aws ec2 describe-security-groups",
        });
    }
    if lacks(Part::NetworkInterfaces) {
        return Err(DescribeError::Missing {
            part: "NetworkInterfaces",
            call: "aws ec2 describe-network-interfaces",
        });
    }
    Ok(())
}

fn require_of_alibaba(lacks: &dyn Fn(Part) -> bool) -> Result<(), DescribeError> {
    for (kind, part, call) in [
        (
            Part::SecurityGroupRules,
            "Permissions",
            "aliyun ecs DescribeSecurityGroupAttribute",
        ),
        (
            Part::NetworkInterfaces,
            "NetworkInterfaceSets",
            "aliyun ecs DescribeNetworkInterfaces",
        ),
    ] {
        if lacks(kind) {
            return Err(DescribeError::Missing { part, call });
        }
    }
    Ok(())
}

/// The text of one JSON file, unpacked.
///
/// # Errors
/// A file that cannot be read or is too large.
pub fn text(path: &Path) -> Result<Vec<u8>, DescribeError> {
    Ok(read_text(path, true)?.unwrap_or_default())
}

fn load_file(path: &Path) -> Result<Loaded, DescribeError> {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut collector = Collector::default();
    let text = read_text(path, true)?.unwrap_or_default();
    let added = collector.add(&name, &text);
    added
        .and_then(|()| collector.finish(date::of_name(&name)))
        .map_err(|error| error.below(folder))
}

fn load_folder(folder: &Path) -> Result<Loaded, DescribeError> {
    let mut collector = Collector::default();
    let (mut read, mut times) = (0_usize, BTreeMap::new());
    for path in files(folder)? {
        let inner = path.strip_prefix(folder).unwrap_or(&path);
        let name = inner.to_string_lossy();
        if let Some(text) = read_text(&path, json_named(&name))? {
            let added = collector.add(&name, &text);
            added.map_err(|error| error.below(folder))?;
            times.extend(times_in(inner));
            read += 1;
        } else {
            collector.skip(&name);
        }
    }
    if read == 0 {
        return Err(DescribeError::NoJson {
            path: folder.to_owned(),
        });
    }
    if times.len() > 1 {
        for name in times.values() {
            collector.dated_inside(name);
        }
    }
    let captured_at = captured_at(folder)?;
    collector
        .finish(captured_at)
        .map_err(|error| error.below(folder))
}

/// The files to read, sorted by path, `captured-at.txt` of the folder aside.
fn files(folder: &Path) -> Result<Vec<PathBuf>, DescribeError> {
    let walk = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    let visible = |entry: &DirEntry| {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        entry.depth() == 0 || !hidden
    };
    let mut files = Vec::new();
    for entry in walk.into_iter().filter_entry(visible) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_owned();
            unreadable(&path, error.into())
        })?;
        let dates = entry.depth() == 1 && entry.file_name() == CAPTURED_AT;
        if entry.file_type().is_file() && !dates {
            files.push(entry.into_path());
        }
    }
    Ok(files)
}

/// Text of a file, unpacked. `None` where the file is no JSON and its name
/// does not say otherwise.
fn read_text(path: &Path, meant_as_json: bool) -> Result<Option<Vec<u8>>, DescribeError> {
    let failed = |source| unreadable(path, source);
    let mut reader = unpacked(path).map_err(failed)?;
    let start = reader.fill_buf().map_err(failed)?;
    if !meant_as_json && !opens_json(start) {
        return Ok(None);
    }
    let mut text = Vec::new();
    let mut bounded = reader.take(DescribeError::LARGEST + 1);
    bounded.read_to_end(&mut text).map_err(failed)?;
    if bounded.limit() == 0 {
        return Err(DescribeError::TooLarge {
            path: path.to_owned(),
        });
    }
    Ok(Some(text))
}

fn unpacked(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    if file.fill_buf()?.starts_with(&GZIP) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

fn captured_at(folder: &Path) -> Result<Option<Timestamp>, DescribeError> {
    let path = folder.join(CAPTURED_AT);
    if !path.is_file() {
        return Ok(folder_name(folder).and_then(|name| date::of_name(&name)));
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).and_then(|file| file.take(1_024).read_to_end(&mut bytes));
    file.map_err(|source| unreadable(&path, source))?;
    let text = String::from_utf8_lossy(&utf8(&bytes)).into_owned();
    let line = text.trim().lines().next().unwrap_or_default().trim();
    match Timestamp::parse_rfc3339(line) {
        Some(time) => Ok(Some(time)),
        None => Err(DescribeError::Time {
            path,
            text: line.escape_debug().to_string(),
        }),
    }
}

/// The folder's own name, also where it is given as `.` or `..`.
fn folder_name(folder: &Path) -> Option<String> {
    let absolute = || fs::canonicalize(folder).ok();
    let own = folder.file_name().map(ToOwned::to_owned);
    let name = own.or_else(|| absolute()?.file_name().map(ToOwned::to_owned))?;
    Some(name.to_string_lossy().into_owned())
}

/// Times that parts of a path below the folder are.
fn times_in(inner: &Path) -> impl Iterator<Item = (Timestamp, String)> {
    inner.iter().filter_map(|part| {
        let name = part.to_string_lossy();
        date::of_name(&name).map(|time| (time, name.into_owned()))
    })
}

fn json_named(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = name.strip_suffix(".gz").unwrap_or(&name);
    Path::new(stem)
        .extension()
        .is_some_and(|ending| ending == "json")
}

fn unreadable(path: &Path, source: io::Error) -> DescribeError {
    DescribeError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
