//! A local folder as a store. Objects appear by `link(2)`, which fails when the name is taken: that is
//! the compare-and-swap, and it never replaces data. An answer is given only when the bytes, the name and
//! every folder above it are on disk.
//!
//! The root may be reached through a symbolic link; below it none is followed, so no path leads out.
//! The file system must know hard links (not FAT).

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use super::compared::{Compared, Stamp};
use super::identity::PATH as IDENTITY;
use super::{
    Entry, Lease, Object, Published, PutOutcome, ReplaceOutcome, Result, Staged, StagedWrite, Store, StoreError,
    Version, describe, path,
};
use crate::failpoint;
use digest::Found;
use durable::{Folders, sync_folder};
use staged::StagedFile;

mod digest;
mod durable;
mod fence;
mod identity;
mod listing;
mod replace;
mod staged;

pub use durable::create_folder;

/// Where staged objects lie in the store's own folder.
pub const STAGING: &str = "staging";

/// A folder on this machine.
#[derive(Debug)]
pub struct LocalStore {
    root: PathBuf,
    staging: String,
    id: String,
    folders: Folders,
    staging_found: Option<fence::Found>,
    compared: Compared,
}

impl LocalStore {
    /// Opens the folder as a store and makes it one if it is not yet. Staged objects lie in [`STAGING`] of `own`, a folder below
    /// the root where no reader looks for data; where something is in it, there was a store before.
    ///
    /// # Errors
    /// When the folder cannot be created or read, holds a newer format, or `own` is no path below it.
    pub fn open(root: &Path, own: &str) -> Result<Self> {
        create_folder(root).map_err(|e| StoreError::io("creating store", root.to_string_lossy(), e))?;
        let mut store = Self::at(root, own)?;
        store.id = match store.read_identity()? {
            Some(id) => id,
            None => store.make_identity(own)?,
        };
        let staging = store.unlinked(&store.staging)?;
        store.folders.ensure(&staging).map_err(|e| store.failed("creating folder", &store.staging, e))?;
        store.staging_found = store.find_staging()?;
        Ok(store)
    }

    /// Opens a folder that is a store already and writes nothing: a mistyped folder is an error, not an
    /// empty store.
    ///
    /// # Errors
    /// When the folder is absent, unreadable or not a store.
    pub fn open_existing(root: &Path, own: &str) -> Result<Self> {
        let mut store = Self::at(root, own)?;
        store.id = store.read_identity()?.ok_or_else(|| {
            let reason = format!("not a store: it has no {IDENTITY}");
            store.failed("opening store", "", std::io::Error::new(ErrorKind::NotFound, reason))
        })?;
        store.staging_found = store.find_staging()?;
        Ok(store)
    }

    fn at(root: &Path, own: &str) -> Result<Self> {
        let staging = format!("{own}/{STAGING}");
        path::check(&staging)?;
        let root = root.canonicalize().map_err(|e| StoreError::io("opening store", root.to_string_lossy(), e))?;
        let folders = Folders::below(&root);
        let compared = Compared::default();
        Ok(Self { root, staging, id: String::new(), folders, staging_found: None, compared })
    }

    fn find_staging(&self) -> Result<Option<fence::Found>> {
        let folder = self.unlinked(&self.staging)?;
        fence::Found::at(&folder).map_err(|e| self.failed("opening folder", &self.staging, e))
    }

    fn failed(&self, doing: &'static str, path: &str, source: std::io::Error) -> StoreError {
        StoreError::io(doing, self.root.join(path).to_string_lossy(), source)
    }

    /// The file of an object, after checking that the path neither walks nor follows a link out.
    fn file(&self, path: &str) -> Result<PathBuf> {
        path::check(path)?;
        if path == self.staging || path.strip_prefix(&self.staging).is_some_and(|rest| rest.starts_with('/')) {
            return Err(StoreError::BadPath { path: path.to_owned(), reason: "it lies among the staged objects" });
        }
        self.unlinked(path)
    }

    /// As [`file`](Self::file), for what callers may write or remove.
    fn writable(&self, path: &str) -> Result<PathBuf> {
        if path == IDENTITY {
            return Err(StoreError::BadPath { path: path.to_owned(), reason: "it holds the store's identity" });
        }
        self.file(path)
    }

    fn unlinked(&self, path: &str) -> Result<PathBuf> {
        let mut file = self.root.clone();
        for segment in path.split('/') {
            file.push(segment);
            match fs::symlink_metadata(&file) {
                Ok(found) if found.is_symlink() => {
                    return Err(StoreError::BadPath {
                        path: path.to_owned(),
                        reason: "it leads through a symbolic link",
                    });
                }
                Ok(_) => {}
                Err(e) if durable::is_absent(&e) => return Ok(self.root.join(path)),
                Err(e) => return Err(self.failed("looking up", path, e)),
            }
        }
        Ok(file)
    }

