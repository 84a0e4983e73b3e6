//! Row groups that wait for a worker: whoever opens a file of several puts them
//! here, so that one large file keeps all workers busy. Workers without an
//! object left wait for those that still read one, since it may bring more.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::flowlog::parquet::ParquetFile;
use crate::source::Object;

/// One row group to read.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) object: &'a Object,
    pub(super) file: Arc<ParquetFile>,
    pub(super) number: usize,
}

/// Row groups that nobody reads yet.
#[derive(Debug, Default)]
pub(super) struct Groups<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State<'a> {
    waiting: VecDeque<Group<'a>>,
    /// Workers that read an object, which may bring more.
    readers: usize,
    /// Workers that wait: to wake nobody is a call to the system all the same.
    sleepers: usize,
}

/// A worker reads an object as long as it keeps this.
#[derive(Debug)]
pub(super) struct Busy<'g, 'a>(&'g Groups<'a>);

impl<'a> Groups<'a> {
    /// Says that an object is being read.
    pub(super) fn begin(&self) -> Busy<'_, 'a> {
        self.lock().readers += 1;
        Busy(self)
    }

    /// Puts the row groups of a file up.
    pub(super) fn put(&self, object: &'a Object, file: &Arc<ParquetFile>) {
        let groups = (0..file.groups()).map(|number| Group {
            object,
            file: Arc::clone(file),
            number,
        });
        self.lock().waiting.extend(groups);
        self.changed.notify_all();
    }

    /// The next row group that is there now.
    pub(super) fn take(&self) -> Option<Group<'a>> {
        self.lock().waiting.pop_front()
    }

    /// The next row group; waits while one may come.
    pub(super) fn wait(&self) -> Option<Group<'a>> {
        let coming = |state: &mut State<'_>| state.waiting.is_empty() && state.readers > 0;
        let mut state = self.lock();
        state.sleepers += 1;
        let state = self.changed.wait_while(state, coming);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.sleepers -= 1;
        state.waiting.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.readers -= 1;
        if state.readers == 0 && state.sleepers > 0 {
            self.0.changed.notify_all();
        }
    }
}
