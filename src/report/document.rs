//! The analysis as others read it: `analysis.json`, schema
//! `flowcinch.analysis.v1`. Every renderer starts from this document, so what
//! one format shows, all can.
//!
//! Keys and meanings are the contract with scripts; keys may be added, never
//! renamed. Lists are sorted, so equal inputs give equal bytes.

pub mod backtest;
pub mod rollout;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;

use crate::attribute::verdict::Confidence;
use crate::attribute::verdict::NearestRule;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::Provider;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::net::Span;
use crate::net::Timestamp;
use crate::report::document::backtest::BacktestReport;
use crate::report::document::rollout::RolloutReport;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;

/// Name and version of this document's form.
pub const SCHEMA: &str = "flowcinch.analysis.v1";

/// All that one run found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an analysis document")]
pub struct Analysis {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Whether addresses stand for others: then nothing of it may be applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pseudonymised: bool,
    /// The cloud; left out for AWS.
    #[serde(default, skip_serializing_if = "is_aws")]
    pub provider: Provider,
    /// First and last second seen; `None` where nothing was.
    pub window: Option<Span>,
    /// What was read.
    pub ingest: Ingest,
    /// What was watched, and what was not.
    pub coverage: Coverage,
    /// What the snapshot lacks, each with what it costs, sorted.
    #[serde(default)]
    pub caveats: Vec<Caveat>,
    /// Groups by id, each with the usage of its rules.
    pub security_groups: Vec<GroupReport>,
    /// REJECTs folded by interface, direction, protocol, port and peer.
    pub rejects: Vec<RejectReport>,
    /// What to change, by group and direction.
    pub proposals: Vec<ProposalReport>,
    /// The proof that the proposals are safe.
    pub verification: Verification,
    /// Who talks to whom, by group: a summary for people.
    #[serde(default)]
    pub talks: Vec<TalkReport>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
pub(super) fn is_aws(provider: &Provider) -> bool {
    *provider == Provider::Aws
}

/// The cloud that a snapshot speaks of.
#[must_use]
pub fn provider_of(snapshot: &Snapshot) -> Provider {
    snapshot.provider
}

/// What was read, counted. `records` is `accepted + rejected + other`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingest {
    /// Objects opened.
    pub objects: u64,
    /// Bytes as stored.
    pub compressed_bytes: u64,
    /// Bytes after inflating.
    pub text_bytes: u64,
    /// Rows about traffic.
    pub records: u64,
    /// Rows with ACCEPT.
    pub accepted: u64,
    /// Rows with REJECT.
    pub rejected: u64,
    /// Rows about traffic without a verdict.
    pub other: u64,
    /// NODATA rows.
    pub no_data: u64,
    /// SKIPDATA rows.
    pub skip_data: u64,
    /// Lines that could not be read.
    pub malformed: u64,
    /// The first of them.
    pub malformed_samples: Vec<MalformedSample>,
    /// Objects that could not be read to their end.
    pub unreadable: Vec<Unreadable>,
    /// Rows outside the span asked for by `--since` and `--until`: read, and
    /// counted nowhere else.
    #[serde(default)]
    pub outside_window: u64,
    /// Where memory did not tell peers and ports apart, by interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub coarsened: Vec<Coarsened>,
}

/// Peers or ports of an interface that were too many for memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coarsened {
    /// The interface.
    pub interface_id: EniId,
    /// Whether it is what was let through; else what was not.
    pub accepted: bool,
    /// Whether it is between own addresses, whose ports alone are coarse; else
    /// with peers from outside.
    pub inside: bool,
    /// Bits that are left of an IPv4 address from outside; more where rules ask.
    pub ipv4_prefix: u8,
    /// Bits that are left of an IPv6 address from outside.
    pub ipv6_prefix: u8,
    /// Bits that are left of a service port.
    pub port_bits: u8,
}

/// A line that could not be read, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MalformedSample {
    /// Name of the object.
    pub object: String,
    /// Line number in the inflated object, from 1.
    pub line: u64,
    /// Offset of the line's first byte in the inflated object, from 0.
    pub byte: u64,
    /// What is wrong.
    pub reason: String,
}

