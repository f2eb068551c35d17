//! Records and offsets in one transaction. Whatever goes wrong, the caller learns whether it was committed, or that this cannot
//! be told now.

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

use super::client::{self, Client};
use super::{KafkaBroker, Result, errors, native, signed_partition};
use crate::broker::{Appended, Broker, BrokerError, OutRecord, RECORD_BYTES_MAX, TopicPartition, partition_for_key};
use crate::failpoint;

/// A call of the transactional interface may take this long.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// After this long a call is taken for hung: librdkafka has been seen not to come back.
const WATCHDOG: Duration = Duration::from_secs(75);
/// A partition usually shows what was committed after milliseconds.
const VISIBLE: Duration = Duration::from_secs(10);
/// Bytes of one request for one partition: less than a topic takes that has only Kafka's own limit. More must not wait for
/// a partition: librdkafka has one request under way for it, and spins while there is another to send.
const REQUEST_BYTES: usize = 1_000_000;
/// How long to find out what became of a transaction whose end was not confirmed. Longer than Kafka's default transaction
/// time-out (60 s): an open transaction of another producer that hides the answer usually ends within it.
const CERTAINTY: Duration = Duration::from_secs(120);
/// The same for a step that moves offsets of a group: these offsets tell it for certain, so a hidden answer is not waited for.
const CERTAINTY_WITH_OFFSETS: Duration = Duration::from_secs(1);
/// Pause between two looks at what became of a transaction.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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

