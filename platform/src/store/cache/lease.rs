//! The copies that a reader uses. Their names are in a list, so that no process removes them to make room. An operator may remove
//! the whole folder nevertheless: so the copies are open, and are handed out by paths that lead to open files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::super::compared::Stamp;
use super::LEASE;

/// Copies that all leases of a process keep open, at most; the others are handed out by the names that they have in the folder. A
/// process may often have 1,024 open files, and DuckDB opens files of its own.
const OPEN_MAX: usize = 256;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// The copies that one reader uses: no process removes them before the lease is dropped, or its process is dead.
#[derive(Debug, Default)]
pub struct Lease {
    lists: Mutex<Vec<List>>,
    open: Mutex<Vec<Open>>,
}

/// The list of a lease in one folder.
#[derive(Debug)]
struct List {
    folder: PathBuf,
    path: PathBuf,
    file: File,
}

/// A copy that is open.
#[derive(Debug)]
struct Open {
    stamp: Stamp,
    file: File,
}

impl Lease {
    /// From now on no process removes the file of that name, also when it comes later. The caller shares the folder's lock.
    pub(super) fn keep(&self, folder: &Path, name: &str) -> io::Result<()> {
        let mut all = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        // An operator may have removed the whole folder: a list that has no name protects nothing.
        all.retain(|list| list.folder != folder || list.path.exists());
        if !all.iter().any(|list| list.folder == folder) {
            all.push(List::begin(folder)?);
        }
        let lists = all.iter_mut().filter(|list| list.folder == folder);
        lists.map(|list| &mut list.file).try_for_each(|file| file.write_all(format!("{name}\n").as_bytes()))
    }

    /// A path that leads to this file until the lease is dropped, whatever becomes of its name. `None` where the system has no such
    /// paths, or too many files are open.
    pub(super) fn path_of(&self, file: File) -> io::Result<Option<PathBuf>> {
        let stamp = Stamp::of(&file.metadata()?);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = open.iter().find(|known| known.stamp == stamp) {
            return Ok(Some(known.path()));
        }
        let Some(opened) = Open::new(stamp, file) else { return Ok(None) };
        let path = opened.path();
        // Linux has them in any case, unless `/proc` is not mounted or shows the processes of another container.
        if !fs::metadata(&path).is_ok_and(|found| Stamp::of(&found) == stamp) {
            return Ok(None);
        }
        open.push(opened);
        Ok(Some(path))
    }
}

impl Open {
    fn new(stamp: Stamp, file: File) -> Option<Self> {
        let more = |open| (open < OPEN_MAX).then_some(open + 1);
        OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Self { stamp, file })
    }

    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

impl List {
    fn begin(folder: &Path) -> io::Result<Self> {
        let path = folder.join(format!("{LEASE}{}", Uuid::new_v4().simple()));
        let file = File::create_new(&path)?;
        file.lock()?;
        Ok(Self { folder: folder.to_owned(), path, file })
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // What stays is removed when the folder shrinks.
        let _ = fs::remove_file(&self.path);
    }
}
