//! What was let through and so must keep passing.
//!
//! [`Passed`] is one conversation at one interface with every rule that could
//! have let it in; [`GroupNeeds`] gathers what one group must go on allowing.
//! Tightening reads the second, its proof replays the first.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::attribute::cover::Unwritten;
use crate::attribute::hitting;
use crate::collections::HashMap;
use crate::evidence::activity::History;
use crate::model::Direction;
use crate::model::EniId;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::PortRange;

/// A rule and the group it stands in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleRef {
    /// The group.
    pub group_id: SgId,
    /// The rule.
    pub rule_id: SgRuleId,
}

/// One accepted conversation at one interface, in one reading of who opened it.
///
/// A conversation whose initiator stays in doubt gives two of these, one for
/// each direction, both with `in_doubt` set: what either reading needs is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// The interface that let it through.
    pub interface_id: EniId,
    /// Ingress: the peer opened it.
    pub direction: Direction,
    /// Protocol.
    pub protocol: IpProtocol,
    /// Service port, or the range that the port is known to lie in; all of
    /// the space for protocols without ports and for ICMP, whose type no log
    /// tells.
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// Where it was one or more of these addresses, of which `peer` is the first:
    /// memory did not tell them apart, and no rule does.
    pub among: Option<IpNet>,
    /// Whether the direction stays in doubt.
    pub in_doubt: bool,
    /// Whether the other side answered with more than a reset.
    pub answered: bool,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// When records of it were accepted, of either half.
    pub seen: History,
    /// Rules of the newest snapshot, on this interface and direction, that
    /// cover some of it, sorted. Empty: today's rules do not explain it.
    pub covered_by: Arc<[RuleRef]>,
    /// What may have let it through without a rule.
    pub unwritten: Option<Unwritten>,
}

/// What a group must go on allowing in one direction, over all interfaces that
/// carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNeeds {
    /// The group.
    pub group_id: SgId,
    /// The direction.
    pub direction: Direction,
    /// Sorted, one per protocol, service and peer.
    pub needs: Vec<Need>,
}

/// One thing that a group let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// Protocol.
    pub protocol: IpProtocol,
    /// As in [`Passed::service`].
    pub service: PortRange,
    /// The far side's address.
    pub peer: IpAddr,
    /// As in [`Passed::among`].
    pub among: Option<IpNet>,
    /// Rules of this group and direction that cover some of it; never empty.
    pub covered_by: Vec<SgRuleId>,
    /// Records of the initiator-to-responder half.
    pub records: u64,
    /// When it was seen.
    pub seen: History,
    /// Whether it is kept only because the initiator stays in doubt.
    pub in_doubt: bool,
}

/// Which of the groups that cover a conversation must keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keepers {
    /// Each of them: every group stays right by itself.
    All,
    /// One of them, the same for equal needs.
    One,
}

/// Neighbours that the same rules let through in the same direction, run by run:
/// what is asked of their rules is asked once.
pub fn alike(passed: &[Passed]) -> impl Iterator<Item = (&Passed, &[Passed])> {
    let runs = passed.chunk_by(|one, next| {
        one.direction == next.direction && Arc::ptr_eq(&one.covered_by, &next.covered_by)
    });
    runs.filter_map(|run| Some((run.first()?, run)))
}

/// What each group must go on allowing, sorted by group and direction.
#[must_use]
pub fn group_needs(passed: &[Passed], keepers: Keepers) -> Vec<GroupNeeds> {
    let staying = match keepers {
        Keepers::All => BTreeSet::new(),
        Keepers::One => staying(passed),
    };
    let mut shares: HashMap<(&SgId, Direction), Vec<Share<'_>>> = HashMap::default();
    let keeps = |group: &SgId, one: &Passed| match keepers {
        Keepers::One if one.is_pinned() => {
            keeper(one, &staying).is_none_or(|keeper| keeper == group)
        }
        Keepers::One | Keepers::All => true,
    };
    for (first, run) in alike(passed) {
        for (group, rules) in first.by_group() {
            let kept = run.iter().filter(|one| keeps(group, one));
            let of_group = shares.entry((group, first.direction)).or_default();
            of_group.extend(kept.map(|one| (one, rules)));
        }
    }
    shares.retain(|_, share| !share.is_empty());
    let mut shares: Vec<_> = shares.into_iter().collect();
    shares.sort_unstable_by_key(|(of, _)| *of);
    let needs = |((group, direction), shares): ((&SgId, Direction), Vec<Share<'_>>)| GroupNeeds {
        group_id: group.clone(),
        direction,
        needs: needs_of(shares),
    };
    shares.into_par_iter().map(needs).collect()
}

