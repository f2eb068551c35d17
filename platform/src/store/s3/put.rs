//! Objects written in one request, and the proof that the service keeps the conditions of such writes.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::bucket::{Bucket, Condition};
use crate::failpoint;
use crate::retry::Backoff;
use crate::store::{PutOutcome, ReplaceOutcome, Result, StoreError};

/// A tag that no object has: an MD5 of zeros.
const TAG_OF_NONE: &str = "\"00000000000000000000000000000000\"";
/// Attempts when conditional writes of one object meet.
pub(super) const CONFLICT_ATTEMPTS_MAX: u32 = 8;

pub(super) fn conflict_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2))
}

/// Creates an object unless there is one. Of an attempt whose answer was lost the next one says "taken": whose write is
/// there tells the write's id.
pub(super) async fn create(bucket: &Bucket, path: &str, bytes: Bytes) -> Result<PutOutcome> {
    let is_ours = put_on(bucket, path, bytes, Condition::Absent, "writing").await?;
    Ok(if is_ours { PutOutcome::Created } else { PutOutcome::Exists })
}

/// Replaces an object that has this tag, or creates it when no tag is expected.
pub(super) async fn replace_expected(
    bucket: &Bucket,
    path: &str,
    bytes: Bytes,
    tag: Option<&str>,
) -> Result<ReplaceOutcome> {
    let condition = tag.map_or(Condition::Absent, Condition::Tag);
    let is_ours = put_on(bucket, path, bytes, condition, "replacing").await?;
    Ok(if is_ours { ReplaceOutcome::Replaced } else { ReplaceOutcome::Conflict })
}

/// Writes an object on a condition; false when another write is there.
async fn put_on(
    bucket: &Bucket,
    path: &str,
    bytes: Bytes,
    condition: Condition<'_>,
    doing: &'static str,
) -> Result<bool> {
    let write_id = new_write_id();
    let mut backoff = conflict_backoff();
    failpoint::hit!("store.s3.put.begin");
    loop {
        match bucket.put(path, bytes.clone(), &write_id, condition).await {
            Ok(()) => {
                failpoint::hit!("store.s3.put.done");
                return Ok(true);
            }
            Err(failure) if failure.is_taken() => {
                let found = bucket.head_settled(path).await?;
                return Ok(found.is_some_and(|found| found.write_id.as_ref() == Some(&write_id)));
            }
            // 404: the object that should have a tag is absent.
            Err(failure) if failure.is_absent() => return Ok(false),
            Err(failure) if failure.is_conflict() && backoff.attempts() < CONFLICT_ATTEMPTS_MAX => {
                tokio::time::sleep(backoff.next_delay()).await;
            }
            Err(failure) => return Err(failure.into_error(doing, bucket.show(path))),
        }
    }
}

/// Creates or replaces an object.
pub(super) async fn replace(bucket: &Bucket, path: &str, bytes: Bytes) -> Result<()> {
    failpoint::hit!("store.s3.put.begin");
    let put = bucket.put(path, bytes, &new_write_id(), Condition::Always).await;
    put.map_err(|failure| failure.into_error("writing", bucket.show(path)))?;
    failpoint::hit!("store.s3.put.done");
    Ok(())
}

/// Writes an object that is there, with the bytes it has, on two conditions that do not hold: both must be refused.
/// Otherwise two writers could overwrite each other's commits and manifests, and no process would notice.
pub(super) async fn prove_conditions(bucket: &Bucket, present: &str, bytes: Bytes, endpoint: &str) -> Result<()> {
    let absent = (Condition::Absent, "proving put-if-absent in", "let an object be created twice", "If-None-Match: *");
    let tag = (
        Condition::Tag(TAG_OF_NONE),
        "proving conditional replace in",
        "replaced an object that is not the expected one",
        "If-Match",
    );
    for (condition, doing, did, ignored) in [absent, tag] {
        match bucket.put(present, bytes.clone(), &new_write_id(), condition).await {
            Err(failure) if failure.is_taken() => {}
            Err(failure) => return Err(failure.into_error(doing, bucket.url())),
            Ok(()) => {
                let reason = format!(
                    "the service at {endpoint} {did}: it ignores `{ignored}`, so that writers could overwrite each other \
                     unnoticed. Use a service or version that knows conditional writes, or a local folder"
                );
                return Err(StoreError::Refused { doing, path: bucket.url(), reason });
            }
        }
    }
    Ok(())
}

pub(super) fn new_write_id() -> String {
    Uuid::new_v4().simple().to_string()
}
