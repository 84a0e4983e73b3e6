//! Objects that are far away are asked for before they are needed.

use crate::source::local::Object;
use crate::source::s3;
use crate::source::s3::Remote;
use crate::source::texts::Taken;
use crate::source::texts::Texts;

/// Fetching ahead, which goes on until this is dropped.
#[derive(Debug)]
pub struct Ahead {
    #[expect(dead_code, reason = "held for what its end does")]
    fetching: Option<(s3::Ahead, Taken)>,
}

impl Ahead {
    /// Starts to fetch what lies in S3, in the order in which the objects will
    /// be opened. Each is to be opened, in about this order: what is never
    /// opened holds up what comes after it. What was fetched and is not used yet
    /// takes of `texts`.
    #[must_use]
    pub fn start<'a>(objects: impl Iterator<Item = &'a Object>, texts: &Texts) -> Ahead {
        // Larger ones come in parts, when their turn is.
        let largest = texts.largest_fetched();
        let whole = |remote: &&Remote| remote.size() <= largest;
        let remotes = objects.filter_map(Object::remote).filter(whole).cloned();
        let remotes: Vec<Remote> = remotes.collect();
        let room = (!remotes.is_empty()).then(|| texts.ahead());
        let fetching = room.and_then(|room| Some((s3::ahead(remotes, room.bytes())?, room)));
        Ahead { fetching }
    }
}
