//! A wire topic that was rolled back (a restored backup, a copy that lacked records as its leader) gives out offsets for the second
//! time: its new records would be taken for those that are judged already. Compared when a partition is assigned.

use contracts::last_record::{self, LastRecord};
use contracts::position::Position;
use platform::broker::{self, Assignment, Broker, BrokerError, GroupOffset, Message, until_answered};
use platform::lifecycle::Shutdown;

use crate::error::ValidatorError;

/// What is remembered of a record.
pub(crate) fn last_record(message: &Message) -> LastRecord {
    let Message { offset, timestamp_ms, key, value, headers, .. } = message;
    let value = value.as_bytes().map(|bytes| &bytes[..]);
    let sha256 = last_record::digest(*timestamp_ms, key.as_deref(), value, headers.iter());
    LastRecord { offset: *offset, src: None, sha256 }
}

/// Compares the last judged record with what the partition holds there, as soon as the broker answers. A record that has expired, and
/// an offset that bears none, cannot be compared.
///
/// # Errors
/// The partition holds another record or ends before it, or the broker refuses for good.
pub(crate) fn check(
    broker: &dyn Broker,
    assignment: &Assignment,
    kept: &Position,
    shutdown: &Shutdown,
    retried: impl Fn(),
) -> Result<(), ValidatorError> {
    let Some(judged) = &kept.last_record else { return Ok(()) };
    let compare = || match look(broker, assignment, judged) {
        // Deleted since it was assigned: the next poll says so.
        Err(BrokerError::UnknownTopic(_)) => Ok(None),
        other => other,
    };
    match until_answered(shutdown, "comparing the last judged record", retried, compare)?.flatten() {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// The same of offsets of the group.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_all<'o>(
    broker: &dyn Broker,
    offsets: impl Iterator<Item = &'o GroupOffset>,
    shutdown: &Shutdown,
    retried: impl Fn(),
) -> Result<(), ValidatorError> {
    let Some(topics) = until_answered(shutdown, "asking for topics", &retried, || broker.topics())? else {
        return Ok(());
    };
    for GroupOffset { at, offset, metadata } in offsets {
        let Some(topic) = topics.iter().find(|topic| topic.name == at.topic) else { continue };
        let (topic_id, position, metadata) = (topic.id.clone(), *offset, Some(metadata.clone()));
        let kept = Position::of(metadata.as_deref().unwrap_or_default());
        check(broker, &Assignment { at: at.clone(), topic_id, position, metadata }, &kept, shutdown, &retried)?;
    }
    Ok(())
}

fn look(
    broker: &dyn Broker,
    Assignment { at, topic_id, position, .. }: &Assignment,
    judged: &LastRecord,
) -> Result<Option<ValidatorError>, BrokerError> {
    let mut marks = broker.watermarks(at)?;
    let (topic, partition, position, high) = (at.topic.to_string(), at.partition, *position, marks.high);
    if judged.offset >= high {
        let is_behind = broker::is_there(broker, at, topic_id)?;
        return Ok(is_behind.then_some(ValidatorError::TopicBehind { topic, partition, position, high }));
    }
    let found = broker::record_at(broker, at, topic_id, judged.offset, &mut marks)?.as_ref().map(last_record);
    let is_same = found.as_ref().is_some_and(|found| found.sha256 == judged.sha256);
    if is_same || judged.offset < marks.low {
        return Ok(None);
    }
    let (offset, found) = (judged.offset, LastRecord::describe(found.as_ref()));
    Ok(Some(ValidatorError::RolledBack { topic, partition, offset, judged: LastRecord::describe(Some(judged)), found }))
}
