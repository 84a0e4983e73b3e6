//! What a proposal of the past would have broken since, as others read it:
//! `proposals[].backtest` of `analysis.json`.

use serde::Deserialize;
use serde::Serialize;

use crate::net::Timestamp;

/// Rules made from the first two thirds of the window, tried on the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BacktestReport {
    /// Until when the rules knew what was seen.
    pub trained_until: Timestamp,
    /// Until when they were tried.
    pub tried_until: Timestamp,
    /// Kinds of connections (protocol, service, far side) known by then.
    pub known: u64,
    /// Kinds first seen after.
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
    pub learning: Vec<LearnedReport>,
    /// New kinds to expect on the next day (Good-Turing: those seen on one day
    /// alone, over the days).
    pub expected_new_per_day: f64,
    /// New far sides to expect on the next day.
    pub expected_new_peers_per_day: f64,
    /// Prefixes that would have carried what broke.
    pub advice: Option<AdviceReport>,
}

/// How much was known after a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedReport {
    /// Start of the day.
    pub day: Timestamp,
    /// Kinds of connections known when it ended.
    pub known: u64,
}

/// Prefixes that would have carried what broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdviceReport {
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// Length of the prefixes; `None` where today's ranges are better kept.
    pub prefix_length: Option<u8>,
    /// How many of what broke they would have carried.
    pub carried: u64,
    /// How many broke in the family.
    pub of: u64,
}
