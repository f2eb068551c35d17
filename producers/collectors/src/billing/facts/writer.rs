//! Writes the facts of a load: per billing month one file of its own, in which each source has row groups of its own. No
//! reader looks at the file before a manifest names it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use contracts::arrow_schema::cost_facts;
use contracts::cost_manifest::{DeliverySource, FactsPart, LiveDelivery, RowGroups};
use contracts::layout;
use inventories::billing::fact::CostFact;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use platform::failpoint;
use platform::store::{Published, Staged, StagedWrite, Store, StoreError};
use uuid::Uuid;

use super::batch;
use super::rule::is_same_source;
use super::stats::FactsStats;
use crate::billing::error::LoadError;

/// Billing months of one load; each holds an open file.
const PERIODS_MAX: usize = 36;
/// Sources of one load in one month: each has a row group under way.
const SOURCES_MAX: usize = 1_000;
/// Facts encoded at once.
const BATCH_ROWS: usize = 8_192;
/// Facts that wait to be encoded, over all months and sources: some 50 MB.
const WAITING_ROWS_MAX: usize = 8 * BATCH_ROWS;
/// Facts of a row group: some ten MB of memory per open one.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Memory of all open row groups; beyond it the largest is closed early.
const OPEN_BYTES_MAX: usize = 256 << 20;

/// Texts by which queries skip row groups.
const SKIPPED_BY: [&str; 4] = ["tenant_id", "billing_period", "payer_account_id", "account_id"];
/// Cloud of a bill that names none.
pub(super) const UNKNOWN_CLOUD: &str = "unknown";

/// A Parquet file on its way into the store.
pub(super) type PartWriter = SerializedFileWriter<Box<dyn StagedWrite>>;

/// Where facts go.
pub struct FactsWriter<'a> {
    store: &'a dyn Store,
    tenant: String,
    /// Given with `--source`.
    source_name: Option<String>,
    /// The delivery whose files are being read.
    delivery_id: Arc<str>,
    /// Digests of the column names, by delivery.
    columns: BTreeMap<Arc<str>, String>,
    /// Refused rows by delivery and reason, until a month of the delivery takes them.
    rejected: BTreeMap<Arc<str>, BTreeMap<String, u64>>,
    months: BTreeMap<String, MonthWriter>,
    /// Dialect and source of the last fact.
    last_source: Option<(&'static str, SourceKey)>,
    waiting_rows: usize,
}

/// Facts of a month, in a file that no manifest names.
pub(super) struct OwnFacts {
    /// The file; `None` when there is nothing to store.
    pub part: Option<FactsPart>,
    /// By source.
    pub deliveries: Vec<LiveDelivery>,
}

struct MonthWriter {
    name: String,
    file: PartWriter,
    encoders: ArrowRowGroupWriterFactory,
    row_groups: u32,
    sources: BTreeMap<SourceKey, SourceWriter>,
}

/// A source and the id of its delivery.
type SourceKey = (DeliverySource, Arc<str>);

struct SourceWriter {
    /// Dialect of its files.
    source_format: &'static str,
    stats: FactsStats,
    waiting: Vec<CostFact>,
    open: Option<OpenRowGroup>,
    row_groups: Vec<u32>,
}

struct OpenRowGroup {
    columns: Vec<ArrowColumnWriter>,
    rows: usize,
}

impl<'a> FactsWriter<'a> {
    /// For one load of one tenant.
    #[must_use]
    pub fn new(store: &'a dyn Store, tenant: &str, source_name: Option<String>) -> Self {
        Self {
            store,
            tenant: tenant.to_owned(),
            source_name,
            delivery_id: "".into(),
            columns: BTreeMap::new(),
            rejected: BTreeMap::new(),
            months: BTreeMap::new(),
            last_source: None,
            waiting_rows: 0,
        }
    }

    /// Facts that follow are of this delivery.
    pub fn begin_delivery(&mut self, delivery_id: &str) {
        self.delivery_id = delivery_id.into();
        self.last_source = None;
    }

    /// Names the columns of the delivery and its refused rows by reason, which are known when all its files are read.
    pub fn end_delivery(&mut self, columns: String, rejected: BTreeMap<String, u64>) {
        self.columns.insert(Arc::clone(&self.delivery_id), columns);
        self.rejected.insert(Arc::clone(&self.delivery_id), rejected);
    }

