//! Reading by offset, without a group. Readers that go on where they stopped keep their connection.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Timestamp};
use tracing::debug;

use super::client::{self, Client};
use super::errors::lock;
use super::settings::KafkaSettings;
use super::{REQUEST_TIMEOUT, Result, errors, native, signed, signed_partition, unsigned, unsigned_partition};
use crate::broker::{BrokerError, Message, TopicPartition};

/// A batch that came damaged so often is damaged on the broker, and not on its way.
const UNREADABLE_MAX: u32 = 3;
/// Readers that are kept for the next one who asks.
const KEPT_MAX: usize = 4;

pub(super) struct Readers {
    settings: KafkaSettings,
    idle: Mutex<Vec<Reader>>,
}

struct Reader {
    client: BaseConsumer<Client>,
    at: Option<(TopicPartition, u64)>,
}

impl Readers {
    pub fn new(settings: KafkaSettings) -> Self {
        Self { settings, idle: Mutex::default() }
    }

    pub fn read(
        &self,
        topic_partition: &TopicPartition,
        offset: u64,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Message>> {
        let mut reader = self.take(topic_partition, offset)?;
        let messages = reader.read(topic_partition, offset, records_max, bytes_max)?;
        reader.rest();
        let mut idle = lock(&self.idle);
        if idle.len() < KEPT_MAX {
            idle.push(reader);
        }
        Ok(messages)
    }

    /// The last record from an offset up to an end; what is appended meanwhile is not waited for.
    pub fn last_record(&self, topic_partition: &TopicPartition, offset: u64, end: u64) -> Result<Option<u64>> {
        let (mut next, mut last) = (offset, None);
        while next < end {
            let records_max = usize::try_from(end - next).unwrap_or(usize::MAX).min(1_000);
            let found = self.read(topic_partition, next, records_max, 8 << 20)?;
            let Some(message) = found.last() else { break };
            next = message.offset + 1;
            last = found.iter().rev().map(|message| message.offset).find(|offset| *offset < end).or(last);
        }
        Ok(last)
    }

    /// The reader that stands there, else any, else a new one.
    fn take(&self, at: &TopicPartition, offset: u64) -> Result<Reader> {
        let mut idle = lock(&self.idle);
        let stands = idle.iter().position(|reader| reader.stands_at(at, offset));
        if let Some(index) = stands.or_else(|| idle.len().checked_sub(1)) {
            return Ok(idle.swap_remove(index));
        }
        drop(idle);
        // The group is never joined and nothing is committed to it: librdkafka wants a name.
        let mut config = client::consumer_config(&self.settings, "finops", "finops.reads.only");
        // Who reads by offset wants to know at once that there is no more.
        config.set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        let client = client::made(&config)?;
        Ok(Reader { client, at: None })
    }
}

impl Reader {
    fn stands_at(&self, at: &TopicPartition, offset: u64) -> bool {
        self.at.as_ref().is_some_and(|(here, next)| here == at && *next == offset)
    }

    /// Empty only at the end of what is committed.
    fn read(&mut self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        // Behind the end a reader has said so already and librdkafka does not say it twice.
        self.go_to(at, offset)?;
        let (mut out, mut bytes) = (Vec::new(), 0);
        let started = Instant::now();
        let mut unreadable = 0;
        while out.len() < records_max.max(1) && (out.is_empty() || bytes < bytes_max) {
            match self.client.poll(Duration::from_millis(200)) {
                Some(Ok(message)) => {
                    let message = of_native(&message, out.last());
                    if message.at != *at || message.offset < offset {
                        continue;
                    }
                    bytes += message.bytes();
                    out.push(message);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.at = None;
                    return Ok(out);
                }
                // What came before it is good. The next read begins with it.
                Some(Err(error)) if errors::is_unreadable_batch(&error) && !out.is_empty() => {
                    debug!(%error, "stopping before a batch that cannot be read");
                    self.at = None;
                    return Ok(out);
                }
                Some(Err(error)) if errors::is_unreadable_batch(&error) => {
                    unreadable += 1;
                    self.at = None;
                    if unreadable == UNREADABLE_MAX {
                        return Err(unreadable_batch(at, offset, &error));
                    }
                    self.go_to(at, offset)?;
                }
                Some(Err(error)) => match errors::code(&error) {
                    Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                        let next = out.last().map_or(offset, |last| last.offset + 1);
                        self.at = None;
                        match self.out_of_range(at, next)? {
                            // It was said of a partition that was read before.
                            BrokerError::Retriable { reason, .. } => self.patience(started, at, &reason)?,
                            error => return Err(error),
                        }
                        self.go_to(at, next)?;
                    }
                    _ => self.patience(started, at, &error.to_string())?,
                },
                None if !out.is_empty() => break,
                None => self.patience(started, at, "no answer")?,
            }
        }
        if let (Some(last), Some((_, next))) = (out.last(), &mut self.at) {
            *next = last.offset + 1;
        }
        Ok(out)
    }

