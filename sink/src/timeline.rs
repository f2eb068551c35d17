//! What a topic holds where it was read before: a broker that was rolled back holds something else there, or nothing.

use contracts::chain::ChainHead;
use contracts::last_record::LastRecord;
use platform::broker::{Broker, BrokerError, TopicPartition, Watermarks, record_at};

use crate::error::SinkError;
use crate::{machine, row};

/// What is remembered of the record at an offset of the topic of that id, as [`record_at`] finds it.
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
    Ok(record_at(broker, at, topic_id, offset, marks)?.as_ref().map(row::last_record))
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
