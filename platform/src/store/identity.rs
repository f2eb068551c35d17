//! Who a store is: an id made on first use and kept in it, in one form for every store.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Holds the store's identity.
pub(super) const PATH: &str = "_store.json";
/// Version of the object; a store with a higher one is refused.
const FORMAT_VERSION: u32 = 1;

/// Why a place that holds commits and has no identity does not become a store. A new identity over an old store would part its
/// data from the positions in the broker, and from backups.
pub(super) const NOT_EMPTY: &str = "it holds the commits of a store, but no _store.json: give it the one that it had (a backup \
                                    has it), or use another place";

#[derive(Serialize, Deserialize)]
pub(super) struct StoreIdentity {
    format_version: u32,
    pub store_id: String,
}

impl StoreIdentity {
    pub(super) fn new() -> Self {
        Self { format_version: FORMAT_VERSION, store_id: Uuid::new_v4().to_string() }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// Reads it; the reason of a refusal is for people.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let identity: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if identity.format_version > FORMAT_VERSION {
            return Err(format!("format {} is newer than this program", identity.format_version));
        }
        Ok(identity)
    }
}
