//! Wire records judged once more into a fresh root, and that root in the place of the current one ([`swap`], [`hand_over`]). Here is
//! whose the fresh root is; who judges and writes the records is wired up by the caller, in pipeline topics of the replay's own, so that a record keeps its first position as its source. Knows no rules of the contract.

pub(crate) mod alone;
mod base;
mod cover;
pub mod hand_over;
pub mod swap;

use contracts::chain::BrokenChain;
use contracts::source::SrcPartition;
use contracts::topics::{self, PipelineTopics};
use contracts::{datasets, layout, time};
use platform::broker::{Broker, BrokerError, Headers, OutRecord, RecordValue, TopicInfo, TopicSpec};
use platform::clock::Clock;
use platform::store::{PutOutcome, ReplaceOutcome, Store, StoreError, Version};
use serde::{Deserialize, Serialize};

use crate::resend::lock::Lock;
use crate::selection::ReplayRequest;

/// Version of the fresh root's mark; a reader refuses a higher one.
const FORMAT_VERSION: u32 = 1;

/// Replaying could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The store refused.
    #[error("replay: {0}")]
    Store(#[from] StoreError),
    /// The broker refused.
    #[error("replay: {0}")]
    Broker(#[from] BrokerError),
    /// A chain cannot be followed.
    #[error("replay: {0}; run `finops verify` to see what is wrong")]
    Chain(#[from] BrokenChain),
    /// Moving a folder failed. The same command goes on from there.
    #[error("replay: {doing} {path}: {source}")]
    Move {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
    /// The fresh root cannot be used for this replay.
    #[error("replay into {root}: {problem}")]
    Root {
        /// The fresh root.
        root: String,
        /// Why.
        problem: String,
    },
    /// The fresh root may not take the place of the current one yet.
    #[error("swap: {0}")]
    NotYet(String),
}

/// Creates the pipeline topics of a replay, shaped like the live ones: a tenant keeps its partition.
///
/// # Errors
/// There are no live topics, or the broker refuses.
pub fn create_pipeline_topics(broker: &dyn Broker, pipeline_topics: &PipelineTopics) -> Result<(), BrokerError> {
    let all = broker.topics()?;
    for (live, own) in datasets::topics().into_iter().zip(pipeline_topics.written()) {
        let Some(live) = all.iter().find(|topic| &*topic.name == live) else {
            return Err(BrokerError::UnknownTopic(live.to_owned()));
        };
        broker.ensure_topic(&TopicSpec {
            name: own.to_owned(),
            partitions: live.partitions,
            compacted: false,
            retention_ms: None,
            retention_bytes: None,
        })?;
    }
    Ok(())
}

/// Its records are in files now. What cannot be removed does no harm.
fn delete_pipeline_topics(broker: &dyn Broker, pipeline_topics: &PipelineTopics) {
    for topic in pipeline_topics.written() {
        match broker.delete_topic(topic) {
            Ok(()) | Err(BrokerError::UnknownTopic(_)) => {}
            Err(error) => tracing::warn!(%error, topic, "could not remove a topic of the replay"),
        }
    }
    let wire = |all: Vec<TopicInfo>| {
        let wire = all.into_iter().filter(|topic| topics::is_wire(&topic.name));
        wire.map(|topic| (topic.id.to_string(), topic.partitions))
    };
    let forgotten = broker.topics().and_then(|all| forget_routing(broker, &pipeline_topics.validators, wire(all)));
    if let Err(error) = forgotten {
        tracing::warn!(%error, topic = topics::ROUTING, "could not remove what the replay kept there");
    }
}

/// Removes what validators of a group kept of wire topics, by id and number of partitions: they judge nothing of them any more.
pub(crate) fn forget_routing(
    broker: &dyn Broker,
    group: &str,
    wire: impl Iterator<Item = (String, u32)>,
) -> Result<(), BrokerError> {
    if !broker.topics()?.iter().any(|topic| &*topic.name == topics::ROUTING) {
        return Ok(());
    }
    let tombstone = |topic_id: &str, partition: u32| OutRecord {
        topic: topics::ROUTING.into(),
        partition: Some(0),
        key: Some(topics::routing_key(group, &SrcPartition { topic_id: topic_id.to_owned(), partition }).into()),
        value: RecordValue::NULL,
        headers: Headers::new(),
        timestamp_ms: None,
    };
    let mut tombstones = Vec::new();
    for (topic_id, partitions) in wire {
        tombstones.extend((0..partitions).map(|partition| tombstone(&topic_id, partition)));
    }
    broker.producer()?.append(&tombstones).map(|_| ())
}

/// Whose a fresh root is, and what became of it: `_replay.json` in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    format_version: u32,
    /// The replay's id.
    pub id: String,
    /// What it replays.
    #[serde(rename = "asked")]
    pub request: ReplayRequest,
    /// Who asked for it.
    #[serde(default)]
    pub by: String,
    /// When it was begun.
    pub begun_at: String,
    /// When its place among the current data was begun to be taken.
    pub swap_begun_at: Option<String>,
    /// Who asked for that.
    #[serde(default)]
    pub swapped_by: Option<String>,
    /// Source positions that are rows of the current data and none of these, when that was begun.
    #[serde(default)]
    pub not_covered: u64,
    /// When it had taken that place.
    pub swapped_at: Option<String>,
}

impl Claim {
    /// The claim on a root, if there is one.
    ///
    /// # Errors
    /// It is unreadable, or the store refuses.
    pub fn of(root: &dyn Store) -> Result<Option<Self>, ReplayError> {
        root.get(layout::REPLAY)?.map(|bytes| Self::parse(root, &bytes)).transpose()
    }

    fn parse(root: &dyn Store, bytes: &[u8]) -> Result<Self, ReplayError> {
        let claim: Self = serde_json::from_slice(bytes).map_err(|e| refused(root, e.to_string()))?;
        if claim.format_version > FORMAT_VERSION {
            let problem = format!("{} has format {}, newer than this program", layout::REPLAY, claim.format_version);
            return Err(refused(root, problem));
        }
        Ok(claim)
    }

    fn swap_begins(&mut self, not_covered: u64, by: &str, clock: &dyn Clock) {
        self.swap_begun_at = Some(time::format_timestamp(clock.now_ms()));
        self.swapped_by = Some(by.to_owned());
        self.not_covered = not_covered;
    }
}

/// The claim of a root that is to take the place of another, as it was read: it is replaced only if it is still that.
struct Swapping {
    claim: Claim,
    version: Version,
}

impl Swapping {
    /// # Errors
    /// No replay has made the root, or it has taken its place already.
    fn read(root: &dyn Store) -> Result<Self, ReplayError> {
        let Some((bytes, version)) = root.get_versioned(layout::REPLAY)? else {
            return Err(refused(root, "no replay has made it"));
        };
        let claim = Claim::parse(root, &bytes)?;
        match &claim.swapped_at {
            Some(at) => Err(refused(root, format!("it has taken the place of the current root at {at} already"))),
            None => Ok(Self { claim, version }),
        }
    }

    /// Writes the claim as it is now.
    fn write(&mut self, root: &dyn Store) -> Result<(), ReplayError> {
        let meanwhile = || refused(root, "another process is swapping it: give this command again");
        let bytes = serde_json::to_vec_pretty(&self.claim).map_err(|e| refused(root, e.to_string()))?;
        if root.replace(layout::REPLAY, &bytes, Some(&self.version))? == ReplaceOutcome::Conflict {
            return Err(meanwhile());
        }
        let (found, version) = root.get_versioned(layout::REPLAY)?.ok_or_else(meanwhile)?;
        self.version = version;
        if found == bytes { Ok(()) } else { Err(meanwhile()) }
    }
}

fn refused(root: &dyn Store, problem: impl Into<String>) -> ReplayError {
    ReplayError::Root { root: root.location(), problem: problem.into() }
}

/// Whether a root can be used for a replay: its claim if it is one's already, and that is to go on. `id` and `asked` must
/// be those it was begun with, if given.
///
/// # Errors
/// The root is the current one, holds data of something else, or belongs to another replay.
pub fn look(
    fresh: &dyn Store,
    current: &dyn Store,
    id: Option<&str>,
    request: &ReplayRequest,
) -> Result<Option<Claim>, ReplayError> {
    if fresh.id() == current.id() {
        return Err(refused(fresh, "this is the current root: give another one"));
    }
    if let Some(claim) = Claim::of(fresh)? {
        return its_own(claim, fresh, id, request).map(Some);
    }
    for folder in [layout::CHAIN].into_iter().chain(datasets::ALL.map(|dataset| dataset.name)) {
        if !fresh.list(folder)?.is_empty() {
            return Err(refused(
                fresh,
                format!("{folder} is not empty, and no replay has made it: give an empty root"),
            ));
        }
    }
    Ok(None)
}

/// Claims the pipeline topics for this root. They stay those of one root: its group stands where that replay has come to, so for
/// another root it would judge nothing.
///
/// # Errors
/// It is that of another root, or the broker refuses.
pub fn claim_pipeline_topics(lock: &mut Lock, fresh: &dyn Store) -> Result<(), ReplayError> {
    if lock.mark().is_empty() {
        lock.step(&[], fresh.id())?;
    } else if lock.mark() != fresh.id() {
        return Err(refused(fresh, "a replay into another root had this id: give another id"));
    }
    Ok(())
}

/// Takes a fresh root for a replay, or goes on with it.
///
/// # Errors
/// As [`look`].
pub fn claim(
    fresh: &dyn Store,
    current: &dyn Store,
    clock: &dyn Clock,
    id: &str,
    request: &ReplayRequest,
    by: &str,
) -> Result<Claim, ReplayError> {
    if let Some(claim) = look(fresh, current, Some(id), request)? {
        return Ok(claim);
    }
    let claim = Claim {
        format_version: FORMAT_VERSION,
        id: id.to_owned(),
        request: request.clone(),
        by: by.to_owned(),
        begun_at: time::format_timestamp(clock.now_ms()),
        swap_begun_at: None,
        swapped_by: None,
        not_covered: 0,
        swapped_at: None,
    };
    let bytes = serde_json::to_vec_pretty(&claim).map_err(|e| refused(fresh, e.to_string()))?;
    match fresh.put_if_absent(layout::REPLAY, &bytes)? {
        PutOutcome::Created => Ok(claim),
        PutOutcome::Exists => match Claim::of(fresh)? {
            Some(claim) => its_own(claim, fresh, Some(id), request),
            None => Err(refused(fresh, "another process is claiming it")),
        },
    }
}

fn its_own(claim: Claim, fresh: &dyn Store, id: Option<&str>, request: &ReplayRequest) -> Result<Claim, ReplayError> {
    if id.is_some_and(|id| id != claim.id) {
        return Err(refused(fresh, format!("it belongs to replay {}", claim.id)));
    }
    if claim.request != *request {
        return Err(refused(fresh, format!("replay {} was begun with another choice of records", claim.id)));
    }
    match &claim.swap_begun_at {
        Some(at) => Err(refused(fresh, format!("it was swapped with the current root at {at}: give another one"))),
        None => Ok(claim),
    }
}
