//! What prefixes of one address family owe, and the ways to hold it.
//!
//! There is one readable way, made without a thought for the quota, and, where
//! asked for, a way for each number of rules: prefixes exactly, ports by
//! bridging their narrowest gaps in a few steps.

use std::collections::BTreeMap;

use crate::net::IpProtocol;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::boxes::Ranges;
use crate::tighten::boxes::normal;
use crate::tighten::case::Limits;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Wish;
use crate::tighten::ports::Unit;
use crate::tighten::ports::bridged;
use crate::tighten::ports::units;
use crate::tighten::prefixes::Block;
use crate::tighten::prefixes::Front;
use crate::tighten::prefixes::IMPOSSIBLE;
use crate::tighten::prefixes::Measure;
use crate::tighten::prefixes::Taste;
use crate::tighten::prefixes::front;
use crate::tighten::prefixes::readable;
use crate::tighten::prefixes::side_by_side;
use crate::tighten::public::take_public;

/// All that one family owes to prefixes.
pub(crate) struct FamilyTask {
    family: Family,
    grounds: BTreeMap<IpProtocol, Ground>,
    /// What is not a public service.
    units: Vec<Unit>,
    /// Prefixes of public services, with their public addresses.
    pub(crate) public: Vec<(Plot, usize)>,
    /// How many rules these are.
    public_rules: usize,
    /// Public services and readable boxes, in normal form.
    readable: Vec<Plot>,
    /// Ways to hold everything in fewer rules.
    squeezed: Vec<Grouping>,
    /// As [`Limits::slack`].
    slack: u32,
}

/// One way to group ports, with the least volumes by number of rules.
struct Grouping {
    units: Vec<Unit>,
    front: Front,
}

/// Which of the ways found: the readable boxes, or a grouping and a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Readable,
    Squeezed { grouping: usize, rules: usize },
}

impl FamilyTask {
    pub(crate) fn new(wish: &Wish<'_>, allowed: &Boxes, family: Family) -> FamilyTask {
        let own = |((of, _), _): &(&(Family, IpProtocol), _)| *of == family;
        let mut grounds = BTreeMap::new();
        let mut all = Vec::new();
        for (&(_, protocol), wanted) in wish.owed.cidrs.iter().filter(own) {
            grounds.insert(protocol, Ground::new(&allowed.plots, family, protocol));
            all.extend(units(protocol, wanted));
        }
        let public = take_public(&mut all, family, &allowed.plots, wish.limits);
        let boxes = public.iter().map(|(plot, _)| *plot);
        let mut task = FamilyTask {
            family,
            grounds,
            units: all,
            public_rules: normal(boxes.collect()).len(),
            public,
            readable: Vec::new(),
            squeezed: Vec::new(),
            slack: wish.limits.slack.max(1),
        };
        task.readable = task.make_readable(wish.limits);
        task
    }

    /// Whether the readable boxes are no more than this many.
    pub(crate) fn fits(&self, room: usize) -> bool {
        self.readable.len() <= room
    }

    fn measure<'a>(&self, unit: &Unit, ground: &'a Ranges) -> Measure<'a> {
        Measure {
            family: self.family,
            ground,
            width: unit.width(),
        }
    }

    fn make_readable(&self, limits: &Limits) -> Vec<Plot> {
        let taste = Taste {
            price: limits.rule_worth,
            sparsest: limits.sparsest,
        };
        let mut plots: Vec<Plot> = self.public.iter().map(|(plot, _)| *plot).collect();
        for unit in &self.units {
            let Some(ground) = self.grounds.get(&unit.protocol()) else {
                continue;
            };
            let slice = ground.slice(unit.transport.service());
            let blocks = readable(&unit.peers, &self.measure(unit, &slice), taste);
            plots.extend(blocks.into_iter().map(|block| Plot {
                transport: unit.transport,
                net: block.net(self.family),
            }));
        }
        normal(plots)
    }

    /// Finds the ways to hold everything in at most `room` rules.
    pub(crate) fn squeeze(&mut self, room: usize) {
        let most = room.saturating_sub(self.public_rules);
        if self.units.is_empty() || most == 0 {
            return;
        }
        let mut tried: Vec<Vec<Unit>> = Vec::new();
        let mut groups = self.units.len();
        while groups > 0 {
            let grouped = bridged(&self.units, &self.grounds, groups);
            if grouped.len() <= most && tried.last() != Some(&grouped) {
                tried.push(grouped);
            }
            groups = if groups > most { most } else { groups / 2 };
        }
        let grouping = |units: Vec<Unit>| {
            let front = side_by_side(self.fronts(&units, most), most)?;
            Some(Grouping { units, front })
        };
        self.squeezed = tried.into_iter().filter_map(grouping).collect();
    }

    fn fronts(&self, units: &[Unit], most: usize) -> Vec<Front> {
        let of = |(set, unit): (usize, &Unit)| {
            let ground = self.grounds.get(&unit.protocol())?;
            let slice = ground.slice(unit.transport.service());
            Some(front(&unit.peers, set, &self.measure(unit, &slice), most))
        };
        units.iter().enumerate().filter_map(of).collect()
    }

    /// The way to open least within so many rules, and the volume; fewer
    /// rules where they open hardly more.
    pub(crate) fn within(&self, room: usize) -> Option<(u128, Way)> {
        if self.fits(room) {
            return Some((self.readable_volume(), Way::Readable));
        }
        let room = room.checked_sub(self.public_rules)?;
        let ways = self.squeezed.iter().enumerate().flat_map(|(at, grouping)| {
            let costs = grouping.front.costs().iter().take(room).enumerate();
            let possible = costs.filter(|(_, volume)| **volume != IMPOSSIBLE);
            possible.map(move |(place, &volume)| (place + 1, volume, at))
        });
        let ways: Vec<(usize, u128, usize)> = ways.collect();
        let least = ways.iter().map(|(_, volume, _)| *volume).min()?;
        let enough = least.saturating_add(least / u128::from(self.slack));
        let (rules, volume, grouping) = ways
            .into_iter()
            .filter(|(_, volume, _)| *volume <= enough)
            .min()?;
        Some((volume, Way::Squeezed { grouping, rules }))
    }

    fn readable_volume(&self) -> u128 {
        let volume = |plot: &Plot| {
            let (first, last) = net_bounds(plot.net);
            let unit = Unit {
                transport: plot.transport,
                peers: Vec::new(),
            };
            let size = Block::spanning(first, last).size(self.family);
            size.saturating_mul(u128::from(unit.width()))
        };
        let public = |plot: &&Plot| !self.public.iter().any(|(own, _)| own == *plot);
        let volumes = self.readable.iter().filter(public).map(volume);
        volumes.fold(0, u128::saturating_add)
    }

    /// The boxes of a way, in normal form.
    pub(crate) fn plots(&self, way: Way) -> Vec<Plot> {
        let (grouping, rules) = match way {
            Way::Readable => return self.readable.clone(),
            Way::Squeezed { grouping, rules } => (grouping, rules),
        };
        let mut plots: Vec<Plot> = self.public.iter().map(|(plot, _)| *plot).collect();
        if let Some(grouping) = self.squeezed.get(grouping) {
            let mut blocks = Vec::new();
            grouping.front.pick(rules, &mut blocks);
            plots.extend(blocks.into_iter().filter_map(|(set, block)| {
                Some(Plot {
                    transport: grouping.units.get(set)?.transport,
                    net: block.net(self.family),
                })
            }));
        }
        normal(plots)
    }
}
