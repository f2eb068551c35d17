//! A last commit record that is missing or damaged: `verify` names it, the sink stops at it, `repair` rebuilds it from topic and
//! files, or says why it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use contracts::layout;
use contracts::seal::{self, Seal};
use contracts::topics::{self, headers};
use lake::verify::Rule;
use operations::repair;
use platform::broker::meddled::{Meddled, MeddledAct};
use platform::broker::{Broker, BrokerError, Headers, Message, OutRecord, TopicPartition};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::Store;
use tests::pipeline::Pipeline;
use tests::read_hook::ReadHook;
use tests::s3::S3Server;

use super::world::{Filled, fill, good, read_commit, rules, topic_id};

/// Paths of the commit records of the valid topic, oldest first.
fn records(pipeline: &Pipeline) -> Vec<String> {
    records_of(&*pipeline.store, &topic_id(pipeline, topics::VALID))
}

fn records_of(store: &dyn Store, topic_id: &str) -> Vec<String> {
    let all = store.list(&format!("{}/{topic_id}", layout::CHAIN)).unwrap().into_iter().map(|entry| entry.path);
    all.filter(|path| contracts::chain::commit_start(path).is_some()).collect()
}

fn bytes(pipeline: &Pipeline, path: &str) -> Bytes {
    pipeline.store.get(path).unwrap().unwrap()
}

/// All data files with their bytes: what readers see.
fn seen(pipeline: &Pipeline) -> BTreeMap<String, Bytes> {
    let folders = [layout::FINDINGS, layout::DEAD_LETTERS];
    let entries = folders.into_iter().flat_map(|folder| pipeline.store.list(folder).unwrap());
    entries.map(|entry| (entry.path.clone(), bytes(pipeline, &entry.path))).collect()
}

fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// Repairs, and proves that everything is there as it was and that sinks go on.
fn assert_repaired(pipeline: &Pipeline, before: &BTreeMap<String, Bytes>, what: &str) {
    assert!(pipeline.sink().is_err(), "{what}: a sink does not build on it");
    assert_rebuilt(pipeline, before, what);
}

fn assert_rebuilt(pipeline: &Pipeline, before: &BTreeMap<String, Bytes>, what: &str) {
    let plan = repair::plan(&pipeline.verify());
    let done = pipeline.repair(&plan);
    assert_eq!((done.commits, done.sent, &*done.failed), (1, 0, &[][..]), "{what}");
    let report = pipeline.verify();
    assert_eq!(report.problems, [], "{what}");
    assert_eq!(&seen(pipeline), before, "{what}: the rows are those that were there");
    assert!(repair::plan(&report).is_empty(), "{what}");
    pipeline.publish([(Some("acme"), good("acme", 1_000), Headers::new())]);
    pipeline.drain();
    let after = pipeline.verify();
    assert_eq!((&*after.problems, after.findings_rows), (&[][..], report.findings_rows + 1), "{what}");
}

/// Deletes the last record, or flips a bit of it, and repairs.
fn lost_and_damaged(mut world: impl FnMut() -> (tempfile::TempDir, Pipeline), bits: &[fn(usize) -> usize]) {
    let (_folder, pipeline) = world();
    let before = seen(&pipeline);
    pipeline.store.delete(records(&pipeline).last().unwrap()).unwrap();
    assert_eq!(rules(&pipeline.verify()), [Rule::ChainBroken, Rule::FileForeign]);
    assert_repaired(&pipeline, &before, "deleted");
    for bit in bits {
        let (_folder, pipeline) = world();
        let (before, path) = (seen(&pipeline), records(&pipeline).pop().unwrap());
        let right = bytes(&pipeline, &path);
        let bit = bit(right.len() * 8);
        pipeline.store.put(&path, &flipped(&right, bit)).unwrap();
        assert_repaired(&pipeline, &before, &format!("bit {bit} flipped"));
        let kept = pipeline.store.list(layout::AUDIT_DAMAGED).unwrap();
        assert_eq!(*bytes(&pipeline, &kept[0].path), flipped(&right, bit), "what was damaged is kept");
    }
}

#[test]
fn a_last_commit_is_rebuilt_in_a_folder() {
    let filled = Filled::new();
    lost_and_damaged(|| filled.copied(), &[|_| 3, |bits| bits / 5, |bits| bits / 2, |bits| bits - 30, |bits| bits - 1]);
}

#[test]
fn a_last_commit_is_rebuilt_in_a_bucket() {
    let world = || {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open_on(folder.path(), Arc::new(S3Server::shared().store(folder.path())));
        fill(&pipeline);
        (folder, pipeline)
    };
    lost_and_damaged(world, &[|bits| bits / 2]);
}

