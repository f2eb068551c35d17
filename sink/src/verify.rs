//! Proves that the dataset is what was committed and that nothing of the wire topics is missing: chains continuous,
//! digests right, rows add up, no source position twice, and valid ∪ dead rows cover every judged wire record. Reads only;
//! reports every problem it finds, not the first.

mod coverage;
mod file;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use contracts::chain::{ChainHead, checkpoint_end, link_start};
use contracts::commit_record::{CommitRecord, CommittedFile};
use contracts::layout;
use contracts::run_manifest::{RunManifest, RunStatus};
use contracts::source::{SrcPartition, SrcSet};
use platform::broker::{Broker, BrokerError};
use platform::store::{Staged, Store, StoreError};
use serde::Serialize;

pub use coverage::{InFlight, Missing};

use crate::error::SinkError;

/// What a problem breaks. A closed list: scripts may rely on the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A commit record is unreadable, changed or removed.
    ChainBroken,
    /// A checkpoint does not say what the links before it add up to.
    CheckpointDiffers,
    /// A commit record's rows are not those of its files or source positions.
    LinkAddsUp,
    /// A committed file is not there.
    FileMissing,
    /// A committed file has another size or digest.
    FileChanged,
    /// A committed file is no Parquet, or holds other rows or columns than it must.
    FileContent,
    /// A file in a dataset that no commit record names.
    FileForeign,
    /// A source position is held by two rows.
    SourceTwice,
    /// A wire record was judged, but is neither a row nor on its way to be one.
    RecordLost,
    /// Not all that a finished run published has arrived.
    RunIncomplete,
    /// A run manifest is unreadable.
    ManifestUnreadable,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).ok().and_then(|v| v.as_str().map(str::to_owned));
        f.write_str(&name.unwrap_or_default())
    }
}

/// Something is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// What it breaks.
    pub rule: Rule,
    /// Path in the store, topic partition or run.
    pub object: String,
    /// What is wrong with it.
    pub detail: String,
}

/// A partition's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Topic.
    pub topic: String,
    /// Topic id.
    pub topic_id: String,
    /// Partition.
    pub partition: u32,
    /// Commit records.
    pub links: u64,
    /// One past the last committed offset.
    pub end: u64,
    /// Committed rows.
    pub rows: u64,
    /// Dropped duplicates.
    pub duplicates: u64,
    /// When the last commit was made.
    pub committed_at: String,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Chains, by topic id and partition.
    pub chains: Vec<ChainReport>,
    /// Committed files.
    pub files: u64,
    /// Rows of valid findings.
    pub findings_rows: u64,
    /// Rows of dead letters.
    pub dead_letter_rows: u64,
    /// Dropped duplicates.
    pub duplicates: u64,
    /// Wire records that are on their way.
    pub in_flight: InFlight,
    /// Wire records that were judged and are nowhere, by partition: what `repair` sends again.
    pub missing: Vec<Missing>,
    /// All problems, by rule and object.
    pub problems: Vec<Problem>,
    /// Links with a file that is gone.
    #[serde(skip)]
    pub links_with_missing_files: Vec<CommitRecord>,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, rule: Rule, object: impl Into<String>, detail: impl Into<String>) {
        self.problems.push(Problem { rule, object: object.into(), detail: detail.into() });
    }
}

/// Verifying could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store refused.
    #[error("verify: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("verify: {0}")]
    Broker(#[from] BrokerError),
    /// A committed file could not be made again.
    #[error("repair: {0}")]
    Rebuild(#[from] SinkError),
}

/// Verifies everything below the store's root; with a broker also that nothing of its wire topics is missing.
/// `progress` hears of every file.
///
/// # Errors
/// Store or broker cannot be read. What is wrong with the data is no error but in the report.
pub fn verify(store: &dyn Store, broker: Option<&dyn Broker>, progress: &dyn Fn()) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let mut held = Held::default();
    let sizes = sizes(store)?;
    for (folder, objects) in chain_folders(store)? {
        Chain { store, sizes: &sizes, report: &mut report, held: &mut held, progress }.verify(&folder, &objects)?;
    }
    for path in sizes.keys().filter(|path| !held.files.contains(*path)) {
        report.problem(Rule::FileForeign, path, "no commit record names this file");
    }
    let positions = report.chains.iter().map(|c| ((c.topic_id.clone(), c.partition), c.end)).collect();
    if let Some(broker) = broker {
        let found = coverage::check(broker, &positions, &held.firsts)?;
        for missing in &found.missing {
            report.problem(Rule::RecordLost, missing.partition.to_string(), missing.to_string());
        }
        (report.in_flight, report.missing) = (found.in_flight, found.missing);
    }
    runs(store, &held, &mut report)?;
    report.problems.sort();
    Ok(report)
}

