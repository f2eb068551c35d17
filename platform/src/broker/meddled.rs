//! The embedded broker for tests of services: what a service or its member is about to do may be made to fail.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::embedded::EmbeddedBroker;
use super::{
    Appended, Broker, BrokerError, Consumer, ConsumerConfig, GroupOffset, Message, OutRecord, Polled, Processor,
    Producer, Result, TopicInfo, TopicPartition, TopicSettings, TopicSpec, Watermarks,
};

/// What a member is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeddledAct {
    /// The atomic step with this number, from 1, of this member.
    Step(u64),
    /// Storing group offsets.
    Commit,
    /// A question to the broker, or a start of work with it, by the name of the call.
    Call(&'static str),
}

/// Called before a deed; an error is returned to the service instead of doing it.
pub type Meddle = Arc<dyn Fn(MeddledAct) -> Result<()> + Send + Sync>;

/// The embedded broker, whose members are meddled with.
pub struct Meddled {
    inner: EmbeddedBroker,
    meddle: Meddle,
}

impl Meddled {
    /// A broker that asks `meddle` before each deed of its members.
    #[must_use]
    pub fn new(inner: EmbeddedBroker, meddle: impl Fn(MeddledAct) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { inner, meddle: Arc::new(meddle) }
    }
}

/// For a broker whose calls each fail once, as while a cluster moves its leaders.
///
/// # Panics
/// Never: its lock is not held while anything may panic.
pub fn each_call_fails_once() -> impl Fn(MeddledAct) -> Result<()> + Send + Sync {
    let failed = Mutex::new(HashSet::new());
    move |deed| match deed {
        MeddledAct::Call(name) if failed.lock().unwrap_or_else(PoisonError::into_inner).insert(name) => {
            Err(BrokerError::Retriable { doing: format!("asking for {name}"), reason: "timed out".to_owned() })
        }
        _ => Ok(()),
    }
}

struct Member<T: ?Sized> {
    steps: AtomicU64,
    meddle: Meddle,
    inner: Box<T>,
}

impl Broker for Meddled {
    fn ensure_topic(&self, spec: &TopicSpec) -> Result<TopicInfo> {
        (self.meddle)(MeddledAct::Call("ensure_topic"))?;
        self.inner.ensure_topic(spec)
    }
    fn topics(&self) -> Result<Vec<TopicInfo>> {
        (self.meddle)(MeddledAct::Call("topics"))?;
        self.inner.topics()
    }
    fn topic_settings(&self, name: &str) -> Result<TopicSettings> {
        self.inner.topic_settings(name)
    }
    fn delete_topic(&self, name: &str) -> Result<()> {
        (self.meddle)(MeddledAct::Call("delete_topic"))?;
        self.inner.delete_topic(name)
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        self.inner.producer()
    }
    fn consumer(&self, config: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        (self.meddle)(MeddledAct::Call("consumer"))?;
        let inner = self.inner.consumer(config)?;
        Ok(Box::new(Member { inner, steps: AtomicU64::new(0), meddle: self.meddle.clone() }))
    }
    fn processor(&self, config: ConsumerConfig) -> Result<Box<dyn Processor>> {
        (self.meddle)(MeddledAct::Call("processor"))?;
        let inner = self.inner.processor(config)?;
        Ok(Box::new(Member { inner, steps: AtomicU64::new(0), meddle: self.meddle.clone() }))
    }
    fn read(&self, at: &TopicPartition, offset: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Message>> {
        self.inner.read(at, offset, records_max, bytes_max)
    }
    fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        (self.meddle)(MeddledAct::Call("watermarks"))?;
        self.inner.watermarks(at)
    }
    fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        self.inner.offset_for_time(at, timestamp_ms)
    }
    fn group_offsets(&self, group: &str) -> Result<Vec<GroupOffset>> {
        (self.meddle)(MeddledAct::Call("group_offsets"))?;
        self.inner.group_offsets(group)
    }
    fn clean(&self) -> Result<u64> {
        self.inner.clean()
    }
}

impl<T: Consumer + ?Sized> Consumer for Member<T> {
    fn poll(&mut self, timeout: Duration) -> Result<Polled> {
        self.inner.poll(timeout)
    }
    fn seek(&mut self, at: &TopicPartition, offset: u64) -> Result<()> {
        self.inner.seek(at, offset)
    }
    fn pause(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.inner.pause(at)
    }
    fn resume(&mut self, at: &[TopicPartition]) -> Result<()> {
        self.inner.resume(at)
    }
    fn commit(&mut self, offsets: &[GroupOffset]) -> Result<()> {
        (self.meddle)(MeddledAct::Commit)?;
        self.inner.commit(offsets)
    }
    fn leave(&mut self) -> Result<()> {
        (self.meddle)(MeddledAct::Call("leave"))?;
        self.inner.leave()
    }
}

impl<T: Processor + ?Sized> Processor for Member<T> {
    fn step(&mut self, records: &[OutRecord], offsets: &[GroupOffset]) -> Result<Vec<Appended>> {
        (self.meddle)(MeddledAct::Step(self.steps.fetch_add(1, Ordering::SeqCst) + 1))?;
        self.inner.step(records, offsets)
    }
}
