//! One case in, one proposal out: a pure function of its argument.
//!
//! [`propose`] makes the proposal, [`proven`] also has it checked by the code
//! of [`crate::tighten::proof`] and hides one that fails: such a failure is a
//! bug of the program, never a property of the logs.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::needs::Need;
use crate::evidence::activity;
use crate::evidence::activity::History;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::tighten::backtest::Backtest;
use crate::tighten::boxes::Plot;
use crate::tighten::case::Case;
use crate::tighten::case::Standing;
use crate::tighten::case::Watch;
use crate::tighten::exposure::Addresses;
use crate::tighten::exposure::exposure;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Fitted;
use crate::tighten::fit::Wish;
use crate::tighten::fit::fit;
use crate::tighten::obligations::Asked;
use crate::tighten::obligations::Knows;
use crate::tighten::obligations::Obligations;
use crate::tighten::pairing::Paired;
use crate::tighten::pairing::Said;
use crate::tighten::pairing::meets;
use crate::tighten::pairing::pair;
use crate::tighten::pairing::restored;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;
use crate::tighten::plan::PlannedRule;
use crate::tighten::plan::Proposal;
use crate::tighten::plan::Quota;
use crate::tighten::proof::Proof;
use crate::tighten::proof::check_with;
use crate::tighten::proof::ranked;
use crate::tighten::quota;
use crate::tighten::ranks;
use crate::tighten::reasons;
use crate::tighten::references::Chooser;
use crate::tighten::references::Introduced;
use crate::tighten::rounds::Settled;

/// A proposal with its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct Proven {
    /// What may be shown: the proposal, or everything kept where it failed.
    pub proposal: Proposal,
    /// The proof of the proposal as it was made.
    pub proof: Proof,
    /// The proposal that failed its proof: a bug to report.
    pub failed: Option<Proposal>,
    /// What its like of the past would have broken since, where it was tried.
    pub backtest: Option<Backtest>,
}

/// Proposes, and proves what is proposed. One that fails its proof is not
/// shown: everything is kept in its place.
#[must_use]
pub fn proven(case: &Case<'_>) -> Proven {
    let proposal = propose(case);
    let proof = if has_ranks(case) {
        ranked::check(case.group, &proposal, case.needs, case.book)
    } else {
        check_with(case.group, &proposal, case.needs, case.book)
    };
    if proof.holds() {
        return Proven {
            proposal,
            proof,
            failed: None,
            backtest: None,
        };
    }
    let reasons = vec![reasons::FAILED_PROOF.to_owned()];
    Proven {
        proposal: Work::new(case).unchanged(Decision::Keep, Applicability::ReportOnly, reasons),
        proof,
        failed: Some(proposal),
        backtest: None,
    }
}

/// The narrowest rules that still allow what was needed, within the quota.
/// Equal cases give equal proposals, whatever the order of rules and needs.
#[must_use]
pub fn propose(case: &Case<'_>) -> Proposal {
    made(case, true)
}

/// As [`propose`], without asking how far it is from the best and what other
/// numbers of rules would buy.
#[must_use]
pub fn propose_unweighed(case: &Case<'_>) -> Proposal {
    made(case, false)
}

fn made(case: &Case<'_>, weigh: bool) -> Proposal {
    let work = Work::new(case);
    let (applicability, reasons) = match &case.watch {
        Watch::Insufficient(reasons) => {
            let decision = Decision::InsufficientEvidence;
            return work.unchanged(decision, Applicability::ReportOnly, reasons.clone());
        }
        Watch::Enough {
            applicability,
            reasons,
        } => (*applicability, reasons.clone()),
    };
    if has_ranks(case) {
        return ranks::propose(case, applicability, reasons);
    }
    work.tightened(applicability, reasons, weigh)
}

/// Whether rules of the group may decide before others.
fn has_ranks(case: &Case<'_>) -> bool {
    let mut rules = case.group.rules_of(case.direction);
    case.group.policy.ranked || rules.any(ranks::is_ranked)
}

