//! An object being staged: a multipart upload to its final key, begun with its first part, sent part by part while it is
//! written, aborted when it is not finished.

use std::io::{self, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use super::Remote;
use super::bucket::Part;
use super::publish::{Token, staged_name};
use super::put::new_write_id;
use crate::failpoint;
use crate::store::{Result, Staged, StagedWrite, StoreError};

/// Bytes of a part: S3 takes 5 MiB at least, and 10,000 parts.
pub(super) const PART_BYTES: usize = 8 << 20;
/// Parts of an upload.
const PARTS_MAX: usize = 10_000;

pub(super) struct StagedUpload {
    remote: Arc<Remote>,
    target: String,
    /// Id of the upload, once it is begun.
    upload: Option<String>,
    write_id: String,
    buffer: Vec<u8>,
    parts_begun: usize,
    sending: JoinSet<Result<(usize, Part)>>,
    sent: Vec<(usize, Part)>,
    hasher: Sha256,
    bytes: u64,
    /// After a failed part nothing can be finished any more.
    failed: bool,
    finished: bool,
}

impl StagedUpload {
    pub(super) fn new(remote: Arc<Remote>, target: &str) -> Self {
        Self {
            remote,
            target: target.to_owned(),
            upload: None,
            write_id: new_write_id(),
            buffer: Vec::new(),
            parts_begun: 0,
            sending: JoinSet::new(),
            sent: Vec::new(),
            hasher: Sha256::new(),
            bytes: 0,
            failed: false,
            finished: false,
        }
    }

    /// Id of the upload; begins it when it is not begun.
    fn upload(&mut self) -> Result<String> {
        if let Some(upload) = &self.upload {
            return Ok(upload.clone());
        }
        let (bucket, path, id) = (self.remote.bucket.clone(), self.target.clone(), self.write_id.clone());
        let upload = self.remote.blocking.run(async move { bucket.create_upload(&path, &id).await })?;
        failpoint::hit!("store.s3.stage.begun");
        Ok(self.upload.insert(upload).clone())
    }

    /// Sends what is buffered as the next part; waits while too many are on their way.
    fn send_part(&mut self) -> Result<()> {
        if self.parts_begun == PARTS_MAX {
            let (doing, path) = ("staging", self.remote.bucket.show(&self.target));
            let reason = format!("it has more than {PARTS_MAX} parts of {PART_BYTES} bytes");
            return Err(StoreError::Refused { doing, path, reason });
        }
        let upload = self.upload()?;
        while let Some(done) = self.sending.try_join_next() {
            self.sent.push(joined(done)?);
        }
        let waiting = Arc::clone(&self.remote.parts_in_flight);
        let permit = self.remote.blocking.run(async move {
            waiting.acquire_owned().await.map_err(|e| StoreError::io("staging", "a part", io::Error::other(e)))
        })?;
        let bytes = std::mem::take(&mut self.buffer).into();
        self.parts_begun += 1;
        let number = self.parts_begun;
        let (bucket, path) = (self.remote.bucket.clone(), self.target.clone());
        let send = async move {
            let numbered = i32::try_from(number).unwrap_or(i32::MAX);
            let part = bucket.upload_part(&path, &upload, numbered, bytes).await?;
            drop(permit);
            failpoint::hit!("store.s3.stage.part");
            Ok((number, part))
        };
        self.sending.spawn_on(send, self.remote.blocking.handle());
        Ok(())
    }

    fn all_sent(&mut self) -> Result<Vec<Part>> {
        // An object without bytes has one part without bytes.
        if !self.buffer.is_empty() || self.parts_begun == 0 {
            self.send_part()?;
        }
        let mut sending = std::mem::take(&mut self.sending);
        self.sent.extend(self.remote.blocking.run(async move {
            let mut sent = Vec::new();
            while let Some(done) = sending.join_next().await {
                sent.push(joined(done)?);
            }
            Ok(sent)
        })?);
        self.sent.sort_by_key(|(number, _)| *number);
        Ok(std::mem::take(&mut self.sent).into_iter().map(|(_, part)| part).collect())
    }
}

fn joined(done: std::result::Result<Result<(usize, Part)>, tokio::task::JoinError>) -> Result<(usize, Part)> {
    done.unwrap_or_else(|e| Err(StoreError::io("staging", "a part", io::Error::other(e))))
}

impl Write for StagedUpload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed {
            return Err(io::Error::other("an earlier part of it could not be staged"));
        }
        let taken = &bytes[..bytes.len().min(PART_BYTES - self.buffer.len())];
        self.buffer.extend_from_slice(taken);
        self.hasher.update(taken);
        self.bytes += taken.len() as u64;
        if self.buffer.len() == PART_BYTES
            && let Err(error) = self.send_part()
        {
            self.failed = true;
            return Err(io::Error::other(error));
        }
        Ok(taken.len())
    }

    /// Parts are durable as they are sent; a shorter one than the others can only be the last.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StagedWrite for StagedUpload {
    fn finish(mut self: Box<Self>) -> Result<Staged> {
        if self.failed {
            let reason = io::Error::other("a part of it could not be staged");
            return Err(StoreError::io("staging", self.remote.bucket.show(&self.target), reason));
        }
        let parts = self.all_sent()?;
        let upload = self.upload()?;
        failpoint::hit!("store.s3.stage.finished");
        self.finished = true;
        let name = staged_name(&self.target, &upload);
        let token = Token { name, upload, write_id: self.write_id.clone(), parts };
        Ok(Staged {
            target: self.target.clone(),
            token: serde_json::json!(token),
            bytes: self.bytes,
            sha256: hex::encode(self.hasher.clone().finalize()),
        })
    }
}

impl Drop for StagedUpload {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take().filter(|_| !self.finished) else { return };
        let (bucket, path) = (self.remote.bucket.clone(), self.target.clone());
        let mut sending = std::mem::take(&mut self.sending);
        let aborted = self.remote.blocking.run(async move {
            sending.shutdown().await;
            bucket.abort_upload(&path, &upload).await
        });
        if let Err(error) = aborted {
            tracing::warn!(%error, "an unfinished upload stays until it is swept");
        }
    }
}
