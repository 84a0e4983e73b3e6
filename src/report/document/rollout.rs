//! The changes of a proposal in order, as others read them:
//! `proposals[].rollout` of `analysis.json`.

use std::net::IpAddr;

use serde::Deserialize;
use serde::Serialize;

use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;

/// In which order to make the changes, so that at no moment something needed
/// is missing or the quota exceeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutReport {
    /// What to do, in order.
    pub steps: Vec<StepReport>,
    /// How to undo all of it once all of it is done, in order. A rule that was
    /// removed comes back under another id.
    pub rollback: Vec<StepReport>,
    /// What the rules count at most on the way, in the family that has more.
    pub quota_peak: u64,
    /// Open connections that a step may cut, by rule. New ones pass.
    pub cuts: Vec<CutReport>,
    /// What to know before starting.
    pub notes: Vec<String>,
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepAction {
    /// A rule keeps its id and says something else.
    Modify,
    /// A rule more.
    Add,
    /// A rule less.
    Remove,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: u64,
    /// What it does.
    pub action: StepAction,
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// The rule; `None` where the cloud has yet to name it: for a rule that is
    /// added, and for one that a rollback removes again, which is known by
    /// what it says.
    pub rule_id: Option<SgRuleId>,
    /// What the rule said before; `None` for one that is added.
    pub from: Option<RuleText>,
    /// What it says after; `None` for one that is removed.
    pub to: Option<RuleText>,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleText {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all` or a number.
    pub protocol: String,
    /// First port, or ICMP type; `None` where it means nothing.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; `None` where it means nothing.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
    /// The customer's text; hostile until escaped.
    pub description: String,
}

/// Connections that are untracked under a rule, and so are cut at once when
/// it is changed (EC2 user guide, "Security group connection tracking").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutReport {
    /// The rule that is changed.
    pub rule_id: SgRuleId,
    /// Which way the connections were opened.
    pub direction: Direction,
    /// How many kinds of connections passed under it: by protocol, port and
    /// far side.
    pub connections: u64,
    /// The busiest of them.
    pub busiest: Vec<CutConnection>,
}

/// One kind of connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CutConnection {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// Lowest service port that it may have.
    pub from_port: u16,
    /// Highest service port that it may have.
    pub to_port: u16,
    /// The far side.
    pub peer: IpAddr,
    /// Records of the initiator-to-responder half.
    pub records: u64,
}
