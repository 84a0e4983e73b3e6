//! The cells of one interface: packed where they fit, open where they do not.
//! Which cell is kept how never shows.

use crate::collections::HashMap;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::era::Eras;
use crate::evidence::packed::Packed;
use crate::evidence::table::BATCH;
use crate::evidence::table::Table;

/// Cells by key.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// Invariant: no key twice, and none that `open` has.
    packed: Vec<Packed>,
    open: HashMap<CellKey, Cell>,
}

impl PartialEq for Cells {
    /// What they say decides, not how it is kept.
    fn eq(&self, other: &Cells) -> bool {
        self.len() == other.len() && self.sorted() == other.sorted()
    }
}

impl Eq for Cells {}

impl Cells {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.packed.len().saturating_add(self.open.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells that are kept packed, in no order.
    #[must_use]
    pub fn packed(&self) -> &[Packed] {
        &self.packed
    }

    /// The cells that are not, in no order.
    pub fn unpacked(&self) -> impl Iterator<Item = (&CellKey, &Cell)> {
        self.open.iter()
    }

    /// Every cell, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (CellKey, Cell)> {
        let packed = self
            .packed
            .iter()
            .map(|cell| (cell.key.open(), cell.open()));
        packed.chain(self.open.iter().map(|(key, cell)| (*key, *cell)))
    }

    /// Every cell, by key.
    #[must_use]
    pub fn sorted(&self) -> Vec<(CellKey, Cell)> {
        let mut cells: Vec<(CellKey, Cell)> = self.iter().collect();
        cells.sort_unstable_by_key(|(key, _)| *key);
        cells
    }

    /// Adds a cell.
    pub fn add(&mut self, key: CellKey, cell: &Cell) {
        self.unpack();
        self.add_open(key, cell);
    }

    /// Adds what another worker saw.
    pub fn merge(&mut self, other: Cells) {
        if self.is_empty() {
            *self = other;
            return;
        }
        self.unpack();
        // In hash order, which is lawful: merging is commutative.
        for (key, cell) in other.iter() {
            self.add_open(key, &cell);
        }
    }

    /// Adds packed cells of this interface, given in runs without a key twice
    /// in one run.
    pub(super) fn add_packed(&mut self, runs: Vec<Vec<Packed>>) {
        let (packed, aside) = joined(runs);
        self.unpack();
        self.take_in(packed, &aside);
    }

    /// Adds cells: packed ones, each key once, and others.
    /// There was none before.
    pub(super) fn put(&mut self, packed: Vec<Packed>, open: Vec<(CellKey, Cell)>) {
        self.unpack();
        for (key, cell) in open {
            self.add_open(key, &cell);
        }
        self.take_in(packed, &[]);
    }

    /// Gives every cell its era in place of the stretch that it was gathered
    /// in; cells that come to one key are added up.
    pub(super) fn settle(&mut self, eras: &Eras) {
        let Cells { packed, open } = std::mem::take(self);
        // In hash order, which is lawful: adding up is commutative.
        for (mut key, cell) in open {
            key.era = eras.settle(key.era, cell.first, cell.last);
            self.add_open(key, &cell);
        }
        let meet = |cell: &&Packed| !eras.is_settled(cell.key.era());
        if packed.iter().any(|cell| meet(&cell)) {
            let settled: Vec<Packed> = packed.iter().map(|cell| cell.settled(eras)).collect();
            let (packed, aside) = added_up(vec![settled]);
            self.take_in(packed, &aside);
        } else {
            // Every stretch is an era of its own: no two keys become one.
            let settled = packed.iter().map(|cell| cell.settled(eras)).collect();
            self.take_in(settled, &[]);
        }
    }

    /// Takes packed cells without a key twice, and what they had no room for,
    /// into open ones.
    fn take_in(&mut self, mut packed: Vec<Packed>, aside: &[Packed]) {
        for cell in aside {
            self.add_open(cell.key.open(), &cell.open());
        }
        if !self.open.is_empty() {
            let open = &mut self.open;
            packed.retain(|cell| match open.get_mut(&cell.key.open()) {
                Some(own) => {
                    own.merge(&cell.open());
                    false
                }
                None => true,
            });
        }
        self.packed = packed;
    }

    fn add_open(&mut self, key: CellKey, cell: &Cell) {
        self.open
            .entry(key)
            .and_modify(|own| own.merge(cell))
            .or_insert(*cell);
    }

    /// Opens every packed cell, so that any key may be added to.
    fn unpack(&mut self) {
        for cell in std::mem::take(&mut self.packed) {
            self.add_open(cell.key.open(), &cell.open());
        }
    }
}

/// The cells of all runs with each key once, and what no counter had room for.
fn joined(mut runs: Vec<Vec<Packed>>) -> (Vec<Packed>, Vec<Packed>) {
    runs.retain(|run| !run.is_empty());
    if runs.len() < 2 {
        return (runs.pop().unwrap_or_default(), Vec::new());
    }
    added_up(runs)
}

fn added_up(runs: Vec<Vec<Packed>>) -> (Vec<Packed>, Vec<Packed>) {
    let mut table = Table::with_capacity(runs.iter().map(Vec::len).sum());
    // Each run is given back before the next is read.
    for run in runs {
        run.chunks(BATCH).for_each(|batch| table.add_batch(batch));
    }
    table.into_cells()
}
