//! For each rule that should stand, the rule of today that it narrows.
//!
//! Ids and descriptions outlive a narrowing, so what exists is kept or narrowed
//! where it can be: boxes that some of today's rules say together are left to
//! these rules, as far as the quota has room; the others are paired with the
//! narrowest rule of today that holds them, or with all that hold them together.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::PortSet;
use crate::net::cidr::Family;
use crate::net::cidr::net_bounds;
use crate::tighten::boxes::Ground;
use crate::tighten::boxes::Plot;
use crate::tighten::boxes::transport_covers;
use crate::tighten::boxes::transport_overlaps;
use crate::tighten::plan::PlannedRule;
use crate::tighten::plan::Quota;
use crate::tighten::references::Reach;

/// A rule by what it says.
pub(crate) type Said = (Transport, Peer);

/// Today's free rules against those that should stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paired {
    /// Free rules that stay as they are.
    pub(crate) keep: BTreeSet<SgRuleId>,
    /// Narrowed and added rules; their `records` are not counted yet.
    pub(crate) rules: Vec<PlannedRule>,
    /// Free rules that nothing stands in for.
    pub(crate) remove: BTreeSet<SgRuleId>,
}

/// Pairs what should stand with the free rules of today. A reference that none
/// of them names narrows those that allow it to all addresses of its reach.
pub(crate) fn pair(wanted: &[Said], free: &[&SgRule], reach: &BTreeMap<SgId, Reach>) -> Paired {
    let mut by_text: BTreeMap<(Transport, &Peer), &SgRule> = BTreeMap::new();
    for rule in free {
        by_text.entry((rule.transport, &rule.peer)).or_insert(rule);
    }
    let mut paired = Paired::default();
    let mut open: Vec<&Said> = Vec::new();
    for said in wanted {
        match by_text.get(&(said.0, &said.1)) {
            Some(rule) => {
                paired.keep.insert(rule.id.clone());
            }
            None => open.push(said),
        }
    }
    let changeable: Vec<&SgRule> = free
        .iter()
        .copied()
        .filter(|rule| !paired.keep.contains(&rule.id))
        .collect();
    for said in open {
        let replaces = replaced(said, &changeable, reach);
        // What no changeable rule shares a packet with, kept ones hold.
        if !replaces.is_empty() {
            paired.rules.push(PlannedRule {
                transport: said.0,
                peer: said.1.clone(),
                priority: None,
                effect: Effect::Allow,
                replaces,
                records: 0,
                seen: None,
            });
        }
    }
    let replaced: BTreeSet<&SgRuleId> = paired
        .rules
        .iter()
        .flat_map(|rule| &rule.replaces)
        .collect();
    let gone = changeable
        .iter()
        .filter(|rule| !replaced.contains(&rule.id));
    paired.remove = gone.map(|rule| rule.id.clone()).collect();
    paired.rules.sort();
    paired
}

fn replaced(said: &Said, changeable: &[&SgRule], reach: &BTreeMap<SgId, Reach>) -> Vec<SgRuleId> {
    let named = replaced_by_name(said, changeable);
    let Peer::SecurityGroup(group) = &said.1 else {
        return named;
    };
    match reach.get(group) {
        Some(reach) if named.is_empty() => replaced_by_reach(said.0, reach, changeable),
        Some(_) | None => named,
    }
}

/// The narrowest rule that admits all of the reach, or all that admit some.
fn replaced_by_reach(
    transport: Transport,
    reach: &[IpNet],
    changeable: &[&SgRule],
) -> Vec<SgRuleId> {
    let over = |rule: &SgRule, net: &IpNet, test: fn(&Said, &Said) -> bool| {
        test(&said_by(rule), &(transport, Peer::Cidr(*net)))
    };
    let all = |rule: &&&SgRule| reach.iter().all(|net| over(rule, net, holds));
    if let Some(rule) = changeable
        .iter()
        .filter(all)
        .min_by_key(|rule| breadth(rule))
    {
        return vec![rule.id.clone()];
    }
    let some = |rule: &&&SgRule| reach.iter().any(|net| over(rule, net, share));
    let mut sharing: Vec<SgRuleId> = changeable
        .iter()
        .filter(some)
        .map(|rule| rule.id.clone())
        .collect();
    sharing.sort();
    sharing
}

