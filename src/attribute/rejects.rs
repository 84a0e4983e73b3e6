//! Why packets were rejected: groups and ACLs of the time evaluated, replies
//! told from requests, late packets from denials.
//!
//! A record never says which of group and ACL denied (VPC user guide, "Flow
//! log records", `action`), so both are evaluated and the answer is what they
//! say together. Nothing here proposes an opening.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::acl;
use crate::attribute::acl::AclDecision;
use crate::attribute::conversation::Conversation;
use crate::attribute::cover::Candidate;
use crate::attribute::cover::Reading;
use crate::attribute::initiator::Initiator;
use crate::attribute::judge::Case;
use crate::attribute::matching;
use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
use crate::attribute::nearest;
use crate::attribute::noise::Noise;
use crate::attribute::scene::PeerFacts;
use crate::attribute::verdict::Miss;
use crate::attribute::verdict::NearestRule;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::evidence::cell::Cell;
use crate::model::AclId;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;

/// REJECTs of one interface, direction, protocol, service port and peer, with
/// their cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectFinding {
    /// The interface that recorded them.
    pub interface_id: EniId,
    /// Its groups, sorted.
    pub group_ids: Vec<SgId>,
    /// Way of the rejected packets.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port of their connection; `None` where it means nothing.
    pub port: Option<u16>,
    /// The far side: an address, or the prefix that several were folded into.
    pub peer: IpNet,
    /// How many addresses.
    pub peers: u64,
    /// Their groups, sorted.
    pub peer_groups: Vec<SgId>,
    /// Whether they answered a connection that was let through.
    pub reply: bool,
    /// What stopped them.
    pub cause: RejectCause,
    /// The cells of them, added up.
    pub seen: Cell,
    /// Rules that come nearest.
    pub nearest: Vec<NearestRule>,
    /// What they ask of a person.
    pub verdict: RejectVerdict,
    /// The explanation in words.
    pub text: String,
}

/// Explains what of a conversation was rejected. Noise is only noted: whether
/// it is told one by one depends on how much there is.
pub fn explain(
    case: &Case<'_, '_>,
    initiator: Initiator,
    index: usize,
    findings: &mut Vec<RejectFinding>,
    noise: &mut Vec<Noise>,
) {
    for subject in subjects(case, initiator) {
        match subject.noise(index) {
            Some(one) => noise.push(one),
            None => findings.push(subject.finding()),
        }
    }
}

/// Explains noise in full, as anything else.
pub fn explain_noise(
    case: &Case<'_, '_>,
    initiator: Initiator,
    direction: Direction,
    findings: &mut Vec<RejectFinding>,
) {
    let subjects = subjects(case, initiator);
    let wanted = subjects.filter(|subject| subject.direction == direction);
    findings.extend(wanted.map(|subject| subject.finding()));
}

fn subjects<'c, 'a>(
    case: &'c Case<'c, 'a>,
    initiator: Initiator,
) -> impl Iterator<Item = Subject<'c, 'a>> {
    let candidate = case.candidates.first();
    candidate.into_iter().flat_map(move |candidate| {
        Direction::BOTH.into_iter().filter_map(move |direction| {
            let rejected = case.conversation.half(direction).rejected?;
            Some(Subject::new(
                case, *candidate, direction, rejected, initiator,
            ))
        })
    })
}

/// One finding for each interface, direction, protocol, service port and peer,
/// sorted by these: eras are folded. Where the cause changed on the way, the
/// latest is told and the text says that it was another before.
#[must_use]
pub fn folded(mut findings: Vec<RejectFinding>) -> Vec<RejectFinding> {
    findings.sort_by_key(|finding| (finding.key(), finding.seen.last));
    let mut folded: Vec<RejectFinding> = Vec::with_capacity(findings.len());
    for finding in findings {
        match folded.last_mut() {
            Some(last) if last.key() == finding.key() => last.join(finding),
            _ => folded.push(finding),
        }
    }
    folded
}

