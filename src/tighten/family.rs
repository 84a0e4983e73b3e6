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
use crate::tighten::exact::exact;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Wish;
use crate::tighten::moving::take_moving;
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
use crate::tighten::slabs::slabs;

/// All that one family owes to prefixes.
pub(crate) struct FamilyTask {
    family: Family,
    pub(crate) grounds: BTreeMap<IpProtocol, Ground>,
    /// What is not a public service.
    pub(crate) units: Vec<Unit>,
    /// Prefixes of public services, with their public addresses.
    pub(crate) public: Vec<(Plot, usize)>,
    /// Prefixes kept for addresses that change hands.
    pub(crate) moving: Vec<Plot>,
    /// How many rules both are.
    public_rules: usize,
    /// Public services and readable boxes, in normal form.
    readable: Vec<Plot>,
    /// Ways to hold everything in fewer rules.
    squeezed: Vec<Grouping>,
    /// Boxes that open less than all of them, with their volume.
    searched: Option<(u128, Vec<Plot>)>,
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
    Searched,
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
        let moving = take_moving(&mut all, family, &allowed.plots, wish.moving);
        let boxes = public
            .iter()
            .map(|(plot, _)| *plot)
            .chain(moving.iter().copied());
        let mut task = FamilyTask {
            family,
            grounds,
            units: all,
            public_rules: normal(boxes.collect()).len(),
            public,
            moving,
            readable: Vec::new(),
            squeezed: Vec::new(),
            searched: None,
            slack: wish.limits.slack.max(1),
        };
        task.readable = task.make_readable(wish.limits);
        task
    }

    /// Prefixes of today's rules that stay: of public services, and for
    /// addresses that change hands.
    fn kept(&self) -> impl Iterator<Item = Plot> {
        let public = self.public.iter().map(|(plot, _)| *plot);
        public.chain(self.moving.iter().copied())
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
        let mut plots: Vec<Plot> = self.kept().collect();
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

    /// A volume that no set of at most `most` prefixes can go below: on each
    /// service such a set has at most so many prefixes, and the services are
    /// apart. Services that overlap others are left out, which only lowers it.
    pub(crate) fn bound(&self, most: usize) -> u128 {
        let most = self.enough(most).max(1);
        let mut bound = 0u128;
        let mut counted: Option<&Unit> = None;
        for unit in &self.units {
            let apart = |before: &Unit| {
                before.protocol() != unit.protocol()
                    || before.transport.service().to() < unit.transport.service().from()
            };
            if !counted.is_none_or(apart) {
                continue;
            }
            let least = self.fronts(std::slice::from_ref(unit), most);
            let least = least.iter().flat_map(Front::costs).min().copied();
            bound = bound.saturating_add(least.filter(|v| *v != IMPOSSIBLE).unwrap_or(0));
            counted = Some(unit);
        }
        bound
    }

    /// The volume of the prefixes among these that were made for units.
    pub(crate) fn volume_of(&self, plots: &[Plot]) -> u128 {
        let kept: Vec<Plot> = self.kept().collect();
        let own = |plot: &&Plot| Family::of_net(plot.net) == self.family && !kept.contains(plot);
        let volumes = plots.iter().filter(own).map(|plot| self.volume(plot));
        volumes.fold(0, u128::saturating_add)
    }

    /// How many of these rules are left for units.
    pub(crate) fn made_for_units(&self, plots: &[Plot]) -> usize {
        let kept: Vec<Plot> = self.kept().collect();
        let own = |plot: &&Plot| Family::of_net(plot.net) == self.family && !kept.contains(plot);
        plots.iter().filter(own).count()
    }

    /// Addresses of all units: more prefixes than that gain nothing.
    pub(crate) fn addresses(&self) -> usize {
        self.units.iter().map(|unit| unit.peers.len()).sum()
    }

    /// No more rules than can gain anything, nor than a front can count.
    fn enough(&self, rules: usize) -> usize {
        rules.min(self.addresses()).min(usize::from(u16::MAX))
    }

    /// Finds the ways to hold everything in at most `room` rules.
    pub(crate) fn squeeze(&mut self, room: usize) {
        let most = self.enough(room.saturating_sub(self.public_rules));
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
        tried.extend(slabs(self, most).filter(|slabs| !tried.contains(slabs)));
        let grouping = |units: Vec<Unit>| {
            let front = side_by_side(self.fronts(&units, most), most)?;
            Some(Grouping { units, front })
        };
        self.squeezed = tried.into_iter().filter_map(grouping).collect();
        self.searched = self.search(most);
    }

    /// Searches for boxes that open less than what was found.
    fn search(&self, most: usize) -> Option<(u128, Vec<Plot>)> {
        let protocol = self.units.first()?.protocol();
        let alike = |unit: &Unit| unit.protocol() == protocol && protocol.has_ports();
        if self.family != Family::V4 || self.units.len() < 2 || !self.units.iter().all(alike) {
            return None;
        }
        let fronts = self.squeezed.iter().map(|grouping| &grouping.front);
        let least = fronts.flat_map(Front::costs).min().copied();
        let ground = self.grounds.get(&protocol)?;
        exact(&self.units, ground, most, least.unwrap_or(IMPOSSIBLE))
    }

    pub(crate) fn fronts(&self, units: &[Unit], most: usize) -> Vec<Front> {
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
        if let Some((volume, _)) = self.searched.as_ref().filter(|(_, own)| own.len() <= room) {
            return Some((*volume, Way::Searched));
        }
        let least = ways.iter().map(|(_, volume, _)| *volume).min()?;
        let enough = least.saturating_add(least / u128::from(self.slack));
        let (rules, volume, grouping) = ways
            .into_iter()
            .filter(|(_, volume, _)| *volume <= enough)
            .min()?;
        Some((volume, Way::Squeezed { grouping, rules }))
    }

    fn volume(&self, plot: &Plot) -> u128 {
        let (first, last) = net_bounds(plot.net);
        let unit = Unit {
            transport: plot.transport,
            peers: Vec::new(),
        };
        let size = Block::spanning(first, last).size(self.family);
        size.saturating_mul(u128::from(unit.width()))
    }

    fn readable_volume(&self) -> u128 {
        let public = |plot: &&Plot| !self.public.iter().any(|(own, _)| own == *plot);
        let volumes = self
            .readable
            .iter()
            .filter(public)
            .map(|plot| self.volume(plot));
        volumes.fold(0, u128::saturating_add)
    }

    /// The boxes of a way, in normal form.
    pub(crate) fn plots(&self, way: Way) -> Vec<Plot> {
        let (grouping, rules) = match way {
            Way::Readable => return self.readable.clone(),
            Way::Squeezed { grouping, rules } => (grouping, rules),
            Way::Searched => {
                let own = self.searched.iter().flat_map(|(_, plots)| plots);
                return normal(self.kept().chain(own.copied()).collect());
            }
        };
        let mut plots: Vec<Plot> = self.kept().collect();
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
