//! Terraform, in the style in which each group is already managed.
//!
//! A state (`terraform show -json`) tells the style: rules inline in the group,
//! `aws_security_group_rule`, or one resource a rule. Styles are never mixed in
//! a group. Without a state, or for a group that Terraform does not hold, rules
//! are written one resource each, with import blocks for those that exist, so
//! that the first plan shows what changes and creates nothing twice.

mod attached;
mod hcl;
mod inline;
mod ranked;
mod separate;
mod state;

pub use state::State;
pub use state::StateError;

use crate::model::Peer;
use crate::model::SgRuleId;
use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Speaks;
use crate::report::change::Terms;
use crate::report::document::Analysis;
use crate::report::document::ProposalReport;
use crate::report::document::RuleReport;
use crate::report::fingerprint;
use crate::report::human;
use crate::report::terraform::hcl::Block;
use crate::report::terraform::hcl::File;
use crate::report::terraform::state::Style;
use crate::tighten::plan::Applicability;

/// Which configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// As the rules are: a plan imports and changes nothing.
    Adopt,
    /// As they should be.
    Tighten,
}

/// How the configuration is to be written.
#[derive(Clone, Debug)]
pub struct TerraformOptions {
    /// What Terraform holds.
    pub state: State,
    /// Which configuration.
    pub stage: Stage,
    /// The least trust that a proposal needs to be written.
    pub least: Applicability,
}

/// The configuration, as `terraform fmt` leaves it.
#[must_use]
pub fn render(analysis: &Analysis, options: &TerraformOptions) -> String {
    let changes = change::changes(analysis, options.least, Speaks::BOTH);
    let mut file = File::default();
    let ranked = changes.done.iter().any(Change::is_ranked);
    let plain = !ranked || changes.done.iter().any(|change| !change.is_ranked());
    heading(&mut file, options.stage, plain, ranked);
    for change in &changes.done {
        file.blank();
        write_change(&mut file, change, &changes.done, options);
    }
    if changes.done.is_empty() {
        file.blank();
        file.comment("nothing to change");
    }
    for held in &changes.held {
        file.blank();
        file.comment(&format!("{}: not written: {}", held.title(), held.why));
        reasons(&mut file, held.proposal);
    }
    file.finish()
}

fn heading(file: &mut File, stage: Stage, plain: bool, ranked: bool) {
    file.comment("Security group rules by flowcinch. Nothing is applied by writing this file.");
    match stage {
        Stage::Adopt => {
            file.comment("These are the rules of today: a plan imports them and changes nothing.");
        }
        Stage::Tighten => file.comment(
            "These are the rules after the change. Read `terraform plan` before applying.",
        ),
    }
    if plain {
        file.comment("Needs Terraform 1.7 and hashicorp/aws 5.");
    }
    if ranked {
        file.comment("Needs Terraform 1.7 and a current aliyun/alicloud.");
        if stage == Stage::Adopt {
            file.comment(
                "That plan says that rules are created: adding a rule of alicloud that is there",
            );
            file.comment("already takes it over and makes no other.");
        }
    }
}

fn write_change(
    file: &mut File,
    change: &Change<'_>,
    all: &[Change<'_>],
    options: &TerraformOptions,
) {
    let state = &options.state;
    file.comment(&change.title());
    if options.stage == Stage::Tighten {
        sizes(file, change.proposal);
        reasons(file, change.proposal);
    }
    if change.is_ranked() {
        return match options.stage {
            Stage::Adopt => ranked::adopt(file, change, state),
            Stage::Tighten => ranked::tighten(file, change, state),
        };
    }
    match (state.style(&change.group.group_id), options.stage) {
        (Style::Unmanaged, Stage::Adopt) => separate::adopt(file, change, state),
        (_, Stage::Adopt) => file.comment("Terraform holds these rules already."),
        (Style::Unmanaged | Style::Separate, Stage::Tighten) => {
            separate::tighten(file, change, state);
        }
        (Style::Attached, Stage::Tighten) => attached::tighten(file, change, state),
        (Style::Inline(group), Stage::Tighten) => inline::tighten(file, change, all, group, state),
        (Style::Mixed, Stage::Tighten) => file.comment(
            "not written: the state holds rules of this group in two styles; settle on one first",
        ),
    }
}

fn sizes(file: &mut File, proposal: &ProposalReport) {
    let before = human::volume(&proposal.exposure_before);
    let after = human::volume(&proposal.exposure_after);
    let (from, to) = (proposal.quota_before, proposal.quota_after);
    file.comment(&format!(
        "exposure {before} -> {after}, rules of the quota {from} -> {to}"
    ));
}

fn reasons(file: &mut File, proposal: &ProposalReport) {
    for reason in &proposal.reasons {
        file.comment(&format!("- {reason}"));
    }
}

/// A name for a resource that holds a rule of today.
fn name_of(rule: &RuleReport) -> String {
    let id = rule.rule_id.as_str();
    if change::is_cloud_rule(&rule.rule_id) {
        return id.replace('-', "_");
    }
    format!("rule_{}", fingerprint::short(&[id]))
}

/// A name for a resource of a new rule: what it is, and a hash that keeps it
/// apart from others.
fn name_of_new(change: &Change<'_>, terms: &Terms) -> String {
    let short = terms.short(change.direction);
    let mut words = short.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    // A protocol may be a number, and no name may begin with one.
    if !hcl::is_identifier(&words) {
        words = format!("protocol_{words}");
    }
    let group = change.group.group_id.as_str();
    let direction = change.direction.to_string();
    let hash = fingerprint::short(&[group, &direction, &short]);
    format!("{words}_{}", hash.get(..8).unwrap_or(&hash))
}

/// What a line of comment says of a new rule.
fn origin(replaces: &[SgRuleId], records: u64) -> String {
    let ids: Vec<&str> = replaces.iter().map(SgRuleId::as_str).collect();
    let records = human::counted(records, "record");
    if ids.is_empty() {
        return format!("new: {records}");
    }
    format!("new: {records}; in place of {}", ids.join(", "))
}

/// The peer's argument in a separate rule.
fn peer_argument(block: Block, peer: &Peer, state: &State) -> Block {
    match peer {
        Peer::Cidr(net) if net.addr().is_ipv4() => {
            block.attribute("cidr_ipv4", hcl::string(&net.to_string()))
        }
        Peer::Cidr(net) => block.attribute("cidr_ipv6", hcl::string(&net.to_string())),
        Peer::SecurityGroup(id) => {
            block.attribute("referenced_security_group_id", state.group_expression(id))
        }
        Peer::PrefixList(id) => block.attribute("prefix_list_id", hcl::string(id.as_str())),
    }
}
