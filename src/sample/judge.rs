//! The made-up cloud's own verdict on a connection: groups and network ACLs at
//! both ends, request and reply. Plain and separate on purpose: attribution is
//! measured against it.

use std::net::IpAddr;
use std::rc::Rc;

use crate::model::Direction;
use crate::net::IpProtocol;
use crate::sample::world::Group;
use crate::sample::world::Interface;
use crate::sample::world::Kind;
use crate::sample::world::Peer;
use crate::sample::world::Policy;
use crate::sample::world::Rule;
use crate::sample::world::Scope;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// Its interface, where it has one in this cloud.
    pub(super) interface: Option<Rc<Interface>>,
    /// The address in the packets.
    pub(super) address: IpAddr,
}

/// A connection that somebody tries to open.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) client: Party,
    pub(super) server: Party,
    pub(super) protocol: IpProtocol,
    /// 0 for protocols without ports.
    pub(super) client_port: u16,
    /// 0 for protocols without ports.
    pub(super) service_port: u16,
    /// Whether it leaves through the NAT gateway.
    pub(super) nat: Option<Rc<Interface>>,
    /// First and last second.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What stopped a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Cause {
    /// No rule of the groups.
    SecurityGroup,
    /// An entry of the ACL.
    NetworkAcl,
    /// Both.
    Both,
    /// It came after the connection was closed.
    Late,
}

/// How far a connection got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing in its way.
    Passed,
    /// Stopped where the client's request leaves.
    RequestOut(Cause),
    /// Stopped where the request arrives.
    RequestIn(Cause),
    /// Stopped where the reply leaves.
    ReplyOut,
    /// Stopped where the reply arrives.
    ReplyIn,
}

/// What the groups of an interface say to a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Opinion {
    pub(super) passes: bool,
    /// Numbers of the rules that decide so; none where a default does.
    pub(super) rules: Vec<usize>,
    /// Numbers of weaker rules that say the same.
    pub(super) outranked: Vec<usize>,
}

/// A verdict, with what the groups at each end say.
#[derive(Clone, Debug)]
pub(super) struct Verdict {
    pub(super) fate: Fate,
    pub(super) client: Opinion,
    pub(super) server: Opinion,
}

/// Judges a connection by the rules in force when it starts.
pub(super) fn judge(attempt: &Attempt) -> Verdict {
    let mut verdict = Verdict {
        fate: Fate::Passed,
        client: Opinion::default(),
        server: Opinion::default(),
    };
    let (client, server) = (&attempt.client, &attempt.server);
    if let Some(interface) = &client.interface {
        verdict.client = opinion(interface, Direction::Egress, server, attempt);
        let acl = acl_allows(client, server, Direction::Egress, attempt, false);
        if let Some(cause) = cause(verdict.client.passes, acl) {
            verdict.fate = Fate::RequestOut(cause);
            return verdict;
        }
    }
    if let Some(interface) = &server.interface {
        verdict.server = opinion(interface, Direction::Ingress, client, attempt);
        let acl = acl_allows(server, client, Direction::Ingress, attempt, false);
        if let Some(cause) = cause(verdict.server.passes, acl) {
            verdict.fate = Fate::RequestIn(cause);
            return verdict;
        }
    }
    if !acl_allows(server, client, Direction::Egress, attempt, true) {
        verdict.fate = Fate::ReplyOut;
    } else if !acl_allows(client, server, Direction::Ingress, attempt, true) {
        verdict.fate = Fate::ReplyIn;
    }
    verdict
}

fn cause(group: bool, acl: bool) -> Option<Cause> {
    match (group, acl) {
        (true, true) => None,
        (false, true) => Some(Cause::SecurityGroup),
        (true, false) => Some(Cause::NetworkAcl),
        (false, false) => Some(Cause::Both),
    }
}

/// What all groups of an interface say. With ranks, members that may talk do so
/// before any rule is asked; then the smallest priority decides, and among
/// equal ones those that drop.
fn opinion(interface: &Interface, direction: Direction, far: &Party, attempt: &Attempt) -> Opinion {
    let groups = interface.groups.iter();
    let rules = groups.clone().flat_map(|group| &group.rules);
    let matching: Vec<&Rule> = rules
        .filter(|rule| rule.direction == direction && covers(rule, interface, far, attempt))
        .collect();
    let policies = groups.map(|group| group.policy);
    if policies.clone().all(|policy| policy == Policy::Union) {
        return Opinion {
            passes: !matching.is_empty(),
            rules: matching.iter().map(|rule| rule.number).collect(),
            outranked: Vec::new(),
        };
    }
    if direction == Direction::Ingress && may_talk(interface, far) {
        return Opinion {
            passes: true,
            ..Opinion::default()
        };
    }
    ranked(&matching).unwrap_or_else(|| Opinion {
        passes: direction == Direction::Egress
            && policies.clone().all(|policy| policy != Policy::Advanced),
        ..Opinion::default()
    })
}

