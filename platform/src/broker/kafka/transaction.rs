//! Records and offsets in one transaction. Whatever goes wrong, the caller learns whether it was committed, or that this cannot
//! be determined now.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use tracing::{debug, warn};

use super::certainty::{self, Patience};
use super::client::{self, Client};
use super::{Inner, KafkaBroker, Result, errors, native, signed_partition};
use crate::broker::{Appended, Broker, BrokerError, OutRecord, RECORD_BYTES_MAX, TopicPartition, partition_for_key};
use crate::failpoint;

/// A call of the transactional interface may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// After this long a call is taken for hung: librdkafka has been seen not to come back.
const WATCHDOG: Duration = Duration::from_secs(75);
/// A partition usually shows what was committed after milliseconds.
const VISIBLE: Duration = Duration::from_secs(10);
/// Bytes of one request for one partition, at most: less than a topic takes that has only Kafka's own limit. More must not wait
/// for a partition: librdkafka has one request under way for it, and spins while there is another to send.
const REQUEST_BYTES: usize = 1_000_000;
/// What a batch has around its records (61 bytes), with room to spare.
const BATCH_BYTES: usize = 128;
/// What a record has around key, value and headers in a batch (at most 21 bytes), with room to spare.
const RECORD_FRAME_BYTES: usize = 32;
type Native = ThreadedProducer<Client>;

/// Offsets that move with a transaction, and by whose right.
pub(super) type Moves = Option<(TopicPartitionList, ConsumerGroupMetadata)>;

/// Runs one transaction after the other under one transactional id.
pub(super) struct Transactor {
    broker: KafkaBroker,
    id: String,
    timeout: Duration,
    producer: Option<Arc<Native>>,
    /// Where the next record without key and partition goes.
    spread: u32,
    /// Partitions that did not show in time what was committed to them.
    hidden: HashSet<TopicPartition>,
}

/// Why a transaction failed, and how far it came.
struct Failure {
    error: KafkaError,
    /// The record that could not be sent.
    record: Option<usize>,
    /// Its commit was asked for; else it surely was not committed.
    is_commit_asked: bool,
}

impl Failure {
    fn before(error: KafkaError) -> Self {
        Self { error, record: None, is_commit_asked: false }
    }
}

impl Transactor {
    /// A transaction that is not ended within `timeout` is aborted by the broker.
    pub fn new(broker: KafkaBroker, id: String, timeout: Duration) -> Self {
        Self {
            broker,
            id,
            timeout: timeout.max(Duration::from_secs(10)),
            producer: None,
            spread: 0,
            hidden: HashSet::new(),
        }
    }

    /// Appends the records and moves the offsets, or does nothing.
    pub fn run(&mut self, records: &[OutRecord], moves: Moves, doing: &str) -> Result<Vec<Appended>> {
        let partitions = records.iter().map(|record| self.place(record)).collect::<Result<Vec<_>>>()?;
        if records.is_empty() && moves.is_none() {
            return Ok(Vec::new());
        }
        let moves = moves.map(Arc::new);
        let limits = self.limits(records, REQUEST_BYTES);
        let outcome = self.attempt(records, &partitions, &limits, moves.clone(), doing);
        if !matches!(outcome, Err(BrokerError::TooLarge { .. })) {
            return outcome;
        }
        // A batch is refused as one. What a topic takes may have changed since it was asked for; where it is not known, each
        // record is sent by itself, so that only one that is too large is refused.
        self.broker.inner.topics.forget_limits();
        let now = self.limits(records, 0);
        let is_lower = now.iter().any(|(topic, bytes)| limits.get(topic).is_some_and(|before| bytes < before));
        if is_lower { self.attempt(records, &partitions, &now, moves, doing) } else { outcome }
    }

