//! The committed offsets of the sinks' group, and what sinks leave with them: which store they write to. Those of all partitions
//! together say whether sinks of another store are in the group.

use platform::broker::{Broker, BrokerError, TopicPartition};
use serde::{Deserialize, Serialize};

/// Where the sink that wrote last left the group: a hint, the commit chain decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// Next offset.
    pub offset: u64,
    /// Store of the one that left it, when it says so.
    pub store_id: Option<String>,
}

/// Metadata of a committed offset.
#[derive(Serialize, Deserialize)]
pub struct OffsetMetadata {
    /// Store of the sink that left it.
    pub store_id: String,
}

/// The store of the sink that left this position, where its metadata names one.
#[must_use]
pub fn store_of(metadata: &str) -> Option<String> {
    serde_json::from_str(metadata).ok().map(|left: OffsetMetadata| left.store_id)
}

/// How a sink reads the committed offsets of its group.
#[derive(Debug)]
pub struct CommittedOffsets<'a> {
    /// The group.
    pub group: &'a str,
    /// A store that this sink's store takes the place of: its offsets count as left by no store.
    pub replaced: Option<&'a str>,
}

impl CommittedOffsets<'_> {
    /// The committed offset with this metadata.
    pub fn of(&self, offset: u64, metadata: &str) -> CommittedOffset {
        CommittedOffset { offset, store_id: store_of(metadata).filter(|id| Some(id.as_str()) != self.replaced) }
    }

    /// No position names the store any more that is to be replaced.
    pub fn are_replaced(&self, broker: &dyn Broker) -> Result<bool, BrokerError> {
        let Some(replaced) = self.replaced else { return Ok(true) };
        let left = broker.group_offsets(self.group)?;
        Ok(!left.iter().any(|left| store_of(&left.metadata).as_deref() == Some(replaced)))
    }

    /// Those of all partitions. Positions of deleted topics are not among them.
    pub fn read(&self, broker: &dyn Broker) -> Result<Vec<(TopicPartition, CommittedOffset)>, BrokerError> {
        let offsets = broker.group_offsets(self.group)?.into_iter();
        Ok(offsets.map(|left| (left.at, self.of(left.offset, &left.metadata))).collect())
    }
}
