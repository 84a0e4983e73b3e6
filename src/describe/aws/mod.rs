//! The answers of AWS: EC2's describe calls in any casing, and AWS Config.
//!
//! One file a kind of resource; each turns one JSON object into one noun of
//! the model and knows nothing of files, pages or duplicates.

pub(super) mod acls;
pub(super) mod answer;
pub(super) mod config;
pub(super) mod flow_logs;
pub(super) mod groups;
pub(super) mod interfaces;
pub(super) mod prefix_lists;
pub(super) mod rules;
pub(super) mod tags;
pub(super) mod transport;
pub(super) mod vpcs;
