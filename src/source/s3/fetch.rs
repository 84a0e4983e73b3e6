//! One object, received in full and checked before a byte of it is used.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use md5::Digest;
use md5::Md5;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::oneshot;

use crate::cloud::patience;
use crate::cloud::patience::Fault;
use crate::source::error::ReadErrorKind;
use crate::source::s3::bucket;
use crate::source::s3::bucket::Bucket;
use crate::source::s3::parts::Parts;

/// An object as it was listed.
#[derive(Clone)]
pub(in crate::source) struct Remote {
    bucket: Arc<Bucket>,
    key: String,
    size: u64,
    /// As the server writes it, quotes included.
    etag: Option<String>,
    /// Where its body will come, if it was asked for ahead.
    coming: Arc<Mutex<Option<Coming>>>,
}

/// A body that is on its way.
pub(super) type Coming = oneshot::Receiver<Result<Body, Fault>>;

/// A body in full. The room that it takes is given back when it is dropped.
#[derive(Debug)]
pub(in crate::source) struct Body {
    /// Its bytes.
    pub(in crate::source) bytes: Vec<u8>,
    /// Gives its room back.
    _room: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// The same, with the room that it takes.
    pub(super) fn within(self, room: OwnedSemaphorePermit) -> Body {
        Body {
            bytes: self.bytes,
            _room: Some(room),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.name())
            .field("size", &self.size)
            .field("etag", &self.etag)
            .finish_non_exhaustive()
    }
}

impl Remote {
    pub(super) fn new(bucket: &Arc<Bucket>, key: &str, size: u64, etag: Option<&str>) -> Remote {
        Remote {
            bucket: Arc::clone(bucket),
            key: key.to_owned(),
            size,
            etag: etag.map(str::to_owned),
            coming: Arc::default(),
        }
    }

    /// Its name as a user would type it.
    pub(in crate::source) fn name(&self) -> String {
        format!("s3://{}/{}", self.bucket.name, self.key)
    }

    /// Bytes, as listed.
    pub(in crate::source) fn size(&self) -> u64 {
        self.size
    }

    /// Its `ETag` without quotes: another one means other bytes.
    pub(in crate::source) fn etag(&self) -> Option<&str> {
        self.etag.as_deref().map(unquoted)
    }

    /// Reads it part by part, however large it is.
    pub(in crate::source) fn parts(&self) -> Parts {
        Parts::new(self)
    }

    /// Its bytes: those that were asked for ahead, or else fetched now.
    pub(in crate::source) fn take(&self) -> Result<Body, ReadErrorKind> {
        let coming = self.lock().take();
        let session = &self.bucket.lake.session;
        let answer = session.wait(async {
            match coming {
                // Where it was called off, it is fetched after all.
                Some(coming) => match coming.await {
                    Ok(body) => body,
                    Err(_) => self.fetch().await,
                },
                None => self.fetch().await,
            }
        });
        answer
            .unwrap_or_else(|| Err(Fault::lasting("the run has ended")))
            .map_err(|fault| ReadErrorKind::Fetch(fault.text))
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Option<Coming>> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn bucket(&self) -> &Arc<Bucket> {
        &self.bucket
    }

    /// All of its bytes.
    pub(super) async fn fetch(&self) -> Result<Body, Fault> {
        let bytes = self.fetch_range(0..self.size).await?;
        Ok(Body { bytes, _room: None })
    }

    /// Some of its bytes; all of them are checked against the `ETag`.
    pub(super) async fn fetch_range(&self, range: Range<u64>) -> Result<Vec<u8>, Fault> {
        let mut tries = self.bucket.lake.session.patience.tries();
        let mut partial = Partial::new(range, self.size);
        loop {
            let fault = match self.go_on(&mut partial).await {
                Ok(()) => return Ok(partial.bytes),
                Err(fault) => fault,
            };
            tries.bear(fault).await?;
        }
    }

    /// One attempt: asks for what is missing and takes what comes.
    async fn go_on(&self, partial: &mut Partial) -> Result<(), Fault> {
        if partial.range.is_empty() {
            return Ok(());
        }
        let patience = self.bucket.lake.session.patience;
        let answer = patience.within(self.request(partial)).await?;
        partial.accept(&answer)?;
        let etag = self.etag.as_deref().unwrap_or_default();
        let checkable = md5_of(&self.bucket, etag, &answer);
        let mut body = answer.body;
        loop {
            let chunk = patience.within(async { Ok(body.next().await) }).await?;
            match chunk {
                Some(Ok(chunk)) => partial.extend(&chunk)?,
                Some(Err(error)) => {
                    // What is complete and still wrong failed a checksum.
                    if partial.missing() == 0 {
                        partial.clear();
                    }
                    return Err(Fault::passing(format!(
                        "the answer broke off: {}",
                        patience::chain(&error)
                    )));
                }
                None => break,
            }
        }
        if partial.missing() > 0 {
            return Err(Fault::passing("the answer was too short"));
        }
        partial.check(checkable)
    }

    async fn request(&self, partial: &Partial) -> Result<GetObjectOutput, Fault> {
        let request = self.bucket.client.get_object();
        let request = request
            .bucket(&self.bucket.name)
            .key(&self.key)
            .set_if_match(self.etag.clone())
            .set_range(partial.header())
            .set_request_payer(self.bucket.payer());
        request.send().await.map_err(|error| bucket::fault(&error))
    }
}

/// The MD5 that the whole object must have, where its `ETag` is one: not of
/// uploads in parts (theirs has a dash), nor under keys of KMS, nor in
/// directory buckets (S3 user guide, "Checking object integrity").
pub(super) fn md5_of(bucket: &Bucket, etag: &str, answer: &GetObjectOutput) -> Option<u128> {
    let encryption = answer.server_side_encryption();
    let plain = encryption.is_none_or(|kind| kind.as_str() == "AES256");
    let own = answer.sse_customer_algorithm().is_none();
    let etag = unquoted(etag);
    let digits = etag.len() == 32 && !etag.starts_with('+');
    let everywhere = !bucket.name.ends_with("--x-s3");
    u128::from_str_radix(etag, 16)
        .ok()
        .filter(|_| digits && plain && own && everywhere)
}

fn unquoted(etag: &str) -> &str {
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.trim_matches('"')
}

/// What is there of a range.
struct Partial {
    range: Range<u64>,
    /// Whether the range is all of the object.
    all: bool,
    size: u64,
    bytes: Vec<u8>,
    md5: Md5,
}

impl Partial {
    fn new(range: Range<u64>, size: u64) -> Partial {
        let len = usize::try_from(range.end.saturating_sub(range.start));
        Partial {
            all: range.start == 0 && range.end == size,
            bytes: Vec::with_capacity(len.unwrap_or(0)),
            range,
            size,
            md5: Md5::new(),
        }
    }

