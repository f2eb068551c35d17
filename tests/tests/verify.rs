//! What `finops verify` must notice, what it must not cry about, and that `finops repair` ends what it begins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contracts::chain::ChainHead;
use contracts::commit_record::CommitRecord;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::source::OffsetSet;
use contracts::topics::{self, headers};
use contracts::{layout, run_manifest};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::{
    Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Headers, Message, OutRecord, Polled, Processor,
    Producer, Start, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Topics, Watermarks,
};
use platform::store::local::LocalStore;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sink::repair;
use sink::verify::{Area, Report, Rule, verify};
use tests::pipeline::{Pipeline, copy};
use tests::repo;

fn good(tenant: &str, n: u64) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    serde_json::to_vec(&wire).unwrap()
}

/// Findings of one tenant, so all in one partition, and a dead letter, in three commits.
fn fill(pipeline: &Pipeline) {
    for part in 0..3 {
        pipeline.publish((0..5).map(|n| (Some("acme"), good("acme", 5 * part + n), Headers::new())));
        pipeline.publish([(Some("acme"), b"{".to_vec(), Headers::new())]);
        pipeline.drain();
    }
}

struct Filled(tempfile::TempDir);

impl Filled {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
        assert_eq!(pipeline.verify().problems, []);
        Self(folder)
    }

    fn copied(&self) -> (tempfile::TempDir, Pipeline) {
        let folder = tempfile::tempdir().unwrap();
        copy(self.0.path(), folder.path());
        let pipeline = Pipeline::open(folder.path());
        (folder, pipeline)
    }
}

fn rules(report: &Report) -> Vec<Rule> {
    report.problems.iter().map(|problem| problem.rule).collect()
}

fn topic_id(pipeline: &Pipeline, name: &str) -> String {
    pipeline.broker.topics().unwrap().into_iter().find(|t| &*t.name == name).unwrap().id.to_string()
}

/// The links of the valid topic, oldest first.
fn links(pipeline: &Pipeline) -> Vec<PathBuf> {
    let id = topic_id(pipeline, topics::VALID);
    let mut all = pipeline.store.list(&format!("{}/{id}", layout::CHAIN)).unwrap();
    all.retain(|entry| contracts::chain::link_start(&entry.path).is_some());
    all.into_iter().map(|entry| pipeline.store.local_path(&entry.path).unwrap()).collect()
}

fn read_link(path: &Path) -> CommitRecord {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Changes the last link: no digest gives that away.
fn edit_last(pipeline: &Pipeline, edit: impl FnOnce(&mut CommitRecord)) {
    let path = links(pipeline).pop().unwrap();
    let mut link = read_link(&path);
    edit(&mut link);
    std::fs::write(path, serde_json::to_vec(&link).unwrap()).unwrap();
}

/// Writes the link's only file again with one row less, and says so in the link.
fn drop_a_row(pipeline: &Pipeline, link: &mut CommitRecord) {
    let file = &mut link.files[0];
    let path = pipeline.store.local_path(&file.path).unwrap();
    let opened = std::fs::File::open(&path).unwrap();
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(opened).unwrap().build().unwrap();
    let batch = reader.next().unwrap().unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch.slice(0, batch.num_rows() - 1)).unwrap();
    writer.close().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    (file.rows, file.bytes) = (file.rows - 1, bytes.len() as u64);
    file.sha256 = hex::encode(Sha256::digest(&bytes));
    link.rows -= 1;
    for set in link.src.values_mut().chain(link.runs.values_mut().flat_map(|run| run.values_mut())) {
        let max = set.max().unwrap();
        let mut less = OffsetSet::default();
        assert!(set.ranges().flatten().filter(|o| *o < max).all(|o| less.insert(o)));
        *set = less;
    }
}

