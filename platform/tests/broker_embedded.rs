//! The embedded log keeps the broker's promises, and the ones only it makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use platform::broker::conformance::CHECKS;
use std::time::Duration;

use platform::broker::embedded::{EmbeddedBroker, EmbeddedReader, EmbeddedSettings};
use platform::broker::{
    Broker, BrokerError, ConsumerConfig, FileSize, GroupOffset, Headers, Limit, OutRecord, Polled, Start, TopicChange,
    TopicPartition, TopicSpec, Topics,
};

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

/// Members are given the partitions of the new topic when the group is shared out, before they have heard of it.
#[test]
fn offsets_of_a_deleted_topic_are_not_stored_for_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    let two = TopicSpec { partitions: 2, ..spec(None, None, false) };
    broker.ensure_topic(&two).unwrap();
    let config = |member: &str| ConsumerConfig {
        group: "g".to_owned(),
        topics: Topics::Names(vec!["t".to_owned()]),
        member: member.to_owned(),
        start: Start::Earliest,
        session_timeout: Duration::from_secs(60),
        poll_records_max: 10,
        poll_bytes_max: 1 << 20,
    };
    let mut member = broker.consumer(config("one")).unwrap();
    assert!(matches!(member.poll(Duration::from_secs(20)).unwrap(), Polled::Assigned(assigned) if assigned.len() == 2));
    broker.delete_topic("t").unwrap();
    broker.ensure_topic(&two).unwrap();
    let _shares_out = broker.consumer(config("two")).unwrap();
    for partition in 0..2 {
        let at = TopicPartition { partition, ..at() };
        let stored = member.commit(&[GroupOffset { at, offset: 5, metadata: String::new() }]);
        assert!(matches!(stored, Err(BrokerError::Fenced { .. })), "{stored:?}");
    }
    assert_eq!(broker.group_offsets("g").unwrap(), []);
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

fn retention(limit: Limit) -> TopicChange {
    TopicChange { retention_ms: Some(limit), ..TopicChange::default() }
}

fn size(broker: &dyn Broker) -> FileSize {
    broker.file_size().unwrap().unwrap()
}

/// 8 MiB of records of long ago, in transactions of a few.
fn fill(broker: &dyn Broker) {
    let mut producer = broker.producer().unwrap();
    for _ in 0..32 {
        producer.append(&vec![record("k", vec![7; 4_096], Some(1)); 64]).unwrap();
    }
}

#[test]
fn retention_that_is_set_later_takes_effect_and_tells_how_often_to_clean() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    broker.producer().unwrap().append(&[record("k", vec![1], Some(1)), record("k", vec![2], None)]).unwrap();
    assert_eq!((broker.clean().unwrap(), broker.cleaning_interval().unwrap()), (0, Some(Duration::from_secs(600))));
    broker.alter_topic("t", &retention(Limit::AtMost(60_000))).unwrap();
    assert_eq!((broker.clean().unwrap(), broker.cleaning_interval().unwrap()), (1, Some(Duration::from_secs(6))));
    assert_eq!(broker.watermarks(&at()).unwrap().low, 1, "what is young stays");
}

#[test]
fn room_of_expired_records_is_given_back_to_the_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(Some(60_000), None, false)).unwrap();
    fill(&broker);
    let full = size(&broker);
    assert!(full.live_bytes > 8 << 20 && full.gives_back, "{full:?}");
    assert_eq!(broker.clean().unwrap(), 32 * 64);
    let empty = size(&broker);
    assert!(empty.live_bytes + empty.free_bytes < 3 << 20, "{empty:?}");
    // The next connection takes the write-ahead log over and cuts the file.
    drop(broker);
    let broker = open(folder.path(), EmbeddedSettings::default());
    assert!(size(&broker).file_bytes < 4 << 20, "{:?}", size(&broker));
    fill(&broker);
    assert_eq!(broker.watermarks(&at()).unwrap().high, 2 * 32 * 64);
}

/// Writers wait for one step, not for all of it: what a step has removed stays removed when a later one fails.
#[test]
fn much_is_removed_in_short_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(Some(60_000), None, false)).unwrap();
    fill(&broker);
    let file = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
    let at_1200 = "CREATE TRIGGER fails AFTER DELETE ON records WHEN old.id % 4096 = 1200
                   BEGIN SELECT RAISE(ABORT, 'tripped'); END";
    file.execute_batch(at_1200).unwrap();
    let error = broker.clean().unwrap_err();
    assert!(error.to_string().contains("tripped"), "{error}");
    let low = broker.watermarks(&at()).unwrap().low;
    assert!((1..=1_200).contains(&low), "{low}");
    assert_eq!(broker.read(&at(), low, 1, 1).unwrap()[0].offset, low, "what a step has not removed is there");
    file.execute_batch("DROP TRIGGER fails").unwrap();
    assert_eq!(broker.clean().unwrap(), 32 * 64 - low);
}

