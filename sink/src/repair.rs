//! Brings back what `verify` finds missing, as far as the broker still holds it: lost wire records are sent again under a
//! new source position that names the first one, committed files that are gone are made again from the topic, byte for
//! byte. Running it twice does nothing twice: what was sent again is on its way, so it is not missing any more.

use std::collections::{BTreeMap, BTreeSet};

use contracts::commit_record::CommitRecord;
use contracts::source::Src;
use contracts::topics::headers;
use platform::broker::{Broker, BrokerError, Message, OutRecord, TopicPartition};
use platform::store::Store;
use serde::Serialize;

use crate::service;
use crate::verify::{self, Missing, Problem, Report, VerifyError};

const READ_RECORDS: usize = 1_000;
const READ_BYTES: usize = 16 << 20;

/// What can be brought back.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Wire records to be sent again.
    pub send: Vec<Missing>,
    /// Files to be made again.
    pub rebuild: Vec<String>,
    /// What must be mended by hand first: until then it cannot be told what is missing, so nothing is sent.
    pub blocked_by: Vec<Problem>,
    /// Offsets without a row that the broker no longer holds: if they were records, only their source has them.
    pub gone: Vec<Missing>,
    #[serde(skip)]
    links: Vec<CommitRecord>,
    #[serde(skip)]
    wire_ends: BTreeMap<TopicPartition, u64>,
}

/// What was brought back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Wire records that were sent again.
    pub sent: u64,
    /// Wire records that were not: sent again by somebody else since the plan was made, or gone from the broker.
    pub not_sent: u64,
    /// Files that were made again.
    pub files: u64,
    /// What could not be made again, and why.
    pub failed: Vec<String>,
}

/// What a report says can be brought back.
#[must_use]
pub fn plan(report: &Report) -> Plan {
    let links = report.links_with_missing_files.clone();
    let is_missing: BTreeSet<&str> = report.problems.iter().map(|problem| problem.object.as_str()).collect();
    let files = links.iter().flat_map(|link| &link.files).map(|file| file.path.clone());
    let blocked_by: Vec<_> = report.problems.iter().filter(|p| p.rule.hides_what_is_missing()).cloned().collect();
    Plan {
        send: if blocked_by.is_empty() { report.missing.clone() } else { Vec::new() },
        rebuild: files.filter(|path| is_missing.contains(path.as_str())).collect(),
        blocked_by,
        gone: report.unproven.clone(),
        links,
        wire_ends: report.wire_ends.clone(),
    }
}

impl Plan {
    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.send.is_empty() && self.links.is_empty()
    }
}

/// Carries the plan out. What has been sent again since it was made is not sent once more.
///
/// # Errors
/// Broker or store refused. A file that cannot be made again as it was is no error but in the answer.
pub fn execute(plan: &Plan, broker: &dyn Broker, store: &dyn Store) -> Result<Repaired, VerifyError> {
    let mut repaired = Repaired::default();
    for link in &plan.links {
        let at = TopicPartition { topic: link.topic.as_str().into(), partition: link.partition };
        match service::rebuild(broker, store, &at, link) {
            Ok(()) => {
                repaired.files += link.files.iter().filter(|file| plan.rebuild.contains(&file.path)).count() as u64
            }
            Err(error) if error.is_retriable() => return Err(error.into()),
            Err(error) => repaired.failed.push(error.to_string()),
        }
    }
    for missing in &plan.send {
        let at = TopicPartition { topic: missing.topic.as_str().into(), partition: missing.partition.partition };
        let planned_at = plan.wire_ends.get(&at).copied().unwrap_or_default();
        send(broker, &at, missing, planned_at, &mut repaired)?;
    }
    Ok(repaired)
}

fn send(
    broker: &dyn Broker,
    at: &TopicPartition,
    missing: &Missing,
    planned_at: u64,
    repaired: &mut Repaired,
) -> Result<(), BrokerError> {
    let mut sent_since = BTreeSet::new();
    verify::read(broker, at, planned_at, u64::MAX, |message| sent_since.extend(verify::replay_of(message)))?;
    let mut producer = broker.producer()?;
    let mut sent = 0;
    for range in missing.offsets.ranges() {
        let mut next = range.start;
        while next < range.end {
            let records_max = usize::try_from(range.end - next).unwrap_or(READ_RECORDS).min(READ_RECORDS);
            let messages = match broker.read(at, next, records_max, READ_BYTES) {
                Ok(messages) => messages,
                // Retention has taken them meanwhile.
                Err(BrokerError::OffsetOutOfRange { low, .. }) if low > next => {
                    next = low;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let Some(last) = messages.last() else { break };
            next = last.offset + 1;
            let records: Vec<_> = messages
                .into_iter()
                .filter(|message| message.offset < range.end)
                .map(|message| {
                    let own = Src { partition: missing.partition.clone(), offset: message.offset };
                    (verify::replay_of(&message).unwrap_or(own), message)
                })
                .filter(|(first, _)| !sent_since.contains(first))
                .map(|(first, message)| again(message, &first))
                .collect();
            sent += producer.append(&records)?.len() as u64;
        }
    }
    repaired.sent += sent;
    repaired.not_sent += missing.offsets.count().saturating_sub(sent);
    Ok(())
}

/// The record as it was, with its first position, into the same partition: a tenant keeps its order. Its time is that of
/// sending, else retention could take it before it is judged.
pub(crate) fn again(message: Message, first: &Src) -> OutRecord {
    let mut with_first = message.headers;
    with_first.retain(|name| name != headers::REPLAY_OF);
    with_first.push(headers::REPLAY_OF, first.to_string().as_bytes());
    OutRecord {
        topic: message.at.topic,
        partition: Some(message.at.partition),
        key: message.key,
        value: message.value,
        headers: with_first,
        timestamp_ms: None,
    }
}
