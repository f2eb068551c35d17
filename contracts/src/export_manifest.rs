//! What every reader of `export/<tenant>/manifest.json` may rely on: which files there are, what they must be, and how far
//! the commit chains had come. The exporter writes more beside it; its own type is compared with this one by a test.

use serde::{Deserialize, Serialize};

use crate::source::ChainPosition;

/// Version of the format; a reader refuses a higher one.
pub const FORMAT_VERSION: u32 = 1;
/// Name of the manifest in the folder of a tenant's exported files.
pub const FILE_NAME: &str = "manifest.json";
/// What begins with this is no tenant's: folders that are being built.
pub const HIDDEN: char = '.';

/// The members of the manifest that say what its files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFiles {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Tenant.
    pub tenant_id: String,
    /// How far each sink partition had come with findings of the tenant.
    pub positions: Vec<ChainPosition>,
    /// The files.
    pub files: Vec<ExportedFile>,
}

/// One exported file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedFile {
    /// File name.
    pub name: String,
    /// Entries of a list, 1 for an object.
    pub rows: u64,
    /// Entries there would be without a limit; 0 in manifests of versions that did not count them.
    #[serde(default)]
    pub total: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
    /// Why it is empty, or all 0; null when it is not.
    #[serde(default)]
    pub reason: Option<String>,
}
