//! Uploads in parts that were begun and neither completed nor aborted, bucket by bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use inventories::collected::{Collected, CollectionReport, Unavailable};
use inventories::kind::Inventory;
use inventories::s3_uploads::{BucketUploads, S3Uploads};

use super::api_error::{Meaning, describe, meaning};
use super::s3::{Answer, Buckets};
use super::{Aws, ask};
use crate::collector::{Collect, CollectorRegistration};

inventory::submit! {
    CollectorRegistration {
        id: "aws.s3.uploads",
        fills: S3Uploads::KIND,
        what: "uploads in parts that were begun and neither completed nor aborted",
        actions: &["s3:ListAllMyBuckets", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
        collect: Collect::Account(|task| ask(task, collect)),
    }
}

/// The API lists uploads by key: the first page says that there are some, and how old these are. Of a bucket with more, the
/// others say the same.
const UPLOADS_MAX: i32 = 1_000;

async fn collect(aws: Aws) -> Result<Collected, Unavailable> {
    let mut report = CollectionReport::default();
    let listed = Buckets::list(&aws, &mut report).await?;
    let mut inventory = S3Uploads::default();
    for (name, uploads) in listed.ask(&mut report, uploads).await {
        match uploads {
            Uploads::Listed(begun_ms) => {
                let region = listed.regions.get(&name).cloned().unwrap_or_default();
                inventory.buckets.push(BucketUploads { name, region, begun_ms });
            }
            Uploads::Unknown(reason) => report.gaps.push(format!("bucket {name}: {reason}")),
            Uploads::Deleted | Uploads::Denied => {}
        }
    }
    Ok(Collected::new(inventory, report))
}

enum Uploads {
    Listed(Vec<Option<i64>>),
    Deleted,
    /// The operation is in the report.
    Denied,
    Unknown(String),
}

async fn uploads(client: Client, name: String) -> Answer<Uploads> {
    match client.list_multipart_uploads().bucket(name).max_uploads(UPLOADS_MAX).send().await {
        Ok(answer) => {
            let begun = answer.uploads().iter().map(|upload| upload.initiated()?.to_millis().ok());
            let mut begun_ms: Vec<Option<i64>> = begun.collect();
            begun_ms.sort_unstable();
            Answer::of(Uploads::Listed(begun_ms))
        }
        Err(error) => {
            let meaning = meaning(error.code());
            let value = match meaning {
                Meaning::NotFound => Uploads::Deleted,
                Meaning::Denied => Uploads::Denied,
                _ => Uploads::Unknown(describe(&error)),
            };
            Answer::failed(value, "s3:ListBucketMultipartUploads", meaning)
        }
    }
}
