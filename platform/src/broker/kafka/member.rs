//! A member of a group. What the coordinator decides is reported to the owner first and answered in the next poll, so that
//! the owner moves positions before anything is delivered and commits what it has before anything is given up.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tracing::{debug, warn};

mod trouble;

use super::client::{self, Client, Rebalance};
use super::{
    KafkaBroker, REQUEST_TIMEOUT, Result, errors, group_offsets, list, mark, native, offsets_list, reader, signed,
    signed_partition,
};
use crate::broker::{
    Assignment, Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, Polled, Start, TopicPartition,
    Topics,
};

/// Least time between two attempts to join.
const REJOIN_AFTER: Duration = Duration::from_secs(1);
/// How often a member without records looks whether its topics are still those of its assignment.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often a member that reads a family of topics looks for new ones.
const SUBSCRIBE_EVERY: Duration = Duration::from_secs(5);

/// What the coordinator waits for.
enum Answer {
    Begin(Vec<TopicPartition>),
    GiveUp(Vec<TopicPartition>),
}

/// A partition that is ours.
struct AssignedPartition {
    /// Next offset.
    next: u64,
    topic_id: Arc<str>,
}

pub(super) struct Member {
    broker: KafkaBroker,
    config: ConsumerConfig,
    client: Arc<BaseConsumer<Client>>,
    subscription: BTreeSet<String>,
    subscribed: Instant,
    answer: Option<Answer>,
    /// A change that could not be handled yet.
    postponed: Option<Rebalance>,
    assigned: HashMap<TopicPartition, AssignedPartition>,
    paused: HashSet<TopicPartition>,
    failed: Option<BrokerError>,
    /// The client does nothing any more.
    is_dead: bool,
    /// Came, and is not handed out before it is known of which topic it is.
    held: Vec<Message>,
    /// Ours by the group's word, of topics other than those assigned to us: deleted, perhaps recreated.
    missing: BTreeSet<TopicPartition>,
    looked: Instant,
}

/// A client that joins the group.
fn client_of(broker: &KafkaBroker, config: &ConsumerConfig) -> Result<BaseConsumer<Client>> {
    let refused = |e: KafkaError| errors::of(&e, || format!("joining group {}", config.group));
    let silence_ms = config.session_timeout.as_millis();
    let mut wanted = client::consumer_config(&broker.inner.settings, &config.member, &config.group);
    wanted.set("max.poll.interval.ms", silence_ms.to_string());
    if broker.is_shared_by_cluster(config.session_timeout) {
        wanted.set("group.protocol", "consumer");
    } else {
        wanted
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", silence_ms.to_string())
            .set("heartbeat.interval.ms", (silence_ms / 4).clamp(1, 3_000).to_string());
    }
    wanted.create_with_context(Client::default()).map_err(refused)
}

/// Names of the topics to read. Kafka knows patterns, too, but finds what they mean some seconds after a member has come.
fn names_of(broker: &KafkaBroker, topics: &Topics) -> Result<BTreeSet<String>> {
    match topics {
        Topics::Names(names) => Ok(names.iter().cloned().collect()),
        Topics::Family(name) => {
            let there = broker.topics()?.into_iter().filter(|topic| topics.include(&topic.name));
            Ok(there.map(|topic| topic.name.to_string()).chain([name.clone()]).collect())
        }
    }
}

impl Member {
    pub fn join(broker: KafkaBroker, config: ConsumerConfig) -> Result<Self> {
        let mut member = Self {
            client: Arc::new(client_of(&broker, &config)?),
            broker,
            config,
            subscription: BTreeSet::new(),
            subscribed: Instant::now(),
            answer: None,
            postponed: None,
            assigned: HashMap::new(),
            paused: HashSet::new(),
            failed: None,
            is_dead: false,
            held: Vec::new(),
            missing: BTreeSet::new(),
            looked: Instant::now(),
        };
        member.subscribe()?;
        Ok(member)
    }

