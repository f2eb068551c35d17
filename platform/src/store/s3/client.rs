//! Builds the client: credentials by the standard chain, region, endpoint, retries, time-outs. The only place here that
//! knows how AWS is configured.

use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, imds};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::interceptors::InterceptorContext;
use aws_sdk_s3::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_s3::config::{Builder, ResponseChecksumValidation};

use super::S3Settings;
use super::failure::{SIGNED_TOO_LONG_AGO, is_web_page};

/// What S3-compatible services call their region by default.
const REGION_DEFAULT: &str = "us-east-1";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One try of the metadata service: a machine in no cloud must not wait for it.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

pub(super) async fn build(settings: &S3Settings) -> Client {
    let metadata = || {
        let timed = imds::Client::builder().connect_timeout(METADATA_TIMEOUT).read_timeout(METADATA_TIMEOUT);
        timed.max_attempts(2).build()
    };
    let region = || region(settings, metadata());
    let credentials = match &settings.credentials {
        Some((key, secret)) => {
            SharedCredentialsProvider::new(Credentials::new(key, secret.expose(), None, None, "store.s3.access_key_id"))
        }
        None => {
            let chain = DefaultCredentialsChain::builder().region(region()).imds_client(metadata());
            SharedCredentialsProvider::new(chain.build().await)
        }
    };
    let retries = RetryConfig::standard()
        .with_max_attempts(settings.attempts_max)
        .with_initial_backoff(BACKOFF_FIRST)
        .with_max_backoff(BACKOFF_MAX);
    // A request ends, whatever happens: all its attempts, and the waiting between them.
    let all_attempts = (settings.attempt_timeout + BACKOFF_MAX).saturating_mul(settings.attempts_max);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(settings.attempt_timeout)
        .operation_timeout(all_attempts)
        .build();
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region())
        .credentials_provider(credentials)
        .retry_config(retries)
        .timeout_config(timeouts);
    let mut config = Builder::from(&loader.load().await)
        .force_path_style(settings.path_style)
        .retry_classifier(OddAnswers)
        // Where an object is read as a whole its checksum is asked for; what is read in ranges is compared with our own digests.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(endpoint) = &settings.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

/// What the SDK's own rules get wrong: a request that was signed too long ago is signed again (the SDK does it only when the
/// clocks differ, and a machine may have slept), and a web page stays one.
#[derive(Debug)]
struct OddAnswers;

impl ClassifyRetry for OddAnswers {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let (Some(response), Some(Err(_))) = (context.response(), context.output_or_error()) else {
            return RetryAction::NoActionIndicated;
        };
        let body = || response.body().bytes().map(String::from_utf8_lossy).unwrap_or_default();
        match response.status().as_u16() {
            200 if is_web_page(response) => RetryAction::RetryForbidden,
            403 if body().contains(SIGNED_TOO_LONG_AGO) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "odd answers"
    }
}

/// The instance is asked last, and only on AWS.
fn region(settings: &S3Settings, metadata: imds::Client) -> RegionProviderChain {
    let chain = RegionProviderChain::first_try(settings.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    match settings.endpoint {
        Some(_) => chain.or_else(REGION_DEFAULT),
        None => chain.or_else(ImdsRegionProvider::builder().imds_client(metadata).build()).or_else(REGION_DEFAULT),
    }
}
