//! One resource a ranked rule: `alicloud_security_group_rule`.
//!
//! Nearly every argument of it forces a new resource, so no rule is changed in
//! place. An addition of a rule that is there already succeeds and makes no
//! other (ECS API, `AuthorizeSecurityGroup`), so blocks of today's rules need no
//! import: the plan says that they are created, and nothing changes.

use crate::model::Direction;
use crate::model::Effect;
use crate::model::Peer;
use crate::report::change::Added;
use crate::report::change::Change;
use crate::report::change::PeerKind;
use crate::report::change::Ranked;
use crate::report::change::Terms;
use crate::report::document::RuleReport;
use crate::report::terraform::State;
use crate::report::terraform::hcl;
use crate::report::terraform::hcl::Block;
use crate::report::terraform::hcl::File;
use crate::report::terraform::name_of;
use crate::report::terraform::name_of_new;
use crate::report::terraform::origin;
use crate::report::terraform::separate::by_hand;
use crate::report::terraform::separate::removed_block;
use crate::report::terraform::separate::warn_of_order;
use crate::report::terraform::state;
use crate::report::terraform::state::Managed;

/// The rules as they are.
pub(super) fn adopt(file: &mut File, change: &Change<'_>, state: &State) {
    let mut today: Vec<&RuleReport> = change.stays.clone();
    today.extend(&change.removed);
    today.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
    for rule in today {
        existing(file, change, rule, state);
    }
}

/// The rules as they should be.
pub(super) fn tighten(file: &mut File, change: &Change<'_>, state: &State) {
    let held = change
        .stays
        .iter()
        .filter(|rule| held(change, rule, state).is_some());
    let held = held.count();
    if held > 0 {
        file.comment(&format!("stay as they are in your configuration: {held}"));
    }
    if !change.removed.is_empty() && !change.added.is_empty() {
        warn_of_order(file, "aliyun-cli");
    }
    // In a managed group a rule that Terraform does not hold is left alone.
    if !is_managed(change, state) {
        for rule in &change.stays {
            existing(file, change, rule, state);
        }
    }
    for added in &change.added {
        file.comment(&origin(&added.replaces, added.records));
        let name = name_of_new(change, &added.terms);
        if let Some(block) = resource(change, &name, &added.terms, state) {
            file.block(after_accepts(block, change, added));
        }
    }
    if change.proposal.inner_access_policy.is_some() {
        isolate(file, change, state);
    }
    for rule in &change.removed {
        remove(file, change, rule, state);
    }
}

/// The policy is an argument of the group's own resource.
fn isolate(file: &mut File, change: &Change<'_>, state: &State) {
    let group = &change.group.group_id;
    file.comment("Members reach each other by the intra-group policy. When the rules above are");
    if let Some(one) = state.group(group) {
        file.comment("there, and not before, write in");
        file.comment(&format!("  {}", one.address));
        file.comment("  inner_access_policy = \"Drop\"");
    } else {
        file.comment(
            "there, and not before, set `inner_access_policy` of the group's own resource to",
        );
        file.comment("Drop, or by hand:");
        file.comment(&format!(
            "  aliyun ecs ModifySecurityGroupPolicy --SecurityGroupId {group} --InnerAccessPolicy Drop"
        ));
    }
    file.blank();
}

fn is_managed(change: &Change<'_>, state: &State) -> bool {
    let mut rules = state.rules_of(&change.group.group_id);
    rules.any(|one| one.kind == state::RANKED)
}

/// A Drop comes after the Accepts that let through what was seen.
fn after_accepts(block: Block, change: &Change<'_>, added: &Added) -> Block {
    let accepts = change
        .added
        .iter()
        .filter(|one| added.terms.effect == Effect::Drop && one.terms.effect == Effect::Allow);
    let names = accepts.map(|one| {
        let name = name_of_new(change, &one.terms);
        format!("{}.{name}", state::RANKED)
    });
    let names: Vec<String> = names.collect();
    let list = format!("[{}]", names.join(", "));
    block.optional("depends_on", (!names.is_empty()).then_some(list))
}

