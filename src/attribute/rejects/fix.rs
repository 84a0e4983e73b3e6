//! The cheapest way to let through what was rejected and looks wanted: told,
//! never proposed, and only where it is known to be enough.
//!
//! The smallest opening comes first: one port for one address, then for the
//! peer's group. Packets of a connection that was open before ask for nothing,
//! and neither does what the logs do not tell in full, such as an ICMP type.

use crate::attribute::acl;
use crate::attribute::acl::AclDecision;
use crate::attribute::nearest::service_text;
use crate::attribute::nearest::side;
use crate::attribute::rejects::subject::AclSays;
use crate::attribute::rejects::subject::GroupSays;
use crate::attribute::rejects::subject::Role;
use crate::attribute::rejects::subject::Subject;
use crate::attribute::verdict::Miss;
use crate::attribute::verdict::NearestRule;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::model::Direction;
use crate::model::SgId;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::cidr::host_net;

/// First number of the denials that close an ACL (API `NetworkAclEntry`).
const CLOSING: u32 = 32_767;

impl Subject<'_, '_> {
    /// What would let it through, in words; `None` where nobody should, or it
    /// is not known what would.
    pub(super) fn fix(
        &self,
        (cause, verdict): (RejectCause, RejectVerdict),
        group: GroupSays,
        acl: &AclSays,
        nearest: &[NearestRule],
    ) -> Option<String> {
        let dropped = self.stopping().is_some_and(|own| !own.dropping.is_empty());
        if verdict != RejectVerdict::Misconfiguration || self.is_rest() || dropped {
            return None;
        }
        let known = matches!(group, GroupSays::Deny | GroupSays::AllowByReference);
        match (cause, acl) {
            (RejectCause::SecurityGroup, AclSays::NotAsked) if known => {
                self.group_fix(group, nearest)
            }
            (RejectCause::SecurityGroup, AclSays::Allow) if known => {
                let replies = self.replies().unwrap_or_default();
                Some(self.group_fix(group, nearest)? + &replies)
            }
            (RejectCause::SecurityGroup, AclSays::Unknown) if known => Some(
                self.group_fix(group, nearest)?
                    + ", if the network ACL, which is not in the snapshot, lets it through",
            ),
            (RejectCause::NetworkAcl, AclSays::Deny(..))
                if matches!(group, GroupSays::Allow | GroupSays::AllowByReference) =>
            {
                self.acl_fix(acl)
            }
            (RejectCause::Both, AclSays::Deny(..)) => {
                let (group, acl) = (self.group_fix(group, nearest)?, self.acl_fix(acl)?);
                Some(format!("{group}; and {acl}"))
            }
            (
                RejectCause::SecurityGroup
                | RejectCause::NetworkAcl
                | RejectCause::Both
                | RejectCause::BlockPublicAccess
                | RejectCause::Unexplained,
                _,
            ) => None,
        }
    }

    /// Whether it may be the rest of a connection that was let through, for
    /// which no opening is asked (semantics of late and cut packets).
    fn is_rest(&self) -> bool {
        let tcp = self.case.conversation.key.protocol == IpProtocol::TCP;
        let other_way = self.case.conversation.half(self.direction.reverse());
        let no_syn = self.rejected.requests == 0;
        let told = self.rejected.plain > 0;
        let request = self.role == Role::Request;
        self.followed || (request && tcp && no_syn && (told || other_way.accepted.is_some()))
    }

    /// The ports to open; `None` where they are not known.
    fn service(&self) -> Option<PortRange> {
        let protocol = self.case.conversation.key.protocol;
        if protocol.is_icmp() {
            return None;
        }
        if self.role == Role::Reply && protocol.has_ports() {
            let ports = self.destination_ports();
            let ephemeral = ports.iter().all(|range| PortRange::CLIENTS.covers(*range));
            return (ephemeral || ports.contains(&PortRange::ALL)).then_some(PortRange::CLIENTS);
        }
        match *self.destination_ports() {
            [range] if range.count() == 1 || !protocol.has_ports() => Some(range),
            _ => None,
        }
    }

    /// `tcp/5432 from 10.0.2.40/32`.
    fn opening(&self) -> Option<String> {
        let key = &self.case.conversation.key;
        Some(format!(
            "{} {} {}",
            service_text(key.protocol, &[self.service()?]),
            side(self.direction),
            host_net(key.peer)
        ))
    }

    fn group_fix(&self, group: GroupSays, nearest: &[NearestRule]) -> Option<String> {
        if self.role == Role::Reply {
            return None;
        }
        let by_group = match group {
            GroupSays::AllowByReference => None,
            GroupSays::Allow | GroupSays::Deny | GroupSays::Open => self.peer_group(),
        };
        let by_group = by_group.map(|group| format!(", or {} {group}", side(self.direction)));
        Some(format!(
            "in {}: {}{}",
            self.place(nearest)?,
            self.opening()?,
            by_group.unwrap_or_default()
        ))
    }

    /// The group to change: that of a rule which misses on one thing, or the
    /// interface's only one.
    fn place(&self, nearest: &[NearestRule]) -> Option<String> {
        let groups = &self.candidate.eni.groups;
        let near = nearest
            .iter()
            .find(|rule| matches!(rule.misses.as_slice(), [Miss::Peer | Miss::Port]));
        let of_rule = near.and_then(|near| {
            let holds = |group: &&SgId| {
                let group = self.candidate.scene.group(group);
                group.is_some_and(|group| group.rules.iter().any(|rule| rule.id == near.rule_id))
            };
            let group = groups.iter().find(holds)?;
            Some(format!("{group} beside {}", near.rule_id))
        });
        of_rule.or_else(|| match groups.as_slice() {
            [] => None,
            [one] => Some(one.to_string()),
            several => {
                let named: Vec<&str> = several.iter().map(SgId::as_str).collect();
                Some(format!("one of {}", named.join(", ")))
            }
        })
    }

    /// A group by which the peer may be named: it is surely one interface, of
    /// the same VPC.
    fn peer_group(&self) -> Option<&SgId> {
        let [owner] = self.peer.owners.as_slice() else {
            return None;
        };
        let near = owner.vpc_id.is_some() && owner.vpc_id == self.candidate.eni.vpc_id;
        owner
            .groups
            .first()
            .filter(|_| near && !self.peer.lost_owner)
    }

    fn acl_fix(&self, acl: &AclSays) -> Option<String> {
        let AclSays::Deny(id, entry) = acl else {
            return None;
        };
        let listed = entry.filter(|number| *number < CLOSING);
        let ahead = listed.map(|number| format!(" ahead of #{number}"));
        Some(format!(
            "in {id}{}: allow {}{}",
            ahead.unwrap_or_default(),
            self.opening()?,
            self.replies().unwrap_or_default()
        ))
    }

    /// What the ACL must let back, where it may not: it keeps no state.
    fn replies(&self) -> Option<String> {
        if self.role == Role::Reply {
            return None;
        }
        let key = &self.case.conversation.key;
        let back: Direction = self.direction.reverse();
        let ports = if key.protocol.has_ports() {
            PortRange::CLIENTS
        } else {
            PortRange::ALL
        };
        match acl::decide(
            self.case.panel.acl()?,
            back,
            key.protocol,
            &[ports],
            key.peer,
        ) {
            AclDecision::Allow(_) => None,
            AclDecision::Deny(_) | AclDecision::Open => Some(format!(
                ", and in its network ACL {} {} {} for the replies",
                service_text(key.protocol, &[ports]),
                side(back),
                host_net(key.peer)
            )),
        }
    }
}
