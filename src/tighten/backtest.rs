//! What a proposal of the past would have broken since.
//!
//! The window is parted: rules are made from what was known after its first
//! two thirds, and what was first seen in the last third is replayed against
//! them. A kind of connection (protocol, service, far side) is known from the
//! day of its first record on, so no second reading is needed.
//!
//! What comes after the window is estimated as Good and Turing did: kinds seen
//! on one day alone, over the number of days, is how many unseen ones to expect
//! on the next day.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::attribute::needs::Need;
use crate::net::IpProtocol;
use crate::net::PortRange;
use crate::net::Span;
use crate::net::Timestamp;
use crate::net::cidr::Family;
use crate::net::time::DAY;
use crate::tighten::case::Case;
use crate::tighten::plan::Applicability;
use crate::tighten::plan::Proposal;
use crate::tighten::proof;
use crate::tighten::proof::Broken;
use crate::tighten::reasons::counted;

/// Days below which nothing is parted.
const FEWEST_DAYS: i64 = 3;

/// Prefixes that are tried for a family, the longest first.
const LENGTHS_V4: [u8; 6] = [30, 28, 26, 24, 20, 16];
const LENGTHS_V6: [u8; 4] = [64, 56, 52, 48];

/// A need with the time of its first and its last record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The need.
    pub need: Need,
    /// Its first record.
    pub first: Timestamp,
    /// Its last record.
    pub last: Timestamp,
}

/// What a back-test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Backtest {
    /// Until when the rules knew what was seen.
    pub trained_until: Timestamp,
    /// Until when they were tried.
    pub tried_until: Timestamp,
    /// Kinds of connections known when the rules were made.
    pub known: u64,
    /// Kinds that came after.
    pub new: u64,
    /// Of those, how many the rules would not have let through.
    pub broken: u64,
    /// Records of those.
    pub broken_records: u64,
    /// Far sides of those.
    pub broken_peers: u64,
    /// Services of those.
    pub broken_services: u64,
    /// Kinds known at the end of each day on which some were new.
    pub learning: Vec<Learned>,
    /// New kinds of connections to expect on the next day, in thousandths.
    pub expected_new: u64,
    /// New far sides to expect on the next day, in thousandths.
    pub expected_peers: u64,
    /// Prefixes that would have carried what broke.
    pub advice: Option<Advice>,
}

/// How much was known after a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Start of the day.
    pub day: Timestamp,
    /// Kinds of connections known when it ended.
    pub known: u64,
}

/// Prefixes that would have carried what broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advice {
    /// The family.
    pub family: Family,
    /// Length of the prefixes; `None` where none of those tried would do, and
    /// today's ranges are better kept.
    pub length: Option<u8>,
    /// How many of what broke they would have carried.
    pub carried: u64,
    /// How many broke in the family.
    pub of: u64,
}

