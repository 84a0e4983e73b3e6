//! The ledger of coverage: what became of each hour at each interface, and
//! what the flow logs that watch it make of its silence.
//!
//! An hour without a row is quiet only where a flow log that keeps what was
//! accepted was there and delivered; otherwise it is dark, and nothing is
//! known of it (VPC user guide, "Flow log records" on NODATA and SKIPDATA;
//! API `FlowLog` on `DeliverLogsStatus`).

use std::collections::BTreeSet;
use std::ops::AddAssign;

use crate::evidence::coverage::HourSet;
use crate::evidence::interface::InterfaceEvidence;
use crate::model::Effect;
use crate::model::Eni;
use crate::model::Snapshot;
use crate::model::vpc::FlowLog;
use crate::model::vpc::TrafficType;
use crate::net::Span;
use crate::net::Timestamp;

/// Hours of interfaces by what is known of them; together, all hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// With accepted traffic, and nothing lost.
    pub accepted: u64,
    /// With REJECT records alone.
    pub rejected: u64,
    /// With NODATA rows alone: they tell that there was nothing.
    pub no_data: u64,
    /// With a SKIPDATA row.
    pub lost: u64,
    /// Without a row, while its flow log delivered.
    pub quiet: u64,
    /// Without a row, and nothing says that somebody watched.
    pub dark: u64,
}

impl Hours {
    /// Those that speak for non-use.
    #[must_use]
    pub fn watched(self) -> u64 {
        self.accepted + self.rejected + self.no_data + self.quiet
    }
}

impl AddAssign for Hours {
    fn add_assign(&mut self, other: Hours) {
        // Bound in full, so that a new kind cannot be forgotten here.
        let Hours {
            accepted,
            rejected,
            no_data,
            lost,
            quiet,
            dark,
        } = other;
        self.accepted += accepted;
        self.rejected += rejected;
        self.no_data += no_data;
        self.lost += lost;
        self.quiet += quiet;
        self.dark += dark;
    }
}

/// When anything was delivered at all.
#[derive(Debug)]
pub struct Deliveries<'e> {
    /// Hours in which some interface was heard of.
    pub delivered: &'e HourSet,
    /// Whether quiet intervals have rows of their own (NODATA), so that a
    /// missing row is no quiet one.
    pub tells_quiet: bool,
}

/// What the flow logs of an interface keep and deliver, as far as the snapshot
/// describes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watchers {
    /// Since when one of them is there, where all are younger than something.
    pub since: Option<Timestamp>,
    /// Why none of them delivers, in words.
    pub failing: Option<String>,
    /// Why none of them keeps what is asked for, in words: all keep the other
    /// verdict alone.
    pub blind: Option<String>,
    /// Why none of them keeps all of it, in words: what took some paths alone.
    pub filtered: Option<String>,
    /// Whether one of them is known to keep what is asked for.
    pub keeps: bool,
    /// The oldest that keeps it, for words.
    id: String,
}

impl Watchers {
    /// The flow logs that watch an interface, its subnet or its VPC, asked for
    /// what rules of an effect decide: what was let through, or stopped.
    #[must_use]
    pub fn of(eni: &Eni, snapshot: &Snapshot, asked: Effect) -> Watchers {
        let all: Vec<&FlowLog> = flow_logs_of(eni, snapshot).collect();
        let (other, alone) = match asked {
            Effect::Allow => (TrafficType::Reject, "REJECT"),
            Effect::Drop => (TrafficType::Accept, "ACCEPT"),
        };
        let keeps = |log: &&FlowLog| log.traffic_type != other;
        let keeping: Vec<&FlowLog> = all.iter().copied().filter(keeps).collect();
        let mut failing = keeping.iter().map(|log| log.delivery_error.as_ref());
        let first_failing = keeping.iter().find(|log| log.delivery_error.is_some());
        let all_fail = failing.all(|error| error.is_some());
        let oldest = keeping.iter().min_by_key(|log| log.created);
        Watchers {
            since: oldest.and_then(|log| log.created),
            failing: first_failing.filter(|_| all_fail).map(|log| failure(log)),
            blind: all
                .first()
                .filter(|_| keeping.is_empty())
                .map(|log| format!("flow log `{}` keeps {alone} alone", log.id)),
            filtered: oldest
                .filter(|_| keeping.iter().all(|log| log.filtered))
                .map(|log| format!("flow log `{}` keeps what took some paths alone", log.id)),
            keeps: !keeping.is_empty(),
            id: oldest.map_or_else(String::new, |log| log.id.clone()),
        }
    }

