//! Objects written in one request, and the proof that the service keeps put-if-absent.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::bucket::Bucket;
use crate::failpoint;
use crate::retry::Backoff;
use crate::store::{PutOutcome, Result, StoreError};

/// Attempts when conditional writes of one object meet.
pub(super) const CONFLICT_ATTEMPTS_MAX: u32 = 8;

pub(super) fn conflict_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(50), Duration::from_secs(2))
}

/// Creates an object unless there is one. Of an attempt whose answer was lost the next one says "taken": whose write is
/// there tells the write's id.
pub(super) async fn create(bucket: &Bucket, path: &str, bytes: Bytes) -> Result<PutOutcome> {
    let write_id = new_write_id();
    let mut backoff = conflict_backoff();
    failpoint::hit("store.s3.put.begin");
    loop {
        match bucket.put(path, bytes.clone(), &write_id, true).await {
            Ok(()) => {
                failpoint::hit("store.s3.put.done");
                return Ok(PutOutcome::Created);
            }
            Err(failure) if failure.is_taken() => {
                let is_ours = bucket.head(path).await?.is_some_and(|found| found.write_id.as_ref() == Some(&write_id));
                return Ok(if is_ours { PutOutcome::Created } else { PutOutcome::Exists });
            }
            Err(failure) if failure.is_conflict() && backoff.attempts() < CONFLICT_ATTEMPTS_MAX => {
                tokio::time::sleep(backoff.next_delay()).await;
            }
            Err(failure) => return Err(failure.into_error("writing", bucket.show(path))),
        }
    }
}

/// Creates or replaces an object.
pub(super) async fn replace(bucket: &Bucket, path: &str, bytes: Bytes) -> Result<()> {
    failpoint::hit("store.s3.put.begin");
    let put = bucket.put(path, bytes, &new_write_id(), false).await;
    put.map_err(|failure| failure.into_error("writing", bucket.show(path)))?;
    failpoint::hit("store.s3.put.done");
    Ok(())
}

/// Creates an object that is there, with the bytes it has: that must be refused. Without that two sinks could overwrite
/// each other's commits and nobody would notice.
pub(super) async fn prove_put_if_absent(bucket: &Bucket, present: &str, bytes: Bytes, endpoint: &str) -> Result<()> {
    let doing = "proving put-if-absent in";
    match bucket.put(present, bytes, &new_write_id(), true).await {
        Err(failure) if failure.is_taken() => Ok(()),
        Err(failure) => Err(failure.into_error(doing, bucket.url())),
        Ok(()) => {
            let reason = format!(
                "the service at {endpoint} let an object be created twice: it ignores `If-None-Match: *`, so that \
                 writers could overwrite each other unnoticed. Use a service or version that knows conditional writes, \
                 or a local folder"
            );
            Err(StoreError::Refused { doing, path: bucket.url(), reason })
        }
    }
}

pub(super) fn new_write_id() -> String {
    Uuid::new_v4().simple().to_string()
}
