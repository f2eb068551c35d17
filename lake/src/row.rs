//! What is known of a record without decoding it: where its row belongs, and where it came from.

use std::sync::Arc;

use contracts::claims::may_stand_for;
use contracts::last_record::{self, LastRecord};
use contracts::source::{Src, SrcPartition};
use contracts::topics::{self, headers};
use contracts::{dead_letter, layout, time};
use platform::broker::{Broker, BrokerError, Message, TopicPartition, Watermarks, record_at};

use crate::batch::{Payload, Row, Target};

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

impl Payload for Record {
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
    at: &TopicPartition,
    topic_id: &str,
    offset: u64,
    marks: &mut Watermarks,
) -> Result<Option<LastRecord>, BrokerError> {
    Ok(record_at(broker, at, topic_id, offset, marks)?.as_ref().map(last_record))
}

/// Longest `tenant/workspace/run_id` that a commit record lists: names as long as those of a manifest, and a tenant.
const RUN_BYTES_MAX: usize = 2 * layout::NAME_BYTES_MAX + 70;

/// Finds out where a record's row belongs.
pub fn of_message(message: Message, topic_id: &str) -> Row<Record> {
    let message = Arc::new(message);
    let found = if topics::is_valid(&message.at.topic) { of_valid(&message) } else { of_dead_letter(&message) };
    found.unwrap_or_else(|problem| quarantined(&message, topic_id, problem))
}

/// A record that is not what its topic promises becomes a dead letter of itself: kept, counted, and stopping no partition.
pub(crate) fn quarantined(message: &Arc<Message>, topic_id: &str, problem: String) -> Row<Record> {
    let own = SrcPartition { topic_id: topic_id.to_owned(), partition: message.at.partition };
    Row {
        target: Target {
            dataset: layout::DEAD_LETTERS,
            tenant: layout::UNKNOWN_TENANT.into(),
            run_date: time::date_of(time::clamp_ms(message.timestamp_ms)),
        },
        src: Src { partition: own, offset: message.offset },
        run: None,
        bytes: size(message),
        payload: Record { message: message.clone(), problem: Some(problem) },
    }
}

fn of_valid(message: &Arc<Message>) -> Result<Row<Record>, String> {
    let tenant = required(message, headers::TENANT_ID)?;
    let run_date = required(message, headers::RUN_DATE)?;
    if !layout::is_tenant_slug(tenant) {
        return Err(format!("header {} is no tenant", headers::TENANT_ID));
    }
    if time::date(run_date).map(time::format_date).as_deref() != Ok(run_date) {
        return Err(format!("header {} is no date", headers::RUN_DATE));
    }
    let target = Target { dataset: layout::FINDINGS, tenant: tenant.to_owned(), run_date: run_date.to_owned() };
    let run = text(message, headers::RUN).map(str::to_owned);
    row(message, target, run)
}

fn of_dead_letter(message: &Arc<Message>) -> Result<Row<Record>, String> {
    let tenant = tenant_of_dead_letter(message);
    let target = Target {
        dataset: layout::DEAD_LETTERS,
        tenant: tenant.unwrap_or(layout::UNKNOWN_TENANT).to_owned(),
        run_date: time::date_of(time::clamp_ms(message.timestamp_ms)),
    };
    dead_letter::DeadLetter::from_headers(|name| message.header(name)).map_err(|e| e.to_string())?;
    row(message, target, run_of_dead_letter(message))
}

fn tenant_of_dead_letter(message: &Message) -> Option<&str> {
    text(message, headers::TENANT_ID).filter(|tenant| layout::is_tenant_slug(tenant))
}

/// The run that a dead letter is counted for, `tenant/workspace/run_id`, or `//run_id` where its headers tell no more.
pub(crate) fn run_of_dead_letter(message: &Message) -> Option<String> {
    let run_id = text(message, headers::RUN_ID)?;
    Some(match (tenant_of_dead_letter(message), text(message, headers::WORKSPACE_ID)) {
        (Some(tenant), Some(workspace)) => format!("{tenant}/{workspace}/{run_id}"),
        _ => format!("//{run_id}"),
    })
}

fn row(message: &Arc<Message>, target: Target, run: Option<String>) -> Result<Row<Record>, String> {
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
    Ok(Row { target, src, run: run.map(|run| (run, first)), bytes: size(message), payload })
}

fn required<'m>(message: &'m Message, name: &str) -> Result<&'m str, String> {
    text(message, name).ok_or_else(|| format!("header {name} is absent or no text"))
}

fn text<'m>(message: &'m Message, name: &str) -> Option<&'m str> {
    std::str::from_utf8(message.header(name)?).ok()
}

/// What the record costs in memory, about.
pub fn size(message: &Message) -> u64 {
    (message.bytes() + 256) as u64
}
