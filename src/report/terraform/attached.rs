//! `aws_security_group_rule`: a resource may hold several rules, and any change
//! of what it admits replaces it as a whole.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::Peer;
use crate::model::SgRuleId;
use crate::report::change::Change;
use crate::report::change::Terms;
use crate::report::document::RuleReport;
use crate::report::terraform::State;
use crate::report::terraform::hcl;
use crate::report::terraform::hcl::Block;
use crate::report::terraform::hcl::File;
use crate::report::terraform::name_of_new;
use crate::report::terraform::origin;
use crate::report::terraform::separate;
use crate::report::terraform::state;
use crate::report::terraform::state::Managed;

/// The rules as they should be.
pub(super) fn tighten(file: &mut File, change: &Change<'_>, state: &State) {
    for added in &change.added {
        file.comment(&origin(&added.replaces, added.records));
        let name = name_of_new(change, &added.terms);
        file.block(resource(change, &name, &[&added.terms], state));
    }
    let mut seen = BTreeSet::new();
    let direction = change.direction.to_string();
    let of_direction = |one: &&Managed| one.text("type") == Some(direction.as_str());
    for held in state.rules_of(&change.group.group_id).filter(of_direction) {
        let holding = Holding::new(change, held);
        seen.extend(holding.ids());
        if holding.changes() {
            holding.write(file, change, state);
        }
    }
    let touched = change
        .narrowed
        .iter()
        .map(|one| one.rule)
        .chain(change.removed.iter().copied());
    for rule in touched.filter(|rule| !seen.contains(&rule.rule_id)) {
        let short = Terms::of(rule).short(change.direction);
        let id = &rule.rule_id;
        let place = match state.group(&change.group.group_id) {
            Some(group) => format!("; it may stand inline in {}, else", group.address),
            None => ":".to_owned(),
        };
        file.comment(&format!(
            "{id} ({short}) is in no aws_security_group_rule of the state{place} change it with the aws-cli format"
        ));
    }
}

/// A resource and what becomes of the rules that it holds.
struct Holding<'a> {
    held: &'a Managed,
    stays: Vec<&'a RuleReport>,
    narrowed: Vec<(&'a RuleReport, Terms)>,
    removed: Vec<&'a RuleReport>,
}

impl<'a> Holding<'a> {
    fn new(change: &Change<'a>, held: &'a Managed) -> Holding<'a> {
        let is_in = |rule: &&RuleReport| holds(held, rule);
        let narrowed = change.narrowed.iter().filter(|one| holds(held, one.rule));
        Holding {
            held,
            stays: change.stays.iter().copied().filter(is_in).collect(),
            narrowed: narrowed.map(|one| (one.rule, one.terms.clone())).collect(),
            removed: change.removed.iter().copied().filter(is_in).collect(),
        }
    }

    fn ids(&self) -> impl Iterator<Item = SgRuleId> {
        let narrowed = self.narrowed.iter().map(|(rule, _)| *rule);
        let rules = self
            .stays
            .iter()
            .copied()
            .chain(narrowed)
            .chain(self.removed.iter().copied());
        rules
            .map(|rule| rule.rule_id.clone())
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn changes(&self) -> bool {
        !self.narrowed.is_empty() || !self.removed.is_empty()
    }

    fn write(&self, file: &mut File, change: &Change<'_>, state: &State) {
        for (rule, terms) in &self.narrowed {
            let (was, is) = (
                Terms::of(rule).short(change.direction),
                terms.short(change.direction),
            );
            file.comment(&format!("{}: {was} becomes {is}", rule.rule_id));
        }
        for rule in &self.removed {
            let was = Terms::of(rule).short(change.direction);
            file.comment(&format!("{} goes: {was}", rule.rule_id));
        }
        if !self.held.stands_alone() {
            let goes = self.stays.is_empty() && self.narrowed.is_empty();
            file.comment(&if goes {
                format!("take {} out", self.held.address)
            } else {
                format!("change {} to match", self.held.address)
            });
            file.blank();
            return;
        }
        self.write_blocks(file, change, state);
    }

    fn write_blocks(&self, file: &mut File, change: &Change<'_>, state: &State) {
        let stays: Vec<Terms> = self.stays.iter().map(|rule| Terms::of(rule)).collect();
        let mut after: Vec<&Terms> = self.narrowed.iter().map(|(_, terms)| terms).collect();
        after.extend(&stays);
        let mut shared: BTreeMap<_, Vec<&Terms>> = BTreeMap::new();
        for terms in after {
            shared.entry(key(terms)).or_default().push(terms);
        }
        let mut parts = shared.into_values();
        let Some(first) = parts.next() else {
            file.comment(&format!("delete the block {}", self.held.address));
            file.block(separate::removed_block(self.held));
            return;
        };
        let mut needs = self.added_for(change);
        for part in parts {
            let name = part
                .first()
                .map_or_else(String::new, |terms| name_of_new(change, terms));
            needs.push(name.clone());
            file.block(resource(change, &name, &part, state));
        }
        self.write_successor(file, change, &first, &needs, state);
    }

    /// New rules that must stand before this resource lets go.
    fn added_for(&self, change: &Change<'_>) -> Vec<String> {
        let gone: BTreeSet<SgRuleId> = self.ids().collect();
        let makes_up = change
            .added
            .iter()
            .filter(|added| added.replaces.iter().any(|id| gone.contains(id)));
        makes_up
            .map(|added| name_of_new(change, &added.terms))
            .collect()
    }

    /// The block that keeps the address. The new one is made before the old is
    /// deleted, unless they share a rule: the cloud refuses it twice.
    fn write_successor(
        &self,
        file: &mut File,
        change: &Change<'_>,
        part: &[&Terms],
        needs: &[String],
        state: &State,
    ) {
        let mut block = resource(change, &self.held.name, part, state);
        if !needs.is_empty() {
            let needs: Vec<String> = needs
                .iter()
                .map(|name| format!("{}.{name}", state::ATTACHED))
                .collect();
            block = block.attribute("depends_on", format!("[{}]", needs.join(", ")));
        }
        file.comment(&format!("replace the block {}", self.held.address));
        if self.stays.is_empty() {
            let lifecycle =
                Block::named("lifecycle").attribute("create_before_destroy", "true".to_owned());
            block = block.block(lifecycle);
        } else {
            file.comment("Terraform deletes this resource and makes it anew: for some seconds its");
            file.comment("rules do not stand, and new connections are refused.");
        }
        file.block(block);
    }
}

