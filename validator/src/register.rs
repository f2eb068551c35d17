//! What is known of the routing of each wire partition, in a compacted topic of its own. The offsets of a group would not do: what
//! resets a group removes their metadata, and Kafka forgets the offsets of a group without members after a week. A change is
//! written in the atomic step that judges the first records under it, so only the owner of the partition can write it, and
//! there is no moment between the two.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use contracts::position::Position;
use contracts::source::SrcPartition;
use contracts::topics;
use platform::broker::{
    Broker, BrokerError, GroupOffset, Headers, OutRecord, TopicInfo, TopicPartition, TopicSpec, Watermarks,
};
use platform::lifecycle::Shutdown;
use serde::{Deserialize, Serialize};

use crate::config::ValidatorConfig;
use crate::limits;
use crate::policy::ProducerPolicies;
use crate::routing::{self, JudgedOtherwise, Routing, RoutingDecision, RoutingEntry, Standing, VerdictTarget};

/// Version of a record; a reader refuses a higher one.
const FORMAT_VERSION: u32 = 1;
/// Records and bytes of one read.
const READ_RECORDS: usize = 1_000;
const READ_BYTES: usize = 1 << 20;

/// The register could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Records would be judged again, under another routing.
    #[error("{0}")]
    JudgedOtherwise(Box<JudgedOtherwise>),
    /// The broker refused.
    #[error("{0}")]
    Broker(#[from] BrokerError),
    /// A record of the register cannot be understood.
    #[error(
        "record {offset} of topic {topic} does not say under which settings {key} was judged ({reason}): if a newer version of this \
         program wrote it, use that one; else remove it with a tombstone for its key"
    )]
    Unreadable {
        /// Topic.
        topic: &'static str,
        /// Offset.
        offset: u64,
        /// Key.
        key: String,
        /// Why.
        reason: String,
    },
}

/// One record: the newest of a key counts.
#[derive(Serialize, Deserialize)]
struct Kept {
    format_version: u32,
    /// Names for people: the key has the id.
    topic: String,
    partition: u32,
    #[serde(flatten)]
    entry: RoutingEntry,
}

/// What does not differ from one wire topic to the next.
#[derive(Debug, Clone)]
pub struct Common {
    policies: ProducerPolicies,
    tenant_spread: u32,
    valid: VerdictTarget,
    dead_letters: VerdictTarget,
}

impl Common {
    /// Valid records go to `valid`, which takes records of this size, dead letters to `dead`.
    #[must_use]
    pub fn new(
        policies: &ProducerPolicies,
        tenant_spread: u32,
        valid: &TopicInfo,
        valid_bytes_max: usize,
        dead: &TopicInfo,
    ) -> Self {
        let target = |topic: &TopicInfo, bytes: Option<usize>| VerdictTarget {
            topic: topic.name.to_string(),
            topic_id: topic.id.to_string(),
            partitions: topic.partitions,
            record_bytes_max: bytes.map(|bytes| bytes as u64),
        };
        Self {
            policies: policies.clone(),
            // A larger one means the same.
            tenant_spread: tenant_spread.clamp(1, valid.partitions.max(1)),
            valid: target(valid, Some(valid_bytes_max)),
            dead_letters: target(dead, None),
        }
    }

    /// The routing of a wire topic's records.
    #[must_use]
    pub fn of(&self, wire_topic: &str) -> Routing {
        let (program, contract) = Routing::versions();
        let ahead = self.policies.run_ts_ahead_max().as_millis();
        Routing {
            program,
            contract,
            tenant_spread: self.tenant_spread,
            valid: self.valid.clone(),
            dead_letters: self.dead_letters.clone(),
            producer: self.policies.digest_of(wire_topic),
            message_bytes_max: self.policies.message_bytes_max() as u64,
            run_ts_ahead_max_ms: u64::try_from(ahead).unwrap_or(u64::MAX),
        }
    }
}

/// Makes the topic of the register, if it is not there.
///
/// # Errors
/// The broker refuses.
pub fn ensure(broker: &dyn Broker) -> Result<(), BrokerError> {
    let name = topics::ROUTING.to_owned();
    let spec = TopicSpec { name, partitions: 1, compacted: true, retention_ms: None, retention_bytes: None };
    broker.ensure_topic(&spec).map(|_| ())
}