    /// Adds a fact of a file in this dialect to its month and source; `charge_hash` is the hash of what it charges for.
    ///
    /// # Errors
    /// Too many months or sources, a source in two dialects, or facts cannot be encoded or staged.
    pub fn add(&mut self, fact: CostFact, source_format: &'static str, charge_hash: u64) -> Result<(), LoadError> {
        let period = &fact.charge.billing_period;
        if !self.months.contains_key(period) {
            let period = period.clone();
            if self.months.len() >= PERIODS_MAX {
                return Err(LoadError::TooManyPeriods { period, limit: PERIODS_MAX });
            }
            let month = MonthWriter::begin(self.store, &self.tenant, &period)?;
            self.months.insert(period, month);
        }
        let Some(month) = self.months.get_mut(period) else { return Ok(()) };
        // Nearly every fact is of the source of the one before.
        let is_of_last = |(source, _): &SourceKey| {
            source.billing_account == fact.charge.payer_account_id
                && source.provider.as_deref().unwrap_or(UNKNOWN_CLOUD) == &*fact.charge.cloud
        };
        let last = self.last_source.as_ref().filter(|(format, source)| *format == source_format && is_of_last(source));
        let last = match last {
            Some((_, source)) => source,
            None => {
                let source = DeliverySource {
                    provider: (&*fact.charge.cloud != UNKNOWN_CLOUD).then(|| fact.charge.cloud.to_string()),
                    billing_account: fact.charge.payer_account_id.clone(),
                    name: self.source_name.clone(),
                };
                let source = (source, Arc::clone(&self.delivery_id));
                &self.last_source.insert((source_format, source)).1
            }
        };
        let waiting = month.add(last, fact, source_format, charge_hash)?;
        self.waiting_rows += 1;
        if waiting >= BATCH_ROWS || self.waiting_rows > WAITING_ROWS_MAX {
            self.encode_largest()?;
        }
        Ok(())
    }

    /// Encodes the source that has most facts waiting.
    fn encode_largest(&mut self) -> Result<(), LoadError> {
        let largest = self
            .months
            .iter()
            .flat_map(|(period, month)| {
                month.sources.iter().map(move |(source, one)| (one.waiting.len(), period, source))
            })
            .max()
            .map(|(_, period, source)| (period.clone(), source.clone()));
        let Some((period, source)) = largest else { return Ok(()) };
        let Some(month) = self.months.get_mut(&period) else { return Ok(()) };
        self.waiting_rows -= month.encode(&source, &self.tenant).map_err(|e| e.into_load_error(&period))?;
        self.close_while_too_large()
    }

    fn close_while_too_large(&mut self) -> Result<(), LoadError> {
        loop {
            let open = |(period, month): (&String, &MonthWriter)| {
                let sizes =
                    month.sources.iter().map(|(source, one)| (one.open_bytes(), period.clone(), source.clone()));
                sizes.collect::<Vec<_>>()
            };
            let sizes: Vec<_> = self.months.iter().flat_map(open).collect();
            if sizes.iter().map(|(bytes, _, _)| bytes).sum::<usize>() <= OPEN_BYTES_MAX {
                return Ok(());
            }
            let Some((_, period, source)) = sizes.into_iter().max() else { return Ok(()) };
            let Some(month) = self.months.get_mut(&period) else { return Ok(()) };
            month.close_row_group(&source).map_err(|e| encode_error(&period, e))?;
        }
    }

    /// Facts by month.
    #[must_use]
    pub fn rows_by_month(&self) -> BTreeMap<String, u64> {
        let rows = |month: &MonthWriter| month.sources.values().map(|one| one.stats.rows).sum();
        self.months.iter().map(|(period, month)| (period.clone(), rows(month))).collect()
    }

    /// The months, in order; each is finished by [`finish_month`](Self::finish_month).
    pub(super) fn months(&self) -> Vec<String> {
        self.months.keys().cloned().collect()
    }

    /// What the facts of a month look like, by source; nothing is finished yet.
    ///
    /// # Errors
    /// Facts cannot be encoded or staged.
    pub(super) fn deliveries(&mut self, period: &str) -> Result<Vec<LiveDelivery>, LoadError> {
        let Some(month) = self.months.get_mut(period) else { return Ok(Vec::new()) };
        let sources: Vec<_> = month.sources.keys().cloned().collect();
        for source in &sources {
            let encoded = month.encode(source, &self.tenant);
            self.waiting_rows -= encoded.map_err(|e| e.into_load_error(period))?;
            month.close_row_group(source).map_err(|e| encode_error(period, e))?;
        }
        let columns = |id: &str| self.columns.get(id).cloned().unwrap_or_default();
        let rejected = &mut self.rejected;
        let delivery = |(key, one): (&SourceKey, &SourceWriter)| LiveDelivery {
            rejected: rejected.remove(&key.1).unwrap_or_default(),
            ..one.delivery(key, columns(&key.1), &month.name)
        };
        Ok(month.sources.iter().map(delivery).collect())
    }

