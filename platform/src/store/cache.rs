//! Copies of a remote store's objects in a folder of this machine, for readers that open files by path. A copy is named
//! by the SHA-256 of its bytes, so it is never stale, and several stores and processes may share one folder. Each process
//! compares a copy with its digest when it makes it, or before it hands it out for the first time: a disk may have changed
//! it since. A copy that does not match is fetched again.
//!
//! At the size limit the copies that were not used for the longest go, but none that a [`Lease`] of a living process
//! names: another process may be reading it. So the folder outgrows its limit when that much is in use, and no longer.
//!
//! The folder may be removed at any time. Who was handed out a copy reads on; a copy that is not there is fetched again.

use std::collections::HashSet;
mod lease;

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::compared::{Compared, Stamp};
use super::{Object, Result, Store, StoreError, describe};
use crate::failpoint;
pub use lease::Lease;

/// Guards the folder: handing out shares it, removing takes it alone.
const LOCK: &str = "lock";
/// Copies being made.
const PARTIAL: &str = "partial-";
/// Lists of what is in use, each locked by its process, so that one of a dead process can be recognized.
const LEASE: &str = "lease-";

/// Times that an object is fetched when its bytes are not the expected ones: one answer may have been damaged on its way.
const FETCHES_MAX: u32 = 3;

/// Times that a copy is made when the folder was removed meanwhile. Each lasts as long as the object takes to come.
const ATTEMPTS_MAX: u32 = 5;

/// Why there is no copy.
enum Failure {
    /// The folder cannot be read or written.
    Folder(io::Error),
    /// The store cannot be read, or the object is not what it must be.
    Store(StoreError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Folder(error)
    }
}

/// A folder of copies.
#[derive(Debug)]
pub struct FileCache {
    folder: PathBuf,
    bytes_max: u64,
    /// What is in the folder, as far as this process knows: another one may have added or removed copies. `None` until it
    /// was looked at.
    bytes: Mutex<Option<u64>>,
    /// Copies that this process has seen to match their digest.
    compared: Compared,
}

impl FileCache {
    /// A folder that is made when the first copy is: most services never need one.
    #[must_use]
    pub fn new(folder: &Path, bytes_max: u64) -> Self {
        Self { folder: folder.to_owned(), bytes_max, bytes: Mutex::default(), compared: Compared::default() }
    }

    /// A file with the object's bytes, fetched unless it is here. Its path leads to it as long as the lease lasts; where very many
    /// copies are in use, as long as no process removes the folder.
    ///
    /// # Errors
    /// The object is absent, has other bytes than it must have, or cannot be copied.
    pub fn file(&self, store: &dyn Store, object: Object<'_>, lease: &Lease) -> Result<PathBuf> {
        // It names a file.
        if !is_digest(object.sha256) {
            return Err(StoreError::BadPath {
                path: object.path.to_owned(),
                reason: "it was recorded without a digest",
            });
        }
        let failed = |error| StoreError::io("copying to", self.folder.join(object.sha256).to_string_lossy(), error);
        for _ in 0..ATTEMPTS_MAX {
            match self.copy_of(store, object, lease) {
                Ok(copy) => return Ok(copy),
                Err(Failure::Folder(error)) if is_removed(&error) => {
                    tracing::warn!(folder = %self.folder.display(), %error, "the folder of copies was removed: fetching the object again");
                }
                Err(Failure::Folder(error)) => return Err(failed(error)),
                Err(Failure::Store(error)) => return Err(error),
            }
        }
        // It is removed all the time: a file that has no name cannot be.
        let file = nameless().map_err(failed)?;
        fetch(store, object, &file)?;
        lease
            .path_of(file)
            .map_err(failed)?
            .ok_or_else(|| failed(io::Error::new(ErrorKind::NotFound, "the folder is removed again and again")))
    }

    fn copy_of(&self, store: &dyn Store, object: Object<'_>, lease: &Lease) -> std::result::Result<PathBuf, Failure> {
        let copy = self.folder.join(object.sha256);
        fs::create_dir_all(&self.folder)?;
        if let Some(file) = self.hand_out(object, lease)? {
            return Ok(lease.path_of(file)?.unwrap_or(copy));
        }
        let (partial, file) = self.fetched(store, object, lease)?;
        failpoint::hit!("store.cache.fetched");
        let (stamp, path) = (Stamp::of(&file.metadata()?), lease.path_of(file)?);
        // Also over a copy that does not match: who is reading that one, by its path, finds the right one next.
        match (fs::rename(&partial.0, &copy), path) {
            (Ok(()), path) => {
                failpoint::hit!("store.cache.placed");
                self.compared.remember(object.sha256, stamp);
                if let Err(error) = self.grown_by(object.bytes) {
                    // The copy is good; a folder that is too large is the next call's trouble, too.
                    tracing::warn!(folder = %self.folder.display(), %error, "could not remove old copies");
                }
                Ok(path.unwrap_or(copy))
            }
            // The bytes are there nevertheless.
            (Err(error), Some(path)) if is_removed(&error) => Ok(path),
            (Err(error), _) => Err(error.into()),
        }
    }

    fn grown_by(&self, bytes: u64) -> io::Result<()> {
        let mut known = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let present = match *known {
            Some(before) => before + bytes,
            None => self.copies()?.iter().map(|copy| copy.bytes).sum(),
        };
        *known = Some(if present > self.bytes_max { self.shrink()? } else { present });
        Ok(())
    }

