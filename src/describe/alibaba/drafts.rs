//! Groups as they are told: `DescribeSecurityGroups` says what a group is,
//! `DescribeSecurityGroupAttribute` its rules, page by page, and whether its
//! members reach each other.
//!
//! A group whose rules were never printed is left out: read as a group without
//! rules it would be a lie.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;

use crate::describe::alibaba::interfaces::tags;
use crate::describe::alibaba::rules;
use crate::describe::error::Fault;
use crate::describe::json::Object;
use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::VpcId;

/// What is known of all groups so far.
#[derive(Debug, Default)]
pub(in crate::describe) struct Drafts(BTreeMap<SgId, Draft>);

/// What is known of one.
#[derive(Debug, Default)]
struct Draft {
    listed: Option<Listed>,
    attribute: Option<Attribute>,
    rules: Vec<SgRule>,
}

/// What `DescribeSecurityGroups` says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    description: String,
    vpc_id: Option<VpcId>,
    advanced: bool,
    managed: bool,
    tags: BTreeMap<String, String>,
}

/// What `DescribeSecurityGroupAttribute` says beside rules.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    name: String,
    description: String,
    vpc_id: Option<VpcId>,
    members_talk: bool,
}

impl Drafts {
    /// How many groups were listed.
    pub(in crate::describe) fn listed(&self) -> usize {
        let drafts = self.0.values();
        drafts.filter(|draft| draft.listed.is_some()).count()
    }

    /// Reads one group of `DescribeSecurityGroups`.
    pub(in crate::describe) fn list(
        &mut self,
        object: Object<'_>,
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let id = object
            .id("SecurityGroupId")
            .map_err(|fault| fault.of("security group", "?"))?;
        let inner = || -> Result<Listed, Fault> {
            let kind = object.text("SecurityGroupType")?;
            Ok(Listed {
                name: object.words("SecurityGroupName")?,
                description: object.words("Description")?,
                vpc_id: object.optional_id("VpcId")?.map(VpcId::from),
                advanced: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("enterprise")),
                managed: object.flag("ServiceManaged")?.unwrap_or(false),
                tags: tags(object)?,
            })
        };
        let listed = inner().map_err(|fault| fault.of("security group", id))?;
        let draft = self.0.entry(SgId::from(id)).or_default();
        note_change(id, draft.listed.as_ref(), &listed, notes);
        draft.listed = Some(listed);
        Ok(())
    }

    /// Reads one page of `DescribeSecurityGroupAttribute`.
    pub(in crate::describe) fn permissions(
        &mut self,
        document: Object<'_>,
        items: &[Value],
        notes: &mut Notes,
    ) -> Result<(), Fault> {
        let id = document
            .id("SecurityGroupId")
            .map_err(|fault| fault.of("security group", "?"))?;
        let group = SgId::from(id);
        let inner = || -> Result<(Attribute, Vec<SgRule>), Fault> {
            let policy = document.text("InnerAccessPolicy")?;
            let attribute = Attribute {
                name: document.words("SecurityGroupName")?,
                description: document.words("Description")?,
                vpc_id: document.optional_id("VpcId")?.map(VpcId::from),
                members_talk: policy.is_some_and(|policy| policy.eq_ignore_ascii_case("accept")),
            };
            let objects = items.iter().filter_map(Object::of);
            let rules = objects.map(|object| rules::rule(&group, object));
            Ok((attribute, rules.collect::<Result<_, _>>()?))
        };
        let (attribute, rules) = inner().map_err(|fault| fault.of("security group", id))?;
        let draft = self.0.entry(group.clone()).or_default();
        note_change(id, draft.attribute.as_ref(), &attribute, notes);
        draft.attribute = Some(attribute);
        for rule in rules {
            if !draft.rules.contains(&rule) {
                draft.rules.push(rule);
            }
        }
        Ok(())
    }

    /// Adds what is not here yet.
    pub(in crate::describe) fn fill_from(&mut self, other: Drafts) {
        for (id, draft) in other.0 {
            self.0.entry(id).or_insert(draft);
        }
    }

    /// The groups whose rules are known.
    pub(in crate::describe) fn finish(self, notes: &mut Notes) -> BTreeMap<SgId, SecurityGroup> {
        let finished = self.0.into_iter().filter_map(|(id, draft)| {
            let group = draft.finish(&id, notes)?;
            Some((id, group))
        });
        finished.collect()
    }
}