#[test]
fn what_digests_do_not_give_away_is_noticed() {
    let filled = Filled::new();
    let check = |what: &str, expected: &[Rule], tamper: fn(&Pipeline)| {
        let (_folder, pipeline) = filled.copied();
        tamper(&pipeline);
        let report = pipeline.verify();
        assert_eq!(rules(&report), expected, "{what}: {:#?}", report.problems);
    };
    check("nothing", &[], |_| {});
    check("the last link removed", &[Rule::ChainBroken, Rule::FileForeign], |p| {
        std::fs::remove_file(links(p).pop().unwrap()).unwrap();
    });
    check("the last link and its file removed", &[Rule::ChainBroken], |p| {
        let last = links(p).pop().unwrap();
        std::fs::remove_file(p.store.local_path(&read_link(&last).files[0].path).unwrap()).unwrap();
        std::fs::remove_file(last).unwrap();
    });
    check("a chain removed", &[Rule::ChainBroken, Rule::FileForeign, Rule::FileForeign, Rule::FileForeign], |p| {
        std::fs::remove_dir_all(links(p)[0].parent().unwrap()).unwrap();
    });
    // The sink would find none in its place and write everything once more.
    check("a chain in another partition's folder", &[Rule::ChainBroken, Rule::ChainBroken], |p| {
        let chain = links(p)[0].parent().unwrap().to_owned();
        std::fs::rename(&chain, chain.with_file_name("7")).unwrap();
    });
    check("a link that is none", &[Rule::ChainBroken], |p| {
        let first = &links(p)[0];
        std::fs::copy(first, first.with_file_name(format!("{:020}.json", 2))).unwrap();
    });
    check("an object beside the chains", &[Rule::ChainBroken], |p| {
        p.store.put(&format!("{}/x.json", layout::CHAIN), b"{}").unwrap();
    });
    check("a row taken out of file and link", &[Rule::RecordLost], |p| edit_last(p, |link| drop_a_row(p, link)));
    check("a row taken out of the file, the link half right", &[Rule::LinkAddsUp, Rule::RecordLost], |p| {
        edit_last(p, |link| {
            drop_a_row(p, link);
            link.rows += 1;
        });
    });
    // The name of a file tells the range it was made from.
    check("records skipped", &[Rule::TopicBehind, Rule::FileContent], |p| edit_last(p, |link| link.end += 1));
    check("a file moved to another tenant", &[Rule::FileContent], |p| {
        edit_last(p, |link| {
            let file = &mut link.files[0];
            let from = p.store.local_path(&file.path).unwrap();
            file.path = file.path.replace("tenant_id=acme", "tenant_id=globex");
            let to = p.store.local_path(&file.path).unwrap();
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::rename(from, to).unwrap();
        });
    });
    check("a forged checkpoint", &[Rule::CheckpointDiffers], |p| {
        let link = read_link(&links(p).pop().unwrap());
        let mut head = ChainHead::empty(&link.topic_id, link.partition);
        head.advance(&link, String::new());
        let path = layout::chain_checkpoint(&link.topic_id, link.partition, link.end);
        p.store.put(&path, &serde_json::to_vec(&head).unwrap()).unwrap();
    });
    check("a manifest in another's place", &[Rule::ManifestUnreadable], |p| {
        let path = layout::run_manifest("globex", "prod", "run-9");
        p.store.put(&path, &serde_json::to_vec(&manifest("run-9", 0)).unwrap()).unwrap();
    });
}

#[test]
fn a_source_position_in_two_rows_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    // A chain drops what it holds already; another one does not know.
    let at = |partition| TopicPartition { topic: topics::VALID.into(), partition };
    let full = (0..2).map(at).find(|at| pipeline.broker.watermarks(at).unwrap().high > 0).unwrap();
    let Message { key, value, headers, .. } = pipeline.broker.read(&full, 0, 1, 1).unwrap().remove(0);
    let (topic, partition) = (full.topic.clone(), Some(1 - full.partition));
    let twice = OutRecord { topic, partition, key, value, headers, timestamp_ms: None };
    pipeline.broker.producer().unwrap().append(&[twice]).unwrap();
    pipeline.drain();
    assert_eq!(rules(&pipeline.verify()), [Rule::SourceTwice]);
}

