//! The commit record of a batch whose files are staged.

use std::collections::BTreeMap;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, CommittedFile, FORMAT_VERSION};
use contracts::{datasets, time};

use super::batch::Batch;
use super::{AssignedPartition, Identity, Payload};

/// Who commits, which attempt it is, and when.
pub(crate) struct Author<'a> {
    pub identity: &'a Identity,
    pub nonce: String,
    pub wall_ms: i64,
}

/// Takes the source positions of the batch; its rows stay until the record is committed.
pub(crate) fn record_of<R: Payload>(
    batch: &mut Batch<R>,
    files: Vec<CommittedFile>,
    AssignedPartition { at, topic_id, .. }: &AssignedPartition,
    head: &ChainHead,
    Author { identity, nonce, wall_ms }: Author<'_>,
) -> CommitRecord {
    CommitRecord {
        format_version: FORMAT_VERSION,
        code_version: identity.code_version.clone(),
        dataset: datasets::of_topic(&at.topic).name.to_owned(),
        topic: at.topic.to_string(),
        topic_id: topic_id.to_string(),
        partition: at.partition,
        start: batch.start,
        end: batch.next,
        rows: files.iter().map(|file| file.rows).sum(),
        duplicates: batch.duplicates,
        files,
        src: std::mem::take(&mut batch.src),
        runs: std::mem::take(&mut batch.runs),
        source_watermarks: BTreeMap::new(),
        last_record: batch.last.as_ref().map(|(offset, payload)| payload.last_record(*offset)),
        writer_id: identity.writer_id.clone(),
        nonce,
        previous_sha256: head.last_sha256.clone(),
        committed_at: time::format_timestamp(wall_ms),
    }
}
