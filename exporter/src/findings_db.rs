//! A DuckDB that holds the findings of one tenant, or of several, and nothing else: `findings` (flat columns), view `reported`
//! (with their producer), table `complete_run`, macro `newest_rows`. Everything that asks about findings starts here. All of them
//! have a column `tenant_id`, by which every statement over several tenants keeps them apart.

use std::path::{Path, PathBuf};

use contracts::datasets;
use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, DataFile};

use crate::columns::{FINDINGS, PRICED};
use crate::duck::{Duck, DuckLimits, literal, read_parquet};
use crate::error::{ExportError, Result};
use crate::files::refuse_empty;
use crate::priced::PricedFiles;
use crate::producer;
use crate::ranking;

/// How a session holds the rows that it reads from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// Each statement reads the files: for any number of rows.
    InFiles,
    /// They are read once: for few rows, where opening the files is what takes time.
    InMemory,
}

impl Held {
    /// What the rows are created as.
    pub(crate) fn relation(self) -> &'static str {
        match self {
            Self::InFiles => "VIEW",
            Self::InMemory => "TABLE",
        }
    }
}

/// Opens the findings of the tenants. Amounts that name no currency are of `default_currency`; without one their currency stays
/// unknown. What `priced` says of costs takes the place of what findings say.
///
/// # Errors
/// `bad_object` when an object of a tenant is unreadable; `no_input_files` when the cut has neither findings nor runs nor bills; `tenant_mismatch` when a file holds a row that
/// its path does not own.
pub(crate) fn open(
    cut: &Cut,
    scopes: &[TenantScope],
    default_currency: Option<&str>,
    held: Held,
    priced: &PricedFiles,
    limits: &DuckLimits,
) -> Result<Duck> {
    refuse_empty(cut)?;
    scopes.iter().try_for_each(|scope| cut.refuse_unreadable(scope))?;
    let duck = Duck::open(limits)?;
    let files: Vec<&DataFile> = cut.findings_of_any(scopes).collect();
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    check_paths(&duck, &files, &paths)?;
    let query = FINDINGS.query(&duck, &paths)?;
    let (relation, tenants) = (held.relation(), tenant_list(scopes));
    let currency = default_currency.map_or_else(|| "NULL".to_owned(), literal);
    let named = format!("coalesce(nullif(upper(trim(currency)), ''), {currency})");
    let stored = format!(
        "SELECT * REPLACE ({named} AS currency), {named} AS actual_currency FROM ({query}) WHERE tenant_id IN ({tenants})"
    );
    match priced.files() {
        [] => duck.run("opening findings", &format!("CREATE TEMP {relation} findings AS {stored}"))?,
        files => {
            let query = PRICED.query(&duck, &cut.local(files, &duck.lease)?)?;
            let sql = include_str!("../sql/base/priced.sql")
                .replace("{tenants}", &tenants)
                .replace("{relation}", relation)
                .replace("{query}", &query)
                .replace("{stored}", &stored);
            duck.run("opening priced findings", &sql)?;
        }
    }
    producer::load(&duck)?;
    duck.run("preparing findings", include_str!("../sql/base/newest_rows.sql"))?;
    duck.run("preparing the order of amounts", &ranking::macro_sql())?;
    load_runs(&duck, cut, scopes)?;
    Ok(duck)
}

/// R68: a path that names a tenant must not hold another one's rows.
pub(crate) fn check_paths(duck: &Duck, files: &[&DataFile], paths: &[PathBuf]) -> Result<()> {
    let owned: Vec<(&DataFile, &Path, &str)> = files
        .iter()
        .zip(paths)
        .filter_map(|(file, path)| Some((*file, path.as_path(), file.path_tenant.as_deref()?)))
        .collect();
    let Some((_, _, first)) = owned.first() else { return Ok(()) };
    let is_of_one = owned.iter().all(|(_, _, tenant)| tenant == first);
    let condition =
        if is_of_one { format!("tenant_id IS DISTINCT FROM {}", literal(first)) } else { "true".to_owned() };
    let source = read_parquet(owned.iter().map(|(_, path, _)| *path));
    let sql = format!("SELECT DISTINCT __file, tenant_id FROM {source} WHERE {condition} ORDER BY ALL");
    let read = |row: &duckdb::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
    for (found, row_tenant) in duck.rows("comparing tenants with paths", &sql, [], read)? {
        let file = owned.iter().find(|(_, path, _)| path.to_string_lossy() == found);
        if file.is_none_or(|(_, _, tenant)| row_tenant.as_deref() != Some(tenant)) {
            // A copy's name says nothing to people.
            let shown = file.filter(|(file, ..)| file.local.is_none());
            return Err(ExportError::TenantMismatch { path: shown.map_or(found, |(file, ..)| file.path.clone()) });
        }
    }
    Ok(())
}

/// The codes of R74 for a tenant that has neither rows nor runs.
pub(crate) fn refuse_unknown_tenant(duck: &Duck, cut: &Cut, scope: &TenantScope) -> Result<()> {
    let of_tenant = format!("SELECT 1 FROM findings WHERE tenant_id = {} LIMIT 1", literal(scope.as_str()));
    let found: Option<i64> = duck.value("looking for the tenant", &of_tenant)?;
    if found.is_some() || !cut.runs_of(scope).is_empty() {
        return Ok(());
    }
    // One by one: the first file of a store has rows, and the others need not be fetched.
    for file in cut.files(&datasets::FINDINGS) {
        let source = read_parquet(cut.local([file], &duck.lease)?.iter().map(PathBuf::as_path));
        if duck.value::<i64>("looking for rows", &format!("SELECT 1 FROM {source} LIMIT 1"))?.is_some() {
            return Err(ExportError::TenantNotFound { tenant: scope.to_string() });
        }
    }
    Err(ExportError::NoRows)
}

fn load_runs(duck: &Duck, cut: &Cut, scopes: &[TenantScope]) -> Result<()> {
    let (doing, table) = ("loading runs", "announced_run");
    duck.run(
        doing,
        "CREATE TEMP TABLE announced_run (tenant_id VARCHAR, workspace_id VARCHAR, run_id VARCHAR, engine_name VARCHAR, \
         run_ts TIMESTAMP, is_complete BOOLEAN)",
    )?;
    // An import announces nothing about what was checked: it must not pass for the latest run of its workspace.
    let announced = scopes.iter().flat_map(|scope| cut.runs_of(scope)).filter(|run| !run.is_import);
    let (mut rows, mut run_ids) = (Vec::new(), Vec::new());
    for run in announced {
        let is_complete = if run.is_complete { "true" } else { "false" };
        let cells = [&run.tenant_id, &run.workspace_id, &run.run_id, run.engine_name.trim(), &run.run_ts, is_complete];
        rows.push(cells.map(Some).to_vec());
        run_ids.push(&run.run_id);
    }
    if duck.insert(doing, table, &rows).is_err() {
        // One by one, to name the run that is at fault.
        duck.run(doing, &format!("DELETE FROM {table}"))?;
        for (row, run_id) in rows.into_iter().zip(run_ids) {
            duck.insert(&format!("loading run {run_id}"), table, &[row])?;
        }
    }
    duck.run(doing, include_str!("../sql/base/complete_run.sql"))
}

/// A list of text literals: the tenants that the rows of a view may have.
pub(crate) fn tenant_list(scopes: &[TenantScope]) -> String {
    let tenants: Vec<String> = scopes.iter().map(|scope| literal(scope.as_str())).collect();
    tenants.join(", ")
}
