//! Closes chains against commits that are still to come. A sink may hold records that the broker does not hold any more: of a topic
//! that was deleted, or that retention has removed. If what it holds is sent again and the sink commits after all, a row is there
//! twice. So before anything is sent, the next name of such a chain is taken: a sink that comes late finds it taken, and drops what
//! it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use contracts::chain::ChainHead;
use contracts::commit_record::{CommitRecord, FORMAT_VERSION};
use contracts::{datasets, layout, time};
use platform::broker::{Broker, TopicPartition};
use platform::clock::Clock;
use platform::store::{Published, PutOutcome, Store};
use uuid::Uuid;

use crate::chain;
use crate::commit::dataset_of;
use crate::error::LakeError;
use crate::files::staged_of;

/// Who has written the last commit of a closed chain.
const CLOSER: &str = "finops repair";

/// Closes the chains that no sink goes on with as it is: those of topics that the broker does not have, and those that end before the
/// oldest record of theirs. What their last commits have committed is published first. `heads` is what the chains added up to when
/// `verify` looked at what is missing.
///
/// # Errors
/// A sink has committed since, so `verify` has to look again; broker or store refuse.
pub fn close(
    broker: &dyn Broker,
    store: &dyn Store,
    heads: &BTreeMap<(String, u32), ChainHead>,
    clock: &dyn Clock,
) -> Result<(), LakeError> {
    let topics = broker.topics()?;
    for topic in topics.iter().filter(|topic| datasets::has_topic(&topic.name)) {
        for partition in 0..topic.partitions {
            let low = broker.watermarks(&TopicPartition { topic: topic.name.clone(), partition })?.low;
            let head = match heads.get(&(topic.id.to_string(), partition)) {
                Some(head) => head.clone(),
                None if store.list(&layout::chain_dir(&topic.id, partition))?.is_empty() => {
                    ChainHead::empty(&topic.id, partition)
                }
                // It is broken: how far it goes is not known.
                None => continue,
            };
            if head.end < low {
                let last = last(store, &head)?;
                last.iter().try_for_each(|last| publish(store, last))?;
                put(store, &closing(&head, &topic.name, low, clock)?)?;
            }
        }
    }
    for head in heads.values().filter(|head| topics.iter().all(|topic| *topic.id != *head.topic_id)) {
        let Some(last) = last(store, head)?.filter(|last| !is_closed(last)) else { continue };
        publish(store, &last)?;
        put(store, &closing(head, &last.topic, head.end + 1, clock)?)?;
    }
    Ok(())
}

/// Closes every chain, also those of topics that are there and about to be created again.
///
/// # Errors
/// A chain is broken; broker or store refuse.
pub fn close_all(broker: &dyn Broker, store: &dyn Store, clock: &dyn Clock) -> Result<(), LakeError> {
    let mut chains: BTreeMap<(String, u32), Option<Arc<str>>> =
        chain::folders(store)?.0.into_iter().map(|folder| ((folder.topic_id, folder.partition), None)).collect();
    for topic in broker.topics()?.iter().filter(|topic| datasets::has_topic(&topic.name)) {
        chains.extend((0..topic.partitions).map(|n| ((topic.id.to_string(), n), Some(topic.name.clone()))));
    }
    for ((topic_id, partition), name) in chains {
        loop {
            let (head, last) = chain::load(store, &topic_id, partition)?;
            let Some(topic) = last.as_ref().map(|last| last.topic.as_str()).or(name.as_deref()) else { break };
            // A topic that is there may have grown since.
            if name.is_none() && last.as_deref().is_some_and(is_closed) {
                break;
            }
            last.iter().try_for_each(|last| publish(store, last))?;
            match put(store, &closing(&head, topic, head.end + 1, clock)?) {
                Err(LakeError::CommittedMeanwhile { .. }) => {}
                other => break other?,
            }
        }
    }
    Ok(())
}

fn last(store: &dyn Store, head: &ChainHead) -> Result<Option<Box<CommitRecord>>, LakeError> {
    let path = layout::chain_record(&head.topic_id, head.partition, head.last_start);
    if head.records == 0 { Ok(None) } else { chain::read_commit(store, &path) }
}

fn is_closed(last: &CommitRecord) -> bool {
    last.writer_id == CLOSER && last.files.is_empty() && last.end == last.start + 1
}

/// No sink takes over a chain whose topic was deleted. `verify` names a file that is missing.
fn publish(store: &dyn Store, commit: &CommitRecord) -> Result<(), LakeError> {
    for file in &commit.files {
        if store.publish(&staged_of(file))? == Published::Missing {
            tracing::warn!(path = file.path, "committed, but neither published nor staged");
        }
    }
    Ok(())
}

/// A commit without rows up to there.
fn closing(head: &ChainHead, topic: &str, until: u64, clock: &dyn Clock) -> Result<CommitRecord, LakeError> {
    Ok(CommitRecord {
        format_version: FORMAT_VERSION,
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        dataset: dataset_of(topic)?.name.to_owned(),
        topic: topic.to_owned(),
        topic_id: head.topic_id.clone(),
        partition: head.partition,
        start: head.end,
        end: until,
        rows: 0,
        duplicates: 0,
        files: Vec::new(),
        src: BTreeMap::new(),
        runs: BTreeMap::new(),
        source_watermarks: BTreeMap::new(),
        last_record: None,
        writer_id: CLOSER.to_owned(),
        nonce: Uuid::new_v4().simple().to_string(),
        previous_sha256: head.last_sha256.clone(),
        committed_at: time::format_timestamp(clock.now_ms()),
    })
}

fn put(store: &dyn Store, commit: &CommitRecord) -> Result<(), LakeError> {
    let path = layout::chain_record(&commit.topic_id, commit.partition, commit.start);
    match store.put_if_absent(&path, &commit.to_bytes()?)? {
        PutOutcome::Created => Ok(()),
        // Also when our own answer was lost: the next repair sees that it is closed.
        PutOutcome::Exists => Err(LakeError::CommittedMeanwhile { path }),
    }
}
