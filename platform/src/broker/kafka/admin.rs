//! Topics made, changed and looked at.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::runtime::Runtime;
use tracing::{debug, warn};

use super::client::{self, Client};
use super::settings::KafkaSettings;
use super::{REQUEST_TIMEOUT, Result, errors, native, signed_partition, unknown, unsigned};
use crate::broker::{
    BrokerError, Limit, RECORD_BYTES_MAX, Replication, TopicChange, TopicInfo, TopicPartition, TopicSettings,
    TopicSpec, Watermarks,
};
use crate::lifecycle::Shutdown;
use crate::retry::Backoff;

/// How often a client that connects is asked how it goes.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// For what librdkafka has to tell after an attempt that failed.
const EVENTS_TIME: Duration = Duration::from_millis(200);
/// A broker that no client reaches within this time is not just starting.
const UNREACHABLE: Duration = Duration::from_secs(5);

/// Ours may take a minute, then the coordinator ends them; it looks every ten seconds. Those of others may take longer.
const OPEN_TRANSACTION_MAX: Duration = Duration::from_secs(90);

/// Settings of a topic, by Kafka's names, and their values.
const CLEANUP_POLICY: &str = "cleanup.policy";
const COMPACT: &str = "compact";
const DELETE: &str = "delete";
const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const MIN_IN_SYNC: &str = "min.insync.replicas";
const UNCLEAN_ELECTION: &str = "unclean.leader.election.enable";

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
        wait_for_answer(&looker, &doing)?;
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

    /// Ids of these topics as they are now; a topic that is not there has none.
    pub fn topic_ids(&self, names: &[&str]) -> Result<HashMap<String, String>> {
        native::topic_ids(self.client.inner(), names)
    }

    pub fn create(&self, spec: &TopicSpec, replication_factor: Option<u16>) -> Result<()> {
        let replication = TopicReplication::Fixed(replication_factor.map_or(-1, i32::from));
        let (retention_ms, retention_bytes) =
            (limit_text(spec.retention_ms.into()), limit_text(spec.retention_bytes.into()));
        let message_bytes = RECORD_BYTES_MAX.to_string();
        let mut topic = NewTopic::new(&spec.name, signed_partition(spec.partitions), replication)
            .set(CLEANUP_POLICY, if spec.compacted { COMPACT } else { DELETE })
            .set(RETENTION_MS, &retention_ms)
            .set(RETENTION_BYTES, &retention_bytes)
            .set(MAX_MESSAGE_BYTES, &message_bytes);
        if replication_factor.is_some_and(|copies| copies >= 3) {
            // One copy may be away; a record that is there once only does not count as written.
            topic = topic.set(MIN_IN_SYNC, "2");
        }
        let doing = || format!("creating topic {}", spec.name);
        let done = self.runtime.block_on(self.client.create_topics([&topic], &options()));
        for outcome in done.map_err(|e| errors::of(&e, doing))? {
            match outcome {
                // Another client was faster.
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(errors::of_code(code, doing(), code.to_string())),
            }
        }
        Ok(())
    }

    fn config_of(&self, what: &ResourceSpecifier<'_>, doing: impl Fn() -> String) -> Result<ConfigResource> {
        let asked = self.runtime.block_on(self.client.describe_configs([what], &options()));
        match asked.map_err(|e| errors::of(&e, &doing))?.pop() {
            Some(Ok(config)) => Ok(config),
            Some(Err(code)) => Err(errors::of_code(code, doing(), code.to_string())),
            None => Err(BrokerError::Fatal { doing: doing(), reason: "the cluster reported nothing".to_owned() }),
        }
    }

    /// How long members of the consumer protocol (KIP-848) may be silent; `None` when the cluster does not have it, or
    /// does not tell us.
    pub fn consumer_silence(&self) -> Option<Duration> {
        let metadata = self.client.inner().fetch_metadata(None, REQUEST_TIMEOUT).ok()?;
        let broker = ResourceSpecifier::Broker(metadata.brokers().first()?.id());
        let doing = || "asking which group protocols the cluster has".to_owned();
        let config =
            self.config_of(&broker, doing).inspect_err(|error| debug!(%error, "the classic one, then")).ok()?;
        let text = |key: &str| config.get(key)?.value.as_deref();
        let has_it = text("group.coordinator.rebalance.protocols")?.split(',').any(|one| one.trim() == "consumer");
        let silence_ms = text("group.consumer.session.timeout.ms")?.parse().ok()?;
        has_it.then(|| Duration::from_millis(silence_ms))
    }

    pub fn settings(&self, name: &str) -> Result<TopicSettings> {
        let doing = || format!("asking for the settings of topic {name}");
        let metadata =
            self.client.inner().fetch_metadata(Some(name), REQUEST_TIMEOUT).map_err(|e| errors::of(&e, doing))?;
        let copies = metadata.topics().iter().flat_map(|topic| topic.partitions()).map(|p| p.replicas().len()).min();
        let copies = copies.ok_or_else(|| BrokerError::UnknownTopic(name.to_owned()))?;
        let config = self.config_of(&ResourceSpecifier::Topic(name), doing)?;
        let text = |key: &str| config.get(key).and_then(|entry| entry.value.as_deref()).unwrap_or_default();
        // -1 is no limit.
        let limit = |key: &str| text(key).parse::<u64>().ok();
        let policy = text(CLEANUP_POLICY);
        let (compacted, deletes) = (policy.contains(COMPACT), policy.contains(DELETE));
        Ok(TopicSettings {
            compacted,
            retention_ms: limit(RETENTION_MS).filter(|_| deletes),
            retention_bytes: limit(RETENTION_BYTES).filter(|_| deletes),
            record_bytes_max: text(MAX_MESSAGE_BYTES).parse().unwrap_or_default(),
            replication: Some(Replication {
                copies,
                in_sync_min: text(MIN_IN_SYNC).parse().unwrap_or(1),
                unclean_leader_election: text(UNCLEAN_ELECTION) == "true",
            }),
        })
    }

    /// Sets what is to be different. The cluster may show it a moment later.
    pub fn alter(&self, topic: &TopicInfo, change: &TopicChange) -> Result<()> {
        let doing = format!("changing topic {}", topic.name);
        if let Some(reason) = change.refusal(topic.partitions, self.settings(&topic.name)?.compacted) {
            return Err(BrokerError::Fatal { doing, reason });
        }
        let limits = [(RETENTION_MS, change.retention_ms), (RETENTION_BYTES, change.retention_bytes)];
        let settings: Vec<_> =
            limits.into_iter().filter_map(|(key, wanted)| Some((key, limit_text(wanted?)))).collect();
        if !settings.is_empty() {
            native::set_topic_settings(self.client.inner(), &topic.name, &settings, &doing)?;
        }
        if let Some(wanted) = change.partitions.filter(|wanted| *wanted != topic.partitions) {
            let count = usize::try_from(wanted).unwrap_or(usize::MAX);
            let partitions = NewPartitions::new(&topic.name, count);
            let done = self.runtime.block_on(self.client.create_partitions([&partitions], &options()));
            for outcome in done.map_err(|e| errors::of(&e, || doing.clone()))? {
                outcome.map_err(|(_, code)| errors::of_code(code, doing.clone(), code.to_string()))?;
            }
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
    pub fn watermarks(&self, topic_partition: &TopicPartition) -> Result<Watermarks> {
        let ask = || {
            self.looker.fetch_watermarks(
                &topic_partition.topic,
                signed_partition(topic_partition.partition),
                REQUEST_TIMEOUT,
            )
        };
        let (low, high) = self
            .knowing(topic_partition, || of_leader(ask))
            .map_err(|e| of_partition(&e, topic_partition, "asking for the offsets of"))?;
        Ok(Watermarks { low: unsigned(low), high: unsigned(high) })
    }

    /// Asks for a partition that exists. One that was added since the client has learned of the topic is unknown to it for up to
    /// five minutes, unless it looks at the topic again.
    fn knowing<T>(&self, at: &TopicPartition, ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
        let answer = ask();
        let code = answer.as_ref().err().and_then(errors::code);
        if code != Some(RDKafkaErrorCode::UnknownPartition) {
            return answer;
        }
        self.looker.fetch_metadata(Some(&at.topic), REQUEST_TIMEOUT)?;
        ask()
    }

    /// Waits until the transactions that are open in these partitions now have ended.
    pub fn wait_for_open_transactions(
        &self,
        settings: &KafkaSettings,
        partitions: &[TopicPartition],
        shutdown: &Shutdown,
    ) -> Result<()> {
        let sent = ends(&client::onlooker_ahead(settings)?, partitions)?;
        let (started, mut warned) = (Instant::now(), false);
        while !shutdown.is_requested() {
            let seen = self.ends(partitions)?;
            let open = partitions.iter().filter(|at| seen.get(at) < sent.get(at)).collect::<Vec<_>>();
            let Some(first) = open.first() else { break };
            if started.elapsed() > OPEN_TRANSACTION_MAX {
                warn!(topic = %first.topic, partition = first.partition, "going on without what a transaction that stays open hides");
                break;
            }
            if !warned && started.elapsed() > Duration::from_secs(1) {
                warned = true;
                warn!(topic = %first.topic, partition = first.partition, "waiting for a transaction that another producer left open");
            }
            let _stop = shutdown.wait_timeout(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The ends of several partitions, as `watermarks` has them, in one request to each broker.
    pub fn ends(&self, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, u64>> {
        ends(&self.looker, partitions)
    }

    pub fn offset_for_time(&self, topic_partition: &TopicPartition, timestamp_ms: i64) -> Result<Option<u64>> {
        let mut times = TopicPartitionList::new();
        // Kafka keeps times before 1970 for its own meanings.
        let _ = times.add_partition_offset(
            &topic_partition.topic,
            signed_partition(topic_partition.partition),
            Offset::Offset(timestamp_ms.max(0)),
        );
        let ask = || {
            let found = self.looker.offsets_for_times(times.clone(), REQUEST_TIMEOUT)?;
            let element = found.elements().first().map(|element| (element.error(), element.offset()));
            element.map(|(outcome, offset)| outcome.map(|()| offset)).transpose()
        };
        match self
            .knowing(topic_partition, || of_leader(ask))
            .map_err(|e| of_partition(&e, topic_partition, "looking up a time in"))?
        {
            Some(Offset::Offset(offset)) => Ok(Some(unsigned(offset))),
            _ => Ok(None),
        }
    }
}

/// Asks again while the partition has another leader than the client knows of, as it has for a moment after it moved or its
/// topic was recreated: the client looks for it then.
fn of_leader<T>(ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition};
    let (started, mut backoff) = (Instant::now(), Backoff::new(Duration::from_millis(50), Duration::from_secs(1)));
    loop {
        let answer = ask();
        let code = answer.as_ref().err().and_then(errors::code);
        let moved = matches!(code, Some(NotLeaderForPartition | LeaderNotAvailable));
        if !moved || started.elapsed() > REQUEST_TIMEOUT {
            return answer;
        }
        thread::sleep(backoff.next_delay());
    }
}

fn ends(looker: &BaseConsumer<Client>, partitions: &[TopicPartition]) -> Result<HashMap<TopicPartition, u64>> {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        let _ = list.add_partition_offset(&at.topic, signed_partition(at.partition), Offset::End);
    }
    let doing = || "asking for the ends of partitions".to_owned();
    let ask = || looker.offsets_for_times(list.clone(), REQUEST_TIMEOUT);
    let found = of_leader(ask).map_err(|e| errors::of(&e, doing))?;
    let end = |at: &TopicPartition| {
        let element = found.find_partition(&at.topic, signed_partition(at.partition))?;
        match (element.error(), element.offset()) {
            (Ok(()), Offset::Offset(end)) => Some((at.clone(), unsigned(end))),
            _ => None,
        }
    };
    Ok(partitions.iter().filter_map(end).collect())
}

/// As Kafka writes it.
fn limit_text(limit: Limit) -> String {
    limit.value().map_or_else(|| "-1".to_owned(), |value| value.to_string())
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

/// Asks until a broker answers. A refusal is reported at once; without an answer the broker may still be starting.
fn wait_for_answer(looker: &BaseConsumer<Client>, doing: &dyn Fn() -> String) -> Result<()> {
    let started = Instant::now();
    loop {
        let Err(error) = looker.fetch_metadata(None, ASK_EVERY) else { return Ok(()) };
        // librdkafka tells in passing, when it is polled, why it has no connection, and goes on trying. A poll serves one event, and that
        // it was a refusal may come behind what is only logged of it.
        let asked = Instant::now();
        while asked.elapsed() < EVENTS_TIME && !looker.context().is_refused() {
            let _no_record = looker.poll(EVENTS_TIME / 10);
        }
        let trouble = looker.context().trouble();
        let reason = format!("{error}{trouble}");
        if looker.context().is_refused() {
            return Err(BrokerError::Denied { doing: doing(), reason });
        }
        let patience = if trouble.is_empty() { REQUEST_TIMEOUT } else { UNREACHABLE };
        if started.elapsed() >= patience {
            return Err(BrokerError::Retriable { doing: doing(), reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use rdkafka::error::KafkaError;

    use super::*;

    #[test]
    fn a_leader_that_moved_is_asked_for_again_and_nothing_else() {
        let check = |code, expected_asks| {
            let asks = Cell::new(0);
            let answer = of_leader(|| {
                asks.set(asks.get() + 1);
                if asks.get() < 3 { Err(KafkaError::MetadataFetch(code)) } else { Ok(()) }
            });
            assert_eq!((asks.get(), answer.is_ok()), (expected_asks, expected_asks == 3), "{code}");
        };
        check(RDKafkaErrorCode::NotLeaderForPartition, 3);
        check(RDKafkaErrorCode::LeaderNotAvailable, 3);
        check(RDKafkaErrorCode::UnknownPartition, 1);
        check(RDKafkaErrorCode::TopicAuthorizationFailed, 1);
    }
}
