//! Rules whose silence means little: needed at failure, at failover, or by
//! the platform. They are never called removal candidates.

use crate::attribute::scene::Scene;
use crate::model::InterfaceKind;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::Transport;
use crate::model::sg::IcmpTypeCode;
use crate::net::PortRange;

/// Ports that clusters use only when they fail over.
const FAILOVER_PORTS: [u16; 2] = [3121, 5405];
/// Ports by which people get in when all else fails.
const BREAK_GLASS_PORTS: [u16; 2] = [22, 3389];
/// Words in tags that name a standby.
const STANDBY_WORDS: [&str; 5] = ["dr", "failover", "standby", "disaster-recovery", "passive"];

/// Why a rule is kept whole even where it was used, if it is: who sends what it
/// admits cannot be foreseen. A sentence without its subject.
#[must_use]
pub fn whole(rule: &SgRule, group: &SecurityGroup, scene: &Scene<'_>) -> Option<&'static str> {
    if is_path_mtu(rule.transport) {
        return Some(PATH_MTU);
    }
    let to_itself = rule.peer == Peer::SecurityGroup(group.id.clone());
    (to_itself && on_efa(group, scene)).then_some(EFA)
}

const PATH_MTU: &str =
    "is protected: path MTU discovery or neighbour discovery needs it though nothing may be seen";
const EFA: &str =
    "is protected: EFA traffic needs the group's reference to itself and is not logged";

/// Why a rule is protected, if it is: a sentence without its subject.
#[must_use]
pub fn protected(rule: &SgRule, group: &SecurityGroup, scene: &Scene<'_>) -> Option<&'static str> {
    if is_path_mtu(rule.transport) {
        return Some(PATH_MTU);
    }
    if is_port(rule.transport, &FAILOVER_PORTS) {
        return Some("is protected: it is a cluster's failover port");
    }
    if is_port(rule.transport, &BREAK_GLASS_PORTS) {
        return Some("is protected: break-glass access is rarely used and needed when it is");
    }
    if group
        .tags
        .values()
        .any(|value| STANDBY_WORDS.contains(&value.to_ascii_lowercase().as_str()))
    {
        return Some("is protected: the group is tagged as standby");
    }
    protected_peer(&rule.peer, group, scene)
}

fn protected_peer(peer: &Peer, group: &SecurityGroup, scene: &Scene<'_>) -> Option<&'static str> {
    match peer {
        Peer::SecurityGroup(label) if scene.on_balancer(label) => {
            Some("is protected: it refers to a Network Load Balancer's group")
        }
        Peer::SecurityGroup(label) if *label == group.id && on_efa(group, scene) => Some(EFA),
        Peer::PrefixList(list) => {
            let managed = scene
                .snapshot
                .prefix_lists
                .get(list)
                .is_some_and(|list| list.aws_managed);
            managed.then_some("is protected: it admits a managed service's prefix list")
        }
        Peer::SecurityGroup(_) | Peer::Cidr(_) => None,
    }
}

fn on_efa(group: &SecurityGroup, scene: &Scene<'_>) -> bool {
    scene
        .snapshot
        .enis
        .values()
        .any(|eni| eni.kind == InterfaceKind::Efa && eni.groups.contains(&group.id))
}

fn is_port(transport: Transport, ports: &[u16]) -> bool {
    match transport {
        Transport::Tcp(range) | Transport::Udp(range) => {
            ports.iter().any(|port| range == PortRange::single(*port))
        }
        Transport::All | Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => false,
    }
}

/// ICMP destination unreachable, `ICMPv6` packet too big and neighbour
/// discovery.
fn is_path_mtu(transport: Transport) -> bool {
    let kind = |scope: IcmpTypeCode| match scope {
        IcmpTypeCode::Any => None,
        IcmpTypeCode::Type(kind) | IcmpTypeCode::TypeCode(kind, _) => Some(kind),
    };
    match transport {
        Transport::Icmp(scope) => kind(scope) == Some(3),
        Transport::Icmpv6(scope) => {
            kind(scope).is_some_and(|kind| kind == 2 || (133..=137).contains(&kind))
        }
        Transport::All | Transport::Tcp(_) | Transport::Udp(_) | Transport::Other(_) => false,
    }
}

/// Who else keeps a group, if a service does: proposals on it would be undone
/// or break the service.
#[must_use]
pub fn managed_by(group: &SecurityGroup) -> Option<&'static str> {
    let by_tag = group.tags.keys().find_map(|key| match key.as_str() {
        "aws:cloudformation:stack-id"
        | "aws:cloudformation:stack-name"
        | "aws:cloudformation:logical-id" => None,
        key if key.starts_with("aws:") => Some("an AWS service (tag `aws:…`)"),
        _ => None,
    });
    let name = group.name.as_str();
    let by_name = [
        ("eks-cluster-sg-", "EKS"),
        ("ElasticMapReduce-", "EMR"),
        ("GlobalAccelerator", "Global Accelerator"),
    ];
    let by_name = by_name
        .into_iter()
        .find(|(prefix, _)| name.starts_with(prefix))
        .map(|(_, service)| service);
    let directory =
        (name.starts_with("d-") && name.ends_with("_controllers")).then_some("Directory Service");
    by_tag.or(by_name).or(directory)
}
