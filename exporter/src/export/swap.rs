//! A folder of files replaced as one: the new folder is written beside the old one, flushed, and exchanged with it
//! by one rename. A reader that opens a file by its documented path sees either all old or all new files; after a crash
//! at any moment the documented path is one of the two (on file systems that cannot exchange perhaps none, until the next build).
//!
//! Several exporters may do this at once. A build knows which version of the folder it replaces, and under a lock the folder is
//! exchanged only if it still is that version. So what was made of an older cut never takes the place of what was made of
//! a newer one.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use contracts::export_manifest::FILE_NAME;
use platform::failpoint;
use platform::retry::Backoff;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::{ExportError, Result};

/// Marks folders being built; no other names start like this.
const BUILDING: &str = ".building-";
/// A folder left behind by a crash is removed when it is this old; no build takes as long.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);
/// Longest wait for the lock. It is held for a comparison and two renames, unless the disk stalls or a process was frozen
/// with it.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);
/// In the folder of all tenants where the file system does not lock folders.
const LOCK: &str = ".lock";

/// Which files a folder holds, as its manifest says: a manifest names the state of the store that its files were made of, so
/// it does not come back. None without a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FolderVersion(Option<String>);

impl FolderVersion {
    /// Of the folder as it is now.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        match fs::read(&path) {
            Ok(manifest) => Ok(Self(Some(hex::encode(Sha256::digest(manifest))))),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Self(None)),
            Err(error) => Err(ExportError::io("reading", &path)(error)),
        }
    }
}

/// Makes `folder` hold exactly `files`, in the place of `base`. False when it holds them already, byte for byte: then nothing is
/// touched.
///
/// # Errors
/// [`ExportError::Superseded`] when another process has replaced it since.
pub(super) fn replace_folder(folder: &Path, base: &FolderVersion, files: &[(String, Vec<u8>)]) -> Result<bool> {
    if holds(folder, files) {
        return Ok(false);
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(ExportError::io("creating", parent))?;
    let building = parent.join(format!("{BUILDING}{}", uuid::Uuid::new_v4().simple()));
    let replace = || {
        failpoint::hit!("exporter.export.begin");
        let _built = write_all(&building, files)?;
        failpoint::hit!("exporter.export.written");
        let lock = lock(parent, LOCK_WAIT_MAX)?;
        if FolderVersion::of(folder)? != *base {
            return Err(ExportError::Superseded { what: format!("files in {}", folder.display()) });
        }
        exchange(&building, folder)?;
        drop(lock);
        failpoint::hit!("exporter.export.exchanged");
        sync(parent)
    };
    let outcome = replace();
    // Now the old files, or on failure the unfinished new ones.
    if let Err(error) = fs::remove_dir_all(&building)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(folder = %building.display(), %error, "could not remove the replaced folder");
    }
    outcome.map(|()| true)
}

/// Locks the folder of all tenants; the kernel releases the lock when a process dies.
fn lock(parent: &Path, wait_max: Duration) -> Result<File> {
    let mut file = File::open(parent).map_err(ExportError::io("opening", parent))?;
    let started = Instant::now();
    let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
    let mut is_folder = true;
    loop {
        let error = match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if started.elapsed() < wait_max => {
                std::thread::sleep(backoff.next_delay());
                continue;
            }
            Err(TryLockError::WouldBlock) => {
                io::Error::new(ErrorKind::TimedOut, "another process holds it for too long")
            }
            // Some network file systems lock files only, and only those that are open for writing.
            Err(TryLockError::Error(_)) if is_folder => {
                is_folder = false;
                let path = parent.join(LOCK);
                let opened = File::options().create(true).truncate(false).read(true).write(true).open(&path);
                file = opened.map_err(ExportError::io("opening", &path))?;
                continue;
            }
            Err(TryLockError::Error(error)) => error,
        };
        return Err(ExportError::io("locking", parent)(error));
    }
}

fn holds(folder: &Path, files: &[(String, Vec<u8>)]) -> bool {
    let Ok(found) = fs::read_dir(folder) else { return false };
    found.count() == files.len()
        && files.iter().all(|(name, bytes)| fs::read(folder.join(name)).is_ok_and(|found| found == *bytes))
}

/// Returns the folder, locked: as long as its process lives no other one takes it for a leftover.
fn write_all(building: &Path, files: &[(String, Vec<u8>)]) -> Result<File> {
    fs::create_dir(building).map_err(ExportError::io("creating", building))?;
    let folder = File::open(building).map_err(ExportError::io("opening", building))?;
    // Not every file system locks folders; then its age protects it.
    let _locked = folder.try_lock();
    for (name, bytes) in files {
        let path = building.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(ExportError::io("writing", &path))?;
    }
    folder.sync_all().map_err(ExportError::io("flushing", building))?;
    Ok(folder)
}

/// Puts `building` in the place of `folder`; afterwards the old folder, if any, is at `building`.
fn exchange(building: &Path, folder: &Path) -> Result<()> {
    let doing = "replacing";
    if !folder.exists() {
        return fs::rename(building, folder).map_err(ExportError::io(doing, folder));
    }
    match renameat_with(CWD, building, CWD, folder, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => exchange_in_two_steps(building, folder),
        Err(errno) => Err(errno.into()).map_err(ExportError::io(doing, folder)),
    }
}

/// For file systems that cannot exchange (some network and FUSE mounts): for a moment no folder is there. Files of
/// two generations still never mix.
fn exchange_in_two_steps(building: &Path, folder: &Path) -> Result<()> {
    tracing::warn!(folder = %folder.display(), "this file system cannot exchange folders; replacing in two steps");
    let mut aside: PathBuf = building.to_owned();
    aside.as_mut_os_string().push("-old");
    fs::rename(folder, &aside).map_err(ExportError::io("setting aside", folder))?;
    if let Err(error) = fs::rename(building, folder) {
        fs::rename(&aside, folder).map_err(ExportError::io("restoring", folder))?;
        return Err(ExportError::io("replacing", folder)(error));
    }
    fs::rename(&aside, building).map_err(ExportError::io("setting aside", &aside))
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|dir| dir.sync_all()).map_err(ExportError::io("flushing", folder))
}

