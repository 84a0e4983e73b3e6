//! How well a group was watched, and how strong an "unused" may therefore be.
//!
//! A claim of non-use stands on coverage: of every interface that carries the
//! group, over the whole window, without loss. The tiers and their conditions
//! are those of the specification; the first condition that fails is told.

use std::collections::BTreeSet;

use crate::attribute::ledger::Deliveries;
use crate::attribute::ledger::Watchers;
use crate::attribute::ledger::day;
use crate::attribute::ledger::hours;
use crate::attribute::verdict::Tier;
use crate::evidence::Evidence;
use crate::evidence::coverage::HourSet;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::EniId;
use crate::model::Snapshot;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;
use crate::net::time::HOUR;

/// Hours of the whole evidence: when anything was delivered at all.
#[derive(Debug)]
pub struct Window {
    /// First and last second seen.
    pub span: Option<Span>,
    /// Hours in which some interface was heard of.
    delivered: HourSet,
    /// Whether quiet intervals have rows of their own (NODATA), so that a
    /// missing row is no quiet one.
    tells_quiet: bool,
    /// Whether any ACCEPT was seen at all.
    pub accepts: bool,
    /// Whether any REJECT was.
    pub rejects: bool,
}

impl Window {
    /// The window of some evidence.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Window {
        let mut delivered = HourSet::default();
        // In hash order, which is lawful: a union of sets.
        for interface in evidence.interfaces.values() {
            delivered.merge(&interface.observed);
            delivered.merge(&interface.lost);
        }
        Window {
            span: evidence.span,
            delivered,
            tells_quiet: evidence.rows.no_data > 0,
            accepts: evidence.rows.accepted > 0,
            rejects: evidence.rows.rejected > 0,
        }
    }

    /// When anything was delivered.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries<'_> {
        Deliveries {
            delivered: &self.delivered,
            tells_quiet: self.tells_quiet,
        }
    }

    /// Whole hours from the first to the last.
    #[must_use]
    pub fn hours(&self) -> u64 {
        self.span.map_or(0, hours_of)
    }

    /// Length in seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.span.map_or(0, Span::seconds)
    }
}

/// How one group was watched: the worst of its interfaces decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupWatch {
    /// Interfaces that carry the group.
    pub interfaces: Vec<EniId>,
    /// Of those, the ones the logs speak of.
    pub logged: u64,
    /// Interfaces in use that the logs never speak of.
    pub unlogged: Vec<EniId>,
    /// Of those, the ones with records, none of which tells what is asked.
    pub mute: u64,
    /// Since when the group is known to be carried without a break, within
    /// the window.
    pub span: Option<Span>,
    /// Hours watched, at the worst interface.
    pub hours_watched: u64,
    /// Hours with loss, at the worst interface.
    pub hours_lost: u64,
    /// Hours that the worst interface carried the group.
    pub hours: u64,
    /// Days with accepted traffic, at the busiest interface.
    pub active_days: u64,
    /// Records at its interfaces that could not be read in full.
    pub incomplete: u64,
    /// What its interfaces' flow logs do not keep or deliver, in words.
    pub limits: BTreeSet<String>,
    /// Of these, that one does not deliver.
    pub failing: Option<String>,
    /// Of these, that one keeps the traffic of some paths alone.
    pub filtered: Option<String>,
    /// What it is watched for: what is let through, or what is dropped.
    pub asked: Effect,
    /// Whether the flow logs of every interface are known to keep that.
    pub kept: bool,
}

/// How many flow logs a reason names.
const NAMED: usize = 3;

/// An interface that carries a group, and what watches it.
struct Post<'a> {
    carrier: Carrier<'a>,
    seen: Option<&'a InterfaceEvidence>,
    watchers: Watchers,
}

impl<'a> Post<'a> {
    fn of(
        carrier: Carrier<'a>,
        evidence: &'a Evidence,
        snapshot: &Snapshot,
        asked: Effect,
    ) -> Post<'a> {
        Post {
            carrier,
            seen: evidence.interfaces.get(&carrier.eni.id),
            watchers: Watchers::of(carrier.eni, snapshot, asked),
        }
    }

    /// What speaks of what is asked.
    fn usable(&self) -> Option<&'a InterfaceEvidence> {
        let seen = self.seen.filter(|seen| !seen.observed.is_empty());
        seen.filter(|_| self.watchers.blind.is_none())
    }
}