/// What rules of one resource share: everything but a prefix or list.
fn key(terms: &Terms) -> (&str, Option<(i32, i32)>, &str, Option<&str>) {
    let group = match &terms.peer {
        Peer::SecurityGroup(group) => Some(group.as_str()),
        Peer::Cidr(_) | Peer::PrefixList(_) => None,
    };
    (
        terms.api_protocol(),
        terms.ports(),
        &terms.description,
        group,
    )
}

/// Whether the resource holds the rule.
fn holds(held: &Managed, rule: &RuleReport) -> bool {
    if let Some(id) = held
        .text("security_group_rule_id")
        .filter(|id| !id.is_empty())
    {
        return id == rule.rule_id.as_str();
    }
    let terms = Terms::of(rule);
    let protocol = held.text("protocol").unwrap_or_default();
    let number = |key| held.number(key).unwrap_or(0);
    let same_ports = terms.ports().is_none_or(|(from, to)| {
        number("from_port") == i64::from(from) && number("to_port") == i64::from(to)
    });
    let has = |key: &str, text: &str| held.texts(key).any(|one| one == text);
    let same_peer = match &terms.peer {
        Peer::Cidr(net) => {
            let text = net.to_string();
            has("cidr_blocks", &text) || has("ipv6_cidr_blocks", &text)
        }
        Peer::PrefixList(list) => has("prefix_list_ids", list.as_str()),
        Peer::SecurityGroup(group) => {
            let source = held.text("source_security_group_id").unwrap_or_default();
            // Groups of other accounts are written ACCOUNT/GROUP.
            let source = source.rsplit('/').next().unwrap_or_default();
            let own = held.text("security_group_id") == Some(group.as_str());
            source == group.as_str() || (own && held.is_true("self"))
        }
    };
    same_protocol(protocol, terms.api_protocol()) && same_ports && same_peer
}

fn same_protocol(state: &str, api: &str) -> bool {
    let known = match state {
        "all" => "-1",
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        other => other,
    };
    known.eq_ignore_ascii_case(api)
}

fn resource(change: &Change<'_>, name: &str, rules: &[&Terms], state: &State) -> Block {
    let kind = hcl::string(&change.direction.to_string());
    let block = Block::resource(state::ATTACHED, name)
        .attribute("type", kind)
        .attribute(
            "security_group_id",
            state.group_expression(&change.group.group_id),
        );
    let Some(terms) = rules.first() else {
        return block;
    };
    let (from, to) = terms.ports().unwrap_or((0, 0));
    let description = Some(terms.description.as_str()).filter(|text| !text.is_empty());
    let block = block
        .optional("description", description.map(hcl::string))
        .attribute("protocol", hcl::string(terms.api_protocol()))
        .attribute("from_port", from.to_string())
        .attribute("to_port", to.to_string());
    peers(block, change, rules, state)
}

fn peers(block: Block, change: &Change<'_>, rules: &[&Terms], state: &State) -> Block {
    let (mut v4, mut v6, mut lists) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut group = None;
    for terms in rules {
        match &terms.peer {
            Peer::Cidr(net) if net.addr().is_ipv4() => {
                v4.insert(net.to_string());
            }
            Peer::Cidr(net) => {
                v6.insert(net.to_string());
            }
            Peer::PrefixList(list) => {
                lists.insert(list.to_string());
            }
            Peer::SecurityGroup(id) => group = Some(id),
        }
    }
    let list = |texts: BTreeSet<String>| {
        (!texts.is_empty()).then(|| hcl::strings(texts.iter().map(String::as_str)))
    };
    let block = block
        .optional("cidr_blocks", list(v4))
        .optional("ipv6_cidr_blocks", list(v6))
        .optional("prefix_list_ids", list(lists));
    match group {
        Some(id) if *id == change.group.group_id => block.attribute("self", "true".to_owned()),
        Some(id) => block.attribute("source_security_group_id", state.group_expression(id)),
        None => block,
    }
}