    /// From when on silence is told, if that is later than the logs begin. Rows
    /// from before show that another flow log was there then.
    #[must_use]
    pub fn young(&self, seen: Option<&InterfaceEvidence>, span: Option<Span>) -> Option<Timestamp> {
        let since = self
            .since
            .filter(|since| Some(*since) > span.map(|span| span.start))?;
        let mut told = seen.into_iter().flat_map(told_hours);
        (!told.any(|hour| hour < since.hour())).then_some(since)
    }

    /// What they make of claims, in words; nothing where they keep and deliver
    /// all of the window.
    #[must_use]
    pub fn limit(&self, seen: Option<&InterfaceEvidence>, span: Option<Span>) -> Option<String> {
        if self.blind.is_some() {
            return self.blind.clone();
        }
        let young = || {
            let since = self.young(seen, span)?;
            Some(format!("flow log `{}` was created at {since}", self.id))
        };
        let whole = || self.filtered.clone();
        self.failing.clone().or_else(young).or_else(whole)
    }
}

/// Why a flow log does not deliver.
#[must_use]
pub fn failure(log: &FlowLog) -> String {
    let error = log.delivery_error.as_deref().unwrap_or_default();
    format!("flow log `{}` does not deliver ({error})", log.id)
}

/// Whether a flow log that watches the interface is known to keep what was
/// accepted.
#[must_use]
pub fn keeps_accepts(eni: &Eni, snapshot: &Snapshot) -> bool {
    flow_logs_of(eni, snapshot).any(|log| log.traffic_type != TrafficType::Reject)
}

fn flow_logs_of<'s>(eni: &Eni, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s FlowLog> {
    let places = [
        Some(eni.id.as_str().to_owned()),
        eni.subnet_id.as_ref().map(ToString::to_string),
        eni.vpc_id.as_ref().map(ToString::to_string),
    ];
    let logs = snapshot.flow_logs.values();
    logs.filter(move |log| {
        let mut places = places.iter().flatten();
        places.any(|place| *place == log.resource_id)
    })
}

/// The hours of an interface in a span. Where quiet is told, a whole day
/// without a row is not quiet but dark; before its first row the interface may
/// not have existed.
#[must_use]
pub fn hours(
    seen: Option<&InterfaceEvidence>,
    watchers: &Watchers,
    span: Span,
    deliveries: &Deliveries<'_>,
) -> Hours {
    let (first, last) = (span.start.hour(), span.end.hour());
    let Some(seen) = seen.filter(|seen| !seen.observed.is_empty() || !seen.lost.is_empty()) else {
        let dark = u64::try_from(last - first + 1).unwrap_or(0);
        return Hours {
            dark,
            ..Hours::default()
        };
    };
    let silence = Silence::of(seen, watchers, span, deliveries);
    let told = [&seen.lost, &seen.active, &seen.rejected, &seen.observed];
    let keys = told.iter().chain([&deliveries.delivered]);
    let keys: BTreeSet<i64> = keys.flat_map(|hours| hours.keys()).collect();
    // What no set speaks of is dark, however long the span.
    let all = u64::try_from(last.saturating_sub(first).saturating_add(1)).unwrap_or(0);
    let mut hours = Hours {
        dark: all,
        ..Hours::default()
    };
    for key in keys.range(first.div_euclid(64)..=last.div_euclid(64)) {
        let within = within(*key, first, last);
        let mut left = within;
        let [lost, accepted, rejected, no_data] = told.map(|hours| {
            let own = hours.word(*key) & left;
            left &= !own;
            u64::from(own.count_ones())
        });
        let mut quiet = 0;
        for bit in bits(deliveries.delivered.word(*key) & left) {
            quiet += u64::from(silence.is_quiet(key.saturating_mul(64).saturating_add(bit)));
        }
        let known = lost + accepted + rejected + no_data + quiet;
        hours += Hours {
            accepted,
            rejected,
            no_data,
            lost,
            quiet,
            dark: 0,
        };
        hours.dark = hours.dark.saturating_sub(known);
    }
    hours
}

