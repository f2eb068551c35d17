//! The whole chain: published records to committed Parquet files. First, if asked for, each service drains its topics alone; then
//! both work side by side on as many records again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::kafka::{KafkaBroker, KafkaSettings};
use platform::broker::{Broker, Headers, OutRecord, TopicSpec};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::local::LocalStore;
use validator::ProducerPolicies;

use crate::cpu;
use crate::findings::finding;

const BATCH: usize = 5_000;
const PARTITIONS: u32 = 4;

/// Publishes `total` findings, to a Kafka cluster or a broker in the folder, and judges and writes them; with `each_alone` first
/// the services one after the other.
pub fn run(folder: &Path, total: usize, brokers: Option<&str>, each_alone: bool) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let store = LocalStore::open(folder, layout::SINK).map_err(|e| text(&e))?;
    let broker: Box<dyn Broker> = match brokers {
        Some(brokers) => {
            let brokers: Vec<&str> = brokers.split(',').collect();
            Box::new(KafkaBroker::connect(KafkaSettings::plaintext(&brokers)).map_err(|e| text(&e))?)
        }
        None => {
            let path = folder.join("broker.sqlite");
            Box::new(EmbeddedBroker::open(&path, EmbeddedSettings::default()).map_err(|e| text(&e))?)
        }
    };
    let broker = &*broker;
    for topic in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS] {
        let (name, compacted) = (topic.to_owned(), false);
        let spec = TopicSpec { name, partitions: PARTITIONS, compacted, retention_ms: None, retention_bytes: None };
        broker.ensure_topic(&spec).map_err(|e| text(&e))?;
    }
    let bytes: usize = (0..1_000).map(|n| finding(n).len()).sum::<usize>() / 1_000;
    println!("{}; {total} findings of {bytes} bytes", cpu::model());
    let (validator, sink) = configs();
    let write_all = || {
        let all = sink::SinkConfig { until: Until::Drained, ..sink.clone() };
        sink::run(
            &all,
            sink::SinkDeps { broker, store: &store, clock: &SystemClock, counters: &Arc::default() },
            &Shutdown::new(),
        )
        .map_err(|e| text(&e))
    };
    let validate_all = || {
        validator::run(
            &validator,
            validator::ValidatorDeps { broker, clock: &SystemClock, counters: &Arc::default() },
            &Shutdown::new(),
        )
        .map_err(|e| text(&e))
    };
    if each_alone {
        stage("publish", total, || publish(broker, total))?;
        stage("validate", total, validate_all)?;
        stage("write", total, write_all)?;
    }
    stage("publish", total, || publish(broker, total))?;
    stage("validate and write", total, || {
        let stop_sink = Shutdown::new();
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                sink::run(
                    &sink,
                    sink::SinkDeps { broker, store: &store, clock: &SystemClock, counters: &Arc::default() },
                    &stop_sink,
                )
                .map_err(|e| text(&e))
            });
            let judged = validate_all();
            stop_sink.request("everything is judged");
            let written = writing.join().map_err(|_| "the sink panicked".to_owned())?;
            judged.and(written)
        })?;
        write_all()
    })
}

fn publish(broker: &dyn Broker, total: usize) -> Result<(), String> {
    let mut producer = broker.producer().map_err(|e| e.to_string())?;
    for from in (0..total).step_by(BATCH) {
        let batch: Vec<_> = (from..(from + BATCH).min(total)).map(record).collect();
        producer.append(&batch).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn stage(name: &str, total: usize, work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    cpu::forget_peak()?;
    let (before, started) = (cpu::time()?, Instant::now());
    work()?;
    let (cpu, wall) = (cpu::time()?.saturating_sub(before), started.elapsed());
    #[allow(clippy::cast_precision_loss, reason = "a count of records, far below 2^52")]
    let records = total as f64;
    println!(
        "{name:20} {:9.0} records per second, {:9.0} per CPU-second, {} MiB resident at most",
        records / wall.as_secs_f64(),
        records / cpu.as_secs_f64(),
        cpu::peak_mib()
    );
    Ok(())
}

fn record(n: usize) -> OutRecord {
    OutRecord {
        topic: topics::WIRE.into(),
        partition: None,
        key: Some(Bytes::from(format!("tenant-{}", n % 50))),
        value: finding(n).into(),
        headers: Headers::new(),
        timestamp_ms: None,
    }
}

fn configs() -> (validator::ValidatorConfig, sink::SinkConfig) {
    let session_timeout = Duration::from_secs(45);
    let validator = validator::ValidatorConfig {
        member: "bench-validator".into(),
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        selection: None,
        policies: ProducerPolicies::own_only(SaltMode::Stable),
        valid_partitions: PARTITIONS,
        dead_partitions: PARTITIONS,
        tenant_spread: 1,
        step_records_max: BATCH,
        step_bytes_max: 16 << 20,
        session_timeout,
        until: Until::Drained,
        skips_expired: false,
        skips_judged: false,
    };
    let sink = sink::SinkConfig {
        member: "bench-sink".into(),
        pipeline_topics: contracts::topics::PipelineTopics::live(),
        limits: sink::BatchLimits::default(),
        session_timeout,
        until: Until::Shutdown,
        skips_expired: false,
        replaced_store: None,
    };
    (validator, sink)
}
