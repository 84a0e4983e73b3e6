//! One digest: its batches with their ledgers, read whole; and the right to
//! write to it, which first finishes what a run that was ended left undone.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use crate::cloud::Access;
use crate::digest::batch;
use crate::digest::batch::BATCHES;
use crate::digest::batch::Draft;
use crate::digest::batch::EVIDENCE;
use crate::digest::batch::Manifest;
use crate::digest::batch::OBJECTS;
use crate::digest::batch::failed;
use crate::digest::batch::full;
use crate::digest::entry;
use crate::digest::entry::Entry;
use crate::digest::error::DigestError;
use crate::digest::store;
use crate::digest::store::Held;
use crate::digest::store::LOCK;
use crate::digest::store::Store;
use crate::digest::units;
use crate::digest::units::Unit;

/// File that makes a folder a digest.
const MARK: &str = "digest.json";

/// What it holds.
const MARK_TEXT: &str = "{\n  \"schema\": \"flowcinch.digest.v2\"\n}\n";

/// Suffix of the manifest of a batch whose files are being taken away.
const LEAVING: &str = ".leaving";

/// A digest, open for reading.
#[derive(Debug)]
pub struct Digest {
    store: Arc<dyn Store>,
    /// Its batches, by id.
    pub batches: Vec<Batch>,
}

/// A batch and its ledger.
#[derive(Debug)]
pub struct Batch {
    manifest: Manifest,
    /// Its objects, by number.
    pub entries: Vec<Entry>,
    /// Days whose evidence is there.
    pub days: BTreeSet<i64>,
}

impl Digest {
    /// Opens a digest for reading: a folder, or an address in S3.
    ///
    /// # Errors
    /// Where it is none, or damaged.
    pub fn open(path: &Path, access: &Access) -> Result<Digest, DigestError> {
        let store = store::at(path, access)?;
        if !exists(store.as_ref())? {
            return Err(DigestError::NotFound(store.place()));
        }
        Digest::load(store)
    }

    fn load(store: Arc<dyn Store>) -> Result<Digest, DigestError> {
        check_mark(store.as_ref())?;
        let manifests = settled_manifests(store.as_ref())?;
        let there = days_there(store.as_ref())?;
        let batches = manifests
            .into_par_iter()
            .map(|manifest| Batch::load(store.as_ref(), manifest, &there))
            .collect::<Result<_, _>>()?;
        Ok(Digest { store, batches })
    }

    /// Reads the evidence of a batch's day, row by row.
    ///
    /// # Errors
    /// Where the file is missing or damaged.
    pub fn read_day(
        &self,
        batch: &Batch,
        day: i64,
        each: impl FnMut(&Unit),
    ) -> Result<(), DigestError> {
        let date = entry::date(day);
        let notes = &batch.manifest.evidence;
        let Some(note) = notes.iter().find(|note| note.day == date) else {
            return Ok(());
        };
        let bytes = batch::read(self.store.as_ref(), &note.file)?;
        let rows = units::from_bytes(bytes, each);
        rows.map_err(|error| DigestError::Damaged {
            path: full(self.store.as_ref(), &note.file.path),
            reason: error.to_string(),
        })
    }
}

impl Batch {
    /// Which batch.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.manifest.id
    }

    fn load(
        store: &dyn Store,
        manifest: Manifest,
        there: &BTreeSet<String>,
    ) -> Result<Batch, DigestError> {
        let bytes = batch::read(store, &manifest.objects)?;
        let damaged = |reason| DigestError::Damaged {
            path: full(store, &manifest.objects.path),
            reason,
        };
        let entries = entry::from_bytes(bytes).map_err(|error| damaged(error.to_string()))?;
        let days = manifest.evidence.iter().map(|note| &note.day);
        let days = days.filter(|day| there.contains(*day));
        let days = days.map(|day| entry::day(day)).collect::<Option<_>>();
        let days = days.ok_or_else(|| damaged("its manifest names no day".to_owned()))?;
        Ok(Batch {
            manifest,
            entries,
            days,
        })
    }
}

/// A digest, open for writing by this process alone.
#[derive(Debug)]
pub struct Writer {
    right: Box<dyn Held>,
    store: Arc<dyn Store>,
}

