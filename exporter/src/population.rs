//! Which rows a reader sees: the latest complete run of each workspace, or everything (R79, D9).

use serde::{Deserialize, Serialize};

use crate::duck::Duck;
use crate::error::{ExportError, Result};
use crate::tenant::TenantScope;

/// Rows that are counted and listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// The latest complete run of each workspace, one row per fingerprint.
    #[default]
    LatestRun,
    /// All rows of all runs as they are.
    All,
}

/// A run whose rows are in the population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRef {
    /// Workspace.
    pub workspace_id: String,
    /// Run.
    pub run_id: String,
    /// Start of the run, `…Z` with milliseconds.
    pub run_ts: Option<String>,
}

impl Population {
    /// Makes `population` in a database from [`crate::findings_db::open`]; returns the runs it was taken from.
    pub(crate) fn load(self, duck: &Duck, scope: &TenantScope) -> Result<Vec<RunRef>> {
        let doing = "choosing the population";
        duck.run(doing, include_str!("../sql/base/latest_run.sql"))?;
        match self {
            Self::All => {
                duck.run(doing, "CREATE TEMP VIEW population AS SELECT * FROM findings")?;
                return runs(duck, "complete_run");
            }
            // A table: five files are made from it, and choosing rows is the dear part.
            Self::LatestRun => {
                duck.run(doing, "CREATE TEMP TABLE population AS SELECT * FROM newest_rows('latest_run')")?;
            }
        }
        let latest = runs(duck, "latest_run")?;
        if latest.is_empty() {
            return Err(ExportError::NoCompleteRun { tenant: scope.to_string() });
        }
        Ok(latest)
    }
}

fn runs(duck: &Duck, table: &str) -> Result<Vec<RunRef>> {
    let run_ts = sql_time("run_ts");
    let sql = format!("SELECT workspace_id, run_id, {run_ts} FROM {table} ORDER BY ALL");
    duck.rows("listing runs", &sql, [], |row| {
        Ok(RunRef { workspace_id: row.get(0)?, run_id: row.get(1)?, run_ts: row.get(2)? })
    })
}

/// Text of a time column, `…Z` with milliseconds (DESIGN.md §9).
pub(crate) fn sql_time(column: &str) -> String {
    format!("strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ')")
}
