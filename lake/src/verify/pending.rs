//! Files of last commits that are not published yet. A sink that works publishes them within moments, so they are looked at once
//! more when everything else was: what is then still staged no reader sees, and nothing was compared of it.

use std::collections::BTreeSet;

use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::layout;
use platform::store::{Staged, Store, StoreError};

use super::file::{self, Checked};
use super::{Area, VerifyReport};

/// A last commit with files that were not there.
pub(super) struct Pending {
    pub commit: CommitRecord,
    pub files: Vec<CommittedFile>,
}

/// Looks at these files again, and reports those that are still staged.
pub(super) fn look_again(store: &dyn Store, all: &[Pending], report: &mut VerifyReport) -> Result<(), StoreError> {
    if all.is_empty() {
        return Ok(());
    }
    // In this order: what leaves the list is where it belongs.
    let staged: BTreeSet<String> = store.staged()?.into_iter().map(|entry| entry.path).collect();
    for Pending { commit, files } in all {
        let (mut count, mut rows, mut is_missing) = (0, 0, false);
        for file in files {
            let is_staged = Staged::name_of(&file.staged).is_some_and(|name| staged.contains(name));
            match file::check(store, commit, file)? {
                Checked::Missing if is_staged => {
                    count += 1;
                    rows += file.rows;
                }
                checked => is_missing |= file::report(checked, file, report),
            }
        }
        if is_missing {
            report.commits_with_missing_files.push(commit.clone());
        }
        if count > 0 {
            report.unpublished.files += count;
            report.unpublished.rows += rows;
            let path = layout::chain_record(&commit.topic_id, commit.partition, commit.start);
            let reason =
                format!("committed, not published: no reader sees its {rows} row(s) until a sink publishes them");
            report.not_compared(Area::DataFiles, path, Some(count), reason);
        }
    }
    Ok(())
}
