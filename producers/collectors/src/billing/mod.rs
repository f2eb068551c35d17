//! The billing collector: reads billing files in a stream, stores their rows as cost facts and records the inventory that
//! checkers run over. Knows no checker. One file per export dialect, one per container.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contracts::run_manifest::BillingDelivery;
use inventories::billing::inventory::{BillingInventory, InventoryBuilder};
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Unit};
use platform::store::Store;
use sha2::{Digest, Sha256};

mod container;
mod csv_rows;
mod dialect;
mod error;
mod facts;
mod focus;
mod focus_columns;
mod observed;
mod parquet_rows;
mod quote;
mod rejects;
mod row;
mod same_rows;
mod visitor;

pub use self::container::{FileIdentity, open};
pub use self::csv_rows::LINE_BYTES_MAX;
pub use self::error::{LoadError, UnclearOverlap};
pub use self::facts::{Effect, LiveMonth, LoadOptions, LoadedDelivery, Overlap, SupersededDelivery};
pub use self::observed::Observed;
pub use self::rejects::{Reason, Refusal, Rejects, Sample};

use self::dialect::{Dialect, Recognised};
use self::facts::{FactsWriter, NewDelivery, charge_hash};
use self::focus::FocusReader;
use self::row::Row;
use self::same_rows::{FilesRead, RowsSum};
use self::visitor::Visitor;

/// Goes into every delivery id: facts made by another reading of the same files are another delivery.
const FACTS_VERSION: u32 = 2;
/// Rows after which a stop request is looked for: a few milliseconds of work.
const STOP_CHECK_ROWS: u64 = 1_000;
/// Hex digits of a delivery id.
const DELIVERY_ID_DIGITS: usize = 32;
/// Hex digits of a digest of column names.
const COLUMNS_DIGITS: usize = 16;

/// What a load brought.
#[derive(Debug)]
pub struct Loaded {
    /// For checkers.
    pub inventory: BillingInventory,
    /// For people and the run manifest.
    pub report: LoadReport,
}

/// What was read, refused and stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Digest over the unpacked contents of the files.
    pub delivery_id: String,
    /// Files, by content.
    pub files: Vec<FileIdentity>,
    /// Files that were left out because another one has the same content: their names, and the name of the other.
    pub repeated_files: Vec<(String, String)>,
    /// Files with a header and no rows, among others with rows.
    pub empty_files: Vec<String>,
    /// Rows read and refused.
    pub rejects: Rejects,
    /// Months that are live now.
    pub months: Vec<LiveMonth>,
    /// Accepted rows by billing currency.
    pub currencies: BTreeMap<String, u64>,
    /// Accepted rows that name a resource.
    pub rows_with_resource: u64,
    /// What was noticed in accepted rows.
    pub observed: Observed,
}

impl LoadReport {
    /// For the run manifest: one entry per month and source. Refused rows are counted with the first entry, since a refused
    /// row may name neither.
    #[must_use]
    pub fn deliveries(&self) -> Vec<BillingDelivery> {
        let mut rejected: BTreeMap<_, _> =
            self.rejects.by_reason.iter().map(|(r, n)| (r.as_str().to_owned(), *n)).collect();
        let mut all = Vec::new();
        for month in &self.months {
            for delivery in &month.deliveries {
                let superseded = month.replaced.iter().filter(|old| old.is_superseded_by(&delivery.source));
                all.push(BillingDelivery {
                    delivery_id: self.delivery_id.clone(),
                    billing_period: month.billing_period.clone(),
                    source: delivery.source.to_string(),
                    effect: delivery.effect.as_str().to_owned(),
                    accepted: delivery.rows,
                    rejected: std::mem::take(&mut rejected),
                    replaced: superseded.map(SupersededDelivery::for_manifest).collect(),
                });
            }
        }
        all
    }
}

