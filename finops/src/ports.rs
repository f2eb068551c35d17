//! Opens what the services work with: the broker, the store, and the configuration of each role.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use contracts::datasets;
use contracts::identity::SaltMode;
use contracts::layout;
use contracts::topics::{self, PipelineTopics};
use exporter::{ExportOptions, ExporterConfig};
use platform::broker::embedded::{EmbeddedBroker, EmbeddedReader, EmbeddedSettings};
use platform::broker::kafka::{KafkaBroker, KafkaSettings};
use platform::broker::{self, Broker, Limit, TopicChange, TopicSpec};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::lifecycle::{self, Shutdown};
use platform::observe::Observer;
use platform::service::Until;
use platform::store::local::{self, LocalStore};
use platform::store::s3::{S3Settings, S3Store};
use platform::store::{Store, StoreError};
use uuid::Uuid;
use validator::ProducerPolicies;

use crate::failure::{Failure, Result};
use crate::output::note;
use crate::settings::Settings;

/// File of the embedded broker in the data folder.
const BROKER_FILE: &str = "broker.sqlite";

/// Broker and store, open.
#[derive(Clone)]
pub struct OpenPorts {
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
}

impl OpenPorts {
    /// Opens both, making folders and topics that are not there.
    pub fn open(settings: &Settings) -> Result<Self> {
        let store = Self::store_to_write(settings)?;
        let broker: Arc<dyn Broker> = match &settings.kafka {
            Some(kafka) => Arc::new(KafkaBroker::connect(kafka.clone())?),
            None => Arc::new(EmbeddedBroker::open(&settings.data.join(BROKER_FILE), settings.broker.clone())?),
        };
        let retention_ms = settings.retention.map(millis);
        for (name, compacted) in
            [(topics::WIRE, false), (topics::VALID, false), (topics::DEAD_LETTERS, false), (topics::RUNS, true)]
        {
            let retention_ms = if compacted { None } else { retention_ms };
            let (name, partitions) = (name.to_owned(), settings.partitions);
            broker.ensure_topic(&TopicSpec { name, partitions, compacted, retention_ms, retention_bytes: None })?;
        }
        if let (None, Some(retention_ms)) = (&settings.kafka, retention_ms) {
            apply_retention(&*broker, retention_ms)?;
        }
        Ok(Self { broker, store })
    }

    /// Opens the store to write to it, making folders that are not there.
    pub fn store_to_write(settings: &Settings) -> Result<Arc<dyn Store>> {
        local::create_folder(&settings.data).map_err(|e| {
            Failure::new(ExitCode::Io, format!("creating data folder {}: {e}", settings.data.display()))
        })?;
        Ok(match &settings.s3 {
            Some(s3) => Arc::new(S3Store::open(s3.clone(), layout::SINK)?),
            None => Arc::new(LocalStore::open(&settings.root, layout::SINK)?),
        })
    }

    /// Opens what a reader needs; nothing is made.
    pub fn store_only(settings: &Settings) -> Result<Arc<dyn Store>> {
        store_with_data(settings.s3.clone(), &settings.root).map_err(|failure| with_next_step(failure, settings))
    }

    /// Opens what is there to write to it: broker and store of an earlier run.
    pub fn existing(settings: &Settings) -> Result<Self> {
        Ok(Self { store: Self::store_only(settings)?, broker: Self::broker(settings)? })
    }

    /// Opens what is there to look at it: nothing in the folders of the data is created or changed.
    pub fn to_look(settings: &Settings) -> Result<Self> {
        Ok(Self { store: Self::store_only(settings)?, broker: Self::broker_to_look(settings)? })
    }

    /// The broker of an earlier run, to write to it.
    pub fn broker(settings: &Settings) -> Result<Arc<dyn Broker>> {
        existing_broker(settings.kafka.clone(), &settings.data, settings.broker.clone(), Purpose::Write)
            .map_err(|failure| with_next_step(failure, settings))
    }

    /// The broker of an earlier run, to look at it.
    pub fn broker_to_look(settings: &Settings) -> Result<Arc<dyn Broker>> {
        existing_broker(settings.kafka.clone(), &settings.data, settings.broker.clone(), Purpose::Look)
            .map_err(|failure| with_next_step(failure, settings))
    }
}

/// What a broker is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Write,
    /// Needs no right to write.
    Look,
}

/// True when there is a broker to open: a cluster is configured, or an earlier run has left one in the data folder.
pub fn has_broker(settings: &Settings) -> bool {
    settings.kafka.is_some() || settings.data.join(BROKER_FILE).is_file()
}

