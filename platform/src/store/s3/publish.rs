//! Making a staged object visible: its upload is completed. Whatever was answered, or not, to an earlier attempt, what
//! is at the target decides.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::bucket::{Bucket, Head, Part};
use super::put::{CONFLICT_ATTEMPTS_MAX, conflict_backoff};
use super::reader::CHUNK_BYTES;
use crate::failpoint;
use crate::store::{Published, Result, Staged, StoreError, describe};

/// What publishes a staged object. Kept in commit records: members may be added, not changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// Under which it is listed.
    pub name: String,
    /// Id of the upload.
    pub upload: String,
    /// Which the object carries when the upload is completed.
    pub write_id: String,
    /// In order.
    pub parts: Vec<Part>,
}

impl Token {
    pub(super) fn of(staged: &Staged) -> Result<Self> {
        let bad = |reason| StoreError::BadPath { path: staged.token.to_string(), reason };
        let token = Self::deserialize(&staged.token).map_err(|_| bad("it is no token of an upload"))?;
        if token.name != staged_name(&staged.target, &token.upload) {
            return Err(bad("the token is of another object"));
        }
        Ok(token)
    }
}

/// Name of a staged object: two uploads to one key differ in their id.
pub(super) fn staged_name(path: &str, upload: &str) -> String {
    format!("{path}?uploadId={upload}")
}

pub(super) async fn publish(
    bucket: &Bucket,
    staged: &Staged,
    token: &Token,
    completes_if_absent: &AtomicBool,
) -> Result<Published> {
    let path = &staged.target;
    // Also tells what the condition would on a service that completes without one.
    if let Some(found) = bucket.head(path).await? {
        return compare(bucket, staged, token, &found).await;
    }
    failpoint::hit!("store.s3.publish.begin");
    let mut backoff = conflict_backoff();
    loop {
        let if_absent = completes_if_absent.load(Ordering::Relaxed);
        let Err(failure) = bucket.complete_upload(path, &token.upload, &token.parts, if_absent).await else {
            failpoint::hit!("store.s3.publish.done");
            return Ok(Published::Done);
        };
        let is_missing = failure.code == "NoSuchUpload" || failure.code == "InvalidPart";
        if failure.is_taken() || is_missing {
            return match bucket.head_settled(path).await? {
                Some(found) => compare(bucket, staged, token, &found).await,
                None => Ok(Published::Missing),
            };
        }
        if if_absent && failure.status == 501 {
            completes_if_absent.store(false, Ordering::Relaxed);
        } else if failure.is_conflict() && backoff.attempts() < CONFLICT_ATTEMPTS_MAX {
            tokio::time::sleep(backoff.next_delay()).await;
        } else {
            return Err(failure.into_error("publishing", bucket.show(path)));
        }
    }
}

/// What is at the target of a publish is this upload completed, or the same bytes, or another writer's.
async fn compare(bucket: &Bucket, staged: &Staged, token: &Token, found: &Head) -> Result<Published> {
    let is_same_size = found.bytes == staged.bytes;
    if is_same_size && found.write_id.as_ref() == Some(&token.write_id) {
        return Ok(Published::Already);
    }
    let sha256 = if is_same_size { digest(bucket, &staged.target).await? } else { None };
    if sha256.as_ref() == Some(&staged.sha256) {
        bucket.abort_upload(&staged.target, &token.upload).await?;
        return Ok(Published::Already);
    }
    Err(StoreError::Conflict {
        path: bucket.show(&staged.target),
        expected: describe(staged.bytes, &staged.sha256),
        found: sha256.map_or_else(|| format!("{} bytes", found.bytes), |sha256| describe(found.bytes, &sha256)),
    })
}

async fn digest(bucket: &Bucket, path: &str) -> Result<Option<String>> {
    let mut hasher = Sha256::new();
    let (mut next, mut tag) = (0, None);
    loop {
        let Some(range) = bucket.get_range(path, next, CHUNK_BYTES, tag).await? else { return Ok(None) };
        hasher.update(&range.bytes);
        next += range.bytes.len() as u64;
        tag = range.tag;
        if next >= range.total || range.bytes.is_empty() {
            return Ok(Some(hex::encode(hasher.finalize())));
        }
    }
}