/// An interface that carries a group, and since when snapshots say so; `None`
/// for the whole window.
#[derive(Clone, Copy, Debug)]
pub struct Carrier<'a> {
    /// The interface.
    pub eni: &'a Eni,
    /// The first snapshot of those without a break that have it so, unless
    /// that is the first of all.
    pub since: Option<Timestamp>,
}

impl GroupWatch {
    /// How the interfaces of a group were watched for what its rules of an
    /// effect decide. `since` is as in [`Carrier`], for the group on any
    /// interface.
    #[must_use]
    pub fn of<'a>(
        carriers: impl Iterator<Item = Carrier<'a>>,
        since: Option<Timestamp>,
        evidence: &Evidence,
        window: &Window,
        snapshot: &Snapshot,
        asked: Effect,
    ) -> GroupWatch {
        let posts: Vec<Post<'_>> = carriers
            .map(|carrier| Post::of(carrier, evidence, snapshot, asked))
            .collect();
        // Where nobody watched any of them before, the claim begins there.
        let young = |post: &Post<'_>| post.watchers.young(post.seen, window.span);
        let cut = posts.iter().map(young).min().flatten();
        let hours = window.hours();
        let mut watch = GroupWatch {
            interfaces: Vec::new(),
            logged: 0,
            unlogged: Vec::new(),
            mute: 0,
            span: window.span.map(|span| from(span, since.max(cut))),
            hours_watched: hours,
            hours_lost: 0,
            hours,
            active_days: 0,
            incomplete: 0,
            limits: BTreeSet::new(),
            failing: None,
            filtered: None,
            asked,
            kept: posts.iter().all(|post| post.watchers.keeps),
        };
        for post in &posts {
            watch.post(post, cut, window);
        }
        if watch.logged == 0 || !watch.unlogged.is_empty() {
            watch.hours_watched = 0;
        }
        watch
    }

    fn post(&mut self, post: &Post<'_>, cut: Option<Timestamp>, window: &Window) {
        let (eni, watchers) = (post.carrier.eni, &post.watchers);
        self.interfaces.push(eni.id);
        if eni.in_use {
            self.limits.extend(watchers.limit(post.seen, window.span));
            self.failing = self.failing.take().or_else(|| watchers.failing.clone());
            self.filtered = self.filtered.take().or_else(|| watchers.filtered.clone());
        }
        match post.usable() {
            Some(seen) => self.add(seen, watchers, post.carrier.since.max(cut), window),
            None if eni.in_use => {
                self.unlogged.push(eni.id);
                self.mute += u64::from(post.seen.is_some());
            }
            None => {}
        }
    }

    fn add(
        &mut self,
        seen: &InterfaceEvidence,
        watchers: &Watchers,
        since: Option<Timestamp>,
        window: &Window,
    ) {
        self.logged += 1;
        let span = window.span.map(|span| from(span, since));
        let all = span.map_or(0, hours_of);
        let first = span.map_or(0, |span| span.start.hour());
        let kinds = |span| hours(Some(seen), watchers, span, &window.deliveries());
        let (watched, hours) = (span.map(kinds).unwrap_or_default().watched(), all);
        // The worse share: compared without division.
        if watched * self.hours <= self.hours_watched * hours || self.logged == 1 {
            (self.hours_watched, self.hours) = (watched, hours);
        }
        self.hours_lost = self.hours_lost.max(
            seen.lost
                .iter()
                .filter(|hour| *hour >= first)
                .map(|_| 1_u64)
                .sum(),
        );
        self.active_days = self.active_days.max(days(&seen.active));
        self.incomplete += seen.incomplete_records;
    }

    /// How long the group was carried within the window, in seconds.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.span.map_or(0, Span::seconds)
    }

    /// Why the logs say nothing of what it is watched for, if that is so: without
    /// any REJECT they may not keep them, unless the flow logs are described.
    #[must_use]
    pub fn silent(&self, window: &Window) -> Option<&'static str> {
        match self.asked {
            Effect::Allow => (!window.accepts).then_some("the logs carry no ACCEPT record"),
            Effect::Drop => (!window.rejects && !self.kept).then_some(
                "the logs carry no REJECT record, and no flow log is described that keeps them",
            ),
        }
    }

    /// That none of its interfaces tells what it is watched for, in words that
    /// go on from what they are interfaces of.
    #[must_use]
    pub fn dark(&self) -> String {
        let kept = match self.asked {
            Effect::Allow => "let through",
            Effect::Drop => "dropped",
        };
        match self.mute {
            0 => "none is in the logs".to_owned(),
            1 => format!("1 is in the logs, with no record of what was {kept}"),
            mute => format!("{mute} are in the logs, with no record of what was {kept}"),
        }
    }

    /// Whether watched hours are at least this share of all, in thousandths.
    #[must_use]
    pub fn covers(&self, thousandths: u64) -> bool {
        self.hours > 0 && self.hours_watched * 1_000 >= self.hours * thousandths
    }

    /// Whether lost hours are at most this share of all, in hundred
    /// thousandths.
    fn lost_at_most(&self, hundred_thousandths: u64) -> bool {
        self.hours_lost * 100_000 <= self.hours * hundred_thousandths
    }

    /// What flow logs lack, as the end of a reason.
    fn limited(&self) -> String {
        let named: Vec<&str> = self.limits.iter().take(NAMED).map(String::as_str).collect();
        match self.limits.len().saturating_sub(NAMED) {
            0 if named.is_empty() => String::new(),
            0 => format!(": {}", named.join(", ")),
            more => format!(": {} and {more} more such", named.join(", ")),
        }
    }

    /// Watched share of the window in percent, one decimal.
    #[must_use]
    pub fn coverage_text(&self) -> String {
        let thousandths = (self.hours_watched * 1_000)
            .checked_div(self.hours)
            .unwrap_or(0);
        format!("{}.{} %", thousandths / 10, thousandths % 10)
    }
}

