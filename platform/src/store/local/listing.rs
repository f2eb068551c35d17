//! The files below a folder, in path order.

use std::fs::{self, Metadata};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::durable::is_absent;
use crate::store::{Entry, Result, StoreError};

/// Files below `folder`, as paths below `root`, without those below `except`. What disappears meanwhile is
/// left out.
///
/// # Errors
/// Also for a symbolic link and for a name that is not UTF-8: readers by glob would follow or read it,
/// so leaving it out would give two answers about one store.
pub(super) fn files_below(root: &Path, folder: &Path, except: Option<&Path>) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if Some(folder.as_path()) == except {
            continue;
        }
        let failed = |e| StoreError::io("listing", folder.to_string_lossy(), e);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if is_absent(&e) => continue,
            Err(e) => return Err(failed(e)),
        };
        for entry in entries {
            let file = entry.map_err(failed)?.path();
            match fs::symlink_metadata(&file) {
                Ok(metadata) if metadata.is_dir() => folders.push(file),
                Ok(metadata) => found.push(describe(root, &file, &metadata)?),
                Err(e) if is_absent(&e) => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn describe(root: &Path, file: &Path, metadata: &Metadata) -> Result<Entry> {
    let below = file.strip_prefix(root).unwrap_or(file);
    let bad = |reason| StoreError::BadPath { path: below.to_string_lossy().into_owned(), reason };
    if metadata.is_symlink() {
        return Err(bad("it leads through a symbolic link"));
    }
    let path = below.to_str().ok_or_else(|| bad("it is not UTF-8"))?.to_owned();
    let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    let modified_ms = i64::try_from(modified.as_millis()).unwrap_or(i64::MAX);
    Ok(Entry { path, bytes: metadata.len(), modified_ms })
}
