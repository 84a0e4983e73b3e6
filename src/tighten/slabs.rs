//! Ports in contiguous groups, each with prefixes of its own: the best such
//! grouping for a number of rules, by a table over where groups end.
//!
//! For each run of services that the ground lets stand together, the exact
//! front of its prefixes is found once; the table then takes the least sum of
//! runs that follow each other. Exact among all sets of rules in which every
//! service lies in one group. Bounded: beyond so much work there is none.

use crate::tighten::family::FamilyTask;
use crate::tighten::front::Front;
use crate::tighten::front::IMPOSSIBLE;
use crate::tighten::ports::Unit;
use crate::tighten::ports::joined;

/// Most services that are put in groups this way.
const MOST_UNITS: usize = 40;

/// Most of services² × addresses × rules.
const MOST_WORK: usize = 60_000_000;

/// A run of services as one, with its least volumes by number of rules.
struct Run {
    /// How many services it takes.
    length: usize,
    unit: Unit,
    costs: Vec<u128>,
}

/// The way to reach one place of the table.
#[derive(Clone, Copy)]
struct Step {
    volume: u128,
    /// Which run ends here, and how many rules it has.
    run: usize,
    rules: usize,
}

/// The grouping with the least volume within `most` rules; `None` where there
/// is too much to try, or nothing fits.
pub(crate) fn slabs(task: &FamilyTask<'_>, units: &[Unit], most: usize) -> Option<Vec<Unit>> {
    let squared = units.len().checked_mul(units.len())?;
    let addresses: usize = units.iter().map(|unit| unit.peers.len()).sum();
    let work = squared.checked_mul(addresses)?.checked_mul(most)?;
    if units.len() > MOST_UNITS || work > MOST_WORK {
        return None;
    }
    // At `n`, all runs that end with service `n`.
    let runs: Vec<Vec<Run>> = (0..units.len())
        .map(|end| runs_to(task, units, end, most))
        .collect();
    let mut table: Vec<Vec<Step>> = vec![start(most)];
    for ending in &runs {
        let row = (0..=most).map(|rules| best(&table, ending, rules));
        let row = row.collect();
        table.push(row);
    }
    chosen(&table, &runs, most)
}

fn start(most: usize) -> Vec<Step> {
    let step = Step {
        volume: 0,
        run: 0,
        rules: 0,
    };
    vec![step; most + 1]
}

/// Runs of services that end with this one, shortest first.
fn runs_to(task: &FamilyTask<'_>, units: &[Unit], end: usize, most: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (length, unit) in (1..).zip(units.iter().take(end + 1).rev()) {
        let wider = match runs.last() {
            None => Some(unit.clone()),
            Some(run) => joined(unit, &run.unit, &task.grounds),
        };
        let Some(wider) = wider else { break };
        let fronts = task.fronts(std::slice::from_ref(&wider), most);
        runs.push(Run {
            length,
            costs: fronts
                .first()
                .map(Front::costs)
                .unwrap_or_default()
                .to_vec(),
            unit: wider,
        });
    }
    runs
}

/// The least volume of all services up to here within so many rules.
fn best(table: &[Vec<Step>], ending: &[Run], rules: usize) -> Step {
    let mut best = Step {
        volume: IMPOSSIBLE,
        run: 0,
        rules: 0,
    };
    for (at, run) in ending.iter().enumerate() {
        let before = table
            .len()
            .checked_sub(run.length)
            .and_then(|row| table.get(row));
        for (own, cost) in (1..=rules).zip(&run.costs) {
            let rest = before.and_then(|row| row.get(rules - own));
            let volume = rest.map_or(IMPOSSIBLE, |step| step.volume.saturating_add(*cost));
            if volume < best.volume {
                best = Step {
                    volume,
                    run: at,
                    rules: own,
                };
            }
        }
    }
    best
}

/// Follows the table back from its end.
fn chosen(table: &[Vec<Step>], runs: &[Vec<Run>], most: usize) -> Option<Vec<Unit>> {
    let mut chosen = Vec::new();
    let (mut row, mut left) = (runs.len(), most);
    while row > 0 {
        let step = table.get(row)?.get(left)?;
        if step.volume == IMPOSSIBLE {
            return None;
        }
        let run = runs.get(row - 1)?.get(step.run)?;
        chosen.push(run.unit.clone());
        row -= run.length;
        left -= step.rules;
    }
    chosen.reverse();
    Some(chosen)
}
