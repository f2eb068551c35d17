//! Proves that the dataset is what was committed and that nothing of the wire topics is missing: chains continuous,
//! digests right, rows add up, no source position twice, and valid ∪ dead rows cover every judged wire record; that cost facts,
//! derived tables and exports are what their manifests say. Reads only; reports every problem it finds, not the first, and names
//! what it could not compare. Services may be running meanwhile.

mod area;
mod chain;
mod coverage;
mod ends;
mod exports;
mod facts;
mod file;
mod manifest;
mod pending;
mod report;
mod rollback;
mod runs;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use contracts::chain::ChainHead;
use contracts::claims::{OwnProducers, Producers};
use contracts::last_record::LastRecord;
use contracts::source::SrcSet;
use contracts::topics::groups;
use contracts::{datasets, layout};
use platform::broker::{Broker, BrokerError, GroupOffset};
use platform::store::{Store, StoreError};

pub use area::{Area, AreaReport, NotCompared};
pub use ends::OpenEnd;
pub use file::opened;
pub use report::Announced;
pub use report::{
    ChainReport, InFlight, IncompleteRun, LastRecords, Missing, Rule, Unpublished, VerifyProblem, VerifyReport,
};

use crate::chain::folders;
use crate::committed_offsets;
use crate::ledger::Ledger;
use coverage::Found;
use pending::Pending;

/// Verifying could not be done.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store refused.
    #[error("verify: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("verify: {0}")]
    Broker(#[from] BrokerError),
}

/// What is verified.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// The broker of its pipeline. Without it nothing tells what is missing of the wire topics, or on its way.
    pub broker: Option<&'a dyn Broker>,
    /// The folder of exported files on this machine.
    pub exports: Option<&'a Path>,
    /// Whose tenants and runs the records of a wire topic may be.
    pub producers: &'a dyn Producers,
}

/// [`verify_all`] without exported files, where no producer but our own speaks for a tenant.
///
/// # Errors
/// As [`verify_all`].
pub fn verify(
    store: &dyn Store,
    broker: Option<&dyn Broker>,
    progress: &dyn Fn(),
) -> Result<VerifyReport, VerifyError> {
    verify_all(Subject { store, broker, exports: None, producers: &OwnProducers }, progress)
}

/// Verifies everything below the store's root; with a broker also that nothing of its wire topics is missing, and that
/// runs are complete. `progress` hears of every file.
///
/// # Errors
/// Store or broker cannot be read. What is wrong with the data is no error but in the report, and so is what could not be
/// compared.
pub fn verify_all(subject: Subject<'_>, progress: &dyn Fn()) -> Result<VerifyReport, VerifyError> {
    let Subject { store, broker, exports, producers } = subject;
    let mut report = VerifyReport::default();
    // Services may be running. So each thing is read before what it is a promise about: what is published is on a topic,
    // the group's position is committed, a file that is there is named by a commit, what is exported was committed.
    let announced = broker.map(runs::announced).transpose()?;
    let manifests = runs::manifests(store, &mut report)?;
    let hints = broker.map(|broker| broker.group_offsets(groups::SINK)).transpose()?.unwrap_or_default();
    let exported = exports::look(exports, progress);
    let found_tables =
        tables::ALL.iter().map(|tables| tables::look(tables, store, progress)).collect::<Result<Vec<_>, _>>()?;
    let present = dataset_files(store)?;
    let (folders, strays) = folders(store)?;
    let mut held = Held::default();
    for folder in &folders {
        chain::verify(store, folder, &mut report, &mut held, progress)?;
    }
    for path in strays {
        report.problem(Rule::ChainBroken, path, "it lies in no chain's folder");
    }
    for path in present.difference(&held.files) {
        report.problem(Rule::FileForeign, path, "no commit record names this file");
    }
    report.compared(Area::CommitChains, report.chains.iter().map(|chain| chain.commits).sum());
    let on_the_way = match broker {
        Some(broker) => wire(store, broker, producers, &hints, &held, &mut report)?,
        None => {
            for area in [Area::WireRecords, Area::RunManifests] {
                report.not_compared(area, "broker", None, "there is no broker to compare with");
            }
            None
        }
    };
    // That of another store's sinks says nothing of the runs of this one.
    if let (Some(announced), true) = (announced, on_the_way.is_some()) {
        runs::compare(announced, &manifests, &mut report);
    }
    runs::check(&manifests, &held.runs, on_the_way.as_ref(), &mut report);
    facts::verify(store, &mut report, progress)?;
    let was_exported = found_tables.iter().any(|found| !found.is_empty());
    for (tables, found) in tables::ALL.iter().zip(found_tables) {
        tables::report(tables, found, &held, &mut report);
    }
    exports::report(exported, was_exported, &held, &mut report);
    pending::look_again(store, &held.pending, &mut report)?;
    report.chain_heads = held.whole;
    report.compared(Area::DataFiles, report.files - report.unpublished.files);
    report.problems.sort();
    Ok(report)
}