impl RejectFinding {
    fn key(
        &self,
    ) -> (
        EniId,
        Direction,
        IpProtocol,
        Option<u16>,
        IpNet,
        bool,
        Option<RejectCause>,
    ) {
        (
            self.interface_id,
            self.direction,
            self.protocol,
            self.port,
            self.peer,
            self.reply,
            // Folded noise has a row for each cause.
            (self.peers > 1).then_some(self.cause),
        )
    }

    /// Takes over what a later finding of the same key says.
    fn join(&mut self, mut later: RejectFinding) {
        if later.cause != self.cause {
            later.text = format!("{}; before, {}", later.text, self.text);
        }
        later.seen.merge(&self.seen);
        *self = later;
    }
}

/// What the rejected packets were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// They asked for a connection.
    Request,
    /// They answered one.
    Reply,
}

/// What groups would do with the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GroupSays {
    /// Some rule lets all of it through, or it answers a tracked connection.
    Allow,
    /// Only a reference to a group lets it through: and that matches nothing
    /// that comes through a middlebox between subnets.
    AllowByReference,
    /// No rule lets any of it through.
    Deny,
    /// It depends on what the record does not tell.
    Open,
}

/// What the subnet's ACL would do with the packets.
#[derive(Clone, Debug, PartialEq, Eq)]
enum AclSays {
    /// They cross no subnet boundary.
    NotAsked,
    /// An entry lets them through.
    Allow,
    /// This entry of this ACL stops them; `None` is the closing denial.
    Deny(AclId, Option<u32>),
    /// It depends on what the record does not tell.
    Open,
    /// The snapshot does not have it.
    Unknown,
}

/// One rejected half of a conversation with all that its cause depends on.
struct Subject<'c, 'a> {
    case: &'c Case<'c, 'a>,
    candidate: Candidate<'a>,
    direction: Direction,
    rejected: Cell,
    role: Role,
    /// Whether packets like these, no SYN among them, were let through before.
    followed: bool,
    /// Way of the connection they belong to.
    opened: Direction,
    peer: PeerFacts<'a>,
}

impl<'c, 'a> Subject<'c, 'a> {
    fn new(
        case: &'c Case<'c, 'a>,
        candidate: Candidate<'a>,
        direction: Direction,
        rejected: Cell,
        initiator: Initiator,
    ) -> Subject<'c, 'a> {
        let (role, followed, opened) = role(case, direction, &rejected, initiator);
        let peer = candidate
            .scene
            .peer(case.conversation.key.peer, candidate.eni);
        Subject {
            case,
            candidate,
            direction,
            rejected,
            role,
            followed,
            opened,
            peer,
        }
    }

    /// The packets as noise, if that is what they are.
    fn noise(&self, index: usize) -> Option<Noise> {
        if self.triage() != RejectVerdict::Noise {
            return None;
        }
        let cause = self.cause(self.group_says(), &self.acl_says());
        let judged_by_triage = match cause {
            RejectCause::SecurityGroup | RejectCause::Both => true,
            RejectCause::NetworkAcl => self.role == Role::Request,
            RejectCause::BlockPublicAccess | RejectCause::Unexplained => false,
        };
        let key = &self.case.conversation.key;
        judged_by_triage.then(|| Noise {
            conversation: index,
            direction: self.direction,
            protocol: key.protocol,
            port: self.port(),
            peer: key.peer,
            cause,
            seen: self.rejected,
        })
    }

    fn finding(&self) -> RejectFinding {
        let key = &self.case.conversation.key;
        let (group, acl) = (self.group_says(), self.acl_says());
        let cause = self.cause(group, &acl);
        let mut group_ids = self.candidate.eni.groups.clone();
        group_ids.sort();
        let (verdict, text) = self.judged(cause, group, &acl);
        RejectFinding {
            interface_id: self.case.interface_id,
            group_ids,
            direction: self.direction,
            protocol: key.protocol,
            port: self.port(),
            peer: host_net(key.peer),
            peers: 1,
            peer_groups: self.peer.groups(),
            reply: self.role == Role::Reply,
            cause,
            seen: self.rejected,
            nearest: self.nearest(cause),
            verdict,
            text,
        }
    }