impl Writer {
    /// Opens a digest for writing, or makes it; finishes or takes away what a
    /// run left that was ended halfway. Gives what it holds then, too.
    ///
    /// # Errors
    /// Where another process writes to it, it is something else, or damaged.
    pub fn open(path: &Path, access: &Access) -> Result<(Writer, Digest), DigestError> {
        let store = store::at(path, access)?;
        let own = store.as_ref();
        if exists(own)? {
            refuse_other(own)?;
        }
        let right = own.lock()?;
        if !own
            .list("")
            .is_ok_and(|names| names.iter().any(|name| name == MARK))
        {
            let put = own.put(MARK, MARK_TEXT.as_bytes());
            put.map_err(|cause| failed(own, MARK, "written", cause))?;
        }
        recover(own)?;
        let digest = Digest::load(Arc::clone(&store))?;
        Ok((Writer { right, store }, digest))
    }

    /// Starts a batch.
    ///
    /// # Errors
    /// Where its ledger cannot be written.
    pub fn draft(&self, entries: &[Entry]) -> Result<Draft<'_>, DigestError> {
        Draft::new(self.store.as_ref(), self.right.as_ref(), entries)
    }

    /// Takes every batch away but one, whose objects include all of theirs.
    ///
    /// # Errors
    /// Where a file cannot be taken away; the next run goes on with it.
    pub fn keep_only(&self, id: &str) -> Result<(), DigestError> {
        let store = self.store.as_ref();
        for manifest in manifests(store)? {
            if manifest.id != id {
                let held = self.right.assert();
                held.map_err(|cause| failed(store, BATCHES, "taken away", cause))?;
                leave(store, &manifest)?;
            }
        }
        Ok(())
    }
}

fn exists(store: &dyn Store) -> Result<bool, DigestError> {
    let exists = store.exists();
    exists.map_err(|cause| failed(store, "", "looked up", cause))
}

/// Takes a batch away: first the manifest, kept aside as a note of what is
/// still to go, then the files, then the note.
fn leave(store: &dyn Store, manifest: &Manifest) -> Result<(), DigestError> {
    let path = manifest.path();
    let note = format!("{path}{LEAVING}");
    let read = store.read(&path);
    let bytes = read.map_err(|cause| failed(store, &path, "read", cause))?;
    let put = store.put(&note, &bytes);
    put.map_err(|cause| failed(store, &note, "written", cause))?;
    remove(store, &path)?;
    for file in manifest.files() {
        remove(store, &file.path)?;
    }
    remove(store, &note)
}

fn remove(store: &dyn Store, path: &str) -> Result<(), DigestError> {
    let removed = store.remove(path);
    removed.map_err(|cause| failed(store, path, "taken away", cause))
}

/// Puts in order what a run left that was ended halfway: batches on their way
/// out go, committed files are shown, files of no batch go; and days that were
/// dropped are noted, so that their folders may come again.
fn recover(store: &dyn Store) -> Result<(), DigestError> {
    for name in list(store, BATCHES)? {
        if let Some(manifest) = name.strip_suffix(LEAVING) {
            let note = format!("{BATCHES}/{name}");
            let bytes = store.read(&note);
            let bytes = bytes.map_err(|cause| failed(store, &note, "read", cause))?;
            remove(store, &format!("{BATCHES}/{manifest}"))?;
            if let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) {
                for file in manifest.files() {
                    remove(store, &file.path)?;
                }
            }
            remove(store, &note)?;
        }
    }
    let manifests = manifests(store)?;
    let there = days_there(store)?;
    let named: BTreeSet<&str> = manifests
        .iter()
        .flat_map(Manifest::files)
        .map(|file| file.path.as_str())
        .collect();
    for path in paths(store)? {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if let Some(shown) = store::shown(name) {
            let shown = format!("{folder}/{shown}");
            if !named.contains(shown.as_str()) {
                remove(store, &shown)?;
            }
        }
    }
    for mut manifest in manifests {
        let gone = |note: &batch::DayNote| !there.contains(&note.day);
        let dropped: Vec<String> = manifest
            .evidence
            .extract_if(.., |note| gone(note))
            .map(|note| note.day)
            .collect();
        if !dropped.is_empty() {
            manifest.dropped.extend(dropped);
            manifest.dropped.sort_unstable();
            manifest.put(store)?;
        }
        batch::publish(store, &manifest)?;
    }
    Ok(())
}

