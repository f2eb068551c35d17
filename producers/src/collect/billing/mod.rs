//! The billing collector: reads billing files in a stream, stores their rows as cost facts and records the inventory that
//! checkers run over. Knows no checker. One file per export dialect, one per container.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contracts::run_manifest::BillingDelivery;
use platform::store::Store;
use sha2::{Digest, Sha256};

mod container;
mod csv_rows;
mod dialect;
mod error;
mod facts_batch;
mod facts_writer;
mod focus;
mod parquet_rows;
mod rejects;
mod row;

pub use self::container::FileIdentity;
pub use self::csv_rows::LINE_BYTES_MAX;
pub use self::error::LoadError;
pub use self::facts_writer::LivePeriod;
pub use self::rejects::{Reason, Refusal, Rejects, Sample};

use self::container::Visitor;
use self::dialect::Dialect;
use self::facts_writer::FactsWriter;
use self::focus::FocusReader;
use self::row::Row;
use crate::billing::inventory::{BillingInventory, InventoryBuilder};
use crate::progress::Progress;

/// Goes into every delivery id: facts made by another reading of the same files are another delivery.
const FACTS_VERSION: u32 = 1;
/// Hex digits of a delivery id.
const DELIVERY_ID_DIGITS: usize = 32;

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
    /// Hash over the files.
    pub delivery_id: String,
    /// Files, by name.
    pub files: Vec<FileIdentity>,
    /// Rows read and refused.
    pub rejects: Rejects,
    /// Months that are live now.
    pub periods: Vec<LivePeriod>,
    /// Accepted rows by billing currency.
    pub currencies: BTreeMap<String, u64>,
    /// Accepted rows that name a resource.
    pub rows_with_resource: u64,
    /// Accepted rows whose tags could not be read.
    pub unreadable_tags: u64,
}

impl LoadReport {
    /// For the run manifest: one entry per month. Refused rows are counted with the first month, since a refused row may
    /// not tell its month.
    #[must_use]
    pub fn deliveries(&self) -> Vec<BillingDelivery> {
        let rejected = |index: usize| match index {
            0 => self.rejects.by_reason.iter().map(|(r, n)| (r.as_str().to_owned(), *n)).collect(),
            _ => BTreeMap::new(),
        };
        let delivery = |(index, period): (usize, &LivePeriod)| BillingDelivery {
            delivery_id: self.delivery_id.clone(),
            billing_period: period.billing_period.clone(),
            accepted: period.rows,
            rejected: rejected(index),
        };
        self.periods.iter().enumerate().map(delivery).collect()
    }
}

/// Reads these files as one delivery of the tenant.
///
/// # Errors
/// A file cannot be read, too many rows are unusable, or the facts cannot be stored. Then nothing is published.
pub fn load(
    tenant: &str,
    paths: &[PathBuf],
    store: &dyn Store,
    progress: &Arc<dyn Progress>,
) -> Result<Loaded, LoadError> {
    let mut files = identify(paths)?;
    // The order of the arguments must not matter.
    files.sort();
    files.dedup_by(|a, b| a.0 == b.0);
    let bytes = files.iter().map(|(file, _)| file.bytes).sum();
    let delivery_id = delivery_id(&files);
    let mut load = Load {
        file: String::new(),
        reader: None,
        delivery_id: delivery_id.clone(),
        facts: FactsWriter::new(store, tenant, Dialect::Focus.as_str(), &delivery_id),
        inventory: InventoryBuilder::default(),
        rejects: Rejects::default(),
        currencies: BTreeMap::new(),
        rows_with_resource: 0,
        unreadable_tags: 0,
    };
    progress.begin("reading billing files", Some(bytes));
    let outcome = files.iter().try_for_each(|(file, path)| load.read(file, path, progress));
    progress.end();
    let files = files.into_iter().map(|(file, _)| file).collect();
    match outcome {
        Ok(()) => load.finish(files),
        Err(error) => {
            load.facts.abandon();
            Err(error)
        }
    }
}

fn identify(paths: &[PathBuf]) -> Result<Vec<(FileIdentity, &Path)>, LoadError> {
    paths.iter().map(|path| Ok((container::identify(path)?, path.as_path()))).collect()
}

fn delivery_id(files: &[(FileIdentity, &Path)]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("facts {FACTS_VERSION}\n"));
    for (file, _) in files {
        hasher.update(format!("{}\n{}\n{}\n", file.name, file.bytes, file.sha256));
    }
    hex::encode(hasher.finalize())[..DELIVERY_ID_DIGITS].to_owned()
}

/// A load under way.
struct Load<'a> {
    file: String,
    reader: Option<FocusReader>,
    delivery_id: String,
    facts: FactsWriter<'a>,
    inventory: InventoryBuilder,
    rejects: Rejects,
    currencies: BTreeMap<String, u64>,
    rows_with_resource: u64,
    unreadable_tags: u64,
}

impl Load<'_> {
    fn read(&mut self, file: &FileIdentity, path: &Path, progress: &Arc<dyn Progress>) -> Result<(), LoadError> {
        self.file = path.display().to_string();
        container::read(path, progress, self)?;
        tracing::debug!(file = file.name, rows = self.rejects.rows, "billing file read");
        self.unreadable_tags += self.reader.take().map_or(0, |reader| reader.unreadable_tags);
        Ok(())
    }

    fn finish(self, files: Vec<FileIdentity>) -> Result<Loaded, LoadError> {
        if self.rejects.are_too_many() {
            self.facts.abandon();
            return Err(LoadError::Quality(Box::new(self.rejects)));
        }
        if self.rejects.total() > 0 {
            tracing::warn!("{}", self.rejects.summary());
        }
        if self.unreadable_tags > 0 {
            tracing::warn!(rows = self.unreadable_tags, "tags that are not a JSON object were left out");
        }
        let report = LoadReport {
            delivery_id: self.delivery_id,
            files,
            rejects: self.rejects,
            periods: self.facts.publish()?,
            currencies: self.currencies,
            rows_with_resource: self.rows_with_resource,
            unreadable_tags: self.unreadable_tags,
        };
        Ok(Loaded { inventory: self.inventory.finish(), report })
    }
}

impl Visitor for Load<'_> {
    fn header(&mut self, columns: &[String]) -> Result<Vec<usize>, LoadError> {
        let file = self.file.clone();
        match dialect::detect(columns) {
            Some(Dialect::Focus) => {}
            Some(other) => return Err(LoadError::DialectUnsupported { file, dialect: other.as_str() }),
            None => return Err(LoadError::FormatUnknown { file, columns: columns.to_vec() }),
        }
        let name = Path::new(&file).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let reader = FocusReader::new(columns, format!("{}/{name}", self.delivery_id).into());
        let needed = reader.needed();
        self.reader = Some(reader);
        Ok(needed)
    }

    fn row(&mut self, number: u64, row: Row<'_>) -> Result<(), LoadError> {
        let Some(reader) = &mut self.reader else { return Ok(()) };
        self.rejects.rows += 1;
        match reader.read(row) {
            Ok((fact, detail)) => {
                self.inventory.add(&fact, &detail);
                self.rows_with_resource += u64::from(fact.resource_id.is_some());
                match self.currencies.get_mut(&fact.currency) {
                    Some(rows) => *rows += 1,
                    None => drop(self.currencies.insert(fact.currency.clone(), 1)),
                }
                self.facts.add(fact)
            }
            Err(refusal) => {
                self.rejects.add(&self.file, number, refusal);
                Ok(())
            }
        }
    }
}
