//! Opens what the services work with: the broker, the store, and the configuration of each role.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contracts::identity::SaltMode;
use contracts::topics::{self, Lane};
use exporter::{ExportOptions, ExporterConfig, Input};
use platform::broker::embedded::EmbeddedBroker;
use platform::broker::{Broker, TopicSpec};
use platform::clock::SystemClock;
use platform::exit::ExitCode;
use platform::lifecycle::{self, Shutdown};
use platform::store::Store;
use platform::store::local::LocalStore;
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
        let store = Arc::new(LocalStore::open(&settings.root)?);
        let broker = Arc::new(EmbeddedBroker::open(&settings.data.join(BROKER_FILE), settings.broker.clone())?);
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
        let store = LocalStore::open_existing(&settings.root)
            .map_err(|e| Failure::bad_input(format!("no data in {}: {e}", settings.root.display())))?;
        Ok(Arc::new(store))
    }

    /// Opens what is there: broker and store of an earlier run.
    pub fn existing(settings: &Settings) -> Result<Self> {
        let store = Self::store_only(settings)?;
        let path = settings.data.join(BROKER_FILE);
        if !path.is_file() {
            return Err(Failure::bad_input(format!(
                "no broker in {}: {} is not there",
                settings.data.display(),
                path.display()
            )));
        }
        Ok(Self { broker: Arc::new(EmbeddedBroker::open(&path, settings.broker.clone())?), store })
    }
}

/// Another root than the one in force, made if it is not there.
pub fn root(place: &str) -> Result<Arc<dyn Store>> {
    Ok(Arc::new(LocalStore::open(Path::new(place))?))
}

/// Another root than the one in force, which must be there.
pub fn existing_root(place: &str) -> Result<Arc<dyn Store>> {
    let store = LocalStore::open_existing(Path::new(place))
        .map_err(|e| Failure::bad_input(format!("no data in {place}: {e}")))?;
    Ok(Arc::new(store))
}

/// A stop by signal: the first ends in good order, the second at once.
pub fn stop_on_signals() -> Result<Shutdown> {
    let shutdown = Shutdown::new();
    lifecycle::stop_on_signals(&shutdown)
        .map_err(|e| Failure::new(ExitCode::Bug, format!("cannot listen for signals: {e}")))?;
    Ok(shutdown)
}

pub fn validator_config(settings: &Settings, until: validator::Until) -> Result<validator::Config> {
    let policies = match &settings.producers {
        None => ProducerPolicies::own_only(SaltMode::Stable),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                Failure::new(ExitCode::Configuration, format!("reading producer policy {}: {e}", path.display()))
            })?;
            ProducerPolicies::parse(&text, SaltMode::Stable)?
        }
    };
    Ok(validator::Config {
        member: member("validator"),
        lane: Lane::live(),
        selection: None,
        policies: policies.with_message_bytes_max(settings.message_bytes_max),
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
        input: Input::Committed,
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
