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
/// Where the proof writes.
const PROOF: &str = "_proof";

/// True for paths that only [`prove_put_if_absent`] uses.
pub(super) fn is_of_the_proof(path: &str) -> bool {
    path.strip_prefix(PROOF).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

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

/// Creates one object twice: the second time must be refused. Without that two sinks could overwrite each other's
/// commits and nobody would notice.
pub(super) async fn prove_put_if_absent(bucket: &Bucket, endpoint: &str) -> Result<()> {
    let path = format!("{PROOF}/{}", Uuid::new_v4().simple());
    let first = create(bucket, &path, Bytes::from_static(b"first")).await?;
    let second = create(bucket, &path, Bytes::from_static(b"second")).await?;
    bucket.delete(&path).await?;
    if (first, second) == (PutOutcome::Created, PutOutcome::Exists) {
        return Ok(());
    }
    let reason = format!(
        "the service at {endpoint} let an object be created twice: it ignores `If-None-Match: *`, so that writers could \
         overwrite each other unnoticed. Use a service or version that knows conditional writes, or a local folder"
    );
    Err(StoreError::Refused { doing: "proving put-if-absent in", path: bucket.url(), reason })
}

pub(super) fn new_write_id() -> String {
    Uuid::new_v4().simple().to_string()
}
