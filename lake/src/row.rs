//! What is known of a record without decoding it: where its row belongs, and where it came from.

use std::sync::Arc;

use contracts::claims::may_stand_for;
use contracts::last_record::{self, LastRecord};
use contracts::source::{Src, SrcPartition};
use contracts::topics::headers;
use contracts::{datasets, layout, time};
use platform::broker::{Broker, BrokerError, Message, TopicPartition, Watermarks, record_at};

use crate::batch::{BatchRow, FileTarget, RecordPayload};

/// `error_code` of a record of the valid topic that is no storage record: another producer wrote there.
pub(crate) const NOT_A_STORAGE_RECORD: &str = "not_a_storage_record";

/// A record with what is wrong with it, if it cannot be what its topic promises.
#[derive(Debug, Clone)]
pub struct Record {
    /// The record.
    pub message: Arc<Message>,
    /// What is wrong with it.
    pub problem: Option<String>,
}

impl RecordPayload for Record {
    fn last_record(&self, offset: u64) -> LastRecord {
        LastRecord { offset, ..last_record(&self.message) }
    }
}

/// What is remembered of a record.
pub fn last_record(message: &Message) -> LastRecord {
    let Message { offset, timestamp_ms, key, value, headers, .. } = message;
    let value = value.as_bytes().map(|bytes| &bytes[..]);
    LastRecord {
        offset: *offset,
        src: text(message, headers::SRC).and_then(|src| src.parse().ok()),
        sha256: last_record::digest(*timestamp_ms, key.as_deref(), value, headers.iter()),
    }
}

/// What is remembered of the record at an offset of the topic of that id, as [`record_at`] finds it.
///
/// # Errors
/// The broker refuses, or has another topic of that name by now.
pub fn last_record_at(
    broker: &dyn Broker,
    topic_partition: &TopicPartition,
    topic_id: &str,
    offset: u64,
    marks: &mut Watermarks,
) -> Result<Option<LastRecord>, BrokerError> {
    Ok(record_at(broker, topic_partition, topic_id, offset, marks)?.as_ref().map(last_record))
}

/// Longest `tenant/workspace/run_id` that a commit record lists: names as long as those of a manifest, and a tenant.
const RUN_BYTES_MAX: usize = 2 * layout::NAME_BYTES_MAX + 70;

/// A record that is not what its topic promises becomes a dead letter of itself: kept, counted, and stopping no partition.
pub(crate) fn quarantined(message: &Arc<Message>, topic_id: &str, problem: String) -> BatchRow<Record> {
    let own = SrcPartition { topic_id: topic_id.to_owned(), partition: message.at.partition };
    BatchRow {
        target: FileTarget {
            dataset: &datasets::DEAD_LETTERS,
            tenant: layout::UNKNOWN_TENANT.into(),
            run_date: time::date_of(time::clamp_ms(message.timestamp_ms)),
        },
        src: Src { partition: own, offset: message.offset },
        run: None,
        bytes: size(message),
        payload: Record { message: message.clone(), problem: Some(problem) },
    }
}

/// The row of a record that names its source position in a header.
pub(crate) fn row(message: &Arc<Message>, target: FileTarget, run: Option<String>) -> Result<BatchRow<Record>, String> {
    let position = |name: &str, value: &str| value.parse::<Src>().map_err(|e| format!("header {name}: {e}"));
    let src = position(headers::SRC, required(message, headers::SRC)?)?;
    let first = match text(message, headers::REPLAY_OF) {
        Some(value) => Some(position(headers::REPLAY_OF, value)?).filter(|first| may_stand_for(first, &src)),
        None => None,
    };
    let first = first.unwrap_or_else(|| src.clone());
    // No manifest can announce a run with a longer name, so nothing asks how much of it has arrived.
    let run = run.filter(|run| run.len() <= RUN_BYTES_MAX);
    let payload = Record { message: message.clone(), problem: None };
    Ok(BatchRow { target, src, run: run.map(|run| (run, first)), bytes: size(message), payload })
}

pub(crate) fn required<'m>(message: &'m Message, name: &str) -> Result<&'m str, String> {
    text(message, name).ok_or_else(|| format!("header {name} is absent or no text"))
}

pub(crate) fn text<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    std::str::from_utf8(message.header(name)?).ok()
}

/// What the record costs in memory, about.
pub fn size(message: &Message) -> u64 {
    (message.bytes() + 256) as u64
}
