//! How to come to a cloud: what the user said of it beyond what the environment
//! and the profile files say.

use std::time::Duration;

/// Whom to ask, as whom, and with how much patience.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Another server than the cloud's own.
    pub endpoint_url: Option<String>,
    /// Profile of the shared configuration files; else that of the environment.
    pub profile: Option<String>,
    /// Region; else that of the profile or the environment.
    pub region: Option<String>,
    /// Whether the account that reads bears the costs of a bucket that asks so.
    pub requester_pays: bool,
    /// How often an answer is asked for, the first time included.
    pub max_attempts: u32,
    /// How long an answer may stay away, or pause.
    pub read_timeout: Duration,
}

/// Attempts unless said otherwise: throttling passes in some seconds.
pub const MAX_ATTEMPTS: u32 = 8;

/// Seconds to wait for an answer unless said otherwise.
pub const READ_TIMEOUT: u64 = 20;

impl Default for Access {
    fn default() -> Access {
        Access {
            endpoint_url: None,
            profile: None,
            region: None,
            requester_pays: false,
            max_attempts: MAX_ATTEMPTS,
            read_timeout: Duration::from_secs(READ_TIMEOUT),
        }
    }
}
