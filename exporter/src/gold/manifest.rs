//! `finops_kpi_gold/tenant_id=<t>/_manifest.json`: which file holds which period. Readers go through it; listing the
//! folder is only for repair.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use platform::store::Store;

use super::table::SCHEMA_VERSION;
use crate::error::{ExportError, Result};
use crate::tenant::TenantScope;

/// Version of the manifest's format.
pub const FORMAT_VERSION: u32 = 1;

/// The gold tables of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldManifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of the columns.
    pub schema_version: u32,
    /// Tenant.
    pub tenant_id: String,
    /// SHA-256 of what the cut of the last build that changed something held of the tenant.
    pub cut: String,
    /// When that was, `…Z` with milliseconds.
    pub computed_ts: String,
    /// Files per period.
    pub periods: BTreeMap<String, PeriodTable>,
    /// Files no longer listed, and since when; they go when nobody can be reading them any more.
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
}

impl GoldManifest {
    /// The tenant's manifest as it is in the store.
    ///
    /// # Errors
    /// When the store refuses, or the manifest is unreadable or newer than this program.
    pub fn read(store: &dyn Store, scope: &TenantScope) -> Result<Option<Self>> {
        let path = path(scope);
        let Some(bytes) = store.get(&path)? else { return Ok(None) };
        let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if manifest.format_version > FORMAT_VERSION || manifest.schema_version > SCHEMA_VERSION {
            return Err(bad("it was written by a newer version".into()));
        }
        Ok(Some(manifest))
    }

    /// True when `path` is the file of a period.
    pub(super) fn lists(&self, path: &str) -> bool {
        self.periods.values().any(|table| table.files.iter().any(|file| file == path))
    }
}

/// Folder of a tenant's gold tables.
pub(super) fn folder(scope: &TenantScope) -> String {
    format!("{}/tenant_id={}", contracts::layout::KPI_GOLD, contracts::layout::encode_segment(scope.as_str()))
}

/// Path of a tenant's manifest.
pub(super) fn path(scope: &TenantScope) -> String {
    format!("{}/_manifest.json", folder(scope))
}
