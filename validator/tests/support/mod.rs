//! A real embedded log for tests.

#![allow(dead_code, reason = "each test file is a program of its own and uses a part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::topics;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, Message, OutRecord, RecordValue, TopicInfo, TopicPartition, TopicSpec};
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use serde_json::{Value, json};
use validator::{ProducerPolicies, ValidatorConfig, ValidatorCounters, ValidatorError, ValidatorSnapshot};

pub const NOW_MS: i64 = 1_768_903_205_000;
pub const PARTITIONS: u32 = 2;

pub struct World {
    folder: tempfile::TempDir,
    pub broker: EmbeddedBroker,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("log.db"), EmbeddedSettings::default()).unwrap();
        let world = Self { folder, broker };
        world.topic(topics::WIRE);
        world
    }

    /// The same broker with other settings.
    pub fn again(&self, settings: EmbeddedSettings) -> EmbeddedBroker {
        EmbeddedBroker::open(&self.folder.path().join("log.db"), settings).unwrap()
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

    pub fn drain(&self, policies: ProducerPolicies) -> ValidatorSnapshot {
        let config = ValidatorConfig { policies, ..config("one") };
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

pub fn run(
    config: &ValidatorConfig,
    broker: &dyn Broker,
    shutdown: &Shutdown,
) -> std::result::Result<ValidatorSnapshot, ValidatorError> {
    let counters = Arc::new(ValidatorCounters::default());
    validator::run(
        config,
        validator::ValidatorDeps { broker, clock: &ManualClock::at(NOW_MS), counters: &counters },
        shutdown,
    )?;
    Ok(counters.snapshot())
}

pub fn own() -> ProducerPolicies {
    ProducerPolicies::own_only(SaltMode::Stable)
}

pub fn config(member: &str) -> ValidatorConfig {
    ValidatorConfig {
        member: member.to_owned(),
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        selection: None,
        policies: own(),
        valid_partitions: PARTITIONS,
        dead_partitions: PARTITIONS,
        tenant_spread: 1,
        step_records_max: 7,
        step_bytes_max: 1 << 20,
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
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
