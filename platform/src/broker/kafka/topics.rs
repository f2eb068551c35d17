//! The cluster's topics, remembered for a while: asked for per batch, they must not cost a request each time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracing::debug;

use super::admin::Admin;
use super::errors::lock;
use super::{Result, unknown};
use crate::broker::{BrokerError, TopicInfo, TopicPartition};

/// How long an answer is taken for true. A recreated topic is noticed then.
const FRESH: Duration = Duration::from_secs(10);
/// How long the cluster may take to tell every broker of a change.
const SETTLE: Duration = Duration::from_secs(30);

/// How long the limit of a topic is taken for true. One that was lowered meanwhile is noticed by a refusal.
const LIMIT_FRESH: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Topics {
    known: Mutex<Option<Known>>,
    limits: Mutex<HashMap<Arc<str>, Limit>>,
}

struct Limit {
    since: Instant,
    /// `None` when the cluster does not say.
    record_bytes_max: Option<usize>,
}

struct Known {
    since: Instant,
    by_name: BTreeMap<Arc<str>, TopicInfo>,
}

impl Topics {
    /// All topics, by name, as they are now.
    pub fn refresh(&self, admin: &Admin) -> Result<Vec<TopicInfo>> {
        let topics = admin.topics()?;
        let by_name = topics.iter().map(|topic| (topic.name.clone(), topic.clone())).collect();
        *lock(&self.known) = Some(Known { since: Instant::now(), by_name });
        Ok(topics)
    }

    /// A topic, as it was a moment ago.
    pub fn info(&self, admin: &Admin, name: &str) -> Result<TopicInfo> {
        if let Some(known) = self.remembered(name) {
            return Ok(known);
        }
        self.refresh(admin)?;
        self.remembered(name).ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))
    }

    /// Fails when the partition is not there.
    pub fn partition(&self, admin: &Admin, topic_partition: &TopicPartition) -> Result<()> {
        if self.info(admin, &topic_partition.topic)?.partitions > topic_partition.partition {
            return Ok(());
        }
        self.refresh(admin)?;
        let known =
            self.remembered(&topic_partition.topic).is_some_and(|topic| topic.partitions > topic_partition.partition);
        if known { Ok(()) } else { Err(unknown(topic_partition)) }
    }

    /// Waits until the cluster shows a topic as it should be.
    pub fn wait_for(&self, admin: &Admin, name: &str, is_so: impl Fn(Option<&TopicInfo>) -> bool) -> Result<()> {
        let started = Instant::now();
        loop {
            let topics = self.refresh(admin)?;
            if is_so(topics.iter().find(|topic| *topic.name == *name)) {
                return Ok(());
            }
            if started.elapsed() > SETTLE {
                let reason = format!("the cluster does not show the change after {} s", SETTLE.as_secs());
                return Err(BrokerError::Retriable { doing: format!("changing topic {name}"), reason });
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Bytes of a batch above which a topic refuses it, as they were a moment ago; `None` when the cluster does not say, as to
    /// those who may not describe its topics.
    pub fn record_bytes_max(&self, admin: &Admin, name: &Arc<str>) -> Option<usize> {
        if let Some(limit) = lock(&self.limits).get(name).filter(|limit| limit.since.elapsed() < LIMIT_FRESH) {
            return limit.record_bytes_max;
        }
        let record_bytes_max = match admin.settings(name) {
            Ok(settings) => Some(settings.record_bytes_max).filter(|bytes| *bytes > 0),
            Err(error) => {
                debug!(%error, "sending without knowing what the topic takes");
                None
            }
        };
        lock(&self.limits).insert(name.clone(), Limit { since: Instant::now(), record_bytes_max });
        record_bytes_max
    }

    /// The next one who needs a limit asks the cluster.
    pub fn forget_limits(&self) {
        lock(&self.limits).clear();
    }

    fn remembered(&self, name: &str) -> Option<TopicInfo> {
        let known = lock(&self.known);
        let known = known.as_ref().filter(|known| known.since.elapsed() < FRESH)?;
        known.by_name.get(name).cloned()
    }
}
