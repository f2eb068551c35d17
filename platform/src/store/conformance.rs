//! What every store must do, whatever it is made of: one suite for the local folder and for S3. Only
//! tests call it, so a broken promise is a panic.
//!
//! ```ignore
//! for case in platform::store::conformance::CASES {
//!     case.run(&store);
//! }
//! ```

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sha2::{Digest, Sha256};

use super::{Published, PutOutcome, ReplaceOutcome, Staged, Store, StoreError};

/// One promise. Cases use folders of their own, so all may run on one store, in any order, once.
pub struct Case {
    /// The promise in words.
    pub name: &'static str,
    check: fn(&dyn Store),
}

impl Case {
    /// Checks the promise on a store.
    ///
    /// # Panics
    /// When it is broken.
    pub fn run(&self, store: &dyn Store) {
        println!("store conformance: {}", self.name);
        (self.check)(store);
    }
}

/// The suite.
pub const CASES: &[Case] = &[
    Case { name: "put-if-absent creates once and changes nothing afterwards", check: put_if_absent_once },
    Case { name: "of many at once exactly one creates, and all read its bytes", check: put_if_absent_race },
    Case { name: "put replaces", check: put_replaces },
    Case { name: "a replace succeeds on the version that was read, and on no other", check: replace_expected },
    Case { name: "of many that replace one version exactly one succeeds", check: replace_race },
    Case { name: "increments by read, replace and repeat are never lost", check: replace_counts },
    Case { name: "what is absent is none, and removing it is fine", check: absent_is_none },
    Case { name: "a staged object is invisible until published", check: staged_is_invisible },
    Case { name: "size and digest are those of the bytes", check: staged_digest },
    Case { name: "an empty object can be staged", check: staged_empty },
    Case { name: "publishing again changes nothing", check: publish_twice },
    Case { name: "a token that went through JSON still publishes", check: publish_after_json },
    Case { name: "two staged with the same bytes: the second is already there", check: publish_same_content },
    Case { name: "other content at the target is a conflict and stays", check: publish_conflict },
    Case { name: "neither staged nor there is missing", check: publish_missing },
    Case { name: "a right target without the staged object is already there", check: publish_after_discard },
    Case { name: "many publish the same object at once", check: publish_race },
    Case { name: "an unfinished object leaves nothing", check: unfinished_leaves_nothing },
    Case { name: "discarding is fine twice", check: discard_twice },
    Case { name: "a listing is sorted, deep, and only of its folder", check: listing },
    Case { name: "sweeping removes old staged files without a keeper", check: sweeping },
    Case { name: "a path that is not plain is refused everywhere", check: bad_paths },
    Case { name: "the id and location do not change", check: identity },
];

fn stage(store: &dyn Store, target: &str, bytes: &[u8]) -> Staged {
    let mut writer = store.stage(target).expect("stage");
    writer.write_all(bytes).expect("write");
    writer.finish().expect("finish")
}

fn paths(store: &dyn Store, folder: &str) -> Vec<String> {
    store.list(folder).expect("list").into_iter().map(|entry| entry.path).collect()
}

fn content(store: &dyn Store, path: &str) -> Option<Vec<u8>> {
    store.get(path).expect("get").map(|bytes| bytes.to_vec())
}

fn staged_names(store: &dyn Store) -> Vec<String> {
    store.staged().expect("staged").into_iter().map(|entry| entry.path).collect()
}

fn put_if_absent_once(store: &dyn Store) {
    assert_eq!(store.put_if_absent("once/a", b"first").unwrap(), PutOutcome::Created);
    assert_eq!(store.put_if_absent("once/a", b"second").unwrap(), PutOutcome::Exists);
    assert_eq!(content(store, "once/a").unwrap(), b"first");
    store.delete("once/a").unwrap();
    assert_eq!(store.put_if_absent("once/a", b"third").unwrap(), PutOutcome::Created);
}

