//! The sink's commit chain: one JSON object per committed batch of one partition, each naming its
//! successor's position. Written by the sink, read by exporter, `verify` and `repair`.
//!
//! Path: `_sink/v1/<topic id>/<partition>/<start, 20 digits>.json`. A position has at most one
//! successor because the object is created with put-if-absent under the name of its start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::last_record::LastRecord;
use crate::seal::sealed;
use crate::source::{SrcPartition, SrcSet};

/// Version of this format; a reader refuses a higher one.
pub const FORMAT_VERSION: u32 = 1;

/// One commit of the chain: records `[start, end)` of a partition are in `files`, or dropped as duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRecord {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the program that wrote it.
    pub code_version: String,
    /// Dataset the files belong to: `finops_findings` or `finops_dead_letters`.
    pub dataset: String,
    /// Topic name, for people.
    pub topic: String,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// First offset this record answers for.
    pub start: u64,
    /// One past the last offset; position of the next record.
    pub end: u64,
    /// Rows over all files.
    pub rows: u64,
    /// Records of `[start, end)` dropped because their `src` was already held (rule 7).
    pub duplicates: u64,
    /// Files in path order.
    pub files: Vec<CommittedFile>,
    /// Source positions of all rows.
    pub src: SrcSet,
    /// First source positions (`replay.of`, else `src`) per run, key `tenant/workspace/run_id` where
    /// known, else `//run_id`. A run is complete when the union over all chains has as many as were published.
    pub runs: BTreeMap<String, SrcSet>,
    /// Highest source offsets that this record answers for without rows of its own: it stands for another root's chain,
    /// whose place its root has taken.
    #[serde(rename = "heights", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_watermarks: BTreeMap<SrcPartition, u64>,
    /// The last record of `[start, end)`, to be compared with what the topic holds there. Absent when it covers none, and in records of
    /// versions that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_record: Option<LastRecord>,
    /// Process that wrote it.
    pub writer_id: String,
    /// Random per attempt: tells one's own record after a lost answer.
    pub nonce: String,
    /// SHA-256 (hex) of the previous record's bytes; empty for the first.
    pub previous_sha256: String,
    /// Wall clock of the writer, `…Z` with milliseconds.
    pub committed_at: String,
}

impl CommitRecord {
    /// Its bytes as they are stored: with their own digest ([`crate::seal`]).
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(self).map(sealed)
    }
}

fn first_version() -> u16 {
    1
}

/// A file published by a commit record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedFile {
    /// Path below the store root, encoded.
    pub path: String,
    /// Tenant, decoded.
    pub tenant_id: String,
    /// UTC date of `run_ts`, `YYYY-MM-DD`.
    pub run_date: String,
    /// Rows in the file.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 (hex) of the bytes.
    pub sha256: String,
    /// Version of the dataset's schema whose columns it has. Records of programs that knew only one do not name it.
    #[serde(default = "first_version")]
    pub schema_version: u16,
    /// What the store needs to publish it: staging name, or upload id and part tags.
    pub staged: serde_json::Value,
}
