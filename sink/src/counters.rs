//! What a sink has done, for summaries and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use contracts::commit_record::CommitRecord;
use contracts::layout;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// Live counters; shared, never reset.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($name: AtomicU64,)+
        }

        /// Counters at one moment.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
        pub struct Snapshot {
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            /// The counters now.
            #[must_use]
            pub fn snapshot(&self) -> Snapshot {
                Snapshot { $($name: self.$name.load(Ordering::Relaxed),)+ }
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
    /// Records dropped because their source position is held already.
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

impl Counters {
    pub(crate) fn read(&self) {
        self.read.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn race_lost(&self) {
        self.races_lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, link: &CommitRecord) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.duplicates.fetch_add(link.duplicates, Ordering::Relaxed);
        for file in &link.files {
            let is_finding = layout::dataset_of(&file.path) == Some(layout::FINDINGS);
            let rows = if is_finding { &self.findings_rows } else { &self.dead_letter_rows };
            rows.fetch_add(file.rows, Ordering::Relaxed);
            self.files.fetch_add(1, Ordering::Relaxed);
            self.file_bytes.fetch_add(file.bytes, Ordering::Relaxed);
        }
    }
}
