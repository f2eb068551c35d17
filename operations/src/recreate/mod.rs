//! Creates the topics of the pipeline again after a broker was rolled back, with every record in them that is no row yet.
//!
//! A broker that was rolled back gives out offsets for the second time, so positions do not tell its new records from lost ones that are
//! rows. A topic that is created again has another id, and with it positions of its own. What is carried over lies in topics of this
//! command while the others are created, so it may be killed at any moment and given again.

mod copies;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use contracts::chain::BrokenChain;
use contracts::source::{Src, SrcPartition};
use contracts::topics::{self, groups, headers};
use contracts::{datasets, layout, time};
use lake::LakeError;
use lake::committed_offsets::{CommittedOffset, CommittedOffsets};
use lake::ledger::Ledger;
use lake::repair::close;
use platform::broker::{Broker, BrokerError, Message, TopicChange, TopicInfo, TopicPartition, TopicSpec, read_held};
use platform::store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::Operator;
use crate::replay::alone::Alone;
use crate::replay::{ReplayError, forget_routing};
use crate::resend::ResendError;
use crate::resend::lock::Lock;
use rows::{Known, Written};

/// Names of the topics that hold what is carried over begin so.
const STAGING: &str = "finops.recreate.";

/// The topics could not be created again. What was begun is resumed by the same command.
#[derive(Debug, thiserror::Error)]
pub enum RecreateError {
    /// The store refused.
    #[error("recreating topics: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("recreating topics: {0}")]
    Broker(#[from] BrokerError),
    /// A chain cannot be followed, so it is unknown what is a row.
    #[error("recreating topics: {0}; run `finops verify` to see what is wrong")]
    Chain(#[from] BrokenChain),
    /// A data file cannot be read, so it is unknown what is a row.
    #[error(
        "recreating topics: reading {path}: {problem}; `finops verify` names what is wrong, `finops repair` rebuilds files"
    )]
    File {
        /// File.
        path: String,
        /// Why.
        problem: String,
    },
    /// A chain cannot be closed.
    #[error("recreating topics: {0}")]
    Close(#[from] LakeError),
    /// The audit record of an attempt that was interrupted cannot be read.
    #[error("recreating topics: {path}: {problem}")]
    Audit {
        /// The record.
        path: String,
        /// Why.
        problem: String,
    },
    /// An audit record cannot be read, so it is unknown what was sent again.
    #[error("recreating topics: {0}")]
    Resend(#[from] ResendError),
    /// What is a row in the store of the group's sinks is not known here.
    #[error(
        "recreating topics: the sinks of this broker write to store {theirs} (so says the position of {topic}/{partition}), this one is \
         {ours}: give the command the other store"
    )]
    ForeignStore {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Store of the sinks.
        theirs: String,
        /// Store of this command.
        ours: String,
    },
    /// Services are running.
    #[error("recreating topics: {0}")]
    Running(#[from] ReplayError),
    /// A producer has written meanwhile.
    #[error(
        "recreating topics: records were added to {topic}/{partition} meanwhile: stop its producers, then give this command again"
    )]
    Grown {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
    },
    /// The broker gives no records to copy.
    #[error(
        "recreating topics: no record of {topic} could be copied for {seconds} s; look at the broker, then give this command again, which \
         resumes it"
    )]
    Stuck {
        /// Topic.
        topic: String,
        /// How long it has waited.
        seconds: u64,
    },
    /// It was asked to stop.
    #[error("recreating topics: stopped before all was done; the same command resumes it")]
    Stopped,
}

/// A topic that is created again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreated {
    /// Topic.
    pub topic: String,
    /// Id of the topic whose place it takes.
    pub former_id: String,
    /// Partitions.
    pub partitions: u32,
    /// Age at which records expire.
    pub retention_ms: Option<u64>,
    /// Bytes of a partition above which records expire.
    pub retention_bytes: Option<u64>,
    /// Where its partitions ended.
    pub ends: Vec<u64>,
    /// Records that it held.
    pub held: u64,
    /// Of these, carried over: they are no rows yet.
    pub carried: u64,
}

