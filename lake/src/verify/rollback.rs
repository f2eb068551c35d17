//! Whether the topics still hold the records that commits and validators name as the last ones they read.

use std::collections::BTreeMap;

use contracts::commit_record::CommitRecord;
use contracts::datasets;
use contracts::last_record::LastRecord;
use contracts::position::Position;
use contracts::source::SrcPartition;
use contracts::topics::{self, groups};
use platform::broker::{Broker, BrokerError, GroupOffset, TopicPartition, Watermarks};

use super::{Held, Rule, VerifyReport};
use crate::row::last_record_at;

/// Commits of each chain whose last record is looked for. A roll back under a running sink is followed by commits whose own last records
/// are there; each costs one read, on Kafka some milliseconds.
const COMMITS_MAX: usize = 200;

/// Remembers the last record of a commit. Most of a long chain's records have expired: of the oldest ones nothing is kept.
pub(super) fn keep(commit: &CommitRecord, held: &mut Held) {
    let kept = held.last_records.entry((commit.topic_id.clone(), commit.partition)).or_default();
    // One without records of its own has nothing to compare.
    if commit.last_record.is_some() || commit.rows + commit.duplicates > 0 {
        if kept.len() == 2 * COMMITS_MAX {
            kept.drain(..COMMITS_MAX);
        }
        kept.push(commit.last_record.clone());
    }
}

pub(super) fn check(broker: &dyn Broker, held: &Held, report: &mut VerifyReport) -> Result<(), BrokerError> {
    let judged: BTreeMap<TopicPartition, GroupOffset> =
        broker.group_offsets(groups::VALIDATOR)?.into_iter().map(|offset| (offset.at.clone(), offset)).collect();
    for topic in broker.topics()? {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let id = SrcPartition { topic_id: topic.id.to_string(), partition };
            let mut look = Look { broker, report, marks: broker.watermarks(&at)?, at, id };
            if datasets::has_topic(&topic.name) {
                look.commits(held)?;
            } else if let Some(judged) = judged.get(&look.at).filter(|_| topics::is_wire(&topic.name)) {
                look.judged(judged)?;
            }
        }
    }
    Ok(())
}

struct Look<'a> {
    broker: &'a dyn Broker,
    report: &'a mut VerifyReport,
    at: TopicPartition,
    id: SrcPartition,
    marks: Watermarks,
}

impl Look<'_> {
    fn commits(&mut self, held: &Held) -> Result<(), BrokerError> {
        let Some(kept) = held.last_records.get(&(self.id.topic_id.clone(), self.id.partition)) else { return Ok(()) };
        let newest = &kept[kept.len().saturating_sub(COMMITS_MAX)..];
        let mut differing = Vec::new();
        for last in newest.iter().flatten() {
            if self.differs(last)? {
                differing.push(last.offset);
            }
        }
        if let Some(first) = differing.first() {
            self.rolled_back(format!(
                "{} of the {} newest commit records end with a record that the topic does not hold, the first one at offset {first}",
                differing.len(),
                newest.len()
            ));
        }
        if let Some(last) = newest.last() {
            self.count(last.as_ref());
        }
        Ok(())
    }

    fn judged(&mut self, judged: &GroupOffset) -> Result<(), BrokerError> {
        let last = Position::of(&judged.metadata).last_record;
        let high = self.marks.high;
        if last.as_ref().is_some_and(|last| last.offset >= high) {
            let detail =
                format!("topic {} ends at {high}, the validators have judged up to {}", self.at.topic, judged.offset);
            self.report.problem(Rule::TopicBehind, self.id.to_string(), detail);
            return Ok(());
        }
        if let Some(last) = &last
            && self.differs(last)?
        {
            self.rolled_back(format!("the validators have judged another record at offset {}", last.offset));
        }
        if judged.offset > 0 {
            self.count(last.as_ref());
        }
        Ok(())
    }

    /// Counts the last record of a chain or of a position: what could not be compared is neither right nor wrong.
    fn count(&mut self, last: Option<&LastRecord>) {
        let counts = &mut self.report.last_records;
        *(match last {
            None => &mut counts.unknown,
            Some(last) if last.offset < self.marks.low => &mut counts.expired,
            Some(_) => &mut counts.compared,
        }) += 1;
    }

    fn rolled_back(&mut self, what: String) {
        let detail = format!(
            "topic {}: {what}: the broker was rolled back, and its new records have the positions of lost ones; docs/backup.md \
             says how to go on",
            self.at.topic
        );
        self.report.problem(Rule::RolledBack, self.id.to_string(), detail);
    }

    /// Of a record that is outside of what the topic holds nothing is known here; where a topic ends too early is compared elsewhere.
    fn differs(&mut self, last: &LastRecord) -> Result<bool, BrokerError> {
        let before = self.marks;
        match last_record_at(self.broker, &self.at, &self.id.topic_id, last.offset, &mut self.marks) {
            Ok(Some(found)) => Ok(found.sha256 != last.sha256),
            Ok(None) => Ok((self.marks.low..before.high).contains(&last.offset)),
            // Deleted while we look.
            Err(BrokerError::UnknownTopic(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