#[test]
fn a_missing_file_of_the_last_commit_is_rebuilt_too() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let (before, last) = (seen(&pipeline), records(&pipeline).pop().unwrap());
    let record: contracts::commit_record::CommitRecord = serde_json::from_slice(&bytes(&pipeline, &last)).unwrap();
    pipeline.store.delete(&record.files[0].path).unwrap();
    pipeline.store.delete(&last).unwrap();
    assert_repaired(&pipeline, &before, "record and file");
}

/// No successor vouches for a last record. One that carries its digest is read again; one of an earlier version, which carries
/// none, counts when two reads agree.
#[test]
fn a_last_commit_that_is_read_wrongly_once_is_not_built_upon() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let (id, path) = (topic_id(&pipeline, topics::VALID), records(&pipeline).pop().unwrap());
    let file = pipeline.store.local_path(&path).unwrap();
    let partition = read_commit(&file).partition;
    let right = lake::chain::load(&*pipeline.store, &id, partition).unwrap().0;
    let load = |stored: &str| {
        let wrong = stored.replace("\"duplicates\":0", "\"duplicates\":7");
        assert_ne!(wrong, stored);
        let reads = AtomicU32::new(0);
        let before = |at: &str| {
            if at == path {
                let is_first = reads.fetch_add(1, Ordering::SeqCst) == 0;
                std::fs::write(&file, if is_first { &wrong } else { stored }).unwrap();
            }
        };
        let store = ReadHook { store: &*pipeline.store, before: &before };
        lake::chain::load(&store, &id, partition).map(|(head, _)| head)
    };
    let sealed = String::from_utf8(bytes(&pipeline, &path).to_vec()).unwrap();
    assert_eq!(load(&sealed).unwrap(), right);
    let of_an_earlier_version = format!("{}}}", sealed.split(",\"own_sha256\"").next().unwrap());
    let refused = load(&of_an_earlier_version).unwrap_err().to_string();
    assert!(refused.contains("two reads of it differ"), "{refused}");
}

/// The sink was killed before it committed the offset; only the name of the file tells of the record.
#[test]
fn a_last_commit_that_the_group_does_not_know_of_is_rebuilt() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    let _ = pipeline.validate();
    let denied = || BrokerError::Denied { doing: "storing offsets".into(), reason: "planned".into() };
    let (store, id) = (pipeline.store.clone(), topic_id(&pipeline, topics::VALID));
    let is_committed = move || records_of(&*store, &id).len() == 4;
    let broker = Meddled::new(pipeline.broker.clone(), move |deed| {
        if deed == MeddledAct::Commit && is_committed() { Err(denied()) } else { Ok(()) }
    });
    let config = sink::SinkConfig {
        member: "sink".into(),
        pipeline_topics: topics::PipelineTopics::live(),
        limits: sink::BatchLimits::default(),
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    };
    let (store, counters) = (&*pipeline.store, Arc::default());
    assert!(
        sink::run(
            &config,
            sink::SinkDeps { broker: &broker, store, clock: &SystemClock, counters: &counters },
            &Shutdown::new()
        )
        .is_err()
    );
    let before = seen(&pipeline);
    assert_eq!((records(&pipeline).len(), pipeline.verify().findings_rows), (4, 16));
    pipeline.store.delete(&records(&pipeline)[3]).unwrap();
    assert_eq!(rules(&pipeline.verify()), [Rule::FileForeign]);
    assert_rebuilt(&pipeline, &before, "unknown to the group");
}

/// The checkpoint was of the former bytes.
#[test]
fn a_checkpoint_behind_the_last_commit_is_written_again_with_it() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let (before, last) = (seen(&pipeline), records(&pipeline).pop().unwrap());
    let record: contracts::commit_record::CommitRecord = serde_json::from_slice(&bytes(&pipeline, &last)).unwrap();
    let head = lake::chain::load(&*pipeline.store, &record.topic_id, record.partition).unwrap().0;
    let checkpoint = layout::chain_checkpoint(&record.topic_id, record.partition, record.end);
    pipeline.store.put(&checkpoint, &head.to_checkpoint().unwrap()).unwrap();
    pipeline.store.delete(&last).unwrap();
    assert_repaired(&pipeline, &before, "with a checkpoint");

    // One that the topic's records do not add up to refuses.
    let (_folder, pipeline) = filled.copied();
    let mut more = head.clone();
    more.rows += 1;
    pipeline.store.put(&checkpoint, &more.to_checkpoint().unwrap()).unwrap();
    pipeline.store.delete(&last).unwrap();
    let plan = repair::plan(&pipeline.verify());
    // A file's name tells where it ended, so that the checkpoint is only compared.
    let done = pipeline.repair(&plan);
    assert_eq!((done.commits, done.failed.len()), (0, 1));
    assert!(done.failed[0].contains("do not add up to what the checkpoint behind it says"), "{:?}", done.failed);
    assert!(pipeline.store.get(&last).unwrap().is_none() && pipeline.store.staged().unwrap().is_empty());
}

