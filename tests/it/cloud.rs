//! Made-up clouds for tests: written by the built program, read back as text.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;

use crate::case::Case;
use crate::case::Run;

/// A made-up cloud in a temporary folder, its logs in `made/logs`.
pub(crate) struct Cloud {
    pub(crate) case: Case,
    /// Paths given to `--snapshot`, below the folder.
    pub(crate) snapshots: Vec<String>,
}

impl Cloud {
    /// Makes one with these flags of `flowcinch sample`.
    pub(crate) fn make(flags: &[&str]) -> Cloud {
        let case = Case::new();
        let run = case.run(&[&["sample", "--out", "made"], flags].concat());
        assert_eq!(run.status, Some(0), "{}", run.stderr);
        let snapshots = snapshots(&case.path("made/snapshot"));
        Cloud { case, snapshots }
    }

    /// The analysis of these logs, which must be one.
    pub(crate) fn analyze(&self, args: &[&str]) -> Vec<u8> {
        self.analyze_with(args, b"")
    }

    /// The same with something on standard input.
    pub(crate) fn analyze_with(&self, args: &[&str], stdin: &[u8]) -> Vec<u8> {
        let run = self.run_with(args, stdin);
        assert!(
            matches!(run.status, Some(0 | 1 | 3)),
            "{args:?}: {:?} {}",
            run.status,
            run.stderr
        );
        run.stdout
    }

    /// Runs `analyze` with the cloud's snapshots.
    pub(crate) fn run_with(&self, args: &[&str], stdin: &[u8]) -> Run {
        let mut all = vec!["analyze", "--format", "json"];
        for snapshot in &self.snapshots {
            all.extend(["--snapshot", snapshot]);
        }
        all.extend(args);
        self.case.run_with(&all, stdin)
    }

    /// Names of the log objects, sorted.
    pub(crate) fn objects(&self) -> Vec<PathBuf> {
        files(&self.case.path("made/logs"))
    }

    /// Text of all log objects, in the order of their names.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.objects().iter().map(|path| text(path)).collect()
    }

    /// The header and all records, each with its newline.
    pub(crate) fn lines(&self) -> (String, Vec<String>) {
        let mut header = String::new();
        let mut records = Vec::new();
        for text in self.texts() {
            for (number, line) in text.lines().enumerate() {
                if number == 0 {
                    header = format!("{line}\n");
                } else {
                    records.push(format!("{line}\n"));
                }
            }
        }
        (header, records)
    }

    /// The truth of the sample.
    pub(crate) fn truth(&self) -> Value {
        json(&fs::read(self.case.path("made/truth.json")).unwrap())
    }
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// One snapshot, or one folder for each time.
fn snapshots(folder: &Path) -> Vec<String> {
    let has_files = |folder: &Path| {
        fs::read_dir(folder).unwrap().any(|entry| {
            let path = entry.unwrap().path();
            path.extension().is_some_and(|end| end == "json")
        })
    };
    if has_files(folder) {
        return vec!["made/snapshot".to_owned()];
    }
    let mut dated: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            format!(
                "made/snapshot/{}",
                entry.unwrap().file_name().to_str().unwrap()
            )
        })
        .collect();
    dated.sort();
    dated
}

/// Text of a file, inflated where it is gzip.
pub(crate) fn text(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return String::from_utf8(bytes).unwrap();
    }
    let mut text = String::new();
    MultiGzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// One gzip member.
pub(crate) fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// Members of a list, which must be one.
pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("`{key}` is no list"))
}

pub(crate) fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("`{key}` is no text: {value}"))
}

pub(crate) fn number(value: &Value, key: &str) -> u64 {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("`{key}` is no number: {value}"))
}

/// All rules of an analysis.
pub(crate) fn rules(analysis: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    list(analysis, "security_groups")
        .iter()
        .flat_map(|group| list(group, "rules").iter().map(move |rule| (group, rule)))
}
