//! From what a rule earned and how its group was watched to its status, with
//! the reasons that make it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::attribute::Attribution;
use crate::attribute::gaps::Gaps;
use crate::attribute::ledger;
use crate::attribute::ledger::Hours;
use crate::attribute::ledger::Watchers;
use crate::attribute::no_effect;
use crate::attribute::protected;
use crate::attribute::scene::Scene;
use crate::attribute::season::Rhythm;
use crate::attribute::season::Watched;
use crate::attribute::shadow;
use crate::attribute::shadow::Shadows;
use crate::attribute::strays::Strays;
use crate::attribute::table::RuleIndex;
use crate::attribute::table::RuleTable;
use crate::attribute::usage::RuleUse;
use crate::attribute::verdict::Confidence;
use crate::attribute::verdict::RuleStatus;
use crate::attribute::verdict::Tier;
use crate::attribute::watch;
use crate::attribute::watch::Carrier;
use crate::attribute::watch::Claim;
use crate::attribute::watch::GroupWatch;
use crate::attribute::watch::Window;
use crate::evidence::Evidence;
use crate::model::Effect;
use crate::model::Peer;
use crate::model::SecurityGroup;
use crate::model::SgId;
use crate::model::SgRule;
use crate::model::SgRuleId;
use crate::model::Snapshot;
use crate::model::SnapshotSeries;
use crate::model::SubnetId;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// How many stronger rules a reason names.
const NAMED: usize = 5;

/// What became of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleVerdict {
    /// The rule.
    pub rule: RuleIndex,
    /// What it earned.
    pub earned: RuleUse,
    /// What that makes of it.
    pub status: RuleStatus,
    /// How strong an unused claim is; for [`RuleStatus::Unobservable`] always
    /// [`Tier::U0`].
    pub tier: Option<Tier>,
    /// How sure the status is.
    pub confidence: Confidence,
    /// Why.
    pub reasons: Vec<String>,
    /// How its uses lie in time.
    pub rhythm: Rhythm,
    /// Why no proposal may touch it, where none may: a sentence without its
    /// subject.
    pub hold: Option<String>,
    /// Why the logs cannot say whether it was used, however long they are:
    /// interfaces without a log, records that might have used it. A sentence
    /// without its subject.
    pub blind: Option<String>,
}

/// Everything that statuses are made of.
#[derive(Debug)]
pub struct Court<'a> {
    /// The evidence.
    pub evidence: &'a Evidence,
    /// The snapshots.
    pub series: &'a SnapshotSeries,
    /// The newest snapshot, prepared.
    pub scene: &'a Scene<'a>,
    /// Its rules.
    pub table: &'a RuleTable<'a>,
    /// What the evidence came to.
    pub attribution: &'a Attribution,
}

/// Statuses of all rules, and how each group was watched.
#[derive(Debug)]
pub struct Verdicts {
    /// By rule number.
    pub rules: Vec<RuleVerdict>,
    /// By group.
    pub watches: BTreeMap<SgId, GroupWatch>,
    /// By group that has rules which drop: how it was watched for what they do.
    pub drop_watches: BTreeMap<SgId, GroupWatch>,
    /// Hours of the newest snapshot's interfaces.
    pub hours: Hours,
}