    /// Makes the file of a month complete, visible and durable under its own name. No manifest names it yet.
    ///
    /// # Errors
    /// It cannot be encoded or stored.
    pub(super) fn finish_month(&mut self, period: &str) -> Result<Option<FactsPart>, LoadError> {
        let Some(month) = self.months.remove(period) else { return Ok(None) };
        let rows = month.sources.values().map(|one| one.stats.rows).sum();
        let staged = finish(period, month.file)?;
        failpoint::hit!("producers.facts.staged");
        publish_part(self.store, &staged).map_err(|source| store_error(period, source))?;
        failpoint::hit!("producers.facts.published");
        Ok(Some(FactsPart { part: month.name, rows, bytes: staged.bytes, sha256: staged.sha256 }))
    }

    /// Drops what is staged of a month.
    pub(super) fn drop_month(&mut self, period: &str) {
        // An unfinished object leaves nothing behind.
        self.months.remove(period);
    }

    pub(super) fn store(&self) -> &'a dyn Store {
        self.store
    }

    pub(super) fn tenant(&self) -> &str {
        &self.tenant
    }

    pub(super) fn folder(&self, period: &str) -> String {
        layout::cost_facts_dir(&self.tenant, period)
    }
}

impl MonthWriter {
    fn begin(store: &dyn Store, tenant: &str, period: &str) -> Result<Self, LoadError> {
        let (name, file, encoders) = begin_part(store, &layout::cost_facts_dir(tenant, period), period)?;
        Ok(Self { name, file, encoders, row_groups: 0, sources: BTreeMap::new() })
    }

    /// Facts of the source that wait now.
    fn add(
        &mut self,
        source: &SourceKey,
        fact: CostFact,
        source_format: &'static str,
        charge_hash: u64,
    ) -> Result<usize, LoadError> {
        let one = match self.sources.get_mut(source) {
            Some(one) if one.source_format == source_format => one,
            _ => self.begin_source(source, source_format, &fact)?,
        };
        one.stats.add(&fact, charge_hash);
        one.waiting.push(fact);
        Ok(one.waiting.len())
    }

    fn begin_source(
        &mut self,
        source: &SourceKey,
        source_format: &'static str,
        fact: &CostFact,
    ) -> Result<&mut SourceWriter, LoadError> {
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(source) {
            return Err(LoadError::TooManySources { limit: SOURCES_MAX });
        }
        // A bill may name its provider in one dialect only.
        let in_another_dialect = self
            .sources
            .iter()
            .find(|((other, _), one)| is_same_source(other, &source.0) && one.source_format != source_format);
        if let Some((_, one)) = in_another_dialect {
            return Err(LoadError::AmbiguousSource {
                period: fact.charge.billing_period.clone(),
                source_name: source.0.to_string(),
                there: format!("given as {} and as {source_format}", one.source_format),
                advice: "Choose one with --dialect",
            });
        }
        Ok(self.sources.entry(source.clone()).or_insert_with(|| SourceWriter::new(source_format)))
    }

    /// Encodes what waits of a source; returns how many facts.
    fn encode(&mut self, source: &SourceKey, tenant: &str) -> Result<usize, EncodeError> {
        let Some(one) = self.sources.get_mut(source) else { return Ok(0) };
        let mut facts = std::mem::take(&mut one.waiting);
        if facts.is_empty() {
            return Ok(0);
        }
        let batch = batch::batch(tenant, one.source_format, &facts)?;
        let mut open = match one.open.take() {
            Some(open) => open,
            // The number is of use to encrypted files only.
            None => OpenRowGroup { columns: self.encoders.create_column_writers(0)?, rows: 0 },
        };
        open.write(&batch)?;
        let is_full = open.rows >= ROW_GROUP_ROWS;
        one.open = Some(open);
        let rows = facts.len();
        // Where many came more will.
        if rows >= BATCH_ROWS {
            facts.clear();
            one.waiting = facts;
        }
        if is_full {
            self.close_row_group(source)?;
        }
        Ok(rows)
    }

    fn close_row_group(&mut self, source: &SourceKey) -> Result<(), ParquetError> {
        let Some(one) = self.sources.get_mut(source) else { return Ok(()) };
        let Some(open) = one.open.take() else { return Ok(()) };
        let mut row_group = self.file.next_row_group()?;
        for column in open.columns {
            column.close()?.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        one.row_groups.push(self.row_groups);
        self.row_groups += 1;
        Ok(())
    }
}

impl OpenRowGroup {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let mut columns = self.columns.iter_mut();
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            for leaf in compute_leaves(field, array)? {
                let Some(column) = columns.next() else { continue };
                column.write(&leaf)?;
            }
        }
        self.rows += batch.num_rows();
        Ok(())
    }
}

impl SourceWriter {
    fn new(source_format: &'static str) -> Self {
        Self { source_format, stats: FactsStats::default(), waiting: Vec::new(), open: None, row_groups: Vec::new() }
    }

