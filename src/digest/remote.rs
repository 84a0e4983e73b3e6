//! A digest in S3, or in what speaks its language. An object is whole or not
//! there, so that what makes a folder on disk safe does here too: files are
//! staged under hidden names, the manifest makes them a batch, and then they are
//! shown. Reading and writing need nothing else than the folder itself.

use std::io;
use std::io::ErrorKind;
use std::sync::Arc;

use crate::cloud::Access;
use crate::digest::error::DigestError;
use crate::digest::lease::Lease;
use crate::digest::store;
use crate::digest::store::Held;
use crate::digest::store::STAGED;
use crate::digest::store::Store;
use crate::source::shelf::Only;
use crate::source::shelf::Put;
use crate::source::shelf::Shelf;

/// The digest at an address.
pub(super) fn open(address: &str, access: &Access) -> Result<Arc<dyn Store>, DigestError> {
    let shelf = Arc::new(Shelf::open(address, access)?);
    Ok(Arc::new(RemoteStore { shelf }))
}

/// A folder in a bucket.
#[derive(Clone, Debug)]
struct RemoteStore {
    shelf: Arc<Shelf>,
}

impl RemoteStore {
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        match self.shelf.put(path, bytes, Only::Always)? {
            Put::Done(_) => Ok(()),
            Put::Refused => Err(io::Error::other("the server refused to write it")),
        }
    }
}

impl Store for RemoteStore {
    fn place(&self) -> String {
        self.shelf.place()
    }

    fn exists(&self) -> io::Result<bool> {
        Ok(!self.shelf.list("")?.is_empty())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.shelf.list(folder)
    }

    fn below(&self, folder: &str) -> io::Result<Vec<String>> {
        self.shelf.below(folder)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let is_gone = |cause: &io::Error| cause.kind() == ErrorKind::NotFound;
        let kept = match self.shelf.get(path) {
            Err(cause) if is_gone(&cause) => match self.shelf.get(&store::hidden(path, STAGED)) {
                // It may have been shown in between.
                Err(cause) if is_gone(&cause) => self.shelf.get(path),
                staged => staged,
            },
            shown => shown,
        };
        Ok(kept?.bytes)
    }

    fn stage(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(&store::hidden(path, STAGED), bytes)
    }

    fn publish(&self, path: &str) -> io::Result<()> {
        let staged = store::hidden(path, STAGED);
        match self.shelf.get(&staged) {
            Ok(kept) => {
                self.write(path, &kept.bytes)?;
                self.shelf.delete(&staged)
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(cause),
        }
    }

    fn put(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(path, bytes)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.shelf.delete(path)?;
        self.shelf.delete(&store::hidden(path, STAGED))
    }

    fn lock(&self) -> Result<Box<dyn Held>, DigestError> {
        let lease = Lease::take(&self.shelf)?;
        Ok(Box::new(lease))
    }
}