    /// Says which topics are to be read, when they are not those that were said before.
    fn subscribe(&mut self) -> Result<()> {
        self.subscribed = Instant::now();
        let names = names_of(&self.broker, &self.config.topics)?;
        if names != self.subscription {
            let list: Vec<&str> = names.iter().map(String::as_str).collect();
            let doing = || format!("joining group {}", self.config.group);
            self.client.subscribe(&list).map_err(|e| errors::of(&e, doing))?;
            self.subscription = names;
        }
        Ok(())
    }

    /// From the next poll on this is another member, which begins where the group's offsets are.
    pub fn give_up_client(&mut self) {
        self.is_dead = true;
    }

    /// librdkafka gives up a client for good on answers that it does not expect, such as the coordinator's to a member that
    /// it takes for another. Then we are no member any more, and join again.
    fn rejoin(&mut self) -> Result<Polled> {
        warn!(group = self.config.group, member = self.config.member, "joining the group again");
        // A cluster that takes no member at all is not asked without a pause.
        std::thread::sleep(REJOIN_AFTER.saturating_sub(self.subscribed.elapsed()));
        let fresh = Self::join(self.broker.clone(), self.config.clone())?;
        let lost = self.assigned.keys().cloned().collect();
        *self = fresh;
        Ok(Polled::Lost(lost))
    }

    /// Proof for a transaction that this member may move these offsets. Fails when it is no member, or they are not its.
    pub fn membership(&self, offsets: &[GroupOffset]) -> Result<ConsumerGroupMetadata> {
        let fenced = || BrokerError::Fenced { doing: format!("moving offsets of group {}", self.config.group) };
        if self.client.assignment_lost() || offsets.iter().any(|offset| !self.assigned.contains_key(&offset.at)) {
            return Err(fenced());
        }
        // Metadata of a client that has been thrown out is that of no member, which the coordinator would let pass: it
        // must be from within one generation.
        let before = native::generation(self.client.client()).ok_or_else(fenced)?;
        let metadata = self.client.group_metadata().ok_or_else(fenced)?;
        match native::generation(self.client.client()) {
            Some(after) if after == before => Ok(metadata),
            _ => Err(fenced()),
        }
    }

    /// Offsets as they are committed: a recreated topic has the name of the old one, so they bear its id.
    pub fn offsets_list(&self, offsets: &[GroupOffset]) -> TopicPartitionList {
        let marked = |offset: &GroupOffset| match self.assigned.get(&offset.at) {
            Some(assigned) => {
                GroupOffset { metadata: mark::of(&assigned.topic_id, &offset.metadata), ..offset.clone() }
            }
            None => offset.clone(),
        };
        offsets_list(&offsets.iter().map(marked).collect::<Vec<_>>())
    }

    fn doing(&self, what: &str) -> String {
        format!("{what} as {} of group {}", self.config.member, self.config.group)
    }

    fn answer(&mut self) -> Result<()> {
        match self.answer.take() {
            None => Ok(()),
            Some(Answer::Begin(partitions)) => self.begin(&partitions),
            Some(Answer::GiveUp(partitions)) => {
                self.give_up(&partitions);
                Ok(())
            }
        }
    }

    /// Begins to read, each partition where it stands.
    fn begin(&self, partitions: &[TopicPartition]) -> Result<()> {
        let mut positions = TopicPartitionList::new();
        for at in partitions {
            let next = self.assigned.get(at).map(|assigned| assigned.next).unwrap_or_default();
            let offset = Offset::Offset(signed(next));
            let _ = positions.add_partition_offset(&at.topic, signed_partition(at.partition), offset);
        }
        self.client.incremental_assign(&positions).map_err(|e| errors::of(&e, || self.doing("taking partitions")))?;
        let paused: Vec<_> = partitions.iter().filter(|at| self.paused.contains(*at)).collect();
        if paused.is_empty() {
            return Ok(());
        }
        self.client.pause(&list(paused)).map_err(|e| errors::of(&e, || self.doing("pausing partitions")))
    }