/// A length of time as reasons tell it: whole days, or hours below two days.
#[must_use]
pub fn length(seconds: i64) -> String {
    let (number, noun) = if seconds < 2 * DAY {
        (seconds / HOUR, "hour")
    } else {
        (seconds / DAY, "day")
    };
    counted(usize::try_from(number).unwrap_or(0), noun)
}

/// `1 interface`, `2 interfaces`.
#[must_use]
pub fn counted(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// The part of a span from a time on.
pub(super) fn from(span: Span, since: Option<Timestamp>) -> Span {
    let start = since.map_or(span.start, |since| since.max(span.start).min(span.end));
    Span { start, ..span }
}

/// Whole hours from the first to the last of a span.
fn hours_of(span: Span) -> u64 {
    u64::try_from(span.end.hour() - span.start.hour() + 1).unwrap_or(0)
}

fn days(hours: &HourSet) -> u64 {
    let mut days: Vec<i64> = hours.iter().map(day).collect();
    days.dedup();
    u64::try_from(days.len()).unwrap_or(0)
}

/// What is asked of the tiers beside the group's watch.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// How the group was watched.
    pub watch: &'a GroupWatch,
    /// The window.
    pub window: &'a Window,
    /// Days since the rule is known to stand unchanged; `None`: not known.
    pub rule_days: Option<i64>,
    /// Why the rule belongs to a protected class, if it does.
    pub protected: Option<&'a str>,
    /// Records of unknown interfaces that the rule might have let in.
    pub unknown_matches: u64,
    /// Whether interfaces that no snapshot knows live in the group's subnets.
    pub unknown_nearby: bool,
    /// Whether the rule refers to a group that no interface carries.
    pub vacuous: bool,
}

/// The tier of an unused claim and the first condition that kept it from the
/// next.
#[must_use]
pub fn tier(claim: &Claim<'_>) -> (Tier, String) {
    let steps: [(Tier, Option<String>); 4] = [
        (Tier::U0, observed_fails(claim)),
        (Tier::U1, probable_fails(claim)),
        (Tier::U2, candidate_fails(claim)),
        (Tier::U3, yearly_fails(claim)),
    ];
    let reached = steps
        .into_iter()
        .find_map(|(tier, fails)| fails.map(|why| (tier, short_of(tier, &why))));
    reached.unwrap_or_else(|| {
        (
            Tier::U4,
            "every condition holds, yearly jobs included".to_owned(),
        )
    })
}

