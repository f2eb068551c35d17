//! A place to attack: a broker and a store, the arguments that bring the program there, and handles for the oracle.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use contracts::{layout, topics};
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::kafka::{KafkaBroker, KafkaSettings};
use platform::broker::{Broker, TopicInfo, TopicSpec};
use platform::store::Store;
use platform::store::local::LocalStore;
use platform::store::s3::{S3Settings, S3Store};
use tempfile::TempDir;

use crate::proxy::Proxy;
use crate::s3::{S3Server, variables};

/// Which broker and which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteKind {
    /// The broker in a file, the store in a folder.
    EmbeddedLocal,
    /// The broker in a file, the store in a bucket.
    EmbeddedS3,
    /// Kafka, the store in a folder.
    KafkaLocal,
    /// Kafka, the store in a bucket.
    KafkaS3,
}

impl SiteKind {
    /// All there are.
    pub const ALL: &[Self] = &[Self::EmbeddedLocal, Self::EmbeddedS3, Self::KafkaLocal, Self::KafkaS3];

    /// Name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmbeddedLocal => "embedded, local",
            Self::EmbeddedS3 => "embedded, S3",
            Self::KafkaLocal => "Kafka, local",
            Self::KafkaS3 => "Kafka, S3",
        }
    }

    /// The broker is a file that all processes share.
    #[must_use]
    pub fn is_embedded(self) -> bool {
        matches!(self, Self::EmbeddedLocal | Self::EmbeddedS3)
    }

    /// How long a silent member keeps its partitions.
    #[must_use]
    pub fn session_timeout(self) -> Duration {
        match self {
            Self::EmbeddedLocal | Self::EmbeddedS3 => Duration::from_secs(2),
            Self::KafkaLocal | Self::KafkaS3 => Duration::from_secs(3),
        }
    }

    /// Beginnings of the names of crash points that no service passes here: they belong to another broker or store, or to
    /// an operator's command and are attacked where that is tested.
    fn absent_points(self) -> &'static [&'static str] {
        match self {
            Self::EmbeddedLocal => &["broker.kafka.", "store.cache.", "store.s3.", "operator."],
            Self::EmbeddedS3 => &["broker.kafka.", "store.local.", "operator."],
            // How bills are stored has nothing to do with the broker.
            Self::KafkaLocal => &["broker.embedded.", "store.cache.", "store.s3.", "operator.", "producers."],
            Self::KafkaS3 => &["broker.embedded.", "store.local.", "operator.", "producers."],
        }
    }

    /// No service passes this crash point here.
    #[must_use]
    pub fn lacks(self, point: &str) -> bool {
        self.absent_points().iter().any(|prefix| point.starts_with(prefix))
    }
}

/// A broker and a store of one attack's own; removed with it.
pub struct Site {
    /// Which.
    pub kind: SiteKind,
    /// What the program needs on its command line to work here.
    pub arguments: Vec<String>,
    /// What it needs in its environment.
    pub environment: Vec<(String, String)>,
    /// The broker, for load and oracle.
    pub broker: Arc<dyn Broker>,
    /// The store, for the oracle.
    pub store: Arc<dyn Store>,
    /// What lies between the services and their bucket.
    pub network: Option<Proxy>,
    folder: TempDir,
}

/// Brokers of the clusters that are attacked. Topics have fixed names: there is one site at each at a time.
static KAFKA: Mutex<Vec<(SiteKind, String)>> = Mutex::new(Vec::new());

/// Says where Kafka is, for sites of this kind.
///
/// # Panics
/// Never.
pub fn use_kafka(kind: SiteKind, brokers: &str) {
    KAFKA.lock().unwrap().push((kind, brokers.to_owned()));
}

fn kafka(kind: SiteKind) -> Option<String> {
    KAFKA.lock().unwrap().iter().find(|(of, _)| *of == kind).map(|(_, brokers)| brokers.clone())
}

/// Variable that says where Kafka is.
pub const BROKERS: &str = "FINOPS_BROKER_KAFKA_BROKERS";
/// Both protocols of groups are attacked, each at one site.
const GROUP_PROTOCOL: &str = "FINOPS_BROKER_KAFKA_GROUP_PROTOCOL";