    /// The copy, when it is there and matches its digest. Leased is it in any case: there is no moment between its coming
    /// and its lease.
    fn hand_out(&self, object: Object<'_>, lease: &Lease) -> io::Result<Option<File>> {
        let path = self.folder.join(object.sha256);
        let lock = self.lock()?;
        lock.lock_shared()?;
        lease.keep(&self.folder, object.sha256)?;
        let file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        // The lease protects it from now on.
        drop(lock);
        file.set_modified(SystemTime::now())?;
        let stamp = Stamp::of(&file.metadata()?);
        if self.compared.knows(object.sha256, stamp) {
            return Ok(Some(file));
        }
        // A machine that lost power may have kept the name and lost the bytes.
        if stamp.bytes != object.bytes || copy_and_digest(&file, io::sink())?.1 != object.sha256 {
            tracing::warn!(copy = %path.display(), object = object.path, "a cached copy is damaged: fetching it again");
            return Ok(None);
        }
        self.compared.remember(object.sha256, stamp);
        Ok(Some(file))
    }

    /// The name of a copy to be made, leased like the copy.
    fn partial(&self, lease: &Lease) -> io::Result<Partial> {
        let name = format!("{PARTIAL}{}", Uuid::new_v4().simple());
        let lock = self.lock()?;
        lock.lock_shared()?;
        lease.keep(&self.folder, &name)?;
        Ok(Partial(self.folder.join(name)))
    }

    /// The object's bytes on disk, under a name of their own. Bytes that are not the expected ones are asked for again.
    fn fetched(
        &self,
        store: &dyn Store,
        object: Object<'_>,
        lease: &Lease,
    ) -> std::result::Result<(Partial, File), Failure> {
        let mut attempts = 1;
        loop {
            let partial = self.partial(lease)?;
            let file = File::create_new(&partial.0)?;
            match fetch(store, object, &file) {
                Ok(()) => return Ok((partial, file)),
                Err(error @ StoreError::Conflict { .. }) if attempts < FETCHES_MAX => {
                    tracing::warn!(%error, "an object was read with other bytes than it should have: reading it again");
                    attempts += 1;
                }
                Err(error) => return Err(Failure::Store(error)),
            }
        }
    }

    /// Removes the copies that were not used for the longest until the rest fits, also what crashed processes left;
    /// returns what is left.
    fn shrink(&self) -> io::Result<u64> {
        let lock = self.lock()?;
        lock.lock()?;
        let leased = self.leased()?;
        let mut copies = self.copies()?;
        copies.sort_by_key(|copy| copy.used);
        let mut present: u64 = copies.iter().map(|copy| copy.bytes).sum();
        for copy in copies.iter().filter(|copy| !leased.contains(&copy.name)) {
            if present <= self.bytes_max {
                break;
            }
            fs::remove_file(self.folder.join(&copy.name))?;
            present -= copy.bytes;
        }
        Ok(present)
    }

    /// What living leases name; lists of dead processes go. The caller has the folder's lock alone.
    fn leased(&self) -> io::Result<HashSet<String>> {
        let mut names = HashSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with(LEASE) {
                continue;
            }
            let mut list = match File::options().read(true).write(true).open(entry.path()) {
                Ok(list) => list,
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            match list.try_lock() {
                Ok(()) => fs::remove_file(entry.path())?,
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    list.read_to_string(&mut text)?;
                    names.extend(text.lines().map(str::to_owned));
                }
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(names)
    }

    fn lock(&self) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).open(self.folder.join(LOCK))
    }

    /// Copies, whole or being made. Other files belong to others: a folder for copies may be any.
    fn copies(&self) -> io::Result<Vec<Copy>> {
        let mut copies = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            if !is_digest(&name) && !name.starts_with(PARTIAL) {
                continue;
            }
            match entry.metadata() {
                Ok(found) => copies.push(Copy { name, bytes: found.len(), used: found.modified()? }),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(copies)
    }
}

/// True when the folder, or a part of its path, was removed while it was written to.
fn is_removed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists)
}

fn fetch(store: &dyn Store, object: Object<'_>, mut partial: &File) -> Result<()> {
    let failed = |e| StoreError::io("copying", object.path, e);
    let Some(source) = store.open(object.path)? else {
        return Err(failed(io::Error::new(ErrorKind::NotFound, "it is not in the store")));
    };
    let (bytes, sha256) = copy_and_digest(source, &mut partial).map_err(failed)?;
    if (bytes, sha256.as_str()) == (object.bytes, object.sha256) {
        // On disk before it gets its name: after a power cut a name without its bytes would be left.
        return partial.sync_all().map_err(failed);
    }
    Err(StoreError::Conflict {
        path: object.path.to_owned(),
        expected: describe(object.bytes, object.sha256),
        found: describe(bytes, &sha256),
    })
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A file without a name that holds what the store holds now, for readers that must not be content with a copy of earlier.
/// Removed when it is closed. `None` when there is no such object.
///
/// # Errors
/// The store cannot be read, or the folder for temporary files not be written.
pub fn nameless_copy(store: &dyn Store, path: &str) -> Result<Option<File>> {
    let Some(mut source) = store.open(path)? else { return Ok(None) };
    let mut copy = || -> io::Result<File> {
        let mut file = nameless()?;
        io::copy(&mut source, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    copy().map(Some).map_err(|e| StoreError::io("copying", path, e))
}

/// An empty file that has no name.
fn nameless() -> io::Result<File> {
    let name = std::env::temp_dir().join(format!("finops-{}", Uuid::new_v4().simple()));
    let file = File::options().create_new(true).read(true).write(true).open(&name)?;
    fs::remove_file(name)?;
    Ok(file)
}

struct Copy {
    name: String,
    bytes: u64,
    used: SystemTime,
}

/// Removed when it did not become a copy.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Renamed, as a rule.
        let _ = fs::remove_file(&self.0);
    }
}

fn copy_and_digest(mut source: impl Read, mut target: impl Write) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex::encode(hasher.finalize()))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                target.write_all(&buffer[..n])?;
                bytes += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests;