impl Court<'_> {
    /// The statuses of all rules.
    #[must_use]
    pub fn decide(&self) -> Verdicts {
        let window = Window::of(self.evidence);
        let strays = Strays::of(
            self.evidence,
            &self.attribution.unknown_interfaces,
            self.series.latest(),
        );
        let carriers = self.carriers();
        let watches = self.watches(&window, &carriers, Effect::Allow);
        let drop_watches = self.watches(&window, &carriers, Effect::Drop);
        let shadows = shadow::shadows(self.scene);
        let groups = watches.keys();
        let gaps: BTreeMap<&SgId, OnceCell<Gaps<'_>>> =
            groups.map(|id| (id, OnceCell::new())).collect();
        let rules = self.table.iter().filter_map(|(index, group, rule)| {
            let watches = match rule.effect {
                Effect::Allow => &watches,
                Effect::Drop => &drop_watches,
            };
            let watch = watches.get(&group.id)?;
            let bench = RuleBench {
                court: self,
                window: &window,
                strays: &strays,
                watch,
                gaps: gaps.get(&group.id)?,
                group,
                rule,
                shadows: &shadows,
            };
            Some(bench.verdict(index))
        });
        Verdicts {
            rules: rules.collect(),
            watches: watches.clone(),
            drop_watches: drop_watches.clone(),
            hours: self.hours(&window),
        }
    }

    /// The hours of all interfaces, those apart that are neither in use nor in
    /// the logs.
    fn hours(&self, window: &Window) -> Hours {
        let mut hours = Hours::default();
        let Some(span) = window.span else {
            return hours;
        };
        for eni in self.series.latest().enis.values() {
            let seen = self.evidence.interfaces.get(&eni.id);
            if seen.is_none() && !eni.in_use {
                continue;
            }
            let there = |snapshot: &Snapshot| snapshot.enis.contains_key(&eni.id);
            let span = watch::from(span, self.since(&there));
            let watchers = Watchers::of(eni, self.series.latest(), Effect::Allow);
            hours += ledger::hours(seen, &watchers, span, &window.deliveries());
        }
        hours
    }

    /// The interfaces that carry each group.
    fn carriers(&self) -> BTreeMap<&SgId, Vec<Carrier<'_>>> {
        let mut carriers: BTreeMap<&SgId, Vec<Carrier<'_>>> = BTreeMap::new();
        for eni in self.series.latest().enis.values() {
            for group in &eni.groups {
                let carried = |snapshot: &Snapshot| {
                    let known = snapshot.enis.get(&eni.id);
                    let known = known.filter(|eni| !snapshot.guessed.enis.contains(&eni.id));
                    known.is_some_and(|eni| eni.groups.contains(group))
                };
                let carrier = Carrier {
                    eni,
                    since: self.since(&carried),
                };
                carriers.entry(group).or_default().push(carrier);
            }
        }
        carriers
    }

    /// How groups were watched for what their rules of an effect decide; of
    /// those that drop, only groups that have such rules.
    fn watches(
        &self,
        window: &Window,
        carriers: &BTreeMap<&SgId, Vec<Carrier<'_>>>,
        asked: Effect,
    ) -> BTreeMap<SgId, GroupWatch> {
        let watch = |group: &SgId| {
            let enis = carriers.get(group).into_iter().flatten().copied();
            let carried = |snapshot: &Snapshot| {
                let mut enis = snapshot.enis.values();
                enis.any(|eni| {
                    eni.groups.contains(group) && !snapshot.guessed.enis.contains(&eni.id)
                })
            };
            GroupWatch::of(
                enis,
                self.since(&carried),
                self.evidence,
                window,
                self.series.latest(),
                asked,
            )
        };
        let has_such = |group: &&SecurityGroup| {
            asked == Effect::Allow || group.rules.iter().any(|rule| rule.effect == asked)
        };
        let groups = self.series.latest().groups.values().filter(has_such);
        groups
            .map(|group| (group.id.clone(), watch(&group.id)))
            .collect()
    }

    /// Time of the first snapshot of those up to the newest that all have it
    /// so; `None` where all snapshots do.
    fn since(&self, so: &dyn Fn(&Snapshot) -> bool) -> Option<Timestamp> {
        let snapshots: Vec<&Snapshot> = self.series.snapshots().collect();
        if snapshots.len() == 1 {
            return None;
        }
        let run = snapshots
            .iter()
            .rev()
            .take_while(|snapshot| so(snapshot))
            .count();
        let first = snapshots
            .len()
            .checked_sub(run)
            .filter(|before| *before > 0)?;
        snapshots
            .get(first)
            .and_then(|snapshot| snapshot.captured_at)
    }
}

struct RuleBench<'a> {
    court: &'a Court<'a>,
    window: &'a Window,
    strays: &'a Strays,
    watch: &'a GroupWatch,
    /// What of the group was not watched, made when it is asked for.
    gaps: &'a OnceCell<Gaps<'a>>,
    group: &'a SecurityGroup,
    rule: &'a SgRule,
    shadows: &'a Shadows,
}

