//! Writes the cost facts of a load: one staged Parquet file per billing month, made live by replacing the month's manifest.
//! A month is replaced as a whole; until then readers see the old delivery.

use std::collections::BTreeMap;

use contracts::arrow_schema::cost_facts;
use contracts::cost_manifest::{self, CostManifest};
use contracts::layout;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use platform::store::{Published, Staged, StagedWrite, Store, StoreError};

use super::error::LoadError;
use super::facts_batch;
use crate::billing::fact::CostFact;

/// Billing months of one load; each holds an open file.
const PERIODS_MAX: usize = 36;
/// Facts encoded at once.
const BATCH_ROWS: usize = 8192;
/// Facts of a row group: some ten MB of memory per open month.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Where facts go.
pub struct FactsWriter<'a> {
    store: &'a dyn Store,
    tenant: String,
    source_format: &'static str,
    delivery_id: String,
    periods: BTreeMap<String, PeriodWriter>,
}

struct PeriodWriter {
    live: Option<CostManifest>,
    /// `None` when this very delivery is live already.
    writer: Option<ArrowWriter<Box<dyn StagedWrite>>>,
    buffer: Vec<CostFact>,
    rows: u64,
}

/// A month that is live now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePeriod {
    /// Month.
    pub billing_period: String,
    /// Facts.
    pub rows: u64,
    /// Delivery that was live before and is not any more.
    pub replaced: Option<String>,
    /// True when this delivery was live before: nothing was written.
    pub unchanged: bool,
}

impl<'a> FactsWriter<'a> {
    /// For one delivery of one tenant.
    #[must_use]
    pub fn new(store: &'a dyn Store, tenant: &str, source_format: &'static str, delivery_id: &str) -> Self {
        let (tenant, delivery_id) = (tenant.to_owned(), delivery_id.to_owned());
        Self { store, tenant, source_format, delivery_id, periods: BTreeMap::new() }
    }

    /// Adds a fact to its month.
    ///
    /// # Errors
    /// Too many months, or the fact cannot be encoded or staged.
    pub fn add(&mut self, fact: CostFact) -> Result<(), LoadError> {
        if !self.periods.contains_key(&fact.billing_period) {
            let period = fact.billing_period.clone();
            if self.periods.len() >= PERIODS_MAX {
                return Err(LoadError::TooManyPeriods { period, limit: PERIODS_MAX });
            }
            let writer = self.open(&period)?;
            self.periods.insert(period, writer);
        }
        let Some(period) = self.periods.get_mut(&fact.billing_period) else { return Ok(()) };
        period.rows += 1;
        if period.writer.is_none() {
            return Ok(());
        }
        period.buffer.push(fact);
        if period.buffer.len() >= BATCH_ROWS { period.flush(&self.tenant, self.source_format) } else { Ok(()) }
    }

    /// Makes all months live.
    ///
    /// # Errors
    /// A month cannot be encoded or stored. Months before it are live, later ones keep their old delivery.
    pub fn publish(mut self) -> Result<Vec<LivePeriod>, LoadError> {
        let periods = std::mem::take(&mut self.periods);
        periods.into_iter().map(|(period, writer)| self.publish_period(period, writer)).collect()
    }

    /// Drops everything staged.
    pub fn abandon(self) {
        for (period, writer) in self.periods {
            let Some(writer) = writer.writer else { continue };
            let staged = writer.into_inner().map_err(|e| e.to_string()).and_then(|staged| {
                let staged = staged.finish().map_err(|e| e.to_string())?;
                self.store.discard(&staged).map_err(|e| e.to_string())
            });
            if let Err(error) = staged {
                tracing::warn!(period, error, "staged cost facts were left behind; the next sweep removes them");
            }
        }
    }

    fn folder(&self, period: &str) -> String {
        layout::cost_facts_dir(&self.tenant, period)
    }

    fn part(&self) -> String {
        format!("part-{}.parquet", self.delivery_id)
    }

    fn open(&self, period: &str) -> Result<PeriodWriter, LoadError> {
        let live = self.live_manifest(period)?;
        let is_live = live.as_ref().is_some_and(|live| live.delivery_id == self.delivery_id);
        let writer = if is_live { None } else { Some(self.stage(period)?) };
        Ok(PeriodWriter { live, writer, buffer: Vec::new(), rows: 0 })
    }

