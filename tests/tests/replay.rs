//! A fresh root in the place of the current one, in process: what the sinks that go on must know of what was before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics::{self, PipelineTopics, groups};
use exporter::DuckLimits;
use lake::cut::Cut;
use operations::replay::{Claim, ReplayError, claim, create_pipeline_topics, hand_over, swap};
use operations::resend::letters::Filter;
use operations::resend::patch::Patch;
use operations::resend::redrive;
use operations::selection::{ReplayRequest, ranges};
use platform::broker::{
    Broker, Consumer, ConsumerConfig, GroupOffset, Headers, Message, OutRecord, Polled, Start, TopicPartition, Topics,
};
use platform::clock::{Clock, SystemClock};
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::local::LocalStore;
use platform::store::{Store, StoreError};
use serde_json::{Value, json};
use sink::SinkError;
use tests::pipeline::Pipeline;
use tests::read_hook::ReadHook;
use tests::repo;
use tests::s3::S3Server;
use validator::ProducerPolicies;

const WAIT_MAX: Duration = Duration::from_secs(5);

fn good(n: usize) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!("acme");
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    // A member that version 2 of the schema has added: one store and one replay hold rows of both.
    if n % 2 == 1 {
        wire["allocation"] = json!({"owner": "payments"});
    }
    serde_json::to_vec(&wire).unwrap()
}

fn publish(pipeline: &Pipeline, numbers: std::ops::Range<usize>) {
    pipeline.publish(numbers.map(|n| (Some("acme"), good(n), Headers::new())));
}

/// Judges and writes once more, into `fresh`.
fn replay(pipeline: &Pipeline, fresh: &Path) -> LocalStore {
    let store = LocalStore::open(fresh, layout::SINK).unwrap();
    replay_into(pipeline, &store);
    store
}

fn replay_into(pipeline: &Pipeline, store: &dyn Store) {
    let request = ReplayRequest::default();
    let broker = &pipeline.broker;
    let claim = claim(store, &*pipeline.store, &SystemClock, "test", &request, "ann").unwrap();
    let pipeline_topics = PipelineTopics::replay(&claim.id);
    create_pipeline_topics(broker, &pipeline_topics).unwrap();
    let validator = validator::ValidatorConfig {
        member: "replay".into(),
        pipeline_topics: pipeline_topics.clone(),
        selection: Some(validator::Selection { ranges: ranges(broker, &request).unwrap(), filter: request.filter }),
        policies: ProducerPolicies::own_only(SaltMode::Stable),
        valid_partitions: 2,
        dead_partitions: 2,
        tenant_spread: 1,
        step_records_max: 7,
        step_bytes_max: 1 << 20,
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
    };
    validator::run(
        &validator,
        validator::ValidatorDeps { broker, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
    let sink = sink::SinkConfig {
        member: "replay".into(),
        pipeline_topics,
        limits: sink::BatchLimits::default(),
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    };
    sink::run(
        &sink,
        sink::SinkDeps { broker, store, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
}

fn swapped(pipeline: &Pipeline, fresh: &dyn Store) -> Result<swap::Swapped, ReplayError> {
    swap::swap(&pipeline.broker, &*pipeline.store, fresh, &SystemClock, false, WAIT_MAX, "bob")
}

fn handed_over(
    pipeline: &Pipeline,
    fresh: &dyn Store,
    clock: &dyn Clock,
) -> Result<hand_over::HandedOver, ReplayError> {
    hand_over::hand_over(&pipeline.broker, &*pipeline.store, fresh, clock, false, WAIT_MAX, "bob")
}

/// A sink comes when the clock is read: in the middle of a swap.
struct Crowded<'a> {
    broker: &'a dyn Broker,
    sink: Mutex<Option<Box<dyn Consumer>>>,
}

impl Clock for Crowded<'_> {
    fn now_ms(&self) -> i64 {
        let join = || {
            let config = ConsumerConfig {
                group: groups::SINK.to_owned(),
                topics: Topics::Names(vec![topics::VALID.to_owned(), topics::DEAD_LETTERS.to_owned()]),
                member: "early".to_owned(),
                start: Start::Earliest,
                session_timeout: Duration::from_secs(10),
                poll_records_max: 1,
                poll_bytes_max: 1,
            };
            self.broker.consumer(config).unwrap()
        };
        self.sink.lock().unwrap().get_or_insert_with(join);
        SystemClock.now_ms()
    }
}

/// Every record of a topic, in order.
fn all(pipeline: &Pipeline, topic: &str) -> Vec<Message> {
    let of = |partition| pipeline.broker.read(&TopicPartition { topic: topic.into(), partition }, 0, 1_000, 1 << 30);
    (0..2).flat_map(|partition| of(partition).unwrap()).collect()
}

fn append(pipeline: &Pipeline, message: Message) {
    let Message { at, timestamp_ms, key, value, headers, .. } = message;
    let (topic, partition) = (at.topic, Some(at.partition));
    let record = OutRecord { topic, partition, key, value, headers, timestamp_ms: Some(timestamp_ms) };
    pipeline.broker.producer().unwrap().append(&[record]).unwrap();
}

#[test]
fn what_was_replayed_is_known_as_a_duplicate() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..20);
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    swapped(&pipeline, &store).unwrap();
    assert!(
        pipeline.broker.topics().unwrap().iter().all(|topic| !topic.name.contains("replay")),
        "its topics were deleted"
    );

    // As when a broken transaction delivers a record once more.
    for message in all(&pipeline, topics::VALID).into_iter().take(3) {
        append(&pipeline, message);
    }
    publish(&pipeline, 20..25);
    let pipeline = Pipeline::open(folder.path());
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!(report.problems, []);
    assert_eq!((report.findings_rows, report.duplicates), (25, 3));
}

