//! Where cells go that do not fit in memory as they are. Cells of one class
//! ([`Class`]) of one interface have one level: the finest at which they weigh no
//! more than the *cap*. The cap is the largest of a fixed series with
//! which all classes together stay within the bound, where one that was made
//! coarse counts as much as the cap, or as much as it has at the last level. So
//! the largest are made coarse first, and those that were small stay as they are.
//!
//! Both are functions of the set of keys that were recorded: what the distinct
//! keys of a level weigh grows with the set, and so does what all cost at a
//! cap. A part of the records never asks for a coarser level than all of them
//! do, so workers may make theirs coarse at any time, and any order and
//! grouping comes to the same.

use std::collections::BTreeSet;
use std::iter::successors;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use ipnet::IpNet;

use crate::collections::HashMap;
use crate::collections::HashSet;
use crate::evidence::cell::Cell;
use crate::evidence::cell::CellKey;
use crate::evidence::coverage::HoursHeard;
use crate::evidence::cuts::Class;
use crate::evidence::cuts::Cuts;
use crate::evidence::cuts::Level;
use crate::evidence::packed::Packed;
use crate::evidence::packed::PackedKey;
use crate::evidence::table::Table;
use crate::evidence::weight;
use crate::evidence::weight::Weight;
use crate::model::EniId;
use crate::net::PortRange;
use crate::net::cidr::is_host;

/// The largest cap: more than any bound allows.
const LARGEST: usize = 1 << 40;

/// The smallest: below it, coarser cells would spare nothing to speak of.
const SMALLEST: usize = 16;

/// What cells may weigh, and which of them can be made coarse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The most, in units of a packed cell.
    pub units: usize,
    /// Whether what was let through between kept addresses counts and can be
    /// made coarse as well.
    pub inside: bool,
}

impl Bound {
    fn asks(&self, class: Class) -> bool {
        self.inside || class != Class::AcceptedInside
    }
}

/// The levels of an interface's classes, by their number.
pub type Levels = [Level; Class::ALL.len()];

/// How coarse the cells of interfaces are; those that are not in it are exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coarse {
    by_id: HashMap<EniId, Grain>,
}

impl Coarse {
    /// The same for one interface; `None` where all of its cells are exact.
    #[must_use]
    pub fn of(&self, id: EniId) -> Option<&Grain> {
        self.by_id.get(&id)
    }

    /// Whether all cells are exact.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Interfaces of which some class is coarse, by id.
    #[must_use]
    pub fn by_id(&self) -> Vec<(EniId, &Grain)> {
        let mut all: Vec<_> = self.by_id.iter().map(|(id, grain)| (*id, grain)).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    /// The addresses that stand for one among others, at any interface; it may be
    /// such an address itself.
    #[must_use]
    pub fn standing_for(&self, address: IpAddr) -> BTreeSet<IpAddr> {
        // In hash order, which is lawful: it is a set.
        let all = self.by_id.values().flat_map(|grain| {
            let levels = grain.levels.iter();
            levels.map(|level| grain.cuts.peers(address, *level))
        });
        all.filter(|net| !is_host(*net))
            .map(|net| net.addr())
            .collect()
    }
}

/// How coarse the cells of one interface are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grain {
    /// Where addresses and ports are told apart.
    pub cuts: Arc<Cuts>,
    /// The levels of its classes.
    pub levels: Levels,
}

impl Grain {
    /// The level of a cell; [`Level::EXACT`] where it stands for itself alone.
    #[must_use]
    pub fn level(&self, key: &CellKey) -> Level {
        let class = self.cuts.class(key).number();
        let level = self.levels.get(class).copied().unwrap_or_default();
        if self.cuts.is_exact(key, level) {
            Level::EXACT
        } else {
            level
        }
    }

    /// The addresses that one of a cell stands for.
    #[must_use]
    pub fn peers(&self, address: IpAddr, key: &CellKey) -> IpNet {
        self.cuts.peers(address, self.level(key))
    }