    fn open_bytes(&self) -> usize {
        self.open.iter().flat_map(|open| &open.columns).map(ArrowColumnWriter::memory_size).sum()
    }

    fn delivery(&self, (source, delivery_id): &SourceKey, columns: String, part: &str) -> LiveDelivery {
        LiveDelivery {
            delivery_id: delivery_id.to_string(),
            source: source.clone(),
            source_format: self.source_format.to_owned(),
            columns,
            rows: self.stats.rows,
            totals: self.stats.totals(),
            invoiced: self.stats.invoiced(),
            flagged: self.stats.flagged(),
            usage_lengths: Some(self.stats.usage_lengths),
            rejected: BTreeMap::new(),
            daily_periods: self.stats.daily.to_text(),
            longer_periods: self.stats.longer.to_text(),
            charges: self.stats.charges.to_text(),
            row_groups: vec![RowGroups { part: part.to_owned(), row_groups: self.row_groups.clone() }],
        }
    }
}

/// Begins a file of facts in the folder, under a name that no other writer has.
pub(super) fn begin_part(
    store: &dyn Store,
    folder: &str,
    period: &str,
) -> Result<(String, PartWriter, ArrowRowGroupWriterFactory), LoadError> {
    let name = format!("part-{}.parquet", Uuid::new_v4().simple());
    let staged = store.stage(&format!("{folder}/{name}")).map_err(|source| store_error(period, source))?;
    let level = ZstdLevel::try_new(1).map_err(|e| encode_error(period, e))?;
    let properties = properties(level);
    let writer = ArrowWriter::try_new(staged, cost_facts(), Some(properties)).map_err(|e| encode_error(period, e))?;
    let (file, encoders) = writer.into_serialized_writer().map_err(|e| encode_error(period, e))?;
    Ok((name, file, encoders))
}

/// Least and largest values are kept where a query can skip row groups by them; to find them in all the texts takes a tenth of
/// a load. Amounts are hardly ever the same, so a dictionary of them only costs time.
fn properties(level: ZstdLevel) -> WriterProperties {
    let mut properties = WriterProperties::builder().set_compression(Compression::ZSTD(level));
    for field in cost_facts().fields() {
        let column = ColumnPath::from(field.name().as_str());
        properties = match field.data_type() {
            DataType::Utf8 if !SKIPPED_BY.contains(&field.name().as_str()) => {
                properties.set_column_statistics_enabled(column, EnabledStatistics::None)
            }
            DataType::Decimal128(_, _) => properties.set_column_dictionary_enabled(column, false),
            _ => properties,
        };
    }
    for leaf in ["key", "value"] {
        let column = ColumnPath::new(vec!["tags".to_owned(), "entries".to_owned(), leaf.to_owned()]);
        properties = properties.set_column_statistics_enabled(column, EnabledStatistics::None);
    }
    properties.build()
}

/// Completes a file; it is still invisible.
pub(super) fn finish(period: &str, file: PartWriter) -> Result<Staged, LoadError> {
    let staged = file.into_inner().map_err(|e| encode_error(period, e))?;
    staged.finish().map_err(|source| store_error(period, source))
}

/// Makes a file visible under its name.
pub(super) fn publish_part(store: &dyn Store, staged: &Staged) -> Result<(), StoreError> {
    match store.publish(staged)? {
        Published::Done | Published::Already => Ok(()),
        Published::Missing => {
            let source = std::io::Error::new(std::io::ErrorKind::NotFound, "its staged bytes were removed");
            Err(StoreError::Io { doing: "publishing", path: staged.target.clone(), source })
        }
    }
}

pub(super) fn store_error(period: &str, source: StoreError) -> LoadError {
    LoadError::Store { period: period.to_owned(), source }
}

/// Parquet hands on what the store's writer said.
pub(super) fn encode_error(period: &str, error: ParquetError) -> LoadError {
    let other = |reason: String| LoadError::Encode { period: period.to_owned(), reason };
    match error {
        ParquetError::External(source) => match source.downcast::<std::io::Error>() {
            Ok(io) => store_error(period, StoreError::io("staging cost facts of", period, *io)),
            Err(source) => other(source.to_string()),
        },
        error => other(error.to_string()),
    }
}

/// Facts cannot become columns, or columns cannot be written.
#[derive(Debug, thiserror::Error)]
enum EncodeError {
    #[error(transparent)]
    Batch(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

impl EncodeError {
    fn into_load_error(self, period: &str) -> LoadError {
        match self {
            Self::Batch(error) => LoadError::Encode { period: period.to_owned(), reason: error.to_string() },
            Self::Parquet(error) => encode_error(period, error),
        }
    }
}