    /// A fresh name among the staged objects and its file; the folder exists.
    fn temporary(&self) -> Result<(String, PathBuf)> {
        let folder = self.unlinked(&self.staging)?;
        self.folders.ensure(&folder).map_err(|e| self.failed("creating folder", &self.staging, e))?;
        let name = Uuid::new_v4().simple().to_string();
        Ok((format!("{}/{name}", self.staging), folder.join(name)))
    }

    /// Writes the bytes under a temporary name, then gives them their name by `place`, durably.
    fn write_then(
        &self,
        path: &str,
        bytes: &[u8],
        place: fn(&Path, &Path) -> std::io::Result<()>,
    ) -> Result<PutOutcome> {
        let target = self.file(path)?;
        let (_, temporary) = self.temporary()?;
        let written = durable::write_new(&temporary, bytes).and_then(|()| {
            failpoint::hit!("store.local.put.written");
            self.folders.ensure_parent(&target)?;
            self.check_fence()?;
            let outcome = match place(&temporary, &target) {
                Ok(()) => PutOutcome::Created,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => PutOutcome::Exists,
                Err(e) => return Err(e),
            };
            failpoint::hit!("store.local.put.placed");
            // Also when another process was first: what this caller builds on must be durable.
            sync_folder(target.parent().unwrap_or(&self.root))?;
            Ok(outcome)
        });
        // Absent already when it was renamed; what cannot be removed now is swept later.
        let _ = fs::remove_file(&temporary);
        written.map_err(|e| self.failed("writing", path, e))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.write_then(path, bytes, |from, to| fs::hard_link(from, to))
    }

    /// What is at the target of a publish whose staged object is missing or could not be linked.
    fn compare(&self, staged: &Staged, target: &Path) -> Result<Published> {
        let found = digest::of_file(target).map_err(|e| self.failed("reading", &staged.target, e))?;
        match found {
            None => Ok(Published::Missing),
            Some(found) if found.bytes == staged.bytes && found.sha256 == staged.sha256 => Ok(Published::Already),
            Some(found) => Err(StoreError::Conflict {
                path: staged.target.clone(),
                expected: describe(staged.bytes, &staged.sha256),
                found: describe(found.bytes, &found.sha256),
            }),
        }
    }

    /// Compares a file with its digest, if it was recorded with one, unless this process has. One that is absent is for its reader
    /// to miss.
    fn compare_once(&self, object: Object<'_>, file: &Path) -> Result<()> {
        let failed = |e| self.failed("reading", object.path, e);
        let found = match fs::metadata(file) {
            Ok(found) if !object.sha256.is_empty() => found,
            Err(e) if !durable::is_absent(&e) => return Err(failed(e)),
            _ => return Ok(()),
        };
        let stamp = Stamp::of(&found);
        let name = format!("{}/{}.{}", object.sha256, found.mtime(), found.mtime_nsec());
        if self.compared.knows(&name, stamp) {
            return Ok(());
        }
        match digest::of_file(file).map_err(failed)? {
            Some(Found { bytes, sha256 }) if (bytes, &*sha256) != (object.bytes, object.sha256) => {
                Err(StoreError::Conflict {
                    path: file.to_string_lossy().into_owned(),
                    expected: describe(object.bytes, object.sha256),
                    found: describe(bytes, &sha256),
                })
            }
            _ => {
                self.compared.remember(&name, stamp);
                Ok(())
            }
        }
    }

    fn staged_file(&self, staged: &Staged) -> Result<PathBuf> {
        let bad = |reason| StoreError::BadPath { path: staged.token.to_string(), reason };
        let name = Staged::name_of(&staged.token).ok_or_else(|| bad("the token has no name"))?;
        let inside = name.strip_prefix(&self.staging).and_then(|rest| rest.strip_prefix('/'));
        let plain = inside.filter(|rest| !rest.contains('/') && path::check(rest).is_ok());
        plain.ok_or_else(|| bad("the token names nothing among the staged objects"))?;
        self.unlinked(name)
    }

    fn remove(&self, path: &str, file: &Path) -> Result<()> {
        match fs::remove_file(file) {
            Ok(()) => sync_folder(file.parent().unwrap_or(&self.root)).map_err(|e| self.failed("removing", path, e)),
            Err(e) if durable::is_absent(&e) => Ok(()),
            Err(e) => Err(self.failed("removing", path, e)),
        }
    }
}

impl Store for LocalStore {
    fn id(&self) -> &str {
        &self.id
    }

    fn location(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }

