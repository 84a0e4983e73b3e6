//! A folder in a bucket that is written as well as read, file by file: small
//! files, each whole or not there. What lies in it is up to `digest`.
//!
//! A write may be bound to a condition, which S3 checks in the same step
//! (`If-None-Match` and `If-Match` of `PutObject`): that is what locks are made
//! of. An answer that was lost and asked for again may find the condition broken
//! by its own first try; who writes under a condition must know its own bytes.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use md5::Digest;
use md5::Md5;

use crate::cloud::Access;
use crate::cloud::error::CloudError;
use crate::cloud::patience;
use crate::cloud::patience::Fault;
use crate::source::error::SourceError;
use crate::source::s3::Finder;
use crate::source::s3::bucket;
use crate::source::s3::bucket::Bucket;
use crate::source::s3::fetch;
use crate::source::s3::list;
use crate::source::s3::parse;

/// Bytes a second that a body is given time for, beyond the patience for an
/// answer.
const SLOWEST: usize = 64 * 1024;

/// A folder in a bucket.
#[derive(Clone)]
pub(crate) struct Shelf {
    bucket: Arc<Bucket>,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// When a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only<'a> {
    /// Whatever is there.
    Always,
    /// If nothing is there.
    IfAbsent,
    /// If what is there has this `ETag`.
    IfIs(&'a str),
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, with this `ETag`.
    Done(String),
    /// The condition did not hold.
    Refused,
}

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shelf").field(&self.place()).finish()
    }
}

impl Shelf {
    /// The folder at an address, which need not hold anything.
    pub(crate) fn open(address: &str, access: &Access) -> Result<Shelf, SourceError> {
        let (name, prefix) = parse(address)?;
        let failed = |cause| SourceError::Cloud {
            input: address.to_owned(),
            cause,
        };
        let lake = Finder::default().lake(access).map_err(failed)?;
        let opened = lake
            .session
            .wait(Bucket::open(Arc::clone(&lake), name, prefix));
        let bucket = opened.unwrap_or_else(|| Err(ended()));
        let bucket = bucket.map_err(|fault| failed(CloudError::Refused(fault.text)))?;
        let folder = prefix.trim_end_matches('/');
        Ok(Shelf {
            bucket: Arc::new(bucket),
            prefix: if folder.is_empty() {
                String::new()
            } else {
                format!("{folder}/")
            },
        })
    }

