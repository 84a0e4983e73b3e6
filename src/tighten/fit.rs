//! Boxes for all that is owed, within the quota.
//!
//! First the readable boxes, made without a thought for the quota. Where they
//! fit, they are taken. Where they do not, the least volume is sought that
//! fits: prefixes exactly, for every number of rules that a family may have
//!; port ranges by bridging their narrowest gaps, in a few
//! steps; references by bridging theirs. What was found is put in again until nothing
//! changes, so that proposing twice is proposing once.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::Peer;
use crate::model::Transport;
use crate::net::cidr::Family;
use crate::tighten::boxes::Plot;
use crate::tighten::case::Limits;
use crate::tighten::family::FamilyTask;
use crate::tighten::family::Way;
use crate::tighten::labels::LabelTask;
use crate::tighten::obligations::Obligations;
use crate::tighten::plan::Quota;
use crate::tighten::public::has_wide;
use crate::tighten::references::Introduced;
use crate::tighten::weight::Vacancy;

/// Addresses beyond which no bound is sought.
const MOST_BOUNDED: usize = 100_000;

/// Rounds of squeezing after which the last result stands. Each round only
/// takes away; two nearly always do.
const ROUNDS: usize = 8;

/// What is to be fitted, and into what.
pub(crate) struct Wish<'a> {
    pub(crate) owed: &'a Obligations,
    pub(crate) limits: &'a Limits,
    /// What the held rules count.
    pub(crate) held: Quota,
    /// What a rule with this peer counts.
    pub(crate) weight: &'a dyn Fn(&Peer) -> Quota,
    /// How many addresses a reference stands for.
    pub(crate) size: &'a dyn Fn(&Peer) -> u128,
    /// Addresses that change hands.
    pub(crate) moving: &'a BTreeSet<IpAddr>,
    /// Addresses of the VPC that nobody owned.
    pub(crate) vacancy: &'a Vacancy,
}

/// Rules by what they say, without ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Boxes {
    /// Sorted.
    pub(crate) plots: Vec<Plot>,
    /// References, sorted.
    pub(crate) labels: Vec<(Peer, Transport)>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) boxes: Boxes,
    /// Whether the quota made them wider than they would be.
    pub(crate) squeezed: bool,
    /// Public services, each with the number of its public addresses.
    pub(crate) public: Vec<(Plot, usize)>,
    /// Prefixes kept for addresses that change hands.
    pub(crate) moving: Vec<Plot>,
    /// Groups that took the place of addresses.
    pub(crate) introduced: Introduced,
}

/// How good boxes are, and what other numbers of rules would buy.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// What part of the boxes' volume as many rules might still save, as parts
    /// of ten thousand; see [`crate::tighten::plan::Proposal::optimality_gap`].
    pub(crate) gap: Option<u32>,
    /// Boxes within each of the quotas that something fits.
    pub(crate) within: Vec<Boxes>,
}

/// Surveys the ways to hold what is owed in at most as many rules as `quotas`
/// and the boxes have.
pub(crate) fn survey(wish: &Wish<'_>, allowed: &Boxes, plots: &[Plot], quotas: &[u32]) -> Survey {
    let labels = LabelTask::new(wish, allowed);
    let (mut volume, mut bound) = (Some(0u128), 0u128);
    let most = quotas.iter().max().copied().unwrap_or(0);
    let families = [Family::V4, Family::V6].map(|family| {
        let mut task = FamilyTask::new(wish, allowed, family);
        let made = task.made_for_units(plots);
        let summed = Some(task.addresses()).filter(|many| *many <= MOST_BOUNDED);
        let own = summed.and_then(|_| task.union(&made));
        let exact = own == Some(task.needed());
        if (own.is_some() && !exact) || most > 0 {
            let room = room(most, family, wish.held).unwrap_or(0);
            let kept = plots.len() - made.len();
            task.squeeze(room.max(made.len() + kept));
        }
        volume = volume.zip(own).map(|(all, own)| all.saturating_add(own));
        bound = bound.saturating_add(task.bound(made.len()));
        task
    });
    let gap = volume.and_then(|volume| {
        let beyond = volume.saturating_sub(bound);
        // Ratios of numbers this large need no more than their upper bits.
        let (beyond, volume) = (beyond.saturating_mul(10_000), volume.max(1));
        u32::try_from(beyond.div_ceil(volume)).ok()
    });
    let boxes = |quota: &u32| {
        let best = choices(wish, *quota, &labels, &families);
        let best = best.min_by_key(|choice| choice.volume)?;
        Some(best.boxes(&labels, &families))
    };
    Survey {
        gap,
        within: quotas.iter().filter_map(boxes).collect(),
    }
}

