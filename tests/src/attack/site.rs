//! A place to attack: a broker and a store, the arguments that bring the program there, and handles for the oracle.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use contracts::{layout, topics};
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, TopicInfo, TopicSpec};
use platform::store::Store;
use platform::store::local::LocalStore;
use tempfile::TempDir;

/// Which broker and which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The broker in a file, the store in a folder.
    EmbeddedLocal,
}

impl Kind {
    /// All there are.
    pub const ALL: &[Self] = &[Self::EmbeddedLocal];

    /// Name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EmbeddedLocal => "embedded, local",
        }
    }

    /// The broker is a file that all processes share.
    #[must_use]
    pub fn is_embedded(self) -> bool {
        matches!(self, Self::EmbeddedLocal)
    }

    /// How long a silent member keeps its partitions.
    #[must_use]
    pub fn session_timeout(self) -> Duration {
        match self {
            Self::EmbeddedLocal => Duration::from_secs(2),
        }
    }

    /// Beginnings of the names of crash points that no service passes here: they belong to another broker or store, or to
    /// an operator's command and are attacked where that is tested.
    fn absent_points(self) -> &'static [&'static str] {
        match self {
            Self::EmbeddedLocal => &["broker.kafka.", "store.s3.", "operator."],
        }
    }

    /// No service passes this crash point here.
    #[must_use]
    pub fn lacks(self, point: &str) -> bool {
        self.absent_points().iter().any(|prefix| point.starts_with(prefix))
    }
}

/// A broker and a store of one attack's own; gone with it.
pub struct Site {
    /// Which.
    pub kind: Kind,
    /// What the program needs on its command line to work here.
    pub arguments: Vec<String>,
    /// What it needs in its environment.
    pub environment: Vec<(String, String)>,
    /// The broker, for load and oracle.
    pub broker: Arc<dyn Broker>,
    /// The store, for the oracle.
    pub store: Arc<dyn Store>,
    folder: TempDir,
}

/// Sizes that make much happen in little time.
const HASTE: &[(&str, &str)] = &[
    ("FINOPS_SINK_AGE_MAX", "100ms"),
    ("FINOPS_EXPORTER_POLL_INTERVAL", "200ms"),
    ("FINOPS_VALIDATOR_STEP_RECORDS_MAX", "50"),
    // No credentials, and nobody to ask for them: `finops run` is to be short.
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

impl Site {
    /// A fresh one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn open(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        Self::open_in(kind, folder)
    }

    /// One in a folder of the caller's making, with the store in `data` and the broker beside it.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn open_in(kind: Kind, folder: TempDir) -> Self {
        let data = folder.path().join("data");
        let (broker, store): (Arc<dyn Broker>, Arc<dyn Store>) = match kind {
            Kind::EmbeddedLocal => {
                let broker = EmbeddedBroker::open(&folder.path().join("broker.sqlite"), EmbeddedSettings::default());
                (Arc::new(broker.unwrap()), Arc::new(LocalStore::open(&data).unwrap()))
            }
        };
        let out = data.join(layout::FINDINGS);
        let arguments = [("--data", folder.path()), ("--out", &out)]
            .into_iter()
            .flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()])
            .collect();
        let haste = HASTE.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let session = ("FINOPS_BROKER_SESSION_TIMEOUT".to_owned(), format!("{}s", kind.session_timeout().as_secs()));
        let environment = haste.chain([session]).collect();
        let site = Self { kind, arguments, environment, broker, store, folder };
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

    /// Adds a setting for all services started from now on.
    #[must_use]
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.environment.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where exporters put their JSON unless told otherwise.
    #[must_use]
    pub fn export_folder(&self) -> PathBuf {
        self.folder().join("data/export")
    }
}