/// Only its store is old: it took long over something, or slept.
#[test]
fn who_opened_the_root_before_cannot_write_to_the_one_after() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    swapped(&pipeline, &store).unwrap();

    publish(&pipeline, 5..8);
    let _judged = pipeline.validate();
    let error = pipeline.sink().unwrap_err();
    assert!(matches!(error, SinkError::Store(StoreError::Exchanged { .. })), "{error}");
    let pipeline = Pipeline::open(folder.path());
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems, report.findings_rows), (Vec::new(), 8));
}

#[test]
fn a_row_that_no_wire_record_made_is_not_lost_unseen() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    let foreign = all(&pipeline, topics::VALID).pop().unwrap();
    append(&pipeline, Message { headers: Headers::new(), ..foreign });
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    let refused = swapped(&pipeline, &store).unwrap_err().to_string();
    assert!(refused.starts_with("swap: 1 record(s) of the current root are not in the fresh one"), "{refused}");
    assert_eq!(pipeline.verify().problems, [], "nothing was touched");
}

#[test]
fn what_is_not_written_yet_is_not_left_behind() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    publish(&pipeline, 5..8);
    let _judged = pipeline.validate();
    let store = replay(&pipeline, fresh.path());
    let refused = swapped(&pipeline, &store).unwrap_err().to_string();
    assert!(refused.ends_with("are not written: run `finops sink run --drain` first"), "{refused}");
    pipeline.sink().unwrap();
    // Not judged is no hindrance: the live validators are still to come to it.
    publish(&pipeline, 8..10);
    swapped(&pipeline, &store).unwrap();
    let pipeline = Pipeline::open(folder.path());
    assert_eq!(pipeline.verify().in_flight.unjudged, 2);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems, report.findings_rows), (Vec::new(), 10));
}