/// The cluster, or the broker that an earlier run has left in the data folder.
pub fn existing_broker(
    kafka: Option<KafkaSettings>,
    data: &Path,
    embedded: EmbeddedSettings,
    purpose: Purpose,
) -> Result<Arc<dyn Broker>> {
    if let Some(kafka) = kafka {
        return Ok(Arc::new(KafkaBroker::connect(kafka)?));
    }
    let path = broker_file(data);
    if !path.is_file() {
        let reason = format!("no broker in {}: {} is not there", data.display(), path.display());
        return Err(Failure::bad_input(reason));
    }
    Ok(match purpose {
        Purpose::Write => Arc::new(EmbeddedBroker::open(&path, embedded)?),
        Purpose::Look => Arc::new(EmbeddedReader::open(&path, embedded)?),
    })
}

/// The file of the embedded broker.
pub fn broker_file(data: &Path) -> PathBuf {
    data.join(BROKER_FILE)
}

/// Gives the topics of the pipeline that exist the retention that is set. Only of the embedded broker: a cluster has administrators.
fn apply_retention(broker: &dyn Broker, retention_ms: u64) -> broker::Result<()> {
    let is_ours = |name: &str| topics::is_wire(name) || datasets::has_topic(name);
    let change = TopicChange { retention_ms: Some(Limit::AtMost(retention_ms)), ..TopicChange::default() };
    for topic in broker.topics()?.iter().filter(|topic| is_ours(&topic.name)) {
        let before = broker.topic_settings(&topic.name)?;
        if !change.is_done(&before, topic.partitions) {
            broker.alter_topic(&topic.name, &change)?;
            let before_ms = before.retention_ms;
            tracing::info!(topic = %topic.name, before_ms, retention_ms, "applied broker.retention to a topic that existed");
        }
    }
    Ok(())
}

/// Milliseconds of a duration.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The bucket, or else the folder, that an earlier run has made a store.
pub fn existing_store(s3: Option<S3Settings>, root: &Path) -> std::result::Result<Arc<dyn Store>, StoreError> {
    Ok(match s3 {
        Some(s3) => Arc::new(S3Store::open_existing(s3)?),
        None => Arc::new(LocalStore::open_existing(root, layout::SINK)?),
    })
}

fn store_with_data(s3: Option<S3Settings>, root: &Path) -> Result<Arc<dyn Store>> {
    let is_bucket = s3.is_some();
    existing_store(s3, root).map_err(|error| match is_bucket {
        true => error.into(),
        false => Failure::bad_input(format!("no data in {}: {error}", root.display())),
    })
}

/// Adds what an operator does about a folder that no run has made yet.
fn with_next_step(failure: Failure, settings: &Settings) -> Failure {
    if failure.code() != ExitCode::BadInput {
        return failure;
    }
    let run = format!("`finops run --tenant TENANT --bill PATH {}`", settings.flags());
    Failure::bad_input(format!("{}; {run} makes it, or --data names another folder", failure.message()))
}

/// Another root than the one in force, made if it is not there.
pub fn root(place: &str, settings: &Settings) -> Result<Arc<dyn Store>> {
    if let Some(s3) = bucket(place, settings)? {
        return Ok(Arc::new(S3Store::open(s3, layout::SINK)?));
    }
    Ok(Arc::new(LocalStore::open(Path::new(place), layout::SINK)?))
}

/// Another root than the one in force, which must be there.
pub fn existing_root(place: &str, settings: &Settings) -> Result<Arc<dyn Store>> {
    store_with_data(bucket(place, settings)?, Path::new(place))
}

/// A bucket, when the place is one.
fn bucket(place: &str, settings: &Settings) -> Result<Option<S3Settings>> {
    let is_bucket = place.starts_with("s3://");
    Ok(is_bucket.then(|| S3Settings::at(place, &settings.config, &settings.data.join("cache"))).transpose()?)
}

/// A stop by signal: the first ends in good order, the second at once. A person who pressed Ctrl-C is answered; a process that sent
/// another signal reads the log.
pub fn stop_on_signals() -> Result<Shutdown> {
    let shutdown = Shutdown::new();
    let answer = |signal: &str| {
        if signal == "SIGINT" {
            note!("stopping in good order …; press Ctrl-C again to stop at once");
        }
    };
    lifecycle::stop_on_signals_telling(&shutdown, answer)
        .map_err(|e| Failure::new(ExitCode::Bug, format!("cannot listen for signals: {e}")))?;
    Ok(shutdown)
}