    fn live_manifest(&self, period: &str) -> Result<Option<CostManifest>, LoadError> {
        let path = format!("{}/{}", self.folder(period), cost_manifest::FILE_NAME);
        let bytes = self.store.get(&path).map_err(|source| store_error(period, source))?;
        let Some(bytes) = bytes else { return Ok(None) };
        let manifest: CostManifest = serde_json::from_slice(&bytes)
            .map_err(|e| LoadError::Manifest { path: path.clone(), reason: e.to_string() })?;
        if manifest.format_version > cost_manifest::FORMAT_VERSION {
            let reason = format!("format version {} is newer than this program", manifest.format_version);
            return Err(LoadError::Manifest { path, reason });
        }
        Ok(Some(manifest))
    }

    fn stage(&self, period: &str) -> Result<ArrowWriter<Box<dyn StagedWrite>>, LoadError> {
        let target = format!("{}/{}", self.folder(period), self.part());
        // A leftover of this name that is not live may come from another version of this program.
        self.store.delete(&target).map_err(|source| store_error(period, source))?;
        let staged = self.store.stage(&target).map_err(|source| store_error(period, source))?;
        let level = ZstdLevel::try_new(1).map_err(|e| encode_error(period, e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        ArrowWriter::try_new(staged, cost_facts(), Some(properties)).map_err(|e| encode_error(period, e))
    }

    fn publish_period(&self, period: String, mut writer: PeriodWriter) -> Result<LivePeriod, LoadError> {
        writer.flush(&self.tenant, self.source_format)?;
        let PeriodWriter { live, writer, rows, .. } = writer;
        let Some(writer) = writer else {
            return Ok(LivePeriod { billing_period: period, rows, replaced: None, unchanged: true });
        };
        let inner = writer.into_inner().map_err(|e| encode_error(&period, e))?;
        let staged = inner.finish().map_err(|source| store_error(&period, source))?;
        self.make_live(&period, rows, &staged, live.as_ref()).map_err(|source| store_error(&period, source))?;
        let replaced = live.map(|live| live.delivery_id);
        Ok(LivePeriod { billing_period: period, rows, replaced, unchanged: false })
    }

    fn make_live(
        &self,
        period: &str,
        rows: u64,
        staged: &Staged,
        live: Option<&CostManifest>,
    ) -> Result<(), StoreError> {
        let folder = self.folder(period);
        if self.store.publish(staged)? == Published::Missing {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(StoreError::Io { doing: "publishing", path: staged.target.clone(), source });
        }
        let manifest = CostManifest {
            format_version: cost_manifest::FORMAT_VERSION,
            delivery_id: self.delivery_id.clone(),
            part: self.part(),
            rows,
            bytes: staged.bytes,
            sha256: staged.sha256.clone(),
            source_format: self.source_format.to_owned(),
            previous_part: live.map(|live| live.part.clone()),
        };
        let json = serde_json::to_vec_pretty(&manifest).map_err(|e| StoreError::Io {
            doing: "encoding",
            path: format!("{folder}/{}", cost_manifest::FILE_NAME),
            source: e.into(),
        })?;
        self.store.put(&format!("{folder}/{}", cost_manifest::FILE_NAME), &json)?;
        self.drop_old_parts(&folder, &manifest)
    }

    /// Readers may still be at the previous file, not at older ones.
    fn drop_old_parts(&self, folder: &str, manifest: &CostManifest) -> Result<(), StoreError> {
        let kept = |name: &str| {
            name == manifest.part || name == cost_manifest::FILE_NAME || Some(name) == manifest.previous_part.as_deref()
        };
        for entry in self.store.list(folder)? {
            let name = entry.path.rsplit('/').next().unwrap_or_default();
            if !kept(name) {
                self.store.delete(&entry.path)?;
            }
        }
        Ok(())
    }
}

impl PeriodWriter {
    fn flush(&mut self, tenant: &str, source_format: &str) -> Result<(), LoadError> {
        let (Some(writer), Some(first)) = (&mut self.writer, self.buffer.first()) else { return Ok(()) };
        let period = first.billing_period.clone();
        let encode = |reason: String| LoadError::Encode { period: period.clone(), reason };
        let batch = facts_batch::batch(tenant, source_format, &self.buffer).map_err(|e| encode(e.to_string()))?;
        writer.write(&batch).map_err(|e| encode_error(&period, e))?;
        self.buffer.clear();
        Ok(())
    }
}

fn store_error(period: &str, source: StoreError) -> LoadError {
    LoadError::Store { period: period.to_owned(), source }
}

/// Parquet hands on what the store's writer said.
fn encode_error(period: &str, error: ParquetError) -> LoadError {
    let other = |reason: String| LoadError::Encode { period: period.to_owned(), reason };
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => store_error(period, StoreError::io("staging cost facts of", period, *io)),
            Err(source) => other(source.to_string()),
        },
        error => other(error.to_string()),
    }
}