/// What is, or would be, done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreation {
    /// Names it.
    pub id: String,
    /// Who asked for it.
    pub by: String,
    /// When.
    pub at: String,
    /// Topics.
    pub topics: Vec<Recreated>,
}

/// What would be done. Reads only.
///
/// # Errors
/// Broker or store refuse, or it is unknown what is a row.
pub fn plan(broker: &dyn Broker, store: &dyn Store, operator: &Operator<'_>) -> Result<Recreation, RecreateError> {
    refuse_foreign(broker, store)?;
    match open(store)? {
        Some(begun) => Ok(begun),
        None => choose(broker, store, operator, |_, _| Ok(())),
    }
}

/// Creates the topics again, once no validator and no sink is running; waits for so long for those that were killed.
///
/// # Errors
/// As [`plan`]; services are running, or it was asked to stop.
pub fn execute(
    broker: &dyn Broker,
    store: &dyn Store,
    operator: &Operator<'_>,
    wait_max: Duration,
) -> Result<Recreation, RecreateError> {
    refuse_foreign(broker, store)?;
    // Of two at once the second would remove what the first has staged.
    let lock = Lock::take(broker, groups::REDRIVE, operator.shutdown)?;
    let begun = open(store)?;
    // An attempt that was killed may have left a topic deleted.
    let all = broker.topics()?;
    for of in
        begun.iter().flat_map(|begun| &begun.topics).filter(|of| !all.iter().any(|topic| *topic.name == *of.topic))
    {
        create(broker, of)?;
    }
    let alone = Alone::wait(broker, wait_max)?;
    let begun = match begun {
        Some(begun) => begun,
        None => stage(broker, store, operator)?,
    };
    refuse_grown(broker, store, &begun)?;
    stop_if_asked(operator)?;
    // All at once, while no service is there: one that starts later finds no record to judge or write that is carried over.
    alone.check()?;
    for of in &begun.topics {
        delete_former(broker, of)?;
    }
    for of in &begun.topics {
        stop_if_asked(operator)?;
        create(broker, of)?;
        copies::copy(broker, &begun.id, of, operator.shutdown)?;
    }
    for of in &begun.topics {
        copies::remove(broker, &of.topic)?;
    }
    let wire = begun.topics.iter().filter(|of| topics::is_wire(&of.topic));
    forget_routing(broker, groups::VALIDATOR, wire.map(|of| (of.former_id.clone(), of.partitions)))?;
    store.put(&format!("{}/{}.json", layout::AUDIT_RECREATE, begun.id), &to_json(&begun))?;
    store.delete(&open_path())?;
    drop(lock);
    Ok(begun)
}

/// Chooses what is carried over, and copies it beside the topics.
fn stage(broker: &dyn Broker, store: &dyn Store, operator: &Operator<'_>) -> Result<Recreation, RecreateError> {
    // Nothing is changed while it is unknown what is a row.
    let _ = choose(broker, store, operator, |_, _| Ok(()))?;
    // A sink that was frozen must not write what is carried over. If this command ends before the record below is written, each
    // closed chain is one offset ahead of a topic without new records, and sinks refuse it until the command runs to its end.
    close::close_all(broker, store, operator.clock)?;
    let mut staging = copies::Staging::begin(broker)?;
    let begun = choose(broker, store, operator, |topic, message| staging.add(topic, message))?;
    staging.end()?;
    // From here on the staged records are the ones that count.
    store.put(&open_path(), &to_json(&begun))?;
    Ok(begun)
}

fn stop_if_asked(operator: &Operator<'_>) -> Result<(), RecreateError> {
    if operator.shutdown.is_requested() { Err(RecreateError::Stopped) } else { Ok(()) }
}

