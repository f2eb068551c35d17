//! The JSON files of one tenant (contract §12): made in memory from one cut, written beside the old ones and
//! exchanged in one step.

mod documents;
mod manifest;
mod swap;

use std::path::{Path, PathBuf};
use std::slice::from_ref;

use contracts::tenant_scope::TenantScope;
use lake::cut::Cut;
use serde::Serialize;

pub use contracts::export_manifest::ExportedFile;
pub use documents::{
    CorrelatedFinding, CostCoverage, Coverage, ExportSummary, ExportedFinding, MatrixCell, PotentialSavings, TopSaving,
};
pub(crate) use documents::{finding_columns, json, json_cell};
pub use manifest::ExportManifest;
pub(crate) use swap::{FolderVersion, remove_leftovers};

use self::documents::{Answers, Documents};
use crate::attribution::AttributionOptions;
use crate::by_tenant::ByTenant;
use crate::duck::{Duck, DuckLimits};
use crate::error::{ExportError, Result};
use crate::findings_db::{self, Held};
use crate::population::{Population, RunRef};
use crate::priced::PricedFiles;

/// Rows in `findings.json` and `correlated_findings.json` unless configured otherwise. It holds the findings of most
/// tenants whole; at about 1.3 KB a row the file stays below 70 MB, and an export in memory below 200 MB.
pub const DEFAULT_FINDINGS_MAX: u64 = 50_000;
/// Currency of amounts that name none, unless configured otherwise.
pub const DEFAULT_CURRENCY: &str = "USD";

/// Which dataset the caller chose to read (R75).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
pub enum DatasetLabel {
    /// Raw and correlated findings.
    #[default]
    #[serde(rename = "raw_union")]
    Raw,
    /// Findings with attributed costs.
    #[serde(rename = "enriched")]
    Enriched,
}

/// What goes into the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// Most rows of the two lists of findings.
    pub limit: u64,
    /// Write `correlated_findings.json`.
    pub correlated: bool,
    /// Rows that count.
    pub population: Population,
    /// What the input is.
    pub dataset: DatasetLabel,
    /// Currency of amounts that name none.
    pub default_currency: String,
    /// The gold tables are of the same cut.
    pub gold: bool,
    /// How costs are attributed.
    pub attribution: AttributionOptions,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            limit: DEFAULT_FINDINGS_MAX,
            correlated: true,
            population: Population::default(),
            dataset: DatasetLabel::default(),
            default_currency: DEFAULT_CURRENCY.to_owned(),
            gold: false,
            attribution: AttributionOptions::default(),
        }
    }
}

/// What became of one tenant's files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExportReport {
    /// Tenant.
    pub tenant_id: String,
    /// Folder of the files.
    pub folder: PathBuf,
    /// Rows the files were made from.
    pub rows_read: u64,
    /// False when the files were there already, byte for byte.
    pub changed: bool,
    /// The files, and what they were made from.
    pub manifest: ExportManifest,
}

/// Folder of a tenant's files below the export folder.
#[must_use]
pub fn folder_of(export_dir: &Path, scope: &TenantScope) -> PathBuf {
    export_dir.join(contracts::layout::encode_segment(scope.as_str()))
}

/// True when the tenant's files are there, made of what the cut holds of it by this program and these options.
pub(crate) fn is_current(cut: &Cut, scope: &TenantScope, export_dir: &Path, options: &ExportOptions) -> bool {
    let folder = folder_of(export_dir, scope);
    let manifest = std::fs::read(folder.join(manifest::NAME)).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<ExportManifest>(&bytes).ok());
    let is_there =
        |file: &ExportedFile| std::fs::metadata(folder.join(&file.name)).is_ok_and(|f| f.len() == file.bytes);
    manifest.is_some_and(|manifest| manifest.is_of(cut, scope, options) && manifest.files.iter().all(is_there))
}

/// Writes the files of one tenant, in the place of what is there now: for a caller that knows that no other exporter is at work.
///
/// # Errors
/// The codes of R74, and whatever reading or writing met; the files from before are untouched then.
pub fn export_tenant(
    cut: &Cut,
    scope: &TenantScope,
    export_dir: &Path,
    options: &ExportOptions,
    limits: &DuckLimits,
) -> Result<ExportReport> {
    let base = FolderVersion::of(&folder_of(export_dir, scope))?;
    let priced = PricedFiles::of_cut(cut, scope)?;
    let made = make_export_alone(cut, scope, options, &priced, limits, None)?;
    publish_export(&base, made, cut, scope, export_dir, options)
}

