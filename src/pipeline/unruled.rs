//! What passes a group's interfaces without a rule: out by the default of its
//! type, in from fellow members by its intra-group policy.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::Attribution;
use crate::attribute::cover::Unwritten;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::Snapshot;
use crate::net::IpProtocol;
use crate::net::PortSet;
use crate::tighten::Among;
use crate::tighten::Unruled;

/// What went out by default, by group whose type lets it.
pub(super) fn let_out<'a>(
    snapshot: &'a Snapshot,
    passed: &[Passed],
    attribution: &Attribution,
) -> BTreeMap<&'a SgId, Unruled<'a>> {
    let way = (Direction::Egress, Unwritten::Default);
    let mut all = tallies(snapshot, |group| {
        group.policy.egress_default == Effect::Allow
    });
    if all.is_empty() {
        return BTreeMap::new();
    }
    let by_default = |one: &&Passed| (one.direction, one.unwritten) == (way.0, Some(way.1));
    for one in passed.iter().filter(by_default) {
        for group in groups_of(snapshot, one) {
            if let Some(own) = all.get_mut(group) {
                // Which rules cover some of it as well, the default does not ask.
                let need = Need {
                    covered_by: Vec::new(),
                    ..need(one)
                };
                own.add(one, need);
            }
        }
    }
    counted(all, way, attribution)
}

/// What members use of each other, by group whose members reach each other.
pub(super) fn among<'a>(
    snapshot: &'a Snapshot,
    passed: &[Passed],
    attribution: &Attribution,
) -> BTreeMap<&'a SgId, Among<'a>> {
    let mut all = tallies(snapshot, |group| group.policy.members_talk);
    if all.is_empty() {
        return BTreeMap::new();
    }
    add_needs(&mut all, snapshot, passed);
    let way = (Direction::Ingress, Unwritten::Members);
    let among = counted(all, way, attribution).into_iter();
    let among = among.map(|(group, unruled)| {
        let among = Among {
            unruled,
            ..Among::default()
        };
        (group, among)
    });
    let mut among: BTreeMap<&SgId, Among<'_>> = among.collect();
    for eni in snapshot.enis.values() {
        let prefixes = eni.prefixes.iter().map(IpNet::addr);
        let mut addresses = eni.addresses.iter().copied().chain(prefixes);
        let ipv6 = addresses.any(|address| address.is_ipv6());
        for group in &eni.groups {
            if let Some(own) = among.get_mut(group) {
                own.interfaces += 1;
                own.ipv6 |= ipv6;
            }
        }
    }
    among
}

/// What is known of one group so far.
struct Tally<'a> {
    unruled: Unruled<'a>,
    /// Records of the needs that no rule covers.
    bare: u64,
}

impl Tally<'_> {
    fn add(&mut self, passed: &Passed, need: Need) {
        if passed.unwritten.is_some() && passed.covered_by.is_empty() {
            self.bare = self.bare.saturating_add(passed.records);
        }
        self.unruled.needs.push(need);
    }
}

/// The groups that `is` asks for, each with those that stand beside it.
fn tallies<'a>(
    snapshot: &'a Snapshot,
    is: impl Fn(&SecurityGroup) -> bool,
) -> BTreeMap<&'a SgId, Tally<'a>> {
    let asked = snapshot.groups.values().filter(|group| is(group));
    let tally = |group: &'a SecurityGroup| Tally {
        unruled: Unruled {
            beside: vec![group],
            ..Unruled::default()
        },
        bare: 0,
    };
    let mut all: BTreeMap<&SgId, Tally<'_>> =
        asked.map(|group| (&group.id, tally(group))).collect();
    if all.is_empty() {
        return all;
    }
    for eni in snapshot.enis.values() {
        for group in &eni.groups {
            if let Some(Tally { unruled, .. }) = all.get_mut(group) {
                let beside = eni.groups.iter().map(|id| snapshot.groups.get(id));
                unruled.unknown |= beside.clone().any(|group| group.is_none());
                unruled.beside.extend(beside.flatten());
            }
        }
    }
    all
}

