//! Whether FOCUS files keep the FOCUS specification, as far as files can tell: their columns, and row by row the form of each cell and how
//! cells relate. Reads in a stream; what is kept does not grow with the rows, up to the limits below.

mod columns;
mod exactness;
mod json;
mod objects;
mod relations;
mod requirement;
mod rule;
mod rules;
mod services;
mod tallies;
mod values;
mod version;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inventories::billing::cells;
pub use inventories::billing::conformance::{FocusConformance, RuleViolation, ViolationSample};
use platform::lifecycle::{Shutdown, Stopped};
use platform::progress::{Progress, Unit};

use super::clouds::Clouds;
use super::dialect::{self, Recognised};
use super::error::LoadError;
use super::focus_columns::Columns;
use super::row::Row;
use super::storage::BillStorage;
use super::visitor::Visitor;
use super::{container, folder};
use columns::{COLUMNS, Column, Kind, Level};
use relations::{BoundRule, Relations};
use requirement::{ColumnRule, Requirement};
use rules::RULES;
use tallies::{Place, Tallies};
use values::Values;
pub use version::FocusVersion;

/// Rows after which a stop request is looked for.
const STOP_CHECK_ROWS: u64 = 1_000;

/// How files are checked.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Version to check by; `None` for the one that the columns of a file are of.
    pub version: Option<FocusVersion>,
    /// Distinguishes the exports of one billing account.
    pub source_name: Option<String>,
}

/// Checks these files and folders as one dataset.
///
/// # Errors
/// A file cannot be read, or is no FOCUS cost and usage export; or a stop is requested.
pub fn check(
    paths: &[PathBuf],
    options: &CheckOptions,
    progress: &Arc<dyn Progress>,
    shutdown: &Shutdown,
) -> Result<FocusConformance, LoadError> {
    let found = folder::find(paths)?;
    let bytes = found.sizes()?.iter().map(|(_, bytes)| bytes).sum();
    progress.begin("checking billing files", Unit::Bytes, Some(bytes));
    let mut checking = Checking {
        version: options.version,
        name: String::new(),
        file: None,
        tallies: Tallies::new(options.source_name.clone()),
        relations: Relations::default(),
        values: Values::default(),
        report: FocusConformance::default(),
        rows: 0,
        shutdown,
    };
    let checked = found.files().try_for_each(|path| checking.read(path, &found.storage, progress));
    progress.end();
    checked?;
    Ok(checking.finish())
}

struct Checking<'a> {
    /// As asked for.
    version: Option<FocusVersion>,
    /// Of the file that is being read.
    name: String,
    file: Option<OpenFile>,
    tallies: Tallies,
    relations: Relations,
    values: Values,
    report: FocusConformance,
    rows: u64,
    shutdown: &'a Shutdown,
}

/// What is to be looked at in the rows of a file.
struct OpenFile {
    /// Columns of the specification: their places there and in the file.
    columns: Vec<(usize, usize)>,
    rules: Vec<BoundRule>,
    clouds: Clouds,
    account: Option<usize>,
}

