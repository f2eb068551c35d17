//! A load: files in, facts and inventory out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contracts::run_manifest::BilledUsage;
use inventories::billing::inventory::{BillingInventory, InventoryBuilder};
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Unit};
use platform::store::Store;
use sha2::{Digest, Sha256};

use super::container::{self, FileIdentity};
use super::dialect::{self, Dialect, Recognised};
use super::error::LoadError;
use super::facts::{FactsWriter, LoadOptions};
use super::folder::{self, BillPaths};
use super::load_report::{DeliveryRead, LoadReport};
use super::observed::Observed;
use super::read_row::ReadRow;
use super::reader::RowReader;
use super::rejects::Rejects;
use super::row::Row;
use super::same_rows::{FilesRead, RowsSum};
use super::storage::BillStorage;
use super::usage_read::UsageRead;
use super::visitor::Visitor;

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
    /// For checkers; empty when none was asked for.
    pub inventory: BillingInventory,
    /// For people and the run manifest.
    pub report: LoadReport,
    /// What the rows show of each account that has usage of its own; empty when no inventory was asked for.
    pub usage: BTreeMap<String, BilledUsage>,
}

/// Reads these files and folders of the tenant. Files named one by one are one delivery; folders may hold several.
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
    load_counting(tenant, paths, options, store, progress, shutdown, &mut Rejects::new(0))
}

/// As [`load`]; `lines` becomes what was read and refused so far, also when the load fails.
///
/// # Errors
/// As of [`load`].
pub fn load_counting(
    tenant: &str,
    paths: &[PathBuf],
    options: &LoadOptions,
    store: &dyn Store,
    progress: &Arc<dyn Progress>,
    shutdown: &Shutdown,
    lines: &mut Rejects,
) -> Result<Loaded, LoadError> {
    let found = folder::find(paths)?;
    let remote = found.sizes()?.into_iter().filter(|(path, _)| BillStorage::is_remote(path));
    let remote_bytes = remote.map(|(_, bytes)| bytes).sum();
    if remote_bytes > 0 {
        progress.begin("fetching billing files", Unit::Bytes, Some(remote_bytes));
    }
    let identified = identify(&found, progress, shutdown);
    if remote_bytes > 0 {
        progress.end();
    }
    let (files, repeated_files) = identified?;
    let bytes = files.iter().map(|file| file.identity.bytes).sum();
    let mut load = Load {
        file: String::new(),
        reader: None,
        dialect: Dialect::Focus,
        options,
        delivery_id: String::new(),
        columns: BTreeSet::new(),
        header: Vec::new(),
        facts: FactsWriter::new(store, tenant, options.source_name.clone()),
        inventory: options.with_inventory.then(InventoryBuilder::default),
        usage: UsageRead::default(),
        rejects: Rejects::new(options.rejects_per_thousand_max),
        empty_files: Vec::new(),
        first_empty: None,
        left_out: found.left_out.iter().map(|(file, why)| (file.display().to_string(), why.clone())).collect(),
        not_chosen: BTreeSet::new(),
        rows_sum: RowsSum::default(),
        files_read: FilesRead::default(),
        currencies: BTreeMap::new(),
        rows_with_resource: 0,
        observed: Observed::default(),
        shutdown,
    };
    progress.begin("reading billing files", Unit::Bytes, Some(bytes));
    let outcome = load.read_all(&found, &files, progress);
    progress.end();
    lines.clone_from(&load.rejects);
    let deliveries_read = outcome?;
    if files.len() == load.empty_files.len()
        && let Some(error) = load.first_empty.take()
    {
        return Err(error);
    }
    if let (None, Some(dialect)) = (load.currencies.keys().next(), options.dialect)
        && load.rejects.rows == 0
    {
        return Err(LoadError::NoneOfDialect { dialect: dialect.as_str() });
    }
    let not_chosen = std::mem::take(&mut load.not_chosen);
    let mut loaded = load.finish()?;
    let was_read = |file: &BillFile<'_>| !not_chosen.contains(file.path);
    loaded.report.files = files.into_iter().filter(was_read).map(|file| file.identity).collect();
    loaded.report.repeated_files = repeated_files;
    loaded.report.deliveries_read = deliveries_read;
    Ok(loaded)
}

/// A file that is read.
struct BillFile<'p> {
    /// Number of its delivery.
    delivery: usize,
    identity: FileIdentity,
    path: &'p Path,
}

