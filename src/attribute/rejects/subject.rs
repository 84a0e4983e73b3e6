//! One rejected half of a conversation: what groups and ACL of its time would
//! do with it, and the cause that this makes.

use std::rc::Rc;

use crate::attribute::acl;
use crate::attribute::acl::AclDecision;
use crate::attribute::case::Case;
use crate::attribute::conversation::Conversation;
use crate::attribute::conversation::Services;
use crate::attribute::cover::Candidate;
use crate::attribute::cover::Question;
use crate::attribute::covers::Cover;
use crate::attribute::covers::Stopping;
use crate::attribute::initiator::Initiator;
use crate::attribute::matching;
use crate::attribute::matching::Ask;
use crate::attribute::matching::Fit;
use crate::attribute::nearest;
use crate::attribute::noise::Noise;
use crate::attribute::rejects::RejectFinding;
use crate::attribute::rejects::role::role;
use crate::attribute::scene::PeerFacts;
use crate::attribute::verdict::Miss;
use crate::attribute::verdict::NearestRule;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::attribute::why::Passage;
use crate::evidence::cell::Cell;
use crate::model::AclId;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::SgRuleId;
use crate::net::PortRange;
use crate::net::cidr::is_private;

/// What the rejected packets were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// They asked for a connection.
    Request,
    /// They answered one.
    Reply,
}

/// What groups would do with the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupSays {
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
pub(super) enum AclSays {
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
pub(super) struct Subject<'c, 'a> {
    pub(super) case: &'c Case<'c, 'a>,
    pub(super) candidate: Candidate<'a>,
    pub(super) direction: Direction,
    pub(super) rejected: &'c Cell,
    pub(super) role: Role,
    /// Whether packets like these, no SYN among them, were let through before.
    pub(super) followed: bool,
    /// Way of the connection they belong to.
    pub(super) opened: Direction,
    pub(super) peer: PeerFacts<'a>,
    /// What decides it, where more than the lack of a rule may stop it.
    pub(super) cover: Option<Rc<Cover>>,
}

impl<'c, 'a> Subject<'c, 'a> {
    pub(super) fn new(
        case: &'c Case<'c, 'a>,
        candidate: Candidate<'a>,
        direction: Direction,
        rejected: &'c Cell,
        initiator: Initiator,
    ) -> Subject<'c, 'a> {
        let (role, followed, opened) = role(case, direction, rejected, initiator);
        let address = case.conversation.key.peer;
        let known = || candidate.scene.peer(address, candidate.eni);
        let peer = case.panel.facts(address).unwrap_or_else(known);
        let subject = Subject {
            case,
            candidate,
            direction,
            rejected,
            role,
            followed,
            opened,
            peer,
            cover: None,
        };
        let cover = case.panel.contested.then(|| subject.decided());
        Subject { cover, ..subject }
    }

    /// The rules that decide the rejected packets.
    fn decided(&self) -> Rc<Cover> {
        let key = &self.case.conversation.key;
        let question = Question {
            direction: self.direction,
            protocol: key.protocol,
            services: &self.destination_ports(),
            sources: &self.source_ports(),
            peer: key.peer,
        };
        self.case.docket.cover(&self.case.panel, &question)
    }

    /// What stops it, where rules may do that.
    pub(super) fn stopping(&self) -> Option<&Stopping> {
        self.cover.as_ref()?.stopping.as_ref()
    }

    /// Gives the rules that stopped it, or may have, what they earned.
    pub(super) fn credit(&self) {
        let Some(stopping) = self.stopping() else {
            return;
        };
        // What of it answered something that passed is not known.
        if self.case.conversation.breadth.is_some() {
            stopping.tally.borrow_mut().doubt();
        }
        match self.group_says() {
            GroupSays::Deny => {
                let mut tally = stopping.tally.borrow_mut();
                tally.credit(Some(self.rejected), self.rejected);
            }
            GroupSays::Open => stopping.tally.borrow_mut().doubt(),
            // A session that was forgotten (after 910 s at most, ECS user guide,
            // "Security groups") leaves its late answers to the rules.
            GroupSays::Allow if self.role == Role::Reply => stopping.tally.borrow_mut().doubt(),
            GroupSays::Allow | GroupSays::AllowByReference => {}
        }
    }