impl Checking<'_> {
    fn read(&mut self, path: &Path, storage: &BillStorage, progress: &Arc<dyn Progress>) -> Result<(), LoadError> {
        self.name = path.display().to_string();
        let read = container::read(storage, path, progress, self.shutdown, self);
        self.file = None;
        self.tallies.end_file();
        match read {
            // Exports have parts without rows, whose columns are checked all the same.
            Err(LoadError::NoRows { .. }) => Ok(()),
            read => read,
        }
    }

    fn finish(self) -> FocusConformance {
        let mut report = self.report;
        report.absent_columns.sort_unstable();
        report.absent_columns.dedup();
        report.rules_untested.sort_unstable();
        report.rules_untested.dedup();
        report.rules_tested_in_part = self.relations.tested_in_part();
        self.tallies.finish(&mut report);
        report
    }

    fn check_columns(&mut self, names: &[String], version: FocusVersion) {
        for (at, column) in COLUMNS.iter().enumerate().filter(|(_, column)| column.is_in(version)) {
            let is_there = names.iter().any(|name| name.trim().eq_ignore_ascii_case(column.name));
            match column.level {
                _ if is_there => {}
                Level::Conditional => self.report.absent_columns.push(column.name),
                _ => self.tallies.columns(Requirement::Column(at, ColumnRule::Present), column.name),
            }
        }
        for (number, name) in names.iter().map(|name| name.trim()).enumerate() {
            let Some(at) = columns::named(name, version) else {
                if !name.starts_with("x_") {
                    self.tallies.columns(Requirement::CustomPrefix, name);
                }
                continue;
            };
            let is_repeated = names[..number].iter().any(|earlier| earlier.trim().eq_ignore_ascii_case(name));
            let rule = match &COLUMNS[at] {
                _ if is_repeated => ColumnRule::Once,
                column if column.name != name => ColumnRule::Spelling,
                column if !column.is_in(version) => ColumnRule::OfTheVersion,
                _ => continue,
            };
            self.tallies.columns(Requirement::Column(at, rule), name);
        }
    }

    fn check_cells(&mut self, file: &OpenFile, place: Place, row: Row<'_>) {
        for (at, number) in &file.columns {
            let column = &COLUMNS[*at];
            // Of numbers only a blank and `NULL` are absent: `NaN` is a value, and a wrong one.
            let cell = match column.kind {
                Kind::Decimal | Kind::Price => row.amount(Some(*number)),
                _ => row.get(Some(*number)),
            };
            let broken = match cell {
                Some(cell) => self.broken_by(column, cell, row.is_typed()),
                None if column.may_be_null => None,
                None => Some(ColumnRule::NotNull),
            };
            if let Some(rule) = broken {
                self.tallies.row(Requirement::Column(*at, rule), place, cell);
            }
        }
    }

    fn broken_by(&mut self, column: &Column, cell: &str, is_typed: bool) -> Option<ColumnRule> {
        if !self.values.fits(cell, column.kind, is_typed) {
            return Some(ColumnRule::Format);
        }
        let is_negative = || cells::decimal(cell).is_some_and(|price| price.is_sign_negative() && !price.is_zero());
        (column.kind == Kind::Price && is_negative()).then_some(ColumnRule::NotNegative)
    }

    /// What the rows of a file with these columns are checked for.
    fn bind(&mut self, names: &[String], version: FocusVersion) -> OpenFile {
        let place = |name: &str| names.iter().position(|found| found.trim().eq_ignore_ascii_case(name));
        let of_version = COLUMNS.iter().enumerate().filter(|(_, column)| column.is_in(version));
        let columns: Vec<_> = of_version.filter_map(|(at, column)| Some((at, place(column.name)?))).collect();
        let mut rules = Vec::new();
        for at in (0..RULES.len()).filter(|at| RULES[*at].is_in(version)) {
            match BoundRule::of(at, &place) {
                Some(rule) => rules.push(rule),
                None => self.report.rules_untested.push(Requirement::Row(at).id()),
            }
        }
        self.report.rules_tested = self.report.rules_tested.max(rules.len() + columns.len());
        let known = Columns::of(names);
        OpenFile { columns, rules, clouds: Clouds::of(&known), account: known.billing_account }
    }
}

impl Visitor for Checking<'_> {
    fn header(&mut self, names: &[String]) -> Result<Vec<usize>, LoadError> {
        let file = self.name.clone();
        let named = match dialect::recognise(names) {
            Recognised::Focus { version, .. } | Recognised::FocusIncomplete { version, .. } => version,
            Recognised::Other(other) => {
                return Err(LoadError::OtherExport { file, what: other.what, advice: other.advice });
            }
            Recognised::Cur { dialect, .. } => {
                return Err(LoadError::NotChecked { file, what: dialect.title() });
            }
            Recognised::CurIncomplete { missing } => return Err(LoadError::CurIncomplete { file, missing }),
            Recognised::Unknown => return Err(LoadError::FormatUnknown { file, columns: names.to_vec() }),
        };
        // A version before 1.0 has no requirements here: the first one that has some.
        let version = self.version.or_else(|| FocusVersion::named(named)).unwrap_or(FocusVersion::V1_0);
        self.tallies.begin_file(&file, version);
        self.check_columns(names, version);
        let file = self.bind(names, version);
        let known = Columns::of(names);
        let of_source = known.provider.into_iter().chain(known.seller).chain([known.billing_account]).flatten();
        let needed = file.columns.iter().map(|(_, number)| *number).chain(of_source).collect();
        self.file = Some(file);
        Ok(needed)
    }

    fn takes_nested(&self, _: usize) -> bool {
        true
    }

    fn member(&mut self, _: usize) -> Option<&'static str> {
        None
    }

    fn unreadable(&mut self, column: usize, kind: &str) -> Result<(), LoadError> {
        let columns = self.file.as_ref().map(|file| file.columns.as_slice()).unwrap_or_default();
        if let Some((at, _)) = columns.iter().find(|(_, number)| *number == column) {
            self.tallies.columns(Requirement::Column(*at, ColumnRule::Type), kind);
        }
        Ok(())
    }

    fn row(&mut self, number: u64, row: Row<'_>) -> Result<(), LoadError> {
        self.rows += 1;
        if self.rows.is_multiple_of(STOP_CHECK_ROWS) && self.shutdown.is_requested() {
            return Err(Stopped.into());
        }
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let cloud = file.clouds.name(row);
        let account = row.get(file.account).and_then(|account| cells::billing_account(account, &cloud));
        self.tallies.begin_row(&cloud, account.as_deref());
        let place = Place { row: number, line: row.line() };
        self.check_cells(&file, place, row);
        for rule in &file.rules {
            if !self.relations.keeps(rule, &cloud, row) {
                self.tallies.row(Requirement::Row(rule.at), place, row.get(Some(rule.column)));
            }
        }
        self.file = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
