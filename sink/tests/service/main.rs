//! The sink over the real embedded log and a real folder: what it writes, and what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod dead_letters;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use bytes::Bytes;
use contracts::commit_record::CommitRecord;
use contracts::dead_letter::{CONTRACT_VERSION, DeadLetter};
use contracts::judge::{Policy, judge};
use contracts::topics::{self, headers};
use contracts::{arrow_schema, dead_letter, layout};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::meddled::{self, Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, Headers, OutRecord, TopicPartition, TopicSpec};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::Store;
use platform::store::local::{self, LocalStore};
use serde_json::{Value, json};
use sink::{BatchLimits, SinkConfig, SinkCounters, SinkError, SinkSnapshot};

struct World {
    folder: tempfile::TempDir,
    broker: EmbeddedBroker,
    store: LocalStore,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&folder.path().join("log.db"), EmbeddedSettings::default()).unwrap();
        for topic in [topics::VALID, topics::DEAD_LETTERS] {
            broker
                .ensure_topic(&TopicSpec {
                    name: topic.into(),
                    partitions: 2,
                    compacted: false,
                    retention_ms: None,
                    retention_bytes: None,
                })
                .unwrap();
        }
        let store = LocalStore::open(&folder.path().join("data"), layout::SINK).unwrap();
        Self { folder, broker, store }
    }

    fn append(&self, records: &[OutRecord]) {
        self.broker.producer().unwrap().append(records).unwrap();
    }

    fn drain(&self) -> Result<SinkSnapshot, SinkError> {
        drain(&self.broker, &self.store, BatchLimits::default())
    }

    fn rows(&self, dataset: &str) -> Vec<RecordBatch> {
        let mut all = Vec::new();
        for entry in self.store.list(dataset).unwrap() {
            let file = std::fs::File::open(self.store.local_path(&entry.path).unwrap()).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
            all.extend(reader.map(Result::unwrap));
        }
        all
    }

    fn count(&self, dataset: &str) -> usize {
        self.rows(dataset).iter().map(RecordBatch::num_rows).sum()
    }
}

fn config(limits: BatchLimits) -> SinkConfig {
    SinkConfig {
        member: "sink-test".into(),
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        limits,
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    }
}

fn drain(broker: &dyn Broker, store: &dyn Store, limits: BatchLimits) -> Result<SinkSnapshot, SinkError> {
    let counters = Arc::new(SinkCounters::default());
    sink::run(
        &config(limits),
        sink::SinkDeps { broker, store, clock: &SystemClock, counters: &counters },
        &Shutdown::new(),
    )?;
    Ok(counters.snapshot())
}

