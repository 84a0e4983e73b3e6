//! What cells take in memory, in units of a packed one, of IPv4 addresses. While logs
//! are read all such cells take the same; what comes of them afterwards is little
//! for REJECTs, which are folded, and much for what was let through.

use std::ops::AddAssign;
use std::ops::SubAssign;

use crate::evidence::cell::CellKey;
use crate::model::Action;

/// How much heavier a cell is that a packed one has no room for.
pub(super) const OPEN: usize = 3;

/// What some cells weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// All of them.
    pub all: usize,
    /// Those of ACCEPTs.
    pub accepted: usize,
}

impl Weight {
    /// So much of one verdict.
    #[must_use]
    pub fn of(action: Action, all: usize) -> Weight {
        Weight {
            all,
            accepted: if action == Action::Accept { all } else { 0 },
        }
    }

    /// So much of which the verdict is not known: an ACCEPT's.
    #[must_use]
    pub fn at_most(all: usize) -> Weight {
        Weight::of(Action::Accept, all)
    }

    /// Units where memory is highest: while logs are read, or afterwards, when a
    /// REJECT counts for half a unit and an ACCEPT for two. It grows with either.
    #[must_use]
    pub fn units(self) -> usize {
        let Weight { all, accepted } = self;
        let afterwards = all.saturating_add(accepted.saturating_mul(3)) / 2;
        all.max(afterwards)
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        self.all = self.all.saturating_add(other.all);
        self.accepted = self.accepted.saturating_add(other.accepted);
    }
}

impl SubAssign for Weight {
    fn sub_assign(&mut self, other: Weight) {
        self.all = self.all.saturating_sub(other.all);
        self.accepted = self.accepted.saturating_sub(other.accepted);
    }
}

/// How much heavier a cell of this key is than a packed one. The key alone
/// decides, not how it is kept at the moment.
pub(super) fn of_key(key: &CellKey) -> usize {
    if key.source.is_ipv4() && key.destination.is_ipv4() {
        1
    } else {
        OPEN
    }
}