    fn give_up(&mut self, partitions: &[TopicPartition]) {
        for at in partitions {
            self.assigned.remove(at);
            self.paused.remove(at);
            self.missing.remove(at);
        }
        self.held.retain(|message| !partitions.contains(&message.at));
        // The coordinator waits for this answer. One that names a partition that was never begun would be refused.
        let begun = self.client.assignment().unwrap_or_default();
        let is_begun = |at: &&TopicPartition| begun.find_partition(&at.topic, signed_partition(at.partition)).is_some();
        if let Err(error) = self.client.incremental_unassign(&list(partitions.iter().filter(is_begun))) {
            debug!(%error, "giving up partitions");
        }
    }

    /// The event of a change; `None` when it changes nothing.
    fn change(&mut self, rebalance: Rebalance) -> Result<Option<Polled>> {
        match rebalance {
            Rebalance::Assigned(partitions) if partitions.is_empty() => {
                self.answer = Some(Answer::Begin(partitions));
                self.answer()?;
                Ok(None)
            }
            Rebalance::Revoked(partitions) if partitions.is_empty() => {
                self.give_up(&partitions);
                Ok(None)
            }
            // What we have restarted by ourselves, the group may assign to us, too.
            Rebalance::Assigned(partitions) if partitions.iter().any(|at| self.assigned.contains_key(at)) => {
                let fresh = partitions.into_iter().filter(|at| !self.assigned.contains_key(at)).collect();
                self.change(Rebalance::Assigned(fresh))
            }
            Rebalance::Assigned(partitions) => {
                let found = match self.positions(&partitions) {
                    Ok(found) => found,
                    Err(error) => {
                        self.postponed = Some(Rebalance::Assigned(partitions));
                        return Err(error);
                    }
                };
                let (there, missing) = partitions.into_iter().partition(|at| found.iter().any(|found| found.at == *at));
                self.missing.extend(missing as Vec<_>);
                for Assignment { at, topic_id, position, .. } in &found {
                    self.missing.remove(at);
                    self.assigned.insert(at.clone(), AssignedPartition { next: *position, topic_id: topic_id.clone() });
                }
                self.answer = Some(Answer::Begin(there));
                Ok((!found.is_empty()).then_some(Polled::Assigned(found)))
            }
            Rebalance::Revoked(partitions) => {
                self.answer = Some(Answer::GiveUp(partitions.clone()));
                Ok(Some(Polled::Revoked(partitions)))
            }
            Rebalance::Lost(partitions) => {
                self.give_up(&partitions);
                Ok((!partitions.is_empty()).then_some(Polled::Lost(partitions)))
            }
        }
    }

    /// Where reading starts; of topics that are not there any more, nowhere.
    fn positions(&self, partitions: &[TopicPartition]) -> Result<Vec<Assignment>> {
        let found = self
            .client
            .committed_offsets(list(partitions), REQUEST_TIMEOUT)
            .map_err(|e| errors::of(&e, || self.doing("reading offsets")))?;
        let topics = self.broker.topics()?;
        let mut committed: HashMap<_, _> =
            group_offsets(&found, &topics).into_iter().map(|offset| (offset.at.clone(), offset)).collect();
        let mut assignment = |at: &TopicPartition| {
            let Some(topic) = topics.iter().find(|topic| topic.name == at.topic) else { return Ok(None) };
            let (position, metadata) = match committed.remove(at) {
                Some(offset) => (offset.offset, Some(offset.metadata)),
                None => {
                    let marks = match self.broker.watermarks(at) {
                        Err(BrokerError::UnknownTopic(_)) => return Ok(None),
                        marks => marks?,
                    };
                    let start = match self.config.start {
                        Start::Earliest => marks.low,
                        Start::Latest => marks.high,
                    };
                    (start, None)
                }
            };
            Ok(Some(Assignment { at: at.clone(), topic_id: topic.id.clone(), position, metadata }))
        };
        partitions.iter().filter_map(|at| assignment(at).transpose()).collect()
    }

