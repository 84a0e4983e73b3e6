//! One resource a rule: `aws_vpc_security_group_ingress_rule` and its twin.

use serde_json::Value;

use crate::model::SgRuleId;
use crate::report::change;
use crate::report::change::Added;
use crate::report::change::Change;
use crate::report::change::Narrowed;
use crate::report::change::Terms;
use crate::report::document::RuleReport;
use crate::report::terraform::State;
use crate::report::terraform::hcl;
use crate::report::terraform::hcl::Block;
use crate::report::terraform::hcl::File;
use crate::report::terraform::name_of;
use crate::report::terraform::name_of_new;
use crate::report::terraform::origin;
use crate::report::terraform::peer_argument;
use crate::report::terraform::state;
use crate::report::terraform::state::Managed;

/// The rules as they are.
pub(super) fn adopt(file: &mut File, change: &Change<'_>, state: &State) {
    let mut today: Vec<&RuleReport> = change.stays.clone();
    today.extend(change.narrowed.iter().map(|one| one.rule));
    today.extend(&change.removed);
    today.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
    for rule in today {
        existing(file, change, rule, &Terms::of(rule), &[], state);
    }
}

/// The rules as they should be.
pub(super) fn tighten(file: &mut File, change: &Change<'_>, state: &State) {
    let held = change
        .stays
        .iter()
        .filter(|rule| state.rule(&rule.rule_id).is_some());
    let held = held.count();
    if held > 0 {
        file.comment(&format!("stay as they are in your configuration: {held}"));
    }
    if has_uncertain_order(change) {
        warn_of_order(file, "aws-cli");
    }
    for rule in &change.stays {
        // In a managed group a rule that Terraform does not hold is left alone.
        let unmanaged = matches!(state.style(&change.group.group_id), state::Style::Unmanaged);
        if unmanaged {
            existing(file, change, rule, &Terms::of(rule), &[], state);
        }
    }
    for one in &change.narrowed {
        let was = Terms::of(one.rule).short(change.direction);
        file.comment(&format!("{}: was {was}", one.rule.rule_id));
        existing(
            file,
            change,
            one.rule,
            &one.terms,
            &firsts(change, one),
            state,
        );
    }
    for added in &change.added {
        file.comment(&origin(&added.replaces, added.records));
        let name = name_of_new(change, &added.terms);
        file.block(resource(change, &name, &added.terms, &[], state));
    }
    for rule in &change.removed {
        remove(file, change, rule, state);
    }
}

/// Whether a rule goes for which another stands in: nothing orders the two.
fn has_uncertain_order(change: &Change<'_>) -> bool {
    let narrowed: Vec<&SgRuleId> = change
        .narrowed
        .iter()
        .map(|one| &one.rule.rule_id)
        .collect();
    let replaced = change.proposal.rules.iter().flat_map(|rule| &rule.replaces);
    replaced.into_iter().any(|id| !narrowed.contains(&id))
}

/// Names of the added rules that must stand before this one is narrowed.
fn firsts(change: &Change<'_>, narrowed: &Narrowed<'_>) -> Vec<String> {
    let makes_up = |added: &&Added| added.replaces.contains(&narrowed.rule.rule_id);
    change
        .added
        .iter()
        .filter(makes_up)
        .map(|added| name_of_new(change, &added.terms))
        .collect()
}

/// A rule that exists, with these terms, under the address that it has.
fn existing(
    file: &mut File,
    change: &Change<'_>,
    rule: &RuleReport,
    terms: &Terms,
    firsts: &[String],
    state: &State,
) {
    let held = state.rule(&rule.rule_id);
    let name = match held {
        Some(one) if one.stands_alone() => one.name.clone(),
        Some(one) if !one.in_root => {
            in_module(file, change, one, terms);
            return;
        }
        Some(_) | None => name_of(rule),
    };
    file.block(resource(change, &name, terms, firsts, state));
    let to = format!("{}.{name}", state::separate(change.direction));
    match held {
        None if change::is_cloud_rule(&rule.rule_id) => {
            let import = Block::named("import")
                .attribute("to", to)
                .attribute("id", hcl::string(rule.rule_id.as_str()));
            file.block(import);
        }
        None => {
            file.comment("no import block: the snapshot names no rule id; take it with");
            file.comment("describe-security-group-rules and analyse again");
            file.blank();
        }
        Some(one) => moved(file, one, &to),
    }
}