/// A record of the valid topic, as the validator makes it.
fn valid(tenant: &str, day: &str, src: u64) -> OutRecord {
    let mut wire: Value =
        serde_json::from_str(include_str!("../../../schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["run_ts"] = json!(format!("{day}T10:00:00Z"));
    wire["title"] = json!(format!("finding {src}"));
    let bytes = serde_json::to_vec(&wire).unwrap();
    let finding = judge(&bytes, &Policy::default(), 0).unwrap();
    let record = finding.cast_for_storage().unwrap();
    let value = record.encode();
    OutRecord {
        topic: topics::VALID.into(),
        partition: Some(0),
        key: Some(Bytes::copy_from_slice(tenant.as_bytes())),
        value: value.into(),
        headers: Headers::from_iter([
            (headers::SRC, format!("wire-id/0/{src}").as_str()),
            (headers::TENANT_ID, tenant),
            (headers::RUN_DATE, day),
            (headers::RUN, &format!("{tenant}/prod/run-1")),
        ]),
        timestamp_ms: None,
    }
}

fn dead(src: u64, value: &[u8], more: &[(&str, &[u8])]) -> OutRecord {
    let letter = DeadLetter {
        code: "bad_json".into(),
        field: String::new(),
        detail: "not JSON".into(),
        errors: "[]".into(),
        src: format!("wire-id/0/{src}").parse().unwrap(),
        src_topic: topics::WIRE.into(),
        src_timestamp_ms: 1_768_903_200_000,
        contract_version: CONTRACT_VERSION.into(),
        validator_version: "0".into(),
        first_seen_ms: 1_768_903_200_001,
        replays: 0,
        cut: None,
        value_is_null: false,
        replay_of: None,
    };
    let mut all: Headers = more.iter().copied().collect();
    all.extend(letter.to_headers());
    OutRecord {
        topic: topics::DEAD_LETTERS.into(),
        partition: Some(0),
        key: None,
        value: Bytes::copy_from_slice(value).into(),
        headers: all,
        timestamp_ms: Some(1_768_903_200_000),
    }
}

#[test]
fn rows_lie_by_tenant_and_date_with_the_contracts_types() {
    let world = World::new();
    let records: Vec<_> = (0..30)
        .map(|n| valid(["acme", "globex"][n as usize % 2], ["2026-01-20", "2026-01-21"][n as usize % 3 / 2], n))
        .collect();
    world.append(&records);
    let done = world.drain().unwrap();
    assert_eq!((done.findings_rows, done.files, done.commits, done.duplicates), (30, 4, 1, 0));

    let mut folders: BTreeMap<String, usize> = BTreeMap::new();
    for entry in world.store.list(layout::FINDINGS).unwrap() {
        *folders.entry(entry.path.rsplit_once('/').unwrap().0.to_owned()).or_default() += 1;
    }
    let folders: Vec<_> = folders.into_iter().map(|(folder, n)| format!("{folder}: {n}")).collect();
    insta::assert_snapshot!(folders.join("\n"), @r"
    finops_findings/tenant_id=acme/run_date=2026-01-20: 1
    finops_findings/tenant_id=acme/run_date=2026-01-21: 1
    finops_findings/tenant_id=globex/run_date=2026-01-20: 1
    finops_findings/tenant_id=globex/run_date=2026-01-21: 1
    ");
    for batch in world.rows(layout::FINDINGS) {
        // No record has a member of a later version.
        assert_eq!(batch.schema().fields(), arrow_schema::findings_of(1).fields());
        let days = batch.column_by_name("run_ts").unwrap().as_primitive::<TimestampMillisecondType>();
        assert_eq!(days.values().iter().map(|ms| ms / 86_400_000).collect::<std::collections::HashSet<_>>().len(), 1);
    }
    assert_eq!(world.drain().unwrap(), SinkSnapshot::default(), "nothing is left to do");
    assert!(world.store.staged().unwrap().is_empty());
}

#[test]
fn a_source_position_is_written_once() {
    let world = World::new();
    let day = "2026-01-20";
    world.append(&[valid("acme", day, 1), valid("acme", day, 2), valid("acme", day, 1), valid("acme", day, 2)]);
    let done = world.drain().unwrap();
    assert_eq!((done.findings_rows, done.duplicates), (2, 2));
    world.append(&[valid("acme", day, 2), valid("acme", day, 3)]);
    let done = world.drain().unwrap();
    assert_eq!((done.findings_rows, done.duplicates), (1, 1), "the chain remembers");
    world.append(&[valid("acme", day, 3)]);
    let done = world.drain().unwrap();
    assert_eq!((done.findings_rows, done.files, done.commits), (0, 0, 1), "only duplicates: a commit without files");
}

#[test]
fn a_sink_of_another_store_is_refused() {
    let world = World::new();
    world.append(&[valid("acme", "2026-01-20", 1)]);
    world.drain().unwrap();
    let other = LocalStore::open(&world.folder.path().join("other"), layout::SINK).unwrap();
    world.append(&[valid("acme", "2026-01-20", 2)]);
    let error = drain(&world.broker, &other, BatchLimits::default()).unwrap_err();
    assert!(matches!(error, SinkError::ForeignStore { .. }), "{error}");
    assert_eq!(world.drain().unwrap().findings_rows, 1, "the right one goes on");
}

#[test]
fn a_removed_commit_record_is_noticed() {
    let world = World::new();
    for n in 0..3 {
        world.append(&[valid("acme", "2026-01-20", n)]);
        world.drain().unwrap();
    }
    let commits: Vec<_> = world.store.list(layout::CHAIN).unwrap().into_iter().map(|e| e.path).collect();
    assert_eq!(commits.len(), 3);
    world.append(&[valid("acme", "2026-01-20", 9)]);
    let bytes = world.store.get(&commits[2]).unwrap().unwrap();
    world.store.delete(&commits[2]).unwrap();
    assert!(matches!(world.drain().unwrap_err(), SinkError::ChainLost { .. }));
    world.store.put(&commits[2], &bytes).unwrap();
    world.store.delete(&commits[1]).unwrap();
    assert!(matches!(world.drain().unwrap_err(), SinkError::Chain(_)));
}

#[test]
fn a_missing_committed_file_is_rebuilt_or_reported() {
    let world = World::new();
    world.append(&[valid("acme", "2026-01-20", 1), valid("globex", "2026-01-20", 2), valid("acme", "2026-01-20", 1)]);
    world.append(&[dead(5, b"x", &[])]);
    world.drain().unwrap();
    let files = || -> BTreeMap<String, Bytes> {
        let both = [layout::FINDINGS, layout::DEAD_LETTERS].map(|d| world.store.list(d).unwrap()).concat();
        both.into_iter().map(|e| (e.path.clone(), world.store.get(&e.path).unwrap().unwrap())).collect()
    };
    let before = files();
    assert_eq!(before.len(), 3);
    before.keys().for_each(|path| world.store.delete(path).unwrap());
    // Nothing new to read: but a new sink looks first whether the last commit is published.
    world.append(&[valid("acme", "2026-01-20", 3), dead(6, b"y", &[])]);
    world.drain().unwrap();
    let after = files();
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "byte for byte");
    assert_eq!(world.count(layout::FINDINGS), 3);
}

#[test]
fn staging_without_a_commit_is_swept_after_a_day() {
    let world = World::new();
    world.append(&[valid("acme", "2026-01-20", 1)]);
    world.drain().unwrap();
    let stage = |target: &str| {
        let mut staged = world.store.stage(target).unwrap();
        staged.write_all(b"left by a sink that died").unwrap();
        staged.finish().unwrap();
    };
    stage("finops_findings/tenant_id=acme/run_date=2026-01-20/part-old.parquet");
    let two_days_ago = std::time::SystemTime::now() - Duration::from_secs(2 * 86_400);
    let staging = world.folder.path().join("data").join(layout::SINK).join(local::STAGING);
    for entry in std::fs::read_dir(staging).unwrap() {
        let file = std::fs::File::options().append(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(two_days_ago).unwrap();
    }
    stage("finops_findings/tenant_id=acme/run_date=2026-01-20/part-new.parquet");
    assert_eq!(world.store.staged().unwrap().len(), 2);
    world.append(&[valid("acme", "2026-01-20", 2)]);
    world.drain().unwrap();
    assert_eq!(world.store.staged().unwrap().len(), 1, "the young one may still be committed");
    assert_eq!(world.count(layout::FINDINGS), 2);
}

/// Its valid topic keeps the newest records only.
fn with_little_room() -> World {
    let world = World::new();
    world.broker.delete_topic(topics::VALID).unwrap();
    let (name, retention_bytes) = (topics::VALID.to_owned(), Some(3_000));
    let spec = TopicSpec { name, partitions: 1, compacted: false, retention_ms: None, retention_bytes };
    let _ = world.broker.ensure_topic(&spec).unwrap();
    world
}

#[test]
fn expired_records_are_named_and_skipped_when_configured() {
    let world = with_little_room();
    world.append(&[valid("acme", "2026-01-20", 0)]);
    world.drain().unwrap();
    world.append(&(1..10).map(|n| valid("acme", "2026-01-20", n)).collect::<Vec<_>>());
    assert!(world.broker.clean().unwrap() > 1);
    let low = world.broker.watermarks(&TopicPartition { topic: topics::VALID.into(), partition: 0 }).unwrap().low;
    let error = world.drain().unwrap_err().to_string();
    assert!(error.contains(&format!("records 1 to {low} (exclusive) of finops.findings.valid/0 expired")), "{error}");
    assert!(error.contains("`finops sink run --drain --skip-expired` once"), "{error}");
    let skipping = SinkConfig { skips_expired: true, ..config(BatchLimits::default()) };
    sink::run(
        &skipping,
        sink::SinkDeps { broker: &world.broker, store: &world.store, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
    let left = 10 - usize::try_from(low).unwrap();
    assert_eq!(world.count(layout::FINDINGS), 1 + left);
    world.append(&[valid("acme", "2026-01-20", 10)]);
    world.drain().unwrap();
    assert_eq!(world.count(layout::FINDINGS), 2 + left, "it goes on as ever");
}

#[test]
fn without_a_chain_expired_records_are_missed_too() {
    let world = with_little_room();
    world.append(&(0..10).map(|n| valid("acme", "2026-01-20", n)).collect::<Vec<_>>());
    assert!(world.broker.clean().unwrap() > 1);
    let error = world.drain().unwrap_err();
    let SinkError::RecordsExpired { from: 0, low, .. } = error else { panic!("{error}") };
    let skipping = SinkConfig { skips_expired: true, ..config(BatchLimits::default()) };
    sink::run(
        &skipping,
        sink::SinkDeps { broker: &world.broker, store: &world.store, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
    assert_eq!(world.count(layout::FINDINGS), 10 - usize::try_from(low).unwrap());
    world.drain().unwrap();
}

#[test]
fn limits_end_a_batch() {
    let check = |limits: BatchLimits, files: u64, commits: u64| {
        let world = World::new();
        for n in 0..6 {
            world.append(&[valid(["a", "b", "c"][n as usize % 3], "2026-01-20", n)]);
        }
        let done = drain(&world.broker, &world.store, limits.clone()).unwrap();
        assert_eq!((done.findings_rows, done.files, done.commits), (6, files, commits), "{limits:?}");
    };
    check(BatchLimits::default(), 3, 1);
    // A poll may bring all records at once, so a batch ends at the poll in which a limit is reached, not within it.
    check(BatchLimits { file_rows_max: 1, ..BatchLimits::default() }, 3, 1);
    check(BatchLimits { memory_bytes_max: 1, ..BatchLimits::default() }, 3, 1);
}

/// What arrives at once, and what is held before it is written, is bounded by all that a record holds.
#[test]
fn keys_count_towards_the_limits_of_a_poll_and_of_a_file() {
    let world = World::new();
    let with_large_key = |n: u64| OutRecord { key: Some(vec![b'k'; 1 << 20].into()), ..dead(n, b"{", &[]) };
    for n in 0..20 {
        world.append(&[with_large_key(n)]);
    }
    let limits = BatchLimits { file_bytes_target: 1 << 20, ..BatchLimits::default() };
    let done = drain(&world.broker, &world.store, limits).unwrap();
    assert_eq!((done.dead_letter_rows, done.commits), (20, 2), "a poll brings about 16 MiB, and each is a file");
}

/// A poll may bring more runs than one commit record may list.
#[test]
fn a_commit_record_is_bounded_however_many_runs_arrive_at_once() {
    let world = World::new();
    let of_its_own_run = |n: u64| {
        let mut record = valid("acme", "2026-01-20", n);
        record.headers.push(headers::RUN, format!("acme/prod/{n:0500}").as_bytes());
        record
    };
    world.append(&(0..400).map(of_its_own_run).collect::<Vec<_>>());
    let limits = BatchLimits { commit_record_bytes_max: 100_000, ..BatchLimits::default() };
    let done = drain(&world.broker, &world.store, limits).unwrap();
    assert_eq!(done.findings_rows, 400);
    let sizes: Vec<u64> = world.store.list(layout::CHAIN).unwrap().into_iter().map(|entry| entry.bytes).collect();
    assert!(sizes.len() > 2 && sizes.iter().all(|bytes| *bytes < 110_000), "{sizes:?}");
}

#[test]
fn two_sinks_share_the_work() {
    let world = World::new();
    for partition in [0, 1] {
        let records: Vec<_> = (0..200)
            .map(|n| {
                let mut record = valid(&format!("tenant-{}", n % 5), "2026-01-20", n + 1_000 * partition);
                record.partition = Some(partition as u32);
                record
            })
            .collect();
        world.append(&records);
    }
    let path: &Path = &world.folder.path().join("log.db");
    let total: u64 = std::thread::scope(|scope| {
        let sinks = [0, 1].map(|_| {
            scope.spawn(|| {
                let broker = EmbeddedBroker::open(path, EmbeddedSettings::default()).unwrap();
                let limits = BatchLimits { file_rows_max: 10, ..BatchLimits::default() };
                drain(&broker, &world.store, limits).unwrap().findings_rows
            })
        });
        sinks.map(|sink| sink.join().unwrap()).iter().sum()
    });
    assert_eq!(total, 400);
    assert_eq!(world.count(layout::FINDINGS), 400);
}

#[test]
fn no_call_that_times_out_once_ends_a_drain() {
    let world = World::new();
    world.append(&[valid("acme", "2026-01-20", 0), dead(1, b"{", &[])]);
    let broker = Meddled::new(world.broker.clone(), meddled::each_call_fails_once());
    let done = drain(&broker, &world.store, BatchLimits::default()).unwrap();
    // ensure_topic, topics, watermarks, consumer and group_offsets.
    assert_eq!((done.findings_rows, done.dead_letter_rows, done.retries), (1, 1, 5));
}

/// Rows are what counts: a group's offset is a hint, and who stops does not wait for it.
#[test]
fn a_sink_that_cannot_store_offsets_writes_what_it_holds_and_stops() {
    let world = World::new();
    let mut other = valid("acme", "2026-01-20", 2);
    other.partition = Some(1);
    world.append(&[valid("acme", "2026-01-20", 0), valid("acme", "2026-01-20", 1), other]);
    let (counters, shutdown) = (Arc::new(SinkCounters::default()), Shutdown::new());
    let read = Arc::clone(&counters);
    let broker = Meddled::new(world.broker.clone(), move |deed| match deed {
        // It has claimed its partitions.
        MeddledAct::Commit if read.snapshot().read > 0 => {
            Err(BrokerError::Retriable { doing: "committing offsets".to_owned(), reason: "no answer".to_owned() })
        }
        _ => Ok(()),
    });
    let config = SinkConfig { until: Until::Shutdown, ..config(BatchLimits::default()) };
    std::thread::scope(|scope| {
        let sink = scope.spawn(|| {
            sink::run(
                &config,
                sink::SinkDeps { broker: &broker, store: &world.store, clock: &SystemClock, counters: &counters },
                &shutdown,
            )
        });
        while counters.snapshot().read < 3 && !sink.is_finished() {
            std::thread::yield_now();
        }
        shutdown.request("enough");
        sink.join().unwrap().unwrap();
    });
    assert_eq!(world.count(layout::FINDINGS), 3, "of both partitions");
    // The next one finds in the chain what was done, and leaves the hint.
    assert_eq!(world.drain().unwrap().findings_rows, 0);
    let offsets = world.broker.group_offsets(topics::groups::SINK).unwrap();
    let written = offsets.iter().filter(|o| &*o.at.topic == topics::VALID).map(|o| (o.at.partition, o.offset));
    assert_eq!(written.collect::<BTreeMap<_, _>>(), BTreeMap::from([(0, 2), (1, 1)]));
}
