//! The files of a commit, rebuilt from the topic.

use std::collections::BTreeMap;

use contracts::commit_record::CommitRecord;
use contracts::source::SrcSet;
use platform::broker::{Broker, Parts, READ_BYTES, READ_RECORDS, TopicPartition};
use platform::store::{Published, Store};

use crate::batch::{FileTarget, OpenFile, Staging};
use crate::error::LakeError;
use crate::files;
use crate::row::Record;

/// Times in a row that staged files may be missing before they are published.
const REBUILDS_MAX: u32 = 5;

/// Rebuilds the files of a commit from the topic and publishes them, if they are byte for byte what was committed.
pub fn rebuild(
    broker: &dyn Broker,
    store: &dyn Store,
    topic_partition: &TopicPartition,
    commit: &CommitRecord,
) -> Result<(), LakeError> {
    let rows = match read_again(broker, topic_partition, commit) {
        Err(LakeError::Broker(error)) if !error.is_retriable() => {
            return Err(cannot_rebuild(commit, error.to_string()));
        }
        other => other?,
    };
    let CommitRecord { topic_id, partition, start, end, .. } = commit;
    let batch = Staging { topic_id, partition: *partition, start: *start, end: *end, files: &rows };
    // Where clocks differ, a sweep may take what was just staged for old.
    for _ in 0..REBUILDS_MAX {
        if publish_again(store, &batch, commit)? {
            return Ok(());
        }
    }
    Err(cannot_rebuild(commit, format!("files staged again were missing again {REBUILDS_MAX} times")))
}

fn cannot_rebuild(commit: &CommitRecord, problem: String) -> LakeError {
    let path = commit.files.first().map(|file| file.path.clone()).unwrap_or_default();
    LakeError::CannotRebuild { path, problem }
}

/// Rebuilds the files of a commit. False when one is missing before it is published.
fn publish_again(store: &dyn Store, batch: &Staging<'_, Record>, commit: &CommitRecord) -> Result<bool, LakeError> {
    let made = files::stage(store, batch)?;
    let same = made.len() == commit.files.len()
        && made
            .iter()
            .zip(&commit.files)
            .all(|(a, b)| (&a.path, a.rows, a.bytes, &a.sha256) == (&b.path, b.rows, b.bytes, &b.sha256));
    if !same {
        files::discard(store, &made);
        return Err(cannot_rebuild(commit, "the topic's records make other files now".into()));
    }
    for file in &made {
        if store.publish(&files::staged_of(file))? == Published::Missing {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_again(
    broker: &dyn Broker,
    at: &TopicPartition,
    commit: &CommitRecord,
) -> Result<BTreeMap<FileTarget, OpenFile<Record>>, LakeError> {
    let mut files = BTreeMap::<FileTarget, OpenFile<Record>>::new();
    let mut seen = SrcSet::new();
    let mut parts = Parts::all(broker, at, commit.start..commit.end, READ_BYTES);
    while let Some(messages) = parts.next(READ_RECORDS)? {
        for message in messages {
            let row = files::row_of(message, &commit.topic_id);
            let was_kept = commit.src.get(&row.src.partition).is_some_and(|offsets| offsets.contains(row.src.offset));
            if was_kept && seen.entry(row.src.partition).or_default().insert(row.src.offset) {
                files.entry(row.target).or_default().rows.push(row.payload);
            }
        }
    }
    Ok(files)
}
