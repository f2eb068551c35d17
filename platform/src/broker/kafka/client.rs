//! What all clients of the cluster have in common: configuration, and a context that logs and remembers why it fails.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{NoCustomPartitioner, ProducerContext};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{ClientConfig, ClientContext, Message as _, TopicPartitionList};
use tracing::{debug, warn};

use super::errors::{self, lock};
use super::settings::{KafkaSettings, OAUTHBEARER, Sasl};
use super::{Result, unsigned, unsigned_partition};
use crate::broker::{Appended, TopicPartition};
use crate::config::Secret;

/// Largest answer of a broker, and largest batch once unpacked (zstd). Topics may take much more than we send, and 40 MB of blanks
/// are some kB on the wire: such a record must come through, to be refused by its reader. What is larger is an error that
/// names its place. Memory is taken only for what comes.
const BATCH_BYTES_MAX: usize = 256 << 20;

/// In OpenSSL's words for what the other side says before it closes a connection. librdkafka passes on no more than this text.
const TLS_ALERT: &str = "SSL alert number ";
/// Alerts about a certificate (RFC 8446, 6.2): bad, unsupported, revoked, expired, unknown, of an unknown issuer, denied, required.
/// Others, such as an internal error of a broker that is starting, may pass.
const CERTIFICATE_ALERTS: [&str; 9] = ["42", "43", "44", "45", "46", "48", "49", "113", "116"];

fn is_about_certificates(reason: &str) -> bool {
    let number = reason.split_once(TLS_ALERT).map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
    number.flatten().is_some_and(|number| CERTIFICATE_ALERTS.contains(&number))
}

/// A change of the assignment, as the group's coordinator decided it.
#[derive(Debug)]
pub(super) enum Rebalance {
    Assigned(Vec<TopicPartition>),
    Revoked(Vec<TopicPartition>),
    Lost(Vec<TopicPartition>),
}

/// Context of a client.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// The last thing that went wrong on a connection; the refusal, once there was one.
    trouble: Mutex<Option<String>>,
    /// It was about who we are: to try again is of no use.
    is_refused: AtomicBool,
    rebalances: Mutex<VecDeque<Rebalance>>,
    /// The client is closing: assignments are given back at once.
    is_leaving: AtomicBool,
    deliveries: Mutex<Deliveries>,
}

/// Where the records of the present transaction went.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    pub at: Vec<Option<Appended>>,
    /// The first record that could not be sent, by its number, and why.
    pub failed: Option<(usize, KafkaError)>,
}

impl Client {
    /// What went wrong last, as words to append to an error.
    pub fn trouble(&self) -> String {
        lock(&self.trouble).as_ref().map(|trouble| format!(" ({trouble})")).unwrap_or_default()
    }

    /// True when brokers or the identity provider did not accept who we are, or we did not accept who they are.
    pub fn is_refused(&self) -> bool {
        self.is_refused.load(Ordering::SeqCst)
    }

    fn refused(&self, reason: &str) {
        *lock(&self.trouble) = Some(reason.to_owned());
        self.is_refused.store(true, Ordering::SeqCst);
    }

    fn note(&self, trouble: &str) {
        if !self.is_refused() {
            *lock(&self.trouble) = Some(trouble.to_owned());
        }
    }

    pub fn next_rebalance(&self) -> Option<Rebalance> {
        lock(&self.rebalances).pop_front()
    }

    pub fn has_rebalance(&self) -> bool {
        !lock(&self.rebalances).is_empty()
    }

    pub fn leaving(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
    }

    /// Expects deliveries of this many records.
    pub fn expect(&self, records: usize) {
        *lock(&self.deliveries) = Deliveries { at: vec![None; records], failed: None };
    }

    pub fn take_deliveries(&self) -> Deliveries {
        std::mem::take(&mut *lock(&self.deliveries))
    }
}

impl ClientContext for Client {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                self.note(message);
                warn!(facility, "kafka: {message}");
            }
            _ => debug!(facility, "kafka: {message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            // The end of a partition is no trouble; a poll reports it, too. That all brokers are down says less than
            // what was said of each.
            Some(RDKafkaErrorCode::PartitionEOF | RDKafkaErrorCode::AllBrokersDown) => return,
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) => self.refused(reason),
            // A broker that does not accept our certificate says so after the handshake (TLS 1.3), which is a failure of transport
            // to librdkafka. The next attempts may find a closed connection only.
            _ if is_about_certificates(reason) => self.refused(reason),
            _ => self.note(reason),
        }
        debug!(%error, reason, "kafka client in trouble");
    }
}

impl ConsumerContext for Client {
    /// Only notes what is to happen. The member does it in its next poll, so that its owner can first use or give up
    /// what changes hands.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_given = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.is_leaving.load(Ordering::SeqCst) {
            let nothing = TopicPartitionList::new();
            let done =
                if is_given { consumer.incremental_assign(&nothing) } else { consumer.incremental_unassign(list) };
            if let Err(error) = done {
                debug!(%error, "giving back partitions");
            }
            return;
        }
        let at = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| TopicPartition {
            topic: element.topic().into(),
            partition: unsigned_partition(element.partition()),
        };
        let partitions = list.elements().into_iter().map(at).collect();
        let change = match is_given {
            true => Rebalance::Assigned(partitions),
            false if consumer.assignment_lost() => Rebalance::Lost(partitions),
            false => Rebalance::Revoked(partitions),
        };
        lock(&self.rebalances).push_back(change);
    }
}

