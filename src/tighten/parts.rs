//! Ways to hold what some services need within a number of rules, from the
//! cheapest to find to the hardest: one service, exactly; few services, exactly
//! ([`plane`](crate::tighten::plane)); many services by the best of several
//! heuristics, with a bound that says how far from the best it can be.

use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::cidr::Family;
use crate::tighten::boxes::Plot;
use crate::tighten::front::Front;
use crate::tighten::front::IMPOSSIBLE;
use crate::tighten::front::min_plus;
use crate::tighten::plane::Plane;
use crate::tighten::prefixes::Block;

/// One way, for each number of rules.
#[derive(Debug)]
pub(crate) struct Part {
    /// At `n`, a volume within `n + 1` rules.
    costs: Vec<u128>,
    /// At `n`, a volume that no `n + 1` rules go below; the last holds on.
    bounds: Vec<u128>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// One service, or several that were joined: the front of its addresses.
    Fronts(Vec<Transport>, Front),
    Plane(IpProtocol, Plane),
    /// Two side by side; at `n`, how many (less one) of `n + 2` the first has.
    Beside(Box<(Part, Part)>, Vec<u16>),
    /// At `n`, which of these is best.
    Best(Vec<Part>, Vec<usize>),
    /// These boxes, as soon as there are so many rules.
    Boxes(Vec<Plot>),
}

/// The least up to each place.
fn settled(costs: &[u128]) -> Vec<u128> {
    let least = |least: &mut u128, cost: &u128| {
        *least = (*least).min(*cost);
        Some(*least)
    };
    costs.iter().scan(IMPOSSIBLE, least).collect()
}

impl Part {
    /// A front of prefixes; `exact` where nothing else could hold the same.
    pub(crate) fn front(transports: Vec<Transport>, front: Front, exact: bool) -> Part {
        Part {
            costs: front.costs().to_vec(),
            bounds: if exact {
                settled(front.costs())
            } else {
                vec![0]
            },
            kind: Kind::Fronts(transports, front),
        }
    }

    /// An exact table.
    pub(crate) fn plane(protocol: IpProtocol, plane: Plane) -> Part {
        Part {
            costs: plane.costs().to_vec(),
            bounds: settled(plane.costs()),
            kind: Kind::Plane(protocol, plane),
        }
    }

    /// Boxes with their volume.
    pub(crate) fn boxes(volume: u128, boxes: Vec<Plot>) -> Part {
        let mut costs = vec![IMPOSSIBLE; boxes.len().saturating_sub(1)];
        costs.push(volume);
        Part {
            costs,
            bounds: vec![0],
            kind: Kind::Boxes(boxes),
        }
    }

    /// Two side by side. Where rules may serve both at once, each could have
    /// all of them, as far as the bound can tell.
    pub(crate) fn beside(self, other: Part, most: usize, shared: bool) -> Part {
        let (sums, taken) = min_plus(&self.costs, &other.costs, most.saturating_sub(1));
        let mut costs = vec![IMPOSSIBLE];
        costs.extend(sums);
        let bounds = if shared {
            let length = self.bounds.len().max(other.bounds.len());
            (1..=length)
                .map(|rules| self.bound(rules).saturating_add(other.bound(rules)))
                .collect()
        } else {
            let (sums, _) = min_plus(&self.bounds, &other.bounds, most.saturating_sub(1));
            let sums = settled(&sums);
            [sums.first().copied().unwrap_or(0)]
                .into_iter()
                .chain(sums)
                .collect()
        };
        Part {
            costs,
            bounds,
            kind: Kind::Beside(Box::new((self, other)), taken),
        }
    }

