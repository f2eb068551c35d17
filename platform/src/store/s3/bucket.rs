//! The requests: one function per operation of the S3 API that is used, in terms of paths below the prefix. Knows
//! nothing of what the store promises.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, EncodingType};
use bytes::{Bytes, BytesMut};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::S3Settings;
use super::failure::Failure;
use crate::retry::Backoff;
use crate::store::{Entry, Result, StoreError, path};

/// Metadata of an object: which write made it. Distinguishes one's own earlier request from another writer's.
const WRITE_ID: &str = "finops-write";
/// Attempts when the body of an answer breaks off: the client repeats requests, not bodies.
const BODY_ATTEMPTS_MAX: u32 = 4;
/// Looks at an object that should be there and is not: together about seven seconds.
const SETTLING_ATTEMPTS_MAX: u32 = 8;
/// Largest object that is read into memory as a whole. Commit records and manifests are far smaller; larger files are read
/// in ranges.
const WHOLE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A bucket, and the prefix that is ours.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    client: Client,
    name: Arc<str>,
    /// Empty, or ends with a slash.
    prefix: Arc<str>,
    /// Longest wait for the body of an answer: the client's own time-outs end with its head.
    body_timeout: Duration,
}

/// When an object is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Condition<'a> {
    /// Whatever is there.
    Always,
    /// There is none.
    Absent,
    /// The one that is there has this tag.
    Tag(&'a str),
}

/// What is known of an object without reading it.
#[derive(Debug)]
pub(super) struct Head {
    pub bytes: u64,
    /// The write that made it; `None` for what other programs put there.
    pub write_id: Option<String>,
}

/// An upload that is not completed.
#[derive(Debug)]
pub(super) struct Upload {
    pub path: String,
    pub id: String,
    pub initiated_ms: i64,
}

/// An uploaded part, as it has to be named when the upload is completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    pub tag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<String>,
}

/// Some bytes of an object.
pub(super) struct Range {
    pub bytes: Bytes,
    /// Size of the whole object.
    pub total: u64,
    pub tag: Option<String>,
}

impl Bucket {
    pub(super) fn new(client: Client, settings: &S3Settings) -> Self {
        let S3Settings { bucket, prefix, attempt_timeout, .. } = settings;
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Self { client, name: bucket.as_str().into(), prefix: prefix.into(), body_timeout: *attempt_timeout }
    }

    pub(super) fn url(&self) -> String {
        format!("s3://{}/{}", self.name, self.prefix.trim_end_matches('/')).trim_end_matches('/').to_owned()
    }

    /// A path as people find it.
    pub(super) fn show(&self, path: &str) -> String {
        format!("s3://{}/{}{path}", self.name, self.prefix)
    }

    pub(super) fn check(&self, path: &str) -> Result<()> {
        path::check(path)?;
        if self.prefix.len() + path.len() > path::PATH_BYTES_MAX {
            let path = path.chars().take(200).collect();
            return Err(StoreError::BadPath {
                path,
                reason: "with the prefix of the store it is longer than 1024 bytes",
            });
        }
        Ok(())
    }

    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Writes an object as a whole, on this condition.
    pub(super) async fn put(
        &self,
        path: &str,
        bytes: Bytes,
        write_id: &str,
        condition: Condition<'_>,
    ) -> std::result::Result<(), Failure> {
        let request = self.client.put_object().bucket(&*self.name).key(self.key(path));
        let request = request.metadata(WRITE_ID, write_id).body(ByteStream::from(bytes));
        let request = match condition {
            Condition::Always => request,
            Condition::Absent => request.if_none_match("*"),
            Condition::Tag(tag) => request.if_match(tag),
        };
        request.send().await?;
        Ok(())
    }

