//! Rules that are used now and then: bursts with days of silence between, and
//! whether they come at even distances. A job at the end of each month or
//! quarter shows so; the logs then say when it is due next, and until a few
//! bursts are seen nobody knows all of its clients.

use crate::evidence::activity::History;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::time::DAY;

/// Silence that ends a burst, in seconds: more than a weekend.
const SILENCE: i64 = 4 * DAY;

/// Fewest bursts that make a season: two distances that can agree.
const FEWEST: usize = 3;

/// A use that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Season {
    /// Mean distance of bursts, in days.
    pub period_days: i64,
    /// Bursts seen, at least three.
    pub bursts: usize,
    /// Start of the day on which the next one is due, by the mean distance.
    pub next: Timestamp,
    /// Whether it was due well within the logs and did not come.
    pub missed: bool,
}

/// How the uses of a rule lie in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    /// Without silence of days, or at no even distance.
    Any,
    /// In one burst, with silence of days before or behind it.
    Once,
    /// In two bursts, so many days apart.
    Twice(i64),
    /// At even distances.
    Season(Season),
}

impl Rhythm {
    /// Of a rule's uses within what the logs span.
    #[must_use]
    pub fn of(seen: &History, span: Span) -> Rhythm {
        let bursts = bursts(seen);
        let begins: Vec<i64> = bursts.iter().map(|(first, _)| *first).collect();
        match begins.as_slice() {
            [_] if is_apart(seen, span) => Rhythm::Once,
            [] | [_] => Rhythm::Any,
            [one, other] => Rhythm::Twice(days(other.saturating_sub(*one))),
            _ => season(&begins, seen.step(), span).map_or(Rhythm::Any, Rhythm::Season),
        }
    }

    /// In words, as a reason; `None` where there is nothing to tell.
    #[must_use]
    pub fn words(&self, seen: &History) -> Option<String> {
        match self {
            Rhythm::Any => None,
            Rhythm::Once => Some(format!(
                "used in one burst only, {}: whether it comes back, longer logs would tell",
                between(seen.first, seen.last)
            )),
            Rhythm::Twice(days) => Some(format!(
                "used in two bursts {days} days apart: whether it recurs, longer logs would tell"
            )),
            Rhythm::Season(season) => Some(season.words()),
        }
    }
}

impl Season {
    fn words(&self) -> String {
        let Season {
            period_days,
            bursts,
            next,
            missed,
        } = *self;
        let due = if missed { "was due" } else { "due next" };
        let came = if missed { " and did not come" } else { "" };
        format!(
            "recurs about every {period_days} days, seen {bursts} times; {due} about {}{came}",
            next.date()
        )
    }
}

/// First and last beginning of a use, by burst.
fn bursts(seen: &History) -> Vec<(i64, i64)> {
    // A stretch with a use may hold it at its start or at its end.
    let silence = SILENCE.max(seen.step().saturating_mul(2));
    let mut bursts: Vec<(i64, i64)> = Vec::new();
    for start in seen.starts() {
        match bursts.last_mut() {
            Some((_, last)) if start.0.saturating_sub(*last) <= silence => *last = start.0,
            Some(_) | None => bursts.push((start.0, start.0)),
        }
    }
    bursts
}

/// Whether there is as much silence before or behind it as ends a burst, and
/// more than its own length.
fn is_apart(seen: &History, span: Span) -> bool {
    let length = seen.last.0.saturating_sub(seen.first.0);
    let silence = SILENCE.max(length).max(seen.step().saturating_mul(2));
    let before = seen.first.0.saturating_sub(span.start.0);
    let behind = span.end.0.saturating_sub(seen.last.0);
    before.max(behind) > silence
}