    /// The addresses and ports that those of a cell of this level stand for;
    /// `None` where it stands for itself alone.
    #[must_use]
    pub fn breadth(&self, peer: IpAddr, port: u16, level: Level) -> Option<Breadth> {
        (level != Level::EXACT).then(|| Breadth {
            peers: self.cuts.peers(peer, level),
            ports: self.cuts.service(port, level),
        })
    }
}

/// What a coarse cell stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Breadth {
    /// The far side's addresses: some of them were seen, and rules tell none
    /// from another.
    pub peers: IpNet,
    /// The ports, likewise; means nothing for protocols without.
    pub ports: PortRange,
}

/// Cells of one class of one interface.
#[derive(Clone, Debug)]
struct Pool {
    level: Level,
    table: Table,
    /// Those that a packed cell has no room for.
    open: HashMap<CellKey, Cell>,
    /// Sum of what the keys weigh, each once.
    weight: usize,
}

impl Default for Pool {
    fn default() -> Pool {
        Pool {
            level: Level::EXACT,
            table: Table::small(),
            open: HashMap::default(),
            weight: 0,
        }
    }
}

impl Pool {
    fn add(&mut self, cell: &Packed, cuts: &Cuts) {
        if self.level == Level::EXACT {
            return self.add_as_is(cell);
        }
        let (_, key) = cuts.coarse_packed(cell.key(), [self.level; Class::ALL.len()]);
        self.add_as_is(&cell.with_key(key));
    }

    /// Adds a cell that is as coarse as the pool.
    fn add_as_is(&mut self, cell: &Packed) {
        if self.table.add(cell) {
            let is_known = !self.open.is_empty() && self.open.contains_key(&cell.key().open());
            self.weight += usize::from(!is_known);
        }
        if !self.table.aside.is_empty() {
            for cell in std::mem::take(&mut self.table.aside) {
                self.add_open(cell.key().open(), &cell.open());
            }
        }
    }

    fn add_any(&mut self, key: &CellKey, cell: &Cell, cuts: &Cuts) {
        if let Some(packed) = Packed::pack(0, key, cell) {
            return self.add(&packed, cuts);
        }
        self.add_open(cuts.coarse(key, self.level), cell);
    }

    fn add_open(&mut self, key: CellKey, cell: &Cell) {
        if let Some(own) = self.open.get_mut(&key) {
            return own.merge(cell);
        }
        let packed = PackedKey::pack(0, &key);
        if !packed.is_some_and(|packed| self.table.has(packed)) {
            self.weight += weight::of_key(&key);
        }
        self.open.insert(key, *cell);
    }

    /// Goes to the finest level at which the cells weigh no more than a cap, or to
    /// the last; whether it was not there.
    fn lower(&mut self, cap: usize, cuts: &Cuts) -> bool {
        if self.weight <= cap {
            return false;
        }
        let coarser: Vec<Level> = successors(self.level.next(), |level| level.next()).collect();
        let fits = coarser.partition_point(|level| !self.fits(*level, cap, cuts));
        let Some(level) = coarser.get(fits).or(coarser.last()) else {
            return false;
        };
        self.go_to(*level, cuts);
        true
    }

    /// Whether the distinct keys weigh no more at a level.
    fn fits(&self, level: Level, cap: usize, cuts: &Cuts) -> bool {
        let levels = [level; Class::ALL.len()];
        let mut packed: HashSet<PackedKey> = HashSet::default();
        for key in self.table.keys() {
            packed.insert(cuts.coarse_packed(key, levels).1);
            if packed.len() > cap {
                return false;
            }
        }
        let mut weight = packed.len();
        let mut open: HashSet<CellKey> = HashSet::default();
        // In hash order, which is lawful: it is a set.
        for key in self.open.keys() {
            let key = cuts.coarse(key, level);
            let known = PackedKey::pack(0, &key).is_some_and(|key| packed.contains(&key));
            if !known && open.insert(key) {
                weight += weight::of_key(&key);
            }
            if weight > cap {
                return false;
            }
        }
        true
    }