/// A rule that exists, in a block of its own, where the provider can say it.
fn existing(file: &mut File, change: &Change<'_>, rule: &RuleReport, state: &State) {
    let id = &rule.rule_id;
    if held(change, rule, state).is_some() {
        return;
    }
    let terms = Terms::of(rule);
    let block = resource(change, &name_of(rule), &terms, state).filter(|_| !rule.limited);
    if let Some(block) = block {
        file.block(block);
        return;
    }
    let short = terms.short(change.direction);
    file.comment(&format!("{id} stays: {short}"));
    file.comment("It is not written: the provider cannot say it in every region.");
    file.blank();
}

fn remove(file: &mut File, change: &Change<'_>, rule: &RuleReport, state: &State) {
    let (id, terms) = (&rule.rule_id, Terms::of(rule).short(change.direction));
    file.comment(&format!("{id} goes: {terms}"));
    match held(change, rule, state) {
        Some(one) if one.stands_alone() => {
            file.comment(&format!("delete the block {}", one.address));
            file.block(removed_block(one));
        }
        Some(one) => {
            file.comment(&format!("take {} out", one.address));
            file.blank();
        }
        None => by_hand(file, rule, &revoke(change, rule)),
    }
}

fn revoke(change: &Change<'_>, rule: &RuleReport) -> String {
    let call = match change.direction {
        Direction::Ingress => "RevokeSecurityGroup",
        Direction::Egress => "RevokeSecurityGroupEgress",
    };
    let (group, id) = (&change.group.group_id, &rule.rule_id);
    format!("aliyun ecs {call} --SecurityGroupId {group} --SecurityGroupRuleId.1 {id}")
}

/// The resource that holds a rule: by the id that later versions of the provider
/// keep, else by what it says.
fn held<'a>(change: &'a Change<'_>, rule: &RuleReport, state: &'a State) -> Option<&'a Managed> {
    let terms = Terms::of(rule);
    let ranked = Ranked::of(&terms);
    let mut rules = state.rules_of(&change.group.group_id);
    rules.find(|one| {
        one.kind == state::RANKED
            && match one
                .text("security_group_rule_id")
                .filter(|id| !id.is_empty())
            {
                Some(id) => id == rule.rule_id.as_str(),
                None => ranked
                    .as_ref()
                    .is_some_and(|ranked| says(one, change.direction, ranked, &terms)),
            }
    })
}

fn says(one: &Managed, direction: Direction, ranked: &Ranked, terms: &Terms) -> bool {
    let is = |key: &str, value: &str| {
        one.text(key)
            .is_some_and(|text| text.eq_ignore_ascii_case(value))
    };
    is("type", &direction.to_string())
        && is("ip_protocol", ranked.protocol)
        && is("port_range", &ranked.ports)
        && is("policy", ranked.policy)
        && one.number("priority") == Some(i64::from(ranked.priority))
        && is(peer_argument(terms), &terms.peer.to_string())
}

fn peer_argument(terms: &Terms) -> &'static str {
    match PeerKind::of(&terms.peer) {
        PeerKind::Cidr => "cidr_ip",
        PeerKind::Ipv6Cidr => "ipv6_cidr_ip",
        PeerKind::Group => "source_security_group_id",
        PeerKind::PrefixList => "prefix_list_id",
    }
}

/// `None` where the provider cannot say it. Groups in a VPC have rules of the
/// network type intranet alone.
fn resource(change: &Change<'_>, name: &str, terms: &Terms, state: &State) -> Option<Block> {
    let ranked = Ranked::of(terms)?;
    let description = Some(terms.description.as_str()).filter(|text| !text.is_empty());
    let peer = match &terms.peer {
        Peer::SecurityGroup(id) => state.group_expression(id),
        Peer::Cidr(_) | Peer::PrefixList(_) => hcl::string(&terms.peer.to_string()),
    };
    let block = Block::resource(state::RANKED, name)
        .attribute(
            "security_group_id",
            state.group_expression(&change.group.group_id),
        )
        .optional("description", description.map(hcl::string))
        .attribute("type", hcl::string(&change.direction.to_string()))
        .attribute("policy", hcl::string(ranked.policy))
        .attribute("priority", ranked.priority.to_string())
        .attribute("ip_protocol", hcl::string(ranked.protocol))
        .attribute("port_range", hcl::string(&ranked.ports))
        .attribute(peer_argument(terms), peer)
        .attribute("nic_type", hcl::string("intranet"));
    Some(block)
}
