//! What `terraform show -json` says of a state: which groups and rules
//! Terraform holds, at which addresses, and in which of three styles.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::model::Direction;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::report::terraform::hcl;

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is not JSON of the wanted form.
    #[error("this is not a state as JSON, pass what `terraform show -json` prints")]
    Syntax(#[source] serde_json::Error),
    /// It is the raw state file.
    #[error("this is a raw state file, pass what `terraform show -json` prints of it")]
    Raw,
    /// It holds no values.
    #[error("no state in it (`values` is missing): is anything applied yet?")]
    Empty,
}

/// The resources of a state that are about security groups.
#[derive(Clone, Debug, Default)]
pub struct State {
    managed: Vec<Managed>,
}

/// A resource that Terraform holds.
#[derive(Clone, Debug)]
pub(super) struct Managed {
    /// Its address, as Terraform prints it.
    pub(super) address: String,
    /// Its type.
    pub(super) kind: String,
    /// Its name.
    pub(super) name: String,
    /// Key of `count` or `for_each`.
    pub(super) index: Option<Value>,
    /// Whether it stands in the root module.
    pub(super) in_root: bool,
    /// Its attributes.
    values: BTreeMap<String, Value>,
}

/// How a group's rules are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style<'a> {
    /// Terraform holds nothing of it.
    Unmanaged,
    /// In the group's own resource.
    Inline(&'a Managed),
    /// `aws_vpc_security_group_ingress_rule` and its twin.
    Separate,
    /// `aws_security_group_rule`.
    Attached,
    /// In more than one way, which is a fault.
    Mixed,
}

pub(super) const GROUP: &str = "aws_security_group";
pub(super) const DEFAULT_GROUP: &str = "aws_default_security_group";
/// The group of Alibaba Cloud, and a rule of it.
pub(super) const RANKED_GROUP: &str = "alicloud_security_group";
pub(super) const RANKED: &str = "alicloud_security_group_rule";
pub(super) const ATTACHED: &str = "aws_security_group_rule";

/// The type of a separate rule.
pub(super) fn separate(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "aws_vpc_security_group_ingress_rule",
        Direction::Egress => "aws_vpc_security_group_egress_rule",
    }
}

impl State {
    /// Reads the JSON of a state, or the state that a plan started from.
    pub fn parse(bytes: &[u8]) -> Result<State, StateError> {
        let document: Value = serde_json::from_slice(bytes).map_err(StateError::Syntax)?;
        if document.get("lineage").is_some() {
            return Err(StateError::Raw);
        }
        let prior = document.pointer("/prior_state/values");
        let values = prior.or_else(|| document.get("values"));
        let module = values.and_then(|values| values.get("root_module"));
        let module = module.ok_or(StateError::Empty)?;
        let module = Module::deserialize(module).map_err(StateError::Syntax)?;
        let mut state = State::default();
        state.add(module, true);
        state.managed.sort_by(|a, b| a.address.cmp(&b.address));
        Ok(state)
    }

    fn add(&mut self, module: Module, in_root: bool) {
        for resource in module.resources {
            let known = [GROUP, DEFAULT_GROUP, ATTACHED, RANKED_GROUP, RANKED];
            let about_groups = known.contains(&resource.kind.as_str())
                || Direction::BOTH
                    .map(separate)
                    .contains(&resource.kind.as_str());
            if resource.mode == "managed" && about_groups && hcl::is_identifier(&resource.name) {
                self.managed.push(Managed {
                    address: resource.address,
                    kind: resource.kind,
                    name: resource.name,
                    index: resource.index,
                    in_root,
                    values: resource.values,
                });
            }
        }
        for child in module.child_modules {
            self.add(child, false);
        }
    }