/// Compares with the broker. Returns what is on its way of each run, unless the broker's sinks write elsewhere.
fn wire(
    store: &dyn Store,
    broker: &dyn Broker,
    producers: &dyn Producers,
    hints: &[GroupOffset],
    held: &Held,
    report: &mut VerifyReport,
) -> Result<Option<BTreeMap<String, SrcSet>>, VerifyError> {
    if !has_this_store(store, hints, report) {
        let reason = "the sinks of this broker write to another store";
        report.not_compared(Area::WireRecords, store.location(), None, reason);
        return Ok(None);
    }
    group_positions(broker, hints, held, report)?;
    let ledger = Ledger::read(store)?;
    for (path, problem) in &ledger.unreadable {
        report.problem(Rule::AuditUnreadable, path, problem);
    }
    let Found { compared, in_flight, missing, unproven, behind, wire_ends, runs } =
        coverage::check(broker, held, &ledger, producers)?;
    for (object, detail) in behind {
        report.problem(Rule::TopicBehind, object, detail);
    }
    for missing in &missing {
        report.problem(Rule::RecordLost, missing.partition.to_string(), missing.to_string());
    }
    for expired in &unproven {
        let (object, count) = (format!("{} {}", expired.topic, expired.partition), expired.offsets.count());
        let reason = "the broker does not hold these offsets any more, and no row answers for them";
        report.not_compared(Area::WireRecords, object, Some(count), reason);
    }
    rollback::check(broker, held, report)?;
    unknown_topics(broker, held, report)?;
    report.open_ends = ends::all(broker, hints, held, report)?;
    report.compared(Area::WireRecords, compared);
    (report.in_flight, report.missing, report.unproven) = (in_flight, missing, unproven);
    report.wire_ends = wire_ends;
    Ok(Some(runs))
}

/// Names the wire topics that rows came from and that the broker does not have: recreated, deleted, or another broker's.
fn unknown_topics(broker: &dyn Broker, held: &Held, report: &mut VerifyReport) -> Result<(), BrokerError> {
    let known: BTreeSet<String> = broker.topics()?.into_iter().map(|topic| topic.id.to_string()).collect();
    let mut unknown: BTreeMap<&str, u64> = BTreeMap::new();
    for (partition, offsets) in held.src.iter().filter(|(partition, _)| !known.contains(&partition.topic_id)) {
        *unknown.entry(&partition.topic_id).or_default() += offsets.count();
    }
    for (topic_id, rows) in unknown {
        let reason = "the broker has no topic of this id (it was recreated or deleted, or this is another broker): whether \
                      all its records are rows cannot be compared";
        report.not_compared(Area::WireRecords, format!("topic {topic_id}"), Some(rows), reason);
    }
    Ok(())
}

/// What all chains together hold.
#[derive(Default)]
struct Held {
    /// Files that some commit names.
    files: BTreeSet<String>,
    /// Source positions of rows.
    src: SrcSet,
    /// Source positions that are answered for: those of rows, also of rows whose commits could not be followed.
    answered: SrcSet,
    /// First source positions by run.
    runs: BTreeMap<String, SrcSet>,
    /// How far each chain has come that could be followed, by topic id and partition.
    ends: BTreeMap<(String, u32), u64>,
    /// How far each chain says to have come, also where it is broken.
    claimed_ends: BTreeMap<(String, u32), u64>,
    /// What the chains add up to that could be followed to their end.
    whole: BTreeMap<(String, u32), ChainHead>,
    /// Those that could not, with their end where only the last record is damaged.
    broken: BTreeMap<(String, u32), Option<OpenEnd>>,
    /// Last records of the newest commits, by topic id and partition, oldest first.
    last_records: BTreeMap<(String, u32), Vec<Option<LastRecord>>>,
    /// Last commits with files that were not there.
    pending: Vec<Pending>,
}

fn dataset_files(store: &dyn Store) -> Result<BTreeSet<String>, StoreError> {
    let mut files = BTreeSet::new();
    for dataset in datasets::ALL {
        files.extend(store.list(dataset.name)?.into_iter().map(|entry| entry.path));
    }
    Ok(files)
}

fn store_of(hint: &GroupOffset) -> Option<String> {
    committed_offsets::store_of(&hint.metadata)
}

/// What another store lacks says nothing: its sinks write here no more than ours there.
fn has_this_store(store: &dyn Store, hints: &[GroupOffset], report: &mut VerifyReport) -> bool {
    let foreign = hints.iter().find_map(|hint| Some((hint, store_of(hint).filter(|id| id != store.id())?)));
    let Some((GroupOffset { at, .. }, theirs)) = foreign else { return true };
    let detail = format!(
        "the sinks of this broker write to store {theirs} (so says the position of {}/{}), this one is {}: the wire \
         topics are not compared",
        at.topic,
        at.partition,
        store.id()
    );
    report.problem(Rule::StoreForeign, store.location(), detail);
    false
}

/// A group gets its position after the commit: a chain that ends before it was cut.
fn group_positions(
    broker: &dyn Broker,
    hints: &[GroupOffset],
    held: &Held,
    report: &mut VerifyReport,
) -> Result<(), BrokerError> {
    for topic in broker.topics()?.iter().filter(|t| datasets::has_topic(&t.name)) {
        for hint in hints.iter().filter(|hint| hint.at.topic == topic.name && store_of(hint).is_some()) {
            let chain = (topic.id.to_string(), hint.at.partition);
            let end = held.claimed_ends.get(&chain).copied().unwrap_or_default();
            if end < hint.offset {
                let detail =
                    format!("it ends at {end}, but records up to {} were committed: commits are missing", hint.offset);
                report.problem(Rule::ChainBroken, layout::chain_dir(&chain.0, chain.1), detail);
            }
        }
    }
    Ok(())
}