/// Sizes that make much happen in little time.
const HASTE: &[(&str, &str)] = &[
    ("FINOPS_SINK_AGE_MAX", "100ms"),
    ("FINOPS_EXPORTER_POLL_INTERVAL", "200ms"),
    ("FINOPS_VALIDATOR_STEP_RECORDS_MAX", "50"),
    // No credentials, and no server to ask for them: `finops run` is to be short.
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

impl Site {
    /// A fresh one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn open(kind: SiteKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        Self::open_in(kind, folder)
    }

    /// One in a folder of the caller's making, with the store in `data` and the broker beside it.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn open_in(kind: SiteKind, folder: TempDir) -> Self {
        let data = folder.path().join("data");
        let mut arguments = vec!["--data".to_owned(), folder.path().display().to_string()];
        let broker: Arc<dyn Broker> = match kind {
            SiteKind::EmbeddedLocal | SiteKind::EmbeddedS3 => {
                let path = folder.path().join("broker.sqlite");
                Arc::new(EmbeddedBroker::open(&path, EmbeddedSettings::default()).unwrap())
            }
            SiteKind::KafkaLocal | SiteKind::KafkaS3 => {
                let brokers = kafka(kind).expect("attacks on Kafka say where it is");
                let brokers: Vec<&str> = brokers.split(',').collect();
                let broker = KafkaBroker::connect(KafkaSettings::plaintext(&brokers)).unwrap();
                for topic in broker.topics().unwrap() {
                    broker.delete_topic(&topic.name).unwrap();
                }
                Arc::new(broker)
            }
        };
        let (store, network, bucket): (Arc<dyn Store>, _, _) = match kind {
            SiteKind::EmbeddedLocal | SiteKind::KafkaLocal => {
                let out = data.join(layout::FINDINGS).display().to_string();
                arguments.extend(["--out".to_owned(), out]);
                (Arc::new(LocalStore::open(&data, layout::SINK).unwrap()), None, Vec::new())
            }
            SiteKind::EmbeddedS3 | SiteKind::KafkaS3 => {
                let direct = S3Server::shared().bucket("finops/prod", folder.path());
                let network = Proxy::before(direct.endpoint.as_ref().unwrap());
                let of_services = S3Settings {
                    endpoint: Some(network.url()),
                    attempt_timeout: Duration::from_secs(2),
                    ..direct.clone()
                };
                let bucket = variables(&of_services);
                (Arc::new(S3Store::open(direct, layout::SINK).unwrap()), Some(network), bucket)
            }
        };
        let haste = HASTE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let session = ("FINOPS_BROKER_SESSION_TIMEOUT".to_owned(), format!("{}s", kind.session_timeout().as_secs()));
        let brokers = kafka(kind).map(|brokers| (BROKERS.to_owned(), brokers));
        let export = ("FINOPS_EXPORT_DIR".to_owned(), data.join("export").display().to_string());
        let bucket = bucket.into_iter().map(|(name, value)| (name.to_owned(), value));
        let protocol = match kind {
            SiteKind::EmbeddedLocal | SiteKind::EmbeddedS3 => None,
            SiteKind::KafkaLocal => Some((GROUP_PROTOCOL.to_owned(), "consumer".to_owned())),
            SiteKind::KafkaS3 => Some((GROUP_PROTOCOL.to_owned(), "classic".to_owned())),
        };
        let environment = haste.chain([session, export]).chain(bucket).chain(brokers).chain(protocol).collect();
        let site = Self { kind, arguments, environment, broker, store, network, folder };
        for name in [topics::WIRE, topics::VALID, topics::DEAD_LETTERS, topics::RUNS] {
            let _ = site.make_topic(name, 4);
        }
        site
    }

    /// Makes a topic.
    ///
    /// # Panics
    /// When the broker refuses.
    #[must_use]
    pub fn make_topic(&self, name: &str, partitions: u32) -> TopicInfo {
        let (name, compacted) = (name.to_owned(), name == topics::RUNS);
        let spec = TopicSpec { name, partitions, compacted, retention_ms: None, retention_bytes: None };
        self.broker.ensure_topic(&spec).unwrap()
    }

    /// Does something with the file of an embedded broker while no process has it open.
    ///
    /// # Panics
    /// When it cannot be opened again.
    pub fn with_broker_closed(&mut self, work: impl FnOnce(&Path)) {
        let beside = tempfile::tempdir().unwrap();
        let other = EmbeddedBroker::open(&beside.path().join("broker.sqlite"), EmbeddedSettings::default()).unwrap();
        drop(std::mem::replace(&mut self.broker, Arc::new(other)));
        work(self.folder());
        let path = self.folder().join("broker.sqlite");
        self.broker = Arc::new(EmbeddedBroker::open(&path, EmbeddedSettings::default()).unwrap());
    }

    /// Adds a setting for all services started from now on.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Where its Kafka is, as its attacker reaches it.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn kafka(&self) -> String {
        kafka(self.kind).expect("a site with Kafka")
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where exporters put their JSON by default.
    #[must_use]
    pub fn export_folder(&self) -> PathBuf {
        self.folder().join("data/export")
    }
}