/// Removes what crashed builds left in the folder of all tenants. When it fails, the next pass tries again. It reads the
/// whole folder, so it is for a pass over all tenants and not for each of them.
pub(crate) fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILDING)) {
        let modified = entry.metadata().and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
        let is_in_use =
            || File::open(entry.path()).is_ok_and(|f| matches!(f.try_lock(), Err(TryLockError::WouldBlock)));
        if modified.elapsed().is_ok_and(|age| age > LEFTOVER_AGE)
            && !is_in_use()
            && let Err(error) = fs::remove_dir_all(entry.path())
        {
            tracing::warn!(folder = %entry.path().display(), %error, "could not remove a leftover folder");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        list.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn replace_folder(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<bool> {
        super::replace_folder(folder, &FolderVersion::of(folder)?, files)
    }

    #[test]
    fn what_was_made_before_another_replaced_it_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("acme");
        let [a, b, c] = ["1", "2", "3"].map(|text| files(&[(FILE_NAME, text)]));
        let none = FolderVersion::of(&folder).unwrap();
        assert!(super::replace_folder(&folder, &none, &a).unwrap());
        let older = FolderVersion::of(&folder).unwrap();
        assert!(super::replace_folder(&folder, &older, &b).unwrap());
        for base in [&none, &older] {
            let refused = super::replace_folder(&folder, base, &c);
            assert!(matches!(refused, Err(ExportError::Superseded { .. })), "{refused:?}");
            assert!(!super::replace_folder(&folder, base, &b).unwrap(), "the same files are no replacement");
        }
        assert_eq!(fs::read_to_string(folder.join(FILE_NAME)).unwrap(), "2");
        assert_eq!(names(root.path()), ["acme"], "nothing is left beside");
    }

    #[test]
    fn of_many_that_replace_one_version_exactly_one_does() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("acme");
        for round in 0..10 {
            let base = &FolderVersion::of(&folder).unwrap();
            let folder = &folder;
            let replace = move |n: i32| {
                super::replace_folder(folder, base, &files(&[(FILE_NAME, &format!("{round} {n}"))])).is_ok()
            };
            let winners = std::thread::scope(|scope| {
                let all: Vec<_> = (0..4).map(|n| scope.spawn(move || replace(n))).collect();
                all.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
            });
            assert_eq!(winners, 1, "round {round}");
        }
        assert_eq!(names(root.path()), ["acme"], "nothing is left beside");
    }

    #[test]
    fn a_lock_that_is_never_released_is_named() {
        let root = tempfile::tempdir().unwrap();
        let held = lock(root.path(), Duration::ZERO).unwrap();
        let error = lock(root.path(), Duration::from_millis(5)).unwrap_err().to_string();
        assert!(error.starts_with("locking ") && error.ends_with("another process holds it for too long"), "{error}");
        drop(held);
        lock(root.path(), Duration::ZERO).unwrap();
    }

    #[test]
    fn a_folder_that_a_living_process_builds_is_no_leftover() {
        let root = tempfile::tempdir().unwrap();
        let (alive, dead) = (root.path().join(".building-a"), root.path().join(".building-b"));
        let held = write_all(&alive, &files(&[("a", "1")])).unwrap();
        drop(write_all(&dead, &files(&[("a", "1")])).unwrap());
        for folder in [&alive, &dead] {
            File::open(folder).unwrap().set_modified(SystemTime::now() - 2 * LEFTOVER_AGE).unwrap();
        }
        remove_leftovers(root.path());
        assert_eq!(names(root.path()), [".building-a"]);
        drop(held);
        remove_leftovers(root.path());
        assert_eq!(names(root.path()), [""; 0]);
    }

    fn check_replacing(exchange: fn(&Path, &Path) -> Result<()>) {
        let root = tempfile::tempdir().unwrap();
        let (folder, building) = (root.path().join("acme"), root.path().join("new"));
        replace_folder(&folder, &files(&[("a", "1"), ("b", "2")])).unwrap();
        write_all(&building, &files(&[("a", "3")])).unwrap();
        exchange(&building, &folder).unwrap();
        assert_eq!(names(&folder), ["a"]);
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "3");
        assert_eq!(names(&building), ["a", "b"], "the old files are where they can be removed");
    }

    #[test]
    fn folders_are_exchanged() {
        check_replacing(exchange);
    }

    #[test]
    fn folders_are_exchanged_in_two_steps() {
        check_replacing(exchange_in_two_steps);
    }

    #[test]
    fn the_same_files_are_not_written_again() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("acme");
        let list = files(&[("a", "1"), ("b", "2")]);
        assert!(replace_folder(&folder, &list).unwrap());
        assert!(!replace_folder(&folder, &list).unwrap());
        fs::remove_file(folder.join("b")).unwrap();
        assert!(replace_folder(&folder, &list).unwrap(), "a file that went missing comes back");
        assert_eq!(names(root.path()), ["acme"], "nothing is left beside");
    }

    #[test]
    fn a_failed_write_leaves_the_old_files() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("acme");
        replace_folder(&folder, &files(&[("a", "1")])).unwrap();
        assert!(replace_folder(&folder, &files(&[("a", "2"), ("no/such/folder", "3")])).is_err());
        assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "1");
        assert_eq!(names(root.path()), ["acme"], "nothing is left beside");
    }
}
