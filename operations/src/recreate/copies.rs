//! What is carried over lies in a topic beside each one that is created again, and goes from there into the new one in atomic steps.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use contracts::topics::headers;
use platform::broker::{
    Broker, ConsumerConfig, GroupOffset, Message, OutRecord, Polled, Producer, Start, TopicPartition, TopicSpec, Topics,
};
use platform::lifecycle::Shutdown;

use super::{RecreateError, Recreated, STAGING};

/// Records of one step, and their bytes, about.
const STEP_RECORDS: usize = 500;
const STEP_BYTES: usize = 4 << 20;
const SESSION: Duration = Duration::from_secs(15);
/// A broker that gives no partitions for so long has another member: one of this command that was killed has been removed by then.
const WAIT_MAX: Duration = Duration::from_secs(60);

fn staging(topic: &str) -> String {
    format!("{STAGING}{topic}")
}

fn ensure(broker: &dyn Broker, topic: &str, partitions: u32) -> Result<(), RecreateError> {
    let (retention_ms, retention_bytes) = (None, None);
    let spec = TopicSpec { name: staging(topic), partitions, compacted: false, retention_ms, retention_bytes };
    let _ = broker.ensure_topic(&spec)?;
    Ok(())
}

/// Removes what was staged for a topic.
pub(super) fn remove(broker: &dyn Broker, topic: &str) -> Result<(), RecreateError> {
    match broker.topics()?.iter().any(|known| *known.name == *staging(topic)) {
        true => Ok(broker.delete_topic(&staging(topic))?),
        false => Ok(()),
    }
}

/// Writes the topics beside those that are created again.
pub(super) struct Staging<'a> {
    broker: &'a dyn Broker,
    producer: Box<dyn Producer>,
    partitions: HashMap<String, u32>,
    pending: Vec<OutRecord>,
    bytes: usize,
}

impl<'a> Staging<'a> {
    /// Removes what an earlier attempt left that did not come to its end.
    pub fn begin(broker: &'a dyn Broker) -> Result<Self, RecreateError> {
        let all = broker.topics()?;
        for topic in all.iter().filter(|topic| topic.name.starts_with(STAGING)) {
            broker.delete_topic(&topic.name)?;
        }
        let partitions = all.iter().map(|topic| (topic.name.to_string(), topic.partitions)).collect();
        Ok(Self { broker, producer: broker.producer()?, partitions, pending: Vec::new(), bytes: 0 })
    }

    pub fn add(&mut self, topic: &str, message: &Message) -> Result<(), RecreateError> {
        // A topic that nothing is carried over from has none beside it.
        if let Some(partitions) = self.partitions.remove(topic) {
            ensure(self.broker, topic, partitions)?;
        }
        let record = copy_of(message.clone(), &staging(topic));
        self.bytes += record.bytes();
        self.pending.push(record);
        if self.pending.len() >= STEP_RECORDS || self.bytes >= STEP_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), RecreateError> {
        self.bytes = 0;
        let records = std::mem::take(&mut self.pending);
        if !records.is_empty() {
            let _ = self.producer.append(&records)?;
        }
        Ok(())
    }

    /// Everything is staged.
    pub fn end(mut self) -> Result<(), RecreateError> {
        self.write()
    }
}

/// The time is that of sending, else retention could take the record before it is judged. What it stood for has no meaning under
/// another topic id.
fn copy_of(message: Message, topic: &str) -> OutRecord {
    let mut kept = message.headers;
    kept.retain(|name| name != headers::REPLAY_OF);
    OutRecord {
        topic: topic.into(),
        partition: Some(message.at.partition),
        key: message.key,
        value: message.value,
        headers: kept,
        timestamp_ms: None,
    }
}

/// Copies what was staged for a topic into it; what an earlier attempt has copied is not copied again.
pub(super) fn copy(broker: &dyn Broker, id: &str, of: &Recreated, shutdown: &Shutdown) -> Result<(), RecreateError> {
    let from = staging(&of.topic);
    // What was staged is removed after all of it was copied.
    if of.carried == 0 || !broker.topics()?.iter().any(|topic| *topic.name == *from) {
        return Ok(());
    }
    let group = format!("{STAGING}{id}");
    let mut ends = Vec::new();
    for partition in 0..of.partitions {
        let at = TopicPartition { topic: from.as_str().into(), partition };
        ends.push((broker.watermarks(&at)?.high, at));
    }
    let mut processor = broker.processor(ConsumerConfig {
        group: group.clone(),
        topics: Topics::Names(vec![from]),
        member: format!("recreate-{}", uuid::Uuid::new_v4().simple()),
        start: Start::Earliest,
        session_timeout: SESSION,
        poll_records_max: STEP_RECORDS,
        poll_bytes_max: STEP_BYTES,
    })?;
    let mut last_step = Instant::now();
    loop {
        let done: HashMap<TopicPartition, u64> =
            broker.group_offsets(&group)?.into_iter().map(|offset| (offset.at, offset.offset)).collect();
        if ends.iter().all(|(end, at)| *end == 0 || done.get(at).is_some_and(|offset| offset >= end)) {
            processor.leave()?;
            return Ok(());
        }
        if shutdown.is_requested() {
            return Err(RecreateError::Stopped);
        }
        if last_step.elapsed() > WAIT_MAX {
            return Err(RecreateError::Stuck { topic: of.topic.clone(), seconds: WAIT_MAX.as_secs() });
        }
        match processor.poll(Duration::from_millis(200)) {
            Ok(Polled::Records(messages)) => {
                let mut offsets: HashMap<TopicPartition, u64> = HashMap::new();
                for message in &messages {
                    offsets.insert(message.at.clone(), message.offset + 1);
                }
                let offset = |(at, offset)| GroupOffset { at, offset, metadata: String::new() };
                let offsets: Vec<_> = offsets.into_iter().map(offset).collect();
                let records: Vec<_> = messages.into_iter().map(|message| copy_of(message, &of.topic)).collect();
                let _ = processor.step(&records, &offsets)?;
                last_step = Instant::now();
            }
            Ok(_) => {}
            Err(error) if error.is_retriable() => drop(shutdown.wait_timeout(Duration::from_millis(200))),
            Err(error) => return Err(error.into()),
        }
    }
}