/// What the register says of a group's partitions, by key.
///
/// # Errors
/// The broker refuses, or a record cannot be understood.
pub fn read(
    broker: &dyn Broker,
    group: &str,
    shutdown: &Shutdown,
) -> Result<HashMap<String, RoutingEntry>, RegisterError> {
    let at = TopicPartition { topic: topics::ROUTING.into(), partition: 0 };
    // The owner before may have written in a transaction whose end its partition does not know of yet.
    broker.wait_for_open_transactions(std::slice::from_ref(&at), shutdown)?;
    let Watermarks { low, high } = broker.watermarks(&at)?;
    let (mut newest, mut offset) = (HashMap::new(), low);
    while offset < high {
        let found = broker.read(&at, offset, READ_RECORDS, READ_BYTES)?;
        let Some(last) = found.last() else { break };
        offset = last.offset + 1;
        for message in &found {
            let key = String::from_utf8_lossy(message.key.as_deref().unwrap_or_default());
            if !key.strip_prefix(group).is_some_and(|rest| rest.starts_with('/')) {
                continue;
            }
            match message.value.as_bytes() {
                None => drop(newest.remove(&*key)),
                Some(bytes) => drop(newest.insert(key.into_owned(), (message.offset, bytes.clone()))),
            }
        }
    }
    let understood = |(key, (offset, bytes)): (String, (u64, Bytes))| match parse(&bytes) {
        Ok(entry) => Ok((key, entry)),
        Err(reason) => Err(RegisterError::Unreadable { topic: topics::ROUTING, offset, key, reason }),
    };
    newest.into_iter().map(understood).collect()
}

fn parse(bytes: &[u8]) -> Result<RoutingEntry, String> {
    #[derive(Deserialize)]
    struct Format {
        format_version: u32,
    }
    let Format { format_version } = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if format_version > FORMAT_VERSION {
        return Err(format!("it has format {format_version}, newer than {FORMAT_VERSION}"));
    }
    serde_json::from_slice(bytes).map(|kept: Kept| kept.entry).map_err(|e| e.to_string())
}

/// What a member does about the register: decides where it may judge, and writes what has to be kept.
pub(crate) struct Registrar<'a> {
    pub broker: &'a dyn Broker,
    pub group: &'a str,
    pub common: Common,
    pub is_replay: bool,
    /// Resumes after what may have been judged, instead of refusing.
    pub skips_judged: bool,
    pending: BTreeMap<TopicPartition, Pending>,
}

struct Pending {
    topic_id: Arc<str>,
    entry: RoutingEntry,
}

/// Where a member may judge a partition that it was assigned.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// From where it stands.
    FromPosition,
    /// From here; the position has to be moved first.
    From(u64),
    /// Its topic is not there any more.
    Nowhere,
}

/// A partition that was assigned.
pub(crate) struct Assigned<'a> {
    pub at: &'a TopicPartition,
    pub topic_id: &'a Arc<str>,
    /// Where the member would begin.
    pub position: u64,
    /// A validator left that position: all that was judged lies before it.
    pub is_left: bool,
}

impl<'a> Registrar<'a> {
    pub fn new(broker: &'a dyn Broker, group: &'a str, common: Common, is_replay: bool, skips_judged: bool) -> Self {
        Self { broker, group, common, is_replay, skips_judged, pending: BTreeMap::new() }
    }

    /// Decides about a partition.
    pub fn assigned(
        &mut self,
        known: &HashMap<String, RoutingEntry>,
        assigned: &Assigned<'_>,
    ) -> Result<Allowed, RegisterError> {
        let Assigned { at, topic_id, position, is_left } = *assigned;
        self.pending.remove(at);
        let known = known.get(&key_of(self.group, topic_id, at.partition));
        let end = match self.end(at, known.is_some() && !is_left) {
            Err(BrokerError::UnknownTopic(_)) => return Ok(Allowed::Nowhere),
            end => end?,
        };
        let now = self.common.of(&at.topic);
        let (entry, allowed) = match routing::decide(known, &now, Standing { position, is_left, end }) {
            RoutingDecision::Judge => return Ok(Allowed::FromPosition),
            RoutingDecision::Keep(entry) => (*entry, Allowed::FromPosition),
            RoutingDecision::Refuse(refusal) if self.skips_judged => (refusal.entry, Allowed::From(refusal.resume_at)),
            RoutingDecision::Refuse(refusal) => {
                let is_replay = self.is_replay;
                let error = JudgedOtherwise { at: at.clone(), position, refusal: *refusal, is_replay };
                return Err(RegisterError::JudgedOtherwise(Box::new(error)));
            }
        };
        self.pending.insert(at.clone(), Pending { topic_id: topic_id.clone(), entry });
        Ok(allowed)
    }

