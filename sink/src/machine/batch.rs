//! What one partition has read since its last commit.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use contracts::source::{Src, SrcPartition, SrcSet};

use super::{RecordOutcome, Row, Target};
use crate::limits::Limits;

/// What a commit record says of a file: its path, digest and staged name, beside twice the tenant.
const FILE_BYTES: u64 = 500;
/// What it says of a range of offsets, at most.
const RANGE_BYTES: u64 = 44;

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

#[derive(Debug)]
pub(crate) struct Batch<R> {
    pub start: u64,
    pub next: u64,
    pub files: BTreeMap<Target, OpenFile<R>>,
    pub src: SrcSet,
    pub runs: BTreeMap<String, SrcSet>,
    pub duplicates: u64,
    /// The last record, also a duplicate, with its offset.
    pub last: Option<(u64, R)>,
    pub bytes: u64,
    /// What its commit record will list, in bytes, about.
    pub record_bytes: u64,
    opened: Option<Duration>,
    is_full: bool,
}

impl<R: Clone> Batch<R> {
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
            is_full: false,
        }
    }

    /// A batch without records that covers what is before `low`.
    pub fn passing(start: u64, low: u64) -> Self {
        Self { next: low.max(start), ..Self::at(start) }
    }

    pub fn is_empty(&self) -> bool {
        self.next == self.start
    }

    /// Takes a record; `source_watermarks` are the highest source offsets so far, of the chain and of this batch.
    pub fn take(
        &mut self,
        offset: u64,
        row: Row<R>,
        source_watermarks: &mut BTreeMap<SrcPartition, u64>,
        elapsed: Duration,
    ) -> RecordOutcome {
        self.next = offset + 1;
        self.last = Some((offset, row.payload.clone()));
        self.opened.get_or_insert(elapsed);
        if !rises(source_watermarks, &row.src) {
            self.duplicates += 1;
            return RecordOutcome::Duplicate;
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
        RecordOutcome::Kept
    }

    pub fn is_due(&mut self, limits: &Limits, elapsed: Duration) -> bool {
        if self.is_empty() {
            return false;
        }
        // Remembered, since it only ever becomes true: the files need not be looked through again.
        self.is_full = self.is_full
            || self.record_bytes >= limits.commit_record_bytes_max
            || self.files.len() > limits.open_files_max
            || self
                .files
                .values()
                .any(|file| file.rows.len() as u64 >= limits.file_rows_max || file.bytes >= limits.file_bytes_target);
        self.is_full || self.opened.is_some_and(|opened| elapsed.saturating_sub(opened) >= limits.age_max)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// 5,000 tenants of which two runs come in at once, all in one partition.
    #[test]
    fn many_small_tenants_are_written_by_age_not_by_every_poll() {
        let (limits, mut batch, mut source_watermarks) = (Limits::default(), Batch::at(0), BTreeMap::new());
        let mut offset = 0;
        for _ in 0..3 {
            for tenant in 0..5_000 {
                for run_date in ["2026-01-20", "2026-01-21"] {
                    let target = Target {
                        tenant: format!("tenant-{tenant}"),
                        dataset: contracts::layout::FINDINGS,
                        run_date: run_date.into(),
                    };
                    let src = format!("w/0/{offset}").parse().unwrap();
                    let row = Row { target, src, run: None, bytes: 2_000, payload: () };
                    assert_eq!(batch.take(offset, row, &mut source_watermarks, Duration::ZERO), RecordOutcome::Kept);
                    offset += 1;
                }
            }
            assert!(!batch.is_due(&limits, limits.age_max / 2));
        }
        assert!(batch.is_due(&limits, limits.age_max));
    }

    /// What a batch lists is bounded, and the estimate is not below what is written.
    #[test]
    fn a_batch_is_closed_before_its_commit_record_is_large() {
        let limits = Limits { commit_record_bytes_max: 100_000, ..Limits::default() };
        // Long names of runs, names that JSON escapes, two runs by turns in one partition, and offsets with gaps.
        let runs: [&dyn Fn(u64) -> (String, u64); 4] = [
            &|n| (format!("acme/prod/{n}-{}", "r".repeat(500)), n),
            &|n| (format!("//{n}{}", "\u{1}".repeat(200)), n),
            &|n| (format!("acme/prod/{}", n % 2), n),
            &|n| ("acme/prod/1".to_owned(), 3 * n),
        ];
        for (case, run) in runs.into_iter().enumerate() {
            let (mut batch, mut source_watermarks, mut n) = (Batch::at(0), BTreeMap::new(), 0);
            while !batch.is_due(&limits, Duration::ZERO) {
                let (run, offset) = run(n);
                let src: Src = format!("wire-id/0/{offset}").parse().unwrap();
                let target = Target {
                    tenant: "acme".into(),
                    dataset: contracts::layout::FINDINGS,
                    run_date: "2026-01-20".into(),
                };
                let row = Row { target, src: src.clone(), run: Some((run, src)), bytes: 200, payload: () };
                assert_eq!(batch.take(n, row, &mut source_watermarks, Duration::ZERO), RecordOutcome::Kept);
                n += 1;
            }
            let listed = serde_json::to_vec(&(&batch.src, &batch.runs)).unwrap().len() as u64;
            assert!(n > 50 && listed <= batch.record_bytes, "case {case}: {n} records, {listed} bytes");
            assert!(listed > limits.commit_record_bytes_max / 5, "case {case}: closed at {listed} bytes already");
            let over = batch.record_bytes - limits.commit_record_bytes_max;
            assert!(
                over < 2_000,
                "case {case}: closed {over} bytes behind the limit, which is more than one record adds"
            );
        }
    }
}
