//! Counts violations by requirement and by who bills, and keeps the first of each. What is kept does not grow with the rows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use contracts::cost_manifest::DeliverySource;
use inventories::billing::conformance::{
    CheckedFile, CheckedSource, FocusConformance, RuleViolation, SourceViolation, ViolationSample,
};

use super::FocusVersion;
use super::requirement::Requirement;

/// Rows that are shown of one violation.
const SAMPLES_MAX: usize = 5;
/// Of a cell that is shown.
const CELL_CHARS_MAX: usize = 80;
/// Sources that are distinguished. A bill has some; rows of those that come after are counted as of an unknown source.
const SOURCES_MAX: usize = 1_000;

/// Where a row lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub row: u64,
    pub line: Option<u64>,
}

/// How often, and the first of them.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: u64,
    first: Vec<FoundAt>,
}

/// One violation. The order is that in which rows are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FoundAt {
    /// Place among the files.
    file: usize,
    row: Option<u64>,
    line: Option<u64>,
    cell: String,
}

impl Tally {
    fn add(&mut self, found: impl FnOnce() -> FoundAt) {
        self.count += 1;
        if self.first.len() < SAMPLES_MAX {
            self.first.push(found());
        }
    }
}

#[derive(Debug)]
struct SourceTally {
    source: DeliverySource,
    rows: u64,
    versions: BTreeSet<&'static str>,
    found: HashMap<Requirement, Tally>,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    name: Option<String>,
    files: Vec<CheckedFile>,
    sources: Vec<SourceTally>,
    /// Place of a source, by cloud and account.
    places: HashMap<String, usize>,
    /// What is about columns.
    of_files: HashMap<Requirement, Tally>,
    /// The same of the file that is being read: every source that it has, has it.
    of_this_file: Vec<(Requirement, FoundAt)>,
    /// Sources of the file that is being read.
    in_this_file: BTreeSet<usize>,
    /// Of the row that is being read.
    current: usize,
}

impl Tallies {
    /// `name` distinguishes the exports of one billing account.
    pub(super) fn new(name: Option<String>) -> Self {
        Self { name, ..Self::default() }
    }

    /// A file begins.
    pub(super) fn begin_file(&mut self, file: &str, version: FocusVersion) {
        self.files.push(CheckedFile { file: file.to_owned(), version: version.as_str(), rows: 0 });
    }

    /// The file has ended: what is about its columns is counted for each of its sources.
    pub(super) fn end_file(&mut self) {
        let Some(version) = self.files.last().map(|file| file.version) else { return };
        if self.in_this_file.is_empty() && !self.of_this_file.is_empty() {
            let unknown = self.place("unknown", None);
            self.in_this_file.insert(unknown);
        }
        let found = std::mem::take(&mut self.of_this_file);
        for at in std::mem::take(&mut self.in_this_file) {
            let source = &mut self.sources[at];
            source.versions.insert(version);
            for (requirement, at) in &found {
                source.found.entry(*requirement).or_default().add(|| at.clone());
            }
        }
        for (requirement, at) in found {
            self.of_files.entry(requirement).or_default().add(|| at);
        }
    }

    /// A row begins.
    pub(super) fn begin_row(&mut self, cloud: &str, account: Option<&str>) {
        let at = self.place(cloud, account);
        self.current = at;
        self.sources[at].rows += 1;
        self.in_this_file.insert(at);
        if let Some(file) = self.files.last_mut() {
            file.rows += 1;
        }
    }

    /// The place of a source, which is made when it is new.
    fn place(&mut self, cloud: &str, account: Option<&str>) -> usize {
        let is_current = |source: &SourceTally| {
            source.source.billing_account.as_deref() == account
                && source.source.provider.as_deref().unwrap_or("unknown") == cloud
        };
        if self.sources.get(self.current).is_some_and(is_current) {
            return self.current;
        }
        let key = format!("{cloud}\n{}", account.unwrap_or_default());
        if let Some(at) = self.places.get(&key) {
            return *at;
        }
        let (cloud, account, key) = match self.sources.len() {
            len if len < SOURCES_MAX => (cloud, account, key),
            _ => ("unknown", None, "unknown\n".to_owned()),
        };
        let (sources, name) = (&mut self.sources, &self.name);
        *self.places.entry(key).or_insert_with(|| {
            let provider = (cloud != "unknown").then(|| cloud.to_owned());
            let source = DeliverySource { provider, billing_account: account.map(str::to_owned), name: name.clone() };
            sources.push(SourceTally { source, rows: 0, versions: BTreeSet::new(), found: HashMap::new() });
            sources.len() - 1
        })
    }

