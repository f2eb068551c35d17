//! A group member: polls, commits, steps.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rusqlite::TransactionBehavior;
use uuid::Uuid;

use super::log::{self, Log, Part};
use super::{BrokerError, Result, errors, groups, now_ms};
use crate::broker::{
    Appended, Assignment, Consumer, ConsumerConfig, GroupOffset, Message, OutRecord, Polled, Processor, Start,
    TopicPartition,
};

/// How often a member shows itself and looks at the group, at most.
const BEAT_MAX: Duration = Duration::from_secs(1);
/// Longest pause between looks for new records.
const NAP_MAX: Duration = Duration::from_millis(20);

struct AssignedPartition {
    part: Part,
    position: u64,
    paused: bool,
}

pub(super) struct Member {
    log: Log,
    config: ConsumerConfig,
    /// New for every join: a member that expired comes back as another one.
    id: String,
    assigned: BTreeMap<i64, AssignedPartition>,
    /// Reported to the caller as revoked, or never reported; given up at the next poll.
    revoked: Vec<i64>,
    last_beat: Option<Instant>,
    data_version: i64,
    /// Where the next read starts looking, so that no partition starves.
    next_index: usize,
}

impl Member {
    pub fn join(log: Log, config: ConsumerConfig) -> Result<Self> {
        let mut member = Self {
            log,
            config,
            id: String::new(),
            assigned: BTreeMap::new(),
            revoked: Vec::new(),
            last_beat: None,
            data_version: 0,
            next_index: 0,
        };
        member.enter()?;
        Ok(member)
    }

    fn sql<T>(&self, doing: &str, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|e| errors::of(&e, &format!("{doing} group {}", self.config.group), &self.log.path))
    }

    fn deadline_ms(&self) -> i64 {
        now_ms().saturating_add(i64::try_from(self.config.session_timeout.as_millis()).unwrap_or(i64::MAX))
    }

    fn enter(&mut self) -> Result<()> {
        self.id = Uuid::new_v4().to_string();
        let (deadline_ms, config, id) = (self.deadline_ms(), self.config.clone(), self.id.clone());
        let entered = (|| {
            let tx = self.log.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            groups::join(&tx, &id, &config.group, &config.member, &config.topics, deadline_ms)?;
            groups::rebalance(&tx, &config.group, now_ms())?;
            tx.commit()
        })();
        self.sql("joining", entered)?;
        self.last_beat = Some(Instant::now());
        self.data_version = -1;
        Ok(())
    }

    /// Shows itself, gives up what was revoked, lets the group share out again. False when it was removed.
    fn beat(&mut self) -> Result<bool> {
        let (deadline_ms, group, id) = (self.deadline_ms(), self.config.group.clone(), self.id.clone());
        let revoked = std::mem::take(&mut self.revoked);
        let beaten = (|| {
            let tx = self.log.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let there = groups::beat(&tx, &id, deadline_ms)?;
            groups::release(&tx, &group, &id, &revoked)?;
            groups::rebalance(&tx, &group, now_ms())?;
            tx.commit()?;
            Ok(there)
        })();
        if beaten.is_err() {
            self.revoked.clone_from(&revoked);
        }
        let there = self.sql("keeping alive in", beaten)?;
        for part in revoked {
            self.assigned.remove(&part);
        }
        self.last_beat = Some(Instant::now());
        self.data_version = -1;
        Ok(there)
    }

    /// Compares what the tables say with what was reported to the caller.
    fn changes(&mut self) -> Result<Option<Polled>> {
        let version = self.log.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        let version: i64 = self.sql("watching", version)?;
        if version == self.data_version {
            return Ok(None);
        }
        let now = self.sql("watching", groups::assigned(&self.log.connection, &self.config.group, &self.id))?;
        let lost: Vec<i64> = self.assigned.keys().filter(|part| !now.contains_key(part)).copied().collect();
        if !lost.is_empty() {
            return Ok(Some(Polled::Lost(self.forget(&lost))));
        }
        let revoking = |part: &&i64| now.get(*part) == Some(&true) && !self.revoked.contains(part);
        let revoked: Vec<i64> = self.assigned.keys().filter(revoking).copied().collect();
        if !revoked.is_empty() {
            let at = revoked.iter().filter_map(|part| Some(self.assigned.get(part)?.part.at.clone())).collect();
            self.revoked.extend(revoked);
            return Ok(Some(Polled::Revoked(at)));
        }
        // Assigned and revoked before we looked: no other member gets them before we give them up.
        let unseen = |part: &&i64| !self.assigned.contains_key(part) && !self.revoked.contains(part);
        let unseen: Vec<i64> =
            now.iter().filter(|(_, revoking)| **revoking).map(|(part, _)| part).filter(unseen).copied().collect();
        self.revoked.extend(unseen);
        let new: Vec<i64> = now
            .iter()
            .filter(|(part, revoking)| !**revoking && !self.assigned.contains_key(part))
            .map(|(p, _)| *p)
            .collect();
        let assigned = self.take(&new)?;
        self.data_version = version;
        Ok((!assigned.is_empty()).then_some(Polled::Assigned(assigned)))
    }

    fn forget(&mut self, parts: &[i64]) -> Vec<TopicPartition> {
        self.revoked.retain(|part| !parts.contains(part));
        parts.iter().filter_map(|part| Some(self.assigned.remove(part)?.part.at)).collect()
    }

    fn take(&mut self, parts: &[i64]) -> Result<Vec<Assignment>> {
        let mut assigned = Vec::new();
        for part in parts {
            let found = groups::position(&self.log.connection, &self.config.group, *part);
            let Some((part, offset)) = self.sql("reading offsets of", found)? else { continue };
            let start = if self.config.start == Start::Earliest { part.low } else { part.next };
            let (position, metadata) = offset.map_or((start, None), |(next, metadata)| (next, Some(metadata)));
            assigned.push(Assignment { at: part.at.clone(), topic_id: part.topic_id.clone(), position, metadata });
            self.assigned.insert(part.id, AssignedPartition { part, position, paused: false });
        }
        Ok(assigned)
    }

    /// Records of the next partition that has any.
    fn fetch(&mut self) -> Result<Vec<Message>> {
        let ids: Vec<i64> = self.assigned.keys().copied().collect();
        for i in 0..ids.len() {
            let at = (self.next_index + i) % ids.len();
            let Some(assigned) = self.assigned.get_mut(&ids[at]) else { continue };
            if assigned.paused || self.revoked.contains(&ids[at]) {
                continue;
            }
            let connection = &self.log.connection;
            let part = log::part(connection, &assigned.part.at, &self.log.path)?;
            if part.id != assigned.part.id {
                continue; // The topic was recreated; the next look at the group revokes this partition.
            }
            let (records_max, bytes_max) = (self.config.poll_records_max, self.config.poll_bytes_max);
            let messages = log::read(connection, &part, assigned.position, records_max, bytes_max, &self.log.path)?;
            if let Some(last) = messages.last() {
                assigned.position = last.offset + 1;
                self.next_index = at + 1;
                return Ok(messages);
            }
        }
        Ok(Vec::new())
    }

    fn mine(&mut self, at: &TopicPartition, doing: &str) -> Result<&mut AssignedPartition> {
        let fenced = || BrokerError::Fenced { doing: format!("{doing} {}/{}", at.topic, at.partition) };
        self.assigned.values_mut().find(|assigned| assigned.part.at == *at).ok_or_else(fenced)
    }

    fn set_paused(&mut self, at: &[TopicPartition], paused: bool) -> Result<()> {
        let doing = if paused { "pausing" } else { "resuming" };
        at.iter().try_for_each(|at| {
            self.mine(at, doing)?.paused = paused;
            Ok(())
        })
    }
}

