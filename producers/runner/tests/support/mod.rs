//! A run over the real embedded log and a real folder, and what it published.

#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use checkers::registry::Registry;
use checkers::run_context::{RunContext, RunFacts};
use chrono::DateTime;
use collectors::billing::LoadOptions;
use collectors::registry::CollectorRegistry;
use contracts::identity::SaltMode;
use contracts::judge::{Policy, judge};
use contracts::layout;
use contracts::resource_type::ResourceType;
use contracts::topics;
use platform::broker::embedded::{EmbeddedBroker, EmbeddedSettings};
use platform::broker::{Broker, TopicPartition, TopicSpec};
use platform::clock::ManualClock;
use platform::lifecycle::Shutdown;
use platform::progress::{Progress, Silent};
use platform::store::local::LocalStore;
use platform::trace::Tracer;
use runner::run::{DEADLINE_DEFAULT, Ports, RunError, RunPlan, RunReport, TaskLimits, run};
use serde_json::Value;

pub mod bill;

const RUN_TS_MS: i64 = 1_727_740_800_000;

pub fn sample() -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../../examples/data/focus-1.0-sample.csv")
}

pub fn golden(path: &str) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tests/golden").join(path)
}

/// A plan of all checkers over these billing files, without those that ask a provider or run on request.
pub fn plan(run_id: &str, billing_files: Vec<PathBuf>) -> RunPlan {
    let context = RunContext::new(RunFacts {
        tenant_id: "acme".into(),
        workspace_id: "prod".into(),
        run_id: run_id.into(),
        run_ts: DateTime::from_timestamp_millis(RUN_TS_MS).unwrap(),
        engine_name: "finops".into(),
        engine_version: "0.1.0".into(),
        schema_version: 1,
        default_currency: "USD".into(),
        finding_id_mode: SaltMode::Stable,
        rulepack: Arc::default(),
    })
    .unwrap();
    let registry = Registry::linked().unwrap();
    RunPlan {
        context,
        checkers: registry
            .all()
            .iter()
            .copied()
            .filter(|checker| checker.provider().is_none() && !checker.is_on_request)
            .collect(),
        checkers_named: false,
        collectors: CollectorRegistry::linked().unwrap(),
        billing_files,
        billing_options: LoadOptions::default(),
        findings_files: Vec::new(),
        regions: Vec::new(),
        deadline: DEADLINE_DEFAULT,
        limits: TaskLimits::default(),
        given: Vec::new(),
        notes: Default::default(),
    }
}

/// Log and folder of one test.
pub struct World {
    pub dir: tempfile::TempDir,
    pub broker: EmbeddedBroker,
    pub store: LocalStore,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let broker = EmbeddedBroker::open(&dir.path().join("log.db"), EmbeddedSettings::default()).unwrap();
        for (name, compacted) in [(topics::WIRE, false), (topics::RUNS, true)] {
            let spec =
                TopicSpec { name: name.into(), partitions: 1, compacted, retention_ms: None, retention_bytes: None };
            broker.ensure_topic(&spec).unwrap();
        }
        let store = LocalStore::open(&dir.path().join("data"), layout::SINK).unwrap();
        Self { dir, broker, store }
    }

    pub fn run(&self, plan: &RunPlan) -> Result<RunReport, RunError> {
        self.run_until(plan, Arc::new(Silent), &Shutdown::new())
    }

    /// Runs until a stop is requested.
    pub fn run_until(
        &self,
        plan: &RunPlan,
        progress: Arc<dyn Progress>,
        shutdown: &Shutdown,
    ) -> Result<RunReport, RunError> {
        let (clock, tracer, shutdown) = (&ManualClock::at(RUN_TS_MS), Tracer::default(), shutdown.clone());
        run(plan, &Ports { broker: &self.broker, store: &self.store, clock, progress, tracer, shutdown })
    }

    /// Values of all records of a topic.
    pub fn values(&self, topic: &str) -> Vec<bytes::Bytes> {
        let at = TopicPartition { topic: topic.into(), partition: 0 };
        self.broker
            .read(&at, 0, 1_000_000, 1 << 30)
            .unwrap()
            .into_iter()
            .map(|message| message.value.into_bytes())
            .collect()
    }

    /// A file with this content.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Files below the data folder, without the log.
    pub fn stored(&self, under: &str) -> Vec<String> {
        use platform::store::Store;
        let mut paths: Vec<_> = self.store.list(under).unwrap().into_iter().map(|entry| entry.path).collect();
        paths.sort();
        paths
    }
}

/// A wire record that the contract accepts: as JSON, with its ids.
pub struct Published {
    pub json: Value,
    pub fingerprint: String,
    pub finding_id: String,
}

impl Published {
    pub fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Judges wire records; each must be valid.
pub fn accept(values: &[bytes::Bytes]) -> Vec<Published> {
    let accept = |value: &bytes::Bytes| {
        let json: Value = serde_json::from_slice(value).unwrap();
        let resource_type = json["scope"]["resource_type"].as_str().unwrap_or_default();
        assert!(ResourceType::ALL.iter().any(|listed| listed.as_str() == resource_type), "{resource_type:?}: {json:#}");
        let valid =
            judge(value, &Policy::default(), RUN_TS_MS).unwrap_or_else(|no| panic!("{:?}: {json:#}", no.violations));
        Published { fingerprint: valid.fingerprint().to_owned(), finding_id: valid.finding_id().to_owned(), json }
    };
    values.iter().map(accept).collect()
}
