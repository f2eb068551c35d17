//! A real embedded log for tests, and a broker that meddles with the steps of one member.

#![allow(dead_code, reason = "each test file is a program of its own and uses a part")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::topics;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{
    Appended, Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, OutRecord, Polled, Processor,
    Producer, RecordValue, Result, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
};
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use serde_json::{Value, json};
use validator::{Config, Counters, ProducerPolicies, Snapshot, Until, ValidatorError};

pub const NOW_MS: i64 = 1_768_903_205_000;
pub const PARTITIONS: u32 = 2;

pub struct World {
    _folder: tempfile::TempDir,
    pub broker: EmbeddedBroker,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("log.db"), EmbeddedSettings::default()).unwrap();
        let world = Self { _folder: folder, broker };
        world.topic(topics::WIRE);
        world
    }

    pub fn topic(&self, name: &str) -> TopicInfo {
        let spec = TopicSpec {
            name: name.to_owned(),
            partitions: PARTITIONS,
            compacted: false,
            retention_ms: None,
            retention_bytes: None,
        };
        self.broker.ensure_topic(&spec).unwrap()
    }

    /// Appends a record to partition 1 of a topic.
    pub fn send(&self, topic: &str, value: impl Into<RecordValue>, headers: &[(&str, &[u8])]) {
        self.send_to(topic, 1, value, headers);
    }

    /// Appends a record with this time to the wire topic.
    pub fn send_at(&self, timestamp_ms: i64, value: impl Into<RecordValue>) {
        self.append(topics::WIRE, 1, value.into(), &[], timestamp_ms);
    }

    pub fn send_to(&self, topic: &str, partition: u32, value: impl Into<RecordValue>, headers: &[(&str, &[u8])]) {
        self.append(topic, partition, value.into(), headers, 1_768_903_000_000);
    }

    fn append(&self, topic: &str, partition: u32, value: RecordValue, headers: &[(&str, &[u8])], timestamp_ms: i64) {
        let record = OutRecord {
            topic: topic.into(),
            partition: Some(partition),
            key: Some(Bytes::from_static(b"some key")),
            value,
            headers: headers.iter().copied().collect(),
            timestamp_ms: Some(timestamp_ms),
        };
        self.broker.producer().unwrap().append(&[record]).unwrap();
    }

    pub fn drain(&self, policies: ProducerPolicies) -> Snapshot {
        let config = Config { policies, ..config("one") };
        run(&config, &self.broker, &Shutdown::new()).unwrap()
    }

    pub fn records(&self, topic: &str) -> Vec<Message> {
        let partitions = self.broker.topics().unwrap().into_iter().find(|t| &*t.name == topic).unwrap().partitions;
        let at = |partition| TopicPartition { topic: topic.into(), partition };
        (0..partitions).flat_map(|p| self.broker.read(&at(p), 0, 100_000, usize::MAX).unwrap()).collect()
    }

    /// Judges one record under a policy; it must come out as exactly one record of that topic.
    pub fn one(&self, policies: ProducerPolicies, topic: &str) -> Message {
        let _ = self.drain(policies);
        let mut valid = self.records(topics::VALID);
        let mut dead = self.records(topics::DEAD_LETTERS);
        assert_eq!((valid.len(), dead.len()), if topic == topics::VALID { (1, 0) } else { (0, 1) }, "{dead:?}");
        valid.pop().or(dead.pop()).unwrap()
    }
}

pub fn run(config: &Config, broker: &dyn Broker, shutdown: &Shutdown) -> std::result::Result<Snapshot, ValidatorError> {
    let counters = Arc::new(Counters::default());
    validator::run(config, broker, &ManualClock::at(NOW_MS), &counters, shutdown)?;
    Ok(counters.snapshot())
}

pub fn own() -> ProducerPolicies {
    ProducerPolicies::own_only(SaltMode::Stable)
}

pub fn config(member: &str) -> Config {
    Config {
        member: member.to_owned(),
        lane: contracts::topics::Lane::live(),
        selection: None,
        policies: own(),
        valid_partitions: PARTITIONS,
        dead_partitions: PARTITIONS,
        tenant_spread: 1,
        step_records_max: 7,
        step_bytes_max: 1 << 20,
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_gone: false,
    }
}

pub fn draft() -> Value {
    serde_json::from_str(include_str!("../../../schemas/examples/valid/aws_ebs_gp2.json")).unwrap()
}

pub fn draft_with(key: &str, value: Value) -> Vec<u8> {
    let mut draft = draft();
    draft[key] = value;
    json!(draft).to_string().into_bytes()
}

pub fn header<'m>(message: &'m Message, name: &str) -> &'m str {
    std::str::from_utf8(message.header(name).unwrap_or_else(|| panic!("no header {name}"))).unwrap()
}

/// Called with the number of a step, from 1, before it is done; an error is returned instead of doing it.
pub type Meddle = Arc<dyn Fn(u64) -> std::result::Result<(), BrokerError> + Send + Sync>;

/// The embedded broker, whose members' steps are meddled with.
pub struct Meddling {
    pub inner: EmbeddedBroker,
    pub meddle: Meddle,
}

struct MeddledProcessor {
    inner: Box<dyn Processor>,
    steps: AtomicU64,
    meddle: Meddle,
}

impl Broker for Meddling {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        self.inner.ensure_topic(spec)
    }
    fn topics(&self) -> Result<Vec<TopicInfo>> {
        self.inner.topics()
    }
    fn topic_settings(&self, name: &str) -> Result<TopicSettings> {
        self.inner.topic_settings(name)
    }
    fn delete_topic(&self, name: &str) -> Result<()> {
        self.inner.delete_topic(name)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        self.inner.producer()
    }
    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        self.inner.consumer(config)
    }
    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>> {
        let inner = self.inner.processor(config)?;
        Ok(Box::new(MeddledProcessor { inner, steps: AtomicU64::new(0), meddle: self.meddle.clone() }))
    }
    fn read(&self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        self.inner.read(at, offset, records_max, bytes_max)
    }
    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        self.inner.watermarks(at)
    }
    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        self.inner.offset_for_time(at, timestamp_ms)
    }
    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>> {
        self.inner.group_offsets(group)
    }
    fn clean(&self) -> Result<u64> {
        self.inner.clean()
    }
}

impl Consumer for MeddledProcessor {
    fn poll(&mut self, timeout: Duration) -> Result<Polled> {
        self.inner.poll(timeout)
    }
    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        self.inner.seek(at, offset)
    }
    fn pause(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.inner.pause(at)
    }
    fn resume(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.inner.resume(at)
    }
    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        self.inner.commit(offsets)
    }
    fn leave(&mut self) -> Result<()> {
        self.inner.leave()
    }
}

impl Processor for MeddledProcessor {
    fn step(&mut self, records: &[OutRecord], offsets: &[GroupOffset]) -> Result<Vec<Appended>> {
        (self.meddle)(self.steps.fetch_add(1, Ordering::SeqCst) + 1)?;
        self.inner.step(records, offsets)
    }
}