type Repeated = Vec<(String, String)>;

/// The files by content, and those that are left out because another one has the same.
fn identify<'p>(
    found: &'p BillPaths,
    progress: &Arc<dyn Progress>,
    shutdown: &Shutdown,
) -> Result<(Vec<BillFile<'p>>, Repeated), LoadError> {
    let mut files = Vec::new();
    for (delivery, of) in found.deliveries.iter().enumerate() {
        for path in &of.files {
            let identity = container::identify(&found.storage, path, progress.as_ref(), shutdown)?;
            files.push(BillFile { delivery, identity, path });
        }
    }
    // The order of the arguments must not matter.
    files.sort_by(|a, b| (&a.identity, a.path).cmp(&(&b.identity, b.path)));
    let mut repeated = Vec::new();
    files.dedup_by(|file, kept| {
        let is_repeated = file.identity.sha256 == kept.identity.sha256;
        if is_repeated {
            repeated.push((file.identity.name.clone(), kept.identity.name.clone()));
        }
        is_repeated
    });
    for (file, kept) in &repeated {
        tracing::warn!(file, same_as = kept, "a billing file with the content of another one is read once");
    }
    Ok((files, repeated))
}

fn delivery_id(files: &[&BillFile<'_>]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(format!("facts {FACTS_VERSION}\n"));
    for file in files {
        hasher.update(format!("{}\n", file.identity.sha256));
    }
    hex::encode(hasher.finalize())[..DELIVERY_ID_DIGITS].to_owned()
}

/// A load under way.
struct Load<'a> {
    file: String,
    reader: Option<RowReader>,
    /// Of the file that is being read.
    dialect: Dialect,
    options: &'a LoadOptions,
    /// Of the delivery that is being read.
    delivery_id: String,
    /// Column names of all its files, in lower case.
    columns: BTreeSet<String>,
    facts: FactsWriter<'a>,
    inventory: Option<InventoryBuilder>,
    usage: UsageRead,
    rejects: Rejects,
    empty_files: Vec<String>,
    /// Why the first of them is empty.
    first_empty: Option<LoadError>,
    left_out: Vec<(String, String)>,
    /// Those of them that are of another dialect than the one that was asked for.
    not_chosen: BTreeSet<PathBuf>,
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
    /// Reads delivery after delivery.
    fn read_all(
        &mut self,
        found: &BillPaths,
        files: &[BillFile<'_>],
        progress: &Arc<dyn Progress>,
    ) -> Result<Vec<DeliveryRead>, LoadError> {
        let mut read = Vec::new();
        for (number, delivery) in found.deliveries.iter().enumerate() {
            let files: Vec<_> = files.iter().filter(|file| file.delivery == number).collect();
            if files.is_empty() {
                continue;
            }
            self.delivery_id = delivery_id(&files);
            self.columns.clear();
            self.facts.begin_delivery(&self.delivery_id);
            let before = self.rejects.by_reason.clone();
            files.iter().try_for_each(|file| self.read(file, &found.storage, progress))?;
            self.facts.end_delivery(columns_digest(&self.columns), self.rejects.since(&before));
            read.push(DeliveryRead {
                delivery_id: self.delivery_id.clone(),
                assembly: delivery.assembly.clone(),
                files: files.iter().filter(|file| !self.not_chosen.contains(file.path)).count(),
            });
        }
        Ok(read)
    }

    fn read(
        &mut self,
        file: &BillFile<'_>,
        storage: &BillStorage,
        progress: &Arc<dyn Progress>,
    ) -> Result<(), LoadError> {
        let BillFile { identity: file, path, .. } = file;
        self.file = path.display().to_string();
        match container::read(storage, path, progress, self.shutdown, self) {
            // Exports have parts without rows; alone, such a file is refused.
            Err(error @ (LoadError::NoRows { .. } | LoadError::Empty { .. })) => {
                self.empty_files.push(file.name.clone());
                self.first_empty.get_or_insert(error);
            }
            Err(error @ LoadError::DialectNotChosen { .. }) => {
                tracing::warn!("{error}: it is left out");
                self.left_out.push((self.file.clone(), error.to_string()));
                self.not_chosen.insert(path.to_path_buf());
            }
            read => read?,
        }
        tracing::debug!(file = file.name, rows = self.rejects.rows, "billing file read");
        if let Some((other, rows)) = self.files_read.add(&self.file, std::mem::take(&mut self.rows_sum)) {
            return Err(LoadError::SameRows { file: self.file.clone(), other, rows });
        }
        if let Some(reader) = self.reader.take() {
            self.observed.merge(reader.into_observed());
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Loaded, LoadError> {
        if self.shutdown.is_requested() {
            return Err(Stopped.into());
        }
        self.rejects.judge_months(&self.facts.rows_by_month());
        if self.rejects.are_too_many() {
            return Err(LoadError::Quality(Box::new(self.rejects)));
        }
        if self.rejects.total() > 0 {
            tracing::warn!("{}", self.rejects.summary());
        }
        for file in &self.empty_files {
            tracing::warn!(file, "a billing file has no rows: passed over");
        }
        for line in self.observed.lines() {
            tracing::warn!("{line}");
        }
        let inventory = self.inventory.map(InventoryBuilder::finish).unwrap_or_default();
        let report = LoadReport {
            extracts: inventory.extracts().map(str::to_owned).collect(),
            deliveries_read: Vec::new(),
            files: Vec::new(),
            repeated_files: Vec::new(),
            left_out: self.left_out,
            empty_files: self.empty_files,
            rejects: self.rejects,
            months: self.facts.publish(self.options)?,
            currencies: self.currencies,
            rows_with_resource: self.rows_with_resource,
            observed: self.observed,
        };
        let usage = self.usage.finish(&inventory.extract_accounts().collect());
        Ok(Loaded { inventory, report, usage })
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
        let (dialect, version, missing) = match dialect::recognise(columns) {
            Recognised::Focus { version, missing } => (Dialect::Focus, Some(version), missing),
            Recognised::Cur { dialect, missing } => (dialect, None, missing),
            Recognised::CurIncomplete { missing } => return Err(LoadError::CurIncomplete { file, missing }),
            Recognised::FocusIncomplete { version, missing } => {
                return Err(LoadError::FocusIncomplete { file, version, missing });
            }
            Recognised::Other(other) => {
                return Err(LoadError::OtherExport { file, what: other.what, advice: other.advice });
            }
            Recognised::Unknown => return Err(LoadError::FormatUnknown { file, columns: columns.to_vec() }),
        };
        if let Some(wanted) = self.options.dialect.filter(|wanted| *wanted != dialect) {
            return Err(LoadError::DialectNotChosen { file, found: dialect.title(), wanted: wanted.as_str() });
        }
        *self.observed.dialects.entry(dialect.as_str()).or_default() += 1;
        if let Some(version) = version {
            *self.observed.versions.entry(version).or_default() += 1;
        }
        self.observed.missing_columns.extend(missing);
        self.dialect = dialect;
        columns.clone_into(&mut self.header);
        let name = Path::new(&file).file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let reader = RowReader::new(dialect, columns, format!("{}/{name}", self.delivery_id).into());
        if let Some(column) = reader.repeated(columns) {
            return Err(LoadError::ColumnTwice { file, column: column.to_owned() });
        }
        self.columns.extend(columns.iter().map(|column| column.to_lowercase()));
        let needed = reader.needed();
        self.reader = Some(reader);
        Ok(needed)
    }

    fn takes_nested(&self, column: usize) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.takes_nested(column))
    }

    fn member(&mut self, column: usize) -> Option<&'static str> {
        self.reader.as_mut()?.member(column)
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
        let read = reader.read(row);
        reader.observed().note_place(&self.file, number);
        match read {
            Ok(ReadRow { fact, detail, charge_hash }) => {
                if let Some(inventory) = &mut self.inventory {
                    inventory.add(&fact, &detail);
                    self.usage.add(&fact);
                }
                self.rows_with_resource += u64::from(fact.charge.resource_id.is_some());
                match self.currencies.get_mut(&fact.charge.currency) {
                    Some(rows) => *rows += 1,
                    None => drop(self.currencies.insert(fact.charge.currency.clone(), 1)),
                }
                self.rows_sum.add(&fact, charge_hash);
                self.facts.add(fact, self.dialect.as_str(), charge_hash)
            }
            Err(refusal) => {
                let month = reader.month_of(row);
                self.rejects.add(&self.file, number, month.as_deref(), refusal);
                Ok(())
            }
        }
    }
}
