//! The broker seam: what every service may ask of a log, and nothing more. Kafka's semantics are the
//! reference (topic id, partitions, offsets, keys, headers, timestamps, consumer groups); the embedded
//! implementation in [`embedded`] is SQLite. This module knows bytes and positions, never what a record says.
//!
//! All calls block; each handle is owned by one thread (DESIGN.md §3).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::lifecycle::Shutdown;
use crate::retry;

mod change;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod embedded;
mod headers;
pub mod kafka;
pub mod lag;
mod lookup;
#[cfg(feature = "conformance")]
pub mod meddled;
mod partition;
mod parts;
mod value;

pub use change::{FileSize, Limit, TopicChange, cleaning_interval};
pub use headers::Headers;
pub use lookup::{is_there, record_at};
pub use partition::partition_for_key;
pub use parts::{Parts, READ_BYTES, READ_RECORDS, read_held};
pub use value::RecordValue;

/// A topic as the broker knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: Arc<str>,
    /// Id, new each time a topic of this name is created; holds no `/`.
    pub id: Arc<str>,
    /// Number of partitions.
    pub partitions: u32,
}

/// Largest record, with its batch, that brokers are to take: one of the largest input, wrapped with what is said about it.
pub const RECORD_BYTES_MAX: usize = 10 << 20;

/// Settings of a topic to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Name.
    pub name: String,
    /// Number of partitions.
    pub partitions: u32,
    /// Keep only the newest record per key.
    pub compacted: bool,
    /// Age after which records may go; `None` keeps them.
    pub retention_ms: Option<u64>,
    /// Bytes per partition above which the oldest records may go; `None` keeps them.
    pub retention_bytes: Option<u64>,
}

/// How a topic is kept, as the broker says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSettings {
    /// Only the newest record per key is kept.
    pub compacted: bool,
    /// Age after which records may go; `None` keeps them.
    pub retention_ms: Option<u64>,
    /// Bytes per partition above which the oldest records may go; `None` keeps them.
    pub retention_bytes: Option<u64>,
    /// Bytes of a record, with its batch, above which it is refused.
    pub record_bytes_max: usize,
    /// Copies; `None` where a broker is one file.
    pub replication: Option<Replication>,
}

/// Copies of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replication {
    /// Of the partition that has fewest.
    pub copies: usize,
    /// How many have to have a record before it counts as written.
    pub in_sync_min: usize,
    /// A copy that lacks records may take over; then these are lost.
    pub unclean_leader_election: bool,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition number.
    pub partition: u32,
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutRecord {
    /// Topic name.
    pub topic: Arc<str>,
    /// Partition; `None` chooses by key (murmur2, as Kafka's default partitioner), or spreads when there is no key.
    pub partition: Option<u32>,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; null for a tombstone.
    pub value: RecordValue,
    /// Headers.
    pub headers: Headers,
    /// Milliseconds since the epoch; `None` lets the broker stamp it.
    pub timestamp_ms: Option<i64>,
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where it was read.
    pub at: TopicPartition,
    /// Offset.
    pub offset: u64,
    /// Milliseconds since the epoch.
    pub timestamp_ms: i64,
    /// Key.
    pub key: Option<Bytes>,
    /// Value; null for a tombstone.
    pub value: RecordValue,
    /// Headers.
    pub headers: Headers,
}

/// What a record holds in memory: value, key and headers, each of which a producer may make large.
fn bytes_of(key: Option<&Bytes>, value: &RecordValue, headers: &Headers) -> usize {
    value.len() + key.map_or(0, Bytes::len) + headers.packed().len()
}

impl OutRecord {
    /// What the record holds in memory: value, key and headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(self.key.as_ref(), &self.value, &self.headers)
    }
}

impl Message {
    /// What the record holds in memory: value, key and headers.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes_of(self.key.as_ref(), &self.value, &self.headers)
    }

    /// The last header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.get(name)
    }
}

/// Position a record was appended at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
}

/// A group's position in a partition: the next offset to read, and free text kept with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffset {
    /// Partition.
    pub at: TopicPartition,
    /// Next offset to read.
    pub offset: u64,
    /// Metadata, at most 4 KiB.
    pub metadata: String,
}

/// A partition assigned to this member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Partition.
    pub at: TopicPartition,
    /// Id of its topic.
    pub topic_id: Arc<str>,
    /// Where reading starts unless [`Consumer::seek`] moves it: the group's offset, else by [`Start`].
    pub position: u64,
    /// Metadata of the group's offset; `None` when the group has none for this partition.
    pub metadata: Option<String>,
}

