//! Reads topics as an onlooker: no group, no offset left behind. [`Tap`] finds the records, [`decode`] makes them readable.

pub mod decode;

use std::collections::BTreeMap;

use platform::broker::{self, Broker, BrokerError, Message, TopicPartition, Watermarks};

use crate::failure::{Failure, Result};
use crate::instant;
use crate::output::note;

/// Records and bytes of one read.
const READ_RECORDS: usize = 500;
const READ_BYTES: usize = 4 << 20;

/// Where to begin in each partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    Earliest,
    Latest,
    Offset(u64),
    /// First record at or after this moment, milliseconds since the epoch.
    Time(i64),
}

impl std::str::FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            _ => match (text.parse(), instant::parse(text)) {
                (Ok(offset), _) => Ok(Self::Offset(offset)),
                (_, Ok(ms)) => Ok(Self::Time(ms)),
                (_, Err(expected)) => Err(format!("earliest, latest and an offset are allowed; else {expected}")),
            },
        }
    }
}

/// A position in each partition of a topic.
pub struct Tap<'a> {
    broker: &'a dyn Broker,
    topic: String,
    only: Option<u32>,
    next: BTreeMap<TopicPartition, u64>,
}

impl<'a> Tap<'a> {
    /// Of a topic that must be there.
    pub fn new(broker: &'a dyn Broker, topic: &str, from: From, only: Option<u32>) -> Result<Self> {
        let mut tap = Self { broker, topic: topic.to_owned(), only, next: BTreeMap::new() };
        if !tap.find_partitions(from)? {
            let known: Vec<_> = broker.topics()?.iter().map(|topic| topic.name.to_string()).collect();
            return Err(Failure::usage(format!("there is no topic {topic}; there are: {}", known.join(", "))));
        }
        if tap.next.is_empty() {
            return Err(Failure::usage(format!("topic {topic} has no partition {}", only.unwrap_or_default())));
        }
        Ok(tap)
    }

    /// What is there and was not read yet, at most one read per partition; empty at the end of all of them. A partition that
    /// failed is read again by the next call: its error is reported only when the others brought nothing.
    pub fn read(&mut self) -> broker::Result<Vec<Message>> {
        let (mut messages, mut failed, mut has_moved) = (Vec::new(), None, false);
        for (at, next) in &mut self.next {
            match self.broker.read(at, *next, READ_RECORDS, READ_BYTES) {
                Ok(read) => {
                    if let Some(last) = read.last() {
                        *next = last.offset + 1;
                    }
                    messages.extend(read);
                }
                Err(BrokerError::OffsetOutOfRange { low, offset, .. }) if offset < low => {
                    note!("{}/{}: offsets {offset}..{low} are no longer there", at.topic, at.partition);
                    (*next, has_moved) = (low, true);
                }
                Err(error) if error.is_retriable() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        messages.sort_by_key(|message| message.timestamp_ms);
        if messages.is_empty() {
            failed.map_or(Ok(()), Err)?;
            if has_moved {
                return self.read();
            }
            // A partition that was added has been missed from its first record on.
            self.find_partitions(From::Earliest)?;
        }
        Ok(messages)
    }

    /// False when the topic is not there.
    fn find_partitions(&mut self, from: From) -> broker::Result<bool> {
        let Some(topic) = self.broker.topics()?.into_iter().find(|topic| *topic.name == *self.topic) else {
            return Ok(false);
        };
        for partition in (0..topic.partitions).filter(|partition| self.only.is_none_or(|only| only == *partition)) {
            let at = TopicPartition { topic: topic.name.clone(), partition };
            if !self.next.contains_key(&at) {
                let begin = self.begin(&at, from)?;
                self.next.insert(at, begin);
            }
        }
        Ok(true)
    }

    fn begin(&self, at: &TopicPartition, from: From) -> broker::Result<u64> {
        let Watermarks { low, high } = self.broker.watermarks(at)?;
        Ok(match from {
            From::Earliest => low,
            From::Latest => high,
            From::Offset(offset) => offset.clamp(low, high),
            From::Time(ms) => self.broker.offset_for_time(at, ms)?.unwrap_or(high),
        })
    }
}

#[cfg(test)]
mod tests;