fn refuse_foreign(broker: &dyn Broker, store: &dyn Store) -> Result<(), RecreateError> {
    let hints = CommittedOffsets { group: groups::SINK, replaced: None }.read(broker)?;
    let foreign = |(at, hint): (TopicPartition, CommittedOffset)| {
        Some((at, hint.store_id.filter(|theirs| theirs != store.id())?))
    };
    let Some((TopicPartition { topic, partition }, theirs)) = hints.into_iter().find_map(foreign) else {
        return Ok(());
    };
    Err(RecreateError::ForeignStore { topic: topic.to_string(), partition, theirs, ours: store.id().to_owned() })
}

fn open_path() -> String {
    format!("{}/open.json", layout::AUDIT_RECREATE)
}

fn to_json(recreation: &Recreation) -> Vec<u8> {
    serde_json::to_vec(recreation).unwrap_or_default()
}

/// The one that was begun and has not ended: its records are staged.
fn open(store: &dyn Store) -> Result<Option<Recreation>, RecreateError> {
    let path = open_path();
    let Some(bytes) = store.get(&path)? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(begun) => Ok(Some(begun)),
        Err(error) => Err(RecreateError::Audit { path, problem: error.to_string() }),
    }
}

/// What a producer has added since the records were chosen would go with its topic: then all is chosen again. Once the first topic is
/// deleted the chosen records are the ones that count.
fn refuse_grown(broker: &dyn Broker, store: &dyn Store, begun: &Recreation) -> Result<(), RecreateError> {
    let all = broker.topics()?;
    let is_there = |of: &&Recreated| all.iter().any(|topic| *topic.name == *of.topic && *topic.id == *of.former_id);
    if !begun.topics.iter().all(|of| is_there(&of)) {
        return Ok(());
    }
    for of in &begun.topics {
        for (partition, end) in (0..).zip(&of.ends) {
            let at = TopicPartition { topic: of.topic.as_str().into(), partition };
            if broker.watermarks(&at)?.high > *end {
                store.delete(&open_path())?;
                return Err(RecreateError::Grown { topic: of.topic.clone(), partition });
            }
        }
    }
    Ok(())
}

fn delete_former(broker: &dyn Broker, of: &Recreated) -> Result<(), RecreateError> {
    if broker.topics()?.iter().any(|topic| *topic.name == *of.topic && *topic.id == *of.former_id) {
        broker.delete_topic(&of.topic)?;
    }
    Ok(())
}

/// Creates a topic, unless it is there. A service may have created it with fewer partitions.
fn create(broker: &dyn Broker, of: &Recreated) -> Result<(), RecreateError> {
    let Recreated { topic: name, partitions, retention_ms, retention_bytes, .. } = of.clone();
    let spec = TopicSpec { name, partitions, compacted: false, retention_ms, retention_bytes };
    if broker.ensure_topic(&spec)?.partitions < partitions {
        let (retention_ms, retention_bytes) = (Some(retention_ms.into()), Some(retention_bytes.into()));
        broker.alter_topic(&of.topic, &TopicChange { partitions: Some(partitions), retention_ms, retention_bytes })?;
    }
    Ok(())
}