    /// The packets as noise, if that is what they are.
    pub(super) fn noise(&self) -> Option<Noise> {
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
            direction: self.direction,
            protocol: key.protocol,
            port: self.port(),
            peer: self.case.conversation.peers(),
            cause,
            seen: *self.rejected,
        })
    }

    pub(super) fn finding(&self) -> RejectFinding {
        let key = &self.case.conversation.key;
        let (group, acl) = (self.group_says(), self.acl_says());
        let cause = self.cause(group, &acl);
        let mut group_ids = self.candidate.eni.groups.clone();
        group_ids.sort();
        let (verdict, text) = self.judged(cause, group, &acl);
        let nearest = self.nearest(cause);
        RejectFinding {
            interface_id: self.case.docket.interface_id,
            group_ids,
            direction: self.direction,
            protocol: key.protocol,
            port: self.port(),
            peer: self.case.conversation.peers(),
            peers: self.case.conversation.breadth.is_none().then_some(1),
            peer_groups: self.peer.groups(),
            reply: self.role == Role::Reply,
            cause,
            seen: *self.rejected,
            fix: (self.case.conversation.breadth.is_none())
                .then(|| self.fix((cause, verdict), group, &acl, &nearest))
                .flatten(),
            dropped_by: self.dropped_by(group),
            nearest,
            verdict,
            text,
        }
    }

    /// Rules that surely dropped it.
    fn dropped_by(&self, group: GroupSays) -> Vec<SgRuleId> {
        let stopping = self.stopping().filter(|_| group == GroupSays::Deny);
        let dropping = stopping.into_iter().flat_map(|own| &own.dropping);
        dropping.map(|(id, _)| id.clone()).collect()
    }

    /// The service port.
    pub(super) fn port(&self) -> Option<u16> {
        port(self.case.conversation, self.opened)
    }

    /// Destination ports of the rejected packets: the service's for requests,
    /// the client's for replies.
    pub(super) fn destination_ports(&self) -> Services {
        let conversation = self.case.conversation;
        if !conversation.key.protocol.has_ports() {
            return Services::one(PortRange::ALL);
        }
        if self.direction == conversation.key.server.direction() {
            return Services::one(conversation.keyed_ports());
        }
        let ports = Services::of(&self.rejected.other_ports);
        if ports.is_empty() {
            return Services::one(PortRange::ALL);
        }
        ports
    }

    /// Ports that the rejected packets were sent from.
    fn source_ports(&self) -> Services {
        let conversation = self.case.conversation;
        if !self.case.panel.asks_sources || !conversation.key.protocol.has_ports() {
            return Services::none();
        }
        if self.direction == conversation.key.server.direction() {
            return Services::of(&self.rejected.other_ports);
        }
        Services::one(conversation.keyed_ports())
    }

    /// The rejected packets as a question to group rules of their own
    /// direction.
    fn ask<'s>(&'s self, services: &'s [PortRange]) -> Ask<'s> {
        Ask {
            local: self.candidate.eni,
            direction: self.direction,
            protocol: self.case.conversation.key.protocol,
            services,
            sources: &[],
            peer: &self.peer,
        }
    }

    fn group_says(&self) -> GroupSays {
        // Replies to a tracked connection pass whatever the rules say.
        let answered = self.case.conversation.half(self.opened).accepted.is_some();
        // An interface without groups is not filtered by any.
        if (self.role == Role::Reply && answered) || self.candidate.eni.groups.is_empty() {
            return GroupSays::Allow;
        }
        if let Some(stopping) = self.stopping() {
            return self.by_rank(stopping);
        }
        let key = &self.case.conversation.key;
        let (fit, by_reference_only) = self.case.panel.strongest(&Question {
            direction: self.direction,
            protocol: key.protocol,
            services: &self.destination_ports(),
            sources: &[],
            peer: key.peer,
        });
        match fit {
            Fit::Whole if by_reference_only => GroupSays::AllowByReference,
            Fit::Whole => GroupSays::Allow,
            Fit::Part | Fit::Possible => GroupSays::Open,
            Fit::None if self.case.panel.unknown_group() => GroupSays::Open,
            Fit::None => GroupSays::Deny,
        }
    }

    /// The same of groups whose rules have ranks, where a Drop may stop what
    /// another rule lets through. That it was rejected tells which of the two
    /// places the intra-group policy has: a Drop among members decided it.
    fn by_rank(&self, stopping: &Stopping) -> GroupSays {
        if self.case.panel.unknown_group() {
            return GroupSays::Open;
        }
        match stopping.passage {
            Passage::Allowed => GroupSays::Allow,
            Passage::Blocked => GroupSays::Deny,
            Passage::Undecided if stopping.is_settled_by_reject() => GroupSays::Deny,
            Passage::Undecided => GroupSays::Open,
        }
    }

    fn acl_says(&self) -> AclSays {
        if self.case.panel.same_subnet(&self.peer) {
            return AclSays::NotAsked;
        }
        let Some(acl) = self.case.panel.acl() else {
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
                let services = self.destination_ports();
                let ask = self.ask(&services);
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
        let whole = fits.iter().filter(|(_, rule, fit)| {
            *fit == Fit::Whole && rule.effect == Effect::Allow && self.cover.is_none()
        });
        let misses = vec![Miss::Peer];
        whole
            .map(|(_, rule, _)| NearestRule {
                rule_id: rule.id.clone(),
                misses: misses.clone(),
            })
            .collect()
    }

    /// Triage of a denial by groups: known counterparts are looked at, strange
    /// ones from outside are noise.
    pub(super) fn triage(&self) -> RejectVerdict {
        let inside =
            !self.peer.owners.is_empty() || self.peer.lost_owner || is_private(self.peer.address);
        let spoke = self.case.conversation.accepted() || self.case.before.is_some();
        match (inside || spoke, self.role, self.direction) {
            (true, ..) => RejectVerdict::Misconfiguration,
            (false, Role::Request, Direction::Ingress) => RejectVerdict::Noise,
            (false, _, _) => RejectVerdict::Unclear,
        }
    }

    pub(super) fn acl_verdict(&self) -> RejectVerdict {
        match self.role {
            Role::Reply => RejectVerdict::Misconfiguration,
            Role::Request => self.triage(),
        }
    }
}

