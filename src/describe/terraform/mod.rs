//! `terraform show -json` of a plan (or of a state) -> the groups as they
//! will stand.
//!
//! A plan says what changes; what it does not manage stays as the snapshot
//! has it. So every resource becomes a `Delta`: rules that go and rules that
//! come. This is also what the provider does: it revokes the difference, it
//! does not write the whole. Values that are known only after the apply are
//! told apart: a rule that comes with one is never counted on, and never held
//! to be harmless.
//!
//! `read` makes deltas of JSON, `values` and `ranked` rules of a resource's values, `unread`
//! tells what changes access and is not read,
//! `references` finds the group that an unknown id will be, and `applied` puts
//! the deltas on the groups of a snapshot.

mod applied;
mod ranked;
mod read;
mod references;
mod unread;
mod values;

pub use applied::Applied;

use std::path::Path;

use serde_json::Value;

use crate::describe::error::DescribeError;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Transport;
use crate::model::VpcId;

/// What a plan does to security groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    deltas: Vec<Delta>,
    /// Groups that go.
    gone: Vec<SgId>,
    /// Groups that come: the address that stands for the id to be.
    new: Vec<NewGroup>,
    /// Groups whose members will reach each other without a rule, or not.
    members_talk: Vec<(SgId, bool)>,
    notes: Vec<String>,
    /// What changes access and is not read: resource, and what.
    unread: Vec<(String, String)>,
}

/// A group that is yet to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NewGroup {
    id: SgId,
    name: String,
    vpc_id: Option<VpcId>,
    policy: GroupPolicy,
}

/// What one resource does to one direction of one group.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Delta {
    /// The resource.
    address: String,
    group: Target,
    direction: Direction,
    /// Whether it does away with every rule that is there.
    whole: bool,
    /// Rules that go; of a resource that does not change, those it has.
    gone: Vec<Text>,
    come: Vec<Text>,
    /// Rules that come and are not known, in words.
    unknown: Vec<String>,
    /// Whether the resource changes nothing.
    idle: bool,
}

/// Whose rules are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Group(SgId),
    /// The default group of a VPC, and what rules of the plan call it.
    DefaultOf(VpcId, SgId),
    Unknown,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Text {
    transport: Transport,
    peer: Peer,
    effect: Effect,
    priority: Option<u16>,
    description: String,
}

/// All that a rule of a plan can say.
type Said<'r> = (Transport, &'r Peer, Effect, Option<u16>);

impl Text {
    fn said(&self) -> Said<'_> {
        (self.transport, &self.peer, self.effect, self.priority)
    }
}

/// The same of a rule that stands; `None` where it says more.
fn said(rule: &SgRule) -> Option<Said<'_>> {
    let said = (rule.transport, &rule.peer, rule.effect, rule.priority);
    rule.limits.is_empty().then_some(said)
}

/// Whether a JSON document is of `terraform show -json`.
#[must_use]
pub fn is_plan(document: &Value) -> bool {
    let has = |key: &str| document.get(key).is_some();
    has("format_version")
        && [
            "resource_changes",
            "planned_values",
            "values",
            "terraform_version",
        ]
        .iter()
        .any(|key| has(key))
}

/// Reads a plan. `path` is for messages.
///
/// # Errors
/// [`DescribeError::Value`] where a value is none that Terraform prints.
pub fn read(path: &Path, document: &Value) -> Result<Plan, DescribeError> {
    read::plan(document).map_err(|fault| fault.in_file(&path.to_string_lossy()))
}
