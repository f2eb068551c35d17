//! The identity of a folder: read, or made on first use.

use std::io::{Error, ErrorKind};

use super::LocalStore;
use crate::store::identity::{NOT_EMPTY, PATH, StoreIdentity};
use crate::store::{Result, Store, StoreError};

impl LocalStore {
    pub(super) fn read_identity(&self) -> Result<Option<String>> {
        let Some(bytes) = self.get(PATH)? else { return Ok(None) };
        let refused = |reason: String| {
            self.failed("reading the identity of the store,", PATH, Error::new(ErrorKind::InvalidData, reason))
        };
        Ok(Some(StoreIdentity::parse(&bytes).map_err(refused)?.store_id))
    }

    /// Two processes may open a new store at once: the first identity wins, both read it.
    pub(super) fn make_identity(&self, own: &str) -> Result<String> {
        if !self.list(own)?.is_empty() {
            let (path, reason) = (self.location(), NOT_EMPTY.to_owned());
            return self.read_identity()?.ok_or(StoreError::Refused { doing: "making a store of", path, reason });
        }
        let identity = StoreIdentity::new();
        self.create(PATH, &identity.to_bytes())?;
        Ok(self.read_identity()?.unwrap_or(identity.store_id))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_holds_something_does_not_become_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), "_own").unwrap();
        assert_eq!(store.put_if_absent("_own/chain/1.json", b"{}").unwrap(), crate::store::PutOutcome::Created);
        fs::remove_file(folder.path().join(PATH)).unwrap();
        let error = LocalStore::open(folder.path(), "_own").unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
        assert!(error.to_string().contains("no _store.json: give it the one that it had"), "{error}");
        assert!(!folder.path().join(PATH).exists(), "no new identity");
    }
}
