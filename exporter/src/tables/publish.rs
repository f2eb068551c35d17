//! Putting derived tables where readers find them: new files beside the old ones, then the manifest in one step, later the
//! files that no manifest lists any more. A crash between any two steps leaves the old generation readable, and files that the
//! next build removes.
//!
//! Several exporters may do this at once. The manifest is replaced only if it is the one that was there before the cut was
//! taken, so a build of an older cut never takes the place of a newer one. A file's name holds the revision of the manifest that
//! lists it first, and files are deleted only after a replacement of one's own: a name that another process may be about to
//! delete is never listed again.

use std::collections::BTreeMap;
use std::io::Write;

use contracts::source::ChainPosition;
use contracts::table_manifest::{self, FORMAT_VERSION, FileDigest, LeftOutKpis, PeriodTable, TableManifest};
use contracts::tenant_scope::TenantScope;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use platform::failpoint;
use platform::store::{Entry, Published, ReplaceOutcome, Store, StoreError};
use sha2::{Digest, Sha256};

use super::base::TableBase;
use crate::error::{ExportError, Result};
use crate::time::text_of_ms;

/// A file that is not listed any more stays this long for readers that still hold the old manifest.
const RETIRED_KEEP_MS: i64 = 15 * 60 * 1000;

/// What a cut holds of the tenant, for the manifest.
pub(crate) struct Origin<'a> {
    /// Digest of it.
    pub cut: &'a str,
    /// How far the chains had come.
    pub positions: &'a [ChainPosition],
}

/// What a new manifest lists.
#[derive(Default)]
pub(crate) struct Listed {
    /// Tables of the periods.
    pub periods: BTreeMap<String, PeriodTable>,
    /// Tables of the runs, by month.
    pub runs: BTreeMap<String, PeriodTable>,
    /// KPIs that have no row.
    pub left_out: Vec<LeftOutKpis>,
}

/// One tenant's tables being published.
pub(crate) struct Publication<'a> {
    store: &'a dyn Store,
    scope: &'a TenantScope,
    base: &'a TableBase,
    /// The tenant's files as they were before anything was written.
    present: Vec<Entry>,
    now_ms: i64,
}

/// What writing a file gave.
pub(crate) struct Written {
    /// Rows.
    pub rows: u64,
    /// Rows without cost, because an amount of theirs has too many digits.
    pub amount_overflows: u64,
}

impl<'a> Publication<'a> {
    /// Looks at what is there of the tenant in the datasets that the manifest lists.
    pub fn begin(
        store: &'a dyn Store,
        scope: &'a TenantScope,
        base: &'a TableBase,
        datasets: &[&str],
        now_ms: i64,
    ) -> Result<Self> {
        let mut present = Vec::new();
        for dataset in datasets {
            present.extend(store.list(&table_manifest::folder(dataset, scope.as_str()))?);
        }
        Ok(Self { store, scope, base, present, now_ms })
    }

    /// The table of the period as it is, if it has this content already and its files are there.
    pub fn unchanged(&self, period: &str, generation: &str) -> Option<PeriodTable> {
        self.kept(self.before(period), generation)
    }

    /// The same for the table of the runs of a month.
    pub fn unchanged_runs(&self, month: &str, generation: &str) -> Option<PeriodTable> {
        self.kept(self.base.manifest().and_then(|manifest| manifest.runs.get(month)), generation)
    }

    fn kept(&self, before: Option<&PeriodTable>, generation: &str) -> Option<PeriodTable> {
        before.filter(|before| before.generation == generation && self.has_files_of(before)).cloned()
    }

    /// The table of the period as the manifest lists it.
    pub fn before(&self, period: &str) -> Option<&PeriodTable> {
        self.base.manifest().and_then(|manifest| manifest.periods.get(period))
    }

    /// True when the table's files are there and their digests are recorded: what is not can be written again.
    fn has_files_of(&self, table: &PeriodTable) -> bool {
        table.files.iter().all(|path| {
            let wanted = table.digests.get(path).map(|digest| digest.bytes);
            let found = self.present.iter().find(|entry| entry.path == *path).map(|entry| entry.bytes);
            wanted.is_some() && wanted == found
        })
    }

    /// Writes a table to a file of its own in `folder`, named after its content.
    pub fn write(
        &self,
        folder: &str,
        generation: String,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<Written>,
    ) -> Result<PeriodTable> {
        let path = format!("{folder}/part-{generation}-{}.parquet", self.base.next_revision());
        let (digest, written) = self.put_file(&path, write)?;
        Ok(PeriodTable {
            generation,
            rows: written.rows,
            computed_ts: text_of_ms(self.now_ms),
            digests: BTreeMap::from([(path.clone(), digest)]),
            files: vec![path],
            findings: None,
            amount_overflows: written.amount_overflows,
        })
    }