    /// The best of several, none of which counts below the others' bounds.
    pub(crate) fn best(parts: Vec<Part>, most: usize) -> Option<Part> {
        let length = parts.iter().map(|part| part.costs.len()).max()?.min(most);
        let at = |place: usize| {
            let costs = parts.iter().enumerate();
            let costs = costs.filter_map(|(own, part)| Some((*part.costs.get(place)?, own)));
            costs.min().unwrap_or((IMPOSSIBLE, 0))
        };
        let (costs, chosen) = (0..length).map(at).unzip();
        let known = parts.iter().map(|part| part.bounds.len()).max()?;
        let bound = |rules| parts.iter().map(|part| part.bound(rules)).max();
        Some(Part {
            costs,
            bounds: (1..=known).filter_map(bound).collect(),
            kind: Kind::Best(parts, chosen),
        })
    }

    /// The better of two.
    pub(crate) fn best_of_two(one: Part, other: Part, most: usize) -> Part {
        let length = one.costs.len().max(other.costs.len()).min(most);
        let cost = |part: &Part, place: usize| part.costs.get(place).copied().unwrap_or(IMPOSSIBLE);
        let at = |place: usize| {
            let (a, b) = (cost(&one, place), cost(&other, place));
            if b < a { (b, 1) } else { (a, 0) }
        };
        let (costs, chosen) = (0..length).map(at).unzip();
        let known = one.bounds.len().max(other.bounds.len());
        Part {
            costs,
            bounds: (1..=known)
                .map(|rules| one.bound(rules).max(other.bound(rules)))
                .collect(),
            kind: Kind::Best(vec![one, other], chosen),
        }
    }

    /// Tells that no number of rules up to `rules` goes below a volume.
    pub(crate) fn bounded(mut self, rules: usize, volume: u128) -> Part {
        let longer = (1..=rules.max(self.bounds.len()))
            .map(|n| self.bound(n))
            .collect();
        self.bounds = longer;
        for bound in self.bounds.iter_mut().take(rules) {
            *bound = volume.max(*bound);
        }
        self
    }

    /// Volumes of 1, 2, … rules.
    pub(crate) fn costs(&self) -> &[u128] {
        &self.costs
    }

    /// The least volume within so many rules, with the fewest that reach it.
    pub(crate) fn least(&self, rules: usize) -> Option<(u128, usize)> {
        let costs = self.costs.iter().take(rules).enumerate();
        let possible = costs.filter(|(_, volume)| **volume != IMPOSSIBLE);
        possible.map(|(at, volume)| (*volume, at + 1)).min()
    }

    /// What no so many rules go below.
    pub(crate) fn bound(&self, rules: usize) -> u128 {
        let at = rules.saturating_sub(1);
        let bound = self.bounds.get(at).or(self.bounds.last());
        bound
            .copied()
            .filter(|bound| *bound != IMPOSSIBLE)
            .unwrap_or(0)
    }

    /// The boxes of the way with so many rules.
    pub(crate) fn plots(&self, rules: usize, family: Family, plots: &mut Vec<Plot>) {
        match &self.kind {
            Kind::Fronts(transports, front) => {
                let mut blocks: Vec<(usize, Block)> = Vec::new();
                front.pick(rules, &mut blocks);
                plots.extend(blocks.into_iter().filter_map(|(set, block)| {
                    Some(Plot {
                        transport: *transports.get(set)?,
                        net: block.net(family),
                    })
                }));
            }
            Kind::Plane(protocol, plane) => {
                plots.extend(plane.pick(rules).into_iter().map(|(ports, block)| Plot {
                    transport: Transport::of(*protocol, ports),
                    net: block.net(family),
                }));
            }
            Kind::Beside(both, taken) => {
                let low = rules.checked_sub(2).and_then(|at| taken.get(at));
                let low = low.map_or(1, |less_one| usize::from(*less_one) + 1);
                both.0.plots(low, family, plots);
                both.1.plots(rules.saturating_sub(low), family, plots);
            }
            Kind::Best(parts, chosen) => {
                let own = rules.checked_sub(1).and_then(|at| chosen.get(at));
                if let Some(part) = own.and_then(|own| parts.get(*own)) {
                    part.plots(rules, family, plots);
                }
            }
            Kind::Boxes(boxes) => plots.extend_from_slice(boxes),
        }
    }
}