/// What one poll brought. One kind per call, so that assignment changes are never missed.
#[derive(Debug)]
pub enum Polled {
    /// These partitions are now this member's. Nothing of them was delivered before this event.
    Assigned(Vec<Assignment>),
    /// These partitions are being revoked: what the member commits *before its next
    /// poll* still counts; after that poll another member may have them.
    Revoked(Vec<TopicPartition>),
    /// These partitions are lost already (expired or fenced): drop their state, commit nothing.
    Lost(Vec<TopicPartition>),
    /// Records, rising offsets per partition.
    Records(Vec<Message>),
    /// Nothing within the time-out.
    Idle,
}

/// Where a group without an offset starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At the oldest record.
    Earliest,
    /// At the end.
    Latest,
}

/// Which topics a consumer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// These.
    Names(Vec<String>),
    /// This one and every `<name>.<anything>`, also those created later.
    Family(String),
}

impl Topics {
    /// True when this topic is one of them.
    #[must_use]
    pub fn include(&self, topic: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| name == topic),
            Self::Family(name) => {
                topic.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

/// Settings of a consumer or processor.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// Group.
    pub group: String,
    /// Topics.
    pub topics: Topics,
    /// Name of this member, unique per process instance (for people and fencing).
    pub member: String,
    /// Where to start without an offset.
    pub start: Start,
    /// A member that does not poll for this long loses its partitions.
    pub session_timeout: Duration,
    /// A poll returns at most this many records.
    pub poll_records_max: usize,
    /// A poll returns at most about this many bytes (always at least one record).
    pub poll_bytes_max: usize,
}

/// Offsets of the records that a partition holds now: `[low, high)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// Oldest offset still there.
    pub low: u64,
    /// Offset behind the last record. The next one may get a higher one: logs have offsets that are no records.
    pub high: u64,
}

/// What went wrong, by what the caller should do about it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The partitions are assigned to another member now; nothing was written. Poll again to learn the new assignment.
    #[error("{doing}: this member was fenced by a newer one")]
    Fenced {
        /// What was being done.
        doing: String,
    },
    /// May work later; nothing was written. Back off and retry in place.
    #[error("{doing}: {reason}")]
    Retriable {
        /// What was being done.
        doing: String,
        /// Why it failed.
        reason: String,
    },
    /// The disk has no room; nothing was written. Retriable once there is.
    #[error("{doing}: no space left on the broker's disk ({path})")]
    NoSpace {
        /// What was being done.
        doing: String,
        /// Which disk.
        path: String,
    },
    /// The topic is not there.
    #[error("topic {0} does not exist")]
    UnknownTopic(String),
    /// The partition no longer, or not yet, holds that offset.
    #[error("offset {offset} of {topic}/{partition} is outside what the broker holds, {low}..{high}")]
    OffsetOutOfRange {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Asked for.
        offset: u64,
        /// Oldest.
        low: u64,
        /// End.
        high: u64,
    },
    /// A batch came that does not match its checksum or cannot be unpacked, however often it is read. Nothing is skipped: the next
    /// read meets it again.
    #[error(
        "reading {topic}/{partition} from offset {offset}: the batch there cannot be read ({reason}): the broker's copy is damaged, or \
         it is larger than 256 MiB once unpacked. Let a broker with a good copy lead the partition; where there is none, docs/kafka.md \
         (\"A batch that cannot be read\") says how to resume after it"
    )]
    Unreadable {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// First offset that could not be read.
        offset: u64,
        /// In whose words.
        reason: String,
    },
    /// The record is over the broker's limit; nothing was written.
    #[error("a record of {bytes} bytes for topic {topic} is over the limit of {limit} bytes")]
    TooLarge {
        /// Topic.
        topic: String,
        /// Size of the record.
        bytes: usize,
        /// Limit.
        limit: usize,
    },
    /// It is not known, and cannot be found out now, whether it was written: what is committed has to be read again.
    #[error("{doing}: it is unknown whether it was written: {reason}")]
    Uncertain {
        /// What was being done.
        doing: String,
        /// Why that is not known.
        reason: String,
    },
    /// Credentials are refused or missing, or what they allow does not include this.
    #[error("{doing}: {reason}")]
    Denied {
        /// What was being done.
        doing: String,
        /// In whose words.
        reason: String,
    },
    /// Will not work by retrying: corrupt file, wrong version.
    #[error("{doing}: {reason}")]
    Fatal {
        /// What was being done.
        doing: String,
        /// Why it failed.
        reason: String,
    },
}

impl BrokerError {
    /// True when the same call may succeed later.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::Retriable { .. } | Self::NoSpace { .. })
    }

    /// True when waiting may mend it: it is retriable, or the topic was deleted and may come back.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.is_retriable() || matches!(self, Self::UnknownTopic(_))
    }
}

/// Result of a broker call.
pub type Result<T> = std::result::Result<T, BrokerError>;

