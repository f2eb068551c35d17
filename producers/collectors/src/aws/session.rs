//! Credentials and identity: what clients of all services are made of.

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
use aws_sdk_s3::error::DisplayErrorContext;
use inventories::bootstrap::Bootstrap;
use inventories::services::{Unavailable, UnavailableKind};

use super::api_error::{failed, unavailable};

/// Looking for credentials takes at most this long; a machine without any must not wait for a metadata service.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_millis(1_500);
/// One try of the metadata service.
const METADATA_TIMEOUT: Duration = Duration::from_millis(500);
/// Where to ask when nothing names a region; buckets are listed from any region.
const REGION_DEFAULT: &str = "us-east-1";

/// Region, credentials, retries and timeouts.
///
/// # Errors
/// There are no credentials (skipped), or they cannot be loaded (failed).
pub(super) async fn configure() -> Result<SdkConfig, Unavailable> {
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

/// Whose credentials they are.
///
/// # Errors
/// The credentials are not accepted (refused), or the API cannot be used (failed).
pub(super) async fn identity(config: &SdkConfig) -> Result<Bootstrap, Unavailable> {
    let answer = aws_sdk_sts::Client::new(config).get_caller_identity().send().await;
    let identity = answer.map_err(|error| unavailable("sts:GetCallerIdentity", &error))?;
    Ok(Bootstrap::from_caller_arn(identity.arn().unwrap_or_default()))
}

fn skipped(reason: &str) -> Unavailable {
    Unavailable::new(UnavailableKind::Skipped, reason)
}
