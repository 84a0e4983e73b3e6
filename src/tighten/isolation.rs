//! Members of a basic group reach each other whatever the rules say while its
//! intra-group policy is Accept. Set to Drop, rules and the default decide
//! (ECS API, `ModifySecurityGroupPolicy`), so that it closes all that members
//! were not seen to need of each other, behind Accepts for what they need.
//!
//! The Accepts are for members alone, by the group's own label, and for
//! services, never for addresses: whoever the policy lets through carries the
//! label. They take the last number: behind every Drop they open nothing,
//! whichever of the documentation's two readings holds (see
//! [`crate::attribute::merge`]). A Drop that meets what members use would then
//! stop it, and an Accept before that Drop might open what it closes, so such a
//! group stays as it is and the Drop is named.

use std::collections::BTreeMap;

use crate::attribute::needs::Need;
use crate::evidence::activity;
use crate::evidence::activity::History;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::LAST_PRIORITY;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortSet;
use crate::tighten::case::Among;
use crate::tighten::case::Case;
use crate::tighten::plan::PlannedRule;

/// More rules than this for what members use of each other are no isolation.
const FEW: usize = 8;
/// Rules of a basic group that may name groups (ECS user guide, "Limits of
/// security groups").
const MOST_REFERENCES: usize = 20;

/// What can be done about it.
#[derive(Debug)]
pub(crate) enum Isolation {
    /// The policy can be Drop, with these rules.
    Isolated(Vec<PlannedRule>),
    /// It stays; why, in a sentence.
    Open(String),
}

/// What is said where members go on reaching each other.
const OPEN: &str = "members go on reaching each other by the intra-group policy";

/// What can be done about members that reach each other; `None` where the group
/// has no such policy.
pub(crate) fn isolation(case: &Case<'_>) -> Option<Isolation> {
    let among = case
        .among
        .filter(|_| case.direction == Direction::Ingress)?;
    let conflict = stands_against(case, among).or_else(|| conflict(among));
    Some(match conflict {
        Some(why) => Isolation::Open(format!("{OPEN}: {why}")),
        None => isolated_by(case, among),
    })
}