    pub(super) async fn head(&self, path: &str) -> Result<Option<Head>> {
        match self.client.head_object().bucket(&*self.name).key(self.key(path)).send().await.map_err(Failure::from) {
            Ok(found) => {
                let write_id = found.metadata().and_then(|all| all.get(WRITE_ID)).cloned();
                Ok(Some(Head { bytes: unsigned(found.content_length()), write_id }))
            }
            Err(failure) if failure.is_absent() => Ok(None),
            Err(failure) => Err(failure.into_error("looking at", self.show(path))),
        }
    }

    /// As [`head`](Self::head), of an object that another answer says is there, or was there a moment ago. Some services
    /// answer from a copy that is seconds behind: it is looked for some seconds before it counts as absent.
    pub(super) async fn head_settled(&self, path: &str) -> Result<Option<Head>> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            let found = self.head(path).await?;
            if found.is_some() || backoff.attempts() == SETTLING_ATTEMPTS_MAX {
                return Ok(found);
            }
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// True when there is nothing below this folder.
    pub(super) async fn is_empty(&self, folder: &str) -> Result<bool> {
        let below = format!("{folder}/");
        let request = self.client.list_objects_v2().bucket(&*self.name).prefix(self.key(&below)).max_keys(1);
        let page = request.send().await.map_err(|e| Failure::from(e).into_error("listing", self.show(&below)))?;
        Ok(page.contents().is_empty())
    }

