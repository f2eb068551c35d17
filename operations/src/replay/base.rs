//! The commits that let live sinks go on in a fresh root: each says, without files, that everything before the end of the
//! current chain is answered for.

use std::collections::BTreeMap;

use contracts::chain::commit_start;
use contracts::commit_record::{CommitRecord, FORMAT_VERSION};
use contracts::source::SrcSet;
use contracts::{datasets, layout, time};
use lake::chain;
use lake::commit::dataset_of;
use platform::broker::{Broker, TopicPartition};
use platform::clock::Clock;
use platform::store::Store;

use super::cover::{held, load, partitions};
use super::{ReplayError, refused};

/// Begins the writer of a base, which is no sink.
const WRITER: &str = "replay/";

/// Writes one for each live partition that has a chain, and returns where all live partitions end. An earlier try may have left others: the live
/// services have continued since, and no reader opens these before the swap.
pub(super) fn write(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    clock: &dyn Clock,
    id: &str,
) -> Result<Vec<(TopicPartition, u64)>, ReplayError> {
    let mut ends = Vec::new();
    let mut source_watermarks = held(current)?.source_watermarks;
    for (partition, watermark) in held(fresh)?.source_watermarks {
        let known = source_watermarks.entry(partition).or_default();
        *known = watermark.max(*known);
    }
    for (at, topic_id) in partitions(&broker.topics()?, &datasets::topics()) {
        for old in fresh.list(&layout::chain_dir(&topic_id, at.partition))? {
            if commit_start(&old.path).is_some() {
                refuse_live(fresh, &old.path)?;
                fresh.delete(&old.path)?;
            }
        }
        let (head, _) = load(current, &topic_id, at.partition)?;
        ends.push((at.clone(), head.end));
        if head.records == 0 {
            continue;
        }
        let base = CommitRecord {
            format_version: FORMAT_VERSION,
            code_version: env!("CARGO_PKG_VERSION").to_owned(),
            dataset: dataset_of(&at.topic).map_err(|e| refused(fresh, e.to_string()))?.name.to_owned(),
            topic: at.topic.to_string(),
            topic_id: topic_id.clone(),
            partition: at.partition,
            start: head.first_start,
            end: head.end,
            rows: 0,
            duplicates: 0,
            files: Vec::new(),
            src: SrcSet::new(),
            runs: BTreeMap::new(),
            source_watermarks: source_watermarks.clone(),
            last_record: head.last_record.clone(),
            writer_id: format!("{WRITER}{id}"),
            nonce: uuid::Uuid::new_v4().to_string(),
            previous_sha256: String::new(),
            committed_at: time::format_timestamp(clock.now_ms()),
        };
        let bytes = base.to_bytes().map_err(|e| refused(fresh, e.to_string()))?;
        fresh.put(&layout::chain_record(&topic_id, at.partition, base.start), &bytes)?;
    }
    Ok(ends)
}

/// A sink's commit shows that the root is in use: then nothing in it is to be replaced.
fn refuse_live(fresh: &dyn Store, path: &str) -> Result<(), ReplayError> {
    match chain::read_commit(fresh, path) {
        Ok(Some(commit)) if !commit.writer_id.starts_with(WRITER) => {
            Err(refused(fresh, format!("a sink has committed {path} in it: it has been handed over already")))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(refused(fresh, error.to_string())),
    }
}
