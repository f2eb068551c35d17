//! Records of every shape that a broker takes, through validator and sink: each becomes a row that every reader can read, and no
//! service stops or panics.

use bytes::Bytes;
use contracts::topics::{self, headers};
use contracts::{dead_letter, layout};
use exporter::{DeadLetterFilter, DeadLetterScope, DuckLimits};
use lake::cut::Cut;
use platform::broker::{Broker, Headers, OutRecord, RecordValue};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::pipeline::Pipeline;

use super::good;

/// Above the size limit of a record, below that of the broker.
const LARGE: usize = 1_200_000;
const ROUNDS: u32 = 12;
const RECORDS_MAX: usize = 12;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"acme".to_vec()),
        Just(b"\0".to_vec()),
        Just("\u{202e}acme\n".as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..64),
        (any::<u8>(), LARGE / 4..LARGE).prop_map(|(byte, count)| vec![byte; count]),
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(-1), Just(9_300_000_000_000_000), any::<i64>()]
            .prop_map(|n| n.to_string().into_bytes()),
    ]
}

fn value() -> impl Strategy<Value = RecordValue> {
    let edited = (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| {
        let mut wire = good("acme", 1);
        let at = at.index(wire.len());
        wire[at] = byte;
        wire
    });
    prop_oneof![
        Just(RecordValue::NULL),
        Just(good("acme", 1).into()),
        edited.prop_map(RecordValue::from),
        Just(RecordValue::from("[".repeat(100_000))),
        bytes().prop_map(RecordValue::from),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known = [
        headers::SRC,
        headers::REPLAY_OF,
        headers::RUN_ID,
        headers::TENANT_ID,
        headers::WORKSPACE_ID,
        headers::RUN,
        headers::RUN_DATE,
        headers::FINDING_ID_MODE,
        headers::TRACEPARENT,
        headers::VALUE_SCHEMA_ID,
        dead_letter::header::FIRST_SEEN,
        dead_letter::header::REPLAYS,
        dead_letter::header::SRC,
        dead_letter::header::SRC_TIMESTAMP,
        dead_letter::header::ERRORS,
        dead_letter::header::VALUE_BYTES,
        dead_letter::header::VALUE_NULL,
        dead_letter::header::CONNECT_OFFSET,
        "refused.tenant_id",
        "",
    ];
    prop_oneof![prop::sample::select(known.to_vec()).prop_map(str::to_owned), "\\PC{0,20}", Just("n".repeat(70_000))]
}

fn record() -> impl Strategy<Value = OutRecord> {
    let timestamps = prop_oneof![
        Just(None),
        prop::sample::select(&[i64::MIN, i64::MIN + 1, -1, 0, 1, 9_300_000_000_000_000, i64::MAX][..]).prop_map(Some),
        any::<i64>().prop_map(Some),
    ];
    let all = prop::collection::vec((name(), bytes()), 0..6);
    (prop::option::of(bytes()), value(), all, timestamps, 0..2_u32).prop_map(
        |(key, value, all, timestamp_ms, partition)| OutRecord {
            topic: topics::WIRE.into(),
            partition: Some(partition),
            key: key.map(Bytes::from),
            value,
            headers: all.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect::<Headers>(),
            timestamp_ms,
        },
    )
}

#[test]
fn every_record_becomes_a_row_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let sent = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: ROUNDS, failure_persistence: None, ..Config::default() });
    let law = |records: Vec<OutRecord>| {
        pipeline.broker.producer().unwrap().append(&records).unwrap();
        sent.set(sent.get() + records.len() as u64);
        pipeline.drain();
        let report = pipeline.verify();
        prop_assert!(report.problems.is_empty(), "{:?}", report.problems);
        prop_assert_eq!(report.findings_rows + report.dead_letter_rows, sent.get());
        let cut = Cut::committed(pipeline.store.clone()).unwrap();
        let filter = DeadLetterFilter { since_ms: Some(0), ..DeadLetterFilter::default() };
        let all = DeadLetterScope::Operator(Vec::new());
        let list = exporter::list_dead_letters(&cut, &all, &filter, &DuckLimits::default());
        prop_assert_eq!(list.map(|list| list.total).ok(), Some(report.dead_letter_rows));
        Ok(())
    };
    runner.run(&prop::collection::vec(record(), 1..RECORDS_MAX), law).unwrap();
    assert!(!pipeline.store.list(layout::DEAD_LETTERS).unwrap().is_empty());
}