#[test]
fn a_broker_that_was_set_back_is_noticed_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    {
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
    }
    copy(folder.path(), kept.path());
    {
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
    }
    for entry in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("broker.sqlite") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    for entry in std::fs::read_dir(kept.path()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("broker.sqlite") {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let report = Pipeline::open(folder.path()).verify();
    let found: BTreeSet<Rule> = rules(&report).into_iter().collect();
    assert_eq!(found, BTreeSet::from([Rule::TopicBehind]), "{:#?}", report.problems);
    assert!(report.problems.iter().any(|p| p.detail.contains("taken for duplicates")), "{:#?}", report.problems);
    assert!(!repair::plan(&report).blocked_by.is_empty());
}

#[test]
fn another_store_is_not_compared_and_nothing_is_sent() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let elsewhere = tempfile::tempdir().unwrap();
    let other = LocalStore::open(elsewhere.path()).unwrap();
    let report = verify(&other, Some(&pipeline.broker), &|| {}).unwrap();
    assert_eq!(rules(&report), [Rule::StoreForeign]);
    assert!(repair::plan(&report).is_empty());
}

fn manifest(run_id: &str, published: u64) -> RunManifest {
    RunManifest {
        format_version: run_manifest::FORMAT_VERSION,
        tenant_id: "acme".into(),
        workspace_id: "prod".into(),
        run_id: run_id.into(),
        run_ts: "2026-01-20T10:00:00.000Z".into(),
        created_at: "2026-01-20T10:00:00.000Z".into(),
        status: RunStatus::Complete,
        finding_id_mode: "stable".into(),
        engine_name: "e".into(),
        engine_version: "1".into(),
        rulepack_version: "1".into(),
        schema_version: 1,
        published,
        scopes: Vec::new(),
        billing_deliveries: Vec::new(),
        notes: Default::default(),
    }
}

#[test]
fn a_run_is_incomplete_when_nothing_more_is_on_its_way() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let own = |value: Vec<u8>, more: &[(&str, &str)]| {
        let run = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, "run-1")];
        let all: Headers = run.iter().chain(more).copied().collect();
        (Some("acme"), value, all)
    };
    let publish_manifest = |published| {
        let path = layout::run_manifest("acme", "prod", "run-1");
        pipeline.store.put(&path, &serde_json::to_vec(&manifest("run-1", published)).unwrap()).unwrap();
    };
    let state = || {
        let report = pipeline.verify();
        let runs: Vec<_> = report.incomplete_runs.iter().map(|r| (r.published, r.arrived, r.on_the_way)).collect();
        (rules(&report), runs)
    };
    publish_manifest(4);
    pipeline.publish([own(good("acme", 1), &[]), own(b"{".to_vec(), &[]), own(good("acme", 2), &[])]);
    pipeline.drain();
    pipeline.publish([own(good("acme", 3), &[])]);
    assert_eq!(state(), (vec![], vec![(4, 3, 1)]), "not judged");
    let _ = pipeline.validate();
    assert_eq!(state(), (vec![], vec![(4, 3, 1)]), "not written");
    publish_manifest(5);
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 3, 1)]), "what is on its way is not enough");
    pipeline.drain();
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 4, 0)]));
    // Others' records on their way are no excuse, a record that is sent again is no second one.
    pipeline.publish([(Some("globex"), good("globex", 1), Headers::new())]);
    assert_eq!(state().0, [Rule::RunIncomplete]);
    let letter = pipeline.verify().problems.len();
    assert_eq!(letter, 1);
    let wire = topic_id(&pipeline, topics::WIRE);
    let at = (0..2)
        .map(|partition| TopicPartition { topic: topics::WIRE.into(), partition })
        .find(|at| pipeline.broker.watermarks(at).unwrap().high >= 4)
        .unwrap();
    let first = format!("{wire}/{}/1", at.partition);
    pipeline.publish([own(good("acme", 9), &[(headers::REPLAY_OF, &first)])]);
    assert_eq!(state().0, [Rule::RunIncomplete]);
    pipeline.drain();
    assert_eq!(state(), (vec![Rule::RunIncomplete], vec![(5, 4, 0)]));
    publish_manifest(4);
    assert_eq!(state(), (vec![], vec![]));
    let alone = verify(&*pipeline.store, None, &|| {}).unwrap();
    assert_eq!(alone.problems, []);
    publish_manifest(9);
    let alone = verify(&*pipeline.store, None, &|| {}).unwrap();
    assert_eq!((rules(&alone), alone.incomplete_runs.len()), (vec![], 1), "unknown without a broker");
}

