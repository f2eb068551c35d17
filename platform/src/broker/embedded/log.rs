//! Appending and reading records.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::schema::OFFSET_BITS;
use super::{BrokerError, Message, Producer, Result, TopicPartition, errors, now_ms};
use crate::broker::{Appended, Headers, OutRecord, RecordValue, partition_for_key};
use crate::failpoint;

/// A partition's row.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub id: i64,
    pub at: TopicPartition,
    pub topic_id: Arc<str>,
    pub low: u64,
    pub next: u64,
}

/// A connection that appends.
pub(super) struct Log {
    pub connection: Connection,
    pub path: PathBuf,
    record_bytes_max: usize,
    /// Where the next record without a key goes.
    keyless: u32,
}

impl Log {
    pub fn new(connection: Connection, path: &Path, record_bytes_max: usize) -> Self {
        Self { connection, path: path.to_owned(), record_bytes_max, keyless: 0 }
    }

    /// Appends inside one transaction; `also` runs before it commits and may refuse it.
    pub fn append_with(
        &mut self,
        records: &[OutRecord],
        also: impl FnOnce(&Transaction<'_>) -> Result<()>,
    ) -> Result<Vec<Appended>> {
        for record in records {
            let bytes = record.bytes();
            if bytes > self.record_bytes_max {
                let (topic, limit) = (record.topic.to_string(), self.record_bytes_max);
                return Err(BrokerError::TooLarge { topic, bytes, limit });
            }
        }
        let doing = || format!("appending {} records", records.len());
        let path = &self.path;
        let sql = |e: rusqlite::Error| errors::of(&e, &doing(), path);
        let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sql)?;
        let appended = insert(&tx, records, &mut self.keyless, path)?;
        also(&tx)?;
        failpoint::hit!("broker.embedded.append.inserted");
        tx.commit().map_err(sql)?;
        Ok(appended)
    }
}

impl Producer for Log {
    fn append(&mut self, records: &[OutRecord]) -> Result<Vec<Appended>> {
        self.append_with(records, |_| Ok(()))
    }
}

/// A topic's partitions, and how many records each got in this transaction.
struct Target {
    parts: Vec<Part>,
}

fn insert(tx: &Transaction<'_>, records: &[OutRecord], keyless: &mut u32, path: &Path) -> Result<Vec<Appended>> {
    let sql = |e: rusqlite::Error| errors::of(&e, "appending", path);
    let mut targets: HashMap<Arc<str>, Target> = HashMap::new();
    let mut appended = Vec::with_capacity(records.len());
    let mut statement = tx
        .prepare_cached("INSERT INTO records (id, ts, key, headers, value) VALUES (?1, ?2, ?3, ?4, ?5)")
        .map_err(sql)?;
    let now_ms = now_ms();
    for record in records {
        if !targets.contains_key(&record.topic) {
            let parts = parts(tx, &record.topic).map_err(sql)?;
            if parts.is_empty() {
                return Err(BrokerError::UnknownTopic(record.topic.to_string()));
            }
            targets.insert(record.topic.clone(), Target { parts });
        }
        let Some(target) = targets.get_mut(&record.topic) else { continue };
        let count = u32::try_from(target.parts.len()).unwrap_or(u32::MAX);
        let partition = match (record.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_for_key(key, count),
            (None, None) => {
                *keyless = keyless.wrapping_add(1);
                *keyless % count
            }
        };
        let Some(part) = usize::try_from(partition).ok().and_then(|p| target.parts.get_mut(p)) else {
            return Err(BrokerError::UnknownTopic(format!("{}/{partition}", record.topic)));
        };
        let id = row_id(part.id, part.next);
        let (key, packed) = (record.key.as_deref(), (!record.headers.is_empty()).then(|| record.headers.packed()));
        statement
            .execute(params![id, record.timestamp_ms.unwrap_or(now_ms), key, packed, stored(&record.value)])
            .map_err(sql)?;
        appended.push(Appended { partition, offset: part.next });
        part.next += 1;
    }
    drop(statement);
    for part in targets.values().flat_map(|t| &t.parts) {
        tx.prepare_cached("UPDATE parts SET next = ?2 WHERE id = ?1 AND next <> ?2")
            .and_then(|mut s| s.execute(params![part.id, part.next]))
            .map_err(sql)?;
    }
    Ok(appended)
}

