//! A really full disk, where this user may make a small one; `/dev/full` and the error codes are tested
//! everywhere, beside the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use platform::store::local::{LocalStore, STAGING};
use platform::store::{PutOutcome, Store, StoreError};

/// The store's own folder.
const OWN: &str = "_own";

/// A file system of 256 KiB in memory.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path) -> Option<Self> {
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(at).output();
        mount.is_ok_and(|output| output.status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_named_leaves_nothing_and_works_again_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        // The harness would keep what `println!` says to itself. `tests::skip` knows this crate, which cannot know it.
        let name = "a_full_disk_is_named_leaves_nothing_and_works_again_with_room";
        writeln!(std::io::stdout(), "skipped: {name}: mounting a small file system needs root").unwrap();
        return;
    };
    let store = LocalStore::open(&disk.0, OWN).unwrap();
    let big = vec![1; 1 << 20];
    let full = |error: StoreError| assert!(matches!(error, StoreError::NoSpace { .. }), "{error}");
    full(store.put_if_absent("chain/0.json", &big).unwrap_err());
    full(store.put("manifest.json", &big).unwrap_err());
    let mut writer = store.stage("data/a").unwrap();
    assert!(writer.write_all(&big).and_then(|()| writer.flush()).is_err());
    full(writer.finish().unwrap_err());
    assert_eq!(fs::read_dir(disk.0.join(OWN).join(STAGING)).unwrap().count(), 0);
    assert_eq!(store.list("").unwrap().len(), 1, "only the identity");
    assert_eq!(store.put_if_absent("chain/0.json", b"small").unwrap(), PutOutcome::Created);
}