impl ProducerContext<NoCustomPartitioner> for Client {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, index: usize) {
        let mut deliveries = lock(&self.deliveries);
        match result {
            Ok(message) => {
                let appended =
                    Appended { partition: unsigned_partition(message.partition()), offset: unsigned(message.offset()) };
                if let Some(slot) = deliveries.at.get_mut(index) {
                    *slot = Some(appended);
                }
            }
            Err((error, _)) => {
                // What an abort throws out of the queue says nothing of why.
                let is_thrown_out =
                    matches!(errors::code(error), Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight));
                if !is_thrown_out {
                    deliveries.failed.get_or_insert_with(|| (index, error.clone()));
                }
            }
        }
    }
}

/// Configuration of any client.
pub(super) fn config(settings: &KafkaSettings, name: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    let security = &settings.security;
    config
        .set("bootstrap.servers", settings.brokers.join(","))
        .set("client.id", name)
        .set("topic.metadata.refresh.interval.ms", "5000")
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true")
        .set_log_level(RDKafkaLogLevel::Info);
    if !security.protocol.is_empty() {
        config.set("security.protocol", &security.protocol);
    }
    let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let secret = |secret: &Secret| Some(secret.expose().to_owned());
    let mut texts = vec![
        ("ssl.ca.location", path(&security.ca_file)),
        ("ssl.certificate.location", path(&security.certificate_file)),
        ("ssl.key.location", path(&security.key_file)),
        ("ssl.key.password", security.key_password.as_ref().and_then(secret)),
    ];
    match &security.sasl {
        None => {}
        Some(Sasl::Password { mechanism, username, password }) => texts.extend([
            ("sasl.mechanism", Some(mechanism.clone())),
            ("sasl.username", Some(username.clone())),
            ("sasl.password", secret(password)),
        ]),
        Some(Sasl::Token { url, client_id, client_secret, scope, extensions, ca_file }) => texts.extend([
            ("sasl.mechanism", Some(OAUTHBEARER.to_owned())),
            ("sasl.oauthbearer.method", Some("oidc".to_owned())),
            ("sasl.oauthbearer.token.endpoint.url", Some(url.clone())),
            ("sasl.oauthbearer.client.id", Some(client_id.clone())),
            ("sasl.oauthbearer.client.secret", secret(client_secret)),
            ("sasl.oauthbearer.scope", scope.clone()),
            ("sasl.oauthbearer.extensions", extensions.clone()),
            ("https.ca.location", path(ca_file)),
        ]),
    }
    for (key, value) in texts {
        if let Some(value) = value {
            config.set(key, value);
        }
    }
    config
}

/// Configuration of any consumer.
pub(super) fn consumer_config(settings: &KafkaSettings, name: &str, group: &str) -> ClientConfig {
    let mut config = config(settings, name);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("fetch.message.max.bytes", (1 << 20).to_string())
        .set("fetch.max.bytes", (16 << 20).to_string())
        .set("receive.message.max.bytes", BATCH_BYTES_MAX.to_string())
        // Else a batch that disk or network have damaged is read as records.
        .set("check.crcs", "true")
        .set("queued.max.messages.kbytes", "16384")
        // That limit is of values: librdkafka counts neither keys nor headers. So few records may wait that they cannot be
        // much either; whatever one answer holds comes at once.
        .set("queued.min.messages", "16")
        // Who finds that much waiting looks again after this time, by itself only after a second.
        .set("fetch.queue.backoff.ms", "5");
    config
}

/// A client that may ask for a group's offsets and does not join it.
pub(super) fn onlooker(settings: &KafkaSettings, group: &str) -> Result<BaseConsumer<Client>> {
    made(&consumer_config(settings, "finops", group))
}

/// A client that sees what is in transactions that have not ended, too; it only asks how far that goes.
pub(super) fn onlooker_ahead(settings: &KafkaSettings) -> Result<BaseConsumer<Client>> {
    made(consumer_config(settings, "finops", "finops.looks.only").set("isolation.level", "read_uncommitted"))
}

/// A client that joins no group.
pub(super) fn made(config: &ClientConfig) -> Result<BaseConsumer<Client>> {
    config.create_with_context(Client::default()).map_err(|e| errors::of(&e, || "making a Kafka client".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::is_about_certificates;

    #[test]
    fn alerts_about_certificates_are_distinguished_from_others() {
        let alert = |number| {
            format!("ssl://b:9093/0: SSL routines::tlsv13 alert certificate required: SSL alert number {number}: x")
        };
        for number in [42, 46, 116] {
            assert!(is_about_certificates(&alert(number)), "{number}");
        }
        for number in [40, 80, 4] {
            assert!(!is_about_certificates(&alert(number)), "{number}");
        }
        assert!(!is_about_certificates("Disconnected"));
    }
}
