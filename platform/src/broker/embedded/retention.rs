//! What may go: records past a topic's age or size, and superseded keys of compacted topics.

use std::collections::HashMap;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::log::row_id;

struct Rule {
    part: i64,
    low: u64,
    next: u64,
    compacted: bool,
    retention_ms: Option<i64>,
    retention_bytes: Option<i64>,
}

pub(super) fn clean(connection: &mut Connection, now_ms: i64) -> rusqlite::Result<u64> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut removed = 0;
    for rule in rules(&tx)? {
        removed += if rule.compacted { compact(&tx, &rule)? } else { expire(&tx, &rule, now_ms)? };
    }
    tx.commit()?;
    Ok(removed)
}

fn rules(tx: &Transaction<'_>) -> rusqlite::Result<Vec<Rule>> {
    tx.prepare(
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
fn expire(tx: &Transaction<'_>, rule: &Rule, now_ms: i64) -> rusqlite::Result<u64> {
    let bounds = (row_id(rule.part, rule.low), row_id(rule.part, rule.next));
    let mut keep_from = bounds.0;
    if let Some(age_max_ms) = rule.retention_ms {
        let first_young: Option<i64> = tx.query_row(
            "SELECT min(id) FROM records WHERE id >= ?1 AND id < ?2 AND ts >= ?3",
            params![bounds.0, bounds.1, now_ms - age_max_ms],
            |row| row.get(0),
        )?;
        keep_from = keep_from.max(first_young.unwrap_or(bounds.1));
    }
    if let Some(bytes_max) = rule.retention_bytes {
        let mut newest_first =
            tx.prepare("SELECT id, length(value) FROM records WHERE id >= ?1 AND id < ?2 ORDER BY id DESC")?;
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
    let removed = tx.execute("DELETE FROM records WHERE id >= ?1 AND id < ?2", [bounds.0, keep_from])?;
    tx.execute("UPDATE parts SET low = ?2 WHERE id = ?1", params![rule.part, keep_from - row_id(rule.part, 0)])?;
    Ok(removed as u64)
}

fn compact(tx: &Transaction<'_>, rule: &Rule) -> rusqlite::Result<u64> {
    let mut newest: HashMap<Vec<u8>, i64> = HashMap::new();
    let mut superseded = Vec::new();
    let mut statement =
        tx.prepare("SELECT id, key FROM records WHERE id >= ?1 AND id < ?2 AND key IS NOT NULL ORDER BY id")?;
    let mut rows = statement.query(params![row_id(rule.part, rule.low), row_id(rule.part, rule.next)])?;
    while let Some(row) = rows.next()? {
        superseded.extend(newest.insert(row.get(1)?, row.get(0)?));
    }
    for id in &superseded {
        tx.execute("DELETE FROM records WHERE id = ?1", [id])?;
    }
    Ok(superseded.len() as u64)
}