fn put_if_absent_race(store: &dyn Store) {
    for round in 0..20 {
        let path = format!("race/{round:02}");
        let created = AtomicUsize::new(0);
        let winner = thread::scope(|scope| {
            let racers: Vec<_> = (0..8_u8)
                .map(|racer| {
                    let (path, created) = (&path, &created);
                    scope.spawn(move || {
                        if store.put_if_absent(path, &[racer; 5_000]).unwrap() == PutOutcome::Created {
                            created.fetch_add(1, Ordering::SeqCst);
                        }
                        content(store, path).expect("it exists once a caller was answered")
                    })
                })
                .collect();
            let read: Vec<_> = racers.into_iter().map(|racer| racer.join().unwrap()).collect();
            assert!(read.iter().all(|bytes| *bytes == read[0]), "two winners were read");
            read[0].clone()
        });
        assert_eq!(created.into_inner(), 1);
        assert_eq!((winner.len(), content(store, &path).unwrap()), (5_000, winner));
    }
}

fn put_replaces(store: &dyn Store) {
    store.put("replace/a", b"a longer first version").unwrap();
    store.put("replace/a", b"second").unwrap();
    assert_eq!(content(store, "replace/a").unwrap(), b"second");
    assert_eq!(paths(store, "replace"), ["replace/a"]);
}

fn replace_expected(store: &dyn Store) {
    use ReplaceOutcome::{Conflict, Replaced};
    let path = "expected/a";
    assert!(store.get_versioned(path).unwrap().is_none());
    assert_eq!(store.replace(path, b"first", None).unwrap(), Replaced);
    assert_eq!(store.replace(path, b"again", None).unwrap(), Conflict, "it is there");
    let (bytes, first) = store.get_versioned(path).unwrap().unwrap();
    assert_eq!(&*bytes, b"first");
    assert_eq!(store.get_versioned(path).unwrap().unwrap().1, first, "reading does not change a version");
    assert_eq!(store.replace(path, b"second", Some(&first)).unwrap(), Replaced);
    assert_eq!(store.replace(path, b"third", Some(&first)).unwrap(), Conflict, "it was replaced meanwhile");
    assert_eq!(content(store, path).unwrap(), b"second");
    assert_eq!(paths(store, "expected"), [path], "and nothing else is left");
    let (_, second) = store.get_versioned(path).unwrap().unwrap();
    store.delete(path).unwrap();
    assert_eq!(store.replace(path, b"third", Some(&second)).unwrap(), Conflict, "it was removed meanwhile");
    assert_eq!(content(store, path), None);
    assert_eq!(store.replace(path, b"", None).unwrap(), Replaced, "also without bytes");
    let (_, empty) = store.get_versioned(path).unwrap().unwrap();
    assert_eq!(store.replace(path, b"fourth", Some(&empty)).unwrap(), Replaced);
    store.put(path, b"put").unwrap();
    assert_eq!(store.replace(path, b"fifth", Some(&empty)).unwrap(), Conflict);
    assert_eq!(content(store, path).unwrap(), b"put");
}

fn replace_race(store: &dyn Store) {
    for round in 0..10 {
        let path = format!("replaced/{round}");
        store.put(&path, b"before").unwrap();
        let (_, version) = store.get_versioned(&path).unwrap().unwrap();
        let expected = if round % 2 == 0 { Some(&version) } else { None };
        if expected.is_none() {
            store.delete(&path).unwrap();
        }
        let barrier = Barrier::new(8);
        let winners: Vec<u8> = thread::scope(|scope| {
            let racer = |racer: u8| {
                let (path, barrier) = (&path, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let outcome = store.replace(path, &[racer; 3_000], expected).unwrap();
                    (outcome == ReplaceOutcome::Replaced).then_some(racer)
                })
            };
            let racers: Vec<_> = (0..8).map(racer).collect();
            racers.into_iter().filter_map(|racer| racer.join().unwrap()).collect()
        });
        let [winner] = winners.as_slice() else { panic!("round {round}: {winners:?} replaced the same version") };
        assert_eq!(content(store, &path).unwrap(), [*winner; 3_000], "round {round}");
    }
}

fn replace_counts(store: &dyn Store) {
    const RACERS: usize = 6;
    const INCREMENTS: usize = 5;
    let path = "counted/a";
    let increment = || loop {
        let read = store.get_versioned(path).unwrap();
        let count: usize = read.as_ref().map_or(0, |(bytes, _)| std::str::from_utf8(bytes).unwrap().parse().unwrap());
        let next = (count + 1).to_string();
        let version = read.as_ref().map(|(_, version)| version);
        if store.replace(path, next.as_bytes(), version).unwrap() == ReplaceOutcome::Replaced {
            return;
        }
    };
    thread::scope(|scope| {
        for _ in 0..RACERS {
            scope.spawn(|| (0..INCREMENTS).for_each(|_| increment()));
        }
    });
    assert_eq!(content(store, path).unwrap(), (RACERS * INCREMENTS).to_string().as_bytes());
}