/// By rank; `None` where there is no rule.
fn ranked(matching: &[&Rule]) -> Option<Opinion> {
    let rank = |rule: &Rule| (rule.priority, !rule.drop);
    let first = matching.iter().map(|rule| rank(rule)).min()?;
    let drops = !first.1;
    let same = matching.iter().filter(|rule| rule.drop == drops);
    let (rules, outranked): (Vec<&Rule>, Vec<&Rule>) =
        same.copied().partition(|rule| rank(rule) == first);
    let numbers = |rules: Vec<&Rule>| rules.iter().map(|rule| rule.number).collect();
    Some(Opinion {
        passes: !drops,
        rules: numbers(rules),
        outranked: numbers(outranked),
    })
}

/// Whether the two share a group whose members may talk.
fn may_talk(near: &Interface, far: &Party) -> bool {
    let open = near
        .groups
        .iter()
        .filter(|group| group.policy == Policy::Basic { inner: true });
    open.map(|group| group.key).any(|key| {
        far.interface
            .as_ref()
            .is_some_and(|member| is_member(member, key, near, far.address))
    })
}

fn covers(rule: &Rule, near: &Interface, far: &Party, attempt: &Attempt) -> bool {
    rule.in_force(attempt.start)
        && scope_covers(
            rule.scope,
            attempt.protocol,
            attempt.service_port,
            ECHO_REQUEST,
        )
        && match &rule.peer {
            Peer::Net(net) => net.contains(&far.address),
            Peer::List(list) => list.entries.iter().any(|net| net.contains(&far.address)),
            Peer::Group(key) => far
                .interface
                .as_ref()
                .is_some_and(|member| is_member(member, *key, near, far.address)),
        }
}

/// A reference to a group means private addresses of its members in the same
/// VPC (VPC user guide, "Security group referencing"), and whatever comes
/// through a Network Load Balancer that carries the group (ELB user guide).
fn is_member(member: &Interface, key: u64, near: &Interface, address: IpAddr) -> bool {
    let private = member.address() == address
        || member.v6.is_some_and(|own| own == address)
        || member.pods.iter().any(|own| *own == address);
    member
        .groups
        .iter()
        .any(|group: &Rc<Group>| group.key == key)
        && member.subnet.vpc_id == near.subnet.vpc_id
        && (private || member.kind == Kind::Nlb)
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REPLY: u8 = 0;

fn scope_covers(scope: Scope, protocol: IpProtocol, port: u16, icmp_type: u8) -> bool {
    match scope {
        Scope::All => true,
        Scope::Tcp(from, to) => protocol == IpProtocol::TCP && from <= port && port <= to,
        Scope::Udp(from, to) => protocol == IpProtocol::UDP && from <= port && port <= to,
        Scope::Icmp(kind, code) => {
            protocol == IpProtocol::ICMP
                && kind.is_none_or(|kind| kind == icmp_type)
                && code.is_none_or(|code| code == 0)
        }
    }
}

/// What the ACL of the near end's subnet says; packets that stay inside a
/// subnet never meet it. The first entry that matches decides.
fn acl_allows(
    near: &Party,
    far: &Party,
    direction: Direction,
    attempt: &Attempt,
    reply: bool,
) -> bool {
    let Some(interface) = &near.interface else {
        return true;
    };
    let inside = |other: &Rc<Interface>| other.subnet.id == interface.subnet.id;
    if attempt.nat.is_none() && far.interface.as_ref().is_some_and(inside) {
        return true;
    }
    let (port, icmp_type) = if reply {
        (attempt.client_port, ECHO_REPLY)
    } else {
        (attempt.service_port, ECHO_REQUEST)
    };
    let matching = interface.subnet.acl.entries.iter().find(|entry| {
        entry.direction == direction
            && entry.net.contains(&far.address)
            && scope_covers(entry.scope, attempt.protocol, port, icmp_type)
    });
    matching.is_some_and(|entry| entry.allow)
}
