//! An object that is too large to be held: part after part, each received in
//! full before it is read, and the next one under way meanwhile.

use std::fmt;
use std::io;
use std::io::Read;
use std::ops::Range;

use tokio::task::JoinHandle;

use crate::cloud::patience::Fault;
use crate::source::s3::fetch::Remote;

/// Bytes of a part.
const PART: u64 = 8 * 1024 * 1024;

/// Reads an object of any size in bounded memory.
pub(in crate::source) struct Parts {
    remote: Remote,
    part: Vec<u8>,
    /// Bytes of the part that were read.
    used: usize,
    /// Offset of the part after the one under way.
    at: u64,
    coming: Option<JoinHandle<Result<Vec<u8>, Fault>>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("remote", &self.remote)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Parts {
    /// Asks for the first part.
    pub(in crate::source) fn new(remote: &Remote) -> Parts {
        let mut parts = Parts {
            remote: remote.clone(),
            part: Vec::new(),
            used: 0,
            at: 0,
            coming: None,
        };
        parts.ask();
        parts
    }

    fn ask(&mut self) {
        let range = self.next_range();
        if range.is_empty() {
            return;
        }
        self.at = range.end;
        let remote = self.remote.clone();
        let session = &self.remote.bucket().lake.session;
        self.coming = session
            .handle()
            .map(|handle| handle.spawn(async move { remote.fetch_range(range).await }));
    }

    fn next_range(&self) -> Range<u64> {
        self.at..self.at.saturating_add(PART).min(self.remote.size())
    }

    /// Puts the next part in place; `false` at the end.
    fn turn(&mut self) -> io::Result<bool> {
        let Some(coming) = self.coming.take() else {
            return Ok(false);
        };
        let session = &self.remote.bucket().lake.session;
        let part = match session.wait(coming) {
            Some(Ok(part)) => part.map_err(|fault| io::Error::other(fault.text))?,
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => return Ok(false),
        };
        self.part = part;
        self.used = 0;
        self.ask();
        Ok(true)
    }
}

impl Read for Parts {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.used >= self.part.len() {
            if !self.turn()? {
                return Ok(0);
            }
        }
        let rest = self.part.get(self.used..).unwrap_or_default();
        let len = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        self.used = self.used.saturating_add(len);
        Ok(len)
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        if let Some(coming) = &self.coming {
            coming.abort();
        }
    }
}
