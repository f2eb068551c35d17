//! `export/<tenant>/manifest.json`: what the files hold and from what they were made. No clock and no machine in it:
//! the same cut gives the same bytes.

use contracts::export_manifest::{ExportedFile, FILE_NAME, FORMAT_VERSION};
use contracts::source::ChainPosition;
use contracts::tenant_scope::TenantScope;
use lake::cut::Cut;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::documents::{self, CostCoverage, Documents};
use super::{DatasetLabel, ExportOptions};
use crate::attribution::CostSettings;
use crate::population::{LeftOut, Population, RunRef};

const CODE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Name of the manifest.
pub(super) const NAME: &str = FILE_NAME;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportManifest {
    /// Version of this format, 1.
    pub format_version: u32,
    /// Version of the program that made the files.
    pub code_version: String,
    /// Version of the findings contract.
    pub contract_version: String,
    /// Tenant.
    pub tenant_id: String,
    /// First 16 hex digits of the SHA-256 over the files' digests: equal files, equal generation.
    pub generation: String,
    /// What was read.
    pub dataset: DatasetLabel,
    /// Which rows counted.
    pub population: Population,
    /// Most rows of the lists.
    pub limit: u64,
    /// Currency of amounts that name none.
    pub default_currency: String,
    /// True when the gold tables are of the same cut.
    pub gold: bool,
    /// SHA-256 of what the cut holds of the tenant.
    pub cut: String,
    /// How far each sink partition had come with findings of the tenant.
    pub positions: Vec<ChainPosition>,
    /// Runs whose rows counted.
    pub runs: Vec<RunRef>,
    /// What the population leaves out.
    pub left_out: LeftOut,
    /// How costs are attributed; empty in files of versions that did not.
    #[serde(default)]
    pub attribution: CostSettings,
    /// How findings came by their actual costs.
    #[serde(default)]
    pub costs: CostCoverage,
    /// Rows that counted.
    pub rows_read: u64,
    /// Rows that `findings.json` would have without a limit.
    pub total: u64,
    /// True when it has fewer.
    pub truncated: bool,
    /// The files, in the order of contract §12.
    pub files: Vec<ExportedFile>,
}

impl ExportManifest {
    /// True when this program would make the same files again.
    pub(super) fn is_of(&self, cut: &Cut, scope: &TenantScope, options: &ExportOptions) -> bool {
        let made_with = ExportOptions {
            limit: self.limit,
            correlated: self.files.iter().any(|file| file.name == documents::CORRELATED),
            population: self.population,
            dataset: self.dataset,
            default_currency: self.default_currency.clone(),
            gold: self.gold,
            attribution: options.attribution.clone(),
        };
        self.code_version == CODE_VERSION
            && made_with == *options
            && self.attribution == CostSettings::of(&options.attribution)
            && self.cut == cut.digest_of(scope)
    }
}

pub(super) fn build(
    cut: &Cut,
    scope: &TenantScope,
    options: &ExportOptions,
    runs: Vec<RunRef>,
    documents: &Documents,
) -> ExportManifest {
    let mut generation = Sha256::new();
    let mut files = Vec::new();
    for document in &documents.files {
        let sha256 = hex::encode(Sha256::digest(&document.bytes));
        generation.update(format!("{} {sha256}\n", document.name));
        files.push(ExportedFile {
            name: document.name.to_owned(),
            rows: document.rows,
            total: document.total,
            bytes: document.bytes.len() as u64,
            sha256,
            reason: document.reason.clone(),
        });
    }
    let truncated = files.iter().any(|file| file.name == documents::FINDINGS && file.rows < file.total);
    ExportManifest {
        format_version: FORMAT_VERSION,
        code_version: CODE_VERSION.to_owned(),
        contract_version: contracts::dead_letter::CONTRACT_VERSION.to_owned(),
        tenant_id: scope.to_string(),
        generation: hex::encode(generation.finalize())[..16].to_owned(),
        dataset: options.dataset,
        population: options.population,
        limit: options.limit,
        default_currency: options.default_currency.clone(),
        gold: options.gold,
        cut: cut.digest_of(scope),
        positions: cut.positions_of(scope).to_vec(),
        runs,
        left_out: documents.left_out,
        attribution: CostSettings::of(&options.attribution),
        costs: documents.costs.clone(),
        rows_read: documents.rows_read,
        total: documents.rows_read,
        truncated,
        files,
    }
}
