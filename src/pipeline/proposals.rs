//! Every group and direction put to the tightener, and its answers proven.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use rayon::prelude::*;

use crate::attribute::Attribution;
use crate::attribute::needs;
use crate::attribute::needs::GroupNeeds;
use crate::attribute::needs::Need;
use crate::attribute::needs::Passed;
use crate::attribute::protected;
use crate::attribute::scene::Scene;
use crate::attribute::table::RuleTable;
use crate::attribute::verdicts::RuleVerdict;
use crate::attribute::verdicts::Verdicts;
use crate::attribute::watch;
use crate::attribute::watch::GroupWatch;
use crate::attribute::watch::Window;
use crate::collections::HashSet;
use crate::model::Direction;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::InterfaceKind;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::VpcId;
use crate::model::vpc::Vpc;
use crate::net::AddressSet;
use crate::net::cidr::Family;
use crate::net::cidr::host_net;
use crate::net::time::DAY;
use crate::pipeline::backtests::Times;
use crate::pipeline::cautions::Cautions;
use crate::pipeline::certificate;
use crate::pipeline::certificate::Draft;
use crate::pipeline::references::Referable;
use crate::pipeline::request::Obligations;
use crate::pipeline::request::Request;
use crate::pipeline::restraint::Restraint;
use crate::pipeline::rollouts::NeedsOf;
use crate::pipeline::rollouts::Planner;
use crate::pipeline::unruled;
use crate::report::document::rollout::RolloutReport;
use crate::tighten;
use crate::tighten::Case;
use crate::tighten::Limits;
use crate::tighten::Standing;
use crate::tighten::Watch;
use crate::tighten::plan;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Decision;
use crate::tighten::plan::Proposal;
use crate::tighten::proof::book::Book;
use crate::tighten::proof::certificate::Certified;
use crate::tighten::proof::certificate::Uncertified;
use crate::tighten::proof::ranked;
use crate::tighten::proof::replay::After;
use crate::tighten::proof::replay::Replay;
use crate::tighten::propose::Proven;
use crate::tighten::weight::Vacancy;

/// Why a rule stays that let through peers of whom only prefixes are known.
const OF_MANY: &str =
    "let through more peers than memory told apart, so a narrower one is not known to be enough";

/// Of a group whose VPC is not known.
static VACANCY: Vacancy = Vacancy::none();

/// Proposals with their proofs, sorted by group and direction.
#[derive(Debug)]
pub struct Proposed {
    /// One a group and direction that has rules.
    pub proven: Vec<Proven>,
    /// The changes of each in order, where there are any.
    pub rollouts: Vec<Option<RolloutReport>>,
    /// What a certificate is made from, where one is asked for.
    pub draft: Option<Draft>,
    /// The replay of every conversation against all of them together.
    pub replay: Replay,
    /// Conversations let go by `--obligations answered`.
    pub let_go: u64,
}

/// What is asked of a case.
type Ask<'a> = &'a dyn Fn(&Case<'_>) -> Proven;

/// What proposals are made from.
#[derive(Debug)]
pub struct Maker<'a> {
    /// The newest snapshot.
    pub snapshot: &'a Snapshot,
    /// All snapshots, prepared, the newest last.
    pub scenes: &'a [Scene<'a>],
    /// The snapshots as the proof reads them.
    pub book: &'a Book<'a>,
    /// The newest, prepared.
    pub scene: &'a Scene<'a>,
    /// Its rules.
    pub table: &'a RuleTable<'a>,
    /// What the evidence came to.
    pub attribution: &'a Attribution,
    /// Statuses and watches.
    pub verdicts: &'a Verdicts,
    /// The window.
    pub window: &'a Window,
    /// What was asked.
    pub request: &'a Request,
    /// Whether a certificate is asked for.
    pub certify: bool,
}

/// How groups share what an interface may have.
#[derive(Clone, Copy, Debug)]
enum Share {
    /// The same for each.
    Even,
    /// None more than it has today.
    AsBefore,
}

