//! Objects in S3, and in what speaks its language.
//!
//! [`find`] lists what an address names, left out what its key rules out;
//! [`Remote`] is one object of it, to be had whole or in parts; [`ahead`] has
//! the next ones on the way while others are worked on. Whatever is handed out
//! was first received in full and checked: its length against the listing, and
//! its MD5 where the `ETag` is one. So a connection that drops costs a request,
//! never a record that is counted twice.
//!
//! Objects of flow logs are some megabytes, at most 75 or so: they are taken
//! whole. Larger ones come in parts, each of which is received in full before
//! its first byte is used.
//!
//! [`shelf`] is the one place that is written to: a folder for a digest.

mod ahead;
mod bucket;
mod complete;
mod fetch;
mod list;
mod parts;
pub(crate) mod shelf;

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::cloud::Access;
use crate::cloud::error::CloudError;
use crate::cloud::session::Session;
use crate::source::error::SourceError;
use crate::source::key::Wanted;
use crate::source::s3::bucket::Bucket;

pub(super) use crate::source::s3::ahead::Ahead;
pub(super) use crate::source::s3::ahead::start as ahead;
pub(super) use crate::source::s3::fetch::Body;
pub(super) use crate::source::s3::fetch::Remote;

/// How an address in S3 begins.
pub(super) const SCHEME: &str = "s3://";

/// Requests that are under way at once.
const AT_ONCE: usize = 32;

/// What all objects of a run share.
#[derive(Debug)]
struct Lake {
    session: Session,
    access: Access,
    /// Requests that may still be started.
    slots: Arc<Semaphore>,
}

/// Opens addresses in S3; what is shared begins with the first.
#[derive(Debug, Default)]
pub(super) struct Finder {
    lake: Option<Arc<Lake>>,
}

impl Finder {
    /// The objects that an address names and whose keys allow that they hold
    /// what is wanted, each once, in the order of their keys.
    pub(super) fn find(
        &mut self,
        address: &str,
        access: &Access,
        wanted: Wanted,
    ) -> Result<Vec<Remote>, SourceError> {
        let (bucket, prefix) = parse(address)?;
        let failed = |cause| SourceError::Cloud {
            input: address.to_owned(),
            cause,
        };
        let lake = self.lake(access).map_err(failed)?;
        let session = &lake.session;
        let found = session.wait(async {
            let bucket = Bucket::open(Arc::clone(&lake), bucket, prefix).await?;
            list::list(&Arc::new(bucket), prefix, wanted).await
        });
        let found = found.unwrap_or_else(|| Ok(list::Listing::default()));
        let listing = found.map_err(|fault| failed(CloudError::Refused(fault.text)))?;
        if listing.seen == 0 {
            return Err(SourceError::EmptyPrefix(address.to_owned()));
        }
        Ok(listing.objects)
    }

    fn lake(&mut self, access: &Access) -> Result<Arc<Lake>, CloudError> {
        if let Some(lake) = &self.lake {
            return Ok(Arc::clone(lake));
        }
        let lake = Arc::new(Lake {
            session: Session::open(access)?,
            access: access.clone(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        });
        self.lake = Some(Arc::clone(&lake));
        Ok(lake)
    }
}

/// `s3://bucket/prefix` as bucket and prefix.
fn parse(address: &str) -> Result<(&str, &str), SourceError> {
    let rest = address.strip_prefix(SCHEME).unwrap_or_default();
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() {
        return Err(SourceError::BadAddress(address.to_owned()));
    }
    Ok((bucket, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_bucket_and_a_prefix() {
        for (address, bucket, prefix) in [
            ("s3://logs", "logs", ""),
            ("s3://logs/", "logs", ""),
            ("s3://logs/a/b", "logs", "a/b"),
            ("s3://logs/a//b/", "logs", "a//b/"),
        ] {
            assert_eq!(parse(address).unwrap(), (bucket, prefix));
        }
        for address in ["s3://", "s3:///a"] {
            assert!(parse(address).is_err());
        }
    }
}