impl Consumer for Member {
    fn poll(&mut self, timeout: Duration) -> Result<Polled> {
        let until = Instant::now() + timeout;
        let beat_every = (self.config.session_timeout / 3).min(BEAT_MAX);
        let mut nap = Duration::from_millis(1);
        loop {
            let due = self.last_beat.is_none_or(|last| last.elapsed() >= beat_every);
            if (due || !self.revoked.is_empty()) && !self.beat()? {
                let all: Vec<i64> = self.assigned.keys().copied().collect();
                let lost = self.forget(&all);
                self.enter()?;
                if !lost.is_empty() {
                    return Ok(Polled::Lost(lost));
                }
            }
            if let Some(event) = self.changes()? {
                return Ok(event);
            }
            let messages = self.fetch()?;
            if !messages.is_empty() {
                return Ok(Polled::Records(messages));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Polled::Idle);
            }
            std::thread::sleep(nap.min(left));
            nap = (nap * 2).min(NAP_MAX);
        }
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        self.mine(at, "seeking in")?.position = offset;
        Ok(())
    }

    fn pause(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.set_paused(at, true)
    }

    fn resume(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.set_paused(at, false)
    }

    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        self.step(&[], offsets).map(|_| ())
    }

    fn leave(&mut self) -> Result<()> {
        let (group, id) = (self.config.group.clone(), self.id.clone());
        let left = (|| {
            let tx = self.log.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            groups::remove(&tx, &id)?;
            groups::rebalance(&tx, &group, now_ms())?;
            tx.commit()
        })();
        self.sql("leaving", left)?;
        self.assigned.clear();
        self.revoked.clear();
        Ok(())
    }
}

impl Processor for Member {
    fn step(&mut self, records: &[OutRecord], offsets: &[GroupOffset]) -> Result<Vec<Appended>> {
        let (group, id, path) = (self.config.group.clone(), self.id.clone(), self.log.path.clone());
        let assigned = &self.assigned;
        self.log.append_with(records, |tx| {
            for offset in offsets {
                let part = assigned.iter().find(|(_, assigned)| assigned.part.at == offset.at).map(|(part, _)| *part);
                let stored = part.map_or(Ok(false), |part| groups::store(tx, &group, &id, part, offset));
                if !stored.map_err(|e| errors::of(&e, &format!("committing for group {group}"), &path))? {
                    let doing = format!("committing {}/{} for group {group}", offset.at.topic, offset.at.partition);
                    return Err(BrokerError::Fenced { doing });
                }
            }
            Ok(())
        })
    }
}

/// A member that goes away leaves the group; if it cannot, its process or its time-out tells.
impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}