    fn put_if_absent(&self, path: &str, bytes: &[u8]) -> Result<PutOutcome> {
        self.writable(path)?;
        self.create(path, bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) -> Result<()> {
        self.writable(path)?;
        self.write_then(path, bytes, |from, to| fs::rename(from, to)).map(|_| ())
    }

    fn get_versioned(&self, path: &str) -> Result<Option<(Bytes, Version)>> {
        Ok(self.get(path)?.map(|bytes| {
            let version = replace::version_of(&bytes);
            (bytes, version)
        }))
    }

    fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Version>) -> Result<ReplaceOutcome> {
        self.replace_expected(path, bytes, expected)
    }

    fn stage(&self, target: &str) -> Result<Box<dyn StagedWrite>> {
        self.writable(target)?;
        let (name, file) = self.temporary()?;
        Ok(Box::new(StagedFile::create(target, name, file)?))
    }

    fn publish(&self, staged: &Staged) -> Result<Published> {
        let target = self.writable(&staged.target)?;
        let source = self.staged_file(staged)?;
        let failed = |e| self.failed("publishing", &staged.target, e);
        self.folders.ensure_parent(&target).map_err(failed)?;
        self.check_fence().map_err(failed)?;
        // A staged file of another size is not what was committed; its rebuild will have another name.
        let whole = fs::metadata(&source).is_ok_and(|found| found.len() == staged.bytes);
        let linked = if whole { fs::hard_link(&source, &target) } else { Err(ErrorKind::NotFound.into()) };
        let published = match linked {
            Ok(()) => Published::Done,
            Err(e) if matches!(e.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {
                self.compare(staged, &target)?
            }
            Err(e) => return Err(failed(e)),
        };
        if published != Published::Missing {
            failpoint::hit!("store.local.publish.linked");
            // The new name must be durable before the old one goes, also when a crashed process made it.
            sync_folder(target.parent().unwrap_or(&self.root)).map_err(failed)?;
            self.remove(&staged.target, &source)?;
        }
        Ok(published)
    }

    fn discard(&self, staged: &Staged) -> Result<()> {
        self.remove(&staged.target, &self.staged_file(staged)?)
    }

    fn get(&self, path: &str) -> Result<Option<Bytes>> {
        let Some(mut object) = self.open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes).map_err(|e| self.failed("reading", path, e))?;
        Ok(Some(bytes.into()))
    }

    fn open(&self, path: &str) -> Result<Option<Box<dyn Read + Send>>> {
        self.check_fence_to_read().map_err(|e| self.failed("opening", path, e))?;
        let opened = File::open(self.file(path)?).and_then(|f| Ok((f.metadata()?.is_file(), f)));
        match opened {
            Ok((is_file, file)) => Ok(is_file.then(|| Box::new(file) as _)),
            Err(e) if durable::is_absent(&e) => Ok(None),
            Err(e) => Err(self.failed("opening", path, e)),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<Entry>> {
        self.check_fence_to_read().map_err(|e| self.failed("listing", folder, e))?;
        let file = if folder.is_empty() { self.root.clone() } else { self.file(folder)? };
        listing::files_below(&self.root, &file, Some(&self.root.join(&self.staging)))
    }

    fn delete(&self, path: &str) -> Result<()> {
        self.remove(path, &self.writable(path)?)
    }

    fn staged(&self) -> Result<Vec<Entry>> {
        listing::files_below(&self.root, &self.unlinked(&self.staging)?, None)
    }

    fn sweep(&self, before_ms: i64, keep: &dyn Fn(&str) -> bool) -> Result<u64> {
        let mut removed = 0;
        for entry in self.staged()? {
            if entry.modified_ms < before_ms && !keep(&entry.path) {
                self.remove(&entry.path, &self.root.join(&entry.path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        self.file(path).ok()
    }

    fn local_file(&self, object: Object<'_>, _lease: &Lease) -> Result<PathBuf> {
        let file = self.file(object.path)?;
        self.compare_once(object, &file)?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::LocalStore;
    use crate::store::StoreError;
    use crate::store::conformance::CASES;

    #[test]
    fn keeps_every_promise_of_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), "_own").unwrap();
        CASES.iter().for_each(|case| case.run(&store));
    }

    /// A mount below the root does not become another one by waiting.
    #[test]
    fn a_folder_on_another_file_system_is_refused() {
        let crosses = std::io::Error::from(std::io::ErrorKind::CrossesDevices);
        let error = StoreError::io("publishing", "data/part-0.parquet", crosses);
        assert!(matches!(error, StoreError::Refused { .. }) && !error.is_retriable(), "{error}");
        assert!(error.to_string().ends_with("keep all folders of the store on one file system"), "{error}");
    }
}
