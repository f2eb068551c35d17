//! The file: its tables, its version, and its topics.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use uuid::Uuid;

use super::{BrokerError, EmbeddedSettings, Result, TopicChange, TopicInfo, TopicSettings, TopicSpec, errors};

/// Version of the tables, kept in `user_version`.
const VERSION: i64 = 1;
/// `FOPS`: tells our files from other SQLite files.
const APPLICATION_ID: i64 = 0x464f_5053;
/// Larger pages than SQLite's default keep a record of two kilobytes out of overflow chains.
pub(super) const PAGE_BYTES: u64 = 16_384;
/// The write-ahead log keeps at most this when all of it is in the file: a large transaction would leave it as large for good.
const WAL_KEPT_BYTES_MAX: u64 = 16 << 20;

/// A record's row id is its partition's id shifted by this, plus its offset: records of a partition lie
/// together, in order.
pub(super) const OFFSET_BITS: u32 = 40;

const TABLES: &str = "
    CREATE TABLE topics (
        id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, compacted INTEGER NOT NULL,
        retention_ms INTEGER, retention_bytes INTEGER);
    CREATE TABLE parts (
        id INTEGER PRIMARY KEY AUTOINCREMENT, topic_id TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL,
        low INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, partition));
    CREATE TABLE records (
        id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, key BLOB, headers BLOB, value BLOB NOT NULL);
    CREATE TABLE members (
        id TEXT PRIMARY KEY, grp TEXT NOT NULL, name TEXT NOT NULL, family INTEGER NOT NULL, topics TEXT NOT NULL,
        process TEXT NOT NULL, deadline_ms INTEGER NOT NULL);
    CREATE TABLE owners (
        grp TEXT NOT NULL, part INTEGER NOT NULL, member TEXT NOT NULL, revoking INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (grp, part)) WITHOUT ROWID;
    CREATE TABLE offsets (
        grp TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL, metadata TEXT NOT NULL,
        PRIMARY KEY (grp, part)) WITHOUT ROWID;";

pub(super) fn connect(path: &Path, settings: &EmbeddedSettings) -> Result<Connection> {
    let doing = format!("opening the broker file {}", path.display());
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(settings.busy_timeout)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        if pragma(&connection, "page_count")? == 0 {
            // Only before there is a page; later it takes a VACUUM.
            connection.pragma_update(None, "auto_vacuum", "incremental")?;
        }
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES_MAX)?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.set_prepared_statement_cache_capacity(64);
        if let Some(bytes) = settings.bytes_max {
            connection.pragma_update(None, "max_page_count", (bytes / PAGE_BYTES).max(16))?;
        }
        Ok(connection)
    };
    let mut connection = open().map_err(|e| errors::of(&e, &doing, path))?;
    let version = migrate(&mut connection).map_err(|e| errors::of(&e, &doing, path))?;
    if version == VERSION { Ok(connection) } else { Err(other_version(doing, version)) }
}

fn other_version(doing: String, version: i64) -> BrokerError {
    let reason = format!("it is not a log of version {VERSION} but of {version}, or another program's file");
    BrokerError::Fatal { doing, reason }
}

/// Fails when a file that is only read is not such a log.
pub(super) fn check_version(connection: &Connection, path: &Path) -> Result<()> {
    let doing = format!("reading the broker file {}", path.display());
    let read = |name| pragma(connection, name).map_err(|e| errors::of(&e, &doing, path));
    let (version, application_id) = (read("user_version")?, read("application_id")?);
    match (version, application_id) {
        (VERSION, APPLICATION_ID) => Ok(()),
        (_, APPLICATION_ID) => Err(other_version(doing, version)),
        (0, 0) if is_empty(connection).map_err(|e| errors::of(&e, &doing, path))? => {
            let reason = format!(
                "{} has no tables yet: the service that makes it is at work, or the next one completes it",
                path.display()
            );
            Err(BrokerError::Retriable { doing, reason })
        }
        _ => Err(other_version(doing, -1)),
    }
}

/// True when there is no table, as in a file that is about to become a log.
fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))
}

/// A number that SQLite keeps or finds out about the file.
pub(super) fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Makes the tables in an empty file; returns the version it finds.
fn migrate(connection: &mut Connection) -> rusqlite::Result<i64> {
    if pragma(connection, "user_version")? == VERSION && pragma(connection, "application_id")? == APPLICATION_ID {
        return Ok(VERSION);
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = pragma(&tx, "user_version")?;
    if version == 0 && is_empty(&tx)? {
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "user_version", VERSION)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.commit()?;
        return Ok(VERSION);
    }
    let ours = pragma(&tx, "application_id")? == APPLICATION_ID;
    Ok(if ours { version } else { -1 })
}