/// The manifests, by id.
fn manifests(store: &dyn Store) -> Result<Vec<Manifest>, DigestError> {
    let names = list(store, BATCHES)?;
    let names = names
        .iter()
        .filter(|name| name.strip_suffix(".json").is_some() && !name.starts_with('.'));
    names.map(|name| Manifest::read(store, name)).collect()
}

/// Names of the days whose folders are there and hold something.
fn days_there(store: &dyn Store) -> Result<BTreeSet<String>, DigestError> {
    let day = |path: &String| {
        let (folder, _) = path.split_once('/')?;
        folder.strip_prefix("day=").map(str::to_owned)
    };
    Ok(below(store, EVIDENCE)?.iter().filter_map(day).collect())
}

/// Paths of all files in folders that hold tables.
fn paths(store: &dyn Store) -> Result<Vec<String>, DigestError> {
    let mut paths = Vec::new();
    for folder in [EVIDENCE, OBJECTS] {
        let inner = below(store, folder)?;
        paths.extend(inner.iter().map(|path| format!("{folder}/{path}")));
    }
    Ok(paths)
}

/// How often the manifests are read before a table that none of them names is
/// called foreign: another run may be taking a batch away.
const LOOKS: usize = 3;

/// The manifests, once they name every table that is shown. A table that lies
/// among the others and that no batch names was copied here, and whoever did so
/// expects it to count: that is said.
fn settled_manifests(store: &dyn Store) -> Result<Vec<Manifest>, DigestError> {
    let mut foreign = String::new();
    for _ in 0..LOOKS {
        // Tables first: whatever is shown by then has a manifest already.
        let tables = tables(store)?;
        let manifests = manifests(store)?;
        let named: BTreeSet<&str> = manifests
            .iter()
            .flat_map(Manifest::files)
            .map(|file| file.path.as_str())
            .collect();
        match tables
            .into_iter()
            .find(|table| !named.contains(table.as_str()))
        {
            Some(table) => foreign = table,
            None => return Ok(manifests),
        }
        if list(store, BATCHES)?
            .iter()
            .any(|name| name.ends_with(LEAVING))
        {
            return Ok(manifests);
        }
    }
    Err(DigestError::Foreign(full(store, &foreign)))
}

/// Paths of all tables that are shown.
fn tables(store: &dyn Store) -> Result<Vec<String>, DigestError> {
    let shown = |path: &String| {
        let name = path
            .rsplit_once('/')
            .map_or(path.as_str(), |(_, name)| name);
        name.strip_suffix(".parquet").is_some() && !name.starts_with('.')
    };
    Ok(paths(store)?.into_iter().filter(shown).collect())
}

fn check_mark(store: &dyn Store) -> Result<(), DigestError> {
    let mark = match store.read(MARK) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Err(DigestError::NotADigest(store.place()));
        }
        read => read.map_err(|cause| failed(store, MARK, "read", cause))?,
    };
    if mark == MARK_TEXT.as_bytes() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&mark);
    let start: String = text.chars().take(60).collect();
    let start = start.escape_debug().to_string();
    Err(DigestError::Version(store.place(), start))
}

/// A folder that holds something else is not written to.
fn refuse_other(store: &dyn Store) -> Result<(), DigestError> {
    let names = list(store, "")?;
    let own =
        |name: &String| [MARK, LOCK].contains(&name.as_str()) || store::shown(name) == Some(MARK);
    let is_digest = names.iter().any(|name| name == MARK);
    if is_digest || names.iter().all(own) {
        return Ok(());
    }
    Err(DigestError::NotADigest(store.place()))
}

fn list(store: &dyn Store, folder: &str) -> Result<Vec<String>, DigestError> {
    let names = store.list(folder);
    names.map_err(|cause| failed(store, folder, "listed", cause))
}

fn below(store: &dyn Store, folder: &str) -> Result<Vec<String>, DigestError> {
    let paths = store.below(folder);
    paths.map_err(|cause| failed(store, folder, "listed", cause))
}