/// Makes the files of one tenant, whatever its size, from its database when that is open already.
///
/// # Errors
/// The codes of R74, and whatever reading met.
pub(crate) fn make_export_alone(
    cut: &Cut,
    scope: &TenantScope,
    options: &ExportOptions,
    priced: &PricedFiles,
    limits: &DuckLimits,
    opened: Option<Duck>,
) -> Result<MadeExport> {
    let (scopes, currency) = (from_ref(scope), Some(options.default_currency.as_str()));
    let open = || findings_db::open(cut, scopes, currency, Held::InFiles, priced, limits);
    let duck = opened.map_or_else(open, Ok)?;
    let made = make_exports(&duck, cut, scopes, options)?.pop();
    // One for each scope.
    made.unwrap_or_else(|| Err(ExportError::TenantNotFound { tenant: scope.to_string() }))
}

/// The files of one tenant but their manifest, and the runs that they are made of.
pub(crate) struct MadeExport {
    runs: Vec<RunRef>,
    documents: Documents,
}

/// Makes the files of the tenants of a database from [`findings_db::open`]: of each, or why it has none, in their order. Of several
/// tenants none may have more rows than [`ExportOptions::limit`].
///
/// # Errors
/// Whatever reading met.
pub(crate) fn make_exports(
    duck: &Duck,
    cut: &Cut,
    scopes: &[TenantScope],
    options: &ExportOptions,
) -> Result<Vec<Result<MadeExport>>> {
    let of_rows = "SELECT DISTINCT tenant_id FROM findings";
    // One that is alone need not be looked for in all rows.
    let with_rows = match scopes {
        [_] => ByTenant::new([]),
        _ => duck.rows_by_tenant("looking for tenants", of_rows, |_| Ok(()))?,
    };
    let known = |scope| match with_rows.has(scope) {
        true => Ok(()),
        false => findings_db::refuse_unknown_tenant(duck, cut, scope),
    };
    let known: Vec<Result<()>> = scopes.iter().map(known).collect();
    if known.iter().all(Result::is_err) {
        return Ok(known.into_iter().filter_map(Result::err).map(Err).collect());
    }
    let mut runs = options.population.load(duck)?;
    let runs: Vec<Result<Vec<RunRef>>> = scopes
        .iter()
        .zip(known)
        .map(|(scope, known)| known.and_then(|()| options.population.runs_of(&mut runs, scope)))
        .collect();
    if runs.iter().all(Result::is_err) {
        return Ok(runs.into_iter().filter_map(Result::err).map(Err).collect());
    }
    let mut answers = Answers::read(duck, scopes.len(), options)?;
    let made = scopes.iter().zip(runs).map(|(scope, runs)| {
        let runs = runs?;
        Ok(MadeExport { runs, documents: answers.documents_of(scope, options) })
    });
    Ok(made.collect())
}

/// Writes what was made, in the place of `base`, which was read before the cut was taken.
///
/// # Errors
/// [`ExportError::Superseded`], and whatever writing met; the files from before are untouched then.
pub(crate) fn publish_export(
    base: &FolderVersion,
    made: MadeExport,
    cut: &Cut,
    scope: &TenantScope,
    export_dir: &Path,
    options: &ExportOptions,
) -> Result<ExportReport> {
    let MadeExport { runs, documents } = made;
    let rows_read = documents.rows_read;
    let manifest = manifest::build(cut, scope, options, runs, &documents);
    let mut files: Vec<(String, Vec<u8>)> = documents.files.into_iter().map(|f| (f.name.to_owned(), f.bytes)).collect();
    files.push((manifest::NAME.to_owned(), json(&manifest)));
    let folder = folder_of(export_dir, scope);
    let changed = swap::replace_folder(&folder, base, &files)?;
    tracing::info!(tenant = %scope, rows_read, changed, generation = manifest.generation, "exported");
    Ok(ExportReport { tenant_id: scope.to_string(), folder, rows_read, changed, manifest })
}
