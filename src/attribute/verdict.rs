//! What attribution can say: of a rule, of a REJECT, and how surely. The
//! spellings are those of `analysis.json`.

use serde::Deserialize;
use serde::Serialize;

use crate::model::SgRuleId;

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleStatus {
    /// Some connection passed that no other rule of the interface covers.
    Used,
    /// Connections passed, each covered by another rule too.
    Redundant,
    /// None passed, and the group's interfaces were watched.
    Unused,
    /// Stronger rules decide all of it on every interface.
    Shadowed,
    /// No interface that carries the group gave a usable record.
    Unobservable,
    /// The rule is for traffic that groups never filter.
    NoEffect,
}

/// How strong an unused claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Tier {
    /// Cannot tell.
    U0,
    /// Not observed in the days watched.
    U1,
    /// Probably unused.
    U2,
    /// Removal candidate.
    U3,
    /// Removal candidate, yearly jobs included.
    U4,
}

/// How sure a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Doubt remains.
    Low,
    /// Likely.
    Medium,
    /// As sure as logs allow.
    High,
}

/// What stopped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum RejectCause {
    /// No rule of the interface's groups.
    SecurityGroup,
    /// An entry of the subnet's network ACL.
    NetworkAcl,
    /// Both; fixing one is not enough.
    Both,
    /// VPC Block Public Access.
    BlockPublicAccess,
    /// The configuration would have let it through, or is not known.
    Unexplained,
}

/// What a REJECT asks of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectVerdict {
    /// Wanted traffic, most likely: look at it.
    Misconfiguration,
    /// Scans and strays.
    Noise,
    /// The rules mean it to be so.
    Expected,
    /// Cannot be told.
    Unclear,
}

/// What a nearest rule misses on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Miss {
    /// Another protocol.
    Protocol,
    /// Another port, or ICMP type.
    Port,
    /// Another peer.
    Peer,
}

/// A rule that nearly let a packet through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NearestRule {
    /// The rule.
    pub rule_id: SgRuleId,
    /// On what it misses.
    pub misses: Vec<Miss>,
}
