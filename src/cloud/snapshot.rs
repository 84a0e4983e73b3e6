//! A snapshot of the rules and all that gives them meaning, taken through the
//! EC2 API: a dated folder of what `aws ec2 describe-…` would have printed.

use std::path::PathBuf;

use crate::cloud::access::Access;
use crate::cloud::error::CloudError;
use crate::net::Timestamp;

/// What to take, and where to put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Folder that gets the dated one.
    pub out: PathBuf,
    /// Regions; none takes that of the profile or the environment.
    pub regions: Vec<String>,
    /// Profiles, one for each account; none takes that of the environment.
    pub profiles: Vec<String>,
    /// How to come to the cloud; its own profile and Region do not count.
    pub access: Access,
    /// The time that the snapshot is dated by.
    pub at: Timestamp,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The dated folder.
    pub folder: PathBuf,
    /// Accounts and Regions.
    pub places: usize,
    /// Files written, the date aside.
    pub files: usize,
    /// What could not be had.
    pub missing: Vec<Missing>,
}

/// A call without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Account and Region.
    pub place: String,
    /// The call, as the AWS CLI spells it.
    pub call: String,
    /// Why.
    pub reason: String,
    /// Whether the other side does not know the call at all.
    pub unknown_there: bool,
}

/// Takes a snapshot and writes it. The folder appears at once and in full, or
/// not at all.
///
/// # Errors
/// Where no Region is known, groups or interfaces cannot be had, or a file
/// cannot be written.
#[cfg(feature = "s3")]
pub fn take(order: &Order) -> Result<Taken, CloudError> {
    crate::cloud::collect::take(order)
}

/// Takes no snapshot: this build cannot.
///
/// # Errors
/// Always.
#[cfg(not(feature = "s3"))]
pub fn take(_: &Order) -> Result<Taken, CloudError> {
    Err(CloudError::NotBuiltIn)
}