/// The season that these beginnings of bursts make, each known to a step.
fn season(begins: &[i64], step: i64, span: Span) -> Option<Season> {
    let distances: Vec<i64> = begins
        .windows(2)
        .filter_map(|pair| match pair {
            [one, other] => Some(other.saturating_sub(*one)),
            _ => None,
        })
        .collect();
    let (first, last) = (begins.first()?, begins.last()?);
    let count = i64::try_from(distances.len()).ok()?;
    let mean = last.saturating_sub(*first).checked_div(count)?;
    let (least, most) = (distances.iter().min()?, distances.iter().max()?);
    // Months differ by three days, what falls on working days by two or three;
    // and each beginning is known to a step only.
    let slack = (mean / 10).max(DAY).saturating_add(step.saturating_mul(2));
    // Below twice the slack anything would be even.
    if most.saturating_sub(*least) > slack || slack.saturating_mul(2) > mean {
        return None;
    }
    let next = last.saturating_add(mean);
    Some(Season {
        period_days: days(mean),
        bursts: begins.len(),
        next: Timestamp(next.saturating_sub(next.rem_euclid(DAY))),
        missed: next.saturating_add(slack) < span.end.0,
    })
    .filter(|season| season.bursts >= FEWEST)
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
    use crate::evidence::activity::Activity;

    const START: i64 = 1_760_000_000 - 1_760_000_000 % DAY;

    /// Uses of an hour each on these days of so long a window.
    fn rhythm(window: i64, used: impl IntoIterator<Item = i64>) -> Rhythm {
        let mut seen = None;
        for day in used {
            let first = START + day * DAY + 9 * 3_600;
            let one = History {
                first: Timestamp(first),
                last: Timestamp(first + 3_600),
                active: Activity::AT_FIRST,
            };
            activity::add(&mut seen, Some(one));
        }
        let span = Span {
            start: Timestamp(START),
            end: Timestamp(START + window * DAY - 1),
        };
        Rhythm::of(&seen.unwrap(), span)
    }

    fn season(rhythm: Rhythm) -> Option<(i64, usize, i64, bool)> {
        match rhythm {
            Rhythm::Season(season) => Some((
                season.period_days,
                season.bursts,
                (season.next.0 - START) / DAY,
                season.missed,
            )),
            Rhythm::Any | Rhythm::Once | Rhythm::Twice(_) => None,
        }
    }

    #[test]
    fn a_monthly_job_is_recognised_by_its_third_time() {
        let monthly = season(rhythm(100, [4, 35, 65, 66]));
        assert_eq!(monthly, Some((31, 3, 95, false)));
        assert_eq!(rhythm(64, [4, 35]), Rhythm::Twice(31));
        assert_eq!(rhythm(34, [4]), Rhythm::Once);
    }

    #[test]
    fn a_quarterly_and_a_weekly_job_are_recognised() {
        let (period, bursts, next, missed) = season(rhythm(380, [10, 101, 193, 285])).unwrap();
        assert!((88..=95).contains(&period) && (365..=385).contains(&next));
        assert_eq!((bursts, missed), (4, false));
        let weekly = season(rhythm(30, [1, 8, 15, 22, 29]));
        assert_eq!(weekly, Some((7, 5, 36, false)));
    }

    #[test]
    fn a_season_that_ended_is_told() {
        let ended = season(rhythm(90, [0, 7, 14, 21])).unwrap();
        assert!(ended.3);
    }

    #[test]
    fn uneven_bursts_and_steady_use_are_no_season() {
        assert_eq!(rhythm(100, [0, 10, 50, 60]), Rhythm::Any);
        assert_eq!(rhythm(100, 0..100), Rhythm::Any);
        assert_eq!(rhythm(100, (0..100).step_by(2)), Rhythm::Any);
        assert_eq!(rhythm(4, [1]), Rhythm::Any);
        assert_eq!(rhythm(90, 30..90), Rhythm::Any);
    }

    #[test]
    fn any_times_at_all_do_no_harm() {
        let seen = History {
            first: Timestamp(i64::MIN),
            last: Timestamp(i64::MAX),
            active: Activity::AT_FIRST,
        };
        let span = Span {
            start: Timestamp(i64::MIN),
            end: Timestamp(i64::MAX),
        };
        assert_eq!(Rhythm::of(&seen, span), Rhythm::Any);
    }
}
