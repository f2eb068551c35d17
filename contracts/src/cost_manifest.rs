//! Which file of a billing month is the live one. `_manifest.json` in the month's folder of the dataset `cur_facts` is
//! replaced in one step; readers read the file it names and no other, so that two deliveries are never added up.

use serde::{Deserialize, Serialize};

/// Version of this format; a reader refuses a higher one.
pub const FORMAT_VERSION: u32 = 1;
/// Name of the manifest in the folder of a billing month.
pub const FILE_NAME: &str = "_manifest.json";

/// The live cost facts of one tenant and billing month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostManifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Hash over names, sizes and contents of the files delivered together.
    pub delivery_id: String,
    /// Name of the live file in this folder.
    pub part: String,
    /// Rows of it.
    pub rows: u64,
    /// Size of it in bytes.
    pub bytes: u64,
    /// SHA-256 of it, hex.
    pub sha256: String,
    /// Export it was made from, such as `focus`.
    pub source_format: String,
    /// Name of the file that was live before; kept for readers that are still at it.
    pub previous_part: Option<String>,
}