/// As earlier versions made it.
fn made_by_an_earlier_version(folder: &Path) {
    let broker = open(folder, EmbeddedSettings::default());
    broker.ensure_topic(&spec(Some(60_000), None, false)).unwrap();
    fill(&broker);
    drop(broker);
    let file = rusqlite::Connection::open(folder.join("broker.sqlite")).unwrap();
    file.execute_batch("PRAGMA auto_vacuum = none; VACUUM").unwrap();
}

#[test]
fn a_file_of_an_earlier_version_is_converted_when_no_other_process_has_it() {
    let folder = tempfile::tempdir().unwrap();
    made_by_an_earlier_version(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
    let records: u64 = other.query_row("SELECT count(*) FROM records", [], |row| row.get(0)).unwrap();
    assert_eq!(records, 32 * 64);
    let broker = open(folder.path(), EmbeddedSettings::default());
    assert!(!size(&broker).gives_back, "another connection has it open");
    drop((broker, other));
    let broker = open(folder.path(), EmbeddedSettings::default());
    assert!(size(&broker).gives_back);
    assert_eq!(broker.read(&at(), 0, usize::MAX, usize::MAX).unwrap().len(), 32 * 64, "nothing is lost");
    broker.clean().unwrap();
    assert!(size(&broker).free_bytes < 3 << 20, "{:?}", size(&broker));
}

#[test]
fn a_file_of_an_earlier_version_that_is_mostly_free_is_converted_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    made_by_an_earlier_version(folder.path());
    let other = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
    let _: i64 = other.query_row("SELECT count(*) FROM topics", [], |row| row.get(0)).unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    (0..2).for_each(|_| fill(&broker));
    assert!(!size(&broker).gives_back);
    broker.clean().unwrap();
    let converted = size(&broker);
    assert!(converted.gives_back && converted.free_bytes < 1 << 20, "{converted:?}");
    let topics: i64 = other.query_row("SELECT count(*) FROM topics", [], |row| row.get(0)).unwrap();
    assert_eq!(topics, 1, "the other connection works on");
}

#[test]
fn a_member_gets_the_partitions_that_are_added() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings::default());
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    let mut member = broker
        .consumer(ConsumerConfig {
            group: "g".to_owned(),
            topics: Topics::Names(vec!["t".to_owned()]),
            member: "m".to_owned(),
            start: Start::Earliest,
            session_timeout: Duration::from_secs(30),
            poll_records_max: 10,
            poll_bytes_max: 1 << 20,
        })
        .unwrap();
    let mut assigned = 0;
    while assigned < 3 {
        if let Polled::Assigned(new) = member.poll(Duration::from_secs(20)).unwrap() {
            assigned += new.len();
            broker.alter_topic("t", &TopicChange { partitions: Some(3), ..TopicChange::default() }).unwrap();
        }
    }
}

/// Names, sizes and times of what lies in a folder.
fn listing(folder: &Path) -> Vec<(String, u64, std::time::SystemTime)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            (entry.file_name().into_string().unwrap(), found.len(), found.modified().unwrap())
        })
        .collect();
    all.sort();
    all
}

fn values(broker: &dyn Broker) -> Vec<u8> {
    let marks = broker.watermarks(&at()).unwrap();
    let read = broker.read(&at(), marks.low, 1_000, 1 << 20).unwrap();
    read.iter().map(|message| message.value[0]).collect()
}

