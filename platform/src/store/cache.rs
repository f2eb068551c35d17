//! Copies of a remote store's objects in a folder of this machine, for readers that open files by path. A copy is named
//! by the SHA-256 of its bytes and compared with it when it is made, so it is never stale, and several stores and
//! processes may share one folder.
//!
//! At the size limit the copies that were not used for the longest go, but none that was used within [`LEASE`]: somebody
//! may be reading it. So the folder outgrows its limit when that much is in use.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
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
    /// What is in the folder, as far as this process knows: another one may have added or removed copies. `None` until it
    /// was looked at.
    bytes: Mutex<Option<u64>>,
}

impl FileCache {
    /// A folder that is made when the first copy is: most services never need one.
    #[must_use]
    pub fn new(folder: &Path, bytes_max: u64) -> Self {
        Self { folder: folder.to_owned(), bytes_max, lease: LEASE, bytes: Mutex::new(None) }
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
        let copy = self.folder.join(object.sha256);
        let failed = |e| StoreError::io("copying to", copy.to_string_lossy(), e);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        if self.hand_out(&copy, object.bytes).map_err(failed)? {
            return Ok(copy);
        }
        loop {
            let partial = Partial(self.folder.join(format!("{PARTIAL}{}", Uuid::new_v4().simple())));
            self.fetch(store, object, &partial.0)?;
            match fs::rename(&partial.0, &copy) {
                Ok(()) => break,
                // Whoever made room took a copy that was long in the making for one that a crash had left.
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(failed(e)),
            }
        }
        if let Err(error) = self.grown_by(object.bytes) {
            // The copy is good; a folder that is too large is the next call's trouble, too.
            tracing::warn!(folder = %self.folder.display(), %error, "could not remove old copies");
        }
        Ok(copy)
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

    /// Removes the copies that were not used for the longest until the rest fits, also what crashed processes left;
    /// returns what is left.
    fn shrink(&self) -> io::Result<u64> {
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
        Ok(present)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::local::LocalStore;

    struct World {
        folder: tempfile::TempDir,
        store: LocalStore,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = LocalStore::open(&folder.path().join("data")).unwrap();
            Self { folder, store }
        }

        fn cache(&self, bytes_max: u64, lease: Duration) -> FileCache {
            FileCache { lease, ..FileCache::new(&self.folder.path().join("cache"), bytes_max) }
        }

        /// Puts 1,000 bytes that only this object has.
        fn put(&self, path: &str) -> String {
            let bytes = format!("{path:1000}");
            self.store.put(path, bytes.as_bytes()).unwrap();
            hex::encode(Sha256::digest(&bytes))
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn object<'a>(path: &'a str, sha256: &'a str) -> Object<'a> {
        Object { path, bytes: 1_000, sha256 }
    }

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let world = World::new();
        let cache = world.cache(2_500, Duration::ZERO);
        let digests: Vec<String> = ["a", "b", "c"].iter().map(|path| world.put(path)).collect();
        let use_ = |path: &str, n: usize| {
            std::thread::sleep(Duration::from_millis(20));
            cache.file(&world.store, object(path, &digests[n])).unwrap()
        };
        use_("a", 0);
        use_("b", 1);
        use_("a", 0);
        use_("c", 2);
        let mut expected = vec![digests[0].clone(), digests[2].clone(), LOCK.to_owned()];
        expected.sort();
        assert_eq!(world.names(), expected);
    }

    #[test]
    fn what_may_be_in_use_stays_over_the_limit() {
        let world = World::new();
        let cache = world.cache(1_500, LEASE);
        for path in ["a", "b", "c"] {
            let digest = world.put(path);
            cache.file(&world.store, object(path, &digest)).unwrap();
        }
        assert_eq!(world.names().len(), 4);
    }

    #[test]
    fn what_other_processes_left_counts() {
        let world = World::new();
        let digest = world.put("a");
        world.cache(1 << 20, Duration::ZERO).file(&world.store, object("a", &digest)).unwrap();
        fs::write(world.folder.path().join("cache/partial-x"), [0; 5_000]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        let digest = world.put("b");
        world.cache(1_500, Duration::ZERO).file(&world.store, object("b", &digest)).unwrap();
        assert_eq!(world.names(), [digest.as_str(), LOCK], "the newest stays");
    }

    #[test]
    fn only_the_right_bytes_become_a_copy() {
        let world = World::new();
        let cache = world.cache(1 << 20, LEASE);
        let digest = world.put("a");
        for wrong in [
            Object { path: "a", bytes: 999, sha256: &digest },
            Object { path: "a", bytes: 1_000, sha256: &"0".repeat(64) },
            Object { path: "a", bytes: 1_000, sha256: "../escape" },
            Object { path: "absent", bytes: 1_000, sha256: &digest },
        ] {
            let refused = cache.file(&world.store, wrong);
            assert!(refused.is_err(), "{wrong:?}");
        }
        assert_eq!(world.names(), [LOCK]);
        let copy = cache.file(&world.store, object("a", &digest)).unwrap();
        fs::write(&copy, b"torn by a power cut").unwrap();
        assert_eq!(fs::metadata(cache.file(&world.store, object("a", &digest)).unwrap()).unwrap().len(), 1_000);
    }

    #[test]
    fn many_may_fetch_and_remove_at_once() {
        let world = World::new();
        let digests: Vec<(String, String)> =
            (0..20).map(|n| (format!("o/{n}"), world.put(&format!("o/{n}")))).collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (world, digests) = (&world, &digests);
                scope.spawn(move || {
                    // As in another process; half of them remove what is older than nothing.
                    let cache = world.cache(5_000, if thread % 2 == 0 { LEASE } else { Duration::from_millis(1) });
                    for (path, digest) in digests.iter().cycle().take(100) {
                        cache.file(&world.store, object(path, digest)).unwrap();
                    }
                });
            }
        });
        assert!(world.names().iter().all(|name| !name.starts_with(PARTIAL)), "{:?}", world.names());
    }

    #[test]
    fn a_nameless_copy_is_what_is_stored_now() {
        let world = World::new();
        world.put("a");
        let mut read = String::new();
        nameless_copy(&world.store, "a").unwrap().unwrap().read_to_string(&mut read).unwrap();
        assert_eq!(read.trim_end(), "a");
        assert!(nameless_copy(&world.store, "absent").unwrap().is_none());
    }
}
