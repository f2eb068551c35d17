//! The local store: the suite every store must pass, and what only a folder can get wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use platform::store::local::{LocalStore, STAGING};
use platform::store::{Lease, Object, Published, PutOutcome, Staged, Store, StoreError};

/// The store's own folder.
const OWN: &str = "_own";

fn stage(store: &LocalStore, target: &str, bytes: &[u8]) -> Staged {
    let mut writer = store.stage(target).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

#[test]
fn opening_makes_one_identity_that_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/data");
    let ids: Vec<String> = std::thread::scope(|scope| {
        let open = || LocalStore::open(&root, OWN).unwrap().id().to_owned();
        let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(LocalStore::open_existing(&root, OWN).unwrap().id(), ids[0]);
    assert_ne!(LocalStore::open(&folder.path().join("other"), OWN).unwrap().id(), ids[0]);
}

#[test]
fn opening_an_existing_store_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = LocalStore::open_existing(folder.path(), OWN).unwrap_err().to_string();
    assert!(error.contains("not a store: it has no _store.json"), "{error}");
    assert!(LocalStore::open_existing(&folder.path().join("typo"), OWN).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_of_the_future_or_a_broken_identity_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (text, reason) in [(r#"{"format_version":2,"store_id":"x"}"#, "format 2 is newer"), ("{}", "missing field")] {
        fs::write(folder.path().join("_store.json"), text).unwrap();
        let error = LocalStore::open(folder.path(), OWN).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn the_identity_and_staged_objects_are_not_for_callers() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    let staged = stage(&store, "data/a", b"bytes");
    let inside = Staged::name_of(&staged.token).unwrap();
    for path in ["_store.json", inside, "_own/staging"] {
        assert!(matches!(store.put(path, b"x"), Err(StoreError::BadPath { .. })), "{path}");
        assert!(matches!(store.put_if_absent(path, b"x"), Err(StoreError::BadPath { .. })), "{path}");
        assert!(matches!(store.delete(path), Err(StoreError::BadPath { .. })), "{path}");
        assert!(matches!(store.stage(path), Err(StoreError::BadPath { .. })), "{path}");
    }
    for name in ["_store.json", "_own/staging/../../_store.json", "_own/staging/", "_own/staging", "x"] {
        let forged = Staged { token: serde_json::json!({"name": name}), ..staged.clone() };
        assert!(matches!(store.discard(&forged), Err(StoreError::BadPath { .. })), "{name}");
        assert!(matches!(store.publish(&forged), Err(StoreError::BadPath { .. })), "{name}");
    }
    assert_eq!(store.publish(&staged).unwrap(), Published::Done);
}

#[test]
fn staged_objects_lie_in_the_folder_that_the_opener_names() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), "elsewhere").unwrap();
    let staged = stage(&store, "data/a", b"bytes");
    assert!(Staged::name_of(&staged.token).unwrap().starts_with("elsewhere/staging/"));
    assert!(store.list("elsewhere/staging").is_err());
    assert!(LocalStore::open(folder.path(), "../elsewhere").is_err());
}

#[test]
fn no_symbolic_link_is_followed_below_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "outside").unwrap();
    let root = folder.path().join("root");
    let store = LocalStore::open(&root, OWN).unwrap();
    let staged = stage(&store, "link/a", b"bytes");
    symlink(outside.path(), root.join("link")).unwrap();
    symlink(outside.path().join("secret"), root.join("file")).unwrap();
    symlink(outside.path().join("nothing"), root.join("dangling")).unwrap();
    for path in ["link/secret", "link/new/deep", "file", "dangling"] {
        let refused = |error: Option<StoreError>| {
            assert!(error.as_ref().is_some_and(|e| e.to_string().contains("symbolic link")), "{path}: {error:?}");
        };
        refused(store.get(path).err());
        refused(store.put(path, b"x").err());
        refused(store.put_if_absent(path, b"x").err());
        refused(store.delete(path).err());
        refused(store.list(path).err());
        assert_eq!(store.local_path(path), None);
    }
    assert!(store.publish(&staged).is_err());
    assert!(store.list("").is_err(), "a reader by glob would follow the link");
    assert_eq!(files_below(outside.path()).len(), 1);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "outside");
}

#[test]
fn the_root_itself_may_be_a_link() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("disk")).unwrap();
    symlink(folder.path().join("disk"), folder.path().join("data")).unwrap();
    let store = LocalStore::open(&folder.path().join("data"), OWN).unwrap();
    assert_eq!(store.put_if_absent("a", b"x").unwrap(), PutOutcome::Created);
    assert!(folder.path().join("disk/a").is_file());
}

