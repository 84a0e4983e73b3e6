//! What is asked of one run, in typed form, and whom it tells how far it is.
//!
//! Everything here is a plain value that was checked when it was read: the
//! command line makes one, a test makes one as well, and neither needs the
//! other.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::attribute::initiator::Certainty;
use crate::attribute::needs::Keepers;
use crate::attribute::needs::Passed;
use crate::cloud::Access;
use crate::net::Timestamp;
use crate::tighten::Limits;

/// One end of the span of time that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// A point in time.
    At(Timestamp),
    /// So many seconds, at least 1, before the newest record.
    BeforeNewest {
        /// How many seconds.
        seconds: i64,
    },
}

/// How sure the initiator of a conversation must be before the other reading
/// is let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinConfidence {
    /// Only what the handshake or the rules prove.
    Certain,
    /// What many records agree on is enough.
    #[default]
    High,
}

impl MinConfidence {
    /// The same, as attribution says it.
    #[must_use]
    pub fn certainty(self) -> Certainty {
        match self {
            MinConfidence::Certain => Certainty::Certain,
            MinConfidence::High => Certainty::High,
        }
    }
}

/// Which accepted conversations a proposal must keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Obligations {
    /// Everything that was let through.
    #[default]
    All,
    /// Only what the other side answered; scans are let go.
    Answered,
}

impl Obligations {
    /// Those of them that must keep passing.
    #[must_use]
    pub fn kept(self, passed: &[Passed]) -> Cow<'_, [Passed]> {
        match self {
            Obligations::All => Cow::Borrowed(passed),
            Obligations::Answered => passed.iter().filter(|one| one.answered).cloned().collect(),
        }
    }
}

/// Which of the groups that cover a conversation must keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Assign {
    /// Each of them: every group stays right by itself.
    #[default]
    All,
    /// One of them: fewer rules, but groups then lean on each other.
    One,
}

impl Assign {
    /// The same, as the needs of groups are asked for.
    #[must_use]
    pub fn keepers(self) -> Keepers {
        match self {
            Assign::All => Keepers::All,
            Assign::One => Keepers::One,
        }
    }
}

/// One run of the analysis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Files, folders, glob patterns, addresses in S3, or `-` for standard input.
    pub logs: Vec<String>,
    /// How to come to S3.
    pub access: Access,
    /// Folders of digests, read beside the logs.
    pub digests: Vec<PathBuf>,
    /// Folders or JSON files, each one snapshot in time.
    pub snapshots: Vec<PathBuf>,
    /// Columns of logs without a header, parted by spaces.
    pub fields: Option<String>,
    /// Leave out records before this.
    pub since: Option<TimeBound>,
    /// Leave out records after this.
    pub until: Option<TimeBound>,
    /// Worker threads, at least 1; `None` takes one a core.
    pub threads: Option<usize>,
    /// Memory to stay within, in bytes; `None` leaves it to the program.
    pub memory: Option<u64>,
    /// Rules that a group may hold in one direction and address family.
    pub rule_quota: u32,
    /// The other numbers that proposals are made by.
    pub limits: Limits,
    /// How sure an initiator must be.
    pub min_confidence: MinConfidence,
    /// What proposals must keep.
    pub obligations: Obligations,
    /// Who must keep it.
    pub assign: Assign,
}

impl Request {
    /// Whether it names anything to read.
    #[must_use]
    pub fn names_logs(&self) -> bool {
        !(self.logs.is_empty() && self.digests.is_empty())
    }
}

/// Whom a run tells how far it is. Called from worker threads.
pub trait Progress: Sync {
    /// Reading starts: so many objects, so many bytes as stored where known.
    fn begin(&self, objects: u64, bytes: Option<u64>);
    /// So many more bytes as stored, and records, were read.
    fn advance(&self, compressed_bytes: u64, records: u64);
    /// One more object was read to its end.
    fn object_done(&self);
    /// The next part of the work starts.
    fn phase(&self, name: &str);
}
