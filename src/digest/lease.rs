//! The right to write to a digest in S3: an object that is made if it is not
//! there, and written anew again and again while its holder lives.
//!
//! No clock is compared with another. Whoever finds the object watches it: if it
//! changes, its holder lives; if it stays the same for several times as long as
//! its holder said it would, the holder has ended, however it did, and the right
//! passes to the one who replaces just this object. Before a batch is committed
//! the right is asserted once more, so that a holder that was asleep for longer
//! adds nothing.

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use serde::Deserialize;
use serde::Serialize;

use crate::digest::error::DigestError;
use crate::digest::store::Held;
use crate::digest::store::LOCK;
use crate::source::shelf::Only;
use crate::source::shelf::Put;
use crate::source::shelf::Shelf;

/// A holder that stays silent for so many of its own intervals has ended.
const SILENCE: u32 = 4;

/// The interval of a holder whose words cannot be read.
const UNKNOWN: Duration = Duration::from_mins(1);

/// What the object holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Words {
    schema: String,
    /// Of no other run.
    holder: String,
    /// How often it was written.
    beat: u64,
    /// How long until it is written again, in milliseconds.
    every: u64,
}

const SCHEMA: &str = "flowcinch.lock.v1";

/// The right to write, until it is dropped, or its holder stays silent.
#[derive(Debug)]
pub(super) struct Lease {
    shared: Arc<Shared>,
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    shelf: Arc<Shelf>,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    words: Words,
    etag: String,
    lost: bool,
}

impl Lease {
    /// Takes the right, waiting for as long as it takes to see whether another
    /// holder lives.
    ///
    /// # Errors
    /// Where one does, or the object cannot be written.
    pub(super) fn take(shelf: &Arc<Shelf>) -> Result<Lease, DigestError> {
        let failed = |cause| DigestError::Io {
            path: format!("{}{LOCK}", shelf.place()),
            what: "written",
            cause,
        };
        let every = shelf.patience();
        let words = Words {
            schema: SCHEMA.to_owned(),
            holder: holder(),
            beat: 0,
            every: u64::try_from(every.as_millis()).unwrap_or(u64::MAX),
        };
        let taken = taken(shelf, &words).map_err(failed)?;
        let etag = taken.ok_or_else(|| DigestError::Busy(shelf.place()))?;
        let state = State {
            words,
            etag,
            lost: false,
        };
        let shared = Arc::new(Shared {
            shelf: Arc::clone(shelf),
            state: Mutex::new(state),
        });
        let (stop, stopped) = mpsc::channel();
        let own = Arc::clone(&shared);
        let beating = thread::Builder::new()
            .name("flowcinch-lease".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    if own.beat().is_err() && own.lock().lost {
                        break;
                    }
                }
            });
        Ok(Lease {
            shared,
            stop: Some(stop),
            beating: Some(beating.map_err(failed)?),
        })
    }
}

impl Held for Lease {
    fn assert(&self) -> io::Result<()> {
        self.shared.beat()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(beating) = self.beating.take() {
            drop(beating.join());
        }
        // Whoever comes next finds out by waiting, if this fails.
        if self.shared.beat().is_ok() {
            drop(self.shared.shelf.delete(LOCK));
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the object anew, if it is still this run's own.
    fn beat(&self) -> io::Result<()> {
        let mut state = self.lock();
        if state.lost {
            return Err(lost());
        }
        let mut words = state.words.clone();
        words.beat = words.beat.saturating_add(1);
        let put = self
            .shelf
            .put(LOCK, &bytes(&words)?, Only::IfIs(&state.etag))?;
        let etag = match put {
            Put::Done(etag) => Some(etag),
            // Its own write, whose answer was lost.
            Put::Refused => is_there(&self.shelf, &words)?,
        };
        state.words = words;
        state.lost = etag.is_none();
        state.etag = etag.ok_or_else(lost)?;
        Ok(())
    }
}

fn lost() -> io::Error {
    io::Error::other("another run has taken the right to write: this one was silent for too long")
}

/// Makes the object, or takes it over from a holder that has ended; gives its
/// `ETag`, and nothing where its holder lives.
fn taken(shelf: &Shelf, words: &Words) -> io::Result<Option<String>> {
    let wanted = bytes(words)?;
    loop {
        if let Put::Done(etag) = shelf.put(LOCK, &wanted, Only::IfAbsent)? {
            return Ok(Some(etag));
        }
        let found = match shelf.get(LOCK) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        if found.bytes == wanted {
            return Ok(Some(found.etag));
        }
        if !is_silent(shelf, &found.etag, &found.bytes)? {
            return Ok(None);
        }
        return match shelf.put(LOCK, &wanted, Only::IfIs(&found.etag))? {
            Put::Done(etag) => Ok(Some(etag)),
            Put::Refused => is_there(shelf, words),
        };
    }
}

/// Whether the object stays as it is for as long as no living holder leaves it.
fn is_silent(shelf: &Shelf, etag: &str, bytes: &[u8]) -> io::Result<bool> {
    let said = serde_json::from_slice::<Words>(bytes);
    let every = said.map_or(UNKNOWN, |words| Duration::from_millis(words.every));
    let until = Instant::now() + every.saturating_mul(SILENCE);
    while Instant::now() < until {
        thread::sleep((every / 4).clamp(Duration::from_millis(50), Duration::from_secs(5)));
        match shelf.get(LOCK) {
            Ok(found) if found.etag == etag => {}
            // It changes, so its holder lives; or it went just now.
            Ok(_) => return Ok(false),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(cause),
        }
    }
    Ok(true)
}

/// The `ETag` of the object, where it says just this.
fn is_there(shelf: &Shelf, words: &Words) -> io::Result<Option<String>> {
    let found = match shelf.get(LOCK) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    Ok((found.bytes == bytes(words)?).then_some(found.etag))
}

fn bytes(words: &Words) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(words)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A name that no other run has.
fn holder() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
