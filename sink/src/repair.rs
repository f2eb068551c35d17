//! Brings back what `verify` finds missing, as far as the broker still holds it: lost wire records are sent again under a
//! new source position that names the first one, committed files that are gone are made again from the topic, byte for
//! byte. Running it twice does nothing twice: what was sent again is on its way, so it is not missing any more.

use bytes::Bytes;
use contracts::commit_record::CommitRecord;
use contracts::source::Src;
use contracts::topics::headers;
use platform::broker::{Broker, Message, OutRecord, TopicPartition};
use platform::store::Store;
use serde::Serialize;

use crate::service;
use crate::verify::{Missing, Report, VerifyError};

/// Records of one append.
const BATCH: usize = 1_000;

/// What can be brought back.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// Wire records to be sent again.
    pub send: Vec<Missing>,
    /// Files to be made again, by commit record.
    pub rebuild: Vec<String>,
    #[serde(skip)]
    links: Vec<CommitRecord>,
}

/// What was brought back.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Wire records that were sent again.
    pub sent: u64,
    /// Files that were made again.
    pub files: u64,
}

/// What a report says can be brought back.
#[must_use]
pub fn plan(report: &Report) -> Plan {
    let links = report.links_with_missing_files.clone();
    let rebuild = links.iter().flat_map(|link| &link.files).map(|file| file.path.clone()).collect();
    Plan { send: report.missing.clone(), rebuild, links }
}

impl Plan {
    /// There is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.send.is_empty() && self.links.is_empty()
    }
}

/// Carries the plan out, right after it was made: a plan that is old may send what has arrived since.
///
/// # Errors
/// Broker or store refused, or a file cannot be made again as it was.
pub fn execute(plan: &Plan, broker: &dyn Broker, store: &dyn Store) -> Result<Repaired, VerifyError> {
    let mut repaired = Repaired::default();
    for link in &plan.links {
        let at = TopicPartition { topic: link.topic.as_str().into(), partition: link.partition };
        service::rebuild(broker, store, &at, link)?;
        repaired.files += link.files.len() as u64;
    }
    let mut producer = broker.producer()?;
    for missing in &plan.send {
        let at = TopicPartition { topic: missing.topic.as_str().into(), partition: missing.partition.partition };
        let mut batch = Vec::new();
        for offset in missing.offsets.ranges().flatten() {
            let found = broker.read(&at, offset, 1, 1)?.into_iter().find(|message| message.offset == offset);
            batch.extend(found.map(|message| again(message, Src { partition: missing.partition.clone(), offset })));
            if batch.len() == BATCH {
                repaired.sent += producer.append(&std::mem::take(&mut batch))?.len() as u64;
            }
        }
        repaired.sent += producer.append(&batch)?.len() as u64;
    }
    Ok(repaired)
}

/// The record as it was, with its first position. The same partition: a tenant keeps its order.
fn again(message: Message, src: Src) -> OutRecord {
    let mut with_first = message.headers;
    if !with_first.iter().any(|(name, _)| name == headers::REPLAY_OF) {
        with_first.push((headers::REPLAY_OF.to_owned(), Bytes::from(src.to_string())));
    }
    OutRecord {
        topic: message.at.topic,
        partition: Some(message.at.partition),
        key: message.key,
        value: message.value,
        headers: with_first,
        timestamp_ms: Some(message.timestamp_ms),
    }
}
