//! Traces across topics, whatever the broker: services that know nothing of each other are tied together by the header
//! `traceparent` of the records, also of records of other producers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics::{self, PipelineTopics, headers};
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, Message, OutRecord, TopicPartition, TopicSpec};
use platform::clock::SystemClock;
use platform::config::ConfigBuilder;
use platform::lifecycle::Shutdown;
use platform::observe::Observer;
use platform::service::Until;
use platform::store::local::LocalStore;
use platform::trace::{self, Tracer, Traces};
use tests::collector::{Span, SpanCollector, SpanKind, attribute, context, links};
use tests::kafka::Cluster;
use tests::repo;
use validator::ProducerPolicies;

const THEIRS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319d-b7ad6b7169203332-00";

fn traces(collector: &SpanCollector, percent: u32) -> Traces {
    let file = format!(
        "[telemetry]\notlp.endpoint = '{}'\nsample_percent = {percent}\nservice_name = 'x'",
        collector.endpoint()
    );
    let config = ConfigBuilder::new(&[trace::SETTINGS]).file("finops.toml", file).resolve().unwrap();
    Traces::start(&config, "kafka").unwrap()
}

fn publish(broker: &dyn Broker, records: &[(&[u8], Option<Bytes>)]) {
    for name in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS] {
        let (name, compacted) = (name.to_owned(), false);
        let spec = TopicSpec { name, partitions: 1, compacted, retention_ms: None, retention_bytes: None };
        broker.ensure_topic(&spec).unwrap();
    }
    let records: Vec<_> = records
        .iter()
        .map(|(value, traceparent)| OutRecord {
            topic: topics::WIRE.into(),
            partition: None,
            key: None,
            value: Bytes::copy_from_slice(value).into(),
            headers: traceparent.iter().map(|value| (headers::TRACEPARENT.to_owned(), value.clone())).collect(),
            timestamp_ms: None,
        })
        .collect();
    broker.producer().unwrap().append(&records).unwrap();
}

fn validate(broker: &dyn Broker, tracer: &Tracer) -> validator::ValidatorSnapshot {
    let config = validator::ValidatorConfig {
        member: "validator".into(),
        pipeline_topics: PipelineTopics::live(),
        selection: None,
        policies: ProducerPolicies::own_only(SaltMode::Stable),
        valid_partitions: 1,
        dead_partitions: 1,
        tenant_spread: 1,
        step_records_max: 100,
        step_bytes_max: 1 << 20,
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
    };
    let observer = Observer { tracer: tracer.clone(), ..Observer::default() };
    let counters = Arc::new(validator::ValidatorCounters::observed(observer));
    validator::run(
        &config,
        validator::ValidatorDeps { broker, clock: &SystemClock, counters: &counters },
        &Shutdown::new(),
    )
    .unwrap();
    counters.snapshot()
}

fn sink(broker: &dyn Broker, tracer: &Tracer) -> sink::SinkSnapshot {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
    let config = sink::SinkConfig {
        member: "sink".into(),
        pipeline_topics: PipelineTopics::live(),
        limits: sink::BatchLimits::default(),
        session_timeout: Duration::from_secs(10),
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    };
    let observer = Observer { tracer: tracer.clone(), ..Observer::default() };
    let counters = Arc::new(sink::SinkCounters::observed(observer));
    sink::run(
        &config,
        sink::SinkDeps { broker, store: &store, clock: &SystemClock, counters: &counters },
        &Shutdown::new(),
    )
    .unwrap();
    counters.snapshot()
}

fn only(broker: &dyn Broker, topic: &str) -> Vec<Message> {
    broker.read(&TopicPartition { topic: topic.into(), partition: 0 }, 0, 100, 1 << 20).unwrap()
}

/// Trace and span of a `traceparent`.
fn parts(traceparent: &str) -> (String, String) {
    let parts: Vec<_> = traceparent.split('-').collect();
    (parts[1].to_owned(), parts[2].to_owned())
}

