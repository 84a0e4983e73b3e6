//! Bodies that are asked for before they are needed, in the order in which they
//! will be. What is on the way or waits to be used is bounded in bytes; room is
//! given in order, so that an earlier object never waits for a later one.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::cloud::patience::Fault;
use crate::source::s3::fetch::Body;
use crate::source::s3::fetch::Remote;

/// Bytes of a permit.
const KIB: usize = 1024;

/// Fetching that goes on until this is dropped.
#[derive(Debug)]
pub(in crate::source) struct Ahead {
    task: AbortHandle,
    remotes: Vec<Remote>,
}

impl Drop for Ahead {
    /// What came and was never taken gives its room back.
    fn drop(&mut self) {
        self.task.abort();
        for remote in &self.remotes {
            drop(remote.lock().take());
        }
    }
}

/// Starts to fetch the objects in this order, into so many bytes of room.
pub(in crate::source) fn start(remotes: Vec<Remote>, room: usize) -> Option<Ahead> {
    let lake = Arc::clone(&remotes.first()?.bucket().lake);
    let queue: Vec<Promise> = remotes.iter().cloned().map(promise).collect();
    let handle = lake.session.handle()?.clone();
    let spawner = handle.clone();
    let most = u32::try_from(room.div_ceil(KIB)).unwrap_or(u32::MAX).max(1);
    let all_room = Arc::new(Semaphore::new(usize::try_from(most).unwrap_or(1)));
    let all_slots = Arc::clone(&lake.slots);
    let task = handle.spawn(async move {
        for (remote, sender) in queue {
            let room = Arc::clone(&all_room)
                .acquire_many_owned(room_of(&remote, most))
                .await;
            let slot = Arc::clone(&all_slots).acquire_owned().await;
            let (Ok(room), Ok(slot)) = (room, slot) else {
                return;
            };
            spawner.spawn(async move {
                let body = remote.fetch().await;
                drop(slot);
                let body = body.map(|body| body.within(room));
                // Whoever wanted it may be gone.
                drop(sender.send(body));
            });
        }
    });
    Some(Ahead {
        task: task.abort_handle(),
        remotes,
    })
}

/// An object, and where its body is awaited.
type Promise = (Remote, oneshot::Sender<Result<Body, Fault>>);

fn promise(remote: Remote) -> Promise {
    let (sender, receiver) = oneshot::channel();
    *remote.lock() = Some(receiver);
    (remote, sender)
}

/// Room for one object in kibibytes; one that is larger than all room gets all.
fn room_of(remote: &Remote, most: u32) -> u32 {
    let kib = u32::try_from(remote.size().div_ceil(KIB as u64)).unwrap_or(u32::MAX);
    kib.clamp(1, most)
}
