//! Whether everything that was on the topics when a drain began is written.

use std::collections::HashMap;

use contracts::chain::ChainHead;
use contracts::topics::PipelineTopics;
use lake::chain;
use platform::broker::{Broker, TopicPartition};
use platform::store::Store;

use crate::error::SinkError;
use crate::machine;
use crate::topic_end::topic_end;

/// The group's offsets say so, and the chains agree: any tool may set offsets.
pub(crate) fn is_drained(
    broker: &dyn Broker,
    store: &dyn Store,
    pipeline_topics: &PipelineTopics,
    ends: &[(TopicPartition, u64)],
) -> Result<bool, SinkError> {
    if ends.is_empty() {
        return Ok(true);
    }
    let mut reached: HashMap<TopicPartition, u64> =
        broker.group_offsets(&pipeline_topics.sinks)?.into_iter().map(|o| (o.at, o.offset)).collect();
    if !ends.iter().all(|(at, end)| reached.get(at).is_some_and(|offset| offset >= end)) {
        return Ok(false);
    }
    for topic in broker.topics()? {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            if ends.iter().any(|(known, _)| *known == at)
                && let Some(hint) = reached.remove(&at)
            {
                let (head, _) = chain::load(store, &topic.id, partition)?;
                if head.end < hint {
                    return Ok(false);
                }
                check(broker, &at, &topic.id, &head)?;
            }
        }
    }
    Ok(true)
}

/// Whether a chain and the topic of that id still belong together.
///
/// # Errors
/// They do not, or the broker refuses.
fn check(broker: &dyn Broker, at: &TopicPartition, topic_id: &str, head: &ChainHead) -> Result<(), SinkError> {
    let (marks, found) = topic_end(broker, at, topic_id, head)?;
    machine::is_of_topic(at, head, marks.low..marks.high, found.as_ref())
}
