//! `finops_runs`: the runs that the KPIs count, and those that have not arrived whole, for readers of the datasets that must not
//! take a part of a run for all of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::error::ArrowError;
use contracts::layout::{self, RUN_TABLE};
use contracts::table_manifest::{self, PeriodTable};
use contracts::tenant_scope::TenantScope;
use contracts::{arrow_schema, time};
use lake::cut::RunFact;
use sha2::{Digest, Sha256};

use super::table;
use crate::error::{ExportError, Result};
use crate::tables::Publication;

/// The table of each month in which a run of the tenant began; a month that is as it was is not written again.
pub(super) fn tables(
    publication: &Publication<'_>,
    scope: &TenantScope,
    runs: &[RunFact],
) -> Result<BTreeMap<String, PeriodTable>> {
    let mut by_month: BTreeMap<String, Vec<(&RunFact, i64)>> = BTreeMap::new();
    for run in runs {
        let path = || layout::run_manifest(&run.tenant_id, &run.workspace_id, &run.run_id);
        let bad = |_| ExportError::BadObject { path: path(), problem: format!("run_ts is no time: {:?}", run.run_ts) };
        let run_ms = time::timestamp(&run.run_ts).map_err(bad)?;
        by_month.entry(time::date_of(run_ms)[..7].to_owned()).or_default().push((run, run_ms));
    }
    let table = |(month, runs): (String, Vec<(&RunFact, i64)>)| {
        let generation = generation(&runs);
        let table = match publication.unchanged_runs(&month, &generation) {
            Some(table) => table,
            None => {
                let folder = format!("{}/month={month}", table_manifest::folder(RUN_TABLE, scope.as_str()));
                publication.write(&folder, generation, |out| table::write(batch(&runs), &folder, out))?
            }
        };
        Ok((month, table))
    };
    by_month.into_iter().map(table).collect()
}

fn generation(runs: &[(&RunFact, i64)]) -> String {
    let mut hash = Sha256::new();
    hash.update("columns 1\n");
    runs.iter().for_each(|(run, _)| hash.update(serde_json::to_string(run).unwrap_or_default() + "\n"));
    hex::encode(hash.finalize())[..16].to_owned()
}

fn batch(runs: &[(&RunFact, i64)]) -> std::result::Result<RecordBatch, ArrowError> {
    let text = |cell: fn(&RunFact) -> &str| -> ArrayRef {
        Arc::new(runs.iter().map(|(run, _)| Some(cell(run))).collect::<StringArray>())
    };
    let count = |cell: fn(&RunFact) -> u64| -> ArrayRef {
        Arc::new(runs.iter().map(|(run, _)| i64::try_from(cell(run)).ok()).collect::<Int64Array>())
    };
    let flag = |cell: fn(&RunFact) -> bool| -> ArrayRef {
        Arc::new(runs.iter().map(|(run, _)| Some(cell(run))).collect::<BooleanArray>())
    };
    let began = TimestampMillisecondArray::from_iter_values(runs.iter().map(|(_, run_ms)| *run_ms));
    let columns = vec![
        text(|run| &run.tenant_id),
        text(|run| &run.workspace_id),
        text(|run| &run.run_id),
        Arc::new(began.with_timezone("UTC")),
        text(|run| &run.engine_name),
        text(|run| run.status.as_str()),
        count(|run| run.published),
        count(|run| run.delivered),
        flag(|run| run.is_complete),
        flag(|run| run.is_import),
    ];
    RecordBatch::try_new(arrow_schema::runs(), columns)
}
