//! One digest: its batches with their ledgers, read whole; and the right to
//! write to it, which first finishes what a run that was ended left undone.

use std::collections::BTreeSet;
use std::path::Path;

use rayon::prelude::*;

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
use crate::digest::store::LOCK;
use crate::digest::store::LocalStore;
use crate::digest::store::Lock;
use crate::digest::store::Store;
use crate::digest::units;
use crate::digest::units::Unit;

/// File that makes a folder a digest.
const MARK: &str = "digest.json";

/// What it holds.
const MARK_TEXT: &str = "{\n  \"schema\": \"flowcinch.digest.v1\"\n}\n";

/// Suffix of the manifest of a batch whose files are being taken away.
const LEAVING: &str = ".leaving";

/// A digest, open for reading.
#[derive(Debug)]
pub struct Digest {
    store: Box<dyn Store>,
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
    /// Opens a digest for reading.
    ///
    /// # Errors
    /// Where it is none, or damaged.
    pub fn open(path: &Path) -> Result<Digest, DigestError> {
        let store = LocalStore::new(path);
        if !store.exists() {
            return Err(DigestError::NotFound(store.place()));
        }
        Digest::load(Box::new(store))
    }

    fn load(store: Box<dyn Store>) -> Result<Digest, DigestError> {
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
    _lock: Lock,
    store: LocalStore,
}

impl Writer {
    /// Opens a digest for writing, or makes it; finishes or takes away what a
    /// run left that was ended halfway. Gives what it holds then, too.
    ///
    /// # Errors
    /// Where another process writes to it, it is something else, or damaged.
    pub fn open(path: &Path) -> Result<(Writer, Digest), DigestError> {
        let local = LocalStore::new(path);
        let fresh = !local.exists();
        if !fresh {
            refuse_other(&local)?;
        }
        let lock = local.lock()?;
        if !local
            .list("")
            .is_ok_and(|names| names.iter().any(|name| name == MARK))
        {
            let put = local.put(MARK, MARK_TEXT.as_bytes());
            put.map_err(|cause| failed(&local, MARK, "written", cause))?;
        }
        recover(&local)?;
        let digest = Digest::load(Box::new(local.clone()))?;
        let writer = Writer {
            _lock: lock,
            store: local,
        };
        Ok((writer, digest))
    }

    /// Starts a batch.
    ///
    /// # Errors
    /// Where its ledger cannot be written.
    pub fn draft(&self, entries: &[Entry]) -> Result<Draft<'_>, DigestError> {
        Draft::new(&self.store, entries)
    }

    /// Takes every batch away but one, whose objects include all of theirs.
    ///
    /// # Errors
    /// Where a file cannot be taken away; the next run goes on with it.
    pub fn keep_only(&self, id: &str) -> Result<(), DigestError> {
        for manifest in manifests(&self.store)? {
            if manifest.id != id {
                leave(&self.store, &manifest)?;
            }
        }
        Ok(())
    }
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
    for folder in folders(store)? {
        for name in list(store, &folder)? {
            if let Some(shown) = store::shown(&name)
                && !named.contains(format!("{folder}/{shown}").as_str())
            {
                remove(store, &format!("{folder}/{shown}"))?;
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
    let mut days = BTreeSet::new();
    for name in list(store, EVIDENCE)? {
        if let Some(day) = name.strip_prefix("day=")
            && !list(store, &format!("{EVIDENCE}/{name}"))?.is_empty()
        {
            days.insert(day.to_owned());
        }
    }
    Ok(days)
}

/// Folders that hold tables.
fn folders(store: &dyn Store) -> Result<Vec<String>, DigestError> {
    let days = days_there(store)?;
    let days = days.iter().map(|day| format!("{EVIDENCE}/day={day}"));
    Ok(days.chain([OBJECTS.to_owned()]).collect())
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
    let mut tables = Vec::new();
    for folder in folders(store)? {
        let names = list(store, &folder)?.into_iter();
        let shown = names.filter(|name| name.ends_with(".parquet") && !name.starts_with('.'));
        tables.extend(shown.map(|name| format!("{folder}/{name}")));
    }
    Ok(tables)
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