/// Each once and sorted, and held against what went that way by the groups that
/// interfaces had at the time, which `without_rule` alone knows. Interfaces that no
/// snapshot knows may carry any group, and what nobody can read may have gone either way.
fn counted<'a>(
    all: BTreeMap<&'a SgId, Tally<'a>>,
    (direction, unwritten): (Direction, Unwritten),
    attribution: &Attribution,
) -> BTreeMap<&'a SgId, Unruled<'a>> {
    let strangers = !attribution.unknown_interfaces.is_empty();
    let counted = all.into_iter().map(|(group, tally)| {
        let Tally { mut unruled, bare } = tally;
        let way = (group.clone(), direction, unwritten);
        let then = attribution.without_rule.get(&way);
        // Rules that are made from what was seen name addresses.
        let many = unruled.needs.iter().any(|need| need.among.is_some());
        let unread = attribution.unread.contains(group);
        unruled.lost = strangers || many || unread || then.is_some_and(|then| *then > bare);
        unruled.needs.sort_unstable();
        unruled.needs.dedup_by(|one, other| merge(other, one));
        unruled.beside.sort_by(|one, other| one.id.cmp(&other.id));
        unruled.beside.dedup_by(|one, other| one.id == other.id);
        (group, unruled)
    });
    counted.collect()
}

/// Groups that the interface has now.
fn groups_of<'a>(snapshot: &'a Snapshot, passed: &Passed) -> impl Iterator<Item = &'a SgId> {
    let eni = snapshot.enis.get(&passed.interface_id);
    eni.into_iter().flat_map(|eni| &eni.groups)
}

fn add_needs(all: &mut BTreeMap<&SgId, Tally<'_>>, snapshot: &Snapshot, passed: &[Passed]) {
    let mut owners: HashMap<IpAddr, Vec<&Eni>> = HashMap::default();
    for eni in snapshot.enis.values() {
        for address in &eni.addresses {
            owners.entry(*address).or_default().push(eni);
        }
    }
    let (came, went): (Vec<&Passed>, Vec<&Passed>) = passed
        .iter()
        .partition(|one| one.direction == Direction::Ingress);
    let mut answered: BTreeMap<(EniId, IpProtocol, IpAddr), PortSet> = BTreeMap::new();
    for one in came {
        let at = (one.interface_id, one.protocol, one.peer);
        let ports = answered.entry(at).or_insert_with(PortSet::empty);
        ports.insert(one.service);
        let by_members = one.unwritten == Some(Unwritten::Members);
        // What today's rules do not explain, the policy would let through today.
        let by_nothing = one.covered_by.is_empty() && one.unwritten.is_none();
        if !by_members && !by_nothing {
            continue;
        }
        let owners = owners.get(&one.peer);
        for group in groups_of(snapshot, one) {
            let shares = |owners: &Vec<&Eni>| owners.iter().any(|own| own.groups.contains(group));
            // Whose an address without an owner was, is not known any more.
            let shares = owners.map_or(by_members, shares);
            if let (true, Some(own)) = (shares, all.get_mut(group)) {
                own.add(one, need(one));
            }
        }
    }
    for one in went {
        for receiver in owners.get(&one.peer).into_iter().flatten() {
            add_by_client(all, snapshot, one, receiver, &answered);
        }
    }
}

/// What a member sent to another that has no record of it: the client's alone
/// tells of it.
fn add_by_client(
    all: &mut BTreeMap<&SgId, Tally<'_>>,
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
            own.unruled.needs.push(Need {
                peer: *address,
                among: None,
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
        among: passed.among,
        covered_by: rules.map(|rule| rule.rule_id.clone()).collect(),
        records: passed.records,
        seen: passed.seen,
        in_doubt: passed.in_doubt,
    }
}

/// Adds a need to one of the same words and rules.
fn merge(own: &mut Need, other: &Need) -> bool {
    let words = |need: &Need| (need.protocol, need.service, need.peer, need.among);
    let same = words(own) == words(other) && own.covered_by == other.covered_by;
    if same {
        own.records = own.records.saturating_add(other.records);
        own.seen.merge(&other.seen);
        own.in_doubt &= other.in_doubt;
    }
    same
}
