//! Which findings of a run are resolved: those that the next run which looked for them again does not have. "Not checked" is
//! never read as "fixed": only a run manifest says what was looked at.

use std::collections::{BTreeMap, BTreeSet};

use contracts::layout;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::tenant_scope::TenantScope;
use lake::cut::{Cut, DataFile, RunFact};
use serde::Serialize;

use crate::columns::UNPRICED;
use crate::duck::Duck;
use crate::error::{ExportError, Result};

/// Tables of it; empty where no run followed.
const TABLES: &str = include_str!("../../sql/attribution_next_run.sql");

/// A scope's account or region that is not bound to one.
const ANY: &str = "*";

/// A run and the next one that made some of its checks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct NextRun<'c> {
    /// Run.
    pub run_id: &'c str,
    /// The checks.
    pub check_ids: Vec<&'c str>,
    /// The next run: whole, so nothing is added to it any more.
    pub next: &'c RunFact,
}

impl NextRun<'_> {
    /// Day of the next run, `YYYY-MM-DD`.
    pub fn day(&self) -> &str {
        day_of(self.next)
    }
}

/// The tenant's runs that were followed by another one, by their day.
pub(super) fn next_runs<'c>(cut: &'c Cut, scope: &TenantScope) -> BTreeMap<&'c str, Vec<NextRun<'c>>> {
    let mut series: BTreeMap<(&str, &str), Vec<&RunFact>> = BTreeMap::new();
    for run in cut.runs_of(scope).iter().filter(|run| run.is_complete && !run.is_import) {
        series.entry((&run.workspace_id, run.engine_name.trim())).or_default().push(run);
    }
    let mut by_day: BTreeMap<&str, Vec<NextRun<'c>>> = BTreeMap::new();
    for mut runs in series.into_values() {
        runs.sort_by_key(|run| (&run.run_ts, &run.run_id));
        let mut next_of: BTreeMap<&str, &RunFact> = BTreeMap::new();
        for run in runs.into_iter().rev() {
            let mut checks: BTreeMap<&str, (&RunFact, Vec<&str>)> = BTreeMap::new();
            for check_id in &run.check_ids {
                if let Some(next) = next_of.insert(check_id, run) {
                    checks.entry(&next.run_id).or_insert_with(|| (next, Vec::new())).1.push(check_id);
                }
            }
            let followed =
                checks.into_values().map(|(next, check_ids)| NextRun { run_id: &run.run_id, check_ids, next });
            by_day.entry(day_of(run)).or_default().extend(followed);
        }
    }
    by_day
}

fn day_of(run: &RunFact) -> &str {
    run.run_ts.get(..10).unwrap_or(&run.run_ts)
}

/// Makes the tables of runs that followed: what they looked at, and what they found, which lies in these files.
///
/// # Errors
/// A manifest or a file of findings cannot be read.
pub(super) fn load(
    duck: &Duck,
    cut: &Cut,
    all: &[&NextRun<'_>],
    files: &BTreeMap<&str, &DataFile>,
    tenants: &str,
) -> Result<()> {
    let doing = "loading the runs that followed";
    let (mut runs, mut scopes, mut accounts) = (Vec::new(), BTreeSet::new(), Vec::new());
    for next in all {
        for check_id in &next.check_ids {
            let RunFact { tenant_id, workspace_id, run_id, .. } = next.next;
            runs.push([tenant_id, workspace_id, next.run_id, *check_id, run_id, next.day()].map(Some).to_vec());
        }
    }
    let followers: BTreeMap<(&str, &str, &str), &RunFact> = all
        .iter()
        .map(|next| ((&*next.next.tenant_id, &*next.next.workspace_id, &*next.next.run_id), next.next))
        .collect();
    for run in followers.values() {
        let Some(manifest) = manifest(cut, run)? else { continue };
        accounts.extend(accounts_of(&manifest));
        scopes.extend(complete_scopes(manifest));
    }
    duck.run(doing, TABLES)?;
    duck.insert(doing, "next_run", &runs)?;
    let scopes: Vec<_> = scopes.iter().map(|cells| cells.iter().map(|cell| Some(&**cell)).collect()).collect();
    duck.insert(doing, "next_scope", &scopes)?;
    let accounts: Vec<_> = accounts.iter().map(|cells| cells.iter().map(|cell| Some(&**cell)).collect()).collect();
    duck.insert(doing, "next_account", &accounts)?;
    let files: Vec<&DataFile> = files.values().copied().collect();
    let paths = cut.local(files.iter().copied(), &duck.lease)?;
    crate::findings_db::check_paths(duck, &files, &paths)?;
    let query = UNPRICED.query(duck, &paths)?;
    let sql =
        include_str!("../../sql/attribution_next_finding.sql").replace("{query}", &query).replace("{tenants}", tenants);
    duck.run("reading the findings of the runs that followed", &sql)
}

/// Makes the tables for runs that no run followed.
#[cfg(test)]
pub(super) fn load_none(duck: &Duck) -> Result<()> {
    duck.run("loading no runs", TABLES)
}

fn manifest(cut: &Cut, run: &RunFact) -> Result<Option<RunManifest>> {
    let path = layout::run_manifest(&run.tenant_id, &run.workspace_id, &run.run_id);
    let Some(bytes) = cut.object(&path)? else { return Ok(None) };
    let bad = |problem: String| ExportError::BadObject { path: path.clone(), problem };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| bad(e.to_string()))
}

/// What a run has looked at as a whole.
fn complete_scopes(run: RunManifest) -> Vec<[String; 6]> {
    let complete = run.scopes.into_iter().filter(|scope| scope.status == RunStatus::Complete);
    let rows = complete.flat_map(|scope| {
        let cells = |check_id| {
            [&run.tenant_id, &run.workspace_id, &run.run_id, &check_id, &scope.account_id, &scope.region]
                .map(Clone::clone)
        };
        scope.check_ids.into_iter().map(cells).collect::<Vec<_>>()
    });
    rows.collect()
}

/// The accounts that a scope of `*` stands for; `*` where that is all.
fn accounts_of(run: &RunManifest) -> Vec<[String; 4]> {
    let accounts = run.billed_accounts.clone().unwrap_or_else(|| BTreeSet::from([ANY.to_owned()]));
    let cells = |account| [run.tenant_id.clone(), run.workspace_id.clone(), run.run_id.clone(), account];
    accounts.into_iter().map(cells).collect()
}
