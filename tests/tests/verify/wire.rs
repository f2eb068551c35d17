//! What can be said of wire records where the broker does not hold all of them, or not every offset is a record.

use contracts::topics;
use lake::verify::{Area, Rule, verify};
use operations::repair;
use platform::broker::{
    Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Headers, Message, Processor, Producer, TopicInfo,
    TopicPartition, TopicSettings, TopicSpec, Watermarks,
};
use tests::pipeline::Pipeline;

use super::world::{Filled, good, rules};

#[test]
fn what_the_broker_no_longer_holds_is_reported_but_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    pipeline.broker.delete_topic(topics::WIRE).unwrap();
    let (name, retention_bytes) = (topics::WIRE.to_owned(), Some(1));
    let spec = TopicSpec { name, partitions: 1, compacted: false, retention_ms: None, retention_bytes };
    pipeline.broker.ensure_topic(&spec).unwrap();
    pipeline.publish((0..3).map(|n| (Some("acme"), good("acme", n), Headers::new())));
    pipeline.drain();
    pipeline.publish([(Some("acme"), good("acme", 3), Headers::new())]);
    pipeline.pretend_to_have_judged();
    assert_eq!(rules(&pipeline.verify()), [Rule::RecordLost]);
    assert!(pipeline.broker.clean().unwrap() > 0);
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!(report.unproven.iter().map(|m| m.offsets.count()).sum::<u64>(), 1);
    assert_eq!(repair::plan(&report).expired, report.unproven);
}

/// A broker of which not every offset is a record, as Kafka's transaction marks are none, and whose retention takes
/// records while they are being read.
struct Holes<'a> {
    inner: &'a dyn Broker,
    hidden: fn(u64) -> bool,
    kept_from: u64,
}

impl Broker for Holes<'_> {
    fn read(&self, at: &TopicPartition, offset: u64, max: usize, bytes: usize) -> Result<Vec<Message>, BrokerError> {
        if !topics::is_wire(&at.topic) {
            return self.inner.read(at, offset, max, bytes);
        }
        let Watermarks { low, high } = self.inner.watermarks(at)?;
        let low = low.max(self.kept_from.min(high));
        if offset < low {
            let (topic, partition) = (at.topic.to_string(), at.partition);
            return Err(BrokerError::OffsetOutOfRange { topic, partition, offset, low, high });
        }
        let mut all = self.inner.read(at, offset, 10_000, usize::MAX >> 1)?;
        all.retain(|message| !(self.hidden)(message.offset));
        all.truncate(max);
        Ok(all)
    }
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo, BrokerError> {
        self.inner.ensure_topic(spec)
    }
    fn topics(&self) -> Result<Vec<TopicInfo>, BrokerError> {
        self.inner.topics()
    }
    fn topic_settings(&self, name: &str) -> Result<TopicSettings, BrokerError> {
        self.inner.topic_settings(name)
    }
    fn delete_topic(&self, name: &str) -> Result<(), BrokerError> {
        self.inner.delete_topic(name)
    }
    fn producer(&self) -> Result<Box<dyn Producer>, BrokerError> {
        self.inner.producer()
    }
    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>, BrokerError> {
        self.inner.consumer(config)
    }
    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>, BrokerError> {
        self.inner.processor(config)
    }
    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks, BrokerError> {
        self.inner.watermarks(at)
    }
    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>, BrokerError> {
        self.inner.offset_for_time(at, timestamp_ms)
    }
    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>, BrokerError> {
        self.inner.group_offsets(group)
    }
    fn clean(&self) -> Result<u64, BrokerError> {
        self.inner.clean()
    }
}

#[test]
fn offsets_that_are_no_records_are_not_lost() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    // 18 records lie at 0..18; of those at 18..27 the ones in the middle are judged.
    for (part, is_judged) in [false, true, false].into_iter().enumerate() {
        let first = 90 + 3 * part as u64;
        pipeline.publish((first..first + 3).map(|n| (Some("acme"), good("acme", n), Headers::new())));
        if is_judged { pipeline.drain() } else { pipeline.pretend_to_have_judged() }
    }
    let check = |hidden: fn(u64) -> bool, kept_from: u64, expected: &[u64]| {
        let broker = Holes { inner: &pipeline.broker, hidden, kept_from };
        let report = verify(&*pipeline.store, Some(&broker), &|| {}).unwrap();
        let wire = report.areas.iter().find(|area| area.area == Area::WireRecords).unwrap();
        assert_eq!(wire.not_compared.is_empty(), report.unproven.is_empty(), "what has expired is named");
        let found: Vec<_> = report.missing.iter().flat_map(|m| m.offsets.ranges()).flatten().collect();
        assert_eq!(found, expected);
    };
    check(|_| false, 0, &[18, 19, 20, 24, 25, 26]);
    check(|offset| offset % 2 == 0, 0, &[19, 25]);
    check(|offset| offset != 25, 0, &[25]);
    check(|offset| offset >= 18, 0, &[]);
    check(|_| false, 25, &[25, 26]);
}
