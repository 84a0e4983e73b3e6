//! The changes of every proposal in order, with the open connections that
//! they may cut.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::attribute::needs::Need;
use crate::model::Direction;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::report::document::rollout::CutConnection;
use crate::report::document::rollout::CutReport;
use crate::report::document::rollout::RolloutReport;
use crate::report::document::rollout::RuleText;
use crate::report::document::rollout::StepAction;
use crate::report::document::rollout::StepReport;
use crate::tighten::plan::Proposal;
use crate::tighten::rollout;
use crate::tighten::rollout::Change;
use crate::tighten::rollout::Rollout;
use crate::tighten::rollout::Wording;

/// Connections listed for each rule.
const BUSIEST: usize = 10;

/// Needs by group and direction.
pub type NeedsOf<'a> = BTreeMap<(&'a SgId, Direction), &'a [Need]>;

/// What rollouts are made from.
#[derive(Debug)]
pub struct Planner<'a> {
    /// The newest snapshot.
    pub snapshot: &'a Snapshot,
    /// What must keep passing.
    pub needs: &'a NeedsOf<'a>,
    /// Rules that a group may hold in one direction and address family.
    pub rule_quota: u32,
}

impl Planner<'_> {
    /// The rollout of each proposal, in their order.
    #[must_use]
    pub fn plan(&self, proposals: &[Proposal]) -> Vec<Option<RolloutReport>> {
        let open = self.open_ways();
        let plan = |proposal: &Proposal| {
            let group = self.snapshot.groups.get(&proposal.group_id)?;
            let lists = &self.snapshot.prefix_lists;
            let rollout = rollout::plan(group, proposal, lists, self.rule_quota)?;
            Some(self.report(group, proposal.direction, &rollout, &open))
        };
        proposals.par_iter().map(plan).collect()
    }

    fn report(
        &self,
        group: &SecurityGroup,
        direction: Direction,
        rollout: &Rollout,
        open: &Open<'_>,
    ) -> RolloutReport {
        let steps = |changes: &[Change]| -> Vec<StepReport> {
            let numbered = (1..).zip(changes);
            numbered
                .map(|(number, change)| step(number, group, direction, change))
                .collect()
        };
        let cuts = self.cuts(group, direction, rollout, open);
        RolloutReport {
            steps: steps(&rollout.steps),
            rollback: steps(&rollout.rollback),
            quota_peak: rollout.peak.most(),
            notes: notes(rollout, &cuts),
            cuts,
        }
    }

    /// Connections of which nothing is remembered, under rules that change.
    fn cuts(
        &self,
        group: &SecurityGroup,
        direction: Direction,
        rollout: &Rollout,
        open: &Open<'_>,
    ) -> Vec<CutReport> {
        let touched: BTreeSet<&SgRuleId> = rollout
            .steps
            .iter()
            .filter_map(|change| match change {
                Change::Modify { rule, .. } => Some(rule),
                Change::Remove { rule, .. } => rule.as_ref(),
                Change::Add { .. } => None,
            })
            .collect();
        let rules = group.rules_of(direction);
        let touched = rules.filter(|rule| touched.contains(&rule.id));
        let mut cuts = Vec::new();
        for rule in touched {
            cuts.extend(self.cut_under(group, rule, open));
            cuts.extend(self.cut_behind(group, rule));
        }
        cuts
    }

    /// Connections that the rule itself lets in, while their answers pass by
    /// a rule that is open all the other way.
    fn cut_under(
        &self,
        group: &SecurityGroup,
        rule: &SgRule,
        open: &Open<'_>,
    ) -> Option<CutReport> {
        let family = rule.peer.whole_family()?;
        let back = rule.direction.reverse();
        let untracked = |need: &&Need| {
            let way = (&group.id, back, family, need.protocol);
            need.covered_by.contains(&rule.id) && open.contains(&way)
        };
        self.cut(group, rule, rule.direction, &untracked)
    }

    /// Connections whose answers pass by the rule.
    fn cut_behind(&self, group: &SecurityGroup, rule: &SgRule) -> Option<CutReport> {
        let family = rule.peer.whole_family()?;
        let direction = rule.direction.reverse();
        let whole: BTreeSet<&SgRuleId> = group
            .rules_of(direction)
            .filter(|other| other.peer.whole_family() == Some(family))
            .map(|other| &other.id)
            .collect();
        let untracked = |need: &&Need| {
            has_all_ports(rule, need.protocol)
                && need.covered_by.iter().any(|id| whole.contains(id))
        };
        self.cut(group, rule, direction, &untracked)
    }

    fn cut(
        &self,
        group: &SecurityGroup,
        rule: &SgRule,
        direction: Direction,
        untracked: &dyn Fn(&&Need) -> bool,
    ) -> Option<CutReport> {
        let family = rule.peer.whole_family()?;
        let needs = self.needs.get(&(&group.id, direction)).copied()?;
        let tracks = |need: &&Need| {
            matches!(need.protocol, IpProtocol::TCP | IpProtocol::UDP)
                && Family::of(need.peer) == family
        };
        let mut found: Vec<&Need> = needs.iter().filter(tracks).filter(untracked).collect();
        if found.is_empty() {
            return None;
        }
        found.sort_by(|a, b| b.records.cmp(&a.records).then_with(|| a.cmp(b)));
        Some(CutReport {
            rule_id: rule.id.clone(),
            direction,
            connections: u64::try_from(found.len()).unwrap_or(u64::MAX),
            busiest: found.into_iter().take(BUSIEST).map(connection).collect(),
        })
    }

    /// Which groups find the way open to all addresses and ports, by a rule
    /// of theirs or of a group that stands beside them at an interface.
    fn open_ways(&self) -> Open<'_> {
        let mut own: BTreeMap<&SgId, Vec<(Direction, Family, IpProtocol)>> = BTreeMap::new();
        for group in self.snapshot.groups.values() {
            own.insert(&group.id, group.rules.iter().flat_map(ways).collect());
        }
        let mut open = Open::new();
        let mut note = |group: &'_ SgId, ways: &[(Direction, Family, IpProtocol)]| {
            if let Some((group, _)) = self.snapshot.groups.get_key_value(group) {
                open.extend(ways.iter().map(|(d, f, p)| (group, *d, *f, *p)));
            }
        };
        for (group, ways) in &own {
            note(group, ways);
        }
        let companies: BTreeSet<&Vec<SgId>> = self
            .snapshot
            .enis
            .values()
            .map(|eni| &eni.groups)
            .filter(|groups| groups.len() > 1)
            .collect();
        for company in companies {
            for (one, other) in company
                .iter()
                .flat_map(|a| company.iter().map(move |b| (a, b)))
            {
                note(one, own.get(other).map(Vec::as_slice).unwrap_or_default());
            }
        }
        open
    }
}

