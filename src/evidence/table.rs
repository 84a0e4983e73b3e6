//! The table that records are gathered in: packed cells in the order they came,
//! and an index from hash to place. Cells never move, so growing costs only the
//! index, 8 bytes a slot; and a batch of records is looked up in steps, each a
//! run of independent loads, so that the processor waits for many at once.

#![expect(
    clippy::inline_always,
    reason = "one loop over all records, which the compiler would cut into calls"
)]

use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;

use crate::evidence::packed::Packed;
use crate::evidence::packed::PackedKey;
use crate::evidence::weight::Weight;
use crate::model::Action;

/// Records looked up together.
pub(super) const BATCH: usize = 64;

/// Cells allocated together, as a power of two: half a megabyte; in one of many
/// tables 32 kB, so that what one gives back another can use.
const BLOCK: u32 = 13;
const BLOCK_OF_MANY: u32 = 9;

/// Fewest slots of the index, as a power of two.
const SMALLEST: u32 = 10;

/// Most slots that are kept where the cells are taken out, as a power of two: 2 MB.
const KEPT: u32 = 18;

/// Most cells of one table: places have 32 bits, and one says that a slot is
/// free.
const MOST: usize = u32::MAX as usize;

/// A slot without a cell. Not zero: pages of zeros come from the system without
/// memory behind them, and are then given it one by one at the first write
/// after a read, which stops every thread.
const FREE: u64 = u64::MAX;

/// Packed cells by key.
#[derive(Clone, Debug)]
pub(super) struct Table {
    seed: [u64; 2],
    /// Hash above, place below; [`FREE`] where free. A slot is looked for from the
    /// hash's upper bits on. Invariant: `1 << bits` long, at most three quarters used.
    index: Vec<u64>,
    bits: u32,
    /// Cells of a block, as a power of two.
    block: u32,
    /// Invariant: every block but the last is full.
    blocks: Vec<Vec<Packed>>,
    len: usize,
    /// How many of them were let through.
    accepted: usize,
    /// What was put aside for want of width.
    pub(super) aside: Vec<Packed>,
}

impl Default for Table {
    fn default() -> Table {
        Table::with_capacity(0)
    }
}

impl Table {
    /// Room for so many cells before the index grows.
    pub(super) fn with_capacity(cells: usize) -> Table {
        Table::with_bits(cells, (cells.max(1).ilog2() + 2).max(SMALLEST), BLOCK)
    }

    /// One of many, of which most stay small.
    pub(super) fn small() -> Table {
        Table::with_bits(0, 0, BLOCK_OF_MANY)
    }

    fn with_bits(cells: usize, bits: u32, block: u32) -> Table {
        let secret = || RandomState::new().build_hasher().finish();
        Table {
            seed: [secret(), secret()],
            index: vec![FREE; 1 << bits],
            bits,
            block,
            blocks: match cells.min(1 << block) {
                0 => Vec::new(),
                first => vec![Vec::with_capacity(first)],
            },
            len: 0,
            accepted: 0,
            aside: Vec::new(),
        }
    }

    /// Distinct keys.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What the cells weigh together.
    pub(super) fn weight(&self) -> Weight {
        Weight {
            all: self.len,
            accepted: self.accepted,
        }
    }

    /// Adds a cell; whether its key is new.
    pub(super) fn add(&mut self, cell: &Packed) -> bool {
        if self.len >= self.index.len() / 4 * 3 {
            self.grow();
        }
        let before = self.len;
        self.add_hashed(cell, cell.key.hash(self.seed));
        self.len > before
    }

    /// Whether it has a key.
    pub(super) fn has(&self, key: PackedKey) -> bool {
        if self.len == 0 {
            return false;
        }
        let hash = key.hash(self.seed);
        let mut at = self.home(hash);
        loop {
            let slot = self.slot(at);
            if slot == FREE {
                return false;
            }
            if slot >> 32 == u64::from(hash) && self.cell(slot).is_some_and(|own| own.key == key) {
                return true;
            }
            at = at.wrapping_add(1) & (self.index.len().wrapping_sub(1));
        }
    }

    /// The keys, in no order that is known.
    pub(super) fn keys(&self) -> impl Iterator<Item = PackedKey> {
        self.blocks.iter().flatten().map(|cell| cell.key)
    }

    /// Every cell, and what was put aside.
    pub(super) fn into_cells(mut self) -> (Vec<Packed>, Vec<Packed>) {
        if let [_] = self.blocks.as_slice() {
            return (self.blocks.pop().unwrap_or_default(), self.aside);
        }
        let mut cells = Vec::with_capacity(self.len);
        for block in self.blocks {
            cells.extend_from_slice(&block);
        }
        (cells, self.aside)
    }

    /// The cells, block by block, and what was put aside; the index is given back.
    pub(super) fn into_blocks(self) -> (Vec<Vec<Packed>>, Vec<Packed>) {
        (self.blocks, self.aside)
    }

