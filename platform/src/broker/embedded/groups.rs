//! Consumer groups in tables: who is a member, which partition is assigned to which member, how far the group has read.
//! Every function runs inside the caller's transaction, so that a member which lost a partition can write
//! nothing for it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::log::{Part, part_of_row};
use super::process;
use crate::broker::{GroupOffset, TopicPartition, Topics};

/// Joins names of a subscription in one column; no topic name holds it.
const SEPARATOR: char = '\n';

pub(super) fn join(
    tx: &Transaction<'_>,
    member: &str,
    group: &str,
    name: &str,
    topics: &Topics,
    deadline_ms: i64,
) -> rusqlite::Result<()> {
    let (family, names) = match topics {
        Topics::Family(name) => (true, name.clone()),
        Topics::Names(names) => (false, names.join(&SEPARATOR.to_string())),
    };
    tx.execute(
        "INSERT INTO members (id, grp, name, family, topics, process, deadline_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![member, group, name, family, names, process::this(), deadline_ms],
    )?;
    Ok(())
}

/// False when the member was removed: it was silent too long.
pub(super) fn beat(tx: &Transaction<'_>, member: &str, deadline_ms: i64) -> rusqlite::Result<bool> {
    Ok(tx.execute("UPDATE members SET deadline_ms = ?2 WHERE id = ?1", params![member, deadline_ms])? == 1)
}

pub(super) fn remove(tx: &Transaction<'_>, member: &str) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM owners WHERE member = ?1", [member])?;
    tx.execute("DELETE FROM members WHERE id = ?1", [member])?;
    Ok(())
}

/// Gives up partitions that were being revoked.
pub(super) fn release(tx: &Transaction<'_>, group: &str, member: &str, parts: &[i64]) -> rusqlite::Result<()> {
    for part in parts {
        tx.execute("DELETE FROM owners WHERE grp = ?1 AND part = ?2 AND member = ?3", params![group, part, member])?;
    }
    Ok(())
}

