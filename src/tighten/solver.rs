//! What is left when tables are too large and heuristics too far from their
//! bound: an integer program, given to a solver.
//!
//! A rule is a run of services at a node of the trie. What it opens is counted
//! at nodes: a node is open for a service where a rule at it or above says so,
//! and what is open there beside the halves below is paid once, however many
//! rules overlap. The solver follows a number of branches, never a clock, on
//! one thread, so that its answer is the same everywhere. It computes with
//! fractions and is not trusted: its rules are taken only where they hold all
//! that is needed, stand on allowed ground, and open less by whole numbers.

use std::collections::BTreeMap;

use microlp::ComparisonOp;
use microlp::OptimizationDirection;
use microlp::Problem;
use microlp::SolveOptions;
use microlp::SolveOutcome;
use microlp::Variable;

use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::family::FamilyTask;
use crate::tighten::parts::Part;
use crate::tighten::plane::cut;
use crate::tighten::plane::peers;
use crate::tighten::ports::Unit;
use crate::tighten::prefixes::Block;

/// Most rules to choose from, and most conditions.
const MOST_CANDIDATES: usize = 500;
const MOST_ROWS: usize = 1_200;

/// Services, gaps between them included.
const MOST_PARTS: usize = 28;

/// A gap of one part in this many is good enough.
const GOOD_ENOUGH: u128 = 50;

/// The part, or a better one that the solver found; and what it proved.
pub(crate) fn improved(
    task: &FamilyTask<'_>,
    protocol: IpProtocol,
    units: &[Unit],
    best: Part,
    most: usize,
) -> Part {
    let Some((volume, _)) = best.least(most) else {
        return best;
    };
    let gap = volume.saturating_sub(best.bound(most));
    let asked = task.family == Family::V4 && task.weights.limits.solver_nodes > 0;
    if !asked || gap <= volume / GOOD_ENOUGH {
        return best;
    }
    let Some(found) = Model::new(task, protocol, units).and_then(|model| model.solve(most)) else {
        return best;
    };
    let best = best.bounded(most, found.bound.min(volume));
    let better = found.boxes.filter(|boxes| {
        boxes.len() <= most && holds(units, boxes) && stands(task, protocol, boxes)
    });
    let measured = better.and_then(|boxes| Some((task.union(&boxes)?, boxes)));
    match measured {
        Some((own, boxes)) if own < volume => {
            let boxes = Part::boxes(own, boxes);
            Part::best_of_two(best, boxes, most)
        }
        Some(_) | None => best,
    }
}

/// Whether the boxes hold all that is needed.
fn holds(units: &[Unit], boxes: &[Plot]) -> bool {
    units.iter().all(|unit| {
        let ends = boxes.iter().flat_map(|plot| {
            let service = plot.transport.service();
            [service.from(), service.to().saturating_add(1)]
        });
        let points: Vec<u16> = ends
            .chain([unit.transport.service().from()])
            .filter(|point| unit.transport.service().contains(*point))
            .collect();
        unit.peers.iter().all(|peer| {
            points.iter().all(|point| {
                boxes.iter().any(|plot| {
                    let (first, last) = net_bounds(plot.net);
                    first <= *peer && *peer <= last && plot.transport.service().contains(*point)
                })
            })
        })
    })
}

/// Whether today's rules allow all of the boxes.
fn stands(task: &FamilyTask<'_>, protocol: IpProtocol, boxes: &[Plot]) -> bool {
    let Some(ground) = task.grounds.get(&protocol) else {
        return false;
    };
    boxes.iter().all(|plot| {
        let (first, last) = net_bounds(plot.net);
        ground.slice(plot.transport.service()).covers(first, last)
    })
}

/// What the solver said.
struct Found {
    /// No rules open less.
    bound: u128,
    boxes: Option<Vec<Plot>>,
}

/// A node of the trie.
struct Node {
    block: Block,
    above: Option<usize>,
    /// Parts that something below needs.
    needed: u64,
    /// The same of each half; twice the same of a single address.
    halves: [u64; 2],
    /// Parts that today's rules allow.
    allowed: u64,
    /// What the block weighs beside its halves.
    own: u128,
    is_leaf: bool,
}

/// A rule that may be taken.
struct Candidate {
    node: usize,
    from: usize,
    to: usize,
}

