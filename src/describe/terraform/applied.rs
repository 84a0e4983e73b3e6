//! The deltas of a plan put on the groups of a snapshot.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::describe::error::quoted;
use crate::describe::terraform::Delta;
use crate::describe::terraform::Plan;
use crate::describe::terraform::Said;
use crate::describe::terraform::Target;
use crate::describe::terraform::Text;
use crate::describe::terraform::said;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::Limits;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::VpcId;

/// Groups as they will stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// All groups, those that the plan does not touch as they are today.
    pub groups: BTreeMap<SgId, SecurityGroup>,
    /// What to know of the plan, in words.
    pub notes: Vec<String>,
    /// What cannot be judged, of rules that will come and of resources that are
    /// not read: resource, and what.
    pub unknown: Vec<(String, String)>,
}

/// What a rule says, and where.
type Key<'a> = (&'a SgId, Direction, Said<'a>);

impl Plan {
    /// The groups of a snapshot after this plan.
    #[must_use]
    pub fn applied(&self, today: &Snapshot) -> Applied {
        let mut applied = Applied {
            groups: (*today.groups).clone(),
            notes: self.notes.clone(),
            unknown: self.unread.clone(),
        };
        let deltas = self.by_own_ids(today);
        let placed: Vec<(&Delta, SgId)> = deltas
            .iter()
            .filter_map(|delta| Some((delta, applied.target(delta, today)?)))
            .collect();
        applied.note_strangers(&placed, today);
        applied.note_races(&placed);
        for new in &self.new {
            let group = SecurityGroup {
                vpc_id: new.vpc_id.clone(),
                policy: new.policy,
                ..empty(new.id.clone(), new.name.clone())
            };
            applied.groups.insert(new.id.clone(), group);
        }
        for (delta, id) in &placed {
            applied.take(delta, id);
        }
        for (delta, id) in &placed {
            applied.put(delta, id);
        }
        for (id, talk) in &self.members_talk {
            if let Some(group) = applied.groups.get_mut(id) {
                // Members of an advanced group are strangers, whatever is said.
                let advanced = group.policy.egress_default == Effect::Drop;
                group.policy.members_talk = *talk && !advanced;
            }
        }
        for id in &self.gone {
            applied.groups.remove(id);
        }
        for group in applied.groups.values_mut() {
            group.rules.sort_by(SgRule::by_direction_and_id);
        }
        applied.notes.sort();
        applied.notes.dedup();
        applied.unknown.sort();
        applied.unknown.dedup();
        applied
    }

    /// The deltas, default groups that rules call by their resource under the
    /// id that they have.
    fn by_own_ids(&self, today: &Snapshot) -> Vec<Delta> {
        let ids = self.deltas.iter().filter_map(|delta| match &delta.group {
            Target::DefaultOf(vpc, name) => Some((name, default_of(vpc, today)?)),
            Target::Group(_) | Target::Unknown => None,
        });
        let ids: BTreeMap<&SgId, &SgId> = ids.collect();
        let mut deltas = self.deltas.clone();
        for delta in &mut deltas {
            for text in delta.come.iter_mut().chain(&mut delta.gone) {
                if let Peer::SecurityGroup(name) = &mut text.peer
                    && let Some(id) = ids.get(name)
                {
                    *name = (*id).clone();
                }
            }
        }
        deltas
    }
}

/// The default group of a VPC.
fn default_of<'a>(vpc: &VpcId, today: &'a Snapshot) -> Option<&'a SgId> {
    let is = |group: &&SecurityGroup| group.name == "default" && group.vpc_id.as_ref() == Some(vpc);
    today.groups.values().find(is).map(|group| &group.id)
}

fn empty(id: SgId, name: String) -> SecurityGroup {
    SecurityGroup {
        id,
        name,
        description: String::new(),
        vpc_id: None,
        owner_id: None,
        tags: BTreeMap::new(),
        policy: GroupPolicy::default(),
        rules: Vec::new(),
    }
}

