//! One operator at a time: the process that has the only partition of the lock topic, in a group of the lock's name. The broker
//! takes it away from a process that is dead or silent, and refuses its writes from then on; the mark is stored in the
//! same atomic step as the records it speaks of.

use std::time::{Duration, Instant};

use contracts::topics;
use platform::broker::{
    Appended, Broker, BrokerError, ConsumerConfig, GroupOffset, OutRecord, Polled, Processor, Start, TopicPartition,
    TopicSpec, Topics,
};
use platform::lifecycle::Shutdown;

use super::ResendError;
use super::membership::Membership;

/// A holder that does not show itself for this long has lost it.
const SESSION: Duration = Duration::from_secs(15);
/// Longer than a session: the lock of a process that was killed is free by then.
const WAIT_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

/// Held until dropped, also by a holder that is busy with something else.
pub struct Lock {
    name: String,
    membership: Membership<dyn Processor>,
    at: TopicPartition,
    mark: String,
}

impl Lock {
    /// Waits for the lock of this name. When it is lost later, `on_loss` is asked to stop.
    ///
    /// # Errors
    /// Another process holds it, or the broker refuses.
    pub fn take(broker: &dyn Broker, name: &str, on_loss: &Shutdown) -> Result<Self, ResendError> {
        broker.ensure_topic(&TopicSpec {
            name: topics::LOCKS.to_owned(),
            partitions: 1,
            compacted: false,
            retention_ms: None,
            retention_bytes: None,
        })?;
        let mut processor = broker.processor(ConsumerConfig {
            group: name.to_owned(),
            topics: Topics::Names(vec![topics::LOCKS.to_owned()]),
            member: format!("{name}-{}", uuid::Uuid::new_v4().simple()),
            start: Start::Earliest,
            session_timeout: SESSION,
            poll_records_max: 1,
            poll_bytes_max: 1,
        })?;
        let deadline = Instant::now() + WAIT_MAX;
        while Instant::now() < deadline {
            match processor.poll(POLL) {
                Ok(Polled::Assigned(assigned)) => {
                    if let Some(partition) = assigned.into_iter().next() {
                        let mark = partition.metadata.unwrap_or_default();
                        let membership = Membership::keep(processor, SESSION, on_loss);
                        return Ok(Self { name: name.to_owned(), membership, at: partition.at, mark });
                    }
                }
                Ok(_) => {}
                Err(error) if error.is_retriable() => std::thread::sleep(POLL),
                Err(error) => return Err(error.into()),
            }
        }
        Err(ResendError::Held { lock: name.to_owned() })
    }

    /// The mark that the last atomic step under this lock left; empty when there was none.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Looks whether it is still held.
    ///
    /// # Errors
    /// The lock is lost, or the broker refuses.
    pub fn check(&self) -> Result<(), ResendError> {
        match self.membership.is_held() {
            Ok(true) => Ok(()),
            Ok(false) => Err(ResendError::Held { lock: self.name.clone() }),
            // A step that is not allowed any more is refused.
            Err(error) if error.is_retriable() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends the records and leaves the mark, both or neither; neither once the lock is lost.
    ///
    /// # Errors
    /// The lock is lost, or the broker refuses.
    pub fn step(&mut self, records: &[OutRecord], mark: &str) -> Result<Vec<Appended>, BrokerError> {
        let offset = GroupOffset { at: self.at.clone(), offset: 0, metadata: mark.to_owned() };
        self.membership.with(|processor| processor.step(records, &[offset]))
    }
}