/// How far a failed transaction came.
enum Failure {
    /// It surely was not committed.
    Before(KafkaError),
    /// Its commit was asked for.
    AtCommit(KafkaError),
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
        let patience = if moves.is_some() { CERTAINTY_WITH_OFFSETS } else { CERTAINTY };
        let producer = self.ready()?;
        let failure = match transact(&producer, records, &partitions, moves) {
            Ok(()) => {
                let appended = producer.client().context().take_deliveries().at;
                let appended: Option<Vec<Appended>> = appended.into_iter().collect();
                let appended = appended.ok_or_else(|| BrokerError::Fatal {
                    doing: doing.to_owned(),
                    reason: "committed, but the client did not say where the records are".to_owned(),
                })?;
                self.wait_until_visible(records, &appended);
                return Ok(appended);
            }
            Err(failure) => failure,
        };
        let deliveries = producer.client().context().take_deliveries();
        let (Failure::Before(error) | Failure::AtCommit(error)) = &failure;
        // What an abort throws out of the queue says nothing of why.
        let is_cause = |failed: &KafkaError| {
            !matches!(errors::code(failed), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
        };
        let cause = deliveries.failed.filter(is_cause).unwrap_or_else(|| error.clone());
        warn!(error = %cause, doing, "a Kafka transaction failed");
        if matches!(error, KafkaError::Transaction(e) if e.txn_requires_abort()) {
            abort(&producer);
        }
        self.give_up(producer);
        let Failure::AtCommit(_) = failure else { return Err(self.of_record(&cause, records, doing)) };
        let uncertain = |reason: String| BrokerError::Uncertain { doing: doing.to_owned(), reason };
        if records.is_empty() {
            return Err(uncertain(cause.to_string()));
        }
        // Without positions of all records the commit cannot have been sent.
        let appended: Option<Vec<Appended>> = deliveries.at.into_iter().collect();
        let Some(appended) = appended else { return Err(self.of_record(&cause, records, doing)) };
        let places = first_places(records, &appended);
        match self.is_committed(&places, patience).map_err(|error| uncertain(error.to_string()))? {
            true => Ok(appended),
            false => Err(self.of_record(&cause, records, doing)),
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
    /// are of another epoch. Its end may block, so nobody waits.
    fn give_up(&mut self, producer: Arc<Native>) {
        let held = self.producer.take();
        std::thread::spawn(move || drop((held, producer)));
    }

    /// The coordinator confirms a commit before the partitions know of it. Whoever asks for their ends next must find these
    /// records. An open transaction of somebody else, who may be dead, hides them, too: that is waited for once.
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

    /// A new producer of the same id makes the coordinator end the transaction, one way or the other. Then its records are
    /// there for readers, or never will be. Fails when that cannot be seen within `patience`.
    fn is_committed(&mut self, places: &HashMap<TopicPartition, u64>, patience: Duration) -> Result<bool> {
        let started = Instant::now();
        loop {
            match self.ready().and_then(|_| self.look(places)) {
                Ok(Some(is_committed)) => return Ok(is_committed),
                Ok(None) if started.elapsed() < patience => {
                    debug!(id = self.id, "an open transaction of another producer hides what became of a transaction");
                }
                Ok(None) => {
                    let doing = format!("looking for what a transaction of {} wrote", self.id);
                    let reason = "its records lie behind an open transaction of another producer, or are not in the log \
                                  any more; `kafka-transactions.sh find-hanging` names transactions that hang";
                    return Err(BrokerError::Retriable { doing, reason: reason.to_owned() });
                }
                Err(error) if error.is_retriable() && started.elapsed() < CERTAINTY => {
                    warn!(%error, "cannot tell yet what became of a transaction");
                }
                Err(error) => return Err(error),
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Whether the records of a transaction that has ended are in the log. `None` when that cannot be seen: readers see nothing
    /// at or above the last stable offset, which an open transaction of any producer holds down, and nothing that retention
    /// has removed. One place is enough: a transaction is committed everywhere or nowhere.
    fn look(&self, places: &HashMap<TopicPartition, u64>) -> Result<Option<bool>> {
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

    fn of_record(&self, error: &KafkaError, records: &[OutRecord], doing: &str) -> BrokerError {
        if errors::code(error) == Some(RDKafkaErrorCode::MessageSizeTooLarge)
            && let Some(largest) = records.iter().max_by_key(|record| record.value.len())
        {
            let (topic, bytes) = (largest.topic.to_string(), largest.value.len());
            let settings = self.broker.inner.admin.settings(&topic);
            let limit = settings.map_or(RECORD_BYTES_MAX, |settings| settings.record_bytes_max);
            return BrokerError::TooLarge { topic, bytes, limit };
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
    moves: Moves,
) -> std::result::Result<(), Failure> {
    producer.client().context().expect(records.len());
    producer.begin_transaction().map_err(Failure::Before)?;
    let flush = || native::flush(producer.client(), CALL_TIMEOUT).map_err(Failure::Before);
    let mut waiting: HashMap<(u32, &str), usize> = HashMap::new();
    for (index, (record, partition)) in records.iter().zip(partitions).enumerate() {
        let bytes = bytes_of(record);
        let before = waiting.get(&(*partition, &*record.topic)).copied().unwrap_or_default();
        if before > 0 && before + bytes > REQUEST_BYTES {
            flush()?;
            waiting.clear();
        }
        *waiting.entry((*partition, &record.topic)).or_default() += bytes;
        send(producer, record, *partition, index).map_err(Failure::Before)?;
    }
    flush()?;
    if let Some((offsets, membership)) = moves {
        let moving = producer.clone();
        guarded(move || moving.send_offsets_to_transaction(&offsets, &membership, CALL_TIMEOUT))
            .unwrap_or(Err(hung()))
            .map_err(Failure::Before)?;
    }
    failpoint::hit("broker.kafka.transaction.prepared");
    let committing = producer.clone();
    guarded(move || committing.commit_transaction(CALL_TIMEOUT)).unwrap_or(Err(hung())).map_err(Failure::AtCommit)?;
    failpoint::hit("broker.kafka.transaction.committed");
    Ok(())
}

/// Memory that a record takes in a request, about.
fn bytes_of(record: &OutRecord) -> usize {
    record.value.len() + record.key.as_ref().map_or(0, bytes::Bytes::len) + record.headers.packed().len() + 32
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