/// Who may send what, as the validator judges by it.
pub fn producer_policies(settings: &Settings) -> Result<ProducerPolicies> {
    let policies = match &settings.producers {
        None => ProducerPolicies::own_only(SaltMode::Stable),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                Failure::new(ExitCode::Configuration, format!("reading producer policy {}: {e}", path.display()))
            })?;
            ProducerPolicies::parse(&text, SaltMode::Stable)?
        }
    };
    Ok(policies.with_message_bytes_max(settings.message_bytes_max).with_run_ts_ahead_max(settings.run_ts_ahead_max))
}

pub fn validator_config(settings: &Settings, until: Until) -> Result<validator::ValidatorConfig> {
    let policies = producer_policies(settings)?;
    Ok(validator::ValidatorConfig {
        member: member("validator"),
        pipeline_topics: PipelineTopics::live(),
        selection: None,
        policies,
        valid_partitions: settings.partitions,
        dead_partitions: settings.partitions,
        tenant_spread: settings.tenant_spread,
        step_records_max: settings.step_records_max,
        step_bytes_max: 16 << 20,
        session_timeout: settings.session_timeout,
        until,
        skips_expired: false,
        skips_judged: false,
    })
}

pub fn sink_config(settings: &Settings, until: Until) -> sink::SinkConfig {
    sink::SinkConfig {
        member: member("sink"),
        pipeline_topics: PipelineTopics::live(),
        limits: settings.sink_limits.clone(),
        session_timeout: settings.session_timeout,
        until,
        skips_expired: false,
        replaced_store: None,
    }
}

pub fn exporter_deps(store: Arc<dyn Store>, observer: Observer) -> exporter::ExporterDeps {
    exporter::ExporterDeps { store, clock: Arc::new(SystemClock), observer }
}

pub fn exporter_config(settings: &Settings, options: ExportOptions) -> ExporterConfig {
    ExporterConfig {
        tenant: None,
        export_dir: settings.export.clone(),
        options: ExportOptions { attribution: settings.attribution.clone(), ..options },
        gold: true,
        default_currency: settings.default_currency.clone(),
        limits: settings.duck.clone(),
        poll_interval: settings.export_poll_interval,
    }
}

fn member(role: &str) -> String {
    let id = Uuid::new_v4().simple().to_string();
    format!("{role}-{}-{}", std::process::id(), &id[..8])
}

/// How often it is looked whether the broker has to be cleaned: a retention may be shortened meanwhile.
const CLEANING_LOOK: Duration = Duration::from_secs(30);

/// Removes expired records as often as their retention asks for, until stopped.
pub fn keep_clean(broker: &dyn Broker, shutdown: &Shutdown) {
    let mut cleaned = Instant::now();
    loop {
        let interval = broker.cleaning_interval().inspect_err(|error| {
            tracing::warn!(%error, "could not look how often the broker has to be cleaned");
        });
        // A cluster cleans for itself.
        let interval = interval.ok().flatten().unwrap_or(Duration::MAX);
        let due = interval.saturating_sub(cleaned.elapsed());
        if !due.is_zero() {
            if shutdown.wait_timeout(due.min(CLEANING_LOOK)) {
                return;
            }
            continue;
        }
        clean(broker);
        cleaned = Instant::now();
    }
}

/// Removes expired records now. What fails is tried again the next time.
pub fn clean(broker: &dyn Broker) {
    match broker.clean() {
        Ok(0) => {}
        Ok(records) => tracing::info!(records, "removed expired records from the broker"),
        Err(error) => tracing::warn!(%error, "could not remove expired records from the broker"),
    }
}

/// Keeps the broker clean beside a service, until dropped.
pub struct Cleaner(Shutdown, Option<JoinHandle<()>>);

impl Cleaner {
    pub fn start(broker: Arc<dyn Broker>) -> Result<Self> {
        let stop = Shutdown::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("cleaner".to_owned());
        let thread = thread.spawn(move || keep_clean(&*broker, &stopped))?;
        Ok(Self(stop, Some(thread)))
    }
}

impl Drop for Cleaner {
    fn drop(&mut self) {
        self.0.request("the service has ended");
        if let Some(Err(_)) = self.1.take().map(JoinHandle::join) {
            tracing::warn!("the thread that cleans the broker panicked");
        }
    }
}