/// The failing condition and the tier that it keeps the claim from; below all
/// claims, it speaks for itself.
fn short_of(reached: Tier, why: &str) -> String {
    match reached {
        Tier::U0 | Tier::U4 => why.to_owned(),
        Tier::U1 => format!("not U2: {why}"),
        Tier::U2 => format!("not U3: {why}"),
        Tier::U3 => format!("not U4: {why}"),
    }
}

fn first_failing<const N: usize>(conditions: [(bool, String); N]) -> Option<String> {
    conditions
        .into_iter()
        .find(|(holds, _)| !holds)
        .map(|(_, why)| why)
}

/// Days of the window that count: whole days, less the share not watched.
fn effective_days(claim: &Claim<'_>) -> i64 {
    let (watched, hours) = (claim.watch.hours_watched, claim.watch.hours.max(1));
    let seconds = i128::from(claim.watch.seconds()) * i128::from(watched) / i128::from(hours);
    i64::try_from(seconds / i128::from(DAY)).unwrap_or(0)
}

fn observed_fails(claim: &Claim<'_>) -> Option<String> {
    let watch = claim.watch;
    let days = claim.watch.seconds() / DAY;
    first_failing([
        (
            watch.silent(claim.window).is_none(),
            format!("{} at all", watch.silent(claim.window).unwrap_or_default()),
        ),
        (
            watch.filtered.is_none(),
            watch.filtered.clone().unwrap_or_default(),
        ),
        (
            watch.unlogged.is_empty(),
            format!(
                "{} of the group not in the logs{}",
                counted(watch.unlogged.len(), "interface"),
                watch.limited()
            ),
        ),
        (
            watch.covers(500),
            format!("less than 50 % of the hours watched{}", watch.limited()),
        ),
        (
            claim.unknown_matches == 0,
            format!(
                "{} at unknown interfaces might have used it",
                counted_records(claim.unknown_matches)
            ),
        ),
        (
            watch.incomplete == 0,
            format!(
                "{} of its interfaces without address, port or protocol",
                counted_records(watch.incomplete)
            ),
        ),
        (
            days >= 7,
            format!(
                "the logs span {}, 7 days needed for any claim{}",
                length(claim.watch.seconds()),
                watch.limited()
            ),
        ),
    ])
}

fn counted_records(number: u64) -> String {
    counted(usize::try_from(number).unwrap_or(usize::MAX), "record")
}

fn probable_fails(claim: &Claim<'_>) -> Option<String> {
    let watch = claim.watch;
    let (effective, days) = (effective_days(claim), claim.watch.seconds() / DAY);
    let active = i64::try_from(watch.active_days).unwrap_or(i64::MAX);
    first_failing([
        (
            claim.protected.is_none(),
            claim.protected.unwrap_or_default().to_owned(),
        ),
        (
            watch.failing.is_none(),
            watch.failing.clone().unwrap_or_default(),
        ),
        (
            effective >= 30,
            format!("fewer than 30 days watched{}", watch.limited()),
        ),
        (
            month_ends(claim.watch.span, 1),
            "no month end in the window".to_owned(),
        ),
        (
            watch.covers(950),
            format!("less than 95 % of the hours watched{}", watch.limited()),
        ),
        (
            watch.lost_at_most(500),
            "more than 0.5 % of the hours lost records".to_owned(),
        ),
        (
            active * 2 >= days,
            format!("its interfaces had traffic on {active} of {days} days, half needed"),
        ),
    ])
}

fn candidate_fails(claim: &Claim<'_>) -> Option<String> {
    let watch = claim.watch;
    let effective = effective_days(claim);
    first_failing([
        (
            !claim.unknown_nearby,
            "interfaces that no snapshot knows live in its subnets".to_owned(),
        ),
        (
            !claim.vacuous,
            "it refers to a group that no interface carries now".to_owned(),
        ),
        (
            effective >= 90,
            format!("fewer than 90 days watched{}", watch.limited()),
        ),
        (
            month_ends(claim.watch.span, 3),
            "no quarter end in the window".to_owned(),
        ),
        (
            watch.covers(990),
            format!("less than 99 % of the hours watched{}", watch.limited()),
        ),
        (
            watch.lost_at_most(50),
            "more than 0.05 % of the hours lost records".to_owned(),
        ),
        (
            claim.rule_days.is_some_and(|days| days >= 90),
            "the rule is not known to be 90 days old".to_owned(),
        ),
    ])
}

