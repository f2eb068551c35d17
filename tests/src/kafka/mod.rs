//! A real Apache Kafka for tests: the one named in `FINOPS_TEST_BROKERS`, else one in Docker, else one from Maven
//! Central's jars on the JDK; attacks, which kill it and cut its network, prefer the last one to one in Docker. Where none can
//! be had, tests that need one say why and are skipped, unless
//! `FINOPS_TEST_KAFKA=required`, as in CI.

pub mod admin;
mod container;
mod jars;
pub mod secured;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use platform::broker::Broker;
use platform::broker::kafka::{GroupProtocol, KafkaBroker, KafkaSettings};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use self::jars::Listener;
use crate::network::{Network, Weather};
use crate::pipeline::copy;
use crate::skip;

/// Brokers that are there already, `host:port` with commas between, of a cluster without topics: tests delete all.
pub const BROKERS: &str = "FINOPS_TEST_BROKERS";
/// `required`: no Kafka is a failure, not a skip.
pub const KAFKA: &str = "FINOPS_TEST_KAFKA";

const UP_WITHIN: Duration = Duration::from_secs(90);

/// A cluster; it ends when dropped, if it was started here.
pub struct Cluster {
    brokers: String,
    started: Started,
}

enum Started {
    /// Tests of one process take turns.
    Elsewhere {
        _turn: Turn,
    },
    InDocker {
        _container: Box<container::Container>,
    },
    /// The network lies before a second listener of the broker, whose clients are all sent through it.
    FromJars {
        server: Box<jars::Server>,
        network: Network,
    },
}

impl Cluster {
    /// The cluster, empty; `None`, said aloud, when there can be none.
    ///
    /// # Panics
    /// When it does not come up, or there is none and there has to be.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_by([Self::in_docker, Self::from_jars])
    }

    /// As [`start`](Self::start); one that can be killed and has a network before it, if there can be one.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[must_use]
    pub fn start_to_attack() -> Option<Self> {
        Self::start_by([Self::from_jars, Self::in_docker])
    }

    fn start_by([first, second]: [fn() -> Result<Self, String>; 2]) -> Option<Self> {
        if let Ok(brokers) = std::env::var(BROKERS) {
            let turn = Turn::wait();
            let there = connect(&plaintext(&brokers)).topics().unwrap();
            let names: Vec<_> = there.iter().map(|topic| &*topic.name).collect();
            assert!(names.is_empty(), "{BROKERS} names a cluster with topics, which tests would delete: {names:?}");
            return Some(Self { brokers, started: Started::Elsewhere { _turn: turn } });
        }
        let cluster = first().or_else(|no_first| second().map_err(|no_second| format!("{no_first}; {no_second}")));
        or_skip(cluster).inspect(|cluster| drop(cluster.connect()))
    }

    fn in_docker() -> Result<Self, String> {
        let (container, port) = container::start()?;
        let started = Started::InDocker { _container: Box::new(container) };
        Ok(Self { brokers: format!("127.0.0.1:{port}"), started })
    }

    fn from_jars() -> Result<Self, String> {
        let (direct, mut behind) = (Listener::new("PLAINTEXT", "PLAINTEXT"), Listener::new("BEHIND", "PLAINTEXT"));
        let network = Network::before(behind.port);
        behind.advertised = network.port();
        let brokers = format!("127.0.0.1:{}", direct.port);
        let server = Box::new(jars::Server::start(&[direct, behind], "", &[], Vec::new())?);
        Ok(Self { brokers, started: Started::FromJars { server, network } })
    }

    /// Its brokers, `host:port` with commas between.
    #[must_use]
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// A connection.
    ///
    /// # Panics
    /// When there is none within a time.
    #[must_use]
    pub fn connect(&self) -> KafkaBroker {
        self.connect_by(GroupProtocol::Auto)
    }

    /// A connection whose groups share their partitions by this protocol.
    ///
    /// # Panics
    /// When there is none within a time.
    #[must_use]
    pub fn connect_by(&self, group_protocol: GroupProtocol) -> KafkaBroker {
        connect(&KafkaSettings { group_protocol, ..plaintext(&self.brokers) })
    }

    /// Deletes all topics, and with them what groups know of them.
    ///
    /// # Panics
    /// When the cluster refuses.
    pub fn empty(&self) {
        let broker = self.connect();
        for topic in broker.topics().unwrap() {
            broker.delete_topic(&topic.name).unwrap();
        }
    }

    /// The network that clients of [`brokers`](Self::brokers) do not pass and those of the address given here do; `None`
    /// when the cluster was not started from its jars.
    #[must_use]
    pub fn network(&self) -> Option<(&Network, String)> {
        match &self.started {
            Started::FromJars { network, .. } => Some((network, format!("127.0.0.1:{}", network.port()))),
            _ => None,
        }
    }

    /// Damages what the broker keeps, or mends it again: inverts all bits of this text in the records of a partition. False when
    /// its disk is not ours.
    ///
    /// # Panics
    /// When the text is not there.
    #[must_use]
    pub fn invert(&self, topic: &str, partition: u32, text: &[u8]) -> bool {
        let Started::FromJars { server, .. } = &self.started else { return false };
        let path = server.folder_of(topic, partition).join("00000000000000000000.log");
        let mut bytes = std::fs::read(&path).unwrap();
        let inverted: Vec<u8> = text.iter().map(|byte| !byte).collect();
        let is_it = |window: &[u8]| window == text || window == inverted;
        let at = bytes.windows(text.len()).position(is_it).unwrap();
        bytes[at..at + text.len()].iter_mut().for_each(|byte| *byte = !*byte);
        // In place: the broker has the file open.
        OpenOptions::new().write(true).open(path).unwrap().write_all(&bytes).unwrap();
        true
    }

    /// Copies what the broker keeps of a partition; false when its disk is not ours.
    ///
    /// # Panics
    /// When it cannot be copied.
    #[must_use]
    pub fn keep(&self, topic: &str, partition: u32, to: &Path) -> bool {
        let Started::FromJars { server, .. } = &self.started else { return false };
        copy(&server.folder_of(topic, partition), to);
        true
    }

    /// Kills the broker, and starts it again with a partition as it was when it was [kept](Self::keep): what a copy that lacks records
    /// makes of it when it becomes the leader.
    ///
    /// # Panics
    /// When it does not start.
    pub fn roll_back(&mut self, topic: &str, partition: u32, kept: &Path) {
        self.kill();
        if let Started::FromJars { server, .. } = &self.started {
            let folder = server.folder_of(topic, partition);
            std::fs::remove_dir_all(&folder).unwrap();
            copy(kept, &folder);
        }
        self.restart();
    }

    /// A transaction of another producer, open in every partition of these topics until the producer ends it.
    ///
    /// # Panics
    /// When the cluster refuses.
    #[must_use]
    pub fn open_transaction(&self, topics: &[&str]) -> BaseProducer {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("transactional.id", "foreign")
            .set("transaction.timeout.ms", "300000")
            .create()
            .unwrap();
        producer.init_transactions(UP_WITHIN).unwrap();
        producer.begin_transaction().unwrap();
        let there = self.connect().topics().unwrap();
        for topic in there.iter().filter(|topic| topics.contains(&&*topic.name)) {
            for partition in 0..i32::try_from(topic.partitions).unwrap() {
                let record = BaseRecord::<(), _>::to(&topic.name).partition(partition).payload("foreign");
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
        }
        producer.flush(UP_WITHIN).unwrap();
        producer
    }

    /// Kills the broker as a crash would; false when it is not ours to kill.
    pub fn kill(&mut self) -> bool {
        match &mut self.started {
            Started::FromJars { server, .. } => {
                server.kill();
                true
            }
            _ => false,
        }
    }

    /// Starts the broker that was killed, on its data and port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        if let Started::FromJars { server, .. } = &mut self.started {
            server.run().unwrap();
        }
        let _ = self.connect();
    }

    /// Whatever was done to it: it runs, in fair weather.
    ///
    /// # Panics
    /// When it does not start.
    pub fn mend(&mut self) {
        self.kill();
        self.restart();
        if let Some((network, _)) = self.network() {
            network.set(Weather::Fair);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if matches!(self.started, Started::Elsewhere { .. }) {
            self.empty();
        }
    }
}

