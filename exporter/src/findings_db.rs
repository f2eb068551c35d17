//! A DuckDB that holds one tenant's findings and nothing else: view `findings` (flat columns), view `reported` (with their
//! producer), table `complete_run`, macro `newest_rows`. Everything that asks about findings starts here.

use std::path::PathBuf;

use duckdb::params;

use crate::columns::FINDINGS;
use crate::cut::{Cut, DataFile};
use crate::duck::{Duck, DuckLimits, literal, read_parquet};
use crate::error::{ExportError, Result};
use crate::producer;
use crate::tenant::TenantScope;

/// Opens the tenant's findings. Amounts that name no currency are of `default_currency`; without one their currency stays
/// unknown.
///
/// # Errors
/// `bad_object` when an object of the tenant is unreadable; `no_input_files` when the cut has neither findings nor runs nor bills; `tenant_mismatch` when a file holds a row that
/// its path does not own.
pub(crate) fn open(
    cut: &Cut,
    scope: &TenantScope,
    default_currency: Option<&str>,
    limits: &DuckLimits,
) -> Result<Duck> {
    cut.refuse_empty()?;
    cut.refuse_unreadable(scope)?;
    let duck = Duck::open(limits)?;
    let files: Vec<&DataFile> = cut.findings_of(scope).collect();
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    check_paths(&duck, scope, &files, &paths)?;
    let query = FINDINGS.query(&duck, &paths)?;
    let tenant = literal(scope.as_str());
    let currency = default_currency.map_or_else(|| "NULL".to_owned(), literal);
    duck.run(
        "opening findings",
        &format!(
            "CREATE TEMP VIEW findings AS \
             SELECT * REPLACE (coalesce(nullif(upper(trim(currency)), ''), {currency}) AS currency) \
             FROM ({query}) WHERE tenant_id = {tenant}"
        ),
    )?;
    producer::load(&duck)?;
    duck.run("preparing findings", include_str!("../sql/base/newest_rows.sql"))?;
    load_runs(&duck, cut, scope)?;
    Ok(duck)
}

/// R68: a path that names a tenant must not hold another one's rows.
pub(crate) fn check_paths(duck: &Duck, scope: &TenantScope, files: &[&DataFile], paths: &[PathBuf]) -> Result<()> {
    let all = || files.iter().zip(paths);
    let owned: Vec<_> = all().filter(|(file, _)| file.path_tenant.is_some()).map(|(_, path)| path.as_path()).collect();
    if owned.is_empty() {
        return Ok(());
    }
    let (source, tenant) = (read_parquet(owned), literal(scope.as_str()));
    let sql = format!("SELECT __file FROM {source} WHERE tenant_id IS DISTINCT FROM {tenant} LIMIT 1");
    match duck.value::<String>("comparing tenants with paths", &sql)? {
        // A copy's name says nothing to people.
        Some(found) => {
            let file = all().find(|(file, path)| file.local.is_none() && path.to_string_lossy() == found);
            Err(ExportError::TenantMismatch { path: file.map_or(found, |(file, _)| file.path.clone()) })
        }
        None => Ok(()),
    }
}

/// The codes of R74 for a tenant that has neither rows nor runs.
pub(crate) fn refuse_unknown_tenant(duck: &Duck, cut: &Cut, scope: &TenantScope) -> Result<()> {
    let found: Option<i64> = duck.value("looking for the tenant", "SELECT 1 FROM findings LIMIT 1")?;
    if found.is_some() || !cut.runs_of(scope).is_empty() {
        return Ok(());
    }
    // One by one: the first file of a store has rows, and the others need not be fetched.
    for file in &cut.findings {
        let source = read_parquet(cut.local([file], &duck.lease)?.iter().map(PathBuf::as_path));
        if duck.value::<i64>("looking for rows", &format!("SELECT 1 FROM {source} LIMIT 1"))?.is_some() {
            return Err(ExportError::TenantNotFound { tenant: scope.to_string() });
        }
    }
    Err(ExportError::NoRows)
}

fn load_runs(duck: &Duck, cut: &Cut, scope: &TenantScope) -> Result<()> {
    let doing = "loading runs";
    duck.run(
        doing,
        "CREATE TEMP TABLE announced_run \
         (workspace_id VARCHAR, run_id VARCHAR, engine_name VARCHAR, run_ts TIMESTAMP, is_complete BOOLEAN)",
    )?;
    // An import announces nothing about what was checked: it must not pass for the latest run of its workspace.
    for run in cut.runs_of(scope).iter().filter(|run| !run.is_import) {
        duck.run_with(
            &format!("loading run {}", run.run_id),
            "INSERT INTO announced_run VALUES (?, ?, ?, CAST(? AS TIMESTAMP), ?)",
            params![run.workspace_id, run.run_id, run.engine_name.trim(), run.run_ts, run.is_complete],
        )?;
    }
    duck.run(doing, include_str!("../sql/base/complete_run.sql"))
}
