//! Bytes that objects may take which are held whole, by all who hold some.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::source::whole::LARGEST;

/// Bytes that objects may take which several [`Opener`]s hold whole, or which
/// are fetched ahead for them.
///
/// [`Opener`]: crate::source::Opener
#[derive(Clone, Debug)]
pub struct Texts {
    all: usize,
    left: Arc<AtomicUsize>,
}

impl Texts {
    /// Room for so many bytes.
    #[must_use]
    pub fn up_to(bytes: usize) -> Texts {
        Texts {
            all: bytes,
            left: Arc::new(AtomicUsize::new(bytes)),
        }
    }

    /// A part of it, for what is fetched ahead.
    pub(super) fn ahead(&self) -> Taken {
        let mut taken = Taken::none_of(self);
        taken.may_be(self.part_ahead());
        taken
    }

    fn part_ahead(&self) -> usize {
        self.all / 4
    }

    /// Largest object that is fetched in one, in bytes: none takes more than all
    /// that is fetched ahead may.
    pub(super) fn largest_fetched(&self) -> u64 {
        LARGEST.min(self.part_ahead() as u64)
    }

    fn take(&self, bytes: usize) -> bool {
        let without = |left: usize| left.checked_sub(bytes);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.left.fetch_update(set, fetch, without).is_ok()
    }
}

/// What one of them has taken, which it gives back in the end.
#[derive(Debug)]
pub(super) struct Taken {
    texts: Texts,
    bytes: usize,
}

impl Taken {
    /// Nothing yet.
    pub(super) fn none_of(texts: &Texts) -> Taken {
        Taken {
            texts: texts.clone(),
            bytes: 0,
        }
    }

    /// What it is taken of.
    pub(super) fn texts(&self) -> Texts {
        self.texts.clone()
    }

    /// How many bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes what is missing of so many in all, if there is so much.
    pub(super) fn may_be(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let may = self.texts.take(more);
        self.bytes = self.bytes.saturating_add(if may { more } else { 0 });
        may
    }

    /// Gives all back.
    pub(super) fn give_back(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        self.texts.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_comes_back() {
        let texts = Texts::up_to(100);
        let (mut one, mut other) = (Taken::none_of(&texts), Taken::none_of(&texts));
        assert!(one.may_be(60) && one.may_be(40) && !other.may_be(41));
        assert_eq!((one.bytes(), other.bytes()), (60, 0));
        assert_eq!(texts.ahead().bytes(), 25);
        one.give_back();
        assert!(other.may_be(100));
        assert_eq!(texts.ahead().bytes(), 0);
        drop(other);
        assert!(one.may_be(100));
    }
}
