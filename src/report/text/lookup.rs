//! Names and rules of the document by id, for lines that mention them.

use std::collections::BTreeMap;

use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::report::document::Analysis;
use crate::report::document::RuleReport;
use crate::report::page::Text;
use crate::report::words;

/// Where to find what a line mentions.
pub(super) struct Lookup<'a> {
    names: BTreeMap<&'a SgId, &'a str>,
    /// How many groups have the name: names are unique in a VPC, no further.
    bearers: BTreeMap<&'a str, usize>,
    rules: BTreeMap<&'a SgRuleId, &'a RuleReport>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(analysis: &'a Analysis) -> Lookup<'a> {
        let groups = &analysis.security_groups;
        let names = groups
            .iter()
            .map(|group| (&group.group_id, group.group_name.as_str()));
        let rules = groups.iter().flat_map(|group| &group.rules);
        let mut bearers = BTreeMap::new();
        for group in groups {
            *bearers.entry(group.group_name.as_str()).or_default() += 1;
        }
        Lookup {
            bearers,
            names: names.collect(),
            rules: rules.map(|rule| (&rule.rule_id, rule)).collect(),
        }
    }

    pub(super) fn rule(&self, id: &SgRuleId) -> Option<&'a RuleReport> {
        self.rules.get(id).copied()
    }

    /// `sg-… (name)`.
    pub(super) fn group(&self, id: &SgId) -> Text {
        let text = Text::new().id(id.as_str());
        match self.name(id) {
            Some(name) => text.dim(&format!(" ({name})")),
            None => text,
        }
    }

    /// `sg-…  name`, for a line that is about the group.
    pub(super) fn heading(&self, id: &SgId) -> Text {
        let text = Text::new().id(id.as_str());
        match self.name(id) {
            Some(name) => text.plain("  ").strong(name),
            None => text,
        }
    }

    /// The name, or the id where the name does not tell it: for a line that
    /// mentions the group in passing.
    pub(super) fn short(&self, id: &SgId) -> Text {
        match self.telling_name(id) {
            Some(name) => Text::new().plain(name),
            None => Text::new().id(id.as_str()),
        }
    }

    /// A name that one group alone has.
    fn telling_name(&self, id: &SgId) -> Option<&'a str> {
        let alone = |name: &&str| self.bearers.get(name) == Some(&1);
        self.name(id).filter(alone)
    }

    fn name(&self, id: &SgId) -> Option<&'a str> {
        self.names.get(id).copied().filter(|name| !name.is_empty())
    }

    /// A peer in passing: `group web` where the name tells which.
    pub(super) fn short_peer(&self, peer: &Peer) -> Text {
        match peer {
            Peer::SecurityGroup(group) => match self.telling_name(group) {
                Some(name) => Text::new().plain("group ").plain(name),
                None => Text::new().id(group.as_str()),
            },
            Peer::Cidr(_) | Peer::PrefixList(_) => self.peer(peer),
        }
    }

    /// A peer; groups with their names.
    pub(super) fn peer(&self, peer: &Peer) -> Text {
        match peer {
            Peer::Cidr(net) => Text::new().id(&net.to_string()),
            Peer::SecurityGroup(group) => self.group(group),
            Peer::PrefixList(list) => Text::new().id(list.as_str()),
        }
    }
}

/// `tcp/443`, as [`words::service`] spells it.
pub(super) fn service(rule: &RuleReport) -> String {
    words::service(&rule.protocol, rule.from_port, rule.to_port)
}