/// Moves the validators' group to the end of the wire topic, without judging.
fn pretend_to_have_judged(pipeline: &Pipeline) {
    let mut member = pipeline
        .broker
        .consumer(ConsumerConfig {
            group: topics::groups::VALIDATOR.into(),
            topics: Topics::Family(topics::WIRE.into()),
            member: "liar".into(),
            start: Start::Earliest,
            session_timeout: Duration::from_secs(10),
            poll_records_max: 100,
            poll_bytes_max: 1 << 20,
        })
        .unwrap();
    let assigned = loop {
        if let Polled::Assigned(all) = member.poll(Duration::from_millis(50)).unwrap() {
            break all;
        }
    };
    let ends = assigned.into_iter().map(|a| GroupOffset {
        offset: pipeline.broker.watermarks(&a.at).unwrap().high,
        at: a.at,
        metadata: String::new(),
    });
    member.commit(&ends.collect::<Vec<_>>()).unwrap();
    member.leave().unwrap();
}

fn lost(report: &Report) -> u64 {
    report.missing.iter().map(|missing| missing.offsets.count()).sum()
}

#[test]
fn what_was_lost_again_and_again_is_brought_back_once() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let wire = topic_id(&pipeline, topics::WIRE);
    let replay = |n| (Some("acme"), good("acme", n), Headers::from_iter([(headers::REPLAY_OF, format!("{wire}/0/0"))]));
    // One that was never sent before, one that says it was, and one that says nonsense about it.
    let nonsense = (Some("acme"), good("acme", 92), Headers::from_iter([(headers::REPLAY_OF, "nonsense")]));
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new()), replay(91), nonsense]);
    pretend_to_have_judged(&pipeline);
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(lost(&pipeline.verify()), 3);

    let done = pipeline.repair(&plan);
    assert_eq!((done.sent, done.not_sent), (3, 0));
    let again = pipeline.repair(&plan);
    assert_eq!((again.sent, again.not_sent), (0, 3), "an old plan does nothing twice");
    assert!(repair::plan(&pipeline.verify()).is_empty());

    // What was sent again is lost as well: once more, but only the last ones.
    pretend_to_have_judged(&pipeline);
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(lost(&pipeline.verify()), 3);
    assert_eq!(pipeline.repair(&plan).sent, 3);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.findings_rows, report.dead_letter_rows), (15 + 3, 3));
}

#[test]
fn nothing_is_sent_while_a_chain_is_broken() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    pretend_to_have_judged(&pipeline);
    let links = links(&pipeline);
    std::fs::write(&links[0], b"{}").unwrap();
    let report = pipeline.verify();
    assert_eq!(
        rules(&report),
        [Rule::ChainBroken, Rule::FileForeign, Rule::RecordLost],
        "whose file it is, is not known"
    );
    let plan = repair::plan(&report);
    assert_eq!((plan.send.len(), plan.blocked_by.len()), (0, 1));
}

#[test]
fn a_file_that_cannot_be_made_again_does_not_stop_the_rest() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    let links = links(&pipeline);
    let files: Vec<_> = links.iter().map(|path| read_link(path).files.remove(0).path).collect();
    std::fs::remove_file(pipeline.store.local_path(&files[0]).unwrap()).unwrap();
    edit_last(&pipeline, |link| drop_a_row(&pipeline, link));
    std::fs::remove_file(pipeline.store.local_path(&files[2]).unwrap()).unwrap();
    let plan = repair::plan(&pipeline.verify());
    assert_eq!(plan.rebuild, [files[0].clone(), files[2].clone()]);
    let done = pipeline.repair(&plan);
    assert_eq!((done.files, done.failed.len(), done.sent), (1, 1, 1), "{done:?}");
}

#[test]
fn what_the_broker_no_longer_holds_is_told_but_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    pipeline.broker.delete_topic(topics::WIRE).unwrap();
    let (name, retention_bytes) = (topics::WIRE.to_owned(), Some(1));
    let spec = TopicSpec { name, partitions: 1, compacted: false, retention_ms: None, retention_bytes };
    pipeline.broker.ensure_topic(&spec).unwrap();
    pipeline.publish((0..3).map(|n| (Some("acme"), good("acme", n), Headers::new())));
    pipeline.drain();
    pipeline.publish([(Some("acme"), good("acme", 3), Headers::new())]);
    pretend_to_have_judged(&pipeline);
    assert_eq!(rules(&pipeline.verify()), [Rule::RecordLost]);
    assert!(pipeline.broker.clean().unwrap() > 0);
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!(report.unproven.iter().map(|m| m.offsets.count()).sum::<u64>(), 1);
    assert_eq!(repair::plan(&report).gone, report.unproven);
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
        if is_judged { pipeline.drain() } else { pretend_to_have_judged(&pipeline) }
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

