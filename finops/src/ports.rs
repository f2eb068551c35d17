//! Opens what the services work with: the broker, the store, and the configuration of each role.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contracts::identity::SaltMode;
use contracts::topics::{self, Lane};
use exporter::{ExportOptions, ExporterConfig};
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::kafka::{KafkaBroker, KafkaSettings};
use platform::broker::{Broker, TopicSpec};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::lifecycle::{self, Shutdown};
use platform::store::local::LocalStore;
use platform::store::s3::{S3Settings, S3Store};
use platform::store::{Store, StoreError};
use uuid::Uuid;
use validator::ProducerPolicies;

use crate::failure::{Failure, Result};
use crate::settings::Settings;

/// File of the embedded broker in the data folder.
const BROKER_FILE: &str = "broker.sqlite";

/// Broker and store, open.
#[derive(Clone)]
pub struct Ports {
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
}

impl Ports {
    /// Opens both, making folders and topics that are not there.
    pub fn open(settings: &Settings) -> Result<Self> {
        std::fs::create_dir_all(&settings.data).map_err(|e| {
            Failure::new(ExitCode::Io, format!("creating data folder {}: {e}", settings.data.display()))
        })?;
        let store: Arc<dyn Store> = match &settings.s3 {
            Some(s3) => Arc::new(S3Store::open(s3.clone())?),
            None => Arc::new(LocalStore::open(&settings.root)?),
        };
        let broker: Arc<dyn Broker> = match &settings.kafka {
            Some(kafka) => Arc::new(KafkaBroker::connect(kafka.clone())?),
            None => Arc::new(EmbeddedBroker::open(&settings.data.join(BROKER_FILE), settings.broker.clone())?),
        };
        let retention_ms = settings.retention.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        for (name, compacted) in
            [(topics::WIRE, false), (topics::VALID, false), (topics::DEAD_LETTERS, false), (topics::RUNS, true)]
        {
            let retention_ms = if compacted { None } else { retention_ms };
            let (name, partitions) = (name.to_owned(), settings.partitions);
            broker.ensure_topic(&TopicSpec { name, partitions, compacted, retention_ms, retention_bytes: None })?;
        }
        Ok(Self { broker, store })
    }

    /// Opens what a reader needs; nothing is made.
    pub fn store_only(settings: &Settings) -> Result<Arc<dyn Store>> {
        store_with_data(settings.s3.clone(), &settings.root)
    }

    /// Opens what is there: broker and store of an earlier run.
    pub fn existing(settings: &Settings) -> Result<Self> {
        let store = Self::store_only(settings)?;
        let broker = existing_broker(settings.kafka.clone(), &settings.data, settings.broker.clone())?;
        Ok(Self { broker, store })
    }
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
) -> Result<Arc<dyn Broker>> {
    if let Some(kafka) = kafka {
        return Ok(Arc::new(KafkaBroker::connect(kafka)?));
    }
    let path = data.join(BROKER_FILE);
    if !path.is_file() {
        let reason = format!("no broker in {}: {} is not there", data.display(), path.display());
        return Err(Failure::bad_input(reason));
    }
    Ok(Arc::new(EmbeddedBroker::open(&path, embedded)?))
}

/// The bucket, or else the folder, that an earlier run has made a store.
pub fn existing_store(s3: Option<S3Settings>, root: &Path) -> std::result::Result<Arc<dyn Store>, StoreError> {
    Ok(match s3 {
        Some(s3) => Arc::new(S3Store::open_existing(s3)?),
        None => Arc::new(LocalStore::open_existing(root)?),
    })
}

fn store_with_data(s3: Option<S3Settings>, root: &Path) -> Result<Arc<dyn Store>> {
    let is_bucket = s3.is_some();
    existing_store(s3, root).map_err(|error| match is_bucket {
        true => error.into(),
        false => Failure::bad_input(format!("no data in {}: {error}", root.display())),
    })
}

/// Another root than the one in force, made if it is not there.
pub fn root(place: &str, settings: &Settings) -> Result<Arc<dyn Store>> {
    if let Some(s3) = bucket(place, settings)? {
        return Ok(Arc::new(S3Store::open(s3)?));
    }
    Ok(Arc::new(LocalStore::open(Path::new(place))?))
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

/// A stop by signal: the first ends in good order, the second at once.
pub fn stop_on_signals() -> Result<Shutdown> {
    let shutdown = Shutdown::new();
    lifecycle::stop_on_signals(&shutdown)
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

pub fn validator_config(settings: &Settings, until: validator::Until) -> Result<validator::Config> {
    let policies = producer_policies(settings)?;
    Ok(validator::Config {
        member: member("validator"),
        lane: Lane::live(),
        selection: None,
        policies,
        valid_partitions: settings.partitions,
        dead_partitions: settings.partitions,
        tenant_spread: settings.tenant_spread,
        step_records_max: settings.step_records_max,
        step_bytes_max: 16 << 20,
        session_timeout: settings.session_timeout,
        until,
        skips_gone: false,
    })
}

pub fn sink_config(settings: &Settings, until: sink::Until) -> sink::Config {
    sink::Config {
        member: member("sink"),
        lane: Lane::live(),
        limits: settings.sink_limits.clone(),
        session_timeout: settings.session_timeout,
        until,
        skips_gone: false,
    }
}

pub fn exporter_config(settings: &Settings, store: Arc<dyn Store>, options: ExportOptions) -> ExporterConfig {
    ExporterConfig {
        store,
        clock: Arc::new(SystemClock),
        tenant: None,
        export_dir: settings.export.clone(),
        options,
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

/// Removes what is past its retention, now and then, until stopped.
pub fn keep_clean(broker: &dyn Broker, shutdown: &Shutdown) {
    while !shutdown.wait_timeout(Duration::from_secs(600)) {
        if let Err(error) = broker.clean() {
            tracing::warn!(%error, "could not remove old records from the broker");
        }
    }
}
