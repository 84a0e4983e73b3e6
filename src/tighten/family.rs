//! What prefixes of one address family owe, and the ways to hold it.
//!
//! There is one readable way, made without a thought for the quota, and, where
//! asked for, a way for each number of rules ([`many`](crate::tighten::many)
//! finds it for each protocol).

use std::cell::OnceCell;
use std::collections::BTreeMap;

use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::boxes::Ranges;
use crate::tighten::boxes::elementary;
use crate::tighten::boxes::normal;
use crate::tighten::boxes::retimed;
use crate::tighten::boxes::transport_covers;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Wish;
use crate::tighten::front::Front;
use crate::tighten::front::front;
use crate::tighten::many::part_of;
use crate::tighten::moving::take_moving;
use crate::tighten::parts::Part;
use crate::tighten::ports::Unit;
use crate::tighten::ports::units;
use crate::tighten::prefixes::Block;
use crate::tighten::prefixes::Measure;
use crate::tighten::prefixes::Taste;
use crate::tighten::prefixes::readable;
use crate::tighten::public::take_public;
use crate::tighten::weight::Weights;

/// Most rules that a way is found for, times addresses: beyond that fewer
/// rules are taken than there is room for.
const MOST_CELLS: usize = 400_000_000;

/// Most stretches by boxes that a volume is added up from.
const MOST_SUMMED: usize = 20_000_000;

/// All that one family owes to prefixes.
pub(crate) struct FamilyTask<'a> {
    pub(crate) family: Family,
    pub(crate) weights: Weights<'a>,
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
    readable: OnceCell<Vec<Plot>>,
    /// What is needed weighs.
    needed: OnceCell<u128>,
    /// The way to hold everything in fewer rules, and up to how many.
    squeezed: Option<Part>,
    most: usize,
}

/// Which of the ways found: the readable boxes, or a number of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Readable,
    Squeezed { rules: usize },
}

