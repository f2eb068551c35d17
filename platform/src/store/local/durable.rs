//! Files and folders that survive a power cut. A new name is durable when the folder that holds it was
//! synced, so creating folders syncs each folder above them.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Folders remembered as durable; at the limit all are forgotten, which costs a sync each and no more.
/// 10,000 is about one day of a large installation.
const FOLDERS_REMEMBERED_MAX: usize = 10_000;

/// True when the error says that no object is there. A file where a folder is expected says so too.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(test)]
    tests::SYNCED.with_borrow_mut(|synced| synced.push(folder.to_owned()));
    File::open(folder)?.sync_all()
}

/// Creates a file with these bytes, on disk when it returns.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Creates a folder and what is missing above it, all of it on disk when it returns.
///
/// # Errors
/// A folder cannot be created or flushed.
pub fn create_folder(root: &Path) -> io::Result<()> {
    if root.is_dir() {
        return Ok(());
    }
    let absolute = std::path::absolute(root)?;
    let base = absolute.ancestors().skip(1).find(|a| a.is_dir()).unwrap_or(Path::new("/"));
    Folders::below(base).ensure(&absolute)
}

/// Creates folders durably and remembers which need no further sync.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    durable: Mutex<HashSet<PathBuf>>,
}

impl Folders {
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), durable: Mutex::default() }
    }

    pub(super) fn ensure_parent(&self, file: &Path) -> io::Result<()> {
        file.parent().map_or(Ok(()), |parent| self.ensure(parent))
    }

    /// Makes the folder and all above it, below the root, exist durably. One that exists already may have
    /// been made by a process that crashed before its sync, so the first use syncs it too.
    pub(super) fn ensure(&self, folder: &Path) -> io::Result<()> {
        if folder == self.root || self.is_durable(folder) {
            return Ok(());
        }
        let Some(parent) = folder.parent() else { return Ok(()) };
        self.ensure(parent)?;
        match fs::create_dir(folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
            _ => sync_folder(parent)?,
        }
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.len() >= FOLDERS_REMEMBERED_MAX {
            durable.clear();
        }
        durable.insert(folder.to_owned());
        Ok(())
    }

    /// Remembered, and still there: an operator may have removed it under a running service.
    fn is_durable(&self, folder: &Path) -> bool {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(folder) && folder.is_dir()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        /// Folders that this thread has synced.
        pub(super) static SYNCED: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    /// What a power cut leaves of a new folder is decided by the folder that holds its name.
    #[test]
    fn a_new_folder_is_made_durable_in_the_one_above_it() {
        let temporary = tempfile::tempdir().unwrap();
        let [above, data, store] = ["there", "there/data", "there/data/store"].map(|name| temporary.path().join(name));
        fs::create_dir(&above).unwrap();
        create_folder(&store).unwrap();
        assert_eq!(SYNCED.take(), [above.clone(), data]);
        create_folder(&store).unwrap();
        assert_eq!(SYNCED.take(), [] as [&Path; 0], "it was there");
    }
}
