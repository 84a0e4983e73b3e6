//! What goes out by default, closed: a basic group lets out whatever no rule
//! drops, so that narrowing its Accepts closes nothing. A last Drop does, with
//! Accepts before it for all that was seen.
//!
//! It is proposed only where no rule of any group on the same interfaces stands
//! as late as the new ones: the Drop would stop what such an Accept lets out,
//! ties going to the Drop, and the new Accepts would come before such a Drop.
//! What stands in the way is told; to move it is for a person, since a smaller
//! number may open something. Addresses of the cloud's own services stay open,
//! since logs need not show them (which are always let through, the
//! documentation does not say), and IPv6 stays as it is: flow logs need not
//! show that either.

use std::collections::BTreeMap;

use ipnet::IpNet;
use ipnet::Ipv4Net;

use crate::attribute::needs::Need;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::LAST_PRIORITY;
use crate::model::Limits as NoLimits;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::tighten::case::Case;
use crate::tighten::case::Limits;
use crate::tighten::case::Standing;
use crate::tighten::case::Unruled;
use crate::tighten::case::Watch;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;
use crate::tighten::plan::PlannedRule;
use crate::tighten::propose::propose_unweighed;
use crate::tighten::references::References;

/// The largest number that comes before the last.
const BEFORE_LAST: u16 = LAST_PRIORITY - 1;

static NO_REFERENCES: References = References::none();

/// What can be done about it.
#[derive(Debug)]
pub(crate) enum Closing {
    /// These rules close it.
    Closed(Vec<PlannedRule>),
    /// It stays open; why, in a sentence.
    Open(String),
}

/// What can be done about what goes out by default; `None` where nothing does.
pub(crate) fn closing(case: &Case<'_>) -> Option<Closing> {
    let let_out = case.let_out?;
    let closed = |rule: &SgRule| {
        rule.effect == Effect::Drop
            && rule.transport == Transport::All
            && rule.peer == everywhere()
            && rule.limits.is_empty()
    };
    let mut own = case.group.rules_of(case.direction);
    if case.direction == Direction::Ingress || own.any(closed) {
        return None;
    }
    Some(match conflict(case, let_out) {
        Some(why) => Closing::Open(why),
        None => closed_by(case, let_out),
    })
}

fn everywhere() -> Peer {
    Peer::Cidr(IpNet::V4(Ipv4Net::default()))
}

/// What the cloud's own services have: DNS, time, metadata, package mirrors.
fn services() -> Option<Peer> {
    "100.64.0.0/10".parse().ok().map(Peer::Cidr)
}

/// What stands in the way, if anything does.
fn conflict(case: &Case<'_>, let_out: &Unruled<'_>) -> Option<String> {
    if case.group.policy.managed {
        return Some(
            "what goes out by default stays open: the group is kept by a service of the cloud"
                .to_owned(),
        );
    }
    if let_out.unknown {
        return Some("what goes out by default stays open: interfaces of the group carry another that the snapshot lacks".to_owned());
    }
    if let_out.lost {
        return Some("what goes out by default stays open: some of what went out was, or may have been, by interfaces that have changed since or that no snapshot knows".to_owned());
    }
    if let Some(kept) = let_out.beside.iter().find(|group| group.policy.managed) {
        return Some(format!(
            "what goes out by default stays open: interfaces of the group carry {} too, which is kept by a service of the cloud",
            kept.id
        ));
    }
    let late = let_out.beside.iter().flat_map(|group| {
        let rules = group.rules_of(Direction::Egress);
        rules.filter_map(move |rule| Some((group, rule, late(rule)?)))
    });
    let (group, rule, why) = { late }.next()?;
    Some(format!(
        "what goes out by default stays open: `{}` of {} stands at priority {}, {why}",
        rule.id,
        group.id,
        rule.priority.unwrap_or_default()
    ))
}

