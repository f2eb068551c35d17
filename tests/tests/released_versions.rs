//! What programs of each released version of the contract have written is read by today's: `schemas/golden/v<N>/` holds wire
//! records, what the topics held of them, and the store that came of them, made by the program that released the version.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use bytes::Bytes;
use contracts::commit_record::CommitRecord;
use contracts::judge::{Policy, judge};
use contracts::tenant_scope::TenantScope;
use contracts::topics::{self, headers};
use contracts::{arrow_schema, avro, datasets, layout};
use exporter::{DuckLimits, ExportOptions, ExporterConfig, ExporterDeps, FindingFilter, Population};
use lake::LakeError;
use lake::cut::Cut;
use operations::repair;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::{Broker, Headers, OutRecord};
use platform::clock::SystemClock;
use platform::observe::Observer;
use platform::store::Store;
use platform::store::local::LocalStore;
use serde::Deserialize;
use serde_json::{Value, json};
use sink::SinkError;
use tests::pipeline::{Pipeline, copy};
use tests::repo;

/// A record of a topic.
#[derive(Deserialize)]
struct Kept {
    timestamp_ms: i64,
    key: String,
    headers: BTreeMap<String, String>,
    /// Hex.
    value: String,
}

impl Kept {
    fn all(version: u16, file: &str) -> Vec<Self> {
        let text = repo::read(&format!("schemas/golden/v{version}/{file}"));
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn value(&self) -> Vec<u8> {
        hex::decode(&self.value).unwrap()
    }

    fn again(&self, topic: &str) -> OutRecord {
        OutRecord {
            topic: topic.into(),
            partition: None,
            key: Some(Bytes::copy_from_slice(self.key.as_bytes())),
            value: self.value().into(),
            headers: Headers::from_iter(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))),
            timestamp_ms: Some(self.timestamp_ms),
        }
    }
}

/// A copy of the store of a version.
fn golden_store(version: u16) -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    copy(&repo::root().join(format!("schemas/golden/v{version}/store")), folder.path());
    let store = Arc::new(LocalStore::open(folder.path(), layout::SINK).unwrap());
    (folder, store)
}

fn versions() -> impl Iterator<Item = u16> {
    1..=avro::NEWEST
}

/// All commit records of a store.
fn commits(store: &dyn Store) -> Vec<CommitRecord> {
    let all = store.list(layout::CHAIN).unwrap();
    let commits = all.iter().filter(|entry| contracts::chain::commit_start(&entry.path).is_some());
    commits.map(|entry| serde_json::from_slice(&store.get(&entry.path).unwrap().unwrap()).unwrap()).collect()
}

fn rows(path: &Path) -> Vec<RecordBatch> {
    let file = std::fs::File::open(path).unwrap();
    ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect()
}

/// Rows of all findings files, by tenant and date.
fn findings(store: &dyn Store) -> BTreeMap<(String, String), Vec<RecordBatch>> {
    let mut found = BTreeMap::<_, Vec<RecordBatch>>::new();
    for file in commits(store).into_iter().flat_map(|commit| commit.files) {
        if datasets::of_path(&file.path) == Some(&datasets::FINDINGS) {
            let batches = rows(&store.local_path(&file.path).unwrap());
            found.entry((file.tenant_id, file.run_date)).or_default().extend(batches);
        }
    }
    found
}

fn exported(store: &Arc<dyn Store>, tenant: &str) -> Vec<Value> {
    let cut = Cut::committed(store.clone()).unwrap();
    let filter = FindingFilter { population: Population::All, ..Default::default() };
    let scope = TenantScope::new(tenant).unwrap();
    let found = exporter::list_findings(&cut, &scope, &filter, &DuckLimits::default()).unwrap();
    serde_json::to_value(found.items).unwrap().as_array().unwrap().clone()
}