impl Maker<'_> {
    /// Makes and proves all proposals.
    #[must_use]
    pub fn make(&self) -> Proposed {
        let all = &self.attribution.passed;
        let passed = self.request.obligations.kept(all);
        let let_go = u64::try_from(all.len() - passed.len()).unwrap_or(u64::MAX);
        let moving = self.moving(&passed);
        let rejects = &self.attribution.rejects;
        // Each goes over all that passed; what one core is at is left to another.
        let ((needs, cautions), (referable, times)) = rayon::join(
            || {
                rayon::join(
                    || needs::group_needs(&passed, self.request.assign.keepers()),
                    || Cautions::of_all(&passed, self.verdicts, self.table),
                )
            },
            || {
                rayon::join(
                    || Referable::new(self.scenes, &passed, rejects, &moving),
                    || Times::of(&passed, self.window.span),
                )
            },
        );
        let needs: BTreeMap<(&SgId, Direction), &[Need]> = needs.iter().map(by_group).collect();
        let standing = self.standing(&passed);
        let restraint = Restraint::of(self.verdicts, self.table, self.window.span);
        let members = self.members();
        let vacancies = self.vacancies();
        let limits = &self.request.limits;
        let let_out = unruled::let_out(self.snapshot, &passed, self.attribution);
        let among = unruled::among(self.snapshot, &passed, self.attribution);
        let cases = self.cases();
        let put = |of: &(&SecurityGroup, Direction), quota: u32, ask: Ask<'_>| {
            let (group, direction) = of;
            let case = Case {
                group,
                direction: *direction,
                needs: needs
                    .get(&(&group.id, *direction))
                    .copied()
                    .unwrap_or_default(),
                standing: &standing,
                watch: self.watch(group, cautions.of(group, *direction)),
                prefix_lists: &self.snapshot.prefix_lists,
                members: &|label| members.get(label).cloned().unwrap_or_default(),
                moving: &moving,
                references: referable.of(&group.id, *direction),
                book: Some(self.book),
                let_out: let_out.get(&group.id),
                among: among.get(&group.id),
                answered_only: self.request.obligations == Obligations::Answered,
                vacancy: group
                    .vpc_id
                    .as_ref()
                    .and_then(|vpc| vacancies.get(vpc))
                    .unwrap_or(&VACANCY),
                limits: &Limits {
                    rule_quota: quota,
                    ..limits.clone()
                },
            };
            ask(&case)
        };
        let propose = |of: &(&SecurityGroup, Direction), quota: u32| {
            put(of, quota, &|case| restraint.applied(tighten::proven(case)))
        };
        let whole = |case| propose(case, self.request.rule_quota);
        let mut proven: Vec<Proven> = cases.par_iter().map(whole).collect();
        // The quota that each was made with.
        let mut quotas = vec![self.request.rule_quota; cases.len()];
        for share in [Share::Even, Share::AsBefore] {
            let less = self.quotas(&proven, share);
            let again = |((case, own), proven): ((_, &mut u32), &mut Proven)| {
                let (group, direction): &(&SecurityGroup, Direction) = case;
                if let Some(quota) = less.get(&(&group.id, *direction)) {
                    *own = *quota;
                    *proven = propose(case, *quota);
                }
            };
            let all = cases.par_iter().zip(&mut quotas).zip(&mut proven);
            all.for_each(again);
        }
        // The past of each is made with the same.
        let all = cases.par_iter().zip(&quotas).zip(&mut proven);
        let changed = all.filter(|(((group, _), _), one)| {
            // What was decided by rank then, rules of today do not tell.
            one.proposal.decision == Decision::Tighten && !group.policy.ranked
        });
        changed.for_each(|((of, quota), one)| {
            let tried = put(of, *quota, &|case| {
                times.tried(one.clone(), case, self.scene)
            });
            *one = tried;
        });
        let proposals: Vec<_> = proven.iter().map(|one| one.proposal.clone()).collect();
        let after = After::new(&self.snapshot.groups, &proposals).with_book(self.book);
        let (replay, rollouts) = rayon::join(
            || self.replay(&passed, &after, &proposals),
            || self.rollouts(&cases, &proposals, &needs),
        );
        Proposed {
            proven,
            rollouts,
            draft: self.certify.then(|| self.draft(&proposals, &needs)),
            replay,
            let_go,
        }
    }

    /// The changes of each proposal in order; of groups whose rules have ranks
    /// none, since their order among ranks is not looked into.
    fn rollouts(
        &self,
        cases: &[(&SecurityGroup, Direction)],
        proposals: &[Proposal],
        needs: &NeedsOf<'_>,
    ) -> Vec<Option<RolloutReport>> {
        let planner = Planner {
            snapshot: self.snapshot,
            needs,
            rule_quota: self.request.rule_quota,
        };
        let rollouts = planner.plan(proposals).into_iter().zip(cases);
        rollouts
            .map(|(rollout, (group, _))| rollout.filter(|_| !group.policy.ranked))
            .collect()
    }

    /// Groups with the directions in which they have rules, or let something
    /// through without one, whether anything went that way or not.
    fn cases(&self) -> Vec<(&SecurityGroup, Direction)> {
        let groups = self.snapshot.groups.values();
        let all = groups.flat_map(|group| Direction::BOTH.map(|direction| (group, direction)));
        let asked = all.filter(|(group, direction)| {
            let open = match direction {
                Direction::Ingress => group.policy.members_talk,
                Direction::Egress => group.policy.egress_default == Effect::Allow,
            };
            open || group.rules_of(*direction).next().is_some()
        });
        asked.collect()
    }

    /// Replays every conversation; where rules have ranks, against the merged
    /// lists of its interface.
    fn replay(&self, passed: &[Passed], after: &After<'_>, proposals: &[Proposal]) -> Replay {
        if !self
            .snapshot
            .groups
            .values()
            .any(|group| group.policy.ranked)
        {
            return tighten::proof::replay::replay_after(passed, after);
        }
        let has_ranks = |one: &&Passed| {
            let eni = self.snapshot.enis.get(&one.interface_id);
            eni.is_some_and(|eni| ranked::is_ranked(eni, self.snapshot))
        };
        let (with, without): (Vec<&Passed>, Vec<&Passed>) = passed.iter().partition(has_ranks);
        let mut replay = ranked::lists::replay(with.into_iter(), self.snapshot, proposals);
        let without: Vec<Passed> = without.into_iter().cloned().collect();
        replay.absorb(tighten::proof::replay::replay_after(&without, after));
        replay
    }

    /// Quotas for the groups of interfaces that would have more rules than an
    /// interface may, and more than they have.
    fn quotas(&self, proven: &[Proven], share: Share) -> BTreeMap<(&SgId, Direction), u32> {
        let quota = self.request.limits.interface_quota;
        let most = self
            .snapshot
            .enis
            .values()
            .map(|eni| eni.groups.len())
            .max();
        let most = u64::try_from(most.unwrap_or(0)).unwrap_or(u64::MAX);
        let mut quotas = BTreeMap::new();
        if most.saturating_mul(u64::from(self.request.rule_quota)) <= u64::from(quota) {
            return quotas;
        }
        let of = |one: &'_ Proven| {
            let proposal = &one.proposal;
            let counts = [proposal.quota_before, proposal.quota_after];
            ((proposal.group_id.clone(), proposal.direction), counts)
        };
        let counts: BTreeMap<(SgId, Direction), [plan::Quota; 2]> = proven.iter().map(of).collect();
        for eni in self.snapshot.enis.values() {
            for direction in Direction::BOTH {
                let of = |group: &SgId| counts.get(&(group.clone(), direction)).copied();
                let sum = |at: usize| {
                    let own = eni.groups.iter().filter_map(of);
                    own.filter_map(|counts| counts.get(at).copied())
                        .sum::<plan::Quota>()
                };
                let (before, after) = (sum(0), sum(1));
                let mut over = Family::BOTH.into_iter().filter(|family| {
                    let after = after.of(*family);
                    after > u64::from(quota) && after > before.of(*family)
                });
                if over.next().is_none() {
                    continue;
                }
                let even = quota / u32::try_from(eni.groups.len()).unwrap_or(u32::MAX).max(1);
                for group in &eni.groups {
                    let own = match share {
                        Share::Even => Some(even.max(1)),
                        Share::AsBefore => of(group).and_then(|counts| as_before(&counts)),
                    };
                    if let Some(own) = own {
                        let known = quotas.entry((group, direction)).or_insert(u32::MAX);
                        *known = own.min(*known).min(self.request.rule_quota);
                    }
                }
            }
        }
        quotas
    }

    fn draft(&self, proposals: &[Proposal], needs: &NeedsOf<'_>) -> Draft {
        let changes = proposals.iter().filter_map(|proposal| {
            let group = self.snapshot.groups.get(&proposal.group_id)?;
            (proposal.decision == Decision::Tighten).then_some((group, proposal))
        });
        let (ranked, plain): (Vec<_>, Vec<_>) = changes.partition(|(group, _)| group.policy.ranked);
        let certified = plain.par_iter().map(|(group, proposal)| {
            let own = needs.get(&(&group.id, proposal.direction)).copied();
            Certified::of(group, proposal, own.unwrap_or_default(), self.book)
        });
        let certified: Vec<Certified> = certified.collect();
        let uncertified = ranked.iter().map(|(group, proposal)| Uncertified {
            group_id: group.id.clone(),
            direction: proposal.direction,
        });
        let passed = &self.attribution.passed;
        Draft {
            certified,
            uncertified: uncertified.collect(),
            passed: u64::try_from(passed.len()).unwrap_or(u64::MAX),
            passed_sha256: certificate::hash_of_passed(passed),
            assumptions: certificate::of_initiators(self.verdicts, self.table),
        }
    }

    /// What may be done to each rule.
    fn standing(&self, passed: &[Passed]) -> BTreeMap<SgRuleId, Standing> {
        // Whom exactly they let through is not known, and no narrower rule would do.
        let of_many = passed.iter().filter(|one| one.among.is_some());
        let of_many: HashSet<&SgRuleId> = of_many
            .flat_map(|one| one.covered_by.iter().map(|rule| &rule.rule_id))
            .collect();
        let of_rule = |verdict: &RuleVerdict| {
            let (group, rule) = self.table.get(verdict.rule)?;
            let kept = protected::managed_by(group)
                .or(group.policy.managed.then_some("a service of the cloud"))
                .map(|service| format!("belongs to a group that is kept by {service}"));
            let drops = (rule.effect == Effect::Drop).then(|| tighten::ranks::DROPS.to_owned());
            let standing = drops
                .or_else(|| verdict.hold.clone())
                .or_else(|| of_many.contains(&rule.id).then(|| OF_MANY.to_owned()))
                .or(kept)
                .map_or(Standing::Free, Standing::Hold);
            Some((rule.id.clone(), standing))
        };
        self.verdicts.rules.iter().filter_map(of_rule).collect()
    }

    /// Peers whose address changes hands: load balancers'.
    fn moving(&self, passed: &[Passed]) -> BTreeSet<IpAddr> {
        let balancer = |owner: &&Eni| owner.kind == InterfaceKind::LoadBalancer;
        if !self.snapshot.enis.values().any(|eni| balancer(&eni)) {
            return BTreeSet::new();
        }
        let moves = |one: &&Passed| {
            let owners = self.scene.owners_of(one.peer);
            if !owners.iter().any(balancer) {
                return false;
            }
            let eni = self.snapshot.enis.get(&one.interface_id);
            eni.is_some_and(|eni| {
                let facts = self.scene.peer(one.peer, eni);
                facts.owners.iter().any(balancer)
            })
        };
        let moving = passed.par_iter().filter(moves).map(|one| one.peer);
        moving.collect()
    }

    /// By VPC, the addresses that no interface owned in any snapshot.
    fn vacancies(&self) -> BTreeMap<&VpcId, Vacancy> {
        let mut owned: BTreeMap<&VpcId, Vec<IpNet>> = BTreeMap::new();
        let scenes = self.scenes.iter();
        for eni in scenes.flat_map(|scene| scene.snapshot.enis.values()) {
            if let Some(vpc) = &eni.vpc_id {
                let own = owned.entry(vpc).or_default();
                own.extend(eni.addresses.iter().map(|address| host_net(*address)));
                own.extend(&eni.prefixes);
            }
        }
        let vacancy = |(id, vpc): (_, &Vpc)| {
            let owned = owned.get(id).map(Vec::as_slice).unwrap_or_default();
            let subnets = self.snapshot.subnets.values();
            let subnets = subnets.filter(|subnet| subnet.vpc_id.as_ref() == Some(id));
            let subnets = subnets.flat_map(|subnet| subnet.cidrs.iter().copied());
            (id, Vacancy::new(&vpc.cidrs, owned).with_subnets(subnets))
        };
        self.snapshot.vpcs.iter().map(vacancy).collect()
    }

    /// Private addresses of the interfaces that carry each group.
    fn members(&self) -> BTreeMap<&SgId, AddressSet> {
        let mut members: BTreeMap<&SgId, Vec<IpNet>> = BTreeMap::new();
        for eni in self.snapshot.enis.values() {
            for group in &eni.groups {
                let own = members.entry(group).or_default();
                own.extend(eni.addresses.iter().map(|address| host_net(*address)));
                own.extend(&eni.prefixes);
            }
        }
        members
            .into_iter()
            .map(|(group, nets)| (group, nets.into_iter().collect()))
            .collect()
    }

    fn watch(&self, group: &SecurityGroup, cautions: Vec<String>) -> Watch {
        let Some(watch) = self.verdicts.watches.get(&group.id) else {
            return Watch::Insufficient(vec!["nothing is known of its interfaces".to_owned()]);
        };
        let lacking = self.lacking(group, watch);
        if lacking.is_empty() {
            Maker::enough(watch, cautions)
        } else {
            Watch::Insufficient(lacking)
        }
    }

    /// What stands against any proposal for the group.
    fn lacking(&self, group: &SecurityGroup, watch: &GroupWatch) -> Vec<String> {
        let mut lacking = Vec::new();
        if watch.interfaces.is_empty() {
            lacking.push("no interface carries the group now".to_owned());
        } else if watch.logged == 0 {
            lacking.push(match watch.mute {
                0 => "none of its interfaces is in the logs".to_owned(),
                _ => format!("of its interfaces {}", watch.dark()),
            });
        } else if !watch.unlogged.is_empty() {
            let (unlogged, all) = (watch.unlogged.len(), watch.interfaces.len());
            lacking.push(format!(
                "{unlogged} of its {all} interfaces are not in the logs"
            ));
        }
        if !self.window.accepts {
            lacking.push("the logs carry no ACCEPT record".to_owned());
        }
        lacking.extend(watch.filtered.clone());
        if watch.logged > 0 && watch.unlogged.is_empty() && !watch.covers(500) {
            lacking.push(format!(
                "only {} of the hours were watched",
                watch.coverage_text()
            ));
        }
        let accepted = self
            .attribution
            .accepted_by_group
            .get(&group.id)
            .copied()
            .unwrap_or_default();
        // More than one record in a thousand: the snapshot is not the truth.
        if accepted.unexplained * 1_000 > accepted.all {
            lacking.push(format!(
                "{} of {} accepted records at its interfaces are not explained by the snapshot's rules",
                accepted.unexplained, accepted.all
            ));
        }
        lacking
    }

    fn enough(watch: &GroupWatch, cautions: Vec<String>) -> Watch {
        let days = watch.seconds() / DAY;
        let (applicability, why) = match days {
            ..7 => (
                Applicability::ReportOnly,
                "too short to act on: weekly jobs have not been seen",
            ),
            7..90 => (
                Applicability::Review,
                "monthly and quarterly jobs may not have been seen; have the owner agree",
            ),
            _ if watch.covers(990) => (Applicability::Apply, "yearly jobs may not have been seen"),
            _ => (
                Applicability::Review,
                "not all hours were watched; have the owner agree",
            ),
        };
        let seen = format!(
            "{} of logs, {} of the hours watched",
            watch::length(watch.seconds()),
            watch.coverage_text()
        );
        Watch::Enough {
            applicability,
            reasons: [vec![seen, why.to_owned()], cautions].concat(),
        }
    }
}

/// What a group may have that has no more than today in either family; `None`
/// where it has not.
fn as_before([before, after]: &[plan::Quota; 2]) -> Option<u32> {
    let grown = |family: &Family| after.of(*family) > before.of(*family);
    let grown = Family::BOTH.into_iter().filter(grown);
    let least = grown.map(|family| before.of(family)).min()?;
    u32::try_from(least.max(1)).ok()
}

fn by_group(needs: &GroupNeeds) -> ((&SgId, Direction), &[Need]) {
    ((&needs.group_id, needs.direction), &needs.needs)
}