#[test]
fn a_service_that_starts_in_the_middle_is_seen_before_anything_is_done() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    let facts = format!("{}/manifest.json", layout::cost_facts_dir("acme", "2026-01"));
    pipeline.store.put(&facts, b"first").unwrap();

    let crowded = || Crowded { broker: &pipeline.broker, sink: Mutex::new(None) };
    let clock = crowded();
    let refused = swap::swap(&pipeline.broker, &*pipeline.store, &store, &clock, false, WAIT_MAX, "bob");
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("swap: a service of group finops.sink has started meanwhile"), "{refused}");
    assert_eq!(pipeline.verify().problems, [], "nothing was moved");
    drop(clock);
    let refused = handed_over(&pipeline, &store, &crowded()).unwrap_err().to_string();
    assert!(refused.contains("has started meanwhile"), "{refused}");
    pipeline.drain();

    // Delivered again after a try had copied it.
    pipeline.store.put(&facts, b"second").unwrap();
    handed_over(&pipeline, &store, &SystemClock).unwrap();
    assert_eq!(store.get(&facts).unwrap().as_deref(), Some(&b"second"[..]));
    let claim = Claim::of(&store).unwrap().unwrap();
    assert_eq!((claim.by.as_str(), claim.swapped_by.as_deref()), ("ann", Some("bob")));
}

/// Leaves the claims of a sink that was killed before it wrote anything to these partitions.
fn claim_as_a_sink_that_was_killed(pipeline: &Pipeline) {
    let mut member = pipeline
        .broker
        .consumer(ConsumerConfig {
            group: groups::SINK.to_owned(),
            topics: Topics::Names(vec![topics::VALID.to_owned(), topics::DEAD_LETTERS.to_owned()]),
            member: "killed".into(),
            start: Start::Earliest,
            session_timeout: WAIT_MAX,
            poll_records_max: 1,
            poll_bytes_max: 1,
        })
        .unwrap();
    let Polled::Assigned(assigned) = member.poll(WAIT_MAX).unwrap() else { panic!("no partitions") };
    let metadata = format!("{{\"store_id\":\"{}\"}}", pipeline.store.id());
    let unclaimed = assigned.into_iter().filter(|assigned| assigned.metadata.as_deref().is_none_or(str::is_empty));
    let claims: Vec<_> =
        unclaimed.map(|assigned| GroupOffset { at: assigned.at, offset: 0, metadata: metadata.clone() }).collect();
    assert!(!claims.is_empty(), "some partitions have no rows");
    member.commit(&claims).unwrap();
    member.leave().unwrap();
}

/// Nothing can be moved in a bucket: the services are given the other one.
#[test]
fn in_buckets_dead_letters_go_back_and_a_fresh_root_is_handed_over() {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::shared();
    let (current, fresh) = (Arc::new(server.store(folder.path())), Arc::new(server.store(folder.path())));
    let pipeline = Pipeline::open_on(folder.path(), current.clone());
    publish(&pipeline, 0..10);
    let mut broken: Value = serde_json::from_slice(&good(10)).unwrap();
    broken["status"] = json!("nonsense");
    pipeline.publish([(Some("acme"), serde_json::to_vec(&broken).unwrap(), Headers::new())]);
    pipeline.drain();

    let request = redrive::RedriveRequest {
        filter: Filter { error_code: vec!["enum".into()], ..Filter::default() },
        patch: Some(Patch::parse(br#"[{"op":"replace","path":"/status","value":"fail"}]"#).unwrap()),
        rate: None,
        max: None,
        replays_max: 3,
        by: "test".into(),
    };
    let redriven = || {
        let plan = redrive::plan(&request, &pipeline.broker, &*current).unwrap();
        let (broker, shutdown) = (&pipeline.broker, Shutdown::new());
        redrive::execute(&request, &plan, broker, &*current, &SystemClock, &shutdown).unwrap().sent
    };
    assert_eq!((redriven(), redriven()), (1, 0));
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems, report.findings_rows, report.dead_letter_rows), (Vec::new(), 11, 1));

    replay_into(&pipeline, &*fresh);
    let cuts = (Cut::committed(current.clone()).unwrap(), Cut::committed(fresh.clone()).unwrap());
    let compared = exporter::compare(&cuts.0, &cuts.1, None, 10, &DuckLimits::default()).unwrap();
    assert!(compared.is_same, "{compared:?}");
    let refused = swapped(&pipeline, &*fresh).unwrap_err().to_string();
    assert!(refused.contains("use `finops replay hand-over`"), "{refused}");
    claim_as_a_sink_that_was_killed(&pipeline);
    let done = handed_over(&pipeline, &*fresh, &SystemClock).unwrap();
    assert_eq!(done.not_covered, 0);
    assert!(done.copied > 0, "the audit records");

    publish(&pipeline, 11..15);
    let _judged = pipeline.validate();
    assert!(matches!(pipeline.sink(), Err(SinkError::ForeignStore { .. })), "the former root is out");
    let pipeline = Pipeline::open_on(folder.path(), fresh);
    pipeline.drain();
    let report = pipeline.verify();
    assert_eq!((report.problems, report.findings_rows, report.dead_letter_rows), (Vec::new(), 15, 1));
}