#[test]
fn each_version_has_its_golden_files() {
    let folder = std::fs::read_dir(repo::root().join("schemas/golden")).unwrap();
    let mut found: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    assert_eq!(found, versions().map(|version| format!("v{version}")).collect::<Vec<_>>());
    for version in versions() {
        let ids: Vec<u32> = Kept::all(version, "valid.ndjson")
            .iter()
            .filter_map(|record| contracts::frame::id(&record.value()))
            .collect();
        assert!(ids.contains(&version.into()), "frames of version {version}: {ids:?}");
        let (_folder, store) = golden_store(version);
        let files: Vec<u16> =
            commits(&*store).iter().flat_map(|commit| &commit.files).map(|file| file.schema_version).collect();
        assert!(files.contains(&version), "files of version {version}: {files:?}");
    }
}

#[test]
fn a_store_of_each_version_is_verified_and_exported() {
    for version in versions() {
        let (folder, store) = golden_store(version);
        let policies = validator::ProducerPolicies::own_only(contracts::identity::SaltMode::Stable);
        let subject = lake::verify::Subject { store: &*store, broker: None, exports: None, producers: &policies };
        let report = lake::verify::verify_all(subject, &|| {}).unwrap();
        assert_eq!(report.problems, [], "version {version}");
        let config = ExporterConfig {
            tenant: None,
            export_dir: folder.path().join("export"),
            options: ExportOptions::default(),
            gold: true,
            default_currency: "USD".into(),
            limits: DuckLimits::default(),
            poll_interval: exporter::DEFAULT_POLL_INTERVAL,
        };
        let deps = ExporterDeps { store: store.clone(), clock: Arc::new(SystemClock), observer: Observer::default() };
        let report = exporter::once(&config, &deps).unwrap();
        assert_eq!(report.errors().count(), 0, "version {version}");
        let (mut all, mut listed) = (0, 0);
        for ((tenant, _), batches) in findings(&*store) {
            all += batches.iter().map(RecordBatch::num_rows).sum::<usize>();
            listed = listed.max(exported(&store, &tenant).len());
        }
        assert!(listed > 1 && all > listed, "version {version}: {listed} of {all} findings");
    }
}

#[test]
fn what_topics_hold_of_each_version_becomes_the_same_rows() {
    for version in versions() {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(folder.path());
        let valid = Kept::all(version, "valid.ndjson");
        let letters = Kept::all(version, "dead_letters.ndjson");
        let records: Vec<_> = valid.iter().map(|record| record.again(topics::VALID)).collect();
        pipeline.broker.producer().unwrap().append(&records).unwrap();
        let records: Vec<_> = letters.iter().map(|record| record.again(topics::DEAD_LETTERS)).collect();
        pipeline.broker.producer().unwrap().append(&records).unwrap();
        pipeline.sink().unwrap();

        let (_folder, golden) = golden_store(version);
        assert_eq!(findings(&*pipeline.store), findings(&*golden), "version {version}");
        let cuts = (Cut::committed(golden).unwrap(), Cut::committed(pipeline.store.clone()).unwrap());
        let compared = exporter::compare(&cuts.0, &cuts.1, None, 10, &DuckLimits::default()).unwrap();
        assert!(compared.is_same, "version {version}: {compared:?}");
    }
}

/// Programs of an earlier version read what today's write, as long as no producer sends what they do not know.
#[test]
fn what_was_sent_to_each_version_is_written_as_that_version_did() {
    for version in versions() {
        let wire = repo::read(&format!("schemas/golden/v{version}/wire.ndjson"));
        let (_folder, store) = golden_store(version);
        let times = findings(&*store).into_values().flatten().flat_map(|batch| {
            let column = batch.column_by_name("ingested_ts").unwrap().as_primitive::<TimestampMillisecondType>();
            column.iter().flatten().collect::<Vec<_>>()
        });
        let times: std::collections::BTreeSet<i64> = times.collect();
        for record in Kept::all(version, "valid.ndjson") {
            let is_same =
                wire.lines().flat_map(|line| times.iter().map(move |time| (line, *time))).any(|(line, time)| {
                    let policy = Policy::default();
                    let Ok(finding) = judge(line.as_bytes(), &policy, time) else { return false };
                    finding.cast_for_storage().is_ok_and(|row| row.encode() == record.value())
                });
            assert!(is_same, "version {version}: {:?}", record.headers);
        }
    }
}

