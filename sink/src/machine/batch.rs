//! What one partition has read since its last commit.

use std::collections::BTreeMap;
use std::time::Duration;

use contracts::source::{Src, SrcPartition, SrcSet};

use super::{Row, Taken, Target};
use crate::limits::Limits;

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

    /// Takes a record; `heights` are the highest source offsets so far, of the chain and of this batch.
    pub fn take(
        &mut self,
        offset: u64,
        row: Row<R>,
        heights: &mut BTreeMap<SrcPartition, u64>,
        elapsed: Duration,
    ) -> Taken {
        self.next = offset + 1;
        self.last = Some((offset, row.payload.clone()));
        self.opened.get_or_insert(elapsed);
        if !rises(heights, &row.src) {
            self.duplicates += 1;
            return Taken::Duplicate;
        }
        add(&mut self.src, row.src);
        if let Some((run, first)) = row.run {
            match self.runs.get_mut(&run) {
                Some(set) => add(set, first),
                None => add(self.runs.entry(run).or_default(), first),
            }
        }
        self.bytes += row.bytes;
        let file = self.files.entry(row.target).or_default();
        file.bytes += row.bytes;
        file.rows.push(row.payload);
        Taken::Kept
    }

    pub fn is_due(&mut self, limits: &Limits, elapsed: Duration) -> bool {
        if self.is_empty() {
            return false;
        }
        // Remembered, since it only ever becomes true: the files need not be looked through again.
        self.is_full = self.is_full
            || self.files.len() > limits.open_files_max
            || self
                .files
                .values()
                .any(|file| file.rows.len() as u64 >= limits.file_rows_max || file.bytes >= limits.file_bytes_target);
        self.is_full || self.opened.is_some_and(|opened| elapsed.saturating_sub(opened) >= limits.age_max)
    }
}

/// Rule 7: source offsets only rise. True, and remembered, when this one does.
fn rises(heights: &mut BTreeMap<SrcPartition, u64>, src: &Src) -> bool {
    match heights.get_mut(&src.partition) {
        Some(height) if src.offset <= *height => false,
        Some(height) => {
            *height = src.offset;
            true
        }
        None => {
            heights.insert(src.partition.clone(), src.offset);
            true
        }
    }
}

/// Whether a first position was new does not matter: a record may have been sent again on purpose.
fn add(set: &mut SrcSet, src: Src) {
    let _new = match set.get_mut(&src.partition) {
        Some(offsets) => offsets.insert(src.offset),
        None => set.entry(src.partition).or_default().insert(src.offset),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5,000 tenants of which two runs come in at once, all in one partition.
    #[test]
    fn many_small_tenants_are_written_by_age_not_by_every_poll() {
        let (limits, mut batch, mut heights) = (Limits::default(), Batch::at(0), BTreeMap::new());
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
                    assert_eq!(batch.take(offset, row, &mut heights, Duration::ZERO), Taken::Kept);
                    offset += 1;
                }
            }
            assert!(!batch.is_due(&limits, limits.age_max / 2));
        }
        assert!(batch.is_due(&limits, limits.age_max));
    }
}
