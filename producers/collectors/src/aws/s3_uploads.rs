//! Uploads in parts that were begun and neither completed nor aborted, bucket by bucket.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsError;
use inventories::collected::{Collected, CollectionReport, Unavailable};
use inventories::kind::Inventory;
use inventories::s3_uploads::{BucketUploads, S3Uploads};

use super::s3::{Answer, Buckets};
use super::{Aws, ask};
use crate::aws_client::api_error::{Meaning, describe, meaning};
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

/// Pages of uploads that are read of a bucket, each of 1,000. The API lists them by key, so the oldest may be on the last one: of a
/// bucket with more, the rest is a gap.
const PAGES_MAX: u64 = 20;

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
    let mut begun_ms: Vec<Option<i64>> = Vec::new();
    let (mut calls, mut next) = (0, (None, None));
    loop {
        let (key, upload) = next;
        let asked = client.list_multipart_uploads().bucket(&name).set_key_marker(key).set_upload_id_marker(upload);
        calls += 1;
        let page = match asked.send().await {
            Ok(page) => page,
            Err(error) => return refused(&error).after(calls),
        };
        begun_ms.extend(page.uploads().iter().map(|upload| upload.initiated()?.to_millis().ok()));
        // A server that says there is more, and not where, would be asked for the first page again.
        let is_last = page.next_key_marker().is_none() || calls == PAGES_MAX;
        let is_whole = page.is_truncated() != Some(true);
        if is_whole || is_last {
            begun_ms.sort_unstable();
            let looked_at = begun_ms.len();
            let answer = Answer::of(Uploads::Listed(begun_ms)).after(calls);
            let gap = || format!("only the first {looked_at} uploads were looked at");
            return if is_whole { answer } else { answer.with_gap(gap()) };
        }
        next = (page.next_key_marker, page.next_upload_id_marker);
    }
}

fn refused(error: &SdkError<ListMultipartUploadsError>) -> Answer<Uploads> {
    let meaning = meaning(error.code());
    let value = match meaning {
        Meaning::NotFound => Uploads::Deleted,
        Meaning::Denied => Uploads::Denied,
        _ => Uploads::Unknown(describe(error)),
    };
    Answer::failed(value, "s3:ListBucketMultipartUploads", meaning)
}
