//! Redrive, replay and swap on Apache Kafka, where offsets have holes and steps are transactions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use contracts::claims::OwnProducers;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics::{self, PipelineTopics};
use lake::verify::Rule;
use operations::Operator;
use operations::recreate;
use operations::replay::{claim, create_pipeline_topics, hand_over, swap};
use operations::resend::letters::Filter;
use operations::resend::lock::Lock;
use operations::resend::patch::Patch;
use operations::resend::{redrive, wire};
use operations::selection::{ReplayRequest, ranges};
use platform::broker::{Broker, Headers, OutRecord, TopicSpec};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::Store;
use platform::store::local::LocalStore;
use serde_json::{Value, json};
use sink::SinkError;
use tempfile::TempDir;
use tests::kafka::{Cluster, admin};
use tests::{repo, skip};
use validator::register::{self, RegisterError, refusals};
use validator::{ProducerPolicies, Selection, ValidatorError};

const SESSION: Duration = Duration::from_secs(10);

fn finding(n: usize, status: &str) -> OutRecord {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!("acme");
    wire["status"] = json!(status);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    OutRecord {
        topic: topics::WIRE.into(),
        partition: None,
        key: Some("acme".into()),
        value: serde_json::to_vec(&wire).unwrap().into(),
        headers: Headers::new(),
        timestamp_ms: None,
    }
}

fn sink(pipeline_topics: PipelineTopics) -> sink::SinkConfig {
    sink::SinkConfig {
        member: "sink".into(),
        pipeline_topics,
        limits: sink::BatchLimits::default(),
        session_timeout: SESSION,
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    }
}

fn judge(broker: &dyn Broker, pipeline_topics: PipelineTopics, selection: Option<Selection>) {
    judge_by(broker, &validator(pipeline_topics, selection)).unwrap();
}

fn try_to_judge(
    broker: &dyn Broker,
    pipeline_topics: PipelineTopics,
    selection: Option<Selection>,
) -> Result<(), ValidatorError> {
    judge_by(broker, &validator(pipeline_topics, selection)).map(drop)
}

fn judge_by(
    broker: &dyn Broker,
    config: &validator::ValidatorConfig,
) -> Result<validator::ValidatorSnapshot, ValidatorError> {
    let counters = Arc::default();
    validator::run(
        config,
        validator::ValidatorDeps { broker, clock: &SystemClock, counters: &counters },
        &Shutdown::new(),
    )?;
    Ok(counters.snapshot())
}

fn validator(pipeline_topics: PipelineTopics, selection: Option<Selection>) -> validator::ValidatorConfig {
    validator::ValidatorConfig {
        member: "validator".into(),
        pipeline_topics,
        selection,
        policies: ProducerPolicies::own_only(SaltMode::Stable),
        valid_partitions: 2,
        dead_partitions: 2,
        tenant_spread: 1,
        step_records_max: 5,
        step_bytes_max: 1 << 20,
        session_timeout: SESSION,
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
    }
}

