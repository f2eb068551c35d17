//! Putting KPI rows where readers find them: new files beside the old ones, then the manifest in one step, later the
//! files nobody lists any more. A crash between any two steps leaves the old generation readable, and files that the
//! next build uses or removes.

use std::collections::BTreeMap;

use platform::failpoint;
use platform::store::{Published, Store, StoreError};

use super::manifest::{self, FORMAT_VERSION, GoldManifest, PeriodTable};
use super::row::{KpiRow, generation};
use super::table::{self, SCHEMA_VERSION};
use crate::error::{ExportError, Result};
use crate::tenant::TenantScope;
use crate::time::text_of_ms;

/// A file that is not listed any more stays this long for readers that still hold the old manifest.
const RETIRED_KEEP_MS: i64 = 15 * 60 * 1000;
/// A period that loses more than four fifths of its rows is worth a look.
const SHRINK_WARNING: u64 = 5;

/// What became of a tenant's gold tables.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct GoldReport {
    /// Tenant.
    pub tenant_id: String,
    /// Periods that have a table now.
    pub periods: u64,
    /// Periods whose table is new or changed.
    pub changed: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// When another build of the same cut may do more: a snooze has ended, or a retired file may go.
    pub again_at_ms: Option<i64>,
}

/// Publishes the rows of all periods; equal content is not written again.
pub(super) fn publish(
    store: &dyn Store,
    scope: &TenantScope,
    cut_id: &str,
    periods: &BTreeMap<String, Vec<KpiRow>>,
    now_ms: i64,
) -> Result<GoldReport> {
    let old = GoldManifest::read(store, scope)?;
    let mut tables = BTreeMap::new();
    let mut changed = 0;
    for (period, rows) in periods {
        let generation = generation(scope.as_str(), rows);
        let before = old.as_ref().and_then(|manifest| manifest.periods.get(period));
        let table = match before {
            Some(before) if before.generation == generation => before.clone(),
            _ => {
                changed += 1;
                warn_if_shrunk(scope, period, before, rows);
                let path = format!("{}/period={period}/part-{generation}.parquet", manifest::folder(scope));
                put_file(store, scope, &path, rows, now_ms)?;
                let computed_ts = text_of_ms(now_ms);
                PeriodTable { generation, rows: rows.len() as u64, computed_ts, files: vec![path] }
            }
        };
        tables.insert(period.clone(), table);
    }
    failpoint::hit("exporter.gold.files.published");
    let (periods, rows) = (tables.len() as u64, tables.values().map(|table| table.rows).sum());
    let retired_since = replace_manifest(store, scope, cut_id, old, tables, now_ms)?;
    let again_at_ms = retired_since.map(|since_ms| since_ms + RETIRED_KEEP_MS);
    Ok(GoldReport { tenant_id: scope.to_string(), periods, changed, rows, again_at_ms })
}

fn warn_if_shrunk(scope: &TenantScope, period: &str, before: Option<&PeriodTable>, rows: &[KpiRow]) {
    if let Some(before) = before
        && (rows.len() as u64) < before.rows / SHRINK_WARNING
    {
        tracing::warn!(tenant = %scope, period, before = before.rows, now = rows.len(), "a gold table shrank");
    }
}

/// A file of this name has these rows, whoever wrote it: the name is made from them.
fn put_file(store: &dyn Store, scope: &TenantScope, path: &str, rows: &[KpiRow], now_ms: i64) -> Result<()> {
    let parquet = |doing: &'static str| {
        let path = path.to_owned();
        move |source| ExportError::Parquet { doing, path, source }
    };
    if store.get(path)?.is_none() {
        let bytes = table::encode(scope.as_str(), rows, now_ms).map_err(parquet("encoding"))?;
        let mut staging = store.stage(path)?;
        let written = std::io::Write::write_all(&mut staging, &bytes);
        written.map_err(|e| StoreError::io("staging", path, e))?;
        let staged = staging.finish()?;
        match store.publish(&staged) {
            Ok(Published::Done | Published::Already) => {}
            // Another exporter was first. Its file has these rows, too, and only tells another build time.
            Err(StoreError::Conflict { .. }) => store.discard(&staged)?,
            Ok(Published::Missing) => {
                let problem = "what was just staged is gone".to_owned();
                return Err(ExportError::BadObject { path: path.to_owned(), problem });
            }
            Err(error) => return Err(error.into()),
        }
    }
    let found = match store.get(path)? {
        Some(bytes) => table::count_rows(bytes).map_err(parquet("reading back"))?,
        None => 0,
    };
    if found == rows.len() as u64 {
        Ok(())
    } else {
        let problem = format!("it reads back {found} rows, {} were written", rows.len());
        Err(ExportError::BadObject { path: path.to_owned(), problem })
    }
}