/// Repeats an attempt while its error may pass; `None` when a stop was requested before. `doing` is for the log, `retried` is
/// called before each repetition.
///
/// # Errors
/// The first error that waiting cannot mend.
pub fn until_answered<T>(
    shutdown: &Shutdown,
    doing: &str,
    retried: impl Fn(),
    attempt: impl FnMut() -> Result<T>,
) -> Result<Option<T>> {
    let may_pass = |error: &BrokerError| {
        if error.may_pass() {
            retried();
            tracing::warn!(%error, doing, "the broker is not ready, trying again");
        }
        error.may_pass()
    };
    retry::until_stopped(shutdown, may_pass, attempt)
}

/// A connection to a broker; cheap to share, opens handles.
pub trait Broker: Send + Sync {
    /// Creates the topic unless it exists; returns it either way, as it is.
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo>;
    /// All topics, by name.
    fn topics(&self) -> Result<Vec<TopicInfo>>;
    /// How a topic is kept.
    fn topic_settings(&self, name: &str) -> Result<TopicSettings>;
    /// Changes settings of a topic that exists. When it fails, a part may be changed; the same change may be asked for again.
    ///
    /// # Errors
    /// The topic does not exist, would lose partitions, or is compacted and was to get a limit of age or size.
    fn alter_topic(&self, name: &str, _change: &TopicChange) -> Result<()> {
        let (doing, reason) = (format!("changing topic {name}"), "this broker cannot change topics".to_owned());
        Err(BrokerError::Fatal { doing, reason })
    }
    /// Removes a topic with its records.
    fn delete_topic(&self, name: &str) -> Result<()>;
    /// An appender.
    fn producer(&self) -> Result<Box<dyn Producer>>;
    /// A group member that reads.
    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>>;
    /// A group member that reads and writes atomically.
    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>>;
    /// Reads records from an offset without a group, at most `records_max` and about `bytes_max`; empty at the end.
    fn read(
        &self,
        topic_partition: &TopicPartition,
        offset: u64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Message>>;
    /// Oldest and next offset.
    fn watermarks(&self, topic_partition: &TopicPartition) -> Result<Watermarks>;
    /// First offset whose timestamp is at or after `timestamp_ms`; `None` when there is none.
    fn offset_for_time(&self, topic_partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>>;
    /// Offsets of a group. Lag is `watermarks().high - offset`.
    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>>;
    /// Waits until all that has been sent to these partitions by now are records, or never will be: who was killed may have left
    /// a transaction open, behind which no reader sees anything until the broker ends it. Comes back earlier when a stop is requested, or
    /// when another producer keeps one open for longer than ours may take.
    fn wait_for_open_transactions(&self, _partitions: &[TopicPartition], _shutdown: &Shutdown) -> Result<()> {
        Ok(())
    }
    /// Removes expired records and superseded keys of compacted topics now, and gives their room back; returns how many.
    /// A broker with its own cleaner returns 0.
    fn clean(&self) -> Result<u64>;
    /// How often [`clean`](Self::clean) is to be called, so that records go within about their age; `None` where the broker
    /// has its own cleaner.
    fn cleaning_interval(&self) -> Result<Option<Duration>> {
        Ok(None)
    }
    /// How much room the broker takes; `None` where it is no file of this machine.
    fn file_size(&self) -> Result<Option<FileSize>> {
        Ok(None)
    }
}

/// Appends. When `append` returns, the records are durable; when it fails, none is visible.
pub trait Producer: Send {
    /// Appends all records in order, or none.
    fn append(&mut self, records: &[OutRecord]) -> Result<Vec<Appended>>;
}

/// A member of a group.
pub trait Consumer: Send {
    /// Waits at most `timeout` for an event. Also the member's sign of life.
    fn poll(&mut self, timeout: Duration) -> Result<Polled>;
    /// Moves the reading position of an assigned partition.
    fn seek(&mut self, topic_partition: &TopicPartition, offset: u64) -> Result<()>;
    /// Stops delivering these partitions (back-pressure) until [`resume`](Self::resume); polls still keep the member alive.
    fn pause(&mut self, partitions: &[TopicPartition]) -> Result<()>;
    /// Delivers them again.
    fn resume(&mut self, partitions: &[TopicPartition]) -> Result<()>;
    /// Stores group offsets. Fails with [`BrokerError::Fenced`] when a partition is not this member's any more.
    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()>;
    /// Leaves the group at once, so that others take over without waiting for the time-out.
    fn leave(&mut self) -> Result<()>;
}

/// A member that consumes, transforms and produces.
pub trait Processor: Consumer {
    /// Appends the records and stores the group offsets in one atomic step: readers see all or nothing, and
    /// a fenced member writes nothing. After an error nothing was written; the reading position stays behind what was
    /// polled, so a member that gives the step up seeks back.
    fn step(&mut self, records: &[OutRecord], offsets: &[GroupOffset]) -> Result<Vec<Appended>>;
}