    /// The service port: the keyed one, or the only other one where the
    /// connection goes against the key.
    fn port(&self) -> Option<u16> {
        if !self.case.conversation.key.protocol.has_ports() {
            return None;
        }
        match self.case.conversation.services(self.opened).as_slice() {
            [range] if range.count() == 1 => Some(range.from()),
            _ => Some(self.case.conversation.key.port),
        }
    }

    /// The rejected packets as a question to group rules of their own
    /// direction.
    fn reading(&self) -> Reading {
        let key = &self.case.conversation.key;
        let services = self.destination_ports();
        Reading {
            direction: self.direction,
            protocol: key.protocol,
            services,
            peer: key.peer,
        }
    }

    /// Destination ports of the rejected packets: the service's for requests,
    /// the client's for replies.
    fn destination_ports(&self) -> Vec<PortRange> {
        let conversation = self.case.conversation;
        if !conversation.key.protocol.has_ports() {
            return vec![PortRange::ALL];
        }
        let keyed = self.direction == conversation.key.server.direction();
        let ports = if keyed {
            vec![PortRange::single(conversation.key.port)]
        } else {
            self.rejected.other_ports.ranges().collect()
        };
        if ports.is_empty() {
            vec![PortRange::ALL]
        } else {
            ports
        }
    }

    fn group_says(&self) -> GroupSays {
        // Replies to a tracked connection pass whatever the rules say.
        let answered = self.case.conversation.half(self.opened).accepted.is_some();
        // An interface without groups is not filtered by any.
        if (self.role == Role::Reply && answered) || self.candidate.eni.groups.is_empty() {
            return GroupSays::Allow;
        }
        let reading = self.reading();
        let ask = Ask {
            direction: reading.direction,
            protocol: reading.protocol,
            services: &reading.services,
            peer: &self.peer,
        };
        let fits = matching::covering(self.candidate.eni, &ask, self.candidate.scene);
        let (_, unknown_group) = matching::groups_of(self.candidate.eni, self.candidate.scene);
        match fits.iter().map(|(_, _, fit)| *fit).max() {
            Some(Fit::Whole) if by_reference_only(&fits) => GroupSays::AllowByReference,
            Some(Fit::Whole) => GroupSays::Allow,
            Some(Fit::Part | Fit::Possible) => GroupSays::Open,
            Some(Fit::None) | None if unknown_group => GroupSays::Open,
            Some(Fit::None) | None => GroupSays::Deny,
        }
    }

    fn acl_says(&self) -> AclSays {
        let Candidate { scene, eni } = self.candidate;
        if scene.same_subnet(eni, &self.peer) {
            return AclSays::NotAsked;
        }
        let Some(acl) = eni.subnet_id.as_ref().and_then(|subnet| scene.acl(subnet)) else {
            return AclSays::Unknown;
        };
        let key = &self.case.conversation.key;
        match acl::decide(
            acl,
            self.direction,
            key.protocol,
            &self.destination_ports(),
            key.peer,
        ) {
            AclDecision::Allow(_) => AclSays::Allow,
            AclDecision::Deny(entry) => {
                AclSays::Deny(acl.id.clone(), entry.map(|entry| entry.number))
            }
            AclDecision::Open => AclSays::Open,
        }
    }

    fn cause(&self, group: GroupSays, acl: &AclSays) -> RejectCause {
        if self.rejected.block_public_access > 0 {
            return RejectCause::BlockPublicAccess;
        }
        match (group, acl) {
            (GroupSays::Deny, AclSays::Deny(..)) => RejectCause::Both,
            (
                GroupSays::Deny,
                AclSays::NotAsked | AclSays::Allow | AclSays::Open | AclSays::Unknown,
            ) => RejectCause::SecurityGroup,
            // Something denied it, and the ACL certainly did not. A reference
            // fails only across a boundary.
            (GroupSays::Open, AclSays::NotAsked | AclSays::Allow)
            | (GroupSays::AllowByReference, AclSays::Allow)
                if self.role == Role::Request && !self.followed =>
            {
                RejectCause::SecurityGroup
            }
            (_, AclSays::Deny(..)) => RejectCause::NetworkAcl,
            (GroupSays::Allow, AclSays::Open) if self.role == Role::Reply || !self.followed => {
                RejectCause::NetworkAcl
            }
            (GroupSays::Allow | GroupSays::AllowByReference | GroupSays::Open, _) => {
                RejectCause::Unexplained
            }
        }
    }

