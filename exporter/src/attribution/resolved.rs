//! Which findings of a run are resolved: those that the next run which looked for them again does not have, and no run
//! between the two. "Not checked" is never read as "fixed": only a run manifest says what was looked at.

use std::collections::BTreeMap;

use lake::cut::{Cut, DataFile, RunFact};

use super::follow::{Area, NextRun};
use crate::columns::UNPRICED;
use crate::duck::Duck;
use crate::error::Result;

/// Tables of it; empty where no run followed.
const TABLES: &str = include_str!("../../sql/attribution_next_run.sql");

/// Makes the tables of runs that followed: what they looked at, and what they found, which lies in these files.
///
/// # Errors
/// A file of findings cannot be read.
pub(super) fn load(
    duck: &Duck,
    cut: &Cut,
    all: &[&NextRun<'_>],
    files: &BTreeMap<&str, &DataFile>,
    tenants: &str,
) -> Result<()> {
    let doing = "loading the runs that followed";
    let (mut runs, mut checks, mut areas, mut between) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (number, next) in all.iter().enumerate() {
        let number = number.to_string();
        let RunFact { tenant_id, workspace_id, .. } = next.next;
        let place = next.place.to_string();
        runs.push([tenant_id, workspace_id, next.run_id, &number, &place, next.day()].map(str::to_owned).to_vec());
        checks
            .extend(next.check_ids.iter().map(|check_id| [tenant_id, &number, *check_id].map(str::to_owned).to_vec()));
        let cells = |Area { account, region, family }: &Area| {
            [tenant_id, &number, account, region, family].map(Clone::clone).to_vec()
        };
        areas.extend(next.areas.iter().map(cells));
        between.extend(next.between.iter().map(|run| vec![tenant_id.clone(), number.clone(), run.run_id.clone()]));
    }
    duck.run(doing, TABLES)?;
    for (table, rows) in [("next_run", runs), ("next_check", checks), ("next_area", areas), ("run_between", between)] {
        let rows: Vec<_> = rows.iter().map(|cells| cells.iter().map(|cell| Some(&**cell)).collect()).collect();
        duck.insert(doing, table, &rows)?;
    }
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
