//! Who one is, and the threads on which answers are waited for.
//!
//! Credentials, profiles, assumed roles, single sign-on and the Region come
//! from the standard chain of the SDK: environment, shared files, web
//! identity, container, instance.

use std::fmt;
use std::future::Future;
use std::num::NonZero;
use std::thread;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::ConnectorBuilder;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::runtime::Handle;
use tokio::runtime::Runtime;

use crate::cloud::access::Access;
use crate::cloud::error::CloudError;
use crate::cloud::patience::Patience;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(5);

/// Most threads that wait for answers; they also check and decrypt bodies.
const MOST_THREADS: usize = 8;

/// Somebody in a Region, with threads to wait on.
pub(crate) struct Session {
    runtime: Threads,
    config: SdkConfig,
    connector: Connector,
    endpoint: Option<String>,
    /// How long to wait.
    pub(crate) patience: Patience,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Starts the threads and reads the configuration. Credentials are looked
    /// for when they are first needed.
    pub(crate) fn open(access: &Access) -> Result<Session, CloudError> {
        let cores = thread::available_parallelism().map_or(2, NonZero::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(cores.div_ceil(2).clamp(1, MOST_THREADS))
            .thread_name("flowcinch-net")
            .enable_all()
            .build()
            .map_err(CloudError::Threads)?;
        let config = runtime.block_on(load(access));
        let endpoint = access.endpoint_url.as_deref().or(config.endpoint_url());
        Ok(Session {
            runtime: Threads(Some(runtime)),
            connector: connector().tls_provider(tls()).build(),
            endpoint: endpoint.map(str::to_owned),
            config,
            patience: Patience::of(access),
        })
    }

    /// The SDK's view of it.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Sends what the SDK has no client for.
    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    /// The server to ask instead of the cloud's own.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.endpoint.as_deref()
    }

    /// Where tasks are started.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.runtime.0.as_ref().map(Runtime::handle)
    }

    /// Waits for an answer. For threads outside of the session's own.
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> Option<T> {
        self.handle().map(|handle| handle.block_on(answer))
    }
}

/// Ends without waiting, wherever the last owner is: a runtime that is simply
/// dropped on a thread of its own would panic.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

async fn load(access: &Access) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(access.read_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(timeouts)
        // Own attempts count, for bodies too; the SDK's would multiply them.
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(profile) = &access.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &access.region {
        loader = loader.region(Region::new(region.clone()));
    }
    let config = loader.load().await;
    match &access.profile {
        Some(profile) => as_profile(config, profile),
        None => config,
    }
}

/// A profile that was asked for goes before credentials of the environment, as
/// with the AWS CLI; in the SDK's chain it would come after them.
fn as_profile(config: SdkConfig, profile: &str) -> SdkConfig {
    let provider = ProviderConfig::without_region()
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_region(config.region().cloned())
        .with_http_client(http_client());
    let provider = ProfileFileCredentialsProvider::builder()
        .configure(&provider)
        .profile_name(profile)
        .build();
    let provider = SharedCredentialsProvider::new(provider);
    let builder = config.into_builder();
    builder.credentials_provider(provider).build()
}

/// HTTPS by rustls and ring, trusting what the system trusts, through the
/// proxy that the environment names.
fn http_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mut connector = connector();
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.tls_provider(tls()).build()
    })
}

fn connector() -> ConnectorBuilder {
    Connector::builder().proxy_config(ProxyConfig::from_env())
}

fn tls() -> Provider {
    Provider::Rustls(CryptoMode::Ring)
}
