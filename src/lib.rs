//! flowcinch reads cloud VPC flow logs beside snapshots of security groups and
//! answers: which rules did nobody use, why was this traffic rejected, and what
//! is the smallest set of rules that still lets through what was needed.

pub mod attribute;
pub mod collections;
pub mod describe;
pub mod evidence;
pub mod flowlog;
pub mod model;
pub mod net;
pub mod pipeline;
pub mod report;
pub mod sample;
pub mod source;
pub mod tighten;
