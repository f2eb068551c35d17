//! What can go wrong while exporting. Messages name the file, column or rule at fault, never another tenant (R74).

use std::path::PathBuf;

use contracts::tenant_scope::IllegalTenant;
use lake::cut::CutError;
use platform::store::StoreError;
use platform::terminal::escaped;

/// Result of an exporter call.
pub type Result<T> = std::result::Result<T, ExportError>;

/// Why nothing was exported. Whatever was there before is still there.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// No file pattern was given.
    #[error("no input given: name at least one dataset or file pattern")]
    NoInputGiven,
    /// The patterns, or the committed state, name no file.
    #[error("no input files: nothing matches {searched}")]
    NoInputFiles {
        /// The patterns or the store's location.
        searched: String,
    },
    /// There are files, but they hold no row.
    #[error("no rows: the input files are empty")]
    NoRows,
    /// The tenant has neither rows nor runs.
    #[error("tenant {tenant:?} not found in the input")]
    TenantNotFound {
        /// The tenant asked for.
        tenant: String,
    },
    /// The text is not a legal tenant id (R66).
    #[error(transparent)]
    TenantInvalid(#[from] IllegalTenant),
    /// The tenant has rows, but no run of it is complete yet.
    #[error(
        "tenant {tenant:?} has no complete run yet; what has arrived is in `finops findings list --all-runs` and, exported, in \
         `finops exporter once --population all`"
    )]
    NoCompleteRun {
        /// The tenant asked for.
        tenant: String,
    },
    /// Several ids begin like that.
    #[error("{prefix:?} is the beginning of several ids: give more of one of them{}", candidates_text(.candidates, *.is_cut))]
    AmbiguousId {
        /// What was given.
        prefix: String,
        /// Ids of the tenant that begin with it.
        candidates: Vec<IdCandidate>,
        /// True when there are more.
        is_cut: bool,
    },
    /// A row's tenant is not the one its path names (R68).
    #[error("{path} holds a row whose tenant_id is not the tenant of its path")]
    TenantMismatch {
        /// The file.
        path: String,
    },
    /// A column is absent or has another type than the contract says.
    #[error("reading column {column} of {dataset}: {problem}")]
    Column {
        /// Dataset.
        dataset: &'static str,
        /// Dotted path of the column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// A commit record, run manifest or delivery manifest is unreadable or does not fit its neighbours.
    #[error("reading {path}: {problem}")]
    BadObject {
        /// Path in the store.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A check of the gold tables found a contradiction; the old generation stays.
    #[error("gold check {check} failed: {detail}")]
    Check {
        /// Name of the check.
        check: &'static str,
        /// The first contradiction.
        detail: String,
    },
    /// Two KPI rows have one key.
    #[error("two rows of {kpi} for {period}, workspace {workspace:?}, dimensions {dim_key:?}")]
    DuplicateRow {
        /// KPI.
        kpi: String,
        /// Period.
        period: String,
        /// Workspace.
        workspace: String,
        /// Dimensions.
        dim_key: String,
    },
    /// A Parquet file could not be encoded or read back.
    #[error("{doing} {path}: {source}")]
    Parquet {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why it failed.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// DuckDB refused.
    #[error("{doing}: {source}")]
    Duck {
        /// What was being done.
        doing: String,
        /// Why it failed.
        #[source]
        source: duckdb::Error,
    },
    /// DuckDB read data that it cannot make the columns of: a damaged file, a value out of range.
    #[error("{doing}: {problem}")]
    BadData {
        /// What was being done.
        doing: String,
        /// What is wrong, and where.
        problem: String,
    },
    /// It needs more memory than it may use, also when it spills.
    #[error("{doing}: {problem}; raise exporter.memory_bytes_max")]
    OutOfMemory {
        /// What was being done.
        doing: String,
        /// What could not be had.
        problem: String,
    },
    /// Another exporter has published since the cut was taken: what this one made may be older.
    #[error("another exporter has published the {what} since this build began; the next build sees both")]
    Superseded {
        /// What was published.
        what: String,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Input/output outside the store failed.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

/// How DuckDB's messages begin about data that is the same however often it is read.
const BAD_DATA: &[&str] = &["Conversion Error", "Invalid Input Error", "Out of Range Error"];

/// An id that begins with what was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdCandidate {
    /// `finding_id` or `fingerprint`.
    pub column: &'static str,
    /// The whole id.
    pub id: String,
    /// Check of a finding that has it.
    pub check_id: Option<String>,
    /// Resource of a finding that has it.
    pub resource_id: Option<String>,
}

fn candidates_text(candidates: &[IdCandidate], is_cut: bool) -> String {
    let mut text = String::new();
    for IdCandidate { column, id, check_id, resource_id } in candidates {
        let about = check_id.as_deref().unwrap_or("no check");
        text += &format!("\n  {id}  {column} of {about}");
        if let Some(resource) = resource_id {
            text += &format!(" for {}", escaped(resource));
        }
    }
    if is_cut {
        text += "\n  … and more";
    }
    text
}

impl From<CutError> for ExportError {
    fn from(error: CutError) -> Self {
        match error {
            CutError::BadObject { path, problem } => Self::BadObject { path, problem },
            CutError::Store(error) => Self::Store(error),
        }
    }
}

impl ExportError {
    /// The public code of an error a caller can act on; `None` for infrastructure.
    #[must_use]
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoInputGiven => "no_input_given",
            Self::NoInputFiles { .. } => "no_input_files",
            Self::NoRows => "no_rows",
            Self::TenantNotFound { .. } => "tenant_not_found",
            Self::TenantInvalid(_) => "tenant_invalid",
            Self::NoCompleteRun { .. } => "no_complete_run",
            Self::AmbiguousId { .. } => "ambiguous_id",
            Self::TenantMismatch { .. } => "tenant_mismatch",
            Self::Column { .. } => "bad_column",
            Self::BadObject { .. } => "bad_object",
            Self::Check { .. } => "gold_check",
            Self::DuplicateRow { .. } => "duplicate_row",
            Self::BadData { .. } => "bad_data",
            Self::OutOfMemory { .. } => "out_of_memory",
            Self::Parquet { .. } | Self::Duck { .. } | Self::Superseded { .. } | Self::Store(_) | Self::Io { .. } => {
                return None;
            }
        })
    }

    pub(crate) fn duck(doing: impl Into<String>) -> impl FnOnce(duckdb::Error) -> Self {
        let doing = doing.into();
        move |source| {
            let duckdb::Error::DuckDBFailure(_, Some(text)) = &source else { return Self::Duck { doing, source } };
            // What follows the first line is advice for DuckDB's own shell.
            let problem = text.lines().next().unwrap_or_default().to_owned();
            if text.starts_with("Out of Memory Error") {
                Self::OutOfMemory { doing, problem }
            } else if BAD_DATA.iter().any(|kind| text.starts_with(kind)) {
                Self::BadData { doing, problem }
            } else {
                Self::Duck { doing, source }
            }
        }
    }

    pub(crate) fn io(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}