    /// Something about the columns of the file; `cell` names the column or says more.
    pub(super) fn columns(&mut self, requirement: Requirement, cell: &str) {
        let file = self.files.len().saturating_sub(1);
        let found = FoundAt { file, row: None, line: None, cell: shown(cell) };
        self.of_this_file.push((requirement, found));
    }

    /// Something about the row that has begun; `cell` is what the column holds.
    pub(super) fn row(&mut self, requirement: Requirement, place: Place, cell: Option<&str>) {
        let file = self.files.len().saturating_sub(1);
        let Some(source) = self.sources.get_mut(self.current) else { return };
        let cell = || shown(cell.unwrap_or_default());
        let found = || FoundAt { file, row: Some(place.row), line: place.line, cell: cell() };
        source.found.entry(requirement).or_default().add(found);
    }

    /// All that was found, as a report.
    pub(super) fn finish(mut self, report: &mut FocusConformance) {
        self.sources.sort_by(|a, b| a.source.cmp(&b.source));
        let newest = self.files.iter().filter_map(|file| FocusVersion::named(file.version)).max();
        let version = newest.unwrap_or(FocusVersion::V1_0);
        let mut total: BTreeMap<Requirement, (Tally, Vec<SourceViolation>)> = BTreeMap::new();
        for source in &self.sources {
            for (requirement, tally) in &source.found {
                let (all, by_source) = total.entry(*requirement).or_default();
                all.count += tally.count;
                all.first.extend(tally.first.iter().cloned());
                by_source.push(SourceViolation {
                    source: source.source.clone(),
                    count: tally.count,
                    first: samples(&self.files, &tally.first),
                });
            }
        }
        for (requirement, (mut tally, by_source)) in total {
            if let Some(files) = self.of_files.get(&requirement) {
                tally.clone_from(files);
            }
            tally.first.sort();
            tally.first.truncate(SAMPLES_MAX);
            report.violations.push(RuleViolation {
                rule: requirement.id(),
                keyword: requirement.keyword(),
                section: requirement.section(version),
                requirement: requirement.described(),
                count: tally.count,
                first: samples(&self.files, &tally.first),
                by_source,
            });
        }
        report.violations.sort_by_key(|violation| violation.keyword);
        report.rows = self.files.iter().map(|file| file.rows).sum();
        let sources = self.sources.into_iter().map(|source| CheckedSource {
            source: source.source,
            rows: source.rows,
            versions: source.versions.into_iter().collect(),
        });
        report.sources = sources.collect();
        report.files = self.files;
    }
}

fn shown(cell: &str) -> String {
    cell.chars().take(CELL_CHARS_MAX).collect()
}

fn samples(files: &[CheckedFile], found: &[FoundAt]) -> Vec<ViolationSample> {
    let name = |at: usize| files.get(at).map(|file| file.file.clone()).unwrap_or_default();
    let sample = |found: &FoundAt| ViolationSample {
        file: name(found.file),
        row: found.row,
        line: found.line,
        cell: found.cell.clone(),
    };
    found.iter().map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_counted_apart_up_to_a_limit() {
        let mut tallies = Tallies::new(Some("daily".into()));
        tallies.begin_file("f", FocusVersion::V1_2);
        for row in 1..=SOURCES_MAX as u64 + 5 {
            tallies.begin_row("aws", Some(&row.to_string()));
            tallies.row(Requirement::Row(0), Place { row, line: Some(row + 1) }, None);
        }
        tallies.columns(Requirement::CustomPrefix, "Extra");
        tallies.end_file();
        let mut report = FocusConformance::default();
        tallies.finish(&mut report);
        assert_eq!((report.sources.len(), report.rows), (SOURCES_MAX + 1, SOURCES_MAX as u64 + 5));
        assert_eq!(report.sources.iter().map(|source| source.rows).sum::<u64>(), report.rows);
        let [rows, columns] = report.violations.as_slice() else { panic!("{:?}", report.violations) };
        assert_eq!((rows.count, rows.by_source.len()), (report.rows, SOURCES_MAX + 1));
        assert_eq!(
            rows.first.iter().map(|found| found.row).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(3), Some(4), Some(5)]
        );
        assert_eq!((columns.count, columns.by_source.len(), columns.first.len()), (1, SOURCES_MAX + 1, 1));
        assert_eq!(columns.by_source[0].source.name.as_deref(), Some("daily"));
    }
}
