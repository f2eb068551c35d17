//! Copies of a remote store's objects in a folder of this machine, for readers that open files by path. A copy is named
//! by the SHA-256 of its bytes and compared with it when it is made, so it is never stale, and several stores and
//! processes may share one folder.
//!
//! At the size limit the copies that were not used for the longest go, but none that a [`Lease`] of a living process
//! names: somebody may be reading it. So the folder outgrows its limit when that much is in use, and no longer.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Object, Result, Store, StoreError, describe};
use crate::failpoint;

/// Guards the folder: handing out shares it, removing takes it alone.
const LOCK: &str = "lock";
/// Copies being made.
const PARTIAL: &str = "partial-";
/// Lists of what is in use, each locked by its process, so that one of a dead process can be told.
const LEASE: &str = "lease-";

/// The copies that one reader uses: nobody removes them before the lease is dropped, or its process is dead.
#[derive(Debug, Default)]
pub struct Lease(Mutex<Vec<Held>>);

/// The list of a lease in one folder.
#[derive(Debug)]
struct Held {
    folder: PathBuf,
    path: PathBuf,
    list: File,
}

impl Lease {
    /// From now on nobody removes the file of that name, also when it comes later. The caller shares the folder's lock.
    fn keep(&self, folder: &Path, name: &str) -> io::Result<()> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|held| held.folder == folder) {
            all.push(Held::begin(folder)?);
        }
        let lists = all.iter_mut().filter(|held| held.folder == folder);
        lists.map(|held| &mut held.list).try_for_each(|list| list.write_all(format!("{name}\n").as_bytes()))
    }
}

impl Held {
    fn begin(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{LEASE}{}", Uuid::new_v4().simple()));
        let list = File::create_new(&path)?;
        list.lock()?;
        Ok(Self { folder: folder.to_owned(), path, list })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // What stays is removed when the folder shrinks.
        let _ = fs::remove_file(&self.path);
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
}

impl FileCache {
    /// A folder that is made when the first copy is: most services never need one.
    #[must_use]
    pub fn new(folder: &Path, bytes_max: u64) -> Self {
        Self { folder: folder.to_owned(), bytes_max, bytes: Mutex::new(None) }
    }

    /// A file with the object's bytes, fetched unless it is here. It stays as long as the lease.
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
        let copy = self.folder.join(object.sha256);
        let failed = |e| StoreError::io("copying to", copy.to_string_lossy(), e);
        fs::create_dir_all(&self.folder).map_err(failed)?;
        if self.hand_out(object, lease).map_err(failed)? {
            return Ok(copy);
        }
        let partial = self.partial(lease).map_err(failed)?;
        self.fetch(store, object, &partial.0)?;
        failpoint::hit("store.cache.fetched");
        fs::rename(&partial.0, &copy).map_err(failed)?;
        failpoint::hit("store.cache.placed");
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

    /// True when the copy is there. Leased is it in any case: there is no moment between its coming and its lease.
    fn hand_out(&self, object: Object<'_>, lease: &Lease) -> io::Result<bool> {
        let lock = self.lock()?;
        lock.lock_shared()?;
        lease.keep(&self.folder, object.sha256)?;
        let file = match File::options().write(true).open(self.folder.join(object.sha256)) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        // A machine that lost power may have kept the name and lost the bytes.
        if file.metadata()?.len() != object.bytes {
            return Ok(false);
        }
        file.set_modified(SystemTime::now())?;
        Ok(true)
    }

    /// The name of a copy to be made, leased like the copy.
    fn partial(&self, lease: &Lease) -> io::Result<Partial> {
        let name = format!("{PARTIAL}{}", Uuid::new_v4().simple());
        let lock = self.lock()?;
        lock.lock_shared()?;
        lease.keep(&self.folder, &name)?;
        Ok(Partial(self.folder.join(name)))
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

    /// Copies, whole or being made. Other files are somebody else's: a folder for copies may be any.
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

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())
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
    use std::time::Duration;

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

        fn cache(&self, bytes_max: u64) -> FileCache {
            FileCache::new(&self.folder.path().join("cache"), bytes_max)
        }

        /// Puts 1,000 bytes that only this object has.
        fn put(&self, path: &str) -> String {
            let bytes = format!("{path:1000}");
            self.store.put(path, bytes.as_bytes()).unwrap();
            hex::encode(Sha256::digest(&bytes))
        }

        /// Puts it and fetches it.
        fn fetch(&self, cache: &FileCache, path: &str, lease: &Lease) -> String {
            let digest = self.put(path);
            // So that one was used before the other.
            std::thread::sleep(Duration::from_millis(20));
            cache.file(&self.store, object(path, &digest), lease).unwrap();
            digest
        }

