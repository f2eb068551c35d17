//! The records of an offset range of a topic, part by part.

use std::ops::Range;

use super::{Broker, BrokerError, Message, TopicPartition};

/// Records of one part, where a whole range is read.
pub const READ_RECORDS: usize = 10_000;
/// Bytes of one part, about, where a whole range is read.
pub const READ_BYTES: usize = 16 << 20;

/// What is still to be read.
pub struct Parts<'a> {
    broker: &'a dyn Broker,
    at: &'a TopicPartition,
    range: Range<u64>,
    /// Bytes of one part, about.
    bytes_max: usize,
    skips_expired: bool,
}

impl<'a> Parts<'a> {
    /// Every record of the range; one that has expired is [`BrokerError::OffsetOutOfRange`].
    pub fn all(broker: &'a dyn Broker, at: &'a TopicPartition, range: Range<u64>, bytes_max: usize) -> Self {
        Self { broker, at, range, bytes_max, skips_expired: false }
    }

    /// The records of the range that the broker still holds.
    pub fn held(broker: &'a dyn Broker, at: &'a TopicPartition, range: Range<u64>, bytes_max: usize) -> Self {
        Self { skips_expired: true, ..Self::all(broker, at, range, bytes_max) }
    }

    /// The next part, of at most so many records; `None` when there are no more.
    pub fn next(&mut self, records_max: usize) -> Result<Option<Vec<Message>>, BrokerError> {
        while !self.range.is_empty() {
            let wanted = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
            let read = self.broker.read(self.at, self.range.start, wanted.min(records_max), self.bytes_max);
            let mut messages = match read {
                Err(BrokerError::OffsetOutOfRange { low, .. }) if self.skips_expired && low > self.range.start => {
                    self.range.start = low;
                    continue;
                }
                other => other?,
            };
            let Some(last) = messages.last() else { break };
            self.range.start = last.offset + 1;
            messages.retain(|message| message.offset < self.range.end);
            return Ok(Some(messages));
        }
        Ok(None)
    }
}

/// Reads what the broker holds of a range; returns where it stopped.
///
/// # Errors
/// The broker refuses.
pub fn read_held(
    broker: &dyn Broker,
    topic_partition: &TopicPartition,
    from: u64,
    until: u64,
    mut each: impl FnMut(&Message),
) -> Result<u64, BrokerError> {
    let marks = broker.watermarks(topic_partition)?;
    let (next, until) = (from.max(marks.low), until.min(marks.high));
    let mut parts = Parts::held(broker, topic_partition, next..until, READ_BYTES);
    while let Some(messages) = parts.next(READ_RECORDS)? {
        messages.iter().for_each(&mut each);
    }
    Ok(until.max(from))
}