    /// Bytes that may wait for one partition of a topic: what it takes as one batch; `otherwise` when that is not known.
    fn limits(&self, records: &[OutRecord], otherwise: usize) -> BTreeMap<Arc<str>, usize> {
        let Inner { topics, admin, .. } = &*self.broker.inner;
        let mut limits = BTreeMap::new();
        for record in records {
            if !limits.contains_key(&record.topic) {
                let known = topics.record_bytes_max(admin, &record.topic);
                let batch = known.map_or(otherwise, |bytes| bytes.saturating_sub(BATCH_BYTES).min(REQUEST_BYTES));
                limits.insert(record.topic.clone(), batch);
            }
        }
        limits
    }

    fn attempt(
        &mut self,
        records: &[OutRecord],
        partitions: &[u32],
        limits: &BTreeMap<Arc<str>, usize>,
        moves: Option<Arc<(TopicPartitionList, ConsumerGroupMetadata)>>,
        doing: &str,
    ) -> Result<Vec<Appended>> {
        let patience = if moves.is_some() { Patience::FOR_OFFSETS } else { Patience::FOR_RECORDS };
        let producer = self.ready()?;
        let Err(failure) = transact(&producer, records, partitions, limits, moves) else {
            let appended = producer.client().context().take_deliveries().at;
            let appended: Option<Vec<Appended>> = appended.into_iter().collect();
            let appended = appended.ok_or_else(|| BrokerError::Fatal {
                doing: doing.to_owned(),
                reason: "committed, but the client did not say where the records are".to_owned(),
            })?;
            self.wait_until_visible(records, &appended);
            return Ok(appended);
        };
        let deliveries = producer.client().context().take_deliveries();
        let (record, cause) = match deliveries.failed {
            Some((index, error)) => (Some(index), error),
            None => (failure.record, failure.error.clone()),
        };
        warn!(error = %cause, doing, "a Kafka transaction failed");
        if matches!(&failure.error, KafkaError::Transaction(e) if e.txn_requires_abort()) {
            abort(&producer);
        }
        self.give_up(producer);
        let failed = |of: &Self| of.of_record(&cause, record.and_then(|index| records.get(index)), doing);
        if !failure.is_commit_asked {
            return Err(failed(self));
        }
        if records.is_empty() {
            return Err(BrokerError::Uncertain { doing: doing.to_owned(), reason: cause.to_string() });
        }
        // Without positions of all records the commit cannot have been sent.
        let appended: Option<Vec<Appended>> = deliveries.at.into_iter().collect();
        let Some(appended) = appended else { return Err(failed(self)) };
        let places = first_places(records, &appended);
        match certainty::is_committed(patience, doing, &Looking(Instant::now()), || self.look(&places))? {
            true => Ok(appended),
            false => Err(failed(self)),
        }
    }

    /// Partition of a record; the topic must be there.
    fn place(&mut self, record: &OutRecord) -> Result<u32> {
        let inner = &self.broker.inner;
        if let Some(partition) = record.partition {
            let at = TopicPartition { topic: record.topic.clone(), partition };
            return inner.topics.partition(&inner.admin, &at).map(|()| partition);
        }
        let topic = inner.topics.info(&inner.admin, &record.topic)?;
        Ok(match &record.key {
            Some(key) => partition_for_key(key, topic.partitions),
            None => {
                self.spread = self.spread.wrapping_add(1);
                self.spread % topic.partitions.max(1)
            }
        })
    }

