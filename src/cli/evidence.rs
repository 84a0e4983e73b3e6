//! `--evidence DIR`: what an auditor needs to run the analysis again without us
//! and get the same bytes: what was read, by what, with which flags, and what
//! came out, each file with its hash.
//!
//! Nothing in it depends on the clock, the machine or the number of threads.

use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use flowcinch::checksum;
use flowcinch::cloud::Access;
use flowcinch::pipeline::Request;
use flowcinch::report::csv;
use flowcinch::report::document::Analysis;
use flowcinch::report::escape;
use flowcinch::report::pseudonym::Key;
use flowcinch::report::review::Review;
use flowcinch::report::text;
use flowcinch::source;
use flowcinch::source::Search;
use flowcinch::source::Wanted;
use serde_json::Value;
use serde_json::json;
use walkdir::WalkDir;

use crate::cli::Failure;
use crate::cli::args::GateArgs;
use crate::cli::config;
use crate::cli::document::DOCUMENT;
use crate::cli::document::Document;
use crate::cli::output;
use crate::cli::output::OutputError;

/// Flags whose value says nothing about the result.
const NO_MATTER: [&str; 4] = ["--evidence", "--out", "--threads", "--color"];

/// Why no evidence can be kept of a run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceError {
    /// Standard input is gone once it is read.
    #[error("--evidence needs logs that can be read again: write standard input to a file first")]
    Stdin,
    /// An input is not there any more.
    #[error("--evidence: cannot read `{}`", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// The folder does not take it.
    #[error("--evidence: cannot write `{}`", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// The folder holds something else, which a pack would claim.
    #[error("--evidence: `{}` is not of a pack, name another folder", .0.display())]
    Foreign(PathBuf),
}

impl From<OutputError> for EvidenceError {
    fn from(error: OutputError) -> EvidenceError {
        match error {
            OutputError::Stdout(error) => EvidenceError::Write(PathBuf::from("-"), error),
            OutputError::Folder(path, error) | OutputError::File(path, error) => {
                EvidenceError::Write(path, error)
            }
        }
    }
}

const MANIFEST: &str = "manifest.json";
const FILES: [&str; 4] = [
    "certificate.json",
    "report.txt",
    "findings.csv",
    "README.txt",
];

/// Makes the folder, which may hold an older pack and nothing else; better known
/// before hours of reading.
pub(crate) fn prepare(folder: &Path, logs: &[String]) -> Result<(), EvidenceError> {
    if logs.iter().any(|log| log == "-") {
        return Err(EvidenceError::Stdin);
    }
    output::make_folder(folder)?;
    let failed = |error| EvidenceError::Read(folder.to_owned(), error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !is_of_pack(&entry.file_name().to_string_lossy()) {
            return Err(EvidenceError::Foreign(entry.path()));
        }
    }
    Ok(())
}

/// Whether a pack has a file of this name, or one that was stopped left it.
fn is_of_pack(name: &str) -> bool {
    let mut all = FILES.iter().chain([&DOCUMENT, &MANIFEST]);
    all.any(|own| name == *own || output::is_left_of(name, own))
}

