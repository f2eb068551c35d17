//! A folder of copies: what stays, what goes, and what is fetched again.

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
        let store = LocalStore::open(&folder.path().join("data"), "_own").unwrap();
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
fn a_flipped_bit_is_found_by_every_process_and_fetched_again() {
    let world = World::new();
    let digest = world.put("a");
    let right = format!("{:1000}", "a");
    world.fetch(&world.cache(1 << 20), "a", &Lease::default());
    let copy = world.folder.path().join("cache").join(&digest);
    for flipped in [0, 500, 999] {
        let mut damaged = right.clone().into_bytes();
        damaged[flipped] ^= 1;
        fs::write(&copy, damaged).unwrap();
        // As in another process: it has not compared this copy yet.
        let (cache, lease) = (world.cache(1 << 20), Lease::default());
        let handed_out = cache.file(&world.store, object("a", &digest), &lease).unwrap();
        assert_eq!(fs::read_to_string(handed_out).unwrap(), right, "bit {flipped}");
    }
    assert_eq!(world.names(), sorted([&digest, LOCK]));
}

#[test]
fn a_folder_that_was_removed_under_a_reader_is_filled_again() {
    let world = World::new();
    let (cache, lease) = (world.cache(1_500), Lease::default());
    let a = world.fetch(&cache, "a", &lease);
    fs::remove_dir_all(world.folder.path().join("cache")).unwrap();
    assert_eq!(world.fetch(&cache, "a", &lease), a);
    let b = world.fetch(&world.cache(1_500), "b", &Lease::default());
    assert_eq!(world.names(), sorted([&a, &b, LOCK]), "the lease still protects what it names");
}

/// By an operator, or by a program that cleans temporary files.
#[test]
fn readers_do_not_notice_that_the_folder_is_removed_again_and_again() {
    let world = World::new();
    let digests: Vec<(String, String)> = (0..8).map(|n| (format!("o/{n}"), world.put(&format!("o/{n}")))).collect();
    let folder = world.folder.path().join("cache");
    let removed = std::thread::scope(|scope| {
        let (world, digests, folder) = (&world, &digests, &folder);
        let read = || {
            scope.spawn(move || {
                let cache = world.cache(1 << 20);
                for _ in 0..25 {
                    let lease = Lease::default();
                    let copies = digests.iter().map(|(path, digest)| {
                        (path, cache.file(&world.store, object(path, digest), &lease).map_err(|e| e.to_string()))
                    });
                    let copies: Vec<_> = copies.collect();
                    let _ = fs::remove_dir_all(folder);
                    for (path, copy) in copies {
                        let read = copy.and_then(|copy| fs::read_to_string(copy).map_err(|e| e.to_string()));
                        assert_eq!(read, Ok(format!("{path:1000}")));
                    }
                }
            })
        };
        let readers: Vec<_> = (0..4).map(|_| read()).collect();
        let mut removed = 0;
        while readers.iter().any(|reader| !reader.is_finished()) {
            removed += u32::from(fs::remove_dir_all(folder).is_ok());
            std::thread::yield_now();
        }
        removed
    });
    assert!(removed > 0, "the folder was never removed");
}

#[test]
fn many_may_fetch_and_remove_at_once() {
    let world = World::new();
    let digests: Vec<(String, String)> = (0..20).map(|n| (format!("o/{n}"), world.put(&format!("o/{n}")))).collect();
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
