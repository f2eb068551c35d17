//! Wire records that `verify` found missing, sent again: what a repair does besides rebuilding files.

use std::collections::{BTreeMap, BTreeSet};

use contracts::dead_letter;
use contracts::layout;
use contracts::source::Src;
use contracts::topics::{groups, headers};
use lake::ledger::Ledger;
use lake::verify::Missing;
use platform::broker::{Broker, Message, OutRecord, Parts, TopicPartition, read_held};
use platform::store::Store;
use serde::Serialize;

use super::ResendError;
use super::journal::{self, End, Journal};
use super::lock::Lock;
use super::sender::{PART_BYTES_MAX, Sender};
use crate::Operator;

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Sent {
    pub sent: u64,
    /// Sent again by another process since the plan was made, expired on the broker, or left because it was asked to stop.
    pub not_sent: u64,
}

/// Sends what is missing; `planned_at` is how far the wire topics were looked at for that. What was sent again since then
/// is not sent once more.
///
/// # Errors
/// Another process is sending, store or broker refuse, or an audit record cannot be read.
pub(crate) fn send(
    missing: &[Missing],
    planned_at: &BTreeMap<TopicPartition, u64>,
    broker: &dyn Broker,
    store: &dyn Store,
    operator: &Operator<'_>,
) -> Result<Sent, ResendError> {
    let mut done = Sent::default();
    if missing.is_empty() {
        return Ok(done);
    }
    let lock = Lock::take(broker, groups::REDRIVE, operator.shutdown)?;
    // What was left unanswered is answered now: afterwards the mark is another one.
    let _all = journal::sent_before(store, operator.clock, lock.mark())?;
    let ledger = Ledger::read_all(store)?;
    let id = uuid::Uuid::new_v4().simple().to_string();
    let journal = Journal::begin(store, operator.clock, layout::AUDIT_REPAIR, &id[..8], operator.by, missing)?;
    let mut sender = Sender::new(journal, lock, None, operator.shutdown);
    for missing in missing {
        let at = TopicPartition { topic: missing.topic.as_str().into(), partition: missing.partition.partition };
        let from = planned_at.get(&at).copied().unwrap_or_default();
        let mut sent_since = BTreeSet::new();
        read_held(broker, &at, from, u64::MAX, |message| {
            let own = Src { partition: missing.partition.clone(), offset: message.offset };
            sent_since.extend(ledger.first_of(message, &own));
        })?;
        let sent = send_partition(broker, &at, missing, &ledger, &sent_since, &mut sender)?;
        done.sent += sent;
        done.not_sent += missing.offsets.count().saturating_sub(sent);
    }
    let end = if sender.may_go_on()? { End::Done } else { End::Stopped };
    sender.journal.end(end, done)?;
    Ok(done)
}

fn send_partition(
    broker: &dyn Broker,
    at: &TopicPartition,
    missing: &Missing,
    ledger: &Ledger,
    sent_since: &BTreeSet<Src>,
    sender: &mut Sender<'_>,
) -> Result<u64, ResendError> {
    let mut sent = 0;
    for range in missing.offsets.ranges() {
        let mut parts = Parts::held(broker, at, range, PART_BYTES_MAX);
        while sender.may_go_on()? {
            let Some(messages) = parts.next(sender.part_records_max())? else { break };
            let meant = messages.into_iter().filter_map(|message| {
                let own = Src { partition: missing.partition.clone(), offset: message.offset };
                let record = again(message, &own, ledger);
                (!sent_since.contains(&record.first)).then_some((own, record.record))
            });
            let (sources, records): (Vec<_>, Vec<_>) = meant.unzip();
            if !sources.is_empty() {
                sender.send(&sources, &records)?;
                sent += sources.len() as u64;
            }
        }
    }
    Ok(sent)
}

/// A record that goes once more, and the one that it stands for.
pub(super) struct Again {
    pub first: Src,
    pub record: OutRecord,
}

/// The record at `own` as it was, with its first position, into the same partition: a tenant keeps its order. Its time is that
/// of sending, else retention could take it before it is judged. What only our own sending may say of its history is kept only
/// when that has said it.
pub(super) fn again(message: Message, own: &Src, ledger: &Ledger) -> Again {
    let first = ledger.first_of(&message, own);
    let is_kept =
        |name: &str| name != headers::REPLAY_OF && (first.is_some() || !dead_letter::is_envelope_header(name));
    let mut with_first = message.headers;
    with_first.retain(is_kept);
    let first = first.unwrap_or_else(|| own.clone());
    with_first.push(headers::REPLAY_OF, first.to_string().as_bytes());
    let record = OutRecord {
        topic: message.at.topic,
        partition: Some(message.at.partition),
        key: message.key,
        value: message.value,
        headers: with_first,
        timestamp_ms: None,
    };
    Again { first, record }
}
