//! The embedded log keeps the broker's promises, and the ones only it makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use platform::broker::conformance::CHECKS;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, BrokerError, Headers, OutRecord, TopicPartition, TopicSpec};

fn open(path: &Path, settings: EmbeddedSettings) -> EmbeddedBroker {
    EmbeddedBroker::open(&path.join("broker.sqlite"), settings).unwrap()
}

fn spec(retention_ms: Option<u64>, retention_bytes: Option<u64>, compacted: bool) -> TopicSpec {
    TopicSpec { name: "t".to_owned(), partitions: 1, compacted, retention_ms, retention_bytes }
}

fn record(key: &str, value: Vec<u8>, timestamp_ms: Option<i64>) -> OutRecord {
    let key = Some(Bytes::copy_from_slice(key.as_bytes()));
    OutRecord { topic: "t".into(), partition: Some(0), key, value: value.into(), headers: Headers::new(), timestamp_ms }
}

fn at() -> TopicPartition {
    TopicPartition { topic: "t".into(), partition: 0 }
}

#[test]
fn keeps_every_promise_of_the_seam() {
    for (name, check) in CHECKS {
        println!("{name}");
        let folder = tempfile::tempdir().unwrap();
        check(&|| Arc::new(open(folder.path(), EmbeddedSettings::default())));
    }
}

#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let small = EmbeddedSettings { bytes_max: Some(2 * 1024 * 1024), ..EmbeddedSettings::default() };
    let broker = open(folder.path(), small);
    broker.ensure_topic(&spec(Some(1000), None, false)).unwrap();
    let mut producer = broker.producer().unwrap();
    let batch = || vec![record("k", vec![7; 100_000], Some(1)); 2];
    let mut appended = 0;
    let error = loop {
        match producer.append(&batch()) {
            Ok(_) => appended += 2,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, BrokerError::NoSpace { .. }), "{error}");
    assert!(error.is_retriable());
    assert_eq!(broker.watermarks(&at()).unwrap().high, appended, "all that was acknowledged, nothing else");
    assert_eq!(broker.clean().unwrap(), appended, "all of it is old");
    producer.append(&batch()).unwrap();
    let error = broker.read(&at(), 0, 1, 1).unwrap_err();
    assert!(matches!(error, BrokerError::OffsetOutOfRange { low, .. } if low == appended), "{error}");
}

#[test]
fn retention_by_bytes_and_compaction_by_key() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(None, Some(250), false)).unwrap();
    broker.producer().unwrap().append(&vec![record("k", vec![0; 100], None); 5]).unwrap();
    assert_eq!(broker.clean().unwrap(), 3);
    assert_eq!(broker.watermarks(&at()).unwrap().low, 3);
    broker.delete_topic("t").unwrap();
    broker.ensure_topic(&spec(None, None, true)).unwrap();
    let records: Vec<OutRecord> = ["a", "b", "a"].iter().map(|k| record(k, k.as_bytes().to_vec(), None)).collect();
    broker.producer().unwrap().append(&records).unwrap();
    assert_eq!(broker.clean().unwrap(), 1);
    let left: Vec<u64> = broker.read(&at(), 0, 10, 1000).unwrap().iter().map(|m| m.offset).collect();
    assert_eq!(left, [1, 2]);
}

#[test]
fn a_record_over_the_limit_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings { record_bytes_max: 10, ..EmbeddedSettings::default() });
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    let records = [record("", vec![1], None), record("", vec![0; 11], None)];
    let error = broker.producer().unwrap().append(&records).unwrap_err();
    assert_eq!(error.to_string(), "a record of 11 bytes for topic t is over the limit of 10 bytes");
    assert_eq!(broker.watermarks(&at()).unwrap().high, 0);
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sqlite");
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    let error = EmbeddedBroker::open(&path, EmbeddedSettings::default()).err().unwrap();
    assert!(matches!(error, BrokerError::Fatal { .. }), "{error}");
}

const CHILD_FOLDER: &str = "BROKER_TEST_CHILD_FOLDER";

/// Run by the test below in a process of its own; does nothing in a normal test run.
#[test]
fn child_appends_until_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let broker = open(Path::new(&folder), EmbeddedSettings::default());
    let mut producer = broker.producer().unwrap();
    for n in 0_u64.. {
        let batch: Vec<OutRecord> = (0..10).map(|i| record("k", (n * 10 + i).to_le_bytes().to_vec(), None)).collect();
        producer.append(&batch).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_whole_batches_only() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_killed", "--nocapture"])
        .env(CHILD_FOLDER, folder.path())
        .spawn()
        .unwrap();
    while broker.watermarks(&at()).unwrap().high < 200 {
        assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let high = broker.watermarks(&at()).unwrap().high;
    assert_eq!(high % 10, 0, "part of a batch is visible");
    let messages = broker.read(&at(), 0, usize::MAX, usize::MAX).unwrap();
    let read: Vec<u64> = messages.iter().map(|m| u64::from_le_bytes(m.value[..].try_into().unwrap())).collect();
    assert_eq!(read, (0..high).collect::<Vec<_>>());
}
