//! Apache Kafka behind the broker seam, by librdkafka. Each handle has its own client, owned by one thread. Knows topics,
//! groups and transactions, never what a record says.
//!
//! What was decided against librdkafka's known traps (DESIGN.md §3): one owner thread with a polled consumer; when a transaction
//! fails its producer is given up, and what became of one whose commit was asked for is read back from the log;
//! transactional calls run under a watchdog; `auto.offset.reset=error`; only committed records are read.

mod admin;
mod certainty;
mod client;
mod errors;
mod mark;
mod member;
mod native;
mod processor;
mod producer;
mod reader;
mod settings;
mod topics;
mod transaction;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

pub use settings::{GroupProtocol, KafkaSettings, SETTINGS, Sasl, Security};

use super::{
    Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, Processor, Producer, Result, TopicChange,
    TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
};
use crate::lifecycle::Shutdown;
use client::Client;
use errors::lock;

/// A request to the cluster is given up after this long.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// A Kafka cluster.
#[derive(Clone)]
pub struct KafkaBroker {
    inner: Arc<Inner>,
}

struct Inner {
    settings: KafkaSettings,
    admin: admin::Admin,
    topics: topics::Topics,
    readers: reader::Readers,
    /// By partition: the end of the log, and the end of its records.
    ends: Mutex<HashMap<TopicPartition, (u64, u64)>>,
    /// How long members of the consumer protocol may be silent; `None` inside when the cluster does not have it.
    consumer_silence: OnceLock<Option<Duration>>,
    /// Clients that look at the offsets of a group without being in it.
    groups: Mutex<HashMap<String, Arc<BaseConsumer<Client>>>>,
}

impl Inner {
    /// A log ends in what is no record: the ends of transactions, and what aborted ones have written. The last record is
    /// looked for from the end, in growing steps.
    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        let marks = self.admin.watermarks(at)?;
        if let Some((end, trimmed)) = lock(&self.ends).get(at)
            && *end == marks.high
        {
            return Ok(Watermarks { high: (*trimmed).max(marks.low), ..marks });
        }
        let (mut from, mut step) = (marks.high, 2);
        let mut high = marks.low;
        while from > marks.low {
            from = from.saturating_sub(step).max(marks.low);
            step *= 4;
            let found = match self.readers.last_record(at, from, marks.high) {
                // What cannot be read may be records: who reads there learns of it.
                Err(BrokerError::Unreadable { .. }) => return Ok(marks),
                Err(BrokerError::OffsetOutOfRange { .. }) => return Err(reader::changing(at)),
                other => other?,
            };
            if let Some(last) = found {
                high = last + 1;
                break;
            }
        }
        lock(&self.ends).insert(at.clone(), (marks.high, high));
        Ok(Watermarks { high, ..marks })
    }
}

impl KafkaBroker {
    /// Connects, and asks the cluster for its topics: a wrong address or refused credentials are reported here.
    ///
    /// # Errors
    /// No broker answers, or it refuses.
    pub fn connect(settings: KafkaSettings) -> Result<Self> {
        let admin = admin::Admin::connect(&settings)?;
        let topics = topics::Topics::default();
        topics.refresh(&admin)?;
        let readers = reader::Readers::new(settings.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                settings,
                admin,
                topics,
                readers,
                ends: Mutex::default(),
                consumer_silence: OnceLock::new(),
                groups: Mutex::default(),
            }),
        })
    }

    /// True when a member that may be silent for this long joins its group by the consumer protocol.
    fn is_shared_by_cluster(&self, silence: Duration) -> bool {
        let Inner { settings, admin, consumer_silence, .. } = &*self.inner;
        match settings.group_protocol {
            GroupProtocol::Classic => false,
            GroupProtocol::Consumer => true,
            GroupProtocol::Auto => {
                let allowed = *consumer_silence.get_or_init(|| admin.consumer_silence());
                allowed.is_some_and(|allowed| allowed <= silence)
            }
        }
    }

    fn group(&self, group: &str) -> Result<Arc<BaseConsumer<Client>>> {
        let mut groups = lock(&self.inner.groups);
        if let Some(known) = groups.get(group) {
            return Ok(known.clone());
        }
        let client = Arc::new(client::onlooker(&self.inner.settings, group)?);
        groups.insert(group.to_owned(), client.clone());
        Ok(client)
    }
}

/// Offset as Kafka has it. Offsets are counted up from 0 and stay far below the bound.
fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}

fn unsigned(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or_default()
}

fn signed_partition(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

fn unsigned_partition(partition: i32) -> u32 {
    u32::try_from(partition).unwrap_or_default()
}

fn list<'a>(partitions: impl IntoIterator<Item = &'a TopicPartition>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        list.add_partition(&at.topic, signed_partition(at.partition));
    }
    list
}

