//! What an open batch may hold before it is written.

use std::time::Duration;

use lake::batch::Batch;

/// Largest commit record, about.
pub const COMMIT_RECORD_BYTES_MAX: u64 = 8 << 20;

/// Limits of open batches. A batch is what one partition has read since its last commit; it is written as a whole when
/// any limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchLimits {
    /// Rows of one file. 200,000 rows of 2 KB make about 128 MB before compression.
    pub file_rows_max: u64,
    /// Bytes of records of one file, as read.
    pub file_bytes_target: u64,
    /// Age of the oldest record of a batch: how stale a reader may be.
    pub age_max: Duration,
    /// Files of one batch. Bounds what one commit record lists, and how long staging and publishing take: some
    /// milliseconds for a file in a bucket, and a member that is silent for too long loses its partitions. Must be above
    /// what is open at a time (tenants of the partition × run dates), else every poll writes that many small files. An open
    /// file costs less than 1 KB beside its records, whose bytes have a limit of their own.
    pub open_files_max: usize,
    /// Bytes of a batch's commit record, about: what it lists of files, runs and source offsets. A sink that starts reads the last
    /// record whole, an exporter every new one. 10,000 files alone make about 5 MiB.
    pub commit_record_bytes_max: u64,
    /// Bytes of records over all open batches; the largest batch is written when they are more.
    pub memory_bytes_max: u64,
    /// Commits between two checkpoints of a chain: how many a sink that starts has to read, at most.
    pub checkpoint_commits: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self {
            file_rows_max: 200_000,
            file_bytes_target: 128 << 20,
            age_max: Duration::from_secs(60),
            open_files_max: 10_000,
            commit_record_bytes_max: COMMIT_RECORD_BYTES_MAX,
            memory_bytes_max: 512 << 20,
            checkpoint_commits: 1_000,
        }
    }
}

impl BatchLimits {
    /// True when a batch is to be written.
    pub(crate) fn are_reached<R: Clone>(&self, batch: &Batch<R>, elapsed: Duration) -> bool {
        !batch.is_empty()
            && (batch.record_bytes >= self.commit_record_bytes_max
                || batch.files.len() > self.open_files_max
                || batch.file_rows_max >= self.file_rows_max
                || batch.file_bytes_max >= self.file_bytes_target
                || batch.opened.is_some_and(|opened| elapsed.saturating_sub(opened) >= self.age_max))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use contracts::source::Src;
    use lake::batch::{BatchRow, FileTarget};

    use super::*;

    /// 5,000 tenants of which two runs come in at once, all in one partition.
    #[test]
    fn many_small_tenants_are_written_by_age_not_by_every_poll() {
        let (limits, mut batch, mut source_watermarks) = (BatchLimits::default(), Batch::at(0), BTreeMap::new());
        let mut offset = 0;
        for _ in 0..3 {
            for tenant in 0..5_000 {
                for run_date in ["2026-01-20", "2026-01-21"] {
                    let target = FileTarget {
                        tenant: format!("tenant-{tenant}"),
                        dataset: &contracts::datasets::FINDINGS,
                        run_date: run_date.into(),
                    };
                    let src = format!("w/0/{offset}").parse().unwrap();
                    let row = BatchRow { target, src, run: None, bytes: 2_000, payload: () };
                    assert!(batch.take(offset, row, &mut source_watermarks, Duration::ZERO));
                    offset += 1;
                }
            }
            assert!(!limits.are_reached(&batch, limits.age_max / 2));
        }
        assert!(limits.are_reached(&batch, limits.age_max));
    }

    /// What a batch lists is bounded, and the estimate is not below what is written.
    #[test]
    fn a_batch_is_closed_before_its_commit_record_is_large() {
        let limits = BatchLimits { commit_record_bytes_max: 100_000, ..BatchLimits::default() };
        // Long names of runs, names that JSON escapes, two runs by turns in one partition, and offsets with gaps.
        let runs: [&dyn Fn(u64) -> (String, u64); 4] = [
            &|n| (format!("acme/prod/{n}-{}", "r".repeat(500)), n),
            &|n| (format!("//{n}{}", "\u{1}".repeat(200)), n),
            &|n| (format!("acme/prod/{}", n % 2), n),
            &|n| ("acme/prod/1".to_owned(), 3 * n),
        ];
        for (case, run) in runs.into_iter().enumerate() {
            let (mut batch, mut source_watermarks, mut n) = (Batch::at(0), BTreeMap::new(), 0);
            while !limits.are_reached(&batch, Duration::ZERO) {
                let (run, offset) = run(n);
                let src: Src = format!("wire-id/0/{offset}").parse().unwrap();
                let target = FileTarget {
                    tenant: "acme".into(),
                    dataset: &contracts::datasets::FINDINGS,
                    run_date: "2026-01-20".into(),
                };
                let row = BatchRow { target, src: src.clone(), run: Some((run, src)), bytes: 200, payload: () };
                assert!(batch.take(n, row, &mut source_watermarks, Duration::ZERO));
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