#[test]
fn nothing_is_left_behind_and_links_are_single() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    store.put_if_absent("a", b"1").unwrap();
    store.put_if_absent("a", b"2").unwrap();
    store.put("b", b"3").unwrap();
    store.publish(&stage(&store, "data/c", b"4")).unwrap();
    assert!(files_below(&folder.path().join(OWN).join(STAGING)).is_empty());
    for path in ["a", "b", "data/c"] {
        assert_eq!(fs::metadata(store.local_path(path).unwrap()).unwrap().nlink(), 1, "{path}");
    }
}

/// Files that are opened by path are read by what compares nothing.
#[test]
fn a_file_is_handed_out_only_when_its_digest_was_seen_to_match() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    let staged = stage(&store, "data/c", b"four");
    store.publish(&staged).unwrap();
    let open = |store: &LocalStore| {
        let object = Object { path: "data/c", bytes: 4, sha256: &staged.sha256 };
        store.local_file(object, &Lease::default())
    };
    let file = open(&store).unwrap();
    fs::write(&file, b"fouR").unwrap();
    for store in [store, LocalStore::open(folder.path(), OWN).unwrap()] {
        let refused = open(&store).unwrap_err();
        assert!(matches!(refused, StoreError::Conflict { .. }), "{refused}");
    }
    fs::write(&file, b"four").unwrap();
    assert_eq!(open(&LocalStore::open(folder.path(), OWN).unwrap()).unwrap(), file);
}

#[test]
fn a_staged_file_of_the_wrong_size_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    let staged = stage(&store, "data/a", b"bytes");
    let file = folder.path().join(Staged::name_of(&staged.token).unwrap());
    fs::write(&file, b"torn").unwrap();
    assert_eq!(store.publish(&staged).unwrap(), Published::Missing);
    assert_eq!(store.get("data/a").unwrap(), None);
}

/// As after a crash between naming the object and removing the staged name.
#[test]
fn both_names_at_once_end_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    let staged = stage(&store, "data/a", b"bytes");
    let file = folder.path().join(Staged::name_of(&staged.token).unwrap());
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::hard_link(&file, folder.path().join("data/a")).unwrap();
    assert_eq!(store.publish(&staged).unwrap(), Published::Already);
    assert!(!file.exists());
    assert_eq!(store.get("data/a").unwrap().unwrap(), "bytes");
}

#[test]
fn a_folder_removed_under_a_running_store_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    store.put_if_absent("deep/er/a", b"1").unwrap();
    fs::remove_dir_all(folder.path().join("deep")).unwrap();
    assert_eq!(store.put_if_absent("deep/er/a", b"2").unwrap(), PutOutcome::Created);
    assert_eq!(store.publish(&stage(&store, "deep/er/b", b"3")).unwrap(), Published::Done);

    // Without its folder of staged objects it is unknown whether the root is still the one that was opened.
    fs::remove_dir_all(folder.path().join(OWN)).unwrap();
    assert!(matches!(store.put_if_absent("deep/er/c", b"4"), Err(StoreError::Exchanged { .. })));
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    assert_eq!(store.put_if_absent("deep/er/c", b"4").unwrap(), PutOutcome::Created);
}

#[test]
fn an_error_names_what_was_being_done_to_what() {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalStore::open(folder.path(), OWN).unwrap();
    store.put_if_absent("a", b"an object, no folder").unwrap();
    let error = store.put_if_absent("a/b", b"x").unwrap_err().to_string();
    assert!(error.starts_with("writing ") && error.contains("/a/b: "), "{error}");
    assert!(files_below(&folder.path().join(OWN).join(STAGING)).is_empty());
    let store = LocalStore::open(&folder.path().join("locked"), OWN).unwrap();
    fs::set_permissions(folder.path().join("locked"), fs::Permissions::from_mode(0o500)).unwrap();
    if let Err(error) = store.put_if_absent("c", b"x") {
        assert!(error.to_string().contains("Permission denied"), "{error}");
    } else {
        println!("permission part not checked: this user may write everywhere");
    }
}

#[test]
fn full_disk_and_full_quota_are_distinguished_from_other_errors() {
    let check = |errno: i32, no_space: bool| {
        let error = StoreError::io("writing", "a", std::io::Error::from_raw_os_error(errno));
        assert_eq!(matches!(error, StoreError::NoSpace { .. }), no_space, "{error}");
    };
    check(libc::ENOSPC, true);
    check(libc::EDQUOT, true);
    check(libc::EIO, false);
    check(libc::EACCES, false);
}