/// Tries the rules that would have been made after two thirds of the window on
/// the rest of it. `propose` makes rules from needs. `None` where the window is
/// too short.
pub fn backtest(
    case: &Case<'_>,
    dated: &[Dated],
    span: Span,
    propose: impl Fn(&[Need]) -> Proposal,
) -> Option<Backtest> {
    let days = span.end.day() - span.start.day() + 1;
    if span.seconds() < FEWEST_DAYS * DAY {
        return None;
    }
    let trained_until = Timestamp(span.start.0 + span.seconds() * 2 / 3);
    let (known, new): (Vec<&Dated>, Vec<&Dated>) =
        dated.iter().partition(|one| one.first <= trained_until);
    let needs =
        |dated: &[&Dated]| -> Vec<Need> { dated.iter().map(|one| one.need.clone()).collect() };
    let (before, after) = (needs(&known), needs(&new));
    let broken = if after.is_empty() {
        Vec::new()
    } else {
        let proposal = propose(&before);
        proof::check_with(case.group, &proposal, &after, case.book).broken
    };
    let kinds = |one: &Dated| (one.need.protocol, one.need.service, one.need.peer);
    let peer = |one: &Dated| one.need.peer;
    let peers: BTreeSet<IpAddr> = broken.iter().map(|one| one.peer).collect();
    let services: BTreeSet<(IpProtocol, PortRange)> = broken
        .iter()
        .map(|one| (one.protocol, one.service))
        .collect();
    Some(Backtest {
        trained_until,
        tried_until: span.end,
        known: count(known.len()),
        new: count(new.len()),
        broken: count(broken.len()),
        broken_records: records(&after, &broken),
        broken_peers: count(peers.len()),
        broken_services: count(services.len()),
        learning: learning(dated),
        expected_new: expected(dated, days, kinds),
        expected_peers: expected(dated, days, peer),
        advice: advice(&before, &broken),
    })
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn records(needs: &[Need], broken: &[Broken]) -> u64 {
    let mut services: BTreeMap<(IpProtocol, IpAddr), Vec<PortRange>> = BTreeMap::new();
    for one in broken {
        services
            .entry((one.protocol, one.peer))
            .or_default()
            .push(one.service);
    }
    let is_lost = |need: &&Need| {
        let key = (need.protocol, need.peer);
        let parts = services.get(&key);
        parts.is_some_and(|parts| parts.iter().any(|part| part.overlaps(need.service)))
    };
    needs.iter().filter(is_lost).map(|need| need.records).sum()
}

fn learning(dated: &[Dated]) -> Vec<Learned> {
    let mut new: BTreeMap<i64, u64> = BTreeMap::new();
    for one in dated {
        *new.entry(one.first.day()).or_default() += 1;
    }
    let mut known = 0;
    new.into_iter()
        .map(|(day, new)| {
            known += new;
            Learned {
                day: Timestamp(day * DAY),
                known,
            }
        })
        .collect()
}

/// What was seen on one day alone, over the number of days, in thousandths.
fn expected<K: Ord>(dated: &[Dated], days: i64, kind: impl Fn(&Dated) -> K) -> u64 {
    let mut spans: BTreeMap<K, (i64, i64)> = BTreeMap::new();
    for one in dated {
        let (first, last) = (one.first.day(), one.last.day());
        let span = spans.entry(kind(one)).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
    }
    let once = spans.values().filter(|(first, last)| first == last).count();
    let days = u64::try_from(days).unwrap_or(1).max(1);
    count(once).saturating_mul(1_000) / days
}

/// The longest prefixes around what was known that hold nine in ten of what
/// broke in the family that broke most.
fn advice(known: &[Need], broken: &[Broken]) -> Option<Advice> {
    let of = |family| {
        broken
            .iter()
            .filter(move |one| Family::of(one.peer) == family)
    };
    let (v4, v6) = (of(Family::V4).count(), of(Family::V6).count());
    let family = if v4 >= v6 { Family::V4 } else { Family::V6 };
    let all = v4.max(v6);
    if all == 0 {
        return None;
    }
    let lengths: &[u8] = match family {
        Family::V4 => &LENGTHS_V4,
        Family::V6 => &LENGTHS_V6,
    };
    let carried = |length: u8| {
        let around = |address: IpAddr| IpNet::new(address, length).ok().map(|net| net.trunc());
        let mut known_services: BTreeMap<(IpProtocol, Option<IpNet>), Vec<PortRange>> =
            BTreeMap::new();
        for need in known.iter().filter(|need| Family::of(need.peer) == family) {
            let key = (need.protocol, around(need.peer));
            known_services.entry(key).or_default().push(need.service);
        }
        of(family)
            .filter(|one| {
                let services = known_services.get(&(one.protocol, around(one.peer)));
                services.is_some_and(|all| all.iter().any(|own| own.covers(one.service)))
            })
            .count()
    };
    let mut tried = lengths.iter().map(|length| (*length, carried(*length)));
    let found = tried.find(|(_, carried)| carried * 10 >= all * 9);
    Some(Advice {
        family,
        length: found.map(|(length, _)| length),
        carried: count(found.map_or(0, |(_, carried)| carried)),
        of: count(all),
    })
}

impl Backtest {
    /// How far a proposal may be trusted after this.
    #[must_use]
    pub fn most(&self) -> Applicability {
        if self.broken == 0 {
            Applicability::Apply
        } else if self.broken.saturating_mul(20) > self.known + self.new {
            Applicability::ReportOnly
        } else {
            Applicability::Review
        }
    }

    /// What it says, in one or two sentences.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let numbered = |number: u64, one, many| {
            counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
        };
        let per_day = |thousandths: u64| {
            let tenths = (thousandths + 50) / 100;
            format!("{}.{}", tenths / 10, tenths % 10)
        };
        let first = if self.new == 0 {
            format!(
                "back-test: nothing new came after {}; {} new far sides a day to be expected",
                self.trained_until,
                per_day(self.expected_peers)
            )
        } else {
            format!(
                "back-test: rules made on {} would have broken {} first seen since, of {}, from {}; {} new far sides a day to be expected",
                self.trained_until,
                numbered(self.broken, "kind of connections", "kinds of connections"),
                self.new,
                numbered(self.broken_peers, "far side", "far sides"),
                per_day(self.expected_peers)
            )
        };
        let mut sentences = vec![first];
        if let Some(advice) = &self.advice {
            sentences.push(match advice.length {
                Some(length) => format!(
                    "addresses rounded to /{length} would have carried {} of these {}: consider such prefixes in place of single addresses",
                    advice.carried, advice.of
                ),
                None => "no prefixes around the known far sides would have carried them: keep today's ranges until more was seen".to_owned(),
            });
        }
        sentences
    }
}
