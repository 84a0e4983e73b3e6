//! The question: what may be taken from one direction of one group.
//!
//! Everything that decides is in here, so that [`fn@crate::tighten::propose`] is
//! a function of its argument alone.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use crate::attribute::needs::Need;
use crate::model::Direction;
use crate::model::PrefixList;
use crate::model::PrefixListId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::AddressSet;
use crate::net::PortSet;
use crate::tighten::plan::Applicability;
use crate::tighten::proof::book::Book;
use crate::tighten::references::References;
use crate::tighten::weight::Vacancy;
use crate::tighten::weight::sensitive_ports;

/// One direction of one group, with what it must go on allowing.
pub struct Case<'a> {
    /// The group as it stands today.
    pub group: &'a SecurityGroup,
    /// The direction.
    pub direction: Direction,
    /// What was let through, over all interfaces that carry the group.
    pub needs: &'a [Need],
    /// What may be done to each rule; a rule that is absent is held.
    pub standing: &'a BTreeMap<SgRuleId, Standing>,
    /// Whether the group was watched well enough.
    pub watch: Watch,
    /// Prefix lists by id: their weight in the quota, their entries.
    pub prefix_lists: &'a BTreeMap<PrefixListId, PrefixList>,
    /// Private addresses of the interfaces that carry a group today.
    pub members: &'a dyn Fn(&SgId) -> AddressSet,
    /// Whether what nobody answered was left out of the needs.
    pub answered_only: bool,
    /// Addresses of needs that will change hands: no rule names them.
    pub moving: &'a BTreeSet<IpAddr>,
    /// Groups that could be referred to in place of addresses.
    pub references: &'a References,
    /// The snapshots, for the proof of such references; without it, there are
    /// none.
    pub book: Option<&'a Book<'a>>,
    /// What goes out of the group's interfaces by default; `None` where its type
    /// lets nothing out.
    pub let_out: Option<&'a Unruled<'a>>,
    /// What members use of each other by the group's own policy; `None` where
    /// they reach each other by rules alone.
    pub among: Option<&'a Among<'a>>,
    /// Addresses of the group's VPC that no interface owned in any snapshot.
    pub vacancy: &'a Vacancy,
    /// Quota and taste.
    pub limits: &'a Limits,
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("group", &self.group.id)
            .field("direction", &self.direction)
            .field("needs", &self.needs.len())
            .finish_non_exhaustive()
    }
}

/// What passes a group's interfaces without a rule, and who has a say in it.
#[derive(Clone, Debug, Default)]
pub struct Unruled<'a> {
    /// What passed at any interface that carries the group, sorted. Of what came
    /// from fellow members, `covered_by` names rules of any group of the
    /// interface.
    pub needs: Vec<Need>,
    /// All groups that share an interface with it, itself included, sorted.
    pub beside: Vec<&'a SecurityGroup>,
    /// Whether one of them is not in the snapshot.
    pub unknown: bool,
    /// Whether more passed than the needs say, or may have: by interfaces or
    /// between addresses that the newest snapshot gives to others, or to nobody.
    pub lost: bool,
}

/// What the members of a group use of each other without needing a rule.
#[derive(Clone, Debug, Default)]
pub struct Among<'a> {
    /// What came in from an address that is, or may have been, a fellow
    /// member's.
    pub unruled: Unruled<'a>,
    /// Interfaces that carry the group.
    pub interfaces: usize,
    /// Whether one of them has an address of IPv6.
    pub ipv6: bool,
}

/// What may be done to a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be narrowed, or removed where nothing needs it.
    Free,
    /// It stays as it is; why, as a sentence without its subject
    /// (`is for traffic that groups never filter`).
    Hold(String),
}

/// How well a group was watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watch {
    /// Well enough to propose.
    Enough {
        /// How far the proposal may be trusted at best.
        applicability: Applicability,
        /// What it rests on.
        reasons: Vec<String>,
    },
    /// Not well enough, and why.
    Insufficient(Vec<String>),
}

/// Quota and taste of proposals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rules a group may have in one direction, for IPv4 and for IPv6 apart
    /// (VPC user guide, "Amazon VPC quotas": 60 unless raised).
    pub rule_quota: u32,
    /// Rules that all groups of an interface may have together in one
    /// direction and family (the same page: 1,000, not adjustable).
    pub interface_quota: u32,
    /// Ports, of TCP and UDP, behind which an opening weighs more.
    pub sensitive_ports: PortSet,
    /// How many times as much. 1 or more.
    pub sensitive_weight: u32,
    /// An address of the group's VPC that no interface owned weighs one part
    /// in this many. 1 or more.
    pub vacant_share: u32,
    /// What one step of change to the rules that exist is worth, in
    /// address-ports: to narrow or to remove a rule is one step, to add one
    /// two. A change that closes less is not proposed.
    pub step_worth: u64,
    /// Openings that differ by less, in address-ports, are as good as each
    /// other where the quota presses; then fewer rules win. 1 or more.
    pub tolerance: u64,
    /// Most branches that the solver follows.
    pub solver_nodes: u32,
    /// More distinct public addresses than this behind a wide rule make a
    /// public service, whose prefix is kept: tomorrow's clients are others.
    pub public_peers: usize,
    /// What having one rule less is worth, in address-ports opened beyond
    /// what was needed.
    pub rule_worth: u64,
    /// A prefix joins addresses only where at least one in this many of its
    /// addresses (IPv6: of its /64 networks) was needed. 1 or more.
    pub sparsest: u32,
    /// Where the quota presses, fewer rules are as good as more if they open
    /// at most one part in this many beyond them. 1 or more.
    pub slack: u32,
    /// An IPv4 rule is wide where its prefix is shorter than this.
    pub wide_v4: u8,
    /// An IPv6 rule is wide where its prefix is shorter than this.
    pub wide_v6: u8,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            rule_quota: 60,
            interface_quota: 1_000,
            sensitive_ports: sensitive_ports(),
            sensitive_weight: 8,
            vacant_share: 4,
            step_worth: 1,
            tolerance: 1,
            solver_nodes: 50,
            public_peers: 25,
            rule_worth: 4,
            sparsest: 4,
            slack: 64,
            wide_v4: 8,
            wide_v6: 16,
        }
    }
}