/// What all chains together hold.
#[derive(Default)]
struct Held {
    files: BTreeSet<String>,
    /// Source positions of rows.
    src: SrcSet,
    /// Source positions that are answered for: those of rows, and those that rows are replays of.
    firsts: SrcSet,
    runs: BTreeMap<String, SrcSet>,
}

fn sizes(store: &dyn Store) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut sizes = BTreeMap::new();
    for dataset in [layout::FINDINGS, layout::DEAD_LETTERS] {
        sizes.extend(store.list(dataset)?.into_iter().map(|entry| (entry.path, entry.bytes)));
    }
    Ok(sizes)
}

fn chain_folders(store: &dyn Store) -> Result<BTreeMap<String, Vec<String>>, StoreError> {
    let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in store.list(layout::CHAIN)? {
        if let Some((folder, _)) = entry.path.rsplit_once('/') {
            folders.entry(folder.to_owned()).or_default().push(entry.path);
        }
    }
    Ok(folders)
}

fn add(all: &mut SrcSet, some: &SrcSet) {
    for (partition, offsets) in some {
        all.entry(partition.clone()).or_default().union(offsets);
    }
}

/// One chain being verified.
struct Chain<'a> {
    store: &'a dyn Store,
    sizes: &'a BTreeMap<String, u64>,
    report: &'a mut Report,
    held: &'a mut Held,
    progress: &'a dyn Fn(),
}

