//! What one partition has read since its last commit: the rows of the next one.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use contracts::datasets::Dataset;
use contracts::last_record::LastRecord;
use contracts::source::{Src, SrcPartition, SrcSet};

/// What a commit record says of a file: its path, digest and staged name, beside twice the tenant.
const FILE_BYTES: u64 = 500;
/// What it says of a range of offsets, at most.
const RANGE_BYTES: u64 = 44;

/// Where a row belongs: one open file per target and batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTarget {
    /// Tenant, decoded. First, because targets are compared for each record and mostly differ in it.
    pub tenant: String,
    /// Dataset.
    pub dataset: &'static Dataset,
    /// UTC date, `YYYY-MM-DD`.
    pub run_date: String,
}

/// A record with what is known of it.
#[derive(Debug, Clone)]
pub struct BatchRow<R> {
    /// Where its row belongs.
    pub target: FileTarget,
    /// Source position.
    pub src: Src,
    /// Run it is counted for, with its first source position.
    pub run: Option<(String, Src)>,
    /// What it costs in memory, about.
    pub bytes: u64,
    /// The record itself.
    pub payload: R,
}

/// What a record has to tell of itself.
pub trait RecordPayload: Clone {
    /// What is remembered of it when it is the last one of a commit, read at this offset.
    fn last_record(&self, offset: u64) -> LastRecord;
}

/// A batch to be staged.
#[derive(Debug)]
pub struct Staging<'m, R> {
    /// Topic id.
    pub topic_id: &'m str,
    /// Partition.
    pub partition: u32,
    /// First offset.
    pub start: u64,
    /// One past the last offset.
    pub end: u64,
    /// Rows by target.
    pub files: &'m BTreeMap<FileTarget, OpenFile<R>>,
}

/// Rows of one file to be.
#[derive(Debug)]
pub struct OpenFile<R> {
    /// Rows in the order they were read.
    pub rows: Vec<R>,
    /// What they cost in memory, about.
    pub bytes: u64,
}

impl<R> Default for OpenFile<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), bytes: 0 }
    }
}

/// What a commit is made of: rows by file, and what its record says of them.
#[derive(Debug)]
pub struct Batch<R> {
    /// First offset.
    pub start: u64,
    /// One past the last offset.
    pub next: u64,
    /// Rows by file.
    pub files: BTreeMap<FileTarget, OpenFile<R>>,
    /// Source positions of the rows.
    pub src: SrcSet,
    /// First source positions by run.
    pub runs: BTreeMap<String, SrcSet>,
    /// Records that are no rows, because they were rows already.
    pub duplicates: u64,
    /// The last record, also a duplicate, with its offset.
    pub last: Option<(u64, R)>,
    /// What its rows cost in memory, about.
    pub bytes: u64,
    /// What its commit record will list, in bytes, about.
    pub record_bytes: u64,
    /// When its first record was taken.
    pub opened: Option<Duration>,
    /// Rows of its longest file.
    pub file_rows_max: u64,
    /// Bytes of its largest file.
    pub file_bytes_max: u64,
}

impl<R: Clone> Batch<R> {
    /// An empty one that begins at an offset.
    pub fn at(start: u64) -> Self {
        Self {
            start,
            next: start,
            files: BTreeMap::new(),
            src: SrcSet::new(),
            runs: BTreeMap::new(),
            duplicates: 0,
            last: None,
            bytes: 0,
            record_bytes: 0,
            opened: None,
            file_rows_max: 0,
            file_bytes_max: 0,
        }
    }

    /// A batch without records that covers what is before `low`.
    pub fn passing(start: u64, low: u64) -> Self {
        Self { next: low.max(start), ..Self::at(start) }
    }

    /// It covers no offset.
    pub fn is_empty(&self) -> bool {
        self.next == self.start
    }

    /// Takes a record; `source_watermarks` are the highest source offsets so far, of the chain and of this batch. False when its
    /// source offset is not above them (rule 7): it is a duplicate, dropped and counted.
    pub fn take(
        &mut self,
        offset: u64,
        row: BatchRow<R>,
        source_watermarks: &mut BTreeMap<SrcPartition, u64>,
        elapsed: Duration,
    ) -> bool {
        self.next = offset + 1;
        self.last = Some((offset, row.payload.clone()));
        self.opened.get_or_insert(elapsed);
        if !rises(source_watermarks, &row.src) {
            self.duplicates += 1;
            return false;
        }
        self.record_bytes += add(&mut self.src, row.src);
        if let Some((run, first)) = row.run {
            self.record_bytes += match self.runs.get_mut(&run) {
                Some(set) => add(set, first),
                None => bytes_in_json(&run) + add(self.runs.entry(run).or_default(), first),
            };
        }
        self.bytes += row.bytes;
        let file = match self.files.entry(row.target) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => {
                self.record_bytes += FILE_BYTES + 2 * place.key().tenant.len() as u64;
                place.insert(OpenFile::default())
            }
        };
        file.bytes += row.bytes;
        file.rows.push(row.payload);
        self.file_rows_max = self.file_rows_max.max(file.rows.len() as u64);
        self.file_bytes_max = self.file_bytes_max.max(file.bytes);
        true
    }
}

/// Rule 7: source offsets only rise. True, and remembered, when this one does.
fn rises(source_watermarks: &mut BTreeMap<SrcPartition, u64>, src: &Src) -> bool {
    match source_watermarks.get_mut(&src.partition) {
        Some(watermark) if src.offset <= *watermark => false,
        Some(watermark) => {
            *watermark = src.offset;
            true
        }
        None => {
            source_watermarks.insert(src.partition.clone(), src.offset);
            true
        }
    }
}

/// Whether a first position was new does not matter: a record may have been sent again on purpose. Returns how many bytes of JSON it
/// adds, about.
fn add(set: &mut SrcSet, src: Src) -> u64 {
    let Some(offsets) = set.get_mut(&src.partition) else {
        let bytes = bytes_in_json(&src.partition.topic_id) + 2 * RANGE_BYTES;
        let _new = set.entry(src.partition).or_default().insert(src.offset);
        return bytes;
    };
    let continues = src.offset.checked_sub(1).is_some_and(|before| offsets.contains(before));
    let is_new = offsets.insert(src.offset);
    if is_new && !continues { RANGE_BYTES } else { 0 }
}

/// With what JSON escapes.
fn bytes_in_json(text: &str) -> u64 {
    serde_json::to_string(text).map_or(text.len(), |json| json.len()) as u64
}
