//! Whether a fresh root may stand for the current one: all that was judged is written, the replay has judged it too, and
//! no row is missing.

use std::collections::BTreeMap;

use contracts::chain::ChainHead;
use contracts::commit_record::CommitRecord;
use contracts::datasets;
use contracts::source::{self, OffsetSet, SrcPartition, SrcSet};
use contracts::topics::{PipelineTopics, groups};
use lake::LakeError;
use lake::chain;
use platform::broker::{Broker, TopicInfo, TopicPartition};
use platform::store::Store;

use super::ReplayError;
use crate::selection::judged;

/// Whether everything is in order; returns how many source positions the fresh root lacks.
pub(super) fn check(
    broker: &dyn Broker,
    current: &dyn Store,
    fresh: &dyn Store,
    pipeline_topics: &PipelineTopics,
    allow_partial: bool,
) -> Result<u64, ReplayError> {
    all_written(broker, current, groups::SINK, &datasets::topics())
        .map_err(|e| first(e, "run `finops sink run --drain`"))?;
    all_written(broker, fresh, &pipeline_topics.sinks, &pipeline_topics.written())
        .map_err(|e| first(e, "give the same `finops replay run` again"))?;
    let replayed = judged(broker, &pipeline_topics.validators)?;
    for (at, offset) in judged(broker, groups::VALIDATOR)? {
        let reached = replayed.get(&at).copied().unwrap_or_default();
        if reached < offset && offset > broker.watermarks(&at)?.low && !allow_partial {
            let TopicPartition { topic, partition } = &at;
            let why = format!(
                "the live services have judged {topic}/{partition} up to {offset}, the replay up to {reached}: give the \
                 same `finops replay run` again, then swap"
            );
            return Err(ReplayError::NotYet(why));
        }
    }
    let lacking = lacking(&held(current)?, &held(fresh)?);
    let count: u64 = lacking.values().map(OffsetSet::count).sum();
    if count > 0 && !allow_partial {
        let example =
            lacking.iter().find_map(|(partition, set)| Some(format!("{partition}/{}", set.ranges().next()?.start)));
        let why = format!(
            "{count} record(s) of the current root are not in the fresh one, such as {}: they were not replayed, or the \
             broker does not hold them any more. --allow-partial swaps nevertheless; they stay in the former data",
            example.unwrap_or_default()
        );
        return Err(ReplayError::NotYet(why));
    }
    Ok(count)
}

fn first(error: ReplayError, what: &str) -> ReplayError {
    match error {
        ReplayError::NotYet(why) => ReplayError::NotYet(format!("{why}: {what} first")),
        other => other,
    }
}

/// Every record of the topics is in a file that can be read, and the group's position says so.
fn all_written(broker: &dyn Broker, store: &dyn Store, group: &str, names: &[&str]) -> Result<(), ReplayError> {
    let positions = broker.group_offsets(group)?;
    for (at, topic_id) in partitions(&broker.topics()?, names) {
        let TopicPartition { topic, partition } = &at;
        let (head, last) = load(store, &topic_id, *partition)?;
        let marks = broker.watermarks(&at)?;
        let from = head.position().unwrap_or(marks.low);
        if from < marks.high && !broker.read(&at, from, 1, 1)?.is_empty() {
            return Err(ReplayError::NotYet(format!("records of {topic}/{partition} from {from} on are not written")));
        }
        let is_reported = positions.iter().any(|position| position.at == at && position.offset == head.end);
        if head.records > 0 && !is_reported {
            let why =
                format!("the last commit of {topic}/{partition} at {} was not reported to group {group}", head.end);
            return Err(ReplayError::NotYet(why));
        }
        for file in last.iter().flat_map(|commit| &commit.files) {
            if store.open(&file.path)?.is_none() {
                return Err(ReplayError::NotYet(format!("{} is committed but not published", file.path)));
            }
        }
    }
    Ok(())
}

pub(super) fn partitions(all: &[TopicInfo], names: &[&str]) -> Vec<(TopicPartition, String)> {
    let topics = all.iter().filter(|topic| names.contains(&&*topic.name));
    topics
        .flat_map(|topic| {
            (0..topic.partitions)
                .map(|partition| (TopicPartition { topic: topic.name.clone(), partition }, topic.id.to_string()))
        })
        .collect()
}

pub(super) fn load(
    store: &dyn Store,
    topic_id: &str,
    partition: u32,
) -> Result<(ChainHead, Option<Box<CommitRecord>>), ReplayError> {
    chain::load(store, topic_id, partition).map_err(|error| match error {
        LakeError::Store(error) => error.into(),
        LakeError::Chain(error) => error.into(),
        other => ReplayError::NotYet(other.to_string()),
    })
}

/// Source positions of all rows, and the highest ones that chains know.
pub(super) struct Holdings {
    src: SrcSet,
    pub source_watermarks: BTreeMap<SrcPartition, u64>,
}

pub(super) fn held(store: &dyn Store) -> Result<Holdings, ReplayError> {
    let mut held = Holdings { src: SrcSet::new(), source_watermarks: BTreeMap::new() };
    for folder in chain::folders(store)?.0 {
        let walked = folder.walk::<ReplayError>(store, |step| {
            source::union(&mut held.src, &step.commit.src);
            Ok(())
        })?;
        if let Some(broken) = walked.broken {
            return Err(broken.into());
        }
        for (partition, watermark) in walked.head.source_watermarks {
            let known = held.source_watermarks.entry(partition).or_default();
            *known = watermark.max(*known);
        }
    }
    Ok(held)
}

fn lacking(current: &Holdings, fresh: &Holdings) -> SrcSet {
    let mut lacking = SrcSet::new();
    let none = OffsetSet::default();
    for (partition, offsets) in &current.src {
        let there = fresh.src.get(partition).unwrap_or(&none);
        for gap in offsets.ranges().flat_map(|range| there.gaps(range)) {
            lacking.entry(partition.clone()).or_default().union(&OffsetSet::from(gap));
        }
    }
    lacking
}
