//! Conditional replace in a folder: no file system compares and replaces in one step, so the comparison and the rename
//! happen under a lock that all processes share. The kernel releases it when a process dies.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::durable::{self, sync_folder};
use super::{IDENTITY, LocalStore, digest};
use crate::failpoint;
use crate::retry::Backoff;
use crate::store::{ReplaceOutcome, Result, Version};

/// Longest wait for the lock. It is held for a comparison, a rename and a sync of the folder: milliseconds, unless the
/// disk stalls or a process was frozen with it.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);
const LOCK_POLL_FIRST: Duration = Duration::from_millis(1);
const LOCK_POLL_MAX: Duration = Duration::from_millis(20);

pub(super) fn version_of(bytes: &[u8]) -> Version {
    Version(hex::encode(Sha256::digest(bytes)))
}

impl LocalStore {
    pub(super) fn replace_expected(
        &self,
        path: &str,
        bytes: &[u8],
        expected: Option<&Version>,
    ) -> Result<ReplaceOutcome> {
        let target = self.writable(path)?;
        let (_, temporary) = self.temporary()?;
        // The lock is not held for the slow part: the bytes are on disk before.
        let written = durable::write_new(&temporary, bytes).and_then(|()| {
            failpoint::hit!("store.local.put.written");
            self.folders.ensure_parent(&target)?;
            let _lock = lock(&self.root.join(IDENTITY), LOCK_WAIT_MAX)?;
            let found = digest::of_file(&target)?.map(|found| found.sha256);
            let is_expected = found.as_deref() == expected.map(|version| version.0.as_str());
            if is_expected {
                self.check_fence()?;
                fs::rename(&temporary, &target)?;
                failpoint::hit!("store.local.put.placed");
            }
            // Also after a conflict: what the caller reads next and builds on must be durable.
            sync_folder(target.parent().unwrap_or(&self.root))?;
            Ok(if is_expected { ReplaceOutcome::Replaced } else { ReplaceOutcome::Conflict })
        });
        // Absent when it was renamed; what cannot be removed now is swept later.
        let _ = fs::remove_file(&temporary);
        written.map_err(|e| self.failed("replacing", path, e))
    }
}

/// Locks the store's identity, which is always there, never replaced, and never swept. It is opened for writing because
/// NFS grants exclusive locks to nothing else.
fn lock(identity: &Path, wait_max: Duration) -> io::Result<File> {
    let file = File::options().read(true).write(true).open(identity)?;
    let started = Instant::now();
    let mut backoff = Backoff::new(LOCK_POLL_FIRST, LOCK_POLL_MAX);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < wait_max => thread::sleep(backoff.next_delay()),
            Err(TryLockError::WouldBlock) => {
                let reason = format!("another process has held the lock on {} for too long", identity.display());
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn a_lock_that_is_never_released_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), "_own").unwrap();
        let identity = store.root.join(IDENTITY);
        let held = lock(&identity, Duration::ZERO).unwrap();
        let error = lock(&identity, Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(error.to_string().contains("_store.json"), "{error}");
        drop(held);
        lock(&identity, Duration::ZERO).unwrap();
    }

    #[test]
    fn nothing_is_left_beside_the_object() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), "_own").unwrap();
        assert_eq!(store.replace("a/m", b"1", None).unwrap(), ReplaceOutcome::Replaced);
        assert_eq!(store.replace("a/m", b"2", None).unwrap(), ReplaceOutcome::Conflict);
        assert_eq!(store.list("").unwrap().len(), 2, "the object and the identity");
        assert!(store.staged().unwrap().is_empty());
    }
}
