//! Digests in S3 in a build without it: refused.

use std::sync::Arc;

use crate::cloud::Access;
use crate::cloud::CloudError;
use crate::digest::error::DigestError;
use crate::digest::store::Store;
use crate::source::SourceError;

/// Says that there is no S3 here.
pub(super) fn open(address: &str, _: &Access) -> Result<Arc<dyn Store>, DigestError> {
    let refused = SourceError::Cloud {
        input: address.to_owned(),
        cause: CloudError::NotBuiltIn,
    };
    Err(refused.into())
}
