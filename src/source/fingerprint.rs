//! What tells an object from another, and one version of it from the next,
//! without knowing what its bytes say.

use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::time::UNIX_EPOCH;

use sha2::Digest;
use sha2::Sha256;

use crate::checksum::hex;
use crate::source::local::Object;
use crate::source::whole::LARGEST;

/// Bytes that are read at a time.
const PIECE: usize = 256 * 1024;

impl Object {
    /// Where it is, whatever way it was reached: the path without links.
    #[must_use]
    pub fn place_name(&self) -> String {
        let path = self.path().and_then(|path| fs::canonicalize(path).ok());
        path.map_or_else(|| self.name.clone(), |path| path.display().to_string())
    }

    /// What changes when its bytes do, and costs no reading: the time of its
    /// last change, or its `ETag`. `None` where nothing tells.
    #[must_use]
    pub fn version(&self) -> Option<String> {
        if let Some(etag) = self.etag() {
            return Some(etag.to_owned());
        }
        let metadata = fs::metadata(self.path()?).ok()?;
        let modified = metadata.modified().ok()?;
        let since = modified.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}", since.as_nanos()))
    }

    /// Length and SHA-256, in hexadecimal, of its bytes as stored.
    ///
    /// # Errors
    /// Where it cannot be read, or can be read only once.
    pub fn checksum(&self) -> io::Result<(u64, String)> {
        if let Some(remote) = self.remote() {
            if remote.size() > LARGEST {
                return sum_of(remote.parts());
            }
            let body = remote.take().map_err(io::Error::other)?;
            return sum_of(body.bytes.as_slice());
        }
        let path = self.path();
        let path = path.ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
        sum_of(File::open(path)?)
    }
}

/// Length and SHA-256 of all that a reader gives.
pub(super) fn sum_of(mut reader: impl Read) -> io::Result<(u64, String)> {
    let mut sum = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut length = 0_u64;
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            break;
        }
        sum.update(piece.get(..read).unwrap_or_default());
        length = length.saturating_add(read as u64);
    }
    Ok((length, hex(&sum.finalize())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::local;

    #[test]
    fn a_file_is_known_by_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, b"abc").unwrap();
        let object = &local::list(&[path.display().to_string()]).unwrap()[0];
        let (length, sum) = object.checksum().unwrap();
        assert_eq!(length, 3);
        assert!(sum.starts_with("ba7816bf8f01cfea") && sum.len() == 64);
        assert!(object.version().is_some());
        assert!(object.place_name().ends_with("a.log"));
    }
}