    fn go_to(&mut self, level: Level, cuts: &Cuts) {
        self.level = level;
        let levels = [level; Class::ALL.len()];
        self.table.rekey(|key| cuts.coarse_packed(key, levels).1);
        self.weight = self.table.len();
        let open = std::mem::take(&mut self.open);
        for cell in std::mem::take(&mut self.table.aside) {
            self.add_open(cell.key().open(), &cell.open());
        }
        // In hash order, which is lawful: adding up is commutative.
        for (key, cell) in open {
            self.add_any(&key, &cell, cuts);
        }
    }

    /// Its cells as runs and single ones, of which some may have the same key.
    fn into_cells(self) -> (Vec<Packed>, Vec<(CellKey, Cell)>) {
        let (packed, aside) = self.table.into_cells();
        let aside = aside.iter().map(|cell| (cell.key().open(), cell.open()));
        // In hash order, which is lawful: they are added up.
        (packed, self.open.into_iter().chain(aside).collect())
    }
}

/// The pools of one interface.
#[derive(Clone, Debug)]
pub struct Pools {
    cuts: Arc<Cuts>,
    /// By the number of their class.
    by_class: [Pool; Class::ALL.len()],
    /// When the interface was heard of.
    heard: HoursHeard,
}

impl Pools {
    /// Nothing yet.
    fn new(cuts: Arc<Cuts>) -> Pools {
        Pools {
            cuts,
            by_class: Default::default(),
            heard: HoursHeard::default(),
        }
    }

    fn grain(&self) -> Grain {
        Grain {
            cuts: Arc::clone(&self.cuts),
            levels: self.by_class.each_ref().map(|pool| pool.level),
        }
    }

    /// Adds a cell under any number of the interface.
    pub(super) fn add_packed(&mut self, cell: &Packed) {
        let levels = self.by_class.each_ref().map(|pool| pool.level);
        let (class, key) = self.cuts.coarse_packed(cell.key(), levels);
        if let Some(pool) = self.by_class.get_mut(class.number()) {
            pool.add_as_is(&cell.with_key(key).under(0));
        }
    }

    /// Adds any cell.
    pub(super) fn add(&mut self, key: &CellKey, cell: &Cell) {
        let class = self.cuts.class(key);
        if let Some(pool) = self.by_class.get_mut(class.number()) {
            pool.add_any(key, cell, &self.cuts);
        }
    }

    /// Adds hours of records.
    pub(super) fn hear(&mut self, heard: &HoursHeard) {
        self.heard.merge(heard);
    }

    /// Makes classes as coarse as a cap asks for; whether any was not.
    fn lower(&mut self, bound: Bound, cap: usize) -> bool {
        let mut lowered = false;
        for (pool, class) in self.by_class.iter_mut().zip(Class::ALL) {
            lowered |= bound.asks(class) && pool.lower(cap, &self.cuts);
        }
        lowered
    }

    /// What the cells that a cap leaves weigh at the most.
    fn cost(&self, bound: Bound, cap: usize) -> Weight {
        let cost = |pool: &Pool| match pool.level {
            Level::EXACT => pool.weight.min(cap),
            level if level.next().is_none() => pool.weight.max(cap),
            _ => cap,
        };
        let all = self.by_class.iter().zip(Class::ALL);
        let mut sum = Weight::default();
        for (pool, class) in all.filter(|(_, class)| bound.asks(*class)) {
            sum += Weight::of(class.action(), cost(pool));
        }
        sum
    }

    fn is_empty(&self) -> bool {
        self.by_class.iter().all(|pool| pool.weight == 0) && self.heard.is_empty()
    }

    fn into_apart(self) -> Apart {
        let mut all = Apart {
            heard: self.heard,
            ..Apart::default()
        };
        for pool in self.by_class {
            // Classes have no key in common.
            let (packed, open) = pool.into_cells();
            if all.packed.is_empty() {
                all.packed = packed;
            } else {
                all.packed.extend_from_slice(&packed);
            }
            all.open.extend(open);
        }
        all
    }
}

/// Where the cells of an interface go, to be shared by workers.
#[derive(Clone, Debug)]
pub struct Place(Arc<Mutex<Pools>>);