fn notes(rollout: &Rollout, cuts: &[CutReport]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some((family, peak)) = rollout.over() {
        let family = match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        notes.push(format!(
            "on the way the rules count {peak} for {family}: have the quota raised to that first, or no order keeps all that is needed"
        ));
    }
    if !cuts.is_empty() {
        notes.push(
            "connections that are untracked today may be cut when their rule changes, and open anew: apply when that does no harm"
                .to_owned(),
        );
    }
    notes
}

/// Ways that are open to all, by group.
type Open<'a> = BTreeSet<(&'a SgId, Direction, Family, IpProtocol)>;

fn ways(rule: &SgRule) -> Vec<(Direction, Family, IpProtocol)> {
    let Some(family) = rule.peer.whole_family() else {
        return Vec::new();
    };
    let tracked = [IpProtocol::TCP, IpProtocol::UDP];
    let all = tracked.into_iter().filter(|own| has_all_ports(rule, *own));
    all.map(|own| (rule.direction, family, own)).collect()
}

/// Whether the rule lets in every port of a protocol that has them.
fn has_all_ports(rule: &SgRule, protocol: IpProtocol) -> bool {
    rule.transport.has_protocol(protocol) && rule.transport.service() == PortRange::ALL
}

fn connection(need: &Need) -> CutConnection {
    CutConnection {
        protocol: need.protocol.to_string(),
        from_port: need.service.from(),
        to_port: need.service.to(),
        peer: need.peer,
        records: need.records,
    }
}

fn step(number: u64, group: &SecurityGroup, direction: Direction, change: &Change) -> StepReport {
    let (action, rule_id, from, to) = match change {
        Change::Modify { rule, from, to } => {
            (StepAction::Modify, Some(rule.clone()), Some(from), Some(to))
        }
        Change::Add { to } => (StepAction::Add, None, None, Some(to)),
        Change::Remove { rule, from } => (StepAction::Remove, rule.clone(), Some(from), None),
    };
    StepReport {
        step: number,
        action,
        group_id: group.id.clone(),
        direction,
        rule_id,
        from: from.map(text),
        to: to.map(text),
    }
}

fn text(wording: &Wording) -> RuleText {
    let (from_port, to_port) = wording.transport.from_to().unzip();
    RuleText {
        protocol: wording.transport.protocol_name(),
        from_port,
        to_port,
        peer: wording.peer.clone(),
        description: wording.description.clone(),
    }
}