#[test]
fn a_reader_changes_nothing_and_sees_what_is_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sqlite");
    let write = |broker: &EmbeddedBroker, value| {
        broker.producer().unwrap().append(&[record("k", vec![value], None)]).unwrap();
    };
    let writer = open(folder.path(), EmbeddedSettings::default());
    writer.ensure_topic(&spec(None, None, false)).unwrap();
    write(&writer, 1);
    drop(writer);
    // At rest: the file alone.
    let before = listing(folder.path());
    assert_eq!(before.len(), 1, "{before:?}");
    let reader = EmbeddedReader::open(&path, EmbeddedSettings::default()).unwrap();
    assert_eq!(values(&reader), [1]);
    assert_eq!(reader.topics().unwrap().len(), 1);
    assert_eq!(listing(folder.path()), before);
    // A writer comes, goes, and comes again.
    for value in 2..6 {
        let writer = open(folder.path(), EmbeddedSettings::default());
        assert_eq!(values(&reader), (1..value).collect::<Vec<_>>());
        write(&writer, value);
        assert_eq!(values(&reader), (1..=value).collect::<Vec<_>>(), "while it has the file open");
        let held = listing(folder.path());
        assert_eq!(
            values(&EmbeddedReader::open(&path, EmbeddedSettings::default()).unwrap()).len(),
            usize::from(value)
        );
        assert_eq!(listing(folder.path()), held);
        drop(writer);
        assert_eq!(values(&reader), (1..=value).collect::<Vec<_>>(), "after it was removed");
    }
    assert!(reader.producer().is_err() && reader.ensure_topic(&spec(None, None, false)).is_ok());
}

/// What a backup made while a writer ran, without the index, looks like.
#[test]
fn a_copy_without_its_index_is_read_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let writer = open(folder.path(), EmbeddedSettings::default());
    writer.ensure_topic(&spec(None, None, false)).unwrap();
    writer.producer().unwrap().append(&[record("k", vec![1], None)]).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for name in ["broker.sqlite", "broker.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let before = listing(copy.path());
    let reader = EmbeddedReader::open(&copy.path().join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
    assert_eq!(values(&reader), [1]);
    assert_eq!(listing(copy.path()), before);
}

#[test]
fn a_record_over_the_limit_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(folder.path(), EmbeddedSettings { record_bytes_max: 10, ..EmbeddedSettings::default() });
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    let records = [record("", vec![1], None), record("", vec![0; 11], None)];
    let error = broker.producer().unwrap().append(&records).unwrap_err();
    assert_eq!(error.to_string(), "a record of 11 bytes for topic t is over the limit of 10 bytes");
    // Headers count, as they do on Kafka: a name, a value, and the lengths of both.
    let mut with_header = record("", Vec::new(), None);
    with_header.headers.push("h", &[0; 2]);
    let error = broker.producer().unwrap().append(&[with_header]).unwrap_err();
    assert_eq!(error.to_string(), "a record of 11 bytes for topic t is over the limit of 10 bytes");
    assert_eq!(broker.watermarks(&at()).unwrap().high, 0);
}

/// A process that waits in vain learns which process has the file, and not only that it is locked.
#[test]
#[cfg(target_os = "linux")]
fn the_process_that_keeps_others_from_writing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let impatient = EmbeddedSettings { busy_timeout: Duration::from_millis(20), ..EmbeddedSettings::default() };
    let broker = open(folder.path(), impatient);
    broker.ensure_topic(&spec(None, None, false)).unwrap();
    let mut producer = broker.producer().unwrap();
    let other = rusqlite::Connection::open(folder.path().join("broker.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = producer.append(&[record("k", b"v".to_vec(), None)]).unwrap_err();
    let said = error.to_string();
    assert!(error.is_retriable() && said.contains("database is locked"), "{said}");
    assert!(said.contains(&format!(": process {} (", std::process::id())) && said.ends_with(") is writing"), "{said}");
    other.execute_batch("ROLLBACK").unwrap();
    producer.append(&[record("k", b"v".to_vec(), None)]).unwrap();
}

#[test]
fn a_file_that_is_no_log_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sqlite");
    std::fs::write(&path, vec![b'x'; 5000]).unwrap();
    let error = EmbeddedBroker::open(&path, EmbeddedSettings::default()).err().unwrap();
    assert!(matches!(error, BrokerError::Fatal { .. }), "{error}");
    let error = EmbeddedReader::open(&path, EmbeddedSettings::default()).err().unwrap();
    assert!(matches!(error, BrokerError::Fatal { .. }), "{error}");
}

/// The process that makes the file creates it first, and its tables a moment later.
#[test]
fn a_file_that_is_being_made_can_be_read_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sqlite");
    std::fs::write(&path, b"").unwrap();
    let error = EmbeddedReader::open(&path, EmbeddedSettings::default()).err().unwrap();
    assert!(error.is_retriable(), "{error}");
    open(folder.path(), EmbeddedSettings::default()).ensure_topic(&spec(None, None, false)).unwrap();
    assert_eq!(EmbeddedReader::open(&path, EmbeddedSettings::default()).unwrap().topics().unwrap().len(), 1);
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
