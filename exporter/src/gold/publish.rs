//! Putting KPI rows where readers find them: new files beside the old ones, then the manifest in one step, later the
//! files that no manifest lists any more. A crash between any two steps leaves the old generation readable, and files that the
//! next build removes.
//!
//! Several exporters may do this at once. The manifest is replaced only if it is the one that was there before the cut was
//! taken, so a build of an older cut never takes the place of a newer one. A file's name holds the revision of the manifest that
//! lists it first, and files are deleted only after a replacement of one's own: a name that another process may be about to
//! delete is never listed again.

use std::collections::BTreeMap;

use contracts::gold_manifest::{self, FORMAT_VERSION, FileDigest, GoldManifest, LeftOutKpis, PeriodTable};
use contracts::source::ChainPosition;
use contracts::tenant_scope::TenantScope;
use platform::failpoint;
use platform::store::{Entry, Published, ReplaceOutcome, Store, StoreError};
use sha2::{Digest, Sha256};

use super::manifest::GoldBase;
use super::row::{KpiRow, SCHEMA_VERSION, generation};
use super::table;
use crate::error::{ExportError, Result};
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
    /// KPIs that have no row, because their values have too many digits.
    pub left_out: Vec<LeftOutKpis>,
    /// When another build of the same cut may do more: a snooze has ended, or a retired file may go.
    pub again_at_ms: Option<i64>,
}

/// What a cut holds of the tenant, for the manifest.
pub(super) struct Origin<'a> {
    /// Digest of it.
    pub cut: &'a str,
    /// How far the chains had come.
    pub positions: &'a [ChainPosition],
}

/// One tenant's tables being published.
struct Publication<'a> {
    store: &'a dyn Store,
    scope: &'a TenantScope,
    base: &'a GoldBase,
    /// The tenant's files as they were before anything was written.
    present: Vec<Entry>,
    now_ms: i64,
}

/// Publishes the rows of all periods in the place of `base`; equal content is not written again.
///
/// # Errors
/// [`ExportError::Superseded`] when another exporter has replaced the base.
pub(super) fn publish(
    store: &dyn Store,
    scope: &TenantScope,
    base: &GoldBase,
    origin: &Origin<'_>,
    periods: &BTreeMap<String, Vec<KpiRow>>,
    left_out: Vec<LeftOutKpis>,
    now_ms: i64,
) -> Result<GoldReport> {
    let present = store.list(&gold_manifest::folder(scope.as_str()))?;
    let publication = Publication { store, scope, base, present, now_ms };
    let mut tables = BTreeMap::new();
    let mut changed = 0;
    for (period, rows) in periods {
        let generation = generation(scope.as_str(), rows);
        let before = base.manifest().and_then(|manifest| manifest.periods.get(period));
        let table = match before {
            Some(before) if before.generation == generation && publication.has_files_of(before) => before.clone(),
            _ => {
                changed += 1;
                warn_if_shrunk(scope, period, before, rows);
                publication.write(period, generation, rows)?
            }
        };
        tables.insert(period.clone(), table);
    }
    failpoint::hit!("exporter.gold.files.published");
    let (periods, rows) = (tables.len() as u64, tables.values().map(|table| table.rows).sum());
    let retired_since = publication.replace_manifest(origin, tables, &left_out)?;
    let again_at_ms = retired_since.map(|since_ms| since_ms + RETIRED_KEEP_MS);
    Ok(GoldReport { tenant_id: scope.to_string(), periods, changed, rows, left_out, again_at_ms })
}

fn warn_if_shrunk(scope: &TenantScope, period: &str, before: Option<&PeriodTable>, rows: &[KpiRow]) {
    if let Some(before) = before
        && (rows.len() as u64) < before.rows / SHRINK_WARNING
    {
        tracing::warn!(tenant = %scope, period, before = before.rows, now = rows.len(), "a gold table shrank");
    }
}