    /// One that stands nowhere fetches nothing while no caller asks.
    fn rest(&mut self) {
        if self.at.is_none()
            && let Err(error) = self.client.unassign()
        {
            debug!(%error, "a reader goes on fetching");
        }
    }

    fn go_to(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        if self.stands_at(at, offset) {
            return Ok(());
        }
        self.at = None;
        let (low, high) = self.marks(at)?;
        if offset < low || offset > high {
            return Err(self.out_of_range(at, offset)?);
        }
        let mut list = TopicPartitionList::new();
        let _ = list.add_partition_offset(&at.topic, signed_partition(at.partition), Offset::Offset(signed(offset)));
        self.client.assign(&list).map_err(|e| errors::of(&e, || doing(at)))?;
        self.at = Some((at.clone(), offset));
        Ok(())
    }

    fn marks(&self, at: &TopicPartition) -> Result<(u64, u64)> {
        let marks = self.client.fetch_watermarks(&at.topic, signed_partition(at.partition), REQUEST_TIMEOUT);
        let (low, high) = marks.map_err(|e| errors::of(&e, || doing(at)))?;
        Ok((unsigned(low), unsigned(high)))
    }

    fn out_of_range(&self, at: &TopicPartition, offset: u64) -> Result<BrokerError> {
        let (low, high) = self.marks(at)?;
        if (low..=high).contains(&offset) {
            return Ok(changing(at));
        }
        Ok(BrokerError::OffsetOutOfRange { topic: at.topic.to_string(), partition: at.partition, offset, low, high })
    }

    fn patience(&mut self, since: Instant, at: &TopicPartition, reason: &str) -> Result<()> {
        if since.elapsed() < REQUEST_TIMEOUT {
            return Ok(());
        }
        self.at = None;
        let reason = format!("{reason}{}", self.client.context().trouble());
        Err(BrokerError::Retriable { doing: doing(at), reason })
    }
}

/// A batch that stays unreadable. To resume after it takes a decision: it may hold records.
fn unreadable_batch(at: &TopicPartition, offset: u64, error: &KafkaError) -> BrokerError {
    let reason = format!("{error}, {UNREADABLE_MAX} times");
    BrokerError::Unreadable { topic: at.topic.to_string(), partition: at.partition, offset, reason }
}

/// Two looks at a partition that do not agree.
pub(super) fn changing(at: &TopicPartition) -> BrokerError {
    BrokerError::Retriable { doing: doing(at), reason: "it changes, or is being recreated".to_owned() }
}

fn doing(at: &TopicPartition) -> String {
    format!("reading {}/{}", at.topic, at.partition)
}

/// A message of the seam, with its own memory: librdkafka's would keep whole batches alive. Only the name of its topic it has from
/// the one `before` it, which is mostly of the same topic.
pub(super) fn of_native(message: &BorrowedMessage<'_>, before: Option<&Message>) -> Message {
    let topic = message.topic();
    let same = before.map(|before| &before.at.topic).filter(|before| ***before == *topic);
    Message {
        at: TopicPartition {
            topic: same.map_or_else(|| topic.into(), Arc::clone),
            partition: unsigned_partition(message.partition()),
        },
        offset: unsigned(message.offset()),
        timestamp_ms: match message.timestamp() {
            Timestamp::CreateTime(ms) | Timestamp::LogAppendTime(ms) => ms,
            Timestamp::NotAvailable => 0,
        },
        key: message.key().map(Bytes::copy_from_slice),
        value: message.payload().map(Bytes::copy_from_slice).into(),
        headers: native::headers(message),
    }
}
