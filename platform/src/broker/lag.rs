//! Where topics end, how far a group is behind, and how old what it has not passed is.

use super::{Broker, BrokerError, GroupOffset, Result, TopicInfo, TopicPartition};
use crate::lifecycle::Shutdown;

/// A group in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionLag {
    /// Partition.
    pub at: TopicPartition,
    /// Where the group goes on: its offset, or the oldest one held when it has none or an older one.
    pub position: u64,
    /// Next offset to be written.
    pub end: u64,
    /// Records between.
    pub lag: u64,
    /// When the first of them was written, milliseconds since the epoch; `None` when there is none, or none can be read.
    pub oldest_ms: Option<i64>,
}

/// The lag of a group in all partitions of these topics. Reads one record of each partition that has lag.
///
/// # Errors
/// The broker does not answer.
pub fn lag(broker: &dyn Broker, group: &str, topics: &[TopicInfo]) -> Result<Vec<PartitionLag>> {
    let passed = broker.group_offsets(group)?;
    let mut all = Vec::new();
    for topic in topics {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            all.push(of_partition(broker, &passed, at)?);
        }
    }
    Ok(all)
}

/// The ends of these topics' partitions that hold records, once all that has been sent to them by now can be seen.
///
/// # Errors
/// The broker does not answer.
pub fn ends(
    broker: &dyn Broker,
    is_wanted: impl Fn(&str) -> bool,
    shutdown: &Shutdown,
) -> Result<Vec<(TopicPartition, u64)>> {
    let partitions: Vec<TopicPartition> = broker
        .topics()?
        .into_iter()
        .filter(|topic| is_wanted(&topic.name))
        .flat_map(|topic| {
            (0..topic.partitions).map(move |partition| TopicPartition { topic: topic.name.clone(), partition })
        })
        .collect();
    broker.wait_for_open_transactions(&partitions, shutdown)?;
    let mut ends = Vec::new();
    for at in partitions {
        let marks = broker.watermarks(&at)?;
        if marks.high > marks.low {
            ends.push((at, marks.high));
        }
    }
    Ok(ends)
}

fn of_partition(broker: &dyn Broker, passed: &[GroupOffset], at: TopicPartition) -> Result<PartitionLag> {
    let marks = broker.watermarks(&at)?;
    let offset = passed.iter().find(|offset| offset.at == at).map_or(marks.low, |offset| offset.offset);
    let position = offset.max(marks.low);
    let lag = marks.high.saturating_sub(position);
    let oldest_ms = if lag > 0 { written_ms(broker, &at, position)? } else { None };
    Ok(PartitionLag { at, position, end: marks.high, lag, oldest_ms })
}

fn written_ms(broker: &dyn Broker, at: &TopicPartition, offset: u64) -> Result<Option<i64>> {
    match broker.read(at, offset, 1, 1) {
        Ok(messages) => Ok(messages.first().map(|message| message.timestamp_ms)),
        // Retention has taken it in this moment, or the broker's copy is damaged.
        Err(BrokerError::OffsetOutOfRange { .. } | BrokerError::Unreadable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
