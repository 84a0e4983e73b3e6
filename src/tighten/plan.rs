//! The answer: what a proposal decides, what it changes, and how far it may be
//! trusted. Plain nouns, shared by the code that proposes and the code that
//! proves.

use std::iter::Sum;
use std::ops::Add;

use serde::Deserialize;
use serde::Serialize;

use crate::evidence::activity::History;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::net::cidr::Family;

/// What a proposal decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Fewer or narrower rules do.
    Tighten,
    /// Nothing to gain.
    Keep,
    /// Not watched well enough to say.
    InsufficientEvidence,
}

/// How far a proposal may be trusted to be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applicability {
    /// To be read, not applied.
    ReportOnly,
    /// To be applied after a person agreed.
    Review,
    /// May be applied.
    Apply,
}

/// A rule that should stand after the change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedRule {
    /// What it matches.
    pub transport: Transport,
    /// Whom it admits.
    pub peer: Peer,
    /// Its rank, where the rules of its group have ranks: that of those it
    /// stands in for.
    pub priority: Option<u16>,
    /// What it does: lets through, but for a Drop that closes a default.
    pub effect: Effect,
    /// Rules of today that it stands in for, sorted. Several planned rules may
    /// name the same one: the first takes over its id, the others are added.
    pub replaces: Vec<SgRuleId>,
    /// Records of what was seen that it carries.
    pub records: u64,
    /// When; `None` where nothing was.
    pub seen: Option<History>,
}

/// Rules as a quota counts them, each family apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    /// Counted for IPv4.
    pub v4: u64,
    /// Counted for IPv6.
    pub v6: u64,
}

impl Quota {
    /// The count of the family that has more.
    #[must_use]
    pub fn most(self) -> u64 {
        self.v4.max(self.v6)
    }

    /// Whether both families are within a quota.
    #[must_use]
    pub fn within(self, quota: u64) -> bool {
        self.most() <= quota
    }

    /// The family's own count.
    #[must_use]
    pub fn of(self, family: Family) -> u64 {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }
}

impl Add for Quota {
    type Output = Quota;

    fn add(self, other: Quota) -> Quota {
        let Quota { v4, v6 } = other;
        Quota {
            v4: self.v4 + v4,
            v6: self.v6 + v6,
        }
    }
}

impl Sum for Quota {
    fn sum<I: Iterator<Item = Quota>>(iter: I) -> Quota {
        iter.fold(Quota::default(), Add::add)
    }
}

/// What to change in one direction of one group.
///
/// Invariant: each of today's rules of that direction is in exactly one of
/// `keep`, `remove`, and the `replaces` of some of `rules`. What stands after
/// the change is `keep` and `rules`.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// What is proposed.
    pub decision: Decision,
    /// How far it may be trusted.
    pub applicability: Applicability,
    /// Why, in plain sentences.
    pub reasons: Vec<String>,
    /// Whether members are to reach each other no more by the group's own
    /// policy (`InnerAccessPolicy` to Drop).
    pub isolates: bool,
    /// New or narrowed rules, sorted.
    pub rules: Vec<PlannedRule>,
    /// Rules to leave as they are, sorted.
    pub keep: Vec<SgRuleId>,
    /// Rules to delete without replacement, sorted.
    pub remove: Vec<SgRuleId>,
    /// Volume address × service × protocol open today; IPv6 in /64 networks.
    pub exposure_before: u128,
    /// The same after the change.
    pub exposure_after: u128,
    /// What today's rules count in the quota.
    pub quota_before: Quota,
    /// The same after the change.
    pub quota_after: Quota,
    /// What part of the volume of its prefixes a set of prefixes with as many
    /// rules might still save, at most: `(volume - bound) / volume`, 0 for a
    /// proven optimum, below 1. Counted without public services, addresses that
    /// change hands and references, which are matters of taste. `None` where
    /// nothing is tightened, or where there is too much to bound.
    pub optimality_gap: Option<f64>,
    /// What the least exposure found is for a number of rules; more rules,
    /// less exposure. Empty where nothing is tightened.
    pub curve: Vec<CurvePoint>,
}

/// One point of exposure against number of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CurvePoint {
    /// Rules in the family that has more, held ones included.
    pub rules: u64,
    /// As [`Proposal::exposure_after`].
    pub exposure: u128,
}