/// A case with its rules sorted out.
pub(crate) struct Work<'a> {
    pub(crate) case: &'a Case<'a>,
    /// Rules of the direction, by id.
    rules: Vec<&'a SgRule>,
    pub(crate) held: Vec<&'a SgRule>,
    pub(crate) free: Vec<&'a SgRule>,
    /// What is owed without new references, once asked for.
    owed: OnceCell<Obligations>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(case: &'a Case<'a>) -> Work<'a> {
        let mut rules: Vec<&SgRule> = case.group.rules_of(case.direction).collect();
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        let is_free = |rule: &&SgRule| case.standing.get(&rule.id) == Some(&Standing::Free);
        let (free, held) = rules.iter().copied().partition(is_free);
        Work {
            case,
            rules,
            held,
            free,
            owed: OnceCell::new(),
        }
    }

    fn tightened(
        &self,
        applicability: Applicability,
        mut reasons: Vec<String>,
        weigh: bool,
    ) -> Proposal {
        let Settled {
            fitted: found,
            paired,
        } = self.settled();
        let changed = !paired.rules.is_empty() || !paired.remove.is_empty();
        let told = reasons::Told {
            case: self.case,
            rules: &self.rules,
            paired: &paired,
            fitted: found.as_ref(),
        };
        reasons.extend(told.sentences());
        let decision = if changed {
            Decision::Tighten
        } else {
            Decision::Keep
        };
        let applicability = if changed && told.cuts_live_traffic() {
            applicability.min(Applicability::Review)
        } else {
            applicability
        };
        let proposal = self.proposal(decision, applicability, reasons, paired);
        match &found {
            Some(fitted) if changed && weigh => self.weighed(proposal, fitted),
            Some(_) | None => proposal,
        }
    }

    /// What one round finds, and whether another would find the same.
    pub(crate) fn once(&self) -> (Settled, bool) {
        let fitted = self.fitted();
        let Some(found) = &fitted else {
            let paired = self.only_unneeded_removed();
            return (Settled { fitted, paired }, false);
        };
        let standing = self.standing_after(found);
        let paired = pair(&standing, &self.free, &self.case.references.reach);
        let worthwhile = self.worthwhile(paired.clone());
        let fitted_to: BTreeSet<Said> = said_by_boxes(&found.boxes).collect();
        // Narrowed references may leave others without a purpose.
        let done =
            found.boxes.labels.is_empty() && worthwhile == paired && standing.iter().eq(&fitted_to);
        let paired = worthwhile;
        (Settled { fitted, paired }, done)
    }

    /// What is owed.
    pub(crate) fn owed(&self) -> &Obligations {
        self.owed.get_or_init(|| {
            let by_id: BTreeMap<&SgRuleId, &SgRule> =
                self.rules.iter().map(|rule| (&rule.id, *rule)).collect();
            let is_free = |id: &SgRuleId| self.case.standing.get(id) == Some(&Standing::Free);
            let asked = Asked {
                rules: &by_id,
                is_free: &is_free,
                knows: &|peer, address| self.knows(peer, address),
            };
            Obligations::of(self.case.needs, &asked)
        })
    }

    /// What is owed with references in the place of addresses.
    pub(crate) fn referring(&self) -> (Obligations, Introduced) {
        let mut owed = self.owed().clone();
        let introduced = self.introduce(&mut owed);
        (owed, introduced)
    }

    /// Whether a reference knows an address. Entries of a customer's list are
    /// the customer's; those of AWS change by themselves.
    fn knows(&self, peer: &Peer, address: IpAddr) -> Knows {
        let known = match peer {
            Peer::Cidr(net) => Some(net.contains(&address)),
            Peer::SecurityGroup(group) => {
                let groups = self.case.references.carried.get(&address);
                groups.map(|groups| groups.contains(group))
            }
            Peer::PrefixList(id) => {
                let list = self
                    .case
                    .prefix_lists
                    .get(id)
                    .filter(|list| !list.aws_managed);
                let entries = list.and_then(|list| list.entries.as_ref());
                entries.map(|entries| entries.iter().any(|net| net.contains(&address)))
            }
        };
        match known {
            Some(true) => Knows::Surely,
            Some(false) => Knows::Not,
            None => Knows::Presumably,
        }
    }

    fn fitted(&self) -> Option<Fitted> {
        let (referring, introduced) = self.referring();
        if introduced.is_empty() {
            return self.fitted_to(&referring);
        }
        let with = self.fitted_to(&referring);
        let with = with.map(|fitted| Fitted {
            introduced,
            ..fitted
        });
        if with.as_ref().is_some_and(|fitted| !fitted.squeezed) {
            return with;
        }
        // A reference counts in both families: where the quota presses, it
        // may cost more than it is worth.
        let opened = |fitted: &Fitted| (fitted.squeezed, self.volume(&fitted.boxes));
        let both = [with, self.fitted_to(self.owed())];
        both.into_iter().flatten().min_by_key(opened)
    }

    /// Lets references take the place of addresses.
    fn introduce(&self, owed: &mut Obligations) -> Introduced {
        let size = |peer: &Peer| self.size(peer);
        let chooser = Chooser {
            references: self.case.references,
            plots: &self.allowed().plots,
            size: &size,
            weights: self.weights(),
        };
        chooser.introduce(owed)
    }

    pub(crate) fn size(&self, peer: &Peer) -> u128 {
        Addresses::new(self.case.members, self.case.prefix_lists).count(peer)
    }

    /// What the boxes open.
    fn volume(&self, boxes: &Boxes) -> u128 {
        let mut addresses = Addresses::new(self.case.members, self.case.prefix_lists);
        let said: Vec<Said> = said_by_boxes(boxes).collect();
        exposure(said.iter().map(|(t, p)| (*t, p)), &mut addresses)
    }

    fn fitted_to(&self, owed: &Obligations) -> Option<Fitted> {
        self.with_wish(owed, |wish| fit(wish, &self.allowed()))
    }

    pub(crate) fn with_wish<T>(&self, owed: &Obligations, ask: impl Fn(&Wish<'_>) -> T) -> T {
        let weight = |peer: &Peer| quota::of_peer(peer, self.case.prefix_lists);
        let size = |peer: &Peer| self.size(peer);
        ask(&Wish {
            owed,
            limits: self.case.limits,
            moving: self.case.moving,
            vacancy: self.case.vacancy,
            held: self.held.iter().map(|rule| weight(&rule.peer)).sum(),
            weight: &weight,
            size: &size,
        })
    }

    /// What the free rules allow.
    pub(crate) fn allowed(&self) -> Boxes {
        let mut boxes = Boxes::default();
        for rule in &self.free {
            match &rule.peer {
                Peer::Cidr(net) => boxes.plots.push(Plot {
                    transport: rule.transport,
                    net: *net,
                }),
                peer @ (Peer::SecurityGroup(_) | Peer::PrefixList(_)) => {
                    boxes.labels.push((peer.clone(), rule.transport));
                }
            }
        }
        boxes.plots.sort_unstable();
        boxes.labels.sort_unstable();
        boxes
    }

    /// What should stand beside the held rules.
    fn standing_after(&self, fitted: &Fitted) -> Vec<Said> {
        let weight = |peer: &Peer| quota::of_peer(peer, self.case.prefix_lists);
        restored(
            said_by_boxes(&fitted.boxes).collect(),
            &self.free,
            self.held.iter().map(|rule| weight(&rule.peer)).sum(),
            u64::from(self.case.limits.rule_quota),
            &weight,
        )
    }

    /// Where nothing narrower fits the quota: rules that some need names stay
    /// whole.
    fn only_unneeded_removed(&self) -> Paired {
        let named: BTreeSet<&SgRuleId> = self
            .case
            .needs
            .iter()
            .flat_map(|need| &need.covered_by)
            .collect();
        let ids = self.free.iter().map(|rule| rule.id.clone());
        let (keep, remove) = ids.partition(|id| named.contains(id));
        Paired {
            keep,
            rules: Vec::new(),
            remove,
        }
    }

    fn unchanged(
        &self,
        decision: Decision,
        applicability: Applicability,
        reasons: Vec<String>,
    ) -> Proposal {
        let kept = Paired {
            keep: self.rules.iter().map(|rule| rule.id.clone()).collect(),
            ..Paired::default()
        };
        self.proposal(decision, applicability, reasons, kept)
    }

    pub(crate) fn proposal(
        &self,
        decision: Decision,
        applicability: Applicability,
        reasons: Vec<String>,
        paired: Paired,
    ) -> Proposal {
        let Paired {
            mut keep,
            mut rules,
            remove,
        } = paired;
        keep.extend(self.held.iter().map(|rule| rule.id.clone()));
        self.count_records(&mut rules);
        // What drops opens nothing.
        let opening = || {
            self.rules
                .iter()
                .filter(|rule| rule.effect == Effect::Allow)
        };
        let before: Vec<Said> = opening().map(|rule| said(rule)).collect();
        let kept = opening().filter(|rule| keep.contains(&rule.id));
        let (opening_rules, closing_rules): (Vec<&PlannedRule>, Vec<&PlannedRule>) =
            rules.iter().partition(|rule| rule.effect == Effect::Allow);
        let said_by = |rule: &&PlannedRule| (rule.transport, rule.peer.clone());
        let planned = opening_rules.iter().map(said_by);
        let after: Vec<Said> = kept.map(|rule| said(rule)).chain(planned).collect();
        let drops = self.rules.iter().filter(|rule| rule.effect == Effect::Drop);
        let dropping = self.count(&drops.map(|rule| said(rule)).collect::<Vec<_>>());
        let closing = self.count(&closing_rules.iter().map(said_by).collect::<Vec<_>>());
        let mut addresses = Addresses::new(self.case.members, self.case.prefix_lists);
        Proposal {
            group_id: self.case.group.id.clone(),
            direction: self.case.direction,
            decision,
            applicability,
            reasons,
            exposure_before: exposure(before.iter().map(|(t, p)| (*t, p)), &mut addresses),
            exposure_after: exposure(after.iter().map(|(t, p)| (*t, p)), &mut addresses),
            quota_before: [dropping, self.count(&before)].into_iter().sum(),
            quota_after: [dropping, self.count(&after), closing].into_iter().sum(),
            optimality_gap: None,
            curve: Vec::new(),
            isolates: false,
            rules,
            keep: keep.into_iter().collect(),
            remove: remove.into_iter().collect(),
        }
    }

    pub(crate) fn count(&self, rules: &[Said]) -> Quota {
        let weight = |(_, peer): &Said| quota::of_peer(peer, self.case.prefix_lists);
        rules.iter().map(weight).sum()
    }

    /// Counts what was seen through each planned rule.
    fn count_records(&self, rules: &mut [PlannedRule]) {
        if rules.is_empty() {
            return;
        }
        let mut needs: Vec<&Need> = self.case.needs.iter().collect();
        needs.sort_by_key(|need| need.peer);
        let old = self.rules.iter();
        let peers: BTreeMap<&SgRuleId, &Peer> = old.map(|rule| (&rule.id, &rule.peer)).collect();
        for rule in rules {
            let own: Said = (rule.transport, rule.peer.clone());
            let met = |need: &&&Need| meets(&own, need.protocol, need.service);
            let known = |need: &&&Need| match &own.1 {
                Peer::SecurityGroup(id) => self.case.references.knows(id, need.peer),
                Peer::Cidr(_) | Peer::PrefixList(_) => false,
            };
            let referred = |need: &&&Need| {
                if known(need) {
                    return true;
                }
                let mut covering = need.covered_by.iter();
                covering.any(|id| peers.get(id) == Some(&&own.1))
            };
            if rule.effect == Effect::Drop {
                continue;
            }
            (rule.records, rule.seen) = match &rule.peer {
                Peer::Cidr(net) => carried(within(&needs, *net).iter().filter(met)),
                Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
                    carried(needs.iter().filter(met).filter(referred))
                }
            };
        }
    }
}

/// Records of needs, and when they came.
fn carried<'n>(needs: impl Iterator<Item = &'n &'n Need>) -> (u64, Option<History>) {
    let (mut records, mut seen) = (0_u64, None);
    for need in needs {
        records = records.saturating_add(need.records);
        activity::add(&mut seen, Some(need.seen));
    }
    (records, seen)
}

/// Of needs sorted by peer, those whose peer is inside the prefix.
fn within<'a, 'n>(needs: &'a [&'n Need], net: IpNet) -> &'a [&'n Need] {
    let from = needs.partition_point(|need| need.peer < net.network());
    let (_, rest) = needs.split_at(from);
    let length = rest.partition_point(|need| need.peer <= net.broadcast());
    rest.split_at(length).0
}

/// Prefixes first, then references.
pub(crate) fn said_by_boxes(boxes: &Boxes) -> impl Iterator<Item = Said> {
    let plots = boxes.plots.iter();
    let cidrs = plots.map(|plot| (plot.transport, Peer::Cidr(plot.net)));
    let labels = boxes.labels.iter();
    cidrs.chain(labels.map(|(peer, transport)| (*transport, peer.clone())))
}

pub(crate) fn said(rule: &SgRule) -> Said {
    (rule.transport, rule.peer.clone())
}
