//! What a validator has when it begins: its topics, what they take, and its place in the group.

use contracts::topics;
use platform::broker::{
    Broker, BrokerError, ConsumerConfig, Processor, Start, TopicInfo, TopicPartition, TopicSpec, Topics, lag,
};
use platform::lifecycle::Shutdown;
use platform::service::Until;

use crate::config::ValidatorConfig;
use crate::limits;

/// What a validator has when it begins.
pub(crate) struct Begun {
    pub valid: TopicInfo,
    /// Bytes that the topic of valid records takes.
    pub valid_bytes_max: usize,
    pub dead: TopicInfo,
    /// Bytes that the topic of dead letters takes.
    pub dead_bytes_max: usize,
    /// Offsets that have to be reached before it ends.
    pub targets: Vec<(TopicPartition, u64)>,
    pub processor: Box<dyn Processor>,
}

/// Makes the topics that are missing and joins the group. May be done again when it fails.
pub(crate) fn begin(config: &ValidatorConfig, broker: &dyn Broker, shutdown: &Shutdown) -> Result<Begun, BrokerError> {
    let topic = |name: &str, partitions| TopicSpec {
        name: name.to_owned(),
        partitions,
        compacted: false,
        retention_ms: None,
        retention_bytes: None,
    };
    broker.ensure_topic(&topic(topics::WIRE, config.dead_partitions))?;
    let valid = broker.ensure_topic(&topic(&config.pipeline_topics.valid, config.valid_partitions))?;
    let dead = broker.ensure_topic(&topic(&config.pipeline_topics.dead_letters, config.dead_partitions))?;
    let targets = match (config.until, &config.selection) {
        (Until::Shutdown, _) => Vec::new(),
        (Until::Drained, Some(selection)) => selection.ranges.iter().map(|(at, r)| (at.clone(), r.end)).collect(),
        (Until::Drained, None) => lag::ends(broker, topics::is_wire, shutdown)?,
    };
    let processor = broker.processor(ConsumerConfig {
        group: config.pipeline_topics.validators.clone(),
        topics: Topics::Family(topics::WIRE.to_owned()),
        member: config.member.clone(),
        start: Start::Earliest,
        session_timeout: config.session_timeout,
        poll_records_max: config.step_records_max,
        poll_bytes_max: config.step_bytes_max,
    })?;
    let valid_bytes_max = limits::record_bytes_max(broker, &config.pipeline_topics.valid)?;
    let dead_bytes_max = limits::record_bytes_max(broker, &config.pipeline_topics.dead_letters)?;
    Ok(Begun { valid, valid_bytes_max, dead, dead_bytes_max, targets, processor })
}
