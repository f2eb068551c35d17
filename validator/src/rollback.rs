//! A wire topic that was rolled back (a restored backup, a copy that lacked records as its leader) gives out offsets for the second
//! time: its new records would be taken for those that are judged already. Compared when a partition is assigned.

use contracts::last_record::{self, LastRecord};
use platform::broker::{Assignment, Broker, BrokerError, GroupOffset, Message, until_answered};
use platform::lifecycle::Shutdown;

use crate::error::ValidatorError;
use crate::position::Position;

/// About the bytes of one record that is looked at.
const READ_BYTES: usize = 1;

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
    if kept.last_record.is_none() {
        return Ok(());
    }
    let compare = || match look(broker, assignment, kept) {
        Ok(Some(problem)) => Ok(is_of(broker, assignment)?.then_some(problem)),
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
    Assignment { at, position, .. }: &Assignment,
    kept: &Position,
) -> Result<Option<ValidatorError>, BrokerError> {
    let Some(judged) = &kept.last_record else { return Ok(None) };
    let marks = broker.watermarks(at)?;
    let (topic, partition, position) = (at.topic.to_string(), at.partition, *position);
    if judged.offset >= marks.high {
        return Ok(Some(ValidatorError::TopicBehind { topic, partition, position, high: marks.high }));
    }
    if judged.offset < marks.low {
        return Ok(None);
    }
    let read = match broker.read(at, judged.offset, 1, READ_BYTES) {
        Err(BrokerError::OffsetOutOfRange { low, .. }) if low > judged.offset => return Ok(None),
        other => other?,
    };
    let found = read.iter().find(|message| message.offset == judged.offset).map(last_record);
    Ok(match &found {
        Some(found) if found.sha256 == judged.sha256 => None,
        found => Some(ValidatorError::RolledBack {
            topic,
            partition,
            offset: judged.offset,
            judged: what(Some(judged)),
            found: what(found.as_ref()),
        }),
    })
}

/// False when the topic was created again since the partition was assigned.
fn is_of(broker: &dyn Broker, Assignment { at, topic_id, .. }: &Assignment) -> Result<bool, BrokerError> {
    Ok(broker.topics()?.iter().any(|topic| topic.name == at.topic && topic.id == *topic_id))
}

/// The beginning of a digest tells two records apart.
fn what(record: Option<&LastRecord>) -> String {
    match record {
        None => "no record".to_owned(),
        Some(LastRecord { sha256, .. }) => {
            format!("the record with SHA-256 {}", sha256.get(..16).unwrap_or(sha256))
        }
    }
}
