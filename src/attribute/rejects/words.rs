//! The explanation of a REJECT in words, with what it asks of a person.

use crate::attribute::cover::Candidate;
use crate::attribute::matching;
use crate::attribute::rejects::subject::AclSays;
use crate::attribute::rejects::subject::GroupSays;
use crate::attribute::rejects::subject::Role;
use crate::attribute::rejects::subject::Subject;
use crate::attribute::verdict::RejectCause;
use crate::attribute::verdict::RejectVerdict;
use crate::model::Direction;
use crate::model::Peer;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::PortRange;

impl Subject<'_, '_> {
    pub(super) fn judged(
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
            RejectCause::SecurityGroup => {
                (self.group_verdict(), self.group_text(&what, group, acl))
            }
            RejectCause::Both => (
                self.group_verdict(),
                format!(
                    "{what} denied twice: {}, and {} denies it; fixing one is not enough",
                    self.dropped().unwrap_or_else(|| {
                        "no rule of the interface's groups allows it".to_owned()
                    }),
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
            .map_or_else(|| self.several(), |port| format!("{protocol}/{port}"));
        let peer = match self.case.conversation.among() {
            Some(peers) => format!("addresses in {peers}"),
            None => self.case.conversation.key.peer.to_string(),
        };
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

    /// The protocol, with the ports that memory did not tell apart.
    fn several(&self) -> String {
        let conversation = self.case.conversation;
        let protocol = conversation.key.protocol;
        match conversation.breadth {
            Some(breadth) if protocol.has_ports() => format!("{protocol}/{}", breadth.ports),
            Some(_) | None => protocol.to_string(),
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
            GroupSays::Allow | GroupSays::Deny => match self.dropped() {
                Some(dropped) => format!("{what} denied: {dropped}"),
                None => format!(
                    "{what} denied: no {} rule of the interface's groups allows it",
                    self.direction
                ),
            },
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

    /// `sgr-1 (priority 1) drops it before sgr-2 is asked`, where a rule does.
    fn dropped(&self) -> Option<String> {
        let stopping = self.stopping()?;
        let named = |(id, rank): &(SgRuleId, Option<u16>)| match rank {
            Some(rank) => format!("{id} (priority {rank})"),
            None => id.to_string(),
        };
        let dropping: Vec<String> = stopping.dropping.iter().map(named).collect();
        let verb = match dropping.as_slice() {
            [] => return None,
            [_] => "drops",
            _ => "drop",
        };
        let dropping = dropping.join(" and ");
        let overruled: Vec<&str> = stopping.overruled.iter().map(SgRuleId::as_str).collect();
        let before = match overruled.as_slice() {
            [] => String::new(),
            [one] => format!(" before {one}, which allows it, is asked"),
            _ => format!(
                " before {}, which allow it, are asked",
                overruled.join(" and ")
            ),
        };
        Some(format!("{dropping} {verb} it{before}"))
    }

    /// What a person is asked: a Drop that nothing contradicts is meant.
    fn group_verdict(&self) -> RejectVerdict {
        let meant = self
            .stopping()
            .is_some_and(|own| !own.dropping.is_empty() && own.overruled.is_empty());
        let triage = self.triage();
        if meant && triage == RejectVerdict::Misconfiguration {
            RejectVerdict::Expected
        } else {
            triage
        }
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
        let (from, to) = (
            time(before.panel.candidates().first()),
            time(Some(&self.candidate)),
        );
        let change =
            format!("; it was let through before, and the rules changed between {from} and {to}");
        if before
            .panel
            .candidates()
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
        // Where rules have ranks, every connection is tracked.
        if groups.iter().any(|group| group.policy.ranked) {
            return false;
        }
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
