//! The way to hold all that one protocol needs within a number of rules.
//!
//! Few services are weighed exactly. Of many, runs of neighbours are, each by
//! itself; beside that ports are bridged in a few steps and put in contiguous
//! groups, small cases are searched through, and what is then still far from
//! its bound is put to a solver. The best of all is taken for each number of
//! rules.

use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::tighten::boxes::elementary;
use crate::tighten::exact::exact;
use crate::tighten::family::FamilyTask;
use crate::tighten::front::IMPOSSIBLE;
use crate::tighten::front::side_by_side;
use crate::tighten::parts::Part;
use crate::tighten::plane::Plane;
use crate::tighten::ports::Unit;
use crate::tighten::ports::bridged;
use crate::tighten::ports::distinct;
use crate::tighten::slabs::slabs;
use crate::tighten::solver;

/// Most steps of an exact table, of all tables of a protocol together.
const MOST_WORK: usize = 30_000_000;

/// Services that neighbours are weighed by at once.
const NEIGHBOURS: usize = 5;

/// Services beyond which ports are only bridged.
const MOST_SERVICES: usize = 400;

/// The way for units of one protocol; `None` where there are none.
pub(crate) fn part_of(task: &FamilyTask<'_>, units: &[Unit], most: usize) -> Option<Part> {
    let protocol = units.first()?.protocol();
    if !protocol.has_ports() || units.len() == 1 {
        let parts = units.iter().filter_map(|unit| single(task, unit, most));
        return parts.reduce(|low, high| low.beside(high, most, false));
    }
    let ground = task.grounds.get(&protocol)?;
    if let Some(plane) = Plane::new(units, ground, task.family, task.weights, most, MOST_WORK) {
        return Some(Part::plane(protocol, plane));
    }
    let mut parts = grouped(task, units, most);
    parts.extend(neighbours(task, units, most));
    let best = Part::best(parts, most)?;
    let searched = searched(task, units, &best, most);
    let best = Part::best([Some(best), searched].into_iter().flatten().collect(), most)?;
    Some(solver::improved(task, protocol, units, best, most))
}

/// One service.
fn single(task: &FamilyTask<'_>, unit: &Unit, most: usize) -> Option<Part> {
    let front = task.fronts(std::slice::from_ref(unit), most).pop()?;
    Some(Part::front(vec![unit.transport], front, true))
}

/// Ports bridged in a few steps, and in contiguous groups.
fn grouped(task: &FamilyTask<'_>, units: &[Unit], most: usize) -> Vec<Part> {
    let mut tried: Vec<Vec<Unit>> = Vec::new();
    let mut groups = units.len();
    while groups > 0 {
        let grouped = bridged(units, &task.grounds, groups);
        if grouped.len() <= most && tried.last() != Some(&grouped) {
            tried.push(grouped);
        }
        groups = if groups > most { most } else { groups / 2 };
    }
    tried.extend(slabs(task, units, most).filter(|slabs| !tried.contains(slabs)));
    let part = |units: Vec<Unit>| {
        let front = side_by_side(task.fronts(&units, most), most)?;
        let transports = units.iter().map(|unit| unit.transport).collect();
        Some(Part::front(transports, front, false))
    };
    tried.into_iter().filter_map(part).collect()
}

/// Runs of neighbouring services, each weighed exactly.
fn neighbours(task: &FamilyTask<'_>, units: &[Unit], most: usize) -> Option<Part> {
    let services: Vec<PortRange> = units.iter().map(|unit| unit.transport.service()).collect();
    let services = elementary(&services);
    if services.len() > MOST_SERVICES {
        return None;
    }
    let budget = MOST_WORK / services.len().div_ceil(NEIGHBOURS).max(1);
    run(task, units, &services, most, budget)
}

fn run(
    task: &FamilyTask<'_>,
    units: &[Unit],
    services: &[PortRange],
    most: usize,
    budget: usize,
) -> Option<Part> {
    let own = clipped(units, services)?;
    let protocol = own.first()?.protocol();
    let ground = task.grounds.get(&protocol)?;
    if services.len() == 1 {
        let first = own.first()?;
        let peers = own.iter().flat_map(|unit| unit.peers.iter().copied());
        let unit = Unit {
            transport: first.transport,
            peers: distinct(peers.collect()),
        };
        return single(task, &unit, most);
    }
    if services.len() <= NEIGHBOURS
        && let Some(plane) = Plane::new(&own, ground, task.family, task.weights, most, budget)
    {
        return Some(Part::plane(protocol, plane));
    }
    let (low, high) = services.split_at(widest_gap(services));
    let low = run(task, &own, low, most, budget)?;
    let high = run(task, &own, high, most, budget)?;
    Some(low.beside(high, most, true))
}

/// Units, as far as they are of these services.
fn clipped(units: &[Unit], services: &[PortRange]) -> Option<Vec<Unit>> {
    let all = PortRange::spanning(services.first()?.from(), services.last()?.to());
    let own = |unit: &Unit| {
        let service = unit.transport.service().intersection(all)?;
        Some(Unit {
            transport: crate::model::Transport::of(unit.protocol(), service),
            peers: unit.peers.clone(),
        })
    };
    Some(units.iter().filter_map(own).collect())
}

/// Where the services are furthest apart, near the middle where it is equal.
fn widest_gap(services: &[PortRange]) -> usize {
    let middle = services.len() / 2;
    let gaps = services.iter().zip(services.iter().skip(1)).zip(1usize..);
    let gaps = gaps.map(|((a, b), at)| {
        let gap = b.from().saturating_sub(a.to());
        (gap, usize::MAX - at.abs_diff(middle), at)
    });
    gaps.max().map_or(middle.max(1), |(_, _, at)| at)
}

/// Boxes found by search that open less than the best known.
fn searched(task: &FamilyTask<'_>, units: &[Unit], best: &Part, most: usize) -> Option<Part> {
    let protocol: IpProtocol = units.first()?.protocol();
    if task.family != Family::V4 {
        return None;
    }
    let least = best.least(most).map_or(IMPOSSIBLE, |(volume, _)| volume);
    let ground = task.grounds.get(&protocol)?;
    let (volume, boxes) = exact(units, ground, task.weights, most, least)?;
    Some(Part::boxes(volume, boxes).bounded(most, volume))
}