/// An object that could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unreadable {
    /// Name of the object.
    pub object: String,
    /// Why.
    pub reason: String,
}

/// What was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Interfaces of the newest snapshot.
    pub interfaces_in_snapshot: u64,
    /// Of those, how many the logs speak of.
    pub interfaces_logged: u64,
    /// Interfaces in the logs that no snapshot knows.
    pub unknown_interfaces: Vec<EniId>,
    /// Interfaces of the newest snapshot that the logs never speak of.
    pub unlogged_interfaces: Vec<EniId>,
    /// Subnets of several interfaces of which the logs speak of none, by id.
    #[serde(default)]
    pub unlogged_subnets: Vec<UnloggedSubnet>,
    /// Interface-hours with a row and without loss.
    pub interface_hours_observed: u64,
    /// Interface-hours in which records were lost.
    pub interface_hours_lost: u64,
    /// Hours of the newest snapshot's interfaces by what is known of them.
    #[serde(default)]
    pub interface_hours: InterfaceHours,
    /// Records that could not be attributed, by reason.
    pub unresolved: BTreeMap<String, u64>,
}

/// A subnet of whose interfaces no log speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnloggedSubnet {
    /// Its id.
    pub subnet_id: String,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Its interfaces, all of them in `unlogged_interfaces` too; at least two.
    pub interfaces: Vec<EniId>,
}

/// Hours of interfaces; together, all hours of the window in which the
/// interfaces were there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterfaceHours {
    /// With accepted traffic, and nothing lost.
    pub accepted: u64,
    /// With REJECT records alone, and nothing lost.
    pub rejected: u64,
    /// With NODATA rows alone: they tell that there was nothing. Documents of
    /// before count hours with REJECT records alone here.
    #[serde(alias = "idle")]
    pub no_data: u64,
    /// With a SKIPDATA row: records were lost.
    pub lost: u64,
    /// Without a row, while flow logs delivered.
    pub quiet: u64,
    /// Without a row, and nothing says that somebody watched.
    pub dark: u64,
}

/// Something that weakens what the analysis can say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Caveat {
    /// Stable code that `flowcinch explain` knows.
    pub code: String,
    /// What it is and what it costs.
    pub text: String,
}

/// A group with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupReport {
    /// Its id.
    pub group_id: SgId,
    /// Its name.
    pub group_name: String,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// The account that owns it, where the snapshot says so.
    #[serde(default)]
    pub account_id: Option<String>,
    /// Interfaces that carry it.
    pub interfaces: u64,
    /// Of those, how many the logs speak of.
    pub interfaces_logged: u64,
    /// What its interfaces let through by no rule; left out where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_rule: Vec<WithoutRuleReport>,
    /// Its rules, sorted by direction and id.
    pub rules: Vec<RuleReport>,
}

fn allow() -> Effect {
    Effect::Allow
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_allow(effect: &Effect) -> bool {
    *effect == Effect::Allow
}

/// Records let through by no rule, in one direction, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutRuleReport {
    /// The direction.
    pub direction: Direction,
    /// What let them through.
    pub by: WithoutRuleBy,
    /// How many.
    pub records: u64,
}

/// What lets through what no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithoutRuleBy {
    /// Both ends are members of the group, and its intra-group policy is Accept.
    IntraGroup,
    /// The default of the group's type.
    Default,
}