    /// A file of this name has these rows, whichever exporter wrote it: the name is made from them.
    fn put_file(
        &self,
        path: &str,
        write: impl FnOnce(&mut (dyn Write + Send)) -> Result<Written>,
    ) -> Result<(FileDigest, Written)> {
        let store = self.store;
        let bad = |problem: String| ExportError::BadObject { path: path.to_owned(), problem };
        let mut staging = store.stage(path)?;
        let written = write(&mut *staging)?;
        let staged = staging.finish()?;
        let mut digest = FileDigest { bytes: staged.bytes, sha256: staged.sha256.clone() };
        match store.publish(&staged) {
            Ok(Published::Done | Published::Already) => {}
            // Another exporter was first. Its file has these rows, too, and only tells another build time.
            Err(StoreError::Conflict { .. }) => {
                store.discard(&staged)?;
                let found = store.get(path)?.ok_or_else(|| bad("what was just written is not there".to_owned()))?;
                digest = FileDigest { bytes: found.len() as u64, sha256: hex::encode(Sha256::digest(&found)) };
            }
            Ok(Published::Missing) => return Err(bad("what was just staged is not there".to_owned())),
            Err(error) => return Err(error.into()),
        }
        let opened =
            lake::verify::opened(store, path)?.ok_or_else(|| bad("what was just written is not there".into()))?;
        let file = opened.map_err(|e| StoreError::io("reading", path, e))?;
        let parquet = |source| ExportError::Parquet { doing: "reading back", path: path.to_owned(), source };
        let mut read_back = 0;
        for batch in
            ParquetRecordBatchReaderBuilder::try_new(file).and_then(|reader| reader.build()).map_err(parquet)?
        {
            read_back += batch.map_err(|e| parquet(e.into()))?.num_rows() as u64;
        }
        if read_back != written.rows {
            return Err(bad(format!("it reads back {read_back} rows, {} were written", written.rows)));
        }
        Ok((digest, written))
    }

    /// Replaces the manifest, unless it says the same already. Returns when the eldest of the files may go that are
    /// retired and still there.
    ///
    /// # Errors
    /// [`ExportError::Superseded`] when another exporter has replaced the base.
    pub fn finish(
        &self,
        origin: &Origin<'_>,
        Listed { periods, runs, left_out }: Listed,
    ) -> Result<(TableManifest, Option<i64>)> {
        let old = self.base.manifest();
        let mut new = TableManifest {
            format_version: FORMAT_VERSION,
            schema_version: self.base.schema_version,
            tenant_id: self.scope.to_string(),
            revision: self.base.next_revision(),
            cut: origin.cut.to_owned(),
            positions: origin.positions.to_vec(),
            computed_ts: text_of_ms(self.now_ms),
            periods,
            runs,
            left_out,
            retired: old.map(|manifest| manifest.retired.clone()).unwrap_or_default(),
        };
        for path in old.into_iter().flat_map(TableManifest::tables).flat_map(|table| &table.files) {
            if !new.lists(path) {
                new.retired.entry(path.clone()).or_insert(self.now_ms);
            }
        }
        let due = self.due_files(&new);
        // A file that is listed again, or is about to be deleted, is not retired.
        let retired = std::mem::take(&mut new.retired);
        new.retired = retired.into_iter().filter(|(path, _)| !new.lists(path) && !due.contains(path)).collect();
        let same = |old: &TableManifest| {
            old.schema_version == new.schema_version
                // Also for the same rows: an exporter with an older cut must not be able to take this one's place.
                && old.positions == new.positions
                && old.periods == new.periods
                && old.runs == new.runs
                && old.left_out == new.left_out
                && old.retired == new.retired
        };
        // Before anything is deleted the manifest is replaced: an exporter that was about to list it is refused then.
        if !due.is_empty() || !old.is_some_and(same) {
            failpoint::hit!("exporter.gold.manifest.begin");
            let path = table_manifest::path(self.base.dataset, self.scope.as_str());
            let bytes =
                new.to_bytes().map_err(|e| ExportError::BadObject { path: path.clone(), problem: e.to_string() })?;
            let replaced = self.store.replace(&path, &bytes, self.base.version())?;
            if replaced == ReplaceOutcome::Conflict {
                return Err(ExportError::Superseded {
                    what: format!("tables of {} in {}", self.scope, self.base.dataset),
                });
            }
            failpoint::hit!("exporter.gold.manifest.replaced");
        }
        for path in due {
            self.store.delete(&path)?;
            failpoint::hit!("exporter.gold.retired.deleted");
        }
        let again_at_ms = new.retired.values().min().map(|since_ms| since_ms + RETIRED_KEEP_MS);
        Ok((new, again_at_ms))
    }

    /// Files to delete now: retired long enough ago, or left by a crash and as old.
    fn due_files(&self, manifest: &TableManifest) -> Vec<String> {
        let is_due = |entry: &&Entry| {
            let since = manifest.retired.get(&entry.path).copied().unwrap_or(entry.modified_ms);
            entry.path.ends_with(".parquet") && !manifest.lists(&entry.path) && self.now_ms - since >= RETIRED_KEEP_MS
        };
        self.present.iter().filter(is_due).map(|entry| entry.path.clone()).collect()
    }
}