    /// Its address, as a user would type it.
    pub(crate) fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.prefix)
    }

    /// How long an answer may stay away.
    pub(crate) fn patience(&self) -> Duration {
        self.bucket.lake.session.patience.stall
    }

    /// Names of what lies directly in a folder, sorted.
    pub(crate) fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.names(folder, true)
    }

    /// Paths of the files below a folder, from it, sorted.
    pub(crate) fn below(&self, folder: &str) -> io::Result<Vec<String>> {
        self.names(folder, false)
    }

    /// A file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none.
    pub(crate) fn get(&self, path: &str) -> io::Result<Kept> {
        let kept = self.wait(|| self.fetch(path))?;
        kept.ok_or_else(|| io::Error::new(ErrorKind::NotFound, "there is no such object"))
    }

    /// Writes a file, whole or not at all.
    pub(crate) fn put(&self, path: &str, bytes: &[u8], only: Only<'_>) -> io::Result<Put> {
        self.wait(|| self.send(path, bytes, only))
    }

    /// Takes a file away; does nothing where it is gone.
    pub(crate) fn delete(&self, path: &str) -> io::Result<()> {
        let patience = self.bucket.lake.session.patience;
        self.wait(|| {
            patience.within(async {
                let request = self.bucket.client.delete_object();
                let request = request.bucket(&self.bucket.name).key(self.key(path));
                let request = request.set_request_payer(self.bucket.payer());
                let answer = request.send().await;
                answer.map(|_| ()).map_err(|error| fault(&error))
            })
        })
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn names(&self, folder: &str, folded: bool) -> io::Result<Vec<String>> {
        let prefix = match folder {
            "" => self.prefix.clone(),
            folder => format!("{}/", self.key(folder)),
        };
        let names = self.wait(|| self.pages(&prefix, folded))?;
        Ok(names.into_iter().collect())
    }

    async fn pages(&self, prefix: &str, folded: bool) -> Result<BTreeSet<String>, Fault> {
        let (mut names, mut token) = (BTreeSet::new(), None);
        let mut turns = list::Turns::default();
        loop {
            let page = list::page(&self.bucket, prefix, folded, token.as_deref()).await?;
            let keys = page.contents().iter().filter_map(|object| object.key());
            let folders = page.common_prefixes().iter();
            let folders = folders.filter_map(|folder| folder.prefix());
            let own = keys.chain(folders.map(|folder| folder.trim_end_matches('/')));
            let own = own.filter_map(|key| key.strip_prefix(prefix));
            names.extend(own.filter(|name| !name.is_empty()).map(str::to_owned));
            if page.is_truncated() != Some(true) {
                return Ok(names);
            }
            token = page.next_continuation_token().map(str::to_owned);
            turns.take(token.as_ref())?;
        }
    }

    /// One attempt to have a file; `None` where there is none.
    async fn fetch(&self, path: &str) -> Result<Option<Kept>, Fault> {
        let patience = self.bucket.lake.session.patience;
        let asked = patience.within(async {
            let request = self.bucket.client.get_object();
            let request = request.bucket(&self.bucket.name).key(self.key(path));
            match request.set_request_payer(self.bucket.payer()).send().await {
                Err(error) if is(&error, 404, "NoSuchKey") => Ok(None),
                answer => answer.map(Some).map_err(|error| fault(&error)),
            }
        });
        let Some(answer) = asked.await? else {
            return Ok(None);
        };
        self.body(answer).await.map(Some)
    }

    async fn body(&self, answer: GetObjectOutput) -> Result<Kept, Fault> {
        let patience = self.bucket.lake.session.patience;
        let length = answer
            .content_length()
            .and_then(|length| usize::try_from(length).ok());
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let expected = fetch::md5_of(&self.bucket, &etag, &answer);
        let (mut body, mut bytes) = (answer.body, Vec::new());
        while let Some(chunk) = patience.within(async { Ok(body.next().await) }).await? {
            let chunk = chunk.map_err(|error| {
                Fault::passing(format!("the answer broke off: {}", patience::chain(&error)))
            })?;
            bytes.extend_from_slice(&chunk);
        }
        if length.is_some_and(|length| length != bytes.len()) {
            return Err(Fault::passing("the answer was too short"));
        }
        let found = u128::from_be_bytes(Md5::digest(&bytes).into());
        if expected.is_some_and(|expected| expected != found) {
            return Err(Fault::passing("its bytes do not fit its ETag"));
        }
        Ok(Kept { bytes, etag })
    }

    /// One attempt to write a file.
    async fn send(&self, path: &str, bytes: &[u8], only: Only<'_>) -> Result<Put, Fault> {
        let seconds = u64::try_from(bytes.len() / SLOWEST).unwrap_or(u64::MAX);
        let most = self.patience().saturating_add(Duration::from_secs(seconds));
        let request = self.bucket.client.put_object();
        let request = request
            .bucket(&self.bucket.name)
            .key(self.key(path))
            .body(ByteStream::from(bytes.to_vec()))
            .set_request_payer(self.bucket.payer());
        let request = match only {
            Only::Always => request,
            Only::IfAbsent => request.if_none_match("*"),
            Only::IfIs(etag) => request.if_match(etag),
        };
        let answer = tokio::time::timeout(most, request.send()).await;
        let answer = answer.map_err(|_| Fault::passing("no answer to what was written"))?;
        match answer {
            Ok(put) => Ok(Put::Done(put.e_tag().unwrap_or_default().to_owned())),
            // A file that is to be unchanged and is gone is not unchanged.
            Err(error)
                if is(&error, 412, "PreconditionFailed")
                    || (only != Only::Always && is(&error, 404, "NoSuchKey")) =>
            {
                Ok(Put::Refused)
            }
            // Somebody else's write was under way at the same moment.
            Err(error) if is(&error, 409, "ConditionalRequestConflict") => {
                Err(Fault::passing("another write was under way"))
            }
            Err(error) => Err(fault(&error)),
        }
    }

    /// Asks until there is an answer, the trouble stays, or patience ends.
    fn wait<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        question: impl Fn() -> F,
    ) -> io::Result<T> {
        let session = &self.bucket.lake.session;
        let answer = session.wait(async {
            let mut tries = session.patience.tries();
            loop {
                match question().await {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => tries.bear(fault).await?,
                }
            }
        });
        let answer = answer.unwrap_or_else(|| Err(ended()));
        answer.map_err(|fault: Fault| io::Error::other(fault.text))
    }
}

fn ended() -> Fault {
    Fault::lasting("the run has ended")
}

fn fault<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let mut fault = bucket::fault(error);
    if is(error, 403, "AccessDenied") {
        fault.text.push_str(
            "; a digest is also written with s3:PutObject and s3:DeleteObject below its address",
        );
    }
    fault
}

/// Whether the server answered so.
fn is<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, status: u16, code: &str) -> bool {
    let SdkError::ServiceError(answer) = error else {
        return false;
    };
    let said = answer.err().code();
    answer.raw().status().as_u16() == status && said.is_none_or(|said| said == code)
}