/// The column holds no NULL. A null value is the number 0 in it: SQLite keeps the type of each cell, and bytes are never numbers.
fn stored(value: &RecordValue) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value.as_bytes() {
        Some(bytes) => ValueRef::Blob(bytes),
        None => ValueRef::Integer(0),
    })
}

fn read_value(cell: ValueRef<'_>) -> rusqlite::Result<RecordValue> {
    match cell {
        ValueRef::Integer(0) => Ok(RecordValue::NULL),
        other => Ok(Bytes::copy_from_slice(other.as_blob()?).into()),
    }
}

pub(super) fn row_id(part: i64, offset: u64) -> i64 {
    (part << OFFSET_BITS) + i64::try_from(offset).unwrap_or(i64::MAX)
}

const PART: &str = "SELECT id, topic, partition, topic_id, low, next FROM parts";

pub(super) fn part_of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Part> {
    let topic: String = row.get(1)?;
    let topic_id: String = row.get(3)?;
    Ok(Part {
        id: row.get(0)?,
        at: TopicPartition { topic: topic.into(), partition: row.get(2)? },
        topic_id: topic_id.into(),
        low: row.get(4)?,
        next: row.get(5)?,
    })
}

/// Partitions of a topic, in order; empty when there is no such topic.
fn parts(connection: &Connection, topic: &str) -> rusqlite::Result<Vec<Part>> {
    connection
        .prepare_cached(&format!("{PART} WHERE topic = ?1 ORDER BY partition"))?
        .query_map([topic], part_of_row)?
        .collect()
}

pub(super) fn part(connection: &Connection, at: &TopicPartition, path: &Path) -> Result<Part> {
    connection
        .prepare_cached(&format!("{PART} WHERE topic = ?1 AND partition = ?2"))
        .and_then(|mut s| s.query_row(params![&*at.topic, at.partition], part_of_row).optional())
        .map_err(|e| errors::of(&e, "looking up a partition", path))?
        .ok_or_else(|| BrokerError::UnknownTopic(format!("{}/{}", at.topic, at.partition)))
}

/// Records from `offset` on.
pub(super) fn read(
    connection: &Connection,
    part: &Part,
    offset: u64,
    records_max: usize,
    bytes_max: usize,
    path: &Path,
) -> Result<Vec<Message>> {
    if offset < part.low || offset > part.next {
        return Err(BrokerError::OffsetOutOfRange {
            topic: part.at.topic.to_string(),
            partition: part.at.partition,
            offset,
            low: part.low,
            high: part.next,
        });
    }
    let doing = || format!("reading {}/{} from {offset}", part.at.topic, part.at.partition);
    let sql = |e: rusqlite::Error| errors::of(&e, &doing(), path);
    let mut statement = connection
        .prepare_cached(
            "SELECT id, ts, key, headers, value FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3",
        )
        .map_err(sql)?;
    let limit = i64::try_from(records_max).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![row_id(part.id, offset), row_id(part.id + 1, 0), limit]).map_err(sql)?;
    let mut messages = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.next().map_err(sql)? {
        let message = message(row, part).map_err(sql)?;
        bytes += message.bytes() + 64;
        messages.push(message);
        if bytes >= bytes_max {
            break;
        }
    }
    Ok(messages)
}

fn message(row: &rusqlite::Row<'_>, part: &Part) -> rusqlite::Result<Message> {
    let id: i64 = row.get(0)?;
    let packed: Option<Vec<u8>> = row.get(3)?;
    let headers = match packed {
        None => Headers::new(),
        Some(packed) => Headers::of_packed(packed).ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(3, id))?,
    };
    Ok(Message {
        at: part.at.clone(),
        offset: u64::try_from(id - row_id(part.id, 0)).unwrap_or(0),
        timestamp_ms: row.get(1)?,
        key: row.get::<_, Option<Vec<u8>>>(2)?.map(Into::into),
        value: read_value(row.get_ref(4)?)?,
        headers,
    })
}

pub(super) fn offset_for_time(
    connection: &Connection,
    part: &Part,
    timestamp_ms: i64,
) -> rusqlite::Result<Option<u64>> {
    let id: Option<i64> = connection
        .prepare_cached("SELECT id FROM records WHERE id >= ?1 AND id < ?2 AND ts >= ?3 ORDER BY id LIMIT 1")?
        .query_row(params![row_id(part.id, 0), row_id(part.id + 1, 0), timestamp_ms], |row| row.get(0))
        .optional()?;
    Ok(id.and_then(|id| u64::try_from(id - row_id(part.id, 0)).ok()))
}