impl Publication<'_> {
    /// True when the table's files are there and their digests are recorded: what is not can be written again.
    fn has_files_of(&self, table: &PeriodTable) -> bool {
        table.files.iter().all(|path| {
            let wanted = table.digests.get(path).map(|digest| digest.bytes);
            let found = self.present.iter().find(|entry| entry.path == *path).map(|entry| entry.bytes);
            wanted.is_some() && wanted == found
        })
    }

    /// Writes the rows of a period to a file of their own.
    fn write(&self, period: &str, generation: String, rows: &[KpiRow]) -> Result<PeriodTable> {
        let folder = gold_manifest::folder(self.scope.as_str());
        let path = format!("{folder}/period={period}/part-{generation}-{}.parquet", self.base.next_revision());
        let digest = self.put_file(&path, rows)?;
        Ok(PeriodTable {
            generation,
            rows: rows.len() as u64,
            computed_ts: text_of_ms(self.now_ms),
            digests: BTreeMap::from([(path.clone(), digest)]),
            files: vec![path],
        })
    }

    /// A file of this name has these rows, whichever exporter wrote it: the name is made from them.
    fn put_file(&self, path: &str, rows: &[KpiRow]) -> Result<FileDigest> {
        let store = self.store;
        let parquet = |doing: &'static str| {
            let path = path.to_owned();
            move |source| ExportError::Parquet { doing, path, source }
        };
        let bad = |problem: String| ExportError::BadObject { path: path.to_owned(), problem };
        if store.get(path)?.is_none() {
            let bytes = table::encode(self.scope.as_str(), rows, self.now_ms).map_err(parquet("encoding"))?;
            let mut staging = store.stage(path)?;
            let written = std::io::Write::write_all(&mut staging, &bytes);
            written.map_err(|e| StoreError::io("staging", path, e))?;
            let staged = staging.finish()?;
            match store.publish(&staged) {
                Ok(Published::Done | Published::Already) => {}
                // Another exporter was first. Its file has these rows, too, and only tells another build time.
                Err(StoreError::Conflict { .. }) => store.discard(&staged)?,
                Ok(Published::Missing) => return Err(bad("what was just staged is not there".to_owned())),
                Err(error) => return Err(error.into()),
            }
        }
        let found = store.get(path)?.ok_or_else(|| bad("what was just written is not there".to_owned()))?;
        let digest = FileDigest { bytes: found.len() as u64, sha256: hex::encode(Sha256::digest(&found)) };
        let read_back = table::count_rows(found).map_err(parquet("reading back"))?;
        if read_back != rows.len() as u64 {
            return Err(bad(format!("it reads back {read_back} rows, {} were written", rows.len())));
        }
        Ok(digest)
    }

    /// Returns since when the eldest of the files is retired that are still there.
    fn replace_manifest(
        &self,
        origin: &Origin<'_>,
        periods: BTreeMap<String, PeriodTable>,
        left_out: &[LeftOutKpis],
    ) -> Result<Option<i64>> {
        let old = self.base.manifest();
        let mut new = GoldManifest {
            format_version: FORMAT_VERSION,
            schema_version: SCHEMA_VERSION,
            tenant_id: self.scope.to_string(),
            revision: self.base.next_revision(),
            cut: origin.cut.to_owned(),
            positions: origin.positions.to_vec(),
            computed_ts: text_of_ms(self.now_ms),
            periods,
            left_out: left_out.to_vec(),
            retired: old.map(|manifest| manifest.retired.clone()).unwrap_or_default(),
        };
        for path in old.into_iter().flat_map(|old| old.periods.values()).flat_map(|table| &table.files) {
            if !new.lists(path) {
                new.retired.entry(path.clone()).or_insert(self.now_ms);
            }
        }
        let due = self.due_files(&new);
        // A file that is listed again, or is about to be deleted, is not retired.
        let retired = std::mem::take(&mut new.retired);
        new.retired = retired.into_iter().filter(|(path, _)| !new.lists(path) && !due.contains(path)).collect();
        let same = |old: &GoldManifest| {
            old.schema_version == new.schema_version
                // Also for the same rows: an exporter with an older cut must not be able to take this one's place.
                && old.positions == new.positions
                && old.periods == new.periods
                && old.left_out == new.left_out
                && old.retired == new.retired
        };
        // Before anything is deleted the manifest is replaced: an exporter that was about to list it is refused then.
        if !due.is_empty() || !old.is_some_and(same) {
            failpoint::hit!("exporter.gold.manifest.begin");
            let path = gold_manifest::path(self.scope.as_str());
            let bytes =
                new.to_bytes().map_err(|e| ExportError::BadObject { path: path.clone(), problem: e.to_string() })?;
            let replaced = self.store.replace(&path, &bytes, self.base.version())?;
            if replaced == ReplaceOutcome::Conflict {
                return Err(ExportError::Superseded { what: format!("gold tables of {}", self.scope) });
            }
            failpoint::hit!("exporter.gold.manifest.replaced");
        }
        for path in due {
            self.store.delete(&path)?;
            failpoint::hit!("exporter.gold.retired.deleted");
        }
        Ok(new.retired.into_values().min())
    }

    /// Files to delete now: retired long enough ago, or left by a crash and as old.
    fn due_files(&self, manifest: &GoldManifest) -> Vec<String> {
        let is_due = |entry: &&Entry| {
            let since = manifest.retired.get(&entry.path).copied().unwrap_or(entry.modified_ms);
            entry.path.ends_with(".parquet") && !manifest.lists(&entry.path) && self.now_ms - since >= RETIRED_KEEP_MS
        };
        self.present.iter().filter(is_due).map(|entry| entry.path.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use contracts::layout;
    use platform::store::local::LocalStore;

    use super::*;

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

    /// What the manifest names is there, as it says.
    fn assert_whole(store: &LocalStore, scope: &TenantScope) {
        let base = GoldBase::read(store, scope).unwrap();
        for (path, digest) in base.manifest().unwrap().periods.values().flat_map(|table| &table.digests) {
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
                let base = GoldBase::read(&store, &scope).unwrap();
                start.wait();
                let published = publish(&store, &scope, &base, &ORIGIN, &periods, Vec::new(), now_ms);
                if let Err(error) = &published {
                    assert!(matches!(error, ExportError::Superseded { .. }), "{error}");
                    let base = GoldBase::read(&store, &scope).unwrap();
                    assert_eq!(
                        publish(&store, &scope, &base, &ORIGIN, &periods, Vec::new(), now_ms).unwrap().changed,
                        0
                    );
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
        let build =
            |base: &GoldBase, value, now_ms| publish(&store, &scope, base, &ORIGIN, &rows(value), Vec::new(), now_ms);
        let none = GoldBase::read(&store, &scope).unwrap();
        build(&none, 1, 0).unwrap();
        let older = GoldBase::read(&store, &scope).unwrap();
        build(&older, 2, 1_000).unwrap();
        let newest = store.get(&gold_manifest::path("acme")).unwrap();
        // An hour later: it would delete everything that it does not know.
        let later = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap() + 3_600_000;
        for (base, value) in [(&older, 3), (&older, 1), (&none, 1)] {
            let refused = build(base, value, later);
            assert!(matches!(refused, Err(ExportError::Superseded { .. })), "{refused:?}");
            assert_eq!(store.get(&gold_manifest::path("acme")).unwrap(), newest);
            assert_whole(&store, &scope);
        }
    }

    #[test]
    fn a_listed_file_that_is_not_there_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalStore::open(folder.path(), layout::SINK).unwrap();
        let scope = TenantScope::new("acme").unwrap();
        let build = || {
            let base = GoldBase::read(&store, &scope).unwrap();
            publish(&store, &scope, &base, &ORIGIN, &rows(1), Vec::new(), 0).unwrap().changed
        };
        assert_eq!((build(), build()), (1, 0));
        let base = GoldBase::read(&store, &scope).unwrap();
        store.delete(&base.manifest().unwrap().periods["2026-01"].files[0]).unwrap();
        assert_eq!((build(), build()), (1, 0));
        assert_whole(&store, &scope);
    }
}
