//! What an open batch may hold before it is written.

use std::time::Duration;

/// Largest commit record, about.
pub const COMMIT_RECORD_BYTES_MAX: u64 = 8 << 20;

/// Limits of open batches. A batch is what one partition has read since its last commit; it is written as a whole when
/// any limit is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
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

impl Default for Limits {
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