fn batches(collector: &SpanCollector, topic: &str) -> Vec<Span> {
    collector.named(&format!("process {topic}"))
}

fn ties_services_together(broker: &dyn Broker) {
    let collector = SpanCollector::start();
    let good = repo::read("schemas/examples/valid/aws_ebs_gp2.json").into_bytes();
    let (ours, theirs) = (traces(&collector, 100), Bytes::from_static(THEIRS.as_bytes()));
    let send = ours.tracer().send(topics::WIRE);
    let own = send.traceparent().unwrap();
    drop(send);
    drop(ours);
    publish(
        broker,
        &[
            (&good, Some(own.clone())),
            (&good, Some(theirs.clone())),
            (b"no finding", Some(theirs.clone())),
            (&good, Some(Bytes::from_static(b"00-malformed-\xff"))),
            (&good, None),
        ],
    );
    for service in ["validator", "sink"] {
        let traces = traces(&collector, 100);
        match service {
            "validator" => {
                let done = validate(broker, traces.tracer());
                assert_eq!((done.valid, done.dead), (4, 1), "a malformed traceparent is no fault of the record");
            }
            _ => assert_eq!(sink(broker, traces.tracer()).findings_rows, 4),
        }
    }

    let carried = |topic| {
        let messages = only(broker, topic).into_iter();
        messages.map(|m| m.header(headers::TRACEPARENT).map(<[u8]>::to_vec)).collect::<Vec<_>>()
    };
    assert_eq!(carried(topics::VALID)[..2], [Some(own.to_vec()), Some(theirs.to_vec())]);
    assert_eq!(carried(topics::DEAD_LETTERS), [Some(theirs.to_vec())]);

    let send = context(&collector.only("send finops.findings.wire"));
    assert_eq!(send, parts(std::str::from_utf8(&own).unwrap()));
    for (topic, expected) in [
        (topics::WIRE, vec![send.clone(), parts(THEIRS)]),
        (topics::VALID, vec![send, parts(THEIRS)]),
        (topics::DEAD_LETTERS, vec![parts(THEIRS)]),
    ] {
        let batches = batches(&collector, topic);
        assert_eq!(batches.len(), 1, "{topic}: {batches:#?}");
        let batch = &batches[0];
        assert_eq!(links(batch), expected, "{topic}");
        assert!(batch.parent_span_id.is_empty() && batch.kind() == SpanKind::Consumer, "{batch:?}");
        assert_eq!(attribute(batch, "messaging.system"), "kafka");
        assert_eq!(attribute(batch, "messaging.destination.name"), topic);
        let group =
            if topic == topics::WIRE { PipelineTopics::live().validators } else { PipelineTopics::live().sinks };
        assert_eq!(attribute(batch, "messaging.consumer.group.name"), group);
    }
}

#[test]
fn the_embedded_log_ties_services_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sqlite");
    ties_services_together(&EmbeddedBroker::open(&path, EmbeddedSettings::default()).unwrap());
}

#[test]
fn kafka_ties_services_together() {
    let Some(cluster) = Cluster::start() else { return };
    ties_services_together(&cluster.connect());
}

#[test]
fn a_trace_that_is_kept_is_kept_as_a_whole() {
    let check = |traceparent: &'static str, expected: usize| {
        let (collector, folder) = (SpanCollector::start(), tempfile::tempdir().unwrap());
        let broker = EmbeddedBroker::open(&folder.path().join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
        publish(&broker, &[(b"no finding", Some(Bytes::from_static(traceparent.as_bytes())))]);
        let traces = traces(&collector, 0);
        assert_eq!(validate(&broker, traces.tracer()).dead, 1);
        drop(traces);
        assert_eq!(batches(&collector, topics::WIRE).len(), expected, "{traceparent}");
    };
    check(THEIRS, 1);
    check(NOT_SAMPLED, 0);
}
