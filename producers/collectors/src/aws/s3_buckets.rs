//! Buckets with region and lifecycle rules. Records what the API answered, also when it refused.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::types::{ExpirationStatus, LifecycleRule};
use inventories::collected::{Collected, CollectionReport, Unavailable};
use inventories::kind::Inventory;
use inventories::s3::{Bucket, Lifecycle, S3Inventory};

use super::s3::{Answer, Buckets};
use super::{Aws, ask};
use crate::aws_client::api_error::{Meaning, describe, meaning};
use crate::collector::{Collect, CollectorRegistration};

inventory::submit! {
    CollectorRegistration {
        id: "aws.s3.buckets",
        fills: S3Inventory::KIND,
        what: "buckets of the account with region and lifecycle rules",
        actions: &["s3:ListAllMyBuckets", "s3:GetBucketLocation", "s3:GetLifecycleConfiguration"],
        collect: Collect::Account(|task| ask(task, collect)),
    }
}

async fn collect(aws: Aws) -> Result<Collected, Unavailable> {
    let mut report = CollectionReport::default();
    let listed = Buckets::list(&aws, &mut report).await?;
    let lifecycles = listed.ask(&mut report, lifecycle).await;
    let bucket = |(name, lifecycle): (String, Option<Lifecycle>)| {
        let region = listed.regions.get(&name).cloned().unwrap_or_default();
        Some(Bucket { name, region, lifecycle: lifecycle? })
    };
    let buckets = lifecycles.into_iter().filter_map(bucket).collect();
    Ok(Collected::new(S3Inventory { buckets }, report))
}

/// The bucket's lifecycle rules; `None` when the bucket was deleted.
async fn lifecycle(client: Client, name: String) -> Answer<Option<Lifecycle>> {
    match client.get_bucket_lifecycle_configuration().bucket(name).send().await {
        Ok(answer) => {
            let enabled = || answer.rules().iter().filter(|rule| *rule.status() == ExpirationStatus::Enabled);
            let effective = enabled().filter(|rule| is_effective(rule)).count();
            Answer::of(Some(Lifecycle::Rules { enabled: enabled().count(), effective }))
        }
        Err(error) if error.code().is_some_and(|code| code.starts_with("NoSuchLifecycleConfiguration")) => {
            Answer::of(Some(Lifecycle::Missing))
        }
        Err(error) => {
            let meaning = meaning(error.code());
            let value = match meaning {
                Meaning::NotFound => None,
                Meaning::Denied => Some(Lifecycle::Denied),
                _ => Some(Lifecycle::Unknown(describe(&error))),
            };
            Answer::failed(value, "s3:GetLifecycleConfiguration", meaning)
        }
    }
}

/// Clearing up failed uploads neither moves nor expires an object.
fn is_effective(rule: &LifecycleRule) -> bool {
    rule.expiration().is_some()
        || rule.noncurrent_version_expiration().is_some()
        || !rule.transitions().is_empty()
        || !rule.noncurrent_version_transitions().is_empty()
}
