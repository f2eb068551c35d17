//! What a sink has done, for summaries and metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use contracts::commit_record::CommitRecord;
use contracts::datasets;
use platform::metrics::{Histogram, number, table};
use platform::observe::Observer;
use platform::trace::Tracer;

use crate::metrics;

const STAGE: &str = "sink";

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Live counters; shared, never reset.
        #[derive(Debug, Default)]
        pub struct SinkCounters {
            $($name: AtomicU64,)+
            observer: Observer,
        }

        /// Counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub struct SinkSnapshot {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl SinkCounters {
            /// The counters now.
            #[must_use]
            pub fn snapshot(&self) -> SinkSnapshot {
                SinkSnapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
            }
        }
    };
}

counters! {
    /// Records read, also those read again after a rebalance.
    read,
    /// Rows of valid findings in committed files.
    findings_rows,
    /// Rows of dead letters in committed files.
    dead_letter_rows,
    /// Records dropped because their source offset is not above the source watermark.
    duplicates,
    /// Committed files.
    files,
    /// Bytes of committed files.
    file_bytes,
    /// Commit records written.
    commits,
    /// Waits before something was tried again.
    retries,
    /// Commits that another sink had made first.
    races_lost,
}

impl SinkCounters {
    /// Counters of a sink that is observed.
    #[must_use]
    pub fn observed(observer: Observer) -> Self {
        Self { observer, ..Self::default() }
    }

    pub(crate) fn tracer(&self) -> &Tracer {
        &self.observer.tracer
    }

    pub(crate) fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    /// A poll brought this many records.
    pub(crate) fn polled(&self, records: usize) {
        self.observer.metrics.add(&table::RECORDS_IN, [STAGE], records as u64);
    }

    /// The loop ran once; this is what the sink holds.
    pub(crate) fn loop_iterated(&self, buffered_bytes: u64, partitions: usize) {
        self.observer.metrics.set(&metrics::BUFFER_BYTES, [STAGE], number(buffered_bytes));
        self.observer.metrics.set(&table::ASSIGNED, [STAGE], number(partitions as u64));
        self.observer.pulse.works();
    }

    /// An action ended.
    pub(crate) fn took(&self, what: &Histogram<0>, since: Instant) {
        self.observer.metrics.observe(what, [], since.elapsed().as_secs_f64());
        self.observer.pulse.busy();
    }

    /// `work` is one of those that the metric knows.
    pub(crate) fn retried(&self, work: &'static str) {
        self.retries.fetch_add(1, Ordering::Relaxed);
        self.observer.metrics.add(&table::RETRIES, [STAGE, work], 1);
        self.observer.pulse.waits();
    }

    pub(crate) fn race_lost(&self) {
        self.races_lost.fetch_add(1, Ordering::Relaxed);
        self.observer.metrics.add(&metrics::RACES_LOST, [], 1);
    }

    pub(crate) fn committed(&self, commit: &CommitRecord) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.duplicates.fetch_add(commit.duplicates, Ordering::Relaxed);
        let metrics = &self.observer.metrics;
        metrics.add(&metrics::COMMITS, [&commit.dataset], 1);
        metrics.add(&metrics::DUPLICATES, [], commit.duplicates);
        metrics.add(&table::RECORDS_OUT, [STAGE], commit.rows);
        metrics.observe(&table::BATCH_RECORDS, [STAGE], number(commit.rows));
        for file in &commit.files {
            let dataset = datasets::of_path(&file.path).map_or("other", |dataset| dataset.name);
            metrics.add(&metrics::FILES, [dataset], 1);
            metrics.observe(&metrics::FILE_BYTES, [dataset], number(file.bytes));
            metrics.observe(&metrics::FILE_ROWS, [dataset], number(file.rows));
            if datasets::FINDINGS.holds(&file.path) {
                self.findings_rows.fetch_add(file.rows, Ordering::Relaxed);
            } else if datasets::DEAD_LETTERS.holds(&file.path) {
                self.dead_letter_rows.fetch_add(file.rows, Ordering::Relaxed);
            }
            self.files.fetch_add(1, Ordering::Relaxed);
            self.file_bytes.fetch_add(file.bytes, Ordering::Relaxed);
        }
    }
}