fn wire(n: usize, added: &Value) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    wire.as_object_mut().unwrap().extend(added.as_object().unwrap().clone());
    serde_json::to_vec(&wire).unwrap()
}

fn publish(pipeline: &Pipeline, records: impl IntoIterator<Item = Vec<u8>>) {
    pipeline.publish(records.into_iter().map(|wire| (Some("acme"), wire, Headers::new())));
}

fn file_versions(store: &dyn Store) -> Vec<(u16, u64)> {
    commits(store).iter().flat_map(|commit| &commit.files).map(|file| (file.schema_version, file.rows)).collect()
}

/// A file has the lowest version that has room for its rows; one store holds files of all.
#[test]
fn one_store_holds_files_of_all_versions() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    let none = json!({});
    let added = json!({"source_engine": "compute-optimizer", "allocation": {"owner": "payments"}});
    publish(&pipeline, (0..3).map(|n| wire(n, &none)));
    pipeline.drain();
    publish(&pipeline, [wire(3, &none), wire(4, &added), wire(5, &none)]);
    pipeline.drain();
    assert_eq!(file_versions(&*pipeline.store), [(1, 3), (2, 3)]);
    assert_eq!(pipeline.verify().problems, []);
    let schemas = |batches: &[RecordBatch]| batches.iter().map(RecordBatch::schema).collect::<Vec<_>>();
    for batches in findings(&*pipeline.store).values() {
        assert_eq!(schemas(batches), [arrow_schema::findings_of(1), arrow_schema::findings_of(2)]);
        let owners = batches[1].column_by_name("allocation").unwrap().as_struct().column_by_name("owner").unwrap();
        let owners: Vec<_> = owners.as_string::<i32>().iter().collect();
        assert_eq!(owners, [None, Some("payments"), None]);
    }
    assert_eq!(exported(&pipeline.store, "acme").len(), 6);

    // Both files come back from the topic, byte for byte.
    for file in commits(&*pipeline.store).iter().flat_map(|commit| &commit.files) {
        std::fs::remove_file(pipeline.store.local_path(&file.path).unwrap()).unwrap();
    }
    let report = pipeline.verify();
    assert_eq!(report.problems.len(), 2, "{:?}", report.problems);
    let _ = pipeline.repair(&repair::plan(&report));
    assert_eq!(pipeline.verify().problems, []);
}

#[test]
fn a_record_of_a_newer_version_stops_the_sink_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = Pipeline::open(folder.path());
    publish(&pipeline, [wire(0, &json!({}))]);
    let _ = pipeline.validate();
    let record = pipeline.records(topics::VALID).remove(0);
    let framed = |version: u32, offset: u64| {
        let mut value = record.value.as_bytes().unwrap().to_vec();
        value[1..5].copy_from_slice(&version.to_be_bytes());
        let mut with_src = record.headers.clone();
        with_src.retain(|name| name != headers::SRC);
        with_src.push(headers::SRC, format!("other/0/{offset}").as_bytes());
        OutRecord {
            topic: topics::VALID.into(),
            partition: None,
            key: record.key.clone(),
            value: value.into(),
            headers: with_src,
            timestamp_ms: None,
        }
    };
    // No number that a version can have: another producer's frame, kept as a dead letter.
    pipeline.broker.producer().unwrap().append(&[framed(70_000, 0)]).unwrap();
    let written = pipeline.sink().unwrap();
    assert_eq!((written.findings_rows, written.dead_letter_rows), (1, 1));

    let newer = avro::NEWEST + 1;
    pipeline.broker.producer().unwrap().append(&[framed(newer.into(), 1)]).unwrap();
    let error = pipeline.sink().unwrap_err();
    assert!(
        matches!(error, SinkError::Lake(LakeError::NewerSchema { version, .. }) if version == u32::from(newer)),
        "{error}"
    );
    assert_eq!(
        commits(&*pipeline.store).iter().map(|commit| commit.rows).sum::<u64>(),
        2,
        "nothing more was committed"
    );
}
