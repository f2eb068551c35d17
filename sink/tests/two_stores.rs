//! Sinks of two stores in one group, as on two machines that share a broker and each have a data folder of their own: only one of the
//! stores is ever written to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::layout;
use contracts::topics::{self, PipelineTopics, groups};
use lake::committed_offsets::store_of;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{
    Broker, ConsumerConfig, GroupOffset, Headers, OutRecord, Polled, Start, TopicPartition, TopicSpec, Topics,
};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::Store;
use platform::store::local::LocalStore;
use sink::{BatchLimits, SinkConfig, SinkError};

const PARTITIONS: u32 = 2;

struct World {
    broker: EmbeddedBroker,
    stores: [LocalStore; 2],
    _folder: tempfile::TempDir,
}

/// Stops sinks also when a test fails.
struct Stopping<'a>(&'a Shutdown);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.request("the test has ended");
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("log.db"), EmbeddedSettings::default()).unwrap();
        for name in [topics::VALID, topics::DEAD_LETTERS] {
            let (name, retention_ms, retention_bytes) = (name.to_owned(), None, None);
            let spec = TopicSpec { name, partitions: PARTITIONS, compacted: false, retention_ms, retention_bytes };
            broker.ensure_topic(&spec).unwrap();
        }
        let stores = ["one", "two"].map(|name| LocalStore::open(&folder.path().join(name), layout::SINK).unwrap());
        Self { broker, stores, _folder: folder }
    }

    fn run(&self, store: usize, config: &SinkConfig, shutdown: &Shutdown) -> Result<(), SinkError> {
        sink::run(
            config,
            sink::SinkDeps {
                broker: &self.broker,
                store: &self.stores[store],
                clock: &SystemClock,
                counters: &Arc::default(),
            },
            shutdown,
        )
    }

    fn drain(&self, store: usize, replaced_store: Option<String>) -> Result<(), SinkError> {
        self.run(store, &SinkConfig { replaced_store, ..config(Until::Drained) }, &Shutdown::new())
    }

    /// A record that is no storage record: what a sink writes of it does not matter here.
    fn append(&self, partition: u32) {
        let (key, headers, timestamp_ms) = (None, Headers::new(), None);
        let (topic, value) = (topics::VALID.into(), b"x".to_vec().into());
        let record = OutRecord { topic, partition: Some(partition), key, value, headers, timestamp_ms };
        self.broker.producer().unwrap().append(&[record]).unwrap();
    }

    /// The stores that the positions of the group name, and how many name one.
    fn claims(&self) -> (BTreeSet<String>, usize) {
        let offsets = self.broker.group_offsets(groups::SINK).unwrap();
        let stores: Vec<String> = offsets.iter().filter_map(|offset| store_of(&offset.metadata)).collect();
        (stores.iter().cloned().collect(), stores.len())
    }

    fn commits(&self, store: usize) -> usize {
        self.stores[store].list(layout::CHAIN).unwrap().len()
    }
}

fn config(until: Until) -> SinkConfig {
    SinkConfig {
        member: "sink-test".into(),
        pipeline_topics: PipelineTopics::live(),
        limits: BatchLimits { file_rows_max: 1, ..BatchLimits::default() },
        session_timeout: Duration::from_secs(10),
        until,
        skips_expired: false,
        replaced_store: None,
    }
}

/// True when it comes to be so within half a minute.
fn comes(is_so: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if is_so() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

#[test]
fn the_second_store_is_refused_before_anything_is_written_to_it() {
    let world = World::new();
    let (first, second) = (Shutdown::new(), Shutdown::new());
    std::thread::scope(|scope| {
        let stopping = Stopping(&first);
        let running = scope.spawn(|| world.run(0, &config(Until::Shutdown), &first));
        assert!(comes(|| world.claims().1 == 4), "the first sink claims all partitions: {:?}", world.claims());
        let other = scope.spawn(|| world.run(1, &config(Until::Shutdown), &second));
        let _stopping = Stopping(&second);
        assert!(comes(|| other.is_finished()), "the second sink stays in the group");
        let refused = other.join().unwrap().unwrap_err();
        assert!(matches!(refused, SinkError::ForeignStore { .. }), "{refused}");
        (0..PARTITIONS).for_each(|partition| world.append(partition));
        assert!(comes(|| world.commits(0) == 2), "the first sink writes all partitions");
        assert_eq!(world.commits(1), 0);
        drop(stopping);
        running.join().unwrap().unwrap();
    });
    assert!(matches!(world.drain(1, None), Err(SinkError::ForeignStore { .. })), "rows are in the first store");
    assert_eq!(world.claims().0, BTreeSet::from([world.stores[0].id().to_owned()]));
}

#[test]
fn a_sink_that_has_written_nothing_takes_its_claims_back_when_it_stops() {
    let world = World::new();
    let shutdown = Shutdown::new();
    std::thread::scope(|scope| {
        let stopping = Stopping(&shutdown);
        let running = scope.spawn(|| world.run(0, &config(Until::Shutdown), &shutdown));
        assert!(comes(|| world.claims().1 == 4), "{:?}", world.claims());
        drop(stopping);
        running.join().unwrap().unwrap();
    });
    assert_eq!(world.claims().1, 0);
    world.append(0);
    world.drain(1, None).unwrap();
    assert_eq!((world.commits(0), world.commits(1)), (0, 1));
}

/// Claims of a sink that was killed, whose store is not coming back.
fn leave_claims(broker: &dyn Broker, store_id: &str) {
    let mut member = broker
        .consumer(ConsumerConfig {
            group: groups::SINK.to_owned(),
            topics: Topics::Names(vec![topics::VALID.to_owned(), topics::DEAD_LETTERS.to_owned()]),
            member: "killed".into(),
            start: Start::Earliest,
            session_timeout: Duration::from_secs(10),
            poll_records_max: 1,
            poll_bytes_max: 1,
        })
        .unwrap();
    let Polled::Assigned(assigned) = member.poll(Duration::from_secs(10)).unwrap() else { panic!("no partitions") };
    let metadata = format!("{{\"store_id\":\"{store_id}\"}}");
    let claim = |at: TopicPartition| GroupOffset { at, offset: 0, metadata: metadata.clone() };
    member.commit(&assigned.into_iter().map(|partition| claim(partition.at)).collect::<Vec<_>>()).unwrap();
    member.leave().unwrap();
}

#[test]
fn the_claims_of_a_lost_store_are_replaced_by_the_command_that_the_refusal_names() {
    for records in [0, 1] {
        let world = World::new();
        leave_claims(&world.broker, "lost");
        let shutdown = Shutdown::new();
        let refused = world.run(0, &config(Until::Shutdown), &shutdown).unwrap_err().to_string();
        assert!(refused.contains("`finops sink run --drain --replace-store lost`"), "{refused}");
        assert_eq!(world.claims(), (BTreeSet::from(["lost".to_owned()]), 4), "the refused sink has claimed nothing");
        (0..records).for_each(|_| world.append(0));
        world.drain(0, Some("lost".into())).unwrap();
        assert_eq!(world.claims().1, records);
        assert_eq!(world.commits(0), records);
        world.drain(0, None).unwrap();
    }
}
