//! A folder of files replaced as one: the new folder is written beside the old one, flushed, and exchanged with it
//! by one rename. A reader that opens a file by its documented path sees either all old or all new files; after a crash
//! at any moment the documented path is one of the two (on file systems that cannot exchange perhaps none, until the next build).

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use platform::failpoint;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use crate::error::{ExportError, Result};

/// Marks folders being built; nobody else's names start like this.
const BUILDING: &str = ".building-";
/// A folder left behind by a crash is removed when it is this old; no build takes as long.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// Makes `folder` hold exactly `files`. False when it does already, byte for byte: then nothing is touched.
pub(super) fn replace_folder(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<bool> {
    if holds(folder, files) {
        return Ok(false);
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(ExportError::io("creating", parent))?;
    remove_leftovers(parent);
    let building = parent.join(format!("{BUILDING}{}", uuid::Uuid::new_v4().simple()));
    let replace = || {
        failpoint::hit("exporter.export.begin");
        write_all(&building, files)?;
        failpoint::hit("exporter.export.written");
        exchange(&building, folder)?;
        failpoint::hit("exporter.export.exchanged");
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

fn holds(folder: &Path, files: &[(String, Vec<u8>)]) -> bool {
    let Ok(found) = fs::read_dir(folder) else { return false };
    found.count() == files.len()
        && files.iter().all(|(name, bytes)| fs::read(folder.join(name)).is_ok_and(|found| found == *bytes))
}

fn write_all(building: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    fs::create_dir(building).map_err(ExportError::io("creating", building))?;
    for (name, bytes) in files {
        let path = building.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = File::create_new(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(ExportError::io("writing", &path))?;
    }
    sync(building)
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

/// Removes what a crash left behind. Failing at it harms nobody: the next build tries again.
fn remove_leftovers(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(BUILDING)) {
        let modified = entry.metadata().and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now());
        if modified.elapsed().is_ok_and(|age| age > LEFTOVER_AGE)
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