fn stands_against(case: &Case<'_>, among: &Among<'_>) -> Option<String> {
    let why = if case.group.policy.managed {
        "the group is kept by a service of the cloud"
    } else if among.unruled.unknown {
        "interfaces of the group carry another that the snapshot lacks"
    } else if among.unruled.lost {
        "some of what they used of each other was, or may have been, by interfaces or addresses that the newest snapshot lacks or gives to others"
    } else if among.interfaces < 2 {
        "one interface alone carries the group, so nothing shows what members need of each other"
    } else if among.ipv6 {
        "they have IPv6 addresses too, and flow logs need not show what they use of each other there"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// A Drop that would stop what members use, or that comes behind the last number.
fn conflict(among: &Among<'_>) -> Option<String> {
    let drops = among.unruled.beside.iter().flat_map(|group| {
        let rules = group.rules_of(Direction::Ingress);
        let drops = rules.filter(|rule| rule.effect == Effect::Drop);
        drops.map(move |rule| (group, rule))
    });
    let mut told = drops.filter_map(|(group, rule)| {
        let number = rule.priority.unwrap_or_default();
        let named = format!("`{}` of {}", rule.id, group.id);
        if number > LAST_PRIORITY && !among.unruled.needs.is_empty() {
            return Some(format!("{named} drops at priority {number}, behind every number that an Accept could have"));
        }
        let met = among.unruled.needs.iter().find(|need| meets(rule, need))?;
        let service = Transport::of(met.protocol, met.service);
        Some(format!("{named} drops at priority {number} what they use of each other ({service}): with the policy set to Drop it would stop that, and an Accept before it could open what it closes"))
    });
    told.next()
}

/// Whether the rule may match the need. Whom a group or a list holds tomorrow is
/// not known.
fn meets(rule: &SgRule, need: &Need) -> bool {
    let peer = match &rule.peer {
        Peer::Cidr(net) => net.contains(&need.peer),
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => true,
    };
    let transport = rule.transport.has_protocol(need.protocol)
        && rule.transport.service().overlaps(need.service);
    peer && transport
}

fn isolated_by(case: &Case<'_>, among: &Among<'_>) -> Isolation {
    let rules = accepts(case, among);
    let own = case.group.rules_of(Direction::Ingress).count();
    let both = Direction::BOTH.map(|direction| case.group.rules_of(direction));
    let named = both.into_iter().flatten();
    let named = named.filter(|rule| matches!(rule.peer, Peer::SecurityGroup(_)));
    let references = named.count() + rules.len();
    let quota = usize::try_from(case.limits.rule_quota).unwrap_or(usize::MAX);
    if rules.len() > FEW {
        let count = rules.len();
        return Isolation::Open(format!(
            "{OPEN}: they use too many services of each other ({count}) to be kept apart"
        ));
    }
    if !rules.is_empty() && (own + rules.len() > quota || references > MOST_REFERENCES) {
        return Isolation::Open(format!(
            "{OPEN}: rules for what they use of each other do not fit the quota"
        ));
    }
    Isolation::Isolated(rules)
}

/// Accepts for what members use of each other and no rule lets through already.
fn accepts(case: &Case<'_>, among: &Among<'_>) -> Vec<PlannedRule> {
    let mut ports: BTreeMap<IpProtocol, PortSet> = BTreeMap::new();
    let needs: Vec<&Need> = among
        .unruled
        .needs
        .iter()
        .filter(|need| !is_let_through(need, &among.unruled.beside, &case.group.id))
        .collect();
    for need in &needs {
        let own = ports.entry(need.protocol).or_insert_with(PortSet::empty);
        own.insert(need.service);
    }
    let label = Peer::SecurityGroup(case.group.id.clone());
    let transports = ports.iter().flat_map(|(protocol, ports)| {
        let ranges = ports.ranges().iter();
        ranges.map(|range| Transport::of(*protocol, *range))
    });
    transports
        .map(|transport| {
            let carried = needs.iter().filter(|need| {
                transport.has_protocol(need.protocol) && transport.service().covers(need.service)
            });
            let mut seen: Option<History> = None;
            let mut records = 0_u64;
            for need in carried {
                records = records.saturating_add(need.records);
                activity::add(&mut seen, Some(need.seen));
            }
            PlannedRule {
                transport,
                peer: label.clone(),
                priority: Some(LAST_PRIORITY),
                effect: Effect::Allow,
                replaces: Vec::new(),
                records,
                seen,
            }
        })
        .collect()
}

/// Whether a rule of today surely lets it through; what covers a need stays, or
/// narrower rules that cover it do.
fn is_let_through(need: &Need, beside: &[&SecurityGroup], label: &SgId) -> bool {
    let rules = beside
        .iter()
        .flat_map(|group| group.rules_of(Direction::Ingress));
    let mut own = rules.filter(|rule| need.covered_by.contains(&rule.id));
    own.any(|rule| {
        let named = match &rule.peer {
            Peer::Cidr(net) => net.contains(&need.peer),
            Peer::SecurityGroup(group) => group == label,
            Peer::PrefixList(_) => false,
        };
        rule.effect == Effect::Allow
            && named
            && rule.limits.is_empty()
            && rule.transport.has_protocol(need.protocol)
            && rule.transport.service().covers(need.service)
    })
}

/// What is said of it.
pub(crate) fn said(rules: &[PlannedRule]) -> String {
    let them = if rules.is_empty() {
        "nothing that members use of each other needs a rule of its own".to_owned()
    } else {
        let services: Vec<String> = rules
            .iter()
            .map(|rule| match rule.transport {
                Transport::Other(own) => format!("protocol {own}"),
                own @ (Transport::All
                | Transport::Tcp(_)
                | Transport::Udp(_)
                | Transport::Icmp(_)
                | Transport::Icmpv6(_)) => own.to_string(),
            })
            .collect();
        format!(
            "first add the Accepts for what they use of each other ({})",
            services.join(", ")
        )
    };
    format!(
        "members reach each other by the intra-group policy, whatever the rules say: set it to Drop (isolation); {them}. Interfaces that share another group whose members reach each other go on doing so"
    )
}