impl<'a> FamilyTask<'a> {
    pub(crate) fn new(wish: &Wish<'a>, allowed: &Boxes, family: Family) -> FamilyTask<'a> {
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
        FamilyTask {
            family,
            weights: Weights {
                vacancy: wish.vacancy,
                limits: wish.limits,
            },
            grounds,
            units: all,
            public_rules: normal(boxes.collect()).len(),
            public,
            moving,
            readable: OnceCell::new(),
            needed: OnceCell::new(),
            squeezed: None,
            most: 0,
        }
    }

    /// Prefixes of today's rules that stay: of public services, and for
    /// addresses that change hands.
    fn kept(&self) -> impl Iterator<Item = Plot> {
        let public = self.public.iter().map(|(plot, _)| *plot);
        public.chain(self.moving.iter().copied())
    }

    /// Whether the readable boxes are no more than this many.
    pub(crate) fn fits(&self, room: usize) -> bool {
        self.readable().len() <= room
    }

    fn measure<'g>(&'g self, unit: &Unit, ground: &'g Ranges) -> Measure<'g> {
        Measure {
            family: self.family,
            ground,
            width: self.weights.services(unit.transport),
            weights: self.weights,
        }
    }

    /// Public services and readable boxes, in normal form.
    fn readable(&self) -> &[Plot] {
        self.readable.get_or_init(|| self.make_readable())
    }

    fn make_readable(&self) -> Vec<Plot> {
        let limits = self.weights.limits;
        let taste = Taste {
            price: self.weights.price(limits.rule_worth),
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

    /// Those of the boxes that were made for units.
    pub(crate) fn made_for_units(&self, plots: &[Plot]) -> Vec<Plot> {
        // Neighbours among the kept may have been joined.
        let kept = normal(self.kept().collect());
        let is_kept = |plot: &Plot| {
            kept.iter().any(|own| {
                own.net.contains(&plot.net) && transport_covers(own.transport, plot.transport)
            })
        };
        let own = |plot: &&Plot| Family::of_net(plot.net) == self.family && !is_kept(plot);
        plots.iter().filter(own).copied().collect()
    }

    /// What the boxes weigh together, each part counted once; `None` where
    /// there is too much to add up.
    pub(crate) fn union(&self, plots: &[Plot]) -> Option<u128> {
        let mut by_protocol: BTreeMap<IpProtocol, Vec<Plot>> = BTreeMap::new();
        for plot in plots {
            let protocol = plot.transport.protocol()?;
            by_protocol.entry(protocol).or_default().push(*plot);
        }
        let unions = by_protocol.values().map(|plots| self.union_of_one(plots));
        unions.sum()
    }

    fn union_of_one(&self, plots: &[Plot]) -> Option<u128> {
        let services: Vec<PortRange> = plots.iter().map(|plot| plot.transport.service()).collect();
        let stretches = elementary(&services);
        if stretches.len().checked_mul(plots.len())? > MOST_SUMMED {
            return None;
        }
        let of_stretch = |stretch: PortRange| {
            let here = plots
                .iter()
                .filter(|plot| plot.transport.service().covers(stretch));
            let open = Ranges::of(here.map(|plot| plot.net));
            let ports = plots.first().map_or(1, |plot| {
                self.weights.services(retimed(plot.transport, stretch))
            });
            ports.saturating_mul(self.weights.ranges(self.family, &open))
        };
        Some(
            stretches
                .into_iter()
                .map(of_stretch)
                .fold(0, u128::saturating_add),
        )
    }

    /// What is needed weighs.
    pub(crate) fn needed(&self) -> u128 {
        let of_unit = |unit: &Unit| {
            let services = self.weights.services(unit.transport);
            let open = Ranges::of_bounds(unit.peers.iter().map(|peer| (*peer, *peer)).collect());
            services.saturating_mul(self.weights.ranges(self.family, &open))
        };
        *self
            .needed
            .get_or_init(|| self.units.iter().map(of_unit).fold(0, u128::saturating_add))
    }

    /// Addresses of all units: more prefixes than that gain nothing.
    pub(crate) fn addresses(&self) -> usize {
        self.units.iter().map(|unit| unit.peers.len()).sum()
    }

    /// No more rules than can gain anything, nor than a front can count, nor
    /// than can be found in good time.
    fn enough(&self, rules: usize) -> usize {
        let addresses = self.addresses();
        let countable = (MOST_CELLS / addresses.max(1)).max(1_024);
        rules
            .min(addresses)
            .min(countable)
            .min(usize::from(u16::MAX))
    }

    /// Finds the ways to hold everything in at most `room` rules.
    pub(crate) fn squeeze(&mut self, room: usize) {
        let most = self.enough(room.saturating_sub(self.public_rules));
        if self.units.is_empty() || most == 0 {
            return;
        }
        self.most = most;
        let mut by_protocol: BTreeMap<IpProtocol, Vec<Unit>> = BTreeMap::new();
        for unit in &self.units {
            let own = by_protocol.entry(unit.protocol()).or_default();
            own.push(unit.clone());
        }
        let parts = by_protocol.values().map(|units| part_of(self, units, most));
        let parts: Option<Vec<Part>> = parts.collect();
        let parts = parts.into_iter().flatten();
        self.squeezed = parts.reduce(|low, high| low.beside(high, most, false));
    }

    pub(crate) fn fronts(&self, units: &[Unit], most: usize) -> Vec<Front> {
        let of = |(set, unit): (usize, &Unit)| {
            let ground = self.grounds.get(&unit.protocol())?;
            let slice = ground.slice(unit.transport.service());
            Some(front(&unit.peers, set, &self.measure(unit, &slice), most))
        };
        units.iter().enumerate().filter_map(of).collect()
    }

    /// A volume that no set of at most `most` boxes goes below, as far as
    /// ways were found ([`FamilyTask::squeeze`]) for so many.
    pub(crate) fn bound(&self, most: usize) -> u128 {
        let known = most <= self.most || self.addresses() <= self.most;
        let found = self.squeezed.as_ref().filter(|_| known);
        let found = found.map_or(0, |part| part.bound(most));
        found.max(self.needed())
    }

    /// The way to open least within so many rules, and the volume; fewer
    /// rules where they open hardly more.
    pub(crate) fn within(&self, room: usize) -> Option<(u128, Way)> {
        if self.fits(room) {
            return Some((self.readable_volume(), Way::Readable));
        }
        let room = room.checked_sub(self.public_rules)?;
        let part = self.squeezed.as_ref()?;
        let (least, _) = part.least(room)?;
        let enough = self.as_good_as(least);
        let ways = part.costs().iter().take(room).zip(1usize..);
        let (rules, volume) = ways
            .filter(|(volume, _)| **volume <= enough)
            .map(|(volume, rules)| (rules, *volume))
            .min()?;
        Some((volume, Way::Squeezed { rules }))
    }

    /// The largest volume that counts as no more than the least.
    fn as_good_as(&self, least: u128) -> u128 {
        let limits = self.weights.limits;
        let slack = least / u128::from(limits.slack.max(1));
        let needed = self.needed();
        let step = self.weights.price(limits.tolerance.max(1)).max(1);
        let excess = least.saturating_sub(needed).div_ceil(step);
        let rounded = needed.saturating_add(excess.saturating_mul(step));
        least.saturating_add(slack).max(rounded)
    }

    fn volume(&self, plot: &Plot) -> u128 {
        let (first, last) = net_bounds(plot.net);
        let addresses = self
            .weights
            .addresses(self.family, Block::spanning(first, last));
        addresses.saturating_mul(self.weights.services(plot.transport))
    }

    fn readable_volume(&self) -> u128 {
        let public = |plot: &&Plot| !self.public.iter().any(|(own, _)| own == *plot);
        let volumes = self
            .readable()
            .iter()
            .filter(public)
            .map(|plot| self.volume(plot));
        volumes.fold(0, u128::saturating_add)
    }

    /// The boxes of a way, in normal form.
    pub(crate) fn plots(&self, way: Way) -> Vec<Plot> {
        let rules = match way {
            Way::Readable => return self.readable().to_vec(),
            Way::Squeezed { rules } => rules,
        };
        let mut plots: Vec<Plot> = self.kept().collect();
        if let Some(part) = &self.squeezed {
            part.plots(rules, self.family, &mut plots);
        }
        normal(plots)
    }
}