        /// What is in the folder, lists of leases aside.
        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.folder.path().join("cache")).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.retain(|name| !name.starts_with(LEASE));
            names.sort();
            names
        }
    }

    fn object<'a>(path: &'a str, sha256: &'a str) -> Object<'a> {
        Object { path, bytes: 1_000, sha256 }
    }

    fn sorted<const N: usize>(mut names: [&str; N]) -> [&str; N] {
        names.sort_unstable();
        names
    }

    #[test]
    fn what_was_not_used_for_the_longest_goes_first() {
        let world = World::new();
        let cache = world.cache(2_500);
        let [a, _, _, c] = ["a", "b", "a", "c"].map(|path| world.fetch(&cache, path, &Lease::default()));
        assert_eq!(world.names(), sorted([&a, &c, LOCK]));
    }

    #[test]
    fn what_is_in_use_stays_over_the_limit_and_goes_after() {
        let world = World::new();
        let (cache, elsewhere) = (world.cache(1_500), world.cache(1_500));
        let (lease, other) = (Lease::default(), Lease::default());
        let [a, b] = ["a", "b"].map(|path| world.fetch(&cache, path, &lease));
        let c = world.fetch(&elsewhere, "c", &other);
        assert_eq!(world.names(), sorted([&a, &b, &c, LOCK]));
        drop(lease);
        let d = world.fetch(&cache, "d", &Lease::default());
        assert_eq!(world.names(), sorted([&c, &d, LOCK]), "another reader uses c, and d was just handed out");
        drop(other);
        let e = world.fetch(&cache, "e", &Lease::default());
        assert_eq!(world.names(), sorted([&e, LOCK]));
    }

    /// A copy's time comes from a clock that may jump.
    #[test]
    fn use_does_not_depend_on_the_clock() {
        for jump in [Duration::ZERO, Duration::from_secs(86_400 * 365 * 100)] {
            let world = World::new();
            let (cache, lease) = (world.cache(1_500), Lease::default());
            let a = world.fetch(&cache, "a", &lease);
            let copy = File::options().write(true).open(world.folder.path().join("cache").join(&a)).unwrap();
            copy.set_modified(SystemTime::UNIX_EPOCH + jump).unwrap();
            let b = world.fetch(&cache, "b", &lease);
            assert_eq!(world.names(), sorted([&a, &b, LOCK]));
        }
    }

    #[test]
    fn what_dead_processes_left_goes_and_what_is_not_ours_stays() {
        let world = World::new();
        let cache = world.cache(1_500);
        let a = world.fetch(&cache, "a", &Lease::default());
        let file = |name: &str| world.folder.path().join("cache").join(name);
        fs::write(file("partial-x"), [0; 5_000]).unwrap();
        fs::write(file("lease-x"), format!("{a}\npartial-x\n")).unwrap();
        fs::write(file("notes.txt"), [0; 5_000]).unwrap();
        let b = world.fetch(&world.cache(1_500), "b", &Lease::default());
        assert_eq!(world.names(), sorted([&b, LOCK, "notes.txt"]));
        assert!(!file("lease-x").exists());
    }

    #[test]
    fn only_the_right_bytes_become_a_copy() {
        let world = World::new();
        let (cache, lease) = (world.cache(1 << 20), Lease::default());
        let digest = world.put("a");
        for wrong in [
            Object { path: "a", bytes: 999, sha256: &digest },
            Object { path: "a", bytes: 1_000, sha256: &"0".repeat(64) },
            Object { path: "a", bytes: 1_000, sha256: "../escape" },
            Object { path: "absent", bytes: 1_000, sha256: &digest },
        ] {
            let refused = cache.file(&world.store, wrong, &lease);
            assert!(refused.is_err(), "{wrong:?}");
        }
        assert_eq!(world.names(), [LOCK]);
        let copy = cache.file(&world.store, object("a", &digest), &lease).unwrap();
        fs::write(&copy, b"torn by a power cut").unwrap();
        let again = cache.file(&world.store, object("a", &digest), &lease).unwrap();
        assert_eq!(fs::metadata(again).unwrap().len(), 1_000);
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
                    // As in another process; each needs more than fits, beside what the others use.
                    let cache = world.cache(5_000);
                    for some in digests[thread..].chunks(3).cycle().take(60) {
                        let lease = Lease::default();
                        let file = |(path, digest): &(String, String)| {
                            (path.clone(), cache.file(&world.store, object(path, digest), &lease).unwrap())
                        };
                        let files: Vec<_> = some.iter().map(file).collect();
                        for (path, copy) in files {
                            assert_eq!(fs::read_to_string(copy).unwrap(), format!("{path:1000}"));
                        }
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