impl Place {
    /// Works with the pools while no other worker does.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Pools) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes classes as coarse as a cap asks for; whether any was not.
    pub(super) fn lower(&self, bound: Bound, cap: usize) -> bool {
        self.with(|pools| pools.lower(bound, cap))
    }
}

/// The cells of all interfaces in pools.
#[derive(Debug)]
pub struct Store {
    cap: usize,
    by_id: HashMap<EniId, Place>,
}

impl Default for Store {
    fn default() -> Store {
        Store {
            cap: LARGEST,
            by_id: HashMap::default(),
        }
    }
}

impl Store {
    /// Where the cells of an interface go, which are cut by these.
    pub fn place(&mut self, id: EniId, cuts: impl FnOnce() -> Arc<Cuts>) -> Place {
        let new = || Place(Arc::new(Mutex::new(Pools::new(cuts()))));
        self.by_id.entry(id).or_insert_with(new).clone()
    }

    /// The cap that the bound asks for as long as nothing more is made coarse, and
    /// all places. What workers add meanwhile counts now or the next time.
    pub fn cap(&mut self, bound: Bound) -> (usize, Vec<Place>) {
        while self.cost(bound).units() > bound.units && self.cap > SMALLEST {
            // Each is two thirds or three quarters of the one before.
            self.cap = if self.cap.is_power_of_two() {
                self.cap / 4 * 3
            } else {
                self.cap / 3 * 2
            };
        }
        (self.cap, self.by_id.values().cloned().collect())
    }

    /// What the cells that the cap leaves weigh at the most. It grows with what was
    /// recorded.
    pub(super) fn cost(&self, bound: Bound) -> Weight {
        let mut sum = Weight::default();
        // In hash order, which is lawful: it is a sum.
        for place in self.by_id.values() {
            sum += place.with(|pools| pools.cost(bound, self.cap));
        }
        sum
    }

    /// How coarse the interfaces are of which some class is.
    #[must_use]
    pub fn coarse(&self) -> Coarse {
        let grain = |(id, place): (&EniId, &Place)| {
            let grain = place.with(|pools| pools.grain());
            (grain.levels != Levels::default()).then_some((*id, grain))
        };
        Coarse {
            by_id: self.by_id.iter().filter_map(grain).collect(),
        }
    }

    /// What was handed over, by interface.
    #[must_use]
    pub fn into_apart(self) -> HashMap<EniId, Apart> {
        // In hash order, which is lawful: it is a map again.
        let apart = |(id, place): (EniId, Place)| {
            let empty = |pools: &mut Pools| {
                let cuts = Arc::clone(&pools.cuts);
                std::mem::replace(pools, Pools::new(cuts))
            };
            let pools = place.with(empty);
            (!pools.is_empty()).then(|| (id, pools.into_apart()))
        };
        self.by_id.into_iter().filter_map(apart).collect()
    }
}

/// What was handed over of an interface.
#[derive(Clone, Debug, Default)]
pub struct Apart {
    /// Packed cells, each key once.
    pub(super) packed: Vec<Packed>,
    /// Others.
    pub(super) open: Vec<(CellKey, Cell)>,
    /// When it was heard of.
    pub(super) heard: HoursHeard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_block_stands_for_all_of_it_and_itself() {
        let of_text = |text: &str| -> IpAddr { text.parse().unwrap() };
        let kept: IpNet = "10.0.0.0/8".parse().unwrap();
        let nothing = std::iter::empty;
        let cuts = Cuts::new(nothing(), [kept].into_iter(), std::iter::empty());
        let mut levels = Levels::default();
        levels[0] = Level::EXACT.next().unwrap();
        let grain = Grain {
            cuts: Arc::new(cuts),
            levels,
        };
        let id = EniId::parse("eni-1").unwrap();
        let coarse = Coarse {
            by_id: [(id, grain)].into_iter().collect(),
        };
        for own in ["192.0.2.7", "192.0.2.0"] {
            let standing = coarse.standing_for(of_text(own));
            assert_eq!(standing, BTreeSet::from([of_text("192.0.2.0")]), "{own}");
        }
        assert!(coarse.standing_for(of_text("10.0.0.0")).is_empty());
    }
}