/// Returns since when the eldest of the files is retired that are still there.
fn replace_manifest(
    store: &dyn Store,
    scope: &TenantScope,
    cut_id: &str,
    old: Option<GoldManifest>,
    periods: BTreeMap<String, PeriodTable>,
    now_ms: i64,
) -> Result<Option<i64>> {
    let mut new = GoldManifest {
        format_version: FORMAT_VERSION,
        schema_version: SCHEMA_VERSION,
        tenant_id: scope.to_string(),
        cut: cut_id.to_owned(),
        computed_ts: text_of_ms(now_ms),
        periods,
        retired: old.as_ref().map(|manifest| manifest.retired.clone()).unwrap_or_default(),
    };
    for path in old.iter().flat_map(|old| old.periods.values()).flat_map(|table| &table.files) {
        if !new.lists(path) {
            new.retired.entry(path.clone()).or_insert(now_ms);
        }
    }
    let due = due_files(store, scope, &new, now_ms)?;
    // A file that is listed again, or is about to be deleted, is not retired.
    let retired = std::mem::take(&mut new.retired);
    new.retired = retired.into_iter().filter(|(path, _)| !new.lists(path) && !due.contains(path)).collect();
    let same = |old: &GoldManifest| old.periods == new.periods && old.retired == new.retired;
    if !old.as_ref().is_some_and(same) {
        failpoint::hit("exporter.gold.manifest.begin");
        store.put(&manifest::path(scope), &crate::export::json(&new))?;
        failpoint::hit("exporter.gold.manifest.replaced");
    }
    for path in due {
        store.delete(&path)?;
        failpoint::hit("exporter.gold.retired.deleted");
    }
    Ok(new.retired.into_values().min())
}

/// Files to delete now: retired long enough ago, or left by a crash and as old.
fn due_files(store: &dyn Store, scope: &TenantScope, manifest: &GoldManifest, now_ms: i64) -> Result<Vec<String>> {
    let mut due = Vec::new();
    for entry in store.list(&manifest::folder(scope))? {
        let since = manifest.retired.get(&entry.path).copied().unwrap_or(entry.modified_ms);
        if entry.path.ends_with(".parquet") && !manifest.lists(&entry.path) && now_ms - since >= RETIRED_KEEP_MS {
            due.push(entry.path);
        }
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use platform::store::local::LocalStore;

    use super::*;

    /// Each exporter stamps its own build time into files that are named after their rows.
    #[test]
    fn exporters_at_the_same_time_agree() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path()).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        for round in 0..40 {
            let row = KpiRow {
                workspace_id: "*".into(),
                kpi_name: "findings.count".into(),
                dim_key: String::new(),
                currency: None,
                dimensions: BTreeMap::new(),
                value_micro: round,
                period: "2026-01".into(),
                period_type: "month".into(),
                unit: "count",
                source_ref: String::new(),
            };
            let periods = BTreeMap::from([("2026-01".to_owned(), vec![row])]);
            let start = Barrier::new(2);
            std::thread::scope(|threads| {
                for now_ms in [1_000, 2_000] {
                    let (store, scope, periods, start) = (&store, &scope, &periods, &start);
                    threads.spawn(move || {
                        start.wait();
                        assert_eq!(publish(store, scope, "cut", periods, now_ms).unwrap().rows, 1);
                    });
                }
            });
        }
        assert!(store.staged().unwrap().is_empty(), "what came second is not left behind");
    }
}