fn replaced_by_name(said: &Said, changeable: &[&SgRule]) -> Vec<SgRuleId> {
    let holding = changeable.iter().filter(|rule| holds(&said_by(rule), said));
    if let Some(rule) = holding.min_by_key(|rule| breadth(rule)) {
        return vec![rule.id.clone()];
    }
    let mut sharing: Vec<SgRuleId> = changeable
        .iter()
        .filter(|rule| share(&said_by(rule), said))
        .map(|rule| rule.id.clone())
        .collect();
    sharing.sort();
    sharing
}

fn said_by(rule: &SgRule) -> Said {
    (rule.transport, rule.peer.clone())
}

/// Orders rules that hold the same box, narrowest first.
fn breadth(rule: &SgRule) -> (bool, u32, u8, SgRuleId) {
    let length = match &rule.peer {
        Peer::Cidr(net) => net.prefix_len(),
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => 0,
    };
    let all = rule.transport == Transport::All;
    let ports = rule.transport.service().count();
    (all, ports, u8::MAX - length, rule.id.clone())
}

fn holds(outer: &Said, inner: &Said) -> bool {
    let peers = match (&outer.1, &inner.1) {
        (Peer::Cidr(a), Peer::Cidr(b)) => a.contains(b),
        (a, b) => a == b,
    };
    peers && transport_covers(outer.0, inner.0)
}

fn share(a: &Said, b: &Said) -> bool {
    let peers = match (&a.1, &b.1) {
        (Peer::Cidr(a), Peer::Cidr(b)) => a.contains(b) || b.contains(a),
        (a, b) => a == b,
    };
    peers && transport_overlaps(a.0, b.0)
}

/// Leaves boxes to the rules of today that say them together, as long as the
/// count stays within the quota.
pub(crate) fn restored(
    wanted: Vec<Said>,
    free: &[&SgRule],
    held: Quota,
    quota: u64,
    weight: &dyn Fn(&Peer) -> Quota,
) -> Vec<Said> {
    let count = |said: &[Said]| said.iter().map(|(_, peer)| weight(peer)).sum::<Quota>();
    let mut standing: BTreeSet<Said> = BTreeSet::new();
    let mut left = held + count(&wanted);
    for said in wanted {
        let parts = parts_of(&said, free);
        let own = count(std::slice::from_ref(&said));
        let after = Quota {
            v4: left.v4 - own.v4,
            v6: left.v6 - own.v6,
        } + count(&parts);
        if !parts.is_empty() && after.within(quota) {
            left = after;
            standing.extend(parts);
        } else {
            standing.insert(said);
        }
    }
    standing.into_iter().collect()
}

/// The widest of today's rules inside the box, if they make it up; else none.
fn parts_of(said: &Said, free: &[&SgRule]) -> Vec<Said> {
    let inside: Vec<Said> = free
        .iter()
        .map(|rule| said_by(rule))
        .filter(|part| holds(said, part))
        .collect();
    if !make_up(&inside, said) {
        return Vec::new();
    }
    let widest = |part: &&Said| {
        let wider = |other: &Said| other != *part && holds(other, part);
        !inside.iter().any(wider)
    };
    inside.iter().filter(widest).cloned().collect()
}

fn make_up(parts: &[Said], whole: &Said) -> bool {
    let Some(protocol) = whole.0.protocol() else {
        return parts.contains(whole);
    };
    match &whole.1 {
        Peer::Cidr(net) => {
            let plots: Vec<Plot> = parts.iter().filter_map(plot).collect();
            let ground = Ground::new(&plots, Family::of_net(*net), protocol);
            let (first, last) = net_bounds(*net);
            ground.slice(whole.0.service()).covers(first, last)
        }
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
            let services: PortSet = parts
                .iter()
                .map(|(transport, _)| transport.service())
                .collect();
            services.covers(whole.0.service())
        }
    }
}

/// The box, where the peer is a prefix.
pub(crate) fn plot((transport, peer): &Said) -> Option<Plot> {
    match peer {
        Peer::Cidr(net) => Some(Plot {
            transport: *transport,
            net: *net,
        }),
        Peer::SecurityGroup(_) | Peer::PrefixList(_) => None,
    }
}

/// Whether a rule can match packets of the protocol that use the service.
pub(crate) fn meets(said: &Said, protocol: IpProtocol, service: PortRange) -> bool {
    said.0.has_protocol(protocol) && said.0.service().overlaps(service)
}
