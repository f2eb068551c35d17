//! Putting KPI rows where readers find them, by the mechanism of all derived tables ([`crate::tables`]).

use std::collections::BTreeMap;

use contracts::layout::RUN_TABLE;
use contracts::table_manifest::{self, LeftOutKpis, PeriodTable};
use contracts::tenant_scope::TenantScope;
use lake::cut::RunFact;
use platform::failpoint;
use platform::store::Store;

use super::row::{KpiRow, generation};
use super::{runs, table};
use crate::error::Result;
use crate::tables::{Listed, Origin, Publication, TableBase};

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
    /// KPIs that have no row, because their values have too many digits.
    pub left_out: Vec<LeftOutKpis>,
    /// When another build of the same cut may do more: a snooze has ended, or a retired file may go.
    pub again_at_ms: Option<i64>,
}

/// What the tables of a tenant hold.
pub(super) struct Contents<'a> {
    /// Rows of each period.
    pub periods: &'a BTreeMap<String, Vec<KpiRow>>,
    /// KPIs that have no row.
    pub left_out: Vec<LeftOutKpis>,
    /// Runs of the tenant.
    pub runs: &'a [RunFact],
}

/// Publishes the rows of all periods in the place of `base`; equal content is not written again.
///
/// # Errors
/// [`ExportError::Superseded`](crate::error::ExportError::Superseded) when another exporter has replaced the base.
pub(super) fn publish(
    store: &dyn Store,
    scope: &TenantScope,
    base: &TableBase,
    origin: &Origin<'_>,
    contents: Contents<'_>,
    now_ms: i64,
) -> Result<GoldReport> {
    let Contents { periods, left_out, runs } = contents;
    let publication = Publication::begin(store, scope, base, &[base.dataset, RUN_TABLE], now_ms)?;
    let folder = table_manifest::folder(base.dataset, scope.as_str());
    let mut tables = BTreeMap::new();
    let mut changed = 0;
    for (period, rows) in periods {
        let generation = generation(scope.as_str(), rows);
        let table = match publication.unchanged(period, &generation) {
            Some(table) => table,
            None => {
                changed += 1;
                warn_if_shrunk(scope, period, publication.before(period), rows);
                let folder = format!("{folder}/period={period}");
                publication.write(&folder, generation, |out| {
                    table::write(table::batch(scope.as_str(), rows, now_ms), &folder, out)
                })?
            }
        };
        tables.insert(period.clone(), table);
    }
    let (periods, rows) = (tables.len() as u64, tables.values().map(|table| table.rows).sum());
    let runs = runs::tables(&publication, scope, runs)?;
    failpoint::hit!("exporter.gold.files.published");
    let (_, again_at_ms) = publication.finish(origin, Listed { periods: tables, runs, left_out: left_out.clone() })?;
    Ok(GoldReport { tenant_id: scope.to_string(), periods, changed, rows, left_out, again_at_ms })
}

fn warn_if_shrunk(scope: &TenantScope, period: &str, before: Option<&PeriodTable>, rows: &[KpiRow]) {
    if let Some(before) = before
        && (rows.len() as u64) < before.rows / SHRINK_WARNING
    {
        tracing::warn!(tenant = %scope, period, before = before.rows, now = rows.len(), "a gold table shrank");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use contracts::layout;
    use platform::store::local::LocalStore;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::error::ExportError;

    const ORIGIN: Origin<'_> = Origin { cut: "cut", positions: &[] };

    fn rows(value_micro: i128) -> BTreeMap<String, Vec<KpiRow>> {
        let row = KpiRow {
            workspace_id: "*".into(),
            kpi_name: "findings.count".into(),
            dim_key: String::new(),
            currency: None,
            dimensions: BTreeMap::new(),
            value_micro,
            period: "2026-01".into(),
            period_type: "month".into(),
            unit: "count",
            source_ref: String::new(),
        };
        BTreeMap::from([("2026-01".to_owned(), vec![row])])
    }

    fn of(periods: &BTreeMap<String, Vec<KpiRow>>) -> Contents<'_> {
        Contents { periods, left_out: Vec::new(), runs: &[] }
    }

    fn base_of(store: &LocalStore, scope: &TenantScope) -> Result<TableBase> {
        TableBase::read(store, scope, layout::KPI_GOLD, 2)
    }

    /// What the manifest names is there, as it says.
    fn assert_whole(store: &LocalStore, scope: &TenantScope) {
        let base = base_of(store, scope).unwrap();
        for (path, digest) in base.manifest().unwrap().tables().flat_map(|table| &table.digests) {
            let found = store.get(path).unwrap().unwrap_or_else(|| panic!("{path} is listed and not there"));
            assert_eq!(hex::encode(Sha256::digest(&found)), digest.sha256);
        }
    }

    /// Each exporter stamps its own build time into files that are named after their rows.
    #[test]
    fn exporters_at_the_same_time_agree() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        for round in 0..40 {
            let (periods, start) = (rows(round), Barrier::new(2));
            let build = |now_ms| {
                let base = base_of(&store, &scope).unwrap();
                start.wait();
                let published = publish(&store, &scope, &base, &ORIGIN, of(&periods), now_ms);
                if let Err(error) = &published {
                    assert!(matches!(error, ExportError::Superseded { .. }), "{error}");
                    let base = base_of(&store, &scope).unwrap();
                    assert_eq!(publish(&store, &scope, &base, &ORIGIN, of(&periods), now_ms).unwrap().changed, 0);
                }
                published.is_ok()
            };
            let build = &build;
            let winners = std::thread::scope(|threads| {
                let builds = [1_000, 2_000].map(|now_ms| threads.spawn(move || build(now_ms)));
                builds.map(|thread| thread.join().unwrap()).into_iter().filter(|won| *won).count()
            });
            assert_eq!(winners, 1, "exactly one of two replaces the manifest");
            assert_whole(&store, &scope);
        }
        assert!(store.staged().unwrap().is_empty(), "what came second is not left behind");
    }

    #[test]
    fn a_build_of_an_older_base_is_refused_and_deletes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        let build = |base: &TableBase, value, now_ms| publish(&store, &scope, base, &ORIGIN, of(&rows(value)), now_ms);
        let none = base_of(&store, &scope).unwrap();
        build(&none, 1, 0).unwrap();
        let older = base_of(&store, &scope).unwrap();
        build(&older, 2, 1_000).unwrap();
        let newest = store.get(&table_manifest::path(layout::KPI_GOLD, "acme")).unwrap();
        // An hour later: it would delete everything that it does not know.
        let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 3_600_000;
        for (base, value) in [(&older, 3), (&older, 1), (&none, 1)] {
            let refused = build(base, value, later);
            assert!(matches!(refused, Err(ExportError::Superseded { .. })), "{refused:?}");
            assert_eq!(store.get(&table_manifest::path(layout::KPI_GOLD, "acme")).unwrap(), newest);
            assert_whole(&store, &scope);
        }
    }

    #[test]
    fn a_listed_file_that_is_not_there_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        let build = || {
            let base = base_of(&store, &scope).unwrap();
            publish(&store, &scope, &base, &ORIGIN, of(&rows(1)), 0).unwrap().changed
        };
        assert_eq!((build(), build()), (1, 0));
        let base = base_of(&store, &scope).unwrap();
        store.delete(&base.manifest().unwrap().periods["2026-01"].files[0]).unwrap();
        assert_eq!((build(), build()), (1, 0));
        assert_whole(&store, &scope);
    }
}