/// A rule of a `count` or `for_each` becomes a block of its own.
fn moved(file: &mut File, one: &Managed, to: &str) {
    let key = match &one.index {
        None => return,
        Some(Value::String(key)) => hcl::string(key),
        Some(other) => other.to_string(),
    };
    file.comment(&format!(
        "take {} out of its count or for_each",
        one.address
    ));
    let from = format!("{}.{}[{key}]", one.kind, one.name);
    let block = Block::named("moved")
        .attribute("from", from)
        .attribute("to", to.to_owned());
    file.block(block);
}

fn in_module(file: &mut File, change: &Change<'_>, one: &Managed, terms: &Terms) {
    let short = terms.short(change.direction);
    file.comment(&format!("{}: change in its module to {short}", one.address));
    file.blank();
}

fn remove(file: &mut File, change: &Change<'_>, rule: &RuleReport, state: &State) {
    let terms = Terms::of(rule).short(change.direction);
    match state.rule(&rule.rule_id) {
        Some(one) if one.stands_alone() => {
            file.comment(&format!("{} goes: {terms}", rule.rule_id));
            file.comment(&format!("delete the block {}", one.address));
            file.block(removed_block(one));
        }
        Some(one) => {
            let id = &rule.rule_id;
            file.comment(&format!("{id} goes: take {} out: {terms}", one.address));
            file.blank();
        }
        None => unmanaged_removal(file, change, rule, &terms),
    }
}

/// Says in the plan that the resource is meant to go, and fails it while the
/// block is still there.
pub(super) fn removed_block(one: &Managed) -> Block {
    let destroy = Block::named("lifecycle").attribute("destroy", "true".to_owned());
    Block::named("removed")
        .attribute("from", format!("{}.{}", one.kind, one.name))
        .block(destroy)
}

fn unmanaged_removal(file: &mut File, change: &Change<'_>, rule: &RuleReport, terms: &str) {
    let id = &rule.rule_id;
    file.comment(&format!("{id} goes: {terms}"));
    let (group, direction) = (&change.group.group_id, change.direction);
    let call = format!(
        "aws ec2 revoke-security-group-{direction} --group-id {group} --security-group-rule-ids {id}"
    );
    by_hand(file, rule, &call);
}

/// Terraform deletes only what it holds; the call deletes the rule, where the
/// cloud gave it an id.
pub(super) fn by_hand(file: &mut File, rule: &RuleReport, call: &str) {
    file.comment("It is not in this file. If Terraform holds it (apply `--terraform-stage adopt`");
    file.comment("first), its absence deletes it; else delete it by hand:");
    if change::is_cloud_rule(&rule.rule_id) {
        file.comment(&format!("  {call}"));
    }
    file.blank();
}

/// What is said where nothing orders a rule that goes and the one that makes up
/// for it; `format` is the one that does.
pub(super) fn warn_of_order(file: &mut File, format: &str) {
    file.comment("Terraform may delete a rule some seconds before the one that makes up for it");
    file.comment(&format!(
        "is there; where that matters, use the {format} format, which adds first."
    ));
}

fn resource(
    change: &Change<'_>,
    name: &str,
    terms: &Terms,
    firsts: &[String],
    state: &State,
) -> Block {
    let kind = state::separate(change.direction);
    let group = state.group_expression(&change.group.group_id);
    let description = Some(terms.description.as_str()).filter(|text| !text.is_empty());
    let block = Block::resource(kind, name)
        .attribute("security_group_id", group)
        .optional("description", description.map(hcl::string));
    let block = peer_argument(block, &terms.peer, state)
        .attribute("ip_protocol", hcl::string(terms.api_protocol()));
    let ports = terms.ports();
    let block = block
        .optional("from_port", ports.map(|(from, _)| from.to_string()))
        .optional("to_port", ports.map(|(_, to)| to.to_string()));
    let firsts: Vec<String> = firsts.iter().map(|name| format!("{kind}.{name}")).collect();
    let list = format!("[{}]", firsts.join(", "));
    block.optional("depends_on", (!firsts.is_empty()).then_some(list))
}
