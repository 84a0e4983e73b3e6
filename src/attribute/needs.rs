//! What was let through and so must keep passing.
//!
//! [`Passed`] is one conversation at one interface with every rule that could
//! have let it in; [`GroupNeeds`] gathers what one group must go on allowing.
//! Tightening reads the second, its proof replays the first.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::model::Direction;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A rule and the group it stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// The group.
    pub group_id: SgId,
    /// The rule.
    pub rule_id: SgRuleId,
}

/// One accepted conversation at one interface, in one reading of who opened it.
///
/// A conversation whose initiator stays in doubt gives two of these, one for
/// each direction, both with `in_doubt` set: what either reading needs is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// The interface that let it through.
    pub interface_id: EniId,
    /// Ingress: the peer opened it.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port, or the range that the port is known to lie in; all of
    /// the space for protocols without ports and for ICMP, whose type no log
    /// tells.
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// Whether the direction stays in doubt.
    pub in_doubt: bool,
    /// Whether the other side answered with more than a reset.
    pub answered: bool,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// Rules of the newest snapshot, on this interface and direction, that
    /// cover some of it, sorted. Empty: today's rules do not explain it.
    pub covered_by: Arc<[RuleRef]>,
}

/// What a group must go on allowing in one direction, over all interfaces that
/// carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNeeds {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// Sorted, one per protocol, service and peer.
    pub needs: Vec<Need>,
}

/// One thing that a group let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Protocol.
    pub protocol: IpProtocol,
    /// As in [`Passed::service`].
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// Rules of this group and direction that cover some of it; never empty.
    pub covered_by: Vec<SgRuleId>,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// Whether it is kept only because the initiator stays in doubt.
    pub in_doubt: bool,
}

/// Which of the groups that cover a conversation must keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepers {
    /// Each of them: every group stays right by itself.
    All,
    /// One of them, the same for equal needs.
    One,
}

/// What each group must go on allowing, sorted by group and direction.
#[must_use]
pub fn group_needs(passed: &[Passed], keepers: Keepers) -> Vec<GroupNeeds> {
    let indispensable = match keepers {
        Keepers::All => BTreeSet::new(),
        Keepers::One => only_coverers(passed),
    };
    let mut needs: BTreeMap<(&SgId, Direction), BTreeMap<NeedKey, Need>> = BTreeMap::new();
    for one in passed {
        for (group, rules) in by_group(one) {
            if keepers == Keepers::One && keeper(one, &indispensable) != Some(group) {
                continue;
            }
            let of_group = needs.entry((group, one.direction)).or_default();
            add(of_group, one, rules);
        }
    }
    let gathered = needs
        .into_iter()
        .map(|((group, direction), needs)| GroupNeeds {
            group_id: group.clone(),
            direction,
            needs: needs.into_values().collect(),
        });
    gathered.collect()
}

type NeedKey = (IpProtocol, PortRange, IpAddr);

fn by_group(passed: &Passed) -> BTreeMap<&SgId, Vec<&SgRuleId>> {
    let mut groups: BTreeMap<&SgId, Vec<&SgRuleId>> = BTreeMap::new();
    for rule in passed.covered_by.iter() {
        groups
            .entry(&rule.group_id)
            .or_default()
            .push(&rule.rule_id);
    }
    groups
}

fn add(needs: &mut BTreeMap<NeedKey, Need>, passed: &Passed, rules: Vec<&SgRuleId>) {
    let need = needs
        .entry((passed.protocol, passed.service, passed.peer))
        .or_insert_with(|| Need {
            protocol: passed.protocol,
            service: passed.service,
            peer: passed.peer,
            covered_by: Vec::new(),
            records: 0,
            in_doubt: true,
        });
    need.records += passed.records;
    need.in_doubt &= passed.in_doubt;
    // Interfaces may differ in which references cover it; the union is kept.
    let all: BTreeSet<SgRuleId> = rules
        .into_iter()
        .cloned()
        .chain(need.covered_by.drain(..))
        .collect();
    need.covered_by = all.into_iter().collect();
}

/// Groups that alone cover some conversation: they keep permissions anyway.
fn only_coverers(passed: &[Passed]) -> BTreeSet<&SgId> {
    let groups = passed
        .iter()
        .map(by_group)
        .filter(|groups| groups.len() == 1);
    groups.flat_map(BTreeMap::into_keys).collect()
}

/// The group that keeps a conversation: one that is indispensable where there
/// is one, the first by id else.
fn keeper<'a>(passed: &'a Passed, indispensable: &BTreeSet<&SgId>) -> Option<&'a SgId> {
    let groups = by_group(passed);
    let first = groups.keys().next().copied();
    groups
        .into_keys()
        .find(|group| indispensable.contains(group))
        .or(first)
}
