//! What a member makes of the errors that librdkafka hands out instead of records.

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracing::{debug, warn};

use super::super::{Result, errors, list};
use super::{AssignedPartition, Member};
use crate::broker::{Broker, BrokerError, TopicPartition};

impl Member {
    /// The error to tell; `None` when librdkafka mends it by itself.
    pub(super) fn trouble(&self, error: &KafkaError) -> Option<BrokerError> {
        match errors::code(error) {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                self.out_of_range().or_else(|| self.read_on().err())
            }
            _ if errors::is_unreadable_batch(error) => self.unreadable(error),
            // The loss of the partitions is reported separately.
            Some(RDKafkaErrorCode::PollExceeded) => None,
            _ => match errors::of(error, || self.doing("polling")) {
                fatal @ BrokerError::Fatal { .. } => Some(fatal),
                passing => {
                    warn!(%passing, "the Kafka client goes on trying");
                    None
                }
            },
        }
    }

    /// A batch that cannot be read: back to where each partition stands, because librdkafka resumes after it. It does not say which
    /// partition it is; a reader of its own finds out, and whether the batch stays unreadable.
    fn unreadable(&self, error: &KafkaError) -> Option<BrokerError> {
        warn!(%error, member = self.config.member, "a batch cannot be read: looking for it, and reading it again");
        if let Err(error) = self.read_on() {
            return Some(error);
        }
        self.assigned.iter().find_map(|(at, AssignedPartition { next, .. })| match self.broker.read(at, *next, 1, 1) {
            Err(unreadable @ BrokerError::Unreadable { .. }) => Some(unreadable),
            Ok(_) => None,
            Err(passing) => {
                debug!(%passing, "no answer, so the member's own reading finds out");
                None
            }
        })
    }

    /// librdkafka does not say which partition it is.
    fn out_of_range(&self) -> Option<BrokerError> {
        self.assigned.iter().find_map(|(at, AssignedPartition { next, .. })| {
            let marks = self.broker.inner.admin.watermarks(at).ok()?;
            let is_outside = *next < marks.low || *next > marks.high;
            is_outside.then(|| BrokerError::OffsetOutOfRange {
                topic: at.topic.to_string(),
                partition: at.partition,
                offset: *next,
                low: marks.low,
                high: marks.high,
            })
        })
    }

    /// A partition that was out of range is not read any more by itself, even when it was so for a moment only.
    fn read_on(&self) -> Result<()> {
        let assigned: Vec<TopicPartition> = self.assigned.keys().cloned().collect();
        self.client.incremental_unassign(&list(&assigned)).map_err(|e| errors::of(&e, || self.doing("reading on")))?;
        self.begin(&assigned)
    }
}
