//! Files of priced findings, for readers of findings: those of the dates whose findings are the ones that the cut holds. Costs may be
//! those of the bills before the last ones until the next build; other dates have none.

use std::collections::BTreeMap;

use contracts::layout::{self, FINDINGS_ENRICHED};
use contracts::table_manifest::{PeriodTable, TableManifest, path, priced_period};
use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, DataFile};
use sha2::{Digest, Sha256};

use crate::error::{ExportError, Result};

/// Files of some tenants.
#[derive(Debug, Default)]
pub(crate) struct PricedFiles(Vec<DataFile>);

impl PricedFiles {
    /// As the tenant's manifest in the store lists them; none for a list of files.
    ///
    /// # Errors
    /// The manifest cannot be read.
    pub fn of_cut(cut: &Cut, scope: &TenantScope) -> Result<Self> {
        let path = path(FINDINGS_ENRICHED, scope.as_str());
        let Some(bytes) = cut.object(&path)? else { return Ok(Self::default()) };
        let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
        let manifest = TableManifest::parse(&bytes).map_err(|e| bad(e.to_string()))?;
        let mut files = Self::default();
        files.add(cut, scope, &manifest);
        Ok(files)
    }

    /// Adds those of a tenant.
    pub fn add(&mut self, cut: &Cut, scope: &TenantScope, manifest: &TableManifest) {
        for (run_date, files) in files_by_date(cut, scope) {
            let table = manifest.periods.get(&priced_period(&run_date));
            let is_of_these = |table: &&PeriodTable| table.findings.as_ref() == Some(&digest(&files));
            let Some(table) = table.filter(is_of_these) else { continue };
            for (path, digest) in &table.digests {
                self.0.push(DataFile {
                    path: path.clone(),
                    sha256: digest.sha256.clone(),
                    path_tenant: Some(scope.to_string()),
                    bytes: digest.bytes,
                    rows: table.rows,
                    local: None,
                });
            }
        }
    }

    /// All of them.
    pub fn files(&self) -> &[DataFile] {
        &self.0
    }
}

/// The tenant's files of findings by run date.
pub(crate) fn files_by_date<'c>(cut: &'c Cut, scope: &'c TenantScope) -> BTreeMap<String, Vec<&'c DataFile>> {
    let mut by_date: BTreeMap<String, Vec<&DataFile>> = BTreeMap::new();
    for file in cut.findings_of(scope) {
        if let Some(run_date) = run_date_of(&file.path) {
            by_date.entry(run_date).or_default().push(file);
        }
    }
    by_date
}

fn run_date_of(path: &str) -> Option<String> {
    path.split('/').find_map(|segment| segment.strip_prefix("run_date=")).and_then(layout::decode_segment)
}

/// Digest of the files of a run date.
pub(crate) fn digest(files: &[&DataFile]) -> String {
    let mut hash = Sha256::new();
    files.iter().for_each(|file| hash.update(serde_json::to_string(file).unwrap_or_default() + "\n"));
    hex::encode(hash.finalize())
}
