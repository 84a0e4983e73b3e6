//! What a finished snapshot does not tell: parts that are missing, and ids
//! that it names without describing them.

use std::collections::BTreeSet;

use crate::describe::note::Doubt;
use crate::describe::note::Notes;
use crate::describe::note::subject;
use crate::model::Eni;
use crate::model::InterfaceKind;
use crate::model::Peer;
use crate::model::PrefixListId;
use crate::model::Provider;
use crate::model::SecurityGroup;
use crate::model::Snapshot;
use crate::model::snapshot::Part;

/// Notes everything that is missing or dangling.
pub(super) fn note(snapshot: &Snapshot, notes: &mut Notes) {
    missing_parts(snapshot, notes);
    empty_parts(snapshot, notes);
    if snapshot.captured_at.is_none() {
        notes.add(Doubt::UNDATED);
    }
    for eni in snapshot.enis.values() {
        interface(eni, snapshot, notes);
    }
    for group in snapshot.groups.values() {
        rules(group, snapshot, notes);
    }
}

fn missing_parts(snapshot: &Snapshot, notes: &mut Notes) {
    let parts = match snapshot.provider {
        Provider::Aws => [
            (Part::NetworkAcls, Doubt::NO_NETWORK_ACLS),
            (Part::Subnets, Doubt::NO_SUBNETS),
            (Part::Vpcs, Doubt::NO_VPCS),
            (Part::FlowLogs, Doubt::NO_FLOW_LOGS),
        ],
        Provider::Alibaba => [
            (Part::NetworkAcls, Doubt::NO_NETWORK_ACLS_ALIBABA),
            (Part::Subnets, Doubt::NO_SUBNETS_ALIBABA),
            (Part::Vpcs, Doubt::NO_VPCS_ALIBABA),
            (Part::FlowLogs, Doubt::NO_FLOW_LOGS_ALIBABA),
        ],
    };
    for (part, doubt) in parts {
        if !snapshot.parts.contains(&part) {
            notes.add(doubt);
        }
    }
}

fn empty_parts(snapshot: &Snapshot, notes: &mut Notes) {
    for (part, key, empty) in [
        (
            Part::SecurityGroups,
            "SecurityGroups",
            snapshot.groups.is_empty(),
        ),
        (
            Part::NetworkInterfaces,
            "NetworkInterfaces",
            snapshot.enis.is_empty(),
        ),
        (Part::NetworkAcls, "NetworkAcls", snapshot.acls.is_empty()),
        (Part::Subnets, "Subnets", snapshot.subnets.is_empty()),
    ] {
        if empty && snapshot.parts.contains(&part) {
            notes.about(Doubt::EMPTY_PART, subject(key));
        }
    }
}

fn interface(eni: &Eni, snapshot: &Snapshot, notes: &mut Notes) {
    if eni.groups.is_empty() && carries_groups(eni.kind) {
        notes.about(Doubt::INTERFACE_WITHOUT_GROUPS, subject(eni.id.as_str()));
    }
    let known = || eni.groups.iter().filter_map(|id| snapshot.groups.get(id));
    let defaults: BTreeSet<_> = known().map(|group| group.policy.egress_default).collect();
    if defaults.len() > 1 {
        notes.about(Doubt::MIXED_GROUPS, subject(eni.id.as_str()));
    }
    for group in &eni.groups {
        if !snapshot.groups.contains_key(group) {
            let text = format!(
                "{} on {}",
                subject(group.as_str()),
                subject(eni.id.as_str())
            );
            notes.about(Doubt::UNKNOWN_GROUP_ON_INTERFACE, text);
        }
    }
}

/// Whether interfaces of the kind have groups at all: NAT gateways, gateway
/// load balancers and transit gateway attachments never do.
fn carries_groups(kind: InterfaceKind) -> bool {
    match kind {
        InterfaceKind::NatGateway
        | InterfaceKind::GatewayLoadBalancer
        | InterfaceKind::TransitGateway => false,
        InterfaceKind::Interface
        | InterfaceKind::NetworkLoadBalancer
        | InterfaceKind::LoadBalancer
        | InterfaceKind::VpcEndpoint
        | InterfaceKind::Lambda
        | InterfaceKind::Efa
        | InterfaceKind::Other => true,
    }
}

fn rules(group: &SecurityGroup, snapshot: &Snapshot, notes: &mut Notes) {
    let peers: BTreeSet<&Peer> = group.rules.iter().map(|rule| &rule.peer).collect();
    for peer in peers {
        let (doubt, id) = match peer {
            Peer::Cidr(_) => continue,
            Peer::SecurityGroup(id) if snapshot.groups.contains_key(id) => continue,
            Peer::SecurityGroup(id) => (Doubt::UNKNOWN_GROUP_IN_RULE, id.as_str()),
            Peer::PrefixList(id) if has_entries(id, snapshot) => continue,
            Peer::PrefixList(id) => (without_entries(snapshot.provider), id.as_str()),
        };
        let text = format!("{} in {}", subject(id), subject(group.id.as_str()));
        notes.about(doubt, text);
    }
}

fn without_entries(provider: Provider) -> Doubt {
    match provider {
        Provider::Aws => Doubt::LIST_WITHOUT_ENTRIES,
        Provider::Alibaba => Doubt::LIST_WITHOUT_ENTRIES_ALIBABA,
    }
}

fn has_entries(id: &PrefixListId, snapshot: &Snapshot) -> bool {
    let list = snapshot.prefix_lists.get(id);
    list.is_some_and(|list| list.entries.is_some())
}