/// Hands over every record that is no row yet, topic by topic.
fn choose(
    broker: &dyn Broker,
    store: &dyn Store,
    operator: &Operator<'_>,
    mut carry: impl FnMut(&str, &Message) -> Result<(), RecreateError>,
) -> Result<Recreation, RecreateError> {
    let held = Written::read(store)?;
    let all = broker.topics()?;
    let of_pipeline = |topic: &&TopicInfo| topics::is_wire(&topic.name) || datasets::has_topic(&topic.name);
    let ledger = Ledger::read_all(store).map_err(ResendError::from)?;
    let mut wire = Wire::look(broker, &all, &held, &ledger)?;
    wire.known.read_rows(store, &held)?;
    let mut chosen = Vec::new();
    for topic in all.iter().filter(of_pipeline) {
        let kept = broker.topic_settings(&topic.name)?;
        let (mut count, mut carried, mut ends) = (0, 0, Vec::new());
        for (at, id) in partitions(topic) {
            let mut failed = None;
            let end = read_held(broker, &at, 0, u64::MAX, |message| {
                count += 1;
                if failed.is_none() && operator.shutdown.is_requested() {
                    failed = Some(RecreateError::Stopped);
                }
                let is_carried = match topics::is_wire(&topic.name) {
                    true => wire.is_carried(message, &id, &held),
                    false => wire.is_only_here(message, &id, &held),
                };
                if is_carried && failed.is_none() {
                    carried += 1;
                    failed = carry(&topic.name, message).err();
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            ends.push(end);
        }
        chosen.push(Recreated {
            topic: topic.name.to_string(),
            former_id: topic.id.to_string(),
            partitions: topic.partitions,
            retention_ms: kept.retention_ms,
            retention_bytes: kept.retention_bytes,
            ends,
            held: count,
            carried,
        });
    }
    let id = uuid::Uuid::new_v4().simple().to_string();
    Ok(Recreation {
        id,
        by: operator.by.to_owned(),
        at: time::format_timestamp(operator.clock.now_ms()),
        topics: chosen,
    })
}

fn partitions(topic: &TopicInfo) -> impl Iterator<Item = (TopicPartition, SrcPartition)> {
    (0..topic.partitions).map(|partition| {
        let at = TopicPartition { topic: topic.name.clone(), partition };
        (at, SrcPartition { topic_id: topic.id.to_string(), partition })
    })
}

/// What the wire topics hold.
struct Wire {
    /// Lowest and next offsets.
    ranges: BTreeMap<SrcPartition, (u64, u64)>,
    /// Records in whose place another one was sent that is still there.
    stood_for: BTreeSet<Src>,
    /// Records whose positions are those of rows.
    known: Known,
}

impl Wire {
    fn look(broker: &dyn Broker, all: &[TopicInfo], held: &Written, ledger: &Ledger) -> Result<Self, RecreateError> {
        let mut wire = Self { ranges: BTreeMap::new(), stood_for: BTreeSet::new(), known: Known::default() };
        for (at, id) in all.iter().filter(|topic| topics::is_wire(&topic.name)).flat_map(partitions) {
            let marks = broker.watermarks(&at)?;
            wire.ranges.insert(id.clone(), (marks.low, marks.high));
            read_held(broker, &at, 0, u64::MAX, |message| {
                let own = Src { partition: id.clone(), offset: message.offset };
                wire.stood_for.extend(ledger.first_of(message, &own));
                if held.has(&own) || held.has_first(&own) {
                    wire.known.ask(message, &own);
                }
            })?;
        }
        Ok(wire)
    }

    /// A wire record that is no row: its position is none of a row, or the row there is of another record.
    fn is_carried(&mut self, message: &Message, id: &SrcPartition, held: &Written) -> bool {
        let own = Src { partition: id.clone(), offset: message.offset };
        if held.has(&own) {
            return !self.known.take_row(message, &own);
        }
        // Another one was sent in its place, which answers for itself.
        let is_replaced = held.has_first(&own) && self.known.has_row(message, &own);
        !is_replaced && !self.stood_for.contains(&own)
    }

    /// A judged record that is no row, and whose wire record is not there to be judged again.
    fn is_only_here(&self, message: &Message, id: &SrcPartition, held: &Written) -> bool {
        let src = message.header(headers::SRC).and_then(|src| std::str::from_utf8(src).ok()?.parse::<Src>().ok());
        match src {
            Some(src) => {
                let is_judged_again =
                    self.ranges.get(&src.partition).is_some_and(|(low, high)| (*low..*high).contains(&src.offset));
                !held.has(&src) && !is_judged_again
            }
            // Written by another process than a validator: a row of its own position.
            None => !held.has(&Src { partition: id.clone(), offset: message.offset }),
        }
    }
}