impl<'a> RuleBench<'a> {
    fn verdict(&self, index: RuleIndex) -> RuleVerdict {
        let earned = self.court.attribution.uses.of(index);
        if let Some(service) =
            no_effect::no_effect(self.rule, self.group, self.court.series.latest())
        {
            return RuleBench::no_effect(index, earned, service);
        }
        let of_rule = (self.group.id.clone(), self.rule.id.clone());
        let earns = earned.status().filter(|_| !earned.only_outranked());
        if let (None, Some(by)) = (earns, self.shadows.get(&of_rule)) {
            return RuleBench::shadowed(index, earned, by);
        }
        match earned.status() {
            Some(status) => self.seen(index, earned, status),
            None if self.watch.logged == 0 || self.watch.silent(self.window).is_some() => {
                self.unobservable(index, earned)
            }
            None => self.unused(index, earned),
        }
    }

    fn shadowed(rule: RuleIndex, earned: RuleUse, by: &BTreeSet<SgRuleId>) -> RuleVerdict {
        let mut named: Vec<&str> = by.iter().take(NAMED).map(SgRuleId::as_str).collect();
        let more = format!("{} more", by.len().saturating_sub(NAMED));
        named.extend((by.len() > NAMED).then_some(more.as_str()));
        let why = format!(
            "stronger rules decide all of it on every interface that carries its group: {}",
            named.join(", ")
        );
        RuleVerdict {
            rule,
            earned,
            status: RuleStatus::Shadowed,
            tier: None,
            confidence: Confidence::High,
            reasons: vec![why],
            rhythm: Rhythm::Any,
            hold: None,
            blind: None,
        }
    }

    fn no_effect(rule: RuleIndex, earned: RuleUse, service: &str) -> RuleVerdict {
        let why = format!(
            "{service} is never filtered by groups nor logged: the rule changes nothing either way"
        );
        RuleVerdict {
            rule,
            earned,
            status: RuleStatus::NoEffect,
            tier: None,
            confidence: Confidence::High,
            reasons: vec![why],
            rhythm: Rhythm::Any,
            hold: Some(format!(
                "is for traffic that groups never filter ({service})"
            )),
            blind: None,
        }
    }

    fn seen(&self, rule: RuleIndex, earned: RuleUse, status: RuleStatus) -> RuleVerdict {
        let mut reasons = Vec::new();
        match status {
            RuleStatus::Used => {
                let (verb, what) = match self.rule.effect {
                    Effect::Allow => ("covers", ""),
                    Effect::Drop => ("drops", "rejected "),
                };
                reasons.push(format!(
                    "{} that no other rule {verb}",
                    conversations_of(earned.needed, what)
                ));
            }
            RuleStatus::Redundant if earned.only_outranked() => reasons.push(format!(
                "{}, each decided the same way by a stronger rule",
                conversations(earned.outranked)
            )),
            RuleStatus::Redundant => {
                reasons.push(format!(
                    "{}, each covered by another rule too",
                    conversations(earned.shared + earned.shared_in_doubt)
                ));
            }
            RuleStatus::Unobservable => reasons.push(
                "in doubt: it may have been used, and cannot be shown to have been".to_owned(),
            ),
            RuleStatus::Unused | RuleStatus::Shadowed | RuleStatus::NoEffect => {}
        }
        reasons.extend(doubts(&earned));
        let (rhythm, told) = self.rhythm(&earned);
        reasons.extend(told);
        let doubtful = earned.in_doubt() || !self.watch.unlogged.is_empty();
        let (tier, confidence) = match status {
            RuleStatus::Unobservable => (Some(Tier::U0), Confidence::Low),
            RuleStatus::Redundant if doubtful => (None, Confidence::Medium),
            RuleStatus::Used
            | RuleStatus::Redundant
            | RuleStatus::Unused
            | RuleStatus::Shadowed
            | RuleStatus::NoEffect => (None, Confidence::High),
        };
        let possible = earned.possible + earned.needed_in_doubt > 0;
        let unread = earned.efa_records + earned.unread_records + self.watch.incomplete;
        let unread = (unread > 0).then(|| {
            format!("may have let through {unread} records of which the logs tell no more")
        });
        // Whom else it let through nobody knows, so it is not narrowed either.
        let in_doubt = (possible && status != RuleStatus::Used || unread.is_some())
            .then(|| "may have been used: the logs leave it in doubt".to_owned());
        let whole = protected::whole(self.rule, self.group, self.court.scene);
        let hold = whole.map(str::to_owned).or(in_doubt);
        RuleVerdict {
            rule,
            earned,
            status,
            tier,
            confidence,
            reasons,
            rhythm,
            hold,
            blind: unread,
        }
    }