/// A conversation with the rules of one group that cover it.
type Share<'a> = (&'a Passed, &'a [RuleRef]);

/// One need for each protocol, service and peer, sorted.
fn needs_of(mut shares: Vec<Share<'_>>) -> Vec<Need> {
    shares.sort_by_key(|(one, _)| one.service_and_peer());
    let same =
        |one: &Share<'_>, other: &Share<'_>| one.0.service_and_peer() == other.0.service_and_peer();
    shares.chunk_by(same).filter_map(need_of).collect()
}

/// Interfaces may differ in which references cover it; the union is kept.
fn need_of(shares: &[Share<'_>]) -> Option<Need> {
    let (first, rules) = shares.first()?;
    let mut all: Vec<&SgRuleId> = rules.iter().map(|rule| &rule.rule_id).collect();
    for (_, other) in shares.iter().filter(|(_, other)| other != rules) {
        all.extend(other.iter().map(|rule| &rule.rule_id));
    }
    all.sort_unstable();
    all.dedup();
    Some(Need {
        protocol: first.protocol,
        service: first.service,
        peer: first.peer,
        among: first.among,
        covered_by: all.into_iter().cloned().collect(),
        records: shares.iter().map(|(one, _)| one.records).sum(),
        seen: shares.iter().fold(first.seen, |mut seen, (one, _)| {
            seen.merge(&one.seen);
            seen
        }),
        in_doubt: shares.iter().all(|(one, _)| one.in_doubt),
    })
}

impl Passed {
    /// The groups that cover it, each with its rules.
    pub fn by_group(&self) -> impl Iterator<Item = (&SgId, &[RuleRef])> {
        let runs = self
            .covered_by
            .chunk_by(|one, other| one.group_id == other.group_id);
        runs.filter_map(|rules| Some((&rules.first()?.group_id, rules)))
    }

    /// Whether a rule that covers it covers all of it: one port, or a protocol
    /// of which nothing is left open.
    fn is_pinned(&self) -> bool {
        let open = self.protocol.has_ports() || self.protocol.is_icmp();
        !open || self.service.count() == 1
    }

    fn service_and_peer(&self) -> (IpProtocol, PortRange, IpAddr, Option<IpNet>) {
        (self.protocol, self.service, self.peer, self.among)
    }
}

/// By direction, the fewest groups that can keep everything.
fn staying(passed: &[Passed]) -> BTreeSet<(Direction, &SgId)> {
    let mut demands: BTreeSet<Vec<(Direction, &SgId)>> = BTreeSet::new();
    let mut alone: BTreeSet<(Direction, &SgId)> = BTreeSet::new();
    for one in passed {
        let groups: Vec<_> = one
            .by_group()
            .map(|(group, _)| (one.direction, group))
            .collect();
        if groups.len() == 1 || !one.is_pinned() {
            alone.extend(groups);
        } else if !groups.is_empty() {
            demands.insert(groups);
        }
    }
    demands.retain(|groups| !groups.iter().any(|group| alone.contains(group)));
    alone.extend(hitting::fewest(&demands));
    alone
}

/// The group that keeps a conversation.
fn keeper<'a>(passed: &'a Passed, staying: &BTreeSet<(Direction, &SgId)>) -> Option<&'a SgId> {
    let mut groups = passed.by_group().map(|(group, _)| group);
    groups.find(|group| staying.contains(&(passed.direction, *group)))
}
