//! Rules that are used now and then: bursts with days of silence between, and
//! whether they come at even distances. A job at the end of each month or
//! quarter shows so; the logs then say when it is due next.
//!
//! Silence counts only where it was watched: a gap in the logs is no gap in
//! use. Times are known to a stretch of the history, so distances are taken as
//! even only where they are so beyond what that hides.

use crate::evidence::activity::History;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// Silence that ends a burst, in seconds: more than a weekend.
const SILENCE: i64 = 3 * DAY;

/// Bursts at distances that no calendar knows are a season from so many on:
/// three fall evenly by chance too often.
const SURE: usize = 4;

/// Periods that three bursts are enough for, in days: a week, two, a month, a
/// quarter.
const CALENDAR: [(i64, i64); 4] = [(7, 7), (14, 14), (28, 31), (89, 93)];

/// A use that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Season {
    /// Mean distance of bursts, in days.
    pub period_days: i64,
    /// Bursts seen, at least three.
    pub bursts: usize,
    /// First second of the day on which the next one is due.
    pub next: Timestamp,
    /// What became of that.
    pub due: Due,
}

/// What became of the next use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It is due behind the end of the logs.
    Ahead,
    /// It was due near the end of the logs and is not seen yet.
    Pending,
    /// It was due when not all was watched.
    Unwatched,
    /// It was due, all was watched, and it did not come.
    Missed,
}

/// How the uses of a rule lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Without silence of days that was watched, or at no even distance.
    Any,
    /// In one burst, with silence of days before or behind it.
    Once,
    /// In two bursts, so many days apart.
    Twice(i64),
    /// At even distances.
    Season(Season),
}

/// What is asked of the logs about a rule.
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Watched<'w> {
    /// From when on the rule is known, to the end of the logs.
    pub life: Span,
    /// Whether nearly all hours from a time to another were watched.
    pub between: &'w dyn Fn(Timestamp, Timestamp) -> bool,
}

/// First second of the first stretch of a burst, and the second behind its
/// last.
#[derive(Clone, Copy, Debug)]
struct Burst {
    start: i64,
    end: i64,
}

impl Rhythm {
    /// Of a rule's uses.
    #[must_use]
    pub fn of(seen: &History, watched: &Watched<'_>) -> Rhythm {
        let bursts = bursts(seen);
        let silences = bursts.windows(2).filter_map(|pair| match pair {
            [one, other] => Some((Timestamp(one.end), Timestamp(other.start))),
            _ => None,
        });
        let mut silences = silences;
        if !silences.all(|(from, to)| (watched.between)(from, to)) {
            return Rhythm::Any;
        }
        match bursts.as_slice() {
            [_] if is_apart(seen, watched) => Rhythm::Once,
            [] | [_] => Rhythm::Any,
            [one, other] => Rhythm::Twice(days(other.start.saturating_sub(one.start))),
            all => season(seen, all, watched).map_or(Rhythm::Any, Rhythm::Season),
        }
    }

    /// In words, as a reason; `None` where there is nothing to tell.
    #[must_use]
    pub fn words(&self, seen: &History, end: Timestamp) -> Option<String> {
        match self {
            Rhythm::Any => None,
            Rhythm::Once => Some(format!(
                "used in one burst only, {}: whether it comes back, longer logs would tell",
                between(seen.first, seen.last)
            )),
            Rhythm::Twice(days) => Some(format!(
                "used in two bursts about {days} days apart: whether it recurs, longer logs would tell"
            )),
            Rhythm::Season(season) => Some(season.words(end)),
        }
    }
}

impl Season {
    fn words(&self, end: Timestamp) -> String {
        let Season {
            period_days,
            bursts,
            next,
            due,
        } = *self;
        let next = next.date();
        let due = match due {
            Due::Ahead => format!("due next about {next}"),
            Due::Pending => format!("was due about {next}, not seen until {}", end.date()),
            Due::Unwatched => format!("was due about {next}, when not all was watched"),
            Due::Missed => format!("was due about {next} and did not come"),
        };
        format!("recurs about every {period_days} days, seen {bursts} times; {due}")
    }
}

fn bursts(seen: &History) -> Vec<Burst> {
    let step = seen.step();
    let mut bursts: Vec<Burst> = Vec::new();
    for Timestamp(start) in seen.starts() {
        let end = start.saturating_add(step);
        match bursts.last_mut() {
            Some(burst) if start.saturating_sub(burst.end) < SILENCE => burst.end = end,
            Some(_) | None => bursts.push(Burst { start, end }),
        }
    }
    bursts
}