fn absent_is_none(store: &dyn Store) {
    assert_eq!(content(store, "absent/a"), None);
    assert!(store.open("absent/a").unwrap().is_none());
    assert!(store.list("absent").unwrap().is_empty());
    store.delete("absent/a").unwrap();
    store.put("absent/folder/a", b"x").unwrap();
    assert_eq!(content(store, "absent/folder"), None, "a folder is no object");
    assert_eq!(content(store, "absent/folder/a/b"), None, "below an object there is nothing");
}

fn staged_is_invisible(store: &dyn Store) {
    let before = paths(store, "");
    let mut writer = store.stage("invisible/data/a").unwrap();
    writer.write_all(b"bytes").unwrap();
    assert_eq!(paths(store, ""), before);
    let staged = writer.finish().unwrap();
    assert_eq!(paths(store, ""), before);
    assert_eq!(content(store, "invisible/data/a"), None);
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
    assert_eq!(paths(store, "invisible"), ["invisible/data/a"]);
    let mut read = Vec::new();
    store.open("invisible/data/a").unwrap().unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, b"bytes");
}

fn staged_digest(store: &dyn Store) {
    let bytes: Vec<u8> = (0..700_001_u32).map(|n| (n % 251) as u8).collect();
    let mut writer = store.stage("digest/a").unwrap();
    for piece in bytes.chunks(7_919) {
        writer.write_all(piece).unwrap();
    }
    let staged = writer.finish().unwrap();
    assert_eq!((staged.target.as_str(), staged.bytes), ("digest/a", 700_001));
    assert_eq!(staged.sha256, hex::encode(Sha256::digest(&bytes)));
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
    assert_eq!(content(store, "digest/a").unwrap(), bytes);
    assert_eq!(store.list("digest").unwrap()[0].bytes, 700_001);
}

fn staged_empty(store: &dyn Store) {
    let staged = stage(store, "empty/a", b"");
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
    assert_eq!(content(store, "empty/a").unwrap(), b"");
}

fn publish_twice(store: &dyn Store) {
    let staged = stage(store, "twice/a", b"bytes");
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
    assert_eq!(store.publish(&staged).unwrap(), Published::Already);
    assert_eq!(content(store, "twice/a").unwrap(), b"bytes");
    let name = Staged::name_of(&staged.token).unwrap();
    assert!(!staged_names(store).iter().any(|other| other == name));
}

fn publish_after_json(store: &dyn Store) {
    let text = serde_json::to_string(&stage(store, "json/a", b"bytes")).unwrap();
    let staged: Staged = serde_json::from_str(&text).unwrap();
    let name = Staged::name_of(&staged.token).expect("a token has a name");
    assert!(staged_names(store).iter().any(|other| other == name), "{name} is not listed");
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
}

fn publish_same_content(store: &dyn Store) {
    let (first, second) = (stage(store, "same/a", b"bytes"), stage(store, "same/a", b"bytes"));
    assert_ne!(first.token, second.token);
    assert_eq!(store.publish(&first).unwrap(), Published::Done);
    assert_eq!(store.publish(&second).unwrap(), Published::Already);
    let name = Staged::name_of(&second.token).unwrap();
    assert!(!staged_names(store).iter().any(|other| other == name), "the second is left behind");
}

fn publish_conflict(store: &dyn Store) {
    for (target, other) in [("conflict/a", b"other content".as_slice()), ("conflict/b", b"nytes")] {
        let staged = stage(store, target, b"bytes");
        store.put_if_absent(target, other).unwrap();
        let error = store.publish(&staged).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
        assert_eq!(content(store, target).unwrap(), other, "a publish replaced data");
        store.discard(&staged).unwrap();
        assert!(matches!(store.publish(&staged), Err(StoreError::Conflict { .. })), "also without the staged one");
    }
}

fn publish_missing(store: &dyn Store) {
    let staged = stage(store, "missing/a", b"bytes");
    store.discard(&staged).unwrap();
    assert_eq!(store.publish(&staged).unwrap(), Published::Missing);
    assert_eq!(content(store, "missing/a"), None);
}

