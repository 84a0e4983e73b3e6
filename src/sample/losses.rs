//! What never arrives: skipped windows and dark hours. Both are a function of
//! interface and time alone, so that any part of the simulation can ask in
//! advance.

use std::collections::BTreeSet;

use crate::sample::SampleConfig;
use crate::sample::build::World;
use crate::sample::random::Random;
use crate::sample::random::falls_within;
use crate::sample::random::hash;
use crate::sample::world::Interface;

/// Share of NODATA lines beside all records, at most: a real flow log has one
/// for every idle interface and minute, which would bury a small sample.
const NO_DATA_SHARE: f64 = 0.1;

/// What is lost, and what of the silence is told.
#[derive(Debug)]
pub(super) struct Losses {
    seed: u64,
    skip_share: f64,
    no_data_share: f64,
    /// Hours, from the start, in which nothing is delivered.
    pub(super) dark: BTreeSet<u32>,
}

impl Losses {
    pub(super) fn new(config: &SampleConfig, world: &World, random: &mut Random) -> Losses {
        let hours = world.seconds / 3_600;
        // Never the first nor the last hour, so that the window keeps its ends.
        let dark = (0..config.dark_hours.min(hours / 4))
            .map(|_| random.within(1, hours.saturating_sub(2)))
            .collect();
        let interfaces = u32::try_from(world.interfaces.len()).unwrap_or(u32::MAX);
        let chances = f64::from(world.seconds / 60) * f64::from(interfaces);
        let records = f64::from(u32::try_from(config.records).unwrap_or(u32::MAX));
        Losses {
            seed: config.seed,
            skip_share: config.skip_share,
            no_data_share: NO_DATA_SHARE * records / chances.max(1.0),
            dark,
        }
    }

    /// Whether records with this end time are never delivered.
    pub(super) fn is_dark(&self, second: u32) -> bool {
        !self.dark.is_empty() && self.dark.contains(&(second / 3_600))
    }

    /// Whether the interface's records of the window are lost.
    pub(super) fn is_skipped(&self, interface: &Interface, window: u32) -> bool {
        falls_within(self.chance(interface, window, 8), self.skip_share)
    }

    /// Whether the interface's silence in the window is told.
    pub(super) fn tells_no_data(&self, interface: &Interface, window: u32) -> bool {
        falls_within(self.chance(interface, window, 9), self.no_data_share)
    }

    fn chance(&self, interface: &Interface, window: u32, of: u64) -> u64 {
        let number = u64::try_from(interface.number).unwrap_or(0);
        hash(self.seed ^ of << 56, number, u64::from(window))
    }
}
