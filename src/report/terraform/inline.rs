//! Rules inside the group's own resource. Such a resource owns all rules of the
//! group, so all are written, of both directions.

use std::collections::BTreeMap;

use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgId;
use crate::report::change;
use crate::report::change::Change;
use crate::report::change::Terms;
use crate::report::terraform::State;
use crate::report::terraform::hcl;
use crate::report::terraform::hcl::Block;
use crate::report::terraform::hcl::File;
use crate::report::terraform::state;
use crate::report::terraform::state::Managed;

/// The group with all its rules as they should be; once for both directions.
pub(super) fn tighten(
    file: &mut File,
    change: &Change<'_>,
    all: &[Change<'_>],
    held: &Managed,
    state: &State,
) {
    let group = change.group;
    let of_group = |other: &&Change<'_>| other.group.group_id == group.group_id;
    let first = all.iter().find(of_group).map(|first| first.direction);
    if first != Some(change.direction) {
        file.comment("written with the other direction above");
        return;
    }
    let mut blocks = Vec::new();
    for direction in Direction::BOTH {
        let after = change::after(group, direction, all);
        blocks.extend(rule_blocks(direction, &after, &group.group_id, state));
    }
    if held.stands_alone() {
        file.comment(&format!("replace the block {}", held.address));
        file.comment("The state cannot tell rules inline from rules that Terraform does not hold:");
        file.comment("a plan that deletes more than is listed here means the latter.");
        warn_of_the_gap(file);
        file.block(resource(held, blocks));
        return;
    }
    file.comment(&format!("change the rules of {} to these:", held.address));
    warn_of_the_gap(file);
    for block in blocks {
        file.comment_block(block);
    }
}

/// The resource revokes what goes before it authorises what comes.
fn warn_of_the_gap(file: &mut File) {
    file.comment(
        "An apply takes rules away before it adds those in their place: new connections may",
    );
    file.comment(
        "fail for a moment, or for good where adding fails. The AWS CLI script adds first.",
    );
}

fn resource(held: &Managed, blocks: Vec<Block>) -> Block {
    let text = |key| {
        held.text(key)
            .filter(|text| !text.is_empty())
            .map(hcl::string)
    };
    let mut block = Block::resource(&held.kind, &held.name);
    if held.kind == state::GROUP {
        block = block
            .optional("name", text("name"))
            .optional("description", text("description"));
    }
    let revokes = held.is_true("revoke_rules_on_delete");
    block = block
        .optional("vpc_id", text("vpc_id"))
        .optional("revoke_rules_on_delete", revokes.then(|| "true".to_owned()));
    let mut tags = Block::named("tags =");
    for (key, value) in held.map("tags") {
        tags = tags.entry(hcl::string(key), hcl::string(value));
    }
    if !tags.is_empty() {
        block = block.block(tags);
    }
    blocks.into_iter().fold(block, Block::block)
}

/// Rules that differ in the peer alone share a block, as the provider has them.
fn rule_blocks(direction: Direction, rules: &[Terms], own: &SgId, state: &State) -> Vec<Block> {
    let mut shared: BTreeMap<_, Vec<&Peer>> = BTreeMap::new();
    for terms in rules {
        let key = (terms.api_protocol(), terms.ports(), &terms.description);
        shared.entry(key).or_default().push(&terms.peer);
    }
    let block = |((protocol, ports, description), peers): (_, Vec<&Peer>)| {
        let (from, to) = Option::unwrap_or(ports, (0, 0));
        let description: &String = description;
        let description = Some(description).filter(|text| !text.is_empty());
        let block = Block::named(&direction.to_string())
            .optional("description", description.map(|text| hcl::string(text)))
            .attribute("protocol", hcl::string(protocol))
            .attribute("from_port", from.to_string())
            .attribute("to_port", to.to_string());
        peers_of(block, &peers, own, state)
    };
    shared.into_iter().map(block).collect()
}

fn peers_of(block: Block, peers: &[&Peer], own: &SgId, state: &State) -> Block {
    let (mut v4, mut v6, mut lists, mut groups) = (vec![], vec![], vec![], vec![]);
    let mut to_self = false;
    for peer in peers {
        match peer {
            Peer::Cidr(net) if net.addr().is_ipv4() => v4.push(hcl::string(&net.to_string())),
            Peer::Cidr(net) => v6.push(hcl::string(&net.to_string())),
            Peer::PrefixList(list) => lists.push(hcl::string(list.as_str())),
            Peer::SecurityGroup(group) if group == own => to_self = true,
            Peer::SecurityGroup(group) => groups.push(state.group_expression(group)),
        }
    }
    let list = |mut items: Vec<String>| {
        items.sort();
        items.dedup();
        (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
    };
    block
        .optional("cidr_blocks", list(v4))
        .optional("ipv6_cidr_blocks", list(v6))
        .optional("prefix_list_ids", list(lists))
        .optional("security_groups", list(groups))
        .optional("self", to_self.then(|| "true".to_owned()))
}
