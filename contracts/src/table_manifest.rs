//! Which files hold the tables that exporters derive for a tenant: `<dataset>/tenant_id=<t>/_manifest.json`. Readers read the
//! files it names and no others; listing the folder is only for repair.
//!
//! Exporters replace it conditionally: each replacement names the next revision, so two of them never write equal bytes, and a
//! build of an older cut cannot take the place of a newer one.
//!
//! One manifest for the gold tables, whose periods are days and months, and the table of runs that belongs to them; one for the
//! priced findings and their evidence, which change together: its periods are [`priced_period`] and [`evidence_period`] of a run
//! date.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::layout;
use crate::seal::{self, SealError, sealed};
use crate::source::ChainPosition;

/// Version of this format; a reader refuses a higher one. 2 brought revision, positions and digests; what version 1 lacks
/// is empty when it is read.
pub const FORMAT_VERSION: u32 = 2;
/// Name of the manifest in the folder of a tenant's tables.
pub const FILE_NAME: &str = "_manifest.json";

/// The derived tables of one tenant in one dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableManifest {
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
    /// Files of `finops_runs`, per month in which runs began. They have other columns than those of the periods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub runs: BTreeMap<String, PeriodTable>,
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
    /// Digest of the findings that it prices, for a table of a run date: a reader of the same findings may use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<String>,
    /// Rows that have no cost, because an amount of theirs has more digits than it can hold.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub amount_overflows: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
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

impl TableManifest {
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

    /// All tables that it lists, of periods and of runs.
    pub fn tables(&self) -> impl Iterator<Item = &PeriodTable> {
        self.periods.values().chain(self.runs.values())
    }

    /// True when `path` is the file of one of its tables.
    #[must_use]
    pub fn lists(&self, path: &str) -> bool {
        self.tables().any(|table| table.files.iter().any(|file| file == path))
    }
}

/// Folder of a tenant's tables in a dataset.
#[must_use]
pub fn folder(dataset: &str, tenant: &str) -> String {
    format!("{dataset}/tenant_id={}", layout::encode_segment(tenant))
}

/// Path of a tenant's manifest of a dataset.
#[must_use]
pub fn path(dataset: &str, tenant: &str) -> String {
    format!("{}/{FILE_NAME}", folder(dataset, tenant))
}

/// Period of the priced findings of a run date.
#[must_use]
pub fn priced_period(run_date: &str) -> String {
    format!("{}/{run_date}", layout::FINDINGS_ENRICHED)
}

/// Period of the evidence of a run date.
#[must_use]
pub fn evidence_period(run_date: &str) -> String {
    format!("{}/{run_date}", layout::COST_ATTRIBUTION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_the_first_version_is_read() {
        let text = r#"{"format_version": 1, "schema_version": 1, "tenant_id": "acme", "cut": "c",
            "computed_ts": "2026-01-01T00:00:00.000Z", "retired": {"b": 5}, "periods": {"2026-01":
            {"generation": "g", "rows": 3, "computed_ts": "2026-01-01T00:00:00.000Z", "files": ["a"]}}}"#;
        let read = TableManifest::parse(text.as_bytes()).unwrap();
        assert_eq!((read.revision, read.positions.len(), read.periods["2026-01"].digests.len()), (0, 0, 0));
        assert!(read.lists("a") && !read.lists("b"));
        let runs = PeriodTable { files: vec!["r".to_owned()], ..read.periods["2026-01"].clone() };
        let text = String::from_utf8(read.to_bytes().unwrap()).unwrap();
        assert!(!text.contains("\"runs\""), "no member for runs where there is none: {text}");
        let with_runs = TableManifest { runs: BTreeMap::from([("2026-01".to_owned(), runs)]), ..read.clone() };
        assert_eq!(TableManifest::parse(&with_runs.to_bytes().unwrap()).unwrap(), with_runs);
        assert!(with_runs.lists("r") && !read.lists("r"));
        let mut bytes = read.to_bytes().unwrap();
        assert_eq!(TableManifest::parse(&bytes).unwrap(), read);
        bytes[10] ^= 1;
        assert!(matches!(TableManifest::parse(&bytes), Err(SealError::Broken)));
        assert_eq!(path(layout::KPI_GOLD, "acme"), "finops_kpi_gold/tenant_id=acme/_manifest.json");
    }
}