impl Draft {
    fn finish(self, id: &SgId, notes: &mut Notes) -> Option<SecurityGroup> {
        let Draft {
            listed,
            attribute,
            mut rules,
        } = self;
        let Some(attribute) = attribute else {
            notes.about(Doubt::GROUP_WITHOUT_ATTRIBUTE, subject(id.as_str()));
            return None;
        };
        if listed.is_none() {
            notes.about(Doubt::GROUP_WITHOUT_TYPE, subject(id.as_str()));
        }
        name_apart(id, &mut rules, notes);
        rules.sort_by(SgRule::by_direction_and_id);
        if rules.iter().any(|rule| rule.limits.port_list.is_some()) {
            notes.about(Doubt::PORT_LIST, subject(id.as_str()));
        }
        let advanced = listed.as_ref().is_some_and(|listed| listed.advanced);
        let policy = GroupPolicy {
            managed: listed.as_ref().is_some_and(|listed| listed.managed),
            ..policy(advanced, attribute.members_talk)
        };
        let Listed {
            name,
            description,
            vpc_id,
            tags,
            ..
        } = listed.unwrap_or_else(|| Listed::of(&attribute));
        Some(SecurityGroup {
            id: id.clone(),
            name: either(name, attribute.name),
            description: either(description, attribute.description),
            vpc_id: vpc_id.or(attribute.vpc_id),
            owner_id: None,
            tags,
            policy,
            rules,
        })
    }
}

/// What a group of the type does beside its rules; `members_talk` is what is said
/// of its intra-group policy. Members of an advanced group are strangers, whatever
/// is said.
pub(in crate::describe) fn policy(advanced: bool, members_talk: bool) -> GroupPolicy {
    GroupPolicy {
        ranked: true,
        egress_default: if advanced {
            Effect::Drop
        } else {
            Effect::Allow
        },
        members_talk: members_talk && !advanced,
        managed: false,
        references: !advanced,
    }
}

impl Listed {
    fn of(attribute: &Attribute) -> Listed {
        Listed {
            name: attribute.name.clone(),
            description: attribute.description.clone(),
            vpc_id: attribute.vpc_id.clone(),
            advanced: false,
            managed: false,
            tags: BTreeMap::new(),
        }
    }
}

fn either(one: String, other: String) -> String {
    if one.is_empty() { other } else { one }
}

fn note_change<T: PartialEq>(id: &str, held: Option<&T>, new: &T, notes: &mut Notes) {
    if held.is_some_and(|held| held != new) {
        notes.about(Doubt::DISAGREEMENT, subject(id));
    }
}

/// Rules that the cloud did not name and that differ in effect, rank or limits
/// alone get these into their ids.
fn name_apart(id: &SgId, rules: &mut [SgRule], notes: &mut Notes) {
    let derived = |rule: &SgRule| {
        SgRule::derived_id(id, rule.direction, rule.transport, &rule.peer) == rule.id
    };
    if rules.iter().any(derived) {
        notes.about(Doubt::NO_RULE_IDS_ALIBABA, subject(id.as_str()));
    }
    let mut times: BTreeMap<SgRuleId, usize> = BTreeMap::new();
    for rule in rules.iter() {
        *times.entry(rule.id.clone()).or_default() += 1;
    }
    let mut taken: BTreeSet<SgRuleId> = BTreeSet::new();
    for rule in rules.iter_mut() {
        if times.get(&rule.id).is_some_and(|times| *times > 1) {
            rule.id = SgRuleId::from(format!("{}/{}", rule.id, apart(rule)).as_str());
        }
        let mut number = 2_u32;
        let first = rule.id.clone();
        while !taken.insert(rule.id.clone()) {
            rule.id = SgRuleId::from(format!("{first}/{number}").as_str());
            number = number.saturating_add(1);
        }
    }
}

/// `drop/5`, with limits where there are some.
fn apart(rule: &SgRule) -> String {
    let effect = match rule.effect {
        Effect::Allow => "accept",
        Effect::Drop => "drop",
    };
    let priority = rule.priority.unwrap_or_default();
    let limits = &rule.limits;
    let mut parts = vec![format!("{effect}/{priority}")];
    parts.extend(limits.local.map(|local| format!("at-{local}")));
    parts.extend(limits.source_ports.map(|ports| format!("from-{ports}")));
    parts.extend(limits.port_list.clone());
    parts.join("/")
}
