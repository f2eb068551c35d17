//! The sink: Avro records to committed Parquet files, and the memory it takes over millions of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics;
use platform::broker::{Broker, ConsumerConfig, Headers, Message, Polled, Start, TopicPartition, Topics};
use platform::clock::SystemClock;
use platform::lifecycle::Shutdown;
use platform::service::Until;
use platform::store::local::LocalStore;
use sink::{BatchLimits, SinkConfig, SinkCounters};
use validator::ProducerPolicies;
use validator::transform::{MessageOutcome, Transform};

use crate::cpu;
use crate::feed::Feed;
use crate::findings::{NOW_MS, finding_of};

const TEMPLATES: usize = 20_000;

/// Writes `total` records below `folder`, in which the files stay, and says what that took.
pub fn run(folder: &Path, total: u64, tenants: usize) -> Result<(), String> {
    let templates = templates(tenants)?;
    let bytes: usize = templates.iter().map(|m| m.value.len()).sum::<usize>() / templates.len();
    println!("{}; {total} records of {bytes} bytes of Avro, {tenants} tenants, files synced to disk", cpu::model());
    let feed = Feed { templates: Arc::new(templates), total, written: Arc::new(AtomicU64::new(0)) };
    let store = LocalStore::open(folder, layout::SINK).map_err(|e| e.to_string())?;
    let config = SinkConfig {
        member: "bench".into(),
        pipeline_topics: topics::PipelineTopics::live(),
        limits: BatchLimits::default(),
        session_timeout: Duration::from_secs(30),
        until: Until::Drained,
        skips_expired: false,
        replaced_store: None,
    };
    let feeding = feeding(&feed, &config)?;
    let counters = Arc::new(SinkCounters::default());
    let (before, started) = (cpu::time()?, Instant::now());
    let done = Shutdown::new();
    std::thread::scope(|scope| {
        scope.spawn(|| report_memory(&counters, total, &done));
        let outcome = sink::run(
            &config,
            sink::SinkDeps { broker: &feed, store: &store, clock: &SystemClock, counters: &counters },
            &Shutdown::new(),
        );
        done.request("finished");
        outcome.map_err(|e| e.to_string())
    })?;
    let (spent, wall, written) = (cpu::time()?.saturating_sub(before), started.elapsed(), counters.snapshot());
    #[allow(clippy::cast_precision_loss, reason = "counts of records, far below 2^52")]
    let per_second = |time: Duration| total as f64 / time.as_secs_f64();
    println!("{} files, {} bytes", written.files, written.file_bytes);
    println!("{:9.0} records per second", per_second(wall));
    println!("{:9.0} records per CPU-second with the feed that makes the messages", per_second(spent));
    println!("{:9.0} records per CPU-second without it", per_second(spent.saturating_sub(feeding)));
    Ok(())
}

/// CPU time in which the messages are made: a broker's work, not the sink's.
fn feeding(feed: &Feed, config: &SinkConfig) -> Result<Duration, String> {
    let consumer = ConsumerConfig {
        group: "feeding".into(),
        topics: Topics::Names(vec![topics::VALID.into()]),
        member: config.member.clone(),
        start: Start::Earliest,
        session_timeout: config.session_timeout,
        poll_records_max: 5_000,
        poll_bytes_max: usize::MAX,
    };
    let mut consumer = feed.consumer(consumer).map_err(|e| e.to_string())?;
    let mut spent = Duration::ZERO;
    loop {
        let before = cpu::time()?;
        let polled = consumer.poll(Duration::ZERO).map_err(|e| e.to_string())?;
        spent += cpu::time()?.saturating_sub(before);
        if let Polled::Idle = polled {
            return Ok(spent);
        }
    }
}

/// Resident memory each time another tenth is done.
fn report_memory(counters: &SinkCounters, total: u64, done: &Shutdown) {
    let mut next = total / 10;
    while !done.wait_timeout(Duration::from_millis(20)) {
        let read = counters.snapshot().read;
        if read >= next {
            println!("{read:9} read, {} MiB resident", cpu::resident_mib());
            next += total / 10;
        }
    }
}

/// Records as the validator makes them, without their source position.
fn templates(tenants: usize) -> Result<Vec<Message>, String> {
    let transform =
        Transform::new(ProducerPolicies::own_only(SaltMode::Stable), &topics::PipelineTopics::live(), 1, 1, 1);
    let at = TopicPartition { topic: topics::VALID.into(), partition: 0 };
    (0..TEMPLATES)
        .map(|n| {
            let wire = TopicPartition { topic: topics::WIRE.into(), partition: 0 };
            let (value, headers) = (Bytes::from(finding_of(n, tenants)), Headers::new());
            let message = Message { at: wire, offset: 0, timestamp_ms: 0, key: None, value: value.into(), headers };
            match transform.apply(&message, "wire", NOW_MS) {
                MessageOutcome::Valid(out) => Ok(Message {
                    at: at.clone(),
                    offset: 0,
                    timestamp_ms: 0,
                    key: out.key,
                    value: out.value,
                    headers: out.headers,
                }),
                MessageOutcome::Dead(_, code) => Err(format!("a generated finding is not valid: {code:?}")),
            }
        })
        .collect()
}
