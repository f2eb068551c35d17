//! Who this store is: an id made on first use and kept in it.

use std::io::{Error, ErrorKind};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::LocalStore;
use crate::store::{Result, Store};

/// Holds the store's identity.
pub(super) const IDENTITY: &str = "_store.json";
/// Version of the file; a store with a higher one is refused.
const FORMAT_VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Identity {
    format_version: u32,
    store_id: String,
}

impl LocalStore {
    pub(super) fn read_identity(&self) -> Result<Option<String>> {
        let Some(bytes) = self.get(IDENTITY)? else { return Ok(None) };
        let refused = |reason: String| {
            self.failed("reading the identity of the store,", IDENTITY, Error::new(ErrorKind::InvalidData, reason))
        };
        let identity: Identity = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
        if identity.format_version > FORMAT_VERSION {
            return Err(refused(format!("format {} is newer than this program", identity.format_version)));
        }
        Ok(Some(identity.store_id))
    }

    /// Two processes may open a new store at once: the first identity wins, both read it.
    pub(super) fn make_identity(&self) -> Result<String> {
        let identity = Identity { format_version: FORMAT_VERSION, store_id: Uuid::new_v4().to_string() };
        let text = serde_json::json!(identity).to_string();
        self.create(IDENTITY, text.as_bytes())?;
        Ok(self.read_identity()?.unwrap_or(identity.store_id))
    }
}
