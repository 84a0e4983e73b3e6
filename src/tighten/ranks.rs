//! Groups whose rules have ranks and may drop: what can be taken from them
//! without opening anything, whatever other groups stand beside them.
//!
//! To narrow or delete an Accept never lets anything new through, however the
//! lists of an interface are merged; to touch a Drop might, so these stay. The
//! Accepts of each rank are therefore put to the tightener by themselves, with
//! what they decided; what stands in for them keeps their rank, so that it
//! comes before and behind the same rules as they did.
//!
//! What is let through without a rule is more than that. A basic group lets
//! everything out by default: `closing` closes that
//! where it can be proven to stop nothing else. Members reach each other by its
//! intra-group policy: `isolation` closes that, likewise.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use ipnet::IpNet;
use ipnet::Ipv4Net;

use crate::attribute::needs::Need;
use crate::model::Effect;
use crate::model::GroupPolicy;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Transport;
use crate::tighten::case::Case;
use crate::tighten::case::Limits;
use crate::tighten::case::Standing;
use crate::tighten::case::Watch;
use crate::tighten::closing;
use crate::tighten::closing::Closing;
use crate::tighten::closing::NOT_IPV6;
use crate::tighten::closing::closing;
use crate::tighten::exposure::Addresses;
use crate::tighten::exposure::exposure;
use crate::tighten::isolation;
use crate::tighten::isolation::Isolation;
use crate::tighten::isolation::isolation;
use crate::tighten::pairing::Paired;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;
use crate::tighten::plan::Proposal;
use crate::tighten::propose::Work;
use crate::tighten::propose::propose_unweighed;
use crate::tighten::references::References;

/// Why a rule that drops is left alone.
pub const DROPS: &str = "drops: to loosen it could let something through";

/// What is said where Accepts stay.
const POINTLESS: &str =
    "the rules stay as they are: what an Accept let out no more, the default would";

/// No group takes the place of addresses: where it stands among ranks, that
/// could open something.
static NO_REFERENCES: References = References::none();

/// Whether narrowing the rule could change what other rules decide.
pub(crate) fn is_ranked(rule: &SgRule) -> bool {
    rule.priority.is_some() || rule.effect == Effect::Drop
}

/// The proposal for one direction of a group with ranks; `reasons` is what it
/// rests on.
pub(crate) fn propose(
    case: &Case<'_>,
    applicability: Applicability,
    mut reasons: Vec<String>,
) -> Proposal {
    let mut all = Paired::default();
    let rules: Vec<&SgRule> = case.group.rules_of(case.direction).collect();
    let drops = || rules.iter().filter(|rule| rule.effect == Effect::Drop);
    all.keep.extend(drops().map(|rule| rule.id.clone()));
    let mut least = applicability;
    let mut closed = false;
    match closing(case) {
        Some(Closing::Closed(planned)) => {
            closed = true;
            reasons.push(closing::said(&planned));
            all.rules = planned;
            reasons.push(NOT_IPV6.to_owned());
            reasons.push(closing::FORGOTTEN.to_owned());
        }
        Some(Closing::Open(why)) => {
            reasons.push(why);
            if drops().next().is_none() {
                reasons.extend((!rules.is_empty()).then(|| POINTLESS.to_owned()));
                all.keep.extend(rules.iter().map(|rule| rule.id.clone()));
                return Work::new(case).proposal(Decision::Keep, applicability, reasons, all);
            }
        }
        None => {}
    }
    for rank in ranks(&rules) {
        let proposal = of_rank(case, rank, &rules);
        least = least.min(proposal.applicability);
        let new = proposal.reasons.iter().filter(|why| !reasons.contains(why));
        let new: Vec<String> = new.cloned().collect();
        reasons.extend(new);
        all.keep.extend(proposal.keep);
        all.remove.extend(proposal.remove);
        let ranked = proposal.rules.into_iter();
        all.rules.extend(ranked.map(|mut rule| {
            rule.priority = rank;
            rule
        }));
    }
    let mut isolates = false;
    match isolation(case) {
        Some(Isolation::Isolated(planned)) => {
            isolates = true;
            reasons.push(isolation::said(&planned));
            all.rules.extend(planned);
        }
        Some(Isolation::Open(why)) => reasons.push(why),
        None => {}
    }
    all.rules.sort();
    let changed = isolates || !all.rules.is_empty() || !all.remove.is_empty();
    let (decision, applicability) = if changed {
        (Decision::Tighten, least.min(Applicability::Review))
    } else {
        (Decision::Keep, applicability)
    };
    let records: Vec<_> = all
        .rules
        .iter()
        .map(|rule| (rule.records, rule.seen))
        .collect();
    let mut proposal = Work::new(case).proposal(decision, applicability, reasons, all);
    for (rule, (records, seen)) in proposal.rules.iter_mut().zip(records) {
        // What came by no rule of today was counted with the rule for it.
        if rule.replaces.is_empty() {
            (rule.records, rule.seen) = (records, seen);
        }
    }
    if isolates {
        proposal = isolated(case, proposal);
    }
    if closed {
        proposal = closed_default(case, proposal);
    }
    proposal
}