/// Partitions of a member, and whether each is being revoked.
pub(super) fn assigned(connection: &Connection, group: &str, member: &str) -> rusqlite::Result<BTreeMap<i64, bool>> {
    connection
        .prepare_cached("SELECT part, revoking FROM owners WHERE grp = ?1 AND member = ?2")?
        .query_map([group, member], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// A partition's row and the group's offset with its metadata, where it has one.
pub(super) type Position = (Part, Option<(u64, String)>);

/// Where a group stands in a partition; `None` when the partition was deleted.
pub(super) fn position(connection: &Connection, group: &str, part: i64) -> rusqlite::Result<Option<Position>> {
    let part = connection
        .prepare_cached("SELECT id, topic, partition, topic_id, low, next FROM parts WHERE id = ?1")?
        .query_row([part], part_of_row)
        .optional()?;
    let Some(part) = part else { return Ok(None) };
    let offset = connection
        .prepare_cached("SELECT next, metadata FROM offsets WHERE grp = ?1 AND part = ?2")?
        .query_row(params![group, part.id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(Some((part, offset)))
}

pub(super) fn offsets(connection: &Connection, group: &str) -> rusqlite::Result<Vec<GroupOffset>> {
    connection
        .prepare_cached(
            "SELECT p.topic, p.partition, o.next, o.metadata FROM offsets o JOIN parts p ON p.id = o.part
             WHERE o.grp = ?1 ORDER BY p.topic, p.partition",
        )?
        .query_map([group], |row| {
            let topic: String = row.get(0)?;
            let at = TopicPartition { topic: topic.into(), partition: row.get(1)? };
            Ok(GroupOffset { at, offset: row.get(2)?, metadata: row.get(3)? })
        })?
        .collect()
}

/// Stores an offset if the partition is still assigned to the member; false when it does not. `part` is the partition that was assigned to it:
/// one of the same name may be that of a recreated topic.
pub(super) fn store(
    tx: &Transaction<'_>,
    group: &str,
    member: &str,
    part: i64,
    offset: &GroupOffset,
) -> rusqlite::Result<bool> {
    let stored = tx
        .prepare_cached(
            "INSERT INTO offsets (grp, part, next, metadata)
             SELECT ?1, p.id, ?4, ?5 FROM parts p JOIN owners w ON w.part = p.id AND w.grp = ?1 AND w.member = ?6
             WHERE p.topic = ?2 AND p.partition = ?3 AND p.id = ?7
             ON CONFLICT (grp, part) DO UPDATE SET next = excluded.next, metadata = excluded.metadata",
        )?
        .execute(params![
            group,
            &*offset.at.topic,
            offset.at.partition,
            offset.offset,
            offset.metadata,
            member,
            part
        ])?;
    Ok(stored == 1)
}

struct Member {
    id: String,
    subscription: BTreeSet<i64>,
}

/// Removes members that have ended and shares the partitions out again. Sticky: a partition moves only when
/// its owner has at least two more than another member that could have it.
pub(super) fn rebalance(tx: &Transaction<'_>, group: &str, now_ms: i64) -> rusqlite::Result<()> {
    let members = living(tx, group, now_ms)?;
    let mut owner: BTreeMap<i64, String> = BTreeMap::new();
    let mut revoking: BTreeSet<i64> = BTreeSet::new();
    let mut statement = tx.prepare_cached("SELECT part, member, revoking FROM owners WHERE grp = ?1")?;
    let mut rows = statement.query([group])?;
    while let Some(row) = rows.next()? {
        owner.insert(row.get(0)?, row.get(1)?);
        if row.get(2)? {
            revoking.insert(row.get(0)?);
        }
    }
    let mut load: BTreeMap<&str, usize> = members.iter().map(|m| (m.id.as_str(), 0)).collect();
    for (part, member) in &owner {
        if !revoking.contains(part)
            && let Some(count) = load.get_mut(member.as_str())
        {
            *count += 1;
        }
    }
    let all: BTreeSet<i64> = members.iter().flat_map(|m| m.subscription.iter().copied()).collect();
    for part in all.iter().filter(|p| !owner.contains_key(p) || revoking.contains(p)) {
        let Some(taker) = least_loaded(&members, &load, *part) else { continue };
        if !revoking.contains(part) {
            tx.execute(
                "INSERT INTO owners (grp, part, member) VALUES (?1, ?2, ?3)",
                params![group, part, members[taker].id],
            )?;
        }
        *load.entry(members[taker].id.as_str()).or_default() += 1;
    }
    for (part, member) in owner.iter().filter(|(part, _)| !revoking.contains(part)) {
        let have = load.get(member.as_str()).copied().unwrap_or(0);
        let Some(taker) = least_loaded(&members, &load, *part) else { continue };
        let taker = members[taker].id.as_str();
        if have >= load.get(taker).copied().unwrap_or(0) + 2 {
            tx.execute("UPDATE owners SET revoking = 1 WHERE grp = ?1 AND part = ?2", params![group, part])?;
            *load.entry(taker).or_default() += 1;
            if let Some(count) = load.get_mut(member.as_str()) {
                *count -= 1;
            }
        }
    }
    Ok(())
}

fn least_loaded(members: &[Member], load: &BTreeMap<&str, usize>, part: i64) -> Option<usize> {
    let could = members.iter().enumerate().filter(|(_, m)| m.subscription.contains(&part));
    could.min_by_key(|(_, m)| (load.get(m.id.as_str()).copied().unwrap_or(0), &m.id)).map(|(i, _)| i)
}

/// Members that are there, with what they subscribe to; the others are removed with their ownership.
fn living(tx: &Transaction<'_>, group: &str, now_ms: i64) -> rusqlite::Result<Vec<Member>> {
    let topics: Vec<(i64, String)> = tx
        .prepare_cached("SELECT id, topic FROM parts ORDER BY topic, partition")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let rows: Vec<(String, bool, String, String, i64)> = tx
        .prepare_cached("SELECT id, family, topics, process, deadline_ms FROM members WHERE grp = ?1 ORDER BY id")?
        .query_map([group], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut members = Vec::new();
    for (id, family, names, process, deadline_ms) in rows {
        if deadline_ms < now_ms || !process::is_alive(&process) {
            remove(tx, &id)?;
            continue;
        }
        let wanted = match family {
            true => Topics::Family(names),
            false => Topics::Names(names.split(SEPARATOR).map(str::to_owned).collect()),
        };
        let subscription = topics.iter().filter(|(_, topic)| wanted.include(topic)).map(|(part, _)| *part).collect();
        members.push(Member { id, subscription });
    }
    Ok(members)
}
