//! What a topic holds where its commit chain ends.

use contracts::chain::ChainHead;
use contracts::last_record::LastRecord;
use lake::row::last_record_at;
use platform::broker::{self, Broker, BrokerError, TopicPartition, Watermarks};

/// The offsets that the topic of that id holds, and what its last written record is there; `None` when it has expired.
///
/// # Errors
/// The broker refuses, or has another topic of that name by now.
pub(crate) fn topic_end(
    broker: &dyn Broker,
    at: &TopicPartition,
    topic_id: &str,
    head: &ChainHead,
) -> Result<(Watermarks, Option<LastRecord>), BrokerError> {
    let mut marks = broker.watermarks(at)?;
    // These may be the marks of another topic.
    if head.end > marks.high && !broker::is_there(broker, at, topic_id)? {
        return Err(BrokerError::UnknownTopic(at.topic.to_string()));
    }
    let found = match &head.last_record {
        Some(last) => last_record_at(broker, at, topic_id, last.offset, &mut marks)?,
        None => None,
    };
    Ok((marks, found))
}
