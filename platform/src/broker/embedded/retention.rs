//! Expired records (past a topic's age or size), and superseded keys of compacted topics.

use std::collections::HashMap;
use std::time::Instant;

use rusqlite::{Connection, TransactionBehavior, params};

use super::log::row_id;
use super::vacuum::let_others_in;

struct Rule {
    part: i64,
    low: u64,
    next: u64,
    compacted: bool,
    retention_ms: Option<i64>,
    retention_bytes: Option<i64>,
}

/// Offsets that one transaction removes, at most: writers wait for it. Half a thousand records of two kilobytes are one megabyte.
const STEP_OFFSETS: u64 = 500;

/// Removes what is expired or superseded in short transactions.
pub(super) fn clean(connection: &mut Connection, now_ms: i64) -> rusqlite::Result<u64> {
    let mut removed = 0;
    for rule in rules(connection)? {
        removed += if rule.compacted { compact(connection, &rule)? } else { expire(connection, &rule, now_ms)? };
    }
    Ok(removed)
}

/// The shortest age after which records of a topic expire.
pub(super) fn retention_min_ms(connection: &Connection) -> rusqlite::Result<Option<u64>> {
    connection.query_row("SELECT min(retention_ms) FROM topics WHERE NOT compacted", [], |row| row.get(0))
}

fn rules(connection: &Connection) -> rusqlite::Result<Vec<Rule>> {
    connection
        .prepare(
            "SELECT p.id, p.low, p.next, t.compacted, t.retention_ms, t.retention_bytes
         FROM parts p JOIN topics t ON t.id = p.topic_id",
        )?
        .query_map([], |row| {
            Ok(Rule {
                part: row.get(0)?,
                low: row.get(1)?,
                next: row.get(2)?,
                compacted: row.get(3)?,
                retention_ms: row.get(4)?,
                retention_bytes: row.get(5)?,
            })
        })?
        .collect()
}

/// Removes from the oldest record on; offsets of what is left do not change.
fn expire(connection: &mut Connection, rule: &Rule, now_ms: i64) -> rusqlite::Result<u64> {
    let (keep_from, mut low) = (first_kept(connection, rule, now_ms)?, rule.low);
    let mut removed = 0;
    while low < keep_from {
        let (next, started) = (keep_from.min(low + STEP_OFFSETS), Instant::now());
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bounds = [row_id(rule.part, low), row_id(rule.part, next)];
        removed += tx.execute("DELETE FROM records WHERE id >= ?1 AND id < ?2", bounds)?;
        // Another process may clean, too, and be further.
        tx.execute("UPDATE parts SET low = ?2 WHERE id = ?1 AND low < ?2", params![rule.part, next])?;
        tx.commit()?;
        low = next;
        if low < keep_from {
            let_others_in(started);
        }
    }
    Ok(removed as u64)
}

/// The offset of the oldest record that is neither too old nor too much.
fn first_kept(connection: &Connection, rule: &Rule, now_ms: i64) -> rusqlite::Result<u64> {
    let bounds = (row_id(rule.part, rule.low), row_id(rule.part, rule.next));
    let mut keep_from = bounds.0;
    if let Some(age_max_ms) = rule.retention_ms {
        let first_young: Option<i64> = connection.query_row(
            "SELECT min(id) FROM records WHERE id >= ?1 AND id < ?2 AND ts >= ?3",
            params![bounds.0, bounds.1, now_ms.saturating_sub(age_max_ms)],
            |row| row.get(0),
        )?;
        keep_from = keep_from.max(first_young.unwrap_or(bounds.1));
    }
    if let Some(bytes_max) = rule.retention_bytes {
        let mut newest_first =
            connection.prepare("SELECT id, length(value) FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id DESC")?;
        let mut rows = newest_first.query(params![keep_from, bounds.1])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            bytes += row.get::<_, i64>(1)?;
            if bytes > bytes_max {
                keep_from = keep_from.max(row.get::<_, i64>(0)? + 1);
                break;
            }
        }
    }
    Ok((keep_from - row_id(rule.part, 0)).unsigned_abs())
}

fn compact(connection: &mut Connection, rule: &Rule) -> rusqlite::Result<u64> {
    // A superseded record stays superseded: the write lock is needed only when there are some.
    let superseded = superseded(connection, rule)?;
    if superseded.is_empty() {
        return Ok(0);
    }
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in &superseded {
        tx.execute("DELETE FROM records WHERE id = ?1", [id])?;
    }
    tx.commit()?;
    Ok(superseded.len() as u64)
}

fn superseded(connection: &Connection, rule: &Rule) -> rusqlite::Result<Vec<i64>> {
    let mut newest: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut superseded = Vec::new();
    let mut statement =
        connection.prepare("SELECT id, key FROM records WHERE id >= ?1 AND id < ?2 AND key IS NOT NULL ORDER BY id")?;
    let mut rows = statement.query(params![row_id(rule.part, rule.low), row_id(rule.part, rule.next)])?;
    while let Some(row) = rows.next()? {
        superseded.extend(newest.insert(row.get(1)?, row.get(0)?));
    }
    Ok(superseded)
}
