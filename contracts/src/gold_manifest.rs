//! Which files hold the gold tables of a tenant: `finops_kpi_gold/tenant_id=<t>/_manifest.json`. Readers read the files it
//! names and no others; listing the folder is only for repair.
//!
//! Exporters replace it conditionally: each replacement names the next revision, so two of them never write equal bytes, and a
//! build of an older cut cannot take the place of a newer one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::layout;
use crate::seal::{self, SealError, sealed};
use crate::source::ChainPosition;

/// Version of this format; a reader refuses a higher one. 2 brought revision, positions and digests; what version 1 lacks
/// is empty when it is read.
pub const FORMAT_VERSION: u32 = 2;
/// Name of the manifest in the folder of a tenant's gold tables.
pub const FILE_NAME: &str = "_manifest.json";

/// The gold tables of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldManifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the columns.
    pub schema_version: u32,
    /// Tenant.
    pub tenant_id: String,
    /// Grows by one with each replacement.
    #[serde(default)]
    pub revision: u64,
    /// SHA-256 of what the cut of the last build that changed something held of the tenant.
    pub cut: String,
    /// How far each sink partition had come with findings of the tenant in that cut.
    #[serde(default)]
    pub positions: Vec<ChainPosition>,
    /// When that was, `…Z` with milliseconds.
    pub computed_ts: String,
    /// Files per period.
    pub periods: BTreeMap<String, PeriodTable>,
    /// KPIs that have no row, because their values have too many digits.
    #[serde(default)]
    pub left_out: Vec<LeftOutKpis>,
    /// Files no longer listed, and since when; they are removed when no reader can be at them any more.
    pub retired: BTreeMap<String, i64>,
}

/// The table of one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeriodTable {
    /// Name of its content: equal rows, equal generation.
    pub generation: String,
    /// Rows.
    pub rows: u64,
    /// When it was published, `…Z` with milliseconds.
    pub computed_ts: String,
    /// Its files, paths below the store root.
    pub files: Vec<String>,
    /// Size and digest of its files, by path; empty in format version 1.
    #[serde(default)]
    pub digests: BTreeMap<String, FileDigest>,
}

/// KPIs of one period and currency that have no row, because their sums have more digits than a value can hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutKpis {
    /// Names of the KPIs.
    pub kpis: Vec<String>,
    /// `YYYY-MM-DD` or `YYYY-MM`.
    pub period: String,
    /// Currency.
    pub currency: Option<String>,
}

/// What a file must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Size.
    pub bytes: u64,
    /// SHA-256, hex.
    pub sha256: String,
}

impl GoldManifest {
    /// Reads a manifest of any version.
    ///
    /// # Errors
    /// It is not what was written, or no manifest.
    pub fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        seal::read(bytes)
    }

    /// What is stored: JSON for people, with its own digest.
    ///
    /// # Errors
    /// It cannot be written as JSON.
    pub fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map(sealed)
    }

    /// True when `path` is the file of a period.
    #[must_use]
    pub fn lists(&self, path: &str) -> bool {
        self.periods.values().any(|table| table.files.iter().any(|file| file == path))
    }
}

/// Folder of a tenant's gold tables.
#[must_use]
pub fn folder(tenant: &str) -> String {
    format!("{}/tenant_id={}", layout::KPI_GOLD, layout::encode_segment(tenant))
}

/// Path of a tenant's manifest.
#[must_use]
pub fn path(tenant: &str) -> String {
    format!("{}/{FILE_NAME}", folder(tenant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_the_first_version_is_read() {
        let text = r#"{"format_version": 1, "schema_version": 1, "tenant_id": "acme", "cut": "c",
            "computed_ts": "2026-01-01T00:00:00.000Z", "retired": {"b": 5}, "periods": {"2026-01":
            {"generation": "g", "rows": 3, "computed_ts": "2026-01-01T00:00:00.000Z", "files": ["a"]}}}"#;
        let read = GoldManifest::parse(text.as_bytes()).unwrap();
        assert_eq!((read.revision, read.positions.len(), read.periods["2026-01"].digests.len()), (0, 0, 0));
        assert!(read.lists("a") && !read.lists("b"));
        let mut bytes = read.to_bytes().unwrap();
        assert_eq!(GoldManifest::parse(&bytes).unwrap(), read);
        bytes[10] ^= 1;
        assert!(matches!(GoldManifest::parse(&bytes), Err(SealError::Broken)));
        assert_eq!(path("acme"), "finops_kpi_gold/tenant_id=acme/_manifest.json");
    }
}
