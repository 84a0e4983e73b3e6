//! What changes are worth: rules stay whole whose narrowing closes too little,
//! and a proposal comes with how far it is from the best and with what other
//! numbers of rules would open.

use crate::model::Peer;
use crate::model::SgRule;
use crate::model::Transport;
use crate::net::PortRange;
use crate::net::cidr::Family;
use crate::tighten::boxes::Plot;
use crate::tighten::boxes::Ranges;
use crate::tighten::curve::steps;
use crate::tighten::curve::worthwhile;
use crate::tighten::exposure::Addresses;
use crate::tighten::exposure::exposure;
use crate::tighten::fit::Boxes;
use crate::tighten::fit::Fitted;
use crate::tighten::fit::survey;
use crate::tighten::pairing::Paired;
use crate::tighten::pairing::Said;
use crate::tighten::pairing::plot;
use crate::tighten::plan::CurvePoint;
use crate::tighten::plan::PlannedRule;
use crate::tighten::plan::Proposal;
use crate::tighten::propose::Work;
use crate::tighten::propose::said;
use crate::tighten::propose::said_by_boxes;
use crate::tighten::reasons;
use crate::tighten::weight::Weights;

/// Needs beyond which no other number of rules is tried.
const MOST_FOR_CURVE: usize = 20_000;

impl<'a> Work<'a> {
    /// Leaves rules whole whose narrowing closes too little for its steps.
    pub(crate) fn worthwhile(&self, mut paired: Paired) -> Paired {
        let step = u128::from(self.case.limits.step_worth);
        for rule in &self.free {
            let own = |planned: &&PlannedRule| planned.replaces.contains(&rule.id);
            let heirs: Vec<&PlannedRule> = paired.rules.iter().filter(own).collect();
            if heirs.is_empty() || heirs.iter().any(|heir| heir.replaces.len() > 1) {
                continue;
            }
            let left = heirs
                .iter()
                .map(|heir| self.weight(heir.transport, &heir.peer));
            let left = left.fold(0, u128::saturating_add);
            let closed = self.weight(rule.transport, &rule.peer).saturating_sub(left);
            let steps = 2 * heirs.len() as u128 - 1;
            if closed
                < self
                    .weights()
                    .price(1)
                    .saturating_mul(step)
                    .saturating_mul(steps)
            {
                paired
                    .rules
                    .retain(|planned| !planned.replaces.contains(&rule.id));
                paired.keep.insert(rule.id.clone());
            }
        }
        paired
    }

    pub(crate) fn weights(&self) -> Weights<'a> {
        Weights {
            vacancy: self.case.vacancy,
            limits: self.case.limits,
        }
    }

    /// What a rule opens, as it is weighed.
    fn weight(&self, transport: Transport, peer: &Peer) -> u128 {
        let weights = self.weights();
        let services = match transport {
            Transport::All => weights.ports(PortRange::ALL).saturating_mul(256),
            Transport::Tcp(_) | Transport::Udp(_) => weights.services(transport),
            Transport::Icmp(_) | Transport::Icmpv6(_) | Transport::Other(_) => {
                u128::from(transport.service().count())
            }
        };
        let addresses = match peer {
            Peer::Cidr(net) => {
                let ranges = Ranges::of([*net].into_iter());
                weights.ranges(Family::of_net(*net), &ranges)
            }
            Peer::SecurityGroup(_) | Peer::PrefixList(_) => {
                self.size(peer).max(1).saturating_mul(weights.scale())
            }
        };
        services.saturating_mul(addresses)
    }

    /// The proposal with how far it is from the best, and what other numbers
    /// of rules would buy.
    pub(crate) fn weighed(&self, proposal: Proposal, fitted: &Fitted) -> Proposal {
        let referring;
        let owed = if fitted.introduced.is_empty() {
            self.owed()
        } else {
            referring = self.referring().0;
            &referring
        };
        let allowed = self.allowed();
        let own = CurvePoint {
            rules: proposal.quota_after.most(),
            exposure: proposal.exposure_after,
        };
        let quotas = steps(self.case.limits.rule_quota);
        let quotas = quotas.filter(|quota| u64::from(*quota) < own.rules);
        let quotas: Vec<u32> = match self.case.needs.len() {
            ..=MOST_FOR_CURVE => quotas.collect(),
            _ => Vec::new(),
        };
        let standing = self.standing_plots(&proposal);
        let survey = self.with_wish(owed, |wish| survey(wish, &allowed, &standing, &quotas));
        let mut points = vec![own];
        points.extend(survey.within.iter().map(|boxes| self.point(boxes)));
        let curve = worthwhile(points);
        let mut reasons = proposal.reasons;
        if curve.len() > 1 {
            let quota = self.case.limits.rule_quota;
            reasons.push(reasons::point(own.rules, quota, fitted.squeezed));
        }
        Proposal {
            reasons,
            optimality_gap: survey.gap.map(|parts| f64::from(parts) / 10_000.0),
            curve,
            ..proposal
        }
    }

    /// Prefixes of the changeable rules, as they would stand.
    fn standing_plots(&self, proposal: &Proposal) -> Vec<Plot> {
        let stays = |rule: &&&SgRule| proposal.keep.contains(&rule.id);
        let kept = self.free.iter().filter(stays).map(|rule| said(rule));
        let planned = proposal.rules.iter();
        let planned = planned.map(|rule| (rule.transport, rule.peer.clone()));
        kept.chain(planned).filter_map(|one| plot(&one)).collect()
    }

    /// What the held rules and these boxes open, and how many they are.
    fn point(&self, boxes: &Boxes) -> CurvePoint {
        let mut said: Vec<Said> = self.held.iter().map(|rule| said(rule)).collect();
        said.extend(said_by_boxes(boxes));
        let mut addresses = Addresses::new(self.case.members, self.case.prefix_lists);
        CurvePoint {
            rules: self.count(&said).most(),
            exposure: exposure(said.iter().map(|(t, p)| (*t, p)), &mut addresses),
        }
    }
}