/// Calls it once, when the time is asked for: in the middle of a hand-over, after the claim was read.
struct Meanwhile<'a>(Mutex<Option<Box<dyn FnOnce() + Send + 'a>>>);

impl Clock for Meanwhile<'_> {
    fn now_ms(&self) -> i64 {
        let happens = self.0.lock().unwrap().take();
        happens.into_iter().for_each(|happens| happens());
        SystemClock.now_ms()
    }
}

#[test]
fn a_claim_that_another_process_changed_meanwhile_is_not_overwritten() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    let by_another = || {
        let mut claim: Value = serde_json::from_slice(&store.get(layout::REPLAY).unwrap().unwrap()).unwrap();
        claim["swap_begun_at"] = json!("2026-01-20T10:00:00.000Z");
        claim["swapped_by"] = json!("another");
        store.put(layout::REPLAY, claim.to_string().as_bytes()).unwrap();
    };
    let clock = Meanwhile(Mutex::new(Some(Box::new(by_another))));
    let refused = handed_over(&pipeline, &store, &clock).unwrap_err().to_string();
    assert!(refused.contains("another process is swapping it: give this command again"), "{refused}");
    let claim = Claim::of(&store).unwrap().unwrap();
    assert_eq!((claim.swapped_by.as_deref(), claim.swapped_at), (Some("another"), None));
}

/// A manifest and the files it names are of one moment, also when a run replaces them while they are copied.
#[test]
fn cost_facts_that_a_run_replaces_meanwhile_are_handed_over_whole() {
    let (folder, fresh) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, 0..5);
    pipeline.drain();
    let store = replay(&pipeline, fresh.path());
    let path = |name: &str| format!("{}/{name}", layout::cost_facts_dir("acme", "2026-01"));
    let load = |part: &str| {
        pipeline.store.put(&path(part), part.as_bytes()).unwrap();
        pipeline.store.put(&path("_manifest.json"), json!({ "part": part }).to_string().as_bytes()).unwrap();
    };
    load("part-1.parquet");
    let is_first = Mutex::new(true);
    let before = |read: &str| {
        if read == path("part-1.parquet") && std::mem::take(&mut *is_first.lock().unwrap()) {
            load("part-2.parquet");
            pipeline.store.delete(&path("part-1.parquet")).unwrap();
        }
    };
    let current = ReadHook { store: &*pipeline.store, before: &before };
    hand_over::hand_over(&pipeline.broker, &current, &store, &SystemClock, false, WAIT_MAX, "bob").unwrap();
    let manifest: Value = serde_json::from_slice(&store.get(&path("_manifest.json")).unwrap().unwrap()).unwrap();
    assert_eq!(manifest["part"], "part-2.parquet");
    assert_eq!(store.get(&path("part-2.parquet")).unwrap().as_deref(), Some(&b"part-2.parquet"[..]));
}
