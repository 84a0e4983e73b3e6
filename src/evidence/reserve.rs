//! What workers share where evidence outgrows its bound: once their tables
//! together weigh more than there is room for, they hand them over to one
//! [`Store`], again and again. They wait for each other at one interface at a time.
//!
//! Whether it comes to that depends on the workers; what becomes coarse does
//! not: tables that hold no more than the bound together need none of it.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::evidence::cuts::Cuts;
use crate::evidence::pool::Bound;
use crate::evidence::pool::Coarse;
use crate::evidence::pool::Place;
use crate::evidence::pool::Store;
use crate::evidence::weight::Weight;
use crate::model::EniId;

/// The least that a worker hands over, in units of weight.
const LEAST: usize = 65_536;

/// What a worker keeps to itself, of its part of the bound.
fn share(part: usize) -> usize {
    (part / 8).max(LEAST.min(part / 2)).max(1)
}

/// Tells what the cells of an interface are cut by, once they are too many.
pub type Cutting<'e> = dyn Fn(EniId) -> Arc<Cuts> + Sync + 'e;

/// The store of all workers, and when it is needed.
pub struct Reserve<'e> {
    bound: Bound,
    cutting: &'e Cutting<'e>,
    /// What all cells weigh, about.
    held: Mutex<Held>,
    /// Whether that was ever too much.
    tight: AtomicBool,
    /// Units that a worker keeps to itself then.
    share: usize,
    /// Whether not even the coarsest fits.
    full: AtomicBool,
    store: Mutex<Store>,
}

#[derive(Default)]
struct Held {
    /// In the workers' tables.
    loose: Weight,
    /// In the store, as far as the bound asks for it.
    stored: Weight,
}

impl fmt::Debug for Reserve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve")
            .field("bound", &self.bound)
            .finish_non_exhaustive()
    }
}

impl<'e> Reserve<'e> {
    /// Nothing yet, for so many workers.
    #[must_use]
    pub fn new(bound: Bound, workers: usize, cutting: &'e Cutting<'e>) -> Reserve<'e> {
        Reserve {
            bound,
            cutting,
            held: Mutex::default(),
            tight: AtomicBool::new(false),
            share: share(bound.units / workers.max(1)),
            full: AtomicBool::new(false),
            store: Mutex::default(),
        }
    }

    /// Notes what a worker's cells weigh now, of which it `noted` some before;
    /// whether it is to hand them over.
    #[must_use]
    pub fn is_due(&self, noted: &mut Weight, now: Weight) -> bool {
        let mut held = self.held();
        held.loose -= *noted;
        held.loose += now;
        *noted = now;
        let mut all = held.loose;
        all += held.stored;
        let is_tight = all.units() > self.bound.units;
        if is_tight {
            self.tight.store(true, Ordering::Relaxed);
        }
        is_tight && now.units() > self.share
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there ever was too little room.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.tight.load(Ordering::Relaxed)
    }

    /// Whether workers have to hand over what they have in the end, which weighs
    /// so much together.
    #[must_use]
    pub fn is_tight_with(&self, left: Weight) -> bool {
        self.is_tight() || left.units() > self.bound.units
    }

    /// Where the cells of interfaces go, in their order.
    #[must_use]
    pub fn places(&self, ids: impl Iterator<Item = EniId>) -> Vec<Place> {
        let mut store = self.store();
        ids.map(|id| store.place(id, || (self.cutting)(id)))
            .collect()
    }

    /// Whether the bound is asked for and not even the coarsest cells keep it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Makes coarse what is too much, once a worker has handed over cells of which
    /// it had told so much weight; how coarse all are now. Workers that do so at a
    /// time share the work.
    pub fn settle(&self, told: Weight) -> Coarse {
        self.held().loose -= told;
        // What is made coarse may ask for a smaller cap: at the last level.
        loop {
            let (cap, places) = self.store().cap(self.bound);
            let lowered = places
                .iter()
                .fold(false, |any, place| place.lower(self.bound, cap) | any);
            if !lowered {
                break;
            }
        }
        let store = self.store();
        let cost = store.cost(self.bound);
        self.held().stored = cost;
        if self.bound.inside && cost.units() > self.bound.units.saturating_mul(2) {
            self.full.store(true, Ordering::Relaxed);
        }
        store.coarse()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was handed over, and how coarse it is.
    #[must_use]
    pub fn finish(self) -> (Store, Option<Coarse>) {
        let store = self.store.into_inner();
        let store = store.unwrap_or_else(PoisonError::into_inner);
        let coarse = store.coarse();
        let coarse = (!coarse.is_empty()).then_some(coarse);
        (store, coarse)
    }
}
