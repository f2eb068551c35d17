//! Copies of a remote store's objects in a folder of this machine, for readers that open files by path. A copy is named
//! by the SHA-256 of its bytes and compared with it when it is made, so it is never stale, and several stores and
//! processes may share one folder.
//!
//! At the size limit the copies that were not used for the longest go, but none that was used within [`LEASE`]: somebody
//! may be reading it. So the folder outgrows its limit when that much is in use.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Object, Result, Store, StoreError, describe};

/// How long a copy stays after it was handed out.
pub const LEASE: Duration = Duration::from_secs(3_600);

/// Guards the folder: handing out shares it, removing takes it alone.
const LOCK: &str = "lock";
/// Copies being made.
const PARTIAL: &str = "partial-";

/// A folder of copies.
#[derive(Debug)]
pub struct FileCache {
    folder: PathBuf,
    bytes_max: u64,
    lease: Duration,
    /// What is in the folder, as far as this process knows: another one may have added or removed copies.
    bytes: AtomicU64,
}

impl FileCache {
    /// Opens the folder, making it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: &Path, bytes_max: u64) -> Result<Self> {
        let failed = |e| StoreError::io("opening the folder of copies", folder.to_string_lossy(), e);
        fs::create_dir_all(folder).map_err(failed)?;
        let cache = Self { folder: folder.to_owned(), bytes_max, lease: LEASE, bytes: AtomicU64::new(0) };
        let present: u64 = cache.copies().map_err(failed)?.iter().map(|copy| copy.bytes).sum();
        cache.bytes.store(present, Ordering::Relaxed);
        Ok(cache)
    }

    /// A file with the object's bytes, fetched unless it is here.
    ///
    /// # Errors
    /// The object is absent, has other bytes than it must have, or cannot be copied.
    pub fn file(&self, store: &dyn Store, object: Object<'_>) -> Result<PathBuf> {
        // It names a file.
        if object.sha256.len() != 64 || !object.sha256.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(StoreError::BadPath {
                path: object.path.to_owned(),
                reason: "it was recorded without a digest",
            });
        }
        let copy = self.folder.join(format!("{}.parquet", object.sha256));
        let failed = |e| StoreError::io("copying to", copy.to_string_lossy(), e);
        if self.hand_out(&copy, object.bytes).map_err(failed)? {
            return Ok(copy);
        }
        let partial = Partial(self.folder.join(format!("{PARTIAL}{}", Uuid::new_v4().simple())));
        self.fetch(store, object, &partial.0)?;
        fs::rename(&partial.0, &copy).map_err(failed)?;
        let known = self.bytes.fetch_add(object.bytes, Ordering::Relaxed) + object.bytes;
        if known > self.bytes_max {
            // The copy is good; too large a folder is the next call's trouble, too.
            if let Err(error) = self.shrink() {
                tracing::warn!(folder = %self.folder.display(), %error, "could not remove old copies");
            }
        }
        Ok(copy)
    }

    /// True when the copy is there; then nobody removes it for the time of a lease.
    fn hand_out(&self, copy: &Path, bytes: u64) -> io::Result<bool> {
        let lock = self.lock()?;
        lock.lock_shared()?;
        let file = match File::options().write(true).open(copy) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        // A machine that lost power may have kept the name and lost the bytes.
        if file.metadata()?.len() != bytes {
            return Ok(false);
        }
        file.set_modified(SystemTime::now())?;
        Ok(true)
    }

    fn fetch(&self, store: &dyn Store, object: Object<'_>, partial: &Path) -> Result<()> {
        let failed = |e| StoreError::io("copying", object.path, e);
        let Some(source) = store.open(object.path)? else {
            return Err(failed(io::Error::new(ErrorKind::NotFound, "it is not in the store")));
        };
        let (bytes, sha256) = copy_and_digest(source, partial).map_err(failed)?;
        if (bytes, sha256.as_str()) == (object.bytes, object.sha256) {
            return Ok(());
        }
        Err(StoreError::Conflict {
            path: object.path.to_owned(),
            expected: describe(object.bytes, object.sha256),
            found: describe(bytes, &sha256),
        })
    }

    /// Removes the copies that were not used for the longest until the rest fits, and what crashed processes left.
    fn shrink(&self) -> io::Result<()> {
        let lock = self.lock()?;
        lock.lock()?;
        let mut copies = self.copies()?;
        copies.sort_by_key(|copy| copy.used);
        let mut present: u64 = copies.iter().map(|copy| copy.bytes).sum();
        let now = SystemTime::now();
        for copy in &copies {
            let in_use = now.duration_since(copy.used).is_ok_and(|age| age < self.lease);
            if present <= self.bytes_max || in_use {
                break;
            }
            fs::remove_file(&copy.file)?;
            present -= copy.bytes;
        }
        self.bytes.store(present, Ordering::Relaxed);
        Ok(())
    }

    fn lock(&self) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).open(self.folder.join(LOCK))
    }

    fn copies(&self) -> io::Result<Vec<Copy>> {
        let mut copies = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name() == LOCK {
                continue;
            }
            match entry.metadata() {
                Ok(found) => copies.push(Copy { file: entry.path(), bytes: found.len(), used: found.modified()? }),
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(copies)
    }
}

/// A file without a name that holds what the store holds now, for whoever must not be content with a copy of earlier.
/// Gone when it is closed. `None` when there is no such object.
///
/// # Errors
/// The store cannot be read, or the folder for temporary files not be written.
pub fn nameless_copy(store: &dyn Store, path: &str) -> Result<Option<File>> {
    let Some(mut source) = store.open(path)? else { return Ok(None) };
    let mut copy = || -> io::Result<File> {
        let name = std::env::temp_dir().join(format!("finops-{}", Uuid::new_v4().simple()));
        let mut file = File::options().create_new(true).read(true).write(true).open(&name)?;
        fs::remove_file(name)?;
        io::copy(&mut source, &mut file)?;
        file.rewind()?;
        Ok(file)
    };
    copy().map(Some).map_err(|e| StoreError::io("copying", path, e))
}

struct Copy {
    file: PathBuf,
    bytes: u64,
    used: SystemTime,
}

/// Removed when it did not become a copy.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Renamed, as a rule; what stays is removed when the folder shrinks.
        let _ = fs::remove_file(&self.0);
    }
}

fn copy_and_digest(mut source: impl Read, target: &Path) -> io::Result<(u64, String)> {
    let mut file = File::create_new(target)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok((bytes, hex::encode(hasher.finalize()))),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                file.write_all(&buffer[..n])?;
                bytes += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