/// The service port of a conversation that was opened in a direction: the keyed
/// one, or the only other one where the connection goes against the key.
pub(super) fn port(conversation: &Conversation, opened: Direction) -> Option<u16> {
    if !conversation.key.protocol.has_ports() {
        return None;
    }
    match *conversation.services(opened) {
        [range] if range.count() == 1 => Some(range.from()),
        _ if conversation.keyed_ports().count() > 1 => None,
        _ => Some(conversation.key.port),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribute::conversation::ConversationKey;
    use crate::attribute::conversation::Half;
    use crate::attribute::conversation::Server;
    use crate::attribute::docket::Docket;
    use crate::attribute::judge::Bench;
    use crate::attribute::rejects::explain;
    use crate::attribute::scene::Scene;
    use crate::attribute::table::RuleIndex;
    use crate::attribute::table::RuleTable;
    use crate::attribute::usage::RuleUse;
    use crate::attribute::world::World;
    use crate::evidence::activity::Activity;
    use crate::evidence::coverage::HourSet;
    use crate::evidence::cuts::Level;
    use crate::evidence::pool::Breadth;
    use crate::evidence::ports::PortSample;
    use crate::model::EniId;
    use crate::model::SgId;
    use crate::model::Snapshot;
    use crate::model::TcpFlags;
    use crate::net::IpProtocol;
    use crate::net::Timestamp;

    /// A neighbour that asks for 5432 in vain, or several of whom it is the first.
    fn refused(breadth: Option<Breadth>) -> Conversation {
        let asked = Cell {
            records: 2,
            packets: 2,
            bytes: 80,
            first: Timestamp(10),
            last: Timestamp(20),
            active: Activity::AT_FIRST,
            requests: 2,
            answers: 0,
            plain: 0,
            flags: TcpFlags(TcpFlags::SYN),
            other_ports: PortSample::default(),
            block_public_access: 0,
        };
        Conversation {
            key: ConversationKey {
                peer: "10.0.1.8".parse().unwrap(),
                protocol: IpProtocol::TCP,
                port: 5_432,
                server: Server::Local,
                level: Level::EXACT,
                era: 0,
            },
            breadth,
            inward: Half {
                accepted: None,
                rejected: Some(asked),
            },
            outward: Half::default(),
        }
    }

    fn many() -> Breadth {
        Breadth {
            peers: "10.0.1.8/29".parse().unwrap(),
            ports: PortRange::single(5_432),
        }
    }

    /// What is found of a refused conversation, and what the first rule earned.
    fn told(snapshot: &Snapshot, breadth: Option<Breadth>) -> (RejectFinding, RuleUse) {
        let (scenes, table) = ([Scene::new(snapshot)], RuleTable::new(snapshot));
        let id = EniId::parse("eni-1").unwrap();
        let nothing = Default::default();
        let bench = Bench::of(&scenes, &table, &nothing);
        let own = Candidate {
            scene: &scenes[0],
            eni: &snapshot.enis[&id],
        };
        let (lost, by_era) = (HourSet::default(), |_| vec![own]);
        let docket = Docket::new(id, &lost, &bench, &by_era);
        let conversation = refused(breadth);
        let case = docket.case(&conversation, None);
        let mut findings = Vec::new();
        explain(&case, case.initiator(), &mut findings, &mut Vec::new());
        let earned = docket.uses().of(RuleIndex(0));
        (findings.pop().unwrap(), earned)
    }

    fn world() -> World {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.6", &["sg-web"]);
        world.group("sg-web", &["in tcp 443 10.0.1.0/24"])
    }

    #[test]
    fn no_fix_is_told_for_addresses_that_were_not_told_apart() {
        let snapshot = world().snapshot();
        let (one, _) = told(&snapshot, None);
        let (several, _) = told(&snapshot, Some(many()));
        let verdicts = [one.verdict, several.verdict];
        assert_eq!(verdicts, [RejectVerdict::Misconfiguration; 2]);
        let fix = one.fix.unwrap();
        assert!(fix.contains("tcp/5432 from 10.0.1.8/32"), "{fix}");
        assert_eq!(several.fix, None);
    }

    #[test]
    fn what_a_drop_earned_by_many_stays_in_doubt() {
        let dropping = ["in tcp 5432 10.0.1.0/24", "in tcp 443 10.0.1.0/24"];
        let world = world().group("sg-web", &dropping).with(|snapshot| {
            let groups = Arc::make_mut(&mut snapshot.groups);
            let group = groups.get_mut(&SgId::from("sg-web")).unwrap();
            group.policy.ranked = true;
            group.rules[0].effect = Effect::Drop;
            group.rules[0].priority = Some(1);
        });
        let snapshot = world.snapshot();
        let earned = |breadth| told(&snapshot, breadth).1;
        let (one, several) = (earned(None), earned(Some(many())));
        assert_eq!((one.needed, one.in_doubt()), (1, false));
        assert_eq!((several.needed, several.in_doubt()), (1, true));
    }
}
