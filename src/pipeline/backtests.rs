//! When each need was first and last seen, and the proposals of the past that
//! are tried on what came after.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::needs;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::attribute::protected;
use crate::attribute::scene::Scene;
use crate::collections::HashMap;
use crate::model::Direction;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::Span;
use crate::net::Timestamp;
use crate::report::document::backtest::AdviceReport;
use crate::report::document::backtest::BacktestReport;
use crate::report::document::backtest::LearnedReport;
use crate::tighten;
use crate::tighten::Case;
use crate::tighten::Standing;
use crate::tighten::backtest;
use crate::tighten::backtest::Backtest;
use crate::tighten::backtest::Dated;
use crate::tighten::propose::Proven;

/// Needs beyond which a proposal is not made twice.
const MOST: usize = 50_000;

/// What makes two conversations the same need.
type Kind = (IpProtocol, PortRange, IpAddr, Option<IpNet>);

/// Conversations by group and direction.
#[derive(Debug)]
pub(super) struct Times<'a> {
    passed: HashMap<(&'a SgId, Direction), Vec<&'a Passed>>,
    span: Option<Span>,
}

impl<'a> Times<'a> {
    pub(super) fn of(passed: &'a [Passed], span: Option<Span>) -> Times<'a> {
        let mut times = Times {
            passed: HashMap::default(),
            span,
        };
        for (first, run) in needs::alike(passed) {
            for (group, _) in first.by_group() {
                let own = times.passed.entry((group, first.direction)).or_default();
                own.extend(run);
            }
        }
        times
    }

    /// A proposal to tighten with what its like of the past would have broken,
    /// and trusted no further than that allows.
    pub(super) fn tried(&self, mut proven: Proven, case: &Case<'_>, scene: &Scene<'_>) -> Proven {
        let Some(span) = self.span.filter(|_| case.needs.len() <= MOST) else {
            return proven;
        };
        let dated = self.dated(case);
        let propose = |needs: &[Need]| {
            let watch = case.watch.clone();
            tighten::propose_unweighed(&Case {
                needs,
                watch,
                standing: &standing_then(case, needs, scene),
                ..*case
            })
        };
        proven.backtest = backtest::backtest(case, &dated, span, propose);
        if let Some(found) = &proven.backtest {
            let proposal = &mut proven.proposal;
            proposal.reasons.extend(found.sentences());
            proposal.applicability = proposal.applicability.min(found.most());
        }
        proven
    }

    fn dated(&self, case: &Case<'_>) -> Vec<Dated> {
        let own = self.passed.get(&(&case.group.id, case.direction));
        let mut times: HashMap<Kind, (Timestamp, Timestamp)> = HashMap::default();
        for one in own.into_iter().flatten() {
            let kind = (one.protocol, one.service, one.peer, one.among);
            let known = times.entry(kind).or_insert((one.seen.first, one.seen.last));
            *known = (known.0.min(one.seen.first), known.1.max(one.seen.last));
        }
        let dated = case.needs.iter().filter_map(|need| {
            let (first, last) =
                *times.get(&(need.protocol, need.service, need.peer, need.among))?;
            Some(Dated {
                need: need.clone(),
                first,
                last,
            })
        });
        dated.collect()
    }
}

/// What might be done to the rules then: what was not needed yet would have
/// been protected, where its silence means little.
fn standing_then(
    case: &Case<'_>,
    needs: &[Need],
    scene: &Scene<'_>,
) -> BTreeMap<SgRuleId, Standing> {
    let used: BTreeSet<&SgRuleId> = needs.iter().flat_map(|need| &need.covered_by).collect();
    let then = |rule: &SgRule| {
        let standing = case.standing.get(&rule.id)?;
        let held = protected::protected(rule, case.group, scene)
            .filter(|_| *standing == Standing::Free && !used.contains(&rule.id));
        let held = held.map(|why| Standing::Hold(why.to_owned()));
        Some((rule.id.clone(), held.unwrap_or_else(|| standing.clone())))
    };
    case.group
        .rules_of(case.direction)
        .filter_map(then)
        .collect()
}

/// What a back-test found, for the document.
pub(super) fn report(found: &Backtest) -> BacktestReport {
    let thousandths = |number: u64| {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        f64::from(number) / 1_000.0
    };
    BacktestReport {
        trained_until: found.trained_until,
        tried_until: found.tried_until,
        known: found.known,
        new: found.new,
        broken: found.broken,
        broken_records: found.broken_records,
        broken_peers: found.broken_peers,
        broken_services: found.broken_services,
        learning: found
            .learning
            .iter()
            .map(|learned| LearnedReport {
                day: learned.day,
                known: learned.known,
            })
            .collect(),
        expected_new_per_day: thousandths(found.expected_new),
        expected_new_peers_per_day: thousandths(found.expected_peers),
        advice: found.advice.map(|advice| AdviceReport {
            family: match advice.family {
                crate::net::cidr::Family::V4 => "ipv4".to_owned(),
                crate::net::cidr::Family::V6 => "ipv6".to_owned(),
            },
            prefix_length: advice.length,
            carried: advice.carried,
            of: advice.of,
        }),
    }
}