fn publish_after_discard(store: &dyn Store) {
    let staged = stage(store, "discarded/a", b"bytes");
    store.discard(&staged).unwrap();
    store.put_if_absent("discarded/a", b"bytes").unwrap();
    assert_eq!(store.publish(&staged).unwrap(), Published::Already);
}

fn publish_race(store: &dyn Store) {
    for round in 0..10 {
        let staged = stage(store, &format!("together/{round}"), b"bytes");
        let outcomes: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..4).map(|_| scope.spawn(|| store.publish(&staged).unwrap())).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert!(outcomes.iter().all(|outcome| *outcome != Published::Missing), "{outcomes:?}");
        assert!(outcomes.contains(&Published::Done), "{outcomes:?}");
        assert_eq!(content(store, &staged.target).unwrap(), b"bytes");
    }
}

fn unfinished_leaves_nothing(store: &dyn Store) {
    let before = staged_names(store);
    let mut writer = store.stage("unfinished/a").unwrap();
    writer.write_all(&vec![1; 1_000_000]).unwrap();
    drop(writer);
    assert_eq!(staged_names(store), before);
    assert!(paths(store, "unfinished").is_empty());
}

fn discard_twice(store: &dyn Store) {
    let staged = stage(store, "discard/a", b"bytes");
    store.discard(&staged).unwrap();
    store.discard(&staged).unwrap();
    let name = Staged::name_of(&staged.token).unwrap();
    assert!(!staged_names(store).iter().any(|other| other == name));
}

fn listing(store: &dyn Store) {
    for path in ["list/b/2", "list/a", "list/b/10", "list/b-c", "list/b/c/d", "listed/x"] {
        store.put_if_absent(path, path.as_bytes()).unwrap();
    }
    let found = paths(store, "list");
    assert_eq!(found, ["list/a", "list/b-c", "list/b/10", "list/b/2", "list/b/c/d"]);
    assert_eq!(paths(store, "list/b"), ["list/b/10", "list/b/2", "list/b/c/d"]);
    let entries = store.list("list").unwrap();
    assert!(entries.iter().all(|entry| entry.bytes == entry.path.len() as u64));
    assert!(entries.iter().all(|entry| entry.modified_ms > 1_600_000_000_000));
    let everything = paths(store, "");
    assert!(found.iter().all(|path| everything.contains(path)));
}

fn sweeping(store: &dyn Store) {
    let (kept, old) = (stage(store, "sweep/kept", b"1"), stage(store, "sweep/old", b"2"));
    let name = Staged::name_of(&kept.token).unwrap();
    assert_eq!(store.sweep(0, &|_| false).unwrap(), 0, "nothing is that old");
    assert!(store.sweep(i64::MAX, &|staged| staged == name).unwrap() >= 1);
    assert_eq!(staged_names(store), [name]);
    assert_eq!(store.publish(&old).unwrap(), Published::Missing);
    assert_eq!(store.publish(&kept).unwrap(), Published::Done);
    assert_eq!(content(store, "sweep/kept").unwrap(), b"1");
}

fn bad_paths(store: &dyn Store) {
    let staged = stage(store, "bad/ok", b"bytes");
    for path in ["", "/etc/passwd", "..", "bad/../../x", "bad/./x", "bad//x", "bad/", "bad\\x", "bad/\0"] {
        let refused = |error: Option<StoreError>, call: &str| {
            assert!(matches!(error, Some(StoreError::BadPath { .. })), "{call} {path:?}: {error:?}");
        };
        refused(store.put_if_absent(path, b"x").err(), "put_if_absent");
        refused(store.put(path, b"x").err(), "put");
        refused(store.replace(path, b"x", None).err(), "replace");
        refused(store.get_versioned(path).err(), "get_versioned");
        refused(store.stage(path).err(), "stage");
        refused(store.get(path).err(), "get");
        refused(store.open(path).err(), "open");
        refused(store.delete(path).err(), "delete");
        refused(store.publish(&Staged { target: path.into(), ..staged.clone() }).err(), "publish");
        assert_eq!(store.local_path(path), None);
        if !path.is_empty() {
            refused(store.list(path).err(), "list");
        }
    }
    store.discard(&staged).unwrap();
}

fn identity(store: &dyn Store) {
    assert!(!store.id().is_empty());
    assert_eq!(store.id(), store.id());
    assert!(!store.location().is_empty());
}