/// The bits of a word whose hours lie between two, both included.
fn within(key: i64, first: i64, last: i64) -> u64 {
    let start = key.saturating_mul(64);
    let from = first.saturating_sub(start).clamp(0, 64);
    let to = last.saturating_sub(start).saturating_add(1).clamp(0, 64);
    let below = |bits: i64| u32::try_from(bits).map_or(0, |bits| 1_u128.wrapping_shl(bits)) - 1;
    u64::try_from(below(to) & !below(from)).unwrap_or(0)
}

/// Places of the bits that are set.
fn bits(word: u64) -> impl Iterator<Item = i64> {
    (0..64_i64).filter(move |bit| word >> bit & 1 == 1)
}

/// What an hour without a row is.
struct Silence<'e> {
    deliveries: &'e Deliveries<'e>,
    /// Days with a row, where quiet ones have rows.
    told: Option<BTreeSet<i64>>,
    /// First hour in which a flow log was there.
    since: Option<i64>,
    failing: bool,
}

impl<'e> Silence<'e> {
    fn of(
        seen: &InterfaceEvidence,
        watchers: &Watchers,
        span: Span,
        deliveries: &'e Deliveries<'e>,
    ) -> Silence<'e> {
        let told = || told_hours(seen).map(day).collect();
        let since = watchers.young(Some(seen), Some(span));
        Silence {
            deliveries,
            told: deliveries.tells_quiet.then(told),
            since: since.map(Timestamp::hour),
            failing: watchers.failing.is_some(),
        }
    }

    fn is_quiet(&self, hour: i64) -> bool {
        let missing = |told: &BTreeSet<i64>| {
            let begun = told.first().is_some_and(|first| day(hour) > *first);
            begun && !told.contains(&day(hour))
        };
        self.deliveries.delivered.contains(hour)
            && !self.failing
            && self.since.is_none_or(|since| hour >= since)
            && !self.told.as_ref().is_some_and(missing)
    }
}

fn told_hours(seen: &InterfaceEvidence) -> impl Iterator<Item = i64> {
    seen.observed.iter().chain(seen.lost.iter())
}

