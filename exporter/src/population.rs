//! Which rows a reader sees: the latest complete run of each producer in each workspace, or everything (R79, D9); and what
//! a choice leaves out.

use serde::{Deserialize, Serialize};

use crate::duck::{Duck, literal};
use crate::error::{ExportError, Result};
use crate::tenant::TenantScope;

/// Rows that are counted and listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// The latest complete run of each producer in each workspace, one row per workspace and fingerprint.
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
    /// Engine of the producer; empty when its findings name none.
    pub engine_name: String,
    /// Run.
    pub run_id: String,
    /// Start of the run, `…Z` with milliseconds.
    pub run_ts: Option<String>,
}

/// Findings none of whose rows is in the population, each once per workspace. Equal input sent again changes no number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Those that an earlier complete run reported, and the latest one of its producer does not.
    pub in_earlier_runs: u64,
    /// Those that only runs reported that have not arrived whole, or have failed.
    pub in_incomplete_runs: u64,
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
            Self::LatestRun => duck.run(doing, include_str!("../sql/base/population_latest.sql"))?,
        }
        let latest = runs(duck, "latest_run")?;
        if latest.is_empty() {
            return Err(ExportError::NoCompleteRun { tenant: scope.to_string() });
        }
        Ok(latest)
    }

    /// What [`Self::load`] has left out, of one workspace or all of them.
    pub(crate) fn left_out(self, duck: &Duck, workspace_id: Option<&str>) -> Result<LeftOut> {
        let doing = "counting what is left out";
        let others = "SELECT 1 FROM seen_run ANTI JOIN latest_run USING (workspace_id, run_id, producer) LIMIT 1";
        if self == Self::All || duck.value::<i64>(doing, others)?.is_none() {
            return Ok(LeftOut::default());
        }
        let condition = workspace_id.map_or_else(
            || "true".to_owned(),
            |workspace| format!("coalesce(reported.workspace_id, '') = {}", literal(workspace)),
        );
        let sql = include_str!("../sql/base/left_out.sql").replace("{condition}", &condition);
        let counts = duck.rows(doing, &sql, [], |row| {
            Ok(LeftOut { in_earlier_runs: row.get(0)?, in_incomplete_runs: row.get(1)? })
        })?;
        Ok(counts.first().copied().unwrap_or_default())
    }
}

fn runs(duck: &Duck, table: &str) -> Result<Vec<RunRef>> {
    let run_ts = sql_time("run_ts");
    let sql = format!(
        "SELECT workspace_id, engine_name, run_id, {run_ts} FROM {table} \
                       ORDER BY workspace_id, engine_name, run_id, producer"
    );
    duck.rows("listing runs", &sql, [], |row| {
        Ok(RunRef { workspace_id: row.get(0)?, engine_name: row.get(1)?, run_id: row.get(2)?, run_ts: row.get(3)? })
    })
}

/// Text of a time column, `…Z` with milliseconds (DESIGN.md §9).
pub(crate) fn sql_time(column: &str) -> String {
    format!("strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ')")
}