    /// How its uses lie in time, and what is to tell of it.
    fn rhythm(&self, earned: &RuleUse) -> (Rhythm, Option<String>) {
        let known = earned.seen.zip(self.window.span);
        let Some((seen, span)) = known.filter(|(seen, span)| seen.is_sparse(*span)) else {
            return (Rhythm::Any, None);
        };
        let gaps = self.gaps.get_or_init(|| self.gaps());
        let watched = Watched {
            life: watch::from(span, self.court.since(&|snapshot| self.has_rule(snapshot))),
            between: &|from, to| gaps.watched(from, to),
        };
        let rhythm = Rhythm::of(&seen, &watched);
        (rhythm, rhythm.words(&seen, span.end))
    }

    fn gaps(&self) -> Gaps<'a> {
        let interfaces = self.watch.interfaces.iter();
        let seen = interfaces.filter_map(|id| self.court.evidence.interfaces.get(id));
        Gaps::of(seen, &self.window.deliveries())
    }

    fn unobservable(&self, rule: RuleIndex, earned: RuleUse) -> RuleVerdict {
        let why = if self.watch.interfaces.is_empty() {
            "no interface carries the group: it may be used by what does not run now".to_owned()
        } else if self.watch.logged == 0 {
            format!(
                "of the group's {} {}",
                watch::counted(self.watch.interfaces.len(), "interface"),
                self.watch.dark()
            )
        } else {
            let silent = self.watch.silent(self.window);
            let silent = silent.unwrap_or("the logs carry no ACCEPT record");
            format!("{silent}: nothing can be said of use")
        };
        RuleVerdict {
            rule,
            earned,
            status: RuleStatus::Unobservable,
            tier: Some(Tier::U0),
            confidence: Confidence::Low,
            // Without an interface nothing of it can break today.
            blind: (!self.watch.interfaces.is_empty())
                .then(|| format!("cannot be observed: {why}")),
            reasons: vec![why],
            rhythm: Rhythm::Any,
            hold: Some("cannot be observed".to_owned()),
        }
    }

    fn unused(&self, rule: RuleIndex, earned: RuleUse) -> RuleVerdict {
        let protected = protected::protected(self.rule, self.group, self.court.scene);
        let unknown_matches = self.unknown_matches();
        let claim = Claim {
            watch: self.watch,
            window: self.window,
            rule_days: self.rule_days(),
            protected,
            unknown_matches,
            unknown_nearby: self.unknown_nearby(),
            vacuous: self.vacuous(),
        };
        let (tier, why) = watch::tier(&claim);
        let what = match self.rule.effect {
            Effect::Allow => "connection",
            Effect::Drop => "REJECT by it",
        };
        let watched = format!(
            "no {what} in {} at {}, {} of hours watched",
            watch::length(self.watch.seconds()),
            watch::counted(self.watch.interfaces.len(), "interface"),
            self.watch.coverage_text()
        );
        let held_for_strays = (unknown_matches > 0)
            .then(|| format!("may have been used by {unknown_matches} records of interfaces that no snapshot knows"));
        let incomplete = self.watch.incomplete;
        let held_for_incomplete = (incomplete > 0).then(|| {
            format!("may have been used by {incomplete} records without address, port or protocol")
        });
        let unlogged = self.watch.unlogged.len();
        let partly_dark = (unlogged > 0).then(|| {
            format!(
                "may have been used at {} of its group without a log",
                watch::counted(unlogged, "interface")
            )
        });
        let overruled = (earned.overruled > 0).then(|| {
            format!(
                "{} that it would let through were dropped by stronger rules",
                conversations_of(earned.overruled, "rejected ")
            )
        });
        let confidence = match tier {
            Tier::U0 | Tier::U1 => Confidence::Low,
            Tier::U2 => Confidence::Medium,
            Tier::U3 | Tier::U4 => Confidence::High,
        };
        RuleVerdict {
            rule,
            earned,
            status: RuleStatus::Unused,
            tier: Some(tier),
            confidence,
            reasons: vec![watched, why].into_iter().chain(overruled).collect(),
            rhythm: Rhythm::Any,
            blind: held_for_strays
                .clone()
                .or_else(|| held_for_incomplete.clone())
                .or(partly_dark),
            hold: protected
                .map(str::to_owned)
                .or(held_for_strays)
                .or(held_for_incomplete),
        }
    }

    /// Whether interfaces that no snapshot knows live beside the group's.
    fn unknown_nearby(&self) -> bool {
        self.strays.any(&self.subnets())
    }

    fn unknown_matches(&self) -> u64 {
        self.strays.matching(self.rule, &self.subnets())
    }

    fn subnets(&self) -> Vec<SubnetId> {
        let enis = self
            .watch
            .interfaces
            .iter()
            .filter_map(|id| self.court.series.latest().enis.get(id));
        enis.filter_map(|eni| eni.subnet_id.clone()).collect()
    }

    /// Whether the rule is known to stand there as it is.
    fn has_rule(&self, snapshot: &Snapshot) -> bool {
        let group = snapshot.groups.get(&self.group.id);
        let group = group.filter(|group| !snapshot.guessed.groups.contains(&group.id));
        group.is_some_and(|group| group.rules.iter().any(|rule| rule == self.rule))
    }

    /// Days since the first snapshot that has the rule as it is, where every
    /// later one has it too. An undated snapshot stands for the whole window.
    fn rule_days(&self) -> Option<i64> {
        let snapshots: Vec<_> = self.court.series.snapshots().collect();
        let oldest = snapshots
            .iter()
            .rev()
            .copied()
            .take_while(|snapshot| self.has_rule(snapshot))
            .last()?;
        let Some(since) = oldest.captured_at else {
            return Some(self.window.seconds() / DAY);
        };
        let end = self.window.span?.end;
        Some((end.0 - since.0).div_euclid(DAY))
    }

    fn vacuous(&self) -> bool {
        match &self.rule.peer {
            Peer::SecurityGroup(label) => !self
                .court
                .series
                .latest()
                .enis
                .values()
                .any(|eni| eni.groups.contains(label)),
            Peer::Cidr(_) | Peer::PrefixList(_) => false,
        }
    }
}