static IS_TAKEN: Mutex<bool> = Mutex::new(false);
static IS_FREE: Condvar = Condvar::new();

/// Whose turn it is at a cluster that all tests share.
struct Turn;

impl Turn {
    fn wait() -> Self {
        let taken = IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        *IS_FREE.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner) = true;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = false;
        IS_FREE.notify_one();
    }
}

fn plaintext(brokers: &str) -> KafkaSettings {
    KafkaSettings::plaintext(&brokers.split(',').collect::<Vec<_>>())
}

/// A connection to a cluster that may be starting.
fn connect(settings: &KafkaSettings) -> KafkaBroker {
    let started = Instant::now();
    loop {
        match KafkaBroker::connect(settings.clone()) {
            Ok(broker) => return broker,
            Err(error) => assert!(started.elapsed() < UP_WITHIN, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What was started; `None`, said aloud, when there can be none and may be none.
fn or_skip<T>(started: Result<T, String>) -> Option<T> {
    let is_required = std::env::var(KAFKA).is_ok_and(|value| value == "required");
    match started {
        Ok(started) => Some(started),
        Err(reason) if is_required => panic!("no Kafka: {reason}"),
        Err(reason) => {
            skip::because(format_args!("no Kafka: {reason}"));
            None
        }
    }
}

/// A port without a listener.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The settings of every broker of a test: one node, short delays, topics made by name only.
const SETTINGS: &[(&str, &str)] = &[
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("auto.create.topics.enable", "false"),
    ("offsets.topic.replication.factor", "1"),
    ("offsets.topic.num.partitions", "4"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.num.partitions", "4"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "100"),
    ("group.consumer.min.session.timeout.ms", "1000"),
    ("group.consumer.session.timeout.ms", "3000"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    ("group.consumer.heartbeat.interval.ms", "500"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1000"),
    ("log.retention.check.interval.ms", "1000"),
    ("log.initial.task.delay.ms", "500"),
    ("log.cleaner.dedupe.buffer.size", "20000000"),
];
