//! What a topic holds where it was read before: a broker that was rolled back holds something else there, or nothing.

use contracts::chain::ChainHead;
use contracts::last_record::LastRecord;
use platform::broker::{Broker, BrokerError, TopicPartition, Watermarks};

use crate::error::SinkError;
use crate::{machine, row};

/// About the bytes of one record that is looked at.
const READ_BYTES: usize = 1;

/// The record at an offset of the topic of that id; `None` when there is none, or it lies outside of what the broker holds.
/// `marks` are those of before; they follow when the record expires meanwhile.
///
/// # Errors
/// The broker refuses, or has another topic of that name by now.
pub(crate) fn found(
    broker: &dyn Broker,
    at: &TopicPartition,
    topic_id: &str,
    offset: u64,
    marks: &mut Watermarks,
) -> Result<Option<LastRecord>, BrokerError> {
    if !(marks.low..marks.high).contains(&offset) {
        return Ok(None);
    }
    let read = match broker.read(at, offset, 1, READ_BYTES) {
        Err(BrokerError::OffsetOutOfRange { low, .. }) if low > offset => {
            marks.low = low;
            return Ok(None);
        }
        other => other?,
    };
    if !broker.topics()?.iter().any(|topic| topic.name == at.topic && *topic.id == *topic_id) {
        return Err(BrokerError::UnknownTopic(at.topic.to_string()));
    }
    Ok(read.iter().find(|message| message.offset == offset).map(row::last_record))
}

/// Whether a chain and the topic of that id still belong together.
///
/// # Errors
/// They do not, or the broker refuses.
pub(crate) fn check(
    broker: &dyn Broker,
    at: &TopicPartition,
    topic_id: &str,
    head: &ChainHead,
) -> Result<(), SinkError> {
    let mut marks = broker.watermarks(at)?;
    let found = match &head.last_record {
        Some(last) => found(broker, at, topic_id, last.offset, &mut marks)?,
        None => None,
    };
    machine::is_of_topic(at, head, marks.low..marks.high, found.as_ref())
}