    /// Offset of the next byte.
    fn at(&self) -> u64 {
        self.range.start.saturating_add(self.bytes.len() as u64)
    }

    fn missing(&self) -> u64 {
        self.range.end.saturating_sub(self.at())
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.md5 = Md5::new();
    }

    /// The header that asks for what is missing; none asks for all.
    fn header(&self) -> Option<String> {
        let last = self.range.end.saturating_sub(1);
        let whole = self.all && self.bytes.is_empty();
        (!whole).then(|| format!("bytes={}-{last}", self.at()))
    }

    /// Sees to it that what comes is what was asked for. A server may give all
    /// instead of a range; then one begins again.
    fn accept(&mut self, answer: &GetObjectOutput) -> Result<(), Fault> {
        let length = answer
            .content_length()
            .and_then(|length| u64::try_from(length).ok());
        match answer.content_range() {
            Some(range) => {
                let expected = format!("bytes {}-", self.at());
                if !range.starts_with(&expected) {
                    return Err(Fault::passing(
                        "the answer is another range than was asked for",
                    ));
                }
            }
            None if self.all => self.clear(),
            None => return Err(Fault::lasting("the server gives no parts of objects")),
        }
        if length.is_some_and(|length| length != self.missing()) {
            let found = self.at().saturating_add(length.unwrap_or(0));
            let text = format!("it is {found} bytes long and was listed as {}", self.size);
            return Err(Fault::passing(text));
        }
        Ok(())
    }

    fn extend(&mut self, chunk: &[u8]) -> Result<(), Fault> {
        if chunk.len() as u64 > self.missing() {
            self.clear();
            return Err(Fault::passing("the answer was too long"));
        }
        self.bytes.extend_from_slice(chunk);
        if self.all {
            self.md5.update(chunk);
        }
        Ok(())
    }

    /// Compares what came with what the `ETag` says; begins again where it is
    /// something else.
    fn check(&mut self, expected: Option<u128>) -> Result<(), Fault> {
        let Some(expected) = expected.filter(|_| self.all) else {
            return Ok(());
        };
        let found = self.md5.finalize_reset();
        if u128::from_be_bytes(found.into()) == expected {
            return Ok(());
        }
        self.clear();
        Err(Fault::passing("its bytes do not fit its ETag"))
    }
}

impl PartialEq for Remote {
    fn eq(&self, other: &Remote) -> bool {
        (&self.bucket.name, &self.key) == (&other.bucket.name, &other.key)
    }
}

impl Eq for Remote {}