/// It has no rows and so no files: the position of the group tells where it ended, or the damaged record itself.
#[test]
fn a_last_commit_of_duplicates_is_rebuilt() {
    let filled = Filled::new();
    let world = || {
        let (folder, pipeline) = filled.copied();
        let at = |partition| TopicPartition { topic: topics::VALID.into(), partition };
        let full = (0..2).map(at).find(|at| pipeline.broker.watermarks(at).unwrap().high > 0).unwrap();
        let Message { key, value, headers, .. } = pipeline.broker.read(&full, 0, 1, 1).unwrap().remove(0);
        let (topic, partition) = (full.topic.clone(), Some(full.partition));
        let twice = OutRecord { topic, partition, key, value, headers, timestamp_ms: None };
        pipeline.broker.producer().unwrap().append(&[twice]).unwrap();
        pipeline.drain();
        assert_eq!((records(&pipeline).len(), pipeline.verify().duplicates), (4, 1));
        (folder, pipeline)
    };
    let (_folder, pipeline) = world();
    let before = seen(&pipeline);
    pipeline.store.delete(&records(&pipeline)[3]).unwrap();
    assert_repaired(&pipeline, &before, "deleted");
    let (_folder, pipeline) = world();
    let path = records(&pipeline).pop().unwrap();
    let right = bytes(&pipeline, &path);
    pipeline.store.put(&path, &flipped(&right, right.len() * 8 - 100)).unwrap();
    assert_eq!(seal::check(&bytes(&pipeline, &path)), Seal::Broken);
    assert_repaired(&pipeline, &before, "damaged");
}

#[test]
fn the_only_commit_of_a_chain_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let own = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, "run-1")];
    pipeline.publish((0..3).map(|n| (Some("acme"), good("acme", n), Headers::from_iter(own))));
    pipeline.drain();
    let before = seen(&pipeline);
    pipeline.store.delete(&records(&pipeline)[0]).unwrap();
    assert_repaired(&pipeline, &before, "the only one");
}

#[test]
fn what_does_not_agree_is_refused_and_nothing_is_changed() {
    let filled = Filled::new();
    let check = |what: &str, expected: &str, tamper: fn(&Pipeline)| {
        let (_folder, pipeline) = filled.copied();
        tamper(&pipeline);
        let chain = |pipeline: &Pipeline| -> Vec<_> {
            pipeline.store.list(layout::CHAIN).unwrap().into_iter().map(|e| bytes(pipeline, &e.path)).collect()
        };
        let before = (seen(&pipeline), chain(&pipeline));
        let plan = repair::plan(&pipeline.verify());
        let done = pipeline.repair(&plan);
        assert_eq!(done.commits, 0, "{what}");
        assert!(done.failed.iter().any(|failed| failed.contains(expected)) || expected.is_empty(), "{what}: {done:?}");
        assert_eq!((seen(&pipeline), chain(&pipeline)), before, "{what}");
        assert_eq!(pipeline.store.staged().unwrap(), [], "{what}");
    };
    check("a record in the middle", "", |p| p.store.delete(&records(p)[1]).unwrap());
    check("a damaged record in the middle", "", |p| {
        let path = &records(p)[1];
        p.store.put(path, &flipped(&bytes(p, path), 999)).unwrap();
    });
    check("the file is another one", "make another file", |p| {
        let last = records(p).pop().unwrap();
        let record: contracts::commit_record::CommitRecord = serde_json::from_slice(&bytes(p, &last)).unwrap();
        let path = &record.files[0].path;
        p.store.put(path, &flipped(&bytes(p, path), 99)).unwrap();
        p.store.delete(&last).unwrap();
    });
    check("the topic was deleted", "no topic of this id", |p| {
        let last = records(p).pop().unwrap();
        p.store.put(&last, &flipped(&bytes(p, &last), 999)).unwrap();
        p.broker.delete_topic(topics::VALID).unwrap();
    });
    // What a replay has begun a chain with stands for rows that lie elsewhere.
    check("the first record of a root that was handed over", "no file, checkpoint or group position", |p| {
        for path in records(p) {
            let mut record: contracts::commit_record::CommitRecord = serde_json::from_slice(&bytes(p, &path)).unwrap();
            p.store.delete(&path).unwrap();
            record.files.iter().for_each(|file| p.store.delete(&file.path).unwrap());
            if record.start == 0 {
                record.files.clear();
                record.rows = 0;
                record.source_watermarks = [("wire/0".parse().unwrap(), 7)].into();
                p.store.put(&path, &flipped(&record.to_bytes().unwrap(), 2_000)).unwrap();
            }
        }
    });
}