pub(super) fn topics(connection: &Connection) -> rusqlite::Result<Vec<TopicInfo>> {
    connection.prepare_cached("SELECT name, id, partitions FROM topics ORDER BY name")?.query_map([], topic)?.collect()
}

pub(super) fn topic_settings(
    connection: &Connection,
    name: &str,
    record_bytes_max: usize,
) -> rusqlite::Result<Option<TopicSettings>> {
    let settings = |row: &rusqlite::Row<'_>| {
        Ok(TopicSettings {
            compacted: row.get(0)?,
            retention_ms: row.get(1)?,
            retention_bytes: row.get(2)?,
            record_bytes_max,
            replication: None,
        })
    };
    let query = "SELECT compacted, retention_ms, retention_bytes FROM topics WHERE name = ?1";
    connection.query_row(query, [name], settings).optional()
}

fn topic(row: &rusqlite::Row<'_>) -> rusqlite::Result<TopicInfo> {
    let name: String = row.get(0)?;
    let id: String = row.get(1)?;
    Ok(TopicInfo { name: name.into(), id: id.into(), partitions: row.get(2)? })
}

pub(super) fn ensure_topic(connection: &mut Connection, spec: &TopicSpec) -> rusqlite::Result<TopicInfo> {
    let find = "SELECT name, id, partitions FROM topics WHERE name = ?1";
    if let Some(info) = connection.query_row(find, [&spec.name], topic).optional()? {
        return Ok(info);
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    if let Some(info) = tx.query_row(find, [&spec.name], topic).optional()? {
        return Ok(info);
    }
    let (id, partitions): (Arc<str>, _) = (Uuid::new_v4().to_string().into(), spec.partitions);
    tx.execute(
        "INSERT INTO topics (id, name, partitions, compacted, retention_ms, retention_bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![&*id, spec.name, partitions, spec.compacted, spec.retention_ms, spec.retention_bytes],
    )?;
    add_partitions(&tx, &id, &spec.name, 0..partitions)?;
    tx.commit()?;
    Ok(TopicInfo { name: spec.name.as_str().into(), id, partitions })
}

fn add_partitions(tx: &Transaction<'_>, id: &str, name: &str, numbers: Range<u32>) -> rusqlite::Result<()> {
    for partition in numbers {
        tx.execute("INSERT INTO parts (topic_id, topic, partition) VALUES (?1, ?2, ?3)", params![id, name, partition])?;
    }
    Ok(())
}

/// What became of a change.
pub(super) enum Altered {
    Done,
    NoTopic,
    /// For people.
    Refused(String),
}

pub(super) fn alter_topic(connection: &mut Connection, name: &str, change: &TopicChange) -> rusqlite::Result<Altered> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let find = "SELECT id, partitions, compacted FROM topics WHERE name = ?1";
    let found = tx.query_row(find, [name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((id, partitions, is_compacted)): Option<(String, u32, bool)> = found else {
        return Ok(Altered::NoTopic);
    };
    if let Some(why) = change.refusal(partitions, is_compacted) {
        return Ok(Altered::Refused(why));
    }
    if let Some(wanted) = change.partitions {
        add_partitions(&tx, &id, name, partitions..wanted)?;
        tx.execute("UPDATE topics SET partitions = ?2 WHERE id = ?1", params![id, wanted])?;
    }
    if let Some(limit) = change.retention_ms {
        tx.execute("UPDATE topics SET retention_ms = ?2 WHERE id = ?1", params![id, limit.value()])?;
    }
    if let Some(limit) = change.retention_bytes {
        tx.execute("UPDATE topics SET retention_bytes = ?2 WHERE id = ?1", params![id, limit.value()])?;
    }
    tx.commit()?;
    Ok(Altered::Done)
}

pub(super) fn delete_topic(connection: &mut Connection, name: &str) -> rusqlite::Result<()> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for part in parts_of(&tx, name)? {
        tx.execute("DELETE FROM records WHERE id >= ?1 AND id < ?2", [part << OFFSET_BITS, (part + 1) << OFFSET_BITS])?;
        tx.execute("DELETE FROM owners WHERE part = ?1", [part])?;
        tx.execute("DELETE FROM offsets WHERE part = ?1", [part])?;
    }
    tx.execute("DELETE FROM parts WHERE topic = ?1", [name])?;
    tx.execute("DELETE FROM topics WHERE name = ?1", [name])?;
    tx.commit()
}

fn parts_of(tx: &Transaction<'_>, topic: &str) -> rusqlite::Result<Vec<i64>> {
    tx.prepare("SELECT id FROM parts WHERE topic = ?1")?.query_map([topic], |row| row.get(0))?.collect()
}
