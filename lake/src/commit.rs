//! The commit record of a batch whose files are staged.

use std::collections::BTreeMap;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile, FORMAT_VERSION};
use contracts::datasets::{self, Dataset};
use contracts::time;
use platform::broker::TopicPartition;

use crate::batch::{Batch, RecordPayload};
use crate::error::LakeError;

/// Who commits, which attempt it is, and when.
pub struct Author<'a> {
    /// Process that commits.
    pub writer_id: &'a str,
    /// Version of its program.
    pub code_version: &'a str,
    /// Of this attempt only.
    pub nonce: String,
    /// Milliseconds since the epoch.
    pub wall_ms: i64,
}

/// Takes the source positions of the batch; its rows stay until the record is committed.
///
/// # Errors
/// As [`dataset_of`].
pub fn record_of<R: RecordPayload>(
    batch: &mut Batch<R>,
    files: Vec<CommittedFile>,
    topic_partition: &TopicPartition,
    head: &ChainHead,
    Author { writer_id, code_version, nonce, wall_ms }: Author<'_>,
) -> Result<CommitRecord, LakeError> {
    Ok(CommitRecord {
        format_version: FORMAT_VERSION,
        code_version: code_version.to_owned(),
        dataset: dataset_of(&topic_partition.topic)?.name.to_owned(),
        topic: topic_partition.topic.to_string(),
        topic_id: head.topic_id.clone(),
        partition: topic_partition.partition,
        start: batch.start,
        end: batch.next,
        rows: files.iter().map(|file| file.rows).sum(),
        duplicates: batch.duplicates,
        files,
        src: std::mem::take(&mut batch.src),
        runs: std::mem::take(&mut batch.runs),
        source_watermarks: BTreeMap::new(),
        last_record: batch.last.as_ref().map(|(offset, payload)| payload.last_record(*offset)),
        writer_id: writer_id.to_owned(),
        nonce,
        previous_sha256: head.last_sha256.clone(),
        committed_at: time::format_timestamp(wall_ms),
    })
}

/// The dataset of a topic that sinks read.
///
/// # Errors
/// No sink reads it.
pub fn dataset_of(topic: &str) -> Result<&'static Dataset, LakeError> {
    datasets::of_topic(topic).ok_or_else(|| LakeError::NoDataset(topic.to_owned()))
}
