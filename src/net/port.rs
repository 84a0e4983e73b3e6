//! Port numbers as closed ranges and as sets of closed ranges.
//!
//! The same 16-bit space serves ICMP, where a point is `type << 8 | code`:
//! rules of both kinds then share one algebra.

use std::fmt;

/// Closed range of ports, `from <= to`; port 0 is a real value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    from: u16,
    to: u16,
}

impl PortRange {
    /// Every port, 0 to 65535.
    pub const ALL: PortRange = PortRange {
        from: 0,
        to: u16::MAX,
    };

    /// Ports that clients of any kind may use: instances, load balancers, NAT
    /// gateways (VPC user guide, "Network ACLs", ephemeral ports).
    pub const CLIENTS: PortRange = PortRange {
        from: 1_024,
        to: u16::MAX,
    };

    /// The range `from..=to`, or `None` where `from > to`.
    #[must_use]
    pub fn new(from: u16, to: u16) -> Option<PortRange> {
        (from <= to).then_some(PortRange { from, to })
    }

    /// The range that holds one port.
    #[must_use]
    pub fn single(port: u16) -> PortRange {
        PortRange {
            from: port,
            to: port,
        }
    }

    /// The smallest range that holds both ports.
    #[must_use]
    pub fn spanning(a: u16, b: u16) -> PortRange {
        PortRange {
            from: a.min(b),
            to: a.max(b),
        }
    }

    /// Lowest port.
    #[must_use]
    pub fn from(self) -> u16 {
        self.from
    }

    /// Highest port.
    #[must_use]
    pub fn to(self) -> u16 {
        self.to
    }

    /// How many ports, 1 to 65536.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::from(self.to) - u32::from(self.from) + 1
    }

    /// Whether the port is inside.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }

    /// Whether every port of `other` is inside.
    #[must_use]
    pub fn covers(self, other: PortRange) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Whether the two share a port.
    #[must_use]
    pub fn overlaps(self, other: PortRange) -> bool {
        self.from <= other.to && other.from <= self.to
    }

    /// The ports in both.
    #[must_use]
    pub fn intersection(self, other: PortRange) -> Option<PortRange> {
        PortRange::new(self.from.max(other.from), self.to.min(other.to))
    }
}

impl fmt::Display for PortRange {
    /// `443`, or `8000-8100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{}-{}", self.from, self.to)
        }
    }
}

/// Set of ports, kept as sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet {
    /// Invariant: sorted, and between two ranges at least one port is absent.
    ranges: Vec<PortRange>,
}

impl PortSet {
    /// The set of nothing.
    #[must_use]
    pub fn empty() -> PortSet {
        PortSet::default()
    }

    /// The ranges, sorted, disjoint and not adjacent.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.ranges
    }

    /// Whether no port is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many ports, 0 to 65536.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.ranges.iter().map(|range| range.count()).sum()
    }

    /// Whether every port of `range` is inside.
    #[must_use]
    pub fn covers(&self, range: PortRange) -> bool {
        // Ranges never touch, so a covered range lies inside a single one: the
        // first that does not end before it.
        let at = self.ranges.partition_point(|own| own.to < range.from);
        self.ranges.get(at).is_some_and(|own| own.covers(range))
    }

    /// The ports that are here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &PortSet) -> PortSet {
        let mut left = Vec::new();
        for range in &self.ranges {
            // Lowest port of the range not yet decided; past the end of the
            // port space it becomes `None`.
            let mut next = Some(range.from);
            for gone in other.ranges.iter().filter(|gone| gone.overlaps(*range)) {
                let Some(from) = next else { break };
                let before = gone.from.checked_sub(1);
                left.extend(before.and_then(|to| PortRange::new(from, to)));
                next = gone.to.checked_add(1);
            }
            left.extend(next.and_then(|from| PortRange::new(from, range.to)));
        }
        PortSet { ranges: left }
    }

    /// Adds a range.
    pub fn insert(&mut self, range: PortRange) {
        let mut grown = range;
        self.ranges.retain(|own| {
            let apart = u32::from(own.to) + 1 < u32::from(grown.from)
                || u32::from(grown.to) + 1 < u32::from(own.from);
            if !apart {
                grown = PortRange {
                    from: own.from.min(grown.from),
                    to: own.to.max(grown.to),
                };
            }
            apart
        });
        let at = self.ranges.partition_point(|own| own.from < grown.from);
        self.ranges.insert(at, grown);
    }
}

impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(iter: I) -> PortSet {
        let mut sorted: Vec<PortRange> = iter.into_iter().collect();
        sorted.sort_unstable();
        let mut ranges: Vec<PortRange> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match ranges.last_mut() {
                Some(last) if u32::from(range.from) <= u32::from(last.to) + 1 => {
                    last.to = last.to.max(range.to);
                }
                _ => ranges.push(range),
            }
        }
        PortSet { ranges }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = PortRange> {
        (0u16..40, 0u16..40).prop_map(|(a, b)| PortRange::spanning(a, b))
    }

    proptest! {
        #[test]
        fn inserting_one_by_one_equals_collecting(ranges in prop::collection::vec(range(), 0..8)) {
            let mut grown = PortSet::empty();
            for range in &ranges {
                grown.insert(*range);
            }
            let collected: PortSet = ranges.iter().copied().collect();
            prop_assert_eq!(&grown, &collected);
            for port in 0..45 {
                let inside = ranges.iter().any(|range| range.contains(port));
                prop_assert_eq!(collected.covers(PortRange::single(port)), inside);
            }
        }

        #[test]
        fn a_difference_has_what_one_has_and_the_other_lacks(
            ours in prop::collection::vec(range(), 0..6),
            theirs in prop::collection::vec(range(), 0..6),
            edge in any::<bool>(),
        ) {
            let mut theirs: PortSet = theirs.into_iter().collect();
            let mut ours: PortSet = ours.into_iter().collect();
            if edge {
                ours.insert(PortRange::spanning(65_000, u16::MAX));
                theirs.insert(PortRange::spanning(65_500, u16::MAX));
            }
            let left = ours.difference(&theirs);
            for port in (0..45).chain([64_999, 65_000, 65_499, 65_500, u16::MAX]) {
                let port = PortRange::single(port);
                prop_assert_eq!(left.covers(port), ours.covers(port) && !theirs.covers(port));
            }
        }
    }
}