    fn nearest(&self, cause: RejectCause) -> Vec<NearestRule> {
        match cause {
            RejectCause::SecurityGroup | RejectCause::Both => {
                let reading = self.reading();
                let ask = Ask {
                    direction: reading.direction,
                    protocol: reading.protocol,
                    services: &reading.services,
                    peer: &self.peer,
                };
                let mut found = self.references(&ask);
                found.extend(nearest::nearest(
                    self.candidate.eni,
                    &ask,
                    self.candidate.scene,
                ));
                found
            }
            RejectCause::NetworkAcl | RejectCause::BlockPublicAccess | RejectCause::Unexplained => {
                Vec::new()
            }
        }
    }

    /// References that name the peer's group and did not match all the same.
    fn references(&self, ask: &Ask<'_>) -> Vec<NearestRule> {
        let fits = matching::covering(self.candidate.eni, ask, self.candidate.scene);
        let whole = fits.iter().filter(|(_, _, fit)| *fit == Fit::Whole);
        let misses = vec![Miss::Peer];
        whole
            .map(|(_, rule, _)| NearestRule {
                rule_id: rule.id.clone(),
                misses: misses.clone(),
            })
            .collect()
    }

    fn judged(
        &self,
        cause: RejectCause,
        group: GroupSays,
        acl: &AclSays,
    ) -> (RejectVerdict, String) {
        let what = self.what();
        match cause {
            RejectCause::BlockPublicAccess => (
                RejectVerdict::Expected,
                format!("{what} dropped by VPC Block Public Access, before any rule was asked"),
            ),
            RejectCause::SecurityGroup => (self.triage(), self.group_text(&what, group, acl)),
            RejectCause::Both => (
                self.triage(),
                format!(
                    "{what} denied twice: no rule of the interface's groups allows it, and {} denies it; fixing one is not enough",
                    acl_name(acl)
                ),
            ),
            RejectCause::NetworkAcl => (self.acl_verdict(), self.acl_text(&what, group, acl)),
            RejectCause::Unexplained => self.unexplained(&what, acl),
        }
    }

    /// `the request tcp/22 from 10.0.1.10`.
    fn what(&self) -> String {
        let protocol = self.case.conversation.key.protocol;
        let service = self
            .port()
            .map_or_else(|| protocol.to_string(), |port| format!("{protocol}/{port}"));
        let peer = self.case.conversation.key.peer;
        match (self.role, self.direction) {
            (Role::Request, Direction::Ingress) => format!("request {service} from {peer}"),
            (Role::Request, Direction::Egress) => format!("request {service} to {peer}"),
            (Role::Reply, Direction::Egress) => {
                format!("reply to {peer} of its {service} connection")
            }
            (Role::Reply, Direction::Ingress) => {
                format!("reply from {peer} to the {service} connection")
            }
        }
    }

    fn group_text(&self, what: &str, group: GroupSays, acl: &AclSays) -> String {
        let mut text = match group {
            GroupSays::Open => format!(
                "{what} denied by the interface's groups: the network ACL allows it, and the {} rules allow only part of what it may have been",
                self.direction
            ),
            GroupSays::AllowByReference => format!(
                "{what} denied by the interface's groups although a rule names the peer's group: a reference matches nothing that comes through a middlebox between subnets, nor a peer that did not carry the group then"
            ),
            GroupSays::Allow | GroupSays::Deny => {
                format!(
                    "{what} denied: no {} rule of the interface's groups allows it",
                    self.direction
                )
            }
        };
        if self.followed {
            text.push_str(&self.what_changed());
        }
        match acl {
            AclSays::Unknown => {
                text.push_str("; the network ACL is not in the snapshot and may deny it too");
            }
            AclSays::Open => text.push_str("; the network ACL may deny it too"),
            AclSays::NotAsked | AclSays::Allow | AclSays::Deny(..) => {}
        }
        text
    }

