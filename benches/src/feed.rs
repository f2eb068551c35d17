//! A broker in memory that feeds one consumer prepared messages: what is measured is the sink, not a log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use contracts::topics::{self, headers};
use platform::broker::{
    Assignment, Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, Polled, Processor, Producer,
    Result, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
};

/// Messages of the valid topic: `templates` again and again, each with its own source position.
#[derive(Clone)]
pub struct Feed {
    pub templates: Arc<Vec<Message>>,
    pub total: u64,
    pub written: Arc<AtomicU64>,
}

fn unused<T>() -> Result<T> {
    Err(BrokerError::Fatal { doing: "feeding the sink".into(), reason: "the benchmark's broker cannot do this".into() })
}

fn valid() -> TopicPartition {
    TopicPartition { topic: topics::VALID.into(), partition: 0 }
}

impl Feed {
    fn message(&self, offset: u64) -> Message {
        let mut message = self.templates[(offset % self.templates.len() as u64) as usize].clone();
        message.offset = offset;
        message.headers.push(headers::SRC, format!("wire/0/{offset}").as_bytes());
        message
    }
}

impl Broker for Feed {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        Ok(TopicInfo { name: spec.name.as_str().into(), id: spec.name.as_str().into(), partitions: 1 })
    }
    fn topics(&self) -> Result<Vec<TopicInfo>> {
        Ok(vec![TopicInfo { name: topics::VALID.into(), id: topics::VALID.into(), partitions: 1 }])
    }
    fn topic_settings(&self, _: &str) -> Result<TopicSettings> {
        unused()
    }
    fn delete_topic(&self, _: &str) -> Result<()> {
        unused()
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        unused()
    }
    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        let member =
            Member { feed: self.clone(), next: 0, is_assigned: false, records_max: config.poll_records_max as u64 };
        Ok(Box::new(member))
    }
    fn processor(&self, _: ConsumerConfig) -> Result<Box<dyn Processor>> {
        unused()
    }
    /// A sink compares the last record of its chain with what is there.
    fn read(&self, _: &TopicPartition, offset: u64, _: usize, _: usize) -> Result<Vec<Message>> {
        Ok(vec![self.message(offset)])
    }
    fn watermarks(&self, _: &TopicPartition) -> Result<Watermarks> {
        Ok(Watermarks { low: 0, high: self.total })
    }
    fn offset_for_time(&self, _: &TopicPartition, _: i64) -> Result<Option<u64>> {
        unused()
    }
    fn group_offsets(&self, _: &str) -> Result<Vec<GroupOffset>> {
        let offset = self.written.load(Ordering::SeqCst);
        Ok(vec![GroupOffset { at: valid(), offset, metadata: String::new() }])
    }
    fn clean(&self) -> Result<u64> {
        Ok(0)
    }
}

struct Member {
    feed: Feed,
    next: u64,
    is_assigned: bool,
    records_max: u64,
}

impl Consumer for Member {
    fn poll(&mut self, _: Duration) -> Result<Polled> {
        if !self.is_assigned {
            self.is_assigned = true;
            let topic_id = topics::VALID.into();
            return Ok(Polled::Assigned(vec![Assignment { at: valid(), topic_id, position: 0, metadata: None }]));
        }
        let until = (self.next + self.records_max).min(self.feed.total);
        if until == self.next {
            return Ok(Polled::Idle);
        }
        let messages = (self.next..until).map(|offset| self.feed.message(offset)).collect();
        self.next = until;
        Ok(Polled::Records(messages))
    }
    fn seek(&mut self, _: &TopicPartition, offset: u64) -> Result<()> {
        self.next = offset;
        Ok(())
    }
    fn pause(&mut self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
    fn resume(&mut self, _: &[TopicPartition]) -> Result<()> {
        Ok(())
    }
    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        offsets.iter().for_each(|o| self.feed.written.store(o.offset, Ordering::SeqCst));
        Ok(())
    }
    fn leave(&mut self) -> Result<()> {
        Ok(())
    }
}