    fn end(&self, at: &TopicPartition, is_asked: bool) -> Result<u64, BrokerError> {
        if is_asked { Ok(self.broker.watermarks(at)?.high) } else { Ok(0) }
    }

    /// The partition belongs to another member now.
    pub fn lost(&mut self, topic_partition: &TopicPartition) {
        self.pending.remove(topic_partition);
    }

    /// Records for the step that moves these offsets.
    pub fn records(&self, offsets: &[GroupOffset]) -> Vec<OutRecord> {
        let record = |offset: &GroupOffset| {
            let Pending { topic_id, entry } = self.pending.get(&offset.at)?;
            let TopicPartition { topic, partition } = &offset.at;
            let kept = Kept {
                format_version: FORMAT_VERSION,
                topic: topic.to_string(),
                partition: *partition,
                entry: entry.clone(),
            };
            let value = serde_json::to_vec(&kept).unwrap_or_default();
            Some(OutRecord {
                topic: topics::ROUTING.into(),
                partition: Some(0),
                key: Some(Bytes::from(key_of(self.group, topic_id, *partition))),
                value: value.into(),
                headers: Headers::new(),
                timestamp_ms: None,
            })
        };
        offsets.iter().filter_map(record).collect()
    }

    /// The step that moved these offsets was committed.
    pub fn committed(&mut self, offsets: &[GroupOffset]) {
        for offset in offsets {
            self.pending.remove(&offset.at);
        }
    }
}

fn key_of(group: &str, topic_id: &str, partition: u32) -> String {
    topics::routing_key(group, &SrcPartition { topic_id: topic_id.to_owned(), partition })
}

/// Wire partitions that a validator of these settings would refuse to judge from where its group stands. Nothing is created, and
/// nothing is waited for.
///
/// # Errors
/// The broker refuses, or a record of the register cannot be understood.
pub fn refusals(config: &ValidatorConfig, broker: &dyn Broker) -> Result<Vec<JudgedOtherwise>, RegisterError> {
    let all = broker.topics()?;
    let topic = |name: &str| all.iter().find(|topic| *topic.name == *name);
    let (Some(valid), Some(dead), Some(_)) =
        (topic(&config.pipeline_topics.valid), topic(&config.pipeline_topics.dead_letters), topic(topics::ROUTING))
    else {
        return Ok(Vec::new());
    };
    let valid_bytes_max = limits::record_bytes_max(broker, &valid.name)?;
    let common = Common::new(&config.policies, config.tenant_spread, valid, valid_bytes_max, dead);
    let (group, at_once) = (&config.pipeline_topics.validators, Shutdown::new());
    at_once.request("only looking");
    let known = read(broker, group, &at_once)?;
    let offsets = broker.group_offsets(group)?;
    let mut registrar = Registrar::new(broker, group, common, false, false);
    let mut refused = Vec::new();
    for topic in all.iter().filter(|topic| topics::is_wire(&topic.name)) {
        for partition in 0..topic.partitions {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            let offset = offsets.iter().find(|offset| offset.at == at);
            let position = match offset {
                Some(offset) => offset.offset,
                None => broker.watermarks(&at)?.low,
            };
            let is_left = offset.is_some_and(|offset| Position::of(&offset.metadata).is_left_at(position));
            match registrar.assigned(&known, &Assigned { at: &at, topic_id: &topic.id, position, is_left }) {
                Err(RegisterError::JudgedOtherwise(refusal)) => refused.push(*refusal),
                other => {
                    let _allowed = other?;
                }
            }
        }
    }
    Ok(refused)
}
