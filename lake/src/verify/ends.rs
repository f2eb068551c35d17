//! Chains of which the last commit record is damaged, or may be missing: what `repair` can rebuild.

use std::collections::BTreeMap;

use contracts::chain::{ChainHead, commit_start};
use contracts::{datasets, layout};
use platform::broker::{Broker, BrokerError, GroupOffset, TopicPartition};

use super::{Held, Rule, VerifyReport, store_of};
use crate::chain::{Folder, Walked};

/// The end of a chain.
#[derive(Debug, Clone)]
pub struct OpenEnd {
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// What the chain adds up to before the record.
    pub head: ChainHead,
    /// Path of the damaged record; `None` when there is no object.
    pub damaged: Option<String>,
    /// Position of the sinks' group, when it is behind what can be read of the chain.
    pub committed: Option<u64>,
}

impl OpenEnd {
    /// A record was there. Otherwise it may also be that nothing follows.
    pub fn is_certain(&self) -> bool {
        self.damaged.is_some() || self.committed.is_some()
    }

    /// The damaged record, else the folder of the chain.
    pub fn object(&self) -> String {
        self.damaged.clone().unwrap_or_else(|| layout::chain_dir(&self.topic_id, self.partition))
    }
}

/// How the chain ends, as far as its folder tells.
pub(super) fn of_folder(folder: &Folder, walked: &Walked, held: &mut Held) {
    let chain = (folder.topic_id.clone(), folder.partition);
    let head = walked.head.clone();
    let Some(broken) = &walked.broken else {
        if walked.unread.is_empty() {
            held.whole.insert(chain, head);
        } else {
            held.broken.insert(chain, None);
        }
        return;
    };
    // Where others follow, the next one names the digest of the one that is broken.
    let is_last =
        walked.unread == [broken.path.clone()] && (head.records == 0 || commit_start(&broken.path) == head.position());
    let OpenEnd { topic_id, partition, .. } = OpenEnd::empty(&chain);
    let damaged = OpenEnd { topic_id, partition, head, damaged: Some(broken.path.clone()), committed: None };
    held.broken.insert(chain, is_last.then_some(damaged));
}

impl OpenEnd {
    fn empty((topic_id, partition): &(String, u32)) -> Self {
        let head = ChainHead::empty(topic_id, *partition);
        Self { topic_id: topic_id.clone(), partition: *partition, head, damaged: None, committed: None }
    }
}

/// All ends that may be open. Records that the topic holds behind a whole chain are mostly those that no sink has written yet;
/// data files that no record names, or the position of the group, tell otherwise.
pub(super) fn all(
    broker: &dyn Broker,
    hints: &[GroupOffset],
    held: &Held,
    report: &VerifyReport,
) -> Result<Vec<OpenEnd>, BrokerError> {
    let hints: BTreeMap<&TopicPartition, u64> =
        hints.iter().filter(|hint| store_of(hint).is_some()).map(|hint| (&hint.at, hint.offset)).collect();
    let has_foreign = report.problems.iter().any(|problem| problem.rule == Rule::FileForeign);
    let topics = broker.topics()?;
    // Of a deleted topic the record cannot be rebuilt, which `repair` says.
    let is_deleted = |end: &&OpenEnd| !topics.iter().any(|topic| *topic.id == *end.topic_id);
    let mut ends: Vec<OpenEnd> = held.broken.values().flatten().filter(is_deleted).cloned().collect();
    for topic in topics.iter().filter(|topic| datasets::has_topic(&topic.name)) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let chain = (topic.id.to_string(), partition);
            let mut end = match held.broken.get(&chain) {
                Some(None) => continue,
                Some(Some(damaged)) => damaged.clone(),
                None => OpenEnd::empty(&chain),
            };
            if let Some(head) = held.whole.get(&chain) {
                end.head = head.clone();
            }
            end.committed = hints.get(&at).copied().filter(|offset| *offset > end.head.end);
            if end.is_certain() || (has_foreign && broker.watermarks(&at)?.high > end.head.end) {
                ends.push(end);
            }
        }
    }
    Ok(ends)
}
