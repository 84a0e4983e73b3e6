//! One bucket, spoken to in its own Region.

use std::fmt;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Region;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Error;
use aws_sdk_s3::types::RequestPayer;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::cloud::patience;
use crate::cloud::patience::Fault;
use crate::source::s3::Lake;

/// Where a bucket says which Region it is in.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// The Region that is asked first where none is known.
const FIRST_REGION: &str = "us-east-1";

/// A bucket and how to ask it.
pub(super) struct Bucket {
    /// What its objects share with others.
    pub(super) lake: Arc<Lake>,
    /// Its name.
    pub(super) name: String,
    /// Speaks to it in its Region.
    pub(super) client: Client,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Bucket {
    /// Finds the bucket's Region by asking it for one key.
    pub(super) async fn open(lake: Arc<Lake>, name: &str, prefix: &str) -> Result<Bucket, Fault> {
        let mut bucket = Bucket {
            client: client(&lake, None),
            lake,
            name: name.to_owned(),
        };
        if let Some(region) = bucket.elsewhere(prefix).await? {
            bucket.client = client(&bucket.lake, Some(region));
            if let Some(region) = bucket.elsewhere(prefix).await? {
                let text = format!("the bucket is said to be in {region}, and is not found there");
                return Err(Fault::lasting(text));
            }
        }
        Ok(bucket)
    }

    /// Who pays for requests.
    pub(super) fn payer(&self) -> Option<RequestPayer> {
        let pays = self.lake.access.requester_pays;
        pays.then_some(RequestPayer::Requester)
    }

    /// The Region that the bucket names, if it is not the one asked.
    async fn elsewhere(&self, prefix: &str) -> Result<Option<String>, Fault> {
        let patience = self.lake.session.patience;
        patience
            .ask(|| async {
                let request = self.client.list_objects_v2();
                let request = request.bucket(&self.name).prefix(prefix).max_keys(1);
                match request.set_request_payer(self.payer()).send().await {
                    Ok(_) => Ok(None),
                    Err(error) => match self.redirect(&error) {
                        Some(region) => Ok(Some(region)),
                        None => Err(fault(&error)),
                    },
                }
            })
            .await
    }

    fn redirect(&self, error: &SdkError<ListObjectsV2Error, HttpResponse>) -> Option<String> {
        let region = error.raw_response()?.headers().get(REGION_HEADER)?;
        let asked = self.client.config().region().map(Region::as_ref);
        (asked != Some(region)).then(|| region.to_owned())
    }
}

fn client(lake: &Lake, region: Option<String>) -> Client {
    let config = lake.session.config();
    let mut builder = aws_sdk_s3::config::Builder::from(config);
    if let Some(region) = region {
        builder = builder.region(Region::new(region));
    } else if config.region().is_none() {
        builder = builder.region(Region::from_static(FIRST_REGION));
    }
    // Other servers have one name for all buckets, Alibaba Cloud's OSS aside,
    // which refuses that.
    let endpoint = lake.access.endpoint_url.as_deref();
    let endpoint = endpoint.or_else(|| config.endpoint_url());
    builder = builder.force_path_style(endpoint.is_some_and(|url| !names_buckets(url)));
    if let Some(url) = &lake.access.endpoint_url {
        builder = builder.endpoint_url(url);
    }
    Client::from_conf(builder.build())
}

/// Whether an endpoint has a name for each bucket: those of Alibaba Cloud's OSS
/// (OSS, "Compatibility with Amazon S3": virtual-hosted style only).
fn names_buckets(endpoint: &str) -> bool {
    let host = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, host)| host);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    host.ends_with(".aliyuncs.com")
}

/// What went wrong, and whether it may pass.
pub(super) fn fault<E>(error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        let (status, said) = (answer.raw().status().as_u16(), answer.err());
        let code = said.code().unwrap_or_default();
        let mut fault = Fault::answered(status, code, said.message().unwrap_or_default());
        fault.text.push_str(advice(status, code));
        return fault;
    }
    let text = patience::chain(error);
    // An answer that is none, as when it was cut, or that never came.
    let none = matches!(
        error,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_)
    );
    let dropped = if let SdkError::DispatchFailure(failure) = error {
        failure.is_io() || failure.is_timeout()
    } else {
        none
    };
    if dropped {
        Fault::passing(text)
    } else {
        Fault::lasting(text)
    }
}

/// What to do about an answer.
fn advice(status: u16, code: &str) -> &'static str {
    match (status, code) {
        (_, "NoSuchBucket") => "; there is no such bucket, or not for this account",
        (_, "InvalidObjectState") => "; the object is archived: restore it first",
        (412, _) => "; it was replaced since it was listed: run again",
        (403, _) => {
            "; the credentials need s3:ListBucket on the bucket and s3:GetObject on its objects, \
             and --request-payer where the requester pays"
        }
        _ => "",
    }
}