fn yearly_fails(claim: &Claim<'_>) -> Option<String> {
    let effective = effective_days(claim);
    first_failing([(
        effective >= 396,
        "fewer than 396 days watched: yearly jobs".to_owned(),
    )])
}

/// Whether a month end lies in the span whose month is a multiple of `every`.
fn month_ends(span: Option<Span>, every: i8) -> bool {
    let Some(span) = span else {
        return false;
    };
    // The first second of a month follows the end of another.
    let month = |time: Timestamp| {
        let date = jiff::Timestamp::from_second(time.0)
            .ok()?
            .to_zoned(jiff::tz::TimeZone::UTC);
        Some((date.year(), date.month()))
    };
    let (Some(mut at), Some(last)) = (month(span.start), month(span.end)) else {
        return false;
    };
    while at < last {
        if at.1 % every == 0 {
            return true;
        }
        at = if at.1 == 12 {
            (at.0 + 1, 1)
        } else {
            (at.0, at.1 + 1)
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(hours_watched: u64, hours: u64) -> GroupWatch {
        GroupWatch {
            interfaces: Vec::new(),
            logged: 1,
            unlogged: Vec::new(),
            mute: 0,
            span: None,
            hours_watched,
            hours_lost: 0,
            hours,
            active_days: hours / 24,
            incomplete: 0,
            limits: BTreeSet::new(),
            failing: None,
            filtered: None,
            asked: Effect::Allow,
            kept: false,
        }
    }

    fn window(first: &str, last: &str) -> Window {
        let span = Span {
            start: Timestamp::parse_rfc3339(first).unwrap(),
            end: Timestamp::parse_rfc3339(last).unwrap(),
        };
        Window {
            span: Some(span),
            delivered: HourSet::default(),
            tells_quiet: false,
            accepts: true,
            rejects: false,
        }
    }

    fn tier_of(watch: &GroupWatch, window: &Window, protected: Option<&str>) -> Tier {
        let watch = &GroupWatch {
            span: window.span,
            ..watch.clone()
        };
        let claim = Claim {
            watch,
            window,
            rule_days: Some(400),
            protected,
            unknown_matches: 0,
            unknown_nearby: false,
            vacuous: false,
        };
        tier(&claim).0
    }

    #[test]
    fn sixty_days_are_probable_and_a_hundred_with_a_quarter_end_a_candidate() {
        let sixty = window("2026-01-10T00:00:00Z", "2026-03-11T00:00:00Z");
        assert_eq!(tier_of(&watch(60 * 24, 60 * 24), &sixty, None), Tier::U2);
        let hundred = window("2026-01-10T00:00:00Z", "2026-04-20T00:00:00Z");
        assert_eq!(
            tier_of(&watch(100 * 24, 100 * 24), &hundred, None),
            Tier::U3
        );
        assert_eq!(
            tier_of(&watch(100 * 24, 100 * 24), &hundred, Some("protected")),
            Tier::U1
        );
    }

    #[test]
    fn a_day_is_no_claim_and_loss_caps_it() {
        let day = window("2026-01-10T00:00:00Z", "2026-01-11T00:00:00Z");
        assert_eq!(tier_of(&watch(24, 24), &day, None), Tier::U0);
        let hundred = window("2026-01-10T00:00:00Z", "2026-04-20T00:00:00Z");
        let lossy = GroupWatch {
            hours_lost: 48,
            ..watch(98 * 24, 100 * 24)
        };
        assert_eq!(tier_of(&lossy, &hundred, None), Tier::U1);
    }

    #[test]
    fn a_year_covers_yearly_jobs() {
        let year = window("2025-01-01T00:00:00Z", "2026-03-01T00:00:00Z");
        assert_eq!(tier_of(&watch(424 * 24, 424 * 24), &year, None), Tier::U4);
    }

    #[test]
    fn a_month_end_lies_between_months() {
        let inside = window("2026-01-02T00:00:00Z", "2026-01-30T00:00:00Z");
        assert!(!month_ends(inside.span, 1));
        let over = window("2026-02-27T00:00:00Z", "2026-03-02T00:00:00Z");
        assert!(month_ends(over.span, 1));
        assert!(!month_ends(over.span, 3));
    }
}
