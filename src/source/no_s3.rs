//! S3 in a build without it: addresses are told from paths, and refused.

use std::io::Empty;

use crate::cloud::Access;
use crate::cloud::CloudError;
use crate::source::error::ReadErrorKind;
use crate::source::error::SourceError;
use crate::source::key::Wanted;

/// How an address in S3 begins.
pub(super) const SCHEME: &str = "s3://";

/// Says that there is no S3 here.
#[derive(Debug, Default)]
pub(super) struct Finder(());

/// An object in S3: here there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Remote {}

/// Bytes of an object in S3.
#[derive(Debug)]
pub(super) struct Body {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
}

/// Fetching ahead.
#[derive(Debug)]
pub(super) enum Ahead {}

/// There is nothing to fetch.
pub(super) fn ahead(_: Vec<Remote>, _: usize) -> Option<Ahead> {
    None
}

impl Finder {
    /// Refuses the address.
    #[expect(clippy::unused_self, reason = "called as the one that can")]
    pub(super) fn find(
        &mut self,
        address: &str,
        _: &Access,
        _: Wanted,
    ) -> Result<Vec<Remote>, SourceError> {
        Err(SourceError::Cloud {
            input: address.to_owned(),
            cause: CloudError::NotBuiltIn,
        })
    }
}

impl Remote {
    pub(super) fn name(&self) -> String {
        match *self {}
    }

    pub(super) fn size(&self) -> u64 {
        match *self {}
    }

    pub(super) fn etag(&self) -> Option<&str> {
        match *self {}
    }

    pub(super) fn take(&self) -> Result<Body, ReadErrorKind> {
        match *self {}
    }

    pub(super) fn parts(&self) -> Empty {
        match *self {}
    }
}