    /// Takes the cells out, block by block, and what was put aside. From then on
    /// blocks are as large as those of many tables: what one gives back another
    /// can use.
    pub(super) fn take(&mut self) -> (Vec<Vec<Packed>>, Vec<Packed>) {
        self.block = BLOCK_OF_MANY;
        (self.len, self.accepted) = (0, 0);
        if self.bits > KEPT {
            self.bits = SMALLEST;
            self.index = vec![FREE; 1 << SMALLEST];
        }
        self.index.fill(FREE);
        (
            std::mem::take(&mut self.blocks),
            std::mem::take(&mut self.aside),
        )
    }

    /// Gives every cell another key and adds up those that come to the same,
    /// where they lie: no cells are asked for, and what is free in the end is given
    /// back.
    pub(super) fn rekey(&mut self, new: impl Fn(PackedKey) -> PackedKey) {
        let all = self.len;
        (self.len, self.accepted) = (0, 0);
        self.index.fill(FREE);
        for at in 0..all {
            // What is written lies before what is read, or is it.
            if let Some(cell) = self.at(at) {
                let cell = cell.with_key(new(cell.key));
                self.add_hashed(&cell, cell.key.hash(self.seed));
            }
        }
        self.blocks.truncate(self.len.div_ceil(1 << self.block));
        let before_last = self.blocks.len().saturating_sub(1) << self.block;
        if let Some(last) = self.blocks.last_mut() {
            last.truncate(self.len.saturating_sub(before_last));
        }
        if let [only] = self.blocks.as_mut_slice() {
            only.shrink_to_fit();
        }
        // Half full at the most, so that it does not grow at once.
        let bits = self.len.max(1).ilog2().saturating_add(2);
        if bits < self.bits {
            self.index_anew(bits);
        }
    }

    fn at(&self, place: usize) -> Option<Packed> {
        let (block, place) = self.place(place as u64)?;
        self.blocks.get(block)?.get(place).copied()
    }

    /// Adds a batch of cells.
    pub(super) fn add_batch(&mut self, batch: &[Packed]) {
        let mut hashes = [0; BATCH];
        for (hash, cell) in hashes.iter_mut().zip(batch) {
            *hash = cell.key.hash(self.seed);
        }
        // The slots and the cells they lead to, fetched side by side.
        let mut slots = [0; BATCH];
        for (slot, hash) in slots.iter_mut().zip(&hashes) {
            *slot = self.slot(self.home(*hash));
        }
        let mut seen = 0;
        for slot in &slots {
            seen |= self.cell(*slot).map_or(0, |cell| cell.key.interface());
        }
        // Keeps the loads: nothing else depends on them yet.
        std::hint::black_box(seen);
        for (cell, hash) in batch.iter().zip(&hashes) {
            self.add_hashed(cell, *hash);
        }
    }

    #[inline(always)]
    fn add_hashed(&mut self, cell: &Packed, hash: u32) {
        let mut at = self.home(hash);
        loop {
            let slot = self.slot(at);
            if slot == FREE {
                self.enter(at, hash, cell);
                return;
            }
            if slot >> 32 == u64::from(hash)
                && let Some((block, place)) = self.place(slot)
                && let Some(own) = self
                    .blocks
                    .get_mut(block)
                    .and_then(|block| block.get_mut(place))
                && own.key == cell.key
            {
                own.merge(cell, &mut self.aside);
                return;
            }
            at = at.wrapping_add(1) & (self.index.len().wrapping_sub(1));
        }
    }

    #[inline(never)]
    fn enter(&mut self, at: usize, hash: u32, cell: &Packed) {
        if self.len >= MOST {
            self.aside.push(*cell);
            return;
        }
        self.put(cell);
        if let Some(slot) = self.index.get_mut(at) {
            *slot = u64::from(hash) << 32 | self.len as u64;
        }
        self.len = self.len.wrapping_add(1);
        let accepted = cell.key.action() == Action::Accept;
        self.accepted = self.accepted.wrapping_add(usize::from(accepted));
        if self.len > self.index.len() / 4 * 3 {
            self.grow();
        }
    }

    /// Puts a cell in the next place.
    fn put(&mut self, cell: &Packed) {
        let room = 1 << self.block;
        // While keys are given anew, the place is another's that was read.
        let used = self.place(self.len as u64).and_then(|(block, place)| {
            let block = self.blocks.get_mut(block)?;
            block.get_mut(place)
        });
        if let Some(used) = used {
            *used = *cell;
            return;
        }
        match self.blocks.last_mut() {
            Some(block) if block.len() < room => block.push(*cell),
            Some(_) | None => {
                // The first grows as it is filled: of many tables most are small.
                let room = if self.blocks.is_empty() { 0 } else { room };
                let mut block = Vec::with_capacity(room);
                block.push(*cell);
                self.blocks.push(block);
            }
        }
    }

    /// Doubles the index.
    #[cold]
    fn grow(&mut self) {
        self.index_anew(self.bits.saturating_add(1));
    }