/// Reads these files as one delivery of the tenant.
///
/// # Errors
/// A file cannot be read, too many rows are unusable, or the facts cannot be stored, or a stop is requested. Then nothing is
/// published, unless [`LoadError::InPart`] says what is.
pub fn load(
    tenant: &str,
    paths: &[PathBuf],
    options: &LoadOptions,
    store: &dyn Store,
    progress: &Arc<dyn Progress>,
    shutdown: &Shutdown,
) -> Result<Loaded, LoadError> {
    let mut files = identify(paths, shutdown)?;
    // The order of the arguments must not matter.
    files.sort();
    let repeated_files = without_repeated(&mut files);
    let bytes = files.iter().map(|(file, _)| file.bytes).sum();
    let delivery = NewDelivery {
        delivery_id: delivery_id(&files),
        source_format: Dialect::Focus.as_str(),
        columns: String::new(),
        source_name: options.source_name.clone(),
    };
    let mut load = Load {
        file: String::new(),
        reader: None,
        delivery_id: delivery.delivery_id.clone(),
        columns: BTreeSet::new(),
        header: Vec::new(),
        facts: FactsWriter::new(store, tenant, delivery),
        inventory: InventoryBuilder::default(),
        rejects: Rejects::default(),
        empty_files: Vec::new(),
        rows_sum: RowsSum::default(),
        files_read: FilesRead::default(),
        currencies: BTreeMap::new(),
        rows_with_resource: 0,
        observed: Observed::default(),
        shutdown,
    };
    progress.begin("reading billing files", Unit::Bytes, Some(bytes));
    let outcome = files.iter().try_for_each(|(file, path)| load.read(file, path, progress));
    progress.end();
    outcome?;
    if let (true, Some((_, path))) = (files.len() == load.empty_files.len(), files.first()) {
        return Err(LoadError::NoRows { file: path.display().to_string() });
    }
    let files: Vec<_> = files.into_iter().map(|(file, _)| file).collect();
    load.finish(files, repeated_files, options)
}

fn identify<'p>(paths: &'p [PathBuf], shutdown: &Shutdown) -> Result<Vec<(FileIdentity, &'p Path)>, LoadError> {
    paths.iter().map(|path| Ok((container::identify(path, shutdown)?, path.as_path()))).collect()
}

/// Leaves one of several files with the same content.
fn without_repeated(files: &mut Vec<(FileIdentity, &Path)>) -> Vec<(String, String)> {
    let mut repeated = Vec::new();
    files.dedup_by(|(file, _), (kept, _)| {
        let is_repeated = file.sha256 == kept.sha256;
        if is_repeated {
            repeated.push((file.name.clone(), kept.name.clone()));
        }
        is_repeated
    });
    for (file, kept) in &repeated {
        tracing::warn!(file, same_as = kept, "a billing file with the content of another one is read once");
    }
    repeated
}

fn delivery_id(files: &[(FileIdentity, &Path)]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("facts {FACTS_VERSION}\n"));
    for (file, _) in files {
        hasher.update(format!("{}\n", file.sha256));
    }
    hex::encode(hasher.finalize())[..DELIVERY_ID_DIGITS].to_owned()
}

/// A load under way.
struct Load<'a> {
    file: String,
    reader: Option<FocusReader>,
    delivery_id: String,
    /// Column names of all files, in lower case.
    columns: BTreeSet<String>,
    facts: FactsWriter<'a>,
    inventory: InventoryBuilder,
    rejects: Rejects,
    empty_files: Vec<String>,
    /// Of the file that is being read.
    rows_sum: RowsSum,
    files_read: FilesRead,
    currencies: BTreeMap<String, u64>,
    rows_with_resource: u64,
    observed: Observed,
    /// Columns of the file that is being read.
    header: Vec<String>,
    shutdown: &'a Shutdown,
}

