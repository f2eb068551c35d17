//! Sessions: credentials, region and the async runtime, what clients of all services are made of.

use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig, imds};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::DisplayErrorContext;
use inventories::collected::{Unavailable, UnavailableKind};
use inventories::kind::GLOBAL;
use tokio::runtime::Runtime;

/// Looking for credentials takes at most this long; a machine without any must not wait for a metadata service.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_millis(1_500);
/// One try of the metadata service.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Where to ask when nothing names a region; buckets are listed from any region.
pub const REGION_DEFAULT: &str = "us-east-1";

/// Threads that drive the connections of all tasks: they wait, and compute next to nothing.
const RUNTIME_THREADS: usize = 2;

/// Credentials, and what drives the calls that are made with them.
pub struct Session {
    config: SdkConfig,
    runtime: SessionRuntime,
}

/// Ends without waiting: a name that is still being looked up must not hold the program.
struct SessionRuntime(Option<Runtime>);

impl Drop for SessionRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl SessionRuntime {
    fn new() -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Ok(Self(Some(builder.worker_threads(RUNTIME_THREADS).thread_name("aws").enable_all().build()?)))
    }

    fn run<T, E>(&self, deadline: Duration, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<Unavailable>,
    {
        let failed = |reason: String| Err(Unavailable::failed(reason).into());
        let Some(runtime) = &self.0 else { return failed("bug: the AWS client has ended".to_owned()) };
        let outcome = runtime.block_on(async { tokio::time::timeout(deadline, work).await });
        outcome.unwrap_or_else(|_| failed(format!("not done within {} s", deadline.as_secs())))
    }
}

impl Session {
    /// With the credentials in use; whose they are is not asked.
    ///
    /// # Errors
    /// There are no credentials, or they cannot be used.
    pub fn open(deadline: Duration) -> Result<Self, Unavailable> {
        let runtime =
            SessionRuntime::new().map_err(|error| Unavailable::failed(format!("starting the AWS client: {error}")))?;
        let config = runtime.run(deadline, configure())?;
        Ok(Self { config, runtime })
    }

    /// For clients in this region; in the configured one for what has no region.
    pub fn config_in(&self, region: &str) -> SdkConfig {
        match region {
            GLOBAL => self.config.clone(),
            region => self.config.to_builder().region(Region::new(region.to_owned())).build(),
        }
    }

    /// Runs calls to their end, at most for so long.
    pub fn run<T, E>(&self, deadline: Duration, calls: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<Unavailable>,
    {
        self.runtime.run(deadline, calls)
    }
}

/// Region, credentials, retries and timeouts.
///
/// # Errors
/// There are no credentials, or they cannot be loaded (refused).
async fn configure() -> Result<SdkConfig, Unavailable> {
    let region = || {
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(REGION_DEFAULT)
    };
    let metadata = imds::Client::builder()
        .max_attempts(1)
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .build();
    let load = async {
        let chain = DefaultCredentialsChain::builder().region(region()).imds_client(metadata).build().await;
        let found = chain.provide_credentials().await;
        (chain, found)
    };
    let Ok((chain, found)) = tokio::time::timeout(CREDENTIALS_TIMEOUT, load).await else {
        return Err(no_credentials("no AWS credentials were found in time"));
    };
    if let Err(error) = found {
        return Err(match error {
            CredentialsError::CredentialsNotLoaded(_) => no_credentials("no AWS credentials are configured"),
            CredentialsError::ProviderTimedOut(_) => no_credentials("no AWS credentials were found in time"),
            // The chain's last resort. A machine in no cloud, or one whose metadata service is off, has no credentials.
            other if is_of_metadata_service(&other) => no_credentials("no AWS credentials are configured"),
            other => {
                let reason = format!("loading AWS credentials: {}", DisplayErrorContext(&other));
                Unavailable::new(UnavailableKind::Refused, reason)
            }
        });
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(60))
        .operation_timeout(Duration::from_secs(120))
        .build();
    Ok(aws_config::defaults(BehaviorVersion::latest())
        .region(region())
        .credentials_provider(chain)
        .retry_config(RetryConfig::standard().with_max_attempts(10))
        .timeout_config(timeouts)
        .load()
        .await)
}

fn is_of_metadata_service(error: &CredentialsError) -> bool {
    error.source().is_some_and(|source| source.is::<imds::client::error::ImdsError>())
}

fn no_credentials(reason: &str) -> Unavailable {
    Unavailable::new(UnavailableKind::NoCredentials, reason)
}