fn offsets_list<'a>(offsets: impl IntoIterator<Item = &'a GroupOffset>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for GroupOffset { at, offset, metadata } in offsets {
        let mut element = list.add_partition(&at.topic, signed_partition(at.partition));
        // Fails only for offsets below 0, which there are none of.
        let _ = element.set_offset(Offset::Offset(signed(*offset)));
        element.set_metadata(metadata);
    }
    list
}

/// Those partitions of a list that have an offset in one of these topics, and not in an earlier one of the same name.
fn group_offsets(list: &TopicPartitionList, topics: &[TopicInfo]) -> Vec<GroupOffset> {
    let offset = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let Offset::Offset(offset) = element.offset() else { return None };
        let topic = topics.iter().find(|topic| *topic.name == *element.topic())?;
        let (topic_id, metadata) = mark::read(element.metadata());
        topic_id.is_none_or(|id| *id == *topic.id).then(|| GroupOffset {
            at: TopicPartition { topic: topic.name.clone(), partition: unsigned_partition(element.partition()) },
            offset: unsigned(offset),
            metadata: metadata.to_owned(),
        })
    };
    list.elements().into_iter().filter_map(offset).collect()
}

impl Broker for KafkaBroker {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        let Inner { settings, admin, topics, .. } = &*self.inner;
        if let Some(there) = topics.refresh(admin)?.into_iter().find(|topic| *topic.name == *spec.name) {
            return Ok(there);
        }
        admin.create(spec, settings.replication_factor)?;
        topics.wait_for(admin, &spec.name, |found| found.is_some())?;
        topics.info(admin, &spec.name)
    }

    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.inner.topics.refresh(&self.inner.admin)
    }

    fn topic_settings(&self, name: &str) -> Result<TopicSettings> {
        self.inner.admin.settings(name)
    }

    fn alter_topic(&self, name: &str, change: &TopicChange) -> Result<()> {
        let Inner { admin, topics, .. } = &*self.inner;
        let there = topics.refresh(admin)?.into_iter().find(|topic| *topic.name == *name);
        admin.alter(&there.ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))?, change)?;
        topics.wait_for(admin, name, |found| {
            let partitions = found.map_or(0, |topic| topic.partitions);
            admin.settings(name).is_ok_and(|settings| change.is_done(&settings, partitions))
        })
    }

    fn delete_topic(&self, name: &str) -> Result<()> {
        let Inner { admin, topics, .. } = &*self.inner;
        topics.info(admin, name)?;
        admin.delete(name)?;
        topics.wait_for(admin, name, |found| found.is_none())
    }

    fn producer(&self) -> Result<Box<dyn Producer>> {
        Ok(Box::new(producer::KafkaProducer::new(self.clone())))
    }

    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(member::Member::join(self.clone(), config)?))
    }

    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>> {
        Ok(Box::new(processor::KafkaProcessor::join(self.clone(), config)?))
    }

    fn read(&self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        self.inner.topics.partition(&self.inner.admin, at)?;
        self.inner.readers.read(at, offset, records_max, bytes_max)
    }

    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        self.inner.topics.partition(&self.inner.admin, at)?;
        self.inner.watermarks(at)
    }

    fn wait_for_open_transactions(&self, partitions: &[TopicPartition], shutdown: &Shutdown) -> Result<()> {
        self.inner.admin.wait_for_open_transactions(&self.inner.settings, partitions, shutdown)
    }

    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        self.inner.topics.partition(&self.inner.admin, at)?;
        // What the cluster finds may be the end of a transaction, which has a time and is no record.
        let mut next = self.inner.admin.offset_for_time(at, timestamp_ms)?;
        while let Some(offset) = next {
            let found = self.read(at, offset, 100, 1 << 20)?;
            if let Some(record) = found.iter().find(|record| record.timestamp_ms >= timestamp_ms) {
                return Ok(Some(record.offset));
            }
            next = found.last().map(|last| last.offset + 1);
        }
        Ok(None)
    }

    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>> {
        let mut all = TopicPartitionList::new();
        let topics = self.topics()?;
        for topic in &topics {
            all.add_partition_range(&topic.name, 0, signed_partition(topic.partitions) - 1);
        }
        if all.count() == 0 {
            return Ok(Vec::new());
        }
        let found = self
            .group(group)?
            .committed_offsets(all, REQUEST_TIMEOUT)
            .map_err(|e| errors::of(&e, || format!("reading the offsets of group {group}")))?;
        Ok(group_offsets(&found, &topics))
    }

    /// Kafka cleans for itself.
    fn clean(&self) -> Result<u64> {
        Ok(0)
    }
}

impl std::fmt::Debug for KafkaBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaBroker").field("brokers", &self.inner.settings.brokers).finish_non_exhaustive()
    }
}

/// Broker errors that name the place.
fn unknown(at: &TopicPartition) -> BrokerError {
    BrokerError::UnknownTopic(format!("{}/{}", at.topic, at.partition))
}