/// The narrowest boxes within `allowed` that hold what is owed; `None` where
/// none fit the quota.
pub(crate) fn fit(wish: &Wish<'_>, allowed: &Boxes) -> Option<Fitted> {
    let mut fitted = fit_once(wish, allowed)?;
    for _ in 1..ROUNDS {
        // Only what the quota widened, and wide prefixes, which may be taken
        // for those of public services, can come out otherwise next time.
        let is_settled = !fitted.squeezed || is_plain(wish, &fitted);
        if is_settled && !has_wide(&fitted.boxes.plots, wish.limits) {
            break;
        }
        let again = fit_once(wish, &fitted.boxes)?;
        let settled = again.boxes == fitted.boxes;
        fitted = Fitted {
            squeezed: fitted.squeezed || again.squeezed,
            ..again
        };
        if settled {
            break;
        }
    }
    Some(fitted)
}

/// Whether prefixes for one service of a family are all that was asked for.
/// These are found exactly, and of the prefixes inside them none are better,
/// so that asking again would find the same.
fn is_plain(wish: &Wish<'_>, fitted: &Fitted) -> bool {
    let owed = wish.owed;
    let mut services: BTreeMap<Family, usize> = BTreeMap::new();
    for ((family, _), wanted) in &owed.cidrs {
        let own = wanted.points.len() + wanted.spans.len() + wanted.scopes.len();
        *services.entry(*family).or_default() += own;
    }
    owed.labels.is_empty()
        && fitted.public.is_empty()
        && fitted.moving.is_empty()
        && services.values().all(|services| *services <= 1)
}

/// One way for all: the family's own ways, and how many gaps of references are
/// bridged.
struct Choice {
    volume: u128,
    bridges: usize,
    ways: [Way; 2],
}

impl Choice {
    fn boxes(&self, labels: &LabelTask<'_>, families: &[FamilyTask<'_>; 2]) -> Boxes {
        let ways = families.iter().zip(self.ways);
        Boxes {
            plots: ways.flat_map(|(task, way)| task.plots(way)).collect(),
            labels: labels.rules(self.bridges),
        }
    }
}

/// All choices within a quota, by number of gaps bridged.
fn choices<'t>(
    wish: &'t Wish<'_>,
    quota: u32,
    labels: &'t LabelTask<'_>,
    [v4, v6]: &'t [FamilyTask<'_>; 2],
) -> impl Iterator<Item = Choice> + 't {
    let ways = labels.after().iter().enumerate();
    ways.filter_map(move |(bridges, (count, cost))| {
        let taken = *count + wish.held;
        let (in_v4, way_v4) = v4.within(room(quota, Family::V4, taken)?)?;
        let (in_v6, way_v6) = v6.within(room(quota, Family::V6, taken)?)?;
        Some(Choice {
            volume: in_v4.saturating_add(in_v6).saturating_add(*cost),
            bridges,
            ways: [way_v4, way_v6],
        })
    })
}

fn fit_once(wish: &Wish<'_>, allowed: &Boxes) -> Option<Fitted> {
    let quota = wish.limits.rule_quota;
    let labels = LabelTask::new(wish, allowed);
    let at_ease = labels
        .after()
        .first()
        .map_or(wish.held, |(count, _)| *count + wish.held);
    let mut squeezed = false;
    let families = [Family::V4, Family::V6].map(|family| {
        let mut task = FamilyTask::new(wish, allowed, family);
        if !room(quota, family, at_ease).is_some_and(|room| task.fits(room)) {
            squeezed = true;
            task.squeeze(room(quota, family, wish.held).unwrap_or(0));
        }
        task
    });
    let mut choices = choices(wish, quota, &labels, &families);
    let best = if squeezed {
        choices.min_by_key(|choice| choice.volume)
    } else {
        choices.next()
    }?;
    Some(Fitted {
        boxes: best.boxes(&labels, &families),
        squeezed,
        introduced: Introduced::new(),
        moving: families
            .iter()
            .flat_map(|task| task.moving.clone())
            .collect(),
        public: families
            .iter()
            .flat_map(|task| task.public.clone())
            .collect(),
    })
}

/// How many more rules a family may have; `None` where it has too many.
fn room(quota: u32, family: Family, taken: Quota) -> Option<usize> {
    let left = u64::from(quota).checked_sub(taken.of(family))?;
    usize::try_from(left).ok()
}