impl Chain<'_> {
    fn verify(&mut self, folder: &str, objects: &[String]) -> Result<(), StoreError> {
        let mut head: Option<ChainHead> = None;
        let mut heads: BTreeMap<u64, ChainHead> = BTreeMap::new();
        let mut last: Option<CommitRecord> = None;
        let mut links: Vec<_> = objects.iter().filter(|path| link_start(path).is_some()).collect();
        links.sort();
        let checkpoint_ends: BTreeSet<u64> = objects.iter().filter_map(|path| checkpoint_end(path)).collect();
        for (n, path) in links.iter().enumerate() {
            let Some(bytes) = self.store.get(path)? else { continue };
            let mut next = match head.take() {
                Some(head) => head,
                None => match identity(&bytes) {
                    Some((topic_id, partition)) => ChainHead::empty(&topic_id, partition),
                    None => {
                        self.report.problem(Rule::ChainBroken, *path, "it is no commit record");
                        return Ok(());
                    }
                },
            };
            let followed = next.follow(path, &bytes);
            let link = match followed {
                Ok(link) => link,
                Err(broken) => {
                    let rest = links.len() - n;
                    let detail = format!("{}; {rest} commit record(s) from here on are not verified", broken.problem);
                    self.report.problem(Rule::ChainBroken, broken.path, detail);
                    // Their files are committed all the same: naming them foreign, too, would mislead.
                    for path in &links[n..] {
                        let link: Option<CommitRecord> =
                            self.store.get(path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                        self.held.files.extend(link.into_iter().flat_map(|link| link.files).map(|file| file.path));
                    }
                    head = Some(next);
                    break;
                }
            };
            self.link(path, &link, n + 1 == links.len())?;
            if checkpoint_ends.contains(&next.end) {
                heads.insert(next.end, next.clone());
            }
            head = Some(next);
            last = Some(link);
        }
        self.checkpoints(objects, &heads)?;
        let (Some(head), Some(last)) = (head, last) else {
            if links.is_empty() {
                self.report.problem(Rule::ChainBroken, folder, "there are checkpoints but no commit records");
            }
            return Ok(());
        };
        self.report.duplicates += head.duplicates;
        self.report.chains.push(ChainReport {
            topic: last.topic,
            topic_id: head.topic_id,
            partition: head.partition,
            links: head.records,
            end: head.end,
            rows: head.rows,
            duplicates: head.duplicates,
            committed_at: last.committed_at,
        });
        Ok(())
    }

    fn checkpoints(&mut self, objects: &[String], heads: &BTreeMap<u64, ChainHead>) -> Result<(), StoreError> {
        for path in objects {
            let Some(end) = checkpoint_end(path) else { continue };
            let kept: Option<ChainHead> = self.store.get(path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            if kept.is_none() || kept.as_ref() != heads.get(&end) {
                let detail = format!("it is not what the commit records up to {end} add up to");
                self.report.problem(Rule::CheckpointDiffers, path, detail);
            }
        }
        Ok(())
    }

    fn link(&mut self, path: &str, link: &CommitRecord, is_last: bool) -> Result<(), StoreError> {
        let in_files: u64 = link.files.iter().map(|file| file.rows).sum();
        let sources: u64 = link.src.values().map(contracts::source::OffsetSet::count).sum();
        if in_files != link.rows || sources != link.rows {
            let detail = format!("{} rows, {in_files} in its files, {sources} source positions", link.rows);
            self.report.problem(Rule::LinkAddsUp, path, detail);
        }
        for (partition, offsets) in &link.src {
            let twice = self.held.src.get(partition).map_or(0, |held| held.overlap(offsets));
            if twice > 0 {
                let detail = format!("{twice} source position(s) of {partition} are held by earlier rows already");
                self.report.problem(Rule::SourceTwice, path, detail);
            }
        }
        add(&mut self.held.src, &link.src);
        add(&mut self.held.firsts, &link.src);
        for (run, firsts) in &link.runs {
            add(&mut self.held.firsts, firsts);
            add(self.held.runs.entry(run.clone()).or_default(), firsts);
        }
        let mut has_missing = false;
        for file in &link.files {
            has_missing |= self.file(file, is_last)?;
            (self.progress)();
        }
        if has_missing {
            self.report.links_with_missing_files.push(link.clone());
        }
        Ok(())
    }

    /// True when the file is missing.
    fn file(&mut self, file: &CommittedFile, is_last: bool) -> Result<bool, StoreError> {
        self.report.files += 1;
        if !self.held.files.insert(file.path.clone()) {
            self.report.problem(Rule::LinkAddsUp, &file.path, "two commit records name this file");
        }
        let is_finding = layout::dataset_of(&file.path) == Some(layout::FINDINGS);
        *(if is_finding { &mut self.report.findings_rows } else { &mut self.report.dead_letter_rows }) += file.rows;
        let bytes = match self.sizes.get(&file.path) {
            Some(_) => self.store.get(&file.path)?,
            None => None,
        };
        let Some(bytes) = bytes else {
            // The last link's files are made visible after it was committed: now, or by the next sink.
            let is_staged = Staged::name_of(&file.staged)
                .is_some_and(|name| self.store.staged().is_ok_and(|all| all.iter().any(|entry| entry.path == name)));
            if !(is_last && is_staged) {
                self.report.problem(Rule::FileMissing, &file.path, format!("{} rows are gone", file.rows));
                return Ok(true);
            }
            return Ok(false);
        };
        match file::check(file, &bytes) {
            Ok(replays) => add(&mut self.held.firsts, &replays),
            Err((rule, detail)) => self.report.problem(rule, &file.path, detail),
        }
        Ok(false)
    }
}

fn identity(bytes: &[u8]) -> Option<(String, u32)> {
    let link: CommitRecord = serde_json::from_slice(bytes).ok()?;
    Some((link.topic_id, link.partition))
}

/// Finished runs whose records have not all arrived, though nothing is on its way any more.
fn runs(store: &dyn Store, held: &Held, report: &mut Report) -> Result<(), StoreError> {
    let count = |run: &str| -> u64 {
        held.runs.get(run).map_or(0, |set| set.values().map(contracts::source::OffsetSet::count).sum())
    };
    for entry in store.list(layout::RUNS)? {
        let Some(bytes) = store.get(&entry.path)? else { continue };
        let manifest: RunManifest = match serde_json::from_slice(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                report.problem(Rule::ManifestUnreadable, &entry.path, error.to_string());
                continue;
            }
        };
        let RunManifest { tenant_id, workspace_id, run_id, published, status, .. } = &manifest;
        let arrived = count(&format!("{tenant_id}/{workspace_id}/{run_id}")) + count(&format!("//{run_id}"));
        if arrived < *published && report.in_flight.is_empty() && *status != RunStatus::Failed {
            let detail = format!("{published} records were published, {arrived} have arrived");
            report.problem(Rule::RunIncomplete, &entry.path, detail);
        }
    }
    Ok(())
}

/// A source partition with its missing offsets, for people.
pub(crate) fn ranges_text(partition: &SrcPartition, offsets: &contracts::source::OffsetSet) -> String {
    const SHOWN: usize = 10;
    let ranges: Vec<_> = offsets.ranges().collect();
    let shown: Vec<_> = ranges
        .iter()
        .take(SHOWN)
        .map(|r| if r.end - r.start == 1 { r.start.to_string() } else { format!("{}–{}", r.start, r.end - 1) })
        .collect();
    let more = if ranges.len() > SHOWN { format!(" and {} more ranges", ranges.len() - SHOWN) } else { String::new() };
    format!("{} record(s) of {partition} are lost: offsets {}{more}", offsets.count(), shown.join(", "))
}
