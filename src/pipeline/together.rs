//! What members of a group use of each other, by the group's own policy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::cover::Unwritten;
use crate::attribute::judge::WithoutRule;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::net::IpProtocol;
use crate::net::PortSet;
use crate::tighten::Among;

/// By group whose members reach each other.
pub(super) fn among<'a>(
    snapshot: &'a Snapshot,
    passed: &[Passed],
    without_rule: &WithoutRule,
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
    for (group, own) in &mut all {
        // Groups at the time of the records are known there alone.
        let of = ((*group).clone(), Direction::Ingress, Unwritten::Members);
        let then = without_rule.get(&of).copied().unwrap_or_default();
        own.lost = then > own.bare;
    }
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
    let mut answered: BTreeMap<(EniId, IpProtocol, IpAddr), PortSet> = BTreeMap::new();
    for one in passed
        .iter()
        .filter(|one| one.direction == Direction::Ingress)
    {
        let at = (one.interface_id, one.protocol, one.peer);
        let ports = answered.entry(at).or_insert_with(PortSet::empty);
        ports.insert(one.service);
        let by_members = one.unwritten == Some(Unwritten::Members);
        // What today's rules do not explain, the policy would let through today.
        let by_nothing = one.covered_by.is_empty() && one.unwritten.is_none();
        let eni = snapshot.enis.get(&one.interface_id);
        let owners = owners.get(&one.peer);
        for group in eni.into_iter().flat_map(|eni| &eni.groups) {
            let shares = |owners: &Vec<&Eni>| owners.iter().any(|own| own.groups.contains(group));
            // Whose an address without an owner was, is not known any more.
            let shares = owners.map_or(by_members, shares);
            if let (true, true, Some(own)) = (by_members || by_nothing, shares, all.get_mut(group))
            {
                if by_members && one.covered_by.is_empty() {
                    own.bare = own.bare.saturating_add(one.records);
                }
                own.needs.push(need(one));
            }
        }
    }
    for one in passed
        .iter()
        .filter(|one| one.direction == Direction::Egress)
    {
        for receiver in owners.get(&one.peer).into_iter().flatten() {
            add_by_client(all, snapshot, one, receiver, &answered);
        }
    }
}

/// What a member sent to another that has no record of it: the client's alone
/// tells of it.
fn add_by_client(
    all: &mut BTreeMap<&SgId, Among<'_>>,
    snapshot: &Snapshot,
    sent: &Passed,
    receiver: &Eni,
    answered: &BTreeMap<(EniId, IpProtocol, IpAddr), PortSet>,
) {
    let Some(client) = snapshot.enis.get(&sent.interface_id) else {
        return;
    };
    let known = client.addresses.iter().any(|address| {
        let at = (receiver.id, sent.protocol, *address);
        answered
            .get(&at)
            .is_some_and(|ports| ports.covers(sent.service))
    });
    let address = client.addresses.iter().find(|address| address.is_ipv4());
    let Some(address) = address.filter(|_| !known && client.id != receiver.id) else {
        return;
    };
    for group in &client.groups {
        if let (true, Some(own)) = (receiver.groups.contains(group), all.get_mut(group)) {
            own.needs.push(Need {
                peer: *address,
                covered_by: Vec::new(),
                ..need(sent)
            });
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
