//! The rules that can still be changed: those of the newest snapshot, numbered.

use std::collections::BTreeMap;

use crate::attribute::needs::RuleRef;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;

/// Number of a rule in the [`RuleTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub usize);

/// Every rule of the newest snapshot, sorted by group, direction and id.
#[derive(Debug)]
pub struct RuleTable<'a> {
    rules: Vec<(&'a SecurityGroup, &'a SgRule)>,
    by_id: BTreeMap<(&'a SgId, &'a SgRuleId), RuleIndex>,
}

impl<'a> RuleTable<'a> {
    /// Numbers the rules of a snapshot.
    #[must_use]
    pub fn new(snapshot: &'a Snapshot) -> RuleTable<'a> {
        let of_group = |group: &'a SecurityGroup| group.rules.iter().map(move |rule| (group, rule));
        let rules: Vec<(&SecurityGroup, &SgRule)> =
            snapshot.groups.values().flat_map(of_group).collect();
        let by_id = rules.iter().enumerate();
        let by_id = by_id
            .map(|(index, (group, rule))| ((&group.id, &rule.id), RuleIndex(index)))
            .collect();
        RuleTable { rules, by_id }
    }

    /// How many rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (RuleIndex, &'a SecurityGroup, &'a SgRule)> {
        self.rules
            .iter()
            .enumerate()
            .map(|(index, (group, rule))| (RuleIndex(index), *group, *rule))
    }

    /// The rules of a group with their numbers.
    pub fn of_group(&self, id: &SgId) -> impl Iterator<Item = (RuleIndex, &'a SgRule)> {
        let begin = self.rules.partition_point(|(group, _)| group.id < *id);
        let behind = self.rules.get(begin..).unwrap_or_default();
        let own = behind.partition_point(|(group, _)| group.id == *id);
        let own = behind.iter().take(own).enumerate();
        own.map(move |(at, (_, rule))| (RuleIndex(begin.saturating_add(at)), *rule))
    }

    /// The rule of a number.
    #[must_use]
    pub fn get(&self, index: RuleIndex) -> Option<(&'a SecurityGroup, &'a SgRule)> {
        self.rules.get(index.0).copied()
    }

    /// The number of a rule of any snapshot, if it stands unchanged in the
    /// newest: same group, same id, same words.
    #[must_use]
    pub fn find(&self, group: &SgId, rule: &SgRule) -> Option<RuleIndex> {
        let index = *self.by_id.get(&(group, &rule.id))?;
        let (_, own) = self.get(index)?;
        let same = own.direction == rule.direction
            && own.transport == rule.transport
            && own.peer == rule.peer
            && own.effect == rule.effect
            && own.priority == rule.priority
            && own.limits == rule.limits;
        same.then_some(index)
    }

    /// Group and id of a rule.
    #[must_use]
    pub fn reference(&self, index: RuleIndex) -> Option<RuleRef> {
        let (group, rule) = self.get(index)?;
        Some(RuleRef {
            group_id: group.id.clone(),
            rule_id: rule.id.clone(),
        })
    }
}
