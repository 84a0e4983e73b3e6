//! What members of a group use of each other, by the group's own policy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::cover::Unwritten;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::tighten::Among;

/// By group whose members reach each other.
pub(super) fn among<'a>(
    snapshot: &'a Snapshot,
    passed: &[Passed],
) -> BTreeMap<&'a SgId, Among<'a>> {
    let talking = snapshot
        .groups
        .values()
        .filter(|group| group.policy.members_talk);
    let mut all: BTreeMap<&SgId, Among<'_>> = talking
        .map(|group| (&group.id, with_itself(group)))
        .collect();
    if all.is_empty() {
        return all;
    }
    for eni in snapshot.enis.values() {
        for group in &eni.groups {
            if let Some(own) = all.get_mut(group) {
                count(own, eni, snapshot);
            }
        }
    }
    add_needs(&mut all, snapshot, passed);
    for own in all.values_mut() {
        own.needs.sort_unstable();
        own.needs.dedup_by(|one, other| merge(other, one));
        own.beside.sort_by(|one, other| one.id.cmp(&other.id));
        own.beside.dedup_by(|one, other| one.id == other.id);
    }
    all
}

fn with_itself(group: &SecurityGroup) -> Among<'_> {
    Among {
        beside: vec![group],
        ..Among::default()
    }
}

fn count<'a>(own: &mut Among<'a>, eni: &'a Eni, snapshot: &'a Snapshot) {
    let beside = eni.groups.iter().map(|id| snapshot.groups.get(id));
    own.unknown |= beside.clone().any(|group| group.is_none());
    own.beside.extend(beside.flatten());
    own.interfaces += 1;
    let prefixes = eni.prefixes.iter().map(IpNet::addr);
    let mut addresses = eni.addresses.iter().copied().chain(prefixes);
    own.ipv6 |= addresses.any(|address| address.is_ipv6());
}

fn add_needs(all: &mut BTreeMap<&SgId, Among<'_>>, snapshot: &Snapshot, passed: &[Passed]) {
    let mut owners: HashMap<IpAddr, Vec<&Eni>> = HashMap::default();
    for eni in snapshot.enis.values() {
        for address in &eni.addresses {
            owners.entry(*address).or_default().push(eni);
        }
    }
    let by_members = |one: &&Passed| {
        one.direction == Direction::Ingress && one.unwritten == Some(Unwritten::Members)
    };
    for one in passed.iter().filter(by_members) {
        let eni = snapshot.enis.get(&one.interface_id);
        let owners = owners.get(&one.peer);
        for group in eni.into_iter().flat_map(|eni| &eni.groups) {
            // Whose an address without an owner was, is not known any more.
            let shares =
                owners.is_none_or(|owners| owners.iter().any(|own| own.groups.contains(group)));
            if let (true, Some(own)) = (shares, all.get_mut(group)) {
                own.needs.push(need(one));
            }
        }
    }
}

fn need(passed: &Passed) -> Need {
    let rules = passed.covered_by.iter();
    Need {
        protocol: passed.protocol,
        service: passed.service,
        peer: passed.peer,
        covered_by: rules.map(|rule| rule.rule_id.clone()).collect(),
        records: passed.records,
        seen: passed.seen,
        in_doubt: passed.in_doubt,
    }
}

/// Adds a need to one of the same words and rules.
fn merge(own: &mut Need, other: &Need) -> bool {
    let words = |need: &Need| (need.protocol, need.service, need.peer);
    let same = words(own) == words(other) && own.covered_by == other.covered_by;
    if same {
        own.records = own.records.saturating_add(other.records);
        own.seen.merge(&other.seen);
        own.in_doubt &= other.in_doubt;
    }
    same
}