struct Model<'a> {
    task: &'a FamilyTask<'a>,
    protocol: IpProtocol,
    parts: Vec<PortRange>,
    nodes: Vec<Node>,
    candidates: Vec<Candidate>,
}

fn bit(at: usize) -> u64 {
    u32::try_from(at)
        .ok()
        .and_then(|at| 1u64.checked_shl(at))
        .unwrap_or(0)
}

fn span(from: usize, to: usize) -> u64 {
    (from..=to).fold(0, |bits, at| bits | bit(at))
}

impl<'a> Model<'a> {
    fn new(task: &'a FamilyTask<'a>, protocol: IpProtocol, units: &[Unit]) -> Option<Model<'a>> {
        let services: Vec<PortRange> = units.iter().map(|unit| unit.transport.service()).collect();
        let parts = cut(&services);
        if parts.len() > MOST_PARTS {
            return None;
        }
        let peers: Vec<(u128, u64)> = peers(units, &parts)
            .into_iter()
            .map(|(peer, bits)| (peer, u64::from(bits)))
            .collect();
        if peers.len() * parts.len() > MOST_ROWS {
            return None;
        }
        let mut model = Model {
            task,
            protocol,
            parts,
            nodes: Vec::new(),
            candidates: Vec::new(),
        };
        let ground = task.grounds.get(&protocol)?;
        model.grow(&peers, None, ground);
        for at in 0..model.nodes.len() {
            model.choose(at);
        }
        let rows = model.nodes.len() * model.parts.len();
        (model.candidates.len() <= MOST_CANDIDATES && rows <= MOST_ROWS).then_some(model)
    }

    /// Adds the node of these addresses and all below it.
    fn grow(&mut self, peers: &[(u128, u64)], above: Option<usize>, ground: &Ground) {
        let first = peers.first().map_or(0, |peer| peer.0);
        let last = peers.last().map_or(0, |peer| peer.0);
        let block = Block::spanning(first, last);
        let needs = |peers: &[(u128, u64)]| peers.iter().fold(0, |bits, (_, own)| bits | own);
        let parts = self.parts.iter().enumerate();
        let allowed = parts.filter(|(_, part)| {
            let slice = ground.slice(**part);
            slice.covers(block.first(), block.last())
        });
        let allowed = allowed.fold(0, |bits, (at, _)| bits | bit(at));
        let at = self.nodes.len();
        let weight = |block| self.task.weights.addresses(self.task.family, block);
        let is_leaf = first == last;
        let (low, high) = peers.split_at(peers.partition_point(|(peer, _)| block.is_lower(*peer)));
        let halves = if is_leaf {
            [needs(peers); 2]
        } else {
            [needs(low), needs(high)]
        };
        let below = |half: &[(u128, u64)]| {
            let ends = half.first().zip(half.last());
            ends.map_or(0, |(a, b)| weight(Block::spanning(a.0, b.0)))
        };
        let own = if is_leaf {
            weight(block)
        } else {
            weight(block).saturating_sub(below(low).saturating_add(below(high)))
        };
        self.nodes.push(Node {
            block,
            above,
            needed: needs(peers),
            halves,
            allowed,
            own,
            is_leaf,
        });
        if !is_leaf {
            self.grow(low, Some(at), ground);
            self.grow(high, Some(at), ground);
        }
    }

    /// Adds the closed rules at a node.
    fn choose(&mut self, at: usize) {
        let Some(node) = self.nodes.get(at) else {
            return;
        };
        let mut found = Vec::new();
        for from in 0..self.parts.len() {
            for to in from..self.parts.len() {
                let span = span(from, to);
                let ends = node.needed & bit(from) != 0 && node.needed & bit(to) != 0;
                let closed = node.halves.iter().all(|half| half & span != 0);
                if ends && closed && node.allowed & span == span {
                    found.push(Candidate { node: at, from, to });
                }
            }
        }
        self.candidates.extend(found);
    }

    fn solve(&self, most: usize) -> Option<Found> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let cost =
            |node: &Node, part: &PortRange| node.own.saturating_mul(self.task.weights.ports(*part));
        let costs = self
            .nodes
            .iter()
            .flat_map(|node| self.parts.iter().map(move |part| (node, part)));
        let unit = costs.map(|(node, part)| cost(node, part)).max()?.max(1);
        let taken: Vec<Variable> = self
            .candidates
            .iter()
            .map(|_| problem.add_binary_var(0.0))
            .collect();
        let budget: Vec<(Variable, f64)> = taken.iter().map(|taken| (*taken, 1.0)).collect();
        problem.add_constraint(budget, ComparisonOp::Le, float(most as u128));
        let mut at_node: BTreeMap<(usize, usize), Vec<Variable>> = BTreeMap::new();
        for (candidate, taken) in self.candidates.iter().zip(&taken) {
            for part in candidate.from..=candidate.to {
                at_node
                    .entry((candidate.node, part))
                    .or_default()
                    .push(*taken);
            }
        }
        let mut open: BTreeMap<(usize, usize), Variable> = BTreeMap::new();
        let mut sure = 0u128;
        for (number, node) in self.nodes.iter().enumerate() {
            for (at, part) in self.parts.iter().enumerate() {
                let here = at_node.get(&(number, at));
                let above = node.above.and_then(|above| open.get(&(above, at)));
                if node.is_leaf && node.needed & bit(at) != 0 {
                    sure = sure.saturating_add(cost(node, part));
                    self.cover(&mut problem, &at_node, number, at);
                    continue;
                }
                if here.is_none() && above.is_none() {
                    continue;
                }
                let own = float(cost(node, part)) / float(unit);
                let variable = problem.add_var(own, (0.0, 1.0));
                if let Some(above) = above {
                    problem.add_constraint(
                        [(variable, 1.0), (*above, -1.0)],
                        ComparisonOp::Ge,
                        0.0,
                    );
                }
                if let Some(here) = here {
                    let mut row: Vec<(Variable, f64)> =
                        here.iter().map(|one| (*one, -1.0)).collect();
                    row.push((variable, 1.0));
                    problem.add_constraint(row, ComparisonOp::Ge, 0.0);
                }
                open.insert((number, at), variable);
            }
        }
        let mut options = SolveOptions::default();
        options.node_limit = Some(u64::from(self.task.weights.limits.solver_nodes));
        let outcome = problem.solve_with(options).ok()?;
        let bound = outcome
            .stats()
            .best_bound
            .map_or(0, |bound| whole(bound, unit));
        let boxes = match &outcome {
            SolveOutcome::Solution(solution) => {
                let chosen = self.candidates.iter().zip(&taken);
                let chosen = chosen.filter(|(_, taken)| solution.var_value(**taken) > 0.5);
                Some(chosen.filter_map(|(one, _)| self.plot(one)).collect())
            }
            SolveOutcome::Interrupted(_) => None,
        };
        Some(Found {
            bound: sure.saturating_add(bound),
            boxes,
        })
    }

    /// Some rule at the leaf or above it must hold the part.
    fn cover(
        &self,
        problem: &mut Problem,
        at_node: &BTreeMap<(usize, usize), Vec<Variable>>,
        leaf: usize,
        part: usize,
    ) {
        let mut row = Vec::new();
        let mut next = Some(leaf);
        while let Some(at) = next {
            let here = at_node.get(&(at, part)).into_iter().flatten();
            row.extend(here.map(|one| (*one, 1.0)));
            next = self.nodes.get(at).and_then(|node| node.above);
        }
        problem.add_constraint(row, ComparisonOp::Ge, 1.0);
    }

    fn plot(&self, candidate: &Candidate) -> Option<Plot> {
        let from = self.parts.get(candidate.from)?;
        let to = self.parts.get(candidate.to)?;
        let service = PortRange::spanning(from.from(), to.to());
        Some(Plot {
            transport: Transport::of(self.protocol, service),
            net: self.nodes.get(candidate.node)?.block.net(Family::V4),
        })
    }
}

/// As near as a fraction comes; it only steers.
#[expect(
    clippy::cast_precision_loss,
    reason = "what the solver says is checked in whole numbers"
)]
fn float(number: u128) -> f64 {
    number as f64
}

/// A bound in whole numbers, a little below what the solver said.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and a negative bound is none"
)]
fn whole(bound: f64, unit: u128) -> u128 {
    let scaled = (bound - 1e-6 - bound.abs() * 1e-6) * float(unit);
    scaled.max(0.0).floor() as u128
}