    /// Why what passed before is denied now, as far as the snapshots tell.
    fn what_changed(&self) -> String {
        let Some(before) = &self.case.before else {
            return "; it was let through before, so a rule changed or tracking ended".to_owned();
        };
        let time = |candidate: Option<&Candidate<'_>>| {
            let captured = candidate.and_then(|candidate| candidate.scene.snapshot.captured_at);
            captured.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
        };
        let (from, to) = (time(before.candidates.first()), time(Some(&self.candidate)));
        let change =
            format!("; it was let through before, and the rules changed between {from} and {to}");
        if before
            .candidates
            .iter()
            .any(|candidate| self.was_untracked(candidate))
        {
            return format!(
                "{change}: it was untracked (open to all addresses, all ports the other way), so the change cut it at once"
            );
        }
        change
    }

    /// Whether connections like this were untracked: a rule for all addresses
    /// let them through and one for all addresses and ports let replies back
    /// (EC2 user guide, "Connection tracking").
    fn was_untracked(&self, candidate: &Candidate<'_>) -> bool {
        let protocol = self.case.conversation.key.protocol;
        let groups = matching::groups_of(candidate.eni, candidate.scene).0;
        let open = |direction, service: PortRange| {
            let mut rules = groups.iter().flat_map(|group| group.rules_of(direction));
            rules.any(|rule| {
                let all = matches!(&rule.peer, Peer::Cidr(net) if net.prefix_len() == 0 && net.contains(&self.peer.address));
                all && rule.transport.has_protocol(protocol) && rule.transport.service().covers(service)
            })
        };
        let opened = self.opened;
        let service = self.case.conversation.services(opened);
        protocol.has_ports()
            && service.iter().all(|service| open(opened, *service))
            && open(opened.reverse(), PortRange::ALL)
    }

    fn acl_text(&self, what: &str, group: GroupSays, acl: &AclSays) -> String {
        let name = acl_name(acl);
        match (self.role, group) {
            (Role::Reply, GroupSays::Allow) => {
                let lacking = if self.case.conversation.key.protocol.has_ports() {
                    "the client's port (1024-65535)"
                } else {
                    "the reply too"
                };
                format!(
                    "{what} denied by {name}: groups let replies pass, network ACLs need a rule for {lacking}"
                )
            }
            (_, GroupSays::Open) => format!("{what} denied by {name}; the groups may deny it too"),
            (_, GroupSays::Allow | GroupSays::AllowByReference | GroupSays::Deny) => {
                format!("{what} denied by {name}; the groups allow it")
            }
        }
    }

    fn unexplained(&self, what: &str, acl: &AclSays) -> (RejectVerdict, String) {
        let flags_known = self.rejected.plain == self.rejected.records;
        if self.followed && self.case.conversation.key.protocol == IpProtocol::TCP {
            let closed = self
                .case
                .conversation
                .cells()
                .any(|cell| cell.flags.closes());
            let verdict = if flags_known || closed {
                RejectVerdict::Expected
            } else {
                RejectVerdict::Unclear
            };
            return (
                verdict,
                format!(
                    "later packets of the {what} arrived after its connection was closed or no longer tracked; no rule denied it, open nothing"
                ),
            );
        }
        let why = match acl {
            AclSays::Unknown => {
                "the groups allow it; the network ACL is not in the snapshot and is the likeliest cause"
            }
            AclSays::NotAsked | AclSays::Allow | AclSays::Open | AclSays::Deny(..) => {
                "groups and network ACL of the snapshot allow it: a change since, an expired or closed connection, or a path that references do not cross"
            }
        };
        (
            RejectVerdict::Unclear,
            format!("{what} not explained by the snapshot: {why}"),
        )
    }

    /// Triage of a denial by groups: known counterparts are looked at, strange
    /// ones from outside are noise.
    fn triage(&self) -> RejectVerdict {
        let inside =
            !self.peer.owners.is_empty() || self.peer.lost_owner || is_private(self.peer.address);
        let spoke = self.case.conversation.accepted() || self.case.before.is_some();
        match (inside || spoke, self.role, self.direction) {
            (true, ..) => RejectVerdict::Misconfiguration,
            (false, Role::Request, Direction::Ingress) => RejectVerdict::Noise,
            (false, _, _) => RejectVerdict::Unclear,
        }
    }

    fn acl_verdict(&self) -> RejectVerdict {
        match self.role {
            Role::Reply => RejectVerdict::Misconfiguration,
            Role::Request => self.triage(),
        }
    }
}