    /// How the rules of the group are written.
    pub(super) fn style(&self, group: &SgId) -> Style<'_> {
        let is_separate =
            |one: &&Managed| Direction::BOTH.map(separate).contains(&one.kind.as_str());
        let separate = self.rules_of(group).any(|one| is_separate(&one));
        let attached = self.rules_of(group).any(|one| one.kind == ATTACHED);
        let inline = self
            .group(group)
            .filter(|one| one.has_items("ingress") || one.has_items("egress"));
        match (separate, attached, inline) {
            (true, true, _) => Style::Mixed,
            (true, false, _) => Style::Separate,
            (false, true, _) => Style::Attached,
            (false, false, Some(inline)) => Style::Inline(inline),
            (false, false, None) => Style::Unmanaged,
        }
    }

    /// The resource of the group itself.
    pub(super) fn group(&self, group: &SgId) -> Option<&Managed> {
        self.managed.iter().find(|one| {
            [GROUP, DEFAULT_GROUP, RANKED_GROUP].contains(&one.kind.as_str())
                && one.text("id") == Some(group.as_str())
        })
    }

    /// Resources that are rules of the group.
    pub(super) fn rules_of<'a>(&'a self, group: &'a SgId) -> impl Iterator<Item = &'a Managed> {
        self.managed
            .iter()
            .filter(move |one| one.text("security_group_id") == Some(group.as_str()))
    }

    /// The separate resource that holds a rule.
    pub(super) fn rule(&self, id: &SgRuleId) -> Option<&Managed> {
        let holds = |one: &&Managed| {
            one.text("security_group_rule_id")
                .or_else(|| one.text("id"))
                == Some(id.as_str())
        };
        let is_separate =
            |one: &&Managed| Direction::BOTH.map(separate).contains(&one.kind.as_str());
        self.managed.iter().filter(is_separate).find(holds)
    }

    /// How to name the group in an expression: by its resource, where that can
    /// be named, else by its id.
    pub(super) fn group_expression(&self, group: &SgId) -> String {
        match self.group(group).filter(|one| one.stands_alone()) {
            Some(one) => format!("{}.{}.id", one.kind, one.name),
            None => hcl::string(group.as_str()),
        }
    }
}

impl Managed {
    /// Whether a block of its own in the root module has this address.
    pub(super) fn stands_alone(&self) -> bool {
        self.in_root && self.index.is_none()
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).and_then(Value::as_str)
    }

    pub(super) fn number(&self, key: &str) -> Option<i64> {
        self.values.get(key).and_then(Value::as_i64)
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.values.get(key).and_then(Value::as_bool) == Some(true)
    }

    pub(super) fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        let list = self.values.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Texts by key, such as tags.
    pub(super) fn map(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        let map = self.values.get(key).and_then(Value::as_object);
        map.into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
    }

    fn has_items(&self, key: &str) -> bool {
        let list = self.values.get(key).and_then(Value::as_array);
        list.is_some_and(|list| !list.is_empty())
    }
}

#[derive(Debug, Deserialize)]
struct Module {
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    child_modules: Vec<Module>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    address: String,
    #[serde(default)]
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    index: Option<Value>,
    #[serde(default)]
    values: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(resources: &str) -> State {
        let text = format!(r#"{{"values": {{"root_module": {{"resources": [{resources}]}}}}}}"#);
        State::parse(text.as_bytes()).unwrap()
    }

    const GROUP_ONE: &str = r#"{"address": "aws_security_group.a", "mode": "managed",
        "type": "aws_security_group", "name": "a",
        "values": {"id": "sg-1", "ingress": [{"from_port": 1}]}}"#;
    const SEPARATE: &str = r#"{"address": "aws_vpc_security_group_ingress_rule.r", "mode": "managed",
        "type": "aws_vpc_security_group_ingress_rule", "name": "r",
        "values": {"id": "sgr-1", "security_group_id": "sg-1"}}"#;
    const ATTACHED_ONE: &str = r#"{"address": "aws_security_group_rule.r", "mode": "managed",
        "type": "aws_security_group_rule", "name": "r",
        "values": {"security_group_id": "sg-1"}}"#;

    #[test]
    fn the_style_is_told_by_what_holds_the_rules() {
        let group = SgId::from("sg-1");
        let is = |text: &str| format!("{:?}", state(text).style(&group));
        assert!(is(GROUP_ONE).starts_with("Inline"));
        assert_eq!(is(&format!("{GROUP_ONE},{SEPARATE}")), "Separate");
        assert_eq!(is(&format!("{GROUP_ONE},{ATTACHED_ONE}")), "Attached");
        assert_eq!(is(&format!("{SEPARATE},{ATTACHED_ONE}")), "Mixed");
        assert_eq!(is(""), "Unmanaged");
    }

    #[test]
    fn what_is_no_state_is_refused_by_name() {
        let error = |text: &str| State::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error("{").contains("not a state"));
        assert!(error(r#"{"version": 4, "lineage": "x"}"#).contains("raw state"));
        assert!(error(r#"{"format_version": "1.0"}"#).contains("no state"));
    }
}
