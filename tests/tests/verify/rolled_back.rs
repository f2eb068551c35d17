//! A broker that was restored from an older copy and has grown past its old end: it is refused, reported, and left behind without a loss.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use contracts::commit_record::CommitRecord;
use contracts::judge::{Policy, judge};
use contracts::last_record::{self, LastRecord};
use contracts::source::SrcSet;
use contracts::{layout, topics};
use lake::verify::{LastRecords, Rule};
use operations::Operator;
use operations::recreate::{self, RecreateError, Recreation};
use operations::repair;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::meddled::{Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, Headers, TopicPartition};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::store::local::LocalStore;
use sha2::{Digest, Sha256};
use sink::SinkError;
use tests::attack::parquet;
use tests::pipeline::{Pipeline, topic_id};

use super::world::{commits, edit_last, fill, good, read_commit, rules};

/// Files of a broker that no process has open.
fn copy_broker(from: &Path, to: &Path) {
    let is_broker = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("broker.sqlite");
    let files =
        |folder: &Path| std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(is_broker).collect::<Vec<_>>();
    files(to).iter().for_each(|old| std::fs::remove_file(old.path()).unwrap());
    for file in files(from) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

fn publish(pipeline: &Pipeline, numbers: std::ops::Range<u64>, letter: &str) {
    pipeline.publish(numbers.map(|n| (Some("acme"), good("acme", n), Headers::new())));
    pipeline.publish([(Some("acme"), letter.as_bytes().to_vec(), Headers::new())]);
}

/// Rows by what they are; of dead letters only how many.
fn rows(pipeline: &Pipeline) -> (BTreeMap<String, u64>, u64) {
    let (mut findings, mut letters) = (BTreeMap::new(), 0);
    for dataset in [layout::FINDINGS, layout::DEAD_LETTERS] {
        for entry in pipeline.store.list(dataset).unwrap() {
            let keys = parquet::keys(&entry.path, pipeline.store.get(&entry.path).unwrap().unwrap()).unwrap();
            match dataset == layout::FINDINGS {
                true => keys.into_iter().for_each(|key| *findings.entry(key).or_default() += 1),
                false => letters += keys.len() as u64,
            }
        }
    }
    (findings, letters)
}

fn each_once(numbers: impl IntoIterator<Item = u64>) -> BTreeMap<String, u64> {
    let id = |n| judge(&Bytes::from(good("acme", n)), &Policy::default(), 0).unwrap().finding_id().to_owned();
    numbers.into_iter().map(|n| (id(n), 1)).collect()
}

fn operator(shutdown: &Shutdown) -> Operator<'_> {
    Operator { by: "test", clock: &SystemClock, shutdown }
}

fn recreate_on(broker: &dyn Broker, pipeline: &Pipeline, shutdown: &Shutdown) -> Result<Recreation, RecreateError> {
    recreate::execute(broker, &*pipeline.store, &operator(shutdown), Duration::from_secs(5))
}

fn carried(recreation: &Recreation) -> BTreeMap<&str, u64> {
    recreation.topics.iter().map(|of| (of.topic.as_str(), of.carried)).collect()
}

/// 15 findings and 3 dead letters are rows and in the restored broker, and one finding that was judged after the copy was made.
/// 10 findings and a dead letter are rows only. 20 findings and a dead letter were sent after the restore.
fn rolled_back(folder: &Path) -> Pipeline {
    let kept = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder);
    fill(&pipeline);
    publish(&pipeline, 40..41, "[");
    drop(pipeline);
    copy_broker(folder, kept.path());
    let pipeline = Pipeline::open(folder);
    pipeline.drain();
    publish(&pipeline, 50..60, "(");
    pipeline.drain();
    assert_eq!(pipeline.verify().problems, []);
    drop(pipeline);
    copy_broker(kept.path(), folder);
    let pipeline = Pipeline::open(folder);
    publish(&pipeline, 70..90, "<");
    let _ = pipeline.validate();
    pipeline
}

fn all_once() -> (BTreeMap<String, u64>, u64) {
    (each_once((0..15).chain(40..41).chain(50..60).chain(70..90)), 3 + 3)
}

#[test]
fn a_broker_that_has_grown_past_its_old_end_is_refused_and_left_behind_without_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = rolled_back(folder.path());
    let before = rows(&pipeline);
    let refused = pipeline.sink().unwrap_err();
    assert!(matches!(refused, SinkError::RolledBack { .. }), "{refused}");
    for part in ["was rolled back", "offset", "a record from wire position", "docs/backup.md"] {
        assert!(refused.to_string().contains(part), "{part}: {refused}");
    }
    assert_eq!(rows(&pipeline), before);

    let report = pipeline.verify();
    let found: BTreeSet<Rule> = rules(&report).into_iter().collect();
    assert!(found.contains(&Rule::RolledBack), "{:#?}", report.problems);
    assert!(!repair::plan(&report).blocked_by.is_empty(), "positions do not say what is missing");

    let shutdown = Shutdown::new();
    let plan = recreate::plan(&pipeline.broker, &*pipeline.store, &operator(&shutdown)).unwrap();
    let expected = BTreeMap::from([(topics::WIRE, 21), (topics::VALID, 0), (topics::DEAD_LETTERS, 0)]);
    assert_eq!(carried(&plan), expected);
    assert_eq!(rows(&pipeline), before);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = LocalStore::open(elsewhere.path(), layout::SINK).unwrap();
    let refused = recreate::plan(&pipeline.broker, &other, &operator(&shutdown));
    assert!(matches!(refused, Err(RecreateError::ForeignStore { .. })), "all would count as no row: {refused:?}");
    let wire = topic_id(&pipeline.broker, topics::WIRE);
    let last = read_commit(commits(&pipeline).last().unwrap());
    let next = layout::chain_record(&last.topic_id, last.partition, last.end);
    let done = recreate_on(&pipeline.broker, &pipeline, &shutdown).unwrap();
    assert_eq!(carried(&done), expected);
    // Killed when what was staged is removed already.
    let open = format!("{}/open.json", layout::AUDIT_RECREATE);
    pipeline.store.put(&open, &serde_json::to_vec(&done).unwrap()).unwrap();
    assert_eq!(recreate_on(&pipeline.broker, &pipeline, &shutdown).unwrap(), done);
    assert_ne!(topic_id(&pipeline.broker, topics::WIRE), wire);
    assert!(pipeline.store.get(&next).unwrap().is_some(), "a sink that was frozen cannot commit what is carried over");

    pipeline.drain();
    assert_eq!(rows(&pipeline), all_once());
    let report = pipeline.verify();
    assert_eq!((report.problems, report.missing), (vec![], vec![]));
    let again = recreate::plan(&pipeline.broker, &*pipeline.store, &operator(&shutdown)).unwrap();
    assert!(carried(&again).values().all(|carried| *carried == 0), "all are rows: {again:?}");
}

