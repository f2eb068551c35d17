//! Files of a cut on this machine, for DuckDB to open by path. A remote store's files are fetched when they are asked for,
//! so a question about one tenant fetches that tenant's files.

use std::fmt;
use std::panic;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use platform::store::{Object, Store};

use super::{Cut, DataFile};
use crate::error::{ExportError, Result};

/// Files fetched at a time: enough to hide the way to the store, few enough not to fill it.
const FETCHES_AT_A_TIME: usize = 8;

/// The store of a cut.
#[derive(Clone)]
pub(super) struct Origin(pub(super) Arc<dyn Store>);

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.location())
    }
}

impl Cut {
    /// Where these files are on this machine, in their order.
    pub(crate) fn local<'c>(&self, files: impl IntoIterator<Item = &'c DataFile>) -> Result<Vec<PathBuf>> {
        let files: Vec<&DataFile> = files.into_iter().collect();
        let fetch = |part: &[&DataFile]| part.iter().map(|file| self.local_of(file)).collect::<Result<Vec<_>>>();
        let is_remote = |file: &&DataFile| self.origin.as_ref().is_some_and(|o| o.0.local_path(&file.path).is_none());
        if !files.first().is_some_and(is_remote) {
            return fetch(&files);
        }
        let share = files.len().div_ceil(FETCHES_AT_A_TIME);
        thread::scope(|scope| {
            let parts: Vec<_> = files.chunks(share).map(|part| scope.spawn(move || fetch(part))).collect();
            let mut all = Vec::with_capacity(files.len());
            for part in parts {
                all.extend(part.join().unwrap_or_else(|payload| panic::resume_unwind(payload))?);
            }
            Ok(all)
        })
    }

    fn local_of(&self, file: &DataFile) -> Result<PathBuf> {
        match (&file.local, &self.origin) {
            (Some(local), _) => Ok(local.clone()),
            (None, Some(Origin(store))) => {
                let DataFile { path, sha256, bytes, .. } = file;
                Ok(store.local_file(Object { path, bytes: *bytes, sha256 })?)
            }
            (None, None) => Err(ExportError::NoInputFiles { searched: file.path.clone() }),
        }
    }
}
