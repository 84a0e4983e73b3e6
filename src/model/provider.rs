//! Which cloud a snapshot describes. What differs between clouds is said by the
//! nouns themselves (ranks, defaults, policies); the name of the cloud is for
//! what speaks to people and to its tools.

use serde::Deserialize;
use serde::Serialize;

/// A cloud.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    #[default]
    Aws,
    /// Alibaba Cloud.
    Alibaba,
}
