//! Files of a cut on this machine, to be opened by path. A remote store's files are fetched when they are asked for,
//! so a question about one tenant fetches that tenant's files.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use platform::store::many::{is_remote, several_at_a_time};
use platform::store::{Lease, Object, Store};

use super::error::{CutError, Result};
use super::{Cut, DataFile};

/// The store of a cut.
#[derive(Clone)]
pub(super) struct Origin(pub(super) Arc<dyn Store>);

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.location())
    }
}

impl Cut {
    /// Where these files are on this machine, in their order; they stay there as long as the lease.
    ///
    /// # Errors
    /// The store cannot read one of them.
    pub fn local<'c>(&self, files: impl IntoIterator<Item = &'c DataFile>, lease: &Lease) -> Result<Vec<PathBuf>> {
        let files: Vec<&DataFile> = files.into_iter().collect();
        let is_far = |file: &&DataFile| self.origin.as_ref().is_some_and(|origin| is_remote(&*origin.0, &file.path));
        if files.first().is_some_and(is_far) {
            several_at_a_time(&files, |file| self.local_of(file, lease))
        } else {
            files.into_iter().map(|file| self.local_of(file, lease)).collect()
        }
    }

    fn local_of(&self, file: &DataFile, lease: &Lease) -> Result<PathBuf> {
        match (&file.local, &self.origin) {
            (Some(local), _) => Ok(local.clone()),
            (None, Some(Origin(store))) => {
                let DataFile { path, sha256, bytes, .. } = file;
                Ok(store.local_file(Object { path, bytes: *bytes, sha256 }, lease)?)
            }
            (None, None) => {
                Err(CutError::BadObject { path: file.path.clone(), problem: "it is in no store".to_owned() })
            }
        }
    }
}