/// The proposal with what members may use of each other among what is open
/// today.
fn isolated(case: &Case<'_>, proposal: Proposal) -> Proposal {
    let label = Peer::SecurityGroup(case.group.id.clone());
    let rules = case.group.rules_of(case.direction);
    let accepts = rules.filter(|rule| rule.effect == Effect::Allow);
    let open = accepts.map(|rule| (rule.transport, &rule.peer));
    let mut addresses = Addresses::new(case.members, case.prefix_lists);
    Proposal {
        isolates: true,
        exposure_before: exposure(open.chain([(Transport::All, &label)]), &mut addresses),
        ..proposal
    }
}

/// The proposal with what goes out by default among what is open today.
fn closed_default(case: &Case<'_>, proposal: Proposal) -> Proposal {
    let everywhere = Peer::Cidr(IpNet::V4(Ipv4Net::default()));
    let mut addresses = Addresses::new(case.members, case.prefix_lists);
    let open = [(Transport::All, &everywhere)];
    Proposal {
        exposure_before: exposure(open.into_iter(), &mut addresses),
        ..proposal
    }
}

fn ranks(rules: &[&SgRule]) -> BTreeSet<Option<u16>> {
    let accepts = rules.iter().filter(|rule| rule.effect == Effect::Allow);
    accepts.map(|rule| rule.priority).collect()
}

/// What can be taken from the Accepts of one rank.
fn of_rank(case: &Case<'_>, rank: Option<u16>, rules: &[&SgRule]) -> Proposal {
    let own = rules
        .iter()
        .filter(|rule| rule.effect == Effect::Allow && rule.priority == rank);
    let own: Vec<SgRule> = own.map(|rule| without_rank(rule)).collect();
    let ids: BTreeSet<&SgRuleId> = own.iter().map(|rule| &rule.id).collect();
    let needs: Vec<Need> = case
        .needs
        .iter()
        .filter_map(|need| of_rules(need, &ids))
        .collect();
    let standing = own.iter().map(|rule| (rule.id.clone(), stands(rule, case)));
    let standing: BTreeMap<SgRuleId, Standing> = standing.collect();
    let room = usize::try_from(case.limits.rule_quota).unwrap_or(usize::MAX);
    let more = room.saturating_sub(rules.len()) / ranks(rules).len().max(1);
    let quota = own.len().saturating_add(more);
    let limits = Limits {
        rule_quota: u32::try_from(quota).unwrap_or(u32::MAX),
        ..case.limits.clone()
    };
    let group = SecurityGroup {
        policy: GroupPolicy::default(),
        rules: own,
        ..case.group.clone()
    };
    let case = Case {
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
        direction: case.direction,
        prefix_lists: case.prefix_lists,
        members: case.members,
        answered_only: case.answered_only,
        moving: case.moving,
        vacancy: case.vacancy,
    };
    propose_unweighed(&case)
}

fn without_rank(rule: &SgRule) -> SgRule {
    SgRule {
        priority: None,
        ..rule.clone()
    }
}

/// What a rule asks beside transport and peer, a narrower one could not say.
fn stands(rule: &SgRule, case: &Case<'_>) -> Standing {
    let known = case.standing.get(&rule.id).cloned();
    match known {
        Some(Standing::Free) if !rule.limits.is_empty() => Standing::Hold(
            "asks for ports or addresses that a narrower rule would have to repeat".to_owned(),
        ),
        Some(standing) => standing,
        None => Standing::Hold("was not judged".to_owned()),
    }
}

fn of_rules(need: &Need, ids: &BTreeSet<&SgRuleId>) -> Option<Need> {
    let own = need.covered_by.iter().filter(|id| ids.contains(id));
    let own: Vec<SgRuleId> = own.cloned().collect();
    (!own.is_empty()).then(|| Need {
        covered_by: own,
        ..need.clone()
    })
}
