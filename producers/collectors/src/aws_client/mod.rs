//! Clients of AWS: the only place that builds them. Knows no collector.

pub mod api_error;
pub mod objects;
pub mod session;

use aws_config::{Region, SdkConfig};
use aws_sdk_s3::Client;

/// A client of S3, in a region of its own where one is named.
pub fn s3_client(config: &SdkConfig, region: Option<&String>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config);
    if let Some(region) = region {
        builder = builder.region(Region::new(region.clone()));
    }
    // Bucket names cannot be host names of an endpoint that is not Amazon's.
    builder = builder.force_path_style(config.endpoint_url().is_some());
    Client::from_conf(builder.build())
}