fn acl_name(acl: &AclSays) -> String {
    match acl {
        AclSays::Deny(id, Some(number)) => format!("network ACL {id} entry #{number}"),
        AclSays::Deny(id, None) => format!("network ACL {id} (no entry allows it)"),
        AclSays::NotAsked | AclSays::Allow | AclSays::Open | AclSays::Unknown => {
            "the network ACL".to_owned()
        }
    }
}

/// Whether rejected packets asked or answered, whether others like them were
/// let through before, and the direction of the connection they belong to.
fn role(
    case: &Case<'_, '_>,
    direction: Direction,
    rejected: &Cell,
    initiator: Initiator,
) -> (Role, bool, Direction) {
    let conversation = case.conversation;
    let keyed = conversation.key.server.direction();
    if rejected.requests > 0 {
        return (Role::Request, false, keyed);
    }
    if rejected.answers > 0 {
        return (Role::Reply, false, keyed);
    }
    let before = case.before.as_ref().map(|before| before.conversation);
    let flags_decide = [Some(conversation), before]
        .into_iter()
        .flatten()
        .any(Conversation::flags_decide);
    let opened = match initiator {
        _ if flags_decide => keyed,
        Initiator::Settled(opened, _) if conversation.accepted() => opened,
        Initiator::Settled(..) | Initiator::Ambiguous(_) | Initiator::Unexplained => {
            opened_by_rejects(case, direction)
        }
    };
    let followed = passed(case, direction, rejected);
    let role = if opened == direction {
        Role::Request
    } else {
        Role::Reply
    };
    (role, followed, opened)
}

/// Whether packets of a direction were let through before these were not, in
/// this era or an earlier one.
fn passed(case: &Case<'_, '_>, direction: Direction, rejected: &Cell) -> bool {
    let before = case.before.as_ref().map(|before| before.conversation);
    let halves = [Some(case.conversation), before]
        .into_iter()
        .flatten()
        .map(|one| one.half(direction));
    halves
        .filter_map(|half| half.accepted)
        .any(|cell| cell.first <= rejected.first)
}

/// Who opened, told by what was let through: a rejected half whose opposite
/// was accepted is a reply; a lone one is taken in its own direction.
fn opened_by_rejects(case: &Case<'_, '_>, direction: Direction) -> Direction {
    let before = case.before.as_ref().map(|before| before.conversation);
    let accepted = |direction| {
        let both = [Some(case.conversation), before];
        both.into_iter()
            .flatten()
            .any(|one| one.half(direction).accepted.is_some())
    };
    if accepted(direction.reverse()) && !accepted(direction) {
        direction.reverse()
    } else {
        direction
    }
}

/// Whether references to groups are all that lets it through.
fn by_reference_only(fits: &[(&SecurityGroup, &SgRule, Fit)]) -> bool {
    let mut whole = fits.iter().filter(|(_, _, fit)| *fit == Fit::Whole);
    whole.all(|(_, rule, _)| matches!(rule.peer, Peer::SecurityGroup(_)))
}

/// Private addresses (RFC 1918, RFC 4193) and carrier-grade ones (RFC 6598).
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}