/// Whether there is as much silence before or behind it as ends a burst, and
/// more than its own length, and whether that was watched.
fn is_apart(seen: &History, watched: &Watched<'_>) -> bool {
    let Span { start, end } = watched.life;
    let length = seen.last.0.saturating_sub(seen.first.0);
    let long = |from: Timestamp, to: Timestamp| {
        to.0.saturating_sub(from.0) > SILENCE.max(length) && (watched.between)(from, to)
    };
    long(start, seen.first) || long(seen.last, end)
}

/// The season that bursts make.
fn season(seen: &History, bursts: &[Burst], watched: &Watched<'_>) -> Option<Season> {
    let (step, last) = (seen.step(), bursts.last()?);
    // A burst of one stretch began between its start and its last record.
    let single = last.end.saturating_sub(last.start) == step;
    let last_begin = if single { seen.last.0 } else { last.start };
    let distances: Vec<i64> = bursts
        .windows(2)
        .filter_map(|pair| match pair {
            [one, other] => Some(other.start.saturating_sub(one.start)),
            _ => None,
        })
        .collect();
    let turns = turns(&distances)?;
    let all: i64 = turns.iter().sum();
    let period = last_begin.saturating_sub(seen.first.0).checked_div(all)?;
    // Months differ by three days, what falls on working days by two or three.
    let jitter = (period / 10).max(DAY);
    let slack = step.saturating_add(jitter);
    let is_even = |(distance, turns): (&i64, &i64)| {
        distance.abs_diff(turns.saturating_mul(period)) <= slack.unsigned_abs()
    };
    let longest = (period / 3).max(step);
    let is_short = |burst: &Burst| burst.end.saturating_sub(burst.start) <= longest;
    let even = distances.iter().zip(&turns).all(is_even) && bursts.iter().all(is_short);
    let sure = bursts.len() >= SURE || CALENDAR.iter().any(|known| is_of(known, period));
    // Below twice the slack anything would be even.
    if !even || !sure || slack.saturating_mul(2) > period {
        return None;
    }
    let next = last_begin.saturating_add(period);
    Some(Season {
        period_days: days(period),
        bursts: bursts.len(),
        next: Timestamp(next.saturating_sub(next.rem_euclid(DAY))),
        due: due(next, jitter, bursts.len(), watched),
    })
}

/// How many periods each distance is: one, but for a single burst that may be
/// missing among several.
fn turns(distances: &[i64]) -> Option<Vec<i64>> {
    let shortest = distances.iter().min().copied().filter(|one| *one > 0)?;
    let turns = distances
        .iter()
        .map(|one| one.saturating_add(shortest / 2).checked_div(shortest));
    let turns: Vec<i64> = turns.collect::<Option<_>>()?;
    let missing: i64 = turns.iter().map(|turns| turns.saturating_sub(1)).sum();
    (missing == 0 || (missing == 1 && turns.len() >= SURE)).then_some(turns)
}

fn is_of((least, most): &(i64, i64), period: i64) -> bool {
    (*least..=*most).contains(&days(period))
}

fn due(next: i64, jitter: i64, bursts: usize, watched: &Watched<'_>) -> Due {
    let end = watched.life.end.0;
    let (early, late) = (next.saturating_sub(jitter), next.saturating_add(jitter));
    if next > end {
        Due::Ahead
    } else if late > end || bursts < SURE {
        Due::Pending
    } else if (watched.between)(Timestamp(early), Timestamp(late)) {
        Due::Missed
    } else {
        Due::Unwatched
    }
}

/// Whole days, rounded to the nearest.
fn days(seconds: i64) -> i64 {
    seconds.saturating_add(DAY / 2).div_euclid(DAY)
}

