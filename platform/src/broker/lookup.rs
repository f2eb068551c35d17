//! One record by its offset.

use super::{Broker, BrokerError, Message, Result, TopicPartition, Watermarks};

/// About the bytes of the one record.
const READ_BYTES: usize = 1;

/// The record at an offset of the topic of that id; `None` when there is none, or it lies outside of what the broker holds.
/// `marks` are those of before; they follow when the record expires meanwhile.
///
/// # Errors
/// The broker refuses, or has another topic of that name by now.
pub fn record_at(
    broker: &dyn Broker,
    topic_partition: &TopicPartition,
    topic_id: &str,
    offset: u64,
    marks: &mut Watermarks,
) -> Result<Option<Message>> {
    if !(marks.low..marks.high).contains(&offset) {
        return Ok(None);
    }
    let read = broker.read(topic_partition, offset, 1, READ_BYTES);
    // Before the answer counts, whatever it is: a topic that was recreated meanwhile holds other offsets.
    if !is_there(broker, topic_partition, topic_id)? {
        return Err(BrokerError::UnknownTopic(topic_partition.topic.to_string()));
    }
    let read = match read {
        Err(BrokerError::OffsetOutOfRange { low, .. }) if low > offset => {
            marks.low = low;
            return Ok(None);
        }
        other => other?,
    };
    Ok(read.into_iter().find(|message| message.offset == offset))
}

/// False when the topic of that id was deleted, also when there is another one of its name.
///
/// # Errors
/// The broker refuses.
pub fn is_there(broker: &dyn Broker, topic_partition: &TopicPartition, topic_id: &str) -> Result<bool> {
    Ok(broker.topics()?.iter().any(|topic| topic.name == topic_partition.topic && *topic.id == *topic_id))
}
