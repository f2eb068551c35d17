//! The committed files: every partition's commit chain up to the last record whose files are all published.

use std::collections::BTreeMap;

use contracts::commit_record::{CommitRecord, FORMAT_VERSION};
use contracts::layout;
use contracts::source::SrcSet;
use platform::store::{Entry, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{DataFile, remote, tenant_of_path};
use crate::error::{ExportError, Result};

/// How far one chain had come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainPosition {
    /// Topic name.
    pub topic: String,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// One past the last offset of the cut.
    pub end: u64,
}

/// What all chains together say.
pub(super) struct Chains {
    pub positions: Vec<ChainPosition>,
    pub findings: Vec<DataFile>,
    pub dead_letters: Vec<DataFile>,
    /// First source positions per run key, over valid and dead records.
    pub delivered: BTreeMap<String, SrcSet>,
}

pub(super) fn read(store: &dyn Store) -> Result<Chains> {
    let sizes = published_sizes(store)?;
    let mut chains =
        Chains { positions: Vec::new(), findings: Vec::new(), dead_letters: Vec::new(), delivered: BTreeMap::new() };
    for records in record_paths(store)?.values() {
        read_chain(store, records, &sizes, &mut chains)?;
    }
    chains.findings.sort_by(|a, b| a.path.cmp(&b.path));
    chains.dead_letters.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(chains)
}

fn published_sizes(store: &dyn Store) -> Result<BTreeMap<String, u64>> {
    let mut sizes = BTreeMap::new();
    for dataset in [layout::FINDINGS, layout::DEAD_LETTERS] {
        sizes.extend(store.list(dataset)?.into_iter().map(|Entry { path, bytes, .. }| (path, bytes)));
    }
    Ok(sizes)
}

/// Commit records by partition folder, in order of their start. Other objects of the folder (checkpoints) are no links.
fn record_paths(store: &dyn Store) -> Result<BTreeMap<String, Vec<String>>> {
    let mut chains: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in store.list(layout::CHAIN)? {
        let Some((folder, name)) = entry.path.rsplit_once('/') else { continue };
        let is_link =
            name.strip_suffix(".json").is_some_and(|s| s.len() == 20 && s.bytes().all(|b| b.is_ascii_digit()));
        if is_link {
            chains.entry(folder.to_owned()).or_default().push(entry.path);
        }
    }
    Ok(chains)
}

fn read_chain(store: &dyn Store, records: &[String], sizes: &BTreeMap<String, u64>, out: &mut Chains) -> Result<()> {
    let mut position: Option<ChainPosition> = None;
    let mut previous_sha256 = String::new();
    for (path, bytes) in records.iter().zip(remote::get_all(store, records)?) {
        let Some(bytes) = bytes else { break };
        let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
        let record: CommitRecord = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if record.format_version > FORMAT_VERSION {
            return Err(bad(format!("format version {} is newer than {FORMAT_VERSION}", record.format_version)));
        }
        if let Some(before) = &position {
            if before.end != record.start {
                return Err(bad(format!(
                    "the record before it ends at {}, this one starts at {}",
                    before.end, record.start
                )));
            }
            if previous_sha256 != record.previous_sha256 {
                return Err(bad("it does not carry the digest of the record before it".into()));
            }
        }
        if !all_published(&record, sizes)? {
            break;
        }
        previous_sha256 = hex::encode(Sha256::digest(&bytes));
        position = Some(ChainPosition {
            topic: record.topic.clone(),
            topic_id: record.topic_id.clone(),
            partition: record.partition,
            end: record.end,
        });
        take(record, out);
    }
    out.positions.extend(position);
    Ok(())
}

/// False while a file of the record is still being published.
fn all_published(record: &CommitRecord, sizes: &BTreeMap<String, u64>) -> Result<bool> {
    for file in &record.files {
        match sizes.get(&file.path) {
            None => return Ok(false),
            Some(bytes) if *bytes != file.bytes => {
                let problem = format!("it has {bytes} bytes, its commit record says {}", file.bytes);
                return Err(ExportError::BadObject { path: file.path.clone(), problem });
            }
            Some(_) => {}
        }
    }
    Ok(true)
}

fn take(record: CommitRecord, out: &mut Chains) {
    for (run, src) in record.runs {
        let delivered = out.delivered.entry(run).or_default();
        for (partition, offsets) in src {
            delivered.entry(partition).or_default().union(&offsets);
        }
    }
    for file in record.files {
        let is_finding = layout::dataset_of(&file.path) == Some(layout::FINDINGS);
        let files = if is_finding { &mut out.findings } else { &mut out.dead_letters };
        let path_tenant = tenant_of_path(&file.path);
        files.push(DataFile { path: file.path, sha256: file.sha256, path_tenant, bytes: file.bytes, local: None });
    }
}