fn drain(broker: &dyn Broker, store: &dyn Store, pipeline_topics: PipelineTopics, selection: Option<Selection>) {
    judge(broker, pipeline_topics.clone(), selection);
    sink::run(
        &sink(pipeline_topics),
        sink::SinkDeps { broker, store, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
}

/// Judges and writes once more, into `fresh`.
fn replay(broker: &dyn Broker, current: &dyn Store, fresh: &dyn Store, id: &str) {
    let request = ReplayRequest::default();
    let pipeline_topics =
        PipelineTopics::replay(&claim(fresh, current, &SystemClock, id, &request, "test").unwrap().id);
    create_pipeline_topics(broker, &pipeline_topics).unwrap();
    let selection = Selection { ranges: ranges(broker, &request).unwrap(), filter: request.filter };
    drain(broker, fresh, pipeline_topics, Some(selection));
}

fn rows(broker: &dyn Broker, store: &dyn Store) -> (u64, u64) {
    let report = lake::verify::verify(store, Some(broker), &|| {}).unwrap();
    assert_eq!(report.problems, []);
    (report.findings_rows, report.dead_letter_rows)
}

fn open_store(folder: &TempDir) -> LocalStore {
    LocalStore::open(folder.path(), layout::SINK).unwrap()
}

#[test]
fn what_goes_back_goes_once_and_fresh_roots_take_over() {
    let Some(cluster) = Cluster::start() else { return };
    let connected = cluster.connect();
    let broker: &dyn Broker = &connected;
    for name in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS] {
        let (name, retention_ms, retention_bytes) = (name.to_owned(), None, None);
        broker
            .ensure_topic(&TopicSpec { name, partitions: 2, compacted: false, retention_ms, retention_bytes })
            .unwrap();
    }
    let stop = Shutdown::new();
    let mut lock = Lock::take(broker, "test.lock", &stop).unwrap();
    lock.step(&[], "first").unwrap();
    drop(lock);
    assert_eq!(Lock::take(broker, "test.lock", &stop).unwrap().mark(), "first");

    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (current, fresh) = (open_store(&folders.0), open_store(&folders.1));
    let publish = |records: Vec<OutRecord>| drop(broker.producer().unwrap().append(&records).unwrap());
    publish((0..12).map(|n| finding(n, "fail")).collect());
    publish((12..15).map(|n| finding(n, "nonsense")).collect());
    drain(broker, &current, PipelineTopics::live(), None);
    assert_eq!(rows(broker, &current), (12, 3));

    let request = redrive::RedriveRequest {
        filter: Filter { error_code: vec!["enum".into()], ..Filter::default() },
        patch: Some(Patch::parse(br#"[{"op":"replace","path":"/status","value":"fail"}]"#).unwrap()),
        rate: None,
        max: None,
        replays_max: 3,
        by: "test".into(),
    };
    let redriven = || {
        let plan = redrive::plan(&request, broker, &current).unwrap();
        redrive::execute(&request, &plan, broker, &current, &SystemClock, &Shutdown::new()).unwrap().sent
    };
    assert_eq!((redriven(), redriven()), (3, 0));
    publish(vec![finding(15, "fail")]);
    drain(broker, &current, PipelineTopics::live(), None);
    assert_eq!(rows(broker, &current), (16, 3));

    replay(broker, &current, &fresh, "first");
    let kept = || register::read(broker, &PipelineTopics::replay("first").validators, &Shutdown::new()).unwrap();
    assert!(!kept().is_empty());
    swap::swap(broker, &current, &fresh, &SystemClock, false, Duration::from_secs(60), "test").unwrap();
    assert!(kept().is_empty(), "it judges nothing any more");
    let current = open_store(&folders.0);
    assert_eq!(rows(broker, &current), (16, 3));
    publish((16..20).map(|n| finding(n, "fail")).collect());
    drain(broker, &current, PipelineTopics::live(), None);
    assert_eq!(rows(broker, &current), (20, 3));

    // Of the three that were mended only the copies go.
    let request = wire::WireRequest { replay: ReplayRequest::default(), id: None, rate: None };
    let plan = wire::plan(&request, broker, &current, &OwnProducers).unwrap();
    let operator = Operator { by: "test", clock: &SystemClock, shutdown: &Shutdown::new() };
    let done = wire::execute(&request, &plan, broker, &current, &OwnProducers, &operator).unwrap();
    assert_eq!((done.matching, done.sent, done.sent_before), (20, 20, 0));
    drain(broker, &current, PipelineTopics::live(), None);
    assert_eq!(rows(broker, &current), (40, 3));

    let next = open_store(&folders.2);
    replay(broker, &current, &next, "second");
    hand_over::hand_over(broker, &current, &next, &SystemClock, false, Duration::from_secs(60), "test").unwrap();
    publish((20..24).map(|n| finding(n, "fail")).collect());
    judge(broker, PipelineTopics::live(), None);
    let refused = sink::run(
        &sink(PipelineTopics::live()),
        sink::SinkDeps { broker, store: &current, clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    );
    assert!(matches!(refused, Err(SinkError::ForeignStore { .. })), "{refused:?}");
    drain(broker, &next, PipelineTopics::live(), None);
    assert_eq!(rows(broker, &next), (44, 3));
    a_deleted_group_judges_again_by_the_settings_of_before_only(&cluster, broker, &next);
    cluster.empty();
    two_stores_in_one_group_do_not_share_the_rows(&cluster);
}

/// Kafka forgets a group without members after a week: then its validators would begin at the oldest record.
fn a_deleted_group_judges_again_by_the_settings_of_before_only(
    cluster: &Cluster,
    broker: &dyn Broker,
    store: &dyn Store,
) {
    let live = || validator(PipelineTopics::live(), None);
    let judged: u64 = broker.group_offsets(topics::groups::VALIDATOR).unwrap().iter().map(|o| o.offset).sum();
    let forget = || admin::delete_group(cluster.brokers(), topics::groups::VALIDATOR);
    let refused = |config: &validator::ValidatorConfig| match judge_by(broker, config) {
        Err(ValidatorError::Register(RegisterError::JudgedOtherwise(refused))) => {
            assert!(refusals(config, broker).unwrap().contains(&refused));
            refused.to_string()
        }
        other => panic!("{other:?}"),
    };
    forget();
    let spread = validator::ValidatorConfig { tenant_spread: 2, ..live() };
    assert!(refused(&spread).contains("validator.tenant_spread was 1 and is 2"));
    let policies = ProducerPolicies::own_only(SaltMode::PerRun);
    assert!(refused(&validator::ValidatorConfig { policies, ..live() }).contains("the policy of its producer"));
    assert_eq!(broker.group_offsets(topics::groups::VALIDATOR).unwrap(), []);

    // The same settings: all is judged again, and dropped.
    assert_eq!(judge_by(broker, &live()).unwrap().read, 44 + 3);
    drain(broker, store, PipelineTopics::live(), None);
    assert_eq!(rows(broker, store), (44, 3));

    forget();
    let resuming = validator::ValidatorConfig { skips_judged: true, ..spread.clone() };
    assert_eq!(judge_by(broker, &resuming).unwrap().read, 0);
    let resumed: u64 = broker.group_offsets(topics::groups::VALIDATOR).unwrap().iter().map(|o| o.offset).sum();
    assert!(resumed >= judged, "{resumed} {judged}");
    let records = (24..27).map(|n| finding(n, "fail")).collect::<Vec<_>>();
    broker.producer().unwrap().append(&records).unwrap();
    assert_eq!(judge_by(broker, &spread).unwrap().read, 3);
    drain(broker, store, PipelineTopics::live(), None);
    assert_eq!(rows(broker, store), (47, 3));
}

/// Two machines with a data folder each: the second one stops before it writes anything.
fn two_stores_in_one_group_do_not_share_the_rows(cluster: &Cluster) {
    let broker = &cluster.connect();
    for name in [topics::VALID, topics::DEAD_LETTERS] {
        let (name, retention_ms, retention_bytes) = (name.to_owned(), None, None);
        broker
            .ensure_topic(&TopicSpec { name, partitions: 2, compacted: false, retention_ms, retention_bytes })
            .unwrap();
    }
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let stores = folders.each_ref().map(open_store);
    let stops = [Shutdown::new(), Shutdown::new()];
    let config = sink::SinkConfig { until: Until::Shutdown, ..sink(PipelineTopics::live()) };
    let run = |n: usize| {
        sink::run(
            &config,
            sink::SinkDeps { broker, store: &stores[n], clock: &SystemClock, counters: &Arc::default() },
            &stops[n],
        )
    };
    let claims = || {
        let offsets = broker.group_offsets(topics::groups::SINK).unwrap();
        offsets.iter().filter_map(|offset| lake::committed_offsets::store_of(&offset.metadata)).collect::<Vec<_>>()
    };
    let comes = |is_so: &dyn Fn() -> bool| {
        let began = Instant::now();
        std::iter::repeat_with(is_so).find(|so| *so || began.elapsed() > Duration::from_secs(60)) == Some(true)
    };
    let (claimed, refused) = std::thread::scope(|scope| {
        let first = scope.spawn(|| run(0));
        let claimed = comes(&|| claims().len() == 4);
        let second = scope.spawn(|| run(1));
        let _refused_soon = comes(&|| second.is_finished());
        stops.iter().for_each(|stop| stop.request("the test has seen enough"));
        first.join().unwrap().unwrap();
        (claimed, second.join().unwrap())
    });
    assert!(claimed, "the first sink names its store in every partition");
    assert!(matches!(refused, Err(SinkError::ForeignStore { .. })), "{refused:?}");
    // Of partitions that came back to it, it does not know whether another sink of its store has written.
    assert!(claims().iter().all(|claim| *claim == stores[0].id()), "{:?}", claims());
    let alone = sink::SinkConfig { replaced_store: Some(stores[0].id().to_owned()), ..sink(PipelineTopics::live()) };
    sink::run(
        &alone,
        sink::SinkDeps { broker, store: &stores[1], clock: &SystemClock, counters: &Arc::default() },
        &Shutdown::new(),
    )
    .unwrap();
    assert_eq!(claims(), Vec::<String>::new(), "it has written nothing, either");
}

/// A copy that lacks records becomes the leader of the wire partition, which grows past its old end.
#[test]
fn a_partition_that_was_rolled_back_is_refused_and_left_behind_without_a_loss() {
    let Some(mut cluster) = Cluster::start_to_attack() else { return };
    let folders = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = open_store(&folders.0);
    let publish = |broker: &dyn Broker, numbers: std::ops::Range<usize>| {
        let records: Vec<_> = numbers.map(|n| finding(n, "fail")).collect();
        broker.producer().unwrap().append(&records).unwrap()[0].partition
    };
    let broker = cluster.connect();
    let (name, retention_ms, retention_bytes) = (topics::WIRE.to_owned(), None, None);
    broker.ensure_topic(&TopicSpec { name, partitions: 2, compacted: false, retention_ms, retention_bytes }).unwrap();
    let partition = publish(&broker, 0..6);
    drain(&broker, &store, PipelineTopics::live(), None);
    if !cluster.keep(topics::WIRE, partition, folders.1.path()) {
        return skip::because("the disk of this Kafka is not ours");
    }
    publish(&broker, 6..12);
    drain(&broker, &store, PipelineTopics::live(), None);
    assert_eq!(rows(&broker, &store), (12, 0));
    drop(broker);
    cluster.roll_back(topics::WIRE, partition, folders.1.path());

    let broker = cluster.connect();
    let behind = try_to_judge(&broker, PipelineTopics::live(), None).unwrap_err();
    assert!(matches!(behind, ValidatorError::TopicBehind { high: 6, .. }), "{behind}");
    publish(&broker, 12..24);
    let refused = try_to_judge(&broker, PipelineTopics::live(), None).unwrap_err();
    assert!(matches!(refused, ValidatorError::RolledBack { .. }), "{refused}");
    let report = lake::verify::verify(&store, Some(&broker), &|| {}).unwrap();
    assert!(report.problems.iter().any(|problem| problem.rule == Rule::RolledBack), "{:#?}", report.problems);

    let operator = Operator { by: "test", clock: &SystemClock, shutdown: &Shutdown::new() };
    let done = recreate::execute(&broker, &store, &operator, Duration::from_secs(60)).unwrap();
    assert_eq!(done.topics.iter().map(|of| of.carried).sum::<u64>(), 12, "{done:?}");
    drain(&broker, &store, PipelineTopics::live(), None);
    assert_eq!(rows(&broker, &store), (24, 0));
}