    pub(super) async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        Ok(self.read(path, None, None, WHOLE_BYTES_MAX).await?.map(|range| range.bytes))
    }

    /// The object with its tag.
    pub(super) async fn get_tagged(&self, path: &str) -> Result<Option<(Bytes, String)>> {
        let Some(Range { bytes, tag, .. }) = self.read(path, None, None, WHOLE_BYTES_MAX).await? else {
            return Ok(None);
        };
        let reason = "the service named no tag, so a later write could not be made conditional on it".to_owned();
        let tag = tag.ok_or_else(|| StoreError::Refused { doing: "reading", path: self.show(path), reason })?;
        Ok(Some((bytes, tag)))
    }

    /// `len` bytes from `from` on, fewer at the end; of the object with this tag, if one is given.
    pub(super) async fn get_range(
        &self,
        path: &str,
        from: u64,
        len: u64,
        tag: Option<String>,
    ) -> Result<Option<Range>> {
        let range = format!("bytes={from}-{}", from + len - 1);
        self.read(path, Some(range), tag, len).await
    }

    async fn read(
        &self,
        path: &str,
        range: Option<String>,
        tag: Option<String>,
        bytes_max: u64,
    ) -> Result<Option<Range>> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let request = self.client.get_object().bucket(&*self.name).key(self.key(path));
            let request = request.set_range(range.clone()).set_if_match(tag.clone());
            // Of a range some services answer with the checksum of the whole.
            let request = if range.is_none() { request.checksum_mode(ChecksumMode::Enabled) } else { request };
            let found = match request.send().await.map_err(Failure::from) {
                Ok(found) => found,
                Err(failure) if failure.is_absent() => return Ok(None),
                // No range fits an object without bytes.
                Err(failure) if failure.status == 416 => {
                    return Ok(Some(Range { bytes: Bytes::new(), total: 0, tag: None }));
                }
                Err(failure) => return Err(failure.into_error("reading", self.show(path))),
            };
            let (total, tag) = (total_bytes(&found), found.e_tag().map(str::to_owned));
            let collected = tokio::time::timeout(self.body_timeout, collect(found.body, bytes_max)).await;
            match collected.unwrap_or_else(|late| Err(late.into())) {
                Ok(Some(bytes)) => return Ok(Some(Range { bytes, total, tag })),
                Ok(None) => {
                    let reason = format!("the answer is longer than the {bytes_max} bytes that were asked for or fit");
                    return Err(StoreError::Refused { doing: "reading", path: self.show(path), reason });
                }
                Err(error) if backoff.attempts() + 1 < BODY_ATTEMPTS_MAX => {
                    tracing::warn!(path = self.show(path), %error, "an answer broke off, asking again");
                    tokio::time::sleep(backoff.next_delay()).await;
                }
                Err(error) => return Err(StoreError::io("reading", self.show(path), error)),
            }
        }
    }

    pub(super) async fn delete(&self, path: &str) -> Result<()> {
        match self.client.delete_object().bucket(&*self.name).key(self.key(path)).send().await.map_err(Failure::from) {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_absent() => Ok(()),
            Err(failure) => Err(failure.into_error("removing", self.show(path))),
        }
    }

    /// All objects whose path begins like this.
    pub(super) async fn list(&self, beginning: &str) -> Result<Vec<Entry>> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let request = self.client.list_objects_v2().bucket(&*self.name).prefix(self.key(beginning));
            let request = request.encoding_type(EncodingType::Url).set_continuation_token(token.clone());
            let page = request.send().await;
            let page = page.map_err(|e| Failure::from(e).into_error("listing", self.show(beginning)))?;
            for object in page.contents() {
                let key = decoded(object.key().unwrap_or_default(), page.encoding_type());
                // What consoles make when asked for a folder.
                if key.ends_with('/') && object.size() == Some(0) {
                    continue;
                }
                let modified_ms = milliseconds(object.last_modified());
                found.push(Entry { path: self.below(&key)?, bytes: unsigned(object.size()), modified_ms });
            }
            let next = page.next_continuation_token().filter(|next| !next.is_empty()).map(str::to_owned);
            match (page.is_truncated() == Some(true), next) {
                (false, None) => return Ok(found),
                // A part of the objects must never pass for all of them.
                (true, None) => return Err(self.no_way_on("listing", beginning)),
                // The same page again, and so on without end.
                (_, next) if next == token => return Err(self.no_way_on("listing", beginning)),
                (_, next) => token = next,
            }
        }
    }

    /// The error of a listing that has more pages and does not say where the next one begins.
    fn no_way_on(&self, doing: &'static str, beginning: &str) -> StoreError {
        let reason = "the service says that there are more of them, but not where to go on".to_owned();
        StoreError::Refused { doing, path: self.show(beginning), reason }
    }

    fn below(&self, key: &str) -> Result<String> {
        let path = key.strip_prefix(&*self.prefix).unwrap_or(key);
        path::check(path)?;
        Ok(path.to_owned())
    }

    pub(super) async fn create_upload(&self, path: &str, write_id: &str) -> Result<String> {
        let request = self.client.create_multipart_upload().bucket(&*self.name).key(self.key(path));
        let request = request.metadata(WRITE_ID, write_id).checksum_algorithm(ChecksumAlgorithm::Crc32);
        let made = request.send().await.map_err(|e| Failure::from(e).into_error("staging", self.show(path)))?;
        made.upload_id.ok_or_else(|| self.incomplete(path, "the service named no upload"))
    }

    /// Parts are numbered from 1.
    pub(super) async fn upload_part(&self, path: &str, upload: &str, number: i32, bytes: Bytes) -> Result<Part> {
        let request = self.client.upload_part().bucket(&*self.name).key(self.key(path)).upload_id(upload);
        let request = request.part_number(number).checksum_algorithm(ChecksumAlgorithm::Crc32);
        match request.body(ByteStream::from(bytes)).send().await.map_err(Failure::from) {
            Ok(done) => {
                let tag = done.e_tag.ok_or_else(|| self.incomplete(path, "the service gave a part no tag"))?;
                Ok(Part { tag, crc32: done.checksum_crc32 })
            }
            // Swept meanwhile: staging again mends it.
            Err(failure) if failure.code == "NoSuchUpload" => Err(self.incomplete(path, "the upload no longer exists")),
            Err(failure) => Err(failure.into_error("staging", self.show(path))),
        }
    }

    pub(super) async fn complete_upload(
        &self,
        path: &str,
        upload: &str,
        parts: &[Part],
        if_absent: bool,
    ) -> std::result::Result<(), Failure> {
        let named = (1_i32..).zip(parts).map(|(number, part)| {
            CompletedPart::builder().part_number(number).e_tag(&part.tag).set_checksum_crc32(part.crc32.clone()).build()
        });
        let parts = CompletedMultipartUpload::builder().set_parts(Some(named.collect())).build();
        let request = self.client.complete_multipart_upload().bucket(&*self.name).key(self.key(path));
        let request = request.upload_id(upload).multipart_upload(parts);
        request.set_if_none_match(if_absent.then(|| "*".to_owned())).send().await?;
        Ok(())
    }

    /// Fine when it is missing.
    pub(super) async fn abort_upload(&self, path: &str, upload: &str) -> Result<()> {
        let request = self.client.abort_multipart_upload().bucket(&*self.name).key(self.key(path)).upload_id(upload);
        match request.send().await.map_err(Failure::from) {
            Ok(_) => Ok(()),
            Err(failure) if failure.code == "NoSuchUpload" || failure.is_absent() => Ok(()),
            Err(failure) => Err(failure.into_error("dropping the staged", self.show(path))),
        }
    }

    pub(super) async fn uploads(&self) -> Result<Vec<Upload>> {
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let request = self.client.list_multipart_uploads().bucket(&*self.name).prefix(&*self.prefix);
            let request = request.set_key_marker(key.clone()).set_upload_id_marker(id.clone());
            let request = request.encoding_type(EncodingType::Url);
            let page = request.send().await;
            let page = page.map_err(|e| Failure::from(e).into_error("listing uploads of", self.show("")))?;
            for upload in page.uploads() {
                let path = self.below(&decoded(upload.key().unwrap_or_default(), page.encoding_type()))?;
                let (id, initiated_ms) = (upload.upload_id().unwrap_or_default(), milliseconds(upload.initiated()));
                found.push(Upload { path, id: id.to_owned(), initiated_ms });
            }
            if page.is_truncated() != Some(true) {
                return Ok(found);
            }
            let next = (
                page.next_key_marker().map(|key| decoded(key, page.encoding_type())),
                page.next_upload_id_marker().map(str::to_owned),
            );
            // The same page again, and so on for ever.
            if next.0.is_none() || next == (key, id) {
                return Err(self.no_way_on("listing uploads of", ""));
            }
            (key, id) = next;
        }
    }

    fn incomplete(&self, path: &str, problem: &str) -> StoreError {
        StoreError::io("staging", self.show(path), std::io::Error::other(problem.to_owned()))
    }
}