    /// A producer that has ended whatever an earlier one of this id left open.
    fn ready(&mut self) -> Result<Arc<Native>> {
        if let Some(producer) = &self.producer {
            return Ok(producer.clone());
        }
        let doing = || format!("starting transactions of {}", self.id);
        let timeout_ms = self.timeout.as_millis().to_string();
        let producer: Arc<Native> = Arc::new(
            client::config(&self.broker.inner.settings, &self.id)
                .set("transactional.id", &self.id)
                .set("transaction.timeout.ms", &timeout_ms)
                .set("message.timeout.ms", &timeout_ms)
                .set("enable.idempotence", "true")
                .set("acks", "all")
                .set("compression.type", "lz4")
                // Nothing is sent before it is all there, or enough for a request.
                .set("linger.ms", "1000")
                .set("batch.size", (1 << 20).to_string())
                .set("batch.num.messages", "10000")
                .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
                .create_with_context(Client::default())
                .map_err(|e| errors::of(&e, doing))?,
        );
        let starting = producer.clone();
        match guarded(move || starting.init_transactions(CALL_TIMEOUT)) {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                let error = errors::of(&error, doing);
                self.give_up(producer);
                return Err(error);
            }
            None => {
                let doing = doing();
                self.give_up(producer);
                return Err(BrokerError::Retriable { doing, reason: "the client does not answer".to_owned() });
            }
        }
        self.producer = Some(producer.clone());
        Ok(producer)
    }

    /// Never used again: a late request of its own could move the offsets of a later transaction, or end it. The next producer's
    /// are of another epoch. Its end may block, so no thread waits.
    fn give_up(&mut self, producer: Arc<Native>) {
        let held = self.producer.take();
        std::thread::spawn(move || drop((held, producer)));
    }

    /// The coordinator confirms a commit before the partitions know of it. A caller that asks for their ends next must find these
    /// records. An open transaction of another producer, which may be dead, hides them, too: that is waited for once.
    fn wait_until_visible(&mut self, records: &[OutRecord], appended: &[Appended]) {
        let mut last: BTreeMap<(u32, &str), u64> = BTreeMap::new();
        for (record, at) in records.iter().zip(appended) {
            last.insert((at.partition, &record.topic), at.offset);
        }
        let place = |(partition, topic): &(u32, &str)| TopicPartition { topic: (*topic).into(), partition: *partition };
        let mut open: Vec<TopicPartition> = last.keys().map(place).collect();
        let was_hidden: HashSet<TopicPartition> = open.iter().filter_map(|at| self.hidden.take(at)).collect();
        let started = Instant::now();
        loop {
            let ends = self.broker.inner.admin.ends(&open).unwrap_or_default();
            open.retain(|at| ends.get(at) <= last.get(&(at.partition, &*at.topic)));
            if open.iter().all(|at| was_hidden.contains(at)) || started.elapsed() >= VISIBLE {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.hidden.extend(open);
    }

    /// Whether the records of a transaction are in the log. A new producer of the same id makes the coordinator end it, one way
    /// or the other. `None` when that cannot be seen: readers see nothing at or above the last stable offset, which an open
    /// transaction of any producer holds down, and nothing that retention has removed. One place is enough: a transaction is
    /// committed everywhere or nowhere.
    fn look(&mut self, places: &HashMap<TopicPartition, u64>) -> Result<Option<bool>> {
        self.ready()?;
        let partitions: Vec<TopicPartition> = places.keys().cloned().collect();
        let stable_ends = self.broker.inner.admin.ends(&partitions)?;
        let is_seen = |(at, offset): &(&TopicPartition, &u64)| stable_ends.get(*at).is_some_and(|end| *offset < end);
        let Some((at, offset)) = places.iter().find(is_seen) else { return Ok(None) };
        match self.broker.read(at, *offset, 1, 1) {
            Ok(found) => Ok(Some(found.first().is_some_and(|message| message.offset == *offset))),
            Err(BrokerError::OffsetOutOfRange { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn of_record(&self, error: &KafkaError, record: Option<&OutRecord>, doing: &str) -> BrokerError {
        if errors::code(error) == Some(RDKafkaErrorCode::MessageSizeTooLarge)
            && let Some(record) = record
        {
            let Inner { topics, admin, .. } = &*self.broker.inner;
            let limit = topics.record_bytes_max(admin, &record.topic).unwrap_or(RECORD_BYTES_MAX).min(RECORD_BYTES_MAX);
            return BrokerError::TooLarge { topic: record.topic.to_string(), bytes: record.bytes(), limit };
        }
        match errors::of(error, || doing.to_owned()) {
            // A failed transaction may be tried again, whatever made it fail, unless that will not change.
            BrokerError::Fatal { doing, reason } if matches!(error, KafkaError::Global(_)) => {
                BrokerError::Retriable { doing, reason }
            }
            other => other,
        }
    }
}

/// Looks since then.
struct Looking(Instant);

impl certainty::Clock for Looking {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn pause(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

impl Drop for Transactor {
    fn drop(&mut self) {
        if let Some(producer) = self.producer.take() {
            self.give_up(producer);
        }
    }
}

/// The first offset that these records got in each partition.
fn first_places(records: &[OutRecord], appended: &[Appended]) -> HashMap<TopicPartition, u64> {
    let mut places = HashMap::new();
    for (record, Appended { partition, offset }) in records.iter().zip(appended) {
        let at = TopicPartition { topic: record.topic.clone(), partition: *partition };
        places.entry(at).or_insert(*offset);
    }
    places
}

fn transact(
    producer: &Arc<Native>,
    records: &[OutRecord],
    partitions: &[u32],
    limits: &BTreeMap<Arc<str>, usize>,
    moves: Option<Arc<(TopicPartitionList, ConsumerGroupMetadata)>>,
) -> std::result::Result<(), Failure> {
    producer.client().context().expect(records.len());
    producer.begin_transaction().map_err(Failure::before)?;
    let flush = || native::flush(producer.client(), CALL_TIMEOUT).map_err(Failure::before);
    let mut waiting: HashMap<(u32, &str), usize> = HashMap::new();
    for (index, (record, partition)) in records.iter().zip(partitions).enumerate() {
        let bytes = record.bytes() + RECORD_FRAME_BYTES;
        let limit = limits.get(&record.topic).copied().unwrap_or_default();
        let before = waiting.get(&(*partition, &*record.topic)).copied().unwrap_or_default();
        if before > 0 && before + bytes > limit {
            flush()?;
            waiting.clear();
        }
        *waiting.entry((*partition, &record.topic)).or_default() += bytes;
        send(producer, record, *partition, index)
            .map_err(|error| Failure { record: Some(index), ..Failure::before(error) })?;
    }
    flush()?;
    if let Some(moves) = moves {
        let moving = producer.clone();
        guarded(move || moving.send_offsets_to_transaction(&moves.0, &moves.1, CALL_TIMEOUT))
            .unwrap_or(Err(hung()))
            .map_err(Failure::before)?;
    }
    failpoint::hit!("broker.kafka.transaction.prepared");
    let committing = producer.clone();
    guarded(move || committing.commit_transaction(CALL_TIMEOUT))
        .unwrap_or(Err(hung()))
        .map_err(|error| Failure { is_commit_asked: true, ..Failure::before(error) })?;
    failpoint::hit!("broker.kafka.transaction.committed");
    Ok(())
}

fn send(producer: &Native, record: &OutRecord, partition: u32, index: usize) -> std::result::Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.iter().count());
    for (key, value) in record.headers.iter() {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let mut outgoing: BaseRecord<'_, [u8], [u8], usize> =
        BaseRecord::with_opaque_to(&record.topic, index).partition(signed_partition(partition)).headers(headers);
    if let Some(bytes) = record.value.as_bytes() {
        outgoing = outgoing.payload(bytes);
    }
    if let Some(key) = &record.key {
        outgoing = outgoing.key(key.as_ref());
    }
    if let Some(ms) = record.timestamp_ms {
        outgoing = outgoing.timestamp(ms);
    }
    loop {
        match producer.send(outgoing) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                outgoing = back;
                native::flush(producer.client(), CALL_TIMEOUT)?;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

fn abort(producer: &Arc<Native>) {
    let aborting = producer.clone();
    match guarded(move || aborting.abort_transaction(CALL_TIMEOUT)) {
        Some(Ok(())) => {}
        other => debug!(?other, "a transaction could not be aborted; the next producer ends it"),
    }
}

fn hung() -> KafkaError {
    KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)
}

/// Runs a call on a thread of its own; `None` when it does not come back.
fn guarded<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(WATCHDOG).ok()
}