/// Why a rule stands too late, if it does.
fn late(rule: &SgRule) -> Option<String> {
    let number = rule.priority.unwrap_or_default();
    match rule.effect {
        Effect::Allow if number > BEFORE_LAST => Some(format!(
            "so that a last Drop would come before it; give it {BEFORE_LAST} or less first, if that opens nothing"
        )),
        Effect::Drop if number > BEFORE_LAST => Some(
            "so that an Accept for what was seen, which has to come before a last Drop, would come before it too".to_owned(),
        ),
        Effect::Allow | Effect::Drop => None,
    }
}

/// The narrowest Accepts for what was seen, and the Drop behind them.
fn closed_by(case: &Case<'_>, let_out: &Unruled<'_>) -> Closing {
    let all = SgRule {
        id: SgRuleId::from("default"),
        direction: Direction::Egress,
        effect: Effect::Allow,
        priority: None,
        transport: Transport::All,
        peer: everywhere(),
        limits: NoLimits::default(),
        description: String::new(),
    };
    let standing = BTreeMap::from([(all.id.clone(), Standing::Free)]);
    let needs = let_out.needs.iter().filter(|need| need.peer.is_ipv4());
    let needs: Vec<Need> = needs
        .map(|need| Need {
            covered_by: vec![all.id.clone()],
            ..need.clone()
        })
        .collect();
    let own = case.group.rules_of(Direction::Egress).count();
    let taken = u32::try_from(own.saturating_add(2)).unwrap_or(u32::MAX);
    let limits = Limits {
        rule_quota: case.limits.rule_quota.saturating_sub(taken),
        ..case.limits.clone()
    };
    let group = SecurityGroup {
        policy: GroupPolicy::default(),
        rules: vec![all],
        ..case.group.clone()
    };
    let proposal = propose_unweighed(&Case {
        group: &group,
        needs: &needs,
        standing: &standing,
        watch: Watch::Enough {
            applicability: Applicability::Apply,
            reasons: Vec::new(),
        },
        references: &NO_REFERENCES,
        book: None,
        let_out: None,
        among: None,
        limits: &limits,
        direction: Direction::Egress,
        prefix_lists: case.prefix_lists,
        members: case.members,
        answered_only: case.answered_only,
        moving: case.moving,
        vacancy: case.vacancy,
    });
    if proposal.decision != Decision::Tighten || limits.rule_quota == 0 {
        return Closing::Open(
            "what goes out by default stays open: rules for all that was seen do not fit the quota"
                .to_owned(),
        );
    }
    let seen = proposal.rules.into_iter().map(|rule| PlannedRule {
        priority: Some(BEFORE_LAST),
        replaces: Vec::new(),
        ..rule
    });
    let beside = |transport, peer, priority, effect| PlannedRule {
        transport,
        peer,
        priority: Some(priority),
        effect,
        replaces: Vec::new(),
        records: 0,
        seen: None,
    };
    let services = services().map(|peer| beside(Transport::All, peer, BEFORE_LAST, Effect::Allow));
    let last = beside(Transport::All, everywhere(), LAST_PRIORITY, Effect::Drop);
    Closing::Closed(seen.chain(services).chain([last]).collect())
}

/// What is said of it.
pub(crate) fn said(planned: &[PlannedRule]) -> String {
    let accepts = planned.iter().filter(|rule| rule.effect == Effect::Allow);
    let how = if accepts.count() > 1 {
        "a last Drop closes that, behind Accepts for all that was seen and for"
    } else {
        "nothing was seen to; a last Drop closes that, behind an Accept for"
    };
    format!(
        "what no rule matches goes out by the default of the group's type: {how} the cloud's own services (100.64.0.0/10); add what stands before it first, and mind that interfaces which come to carry the group later are closed too"
    )
}

/// What logs may hide.
pub(crate) const FORGOTTEN: &str = "what is sent on a connection that was silent for more than 910 seconds goes out by default too; logs tell that only where it comes behind all that its peer asked of the service: ask whoever pushes on long connections";

/// What is left open.
pub(crate) const NOT_IPV6: &str = "IPv6 is left open: flow logs need not show it";