#[test]
fn only_the_last_commit_may_wait_to_be_published() {
    let filled = Filled::new();
    let check = |link: usize, expected: &[Rule]| {
        let (_folder, pipeline) = filled.copied();
        let file = read_link(&links(&pipeline)[link]).files.remove(0);
        let staged = pipeline.folder.join(file.staged["name"].as_str().unwrap());
        std::fs::create_dir_all(staged.parent().unwrap()).unwrap();
        std::fs::rename(pipeline.store.local_path(&file.path).unwrap(), staged).unwrap();
        assert_eq!(rules(&pipeline.verify()), expected);
    };
    check(2, &[]);
    check(1, &[Rule::FileMissing]);
}

#[test]
fn services_that_are_running_are_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    fill(&pipeline);
    let done = AtomicBool::new(false);
    let verified = std::thread::scope(|scope| {
        scope.spawn(|| {
            let other = Pipeline::open(folder.path());
            for n in 0..40 {
                let path = layout::run_manifest("acme", "prod", &format!("run-{n}"));
                let run = format!("run-{n}");
                let own = |value: Vec<u8>| {
                    let all = [(headers::TENANT_ID, "acme"), (headers::WORKSPACE_ID, "prod"), (headers::RUN_ID, &run)];
                    (Some("acme"), value, Headers::from_iter(all))
                };
                other.publish([own(good("acme", n)), own(b"{".to_vec())]);
                other.store.put(&path, &serde_json::to_vec(&manifest(&run, 2)).unwrap()).unwrap();
                other.drain();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut verified = 0;
        while !done.load(Ordering::Relaxed) {
            assert_eq!(pipeline.verify().problems, []);
            verified += 1;
        }
        verified
    });
    assert!(verified > 3, "verified {verified} times only");
    let report = pipeline.verify();
    assert_eq!((report.problems.len(), report.findings_rows), (0, 15 + 40));
}

#[test]
fn inspecting_tells_what_is_written_and_what_is_not() {
    let filled = Filled::new();
    let (_folder, pipeline) = filled.copied();
    pipeline.publish([(Some("globex"), good("globex", 1), Headers::new())]);
    pipeline.drain();
    pipeline.publish([(Some("acme"), good("acme", 90), Headers::new())]);
    let _ = pipeline.validate();
    let inspect = |tenant| sink::inspect::inspect(&*pipeline.store, Some(&pipeline.broker), tenant).unwrap();
    let all = inspect(None);
    let sum = |of: fn(&sink::inspect::ChainView) -> u64| all.chains.iter().map(of).sum::<u64>();
    assert_eq!((sum(|c| c.rows), sum(|c| c.lag.unwrap())), (19, 1));
    assert!(all.chains.iter().all(|c| c.broken.is_none() && c.group_position == Some(c.end)), "{:#?}", all.chains);
    let folders = |found: &sink::inspect::Inspection| -> Vec<_> {
        found.folders.iter().map(|f| (f.dataset.clone(), f.tenant_id.clone(), f.files, f.rows)).collect()
    };
    let letters = (layout::DEAD_LETTERS.to_owned(), layout::UNKNOWN_TENANT.to_owned(), 3, 3);
    let acme = (layout::FINDINGS.to_owned(), "acme".to_owned(), 3, 15);
    let globex = (layout::FINDINGS.to_owned(), "globex".to_owned(), 1, 1);
    assert_eq!(folders(&all), [letters, acme.clone(), globex]);
    assert_eq!(folders(&inspect(Some("acme"))), [acme]);

    std::fs::remove_file(&links(&pipeline)[0]).unwrap();
    let broken = inspect(None);
    assert!(broken.chains.iter().any(|c| c.broken.is_some()), "{:#?}", broken.chains);
}
