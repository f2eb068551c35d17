//! Records and offsets in one transaction. Whatever goes wrong, the caller learns for certain whether it was committed.

use std::collections::{BTreeMap, HashMap};
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
/// A partition that does not show what was committed for this long is in trouble that its readers will be told of.
const VISIBLE: Duration = Duration::from_secs(10);
/// Bytes of one request for one partition: less than a topic takes that has only Kafka's own limit. More must not wait for
/// a partition: librdkafka has one request under way for it, and spins while there is another to send.
const REQUEST_BYTES: usize = 1_000_000;
/// How long to find out what became of a transaction whose end was not confirmed.
const CERTAINTY: Duration = Duration::from_secs(120);

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
        Self { broker, id, timeout: timeout.max(Duration::from_secs(10)), producer: None, spread: 0 }
    }

    /// Appends the records and moves the offsets, or does nothing.
    pub fn run(&mut self, records: &[OutRecord], moves: Moves, doing: &str) -> Result<Vec<Appended>> {
        let partitions = records.iter().map(|record| self.place(record)).collect::<Result<Vec<_>>>()?;
        if records.is_empty() && moves.is_none() {
            return Ok(Vec::new());
        }
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
        let can_abort = matches!(error, KafkaError::Transaction(e) if e.txn_requires_abort());
        // What an abort throws out of the queue says nothing of why.
        let is_cause = |failed: &KafkaError| {
            !matches!(errors::code(failed), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight))
        };
        let error = deliveries.failed.filter(is_cause).unwrap_or_else(|| error.clone());
        warn!(%error, doing, "a Kafka transaction failed");
        match can_abort {
            true => self.abort(producer),
            false => self.give_up(producer),
        }
        if can_abort || matches!(failure, Failure::Before(_)) {
            return Err(of_record(&error, records, doing));
        }
        let appended: Option<Vec<Appended>> = deliveries.at.into_iter().collect();
        let first = appended.as_ref().and_then(|at| Some((records.first()?, at.first()?)));
        // Without positions of all records the commit cannot have been sent.
        let Some((record, at)) = first else { return Err(of_record(&error, records, doing)) };
        let place = TopicPartition { topic: record.topic.clone(), partition: at.partition };
        match (self.is_committed(&place, at.offset, doing)?, appended) {
            (true, Some(appended)) => Ok(appended),
            _ => Err(of_record(&error, records, doing)),
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

    fn abort(&mut self, producer: Arc<Native>) {
        let aborting = producer.clone();
        match guarded(move || aborting.abort_transaction(CALL_TIMEOUT)) {
            Some(Ok(())) => {}
            other => {
                debug!(?other, "a transaction could not be aborted; a new producer ends it");
                self.give_up(producer);
            }
        }
    }

    /// Never used again: a late answer of its broker may end a later transaction. Its end may block, so nobody waits.
    fn give_up(&mut self, producer: Arc<Native>) {
        let held = self.producer.take();
        std::thread::spawn(move || drop((held, producer)));
    }

    /// The coordinator confirms a commit before the partitions know of it. Whoever asks for their ends next must find these
    /// records.
    fn wait_until_visible(&self, records: &[OutRecord], appended: &[Appended]) {
        let mut last: BTreeMap<(u32, &str), u64> = BTreeMap::new();
        for (record, at) in records.iter().zip(appended) {
            last.insert((at.partition, &record.topic), at.offset);
        }
        let place = |(partition, topic): &(u32, &str)| TopicPartition { topic: (*topic).into(), partition: *partition };
        let mut open: Vec<TopicPartition> = last.keys().map(place).collect();
        let started = Instant::now();
        while !open.is_empty() && started.elapsed() < VISIBLE {
            let ends = self.broker.inner.admin.ends(&open).unwrap_or_default();
            let is_visible = |at: &TopicPartition| ends.get(at) > last.get(&(at.partition, &*at.topic));
            open.retain(|at| !is_visible(at));
            if !open.is_empty() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// A new producer of the same id makes the coordinator end the transaction, one way or the other. Then its first
    /// record is there for readers, or never will be.
    fn is_committed(&mut self, at: &TopicPartition, offset: u64, doing: &str) -> Result<bool> {
        let started = Instant::now();
        loop {
            let looked = self.ready().and_then(|_| self.broker.read(at, offset, 1, 1));
            match looked {
                Ok(found) => return Ok(found.first().is_some_and(|message| message.offset == offset)),
                Err(BrokerError::OffsetOutOfRange { .. }) => return Ok(false),
                Err(error) if error.is_retriable() && started.elapsed() < CERTAINTY => {
                    warn!(%error, "cannot tell yet what became of a transaction");
                    std::thread::sleep(Duration::from_secs(1));
                }
                Err(error) => {
                    return Err(BrokerError::Fatal {
                        doing: doing.to_owned(),
                        reason: format!("it cannot be told whether it was written: {error}"),
                    });
                }
            }
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
    let headers: usize = record.headers.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
    record.value.len() + record.key.as_ref().map_or(0, bytes::Bytes::len) + headers + 32
}

fn send(producer: &Native, record: &OutRecord, partition: u32, index: usize) -> std::result::Result<(), KafkaError> {
    let mut headers = OwnedHeaders::new_with_capacity(record.headers.len());
    for (key, value) in &record.headers {
        headers = headers.insert(Header { key, value: Some(value.as_ref()) });
    }
    let mut outgoing: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(&record.topic, index)
        .partition(signed_partition(partition))
        .payload(record.value.as_ref())
        .headers(headers);
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

fn hung() -> KafkaError {
    KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)
}

/// Runs a call on a thread of its own; `None` when it does not come back.
fn guarded<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(call()));
    receiver.recv_timeout(WATCHDOG).ok()
}

fn of_record(error: &KafkaError, records: &[OutRecord], doing: &str) -> BrokerError {
    if errors::code(error) == Some(RDKafkaErrorCode::MessageSizeTooLarge)
        && let Some(largest) = records.iter().max_by_key(|record| record.value.len())
    {
        let (topic, bytes) = (largest.topic.to_string(), largest.value.len());
        return BrokerError::TooLarge { topic, bytes, limit: RECORD_BYTES_MAX };
    }
    match errors::of(error, || doing.to_owned()) {
        // A failed transaction may be tried again, whatever made it fail, unless that will not change.
        BrokerError::Fatal { doing, reason } if matches!(error, KafkaError::Global(_)) => {
            BrokerError::Retriable { doing, reason }
        }
        other => other,
    }
}
