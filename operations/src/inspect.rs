//! What the sinks have written and how far behind they are: chains with their lag, and files by dataset, tenant and day.
//! Reads the commit chains only; whether they are true is for [`verify`](lake::verify).

use std::collections::BTreeMap;

use contracts::datasets;
use contracts::topics::groups;
use lake::chain;
use platform::broker::{Broker, BrokerError, TopicPartition};
use platform::store::{Store, StoreError};
use serde::Serialize;

/// What is there.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// Chains, and partitions that have records but no chain yet, by topic and partition.
    pub chains: Vec<ChainView>,
    /// Files by dataset, tenant and day.
    pub folders: Vec<FolderView>,
}

/// How far a partition is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChainView {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Topic id; a recreated topic has another chain.
    pub topic_id: String,
    /// Commit records.
    pub commits: u64,
    /// First committed offset.
    pub start: u64,
    /// One past the last committed offset.
    pub end: u64,
    /// One past the last offset of the topic; `None` without a broker, or when the topic was deleted.
    pub topic_end: Option<u64>,
    /// Offsets that are not written yet.
    pub lag: Option<u64>,
    /// Position of the sinks' group: a hint, never ahead of `end`.
    pub group_position: Option<u64>,
    /// Committed rows.
    pub rows: u64,
    /// Dropped duplicates.
    pub duplicates: u64,
    /// When the last commit was made.
    pub committed_at: String,
    /// Process that made it.
    pub writer_id: String,
    /// Where and why the chain cannot be followed further.
    pub broken: Option<String>,
}

/// Committed files of a tenant's day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FolderView {
    /// Dataset.
    pub dataset: String,
    /// Tenant.
    pub tenant_id: String,
    /// UTC date.
    pub run_date: String,
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The store or the broker could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The store refused.
    #[error("inspect: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("inspect: {0}")]
    Broker(#[from] BrokerError),
}

#[derive(Default)]
struct Sum {
    files: u64,
    rows: u64,
    bytes: u64,
}

/// Looks at the chains, with a broker also at their lag; `tenant` leaves out files of others.
///
/// # Errors
/// Store or broker cannot be read. A broken chain is no error but in the answer.
pub fn inspect(
    store: &dyn Store,
    broker: Option<&dyn Broker>,
    tenant: Option<&str>,
) -> Result<Inspection, InspectError> {
    let mut sums: BTreeMap<(String, String, String), Sum> = BTreeMap::new();
    let mut chains = Vec::new();
    for folder in chain::folders(store)?.0 {
        let walked = folder.walk(store, |step| {
            for file in step.commit.files.iter().filter(|file| tenant.is_none_or(|wanted| file.tenant_id == wanted)) {
                // A commit of valid records may hold dead letters: the path tells.
                let dataset = file.path.split('/').next().unwrap_or_default().to_owned();
                let sum = sums.entry((dataset, file.tenant_id.clone(), file.run_date.clone())).or_default();
                sum.files += 1;
                sum.rows += file.rows;
                sum.bytes += file.bytes;
            }
            Ok::<_, InspectError>(())
        })?;
        let last = walked.last.as_ref();
        chains.push(ChainView {
            topic: last.map(|commit| commit.topic.clone()).unwrap_or_default(),
            partition: folder.partition,
            commits: walked.head.records,
            start: walked.head.first_start,
            end: walked.head.end,
            rows: walked.head.rows,
            duplicates: walked.head.duplicates,
            committed_at: last.map(|commit| commit.committed_at.clone()).unwrap_or_default(),
            writer_id: last.map(|commit| commit.writer_id.clone()).unwrap_or_default(),
            broken: walked.broken.map(|broken| broken.to_string()),
            ..no_chain(String::new(), folder.topic_id, folder.partition)
        });
    }
    if let Some(broker) = broker {
        lag(broker, &mut chains)?;
    }
    chains.sort();
    let folders = sums.into_iter().map(|((dataset, tenant_id, run_date), sum)| {
        let Sum { files, rows, bytes } = sum;
        FolderView { dataset, tenant_id, run_date, files, rows, bytes }
    });
    Ok(Inspection { chains, folders: folders.collect() })
}

fn no_chain(topic: String, topic_id: String, partition: u32) -> ChainView {
    ChainView {
        topic,
        partition,
        topic_id,
        commits: 0,
        start: 0,
        end: 0,
        topic_end: None,
        lag: None,
        group_position: None,
        rows: 0,
        duplicates: 0,
        committed_at: String::new(),
        writer_id: String::new(),
        broken: None,
    }
}

fn lag(broker: &dyn Broker, chains: &mut Vec<ChainView>) -> Result<(), BrokerError> {
    let positions = broker.group_offsets(groups::SINK)?;
    for topic in broker.topics()?.iter().filter(|t| datasets::has_topic(&t.name)) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let marks = broker.watermarks(&at)?;
            let known = chains.iter().position(|c| (c.topic_id.as_str(), c.partition) == (&*topic.id, partition));
            let chain = match known {
                Some(known) => &mut chains[known],
                None if marks.high == marks.low => continue,
                None => {
                    chains.push(no_chain(topic.name.to_string(), topic.id.to_string(), partition));
                    let last = chains.len() - 1;
                    &mut chains[last]
                }
            };
            chain.topic_end = Some(marks.high);
            chain.lag = Some(marks.high.saturating_sub(chain.end.max(marks.low)));
            chain.group_position = positions.iter().find(|o| o.at == at).map(|o| o.offset);
        }
    }
    Ok(())
}
