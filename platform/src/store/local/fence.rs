//! Keeping out who opened the folder before something in it was exchanged, however long they were frozen.
//!
//! Every object appears by one step, a link or a rename, from a file among the staged objects: there is no other way in. A
//! writer first makes that file, then looks whether the folder of staged objects is still the one that it found when it
//! opened the store, then takes the step. [`LocalStore::fence`] moves that folder away, in one step, too. So a step that
//! succeeds was taken before the fence: after it, the files of before are out of reach, and a file that is made later is
//! found to lie in another folder before the step is taken. Who only reads looks, too, so that it does not go on with what it
//! knows of the former data.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use uuid::Uuid;

use super::durable::{is_absent, sync_folder};
use super::{LocalStore, Store};
use crate::store::{Result, StoreError};

/// The folder of staged objects as an opener found it. It is kept open, so no other folder gets its number.
#[derive(Debug)]
pub(super) struct Found {
    _kept: File,
    number: (u64, u64),
}

impl Found {
    /// `None` when nothing was ever written: then nothing can have been exchanged either.
    pub(super) fn at(staging: &Path) -> std::io::Result<Option<Self>> {
        match File::open(staging) {
            Ok(kept) => {
                let number = number(&kept.metadata()?);
                Ok(Some(Self { _kept: kept, number }))
            }
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn number(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

impl LocalStore {
    /// From here on nothing that opened this store before can write to it, also what is frozen now and wakes up later.
    /// This handle, too: open the store again. What was staged goes to `away`, a folder of the same file system.
    ///
    /// # Errors
    /// The folders cannot be made or moved.
    pub fn fence(root: &Path, own: &str, away: &Path) -> Result<()> {
        let store = Self::at(root, own)?;
        let failed = |e| store.failed("fencing off earlier writers of", "", e);
        let staging = store.unlinked(&store.staging)?;
        // Absent after a fence that was killed; one that is never there has had no writer.
        store.folders.ensure(&staging).map_err(failed)?;
        fs::create_dir_all(away).map_err(failed)?;
        fs::rename(&staging, away.join(format!("staging-{}", Uuid::new_v4().simple()))).map_err(failed)?;
        for folder in [staging.parent(), Some(away)].into_iter().flatten() {
            sync_folder(folder).map_err(failed)?;
        }
        fs::create_dir(&staging).and_then(|()| sync_folder(staging.parent().unwrap_or(root))).map_err(failed)
    }

    fn exchanged(&self) -> std::io::Error {
        std::io::Error::other(StoreError::Exchanged { path: self.location(), staging: self.staging.clone() })
    }

    /// Right before the step that makes an object appear, and after the file was made that it begins from.
    pub(super) fn check_fence(&self) -> std::io::Result<()> {
        match self.is_as_opened()? {
            Some(true) => Ok(()),
            _ => Err(self.exchanged()),
        }
    }

    /// Before reading. Where the folder of staged objects was removed nothing can be written, but still be read.
    pub(super) fn check_fence_to_read(&self) -> std::io::Result<()> {
        match self.is_as_opened()? {
            Some(false) => Err(self.exchanged()),
            _ => Ok(()),
        }
    }

    /// `None` when there is no folder of staged objects any more.
    fn is_as_opened(&self) -> std::io::Result<Option<bool>> {
        let Some(found) = &self.staging_found else { return Ok(Some(true)) };
        match fs::metadata(self.root.join(&self.staging)) {
            Ok(now) => Ok(Some(number(&now) == found.number)),
            Err(e) if is_absent(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::store::PutOutcome;

    #[test]
    fn who_opened_it_before_cannot_write_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let early = LocalStore::open(&root, "_own").unwrap();
        let mut writer = early.stage("data/1").unwrap();
        writer.write_all(b"bytes").unwrap();
        let staged = writer.finish().unwrap();
        early.put_if_absent("a/1", b"1").unwrap();
        let (_, version) = early.get_versioned("a/1").unwrap().unwrap();

        LocalStore::fence(&root, "_own", &folder.path().join("away")).unwrap();
        let is_exchanged = |error: StoreError| matches!(error, StoreError::Exchanged { .. });
        assert!(is_exchanged(early.put_if_absent("a/2", b"2").unwrap_err()));
        assert!(is_exchanged(early.put("a/1", b"2").unwrap_err()));
        assert!(is_exchanged(early.replace("a/1", b"2", Some(&version)).unwrap_err()));
        assert!(is_exchanged(early.publish(&staged).unwrap_err()));
        assert!(is_exchanged(early.get("a/1").unwrap_err()));
        assert!(is_exchanged(early.list("").unwrap_err()));

        let late = LocalStore::open(&root, "_own").unwrap();
        let paths: Vec<_> = late.list("").unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(paths, ["_store.json", "a/1"]);
        assert_eq!(late.get("a/1").unwrap().as_deref(), Some(b"1".as_slice()));
        assert_eq!(late.put_if_absent("a/2", b"2").unwrap(), PutOutcome::Created);
        LocalStore::fence(&root, "_own", &folder.path().join("away")).unwrap();
        assert!(is_exchanged(late.put("a/2", b"3").unwrap_err()), "again");
    }
}
