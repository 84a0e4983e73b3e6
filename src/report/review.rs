//! The findings of a run beside those of an earlier one, and beside what was
//! accepted: what is new, what stands as before, what is gone, and what a
//! pipeline should stop for.
//!
//! No clock is asked: an acceptance is judged at the end of the window, or on
//! the day that the caller names.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::net::Timestamp;
use crate::report::accepted::Acceptance;
use crate::report::document::Analysis;
use crate::report::listing;
use crate::report::listing::Listed;
use crate::report::listing::Severity;

/// A finding beside the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Not in the baseline.
    New,
    /// In the baseline as well.
    Unchanged,
}

impl State {
    /// In one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Unchanged => "unchanged",
        }
    }
}

/// A finding with what is known of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The finding.
    pub listed: Listed,
    /// How it stands to the baseline; `None` where none was given.
    pub state: Option<State>,
    /// The acceptance that holds for it.
    pub acceptance: Option<Acceptance>,
}

impl Entry {
    /// Whether a pipeline should stop for it: it is worse than worth knowing,
    /// it was not there before, and nobody answers for it.
    #[must_use]
    pub fn fails(&self) -> bool {
        let known = self.state == Some(State::Unchanged);
        self.listed.severity > Severity::Info && !known && self.acceptance.is_none()
    }
}

/// What a run is held against.
#[derive(Clone, Debug, Default)]
pub struct Against<'a> {
    /// An earlier analysis.
    pub baseline: Option<&'a Analysis>,
    /// What was accepted.
    pub accepted: &'a [Acceptance],
    /// The time at which acceptances are judged; the window's end where `None`.
    pub today: Option<Timestamp>,
}

/// The findings of a run with all that is known of them.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// The findings, worst first.
    pub entries: Vec<Entry>,
    /// Findings of the baseline that are gone.
    pub fixed: Vec<Listed>,
    /// Acceptances of findings that still stand, past their day.
    pub expired: Vec<Acceptance>,
    /// Acceptances of findings that are no longer there.
    pub idle: Vec<Acceptance>,
    /// Whether there was a baseline.
    pub compared: bool,
}

impl Review {
    /// Holds an analysis against a baseline and what was accepted.
    #[must_use]
    pub fn new(analysis: &Analysis, against: &Against<'_>) -> Review {
        let listed = listing::findings(analysis);
        let before = against.baseline.map(listing::findings).unwrap_or_default();
        let known: BTreeSet<&str> = before.iter().map(|one| one.id.as_str()).collect();
        let now: BTreeSet<String> = listed.iter().map(|one| one.id.clone()).collect();
        let time = against.today.or(analysis.window.map(|window| window.end));
        let holds = |one: &&Acceptance| time.is_none_or(|time| one.holds_at(time));
        let standing = |one: &&Acceptance| now.contains(&one.id);
        let mut accepted: BTreeMap<&str, &Acceptance> = against
            .accepted
            .iter()
            .filter(holds)
            .map(|one| (one.id.as_str(), one))
            .collect();
        let entry = |listed: Listed| Entry {
            state: against.baseline.map(|_| {
                if known.contains(listed.id.as_str()) {
                    State::Unchanged
                } else {
                    State::New
                }
            }),
            acceptance: accepted.remove(listed.id.as_str()).cloned(),
            listed,
        };
        Review {
            entries: listed.into_iter().map(entry).collect(),
            expired: against
                .accepted
                .iter()
                .filter(standing)
                .filter(|one| !holds(one))
                .cloned()
                .collect(),
            idle: against
                .accepted
                .iter()
                .filter(|one| !standing(one))
                .cloned()
                .collect(),
            compared: against.baseline.is_some(),
            fixed: before
                .into_iter()
                .filter(|one| !now.contains(&one.id))
                .collect(),
        }
    }

    /// The findings that a pipeline should stop for.
    pub fn failing(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.fails())
    }

    /// Whether there is anything to say beside the findings themselves.
    #[must_use]
    pub fn is_held_against(&self) -> bool {
        let accepted = self.entries.iter().any(|one| one.acceptance.is_some());
        self.compared || accepted || !self.expired.is_empty() || !self.idle.is_empty()
    }

    /// In one line: `3 new, 12 unchanged, 1 fixed; 2 accepted`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |state| {
            self.entries
                .iter()
                .filter(|entry| entry.state == Some(state))
                .count()
        };
        let accepted = self
            .entries
            .iter()
            .filter(|entry| entry.acceptance.is_some())
            .count();
        let mut parts = Vec::new();
        if self.compared {
            let (new, same) = (count(State::New), count(State::Unchanged));
            parts.push(format!(
                "{new} new, {same} unchanged, {} fixed",
                self.fixed.len()
            ));
        }
        if accepted > 0 {
            parts.push(format!("{accepted} accepted"));
        }
        for (list, what) in [(&self.expired, "past its day"), (&self.idle, "for nothing")] {
            if !list.is_empty() {
                parts.push(format!("{} accepted {what}", list.len()));
            }
        }
        let failing = self.failing().count();
        parts.push(format!("{failing} to answer for"));
        parts.join("; ")
    }
}