fn between(first: Timestamp, last: Timestamp) -> String {
    if first.day() == last.day() {
        format!("on {}", first.date())
    } else {
        format!("{} to {}", first.date(), last.date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::activity;

    const START: i64 = 1_767_225_600;

    fn seen(used: impl IntoIterator<Item = i64>) -> History {
        let mut seen = None;
        for day in used {
            let first = START + day * DAY + 9 * 3_600;
            let one = History::of(Timestamp(first), Timestamp(first + 3_600));
            activity::add(&mut seen, Some(one));
        }
        seen.unwrap()
    }

    /// Uses of an hour each on these days of so many, of which some were not
    /// watched.
    fn rhythm_with(days: i64, used: &[i64], unwatched: &[i64]) -> Rhythm {
        let between = |from: Timestamp, to: Timestamp| {
            let day = |time: Timestamp| (time.0 - START).div_euclid(DAY);
            !unwatched
                .iter()
                .any(|gone| (day(from)..=day(to)).contains(gone))
        };
        let life = Span {
            start: Timestamp(START),
            end: Timestamp(START + days * DAY - 1),
        };
        let watched = Watched {
            life,
            between: &between,
        };
        Rhythm::of(&seen(used.iter().copied()), &watched)
    }

    fn rhythm(days: i64, used: &[i64]) -> Rhythm {
        rhythm_with(days, used, &[])
    }

    fn season(rhythm: Rhythm) -> Option<(i64, usize, i64, Due)> {
        match rhythm {
            Rhythm::Season(season) => Some((
                season.period_days,
                season.bursts,
                (season.next.0 - START) / DAY,
                season.due,
            )),
            Rhythm::Any | Rhythm::Once | Rhythm::Twice(_) => None,
        }
    }

    /// The first of each month of 2026, in days of the year.
    const FIRSTS: [i64; 10] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273];

    #[test]
    fn a_monthly_job_is_recognised_by_its_third_time_and_ever_after() {
        assert_eq!(rhythm(34, &[4]), Rhythm::Once);
        assert_eq!(rhythm(64, &[4, 35]), Rhythm::Twice(31));
        assert_eq!(
            season(rhythm(70, &FIRSTS[..3])),
            Some((30, 3, 88, Due::Ahead))
        );
        for number in 4..=FIRSTS.len() {
            let (period, bursts, next, due) =
                season(rhythm(FIRSTS[number - 1] + 20, &FIRSTS[..number])).unwrap();
            assert!((30..=31).contains(&period) && bursts == number, "{period}");
            assert!(
                next.abs_diff(FIRSTS[number - 1] + 30) <= 1,
                "{number}: {next}"
            );
            assert_eq!(due, Due::Ahead);
        }
    }

    #[test]
    fn a_quarterly_and_a_weekly_job_are_recognised() {
        let (period, bursts, next, due) = season(rhythm(370, &[10, 101, 193, 285])).unwrap();
        assert!((91..=92).contains(&period) && (376..=378).contains(&next));
        assert_eq!((bursts, due), (4, Due::Ahead));
        let weekly: Vec<i64> = (0..14).map(|week| week * 7 + 1).collect();
        for number in 3..=weekly.len() {
            let (period, ..) = season(rhythm(7 * 14, &weekly[..number])).unwrap();
            assert_eq!(period, 7, "{number}");
        }
    }

    #[test]
    fn a_missing_time_among_many_is_no_other_season() {
        let (period, bursts, ..) = season(rhythm(200, &[0, 31, 59, 120, 151, 181])).unwrap();
        assert_eq!((period, bursts), (30, 6));
    }

    #[test]
    fn what_was_due_and_did_not_come_is_told_where_it_was_watched() {
        let due = |days, unwatched: &[i64]| {
            season(rhythm_with(days, &FIRSTS[..4], unwatched))
                .unwrap()
                .3
        };
        assert_eq!(due(150, &[]), Due::Missed);
        assert_eq!(due(150, &[121]), Due::Unwatched);
        assert_eq!(due(121, &[]), Due::Pending);
        assert_eq!(due(119, &[]), Due::Ahead);
    }

    #[test]
    fn gaps_in_the_logs_are_no_silence() {
        let gaps: Vec<i64> = (0..120).filter(|day| !FIRSTS.contains(day)).collect();
        assert_eq!(rhythm_with(120, &FIRSTS[..4], &gaps), Rhythm::Any);
        assert_eq!(rhythm_with(64, &[4, 35], &[20]), Rhythm::Any);
        assert_eq!(rhythm_with(34, &[1], &[20]), Rhythm::Any);
    }

    #[test]
    fn uneven_bursts_and_steady_use_are_no_season() {
        assert_eq!(rhythm(104, &[4, 19, 83]), Rhythm::Any);
        assert_eq!(rhythm(70, &[33, 46, 57]), Rhythm::Any);
        assert_eq!(rhythm(100, &[0, 10, 50, 60]), Rhythm::Any);
        let each: Vec<i64> = (0..100).collect();
        let workdays: Vec<i64> = (0..100).filter(|day| day % 7 < 5).collect();
        for steady in [&each, &workdays, &each[30..].to_vec()] {
            assert_eq!(rhythm(100, steady), Rhythm::Any);
        }
        assert_eq!(rhythm(4, &[1]), Rhythm::Any);
    }

    #[test]
    fn any_times_at_all_do_no_harm() {
        let seen = History::of(Timestamp(i64::MIN), Timestamp(i64::MAX));
        let life = Span {
            start: Timestamp(i64::MIN),
            end: Timestamp(i64::MAX),
        };
        let watched = Watched {
            life,
            between: &|_, _| true,
        };
        assert_eq!(Rhythm::of(&seen, &watched), Rhythm::Any);
    }
}
