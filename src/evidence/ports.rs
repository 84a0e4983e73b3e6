//! A small memory of ports: exact while few, a range when many.
//!
//! A conversation's client ports do not matter one by one, but while a
//! connection's direction is open they are what the other reading would have
//! as its service. The state is a function of the set of ports alone, so it
//! merges in any order.

use crate::net::PortRange;

/// How many ports are kept one by one.
pub const EXACT: usize = 4;

/// A set of ports: exact up to [`EXACT`] of them, else the range they span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSample {
    /// Invariant: `len` ports ascending and distinct, then zeros; when `len`
    /// is above [`EXACT`], the lowest and the highest port, then zeros.
    ports: [u16; EXACT],
    len: u8,
}

/// `len` of a sample that has become a range.
const SPAN: u8 = 5;

impl PortSample {
    /// The sample of one port.
    #[must_use]
    pub fn single(port: u16) -> PortSample {
        PortSample {
            ports: [port, 0, 0, 0],
            len: 1,
        }
    }

    /// The sample that [`PortSample::state`] gave; `None` for what it never
    /// gives.
    #[must_use]
    pub fn from_state(ports: [u16; EXACT], len: u8) -> Option<PortSample> {
        let (used, rest) = match len {
            SPAN => ports.split_at(2),
            0..SPAN => ports.split_at(usize::from(len)),
            _ => return None,
        };
        let ascending = used.is_sorted_by(|a, b| a < b);
        (ascending && rest.iter().all(|port| *port == 0)).then_some(PortSample { ports, len })
    }

    /// Its ports and how many: up to [`EXACT`] ascending, then zeros; where
    /// there are more, the lowest and the highest, and 5.
    #[must_use]
    pub fn state(&self) -> ([u16; EXACT], u8) {
        (self.ports, self.len)
    }

    /// Whether it holds no port.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The ports as ranges: singles while few, else the one range.
    pub fn ranges(&self) -> impl Iterator<Item = PortRange> {
        let span = (self.len == SPAN).then(|| PortRange::spanning(self.ports[0], self.ports[1]));
        let few = if self.len == SPAN {
            &[][..]
        } else {
            self.exact()
        };
        few.iter().map(|port| PortRange::single(*port)).chain(span)
    }

    /// The smallest range that holds all of it.
    #[must_use]
    pub fn hull(&self) -> Option<PortRange> {
        if self.len == SPAN {
            return Some(PortRange::spanning(self.ports[0], self.ports[1]));
        }
        let exact = self.exact();
        Some(PortRange::spanning(*exact.first()?, *exact.last()?))
    }

    /// How many distinct ports at least.
    #[must_use]
    pub fn at_least(&self) -> u32 {
        u32::from(self.len)
    }

    /// Adds a port.
    #[inline]
    pub fn insert(&mut self, port: u16) {
        if self.len == SPAN {
            let [low, high, ..] = self.ports;
            self.ports = [low.min(port), high.max(port), 0, 0];
        } else if !self.exact().contains(&port) {
            self.insert_new(port);
        }
    }

    fn insert_new(&mut self, port: u16) {
        let mut grown = [port; EXACT + 1];
        let count = usize::from(self.len);
        for (slot, own) in grown.iter_mut().zip(self.exact()) {
            *slot = *own;
        }
        let Some(used) = grown.get_mut(..=count) else {
            return;
        };
        used.sort_unstable();
        *self = PortSample::from_sorted(used);
    }

    /// Adds another sample.
    #[inline]
    pub fn merge(&mut self, other: &PortSample) {
        if other.len == SPAN {
            let own = self.hull();
            let [low, high, ..] = other.ports;
            let (low, high) =
                own.map_or((low, high), |own| (low.min(own.from()), high.max(own.to())));
            *self = PortSample {
                ports: [low, high, 0, 0],
                len: SPAN,
            };
            return;
        }
        for port in other.exact() {
            self.insert(*port);
        }
    }

    fn exact(&self) -> &[u16] {
        self.ports.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// From ascending distinct ports, one more than [`EXACT`] at the most.
    fn from_sorted(sorted: &[u16]) -> PortSample {
        let mut ports = [0; EXACT];
        if sorted.len() > EXACT {
            if let (Some(low), Some(high)) = (sorted.first(), sorted.last()) {
                ports = [*low, *high, 0, 0];
            }
            return PortSample { ports, len: SPAN };
        }
        for (slot, port) in ports.iter_mut().zip(sorted) {
            *slot = *port;
        }
        PortSample {
            ports,
            len: u8::try_from(sorted.len()).unwrap_or(SPAN),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn sample(ports: &[u16]) -> PortSample {
        let mut sample = PortSample::default();
        for port in ports {
            sample.insert(*port);
        }
        sample
    }

    proptest! {
        #[test]
        fn a_sample_is_a_function_of_the_set(ports in prop::collection::vec(0u16..12, 0..14), cut in 0usize..14) {
            let cut = cut.min(ports.len());
            let mut merged = sample(&ports[cut..]);
            merged.merge(&sample(&ports[..cut]));
            merged.merge(&sample(&ports[..cut]));
            let distinct: BTreeSet<u16> = ports.iter().copied().collect();
            let sorted: Vec<u16> = distinct.iter().copied().collect();
            prop_assert_eq!(merged, sample(&sorted));
            for port in &sorted {
                prop_assert!(merged.ranges().any(|range| range.contains(*port)));
            }
            if distinct.len() <= EXACT {
                prop_assert_eq!(merged.ranges().count(), distinct.len());
            }
            prop_assert_eq!(merged.is_empty(), distinct.is_empty());
        }
    }
}