/// The day of an hour, since the epoch.
#[must_use]
pub fn day(hour: i64) -> i64 {
    hour.div_euclid(24)
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prop_assert;
    use proptest::prop_assert_eq;
    use proptest::proptest;

    use super::*;
    use crate::attribute::world::World;
    use crate::model::EniId;
    use crate::net::time::HOUR;

    fn set(hours: impl IntoIterator<Item = i64>) -> HourSet {
        let mut set = HourSet::default();
        hours.into_iter().for_each(|hour| set.insert(hour));
        set
    }

    fn span(hours: i64) -> Span {
        Span {
            start: Timestamp(0),
            end: Timestamp(hours * HOUR - 1),
        }
    }

    fn log(id: &str, keeps: TrafficType, created: i64, error: Option<&str>) -> FlowLog {
        FlowLog {
            id: id.to_owned(),
            resource_id: "subnet-1".to_owned(),
            traffic_type: keeps,
            created: Some(Timestamp(created)),
            log_format: None,
            headed: true,
            max_aggregation_interval: None,
            delivery_error: error.map(str::to_owned),
            filtered: false,
        }
    }

    fn watchers(logs: Vec<FlowLog>) -> Watchers {
        let world = World::new().eni("eni-1", "subnet-1", "10.0.1.1", &["sg-1"]);
        let mut snapshot = world.snapshot();
        snapshot.flow_logs =
            std::sync::Arc::new(logs.into_iter().map(|log| (log.id.clone(), log)).collect());
        let eni = &snapshot.enis[&EniId::parse("eni-1").unwrap()];
        Watchers::of(eni, &snapshot, Effect::Allow)
    }

    #[test]
    fn one_log_that_delivers_makes_up_for_one_that_does_not() {
        let failing = || log("fl-1", TrafficType::All, 0, Some("Access error"));
        let alone = watchers(vec![failing()]);
        assert_eq!(
            alone.failing.as_deref(),
            Some("flow log `fl-1` does not deliver (Access error)")
        );
        let beside = watchers(vec![failing(), log("fl-2", TrafficType::Accept, 5, None)]);
        assert_eq!((beside.failing, beside.since), (None, Some(Timestamp(0))));
        let rejects = watchers(vec![log("fl-3", TrafficType::Reject, 0, None)]);
        assert!(rejects.blind.is_some() && rejects.failing.is_none());
    }

    #[test]
    fn a_log_of_some_paths_beside_a_whole_one_is_no_loss() {
        let filtered = |id: &str| FlowLog {
            filtered: true,
            ..log(id, TrafficType::All, 0, None)
        };
        assert!(watchers(vec![filtered("fl-1")]).filtered.is_some());
        let beside = vec![filtered("fl-1"), log("fl-2", TrafficType::All, 0, None)];
        assert!(watchers(beside).filtered.is_none());
    }

    #[test]
    fn a_young_log_leaves_the_hours_before_it_dark_unless_rows_are_older() {
        let young = watchers(vec![log("fl-1", TrafficType::All, 5 * HOUR, None)]);
        let delivered = set(0..10);
        let deliveries = Deliveries {
            delivered: &delivered,
            tells_quiet: false,
        };
        let seen = |first| InterfaceEvidence {
            observed: set([first, 7]),
            ..InterfaceEvidence::default()
        };
        let of = |first| hours(Some(&seen(first)), &young, span(10), &deliveries);
        assert_eq!((of(6).dark, of(6).quiet, of(6).no_data), (5, 3, 2));
        assert_eq!((of(1).dark, of(1).quiet, of(1).no_data), (0, 8, 2));
    }

    /// The plain way to count.
    fn hour_by_hour(seen: &InterfaceEvidence, span: Span, deliveries: &Deliveries<'_>) -> Hours {
        let mut hours = Hours::default();
        if seen.observed.is_empty() && seen.lost.is_empty() {
            hours.dark = u64::try_from(span.seconds() / HOUR).unwrap();
            return hours;
        }
        let silence = Silence::of(seen, &Watchers::default(), span, deliveries);
        for hour in span.start.hour()..=span.end.hour() {
            let kind = if seen.lost.contains(hour) {
                &mut hours.lost
            } else if seen.active.contains(hour) {
                &mut hours.accepted
            } else if seen.rejected.contains(hour) {
                &mut hours.rejected
            } else if seen.observed.contains(hour) {
                &mut hours.no_data
            } else if silence.is_quiet(hour) {
                &mut hours.quiet
            } else {
                &mut hours.dark
            };
            *kind += 1;
        }
        hours
    }

    proptest! {
        #[test]
        fn every_hour_is_of_one_kind_and_a_failing_log_watches_no_more(
            observed in btree_set(0_i64..100, 0..40),
            active in btree_set(0_i64..100, 0..20),
            rejected in btree_set(0_i64..100, 0..20),
            lost in btree_set(0_i64..100, 0..10),
            delivered in btree_set(0_i64..100, 0..100),
            tells_quiet: bool,
        ) {
            let seen = InterfaceEvidence {
                observed: set(observed.iter().chain(&active).chain(&rejected).copied()),
                active: set(active.iter().copied()),
                rejected: set(rejected.iter().copied()),
                lost: set(lost.iter().copied()),
                ..InterfaceEvidence::default()
            };
            let delivered = set(delivered);
            let deliveries = Deliveries { delivered: &delivered, tells_quiet };
            let of = |watchers: &Watchers| hours(Some(&seen), watchers, span(100), &deliveries);
            let all = of(&Watchers::default());
            prop_assert_eq!(all.watched() + all.lost + all.dark, 100);
            prop_assert_eq!(all, hour_by_hour(&seen, span(100), &deliveries));
            // Whatever the span: what lies beyond all rows is dark.
            let far = Span { start: Timestamp(-700 * HOUR), end: Timestamp(1_000_000 * HOUR - 1) };
            let longer = hours(Some(&seen), &Watchers::default(), far, &deliveries);
            prop_assert_eq!(longer, Hours { dark: longer.dark, ..all });
            prop_assert_eq!(all.lost, seen.lost.count());
            let failing = Watchers { failing: Some(String::new()), ..Watchers::default() };
            prop_assert!(of(&failing).watched() <= all.watched());
            prop_assert_eq!(of(&failing).quiet, 0);
        }
    }
}