    /// Gives the index so many slots, as a power of two. Hashes are kept whole, so
    /// no cell is looked at; and as slots are ordered by hash, nearly, one pass
    /// writes nearly in order.
    fn index_anew(&mut self, bits: u32) {
        self.bits = bits;
        let old = std::mem::replace(&mut self.index, vec![FREE; 1 << self.bits]);
        let mask = self.index.len().wrapping_sub(1);
        for slot in old {
            if slot == FREE {
                continue;
            }
            let hash = u32::try_from(slot >> 32).unwrap_or(0);
            let mut at = self.home(hash);
            while self.slot(at) != FREE {
                at = at.wrapping_add(1) & mask;
            }
            if let Some(free) = self.index.get_mut(at) {
                *free = slot;
            }
        }
    }

    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        let spread = u64::from(hash) << 32;
        usize::try_from(spread >> (64_u32.wrapping_sub(self.bits) & 63)).unwrap_or(0)
    }

    #[inline(always)]
    fn slot(&self, at: usize) -> u64 {
        self.index.get(at).copied().unwrap_or(FREE)
    }

    #[inline(always)]
    fn cell(&self, slot: u64) -> Option<&Packed> {
        let (block, place) = self.place(slot)?;
        self.blocks.get(block)?.get(place)
    }

    /// Block and place in it that a slot leads to.
    #[inline(always)]
    fn place(&self, slot: u64) -> Option<(usize, usize)> {
        let place = usize::try_from(slot & u64::from(u32::MAX)).ok()?;
        let within = (1_usize << self.block).wrapping_sub(1);
        Some((place >> self.block, place & within))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;
    use std::net::Ipv4Addr;

    use proptest::prelude::any;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;
    use crate::evidence::activity::Activity;
    use crate::evidence::cell::Cell;
    use crate::evidence::cell::CellKey;
    use crate::evidence::cell::Side;
    use crate::evidence::ports::PortSample;
    use crate::model::TcpFlags;
    use crate::net::IpProtocol;
    use crate::net::Timestamp;

    fn cell(number: u32) -> Packed {
        let key = CellKey {
            source: IpAddr::V4(Ipv4Addr::from_bits(number)),
            destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
            era: 0,
            port: 443,
            side: Side::Destination,
            protocol: IpProtocol(6),
            direction: None,
            action: Action::Accept,
        };
        let cell = Cell {
            records: 1,
            packets: 1,
            bytes: u64::from(number),
            first: Timestamp(i64::from(number)),
            last: Timestamp(i64::from(number) + 9),
            active: Activity::AT_FIRST,
            requests: 1,
            answers: 0,
            plain: 0,
            flags: TcpFlags(2),
            other_ports: PortSample::single(50_000),
            block_public_access: 0,
        };
        Packed::pack(0, &key, &cell).unwrap()
    }

    fn coarse(key: PackedKey, bits: u32) -> PackedKey {
        let source = key.source().to_bits() >> bits << bits;
        key.with_ends(source, key.destination().to_bits(), key.port())
    }

    /// All that was put in, whatever was put aside.
    fn sums(table: Table) -> BTreeMap<PackedKey, Cell> {
        let (cells, aside) = table.into_cells();
        let mut sums: BTreeMap<PackedKey, Cell> = BTreeMap::new();
        for cell in cells.iter().chain(&aside) {
            let own = sums
                .entry(cell.key)
                .and_modify(|own| own.merge(&cell.open()));
            own.or_insert(cell.open());
        }
        sums
    }

    proptest! {
        #[test]
        fn coarse_keys_where_cells_lie_are_those_of_a_new_table(
            // Below and above what a block holds.
            cells in 0_u32..1_800,
            bits in 0_u32..12,
            stride in 1_u32..5,
            small in any::<bool>(),
        ) {
            let new = || if small { Table::small() } else { Table::default() };
            let (mut table, mut anew) = (new(), new());
            for number in 0..cells {
                let cell = cell(number * stride);
                table.add(&cell);
                anew.add(&cell.with_key(coarse(cell.key, bits)));
            }
            table.rekey(|key| coarse(key, bits));
            prop_assert_eq!(table.len(), anew.len());
            prop_assert_eq!(table.weight(), anew.weight());
            // Nor does it take more room.
            prop_assert!(table.bits <= anew.bits.max(SMALLEST) + 1);
            // It goes on as if nothing had been.
            for number in 0..cells {
                let cell = cell(number);
                table.add(&cell);
                anew.add(&cell);
            }
            prop_assert!(table.keys().all(|key| table.has(key)));
            prop_assert_eq!(sums(table), sums(anew));
        }
    }

    #[test]
    fn a_table_that_was_emptied_is_as_new() {
        let mut table = Table::default();
        for number in 0..300_000 {
            table.add(&cell(number));
        }
        let (blocks, aside) = table.take();
        assert_eq!(blocks.iter().map(Vec::len).sum::<usize>(), 300_000);
        assert!(aside.is_empty());
        assert_eq!(table.weight(), Weight::default());
        assert!(!table.has(cell(7).key));
        for number in 0..2_000 {
            table.add(&cell(number));
        }
        assert_eq!(table.into_cells().0.len(), 2_000);
    }
}
