//! Topics made, changed and looked at.

use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;

use super::client::{self, Client, MESSAGE_BYTES_MAX};
use super::settings::KafkaSettings;
use super::{REQUEST_TIMEOUT, Result, errors, native, signed_partition, unknown, unsigned};
use crate::broker::{BrokerError, TopicInfo, TopicPartition, TopicSpec, Watermarks};

/// Within this time a client has told why it has no connection.
const TROUBLE_TOLD: Duration = Duration::from_secs(2);

pub(super) struct Admin {
    client: AdminClient<Client>,
    /// Asks for offsets; in no group.
    looker: BaseConsumer<Client>,
    /// The client answers by futures.
    runtime: Runtime,
}

impl Admin {
    pub fn connect(settings: &KafkaSettings) -> Result<Self> {
        let doing = || format!("connecting to Kafka at {}", settings.brokers.join(","));
        let client: AdminClient<Client> = client::config(settings, "finops")
            .create_with_context(Client::default())
            .map_err(|e| errors::of(&e, doing))?;
        let looker = client::onlooker(settings, "finops.looks.only")?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(|e| BrokerError::Fatal { doing: doing(), reason: e.to_string() })?;
        looker.fetch_metadata(None, REQUEST_TIMEOUT).map_err(|e| {
            let reason = format!("{e}{}", trouble(&looker));
            // librdkafka tells refused credentials only in passing, and goes on trying.
            match reason.contains("uthentication") || reason.contains("SSL") {
                true => BrokerError::Fatal { doing: doing(), reason },
                false => BrokerError::Retriable { doing: doing(), reason },
            }
        })?;
        Ok(Self { client, looker, runtime })
    }

    /// All topics but the cluster's own, by name.
    pub fn topics(&self) -> Result<Vec<TopicInfo>> {
        let client = self.client.inner();
        let metadata = client
            .fetch_metadata(None, REQUEST_TIMEOUT)
            .map_err(|e| errors::of(&e, || "asking the cluster for its topics".to_owned()))?;
        let there: Vec<_> =
            metadata.topics().iter().filter(|t| t.error().is_none() && !t.name().starts_with("__")).collect();
        let ids = native::topic_ids(client, &there.iter().map(|topic| topic.name()).collect::<Vec<_>>())?;
        let info = |topic: &&rdkafka::metadata::MetadataTopic| {
            let id = ids.get(topic.name())?;
            let partitions = u32::try_from(topic.partitions().len()).ok()?;
            Some(TopicInfo { name: topic.name().into(), id: id.as_str().into(), partitions })
        };
        let mut topics: Vec<_> = there.iter().filter_map(info).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    pub fn create(&self, spec: &TopicSpec, replication_factor: Option<u16>) -> Result<()> {
        let replication = TopicReplication::Fixed(replication_factor.map_or(-1, i32::from));
        let bytes = |value: Option<u64>| value.map_or_else(|| "-1".to_owned(), |value| value.to_string());
        let (retention_ms, retention_bytes) = (bytes(spec.retention_ms), bytes(spec.retention_bytes));
        let message_bytes = MESSAGE_BYTES_MAX.to_string();
        let topic = NewTopic::new(&spec.name, signed_partition(spec.partitions), replication)
            .set("cleanup.policy", if spec.compacted { "compact" } else { "delete" })
            .set("retention.ms", &retention_ms)
            .set("retention.bytes", &retention_bytes)
            .set("max.message.bytes", &message_bytes);
        let doing = || format!("creating topic {}", spec.name);
        let done = self.runtime.block_on(self.client.create_topics([&topic], &options()));
        for outcome in done.map_err(|e| errors::of(&e, doing))? {
            match outcome {
                // Somebody was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(errors::of_code(code, doing(), code.to_string())),
            }
        }
        Ok(())
    }

    pub fn add_partitions(&self, name: &str, partitions: u32) -> Result<()> {
        let doing = || format!("adding partitions to topic {name}");
        let count = usize::try_from(partitions).unwrap_or(usize::MAX);
        let wanted = NewPartitions::new(name, count);
        let done = self.runtime.block_on(self.client.create_partitions([&wanted], &options()));
        for outcome in done.map_err(|e| errors::of(&e, doing))? {
            outcome.map_err(|(_, code)| errors::of_code(code, doing(), code.to_string()))?;
        }
        Ok(())
    }

    pub fn delete(&self, name: &str) -> Result<()> {
        let doing = || format!("deleting topic {name}");
        let done = self.runtime.block_on(self.client.delete_topics(&[name], &options()));
        for outcome in done.map_err(|e| errors::of(&e, doing))? {
            outcome.map_err(|(_, code)| errors::of_code(code, doing(), code.to_string()))?;
        }
        Ok(())
    }

    /// The end is that of committed records: what an open transaction has written is not there yet.
    pub fn watermarks(&self, at: &TopicPartition) -> Result<Watermarks> {
        let (low, high) = self
            .looker
            .fetch_watermarks(&at.topic, signed_partition(at.partition), REQUEST_TIMEOUT)
            .map_err(|e| of_partition(&e, at, "asking for the offsets of"))?;
        Ok(Watermarks { low: unsigned(low), high: unsigned(high) })
    }

    pub fn offset_for_time(&self, at: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        let mut times = TopicPartitionList::new();
        // Kafka keeps times before 1970 for its own meanings.
        let _ =
            times.add_partition_offset(&at.topic, signed_partition(at.partition), Offset::Offset(timestamp_ms.max(0)));
        let found = self
            .looker
            .offsets_for_times(times, REQUEST_TIMEOUT)
            .map_err(|e| of_partition(&e, at, "looking up a time in"))?;
        let offset = found.elements().first().map(|element| (element.error(), element.offset()));
        match offset {
            Some((Ok(()), Offset::Offset(offset))) => Ok(Some(unsigned(offset))),
            Some((Err(error), _)) => Err(of_partition(&error, at, "looking up a time in")),
            _ => Ok(None),
        }
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

fn of_partition(error: &rdkafka::error::KafkaError, at: &TopicPartition, doing: &str) -> BrokerError {
    use RDKafkaErrorCode::{UnknownPartition, UnknownTopic, UnknownTopicOrPartition};
    match errors::code(error) {
        Some(UnknownTopicOrPartition | UnknownTopic | UnknownPartition) => unknown(at),
        _ => errors::of(error, || format!("{doing} {}/{}", at.topic, at.partition)),
    }
}

/// What went wrong on a connection: a client learns it when it polls.
fn trouble(client: &BaseConsumer<Client>) -> String {
    let started = Instant::now();
    while client.context().trouble().is_empty() && started.elapsed() < TROUBLE_TOLD {
        let _ = client.poll(Duration::from_millis(50));
    }
    client.context().trouble()
}