/// The body of an answer; `None` when it is longer than this, whatever its head said.
async fn collect(mut body: ByteStream, bytes_max: u64) -> std::io::Result<Option<Bytes>> {
    let mut collected = BytesMut::new();
    while let Some(part) = body.next().await {
        collected.extend_from_slice(&part?);
        if collected.len() as u64 > bytes_max {
            return Ok(None);
        }
    }
    Ok(Some(collected.freeze()))
}

/// Size of the whole object behind an answer that may hold a part of it.
fn total_bytes(found: &GetObjectOutput) -> u64 {
    let whole =
        found.content_range().and_then(|range| range.rsplit_once('/')).and_then(|(_, total)| total.parse().ok());
    whole.unwrap_or_else(|| unsigned(found.content_length()))
}

/// Keys are asked for in URL encoding, because XML cannot carry every letter. Not every service does it.
fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    match encoding {
        Some(EncodingType::Url) => percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned(),
        _ => key.to_owned(),
    }
}

fn unsigned(number: Option<i64>) -> u64 {
    number.and_then(|n| u64::try_from(n).ok()).unwrap_or_default()
}

fn milliseconds(time: Option<&DateTime>) -> i64 {
    time.and_then(|time| time.to_millis().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_bounded_whatever_its_head_said() {
        let collected = |bytes_max| {
            let body = ByteStream::from_static(b"eight or");
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(collect(body, bytes_max)).unwrap()
        };
        assert_eq!(collected(8).as_deref(), Some(b"eight or".as_slice()));
        assert_eq!(collected(7), None);
    }
}