impl Load<'_> {
    fn read(&mut self, file: &FileIdentity, path: &Path, progress: &Arc<dyn Progress>) -> Result<(), LoadError> {
        self.file = path.display().to_string();
        match container::read(path, progress, self) {
            // Exports have parts without rows; alone, such a file is refused.
            Err(LoadError::NoRows { .. }) => {
                self.empty_files.push(file.name.clone());
            }
            read => read?,
        }
        tracing::debug!(file = file.name, rows = self.rejects.rows, "billing file read");
        if let Some((other, rows)) = self.files_read.add(&self.file, std::mem::take(&mut self.rows_sum)) {
            return Err(LoadError::SameRows { file: self.file.clone(), other, rows });
        }
        if let Some(reader) = self.reader.take() {
            self.observed.merge(reader.observed);
        }
        Ok(())
    }

    fn finish(
        mut self,
        files: Vec<FileIdentity>,
        repeated_files: Vec<(String, String)>,
        options: &LoadOptions,
    ) -> Result<Loaded, LoadError> {
        if self.shutdown.is_requested() {
            return Err(Stopped.into());
        }
        if self.rejects.are_too_many() {
            return Err(LoadError::Quality(Box::new(self.rejects)));
        }
        if self.rejects.total() > 0 {
            tracing::warn!("{}", self.rejects.summary());
        }
        for file in &self.empty_files {
            tracing::warn!(file, "a billing file has a header but no rows: passed over");
        }
        for line in self.observed.lines() {
            tracing::warn!("{line}");
        }
        self.facts.set_columns(columns_digest(&self.columns));
        let report = LoadReport {
            delivery_id: self.delivery_id,
            files,
            repeated_files,
            empty_files: self.empty_files,
            rejects: self.rejects,
            months: self.facts.publish(options)?,
            currencies: self.currencies,
            rows_with_resource: self.rows_with_resource,
            observed: self.observed,
        };
        Ok(Loaded { inventory: self.inventory.finish(), report })
    }
}

/// Distinguishes exports with other columns.
fn columns_digest(columns: &BTreeSet<String>) -> String {
    let mut hasher = Sha256::new();
    columns.iter().for_each(|name| hasher.update(format!("{name}\n")));
    hex::encode(hasher.finalize())[..COLUMNS_DIGITS].to_owned()
}

impl Visitor for Load<'_> {
    fn header(&mut self, columns: &[String]) -> Result<Vec<usize>, LoadError> {
        let file = self.file.clone();
        match dialect::recognise(columns) {
            Recognised::Focus { version, missing } => {
                *self.observed.versions.entry(version).or_default() += 1;
                self.observed.missing_columns.extend(missing);
            }
            Recognised::FocusIncomplete { version, missing } => {
                return Err(LoadError::FocusIncomplete { file, version, missing });
            }
            Recognised::Other(other) => {
                return Err(LoadError::OtherExport { file, what: other.what, advice: other.advice });
            }
            Recognised::Unknown => return Err(LoadError::FormatUnknown { file, columns: columns.to_vec() }),
        }
        columns.clone_into(&mut self.header);
        let name = Path::new(&file).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let reader = FocusReader::new(columns, format!("{}/{name}", self.delivery_id).into());
        self.columns.extend(columns.iter().map(|column| column.to_lowercase()));
        let needed = reader.needed();
        self.reader = Some(reader);
        Ok(needed)
    }

    fn takes_nested(&self, column: usize) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.takes_nested(column))
    }

    fn unreadable(&mut self, column: usize, kind: &str) -> Result<(), LoadError> {
        let (Some(reader), Some(name)) = (&mut self.reader, self.header.get(column)) else { return Ok(()) };
        reader.unreadable(column, name, kind).map_err(|wanted| LoadError::ColumnType {
            file: self.file.clone(),
            column: name.clone(),
            kind: kind.to_owned(),
            wanted,
        })
    }

    fn row(&mut self, number: u64, row: Row<'_>) -> Result<(), LoadError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        self.rejects.rows += 1;
        if self.rejects.rows.is_multiple_of(STOP_CHECK_ROWS) && self.shutdown.is_requested() {
            return Err(Stopped.into());
        }
        match reader.read(row) {
            Ok((fact, detail)) => {
                self.inventory.add(&fact, &detail);
                self.rows_with_resource += u64::from(fact.resource_id.is_some());
                match self.currencies.get_mut(&fact.currency) {
                    Some(rows) => *rows += 1,
                    None => drop(self.currencies.insert(fact.currency.clone(), 1)),
                }
                let charge = charge_hash(&fact);
                self.rows_sum.add(&fact, charge);
                self.facts.add(&detail.cloud, fact, charge)
            }
            Err(refusal) => {
                self.rejects.add(&self.file, number, refusal);
                Ok(())
            }
        }
    }
}
