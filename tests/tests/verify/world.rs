//! A data folder with some commits, and what the tests do to it.

use std::path::{Path, PathBuf};

use contracts::commit_record::CommitRecord;
use contracts::source::OffsetSet;
use contracts::{layout, topics};
use lake::verify::{Rule, VerifyReport};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::broker::{Broker, Headers};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::pipeline::{Pipeline, copy};
use tests::repo;

pub fn good(tenant: &str, n: u64) -> Vec<u8> {
    let mut wire: Value = serde_json::from_str(&repo::read("schemas/examples/valid/aws_ebs_gp2.json")).unwrap();
    wire["tenant_id"] = json!(tenant);
    wire["scope"]["resource_id"] = json!(format!("vol-{n}"));
    serde_json::to_vec(&wire).unwrap()
}

/// Findings of one tenant, so all in one partition, and a dead letter, in three commits.
pub fn fill(pipeline: &Pipeline) {
    for part in 0..3 {
        pipeline.publish((0..5).map(|n| (Some("acme"), good("acme", 5 * part + n), Headers::new())));
        pipeline.publish([(Some("acme"), b"{".to_vec(), Headers::new())]);
        pipeline.drain();
    }
}

pub struct Filled(pub tempfile::TempDir);

impl Filled {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = Pipeline::open(folder.path());
        fill(&pipeline);
        assert_eq!(pipeline.verify().problems, []);
        Self(folder)
    }

    pub fn copied(&self) -> (tempfile::TempDir, Pipeline) {
        let folder = tempfile::tempdir().unwrap();
        copy(self.0.path(), folder.path());
        let pipeline = Pipeline::open(folder.path());
        (folder, pipeline)
    }
}

pub fn rules(report: &VerifyReport) -> Vec<Rule> {
    report.problems.iter().map(|problem| problem.rule).collect()
}

pub fn topic_id(pipeline: &Pipeline, name: &str) -> String {
    pipeline.broker.topics().unwrap().into_iter().find(|t| &*t.name == name).unwrap().id.to_string()
}

/// The commits of the valid topic, oldest first.
pub fn commits(pipeline: &Pipeline) -> Vec<PathBuf> {
    let id = topic_id(pipeline, topics::VALID);
    let mut all = pipeline.store.list(&format!("{}/{id}", layout::CHAIN)).unwrap();
    all.retain(|entry| contracts::chain::commit_start(&entry.path).is_some());
    all.into_iter().map(|entry| pipeline.store.local_path(&entry.path).unwrap()).collect()
}

pub fn read_commit(path: &Path) -> CommitRecord {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Changes the last commit: no digest gives that away.
pub fn edit_last(pipeline: &Pipeline, edit: impl FnOnce(&mut CommitRecord)) {
    let path = commits(pipeline).pop().unwrap();
    let mut commit = read_commit(&path);
    edit(&mut commit);
    std::fs::write(path, commit.to_bytes().unwrap()).unwrap();
}

/// Writes the commit's only file again with one row less, and says so in the commit.
pub fn drop_a_row(pipeline: &Pipeline, commit: &mut CommitRecord) {
    let file = &mut commit.files[0];
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
    commit.rows -= 1;
    for set in commit.src.values_mut().chain(commit.runs.values_mut().flat_map(|run| run.values_mut())) {
        let max = set.max().unwrap();
        let mut less = OffsetSet::default();
        assert!(set.ranges().flatten().filter(|o| *o < max).all(|o| less.insert(o)));
        *set = less;
    }
}

pub fn lost(report: &VerifyReport) -> u64 {
    report.missing.iter().map(|missing| missing.offsets.count()).sum()
}
