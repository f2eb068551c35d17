//! Credentials, identity and clients of an AWS run. The only place that builds AWS clients; the async runtime lives and
//! ends here.

use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig, imds};
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::api_error::{Meaning, describe, meaning};
use super::{S3Inventory, buckets};
use crate::bootstrap::Bootstrap;
use crate::services::{Unavailable, UnavailableKind};

/// Looking for credentials takes at most this long; a machine without any must not wait for a metadata service.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_millis(1_500);
/// One try of the metadata service.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Where to ask when nothing names a region; buckets are listed from any region.
const REGION_DEFAULT: &str = "us-east-1";

/// Identity of the credentials and the buckets of their account.
///
/// # Errors
/// There are no credentials (skipped), they are not accepted (refused), or the API cannot be used (failed).
pub fn collect(deadline: Duration) -> Result<(Bootstrap, S3Inventory), Unavailable> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| failed(format!("starting the AWS client: {e}")))?;
    let outcome = runtime.block_on(async { tokio::time::timeout(deadline, collect_all()).await });
    outcome.unwrap_or_else(|_| Err(failed(format!("not done within {} s", deadline.as_secs()))))
}

async fn collect_all() -> Result<(Bootstrap, S3Inventory), Unavailable> {
    let config = configure().await?;
    let bootstrap = identity(&config).await?;
    let mut inventory = S3Inventory {
        account_id: bootstrap.aws_account_id.clone().unwrap_or_default(),
        partition: bootstrap.aws_partition.clone().unwrap_or_else(|| "aws".to_owned()),
        api_calls: 1,
        ..S3Inventory::default()
    };
    buckets::collect(&config, &mut inventory).await?;
    Ok((bootstrap, inventory))
}

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
        return Err(skipped("no AWS credentials were found in time"));
    };
    if let Err(error) = found {
        return Err(match error {
            CredentialsError::CredentialsNotLoaded(_) => skipped("no AWS credentials are configured"),
            CredentialsError::ProviderTimedOut(_) => skipped("no AWS credentials were found in time"),
            // The chain's last resort. A machine in no cloud, or one whose metadata service is off, has no credentials.
            other if is_of_metadata_service(&other) => skipped("no AWS credentials are configured"),
            other => failed(format!("loading AWS credentials: {}", DisplayErrorContext(&other))),
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

async fn identity(config: &SdkConfig) -> Result<Bootstrap, Unavailable> {
    let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let identity = answer.map_err(|error| unavailable("sts:GetCallerIdentity", &error))?;
    Ok(Bootstrap::from_caller_arn(identity.arn().unwrap_or_default()))
}

/// The reason an operation that everything depends on gives.
pub(super) fn unavailable<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> Unavailable
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    SdkError<E, HttpResponse>: std::error::Error + ProvideErrorMetadata,
{
    let reason = format!("{operation}: {}", describe(error));
    match meaning(error.code()) {
        Meaning::Refused => Unavailable::new(UnavailableKind::Refused, reason),
        Meaning::Denied => Unavailable { denied_operations: vec![operation.to_owned()], ..failed(reason) },
        Meaning::Throttled => Unavailable { throttled_operations: vec![operation.to_owned()], ..failed(reason) },
        Meaning::NotFound | Meaning::Other => failed(reason),
    }
}

fn failed(reason: impl Into<String>) -> Unavailable {
    Unavailable::new(UnavailableKind::Failed, reason)
}

fn skipped(reason: &str) -> Unavailable {
    Unavailable::new(UnavailableKind::Skipped, reason)
}