    /// Takes what is there, up to the limits or a change.
    fn gather(&mut self, timeout: Duration) -> Vec<Message> {
        let deadline = Instant::now() + timeout;
        let (mut out, mut bytes): (Vec<Message>, usize) = (Vec::new(), 0);
        while out.len() < self.config.poll_records_max.max(1)
            && (out.is_empty() || bytes < self.config.poll_bytes_max)
            && !self.client.context().has_rebalance()
            && self.failed.is_none()
            && !self.is_dead
        {
            let wait = match out.is_empty() {
                true => deadline.saturating_duration_since(Instant::now()),
                false => Duration::ZERO,
            };
            match self.client.poll(wait) {
                Some(Ok(message)) => {
                    let message = reader::of_native(&message, out.last());
                    let is_wanted = !self.paused.contains(&message.at);
                    match self.assigned.get_mut(&message.at) {
                        Some(assigned) if is_wanted && message.offset >= assigned.next => {
                            assigned.next = message.offset + 1
                        }
                        _ => continue,
                    }
                    bytes += message.bytes();
                    out.push(message);
                }
                Some(Err(error)) => {
                    self.failed = self.trouble(&error);
                    self.is_dead = self.failed.is_none() && errors::is_end_of_client(&error);
                }
                None if !out.is_empty() || Instant::now() >= deadline => break,
                None => {}
            }
        }
        out
    }

    /// Gives up partitions of topics that were deleted or recreated. The group knows names only: we
    /// restart them by ourselves.
    fn part_from_deleted(&mut self) -> Result<Option<Polled>> {
        let topics: BTreeSet<&str> = self.assigned.keys().chain(&self.missing).map(|at| &*at.topic).collect();
        let ids = self.broker.inner.admin.topic_ids(&topics.into_iter().collect::<Vec<_>>())?;
        self.looked = Instant::now();
        let has_changed = |(at, assigned): &(&TopicPartition, &AssignedPartition)| {
            ids.get(&*at.topic).is_none_or(|id| **id != *assigned.topic_id)
        };
        let changed: Vec<TopicPartition> = self.assigned.iter().filter(has_changed).map(|(at, _)| at.clone()).collect();
        if !changed.is_empty() {
            warn!(partitions = changed.len(), "topics were deleted or recreated");
            self.give_up(&changed);
            self.missing.extend(changed.iter().cloned());
            return Ok(Some(Polled::Lost(changed)));
        }
        let back: Vec<TopicPartition> =
            self.missing.iter().filter(|at| ids.contains_key(&*at.topic)).cloned().collect();
        if back.is_empty() { Ok(None) } else { self.change(Rebalance::Assigned(back)) }
    }

    /// From here on every change is answered at once, which closing the client waits for.
    fn give_back(&mut self) {
        self.client.context().leaving();
        if let Err(error) = self.answer() {
            debug!(%error, "leaving");
        }
        let all =
            self.postponed.take().into_iter().chain(std::iter::from_fn(|| self.client.context().next_rebalance()));
        for change in all.collect::<Vec<_>>() {
            match change {
                Rebalance::Assigned(_) => {
                    if let Err(error) = self.client.incremental_assign(&TopicPartitionList::new()) {
                        debug!(%error, "leaving");
                    }
                }
                Rebalance::Revoked(partitions) | Rebalance::Lost(partitions) => self.give_up(&partitions),
            }
        }
    }
}