fn conversations(count: u64) -> String {
    conversations_of(count, "")
}

fn conversations_of(count: u64, kind: &str) -> String {
    if count == 1 {
        format!("1 {kind}conversation")
    } else {
        format!("{count} {kind}conversations")
    }
}

/// The doubts that remain about a rule, in words.
fn doubts(earned: &RuleUse) -> Vec<String> {
    let mut doubts = Vec::new();
    let either_way = earned.needed_in_doubt + earned.shared_in_doubt;
    if either_way > 0 {
        doubts.push(format!(
            "{} may or may not be its own: who opened them, or which part of the rule they used, the logs do not tell",
            conversations(either_way)
        ));
    }
    if earned.efa_records > 0 {
        doubts.push(format!(
            "{} EFA records, which bypass the operating system: EFA needs the group's references to itself, both ways",
            earned.efa_records
        ));
    }
    if earned.unread_records > 0 {
        doubts.push(format!(
            "{} records let through at its group, with neither end or both known for the interface's own, may have used it",
            earned.unread_records
        ));
    }
    if earned.unlikely > 0 {
        doubts.push(format!(
            "{} would be its own if the other end had opened them, which is unlikely and not excluded",
            conversations(earned.unlikely)
        ));
    }
    if earned.possible > 0 {
        doubts.push(format!(
            "{} may have used it: their peer's groups, or the rules of that moment, are not known",
            conversations(earned.possible)
        ));
    }
    doubts
}
