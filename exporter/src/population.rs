//! Which rows a reader sees: the latest complete run of each producer in each workspace, or everything (R79, D9); and what
//! a choice leaves out.

use contracts::tenant_scope::TenantScope;
use serde::{Deserialize, Serialize};

use crate::by_tenant::ByTenant;
use crate::duck::{Duck, literal};
use crate::error::{ExportError, Result};

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
    /// Makes the `population` of one tenant in a database from [`crate::findings_db::open`]; returns the runs it was taken from.
    pub(crate) fn load_one(self, duck: &Duck, scope: &TenantScope) -> Result<Vec<RunRef>> {
        self.runs_of(&mut self.load(duck)?, scope)
    }

    /// Makes the `population` of all tenants of the database; returns what [`Self::runs_of`] takes.
    pub(crate) fn load(self, duck: &Duck) -> Result<ByTenant<RunRef>> {
        let doing = "choosing the population";
        duck.run(doing, include_str!("../sql/base/latest_run.sql"))?;
        match self {
            Self::All => {
                duck.run(doing, "CREATE TEMP VIEW population AS SELECT * FROM findings")?;
                runs(duck, "complete_run")
            }
            Self::LatestRun => {
                duck.run(doing, include_str!("../sql/base/population_latest.sql"))?;
                runs(duck, "latest_run")
            }
        }
    }

    /// The runs from which the tenant's rows were taken.
    ///
    /// # Errors
    /// `no_complete_run` when the population is of complete runs and the tenant has none.
    pub(crate) fn runs_of(self, runs: &mut ByTenant<RunRef>, scope: &TenantScope) -> Result<Vec<RunRef>> {
        let runs = runs.take(scope);
        if self == Self::LatestRun && runs.is_empty() {
            return Err(ExportError::NoCompleteRun { tenant: scope.to_string() });
        }
        Ok(runs)
    }

    /// What [`Self::load_one`] has left out of the tenant, of one workspace or all of them.
    pub(crate) fn left_out_of(self, duck: &Duck, scope: &TenantScope, workspace_id: Option<&str>) -> Result<LeftOut> {
        Ok(self.left_out(duck, workspace_id)?.take(scope).pop().unwrap_or_default())
    }

    /// What [`Self::load`] has left out, of one workspace or all of them; nothing of a tenant that is not named.
    pub(crate) fn left_out(self, duck: &Duck, workspace_id: Option<&str>) -> Result<ByTenant<LeftOut>> {
        let doing = "counting what is left out";
        let others = "SELECT DISTINCT tenant_id FROM seen_run \
                      ANTI JOIN latest_run USING (tenant_id, workspace_id, run_id, producer)";
        let tenants: Vec<String> = match self {
            Self::All => Vec::new(),
            Self::LatestRun => duck.rows(doing, others, [], |row| row.get(0))?,
        };
        if tenants.is_empty() {
            return Ok(ByTenant::new([]));
        }
        let tenants: Vec<String> = tenants.iter().map(|tenant| literal(tenant)).collect();
        let of_tenants = format!("reported.tenant_id IN ({})", tenants.join(", "));
        let condition = workspace_id.map_or_else(
            || of_tenants.clone(),
            |workspace| format!("{of_tenants} AND coalesce(reported.workspace_id, '') = {}", literal(workspace)),
        );
        let sql = include_str!("../sql/base/left_out.sql").replace("{condition}", &condition);
        duck.rows_by_tenant(doing, &sql, |row| {
            Ok(LeftOut { in_earlier_runs: row.get(1)?, in_incomplete_runs: row.get(2)? })
        })
    }
}

fn runs(duck: &Duck, table: &str) -> Result<ByTenant<RunRef>> {
    let run_ts = sql_time("run_ts");
    let sql = format!(
        "SELECT tenant_id, workspace_id, engine_name, run_id, {run_ts} FROM {table} \
         ORDER BY tenant_id, workspace_id, engine_name, run_id, producer"
    );
    duck.rows_by_tenant("listing runs", &sql, |row| {
        Ok(RunRef { workspace_id: row.get(1)?, engine_name: row.get(2)?, run_id: row.get(3)?, run_ts: row.get(4)? })
    })
}

/// Text of a time column, `…Z` with milliseconds (DESIGN.md §9).
pub(crate) fn sql_time(column: &str) -> String {
    format!("strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ')")
}