impl Applied {
    /// The group that a delta is for; what has none is noted.
    fn target(&mut self, delta: &Delta, today: &Snapshot) -> Option<SgId> {
        let own = delta.unknown.iter();
        self.unknown
            .extend(own.map(|what| (delta.address.clone(), what.clone())));
        let lost = |what: &str, applied: &mut Applied| {
            let matters = delta.whole || !(delta.come.is_empty() && delta.gone.is_empty());
            if matters && !delta.idle {
                applied
                    .unknown
                    .push((delta.address.clone(), what.to_owned()));
            }
        };
        match &delta.group {
            Target::Group(id) => Some(id.clone()),
            Target::DefaultOf(vpc, _) => {
                let found = default_of(vpc, today).cloned();
                if found.is_none() {
                    lost("the default group of its VPC is not in the snapshot", self);
                }
                found
            }
            Target::Unknown => {
                lost("its group is known after apply", self);
                None
            }
        }
    }

    /// Notes what the plan believes to stand and the snapshot does not know.
    fn note_strangers(&mut self, placed: &[(&Delta, SgId)], today: &Snapshot) {
        for (delta, id) in placed {
            let Some(group) = today.groups.get(id) else {
                if !delta.gone.is_empty() {
                    self.notes.push(format!(
                        "{}: group {} is not in the snapshot; it is taken as new",
                        quoted(&delta.address),
                        quoted(id.as_str())
                    ));
                }
                continue;
            };
            let known: BTreeSet<Said<'_>> =
                group.rules_of(delta.direction).filter_map(said).collect();
            for text in delta
                .gone
                .iter()
                .filter(|text| !known.contains(&text.said()))
            {
                self.notes.push(format!(
                    "{}: {} {} {} stands in the plan's state and not in the snapshot; take both at one time",
                    quoted(&delta.address),
                    delta.direction,
                    text.transport,
                    text.peer
                ));
            }
        }
    }

    /// Notes rules that one resource takes away and another brings: which
    /// comes last is not said.
    fn note_races(&mut self, placed: &[(&Delta, SgId)]) {
        let mut goes: BTreeMap<Key<'_>, &str> = BTreeMap::new();
        for (delta, id) in placed.iter().filter(|(delta, _)| !delta.idle) {
            for text in &delta.gone {
                let key = (id, delta.direction, text.said());
                goes.insert(key, &delta.address);
            }
        }
        for (delta, id) in placed.iter().filter(|(delta, _)| !delta.idle) {
            for text in &delta.come {
                let key = (id, delta.direction, text.said());
                if let Some(other) = goes.get(&key).filter(|other| **other != delta.address) {
                    self.notes.push(format!(
                        "{} takes away the rule that {} brings ({} {}): if Terraform does it in that order last, the rule is gone",
                        quoted(other),
                        quoted(&delta.address),
                        text.transport,
                        text.peer
                    ));
                }
            }
        }
    }

    fn take(&mut self, delta: &Delta, id: &SgId) {
        let Some(group) = self.groups.get_mut(id).filter(|_| !delta.idle) else {
            return;
        };
        let gone: BTreeSet<Said<'_>> = delta.gone.iter().map(Text::said).collect();
        let stays: BTreeSet<Said<'_>> = delta.come.iter().map(Text::said).collect();
        group.rules.retain(|rule| {
            let is_in = |all: &BTreeSet<Said<'_>>| said(rule).is_some_and(|own| all.contains(&own));
            rule.direction != delta.direction || is_in(&stays) || !(delta.whole || is_in(&gone))
        });
    }

    fn put(&mut self, delta: &Delta, id: &SgId) {
        if delta.idle || delta.come.is_empty() {
            return;
        }
        let group = self.groups.entry(id.clone());
        let group = group.or_insert_with(|| empty(id.clone(), String::new()));
        for text in &delta.come {
            let says = |rule: &SgRule| {
                rule.direction == delta.direction && said(rule) == Some(text.said())
            };
            if !group.rules.iter().any(says) {
                let name = format!("{}: {} {}", delta.address, text.transport, text.peer);
                group.rules.push(SgRule {
                    id: SgRuleId::from(name.as_str()),
                    direction: delta.direction,
                    effect: text.effect,
                    priority: text.priority,
                    transport: text.transport,
                    peer: text.peer.clone(),
                    description: text.description.clone(),
                    limits: Limits::default(),
                });
            }
        }
    }
}
