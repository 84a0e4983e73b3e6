//! A batch: some objects' entries and evidence, written once and never
//! changed. Its manifest names every file with its length and checksum; the
//! batch is there from the moment that the manifest is, and not before.

use serde::Deserialize;
use serde::Serialize;

use crate::checksum::sha256;
use crate::digest::entry;
use crate::digest::entry::Entry;
use crate::digest::error::DigestError;
use crate::digest::store::Held;
use crate::digest::store::Store;
use crate::digest::units;
use crate::digest::units::Unit;

/// Schema of a manifest.
const SCHEMA: &str = "flowcinch.batch.v2";

/// Folder of manifests.
pub(super) const BATCHES: &str = "batches";

/// Folder of ledgers.
pub(super) const OBJECTS: &str = "objects";

/// Folder of evidence, one folder a day below it.
pub(super) const EVIDENCE: &str = "evidence";

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    schema: String,
    /// Which batch: the start of the checksum of its ledger.
    pub id: String,
    /// The ledger.
    pub objects: FileNote,
    /// The evidence by day, ascending.
    pub evidence: Vec<DayNote>,
    /// Days that were dropped since.
    pub dropped: Vec<String>,
}

/// A file as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileNote {
    /// Where, within the digest.
    pub path: String,
    /// Length.
    pub bytes: u64,
    /// Checksum in hexadecimal.
    pub sha256: String,
}

/// Evidence of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayNote {
    /// The day, as `2026-10-01`.
    pub day: String,
    /// Its file.
    pub file: FileNote,
}

impl Manifest {
    /// Where the manifest itself is.
    pub(super) fn path(&self) -> String {
        format!("{BATCHES}/{}.json", self.id)
    }

    /// Every file that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileNote> {
        let evidence = self.evidence.iter().map(|day| &day.file);
        std::iter::once(&self.objects).chain(evidence)
    }

    /// As bytes, the same for the same manifest.
    fn to_bytes(&self) -> Result<Vec<u8>, DigestError> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| DigestError::Damaged {
            path: self.path(),
            reason: error.to_string(),
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(super) fn put(&self, store: &dyn Store) -> Result<(), DigestError> {
        let path = self.path();
        let put = store.put(&path, &self.to_bytes()?);
        put.map_err(|cause| failed(store, &path, "written", cause))
    }

    /// Reads the manifest of this file name.
    pub(super) fn read(store: &dyn Store, name: &str) -> Result<Manifest, DigestError> {
        let path = format!("{BATCHES}/{name}");
        let bytes = store.read(&path);
        let bytes = bytes.map_err(|cause| failed(store, &path, "read", cause))?;
        let damaged = |reason: String| DigestError::Damaged {
            path: full(store, &path),
            reason,
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.schema != SCHEMA {
            let schema = manifest.schema.escape_debug().to_string();
            return Err(DigestError::Version(store.place(), schema));
        }
        if manifest.path() != path {
            return Err(damaged("it is another batch's".to_owned()));
        }
        Ok(manifest)
    }
}

/// A batch that is being written: staged day by day, then committed.
#[derive(Debug)]
pub struct Draft<'s> {
    store: &'s dyn Store,
    right: &'s dyn Held,
    manifest: Manifest,
}

impl<'s> Draft<'s> {
    /// Starts a batch of these objects; units will name them by their places
    /// in the list.
    ///
    /// # Errors
    /// Where the ledger cannot be written.
    pub(super) fn new(
        store: &'s dyn Store,
        right: &'s dyn Held,
        entries: &[Entry],
    ) -> Result<Draft<'s>, DigestError> {
        let table = entry::to_bytes(entries);
        let bytes = table.map_err(|cause| DigestError::Table {
            path: full(store, OBJECTS),
            cause,
        })?;
        let mut id = sha256(&bytes);
        id.truncate(32);
        let path = format!("{OBJECTS}/{id}.parquet");
        let objects = stage(store, path, &bytes)?;
        Ok(Draft {
            store,
            right,
            manifest: Manifest {
                schema: SCHEMA.to_owned(),
                id,
                objects,
                evidence: Vec::new(),
                dropped: Vec::new(),
            },
        })
    }

    /// Adds the evidence of a day; days come in ascending order, each once.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn add_day(&mut self, day: i64, units: Vec<Unit>) -> Result<(), DigestError> {
        let day = entry::date(day);
        let path = format!("{EVIDENCE}/day={day}/{}.parquet", self.manifest.id);
        let bytes = units::to_bytes(units).map_err(|cause| DigestError::Table {
            path: full(self.store, &path),
            cause,
        })?;
        let file = stage(self.store, path, &bytes)?;
        self.manifest.evidence.push(DayNote { day, file });
        Ok(())
    }

    /// Makes the batch part of the digest.
    ///
    /// # Errors
    /// Where the manifest cannot be written; then nothing was added.
    pub fn commit(self) -> Result<Manifest, DigestError> {
        let held = self.right.assert();
        held.map_err(|cause| failed(self.store, BATCHES, "written", cause))?;
        self.manifest.put(self.store)?;
        publish(self.store, &self.manifest)?;
        Ok(self.manifest)
    }
}

/// Shows the files of a committed batch.
pub(super) fn publish(store: &dyn Store, manifest: &Manifest) -> Result<(), DigestError> {
    for file in manifest.files() {
        let published = store.publish(&file.path);
        published.map_err(|cause| failed(store, &file.path, "shown", cause))?;
    }
    Ok(())
}

fn stage(store: &dyn Store, path: String, bytes: &[u8]) -> Result<FileNote, DigestError> {
    let staged = store.stage(&path, bytes);
    staged.map_err(|cause| failed(store, &path, "written", cause))?;
    Ok(FileNote {
        path,
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
    })
}

/// Reads a file and checks that it is what was written.
pub(super) fn read(store: &dyn Store, note: &FileNote) -> Result<Vec<u8>, DigestError> {
    let bytes = match store.read(&note.path) {
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
            return Err(DigestError::Missing(full(store, &note.path)));
        }
        read => read.map_err(|cause| failed(store, &note.path, "read", cause))?,
    };
    let damaged = |reason: String| DigestError::Damaged {
        path: full(store, &note.path),
        reason,
    };
    if bytes.len() as u64 != note.bytes {
        let (is, was) = (bytes.len(), note.bytes);
        return Err(damaged(format!("it has {is} bytes and had {was}")));
    }
    if sha256(&bytes) != note.sha256 {
        return Err(damaged("its checksum is another".to_owned()));
    }
    Ok(bytes)
}

/// A path with the digest's place before it.
pub(super) fn full(store: &dyn Store, path: &str) -> String {
    format!("{}/{path}", store.place().trim_end_matches('/'))
}

pub(super) fn failed(
    store: &dyn Store,
    path: &str,
    what: &'static str,
    cause: std::io::Error,
) -> DigestError {
    DigestError::Io {
        path: full(store, path),
        what,
        cause,
    }
}