#[test]
fn recreating_is_resumed_wherever_it_was_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = rolled_back(folder.path());
    let killed = |failing: MeddledAct, nth: u64| {
        let other = EmbeddedBroker::open(&folder.path().join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
        let calls = AtomicU64::new(0);
        let broker = Meddled::new(other, move |deed| {
            let is_hit = deed == failing && calls.fetch_add(1, Ordering::SeqCst) == nth;
            let fatal = || BrokerError::Fatal { doing: "recreating".into(), reason: "killed".into() };
            if is_hit { Err(fatal()) } else { Ok(()) }
        });
        let killed = recreate_on(&broker, &pipeline, &Shutdown::new()).unwrap_err();
        assert!(killed.to_string().contains("killed"), "{failing:?}: {killed}");
    };
    // Asked to stop while it chooses.
    let asked = Shutdown::new();
    asked.request("test");
    assert!(matches!(recreate_on(&pipeline.broker, &pipeline, &asked), Err(RecreateError::Stopped)));
    // It dies once everything is staged; then a producer goes on.
    killed(MeddledAct::Call("delete_topic"), 0);
    publish(&pipeline, 90..91, ">");
    let grown = recreate_on(&pipeline.broker, &pipeline, &Shutdown::new()).unwrap_err();
    assert!(matches!(&grown, RecreateError::Grown { .. }), "{grown}");
    // It dies between two topics, with one deleted, and while it copies.
    killed(MeddledAct::Call("delete_topic"), 2);
    killed(MeddledAct::Call("ensure_topic"), 1);
    killed(MeddledAct::Step(1), 0);
    let done = recreate_on(&pipeline.broker, &pipeline, &Shutdown::new()).unwrap();
    assert_eq!(carried(&done)[topics::WIRE], 23);
    assert!(pipeline.broker.topics().unwrap().iter().all(|topic| !topic.name.starts_with("finops.recreate.")));
    pipeline.drain();
    let (mut findings, letters) = all_once();
    findings.extend(each_once(90..91));
    assert_eq!(rows(&pipeline), (findings, letters + 1));
    assert_eq!(pipeline.verify().problems, []);
}

/// As a sink does that was running while its broker was rolled back: it has committed more, and the last record of that is there.
#[test]
fn a_roll_back_that_a_later_commit_has_buried_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    // The chains of the valid topic and of dead letters, and the position in the wire partition.
    assert_eq!(report.last_records, LastRecords { compared: 3, expired: 0, unknown: 0 });
    edit_last(&pipeline, |commit| commit.last_record.as_mut().unwrap().sha256 = "f".repeat(64));
    assert_eq!(rules(&pipeline.verify()), [Rule::RolledBack]);
    assert!(matches!(pipeline.sink(), Err(SinkError::RolledBack { .. })));

    let path = commits(&pipeline).pop().unwrap();
    let buried = read_commit(&path);
    pipeline.publish([(Some("acme"), good("acme", 20), Headers::new())]);
    let _ = pipeline.validate();
    let at = TopicPartition { topic: topics::VALID.into(), partition: buried.partition };
    let last = pipeline.broker.read(&at, buried.end, 1, 1).unwrap().remove(0);
    let value = last.value.as_bytes().map(|bytes| &bytes[..]);
    let sha256 = last_record::digest(last.timestamp_ms, last.key.as_deref(), value, last.headers.iter());
    let next = CommitRecord {
        start: buried.end,
        end: buried.end + 1,
        rows: 0,
        duplicates: 1,
        files: Vec::new(),
        src: SrcSet::new(),
        runs: BTreeMap::new(),
        last_record: Some(LastRecord { offset: buried.end, src: None, sha256 }),
        previous_sha256: hex::encode(Sha256::digest(std::fs::read(&path).unwrap())),
        ..buried
    };
    let name = layout::chain_record(&next.topic_id, next.partition, next.start);
    let _ = pipeline.store.put_if_absent(&name, &next.to_bytes().unwrap()).unwrap();
    pipeline.sink().unwrap();
    assert_eq!(rules(&pipeline.verify()), [Rule::RolledBack, Rule::RecordLost]);
}

#[test]
fn commits_of_versions_that_kept_no_last_record_are_not_compared() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    edit_last(&pipeline, |commit| commit.last_record = None);
    let report = pipeline.verify();
    assert_eq!((rules(&report), report.last_records.unknown), (vec![], 1));
    pipeline.publish([(Some("acme"), good("acme", 20), Headers::new())]);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((rules(&report), report.last_records.unknown), (vec![], 0));
}