impl Consumer for Member {
    fn poll(&mut self, timeout: Duration) -> Result<Polled> {
        self.answer()?;
        if self.subscribed.elapsed() > SUBSCRIBE_EVERY
            && matches!(self.config.topics, Topics::Family(_))
            && let Err(error) = self.subscribe()
        {
            debug!(%error, "looking for new topics");
        }
        let has_change = self.postponed.is_some() || self.client.context().has_rebalance();
        if self.failed.is_none() && self.held.is_empty() && !has_change {
            self.held = self.gather(timeout);
        }
        if self.is_dead {
            return self.rejoin();
        }
        // What came before its topic is seen to be still the same is of that topic.
        let is_due = self.looked.elapsed() > LOOK_EVERY && !(self.assigned.is_empty() && self.missing.is_empty());
        if (self.failed.is_some() || !self.held.is_empty() || is_due && !has_change)
            && let Some(event) = self.part_from_deleted()?
        {
            // A position outside of a deleted topic says nothing.
            self.failed = None;
            return Ok(event);
        }
        if !self.held.is_empty() {
            return Ok(Polled::Records(std::mem::take(&mut self.held)));
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        while let Some(change) = self.postponed.take().or_else(|| self.client.context().next_rebalance()) {
            if let Some(event) = self.change(change)? {
                return Ok(event);
            }
        }
        Ok(Polled::Idle)
    }

    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        let doing = || format!("moving to offset {offset} of {}/{}", at.topic, at.partition);
        let assigned = self.assigned.get_mut(at).ok_or_else(|| BrokerError::Fenced { doing: doing() })?;
        assigned.next = offset;
        self.held.retain(|message| message.at != *at);
        if let Some(Answer::Begin(begun)) = &self.answer
            && begun.contains(at)
        {
            return Ok(());
        }
        let target = Offset::Offset(signed(offset));
        let sought = self.client.seek(&at.topic, signed_partition(at.partition), target, REQUEST_TIMEOUT);
        let Err(error) = sought else { return Ok(()) };
        // A partition whose position was out of range is not read any more: it has to be restarted.
        debug!(%error, topic = %at.topic, partition = at.partition, "restarting the partition");
        self.client
            .incremental_unassign(&list([at]))
            .map_err(|e| errors::of(&e, doing))
            .and_then(|()| self.begin(std::slice::from_ref(at)))
    }

    fn pause(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.paused.extend(at.iter().filter(|at| self.assigned.contains_key(*at)).cloned());
        match &self.answer {
            Some(Answer::Begin(_)) => Ok(()),
            _ => self.client.pause(&list(at)).map_err(|e| errors::of(&e, || self.doing("pausing partitions"))),
        }
    }

    fn resume(&mut self, at: &[TopicPartition]) -> Result<()> {
        for at in at {
            self.paused.remove(at);
        }
        if let Some(Answer::Begin(_)) = &self.answer {
            return Ok(());
        }
        self.client.resume(&list(at)).map_err(|e| errors::of(&e, || self.doing("resuming partitions")))?;
        // What came while they were paused was dropped.
        for at in at {
            if let Some(next) = self.assigned.get(at).map(|assigned| assigned.next) {
                self.seek(at, next)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        self.membership(offsets)?;
        let committed = self.client.commit(&self.offsets_list(offsets), CommitMode::Sync);
        let doing = || self.doing("committing offsets");
        match committed {
            Err(error) if errors::is_end_of_client(&error) => {
                let fenced = BrokerError::Fenced { doing: doing() };
                self.give_up_client();
                Err(fenced)
            }
            other => other.map_err(|e| errors::of(&e, doing)),
        }
    }

    fn leave(&mut self) -> Result<()> {
        self.give_back();
        self.client.unsubscribe();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && self.client.assignment().is_ok_and(|held| held.count() > 0) {
            let _ = self.client.poll(Duration::from_millis(50));
        }
        self.assigned.clear();
        Ok(())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.give_back();
        // The end of a client may block, so no thread waits for it.
        let client = self.client.clone();
        std::thread::spawn(move || {
            while Arc::strong_count(&client) > 1 {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    }
}