/// An older pack goes, its manifest first: a pack is whole once that is there. So
/// does what one left that was stopped.
fn clear(folder: &Path) -> Result<(), EvidenceError> {
    let failed = |error| EvidenceError::Read(folder.to_owned(), error);
    let mut paths = vec![folder.join(MANIFEST)];
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_of_pack(&entry.file_name().to_string_lossy()) {
            paths.push(entry.path());
        }
    }
    for path in paths {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(EvidenceError::Write(path, error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs<'a> {
    /// An earlier analysis, and what was accepted.
    against: [Option<&'a Path>; 2],
    logs: &'a [String],
    digests: &'a [PathBuf],
    snapshots: &'a [PathBuf],
    access: &'a Access,
}

impl<'a> Inputs<'a> {
    /// Of one run.
    pub(crate) fn of(request: &'a Request, gate: &'a GateArgs) -> Inputs<'a> {
        Inputs {
            against: [gate.baseline.as_deref(), gate.accepted.as_deref()],
            logs: &request.logs,
            digests: &request.digests,
            snapshots: &request.snapshots,
            access: &request.access,
        }
    }

    /// Each file with its hash.
    fn listed(&self) -> Result<Value, Failure> {
        let mut all = json!({
            "logs": logs_read(self.logs, self.access)?,
            "snapshots": files_below(self.snapshots)?,
        });
        if let (Some(all), false) = (all.as_object_mut(), self.digests.is_empty()) {
            let (remote, local): (Vec<_>, Vec<_>) = self
                .digests
                .iter()
                .cloned()
                .partition(|place| source::is_remote(&place.to_string_lossy()));
            let mut listed = files_below(&local)?;
            let remote: Vec<String> = remote
                .iter()
                .map(|place| format!("{}/", place.to_string_lossy().trim_end_matches('/')))
                .collect();
            listed.extend(logs_read(&remote, self.access)?);
            all.insert("digests".to_owned(), listed.into());
        }
        let against: Vec<PathBuf> = self.against.iter().flatten().map(Into::into).collect();
        if let (Some(all), false) = (all.as_object_mut(), against.is_empty()) {
            all.insert("against".to_owned(), files_below(&against)?.into());
        }
        Ok(all)
    }
}

/// One run: what it read, and the certificate of its proposals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) inputs: Inputs<'a>,
    pub(crate) certificate: Option<&'a [u8]>,
    pub(crate) key: Option<&'a Key>,
    pub(crate) threads: Option<usize>,
}

/// Writes the pack.
pub(crate) fn write(
    folder: &Path,
    run: &Run<'_>,
    analysis: &Analysis,
    review: &Review,
) -> Result<(), Failure> {
    let document = Document {
        analysis,
        threads: run.threads,
    };
    let inputs = run.inputs.listed()?;
    let report = text::reviewed(analysis, review, config::file_text(true)).into_bytes();
    let findings = csv::render(review).into_bytes();
    let readme = match run.key {
        None => README.to_owned(),
        Some(_) => format!("{README}{HIDDEN}"),
    };
    clear(folder)?;
    let written: [Option<&[u8]>; 4] = [
        run.certificate,
        Some(&report),
        Some(&findings),
        Some(readme.as_bytes()),
    ];
    let (beside, known) = document.beside(folder)?.map_err(EvidenceError::from)?;
    beside.commit().map_err(EvidenceError::from)?;
    let mut outputs = vec![json!({"name": known.name, "sha256": known.sha256})];
    for (name, bytes) in FILES.into_iter().zip(written) {
        let Some(bytes) = bytes else {
            continue;
        };
        output::write_file(&folder.join(name), bytes).map_err(EvidenceError::from)?;
        outputs.push(json!({"name": name, "sha256": checksum::sha256(bytes)}));
    }
    let text = manifest(run, analysis, &inputs, &outputs);
    output::write_file(&folder.join(MANIFEST), text.as_bytes()).map_err(EvidenceError::from)?;
    Ok(())
}

/// What was read and written, and by what.
fn manifest(run: &Run<'_>, analysis: &Analysis, inputs: &Value, outputs: &[Value]) -> String {
    let mut manifest = json!({
        "schema": "flowcinch.evidence.v1",
        "program": {"name": "flowcinch", "version": env!("CARGO_PKG_VERSION")},
        "command": command(std::env::args_os().skip(1)),
        "window": analysis.window,
        "coverage": analysis.coverage,
        "verification": analysis.verification,
        "inputs": inputs,
        "pseudonymised": run.key.is_some(),
        "outputs": outputs,
    });
    if let Some(key) = run.key {
        key.value(&mut manifest);
    }
    escape::json(format!("{manifest:#}\n"))
}

const README: &str = "\
This folder is evidence of one run of flowcinch.

manifest.json     what was read and written, each with its SHA-256; the command, the version, the
                  window, the coverage, and how the proposals were verified
analysis.json     the analysis
certificate.json  the certificate of its proposals: `flowcinch verify certificate.json` checks it by
                  itself (not kept where addresses were pseudonymised: it would name them; names of
                  files that hold an address are changed too)
report.txt        the analysis for people
findings.csv      its findings with the controls that they touch

To check: run the command of manifest.json with the same version on the same inputs, with
`--evidence` naming another folder, and compare the two folders. They are the same, byte for byte,
whatever the machine and the number of threads, where the inputs lie at the paths that the command
names; elsewhere manifest.json alone differs, in these paths.

Listed are all files at the places that the command names, those as well whose rows all lie outside
of the window; analysis.json counts the objects that were opened.
";

/// What a reader of a pack with other addresses must know.
const HIDDEN: &str = "
Addresses are not the true ones: they were replaced, each by the same one everywhere, prefixes by
prefixes of the same length. Hashes of inputs are those of the true files. Whoever holds the key
gets the same bytes by the same command; nobody else can check this pack against its inputs.
";

/// What was typed, without the flags that do not matter and their values.
fn command(typed: impl Iterator<Item = OsString>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut typed = typed.map(|word| word.to_string_lossy().into_owned());
    while let Some(word) = typed.next() {
        if NO_MATTER.contains(&word.as_str()) {
            typed.next();
            continue;
        }
        let joined = word.split_once('=').map_or("", |(flag, _)| flag);
        if !NO_MATTER.contains(&joined) {
            kept.push(word);
        }
    }
    kept
}

fn logs_read(logs: &[String], access: &Access) -> Result<Vec<Value>, Failure> {
    let mut read = Vec::new();
    if logs.is_empty() {
        return Ok(read);
    }
    let search = Search {
        access: access.clone(),
        wanted: Wanted::default(),
    };
    for object in source::find(logs, &search)? {
        let name = object.name.clone();
        read.push(match object.etag() {
            Some(etag) => json!({"name": name, "bytes": object.size, "etag": etag}),
            None => file(Path::new(&name))?,
        });
    }
    Ok(read)
}

/// Every file below these places.
fn files_below(places: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut read = Vec::new();
    for path in places {
        for entry in WalkDir::new(path).sort_by_file_name().follow_links(true) {
            let entry = entry.map_err(io::Error::from);
            let entry = entry.map_err(|error| EvidenceError::Read(path.clone(), error))?;
            if entry.file_type().is_file() {
                read.push(file(entry.path())?);
            }
        }
    }
    Ok(read)
}

fn file(path: &Path) -> Result<Value, EvidenceError> {
    let failed = |error| EvidenceError::Read(path.to_owned(), error);
    let bytes = fs::metadata(path).map_err(failed)?.len();
    let hash = File::open(path)
        .and_then(checksum::sha256_of)
        .map_err(failed)?;
    Ok(json!({"name": path.to_string_lossy(), "bytes": bytes, "sha256": hash}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_that_do_not_matter_are_not_kept() {
        let typed = "analyze logs --evidence e --out=o --threads 4 --since 30d --snapshot s";
        let kept = command(typed.split(' ').map(OsString::from));
        assert_eq!(kept.join(" "), "analyze logs --since 30d --snapshot s");
        // How coarse evidence is depends on it.
        let typed = "analyze logs --memory 64M --evidence e";
        let kept = command(typed.split(' ').map(OsString::from));
        assert_eq!(kept.join(" "), "analyze logs --memory 64M");
    }

    #[test]
    fn a_pack_replaces_an_older_one_and_what_a_stopped_one_left_and_claims_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let left = [".analysis.json.7-0.tmp", "manifest.json", "report.txt"];
        for name in left {
            fs::write(path(name), "old").unwrap();
        }
        prepare(folder.path(), &[]).unwrap();
        clear(folder.path()).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(path("notes.txt"), "mine").unwrap();
        let refused = prepare(folder.path(), &[]).unwrap_err();
        assert!(matches!(refused, EvidenceError::Foreign(file) if file == path("notes.txt")));
        clear(folder.path()).unwrap();
        assert!(path("notes.txt").exists());
    }
}