/// A rule with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// Its id.
    pub rule_id: SgRuleId,
    /// Which way it looks.
    pub direction: Direction,
    /// What it does.
    pub effect: Effect,
    /// Rank, where the cloud has ranks.
    pub priority: Option<u16>,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all` or a number.
    pub protocol: String,
    /// First port, or ICMP type; `None` where it means nothing.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code; `None` where it means nothing.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
    /// Whether it asks for more than is said here: source ports, addresses of
    /// the interface's own, a list of ports that is not printed with it. Left
    /// out where it does not, as no rule of AWS does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub limited: bool,
    /// The customer's text.
    pub description: String,
    /// What became of it.
    pub status: RuleStatus,
    /// How strong an unused claim is; `None` for other statuses.
    pub tier: Option<Tier>,
    /// How sure the status is.
    pub confidence: Confidence,
    /// Why the status is what it is.
    pub reasons: Vec<String>,
    /// Records of the initiator-to-responder half of what it covers.
    pub records: u64,
    /// Packets of those.
    pub packets: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// Records that no other rule of the interface covers.
    pub sole_records: u64,
    /// First time it was used.
    pub first_seen: Option<Timestamp>,
    /// Last time it was used.
    pub last_seen: Option<Timestamp>,
    /// When, between the two.
    #[serde(default)]
    pub history: Option<RuleHistory>,
    /// What recurs, where its uses do: a job at each month's end.
    #[serde(default)]
    pub season: Option<RuleSeason>,
    /// Other rules that cover the same connections.
    pub also_allowed_by: Vec<SgRuleId>,
    /// Codes of what the rule is by its words alone, whatever the logs say:
    /// open to the world, all traffic, a reference to its own group.
    #[serde(default)]
    pub codes: Vec<String>,
}

/// When a rule was used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleHistory {
    /// Start of the first stretch.
    pub start: Timestamp,
    /// Seconds of a stretch: 10,800 (3 hours) times a power of two, the
    /// shortest with which 64 stretches reach over all uses.
    pub step_seconds: i64,
    /// A digit a stretch, at most 64: `1` where records of uses began in it.
    pub active: String,
}

/// Uses at even distances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSeason {
    /// Mean distance in days.
    pub period_days: i64,
    /// How often it was seen, at least three times.
    pub times: u64,
    /// The day on which the next is due, its first second.
    pub next_expected: Timestamp,
    /// Whether it was due within the logs, was watched for, and did not come.
    pub missed: bool,
}

/// REJECTs of one interface, direction, protocol, service port and peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectReport {
    /// The interface that recorded it.
    pub interface_id: EniId,
    /// Groups of the interface.
    pub group_ids: Vec<SgId>,
    /// Direction of the rejected packet's own connection; for a reply, the
    /// way the reply went.
    pub direction: Direction,
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// Service port; `None` where it means nothing.
    pub port: Option<u16>,
    /// The far side: an address, or a prefix where peers were folded.
    pub peer: String,
    /// How many addresses that is: more than 1 where scans were folded, null where
    /// memory did not tell them apart.
    #[serde(default = "one")]
    pub peers: Option<u64>,
    /// Groups of the far side's interface, where the snapshot knows it.
    pub peer_groups: Vec<SgId>,
    /// Whether the packet answered a connection that was let through.
    pub reply: bool,
    /// What stopped it.
    pub cause: RejectCause,
    /// Records.
    pub records: u64,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// First time.
    pub first_seen: Timestamp,
    /// Last time.
    pub last_seen: Timestamp,
    /// Rules that come nearest, best first.
    pub nearest: Vec<NearestRule>,
    /// What it asks of a person.
    pub verdict: RejectVerdict,
    /// The explanation in words.
    pub text: String,
    /// The cheapest way to let it through, smallest opening first, where it
    /// looks wanted and is known to be enough: told, never proposed.
    #[serde(default)]
    pub fix: Option<String>,
    /// Rules that dropped it, strongest first; left out where it was the lack
    /// of a rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_by: Vec<SgRuleId>,
}

/// A rule that should stand after the change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProposedRule {
    /// `tcp`, `udp`, `icmp`, `icmpv6`, `all` or a number.
    pub protocol: String,
    /// First port, or ICMP type.
    pub from_port: Option<i32>,
    /// Last port, or ICMP code.
    pub to_port: Option<i32>,
    /// Whom it admits.
    pub peer: Peer,
    /// Its rank; left out where rules have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// What it does; left out where it lets through, as nearly every rule does.
    #[serde(default = "allow", skip_serializing_if = "is_allow")]
    pub effect: Effect,
    /// Rules of today that it stands in for, sorted.
    pub replaces: Vec<SgRuleId>,
    /// Records that it carries.
    pub records: u64,
    /// When.
    #[serde(default)]
    pub history: Option<RuleHistory>,
}

/// What to change in one direction of one group. Each of today's rules is in
/// exactly one of: `keep`, `remove`, or some rule's `replaces`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposalReport {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// What is proposed.
    pub decision: Decision,
    /// How far it may be trusted.
    pub applicability: Applicability,
    /// Why.
    pub reasons: Vec<String>,
    /// What the group's intra-group policy should be: `drop`, where members are
    /// to reach each other by rules alone; left out where it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_access_policy: Option<Effect>,
    /// New or narrowed rules.
    pub rules: Vec<ProposedRule>,
    /// Rules to leave as they are.
    pub keep: Vec<SgRuleId>,
    /// Rules to delete without replacement.
    pub remove: Vec<SgRuleId>,
    /// Volume address × port × protocol open today, as a decimal.
    pub exposure_before: String,
    /// The same after the change.
    pub exposure_after: String,
    /// Rules that count in the quota today, in the family that has more.
    pub quota_before: u64,
    /// The same after the change.
    pub quota_after: u64,
    /// What part of the volume of its prefixes as many rules might still save,
    /// at most: 0 for a proven optimum, 0.03 for 3 %. Public services, addresses
    /// that change hands and references are not counted. `None` where nothing
    /// is tightened, or where there is too much to bound.
    pub optimality_gap: Option<f64>,
    /// The least exposure found by number of rules: more rules, less exposure.
    /// What the proposal takes is at most its `quota_after` rules; the rule
    /// quota moves it.
    #[serde(default)]
    pub curve: Vec<CurveReport>,
    /// The changes in order, and the way back. `None` where nothing changes.
    #[serde(default)]
    pub rollout: Option<RolloutReport>,
    /// What its like of the past would have broken since. `None` where nothing
    /// is tightened, the window is too short, or there is too much to try.
    #[serde(default)]
    pub backtest: Option<BacktestReport>,
}

/// One point of exposure against number of rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurveReport {
    /// Rules that count in the quota, in the family that has more.
    pub rules: u64,
    /// Volume that they open, as a decimal.
    pub exposure: String,
}

/// The proof, summed up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Accepted conversations replayed against the proposed rules.
    pub connections: u64,
    /// Of those, how many would no longer pass. Always 0, or it is a bug.
    pub broken: u64,
    /// Conversations for which a proposed or kept rule was named.
    pub witnesses: u64,
    /// Proposals that would allow what is not allowed today. Always 0.
    pub widened: u64,
    /// Conversations that today's rules do not explain; not replayed.
    pub unexplained: u64,
    /// The same by group and direction.
    pub per_group: Vec<GroupVerification>,
}

/// The proof of one proposal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupVerification {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// Needs of the group that were replayed.
    pub connections: u64,
    /// Of those, how many would no longer pass.
    pub broken: u64,
    /// Needs for which a rule was named.
    pub witnesses: u64,
    /// Packets that would newly pass; empty, or it is a bug.
    pub widened: u64,
}

/// What one group let through, to or from one party. An interface with several
/// groups tells a conversation in each: do not add talks up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkReport {
    /// The group.
    pub group_id: SgId,
    /// Ingress: the party opened it.
    pub direction: Direction,
    /// The far side.
    pub party: TalkParty,
    /// Conversations.
    pub conversations: u64,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// What was asked for, the services with most records.
    pub services: Vec<TalkService>,
    /// How many more services there were.
    pub more_services: u64,
}

/// The far side of a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TalkParty {
    /// Interfaces that carry this group.
    Group(SgId),
    /// Interfaces of the snapshot that carry no group.
    NoGroup,
    /// Private addresses of no known interface.
    Private,
    /// Everything else.
    Internet,
}

/// A service of a talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalkService {
    /// `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: String,
    /// First port; `None` where it means nothing.
    pub from_port: Option<u16>,
    /// Last port, more than the first where the port is not known exactly.
    pub to_port: Option<u16>,
    /// Records of the initiator-to-responder half.
    pub records: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "a default of an optional value")]
fn one() -> Option<u64> {
    Some(1)
}
